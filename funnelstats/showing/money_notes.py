"""How money was counted, in sentences: limits of an export, rules, what rules of attribution agree on."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.stated.funnel import Funnel
from funnelstats.stated.words import _, day, money, number, percent

if TYPE_CHECKING:
    from funnelstats.reading.opening import Tables


def money_limits(
    tables: Tables, strays: pd.DataFrame, funnel: Funnel, set_aside: pd.DataFrame | None = None
) -> list[str]:
    """What this export cannot tell about money, each in a sentence; which payments belong to nobody.

    Takes a frame of ``stray_payments``, and the rows that the preparation set aside.
    """
    said = []
    if tables.costs is None:
        said.append(_("No costs: cost of a lead, cost of a sale, return and payback cannot be told."))
    if tables.payments is None:
        said.append(_("No payments: revenue, return and payback cannot be told."))
    if "channel" not in tables.leads.columns:
        said.append(_("Leads carry no channel: returns cannot be told apart by channel."))
    if tables.costs is not None and "channel" not in tables.costs.columns:
        said.append(_("Costs carry no channel: only the return of all channels together can be told."))
    if set_aside is not None and len(rows := set_aside[set_aside["table"].isin(["payments", "costs"])]):
        nobody = rows["reason"] == "belongs to no lead"
        said.append(
            _(
                "Set aside when the export was read, and in no table here: {strays} payments of leads it does not "
                "hold, {bad} rows of payments and costs that cannot be read. The data check lists them."
            ).format(strays=number(nobody.sum()), bad=number((~nobody).sum()))
        )
    stray = strays.iloc[0]
    if stray["payments"]:
        said.append(
            _("{payments} payments, {amount} in all, are of leads that never entered the funnel: they are in no table.")
            .format(payments=number(stray["payments"]), amount=money(stray["amount"], funnel.currency))
        )  # fmt: skip
    said.append(
        _("A return says what came back, not what a channel causes: who would have come anyway is counted too.")
    )
    if tables.costs is not None and tables.payments is not None:
        said.append(
            _(
                "Revenue is not profit: the cost of goods and the pay of sales are in no return. A channel that brings "
                "a little more than was spent may still lose."
            )
        )
    return [*said, *map(_, funnel.notes)]


def money_rules(funnel: Funnel, as_of: date, between: tuple[date, date]) -> list[str]:
    """How money was counted, one sentence for each rule."""
    first, last = funnel.stages[0], funnel.stages[-1]
    days = sum(step.horizon_days for step in funnel.steps)
    return [
        _("Unit: the lead. A lead that was lost and came back is the same lead: it was paid for once."),
        _("Leads: those that entered {first} from {start} to {end}; spend: that of the same days.").format(
            first=first, start=day(between[0]), end=day(between[1])
        ),
        _("A lead's cohort is the quarter it came in; its payments count there, whenever they arrive."),
        _(
            "Won: reached {last}, or paid for the first time, whichever is earlier. Several payments of one lead are "
            "one deal; money given back lowers it. A won lead is not open, whatever its stage: pages that go by "
            "stages call it open until it reaches {last}."
        ).format(last=last),
        _(
            "At maturity: revenue so far + open leads × the share that is still won within {days} days of coming in, "
            "as past leads of the channel were at that age × what a won lead of the channel pays on average. Later "
            "sales and open instalments are not added."
        ).format(days=days),
        _(
            "Ranges hold the true value in 19 of 20 cases, unless a few deals dwarf all others: then they are too "
            "narrow and may hold it in 15 of 20 only. Cost of a sale: sales to come counted in; its range is that of "
            "the conversion."
        ),
        _(
            "More or less than was spent is said only where the range leaves out as much as was spent, and with so "
            "many compared: of all in one table so told, on average at most 1 in 10 is wrong. The others cannot be "
            "told yet; that does not mean that they bring as much as was spent."
        ),
        _(
            "Spend counts on its day, leads on theirs: a fair paid in one quarter brings leads in the next. The four "
            "quarters together, or the campaign, are then the better answer."
        ),
        _("Without spend there is no return: neither infinite nor 0. Fewer than 3 deals are shown and not judged."),
        _("As of {day}: later rows do not exist. Amounts are in {currency}.").format(
            day=day(as_of), currency=funnel.currency
        ),
    ]  # fmt: skip


def attribution_sentences(credited: pd.DataFrame) -> list[str]:
    """What the rules of attribution agree and disagree on, and that none of them shows a cause."""
    if credited.empty:
        return [_("No contact names a channel: only the channel a lead came from can be credited with its money.")]
    rules = credited[["first", "last", "linear", "position", "markov"]]
    apart = int((rules.max(axis=1) - rules.min(axis=1)).argmax())
    row, total = rules.iloc[apart], rules["linear"].sum()
    return [
        _(
            "The same revenue under six rules. Own: the channel the lead came from. The others share it among the "
            "channels of the contacts up to the sale."
        ),
        _("Not causal: each rule shares out the same money; none says what would be lost without a channel."),
        _("The rules differ most on {channel}: {low} to {high} of the money.").format(
            channel=credited["channel"].iloc[apart],
            low=percent(row.min() / total),
            high=percent(row.max() / total),
        ),
    ]
