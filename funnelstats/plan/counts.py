"""Count verbs behind a plan: open leads by stage and age, those that paid, contacts at each stage, a lead's cost.

Shapes and types are those of `counts`, which also runs the queries.
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS, MISSING
from funnelstats.core.counts import By, fetch, named, nothing_counted, on_date, outcome_days, paid_by_lead
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.intervals import share
from funnelstats.core.journeys import EPISODE, earlier, visible, with_leads

STAGE_CONTACTS = ["stage", "kind", "entered", "contacts", "each"]


def open_leads(journeys: ir.Table, funnel: Funnel, as_of: date, by: By = ()) -> pd.DataFrame:
    """Leads that are neither won nor ended at the end of `as_of`, each once: at the furthest stage it reached.

    A lead that stepped back is still open there. Leads without any dated stage are in no stage, and those won, lost
    or returned on a day not known are not open.
    Returns *by, from_stage, age_days (since the entry of that stage), open; `by` as in `outcome_days`.

    >>> fs.plan.open_leads(paths, spec, day).head(2)
      from_stage  age_days  open
    0       lead         1    36
    1       lead         2    18
    """
    need(journeys, "journeys", *EPISODE, "place", "entered_on", "next_on", "outcome", "left_on", "undated", lazy=True)
    days = outcome_days(journeys.filter(journeys.undated.isnull()), funnel, as_of, by)
    return days[days["open"] > 0].drop(columns=["advanced", "lost"]).reset_index(drop=True)


def paid_open_leads(journeys: ir.Table, payments: ir.Table | None, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """The leads of `open_leads` that have paid since they came in: the verbs of money call them won.

    A plan counts them as deals to come, since it goes by stages, as its rates do. Returns from_stage, open, in the
    funnel's order; no rows without payments.

    >>> fs.plan.paid_open_leads(paths, tables.payments, spec, day)
       from_stage  open
    0  contracted    36
    """
    if payments is None:
        return nothing_counted(["from_stage"], ["open"])
    need(journeys, "journeys", "lead_id", "began_on", lazy=True)
    rows = journeys.join(paid_by_lead(payments, as_of).select("lead_id", "last_paid_on"), "lead_id")
    waiting = open_leads(rows.filter(rows.last_paid_on >= rows.began_on), funnel, as_of)
    return waiting.groupby("from_stage", sort=False)["open"].sum().reset_index()


def stage_contacts(
    contacts: ir.Table | None, journeys: ir.Table, funnel: Funnel, between: tuple[date, date]
) -> pd.DataFrame:
    """Contacts of a period with leads that stood at each stage, for each lead that entered the stage in it.

    A contact belongs to the furthest stage its lead had reached just before it: the call that leads to a meeting
    is work of the stage before. Contacts before the first stage and after an end are work of no stage. Counted
    per period and not per lead, so that leads still in work do not make the work look small.

    Returns stage (all but the last), kind, entered, contacts, each (missing where nobody entered); no rows
    without contacts.

    >>> fs.plan.stage_contacts(tables.contacts, paths, spec, window).head(2).round(2)
      stage  kind  entered  contacts  each
    0  lead  call     2291      2246  0.98
    1  lead  mail     2291       332  0.14
    """
    need(journeys, "journeys", "lead_id", "place", "reached_at", "next_at", "opened", lazy=True)
    if contacts is None:
        return nothing_counted(STAGE_CONTACTS[:2], STAGE_CONTACTS[2:]).astype({"each": "float64"})
    need(contacts, "contacts", "lead_id", "at", "on", "kind", lazy=True)
    first, last = between
    made = contacts.filter(contacts.on.between(on_date(first), on_date(last))).select(
        "lead_id", "at", kind=visible(contacts.kind)
    )
    # an end typed before the lead itself says nothing about when work ended
    lost, nurture = (
        (journeys[f"{end}_at"] >= journeys.began_at).ifelse(journeys[f"{end}_at"], ibis.null("timestamp"))
        for end in ENDS
    )
    known = ("lead_id", "place", "opened", "began_at", "reached_at", "next_at")
    rows = made.join(journeys.select(*known, closed=earlier(lost, nurture)), "lead_id")
    rows = rows.filter((rows.at >= rows.began_at) & (rows.closed.isnull() | (rows.at <= rows.closed)))
    # A reopened lead is at the stage it reopened at, or further on.
    come = (rows.place == rows.opened) | (rows.reached_at < rows.at)
    placed = rows.filter(come & ~(rows.next_at < rows.at).fill_null(False)).select("kind", _place="place")
    frame = fetch(placed.group_by("kind", "_place").aggregate(contacts=placed.count()))
    frame = frame[frame["_place"] < len(funnel.steps)]
    frame = frame.assign(stage=named(frame["_place"], funnel.stages))
    flow = stage_flow(journeys, funnel, first, last)[["stage", "entered"]].iloc[:-1]
    kinds = pd.DataFrame({"kind": sorted(frame["kind"].unique())}, dtype="str")
    found = flow.merge(kinds, how="cross").merge(frame[["stage", "kind", "contacts"]], how="left")
    found = found.assign(contacts=found["contacts"].fillna(0).astype("int64"))
    return found.assign(each=share(found["contacts"], found["entered"]))[STAGE_CONTACTS]


def lead_cost(
    costs: ir.Table | None, journeys: ir.Table, leads: ir.Table, funnel: Funnel, between: tuple[date, date]
) -> pd.DataFrame:
    """What was spent in a period, the leads that came in it, and the mean cost of one: one row.

    Returns spend, leads, cost_per_lead; missing where no costs are known or no lead came. Then, where costs and
    `leads` have a channel, free_channels (a list of those with leads and without spend), free_leads, and
    cost_elsewhere, the mean of the others; no channel, 0 and cost_per_lead where that cannot be told.

    >>> cost = fs.plan.lead_cost(tables.costs, paths, tables.leads, spec, window)
    >>> cost[["spend", "leads", "cost_per_lead"]].round()
            spend  leads  cost_per_lead
    0  81133844.0   2291        35414.0
    """
    came = int(stage_flow(journeys, funnel, *between)["entered"].iloc[0])
    spend, free = float("nan"), pd.Series(dtype="int64")
    if costs is not None:
        need(costs, "costs", "date", "amount", lazy=True)
        spent = costs.filter(costs.date.between(*map(on_date, between)))
        spend = float(fetch(spent.aggregate(spend=spent.amount.sum())).astype("float64")["spend"].iloc[0])
        if "channel" in leads.columns and "channel" in costs.columns:
            flow = stage_flow(with_leads(journeys, leads, ["channel"]), funnel, *between, by="channel")
            entered = flow[flow["stage"] == funnel.stages[0]].set_index("channel")["entered"]
            paid_for = fetch(spent.filter(spent.amount > 0).select(channel=visible(spent.channel)).distinct())
            free = entered[(entered > 0) & ~entered.index.isin([*paid_for["channel"], MISSING])]
    found = {
        "spend": spend,
        "leads": came,
        "cost_per_lead": float(share(spend, came)),
        "free_channels": list(free.index),
        "free_leads": int(free.sum()),
        "cost_elsewhere": float(share(spend, came - free.sum())),
    }
    return pd.DataFrame([found])
