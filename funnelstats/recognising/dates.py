"""Which formats the dates of a column are written in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import pandas as pd

from funnelstats.importing.cells import EPOCH_DIGITS, ISO, plain_date
from funnelstats.importing.hints import COMMON_FORMATS, DAYS, reads

FIRST_VALUES = 200
"""Values with which formats are tried, before all values are."""
NEARLY_ALL = 0.98
"""Share of a column's filled cells that may tell its kind; the others are cells that cannot be read."""
ISO_DAY = "%Y-%m-%d"
LEAST_DIGITS = 3
"""Of a date: 5.3.6, and not the number of a stage."""
OF_DATES = 0.5
"""Share of a column's rows that must hold as much."""


def formats_of(cells: pd.Series, *, is_date: bool = False) -> tuple[tuple[str, ...], ...]:
    """The formats that together read (nearly) all of these dates, ISO as ""; two such sets where day and month could
    change places; none where the cells are no dates. ``is_date``: the column is called one, so that a number may be
    that of a day."""
    # Of values of many fields most may be dates though few rows hold one.
    if (cells.str.count(r"\d") >= LEAST_DIGITS).mean() < OF_DATES:
        return ()
    text = cells.drop_duplicates()
    first = [plain_date(value) for value in text.head(FIRST_VALUES)]
    iso = text.str.match(ISO)
    if iso.mean() >= NEARLY_ALL:
        return (("",),)
    for fmt, digits in EPOCH_DIGITS.items():
        if is_date and text.str.match(digits).mean() >= NEARLY_ALL:
            return ((fmt,),)
    likely = [fmt for shape in {*map(shape_of, first)} for fmt in _formats_of_shape().get(shape, ())]
    if not likely:
        return ()
    text = plain_dates(text)
    this_calendar = ~text.str.contains(r"\b2[5-9]\d\d\b")
    found: dict[tuple[str, ...], pd.Series] = {}
    for day in DAYS:
        # Some may be ISO; those with a T are what a spreadsheet made of the others, whose days and months it swapped.
        of_day = [fmt for fmt in likely if day_of(fmt) == day]
        of_day += [fmt for fmt in likely if day_of(fmt) == ISO_DAY != day and "T" not in fmt]
        formats = [fmt for fmt in of_day if any(reads(value, fmt) for value in first)]
        read = {fmt: pd.to_datetime(text, format=fmt, errors="coerce", utc=True).notna() for fmt in formats}
        whole = pd.DataFrame(read).any(axis=1) if read else pd.Series(False, index=text.index)
        whole &= this_calendar
        if whole.mean() >= NEARLY_ALL:
            found[tuple(fmt for fmt in formats if read[fmt].any())] = whole
    # Who reads what another one cannot is proved by those rows, unless the other reads something else instead.
    proved = [
        formats
        for formats, whole in found.items()
        if not any((other & ~whole).any() and not (whole & ~other).any() for other in found.values())
    ]
    mixed = any({*map(day_of, formats)} > {ISO_DAY} for formats in proved)
    return () if mixed and len(proved) > 1 else _year_first(text, proved)


def _year_first(text: pd.Series, proved: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """The formats, the year first where the first two digits are few years and the last are days: 26/02/15."""
    short = all(re.match(r"%[dm](.)%[dm]\1%y", fmt) for formats in proved for fmt in formats)
    parts = text.str.extract(r"^(\d\d)\D\d\d\D(\d\d)(?!\d)") if proved and short else None
    if parts is None or parts.isna().any(axis=None) or 2 * parts[0].nunique() > parts[1].nunique():
        return tuple(proved)
    return (tuple(re.sub(r"^%[dm](.)%[dm]\1%y", r"%y\1%m\1%d", fmt) for fmt in proved[0]),)


def plain_dates(cells: pd.Series) -> pd.Series:
    """Texts as ``plain_date`` has them; those of digits, their marks and single blanks mostly are so already."""
    others = cells[cells.str.contains(r"[^\d.:/\- ]|  |\. |\.$|\d{4} \d\d?\.\d\d").fillna(False).astype(bool)]
    return others.map(plain_date).reindex(cells.index).fillna(cells)


def shape_of(text: str) -> str:
    """A text with 0 for each number and a for each word."""
    return re.sub(r"[+-]0(:0)?$", "+0", re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", text)))


@cache
def _formats_of_shape() -> dict[str, list[str]]:
    """The formats of dates by the shape of what they write."""
    moment = datetime(2026, 12, 31, 13, 59, 58, 123456, tzinfo=UTC)
    shapes: dict[str, list[str]] = {}
    for fmt in COMMON_FORMATS:
        shapes.setdefault(shape_of(moment.strftime(fmt)), []).append(fmt)
    return shapes


def day_of(fmt: str) -> str:
    """The part of a format that names the day."""
    return re.split(r",?[ T](?=%H|%I)", fmt)[0]
