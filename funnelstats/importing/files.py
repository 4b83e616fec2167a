"""Files as they come from a CRM, read into columns of text.

The kind of a file is told by its content, never by its name. Every cell becomes text, so that ids keep
their digits; dates that a file stores as dates become ISO text with a "T". Row numbers are those a
spreadsheet shows: the header is row 1 (JSON lines and Parquet, which have no header row, start at 1).
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from funnelstats.config.errors import FunnelError
from funnelstats.importing.cells import Read, chosen_columns, composed, text_columns
from funnelstats.importing.typed_files import read_parquet, read_xlsx

DELIMITERS = ",;\t|"


def read_file(
    path: Path,
    wanted: Sequence[str] | None = None,
    *,
    encoding: str | None = None,
    sheet: str | None = None,
    header_row: int = 1,
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
        return read_parquet(path, wanted)
    if start.startswith(b"PK\x03\x04"):
        return read_xlsx(path, wanted, sheet, header_row)
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
        return _read_json_lines(file, path, wanted) if first == "{" else _read_csv(file, path, wanted, header_row)


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


def _read_csv(file: TextIO, path: Path, wanted: Sequence[str] | None, header_row: int) -> Read:
    # Spreadsheets read such a first line as the delimiter, and do not count or show it.
    told = re.fullmatch(r'\ufeff?"?sep=(.)"?\r?\n?', file.readline())
    skipped = 1 if told else 0
    delimiter = told[1] if told else max(DELIMITERS, key=lambda mark: _header_fit(file, mark, header_row, wanted or ()))
    reader = _reader(file, delimiter, skipped)
    broken: list[tuple[int, str, str]] = []
    try:
        header = [composed(name.lstrip("\ufeff").strip()) for name in _header(reader, header_row)]
        chosen = chosen_columns(path, header, wanted, header_row)
        columns = text_columns(_whole_rows(reader, header, header_row, delimiter, broken), header, chosen)
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


def _header(rows: Iterable[list[str]], header_row: int) -> list[str]:
    return next(islice(rows, header_row - 1, None), [])


def _header_fit(file: TextIO, delimiter: str, header_row: int, wanted: Sequence[str]) -> tuple[int, int]:
    """How many wanted names, and how many fields, the header has with this delimiter."""
    try:
        fields = {composed(name.strip("\ufeff\r\n ")) for name in _header(_reader(file, delimiter, 0), header_row)}
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
    for number, fields in enumerate(reader, start=header_row + 1):
        if len(fields) == len(header):
            yield [number, *fields]
        elif any(fields):
            reason = f"has {len(fields)} fields where the header has {len(header)}"
            broken.append((number, delimiter.join(fields), reason))


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
        records.append((number, _flat(record)))
    if broken and not records:
        row, line, reason = broken[0]
        raise FunnelError(
            f'{path.name}: JSON, but not one object per line (JSON lines): line {row} is "{line[:40]}", which {reason}'
        )
    header = list(dict.fromkeys(name for _, record in records for name in record))
    chosen = chosen_columns(path, header, wanted)
    rows = ([number, *(_json_text(record.get(name)) for name in chosen)] for number, record in records)
    columns = text_columns(rows, chosen, chosen)
    return Read(columns, broken, "JSON lines", header)


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
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
