""" "His leads are easier": what each manager's leads would have brought the others, and rates at equal leads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special

from funnelstats.stated.intervals import Array, checked_level, poisson_ratio_interval, share, wilson_interval
from funnelstats.stated.shared import shared
from funnelstats.statistics.conversion import COUNTS

STEP = ("from_stage", "to_stage")
NODES = 41

FEWEST_COMPARABLE = 30
"""Effective leads at a step below which nobody teaches it or is said to need the lesson."""


@shared
def case_mix(strata: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Each manager's conversions beside those his leads would have brought the other managers.

    Takes counts by attributes known at stage entry: ``*attributes, manager, from_stage?, to_stage?, entered,
    converted``; every further column is taken for an attribute. One row per step and manager:

    - ``entered, converted``, ``expected`` from a logistic model of the attributes fitted **without** the
      manager, ``ratio, ratio_lower, ratio_upper`` of observed to expected (exact Poisson limits)
    - ``rate, n_eff, ci_lower, ci_upper``: directly standardised, as if all had the leads of the whole team
      (strata he never worked left out; MOVER), a rate frame for ``coaching_pairs`` or ``rate_difference``
    - ``adjusted, adjusted_lower, adjusted_upper``: the same question with few leads drawn to the team
      (random manager intercept, Gauss–Hermite quadrature, model's expectation as offset)
    - ``shared``: share of his leads in strata that other managers work too. Where it is low, skill and
      leads cannot be told apart, whatever the other columns say.
    """
    step = [column for column in STEP if column in strata]
    # without any attribute all leads are of one kind
    kinds = strata.assign(_kind=0)
    attributes = [str(c) for c in kinds if c not in (*STEP, "manager", *COUNTS)]
    if not step:
        return _one_step(kinds, attributes, level)
    parts = []
    for _, part in kinds.groupby(step, sort=False) if len(kinds) else [((), kinds)]:
        found = _one_step(part, attributes, level)
        for place, column in enumerate(step, start=1):
            found.insert(place, column, part[column].iloc[0] if len(part) else part[column])
        parts.append(found)
    return pd.concat(parts, ignore_index=True)


def at_equal_leads(mix: pd.DataFrame, managers: pd.DataFrame) -> pd.DataFrame:
    """The rates at equal leads, with the page's marks of whom it may name: a frame for ``coaching_pairs``.

    ``managers`` is a frame of ``page_verdicts``. Adds ``verdict`` (not ranked for system users, where no manager is
    named, and where leads are worth fewer than 30 comparable ones) and ``named`` (below target beyond doubt).
    """
    keys = ["manager", *STEP]
    marked = mix.merge(managers[[*keys, "verdict", "named"]], how="left", on=keys)
    few = marked["n_eff"].fillna(0) < FEWEST_COMPARABLE
    verdict = marked["verdict"].fillna("not ranked").mask(few, "not ranked")
    return marked.assign(verdict=verdict, named=marked["named"].eq(True) & (verdict != "not ranked"))


def _one_step(strata: pd.DataFrame, attributes: list[str], level: float) -> pd.DataFrame:
    managers = pd.Index(strata["manager"].unique(), name="manager")
    kinds = strata[attributes].drop_duplicates()
    who = managers.get_indexer(strata["manager"])
    where = strata.groupby(attributes, sort=False, dropna=False).ngroup().to_numpy()
    k, n = np.zeros((2, len(managers), len(kinds)))
    np.add.at(k, (who, where), strata["converted"].to_numpy(dtype=float))
    np.add.at(n, (who, where), strata["entered"].to_numpy(dtype=float))
    dummies = pd.get_dummies(kinds.astype(str), drop_first=True, dtype=float).to_numpy()
    logit = _without_each(np.column_stack([np.ones(len(kinds)), dummies]), k, n)
    observed, entered = k.sum(axis=1), n.sum(axis=1)
    others = n.sum(axis=0) - n
    comparable = (entered > 0) & (others.sum(axis=1) > 0)
    expected = np.where(comparable, (n * special.expit(logit)).sum(axis=1), np.nan)
    ratio_lower, ratio_upper = poisson_ratio_interval(observed, expected, level)
    found = pd.DataFrame(
        {
            "manager": managers,
            "entered": entered.astype(int),
            "converted": observed.astype(int),
            "expected": expected,
            "ratio": share(observed, expected),
            "ratio_lower": ratio_lower,
            "ratio_upper": ratio_upper,
        }
    )
    return found.assign(
        **_standardised(k, n, level),
        **_adjusted(k, n, logit, comparable, level),
        shared=share((n * (others > 0)).sum(axis=1), entered),
    )


def _without_each(design: Array, k: Array, n: Array) -> Array:
    """Logit of every stratum by a logistic model of all managers but one, for each manager: IRLS at once."""
    success, trials = k.sum(axis=0) - k, n.sum(axis=0) - n
    beta = np.zeros((len(k), design.shape[1]))
    # so small that it matters only where the others have no such lead, whose effect is then 0
    ridge = 1e-6 * np.eye(design.shape[1])
    for _ in range(30):
        eta = np.clip(beta @ design.T, -15, 15)
        p = special.expit(eta)
        gradient = (success - trials * p) @ design - 1e-6 * beta
        hessian = np.einsum("ms,sp,sq->mpq", trials * p * (1 - p), design, design, optimize=True) + ridge
        move = np.linalg.solve(hessian, gradient[..., np.newaxis])[..., 0]
        beta = beta + np.clip(move, -4, 4)
        if np.abs(move).max(initial=0.0) < 1e-9:
            break
    return np.clip(beta @ design.T, -15, 15)


def _standardised(k: Array, n: Array, level: float) -> dict[str, Array]:
    """Rates at the team's mix of leads, by MOVER over the strata that a manager worked."""
    worked = n > 0
    weight = worked * n.sum(axis=0)
    weight = weight / np.where(worked.any(axis=1), weight.sum(axis=1), 1.0)[:, np.newaxis]
    lower, upper = wilson_interval(k, n, level)
    rates = np.where(worked, share(k, n), 0.0)
    rate = np.minimum((weight * rates).sum(axis=1), 1.0)
    down, up = (np.sqrt((weight**2 * (rates - limit) ** 2).sum(axis=1)) for limit in (lower, upper))
    team = np.nan_to_num(share(k.sum(axis=0), n.sum(axis=0)))
    mean = (weight * team).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(worked, weight**2 * team * (1 - team) / n, 0.0).sum(axis=1)
        n_eff = np.where(variance > 0, mean * (1 - mean) / variance, n.sum(axis=1))
    known = worked.any(axis=1)
    return {
        "rate": np.where(known, rate, np.nan),
        "n_eff": np.where(known, n_eff, np.nan),
        "ci_lower": np.where(known, np.maximum(rate - down, 0), 0.0),
        "ci_upper": np.where(known, np.minimum(rate + up, 1), 1.0),
    }


def _adjusted(k: Array, n: Array, logit: Array, comparable: npt.NDArray[np.bool_], level: float) -> dict[str, Array]:
    """Rates at the team's mix with a random intercept per manager, its spread by maximum likelihood."""
    nodes, weights = np.polynomial.hermite.hermgauss(NODES)
    z, mass = np.sqrt(2) * nodes, weights / np.sqrt(np.pi)

    def likelihood(spread: float) -> Array:
        eta = logit[..., np.newaxis] + spread * z
        return np.asarray((k[..., np.newaxis] * eta - n[..., np.newaxis] * np.logaddexp(0, eta)).sum(axis=1))

    def cost(log_spread: float) -> float:
        return -float(special.logsumexp(likelihood(np.exp(log_spread)), b=mass, axis=1)[comparable].sum())

    spread = np.exp(optimize.minimize_scalar(cost, bounds=(-5, 1), method="bounded").x) if len(k) else 0.0
    log = likelihood(spread) + np.log(mass)
    posterior = np.exp(log - special.logsumexp(log, axis=1, keepdims=True))
    mean = posterior @ (spread * z)
    sd = np.sqrt(np.maximum(posterior @ (spread * z) ** 2 - mean**2, 0))
    mix = n.sum(axis=0) / max(n.sum(), 1)
    width = special.ndtri(0.5 + checked_level(level) / 2) * sd
    found = {}
    for name, shift, unknown in (
        ("adjusted", 0.0, np.nan),
        ("adjusted_lower", -width, 0.0),
        ("adjusted_upper", width, 1.0),
    ):
        rate = (mix * special.expit(logit + (mean + shift)[:, np.newaxis])).sum(axis=1)
        found[name] = np.where(comparable, rate, unknown)
    return found
