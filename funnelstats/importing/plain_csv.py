"""CSV files in which nothing is amiss: DuckDB reads them, in a tenth of the time and without holding them.

Its reader passes over much that Python's tells: a quote that never closes, text behind one that does, a blank line.
So a file is looked through first, and everything that is not plain is left to Python's reader.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from unicodedata import is_normalized

import duckdb

from funnelstats.importing.cells import ROW, EngineRows, matches
from funnelstats.importing.closing import WORD, Needs, is_closing
from funnelstats.importing.sql import Into, cases, columns_of, quoted, text

BLOCK, LONGEST = 2**22, 2**20
"""Bytes that are looked through at a time, and of the longest last row."""
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
    con, table = into
    if len(header) < 2 or not delimiter.isascii() or any(mark in str(path) for mark in GLOB):
        return None
    quotes = _quotes(path, delimiter)
    if quotes is None:
        return None
    places = [header.index(each) for each in needs.headers if each in header] if needs else []
    if needs and places and is_closing(_last_row(path, delimiter, len(header)), header, needs):
        return None
    cells = [f"c{place}" for place in range(len(header))]
    types = ", ".join(f"'{cell}': 'VARCHAR'" for cell in cells)
    quote = "'\"'" if quotes else "''"
    # Lines within quotes can be told from rows only from the beginning on.
    rows = f"""read_csv({text(str(path))}, auto_detect = false, header = false, skip = {lines_above},
        delim = {text(delimiter)}, quote = {quote}, escape = {quote}, columns = {{{types}}}, strict_mode = true,
        null_padding = false, compression = 'none', parallel = {not quotes})"""
    lacks = " OR ".join(f"coalesce({matches(cells[place], MAY_LACK)}, TRUE)" for place in places)
    blank = f"coalesce({', '.join(cells)}) IS NULL"
    odd = [(lacks, matches(f"concat_ws(' ', {', '.join(cells)})", f"(?i){WORD}"))] if lacks else []
    chosen = {each: f"coalesce({cells[header.index(each)]}, '')" for each in wanted}
    odd += [(f"{cells[places[0]]} = {text(header[places[0]])}", "TRUE")] if places else []
    chosen |= {"_odd": cases([(blank, "TRUE"), *odd], "FALSE")}
    try:
        con.execute(f"CREATE TABLE {table} AS SELECT {columns_of(chosen)} FROM {rows}")
    except duckdb.InvalidInputException:
        # Rows of another width, say: Python's reader tells which they are.
        return None
    ((count, is_odd),) = con.execute(f"SELECT count(*), bool_or(_odd) FROM {table}").fetchall()
    if is_odd:
        con.execute(f"DROP TABLE {table}")
        return None
    return EngineRows(
        f"SELECT {', '.join([f'rowid + {first_row} AS {ROW}', *map(quoted, wanted)])} FROM {table}", count
    )


MAY_LACK = rf"(?i)^[^\pL\pN]*$|^[^\pL\pN]*{WORD}"
"""A cell without a letter or digit, or that may be the word of a total."""


def _quotes(path: Path, delimiter: str) -> bool | None:
    """Whether a file has quotes; None where it is not plain.

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
