"""Pieces of the SQL that preparation asks DuckDB, which is written out: an engine's own words cost no compiling."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from duckdb import DuckDBPyConnection
from duckdb.sqltypes import VARCHAR

Connection = DuckDBPyConnection
Into = tuple[Connection, str]
"""A table that an engine is to make, by its name."""

Columns = Mapping[str, Mapping[str, str]]
"""Tables with their columns, and of each its type."""

NULL = "NULL"
WHOLE = 86_400_000_000
"""Microseconds of a day."""


MEMORY = "400MB"
"""What the engine may hold of its tables; the rest lies on the disk."""


def engine(folder: Path) -> Connection:
    """DuckDB, whose clock is UTC's, with a folder for what its memory does not hold."""
    con = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(folder)})
    con.execute("SET TimeZone = 'UTC'")
    # DuckDB 1.5 makes a join of an IN of many values, which then costs every row time, even behind a CASE.
    con.execute("SET disabled_optimizers = 'in_clause'")
    return con


def quoted(column: str) -> str:
    """The name of a column or table, in quotes.

    >>> quoted('the "real" id')
    '"the ""real"" id"'
    """
    return '"' + column.replace('"', '""') + '"'


def names(columns: Iterable[str]) -> str:
    return ", ".join(map(quoted, columns))


def text(value: str) -> str:
    """A text, in quotes; a query ends at a NUL, which must not stand in it.

    >>> text("O'Neill"), text("a\\0")
    ("'O''Neill'", "('a' || chr(0) || '')")
    """
    inner = value.replace("'", "''")
    return f"'{inner}'" if "\0" not in inner else "('{}')".format(inner.replace("\0", "' || chr(0) || '"))


def one_of(sql: str, values: Iterable[str]) -> str:
    """Whether it is one of these texts: null where it is null, and false of none.

    >>> one_of("stage", ["lost", "nurture"]), one_of("stage", [])
    ("(stage IN ('lost', 'nurture'))", '(FALSE)')
    """
    listed = ", ".join(map(text, values))
    return f"({sql} IN ({listed}))" if listed else "(FALSE)"


def cases(branches: Iterable[tuple[str, str]], otherwise: str = NULL) -> str:
    """The first value whose condition holds.

    >>> cases([("a > 1", "2")], "a")
    '(CASE WHEN a > 1 THEN 2 ELSE a END)'
    """
    listed = " ".join(f"WHEN {when} THEN {value}" for when, value in branches)
    return f"(CASE {listed} ELSE {otherwise} END)" if listed else otherwise


def first_known(readings: Sequence[str]) -> str:
    """The first of these that is not null; the others are computed only where it is, unlike in a bare coalesce."""
    first, *others = readings
    return cases([(f"{first} IS NOT NULL", first)], f"coalesce({', '.join(others)})") if others else first


def replaced(sql: str, values: Mapping[str, str], otherwise: str) -> str:
    """What stands for each of these texts; another stays what it says."""
    return cases(((f"{sql} = {text(value)}", text(meant)) for value, meant in values.items()), otherwise)


def columns_of(selected: Mapping[str, str]) -> str:
    """The expressions of a SELECT, each under its name."""
    return ", ".join(f"{sql} AS {quoted(column)}" for column, sql in selected.items())


def placed(sql: str, ordered: Iterable[str]) -> str:
    """The place of a text among these, from 0."""
    return cases((f"{sql} = {text(value)}", str(place)) for place, value in enumerate(ordered))


def instant_at(zone: str, wall: str) -> str:
    """The instant at which the clock on a zone's wall shows this."""
    return f"timezone({text(zone)}, {wall})"


def wall_clock(zone: str, instant: str) -> str:
    """What the clock on a zone's wall shows at an instant."""
    return f"timezone({text(zone)}, {instant})"


def utc_instant(wall: str) -> str:
    """The instant of a clock that shows UTC, ten times as fast as by its zone."""
    return f"make_timestamptz(epoch_us({wall}))"


def utc_clock(instant: str) -> str:
    return f"make_timestamp(epoch_us({instant}))"


def clock_seconds(at: str) -> str:
    """The seconds within a quarter of an hour, which show on every clock alike: the fast part of a zone's time.

    Null before 1980, when the last zone that differs by other than quarters of an hour was gone.
    """
    return cases([(f"{at} >= '1980-01-01'", f"(epoch_us({at}) // 1000000) % 900")])


def at_midnight(zone: str, at: str) -> str:
    """Whether the clock on a zone's wall shows midnight, to the second, at an instant of UTC's clock."""
    clock = wall_clock(zone, utc_instant(at))
    shown = f"epoch_us(date_trunc('second', {clock})) % {WHOLE} = 0"
    return cases([(f"{clock_seconds(at)} != 0", "FALSE")], shown)


def single(con: Connection, query: str) -> int:
    """The one number of a query's one row."""
    return int(con.execute(query).fetchall()[0][0])


def record(con: Connection, rows: str, aggregates: Mapping[str, str]) -> dict[str, Any]:
    """Aggregates over rows, by their names."""
    (values,) = con.execute(f"SELECT {columns_of(aggregates)} FROM {rows}").fetchall()
    return dict(zip(aggregates, values, strict=True))


def columns_in(con: Connection, table: str) -> dict[str, str]:
    """The columns of a table with their types."""
    rows = con.table(table)
    return dict(zip(rows.columns, map(str, rows.types), strict=True))


def frame(con: Connection, query: str) -> pd.DataFrame:
    """The rows of a query, texts as texts even where all are null."""
    found = con.sql(query)
    texts = [column for column, kind in zip(found.columns, found.types, strict=True) if kind == VARCHAR]
    return found.df().astype(dict.fromkeys(texts, "str"))
