"""Days far from all others: one mistyped date must not move the day of the export."""

from __future__ import annotations

from datetime import date

import ibis.expr.types as ir

LEAST_ROWS = 20
"""With fewer rows no day is far from the others."""
LEAST_GAP, TIMES = 21, 5
"""Days without a row that set a few rows apart, and how many times the longest silence among the others."""


def usual_days(days: ir.DateColumn) -> tuple[date, date] | None:
    """First and last day of the rows but for a few that lie far beyond all others; None where no row has a day.

    Few are two rows or one in 200. Far is a silence of more than 21 days that is more than five times as long as any
    among the rows but the outermost: no team that works every week leaves such a one before a true entry.
    """
    counts = days.as_table().filter(days.notnull()).group_by(days.get_name()).aggregate(rows=days.count())
    frame = counts.order_by(days.get_name()).execute()
    if frame.empty:
        return None
    known = [date(day.year, day.month, day.day) for day in frame.iloc[:, 0]]
    rows = frame["rows"].tolist()
    total = sum(rows)
    if total < LEAST_ROWS:
        return known[0], known[-1]
    few = max(2, total // 200)
    first, last = _beyond(rows, few), len(rows) - 1 - _beyond(rows[::-1], few)
    usual = max(((known[i + 1] - known[i]).days for i in range(first, last)), default=1)
    far = max(LEAST_GAP, TIMES * usual)
    # Beyond the innermost silence that is long enough everything is far.
    begins = max((i + 1 for i in range(first) if (known[i + 1] - known[i]).days > far), default=0)
    ends = min((i for i in range(last, len(known) - 1) if (known[i + 1] - known[i]).days > far), default=len(known) - 1)
    return known[begins], known[ends]


def _beyond(rows: list[int], few: int) -> int:
    """How many of the first days hold no more than a few rows together."""
    days = 0
    for count in rows:
        few -= count
        if few < 0:
            break
        days += 1
    return days
