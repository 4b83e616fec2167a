"""A sentence or a few words beside a figure: what it means, how sure it is, how else it could be counted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelstats.stated.funnel import Funnel
from funnelstats.stated.words import _, counted, number, percent, rough
from funnelstats.statistics.managers import visible_drop, weeks_to_tell

STEP = ["from_stage", "to_stage"]
NOT_RANKED = "not ranked"
YEAR = 52
"""Weeks beyond which nobody should be told to wait."""
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


def step_words(row: pd.Series) -> str:
    """The step of a row: lead → met."""
    return f"{row['from_stage']} → {row['to_stage']}"


def interval_words(row: pd.Series) -> str:
    """The interval of a row: 61–70%."""
    return f"{number(100 * row['ci_lower'])}–{percent(row['ci_upper'])}"


def with_remarks(managers: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """What to make of each manager's result, in a few words: ``remark`` beside a frame of ``page_verdicts``."""
    told = weeks_to_tell(managers, funnel)
    return managers.assign(remark=[_remark(row) for _, row in told.iterrows()])


def _remark(row: pd.Series) -> str:
    if pd.isna(row["rate"]) and row["entered"] > 0:
        return _("the days of these leads are not over yet")
    if row["verdict"] in ("undecided", "too few"):
        return _undecided(row["entered"], row["more_weeks"])
    if row["verdict"] in ("red", "amber"):
        return {
            "own": _("below target, and lower than colleagues")
            if row["named"]
            else _("low in these weeks, not yet sure"),
            "team": _("the whole team is low here"),
            "base": _("the leads are harder too: no weakness"),
        }[row["whose"]]
    if row["verdict"] == "no target":
        return {"higher": _("above the rest"), "lower": _("below the rest")}.get(row["rest"], "")
    return ""


def _undecided(leads: float, more_weeks: float) -> str:
    """That leads are too few, and how long that will last at this pace."""
    if not leads > 0:
        return ""
    few = counted("{n} lead is too few to tell", "{n} leads are too few to tell", leads).format(n=number(leads))
    if pd.isna(more_weeks):
        return few
    if more_weeks > YEAR:
        return few + _("; it would take more than a year")
    return few + counted("; about {n} more week", "; about {n} more weeks", more_weeks).format(n=number(more_weeks))


def power_sentence(managers: pd.DataFrame, funnel: Funnel) -> str:
    """How small a drop the page can see at each step with as many leads as a manager usually has."""
    ranked = managers[(managers["verdict"] != NOT_RANKED) & managers["floor"].notna() & (managers["entered"] > 0)]
    drops = []
    for step, rows in ranked.groupby(STEP, sort=False):
        leads, floor = rows["entered"].median(), rows["floor"].median()
        seen = float(visible_drop(leads, floor))
        if not np.isnan(seen):
            drops.append(
                _("{points} points at {step} ({leads} leads a week)").format(
                    points=number(seen),
                    step=" → ".join(map(str, step)),
                    leads=rough(leads / funnel.window_weeks),
                )
            )
    if not drops:
        return _("With so few leads this page cannot see whether anybody misses a target.")
    return _(
        "For a manager with the usual number of leads this page can see, in {weeks} weeks, a drop of {drops}."
    ).format(weeks=funnel.window_weeks, drops=", ".join(drops))


def change_sentence(change: pd.DataFrame, funnel: Funnel) -> str:
    """What moved the way from the first stage to the last between two periods, as far as that is sure.

    ``change`` is a frame of ``explain_change`` without segments.
    """
    ends = {"first": funnel.stages[0], "last": funnel.stages[-1]}
    if change.empty or change[["overall_before", "overall_after"]].isna().any(axis=None):
        return _("There are no weeks before these to compare the way from {first} to {last} with.").format(**ends)
    before, after = change[["overall_before", "overall_after"]].iloc[0]
    ends |= {"before": percent(before), "after": percent(after), "points": number(abs(after - before) * 100)}
    clear = clear_changes(change)
    clear = clear[clear["effect"].abs() >= WORTH_SAYING * clear["effect"].abs().max()]
    if clear.empty:
        return _("No step changed the way from {first} to {last} beyond chance: {before} then, {after} now.").format(
            **ends
        )
    whole = (
        _("The way from {first} to {last} fell by {points} points, from {before} to {after}")
        if after < before
        else _("The way from {first} to {last} rose by {points} points, from {before} to {after}")
    ).format(**ends)
    parts = [
        (
            _("{points} of it at {step} (very likely {low} to {high})")
            if (row["effect"] < 0) == (after < before)
            else _("against it {points} at {step} (very likely {low} to {high})")
        ).format(
            points=number(abs(row["effect"]) * 100),
            step=step_words(row),
            low=number(min(abs(row["ci_lower"]), abs(row["ci_upper"])) * 100),
            high=number(max(abs(row["ci_lower"]), abs(row["ci_upper"])) * 100),
        )
        for _row, row in clear.iterrows()
    ]
    return f"{whole}; {'; '.join(parts)}."


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


def rival_sentence(rates: pd.DataFrame, funnel: Funnel) -> str:
    """The share of leads that went the whole way, and how far apart other ways of counting it are."""
    way = rates[_whole_way(rates, funnel)].set_index("definition")
    own = way.loc["reached"]
    if pd.isna(own["rate"]):
        return _("No lead has had all its days for the whole way from {first} to {last} yet.").format(
            first=funnel.stages[0], last=funnel.stages[-1]
        )
    return _(
        "{rate} of the {leads} leads whose days for the whole way are over went from {first} to {last} in time. "
        "Counted in other ways that are in use, the same log gives {lowest} to {highest}: compare only what was "
        "counted alike."
    ).format(
        rate=percent(own["rate"]),
        leads=number(own["entered"]),
        first=funnel.stages[0],
        last=funnel.stages[-1],
        lowest=percent(way["rate"].min()),
        highest=percent(way["rate"].max()),
    )
