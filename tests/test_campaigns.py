"""Small campaigns told together: nothing is left out, and what is large or cost money keeps its row."""

import numpy as np
import pandas as pd
from backends import funnel_of

from funnelstats.config.schema import MISSING
from funnelstats.loop.states import acceptance
from funnelstats.money.channels import ADDS_UP, money_of_campaigns, of_campaigns, small_together, with_spend_on_record

FUNNEL = funnel_of("lead", "met", "paid", days=[14, 30])
STEP = {"from_stage": "lead", "to_stage": "met"}
ENDS = ["advanced", "sent_back", "refused", "open"]


def handed(rows):
    """Day counts and matured counts of the same hand-overs, from channel, campaign, accepted and refused leads."""
    days = [
        {"channel": channel, "campaign": campaign, **STEP, "age_days": day, **dict.fromkeys(ENDS, 0), end: many}
        for channel, campaign, accepted, refused in rows
        for day, end, many in ((3, "advanced", accepted), (5, "refused", refused))
    ]
    counts = [
        {"channel": channel, "campaign": campaign, **STEP, "entered": a + r, "converted": a, "too_recent": 0}
        for channel, campaign, a, r in rows
    ]
    return pd.DataFrame(days), pd.DataFrame(counts)


def test_campaigns_of_fewer_than_ten_leads_are_counted_as_one_by_both_frames():
    days, counts = handed(
        [
            ("web", "form", 20, 10),
            ("fair", "spring", 5, 5),
            ("web", "a", 5, 4),
            ("fair", "a", 1, 0),
            ("fair", "b", 0, 2),
        ]
    )
    found = acceptance(small_together(days), small_together(counts), FUNNEL).set_index("campaign")
    # ten leads are a campaign, nine are not; "a" is one campaign of two channels
    assert found["entered"].to_dict() == {"form": 30, "spring": 10, "(others: 2 campaigns)": 12}
    assert found.at["(others: 2 campaigns)", "rate"] == 6 / 12
    assert small_together(days)[ENDS].sum().equals(days[ENDS].sum())


def test_one_small_campaign_and_leads_without_one_stay_what_they_are():
    days, counts = handed(
        [("web", "form", 20, 10), ("web", "a", 1, 0), ("fair", MISSING, 1, 0), ("web", MISSING, 1, 0)]
    )
    assert small_together(days).equals(days)
    assert small_together(counts).equals(counts)


def test_campaigns_are_those_with_a_name_most_leads_first_and_the_small_ones_last():
    rows = [("web", "few", 9, 2), ("web", MISSING, 90, 0), ("web", "many", 30, 0)]
    rows += [("web", f"small {place}", 4, 5) for place in range(5)]
    days, counts = handed(rows)
    found = of_campaigns(acceptance(small_together(days), small_together(counts), FUNNEL))
    assert found["campaign"].tolist() == ["many", "few", "(others: 5 campaigns)"]
    assert found["entered"].tolist() == [30, 11, 45]


def test_where_no_campaign_is_named_there_is_no_row():
    days, counts = handed([("web", MISSING, 90, 0), ("fair", MISSING, 9, 2)])
    assert of_campaigns(acceptance(days, counts, FUNNEL)).empty


def money(rows):
    frame = pd.DataFrame(rows, columns=["campaign", "leads", "spend", "revenue"])
    rest = dict.fromkeys(["won", "deals", "open"], 1) | {"returned": 0.0, "to_come": 0.5, "verdict": "no spend"}
    return frame.assign(channel="web", revenue_final=frame["revenue"] + 1, roi_final=np.nan, **rest)


def test_money_of_small_campaigns_without_spend_is_one_row_at_the_end():
    rows = money(
        [
            ("paid for", 1, 5.0, 9.0),
            ("large", 10, 0.0, 8.0),
            ("x", 9, 0.0, 7.0),
            ("=x", 1, 0.0, 0.0),
            (MISSING, 1, 0, 3.0),
        ]
    )
    found = money_of_campaigns(rows)
    assert found["campaign"].tolist() == ["paid for", "large", "(others: 3 campaigns)"]
    assert found.loc[2, ["leads", "won", "spend", "revenue", "revenue_final"]].tolist() == [11, 3, 0, 10, 13]
    assert pd.isna(found.at[2, "verdict"])
    pd.testing.assert_series_equal(found[ADDS_UP].sum(), rows[ADDS_UP].sum())


def test_beyond_25_campaigns_the_others_are_summed_and_unknown_money_stays_unknown():
    rows = money([(f"c{place}", 20, 1.0, float(100 - place)) for place in range(30)])
    found = money_of_campaigns(rows)
    assert found["campaign"].tolist() == [*(f"c{place}" for place in range(25)), "(others: 5 campaigns)"]
    assert found["leads"].sum() == 600
    assert len(money_of_campaigns(rows[:26])) == 26
    unknown = money_of_campaigns(rows.assign(revenue=np.nan, spend=np.nan))
    assert unknown["revenue"].isna().all()
    assert money_of_campaigns(rows[:0]).empty


def test_what_a_channel_brings_is_not_set_against_the_spend_of_a_few_of_its_quarters():
    quarters = [{"channel": channel, "cohort": cohort, "leads": 50} for channel in "ab" for cohort in (1, 2, 3)]
    spend = pd.DataFrame(
        [("a", 1, 9.0), ("a", 2, 9.0), ("a", 3, 0.0), ("b", 3, 9.0)], columns=["channel", "cohort", "spend"]
    )
    found = pd.DataFrame({"channel": ["a", "b", "c"], "verdict": ["green", "green", "no leads"]})
    verdicts = with_spend_on_record(found, pd.DataFrame(quarters), spend)["verdict"]
    assert verdicts.tolist() == ["green", "part spend", "no leads"]
    assert with_spend_on_record(found, pd.DataFrame(quarters), None)["verdict"].equals(found["verdict"])
