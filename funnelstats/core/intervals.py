"""How sure a share is: confidence intervals on arrays, for every cell of a page at once.

Everything takes array_likes, broadcasts them and returns arrays. Where nobody entered nothing is known:
the interval is [0, 1], never a number made up. ``entered`` need not be whole, because a censored or
overdispersed share is worth an *effective* number of leads.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]
Interval = tuple[Array, Array]
Estimate = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]


def wilson_interval(converted: npt.ArrayLike, entered: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Lower and upper limit of a conversion: Wilson's score interval.

    Exactly 0 below when nobody converted, exactly 1 above when all did. Source: Wilson 1927; Newcombe 1998.

    >>> lower, upper = wilson_interval(81, 263)
    >>> f"{lower:.4f} {upper:.4f}"
    '0.2553 0.3662'
    """
    k, n = checked(converted, entered)
    return score_interval(k, n, special.ndtri(0.5 + checked_level(level) / 2))


def clopper_pearson_interval(converted: npt.ArrayLike, entered: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Limits of a conversion that hold at least as often as they promise: Clopper and Pearson 1934.

    >>> lower, upper = fs.clopper_pearson_interval(10, 100)
    >>> round(float(lower), 3), round(float(upper), 3)
    (0.049, 0.176)
    """
    k, n = checked(converted, entered)
    tail = (1 - checked_level(level)) / 2
    with np.errstate(invalid="ignore"):
        lower = np.where(k > 0, special.betaincinv(k, n - k + 1, tail), 0.0)
        upper = np.where(k < n, special.betaincinv(k + 1, n - k, 1 - tail), 1.0)
    return _unknown(n, lower, upper)


def newcombe_interval(
    k1: npt.ArrayLike, n1: npt.ArrayLike, k2: npt.ArrayLike, n2: npt.ArrayLike, level: float = 0.95
) -> Interval:
    """Limits of the difference of two conversions, first minus second: Newcombe's method 10.

    [-1, 1] where one of the two has no entrants.

    >>> lower, upper = newcombe_interval(56, 70, 48, 80)
    >>> f"{lower:.4f} {upper:.4f}"
    '0.0524 0.3339'
    """
    first, second = np.asarray(n1, dtype=float), np.asarray(n2, dtype=float)
    known = (first > 0) & (second > 0)
    lower, upper = mover_difference(
        (share(k1, first), *wilson_interval(k1, first, level)),
        (share(k2, second), *wilson_interval(k2, second, level)),
    )
    return np.where(known, lower, -1.0), np.where(known, upper, 1.0)


def mover_difference(first: Estimate, second: Estimate) -> Interval:
    """Limits of first minus second, each given as (estimate, lower, upper), the two independent.

    Serves plain, censored, shrunken and standardised rates alike. Where an estimate is missing, the
    widest range that its interval allows. Source: Zou and Donner 2008.
    """
    p1, l1, u1 = (np.asarray(part, dtype=float) for part in first)
    p2, l2, u2 = (np.asarray(part, dtype=float) for part in second)
    difference = p1 - p2
    lower = difference - np.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2)
    upper = difference + np.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)
    missing = np.isnan(difference)
    return np.where(missing, l1 - u2, lower), np.where(missing, u1 - l2, upper)


def mover_ratio(first: Estimate, second: Estimate) -> Interval:
    """Limits of first over second, each given as (estimate, lower, upper) and not negative.

    [0, inf) where an estimate is missing; no upper limit where the second may be 0. Source: Donner and Zou
    2012, written so that nothing is divided by a difference that can be 0.
    """
    p1, l1, u1 = (np.asarray(part, dtype=float) for part in first)
    p2, l2, u2 = (np.asarray(part, dtype=float) for part in second)
    product = p1 * p2
    with np.errstate(invalid="ignore", divide="ignore"):
        top, bottom = l1 * (2 * p1 - l1), u2 * (2 * p2 - u2)
        lower = top / (product + np.sqrt(np.maximum(product**2 - top * bottom, 0)))
        top, bottom = u1 * (2 * p1 - u1), l2 * (2 * p2 - l2)
        upper = (product + np.sqrt(np.maximum(product**2 - top * bottom, 0))) / bottom
    missing = np.isnan(product)
    lower = np.where(missing | (l1 <= 0), 0.0, lower)
    return lower, np.where(missing | (l2 <= 0), np.inf, upper)


def goodman_intervals(counts: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Limits of all shares of one whole (last axis), which hold together: Goodman 1965.

    Wilson's interval at a k-th of the error, k the number of shares.
    """
    counts = np.asarray(counts, dtype=float)
    k, n = checked(counts, counts.sum(axis=-1, keepdims=True))
    error = (1 - checked_level(level)) / counts.shape[-1]
    return score_interval(k, n, special.ndtri(1 - error / 2))


def poisson_ratio_interval(observed: npt.ArrayLike, expected: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Exact limits of observed over expected for a count; [0, inf) where nothing was expected."""
    count, base = np.broadcast_arrays(np.asarray(observed, dtype=float), np.asarray(expected, dtype=float))
    _refuse((count < 0) | (base < 0), "observed and expected must not be negative, got {} of {}", count, base)
    tail = (1 - checked_level(level)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        lower = np.where(count > 0, special.gammaincinv(count, tail), 0.0) / base
        upper = special.gammaincinv(count + 1, 1 - tail) / base
    known = base > 0
    return np.where(known, lower, 0.0), np.where(known, upper, np.inf)


def share(converted: npt.ArrayLike, entered: npt.ArrayLike) -> Array:
    """Converted over entered, missing where nobody entered."""
    k, n = np.asarray(converted, dtype=float), np.asarray(entered, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 0, k / n, np.nan)


def checked(converted: npt.ArrayLike, entered: npt.ArrayLike) -> tuple[Array, Array]:
    """Both as float arrays of one shape; a ValueError names the first cell that cannot be."""
    k, n = np.broadcast_arrays(np.asarray(converted, dtype=float), np.asarray(entered, dtype=float))
    _refuse((k < 0) | (k > n), "converted must lie between 0 and entered, got {} of {}", k, n)
    return k, n


def checked_level(level: float) -> float:
    """The level itself, if it is one."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}; for 95 % write 0.95")
    return level


def score_interval(k: Array, n: Array, z: npt.ArrayLike) -> Interval:
    """The score interval at the quantile z; this form needs no special case for n = 0."""
    z = np.asarray(z)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = z * np.sqrt(np.where(n > 0, k * (n - k) / n, 0.0) + z**2 / 4)
    middle, scale = k + z**2 / 2, n + z**2
    lower = np.where(k <= 0, 0.0, (middle - spread) / scale)
    upper = np.where(k >= n, 1.0, (middle + spread) / scale)
    return _unknown(n, lower, upper)


def _unknown(n: Array, lower: Array, upper: Array) -> Interval:
    known = (n > 0) & ~np.isnan(lower)
    return np.where(known, lower, 0.0), np.where(known, upper, 1.0)


def _refuse(wrong: npt.NDArray[np.bool_], rule: str, first: Array, second: Array) -> None:
    if wrong.any():
        cell = np.flatnonzero(wrong)[0]
        raise ValueError(f"{rule.format(first.flat[cell], second.flat[cell])} at position {cell}")


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
    k1: npt.ArrayLike,
    n1: npt.ArrayLike,
    k2: npt.ArrayLike,
    n2: npt.ArrayLike,
    margin: npt.ArrayLike = POINTS,
    level: float = 0.95,
) -> npt.NDArray[np.str_]:
    """Whether two shares differ, each pair for itself: Newcombe's limits at this level for yes, at 90 % for no.

    Nothing can be told where one of the two has no entrants.

    >>> share_answers([300, 60, 6], [1000, 200, 50], [290, 30, 8], [1000, 200, 20]).tolist()
    ['no', 'yes', 'yes']
    >>> share_answers(6, 50, 4, 20).tolist()
    'cannot tell'
    """
    lower, upper = newcombe_interval(k1, n1, k2, n2, level)
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
