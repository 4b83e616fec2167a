"""A source's columns of text become typed canonical columns, with what is wrong in each row.

Lazy verbs on DuckDB. Every row keeps where it came from; a row that cannot be read carries the first
column at fault, its text and the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import ibis
import ibis.expr.types as ir

from funnelstats.reading.cells import BLANKS, instant_of, number_of, one_blank, trimmed, wall_clock
from funnelstats.reading.columns import ROW
from funnelstats.stated.funnel import EVERY_COLUMN, Funnel, Source
from funnelstats.stated.schema import ENDS, IGNORE, TABLES, Column, date_column

LOST_DIGITS = r"^\d([.,]\d+)?[eE]\+\d+$"
YES, NO = ["yes", "y", "true", "1", "да"], ["no", "n", "false", "0", "нет"]


class Fault(NamedTuple):
    """When a row is at fault, in which column of the file, with which text, why."""

    when: ir.BooleanValue
    column: str
    value: ir.StringValue
    reason: str


def mapped(raw: ir.Table, funnel: Funnel, table: str, source: Source, number: int) -> ir.Table:
    """Canonical columns of one source, and where each row came from: ``_source, _file, _row``.

    ``_ignored`` says why a row is left out as declared, ``_unmapped`` holds a stage's name that no value
    is mapped to, ``_reason`` why a row cannot be read, with ``_column`` and ``_value`` at
    fault; all null in a good row.
    """
    texts = {column: _text(raw, source, column, name) for column, name in source.columns.items()}
    columns: dict[str, ir.Value] = {}
    faults: list[Fault] = []
    no_stage = _null("string"), _null("string")
    stage, unmapped = _stage(texts, source, funnel) if table == "entries" else no_stage
    for column, text in texts.items():
        spec, named = TABLES[table][column], source.columns[column]
        if spec.kind == "stage":
            typed = {column: stage}
        else:
            typed, wrong = _typed(column, text, spec, source, funnel)
            faults += [Fault(text.notnull() & when, named, text, reason) for when, reason in wrong]
        if spec.required and not (column == "entered_at" and source.stage is not None):
            needed = ~stage.isin(funnel.undated) if column == "entered_at" else ibis.literal(True)
            faults.append(Fault(text.isnull() & needed, named, text, "is missing"))
        columns |= typed
    if source.stage is not None:
        columns["stage"] = ibis.literal(source.stage)
    columns |= {name: one_blank(_text(raw, source, name, column)) for name, column in source.attributes.items()}
    latest = _null("timestamp")
    if source.latest_by:
        text = _text(raw, source, "latest_by", source.latest_by)
        typed, wrong = _typed("latest_by", text, Column("instant", ""), source, funnel)
        faults += [Fault(text.notnull() & when, source.latest_by, text, reason) for when, reason in wrong]
        latest = typed["latest_by"]
    ignored = _ignored(raw, texts, source, funnel, unmapped)
    at_fault = [(ignored.isnull() & fault.when, fault) for fault in faults]
    return raw.select(
        **columns,
        _latest=latest.cast("timestamp"),
        _source=ibis.literal(number, "int32"),
        _file="_file",
        **{ROW: ROW},
        _ignored=ignored,
        _unmapped=unmapped,
        _column=_first([(when, ibis.literal(fault.column)) for when, fault in at_fault]),
        _value=_first([(when, fault.value) for when, fault in at_fault]),
        _reason=_first([(when, ibis.literal(fault.reason)) for when, fault in at_fault]),
    )


def _null(kind: str) -> ir.Value:
    return ibis.literal(None, kind)


def _first(branches: Iterable[tuple[ir.BooleanValue, ir.Value]]) -> ir.Value:
    branches = list(branches)
    return ibis.cases(*branches, else_=_null("string")) if branches else _null("string")


def _stated(per_column: dict[str, tuple[str, ...]], column: str) -> tuple[str, ...]:
    return per_column.get(column, per_column.get(EVERY_COLUMN, ()))


def _text(raw: ir.Table, source: Source, column: str, name: str) -> ir.StringValue:
    """A cell's text without blanks around it, null where missing, replaced where ``values`` says so."""
    text = trimmed(raw[name], BLANKS)
    text = text.nullif("")
    for blank in _stated(source.missing, column):
        text = text.nullif(blank)
    values = source.values.get(column, {})
    return text if column == "stage" or not values else text.substitute(values)


def _stage(texts: dict[str, ir.StringValue], source: Source, funnel: Funnel) -> tuple[ir.StringValue, ir.StringValue]:
    """The canonical stage, and the name that is mapped to none; names of the funnel's own need no mapping."""
    if source.stage is not None:
        return ibis.literal(source.stage), _null("string")
    text = texts["stage"]
    own = {stage: stage for stage in (*funnel.stages, *funnel.undated, *ENDS)}
    stage = text.substitute({**own, **source.values.get("stage", {})}, else_=_null("string"))
    return stage, ibis.ifelse(text.notnull() & stage.isnull(), text, _null("string"))


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
            reasons.append((text.isin(values) != wanted, ibis.literal(f"{name} = ") + text))
    if source.stage is not None and source.stage not in funnel.undated:
        reasons.append((texts["entered_at"].isnull(), ibis.literal(f"no {source.columns['entered_at']}")))
    ignored = [value for value, stage in source.values.get("stage", {}).items() if stage == IGNORE]
    if ignored:
        reasons.append((texts["stage"].isin(ignored), texts["stage"]))
    if source.unmapped == "ignore":
        reasons.append((unmapped.notnull(), unmapped))
    return _first(reasons)


def _typed(
    column: str, text: ir.StringValue, spec: Column, source: Source, funnel: Funnel
) -> tuple[dict[str, ir.Value], list[tuple[ir.BooleanValue, str]]]:
    """The typed column (an instant with its date beside it), and what can be wrong with its text."""
    if spec.kind in ("instant", "day"):
        formats = _stated(source.date_format, column)
        instant = instant_of(text, formats, source.timezone or funnel.timezone, funnel.timezone)
        local = wall_clock(funnel.timezone, instant).date()
        wanted = " or ".join(f'"{fmt}"' for fmt in formats) or "ISO (2026-06-28 14:30)"
        wrong = [(instant.isnull(), f"is not a date written as {wanted}")]
        if spec.kind == "day":
            return {column: local}, wrong
        return {column: wall_clock("UTC", instant), date_column(column): local}, wrong
    if spec.kind == "number":
        number = number_of(text, source)
        return {column: number}, [(number.isnull(), f'is not a number with decimal "{source.decimal}"')]
    if spec.kind == "flag":
        word = text.lower()
        flag = ibis.cases((word.isin(YES), True), (word.isin(NO), False), else_=_null("boolean"))
        return {column: flag}, [(flag.isnull(), f"is neither yes nor no; map it with values.{column}")]
    if spec.kind == "id":
        return {column: text}, [(text.re_search(LOST_DIGITS), "has lost digits; export ids as text")]
    return {column: one_blank(text)}, []
