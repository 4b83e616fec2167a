"""Shapley effects: Das Gupta's tables, every order written out, Kitagawa's formula, properties, edges."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from funnelstats.team.changes import explain_change, shapley_effects


def counts_of(k, n, segments=("x", "y"), stages="abcd") -> pd.DataFrame:
    """Counts by segment (rows) and step (columns)."""
    rows = [
        (segment, stages[step], stages[step + 1], n[row][step], k[row][step])
        for row, segment in enumerate(segments)
        for step in range(len(k[row]))
    ]
    return pd.DataFrame(rows, columns=["segment", "from_stage", "to_stage", "entered", "converted"])


def team(*steps: tuple[int, int]) -> pd.DataFrame:
    k, n = zip(*steps, strict=True)
    return counts_of([k], [n], ["all"]).drop(columns="segment")


BEFORE = counts_of([[80, 40, 30], [20, 5, 5]], [[100, 80, 40], [50, 20, 5]])
AFTER = counts_of([[50, 20, 15], [45, 5, 2]], [[60, 50, 20], [90, 45, 5]])


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


def test_effects_of_twenty_factors_add_up_and_follow_their_order() -> None:
    before, after = np.random.default_rng(3).uniform(0.5, 1.5, (2, 20))
    effects = shapley_effects(before, after)
    assert effects.sum() == pytest.approx(after.prod() - before.prod(), abs=1e-12)
    np.testing.assert_allclose(shapley_effects(before[::-1], after[::-1])[::-1], effects)
    np.testing.assert_allclose(shapley_effects(after, before), -effects)


def test_a_factor_that_did_not_change_has_no_effect() -> None:
    assert shapley_effects([0.4, 0.5, 0], [0.4, 0.7, 0.2])[0] == 0


def test_the_steps_add_up_to_the_change_of_the_overall_conversion() -> None:
    found = explain_change(team((80, 100), (40, 80)), team((75, 100), (30, 75)))
    assert found["overall_before"].unique() == pytest.approx(0.4)
    assert found["overall_after"].unique() == pytest.approx(0.3)
    np.testing.assert_allclose(found["effect"], in_every_order([0.8, 0.5], [0.75, 0.4]))
    assert found["effect"].sum() == pytest.approx(-0.1, abs=1e-15)
    assert list(found) == [
        *("part", "from_stage", "to_stage", "before", "after", "effect", "ci_lower", "ci_upper"),
        *("overall_before", "overall_after", "overall_lower", "overall_upper", "changed"),
    ]


def test_mix_and_rate_are_kitagawas_where_there_is_one_step() -> None:
    before, after = counts_of([[80], [20]], [[100], [50]]), counts_of([[50], [45]], [[60], [90]])
    found = explain_change(before, after)
    shares, rates = np.array([[2 / 3, 1 / 3], [0.4, 0.6]]), np.array([[0.8, 0.4], [5 / 6, 0.5]])
    parts = found.groupby("part")["effect"].sum()
    assert parts["mix"] == pytest.approx(np.diff(shares, axis=0)[0] @ rates.mean(axis=0))
    assert parts["rate"] == pytest.approx(np.diff(rates, axis=0)[0] @ shares.mean(axis=0))


def test_segments_steps_and_mix_add_up() -> None:
    found = explain_change(BEFORE, AFTER)
    assert found["effect"].sum() == pytest.approx(found["overall_after"][0] - found["overall_before"][0], abs=1e-15)
    assert found["overall_before"][0] == pytest.approx(30 / 150 + 5 / 150)
    assert found["part"].tolist() == ["mix", "rate", "rate", "rate"] * 2
    assert found.loc[[0, 4], "before"].tolist() == pytest.approx([2 / 3, 1 / 3])
    rows = found[(found["segment"] == "x") & (found["part"] == "rate")]
    np.testing.assert_allclose(rows["effect"], in_every_order([2 / 3, 0.8, 0.5, 0.75], [0.4, 5 / 6, 0.4, 0.75])[1:])


def test_a_mix_effect_is_the_change_of_share_times_how_much_better_than_all_it_converts() -> None:
    """One step: the segment's mean rate of the two periods, less the mean of both overall rates."""
    found = explain_change(counts_of([[80], [20]], [[100], [50]]), counts_of([[50], [45]], [[60], [90]]))
    overall = (100 / 150 + 95 / 150) / 2
    expected = [(0.4 - 2 / 3) * ((0.8 + 5 / 6) / 2 - overall), (0.6 - 1 / 3) * (0.45 - overall)]
    np.testing.assert_allclose(found.query("part == 'mix'")["effect"], expected)


def test_limits_of_one_step_are_those_of_a_difference() -> None:
    found = explain_change(team((48, 80)), team((56, 70))).iloc[0]
    np.testing.assert_allclose(found[["ci_lower", "ci_upper"]].astype(float), [0.0524, 0.3339], atol=0.015)


def test_more_leads_of_a_segment_that_converts_worse_lower_the_whole() -> None:
    found = explain_change(BEFORE, AFTER).query("part == 'mix'").set_index("segment")["effect"]
    assert (found < 0).all()
    same = explain_change(BEFORE, BEFORE.assign(entered=BEFORE["entered"] * 2, converted=BEFORE["converted"] * 2))
    np.testing.assert_allclose(same["effect"], 0, atol=1e-15)


def test_rows_and_segments_in_any_order_give_the_same() -> None:
    mixed = explain_change(BEFORE[::-1], AFTER.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(mixed, explain_change(BEFORE, AFTER))


def test_a_new_segment_changes_the_mix_only() -> None:
    after = pd.concat([AFTER, counts_of([[5, 1, 1]], [[10, 5, 1]], ["z"])])
    found = explain_change(BEFORE, after).query("segment == 'z'")
    assert found["before"].tolist() == pytest.approx([0, 0.5, 0.2, 1])
    assert found.loc[found["part"] == "rate", "effect"].tolist() == [0, 0, 0]
    assert found.loc[found["part"] == "mix", "effect"].item() < 0


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


def test_a_small_segment_not_yet_seen_borrows_from_all_leads() -> None:
    after = AFTER.mask(AFTER["segment"].eq("y") & AFTER["from_stage"].eq("c"), 0)
    after[["segment", "from_stage", "to_stage"]] = AFTER[["segment", "from_stage", "to_stage"]]
    before = BEFORE.assign(entered=BEFORE["entered"].where(BEFORE["from_stage"].ne("c") | BEFORE["segment"].eq("x"), 0))
    before["converted"] = before[["entered", "converted"]].min(axis=1)
    found = explain_change(before, after).set_index(["segment", "from_stage"])
    assert found.loc[("y", "c"), ["before", "after"]].tolist() == [0.75, 0.75]


def test_blank_segments_are_a_group_of_their_own() -> None:
    blank = [frame.assign(segment=frame["segment"].where(frame["segment"] == "x")) for frame in (BEFORE, AFTER)]
    assert explain_change(*blank)["segment"].unique().tolist() == ["x", "(missing)"]


def test_censored_rates_count_with_the_leads_they_are_worth() -> None:
    frames = [
        frame.assign(rate=frame["converted"] / frame["entered"], n_eff=frame["entered"] / 2).drop(columns="converted")
        for frame in (BEFORE, AFTER)
    ]
    plain, censored = explain_change(BEFORE, AFTER), explain_change(*frames)
    np.testing.assert_allclose(censored["effect"], plain["effect"])
    width = [(frame["ci_upper"] - frame["ci_lower"]).sum() for frame in (plain, censored)]
    assert 1.2 < width[1] / width[0] < 1.6


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


def test_no_rows_give_none() -> None:
    assert explain_change(BEFORE[:0], AFTER[:0]).empty


def test_segment_columns_that_differ_rows_named_twice_and_overlapping_steps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"steps must follow one another .* got a > c, b > c"):
        explain_change(team((8, 9), (4, 8)), team((8, 9), (4, 8)).assign(to_stage="c"))
    with pytest.raises(ValueError, match="same segment column"):
        explain_change(BEFORE, AFTER.drop(columns="segment"))
    with pytest.raises(ValueError, match="sum the counts first"):
        explain_change(pd.concat([BEFORE, BEFORE]), AFTER)


@pytest.mark.simulation
def test_limits_of_a_steps_effect_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(20)
    rates, n = np.array([[0.95, 0.8, 0.8], [0.95, 0.82, 0.65]]), [150, 140, 110]
    true = shapley_effects(*rates)
    held = np.zeros(3)
    for _ in range(600):
        periods = [team(*zip(rng.binomial(n, rate), n, strict=True)) for rate in rates]
        found = explain_change(*periods)
        held += (found["ci_lower"] <= true) & (true <= found["ci_upper"])
    np.testing.assert_allclose(held / 600, 0.95, atol=0.025)


def test_a_way_that_nobody_went_before_or_could_go_is_not_called_unchanged() -> None:
    for before, after in ((team((0, 5), (0, 0)), team((0, 6), (0, 0))), (team((0, 50), (0, 0)), team((0, 60), (0, 0)))):
        assert set(explain_change(before, after)["changed"]) == {"cannot tell"}
