"""The plan in sentences for the head of sales: how many leads, what is there already, whether it can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnelstats.config.words import _, counted, day, money, number, percent, rough
from funnelstats.plan.forecast import ALL
from funnelstats.plan.goals import Goal, plan_window
from funnelstats.plan.plan import AS_NOW, FEWEST_DEALS, USUAL
from funnelstats.plan.work import MEETING, planned

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel
    from funnelstats.importing.opening import Tables

SURE = 0.9
"""From here on leads as they come now are enough."""
OUT_OF_REACH = 5
"""So many times the leads that come in now are no plan."""
ALL_IN_TIME = 0.95
"""From here on days do not matter to the plan."""


def plan_sentences(
    plan: pd.DataFrame, chance: pd.DataFrame, forecast: pd.DataFrame, paid: pd.DataFrame, funnel: Funnel, goal: Goal
) -> list[str]:
    """What to do for the goal: leads needed, what the open ones bring, whether as many come, until when.

    Takes the frames of ``plan_leads``, ``new_lead_chance``, ``forecast_open`` and ``paid_open_leads``.
    """
    new, old = chance.iloc[0], forecast[forecast["stage"] == ALL].iloc[0]
    sure = plan.sort_values("certainty", na_position="first").iloc[-1]
    now = plan[plan["plan"] == AS_NOW].iloc[0]
    said = [_headline(sure, plan, new, goal), _open_sentence(old, goal), _paid_sentence(paid, funnel)]
    if sure["leads"] > 0 or np.isnan(sure["leads"]):
        said += [] if _times(plan) >= OUT_OF_REACH else [_enough(sure, now, new, funnel, goal), _usual(plan, new)]
        said += [_late(new, goal)]
    return [sentence for sentence in said if sentence]


def _headline(sure: pd.Series, plan: pd.DataFrame, new: pd.Series, goal: Goal) -> str:
    deals = counted("{n} deal", "{n} deals", goal.deals).format(n=number(goal.deals))
    known = {"deals": deals, "by": day(goal.by), "sure": percent(sure["certainty"])}
    if sure["leads"] == 0:
        return _("For {deals} by {by} no new lead is needed, with {sure} certainty: the open ones bring them.").format(
            **known
        )
    if pd.isna(new["chance"]) and new["leads_a_week"] == 0:
        return _("How many leads {deals} by {by} need cannot be told: no lead came in of late.").format(**known)
    if pd.isna(new["chance"]):
        return _(
            "How many leads {deals} by {by} need cannot be told: no lead of late was watched through the agreed days "
            "of every step."
        ).format(**known)
    if new["deals"] >= FEWEST_DEALS and new["in_time"] <= 0:
        return _(
            "No new lead can still be won by {by}: what is missing to {deals} must come from the leads that are open "
            "now, or later."
        ).format(**known)
    if new["deals"] < FEWEST_DEALS:
        return _few(sure, new, known)
    if np.isinf(sure["leads"]):
        return _(
            "No number of new leads makes {deals} by {by} sure to {sure}: choose a later day or fewer deals."
        ).format(**known)
    if _times(plan) >= OUT_OF_REACH:
        return _(
            "{deals} by {by} are out of reach: {sure} certainty would take {leads} new leads, {times} times as many as "
            "come in now. Choose a later day or fewer deals."
        ).format(**known, leads=number(sure["leads"]), times=rough(_times(plan)))
    less = plan.sort_values("certainty", na_position="last").iloc[0]
    text = _(
        "For {deals} by {by} with {sure} certainty you need {leads} new leads: {week} a week, {each} a working day."
    )
    said = text.format(
        **known, leads=number(sure["leads"]), week=_few_digits(sure["a_week"]), each=_few_digits(sure["a_day"])
    )
    if less["certainty"] < sure["certainty"] and np.isfinite(less["leads"]):
        more = _("With {less} certainty {fewer} are enough.")
        said += " " + more.format(less=percent(less["certainty"]), fewer=number(less["leads"]))
    return said


def _times(plan: pd.DataFrame) -> float:
    """How many times the leads that come now the surest plan asks for; missing where either is."""
    now = plan.loc[plan["plan"] == AS_NOW, "leads"].iloc[0]
    return planned(plan) / now if now > 0 else float("nan")


def _few(sure: pd.Series, new: pd.Series, known: dict[str, str]) -> str:
    seen = counted("only {n} deal was", "only {n} deals were", new["deals"]).format(n=number(new["deals"]))
    if np.isinf(sure["leads_upper"]) or np.isnan(sure["leads_upper"]):
        text = _("How many leads {deals} by {by} need cannot be told yet: {seen} seen in the past.")
        return text.format(**known, seen=seen)
    text = _("For {deals} by {by} anything from {low} to {high} new leads may be needed: {seen} seen in the past.")
    return text.format(**known, seen=seen, low=number(sure["leads_lower"]), high=number(sure["leads_upper"]))


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


def _enough(sure: pd.Series, now: pd.Series, new: pd.Series, funnel: Funnel, goal: Goal) -> str:
    if np.isnan(now["delivers"]) or new["in_time"] <= 0 or new["deals"] < FEWEST_DEALS:
        return ""
    first, last = plan_window(goal.as_of, funnel)
    weeks = round(((last - first).days + 1) / 7)
    known = {
        "weeks": number(weeks),
        "now": number(new["leads_a_week"], 0 if new["leads_a_week"] >= 10 else 1),
        "chance": _chance(now["delivers"]),
    }
    if now["delivers"] >= SURE:
        text = _(
            "In the last {weeks} weeks {now} leads a week came in: keep it so, and the goal is made in {chance} cases."
        )
        return text.format(**known)
    text = _(
        "In the last {weeks} weeks {now} leads a week came in: if it stays so, the goal is made in {chance} cases."
    )
    missing = sure["a_week"] - 5 * now["leads"] / new["working_days"]
    said = text.format(**known)
    if not np.isfinite(missing):
        return said
    missing = max(np.ceil(missing), 1)
    more = counted(
        "Find {n} more lead a week, or set a later day.", "Find {n} more leads a week, or set a later day.", missing
    )
    return f"{said} {more.format(n=number(missing))}"


def _chance(share: float) -> str:
    """A probability as so many of 100 cases, never 0 or 100."""
    if share >= 0.995:
        return _("more than 99 of 100")
    if share < 0.01:
        return _("fewer than 1 of 100")
    return _("{n} of 100").format(n=number(100 * share))


def _usual(plan: pd.DataFrame, new: pd.Series) -> str:
    usual = plan[plan["plan"] == USUAL].iloc[0]
    if not np.isfinite(usual["leads"]) or np.isnan(usual["delivers"]) or usual["leads"] <= 0 or new["in_time"] <= 0:
        return ""
    text = _("Do not plan by deals ÷ rate: its {leads} leads make the goal in {chance} cases.")
    said = text.format(leads=number(usual["leads"]), chance=_chance(usual["delivers"]))
    if new["in_time"] < ALL_IN_TIME:
        late = _("Of the new leads that will be won only {share} are won in time.")
        said += " " + late.format(share=percent(new["in_time"]))
    return said


def _late(new: pd.Series, goal: Goal) -> str:
    if pd.isna(new["usual_days"]) or not 0 < new["in_time"] < ALL_IN_TIME:
        return ""
    if pd.isna(new["last_useful"]):
        text = _(
            "A lead that is won takes {days} days or more in every second case: most new ones come too late for {by}."
        )
        return text.format(days=number(new["usual_days"]), by=day(goal.by))
    text = _("Leads that come in after {last} mostly come too late: every second deal takes {days} days or more.")
    return text.format(last=day(new["last_useful"]), days=number(new["usual_days"]))


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
