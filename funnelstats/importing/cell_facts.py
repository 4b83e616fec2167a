"""What makes one doubt that cells mean what they say: days stored as instants, swapped dates, groups, lists, money."""

import re
from collections.abc import Collection, Iterator
from math import comb
from typing import Any

import pandas as pd
from scipy.stats import binom

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import TABLES
from funnelstats.config.sources import Source, stated_for
from funnelstats.importing.cells import FORMULA_ERRORS, ISO, ROW, matches
from funnelstats.importing.facts import NOT_BAD, Fact, code_of
from funnelstats.importing.hints import lines_under, missing_line, number_lines, toml_value
from funnelstats.importing.mapping import date_columns
from funnelstats.importing.sql import (
    Columns,
    Connection,
    cases,
    clock_seconds,
    columns_of,
    frame,
    one_of,
    quoted,
    record,
    utc_instant,
    wall_clock,
)

NEARLY_ALL, SOME, TIMES = 0.9, 0.2, 5
"""Shares of midnight UTC that no hour of work has, and how many times as often as the busiest other hour."""
SURE_OF_DAYS, UNLIKELY = 0.001, 0.01
"""As many at midnight UTC by chance: below the first they are days, below the second they may be."""
UP_TO_12 = 0.39
"""Share of a year's days whose number could be a month."""
BY_CHANCE = 0.01
DAYS_ALIKE = 10
"""Days of which all times are the same from which on that is no chance."""
UNREAD = {
    "amount": "unread_amounts",
    "manager": "unread_managers",
    "reason": "unread_reasons",
    "created_at": "unread_dates",
}
UNREAD_ROWS = {"payments": "unread_payments", "costs": "unread_costs"}
HOUR = 3600
TRUE_DATE = r"^\d{4}-\d{2}-\d{2}T[\d:.]+$"
LEAST_GROUPED = 10
"""Rows of a file from which on its blanks may be those of groups."""
LISTS = (";", "|", "\n", ",", "/")
"""What stands between several reasons in one cell."""
SURE = (";", "|", "\n")


def utc_days(
    con: Connection, cells: str, funnel: Funnel, table: str, source: Source
) -> tuple[dict[str, Collection[str] | None], list[Fact]]:
    """The date columns of which midnights in UTC are days, with their stages (None: all rows), and what is told of it.

    A CRM that stores a day as an instant writes midnight UTC; elsewhere that is some hour, west of Greenwich of the
    day before. Rows of a stage prove it, however few they are, where midnight is far too frequent among them for an
    hour of the clock that the whole column shows: each of its whole hours stands there as often as the busiest other.
    """
    days: dict[str, Collection[str] | None] = {}
    odd: list[Fact] = []
    staged = table == "entries" and source.stage is None
    for column in date_columns(table, source):
        at, utc = quoted(f"_typed_{column}"), quoted(f"_utc_{column}")
        local = wall_clock(funnel.timezone, utc_instant(at))
        elsewhere = cases([(utc, f"hour({local}) != 0 OR minute({local}) != 0")], "FALSE")
        group = "_stage" if staged else "''"
        seen = {"_group": group, "moment": at, "utc": utc, "apart": elsewhere, "text": quoted(column)}
        counts = frame(
            con,
            f"""SELECT _group, count(moment) AS rows, count(*) FILTER (WHERE utc) AS midnights,
                min(text) FILTER (WHERE apart) AS text
            FROM (SELECT {columns_of(seen)} FROM {cells}) GROUP BY _group HAVING bool_or(apart) ORDER BY _group""",
        )
        if counts.empty:
            continue
        timed = frame(
            con,
            f"""SELECT count(*) AS rows, count(*) FILTER (WHERE {at} = date_trunc('hour', {at})) AS whole
            FROM {cells} WHERE {at} IS NOT NULL AND NOT {utc} GROUP BY hour({at})""",
        )
        # How often an hour is a whole one, and which of the 24 that is: of no other row at all, any of them.
        whole, busiest = timed["whole"].sum(), max(timed["whole"], default=0)
        chance = (whole + 1) / (timed["rows"].sum() + 1) * (busiest + 1) / (whole + 24)
        share, likely = counts["midnights"] / counts["rows"], binom.sf(counts["midnights"] - 1, counts["rows"], chance)
        often = share >= TIMES * chance
        proven = counts[(likely < SURE_OF_DAYS) & (often | (share >= NEARLY_ALL))]
        if len(proven):
            days[column] = proven["_group"].dropna().tolist() if staged else None
            odd.append(Fact("utc_days", source.columns[column], proven["midnights"].sum()))
        some = counts[(likely < UNLIKELY) & (often | (share >= SOME))].drop(proven.index)
        if len(some):
            mend = _day_format(column, some["text"].iloc[0], source)
            odd.append(Fact("utc_midnights", source.columns[column], some["midnights"].sum(), mend))
    return days, odd


def _day_format(column: str, text: str, source: Source) -> str:
    """The statement by which midnights in UTC are days: the clock and offset of the text as they stand."""
    formats = stated_for(source.date_format, column)
    if epochs := [fmt for fmt in formats if fmt in ("epoch_s", "epoch_ms")]:
        return f"date_format.{column} = {toml_value([f'{epochs[0]}_day', *formats])}"
    if re.search(ISO, text) and text[10:]:
        return f"date_format.{column} = {toml_value([f'%Y-%m-%d{text[10:]}', *formats])}"
    return ""


def one_clock(
    con: Connection, cells: str, funnel: Funnel, table: str, source: Source, days: Collection[str]
) -> Iterator[Fact]:
    """Date columns, but those of ``days``, of which all times (in entries those of one stage) are one and the same.

    On the funnel's clock, or in UTC where daylight saving moves it: a day that is stored with an hour.
    """
    staged = table == "entries" and source.stage is None
    for column in [each for each in date_columns(table, source) if TABLES[table][each].kind == "instant"]:
        if column in days:
            continue
        cell, at, group = quoted(column), quoted(f"_typed_{column}"), "_stage" if staged else "''"
        timed = f"{cells} WHERE {at} IS NOT NULL AND NOT {quoted(f'_utc_{column}')}"
        seconds = clock_seconds(at)
        same = f"min({seconds}) IS NOT DISTINCT FROM max({seconds})"
        if not con.execute(f"SELECT {group} AS _group FROM {timed} GROUP BY _group HAVING {same}").fetchone():
            continue
        clock = f"date_trunc('second', {wall_clock(funnel.timezone, utc_instant(at))})::TIME"
        seen = {"_group": group, "moment": at, "clock": clock, "utc": f"date_trunc('second', {at})::TIME", "cell": cell}
        found = con.execute(f"""
            WITH timed AS (SELECT {columns_of(seen)} FROM {timed}),
            one AS (SELECT _group FROM timed GROUP BY _group
                HAVING (min(clock) = max(clock) OR min(utc) = max(utc)) AND min(clock) != TIME '00:00:00')
            SELECT count(*), left(min(clock)::VARCHAR, 5), min(cell), count(DISTINCT substring(cell, 11))
            FROM timed JOIN one ON timed._group IS NOT DISTINCT FROM one._group GROUP BY timed._group
            HAVING count(DISTINCT moment::DATE) >= {DAYS_ALIKE} ORDER BY timed._group""").fetchall()
        if found:
            _rows, clock, first, ends = found[0]
            mend = _day_format(column, first, source) if ends == 1 else ""
            yield Fact("one_clock", f"{source.columns[column]}: {clock}", sum(rows for rows, *_ in found), mend)


def swapped_dates(
    con: Connection, cells: str, funnel: Funnel, table: str, source: Source, sheets: list[str]
) -> Iterator[Fact]:
    """Date columns of workbooks of which a part was taken for dates the other way round, and the rest left as text.

    Raises FunnelError where that is beyond doubt.
    """
    for column in date_columns(table, source) if sheets else []:
        cell, at = quoted(column), quoted(f"_typed_{column}")
        read = f"{one_of('_file', sheets)} AND {at} IS NOT NULL"
        true = f"{read} AND {matches(cell, TRUE_DATE)}"
        typed = f"{read} AND NOT {matches(cell, ISO)}"
        day = f"day({wall_clock(source.timezone or funnel.timezone, utc_instant(at))})"
        counts = {
            "dates": f"count(*) FILTER (WHERE {true})",
            "texts": f"count(*) FILTER (WHERE {typed})",
            "early": f"count(*) FILTER (WHERE {true} AND try_cast(substring({cell}, 9, 2) AS BIGINT) <= 12)",
            "late": f"count(*) FILTER (WHERE {typed} AND {day} > 12)",
        }
        dates, texts, early, late = record(con, cells, counts).values()
        if not dates or not late or early < dates:
            continue
        if late == texts and UP_TO_12**dates * (1 - UP_TO_12) ** texts < BY_CHANCE:
            raise FunnelError(
                f'{", ".join(sheets)}: column "{visible(source.columns[column])}" holds {dates:,} true dates and '
                f"{texts:,} texts; every true date has a day of 12 or less and every text one above: Excel has most "
                "likely swapped day and month when it opened the export. Use the export as it came from the CRM, or "
                "import it into Excel with this column as text"
            )
        if UP_TO_12**dates < BY_CHANCE:
            yield Fact("dates_swapped", source.columns[column], dates)


def grouped_columns(con: Connection, cells: str, table: str, source: Source) -> Iterator[Fact]:
    """Columns that are filled in the first row of a group only, as spreadsheets print them."""
    for column in [each for each in ("manager", "channel", "campaign") if each in source.columns]:
        cell = quoted(column)
        # Only a file of which half or more is blank is looked at row by row.
        sparse = f"""SELECT _file FROM {cells} GROUP BY _file
            HAVING count(*) >= {LEAST_GROUPED} AND 2 * count({cell}) <= count(*) + 1"""
        files = [file for (file,) in con.execute(sparse).fetchall()]
        blank = 0
        if files:
            counts = con.execute(f"""
                WITH rows AS (SELECT _file, {ROW}, {cell} AS value,
                    lag({cell}) OVER (PARTITION BY _file ORDER BY {ROW}) AS above
                    FROM {cells} WHERE {one_of("_file", files)}),
                filled AS (SELECT _file, value = lag(value) OVER (PARTITION BY _file ORDER BY {ROW}) AS again
                    FROM rows WHERE value IS NOT NULL),
                twice AS (SELECT _file, count(*) FILTER (WHERE again) AS again FROM filled GROUP BY _file)
                SELECT count(*), count(value), count(DISTINCT value),
                    count(*) FILTER (WHERE value IS NOT NULL AND above IS NOT NULL),
                    coalesce(any_value(again), 0), arg_min(value IS NOT NULL, {ROW})
                FROM rows LEFT JOIN twice USING (_file) GROUP BY _file""").fetchall()
            blank = sum(rows - filled for rows, filled, *others in counts if looks_grouped(rows, filled, *others))
        header = source.columns[column]
        mend = lines_under(table, f"fill_down = {toml_value([*source.fill_down, header])}")
        yield Fact("grouped_managers" if column == "manager" else "grouped_cells", header, blank, mend if blank else "")


def looks_grouped(rows: int, filled: int, names: int, beside: int, again: int, first: bool) -> bool:
    """Whether a file's first row is filled, most are not, and what is filled never stands twice running.

    ``beside`` are filled rows below a filled one, ``again`` names that are the one before them. Each name stands once;
    or it would hardly happen by chance that no two filled rows are neighbours, and that each name differs from the one
    before it.
    """
    if not first or rows < LEAST_GROUPED or 2 * filled > rows + 1 or beside or again:
        return False
    all_distinct = comb(rows - filled + 1, filled) / comb(rows, filled)
    chance = filled / rows * all_distinct * (1 - 1 / names) ** (filled - 1)
    return (names == filled and 4 * filled <= rows) or chance < BY_CHANCE


def unread_facts(
    bad_cells: pd.DataFrame, bad_rows: pd.DataFrame, table: str, sources: tuple[Source, ...]
) -> Iterator[Fact]:
    """How many cells of each column are missing because they cannot be read, and rows of money that are."""
    for _, rows in bad_cells.groupby(["_source", "name", "column"], sort=False):
        number, name, header = rows[["_source", "name", "column"]].iloc[0]
        source, values = sources[number], [value for value in rows["value"].unique() if value not in FORMULA_ERRORS]
        is_number = name in TABLES[table] and TABLES[table][name].kind == "number"
        lines = number_lines(values, source.decimal, source.thousands) if is_number and values else []
        mend = "\n".join(lines or []) or missing_line(name, values, source)
        yield Fact(UNREAD.get(name, "unread_cells"), header, len(rows), mend)
    if table in UNREAD_ROWS:
        unread = ~bad_rows["reason"].map(code_of).isin([*NOT_BAD, "orphan"])
        yield Fact(UNREAD_ROWS[table], "", unread.sum())


def doubtful_units(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Calls longer than calls are, several reasons in one cell, and several people."""
    if "duration_s" in tables.get("contacts", ()):
        took = record(con, "contacts WHERE duration_s > 0", {"median": "median(duration_s)", "calls": "count(*)"})
        if took["calls"] and took["median"] > HOUR:
            mend = lines_under("contacts", 'unit.duration_s = "ms"')
            yield Fact("long_calls", f"{took['median']:,.0f}", took["calls"], mend)
    given = "SELECT reason, count(*) AS rows FROM entries WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason"
    counts = frame(con, given).set_index("reason")["rows"]
    listed = _several_reasons(counts[~counts.index.isin([*funnel.refusals.categories])])
    if len(listed):
        first = listed.index[0]
        mark = next((mark for mark in SURE if any(mark in reason for reason in listed.index)), "")
        mend = f"values.reason = {toml_value({first: _parts(first, LISTS)[0]})}"
        if mark:
            mend = lines_under("entries", f"first_of.reason = {toml_value(mark)}")
        yield Fact("several_reasons", first.replace("\n", " "), int(listed.sum()), mend)
    owned = "SELECT manager, count(*) AS rows FROM entries WHERE manager IS NOT NULL GROUP BY manager ORDER BY manager"
    rows = frame(con, owned).set_index("manager")["rows"]
    # Of "Smith, John" neither part is somebody's whole name.
    teams = [name for name in rows.index if len(people := _parts(name, LISTS)) > 1 and {*people} <= {*rows.index}]
    if teams:
        mark = next(mark for mark in LISTS if mark in teams[0])
        mend = lines_under("entries", f"first_of.manager = {toml_value(mark)}")
        yield Fact("several_managers", teams[0].replace("\n", " "), int(rows[teams].sum()), mend)


def _several_reasons(counts: pd.Series) -> pd.Series:
    """The reasons that are lists of reasons: what stands between their marks stands elsewhere too, or they recur."""
    held: dict[str, set[str]] = {}
    for reason in counts.index:
        for part in {reason.strip().casefold(), *(part.casefold() for part in _parts(reason, LISTS))}:
            held.setdefault(part, set()).add(reason)
    listed = []
    for reason, rows in counts.items():
        parts = _parts(reason, LISTS)
        known = all(len(held[part.casefold()]) > 1 for part in parts)
        listed.append(len(parts) > 1 and (known or (rows > 1 and len(_parts(reason, SURE)) > 1)))
    return counts[listed]


def _parts(reason: Any, marks: Collection[str]) -> list[str]:
    """What stands between the first of these marks that the reason holds."""
    mark = next((mark for mark in marks if mark in reason), None)
    return [part.strip() for part in reason.split(mark) if part.strip()] if mark else [reason.strip()]
