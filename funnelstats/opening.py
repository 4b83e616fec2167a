"""Opening a prepared funnel as of a day, and the ISO weeks its pages are about."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.funnel import Funnel, FunnelError, project_root, read_funnel
from funnelstats.schema import TABLES
from funnelstats.sources import input_fingerprint, prepared_fingerprint
from funnelstats.words import speak

KNOWN_FROM = {
    "leads": "created_on",
    "entries": "entered_on",
    "contacts": "on",
    "payments": "paid_on",
    "costs": "date",
}


class Tables(NamedTuple):
    """The lazy canonical tables of a funnel; None where the export has no such table."""

    leads: ir.Table
    entries: ir.Table
    contacts: ir.Table | None
    payments: ir.Table | None
    costs: ir.Table | None


def open_funnel(name: str, as_of: date | str | None = None, language: str = "") -> tuple[Funnel, Tables]:
    """The funnel and its lazy tables, as known at the end of the day ``as_of``.

    Later rows do not exist; leads and entries without a date always do. Without ``as_of`` the tables are
    as exported. From here on texts are in ``language``, or the funnel's where none is given. Raises FunnelError
    where the data is not prepared or was prepared from something else.
    """
    funnel = read_funnel(name)
    speak(language or funnel.language)
    made_from = prepared_fingerprint(name)
    if made_from is None:
        raise FunnelError(f"data/processed/{name} is not there yet: run  funnelstats prepare {name}")
    if made_from != input_fingerprint(funnel):
        raise FunnelError(f"data/raw/{name} has changed since it was prepared: run  funnelstats prepare {name}")
    folder = project_root() / "data" / "processed" / name
    con = ibis.duckdb.connect()
    known = None if as_of is None else parse_day(as_of)
    return funnel, Tables(*(_known_table(con, folder / f"{table}.parquet", known) for table in TABLES))


def _known_table(con: ibis.BaseBackend, path: Path, as_of: date | None) -> Any:
    if not path.is_file():
        return None
    rows = con.read_parquet(path, table_name=path.stem)
    day = KNOWN_FROM[path.stem]
    if as_of is None or day not in rows.columns:
        return rows
    return rows.filter(rows[day].isnull() | (rows[day] <= as_of))


def last_day(tables: Tables, funnel: Funnel) -> date:
    """The last day the data knows: that of the export where it is stated, else of the last stage entry."""
    if funnel.exported_on:
        return funnel.exported_on
    last: date | None = tables.entries.entered_on.max().to_pyarrow().as_py()
    if last is None:
        raise FunnelError(f"{funnel.name}: no stage entry has a date; state exported_on, or see what was set aside")
    return last


def parse_day(day: date | str) -> date:
    """A date from ``2026-06-28``. Raises FunnelError for anything else.

    >>> parse_day("2026-06-28")
    datetime.date(2026, 6, 28)
    """
    if isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise FunnelError(f'no date "{day}"; write it like 2026-06-28') from error


def week_days(week: str) -> tuple[date, date]:
    """Monday and Sunday of an ISO week written ``2026-W26``. Raises FunnelError for anything else.

    >>> week_days("2026-W26")
    (datetime.date(2026, 6, 22), datetime.date(2026, 6, 28))
    """
    try:
        if not re.fullmatch(r"\d{4}-W\d{2}", week):
            raise ValueError
        monday = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    except ValueError as error:
        raise FunnelError(f'no week "{week}"; write it like 2026-W26') from error
    return monday, monday + timedelta(days=6)


def week_of(day: date) -> str:
    """The ISO week of a day.

    >>> week_of(date(2026, 1, 1)), week_of(date(2027, 1, 3))
    ('2026-W01', '2026-W53')
    """
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def last_complete_week(day: date) -> str:
    """The last ISO week whose Sunday is not after a day.

    >>> last_complete_week(date(2026, 6, 27)), last_complete_week(date(2026, 6, 28))
    ('2026-W25', '2026-W26')
    """
    return week_of(day - timedelta(days=day.isoweekday() % 7))


def trailing_window(week: str, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that a week's page judges."""
    _, sunday = week_days(week)
    return sunday - timedelta(days=7 * funnel.window_weeks - 1), sunday


def window_before(week: str, funnel: Funnel) -> tuple[date, date]:
    """The window of the same length that ends where the one a week's page judges begins."""
    first, _ = trailing_window(week, funnel)
    return first - timedelta(days=7 * funnel.window_weeks), first - timedelta(days=1)


def trend_window(week: str, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that a week's page shows week by week: twice the judged ones."""
    _, sunday = week_days(week)
    return sunday - timedelta(days=14 * funnel.window_weeks - 1), sunday


class Quality(NamedTuple):
    """What preparation found: rows by table, rows left out as declared, odd facts, rows set aside."""

    rows: pd.DataFrame
    ignored: pd.DataFrame
    facts: list[dict[str, Any]]
    set_aside: pd.DataFrame


def read_quality(name: str) -> Quality:
    """The account of a prepared funnel.

    ``rows``: table, rows_in, rows_kept, rows_ignored, rows_set_aside, which add up. ``ignored``: table,
    value, rows. ``facts``: fact, detail, count. ``set_aside``: table, file, row, column, value, reason.
    """
    folder = project_root() / "data" / "processed" / name
    report = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    counts = ["rows_in", "rows_kept", "rows_ignored", "rows_set_aside"]
    rows = [{"table": table} | {key: account[key] for key in counts} for table, account in report["tables"].items()]
    ignored = [
        {"table": table, "value": value, "rows": count}
        for table, account in report["tables"].items()
        for value, count in account["ignored"].items()
    ]
    return Quality(
        pd.DataFrame(rows),
        pd.DataFrame(ignored, columns=["table", "value", "rows"]),
        report["facts"],
        pd.read_parquet(folder / "set_aside.parquet"),
    )
