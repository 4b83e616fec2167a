"""Kinds of columns, and the values of a column as the plain words that stand in a table's cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from funnelstats.stated.funnel import suggestion
from funnelstats.stated.words import MINUS, _, exact, number, percent, short_day

ROW_WORDS = ("(missing)", "(all)", "(start)", "everybody", "lost", "nurture")
"""What stands among names from the data and is ours: it is translated, they never are."""

NO_ENTRANTS = "no entrants"
UNKNOWN = "–"

Format = str | tuple[str, str]


def column_kinds(
    frame: pd.DataFrame, columns: Iterable[str], formats: Mapping[str, Format]
) -> dict[str, tuple[str, str]]:
    """Kind of each column, given or told from its name and type, and the words for a missing value in it."""
    return {column: _kind(frame, column, formats.get(column)) for column in columns}


def _kind(frame: pd.DataFrame, column: str, given: Format | None) -> tuple[str, str]:
    kind, missing = given if isinstance(given, tuple) else (given, None)
    values = frame[column]
    if kind is None:
        if column.endswith("_lower") and upper_of(column) in frame:
            kind = "interval"
        elif column == "verdict":
            kind = "verdict"
        elif column in ("rate", "target") or column.endswith(("_rate", "_share")):
            kind = "percent"
        elif pd.api.types.is_datetime64_any_dtype(values):
            kind = "date"
        elif pd.api.types.is_integer_dtype(values):
            kind = "count"
        elif pd.api.types.is_float_dtype(values):
            kind = "number"
        else:
            kind = "text"
    if kind not in _FORMATS and kind != "interval":
        near = suggestion(kind, [*_FORMATS, "interval"])
        raise ValueError(f"no format {kind!r} for column {column!r}; {near}")
    if kind == "interval" and upper_of(column) not in frame:
        raise ValueError(f"an interval needs the column {upper_of(column)!r} beside {column!r}")
    return kind, _((NO_ENTRANTS if kind == "percent" else UNKNOWN) if missing is None else missing)


def upper_of(column: str) -> str:
    """The column that holds the upper ends of a range whose lower ends are in this one."""
    return column.removesuffix("_lower") + "_upper"


def cells(frame: pd.DataFrame, column: str, kind: str, missing: str, currency: str) -> list[str]:
    """The column as plain, not yet escaped words."""
    if kind == "interval":
        ends = zip(frame[column].tolist(), frame[upper_of(column)].tolist(), strict=True)
        return [missing if pd.isna(low) or pd.isna(high) else _interval(low, high) for low, high in ends]
    values = zip(frame[column].tolist(), frame[column].isna().tolist(), strict=True)
    unit = f"\u00a0{currency}" if kind == "money" and currency else ""
    return [missing if unknown else f"{_FORMATS[kind](value)}{unit}" for value, unknown in values]


def headings(values: pd.Series, kind: str) -> list[str]:
    """The values that head blocks of rows, in words."""
    write = _ if kind == "word" else _text
    return [UNKNOWN if unknown else write(value) for value, unknown in zip(values, values.isna(), strict=True)]


def _text(value: Any) -> str:
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
    "text": _text,
}
