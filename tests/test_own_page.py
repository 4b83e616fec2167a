"""The manager's page on the sample: what is planted about contacts and speed is found; own leads are own."""

import numpy as np
import pandas as pd
import pytest
from sample.facts import BUSY, ROBOT

from funnelstats.config.dates import week_days
from funnelstats.config.schema import MISSING
from funnelstats.contacts.counts import contact_counts, quiet_counts, touches
from funnelstats.contacts.effects import (
    beside_colleagues,
    contact_finding,
    contact_rates,
    efforts,
    over_weeks,
    pooled_contacts,
    with_expected,
)
from funnelstats.contacts.first_counts import first_contacts, hours_to_contact, landmark_counts
from funnelstats.contacts.speed import landmark_answers, landmark_differences, waiting_times
from funnelstats.core.counts import deal_size, fetch, outcome_days
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.incidence import incidence, incidence_at
from funnelstats.core.journeys import journeys, with_leads
from funnelstats.importing.opening import open_funnel, trailing_window
from funnelstats.leads.counts import leads_won, open_leads
from funnelstats.leads.standing import own_rows, peer_rows
from funnelstats.leads.worklist import chances, with_stake

WEEK = "2026-W26"
DAY = week_days(WEEK)[1]


pytestmark = pytest.mark.usefixtures("sample_project")


@pytest.fixture(scope="module")
def sample():
    funnel, tables = open_funnel("sample", DAY)
    paths = journeys(tables.entries, funnel).cache()
    touched = touches(tables.contacts, paths, funnel).cache()
    return funnel, tables, paths, touched


@pytest.fixture(scope="module")
def made(sample):
    """Contacts of all weeks by manager, stage and kind, beside what days without one would have brought."""
    funnel, _, paths, touched = sample
    weekly = contact_counts(touched, funnel, DAY, ["manager", "stage", "kind", "week"])
    return with_expected(over_weeks(weekly, funnel), quiet_counts(touched, paths, funnel, DAY))


def idle(made):
    """Contacts that cause nothing: calls and mails after the first meeting, without the mail that ends a sale."""
    late = made["stage"].isin(["met", "presented", "contracted"]) & (made["kind"] != "meeting")
    return made[late & ~((made["stage"] == "contracted") & (made["kind"] == "mail"))]


def test_four_times_as_many_idle_contacts_bring_nothing(sample, made) -> None:
    funnel, _, _, _ = sample
    per_manager = contact_rates(pooled_contacts(idle(made), "manager")).set_index("manager")
    own = per_manager.loc[BUSY]
    others = per_manager.drop(index=[BUSY, ROBOT, MISSING, "Novák"])
    assert own["contacts"] > 2.5 * others["contacts"].median()
    # after them leads move as often as without any, as is so for everybody's
    assert own["ratio_lower"] <= 1 <= own["ratio_upper"]
    assert (others["ratio_lower"] <= 1.15).all()
    found = contact_finding(own_rows(made, BUSY), peer_rows(made, BUSY, funnel))
    assert ("call", "met") in set(zip(found["idle"]["kind"], found["idle"]["stage"], strict=True))
    assert found["answer"] == "yes"
    assert found["share"] < found["peer_share"]
    assert set(found["itself"]["kind"]) == {"meeting"}


def test_the_contacts_that_make_the_meetings_are_found(made) -> None:
    meetings = contact_rates(made[(made["kind"] == "meeting") & (made["stage"] == "met")])
    ranked = meetings[~meetings["manager"].isin([ROBOT, MISSING])]
    assert (ranked["ratio_lower"] > 10).all()
    assert (ranked["rate"] > 0.95).all()


def test_the_busy_manager_makes_more_contacts_for_the_same_steps(sample, made) -> None:
    funnel, _, paths, _ = sample
    flow = stage_flow(paths, funnel, DAY.replace(year=2025, month=12, day=1), DAY, by="manager")
    each = {
        who: efforts(own_rows(made, who), own_rows(flow, who)).set_index("kind").loc["call"]
        for who in (BUSY, "Anna Berg", "O'Neill", "Müller", "Смирнова")
    }
    busy = each.pop(BUSY)
    assert all(busy["per_advance_lower"] > other["per_advance_upper"] for other in each.values())


def test_the_robots_contacts_and_those_of_nobody_are_counted_and_are_no_colleagues(sample, made) -> None:
    funnel, _, _, touched = sample
    total = fetch(touched.aggregate(rows=touched.count())).at[0, "rows"]
    assert made["contacts"].sum() + made["too_recent"].sum() == total
    assert {ROBOT, MISSING} <= set(made["manager"])
    people = made[~made["manager"].isin([BUSY, ROBOT, MISSING])]
    assert peer_rows(made, BUSY, funnel)["contacts"].sum() == people["contacts"].sum()
    assert beside_colleagues(own_rows(made, BUSY), peer_rows(made, BUSY, funnel))["peer_rate"].notna().all()


@pytest.fixture(scope="module")
def firsts(sample):
    funnel, _, paths, touched = sample
    return first_contacts(paths, touched, funnel).cache()


def test_speed_has_no_effect_at_any_landmark_though_buckets_show_one(sample, firsts) -> None:
    funnel, _, _, _ = sample
    marks = landmark_differences(landmark_counts(firsts, funnel, DAY))
    assert marks["verdict"].tolist() == ["undecided"] * 6
    assert (marks["difference_lower"] < 0).all()
    assert (marks["difference_upper"] > 0).all()
    assert (marks[["entered", "other_entered"]] > 100).all(axis=None)
    answers = landmark_answers(marks, funnel)
    assert answers[["to_stage", "answer"]].to_numpy().tolist() == [["met", "no"], ["paid", "cannot tell"]]
    assert answers["other_rate"].round(2).tolist() == [0.92, 0.56]
    # the usual comparison: leads contacted within a day against those contacted later
    rows = fetch(firsts.filter(firsts.place == 0).select("lead_id", "reached_on", "contacted_on", "won_on"))
    old = rows[(rows["reached_on"] < "2026-04-01") & rows["contacted_on"].notna()]
    wait, won = (old["contacted_on"] - old["reached_on"]).dt.days, old["won_on"].notna()
    soon, late = won[wait <= 1], won[wait > 1]
    spread = np.sqrt(soon.var() / len(soon) + late.var() / len(late))
    assert (soon.mean() - late.mean()) / spread > 3


def test_no_manager_looks_fast_by_forgetting_leads(sample, firsts) -> None:
    funnel, _, _, _ = sample
    times = waiting_times(hours_to_contact(firsts, funnel, DAY, by="manager"))
    rows = fetch(firsts.filter(firsts.place == firsts.opened).select("lead_id"))
    assert times.loc[times["clock"] == "calendar", "leads"].sum() == len(rows)
    working, calendar = (times[times["clock"] == clock].set_index("manager") for clock in ("working", "calendar"))
    assert (working["half"].dropna() <= calendar["half"].dropna()).all()
    forgetful = waiting_times(
        hours_to_contact(firsts, funnel, DAY, by="manager").assign(waiting=0).query("contacted > 0")
    )
    own = times.query("manager == 'Иванов' and clock == 'calendar'")["half"].iloc[0]
    assert forgetful.query("manager == 'Иванов' and clock == 'calendar'")["half"].iloc[0] < own


def test_own_leads_of_all_managers_are_all_open_leads_once(sample) -> None:
    funnel, tables, paths, touched = sample
    names = fetch(with_leads(paths, tables.leads, ["manager"]).select("current_manager").distinct())["current_manager"]
    lists = {who: own_rows(open_leads(paths, tables.leads, touched, funnel, DAY), who) for who in names}
    together = pd.concat(lists.values())
    assert together["lead_id"].is_unique
    open_now = fetch(paths.filter(paths.won_on.isnull() & paths.ended_on.isnull()).select("lead_id"))
    assert set(together["lead_id"]) == set(open_now["lead_id"])
    owners = fetch(tables.leads.select("lead_id", "manager")).set_index("lead_id")["manager"]
    assert all(set(owners[frame["lead_id"]]) == {who} for who, frame in lists.items() if who != MISSING and len(frame))


def test_the_money_at_stake_is_what_such_leads_brought(sample) -> None:
    """All open leads of a day three months ago: what was expected of them, against what they then paid."""
    funnel, _, _, _ = sample
    then = trailing_window(WEEK, funnel)[0].replace(day=31, month=3)
    spec, tables = open_funnel("sample", then)
    paths = journeys(tables.entries, spec).cache()
    days = outcome_days(paths, spec, then)
    table = chances(days, incidence_at(incidence(days), spec), spec)
    names = fetch(tables.leads.select("manager").distinct())["manager"].dropna()
    staked = pd.concat(
        with_stake(
            own_rows(open_leads(paths, tables.leads, None, spec, then), who), table, deal_size(tables.payments), then
        )
        for who in names
    )
    later = sample[2]
    won = fetch(later.filter(later.won_on.notnull()).select("lead_id"))["lead_id"]
    expected, realised = staked["chance"].sum(), staked["lead_id"].isin(won).sum()
    spread = np.sqrt((staked["chance"] * (1 - staked["chance"])).sum())
    # the planted leak begins two weeks after that day: fewer are won than was to be expected, not more
    assert expected > 150
    assert -6 * spread < realised - expected < 2 * spread
    likely = staked["chance"] > staked["chance"].median()
    assert staked["lead_id"][likely].isin(won).mean() > 2 * staked["lead_id"][~likely].isin(won).mean()


def test_wins_of_the_week_are_those_that_the_flow_counts(sample) -> None:
    funnel, tables, paths, _ = sample
    span = week_days(WEEK)
    names = fetch(with_leads(paths, tables.leads, ["manager"]).select("current_manager").distinct())["current_manager"]
    wins = pd.concat(own_rows(leads_won(paths, tables.leads, funnel, span), who) for who in names)
    assert wins["lead_id"].is_unique
    assert len(wins) == stage_flow(paths, funnel, *span)["entered"].iloc[-1]
    assert (wins["company"] != "").all()
