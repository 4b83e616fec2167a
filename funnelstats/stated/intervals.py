"""How sure a share is: confidence intervals on arrays, for every cell of a page at once.

Everything takes array_likes, broadcasts them and returns arrays. Where nobody entered nothing is known:
the interval is [0, 1], never a number made up. ``entered`` need not be whole, because a censored or
overdispersed share is worth an *effective* number of leads.
"""

from __future__ import annotations

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
    """Limits of a conversion that hold at least as often as they promise: Clopper and Pearson 1934."""
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
