"""Weeks scatter: numbers by hand, identities without open leads, a jackknife by weeks, properties, edges."""

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from scipy import stats

from funnelstats.core.comparing import rest_of, versus_rest
from funnelstats.core.incidence import OUTCOMES, incidence, incidence_at
from funnelstats.core.intervals import score_interval
from funnelstats.core.scatter import (
    _correlations,
    _influence,
    _weekly_parts,
    against_rest,
    own_scatter,
    rates_over_weeks,
    usual_dispersion,
    weeks_differ,
)

ONE = funnel_of("lead", "met")
TWO = funnel_of("lead", "met", "paid")
LONG = funnel_of("lead", "met", days=30)
MONDAYS = pd.date_range("2026-01-05", periods=60, freq="7D")


def complete(entered, converted, manager=None, stage="lead") -> pd.DataFrame:
    """Day counts by week of leads of which all is known: they advance on day 2 or are lost on day 5."""
    entered, converted = np.asarray(entered), np.asarray(converted)
    weeks = MONDAYS[: len(entered)]
    none = np.zeros(len(weeks), dtype=int)
    days = pd.concat(
        [
            pd.DataFrame({"week": weeks, "age_days": 2, "advanced": converted, "lost": none, "open": none}),
            pd.DataFrame({"week": weeks, "age_days": 5, "advanced": none, "lost": entered - converted, "open": none}),
        ],
        ignore_index=True,
    )
    days.insert(1, "from_stage", stage)
    if manager is not None:
        days.insert(0, "manager", manager)
    return days


def censored(seed=0, weeks=13, leads=80, rate=0.6) -> pd.DataFrame:
    """Day counts by week of leads that move on within 40 days; those of the last weeks are still on their way."""
    random = np.random.default_rng(seed)
    rows = []
    for week in MONDAYS[:weeks]:
        entered = week + pd.to_timedelta(random.integers(0, 7, leads), unit="D")
        watched = (MONDAYS[weeks] - entered).days.to_numpy()
        day, fate = random.integers(0, 40, leads), random.random(leads)
        known = day <= watched
        frame = pd.DataFrame({"age_days": np.where(known, day, watched)})
        frame = frame.assign(
            advanced=known & (fate < rate), lost=known & (fate >= rate) & (fate < 0.9), open=~known | (fate >= 0.9)
        )
        rows.append(frame.groupby("age_days", as_index=False).sum().assign(week=week, from_stage="lead"))
    return pd.concat(rows, ignore_index=True)[["week", "from_stage", "age_days", *OUTCOMES]]


def drawn(random, weeks, leads, rate, correlation, managers=1) -> pd.DataFrame:
    """Counts by manager and week whose rates are Beta with this correlation, each manager and week for itself."""
    size = 1 / correlation - 1 if correlation else np.inf
    shape = (managers, weeks)
    p = np.full(shape, rate) if size == np.inf else random.beta(rate * size, (1 - rate) * size, shape)
    k = random.binomial(leads, p)
    return pd.concat([complete(np.full(weeks, leads), k[m], f"M{m}") for m in range(managers)], ignore_index=True)


def without_managers(days) -> pd.DataFrame:
    return days.groupby(["week", "from_stage", "age_days"], as_index=False)[list(OUTCOMES)].sum()


# numbers by hand


def test_the_dispersion_of_four_weeks_by_hand() -> None:
    """Four weeks of 100 leads: 50, 70, 50, 70 pass; F = .6, p(1 − p) = .24.

    Neighbouring weeks differ by .2, on average of squares .04; chance alone makes .24·2/100 = .0048, and a correlation
    r adds r·.24·(2 − 2/100) = r·.4752. So r = .0352/.4752 = .07407, and the dispersion 1 + 99·r = 8.333. Three
    differences of one step are worth two degrees of freedom.
    """
    found = rates_over_weeks(complete([100] * 4, [50, 70, 50, 70]), ONE).iloc[0]
    assert found["rate"] == pytest.approx(0.6)
    assert found["dispersion"] == pytest.approx(1 + 99 * 0.0352 / 0.4752)
    assert found["df"] == pytest.approx(2)
    assert found["n_eff"] == pytest.approx(400 / found["dispersion"])
    lower, upper = score_interval(0.6 * found["n_eff"], found["n_eff"], stats.t.ppf(0.975, 2))
    assert found["ci_lower"] == pytest.approx(float(lower))
    assert found["ci_upper"] == pytest.approx(float(upper))


def test_a_pair_of_weeks_weighs_as_the_leads_it_compares() -> None:
    """20, 20 and 80 leads, of which 10, 14 and 48 pass: F = .6, differences of .2 and .1, and of 20·20/40 = 10 and
    20·80/100 = 16 leads, so weights of 100 and 256.

    100·(.04 − .24·.1) + 256·(.01 − .24·.0625) = 1.6 − 1.28 = .32 beyond chance, of 100·.24·1.9 + 256·.24·1.9375 =
    164.64 that are possible: r = .0019436, where weights of 10 and 16 would give .08/10 = .007. A lead shares its week
    with (400 + 400 + 6400)/120 = 60.
    """
    found = rates_over_weeks(complete([20, 20, 80], [10, 14, 48]), ONE).iloc[0]
    assert found["dispersion"] == pytest.approx(1 + 59 * 0.32 / 164.64)


# identities


def test_without_open_leads_a_weeks_deviation_and_leads_are_its_own() -> None:
    entered, converted = np.array([30, 10, 25, 40]), np.array([20, 3, 20, 22])
    parts = _weekly_parts(complete(entered, converted), ONE)
    pooled = converted.sum() / entered.sum()
    np.testing.assert_allclose(parts["rate"], pooled)
    np.testing.assert_allclose(parts["deviation"], converted / entered - pooled)
    np.testing.assert_allclose(parts["leads"], entered)


def influences(days, horizon):
    """U and V by week, and the rate, as the module computes them."""
    days = days.assign(age_days=days["age_days"].clip(upper=horizon + 1))
    cube = np.stack(
        [
            days.pivot_table(index="week", columns="age_days", values=name, aggfunc="sum", fill_value=0)
            .reindex(columns=range(horizon + 2), fill_value=0)
            .to_numpy(dtype=float)
            for name in OUTCOMES
        ]
    )
    at_risk = cube.sum(axis=0)[:, ::-1].cumsum(axis=-1)[:, ::-1]
    part, spread, rate = _influence(*(part[None, :, :-1] for part in (at_risk, cube[0], cube[1])))
    return part[0], spread[0], rate[0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_influences_sum_to_nothing_and_their_variance_is_that_of_the_incidence(seed) -> None:
    days = censored(seed)
    part, spread, rate = influences(days, 30)
    known = incidence_at(incidence(without_managers(days).drop(columns="week")), LONG).iloc[0]
    assert rate == pytest.approx(known["rate"])
    assert abs(part.sum()) < 1e-12
    curve = incidence(without_managers(days).drop(columns="week"))
    variance = curve[curve["age_days"] <= 30]["variance"].iloc[-1]
    assert spread.sum() == pytest.approx(variance, rel=0.01)


def test_a_jackknife_by_weeks_finds_the_same_influences() -> None:
    """Second implementation: what the incidence would be without a week, to first order U."""
    days = censored(7, weeks=40)
    part, _, rate = influences(days, 30)
    without = []
    for week in sorted(days["week"].unique()):
        others = without_managers(days[days["week"] != week])
        without.append(incidence_at(incidence(others.drop(columns="week")), LONG)["rate"].item())
    jackknife = (len(without) - 1) / len(without) * (rate - np.array(without))
    assert np.corrcoef(part, jackknife)[0, 1] > 0.995
    np.testing.assert_allclose(part, jackknife, atol=0.05 * np.abs(part).max())


def test_the_rates_are_those_of_the_incidence_and_only_less_sure() -> None:
    days = censored(2)
    plain = incidence_at(incidence(without_managers(days).drop(columns="week")), LONG)
    found = rates_over_weeks(days, LONG)
    assert list(found) == [*plain, "dispersion", "df", "by_chance"]
    for name in ("entered", "known", "rate"):
        assert found[name].item() == plain[name].item()
    assert found["n_eff"].item() <= plain["n_eff"].item()
    assert found["ci_lower"].item() < plain["ci_lower"].item() < plain["ci_upper"].item() < found["ci_upper"].item()


# properties


def test_managers_in_another_order_get_the_same_rows() -> None:
    days = drawn(np.random.default_rng(5), 13, 12, 0.7, 0.05, managers=6)
    found = rates_over_weeks(days, ONE)
    # labels of rows say nothing, even where several rows have the same
    turned = days.iloc[::-1].set_index(pd.Index([0] * len(days)))
    other = rates_over_weeks(turned, ONE).sort_values("manager", ignore_index=True)
    pd.testing.assert_frame_equal(other, found)


def test_a_break_hardly_changes_the_dispersion_where_pearsons_would_explode() -> None:
    random = np.random.default_rng(6)
    rates = np.where(np.arange(26) < 13, 0.8, 0.6)
    steady, broken = random.binomial(200, 0.7, (25, 26)), random.binomial(200, rates, (25, 26))

    def dispersion(k):
        return rates_over_weeks(complete([200] * 26, k), ONE)["dispersion"].item()

    def pearson(k):
        pooled = k.sum() / (200 * 26)
        return ((k - 200 * pooled) ** 2 / (200 * pooled * (1 - pooled))).sum() / 25

    assert np.mean([pearson(k) for k in broken]) > 9
    assert np.mean([dispersion(k) for k in broken]) < np.mean([dispersion(k) for k in steady]) + 0.6


@pytest.mark.parametrize("correlation", [0.0, 0.02, 0.05])
def test_the_dispersion_is_that_of_the_weeks(correlation) -> None:
    random = np.random.default_rng(8)
    found = [rates_over_weeks(drawn(random, 40, 60, 0.7, correlation), ONE)["dispersion"].item() for _ in range(20)]
    # floored at 1, so a little above it where weeks do not differ
    assert 1 + 59 * correlation - 0.4 < np.mean(found) < 1 + 59 * correlation + 0.4


def test_half_of_a_steps_correlation_is_that_of_all_steps() -> None:
    """met is steady where lead's weeks differ: the steady step is given some of the other's, and the other less."""
    days = pd.concat([complete([100] * 8, [50, 70] * 4), complete([100] * 8, [60, 60] * 4, stage="met")])
    alone = rates_over_weeks(complete([100] * 8, [50, 70] * 4), ONE)["dispersion"].item()
    found = rates_over_weeks(days, TWO).set_index("from_stage")["dispersion"]
    assert 1 < found["met"] < found["lead"] < alone


# against the rest


def test_one_week_learns_from_those_before_it_how_weeks_scatter() -> None:
    before = complete(20 * [300], np.random.default_rng(4).binomial(300, 0.11, 20))
    week = complete([150], [15]).assign(week=MONDAYS[20])
    alone, told = (rates_over_weeks(week, ONE, scatter=more).iloc[0] for more in (None, pd.concat([before, week])))
    assert alone["ci_upper"] > 0.5
    assert told["rate"] == alone["rate"] == 0.1
    plain = incidence_at(incidence(week.drop(columns="week")), ONE).iloc[0]
    assert told["ci_lower"] < plain["ci_lower"]
    assert plain["ci_upper"] < told["ci_upper"] < 0.2


def by_manager(k, entered) -> pd.DataFrame:
    return pd.concat([complete(np.full(k.shape[1], entered), row, f"M{m}") for m, row in enumerate(k)])


def test_what_all_managers_share_of_a_week_does_not_part_them_from_the_rest() -> None:
    """Weeks of 55 % and of 85 % for everybody: far apart from target to target, alike beside the rest."""
    random = np.random.default_rng(10)
    shared = random.binomial(20, np.tile([0.55, 0.85], 10), (8, 20))
    days = by_manager(shared, 20)
    assert rates_over_weeks(days, ONE)["dispersion"].min() > 2.3
    assert against_rest(days, ONE)["dispersion"].max() < 1.3
    own = random.binomial(20, random.permuted(np.tile([0.55, 0.85], (8, 10)), axis=1))
    apart = against_rest(by_manager(own, 20), ONE)["dispersion"]
    assert apart.min() > 1.8


def test_all_scatter_of_a_team_of_one_is_that_manager_s_own() -> None:
    alone = by_manager(np.array([[2, 18, 9, 3, 17, 8]]), 20)
    team = rates_over_weeks(alone.drop(columns="manager"), ONE)
    assert own_scatter(alone, ONE)["dispersion"].tolist() == team["dispersion"].tolist()


def test_the_rest_is_all_others_also_of_weeks_in_which_a_manager_had_no_lead() -> None:
    """20 of 100 in two weeks, 80 of 100 in six: 520 of 800, though the manager was there in the bad weeks only."""
    others = complete(np.full(8, 100), [20, 20, 80, 80, 80, 80, 80, 80], "others")
    found = against_rest(pd.concat([complete([5, 5], [3, 2], "here"), others]), ONE).set_index("manager")
    assert found.loc["here", "other_rate"] == pytest.approx(520 / 800)


def test_weeks_differ_is_said_for_all_rows_together_and_of_no_unknown_rate() -> None:
    df = 20.0
    limit = stats.chi2.ppf(0.95, df) / df
    one = pd.DataFrame({"rate": [0.5], "dispersion": [limit * 1.01], "df": [df], "by_chance": [0.04]})
    assert weeks_differ(one).tolist() == [True]
    four = pd.concat([one] * 4, ignore_index=True)
    assert weeks_differ(four).tolist() == [False] * 4
    assert weeks_differ(one.assign(rate=np.nan)).tolist() == [False]
    assert weeks_differ(one.assign(by_chance=0.06)).tolist() == [False]


@pytest.mark.parametrize(("leads", "rate", "seen"), [(1.5, 0.9, 0.2), (3.4, 0.7, 0.8), (40, 0.5, 1)])
def test_weeks_alike_are_seldom_said_to_differ_however_few_their_leads(leads, rate, seen) -> None:
    """Half-years of leads that move on alike: .05 of 60, .10 with the error of so few; then of good and bad weeks."""
    random = np.random.default_rng(8)
    alike = np.full(26, rate)
    said = []
    for rates in (alike, np.where(random.random(26) < 0.5, 0.9, 0.1)):
        halves = [random.poisson(leads, 26) for _ in range(60)]
        days = [complete(entered, random.binomial(entered, rates)) for entered in halves]
        said.append(np.mean([weeks_differ(rates_over_weeks(half, ONE)).item() for half in days]))
    assert said[0] <= 0.1
    assert said[1] >= seen


def test_without_scatter_against_the_rest_is_the_plain_comparison() -> None:
    converted = np.array([[20, 20, 19, 20, 20, 20, 19, 20], [14, 15, 14, 15, 14, 15, 14, 15]])
    days = by_manager(converted, 25)
    found = against_rest(days, ONE)
    own, rest = (
        incidence_at(
            incidence(frame.groupby(["manager", "from_stage", "age_days"], as_index=False)[list(OUTCOMES)].sum()), ONE
        )
        for frame in (days, rest_of(days))
    )
    plain = versus_rest(own, rest)
    assert found["dispersion"].tolist() == [1, 1]
    np.testing.assert_allclose(found["difference"], plain["difference"])
    # Student's quantile instead of the normal one
    assert (found["ci_lower"] <= plain["ci_lower"]).all()
    assert found["verdict"].tolist() == plain["verdict"].tolist() == ["higher", "lower"]
    assert usual_dispersion(found) == 1


def test_the_usual_dispersion_is_the_median_one_and_1_of_nobody() -> None:
    assert usual_dispersion(pd.DataFrame({"dispersion": [1.0, 1.2, 3.0]})) == 1.2
    assert usual_dispersion(pd.DataFrame({"dispersion": pd.Series(dtype=float)})) == 1


# edges


def test_one_week_tells_next_to_nothing_of_how_weeks_scatter() -> None:
    found = rates_over_weeks(complete([80], [50]), ONE).iloc[0]
    assert (found["dispersion"], found["df"], found["n_eff"]) == (1, 1, 80)
    assert found["ci_lower"] < 0.2
    assert found["ci_upper"] > 0.9
    assert not weeks_differ(found.to_frame().T.infer_objects()).any()
    both = pd.concat([complete([80], [70], "Anna"), complete([80], [50], "Boris")])
    assert against_rest(both, ONE)["verdict"].tolist() == ["undecided", "undecided"]


def test_one_lead_and_none() -> None:
    one = rates_over_weeks(complete([1], [1]), ONE).iloc[0]
    assert (one["rate"], one["n_eff"], one["dispersion"]) == (1, 1, 1)
    nobody = rates_over_weeks(complete([], []), ONE).iloc[0]
    assert nobody["entered"] == 0
    assert np.isnan(nobody["rate"])
    assert (nobody["ci_lower"], nobody["ci_upper"]) == (0, 1)
    assert rates_over_weeks(complete([], [], "Anna"), ONE).empty
    assert against_rest(complete([], [], "Anna"), ONE).empty


def test_a_step_without_leads_has_a_row_without_a_rate_and_takes_nothing_from_the_others() -> None:
    days = complete([100] * 4, [50, 70, 50, 70])
    found, alone = rates_over_weeks(days, TWO).set_index("from_stage"), rates_over_weeks(days, ONE).iloc[0]
    assert found.loc["met", "entered"] == 0
    assert np.isnan(found.loc["met", "rate"])
    np.testing.assert_allclose(
        found.loc["lead", ["dispersion", "df"]].astype(float), alone[["dispersion", "df"]].astype(float)
    )


@pytest.mark.parametrize("part", [0, 1])
def test_where_all_or_none_convert_the_leads_stand_for_themselves(part) -> None:
    found = rates_over_weeks(complete([20] * 5, [20 * part] * 5), ONE).iloc[0]
    assert (found["rate"], found["n_eff"], found["dispersion"]) == (part, 100, 1)
    # four times two neighbouring weeks were alike
    assert found["df"] == pytest.approx(8 / 3)
    z2 = stats.t.ppf(0.975, 8 / 3) ** 2
    assert found["ci_upper"] - found["ci_lower"] == pytest.approx(z2 / (100 + z2))
    # beside a step that scatters, its correlation counts too
    other = pd.concat([complete([20] * 5, [20 * part] * 5), complete([100] * 5, [50, 70, 50, 70, 50], stage="met")])
    assert rates_over_weeks(other, TWO).set_index("from_stage").loc["lead", "dispersion"] > 1


def test_leads_all_still_on_their_way_have_no_rate_and_no_part() -> None:
    days = complete([10] * 3, [0] * 3).assign(age_days=2, advanced=0, lost=0, open=5)
    found = rates_over_weeks(days, ONE).iloc[0]
    assert np.isnan(found["rate"])
    assert (found["ci_lower"], found["ci_upper"]) == (0, 1)
    assert _weekly_parts(days, ONE)["leads"].tolist() == [0, 0, 0]


def test_a_correlation_is_never_below_nothing_or_above_one() -> None:
    calm = _correlations(_weekly_parts(complete([100] * 6, [60] * 6), ONE), ONE)
    wild = _correlations(_weekly_parts(complete([100] * 6, [0, 100] * 3), ONE), ONE)
    assert calm["correlation"].item() == 0
    assert wild["correlation"].item() == 1
