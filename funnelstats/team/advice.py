"""What a sales head should act on: which case of the team's page holds, who needs help, what has changed since."""

from collections.abc import Hashable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import NOT_RANKED, effective_counts
from funnelstats.core.conversion import STEP, later_rates, rate_difference
from funnelstats.core.intervals import answers, mover_difference, share, share_margin
from funnelstats.team.leaks import LEAST, expected_shortfall, worst_leak

CELL = ["manager", *STEP]


def team_finding(team: pd.DataFrame, leaks: pd.DataFrame, since: pd.DataFrame) -> dict[str, Any]:
    """Which case of the team's page holds, the ``row`` of the step it is about, and how its leak began and costs.

    ``team`` is a frame of ``versus_targets``, ``leaks`` one of ``leak_sizes``, ``since`` one of ``since_when``. Cases:

    - "leak", "slow": the red step that costs most, lost or, where less than half a deal is lost, late; with an
      ``alarm`` it ``began`` between two days
    - "perhaps": none is red, the row's step may be low
    - "met": every step with a target meets it; "none": no step is ``margin`` or more below what was agreed
    - "unknown": no lead can be judged yet at ``steps``; "untold": the row's step may be far below
    - "no targets": the row's step is passed by fewest, ``clearly`` so or not, None where no other is known; "no
      leads": there is no rate

    >>> finding = fs.team.team_finding(team, leak.leaks, leak.since)
    >>> finding["case"], finding["row"]["to_stage"]
    ('leak', 'contracted')
    """
    known, judged = team[team["rate"].notna()], team[team["target"].notna()]
    if known.empty:
        return {"case": "no leads"}
    if judged.empty:
        lowest = known.sort_values("rate", kind="stable").head(2)
        clearly = None
        if len(lowest) > 1:
            _lower, upper = mover_difference(*lowest[["rate", "ci_lower", "ci_upper"]].to_numpy())
            clearly = bool(upper < 0)
        return {"case": "no targets", "row": lowest.iloc[0].to_dict(), "clearly": clearly}
    worst = worst_leak(team, leaks)
    if not worst.empty:
        leak = with_beginning(worst, since)
        return {"case": "slow" if leak["lost_deals"] < LEAST <= leak["late_deals"] else "leak", "row": leak}
    amber = judged[judged["verdict"] == "amber"]
    if not amber.empty:
        return {"case": "perhaps", "row": amber.sort_values("below_at_most", ascending=False).iloc[0].to_dict()}
    if (judged["verdict"] == "green").all():
        return {"case": "met"}
    margin = float(share_margin(judged["floor"].min()))
    unknown, far = (judged[judged["below_at_most"].isna()], judged[judged["below_at_most"] >= 100 * margin])
    if far.empty:
        return {"case": "none", "margin": margin} if unknown.empty else {"case": "unknown", "steps": unknown[STEP]}
    # of a step that is green a reader knows that it is on target, most probably
    unsure = far[far["verdict"] != "green"]
    row = (far if unsure.empty else unsure).sort_values("below_at_most", kind="stable").iloc[-1]
    return {"case": "untold", "row": row.to_dict() | {"below": np.ceil(row["below_at_most"]) / 100}}


def with_beginning(step: pd.DataFrame, since: pd.DataFrame) -> dict[Hashable, Any]:
    """The step's one row beside that of ``since_when``, and the days between which its fall ``began``.

    Nothing fell where no lead could be judged in any week.

    >>> step = fs.team.with_beginning(fs.at_step(team, spec, "contracted"), leak.since)
    >>> [str(day.date()) for day in step["began"]]
    ['2026-04-13', '2026-04-19']
    """
    rows = step.merge(since[[*STEP, *(name for name in since if name not in step)]], how="left", on=STEP)
    row = rows.assign(alarm=rows["alarm"].eq(True), at_start=rows["at_start"].eq(True)).iloc[0].to_dict()
    return row | {"began": (row["since_lower"], row["since_upper"] + timedelta(days=6))}


def clearest_leads(drivers: pd.DataFrame) -> dict[Hashable, Any] | None:
    """The kind of lead that the leak is clearest with, of ``leak_drivers``: most leads missing to the others' rate.

    Empty where the drivers' verdict names none, None where no two kinds were compared.

    >>> fs.team.clearest_leads(leak.drivers)["value"]
    'Compressors'
    """
    if drivers["difference"].isna().all():
        return None
    lower = drivers[(drivers["verdict"] == "lower") & (drivers["difference"] < 0) & (drivers["value"] != MISSING)]
    ordered = lower.assign(missing=lower["difference"] * lower["entered"]).sort_values("missing", kind="stable")
    return next(iter(ordered.to_dict("records")), {})


def risen_reason(reasons: pd.DataFrame) -> dict[Hashable, Any]:
    """The reason of refusal that takes more of the step's leads than before, of ``reason_changes``; empty without.

    The one that grew most, and ``others`` that grew as well: where all grew, none of them explains the leak.

    >>> fs.team.risen_reason(leak.reasons)["refusal"]
    'price'
    """
    higher = reasons[(reasons["verdict"] == "higher") & (reasons["refusal"] != MISSING)]
    higher = higher.sort_values("difference", ascending=False, kind="stable")
    return next(({**row, "others": higher["refusal"].tolist()[1:]} for row in higher.to_dict("records")), {})


def people(managers: pd.DataFrame, team: pd.DataFrame, lessons: pd.DataFrame, funnel: Funnel) -> dict[str, Any]:
    """Who is named and for which steps, who could show how, who has harder leads, and how much cannot be told.

    ``managers`` is a frame of ``page_verdicts``, ``lessons`` one of ``coaching_pairs``. Returns ``compared``: anybody
    can be; ``alone``: one is there, who stands out from nobody; ``targets``: some are agreed; ``fine``: everybody's
    results are green; ``untold``: who has a result that cannot be judged; ``named``: a list of ``manager, lost_deals,
    steps``, most lost deals first, each step a row with its lesson, ``{}`` without, and what is ``back`` in a swap;
    ``low``: steps where somebody is low and not named; ``harder``: rows of those whose leads are; ``unsure`` of
    ``results``.

    >>> [row["manager"] for row in fs.team.people(managers, team, leak.lessons, spec)["named"]]
    ['Сидоров', 'Иванов']
    """
    ranked = with_losses(managers, team, funnel)
    ranked = ranked[ranked["verdict"] != NOT_RANKED]
    known = ranked.loc[ranked["rate"].notna(), "manager"].nunique()
    compared, alone = known > 0, known == 1
    low = ranked[ranked["named"]]
    lost = low.groupby("manager")["lost_deals"].sum().sort_values(ascending=False, kind="stable")
    early = ranked[ranked["whose"].isin(["own", "unclear"]) & ~ranked["named"]]
    judged = (ranked if compared else team).query("target.notna() and rate.notna()")
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    untold = ranked.query("target.notna() and rate.isna() and entered > 0")["manager"]
    return {
        "compared": compared,
        "alone": alone,
        "targets": bool(ranked["target"].notna().any()),
        "fine": bool(compared and len(judged) and (judged["verdict"] == "green").all()),
        "untold": untold.drop_duplicates().tolist(),
        "named": [
            {
                "manager": manager,
                "lost_deals": deals,
                "steps": [
                    {**row, "lesson": _lesson(row, lessons)}
                    for row in low[low["manager"] == manager].to_dict("records")
                ],
            }
            for manager, deals in lost.items()
        ],
        "low": early[STEP].drop_duplicates().head(0 if alone else len(early)),
        "harder": ranked[ranked["whose"] == "base"],
        "unsure": len(unsure),
        "results": len(judged),
    }


def _lesson(row: dict, lessons: pd.DataFrame) -> dict[str, Any]:
    taught = lessons[lessons["learner"].eq(row["manager"]) & lessons["from_stage"].eq(row["from_stage"])]
    if taught.empty:
        return {}
    lesson = taught.iloc[0]
    back = lessons[lessons["swap"] & (lessons["learner"] == lesson["teacher"]) & (lessons["teacher"] == row["manager"])]
    return {**lesson, "back": back.iloc[0].to_dict() if lesson["swap"] and len(back) else {}}


def with_losses(managers: pd.DataFrame, team: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The managers' frame with ``lost_deals``: leads missing to the floor, which pass later steps as the team's do.

    >>> fs.team.with_losses(managers, team, spec)[["manager", "to_stage", "rate", "lost_deals"]].head(2).round(2)
         manager   to_stage  rate  lost_deals
    0  Anna Berg        met  1.00        0.00
    1  Anna Berg  presented  0.81        0.82
    """
    rate = team.set_index("from_stage")["rate"].reindex([step.from_stage for step in funnel.steps]).to_numpy()
    later = managers["from_stage"].map(dict(zip(funnel.stages, later_rates(rate), strict=False))).astype(float)
    k, n = effective_counts(managers)
    short = np.where(n > 0, expected_shortfall(k, n, managers["floor"]), np.nan)
    return managers.assign(lost_deals=managers["entered"] * short * later)


def turned(now: pd.DataFrame, before: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The cells that are red now and were not a week before, ``new``, and those that no longer are, ``gone``.

    Frames of verdicts of the same kind, of the team or of managers.

    >>> fs.team.turned(team, team.assign(verdict="green"))["new"]
      from_stage    to_stage
    0  presented  contracted
    """
    keys = [column for column in CELL if column in now]
    red = [frame.loc[frame["verdict"] == "red", keys] for frame in (now, before)]
    both = red[0].merge(red[1], on=keys, how="outer", indicator=True)
    return {
        name: both.loc[both["_merge"] == side, keys] for name, side in (("new", "left_only"), ("gone", "right_only"))
    }


def after_advice(then: pd.DataFrame, since: pd.DataFrame) -> pd.DataFrame:
    """Whether the rates that a page asked to raise have risen with the leads that entered the step since.

    ``then`` are rows of that page's verdicts, ``since`` ``rates_over_weeks`` of the entries after its last day. Adds to
    ``rate_difference`` the column ``risen``: "yes" beyond chance at 95 %, "no" where it rose by less than a margin of
    5 points (a third of a rare rate), "cannot tell".

    >>> fs.team.after_advice(team, rates)[["to_stage", "rate", "other_rate", "risen"]].head(2).round(3)
        to_stage   rate  other_rate risen
    0        met  0.963       0.963    no
    1  presented  0.804       0.804    no
    """
    need(then, "then", *STEP)
    need(since, "since", *STEP)
    found = rate_difference(since.merge(then[[column for column in CELL if column in then]]), then)
    margin = share_margin(found["other_rate"].fillna(1.0))
    return found.assign(risen=answers(found["ci_lower"] > 0, 0.0, found["ci_upper"], margin))


def manager_grid(managers: pd.DataFrame, funnel: Funnel) -> dict[str, Any]:
    """The managers' results as a table of managers by steps, those who lose most first, the not ranked last.

    Takes a frame of ``with_losses``, of which the deals at steps that are red or amber count. Returns ``steps``,
    ``rows`` of ``manager, ranked, lost_deals, cells`` (a row of the frame for each step; none where no rate is known),
    and ``low`` and ``high``, tenths between which the rates of these managers lie.

    >>> fs.team.manager_grid(losses, spec)["rows"][0]["manager"]
    'Сидоров'
    """
    steps = [step.agreed() for step in funnel.steps if (managers["from_stage"] == step.from_stage).any()]
    # What chance alone takes from somebody on target is no loss of theirs.
    missed = managers["verdict"].isin(["red", "amber"])
    lost = managers["lost_deals"].where(missed, 0.0).groupby(managers["manager"]).sum()
    ranked = managers["verdict"].ne(NOT_RANKED).groupby(managers["manager"]).any()
    order = pd.DataFrame({"lost": lost, "ranked": ranked}).sort_values(
        ["ranked", "lost"], ascending=False, kind="stable"
    )
    order = order if managers["rate"].notna().any() else order.head(0)
    cells = {(row["manager"], row["from_stage"]): row for row in managers.to_dict("records")}
    seen = managers[~managers["verdict"].isin(["too few", NOT_RANKED])]
    return {
        "steps": steps,
        "rows": [
            {"manager": name, "ranked": row["ranked"], "lost_deals": row["lost"],
             "cells": [cells.get((name, step["from_stage"]), {}) for step in steps]}
            for name, row in order.iterrows()
        ],
        "low": np.floor(10 * np.nanmin([*seen["ci_lower"], *seen["target"], 1.0])) / 10 if len(seen) else 0.0,
        "high": np.ceil(10 * np.nanmax([*seen["ci_upper"], *seen["target"], 0.1])) / 10 if len(seen) else 1.0,
    }  # fmt: skip


def undated_rates(counts: pd.DataFrame) -> pd.DataFrame:
    """The steps where wins without a date could move the rate, of ``undated_counts``: ``more, without, rate``.

    >>> fs.team.undated_rates(found.undated).empty
    True
    """
    more = counts["won"] + counts["unseen"]
    found = counts.assign(
        more=more,
        without=share(counts["converted"], counts["entered"]),
        rate=share(counts["converted"] + more, counts["entered"] + counts["unseen"]),
    )
    return found[more > 0]
