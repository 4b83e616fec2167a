"""Rows of text files whose fields stand between delimiters, and headers of one row or several.

DuckDB reads a CSV in which nothing is amiss, in a tenth of the time and without holding it. Its reader passes over much
that Python's tells: a quote that never closes, text behind one that does, a blank line. So a file is looked through
first, and everything that is not plain is left to Python's reader.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from unicodedata import is_normalized

import duckdb

from funnelstats.config.errors import FunnelError
from funnelstats.importing.cells import EngineRows, Read, cell_text, chosen_columns, composed, text_rows
from funnelstats.importing.closing import Needs, is_closing, rows_as_they_are, without_closing_lines
from funnelstats.importing.facts import reason
from funnelstats.importing.sql import Into, text

DELIMITERS = ",;\t|"

FEW_SHORT = 0.01
"""Share of the rows that may be short by a slip; of more it is how the file is written."""


def read_csv(
    file: TextIO,
    path: Path,
    wanted: Sequence[str] | None,
    header_row: Sequence[int],
    needs: Needs | None,
    into: Into | None,
) -> Read:
    """The rows of a CSV file, in the engine where a table there is named; it reads itself what is plain UTF-8."""
    # Spreadsheets read such a first line as the delimiter, and do not count or show it.
    stated = re.fullmatch(r'\ufeff?"?sep=(.)"?\r?\n?', file.readline())
    skipped = 1 if stated else 0
    delimiter = (
        stated[1] if stated else max(DELIMITERS, key=lambda mark: _header_fit(file, mark, header_row, wanted or ()))
    )
    reader = _reader(file, delimiter, skipped)
    broken: list[tuple[int, str, str]] = []
    try:
        header = header_of(reader, header_row)
        chosen = chosen_columns(path, header, wanted, header_row)
        kind = f"CSV ({'tab' if delimiter == chr(9) else delimiter})"
        # Beneath such a line in quotes DuckDB finds no row where a mark of bytes stands before it.
        in_quotes = bool(stated and '"' in stated[0])
        if into and file.encoding == "utf-8-sig" and reader.line_num == header_row[-1] and not in_quotes:
            lines_above = skipped + header_row[-1]
            found = read_plain_csv(into, path, delimiter, lines_above, header_row[-1] + 1, header, chosen, needs)
            if found:
                return Read(found, broken, kind, header)
        rows = _Rows(header, delimiter, broken)
        table = without_closing_lines(rows.padded(reader, header_row[-1]), header, needs, broken)
        return Read(text_rows(rows.without_torn(table), header, chosen, into), broken, kind, header)
    except csv.Error as error:
        row, line = _row_at_fault(_reader(file, delimiter, skipped))
        raise FunnelError(
            f"{path.name}: row {row}, which begins in line {line + skipped}: {error} in line "
            f"{reader.line_num + skipped}; a quote that opens must close, and one within a text stand twice"
        ) from error


def _reader(file: TextIO, delimiter: str, skipped: int) -> Any:
    """The file's rows from the start, but for lines skipped."""
    file.seek(0)
    for _ in range(skipped):
        file.readline()
    return csv.reader(file, delimiter=delimiter, strict=True)


def header_of(rows: Iterable[Sequence[Any]], header_row: Sequence[int]) -> list[str]:
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
    found, group = [], ""
    for upper, lower in zip_longest(above, names, fillvalue=""):
        group = "" if not lower else upper or group
        found.append(" / ".join(part for part in (group if lower else upper, lower) if part))
    return found


def _header_fit(file: TextIO, delimiter: str, header_row: Sequence[int], wanted: Sequence[str]) -> tuple[int, int]:
    """How many wanted names, and how many fields, the header has with this delimiter."""
    try:
        fields = {*header_of(_reader(file, delimiter, 0), header_row)}
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


class _Rows:
    """The rows of a CSV file: blank fields at the end of a row may be left out, or be too many.

    Who leaves them out writes none: beside a whole row that ends in a blank cell, a short one is torn. So is a row of
    less than half of the fields, where few rows are short.
    """

    def __init__(self, header: Sequence[str], delimiter: str, broken: list[tuple[int, str, str]]) -> None:
        self.width, self.delimiter, self.broken = len(header), delimiter, broken
        self.count, self.ends_blank = 0, False
        self.short: dict[int, list[str]] = {}

    def padded(self, reader: Iterable[list[str]], header_row: int) -> Iterator[list[Any]]:
        """All rows, each beginning with its number, with as many fields as the header."""
        width, number = self.width, header_row
        for number, fields in enumerate(reader, start=header_row + 1):
            if len(fields) == width:
                if fields[-1:] == [""]:
                    self.ends_blank = True
                yield [number, *fields]
            elif any(map(str.strip, fields[self.width :])):
                self._break(number, fields)
            elif any(fields):
                if len(fields) < self.width:
                    self.short[number] = fields
                yield [number, *fields[: self.width], *[""] * (self.width - len(fields))]
        self.count = number - header_row

    def without_torn(self, rows: Iterable[list[Any]]) -> Iterator[list[Any]]:
        """The rows but for those that are torn."""
        held, short = [], self.short
        for row in rows:
            if short and row[0] in short:
                held.append(row)
            else:
                yield row
        few = len(held) < FEW_SHORT * self.count
        for row in held:
            fields = self.short[row[0]]
            if self.ends_blank or (few and 2 * len(fields) < self.width):
                self._break(row[0], fields)
            else:
                yield row

    def _break(self, number: int, fields: list[str]) -> None:
        self.broken.append((number, self.delimiter.join(fields), reason("fields", len(fields), self.width)))


BLOCK, LONGEST = 2**22, 2**20
"""Bytes that are looked through at a time, and of the longest last row."""
WIDEST = 1000
"""Columns of a row for whose blocks the engine's memory suffices."""
GLOB = "*?["
"""Marks in the name of a file that DuckDB takes for a pattern."""


def read_plain_csv(
    into: Into,
    path: Path,
    delimiter: str,
    lines_above: int,
    first_row: int,
    header: Sequence[str],
    wanted: Sequence[str],
    needs: Needs | None,
) -> EngineRows | None:
    """The rows, put into a table of the engine; None where Python must read the file.

    ``lines_above`` stand before the first row, whose number is ``first_row``.
    """
    if not 2 <= len(header) <= WIDEST or not delimiter.isascii() or any(mark in str(path) for mark in GLOB):
        return None
    now = path.stat()
    quotes = _quotes(path, delimiter, (now.st_size, now.st_mtime_ns))
    if quotes is None:
        return None
    if needs and is_closing(_last_row(path, delimiter, len(header)), header, needs):
        return None
    types = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    quote = "'\"'" if quotes else "''"
    # Lines within quotes can be told from rows only from the beginning on.
    rows = f"""read_csv({text(str(path))}, auto_detect = false, header = false, skip = {lines_above},
        delim = {text(delimiter)}, quote = {quote}, escape = {quote}, columns = {{{types}}}, strict_mode = true,
        null_padding = false, compression = 'none', parallel = {not quotes})"""
    try:
        return rows_as_they_are(into, rows, header, wanted, needs, first_row)
    except duckdb.InvalidInputException:
        # Rows of another width, say: Python's reader tells which they are.
        return None


@lru_cache
def _quotes(path: Path, delimiter: str, _state: tuple[int, int]) -> bool | None:
    """Whether a file has quotes; None where it is not plain. Looked through once, however many sources read it.

    A plain file ends all its lines alike, has no blank line, letters and accents in one, and quotes around whole
    fields alone. Raises UnicodeDecodeError.
    """
    between, quotes, end = re.escape(delimiter), False, b""
    whole = rf'(?:(?:"[^"]*+(?:""[^"]*+)*+"|[^"{between}\r\n]*+)(?:{between}|\r?\n|\Z))*+'.encode()
    with path.open("rb") as file:
        while block := file.read(BLOCK) + file.readline():
            if block.count(b'"') % 2:
                block += _to_the_closing_quote(file)
            end = end or (b"\r\n" if b"\r\n" in block else b"\n")
            lines = block.count(b"\n")
            alike = block.count(b"\r") == block.count(b"\r\n") == (lines if end == b"\r\n" else 0)
            if not alike or b"\0" in block or end * 2 in block or block.startswith(end):
                return None
            if not is_normalized("NFC", block.decode()):
                return None
            quotes |= b'"' in block
            if b'"' in block and not re.fullmatch(whole, block.removeprefix(b"\xef\xbb\xbf")):
                return None
    return quotes


def _to_the_closing_quote(file: BinaryIO) -> bytes:
    """The lines up to the one in which a quote closes, or so many that no field is as long."""
    lines, length = [], 0
    while length < LONGEST and (line := file.readline()):
        lines.append(line)
        length += len(line)
        if line.count(b'"') % 2:
            break
    return b"".join(lines)


def _last_row(path: Path, delimiter: str, width: int) -> list[str]:
    """The fields of the last row of a plain file; of one that is too long all are blank."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LONGEST))
        tail = file.read().rstrip(b"\r\n")
    begins = len(tail)
    while (begins := tail.rfind(b"\n", 0, begins)) >= 0:
        if tail.count(b'"', begins) % 2 == 0:
            lines = tail[begins + 1 :].decode().splitlines(keepends=True)
            fields = next(csv.reader(lines, delimiter=delimiter))
            return [*fields, *[""] * width][:width]
    return [""] * width
