"""One canonical table from its sources: read, map, find repeats and orphans, set bad rows aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from funnelstats.config.errors import FunnelError, gathered, suggestion, visible
from funnelstats.config.funnel import Funnel, Join, Source, project_root
from funnelstats.config.schema import ENDS
from funnelstats.importing.cells import BLANKS, ROW, Read, instant_at, trimmed, wall_clock
from funnelstats.importing.doubts import cell_facts, of_cells, utc_days
from funnelstats.importing.files import read_file
from funnelstats.importing.mapping import Fault, cell_texts, faults_of, mapped, typed_cells
from funnelstats.importing.names import of_currencies
from funnelstats.importing.repeats import DAYS, LATEST, UNIQUE, conflicts, overlapped, repeats_first
from funnelstats.importing.typed_files import read_database
from funnelstats.importing.unreadable import bad_columns, refuse_too_many, rows_of

SET_ASIDE = ["table", "file", "row", "column", "value", "reason", "cost"]
"""A line of what is set aside; its ``cost`` is the "row", or the "cell" of a row that stays."""


class Piece(NamedTuple):
    """One source read: its mapped rows, its cells as typed, the faults that occur there, its broken lines."""

    rows: ir.Table
    cells: ir.Table
    faults: list[Fault]
    broken: pd.DataFrame


def canonical_table(
    con: ibis.BaseBackend, funnel: Funnel, table: str, files: dict[str, list[Path]], leads: ir.Table | None
) -> tuple[ir.Table, dict[str, Any], pd.DataFrame]:
    """One canonical table with ``_source, _file, _row``, its account, and its rows and cells set aside.

    The mistakes of all its sources are told at once.
    """
    account: dict[str, Any] = {"rows_in": 0, "rows_ignored": 0, "ignored": {}, "files": [], "odd": []}
    sources: tuple[Source, ...] = getattr(funnel, table)
    pieces = gathered(
        range(len(sources)), lambda number: _piece(con, funnel, table, number, files=files, account=account)
    )
    for piece in pieces:
        ignored = piece.rows.filter(piece.rows["_ignored"].notnull()).group_by("_ignored")
        counted = ignored.aggregate(rows=ibis._.count()).order_by("_ignored").execute()
        for value, count in counted.itertuples(index=False):
            account["ignored"][value] = account["ignored"].get(value, 0) + int(count)
    account["rows_ignored"] = sum(account["ignored"].values())
    kept = [piece.rows.filter(piece.rows["_ignored"].isnull()).drop("_ignored", "_unmapped") for piece in pieces]
    united = con.create_table(f"united_{table}", ibis.union(*_alike(kept, table), distinct=False))
    checked = con.create_table(f"checked_{table}", _with_repeats_and_orphans(united, table, funnel, leads))
    bad = checked.filter(checked["_reason"].notnull()).order_by(["_source", "_file", ROW])
    bad_rows = bad.select(
        "_source", file="_file", row=ROW, column="_column", value="_value", reason="_reason"
    ).execute()
    bad_cells = _bad_cells(pieces, bad_rows)
    rows_aside = pd.concat([*(piece.broken for piece in pieces), bad_rows], ignore_index=True).assign(cost="row")
    account["odd"] += conflicts(checked, table, funnel)
    account["odd"] += cell_facts(bad_cells, rows_aside, table, sources)
    refuse_too_many(rows_aside, account["rows_in"] - account["rows_ignored"], funnel, table, leads)
    aside = pd.concat([rows_aside, bad_cells.assign(cost="cell")], ignore_index=True).assign(table=table)[SET_ASIDE]
    good = checked.filter(checked["_reason"].isnull()).drop("_column", "_value", "_reason")
    return _days_as_ties(good, funnel) if table == "entries" else good, account, aside


def _piece(
    con: ibis.BaseBackend,
    funnel: Funnel,
    table: str,
    number: int,
    *,
    files: dict[str, list[Path]],
    account: dict[str, Any],
) -> Piece:
    """One source of a table, its cells typed and mapped. Raises FunnelError where most of a column cannot be read."""
    source: Source = getattr(funnel, table)[number]
    name = f"{table}_{number}"
    raw, broken, read = _read_source(con, funnel, source, files, f"raw_{name}", account)
    texts = con.create_table(f"texts_{name}", cell_texts(raw, funnel, table, source))
    con.drop_table(f"raw_{name}")
    _refuse_unmapped(texts, table, source)
    cells = con.create_table(f"cells_{name}", typed_cells(texts, funnel, table, source))
    con.drop_table(f"texts_{name}")
    selected = cells.filter(cells["_ignored"].isnull())
    faults = faults_of(selected, funnel, table, source)
    counts = selected.aggregate(
        rows=selected.count(),
        **{f"filled_{column}": selected[column].count() for column in source.columns},
        **{f"_{place}": selected.count(where=fault.when) for place, fault in enumerate(faults)},
    )
    counted = counts.execute().iloc[0]
    occurring = [(fault, int(counted[f"_{place}"])) for place, fault in enumerate(faults) if counted[f"_{place}"]]
    filled = {column: int(counted[f"filled_{column}"]) for column in source.columns}
    bad_columns(selected, occurring, filled, int(counted["rows"]), funnel, table, source)
    days, odd = utc_days(selected, funnel, table, source)
    sheets = [file for _path, file, _header, kind in read if kind == "XLSX"]
    account["odd"] += [*odd, *of_cells(selected, funnel, table, source, sheets)]
    account["odd"] += of_currencies(selected, funnel, table, source, read)
    # Conditions of the rows that are selected, said of all of them.
    occurs = {(fault.column, fault.reason, fault.costs_row) for fault, _ in occurring}
    known = [f for f in faults_of(cells, funnel, table, source) if (f.column, f.reason, f.costs_row) in occurs]
    rows = con.create_table(f"mapped_{name}", mapped(cells, funnel, table, source, number, faults=known, utc_days=days))
    return Piece(rows, cells, [fault for fault in known if not fault.costs_row], broken)


def _bad_cells(pieces: list[Piece], bad_rows: pd.DataFrame) -> pd.DataFrame:
    """The cells that cannot be read in rows that stay, each a line as in the file, with its canonical ``name``."""
    lines = [
        piece.cells.filter(piece.cells["_ignored"].isnull() & fault.when)
        .select(
            _source=ibis.literal(number, "int32"),
            file="_file",
            row=ROW,
            column=ibis.literal(fault.header),
            value=fault.value,
            reason=ibis.literal(fault.reason),
            name=ibis.literal(fault.column),
        )
        .execute()
        for number, piece in enumerate(pieces)
        for fault in piece.faults
    ]
    empty = pd.DataFrame(columns=["_source", "file", "row", "column", "value", "reason", "name"], dtype="str")
    found = pd.concat(lines, ignore_index=True) if lines else empty.astype({"row": "int64", "_source": "int32"})
    place = ["_source", "file", "row"]
    found = found.merge(bad_rows[place].drop_duplicates().astype(found[place].dtypes), "left", indicator="_in")
    return found[found["_in"] == "left_only"].sort_values(place, kind="stable").drop(columns="_in")


def _read_source(
    con: ibis.BaseBackend,
    funnel: Funnel,
    source: Source,
    files: dict[str, list[Path]],
    name: str,
    account: dict[str, Any],
) -> tuple[ir.Table, pd.DataFrame, list[tuple[Path, str, list[str], str]]]:
    """The source's columns of text with ``_file`` and ``_row``, joined ones added; broken rows; its files.

    A file has its path, its name in the account, its header and its kind; a database's table is none.
    """
    named = {*source.columns.values(), *source.attributes.values(), *source.only, *source.without}
    named |= {source.latest_by} if source.latest_by else set()
    lookups = [_lookup(con, join, files, named, f"{name}_{i}", i) for i, join in enumerate(source.join)]
    added = [column for lookup in lookups for column in lookup.columns]
    wanted = sorted({*(join.left for join in source.join), *(named - set(added))})
    reads: list[tuple[str, Read]]
    paths: list[Path] = []
    if source.database:
        reads = [(str(source.table), read_database(source.database, str(source.table), wanted))]
    else:
        folder = project_root() / "data" / "raw" / funnel.name
        paths = list(dict.fromkeys(path for pattern in source.files for path in files[pattern]))
        read = gathered(
            paths,
            lambda path: read_file(
                path, wanted, encoding=source.encoding, sheet=source.sheet, header_row=source.header_row
            ),
        )
        reads = [(path.relative_to(folder).as_posix(), found) for path, found in zip(paths, read, strict=True)]
    parts, broken = [], []
    for file, found in reads:
        folded = [name.casefold() for name in (*added, *found.columns.column_names)]
        for column in sorted(name for name in added if name in found.header or folded.count(name.casefold()) > 1):
            raise FunnelError(
                f'{file}: a file joined to it has a column "{column}" too; '
                'state a prefix for the columns of one, for example join.prefix = "joined."'
            )
        rows = found.columns.num_rows + len(found.broken)
        account["files"].append({"file": file, "kind": found.kind, "rows": rows})
        account["rows_in"] += rows
        parts.append(found.columns.append_column("_file", pa.array([file] * found.columns.num_rows, pa.string())))
        broken += [(file, row, None, value, reason) for row, value, reason in found.broken]
    raw = con.create_table(name, pa.concat_tables(parts))
    for join, lookup in zip(source.join, lookups, strict=True):
        raw = raw.left_join(lookup, trimmed(raw[join.left], BLANKS) == lookup[lookup.columns[0]])
    lines = pd.DataFrame(broken, columns=SET_ASIDE[1:6]).astype({"row": "int64"})
    kinds = [(path, file, found.header, found.kind) for path, (file, found) in zip(paths, reads, strict=False)]
    return raw, lines, kinds


def _lookup(
    con: ibis.BaseBackend, join: Join, files: dict[str, list[Path]], named: set[str], name: str, number: int
) -> ir.Table:
    """A joined file: its key as ``_match``, which may stand there once only, and its named columns, prefixed."""
    reads = [
        read_file(path, encoding=join.encoding, header_row=join.header_row)
        for pattern in join.files
        for path in files[pattern]
    ]
    file = ", ".join(join.files)
    rows = con.create_table(name, pa.concat_tables([read.columns for read in reads], promote_options="default"))
    if join.right not in rows.columns:
        raise FunnelError(f'{file}: no column "{join.right}"; {suggestion(join.right, rows.columns)}')
    for row, value, reason in (line for read in reads for line in read.broken):
        raise FunnelError(f'{file}: row {row} {reason}: "{value}"; a joined file must be whole')
    match = f"_match{number}"
    rows = rows.mutate(**{match: trimmed(rows[join.right], BLANKS)}).filter(ibis._[match] != "")
    twice = rows.group_by(match).aggregate(rows=rows.count(), row=rows[ROW].max())
    several = twice.filter(twice["rows"] > 1).order_by("row").execute()
    for value, _, row in several.head(1).itertuples(index=False):
        raise FunnelError(
            f'{file}: row {row}: {join.right} "{visible(value)}" stands there again; a join needs it once, and '
            f"{len(several):,} of {twice.count().execute():,} stand there several times. Join by a key that names one "
            f"row, such as the id of the deal itself, or join a file that holds each {join.right} once"
        )
    others = {f"{join.prefix}{column}": column for column in rows.columns if column not in (join.right, ROW, match)}
    return rows.select(match, **{new: column for new, column in others.items() if new in named})


def _refuse_unmapped(rows: ir.Table, table: str, source: Source) -> None:
    if table != "entries" or source.unmapped == "ignore":
        return
    unmapped = rows.filter(rows["_unmapped"].notnull() & rows["_ignored"].isnull()).group_by("_unmapped", "_file")
    counted = unmapped.aggregate(rows=ibis._.count(), row=ibis._[ROW].min()).order_by(["_file", "row"]).execute()
    if not counted.empty:
        column = source.columns["stage"]
        raise FunnelError(
            "\n".join(
                f'{line.file}: row {line.row}, column "{column}": "{visible(line.value)}" ({rows_of(line.rows)}) is '
                'mapped to no stage; add it to values.stage, or state unmapped = "ignore"'
                for line in counted.rename(columns={"_unmapped": "value", "_file": "file"}).itertuples()
            )
        )


def _alike(pieces: list[ir.Table], table: str) -> list[ir.Table]:
    """The pieces with the same columns in the same order, null where a source has none."""
    types = {column: kind for piece in pieces for column, kind in piece.schema().items()}
    if table == "entries":
        types |= {column: types.get(column, "string") for column in ("manager", "reason")}
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
    """Rows that stand there twice, or belong to no lead, get a reason too. The first stays, or the one stated."""
    ids = [(number, source.columns.get("lead_id", "")) for number, source in enumerate(getattr(funnel, table))]
    keys = UNIQUE.get(table, [])
    keys = keys if {*keys} <= {*rows.columns} else []
    if keys:
        rows = rows.mutate(_good=rows["_reason"].isnull())
        # Of two rows of one instant the one that says why, or whose it is, is kept, whichever was written first.
        told = []
        if table == "entries":
            nobody = rows["manager"].isnull() | rows["manager"].isin(funnel.system_users or ("",))
            told = [rows["reason"].isnull(), nobody]
        order = [*told, *repeats_first(table, funnel)]
        alike = ibis.window(group_by=[*keys, "_good"], order_by=order)
        rows = rows.mutate(_first=rows[ROW].first().over(alike), _place=ibis.row_number().over(alike))
        reason = ibis.literal(f"repeats {' and '.join(keys)} of row ") + rows["_first"].cast("string")
        again = (rows["_place"] > 0) & rows[keys[0]].notnull()
        rows = _blamed(rows, again, reason, ids).drop("_good", "_first", "_place")
    rows = rows.drop(LATEST)
    if table in DAYS:
        rows = overlapped(rows, table)
        reason = ibis.literal("repeats a row of ") + rows["_again"]
        rows = _blamed(rows, rows["_again"].notnull(), reason, ids).drop("_again")
    if leads is not None and "lead_id" in rows.columns:
        rows = rows.left_join(leads.select(_lead="lead_id"), [("lead_id", "_lead")])
        rows = _blamed(rows, rows["_lead"].isnull(), ibis.literal("belongs to no lead"), ids).drop("_lead")
    return rows


def _blamed(rows: ir.Table, when: ir.BooleanValue, reason: ir.StringValue, ids: list[tuple[int, str]]) -> ir.Table:
    """The rows with a reason that lies in their id, where they had none; ``ids`` names its column by source."""
    new = rows["_reason"].isnull() & when
    return rows.mutate(
        _reason=ibis.ifelse(new, reason, rows["_reason"]),
        _column=ibis.ifelse(new, rows["_source"].cases(*ids), rows["_column"]),
        _value=ibis.ifelse(new, rows["lead_id"] if "lead_id" in rows.columns else "", rows["_value"]),
    )


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
