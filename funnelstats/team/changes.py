"""Why the conversion from first stage to last changed between two periods: which step, which mix of leads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import effective_counts
from funnelstats.core.conversion import MEASURED
from funnelstats.core.intervals import SIDED, UNTOLD, Array, answers, checked_level, share

STEP = ["from_stage", "to_stage"]
DRAWS = 2000
CHANGE = 0.005
"""How often a page may say that the way changed where it did not: 26 pages in a row then say so in .02 to .07 of
half-years, at .05 in .3 to .4."""

ALIKE = 0.1
"""Part of the overall conversion by which it may have changed and still be called the same."""


def explain_change(before: pd.DataFrame, after: pd.DataFrame, *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """What each step, and the mix of segments, added to the change of the overall conversion.

    Takes the step counts of two periods **at the same age** (the same horizons, all matured, or
    ``incidence_at`` of both), ``[segment], from_stage, to_stage, entered, converted``, with one segment column
    of any name or none. Overall conversion is the product of the step rates; with segments their mean, each
    segment weighted by its share of the leads entering the first step. Returns one row per segment and step
    (``part`` "rate") and one per segment (``part`` "mix", stages empty):

    ``[segment], part, from_stage, to_stage, before, after, effect, ci_lower, ci_upper, overall_before,
    overall_after, overall_lower, overall_upper, changed``; before and after are the step's rate, of a mix row the
    segment's share. ``changed`` is the page's one decision on the overall conversion: "yes" beyond chance at .005, so
    that a half-year of weekly pages says so falsely in at most one case of ten; "no" where it changed by less than a
    tenth of itself (two one-sided tests at 5 %); "cannot tell". Its limits are at ``level``. Only where it is "yes" do
    the effects explain anything.

    Effects are Shapley values: they add up to the change, whatever the order in which steps are taken, and a
    step that did not change has none. The mix effect of a segment is the change of its share x how much better
    than all leads it converts. A rate that nobody entered for is taken from the segment's other period, then
    from all leads; where all leads have none either, everything is missing, with [-1, 1].
    Limits are quantiles of seeded Beta(k + .5, n - k + .5) draws of all rates; shares are counted, not drawn.
    Sources: Das Gupta 1993; Shorrocks 2013.
    """
    (segment, names, steps), (k, n), shares = _two_periods(before, after)
    found, overall = _effects(share(k, n), shares, k, n)
    posterior = np.random.default_rng(seed).beta(k + 0.5, n - k + 0.5, (DRAWS, *k.shape))
    drawn, overalls = _effects(posterior, shares, k, n)
    tail = (1 - checked_level(level)) / 2
    lower, upper = np.quantile(drawn, [tail, 1 - tail], axis=0) if drawn.size else (found, found)
    known = ~np.isnan(found)
    whole = _whole_change(
        overall, overalls, sum(frame["df"].min() for frame in (before, after) if "df" in frame), level
    )
    # a rate of exactly 0 or 1 lies outside its own posterior's quantiles
    lower, upper = np.fmin(lower, found), np.fmax(upper, found)

    filled = _filled(share(k, n), k, n)
    values = np.concatenate([shares[..., None], filled], axis=-1)
    labels = pd.DataFrame([("mix", "", ""), *[("rate", *step) for step in steps]], columns=["part", *STEP])
    frame = (
        pd.DataFrame({segment: names})
        .merge(labels, how="cross")
        .assign(
            before=values[0].ravel(),
            after=values[1].ravel(),
            effect=found.ravel(),
            ci_lower=np.where(known, lower, -1.0).ravel(),
            ci_upper=np.where(known, upper, 1.0).ravel(),
            overall_before=overall[0],
            overall_after=overall[1],
            **whole,
        )
    )
    if segment:
        return frame
    return frame[frame["part"] == "rate"].drop(columns=segment).reset_index(drop=True)


def _whole_change(overall: Array, drawn: Array, df: float, level: float) -> dict[str, float | str]:
    """Limits of the change of the overall conversion, and whether it changed; Student's where scatter is estimated."""
    change, error = overall[1] - overall[0], np.std(drawn[:, 1] - drawn[:, 0])

    def limits(probability: float) -> Array:
        return change + stats.t.ppf(0.5 + probability / 2, df or np.inf) * error * np.array([-1, 1])

    beyond, sided, shown = limits(1 - CHANGE), limits(SIDED), limits(level)
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


def _effects(rates: Array, shares: Array, k: Array, n: Array) -> tuple[Array, Array]:
    """Effects of share and steps by segment, and the overall conversion of both periods."""
    filled = _filled(rates, k, n)
    factors = np.concatenate([np.broadcast_to(shares, filled.shape[:-1])[..., None], filled], axis=-1)
    overall = np.prod(factors, axis=-1).sum(axis=-1)
    effects = shapley_effects(factors[..., 0, :, :], factors[..., 1, :, :])
    # shares sum to 1 in both periods, so measuring each against the overall conversion changes no total
    effects[..., 0] -= (shares[1] - shares[0]) * overall.mean(axis=-1)[..., None]
    return effects, overall


def _filled(rates: Array, k: Array, n: Array) -> Array:
    """Rates (..., period, segment, step), where nobody entered replaced by the next best known."""
    known = n > 0
    everybody = share(k.sum(axis=1), n.sum(axis=1))
    stopped = np.cumprod(np.nan_to_num(everybody, nan=1.0), axis=-1) == 0
    # what comes after a step that nobody passed cannot matter: any number will do
    everybody = np.where(np.isnan(everybody) & stopped, 0.0, everybody)[:, None, :]
    other = np.where(known[::-1], rates[..., ::-1, :, :], everybody)
    return np.where(np.isnan(everybody), np.nan, np.where(known, rates, other))


def _two_periods(
    before: pd.DataFrame, after: pd.DataFrame
) -> tuple[tuple[str, list[str], list[tuple[str, str]]], tuple[Array, Array], Array]:
    """Segment column, segments and steps; conversions and leads by period, segment, step; segments' shares."""
    columns = [[str(column) for column in frame if column not in (*MEASURED, *STEP)] for frame in (before, after)]
    if columns[0] != columns[1] or len(columns[0]) > 1:
        raise ValueError(f"both periods need the same segment column, one or none, got {columns[0]} and {columns[1]}")
    segment = columns[0][0] if columns[0] else ""
    frames = [frame if segment else frame.assign(**{"": MISSING}) for frame in (before, after)]
    frames = [frame.assign(**{segment: frame[segment].fillna(MISSING)}) for frame in frames]
    for frame in frames:
        if frame.duplicated([segment, *STEP]).any():
            raise ValueError("one row per segment and step is needed, got several; sum the counts first")
    both = pd.concat(frames)
    names = sorted(both[segment].unique(), key=lambda name: (name == MISSING, name))
    steps = _chain(both[STEP].drop_duplicates())
    k, n, entered = np.zeros((3, 2, len(names), len(steps)))
    for period, frame in enumerate(frames):
        row = np.array([names.index(name) for name in frame[segment]], dtype=int)
        place = np.array(
            [steps.index(step) for step in zip(frame["from_stage"], frame["to_stage"], strict=True)], dtype=int
        )
        k[period, row, place], n[period, row, place] = effective_counts(frame)
        entered[period, row, place] = frame["entered"]
    first = entered[..., 0] if steps else np.zeros((2, len(names)))
    return (segment, names, steps), (k, n), share(first, first.sum(axis=1, keepdims=True))


def _chain(steps: pd.DataFrame) -> list[tuple[str, str]]:
    """The steps in order, each beginning where the one before ended."""
    following = dict(zip(steps["from_stage"], steps["to_stage"], strict=True))
    first = [stage for stage in following if stage not in set(following.values())]
    chain: list[tuple[str, str]] = []
    while len(first) == 1 and len(chain) < len(steps) and (stage := chain[-1][1] if chain else first[0]) in following:
        chain.append((stage, following[stage]))
    if len(chain) != len(steps):
        found = ", ".join(f"{before} > {after}" for before, after in following.items())
        raise ValueError(f"steps must follow one another from the first stage to the last, got {found}")
    return chain
