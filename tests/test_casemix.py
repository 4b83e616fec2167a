"""Rates at equal leads: numbers one can see, statsmodels, simulation with known skill, edges."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

from funnelstats.core.casemix import at_equal_leads, case_mix
from funnelstats.core.intervals import newcombe_interval, wilson_interval


def strata_of(rows, attributes=("kind",)) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*attributes, "manager", "entered", "converted"])


EASY_AND_HARD = strata_of(
    [
        ("easy", "A", 90, 72),
        ("hard", "A", 10, 2),
        ("easy", "B", 10, 8),
        ("hard", "B", 90, 18),
        ("easy", "C", 50, 40),
        ("hard", "C", 50, 10),
    ]
)


def random_team(seed: int, managers: int = 8, leads: int = 150):
    """Managers with skill and with leads of three kinds and two sizes, some much easier than others."""
    rng = np.random.default_rng(seed)
    skill = rng.normal(0, 0.4, managers)
    rows = []
    for manager in range(managers):
        mix = rng.dirichlet([1.5] * 6)
        for cell, entered in enumerate(rng.multinomial(leads, mix)):
            kind, size = divmod(cell, 2)
            rate = special.expit(0.8 * kind - 0.8 + 0.5 * size + skill[manager])
            rows.append((f"k{kind}", f"s{size}", f"M{manager}", entered, rng.binomial(entered, rate)))
    return strata_of(rows, ("kind", "size")), skill


def test_equal_skill_with_easy_and_hard_leads_is_found_equal() -> None:
    """72 of 90 easy and 2 of 10 hard is 74 %, 8 of 10 and 18 of 90 is 26 %; both pass 80 % and 20 %."""
    found = case_mix(EASY_AND_HARD)
    assert found["manager"].tolist() == ["A", "B", "C"]
    np.testing.assert_allclose(found["expected"], [74, 26, 50], rtol=1e-5)
    np.testing.assert_allclose(found["ratio"], 1, rtol=1e-5)
    np.testing.assert_allclose(found["rate"], 0.5, rtol=1e-9)
    np.testing.assert_allclose(found["mix_difference"], 0, atol=1e-9)
    assert found["shared"].tolist() == [1, 1, 1]


def test_the_expectation_is_that_of_a_logistic_model_fitted_without_the_manager() -> None:
    strata, _ = random_team(1)
    found = case_mix(strata).set_index("manager")
    for manager in ("M0", "M5"):
        own = strata["manager"] == manager
        design = sm.add_constant(pd.get_dummies(strata[["kind", "size"]], drop_first=True, dtype=float))
        others = strata[~own & (strata["entered"] > 0)]
        outcome = np.column_stack([others["converted"], others["entered"] - others["converted"]])
        model = sm.GLM(outcome, design.loc[others.index], family=sm.families.Binomial()).fit()
        expected = (model.predict(design[own]) * strata.loc[own, "entered"]).sum()
        assert found.loc[manager, "expected"] == pytest.approx(expected, rel=1e-5)


def test_one_kind_of_leads_leaves_the_plain_rate_and_wilsons_interval() -> None:
    found = case_mix(strata_of([("all", "A", 40, 10), ("all", "B", 60, 30)]))
    np.testing.assert_allclose(found["rate"], [0.25, 0.5])
    np.testing.assert_allclose(found["n_eff"], [40, 60])
    np.testing.assert_allclose(found[["ci_lower", "ci_upper"]].T, wilson_interval([10, 30], [40, 60]))
    np.testing.assert_allclose(found["expected"], [20, 15], rtol=1e-5)
    without = case_mix(pd.DataFrame({"manager": ["A", "B"], "entered": [40, 60], "converted": [10, 30]}))
    pd.testing.assert_frame_equal(without, found)


def test_the_standardised_rate_weighs_each_kind_as_the_team_has_it() -> None:
    """A: 6 of 10 and 2 of 20, the team 40 and 60 leads: .4 · .6 + .6 · .1."""
    found = case_mix(strata_of([("a", "A", 10, 6), ("b", "A", 20, 2), ("a", "B", 30, 20), ("b", "B", 40, 9)])).iloc[0]
    assert found["rate"] == pytest.approx(0.3)
    team = (np.array([26, 11]) + 4 * 0.37) / (np.array([40, 60]) + 4)
    likely = (np.array([6, 2]) + 4 * team) / (np.array([10, 20]) + 4)
    variance = np.sum(np.array([0.4, 0.6]) ** 2 * likely * (1 - likely) / [10, 20])
    mean = likely @ [0.4, 0.6]
    assert found["n_eff"] == pytest.approx(mean * (1 - mean) / variance)
    limits = wilson_interval(0.3 * found["n_eff"], found["n_eff"])
    np.testing.assert_allclose(found[["ci_lower", "ci_upper"]].astype(float), limits)


def test_at_his_own_mix_a_manager_is_set_against_the_others_kind_by_kind() -> None:
    """A has 10 of a kind that the others bring .6 of and 20 of one that they bring .3 of: .4 in all, he 9 of 30."""
    strata = strata_of([("a", "A", 10, 5), ("b", "A", 20, 4), ("c", "A", 7, 7), ("a", "B", 30, 18), ("b", "B", 40, 12)])
    found = case_mix(strata).set_index("manager")
    assert found.loc["A", "mix_difference"] == pytest.approx(0.3 - 0.4)
    assert found.loc["B", "mix_difference"] == pytest.approx(30 / 70 - (30 * 0.5 + 40 * 0.2) / 70)
    a = found.loc["A"]
    assert a["mix_lower"] < a["mix_lower90"] < a["mix_difference"] < a["mix_upper90"] < a["mix_upper"]
    one = case_mix(strata_of([("all", "A", 40, 10), ("all", "B", 60, 30)])).iloc[0]
    np.testing.assert_allclose([one["mix_lower"], one["mix_upper"]], newcombe_interval(10, 40, 30, 60))
    np.testing.assert_allclose([one["mix_lower90"], one["mix_upper90"]], newcombe_interval(10, 40, 30, 60, 0.9))


def test_weeks_that_scatter_are_worth_fewer_leads() -> None:
    plain, found = case_mix(EASY_AND_HARD), case_mix(EASY_AND_HARD, dispersion=4)
    same = ["expected", "ratio", "rate", "mix_difference", "shared"]
    pd.testing.assert_frame_equal(found[same], plain[same])
    np.testing.assert_allclose(found["n_eff"], plain["n_eff"] / 4)
    for name in ("ci", "ratio", "mix"):
        wide, narrow = (frame[f"{name}_upper"] - frame[f"{name}_lower"] for frame in (found, plain))
        assert ((wide > 1.6 * narrow) & (wide < 2.6 * narrow)).all()


def test_each_step_is_judged_apart_and_rows_may_come_in_any_order() -> None:
    first, second = random_team(2)[0], random_team(3)[0]
    both = pd.concat(
        [first.assign(from_stage="lead", to_stage="met"), second.assign(from_stage="met", to_stage="paid")]
    )
    found = case_mix(both)
    assert found.columns[:3].tolist() == ["manager", "from_stage", "to_stage"]
    alone = case_mix(second)
    pd.testing.assert_frame_equal(
        found[found["from_stage"] == "met"].drop(columns=["from_stage", "to_stage"]).reset_index(drop=True), alone
    )
    shuffled = case_mix(second.sample(frac=1, random_state=1)).sort_values("manager", ignore_index=True)
    pd.testing.assert_frame_equal(shuffled, alone, rtol=1e-4)


def test_managers_without_leads_and_empty_frames_are_unknown_not_zero() -> None:
    found = case_mix(strata_of([("a", "A", 30, 20), ("a", "B", 0, 0)])).iloc[1]
    assert np.isnan(found["rate"])
    assert np.isnan(found["ratio"])
    assert (found["ci_lower"], found["ci_upper"], found["ratio_upper"]) == (0, 1, np.inf)
    empty = strata_of([]).assign(from_stage=[], to_stage=[])
    assert case_mix(empty).empty
    assert "mix_difference" in case_mix(empty)


def test_a_manager_alone_has_no_one_to_be_compared_with() -> None:
    found = case_mix(strata_of([("a", "A", 30, 30), ("b", "A", 10, 10)])).iloc[0]
    assert found["shared"] == 0
    assert found["rate"] == 1
    assert np.isnan(found["expected"])
    assert np.isnan(found["mix_difference"])
    assert (found["ratio_lower"], found["ratio_upper"]) == (0, np.inf)
    assert (found["mix_lower"], found["mix_upper"], found["mix_lower90"], found["mix_upper90"]) == (-1, 1, -1, 1)


@pytest.mark.simulation
def test_rates_at_equal_leads_rank_managers_nearer_to_their_skill_than_raw_ones() -> None:
    raw, equal = [], []
    for seed in range(60):
        strata, skill = random_team(seed)
        found = case_mix(strata)
        raw.append(stats.spearmanr(found["converted"] / found["entered"], skill)[0])
        equal.append(stats.spearmanr(found["mix_difference"], skill)[0])
    assert np.mean(equal) > np.mean(raw) + 0.05


def test_the_marks_of_the_page_reach_the_rates_at_equal_leads() -> None:
    twice = EASY_AND_HARD[["entered", "converted"]] * 2
    many = EASY_AND_HARD.assign(from_stage="lead", to_stage="met", **twice)
    few = strata_of([("easy", "D", 10, 1), ("hard", "D", 2, 0), ("easy", "robot", 40, 10), ("easy", "E", 40, 30)])
    mix = case_mix(pd.concat([many, few.assign(from_stage="lead", to_stage="met")]))
    page = mix[["manager", "from_stage", "to_stage"]].assign(verdict="red", named=True, entered=900)
    page.loc[page["manager"] == "robot", ["verdict", "named"]] = ["not ranked", False]
    found = at_equal_leads(mix, page[page["manager"] != "E"]).set_index("manager")
    assert found["verdict"].to_dict() == {
        **dict.fromkeys("ABC", "red"), "D": "not ranked", "robot": "not ranked", "E": "not ranked"
    }  # fmt: skip
    assert found.index[found["named"]].tolist() == ["A", "B", "C"]
    assert found.loc["A", "entered"] == 900, "those who still have time are taught too"
    assert (found.loc["A", "n_eff"] > 30) & (found.loc["D", "n_eff"] < 30)
