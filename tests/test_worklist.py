"""The list of own leads to act on: chances against counting, reasons, order, stake, and what is missing."""

from __future__ import annotations

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
    stalled,
    untouched,
    with_retry_stake,
    with_stake,
    worklist,
    worklist_sentences,
)

AS_OF = date(2026, 6, 28)
FUNNEL = funnel_of("lead", "met", "paid", days=[10, 20])
MEAN = pd.DataFrame({"deals": [3], "mean_deal": [100.0]})
UNKNOWN = pd.DataFrame({"deals": [0], "mean_deal": [np.nan]})
DAY = pd.Timedelta(days=1)
QUIET_WEEK = (
    "Nothing is due on your open leads this week: as far as the export knows, none lacks a contact, stands still, or "
    "comes to the end of its days."
)


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
    return pd.DataFrame(list(leads), columns=columns).astype({**kinds, "contacts": float, "amount": float})


def staked(*leads, deal=MEAN):
    return with_stake(own(*leads), chances(DAYS, RATES, FUNNEL), deal, AS_OF)


NO_RETRIES = pd.DataFrame(columns=LISTED)


def listed(*leads, deal=MEAN):
    return worklist(staked(*leads, deal=deal), NO_RETRIES, FUNNEL, AS_OF)


def test_the_chance_is_that_of_the_leads_that_were_still_there_as_long() -> None:
    found = chances(DAYS, RATES, FUNNEL).set_index(["from_stage", "age_days"])["chance"]
    # of six leads four moved on; of the three there after day 4 two did; later half of the met ones pay
    assert found["lead", 0] == pytest.approx(4 / 6 / 2)
    assert found["lead", 4] == pytest.approx(2 / 3 / 2)
    assert found["lead", 8] == 0
    assert found["met", 5] == pytest.approx(1 / 3)
    assert found.index.get_level_values("age_days").max() == 12


def test_where_no_lead_is_open_the_chance_is_the_share_that_was_won_later() -> None:
    random = np.random.default_rng(2)
    ages, won = random.integers(0, 30, 300), random.random(300) < 0.4
    days = days_of("lead", ages[won], ages[~won])
    rates = pd.DataFrame({"from_stage": ["lead", "met"], "rate": [0.4, 1.0]})
    found = chances(days, rates, FUNNEL).set_index("age_days")["chance"]
    for age in (0, 7, 20):
        assert found[age] == pytest.approx(won[ages > age].mean())


def test_a_lead_is_worth_its_amount_or_else_the_mean_deal_and_unknown_without_either() -> None:
    found = staked(lead("a", amount=30.0), lead("b"), lead("zero", amount=0.0))
    assert found["at_stake"].tolist() == [
        chance * worth for chance, worth in zip(found["chance"], (30, 100, 100), strict=True)
    ]
    assert staked(lead("a", amount=30.0), lead("b"), deal=UNKNOWN)["at_stake"].isna().tolist() == [False, True]


def test_a_lead_older_than_any_other_or_at_a_stage_never_seen() -> None:
    assert staked(lead("old", days=400))["chance"].tolist() == [0]
    alone = with_stake(own(lead("a", stage="met")), chances(days_of("lead", [1], [2]), RATES, FUNNEL), MEAN, AS_OF)
    assert alone["chance"].isna().all()


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
        "unwritten": "no contact recorded",
        "ends": "days end 5 Jul 2026",
        "ends tomorrow": "days end 29 Jun 2026",
        "idle": "idle for 15 days",
    }
    assert found["next_step"].to_dict() == {
        "never": "first call",
        "unwritten": "call and write it down",
        "ends": "bring it to met",
        "ends tomorrow": "bring it to met",
        "idle": "call or close it",
    }
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
    assert [row["reason"] for row in (rich, soon)] == ["second try due: terms", "second try due"]
    assert late["next_step"] == "call again by 27 Jul 2026"
    assert again(DUE.head(0)).columns.tolist() == [*LISTED, "refusal", "lost_on", "due_from", "due_to"]


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


def test_standstill_by_stage_has_every_stage_and_says_what_is_not_known() -> None:
    found = stalled(
        own(lead("a", days=30, silent=20), lead("b", days=30, silent=2), lead("c", contacts=0.0)), FUNNEL, AS_OF
    )
    assert found["stage"].tolist() == ["lead", "met"]
    assert found.iloc[0][["leads", "stalled", "untouched", "idle_days", "longest"]].tolist() == [3, 1, 1, 14, 20]
    assert found.iloc[1][["leads", "stalled", "untouched"]].tolist() == [0, 0, 0]
    assert np.isnan(found.loc[1, "longest"])
    unknown = stalled(own(lead("a", contacts=np.nan)), FUNNEL, AS_OF)
    assert unknown["untouched"].isna().all()


def test_those_never_contacted_come_longest_wait_first() -> None:
    leads = staked(
        lead("short", contacts=0.0),
        lead("long", contacts=0.0, days=9),
        lead("called"),
        lead("unknown", contacts=np.nan),
    )
    assert untouched(leads)["lead_id"].tolist() == ["long", "short"]


def test_open_leads_and_second_tries_are_counted_apart_and_the_rest_is_in_the_file() -> None:
    leads = [lead(f"L{n:02}", contacts=0.0, amount=100.0 + n) for n in range(23)]
    opened, tries = worklist_sentences(worklist(staked(*leads), again(), FUNNEL, AS_OF), own(*leads), SUCCESS, FUNNEL)
    assert opened.startswith(
        "Your list: 23 open leads wait for you this week; begin with L22 at lead (never contacted)."
    )
    assert "\xa0RUB are at stake." in opened
    assert opened.endswith("The first 20 are listed below, all 23 are in the file.")
    assert tries == (
        "Second tries: 3 refused leads of yours are due to be called again this week, after the open ones. "
        "Of the team's 20 second tries whose days are over 5 were won (25%, very likely 11% to 47%); somebody chose "
        "which to try. If all are tried and do as well, 200\xa0RUB are at stake."
    )
    many = pd.concat([DUE.assign(lead_id=DUE["lead_id"] + str(n)) for n in range(8)], ignore_index=True)
    for success, known in (
        (SUCCESS.head(0), "What they may bring is not known: the data shows no second try whose days are over."),
        (FEW, "Of the team's 9 second tries whose days are over 5 were won: too few to tell what these may bring."),
    ):
        unseen = worklist(staked(*leads), again(many, success), FUNNEL, AS_OF)
        assert worklist_sentences(unseen, own(*leads), success, FUNNEL)[1].endswith(
            known + " The first 20 are listed below, all 24 are in the file."
        )


def test_a_lead_is_called_by_its_company_where_that_is_known() -> None:
    for company, called in (("Acme", "Acme (L1)"), ("", "L1"), ("(missing)", "L1")):
        one = lead("L1", contacts=0.0, company=company)
        assert f"begin with {called} at lead" in worklist_sentences(listed(one), own(one), SUCCESS, FUNNEL)[0]


def test_a_manager_without_leads_or_without_anything_to_do() -> None:
    assert worklist_sentences(listed(), own(), SUCCESS, FUNNEL) == ["The export knows no open lead of yours."]
    assert listed().empty
    assert stalled(own(), FUNNEL, AS_OF)["leads"].tolist() == [0, 0]
    busy = lead("a", days=2, silent=1)
    assert worklist_sentences(listed(busy), own(busy), SUCCESS, FUNNEL) == [QUIET_WEEK]
    only_tries = worklist(staked(busy), again(), FUNNEL, AS_OF)
    said = worklist_sentences(only_tries, own(busy), SUCCESS, FUNNEL)
    assert [line.split(":")[0] for line in said] == [QUIET_WEEK.split(":")[0], "Second tries"]


def test_without_contacts_or_money_the_list_says_so() -> None:
    leads = [lead("a", days=40, contacts=np.nan), lead("b", days=3, contacts=np.nan)]
    found = listed(*leads, deal=UNKNOWN)
    assert found["reason"].tolist() == ["days end 5 Jul 2026", "idle for 40 days"]
    said = worklist_sentences(found, own(*leads), SUCCESS, FUNNEL)
    assert said[1] == "Without contacts in the export nobody knows which leads were never called."
    assert said[2] == "Without amounts and payments the list is sorted by the chance to win, not by money."


def test_where_nobody_was_ever_won_after_as_long_the_list_says_so_and_promises_no_money() -> None:
    old = lead("old", days=400, silent=400)
    (line,) = worklist_sentences(listed(old), own(old), SUCCESS, FUNNEL)
    assert line.endswith(
        "(idle for 400 days). No lead of the team has been won after as long a wait so far: call them or close them."
    )
