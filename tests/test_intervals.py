"""Intervals: published number, second library, property, edge."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from funnelstats.core.intervals import (
    clopper_pearson_interval,
    goodman_intervals,
    mover_difference,
    mover_ratio,
    newcombe_interval,
    poisson_ratio_interval,
    wilson_interval,
)

ONE_SHARE = (wilson_interval, clopper_pearson_interval)
CELLS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))

WILSON_OF_R = [
    (0, 1, 0, 0.793450685623),
    (1, 1, 0.206549314377, 1),
    (0, 10, 0, 0.277532799863),
    (10, 10, 0.722467200137, 1),
    (3, 10, 0.107791267406, 0.603221852539),
    (1, 29, 0.00611321429276, 0.171755218793),
    (81, 263, 0.255288519878, 0.366209576983),
]
CLOPPER_PEARSON_OF_R = [
    (0, 1, 0, 0.975),
    (1, 1, 0.025, 1),
    (0, 10, 0, 0.308497107819),
    (10, 10, 0.691502892181, 1),
    (3, 10, 0.0667395111777, 0.65245285006),
    (1, 29, 0.00087264688358, 0.177644295489),
    (81, 263, 0.252736745585, 0.367621922601),
]
NEWCOMBE_TABLE_II = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
]


@pytest.mark.parametrize(
    ("interval", "published"),
    list(zip(ONE_SHARE, (WILSON_OF_R, CLOPPER_PEARSON_OF_R), strict=True)),
)
def test_one_share_has_the_limits_that_r_prints(interval, published) -> None:
    k, n, lower, upper = np.array(published).T
    np.testing.assert_allclose(interval(k, n), (lower, upper), atol=2e-11)


def test_a_difference_has_the_limits_of_newcombes_second_table() -> None:
    k1, n1, k2, n2, lower, upper = np.array(NEWCOMBE_TABLE_II).T
    np.testing.assert_allclose(newcombe_interval(k1, n1, k2, n2), (lower, upper), atol=5.1e-5)


def test_a_ratio_has_the_limits_published_for_the_epinephrine_trial() -> None:
    """Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables, chapter 4."""
    first, second = (7 / 34, *wilson_interval(7, 34)), (1 / 34, *wilson_interval(1, 34))
    np.testing.assert_allclose(mover_ratio(first, second), (1.1537, 41.9763), atol=5e-5)


def test_shares_of_one_whole_have_goodmans_limits() -> None:
    counts = [5, 11, 19, 30, 58, 67, 92, 118, 173, 297]
    lower, upper = goodman_intervals(counts)
    np.testing.assert_allclose(lower[[0, 4, 9]], [0.00175913, 0.04660601, 0.2978577], atol=1e-8)
    np.testing.assert_allclose(upper[[0, 4, 9]], [0.01860749, 0.09450612, 0.38774834], atol=1e-8)


def test_observed_over_expected_has_the_limits_of_poisson_test() -> None:
    np.testing.assert_allclose(poisson_ratio_interval(14, 20.3), (0.37704090031, 1.15712419319), rtol=1e-10)


@pytest.mark.parametrize(("interval", "name"), list(zip(ONE_SHARE, ("wilson", "beta"), strict=True)))
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_one_share_agrees_with_statsmodels(interval, name, level) -> None:
    n = np.repeat([1, 2, 7, 40, 1000], 3)
    k = np.column_stack([np.zeros(5), n[::3] // 2, n[::3]]).ravel()
    np.testing.assert_allclose(interval(k, n, level), proportion_confint(k, n, 1 - level, method=name), atol=1e-10)


@given(CELLS, CELLS)
@settings(max_examples=100, deadline=None)
def test_a_difference_agrees_with_statsmodels(first, second) -> None:
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff", correction=False)
    np.testing.assert_allclose(newcombe_interval(*first, *second), expected, atol=1e-9)


def test_observed_over_expected_agrees_with_scipy() -> None:
    observed, expected = np.array([0, 1, 7, 300]), np.array([2.0, 0.5, 7.7, 250.0])
    lower, upper = poisson_ratio_interval(observed, expected, 0.9)
    np.testing.assert_allclose(stats.poisson.cdf(observed, upper * expected), 0.05, rtol=1e-9)
    np.testing.assert_allclose(stats.poisson.sf(observed[1:] - 1, (lower * expected)[1:]), 0.05, rtol=1e-9)
    assert lower[0] == 0


def test_a_ratio_is_the_reciprocal_of_the_ratio_the_other_way_round() -> None:
    first, second = (0.3, 0.2, 0.45), (0.1, 0.06, 0.2)
    lower, upper = mover_ratio(first, second)
    np.testing.assert_allclose(mover_ratio(second, first), (1 / upper, 1 / lower))


@pytest.mark.parametrize("interval", ONE_SHARE)
@given(cell=CELLS)
@settings(max_examples=100, deadline=None)
def test_limits_hold_the_share_and_stay_within_0_and_1(interval, cell) -> None:
    k, n = cell
    lower, upper = interval(k, n)
    mirrored_lower, mirrored_upper = interval(n - k, n)
    assert 0 <= lower <= upper <= 1
    assert lower <= k / n <= upper
    np.testing.assert_allclose((mirrored_lower, mirrored_upper), (1 - upper, 1 - lower), atol=1e-9)


@pytest.mark.parametrize("interval", ONE_SHARE)
def test_where_nobody_entered_everything_is_possible(interval) -> None:
    np.testing.assert_array_equal(interval([0, np.nan], [0, np.nan]), [[0, 0], [1, 1]])


def test_a_difference_with_nobody_is_unknown() -> None:
    np.testing.assert_array_equal(newcombe_interval(0, 0, [3, 0], [10, 0]), [[-1, -1], [1, 1]])


def test_a_missing_estimate_leaves_the_widest_difference_its_interval_allows() -> None:
    np.testing.assert_allclose(mover_difference((np.nan, 0, 1), (0.5, 0.3, 0.7)), (-0.7, 0.7))


def test_a_ratio_to_what_may_be_nothing_has_no_upper_limit() -> None:
    none, nobody = (0.0, *wilson_interval(0, 10)), (np.nan, 0.0, 1.0)
    some = (0.5, *wilson_interval(5, 10))
    lower, upper = mover_ratio(some, none)
    assert 0 < lower < upper == np.inf
    assert mover_ratio(none, some)[0] == 0
    for missing in (mover_ratio(nobody, some), mover_ratio(some, nobody), mover_ratio(none, none)):
        np.testing.assert_array_equal(missing, (0, np.inf))


def test_nothing_expected_gives_no_ratio() -> None:
    np.testing.assert_array_equal(poisson_ratio_interval([0, 3], 0), [[0, 0], [np.inf, np.inf]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval([1, 5], [2, 3]), "between 0 and entered, got 5.0 of 3.0 at position 1"),
        (lambda: clopper_pearson_interval(-1, 3), "got -1.0 of 3.0"),
        (lambda: wilson_interval(1, 3, level=95), "between 0 and 1, got 95; for 95 % write 0.95"),
        (lambda: poisson_ratio_interval(1, -3), "must not be negative, got 1.0 of -3.0"),
    ],
)
def test_impossible_counts_are_refused_by_name(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (clopper_pearson_interval, (0.9904, 0.9798, 0.9734, 0.9693, 0.9646)),
        (wilson_interval, (0.9552, 0.9534, 0.9524, 0.9518, 0.9511)),
    ],
)
def test_mean_coverage_is_the_exact_one(interval, expected) -> None:
    """No simulation: over p ~ U(0, 1) each k of n + 1 is as likely as any other, given k p is Beta."""
    for n, coverage in zip((5, 15, 30, 50, 100), expected, strict=True):
        k = np.arange(n + 1)
        lower, upper = interval(k, n)
        held = stats.beta.cdf(upper, k + 1, n - k + 1) - stats.beta.cdf(lower, k + 1, n - k + 1)
        assert held.mean() == pytest.approx(coverage, abs=1e-4)
