"""One manager's numbers: the own rows of the team's frames, and the colleagues as a band or a sum without names."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import NOT_RANKED, is_ranked
from funnelstats.core.conversion import STEP, conversion_rates

FEWEST_PEERS = 4
"""Below this a band would show single colleagues."""


def of_manager(managers: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The rows of one manager, every step of the funnel among them; no leads is 0 entered and too few.

    >>> fs.leads.of_manager(everybody.managers, "Müller", spec)[["to_stage", "entered", "rate", "verdict"]].round(2)
         to_stage  entered  rate    verdict
    0         met      275  0.98      green
    1   presented      269  0.84      green
    2  contracted      235  0.67        red
    3        paid      161  0.97  undecided
    """
    steps = pd.DataFrame(
        [(*step[:2], step.targets.get(manager, step.target)) for step in funnel.steps], columns=[*STEP, "agreed"]
    )
    steps["agreed"] = steps["agreed"].astype(float)
    own = steps.merge(managers[managers["manager"] == manager].drop(columns="manager"), how="left", on=STEP)
    counts = ["entered", "matured", "too_recent"]
    own[counts] = own[counts].fillna(0).astype("int64")
    own = own.assign(
        target=own["target"].fillna(own["agreed"]),
        verdict=own["verdict"].fillna("too few"),
        whose=own["whose"].fillna(""),
        ci_lower=own["ci_lower"].fillna(0.0),
        ci_upper=own["ci_upper"].fillna(1.0),
    )
    return own.drop(columns="agreed")


def own_rows(frame: pd.DataFrame, manager: str) -> pd.DataFrame:
    """The manager's rows of any frame by manager, without that column.

    >>> fs.leads.own_rows(everybody.won, manager)[["lead_id", "won_on"]].head(2)
      lead_id     won_on
    0  104291 2026-06-23
    1  104357 2026-06-25
    """
    return frame[frame["manager"] == manager].drop(columns="manager").reset_index(drop=True)


def peer_rows(frame: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The colleagues' rows of any frame by manager, without their names: for sums, not for showing.

    System users and leads of nobody are no colleagues. Empty where fewer than four are left, since a sum over a
    narrower circle would show single people.

    >>> "manager" in fs.leads.peer_rows(everybody.managers, manager, spec)
    False
    """
    others = frame[is_ranked(frame, funnel) & (frame["manager"] != manager)]
    enough = others["manager"].nunique() >= FEWEST_PEERS
    return (others if enough else others.head(0)).drop(columns="manager").reset_index(drop=True)


def peer_band(managers: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The middle half of the colleagues' rates at each step: from_stage, to_stage, peers_lower, peers_upper.

    Missing where fewer than four colleagues have a rate, since a narrower circle would show single people.

    >>> fs.leads.peer_band(everybody.managers, manager, spec).round(2)
       from_stage    to_stage  peers_lower  peers_upper
    0        lead         met         0.98         0.99
    1         met   presented         0.79         0.83
    2   presented  contracted         0.67         0.68
    3  contracted        paid         0.96         0.97
    """
    others = managers[(managers["manager"] != manager) & (managers["verdict"] != NOT_RANKED)]
    rates = others.groupby(STEP)["rate"]
    band = pd.DataFrame({"peers_lower": rates.quantile(0.25), "peers_upper": rates.quantile(0.75)})
    band = band.where(rates.count() >= FEWEST_PEERS)
    steps = pd.DataFrame([step[:2] for step in funnel.steps], columns=STEP)
    return steps.merge(band.reset_index(), how="left", on=STEP)


def own_steps(
    own: pd.DataFrame, managers: pd.DataFrame, weeks: pd.DataFrame, manager: str, funnel: Funnel
) -> pd.DataFrame:
    """The rows of ``of_manager`` with the colleagues' band and ``course``: the own rate week by week, a list.

    ``weeks`` are everybody's ``step_counts`` by week, whose days are over.

    >>> steps = fs.leads.own_steps(own, everybody.managers, everybody.weeks, manager, spec)
    >>> steps[["to_stage", "rate", "peers_lower", "peers_upper"]].round(2)
         to_stage  rate  peers_lower  peers_upper
    0         met  0.84         0.98         0.99
    1   presented  0.68         0.79         0.83
    2  contracted  0.74         0.67         0.68
    3        paid  0.94         0.96         0.97
    """
    rates = conversion_rates(own_rows(weeks, manager))
    every = rates.pivot_table(index="from_stage", columns="week", values="rate", dropna=False)
    course = [every.loc[stage].tolist() if stage in every.index else [] for stage in own["from_stage"]]
    return own.merge(peer_band(managers, manager, funnel), on=STEP).assign(course=course)


def axis_low(steps: pd.DataFrame) -> float:
    """Where the axis of rates begins: at the tenth below all that is shown, whatever the range of too few leads.

    >>> fs.leads.axis_low(steps)
    0.6
    """
    shown = steps.loc[steps["verdict"] != "too few", ["rate", "ci_lower", "target"]]
    lowest = np.nanmin([1.0, *shown.to_numpy(dtype=float).ravel(), *steps["peers_lower"]])
    return float(np.clip(np.floor(10 * lowest - 1e-9) / 10, 0, 0.9))


def habit(own: pd.DataFrame, lessons: pd.DataFrame, manager: str) -> dict[str, Any]:
    """The step to work on, whose the miss is, and what the team's plan of coaching says of this manager.

    ``own`` is a frame of ``of_manager``, ``lessons`` one of ``coaching_pairs``, of which those count that surely bring
    something. Returns ``case``, ``row`` (the step furthest below its target, or {}), ``others`` below theirs, ``coach``
    (who teaches that step, or ""), ``taught`` (further lessons to get), ``teaches`` (steps to teach). Cases:

    - "missed": the row's step is red or amber
    - "met": every step with a target is green; "untold": none is below, for some it cannot be told, or has no leads
    - "no leads": there is no rate; "no targets": none is agreed; "not compared": this is nobody's name, or no person's

    >>> habit = fs.leads.habit(own, leak.lessons, manager)
    >>> habit["case"], habit["row"]["to_stage"], habit["coach"]
    ('missed', 'met', 'Anna Berg')
    """
    judged = own[own["rate"].notna()]
    missed = judged[judged["verdict"].isin(["red", "amber"])]
    missed = missed.loc[(missed["rate"] - missed["target"]).sort_values(kind="stable").index]
    verdicts = set(judged["verdict"]) - {"no target"}
    without_leads = bool((own["rate"].isna() & own["target"].notna()).any())
    case = (
        "no leads"
        if judged.empty
        else "missed"
        if len(missed)
        else "met"
        if verdicts == {"green"} and not without_leads
        else "untold"
        if verdicts & {"undecided", "too few", "green"} or (without_leads and not verdicts)
        else "not compared"
        if verdicts
        else "no targets"
    )
    row = missed.iloc[0].to_dict() if len(missed) else {}
    sure = lessons[lessons["deals_lower"] > 0]
    mine = sure[sure["learner"] == manager]
    taught = mine["from_stage"] == row.get("from_stage")
    return {
        **{"case": case, "row": row, "others": missed.iloc[1:]},
        **{"coach": "".join(mine.loc[taught, "teacher"]), "taught": mine[~taught]},
        "teaches": sure.loc[sure["teacher"] == manager, STEP].drop_duplicates(),
    }


def own_reasons(reasons: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The manager's rows of ``reason_patterns``, most frequent first, beside the colleagues' where four have some.

    Empty where no refusal has a reason.

    >>> reasons = fs.leads.own_reasons(everybody.reasons, manager, spec)
    >>> reasons[["refusal", "lost", "share", "other_share"]].head(2).round(2)
           refusal  lost  share  other_share
    0        price    25   0.22         0.32
    1  not planned    23   0.20         0.12
    """
    own = reasons[reasons["value"] == manager].sort_values("lost", ascending=False, kind="stable")
    enough = reasons.loc[~reasons["value"].isin([manager, *funnel.system_users]), "value"].nunique() >= FEWEST_PEERS
    if not enough:
        own = own.assign(other_share=np.nan, verdict="undecided")
    own = own[own["lost"] > 0].drop(columns="value").reset_index(drop=True)
    return own if (own["refusal"] != MISSING).any() else own.head(0)


def concerned(finding: Mapping[str, Any], own: pd.DataFrame) -> dict[str, Any]:
    """The row of the team's leak (``team_finding``) where this manager misses that step too, {} elsewhere.

    >>> fs.leads.concerned(finding, own)["to_stage"]
    'contracted'
    """
    row = finding.get("row", {}) if finding["case"] in ("leak", "slow") else {}
    missed = own.loc[own["verdict"].isin(["red", "amber"]), "from_stage"]
    return dict(row) if row and row["from_stage"] in set(missed) else {}
