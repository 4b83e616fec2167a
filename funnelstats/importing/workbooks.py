"""Rows of a workbook's sheet."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.importing.cells import CHUNK, ROW, Read, cell_text, chosen_columns, text_rows, whole_file
from funnelstats.importing.closing import Needs, is_closing, rows_as_they_are, without_closing_lines
from funnelstats.importing.csv_rows import header_of
from funnelstats.importing.kept import SHEET, found_again, keep
from funnelstats.importing.sql import Connection, Into

XLSX_1904 = "XLSX (days since 1904)"
"""The kind of a workbook whose numbers of days are not those of others; its true dates are read as they show."""

FORMULA_WITHOUT_RESULT = (
    rb'<c r="([A-Z]+)(\d+)"(?:(?! t="str")[^>])*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)\s*(?:<v ?/>|<v></v>)?\s*</c>'
)
"""A cell of a sheet's XML; a formula whose result is the empty text has the type of a text."""

SPARSE = 50
"""A large sheet is sparse where it has more places than this for each cell that is filled."""


def visible_sheets(path: Path) -> list[str]:
    """The names of the sheets that the user of a workbook sees. Raises FunnelError where it is not whole."""
    with whole_file(path, "XLSX"):
        return _visible(opened_workbook(path.read_bytes()))


def first_rows(path: Path, sheet: str | None, number: int) -> list[list[str]]:
    """The texts of a sheet's first rows, or of the first sheet that the user sees."""
    data = path.read_bytes()
    book = opened_workbook(data)
    table = book[sheet or _visible(book)[0]]
    return [*islice(_cells(data, table, _xml(book, table)), number)]


def opened_workbook(data: bytes) -> Any:
    """openpyxl's workbook with its sheets and formats, without the texts of cells, which take the time."""
    from openpyxl.reader.excel import ExcelReader  # no page reads a workbook, and each would import this
    from openpyxl.styles.stylesheet import apply_stylesheet

    # From memory, because openpyxl tells a path's kind by its name.
    reader = ExcelReader(io.BytesIO(data), read_only=True)
    reader.read_manifest()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    reader.read_worksheets()
    return reader.wb


def _xml(book: Any, table: Any) -> bytes:
    return bytes(book._archive.read(table._worksheet_path))


def _cells(data: bytes, table: Any, text: bytes) -> Iterator[list[str]]:
    """The texts of a sheet's rows from the first one."""
    if rows := _area(data, table, text):
        return rows[1]
    from openpyxl import load_workbook

    slow = load_workbook(io.BytesIO(data), read_only=True, data_only=True)[table.title]
    # A file may state a smaller size than it has, and the rows beyond it would be lost.
    slow.reset_dimensions()
    return ([*map(cell_text, row)] for row in slow.iter_rows(values_only=True))


def _area(data: bytes, table: Any, text: bytes) -> tuple[int, Iterator[list[str]]] | None:
    """The width of a sheet, and its rows by calamine, which is five times as fast as openpyxl.

    None where calamine refuses a workbook whose parts have unusual names, and of a sparse sheet: it takes memory for
    the whole area up to the last row and column, however few cells of it are filled.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    if _is_sparse(text):
        return None
    try:
        file = io.BytesIO(_errors_as_texts(data, table, text))
        sheet = CalamineWorkbook.from_filelike(file).get_sheet_by_name(table.title)
    except CalamineError:
        return None
    left = [""] * (sheet.start or (0, 0))[1]
    return len(left) + sheet.width, ([*left, *map(cell_text, row)] for row in sheet.iter_rows())


def _errors_as_texts(data: bytes, table: Any, text: bytes) -> bytes:
    """The workbook whose errors in cells (#N/A) are texts: python-calamine 0.9 leaves them blank."""
    if b't="e"' not in text:
        return data
    made = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as archive, ZipFile(made, "w") as other:
        for name in archive.namelist():
            own = name == table._worksheet_path
            other.writestr(name, re.sub(rb'(<c\b[^>]*) t="e"', rb'\1 t="str"', text) if own else archive.read(name))
    return made.getvalue()


def _is_sparse(text: bytes) -> bool:
    """Whether a sheet, by its XML, is a large area of which few cells are filled."""
    from openpyxl.utils import column_index_from_string

    # Patterns that begin with plain letters are found three times as fast.
    columns = re.findall(rb' r="([A-Z]{1,3})', text)
    rows = re.findall(rb'row [^>]*?\br="(\d+)', text)
    width = max((column_index_from_string(name.decode()) for name in {*columns}), default=0)
    return width * max(map(int, rows), default=0) > max(1_000_000, SPARSE * len(columns))


def named_columns(rows: Iterator[list[str]], header_row: Sequence[int]) -> list[str]:
    """The names of the columns up to the last that has one: rows are as wide as the widest."""
    names = header_of(rows, header_row)
    while names and not names[-1]:
        names.pop()
    return names


def _visible(book: Any) -> list[str]:
    """Hidden sheets hold lists for the others, and what the user does not see; they count where all are hidden."""
    names = [table.title for table in book.worksheets if table.sheet_state == "visible"]
    return names or [table.title for table in book.worksheets]


def read_xlsx(
    path: Path,
    wanted: Sequence[str] | None,
    sheet: str | None,
    header_row: Sequence[int],
    needs: Needs | None,
    into: Into | None,
) -> Read:
    """The wanted columns of a sheet, or of the first one that the user sees."""
    data = path.read_bytes()
    if into and (grid := _grid(into[0], path, data, sheet)):
        # What a sheet lacks is told below, with what the others have.
        with suppress(FunnelError):
            return _from_grid(grid, path, wanted, header_row, needs, into)
    book, tables, name = _chosen_sheet(path, data, sheet)
    text = _xml(book, tables[name])
    rows = _cells(data, tables[name], text)
    header = named_columns(rows, header_row)
    try:
        chosen = chosen_columns(path, header, wanted, header_row)
    except FunnelError as error:
        raise FunnelError(
            "\n".join([str(error), *_other_sheets(path, data, book, name, wanted or (), header_row)])
        ) from error
    _refuse_formulas(path, text, header, chosen, header_row[-1])
    del text  # many times as long as the file
    filled = (
        [number, *row[: len(header)], *[""] * (len(header) - len(row))]
        for number, row in enumerate(rows, start=header_row[-1] + 1)
        if any(row)
    )
    broken: list[tuple[int, str, str]] = []
    table = without_closing_lines(filled, header, needs, broken)
    return Read(text_rows(table, header, chosen, into), broken, _kind(book), header)


def _chosen_sheet(path: Path, data: bytes, sheet: str | None) -> tuple[Any, dict[str, Any], str]:
    """The workbook, its sheets that are tables, and the name of the one that is read."""
    book = opened_workbook(data)
    # calamine does not tell that the texts of cells are damaged.
    if book._archive.testzip():
        raise BadZipFile
    tables = {table.title: table for table in book.worksheets}
    if sheet is not None and sheet not in book.sheetnames:
        raise FunnelError(f'{path.name}: no sheet "{sheet}"; {suggestion(sheet, book.sheetnames)}')
    if sheet is not None and sheet not in tables:
        raise FunnelError(f'{path.name}: sheet "{sheet}" is a chart, not a table; {suggestion(sheet, tables)}')
    if not tables:
        raise FunnelError(f"{path.name}: the workbook has no sheet with a table")
    return book, tables, sheet or _visible(book)[0]


def _kind(book: Any) -> str:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    return XLSX_1904 if book.epoch == CALENDAR_MAC_1904 else "XLSX"


class Grid(NamedTuple):
    """A sheet in the engine, which several sources may read: row numbers, and texts by the columns c0, c1, ..."""

    table: str
    kind: str


def _grid(con: Connection, path: Path, data: bytes, sheet: str | None) -> Grid | None:
    """The sheet in the engine, put there where it is read for the first time.

    None of a sheet that calamine does not read, or in which a formula has no result.
    """
    digest = blake2b(data, digest_size=16)
    digest.update((sheet or "").encode())
    table = SHEET + digest.hexdigest()
    if kind := found_again(con, table):
        return Grid(table, kind)
    book, tables, name = _chosen_sheet(path, data, sheet)
    xml = _xml(book, tables[name])
    if (b"<f" in xml and re.search(FORMULA_WITHOUT_RESULT, xml)) or not (area := _area(data, tables[name], xml)):
        return None
    width, rows = area
    cells = [f"c{place}" for place in range(width)]
    text_rows(([number, *row] for number, row in enumerate(rows, start=1) if any(row)), cells, cells, (con, table))
    keep(con, table, _kind(book))
    return Grid(table, _kind(book))


def _from_grid(
    grid: Grid, path: Path, wanted: Sequence[str] | None, header_row: Sequence[int], needs: Needs | None, into: Into
) -> Read:
    # A connection of its own, whose rows are read while others are put into the engine.
    reader = into[0].cursor()
    above = f"SELECT * FROM {grid.table} WHERE {ROW} <= {header_row[-1]}"
    top = {number: cells for number, *cells in reader.execute(above).fetchall()}
    header = named_columns((top.get(number, []) for number in range(1, header_row[-1] + 1)), header_row)
    chosen = chosen_columns(path, header, wanted, header_row)
    rows = f"(FROM {grid.table} WHERE {ROW} > {header_row[-1]})"
    last = reader.execute(f"FROM {rows} ORDER BY {ROW} DESC LIMIT 1").fetchall()
    may_close = last and needs and is_closing(last[0][1 : len(header) + 1], header, needs)
    if len(header) > 1 and not may_close and (found := rows_as_they_are(into, rows, header, chosen, needs)):
        return Read(found, [], grid.kind, header)
    reader.execute(f"FROM {rows} ORDER BY {ROW}")
    filled = ([*row[: len(header) + 1]] for chunk in iter(lambda: reader.fetchmany(CHUNK), []) for row in chunk)
    broken: list[tuple[int, str, str]] = []
    table = without_closing_lines(filled, header, needs, broken)
    return Read(text_rows(table, header, chosen, into), broken, grid.kind, header)


def _other_sheets(
    path: Path, data: bytes, book: Any, read: str, wanted: Sequence[str], header_row: Sequence[int]
) -> list[str]:
    """That a sheet lacks what another one of the workbook has, and which one that is."""
    having = [
        table.title
        for table in book.worksheets
        if wanted and table.title != read
        if set(wanted) <= {*named_columns(_cells(data, table, _xml(book, table)), header_row)}
    ]
    if not having:
        return []
    lines = " or ".join(f'sheet = "{name}"' for name in having)
    return [f'{path.name}: the sheet "{read}" was read; all these columns stand in another one: state {lines}']


def _refuse_formulas(path: Path, text: bytes, header: Sequence[str], chosen: Sequence[str], header_row: int) -> None:
    """Stop where wanted cells hold formulas whose results nobody has computed: a program wrote them and no Excel."""
    from openpyxl.utils import get_column_letter

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
