"""Sources whose cells have types: XLSX, Parquet and database tables, turned into columns of text."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.importing.cells import ROW, Read, cell_text, chosen_columns, composed, text_array, text_columns

FORMULA_WITHOUT_RESULT = (
    rb'<c r="([A-Z]+)(\d+)"(?:(?! t="str")[^>])*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)\s*(?:<v ?/>|<v></v>)?\s*</c>'
)
"""A cell of a sheet's XML; a formula whose result is the empty text has the type of a text."""


def read_xlsx(path: Path, wanted: Sequence[str] | None, sheet: str | None, header_row: int = 1) -> Read:
    from openpyxl import load_workbook  # no page reads a workbook, and each would import this

    try:
        # From memory, because openpyxl tells a path's kind by its name.
        book = load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, AttributeError, BadZipFile) as error:
        raise FunnelError(f"{path.name}: a zip archive, not a whole XLSX file; unpack it or export it again") from error
    tables = {table.title: table for table in book.worksheets}
    # Hidden sheets hold lists for the others, and what the user does not see.
    visible = [name for name, table in tables.items() if table.sheet_state == "visible"] or list(tables)
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
    rows = islice(table.iter_rows(values_only=True), header_row - 1, None)
    header = _sheet_header(next(rows, ()))
    try:
        chosen = chosen_columns(path, header, wanted, header_row)
    except FunnelError as error:
        raise FunnelError(
            "\n".join([str(error), *_other_sheets(path, tables, name, wanted or (), header_row)])
        ) from error
    filled = (
        [number, *map(cell_text, row[: len(header)]), *[""] * (len(header) - len(row))]
        for number, row in enumerate(rows, start=header_row + 1)
        if any(value is not None for value in row)
    )
    columns = text_columns(filled, header, chosen)
    book.close()
    _refuse_formulas(path, table._worksheet_path, header, chosen, header_row)
    return Read(columns, [], "XLSX", header)


def _sheet_header(cells: Sequence[Any]) -> list[str]:
    return [composed(cell_text(value).strip()) for value in cells]


def _other_sheets(path: Path, tables: dict[str, Any], read: str, wanted: Sequence[str], header_row: int) -> list[str]:
    """That a sheet lacks what another one of the workbook has, and which one that is."""
    having = []
    for name, table in tables.items():
        if name != read:
            table.reset_dimensions()
            header = _sheet_header(next(islice(table.iter_rows(values_only=True), header_row - 1, None), ()))
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


def read_parquet(path: Path, wanted: Sequence[str] | None) -> Read:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise FunnelError(f"{path.name}: not a whole Parquet file; export it again") from error
    names = {composed(name): name for name in file.schema_arrow.names}
    chosen = chosen_columns(path, list(names), wanted)
    return _stored(file.read(columns=[names[name] for name in chosen]), "Parquet", list(names))


def read_database(address: str, table: str, wanted: Sequence[str]) -> Read:
    """The wanted columns of a table behind an ibis URL, or one named by ``env:VARIABLE``.

    The address may hold a password: no message of this function shows it.
    """
    variable = address.removeprefix("env:")
    named = address if address.startswith("env:") else f"{address.partition('://')[0]}://..."
    url = os.environ.get(variable) if address.startswith("env:") else address
    if not url:
        raise FunnelError(f"database: the environment variable {variable} is not set; it must hold the URL")
    try:
        # DuckDB makes an empty file where none of this name is, unless it may only read.
        only = {"read_only": True} if url.startswith("duckdb://") else {}
        rows = ibis.connect(url, **only).table(table)
    except Exception as error:
        raise FunnelError(f"database {named}: cannot open table {table}: {type(error).__name__}") from None
    names = {composed(name): name for name in rows.columns}
    chosen = chosen_columns(Path(table), list(names), wanted)
    return _stored(rows.select([names[name] for name in chosen]).to_pyarrow(), "database table", list(names))


def _stored(table: pa.Table, kind: str, header: list[str]) -> Read:
    """Columns that have types, as text with row numbers from 1."""
    rows = pa.array(range(1, table.num_rows + 1), pa.int64())
    texts = {composed(name): text_array(_as_text(table[name])) for name in table.column_names}
    return Read(pa.table({ROW: rows, **texts}), [], kind, header)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A typed column as text; dates get a "T", instants with a zone a "Z", floats look like a spreadsheet's."""
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        zoned = pa.types.is_timestamp(kind) and kind.tz
        # Nanoseconds are cut: no stage entry is told apart by them.
        wall = column.cast(pa.timestamp("us", "UTC" if zoned else None), safe=False)
        return pc.strftime(wall, "%Y-%m-%dT%H:%M:%SZ" if zoned else "%Y-%m-%dT%H:%M:%S")
    if pa.types.is_floating(kind):
        return pa.chunked_array([pa.array([cell_text(value) for value in column.to_pylist()], pa.string())])
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.chunked_array([pa.array([cell_text(value) for value in column.to_pylist()], pa.string())])
