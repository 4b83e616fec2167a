"""Incidence under censoring: R's numbers, other libraries, loops over leads, edges."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from backends import bare_funnel
from sksurv.nonparametric import cumulative_incidence_competing_risks
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from funnelstats.core.incidence import days_in_stage, days_to_convert, hopes, incidence, incidence_at
from funnelstats.core.intervals import wilson_interval

WON, LOST, OPEN = 1, 2, 0


def funnel_of(*horizons: int) -> SimpleNamespace:
    """Stages a, b, c …, with these horizons between them."""
    return bare_funnel("abcdef"[: len(horizons) + 1], [None] * len(horizons), horizons)


def day_counts(ages, events, **keys) -> pd.DataFrame:
    ages, events = np.asarray(ages), np.asarray(events)
    names = {"advanced": WON, "lost": LOST, "open": OPEN}
    frame = pd.DataFrame({**keys, "from_stage": "a", "age_days": ages})
    frame = frame.assign(**{name: (events == event).astype(int) for name, event in names.items()})
    return frame.groupby([*keys, "from_stage", "age_days"], as_index=False).sum()


def random_leads(seed: int, size: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 25, size), rng.choice([WON, LOST, OPEN], size, p=[0.3, 0.4, 0.3])


SMALL = ([0, 1, 1, 2, 3, 3, 3, 5, 6, 6, 8, 9], [1, 2, 0, 1, 2, 1, 0, 2, 0, 1, 2, 0])
F1 = [0.0833333333333, 0.0833333333333, 0.175925925926, 0.268518518519, 0.268518518519, 0.37962962963]
SE1 = [0.079785592313, 0.079785592313, 0.113328777579, 0.133047604798, 0.133047604798, 0.15178942057]
F2 = [0, 0.0833333333333, 0.0833333333333, 0.175925925926, 0.287037037037, 0.287037037037, 0.453703703704]
SE2 = [0, 0.079785592313, 0.079785592313, 0.113328777579, 0.141862878188, 0.141862878188, 0.172515403799]
AML = {
    "M": ([9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161], [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]),
    "N": ([5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45], [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]),
}


def test_incidence_and_its_error_are_those_of_survfit() -> None:
    curve = incidence(day_counts(*SMALL))
    assert curve["age_days"].tolist() == [0, 1, 2, 3, 5, 6, 8, 9]
    np.testing.assert_allclose(curve["incidence"], [*F1, F1[-1], F1[-1]], atol=1e-11)
    np.testing.assert_allclose(np.sqrt(curve["variance"]), [*SE1, SE1[-1], SE1[-1]], atol=1e-11)


def test_incidence_of_loss_is_the_other_half_of_survfit() -> None:
    swapped = day_counts(*SMALL).rename(columns={"advanced": "lost", "lost": "advanced"})
    curve = incidence(swapped)
    np.testing.assert_allclose(curve["incidence"], [*F2, F2[-1]], atol=1e-11)
    np.testing.assert_allclose(np.sqrt(curve["variance"]), [*SE2, SE2[-1]], atol=1e-11)


@pytest.mark.parametrize(("group", "expected"), [("M", [31, 13, np.nan]), ("N", [23, 5, 33])])
def test_median_days_have_the_log_log_limits_of_r(group, expected) -> None:
    found = days_in_stage(day_counts(*AML[group]), [0.5])
    np.testing.assert_array_equal(found[["days", "days_lower", "days_upper"]].to_numpy()[0], expected)


def test_incidence_agrees_with_statsmodels_and_scikit_survival() -> None:
    ages, events = random_leads(1)
    curve = incidence(day_counts(ages, events))
    theirs = CumIncidenceRight(ages, events)
    at = np.searchsorted(theirs.times, curve["age_days"], side="right") - 1
    np.testing.assert_allclose(curve["incidence"], np.asarray(theirs.cinc[0])[at], atol=1e-12)
    days, shares = cumulative_incidence_competing_risks(events, ages)
    np.testing.assert_allclose(curve["incidence"], shares[1][np.searchsorted(days, curve["age_days"])], atol=1e-12)


def test_days_in_stage_agree_with_statsmodels() -> None:
    ages, events = random_leads(2)
    found = days_in_stage(day_counts(ages, events))
    theirs = SurvfuncRight(ages, events > 0)
    assert found["days"].tolist() == [theirs.quantile(share) for share in (0.25, 0.5, 0.75)]
    lower, upper = theirs.quantile_ci(0.5, method="cloglog")
    assert (found["days_lower"][1], found["days_upper"][1]) == (lower, upper)


def test_a_curve_resting_exactly_on_a_half_gives_the_midpoint() -> None:
    found = days_in_stage(day_counts([1, 2, 6, 9], [1, 1, 1, 1]), [0.5])
    assert found["days"].tolist() == [4]
    assert days_in_stage(day_counts([1, 2, 6, 8], [1, 1, 0, 0]), [0.5])["days"].tolist() == [5]


def test_without_censoring_incidence_is_the_plain_rate_with_wilsons_interval() -> None:
    ages, events = random_leads(3)
    events = np.where(events == OPEN, LOST, events)
    last = incidence(day_counts(ages, events)).iloc[-1]
    won, n = np.sum(events == WON), len(events)
    assert last["incidence"] == pytest.approx(won / n)
    assert last["variance"] == pytest.approx(won / n * (1 - won / n) / n)
    assert last["n_eff"] == pytest.approx(n)
    np.testing.assert_allclose((last["ci_lower"], last["ci_upper"]), wilson_interval(won, n))


def test_when_all_advance_the_incidence_ends_at_exactly_one() -> None:
    """Sums of shares of 1..40 leads a day end a rounding below or above 1 unless cared for."""
    parts = [day_counts(np.arange(size), [WON] * size, size=size) for size in range(1, 41)]
    curve = incidence(pd.concat(parts))
    assert (curve.groupby("size")["incidence"].max() == 1).all()
    assert (curve.groupby("size")["ci_upper"].max() == 1).all()
    young = pd.concat([day_counts([3], [OPEN], size=size) for size in range(5, 41)])
    assert hopes(young, pd.concat(parts), funnel_of(60))["hoped"].max() == 1


def test_groups_are_judged_apart_whatever_the_order_of_rows() -> None:
    parts = [day_counts(*random_leads(seed, 60), manager=f"M{seed}") for seed in range(5)]
    together = incidence(pd.concat(parts))
    apart = pd.concat([incidence(part) for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(together, apart)
    shuffled = incidence(pd.concat(parts).sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(
        shuffled.sort_values(["manager", "age_days"], ignore_index=True), apart, check_exact=False
    )


def test_day_counts_of_disjoint_groups_add() -> None:
    (ages_1, events_1), (ages_2, events_2) = random_leads(6), random_leads(7)
    stacked = pd.concat([day_counts(ages_1, events_1), day_counts(ages_2, events_2)])
    united = day_counts(np.append(ages_1, ages_2), np.append(events_1, events_2))
    pd.testing.assert_frame_equal(incidence(stacked).sort_values("age_days", ignore_index=True), incidence(united))


def test_the_rate_at_the_horizon_counts_its_last_day_and_nothing_later() -> None:
    days = day_counts([7, 8, 20, 20], [WON, WON, OPEN, LOST])
    found = incidence_at(incidence(days), funnel_of(7))
    assert found.columns.tolist() == [
        *("from_stage", "to_stage", "entered", "known", "rate", "n_eff", "ci_lower", "ci_upper")
    ]
    assert found.loc[0, ["from_stage", "to_stage", "entered", "known", "rate"]].tolist() == [
        "a",
        "b",
        4,
        4,
        0.25,
    ]
    assert incidence_at(incidence(days), funnel_of(8)).loc[0, "rate"] == 0.5


def test_before_anybody_left_the_rate_is_zero_of_all_who_were_watched() -> None:
    found = incidence_at(incidence(day_counts([9] * 15, [OPEN] * 15)), funnel_of(7)).iloc[0]
    assert (found["rate"], found["n_eff"], found["known"]) == (0, 15, 15)
    assert found["ci_upper"] == pytest.approx(wilson_interval(0, 15)[1])


def test_none_converted_weighs_only_leads_whose_state_is_known() -> None:
    found = incidence_at(incidence(day_counts([2] * 5 + [7] * 10, [OPEN] * 5 + [LOST] * 10)), funnel_of(7)).iloc[0]
    assert (found["rate"], found["entered"], found["known"], found["n_eff"]) == (0, 15, 10, 10)


def test_the_rate_is_missing_where_nobody_was_watched_to_the_horizon() -> None:
    young = incidence_at(incidence(day_counts([1, 2, 6], [WON, LOST, OPEN])), funnel_of(7)).iloc[0]
    assert np.isnan(young["rate"])
    assert np.isnan(young["n_eff"])
    assert (young["ci_lower"], young["ci_upper"], young["entered"], young["known"]) == (0, 1, 3, 2)
    decided = incidence_at(incidence(day_counts([1, 2], [WON, LOST])), funnel_of(7)).iloc[0]
    assert decided["rate"] == 0.5


def test_one_of_many_that_is_still_open_before_the_horizon_leaves_the_rate_known() -> None:
    # Of 100 leads 90 advance and 9 are lost by day 5; the one on its day 6 is the oldest that is left.
    rest = [*[1] * 90, *[5] * 9, 6], [WON] * 90 + [LOST] * 9 + [OPEN]
    found = incidence_at(incidence(day_counts(*rest)), funnel_of(7)).iloc[0]
    assert found[["rate", "known", "n_eff"]].tolist() == pytest.approx([0.905, 99, 99])
    more = incidence_at(incidence(day_counts([*rest[0], *[6] * 5], [*rest[1], *[OPEN] * 5])), funnel_of(7)).iloc[0]
    assert np.isnan(more["rate"])


def test_a_lead_that_leaves_when_all_others_are_out_of_sight_stands_for_them() -> None:
    # Half advance on the first day, as many came only two days ago, and the one watched longest advances at last.
    days = day_counts([1] * 10 + [2] * 10 + [30], [WON] * 10 + [OPEN] * 10 + [WON])
    rates = incidence_at(incidence(days), funnel_of(100))
    assert rates.loc[0, ["rate", "known"]].tolist() == [1, 11]
    assert rates.loc[0, "n_eff"] == pytest.approx(21 / 11)
    hoped = hopes(day_counts([2], [OPEN]), days, funnel_of(100))
    assert hoped.loc[0, ["hoped", "doubt"]].tolist() == pytest.approx([1, np.sqrt(0.75 * 0.25 / 3)])


def test_limits_from_a_record_shorter_than_the_horizon_hold_the_truth_where_there_are_any() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(2000), 61)
    watched, wins = rng.integers(0, 281, len(group)), rng.random(len(group)) < 0.5
    takes = rng.exponential(300, len(group)).astype(int)
    events = np.where(takes > watched, OPEN, np.where(wins, WON, LOST))
    days = day_counts(np.minimum(takes, watched), events, group=group)
    rates = incidence_at(incidence(days), funnel_of(400)).dropna()
    assert len(rates) > 50
    truth = 0.5 * (1 - np.exp(-401 / 300))
    assert rates["ci_lower"].le(truth).mul(rates["ci_upper"].ge(truth)).mean() > 0.94


def test_steps_without_leads_have_a_row_where_nothing_is_grouped() -> None:
    found = incidence_at(incidence(day_counts([1, 2], [WON, LOST])), funnel_of(7, 7))
    assert found["from_stage"].tolist() == ["a", "b"]
    assert found.loc[1, ["entered", "ci_lower", "ci_upper"]].tolist() == [0, 0, 1]
    assert np.isnan(found.loc[1, "rate"])
    assert incidence_at(incidence(day_counts([], [])), funnel_of(7))["rate"].isna().all()


def test_steps_come_in_the_order_of_the_funnel_within_each_group() -> None:
    one = day_counts([1, 2], [WON, LOST], manager="Б")
    other = one.assign(manager="А")
    days = pd.concat([other.assign(from_stage="b"), other, one.assign(from_stage="b"), one.assign(from_stage="c")])
    found = incidence_at(incidence(days), funnel_of(7, 7))
    assert list(zip(found["manager"], found["from_stage"], strict=True)) == [
        ("А", "a"),
        ("А", "b"),
        ("Б", "b"),
    ]


@pytest.mark.parametrize("age", [0, 5, 11])
def test_hopes_are_those_of_the_past_started_afresh_at_that_age(age) -> None:
    """The same chance by another way: the incidence of past leads still open after that age."""
    ages, events = random_leads(11)
    older = ages > age
    afresh = incidence_at(incidence(day_counts(ages[older], events[older])), funnel_of(12)).iloc[0]
    young = day_counts([age] * 10_000, [OPEN] * 10_000)
    found = hopes(young, day_counts(ages, events), funnel_of(12)).iloc[0]
    assert (found["entered"], found["converted"], found["open"]) == (10_000, 0, 10_000)
    assert found["hoped"] == pytest.approx(10_000 * afresh["rate"])
    careful = (afresh["rate"] * afresh["n_eff"] + 0.5) / (afresh["n_eff"] + 1)
    assert found["doubt"] == pytest.approx(10_000 * np.sqrt(careful * (1 - careful) / (afresh["n_eff"] + 2)))


def test_what_no_past_lead_has_shown_cannot_be_hoped_for() -> None:
    past = day_counts([2, 3], [WON, OPEN])
    unknown = hopes(day_counts([1, 1], [WON, OPEN]), past, funnel_of(7)).iloc[0]
    assert np.isnan(unknown["hoped"])
    assert (unknown["converted"], unknown["open"]) == (1, 1)
    # one of which nothing is known counts a half beside many that are known, and may be won or not
    few = hopes(day_counts([1] * 41, [WON] * 40 + [OPEN]), past, funnel_of(7)).iloc[0]
    assert (few["converted"], few["open"], few["hoped"]) == (40, 1, 0.5)
    assert few["hoped"] - 1.96 * few["doubt"] < 0 < 1 < few["hoped"] + 1.96 * few["doubt"]
    settled = hopes(day_counts([1, 7, 7, 8], [LOST, OPEN, WON, WON]), past, funnel_of(7)).iloc[0]
    assert (settled["converted"], settled["open"], settled["hoped"], settled["doubt"]) == (1, 0, 0, 0)


def test_each_young_group_has_the_hopes_of_the_past_it_shares() -> None:
    past = pd.concat(
        [
            day_counts([2] * 9 + [30], [WON] * 9 + [LOST], manager="A"),
            day_counts([30] * 5, [LOST] * 5, manager="B"),
        ]
    )
    young = pd.concat([day_counts([1] * 4, [OPEN] * 4, manager=name) for name in "ABC"])
    np.testing.assert_allclose(hopes(young, past, funnel_of(7))["hoped"], [3.6, 0, np.nan])
    np.testing.assert_allclose(hopes(young, past.drop(columns="manager"), funnel_of(7))["hoped"], 2.4)


def test_days_to_convert_of_leads_all_followed_are_quantiles_of_those_that_advanced_in_time() -> None:
    ages, _ = random_leads(7)
    events = np.where(np.arange(len(ages)) % 3 == 0, LOST, WON)
    in_time = np.sort(ages[(events == WON) & (ages <= 14)])
    curve = incidence(day_counts(ages, events, region=np.where(ages % 2, "odd", "even")))
    found = days_to_convert(incidence(day_counts(ages, events)), funnel_of(14))
    expected = [in_time[int(np.ceil(share * len(in_time))) - 1] for share in (0.25, 0.5, 0.75)]
    assert found["days"].tolist() == expected
    by_region = days_to_convert(curve, funnel_of(14)).set_index(["region", "share"])["days"]
    assert by_region["odd", 0.5] % 2 == 1
    assert by_region["even", 0.5] % 2 == 0


def test_days_to_convert_are_missing_where_nobody_advanced_or_the_horizon_is_not_reached() -> None:
    nobody = incidence(day_counts([3, 9], [LOST, OPEN]))
    assert days_to_convert(nobody, funnel_of(5))["days"].isna().all()
    young = incidence(day_counts([3, 4], [WON, OPEN]))
    assert days_to_convert(young, funnel_of(14))["days"].isna().all()
