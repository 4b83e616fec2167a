"""What ``columns.toml`` says of each table of each page: its title, its columns, what they are called and hold."""

import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
from pydantic import BaseModel, ConfigDict

from funnelstats.config.errors import suggestion
from funnelstats.config.words import _, day, exact, label, money, number, percent, percent_range, probability, quarter

ROW_WORDS = ("(missing)", "(all)", "(start)", "everybody", "lost", "nurture")
"""What stands among names from the data and is ours: it is translated, they never are."""

NO_ENTRANTS = "no entrants"
UNKNOWN = "–"


def upper_of(column: str) -> str:
    """The column that holds the upper ends of a range whose lower ends are in this one."""
    return column.removesuffix("_lower") + "_upper"


Kind = Literal[
    "count",
    "number",
    "exact",
    "percent",
    "bar",
    "interval",
    "points",
    "points interval",
    "probability",
    "date",
    "quarter",
    "money",
    "verdict",
    "word",
    "text",
    "written",
    "lead",
]


class Column(NamedTuple):
    """What a column is called, what it holds, and the words for a missing value; words in the language spoken."""

    label: str
    kind: Kind
    missing: str


def cells(frame: pd.DataFrame, name: str, column: Column, currency: str) -> list[str]:
    """The column as plain, not yet escaped words."""
    kind, missing = column.kind, column.missing
    if write := INTERVALS.get(kind):
        ends = zip(frame[name].tolist(), frame[upper_of(name)].tolist(), strict=True)
        return [missing if pd.isna(low) or pd.isna(high) else write(low, high) for low, high in ends]
    values = zip(frame[name].tolist(), frame[name].isna().tolist(), strict=True)
    written = partial(money, currency=currency) if kind == "money" else _FORMATS[kind]
    return [missing if unknown else written(value) for value, unknown in values]


def as_text(value: Any) -> str:
    """A name from the data as its label says, a word of ours that stands among them in the language spoken."""
    if pd.api.types.is_bool(value):
        return _("yes") if value else _("no")
    return _(str(value)) if value in ROW_WORDS else label(str(value))


def as_written(value: Any) -> str:
    """A person's or company's name, whatever else has the same one."""
    return _(value) if value in ROW_WORDS else str(value)


def _points(share: float) -> str:
    return number(100 * share, 1)


_FORMATS: dict[str, Callable[[Any], str]] = {
    "count": number,
    "number": partial(number, digits=1),
    "exact": exact,
    "percent": partial(percent, digits=1),
    "bar": partial(percent, digits=1),
    "points": _points,
    "probability": probability,
    "date": day,
    "quarter": quarter,
    "verdict": str,
    "word": _,
    "text": as_text,
    "written": as_written,
    "lead": str,
}

INTERVALS: dict[str, Callable[[float, float], str]] = {
    "interval": percent_range,
    "points interval": lambda lower, upper: _("{low} to {high}").format(low=_points(lower), high=_points(upper)),
}
"""Kinds whose column holds the lower ends of a range, and how both ends are written."""
IN_POINTS = ("points", "points interval")
"""Kinds of differences of two shares, whose column says so at its head."""

STATED = Path(__file__).with_name("columns.toml")
NO_ROWS = "{title}: nothing to list."
OTHERS = "*"
"""Stands in a table's columns for all others of its frame: those that the data names, as stages and reasons are."""

RANGE_WORDS = {"interval": "likely range (95%)", "lower": "at least", "upper": "at most"}
"""What ends of a range are called where nothing else is stated: both shown as one, or each apart."""


class Layout(BaseModel):
    """A section of ``columns.toml``: how a table is shown.

    ``columns`` chooses and orders, all of the frame where there are none; the first one heads its row, ``group`` names
    those that head blocks of rows. ``empty`` is said in the place of a table without rows, nothing where it is "".
    ``labels``, ``kinds`` and ``missing`` hold what differs from ``[columns]``; for the
    columns that the data names their keys are patterns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    empty: str = NO_ROWS
    group: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    kinds: dict[str, Kind] = {}
    missing: dict[str, str] = {}

    def columns_of(self, frame: pd.DataFrame, labels: Mapping[str, str] | None = None) -> dict[str, Column]:
        """The columns to show of a frame, those of the group first, with the upper ends of intervals.

        ``labels`` are those of columns that the data names.
        """
        names = [str(name) for name in frame]
        asked = self.columns or tuple(names)
        for name in (*asked, *self.group):
            if name not in (*names, OTHERS):
                raise ValueError(f"no column {name!r} in the table {self.name!r}; {suggestion(name, names)}")
        found: dict[str, Column] = {}
        for name in asked:
            if name == OTHERS:
                for other in (other for other in names if other not in asked):
                    called = (labels or {}).get(other, as_text(other).replace("_", " "))
                    fitting = {"kind": _fitting(self.kinds, other), "missing": _fitting(self.missing, other)}
                    found[other] = Column(called, *self._kind_and_missing(frame, other, fitting))
            else:
                stated = stated_column(name)
                kind, missing = self._kind_and_missing(frame, name, stated)
                end = "interval" if kind in INTERVALS else name.rpartition("_")[2]
                called = self.labels.get(name) or stated.get("label") or RANGE_WORDS.get(end, name.replace("_", " "))
                words = _("{label}, points").format(label=_(called)) if kind in IN_POINTS else _(called)
                found[name] = Column(words, kind, missing)
        plain = Column("", "text", UNKNOWN)
        found = {name: found.get(name, plain) for name in self.group} | found
        uppers = {upper_of(name): column.kind for name, column in found.items() if column.kind in INTERVALS}
        return found | {upper: plain._replace(kind=kind) for upper, kind in sorted(uppers.items())}

    def _kind_and_missing(self, frame: pd.DataFrame, name: str, stated: Mapping[str, Any]) -> tuple[Kind, str]:
        kind: Kind = self.kinds.get(name) or stated.get("kind") or _kind(frame, name)
        if kind in INTERVALS and upper_of(name) not in frame:
            raise ValueError(f"an interval needs the column {upper_of(name)!r} beside {name!r}")
        missing = self.missing.get(name, stated.get("missing"))
        unknown = _(NO_ENTRANTS) if kind in ("percent", "bar") else UNKNOWN
        return kind, unknown if missing is None else _(missing)


def layout(table: str) -> Layout:
    """The section of a table, called by its page and itself.

    >>> layout("weekly.team").title
    'The team against its targets'
    """
    if table not in tables():
        raise ValueError(f"no table {table!r} in {STATED.name}; {suggestion(table, tables())}")
    return Layout(name=table.partition(".")[2], **tables()[table])


@cache
def stated() -> dict[str, Any]:
    """What is stated, as it is read."""
    return tomllib.loads(STATED.read_text(encoding="utf-8"))


def tables() -> dict[str, dict[str, Any]]:
    """The sections of all tables by page and name, "weekly.team"."""
    pages = {page: tables for page, tables in stated().items() if page != "columns"}
    return {f"{page}.{name}": table for page, tables in pages.items() for name, table in tables.items()}


def stated_column(name: str) -> dict[str, Any]:
    """What is stated of a column on any page: label, kind, missing, as far as they are."""
    found = stated()["columns"].get(name, {})
    return {"label": found} if isinstance(found, str) else dict(found)


def _fitting(words: Mapping[str, Any], name: str) -> Any:
    """What is said of the first pattern that the name fits."""
    return next((words[pattern] for pattern in words if fnmatchcase(name, pattern)), None)


def _kind(frame: pd.DataFrame, column: str) -> Kind:
    """What a column holds, by its type; a lower end beside its upper one is an interval."""
    if column.endswith("_lower") and upper_of(column) in frame:
        return "interval"
    if pd.api.types.is_datetime64_any_dtype(frame[column]):
        return "date"
    if pd.api.types.is_integer_dtype(frame[column]):
        return "count"
    return "number" if pd.api.types.is_float_dtype(frame[column]) else "text"
