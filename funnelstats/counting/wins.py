"""Count verbs of won leads: how many and what they paid, and the moments of their tickets.

A lead is won when it first stands at the last stage. What it paid counts once, with its latest win, however many
payments it made; money given back lowers it. Shapes and types are those of `counts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, group_keys, grouped, in_order, on_date, whole_numbers
from funnelstats.counting.journeys import EPISODE, with_leads
from funnelstats.stated.dates import checked_period
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.schema import MISSING


def wins(
    journeys: ir.Table,
    leads: ir.Table,
    payments: ir.Table | None,
    funnel: Funnel,
    as_of: date,
    between: tuple[date, date],
) -> ir.Table:
    """The episodes won from the first to the last day of `between`, with what their lead had paid by `as_of`.

    Returns lead_id, episode, won_on, manager (owner at the last stage), channel ("(missing)" where unknown) and paid
    (null where nothing is known to be paid).
    """
    first, last = between
    checked_period(first, last)
    won = journeys.filter((journeys.place == len(funnel.steps)) & (journeys.reached_on <= on_date(as_of)))
    rows = won.select(*EPISODE, "manager", won_on="reached_on")
    latest = rows.group_by("lead_id").aggregate(latest=ibis._.episode.max())
    rows = rows.join(latest, "lead_id")
    if payments is None:
        rows = rows.mutate(paid=ibis.null("float64"))
    else:
        rows = rows.left_join(_paid(payments, as_of), "lead_id").select(*rows.columns, "paid")
        rows = rows.mutate(paid=(rows.episode == rows.latest).ifelse(rows.paid, ibis.null("float64")))
    rows = rows.filter(rows.won_on.between(on_date(first), on_date(last)))
    if "channel" in leads.columns:
        rows = with_leads(rows, leads, ["channel"])
    else:
        rows = rows.mutate(channel=ibis.literal(MISSING))
    return rows.select(*EPISODE, "won_on", "manager", "channel", "paid")


def won_counts(won: ir.Table, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """How many were won and what they paid: *by, won, paying (leads with a payment), paid. Takes `wins`.

    The money is missing, not zero, where no payment is known.
    """
    keys = group_keys(by, won.columns)
    counted = grouped(won, keys).aggregate(won=won.count(), paying=won.paid.count(), paid=won.paid.sum())
    return whole_numbers(in_order(fetch(counted), keys), ["won", "paying"]).astype({"paid": "float64"})


def ticket_moments(
    handed: ir.Table,
    payments: ir.Table | None,
    funnel: Funnel,  # noqa: ARG001
    as_of: date,
    by: str | Sequence[str],
) -> pd.DataFrame:
    """What won leads paid in all, one deal a lead: *by, deals, mean, variance (missing for one deal).

    Takes `handed_over`. Empty where no payments are known.
    """
    keys = group_keys(by, handed.columns)
    if payments is None:
        texts = pd.DataFrame({key: pd.Series(dtype="str") for key in keys})
        return texts.assign(deals=pd.Series(dtype="int64"), mean=0.0, variance=0.0)
    won = handed.filter(handed.won_on.notnull()).select("lead_id", *keys).distinct()
    deals = won.join(_paid(payments, as_of), "lead_id")
    counted = grouped(deals, keys).aggregate(
        deals=deals.count(), mean=deals.paid.mean(), variance=deals.paid.var(how="sample")
    )
    return whole_numbers(in_order(fetch(counted), keys), ["deals"]).astype({"mean": float, "variance": float})


def _paid(payments: ir.Table, as_of: date) -> ir.Table:
    known = payments.filter(payments.paid_on.isnull() | (payments.paid_on <= on_date(as_of)))
    return known.group_by("lead_id").aggregate(paid=known.amount.sum())
