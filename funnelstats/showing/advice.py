"""Frames become sentences that a manager can act on: what leaks, who needs help, what cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelstats.showing.remarks import NOT_RANKED, STEP, change_sentence, clear_changes, interval_words, step_words
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, counted, day, number, percent, rough
from funnelstats.statistics.leaks import worst_leak
from funnelstats.statistics.managers import ALPHA

FEWEST_LEADS, MOST_POINTS = 5, 50
"""Where no target is agreed, a lost lead or two are nobody's weakness; no difference is "below 70 points"."""


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
    drivers: pd.DataFrame | None = None,
) -> list[str]:
    """What to do this week: the team's biggest leak, who needs whose help, what cannot be told yet.

    ``team`` is a frame of ``versus_target``, ``managers`` one of ``page_verdicts``, ``since`` one of
    ``since_when`` and ``leaks`` one of ``leak_sizes``, both of the team; ``change`` one of ``explain_change``,
    said only where a step surely moved the whole way; ``lessons`` one of ``coaching_pairs``; ``drivers`` one of
    ``leak_drivers``.
    """
    ranked = managers[managers["verdict"] != NOT_RANKED]
    moved = change is not None and change["overall_before"].notna().all() and not clear_changes(change).empty
    return [
        " ".join([_leak_sentence(team, since, leaks, funnel), *_where_to_begin(team, leaks, drivers, funnel)]),
        *([change_sentence(change, funnel)] if change is not None and moved else []),
        *_help_sentences(ranked, lessons, funnel),
        *_doubt_sentences(team, ranked),
    ]


def _leak_sentence(team: pd.DataFrame, since: pd.DataFrame, leaks: pd.DataFrame, funnel: Funnel) -> str:
    known = team[team["rate"].notna()]
    if known.empty:
        return _("No lead entered a step in the weeks judged, or none can be judged yet: there is no rate to act on.")
    if not known["target"].notna().any():
        low = known.sort_values("rate").iloc[0]
        return _(
            "Fewest leads pass at {step}: {rate} (very likely {interval}). No target is agreed, so nothing here is "
            "called good or bad: agree on one for each step."
        ).format(step=step_words(low), rate=percent(low["rate"]), interval=interval_words(low))
    missed = worst_leak(team, leaks)
    if missed.empty:
        return _("No step of the team is below its target beyond chance: there is no leak to work on this week.")
    worst = missed.iloc[0]
    cost = _("about {deals} deals").format(deals=rough(worst["lost_deals"]))
    if pd.notna(worst["lost_money"]):
        cost = _("about {deals} deals or {money}").format(
            deals=rough(worst["lost_deals"]), money=_rough_money(worst["lost_money"], funnel)
        )
    run = since[(since["from_stage"] == worst["from_stage"]) & since["alarm"]]
    what = _("The team leaks most at {step}: {rate} pass (very likely {interval}) where {target} are agreed.").format(
        step=step_words(worst),
        rate=percent(worst["rate"]),
        interval=interval_words(worst),
        target=percent(worst["target"]),
    )
    if run.empty:
        price = _("That costs {cost} in {weeks} weeks: look at this step first, with everybody.")
        return f"{what} {price.format(cost=cost, weeks=funnel.judged_weeks)}"
    began = pd.Timestamp(run["since"].iloc[0])
    price = _(
        "That began in {week}, the week of {day}, and costs {cost} in {weeks} weeks: look at this step first, with "
        "everybody."
    ).format(week=began.strftime("%G-W%V"), day=day(began), cost=cost, weeks=funnel.judged_weeks)
    return f"{what} {price}"


def _where_to_begin(team: pd.DataFrame, leaks: pd.DataFrame, drivers: pd.DataFrame | None, funnel: Funnel) -> list[str]:
    """With which leads the worst leak is clearest, where the drivers' verdict says so, and where reasons stand."""
    if worst_leak(team, leaks).empty:
        return []
    said = []
    if drivers is not None and not drivers.empty:
        lower = (drivers["verdict"] == "lower") & (drivers["difference"] < 0) & (drivers["value"] != MISSING)
        missing = -drivers["difference"] * drivers["entered"]
        clear = drivers.assign(missing=missing)[lower].sort_values("missing", ascending=False, kind="stable")
        said = [
            _("Begin with {value} ({attribute}): {rate} of these leads pass, {other} of all others.").format(
                value=row["value"],
                attribute=_(row["attribute"]),
                rate=percent(row["rate"]),
                other=percent(row["other_rate"]),
            )
            for _row, row in clear.head(1).iterrows()
        ] or [_("No kind of lead stands out there.")]
    if any("reason" in source.columns for source in funnel.entries):
        said.append(_("Why leads say no there: see the month's page of refusals."))
    return said


def _rough_money(amount: float, funnel: Funnel) -> str:
    return f"{rough(amount)}\u00a0{funnel.currency}"


def _help_sentences(ranked: pd.DataFrame, lessons: pd.DataFrame | None, funnel: Funnel) -> list[str]:
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
        steps = "; ".join(_low_step(row, lessons, funnel) for _row, row in rows.iterrows())
        needs = (
            _("{manager} needs help: {steps}.") if judged else _("{manager} is below the rest of the team: {steps}.")
        )
        said.append(needs.format(manager=manager, steps=steps))
    return said


def _low_step(row: pd.Series, lessons: pd.DataFrame | None, funnel: Funnel) -> str:
    """A manager's step, its rate, and who can show how where that surely brings something."""
    names = {"step": step_words(row), "rate": percent(row["rate"]), "target": percent(row["target"])}
    said = (
        _("{rate} pass at {step} where {target} are agreed") if pd.notna(row["target"]) else _("{rate} pass at {step}")
    ).format(**names)
    if lessons is None:
        return said
    own = lessons["learner"] == row["manager"]
    taught = lessons[own & (lessons["from_stage"] == row["from_stage"]) & (lessons["deals_lower"] > 0)]
    if taught.empty:
        return said
    lesson = taught.iloc[0]
    back = lessons[lessons["swap"] & (lessons["learner"] == lesson["teacher"]) & (lessons["teacher"] == row["manager"])]
    shown = {"teacher": lesson["teacher"], "best": lesson["best"], "gain": _gain(lesson, funnel)}
    if not lesson["swap"] or back.empty:
        return said + _(", {teacher} can show how ({gain})").format(**shown)
    text = (
        _(", {teacher} can show how in exchange for {step} ({gain})")
        if lesson["teacher"] == lesson["best"]
        else _(", {best} does it best, {teacher} can show how in exchange for {step} ({gain})")
    )
    return said + text.format(step=step_words(back.iloc[0]), **shown)


def _gain(lesson: pd.Series, funnel: Funnel) -> str:
    """What a lesson would bring: 5 to 28 more deals, about 2,500,000 RUB."""
    low, high = round(lesson["deals_lower"]), max(round(lesson["deals_upper"]), 1)
    deals = (
        _("{low} to {high} more deals")
        if 0 < low < high
        else counted("up to {high} more deal", "up to {high} more deals", high)
    ).format(low=number(low), high=number(high))
    money = lesson.get("money")
    if money is None or pd.isna(money):
        return deals
    return _("{deals}, about {money}").format(deals=deals, money=_rough_money(money, funnel))


def _doubt_sentences(team: pd.DataFrame, ranked: pd.DataFrame) -> list[str]:
    """What cannot be told yet; nothing where no target is agreed, since the first sentence says that."""
    cells = ranked if ranked["rate"].notna().any() else team
    judged = cells[cells["target"].notna()]
    if judged.empty:
        return []
    said = []
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    if unsure.empty:
        said.append(_("Every result is decided."))
    else:
        counts = {"unsure": number(len(unsure)), "all": number(len(judged))}
        drop = unsure["drop_visible"].median()
        said.append(
            _("Leave the rest alone: {unsure} of {all} results cannot be told from chance yet.").format(**counts)
            if not drop <= MOST_POINTS
            else counted(
                "Leave the rest alone: {unsure} of {all} results cannot be told from chance yet; differences below "
                "{drop} point may be luck.",
                "Leave the rest alone: {unsure} of {all} results cannot be told from chance yet; differences below "
                "{drop} points may be luck.",
                round(drop),
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
    return [" ".join(said)]
