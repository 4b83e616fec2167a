"""Returns: the formulas by hand, resampling and simulation beside the limits, every way money can be unknown."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from scipy import special, stats
from statsmodels.stats.proportion import proportion_confint

from funnelstats.money.revenue import deals_to_come, payback, relative_variance, returns, returns_table, rivals

FUNNEL = funnel_of("lead", "met", "paid", days=[20, 40])
Z = special.ndtri(0.975)


def counted(paid, **keys):
    """A row of `money_counts` from what each lead paid."""
    paid = np.asarray(paid, dtype=float)
    deals = paid[paid > 0]
    return {
        **keys,
        "leads": len(paid),
        "won": len(deals),
        "deals": len(deals),
        "revenue": paid.sum(),
        "returned": paid[paid < 0].sum(),
        "biggest": deals.max() if len(deals) else np.nan,
        "lead_mean": paid.mean() if len(paid) else np.nan,
        "lead_var": paid.var(ddof=1) if len(paid) > 1 else np.nan,
        "deal_mean": deals.mean() if len(deals) else np.nan,
        "deal_var": deals.var(ddof=1) if len(deals) > 1 else np.nan,
    }


def by_channel(**paid):
    return pd.DataFrame([counted(amounts, channel=channel) for channel, amounts in paid.items()])


def spent(**amounts):
    return pd.DataFrame({"channel": list(amounts), "spend": [float(amount) for amount in amounts.values()]})


def matured(counts, spend):
    """The returns of leads none of which is young any more."""
    keys = [name for name in ("channel", "campaign") if name in counts]
    return returns(counts, spend, counts[keys].assign(open=0, to_come=0.0, to_come_error=0.0))


def row_of(frame, channel):
    return frame.set_index("channel").loc[channel]


FEW = [*[0.0] * 16, 50.0, 100.0, 150.0, 100.0]
MANY = [*[0.0] * 50, *[80.0] * 25, *[120.0] * 25]


def test_the_limits_are_those_of_the_formula():
    rows = matured(by_channel(Ads=FEW, Fair=MANY), spent(Ads=200, Fair=1000))
    deals = np.array([paid for paid in FEW + MANY if paid > 0])
    cv2 = deals.var(ddof=1) / deals.mean() ** 2
    n, k, s1, s2 = 20, 4, sum(FEW), sum(paid**2 for paid in FEW)
    own, floor = (n * s2 / s1**2 - 1) / (n - 1), (1 + cv2) / k - 1 / n
    wide = np.exp(Z * np.sqrt(max(own, floor)))
    ads = row_of(rows, "Ads")
    assert ads[["roi", "roi_lower", "roi_upper"]].tolist() == pytest.approx(
        [400 / 200 - 1, 400 / wide / 200 - 1, 400 * wide / 200 - 1]
    )
    assert ads[["back", "biggest_share", "cost_per_lead", "cost_per_sale"]].tolist() == [2, 0.375, 10, 50]


def test_deals_that_happen_to_be_alike_do_not_promise_more_than_so_few_can():
    alike = relative_variance(100, 3, 3.0, np.var([*[0] * 97, *[100] * 3], ddof=1), 2.0)
    assert alike == pytest.approx(3 / 3 - 1 / 100)
    own = relative_variance(100, 3, 3.0, np.var([*[0] * 97, *[100] * 3], ddof=1), 0.0)
    assert own == pytest.approx((100 * 3e4 / 300**2 - 1) / 99)


def test_with_many_deals_the_limits_are_those_of_resampling():
    random = np.random.default_rng(7)
    paid = random.lognormal(4, 0.8, 3000) * (random.random(3000) < 0.2)
    rows = matured(by_channel(Ads=paid), spent(Ads=paid.sum()))
    resampled = stats.bootstrap(
        (paid,), np.mean, n_resamples=2000, batch=200, method="percentile", rng=np.random.default_rng(8)
    ).confidence_interval
    found = rows.loc[0, ["back_lower", "back_upper"]].to_numpy(dtype=float)
    assert found == pytest.approx(np.array(resampled) / paid.mean(), rel=0.015)


def test_the_cost_of_a_sale_inverts_wilson_s_limits_of_the_conversion():
    row = matured(by_channel(Ads=FEW), spent(Ads=200)).iloc[0]
    low, high = proportion_confint(4, 20, method="wilson")
    assert row[["cost_per_sale_lower", "cost_per_sale_upper"]].tolist() == pytest.approx(
        [200 / (20 * high), 200 / (20 * low)]
    )


def test_without_a_deal_revenue_may_still_be_the_upper_conversion_times_the_mean_deal_of_all():
    rows = matured(by_channel(Ads=[0.0] * 30, Fair=MANY), spent(Ads=100, Fair=100))
    ads = row_of(rows, "Ads")
    _, most = proportion_confint(0, 30, method="wilson")
    assert ads[["roi", "roi_lower"]].tolist() == [-1, -1]
    assert ads["roi_upper"] == pytest.approx(30 * most * 100 / 100 - 1)
    assert ads["verdict"] == "too few"
    assert np.isnan(ads["cost_per_sale"])
    assert np.isinf(ads["cost_per_sale_upper"])


def test_before_the_first_deal_of_all_nothing_limits_what_may_come():
    rows = matured(by_channel(Ads=[0.0] * 40), spent(Ads=500))
    assert rows[["back_lower", "back_upper"]].iloc[0].tolist() == [0, np.inf]
    assert rows["verdict"].tolist() == ["too few"]


def test_no_spend_gives_no_return_and_no_leads_no_cost_and_both_keep_their_rows():
    rows = matured(by_channel(Partner=MANY, Ads=FEW), spent(Radio=70, Ads=100))
    assert rows["channel"].tolist() == ["Partner", "Ads", "Radio"]
    partner, radio = row_of(rows, "Partner"), row_of(rows, "Radio")
    assert (partner["spend"], partner["verdict"]) == (0, "no spend")
    assert partner[["roi", "roi_final", "roi_lower", "cost_per_lead", "cost_per_sale", "back"]].isna().all()
    assert radio[["leads", "revenue", "roi", "verdict"]].tolist() == [0, 0, -1, "no leads"]
    assert radio[["cost_per_lead", "cost_per_sale", "biggest_share"]].isna().all()
    assert np.isinf(radio["roi_upper"])
    shown = returns_table(rows, matured(pd.DataFrame([counted(MANY + FEW)]), pd.DataFrame({"spend": [170.0]})))
    assert shown["channel"].tolist() == ["Partner", "Ads", "Radio", "(all)"]
    assert np.isnan(row_of(shown, "Radio")["roi_upper"])
    assert row_of(shown, "(all)")["revenue"] == rows["revenue"].sum()


def test_a_single_channel_is_told_once_and_none_at_all_is_called_all():
    for name, shown in (("Ads", "Ads"), ("(missing)", "(all)")):
        rows = matured(by_channel(**{name: MANY}), spent(**{name: 100}))
        assert returns_table(rows, rows.drop(columns="channel"))["channel"].tolist() == [shown]


@pytest.mark.parametrize("cohort", ["cohort", "cohort_month"])
def test_cohorts_stand_in_their_order_whatever_they_brought(cohort):
    days = pd.to_datetime(["2026-04-01", "2026-01-01", "2026-10-01"])
    counts = pd.DataFrame([counted(paid, **{cohort: day}) for day, paid in zip(days, [FEW, MANY, FEW], strict=True)])
    spend = pd.DataFrame({cohort: days, "spend": [10.0, 20.0, 900.0]})
    assert returns(counts, spend)[cohort].is_monotonic_increasing


def test_spend_and_leads_without_a_channel_are_not_each_other_s():
    rows = matured(by_channel(**{"(missing)": MANY, "Ads": FEW}), spent(**{"(missing)": 1, "Ads": 100}))
    assert rows["channel"].tolist() == ["Ads", "(missing)"]
    assert rows["verdict"].tolist() == ["green", "no channel"]
    assert np.isnan(rows["roi"].iloc[1])
    alone = matured(by_channel(**{"(missing)": MANY}), spent(**{"(missing)": 100}))
    assert alone["verdict"].tolist() == ["green"]


def test_unknown_payments_or_costs_are_unknown_and_not_zero():
    counts = by_channel(Ads=FEW)
    counts[["revenue", "returned", "biggest", "lead_mean", "lead_var", "deal_mean", "deal_var"]] = np.nan
    counts["deals"] = 0
    row = matured(counts, spent(Ads=100, Radio=5)).set_index("channel").loc["Ads"]
    assert row[["revenue", "revenue_final", "roi", "back", "biggest_share"]].isna().all()
    assert (row["roi_lower"], row["roi_upper"], row["verdict"]) == (-1, np.inf, "no payments")
    assert row["cost_per_sale"] == 25
    row = matured(by_channel(Ads=FEW), None).iloc[0]
    assert row["revenue"] == 400
    assert row[["spend", "roi", "cost_per_lead"]].isna().all()


def test_more_given_back_than_paid_loses_where_it_is_no_single_refund():
    one, many = [*FEW, -900.0], [*FEW, *FEW, *FEW, *[-60.0] * 60]
    rows = matured(by_channel(One=one, Many=many), spent(One=100, Many=100)).set_index("channel")
    assert rows["roi"].to_dict() == {"One": -6, "Many": -25}
    assert rows["verdict"].to_dict() == {"One": "undecided", "Many": "red"}
    error = Z * np.std(one, ddof=1) * len(one) ** 0.5
    assert rows.loc["One", ["roi_lower", "roi_upper"]].tolist() == pytest.approx([-6 - error / 100, -6 + error / 100])
    assert np.isnan(rows.loc["One", "biggest_share"])
    # its open leads are taken to pay as everybody's do, not to be given back more
    to_come = pd.DataFrame({"channel": ["Many", "Ads"], "open": [30, 0], "to_come": [20, 0], "to_come_error": [3, 0]})
    rows = returns(by_channel(Many=many, Ads=MANY), spent(Many=100, Ads=100), to_come).set_index("channel")
    assert rows.loc["Many", "revenue_final"] == pytest.approx(-2400 + 20 * (5000 - 2400) / (50 + 12))


def test_losing_and_earning_are_said_only_beyond_chance():
    rows = matured(by_channel(Ads=MANY, Fair=MANY, Mail=MANY), spent(Ads=20000, Fair=5000, Mail=500))
    assert rows.set_index("channel")["verdict"].to_dict() == {"Ads": "red", "Fair": "undecided", "Mail": "green"}
    assert rows["channel"].tolist() == ["Ads", "Fair", "Mail"]


def test_no_leads_at_all_are_no_rows():
    none = by_channel(Ads=[]).iloc[:0]
    assert matured(none, spent(Ads=1).iloc[:0]).empty
    assert matured(none, spent(Ads=1))[["channel", "leads", "spend", "verdict"]].to_numpy().tolist() == [
        ["Ads", 0, 1, "no leads"]
    ]
    assert matured(by_channel(Ads=FEW), spent(Ads=1).iloc[:0])["verdict"].tolist() == ["no spend"]
    whole = matured(pd.DataFrame([counted([])]).assign(revenue=np.nan), None)
    assert whole[["leads", "verdict"]].to_numpy().tolist() == [[0, "no leads"]]


# What young leads will still bring


def ages(rows, **keys):
    """Age counts from (age, advanced, lost, open)."""
    frame = pd.DataFrame(rows, columns=["age_days", "advanced", "lost", "open"])
    frame.insert(0, "from_stage", "lead")
    for key, value in keys.items():
        frame.insert(0, key, value)
    return frame


PAST = [(10, 20, 10, 0), (30, 20, 10, 0), (60, 0, 0, 40)]
"""Of 100 leads 20 are won on day 10 and 20 on day 30, 10 end on each; 40 stay open."""


def test_an_open_lead_is_won_as_past_leads_of_its_age_were():
    young = ages([(5, 0, 0, 10), (20, 3, 0, 7), (70, 0, 0, 9)], channel="Ads")
    row = deals_to_come(young, ages(PAST, channel="Ads"), FUNNEL).iloc[0]
    assert row[["channel", "open"]].tolist() == ["Ads", 17]
    assert row["to_come"] == pytest.approx(10 * 0.4 + 7 * 20 / 70)
    assert 0 < row["to_come_error"] < 17


def test_a_channel_without_a_past_is_judged_by_all_others_and_nobody_s_past_is_unknown():
    young = pd.concat([ages([(5, 0, 0, 10)], channel="New"), ages([(5, 0, 0, 10)], channel="Ads")])
    past = pd.concat([ages(PAST, channel="Ads"), ages([(5, 0, 0, 10)], channel="New")])
    found = deals_to_come(young, past, FUNNEL).set_index("channel")
    assert found.loc["Ads", "to_come"] == pytest.approx(4)
    assert found.loc["New", "to_come"] == pytest.approx(4)
    assert deals_to_come(young, young, FUNNEL)["to_come"].isna().all()
    rows = returns(by_channel(New=FEW, Ads=FEW), spent(New=5, Ads=5), deals_to_come(young, young, FUNNEL))
    assert rows["revenue_final"].isna().all()
    assert rows["roi_final_upper"].tolist() == [np.inf] * 2
    assert rows["verdict"].tolist() == ["undecided"] * 2


def test_revenue_at_maturity_adds_what_a_won_lead_of_the_channel_pays():
    to_come = deals_to_come(ages([(5, 0, 0, 10)], channel="Ads"), ages(PAST), FUNNEL)
    rows = returns(by_channel(Ads=FEW, Fair=MANY), spent(Ads=200, Fair=900), to_come.assign(channel="Ads"))
    ads = row_of(rows, "Ads")
    assert ads["revenue_final"] == pytest.approx(400 + 4 * 100)
    assert ads["cost_per_sale"] == pytest.approx(200 / 8)
    assert ads["roi_final_lower"] < ads["roi_final"] < ads["roi_final_upper"]
    assert ads["roi_final"] == pytest.approx(ads["back"] - 1)


def test_without_what_is_to_come_all_is_only_so_far_and_nobody_is_judged():
    rows = returns(by_channel(Ads=MANY, Fair=MANY), spent(Ads=20000, Fair=500))
    assert rows["roi"].tolist() == [-0.75, 9]
    assert rows[["open", "to_come", "revenue_final", "roi_final", "back", "cost_per_sale"]].isna().all(axis=None)
    assert rows["verdict"].tolist() == ["undecided"] * 2
    assert rows["cost_per_sale_lower"].tolist() == pytest.approx([200, 5])
    part = returns(
        by_channel(Ads=MANY, Fair=MANY),
        spent(Ads=20000, Fair=500),
        pd.DataFrame({"channel": ["Ads"], "open": [0], "to_come": [0.0], "to_come_error": [0.0]}),
    )
    assert row_of(part, "Ads")["verdict"] == "red"
    assert row_of(part, "Fair")[["revenue_final", "verdict"]].tolist() == pytest.approx(
        [np.nan, "undecided"], nan_ok=True
    )


def test_the_error_of_the_mean_deal_is_on_what_is_to_come_too():
    to_come = pd.DataFrame({"channel": ["Ads"], "open": [50], "to_come": [50.0], "to_come_error": [0.0]})
    row = returns(by_channel(Ads=MANY), spent(Ads=10000), to_come).iloc[0]
    deals = np.array([paid for paid in MANY if paid > 0])
    cv2 = deals.var(ddof=1) / deals.mean() ** 2
    floor = (1 + cv2) / 50 - 1 / 100
    v = max(floor, np.var(MANY, ddof=1) / 100 / np.mean(MANY) ** 2)
    mean_deal = v - (1 / 50 - 1 / 100)
    assert row["back"] == 1
    assert row["back_upper"] == pytest.approx(np.exp(Z * np.sqrt((1 / 50 - 1 / 100) / 4 + mean_deal)), rel=1e-3)


def test_among_many_groups_a_range_that_leaves_out_break_even_is_no_colour_yet():
    alone = matured(by_channel(Ads=MANY), spent(Ads=6500))
    many = matured(by_channel(**{f"c{place}": MANY for place in range(25)}), spent(c0=6500, **{
        f"c{place}": 5000 for place in range(1, 25)
    }))  # fmt: skip
    assert alone["verdict"].tolist() == ["red"]
    assert row_of(many, "c0")["back_upper"] < 1
    assert set(many["verdict"]) == {"undecided"}


def test_the_best_has_rivals_unless_it_is_better_beyond_chance():
    rows = matured(by_channel(Ads=MANY, Fair=MANY, Mail=MANY), spent(Ads=2500, Fair=1100, Mail=1000))
    assert rivals(rows)["channel"].tolist() == ["Fair"]
    assert rivals(rows[rows["channel"] == "Mail"]).empty


def covered(draw, channels=5, leads=150, chance=0.1, runs=1000, seed=1):
    """How often the limits of a channel's revenue hold the true one, deals being drawn so; many pages at once."""
    random = np.random.default_rng(seed)
    truth = chance * draw(random, 1_000_000).mean()
    bought = random.random((runs, channels, leads)) < chance
    paid = draw(random, bought.size).reshape(bought.shape) * bought
    deals, mean = bought.sum(axis=-1), paid.mean(axis=-1)
    everybody = np.where(bought, paid, np.nan).reshape(runs, -1)
    cv2 = (np.nanvar(everybody, axis=1, ddof=1) / np.nanmean(everybody, axis=1) ** 2)[:, None]
    wide = np.exp(Z * np.sqrt(relative_variance(leads, deals, mean, paid.var(axis=-1, ddof=1), cv2)))
    return np.mean(((mean / wide <= truth) & (truth <= mean * wide))[deals > 0])


@pytest.mark.parametrize(
    "draw",
    [
        lambda random, n: random.lognormal(0, 0.6, n),
        lambda random, n: random.lognormal(0, 1.0, n),
        lambda random, n: random.exponential(1, n),
        lambda random, n: random.uniform(1, 1, n),
        lambda random, n: random.gamma(2, 1, n),
    ],
    ids=["lognormal .6", "lognormal 1", "exponential", "all alike", "gamma"],
)
def test_the_limits_of_revenue_hold_the_truth_as_often_as_they_promise(draw):
    assert 0.93 <= covered(draw) <= 0.985


def test_the_limits_at_maturity_hold_the_truth_as_often_as_they_promise():
    """Leads of 180 days, 30 % won within the 60 days; the page knows half of the last ones' outcomes."""
    random = np.random.default_rng(3)
    chance, held, biased = 0.3, [], []
    days, leads = 180, 400
    for _ in range(40):
        entered = random.integers(0, days, leads)
        delay = np.where(random.random(leads) < chance, random.integers(1, 61, leads), 9999)
        lost = random.integers(1, 150, leads)
        age = days - entered
        won, gone = (delay <= age) & (delay < lost), (lost <= age) & (lost <= delay)
        paid = won * random.lognormal(0, 0.7, leads)
        when = np.where(won, delay, np.where(gone, lost, age))
        frame = pd.DataFrame({"from_stage": "lead", "age_days": when, "advanced": won, "lost": gone})
        frame = frame.assign(open=~won & ~gone)
        past = frame.groupby(["from_stage", "age_days"], as_index=False)[["advanced", "lost", "open"]].sum()
        young = frame[entered > 90].groupby(["from_stage", "age_days"], as_index=False)[
            ["advanced", "lost", "open"]
        ].sum()  # fmt: skip
        own = paid[entered > 90]
        truth = len(own) * np.exp(0.7**2 / 2) * chance * np.mean(
            [(np.arange(1, 150) > day).mean() for day in range(1, 61)]
        )  # fmt: skip
        row = returns(
            pd.DataFrame([counted(own)]), pd.DataFrame({"spend": [truth]}), deals_to_come(young, past, FUNNEL)
        ).iloc[0]
        held.append(row["back_lower"] <= 1 <= row["back_upper"])
        biased.append(row["back"])
    assert np.mean(held) >= 0.9
    assert np.mean(biased) == pytest.approx(1, abs=0.05)


# Payback


def test_payback_counts_months_from_the_first_spend_until_payments_cover_it():
    quarter = pd.Timestamp("2026-01-01")
    monthly = pd.DataFrame(
        {
            "channel": ["Ads"] * 3 + ["Fair"],
            "cohort": quarter,
            "month": [2, 3, 5, 3],
            "revenue": [40.0, 60.0, 50.0, 9.0],
        }
    )
    spend = pd.DataFrame(
        {
            "channel": ["Ads", "Fair", "Radio", "Partner"],
            "cohort": quarter,
            "spend": [100.0, 10.0, 5.0, 0.0],
            "spent_from": [pd.Timestamp(day) for day in ("2026-02-10", "2026-01-01", "2026-03-31", None)],
        }
    )
    found = payback(monthly, spend, date(2026, 6, 15)).set_index("channel")
    assert found.index.tolist() == ["Ads", "Fair", "Radio"]
    assert found["months"].fillna(-1).tolist() == [2, -1, -1]
    assert found["covered"].tolist() == pytest.approx([1.5, 0.9, 0])
    assert found["watched"].tolist() == [5, 6, 4]
    assert found["quarter"].tolist() == ["2026-Q1"] * 3
    assert payback(monthly, None, date(2026, 6, 1)).columns.tolist() == list(found.reset_index())
