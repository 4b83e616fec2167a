"""Verdicts: exact binomial numbers, statsmodels, brute force, edges."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from backends import bare_funnel
from hypothesis import given, settings, strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from funnelstats.core.comparing import (
    benjamini_hochberg,
    exact_p,
    holm,
    mid_p,
    rest_of,
    versus_rest,
    versus_target,
    versus_targets,
    visible_drop,
    with_undated,
)
from funnelstats.core.conversion import conversion_rates
from funnelstats.core.incidence import incidence, incidence_at
from funnelstats.core.intervals import newcombe_interval, score_interval, wilson_interval


def funnel_of(target=0.8, tolerance=0.0, system_users=(), **own) -> SimpleNamespace:
    return bare_funnel(("lead", "met"), [target], [7], tolerance=tolerance, own=own, system_users=system_users)


def counts_of(entered, converted, managers=None) -> pd.DataFrame:
    managers = [f"M{number:03d}" for number in range(len(entered))] if managers is None else managers
    frame = pd.DataFrame({"manager": managers, "from_stage": "lead", "to_stage": "met"})
    return frame.assign(entered=entered, converted=converted)


def against_others(counts: pd.DataFrame) -> pd.DataFrame:
    return versus_rest(conversion_rates(counts), conversion_rates(rest_of(counts)))


def verdicts(entered, converted, **agreed) -> list[str]:
    return versus_target(counts_of(entered, converted), funnel_of(**agreed))["verdict"].tolist()


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_the_mid_p_agrees_with_scipy(n, rate, part) -> None:
    k = round(part * n)
    expected = stats.binom.cdf(k, n, rate) - stats.binom.pmf(k, n, rate) / 2
    assert mid_p(k, n, rate) == pytest.approx(expected, abs=1e-10)


def test_the_mid_p_of_effective_leads_lies_between_those_of_whole_ones() -> None:
    assert mid_p(10, 15, 0.8) < mid_p(10.5, 15, 0.8) < mid_p(11, 15, 0.8)
    assert mid_p(12, 18, 0.8) < mid_p(11, 16.5, 0.8) < mid_p(10, 15, 0.8)
    assert np.isnan(mid_p(0, 0, 0.8))


@pytest.mark.parametrize(("adjust", "method"), [(benjamini_hochberg, "fdr_bh"), (holm, "holm")])
def test_adjusted_values_agree_with_statsmodels_and_leave_missing_ones_out(adjust, method) -> None:
    p = np.array([0.001, np.nan, 0.04, 0.03, 0.03, np.nan, 0.7])
    there = ~np.isnan(p)
    adjusted = adjust(p)
    np.testing.assert_allclose(adjusted[there], multipletests(p[there], method=method)[1])
    assert np.isnan(adjusted[~there]).all()
    assert np.isnan(adjust([np.nan])).all()


def test_red_amber_green_undecided_and_too_few() -> None:
    entered, converted = [100, 60, 100, 20, 1, 0], [50, 43, 95, 16, 1, 0]
    assert verdicts(entered, converted) == ["red", "amber", "green", "undecided", "too few", "too few"]
    tested = versus_target(counts_of(entered, converted), funnel_of())["p_mid"].notna()
    assert tested.tolist() == [True] * 5 + [False], "a cell of one lead is one of those a page tests"


def test_the_tolerance_moves_the_floor_and_a_rate_at_the_floor_is_not_red() -> None:
    found = versus_target(counts_of([400, 400], [380, 340]), funnel_of(1.0, 0.05))
    assert found["floor"].tolist() == [0.95, 0.95]
    assert found["target"].tolist() == [1.0, 1.0]
    assert found["verdict"].tolist() == ["undecided", "red"]
    assert found["p_mid"][0] == pytest.approx(0.5, abs=0.03)


def test_a_manager_with_a_target_of_his_own_is_judged_by_it() -> None:
    found = versus_target(counts_of([100, 100], [70, 70], ["Иванов", "Сидоров"]), funnel_of(0.9, Сидоров=0.6))
    assert found["target"].tolist() == [0.9, 0.6]
    assert found["verdict"].tolist() == ["red", "green"]


def test_system_users_and_leads_without_a_manager_are_shown_but_never_ranked() -> None:
    counts = counts_of([100] * 3, [10] * 3, ["import", "(missing)", "Иванов"])
    found = versus_target(counts, funnel_of(system_users=("import",)))
    assert found["verdict"].tolist() == ["not ranked", "not ranked", "red"]
    alone = versus_target(counts.iloc[2:], funnel_of())
    assert found["p_mid"].isna().tolist() == [True, True, False]
    assert found["p_mid"][2] == alone["p_mid"].iloc[0]


def test_a_step_without_a_target_has_no_verdict() -> None:
    counts = pd.concat([counts_of([50], [10]), counts_of([50], [10]).assign(to_stage="paid")])
    found = versus_target(counts, funnel_of(None))
    assert found["verdict"].tolist() == ["no target", "no target"]
    assert found["drop_visible"].isna().all()


def test_the_frame_may_have_no_manager_and_keeps_its_rows() -> None:
    counts = counts_of([100], [50]).drop(columns="manager").assign(too_recent=3)
    found = versus_target(counts, funnel_of())
    pd.testing.assert_frame_equal(found[list(counts)], counts)
    assert {"rate", "ci_lower", "ci_upper"} <= set(found)
    assert found["verdict"].tolist() == ["red"]
    assert versus_target(counts.iloc[:0], funnel_of()).empty


@given(st.lists(st.tuples(st.integers(0, 12), st.floats(0, 1)), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_too_few_means_that_even_no_conversion_would_not_be_red(cells) -> None:
    entered = np.array([n for n, _ in cells])
    converted = np.array([round(n * part) for n, part in cells])
    found = verdicts(entered, converted, target=0.35)
    for cell, verdict in enumerate(found):
        if verdict in ("too few", "undecided"):
            none = np.where(np.arange(len(cells)) == cell, 0, converted)
            assert (verdicts(entered, none, target=0.35)[cell] == "red") == (verdict == "undecided")


def test_a_censored_frame_without_open_leads_gets_the_verdicts_of_the_counts() -> None:
    rng = np.random.default_rng(1)
    counts = counts_of(rng.integers(5, 60, 30), 0)
    counts["converted"] = rng.binomial(counts["entered"], 0.7)
    days = counts.assign(age_days=3, advanced=counts["converted"], open=0)
    days["lost"] = days["entered"] - days["converted"]
    days = days[["manager", "from_stage", "age_days", "advanced", "lost", "open"]]
    funnel = funnel_of()
    plain, censored = (
        versus_target(counts, funnel),
        versus_target(incidence_at(incidence(days), funnel), funnel),
    )
    assert censored["verdict"].tolist() == plain["verdict"].tolist()
    np.testing.assert_allclose(censored["p_mid"], plain["p_mid"])


def test_a_censored_rate_that_is_unknown_is_too_few() -> None:
    days = pd.DataFrame({"from_stage": ["lead"], "age_days": [2], "advanced": [3], "lost": [0], "open": [5]})
    funnel = funnel_of()
    assert versus_target(incidence_at(incidence(days), funnel), funnel)["verdict"].tolist() == ["too few"]


def test_below_at_most_is_the_one_sided_limit_of_the_rate_and_missing_where_nothing_is_tested() -> None:
    counts = counts_of([400, 400, 0, 400], [300, 380, 0, 300], ["Anna", "Boris", "Vera", "import"])
    found = versus_target(counts, funnel_of(system_users=("import",)))
    # Wilson's lower limits at 90 % two-sided: 71.3 % and 92.9 %
    lower, _ = wilson_interval([300, 380], 400, 0.90)
    np.testing.assert_allclose(found["below_at_most"][:2], 100 * (0.8 - lower))
    assert found["below_at_most"].round(1).tolist()[:2] == [8.7, -12.9]
    assert found["below_at_most"].isna().tolist() == [False, False, True, True]
    assert versus_target(counts, funnel_of(None))["below_at_most"].isna().all()


def test_team_and_managers_are_one_family_and_come_back_apart() -> None:
    funnel = funnel_of()
    counts = counts_of([40] * 19, [26] + [33] * 18)
    team = counts.groupby(["from_stage", "to_stage"], as_index=False)[["entered", "converted"]].sum()
    judged, managers = versus_targets(conversion_rates(team), conversion_rates(counts), funnel)
    assert len(judged) == 1
    assert "manager" not in judged
    assert managers["manager"].tolist() == counts["manager"].tolist()
    assert managers.index.tolist() == list(range(19))
    whole = holm(np.append(judged["p_mid"], managers["p_mid"]))
    np.testing.assert_allclose(np.append(judged["p_holm"], managers["p_holm"]), whole)
    assert versus_target(conversion_rates(counts.head(1)), funnel)["verdict"].tolist() == ["red"]
    assert managers["verdict"][0] == "undecided"
    # a column of the one is none of the other's, and whole numbers stay whole
    mixed = versus_targets(conversion_rates(team), conversion_rates(counts).assign(matured=7), funnel)
    assert ["matured" in frame for frame in mixed] == [False, True]
    assert mixed[1]["matured"].dtype.kind == "i"
    # the team's row is nobody's: a target of a manager's own and the list of system users do not touch it
    assert judged["target"].tolist() == [0.8]
    nobody = versus_targets(conversion_rates(team), conversion_rates(counts.head(0)), funnel)
    assert [len(frame) for frame in nobody] == [1, 0]


def test_where_the_dispersion_is_estimated_p_and_limits_are_students() -> None:
    rates = conversion_rates(counts_of([100], [70])).assign(n_eff=100.0)
    sure, few = (versus_target(rates.assign(df=df), funnel_of()) for df in (1e9, 2.0))
    assert sure["p_mid"].item() == pytest.approx(mid_p(70, 100, 0.8), rel=1e-5)
    z = stats.norm.ppf(mid_p(70, 100, 0.8))
    assert few["p_mid"].item() == pytest.approx(stats.t.cdf(z, 2))
    lower = score_interval(70, 100, stats.t.ppf(0.95, 2))[0]
    assert few["below_at_most"].item() == pytest.approx(100 * (0.8 - lower))
    assert sure["below_at_most"].item() < few["below_at_most"].item()
    assert (sure["verdict"].item(), few["verdict"].item()) == ("red", "amber")
    both = pd.concat([rates, rates.assign(manager="Other", rate=0.9)], ignore_index=True)
    rest = both.iloc[[1, 0]].assign(manager=both["manager"].to_numpy())
    known, guessed = (versus_rest(both.assign(df=df), rest)["p_value"] for df in (1e9, 2.0))
    np.testing.assert_allclose(known, exact_p(70, 100, 90, 100), rtol=1e-5)
    np.testing.assert_allclose(guessed, 2 * stats.t.cdf(stats.norm.ppf(known / 2), 2), rtol=1e-5)


def test_the_visible_drop_is_seen_four_times_in_five_and_a_smaller_one_is_not() -> None:
    for n, floor in ((1, 0.95), (2, 0.8), (15, 0.8), (60, 0.8), (195, 0.95), (400, 0.05)):
        drop = float(visible_drop(n, floor)) / 100
        k = np.arange(n + 1)
        seen = stats.binom.pmf(k, n, floor - drop)[mid_p(k, n, floor) <= 0.05].sum()
        assert seen == pytest.approx(0.8, abs=1e-6)
    assert np.isnan(visible_drop([0, 1, 10, np.nan], [0.8, 0.8, 0.05, 0.5])).all()
    assert visible_drop(30, 0.8) < visible_drop(15, 0.8)


def test_the_rest_of_day_counts_keeps_days_on_which_the_manager_has_nobody() -> None:
    days = pd.DataFrame(
        {"manager": ["A", "B", "B"], "from_stage": "lead", "age_days": [1, 1, 4], "advanced": [3, 2, 1]}
    ).assign(lost=0, open=1)
    rest = rest_of(days).set_index(["manager", "age_days"])
    assert rest["advanced"].to_dict() == {("A", 1): 2, ("A", 4): 1, ("B", 1): 3, ("B", 4): 0}


def test_against_the_rest_has_newcombes_interval_and_fishers_exact_test() -> None:
    found = against_others(counts_of([70, 80], [56, 48])).iloc[0]
    assert found["difference"] == pytest.approx(0.2)
    assert (found["ci_lower"], found["ci_upper"]) == newcombe_interval(56, 70, 48, 80)
    assert found["p_value"] == pytest.approx(2 * stats.fisher_exact([[56, 14], [48, 32]], "greater")[1])
    assert found["verdict"] == "higher"


def test_one_lead_lost_where_all_others_moved_on_is_no_finding() -> None:
    found = against_others(counts_of([1, *[20] * 9], [0, *[20] * 9]))
    # one of 181 leads, whose it is, is chance; a score test gives 1e-40 here
    assert found["p_value"].iloc[0] == pytest.approx(2 / 181)
    assert set(found["verdict"]) == {"undecided"}


def test_one_lead_of_fifty_against_none_of_two_thousand_is_no_finding() -> None:
    # a score test gives .000000000002 here
    assert exact_p(1, 50, 0, 2000) == pytest.approx(2 * 50 / 2050)
    assert np.isnan(exact_p(0, 0, 3, 10))


def test_a_manager_alone_or_without_leads_cannot_be_compared() -> None:
    assert against_others(counts_of([10], [5]))["verdict"].tolist() == ["undecided"]
    found = against_others(counts_of([0, 10], [0, 5]))
    assert found["difference"].isna().all()
    assert found[["ci_lower", "ci_upper"]].to_numpy().tolist() == [[-1, 1], [-1, 1]]


def test_wins_without_a_date_that_could_lift_a_step_to_its_floor_leave_it_undecided() -> None:
    """70 of 100 where 80 % are agreed; 15 more won some day would make it 85."""
    counts = counts_of([400], [280]).drop(columns="manager")
    verdicts = versus_target(counts, funnel_of(target=0.8))
    assert verdicts["verdict"].tolist() == ["red"]

    def judged(won: int, unseen: int = 0) -> str:
        return with_undated(verdicts, counts.assign(won=won, unseen=unseen, ended=0))["verdict"].item()

    assert [judged(won) for won in (0, 4, 60)] == ["red", "red", "undecided"]
    # the unseen come to the leads as well: 28 of 428 lift it to 76.5 %
    assert [judged(0, unseen) for unseen in (28, 60)] == ["red", "undecided"]
