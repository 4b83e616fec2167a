"""One canonical table from its sources: read, map, find repeats and orphans, set bad rows aside."""

from collections import Counter
from collections.abc import Collection
from math import nan
from typing import Any, NamedTuple

import pandas as pd

from funnelstats.config.errors import FunnelError, gathered, visible
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS, KNOWN_ON
from funnelstats.config.sources import Source
from funnelstats.importing.cell_facts import grouped_columns, one_clock, swapped_dates, unread_facts, utc_days
from funnelstats.importing.cells import PLACE, ROW
from funnelstats.importing.currencies import converted, currency_facts, without_rate
from funnelstats.importing.facts import FURTHER_ROWS, NO_LEAD, Fact, code_of, reason, reason_in_file
from funnelstats.importing.files import SourceFile
from funnelstats.importing.hints import refuse_bad_columns, refuse_too_many, rows_of
from funnelstats.importing.mapping import Fault, cell_texts, faults_of, mapped, typed_cells
from funnelstats.importing.repeats import conflicts, find_repeats, from_history
from funnelstats.importing.source_rows import Files, read_source, with_their_leads
from funnelstats.importing.sql import (
    NULL,
    Connection,
    cases,
    clock_seconds,
    columns_in,
    columns_of,
    frame,
    instant_at,
    names,
    placed,
    quoted,
    record,
    single,
    text,
    utc_clock,
)

SET_ASIDE = ["table", "file", "row", "column", "value", "reason", "cost", "code"]
"""A line of what is set aside; its ``cost`` is the "row", or the "cell" of a row that stays; ``code`` is its reason."""


class Piece(NamedTuple):
    """One source read: its files, those rows that are broken, its bad cells and what is odd about it."""

    files: list[SourceFile]
    broken: pd.DataFrame
    bad_cells: pd.DataFrame
    odd: list[Fact]


class Canonical(NamedTuple):
    """The account of a table, its rows and cells set aside, and what is odd about it."""

    account: dict[str, Any]
    set_aside: pd.DataFrame
    odd: list[Fact]


def canonical_table(con: Connection, funnel: Funnel, table: str, files: Files, read: Collection[str]) -> Canonical:
    """Make one canonical table with ``_source, _file, _row``. The mistakes of all its sources are told at once.

    ``read`` are the tables made before it: its rates, its leads.
    """
    sources: tuple[Source, ...] = getattr(funnel, table)
    priced = any({"amount", "currency"} <= {*source.columns} for source in sources)
    united, checked = f"united_{table}", f"checked_{table}"
    pieces = gathered(range(len(sources)), lambda number: _piece(con, funnel, table, number, files, read))
    con.execute(f"CREATE VIEW {united} AS {_united(con, table, len(sources))}")
    if priced:
        rows = converted(con, united, table, funnel, has_rates="rates" in read)
        con.execute(f"CREATE TABLE priced_{table} AS {rows}")
        united = f"priced_{table}"
    ignored = f"SELECT _ignored, count(*) FROM {united} WHERE _ignored IS NOT NULL GROUP BY _source, _ignored"
    left_out: Counter[str] = Counter()
    for why, count in con.execute(f"{ignored} ORDER BY _source, _ignored").fetchall():
        left_out[why] += count
    account: dict[str, Any] = {
        "rows_in": sum(file.rows for piece in pieces for file in piece.files),
        "rows_ignored": left_out.total(),
        "ignored": dict(left_out),
        "files": [{"file": file.name, "kind": file.kind, "rows": file.rows} for p in pieces for file in p.files],
    }
    _check(con, united, checked, table, funnel, orphans="leads" in read)
    bad_rows = frame(
        con,
        f"""SELECT _source, _file AS file, {ROW} AS row, _column AS column, _value AS value, _reason AS reason
        FROM {checked} WHERE _reason IS NOT NULL ORDER BY {PLACE}""",
    )
    left_out_as = {"no_lead": NO_LEAD}
    if table == "leads" and from_history(con, checked, funnel):
        left_out_as["again"] = FURTHER_ROWS
    for code, why in left_out_as.items():
        so = bad_rows["reason"].map(code_of) == code
        account["rows_ignored"] += int(so.sum())
        account["ignored"] |= {why: int(so.sum())} if so.any() or why == FURTHER_ROWS else {}
        bad_rows = bad_rows[~so]
    rows_aside = pd.concat([*(piece.broken for piece in pieces), bad_rows], ignore_index=True)
    bad_cells = pd.concat([piece.bad_cells for piece in pieces], ignore_index=True)
    place = ["_source", "file", "row"]
    in_bad_rows = pd.MultiIndex.from_frame(bad_cells[place]).isin(pd.MultiIndex.from_frame(bad_rows[place]))
    bad_cells = bad_cells[~in_bad_rows].sort_values(place, kind="stable")
    odd = [fact for piece in pieces for fact in piece.odd]
    odd += [*conflicts(con, checked, table, funnel), *unread_facts(bad_cells, rows_aside, table, sources)]
    if priced:
        unpriced, told = without_rate(con, checked, table, funnel)
        bad_cells, odd = pd.concat([bad_cells, unpriced], ignore_index=True), [*odd, *told]
    refuse_too_many(rows_aside, account["rows_in"] - account["rows_ignored"], funnel, table, con)
    aside = pd.concat([rows_aside.assign(cost="row"), bad_cells.assign(cost="cell")], ignore_index=True)
    aside = aside.assign(table=table, code=aside["reason"], reason=aside["reason"].map(reason_in_file).astype("str"))
    account |= _keep(con, united, checked, table, funnel)
    for number in range(len(sources)):
        con.execute(f"DROP TABLE cells_{table}_{number}")
    con.execute(f"DROP TABLE IF EXISTS priced_{table}")
    return Canonical(account, aside[SET_ASIDE], odd)


def _keep(con: Connection, united: str, checked: str, table: str, funnel: Funnel) -> dict[str, Any]:
    """Make the table of the good rows, and tell how many these are, how many are undated, and what sums they hold.

    Of the amounts that can be read the sum, and that of rows kept.
    """
    helpers = [each for each in columns_in(con, checked) if each in ("_column", "_value", "_reason", "_no_rate")]
    con.execute(f"CREATE VIEW good_{table} AS SELECT * EXCLUDE ({names(helpers)}) FROM {checked} WHERE _reason IS NULL")
    con.execute(f"CREATE TABLE {table} AS FROM good_{table}")
    if table == "entries":
        _days_as_ties(con, funnel)
    columns, day = columns_in(con, table), KNOWN_ON[table]
    kept = {"rows_kept": "count(*)"}
    kept |= {"rows_undated": f"count(*) FILTER (WHERE {quoted(day)} IS NULL)"} if day in columns else {}
    account = record(con, table, kept)
    if "amount" in columns:
        for key, rows in (("amount_in", united), ("amount_kept", table)):
            # Two sums of floats are the same in one order only.
            ((total,),) = con.execute(f"SELECT fsum(amount) FROM {rows}").fetchall()
            account[key] = nan if total is None else total
    return account


def _piece(con: Connection, funnel: Funnel, table: str, number: int, files: Files, read: Collection[str]) -> Piece:
    """One source of a table: its cells typed, in a table, and the view of them mapped.

    Raises FunnelError where most of a column cannot be read.
    """
    source: Source = getattr(funnel, table)[number]
    own = f"{table}_{number}"
    cells, selected = f"cells_{own}", f"selected_{own}"
    raw, sources = read_source(con, funnel, table, source, files, f"raw_{own}")
    texts = cell_texts(con, raw, funnel, table, source)
    con.execute(f"CREATE TABLE {cells} AS {typed_cells(texts, funnel, table, source)}")
    for place in range(len(sources)):
        con.execute(f"DROP TABLE raw_{own}_{place}")
    _refuse_unmapped(con, cells, table, source)
    if "leads" in read and table != "leads" and (source.lead_by or source.ids):
        con.execute(f"CREATE TABLE found_{own} AS {with_their_leads(con, cells, table, source)}")
        con.execute(f"DROP TABLE {cells}; ALTER TABLE found_{own} RENAME TO {cells}")
    con.execute(f"CREATE VIEW {selected} AS SELECT * FROM {cells} WHERE _ignored IS NULL")
    faults = faults_of(columns_in(con, cells), funnel, table, source)
    counts = record(
        con,
        selected,
        {"rows": "count(*)"}
        | {f"filled_{column}": f"count({quoted(column)})" for column in source.columns}
        | {f"_{place}": f"count(*) FILTER (WHERE {fault.when})" for place, fault in enumerate(faults)},
    )
    occurring = [(fault, counts[f"_{place}"]) for place, fault in enumerate(faults) if counts[f"_{place}"]]
    refuse_bad_columns(con, cells, occurring, counts, funnel, table, source)
    days, odd = utc_days(con, selected, funnel, table, source)
    sheets = [file.name for file in sources if file.is_workbook]
    odd += [*one_clock(con, selected, funnel, table, source, days)]
    odd += [*swapped_dates(con, selected, funnel, table, source, sheets)]
    odd += [*grouped_columns(con, selected, table, source)]
    odd += currency_facts(con, selected, funnel, table, source, [] if source.database else sources)
    at_fault = [fault for fault, _count in occurring]
    rows = mapped(cells, funnel, table, source, number, faults=at_fault, utc_days=days)
    con.execute(f"CREATE VIEW mapped_{own} AS {rows}")
    broken = [(file.name, row, None, value, why) for file in sources for row, value, why in file.read.broken]
    return Piece(
        sources,
        pd.DataFrame(broken, columns=["file", "row", "column", "value", "reason"]).astype({"row": "int64"}),
        _bad_cells(con, cells, [fault for fault in at_fault if not fault.costs_row], number),
        odd,
    )


def _bad_cells(con: Connection, cells: str, faults: list[Fault], number: int) -> pd.DataFrame:
    """The cells that cannot be read and cost no row, each a line as in the file, with its canonical ``name``."""
    lines = [
        frame(
            con,
            f"""SELECT {number}::INTEGER AS _source, _file AS file, {ROW} AS row, {text(fault.header)} AS column,
                {fault.value} AS value, {text(fault.reason)} AS reason, {text(fault.column)} AS name
            FROM {cells} WHERE {fault.when}""",
        )
        for fault in faults
    ]
    empty = pd.DataFrame(columns=["_source", "file", "row", "column", "value", "reason", "name"], dtype="str")
    types = {"_source": "int32", "row": "int64"}
    return pd.concat([empty.astype(types), *lines], ignore_index=True)


def _refuse_unmapped(con: Connection, cells: str, table: str, source: Source) -> None:
    if table != "entries" or source.unmapped == "ignore":
        return
    unmapped = con.execute(f"""SELECT _unmapped, _file, count(*), min({ROW}) FROM {cells}
        WHERE _unmapped IS NOT NULL AND _ignored IS NULL
        GROUP BY _unmapped, _file ORDER BY _file, min({ROW})""").fetchall()
    mistakes = [
        f'{file}: row {row}, column "{source.columns["stage"]}": "{visible(value)}" '
        f'({rows_of(rows)}) is mapped to no stage; add it to values.stage, or state unmapped = "ignore"'
        for value, file, rows, row in unmapped
    ]
    if mistakes:
        raise FunnelError("\n".join(mistakes))


def _united(con: Connection, table: str, sources: int) -> str:
    """The rows of all sources with the same columns in the same order, null where a source has none."""
    pieces = [f"mapped_{table}_{number}" for number in range(sources)]
    types = {column: kind for piece in pieces for column, kind in columns_in(con, piece).items()}
    if table == "entries":
        # Ends may have no date, and no source need say whose they are, or why.
        always = {"entered_at": "TIMESTAMP", "entered_on": "DATE", "manager": "VARCHAR", "reason": "VARCHAR"}
        types |= {column: kind for column, kind in always.items() if column not in types}
    parts = []
    for piece in pieces:
        own = columns_in(con, piece)
        alike = {column: quoted(column) if column in own else f"{NULL}::{kind}" for column, kind in types.items()}
        parts.append(f"SELECT {columns_of(alike)} FROM {piece}")
    return " UNION ALL ".join(parts)


def _check(con: Connection, united: str, checked: str, table: str, funnel: Funnel, *, orphans: bool) -> None:
    """The view of the selected rows, of which those that stand there already, or belong to no lead, get a reason too.

    It lies in their id.
    """
    selected = f"selected_{table}"
    con.execute(
        f"CREATE VIEW {selected} AS SELECT * EXCLUDE (_ignored, _unmapped) FROM {united} WHERE _ignored IS NULL"
    )
    find_repeats(con, selected, table, funnel)
    has_id = "lead_id" in columns_in(con, selected)
    why = "_why"
    if orphans and has_id:
        orphan = "rows.lead_id IS NULL OR NOT EXISTS (SELECT 1 FROM leads WHERE leads.lead_id = rows.lead_id)"
        others = [number for number, source in enumerate(getattr(funnel, table)) if source.no_lead == "ignore"]
        left_out = [(f"_source = {number} AND ({orphan})", text(reason("no_lead"))) for number in others]
        why = f"coalesce(_why, {cases([*left_out, (orphan, text(reason('orphan')))])})"
    headers = enumerate(source.columns.get("lead_id", "") for source in getattr(funnel, table))
    header = cases((f"_source = {number}", text(each)) for number, each in headers)
    con.execute(f"ALTER TABLE again RENAME TO again_{table}")
    rows = f"SELECT rows.*, {why} AS _new FROM {selected} AS rows LEFT JOIN again_{table} USING ({PLACE})"
    new = "_reason IS NULL AND _new IS NOT NULL"
    exchanged = {
        "_reason": "coalesce(_reason, _new)",
        "_column": cases([(new, header)], "_column"),
        "_value": cases([(new, "lead_id" if has_id else "''")], "_value"),
    }
    con.execute(
        f"CREATE VIEW {checked} AS SELECT * EXCLUDE (_latest, _new) REPLACE ({columns_of(exchanged)}) FROM ({rows})"
    )


def _days_as_ties(con: Connection, funnel: Funnel) -> None:
    """Make an entry known by its day only tie with the others of its lead and day.

    Midnight is no hour that a CRM knows. Such an entry stands at the latest entry of an earlier stage on
    its day, so that ties follow the funnel's order, ends last: a refusal typed as a day alone neither
    comes before the meeting of that morning nor makes what follows it a second lead.
    """
    midnight = utc_clock(instant_at(funnel.timezone, "entered_on::TIMESTAMP"))
    day_only = cases([(f"{clock_seconds('entered_at')} != 0", "FALSE")], f"entered_at = {midnight}")
    if not single(con, f"SELECT count(*) FROM entries WHERE {day_only}"):
        return
    place = placed("stage", [*funnel.stages, *ENDS])
    con.execute(f"""CREATE TABLE tied AS
        WITH rows AS (SELECT *, {day_only} AS _day_only, {place} AS _place FROM entries),
        days AS (SELECT DISTINCT lead_id, entered_on, _place FROM rows WHERE _day_only),
        latest AS (SELECT lead_id, entered_on, days._place, max(entered_at) AS _latest
            FROM days JOIN rows AS timed USING (lead_id, entered_on)
            WHERE NOT timed._day_only AND timed._place < days._place GROUP BY ALL)
        SELECT rows.* EXCLUDE (_day_only, _place)
            REPLACE (CASE WHEN _day_only THEN coalesce(_latest, entered_at) ELSE entered_at END AS entered_at)
        FROM rows LEFT JOIN latest USING (lead_id, entered_on, _place)""")
    con.execute("DROP TABLE entries; ALTER TABLE tied RENAME TO entries")
