"""How long leads wait for their first contact, and whether those called early do better among equals.

Counts of `firsts` come in. Leads never contacted stay in as waiting (censored), so nobody looks fast by forgetting.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _, counted, number, percent, points
from funnelstats.core.comparing import REST, benjamini_hochberg, score_p
from funnelstats.core.conversion import conversion_rates
from funnelstats.core.incidence import days_in_stage, incidence
from funnelstats.core.intervals import (
    HALF,
    NO,
    SIDED,
    UNTOLD,
    YES,
    answers,
    mover_ratio,
    newcombe_interval,
    ratio_answers,
    share_margin,
)
from funnelstats.importing.opening import Tables

CLOCK_WORDS = {"calendar": "calendar", "working": "working"}
"""What the clocks are called on a page."""
SHARES = {0.25: "quarter", 0.5: "half", 0.75: "three_quarters"}


def waiting_times(hours: pd.DataFrame) -> pd.DataFrame:
    """Hours after which a quarter, half and three quarters of the leads were contacted, on each clock.

    Takes a frame of ``hours_to_contact``. Kaplan–Meier, log-log limits, R's midpoint rule (``days_in_stage``).
    Returns ``*by, clock, leads, contacted, never``, then for ``quarter, half, three_quarters`` the hours with
    ``_lower`` and ``_upper``: missing where not reached.
    """
    keys = [str(column) for column in hours if column not in ("hours", "contacted", "waiting")]
    counted_leads = hours.groupby(keys, sort=False, dropna=False)[["contacted", "waiting"]].sum().reset_index()
    counted_leads = counted_leads.assign(leads=counted_leads["contacted"] + counted_leads["waiting"])
    found = counted_leads.rename(columns={"waiting": "never"})[[*keys, "leads", "contacted", "never"]]
    times = days_in_stage(_as_days(hours), list(SHARES))
    for part, name in SHARES.items():
        named = {"days": name, "days_lower": f"{name}_lower", "days_upper": f"{name}_upper"}
        found = found.merge(times[times["share"] == part].drop(columns="share").rename(columns=named), on=keys)
    return found


def contact_curve(hours: pd.DataFrame) -> pd.DataFrame:
    """Share of leads contacted within so many hours, leads still waiting counted for as long as they were watched.

    Returns ``*by, clock, hours, at_risk, rate, ci_lower, ci_upper``: one minus Kaplan–Meier.
    """
    curve = incidence(_as_days(hours)).rename(columns={"age_days": "hours", "incidence": "rate"})
    keys = [str(column) for column in hours if column not in ("hours", "contacted", "waiting")]
    return curve[[*keys, "hours", "at_risk", "rate", "ci_lower", "ci_upper"]]


def _as_days(hours: pd.DataFrame) -> pd.DataFrame:
    """The counts in the shape of `incidence`: a first contact is what the leads wait for, nothing rivals it."""
    return hours.rename(columns={"hours": "age_days", "contacted": "advanced", "waiting": "open"}).assign(lost=0)


def landmark_differences(counts: pd.DataFrame) -> pd.DataFrame:
    """How much better leads did that were contacted by a landmark than those that were not, both still open then.

    Takes a frame of ``landmark_counts``. Returns ``to_stage, landmark_days, entered, converted, rate, ci_lower,
    ci_upper`` of the contacted, the same with ``other_`` before it of those not, ``difference, difference_lower,
    difference_upper`` (Newcombe) and ``verdict``: higher, lower (Benjamini–Hochberg .10 over the rows, two-sided score
    test) or undecided. [-1, 1] and missing where a side has nobody.
    """
    keys, numbers = ["to_stage", "landmark_days"], ["entered", "converted"]
    every = counts[keys].drop_duplicates()
    early, late = (
        conversion_rates(
            every.merge(counts.loc[counts["contacted"] == side, [*keys, *numbers]], how="left", on=keys)
            .fillna(dict.fromkeys(numbers, 0))
            .astype(dict.fromkeys(numbers, "int64"))
        )
        for side in (True, False)
    )
    sides = early["converted"], early["entered"], late["converted"], late["entered"]
    lower, upper = newcombe_interval(*sides)
    difference = early["rate"] - late["rate"]
    p_value = np.where(difference.isna(), np.nan, score_p(*sides))
    sign = np.where(difference > 0, "higher", "lower")
    return pd.concat([early, late.drop(columns=keys).add_prefix("other_")], axis=1).assign(
        difference=difference,
        difference_lower=lower,
        difference_upper=upper,
        verdict=np.where(benjamini_hochberg(p_value) <= REST, sign, "undecided"),
    )


def speed_sentences(
    own: pd.DataFrame,
    others: pd.DataFrame,
    landmarks: pd.DataFrame,
    untouched: pd.DataFrame,
    tables: Tables,
    funnel: Funnel,
) -> list[str]:
    """How soon one manager's leads are contacted, beside the colleagues', and whether early goes with better.

    ``own`` and ``others`` are frames of ``waiting_times`` (one row per clock; others empty where too few),
    ``landmarks`` one of ``landmark_differences`` of the team, ``untouched`` the manager's open leads without contact.
    """
    if tables.contacts is None:
        return [_("No contacts in the export: how soon leads were first contacted cannot be told.")]
    if own.empty:
        return [_("No lead came in with you in these weeks: there is no time to first contact.")]
    said = [_wait(own, others, funnel)]
    if len(untouched):
        text = counted(
            "{n} open lead of yours has no contact recorded: it is listed below.",
            "{n} open leads of yours have no contact recorded: those waiting longest are listed below.",
            len(untouched),
        )
        said.append(text.format(n=number(len(untouched))))
    return [*said, *landmark_sentences(landmarks, funnel)]


def _wait(own: pd.DataFrame, others: pd.DataFrame, funnel: Funnel) -> str:
    """Half of the leads on each clock; compared on one only, since the two may point in different ways."""
    stated = "work" in funnel.model_fields_set
    mine, peers = (frame.set_index("clock") for frame in (own, others))
    judged = mine.loc["working" if stated else "calendar"]
    if pd.isna(judged["half"]):
        text = _("Fewer than half of your {leads} leads were contacted so far.")
        return text.format(leads=number(judged["leads"]))
    text = (
        _("Half of your leads are contacted within {working} working hours ({calendar} by the calendar).")
        if stated
        else _("Half of your leads are contacted within {calendar} hours ({working} working hours).")
    )
    said = text.format(calendar=number(mine.at["calendar", "half"]), working=number(mine.at["working", "half"]))
    if judged.name not in peers.index or pd.isna(peers.at[judged.name, "half"]):
        return said
    return said + " " + _beside(judged, peers.loc[judged.name])


def _beside(own: pd.Series, others: pd.Series) -> str:
    """Who is faster, by the limits of the ratio of the two halves; a limit not reached is endless."""
    mine, peers = (
        (row["half"], row["half_lower"], np.inf if pd.isna(row["half_upper"]) else row["half_upper"])
        for row in (own, others)
    )
    lower, upper = mover_ratio(mine, peers)
    texts = {
        NO: _("That is about as fast as the colleagues do it ({others}), no more than half as long again either way."),
        UNTOLD: _("Whether that is faster or slower than the colleagues do it ({others}) cannot be told yet."),
        YES: _("That is faster than the colleagues do it ({others}).")
        if upper < 1
        else _("That is slower than the colleagues do it ({others})."),
    }
    answer = str(ratio_answers((upper < 1) | (lower > 1), lower, upper, HALF))
    return texts[answer].format(others=number(others["half"]))


def landmark_sentences(landmarks: pd.DataFrame, funnel: Funnel) -> list[str]:
    """Whether leads contacted early did better, among leads that were equally far: one sentence per outcome."""
    said = []
    for stage in (funnel.stages[1], funnel.stages[-1]):
        rows = landmarks[(landmarks["to_stage"] == stage) & landmarks["difference"].notna()]
        clear = rows[rows["verdict"] != "undecided"]
        if rows.empty:
            continue
        row = (rows if clear.empty else clear).sort_values("landmark_days").iloc[0]
        compared = _(
            "Of the team's leads still waiting on day {day}, {early} of those contacted by then reached {stage} in "
            "time, {late} of the others: {answer}."
        )
        said.append(
            compared.format(
                day=number(row["landmark_days"]),
                stage=stage,
                early=percent(row["rate"]),
                late=percent(row["other_rate"]),
                answer=_answer(row),
            )
        )
        if stage == funnel.stages[-1]:
            break
    return said or [_("Too few leads were still at the first stage to compare those called early with the others.")]


def _answer(row: pd.Series) -> str:
    """What a landmark shows: a difference, none beyond the margin, or nothing yet."""
    margin = float(share_margin(row["other_rate"]))
    k1, n1, k2, n2 = (row[name] for name in ("converted", "entered", "other_converted", "other_entered"))
    answer = str(answers(row["verdict"] != "undecided", *newcombe_interval(k1, n1, k2, n2, SIDED), margin))
    return {
        YES: _("it goes together, it is not shown to cause"),
        NO: _("no more than {margin} apart").format(margin=points(margin)),
        UNTOLD: _("whether they differ cannot be told yet"),
    }[answer]
