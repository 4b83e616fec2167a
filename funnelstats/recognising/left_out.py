"""Rows that count for nothing: deleted and test records, what was planned, contacts not made, payments not come."""

from __future__ import annotations

import pandas as pd

from funnelstats.importing.mapping import NO, YES
from funnelstats.recognising.export import MOST_STATUSES
from funnelstats.recognising.roles import Table
from funnelstats.recognising.sheets import Field
from funnelstats.recognising.words import fit, plain, words

MOST_STATES = 5
"""Values of a column that says how records stand: active, deleted. One of more names people, say, or campaigns."""
MOST_DELETED = 0.5
"""Share of the rows from which on a mark is no mark of what does not count."""


def few_values(table: Table, field: Field) -> list[str]:
    """What a column holds, of so few values as a status has; nothing where it has more."""
    return table.sheet.cells[field.name].dropna().unique().tolist() if field.distinct <= MOST_STATUSES else []


def deleted(table: Table) -> dict[str, list[str]]:
    """What tells the rows of deals or of their changes that are no rows of a lead, by its column."""
    if table.what not in ("deals", "history"):
        return {}
    found: dict[str, list[str]] = {}
    first = table.sheet.cells.iloc[0]
    dated = [name for name in table.sheet.dates if not pd.isna(first[name])]
    if dated and "lead_id" in table.roles and all(first[name] in table.sheet.fields[name].empty for name in dated):
        found[table.header("lead_id")] = [str(first[table.header("lead_id")])]  # a second line of headers
    roles = {guess.header for guess in table.roles.values()} | {table.status}
    for name, field in table.sheet.fields.items():
        if name in roles or field.kind not in ("flag", "text", "id"):
            continue
        values = few_values(table, field)
        known = [*words()["undone"]["deleted"], *(words()["undone"]["planned"] if table.what == "history" else [])]
        if fit(name, words()["undone"]["deleted"]) >= 2:
            # Why a row was voided says that it was; what a test was of does not.
            says = [value for value in values if value.casefold() not in NO and "test" not in plain(name)]
            marks = [value for value in values if value.casefold() in YES] or says
        else:
            marks = [value for value in values if fit(value, known) >= 2] if len(values) <= MOST_STATES else []
        if marks and 0 < table.sheet.cells[name].isin(marks).mean() < MOST_DELETED:
            found[name] = marks
    return found


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
            for key, kind in known.items():
                stated[key][name] = sorted(value for value in values if _says(value, kind, table.what))
        elif table.what == "payments" and name == paid and len(table.sheet.dates) > 1:
            # An invoice is dated otherwise too.
            blank = [""] if field.filled < len(table.sheet.cells) else []
            stated["without"][name] = [*blank, *field.empty]
    return {key: {name: texts for name, texts in of.items() if texts} for key, of in stated.items()}


def _says(value: str, kind: str, what: str) -> bool:
    """Whether a value says it; of a contact its first word may: "Cancelled by client"."""
    known = words()["undone"][kind]
    return fit(value, known) >= 2 or (what == "contacts" and fit(plain(value).partition(" ")[0], known) >= 2)
