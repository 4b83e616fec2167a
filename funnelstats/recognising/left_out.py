"""Rows that count for nothing: deleted and test records, what was planned, contacts not made, payments not come."""

from __future__ import annotations

import re

import pandas as pd

from funnelstats.config.schema import ROW_NUMBER
from funnelstats.importing.mapping import NO, YES
from funnelstats.recognising.fields import MOST_STATUSES, Field
from funnelstats.recognising.roles import Table
from funnelstats.recognising.words import fit, plain, role_fit, words

MOST_STATES = 5
"""Values of a column that says how records stand: active, deleted. One of more names people, say, or campaigns."""
MOST_LINES = 0.05
"""Share of the rows that may be lines of a report."""
MOST_DELETED, FEW_DELETED = 0.5, 0.15
"""Share of the rows from which on a flag is none of what does not count; and a word in a status of records."""
MOST_MISTAKES = 0.05
"""Share of the contacts and payments that may be of no lead by mistake."""


def few_values(table: Table, field: Field | None) -> list[str]:
    """What a column holds, of so few values as a status has; nothing where it has more, or is not there."""
    return table.sheet.values(field.name) if field and field.distinct <= MOST_STATUSES else []


def deleted(table: Table) -> dict[str, list[str]]:
    """What tells the rows of deals or of their changes that are no rows of a lead, by its column."""
    lines = _lines_between(table)
    found = {table.header("lead_id"): lines} if lines else {}
    known = words()["undone"]
    ended = [*known["deleted"], *(known["planned"] if table.what == "history" else [])]
    roles = {guess.header for guess in table.roles.values()} | {table.status}
    for name, field in table.sheet.fields.items():
        if name in roles or field.kind not in ("flag", "text", "id"):
            continue
        values, called = few_values(table, field), fit(name, known["deleted"]) >= 2
        marks = [value for value in values if value.casefold() in YES] if called else []
        most = MOST_DELETED
        if called and not marks and {*plain(name).split()} & {"void", "voided", "deleted"}:
            # Why a row was voided says that it was.
            marks, most = [value for value in values if value.casefold() not in NO], FEW_DELETED
        elif not called and len(values) <= MOST_STATES and (role_fit(name, "stage") or fit(name, known["records"])):
            marks, most = [value for value in values if fit(value, ended) >= 2], FEW_DELETED
        if marks and 0 < table.sheet.cells[name].isin(marks).mean() < most:
            found[name] = marks
    return found


def _lines_between(table: Table) -> list[str]:
    """The ids of rows that are none of a lead: a second line of headers, lines of a report that say nothing of dates.

    They have neither a date nor a stage, and their ids are nobody else's.
    """
    cells, dates = table.sheet.cells, table.sheet.dates
    stage = table.headers.get("stage", table.status)
    if table.headers.get("lead_id") in (None, ROW_NUMBER) or not dates or cells.empty:
        return []
    dated = pd.concat([table.sheet.has_date(name) for name in dates], axis=1).any(axis=1)
    ids, first = cells[table.header("lead_id")], cells.iloc[0]
    filled = [str(first[name]) for name in dates if not pd.isna(first[name])]
    named = [text for text in [*filled, str(ids.iloc[0])] if re.fullmatch(r"\D*[^\W\d_]\D*", text)]
    header = (cells.index == 0) & bool(filled and len(named) == len(filled) + 1)
    sparse = 2 * cells.notna().sum(axis=1) < cells.shape[1]
    line = (~dated & header) | (~dated & sparse & cells[stage].isna() if stage else False)
    few = 0 < line.mean() <= MOST_LINES and not ids[line].isin(ids[~line]).any()
    return ids[line].dropna().unique().tolist() if few else []


def undone(table: Table) -> dict[str, dict[str, list[str]]]:
    """What leaves out contacts that were not made and payments that have not come, and subtracts those given back."""
    stated: dict[str, dict[str, list[str]]] = {"without": {}, "given_back": {}}
    known = {"without": table.what, **({"given_back": "given_back"} if table.what == "payments" else {})}
    paid = table.headers.get("paid", table.headers.get("time"))
    for name, field in table.sheet.fields.items():
        values = few_values(table, field)
        if field.kind == "flag" and fit(name, words()["undone"]["done"]) >= 2:
            stated["without"][name] = [value for value in values if value.casefold() in NO]
        elif field.kind == "flag" and fit(name, words()["undone"][table.what]) >= 2:
            stated["without"][name] = [value for value in values if value.casefold() in YES]
        elif field.kind == "text":
            of_goods = table.what == "payments" and fit(name, words()["undone"]["goods"]) > 0
            goods_too = words()["undone"]["of_goods_too"] if of_goods else []
            for key, kind in known.items():
                undone = (value for value in values if _is_undone(value, kind, table.what))
                stated[key][name] = sorted(value for value in undone if fit(value, goods_too) < 2)
        elif table.what == "payments" and name == paid and ("paid" in table.roles or len(table.sheet.dates) > 1):
            # An invoice that is not paid, or a further line of one.
            blank = [""] if field.filled < len(table.sheet.cells) else []
            stated["without"][name] = [*blank, *field.empty]
    return {key: {name: texts for name, texts in of.items() if texts} for key, of in stated.items()}


def _is_undone(value: str, kind: str, what: str) -> bool:
    """Whether a value says it; of a contact its first word may: "Cancelled by client"."""
    known = words()["undone"][kind]
    return fit(value, known) >= 2 or (what == "contacts" and fit(plain(value).partition(" ")[0], known) >= 2)
