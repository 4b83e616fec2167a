"""Kinds of columns, and the values of a column as the plain words that stand in a table's cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import pandas as pd

from funnelstats.stated.words import MINUS, _, exact, number, percent, short_day

ROW_WORDS = ("(missing)", "(all)", "(start)", "everybody", "lost", "nurture")
"""What stands among names from the data and is ours: it is translated, they never are."""

NO_ENTRANTS = "no entrants"
UNKNOWN = "–"


def upper_of(column: str) -> str:
    """The column that holds the upper ends of a range whose lower ends are in this one."""
    return column.removesuffix("_lower") + "_upper"


Kind = Literal["count", "number", "exact", "percent", "interval", "date", "money", "verdict", "word", "text"]


class Column(NamedTuple):
    """What a column is called, what it holds, and the words for a missing value; words in the language spoken."""

    label: str
    kind: Kind
    missing: str


def cells(frame: pd.DataFrame, name: str, column: Column, currency: str) -> list[str]:
    """The column as plain, not yet escaped words."""
    kind, missing = column.kind, column.missing
    if kind == "interval":
        ends = zip(frame[name].tolist(), frame[upper_of(name)].tolist(), strict=True)
        return [missing if pd.isna(low) or pd.isna(high) else _interval(low, high) for low, high in ends]
    values = zip(frame[name].tolist(), frame[name].isna().tolist(), strict=True)
    unit = f"\u00a0{currency}" if kind == "money" and currency else ""
    return [missing if unknown else f"{_FORMATS[kind](value)}{unit}" for value, unknown in values]


def as_text(value: Any) -> str:
    """A name from the data as it is, a word of ours that stands among them in the language spoken."""
    if pd.api.types.is_bool(value):
        return _("yes") if value else _("no")
    return _(str(value)) if value in ROW_WORDS else str(value)


def _interval(low: float, high: float) -> str:
    """Both ends; a range that begins below nothing takes a word, since a dash would be read as one more minus."""
    ends = number(100 * low), percent(high)
    return _("{low} to {high}").format(low=ends[0], high=ends[1]) if ends[0].startswith(MINUS) else "–".join(ends)


_FORMATS: dict[str, Callable[[Any], str]] = {
    "count": number,
    "number": partial(number, digits=1),
    "exact": exact,
    "percent": partial(percent, digits=1),
    "money": number,
    "date": short_day,
    "verdict": str,
    "word": _,
    "text": as_text,
}
