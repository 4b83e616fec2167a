"""Shares that are not surely known and sums drawn with them: Beta, Beta-Binomial, and the leads a plan needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from funnelstats.stated.intervals import Array

CERTAIN = 1e9
"""Leads behind a chance that is known: a Beta of so many is a point."""
PRIOR = 0.5
MOST_LEADS = 10_000_000


def leads_needed(deals: int, a: float, b: float, probability: float) -> float:
    """The smallest number of leads of which at least so many are won, with this probability.

    The chance of a lead is Beta(a, b): with large a and b it is known, and the answer is that of the negative
    binomial. Infinite where ten million leads are not enough, missing where the chance is.

    >>> leads_needed(10, 0.05e9, 0.95e9, 0.9)
    282.0
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability must lie between 0 and 1, got {probability}; for 90 % write 0.9")
    if deals <= 0:
        return 0.0
    if np.isnan(a) or np.isnan(b):
        return float("nan")
    if a <= 0:
        return float("inf")
    return fewest(lambda leads: at_least(deals, leads, a, b) >= probability)


def fewest(are_enough: Callable[[int], bool]) -> float:
    """The smallest number of leads that are enough, if more always are; infinite if ten million are not."""
    enough, short = 1, 0
    if are_enough(0):
        return 0.0
    while not are_enough(enough):
        enough, short = 2 * enough, enough
        if enough > MOST_LEADS:
            return float("inf")
    while enough - short > 1:
        middle = (enough + short) // 2
        enough, short = (middle, short) if are_enough(middle) else (enough, middle)
    return float(enough)


def at_least(deals: int, leads: int, a: float, b: float) -> float:
    """Probability that of so many leads at least so many are won, the chance of one being Beta(a, b)."""
    if deals <= 0:
        return 1.0
    return (
        float(1 - stats.betabinom.pmf(np.arange(min(deals, leads + 1)), leads, a, b).sum()) if leads >= deals else 0.0
    )


def beta_of_product(mean: npt.ArrayLike, variance: npt.ArrayLike) -> tuple[float, float]:
    """a and b of the Beta with the mean and variance of a product of independent shares: Fan 1991.

    >>> a, b = beta_of_product([0.5, 0.8], [0.01, 0.0])
    >>> f"{a:.3f} {b:.3f}"
    '14.600 21.900'
    """
    means, variances = np.asarray(mean, dtype=float), np.asarray(variance, dtype=float)
    m = float(means.prod())
    v = float((means**2 + variances).prod()) - m**2
    size = m * (1 - m) / v - 1 if v > 0 else CERTAIN
    return m * size, (1 - m) * size


def beta_binomial(mean: float, own: float, error: float) -> tuple[int, float, float]:
    """trials, a and b of the Beta-Binomial with this mean and the variance ``own`` + ``error``.

    ``own`` is what is left of the variance if the chances are known: with unlike chances it is less than that of
    as many equal ones, so fewer trials with a higher chance stand for them.
    """
    if mean <= 0:
        return 0, PRIOR, PRIOR
    trials = max(round(mean**2 / max(mean - own, 1e-12)), int(np.ceil(mean)), 1)
    p = min(mean / trials, 1 - 1e-12)
    if np.isnan(error):
        raise ValueError("the error of a forecast must be known where its mean is")
    alike = error / (trials * max(trials - 1, 1) * p * (1 - p))
    size = min(max(1 / alike - 1, 1e-3), CERTAIN) if alike > 0 else CERTAIN
    return trials, p * size, (1 - p) * size


def beta_binomial_quantile(share: npt.ArrayLike, trials: int, a: float, b: float) -> Array:
    """The smallest number that so large a share of draws does not exceed."""
    if np.isnan(a) or trials == 0:
        return np.zeros(np.shape(share))
    below = stats.betabinom.pmf(np.arange(trials + 1), trials, a, b).cumsum()
    return np.minimum(np.searchsorted(below, np.asarray(share) - 1e-12), trials).astype(float)
