"""Count verbs of the leads' record: whether it says what the next step needs, and which attributes it has at all."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, in_order, on_date, whole_numbers
from funnelstats.counting.journeys import visible
from funnelstats.stated.funnel import ENDS, Funnel, FunnelError, suggestion
from funnelstats.stated.schema import MISSING

RECORD = ["stage", "field", "manager", "entered", "converted"]


def known_columns(rows: ir.Table) -> set[str]:
    """The columns that hold something in some row: what the export has, whatever funnel.toml states."""
    held = fetch(rows.aggregate(**{name: rows[name].count() for name in rows.columns})).iloc[0]
    return {str(name) for name, count in held.items() if count}


def record_counts(journeys: ir.Table, leads: ir.Table, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Leads that wait at a stage at the end of `as_of`, and those whose record has what its next step needs.

    They are those of `open_leads`: neither won nor ended, each once, at the furthest stage it reached; a step back
    takes nothing away. The fields are those of `loop.needs`; a blank text, an unknown flag and an unknown number are
    not filled. The manager is the owner at the stage's entry. Returns stage, field, manager, entered (leads waiting
    there), converted (of them filled): one row for each field and manager with a lead there; empty where nothing is
    stated.
    """
    needs = [(stage, field) for stage in funnel.stages for field in funnel.loop.needs.get(stage, ())]
    for _, field in needs:
        if field not in leads.columns:
            raise FunnelError(f'loop.needs: no column "{field}" in the leads; {suggestion(field, leads.columns)}')
    if not needs:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in RECORD[:3]}).assign(entered=0, converted=0)
    gone = journeys.outcome.isin(["advanced", "won", *ENDS]) & (journeys.left_on <= on_date(as_of))
    there = journeys.filter(
        journeys.stage.isin([stage for stage, _ in needs])
        & (journeys.entered_on <= on_date(as_of))
        & ~gone.fill_null(False)
    ).select("lead_id", "stage", "manager")
    fields = list(dict.fromkeys(field for _, field in needs))
    filled = leads.select("lead_id", **{f"_has_{n}": _is_filled(leads[name]) for n, name in enumerate(fields)})
    rows = there.left_join(filled, "lead_id").select(*there.columns, *filled.columns[1:])
    counted = rows.group_by("stage", "manager").aggregate(
        entered=ibis._.count(),
        **{f"_has_{n}": ibis._.count(where=ibis._[f"_has_{n}"].fill_null(False)) for n in range(len(fields))},
    )
    found = fetch(counted)
    parts = [
        found[found["stage"] == stage].assign(field=field, converted=found[f"_has_{fields.index(field)}"], _place=place)
        for place, (stage, field) in enumerate(needs)
    ]
    every = in_order(pd.concat(parts, ignore_index=True), ["manager"]).sort_values("_place", kind="stable")
    return whole_numbers(every[RECORD].reset_index(drop=True), RECORD[3:]).astype({"field": "str"})


def _is_filled(value: ir.Value) -> ir.BooleanValue:
    return visible(value) != MISSING if value.type().is_string() else value.notnull()


def attribute_sizes(leads: ir.Table) -> pd.DataFrame:
    """The text and flag columns of the leads: attribute, distinct (values, blanks not counted), filled (leads)."""
    names = [name for name, kind in leads.schema().items() if kind.is_string() or kind.is_boolean()]
    names = [name for name in names if name != "lead_id"]
    found = fetch(
        leads.aggregate(
            **{f"_distinct_{n}": leads[name].nunique(where=leads[name].notnull()) for n, name in enumerate(names)},
            **{f"_filled_{n}": leads[name].count() for n, name in enumerate(names)},
            leads=leads.count(),
        )
    )
    return pd.DataFrame(
        {
            "attribute": pd.Series(names, dtype="str"),
            "distinct": [int(found[f"_distinct_{n}"].iloc[0]) for n in range(len(names))],
            "filled": [int(found[f"_filled_{n}"].iloc[0]) for n in range(len(names))],
        }
    )
