"""How many leads will have been won by a day: those open now, and one that is still to come.

A lead moves on each day like past leads of its stage and age did (Aalen-Johansen), later than agreed too, as far
as past leads were watched; what comes after that is not counted on. The days of steps add up by convolution. A sum
of leads with unlike chances becomes one Beta-Binomial with the same mean and variance, the error of the rates
included.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.typing import NaTType
from scipy import stats

from funnelstats.config.funnel import Funnel
from funnelstats.core.incidence import incidence, incidence_at, is_unknown, life_table, watched_until
from funnelstats.core.intervals import Array, wilson_interval
from funnelstats.plan.goals import Goal, working_days

ALL = "(all)"
CERTAIN = 1e9
"""Leads behind a chance that is known: a Beta of so many is a point."""
PRIOR = 0.5


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
    horizon: npt.NDArray[np.int64]
    """The last day that is agreed for each step."""

    def ahead_of(self, place: int, age: npt.ArrayLike, days: int) -> Array:
        """For leads open at a stage at these ages, the share that moves on each of the next days: a row each."""
        ages = np.asarray(age, dtype="int64")
        stay = self.stays[place][ages]
        return self.moves[place][ages[:, None] + np.arange(1, days + 1)] / np.where(stay == 0, 1.0, stay)[:, None]


class Deals(NamedTuple):
    """The deals that some leads will bring."""

    mean: float
    luck: float
    """Their variance if the rates were known."""
    errors: Array
    """The standard error that comes from each step's rate and, at the end, from the days: shared by all leads."""

    def plus(self, other: Deals, times: float = 1) -> Deals:
        """Those of both, of the other so many times: variances add up, and so do the errors that both share."""
        return Deals(self.mean + times * other.mean, self.luck + times * other.luck, self.errors + times * other.errors)

    def beta_binomial(self) -> tuple[int, float, float]:
        """trials, a and b of the Beta-Binomial with this mean and the variance of luck and errors.

        With unlike chances the luck is less than that of as many equal ones, so fewer trials with a higher chance
        stand for them.
        """
        error = float((self.errors**2).sum())
        if self.mean <= 0:
            return 0, PRIOR, PRIOR
        if np.isnan(error):
            raise ValueError("the error of a forecast must be known where its mean is")
        trials = max(round(self.mean**2 / max(self.mean - self.luck, 1e-12)), int(np.ceil(self.mean)), 1)
        p = min(self.mean / trials, 1 - 1e-12)
        alike = error / (trials * max(trials - 1, 1) * p * (1 - p))
        size = min(max(1 / alike - 1, 1e-3), CERTAIN) if alike > 0 else CERTAIN
        return trials, p * size, (1 - p) * size

    def at_least(self, deals: int) -> float:
        """Probability that they are so many."""
        trials, a, b = self.beta_binomial()
        if trials < deals:
            return 0.0
        return float(1 - stats.betabinom.pmf(np.arange(deals), trials, a, b).sum())


class NewLead(NamedTuple):
    """A lead still to come, new ones coming evenly on the working days until the day of the goal."""

    brings: Deals
    """``mean`` is its chance to be won in time."""
    a: float
    b: float
    """The Beta of that chance (Fan 1991), never quite 0 or 1."""
    rate: float
    """The chance to be won at last."""
    in_time: float
    """Of those won at last the share won by the day of the goal."""
    deals_seen: int
    a_week: float
    """New leads a week of late."""
    usual_days: float
    """Half of the leads that are won are won within so many."""
    working_days: int
    last_useful: pd.Timestamp | NaTType
    """The last working day on which a lead that will be won is as likely as not to be won in time; NaT if none."""


def plan_rates(days: pd.DataFrame, weeks: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """What a plan goes by, one row per step: the rate by the horizon, and how much it scatters week by week.

    ``days`` are the ``outcome_days`` of the stage entries in ``plan_window``, ``weeks`` the ``step_counts`` by week
    of those in ``scatter_window``. Returns ``from_stage, to_stage, entered, rate, n_eff, ci_lower, ci_upper, moved``
    (in time), ``dispersion`` (Pearson's of the weeks, a step's own and all together, at least 1) and ``weeks``
    (average ones that n_eff is worth). The limits are Wilson's on n_eff / dispersion.

    >>> fs.plan.plan_rates(days, weeks, spec)[["to_stage", "entered", "rate", "dispersion", "weeks"]].round(3)
         to_stage  entered   rate  dispersion   weeks
    0         met     2291  0.962       2.037  12.379
    1   presented     2200  0.801       1.999  12.981
    2  contracted     1804  0.654       3.139  12.748
    3        paid     1239  0.949       1.973  10.981
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
    horizon = funnel.horizons
    in_time = days[days["age_days"] <= days["from_stage"].map(horizon).astype(float)]
    lower, upper = wilson_interval(rates["rate"] * rates["n_eff"] / dispersion, rates["n_eff"] / dispersion)
    return rates.assign(
        ci_lower=lower,
        ci_upper=upper,
        moved=stage.map(in_time.groupby("from_stage")["advanced"].sum()).fillna(0).astype("int64"),
        dispersion=dispersion,
        weeks=(rates["n_eff"] / stage.map(by["entered"].mean()).astype(float)).fillna(0.0),
    )


def day_curves(days: pd.DataFrame, funnel: Funnel, goal: Goal) -> Curves:
    """The curves of all steps; steps whose rate is unknown are missing, and with them what comes before."""
    horizon = np.array([step.horizon_days for step in funnel.steps])
    ahead = max(goal.days, int(horizon.sum()))
    _keys, table = life_table(days)
    seen = watched_until(table)
    reach = np.maximum(horizon, [int(seen.get(step.from_stage, 0)) for step in funnel.steps])
    moves, stays, watched = np.zeros((3, len(horizon), int(reach.max()) + ahead + 2))
    for place, step in enumerate(funnel.steps):
        rows = table[table["from_stage"] == step.from_stage]
        last = rows.tail(1)
        # as in incidence_at: nobody was watched as long as the horizon, and more than a few may still move
        young = (last["age_days"] < step.horizon_days) & (last["open"] > 0)
        if rows.empty or (young & is_unknown(last["incidence"] + last["survival"] / 2, last["survival"])).all():
            moves[place], stays[place] = np.nan, np.nan
            continue
        total = rows["at_risk"].iloc[0]
        rows = rows[rows["age_days"] <= reach[place]]
        at = np.searchsorted(rows["age_days"], np.arange(reach[place] + 1), side="right")
        left = rows["advanced"] + rows["lost"]
        unseen = rows["open"].where(rows["age_days"] < step.horizon_days, 0)
        still = np.append(total, total - (left + rows["open"]).cumsum())[at]
        later_unseen = unseen.sum() - np.append(0, unseen.cumsum())[at]
        end = reach[place] + 1
        moves[place, :end] = np.diff(np.append(0, rows["incidence"])[at], prepend=0)
        stays[place, :end] = np.append(1, rows["survival"])[at]
        watched[place, :end] = still - later_unseen
    won = np.ones((len(horizon) + 1, ahead + 1))
    for place in reversed(range(len(horizon))):
        won[place] = np.convolve(moves[place, : ahead + 1], won[place + 1])[: ahead + 1]
    return Curves(moves, stays, watched, won, reach, horizon)


def forecast_open(
    open_leads: pd.DataFrame, curves: Curves, rates: pd.DataFrame, goal: Goal
) -> tuple[pd.DataFrame, Deals]:
    """How many of the leads open now will have been won by the day of the goal: by stage, and all of their deals.

    The frame has a row for each stage but the last and one for "(all)": ``stage, open, too_old`` (there longer than
    agreed), ``not_known`` (there longer than past leads were watched: nothing is known of them, so nothing counted),
    ``expected``, ``deals_late`` (of it, what those too old bring), ``deals_lower, deals_upper`` (at 95 %).
    An error of a rate moves all leads that have the step before them, so limits of stages do not add up.
    Unknown is missing, with limits of 0 and all that are open.

    >>> opened = fs.plan.open_leads(paths, spec, day)
    >>> forecast, _deals = fs.plan.forecast_open(opened, plan.curves, plan.rates, goal)
    >>> forecast[["stage", "open", "expected", "deals_lower", "deals_upper"]].head(2).round(1)
      stage  open  expected  deals_lower  deals_upper
    0  lead   113      44.9         33.0         57.0
    1   met   216      58.9         42.0         76.0
    """
    stages = rates["from_stage"].tolist()
    worth = worth_ahead(rates, np.minimum(goal.days, curves.horizon) / 7)
    weakest = float(np.nanmin(worth, initial=np.inf))
    counts, deals = [], []
    for place, stage in enumerate(stages):
        here = open_leads[open_leads["from_stage"] == stage]
        known = here[here["age_days"] < curves.reach[place]]
        old = known["age_days"] >= curves.horizon[place]
        brought, late = _brought(place, known, curves, rates, worth, goal.days)
        not_known = here["open"].sum() - known["open"].sum()
        counts.append([here["open"].sum(), known["open"][old].sum() + not_known, not_known, late])
        deals.append(brought)
    total = reduce(Deals.plus, deals)
    found = pd.DataFrame([*counts, np.sum(counts, axis=0)], columns=["open", "too_old", "not_known", "deals_late"])
    found = found.astype(dict.fromkeys(["open", "too_old", "not_known"], "int64"))
    limits = [
        _limits(brought, many, many - unknown, weakest)
        for brought, many, unknown in zip([*deals, total], found["open"], found["not_known"], strict=True)
    ]
    table = found.assign(
        stage=[*stages, ALL],
        expected=[part.mean for part in (*deals, total)],
        deals_lower=[lower for lower, _upper in limits],
        deals_upper=[upper for _lower, upper in limits],
    )
    order = ["stage", "open", "too_old", "not_known", "expected", "deals_late", "deals_lower", "deals_upper"]
    return table[order], total


def _brought(
    place: int, known: pd.DataFrame, curves: Curves, rates: pd.DataFrame, worth: Array, ahead: int
) -> tuple[Deals, float]:
    """The deals of the leads open at a stage, and of them those of leads that stand there longer than agreed."""
    age, many = (known[name].to_numpy() for name in ("age_days", "open"))
    moves, stays = curves.moves[place], curves.stays[place]
    after = curves.moves[place + 1 :].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        stay = np.where(stays[age] == 0, 1.0, stays[age])
        chance = curves.ahead_of(place, age, ahead) @ curves.won[place + 1][ahead - np.arange(1, ahead + 1)]
        deals = many * chance
        step = (moves.sum() - moves.cumsum()[age]) / stay
        at_last = (many * step).sum() * after.prod()
        in_time = min(deals.sum() / at_last, 1.0) if at_last > 0 else 1.0
    watched = np.maximum(curves.watched[place][age], 1) * worth[place] / rates["n_eff"].iloc[place]
    errors = np.zeros(len(worth) + 1)
    errors[place] = (deals * _relative_error(step, watched)).sum()
    errors[place + 1 : -1] = deals.sum() * _relative_error(after, worth[place + 1 :])
    errors[-1] = deals.sum() * _relative_error(in_time, rates["moved"].iloc[place:].min(), prior=0)
    return Deals(deals.sum(), (deals * (1 - chance)).sum(), errors), deals[age >= curves.horizon[place]].sum()


def _limits(deals: Deals, open_leads: int, known: int, weakest: float) -> tuple[float, float]:
    if np.isnan(deals.mean):
        return 0.0, float(open_leads)
    trials, a, b = deals.beta_binomial() if deals.mean > 0 else (known, PRIOR, PRIOR + weakest)
    if trials == 0:
        return 0.0, 0.0
    below = stats.betabinom.pmf(np.arange(trials + 1), trials, a, b).cumsum()
    lower, upper = np.minimum(np.searchsorted(below, np.array([0.025, 0.975]) - 1e-12), trials)
    return float(lower), float(upper)


def new_lead(curves: Curves, rates: pd.DataFrame, funnel: Funnel, goal: Goal, weeks: float) -> NewLead:
    """The chance that a lead still to come will have been won by the day of the goal, and what tells of it.

    Being in time is one more step, measured on the deals of the step that has fewest. Its leads came in so many
    ``weeks``.
    """
    worked = working_days(goal, funnel)
    left = (pd.Timestamp(goal.by) - worked).days.to_numpy()
    shares, moved = curves.moves.sum(axis=1), rates["moved"].to_numpy(dtype=float)
    won = curves.won[0]
    rate = float(shares.prod())
    share_in_time = won / rate if rate > 0 else np.full(len(won), np.nan)
    in_time = min(float(share_in_time[left].mean()), 1.0) if len(left) else 0.0
    chance = float(won[left].mean()) if len(left) else 0.0 * rate
    worth = worth_ahead(rates, np.full(len(shares), goal.days / 7))
    p, n = np.append(shares, in_time), np.append(worth, moved.min())
    mean = (p * n + PRIOR) / (n + 2 * PRIOR)
    # each deal seen tells of all days on which new leads come: by its days, the share of them that is early enough
    early = (left >= np.arange(len(won))[:, None]).mean(axis=1) if len(left) else np.zeros(len(won))
    days_variance = np.maximum(np.diff(share_in_time, prepend=0) @ early**2 - in_time**2, 0)
    mean[-1] = in_time
    variance = np.append(mean[:-1] * (1 - mean[:-1]), days_variance) / (n + 2)
    a, b = beta_of_product(mean, variance)
    days_error = np.sqrt(variance[-1]) / in_time if in_time > 0 else 0.0
    errors = chance * np.append(_relative_error(shares, worth), days_error)
    useful = worked[share_in_time[left] >= 0.5]
    half = np.flatnonzero(share_in_time >= 0.5 - 1e-9)
    return NewLead(
        brings=Deals(chance, chance * (1 - chance), errors),
        a=a,
        b=b,
        rate=rate,
        in_time=in_time,
        deals_seen=int(moved[-1]),
        a_week=rates["entered"].iloc[0] / weeks,
        usual_days=float(half[0]) if len(half) else np.nan,
        working_days=len(worked),
        last_useful=useful[-1] if len(useful) else pd.NaT,
    )


def beta_of_product(mean: npt.ArrayLike, variance: npt.ArrayLike) -> tuple[float, float]:
    """a and b of the Beta with the mean and variance of a product of independent shares: Fan 1991.

    >>> a, b = beta_of_product([0.5, 0.8], [0.01, 0.0])
    >>> f"{a:.3f} {b:.3f}"
    '14.600 21.900'
    """
    means, variances = np.asarray(mean, dtype=float), np.asarray(variance, dtype=float)
    m = float(means.prod())
    v = float((means**2 + variances).prod()) - m**2
    size = m * (1 - m) / v - 1 if v > 0 else CERTAIN
    return m * size, (1 - m) * size


def worth_ahead(rates: pd.DataFrame, weeks_ahead: npt.ArrayLike) -> Array:
    """Leads that would tell as much if weeks did not differ: the past ones' scatter and that of weeks to come."""
    n, weeks, dispersion = (rates[name].to_numpy(dtype=float) for name in ("n_eff", "weeks", "dispersion"))
    return n / (dispersion + (dispersion - 1) * weeks / np.maximum(weeks_ahead, 1))


def _relative_error(rate: npt.ArrayLike, worth: npt.ArrayLike, prior: float = PRIOR) -> Array:
    p, n = np.asarray(rate, dtype=float), np.asarray(worth, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        smooth = (p * n + prior) / (n + 2 * prior)
        return np.where(p > 0, np.sqrt(smooth * (1 - smooth) / (n + 2)) / p, 0.0)
