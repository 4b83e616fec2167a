"""Rates at equal leads: how often their ranges hold, and what is said of weak managers with hard leads."""

from __future__ import annotations

import numpy as np
import pandas as pd
from claims import Claim
from scipy import special

from funnelstats.stated.intervals import wilson_interval
from funnelstats.statistics.casemix import case_mix

MANAGERS, RUNS = 8, 150


def rates_at_equal_leads() -> list[Claim]:
    """Eight managers, each with skill and a mix of leads of their own; kinds from half as easy to twice."""
    rng = np.random.default_rng(31)
    claims = []
    for leads, kinds in ((20, 6), (60, 24), (60, 80), (260, 6), (260, 80), (2000, 24), (20_000, 6), (20_000, 24)):
        held = []
        for _ in range(RUNS):
            entered, converted, rates = _team_of(rng, leads, kinds, base=rng.choice([0.5, 0.8, 0.95]))
            found = case_mix(_strata(entered, converted))
            weight = (entered > 0) * entered.sum(axis=0)
            weight = weight / weight.sum(axis=1, keepdims=True)
            others = entered.sum(axis=0) - entered
            expected = ((entered * rates).sum(axis=0) - entered * rates) / np.maximum(others, 1)
            both = entered * (others > 0)
            apart = (both * (rates - expected)).sum(axis=1) / both.sum(axis=1)
            held.append(
                [
                    found["ci_lower"].le(truth := (weight * rates).sum(axis=1)) & found["ci_upper"].ge(truth),
                    _mover_held(entered, converted, weight, truth),
                    found["mix_lower"].le(apart) & found["mix_upper"].ge(apart),
                ]
            )
        rate, mover, difference = np.mean(held, axis=(0, 2))
        setting = f"{leads:,} leads a manager of {kinds} kinds, 8 managers"
        claims += [
            Claim("Rate at the team's mix of leads", setting, ".95", rate, 0.93, 0.97),
            Claim("— from Wilson's limits of each kind, as it was before", setting, ".95", mover),
            Claim("Difference to the others at the manager's own mix", setting, ".95", difference, 0.93, 0.98),
        ]
    return claims


def weak_with_hard_leads() -> list[Claim]:
    """One of eight managers has harder leads, and is weaker in every kind of them, or is not."""
    rng = np.random.default_rng(32)
    claims = []
    for points in (0, 5, 10):
        for leads in (100, 400):
            rates = np.tile([0.85, 0.65], (MANAGERS, 1))
            rates[0] -= points / 100
            hard = np.full(MANAGERS, 0.4)
            hard[0] = 0.8
            said = np.zeros(3)
            for _ in range(400):
                entered = rng.multinomial(leads, np.column_stack([1 - hard, hard]))
                converted = rng.binomial(entered, rates)
                found = case_mix(_strata(entered, converted)).iloc[0]
                rest = (converted[1:].sum(), entered[1:].sum())
                harder = rest[0] / rest[1] - found["expected"] / found["entered"]
                # the floor where the others stand: what is missing is what the manager lacks against them
                missing = rest[0] / rest[1] - found["converted"] / found["entered"]
                said += [
                    found["mix_upper"] < 0,
                    found["mix_lower90"] > -0.05,
                    found["ratio_upper"] >= 1 and harder >= missing / 2,
                ]
            setting = f"{points} points weaker in every kind, {leads} leads, mostly hard ones"
            shown, none, before = said / 400
            limits = {0: (0, 0.04), 5: (None, None), 10: (None, None)}[points]
            claims += [
                Claim("Weak at equal leads", setting, "≤ .025" if not points else "", shown, *limits),
                Claim(
                    "No weaker than by 5 points at equal leads",
                    setting,
                    "≤ .05" if points else "",
                    none,
                    *((0, 0.065) if points else (None, None)),
                ),
                Claim("— “no weakness” as it was said before", setting, "", before),
            ]
    return claims


def _team_of(
    rng: np.random.Generator, leads: int, kinds: int, base: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leads, conversions and true rates of managers × kinds."""
    ease, skill = rng.normal(special.logit(base), 1.0, kinds), rng.normal(0, 0.5, (MANAGERS, 1))
    rates = special.expit(ease + skill)
    entered = np.stack([rng.multinomial(leads, rng.dirichlet(np.ones(kinds))) for _ in range(MANAGERS)])
    return entered, rng.binomial(entered, rates), rates


def _strata(entered: np.ndarray, converted: np.ndarray) -> pd.DataFrame:
    managers, kinds = entered.shape
    names = {"kind": np.tile(np.arange(kinds), managers), "manager": np.repeat(np.arange(managers), kinds)}
    return pd.DataFrame({**names, "entered": entered.ravel(), "converted": converted.ravel()})


def _mover_held(entered: np.ndarray, converted: np.ndarray, weight: np.ndarray, truth: np.ndarray) -> np.ndarray:
    lower, upper = wilson_interval(converted, entered)
    each = converted / np.maximum(entered, 1)
    rate = (weight * each).sum(axis=1)
    down, up = (np.sqrt((weight**2 * (each - limit) ** 2).sum(axis=1)) for limit in (lower, upper))
    return (rate - down <= truth) & (truth <= rate + up)


SIMULATIONS = (rates_at_equal_leads, weak_with_hard_leads)
