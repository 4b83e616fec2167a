"""Frames become sentences that a manager can act on: what leaks, who needs help, what cannot be told."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, counted, day, number, percent, points, rough
from funnelstats.core.intervals import YES, share_margin
from funnelstats.page.figures import NOT_RANKED, interval_words, step_words
from funnelstats.team.leaks import LEAST, worst_leak
from funnelstats.team.remarks import change_sentence

WEEK = timedelta(days=6)
"""From a Monday to its Sunday."""


def began_words(row: pd.Series) -> str:
    """When the leak of a row of ``since_when`` began: a sentence, for a step whose verdict says that it is one."""
    if not row["alarm"]:
        return (
            _("That was so already in the first weeks looked at.")
            if row["at_start"]
            else _("It cannot be told when that began.")
        )
    between = {"first": day(row["since_lower"]), "last": day(row["since_upper"] + WEEK)}
    said = (
        _("That was so already in the first weeks looked at; it became worse between {first} and {last}.")
        if row["at_start"]
        else _("That began between {first} and {last}.")
    )
    return said.format(**between)


MOST_POINTS = 50
"""No difference is "below 70 points"."""


def what_to_do(
    team: pd.DataFrame,
    managers: pd.DataFrame,
    since: pd.DataFrame,
    leaks: pd.DataFrame,
    funnel: Funnel,
    *,
    change: pd.DataFrame | None = None,
    lessons: pd.DataFrame | None = None,
    drivers: pd.DataFrame | None = None,
) -> list[str]:
    """What to do this week: the team's biggest leak, who needs whose help, what cannot be told yet.

    ``team`` is a frame of ``versus_targets``, ``managers`` one of ``page_verdicts``, ``since`` one of
    ``since_when`` and ``leaks`` one of ``leak_sizes``, both of the team; ``change`` one of ``explain_change``,
    said only where the whole way changed; ``lessons`` one of ``coaching_pairs``; ``drivers`` one of ``leak_drivers``.
    """
    ranked = managers[managers["verdict"] != NOT_RANKED]
    moved = change is not None and (change["changed"] == YES).any()
    return [
        " ".join([_leak_sentence(team, since, leaks, funnel), *_where_to_begin(team, leaks, drivers, funnel)]),
        *([change_sentence(change, funnel)] if change is not None and moved else []),
        *_help_sentences(ranked, lessons, funnel),
        *_doubt_sentences(team, ranked),
    ]


def _leak_sentence(team: pd.DataFrame, since: pd.DataFrame, leaks: pd.DataFrame, funnel: Funnel) -> str:
    known = team[team["rate"].notna()]
    if known.empty:
        return _("No lead entered a step in the weeks judged, or none can be judged yet: there is no rate to act on.")
    judged = team[team["target"].notna()]
    if judged.empty:
        low = known.sort_values("rate").iloc[0]
        return _(
            "Fewest leads pass at {step}: {rate} (very likely {interval}). No target is agreed, so nothing here is "
            "called good or bad: agree on one for each step."
        ).format(step=step_words(low), rate=percent(low["rate"]), interval=interval_words(low))
    worst = worst_leak(team, leaks)
    if worst.empty:
        return _no_red_sentence(judged)
    row = worst.iloc[0]
    begun = since[since["from_stage"] == row["from_stage"]]
    leaks_most = _("The team leaks most at {step}: {rate} pass (very likely {interval}) where {target} are agreed.")
    is_late = _("The team is slow at {step}: {rate} pass in time (very likely {interval}) where {target} are agreed.")
    said = [
        (is_late if row["lost_deals"] < LEAST <= row["late_deals"] else leaks_most).format(**_of_step(row)),
        *(began_words(run) for _row, run in begun.iterrows()),
        _cost_sentence(row, funnel),
        _("Look at this step first, with everybody."),
    ]
    return " ".join(said)


def _of_step(row: pd.Series) -> dict[str, str]:
    return {
        "step": step_words(row),
        "rate": percent(row["rate"]),
        "interval": interval_words(row),
        "target": percent(row["target"]),
    }


def _no_red_sentence(judged: pd.DataFrame) -> str:
    """Where no step is red: one that may be low, that all are on target, that none is far below, or that this cannot be
    told."""
    amber = judged[judged["verdict"] == "amber"]
    if not amber.empty:
        lowest = amber.sort_values("below_at_most", ascending=False).iloc[0]
        return _(
            "The team may leak at {step}: {rate} pass (very likely {interval}) where {target} are agreed. That may "
            "still be chance; look at this step first."
        ).format(**_of_step(lowest))
    if (judged["verdict"] == "green").all():
        return _("Every step of the team that has a target meets it.")
    margin = float(share_margin(judged["floor"].min()))
    unknown = judged[judged["below_at_most"].isna()]
    far = judged[judged["below_at_most"] >= 100 * margin]
    if far.empty and unknown.empty:
        return _(
            "No step of the team is {points} or more below what was agreed: there is no leak of that size."
        ).format(points=points(margin))
    if far.empty:
        return _("Whether the team leaks at {steps} cannot be told: no leads can be judged there yet.").format(
            steps=", ".join(step_words(row) for _row, row in unknown.iterrows())
        )
    # of a step that is green a reader knows that it is on target, most probably
    unsure = far[far["verdict"] != "green"]
    row = (far if unsure.empty else unsure).sort_values("below_at_most", kind="stable").iloc[-1]
    return _(
        "No leak of the team can be shown, and none ruled out: {step} may be up to {points} below what was agreed."
    ).format(step=step_words(row), points=points(np.ceil(row["below_at_most"]) / 100))


def _cost_sentence(row: pd.Series, funnel: Funnel) -> str:
    """What the worst leak cost in the weeks judged; what came later than agreed is not lost."""
    if pd.isna(row["lost_deals"]):
        return _("What that costs cannot be told: no leads can be judged at a later step yet.")
    late = round(row["late_deals"])
    if row["lost_deals"] < LEAST:
        if late < 1:
            return _("That costs less than one deal in {weeks} weeks.").format(weeks=funnel.judged_weeks)
        return counted(
            "About {late} deal in {weeks} weeks is late because of it, not lost.",
            "About {late} deals in {weeks} weeks are late because of it, not lost.",
            late,
        ).format(late=number(late), weeks=funnel.judged_weeks)
    # What has a decimal has the form of several.
    many = 1 if rough(row["lost_deals"]) == "1" else max(round(row["lost_deals"]), 2)
    cost = counted("about {deals} deal", "about {deals} deals", many).format(deals=rough(row["lost_deals"]))
    if pd.notna(row["lost_money"]):
        text = counted("about {deals} deal or {money}", "about {deals} deals or {money}", many)
        cost = text.format(deals=rough(row["lost_deals"]), money=_rough_money(row["lost_money"], funnel))
    said = _("That costs {cost} in {weeks} weeks.").format(cost=cost, weeks=funnel.judged_weeks)
    if late < 1:
        return said
    return f"{said} " + counted(
        "{late} more deal is late, not lost.", "{late} more deals are late, not lost.", late
    ).format(late=number(late))


def _where_to_begin(team: pd.DataFrame, leaks: pd.DataFrame, drivers: pd.DataFrame | None, funnel: Funnel) -> list[str]:
    """With which leads the worst leak is clearest, where the drivers' verdict says so, and where reasons stand."""
    if worst_leak(team, leaks).empty:
        return []
    said = []
    if drivers is not None and not drivers.empty:
        lower = (drivers["verdict"] == "lower") & (drivers["difference"] < 0) & (drivers["value"] != MISSING)
        missing = -drivers["difference"] * drivers["entered"]
        clear = drivers.assign(missing=missing)[lower].sort_values("missing", ascending=False, kind="stable")
        said = [
            _("Begin with {value} ({attribute}): {rate} of these leads pass, {other} of all others.").format(
                value=row["value"],
                attribute=_(row["attribute"]),
                rate=percent(row["rate"]),
                other=percent(row["other_rate"]),
            )
            for _row, row in clear.head(1).iterrows()
        ] or [_("With which kind of lead to begin cannot be told from these.")]
    if any("reason" in source.columns for source in funnel.entries):
        said.append(_("Why leads say no there: see the month's page of refusals."))
    return said


def _rough_money(amount: float, funnel: Funnel) -> str:
    return f"{rough(amount)}\u00a0{funnel.currency}"


def _help_sentences(ranked: pd.DataFrame, lessons: pd.DataFrame | None, funnel: Funnel) -> list[str]:
    """One sentence for each manager who is named, or one that says nobody is."""
    if ranked["rate"].isna().all():
        return [_("No manager can be compared: no lead with a manager can be judged at a step in these weeks.")]
    judged = ranked["target"].notna().any()
    low = ranked[ranked["named"]]
    if low.empty:
        return [
            _(
                "Nobody is named this week: no manager is so surely below target that chance, the team's own leak and "
                "harder leads are ruled out. That clears nobody."
            )
            if judged
            else _(
                "Nobody is named this week: no manager is so surely below the rest that chance and harder leads are "
                "ruled out. That clears nobody."
            )
        ]
    said = []
    for manager, rows in low.groupby("manager", sort=True):
        steps = "; ".join(_low_step(row, lessons, funnel) for _row, row in rows.iterrows())
        needs = (
            _("{manager} needs help: {steps}.") if judged else _("{manager} is below the rest of the team: {steps}.")
        )
        said.append(needs.format(manager=manager, steps=steps))
    return said


def _low_step(row: pd.Series, lessons: pd.DataFrame | None, funnel: Funnel) -> str:
    """A manager's step, its rate, and who can show how where that surely brings something."""
    names = {"step": step_words(row), "rate": percent(row["rate"]), "target": percent(row["target"])}
    said = (
        _("{rate} pass at {step} where {target} are agreed") if pd.notna(row["target"]) else _("{rate} pass at {step}")
    ).format(**names)
    if lessons is None:
        return said
    own = lessons["learner"] == row["manager"]
    taught = lessons[own & (lessons["from_stage"] == row["from_stage"]) & (lessons["deals_lower"] > 0)]
    if taught.empty:
        return said
    lesson = taught.iloc[0]
    back = lessons[lessons["swap"] & (lessons["learner"] == lesson["teacher"]) & (lessons["teacher"] == row["manager"])]
    shown = {"teacher": lesson["teacher"], "best": lesson["best"], "gain": _gain(lesson, funnel)}
    if not lesson["swap"] or back.empty:
        return said + _(", {teacher} can show how ({gain})").format(**shown)
    text = (
        _(", {teacher} can show how in exchange for {step} ({gain})")
        if lesson["teacher"] == lesson["best"]
        else _(", {best} does it best, {teacher} can show how in exchange for {step} ({gain})")
    )
    return said + text.format(step=step_words(back.iloc[0]), **shown)


def _gain(lesson: pd.Series, funnel: Funnel) -> str:
    """What a lesson would bring: 5 to 28 more deals, about 2,500,000 RUB."""
    low, high = round(lesson["deals_lower"]), max(round(lesson["deals_upper"]), 1)
    deals = (
        _("{low} to {high} more deals")
        if 0 < low < high
        else counted("up to {high} more deal", "up to {high} more deals", high)
    ).format(low=number(low), high=number(high))
    money = lesson.get("money")
    if money is None or pd.isna(money):
        return deals
    return _("{deals}, about {money}").format(deals=deals, money=_rough_money(money, funnel))


def _doubt_sentences(team: pd.DataFrame, ranked: pd.DataFrame) -> list[str]:
    """What cannot be told yet, and where somebody is low without being named."""
    cells = ranked if ranked["rate"].notna().any() else team
    judged = cells[cells["target"].notna()]
    said = []
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    if not unsure.empty:
        counts = {"unsure": number(len(unsure)), "all": number(len(judged))}
        drop = unsure["drop_visible"].median()
        said.append(
            _("Leave the rest alone: {unsure} of {all} results cannot be told from chance yet.").format(**counts)
            if not drop <= MOST_POINTS
            else counted(
                "Leave the rest alone: {unsure} of {all} results cannot be told from chance yet; differences below "
                "{drop} point may be luck.",
                "Leave the rest alone: {unsure} of {all} results cannot be told from chance yet; differences below "
                "{drop} points may be luck.",
                round(drop),
            ).format(**counts, drop=number(drop))
        )
    early = ranked[ranked["whose"].isin(["own", "unclear"]) & ~ranked["named"]]
    if not early.empty:
        low = (
            _("Low, but not surely enough to name anybody else: {steps}.")
            if ranked["named"].any()
            else _("Low, but not surely enough to name anybody: {steps}.")
        )
        said.append(low.format(steps=", ".join(dict.fromkeys(step_words(row) for _row, row in early.iterrows()))))
    said += [
        _(
            "{manager} is low at {step} but has harder leads there: with equal leads less than {points} behind the "
            "colleagues."
        ).format(manager=row["manager"], step=step_words(row), points=points(row["margin"]))
        for _row, row in ranked[ranked["whose"] == "base"].iterrows()
    ]
    return [" ".join(said)] if said else []


def undated_sentences(counts: pd.DataFrame, funnel: Funnel) -> list[str]:
    """How far wins without a date could move each step's rate, and how many other ends have none; empty without any.

    ``counts`` is a frame of ``undated_counts`` of one team or manager.
    """
    said = []
    for _row, row in counts[counts["won"] + counts["unseen"] > 0].iterrows():
        more = row["won"] + row["unseen"]
        text = counted(
            "{n} more lead was won ({last}) on a day that the export does not hold: with it as in time {rate} of the "
            "leads whose days are over instead of {without} pass {step}.",
            "{n} more leads were won ({last}) on a day that the export does not hold: with them as in time {rate} of "
            "the leads whose days are over instead of {without} pass {step}.",
            more,
        )
        rate = (row["converted"] + more) / (row["entered"] + row["unseen"])
        without = percent(row["converted"] / row["entered"]) if row["entered"] else _("not known")
        words = {"step": step_words(row), "last": funnel.stages[-1], "rate": percent(rate), "without": without}
        said.append(text.format(n=number(more), **words))
    ended = counts["ended"].sum()
    if ended:
        said.append(
            counted(
                "{n} lead was lost or returned on a day that the export does not hold: it counts as one that did not "
                "move on, in no week's refusals.",
                "{n} leads were lost or returned on a day that the export does not hold: they count as leads that did "
                "not move on, in no week's refusals.",
                ended,
            ).format(n=number(ended))
        )
    return said
