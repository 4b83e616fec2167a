"""The plan in sentences for the head of sales: how many leads, what is there already, whether it can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnelstats.config.words import _, counted, day, money, number, percent, rough
from funnelstats.plan.goals import Goal, plan_window
from funnelstats.plan.plan import FEWEST_DEALS, MEETING, USUAL, Plan

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel
    from funnelstats.importing.opening import Tables

SURE = 0.9
"""From here on leads as they come now are enough."""
OUT_OF_REACH = 5
"""So many times the leads that come in now are no plan."""
ALL_IN_TIME = 0.95
"""From here on days do not matter to the plan."""


def plan_sentences(plan: Plan, paid: pd.DataFrame) -> list[str]:
    """What to do for the goal: leads needed, what the open ones bring, whether as many come, until when.

    Takes the frame of ``paid_open_leads``.
    """
    sentences = [_headline(plan), _open_sentence(plan.forecast.iloc[-1], plan.goal), _paid_sentence(paid, plan.funnel)]
    if plan.surest["leads"] != 0:
        sentences += [] if _times(plan) >= OUT_OF_REACH else [_enough(plan), _usual(plan)]
        sentences += [_late(plan)]
    return [sentence for sentence in sentences if sentence]


def _headline(plan: Plan) -> str:
    new, goal, sure = plan.new, plan.goal, plan.surest
    deals = counted("{n} deal", "{n} deals", goal.deals).format(n=number(goal.deals))
    known = {"deals": deals, "by": day(goal.by), "sure": percent(sure["certainty"])}
    if sure["leads"] == 0:
        return _("For {deals} by {by} no new lead is needed, with {sure} certainty: the open ones bring them.").format(
            **known
        )
    if np.isnan(new.brings.mean) and new.a_week == 0:
        return _("How many leads {deals} by {by} need cannot be told: no lead came in of late.").format(**known)
    if np.isnan(new.brings.mean):
        return _(
            "How many leads {deals} by {by} need cannot be told: no lead of late was watched through the agreed days "
            "of every step."
        ).format(**known)
    if new.deals_seen < FEWEST_DEALS:
        return _few(plan, known)
    if new.in_time <= 0:
        return _(
            "No new lead can still be won by {by}: what is missing to {deals} must come from the leads that are open "
            "now, or later."
        ).format(**known)
    if np.isinf(sure["leads"]):
        return _(
            "No number of new leads makes {deals} by {by} sure to {sure}: choose a later day or fewer deals."
        ).format(**known)
    if _times(plan) >= OUT_OF_REACH:
        return _(
            "{deals} by {by} are out of reach: {sure} certainty would take {leads} new leads, {times} times as many as "
            "come in now. Choose a later day or fewer deals."
        ).format(**known, leads=number(sure["leads"]), times=rough(_times(plan)))
    needed = _(
        "For {deals} by {by} with {sure} certainty you need {leads} new leads: {week} a week, {each} a working day."
    ).format(**known, leads=number(sure["leads"]), week=_few_digits(sure["a_week"]), each=_few_digits(sure["a_day"]))
    less = plan.leads.iloc[plan.leads["certainty"].argmin()]
    more = _("With {less} certainty {fewer} are enough.")
    return needed + " " + more.format(less=percent(less["certainty"]), fewer=number(less["leads"]))


def _times(plan: Plan) -> float:
    """How many times the leads that come now the surest plan asks for; missing where either is."""
    leads, now = plan.surest["leads"], plan.as_now["leads"]
    return leads / now if now > 0 and np.isfinite(leads) else float("nan")


def _few(plan: Plan, known: dict[str, str]) -> str:
    low, high = plan.surest["leads_lower"], plan.surest["leads_upper"]
    many = plan.new.deals_seen
    seen = counted("only {n} deal was", "only {n} deals were", many).format(n=number(many))
    if not np.isfinite(high):
        text = _("How many leads {deals} by {by} need cannot be told yet: {seen} seen in the past.")
        return text.format(**known, seen=seen)
    text = _("For {deals} by {by} anything from {low} to {high} new leads may be needed: {seen} seen in the past.")
    return text.format(**known, seen=seen, low=number(low), high=number(high))


def _few_digits(value: float) -> str:
    return number(np.ceil(value)) if value >= 10 else number(value, 1)


def _open_sentence(old: pd.Series, goal: Goal) -> str:
    if old["open"] == 0:
        return _("No lead is open now: all deals must come from new ones.")
    if old["not_known"] == old["open"]:
        text = counted(
            "The {n} lead open now stands at its stage longer than agreed, and longer than past leads were watched: "
            "what comes of it is not known, and nothing is counted.",
            "All {n} leads open now stand at their stage longer than agreed, and longer than past leads were watched: "
            "what comes of them is not known, and nothing is counted.",
            old["open"],
        )
        return text.format(n=number(old["open"]))
    low, high = number(old["deals_lower"]), number(old["deals_upper"])
    text = counted(
        "The {n} lead open now brings {low} to {high} deals by then (very likely).",
        "The {n} leads open now bring {low} to {high} deals by then (very likely).",
        old["open"],
    )
    said = text.format(n=number(old["open"]), low=low, high=high, by=day(goal.by))
    late = old["too_old"] - old["not_known"]
    if late > 0 and pd.notna(old["deals_late"]):
        text = counted(
            "{n} of them stands at its stage longer than agreed: going by past leads, it brings {deals}.",
            "{n} of them stand at their stage longer than agreed: going by past leads, they bring {deals}.",
            late,
        )
        said += " " + text.format(n=number(late), deals=_deals(old["deals_late"]))
    if old["not_known"] > 0:
        text = counted(
            "{n} stands longer than past leads were watched: what comes of it is not known, and nothing is counted.",
            "{n} stand longer than past leads were watched: what comes of them is not known, and nothing is counted.",
            old["not_known"],
        )
        said += " " + text.format(n=number(old["not_known"]))
    return said


def _deals(many: float) -> str:
    """So many deals; below one to a tenth, which has the form of several."""
    shown = round(float(many), 1 if many < 0.95 else 0)
    return counted("{n} deal", "{n} deals", 2 if shown < 1 else shown).format(n=number(shown, shown < 1))


def _paid_sentence(paid: pd.DataFrame, funnel: Funnel) -> str:
    """Why this page knows more open leads than those of money do."""
    if paid.empty:
        return ""
    rows = paid.sort_values("open", ascending=False, kind="stable")
    where = ", ".join(
        (_("{n} at “{stage}”") if len(rows) > 1 else _("at “{stage}”")).format(n=number(many), stage=stage)
        for stage, many in zip(rows["from_stage"], rows["open"], strict=True)
    )
    many = paid["open"].sum()
    return counted(
        "{n} of the open leads has a payment booked and does not stand at “{last}” yet ({where}): move it on in the "
        "CRM. Here it is a deal to come; the pages of money count it as won.",
        "{n} of the open leads have a payment booked and do not stand at “{last}” yet ({where}): move them on in the "
        "CRM. Here they are deals to come; the pages of money count them as won.",
        many,
    ).format(n=number(many), last=funnel.stages[-1], where=where)


def _enough(plan: Plan) -> str:
    new, now = plan.new, plan.as_now
    if np.isnan(now["delivers"]) or new.in_time <= 0 or new.deals_seen < FEWEST_DEALS:
        return ""
    first, last = plan_window(plan.goal.as_of, plan.funnel)
    known = {
        "weeks": number(round(((last - first).days + 1) / 7)),
        "now": number(new.a_week, 0 if new.a_week >= 10 else 1),
        "chance": _chance(now["delivers"]),
    }
    if now["delivers"] >= SURE:
        return _(
            "In the last {weeks} weeks {now} leads a week came in: keep it so, and the goal is made in {chance} cases."
        ).format(**known)
    so_far = _(
        "In the last {weeks} weeks {now} leads a week came in: if it stays so, the goal is made in {chance} cases."
    ).format(**known)
    missing = plan.surest["a_week"] - now["a_week"]
    if not np.isfinite(missing):
        return so_far
    missing = max(np.ceil(missing), 1)
    more = counted(
        "Find {n} more lead a week, or set a later day.", "Find {n} more leads a week, or set a later day.", missing
    )
    return f"{so_far} {more.format(n=number(missing))}"


def _chance(share: float) -> str:
    """A probability as so many of 100 cases, never 0 or 100."""
    if share >= 0.995:
        return _("more than 99 of 100")
    if share < 0.01:
        return _("fewer than 1 of 100")
    return _("{n} of 100").format(n=number(100 * share))


def _usual(plan: Plan) -> str:
    usual, in_time = plan.leads[plan.leads["plan"] == USUAL].iloc[0], plan.new.in_time
    if not np.isfinite(usual["leads"]) or np.isnan(usual["delivers"]) or usual["leads"] <= 0 or in_time <= 0:
        return ""
    text = _("Do not plan by deals ÷ rate: its {leads} leads make the goal in {chance} cases.")
    warning = text.format(leads=number(usual["leads"]), chance=_chance(usual["delivers"]))
    if in_time >= ALL_IN_TIME:
        return warning
    late = _("Of the new leads that will be won only {share} are won in time.")
    return warning + " " + late.format(share=percent(in_time))


def _late(plan: Plan) -> str:
    new = plan.new
    if np.isnan(new.usual_days) or not 0 < new.in_time < ALL_IN_TIME:
        return ""
    if pd.isna(new.last_useful):
        text = _(
            "A lead that is won takes {days} days or more in every second case: most new ones come too late for {by}."
        )
        return text.format(days=number(new.usual_days), by=day(plan.goal.by))
    text = _("Leads that come in after {last} mostly come too late: every second deal takes {days} days or more.")
    return text.format(last=day(new.last_useful), days=number(new.usual_days))


def work_notes(contacts: pd.DataFrame, shares: pd.DataFrame) -> list[str]:
    """How the calendar's contacts came about, or what is missing to tell them.

    ``contacts`` is a frame of ``stage_contacts``, ``shares`` one of ``manager_shares``.
    """
    some = contacts["contacts"].sum() > 0
    notes = [
        _("Contacts and meetings are as many as leads at each stage were given of late.")
        if some
        else _("No contacts: how many calls and meetings the plan needs cannot be told.")
    ]
    if some and not (contacts["kind"].str.lower() == MEETING).any():
        notes.append(_('No contact is of the kind "meeting": meetings cannot be told apart.'))
    if shares.empty:
        notes.append(_("No manager when leads enter a stage: the plan cannot be shared out."))
    return notes


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
