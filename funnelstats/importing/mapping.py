"""A source's columns of text become typed canonical columns, with what is wrong in each row.

Queries of DuckDB, each of the one before: ``cell_texts``, ``typed_cells``, ``mapped``. Every row keeps where it came
from; a row that cannot be read carries the first column at fault, its text and the reason. A cell that its row can do
without is missing where it cannot be read.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import AMOUNT_UNITS, DURATIONS, ENDS, IGNORE, ROW_NUMBER, TABLES, Column, date_column
from funnelstats.config.sources import Header, Source, stated_for
from funnelstats.importing.cells import (
    BLANKS,
    ROW,
    exchanged,
    instant_of,
    is_error,
    is_utc_midnight,
    matches,
    one_blank,
    trimmed,
)
from funnelstats.importing.claims import claims_its_end, filters_tell
from funnelstats.importing.facts import reason
from funnelstats.importing.numbers import duration_of, number_of
from funnelstats.importing.sql import (
    NULL,
    Connection,
    cases,
    columns_of,
    instant_at,
    names,
    one_of,
    quoted,
    replaced,
    text,
    utc_clock,
    utc_instant,
    wall_clock,
)

LOST_DIGITS = r"^\d([.,]\d+)?[eE]\+\d+$"
YES = ["yes", "y", "true", "1", "да", "истина", "ja", "wahr", "oui", "vrai", "si", "sí", "sim", "tak", "evet", "是"]
NO = ["no", "n", "false", "0", "нет", "ложь", "nein", "falsch", "nee", "non", "faux", "não", "nie", "hayır", "否"]
DATES = ("instant", "day")
LATEST_BY = "_latest_by"
LATER = "_later_"
"""Before the name of a column of instants: how much later they are than their text says."""
REFUNDED = "_refunded"
"""What of an amount was given back."""
NUMBER = "_number"
"""The number of a row as an id, with its file where there are several."""
KEY = "_key"
"""What a row calls its lead, where that is not the lead's own id."""
MOSTLY = 0.5
DIGIT = r"\d"
WITHOUT_HOUR = r"T00:00:00(\.0+)?$"


class Fault(NamedTuple):
    """When a cell is at fault, why, where it stands, and whether it costs the row: its own column needs it."""

    when: str
    column: str
    header: str
    value: str
    reason: str
    costs_row: bool


def source_columns(table: str, source: Source) -> dict[str, tuple[str, Column]]:
    """Header and kind of each column that a source reads, by its name here; attributes are texts."""
    columns: dict[str, tuple[str, Column]] = {
        name: (header, TABLES[table][name]) for name, header in source.columns.items()
    }
    columns |= {name: (header, Column("text", "")) for name, header in source.attributes.items()}
    columns |= {name: (f"constants.{name}", TABLES[table].get(name, Column("text", ""))) for name in source.constants}
    columns |= {
        f"{LATER}{name}": (header, Column("number", "", required=True)) for name, header in source.later_by.items()
    }
    columns |= {REFUNDED: (source.refunded, Column("number", ""))} if source.refunded else {}
    return columns | ({LATEST_BY: (source.latest_by, Column("instant", ""))} if source.latest_by else {})


def cell_texts(con: Connection, raw: str, funnel: Funnel, table: str, source: Source) -> str:
    """The texts of a source's columns, and where each row came from.

    ``_ignored`` says why a row is left out as declared, ``_unmapped`` holds a stage's name that no value is
    mapped to; ``_stage`` is the canonical stage of entries.
    """
    columns = source_columns(table, source)
    filters = [(header, values, wanted) for wanted, stated in ((True, source.only), (False, source.without))
               for header, values in stated.items()]  # fmt: skip
    # No column of the file is called by its name beyond this, so that none can be taken for another.
    cut = {f"_cell_{column}": _cut(source, column, header) for column, (header, _spec) in columns.items()}
    cut |= {f"_filter{n}": trimmed(f"coalesce({quoted(header)}, '')") for n, (header, _v, _w) in enumerate(filters)}
    back = [one_of(trimmed(quoted(header)), _stripped(values)) for header, values in source.given_back.items()]
    cut |= {"_given_back": f"coalesce({' OR '.join(back)}, FALSE)"} if back else {}
    kept = ["_file", ROW, *(f"_match{n}" for n in range(len(source.join))), *(["_given_back"] if back else [])]
    texts = {column: _text(f"_cell_{column}", source, column) for column in columns}
    # Nobody sees how many blanks stand between two words of a name.
    texts = {column: one_blank(cell) if columns[column][1].kind == "text" else cell for column, cell in texts.items()}
    rows = f"SELECT {columns_of(cut)}, {', '.join(kept)} FROM {raw}"
    kept += [f"_filter{n}" for n in range(len(filters))]
    rows = f"SELECT {columns_of(texts)}, {', '.join(kept)} FROM ({rows})"
    stage, unmapped = _stage(source, funnel) if table == "entries" else (NULL, NULL)
    rows = f"SELECT *, {stage}::VARCHAR AS _stage FROM ({rows})"
    rows = f"SELECT *, {unmapped}::VARCHAR AS _unmapped FROM ({rows})"
    ignored = _ignored(con, rows, filters, source, funnel)
    known = f"{names(columns)}, _stage, _unmapped, {ignored}::VARCHAR AS _ignored, _file, {ROW}"
    known += ", _given_back" if back else ""
    return f"SELECT {known} FROM ({rows})"


def typed_cells(texts: str, funnel: Funnel, table: str, source: Source) -> str:
    """The texts, and beside each of a number, flag or date what it says: ``_typed_``, null where it says none.

    A date's is its instant on the clock of UTC, and ``_utc_`` tells whether its text names midnight UTC.
    """
    typed: dict[str, str] = {}
    sure: dict[str, str] = {}
    for column, (_header, spec) in source_columns(table, source).items():
        cell, own = quoted(column), f"_typed_{column}"
        if spec.kind == "number":
            unit = source.unit.get("amount" if column == REFUNDED else column.removeprefix(LATER), "s")
            is_duration = column in DURATIONS or column.startswith(LATER)
            typed[own] = duration_of(cell, source, unit) if is_duration else number_of(cell, source)
            typed[own] += f" {AMOUNT_UNITS[unit]}" if unit in AMOUNT_UNITS else ""
            amount = quoted(own)
            if column == "amount" and source.given_back:
                amount = cases([("_given_back", f"-abs({amount})")], amount)
            if column == "amount" and source.refunded:
                amount += f" - {cases([(f'{REFUNDED} IS NOT NULL', f'abs(_typed_{REFUNDED})')], '0')}"
            sure[own] = cases([(f"isinf({quoted(own)})", NULL)], amount)
        elif spec.kind == "flag":
            word = f"lower({cell})"
            typed[own] = cases([(one_of(word, YES), "TRUE"), (one_of(word, NO), "FALSE")], "NULL::BOOLEAN")
        elif spec.kind in DATES:
            formats = _formats(column, source)
            typed[own] = utc_clock(instant_of(cell, formats, source.timezone or funnel.timezone, funnel.timezone))
            sure[f"_utc_{column}"] = is_utc_midnight(cell, quoted(own), formats)
    for column in source.later_by:
        later = quoted(f"_typed_{LATER}{column}")
        sure[f"_typed_{column}"] = (
            f"{quoted(f'_typed_{column}')} + to_milliseconds(try_cast(round({later} * 1000) AS BIGINT))"
        )
        sure[f"_utc_{column}"] = "FALSE"
    rows = f"SELECT *, {columns_of(typed)} FROM ({texts})" if typed else texts
    same = {column: sql for column, sql in sure.items() if column in typed}
    exchange = f" REPLACE ({columns_of(same)})" if same else ""
    new = "".join(f", {sql} AS {quoted(column)}" for column, sql in sure.items() if column not in typed)
    return f"SELECT *{exchange}{new} FROM ({rows})"


def faults_of(columns: Collection[str], funnel: Funnel, table: str, source: Source) -> list[Fault]:
    """All that can be wrong with the cells of a source's selected rows, in the order of its columns.

    What a row is about costs the row: the columns that its table needs, such as an id, a stage, a date, or the
    amount of a payment. ``columns`` are those of ``typed_cells``.
    """
    return [
        fault._replace(when=f"(_ignored IS NULL AND {fault.when})")
        for column, (header, spec) in source_columns(table, source).items()
        for fault in _column_faults(columns, column, header, spec, funnel, source)
    ]


def _column_faults(
    columns: Collection[str], column: str, header: str, spec: Column, funnel: Funnel, source: Source
) -> Iterator[Fault]:
    keyed = column == "lead_id" and KEY in columns
    cell, typed = quoted(KEY if keyed else column), quoted(f"_typed_{column}")
    error = is_error(cell)
    wrong = [(error, reason("formula"))]
    of_nobody = reason("no_lead") if column == "lead_id" and source.no_lead == "ignore" else ""
    if spec.kind == "id":
        wrong.append((matches(cell, LOST_DIGITS), reason("digits")))
        wrong += [(f"{cell} IS NOT NULL AND {quoted(column)} IS NULL", of_nobody or reason("orphan"))] if keyed else []
    elif f"_typed_{column}" in columns:
        unread = f"{cell} IS NOT NULL AND {typed} IS NULL AND NOT {error}"
        if column == "amount" and source.refunded:
            unread += f" AND ({REFUNDED} IS NULL OR _typed_{REFUNDED} IS NOT NULL)"
        if column in source.later_by:
            unread += f" AND {quoted(f'_typed_{LATER}{column}')} IS NOT NULL"
        wrong.append((unread, _unread(column, spec, source)))
    needed = _needs_date(cell, source, funnel) if column == "entered_at" else None
    for when, why in wrong:
        if needed is None:
            yield Fault(f"({when})", column, header, cell, why, spec.required or column == REFUNDED)
        else:
            yield Fault(f"(({when}) AND {needed})", column, header, cell, why, costs_row=True)
            yield Fault(f"(({when}) AND NOT {needed})", column, header, cell, why, costs_row=False)
    # A row chosen because it was paid was paid, whether or not anybody wrote down when.
    chosen = column == "paid_at" and any("" not in values for values in source.only.values())
    if spec.required and not chosen and not (column == "entered_at" and source.stage is not None):
        blank = f"({cell} IS NULL" + (")" if needed is None else f" AND {needed})")
        yield Fault(blank, column, header, cell, of_nobody or reason("blank"), costs_row=True)


def _needs_date(cell: str, source: Source, funnel: Funnel) -> str | None:
    """Whether an entry is none without its date; None where its table says so.

    An end or a win that nobody dated has happened all the same, if anything else than its date says so.
    """
    ends = [funnel.stages[-1], *ENDS]
    if source.stage is None:
        return f"(NOT coalesce({one_of('_stage', [*funnel.undated, *ends])}, FALSE))"
    if source.stage in funnel.undated or claims_its_end(source, funnel):
        return "(FALSE)"
    # A date that is written wrong says that it happened; a dash or an error does not.
    return f"(NOT coalesce({matches(cell, DIGIT)}, FALSE))" if source.stage in ends else None


def _unread(column: str, spec: Column, source: Source) -> str:
    if spec.kind == "number":
        return reason("number", source.decimal)
    if spec.kind == "flag":
        return reason("flag", column)
    formats = " or ".join(f'"{fmt}"' for fmt in _formats(column, source))
    return reason("date", formats or "ISO (2026-06-28 14:30)")


def _formats(column: str, source: Source) -> tuple[str, ...]:
    return stated_for(source.date_format, column.removeprefix("_"))


def mapped(
    cells: str,
    funnel: Funnel,
    table: str,
    source: Source,
    number: int,
    *,
    faults: Sequence[Fault],
    utc_days: dict[str, Collection[str] | None],
) -> str:
    """Canonical columns of one source, and where each row came from: ``_source, _file, _row``.

    ``_reason`` says why a row cannot be read, with ``_column`` and ``_value`` at fault; all null in a good row.
    ``faults`` are those that occur; ``utc_days`` names the date columns whose midnights in UTC are days, with the
    stages they are days of (None: of all rows).
    """
    in_text = {fault.column for fault in faults if fault.reason == "formula"}
    columns: dict[str, str] = {}
    for column, (_header, spec) in source_columns(table, source).items():
        if column in (LATEST_BY, REFUNDED) or column.startswith(LATER):
            continue
        if spec.kind == "stage":
            columns[column] = "_stage"
        elif spec.kind in DATES:
            columns |= _dated(column, spec, funnel, utc_days)
        elif spec.kind in ("number", "flag"):
            columns[column] = quoted(f"_typed_{column}")
        elif column in in_text:
            columns[column] = cases([(is_error(quoted(column)), NULL)], quoted(column))
        else:
            columns[column] = quoted(column)
    if source.stage is not None:
        columns["stage"] = text(source.stage)
    at_fault = [fault for fault in faults if fault.costs_row]
    columns |= {
        "_latest": quoted(f"_typed_{LATEST_BY}") if source.latest_by else "NULL::TIMESTAMP",
        "_source": f"{number}::INTEGER",
        "_file": "_file",
        ROW: ROW,
        "_ignored": "_ignored",
        "_unmapped": "_unmapped",
        "_column": cases([(fault.when, text(fault.header)) for fault in at_fault], "NULL::VARCHAR"),
        "_value": cases([(fault.when, fault.value) for fault in at_fault], "NULL::VARCHAR"),
        "_reason": cases([(fault.when, text(fault.reason)) for fault in at_fault], "NULL::VARCHAR"),
    }
    return f"SELECT {columns_of(columns)} FROM {cells}"


def date_columns(table: str, source: Source) -> list[str]:
    return [name for name in source.columns if TABLES[table][name].kind in DATES]


def _dated(column: str, spec: Column, funnel: Funnel, utc_days: dict[str, Collection[str] | None]) -> dict[str, str]:
    """The instant and its date in the funnel's zone; the date alone where the column holds days."""
    at = quoted(f"_typed_{column}")
    instant = utc_instant(at)
    if column in utc_days:
        stages = utc_days[column]
        a_day = quoted(f"_utc_{column}") + ("" if stages is None else f" AND {one_of('_stage', stages)}")
        instant = cases([(a_day, instant_at(funnel.timezone, at))], instant)
        at = utc_clock(instant)
    local = f"{wall_clock(funnel.timezone, instant)}::DATE"
    return {column: local} if spec.kind == "day" else {column: at, date_column(column): local}


def _stripped(values: Sequence[str]) -> list[str]:
    return [value.strip(BLANKS) for value in values]


def _bare(values: dict[str, str]) -> dict[str, str]:
    return {value.strip(BLANKS): meant for value, meant in values.items()}


def _cut(source: Source, column: str, header: str) -> str:
    """A cell's text without blanks around it, or the first of the texts in it."""
    if column in source.constants:
        return text(source.constants[column])
    cell = _cell(header)
    if column in source.first_of:
        return trimmed(f"string_split({cell}, {text(source.first_of[column])})[1]")
    return cell


def _text(cell: str, source: Source, column: str) -> str:
    """The text, null where missing, replaced where ``values`` says so."""
    if column in source.constants:
        return quoted(cell)
    cell = quoted(cell)
    blank = ["", *_stripped(stated_for(source.missing, column.removeprefix("_")))]  # of "_refunded" too
    values = _bare(source.values.get(column, {}))
    for_blank = values.pop("", None)
    if column == "stage":  # whose values are stages, which ``_stage`` tells
        values, for_blank = {}, None if for_blank is None else ""
    found = cases([(one_of(cell, blank), NULL)], replaced(cell, values, cell))
    return found if for_blank is None else f"coalesce({found}, {text(for_blank)})"


def _cell(header: str) -> str:
    """The text of a cell, of several cells as one, or the number of the row."""
    parts = header.parts if isinstance(header, Header) else (header,)
    if len(parts) == 1:
        return trimmed(quoted(NUMBER if header == ROW_NUMBER else header))
    # A spreadsheet's day has an hour, which is another cell's here.
    first = exchanged(trimmed(quoted(parts[0])), WITHOUT_HOUR, "T")
    cell = trimmed(f"concat_ws(' ', {first}, {', '.join(trimmed(quoted(part)) for part in parts[1:])})")
    cell = exchanged(exchanged(cell, r" (\d:\d)", r" 0\1"), "T (\\d)", r"T\1")
    return exchanged(cell, "(\\d)T$", r"\1T00:00:00")


def _stage(source: Source, funnel: Funnel) -> tuple[str, str]:
    """The canonical stage, and the name that is mapped to none; names of the funnel's own need no mapping."""
    if source.stage is not None:
        return text(source.stage), NULL
    dated = funnel.stages if "entered_at" in source_columns("entries", source) else funnel.stages[-1:]
    own = {stage: stage for stage in (*dated, *funnel.undated, *ENDS)}
    stage = replaced("stage", {**own, **_bare(source.values.get("stage", {}))}, NULL)
    unknown = f"stage IS NOT NULL AND _stage IS NULL AND NOT {is_error('stage')}"
    return stage, cases([(unknown, "stage")])


def _ignored(
    con: Connection,
    rows: str,
    filters: Sequence[tuple[str, Sequence[str], bool]],
    source: Source,
    funnel: Funnel,
) -> str:
    """Why a row is left out as the funnel declares, null where it is not."""
    reasons = [
        (f"_match{number} IS NULL", text(f"not found in {', '.join(join.files)}"))
        for number, join in enumerate(source.join)
        if join.unmatched == "ignore"
    ]
    for number, (header, values, wanted) in enumerate(filters):
        named = one_of(f"_filter{number}", _stripped(values))
        reasons.append((f"NOT {named}" if wanted else named, f"{text(f'{header} = ')} || _filter{number}"))
    if source.stage not in (None, *funnel.undated) and "entered_at" in source_columns("entries", source):
        claims = claims_its_end(source, funnel)
        if claims and not filters_tell(source, funnel):
            out = " OR ".join(f"({when})" for when, _reason in reasons)
            (dated,) = con.execute(
                f"SELECT avg((entered_at IS NOT NULL)::INTEGER) FROM ({rows}) WHERE NOT ({out})"
            ).fetchall()[0]
            claims = dated is not None and dated >= MOSTLY
        if not claims:
            reasons.append(("entered_at IS NULL", text(f"no {source.columns['entered_at']}")))
    for column, header in source.later_by.items():
        reasons.append((f"{quoted(LATER + column)} IS NULL", text(f"no {header}")))
    ignored = [value for value, stage in _bare(source.values.get("stage", {})).items() if stage == IGNORE]
    if ignored:
        reasons.append((one_of("stage", ignored), "stage"))
    if source.unmapped == "ignore":
        reasons.append(("_unmapped IS NOT NULL", "_unmapped"))
    return cases(reasons)
