"""Rows of a workbook's sheet."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.importing.cells import Read, cell_text, chosen_columns, text_rows, whole_file
from funnelstats.importing.closing import Needs, without_closing_lines
from funnelstats.importing.csv_rows import header_of
from funnelstats.importing.sql import Into

XLSX_1904 = "XLSX (days since 1904)"
"""The kind of a workbook whose numbers of days are not those of others; its true dates are read as they show."""

FORMULA_WITHOUT_RESULT = (
    rb'<c r="([A-Z]+)(\d+)"(?:(?! t="str")[^>])*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)\s*(?:<v ?/>|<v></v>)?\s*</c>'
)
"""A cell of a sheet's XML; a formula whose result is the empty text has the type of a text."""


def visible_sheets(path: Path) -> list[str]:
    """The names of the sheets that the user of a workbook sees. Raises FunnelError where it is not whole."""
    with whole_file(path, "XLSX"):
        book = _opened(path)
        names = _visible(book)
        book.close()
    return names


def _opened(path: Path) -> Any:
    from openpyxl import load_workbook  # no page reads a workbook, and each would import this

    # From memory, because openpyxl tells a path's kind by its name.
    return load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)


def _visible(book: Any) -> list[str]:
    """Hidden sheets hold lists for the others, and what the user does not see; they count where all are hidden."""
    names = [table.title for table in book.worksheets if table.sheet_state == "visible"]
    return names or [table.title for table in book.worksheets]


def read_xlsx(
    path: Path,
    wanted: Sequence[str] | None,
    sheet: str | None,
    header_row: Sequence[int] = (1,),
    needs: Needs | None = None,
    into: Into | None = None,
) -> Read:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book = _opened(path)
    tables = {table.title: table for table in book.worksheets}
    visible = _visible(book)
    if sheet is not None and sheet not in book.sheetnames:
        raise FunnelError(f'{path.name}: no sheet "{sheet}"; {suggestion(sheet, book.sheetnames)}')
    if sheet is not None and sheet not in tables:
        raise FunnelError(f'{path.name}: sheet "{sheet}" is a chart, not a table; {suggestion(sheet, tables)}')
    if not tables:
        raise FunnelError(f"{path.name}: the workbook has no sheet with a table")
    name = sheet or visible[0]
    table = tables[name]
    # A file may state a smaller size than it has, and the rows beyond it would be lost.
    table.reset_dimensions()
    rows = table.iter_rows(values_only=True)
    header = header_of(rows, header_row)
    try:
        chosen = chosen_columns(path, header, wanted, header_row)
    except FunnelError as error:
        raise FunnelError(
            "\n".join([str(error), *_other_sheets(path, tables, name, wanted or (), header_row)])
        ) from error
    filled = (
        [number, *map(cell_text, row[: len(header)]), *[""] * (len(header) - len(row))]
        for number, row in enumerate(rows, start=header_row[-1] + 1)
        if any(value is not None for value in row)
    )
    broken: list[tuple[int, str, str]] = []
    columns, in_engine = text_rows(without_closing_lines(filled, header, needs, broken), header, chosen, into)
    book.close()
    _refuse_formulas(path, table._worksheet_path, header, chosen, header_row[-1])
    return Read(columns, broken, XLSX_1904 if book.epoch == CALENDAR_MAC_1904 else "XLSX", header, in_engine)


def _other_sheets(
    path: Path, tables: dict[str, Any], read: str, wanted: Sequence[str], header_row: Sequence[int]
) -> list[str]:
    """That a sheet lacks what another one of the workbook has, and which one that is."""
    having = []
    for name, table in tables.items():
        if name != read:
            table.reset_dimensions()
            header = header_of(table.iter_rows(values_only=True), header_row)
            having += [name] if wanted and set(wanted) <= set(header) else []
    if not having:
        return []
    lines = " or ".join(f'sheet = "{name}"' for name in having)
    return [f'{path.name}: the sheet "{read}" was read; all these columns stand in another one: state {lines}']


def _refuse_formulas(path: Path, part: str, header: Sequence[str], chosen: Sequence[str], header_row: int) -> None:
    """Stop where wanted cells hold formulas whose results nobody has computed: a program wrote them and no Excel."""
    from openpyxl.utils import get_column_letter

    with ZipFile(path) as archive:
        text = archive.read(part)
    if b"<f" not in text:
        return
    letters = {get_column_letter(header.index(name) + 1): name for name in chosen}
    cells = ((found[1].decode(), int(found[2])) for found in re.finditer(FORMULA_WITHOUT_RESULT, text))
    empty = [(letter, row) for letter, row in cells if letter in letters and row > header_row]
    if empty:
        letter, row = empty[0]
        count = "1 cell holds a formula" if len(empty) == 1 else f"{len(empty):,} cells hold formulas"
        raise FunnelError(
            f'{path.name}: row {row}, column "{letters[letter]}": {count} without a result; open the file in Excel, '
            "save it and put it here again"
        )
