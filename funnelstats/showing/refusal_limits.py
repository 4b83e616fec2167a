"""What a page of refusals cannot tell and how it was counted, as sentences; the month its lists are for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.counting.ends import told_gaps
from funnelstats.showing.rules import THREE_ANSWERS
from funnelstats.stated.words import _, day

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel


NO_REFUSALS = "The data knows no refusals: a lead that did not buy stays open for ever, so reasons cannot be told."


def month_after(end: date) -> tuple[date, date]:
    """First and last day of the month in which a meeting about the days until ``end`` sits.

    >>> month_after(date(2026, 6, 30))
    (datetime.date(2026, 7, 1), datetime.date(2026, 7, 31))
    """
    first = (end.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def refusals_not_told(totals: pd.DataFrame, funnel: Funnel, columns: Sequence[str]) -> list[str]:
    """What the export or funnel.toml lacks for the page of refusals, each in a sentence.

    ``totals`` is the frame of ``refusal_totals``, ``columns`` those of the journeys (attributes of the leads).
    """
    known = totals.iloc[0]
    stated = funnel.refusals
    if not known["refused"]:
        return [_(NO_REFUSALS)]
    said = []
    if not known["with_reason"]:
        said.append(_("No refusal has a reason: why leads say no cannot be told, only when and how many."))
    elif not stated.categories:
        said.append(_("Reasons stand as they were written: state in funnel.toml which belong together."))
    if not known["with_manager"]:
        said.append(_("No refusal has a manager: who hears which reason cannot be told."))
    if known["with_reason"] and not (stated.excuses or stated.gaps):
        said.append(_("Which reasons sound like an excuse, or may be a gap of ours, is not stated in funnel.toml."))
    told = told_gaps(columns, funnel)
    said += [
        _("Whether “{reason}” is a gap of ours cannot be told: leads have no {attributes}.").format(
            reason=reason, attributes=", ".join(_(name) for name in attributes if name not in columns)
        )
        for reason, attributes in stated.gaps.items()
        if reason not in told
    ]
    return said or [_("Nothing that this page asks for is missing.")]


def refusal_rules(
    funnel: Funnel, as_of: date, period: tuple[date, date], window: tuple[date, date], coming: tuple[date, date]
) -> list[str]:
    """How the page of refusals was counted, one sentence for each rule."""
    stated = funnel.refusals
    waits = [_("{first} to {last}").format(first=stated.retry_days[0], last=stated.retry_days[1])]
    waits += [
        _("“{reason}” {first} to {last}").format(reason=reason, first=first, last=last)
        for reason, (first, last) in stated.retry_days_of.items()
    ]
    final = ", ".join(_("“{name}”").format(name=reason) for reason in stated.final) or _("none")
    return [
        _("A refusal belongs to the furthest stage its lead reached, and to its owner there."),
        _("Reasons are grouped as funnel.toml states; one not named there stands alone, a blank one is “(missing)”."),
        _("The month is {first} to {last}; reasons by stage, manager and lead are those of {begin} to {end}.").format(
            first=day(period[0]), last=day(period[1]), begin=day(window[0]), end=day(window[1])
        ),
        _("Shares of refusals add up to one, and their ranges hold for all of them together."),
        _("Shares of a stage's leads use leads still on their way; the reasons of a stage add up to all it loses."),
        _(
            "“More often” is said beyond chance only: averaged over many such tables, at most one in ten of what is "
            "called so is chance. That is an average, not the odds of any single one."
        ),
        _(THREE_ANSWERS),
        _("System users and refusals without a manager are counted and never compared."),
        _("Excuses and gaps are the categories that funnel.toml lists: to look at again, not a judgement."),
        _(
            "Days from a refusal to its second try: {days}. Final, never due: {final}. Listed: {first} to {last}."
        ).format(days="; ".join(waits), final=final, first=day(coming[0]), last=day(coming[1])),
        _("A second try is seen only where the lead was opened again; leads for it were chosen: no experiment."),
        _("As of {day}: what was known at the end of that day; later rows do not exist.").format(day=day(as_of)),
    ]
