"""Frames become sentences that a manager can act on: what leaks, who needs help, what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnelstats.funnel import MISSING, Funnel
from funnelstats.quality import FACTS

if TYPE_CHECKING:
    from funnelstats.opening import Tables

STEP = ["from_stage", "to_stage"]
NOT_RANKED = "not ranked"
FEWEST_LEADS = 5
"""Where no target is agreed, a lost lead or two are nobody's weakness, however rare they are elsewhere."""


def page_verdicts(verdicts: pd.DataFrame, against_rest: pd.DataFrame, mix: pd.DataFrame) -> pd.DataFrame:
    """Each cell's verdict, how it stands to the rest of the team, and whose a miss is.

    ``mix`` is a frame of ``case_mix``: where colleagues would not surely have done better with a manager's
    leads, and would have lost half or more of what is missing, the leads explain the miss, and red becomes
    amber. Adds ``rest`` (higher, lower, undecided: against everybody else) and ``whose``:
    "base" there, else "own" where the manager is also below the rest of the team, "team" where not; blank
    where nothing is missed.
    """
    keys = ["manager", *STEP]
    everybody = mix.groupby(STEP)[["entered", "converted"]].transform("sum")
    rest = (everybody["converted"] - mix["converted"]) / (everybody["entered"] - mix["entered"])
    costs = mix[[*keys, "ratio_upper"]].assign(harder_by=rest - mix["expected"] / mix["entered"])
    found = verdicts.merge(costs, how="left", on=keys)
    found = found.merge(against_rest[[*keys, "verdict"]].rename(columns={"verdict": "rest"}), how="left", on=keys)
    missed = found["verdict"].isin(["red", "amber"])
    harder = (found["ratio_upper"] >= 1) & (found["harder_by"] >= (found["floor"] - found["rate"]) / 2)
    whose = np.select(
        [missed & harder, missed & (found["rest"] == "lower"), missed], ["base", "own", "team"], default=""
    )
    verdict = found["verdict"].mask((whose == "base") & (found["verdict"] == "red"), "amber")
    return found.drop(columns=["ratio_upper", "harder_by"]).assign(verdict=verdict, whose=whose)


def three_sentences(
    team: pd.DataFrame, managers: pd.DataFrame, since: pd.DataFrame, leaks: pd.DataFrame, funnel: Funnel
) -> list[str]:
    """What to do this week: the team's biggest leak, who needs whose help, what cannot be told yet.

    ``team`` is a frame of ``versus_target``, ``managers`` one of ``page_verdicts``, ``since`` one of
    ``since_when`` and ``leaks`` one of ``leak_sizes``, both of the team.
    """
    ranked = managers[managers["verdict"] != NOT_RANKED]
    return [
        _leak_sentence(team, since, leaks, funnel),
        _help_sentence(ranked),
        _doubt_sentence(team, ranked),
    ]


def _leak_sentence(team: pd.DataFrame, since: pd.DataFrame, leaks: pd.DataFrame, funnel: Funnel) -> str:
    known = team[team["rate"].notna()]
    if known.empty:
        return "No lead entered a step in the weeks judged, or none can be judged yet: there is no rate to act on."
    missed = known[known["verdict"].isin(["red", "amber"])].merge(leaks[[*STEP, "lost_deals", "lost_money"]], on=STEP)
    if not known["target"].notna().any():
        low = known.sort_values("rate").iloc[0]
        return (
            f"Fewest leads pass at {_step(low)}: {_percent(low['rate'])} (very likely {_interval(low)}). No target is "
            "agreed, so nothing is judged: agree on one and state it in funnel.toml."
        )
    if missed.empty:
        return "No step of the team is below its target beyond chance: there is no leak to work on this week."
    worst = missed.sort_values("lost_deals", ascending=False).iloc[0]
    run = since[(since["from_stage"] == worst["from_stage"]) & since["alarm"]]
    began = "" if run.empty else f"began in {pd.Timestamp(run['since'].iloc[0]).strftime('%G-W%V')} and "
    cost = f"about {_rough(worst['lost_deals'])} deals"
    if pd.notna(worst["lost_money"]):
        cost += f" or {_rough(worst['lost_money'])}\u00a0{funnel.currency}"
    return (
        f"The team leaks most at {_step(worst)}: {_percent(worst['rate'])} pass (very likely {_interval(worst)}) where "
        f"{_percent(worst['target'])} are agreed. That {began}costs {cost} in {funnel.window_weeks} weeks: look at "
        "this step first, with everybody."
    )


def _rough(amount: float) -> str:
    """Two digits that mean something, thousands set apart: 35 324 006 is about 35 000 000."""
    return f"{float(f'{amount:.2g}'):,.0f}".replace(",", "\u202f")


def _help_sentence(ranked: pd.DataFrame) -> str:
    if ranked["rate"].isna().all():
        return "No manager can be compared: no lead with a manager can be judged at a step in these weeks."
    judged = ranked["target"].notna().any()
    low = (
        ranked[(ranked["verdict"] == "red") & (ranked["whose"] == "own")]
        if judged
        else ranked[(ranked["rest"] == "lower") & (ranked["entered"] >= FEWEST_LEADS)]
    )
    if low.empty:
        why = "through anything but chance, the team's own leak, or harder leads" if judged else "beyond chance"
        return f"No manager is below {'target' if judged else 'the rest of the team'} {why}."
    parts = []
    for manager, rows in low.groupby("manager", sort=True):
        steps = " and ".join(
            f"{_step(row)} ({_percent(row['rate'])}{_aim(row)}{_teacher(ranked, row)})" for _, row in rows.iterrows()
        )
        parts.append(f"{manager} at {steps}")
    return f"{'Needs help' if judged else 'Below the rest of the team'}: {'; '.join(parts)}."


def _aim(row: pd.Series) -> str:
    return f" of {_percent(row['target'])}" if pd.notna(row["target"]) else ""


def _teacher(ranked: pd.DataFrame, row: pd.Series) -> str:
    """Who is surely better at the step: the one with the highest lower limit, if it is above the other's upper."""
    others = ranked[ranked["from_stage"] == row["from_stage"]]
    best = others.sort_values("ci_lower", ascending=False).head(1)
    if best["ci_lower"].iloc[0] <= row["ci_upper"]:
        return ""
    return f"; {best['manager'].iloc[0]} has {_percent(best['rate'].iloc[0])} and can show how"


def _doubt_sentence(team: pd.DataFrame, ranked: pd.DataFrame) -> str:
    cells = ranked if ranked["rate"].notna().any() else team
    judged = cells[cells["target"].notna()]
    if judged.empty:
        return "Without targets no result is painted red or green: read the table as what is, not as good or bad."
    harder = "".join(
        f" {row['manager']} is low at {_step(row)}, but the leads are harder too: that is no weakness."
        for _, row in ranked[ranked["whose"] == "base"].iterrows()
    )
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    if unsure.empty:
        return f"Every result is decided.{harder}"
    drop = unsure["drop_visible"].median()
    see = f": such a cell shows a drop only from {drop:.0f} points on" if pd.notna(drop) else ""
    return f"Leave the rest alone: {len(unsure)} of {len(judged)} results cannot be told from chance yet{see}.{harder}"


def fact_sentences(facts: Sequence[dict]) -> list[str]:
    """What is odd about the data, each fact a sentence that begins with its count."""
    return _facts(facts) or ["Nothing odd was found."]


def _facts(facts: Sequence[dict]) -> list[str]:
    counts = [f"{fact['count']:,}".replace(",", "\u202f") for fact in facts]
    return [
        f"{count} {FACTS[fact['fact']].format(detail=fact['detail'])}."
        for count, fact in zip(counts, facts, strict=True)
    ]


def missing_parts(funnel: Funnel, tables: Tables) -> list[str]:
    """What the export lacks, and with it which questions have no answer, each in a sentence."""
    answers = {
        "contacts": "which contacts moved leads on, and how soon leads were first contacted",
        "payments": "revenue, the size of a deal and what a leak costs",
        "costs": "what a lead or a sale costs, and what a channel returns",
    }
    said = [
        f"No {table}: {answer} cannot be told." for table, answer in answers.items() if getattr(tables, table) is None
    ]
    ends = {stage for source in funnel.entries for stage in source.values.get("stage", {}).values()}
    ends |= {source.stage for source in funnel.entries if source.stage}
    if "lost" not in ends:
        said.append("No refusals: a lead that did not buy stays open for ever, so reasons cannot be told.")
    elif not any("reason" in source.columns for source in funnel.entries):
        said.append("No reasons of refusal: why leads say no cannot be told.")
    return [*said, *funnel.notes] or ["Nothing is missing."]


def own_sentences(own: pd.DataFrame) -> list[str]:
    """What one manager should do this week: the weakest step, the strongest, and what cannot be told."""
    judged = own[own["rate"].notna()]
    if judged.empty:
        return ["No lead entered a step with this manager in the weeks judged, or none can be judged yet."]
    said = []
    for _, row in judged[judged["verdict"].isin(["red", "amber"])].iterrows():
        because = {
            "own": "work on this step first",
            "team": "colleagues are not clearly better here, so look at it together",
            "base": "but your leads are harder here: colleagues would not have done clearly better with them",
        }[row["whose"]]
        said.append(
            f"{_step(row)}: {_percent(row['rate'])} of your leads pass, "
            f"{_percent(row['target'])} are agreed (very likely {_interval(row)}); {because}."
        )
    good = judged[judged["verdict"] == "green"]
    if not good.empty:
        said.append(f"On target, keep it up: {', '.join(_step(row) for _, row in good.iterrows())}.")
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    if not unsure.empty:
        steps = ", ".join(f"{_step(row)} ({row['entered']:.0f} leads)" for _, row in unsure.iterrows())
        said.append(f"Cannot be told from the target yet: {steps}.")
    return said or ["No step of yours has an agreed target: nothing is judged."]


def not_computable(funnel: Funnel, facts: Sequence[dict], managers: pd.DataFrame) -> list[str]:
    """What this export cannot tell, each in a sentence; empty if it can tell everything asked here."""
    limiting = ("undated", "no_manager_at_stage", "history_starts_late")
    said = _facts([fact for fact in facts if fact["fact"] in limiting])
    named = set(managers["manager"]) - {MISSING, *funnel.system_users} if "manager" in managers else set()
    if not named:
        said.append("Conversion by manager cannot be computed: no lead has a manager when it enters a step.")
    if any(step.target is None for step in funnel.steps):
        said.append("Steps without an agreed target are shown, never judged: state targets in funnel.toml.")
    return [*said, *funnel.notes] or ["Nothing that this page asks for is missing."]


def _step(row: pd.Series) -> str:
    return f"{row['from_stage']} → {row['to_stage']}"


def _interval(row: pd.Series) -> str:
    return f"{100 * row['ci_lower']:.0f} to {_percent(row['ci_upper'])}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u202f%"
