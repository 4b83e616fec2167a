"""Frames of refusals become sentences for the marketing-and-sales meeting: what to do."""

from __future__ import annotations

import pandas as pd

from funnelstats.showing.refusal_limits import NO_REFUSALS
from funnelstats.stated.intervals import wilson_interval
from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, counted, number, percent
from funnelstats.statistics.managers import ALPHA

MOST_NAMED = 3
NONE = "No lead was refused in this month: there is nothing to talk about here."


def refusal_sentences(
    shares: pd.DataFrame,
    changes: pd.DataFrame,
    drivers: pd.DataFrame,
    patterns: pd.DataFrame,
    looks: pd.DataFrame,
    due: pd.DataFrame,
    tried: pd.DataFrame,
    success: pd.DataFrame,
    totals: pd.DataFrame,
) -> list[str]:
    """What to do about refusals, most pressing first; a part without anything to say is left out.

    Takes frames of ``reason_shares`` (the month), ``reason_changes``, ``reason_drivers``, ``reason_patterns`` by
    manager, ``second_looks``, ``retry_counts`` by owner (what comes due), ``retried_counts``,
    ``retry_success`` and ``refusal_totals``.
    """
    if not totals["refused"].sum():
        return [_(NO_REFUSALS)]
    said = [
        *_grown(changes, drivers),
        *_managers(patterns),
        *_due(due),
        *_looks(looks),
        *_top(shares),
        *_tried(tried, success),
        *_blank(shares),
    ]
    return said or [_(NONE)]


def association_sentence(association: pd.DataFrame) -> str:
    """Whether managers hear different reasons at all, in words: the first row of ``reason_association``."""
    row = association.iloc[0]
    if pd.isna(row["p_value"]):
        return _("Whether managers hear different reasons cannot be told: fewer than two managers or reasons.")
    if row["p_value"] > ALPHA:
        return _("Managers hear much the same reasons: the differences are not told from chance.")
    return _(
        "Managers do hear different reasons, beyond chance; strength {strength}, where 0 is no difference and 1 is a "
        "reason of one's own for each."
    ).format(strength=number(row["cramers_v"], 2))


def _top(shares: pd.DataFrame) -> list[str]:
    named = shares[(shares["refusal"] != MISSING) & (shares["lost"] > 0)]
    if named.empty:
        return []
    top = named.iloc[0]
    return [
        _("Most often heard this month: “{reason}”, {lost} of {of} refusals ({share}, very likely {interval}).").format(
            reason=top["refusal"],
            lost=number(top["lost"]),
            of=number(top["of"]),
            share=percent(top["share"]),
            interval=_interval(top["ci_lower"], top["ci_upper"]),
        )
    ]


def _grown(changes: pd.DataFrame, drivers: pd.DataFrame) -> list[str]:
    grown = (
        changes[(changes["verdict"] == "higher") & (changes["refusal"] != MISSING)]
        .sort_values("difference", ascending=False)
        .head(MOST_NAMED)
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


def _managers(patterns: pd.DataFrame) -> list[str]:
    """Only who is above the others by Holm's rule is named: a name must hold."""
    named = (patterns["verdict"] == "more often") & (patterns["p_holm"] <= ALPHA)
    more = patterns[named].sort_values("residual", ascending=False)
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
        for _index, row in more.iterrows()
    ]


def _looks(looks: pd.DataFrame) -> list[str]:
    words = {
        "excuse": counted(
            "Take a second look: {n} refusal of the trailing weeks sounds like an excuse ({reasons}).",
            "Take a second look: {n} refusals of the trailing weeks sound like an excuse ({reasons}).",
            looks.loc[looks["second_look"] == "excuse", "lost"].sum(),
        ),
        "gap": counted(
            "Check the catalogue with the team: {n} refusal of the trailing weeks may be a gap of ours ({reasons}).",
            "Check the catalogue with the team: {n} refusals of the trailing weeks may be a gap of ours ({reasons}).",
            looks.loc[looks["second_look"] == "gap", "lost"].sum(),
        ),
    }
    said = []
    for look, text in words.items():
        sizes = looks[looks["second_look"] == look].groupby("refusal")["lost"].sum().sort_values(ascending=False)
        if len(sizes):
            reasons = ", ".join(_("“{name}”").format(name=name) for name in sizes.index)
            said.append(text.format(n=number(sizes.sum()), reasons=reasons))
    return said


def _due(due: pd.DataFrame) -> list[str]:
    total = due["due"].sum()
    if not total:
        return []
    nobody = due.loc[due["owner"] == MISSING, "due"].sum()
    if nobody == total:
        text = counted(
            "Second tries: {n} refused lead is due in the coming month and belongs to nobody: give it to somebody.",
            "Second tries: {n} refused leads are due in the coming month and belong to nobody: give them to somebody.",
            total,
        )
        return [text.format(n=number(total))]
    text = counted(
        "Second tries: {n} refused lead is due in the coming month; its manager's page lists it.",
        "Second tries: {n} refused leads are due in the coming month; the managers' pages list them.",
        total,
    ).format(n=number(total))
    if nobody:
        more = counted("{n} of them belongs to nobody: give it to somebody.",
                       "{n} of them belong to nobody: give them to somebody.", nobody)  # fmt: skip
        text += " " + more.format(n=number(nobody))
    return [text]


def _tried(tried: pd.DataFrame, success: pd.DataFrame) -> list[str]:
    over, again = tried["entered"].sum(), tried["converted"].sum()
    if not over:
        return []
    if not again:
        text = counted(
            "Second tries so far: the {over} refused lead whose time for one is over was not tried again. Or a second "
            "try is written down as a new lead: then it cannot be told.",
            "Second tries so far: of {over} refused leads whose time for one is over, none was tried again. Or second "
            "tries are written down as new leads: then it cannot be told.",
            over,
        )
        return [text.format(over=number(over))]
    lower, upper = (float(limit) for limit in wilson_interval(again, over))
    text = _(
        "Second tries so far: of {over} refused leads whose time for one is over, {again} were tried ({share}, "
        "very likely {interval})."
    )
    said = text.format(
        over=number(over), again=number(again), share=percent(again / over), interval=_interval(lower, upper)
    )
    known = success[success["difference"].notna()]
    if known.empty:
        return [said + " " + _("How second tries do cannot be told yet.")]
    last = known.iloc[-1]
    clear = last["ci_lower"] > 0 or last["ci_upper"] < 0
    worth = _("Clearly better than first tries") if last["ci_lower"] > 0 else _("Clearly worse than first tries")
    compared = worth if clear else _("No clear difference from first tries")
    return [
        said
        + " "
        + _("{compared}: {n} of {of} second tries came to {stage} ({rate}, first ones {other}).").format(
            compared=compared,
            n=number(last["again_converted"]),
            of=number(last["again_entered"]),
            stage=last["to_stage"],
            rate=percent(last["rate"]),
            other=percent(last["other_rate"]),
        )
    ]


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


def _interval(lower: float, upper: float) -> str:
    digits = 1 if upper < 0.01 else 0
    return _("{lower} to {upper}").format(lower=percent(lower, digits), upper=percent(upper, digits))
