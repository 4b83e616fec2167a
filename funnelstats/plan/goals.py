"""A goal of so many deals by a day, the working days until then, and the past that a plan goes by."""

from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd

from funnelstats.config.errors import FunnelError
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

    >>> [str(day) for day in fs.plan.plan_window(day, spec)]
    ['2026-04-02', '2026-07-01']
    """
    longest = max(funnel.horizons.values())
    return as_of - timedelta(days=max(7 * funnel.judged_weeks, 2 * longest) - 1), as_of


def weeks_of_leads(weeks: pd.DataFrame, as_of: date, funnel: Funnel) -> float:
    """How many weeks of the ``plan_window`` are on record: those since the first of ``weeks`` with a lead."""
    first, last = plan_window(as_of, funnel)
    began = max(first, weeks["week"].min().date()) if len(weeks) else first
    return ((last - began).days + 1) / 7


def scatter_window(as_of: date, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that tell how much weeks differ: twice as long.

    A dozen weeks can look alike by chance; a plan that believed them would promise too much.

    >>> [str(day) for day in fs.plan.scatter_window(day, spec)]
    ['2026-01-01', '2026-07-01']
    """
    first, last = plan_window(as_of, funnel)
    return first - (last - first) - timedelta(days=1), last


def working_days(goal: Goal, funnel: Funnel) -> pd.DatetimeIndex:
    """The days after ``as_of``, up to and with ``by``, on which the team works."""
    ahead = pd.date_range(goal.as_of + timedelta(days=1), goal.by, unit="us")
    worked = ahead.day_of_week.isin([WEEKDAYS.index(name) for name in funnel.work.days])
    return ahead[worked & ~ahead.isin(pd.DatetimeIndex(funnel.work.holidays))]
