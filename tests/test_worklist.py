"""The list of own leads to act on: chances against counting, reasons, order, stake, and what is missing."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of

from funnelstats.core.incidence import incidence, incidence_at
from funnelstats.leads.worklist import (
    LISTED,
    chances,
    coming_week,
    expected,
    what_is_due,
    with_retry_stake,
    with_stake,
    worklist,
)
from funnelstats.page.sections import show_section

AS_OF = date(2026, 6, 28)
FUNNEL = funnel_of("lead", "met", "paid", days=[10, 20])
MEAN = pd.DataFrame({"deals": [3], "mean_deal": [100.0]})
UNKNOWN = pd.DataFrame({"deals": [0], "mean_deal": [np.nan]})
DAY = pd.Timedelta(days=1)


def days_of(stage, advanced, lost, still=()):
    """Day counts from the ages at which leads advanced, were lost, or are open now."""
    ages = [("advanced", age) for age in advanced] + [("lost", age) for age in lost] + [("open", age) for age in still]
    frame = pd.DataFrame(ages, columns=["outcome", "age_days"]).assign(from_stage=stage, n=1)
    table = frame.pivot_table(
        index=["from_stage", "age_days"], columns="outcome", values="n", aggfunc="sum", fill_value=0
    )
    return table.reindex(columns=["advanced", "lost", "open"], fill_value=0).reset_index().rename_axis(None, axis=1)


DAYS = pd.concat([days_of("lead", [1, 1, 5, 8], [3, 12]), days_of("met", [4, 9], [6, 6])])
RATES = incidence_at(incidence(DAYS), FUNNEL)


def lead(name, stage="lead", days=1, contacts=1.0, silent=None, amount=np.nan, company="", since=None):
    """An open lead: days since it entered its stage, days since its last contact."""
    today = pd.Timestamp(AS_OF)
    entered = today - days * DAY
    return {
        "lead_id": name,
        "company": company,
        "product": "",
        "stage": stage,
        "entered_on": entered,
        "since": entered if since is None else today - since * DAY,
        "contacts": contacts,
        "last_contact_on": pd.NaT if silent is None else today - silent * DAY,
        "amount": amount,
    }


def own(*leads):
    kinds = {"entered_on": "datetime64[us]", "since": "datetime64[us]", "last_contact_on": "datetime64[us]"}
    columns = list(lead("x"))
    return pd.DataFrame(list(leads), columns=columns).astype(
        {**kinds, "contacts": float, "amount": float, "stage": "str"}
    )


HOPE = chances(DAYS, RATES, FUNNEL)


def staked(*leads, deal=MEAN, hope=HOPE):
    return with_stake(own(*leads), hope, deal, AS_OF)


NO_RETRIES = pd.DataFrame(columns=LISTED)


def listed(*leads, deal=MEAN):
    return worklist(staked(*leads, deal=deal), NO_RETRIES, FUNNEL, AS_OF)


def test_the_chance_is_that_of_the_leads_that_were_still_there_as_long() -> None:
    found = chances(DAYS, RATES, FUNNEL).set_index(["from_stage", "age_days"])["chance"]
    # of six leads four moved on; of the three there after day 4 two did; later half of the met ones pay
    assert found["lead", 0] == pytest.approx(4 / 6 / 2)
    assert found["lead", 4] == pytest.approx(2 / 3 / 2)
    assert found["met", 5] == pytest.approx(1 / 3)
    # beyond day 5 of the leads and day 6 of the met ones fewer than three were watched
    assert found.groupby("from_stage").size().to_dict() == {"lead": 5, "met": 6}


def test_where_no_lead_is_open_the_chance_is_the_share_that_was_won_later() -> None:
    random = np.random.default_rng(2)
    ages, won = random.integers(0, 30, 300), random.random(300) < 0.4
    days = days_of("lead", ages[won], ages[~won])
    rates = pd.DataFrame({"from_stage": ["lead", "met"], "rate": [0.4, 1.0]})
    found = chances(days, rates, FUNNEL).set_index("age_days")["chance"]
    for age in (0, 7, 20):
        assert found[age] == pytest.approx(won[ages > age].mean())


def test_where_all_of_a_few_moved_on_no_lead_is_sure_to() -> None:
    days = days_of("lead", [3] * 6 + [1] * 4, [1] * 10)
    rates = pd.DataFrame({"from_stage": ["lead", "met"], "rate": [0.5, 1.0]})
    found = chances(days, rates, FUNNEL).set_index("age_days")["chance"]
    assert found[2] == pytest.approx(6.5 / 7)


def test_a_lead_is_worth_its_amount_or_else_the_mean_deal_and_unknown_without_either() -> None:
    found = staked(lead("a", amount=30.0), lead("b"), lead("zero", amount=0.0))
    assert found["at_stake"].tolist() == [
        chance * worth for chance, worth in zip(found["chance"], (30, 100, 100), strict=True)
    ]
    assert staked(lead("a", amount=30.0), lead("b"), deal=UNKNOWN)["at_stake"].isna().tolist() == [False, True]


def test_where_fewer_than_three_leads_were_watched_longer_no_chance_is_known_and_none_is_summed() -> None:
    found = staked(lead("young", days=4), lead("older", days=5), lead("old", days=400))
    assert found["chance"].isna().tolist() == [False, True, True]
    sums = expected(found)
    assert (sums["open"], sums["not_known"]) == (3, 2)
    assert [sums["deals"], sums["money"]] == pytest.approx([1 / 3, 100 / 3])
    few = chances(days_of("lead", [1], [2]), RATES, FUNNEL)
    none = with_stake(own(lead("a"), lead("b", stage="met")), few, MEAN, AS_OF)
    assert none["chance"].isna().all()
    assert np.isnan(expected(none)["deals"])


def test_where_nobody_was_won_yet_no_wait_is_too_long() -> None:
    found = staked(lead("young", days=1), lead("old", days=4), hope=HOPE.assign(chance=0.0))
    assert found[["chance", "at_stake"]].isna().to_numpy().all()


def test_where_nobody_was_watched_through_the_agreed_days_no_chance_is_known() -> None:
    days = days_of("lead", [1, 1, 2], [2], still=[5, 5, 5, 6])
    unknown = incidence_at(incidence(pd.concat([days, days_of("met", [1, 1, 1], [2])])), FUNNEL)
    assert unknown["rate"].isna().tolist() == [True, False]
    assert chances(days, unknown, FUNNEL)["chance"].isna().all()


def test_reasons_in_their_order() -> None:
    found = listed(
        lead("never", contacts=0.0, days=6),
        lead("unwritten", stage="met", contacts=0.0, days=6),
        lead("ends", days=3, silent=1),
        lead("ends tomorrow", days=9, silent=1),
        lead("over", days=10, silent=1),
        lead("fresh", days=2, silent=1),
        lead("idle", days=40, silent=15),
        lead("talked", days=40, silent=14),
        lead("moved", days=40, silent=30, since=3),
    ).set_index("lead_id")
    assert found["reason"].to_dict() == {
        "never": "never contacted",
        "unwritten": "no contact logged",
        "ends": "deadline near",
        "ends tomorrow": "deadline near",
        "idle": "silent too long",
    }
    assert found["next_step"].to_dict() == {
        "never": "first call",
        "unwritten": "call and log it",
        "ends": "bring it to “met”",
        "ends tomorrow": "bring it to “met”",
        "idle": "call or close",
    }
    assert found.loc[["ends", "ends tomorrow"], "due"].dt.day.tolist() == [5, 29]
    assert found.loc["idle", "due"] == pd.Timestamp(AS_OF) - 30 * DAY
    assert (found.loc[["never", "unwritten"], "due"] == pd.Timestamp(AS_OF) + DAY).all(), "no first call waits"
    overdue = listed(lead("never", contacts=0.0, days=40)).set_index("lead_id")
    assert overdue.loc["never", "due"] == pd.Timestamp(AS_OF) - 30 * DAY
    assert coming_week(AS_OF)[1] == date(2026, 7, 5)


def test_the_limit_of_a_stage_is_its_own() -> None:
    funnel = FUNNEL.model_validate({**FUNNEL.model_dump(), "loop": {"idle_days": 14, "idle_days_at": {"met": 40}}})
    leads = staked(lead("a", days=60, silent=30), lead("b", stage="met", days=60, silent=30))
    assert worklist(leads, NO_RETRIES, funnel, AS_OF)["lead_id"].tolist() == ["a"]


def test_most_money_first_then_the_better_chance_then_the_longer_wait() -> None:
    found = listed(
        lead("small", contacts=0.0, amount=5.0),
        lead("big", contacts=0.0, amount=500.0),
        lead("idle", days=99, silent=90),
    )
    assert found["lead_id"].tolist() == ["big", "small", "idle"]
    blind = listed(lead("a", contacts=0.0, days=9), lead("b", contacts=0.0, days=1), deal=UNKNOWN)
    assert blind["lead_id"].tolist() == ["b", "a"]
    assert blind["at_stake"].isna().all()


DUE = pd.DataFrame(
    {
        "lead_id": ["late", "soon", "rich"],
        "company": ["", "(missing)", "Acme"],
        "stage": ["met", "lead", "met"],
        "refusal": ["price", "(missing)", "terms"],
        "amount": [np.nan, np.nan, 600.0],
        "lost_on": pd.to_datetime(["2026-04-28", "2026-04-20", "2026-04-25"]),
        "due_from": pd.to_datetime(["2026-06-27", "2026-06-19", "2026-06-24"]),
        "due_to": pd.to_datetime(["2026-07-27", "2026-07-19", "2026-07-24"]),
    }
)
SUCCESS = pd.DataFrame({"to_stage": ["met", "paid"], "again_entered": [20, 20], "again_converted": [12, 5]})
FEW = SUCCESS.assign(again_entered=9)


def again(due=DUE, success=SUCCESS, deal=MEAN):
    return with_retry_stake(due, success, deal, AS_OF)


def test_a_second_try_has_the_chance_of_those_that_were_tried() -> None:
    rich, soon, late = again(DUE.iloc[::-1]).to_dict("records")
    assert {row["chance"] for row in (rich, soon, late)} == {5 / 20}
    assert (rich["at_stake"], soon["at_stake"]) == pytest.approx((600 / 4, 100 / 4))
    assert (rich["kind"], rich["company"], rich["stage"], rich["days_there"]) == ("second try", "Acme", "met", 64)
    assert [row["reason"] for row in (rich, soon)] == ["terms", "(missing)"]
    assert (late["next_step"], late["due"]) == ("call again", pd.Timestamp("2026-07-27"))
    assert again(DUE.head(0)).columns.tolist() == [*LISTED, "lost_on", "due_from"]


@pytest.mark.parametrize("success", [FEW, SUCCESS.assign(again_entered=0), SUCCESS.head(0)])
def test_below_ten_second_tries_their_worth_is_unknown_and_those_ending_first_come_first(success) -> None:
    found = again(success=success)
    assert found[["chance", "at_stake"]].isna().all(axis=None)
    assert found["lead_id"].tolist() == ["soon", "rich", "late"]


def test_open_leads_come_before_second_tries_whatever_is_at_stake() -> None:
    hopeless = staked(lead("old", days=400, silent=400), lead("new", contacts=0.0, amount=1.0))
    for retries in (again(), again(success=FEW)):
        both = worklist(hopeless, retries, FUNNEL, AS_OF)
        assert both["lead_id"].tolist() == ["new", "old", *retries["lead_id"]]
        assert both["kind"].tolist() == ["open"] * 2 + ["second try"] * 3


def due(*leads, retries=NO_RETRIES, success=SUCCESS, deal=MEAN, hope=HOPE):
    return what_is_due(worklist(staked(*leads, deal=deal, hope=hope), retries, FUNNEL, AS_OF), own(*leads), success)


def first_screen(found):
    """What the page says first of a manager whose steps are all on target."""
    facts = {"case": "met", "teaches": [], "person": "Anna", "coming": coming_week(AS_OF), "currency": "EUR"}
    return show_section("manager.first", found | facts).data["text/plain"].splitlines()


def test_open_leads_and_second_tries_are_counted_apart() -> None:
    leads = [lead(f"L{n:02}", contacts=0.0, amount=100.0 + n) for n in range(23)]
    found = due(*leads, lead("busy", days=2, silent=1), retries=again())
    assert (found["open"], found["due"], found["again"]) == (24, 23, 3)
    assert first_screen(found) == [
        "Anna: 23 open leads need you 29 June – 5 July",
        "Start with L22: never contacted, expected value 30 €.",
        "Your steps: all targets met. Keep it up.",
        "Then: call back 3 refused leads.",
    ]


@pytest.mark.parametrize(
    ("success", "tried", "told"),
    [(SUCCESS, 20, True), (FEW, 9, False), (SUCCESS.assign(again_entered=0, again_converted=0), 0, False)],
)
def test_the_chance_of_second_tries_is_told_of_ten_or_more_that_were_made(success, tried, told) -> None:
    found = due(lead("a"), retries=again(success=success), success=success)
    assert found["tried"] == tried
    assert pd.notna(found["rate"]) == pd.notna(found["ci_lower"]) == told
    said = show_section("manager.again", found).data["text/plain"]
    words = {20: "Of the team's 20 finished second tries 5 were won (likely range 11–47%).", 0: "not known"}
    assert words.get(tried, "9 finished second tries, 5 won: too few") in said
    assert show_section("manager.again", due(lead("a"))).data["text/html"] == ""


def test_nobody_is_praised_for_leads_of_which_only_the_won_are_on_record() -> None:
    found = due(lead("a")) | {"account": [{"fact": "only_won"}]}
    assert first_screen(found)[-1] == "Your steps: not judged, since the export holds won leads alone."


def test_nobody_is_judged_by_weeks_in_which_no_lead_of_the_team_moved_on() -> None:
    found = due(lead("a")) | {"stopped": date(2026, 5, 24), "moves": 29.0}
    told = "Your steps: not judged, since no lead of the team has moved on since 24 May 2026."
    assert first_screen(found)[-1] == told


def test_no_line_of_a_title_ends_within_its_days() -> None:
    facts = {"case": "met", "teaches": [], "person": "Anna", "coming": (date(2026, 7, 13), date(2026, 7, 19))}
    html = show_section("manager.first", due(lead("a")) | facts, currency="EUR").data["text/html"]
    assert '<span class="fs-day">13–19</span> July</h1>' in html


def test_second_tries_of_which_none_was_won_are_no_task_of_the_week() -> None:
    none = SUCCESS.assign(again_converted=0)
    found = due(lead("a"), retries=again(success=none), success=none)
    assert not any("call back" in line for line in first_screen(found))
    said = show_section("manager.again", found).data["text/plain"]
    assert "20 finished second tries 0 were won (likely range 0–16%).\nCall only where you know of a change." in said


def test_what_second_tries_bring_is_not_promised_before_it_is_known() -> None:
    for success in (FEW, SUCCESS.assign(again_entered=0, again_converted=0)):
        last = first_screen(due(lead("a"), retries=again(success=success), success=success))[-1]
        assert last == "Perhaps: 3 refused leads could be called back; what that brings is not known."


def test_a_lead_is_called_by_its_company_where_that_is_known() -> None:
    for company, called in (("Acme", "Acme"), ("", "L1"), ("(missing)", "L1")):
        assert first_screen(due(lead("L1", contacts=0.0, company=company)))[1].startswith(f"Start with {called}: never")


def test_a_manager_without_leads_or_without_anything_to_do() -> None:
    assert first_screen(due())[0] == "Anna: you have no open lead in this export"
    quiet = due(lead("a", days=2, silent=1))
    assert first_screen(quiet)[0] == "Anna: no open lead of yours is due 29 June – 5 July"
    assert show_section("manager.today", quiet).data["text/html"] == ""


def test_without_contacts_or_money_the_list_says_so_and_calls_no_lead_silent() -> None:
    leads = [lead("a", days=40, contacts=np.nan), lead("b", days=3, contacts=np.nan)]
    assert listed(*leads, deal=UNKNOWN)["reason"].tolist() == ["deadline near", "no move for too long"]
    found = due(*leads, deal=UNKNOWN)
    assert first_screen(found)[1] == "Start with b: deadline 5 Jul 2026."
    assert "without amounts and payments" in show_section("manager.today", found).data["text/plain"]


def test_where_nobody_was_ever_won_after_as_long_the_list_says_so_and_promises_no_money() -> None:
    waited = pd.concat([days_of("lead", [1, 1], [3, 200, 200, 200]), days_of("met", [4, 9], [6, 6])])
    hopeless = chances(waited, incidence_at(incidence(waited), FUNNEL), FUNNEL)
    title, line = first_screen(due(lead("old", days=100, silent=100), hope=hopeless))[:2]
    assert title == "Anna: one open lead to call or close 29 June – 5 July"
    assert line.endswith("silent too long; no lead of the team was won after so long a wait, so call or close.")
