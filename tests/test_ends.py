"""Refusals, second looks and second tries: on a few leads, then against a plain loop."""

from collections import Counter
from datetime import date, timedelta

import ibis
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, rows_of, table

from funnelstats.config.errors import FunnelError
from funnelstats.config.sources import LeadBase, Refusals
from funnelstats.core.counts import outcome_days, overall_counts
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.journeys import journeys, with_cohort, with_leads
from funnelstats.leads.standing import own_rows
from funnelstats.refusals.counts import (
    attempt_counts,
    refusal_counts,
    refusal_totals,
    retried_counts,
    retries_due,
    retry_counts,
    with_attempt,
    with_refusal,
    without_stage,
)

STAGES = ("new", "встреча", "offer", "paid")
PRACTICE = Refusals(
    categories={"price": "too dear", "terms": "how we deal"},
    excuses=("too dear",),
    gaps={"how we deal": {"product": ("Pumps", "Valves"), "size": ("1",)}, "(missing)": {}},
    retry_days=(10, 20),
    retry_days_of={"too dear": (5, 8)},
)
FUNNEL = funnel_of("lead", "met", "paid").model_copy(update={"refusals": PRACTICE})
RANDOM = funnel_of(*STAGES, days=[5, 9, 14]).model_copy(update={"refusals": PRACTICE})
FEBRUARY = (date(2026, 2, 1), date(2026, 2, 28))
LEADS = ibis.schema(
    {"lead_id": "string", "manager": "string", "product": "string", "size": "int64", "amount": "float64"}
)


def leads_of(names, products=("Pumps", "Wire", None)):
    frame = pd.DataFrame({"lead_id": sorted(names)})
    place = pd.Series(range(len(frame)))
    return frame.assign(
        manager=place.map(lambda n: ("Анна", None, "Boris")[n % 3]),
        product=place.map(lambda n: products[n % len(products)]),
        size=place % 2,
        amount=place.mul(10.0).where(place % 4 > 0),
    )


def toy(con, rows, funnel=FUNNEL):
    return journeys(table(con, entries_frame(rows)), funnel).cache()


class Refusal:
    """One refused episode worked out by a loop."""

    def __init__(self, episode, stages, lead=None):
        reached = [stage for stage in stages if episode.first(stage, stages)]
        self.stage = reached[-1]
        entry = episode.entry(self.stage, stages)
        self.manager = episode.holder(self.stage, stages)
        self.lost_on = max(entry.entered_on, episode.end("lost").entered_on)
        said = episode.reason()
        self.refusal = PRACTICE.categories.get(said, said)
        self.lead_id, self.number = episode.lead_id, episode.number
        self.excuse = self.refusal == "too dear"
        self.gap = self.refusal == "(missing)" or (
            self.refusal == "how we deal" and lead is not None and lead.product == "Pumps" and lead.size == 1
        )
        wait = (5, 8) if self.refusal == "too dear" else (10, 20)
        self.due_from, self.due_to = (self.lost_on + timedelta(days) for days in wait)


def refusals_of(frame, stages, leads=None):
    known = {} if leads is None else {lead.lead_id: lead for lead in leads.itertuples()}
    return [
        Refusal(episode, stages, known.get(episode.lead_id))
        for episode in episodes_of(frame, stages)
        if episode.end() is not None and episode.end().stage == "lost"
    ]


def test_a_refusal_counts_where_its_lead_got_to_and_with_who_had_it_there(duckdb):
    rows = [
        ("a", "lead", "2026-02-02", "Anna"),
        ("a", "met", "2026-02-03", "Boris"),
        ("a", "lost", "2026-02-05", "Claire", "price"),
        ("b", "lead", "2026-02-02"),
        ("b", "lost", "2026-02-28", None, " "),
        ("c", "lead", "2026-02-02"),
        ("c", "lost", "2026-03-01", None, "price"),
        ("d", "lead", "2026-02-02", "Anna"),
        ("d", "lost", "2026-02-10", "Anna", "moved house"),
        ("e", "lead", "2026-02-02", "Anna"),
        ("e", "nurture", "2026-02-09", "Anna"),
        ("e", "lost", "2026-02-10", "Anna", "price"),
    ]
    frame = refusal_counts(toy(duckdb, rows), FUNNEL, *FEBRUARY, by=["stage", "manager"])
    assert frame.columns.tolist() == ["stage", "manager", "refusal", "lost", "excuses", "gaps"]
    assert rows_of(frame) == [
        ("lead", "Anna", "moved house", 1, 0, 0),
        ("lead", "(missing)", "(missing)", 1, 0, 1),
        ("met", "Boris", "too dear", 1, 1, 0),
    ]


def test_a_gap_needs_each_of_its_attributes_and_cannot_be_told_without_them(duckdb):
    rows = [
        entry for lead in "abc" for entry in ((lead, "lead", "2026-02-02"), (lead, "lost", "2026-02-05", None, "terms"))
    ]
    lazy = toy(duckdb, rows)
    leads = pd.DataFrame({"lead_id": list("abc"), "manager": None, "product": ["Pumps", "Pumps", "Wire"],
                          "size": [1, 2, 1], "amount": 1.0})  # fmt: skip
    known = with_leads(lazy, table(duckdb, leads, LEADS, "leads"))
    assert rows_of(refusal_counts(known, FUNNEL, *FEBRUARY)) == [("how we deal", 3, 0, 1)]
    assert rows_of(refusal_counts(lazy, FUNNEL, *FEBRUARY)) == [("how we deal", 3, 0, 0)]


def test_weeks_and_months_are_those_of_the_refusal(duckdb):
    lazy = toy(duckdb, [("a", "lead", "2026-01-05"), ("a", "lost", "2026-02-28", None, "price")])
    for unit, day in (("week", "2026-02-23"), ("month", "2026-02-01")):
        frame = refusal_counts(lazy, FUNNEL, *FEBRUARY, by=unit)
        assert frame[unit].tolist() == [pd.Timestamp(day)]


def test_refusals_of_a_cohort_are_those_of_leads_that_came_in_together(duckdb):
    lazy = toy(duckdb, [("a", "lead", "2026-01-05"), ("a", "lost", "2026-02-28"), ("b", "lead", "2026-02-01"),
                     ("b", "lost", "2026-02-03")])  # fmt: skip
    frame = refusal_counts(with_cohort(lazy, FUNNEL, "month"), FUNNEL, *FEBRUARY, by="cohort")
    assert rows_of(frame[["cohort", "lost"]]) == [(pd.Timestamp(2026, 1, 1), 1), (pd.Timestamp(2026, 2, 1), 1)]


def test_without_refusals_there_are_no_rows_and_the_totals_say_so(con):
    lazy = toy(con, [("a", "lead", "2026-02-02"), ("a", "met", "2026-02-03")])
    assert rows_of(refusal_totals(lazy, FUNNEL)) == [(1, 0, 0, 0)]
    assert refusal_counts(lazy, FUNNEL, *FEBRUARY, by="manager").empty
    assert retry_counts(lazy, FUNNEL, *FEBRUARY, by="owner").empty
    assert retried_counts(lazy, FUNNEL, FEBRUARY[1]).empty
    assert own_rows(retries_due(lazy, FUNNEL, *FEBRUARY), "Anna").empty
    with pytest.raises(FunnelError, match="start must not be after its end"):
        refusal_counts(lazy, FUNNEL, *reversed(FEBRUARY))
    with pytest.raises(FunnelError, match='no column "manger" to group by; did you mean "manager"'):
        refusal_counts(lazy, FUNNEL, *FEBRUARY, by="manger")


@pytest.mark.parametrize(("lost", "due"), [("2026-01-11", 0), ("2026-01-12", 1), ("2026-02-18", 1), ("2026-02-19", 0)])
def test_both_ends_of_the_days_for_a_second_try_count(duckdb, lost, due):
    lazy = toy(duckdb, [("a", "lead", "2026-01-01"), ("a", "lost", lost, None, "other")])
    assert retry_counts(lazy, FUNNEL, *FEBRUARY)["due"].sum() == due


def test_reopened_and_final_refusals_are_not_due(duckdb):
    rows = [
        ("again", "lead", "2026-01-02"),
        ("again", "lost", "2026-01-20", None, "other"),
        ("again", "lead", "2026-01-25"),
        ("final", "lead", "2026-01-02"),
        ("final", "lost", "2026-01-20", None, "never"),
        ("twice", "lead", "2026-01-02"),
        ("twice", "lost", "2026-01-03", None, "other"),
        ("twice", "lead", "2026-01-05"),
        ("twice", "lost", "2026-01-20", None, "other"),
    ]
    final = PRACTICE.model_copy(update={"final": ("never",)})
    lazy = toy(duckdb, rows)
    found = retry_counts(lazy, FUNNEL.model_copy(update={"refusals": final}), *FEBRUARY)
    assert rows_of(found) == [("other", 1)]
    assert rows_of(retry_counts(lazy, FUNNEL, *FEBRUARY)) == [("never", 1), ("other", 1)]
    tried = retried_counts(lazy, FUNNEL.model_copy(update={"refusals": final}), date(2026, 2, 28))
    assert rows_of(tried) == [("other", 3, 2, 0)]


def test_a_worklist_holds_a_managers_own_leads_most_money_first(con):
    rows = [
        entry for lead in "abcde" for entry in ((lead, "lead", "2026-01-01", "Boris"), (lead, "lost", "2026-01-20"))
    ]
    lazy = toy(con, rows)
    leads = pd.DataFrame(
        {
            "lead_id": list("abcd"),
            "manager": ["Анна", "Анна", "Boris", None],
            "product": None,
            "size": 1,
            "amount": [None, 7.0, 9.0, 9.0],
        }
    )
    known = with_leads(lazy, table(con, leads, LEADS, "leads"))
    found = own_rows(retries_due(known, FUNNEL, *FEBRUARY), "Анна")
    days = [pd.Timestamp(day) for day in ("2026-01-20", "2026-01-30", "2026-02-09")]
    columns = ["lead_id", "company", "lost_on", "stage", "refusal", "due_from", "due_to", "amount"]
    assert found.columns.tolist() == columns
    assert rows_of(found.drop(columns="amount")) == [
        (lead, "", days[0], "lead", "(missing)", days[1], days[2]) for lead in ("b", "a")
    ]
    firms = FUNNEL.model_copy(update={"lead_base": LeadBase(company="product")})
    assert own_rows(retries_due(known, firms, *FEBRUARY), "Анна")["company"].tolist() == ["(missing)"] * 2
    assert own_rows(retries_due(known.mutate(product=known.lead_id), firms, *FEBRUARY), "Анна")["company"].tolist() == [
        "b",
        "a",
    ]
    assert own_rows(retries_due(known.drop("product"), firms, *FEBRUARY), "Анна")["company"].tolist() == [""] * 2
    assert found["amount"].fillna(-1).tolist() == [7, -1]
    assert own_rows(retries_due(known, FUNNEL, *FEBRUARY), "(missing)")["lead_id"].tolist() == ["d", "e"]
    assert rows_of(retry_counts(known, FUNNEL, *FEBRUARY, by="owner")) == [
        ("Boris", "(missing)", 1),
        ("Анна", "(missing)", 2),
        ("(missing)", "(missing)", 2),
    ]
    # without owners of today the one who had it when it was lost
    assert len(own_rows(retries_due(lazy, FUNNEL, *FEBRUARY), "Boris")) == 5


def test_a_try_after_a_refusal_is_a_second_one_and_one_after_marketing_is_not(duckdb):
    history = ["lead", "lost", "lead", "met", "nurture", "lead", "lost", "met"]
    lazy = with_attempt(
        toy(duckdb, [("a", stage, f"2026-01-{day:02}") for day, stage in enumerate(history, 1)]), FUNNEL
    )
    found = lazy.select("episode", "attempt", "refused_before").distinct().order_by("episode").to_pandas()
    assert rows_of(found) == [
        (1, "first try", ""),
        (2, "second try", "(missing)"),
        (3, "back from marketing", ""),
        (4, "second try", "(missing)"),
    ]


@pytest.mark.parametrize("seed", range(2))
def test_refusals_equal_a_loop_over_random_histories(con, seed):
    frame = random_entries(seed, STAGES, leads=150)
    leads = leads_of(set(frame["lead_id"]))
    lazy = with_leads(journeys(table(con, frame), RANDOM).cache(), table(con, leads, LEADS, "leads"))
    start, end = date(2026, 1, 8), date(2026, 2, 10)
    expected = {}
    for lost in refusals_of(frame, STAGES, leads):
        if start <= lost.lost_on <= end:
            counted = expected.setdefault((lost.stage, lost.manager, lost.refusal), Counter())
            counted.update(lost=1, excuses=lost.excuse, gaps=lost.gap)
    found = refusal_counts(lazy, RANDOM, start, end, by=["stage", "manager"])
    assert {row[:3]: row[3:] for row in rows_of(found)} == {
        key: (counted["lost"], counted["excuses"], counted["gaps"]) for key, counted in expected.items()
    }
    assert found["gaps"].sum() > found.loc[found["refusal"] == "(missing)", "lost"].sum() > 0
    flow = stage_flow(lazy, RANDOM, start, end, by="manager").set_index(["stage", "manager"])["lost"]
    both = found.groupby(["stage", "manager"])["lost"].sum().reindex(flow.index, fill_value=0)
    assert both.tolist() == flow.tolist()


@pytest.mark.parametrize("seed", range(2))
def test_second_tries_equal_a_loop_over_random_histories(con, seed):
    frame = random_entries(seed, STAGES, leads=150)
    leads = leads_of(set(frame["lead_id"]))
    lazy = with_leads(journeys(table(con, frame), RANDOM).cache(), table(con, leads, LEADS, "leads"))
    start, end = date(2026, 2, 23), date(2026, 3, 8)
    began, last = {}, Counter()
    for episode in episodes_of(frame, STAGES):
        began[episode.lead_id, episode.number] = min(entry.entered_on for entry in episode.entries)
        last[episode.lead_id] = max(last[episode.lead_id], episode.number)
    owners = dict(zip(leads["lead_id"], leads["manager"].fillna("(missing)"), strict=True))
    amounts = dict(zip(leads["lead_id"], leads["amount"].fillna(-1), strict=True))
    due, tried = [], {}
    for lost in refusals_of(frame, STAGES):
        if lost.number == last[lost.lead_id] and lost.due_from <= end and lost.due_to >= start:
            due.append(lost)
        again = began.get((lost.lead_id, lost.number + 1))
        if lost.lost_on <= end:
            counted = tried.setdefault(lost.refusal, Counter())
            over = lost.due_to < end
            counted.update(entered=over, too_recent=not over)
            counted.update(converted=over and again is not None and again <= lost.due_to)
    counts = Counter((owners[lost.lead_id], lost.refusal) for lost in due)
    assert {row[:2]: row[2] for row in rows_of(retry_counts(lazy, RANDOM, start, end, by="owner"))} == counts
    own = [lost for lost in due if owners[lost.lead_id] == "Анна"]
    assert own
    found = own_rows(retries_due(lazy, RANDOM, start, end), "Анна")
    dates = found[["lost_on", "due_from", "due_to"]].apply(lambda column: column.dt.date)
    assert set(rows_of(found.drop(columns="company").fillna({"amount": -1}).assign(**dates))) == {
        (lost.lead_id, lost.lost_on, lost.stage, lost.refusal, lost.due_from, lost.due_to, amounts[lost.lead_id])
        for lost in own
    }
    steps = retried_counts(lazy, RANDOM, end)
    assert {row[0]: row[1:] for row in rows_of(steps)} == {
        key: (counted["entered"], counted["converted"], counted["too_recent"]) for key, counted in tried.items()
    }
    assert 0 < steps["converted"].sum() < steps["entered"].sum()


@pytest.mark.parametrize("seed", range(2))
def test_attempts_and_refusals_can_be_grouped_by_in_every_count(duckdb, seed):
    frame = random_entries(seed, STAGES, leads=60)
    lazy, day = journeys(table(duckdb, frame), RANDOM).cache(), date(2026, 3, 20)
    episodes = episodes_of(frame, STAGES)
    ended = {(e.lead_id, e.number): e.end().stage for e in episodes if e.end()}
    kinds = {"lost": "second try", "nurture": "back from marketing", None: "first try"}
    # the whole way is gone by those that began it
    whole = [e for e in episodes if not e.opened(STAGES)]
    expected = Counter(kinds[ended.get((e.lead_id, e.number - 1))] for e in whole)
    attempts = overall_counts(with_attempt(lazy, RANDOM), RANDOM, day, by="attempt").query("to_stage == 'встреча'")
    sizes = attempts.set_index("attempt")[["entered", "too_recent"]].sum(axis=1)
    assert sizes.to_dict() == dict(expected)
    days = outcome_days(with_refusal(lazy, RANDOM), RANDOM, day, by="refusal")
    lost = Counter(lost.refusal for lost in refusals_of(frame, STAGES) if lost.stage != "paid")
    assert days[days["refusal"] != ""].groupby("refusal")["lost"].sum().to_dict() == lost


def test_second_tries_are_judged_from_where_they_began_again_against_first_ones_from_there(duckdb):
    rows = [
        ("a", "lead", "2026-01-01"),
        ("a", "met", "2026-01-02"),
        ("a", "lost", "2026-01-03"),
        ("a", "met", "2026-01-05"),
        ("a", "paid", "2026-01-06"),
        ("b", "lead", "2026-01-01"),
        ("b", "lost", "2026-01-03"),
        ("b", "lead", "2026-01-05"),
    ]
    found = attempt_counts(toy(duckdb, rows), FUNNEL, date(2026, 3, 31))
    assert rows_of(found) == [
        ("first try", "lead", "paid", 2, 0, 0),
        ("first try", "met", "paid", 1, 0, 0),
        ("second try", "lead", "paid", 1, 0, 0),
        ("second try", "met", "paid", 1, 1, 0),
    ]


def test_refusals_of_no_stage_and_of_no_day_are_told_apart(con):
    rows = [
        ("a", "lead", "2026-02-01"),
        ("a", "lost", None, None, "price"),
        ("b", "lost", "2026-02-02"),
        ("b", "lost", "2026-02-03", None, "price"),
        ("c", "lost", "2026-03-02", None, "price"),
    ]
    entries = table(con, entries_frame(rows))
    paths = journeys(entries, FUNNEL).cache()
    assert refusal_counts(paths, FUNNEL, *FEBRUARY).empty
    assert refusal_totals(paths, FUNNEL)[["episodes", "refused"]].iloc[0].tolist() == [1, 1]
    refusal = PRACTICE.categories.get("price", "price")
    assert rows_of(without_stage(entries, FUNNEL, *FEBRUARY)) == [(refusal, 1)]
    assert retry_counts(paths, FUNNEL, *FEBRUARY).empty
