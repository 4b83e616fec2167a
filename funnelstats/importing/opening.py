"""Opening a prepared funnel as of a day, the windows its pages judge, the account of its rows, a month's notes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.dates import month_days, parse_day, week_days
from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.config.folders import RUN_FOLDER, processed_folder, project_root
from funnelstats.config.funnel import Funnel, read_funnel
from funnelstats.config.schema import KNOWN_ON, MISSING, TABLES
from funnelstats.config.words import _, speak
from funnelstats.importing.days import usual_days
from funnelstats.importing.facts import FURTHER_ROWS, NO_LEAD, reason_on_page
from funnelstats.importing.prepare import input_fingerprint, prepared_fingerprint


class Tables(NamedTuple):
    """The lazy canonical tables of a funnel; None where the export has no such table.

    In a notebook ``ibis.options.interactive = True`` makes each show its first rows.
    """

    leads: ir.Table
    entries: ir.Table
    contacts: ir.Table | None
    payments: ir.Table | None
    costs: ir.Table | None
    part: str = ""
    """Of which leads they are, as "region=North"; of all where nothing is said."""
    quality: Quality | None = None
    """The account of the rows of frames; that of an export is read by ``read_quality``."""

    def _repr_html_(self) -> str:
        there = {table: rows for table, rows in zip(self._fields, self[:5], strict=False) if rows is not None}
        shown = {
            "rows": [rows.count().execute() for rows in there.values()],
            "columns": [", ".join(rows.columns) for rows in there.values()],
        }
        with pd.option_context("display.max_colwidth", None):
            return pd.DataFrame(shown, index=[*there]).to_html()


def open_funnel(
    name: str, as_of: date | str | None = None, language: str = "", where: str = ""
) -> tuple[Funnel, Tables]:
    """The funnel and its lazy tables, as known at the end of the day ``as_of``.

    Later rows do not exist; leads and entries without a date always do. Without ``as_of`` the tables are
    as exported. ``where`` keeps the leads of which a column or attribute holds a value, "region=North", and what
    happened to them. From here on texts are in ``language``, or the funnel's where none is given. Raises FunnelError
    where the data is not prepared or was prepared from something else, and for a part that no lead is of.

    >>> spec, tables = fs.open_funnel("sample", "2026-06-28")
    >>> spec.stages, tables.leads.count().to_pandas()
    (('lead', 'met', 'presented', 'contracted', 'paid'), 5024)
    """
    funnel = read_funnel(name)
    spoken = language or funnel.language
    speak(spoken, funnel.labels.get(spoken), funnel.lead_url)  # type: ignore[call-overload]
    made_from = prepared_fingerprint(name)
    if made_from is None:
        raise FunnelError(f"data/processed/{name} is not there yet: run  funnelstats prepare {name}")
    if made_from != input_fingerprint(funnel):
        raise FunnelError(f"data/raw/{name} has changed since it was prepared: run  funnelstats prepare {name}")
    # What does not fit into memory goes where the run, or the system, puts its temporary files.
    spilled = os.environ.get(RUN_FOLDER) or tempfile.gettempdir()
    con = _spark() if funnel.engine == "spark" else ibis.duckdb.connect(temp_directory=spilled)
    known = None if as_of is None else parse_day(as_of)
    paths = [processed_folder(name) / f"{table}.parquet" for table in TABLES if table in Tables._fields]
    tables = Tables(*(_known_table(con, path, known, made_from) for path in paths))
    report = json.loads((processed_folder(name) / "quality.json").read_text(encoding="utf-8"))
    funnel = funnel.read_from_a_log(FURTHER_ROWS in report["tables"].get("leads", {}).get("ignored", {}))
    return funnel, part_of(tables, where) if where else tables


def _spark() -> ibis.BaseBackend:
    """A session of Spark, on the master that SPARK_MASTER names, else on this machine. Raises FunnelError without."""
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise FunnelError('engine = "spark" needs it: pip install "funnelstats[spark]"') from error
    master = os.environ.get("SPARK_MASTER", "local[*]")
    options = {
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": False,
        "spark.ui.showConsoleProgress": False,
        "spark.log.level": "ERROR",
    }
    if master.startswith("local"):
        options["spark.sql.shuffle.partitions"] = os.cpu_count() or 1  # its 200 are meant for a cluster
    try:
        return ibis.pyspark.connect(SparkSession.builder.master(master).config(map=options).getOrCreate())
    except PySparkException as error:
        raise FunnelError(f'engine = "spark": no session on {master}; is Java there? {error}') from error


def part_values(leads: ir.Table, column: str) -> list[str]:
    """The values of a column or attribute of leads, "(missing)" where it is blank. Raises FunnelError without one."""
    known = sorted({*leads.columns} - {"lead_id", "created_at", "created_on", "manager"})
    if column not in known:
        raise FunnelError(f'leads have no "{column}"; {suggestion(column, known)}')
    values = leads.select(column).distinct().to_pyarrow()[column].to_pylist()
    return sorted({MISSING if value is None else str(value) for value in values})


def part_of(tables: Tables, where: str) -> Tables:
    """``kept_part`` of the tables. Raises FunnelError where no lead is of it."""
    column, equals, value = where.partition("=")
    if not equals:
        raise FunnelError(f'where must be written like "region=North", got "{where}"')
    values = part_values(tables.leads, column)
    if value not in values:
        raise FunnelError(f'where: no lead has the {column} "{value}"; {suggestion(value, values)}')
    return kept_part(tables, where)


def kept_part(tables: Tables, where: str) -> Tables:
    """The tables of the leads of which a column or attribute holds a value: "region=North", "region=(missing)".

    Costs are those of the part where they have that column, else None: what a part costs is not known.
    """
    column, _equals, value = where.partition("=")

    def kept(table: ir.Table) -> ir.Table:
        return table.filter(table[column].cast("string").fill_null(MISSING) == value)

    leads = kept(tables.leads)
    entries, contacts, payments = (
        table if table is None else table.semi_join(leads, "lead_id") for table in tables[1:4]
    )
    costs = kept(tables.costs) if tables.costs is not None and column in tables.costs.columns else None
    return Tables(leads, entries, contacts, payments, costs, where, tables.quality)


def _known_table(con: ibis.BaseBackend, path: Path, as_of: date | None, made_from: str) -> Any:
    if not path.is_file():
        return None
    # What is counted of these rows is known by their name, and other rows have another one.
    rows = con.read_parquet(path, table_name=f"{path.stem}_{made_from}")
    return known_rows(rows, path.stem, as_of)


def known_rows(rows: ir.Table, table: str, as_of: date | None) -> ir.Table:
    """The rows of a table that were known at the end of a day; undated ones always are."""
    day = KNOWN_ON[table]
    if as_of is None or day not in rows.columns:
        return rows
    return rows.filter(rows[day].isnull() | (rows[day] <= as_of))


MOST_FREE, FEWEST_WORKED = 2, 40
"""Days of the week on which nothing happens, and days with entries that show it."""


def last_day(tables: Tables, funnel: Funnel) -> date:
    """The last day the data knows: that of the export where it is stated, else of the last stage entry.

    A few entries far after all others, which are mistyped, are not the last. Where nothing ever happens on one or two
    days of the week, those after the last entry are known too: a team's week that ends on a Friday is over.

    >>> fs.last_day(tables, spec)
    datetime.date(2026, 7, 1)
    """
    if funnel.exported_on:
        return funnel.exported_on
    day = tables.entries.entered_on
    counts = day.as_table().filter(day.notnull()).group_by(day=day).aggregate(rows=day.count()).to_pyarrow()
    days = usual_days(dict(zip(counts["day"].to_pylist(), counts["rows"].to_pylist(), strict=True)))
    if days is None:
        raise FunnelError(f"{funnel.name}: no stage entry has a date; state exported_on, or see what was set aside")
    first, last = days
    worked = [day for day in counts["day"].to_pylist() if first <= day <= last]
    free = {*range(7)} - {day.weekday() for day in worked}
    while len(free) <= MOST_FREE and len(worked) >= FEWEST_WORKED and (last + timedelta(days=1)).weekday() in free:
        last += timedelta(days=1)
    return last


def trailing_window(week: str, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that a week's page judges.

    >>> [str(day) for day in fs.trailing_window("2026-W26", spec)]
    ['2026-03-30', '2026-06-28']
    """
    _, last = week_days(week)
    return last - timedelta(days=7 * funnel.judged_weeks - 1), last


def window_before(week: str, funnel: Funnel) -> tuple[date, date]:
    """The window of the same length that ends where the one a week's page judges begins.

    >>> [str(day) for day in fs.window_before("2026-W26", spec)]
    ['2025-12-29', '2026-03-29']
    """
    first, _ = trailing_window(week, funnel)
    return first - timedelta(days=7 * funnel.judged_weeks), first - timedelta(days=1)


def trend_window(week: str, funnel: Funnel) -> tuple[date, date]:
    """First and last day of the stage entries that a week's page shows week by week: twice the judged ones.

    >>> [str(day) for day in fs.trend_window("2026-W26", spec)]
    ['2025-12-29', '2026-06-28']
    """
    _, last = week_days(week)
    return last - timedelta(days=14 * funnel.judged_weeks - 1), last


def alarm_window(week: str) -> tuple[date, date]:
    """First and last day of the stage entries that a week's alarms watch: from the half-year before the week's.

    All pages of a half-year (weeks 1 to 26, and the rest) begin to count at the same day, so that however often
    one looks no alarm is due to looking often; an alarm has 26 to 52 weeks behind it.

    >>> alarm_window("2026-W26")
    (datetime.date(2025, 6, 30), datetime.date(2026, 6, 28))
    """
    year, number = int(week[:4]), int(week[6:8])
    half = f"{year - 1}-W27" if number <= 26 else f"{year}-W01"
    return week_days(half + week[8:])[0], week_days(week)[1]


class Quality(NamedTuple):
    """What preparation found: rows and money by table, rows left out as declared, facts, rows set aside, bad cells."""

    rows: pd.DataFrame
    kept: pd.DataFrame
    ignored: pd.DataFrame
    facts: list[dict[str, Any]]
    set_aside: pd.DataFrame
    bad_cells: pd.DataFrame


def read_quality(name: str) -> Quality:
    """The account of a prepared funnel.

    ``rows``: table, rows_in, rows_kept, rows_ignored, rows_set_aside, which add up. ``kept``: of the same tables
    rows_undated, amount_in (of all rows that were read), amount_kept; missing where a table has no date or no amount.
    ``ignored``: table, value, rows. ``facts``: fact, detail, count, and mend where a line of funnel.toml helps.
    ``set_aside``, and ``bad_cells`` that are missing in rows that stay: table, file, row, column, value, reason, code.

    >>> fs.read_quality("sample").rows
          table  rows_in  rows_kept  rows_ignored  rows_set_aside
    0     leads     5120       5100             0              20
    1   entries    21737      21688             8              41
    2  contacts    16501      16488             0              13
    3  payments     3559       3553             0               6
    4     costs      587        586             0               1
    """
    report = json.loads((processed_folder(name) / "quality.json").read_text(encoding="utf-8"))
    return account_of(report, pd.read_parquet(processed_folder(name) / "set_aside.parquet"), read_funnel(name))


def account_of(report: dict[str, Any], aside: pd.DataFrame, funnel: Funnel) -> Quality:
    """What preparation reports, and the rows and cells that it set aside, as frames."""
    accounts = pd.DataFrame([{"table": table} | account for table, account in report["tables"].items()])
    rows = accounts[["table", "rows_in", "rows_kept", "rows_ignored", "rows_set_aside"]]
    extent = ["rows_undated", "amount_in", "amount_kept"]
    kept = accounts.reindex(columns=["table", *extent]).astype(dict.fromkeys(extent, "float64"))
    words = _left_out_words(funnel)
    ignored = [
        (table, words.get(value, value), count)
        for table, account in report["tables"].items()
        for value, count in account["ignored"].items()
    ]
    set_aside, bad_cells = (
        aside[aside["cost"] == cost].drop(columns="cost").reset_index(drop=True) for cost in ("row", "cell")
    )
    left_out = pd.DataFrame(ignored, columns=["table", "value", "rows"])
    return Quality(rows, kept, left_out, report["facts"], set_aside, bad_cells)


def _left_out_words(funnel: Funnel) -> dict[str, str]:
    """What preparation writes of a row left out as declared, in the language of the page; values stay as they are."""
    sources = [source for table in TABLES for source in getattr(funnel, table)]
    files = {", ".join(join.files) for source in sources for join in source.join}
    columns = {header for source in funnel.entries for name, header in source.columns.items() if name == "entered_at"}
    columns |= {header for source in sources for header in source.later_by.values()}
    return {
        FURTHER_ROWS: _("further rows of a lead"),
        NO_LEAD: _("of no lead"),
        **{f"not found in {names}": _("not found in {files}").format(files=names) for names in files},
        **{f"no {column}": _("{column} is blank").format(column=column) for column in columns},
    }


def set_aside_reasons(set_aside: pd.DataFrame) -> pd.DataFrame:
    """Rows or cells set aside by reason, in words: table, file, column, reason, rows, first_row.

    >>> fs.set_aside_reasons(fs.read_quality("sample").set_aside)[["table", "reason", "rows"]].head(2)
       table                                reason  rows
    0  leads  has 3 fields where the header has 14     3
    1  leads     repeats lead_id of an earlier row    17
    """
    keys = ["table", "file", "column", "reason"]
    reasons = set_aside.assign(
        reason=set_aside["code"].map(reason_on_page).astype("str"), column=set_aside["column"].fillna("")
    )
    return reasons.groupby(keys, sort=False)["row"].agg(rows="count", first_row="min").reset_index()


def notes_path(name: str, month: str) -> Path:
    """Where the notes of a funnel's month are looked for: ``data/raw/<name>/notes/<month>.md``."""
    month_days(month)
    return project_root() / "data" / "raw" / name / "notes" / f"{month}.md"


def month_notes(name: str, month: str) -> list[tuple[str, list[str]]]:
    """The paragraphs and list items of a month's notes under their headings: ("Wins", ["Three new clients"]).

    It is plain text: nothing in it is taken for more than a heading (``#``), a list item (``-`` or ``*``) or a
    paragraph. Without notes there are none. Raises FunnelError if the file is not UTF-8.

    >>> [heading for heading, _points in fs.month_notes("sample", "2026-06")]
    ['Wins', 'What could be better']
    """
    path = notes_path(name, month)
    try:
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except UnicodeDecodeError as error:
        shown = path.relative_to(project_root()).as_posix()
        raise FunnelError(f"{shown}: must be UTF-8 text, byte {error.start} is not; save it as UTF-8") from error
    parts, paragraph = [("", list[str]())], list[str]()
    for line in [*text.splitlines(), ""]:
        words = line.strip()
        is_item = words.startswith(("- ", "* "))
        if paragraph and (not words or is_item or words.startswith("#")):
            parts[-1][1].append(" ".join(paragraph))
            paragraph = []
        if words.startswith("#"):
            parts.append((words.lstrip("#").strip().rstrip(":"), []))
        elif words:
            paragraph.append(words[2:].strip() if is_item else words)
    return [(heading, notes) for heading, notes in parts if notes]


def notes_fingerprint(name: str, month: str) -> str:
    """A digest of a month's notes, empty without them: part of what a page with notes is made from.

    >>> fs.notes_fingerprint("sample", "2026-05")
    ''
    """
    path = notes_path(name, month)
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() if path.is_file() else ""
