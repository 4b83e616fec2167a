"""Where so much cannot be read that the statement is at fault and not the cells: the run stops and says what would."""

from __future__ import annotations

from collections.abc import Sequence

import ibis.expr.types as ir
import pandas as pd

from funnelstats.reading.hints import date_hint, missing_line, number_hint
from funnelstats.reading.mapping import FORMULA_ERROR, Fault
from funnelstats.reading.readers import DELIMITERS
from funnelstats.reading.strays import id_hint
from funnelstats.stated.errors import FunnelError, visible
from funnelstats.stated.funnel import Funnel, Source

MOST = 0.5
"""Share of a column's filled cells from which on the statement is wrong and not the cells."""
LINES = 20
LOOKED_AT = 10_000


def rows_of(count: int) -> str:
    """So many rows, in a message."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def bad_columns(
    cells: ir.Table,
    occurring: Sequence[tuple[Fault, int]],
    filled: dict[str, int],
    rows: int,
    funnel: Funnel,
    table: str,
    source: Source,
) -> None:
    """Stop where most of what a column holds cannot be read, and more than the declared share of the rows lack it.

    Of columns that a row can do without: a single cell only costs itself, but a whole column says that its decimal or
    date format is another. Errors of formulas are the spreadsheet's and not the statement's.
    """
    told = []
    for fault, count in occurring:
        if fault.costs_row or fault.reason == FORMULA_ERROR or fault.column not in filled:
            continue
        if count <= MOST * filled[fault.column] or count <= funnel.max_bad_share * rows:
            continue
        bad = cells.filter(fault.when).select(file="_file", row="_row", value=fault.value).order_by("file", "row")
        values = bad.limit(LOOKED_AT).execute()
        first = values.iloc[0]
        told.append(
            f'{table}: {count:,} of {filled[fault.column]:,} cells of the column "{fault.header}" cannot be read: as '
            "most of them cannot, it is written in another way than stated"
        )
        told.append(
            _line(first, fault.header, fault.reason, count)
            + _hint_of_cells(fault, values["value"].unique().tolist(), source)
        )
    if told:
        raise FunnelError("\n".join(told))


def _hint_of_cells(fault: Fault, values: list[str], source: Source) -> str:
    """What would read the cells with a digit, and the line by which the others, words like "on request", are blank."""
    words = [value for value in values if not any(mark.isdigit() for mark in value)]
    hint = _hint(fault.reason, [value for value in values if value not in words] or values, source, None)
    line = missing_line(fault.column, words, source) if "is not a " in fault.reason else ""
    if not line:
        return hint
    return f"{hint if len(words) < len(values) else ''}; if words like these stand for nothing, state {line}"


def refuse_too_many(aside: pd.DataFrame, selected: int, funnel: Funnel, table: str, leads: ir.Table | None) -> None:
    """Stop where more than the declared share of a table's selected rows is bad; repeats are not counted as bad."""
    bad = aside[~aside["reason"].str.startswith("repeats ")]
    if len(bad) <= funnel.max_bad_share * selected:
        return
    allowed = f"max_bad_share = {funnel.max_bad_share:.0%}"
    lines = [f"{table}: {len(bad):,} of {selected:,} rows cannot be used, more than {allowed}"]
    sources: tuple[Source, ...] = getattr(funnel, table)
    groups = [rows for _, rows in bad.groupby(["column", "reason", "_source"], dropna=False, sort=False)]
    for rows in groups[:LINES]:
        first = rows.iloc[0]
        source = sources[0 if pd.isna(first["_source"]) else int(first["_source"])]
        header = first["column"] if isinstance(first["column"], str) else None
        values = rows["value"].dropna().head(LOOKED_AT).unique().tolist()
        hint = _hint(first["reason"], values, source, leads, header)
        lines.append(_line(first, header, first["reason"], len(rows)) + hint)
    if len(groups) > LINES:
        lines.append(f"... and {len(groups) - LINES:,} more reasons")
    raise FunnelError("\n".join(lines))


def _line(first: pd.Series, header: str | None, reason: str, count: int) -> str:
    where = f"{first['file']}: row {first['row']}" + (f', column "{visible(header)}"' if header else "")
    if pd.isna(first["value"]):
        return f"{where}: {reason} ({rows_of(count)})"
    return f'{where}: "{visible(first["value"])}" {reason} ({rows_of(count)})'


def _hint(reason: str, values: list[str], source: Source, leads: ir.Table | None, header: str | None = None) -> str:
    """What would be right, after a semicolon; nothing where nothing is known."""
    hint = ""
    if "not a date" in reason:
        hint = date_hint(values)
    elif "not a number" in reason:
        hint = number_hint(values, source.decimal, source.thousands)
    elif reason == "is missing" and header:
        hint = f'if these are no rows of the table, leave them out: without = {{ "{header}" = "" }}'
    elif reason == "belongs to no lead" and leads is not None:
        hint = id_hint(values, leads)
    elif " fields where the header has " in reason:
        hint = _fields_hint(reason, values)
    return f"; {hint}" if hint else ""


def _fields_hint(reason: str, values: Sequence[str]) -> str:
    has, wanted = (int(word) for word in reason.split() if word.isdigit())
    if has < wanted:
        return "lines that are no rows of the table must go from the file, and cells left out at the end be written"
    if all(value.endswith(tuple(DELIMITERS)) for value in values):
        return "the rows end in a delimiter, and so must the header"
    return "a cell that holds the delimiter must stand in quotes"
