"""The weekly page on the sample: it finds what is planted and stays quiet about the rest."""

import re
from datetime import date, timedelta

import pandas as pd
import pytest
from projects import page_of

from funnelstats.config.dates import week_days
from funnelstats.config.folders import RUN_FOLDER, WHOLE_RUN
from funnelstats.config.schema import MISSING
from funnelstats.core.counts import fetch, step_counts
from funnelstats.core.flow_counts import FLOW, stage_flow
from funnelstats.core.journeys import journeys
from funnelstats.importing.opening import alarm_window, open_funnel
from funnelstats.page.sections import show_section
from funnelstats.team.advice import clearest_leads, risen_reason
from funnelstats.team.changes import e_alarms
from funnelstats.team.remarks import whole_way

LAST = "2026-W26"
WEEKS = ("2026-W08", "2026-W12", "2026-W16", "2026-W20", "2026-W24", LAST)
OWN = {
    ("Иванов", "lead"), ("Иванов", "met"), ("Сидоров", "presented"), ("Сидоров", "contracted"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def project(sample_project, tmp_path_factory):
    """The sample's project; what pages of a run share is made once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in (RUN_FOLDER, WHOLE_RUN):
            patch.setenv(variable, str(tmp_path_factory.mktemp("shared")))
        yield sample_project


@pytest.fixture(scope="module")
def sample():
    """The funnel, its tables as exported, and the journeys."""
    funnel, tables = open_funnel("sample")
    return funnel, tables, journeys(tables.entries, funnel).cache()


@pytest.fixture(scope="module")
def pages():
    """What the weekly notebook computes, by its own cells."""
    return {week: page_of("weekly", shows=False, week=week)[0] for week in WEEKS}


def cells_of(page, **wanted):
    frame = page["managers"]
    for column, values in wanted.items():
        frame = frame[frame[column].isin(values)]
    return set(zip(frame["manager"], frame["from_stage"], strict=True))


def first(page, **facts):
    """The lines of the page's first section and what it says of people."""
    shown = {**page["shown"], **page["people"], **page["finding"], "quiet": False, "month": "2026-06", "reasons": []}
    shown |= {"leads": clearest_leads(page["leak"].drivers), "reason": risen_reason(page["leak"].reasons)}
    shown |= {"undated": pd.DataFrame(), "ended": 0}
    parts = [show_section(f"weekly.{name}", shown | facts).data["text/plain"] for name in ("first", "people")]
    return "\n".join(parts).splitlines()


@pytest.mark.parametrize("week", WEEKS)
def test_every_weeks_page_names_the_two_planted_profiles_and_nobody_else(pages, week) -> None:
    # Of all reds one in ten may be false; with this seed none is, in any of these weeks.
    assert cells_of(pages[week], verdict=["red"], whose=["own"]) == OWN


@pytest.mark.parametrize("week", WEEKS)
def test_no_page_calls_anything_red_but_the_planted_profiles_and_the_planted_leak(pages, week) -> None:
    red = cells_of(pages[week], verdict=["red"]) - OWN
    assert {stage for _, stage in red} <= {"presented"}
    if week <= "2026-W16":
        assert red == set()


@pytest.mark.parametrize("week", WEEKS)
def test_a_miss_on_hard_leads_is_never_called_a_weakness(pages, week) -> None:
    frame = pages[week]["managers"]
    petrova = frame[(frame["manager"] == "Петрова") & (frame["from_stage"] == "met")].iloc[0]
    assert petrova["rate"] < petrova["target"]
    assert (petrova["verdict"], petrova["whose"]) == ("amber", "base")
    assert cells_of(pages[week], whose=["base"]) == {("Петрова", "met")}
    assert pages[week]["people"]["harder"]["manager"].tolist() == ["Петрова"]
    assert any("Петрова is low at met → presented because of harder leads" in line for line in first(pages[week]))
    assert "Петрова" not in [one["manager"] for one in pages[week]["people"]["named"]]


@pytest.mark.parametrize("week", WEEKS)
def test_few_leads_are_never_red_or_amber(pages, week) -> None:
    frame = pages[week]["managers"]
    assert not set(frame.loc[frame["manager"] == "Novák", "verdict"]) & {"red", "amber"}


@pytest.mark.parametrize("week", WEEKS)
def test_the_robots_leads_and_those_of_nobody_are_counted_and_not_ranked(pages, week) -> None:
    frame = pages[week]["managers"].set_index("manager")
    assert set(frame.loc[["CRM robot", MISSING], "verdict"]) == {"not ranked"}
    assert (frame.loc["CRM robot", "entered"] > 0).any()
    assert not re.search("CRM robot|missing", " ".join(first(pages[week])))


def test_the_last_week_shows_the_leak_since_its_week_and_blames_the_team_for_it(pages) -> None:
    page = pages[LAST]
    team = page["team"].set_index("from_stage")["verdict"]
    assert team["presented"] == "red"
    assert not set(team.drop("presented")) & {"red", "amber"}
    since = page["leak"].since.set_index("from_stage")
    assert since["alarm"].to_dict() == {"lead": False, "met": False, "presented": True, "contracted": False}
    assert since.loc["presented", "since"] == pd.Timestamp("2026-04-13")
    assert page["leak"].leaks.iloc[0]["from_stage"] == "presented"
    leaking = cells_of(page, verdict=["red"]) - OWN
    assert {manager for manager, _ in leaking} >= {"Anna Berg", "Müller", "O'Neill", "Кузнецов", "Смирнова"}
    assert cells_of(page, whose=["team"]) >= leaking
    title, todo, reason, *_, one_to_one = first(page)[: first(page).index("One to one")]
    assert title == (
        "presented → contracted: since 13–19 April, 36 of 100 leads do not move on within 21 days; target: at most 20"
    )
    assert todo.endswith("starting with Compressors: 40% move on, of other leads 80%.")
    assert reason == "Reason given: “price” now ends 10.1% of leads here, before 1.4%."
    assert one_to_one == "One to one: Сидоров and Иванов."
    assert whole_way(page["leak"].change)["moved"]["to_stage"].tolist() == ["contracted"]
    steps = {one["manager"]: [row["from_stage"] for row in one["steps"]] for one in page["people"]["named"]}
    assert steps == {"Сидоров": ["presented", "contracted"], "Иванов": ["lead", "met"]}
    taught = {row["from_stage"]: row["lesson"] for one in page["people"]["named"] for row in one["steps"]}
    assert (taught["met"]["teacher"], taught["met"]["back"]["from_stage"]) == ("Сидоров", "contracted")
    assert (taught["contracted"]["teacher"], taught["presented"]) == ("Иванов", {})


def test_what_was_advised_four_weeks_before_is_told_with_whether_it_shows(pages) -> None:
    changes = pages[LAST]["changes"]
    advised = changes.advised.assign(manager=changes.advised["manager"].fillna("")).set_index(["manager", "from_stage"])
    assert set(advised.index) == {("", "presented"), *OWN}
    assert advised.loc[("", "presented"), "risen"] == "no"
    assert changes.known
    assert changes.new.empty
    assert changes.gone.empty


@pytest.mark.parametrize("week", WEEKS)
def test_every_weeks_page_names_nobody_but_the_planted_profiles(pages, week) -> None:
    named = cells_of(pages[week], named=[True])
    # In the tenth week the other two have not been seen long enough.
    assert named == ({("Иванов", "lead"), ("Сидоров", "contracted")} if week == WEEKS[0] else OWN)
    assert set(pages[week]["leak"].lessons["learner"]) <= {"Иванов", "Сидоров"}


@pytest.mark.parametrize("week", WEEKS)
def test_nobody_learns_from_a_robot_from_nobody_or_from_somebody_with_few_leads(pages, week) -> None:
    lessons = pages[week]["leak"].lessons
    assert not lessons.empty
    assert not set(lessons["teacher"]) & {"CRM robot", MISSING, "Novák"}


def test_the_planted_pairs_can_teach_each_other(pages) -> None:
    lessons = pages[LAST]["leak"].lessons.set_index("to_stage")
    pair = ["teacher", "learner"]
    assert lessons.loc["presented", pair].tolist() == ["Сидоров", "Иванов"]
    assert lessons.loc["paid", pair].tolist() == ["Иванов", "Сидоров"]
    assert (lessons.loc[["presented", "paid"], "deals_lower"] > 0).all()
    assert lessons["money"].notna().all()


@pytest.mark.parametrize("week", WEEKS)
def test_whoever_teaches_is_on_target_there_or_one_of_the_planted_pair_that_swaps(pages, week) -> None:
    verdicts = pages[week]["managers"].set_index(["manager", "from_stage"])["verdict"]
    lessons = pages[week]["leak"].lessons
    taught = lessons[~lessons["swap"]]
    assert {verdicts[key] for key in zip(taught["teacher"], taught["from_stage"], strict=True)} <= {"green"}
    if week != WEEKS[0]:  # he passes it better than Иванов, though others are best: only while nothing else is named
        assert ("Сидоров", "lead") not in set(zip(lessons["teacher"], lessons["from_stage"], strict=True))
    swaps = lessons[lessons["swap"]]
    # the trade article's Иванов contracts better too
    planted = {("Иванов", "Сидоров", "presented"), ("Сидоров", "Иванов", "paid"), ("Сидоров", "Иванов", "contracted")}
    planted |= {("Иванов", "Сидоров", "met")} if week == WEEKS[0] else set()
    assert set(zip(swaps["learner"], swaps["teacher"], swaps["to_stage"], strict=True)) <= planted


def test_the_best_at_a_step_is_named_beside_who_swaps(pages) -> None:
    paid = pages[LAST]["leak"].lessons.set_index("to_stage").loc["paid"]
    assert paid["swap"]
    assert paid["best"] == "Петрова"
    rates = pages[LAST]["managers"].set_index(["manager", "from_stage"])["rate"]
    assert rates["Петрова", "contracted"] > rates["Иванов", "contracted"]


def test_the_leak_begins_with_the_product_that_was_planted_in_it(pages) -> None:
    assert clearest_leads(pages[LAST]["leak"].drivers)["value"] == "Compressors"
    assert pages[LAST]["leak"].now[0] == date(2026, 4, 13)
    assert pages["2026-W16"]["leak"].drivers.empty


def test_the_alarms_of_the_last_week_hold_and_reach_back_to_the_start(pages) -> None:
    page = pages[LAST]
    window = alarm_window(LAST)
    watched = step_counts(page["paths"], page["spec"], page["day"], by=["manager", "week"], entered_between=window)
    frame = e_alarms(watched, page["spec"], rates=page["managers"]).set_index(["manager", "from_stage"])
    alarm = frame["alarm"]
    assert alarm[list(OWN)].all()
    assert (frame.loc[list(OWN), "e_value"] >= 20).all()
    assert frame.loc[("Иванов", "lead"), "at_start"]
    assert not alarm.loc[["CRM robot", MISSING, "Novák"]].any()


def test_the_change_of_the_whole_way_is_the_leaks(pages) -> None:
    change = pages[LAST]["leak"].change.set_index("from_stage")
    assert change["effect"].idxmin() == "presented"
    assert change.loc["presented", "ci_upper"] < 0
    assert change["effect"].sum() == pytest.approx((change["overall_after"] - change["overall_before"]).iloc[0])


@pytest.mark.parametrize("week", [week for week in WEEKS if week <= "2026-W16"])
def test_before_the_leak_can_be_seen_no_page_shows_one(pages, week) -> None:
    page = pages[week]
    assert not set(page["team"]["verdict"]) & {"red", "amber"}
    assert not page["leak"].since["alarm"].any()
    assert page["finding"]["case"] in ("none", "untold")


@pytest.mark.parametrize("week", [week for week in WEEKS if week > "2026-W20"])
def test_once_seen_the_leak_is_dated_to_its_week_in_every_later_report(pages, week) -> None:
    since = pages[week]["leak"].since
    assert since.loc[since["alarm"], ["from_stage", "since"]].to_numpy().tolist() == [
        ["presented", pd.Timestamp("2026-04-13")]
    ]
    assert since.loc[since["alarm"], ["since_lower", "since_upper"]].eq(pd.Timestamp("2026-04-13")).all(axis=None)


def test_two_matured_weeks_of_a_leak_give_no_date_yet(pages) -> None:
    since = pages["2026-W20"]["leak"].since
    assert not since["alarm"].any()
    assert any("When that began cannot be told." in line for line in first(pages["2026-W20"]))
    assert since.set_index("from_stage")["fell"].idxmax() == "presented"


def test_the_planted_teachers_are_better_at_what_they_could_show(pages) -> None:
    rates = pages[LAST]["managers"].set_index(["manager", "from_stage"])
    assert rates.loc[("Сидоров", "met"), "ci_lower"] > rates.loc[("Иванов", "met"), "ci_upper"]
    assert rates.loc[("Иванов", "contracted"), "ci_lower"] > rates.loc[("Сидоров", "contracted"), "ci_upper"]
    assert ("Сидоров", "lead") not in cells_of(pages[LAST], verdict=["red", "amber"])


def test_only_search_ads_and_a_channel_without_leads_lose_money(sample) -> None:
    _, tables, _ = sample
    paid = fetch(
        tables.payments.join(tables.leads.select("lead_id", "channel"), "lead_id")
        .group_by("channel")
        .aggregate(revenue=lambda rows: rows.amount.sum())
    )
    spent = fetch(tables.costs.group_by("channel").aggregate(spent=lambda rows: rows.amount.sum()))
    money = paid.merge(spent, how="outer", on="channel").dropna(subset="channel").set_index("channel").fillna(0)
    assert set(money.index[money["revenue"] < money["spent"]]) == {"Search ads", "Radio"}
    assert money.loc["Radio", "revenue"] == 0
    # TRUTH.md has -43 % before the dirt, which takes away a few channels and payments
    lost = money.loc["Search ads", "revenue"] / money.loc["Search ads", "spent"] - 1
    assert lost == pytest.approx(-0.43, abs=0.05)


def test_the_flow_closes_for_every_stage_manager_and_week(sample) -> None:
    funnel, _, paths = sample
    first, _ = week_days("2025-W49")
    last, _ = week_days(LAST)
    weeks = [first + timedelta(days=7 * number) for number in range((last - first).days // 7 + 1)]
    flows = pd.concat(
        stage_flow(paths, funnel, monday, monday + timedelta(days=6), by="manager").assign(week=monday)
        for monday in weeks
    )
    assert len(weeks) == 30
    assert flows["week"].nunique() == 30
    left = flows[["advanced", "lost", "nurture", "moved_away", "still_there"]].sum(axis=1)
    assert (flows[["opening", "entered", "came_back"]].sum(axis=1) == left).all()
    assert (flows[FLOW] >= 0).all().all()
    next_week = flows.assign(week=flows["week"] + timedelta(days=7))
    both = next_week.merge(flows, on=["week", "manager", "stage"], suffixes=("_before", ""))
    assert (both["still_there_before"] == both["opening"]).all()
    assert len(both) > 1000
    team = pd.concat(stage_flow(paths, funnel, day, day + timedelta(days=6)).assign(week=day) for day in weeks)
    summed = flows.groupby(["week", "stage"])[FLOW].sum().sort_index()
    expected = team.set_index(["week", "stage"])[FLOW].sort_index()
    pd.testing.assert_frame_equal(summed, expected, check_dtype=False)
