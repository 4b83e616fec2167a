"""How a plan was made, in sentences beside its tables: contacts, targets, money, rules, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.stated.words import _, day, money, percent
from funnelstats.statistics.goals import Goal, plan_window
from funnelstats.statistics.plan_work import MEETING

if TYPE_CHECKING:
    from funnelstats.reading.opening import Tables
    from funnelstats.stated.funnel import Funnel


def work_notes(contacts: pd.DataFrame, shares: pd.DataFrame) -> list[str]:
    """How the calendar's contacts came about, or what is missing to tell them.

    ``contacts`` is a frame of ``stage_contacts``, ``shares`` one of ``manager_shares``.
    """
    said = []
    if not contacts["contacts"].sum():
        said.append(_("No contacts: how many calls and meetings the plan needs cannot be told."))
    else:
        said.append(_("Contacts and meetings are as many as leads at each stage were given of late."))
        if not (contacts["kind"].str.lower() == MEETING).any():
            said.append(_('No contact is of the kind "meeting": meetings cannot be told apart.'))
    if shares.empty:
        said.append(_("No manager when leads enter a stage: the plan cannot be shared out."))
    return said


def aim_notes(funnel: Funnel) -> list[str]:
    """What the two rows of bars of the funnel arithmetic are, or that no target is agreed."""
    really = _("As it really goes: the rates of the weeks that the plan goes by.")
    if all(step.target is None for step in funnel.steps):
        return [_("No targets are agreed: the way of 100 leads is shown only as it really goes."), really]
    return [_("As agreed: the targets multiplied."), really]


def money_notes(tables: Tables, cost: pd.DataFrame, funnel: Funnel) -> list[str]:
    """How the plan's money came about, and what is missing to tell it. ``cost`` is a frame of ``lead_cost``."""
    said = [
        _("No costs: what the plan's leads cost cannot be told.")
        if tables.costs is None
        else _("A new lead costs what one has cost of late on average, all channels together."),
        _("No payments: what the plan brings in cannot be told.")
        if tables.payments is None
        else _("A deal brings in what one has paid so far on average, before the cost of goods and of sales."),
    ]
    row = cost.iloc[0]
    if row["free_leads"] and row["spend"] > 0:
        text = _(
            "No spend is written down for {channels}: {share} of the leads of late are in the average for nothing. If "
            "more of them cannot be had for nothing, reckon {each} for a new lead: what one of the other channels cost."
        )
        said.insert(
            1,
            text.format(
                channels=row["free_channels"],
                share=percent(row["free_leads"] / row["leads"]),
                each=money(row["cost_elsewhere"], funnel.currency),
            ),
        )
    return said


def plan_rules(funnel: Funnel, goal: Goal) -> list[str]:
    """How the plan was made, one sentence for each rule."""
    first, last = plan_window(goal.as_of, funnel)
    return [
        _("Rates and days are those of the leads that entered a stage from {first} to {last}.").format(
            first=day(first), last=day(last)
        ),
        _(
            "A lead moves on as past leads of its stage and age did, later than agreed too, as far as past leads were "
            "watched. What comes of open leads that stand longer than that is not known: they count for nothing."
        ),
        _("A deal is a lead that comes to stand at “{last}”, whenever it pays.").format(last=funnel.stages[-1]),
        _(
            "New leads come evenly on the working days from {first} to {last}; each needs its days until it is won."
        ).format(first=day(pd.Timestamp(goal.as_of) + pd.Timedelta(days=1)), last=day(goal.by)),
        _(
            "The rates are known only so well, and weeks may differ by more than chance: both make the number of "
            "leads higher. 90% certainty means that in at least 9 of 10 such plans the goal is made."
        ),
        _("The plan knows no seasons and no changes to come: it goes on as the weeks above went."),
        _("Contacts are planned for the week in which a lead enters the stage at which they are made."),
    ]
