"""Shares that are not surely known and sums drawn with them: Beta, Beta-Binomial, and the leads a plan needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from funnelstats.config.errors import FunnelError
from funnelstats.core.intervals import Array

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

TWO_YEARS = 731
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Goal(NamedTuple):
    """So many deals, won after ``as_of`` and not after ``by``."""

    deals: int
    as_of: date
    by: date

    @property
    def days(self) -> int:
        """Days that are left, the last one included."""
        return (self.by - self.as_of).days


def plan_goal(deals: int, by: date | str, as_of: date, funnel: Funnel) -> Goal:
    """The goal, if it is one; ``by`` left empty is as many weeks ahead as the funnel judges backwards.

    Raises FunnelError where deals is no whole number of at least 1, or ``by`` not within two years after ``as_of``.

    >>> plan_goal(100, "2026-09-30", date(2026, 6, 28), None).days
    94
    """
    if isinstance(deals, bool) or not isinstance(deals, int) or deals < 1:
        raise FunnelError(f"deals must be a whole number of at least 1, got {deals!r}; write for example 100")
    latest = as_of + timedelta(days=TWO_YEARS)
    rule = f"by must be a day after {as_of} and not after {latest} (two years)"
    try:
        end = as_of + timedelta(days=7 * funnel.judged_weeks) if by == "" else date.fromisoformat(str(by))
    except ValueError as error:
        raise FunnelError(f"{rule}, got {str(by)!r}; write it like {as_of + timedelta(days=91)}") from error
    if not as_of < end <= latest:
        raise FunnelError(f"{rule}, got {end}; write for example {as_of + timedelta(days=91)}")
    return Goal(deals, as_of, end)


def plan_window(as_of: date, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries whose outcome a plan goes by.

    The window that pages judge, ending at ``as_of``; longer where a step's days would not fit into it twice.
    """
    longest = max(step.horizon_days for step in funnel.steps)
    return as_of - timedelta(days=max(7 * funnel.judged_weeks, 2 * longest) - 1), as_of


def scatter_window(as_of: date, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that tell how much weeks differ: twice as long.

    A dozen weeks can look alike by chance; a plan that believed them would promise too much.
    """
    first, last = plan_window(as_of, funnel)
    return first - (last - first) - timedelta(days=1), last


def working_days(goal: Goal, funnel: Funnel) -> pd.DatetimeIndex:
    """The days after ``as_of``, up to and with ``by``, on which the team works."""
    ahead = pd.date_range(goal.as_of + timedelta(days=1), goal.by, unit="us")
    worked = ahead.day_of_week.isin([WEEKDAYS.index(name) for name in funnel.work.days])
    return ahead[worked & ~ahead.isin(pd.DatetimeIndex(funnel.work.holidays))]


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
