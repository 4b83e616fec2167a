"""Contact rates: by eye, scipy and statsmodels, properties, edges, and what the sentences say."""

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.rates import test_poisson_2indep as poisson_2indep

from funnelstats.config.errors import FunnelError
from funnelstats.contacts.counts import CONTACT_COUNTS, contact_counts, quiet_counts
from funnelstats.contacts.effects import (
    beside_colleagues,
    contact_finding,
    contact_rates,
    efforts,
    moves_added,
    over_weeks,
    pooled_contacts,
    rate_ratio,
    with_expected,
)
from funnelstats.page.sections import show_section
from funnelstats.page.tables import show_table

FUNNEL = funnel_of("lead", "met", "paid")
QUIET = pd.DataFrame({"stage": ["lead", "met"], "quiet_days": [1000, 400], "quiet_moves": [50, 8], "moves": [90, 60]})


def counts_of(*rows):
    """Counts from (kind, stage, contacts, effective[, days[, too_recent]]) tuples."""
    full = [(*row, *(0,) * (6 - len(row))) for row in rows]
    frame = pd.DataFrame(full, columns=["kind", "stage", "contacts", "effective", "days", "too_recent"])
    frame = frame.assign(conversations=0, advances=frame["effective"], sales=0)
    return frame[["kind", "stage", *CONTACT_COUNTS]]


def test_twenty_five_calls_and_fifteen_calls() -> None:
    rates = contact_rates(counts_of(("call", "lead", 25, 4), ("call", "met", 15, 6)))
    assert rates["rate"].tolist() == [0.16, 0.4]
    expected = [proportion_confint(4, 25, method="wilson"), proportion_confint(6, 15, method="wilson")]
    np.testing.assert_allclose(rates[["ci_lower", "ci_upper"]], expected)


def test_what_days_without_a_contact_would_have_brought() -> None:
    found = with_expected(
        counts_of(("call", "lead", 25, 4, 100), ("call", "met", 15, 6, 50), ("call", "paid", 5, 0, 20)), QUIET
    )
    assert found["expected"].tolist() == [100 * 50 / 1000, 50 * 8 / 400, 0]
    rates = contact_rates(found)
    assert rates["ratio"].tolist()[:2] == [4 / 5, 6 / 1]
    assert rates.loc[2, ["ratio_lower", "ratio_upper"]].tolist() == [0, np.inf]
    assert np.isnan(rates.loc[2, "ratio"])


@pytest.mark.parametrize(
    ("moved", "days", "quiet_moves", "quiet_days"), [(4, 100, 50, 1000), (0, 30, 7, 90), (12, 5, 3, 2000)]
)
def test_limits_of_two_rates_are_those_of_the_exact_conditional_test(moved, days, quiet_moves, quiet_days) -> None:
    expected = days * quiet_moves / quiet_days
    lower, upper = rate_ratio(moved, expected, days**2 * quiet_moves / quiet_days**2)
    inside = binomtest(moved, moved + quiet_moves).proportion_ci(0.95, "exact")
    odds = [p / (1 - p) * quiet_days / days for p in inside]
    np.testing.assert_allclose([lower, upper], odds, rtol=1e-9)
    # at its limits the exact test of statsmodels leaves 2.5 % on the far side
    for limit, side in ((lower, "larger"), (upper, "smaller")):
        if limit > 0:
            test = poisson_2indep(
                moved, days, quiet_moves, quiet_days, value=float(limit), method="exact-cond", alternative=side
            )
            assert test.pvalue == pytest.approx(0.025, rel=1e-6)


def test_limits_of_a_ratio_with_nothing_expected_or_nothing_reached() -> None:
    for bound, given in (((0, np.inf), (3, 0, 0)), ((0, np.inf), (3, np.nan, np.nan))):
        lower, upper = rate_ratio(*given)
        assert (lower, upper) == bound
    lower, upper = rate_ratio(0, 5.0, 0.1)
    assert lower == 0
    assert 0 < upper < 1


def test_contacts_for_a_step_and_for_a_sale_count_all_of_them() -> None:
    counts = counts_of(("call", "lead", 25, 4, 100, 5), ("call", "met", 10, 6), ("meeting", "met", 6, 5))
    flow = pd.DataFrame({"stage": FUNNEL.stages, "advanced": [12, 8, 0], "entered": [30, 13, 4]})
    found = efforts(counts, flow)
    assert found["made"].tolist() == [40, 6]
    assert (found["advances"].iloc[0], found["sales"].iloc[0]) == (20, 4)
    assert found["per_advance"].tolist() == [2, 0.3]
    assert found["per_sale"].tolist() == [10, 1.5]
    inside = binomtest(40, 44).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(
        found.loc[0, ["per_sale_lower", "per_sale_upper"]].astype(float), [p / (1 - p) for p in inside]
    )


def test_without_a_sale_contacts_for_one_are_unknown_and_never_none() -> None:
    flow = pd.DataFrame({"stage": FUNNEL.stages, "advanced": [0, 0, 0], "entered": [3, 0, 0]})
    found = efforts(counts_of(("call", "lead", 25, 4)), flow).iloc[0]
    assert np.isnan(found["per_sale"])
    assert np.isinf(found["per_sale_upper"])


def weeks_of(**moved):
    """Ten calls a week of each manager at the first stage, so many of which moved a lead."""
    rows = [(who, week, moves) for who, weeks in moved.items() for week, moves in enumerate(weeks)]
    frame = pd.DataFrame(rows, columns=["manager", "week", "effective"]).assign(stage="lead", kind="call", contacts=10)
    return frame.assign(**dict.fromkeys(set(CONTACT_COUNTS) - {"contacts", "effective"}, 0))


def test_contacts_count_for_less_where_a_managers_weeks_differ() -> None:
    even, uneven = [5] * 12, [1, 9] * 6
    counts = over_weeks(weeks_of(Anna=uneven, Boris=even, Claire=even), FUNNEL)
    assert counts["contacts"].tolist() == [120] * 3
    assert (counts["scatter"] > 1.5 * counts["contacts"]).all()
    anna, plain = (contact_rates(frame.head(1)).iloc[0] for frame in (counts, counts.drop(columns="scatter")))
    assert anna["rate"] == plain["rate"] == 0.5
    assert anna["ci_lower"] < plain["ci_lower"]
    both = pd.concat([counts, counts])
    assert contact_rates(pooled_contacts(both, "stage"))["ci_lower"].item() > anna["ci_lower"]


def test_what_all_managers_share_of_a_good_or_bad_week_takes_nothing_from_a_contact() -> None:
    counts = over_weeks(weeks_of(**dict.fromkeys("abcd", [1, 9] * 6)), FUNNEL)
    assert counts["scatter"].tolist() == counts["contacts"].tolist()


def test_a_difference_within_what_weeks_differ_by_is_not_told() -> None:
    moved = {"Anna": [9, 1, 9, 1, 9, 9], "Boris": [1, 9, 1, 9, 1, 1], "Claire": [1, 9, 1, 9, 9, 1]}
    counts = with_expected(over_weeks(weeks_of(**moved), FUNNEL).assign(days=100), QUIET.assign(quiet_days=150))
    counts = counts.assign(contacts=45)
    own, others = counts.head(1), counts.tail(2)
    plain = [frame.drop(columns="scatter") for frame in (own, others)]
    assert [contact_finding(*frames)["answer"] for frames in (plain, (own, others))] == ["yes", "cannot tell"]
    ratios = [moves_added(frame)["ratio_lower"].item() for frame in (own, plain[0])]
    assert ratios[0] < ratios[1]


def test_no_contacts_are_missing_and_never_zero() -> None:
    rates = contact_rates(with_expected(counts_of(("call", "lead", 0, 0)), QUIET)).iloc[0]
    assert np.isnan(rates["rate"])
    assert rates[["ci_lower", "ci_upper"]].tolist() == [0, 1]
    none = with_expected(contact_counts(None, FUNNEL, None, ["kind", "stage"]), quiet_counts(None, None, FUNNEL, None))
    assert contact_rates(none).empty
    weekly = contact_counts(None, FUNNEL, None, ["manager", "stage", "kind", "week"])
    assert over_weeks(weekly, FUNNEL).columns.tolist() == ["manager", "stage", "kind", *CONTACT_COUNTS, "scatter"]
    assert beside_colleagues(none, none).empty
    assert efforts(none, pd.DataFrame({"advanced": [0], "entered": [0]})).empty


def test_expected_moves_need_the_stage() -> None:
    with pytest.raises(FunnelError, match='add "stage" to by'):
        with_expected(counts_of(("call", "lead", 1, 0)).drop(columns="stage"), QUIET)


def test_the_colleagues_rate_stands_beside_and_stages_without_a_next_one_do_not() -> None:
    own = with_expected(counts_of(("call", "lead", 25, 4, 100), ("call", "paid", 3, 0, 9)), QUIET)
    others = with_expected(counts_of(("call", "lead", 10, 5, 9), ("call", "lead", 10, 2, 9)), QUIET)
    found = beside_colleagues(own, others)
    assert found["stage"].tolist() == ["lead"]
    assert found[["peer_rate", "base_rate"]].to_numpy().tolist() == [[0.35, 0.2]]
    alone = beside_colleagues(own, others.head(0))
    assert alone["peer_rate"].isna().all()
    heads = [show_table(frame, "manager.contacts").data["text/html"] for frame in (found, alone)]
    assert ["colleagues" in head for head in heads] == [True, False]


def found_of(own, others=None):
    own = with_expected(own, QUIET)
    return contact_finding(own, own.head(0) if others is None else with_expected(others, QUIET))


def words_of(found):
    facts = {"soon": {"leads": 0}, "early": [], "follow_up": 7}
    return show_section("manager.contacts", made=found, **facts).data["text/plain"]


@pytest.mark.parametrize(
    ("own", "others", "answer", "words"),
    [
        (
            (5, 100),
            (50, 100),
            "yes",
            "Fewer of your contacts are followed by a step forward than of your colleagues': 5%",
        ),
        (
            (90, 100),
            (50, 100),
            "yes",
            "More of your contacts are followed by a step forward than of your colleagues': 90%",
        ),
        ((50, 100), (50, 100), "cannot tell", "is too close to call"),
        ((500, 1000), (5000, 10000), "no", "about as often as your colleagues', no more than 5 points apart."),
        ((40, 1000), (520, 10000), "cannot tell", "is too close to call"),
        ((600, 10000), (600, 10000), "no", "no more than 2 points apart."),
    ],
)
def test_a_difference_is_named_only_beyond_chance_and_denied_only_within_a_margin(own, others, answer, words) -> None:
    mine, theirs = (counts_of(("call", "lead", n, k, 10)) for k, n in (own, others))
    found = found_of(mine, theirs)
    assert found["answer"] == answer
    assert words in words_of(found)


@pytest.mark.parametrize(
    ("effective", "answer", "idle"), [(60, "yes", 0), (36, "no", 1), (20, "no", 1), (45, "cannot tell", 0)]
)
def test_contacts_are_called_idle_only_where_a_third_more_moves_are_ruled_out(effective, answer, idle) -> None:
    quiet = QUIET.assign(quiet_days=10000, quiet_moves=500)
    counts = with_expected(counts_of(("call", "lead", 200, effective, 800)), quiet)
    assert moves_added(counts)["answer"].tolist() == [answer]
    found = contact_finding(counts, counts.head(0))
    assert len(found["idle"]) == idle
    words = f"After 200 contacts (call) at “lead” {effective} moved on; of the team's leads about 40 do without any."
    assert (words in words_of(found)) == bool(idle)
    assert "not proof" in words_of(found)


def test_a_contact_after_which_leads_always_move_on_is_the_step_itself_and_compared_with_nothing() -> None:
    own = counts_of(("call", "lead", 100, 50, 10), ("meeting", "met", 30, 30, 10))
    others = counts_of(("call", "lead", 100, 50, 10), ("meeting", "met", 300, 290, 10))
    found = found_of(own, others)
    assert found["itself"][["kind", "stage", "contacts"]].to_numpy().tolist() == [["meeting", "met", 30]]
    assert (found["share"], found["peer_share"]) == (0.5, 0.5)
    assert "Left out: meeting at “met”, which is the step itself (30 of 30 moved on)." in words_of(found)
    # one in ten does not move on: a habit like any other
    often = found_of(own, counts_of(("call", "lead", 100, 50, 10), ("meeting", "met", 300, 260, 10)))
    assert often["itself"].empty
    assert often["share"] == 80 / 130


def test_without_enough_colleagues_nobody_is_compared() -> None:
    found = found_of(counts_of(("call", "lead", 25, 20, 10)))
    assert found["answer"] == ""
    assert "colleagues" not in words_of(found)


def test_no_contacts_and_those_too_recent_are_no_comparison() -> None:
    assert words_of(found_of(counts_of())) == "(nothing)"
    recent = found_of(counts_of(("call", "lead", 0, 0, 0, 3)))
    assert (recent["contacts"], recent["answer"]) == (3, "")
    assert words_of(recent).endswith("3 contacts are not counted yet: their days are still running.")
