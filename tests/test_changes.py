"""Shapley effects: Das Gupta's tables, every order written out, properties, edges."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from funnelstats.team.changes import explain_change, shapley_effects


def team(*steps: tuple[int, int]) -> pd.DataFrame:
    """Counts of the steps a > b > c …, from (converted, entered)."""
    converted, entered = zip(*steps, strict=True)
    stages = "abcd"[: len(steps) + 1]
    frame = pd.DataFrame({"from_stage": list(stages[:-1]), "to_stage": list(stages[1:])})
    return frame.assign(entered=entered, converted=converted)


def in_every_order(before, after) -> np.ndarray:
    before, after = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    effects = np.zeros(len(before))
    orders = list(permutations(range(len(before))))
    for order in orders:
        now = before.copy()
        for factor in order:
            was = now.prod()
            now[factor] = after[factor]
            effects[factor] += now.prod() - was
    return effects / len(orders)


@pytest.mark.parametrize(
    ("before", "after", "effects"),
    [
        ([51.78746, 0.45919, 0.52638], [84.90502, 0.75756, 0.51065], [10.4340333, 10.5608476, -0.6670084]),
        (
            [25.3, 0.214, 0.279, 0.949],
            [32.7, 0.29, 0.473, 0.986],
            [0.6889411, 0.8125381, 1.3829055, 0.1047547],
        ),
    ],
)
def test_effects_are_das_guptas(before: list[float], after: list[float], effects: list[float]) -> None:
    np.testing.assert_allclose(shapley_effects(before, after), effects, atol=6e-8)


@pytest.mark.parametrize("factors", range(1, 8))
def test_effects_are_the_mean_over_every_order(factors: int) -> None:
    before, after = np.random.default_rng(factors).random((2, factors))
    after[0] = 0
    np.testing.assert_allclose(shapley_effects(before, after), in_every_order(before, after), atol=1e-14)


def test_the_steps_add_up_to_the_change_of_the_overall_conversion() -> None:
    found = explain_change(team((80, 100), (40, 80)), team((75, 100), (30, 75)))
    assert found["overall_before"].unique() == pytest.approx(0.4)
    assert found["overall_after"].unique() == pytest.approx(0.3)
    np.testing.assert_allclose(found["effect"], in_every_order([0.8, 0.5], [0.75, 0.4]))
    assert found["effect"].sum() == pytest.approx(-0.1, abs=1e-15)
    assert list(found) == [
        *("from_stage", "to_stage", "before", "after", "effect", "ci_lower", "ci_upper"),
        *("overall_before", "overall_after", "overall_lower", "overall_upper", "changed"),
    ]


def test_limits_of_one_step_are_those_of_a_difference() -> None:
    found = explain_change(team((48, 80)), team((56, 70))).iloc[0]
    np.testing.assert_allclose(found[["ci_lower", "ci_upper"]].astype(float), [0.0524, 0.3339], atol=0.015)


def test_a_step_that_nobody_passed_leaves_the_later_ones_without_effect() -> None:
    found = explain_change(team((80, 100), (40, 80)), team((0, 100), (0, 0)))
    assert found["effect"].tolist() == pytest.approx([-0.4, 0])
    assert found["overall_after"].tolist() == [0, 0]


def test_a_step_not_yet_seen_makes_the_change_unknown() -> None:
    for after in (team((80, 100), (0, 0)), team((0, 0), (0, 0))):
        found = explain_change(team((80, 100), (40, 80)), after)
        assert found["effect"].isna().all()
        assert found["ci_lower"].tolist() == [-1, -1]
        assert found["ci_upper"].tolist() == [1, 1]
        assert found["overall_after"].isna().all()


def test_the_whole_changed_is_one_decision_at_half_a_percent_with_limits_of_its_own() -> None:
    """500 of 1000 and so many of 1000: the difference of two shares, whose error is near enough √(Σ p(1 − p)/n)."""
    for after, changed in ((500, "no"), (450, "cannot tell"), (440, "cannot tell"), (435, "yes"), (570, "yes")):
        found = explain_change(team((500, 1000)), team((after, 1000))).iloc[0]
        error = np.sqrt(0.25 / 1000 + after * (1000 - after) / 1e9)
        z = abs(after / 1000 - 0.5) / error
        assert (changed == "yes") == (z > stats.norm.ppf(1 - 0.005 / 2)), after
        assert found["changed"] == changed
        limits = after / 1000 - 0.5 + stats.norm.ppf(0.975) * error * np.array([-1, 1])
        np.testing.assert_allclose(found[["overall_lower", "overall_upper"]].astype(float), limits, atol=0.002)


def test_no_change_is_said_only_where_a_tenth_of_the_whole_is_ruled_out() -> None:
    few, many = (explain_change(team((5 * n, 10 * n)), team((5 * n, 10 * n)))["changed"].iloc[0] for n in (100, 300))
    # 1.645 standard deviations are 3.7 points of 1,000 leads each and 2.1 of 3,000; a tenth of 50 % is five
    assert (few, many) == ("no", "no")
    assert explain_change(team((250, 500)), team((250, 500)))["changed"].iloc[0] == "cannot tell"
    # three points of 5 are ruled out for a rate of 30 % by as many leads no longer
    assert explain_change(team((300, 1000)), team((300, 1000)))["changed"].iloc[0] == "cannot tell"


def test_scatter_that_few_weeks_tell_widens_the_whole_and_an_unknown_whole_cannot_be_told() -> None:
    was, now = (team((k, 1000)).assign(rate=k / 1000, n_eff=1000.0) for k in (500, 430))
    plain, few = (explain_change(was.assign(df=df), now.assign(df=df)).iloc[0] for df in (1e9, 2.0))
    assert (plain["changed"], few["changed"]) == ("yes", "cannot tell")
    ratio = stats.t.ppf(0.975, 4) / stats.norm.ppf(0.975)
    change = plain["overall_after"] - plain["overall_before"]
    assert few["overall_upper"] - change == pytest.approx(ratio * (plain["overall_upper"] - change), rel=1e-6)
    unseen = explain_change(team((5, 9), (0, 0)), team((5, 9), (0, 0)))
    assert set(unseen["changed"]) == {"cannot tell"}


def test_a_way_that_nobody_went_before_or_could_go_is_not_called_unchanged() -> None:
    for before, after in ((team((0, 5), (0, 0)), team((0, 6), (0, 0))), (team((0, 50), (0, 0)), team((0, 60), (0, 0)))):
        assert set(explain_change(before, after)["changed"]) == {"cannot tell"}


def test_periods_of_other_steps_are_refused() -> None:
    steps = team((8, 9), (4, 8))
    for other in (steps[::-1], steps[:1]):
        with pytest.raises(ValueError, match="same steps in the same order"):
            explain_change(steps, other)
