"""Three answers to "is there a difference?": yes, no within a margin that is named, cannot tell.

"Not shown" is not "not so": a difference that chance explains may still be large. "No" is therefore an answer of its
own, with a test of its own, and what is neither shown nor ruled out cannot be told.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from funnelstats.stated.intervals import Array, newcombe_interval

YES, NO, UNTOLD = "yes", "no", "cannot tell"

SIDED = 0.90
"""Level of the two-sided interval whose limits are one-sided tests at 5 %."""

POINTS = 0.05
"""Margin on a share. Targets are agreed in steps of five points and a target of 100 % has five of tolerance: with less
between two shares nobody would do anything else tomorrow."""

THIRD = 1 / 3
"""Margin on a number of moves or leads, and on a share too rare for five points: up to a third more, or as much fewer
as takes that back. One more or fewer of three: the least that anybody sees without counting."""

HALF = 1 / 2
"""Margin on a waiting time: hours differ by the tenfold from lead to lead, and half as long again is the same habit."""

FIFTH = 1 / 5
"""Margin on what nurtured leads buy and pay: less than half of the smallest claim of the trade, which is half more."""

STRENGTH = 0.1
"""Margin on Cramér's V, where 0 is no association and 1 a whole one: with ten managers and seven reasons a reason that
a fifth of all leads give is then given by about 15 to 25 % of each manager's."""


def answers(
    yes: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, margin: npt.ArrayLike
) -> npt.NDArray[np.str_]:
    """Is there a difference: "yes", "no" (none beyond the margin) or "cannot tell", for every cell.

    ``yes`` is what the caller's own test says, with whatever control of errors applies. ``lower`` and ``upper`` are the
    limits of the difference at level .90 (``SIDED``): "no" where both lie within ±margin, which is two one-sided tests
    at 5 %, so a difference as large as the margin is denied in at most one case of twenty. Limits at .95 are stricter.
    Where only "more" matters pass 0 as lower limit, where only "fewer" does 0 as upper one. A limit that is missing
    denies nothing; a difference beyond chance is a yes, however small. Source: Schuirmann 1987.

    >>> answers([True, False, False], [0.02, -0.03, -0.20], [0.09, 0.04, 0.04], POINTS).tolist()
    ['yes', 'no', 'cannot tell']
    """
    shown, low, high, widest = np.broadcast_arrays(*(np.asarray(part) for part in (yes, lower, upper, margin)))
    if not (widest > 0).all():
        raise ValueError(f"margin must be greater than 0, got {widest.min()}")
    with np.errstate(invalid="ignore"):
        within = (low > -widest) & (high < widest)
    return np.select([shown.astype(bool), within], [YES, NO], UNTOLD)


def share_answers(
    k1: npt.ArrayLike, n1: npt.ArrayLike, k2: npt.ArrayLike, n2: npt.ArrayLike, margin: npt.ArrayLike = POINTS
) -> npt.NDArray[np.str_]:
    """Whether two shares differ, each pair for itself: Newcombe's limits at 95 % for yes, at 90 % for no.

    Nothing can be told where one of the two has no entrants.

    >>> share_answers([300, 60, 6], [1000, 200, 50], [290, 30, 8], [1000, 200, 20]).tolist()
    ['no', 'yes', 'yes']
    >>> share_answers(6, 50, 4, 20).tolist()
    'cannot tell'
    """
    lower, upper = newcombe_interval(k1, n1, k2, n2)
    return answers((lower > 0) | (upper < 0), *newcombe_interval(k1, n1, k2, n2, SIDED), margin)


def share_margin(rate: npt.ArrayLike) -> Array:
    """How far two shares may be apart and still be called alike, to a tenth of a point: of rare ones a third.

    Five points would call 4 % and 8 % alike. Takes the share that the other one is held against.

    >>> share_margin([0.40, 0.06]).tolist()
    [0.05, 0.02]
    """
    return np.fmax(np.fmin(np.round(np.asarray(rate, dtype=float) * THIRD, 3), POINTS), 0.001)


def ratio_answers(
    yes: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, margin: npt.ArrayLike
) -> npt.NDArray[np.str_]:
    """The same for a ratio: "no" where it lies between 1 / (1 + margin) and 1 + margin, so up as far as down.

    Where only "more" matters pass 1 as lower limit.

    >>> ratio_answers(False, [0.8, 0.7, 1.0], [1.3, 1.3, 1.3], THIRD).tolist()
    ['no', 'cannot tell', 'no']
    """
    with np.errstate(divide="ignore"):
        low, high = np.log(np.asarray(lower, dtype=float)), np.log(np.asarray(upper, dtype=float))
    return answers(yes, low, high, np.log1p(margin))
