"""One canonical table from its sources: read, map, find repeats and orphans, set bad rows aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from funnelstats.reading.cells import BLANKS, date_hint, instant_at, trimmed, wall_clock
from funnelstats.reading.columns import ROW
from funnelstats.reading.currencies import of_currencies
from funnelstats.reading.mapping import mapped
from funnelstats.reading.readers import read_file
from funnelstats.reading.repeats import DAYS, LATEST, UNIQUE, conflicts, overlapped, repeats_first
from funnelstats.reading.stored import read_database
from funnelstats.stated.funnel import ENDS, Funnel, FunnelError, Join, Source, project_root, suggestion

SET_ASIDE = ["table", "file", "row", "column", "value", "reason"]


def canonical_table(
    con: ibis.BaseBackend, funnel: Funnel, table: str, files: dict[str, list[Path]], leads: ir.Table | None
) -> tuple[ir.Table, dict[str, Any], pd.DataFrame]:
    """One canonical table with ``_source, _file, _row``, its account, and its rows set aside."""
    account: dict[str, Any] = {"rows_in": 0, "rows_ignored": 0, "ignored": {}, "files": [], "odd": []}
    aside: list[pd.DataFrame] = []
    pieces: list[ir.Table] = []
    sources: tuple[Source, ...] = getattr(funnel, table)
    for number, source in enumerate(sources):
        raw, broken = _read_source(con, funnel, table, source, files, f"raw_{table}_{number}", account)
        aside.append(broken.assign(table=table))
        rows = con.create_table(f"mapped_{table}_{number}", mapped(raw, funnel, table, source, number))
        _refuse_unmapped(rows, table, source)
        ignored = rows.filter(rows["_ignored"].notnull()).group_by("_ignored").aggregate(rows=ibis._.count())
        for value, count in ignored.order_by("_ignored").execute().itertuples(index=False):
            account["ignored"][value] = account["ignored"].get(value, 0) + int(count)
        pieces.append(rows.filter(rows["_ignored"].isnull()).drop("_ignored", "_unmapped"))
    account["rows_ignored"] = sum(account["ignored"].values())
    united = con.create_table(f"united_{table}", ibis.union(*_alike(pieces, table), distinct=False))
    checked = con.create_table(f"checked_{table}", _with_repeats_and_orphans(united, table, funnel, leads))
    bad = checked.filter(checked["_reason"].notnull()).order_by(["_source", "_file", ROW])
    aside.append(bad.select(file="_file", row=ROW, column="_column", value="_value", reason="_reason").execute())
    rows_aside = pd.concat([frame.assign(table=table) for frame in aside], ignore_index=True)[SET_ASIDE]
    _refuse_too_many(rows_aside, account["rows_in"], funnel, table)
    account["odd"] += conflicts(checked, table, funnel)
    good = checked.filter(checked["_reason"].isnull()).drop("_column", "_value", "_reason")
    return _days_as_ties(good, funnel) if table == "entries" else good, account, rows_aside


def _read_source(
    con: ibis.BaseBackend,
    funnel: Funnel,
    table: str,
    source: Source,
    files: dict[str, list[Path]],
    name: str,
    account: dict[str, Any],
) -> tuple[ir.Table, pd.DataFrame]:
    """The source's columns of text with ``_file`` and ``_row``, joined ones added, and its broken rows."""
    named = {*source.columns.values(), *source.attributes.values(), *source.only, *source.without}
    named |= {source.latest_by} if source.latest_by else set()
    lookups = [_lookup(con, join, files, named, f"{name}_{i}", i) for i, join in enumerate(source.join)]
    added = [column for lookup in lookups for column in lookup.columns]
    wanted = sorted({*(join.left for join in source.join), *(named - set(added))})
    if source.database:
        reads = [(str(source.table), read_database(source.database, str(source.table), wanted))]
    else:
        folder = project_root() / "data" / "raw" / funnel.name
        paths = dict.fromkeys(path for pattern in source.files for path in files[pattern])
        reads = [
            (
                path.relative_to(folder).as_posix(),
                read_file(path, wanted, encoding=source.encoding, sheet=source.sheet, header_row=source.header_row),
            )
            for path in paths
        ]
    parts, broken = [], []
    for file, read in reads:
        folded = [name.casefold() for name in (*added, *read.columns.column_names)]
        for column in sorted(name for name in added if name in read.header or folded.count(name.casefold()) > 1):
            raise FunnelError(
                f'{file}: a file joined to it has a column "{column}" too; '
                'state a prefix for the columns of one, for example join.prefix = "joined."'
            )
        rows = read.columns.num_rows + len(read.broken)
        account["files"].append({"file": file, "kind": read.kind, "rows": rows})
        account["rows_in"] += rows
        parts.append(read.columns.append_column("_file", pa.array([file] * read.columns.num_rows, pa.string())))
        broken += [(file, row, None, value, reason) for row, value, reason in read.broken]
    raw = con.create_table(name, pa.concat_tables(parts))
    if not source.database:
        kinds = [(path, read.header, read.kind) for path, (_file, read) in zip(paths, reads, strict=True)]
        account["odd"] += of_currencies(raw, funnel, table, source, kinds)
    for join, lookup in zip(source.join, lookups, strict=True):
        raw = raw.left_join(lookup, trimmed(raw[join.left], BLANKS) == lookup[lookup.columns[0]])
    return raw, pd.DataFrame(broken, columns=SET_ASIDE[1:]).astype({"row": "int64"})


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
    for value, _, row in twice.filter(twice["rows"] > 1).order_by("row").limit(1).execute().itertuples(index=False):
        raise FunnelError(f'{file}: row {row}: {join.right} "{value}" stands there again; a join needs it once')
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
                f'{line.file}: row {line.row}, column "{column}": "{line.value}" ({_rows(line.rows)}) is mapped '
                'to no stage; add it to values.stage, or state unmapped = "ignore"'
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


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _with_repeats_and_orphans(rows: ir.Table, table: str, funnel: Funnel, leads: ir.Table | None) -> ir.Table:
    """Rows that stand there twice, or belong to no lead, get a reason too. The first stays, or the one stated."""
    ids = [(number, source.columns.get("lead_id", "")) for number, source in enumerate(getattr(funnel, table))]
    keys = [key for key in UNIQUE.get(table, []) if key in rows.columns]
    if keys:
        rows = rows.mutate(_good=rows["_reason"].isnull())
        alike = ibis.window(group_by=[*keys, "_good"], order_by=repeats_first(table, funnel))
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


def _refuse_too_many(aside: pd.DataFrame, rows_in: int, funnel: Funnel, table: str) -> None:
    """Stop where more than the declared share of a table's rows is bad; repeats are not counted as bad."""
    bad = aside[~aside["reason"].str.startswith("repeats ")]
    if len(bad) <= funnel.max_bad_share * rows_in:
        return
    allowed = f"max_bad_share = {funnel.max_bad_share:.0%}"
    lines = [f"{table}: {len(bad):,} of {rows_in:,} rows cannot be used, more than {allowed}"]
    for (column, reason), rows in bad.groupby(["column", "reason"], dropna=False, sort=False):
        first = rows.iloc[0]
        where = f"{first['file']}: row {first['row']}" + (f', column "{column}"' if isinstance(column, str) else "")
        hint = f"; {date_hint(rows['value'].head(10_000).unique().tolist())}" if "not a date" in str(reason) else ""
        lines.append(f'{where}: "{first["value"]}" {reason} ({_rows(len(rows))}){hint}')
    raise FunnelError("\n".join(lines))
