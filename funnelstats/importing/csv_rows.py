"""Rows of text files whose fields stand between delimiters, and headers of one row or several."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from funnelstats.config.errors import FunnelError
from funnelstats.importing.cells import Read, cell_text, chosen_columns, composed, text_columns, text_rows
from funnelstats.importing.closing import Needs, without_closing_lines
from funnelstats.importing.facts import reason
from funnelstats.importing.plain_csv import read_plain_csv
from funnelstats.importing.sql import Into

DELIMITERS = ",;\t|"

FEW_SHORT = 0.01
"""Share of the rows that may be short by a slip; of more it is how the file is written."""


def read_csv(
    file: TextIO,
    path: Path,
    wanted: Sequence[str] | None,
    header_row: Sequence[int],
    needs: Needs | None,
    into: Into | None = None,
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
        if into and file.encoding == "utf-8-sig" and reader.line_num == header_row[-1]:
            lines_above = skipped + header_row[-1]
            found = read_plain_csv(into, path, delimiter, lines_above, header_row[-1] + 1, header, chosen, needs)
            if found:
                return Read(text_columns([], header, chosen), broken, kind, header, found)
        rows = _Rows(header, delimiter, broken)
        table = without_closing_lines(rows.padded(reader, header_row[-1]), header, needs, broken)
        columns, in_engine = text_rows(rows.without_torn(table), header, chosen, into)
    except csv.Error as error:
        row, line = _row_at_fault(_reader(file, delimiter, skipped))
        raise FunnelError(
            f"{path.name}: row {row}, which begins in line {line + skipped}: {error} in line "
            f"{reader.line_num + skipped}; a quote that opens must close, and one within a text stand twice"
        ) from error
    return Read(columns, broken, kind, header, in_engine)


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
    width = max(len(above), len(names))
    found, group = [], ""
    for upper, lower in zip([*above, *[""] * width][:width], [*names, *[""] * width][:width], strict=True):
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
