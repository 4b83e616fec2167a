"""Leads with their money: on a few leads, then against a plain loop over random histories, on three engines."""

from collections import Counter
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, table

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import MISSING
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.journeys import journeys
from funnelstats.money.counts import (
    AMOUNTS,
    FATES,
    age_counts,
    lead_values,
    money_counts,
    of_cohorts,
    paid_by_month,
    spend_counts,
    stage_amounts,
    stray_payments,
)

FUNNEL = funnel_of("lead", "met", "paid", days=[7, 14])
STAGES = ("new", "met", "paid")
RANDOM = funnel_of(*STAGES)
LATER = date(2026, 12, 31)

LEADS = ibis.schema({"lead_id": "string", "channel": "string", "campaign": "string"})
PAYMENTS = ibis.schema({"lead_id": "string", "paid_at": "timestamp", "paid_on": "date", "amount": "float64"})
COSTS = ibis.schema({"date": "date", "channel": "string", "campaign": "string", "amount": "float64"})


def leads_of(con, rows):
    return table(con, pd.DataFrame(rows, columns=list(LEADS)), LEADS, "leads")


def payments_of(con, rows):
    frame = pd.DataFrame(rows, columns=["lead_id", "paid_on", "amount"])
    at = pd.to_datetime(frame["paid_on"]).astype("datetime64[us]")
    return table(con, frame.assign(paid_at=at, paid_on=at.dt.date)[list(PAYMENTS)], PAYMENTS, "payments")


def costs_of(con, rows):
    frame = pd.DataFrame(rows, columns=list(COSTS))
    return table(con, frame.assign(date=pd.to_datetime(frame["date"]).dt.date), COSTS, "costs")


@pytest.fixture
def small(con):
    """Four leads of two quarters: two instalments and money back, a refusal, a lead back after one, an open one."""
    entries = entries_frame(
        [
            ("a", "lead", "2026-01-05"),
            ("a", "met", "2026-01-06"),
            ("a", "paid", "2026-01-20"),
            ("b", "lead", "2026-01-10"),
            ("b", "lost", "2026-01-13"),
            ("c", "lead", "2026-03-30"),
            ("c", "nurture", "2026-04-02"),
            ("c", "lead", "2026-05-01"),
            ("d", "lead", "2026-04-02"),
        ]
    )
    leads = leads_of(con, [("a", "Ads", "x"), ("b", " ", None), ("c", "Ads", None), ("z", "Fair", "y")])
    payments = payments_of(
        con,
        [("a", "2026-01-18", 100.0), ("a", "2026-04-20", 50.0), ("a", "2026-05-02", -30.0), ("q", "2026-01-01", 7.0)],
    )
    # kept, as on the page
    lazy = con.create_table("kept", journeys(table(con, entries), FUNNEL), overwrite=True)
    return lazy, leads, payments


def test_blank_channels_and_leads_without_a_row_are_one_visible_group(small):
    lazy, leads, payments = small
    frame = money_counts(lead_values(lazy, FUNNEL, LATER, leads, payments), ["channel", "campaign"])
    assert frame[["channel", "campaign", "leads"]].to_numpy().tolist() == [
        ["Ads", "x", 1],
        ["Ads", MISSING, 1],
        [MISSING, MISSING, 2],
    ]


def test_without_payments_money_is_unknown_and_without_leads_the_channel_is_missing(small):
    lazy, _, _ = small
    frame = money_counts(lead_values(lazy, FUNNEL, LATER), "channel")
    assert frame[["channel", "leads", "won", "deals"]].to_numpy().tolist() == [[MISSING, 4, 1, 0]]
    assert frame.drop(columns=["channel", "leads", "won", "deals"]).isna().all(axis=None)


def test_money_is_that_of_months_too(small):
    lazy, leads, payments = small
    frame = money_counts(lead_values(lazy, FUNNEL, LATER, leads, payments), "cohort_month")
    months = [(f"{row.cohort_month:%Y-%m}", row.leads, row.revenue) for row in frame.itertuples()]
    assert months == [("2026-01", 2, 120.0), ("2026-03", 1, 0.0), ("2026-04", 1, 0.0)]


def test_payments_of_unknown_leads_are_counted_apart(small):
    lazy, leads, payments = small
    values = lead_values(lazy, FUNNEL, LATER, leads, payments)
    assert stray_payments(values, payments, LATER).loc[0].tolist() == [1, 1, 7.0]
    assert stray_payments(values, payments, date(2025, 1, 1)).loc[0].tolist() == [0, 0, 0.0]
    assert stray_payments(values, None, LATER)["payments"].tolist() == [0]


def test_spend_without_a_channel_is_shown_and_no_table_of_costs_is_not_no_spend(con):
    costs = costs_of(
        con, [("2026-03-31", "Ads", None, 5.0), ("2026-04-01", "Ads", "x", 7.0), ("2026-04-02", "", None, 1.0)]
    )
    assert spend_counts(costs, LATER, "channel")[["channel", "spend"]].to_numpy().tolist() == [
        ["Ads", 12],
        [MISSING, 1],
    ]
    quarter = spend_counts(costs, LATER, "cohort", between=(date(2026, 4, 1), date(2026, 4, 1)))
    assert quarter["spend"].tolist() == [7]
    assert quarter["cohort"].tolist() == quarter["spent_from"].tolist() == [pd.Timestamp("2026-04-01")]
    monthly = spend_counts(costs, LATER, "cohort_month")
    assert [(f"{row.cohort_month:%Y-%m}", row.spend) for row in monthly.itertuples()] == [
        ("2026-03", 5),
        ("2026-04", 8),
    ]
    assert spend_counts(costs, date(2026, 3, 31))["spend"].tolist() == [5]
    assert spend_counts(None, LATER) is None


def test_cohorts_between_days_in_the_wrong_order_are_refused(small):
    with pytest.raises(FunnelError, match="start must not be after its end"):
        of_cohorts(lead_values(small[0], FUNNEL, LATER), (date(2026, 2, 1), date(2026, 1, 1)))


def test_no_leads_are_no_rows_and_a_total_of_zeros(con):
    values = lead_values(journeys(table(con, entries_frame([])), FUNNEL), FUNNEL, LATER)
    assert money_counts(values, "channel").empty
    assert money_counts(values)["leads"].tolist() == [0]
    assert age_counts(values, FUNNEL, LATER, "channel").columns.tolist() == [
        "channel", "from_stage", "age_days", "advanced", "lost", "open",
    ]  # fmt: skip


def random_money(seed):
    """Random histories, leads with channels, payments with money back, before the lead and of unknown leads."""
    random = np.random.default_rng(seed)
    entries = random_entries(seed, STAGES, leads=60)
    names = [f"L{number:03}" for number in range(66)]
    leads = pd.DataFrame(
        {
            "lead_id": names[:55],
            "channel": random.choice(np.array(["Ads", "Fair", "", None]), 55),
            "campaign": random.choice(np.array(["x", "y", None]), 55),
        }
    )
    days = pd.Timestamp("2025-12-15") + pd.to_timedelta(random.integers(0, 120, 80), unit="D")
    amounts = random.choice([-20.0, 10.0, 25.5, 400.0], 80)
    payments = list(zip(random.choice(names, 80), days.strftime("%Y-%m-%d"), amounts, strict=True))
    return entries, leads, payments


def expected_values(entries, leads, payments, as_of):
    """What `lead_values` must say of every lead, by a loop."""
    episodes = {}
    for episode in episodes_of(entries, STAGES):
        if episode.began(STAGES).entered_on <= as_of:
            episodes.setdefault(episode.lead_id, []).append(episode)
    found = {}
    for lead, own in episodes.items():
        entered = min(episode.began(STAGES).entered_on for episode in own)
        paid = [(pd.Timestamp(day).date(), amount) for name, day, amount in payments if name == lead]
        paid = [(day, amount) for day, amount in paid if day <= as_of]
        days = [day for day, amount in paid if amount > 0]
        days += [e.first(STAGES[-1], STAGES).entered_on for e in own if e.first(STAGES[-1], STAGES)]
        won = max(min((day for day in days if day <= as_of), default=date.max), entered)
        ends = [episode.end().entered_on for episode in own if episode.end() and episode.end().entered_on <= as_of]
        state = "won" if won != date.max else "ended" if len(ends) == len(own) else "open"
        left = {"won": won, "ended": max([entered, *ends]), "open": None}[state]
        row = leads[leads["lead_id"] == lead]
        channel = row["channel"].iloc[0] if len(row) and isinstance(row["channel"].iloc[0], str) else ""
        found[lead] = (channel or MISSING, entered, state, left, paid)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_money_and_ages_equal_a_loop_over_random_histories(con, seed):
    entries, leads, payments = random_money(seed)
    as_of = date(2026, 2, 10)
    lazy = con.create_table("kept", journeys(table(con, entries), RANDOM), overwrite=True)
    paid = payments_of(con, payments)
    values = lead_values(lazy, RANDOM, as_of, table(con, leads, LEADS, "leads"), paid)
    expected = expected_values(entries, leads, payments, as_of)
    assert len(expected) > 30

    sums, ages, months, back = {}, {}, {}, Counter()
    for channel, entered, state, left, own in expected.values():
        total = sum(amount for _, amount in own)
        sums.setdefault(channel, []).append((total, state))
        back[channel] += sum(amount for _, amount in own if amount < 0)
        key = (channel, ((left or as_of) - entered).days)
        place = {"won": 0, "ended": 1, "open": 2}[state]
        ages.setdefault(key, [0, 0, 0])[place] += 1
        start = date(entered.year, 3 * ((entered.month - 1) // 3) + 1, 1)
        for day, amount in own:
            month = max((day.year - start.year) * 12 + day.month - start.month + 1, 1)
            months[channel, start, month] = months.get((channel, start, month), 0) + amount
    counted = money_counts(values, "channel").set_index("channel")
    for channel, rows in sums.items():
        totals = np.array([total for total, _ in rows])
        deals = totals[totals > 0]
        row = counted.loc[channel]
        assert (row["leads"], row["won"], row["deals"]) == (len(rows), sum(s == "won" for _, s in rows), len(deals))
        known = [totals.sum(), totals.mean(), totals.var(ddof=1), deals.mean(), deals.max(), back[channel]]
        names = ["revenue", "lead_mean", "lead_var", "deal_mean", "biggest", "returned"]
        assert row[names].tolist() == pytest.approx(known)
    assert set(counted.index) == set(sums)
    by_age = age_counts(values, RANDOM, as_of, "channel")
    assert {(r.channel, r.age_days): [r.advanced, r.lost, r.open] for r in by_age.itertuples()} == ages
    monthly = paid_by_month(values, paid, as_of, "channel")
    found = {(r.channel, r.cohort.date(), r.month): r.revenue for r in monthly.itertuples()}
    assert found == pytest.approx(months)
    assert paid_by_month(values, None, as_of).columns.tolist() == ["cohort", "month", "revenue"]


def test_large_amounts_keep_their_variance(con):
    rows = [(lead, "lead", "2026-01-05") for lead in "abc"]
    payments = payments_of(con, [("a", "2026-01-06", 1e9), ("b", "2026-01-06", 1e9 + 1), ("c", "2026-01-06", 1e9 + 2)])
    values = lead_values(journeys(table(con, entries_frame(rows)), FUNNEL).cache(), FUNNEL, LATER, None, payments)
    assert money_counts(values)["deal_var"].tolist() == pytest.approx([1.0])


WORTH = ibis.schema({"lead_id": "string", "amount": "float64"})


@pytest.mark.parametrize("seed", range(2))
def test_amounts_by_stage_equal_a_loop_over_random_histories(con, seed):
    entries = random_entries(seed, STAGES, leads=100, undated=15)
    random = np.random.default_rng(seed)
    worth = {lead: random.choice([1.0, 20.0, 300.0, 0.0, np.nan]) for lead in sorted(entries["lead_id"].unique())[5:]}
    frame = pd.DataFrame(list(worth.items()), columns=list(WORTH))
    start, end = date(2026, 1, 12), date(2026, 1, 25)
    expected = {stage: Counter() for stage in STAGES}
    for episode in episodes_of(entries, STAGES):
        for stage in STAGES:
            stay = episode.stay(stage, STAGES)
            if stay is None or stay[0] > end or (stay[2] and stay[2] < start):
                continue
            left = stay[2] is not None and stay[2] <= end
            fate = {"won": "advanced"}.get(stay[3], stay[3]) if left else "still_there"
            amount = np.nan_to_num(worth.get(episode.lead_id, 0.0))
            expected[stage]["without_amount"] += amount == 0
            for name in ("entered",) * (stay[0] >= start) + (fate,):
                expected[stage][name] += 1
                expected[stage][f"{name}_amount"] += amount
    lazy = journeys(table(con, entries, name="entries"), RANDOM).cache()
    found = stage_amounts(lazy, table(con, frame, WORTH, "worth"), RANDOM, (start, end)).set_index("stage")
    for stage in STAGES[:-1]:
        assert {name: found.at[stage, name] for name in (*FATES, *AMOUNTS, "without_amount")} == {
            name: expected[stage][name] for name in (*FATES, *AMOUNTS, "without_amount")
        }
    assert found.loc["paid", ["entered", "entered_amount"]].tolist() == [
        expected["paid"][name] for name in ("entered", "entered_amount")
    ]
    assert found.loc["paid", [*FATES[1:], *AMOUNTS[1:]]].isna().all()
    flow = stage_flow(lazy, RANDOM, start, end).set_index("stage").iloc[:-1]
    assert (found[FATES].iloc[:-1] == flow[FATES]).all(axis=None)


def test_an_amount_that_no_record_holds_is_missing_and_of_nobody_it_is_nothing(con):
    rows = [("a", "lead", "2026-01-05"), ("b", "lead", "2026-01-06"), ("b", "met", "2026-01-07")]
    lazy = journeys(table(con, entries_frame(rows)), FUNNEL).cache()
    january = (date(2026, 1, 1), date(2026, 1, 31))
    worth = table(con, pd.DataFrame({"lead_id": ["a", "b"], "amount": [7.0, None]}), WORTH, "worth")
    found = stage_amounts(lazy, worth, FUNNEL, january).set_index("stage")
    assert found.loc["lead", ["entered_amount", "still_there_amount", "lost_amount"]].tolist() == [7, 7, 0]
    assert np.isnan(found.at["lead", "advanced_amount"])
    assert np.isnan(found.at["met", "entered_amount"])
    assert found["without_amount"].tolist() == [1, 1, 0]
    assert stage_amounts(lazy, worth.drop("amount"), FUNNEL, january).empty
    assert stage_amounts(lazy, worth.filter(worth.lead_id == "b"), FUNNEL, january).empty
