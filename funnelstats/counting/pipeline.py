"""Count verbs behind a plan: open leads by stage and age, contacts made at each stage, what a lead has cost.

Shapes and types are those of `counts`, which also runs the queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, named, on_date, outcome_days
from funnelstats.counting.flows import stage_flow
from funnelstats.counting.journeys import visible
from funnelstats.stated.funnel import ENDS, Funnel

STAGE_CONTACTS = ["stage", "kind", "entered", "contacts", "each"]


def open_leads(journeys: ir.Table, funnel: Funnel, as_of: date, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Leads that are neither won nor ended at the end of `as_of`, each once: at the furthest stage it reached.

    A lead that stepped back is still open there. Leads without any dated stage are in no stage.
    Returns *by, from_stage, age_days (since the entry of that stage), open; `by` as in `outcome_days`.
    """
    days = outcome_days(journeys, funnel, as_of, by)
    return days[days["open"] > 0].drop(columns=["advanced", "lost"]).reset_index(drop=True)


def stage_contacts(
    contacts: ir.Table | None, journeys: ir.Table, funnel: Funnel, between: tuple[date, date]
) -> pd.DataFrame:
    """Contacts of a period with leads that stood at each stage, for each lead that entered the stage in it.

    A contact belongs to the furthest stage its lead had reached just before it: the call that leads to a meeting
    is work of the stage before. Contacts before the first stage and after an end are work of no stage. Counted
    per period and not per lead, so that leads still in work do not make the work look small.

    Returns stage (all but the last), kind, entered, contacts, each (missing where nobody entered); no rows
    without contacts.
    """
    if contacts is None:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in STAGE_CONTACTS}).astype(
            {"entered": "int64", "contacts": "int64", "each": "float64"}
        )
    first, last = between
    made = contacts.filter(contacts.on.between(on_date(first), on_date(last))).select(
        "lead_id", "at", kind=visible(contacts.kind)
    )
    opening = journeys[funnel.stages[0]]
    # an end typed before the lead itself says nothing about when work ended
    lost, nurture = ((journeys[end] >= opening).ifelse(journeys[end], ibis.null("timestamp")) for end in ENDS)
    closed = ibis.least(ibis.coalesce(lost, nurture), ibis.coalesce(nurture, lost))
    entered = {f"entered_{place}": journeys[stage] for place, stage in enumerate(funnel.stages)}
    rows = made.join(journeys.select("lead_id", closed=closed, **entered), "lead_id")
    rows = rows.filter((rows.at >= rows.entered_0) & (rows.closed.isnull() | (rows.at <= rows.closed)))
    place = ibis.literal(0)
    for ahead in range(1, len(funnel.stages)):
        place += (rows[f"entered_{ahead}"] < rows.at).fill_null(False).cast("int64")
    placed = rows.select("kind", _place=place)
    frame = fetch(placed.group_by("kind", "_place").aggregate(contacts=placed.count()))
    frame = frame[frame["_place"] < len(funnel.steps)]
    frame = frame.assign(stage=named(frame["_place"], funnel.stages))
    flow = stage_flow(journeys, funnel, first, last)[["stage", "entered"]].iloc[:-1]
    kinds = pd.DataFrame({"kind": sorted(frame["kind"].unique())}, dtype="str")
    found = flow.merge(kinds, how="cross").merge(frame[["stage", "kind", "contacts"]], how="left")
    found = found.assign(contacts=found["contacts"].fillna(0).astype("int64"))
    each = found["contacts"] / found["entered"].where(found["entered"] > 0)
    return found.assign(each=each)[STAGE_CONTACTS]


def lead_cost(costs: ir.Table | None, journeys: ir.Table, funnel: Funnel, between: tuple[date, date]) -> pd.DataFrame:
    """What was spent in a period, the leads that came in it, and the mean cost of one: one row.

    Returns spend, leads, cost_per_lead; missing where no costs are known or no lead came.
    """
    leads = int(stage_flow(journeys, funnel, *between)["entered"].iloc[0])
    spend = float("nan")
    if costs is not None:
        spent = costs.filter(costs.date.between(*map(on_date, between)))
        found = fetch(spent.aggregate(spend=spent.amount.sum()))["spend"]
        spend = pd.to_numeric(found, errors="coerce").astype(float).iloc[0]
    return pd.DataFrame({"spend": [spend], "leads": [leads]}).assign(
        cost_per_lead=lambda row: row["spend"] / row["leads"].where(row["leads"] > 0)
    )
