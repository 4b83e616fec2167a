"""A sentence or a few words beside a figure: what it means, how sure it is, how else it could be counted."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _, counted, day, number, percent, rough
from funnelstats.config.words import points as said_points
from funnelstats.core.comparing import effective_counts, visible_drop
from funnelstats.core.conversion import STEP
from funnelstats.core.intervals import NO, UNTOLD
from funnelstats.core.scatter import weeks_differ
from funnelstats.page.figures import NOT_RANKED, step_words

WORTH_SAYING = 0.2
"""Of the biggest effect: what is smaller than this share of it is left to the table."""
RIVAL_WORDS = {
    "reached": "reached in time, stages may be skipped (this page)",
    "touched": "reached in time, every stage logged",
    "direct": "reached in time, each step by a direct move",
    "closed": "win rate: of those won or refused so far",
    "so_far": "of all leads, old and young, so far",
}
"""What the definitions of ``rival_rates`` are called on a page."""


def with_remarks(managers: pd.DataFrame) -> pd.DataFrame:
    """What to make of each manager's result, in a few words: ``remark`` beside a frame of ``page_verdicts``."""
    return managers.assign(remark=[_remark(row) for _, row in managers.iterrows()])


def _remark(row: pd.Series) -> str:
    if pd.isna(row["rate"]) and row["entered"] > 0:
        return _("the days of these leads are not over yet")
    if row["verdict"] in ("undecided", "too few"):
        few = counted("{n} lead cannot tell yet", "{n} leads cannot tell yet", row["entered"])
        return few.format(n=number(row["entered"])) if row["entered"] > 0 else ""
    if row["whose"]:
        below = row["verdict"] != "no target"
        return {
            "own": (_("below target, and lower than colleagues") if below else _("below the rest"))
            if row["named"]
            else _("low in these weeks, not sure enough to name"),
            "team": _("the whole team is low here"),
            "base": _("harder leads; with equal ones less than {points} behind").format(
                points=said_points(row["margin"])
            ),
            "unclear": _("low; own work, leads or chance: cannot be told"),
        }[row["whose"]]
    return _("above the rest") if row["verdict"] == "no target" and row["rest"] == "higher" else ""


def power_sentence(managers: pd.DataFrame, funnel: Funnel) -> str:
    """How far below target a manager with a usual number of leads can be by luck, or unseen, at each step."""
    ranked = managers[(managers["verdict"] != NOT_RANKED) & (managers["entered"] > 0)]
    if ranked.empty:
        return _("No lead of these weeks has a manager who can be compared: the table counts them together.")
    if ranked["floor"].isna().all():
        return _("“Above the rest” and “below the rest” are said only where the difference is beyond chance.")
    drops = []
    for step, rows in ranked[ranked["floor"].notna()].groupby(STEP, sort=False):
        leads, floor = rows["entered"].median(), rows["floor"].median()
        seen = float(visible_drop(np.median(effective_counts(rows)[1]), floor))
        if not np.isnan(seen):
            drops.append(
                counted(
                    "{points} point at {step} ({leads} leads a week)",
                    "{points} points at {step} ({leads} leads a week)",
                    round(seen),
                ).format(
                    points=number(seen),
                    step=" → ".join(map(str, step)),
                    leads=rough(leads / funnel.judged_weeks),
                )
            )
    if not drops:
        return _("With so few leads this page cannot see whether anybody misses a target.")
    return _(
        "Smaller misses than these may be luck, or go unseen: {drops}. More cannot be told from a manager's usual "
        "leads of {weeks} weeks."
    ).format(weeks=funnel.judged_weeks, drops=", ".join(drops))


def quiet_sentences(weeks: pd.DataFrame, funnel: Funnel, monday: date) -> list[str]:
    """That no lead came in in the week of ``monday``, and when the last ones did; empty where some came.

    ``weeks`` are counts of ``step_counts`` by week that end with it.
    """
    came = weeks[(weeks["from_stage"] == funnel.stages[0]) & (weeks["entered"] + weeks["too_recent"] > 0)]
    if came.empty:
        return [_("No lead came in in the weeks that this page looks at.")]
    last = came["week"].max().date()
    if last >= monday:
        return []
    return [_("No lead came in this week; the last ones came in the week of {day}.").format(day=day(last))]


def rates_apart(team: pd.DataFrame) -> list[str]:
    """Why the rate by the horizon and that of matured leads alone differ, where they do; of ``with_matured``."""
    apart = (team["matured_rate"] < team["ci_lower"]) | (team["matured_rate"] > team["ci_upper"])
    text = _(
        "{step}: {rate} by the horizon, {matured} matured only, because the {recent} leads whose days are not over "
        "move on {often} so far than the {old} others did at that age. If that lasts, the first is right."
    )
    return [
        text.format(
            step=step_words(row),
            rate=percent(row["rate"]),
            matured=percent(row["matured_rate"]),
            often=_("more often") if row["rate"] > row["matured_rate"] else _("less often"),
            recent=number(row["too_recent"]),
            old=number(row["matured"]),
        )
        for _row, row in team[apart & (team["too_recent"] > 0)].iterrows()
    ]


def scatter_sentences(team: pd.DataFrame) -> list[str]:
    """That weeks differ by more than chance, where they do, and that ranges and verdicts allow for it."""
    differ = team[weeks_differ(team)]
    if differ.empty:
        return []
    steps = ", ".join(
        _("{step} ({leads} leads tell as much as {worth} would)").format(
            step=step_words(row), leads=number(round(row["n_eff"] * row["dispersion"])), worth=rough(row["n_eff"])
        )
        for _row, row in differ.iterrows()
    )
    return [
        _(
            "Good and bad weeks differ by more than chance: {steps}. Leads of one week are alike; the ranges and "
            "verdicts of this page allow for it."
        ).format(steps=steps)
    ]


def change_sentence(change: pd.DataFrame, funnel: Funnel) -> str:
    """Whether the way from the first stage to the last changed between two periods, and what moved it if so.

    ``change`` is a frame of ``explain_change``. Points are those between the percentages shown.
    """
    ends = {"first": funnel.stages[0], "last": funnel.stages[-1]}
    if change[["overall_before", "overall_after"]].isna().any(axis=None):
        if change["before"].isna().all():
            return _("There are no weeks before these to compare the way from {first} to {last} with.").format(**ends)
        return _(
            "Whether the way from {first} to {last} changed cannot be told: a step of it has no lead known."
        ).format(**ends)
    row = change.iloc[0]
    before, after = row["overall_before"], row["overall_after"]
    ends |= {"before": percent(before), "after": percent(after)}
    if row["changed"] == NO:
        return _(
            "The share of leads that go from {first} to {last} has changed by less than a tenth: {before} in the "
            "{weeks} weeks before, {after} in these."
        ).format(**ends, weeks=funnel.judged_weeks)
    if row["changed"] == UNTOLD:
        limits = 100 * row[["overall_lower", "overall_upper"]].astype(float)
        digits = int(limits.abs().min() < 1)
        return _(
            "Whether more or fewer leads go from {first} to {last} than before cannot be told: {before} in the {weeks} "
            "weeks before, {after} in these; the change is very likely between {low} and {high} points."
        ).format(
            **ends,
            weeks=funnel.judged_weeks,
            low=number(limits.iloc[0], digits),
            high=number(limits.iloc[1], digits),
        )
    # a small change of a small share would be none in whole percent
    digits = next((few for few in (0, 1, 2) if round(before, 2 + few) != round(after, 2 + few)), 2)
    points = round(abs(round(after, 2 + digits) - round(before, 2 + digits)) * 100, digits)
    ends |= {"before": percent(before, digits), "after": percent(after, digits), "points": number(points, digits)}
    form = 2 if digits else points
    clear = clear_changes(change)
    clear = clear[clear["effect"].abs() >= WORTH_SAYING * clear["effect"].abs().max()]
    fell = counted(
        "The way from {first} to {last} fell by {points} point, from {before} to {after}",
        "The way from {first} to {last} fell by {points} points, from {before} to {after}",
        form,
    )
    rose = counted(
        "The way from {first} to {last} rose by {points} point, from {before} to {after}",
        "The way from {first} to {last} rose by {points} points, from {before} to {after}",
        form,
    )
    whole = (fell if after < before else rose).format(**ends)
    when = _("these {weeks} weeks against the {weeks} before").format(weeks=funnel.judged_weeks)
    likely = _very_likely(row[["overall_lower", "overall_upper"]], digits)
    rest = round(100 * change["effect"].drop(clear.index).sum(), digits)
    parts = [
        _part(effect, digits, only=points > 0 and len(clear) == 1 and not rest)
        + ("" if len(clear) == 1 and not rest else f" ({_very_likely(effect[['ci_lower', 'ci_upper']], digits)})")
        for _row, effect in clear.iterrows()
    ]
    if len(change) == 1:
        parts = []
    elif rest and parts:
        other = _("{points} lost at the other steps") if rest < 0 else _("{points} won at the other steps")
        parts.append(other.format(points=number(abs(rest), digits)))
    return f"{'; '.join([f'{whole}, {when} ({likely})', *parts])}."


def _part(row: pd.Series, digits: int, *, only: bool) -> str:
    """What a step took from the whole way or gave it; if it is the only one, no points that rounding sets apart."""
    text = (
        _("all of it at {step}")
        if only
        else _("{points} lost at {step}")
        if row["effect"] < 0
        else _("{points} won at {step}")
    )
    return text.format(points=number(abs(row["effect"]) * 100, digits), step=step_words(row))


def _very_likely(limits: pd.Series, digits: int) -> str:
    """Both ends in points, told as sizes where both are on one side of nothing."""
    ends = 100 * limits.to_numpy(dtype=float)
    low, high = (float(end) for end in (sorted(abs(ends)) if ends[0] * ends[1] >= 0 else ends))
    return _("very likely {low} to {high} points").format(low=number(low, digits), high=number(high, digits))


def clear_changes(change: pd.DataFrame) -> pd.DataFrame:
    """The rows whose effect is surely not none, biggest first."""
    clear = change[(change["ci_lower"] > 0) | (change["ci_upper"] < 0)]
    return clear.sort_values("effect", key=np.abs, ascending=False, kind="stable")


def rival_table(rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The whole way under each definition, in words and numbers.

    ``rates`` is a frame of ``rival_rates``. Returns ``counted`` (the definition in words), ``entered, converted,
    rate, ci_lower, ci_upper, apart``, the last in points.
    """
    way = rates[_whole_way(rates, funnel)]
    shown = way.assign(counted=[_(RIVAL_WORDS[name]) for name in way["definition"]], apart=100 * way["apart"])
    return shown[["counted", "entered", "converted", "rate", "ci_lower", "ci_upper", "apart"]].reset_index(drop=True)


def _whole_way(rates: pd.DataFrame, funnel: Funnel) -> pd.Series:
    return (rates["from_stage"] == funnel.stages[0]) & (rates["to_stage"] == funnel.stages[-1])


def rival_sentence(rates: pd.DataFrame, funnel: Funnel, between: tuple[date, date], as_of: date) -> str:
    """The share of leads that went the whole way, which leads those are, and how far apart other counts are.

    ``between`` holds the first and last day of the entries counted.
    """
    way = rates[_whole_way(rates, funnel)].set_index("definition")
    own = way.loc["reached"]
    if pd.isna(own["rate"]):
        return _("No lead has had all its days for the whole way from {first} to {last} yet.").format(
            first=funnel.stages[0], last=funnel.stages[-1]
        )
    until = min(between[1], as_of - timedelta(days=sum(step.horizon_days for step in funnel.steps)))
    return _(
        "Of the {leads} leads that came in from {since} to {until}, whose days for the whole way are over, {rate} went "
        "from {first} to {last} in time; what changed later is not in it. Counted in other ways that are in use, the "
        "same log gives {lowest} to {highest}: compare only what was counted alike."
    ).format(
        rate=percent(own["rate"]),
        leads=number(own["entered"]),
        since=day(between[0]),
        until=day(until),
        first=funnel.stages[0],
        last=funnel.stages[-1],
        lowest=percent(way["rate"].min()),
        highest=percent(way["rate"].max()),
    )
