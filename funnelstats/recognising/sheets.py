"""What stands in a file that nobody has described: its tables, and what each column holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from funnelstats.config.errors import FunnelError, visible
from funnelstats.importing.cell_facts import looks_grouped
from funnelstats.importing.cells import BLANKS, DAYS_TO_1970, ISO, ROW
from funnelstats.importing.closing import MOST_LINES, OF_A_GROUP, TOTAL
from funnelstats.importing.files import read_file
from funnelstats.importing.packed import ZIP, unpacked
from funnelstats.importing.sql import Connection
from funnelstats.importing.workbooks import first_rows, named_columns, visible_sheets
from funnelstats.recognising.dates import NEARLY_ALL, OF_DATES, plain_dates, shape_of
from funnelstats.recognising.encodings import HEADER_ROWS, encoding_of
from funnelstats.recognising.fields import MOST_STATUSES, Field, Kind, fields_of, is_list
from funnelstats.recognising.words import fit, role_fit, words

NARROW = 3
"""So few names at the top may be a title's, such as "Period:" beside its dates."""
DAY_OF_NO_YEAR = r"(?:0[1-9]|[12]\d|3[01])[./](?:0[1-9]|1[0-2])\.?"

SUBITEMS = ("subitems", "subelemente", "subelementos", "sous-éléments", "подэлементы")

MOST_OVER = 0.6
"""Share of the rows in which a date that all have is followed by another one, if it is none of what is to come."""


class Reading(NamedTuple):
    """Files, or sheets of one, and what a source has to state so that they are read: encoding, sheet, header_row."""

    files: tuple[str, ...]
    lines: dict[str, Any]


class Sheet(NamedTuple):
    """A table of a file, or of several with the same header: how to read it, its cells as text, its columns."""

    readings: tuple[Reading, ...]
    kind: str
    cells: pd.DataFrame
    fields: dict[str, Field]
    sizes: tuple[int, ...] = ()
    """Rows of each file."""
    twice: tuple[str, ...] = ()
    """Names of several columns each, which cannot be told apart."""
    some: tuple[str, ...] = ()
    """Columns that only some of the files have."""

    @property
    def dates(self) -> list[str]:
        return [name for name, field in self.fields.items() if field.kind == "date"]

    @property
    def name(self) -> str:
        sheets = ", ".join(f"“{title}”" for reading in self.readings for title in reading.lines.get("sheet", []))
        return ", ".join(self.all_files) + (f", sheet {sheets}" if sheets else "")

    @property
    def files(self) -> tuple[str, ...]:
        return self.readings[0].files

    @property
    def stem(self) -> str:
        """What the first of its files is called."""
        return Path(self.files[0]).stem

    @property
    def title(self) -> str:
        """What its sheet of a workbook is called; "" where it is none, or several."""
        titles = self.lines.get("sheet", [])
        return str(titles[0]) if len(titles) == 1 else ""

    def is_called(self, what: str) -> bool:
        """Whether its file is called as those that hold contacts, payments, ..., or its sheet exactly so."""
        known = words()["files"][what]
        return fit(self.stem, known) > 0 or fit(self.title, known) >= 2

    @property
    def lines(self) -> dict[str, Any]:
        return self.readings[0].lines

    @property
    def all_files(self) -> list[str]:
        return [*dict.fromkeys(file for reading in self.readings for file in reading.files)]

    @property
    def size(self) -> str:
        return f"{len(self.cells):,} row{'s' if len(self.cells) != 1 else ''}"

    def values(self, name: str) -> list[str]:
        """What a column holds, each once."""
        return self.cells[name].dropna().unique().tolist()

    def of_few_values(self, *kinds: Kind) -> list[str]:
        """The columns of these kinds that hold as few values as a status has."""
        return [name for name, of in self.fields.items() if of.kind in kinds and of.distinct <= MOST_STATUSES]

    def has_date(self, name: str) -> pd.Series:
        """Which rows have a date in a column of dates."""
        return self.cells[name].notna() & ~self.cells[name].isin(self.fields[name].empty)

    def times(self, name: str) -> pd.Series:
        """A column of dates as instants, NaT where they are none; good enough to tell which came first."""
        cells, field = self.cells[name], self.fields[name]
        formats = field.formats[0] if field.formats else ("",)
        cells = cells.mask(cells.isin(field.empty))
        if formats[0] in DAYS_TO_1970:
            days = pd.to_numeric(cells.str.replace(",", "."), errors="coerce")
            return pd.to_datetime(days - DAYS_TO_1970[formats[0]], unit="D", utc=True)
        if formats[0].startswith("epoch"):
            unit: Any = formats[0].removesuffix("_day").removeprefix("epoch_")
            return pd.to_datetime(pd.to_numeric(cells), unit=unit, utc=True, errors="coerce")
        read = pd.Series(pd.NaT, index=cells.index, dtype="datetime64[us, UTC]")
        plain = cells if formats == ("",) else plain_dates(cells)
        for fmt in formats:
            read = read.fillna(pd.to_datetime(plain, format=fmt or "ISO8601", utc=True, errors="coerce"))
        return read

    def has_passed(self, name: str, others: Iterable[str]) -> bool:
        """Whether hardly a date is later than all others, and not all rows have one or most have a later date too."""
        if not (known := [self.times(other) for other in others]):
            return False
        at, later = self.times(name), pd.concat(known, axis=1).max(axis=1)
        over = (at.dropna() <= later.max()).mean() >= NEARLY_ALL
        return bool(over and (at.isna().mean() > 1 - NEARLY_ALL or (at <= later).mean() > MOST_OVER))

    def with_cells(self, cells: pd.DataFrame, names: Iterable[str]) -> Sheet:
        """The table with other cells, where it is looked anew what these columns hold."""
        return self._replace(cells=cells, fields={**self.fields, **fields_of(cells, names, self.kind)})


def chosen_by(cells: pd.DataFrame, only: Mapping[str, Collection[str]]) -> pd.Series:
    """Which rows hold one of these values in each of these columns."""
    chosen = pd.Series(True, index=cells.index)
    for name, values in only.items():
        chosen &= cells[name].isin(values)
    return chosen


def values_within(cells: pd.DataFrame, lead_id: str) -> pd.Series[int]:
    """How many values each column has within a lead at most."""
    return cells.groupby(cells[lead_id].rename("lead")).nunique().max()


def tables_in(path: Path) -> list[Sheet]:
    """The tables of a file. Raises FunnelError where it holds none."""
    with unpacked(path) as plain, plain.open("rb") as file:
        encoding = encoding_of(plain)
        titles = visible_sheets(plain) if file.read(4) == ZIP else []
    # The engine keeps what it has read of a workbook as long as it is open.
    with duckdb.connect() as con:
        found = [_sheet(con, path, encoding, title) for title in (titles if len(titles) > 1 else [None])]
        for sheet in found:  # also those that are added here
            # A list within each object is a table of its own: the history of a deal.
            if sheet.kind.startswith("JSON"):
                lists = [name for name in sheet.fields if is_list(sheet.cells[name])]
                ways = [other.lines.get("rows", "") for other in found]
                found += [_sheet(con, path, encoding, None, way) for way in lists if way not in ways]
    tables = [sheet for sheet in found if len(sheet.cells) and len(sheet.fields) > 1 and not _holds_lists(sheet)]
    if not tables:
        raise FunnelError(f"{path.name}: no table with a header and rows")
    return tables


def _holds_lists(sheet: Sheet) -> bool:
    """Whether a file of JSON is one object around several tables, and no table itself."""
    return len(sheet.cells) == 1 and any(is_list(cells) for _name, cells in sheet.cells.items())


def _sheet(con: Connection, path: Path, encoding: str | None, title: str | None, way: str = "") -> Sheet:
    header_row: tuple[int, ...] = (1,)
    header, kind, _none = _texts(con, path, [], encoding=encoding, sheet=title, way=way)
    if not (_is_header(header) and len(header) > NARROW) and kind.startswith(("CSV", "XLSX")):
        others = [(header_row, header), *_other_headers(con, path, encoding, title, kind)]
        # What a report says of itself above its table is narrower than the table.
        least = max(len(list(filter(None, names))) for rows, names in others if len(rows) == 1) / 2
        wide = (other for other in others if _is_header(other[1]) and len(list(filter(None, other[1]))) >= least)
        header_row, header = next(wide, (header_row, header))
    names = [name for name in dict.fromkeys(header) if name and header.count(name) == 1]
    _header, _kind, texts = _texts(con, path, names, encoding=encoding, sheet=title, header_row=header_row, way=way)
    cells = _rows(texts.apply(lambda column: column.str.strip(BLANKS).replace("", None)))
    without = _subitems(cells)
    for name, beneath in without.items():
        cells = cells[~cells[name].fillna("").isin(beneath)].reset_index(drop=True)
    grouped = [
        name for name in names if role_fit(name, "lead_id", "manager", "stage") >= 1 and _is_grouped(cells[name])
    ]
    cells[grouped] = cells[grouped].ffill()
    stated = {
        "encoding": encoding,
        "sheet": [title] if title else None,
        "rows": way or None,
        "header_row": header_row if header_row != (1,) else None,
        "fill_down": grouped or None,
        "without": without or None,
    }
    lines = {key: value for key, value in stated.items() if value is not None}
    return Sheet(
        (Reading((path.name,), lines),),
        kind,
        cells,
        fields_of(cells, names, kind),
        (len(cells),),
        tuple(name for name in dict.fromkeys(header) if name and name not in names),
    )


def _subitems(cells: pd.DataFrame) -> dict[str, list[str]]:
    """What leaves out the rows beneath a lead's that are of another table, as Monday.com writes its subitems.

    They have a header of their own, which begins with their name, and under that nothing in the first column.
    """
    first = cells.iloc[:, 0]
    heads = first.fillna("").str.casefold().isin(SUBITEMS)
    beneath = heads.where(first.notna()).ffill().eq(True)
    followed = heads.any() and first.shift(-1)[heads].isna().all() and beneath[first.isna()].all()
    # A header holds no numbers.
    numbers = [cells[name][heads].dropna().str.contains(r"\d").any() for name in cells]
    return {str(first.name): ["", *first[heads].unique()]} if followed and not any(numbers) else {}


def _other_headers(
    con: Connection, path: Path, encoding: str | None, title: str | None, kind: str
) -> Iterator[tuple[tuple[int, ...], list[str]]]:
    """What the header would be in the other rows where it may stand; a workbook is opened once for all of them."""
    top: list[list[str]] = []
    if kind.startswith("XLSX"):
        with unpacked(path) as plain:
            top = first_rows(plain, title, HEADER_ROWS)
    # Beneath a title, or in two rows.
    places: list[tuple[int, ...]] = [(2,), (1, 2)]
    places += [rows for row in range(2, HEADER_ROWS) for rows in ((row, row + 1), (row + 1,))]
    for rows in places:
        if kind.startswith("XLSX"):
            yield rows, named_columns(iter(top), rows)
        else:
            yield rows, _texts(con, path, [], encoding=encoding, sheet=title, header_row=rows)[0]


def _texts(con: Connection, path: Path, names: Sequence[str], **stated: Any) -> tuple[list[str], str, pd.DataFrame]:
    """The header of a file, its kind, and what these columns hold; read by the engine, in a tenth of the time."""
    read = read_file(path, names, into=(con, "texts"), **stated)
    texts = con.execute(read.rows.query).to_arrow_table().to_pandas().drop(columns=ROW)
    con.execute("DROP TABLE IF EXISTS texts")
    return read.header, read.kind, texts


def _rows(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows but for what closes the table or a group of it: a total, or a last line that holds next to nothing."""
    filled = cells.notna().sum(axis=1)
    sparse = cells[2 * filled <= filled.median()]
    first = sparse.bfill(axis=1).iloc[:, 0] if len(sparse) else pd.Series(dtype=str)
    total = sparse.apply(lambda column: column.str.match(TOTAL).eq(True)).any(axis=1)
    last = len(cells) - MOST_LINES
    # Where the rows above hold no more, the last lines are rows of the table.
    last = len(cells) if (sparse.index >= last - MOST_LINES).sum() > MOST_LINES else last
    closing = total | first.str.contains(OF_A_GROUP).eq(True) | (sparse.index >= last)
    header = (cells == cells.columns).sum(axis=1) >= cells.shape[1] / 2
    return cells.drop([*sparse.index[closing], *cells.index[header]]).reset_index(drop=True)


def _is_header(names: Sequence[str]) -> bool:
    """Whether these are names of columns: several, none twice, none a number or a date, none blank but an outer one."""
    named = [name for name in names if name]
    parts = [part for name in named for part in name.split(" / ")]
    plain = not any(re.search(ISO, part) or re.fullmatch(r"[-+]?[\d .,:/]+", part) for part in parts)
    under_a_title = all(" / " in name for name in named) and len({name.partition(" / ")[0] for name in named}) == 1
    return len(named) > 1 and all(names[1:-1]) and len({*named}) == len(named) and plain and not under_a_title


def _is_grouped(cells: pd.Series) -> bool:
    """Whether a column is filled in the first row of each group only."""
    filled = cells.notna()
    if not filled.any() or not filled.iloc[0]:
        return False
    names = cells.dropna()
    beside = int((filled & filled.shift(fill_value=False)).sum())
    again = int((names == names.shift()).sum())
    return looks_grouped(len(cells), len(names), names.nunique(), beside, again, first=True)


def not_dates(sheets: Iterable[Sheet]) -> str:
    """Columns that are called dates, or look like days, and are none, with the cell least like the others."""
    odd = [
        f'{sheet.name}, “{name}” ("{visible(_least_alike(sheet.cells[name].dropna()))}")'
        for sheet in sheets
        for name, field in sheet.fields.items()
        if field.filled
        and field.kind not in ("date", "flag")
        and (
            role_fit(name, "created", "closed", "time", "won", "lost") >= 2
            or sheet.cells[name].dropna().str.fullmatch(DAY_OF_NO_YEAR).mean() > OF_DATES
        )
    ]
    return f"; not dates of one format are {', '.join(dict.fromkeys(odd))}" if odd else ""


def _least_alike(cells: pd.Series) -> str:
    shapes = cells.map(shape_of)
    return str(cells.iloc[shapes.map(shapes.value_counts()).to_numpy().argmin()])
