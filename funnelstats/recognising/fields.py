"""What a column of a file that nobody has described holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import pandas as pd

from funnelstats.config.dates import EXCEL, EXCEL_1904
from funnelstats.importing.cells import beside_day
from funnelstats.importing.closing import MOST_LINES, TOTAL
from funnelstats.importing.hints import number_lines, toml_value
from funnelstats.importing.mapping import NO, YES
from funnelstats.importing.numbers import PARTS, THREE_PARTS
from funnelstats.importing.workbooks import XLSX_1904
from funnelstats.recognising.dates import NEARLY_ALL, day_of, formats_of
from funnelstats.recognising.words import role_fit

Kind = Literal["blank", "date", "number", "duration", "flag", "id", "text"]

NO_DATE = (
    r"(?<!\d)(?:0000-00-00|000[01]-01-01|01\.01\.0001|1899-12-3[01]|3[01][./]12[./]1899|12/3[01]/1899"
    r"|19[07]0-01-01|0?1[./]0?1[./]19[07]0|9999-12-31|31[./]12[./]9999|12/31/9999)(?!\d)"
)
"""Days that programs write where there is none."""
DATES = ("created", "closed", "won", "lost", "time", "paid", "other_date")
"""Roles of columns that hold dates."""
PLAIN = re.compile(r"[-+]?\d+(\.\d+)?")
LONGEST_ID = 64
MOST_STATUSES = 40


class Field(NamedTuple):
    """What a column holds. ``formats``: those that together read its dates, ISO as "", and a second set of them where
    day and month could change places. ``reading``: what to state of its numbers, and of words among its dates."""

    name: str
    kind: Kind
    filled: int
    distinct: int
    formats: tuple[tuple[str, ...], ...] = ()
    reading: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    """What stands among its dates where there is none."""

    @property
    def stands_once(self) -> bool:
        return 0 < self.filled == self.distinct


def fields_of(cells: pd.DataFrame, names: Iterable[str], kind: str) -> dict[str, Field]:
    """What the columns of a table hold; numbers of days are counted as its kind of file does."""
    fields = {name: field_of(name, cells[name]) for name in names}
    if kind == XLSX_1904:
        for name, field in fields.items():
            if field.formats == ((EXCEL,),):
                fields[name] = field._replace(formats=((EXCEL_1904,),))
    return fields


def field_of(name: str, cells: pd.Series) -> Field:
    """What a column of texts holds, blanks aside."""
    filled = cells.dropna()
    texts = filled.drop_duplicates()
    values = texts.tolist()
    field = Field(name, "blank", len(filled), len(values))
    if not values or is_list(texts):
        return field
    totals = [text for text in (*values[:MOST_LINES], *values[-MOST_LINES:]) if TOTAL.match(text)]
    dated = texts[texts.str.contains(r"[1-9]") & ~texts.str.contains(NO_DATE) & ~texts.isin(totals)]
    others = texts.drop(dated.index).tolist()
    no_dates = 0 < len(others) <= 2 and len(dated) > 0  # such as "not closed" and 0000-00-00, where there is no date
    dates = filled[~filled.isin(others)] if no_dates else filled
    called = role_fit(name, *DATES) >= 1
    formats = formats_of(dates, is_date=called)
    # Where nothing says that it is a date, a day with its name may be that of an event.
    named = formats and not called and any(re.search(mark, value) for value in values for mark, _by in beside_day())
    if formats and not named:
        empty = tuple(others) if no_dates else ()
        return field._replace(kind="date", formats=formats, empty=empty, reading=_missing(empty))
    if {value.casefold() for value in values} <= {*YES, *NO} and len(values) == 2:
        return field._replace(kind="flag")
    if all(re.search(rf"{THREE_PARTS}|{PARTS}", value) for value in values):
        return field._replace(kind="duration")
    reading = number_reading(filled)
    # Beside 900 an amount of 4.5k is one; anything else of this look is an id, as 109B.
    least_plain = any if role_fit(name, "amount", "duration") >= 1 else all
    if reading == [] and not least_plain(map(PLAIN.fullmatch, values)):
        reading = None
    # Digits are a name and no amount with zeros at the beginning, or as long as no amount is.
    zeros = any(re.match(r"0\d", value) for value in values)
    if reading is not None and not zeros and not all(re.fullmatch(r"\d{12,}|\+\d{10,}", value) for value in values):
        return field._replace(kind="number", reading=tuple(reading))
    short = texts.str.len().max() <= LONGEST_ID and not texts.str.contains(r"\s\S+\s").any()
    return field._replace(kind="id" if short and filled.str.contains(r"\d").mean() > NEARLY_ALL else "text")


def number_reading(cells: pd.Series, least: float = NEARLY_ALL) -> list[str] | None:
    """What to state so that all of these with digits, at ``least`` this share, are numbers; None where nothing does."""
    has_digits = cells.str.contains(r"\d")
    if not has_digits.any() or has_digits.mean() < least:
        return None
    values = cells[has_digits].unique().tolist()
    plain = all(map(PLAIN.fullmatch, values))
    lines = [] if plain else number_lines(values, ".", "")
    if lines is None:
        return None
    return [*lines, *_missing(cells[~has_digits].unique().tolist())]


def _missing(words: Sequence[str]) -> tuple[str, ...]:
    """The line that reads these words as no value."""
    return (f"missing.{{column}} = {toml_value(words)}",) if words else ()


def is_list(cells: pd.Series) -> bool:
    """Whether the cells are lists of objects."""
    return bool(cells.str.match(r"\[\s*\{").mean() > 0)


def day_order(formats: tuple[str, ...]) -> str:
    """Which of day, month and year comes first: "dmY"."""
    return "".join(re.findall("%([dmYybB])", day_of(formats[0])))
