""" "His leads are easier": what each manager's leads would have brought the others, and rates at equal leads."""

import numpy as np
import pandas as pd
from scipy import special

from funnelstats.config.errors import need
from funnelstats.core.comparing import NOT_RANKED
from funnelstats.core.conversion import COUNTS, STEP
from funnelstats.core.intervals import Array, mover_difference, poisson_ratio_interval, share, wilson_interval

OWN = 4
"""Leads as the team's that stand beside a manager's own of a kind, for what chance does there.

With none the range of a standardised rate holds .83 to .91 where kinds have a lead or two, with four .93 to .96.
"""

FEWEST_COMPARABLE = 30
"""Effective leads at a step below which nobody teaches it or is said to need the lesson."""


def case_mix(strata: pd.DataFrame, *, level: float = 0.95, dispersion: float = 1.0) -> pd.DataFrame:
    """Each manager's conversions beside those their leads would have brought the other managers.

    Takes counts by attributes known at stage entry: ``*attributes, manager, from_stage?, to_stage?, entered,
    converted``; every further column is taken for an attribute. One row per step and manager:

    - ``entered, converted``, ``expected`` from a logistic model of the attributes fitted **without** the
      manager, ``ratio, ratio_lower, ratio_upper`` of observed to expected (exact Poisson limits)
    - ``rate, n_eff, ci_lower, ci_upper``: directly standardised, as if all had the leads of the whole team
      (kinds they never worked left out; Wilson on n_eff), a rate frame for ``coaching_pairs``
    - ``mix_difference, mix_lower, mix_upper`` (MOVER) and ``mix_lower90, mix_upper90``: their rate less that of all
      the others with **the same** mix of leads, over the kinds that both worked: below 0 they are weak at equal leads,
      and where the lower limit at 90 % lies above −m no weaker than by m (two one-sided tests at 5 %)
    - ``shared``: share of their leads in strata that other managers work too. Where it is low, skill and
      leads cannot be told apart, whatever the other columns say.

    ``dispersion`` is that of the weeks the leads are from (at least 1): all limits are those of so many times
    fewer leads. The model's own error is not in the limits of the ratio.

    >>> strata = fs.step_counts(fs.with_leads(paths, tables.leads), spec, day, by=["manager", *spec.base])
    >>> mix = fs.case_mix(strata)
    >>> mix[["manager", "to_stage", "converted", "expected", "ratio"]].head(2).round(2)
         manager to_stage  converted  expected  ratio
    0  Anna Berg      met        533    508.05   1.05
    1  CRM robot      met         60     57.95   1.04
    """
    need(strata, "strata", "manager", "entered", "converted")
    step = [column for column in STEP if column in strata]
    # without any attribute all leads are of one kind
    kinds = strata.assign(_kind=0)
    attributes = [str(c) for c in kinds if c not in (*STEP, "manager", *COUNTS)]
    if not step:
        return _one_step(kinds, attributes, level, dispersion)
    parts = []
    for _, part in kinds.groupby(step, sort=False) if len(kinds) else [((), kinds)]:
        found = _one_step(part, attributes, level, dispersion)
        for place, column in enumerate(step, start=1):
            found.insert(place, column, part[column].iloc[0] if len(part) else part[column])
        parts.append(found)
    return pd.concat(parts, ignore_index=True)


def at_equal_leads(mix: pd.DataFrame, managers: pd.DataFrame) -> pd.DataFrame:
    """The rates at equal leads, with the page's marks of whom it may name: a frame for ``coaching_pairs``.

    ``managers`` is a frame of ``page_verdicts``, whose ``entered`` counts leads that still have time too. Adds
    ``verdict`` (not ranked for system users, where no manager is named, and where leads are worth fewer than 30
    comparable ones) and ``named`` (below target beyond doubt).

    >>> fs.at_equal_leads(found.mix, managers)[["manager", "to_stage", "rate", "n_eff", "named"]].head(2).round(3)
         manager to_stage   rate    n_eff  named
    0  Anna Berg      met  1.000  162.708  False
    1  CRM robot      met  0.991   23.983  False
    """
    keys = ["manager", *STEP]
    need(mix, "mix", *keys, "n_eff")
    need(managers, "managers", *keys, "entered", "verdict", "named")
    own = managers[[*keys, "entered", "verdict", "named"]]
    marked = mix.drop(columns="entered").merge(own, how="left", on=keys)
    few = marked["n_eff"].fillna(0) < FEWEST_COMPARABLE
    verdict = marked["verdict"].fillna(NOT_RANKED).mask(few, NOT_RANKED)
    return marked.assign(verdict=verdict, named=marked["named"].eq(True) & (verdict != NOT_RANKED))


def _one_step(strata: pd.DataFrame, attributes: list[str], level: float, dispersion: float) -> pd.DataFrame:
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
    ratio_lower, ratio_upper = poisson_ratio_interval(observed / dispersion, expected / dispersion, level)
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
        **_standardised(k, n, level, dispersion),
        **_at_own_mix(k, n, level, dispersion),
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


def _standardised(k: Array, n: Array, level: float, dispersion: float) -> dict[str, Array]:
    """Rates at the team's mix of leads, over the kinds that a manager worked."""
    worked = n > 0
    weight = worked * n.sum(axis=0)
    weight = share(weight, weight.sum(axis=1, keepdims=True))
    rate, n_eff = _weighted(k, n, weight, _team(k, n))
    n_eff = n_eff / dispersion
    lower, upper = wilson_interval(np.nan_to_num(rate * n_eff), np.nan_to_num(n_eff), level)
    return {"rate": rate, "n_eff": n_eff, "ci_lower": lower, "ci_upper": upper}


def _at_own_mix(k: Array, n: Array, level: float, dispersion: float) -> dict[str, Array]:
    """Each manager's rate less that of all the others with the same mix, over the kinds that both worked."""
    others_k, others_n = k.sum(axis=0) - k, n.sum(axis=0) - n
    both = n * (others_n > 0)
    leads = both.sum(axis=1)
    own = share((k * (others_n > 0)).sum(axis=1), leads)
    other, n_eff = _weighted(others_k, others_n, share(both, leads[:, np.newaxis]), _team(k, n))
    found = {"mix_difference": own - other}
    for name, certain in (("", level), ("90", 0.9)):
        sides = [
            (rate, *wilson_interval(np.nan_to_num(rate * size), np.nan_to_num(size), certain))
            for rate, size in ((own, leads / dispersion), (other, n_eff / dispersion))
        ]
        found[f"mix_lower{name}"], found[f"mix_upper{name}"] = mover_difference(*sides)
    return found


def _team(k: Array, n: Array) -> Array:
    """The team's rate of each kind, a kind of few leads drawn to that of all."""
    whole = np.nan_to_num(share(k.sum(), n.sum()))
    return np.asarray((k.sum(axis=0) + OWN * whole) / (n.sum(axis=0) + OWN))


def _weighted(k: Array, n: Array, weight: Array, team: Array) -> tuple[Array, Array]:
    """Rates with kinds so weighted, and the leads of one kind that would tell them as surely.

    What chance does to a kind of one or two leads is not told by its own rate, mostly 0 or 1: four leads that
    convert as the team's stand beside them.
    """
    rate = np.clip((weight * np.nan_to_num(share(k, n))).sum(axis=1), 0, 1)
    likely = (k + OWN * team) / (n + OWN)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(weight > 0, weight**2 / n, 0.0)
        mean = (weight * likely).sum(axis=1)
        variance = (each * likely * (1 - likely)).sum(axis=1)
        n_eff = np.where(variance > 0, mean * (1 - mean) / variance, 1 / each.sum(axis=1))
    known = ~np.isnan(weight).any(axis=1)
    return np.where(known, rate, np.nan), np.where(known, n_eff, np.nan)
