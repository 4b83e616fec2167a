"""Tables as files for a spreadsheet: CSV text that runs nothing, and one XLSX with real numbers and days."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

_ACTIVE = re.compile(r"'*([ \n\ufeff]*[=+\-@\t\r])")
"""How a text begins that a spreadsheet takes for a formula; and such a text with apostrophes before it, so that
taking one away always gives back what was there."""

_NUMBER_FORMATS = {
    "count": "#,##0",
    "number": "#,##0.0",
    "exact": "General",
    "percent": "0.0%",
    "interval": "0.0%",
    "money": "#,##0",
    "date": "yyyy-mm-dd",
}
UNLIMITED = "unlimited"
_FLOAT = "%.10g"
_LONGEST_SHEET = 31
_WIDEST = 40
_MADE = datetime(1980, 1, 1)
"""Stated as the day of making: a file of the same tables has the same bytes on any day."""
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Characters that XML forbids."""


def safe_csv(frame: pd.DataFrame) -> str:
    """The frame as CSV text that a spreadsheet opens without running anything.

    A text that starts like a formula gets a leading apostrophe, headers too; real numbers stay numbers. What is not
    known is an empty cell, and a limit without an end the word "unlimited": to a spreadsheet "inf" is no number either.
    """
    columns = [_plain(values) for _name, values in frame.items()]
    texts = pd.DataFrame(dict(enumerate(columns)), index=frame.index)
    header = [_inert(str(column)) for column in frame.columns]
    return texts.to_csv(index=False, header=header, float_format=_FLOAT, lineterminator="\n")


def _plain(values: pd.Series) -> pd.Series:
    """A column as it is written: texts inert, no number that is none."""
    if pd.api.types.is_float_dtype(values):
        if not np.isinf(values.to_numpy(float, na_value=np.nan)).any():
            return values
        return values.map(lambda value: UNLIMITED if np.isinf(value) else _FLOAT % value, na_action="ignore")
    if values.dtype == object or pd.api.types.is_string_dtype(values):
        return values.map(lambda value: _inert(value) if isinstance(value, str) else value)
    return values


def read_csv(text: str) -> list[list[str]]:
    """The rows of a ``safe_csv``, the header first, every text as it was before it was made safe.

    >>> read_csv("who,n\\n'=1+1,-3\\n")
    [['who', 'n'], ['=1+1', '-3']]
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    return [[cell[1:] if cell.startswith("'") and _ACTIVE.match(cell) else cell for cell in row] for row in rows]


def xlsx(tables: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A workbook with a sheet for each table, the same bytes for the same tables.

    A table holds ``csv``, a ``safe_csv``, and may hold ``kinds``, one for each column (count, percent, date, ...
    as of ``show_table``), and ``currency``. Texts are texts, never formulas, whatever they begin with.
    """
    from xlsxwriter import Workbook

    made = io.BytesIO()
    with Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"author": "funnelstats", "created": _MADE})
        style = cache(lambda **style: book.add_format(style))
        for number, (name, table) in enumerate(tables.items(), start=1):
            header, *rows = read_csv(table["csv"]) or [[]]
            kinds = [*table.get("kinds", ()), *["text"] * len(header)][: len(header)]
            sheet = book.add_worksheet(
                name if len(name) <= _LONGEST_SHEET else f"{name[: _LONGEST_SHEET - 3]}-{number}"
            )
            sheet.freeze_panes(1, 1)
            unit = f'\\ "{table["currency"]}"' if table.get("currency") else ""
            for place, (kind, texts) in enumerate(zip(kinds, zip(header, *rows, strict=True), strict=True)):
                sheet.set_column(place, place, min(max(8, *map(len, texts)), _WIDEST) + 2)
                known = style(num_format=_NUMBER_FORMATS.get(kind, "General") + (unit if kind == "money" else ""))
                _write(sheet, 0, place, texts[0], {"bold": True}, style)
                for row, text in enumerate(texts[1:], start=1):
                    value = _value(text, kind)
                    if isinstance(value, str):
                        _write(sheet, row, place, value, {}, style)
                    elif isinstance(value, date):
                        sheet.write_datetime(row, place, value, known)
                    elif value is not None:
                        sheet.write_number(row, place, value, known)
        if not tables:
            book.add_worksheet("empty")
    return made.getvalue()


def _write(sheet: Any, row: int, place: int, text: str, look: dict[str, bool], style: Callable[..., Any]) -> None:
    """A text, with what no spreadsheet can hold marked, and what would be a formula once it is edited quoted."""
    look = look | ({"quote_prefix": True} if _ACTIVE.match(text) else {})
    sheet.write_string(row, place, _ILLEGAL.sub("\ufffd", text), style(**look) if look else None)


def _value(text: str, kind: str) -> str | float | date | None:
    """What a cell's text means; a text that is not what its column holds stays a text."""
    if text == "":
        return None
    try:
        if kind == "date":
            return date.fromisoformat(text[:10])
        if kind in _NUMBER_FORMATS and abs(number := float(text)) < float("inf"):
            return int(number) if number.is_integer() else number
    except ValueError:
        pass
    return text


def _inert(text: str) -> str:
    # A lone carriage return is not quoted by the CSV writer, yet ends the row for a spreadsheet.
    return ("'" if _ACTIVE.match(text) else "") + text.replace("\r\n", "\n").replace("\r", "\n")
