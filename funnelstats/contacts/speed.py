"""How long leads wait for their first contact, and whether those called early do better among equals.

Counts of `firsts` come in. Leads never contacted stay in as waiting (censored), so nobody looks fast by forgetting.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.core.comparing import ALPHA_REST, REST, benjamini_hochberg, exact_p
from funnelstats.core.conversion import conversion_rates
from funnelstats.core.incidence import days_in_stage
from funnelstats.core.intervals import HALF, SIDED, answers, mover_ratio, newcombe_interval, ratio_answers, share_margin

CLOCK_WORDS = {"calendar": "calendar", "working": "working"}
"""What the clocks are called on a page."""
WIDER = float(special.ndtri(1 - ALPHA_REST / 2) / special.ndtri(0.975))
"""How much farther the limits at 99 % lie on a scale of logarithms than those at 95 %."""
SHARES = {0.25: "quarter", 0.5: "half", 0.75: "three_quarters"}


def waiting_times(hours: pd.DataFrame) -> pd.DataFrame:
    """Hours after which a quarter, half and three quarters of the leads were contacted, on each clock.

    Takes a frame of ``hours_to_contact``. Kaplan–Meier, log-log limits, R's midpoint rule (``days_in_stage``).
    Returns ``*by, clock, leads, contacted, never``, then for ``quarter, half, three_quarters`` the hours with
    ``_lower`` and ``_upper``: missing where not reached, or where fewer leads than that have been contacted at all.

    >>> fs.contacts.waiting_times(everybody.hours)[["manager", "clock", "leads", "never", "half"]].head(2)
         manager     clock  leads  never  half
    0  Anna Berg  calendar    288     24  44.0
    1  Anna Berg   working    288     24  14.0
    """
    need(hours, "hours", "hours", "contacted", "waiting")
    keys = [str(column) for column in hours if column not in ("hours", "contacted", "waiting")]
    counted_leads = hours.groupby(keys, sort=False, dropna=False)[["contacted", "waiting"]].sum().reset_index()
    counted_leads = counted_leads.assign(leads=counted_leads["contacted"] + counted_leads["waiting"])
    found = counted_leads.rename(columns={"waiting": "never"})[[*keys, "leads", "contacted", "never"]]
    # A first contact is what the leads wait for, and nothing rivals it.
    waited = hours.rename(columns={"hours": "age_days", "contacted": "advanced", "waiting": "open"}).assign(lost=0)
    times = days_in_stage(waited, list(SHARES))
    for part, name in SHARES.items():
        named = {"days": name, "days_lower": f"{name}_lower", "days_upper": f"{name}_upper"}
        found = found.merge(times[times["share"] == part].drop(columns="share").rename(columns=named), on=keys)
        # Of leads that ended without a contact some are never reached, however many are censored.
        found.loc[found["contacted"] < part * found["leads"], [*named.values()]] = np.nan
    return found


def landmark_differences(counts: pd.DataFrame) -> pd.DataFrame:
    """How much better leads did that were contacted by a landmark than those that were not, both still open then.

    Takes a frame of ``landmark_counts``. Returns ``to_stage, landmark_days, entered, converted, rate, ci_lower,
    ci_upper`` of the contacted, the same with ``other_`` before it of those not, ``difference, difference_lower,
    difference_upper`` (Newcombe) and ``verdict``: higher, lower (Benjamini–Hochberg .10 over the rows, Fisher's exact
    test) or undecided. [-1, 1] and missing where a side has nobody.

    >>> import pandas as pd
    >>> counts = {"to_stage": "met", "landmark_days": 1, "contacted": [True, False], "too_recent": 0}
    >>> counts = pd.DataFrame(counts | {"entered": [400, 500], "converted": [380, 450]})
    >>> fs.contacts.landmark_differences(counts)[["rate", "other_rate", "difference", "verdict"]].round(3)
       rate  other_rate  difference verdict
    0  0.95         0.9        0.05  higher
    """
    need(counts, "counts", "to_stage", "landmark_days", "contacted", "entered", "converted")
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
    p_value = np.where(difference.isna(), np.nan, exact_p(*sides))
    sign = np.where(difference > 0, "higher", "lower")
    return pd.concat([early, late.drop(columns=keys).add_prefix("other_")], axis=1).assign(
        difference=difference,
        difference_lower=lower,
        difference_upper=upper,
        verdict=np.where(benjamini_hochberg(p_value) <= REST, sign, "undecided"),
    )


def on_one_clock(waits: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The rows of ``waiting_times`` by working hours where these are stated, else by the calendar's: two may disagree.

    >>> set(fs.contacts.on_one_clock(times, spec)["clock"])
    {'working'}
    """
    return waits[waits["clock"] == ("working" if "work" in funnel.model_fields_set else "calendar")]


def speed_finding(own: pd.DataFrame, others: pd.DataFrame, funnel: Funnel) -> dict[str, Any]:
    """How soon one manager's leads are contacted, beside the colleagues': on one clock, since two may disagree.

    ``own`` and ``others`` are frames of ``waiting_times`` (one row per clock; others empty where too few). Returns
    ``leads``, ``working`` (the clock of working hours, where they are stated), ``half`` and ``peer_half`` (hours,
    missing where not reached), ``answer`` ("" without colleagues): whether these differ at 99 %, as every manager's
    page asks it, "no" within half as long again either way, by the limits of their ratio; ``faster``.

    >>> speed = fs.contacts.speed_finding(times, peers, spec)
    >>> f"half within {speed['half']:.0f} hours, colleagues' {speed['peer_half']:.0f}"
    "half within 12 hours, colleagues' 11"
    """
    mine, peers = (on_one_clock(frame, funnel) for frame in (own, others))
    if mine.empty:
        return {"leads": 0}
    judged = mine.iloc[0]
    found = {"leads": judged["leads"], "working": judged["clock"] == "working", "half": judged["half"]}
    found |= {"peer_half": np.nan, "answer": ""}
    if pd.isna(judged["half"]) or peers["half"].isna().all():
        return found
    ends = [
        (row["half"], row["half_lower"], np.inf if pd.isna(row["half_upper"]) else row["half_upper"])
        for row in (judged, peers.iloc[0])
    ]
    sure = [(half, *(half * (limit / half) ** WIDER if half else limit for limit in limits)) for half, *limits in ends]
    lower, upper = mover_ratio(*sure)
    answer = str(ratio_answers((upper < 1) | (lower > 1), *mover_ratio(*ends), HALF))
    return found | {"peer_half": peers["half"].iloc[0], "answer": answer, "faster": bool(upper < 1)}


def landmark_answers(landmarks: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Whether leads contacted early reach the second stage, and the last one, more often in time.

    The earliest clear row of ``landmark_differences`` for each, or else the earliest, with ``margin`` and ``answer``
    ("no" within the margin).

    >>> answers = fs.contacts.landmark_answers(everybody.marks, spec)
    >>> answers[["to_stage", "landmark_days", "difference", "answer"]].head(2).round(3)
      to_stage  landmark_days  difference       answer
    0      met              1      -0.009           no
    3     paid              1       0.038  cannot tell
    """
    known = landmarks[
        landmarks["difference"].notna() & landmarks["to_stage"].isin((funnel.stages[1], funnel.stages[-1]))
    ]
    known = known.assign(unclear=known["verdict"] == "undecided").sort_values(["unclear", "landmark_days"])
    found = known.drop_duplicates("to_stage").sort_values("to_stage", key=lambda names: names.map(funnel.stages.index))
    margin = share_margin(found["other_rate"])
    limits = newcombe_interval(
        found["converted"], found["entered"], found["other_converted"], found["other_entered"], SIDED
    )
    return found.assign(margin=margin, answer=answers(found["verdict"] != "undecided", *limits, margin))
