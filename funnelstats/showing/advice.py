"""Frames become sentences that a manager can act on: what leaks, who needs help, what cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelstats.showing.remarks import NOT_RANKED as NOT_RANKED
from funnelstats.showing.remarks import STEP as STEP
from funnelstats.showing.remarks import change_sentence, clear_changes, interval_words, step_words
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.words import _, counted, number, percent, rough
from funnelstats.statistics.managers import ALPHA

FEWEST_LEADS = 5
"""Where no target is agreed, a lost lead or two are nobody's weakness, however rare they are elsewhere."""


def page_verdicts(
    verdicts: pd.DataFrame, against_rest: pd.DataFrame, mix: pd.DataFrame, alarms: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Each cell's verdict, how it stands to the rest of the team, whose a miss is, and whether to name anybody.

    ``mix`` is a frame of ``case_mix``: where colleagues would not surely have done better with a manager's
    leads, and would have lost half or more of what is missing, the leads explain the miss, and red becomes
    amber. Adds ``rest`` (higher, lower, undecided: against everybody else), ``whose``: "base" there, else "own"
    where the manager is also below the rest of the team, "team" where not, blank where nothing is missed; and
    ``named``: red, own, and so by Holm's rule for the whole page; where no target is agreed, below the rest by that
    rule. With ``alarms``, a frame of ``e_alarms``, a name also needs an e-value of 20: twenty-six pages in a row
    then name somebody by chance in 3 half-years of 100, without in a third. Adds its ``e_value`` and ``since``.
    """
    keys = ["manager", *STEP]
    everybody = mix.groupby(STEP)[["entered", "converted"]].transform("sum")
    rest = (everybody["converted"] - mix["converted"]) / (everybody["entered"] - mix["entered"])
    costs = mix[[*keys, "ratio_upper"]].assign(harder_by=rest - mix["expected"] / mix["entered"])
    found = verdicts.merge(costs, how="left", on=keys)
    others = against_rest[[*keys, "verdict", "p_holm"]].rename(columns={"verdict": "rest", "p_holm": "rest_holm"})
    found = found.merge(others, how="left", on=keys)
    missed = found["verdict"].isin(["red", "amber"])
    harder = (found["ratio_upper"] >= 1) & (found["harder_by"] >= (found["floor"] - found["rate"]) / 2)
    whose = np.select(
        [missed & harder, missed & (found["rest"] == "lower"), missed], ["base", "own", "team"], default=""
    )
    verdict = found["verdict"].mask((whose == "base") & (found["verdict"] == "red"), "amber")
    named = (verdict == "red") & (whose == "own") & (found["p_holm"] <= ALPHA)
    if alarms is not None:
        found = found.merge(alarms[[*keys, "e_value", "since"]], how="left", on=keys)
        named &= found["e_value"] >= 1 / ALPHA
    lower = (found["rest"] == "lower") & (found["rest_holm"] <= ALPHA) & (found["entered"] >= FEWEST_LEADS)
    named |= (verdict == "no target") & lower
    return found.drop(columns=["ratio_upper", "harder_by", "rest_holm"]).assign(
        verdict=verdict, whose=whose, named=named
    )


def what_to_do(
    team: pd.DataFrame,
    managers: pd.DataFrame,
    since: pd.DataFrame,
    leaks: pd.DataFrame,
    funnel: Funnel,
    *,
    change: pd.DataFrame | None = None,
    lessons: pd.DataFrame | None = None,
) -> list[str]:
    """What to do this week: the team's biggest leak, who needs whose help, what cannot be told yet.

    ``team`` is a frame of ``versus_target``, ``managers`` one of ``page_verdicts``, ``since`` one of
    ``since_when`` and ``leaks`` one of ``leak_sizes``, both of the team; ``change`` one of ``explain_change``,
    said only where a step surely moved the whole way; ``lessons`` one of ``coaching_pairs``.
    """
    ranked = managers[managers["verdict"] != NOT_RANKED]
    moved = change is not None and change["overall_before"].notna().all() and not clear_changes(change).empty
    return [
        _leak_sentence(team, since, leaks, funnel),
        *([change_sentence(change, funnel)] if change is not None and moved else []),
        *_help_sentences(ranked, lessons),
        _doubt_sentence(team, ranked),
    ]


def _leak_sentence(team: pd.DataFrame, since: pd.DataFrame, leaks: pd.DataFrame, funnel: Funnel) -> str:
    known = team[team["rate"].notna()]
    if known.empty:
        return _("No lead entered a step in the weeks judged, or none can be judged yet: there is no rate to act on.")
    missed = known[known["verdict"].isin(["red", "amber"])].merge(leaks[[*STEP, "lost_deals", "lost_money"]], on=STEP)
    if not known["target"].notna().any():
        low = known.sort_values("rate").iloc[0]
        return _(
            "Fewest leads pass at {step}: {rate} (very likely {interval}). No target is agreed, so nothing is judged: "
            "agree on one and state it in funnel.toml."
        ).format(step=step_words(low), rate=percent(low["rate"]), interval=interval_words(low))
    if missed.empty:
        return _("No step of the team is below its target beyond chance: there is no leak to work on this week.")
    worst = missed.sort_values("lost_deals", ascending=False).iloc[0]
    cost = _("about {deals} deals").format(deals=rough(worst["lost_deals"]))
    if pd.notna(worst["lost_money"]):
        cost = _("about {deals} deals or {money}").format(
            deals=rough(worst["lost_deals"]), money=f"{rough(worst['lost_money'])}\u00a0{funnel.currency}"
        )
    run = since[(since["from_stage"] == worst["from_stage"]) & since["alarm"]]
    what = _("The team leaks most at {step}: {rate} pass (very likely {interval}) where {target} are agreed.").format(
        step=step_words(worst),
        rate=percent(worst["rate"]),
        interval=interval_words(worst),
        target=percent(worst["target"]),
    )
    price = (
        _("That costs {cost} in {weeks} weeks: look at this step first, with everybody.")
        if run.empty
        else _("That began in {week} and costs {cost} in {weeks} weeks: look at this step first, with everybody.")
    )
    week = "" if run.empty else pd.Timestamp(run["since"].iloc[0]).strftime("%G-W%V")
    return f"{what} {price.format(week=week, cost=cost, weeks=funnel.window_weeks)}"


def _help_sentences(ranked: pd.DataFrame, lessons: pd.DataFrame | None) -> list[str]:
    """One sentence for each manager who is named, or one that says nobody is."""
    if ranked["rate"].isna().all():
        return [_("No manager can be compared: no lead with a manager can be judged at a step in these weeks.")]
    judged = ranked["target"].notna().any()
    low = ranked[ranked["named"]]
    if low.empty:
        return [
            _(
                "No manager is below target through anything but chance, the team's own leak, or harder leads, as far "
                "as can be told yet."
            )
            if judged
            else _("No manager is below the rest of the team beyond chance.")
        ]
    said = []
    for manager, rows in low.groupby("manager", sort=True):
        steps = "; ".join(_low_step(row, lessons) for _row, row in rows.iterrows())
        needs = (
            _("{manager} needs help: {steps}.") if judged else _("{manager} is below the rest of the team: {steps}.")
        )
        said.append(needs.format(manager=manager, steps=steps))
    return said


def _low_step(row: pd.Series, lessons: pd.DataFrame | None) -> str:
    """A manager's step, its rate, and who can show how."""
    names = {"step": step_words(row), "rate": percent(row["rate"]), "target": percent(row["target"])}
    said = (
        _("{rate} pass at {step} where {target} are agreed") if pd.notna(row["target"]) else _("{rate} pass at {step}")
    ).format(**names)
    if lessons is None:
        return said
    own = lessons[(lessons["learner"] == row["manager"]) & (lessons["from_stage"] == row["from_stage"])]
    if own.empty:
        return said
    return said + _(", {teacher} can show how (about {deals} more deals)").format(
        teacher=own["teacher"].iloc[0], deals=number(own["deals"].iloc[0].clip(1))
    )


def _doubt_sentence(team: pd.DataFrame, ranked: pd.DataFrame) -> str:
    cells = ranked if ranked["rate"].notna().any() else team
    judged = cells[cells["target"].notna()]
    if judged.empty:
        return _("Without targets no result is painted red or green: read the table as what is, not as good or bad.")
    said = []
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    if unsure.empty:
        said.append(_("Every result is decided."))
    else:
        counts = {"unsure": number(len(unsure)), "all": number(len(judged))}
        drop = unsure["drop_visible"].median()
        said.append(
            _("Leave the rest alone: {unsure} of {all} results cannot be told from chance yet.").format(**counts)
            if pd.isna(drop)
            else _(
                "Leave the rest alone: {unsure} of {all} results cannot be told from chance yet; such a result shows a "
                "drop only from {drop} points on."
            ).format(**counts, drop=number(drop))
        )
    early = ranked[(ranked["whose"] == "own") & ~ranked["named"]]
    if not early.empty:
        said.append(
            _("Low, but not yet surely enough to name anybody: {steps}.").format(
                steps=", ".join(dict.fromkeys(step_words(row) for _row, row in early.iterrows()))
            )
        )
    said += [
        _("{manager} is low at {step}, but the leads are harder too: that is no weakness.").format(
            manager=row["manager"], step=step_words(row)
        )
        for _row, row in ranked[ranked["whose"] == "base"].iterrows()
    ]
    return " ".join(said)


def own_sentences(own: pd.DataFrame) -> list[str]:
    """What one manager should do this week: the weakest step, the strongest, and what cannot be told."""
    judged = own[own["rate"].notna()]
    if judged.empty:
        return [_("No lead entered a step with this manager in the weeks judged, or none can be judged yet.")]
    said: list[str] = []
    missed = judged[judged["verdict"].isin(["red", "amber"])]
    for place in (missed["rate"] - missed["target"]).sort_values(kind="stable").index:
        row = missed.loc[place]
        because = {
            "own": _("then work on this step") if said else _("work on this step first"),
            "team": _("colleagues are not clearly better here, so look at it together"),
            "base": _("but your leads are harder here: colleagues would not have done clearly better with them"),
        }[row["whose"]]
        said.append(
            _("{step}: {rate} of your leads pass, {target} are agreed (very likely {interval}); {because}.").format(
                step=step_words(row),
                rate=percent(row["rate"]),
                target=percent(row["target"]),
                interval=interval_words(row),
                because=because,
            )
        )
    good = judged[judged["verdict"] == "green"]
    if not good.empty:
        steps = ", ".join(step_words(row) for _row, row in good.iterrows())
        said.append(_("On target, keep it up: {steps}.").format(steps=steps))
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    if not unsure.empty:
        steps = ", ".join(
            counted("{step} ({leads} lead)", "{step} ({leads} leads)", row["entered"]).format(
                step=step_words(row), leads=number(row["entered"])
            )
            for _row, row in unsure.iterrows()
        )
        said.append(_("Cannot be told from the target yet: {steps}.").format(steps=steps))
    return said or [_("No step of yours has an agreed target: nothing is judged.")]
