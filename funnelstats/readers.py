"""Files as they come from a CRM, read into columns of text.

The kind of a file is told by its content, never by its name. Every cell becomes text, so that ids keep
their digits; dates that a file stores as dates become ISO text with a "T". Row numbers are those a
spreadsheet shows: the header is row 1 (JSON lines and Parquet, which have no header row, start at 1).
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple, TextIO
from zipfile import BadZipFile

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from openpyxl import load_workbook

from funnelstats.funnel import FunnelError, suggestion

ROW = "_row"
CHUNK = 50_000
DELIMITERS = ",;\t|"
SAFE_DIGITS = 10**15
"""Spreadsheets and floats keep 15 digits; a longer number has lost the rest."""


class Read(NamedTuple):
    """One file: its columns of text with ``_row``, the rows that could not be split, all its column names."""

    columns: pa.Table
    broken: list[tuple[int, str, str]]
    kind: str
    header: list[str]


def read_file(
    path: Path, wanted: Sequence[str] | None = None, *, encoding: str | None = None, sheet: str | None = None
) -> Read:
    """The wanted columns (all where none is named) of a CSV, XLSX, Parquet or JSON lines file.

    ``broken`` lists row number, the row's text and the reason. Raises FunnelError where the file is none
    of these, is not in the stated encoding, or lacks a wanted column.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.strip(b" \t\r\n\xef\xbb\xbf"):
        raise FunnelError(f"{path.name}: the file is empty; a table with a header row is needed")
    if start.startswith(b"PAR1"):
        return _read_parquet(path, wanted)
    if start.startswith(b"PK\x03\x04"):
        return _read_xlsx(path, wanted, sheet)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise FunnelError(f"{path.name}: an old Excel file (.xls); save it as .xlsx or CSV")
    if start.startswith((b"\x1f\x8b", b"%PDF")):
        raise FunnelError(f"{path.name}: compressed or PDF; unpack or export it as CSV or XLSX")
    encoding = _encoding_of(start, encoding)
    if b"\0" in start and not encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        raise FunnelError(f'{path.name}: not text in {_spoken(encoding)}; if it is, try encoding = "utf-16-le"')
    with _text(path, encoding) as file:
        first = file.read(4096).lstrip("\ufeff \r\n\t")[:1]
        file.seek(0)
        if first == "<":
            raise FunnelError(f"{path.name}: HTML or XML, not a table; export it as CSV or XLSX")
        if first == "[":
            raise FunnelError(f"{path.name}: a JSON list; write one object per line (JSON lines)")
        return _read_json_lines(file, path, wanted) if first == "{" else _read_csv(file, path, wanted)


def _encoding_of(start: bytes, stated: str | None) -> str:
    """The stated encoding, else the one a byte-order mark tells, else UTF-8 (whose mark is skipped)."""
    if stated is None:
        utf_16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return "utf-16" if utf_16 else "utf-8-sig"
    try:
        return "utf-8-sig" if codecs.lookup(stated).name == "utf-8" else stated
    except LookupError as error:
        raise FunnelError(f'encoding: no encoding "{stated}"; for example "cp1251"') from error


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[TextIO]:
    """The file as text; an error where it is not in its encoding, wherever in the file that shows."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            yield file
    except UnicodeError as error:
        raise FunnelError(
            f'{path.name}: not {_spoken(encoding)}; state its encoding, for example encoding = "cp1251"'
        ) from error


def _spoken(encoding: str) -> str:
    return "UTF-8" if encoding == "utf-8-sig" else encoding


def _chosen(path: Path, header: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """The wanted columns, each of which must stand in the header once; all where none is wanted."""
    wanted = [name for name in header if name] if wanted is None else list(wanted)
    twice = sorted({name for name in header if name in wanted and header.count(name) > 1})
    missing = [name for name in wanted if name not in header]
    mistakes = [f'{path.name}: no column "{name}"; {suggestion(name, header)}' for name in missing]
    mistakes += [f'{path.name}: column "{name}" stands there twice; rename one' for name in twice]
    if mistakes:
        raise FunnelError("\n".join(mistakes))
    return wanted


def _table(rows: Iterable[Sequence[Any]], header: Sequence[str], wanted: Sequence[str]) -> pa.Table:
    """Rows that begin with their number, gathered in chunks into columns of text."""
    places = [header.index(name) + 1 for name in wanted]
    schema = pa.schema([(ROW, pa.int64()), *((name, pa.string()) for name in wanted)])
    iterator = iter(rows)
    batches = []
    while chunk := list(islice(iterator, CHUNK)):
        columns = list(zip(*chunk, strict=True))
        arrays = [
            pa.array(columns[0], pa.int64()),
            *(pa.array(columns[place], pa.string()) for place in places),
        ]
        batches.append(pa.record_batch(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _read_csv(file: TextIO, path: Path, wanted: Sequence[str] | None) -> Read:
    first = file.readline()
    delimiter = max(DELIMITERS, key=lambda mark: _header_fit(first, mark, wanted or ()))
    file.seek(0)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    broken: list[tuple[int, str, str]] = []
    try:
        header = [name.lstrip("\ufeff").strip() for name in next(reader)]
        columns = _table(_whole_rows(reader, header, delimiter, broken), header, _chosen(path, header, wanted))
    except csv.Error as error:
        raise FunnelError(f"{path.name}: line {reader.line_num}: {error}; a quote that opens must close") from error
    return Read(columns, broken, f"CSV ({'tab' if delimiter == chr(9) else delimiter})", header)


def _header_fit(line: str, delimiter: str, wanted: Sequence[str]) -> tuple[int, int]:
    fields = [name.strip("\ufeff\r\n ") for name in next(csv.reader([line], delimiter=delimiter), [])]
    return len(set(fields) & set(wanted)), len(fields)


def _whole_rows(
    reader: Iterable[list[str]], header: Sequence[str], delimiter: str, broken: list[tuple[int, str, str]]
) -> Iterator[list[Any]]:
    for number, fields in enumerate(reader, start=2):
        if len(fields) == len(header):
            yield [number, *fields]
        elif any(fields):
            reason = f"has {len(fields)} fields where the header has {len(header)}"
            broken.append((number, delimiter.join(fields), reason))


def _read_xlsx(path: Path, wanted: Sequence[str] | None, sheet: str | None) -> Read:
    try:
        # From memory, because openpyxl tells a path's kind by its name.
        book = load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, BadZipFile) as error:
        raise FunnelError(f"{path.name}: a zip archive, not a whole XLSX file; unpack it or export it again") from error
    if sheet is not None and sheet not in book.sheetnames:
        raise FunnelError(f'{path.name}: no sheet "{sheet}"; {suggestion(sheet, book.sheetnames)}')
    rows = (book[sheet] if sheet else book[book.sheetnames[0]]).iter_rows(values_only=True)
    header = [_cell(value).strip() for value in next(rows, ())]
    chosen = _chosen(path, header, wanted)
    filled = (
        [number, *map(_cell, row[: len(header)]), *[""] * (len(header) - len(row))]
        for number, row in enumerate(rows, start=2)
        if any(value is not None for value in row)
    )
    columns = _table(filled, header, chosen)
    book.close()
    return Read(columns, [], "XLSX", header)


def _cell(value: Any) -> str:
    """A spreadsheet's cell as text; a number too long for it keeps the look of one that lost digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and isnan(value):
        return ""
    if isinstance(value, int | float) and abs(value) >= SAFE_DIGITS:
        return f"{value:.5E}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read_json_lines(file: TextIO, path: Path, wanted: Sequence[str] | None) -> Read:
    broken: list[tuple[int, str, str]] = []
    records: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.lstrip("\ufeff"), parse_int=str, parse_float=str)
        except json.JSONDecodeError as error:
            broken.append((number, line.strip(), f"is not JSON: {error.msg}"))
            continue
        if not isinstance(record, dict):
            broken.append((number, line.strip(), "is not a JSON object"))
            continue
        records.append((number, record))
    header = list(dict.fromkeys(name for _, record in records for name in record))
    chosen = _chosen(path, header, wanted)
    rows = ([number, *(_json_text(record.get(name)) for name in chosen)] for number, record in records)
    columns = _table(rows, chosen, chosen)
    return Read(columns, broken, "JSON lines", header)


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_parquet(path: Path, wanted: Sequence[str] | None) -> Read:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise FunnelError(f"{path.name}: not a whole Parquet file; export it again") from error
    chosen = _chosen(path, file.schema_arrow.names, wanted)
    return _stored(file.read(columns=chosen), "Parquet", file.schema_arrow.names)


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
        rows = ibis.connect(url).table(table)
    except Exception as error:
        raise FunnelError(f"database {named}: cannot open table {table}: {type(error).__name__}") from None
    chosen = _chosen(Path(table), rows.columns, wanted)
    return _stored(rows.select(chosen).to_pyarrow(), "database table", list(rows.columns))


def _stored(table: pa.Table, kind: str, header: list[str]) -> Read:
    """Columns that have types, as text with row numbers from 1."""
    rows = pa.array(range(1, table.num_rows + 1), pa.int64())
    texts = {name: _as_text(table[name]) for name in table.column_names}
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
        return pa.chunked_array([pa.array([_cell(value) for value in column.to_pylist()], pa.string())])
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.chunked_array([pa.array([_cell(value) for value in column.to_pylist()], pa.string())])
