"""Frames of refusals become sentences for the marketing-and-sales meeting: what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.showing.refusal_findings import NONE
from funnelstats.showing.refusal_limits import NO_REFUSALS
from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, counted, number, percent
from funnelstats.statistics.managers import ALPHA

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel

MOST_NAMED, MOST_SAID = 3, 2
"""Groups named in a sentence; sentences of one kind on the first screen, the tables below hold the others."""
UNSEEN = (
    "Nothing is due and no comparison is beyond chance among the refusals of this month. What so many refusals do not "
    "show may be there all the same."
)


def refusal_sentences(
    shares: pd.DataFrame,
    changes: pd.DataFrame,
    drivers: pd.DataFrame,
    patterns: pd.DataFrame,
    looks: pd.DataFrame,
    due: pd.DataFrame,
    totals: pd.DataFrame,
    funnel: Funnel,
) -> list[str]:
    """What to do about refusals, most pressing first; a part without anything to do is left out.

    Takes frames of ``reason_shares`` (the month), ``reason_changes``, ``reason_drivers``, ``reason_patterns`` by
    manager, ``second_looks`` by manager, ``retry_counts`` by owner (what comes due) and ``refusal_totals``.
    """
    if not totals["refused"].sum():
        return [_(NO_REFUSALS)]
    named = _named_managers(patterns)
    said = [
        *_grown(changes, drivers),
        *_managers(named),
        *_due(due, funnel),
        *_looks(looks, named),
        *_blank(shares),
    ]
    return said or [_(UNSEEN) if (shares["lost"] > 0).any() else _(NONE)]


def _grown(changes: pd.DataFrame, drivers: pd.DataFrame) -> list[str]:
    grown = (
        changes[(changes["verdict"] == "higher") & (changes["refusal"] != MISSING)]
        .sort_values("difference", ascending=False)
        .head(MOST_SAID)
    )
    return [
        _(
            "Heard more often than before: at {step} “{reason}” now takes {rate} of the leads, in the weeks before "
            "{before}{leads}. Agree on one answer to it, and on who tries it first."
        ).format(
            step=f"{row['from_stage']} → {row['to_stage']}",
            reason=row["refusal"],
            rate=percent(row["rate"], 1),
            before=percent(row["other_rate"], 1),
            leads=_with_leads(drivers, row),
        )
        for _index, row in grown.iterrows()
    ]


def _with_leads(drivers: pd.DataFrame, row: pd.Series) -> str:
    """The leads with which a reason is heard clearly more often at a step; empty where there are none."""
    same = (drivers["refusal"] == row["refusal"]) & (drivers["from_stage"] == row["from_stage"])
    clear = drivers[same & (drivers["verdict"] == "higher")].sort_values("difference", ascending=False)
    parts = [
        _("{value} {rate}, all others {other}").format(
            value=_named(driver["value"]), rate=percent(driver["rate"], 1), other=percent(driver["other_rate"], 1)
        )
        for _index, driver in clear.head(MOST_NAMED).iterrows()
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _named_managers(patterns: pd.DataFrame) -> pd.DataFrame:
    """Only who is above the others by Holm's rule is named: a name must hold."""
    named = (patterns["verdict"] == "more often") & (patterns["p_holm"] <= ALPHA)
    return patterns[named].sort_values("residual", ascending=False)


def _managers(named: pd.DataFrame) -> list[str]:
    hears = _(
        "{manager} hears “{reason}” more often than the others do: {lost} of {of} refusals ({share}, the others "
        "{other}). Go through five of them together; the numbers do not say whether the leads or the talks differ."
    )
    blank = _(
        "{manager} leaves the reason blank more often than the others do: {lost} of {of} refusals ({share}, the "
        "others {other}). Ask for it when a lead is closed."
    )
    return [
        (blank if row["refusal"] == MISSING else hears).format(
            manager=row["value"],
            reason=row["refusal"],
            lost=number(row["lost"]),
            of=number(row["of"]),
            share=percent(row["share"]),
            other=percent(row["other_share"]),
        )
        for _index, row in named.head(MOST_SAID).iterrows()
    ]


def _looks(looks: pd.DataFrame, named: pd.DataFrame) -> list[str]:
    """How many refusals to look at again, whose if a manager stands out with their reason, and how to look."""
    excuses, gaps = (looks[looks["second_look"] == look] for look in ("excuse", "gap"))
    said = []
    if len(excuses):
        text = counted(
            "Take a second look: {n} refusal of the trailing weeks sounds like an excuse ({reasons}){whose}. Let "
            "somebody else call back and ask what it was really.",
            "Take a second look: {n} refusals of the trailing weeks sound like an excuse ({reasons}){whose}. Let "
            "somebody else call back five of them and ask what it was really.",
            excuses["lost"].sum(),
        )
        many = number(excuses["lost"].sum())
        said.append(text.format(n=many, reasons=_reasons(excuses), whose=_whose(excuses, named)))
    if len(gaps):
        text = counted(
            "Check the catalogue with the team: {n} refusal of the trailing weeks may be a gap of ours ({reasons}).",
            "Check the catalogue with the team: {n} refusals of the trailing weeks may be a gap of ours ({reasons}).",
            gaps["lost"].sum(),
        )
        said.append(text.format(n=number(gaps["lost"].sum()), reasons=_reasons(gaps)))
    return [" ".join(said)] if said else []


def _reasons(looks: pd.DataFrame) -> str:
    sizes = looks.groupby("refusal")["lost"].sum().sort_values(ascending=False)
    return ", ".join(_("“{name}”").format(name=name) for name in sizes.index)


def _whose(looks: pd.DataFrame, named: pd.DataFrame) -> str:
    """The managers among those named who have these refusals, and how many; empty where nobody is named."""
    cells = named[["value", "refusal"]].rename(columns={"value": "manager"}).merge(looks, on=["manager", "refusal"])
    parts = [
        _("{lost} of them with {manager}").format(lost=number(lost), manager=manager)
        for manager, lost in cells.groupby("manager", sort=False)["lost"].sum().items()
    ]
    return "".join(f", {part}" for part in parts)


def _due(due: pd.DataFrame, funnel: Funnel) -> list[str]:
    total = due["due"].sum()
    if not total:
        return []
    nobody = due.loc[due["owner"].isin([MISSING, *funnel.system_users]), "due"].sum()
    if nobody == total:
        text = counted(
            "Second tries: {n} refused lead is due in the coming month and belongs to nobody: give it to somebody.",
            "Second tries: {n} refused leads are due in the coming month and belong to nobody: give them to somebody.",
            total,
        )
        return [text.format(n=number(total))]
    text = counted(
        "Second tries: {n} refused lead is due in the coming month; its manager's page lists it in its week.",
        "Second tries: {n} refused leads are due in the coming month; the managers' pages list them week by week.",
        total,
    ).format(n=number(total))
    if nobody:
        more = counted(
            "{n} of them belongs to nobody or to a system user: give it to somebody.",
            "{n} of them belong to nobody or to a system user: give them to somebody.",
            nobody,
        )
        text += " " + more.format(n=number(nobody))
    return [text]


def _blank(shares: pd.DataFrame) -> list[str]:
    blank = shares[(shares["refusal"] == MISSING) & (shares["lost"] > 0)]
    return [
        _(
            "Reasons not written down: {lost} of {of} refusals ({share}). Ask for them while they are remembered."
        ).format(lost=number(row["lost"]), of=number(row["of"]), share=percent(row["share"]))
        for _index, row in blank.iterrows()
    ]


def _named(name: str) -> str:
    return _(MISSING) if name == MISSING else name
