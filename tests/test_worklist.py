"""The list of own leads to act on: chances against counting, reasons, order, stake, and what is missing."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of

from funnelstats.statistics.incidence import incidence, incidence_at
from funnelstats.statistics.worklist import (
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
        "ends": "days end 2026-07-05",
        "ends tomorrow": "days end 2026-06-29",
        "idle": "idle for 15 days",
    }
    assert found["next_step"].to_dict() == {
        "never": "first call",
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


def test_a_second_try_starts_anew_but_only_as_often_as_refused_leads_come_back() -> None:
    due = pd.DataFrame({"lead_id": ["r"], "stage": ["met"], "refusal": ["price"], "amount": [600.0]}).assign(
        lost_on=pd.Timestamp("2026-04-20"), due_to=pd.Timestamp("2026-07-19")
    )
    retried = pd.DataFrame(
        {"refusal": ["price", "terms"], "entered": [30, 10], "converted": [3, 1], "too_recent": [1, 1]}
    )
    found = with_retry_stake(due, retried, chances(DAYS, RATES, FUNNEL), MEAN, FUNNEL, AS_OF)
    row = found.iloc[0]
    assert row["chance"] == pytest.approx(0.1 * 4 / 6 / 2)
    assert row["at_stake"] == pytest.approx(600 * row["chance"])
    assert row[["stage", "days_there", "reason"]].tolist() == ["met", 69, "second try due: price"]
    assert row["next_step"] == "call again by 2026-07-19"
    both = worklist(staked(lead("a", contacts=0.0)), found, FUNNEL, AS_OF)
    assert both["lead_id"].tolist() == ["a", "r"]
    blank = with_retry_stake(
        due.assign(refusal="(missing)"), retried, chances(DAYS, RATES, FUNNEL), MEAN, FUNNEL, AS_OF
    )
    assert blank["reason"].tolist() == ["second try due"]
    never = with_retry_stake(due, retried.head(0), chances(DAYS, RATES, FUNNEL), MEAN, FUNNEL, AS_OF)
    assert never[["chance", "at_stake"]].isna().all(axis=None)
    assert (
        with_retry_stake(due.head(0), retried, chances(DAYS, RATES, FUNNEL), MEAN, FUNNEL, AS_OF).columns.tolist()
        == LISTED
    )


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


def test_the_sentences_begin_with_the_most_at_stake_and_count_the_rest() -> None:
    leads = [lead(f"L{n:02}", contacts=0.0, amount=100.0 + n) for n in range(23)]
    (line,) = worklist_sentences(listed(*leads), own(*leads), FUNNEL)
    assert line.startswith("Your list: 23 leads wait for you this week; begin with L22 at lead (never contacted).")
    assert "are at stake." in line
    assert line.endswith("The 20 with most at stake are listed, the other 3 are in the file below the list.")


def test_a_manager_without_leads_or_without_anything_to_do() -> None:
    assert worklist_sentences(listed(), own(), FUNNEL) == ["You have no open lead."]
    assert listed().empty
    assert stalled(own(), FUNNEL, AS_OF)["leads"].tolist() == [0, 0]
    busy = lead("a", days=2, silent=1)
    assert worklist_sentences(listed(busy), own(busy), FUNNEL) == ["None of your open leads waits for you this week."]


def test_without_contacts_or_money_the_list_says_so() -> None:
    leads = [lead("a", days=40, contacts=np.nan), lead("b", days=3, contacts=np.nan)]
    found = listed(*leads, deal=UNKNOWN)
    assert found["reason"].tolist() == ["days end 2026-07-05", "idle for 40 days"]
    said = worklist_sentences(found, own(*leads), FUNNEL)
    assert said[1] == "Without contacts in the export nobody knows which leads were never called."
    assert said[2] == "Without amounts and payments the list is sorted by the chance to win, not by money."


def test_where_nobody_was_ever_won_after_as_long_the_list_says_so_and_promises_no_money() -> None:
    old = lead("old", days=400, silent=400)
    (line,) = worklist_sentences(listed(old), own(old), FUNNEL)
    assert line.endswith(
        "(idle for 400 days). No lead of the team was won after as long a wait: call them or close them."
    )
