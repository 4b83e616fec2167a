"""How the lead base does in a quarter, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.config.words import _, counted, number, percent, points
from funnelstats.core.intervals import NO, POINTS, UNTOLD, YES, answers

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel
    from funnelstats.importing.opening import Tables

COIN = 0.5


def base_sentences(
    renewed: pd.DataFrame,
    coverage: pd.DataFrame,
    doubled: pd.DataFrame,
    blacklist: pd.DataFrame,
    skill: pd.DataFrame,
    tables: Tables,
    funnel: Funnel,
) -> list[str]:
    """How the lead base does in the quarter: renewal, coverage, duplicates, blacklist, score; what is missing of it.

    Takes the frames of ``renewal`` (its last row is the quarter's), ``coverage_counts``, ``duplicate_counts``,
    ``blacklist_counts`` and ``score_skill``.
    """
    said = [_renewed(renewed, bool(funnel.lead_base.company))]
    waiting, contacted = coverage["open_leads"].iloc[0], coverage["contacted_leads"].iloc[0]
    if tables.contacts is None:
        said.append(_("Coverage: no contacts, so whether open leads were contacted cannot be told."))
    elif not waiting:
        said.append(_("Coverage: no lead is open."))
    else:
        said.append(
            _("Coverage: {contacted} of {open} open leads were contacted in the quarter ({share}).").format(
                contacted=number(contacted),
                open=number(waiting),
                share=percent(contacted / waiting),
            )
        )
    twice = doubled.iloc[0]
    if not funnel.lead_base.company:
        said.append(_("Duplicates: no column names the company, so each lead counts as one."))
    elif not twice["companies"]:
        said.append(_("Duplicates: no company has several open leads at once."))
    else:
        text = counted(
            "Duplicates: {n} company has several open leads at once, {leads} in all; {several} with different "
            "managers.",
            "Duplicates: {n} companies have several open leads at once, {leads} in all; {several} with different "
            "managers.",
            twice["companies"],
        )
        said.append(
            text.format(
                n=number(twice["companies"]), leads=number(twice["leads"]), several=number(twice["several_managers"])
            )
        )
    said.append(_blacklist(blacklist, tables))
    return [*said, *_skill(skill)]


def _renewed(renewed: pd.DataFrame, companies: bool) -> str:
    if renewed.empty or pd.isna(renewed["new_share"].iloc[-1]):
        return _("Renewal: there is no quarter before, so what is new cannot be told.")
    row = renewed.iloc[-1]
    told = (
        _(
            "Renewal: of {n} companies worked on in {quarter}, {new} were not worked on in the quarter before; "
            "{dropped} of those before were dropped. The trade asks for 20–30% new a quarter; that is its claim."
        )
        if companies
        else _(
            "Renewal: of {n} leads worked on in {quarter}, {new} were not worked on in the quarter before; {dropped} "
            "of those before were dropped. The trade asks for 20–30% new companies a quarter; that is its claim."
        )
    )
    said = told.format(
        n=number(row["companies"]),
        quarter=row["quarter"],
        new=percent(row["new_share"]),
        dropped=percent(row["dropped_share"]),
    )
    return said + (" " + _("Mind: {note}.").format(note=row["note"]) if row["note"] else "")


def _blacklist(blacklist: pd.DataFrame, tables: Tables) -> str:
    if blacklist.empty:
        return _("Blacklist: no column says whom nobody may contact.")
    row = blacklist.iloc[0]
    if tables.contacts is None:
        return counted(
            "Blacklist: {n} lead; no contacts, so whether it was kept cannot be told.",
            "Blacklist: {n} leads; no contacts, so whether it was kept cannot be told.",
            row["blacklisted"],
        ).format(n=number(row["blacklisted"]))
    return _("Blacklist: {contacted} of {n} leads on it were contacted in the quarter, {contacts} times.").format(
        contacted=number(row["contacted"]), n=number(row["blacklisted"]), contacts=number(row["contacts"])
    )


def _skill(skill: pd.DataFrame) -> list[str]:
    if skill.empty:
        return [_("Score: no column holds one.")]
    row = skill.iloc[0]
    if pd.isna(row["auc"]):
        return [_("Score: all judged leads ended alike, so whether it tells them apart cannot be told.")]
    told = _(
        "Score: of a won lead and another, the won one has the higher score in {share} of cases (very likely {low} to "
        "{high}; a coin has 50%)."
    ).format(share=percent(row["auc"]), low=percent(row["auc_lower"]), high=percent(row["auc_upper"]))
    better, worse = row["auc_lower"] > COIN, row["auc_upper"] < COIN
    verdict = {
        YES: _("It points the wrong way: do not use it.") if worse else _("It sorts leads better than a coin."),
        NO: _("That is no more than {margin} from a coin: do not sort leads by it.").format(margin=points(POINTS)),
        UNTOLD: _("Whether it sorts leads better than a coin cannot be told yet."),
    }[str(answers(better or worse, row["auc_lower"] - COIN, row["auc_upper"] - COIN, POINTS))]
    if pd.notna(row["calibration_p"]) and row["calibration_p"] < 0.05:
        verdict += " " + _("Read as a probability it is off, beyond chance: see the table.")
    return [f"{told} {verdict}"]
