"""Rival definitions of one conversion: on a few leads, then against a plain loop."""

from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, table

from funnelstats.config.errors import FunnelError
from funnelstats.core.conversion import rival_rates
from funnelstats.core.counts import outcome_days
from funnelstats.core.incidence import incidence
from funnelstats.core.journeys import journeys
from funnelstats.team.counts import DEFINITIONS, recorded_late, rival_counts

FUNNEL = funnel_of("lead", "met", "paid")
STAGES = ("new", "встреча", "offer", "paid")
RANDOM = funnel_of(*STAGES, days=[20, 9, 14])
AS_OF = date(2026, 3, 31)
WEEK = timedelta(days=7)
LEADS = [
    ("straight", "lead", "2026-01-05"),
    ("straight", "met", "2026-01-06"),
    ("straight", "paid", "2026-01-07"),
    ("skipped", "lead", "2026-01-05"),
    ("skipped", "paid", "2026-01-09"),
    ("circled", "lead", "2026-01-05"),
    ("circled", "paid", "2026-01-06"),
    ("circled", "lead", "2026-01-07"),
    ("circled", "met", "2026-01-08"),
    ("late", "lead", "2026-01-05"),
    ("late", "met", "2026-02-20"),
    ("late", "paid", "2026-02-21"),
    ("lost", "lead", "2026-01-05"),
    ("lost", "lost", "2026-01-06"),
    ("silent", "lead", "2026-01-05"),
    ("began at met", "met", "2026-01-05"),
    ("began at met", "paid", "2026-01-06"),
    ("young", "lead", "2026-03-25"),
    ("young", "met", "2026-03-26"),
    ("young", "paid", "2026-03-27"),
]


def counts_of(entries, funnel, as_of, **between):
    """The counts of entries that nothing else is known of."""
    return rival_counts(journeys(entries, funnel).cache(), entries, funnel, as_of, **between)


def by_loop(frame, funnel, as_of, between):
    """The counts of every way and definition, one lead after another."""
    stages = list(funnel.stages)
    days = [step.horizon_days for step in funnel.steps]
    ways = [(0, len(stages) - 1), *((place, place + 1) for place in range(len(stages) - 1))]
    found = {(way, name): [0, 0] for way in ways for name in DEFINITIONS}
    refused = set()
    for episode in episodes_of(frame[frame["entered_on"] <= as_of], stages):
        # the same stage logged twice at one instant is one entry
        logged = sorted({(entry.entered_at, stages.index(entry.stage)) for entry in episode.entries})
        path = [place for _, place in logged]
        moves = set(pairwise(path))
        for first, last in ways:
            start, end = episode.stay(stages[first], stages), episode.first(stages[last], stages)
            if start is None or not between[0] <= start[0] <= between[1]:
                continue
            reached, horizon = end is not None, sum(days[first:last])
            in_time = reached and (end.entered_on - start[0]).days <= horizon
            matured = (as_of - start[0]).days >= horizon
            whole = all(place in path for place in range(first, last + 1))
            direct = all((place, place + 1) in moves for place in range(first, last))
            lost = episode.end("lost") is not None
            refused |= {(first, last)} if matured and lost and not reached else set()
            for name, judged, passed in (
                ("reached", matured, in_time),
                ("touched", matured and first in path, in_time and whole),
                ("direct", matured and first in path, in_time and direct),
                ("closed", matured and (reached or lost), reached),
                ("so_far", True, reached),
            ):
                found[(first, last), name][0] += judged
                found[(first, last), name][1] += judged and passed
    return [
        (name, stages[first], stages[last], *counts)
        for ((first, last), name), counts in found.items()
        if name != "closed" or (first, last) in refused
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_are_those_of_a_loop_over_the_leads(con, seed):
    frame = random_entries(seed, STAGES)
    as_of, between = date(2026, 2, 20), (date(2026, 1, 3), date(2026, 2, 12))
    known = table(con, frame[frame["entered_on"] <= as_of])
    found = counts_of(known, RANDOM, as_of, entered_between=between)
    assert [tuple(row) for row in found.itertuples(index=False)] == by_loop(frame, RANDOM, as_of, between)
    counts = found.set_index(["definition", "from_stage", "to_stage"])["converted"]
    assert counts.xs("reached").sum() > counts.xs("touched").sum() > counts.xs("direct").sum() > 0


@pytest.mark.parametrize(("begins", "late"), [(date(2026, 3, 2), ["lead"]), (date(2026, 1, 1), [])])
def test_weeks_before_the_record_of_a_stage_begins_are_not_compared(con, begins, late):
    """A lead a day, of which each other one is met a week later, where the export has it."""
    came = [date(2026, 1, 1) + timedelta(days=n) for n in range(90)]
    rows = [(f"L{n}", "lead", str(day)) for n, day in enumerate(came)]
    rows += [(f"L{n}", "met", str(day + WEEK)) for n, day in enumerate(came) if n % 2 and day + WEEK >= begins]
    paths = journeys(table(con, entries_frame(rows)), FUNNEL)
    curve = incidence(outcome_days(paths, FUNNEL, AS_OF, entered_between=(date(2026, 3, 1), AS_OF)))
    assert recorded_late(paths, FUNNEL, curve, (date(2026, 1, 1), date(2026, 2, 28))) == late


def test_nobody_entered_is_no_rate_under_any_definition(con):
    found = rival_rates(counts_of(table(con, entries_frame([])), FUNNEL, AS_OF))
    assert len(found) == 3 * (len(DEFINITIONS) - 1)
    assert found["entered"].sum() == 0
    assert found[["rate", "apart"]].isna().all(axis=None)


def test_an_export_without_refusals_has_no_win_rate(duckdb):
    nobody_lost = [row for row in LEADS if row[1] != "lost"]
    found = counts_of(table(duckdb, entries_frame(nobody_lost)), FUNNEL, AS_OF)
    assert set(found["definition"]) == set(DEFINITIONS) - {"closed"}
    assert found.index.tolist() == list(range(len(found)))
    late = [("gone", "lead", "2026-01-05"), ("gone", "met", "2026-01-06"), ("gone", "lost", "2026-01-07")]
    steps = counts_of(table(duckdb, entries_frame([*nobody_lost, *late])), FUNNEL, AS_OF)
    closed = steps[steps["definition"] == "closed"]
    assert closed[["from_stage", "to_stage"]].to_numpy().tolist() == [["lead", "paid"], ["met", "paid"]]


def test_a_funnel_of_one_step_has_its_way_once(duckdb):
    found = counts_of(table(duckdb, entries_frame(LEADS)), funnel_of("lead", "paid"), AS_OF)
    assert len(found) == len(DEFINITIONS)


def test_a_reversed_window_is_refused(duckdb):
    with pytest.raises(FunnelError, match="first, last"):
        counts_of(table(duckdb, entries_frame([])), FUNNEL, AS_OF, entered_between=(AS_OF, date(2026, 1, 1)))


def test_the_distance_is_to_the_pages_own_definition():
    counts = pd.DataFrame(
        {
            "definition": ["reached", "closed"],
            "from_stage": "lead",
            "to_stage": "paid",
            "entered": [200, 150],
            "converted": [100, 105],
        }
    )
    found = rival_rates(counts)
    assert found["apart"].tolist() == pytest.approx([0, 0.2])
    assert found["rate"].tolist() == pytest.approx([0.5, 0.7])
