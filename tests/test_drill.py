"""The leads behind a manager's cells: the loop's and the counts', each lead where its page counts it."""

from datetime import date, timedelta
from itertools import product

import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, table

from funnelstats.config.errors import FunnelError
from funnelstats.core.counts import outcome_days, step_counts
from funnelstats.core.journeys import journeys
from funnelstats.leads.counts import LEADS, cell_leads
from funnelstats.leads.standing import own_rows

STAGES = ("lead", "met", "paid")
FUNNEL = funnel_of(*STAGES, days=[7, 20])
WINDOW = (date(2026, 1, 5), date(2026, 2, 10))
AS_OF = date(2026, 2, 14)
MANAGERS = ("Анна", "Boris", "Claire")
WORDS = {"lost": "lost", "nurture": "returned to marketing", "moved_away": "went back"}


def by_loop(episodes, manager, as_of, window=WINDOW):
    """What the verb should find, by a loop over every episode known on the day."""
    found = []
    for episode in episodes:
        for step in FUNNEL.steps:
            stay = episode.stay(step.from_stage, STAGES)
            if stay is None or stay[1] != manager or not window[0] <= stay[0] <= min(window[1], as_of):
                continue
            entered_on, _, left_on, outcome = stay
            gone = left_on is not None and left_on <= as_of
            days = ((left_on if gone else as_of) - entered_on).days
            shown = days if episode.timed(step.from_stage, STAGES) else None
            judged = (as_of - entered_on).days >= step.horizon_days
            if gone and outcome == "advanced":
                word = "advanced in time" if days <= step.horizon_days else "advanced late"
            elif gone:
                word = WORDS[outcome]
            else:
                word = "still there" if judged else "still running"
            found.append(
                (episode.lead_id, episode.number, step.from_stage, step.to_stage, entered_on, word, shown, judged)
            )
    order = {step.from_stage: place for place, step in enumerate(FUNNEL.steps)}
    return sorted(found, key=lambda row: (order[row[2]], row[4], row[0], row[1]))


@pytest.mark.parametrize("seed", range(3))
def test_every_lead_of_the_manager_is_there_as_the_loop_finds_it(con, seed) -> None:
    frame = random_entries(seed, STAGES, leads=300)
    paths, episodes = journeys(table(con, frame), FUNNEL).cache(), episodes_of(frame, STAGES)
    days_known = (AS_OF, WINDOW[1] - timedelta(9))
    found = {as_of: cell_leads(paths, FUNNEL, as_of, entered_between=WINDOW) for as_of in days_known}
    for as_of, manager in product(days_known, MANAGERS):
        leads = own_rows(found[as_of], manager)
        assert list(leads) == LEADS
        days = leads["days"].astype(object).where(leads["days"].notna(), None)
        dated = leads.assign(entered_on=leads["entered_on"].dt.date, days=days)
        expected = by_loop(episodes, manager, as_of)
        assert [tuple(row) for row in dated.itertuples(index=False)] == expected
        assert len({row[5] for row in expected}) >= 5, "the history has something of everything"


def test_the_leads_add_up_to_each_managers_cells(duckdb) -> None:
    paths = journeys(table(duckdb, random_entries(7, STAGES, leads=120)), FUNNEL).cache()
    of_all, counted, watched = (
        count(paths, FUNNEL, AS_OF, "manager", entered_between=WINDOW)
        for count in (cell_leads, step_counts, outcome_days)
    )
    for manager in MANAGERS:
        leads, counts, days = (own_rows(frame, manager) for frame in (of_all, counted, watched))
        judged = leads.groupby("from_stage", sort=False)["judged"]
        assert judged.sum().tolist() == counts["entered"].tolist()
        assert (judged.size() - judged.sum()).tolist() == counts["too_recent"].tolist()
        in_time = leads[leads["judged"] & (leads["outcome"] == "advanced in time")]
        assert in_time.groupby("from_stage", sort=False).size().tolist() == counts["converted"].tolist()
        entered = days.groupby("from_stage", sort=False)[["advanced", "lost", "open"]].sum().sum(axis=1)
        assert judged.size().to_dict() == entered.to_dict()


def test_a_manager_without_leads_has_an_empty_table_with_its_columns(con) -> None:
    paths = journeys(table(con, entries_frame([("a", "lead", "2026-01-05", "Ann")])), FUNNEL)
    leads = own_rows(cell_leads(paths, FUNNEL, AS_OF, entered_between=WINDOW), "Nobody")
    assert (len(leads), list(leads)) == (0, LEADS)
    assert pd.api.types.is_numeric_dtype(leads["days"])
    with pytest.raises(FunnelError, match="entered_between must be"):
        own_rows(cell_leads(paths, FUNNEL, AS_OF, entered_between=WINDOW[::-1]), "Ann")


def test_the_leads_behind_a_cell_of_any_group_are_those_that_the_counts_count(duckdb) -> None:
    paths = journeys(table(duckdb, random_entries(1, STAGES, leads=300)), FUNNEL)
    paths = paths.mutate(region=(paths.lead_id < "L150").ifelse("North", None))
    leads = cell_leads(paths, FUNNEL, AS_OF, ["region", "manager"], entered_between=WINDOW)
    keys = ["region", "manager", "from_stage", "to_stage"]
    counts = step_counts(paths, FUNNEL, AS_OF, by=["region", "manager"], entered_between=WINDOW).set_index(keys)
    assert set(leads["region"]) == {"North", "(missing)"}
    judged = leads[leads["judged"]].groupby(keys).size()
    pd.testing.assert_series_equal(judged, counts.loc[judged.index, "entered"], check_names=False)
    assert judged.sum() == counts["entered"].sum()
    assert list(leads) == ["region", "manager", *LEADS]
    assert list(cell_leads(paths, FUNNEL, AS_OF, [], entered_between=WINDOW)) == LEADS
