"""Tables as files for a spreadsheet: CSV text that runs nothing, and one XLSX with real numbers and days."""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

_ACTIVE = re.compile(r"'*([ \n\ufeff]*[=+\-@\t\r])")
"""How a text begins that a spreadsheet takes for a formula; and such a text with apostrophes before it, so that
taking one away always gives back what was there."""

_NUMBER_FORMATS = {
    "count": "#,##0",
    "number": "#,##0.0",
    "exact": "General",
    "percent": "0.0%",
    "bar": "0.0%",
    "interval": "0.0%",
    "probability": "0.0%",
    "points": "0.000",
    "points interval": "0.000",
    "money": "#,##0",
    "date": "yyyy-mm-dd",
}
UNLIMITED = "unlimited"
_FLOAT = "%.10g"
_LONGEST_SHEET = 31
_WIDEST = 40
_MADE = datetime(1980, 1, 1)
"""Stated as the day of making: a file of the same tables has the same bytes on any day."""
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML forbids."""


def rows_of(frame: pd.DataFrame) -> list[list[Any]]:
    """The frame's rows as JSON holds them: numbers to ten digits, texts, days in ISO form, None for what is not known.

    A limit without an end is the word "unlimited": JSON has no infinity, and to a spreadsheet it is no number either.

    >>> rows_of(pd.DataFrame({"on": pd.to_datetime(["2026-06-28", None]), "n": [0.1 + 0.2, math.inf]}))
    [['2026-06-28', 0.3], [None, 'unlimited']]
    """
    columns = [values.astype(str) if is_datetime64_any_dtype(values) else values for _name, values in frame.items()]
    known = [values.notna().tolist() for _name, values in frame.items()]
    cells = [
        [_value(value) if there else None for value, there in zip(values.tolist(), known, strict=True)]
        for values, known in zip(columns, known, strict=True)
    ]
    return [list(row) for row in zip(*cells, strict=True)]


def _value(value: Any) -> str | int | float | bool:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return UNLIMITED if math.isinf(value) else float(_FLOAT % value)
    return value if isinstance(value, str | int) else str(value)


def csv_text(table: Mapping[str, Any]) -> str:
    """A table's data as CSV text that a spreadsheet opens without running anything.

    A text that starts like a formula gets a leading apostrophe, headers too; real numbers stay numbers. What is not
    known is an empty cell.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(column["name"]) for column in table["columns"]])
    for row in table["rows"]:
        writer.writerow([_inert(value) if isinstance(value, str) else _text(value) for value in row])
    return text.getvalue()


def _text(value: Any) -> str:
    return "" if value is None else _FLOAT % value if isinstance(value, float) else str(value)


def xlsx(tables: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A workbook with a sheet for each table's data, the same bytes for the same tables.

    Texts are texts, never formulas, whatever they begin with; numbers and days look as the kind of their column does.
    """
    from xlsxwriter import Workbook

    made = io.BytesIO()
    with Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"author": "funnelstats", "created": _MADE})
        style = cache(lambda **style: book.add_format(style))
        for number, (name, table) in enumerate(tables.items(), start=1):
            sheet = book.add_worksheet(
                name if len(name) <= _LONGEST_SHEET else f"{name[: _LONGEST_SHEET - 3]}-{number}"
            )
            sheet.freeze_panes(1, 1)
            unit = f'\\ "{table["currency"]}"' if table["currency"] else ""
            for place, column in enumerate(table["columns"]):
                values = [row[place] for row in table["rows"]]
                texts = [column["name"], *(_text(value) for value in values)]
                sheet.set_column(place, place, min(max(8, *map(len, texts)), _WIDEST) + 2)
                look = _NUMBER_FORMATS.get(column["kind"], "General") + (unit if column["kind"] == "money" else "")
                _write(sheet, 0, place, column["name"], {"bold": True}, style)
                for row, value in enumerate(values, start=1):
                    if column["kind"] == "date" and isinstance(value, str):
                        sheet.write_datetime(row, place, date.fromisoformat(value[:10]), style(num_format=look))
                    elif isinstance(value, str | bool):
                        _write(sheet, row, place, str(value), {}, style)
                    elif value is not None:
                        sheet.write_number(row, place, value, style(num_format=look))
        if not tables:
            book.add_worksheet("empty")
    return made.getvalue()


def _write(sheet: Any, row: int, place: int, text: str, look: dict[str, bool], style: Callable[..., Any]) -> None:
    """A text, with what no spreadsheet can hold marked, and what would be a formula once it is edited quoted."""
    look = look | ({"quote_prefix": True} if _ACTIVE.match(text) else {})
    sheet.write_string(row, place, ILLEGAL.sub("\ufffd", text), style(**look) if look else None)


def _inert(text: str) -> str:
    # A lone carriage return is not quoted by the CSV writer, yet ends the row for a spreadsheet.
    return ("'" if _ACTIVE.match(text) else "") + text.replace("\r\n", "\n").replace("\r", "\n")
