"""Files as they come from a CRM, and tables of databases, read into columns of text.

The kind of a file is told by its content, never by its name. Every cell becomes text, so that ids keep
their digits; dates that a file stores as dates become ISO text with a "T". Row numbers are those a
spreadsheet shows: the header is row 1 (JSON lines and Parquet, which have no header row, start at 1).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, NamedTuple, TextIO
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile
from zlib import error as BrokenStream

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.config.funnel import Source
from funnelstats.importing.cells import ROW, Read, cell_text, chosen_columns, composed, text_array, text_columns
from funnelstats.importing.closing import Needs, without_closing_lines
from funnelstats.importing.facts import reason, reason_in_file

DELIMITERS = ",;\t|"
FORMULA_WITHOUT_RESULT = (
    rb'<c r="([A-Z]+)(\d+)"(?:(?! t="str")[^>])*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)\s*(?:<v ?/>|<v></v>)?\s*</c>'
)
"""A cell of a sheet's XML; a formula whose result is the empty text has the type of a text."""


class SourceFile(NamedTuple):
    """A file that was read, or a table of a database, and its name in the account."""

    path: Path
    name: str
    read: Read

    @property
    def header(self) -> list[str]:
        return self.read.header

    @property
    def kind(self) -> str:
        return self.read.kind

    @property
    def rows(self) -> int:
        return self.read.columns.num_rows + len(self.read.broken)


def read_file(
    path: Path,
    wanted: Sequence[str] | None = None,
    *,
    encoding: str | None = None,
    sheet: str | None = None,
    header_row: Sequence[int] = (1,),
    way: str = "",
    needs: Needs | None = None,
) -> Read:
    """The wanted columns (all where none is named) of a CSV, XLSX, Parquet, JSON or XES file, packed or not.

    ``way`` leads to a list within each JSON object of which each element is a row. ``broken`` lists row number, the
    row's text and the reason; the closing lines of a table are there where ``needs`` tells them from rows. Raises
    FunnelError where the file is none of these, is not in the stated encoding, or lacks a wanted column.
    """
    with unpacked(path) as plain:
        return _read_plain(plain, wanted, encoding, sheet, header_row, way, needs)


def _read_plain(
    path: Path,
    wanted: Sequence[str] | None,
    encoding: str | None,
    sheet: str | None,
    header_row: Sequence[int],
    way: str,
    needs: Needs | None,
) -> Read:
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.strip(b" \t\r\n\xef\xbb\xbf"):
        raise FunnelError(f"{path.name}: the file is empty; a table with a header row is needed")
    if start.startswith(b"PAR1"):
        return _read_parquet(path, wanted)
    if start.startswith(ZIP):
        return _read_xlsx(path, wanted, sheet, header_row, needs)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise FunnelError(f"{path.name}: an old Excel file (.xls); save it as .xlsx or CSV")
    if start.startswith(b"%PDF"):
        raise FunnelError(f"{path.name}: a PDF; export it as CSV or XLSX")
    if re.search(rb"<(\w+:)?log[\s>]", start) and start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return _read_xes(path, wanted)
    encoding = _encoding_of(start, encoding)
    if b"\0" in start and not encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        raise FunnelError(f'{path.name}: not text in {_encoding_name(encoding)}; if it is, try encoding = "utf-16-le"')
    with _text(path, encoding) as file:
        first = file.read(4096).lstrip("\ufeff \r\n\t")[:1]
        file.seek(0)
        if first == "<":
            raise FunnelError(f"{path.name}: HTML or XML, not a table; export it as CSV or XLSX")
        if first and first in "[{":
            return _read_json(file, path, wanted, way)
        return _read_csv(file, path, wanted, header_row, needs)


def read_source_file(path: Path, source: Source, wanted: Sequence[str], needs: Needs | None = None) -> Read:
    """The wanted columns of a file, as its source states how to read it."""
    read = read_file(
        path,
        wanted,
        encoding=source.encoding,
        sheet=source.sheet,
        header_row=source.header_row,
        way=source.rows,
        needs=needs,
    )
    return read._replace(columns=_filled_down(read.columns, [name for name in source.fill_down if name in wanted]))


def _filled_down(columns: pa.Table, names: Sequence[str]) -> pa.Table:
    """The columns, of which some take the value above where they are blank."""
    for name in names:
        text = columns[name]
        filled = pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), pa.scalar(None, pa.string()), text)
        columns = columns.set_column(
            columns.column_names.index(name), name, pc.fill_null(pc.fill_null_forward(filled), "")
        )
    return columns


ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
UNPACKED = 2 * 2**30
"""Bytes that a packed file may have when it is unpacked; a few kilobytes can be packed so that they fill a disk."""
PACKED_TWICE = 2


@contextmanager
def unpacked(path: Path, depth: int = 0) -> Iterator[Path]:
    """The file itself, or the one that it packs (.gz, or a .zip of one file), under the same name for as long."""
    with path.open("rb") as file:
        start = file.read(4)
    packed = start.startswith(GZIP) or (start == ZIP and not _is_workbook(path))
    if not packed:
        yield path
        return
    if depth == PACKED_TWICE:
        raise FunnelError(f"{path.name}: packed more than twice; unpack it")
    with TemporaryDirectory(prefix="funnelstats-") as room:
        target = Path(room, path.name)
        try:
            with gzip.open(path) if start.startswith(GZIP) else _only_member(path) as inner, target.open("wb") as out:
                _copy(inner, out, path)
        except (OSError, EOFError, BrokenStream, BadZipFile, NotImplementedError) as error:
            raise FunnelError(f"{path.name}: a packed file that is not whole; export or pack it again") from error
        with unpacked(target, depth + 1) as plain:
            yield plain


def _copy(inner: Any, out: IO[bytes], path: Path) -> None:
    copied = 0
    while chunk := inner.read(2**20):
        copied += len(chunk)
        if copied > UNPACKED:
            raise FunnelError(f"{path.name}: has more than {UNPACKED / 2**30:g} GB when unpacked; unpack and split it")
        out.write(chunk)


def _is_workbook(path: Path) -> bool:
    """Whether a zip archive is an XLSX, or broken, which is told where workbooks are read."""
    try:
        with ZipFile(path) as archive:
            return any(name.startswith(("[Content_Types]", "xl/")) for name in archive.namelist())
    except BadZipFile:
        return True


@contextmanager
def _only_member(path: Path) -> Iterator[IO[bytes]]:
    """The one file of an archive, beside what a Mac adds to each."""
    with ZipFile(path) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not re.search(r"(^|/)(__MACOSX/|\.)", member.filename)
        ]
        if len(members) != 1:
            names = ", ".join(member.filename for member in members) or "none"
            raise FunnelError(f"{path.name}: must pack one file, got {names}; unpack it, and name the files")
        if members[0].flag_bits & 1:
            raise FunnelError(f"{path.name}: locked by a password; unpack it")
        with archive.open(members[0]) as inner:
            yield inner


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
            f'{path.name}: not {_encoding_name(encoding)}; state its encoding, for example encoding = "cp1251"'
        ) from error


def _encoding_name(encoding: str) -> str:
    return "UTF-8" if encoding == "utf-8-sig" else encoding


def _read_csv(
    file: TextIO, path: Path, wanted: Sequence[str] | None, header_row: Sequence[int], needs: Needs | None
) -> Read:
    # Spreadsheets read such a first line as the delimiter, and do not count or show it.
    stated = re.fullmatch(r'\ufeff?"?sep=(.)"?\r?\n?', file.readline())
    skipped = 1 if stated else 0
    delimiter = (
        stated[1] if stated else max(DELIMITERS, key=lambda mark: _header_fit(file, mark, header_row, wanted or ()))
    )
    reader = _reader(file, delimiter, skipped)
    broken: list[tuple[int, str, str]] = []
    try:
        header = _header(reader, header_row)
        chosen = chosen_columns(path, header, wanted, header_row)
        rows = _whole_rows(reader, header, header_row[-1], delimiter, broken)
        columns = text_columns(without_closing_lines(rows, header, needs, broken), header, chosen)
    except csv.Error as error:
        row, line = _row_at_fault(_reader(file, delimiter, skipped))
        raise FunnelError(
            f"{path.name}: row {row}, which begins in line {line + skipped}: {error} in line "
            f"{reader.line_num + skipped}; a quote that opens must close, and one within a text stand twice"
        ) from error
    return Read(columns, broken, f"CSV ({'tab' if delimiter == chr(9) else delimiter})", header)


def _reader(file: TextIO, delimiter: str, skipped: int) -> Any:
    """The file's rows from the start, but for lines skipped."""
    file.seek(0)
    for _ in range(skipped):
        file.readline()
    return csv.reader(file, delimiter=delimiter, strict=True)


def _header(rows: Iterable[Sequence[Any]], header_row: Sequence[int]) -> list[str]:
    """The names of the columns, of one row or of several, whose names are one: "Met / Date".

    A name that stands above several columns is that of all of them: it is filled to the right above what has a name
    of its own.
    """
    above: list[str] = []
    before = 0
    for number in header_row:
        cells = next(islice(rows, number - before - 1, None), ())
        names = [composed(cell_text(cell).lstrip("\ufeff").strip()) for cell in cells]
        above = _beneath(above, names) if above else names
        before = number
    return above


def _beneath(above: list[str], names: list[str]) -> list[str]:
    width = max(len(above), len(names))
    found, group = [], ""
    for upper, lower in zip([*above, *[""] * width][:width], [*names, *[""] * width][:width], strict=True):
        group = "" if not lower else upper or group
        found.append(" / ".join(part for part in (group if lower else upper, lower) if part))
    return found


def _header_fit(file: TextIO, delimiter: str, header_row: Sequence[int], wanted: Sequence[str]) -> tuple[int, int]:
    """How many wanted names, and how many fields, the header has with this delimiter."""
    try:
        fields = {*_header(_reader(file, delimiter, 0), header_row)}
    except csv.Error:
        return 0, 0
    return len(fields & set(wanted)), len(fields)


def _row_at_fault(reader: Any) -> tuple[int, int]:
    """The number of the row that cannot be read, and of the line it begins in."""
    row, line = 1, 1
    with suppress(csv.Error):
        for row, _ in enumerate(reader, start=2):  # noqa: B007
            line = reader.line_num + 1
    return row, line


def _whole_rows(
    reader: Iterable[list[str]],
    header: Sequence[str],
    header_row: int,
    delimiter: str,
    broken: list[tuple[int, str, str]],
) -> Iterator[list[Any]]:
    """The rows with as many fields as the header: blank ones at the end may be left out, or be too many."""
    width = len(header)
    for number, fields in enumerate(reader, start=header_row + 1):
        if len(fields) == width:
            yield [number, *fields]
        elif any(fields):
            if any(map(str.strip, fields[width:])):
                broken.append((number, delimiter.join(fields), reason("fields", len(fields), width)))
            else:
                yield [number, *fields[:width], *[""] * (width - len(fields))]


def _read_json(file: TextIO, path: Path, wanted: Sequence[str] | None, way: str) -> Read:
    """JSON lines, a list of objects, or one object that holds one list of them."""
    broken: list[tuple[int, str, str]] = []
    whole = _json_whole(file, path)
    if whole is None:
        file.seek(0)
        records = list(_json_lines(file, broken))
    else:
        records = list(_objects(_rows_within(whole, path, wanted, way), broken))
    if broken and not records:
        row, line, why = broken[0]
        raise FunnelError(
            f'{path.name}: JSON, but not one object per line (JSON lines): line {row} is "{line[:40]}", '
            f"which {reason_in_file(why)}"
        )
    if way:
        elements = [element for _number, record in records for element in _unfolded(record, way)]
        if not elements:
            raise FunnelError(f'{path.name}: rows: no list "{way}"; {suggestion(way, _lists(records))}')
        records = list(enumerate(elements, start=1))
    flat = [(number, _flat(record)) for number, record in records]
    header = list(dict.fromkeys(name for _, record in flat for name in record))
    chosen = chosen_columns(path, header, wanted)
    rows = ([number, *(_json_text(record.get(name)) for name in chosen)] for number, record in flat)
    return Read(text_columns(rows, chosen, chosen), broken, "JSON lines" if whole is None else "JSON", header)


def _json_whole(file: TextIO, path: Path) -> Any:
    """What the file holds where it is one value of JSON; None where each line is one."""
    first = next((line for line in file if line.strip(" \t\r\n\ufeff")), "")
    file_begins_list = first.lstrip("\ufeff \t").startswith("[")
    if not file_begins_list and _is_json(first) and any(line.strip() for line in file):
        return None
    file.seek(0)
    try:
        return json.loads(file.read().lstrip("\ufeff"), parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        if file_begins_list:
            raise FunnelError(
                f"{path.name}: a JSON list that is not whole: {error.msg} in line {error.lineno}; export it again"
            ) from error
        return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError:
        return False
    return True


def _json_lines(file: TextIO, broken: list[tuple[int, str, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.lstrip("\ufeff"), parse_int=str, parse_float=str)
        except json.JSONDecodeError as error:
            broken.append((number, line.strip(), reason("json", error.msg)))
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            broken.append((number, line.strip(), reason("json_object")))


def _objects(values: list[Any], broken: list[tuple[int, str, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            yield number, value
        else:
            broken.append((number, _json_text(value), reason("json_object")))


def _rows_within(whole: Any, path: Path, wanted: Sequence[str] | None, way: str) -> list[Any]:
    """The rows of a list, or of the one list of objects that an object holds; an object that is a row itself."""
    if isinstance(whole, list):
        return whole
    lists = _lists_within(whole)
    if not lists or way.partition(".")[0] in whole or (wanted and {*wanted} <= _flat(whole).keys()):
        return [whole]
    if len(lists) > 1:
        named = " or ".join(f'rows = "{name}"' for name in lists)
        raise FunnelError(f"{path.name}: one object with several lists of objects; state which are the rows: {named}")
    return next(iter(lists.values()))


def _lists_within(record: dict[str, Any]) -> dict[str, list[Any]]:
    """The lists of objects within a record, by the way to each."""
    return {
        name: value
        for name, value in _flat(record).items()
        if isinstance(value, list) and any(isinstance(one, dict) for one in value)
    }


def _lists(records: list[tuple[int, dict[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(name for _number, record in records for name in _lists_within(record)))


def _unfolded(record: dict[str, Any], way: str) -> Iterator[dict[str, Any]]:
    """The record once for each element of the list at this way, in place of the list."""
    name, _point, rest = way.partition(".")
    value = record.get(name)
    for one in value if isinstance(value, list) else [value] if rest and value is not None else []:
        if not rest:
            yield {**record, name: one}
        elif isinstance(one, dict):
            yield from ({**record, name: inner} for inner in _unfolded(one, rest))


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """The record with what lies in objects named by the way to it: "user.name"."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {composed(f"{name}.{inner}"): held for inner, held in _flat(value).items()}
        else:
            flat[composed(name)] = value
    return flat


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return "; ".join(map(_json_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_xes(path: Path, wanted: Sequence[str] | None) -> Read:
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
    return Read(text_columns(rows, chosen, chosen), [], "XES", header)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _xes_attributes(element: ElementTree.Element) -> dict[str, str]:
    return {composed(held.attrib["key"]): held.attrib.get("value", "") for held in element if "key" in held.attrib}


def _read_xlsx(
    path: Path,
    wanted: Sequence[str] | None,
    sheet: str | None,
    header_row: Sequence[int] = (1,),
    needs: Needs | None = None,
) -> Read:
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
    rows = table.iter_rows(values_only=True)
    header = _header(rows, header_row)
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
    columns = text_columns(without_closing_lines(filled, header, needs, broken), header, chosen)
    book.close()
    _refuse_formulas(path, table._worksheet_path, header, chosen, header_row[-1])
    return Read(columns, broken, "XLSX", header)


def _other_sheets(
    path: Path, tables: dict[str, Any], read: str, wanted: Sequence[str], header_row: Sequence[int]
) -> list[str]:
    """That a sheet lacks what another one of the workbook has, and which one that is."""
    having = []
    for name, table in tables.items():
        if name != read:
            table.reset_dimensions()
            header = _header(table.iter_rows(values_only=True), header_row)
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


def _read_parquet(path: Path, wanted: Sequence[str] | None) -> Read:
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
    with suppress(pa.ArrowNotImplementedError, pa.ArrowInvalid):
        if not pa.types.is_floating(kind):
            return column.cast(pa.string())
    return pa.chunked_array([pa.array([cell_text(value) for value in column.to_pylist()], pa.string())])
