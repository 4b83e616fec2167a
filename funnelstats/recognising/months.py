"""Costs by month or week: what such a column is called, and how it is written."""

from __future__ import annotations

from funnelstats.importing.hints import reads
from funnelstats.recognising.dates import plain_dates
from funnelstats.recognising.fields import Field
from funnelstats.recognising.sheets import Sheet
from funnelstats.recognising.words import fit, role_fit, words

MONTHS = ("%Y-%m", "%m.%Y", "%m/%Y", "%Y/%m", "%Y.%m", "%m-%Y", "%b %Y", "%b-%Y", "%b %y", "%b-%y", "%B %Y", "%Y%m")
WEEKS = (
    "%G-W%V",
    "%GW%V",
    "%G W%V",
    "%G-%V",
    "%G/%V",
    "W%V %G",
    "W%V/%G",
    "%V/%G",
    "KW %V/%G",
    "KW%V/%G",
    "KW %V %G",
    "KW%V %G",
)
YEAR_AND_MONTH = ("%Y %m", "%Y %b", "%Y %B")


def with_months(sheet: Sheet) -> tuple[Sheet, dict[str, tuple[str, ...]]]:
    """The sheet with its column of months or weeks, where it has one, as one of dates; or its years and months as one.

    Also of which columns that one is.
    """
    for name, field in sheet.fields.items():
        weeks = WEEKS if fit(name, words()["dates"]["week"]) >= 2 else ()
        if role_fit(name, "time") >= 2 and (dated := _dated(sheet, field, (*MONTHS, *weeks))):
            return sheet._replace(fields={**sheet.fields, name: dated}), {}
    known = words()["dates"]
    years, months = ([name for name in sheet.fields if fit(name, known[part]) >= 2] for part in ("year", "month"))
    for year, month in zip(years[:1], months[:1], strict=False):
        both = f"{year} {month}"
        cells = sheet.cells.assign(**{both: sheet.cells[year].str.cat(sheet.cells[month], sep=" ")})
        field = Field(both, "text", int(cells[both].notna().sum()), cells[both].nunique())
        if dated := _dated(sheet._replace(cells=cells), field, YEAR_AND_MONTH):
            fields = {name: of for name, of in sheet.fields.items() if name not in (year, month)}
            return sheet._replace(cells=cells, fields={**fields, both: dated}), {both: (year, month)}
    return sheet, {}


def _dated(sheet: Sheet, field: Field, formats: tuple[str, ...]) -> Field | None:
    """A column as one of dates, by the first of these formats that reads all of it."""
    texts = plain_dates(sheet.cells[field.name].dropna().drop_duplicates()).unique()
    fitting = [fmt for fmt in formats if len(texts) and all(reads(text, fmt) for text in texts)]
    return field._replace(kind="date", formats=((fitting[0],),), reading=()) if fitting else None
