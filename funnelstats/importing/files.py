"""Files as they come from a CRM, and tables of databases, read into columns of text.

The kind of a file is told by its content, never by its name. Every cell becomes text, so that ids keep
their digits; dates that a file stores as dates become ISO text with a "T". Row numbers are those a
spreadsheet shows: the header is row 1 (JSON lines and Parquet, which have no header row, start at 1).
"""

import codecs
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TextIO
from xml.etree import ElementTree

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from funnelstats.config.errors import FunnelError
from funnelstats.config.sources import FileKeys
from funnelstats.importing.cells import (
    ROW,
    Read,
    cell_text,
    chosen_columns,
    composed,
    gathered_rows,
    text_array,
    text_rows,
    whole_file,
)
from funnelstats.importing.closing import Needs
from funnelstats.importing.csv_rows import read_csv
from funnelstats.importing.json_rows import read_json
from funnelstats.importing.packed import ZIP, unpacked
from funnelstats.importing.postgres import Kept, read_postgres
from funnelstats.importing.sql import Into, quoted
from funnelstats.importing.workbooks import read_xlsx

FEW_NULS = 100
"""One letter in so many may be a NUL that a CRM let through; text of two bytes a letter has more."""


class SourceFile(NamedTuple):
    """A file that was read, or a table of a database, and its name in the account."""

    path: Path
    name: str
    read: Read
    sheet: str | None = None

    @property
    def header(self) -> list[str]:
        return self.read.header

    @property
    def kind(self) -> str:
        return self.read.kind

    @property
    def is_workbook(self) -> bool:
        return self.kind.startswith("XLSX")

    @property
    def rows(self) -> int:
        return int(self.read.rows.num_rows) + len(self.read.broken)


NO_TABLES = {
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls); save it as .xlsx or CSV",
    b"%PDF": "a PDF; export it as CSV or XLSX",
    b"SQLite format 3": "a database of SQLite; export its tables as CSV or XLSX",
}


def read_file(
    path: Path,
    wanted: Sequence[str] | None = None,
    *,
    encoding: str | None = None,
    sheet: str | None = None,
    header_row: Sequence[int] = (1,),
    way: str = "",
    needs: Needs | None = None,
    into: Into | None = None,
) -> Read:
    """The wanted columns (all where none is named) of a CSV, XLSX, Parquet, JSON or XES file, packed or not.

    ``way`` leads to a list within each JSON object of which each element is a row. ``broken`` lists row number, the
    row's text and the reason; the closing lines of a table are there where ``needs`` tells them from rows. Raises
    FunnelError where the file is none of these, is not in the stated encoding, or lacks a wanted column. A plain CSV
    may go ``into`` the engine.
    """
    with unpacked(path) as path:
        with path.open("rb") as file:
            start = file.read(4096)
        if not start.strip(b" \t\r\n\xef\xbb\xbf"):
            raise FunnelError(f"{path.name}: the file is empty; a table with a header row is needed")
        if start.startswith(b"PAR1"):
            with whole_file(path, "Parquet"):
                return _read_parquet(path, wanted, into)
        if start.startswith(ZIP):
            with whole_file(path, "XLSX"):
                return read_xlsx(path, wanted, sheet, header_row, needs, into)
        if no_table := next((said for mark, said in NO_TABLES.items() if start.startswith(mark)), ""):
            raise FunnelError(f"{path.name}: {no_table}")
        if re.search(rb"<(\w+:)?log[\s>]", start) and start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            return _read_xes(path, wanted, into)
        encoding = _encoding_of(start, encoding)
        wide = encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32"))
        if start.count(0) > len(start) // FEW_NULS and not wide:
            named = _encoding_name(encoding)
            raise FunnelError(f'{path.name}: not text in {named}; if it is, try encoding = "utf-16-le"')
        with _text(path, encoding) as file:
            first = file.read(4096).lstrip("\ufeff \r\n\t")[:1]
            file.seek(0)
            if first == "<":
                raise FunnelError(f"{path.name}: HTML or XML, not a table; export it as CSV or XLSX")
            if first and first in "[{":
                return read_json(file, path, wanted, way, into)
            return read_csv(file, path, wanted, header_row, needs, into)


def read_source_file(
    path: Path,
    sheet: str | None,
    source: FileKeys,
    wanted: Sequence[str] | None,
    needs: Needs | None = None,
    into: Into | None = None,
) -> Read:
    """The wanted columns of a file, or of a sheet of it (all where none is named), as its source states.

    Those that it ``may_lack`` are not among them where it does.
    """
    stated: dict[str, Any] = {
        "encoding": source.encoding, "sheet": sheet, "header_row": source.header_row, "way": source.rows
    }  # fmt: skip
    if wanted is not None and source.may_lack:
        there = read_file(path, [], **stated).header
        wanted = [name for name in wanted if name in there or name not in source.may_lack]
        needs = needs and Needs(tuple(filter(wanted.__contains__, needs.headers)), needs.without)
    read = read_file(
        path,
        wanted,
        **stated,
        needs=needs,
        into=None if source.fill_down else into,
    )
    if not source.fill_down:
        return read
    columns = read.columns
    for name in [name for name in source.fill_down if name in columns.column_names]:
        text = columns[name]
        filled = pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), pa.scalar(None, pa.string()), text)
        filled = pc.fill_null(pc.fill_null_forward(filled), "")
        columns = columns.set_column(columns.column_names.index(name), name, filled)
    return read._replace(rows=columns)


def _encoding_of(start: bytes, stated: str | None) -> str:
    """The stated encoding, else the one a byte-order mark tells, else UTF-8 (whose mark is skipped)."""
    if stated is None:
        marks = {
            "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
            "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
        }
        return next((name for name, mark in marks.items() if start.startswith(mark)), "utf-8-sig")
    return "utf-8-sig" if codecs.lookup(stated).name == "utf-8" else stated


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[TextIO]:
    """The file as text; an error where it is not in its encoding, wherever in the file that shows."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            yield file
    except UnicodeError as error:
        raise FunnelError(
            f'{path.name}: not {_encoding_name(encoding)}; state its encoding, for example encoding = "cp1251"'
        ) from error


def _encoding_name(encoding: str) -> str:
    return "UTF-8" if encoding == "utf-8-sig" else encoding


def _read_xes(path: Path, wanted: Sequence[str] | None, into: Into | None) -> Read:
    """An event log: a row for each event, with what its case says named as "case:concept:name"."""
    records: list[dict[str, str]] = []
    try:
        for _event, element in ElementTree.iterparse(path):
            if _tag(element) == "trace":
                of_case = {f"case:{key}": value for key, value in _xes_attributes(element).items()}
                records += [of_case | _xes_attributes(event) for event in element if _tag(event) == "event"]
                element.clear()
    except ElementTree.ParseError as error:
        raise FunnelError(f"{path.name}: XES that is not whole: {error}; export it again") from error
    header = list(dict.fromkeys(name for record in records for name in record))
    chosen = chosen_columns(path, header, wanted)
    rows = ([number, *(record.get(name, "") for name in chosen)] for number, record in enumerate(records, start=1))
    return Read(text_rows(rows, chosen, chosen, into), [], "XES", header)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _xes_attributes(element: ElementTree.Element) -> dict[str, str]:
    return {composed(held.attrib["key"]): held.attrib.get("value", "") for held in element if "key" in held.attrib}


def _read_parquet(path: Path, wanted: Sequence[str] | None, into: Into | None) -> Read:
    file = pq.ParquetFile(path)
    header, stored = _named_columns(path, file.schema_arrow.names, wanted)
    schema = _texts(file.schema_arrow.empty_table().select(stored), 1).schema
    return Read(gathered_rows(schema, _batches_of(file, stored), into), [], "Parquet", header)


def _named_columns(path: Path, columns: Sequence[str], wanted: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The names of all columns as texts have them, and what the wanted ones are called where they are stored."""
    names = {composed(name): name for name in columns}
    return list(names), [names[name] for name in chosen_columns(path, [*map(composed, columns)], wanted)]


def read_database(
    address: str,
    table: str | None,
    wanted: Sequence[str],
    query: str | None = None,
    into: Into | None = None,
    kept: Kept | None = None,
) -> Read:
    """The wanted columns of a table or a query behind an ibis URL, or one named by ``env:VARIABLE``.

    The address may hold a password: no error of this function holds it. Rows of PostgreSQL may go ``into`` the engine,
    and those that are ``kept`` are not fetched again.
    """
    variable = address.removeprefix("env:")
    named = address if address.startswith("env:") else f"{address.partition('://')[0]}://..."
    url = os.environ.get(variable) if address.startswith("env:") else address
    if not url:
        raise FunnelError(f"database: the environment variable {variable} is not set; it must hold the URL")
    what, name = (f"table {table}", str(table)) if query is None else ("the query", "query")
    doing = f"open {what}"
    try:
        if url.startswith(("postgres://", "postgresql://")):
            behind = quoted(name) if query is None else f"(\n{query.rstrip().rstrip(';')}\n)"
            return read_postgres(url, behind, name, wanted, into, f"database {named}: cannot {doing}", kept)
        if kept:
            raise FunnelError(f"database {named}: watermark: only rows of PostgreSQL are kept; leave it out")
        # DuckDB makes an empty file where none of this name is, unless it may only read.
        only = {"read_only": True} if url.startswith("duckdb://") else {}
        con = ibis.connect(url, **only)
        rows = con.table(name) if query is None else con.sql(query)
        header, stored = _named_columns(Path(name), rows.columns, wanted)
        doing = f"read {what}"
        return Read(_texts(rows.select(stored).to_pyarrow(), 1), [], "database table", header)
    except FunnelError:
        raise
    except ImportError:
        told = f'no driver; pip install "ibis-framework[{url.partition("://")[0]}]"'
    except Exception as error:
        told = f"cannot {doing}: {type(error).__name__}"
    # Beyond the handlers, so that the error does not come with the driver's own, which may hold the password.
    raise FunnelError(f"database {named}: {told}")


def read_frame(frame: pa.Table, table: str, wanted: Sequence[str]) -> Read:
    """The wanted columns of a frame that is at hand."""
    header, stored = _named_columns(Path(table), frame.column_names, wanted)
    return Read(_texts(frame.select(stored), 1), [], "frame", header)


def _batches_of(file: pq.ParquetFile, stored: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file as text."""
    first = 1
    for batch in file.iter_batches(columns=stored):
        yield from _texts(pa.Table.from_batches([batch]).select(stored), first).combine_chunks().to_batches()
        first += batch.num_rows


def _texts(table: pa.Table, first: int) -> pa.Table:
    """Columns that have types, as text with row numbers from the first one's."""
    rows = pa.array(range(first, first + table.num_rows), pa.int64())
    texts = {composed(name): text_array(_as_text(table[name])) for name in table.column_names}
    return pa.table({ROW: rows, **texts})


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A typed column as text; dates get a "T", instants with a zone a "Z", floats look like a spreadsheet's."""
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        zoned = pa.types.is_timestamp(kind) and kind.tz
        # Nanoseconds are cut: no stage entry is told apart by them.
        wall = column.cast(pa.timestamp("us", "UTC" if zoned else None), safe=False)
        return pc.strftime(wall, "%Y-%m-%dT%H:%M:%SZ" if zoned else "%Y-%m-%dT%H:%M:%S")
    with suppress(pa.ArrowNotImplementedError, pa.ArrowInvalid):
        if not pa.types.is_floating(kind):
            return column.cast(pa.string())
    return pa.chunked_array([pa.array([cell_text(value) for value in column.to_pylist()], pa.string())])
