"""How many leads will have been won by a day: those open now, and one that is still to come.

A lead moves on each day like past leads of its stage and age did (Aalen-Johansen), later than agreed too, as far
as past leads were watched; what comes after that is not counted on. The days of steps add up by convolution. A sum
of leads with unlike chances becomes one Beta-Binomial with the same mean and variance, the error of the rates
included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from funnelstats.core.incidence import incidence, incidence_at, life_table
from funnelstats.core.intervals import Array, checked_level, wilson_interval
from funnelstats.plan.goals import (
    PRIOR,
    Goal,
    beta_binomial,
    beta_binomial_quantile,
    beta_of_product,
    plan_window,
    working_days,
)

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

ALL = "(all)"
FEWEST_WATCHED = 3
"""Days later than agreed are known while so many leads are still watched there."""


class Curves(NamedTuple):
    """What past leads did on each day since stage entry, one row per step, days across."""

    moves: Array
    """Share of those that entered which moves on that day, 0 after the days that are known."""
    stays: Array
    """Share still there after that day."""
    watched: Array
    """Leads still there after that day; before the end of the agreed days, those whose state then is known."""
    won: Array
    """One row per stage: share won within so many days of its entry; 1 at the last stage."""
    reach: npt.NDArray[np.int64]
    """The last day that is known at each step: the agreed one, or a later one."""

    def ahead_of(self, place: int, age: npt.ArrayLike, days: int) -> Array:
        """For leads open at a stage at these ages, the share that moves on each of the next days: a row each."""
        ages = np.asarray(age, dtype="int64")
        stay = self.stays[place][ages]
        return self.moves[place][ages[:, None] + np.arange(1, days + 1)] / np.where(stay == 0, 1.0, stay)[:, None]


def plan_rates(days: pd.DataFrame, weeks: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """What a plan goes by, one row per step: the rate by the horizon, and how much it scatters week by week.

    ``days`` are the ``outcome_days`` of the stage entries in ``plan_window``, ``weeks`` the ``step_counts`` by week
    of those in ``scatter_window``. Returns ``from_stage, to_stage, entered, rate, n_eff, ci_lower, ci_upper, moved``
    (in time), ``dispersion`` (Pearson's of the weeks, a step's own and all together, at least 1) and ``weeks``
    (average ones that n_eff is worth). The limits are Wilson's on n_eff / dispersion.
    """
    rates = incidence_at(incidence(days), funnel).drop(columns="known")
    stage, known = rates["from_stage"], weeks[weeks["entered"] > 0]
    by = known.groupby("from_stage")
    pooled = by["converted"].transform("sum") / by["entered"].transform("sum")
    spread = known["entered"] * pooled * (1 - pooled)
    squares = (known["converted"] - known["entered"] * pooled) ** 2 / spread.where(spread > 0)
    free = (by.size() - 1).where(squares.groupby(known["from_stage"]).count() > 1)
    found = squares.groupby(known["from_stage"]).sum().where(free.notna())
    # a step's own dozen weeks say little: those of all steps count with them as much again
    weeks_free = free + free.sum()
    ratio, error = (found + found.sum()) / weeks_free, np.sqrt(2 * (3 * free + free.sum())) / weeks_free
    # half of the teams whose weeks differ by chance alone show some excess: within its error it is none
    dispersion = stage.map(ratio.where(ratio > 1 + error)).astype(float).fillna(1.0)
    in_time = days["age_days"] <= days["from_stage"].map(
        {step.from_stage: step.horizon_days for step in funnel.steps}
    ).astype(float)
    lower, upper = wilson_interval(rates["rate"] * rates["n_eff"] / dispersion, rates["n_eff"] / dispersion)
    return rates.assign(
        ci_lower=lower,
        ci_upper=upper,
        moved=stage.map(days[in_time].groupby("from_stage")["advanced"].sum()).fillna(0).astype("int64"),
        dispersion=dispersion,
        weeks=(rates["n_eff"] / stage.map(by["entered"].mean()).astype(float)).fillna(0.0),
    )


def day_curves(days: pd.DataFrame, funnel: Funnel, ahead: int) -> Curves:
    """The curves of all steps; steps whose rate is unknown are missing, and with them what comes before."""
    horizons = [step.horizon_days for step in funnel.steps]
    _, table = life_table(days)
    seen = table[table["at_risk"] >= FEWEST_WATCHED].groupby("from_stage")["age_days"].max()
    reach = np.array([max(step.horizon_days, int(seen.get(step.from_stage, 0))) for step in funnel.steps])
    width = int(reach.max()) + ahead + 2
    moves, stays, watched = np.zeros((3, len(horizons), width))
    for place, step in enumerate(funnel.steps):
        rows = table[table["from_stage"] == step.from_stage]
        last = rows.tail(1)
        # as in incidence_at: nobody was watched as long as the horizon, and some may still move
        if rows.empty or ((last["age_days"] < step.horizon_days) & (last["open"] > 0)).all():
            moves[place], stays[place] = np.nan, np.nan
            continue
        rows = rows[rows["age_days"] <= reach[place]]
        at = np.searchsorted(rows["age_days"], np.arange(reach[place] + 1), side="right")
        total = rows["at_risk"].iloc[0]
        left = rows["advanced"] + rows["lost"]
        unseen = rows["open"].where(rows["age_days"] < step.horizon_days, 0)
        still = np.append(total, total - (left + rows["open"]).cumsum())[at]
        later_unseen = unseen.sum() - np.append(0, unseen.cumsum())[at]
        end = reach[place] + 1
        moves[place, :end] = np.diff(np.append(0, rows["incidence"])[at], prepend=0)
        stays[place, :end] = np.append(1, rows["survival"])[at]
        watched[place, :end] = still - later_unseen
    won = np.ones((len(horizons) + 1, ahead + 1))
    for place in reversed(range(len(horizons))):
        won[place] = np.convolve(moves[place, : ahead + 1], won[place + 1])[: ahead + 1]
    return Curves(moves, stays, watched, won, reach)


def forecast_open(
    open_leads: pd.DataFrame,
    days: pd.DataFrame,
    rates: pd.DataFrame,
    funnel: Funnel,
    goal: Goal,
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """How many of the leads open now will have been won by the day of the goal.

    ``rates`` is a frame of ``plan_rates``, ``open_leads`` one of ``open_leads``. Returns a row for each stage but
    the last and one for "(all)": ``stage, open, too_old`` (there longer than agreed), ``not_known`` (there longer
    than past leads were watched: nothing is known of them, so nothing counted), ``expected``, ``deals_late`` (of it,
    what those too old bring), ``deals_lower, deals_upper`` (at the level), and ``trials, a, b`` of the Beta-Binomial
    behind them; ``own`` (its variance if the rates were known) and ``error_<stage>, error_days``, the error that
    comes from each step's rate and from the days.
    An error of a rate moves all leads that have the step before them, so limits of stages do not add up.
    Unknown is missing, with limits of 0 and all that are open.
    """
    curves = day_curves(days, funnel, goal.days)
    soon = np.array([min(goal.days, step.horizon_days) / 7 for step in funnel.steps])
    parts = [_of_stage(place, open_leads, curves, rates, funnel, goal.days, soon) for place in range(len(soon))]
    total = {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
    named = [*zip(funnel.stages, parts, strict=False), (ALL, total)]
    errors = error_names(funnel)
    weakest = float(np.nanmin(worth_ahead(rates, soon), initial=np.inf))
    return pd.DataFrame([_forecast(stage, part, errors, weakest, level) for stage, part in named])


def _of_stage(
    place: int, open_leads: pd.DataFrame, curves: Curves, rates: pd.DataFrame, funnel: Funnel, ahead: int, soon: Array
) -> dict[str, Any]:
    """Of the leads open at a stage: mean won, its binomial variance, the error each rate and the days bring."""
    horizon = funnel.steps[place].horizon_days
    rows = open_leads[open_leads["from_stage"] == funnel.stages[place]]
    known = rows[rows["age_days"] < curves.reach[place]]
    age, many = (known[name].to_numpy() for name in ("age_days", "open"))
    moves, stays = curves.moves[place], curves.stays[place]
    worth = worth_ahead(rates, soon)
    shrink = worth / rates["n_eff"].to_numpy(dtype=float)
    after = curves.moves[place + 1 :].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        stay = np.where(stays[age] == 0, 1.0, stays[age])
        chance = curves.ahead_of(place, age, ahead) @ curves.won[place + 1][ahead - np.arange(1, ahead + 1)]
        step = (moves.sum() - moves.cumsum()[age]) / stay
        mean, at_last = (many * chance).sum(), (many * step).sum() * after.prod()
        in_time = min(mean / at_last, 1.0) if at_last > 0 else 1.0
    errors = np.zeros(len(funnel.steps) + 1)
    errors[place] = (
        many * chance * _relative_error(step, np.maximum(curves.watched[place][age], 1) * shrink[place])
    ).sum()
    errors[place + 1 : -1] = mean * _relative_error(after, worth[place + 1 :])
    errors[-1] = mean * _relative_error(in_time, rates["moved"].to_numpy(dtype=float)[place:].min(), prior=0)
    return {
        "open": rows["open"].sum(),
        "too_old": rows.loc[rows["age_days"] >= horizon, "open"].sum(),
        "not_known": rows["open"].sum() - many.sum(),
        "mean": mean,
        "late": (many * chance)[age >= horizon].sum(),
        "own": (many * chance * (1 - chance)).sum(),
        "errors": errors,
    }


def error_names(funnel: Funnel) -> list[str]:
    """The columns of the errors that a plan's leads share: of each step's rate, and of the days."""
    return [*(f"error_{step.to_stage}" for step in funnel.steps), "error_days"]


def _forecast(stage: str, part: dict[str, Any], errors: list[str], weakest: float, level: float) -> dict[str, Any]:
    tail = (1 - checked_level(level)) / 2
    known = int(part["open"] - part["not_known"])
    counts = {name: int(part[name]) for name in ("open", "too_old", "not_known")}
    row = {"stage": stage, **counts, "expected": part["mean"], "deals_late": part["late"]}
    behind = {"own": part["own"], **dict(zip(errors, part["errors"], strict=True))}
    if np.isnan(part["mean"]):
        unknown = {"deals_lower": 0.0, "deals_upper": float(part["open"]), "trials": known, "a": np.nan, "b": np.nan}
        return row | unknown | behind
    trials, a, b = beta_binomial(part["mean"], part["own"], float((part["errors"] ** 2).sum()))
    if part["mean"] <= 0:
        trials, a, b = known, PRIOR, PRIOR + weakest
    lower, upper = beta_binomial_quantile([tail, 1 - tail], trials, a, b)
    return row | {"deals_lower": lower, "deals_upper": upper, "trials": trials, "a": a, "b": b} | behind


def new_lead_chance(days: pd.DataFrame, rates: pd.DataFrame, funnel: Funnel, goal: Goal) -> pd.DataFrame:
    """The chance that a lead still to come will have been won by the day of the goal: one row.

    New leads come evenly on the working days until then. Being in time is one more step, measured on the deals of
    the step that has fewest. Returns ``chance`` (the plain product, as ``entries_ahead`` has it), ``a, b``
    (moment-matched Beta of the product, Fan 1991, never quite 0 or 1), ``rate`` (won at last), ``in_time`` (of
    those, the share won by then), ``deals`` (seen in the past), ``leads_a_week`` (of late), ``usual_days``
    (half of the leads that are won are won within so many), ``working_days`` and ``last_useful`` (the last working
    day on which a new lead that will be won is as likely as not to be won in time; NaT if none); ``error_<stage>,
    error_days``, the error of the chance that comes from each step's rate and from the days.
    """
    curves = day_curves(days, funnel, max(goal.days, sum(step.horizon_days for step in funnel.steps)))
    worked = working_days(goal, funnel)
    left = (pd.Timestamp(goal.by) - worked).days.to_numpy()
    shares, moved = curves.moves.sum(axis=1), rates["moved"].to_numpy(dtype=float)
    rate = float(shares.prod())
    share_in_time = curves.won[0] / rate if rate > 0 else np.full(curves.won.shape[1], np.nan)
    in_time = min(float(share_in_time[left].mean()), 1.0) if len(left) else 0.0
    worth = worth_ahead(rates, np.full(len(shares), goal.days / 7))
    p, n = np.append(shares, in_time), np.append(worth, moved.min())
    mean = (p * n + PRIOR) / (n + 2 * PRIOR)
    # each deal seen tells of all days on which new leads come: by its days, the share of them that is early enough
    early = (
        (left >= np.arange(curves.won.shape[1])[:, None]).mean(axis=1) if len(left) else np.zeros(curves.won.shape[1])
    )
    days_variance = np.maximum(np.diff(share_in_time, prepend=0) @ early**2 - in_time**2, 0)
    mean[-1] = in_time
    variance = np.append(mean[:-1] * (1 - mean[:-1]), days_variance) / (n + 2)
    a, b = beta_of_product(mean, variance)
    chance = float(curves.won[0][left].mean()) if len(left) else 0.0 * rate
    days_error = np.sqrt(variance[-1]) / in_time if in_time > 0 else 0.0
    errors = chance * np.append(_relative_error(shares, worth), days_error)
    useful = worked[share_in_time[left] >= 0.5]
    first, last = plan_window(goal.as_of, funnel)
    half = np.flatnonzero(share_in_time >= 0.5 - 1e-9)
    return pd.DataFrame(
        {
            "chance": [chance],
            "a": [a],
            "b": [b],
            "rate": [rate],
            "in_time": [in_time],
            **dict(zip(error_names(funnel), errors[:, None], strict=True)),
            "deals": [int(moved[-1])],
            "leads_a_week": [rates["entered"].iloc[0] / (((last - first).days + 1) / 7)],
            "usual_days": [float(half[0]) if len(half) else np.nan],
            "working_days": [len(worked)],
            "last_useful": [useful[-1] if len(useful) else pd.NaT],
        }
    )


def worth_ahead(rates: pd.DataFrame, weeks_ahead: npt.ArrayLike) -> Array:
    """Leads that would tell as much if weeks did not differ: the past ones' scatter and that of weeks to come."""
    n, weeks, dispersion = (rates[name].to_numpy(dtype=float) for name in ("n_eff", "weeks", "dispersion"))
    return n / (dispersion + (dispersion - 1) * weeks / np.maximum(weeks_ahead, 1))


def _relative_error(rate: npt.ArrayLike, worth: npt.ArrayLike, prior: float = PRIOR) -> Array:
    p, n = np.asarray(rate, dtype=float), np.asarray(worth, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        smooth = (p * n + prior) / (n + 2 * prior)
        return np.where(p > 0, np.sqrt(smooth * (1 - smooth) / (n + 2)) / p, 0.0)
