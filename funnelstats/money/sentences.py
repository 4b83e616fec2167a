"""Frames of money become sentences: which channel to cut or raise, what is sure, what cannot be told."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, counted, day, money, number, percent, rough
from funnelstats.core.counts import known_columns
from funnelstats.money.revenue import rivals

if TYPE_CHECKING:
    from funnelstats.importing.opening import Tables

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
    if "channel" not in known_columns(tables.leads):
        said.append(_("Leads carry no channel: returns cannot be told apart by channel."))
    if tables.costs is not None and "channel" not in known_columns(tables.costs):
        said.append(_("Costs carry no channel: only the return of all channels together can be told."))
    # Rows that repeat others are counted: once.
    lacking = set_aside[~set_aside["reason"].str.startswith("repeats ")] if set_aside is not None else None
    if lacking is not None and len(rows := lacking[lacking["table"].isin(["payments", "costs"])]):
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
