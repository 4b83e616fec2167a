"""Since when and e-values: integration, numbers one can see, edges."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from backends import bare_funnel
from scipy import integrate, stats

from funnelstats.team.changes import e_alarms, e_benjamini_hochberg, e_values, since_when


def funnel_of(target: float | None = 0.8, **own: float) -> SimpleNamespace:
    return bare_funnel(("lead", "met"), [target], [7], own=own, system_users=("robot",))


def weeks_of(entered, converted, **keys) -> pd.DataFrame:
    mondays = pd.date_range("2026-01-05", periods=len(entered), freq="7D", unit="us")
    frame = pd.DataFrame({**keys, "week": mondays, "from_stage": "lead", "to_stage": "met"})
    return frame.assign(entered=entered, converted=converted)


def falling(good: int, bad: int, times: int = 1, **keys) -> pd.DataFrame:
    return weeks_of([12 * times] * (good + bad), [10 * times] * good + [7 * times] * bad, **keys)


def test_a_fall_has_a_likeliest_week_and_a_range_of_weeks() -> None:
    found = since_when(falling(20, 8), funnel_of()).iloc[0]
    assert found["alarm"]
    assert found["since"] == pd.Timestamp("2026-05-25")
    assert found["since_lower"] <= found["since"] <= found["since_upper"]
    assert found["since_upper"] - found["since_lower"] <= pd.Timedelta(weeks=8)
    assert (found["before_rate"], found["after_rate"]) == pytest.approx((10 / 12, 7 / 12))
    assert not found["at_start"]


def test_the_probability_of_a_fall_is_that_of_integrated_rates() -> None:
    """Four weeks, by sums over a grid of both rates; so few weeks leave Student's form of the evidence one free one."""
    entered = np.full(4, 10)
    converted = np.array([8, 8, 6, 6])
    found = since_when(weeks_of(entered, converted), funnel_of()).iloc[0]
    grid = (np.arange(2000) + 0.5) / 2000
    mass = stats.beta.pdf(grid, 0.5, 0.5)
    mass /= mass.sum()
    like = stats.binom.pmf(converted[:, None], 10, grid)
    both = mass[:, None] * mass * (grid[:, None] > grid) * 2
    fallen = np.array([(both * np.outer(like[:w].prod(0), like[w:].prod(0))).sum() for w in (1, 2, 3)])
    log = np.log(np.append(fallen, (mass * like.prod(0)).sum()))
    student = np.exp(-np.log1p(-2 * (log - log.max())))
    weight = student * [1 / 3, 1 / 3, 1 / 3, 1]
    assert found["dispersion"] == 1
    assert found["fell"] == pytest.approx(weight[:3].sum() / weight.sum(), abs=0.03)


def test_a_fall_that_ends_above_the_floor_is_no_alarm() -> None:
    found = since_when(weeks_of([100] * 26, [98] * 13 + [85] * 13), funnel_of()).iloc[0]
    assert found["fell"] > 0.99
    assert not found["alarm"]


def test_a_target_missed_from_the_first_weeks_on_is_said_to_be_so_and_gets_no_date() -> None:
    found = since_when(falling(0, 26), funnel_of()).iloc[0]
    assert found["at_start"]
    assert not found["alarm"]
    assert pd.isna(found["since"])
    worse = since_when(weeks_of([60] * 26, [42] * 16 + [24] * 10), funnel_of()).iloc[0]
    assert worse["at_start"]
    assert worse["alarm"]


def test_weeks_that_scatter_make_a_break_less_sure() -> None:
    good, bad = [95, 71, 90, 77, 84] * 3, [84, 60, 79, 66, 73] * 2
    steady, wild = (
        since_when(weeks_of([100] * 25, [83] * 15 + [72] * 10), funnel_of()),
        since_when(weeks_of([100] * 25, good + bad), funnel_of()),
    )
    assert steady["dispersion"].item() == 1
    assert wild["dispersion"].item() > 3
    assert steady["alarm"].item()
    assert not wild["alarm"].item()


@pytest.mark.parametrize("leads", [1, 15, 2000, 14_500, 1_000_000])
def test_any_number_of_leads_a_week_is_judged(leads: int) -> None:
    """The limit that was solved for each number of leads went .05, 7.75, .30, .05 and then failed."""
    found = since_when(weeks_of([leads] * 26, [leads] * 16 + [leads // 2] * 10), funnel_of()).iloc[0]
    assert found["alarm"]
    assert found["since"] == pd.Timestamp("2026-04-27")


def test_weeks_without_leads_are_no_beginnings() -> None:
    weeks = weeks_of([0, 0, *[60] * 24, 0, 0], [0, 0, *[54] * 14, *[36] * 10, 0, 0])
    found = since_when(weeks, funnel_of()).iloc[0]
    assert found["since"] == pd.Timestamp("2026-04-27")
    assert since_when(weeks[2:-2], funnel_of())["fell"].item() == pytest.approx(found["fell"])


def test_each_manager_has_a_target_and_only_people_are_named() -> None:
    weeks = pd.concat([falling(12, 8, times=5, manager=name) for name in ("(missing)", "robot", "B", "A")])
    found = since_when(weeks, funnel_of(A=0.5)).set_index("manager")
    assert list(found.index) == ["A", "B", "robot", "(missing)"]
    assert found["alarm"].tolist() == [False, True, False, False]
    assert found["fell"].isna().tolist() == [False, False, True, True]
    e = e_alarms(weeks, funnel_of(A=0.5)).set_index("manager")
    assert e["e_value"].isna().tolist() == [False, False, True, True]


@pytest.mark.parametrize("funnel", [funnel_of(None), funnel_of(0.0), funnel_of(1.0)])
def test_without_a_floor_between_none_and_all_there_is_no_alarm(funnel: SimpleNamespace) -> None:
    found = since_when(falling(12, 12, times=9), funnel).iloc[0]
    assert not found["alarm"]
    assert not found["at_start"]
    assert np.isnan(found["fell"])


def test_no_weeks_one_week_and_no_leads_give_no_alarm() -> None:
    for verb in (since_when, e_alarms):
        assert verb(falling(0, 0), funnel_of()).empty
        assert not verb(weeks_of([0, 0], [0, 0]), funnel_of())["alarm"].item()
        assert not verb(weeks_of([9], [8]), funnel_of())["alarm"].item()
    assert since_when(weeks_of([0, 0], [0, 0]), funnel_of())["fell"].isna().all(), "nothing is known of a fall"
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


def test_scattering_weeks_are_worth_fewer_leads_to_an_e_value() -> None:
    """Each row by its own dispersion; one that has left, and so has none, by the usual one."""
    weeks = pd.concat([weeks_of([20, 40], [9, 20], manager=name) for name in ("A", "B", "C", "left")])
    rates = pd.DataFrame({"manager": ["C", "B", "A"], "from_stage": "lead", "to_stage": "met"})
    found = e_alarms(weeks, funnel_of(), rates=rates.assign(dispersion=[4.0, 2.0, 1.0]))
    alone = weeks[weeks["manager"] == "A"]
    fewer = [
        e_alarms(alone.assign(entered=alone["entered"] / by, converted=alone["converted"] / by), funnel_of())
        for by in (1, 2, 4, 2)
    ]
    assert found["e_value"].tolist() == pytest.approx([one["e_value"].item() for one in fewer])
    assert found["entered"].tolist() == [60] * 4


def test_an_alarm_is_dated_to_the_week_from_which_the_evidence_is_strongest() -> None:
    late = e_alarms(falling(20, 12), funnel_of()).iloc[0]
    assert late["alarm"]
    assert late["since"] == pd.Timestamp("2026-05-25")
    assert not late["at_start"]
    always = e_alarms(falling(0, 12), funnel_of()).iloc[0]
    assert always["at_start"]
    assert pd.isna(always["since"])
    assert pd.isna(e_alarms(falling(20, 0), funnel_of()).iloc[0]["since"])
