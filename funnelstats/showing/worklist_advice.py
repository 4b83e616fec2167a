"""The list of a manager's own leads to act on becomes sentences: how many, with which to begin, what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.stated.intervals import wilson_interval
from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, counted, money, number, percent
from funnelstats.statistics.worklist import AGAIN, FEWEST_TRIES, MOST, OPEN, second_tries

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel


def worklist_sentences(listed: pd.DataFrame, own: pd.DataFrame, success: pd.DataFrame, funnel: Funnel) -> list[str]:
    """How many own leads to act on this week, open ones and second tries apart, and what the list cannot know.

    Takes ``worklist``, ``with_stake`` of all own open leads, and ``retry_success`` of the team.
    """
    opened, again = (listed[listed["kind"] == kind] for kind in (OPEN, AGAIN))
    return [*_open(opened, own, funnel), *_again(again, success, funnel), *_unknown(opened, own)]


def _open(opened: pd.DataFrame, own: pd.DataFrame, funnel: Funnel) -> list[str]:
    if own.empty:
        return [_("The export knows no open lead of yours.")]
    if opened.empty:
        return [
            _(
                "Nothing is due on your open leads this week: as far as the export knows, none lacks a contact, stands "
                "still, or comes to the end of its days."
            )
        ]
    first = opened.iloc[0]
    text = counted(
        "Your list: {n} open lead waits for you this week; begin with {lead} at {stage} ({reason}).",
        "Your list: {n} open leads wait for you this week; begin with {lead} at {stage} ({reason}).",
        len(opened),
    )
    said = text.format(n=number(len(opened)), lead=_called(first), stage=first["stage"], reason=first["reason"])
    return [said + _stake(first["at_stake"], funnel) + _shown(opened)]


def _again(again: pd.DataFrame, success: pd.DataFrame, funnel: Funnel) -> list[str]:
    if again.empty:
        return []
    said = counted(
        "Second tries: {n} refused lead of yours is due to be called again this week, after the open ones.",
        "Second tries: {n} refused leads of yours are due to be called again this week, after the open ones.",
        len(again),
    ).format(n=number(len(again)))
    said += _tries(*second_tries(success))
    if again["at_stake"].sum() > 0:
        said += _(" If all are tried and do as well, {money} are at stake.").format(
            money=money(again["at_stake"].sum(), funnel.currency)
        )
    return [said + _shown(again)]


def _tries(tried: int, won: int) -> str:
    """What second tries brought so far: of those made, not of all that were due."""
    if not tried:
        return _(" What they may bring is not known: the data shows no second try whose days are over.")
    found = counted(
        " Of the team's {tried} second try whose days are over {won} was won",
        " Of the team's {tried} second tries whose days are over {won} were won",
        tried,
    ).format(tried=number(tried), won=number(won))
    if tried < FEWEST_TRIES:
        return found + _(": too few to tell what these may bring.")
    lower, upper = (float(limit) for limit in wilson_interval(won, tried))
    return found + _(" ({share}, very likely {low} to {high}); somebody chose which to try.").format(
        share=percent(won / tried), low=percent(lower), high=percent(upper)
    )


def _unknown(opened: pd.DataFrame, own: pd.DataFrame) -> list[str]:
    said = []
    if own["contacts"].isna().any():
        said.append(_("Without contacts in the export nobody knows which leads were never called."))
    if len(opened) and opened["chance"].isna().all():
        said.append(_("What is at stake is not known yet: too few leads of the team went the whole way."))
    elif len(opened) and opened["at_stake"].isna().all():
        said.append(_("Without amounts and payments the list is sorted by the chance to win, not by money."))
    return said


def _called(lead: pd.Series) -> str:
    """What people call a lead: its company, and its number behind it."""
    if lead["company"] in ("", MISSING):
        return str(lead["lead_id"])
    return _("{company} ({lead})").format(company=lead["company"], lead=lead["lead_id"])


def _shown(part: pd.DataFrame) -> str:
    if len(part) <= MOST:
        return ""
    return _(" The first {most} are listed below, all {n} are in the file.").format(most=MOST, n=number(len(part)))


def _stake(at_stake: float, funnel: Funnel) -> str:
    if pd.isna(at_stake):
        return ""
    if at_stake <= 0:
        return _(" No lead of the team has been won after as long a wait so far: call them or close them.")
    return _(" {money} are at stake.").format(money=money(at_stake, funnel.currency))
