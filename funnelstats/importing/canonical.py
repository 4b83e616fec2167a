"""One canonical table from its sources: read, map, find repeats and orphans, set bad rows aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from funnelstats.config.dates import EXCEL, EXCEL_1904
from funnelstats.config.errors import FunnelError, gathered, listed, suggestion, visible
from funnelstats.config.funnel import FileKeys, Funnel, Join, Source
from funnelstats.config.schema import ENDS, KEYS_OF_KIND, KNOWN_ON, ROW_NUMBER, TABLES
from funnelstats.importing.cell_facts import (
    currency_facts,
    grouped_columns,
    one_clock,
    swapped_dates,
    unread_facts,
    utc_days,
)
from funnelstats.importing.cells import BLANKS, ROW, id_form, instant_at, trimmed, wall_clock
from funnelstats.importing.closing import Needs
from funnelstats.importing.facts import FURTHER_ROWS, Fact, code_of, reason, reason_in_file
from funnelstats.importing.files import SourceFile, read_database, read_source_file
from funnelstats.importing.hints import refuse_bad_columns, refuse_too_many, rows_of
from funnelstats.importing.mapping import (
    NUMBER,
    Fault,
    cell_texts,
    faults_of,
    mapped,
    typed_cells,
    with_their_leads,
)
from funnelstats.importing.rates import converted, without_rate
from funnelstats.importing.repeats import conflicts, from_history, with_repeats
from funnelstats.importing.workbooks import XLSX_1904

SET_ASIDE = ["table", "file", "row", "column", "value", "reason", "cost", "code"]
"""A line of what is set aside; its ``cost`` is the "row", or the "cell" of a row that stays; ``code`` is its reason."""
PLACE = ["_source", "_file", ROW]

Files = dict[str, list[Path]]


class Piece(NamedTuple):
    """One source read: its files, mapped rows, those that are broken, its bad cells and what is odd about it."""

    files: list[SourceFile]
    rows: ir.Table
    broken: pd.DataFrame
    bad_cells: pd.DataFrame
    odd: list[Fact]


class Canonical(NamedTuple):
    """A table with ``_source, _file, _row``, its account, its rows and cells set aside, and what is odd about it."""

    rows: ir.Table
    account: dict[str, Any]
    set_aside: pd.DataFrame
    odd: list[Fact]


def canonical_table(
    con: ibis.BaseBackend, funnel: Funnel, table: str, files: Files, tables: Mapping[str, ir.Table]
) -> Canonical:
    """One canonical table, by those read before it: rates, leads. The mistakes of all its sources are told at once."""
    sources: tuple[Source, ...] = getattr(funnel, table)
    leads = tables.get("leads")
    priced = any({"amount", "currency"} <= {*source.columns} for source in sources)
    pieces = gathered(range(len(sources)), lambda number: _piece(con, funnel, table, number, files, leads))
    united = con.create_table(f"united_{table}", ibis.union(*_alike([piece.rows for piece in pieces], table)))
    if priced:
        united = con.create_table(f"priced_{table}", converted(united, table, funnel, tables.get("rates")))
    ignored = united.filter(united["_ignored"].notnull()).group_by("_source", "_ignored").aggregate(rows=ibis._.count())
    left_out = ignored.order_by("_source", "_ignored").execute().groupby("_ignored", sort=False)["rows"].sum()
    account = {
        "rows_in": sum(file.rows for piece in pieces for file in piece.files),
        "rows_ignored": int(left_out.sum()),
        "ignored": left_out.to_dict(),
        "files": [{"file": file.name, "kind": file.kind, "rows": file.rows} for p in pieces for file in p.files],
    }
    selected = united.filter(united["_ignored"].isnull()).drop("_ignored", "_unmapped")
    checked = con.create_table(f"checked_{table}", _with_repeats_and_orphans(selected, table, funnel, leads))
    bad = checked.filter(checked["_reason"].notnull()).order_by(PLACE)
    bad_rows = bad.select(
        "_source", file="_file", row=ROW, column="_column", value="_value", reason="_reason"
    ).execute()
    if table == "leads" and from_history(checked, funnel):
        again = bad_rows["reason"].map(code_of) == "again"
        account["rows_ignored"] += int(again.sum())
        account["ignored"][FURTHER_ROWS] = int(again.sum())
        bad_rows = bad_rows[~again]
    rows_aside = pd.concat([*(piece.broken for piece in pieces), bad_rows], ignore_index=True)
    bad_cells = _in_rows_that_stay(pd.concat([piece.bad_cells for piece in pieces], ignore_index=True), bad_rows)
    odd = [fact for piece in pieces for fact in piece.odd]
    odd += [*conflicts(checked, table, funnel), *unread_facts(bad_cells, rows_aside, table, sources)]
    if priced:
        unpriced, told = without_rate(checked, table, funnel)
        bad_cells, odd = pd.concat([bad_cells, unpriced], ignore_index=True), [*odd, *told]
    refuse_too_many(rows_aside, account["rows_in"] - account["rows_ignored"], funnel, table, leads)
    aside = pd.concat([rows_aside.assign(cost="row"), bad_cells.assign(cost="cell")], ignore_index=True)
    aside = aside.assign(table=table, code=aside["reason"], reason=aside["reason"].map(reason_in_file).astype("str"))
    helpers = {"_column", "_value", "_reason", "_no_rate"} & {*checked.columns}
    good = checked.filter(checked["_reason"].isnull()).drop(*helpers)
    account |= _kept_of(good, united, table)
    good = _days_as_ties(good, funnel) if table == "entries" else good
    return Canonical(good, account, aside[SET_ASIDE], odd)


def _kept_of(good: ir.Table, united: ir.Table, table: str) -> dict[str, Any]:
    """Of the rows kept those without a date, and of the amounts that can be read the sum, and that of rows kept."""
    day = KNOWN_ON[table]
    account: dict[str, Any] = {}
    if day in good.columns:
        account["rows_undated"] = int(good.count(where=good[day].isnull()).execute())
    if "amount" in good.columns:
        sums = [rows.amount.sum().execute() for rows in (united, good)]
        account |= {key: float(total or 0) for key, total in zip(("amount_in", "amount_kept"), sums, strict=True)}
    return account


def _piece(
    con: ibis.BaseBackend, funnel: Funnel, table: str, number: int, files: Files, leads: ir.Table | None
) -> Piece:
    """One source of a table, its cells typed and mapped. Raises FunnelError where most of a column cannot be read."""
    source: Source = getattr(funnel, table)[number]
    name = f"{table}_{number}"
    raw, read = _read_source(con, funnel, table, source, files, f"raw_{name}")
    texts = con.create_table(f"texts_{name}", cell_texts(raw, funnel, table, source))
    con.drop_table(f"raw_{name}")
    _refuse_unmapped(texts, table, source)
    cells = con.create_table(f"cells_{name}", typed_cells(texts, funnel, table, source))
    con.drop_table(f"texts_{name}")
    if leads is not None and (source.lead_by or source.ids):
        cells = con.create_table(f"found_{name}", with_their_leads(cells, leads, table, source))
    chosen = cells["_ignored"].isnull()
    selected = cells.filter(chosen)
    faults = faults_of(cells, funnel, table, source)
    counted = cells.aggregate(
        rows=cells.count(where=chosen),
        **{f"filled_{column}": cells[column].count(where=chosen) for column in source.columns},
        **{f"_{place}": cells.count(where=fault.when) for place, fault in enumerate(faults)},
    )
    counts = counted.execute().iloc[0]
    occurring = [(fault, int(counts[f"_{place}"])) for place, fault in enumerate(faults) if counts[f"_{place}"]]
    refuse_bad_columns(cells, occurring, counts, funnel, table, source)
    days, odd = utc_days(selected, funnel, table, source)
    sheets = [file.name for file in read if file.kind.startswith("XLSX")]
    odd += [*one_clock(selected, funnel, table, source, days)]
    odd += [*swapped_dates(selected, funnel, table, source, sheets), *grouped_columns(selected, table, source)]
    odd += currency_facts(selected, funnel, table, source, [] if source.database else read)
    at_fault = [fault for fault, _count in occurring]
    rows = con.create_table(
        f"mapped_{name}", mapped(cells, funnel, table, source, number, faults=at_fault, utc_days=days)
    )
    broken = [(file.name, row, None, value, why) for file in read for row, value, why in file.read.broken]
    return Piece(
        read,
        rows,
        pd.DataFrame(broken, columns=["file", "row", "column", "value", "reason"]).astype({"row": "int64"}),
        _bad_cells(cells, [fault for fault in at_fault if not fault.costs_row], number),
        odd,
    )


def _bad_cells(cells: ir.Table, faults: list[Fault], number: int) -> pd.DataFrame:
    """The cells that cannot be read and cost no row, each a line as in the file, with its canonical ``name``."""
    lines = [
        cells.filter(fault.when).select(
            _source=ibis.literal(number, "int32"),
            file="_file",
            row=ROW,
            column=ibis.literal(fault.header),
            value=fault.value,
            reason=ibis.literal(fault.reason),
            name=ibis.literal(fault.column),
        )
        for fault in faults
    ]
    empty = pd.DataFrame(columns=["_source", "file", "row", "column", "value", "reason", "name"], dtype="str")
    types = {"_source": "int32", "row": "int64"}
    return pd.concat([empty.astype(types), *(line.execute() for line in lines)], ignore_index=True)


def _in_rows_that_stay(bad_cells: pd.DataFrame, bad_rows: pd.DataFrame) -> pd.DataFrame:
    place = ["_source", "file", "row"]
    aside = pd.MultiIndex.from_frame(bad_rows[place])
    stays = ~pd.MultiIndex.from_frame(bad_cells[place]).isin(aside)
    return bad_cells[stays].sort_values(place, kind="stable")


def _read_source(
    con: ibis.BaseBackend, funnel: Funnel, table: str, source: Source, files: Files, name: str
) -> tuple[ir.Table, list[SourceFile]]:
    """The source's columns of text with ``_file`` and ``_row``, joined ones added; its files, or its database table."""
    headers = [*source.columns.values(), *source.attributes.values()]
    named = {part for header in headers for part in header.parts} - {ROW_NUMBER}
    named |= {*source.only, *source.without, *source.later_by.values()}
    named |= {source.latest_by} if source.latest_by else set()
    keys = {join.left for join in source.join}
    # The key of a joined file may stand in one that is joined before it, and be named by its prefix.
    named |= {key for key in keys for join in source.join if join.prefix and key.startswith(join.prefix)}
    lookups = [_lookup(con, join, files, named, f"{name}_{i}", i) for i, join in enumerate(source.join)]
    added = [column for lookup in lookups for column in lookup.columns]
    wanted = sorted({*((named | keys) - set(added)), *source.fill_down})
    needs = Needs(tuple(header for header in _needed_headers(table, source) if header in wanted), source.without)
    if source.database:
        stored = str(source.table)
        reads = [SourceFile(Path(stored), stored, read_database(source.database, stored, wanted))]
    else:
        paths = _paths(source, files)
        reads = gathered(
            paths,
            lambda path: SourceFile(
                path, path.relative_to(funnel.folder).as_posix(), read_source_file(path, source, wanted, needs)
            ),
        )
        _refuse_keys(source, [(file.name, file.kind) for file in reads])
        for file in reads:
            if file.kind == XLSX_1904 and any(EXCEL in formats for formats in source.date_format.values()):
                raise FunnelError(
                    f'{file.name}: the workbook counts days since 1904; state date_format = "{EXCEL_1904}"'
                )
    parts = []
    for file in reads:
        columns = file.read.columns
        folded = [column.casefold() for column in (*added, *columns.column_names)]
        for column in sorted(name for name in added if name in file.header or folded.count(name.casefold()) > 1):
            raise FunnelError(
                f'{file.name}: a file joined to it has a column "{column}" too; '
                'state a prefix for the columns of one, for example join.prefix = "joined."'
            )
        parts.append(columns.append_column("_file", pa.array([file.name] * columns.num_rows, pa.string())))
    raw = con.create_table(name, pa.concat_tables(parts))
    for join, lookup in zip(source.join, lookups, strict=True):
        raw = raw.left_join(lookup, id_form(trimmed(raw[join.left], BLANKS), join.ids) == lookup[lookup.columns[0]])
    return (_numbered(raw, funnel, files) if ROW_NUMBER in headers else raw), reads


def _refuse_keys(stated: FileKeys, read: Sequence[tuple[str, str]]) -> None:
    """Stop where a key is stated that none of the files has, by their names and kinds."""
    there = {kind.split()[0] for _name, kind in read}
    mistakes = [
        f"{read[0][0]}: {key}: only {listed(kinds)} files have it, and this was read as {read[0][1]}; leave it out"
        for key, kinds in KEYS_OF_KIND.items()
        if key in stated.model_fields_set and there.isdisjoint(kinds)
    ]
    if mistakes:
        raise FunnelError("\n".join(mistakes))


def _needed_headers(table: str, source: Source) -> list[str]:
    """The headers of the cells without which a row is none; a date that declares a row left out is none of them."""
    left_out = {"entered_at"} if source.stage is not None else {*source.later_by}
    needed = [name for name, spec in TABLES[table].items() if spec.required and name not in left_out]
    return [part for name in needed if name in source.columns for part in source.columns[name].parts[:1]]


def _paths(source: Source, files: Files) -> list[Path]:
    return list(dict.fromkeys(path for pattern in source.files for path in files[pattern]))


def _numbered(raw: ir.Table, funnel: Funnel, files: Files) -> ir.Table:
    """The rows with their number as an id, which their file goes before where rows of several files have such ids."""
    sources = [source for table in TABLES for source in getattr(funnel, table) if ROW_NUMBER in source.columns.values()]
    number = raw[ROW].cast("string")
    if len({path for source in sources for path in _paths(source, files)}) > 1:
        number = raw["_file"] + ":" + number
    return raw.mutate(**{NUMBER: number})


def _lookup(con: ibis.BaseBackend, join: Join, files: Files, named: set[str], name: str, number: int) -> ir.Table:
    """A joined file: its key as ``_match``, which may stand there once only, and its named columns, prefixed."""
    reads = [
        read_source_file(path, join, None, Needs((join.right,), {}))
        for pattern in join.files
        for path in files[pattern]
    ]
    file = ", ".join(join.files)
    _refuse_keys(join, [(file, read.kind) for read in reads])
    rows = con.create_table(name, pa.concat_tables([read.columns for read in reads], promote_options="default"))
    for header in (join.right, *join.fill_down):
        if header not in rows.columns:
            raise FunnelError(f'{file}: no column "{header}"; {suggestion(header, rows.columns)}')
    for row, value, why in (line for read in reads for line in read.broken if code_of(line[2]) != "closing"):
        raise FunnelError(f'{file}: row {row} {reason_in_file(why)}: "{value}"; a joined file must be whole')
    match = f"_match{number}"
    rows = rows.mutate(**{match: id_form(trimmed(rows[join.right], BLANKS), join.ids)}).filter(ibis._[match] != "")
    twice = rows.group_by(match).aggregate(rows=rows.count(), row=rows[ROW].max())
    several = twice.filter(twice["rows"] > 1).order_by("row").execute()
    for value, _, row in several.head(1).itertuples(index=False):
        raise FunnelError(
            f'{file}: row {row}: {join.right} "{visible(value)}" stands there again; a join needs it once, and '
            f"{len(several):,} of {twice.count().execute():,} stand there several times. Join by a key that names one "
            f"row, such as the id of the deal itself, or join a file that holds each {join.right} once; if it names a "
            f'contact who has several leads, state lead_by = {{ "{join.left}" = ... }} instead of the join'
        )
    others = {f"{join.prefix}{column}": column for column in rows.columns if column not in (join.right, ROW, match)}
    return rows.select(match, **{new: column for new, column in others.items() if new in named})


def _refuse_unmapped(rows: ir.Table, table: str, source: Source) -> None:
    if table != "entries" or source.unmapped == "ignore":
        return
    unmapped = rows.filter(rows["_unmapped"].notnull() & rows["_ignored"].isnull())
    counted = unmapped.group_by(value="_unmapped", file="_file").aggregate(rows=ibis._.count(), row=ibis._[ROW].min())
    mistakes = [
        f'{line.file}: row {line.row}, column "{source.columns["stage"]}": "{visible(line.value)}" '
        f'({rows_of(line.rows)}) is mapped to no stage; add it to values.stage, or state unmapped = "ignore"'
        for line in counted.order_by(["file", "row"]).execute().itertuples()
    ]
    if mistakes:
        raise FunnelError("\n".join(mistakes))


def _alike(pieces: list[ir.Table], table: str) -> list[ir.Table]:
    """The pieces with the same columns in the same order, null where a source has none."""
    types = {column: kind for piece in pieces for column, kind in piece.schema().items()}
    if table == "entries":
        # Ends may have no date, and no source need say whose they are, or why.
        always = {"entered_at": "timestamp(6)", "entered_on": "date", "manager": "string", "reason": "string"}
        types |= {column: kind for column, kind in always.items() if column not in types}
    return [
        piece.select(
            **{
                column: piece[column] if column in piece.columns else ibis.literal(None, kind)
                for column, kind in types.items()
            }
        )
        for piece in pieces
    ]


def _with_repeats_and_orphans(rows: ir.Table, table: str, funnel: Funnel, leads: ir.Table | None) -> ir.Table:
    """Rows that stand there already, or belong to no lead, get a reason too, which lies in their id."""
    rows = with_repeats(rows, table, funnel)
    has_id = "lead_id" in rows.columns
    why = rows["_again"]
    if leads is not None and has_id:
        rows = rows.left_join(leads.select(_lead="lead_id"), [("lead_id", "_lead")])
        why = ibis.coalesce(rows["_again"], ibis.ifelse(rows["_lead"].isnull(), reason("orphan"), ibis.null("string")))
    headers = [(number, source.columns.get("lead_id", "")) for number, source in enumerate(getattr(funnel, table))]
    new = rows["_reason"].isnull() & why.notnull()
    rows = rows.mutate(
        _reason=rows["_reason"].coalesce(why),
        _column=ibis.ifelse(new, rows["_source"].cases(*headers), rows["_column"]),
        _value=ibis.ifelse(new, rows["lead_id"] if has_id else "", rows["_value"]),
    )
    return rows.drop("_again", *(["_lead"] if "_lead" in rows.columns else []))


def _days_as_ties(rows: ir.Table, funnel: Funnel) -> ir.Table:
    """The entries, of which one known by its day only ties with the others of its lead and day.

    Midnight is no hour that a CRM knows. Such an entry stands at the latest entry of an earlier stage on
    its day, so that ties follow the funnel's order, ends last: a refusal typed as a day alone neither
    comes before the meeting of that morning nor makes what follows it a second lead.
    """
    midnight = wall_clock("UTC", instant_at(funnel.timezone, rows.entered_on.cast("timestamp")))
    places = {stage: place for place, stage in enumerate((*funnel.stages, *ENDS))}
    rows = rows.mutate(_hour_known=rows.entered_at != midnight, _place=rows.stage.cases(*places.items()))
    timed = rows.filter(rows._hour_known).select("lead_id", "entered_on", _before="_place", _at="entered_at")
    days = rows.filter(~rows._hour_known).select("lead_id", "entered_on", "_place").distinct()
    same_day = days.join(timed, ["lead_id", "entered_on"]).filter(ibis._._before < ibis._._place)
    latest = same_day.group_by(*days.columns).aggregate(_latest=ibis._._at.max())
    rows = rows.left_join(latest, days.columns)
    at = ibis.ifelse(rows._hour_known, rows.entered_at, ibis.coalesce(rows._latest, rows.entered_at))
    return rows.mutate(entered_at=at).drop(
        "_hour_known", "_place", "_latest", *(f"{name}_right" for name in days.columns)
    )
