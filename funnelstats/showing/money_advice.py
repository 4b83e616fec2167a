"""Frames of money become sentences: which channel to cut or raise, what is sure, what cannot be told."""

from __future__ import annotations

import pandas as pd

from funnelstats.stated.funnel import Funnel
from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, counted, money, number, percent, rough
from funnelstats.statistics.revenue import rivals

BIG = 1 / 3
"""From this share of its revenue on, one deal makes a channel's return a matter of luck."""


def money_sentences(by_channel: pd.DataFrame, funnel: Funnel) -> list[str]:
    """Which channel to cut and which to raise, the most money first; what is sure and what cannot be told yet.

    Takes the frame of ``returns`` by channel.
    """
    rows = by_channel
    unnamed = bool(rows["channel"].eq(MISSING).all())
    if unnamed:
        rows = rows.assign(channel=_("all channels"))
    said = [_cut(row, funnel) for _i, row in _with(rows, "red").iterrows()]
    said += _raise(_with(rows, "green"), funnel)
    if said:
        said.append(
            _(
                "Revenue is not profit: what comes back are payments, held against what marketing spent. The cost of "
                "goods and the pay of sales are not in it."
            )
        )
    said += [
        _(
            "{channel}: {spend} spent and no lead came. Find out whether its leads are written under another name; if "
            "not, think about stopping it."
        ).format(channel=row["channel"], spend=money(row["spend"], funnel.currency))
        for _i, row in _with(rows, "no leads").iterrows()
    ]
    if doubtful := _names(_with(rows, "undecided")):
        said.append(
            _(
                "Cannot be told yet: {channels} may bring more or less than was spent. Change nothing there for its "
                "return's sake."
            ).format(channels=doubtful)
        )
    if few := _names(_with(rows, "too few")):
        said.append(_("Too few deals to judge: {channels}.").format(channels=few))
    lucky = rows[rows["verdict"].isin(["red", "green", "undecided"]) & (rows["biggest_share"] >= BIG)]
    said += [
        _("{channel} hangs on one deal, {share} of its revenue: judge it without that deal too.").format(
            channel=row["channel"], share=percent(row["biggest_share"])
        )
        for _i, row in lucky.iterrows()
    ]
    return said + _unmatched(rows, funnel, unnamed) or [_("No lead came in these quarters and nothing was spent.")]


def _with(rows: pd.DataFrame, verdict: str) -> pd.DataFrame:
    found = rows[rows["verdict"] == verdict]
    return found.assign(gain=found["revenue_final"] - found["spend"])


def _names(rows: pd.DataFrame) -> str:
    return ", ".join(rows["channel"])


def _range(row: pd.Series) -> str:
    return _("very likely {low} to {high}").format(low=number(row["back_lower"], 2), high=number(row["back_upper"], 2))


def _about(amount: float, funnel: Funnel) -> str:
    return f"{rough(amount)}\u00a0{funnel.currency}"


def _cut(row: pd.Series, funnel: Funnel) -> str:
    return _(
        "Cut or change {channel}: of each {unit} spent {back} come back ({range}). About {loss} are lost, what its "
        "young leads will still pay counted in. Chance does not explain that."
    ).format(
        channel=row["channel"],
        unit=money(1, funnel.currency),
        back=number(row["back"], 2),
        range=_range(row),
        loss=_about(-row["gain"], funnel),
    )


def _raise(green: pd.DataFrame, funnel: Funnel) -> list[str]:
    if green.empty:
        return []
    best = green.nlargest(1, "back").iloc[0]
    others, close = green.drop(index=best.name), rivals(green)
    first = _(
        "Raise {channel} first: each {unit} spent brings {back} ({range}). Chance does not explain that; but more "
        "money need not bring as much again: raise it in steps and look again next quarter."
    ).format(channel=best["channel"], unit=money(1, funnel.currency), back=number(best["back"], 2), range=_range(best))
    if not close.empty:
        first += " " + _("Whether {channels} bring more cannot be told yet.").format(channels=_names(close))
    if others.empty:
        return [first]
    keep = ", ".join(
        _("{channel} (about {gain} more than spent)").format(channel=row["channel"], gain=_about(row["gain"], funnel))
        for _i, row in others.sort_values("gain", ascending=False).iterrows()
    )
    text = _("Keep: {channels}. Chance does not explain that they bring more than was spent.")
    return [first, text.format(channels=keep)]


def _unmatched(rows: pd.DataFrame, funnel: Funnel, unnamed: bool) -> list[str]:
    """Leads without spend, and what has no channel; where nothing is known of costs or payments, that alone."""
    if rows.empty:
        return []
    if rows["spend"].isna().all():
        said = [
            _(
                "No costs: what a lead or a sale costs and what a channel returns cannot be told. Keep a list of what "
                "is spent: day, channel, amount."
            )
        ]
        return said + _most(rows, funnel, unnamed)
    if rows["revenue"].isna().all():
        return [_("No payments: revenue and what a channel returns cannot be told.")]
    said = []
    free = _with(rows, "no spend")
    if not free.empty:
        said.append(
            counted(
                "No spend is written down for {channels}: {leads} lead brought about {revenue}. What that returns is "
                "not known, so find out what it costs. Until then the return of all channels may be too high.",
                "No spend is written down for {channels}: {leads} leads brought about {revenue}. What that returns is "
                "not known, so find out what it costs. Until then the return of all channels may be too high.",
                free["leads"].sum(),
            ).format(
                channels=_names(free),
                leads=number(free["leads"].sum()),
                revenue=_about(free["revenue"].sum(), funnel),
            )
        )
    for _i, row in _with(rows, "no channel").iterrows():
        said.append(
            counted(
                "Without a channel: {leads} lead and {spend} of spend. They are in no channel's return.",
                "Without a channel: {leads} leads and {spend} of spend. They are in no channel's return.",
                row["leads"],
            ).format(leads=number(row["leads"]), spend=money(row["spend"], funnel.currency))
        )
    return said


def _most(rows: pd.DataFrame, funnel: Funnel, unnamed: bool) -> list[str]:
    if rows["revenue"].isna().all():
        return [_("No payments: revenue cannot be told either.")]
    if unnamed:
        return [_("Leads carry no channel: all are one group.")]
    top = rows.sort_values("revenue", ascending=False).iloc[0]
    return [
        counted(
            "Most money so far: {channel}, {revenue} from {leads} lead.",
            "Most money so far: {channel}, {revenue} from {leads} leads.",
            top["leads"],
        ).format(channel=top["channel"], revenue=money(top["revenue"], funnel.currency), leads=number(top["leads"]))
    ]
