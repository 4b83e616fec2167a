"""The rows of a source in the engine, as text, with what is joined to them, and the lead each row is of.

A row may name not its lead but a contact, a company or a phone of it, or write its id in another form.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from funnelstats.config.dates import EXCEL, EXCEL_1904
from funnelstats.config.errors import FunnelError, gathered, listed, suggestion, visible
from funnelstats.config.folders import processed_folder
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KEYS_OF_KIND, PART, ROW_NUMBER, TABLES
from funnelstats.config.sources import FileKeys, Join, Source
from funnelstats.importing.cells import ROW, exchanged, matches, one_blank, put, trimmed
from funnelstats.importing.closing import Needs
from funnelstats.importing.facts import code_of, reason_in_file
from funnelstats.importing.files import SourceFile, read_database, read_frame, read_source_file
from funnelstats.importing.mapping import KEY, NUMBER, date_columns
from funnelstats.importing.postgres import Kept
from funnelstats.importing.sql import NULL, Connection, cases, columns_in, columns_of, quoted, single, text
from funnelstats.importing.workbooks import XLSX_1904

Files = Mapping[str, list[Path]] | Mapping[str, pa.Table]
"""The files behind every stated name, or the frame that is at hand."""


def read_source(
    con: Connection, funnel: Funnel, table: str, source: Source, files: Files, own: str
) -> tuple[str, list[SourceFile]]:
    """The source's columns of text with ``_file`` and ``_row``, joined ones added; its files, or its database table."""
    headers = [*source.columns.values(), *source.attributes.values()]
    named: set[str] = {part for header in headers for part in header.parts} - {ROW_NUMBER}
    named |= {*source.only, *source.without, *source.given_back, *source.later_by.values()}
    named |= {header for header in (source.latest_by, source.refunded) if header}
    has_part = PART in named
    named -= {PART}
    keys = {join.left for join in source.join}
    # The key of a joined file may stand in one that is joined before it, and be named by its prefix.
    named |= {key for key in keys for join in source.join if join.prefix and key.startswith(join.prefix)}
    lookups = [_lookup(con, join, files, named, f"{own}_{i}", i) for i, join in enumerate(source.join)]
    added = [column for lookup in lookups for column in lookup]
    wanted = sorted({*((named | keys) - set(added)), *source.fill_down})
    without = {header: values for header, values in source.without.items() if header != PART}
    needs = Needs(tuple(header for header in _needed_headers(table, source) if header in wanted), without)
    if source.database:
        stored, kept = source.table or "query", None
        if source.watermark:
            kept = Kept(processed_folder(funnel.name) / f"kept_{own}.parquet", source.watermark, source.key)
            wanted = sorted({*wanted, source.watermark, *source.key})
        read = read_database(source.database, source.table, wanted, source.query, (con, f"{own}_0"), kept)
        reads = [SourceFile(Path(stored), stored, read)]
    elif isinstance(frame := files[source.files[0]], pa.Table):
        reads = [SourceFile(Path(table), table, read_frame(frame, table, wanted))]
    else:

        def read_numbered(numbered: tuple[int, tuple[Path, str | None]]) -> SourceFile:
            number, (path, sheet) = numbered
            name = path.relative_to(funnel.folder).as_posix()
            name += f', sheet "{sheet}"' if len(source.sheet) > 1 else ""
            found = read_source_file(path, sheet, source, wanted, needs, (con, f"{own}_{number}"))
            return SourceFile(path, name, found, sheet)

        reads = gathered(enumerate(_paths(source, files)), read_numbered)
        _refuse_keys(source, [(file.name, file.kind) for file in reads])
        for file in reads:
            if file.kind == XLSX_1904 and any(EXCEL in formats for formats in source.date_format.values()):
                raise FunnelError(
                    f'{file.name}: the workbook counts days since 1904; state date_format = "{EXCEL_1904}"'
                )
    parts = []
    for number, file in enumerate(reads):
        folded = [column.casefold() for column in (*added, *wanted)]
        for column in sorted(name for name in added if name in file.header or folded.count(name.casefold()) > 1):
            raise FunnelError(
                f'{file.name}: a file joined to it has a column "{column}" too; '
                'state a prefix for the columns of one, for example join.prefix = "joined."'
            )
        rows = file.read.rows
        if isinstance(rows, pa.Table):
            rows = put((con, f"{own}_{number}"), rows.schema, rows.to_batches())
        part = f", {text(file.sheet or file.path.name.partition('.')[0])} AS {PART}" if has_part else ""
        lacking = [name for name in source.may_lack if name not in file.header]
        cells = {name: NULL if name in lacking else quoted(name) for name in wanted}
        parts.append(f"SELECT {columns_of({ROW: ROW, **cells})}, {text(file.name)} AS _file{part} FROM ({rows.query})")
    united = " UNION ALL ".join(parts)
    if ROW_NUMBER in headers:
        united = f"SELECT *, {_number(funnel, files)} AS {NUMBER} FROM ({united})"
    for number, join in enumerate(source.join):
        key = id_form(trimmed(quoted(join.left)), join.ids)
        united = f"SELECT * FROM ({united}) LEFT JOIN lookup_{own}_{number} ON {key} = _match{number}"
    return f"({united})", reads


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
    headers = [part for name in needed if name in source.columns for part in source.columns[name].parts[:1]]
    created = [*source.columns["created_at"].parts[:1]] if table == "leads" and "created_at" in source.columns else []
    # Of rows that their numbers tell apart, what a lead has is the day of its creation.
    return [header for header in headers if header != ROW_NUMBER or not created] + created


def _paths(source: Source | Join, files: Files) -> list[tuple[Path, str | None]]:
    """The files that are stated, each with each of the sheets that are."""
    paths = dict.fromkeys(path for pattern in source.files for path in files[pattern])
    return [(path, sheet) for path in paths for sheet in source.sheet or (None,)]


def _number(funnel: Funnel, files: Files) -> str:
    """The number of a row as an id, which its file goes before where rows of several files have such ids."""
    sources = [source for table in TABLES for source in getattr(funnel, table) if ROW_NUMBER in source.columns.values()]
    several = len({path for source in sources for path in _paths(source, files)}) > 1
    return f"_file || ':' || {ROW}" if several else f"{ROW}::VARCHAR"


def _lookup(con: Connection, join: Join, files: Files, named: set[str], own: str, number: int) -> list[str]:
    """A joined file as a view: its key as ``_match``, which may stand there once only, its named columns, prefixed."""
    reads = [read_source_file(path, sheet, join, None, Needs((join.right,), {})) for path, sheet in _paths(join, files)]
    file = ", ".join(join.files)
    _refuse_keys(join, [(file, read.kind) for read in reads])
    rows = pa.concat_tables([read.columns for read in reads], promote_options="default")
    put((con, own), rows.schema, rows.to_batches())
    columns = columns_in(con, own)
    for header in (join.right, *join.fill_down):
        if header not in columns:
            raise FunnelError(f'{file}: no column "{header}"; {suggestion(header, columns)}')
    for row, value, why in (line for read in reads for line in read.broken if code_of(line[2]) != "closing"):
        raise FunnelError(f'{file}: row {row} {reason_in_file(why)}: "{value}"; a joined file must be whole')
    match = f"_match{number}"
    keyed = f"SELECT *, {id_form(trimmed(quoted(join.right)), join.ids)} AS {match} FROM {own}"
    keyed = f"SELECT * FROM ({keyed}) WHERE {match} != ''"
    twice = f"SELECT {match} AS value, count(*) AS rows, max({ROW}) AS row FROM ({keyed}) GROUP BY {match}"
    several = con.execute(f"SELECT value, row FROM ({twice}) WHERE rows > 1 ORDER BY row").fetchall()
    for value, row in several[:1]:
        raise FunnelError(
            f'{file}: row {row}: {join.right} "{visible(value)}" stands there again; a join needs it once, and '
            f"{len(several):,} of {single(con, f'SELECT count(*) FROM ({twice})'):,} stand there several times. "
            f"Join by a key that names one row, such as the id of the deal itself, or join a file that holds each "
            f"{join.right} once; if it names a contact who has several leads, state "
            f'lead_by = {{ "{join.left}" = ... }} instead of the join'
        )
    others = {f"{join.prefix}{column}": column for column in columns if column not in (join.right, ROW, match)}
    added = {match: match} | {new: quoted(column) for new, column in others.items() if new in named}
    con.execute(f"CREATE TABLE lookup_{own} AS SELECT {columns_of(added)} FROM ({keyed})")
    con.execute(f"DROP TABLE {own}")
    return [*added]


LAST_DIGITS = 9
"""Of a phone number: what stands before them is the country, and how one dials out of one's own."""


def id_form(cell: str, ids: str | None) -> str:
    """What ids have in common that differ in form only; addresses of mail differ in capitals whatever is stated."""
    if ids == "number":
        return exchanged(cell, r"^0*(\d+?)(?:[.,]0+)?$", r"\1")
    if ids == "salesforce":
        return cases([(matches(cell, "^[A-Za-z0-9]{18}$"), f"left({cell}, 15)")], cell)
    if ids == "capitals":
        return exchanged(f"lower({cell})", r"^\{(.*)\}$", r"\1")
    if ids == "phone":
        digits = exchanged(exchanged(cell, r"(?i)\s*(?:,|;|ext|x|доб|#).*$", ""), r"\D", "")
        return cases([(f"length({digits}) >= {FEWEST_DIGITS}", f"right({digits}, {LAST_DIGITS})")])
    return cases([(f"contains({cell}, '@')", f"lower({cell})")], cell)


FEWEST_DIGITS = 7
"""Of a phone number that can be somebody's."""


def with_their_leads(con: Connection, cells: str, table: str, source: Source) -> str:
    """The rows with the id of their lead, found by what they call it, which is kept as ``_key``; null where none is.

    Of several leads of one contact, company or phone the one counts that was created last before the row's instant;
    where none was, the first. Ties are ordered by id.
    """
    of_leads = columns_in(con, "leads")
    called = next(iter(source.lead_by.values()), "lead_id")
    form = id_form(f"{quoted(called)}::VARCHAR", source.ids)
    created = "created_at" if "created_at" in of_leads else "NULL::TIMESTAMP"
    con.execute(f"""CREATE OR REPLACE TEMP VIEW known AS SELECT * FROM
        (SELECT lead_id AS _lead, {form} AS _form, {created} AS _created FROM leads) WHERE _form IS NOT NULL""")
    rows = f"SELECT *, {id_form(one_blank('lead_id'), source.ids)} AS _form FROM {cells}"
    renamed = f"SELECT * EXCLUDE (lead_id) RENAME (_lead AS lead_id) FROM (SELECT *, lead_id AS {KEY} FROM ({{}}))"
    if source.shared is None:
        _refuse_shared(con, rows, table, source)
        return renamed.format(
            f"SELECT rows.* EXCLUDE (_form), _lead FROM ({rows}) AS rows LEFT JOIN known USING (_form)"
        )
    at = quoted(f"_typed_{next(iter(date_columns(table, source)))}")
    late = f"coalesce(_created > {at}, FALSE)"
    best = f"""SELECT _file, {ROW}, _lead FROM ({rows}) JOIN known USING (_form)
        QUALIFY row_number() OVER (PARTITION BY _file, {ROW} ORDER BY {late}, {cases([(late, "_created")])},
            _created DESC NULLS LAST, _lead) = 1"""
    return renamed.format(
        f"SELECT rows.* EXCLUDE (_form), _lead FROM ({rows}) AS rows LEFT JOIN ({best}) USING (_file, {ROW})"
    )


def _refuse_shared(con: Connection, rows: str, table: str, source: Source) -> None:
    """Stop where what a row calls its lead is that of several."""
    shared = con.execute(f"""
        WITH several AS (SELECT _form, count(*) AS leads, min(_lead) AS first, max(_lead) AS last
            FROM known GROUP BY _form HAVING count(*) > 1)
        SELECT _file, {ROW}, lead_id, leads, first, last, count(*) OVER () FROM ({rows}) JOIN several USING (_form)
        WHERE _ignored IS NULL ORDER BY _file, {ROW} LIMIT 1""").fetchone()
    if not shared:
        return
    file, row, key, leads, first, last, count = shared
    header = source.columns["lead_id"]
    rule = (
        f'state shared = "latest", and the lead counts that was created last before the row of {table}'
        if source.lead_by
        else f'ids = "{source.ids}" cannot tell them apart'
    )
    raise FunnelError(
        f'{file}: row {row}, column "{visible(header)}": "{visible(key)}" is that of '
        f'{leads:,} leads, for example "{visible(first)}" and "{visible(last)}" '
        f"({count:,} {'row' if count == 1 else 'rows'} in all); {rule}"
    )
