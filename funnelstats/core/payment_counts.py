"""What each lead has paid: the one place that says which payments are known on a day."""

from __future__ import annotations

from datetime import date

import ibis.expr.types as ir

from funnelstats.core.counts import on_date


def paid_by_lead(payments: ir.Table, as_of: date) -> ir.Table:
    """What each lead had paid by the end of `as_of`, one row a lead; a payment without a date always counts.

    Returns lead_id, payments (how many), paid (all amounts summed), returned (the negative ones, null where there are
    none), first_paid_on and last_paid_on (of those above 0) and paid_undated (one above 0 has no date).
    """
    known = payments.filter(payments.paid_on.isnull() | (payments.paid_on <= on_date(as_of)))
    positive = known.amount > 0
    return known.group_by("lead_id").aggregate(
        payments=known.count(),
        paid=known.amount.sum(),
        returned=known.amount.sum(where=known.amount < 0),
        first_paid_on=known.paid_on.min(where=positive),
        last_paid_on=known.paid_on.max(where=positive),
        paid_undated=known.count(where=positive & known.paid_on.isnull()) > 0,
    )
