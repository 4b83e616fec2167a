"""Opening a prepared funnel as of a day, and the windows its pages judge."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.dates import parse_day, week_days
from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import Funnel, project_root, read_funnel
from funnelstats.config.schema import TABLES
from funnelstats.config.words import speak
from funnelstats.importing.account import left_out_words
from funnelstats.importing.prepare import input_fingerprint, prepared_fingerprint
from funnelstats.importing.shapes import usual_days

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
    return funnel, Tables(*(_known_table(con, folder / f"{table}.parquet", known, made_from) for table in TABLES))


def _known_table(con: ibis.BaseBackend, path: Path, as_of: date | None, made_from: str) -> Any:
    if not path.is_file():
        return None
    # What is counted of these rows is known by their name, and other rows have another one.
    rows = con.read_parquet(path, table_name=f"{path.stem}_{made_from}")
    day = KNOWN_FROM[path.stem]
    if as_of is None or day not in rows.columns:
        return rows
    return rows.filter(rows[day].isnull() | (rows[day] <= as_of))


def last_day(tables: Tables, funnel: Funnel) -> date:
    """The last day the data knows: that of the export where it is stated, else of the last stage entry.

    A few entries far after all others, which are mistyped, are not the last.
    """
    if funnel.exported_on:
        return funnel.exported_on
    days = usual_days(tables.entries.entered_on)
    if days is None:
        raise FunnelError(f"{funnel.name}: no stage entry has a date; state exported_on, or see what was set aside")
    return days[1]


def trailing_window(week: str, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that a week's page judges."""
    _, sunday = week_days(week)
    return sunday - timedelta(days=7 * funnel.judged_weeks - 1), sunday


def window_before(week: str, funnel: Funnel) -> tuple[date, date]:
    """The window of the same length that ends where the one a week's page judges begins."""
    first, _ = trailing_window(week, funnel)
    return first - timedelta(days=7 * funnel.judged_weeks), first - timedelta(days=1)


def trend_window(week: str, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that a week's page shows week by week: twice the judged ones."""
    _, sunday = week_days(week)
    return sunday - timedelta(days=14 * funnel.judged_weeks - 1), sunday


def alarm_window(week: str) -> tuple[date, date]:
    """First and last day of the stage entries that a week's alarms watch: from the half-year before the week's.

    All pages of a half-year (ISO weeks 1 to 26, and the rest) begin to count at the same day, so that however often
    one looks no alarm is due to looking often; an alarm has 26 to 52 weeks behind it.

    >>> alarm_window("2026-W26")
    (datetime.date(2025, 6, 30), datetime.date(2026, 6, 28))
    """
    _, sunday = week_days(week)
    year, number, _ = sunday.isocalendar()
    first = date.fromisocalendar(year - 1, 27, 1) if number <= 26 else date.fromisocalendar(year, 1, 1)
    return first, sunday


class Quality(NamedTuple):
    """What preparation found: rows by table, rows left out as declared, odd facts, rows set aside, bad cells."""

    rows: pd.DataFrame
    ignored: pd.DataFrame
    facts: list[dict[str, Any]]
    set_aside: pd.DataFrame
    bad_cells: pd.DataFrame


def read_quality(name: str) -> Quality:
    """The account of a prepared funnel.

    ``rows``: table, rows_in, rows_kept, rows_ignored, rows_set_aside, which add up. ``ignored``: table,
    value, rows. ``facts``: fact, detail, count, and mend where a line of funnel.toml helps. ``set_aside``, and
    ``bad_cells`` that are missing in rows that stay: table, file, row, column, value, reason.
    """
    folder = project_root() / "data" / "processed" / name
    report = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    counts = ["rows_in", "rows_kept", "rows_ignored", "rows_set_aside"]
    rows = [{"table": table} | {key: account[key] for key in counts} for table, account in report["tables"].items()]
    aside = pd.read_parquet(folder / "set_aside.parquet")
    rows_aside, bad_cells = (
        aside[aside["cost"] == cost].drop(columns="cost").reset_index(drop=True) for cost in ("row", "cell")
    )
    words = left_out_words(read_funnel(name))
    ignored = [
        {"table": table, "value": words.get(value, value), "rows": count}
        for table, account in report["tables"].items()
        for value, count in account["ignored"].items()
    ]
    return Quality(
        pd.DataFrame(rows),
        pd.DataFrame(ignored, columns=["table", "value", "rows"]),
        report["facts"],
        rows_aside,
        bad_cells,
    )
