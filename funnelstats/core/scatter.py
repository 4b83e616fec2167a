"""Weeks scatter: leads of one week are alike, so several weeks together are worth fewer leads than they hold."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel, Step
from funnelstats.core.comparing import rest_of, versus_rest
from funnelstats.core.conversion import STEP
from funnelstats.core.incidence import OUTCOMES, incidence, incidence_at
from funnelstats.core.intervals import Array, checked_level, score_interval, share

OWN_PART = 0.5
"""Of a step's correlation, how much is its own; the rest is that of all steps, which few weeks know better."""

AT_ONCE = 50
KNOWN_PART = 2 / 3
"""Degrees of freedom that a difference of neighbouring weeks is worth: the price of not minding a break."""

OF_WEEKS = ("week", "from_stage", "age_days", *OUTCOMES)


def rates_over_weeks(
    days: pd.DataFrame, funnel: Funnel, *, level: float = 0.95, scatter: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Share of leads that advanced by the horizon, over all weeks given, honest about good and bad weeks.

    Takes day counts by week, ``[manager], week, from_stage, age_days, advanced, lost, open``; where they are too few to
    tell how weeks scatter, ``scatter`` are such counts of more weeks that do. Returns the frame of
    ``incidence_at`` without the weeks, and beside it ``dispersion`` (how many times the variance is that of
    independent leads, at least 1), ``df`` (how well that is known) and ``by_chance`` (probability that weeks which are
    alike differ as much); ``n_eff`` is divided by the dispersion, and the interval is Wilson's on it with Student's
    quantile.

    The dispersion is 1 + correlation x (leads of a week - 1). The correlation of leads of one week is estimated from
    the differences of neighbouring weeks, so that a break, which makes one great difference, does not pass for
    scatter; half from the step itself, half from all steps, over all groups. Leads on their way count with what they
    have told: a week's part in the rate is the sum of its leads' influences on the incidence.
    Sources: Donner and Klar 2000 for the dispersion; von Neumann 1941 for the differences.

    >>> days = fs.outcome_days(paths, spec, day, by="week", entered_between=window)
    >>> fs.rates_over_weeks(days, spec)[["to_stage", "entered", "known", "rate", "dispersion"]].round(3)
         to_stage  entered  known   rate  dispersion
    0         met     2300   2232  0.963       1.046
    1   presented     2220   2104  0.804       1.021
    2  contracted     1817   1651  0.663       1.405
    3        paid     1247   1112  0.949       1.000
    """
    need(days, "days", *OF_WEEKS)
    parts = _weekly_parts(days, funnel)
    known = parts if scatter is None else _weekly_parts(scatter, funnel)
    return _scattered(_rates(days, funnel), parts, _correlations(known, funnel), level)


def against_rest(days: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """``versus_rest`` of each manager's rates over weeks; ``days`` as for ``rates_over_weeks``, by manager and week.

    What all managers share of a good or bad week is in both sides of the comparison and cancels: only the part of the
    correlation that a manager's leads have beyond that of all leads of the week widens it. Adds that ``dispersion``.

    >>> days = fs.outcome_days(paths, spec, day, by=["manager", "week"], entered_between=window)
    >>> fs.against_rest(days, spec)[["manager", "to_stage", "rate", "other_rate", "verdict"]].head(2).round(3)
         manager   to_stage   rate  other_rate    verdict
    0  Anna Berg        met  1.000       0.958     higher
    1  Anna Berg  presented  0.815       0.803  undecided
    """
    need(days, "days", "manager", *OF_WEEKS)
    parts = _weekly_parts(days, funnel)
    correlations = _apart(days, parts, funnel)
    others = rest_of(days)
    sides = [(days, parts), (others, _weekly_parts(others, funnel))]
    rates, rest = (_scattered(_rates(side, funnel), weekly, correlations, 0.95) for side, weekly in sides)
    return versus_rest(rates, rest).merge(rates[["manager", *STEP, "dispersion"]], how="left")


def own_scatter(days: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The ``dispersion`` of ``against_rest`` alone: manager, from_stage, to_stage, dispersion."""
    parts = _weekly_parts(days, funnel)
    rates = _scattered(_rates(days, funnel), parts, _apart(days, parts, funnel), 0.95)
    return rates[["manager", *STEP, "dispersion"]]


def _apart(days: pd.DataFrame, parts: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The correlations of a manager's leads of one week beyond that of all leads of the week."""
    own = _correlations(parts, funnel)
    everybody = _correlations(_weekly_parts(_summed(days, "manager"), funnel), funnel)
    both = own.merge(everybody, on=STEP, suffixes=("", "_team"))
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = both["pairs_team"] - both["pairs"]
        across = (both["pairs_team"] * both["correlation_team"] - both["pairs"] * both["correlation"]) / pairs
    shared = across.where(pairs > 0, 0.0).clip(0, both["correlation"])
    return own.assign(correlation=both["correlation"] - shared)


def usual_dispersion(rest: pd.DataFrame) -> float:
    """The median dispersion of managers beside their colleagues, for comparisons that know no weeks; 1 of none.

    >>> days = fs.outcome_days(paths, spec, day, by=["manager", "week"], entered_between=window)
    >>> fs.usual_dispersion(fs.against_rest(days, spec))
    1.0
    """
    need(rest, "rest", "dispersion")
    return float(rest["dispersion"].median()) if len(rest) else 1.0


def weeks_differ(rates: pd.DataFrame) -> pd.Series:
    """Whether the weeks of a rate differ by more than chance alone explains, at 5 % for all rows together.

    The dispersion must say so, which does not mind a break, and Pearson's test: of few leads a week the first alone
    finds a difference in up to a third of tables whose weeks are alike.
    """
    df, each = rates["df"].clip(lower=1), 0.05 / max(len(rates), 1)
    scattered = rates["dispersion"] > stats.chi2.ppf(1 - each, df) / df
    return rates["rate"].notna() & scattered & (rates["by_chance"] < each)


def _rates(days: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    return incidence_at(incidence(_summed(days, "week")), funnel)


def _summed(days: pd.DataFrame, over: str) -> pd.DataFrame:
    keys = [column for column in days if column not in (over, *OUTCOMES)]
    return days.groupby(keys, sort=False, dropna=False, as_index=False)[list(OUTCOMES)].sum()


def _scattered(rates: pd.DataFrame, parts: pd.DataFrame, correlations: pd.DataFrame, level: float) -> pd.DataFrame:
    """The rates with their dispersion, their effective leads fewer and their interval wider by it."""
    keys = [str(column) for column in parts if column not in ("week", "rate", "deviation", "leads")]
    there = parts[parts["leads"] > 0]
    spread = there["rate"] * (1 - there["rate"])
    squares = (there["leads"] * there["deviation"] ** 2 / spread).where(spread > 0)
    sums = there.assign(pairs=there["leads"] ** 2, squares=squares, free=squares.notna().astype(int))
    sums = sums.groupby(keys, sort=False, dropna=False, as_index=False)[["leads", "pairs", "squares", "free"]].sum()
    found = rates.merge(sums, how="left", on=keys)
    found = found.merge(correlations[[*STEP, "correlation", "df"]], how="left", on=STEP)
    alike = share(found["pairs"], found["leads"])
    dispersion = (1 + found["correlation"] * (alike - 1)).fillna(1).clip(lower=1)
    n_eff = found["n_eff"] / dispersion
    quantile = stats.t.ppf(0.5 + checked_level(level) / 2, found["df"])
    lower, upper = score_interval((found["rate"] * n_eff).to_numpy(), n_eff.to_numpy(), quantile)
    # Pearson's: as many free weeks as there are, less one
    by_chance = stats.chi2.sf(found["squares"], (found["free"] - 1).where(found["free"] > 1))
    told = {"dispersion": dispersion, "df": found["df"], "by_chance": by_chance}
    return rates.assign(n_eff=n_eff, ci_lower=lower, ci_upper=upper, **told)


def _correlations(parts: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """By step: correlation of two leads of one week, its degrees of freedom, and pairs of such leads.

    From neighbouring weeks, of which both have leads, a and b of them: the squared difference of their rates is on
    average p(1 - p)(1/a + 1/b + correlation x (2 - 1/a - 1/b)). A pair of weeks weighs as the leads it compares.
    """
    keys = [str(column) for column in parts if column not in ("week", "rate", "deviation", "leads")]
    ordered = parts[parts["leads"] > 0].sort_values([*keys, "week"])
    group = ordered.groupby(keys, dropna=False)
    before, leads = group["leads"].shift(), ordered["leads"]
    spread = ordered["rate"] * (1 - ordered["rate"])
    alone = 1 / leads + 1 / before
    weight = (leads * before / (leads + before)) ** 2
    telling = before.notna() & (spread > 0)
    beyond = weight * (group["deviation"].diff() ** 2 - spread * alone)
    terms = pd.DataFrame(
        {
            **{name: ordered[name] for name in STEP},
            "beyond": beyond,
            "possible": weight * spread * (2 - alone),
            "differences": telling if telling.any() else before.notna(),
            "pairs": leads**2,
        }
    )
    steps = pd.DataFrame([(step.from_stage, step.to_stage) for step in funnel.steps], columns=STEP)
    sums = steps.merge(terms.groupby(STEP, as_index=False).sum(), how="left", on=STEP).fillna(0)
    all_steps = share(sums["beyond"].sum(), max(sums["possible"].sum(), 0))
    own = np.where(sums["possible"] > 0, share(sums["beyond"], sums["possible"].clip(lower=0)), all_steps)
    many = (sums["differences"] > 0).sum()
    # what a mean of the step's own estimate and that of all steps is worth, of as many steps that are worth the same
    worth = 1 / (OWN_PART**2 + (1 - OWN_PART**2) / max(many, 1))
    return sums[[*STEP, "pairs"]].assign(
        correlation=np.nan_to_num(np.clip(OWN_PART * own + (1 - OWN_PART) * all_steps, 0, 1)),
        # weeks that are all 0 % or all 100 % are alike as well; where there is one week, next to nothing is known
        df=np.fmax(KNOWN_PART * worth * share(sums["differences"].sum(), many), 1.0),
    )


def _weekly_parts(days: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """What each week says of a group's rate: ``deviation`` from it, and the ``leads`` that is worth.

    A week's leads move the incidence F by the sum of their influences, U; V is the variance of that if leads are
    independent. Then U / (V / sum of V) is the week's rate less F, known as well as from n_eff x V / sum of V leads:
    where no lead is open, simply its rate and its leads.
    """
    groups = [str(column) for column in days if column not in ("week", "from_stage", "age_days", *OUTCOMES)]
    # so many groups at once that a large team's days fit into memory
    days = days.reset_index(drop=True)
    number = days.groupby(groups, dropna=False).ngroup() if groups else days["age_days"] * 0
    found = [
        _parts_of_step(part, groups, step)
        for step in funnel.steps
        for _, part in days[days["from_stage"] == step.from_stage].groupby(number // AT_ONCE)
    ]
    return pd.concat(found or [_parts_of_step(days.head(0), groups, funnel.steps[0])], ignore_index=True)


def _parts_of_step(days: pd.DataFrame, groups: list[str], step: Step) -> pd.DataFrame:
    horizon = step.horizon_days
    by = days.groupby(groups, sort=False, dropna=False) if groups else days.groupby(days["age_days"] * 0)
    cell, (week, weeks) = by.ngroup().to_numpy(), pd.factorize(days["week"], sort=True)
    names = days[groups][~pd.Series(cell).duplicated().to_numpy()] if groups else pd.DataFrame(index=range(len(by)))
    # what happens after the horizon is all the same: the lead was there until then
    age = np.minimum(days["age_days"].to_numpy(), horizon + 1)
    ages = np.union1d(age, [0, horizon + 1])
    shape = (len(by), len(weeks), len(ages))
    place = np.ravel_multi_index((cell, week, np.searchsorted(ages, age)), shape)
    advanced, lost, still = (np.bincount(place, days[name], np.prod(shape)).reshape(shape) for name in OUTCOMES)
    gone = advanced + lost + still
    at_risk = gone[..., ::-1].cumsum(axis=-1)[..., ::-1]
    entered = at_risk[..., 0]
    part, spread, rate = _influence(at_risk[..., :-1], advanced[..., :-1], lost[..., :-1])
    known = entered - still[..., ages < horizon].sum(axis=-1)
    total = spread.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(total > 0, spread / total, known / known.sum(axis=1, keepdims=True))
        n_eff = np.where(total > 0, rate * (1 - rate) / total, known.sum(axis=1, keepdims=True))
        deviation = np.where(weight > 0, part / weight, 0.0)
    n_eff = np.minimum(n_eff, known.sum(axis=1, keepdims=True))
    rows = pd.DataFrame(
        {
            "from_stage": step.from_stage,
            "to_stage": step.to_stage,
            "week": np.tile(weeks, shape[0]),
            "rate": np.broadcast_to(rate, entered.shape).ravel(),
            "deviation": deviation.ravel(),
            "leads": np.nan_to_num(n_eff * weight).ravel(),
        }
    )
    return pd.concat([names.iloc[np.repeat(np.arange(len(names)), shape[1])].reset_index(drop=True), rows], axis=1)


def _influence(at_risk: npt.NDArray, advanced: npt.NDArray, lost: npt.NDArray) -> tuple[Array, Array, Array]:
    """U and V of each group and week, and the incidence of each group by the last day; axes group, week, day.

    The incidence's derivatives by the day's chance to advance and to be lost, times what the week had of either
    beyond its share: as the delta method of a multinomial for each day has it.
    """
    n, d1, d2 = (counts.sum(axis=1, keepdims=True) for counts in (at_risk, advanced, lost))
    h1, h2 = np.nan_to_num(share(d1, n)), np.nan_to_num(share(d2, n))
    stays = 1 - h1 - h2
    survival = np.cumprod(stays, axis=-1)
    before = np.concatenate([np.ones_like(survival[..., :1]), survival[..., :-1]], axis=-1)
    so_far = np.cumsum(before * h1, axis=-1)
    rate = so_far[..., -1]
    by_loss = -np.nan_to_num(share(rate[..., None] - so_far, stays.clip(0)))
    by_advance = before + by_loss
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (by_advance * (advanced - at_risk * h1) + by_loss * (lost - at_risk * h2)) / n
        mean = by_advance * h1 + by_loss * h2
        spread = at_risk / n**2 * (by_advance**2 * h1 + by_loss**2 * h2 - mean**2)
    return np.nansum(part, axis=-1), np.maximum(np.nansum(spread, axis=-1), 0.0), rate
