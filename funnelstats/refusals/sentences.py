"""Frames of refusals become sentences for the marketing-and-sales meeting: what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, counted, day, label, number, percent, points
from funnelstats.core.comparing import ALPHA
from funnelstats.core.intervals import NO, STRENGTH, UNTOLD, YES, answers, share_answers, share_margin, wilson_interval
from funnelstats.page.rules import THREE_ANSWERS
from funnelstats.refusals.counts import told_gaps

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

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


NONE = "No lead was refused in this month: there is nothing to talk about here."


def association_sentence(association: pd.DataFrame) -> str:
    """Whether managers hear different reasons at all, in words: the first row of ``reason_association``."""
    row = association.iloc[0]
    if pd.isna(row["p_value"]):
        return _("Whether managers hear different reasons cannot be told: fewer than two managers or reasons.")
    text = {
        NO: _(
            "Managers hear much the same reasons: the strength of any difference is below {margin}, where 0 is no "
            "difference and 1 is a reason of one's own for each."
        ),
        UNTOLD: counted(
            "Whether managers hear different reasons cannot be told yet from {n} refusal.",
            "Whether managers hear different reasons cannot be told yet from {n} refusals.",
            row["refusals"],
        ),
        YES: _(
            "Managers do hear different reasons, beyond chance; strength {strength}, where 0 is no difference and 1 is "
            "a reason of one's own for each."
        ),
    }[str(answers(row["p_value"] <= ALPHA, 0.0, row["v_upper"], STRENGTH))]
    return text.format(margin=number(STRENGTH, 1), n=number(row["refusals"]), strength=number(row["cramers_v"], 2))


def tried_sentence(tried: pd.DataFrame, success: pd.DataFrame) -> str:
    """How many refused leads were tried again, and whether those did otherwise than first tries.

    Takes frames of ``retried_counts`` and ``retry_success``.
    """
    over, again = tried["entered"].sum(), tried["converted"].sum()
    if not over:
        return _("No refused lead's time for a second try is over yet.")
    if not again:
        text = counted(
            "Second tries so far: the {over} refused lead whose time for one is over was not tried again. Or a second "
            "try is written down as a new lead: then it cannot be told.",
            "Second tries so far: of {over} refused leads whose time for one is over, none was tried again. Or second "
            "tries are written down as new leads: then it cannot be told.",
            over,
        )
        return text.format(over=number(over))
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
        return said + " " + _("How second tries do cannot be told yet.")
    # Where most of them began again: that is where the comparison tells most.
    return said + " " + _compared(known.sort_values("again_entered", kind="stable").iloc[-1])


def _compared(last: pd.Series) -> str:
    """Second tries against first ones: better or worse beyond chance, alike within a margin, or not told yet."""
    margin = float(share_margin(last["other_rate"]))
    first = round(last["other_rate"] * last["first_entered"])
    answer = share_answers(last["again_converted"], last["again_entered"], first, last["first_entered"], margin)
    compared = {
        YES: _("Better than first tries, beyond chance")
        if last["difference"] > 0
        else _("Worse than first tries, beyond chance"),
        NO: _("About as good as first tries, no more than {margin} apart").format(margin=points(margin)),
        UNTOLD: _("Whether they do better or worse than first tries cannot be told yet"),
    }[str(answer)]
    return _(
        "{compared}: {n} of {of} second tries that began again at {start} came to {stage} in time ({rate}, first ones "
        "from there {other})."
    ).format(
        compared=compared,
        n=number(last["again_converted"]),
        of=number(last["again_entered"]),
        start=last["from_stage"],
        stage=last["to_stage"],
        rate=percent(last["rate"]),
        other=percent(last["other_rate"]),
    )


def _interval(lower: float, upper: float) -> str:
    digits = 1 if upper < 0.01 else 0
    return _("{lower} to {upper}").format(lower=percent(lower, digits), upper=percent(upper, digits))


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
            value=reason_word(driver["value"]), rate=percent(driver["rate"], 1), other=percent(driver["other_rate"], 1)
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


def reason_word(name: str) -> str:
    """A reason, or another value, as people write it; the blank one in the language of the page."""
    return _(MISSING) if name == MISSING else label(str(name))


def without_stage_sentence(refused: pd.DataFrame) -> list[str]:
    """How many refusals belong to no stage, and for what; empty where none does. Takes ``without_stage``."""
    lost = refused["lost"].sum()
    if not lost:
        return []
    reasons = ", ".join(f"{why} {number(many)}" for why, many in zip(refused["refusal"], refused["lost"], strict=True))
    return [
        counted(
            "{n} more lead was refused that the export never shows at a stage (no stage): {reasons}. It is in no other "
            "number of this page.",
            "{n} more leads were refused that the export never shows at a stage (no stage): {reasons}. They are in no "
            "other number of this page.",
            lost,
        ).format(n=number(lost), reasons=reasons)
    ]
