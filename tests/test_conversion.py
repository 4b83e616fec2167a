"""Rates of count frames."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from funnelstats.config.errors import FunnelError
from funnelstats.core.conversion import cohort_table, conversion_rates, group_difference, rate_difference, with_matured
from funnelstats.core.intervals import newcombe_interval


def counts_of(**columns) -> pd.DataFrame:
    return pd.DataFrame({"from_stage": "lead", "to_stage": "met", **columns})


def test_a_rate_agrees_with_statsmodels_at_any_level() -> None:
    rates = conversion_rates(pd.DataFrame({"entered": [9, 40], "converted": [0, 31]}), level=0.8)
    expected = proportion_confint([0, 31], [9, 40], alpha=0.2, method="wilson")
    np.testing.assert_allclose((rates["ci_lower"], rates["ci_upper"]), expected, atol=1e-12)


def test_rates_keep_rows_columns_and_the_frame_they_were_made_from() -> None:
    counts = counts_of(manager=["Иванов", "Сидоров"], entered=[10, 4], converted=[8, 1], too_recent=[3, 0])
    before = counts.copy()
    rates = conversion_rates(counts)
    pd.testing.assert_frame_equal(counts, before)
    pd.testing.assert_frame_equal(rates[list(counts)], before)
    assert list(rates)[-3:] == ["rate", "ci_lower", "ci_upper"]


def test_where_nobody_entered_the_rate_is_missing_and_none_of_five_is_zero() -> None:
    rates = conversion_rates(counts_of(entered=[0, 5], converted=[0, 0]))
    assert rates["rate"].isna().tolist() == [True, False]
    assert rates.loc[0, ["ci_lower", "ci_upper"]].tolist() == [0, 1]
    assert rates.loc[1, ["rate", "ci_lower"]].tolist() == [0, 0]
    assert rates.loc[1, "ci_upper"] == pytest.approx(0.4345, abs=1e-4)


def test_a_difference_of_two_frames_is_newcombes_row_by_row() -> None:
    now = conversion_rates(counts_of(manager=["A", "B"], entered=[70, 10], converted=[56, 9]))
    before = conversion_rates(counts_of(manager=["B", "A"], entered=[10, 80], converted=[3, 48]))
    found = rate_difference(now, before)
    assert found["manager"].tolist() == ["A", "B"]
    np.testing.assert_allclose(found["difference"], [0.2, 0.6])
    expected = np.array(newcombe_interval([56, 9], [70, 10], [48, 3], [80, 10])).T
    np.testing.assert_allclose(found[["ci_lower", "ci_upper"]], expected)


def test_a_difference_to_one_row_for_all_managers_matches_on_the_step() -> None:
    managers = conversion_rates(counts_of(manager=["A", "B"], entered=[70, 10], converted=[56, 9]))
    team = conversion_rates(counts_of(entered=[80], converted=[48]))
    assert rate_difference(managers, team)["other_rate"].tolist() == [0.6, 0.6]


def test_a_difference_to_nobody_is_unknown() -> None:
    now = conversion_rates(counts_of(manager=["A", "B"], entered=[70, 10], converted=[56, 9]))
    before = conversion_rates(counts_of(manager=["A"], entered=[0], converted=[0]))
    found = rate_difference(now, before)
    assert found["difference"].isna().all()
    assert found[["ci_lower", "ci_upper"]].to_numpy().tolist() == [[-1, 1], [-1, 1]]


def test_measures_beside_the_rates_are_no_groups() -> None:
    now = conversion_rates(counts_of(entered=[70], converted=[56])).assign(matured=60, matured_rate=0.8, named=True)
    before = conversion_rates(counts_of(entered=[80], converted=[48])).assign(matured=70, matured_rate=0.5)
    assert rate_difference(now, before)["difference"].item() == pytest.approx(0.2)


def test_matured_leads_are_put_beside_rates_of_the_same_groups_only() -> None:
    rates = conversion_rates(counts_of(manager=["A", "B"], entered=[70, 10], converted=[56, 9]))
    counts = counts_of(entered=[80], converted=[65]).assign(too_recent=3)
    with pytest.raises(ValueError, match="count both by manager, or neither"):
        with_matured(rates, counts)
    with pytest.raises(ValueError, match="count both by manager, or neither"):
        with_matured(conversion_rates(counts), rates.assign(too_recent=0))
    assert with_matured(conversion_rates(counts), counts)["matured"].item() == 80


def cohorts_of(weeks: int, young: int, leads: int = 50) -> pd.DataFrame:
    """Overall counts of so many weeks, the last ``young`` of which have leads whose days are not over."""
    cohort = pd.date_range("2026-01-05", periods=weeks, freq="7D")
    recent = np.where(np.arange(weeks) >= weeks - young, 9, 0)
    counts = pd.DataFrame({"cohort": cohort, "from_stage": "lead", "to_stage": "paid"})
    return counts.assign(entered=leads - recent, converted=20, too_recent=recent)


@pytest.mark.parametrize(
    ("weeks", "young", "shown"), [(30, 2, 13), (30, 13, 17), (30, 30, 13), (6, 2, 6), (14, 13, 14)]
)
def test_the_table_of_cohorts_goes_back_until_some_have_a_share(weeks: int, young: int, shown: int) -> None:
    table = cohort_table(cohorts_of(weeks, young), SimpleNamespace(stages=("lead", "paid")))
    assert len(table) == shown
    assert table["cohort"].iloc[-1] == pd.Timestamp("2026-01-05") + pd.Timedelta(days=7 * (weeks - 1))
    assert table["paid"].notna().sum() == min(shown, shown - young if young < weeks else 0)
    assert (table["leads"] == 50).all()


def test_what_tells_two_groups_apart_may_not_be_left_in_their_difference():
    rates = conversion_rates(pd.DataFrame({"channel": ["a", "b"], "entered": [50, 50], "converted": [30, 20]}))
    a, b = (rates[rates["channel"] == channel] for channel in ("a", "b"))
    with pytest.raises(FunnelError, match="no channel is in both frames; leave out the column that tells"):
        rate_difference(a, b)
    assert rate_difference(a, b.drop(columns="channel"))["difference"].item() == pytest.approx(0.2)


def test_steps_of_one_frame_alone_have_no_difference():
    rates = conversion_rates(counts_of(entered=[50], converted=[30], reason=["price"]))
    found = rate_difference(rates, rates.assign(from_stage="met", to_stage="paid", reason="terms"))
    assert found[["difference", "ci_lower", "ci_upper"]].fillna(9).to_numpy().tolist() == [[9, -1, 1]]


def test_several_rows_of_the_other_frame_for_one_are_no_difference():
    rates = conversion_rates(pd.DataFrame({"channel": ["a", "b"], "entered": [50, 50], "converted": [30, 20]}))
    with pytest.raises(FunnelError, match="other: several rows for one of rates; it must have one by nothing"):
        rate_difference(rates.head(1).drop(columns="channel"), rates)


def test_two_groups_are_compared_at_every_other_group_that_both_have():
    counts = pd.DataFrame(
        {
            "channel": ["a", "a", "b", "b", "c"],
            "to_stage": ["met", "paid", "met", "paid", "met"],
            "entered": [50, 40, 50, 40, 9],
            "converted": [30, 20, 20, 10, 9],
        }
    )
    rates = conversion_rates(counts)
    found = group_difference(rates.assign(ratio=[0.5, 0.6, 0.7, 0.8, 0.9]), "channel", "a", "b")
    assert "ratio" not in found, "a measure of one group alone"
    assert found[["channel", "other", "to_stage"]].to_numpy().tolist() == [["a", "b", "met"], ["a", "b", "paid"]]
    sides = (rates[rates["channel"] == name].drop(columns="channel") for name in "ab")
    pd.testing.assert_frame_equal(found.drop(columns=["channel", "other"]), rate_difference(*sides))
    assert found["difference"].tolist() == pytest.approx([0.2, 0.25])
    with pytest.raises(FunnelError, match='no channel "d"; known: a, b, c'):
        group_difference(rates, "channel", "a", "d")
