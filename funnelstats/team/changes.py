"""Why the conversion from the first stage to the last changed between two periods: at which step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from funnelstats.core.comparing import effective_counts
from funnelstats.core.intervals import SIDED, UNTOLD, Array, answers, share

STEP = ["from_stage", "to_stage"]
DRAWS = 2000
CHANGE = 0.005
"""How often a page may say that the way changed where it did not: 26 pages in a row then say so in .02 to .07 of
half-years, at .05 in .3 to .4."""

ALIKE = 0.1
"""Part of the overall conversion by which it may have changed and still be called the same."""


def explain_change(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """What each step added to the change of the conversion from the first stage to the last.

    Takes a rate or count frame of two periods **at the same age** (the same horizons, all matured, or
    ``rates_over_weeks`` of both), one row per step in the funnel's order. Returns

    ``from_stage, to_stage, before, after, effect, ci_lower, ci_upper, overall_before, overall_after, overall_lower,
    overall_upper, changed``; before and after are the step's rates. ``changed`` is the page's one decision on the
    overall conversion: "yes" beyond chance at .005, so that a half-year of weekly pages says so falsely in at most one
    case of ten; "no" where it changed by less than a tenth of itself (two one-sided tests at 5 %); "cannot tell". Only
    where it is "yes" do the effects explain anything.

    Effects are Shapley values: they add up to the change, whatever the order in which steps are taken, and a step that
    did not change has none. Where a step has no lead known, everything is missing, with [-1, 1]. Limits are quantiles
    of seeded Beta(k + .5, n - k + .5) draws of all rates. Sources: Das Gupta 1993; Shorrocks 2013.
    """
    if before[STEP].to_numpy().tolist() != after[STEP].to_numpy().tolist():
        raise ValueError("both periods need the same steps in the same order, one row each")
    k, n = np.stack([effective_counts(frame) for frame in (before, after)], axis=1)
    rates = _filled(share(k, n), k, n)
    drawn = _filled(np.random.default_rng(0).beta(k + 0.5, n - k + 0.5, (DRAWS, *k.shape)), k, n)
    effect = shapley_effects(rates[0], rates[1])
    lower, upper = np.quantile(shapley_effects(drawn[:, 0], drawn[:, 1]), [0.025, 0.975], axis=0)
    known = ~np.isnan(effect)
    overall = rates.prod(axis=-1)
    df = sum(frame["df"].min() for frame in (before, after) if "df" in frame)
    return after[STEP].assign(
        before=rates[0],
        after=rates[1],
        effect=effect,
        # a rate of exactly 0 or 1 lies outside its own posterior's quantiles
        ci_lower=np.where(known, np.fmin(lower, effect), -1.0),
        ci_upper=np.where(known, np.fmax(upper, effect), 1.0),
        overall_before=overall[0],
        overall_after=overall[1],
        **_whole_change(overall, drawn.prod(axis=-1), df),
    )


def _whole_change(overall: Array, drawn: Array, df: float) -> dict[str, float | str]:
    """Limits of the change of the overall conversion, and whether it changed; Student's where scatter is estimated."""
    change, error = overall[1] - overall[0], np.std(drawn[:, 1] - drawn[:, 0])

    def limits(probability: float) -> Array:
        return change + stats.t.ppf(0.5 + probability / 2, df or np.inf) * error * np.array([-1, 1])

    beyond, sided, shown = limits(1 - CHANGE), limits(SIDED), limits(0.95)
    shifted = error > 0 and (beyond[0] > 0 or beyond[1] < 0)
    # a tenth of nothing is no margin, and where nobody could pass nothing is ruled out
    margin = ALIKE * overall[0] if error > 0 and overall[0] > 0 else np.finfo(float).tiny
    changed = answers(shifted, sided[0], sided[1], margin).item() if error > 0 else UNTOLD
    return {"overall_lower": shown[0], "overall_upper": shown[1], "changed": changed}


def shapley_effects(before: npt.ArrayLike, after: npt.ArrayLike) -> Array:
    """How much each factor (last axis) added to the change of the factors' product.

    The mean of a factor's contribution over all orders in which the factors may change. It equals its change x
    the integral of the product of the others along the straight way from before to after, a polynomial,
    which Gauss and Legendre's rule gives exactly: no orders are listed and zeros do no harm.

    >>> shapley_effects([51.78746, 0.45919, 0.52638], [84.90502, 0.75756, 0.51065]).round(4).tolist()
    [10.434, 10.5608, -0.667]
    """
    first, last = np.broadcast_arrays(np.asarray(before, dtype=float), np.asarray(after, dtype=float))
    factors = first.shape[-1]
    nodes, weights = np.polynomial.legendre.leggauss(factors // 2 + 1)
    change = last - first
    mean = np.zeros(first.shape)
    for place, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        at = first + place * change
        ones = np.ones((*at.shape[:-1], 1))
        ahead = np.cumprod(np.concatenate([ones, at[..., :-1]], axis=-1), axis=-1)
        behind = np.cumprod(np.concatenate([ones, at[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
        mean += weight * ahead * behind
    return change * mean


def _filled(rates: Array, k: Array, n: Array) -> Array:
    """Rates (..., period, step); what comes after a step that nobody passed cannot matter: any number will do."""
    seen = share(k, n)
    unreachable = np.isnan(seen) & (np.cumprod(np.nan_to_num(seen, nan=1.0), axis=-1) == 0)
    other = np.nan_to_num(np.where((n > 0)[::-1], rates[..., ::-1, :], 0.0))
    return np.where(np.isnan(seen), np.where(unreachable, other, np.nan), rates)
