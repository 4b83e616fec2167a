"""Leaks and drivers: integrals, published and statsmodels' numbers, properties, edges."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from backends import bare_funnel
from scipy import integrate, stats
from statsmodels.stats.contingency_tables import Table2x2

from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import funnel as funnel_in_python
from funnelstats.core.comparing import versus_target
from funnelstats.importing.frames import tables
from funnelstats.loop.states import in_common
from funnelstats.page.tables import show_table
from funnelstats.team.leaks import drivers, expected_shortfall, leak_drivers, leak_sizes, noticeable, worst_leak
from funnelstats.weekly import leak


def funnel_of(*targets: float | None, tolerance: float = 0.0, **own: float) -> SimpleNamespace:
    many = len(targets)
    return bare_funnel("abcdef"[: many + 1], targets, [7] * many, tolerance=tolerance, own=own)


THREE = funnel_of(0.8, 0.5, 0.95)


def counts_of(*rows: tuple[str, int, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["from_stage", "entered", "converted"])
    frame.insert(1, "to_stage", frame["from_stage"].map({"a": "b", "b": "c", "c": "d"}))
    return frame


TEAM = counts_of(("a", 100, 60), ("b", 60, 40), ("c", 40, 39))


@pytest.mark.parametrize(("k", "n", "t"), [(60, 100, 0.8), (0, 5, 0.5), (5, 5, 0.95), (12.6, 14.3, 0.9)])
def test_a_shortfall_is_the_mean_of_what_the_rate_lacks(k: float, n: float, t: float) -> None:
    posterior = stats.beta(k + 0.5, n - k + 0.5)
    expected, _ = integrate.quad(lambda p: (t - p) * posterior.pdf(p), 0, t)
    assert expected_shortfall(k, n, t) == pytest.approx(expected, rel=1e-6)


def test_lost_deals_are_leads_times_shortfall_times_later_rates() -> None:
    found = leak_sizes(TEAM, THREE, deal=1000).set_index("from_stage")
    lost = found["lost_deals"]
    assert lost["a"] == pytest.approx(100 * expected_shortfall(60, 100, 0.8) * 40 / 60 * 39 / 40)
    assert lost["c"] == pytest.approx(40 * expected_shortfall(39, 40, 0.95))
    np.testing.assert_allclose(found["lost_money"], 1000 * lost)
    assert (found["lost_lower"] <= lost).all()
    assert (lost <= found["lost_upper"]).all()


def test_the_biggest_leak_comes_first_whatever_the_order_of_rows() -> None:
    found = leak_sizes(TEAM, THREE)
    assert found["lost_deals"].is_monotonic_decreasing
    mixed = leak_sizes(TEAM.sample(frac=1, random_state=3), THREE)
    columns = ["from_stage", "shortfall", "lost_deals"]
    pd.testing.assert_frame_equal(found[columns], mixed[columns])


def test_a_censored_rate_counts_with_the_leads_it_is_worth() -> None:
    rates = pd.DataFrame(
        {"from_stage": ["a"], "to_stage": ["b"], "entered": [100], "known": [40], "rate": [0.6], "n_eff": [50.0]}
    ).assign(ci_lower=0.4, ci_upper=0.8)
    found = leak_sizes(rates, funnel_of(0.8))
    assert found["lost_deals"].item() == pytest.approx(100 * expected_shortfall(30, 50, 0.8))


def test_limits_are_those_of_the_beta_distribution() -> None:
    found = leak_sizes(counts_of(("a", 400, 200)), funnel_of(0.9)).iloc[0]
    limits = 400 * (0.9 - stats.beta(200.5, 200.5).ppf([0.975, 0.025]))
    np.testing.assert_allclose([found["lost_lower"], found["lost_upper"]], limits, rtol=0.02)


def test_where_nobody_entered_or_nothing_was_agreed_the_leak_is_unknown() -> None:
    for counts, funnel in (
        (counts_of(("a", 0, 0)), funnel_of(0.8)),
        (counts_of(("a", 9, 3)), funnel_of(None)),
    ):
        found = leak_sizes(counts, funnel, deal=5).iloc[0]
        assert found[["shortfall", "lost_deals", "lost_money"]].isna().all()
        assert found[["lost_lower", "lost_upper", "lost_money_upper"]].tolist() == [0, np.inf, np.inf]
    assert leak_sizes(TEAM, THREE)["lost_money"].isna().all()


def test_a_step_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="one row per step"):
        leak_sizes(pd.concat([TEAM, TEAM]), THREE)


def test_without_a_deal_above_nothing_the_money_is_unknown() -> None:
    for deal in (None, float("nan"), 0.0, -3.0):
        assert leak_sizes(TEAM, THREE, deal=deal)["lost_money"].isna().all()


def team_and_leaks(*conversions: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Verdicts and sizes of three steps, 1000 leads each, with so many conversions."""
    counts = pd.DataFrame({"from_stage": list("abc"), "to_stage": list("bcd"), "entered": 1000})
    counts = counts.assign(converted=conversions)
    return versus_target(counts, THREE), leak_sizes(counts, THREE, deal=10)


def test_the_worst_leak_is_the_missed_step_that_costs_most_deals() -> None:
    worst = worst_leak(*team_and_leaks(700, 300, 950))
    assert worst["from_stage"].tolist() == ["b"]
    assert worst["lost_money"].item() == pytest.approx(10 * worst["lost_deals"].item())
    assert worst_leak(*team_and_leaks(700, 500, 950))["from_stage"].tolist() == ["a"]
    assert worst_leak(*team_and_leaks(800, 500, 950)).empty


def test_only_red_steps_are_listed_and_of_these_only_leaks_of_half_a_deal_and_more() -> None:
    team, leaks = team_and_leaks(700, 490, 950)
    # a step a little below its target has a shortfall by chance alone: that is no leak
    assert leaks.set_index("from_stage").loc["b", "lost_deals"] > 5
    assert noticeable(leaks, team)["from_stage"].tolist() == ["a"]
    small = leaks.assign(lost_deals=leaks["lost_deals"].mask(leaks["from_stage"] == "a", 0.4))
    assert noticeable(small, team).empty
    late = small.assign(late_deals=small["late_deals"].mask(small["from_stage"] == "a", 0.1))
    assert noticeable(late, team)["from_stage"].tolist() == ["a"]
    nothing = counts_of(("a", 9, 3))
    assert noticeable(leak_sizes(nothing, funnel_of(None)), versus_target(nothing, funnel_of(None))).empty


def fates_of(late: int) -> pd.DataFrame:
    return pd.DataFrame({"from_stage": ["a"], "to_stage": ["b"], "entered": [800], "in_time": [480], "late": [late]})


def test_late_is_not_lost_and_lost_and_late_add_up_to_what_is_missing_in_time() -> None:
    """Of 1000 leads 60 % pass in time, 80 % are agreed: 200 are missing, all of them lost without word of their fate.

    Of 800 whose days are over 480 were in time, and of the 320 others 80 moved on later, a quarter: of 400 missing
    100, so 70 % pass sooner or later, and 100 of the 200 are lost.
    """
    counts = pd.DataFrame({"from_stage": ["a"], "to_stage": ["b"], "entered": [1000], "converted": [600]})
    one = funnel_of(0.8)
    plain = leak_sizes(counts, one, deal=10).iloc[0]
    assert plain["lost_deals"] == pytest.approx(200, abs=0.5)
    assert plain["late_deals"] == 0
    told = leak_sizes(counts, one, fates=fates_of(80), deal=10).iloc[0]
    assert told["lost_deals"] == pytest.approx(100, abs=0.5)
    assert told["late_deals"] + told["lost_deals"] == pytest.approx(plain["lost_deals"])
    assert told["lost_money"] == pytest.approx(10 * told["lost_deals"])
    every = leak_sizes(counts, one, fates=fates_of(320)).iloc[0]
    assert every["lost_deals"] < 0.01
    assert every["late_deals"] == pytest.approx(200, abs=0.5)


def test_the_worst_leaks_drivers_are_those_of_its_step_with_all_managers_together() -> None:
    team, leaks = team_and_leaks(800, 300, 950)
    strata = strata_of()
    by_manager = pd.concat([strata.assign(manager="A"), strata.assign(manager="B")])
    steps = [
        by_manager.assign(from_stage="a", to_stage="b", converted=0),
        by_manager.assign(from_stage="b", to_stage="c"),
    ]
    found = leak_drivers(pd.concat(steps).assign(too_recent=1), worst_leak(team, leaks))
    expected = drivers(strata.assign(entered=2 * strata["entered"], converted=2 * strata["converted"]))
    pd.testing.assert_frame_equal(found.drop(columns=["from_stage", "to_stage"]), expected)
    assert set(zip(found["from_stage"], found["to_stage"], strict=True)) == {("b", "c")}


def test_where_nothing_leaks_or_no_attribute_is_known_nothing_drives() -> None:
    strata = strata_of().assign(manager="A", from_stage="b", to_stage="c")
    assert leak_drivers(strata, worst_leak(*team_and_leaks(800, 500, 950))).empty
    bare = strata[["manager", "from_stage", "to_stage", "entered", "converted"]]
    assert leak_drivers(bare, worst_leak(*team_and_leaks(800, 300, 950))).empty


def test_an_attribute_of_too_many_values_does_not_stop_the_page() -> None:
    many = pd.DataFrame({"company": [f"c{number}" for number in range(120)], "kind": ["x", "y"] * 60})
    strata = many.assign(manager="A", from_stage="b", to_stage="c", entered=9, converted=[2, 7] * 60)
    assert leak_drivers(strata, worst_leak(*team_and_leaks(800, 300, 950)))["attribute"].unique().tolist() == ["kind"]


def strata_of(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cells = [(s, c) for s in ("new", "old", "tender") for c in ("web", "expo")]
    strata = pd.DataFrame(cells, columns=["segment", "channel"]).assign(entered=rng.integers(40, 90, 6))
    return strata.assign(converted=rng.binomial(strata["entered"], [0.5, 0.6, 0.7, 0.8, 0.3, 0.4]))


def test_one_attribute_of_two_values_has_the_odds_ratio_of_its_table() -> None:
    strata = pd.DataFrame({"channel": ["web", "expo"], "entered": [80, 70], "converted": [48, 56]})
    found = drivers(strata).set_index("value")
    table = Table2x2([[56, 14], [48, 32]])
    expo = found.loc["expo"]
    assert expo["odds_ratio"] == pytest.approx(table.oddsratio)
    np.testing.assert_allclose(expo[["odds_lower", "odds_upper"]].astype(float), table.oddsratio_confint(), rtol=1e-6)
    assert expo["attribute_p"] == pytest.approx(expo["p_value"])
    assert expo["p_value"] == pytest.approx(table.oddsratio_pvalue(), rel=1e-4)
    assert found.loc["web", "odds_ratio"] == pytest.approx(1 / table.oddsratio)
    # Newcombe 1998, Table II: 56/70 against 48/80
    np.testing.assert_allclose(
        expo[["difference_lower", "difference_upper"]].astype(float), [0.0524, 0.3339], atol=5e-5
    )


def test_an_adjusted_odds_ratio_is_that_of_a_main_effects_model() -> None:
    strata = strata_of()
    dummies = pd.get_dummies(strata[["segment", "channel"]], drop_first=True, dtype=float)
    successes = np.column_stack([strata["converted"], strata["entered"] - strata["converted"]])
    fit = sm.GLM(successes, sm.add_constant(dummies), family=sm.families.Binomial()).fit()
    found = drivers(strata).set_index("value")
    assert np.log(found.loc["web", "odds_ratio"]) == pytest.approx(fit.params["channel_web"])
    assert found.loc["web", "p_value"] == pytest.approx(fit.pvalues["channel_web"], rel=1e-6)
    n = strata.groupby("segment")["entered"].sum()
    rest = n["old"] * fit.params["segment_old"] / (n["old"] + n["new"])
    assert np.log(found.loc["tender", "odds_ratio"]) == pytest.approx(fit.params["segment_tender"] - rest)


def test_an_attribute_that_only_travels_with_a_driver_is_cleared() -> None:
    """Tenders buy less; they come by radio. Adjusted, radio has no effect of its own."""
    rows = [
        ("tender", "radio", 900, 270),
        ("tender", "web", 300, 90),
        ("new", "radio", 100, 60),
        ("new", "web", 700, 420),
    ]
    found = drivers(pd.DataFrame(rows, columns=["segment", "channel", "entered", "converted"])).set_index("value")
    assert found.loc["radio", "difference_upper"] < -0.1
    assert found.loc["radio", "odds_ratio"] == pytest.approx(1)
    assert found["verdict"].tolist() == ["higher", "lower", "undecided", "undecided"]


def test_one_odd_value_among_many_is_not_called_a_driver_by_itself() -> None:
    """Beside a strong product, a channel of nine values, one of them as odd as one of nine may be."""
    channels, products = (
        pd.DataFrame({"channel": list("abcdefghi")}),
        pd.DataFrame({"product": ["good", "fair", "bad"]}),
    )
    strata = channels.merge(products, how="cross").assign(entered=100)
    usual = strata["product"].map({"good": 90, "fair": 70, "bad": 30})
    found = drivers(strata.assign(converted=usual - 6 * strata["channel"].eq("i"))).set_index("value")
    assert found.loc["i", "p_value"] == pytest.approx(0.02, abs=0.01)
    assert found.loc["i", "attribute_p"] == pytest.approx(9 * found.loc["i", "p_value"])
    assert found.loc["i", "verdict"] == "undecided"
    assert found.loc[["good", "bad"], "verdict"].tolist() == ["higher", "lower"]
    strata["converted"] = usual - 9 * strata["channel"].eq("i")
    channel = drivers(strata).query("attribute == 'channel'").set_index("value")["verdict"]
    assert channel[channel != "undecided"].to_dict() == {"i": "lower"}


def test_blanks_are_a_group_and_the_values_of_an_attribute_add_up() -> None:
    strata = strata_of().assign(segment=["new", "new", None, None, "old", "old"])
    found = drivers(strata.assign(from_stage="a", to_stage="b", too_recent=3))
    assert found["value"].tolist() == ["new", "old", "(missing)", "expo", "web"]
    sums = found.groupby("attribute")[["entered", "converted"]].sum()
    assert (sums == strata[["entered", "converted"]].sum()).all(axis=None)


def test_what_is_written_down_only_of_leads_that_got_far_makes_no_value_look_good() -> None:
    sectors = pd.DataFrame({"sector": ["retail", "finance", None], "entered": [500, 400, 900]})
    found = drivers(sectors.assign(converted=[275, 220, 0])).set_index("value")
    assert found.loc[["retail", "finance"], "difference"].tolist() == [0, 0]
    assert found["verdict"].to_dict() == {"retail": "undecided", "finance": "undecided", "(missing)": "lower"}
    assert in_common(found.reset_index()).empty
    close = drivers(pd.DataFrame({"product": ["valve", "pump"], "entered": [462, 523], "converted": [123, 112]}))
    assert close["verdict"].tolist() == ["lower", "higher"]
    assert in_common(close).empty, "−0.1 to 10.6 points are no link"
    clear = drivers(pd.DataFrame({"product": ["valve", "pump"], "entered": [462, 523], "converted": [200, 112]}))
    assert in_common(clear)["value"].tolist() == ["valve"], "of two values the other says the same"
    alone = drivers(sectors.iloc[[0, 2]].assign(converted=[275, 0])).set_index("value").loc["retail"]
    assert alone[["other_rate", "odds_ratio"]].isna().all()


def test_a_value_that_always_or_never_converts_has_finite_odds_and_wide_limits() -> None:
    strata = pd.DataFrame({"x": ["p", "q", "r"], "entered": [4, 50, 50], "converted": [0, 30, 25]})
    never = drivers(strata).set_index("value").loc["p"]
    assert 0 < never["odds_lower"] < never["odds_ratio"] < 0.5
    assert never["odds_upper"] > 1
    assert never["verdict"] == "undecided"


def test_limits_that_no_number_can_hold_are_none() -> None:
    # A value that hardly anybody has, beside another attribute that decides nearly everything.
    sizes = {("a", "yes"): (300, 60), ("b", "yes"): (300, 70), ("a", "no"): (900, 0), ("b", "no"): (900, 1)}
    rows = [(x, y, entered, converted) for (x, y), (entered, converted) in sizes.items()] + [("c", "no", 3, 0)]
    found = drivers(pd.DataFrame(rows, columns=["x", "y", "entered", "converted"])).set_index("value")
    assert (found.at["c", "odds_lower"], found.at["c", "odds_upper"]) == (0, np.inf)
    assert 0 < found.at["a", "odds_lower"] < found.at["a", "odds_upper"] < 10
    assert found["verdict"].to_dict() == {
        "a": "undecided",
        "b": "undecided",
        "c": "undecided",
        "no": "lower",
        "yes": "higher",
    }


def test_two_attributes_that_never_part_have_no_effect_of_their_own() -> None:
    found = drivers(strata_of()[["segment", "entered", "converted"]].assign(copy=strata_of()["segment"]))
    assert found["odds_ratio"].isna().all()
    assert found[["odds_lower", "odds_upper"]].drop_duplicates().to_numpy().tolist() == [[0, np.inf]]
    assert found["difference"].notna().all()


@pytest.mark.parametrize(
    ("entered", "converted"), [([0, 0], [0, 0]), ([5, 5], [5, 5]), ([5, 5], [0, 0]), ([9, 0], [4, 0])]
)
def test_where_nothing_varies_nothing_is_decided(entered: list[int], converted: list[int]) -> None:
    found = drivers(pd.DataFrame({"x": ["p", "q"], "entered": entered, "converted": converted}))
    assert (found["verdict"] == "undecided").all()
    assert found["odds_ratio"].isna().all()
    assert (found["odds_upper"] == np.inf).all()


def test_a_manager_whose_leads_are_all_running_is_not_without_entrants() -> None:
    numbers = ["rate", "ci_lower", "ci_upper", "p_mid", "p_holm", "shrunken", "shrunken_lower", "shrunken_upper"]
    row = dict.fromkeys([*numbers, "rank", "rank_lower", "rank_upper"], np.nan)
    frame = pd.DataFrame([{"manager": "New", "entered": 5, "verdict": "too few", **row}])
    text = show_table(frame, "leaks.managers").data["text/html"]
    assert "not known yet" in text
    assert "no entrants" not in text


def test_without_attributes_nothing_drives_a_step() -> None:
    found = drivers(strata_of()[["entered", "converted"]])
    assert found.empty
    assert "odds_ratio" in found


def test_several_steps_or_too_many_values_are_refused() -> None:
    with pytest.raises(ValueError, match="one step"):
        drivers(strata_of().assign(from_stage=list("aabbcc")))
    with pytest.raises(FunnelError, match="at most 100 values, company has 101"):
        drivers(pd.DataFrame({"company": range(101), "entered": 1, "converted": 0}))


@pytest.mark.simulation
def test_beside_one_strong_attribute_few_idle_ones_are_called_drivers() -> None:
    rng = np.random.default_rng(8)
    share_false = []
    for _ in range(150):
        leads = pd.DataFrame({f"idle{number}": rng.integers(0, 7, 600) for number in range(4)})
        leads["product"] = rng.integers(0, 4, 600)
        leads = leads.assign(entered=1, converted=rng.random(600) < np.where(leads["product"] == 0, 0.4, 0.8))
        found = drivers(leads).query("verdict != 'undecided'")
        share_false.append((found["attribute"] != "product").mean() if len(found) else 0.0)
        assert "product" in set(found["attribute"])
    assert np.mean(share_false) <= 0.06


def test_without_a_base_the_channels_of_leads_are_compared() -> None:
    leads, entries = [], []
    for number in range(960):
        lead, channel = f"L{number}", ("web", "fair")[number % 2]
        came = pd.Timestamp("2026-01-05") + pd.Timedelta(days=number // 8)
        leads.append((lead, came, channel))
        entries += [(lead, "lead", came, "Anna")]
        if number % 8 in (0, 1, 3, 5):
            entries += [(lead, "met", came + pd.Timedelta(days=1), "Anna")]
    funnel = funnel_in_python(["lead", "met"], horizon_days=7, targets={"met": 0.8})
    known = tables(
        funnel,
        leads=pd.DataFrame(leads, columns=["lead_id", "created_at", "channel"]),
        entries=pd.DataFrame(entries, columns=["lead_id", "stage", "entered_at", "manager"]),
    )
    drivers = leak(funnel, known, "2026-W18", date(2026, 5, 3)).drivers.set_index("value")
    assert drivers["attribute"].unique().tolist() == ["channel"]
    assert drivers["verdict"].to_dict() == {"fair": "higher", "web": "lower"}
