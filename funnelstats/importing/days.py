"""The days that the entries of an export cover, and rows that lie far from them."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import accumulate, pairwise

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KNOWN_ON
from funnelstats.importing.facts import Fact
from funnelstats.importing.sql import Columns, Connection, quoted, record, single

LEAST_ROWS = 20
"""With fewer rows no day is far from the others."""
FEW = 200
"""One row of so many, or two, may lie far from the others."""
LEAST_GAP, TIMES, TEN_YEARS = 21, 5, 3652
"""Days without a row that set a few rows apart, and how many times the longest silence among the others."""
HOLIDAY = timedelta(days=62)
"""After a silence of up to so long a few entries may be the first after a holiday."""
DAYS_AT_END = 7
"""Days after the last stage entry from which on a row of another table lies beyond the data."""


def usual_days(rows: Mapping[date, int]) -> tuple[date, date] | None:
    """First and last of the days with so many rows each, but for a few that lie far beyond all others; None of none.

    Few are two rows or one in 200. Far is a silence of more than 21 days that is more than five times as long as any
    among the rows but the outermost: no team that works every week leaves such a one before a true entry. Ten years
    from the others one in 20 is few: of a clock that was not set.
    """
    known = sorted(rows)
    if not known:
        return None
    total = sum(rows.values())
    if total < LEAST_ROWS:
        return known[0], known[-1]
    for few, gap in ((total // 20, TEN_YEARS), (max(2, total // FEW), LEAST_GAP)):
        outer_first, outer_last = (
            sum(1 for reached in accumulate(rows[day] for day in days) if reached <= few)
            for days in (known, known[::-1])
        )
        outer_last, end = len(known) - 1 - outer_last, len(known) - 1
        silences = [(after - before).days for before, after in pairwise(known)]
        far = max(gap, TIMES * max(silences[outer_first:outer_last], default=1))
        # Beyond the innermost silence that is long enough everything is far.
        begins = max((place + 1 for place in range(outer_first) if silences[place] > far), default=0)
        ends = min((place for place in range(outer_last, end) if silences[place] > far), default=end)
        known = known[begins : ends + 1]
    return known[0], known[-1]


def far_days(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Entries far from all others or from the stated day of the export, and rows of other tables after the last day.

    The entries that have a date are those of ``dated``.
    """
    found_rows = con.execute("SELECT entered_on, count(*) FROM dated GROUP BY entered_on").fetchall()
    counts = {day: rows for day, rows in found_rows if day is not None}
    days = usual_days(counts)
    if days is None:
        return
    if funnel.exported_on:
        yield from _about_the_export(counts, days, funnel.exported_on)
    for fact, beyond in (("far_before", f"< DATE '{days[0]}'"), ("far_after", f"> DATE '{days[1]}'")):
        if fact == "far_after" and funnel.exported_on:
            continue
        found = record(con, f"dated WHERE entered_on {beyond}", {"rows": "count(*)", "day": "max(entered_on)"})
        if found["rows"]:
            furthest = found["day"]
            # A line that is copied must not cut off what may be true.
            last = furthest if furthest - days[1] <= HOLIDAY else days[1]
            mend = f"exported_on = {last}" if fact == "far_after" else ""
            yield Fact(fact, str(furthest), found["rows"], mend)
    last = funnel.exported_on or days[1] + timedelta(days=DAYS_AT_END)
    for table, column in KNOWN_ON.items():
        if table != "entries" and column in tables.get(table, ()):
            after = single(con, f"SELECT count(*) FROM {table} WHERE {quoted(column)} > DATE '{last}'")
            yield Fact(f"{table}_after_the_end", str(funnel.exported_on or days[1]), after)


def _about_the_export(counts: Mapping[date, int], days: tuple[date, date], exported_on: date) -> Iterator[Fact]:
    """Whether the stated day of the export is that of another one: many entries came after it, or none long before."""
    after = sum(rows for day, rows in counts.items() if day > exported_on)
    total = sum(counts.values())
    few = total < LEAST_ROWS or after <= max(2, total // FEW)
    yield Fact("after_export", "", after) if few else Fact("export_is_newer", str(exported_on), after)
    worked = sorted(day for day in counts if days[0] <= day <= days[1])
    longest = max(((later - day).days for day, later in pairwise(worked)), default=1)
    silent = (exported_on - days[1]).days
    if total >= LEAST_ROWS and silent > max(LEAST_GAP, TIMES * longest):
        yield Fact("silent_before_export", str(exported_on), silent)
