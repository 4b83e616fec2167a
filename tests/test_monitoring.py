"""CUSUM and e-values: published run lengths, integration, simulation by hand, edges."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from funnelstats.statistics.monitoring import (
    cusum_arl,
    e_alarms,
    e_benjamini_hochberg,
    e_values,
    since_when,
)


def funnel_of(target: float | None = 0.8, tolerance: float = 0.0, **targets: float) -> SimpleNamespace:
    step = SimpleNamespace(
        from_stage="lead", to_stage="met", target=target, tolerance=tolerance, targets=targets, horizon_days=7
    )
    return SimpleNamespace(steps=(step,), system_users=("robot",))


def weeks_of(entered, converted, **keys) -> pd.DataFrame:
    mondays = pd.date_range("2026-01-05", periods=len(entered), freq="7D", unit="us")
    frame = pd.DataFrame({**keys, "week": mondays, "from_stage": "lead", "to_stage": "met"})
    return frame.assign(entered=entered, converted=converted)


def falling(good: int, bad: int, **keys) -> pd.DataFrame:
    return weeks_of([12] * (good + bad), [10] * good + [7] * bad, **keys)


def test_run_lengths_are_those_of_the_exact_chain() -> None:
    design = {"floor": 0.20, "worse": 0.14, "limit": 3.0, "states": 2000}
    found = [cusum_arl(rate, 40, **design) for rate in (0.20, 0.14, 0.10)]
    np.testing.assert_allclose(found, [113.5, 6.49, 3.21], rtol=2e-3)


def test_run_lengths_agree_with_sums_played_through() -> None:
    gain, loss = np.log(1.5), np.log(0.75)
    rng = np.random.default_rng(5)
    sums, weeks, alive = np.zeros(4000), np.zeros(4000), np.ones(4000, dtype=bool)
    while alive.any():
        won = rng.binomial(3, 0.6, sums.size)
        sums = np.maximum(sums + (3 - won) * gain + won * loss, 0)
        weeks += alive
        alive &= sums < 2.3
    found = cusum_arl(0.6, 3, floor=2 / 3, worse=0.5, limit=2.3)
    assert found == pytest.approx(weeks.mean(), rel=0.05)


def test_the_week_in_which_a_step_began_to_leak_is_named() -> None:
    found = since_when(falling(20, 8), funnel_of()).iloc[0]
    assert found["alarm"]
    assert found["since"] == pd.Timestamp("2026-05-25")
    assert (found["before_rate"], found["after_rate"]) == pytest.approx((10 / 12, 7 / 12))
    assert found["statistic"] == found["limit"] > 2


def test_a_step_at_its_target_does_not_alarm() -> None:
    found = since_when(falling(28, 0), funnel_of()).iloc[0]
    assert not found["alarm"]
    assert pd.isna(found["since"])
    assert found["before_rate"] == pytest.approx(10 / 12)
    assert np.isnan(found["after_rate"])


def test_the_sum_is_that_of_the_log_likelihood_ratios() -> None:
    found = since_when(weeks_of([10, 10], [9, 6]), funnel_of()).iloc[0]
    worse = 0.8 / 1.2
    ratio = stats.binom.logpmf(6, 10, worse) - stats.binom.logpmf(6, 10, 0.8)
    assert found["statistic"] == pytest.approx(ratio)


def test_a_repaired_step_leaves_the_alarm() -> None:
    weeks = weeks_of([12] * 40, [10] * 10 + [6] * 20 + [11] * 10)
    assert since_when(weeks[:30], funnel_of())["alarm"].item()
    assert not since_when(weeks, funnel_of())["alarm"].item()


def test_one_good_week_does_not_end_an_alarm() -> None:
    found = since_when(weeks_of([12] * 21, [10] * 10 + [6] * 10 + [12]), funnel_of()).iloc[0]
    assert found["alarm"]
    assert 0 < found["statistic"] < found["limit"]
    assert found["since"] == pd.Timestamp("2026-03-16")


@pytest.mark.parametrize(("leads", "target"), [(1, 0.95), (12, 0.8), (120, 0.5)])
def test_the_limit_is_the_lowest_that_lets_a_step_at_its_floor_run_thirty_years(leads: int, target: float) -> None:
    limit = since_when(weeks_of([leads, 0], [leads, 0]), funnel_of(target))["limit"].item()
    run = [
        cusum_arl(target, leads, floor=target, worse=target / (2 - target), limit=near, states=round(near * 80))
        for near in (limit - 0.1, limit + 0.05)
    ]
    assert run[0] < 1560 < run[1]


def test_a_missed_target_is_missed_since_the_first_week_and_has_no_before() -> None:
    found = since_when(falling(0, 10), funnel_of()).iloc[0]
    assert found["since"] == pd.Timestamp("2026-01-05")
    assert np.isnan(found["before_rate"])


def test_weeks_of_one_lead_and_of_none_are_watched_too() -> None:
    few = weeks_of([1, 0, 1, 2, 0, 1, 1, 1, 2, 1, 1, 0, 1], [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    found = since_when(few, funnel_of()).iloc[0]
    assert found["alarm"]
    assert found["since"] == pd.Timestamp("2026-01-26")


def test_each_manager_has_a_target_and_only_people_are_named() -> None:
    weeks = pd.concat([falling(5, 8, manager=name) for name in ("(missing)", "robot", "B", "A")])
    found = since_when(weeks, funnel_of(A=0.5)).set_index("manager")
    assert list(found.index) == ["A", "B", "robot", "(missing)"]
    assert found["alarm"].tolist() == [False, True, False, False]
    assert found["limit"].isna().tolist() == [False, False, True, True]
    e = e_alarms(weeks, funnel_of(A=0.5)).set_index("manager")
    assert e["e_value"].isna().tolist() == [False, False, True, True]


@pytest.mark.parametrize("funnel", [funnel_of(None), funnel_of(0.0), funnel_of(1.0)])
def test_without_a_floor_between_none_and_all_there_is_no_alarm(funnel: SimpleNamespace) -> None:
    found = since_when(falling(3, 9), funnel).iloc[0]
    assert not found["alarm"]
    assert np.isnan(found["limit"])


def test_no_weeks_and_no_leads_give_no_alarm() -> None:
    for verb in (since_when, e_alarms):
        assert verb(falling(0, 0), funnel_of()).empty
        assert not verb(weeks_of([0, 0], [0, 0]), funnel_of())["alarm"].item()
    assert e_alarms(weeks_of([0, 0], [0, 0]), funnel_of())["e_value"].item() == pytest.approx(1)


def test_rows_in_any_order_or_split_give_the_same() -> None:
    weeks = falling(6, 8, manager="A")
    mixed = pd.concat([weeks.assign(entered=5, converted=4), weeks.assign(entered=7, converted=weeks["converted"] - 4)])
    expected = since_when(weeks, funnel_of())
    pd.testing.assert_frame_equal(since_when(mixed.sample(frac=1, random_state=1), funnel_of()), expected)


@pytest.mark.parametrize(("k", "n", "floor"), [(0, 5, 0.8), (3, 10, 0.5), (10, 10, 0.9), (70, 100, 0.8)])
def test_an_e_value_is_the_integral_over_rates_below_the_floor(k: int, n: int, floor: float) -> None:
    prior = stats.beta(0.5, 0.5)
    top, _ = integrate.quad(lambda p: stats.binom.pmf(k, n, p) * prior.pdf(p), 0, floor)
    bottom, _ = integrate.quad(prior.pdf, 0, floor)
    assert e_values(k, n, floor) == pytest.approx(top / bottom / stats.binom.pmf(k, n, floor), rel=1e-6)


def test_an_e_value_is_one_on_average_at_the_floor_and_less_above() -> None:
    k = np.arange(31)
    values = e_values(k, 30, 0.8)
    assert values @ stats.binom.pmf(k, 30, 0.8) == pytest.approx(1)
    assert values @ stats.binom.pmf(k, 30, 0.85) < 1


def test_the_value_of_several_weeks_is_one_on_average_at_the_floor() -> None:
    """All outcomes of two weeks of three leads."""
    outcomes = [(first, second) for first in range(4) for second in range(4)]
    weeks = pd.concat([weeks_of([3, 3], outcome, group=f"{outcome}") for outcome in outcomes])
    chance = stats.binom.pmf(outcomes, 3, 0.8).prod(axis=1)
    assert e_alarms(weeks, funnel_of())["e_value"] @ chance == pytest.approx(1)


def test_the_first_week_holds_half_of_the_weight() -> None:
    found = e_alarms(weeks_of([20], [9]), funnel_of()).iloc[0]
    assert found["e_value"] == pytest.approx((e_values(9, 20, 0.8) + 1) / 2)
    assert found[["entered", "converted"]].tolist() == [20, 9]


def test_good_weeks_do_not_outweigh_a_later_leak() -> None:
    found = e_alarms(falling(26, 12), funnel_of()).iloc[0]
    assert e_values(26 * 10 + 12 * 7, 38 * 12, 0.8) < 1
    assert found["e_value"] > 20
    assert found["alarm"]


def test_many_leads_far_from_the_floor_overflow_quietly() -> None:
    assert e_values([0, 100_000], 100_000, 0.8).tolist() == [np.inf, 0]


def test_e_benjamini_hochberg_takes_the_largest_that_are_large_enough_together() -> None:
    assert e_benjamini_hochberg([45, 41, 1, np.nan, 0]).tolist() == [True, True, False, False, False]
    assert e_benjamini_hochberg([45, 39, 1, np.nan, 0]).tolist() == [False] * 5
    assert e_benjamini_hochberg([20]).tolist() == [True]
    assert e_benjamini_hochberg([]).tolist() == []


@pytest.mark.simulation
def test_half_a_year_of_looking_each_week_alarms_falsely_in_one_case_in_fifty() -> None:
    """Weekly tests at 5 % do so in .53 of cases: 40 leads a week, rate at the floor of .20."""
    rng = np.random.default_rng(0)
    many, weeks, leads = 1500, 26, 40
    won = rng.binomial(leads, 0.2, (many, weeks))
    weekly = stats.binom.cdf(won, leads, 0.2) - stats.binom.pmf(won, leads, 0.2) / 2
    assert (weekly < 0.05).any(axis=1).mean() == pytest.approx(0.53, abs=0.03)
    mondays = pd.date_range("2026-01-05", periods=weeks, freq="7D")
    frame = pd.DataFrame({"case": np.repeat(np.arange(many), weeks), "week": np.tile(mondays, many)})
    frame = frame.assign(from_stage="lead", to_stage="met", entered=leads, converted=won.ravel())
    ever = np.zeros(many, dtype=bool)
    for monday in mondays:
        ever |= (e_alarms(frame[frame["week"] <= monday], funnel_of(0.2))["e_value"] >= 20).to_numpy()
    assert ever.mean() <= 0.02


@pytest.mark.simulation
@pytest.mark.parametrize(("leads", "target"), [(3, 0.95), (12, 0.8), (20, 0.5)])
def test_a_step_at_its_floor_runs_five_years_to_a_false_alarm_also_when_weeks_differ(leads: int, target: float) -> None:
    limit = since_when(weeks_of([leads], [leads]), funnel_of(target))["limit"].item()
    rng = np.random.default_rng(leads)
    sums, run, alive = np.zeros(2000), np.zeros(2000), np.ones(2000, dtype=bool)
    while alive.any():
        n = rng.poisson(leads, 2000)
        sums = np.maximum(sums + rng.binomial(n, 1 - target) * np.log(2) - n * np.log(2 - target), 0)
        run += alive
        alive &= sums < limit
    assert 240 <= run.mean() <= 340


def test_an_alarm_is_dated_to_the_week_from_which_the_evidence_is_strongest() -> None:
    late = e_alarms(falling(20, 12), funnel_of()).iloc[0]
    assert late["alarm"]
    assert late["since"] == pd.Timestamp("2026-05-25")
    assert e_alarms(falling(0, 12), funnel_of()).iloc[0]["since"] == pd.Timestamp("2026-01-05")
    assert pd.isna(e_alarms(falling(20, 0), funnel_of()).iloc[0]["since"])
