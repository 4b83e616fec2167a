"""Working hours as seconds on a clock that stands still at night, at weekends and on holidays: numpy, no loop."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel

SECONDS = npt.NDArray[np.int64]


def work_calendar(funnel: Funnel, first: date, last: date) -> pd.DataFrame:
    """The funnel's days from ``first`` to ``last``: when work opens and closes, and how long it was open before.

    Returns int64 columns day (days since 1970), opens, closes (UTC seconds since 1970; the same on a day off) and
    before (working seconds between the first day and this one). Hours are those of the funnel's time zone, so an
    hour lost to summer time at night is none of work.
    """
    if first > last:
        raise ValueError(f"first must not be after last, got {first} after {last}")
    work = funnel.work
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    busy = np.is_busday(days, weekmask=" ".join(work.days), holidays=list(map(np.datetime64, work.holidays)))
    opens, closes = (_utc(days, clock, funnel.timezone) for clock in (work.start, work.end))
    closes = np.where(busy, closes, opens)
    open_for = closes - opens
    return pd.DataFrame(
        {
            "day": days.astype("datetime64[D]").astype("int64"),
            "opens": opens,
            "closes": closes,
            "before": np.cumsum(open_for) - open_for,
        }
    )


def worked(calendar: pd.DataFrame, at: npt.ArrayLike, day: npt.ArrayLike) -> SECONDS:
    """Working seconds from the calendar's first day to instants (UTC seconds) on their local days (day numbers).

    The difference of two is the time worked between them.
    """
    row = np.asarray(day, dtype="int64") - int(calendar["day"].iloc[0])
    opens, closes, before = (calendar[name].to_numpy()[row] for name in ("opens", "closes", "before"))
    return before + np.clip(np.asarray(at, dtype="int64") - opens, 0, closes - opens)


def end_of_day(day: date, timezone: str) -> int:
    """The last second of a local day, as UTC seconds since 1970."""
    return int(datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone)).timestamp()) - 1


def _utc(days: npt.NDArray[np.datetime64], clock: time, timezone: str) -> SECONDS:
    local = pd.DatetimeIndex(days.astype("datetime64[s]")) + pd.Timedelta(hours=clock.hour, minutes=clock.minute)
    zoned = local.tz_localize(timezone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
    return zoned.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64")
