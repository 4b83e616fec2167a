"""Many managers at once: published numbers, other routes, properties, edges."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

from funnelstats.team.coaching import coaching_pairs, hyper_posterior, log_likelihood, rank_intervals, shrunken_rates

RATS = (
    "0/20 0/20 0/20 0/20 0/20 0/20 0/20 0/19 0/19 0/19 0/19 0/18 0/18 0/17 1/20 1/20 1/20 1/20 1/19 1/19 1/18 "
    "1/18 2/25 2/24 2/23 2/20 2/20 2/20 2/20 2/20 2/20 1/10 5/49 2/19 5/46 3/27 2/17 7/49 7/47 3/20 3/20 2/13 "
    "9/48 10/50 4/20 4/20 4/20 4/20 4/20 4/20 4/20 10/48 4/19 4/19 4/19 5/22 11/46 12/49 5/20 5/20 6/23 5/19 "
    "6/22 6/20 6/20 6/20 16/52 15/46 15/47 9/24 4/14"
)
TUMOURS, ANIMALS = np.array([pair.split("/") for pair in RATS.split()], dtype=float).T
STEPS = [("lead", "met"), ("met", "presented"), ("presented", "contracted"), ("contracted", "paid")]
FUNNEL = SimpleNamespace(steps=[SimpleNamespace(from_stage=a, to_stage=b) for a, b in STEPS])


def team_of(entered, converted, managers=None) -> pd.DataFrame:
    managers = [f"M{number}" for number in range(len(entered))] if managers is None else managers
    frame = pd.DataFrame({"manager": managers, "from_stage": "lead", "to_stage": "met"})
    return frame.assign(entered=entered, converted=converted)


def article(size: int = 100) -> pd.DataFrame:
    """The trade article's two managers, each passing his shares of ``size`` leads."""
    rows = []
    for manager, shares in (("Иванов", (0.8, 0.7, 0.85, 0.95)), ("Сидоров", (0.95, 0.9, 0.7, 0.8))):
        entered = size
        for (start, end), share in zip(STEPS, shares, strict=True):
            rows.append((manager, start, end, entered, round(entered * share)))
            entered = round(entered * share)
    return pd.DataFrame(rows, columns=["manager", "from_stage", "to_stage", "entered", "converted"])


def test_the_posterior_of_the_rats_is_the_published_one() -> None:
    mean, size, weight, _ = hyper_posterior(TUMOURS, ANIMALS)
    assert np.sum(weight * special.expit(mean) * np.exp(size)) == pytest.approx(2.4, abs=0.05)
    assert np.sum(weight * special.expit(-mean) * np.exp(size)) == pytest.approx(14.3, abs=0.05)


def test_the_likelihood_of_the_rats_peaks_where_vgam_says() -> None:
    found = optimize.minimize(
        lambda log: -log_likelihood(*np.exp(log), TUMOURS, ANIMALS), [1, 2], method="Nelder-Mead", tol=1e-10
    )
    np.testing.assert_allclose(np.exp(found.x), [2.341821, 14.11588], rtol=1e-4)


def test_batters_are_drawn_to_their_mean_about_as_far_as_efron_and_morris_found() -> None:
    """James and Stein keep .209 of the distance to the mean; that estimate is itself uncertain by a third."""
    hits = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]
    found = shrunken_rates(team_of([45] * 18, hits))
    kept = np.polyfit(np.array(hits) / 45, found["shrunken"], 1)[0]
    assert kept == pytest.approx(0.209, abs=0.12)
    assert found["shrunken"].between(0.21, 0.33).all()


def test_one_manager_unlike_forty_is_not_drawn_to_them() -> None:
    """The true rates are .41 and .85; with every manager like the rest the first came out near .65."""
    rng = np.random.default_rng(1)
    hits = [rng.binomial(30, [0.41, *[0.85] * 39]) for run in range(10)]
    found = pd.concat([shrunken_rates(team_of([30] * 40, one)).iloc[[0]] for one in hits])
    assert found["shrunken"].mean() == pytest.approx(0.41, abs=0.05)
    assert (found["shrunken_lower"] < 0.41).all()
    assert (found["shrunken_upper"] > 0.41).mean() >= 0.9


def test_shrunken_rates_agree_with_integrating_over_the_grid() -> None:
    found = shrunken_rates(team_of(ANIMALS, TUMOURS))
    mean, size, weight, _ = hyper_posterior(TUMOURS, ANIMALS)
    a, b = special.expit(mean) * np.exp(size), special.expit(-mean) * np.exp(size)
    exact = [np.sum(weight * (a + k) / (a + b + n)) for k, n in zip(TUMOURS, ANIMALS, strict=True)]
    np.testing.assert_allclose(found["shrunken"], exact, atol=0.01)


def test_managers_without_leads_or_rank_have_no_shrunken_rate_and_weigh_nothing() -> None:
    team = team_of([20, 0, 500, 40], [10, 0, 0, 35], ["A", "B", "import", "C"])
    team = team.assign(verdict=["red", "too few", "not ranked", "green"], floor=0.7)
    found, alone = shrunken_rates(team), shrunken_rates(team.iloc[[0, 3]])
    assert found["shrunken"].isna().tolist() == [False, True, True, False]
    assert found.loc[1, ["shrunken_lower", "shrunken_upper"]].tolist() == [0, 1]
    assert found.loc[2, ["shrunken_lower", "shrunken_upper"]].isna().all()
    np.testing.assert_allclose(found["shrunken"].dropna(), alone["shrunken"], atol=0.02)
    assert found["p_below"][0] > 0.8 > 0.2 > found["p_below"][3]
    assert "p_below" not in shrunken_rates(team.drop(columns="floor"))


def test_nobody_at_all_gives_nothing_and_no_error() -> None:
    assert shrunken_rates(team_of([0], [0]))["shrunken"].isna().all()
    assert shrunken_rates(team_of([], [])).empty
    assert rank_intervals(team_of([0], [0]))["rank"].isna().all()
    assert coaching_pairs(team_of([0], [0]), FUNNEL).empty


def test_a_perfect_team_stays_below_certainty() -> None:
    found = shrunken_rates(team_of([10, 12], [10, 12]))
    assert found["shrunken"].between(0.8, 1, inclusive="left").all()


def test_ranks_are_sure_only_where_the_managers_are_apart() -> None:
    found = rank_intervals(team_of([500, 500, 500], [450, 250, 260]))
    assert found.loc[0, ["rank", "rank_lower", "rank_upper"]].tolist() == [1, 1, 1]
    assert found.loc[1, ["rank_lower", "rank_upper"]].tolist() == [2, 3]
    assert found["rank"].between(found["rank_lower"], found["rank_upper"]).all()


def test_of_the_articles_managers_each_teaches_what_he_does_better() -> None:
    found = coaching_pairs(article(), FUNNEL, mean_deal=1000)
    assert found["teacher"].tolist() == ["Сидоров", "Сидоров", "Иванов", "Иванов"]
    assert found["learner"].tolist() == ["Иванов", "Иванов", "Сидоров", "Сидоров"]
    assert found["to_stage"].tolist() == ["met", "presented", "contracted", "paid"]
    assert (found["probability"] >= 0.9).all()
    np.testing.assert_allclose(found["money"], found["deals"] * 1000)


def test_the_uplift_is_the_learners_leads_at_the_teachers_rate() -> None:
    """With many leads the numbers are the plain ones: 100 leads, 15 points more, .70·.85·.95 downstream."""
    found = coaching_pairs(article(20_000), FUNNEL).iloc[0]
    assert found["deals"] == pytest.approx(20_000 * 0.15 * 0.7 * 0.85 * 0.95, rel=0.03)
    assert found["deals_lower"] < found["deals"] < found["deals_upper"]


def test_managers_who_do_not_differ_have_nothing_to_teach() -> None:
    assert coaching_pairs(team_of([50, 50, 50], [40, 41, 40]), FUNNEL).empty


def shares_of(**shares) -> pd.DataFrame:
    """Managers with these shares of 300 leads at each of the first two steps."""
    rows = [
        (who, *STEPS[place], 300, round(300 * share)) for who, own in shares.items() for place, share in enumerate(own)
    ]
    return pd.DataFrame(rows, columns=["manager", "from_stage", "to_stage", "entered", "converted"])


def test_of_several_teachers_the_one_to_swap_with_is_shown_and_the_best_beside() -> None:
    team = shares_of(A=(0.5, 0.9), B=(0.8, 0.5), C=(0.95, 0.95))
    columns = ["learner", "teacher", "swap", "best", "other_teachers"]
    found = coaching_pairs(team, FUNNEL)
    assert found[columns].to_numpy().tolist() == [["A", "B", True, "C", 1], ["B", "A", True, "C", 1]]
    assert (found["best_rate"] > found["teacher_rate"]).all()
    alone = coaching_pairs(team[team["manager"] != "B"], FUNNEL).iloc[0]
    assert alone[columns].tolist() == ["A", "C", False, "C", 0]
    assert alone["best_rate"] == alone["teacher_rate"]


def test_a_swap_is_one_step_each_way_the_one_that_brings_most() -> None:
    found = coaching_pairs(article(), FUNNEL).set_index("to_stage")
    sure = found[found["deals_lower"] > 0]
    assert len(sure) == 3
    assert sorted(found.index[found["swap"]]) == sorted(sure.groupby("learner")["deals"].idxmax())


def test_without_a_sure_gain_both_ways_nobody_swaps_and_the_best_teaches() -> None:
    team = shares_of(A=(0.5, 0.9), B=(0.8, 0.86), C=(0.95, 0.95)).assign(named=lambda rows: rows["manager"] == "A")
    both = coaching_pairs(team.assign(named=True), FUNNEL)
    back = both[(both["learner"] == "B") & (both["from_stage"] == "met")].iloc[0]
    assert (back["teacher"], back["swap"]) == ("C", False)
    for found in (both, coaching_pairs(team, FUNNEL)):
        first = found[(found["learner"] == "A") & (found["from_stage"] == "lead")].iloc[0]
        assert (first["teacher"], first["swap"]) == ("C", False)


def test_nobody_swaps_with_somebody_red_or_amber_at_the_step_shown() -> None:
    team = shares_of(A=(0.5, 0.9), B=(0.8, 0.5), C=(0.95, 0.95)).assign(verdict="undecided", named=True)
    assert coaching_pairs(team, FUNNEL)["swap"].tolist() == [True, True]
    at = (team["manager"] == "B") & (team["from_stage"] == "lead")
    for verdict in ("red", "amber"):
        assert coaching_pairs(team.assign(verdict=team["verdict"].mask(at, verdict)), FUNNEL).empty


def test_a_manager_swaps_with_one_other_only() -> None:
    team = shares_of(A=(0.3, 0.95), B=(0.9, 0.5), C=(0.9, 0.55), D=(0.9, 0.95))
    found = coaching_pairs(team.assign(named=True), FUNNEL)
    swaps = found[found["swap"]]
    assert sorted(zip(swaps["learner"], swaps["teacher"], strict=True)) == [("A", "B"), ("B", "A")]


@pytest.mark.parametrize("verdict", ["undecided", "red", "amber", "too few"])
def test_who_is_not_plausibly_good_at_a_step_does_not_teach_it(verdict) -> None:
    team = shares_of(A=(0.5,), B=(0.75,), C=(0.9,)).assign(verdict="green", named=lambda rows: rows["manager"] == "A")
    assert coaching_pairs(team, FUNNEL)["teacher"].tolist() == ["C"]
    unsure = team.assign(verdict=team["verdict"].mask(team["manager"] == "C", verdict))
    assert coaching_pairs(unsure, FUNNEL)["teacher"].tolist() == ["B"]
    assert coaching_pairs(team.assign(verdict=verdict), FUNNEL).empty


def test_the_lower_half_teaches_nobody_even_where_no_target_is_agreed() -> None:
    team = shares_of(A=(0.5,), B=(0.65,), C=(0.85,), D=(0.9,), E=(0.9,)).assign(verdict="no target")
    found = coaching_pairs(team.assign(named=team["manager"] == "A"), FUNNEL).iloc[0]
    assert found["teacher"] in ("D", "E")
    assert found["other_teachers"] == 2


def test_only_marked_managers_learn_and_who_is_not_ranked_neither_learns_nor_teaches() -> None:
    team = shares_of(A=(0.5,), B=(0.6,), C=(0.9,), Robot=(0.99,)).assign(verdict="green", named=True)
    team.loc[team["manager"] == "Robot", "verdict"] = "not ranked"
    team.loc[team["manager"].isin(["A", "C"]), "named"] = False
    found = coaching_pairs(team, FUNNEL)
    assert found[["learner", "teacher"]].to_numpy().tolist() == [["B", "C"]]
    assert coaching_pairs(team.assign(named=False), FUNNEL, mean_deal=5).empty
    both = coaching_pairs(team.assign(named=team["manager"].isin(["A", "B"])), FUNNEL)
    assert both["learner"].tolist() == ["A", "B"]
