"""Tables as files for a spreadsheet: CSV text that runs nothing, and one XLSX with real numbers and days."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping
from datetime import date, datetime
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
"""The first day a zip can state: a file of the same tables has the same bytes on any day."""


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
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    book.properties.creator = "funnelstats"
    book.properties.created = _MADE
    for number, (name, table) in enumerate(tables.items(), start=1):
        header, *rows = read_csv(table["csv"]) or [[]]
        kinds = [*table.get("kinds", ()), *["text"] * len(header)][: len(header)]
        sheet = book.create_sheet(name if len(name) <= _LONGEST_SHEET else f"{name[: _LONGEST_SHEET - 3]}-{number}")
        sheet.freeze_panes = "B2"
        for place, column in enumerate(zip(header, *rows, strict=True)):
            width = max(len(text) for text in column)
            sheet.column_dimensions[_letters(place)].width = min(max(width, 8), _WIDEST) + 2
        sheet.append([_cell(sheet, text, "text", "", font=Font(bold=True)) for text in header])
        currency = str(table.get("currency", ""))
        for row in rows:
            sheet.append([_cell(sheet, text, kind, currency) for text, kind in zip(row, kinds, strict=True)])
    if not book.worksheets:
        book.create_sheet("empty")
    return _without_clock(book)


def _cell(sheet: Any, text: str, kind: str, currency: str, **style: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    value = _value(text, kind)
    cell = WriteOnlyCell(sheet, value=None)
    if isinstance(value, str):
        # By itself openpyxl takes a text that begins with = for a formula.
        cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)
        cell.data_type = "s"
        cell.quotePrefix = bool(_ACTIVE.match(value))
    elif value is not None:
        cell.value = value
        unit = f'\\ "{currency}"' if kind == "money" and currency else ""
        cell.number_format = _NUMBER_FORMATS[kind] + unit
    for name, given in style.items():
        setattr(cell, name, given)
    return cell


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


def _letters(place: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(place + 1))


def _without_clock(book: Any) -> bytes:
    """The workbook's bytes, without the moment of saving that openpyxl writes into it and into the zip."""
    from openpyxl.writer.excel import ExcelWriter

    # Not compressed yet: it would be undone at once.
    saved, fixed = io.BytesIO(), io.BytesIO()
    ExcelWriter(book, zipfile.ZipFile(saved, "w")).save()
    with zipfile.ZipFile(saved) as before, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>1980-01-01T00:00:00Z", content)
            after.writestr(zipfile.ZipInfo(name, _MADE.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


def _inert(text: str) -> str:
    # A lone carriage return is not quoted by the CSV writer, yet ends the row for a spreadsheet.
    return ("'" if _ACTIVE.match(text) else "") + text.replace("\r\n", "\n").replace("\r", "\n")
