"""Files as they come from a CRM, read into columns of text.

The kind of a file is told by its content, never by its name. Every cell becomes text, so that ids keep
their digits; dates that a file stores as dates become ISO text with a "T". Row numbers are those a
spreadsheet shows: the header is row 1 (JSON lines and Parquet, which have no header row, start at 1).
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from funnelstats.reading.columns import Read, chosen_columns, text_columns
from funnelstats.reading.stored import read_parquet, read_xlsx
from funnelstats.stated.errors import FunnelError

DELIMITERS = ",;\t|"


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
        return read_parquet(path, wanted)
    if start.startswith(b"PK\x03\x04"):
        return read_xlsx(path, wanted, sheet)
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


def _read_csv(file: TextIO, path: Path, wanted: Sequence[str] | None) -> Read:
    first = file.readline()
    delimiter = max(DELIMITERS, key=lambda mark: _header_fit(first, mark, wanted or ()))
    file.seek(0)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    broken: list[tuple[int, str, str]] = []
    try:
        header = [name.lstrip("\ufeff").strip() for name in next(reader)]
        columns = text_columns(
            _whole_rows(reader, header, delimiter, broken), header, chosen_columns(path, header, wanted)
        )
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
    chosen = chosen_columns(path, header, wanted)
    rows = ([number, *(_json_text(record.get(name)) for name in chosen)] for number, record in records)
    columns = text_columns(rows, chosen, chosen)
    return Read(columns, broken, "JSON lines", header)


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
