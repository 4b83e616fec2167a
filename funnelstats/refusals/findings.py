"""What the meeting about refusals needs to know, as facts for the page's template."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import ALPHA, exact_p
from funnelstats.core.intervals import NO, STRENGTH, UNTOLD, YES, answers, share_answers, share_margin, wilson_interval
from funnelstats.refusals.counts import told_gaps

MOST_NAMED, MOST_SAID = 3, 2
"""Groups of leads and managers that the first screen names; the tables below hold the others."""


def month_after(end: date) -> tuple[date, date]:
    """First and last day of the month in which a meeting about the days until ``end`` sits.

    >>> month_after(date(2026, 6, 30))
    (datetime.date(2026, 7, 1), datetime.date(2026, 7, 31))
    """
    first = (end.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def refusal_findings(
    shares: pd.DataFrame,
    changes: pd.DataFrame,
    drivers: pd.DataFrame,
    patterns: pd.DataFrame,
    looks: pd.DataFrame,
    due: pd.DataFrame,
    totals: pd.DataFrame,
    funnel: Funnel,
) -> dict[str, Any]:
    """What to do about refusals.

    Takes frames of ``reason_shares`` (the month), ``reason_changes``, ``reason_drivers``, ``reason_patterns`` by
    manager, ``second_looks`` by manager, ``retry_counts`` by owner (what comes due) and ``refusal_totals``. Returns
    ``known`` (whether the data holds a refusal at all), ``lost`` and ``blank`` (refusals of the month, and those
    without a reason), ``silent`` (most have none, and no reason has grown), ``top`` (the row of the most frequent
    reason, None without one), ``tied`` (all reasons as frequent as that), ``grown`` (reasons heard more often than
    before, each with the ``leads`` most lost for it), ``named`` (managers who hear a reason more often by Holm's rule:
    a name must hold), ``due`` and ``ownerless`` (leads to be tried again, and those of nobody), and ``excuses`` and
    ``gaps`` (refusals to look at again).

    >>> found = fs.refusals.refusal_findings(shares, changes, drivers, patterns, looks, due, totals, spec)
    >>> found["top"]["refusal"], int(found["due"])
    ('price', 437)
    """
    grown = changes[(changes["verdict"] == "higher") & (changes["refusal"] != MISSING)]
    named = patterns[(patterns["verdict"] == "more often") & (patterns["p_holm"] <= ALPHA)]
    named = named.sort_values("residual", ascending=False)
    heard = shares[(shares["refusal"] != MISSING) & (shares["lost"] > 0)]
    rows = grown.sort_values("difference", ascending=False).to_dict("records")
    lost, blank = shares["lost"].sum(), shares.loc[shares["refusal"] == MISSING, "lost"].sum()
    return {
        "known": bool(totals["refused"].sum()),
        **{"lost": lost, "blank": blank, "silent": bool(not rows and len(heard) and 2 * blank > lost)},
        "top": next(iter(heard.to_dict("records")), None),
        "tied": heard.loc[heard["lost"] == heard["lost"].max(), "refusal"].tolist(),
        "grown": [{**row, "leads": _hit(drivers, row)} for row in rows],
        "named": named.head(MOST_SAID),
        "due": due["due"].sum(),
        "ownerless": due.loc[due["owner"].isin([MISSING, *funnel.system_users]), "due"].sum(),
        "excuses": _looked_at(looks[looks["second_look"] == "excuse"]),
        "gaps": _looked_at(looks[looks["second_look"] == "gap"]),
    }


def _hit(drivers: pd.DataFrame, row: dict[Any, Any]) -> pd.DataFrame:
    """The leads lost clearly more often for a reason at a step."""
    same = (drivers["refusal"] == row["refusal"]) & (drivers["from_stage"] == row["from_stage"])
    clear = drivers[same & (drivers["verdict"] == "higher")]
    return clear.sort_values("difference", ascending=False).head(MOST_NAMED)


def _looked_at(looks: pd.DataFrame) -> dict[str, Any]:
    """How many, and for which reasons, the most frequent first."""
    sizes = looks.groupby("refusal")["lost"].sum().sort_values(ascending=False)
    return {"lost": sizes.sum(), "reasons": sizes.index.tolist()}


def reasons_differ(association: pd.DataFrame) -> dict[str, Any]:
    """Whether managers hear different reasons: ``differ`` is yes, no, "cannot tell", or "" of fewer than two of them.

    No is said where any difference is below ``strength``. Takes ``reason_association``.

    >>> fs.refusals.reasons_differ(association)
    {'differ': 'yes', 'strength': 0.1}
    """
    row = association.iloc[0]
    known = pd.notna(row["p_value"])
    differ = str(answers(row["p_value"] <= ALPHA, 0.0, row["v_upper"], STRENGTH)) if known else ""
    return {"differ": differ, "strength": STRENGTH}


def second_tries(tried: pd.DataFrame, success: pd.DataFrame) -> dict[str, Any]:
    """How many refused leads were tried again, and whether those did otherwise than first tries.

    Takes frames of ``retried_counts`` and ``retry_success``. Returns ``over, again, rate, ci_lower, ci_upper`` and
    ``compared``: None, or the row where most began again, with ``answer`` (better, worse, alike within ``margin``, or
    unknown).

    >>> tries = fs.refusals.second_tries(tried, success)
    >>> int(tries["over"]), int(tries["again"])
    (592, 39)
    """
    over, again = tried["entered"].sum(), tried["converted"].sum()
    lower, upper = wilson_interval(again, over)
    known = success[success["difference"].notna()].sort_values("again_entered", kind="stable")
    return {
        "over": over,
        "again": again,
        "rate": again / over if over else float("nan"),
        "ci_lower": float(lower),
        "ci_upper": float(upper),
        "compared": None if known.empty else _compared(known.iloc[-1].to_dict()),
    }


def _compared(row: dict[Any, Any]) -> dict[str, Any]:
    margin = float(share_margin(row["other_rate"]))
    first = round(row["other_rate"] * row["first_entered"])
    sides = row["again_converted"], row["again_entered"], first, row["first_entered"]
    answer = str(share_answers(*sides, margin))
    # Of a handful of leads the limits promise more than they hold.
    answer = UNTOLD if answer == YES and exact_p(*sides) > ALPHA else answer
    answers = {YES: "better" if row["difference"] > 0 else "worse", NO: "alike", UNTOLD: "unknown"}
    return {**row, "answer": answers[answer], "margin": margin}


def refusals_not_told(totals: pd.DataFrame, funnel: Funnel, columns: Sequence[str]) -> dict[str, Any]:
    """What the export lacks: ``reasons``, ``managers``, and for ``gaps`` the attributes that would tell them.

    ``totals`` is the frame of ``refusal_totals``, ``columns`` those of the journeys (attributes of the leads).

    >>> fs.refusals.refusals_not_told(totals, spec, paths.columns)
    {'reasons': False, 'managers': False, 'gaps': []}
    """
    known = totals.iloc[0]
    known_gaps = told_gaps(columns, funnel)
    return {
        "reasons": known["refused"] > 0 and not known["with_reason"],
        "managers": known["refused"] > 0 and not known["with_manager"],
        "gaps": [
            {"reason": reason, "attributes": [name for name in attributes if name not in columns]}
            for reason, attributes in funnel.refusals.gaps.items()
            if known["refused"] and reason not in known_gaps
        ],
    }
