"""A source's columns of text become typed canonical columns, with what is wrong in each row.

Lazy verbs on DuckDB, each made from the materialised table of the one before, so that what is asked stays as long
as the statement: ``cell_texts``, ``typed_cells``, ``mapped``. Every row keeps where it came from; a row that cannot
be read carries the first column at fault, its text and the reason. A cell that its row can do without is missing
where it cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import ibis
import ibis.expr.types as ir

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.funnel import Funnel, Header, Source, stated_for
from funnelstats.config.schema import DURATIONS, ENDS, IGNORE, ROW_NUMBER, TABLES, Column, date_column
from funnelstats.importing.cells import (
    BLANKS,
    FORMULA_ERRORS,
    ROW,
    id_form,
    instant_at,
    instant_of,
    number_of,
    one_blank,
    trimmed,
    utc_midnight,
    wall_clock,
)
from funnelstats.importing.claims import claims_its_end, filters_tell
from funnelstats.importing.durations import duration_of
from funnelstats.importing.facts import reason

LOST_DIGITS = r"^\d([.,]\d+)?[eE]\+\d+$"
YES, NO = ["yes", "y", "true", "1", "да"], ["no", "n", "false", "0", "нет"]
DATES = ("instant", "day")
LATEST_BY = "_latest_by"
LATER = "_later_"
"""Before the name of a column of instants: how much later they are than their text says."""
NUMBER = "_number"
"""The number of a row as an id, with its file where there are several."""
KEY = "_key"
"""What a row calls its lead, where that is not the lead's own id."""
MOSTLY = 0.5
WITHOUT_HOUR = r"T00:00:00(\.0+)?$"


class Fault(NamedTuple):
    """When a cell is at fault, why, where it stands, and whether it costs the row: its own column needs it."""

    when: ir.BooleanValue
    column: str
    header: str
    value: ir.StringValue
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
    return columns | ({LATEST_BY: (source.latest_by, Column("instant", ""))} if source.latest_by else {})


def cell_texts(raw: ir.Table, funnel: Funnel, table: str, source: Source) -> ir.Table:
    """The texts of a source's columns, and where each row came from.

    ``_ignored`` says why a row is left out as declared, ``_unmapped`` holds a stage's name that no value is
    mapped to; ``_stage`` is the canonical stage of entries.
    """
    columns = source_columns(table, source)
    texts = {name: _text(raw, source, name, header) for name, (header, _spec) in columns.items()}
    stage, unmapped = _stage(texts, source, funnel) if table == "entries" else (_null("string"), _null("string"))
    return raw.select(
        # Nobody sees how many blanks stand between two words of a name.
        **{name: one_blank(text) if columns[name][1].kind == "text" else text for name, text in texts.items()},
        _stage=stage,
        _unmapped=unmapped,
        _ignored=_ignored(raw, texts, source, funnel, unmapped),
        _file="_file",
        **{ROW: ROW},
    )


def typed_cells(texts: ir.Table, funnel: Funnel, table: str, source: Source) -> ir.Table:
    """The texts, and beside each of a number, flag or date what it says: ``_typed_``, null where it says none.

    A date's is its instant, and ``_utc_`` tells whether its text names midnight UTC.
    """
    typed: dict[str, ir.Value] = {}
    for column, (_header, spec) in source_columns(table, source).items():
        text = texts[column]
        if column in DURATIONS or column.startswith(LATER):
            unit = source.unit.get(column.removeprefix(LATER), "s")
            typed[f"_typed_{column}"] = duration_of(text, source, unit)
        elif spec.kind == "number":
            typed[f"_typed_{column}"] = number_of(text, source)
        elif spec.kind == "flag":
            word = text.lower()
            typed[f"_typed_{column}"] = ibis.cases(
                (word.isin(YES), True), (word.isin(NO), False), else_=_null("boolean")
            )
        elif spec.kind in DATES:
            formats = _formats(column, source)
            instant = instant_of(text, formats, source.timezone or funnel.timezone, funnel.timezone)
            typed[f"_typed_{column}"] = wall_clock("UTC", instant)
            typed[f"_utc_{column}"] = utc_midnight(text, instant, formats)
    for column in source.later_by:
        milliseconds = (typed[f"_typed_{LATER}{column}"] * 1000).round().cast("int64")
        typed[f"_typed_{column}"] += milliseconds.as_interval("ms")
        typed[f"_utc_{column}"] = ibis.literal(False)
    return texts.mutate(**typed)


def with_their_leads(cells: ir.Table, leads: ir.Table, table: str, source: Source) -> ir.Table:
    """The rows with the id of their lead, found by what they call it, which is kept as ``_key``; null where none is.

    Of several leads of one contact, company or phone the one counts that was created last before the row's instant;
    where none was, the first. Ties are ordered by id.
    """
    known = leads.select(
        _lead="lead_id",
        _form=id_form(leads[next(iter(source.lead_by.values()), "lead_id")].cast("string"), source.ids),
        _created=leads["created_at"] if "created_at" in leads.columns else _null("timestamp"),
    ).filter(ibis._["_form"].notnull())
    cells = cells.rename(**{KEY: "lead_id"}).mutate(_form=id_form(one_blank(cells["lead_id"]), source.ids))
    if source.shared is None:
        _refuse_shared(cells, known, table, source)
        return cells.left_join(known, "_form").drop("_form", "_form_right", "_created").rename(lead_id="_lead")
    at = next(name for name in date_columns(table, source))
    found = cells.select("_file", ROW, "_form", _at=f"_typed_{at}").join(known, "_form")
    found = found.mutate(_late=(found["_created"] > found["_at"]).fill_null(False))
    order = [
        found["_late"],
        ibis.ifelse(found["_late"], found["_created"], _null("timestamp")),
        found["_created"].desc(nulls_first=False),
        found["_lead"],
    ]
    best = found.mutate(_place=ibis.row_number().over(group_by=["_file", ROW], order_by=order))
    best = best.filter(best["_place"] == 0).select("_file", ROW, lead_id="_lead")
    return cells.left_join(best, ["_file", ROW]).drop("_form", "_file_right", f"{ROW}_right")


def _refuse_shared(cells: ir.Table, known: ir.Table, table: str, source: Source) -> None:
    """Stop where what a row calls its lead is that of several."""
    several = known.group_by("_form").aggregate(
        leads=known.count(), first=known["_lead"].min(), last=known["_lead"].max()
    )
    rows = cells.filter(cells["_ignored"].isnull()).select("_form", KEY, "_file", ROW)
    shared = rows.join(several.filter(several["leads"] > 1), "_form").order_by("_file", ROW).execute()
    if shared.empty:
        return
    line = shared.iloc[0]
    header = source.columns["lead_id"]
    rule = (
        f'state shared = "latest", and the lead counts that was created last before the row of {table}'
        if source.lead_by
        else f'ids = "{source.ids}" cannot tell them apart'
    )
    raise FunnelError(
        f'{line["_file"]}: row {line[ROW]}, column "{visible(header)}": "{visible(line[KEY])}" is that of '
        f'{line["leads"]:,} leads, for example "{visible(line["first"])}" and "{visible(line["last"])}" '
        f"({len(shared):,} {'row' if len(shared) == 1 else 'rows'} in all); {rule}"
    )


def faults_of(cells: ir.Table, funnel: Funnel, table: str, source: Source) -> list[Fault]:
    """All that can be wrong with the cells of a source's selected rows, in the order of its columns.

    What a row is about costs the row: the columns that its table needs, such as an id, a stage, a date, or the
    amount of a payment.
    """
    return [
        fault._replace(when=cells["_ignored"].isnull() & fault.when)
        for column, (header, spec) in source_columns(table, source).items()
        for fault in _column_faults(cells, column, header, spec, funnel, source)
    ]


def _column_faults(
    cells: ir.Table, column: str, header: str, spec: Column, funnel: Funnel, source: Source
) -> Iterator[Fault]:
    keyed = column == "lead_id" and KEY in cells.columns
    text = cells[KEY if keyed else column]
    error = text.isin(FORMULA_ERRORS)
    wrong = [(error, reason("formula"))]
    if spec.kind == "id":
        wrong.append((text.re_search(LOST_DIGITS), reason("digits")))
        wrong += [(text.notnull() & cells[column].isnull(), reason("orphan"))] if keyed else []
    elif f"_typed_{column}" in cells.columns:
        unread = text.notnull() & cells[f"_typed_{column}"].isnull() & ~error
        if column in source.later_by:
            unread &= cells[f"_typed_{LATER}{column}"].notnull()
        wrong.append((unread, _unread(column, spec, source)))
    needed = _needs_date(cells, text, source, funnel) if column == "entered_at" else None
    for when, why in wrong:
        if needed is None:
            yield Fault(when, column, header, text, why, spec.required)
        else:
            yield Fault(when & needed, column, header, text, why, costs_row=True)
            yield Fault(when & ~needed, column, header, text, why, costs_row=False)
    # A row chosen because it was paid was paid, whether or not anybody wrote down when.
    chosen = column == "paid_at" and any("" not in values for values in source.only.values())
    if spec.required and not chosen and not (column == "entered_at" and source.stage is not None):
        blank = text.isnull() if needed is None else text.isnull() & needed
        yield Fault(blank, column, header, text, reason("blank"), costs_row=True)


def _needs_date(cells: ir.Table, text: ir.StringValue, source: Source, funnel: Funnel) -> ir.BooleanValue | None:
    """Whether an entry is none without its date; None where its table says so.

    An end or a win that nobody dated has happened all the same, if anything else than its date says so.
    """
    ends = [funnel.stages[-1], *ENDS]
    if source.stage is None:
        return ~cells["_stage"].isin([*funnel.undated, *ends]).fill_null(False)
    if source.stage in funnel.undated or claims_its_end(source, funnel):
        return ibis.literal(False)
    # A date that is written wrong says that it happened; a dash or an error does not.
    return ~text.re_search(r"\d").fill_null(False) if source.stage in ends else None


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
    cells: ir.Table,
    funnel: Funnel,
    table: str,
    source: Source,
    number: int,
    *,
    faults: Sequence[Fault],
    utc_days: dict[str, Collection[str] | None],
) -> ir.Table:
    """Canonical columns of one source, and where each row came from: ``_source, _file, _row``.

    ``_reason`` says why a row cannot be read, with ``_column`` and ``_value`` at fault; all null in a good row.
    ``faults`` are those that occur; ``utc_days`` names the date columns whose midnights in UTC are days, with the
    stages they are days of (None: of all rows).
    """
    in_text = {fault.column for fault in faults if fault.reason == "formula"}
    columns: dict[str, ir.Value] = {}
    for column, (_header, spec) in source_columns(table, source).items():
        if column == LATEST_BY or column.startswith(LATER):
            continue
        if spec.kind == "stage":
            columns[column] = cells["_stage"]
        elif spec.kind in DATES:
            columns |= _dated(cells, column, spec, funnel, utc_days)
        elif spec.kind in ("number", "flag"):
            columns[column] = cells[f"_typed_{column}"]
        else:
            columns[column] = _without_errors(cells, column, in_text)
    if source.stage is not None:
        columns["stage"] = ibis.literal(source.stage)
    at_fault = [fault for fault in faults if fault.costs_row]
    return cells.select(
        **columns,
        _latest=cells[f"_typed_{LATEST_BY}"] if source.latest_by else _null("timestamp"),
        _source=ibis.literal(number, "int32"),
        _file="_file",
        **{ROW: ROW},
        _ignored="_ignored",
        _unmapped="_unmapped",
        _column=_first((fault.when, ibis.literal(fault.header)) for fault in at_fault),
        _value=_first((fault.when, fault.value) for fault in at_fault),
        _reason=_first((fault.when, ibis.literal(fault.reason)) for fault in at_fault),
    )


def date_columns(table: str, source: Source) -> list[str]:
    return [name for name in source.columns if TABLES[table][name].kind in DATES]


def _without_errors(cells: ir.Table, column: str, in_text: set[str]) -> ir.Value:
    text = cells[column]
    return ibis.ifelse(text.isin(FORMULA_ERRORS), _null("string"), text) if column in in_text else text


def _dated(
    cells: ir.Table, column: str, spec: Column, funnel: Funnel, utc_days: dict[str, Collection[str] | None]
) -> dict[str, ir.Value]:
    """The instant and its date in the funnel's zone; the date alone where the column holds days."""
    at = cells[f"_typed_{column}"]
    instant = instant_at("UTC", at)
    if column in utc_days:
        stages = utc_days[column]
        a_day = cells[f"_utc_{column}"] & (True if stages is None else cells["_stage"].isin(stages))
        instant = ibis.ifelse(a_day, instant_at(funnel.timezone, at), instant)
    local = wall_clock(funnel.timezone, instant).date()
    return {column: local} if spec.kind == "day" else {column: wall_clock("UTC", instant), date_column(column): local}


def _null(kind: str) -> ir.Value:
    return ibis.literal(None, kind)


def _first(branches: Iterable[tuple[ir.BooleanValue, ir.Value]]) -> ir.Value:
    branches = list(branches)
    return ibis.cases(*branches, else_=_null("string")) if branches else _null("string")


def _bare(values: dict[str, str]) -> dict[str, str]:
    return {value.strip(BLANKS): meant for value, meant in values.items()}


def _text(raw: ir.Table, source: Source, column: str, name: str) -> ir.StringValue:
    """A cell's text without blanks around it, null where missing, replaced where ``values`` says so."""
    if column in source.constants:
        return ibis.literal(source.constants[column])
    text = _cell(raw, name)
    if column in source.first_of:
        text = trimmed(text.split(source.first_of[column])[0], BLANKS)
    blank = ["", *(word.strip(BLANKS) for word in stated_for(source.missing, column))]
    text = ibis.ifelse(text.isin(blank), _null("string"), text)
    values = _bare(source.values.get(column, {}))
    if column == "stage":
        return text.fill_null("") if "" in values else text
    for_blank = values.pop("", None)
    text = text.substitute(values) if values else text
    return text if for_blank is None else text.fill_null(for_blank)


def _cell(raw: ir.Table, header: str) -> ir.StringValue:
    """The text of a cell, of several cells as one, or the number of the row."""
    parts = header.parts if isinstance(header, Header) else (header,)
    if len(parts) == 1:
        return trimmed(raw[NUMBER if header == ROW_NUMBER else header], BLANKS)
    # A spreadsheet's day has an hour, which is another cell's here.
    first = trimmed(raw[parts[0]], BLANKS).re_replace(WITHOUT_HOUR, "T")
    text = trimmed(ibis.literal(" ").join([first, *(trimmed(raw[part], BLANKS) for part in parts[1:])]), BLANKS)
    return text.re_replace(r" (\d:\d)", r" 0\1").re_replace("T (\\d)", r"T\1").re_replace("(\\d)T$", r"\1T00:00:00")


def _stage(texts: dict[str, ir.StringValue], source: Source, funnel: Funnel) -> tuple[ir.StringValue, ir.StringValue]:
    """The canonical stage, and the name that is mapped to none; names of the funnel's own need no mapping."""
    if source.stage is not None:
        return ibis.literal(source.stage), _null("string")
    text = texts["stage"]
    dated = funnel.stages if "entered_at" in texts else funnel.stages[-1:]
    own = {stage: stage for stage in (*dated, *funnel.undated, *ENDS)}
    stage = text.substitute({**own, **_bare(source.values.get("stage", {}))}, else_=_null("string"))
    unknown = text.notnull() & stage.isnull() & ~text.isin(FORMULA_ERRORS)
    return stage, ibis.ifelse(unknown, text, _null("string"))


def _ignored(
    raw: ir.Table,
    texts: dict[str, ir.StringValue],
    source: Source,
    funnel: Funnel,
    unmapped: ir.StringValue,
) -> ir.StringValue:
    """Why a row is left out as the funnel declares, null where it is not."""
    reasons = [
        (raw[f"_match{i}"].isnull(), ibis.literal(f"not found in {', '.join(join.files)}"))
        for i, join in enumerate(source.join)
        if join.unmatched == "ignore"
    ]
    for wanted, filters in ((True, source.only), (False, source.without)):
        for name, values in filters.items():
            text = trimmed(raw[name].fill_null(""), BLANKS)
            named = [value.strip(BLANKS) for value in values]
            reasons.append((text.isin(named) != wanted, ibis.literal(f"{name} = ") + text))
    if source.stage not in (None, *funnel.undated) and "entered_at" in texts:
        claims = claims_its_end(source, funnel)
        if claims and not filters_tell(source, funnel):
            chosen = raw.filter(~ibis.or_(*(when for when, _reason in reasons)))
            claims = bool(chosen.aggregate(dated=texts["entered_at"].notnull().mean()).execute().iloc[0, 0] >= MOSTLY)
        if not claims:
            reasons.append((texts["entered_at"].isnull(), ibis.literal(f"no {source.columns['entered_at']}")))
    for name, header in source.later_by.items():
        reasons.append((texts[f"{LATER}{name}"].isnull(), ibis.literal(f"no {header}")))
    ignored = [value for value, stage in _bare(source.values.get("stage", {})).items() if stage == IGNORE]
    if ignored:
        reasons.append((texts["stage"].isin(ignored), texts["stage"]))
    if source.unmapped == "ignore":
        reasons.append((unmapped.notnull(), unmapped))
    return _first(reasons)
