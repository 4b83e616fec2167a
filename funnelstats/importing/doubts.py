"""What makes one doubt that cells mean what they say: days stored as instants, swapped dates, groups, lists, units.

Each finding is (fact, detail, count) and where there is one the line of funnel.toml that mends it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from math import comb
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
from scipy.stats import binom

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.funnel import Funnel, Source
from funnelstats.config.schema import TABLES
from funnelstats.importing.cells import FORMULA_ERRORS, ISO, ROW, ZONED, instant_at, wall_clock
from funnelstats.importing.mapping import DATES, stated_for
from funnelstats.importing.shapes import toml
from funnelstats.importing.unreadable import missing_line, number_hint

Found = tuple[Any, ...]

NEARLY_ALL, SOME, TIMES = 0.9, 0.2, 5
"""Shares of midnight UTC that no hour of work has, and how many times as often as the busiest other hour."""
SURE_OF_DAYS, UNLIKELY = 0.001, 0.01
"""As many at midnight UTC by chance: below the first they are days, below the second they may be."""

UP_TO_12 = 0.39
"""Share of a year's days whose number could be a month."""
BY_CHANCE = 0.01

UNREAD = {
    "amount": "unread_amounts",
    "manager": "unread_managers",
    "reason": "unread_reasons",
    "created_at": "unread_dates",
}
UNREAD_ROWS = {"payments": "unread_payments", "costs": "unread_costs"}

HOUR = 3600
LISTS = (";", "|", "\n", ",", "/")
"""What stands between several reasons in one cell."""
SURE = (";", "|", "\n")


def utc_days(
    cells: ir.Table, funnel: Funnel, table: str, source: Source
) -> tuple[dict[str, Collection[str] | None], list[Found]]:
    """The date columns of which midnights in UTC are days, with their stages (None: all rows), and what is told of it.

    A CRM that stores a day as an instant writes midnight UTC; elsewhere that is some hour, west of Greenwich of the
    day before. Rows of a stage prove it, however few they are, where midnight is far too frequent among them for an
    hour of the clock that the whole column shows: each of its whole hours stands there as often as the busiest other.
    """
    days: dict[str, Collection[str] | None] = {}
    odd: list[Found] = []
    staged = table == "entries" and source.stage is None
    for column in [name for name in source.columns if TABLES[table][name].kind in DATES]:
        at, utc = cells[f"_typed_{column}"], cells[f"_utc_{column}"]
        local = wall_clock(funnel.timezone, instant_at("UTC", at))
        elsewhere = (local.hour() != 0) | (local.minute() != 0)
        hours = cells.filter(at.notnull() & ~utc).select(_at=f"_typed_{column}")
        hours = hours.mutate(_whole=(hours["_at"] == hours["_at"].truncate("h")), _hour=hours["_at"].hour())
        timed = (
            hours.group_by("_hour").aggregate(rows=hours.count(), whole=hours.count(where=hours["_whole"])).execute()
        )
        # How often an hour is a whole one, and which of the 24 that is: of no other row at all, any of them.
        whole, busiest = timed["whole"].sum(), max(timed["whole"], default=0)
        chance = (whole + 1) / (timed["rows"].sum() + 1) * (busiest + 1) / (whole + 24)
        grouped = cells.group_by(_group=cells["_stage"] if staged else ibis.literal(""))
        counts = grouped.aggregate(
            rows=at.count(),
            midnights=cells.count(where=utc),
            apart=cells.count(where=utc & elsewhere),
            text=cells[column].min(where=utc & elsewhere),
        )
        counts = counts.filter(counts.apart > 0).order_by("_group").execute()
        share, likely = counts["midnights"] / counts["rows"], binom.sf(counts["midnights"] - 1, counts["rows"], chance)
        often = share >= TIMES * chance
        proven = counts[(likely < SURE_OF_DAYS) & (often | (share >= NEARLY_ALL))]
        if len(proven):
            days[column] = proven["_group"].dropna().tolist() if staged else None
            odd.append(("utc_days", source.columns[column], int(proven["midnights"].sum())))
        some = counts[(likely < UNLIKELY) & (often | (share >= SOME))].drop(proven.index)
        if len(some):
            mend = _day_format(column, str(some["text"].iloc[0]), source)
            odd.append(("utc_midnights", source.columns[column], int(some["midnights"].sum()), mend))
    return days, odd


def _day_format(column: str, text: str, source: Source) -> str:
    """The statement by which midnights in UTC are days: the clock and offset of the text as they stand."""
    formats = list(stated_for(source.date_format, column))
    if epochs := [fmt for fmt in formats if fmt in ("epoch_s", "epoch_ms")]:
        formats = [f"{epochs[0]}_day", *formats]
    elif re.search(ISO, text) and re.search(ZONED, text):
        formats = [f"%Y-%m-%d{text[10:]}", *formats]
    else:
        return ""
    listed = ", ".join(f'"{fmt}"' for fmt in formats)
    return f"date_format.{column} = {listed if len(formats) == 1 else f'[{listed}]'}"


def of_cells(cells: ir.Table, funnel: Funnel, table: str, source: Source, sheets: list[str]) -> list[Found]:
    """What the cells of one source make one doubt. Raises FunnelError where dates are swapped without doubt."""
    return [*_swapped(cells, funnel, table, source, sheets), *_grouped(cells, source)]


def _swapped(cells: ir.Table, funnel: Funnel, table: str, source: Source, sheets: list[str]) -> Iterator[Found]:
    """Date columns of workbooks of which a part was taken for dates the other way round, and the rest left as text."""
    for column in [name for name in source.columns if TABLES[table][name].kind in DATES] if sheets else []:
        text, at = cells[column], cells[f"_typed_{column}"]
        read = cells["_file"].isin(sheets) & at.notnull()
        true = read & text.re_search(r"^\d{4}-\d{2}-\d{2}T[\d:.]+$")
        typed = read & ~text.re_search(ISO)
        day = wall_clock(source.timezone or funnel.timezone, instant_at("UTC", at)).day()
        counts = cells.aggregate(
            dates=cells.count(where=true),
            texts=cells.count(where=typed),
            early=cells.count(where=true & (text.substr(8, 2).try_cast("int64") <= 12)),
            late=cells.count(where=typed & (day > 12)),
        )
        dates, texts, early, late = map(int, counts.execute().iloc[0])
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
            yield "dates_swapped", source.columns[column], dates


def _grouped(cells: ir.Table, source: Source) -> Iterator[Found]:
    """Columns that are filled in the first row of a group only, as spreadsheets print them."""
    for column in [name for name in ("manager", "channel", "campaign") if name in source.columns]:
        in_file = ibis.window(group_by="_file", order_by=ROW)
        rows = cells.select("_file", ROW, _value=column, _filled=cells[column].notnull())
        rows = rows.mutate(_beside=rows["_filled"] & rows["_filled"].lag().over(in_file).fill_null(False))
        filled = rows.filter(rows["_filled"])
        again = filled.mutate(_again=filled["_value"] == filled["_value"].lag().over(in_file))
        counts = (
            rows.group_by("_file")
            .aggregate(
                rows=rows.count(),
                filled=rows["_filled"].sum(),
                names=rows["_value"].nunique(),
                beside=rows["_beside"].sum(),
                first=rows["_filled"].argmin(rows[ROW]),
            )
            .left_join(again.group_by("_file").aggregate(again=again["_again"].sum()), "_file")
            .order_by("_file")
            .execute()
        )
        blank = sum(int(file.rows - file.filled) for file in counts.itertuples() if _looks_grouped(file))
        if blank:
            yield ("grouped_managers" if column == "manager" else "grouped_cells"), source.columns[column], blank


def _looks_grouped(file: Any) -> bool:
    """Whether a file's first row is filled, most are not, and what is filled never stands twice running.

    Each name stands once; or it would hardly happen by chance that no two filled rows are neighbours, and that each
    name differs from the one before it.
    """
    rows, filled, names = int(file.rows), int(file.filled), int(file.names)
    if not file.first or rows < 10 or 2 * filled > rows + 1 or file.beside or file.again > 0:
        return False
    apart = comb(rows - filled + 1, filled) / comb(rows, filled)
    chance = filled / rows * apart * (1 - 1 / names) ** (filled - 1)
    return (names == filled and 4 * filled <= rows) or chance < BY_CHANCE


def cell_facts(bad_cells: pd.DataFrame, bad_rows: pd.DataFrame, table: str, sources: tuple[Source, ...]) -> list[Found]:
    """How many cells of each column are missing because they cannot be read, and rows of money that are."""
    odd: list[Found] = []
    for _, rows in bad_cells.groupby(["_source", "name", "column"], sort=False):
        number, name, header = rows[["_source", "name", "column"]].iloc[0]
        mend = _mend(name, table, sources[number], rows["value"].unique().tolist())
        odd.append((UNREAD.get(name, "unread_cells"), header, len(rows), mend))
    if table in UNREAD_ROWS:
        unread = bad_rows[~bad_rows["reason"].str.startswith("repeats ") & (bad_rows["reason"] != "belongs to no lead")]
        odd.append((UNREAD_ROWS[table], "", len(unread)))
    return odd


def _mend(name: str, table: str, source: Source, values: list[str]) -> str:
    """The line that reads these cells, or says that they mean nothing."""
    values = [value for value in values if value not in FORMULA_ERRORS]
    kind = TABLES[table][name].kind if name in TABLES[table] else "text"
    hint = number_hint(values, source.decimal, source.thousands) if kind == "number" and values else ""
    if hint.endswith(" would read them"):
        return hint.removesuffix(" would read them").replace(" and ", "\n")
    return missing_line(name, values, source)


def of_tables(tables: dict[str, ir.Table], funnel: Funnel) -> list[Found]:
    """What whole tables make one doubt: calls longer than calls are, several reasons in one cell."""
    odd: list[Found] = []
    contacts = tables.get("contacts")
    if contacts is not None and "duration_s" in contacts.columns:
        took = contacts.filter(contacts.duration_s > 0)
        median, calls = took.aggregate(median=took.duration_s.median(), calls=took.count()).execute().iloc[0]
        if calls and median > HOUR > funnel.contact.conversation_s:
            seconds = int(funnel.contact.conversation_s * 1000)
            odd.append(("long_calls", f"{median:,.0f}", calls, f"contact.conversation_s = {seconds}"))
    entries = tables["entries"]
    told = entries.filter(entries.reason.notnull()).group_by("reason").aggregate(rows=ibis._.count())
    counts = told.order_by("reason").execute().set_index("reason")["rows"]
    listed = _several(counts[[reason not in funnel.refusals.categories for reason in counts.index]])
    if len(listed):
        mend = f"values.reason = {{ {toml(listed.index[0])} = {toml(_parts(listed.index[0], LISTS)[0])} }}"
        odd.append(("several_reasons", listed.index[0].replace("\n", " "), int(listed.sum()), mend))
    return odd


def _several(counts: pd.Series) -> pd.Series:
    """The reasons that are lists of reasons: what stands between their marks stands elsewhere too, or they recur."""
    held: dict[str, set[str]] = {}
    for reason in map(str, counts.index):
        for part in {reason.strip().casefold(), *(part.casefold() for part in _parts(reason, LISTS))}:
            held.setdefault(part, set()).add(reason)
    listed = []
    for reason, rows in zip(map(str, counts.index), counts, strict=True):
        parts = _parts(reason, LISTS)
        known = all(len(held[part.casefold()]) > 1 for part in parts)
        listed.append(len(parts) > 1 and (known or (rows > 1 and len(_parts(reason, SURE)) > 1)))
    return counts[listed]


def _parts(reason: str, marks: Collection[str]) -> list[str]:
    """What stands between the first of these marks that the reason holds."""
    mark = next((mark for mark in marks if mark in reason), None)
    return [part.strip() for part in reason.split(mark) if part.strip()] if mark else [reason.strip()]
