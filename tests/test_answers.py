"""Three answers: a difference, none beyond the margin, cannot be told."""

import numpy as np
import pytest
from scipy import stats

from funnelstats.core.intervals import (
    POINTS,
    SIDED,
    THIRD,
    answers,
    newcombe_interval,
    ratio_answers,
    share_answers,
    share_margin,
)


def test_no_difference_is_said_only_where_the_whole_range_lies_within_the_margin():
    lower, upper = [-0.04, -0.06, -0.04, 0.01], [0.04, 0.04, 0.06, 0.04]
    assert answers(False, lower, upper, 0.05).tolist() == ["no", "cannot tell", "cannot tell", "no"]


def test_what_is_beyond_chance_is_a_yes_even_within_the_margin():
    assert answers([True], 0.01, 0.02, 0.05).tolist() == ["yes"]


def test_what_is_not_known_cannot_be_told():
    assert answers([False] * 3, [np.nan, 0, -np.inf], [0, np.nan, 0], 0.05).tolist() == ["cannot tell"] * 3
    assert share_answers([0, 3], [0, 10], [3, 0], [10, 0]).tolist() == ["cannot tell"] * 2


def test_a_ratio_is_within_a_margin_up_as_far_as_down():
    assert ratio_answers(False, [0.76, 0.74, 0.0], [1.32, 1.1, 1.1], THIRD).tolist() == [
        "no",
        "cannot tell",
        "cannot tell",
    ]


def test_where_only_more_matters_fewer_is_no_reason_to_doubt():
    assert ratio_answers(False, 1.0, [1.2, 1.5], THIRD).tolist() == ["no", "cannot tell"]


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(ValueError, match="margin must be greater than 0, got 0"):
        answers(False, -1, 1, 0)


def test_a_difference_as_large_as_the_margin_is_denied_in_one_case_of_twenty():
    n = 800
    k1, k2 = np.arange(n + 1)[:, None], np.arange(n + 1)[None, :]
    chance = stats.binom.pmf(k1, n, 0.30 + POINTS) * stats.binom.pmf(k2, n, 0.30)
    assert chance[share_answers(k1, n, k2, n) == "no"].sum() == pytest.approx(0.05, abs=0.005)


def test_the_answers_to_pairs_are_those_of_their_limits():
    k1, n1, k2, n2 = 41, 130, 390, 1200
    lower, upper = newcombe_interval(k1, n1, k2, n2)
    low, high = newcombe_interval(k1, n1, k2, n2, SIDED)
    told = "yes" if lower > 0 or upper < 0 else "no" if low > -0.1 and high < 0.1 else "cannot tell"
    assert share_answers(k1, n1, k2, n2, 0.1).tolist() == told == "no"


def test_a_rare_share_has_a_margin_of_its_own_and_never_none():
    assert share_margin([0.0, 0.06, 0.10, 0.15, 0.9, np.nan]).tolist() == [0.001, 0.02, 0.033, 0.05, 0.05, 0.05]
