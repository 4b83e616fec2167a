"""Facts beside a figure: how small a gap is seen, what moved the whole way, how else it could be counted."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _
from funnelstats.core.comparing import NOT_RANKED, effective_counts, visible_drop
from funnelstats.core.conversion import STEP
from funnelstats.core.intervals import UNTOLD, YES
from funnelstats.core.scatter import weeks_differ
from funnelstats.team.counts import RECORDED_LATE

WORTH_SAYING = 0.2
"""Of the biggest effect: what is smaller than this share of it is left to the table."""
RIVAL_WORDS = {
    "reached": "reached in time, stages may be skipped (this page)",
    "touched": "reached in time, every stage logged",
    "direct": "reached in time, each step by a direct move",
    "closed": "win rate: of those won or refused so far",
    "so_far": "all leads to date",
}
"""What the definitions of ``rival_rates`` are called on a page."""


def visible_gaps(managers: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """How far below target a manager with a usual number of leads can be unseen: ``points, leads`` (a week) by step.

    Takes a frame of ``page_verdicts``; no row for a step without a floor, or where no gap would be seen.

    >>> fs.team.visible_gaps(managers, spec).round(1)
       from_stage    to_stage  points  leads
    0        lead         met     4.0   21.2
    1         met   presented     6.6   20.4
    2   presented  contracted     7.4   17.4
    3  contracted        paid     6.1   11.7
    """
    ranked = managers[(managers["verdict"] != NOT_RANKED) & (managers["entered"] > 0) & managers["floor"].notna()]
    rows = [
        {
            **dict(zip(STEP, step, strict=True)),
            "points": float(visible_drop(np.median(effective_counts(rows)[1]), rows["floor"].median())),
            "leads": rows["entered"].median() / funnel.judged_weeks,
        }
        for step, rows in ranked.groupby(STEP, sort=False)
    ]
    return pd.DataFrame(rows, columns=[*STEP, "points", "leads"]).dropna()


def quiet_since(weeks: pd.DataFrame, funnel: Funnel, monday: date) -> dict[str, Any]:
    """``quiet``: no lead came in in the week of ``monday``; ``last``: the Monday of the week when the last one did.

    ``weeks`` are counts of ``step_counts`` by week that end with it; ``last`` is None where none came at all.

    >>> str(fs.team.quiet_since(leak.weeks, spec, monday)["last"])
    '2026-06-22'
    """
    came = weeks[(weeks["from_stage"] == funnel.stages[0]) & (weeks["entered"] + weeks["too_recent"] > 0)]
    last = None if came.empty else came["week"].max().date()
    return {"quiet": last is None or last < monday, "last": last}


def on_record(weeks: pd.DataFrame, window: tuple[date, date]) -> dict[str, Any]:
    """The part of a page's ``window`` since leads are on record, ``judged_weeks`` of it, and ``weeks_before`` it.

    ``weeks`` are counts of ``step_counts`` by week of the ``trend_window``. Without any lead all of the window is.

    >>> known = fs.team.on_record(leak.weeks, window)
    >>> str(known["window"][0]), known["judged_weeks"], known["weeks_before"]
    ('2026-03-30', 13, 13)
    """
    came = weeks.loc[weeks["entered"] + weeks["too_recent"] > 0, "week"]
    first = window[0] if came.empty else came.min().date()
    begins = max(first, window[0])
    return {
        "window": (begins, window[1]),
        "judged_weeks": ((window[1] - begins).days + 1) // 7,
        "weeks_before": max((window[0] - first).days // 7, 0),
    }


def weekly_numbers(weeks: pd.DataFrame, wins: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """New leads beside the deals and the money of each week of ``wins_by_week``: ``week, leads, deals, money``.

    From the first week that has any of them: before it there is no record, which is not a week of nothing.

    >>> fs.team.weekly_numbers(leak.weeks, wins, spec).head(2)
             week  deals       money  leads
    13 2026-03-30    109  16919600.0    162
    14 2026-04-06    103  14779900.0    188
    """
    came = weeks[weeks["from_stage"] == funnel.stages[0]]
    came = came.assign(leads=came["entered"] + came["too_recent"])
    found = wins.merge(came[["week", "leads"]], how="left", on="week").fillna({"leads": 0})
    begun = (found[["leads", "deals"]] > 0).any(axis=1).cummax()
    return found[begun | (found["week"] == found["week"].max())].tail(funnel.judged_weeks)


def of_hundred(change: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """How many of 100 leads stand at each stage or beyond: ``stage, target, before, after``, of ``explain_change``.

    Each step in its time. Missing from the first step on that has no target, or no lead known.

    >>> fs.team.of_hundred(leak.change, spec).round()
       target  before  after       stage
    0   100.0   100.0  100.0        lead
    1   100.0    95.0   96.0         met
    2    80.0    78.0   77.0   presented
    3    64.0    64.0   51.0  contracted
    4    61.0    60.0   49.0        paid
    """
    targets = [np.nan if step.target is None else step.target for step in funnel.steps]
    rates = change.assign(target=targets)[["target", "before", "after"]].cumprod(skipna=False)
    every = pd.concat([pd.DataFrame(1.0, index=[0], columns=rates.columns), rates], ignore_index=True)
    return (100 * every).assign(stage=funnel.stages)


def rates_apart(team: pd.DataFrame) -> pd.DataFrame:
    """The steps whose rate differs from that of matured leads alone by more than its range; of ``with_matured``.

    >>> fs.team.rates_apart(team)["to_stage"].tolist()
    []
    """
    outside = (team["matured_rate"] < team["ci_lower"]) | (team["matured_rate"] > team["ci_upper"])
    return team[outside & (team["too_recent"] > 0)]


def scattered(team: pd.DataFrame) -> pd.DataFrame:
    """The steps whose weeks differ by more than chance, with what their leads are ``worth``.

    >>> fs.team.scattered(team.assign(dispersion=2.0, by_chance=0.001))[["to_stage", "leads", "worth"]].head(2).round()
        to_stage   leads   worth
    0        met  4041.0  2020.0
    1  presented  4033.0  2017.0
    """
    differ = team[weeks_differ(team)]
    return differ.assign(leads=differ["n_eff"] * differ["dispersion"], worth=differ["n_eff"])


def whole_way(change: pd.DataFrame) -> dict[str, Any]:
    """Whether the way from the first stage to the last changed between two periods, and which steps moved it.

    ``change`` is a frame of ``explain_change``. ``changed`` is its answer, "no weeks before", ``RECORDED_LATE`` or "not
    known" where there is none, "nobody" where no lead went all the way in either; ``ends`` of the change in points;
    ``digits`` as many as tell the two shares apart; ``points`` those between the shares shown.

    >>> way = fs.team.whole_way(leak.change)
    >>> way["changed"], round(float(way["points"]), 2)
    ('yes', 0.11)
    """
    row = change.iloc[0]
    facts = {
        "changed": row["changed"],
        "before": row["overall_before"],
        "after": row["overall_after"],
        "lower": row["overall_lower"],
        "upper": row["overall_upper"],
    }
    if change[["overall_before", "overall_after"]].isna().any(axis=None):
        untold = "no weeks before" if change["before"].isna().all() else "not known"
        return facts | {"changed": RECORDED_LATE if facts["changed"] == RECORDED_LATE else untold}
    before, after = facts["before"], facts["after"]
    if before == after == 0:
        return facts | {"changed": "nobody"}
    # a small change of a small share would be none in whole percent
    digits = next((few for few in (0, 1, 2) if round(before, 2 + few) != round(after, 2 + few)), 2)
    if facts["changed"] == UNTOLD:
        digits = int(min(abs(facts["lower"]), abs(facts["upper"])) < 0.01)
    ends = 100 * np.array([facts["lower"], facts["upper"]])
    clear = change[(change["ci_lower"] > 0) | (change["ci_upper"] < 0)]
    clear = clear.sort_values("effect", key=np.abs, ascending=False, kind="stable")
    return facts | {
        # told as sizes where both are on one side of nothing
        "ends": sorted(abs(ends)) if ends.prod() >= 0 and facts["changed"] == YES else list(ends),
        "digits": digits,
        "points": abs(round(after, 2 + digits) - round(before, 2 + digits)),
        "moved": clear[clear["effect"].abs() >= WORTH_SAYING * clear["effect"].abs().max()][STEP],
    }


def rival_table(rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The whole way under each definition, in words and numbers.

    ``rates`` is a frame of ``rival_rates``. Returns ``counted`` (the definition in words), ``entered, converted,
    rate, ci_lower, ci_upper, apart``, the last in points.

    >>> fs.team.rival_table(rivals, spec)[["entered", "converted", "rate"]].head(2).round(3)
       entered  converted   rate
    0     2494       1556  0.624
    1     2494       1531  0.614
    """
    rivals = _of_whole_way(rates, funnel)
    shown = rivals.assign(counted=[_(RIVAL_WORDS[name]) for name in rivals["definition"]], apart=100 * rivals["apart"])
    return shown[["counted", "entered", "converted", "rate", "ci_lower", "ci_upper", "apart"]].reset_index(drop=True)


def _of_whole_way(rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    return rates[(rates["from_stage"] == funnel.stages[0]) & (rates["to_stage"] == funnel.stages[-1])]


def rival_facts(rates: pd.DataFrame, funnel: Funnel, between: tuple[date, date], as_of: date) -> dict[str, Any]:
    """The share of leads that went the whole way, which leads those are, and how far apart other counts are.

    ``between`` holds the first and last day of the entries counted; ``way_days`` the days a lead has for all steps.

    >>> facts = fs.team.rival_facts(rivals, spec, trend, day)
    >>> f"{facts['rate']:.3f}, counted otherwise at least {facts['lowest']:.3f}"
    '0.624, counted otherwise at least 0.501'
    """
    rivals = _of_whole_way(rates, funnel).set_index("definition")
    days = sum(funnel.horizons.values())
    came = (between[0], min(between[1], as_of - timedelta(days=days)))
    return {
        **rivals.loc["reached", ["rate", "entered"]],
        "came": came,
        "way_days": days,
        "lowest": rivals["rate"].min(),
    }
