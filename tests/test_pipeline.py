"""Open leads, contacts by stage and the cost of a lead: on a few leads, then against a plain loop."""

from collections import Counter
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, rows_of, table

from funnelstats.config.schema import ENDS
from funnelstats.core.journeys import journeys
from funnelstats.money.counts import lead_values
from funnelstats.plan.counts import STAGE_CONTACTS, lead_cost, open_leads, paid_open_leads, stage_contacts

FUNNEL = funnel_of("lead", "met", "paid")
STAGES = ("new", "встреча", "offer", "paid")
RANDOM = funnel_of(*STAGES, days=[5, 9, 14])
CONTACTS = ibis.schema({"lead_id": "string", "at": "timestamp", "on": "date", "kind": "string"})
COSTS = ibis.schema({"date": "date", "amount": "float64"})
JANUARY = (date(2026, 1, 1), date(2026, 1, 31))


def contacts_table(con, rows):
    frame = pd.DataFrame(rows, columns=["lead_id", "at", "kind"])
    at = pd.to_datetime(frame["at"], format="ISO8601").astype("datetime64[us]")
    return table(con, frame.assign(at=at, on=at.dt.date)[list(CONTACTS)], CONTACTS, "contacts")


def test_an_open_lead_counts_once_at_the_furthest_stage_it_reached(duckdb):
    rows = [
        ("waits", "lead", "2026-01-05"),
        ("went back", "met", "2026-01-08"),
        ("went back", "lead", "2026-01-09"),
        ("paid", "paid", "2026-01-07"),
        ("refused", "lead", "2026-01-05"),
        ("refused", "lost", "2026-01-06"),
        ("refused tomorrow", "lead", "2026-01-10"),
        ("refused tomorrow", "lost", "2026-01-12"),
        ("comes tomorrow", "lead", "2026-01-12"),
    ]
    frame = open_leads(journeys(table(duckdb, entries_frame(rows)), FUNNEL), FUNNEL, date(2026, 1, 11))
    assert frame.columns.tolist() == ["from_stage", "age_days", "open"]
    assert rows_of(frame) == [("lead", 1, 1), ("lead", 6, 1), ("met", 3, 1)]


@pytest.mark.parametrize("seed", range(2))
def test_open_leads_equal_a_loop_over_random_histories(con, seed):
    frame = random_entries(seed, STAGES)
    paths = journeys(table(con, frame), RANDOM).cache()
    for as_of in (date(2026, 1, 20), date(2026, 4, 1)):
        expected = Counter()
        for episode in episodes_of(frame, STAGES):
            for stage in STAGES[:-1]:
                stay = episode.stay(stage, STAGES)
                if stay is None or stay[0] > as_of:
                    continue
                gone = stay[3] in ("advanced", *ENDS) and stay[2] <= as_of
                expected[stay[1], stage, (as_of - stay[0]).days] += not gone
        found = open_leads(paths, RANDOM, as_of, by="manager")
        assert {row[:3]: row[3] for row in rows_of(found)} == {key: many for key, many in expected.items() if many}
        assert found["open"].sum() > 0


def test_the_call_that_leads_to_a_meeting_is_work_of_the_stage_before_it(duckdb):
    rows = [("a", "lead", "2026-01-05 10:00"), ("a", "met", "2026-01-08 10:00"), ("a", "lost", "2026-01-10 10:00")]
    made = [
        ("a", "2026-01-05 09:59", "call"),
        ("a", "2026-01-05 10:00", "call"),
        ("a", "2026-01-08 10:00", "call"),
        ("a", "2026-01-08 10:01", "meeting"),
        ("a", "2026-01-10 10:00", "meeting"),
        ("a", "2026-01-10 10:01", " "),
        ("a", "2026-01-09 10:00", " "),
        ("nobody", "2026-01-09 10:00", "call"),
    ]
    lazy = journeys(table(duckdb, entries_frame(rows)), FUNNEL).cache()
    found = stage_contacts(contacts_table(duckdb, made), lazy, FUNNEL, JANUARY)
    assert found.columns.tolist() == STAGE_CONTACTS
    assert rows_of(found[found["contacts"] > 0]) == [
        ("lead", "call", 1, 2, 2.0),
        ("met", "(missing)", 1, 1, 1.0),
        ("met", "meeting", 1, 2, 2.0),
    ]


def test_contacts_outside_the_period_or_at_the_last_stage_are_no_work_of_a_plan(duckdb):
    rows = [("a", "lead", "2025-12-30"), ("b", "paid", "2026-01-05")]
    made = [("a", "2025-12-31", "call"), ("a", "2026-01-02", "call"), ("b", "2026-01-09", "call")]
    lazy = journeys(table(duckdb, entries_frame(rows)), FUNNEL).cache()
    found = stage_contacts(contacts_table(duckdb, made), lazy, FUNNEL, JANUARY)
    assert found[["stage", "entered", "contacts"]].to_numpy().tolist() == [["lead", 1, 1], ["met", 1, 0]]
    lead = found.set_index("stage")["each"]
    assert lead["lead"] == 1.0
    february = stage_contacts(contacts_table(duckdb, made), lazy, FUNNEL, (date(2026, 2, 1), date(2026, 2, 9)))
    assert february.empty


@pytest.mark.parametrize("seed", range(2))
def test_contacts_by_stage_equal_a_loop_over_random_histories(con, seed):
    frame = random_entries(seed, STAGES)
    random = np.random.default_rng(seed)
    at = pd.Timestamp("2026-01-01 01:00") + pd.to_timedelta(4 * random.integers(0, 360, 300), unit="h")
    kinds = random.choice(np.array(["call", "meeting", None]), size=300)
    made = list(zip(random.choice(frame["lead_id"], size=300), at.astype(str), kinds, strict=True))
    expected = Counter()
    for lead, moment, kind in made:
        if not date(2026, 1, 10) <= pd.Timestamp(moment).date() <= date(2026, 2, 20):
            continue
        for episode in episodes_of(frame[frame["lead_id"] == lead], STAGES):
            times = [(s, episode.first(s, STAGES).entered_at) for s in STAGES if episode.first(s, STAGES)]
            start = times[0][1]
            ends = [end.entered_at for kind_ in ENDS if (end := episode.end(kind_)) and end.entered_at >= start]
            if pd.Timestamp(moment) < start or (ends and pd.Timestamp(moment) > min(ends)):
                continue
            before = [stage for stage, entered in times if entered < pd.Timestamp(moment)] or [times[0][0]]
            expected[before[-1], kind or "(missing)"] += before[-1] != STAGES[-1]
    lazy = journeys(table(con, frame), RANDOM).cache()
    found = stage_contacts(contacts_table(con, made), lazy, RANDOM, (date(2026, 1, 10), date(2026, 2, 20)))
    some = found[found["contacts"] > 0]
    assert {row[:2]: row[3] for row in rows_of(some)} == {key: many for key, many in expected.items() if many}


def test_without_contacts_the_frame_is_empty_and_has_its_columns(con):
    lazy = journeys(table(con, entries_frame([("a", "lead", "2026-01-05")])), FUNNEL).cache()
    found = stage_contacts(None, lazy, FUNNEL, JANUARY)
    assert found.empty
    assert found.columns.tolist() == STAGE_CONTACTS


def test_a_lead_costs_what_was_spent_in_the_period_over_the_leads_that_came_in_it(con):
    rows = [("a", "lead", "2026-01-05"), ("b", "lead", "2026-01-06"), ("later", "lead", "2026-02-06")]
    lazy = journeys(table(con, entries_frame(rows)), FUNNEL).cache()
    leads = lazy.select("lead_id").distinct()
    spent = [(date(2026, 1, 1), 100.0), (date(2026, 1, 31), 20.5), (date(2026, 2, 1), 7.0)]
    costs = table(con, pd.DataFrame(spent, columns=list(COSTS)), COSTS, "costs")
    assert rows_of(lead_cost(costs, lazy, leads, FUNNEL, JANUARY)) == [(120.5, 2, 60.25, [], 0, 60.25)]
    march = lead_cost(costs, lazy, leads, FUNNEL, (date(2026, 3, 1), date(2026, 3, 9)))
    assert march["leads"].tolist() == [0]
    assert march[["spend", "cost_per_lead"]].isna().all(axis=None)
    assert np.isnan(lead_cost(None, lazy, leads, FUNNEL, JANUARY).at[0, "cost_per_lead"])


def test_channels_with_leads_and_without_spend_are_named_with_what_a_lead_of_the_others_costs(con):
    rows = [(lead, "lead", "2026-01-05") for lead in "abcde"] + [("later", "lead", "2026-02-06")]
    lazy = journeys(table(con, entries_frame(rows)), FUNNEL).cache()
    spent = [(date(2026, 1, 1), "Ads", 90.0), (date(2026, 1, 1), "Fair", 0.0), (date(2026, 2, 1), "Web", 5.0)]
    schema = ibis.schema({"date": "date", "channel": "string", "amount": "float64"})
    costs = table(con, pd.DataFrame(spent, columns=list(schema)), schema, "costs")
    known = {"a": "Ads", "b": "Web", "c": "Fair", "d": "Web", "e": None, "later": "Sun"}
    people = pd.DataFrame(known.items(), columns=["lead_id", "channel"])
    leads = table(con, people, ibis.schema({"lead_id": "string", "channel": "string"}), "leads")
    # of five leads three came for nothing; the one without a channel may have been paid for
    assert rows_of(lead_cost(costs, lazy, leads, FUNNEL, JANUARY)) == [(90.0, 5, 18.0, ["Fair", "Web"], 3, 45.0)]
    assert lead_cost(costs.drop("channel"), lazy, leads, FUNNEL, JANUARY).at[0, "free_leads"] == 0


PAYMENTS = ibis.schema({"lead_id": "string", "paid_on": "date", "amount": "float64"})


def test_open_leads_that_have_paid_are_those_that_money_calls_won(duckdb):
    rows = [
        *((lead, "met", "2026-01-08") for lead in ("paid", "given back", "tomorrow")),
        *(("early", "lead", "2026-01-09"), ("done", "paid", "2026-01-08"), ("refused", "lost", "2026-01-09")),
        *(("again", "paid", "2026-01-01"), ("again", "lost", "2026-01-02"), ("again", "met", "2026-01-09")),
    ]
    paid = [
        *((lead, date(2026, 1, 10), 5.0) for lead in ("paid", "done", "refused")),
        ("paid", date(2026, 1, 11), 5.0),
        *(("given back", date(2026, 1, 10), -5.0), ("tomorrow", date(2026, 1, 12), 5.0)),
        *(("early", date(2026, 1, 9), 1.0), ("again", date(2026, 1, 1), 9.0)),
    ]
    money = table(duckdb, pd.DataFrame(paid, columns=list(PAYMENTS)), PAYMENTS, "payments")
    entries = entries_frame([*rows, ("refused", "lead", "2026-01-05")])
    found = paid_open_leads(journeys(table(duckdb, entries), FUNNEL), money, FUNNEL, date(2026, 1, 11))
    assert rows_of(found) == [("lead", 1), ("met", 1)]
    assert paid_open_leads(journeys(table(duckdb, entries), FUNNEL), None, FUNNEL, date(2026, 1, 11)).empty


@pytest.mark.parametrize("seed", range(2))
def test_leads_that_a_plan_calls_open_and_money_calls_won_are_those_that_paid(con, seed):
    frame = random_entries(seed, STAGES)
    frame = frame[~frame["lead_id"].isin(frame[frame["stage"].isin(ENDS)]["lead_id"])]
    as_of, random = date(2026, 2, 10), np.random.default_rng(seed)
    frame = frame[frame["entered_on"] <= as_of]
    # a lead comes in by its own entry at the first stage, however early another is dated
    own = frame[frame["stage"] == STAGES[0]].groupby("lead_id")["entered_on"].min()
    came = pd.to_datetime(own.combine_first(frame.groupby("lead_id")["entered_on"].min()))[::3]
    paid_on = (came + pd.to_timedelta(random.integers(0, 40, len(came)), unit="D")).dt.date
    made = pd.DataFrame({"lead_id": came.index, "paid_on": paid_on.to_numpy(), "amount": 7.0})
    money = table(con, made, PAYMENTS, "payments")
    paths = journeys(table(con, frame), RANDOM).cache()
    values = lead_values(paths, RANDOM, as_of, payments=money)
    both = open_leads(paths, RANDOM, as_of)["open"].sum()
    waiting = values.filter(values.state == "open").count().to_pandas()
    found = paid_open_leads(paths, money, RANDOM, as_of)
    assert found["open"].sum() == both - waiting > 0
