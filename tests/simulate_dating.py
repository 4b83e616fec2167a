"""Rates at equal leads, what is said of weak managers, since when a step leaks, alarms of weeks that scatter."""

import numpy as np
import pandas as pd
from claims import FLOORS, HALF_YEAR, STAGES, Claim, funnel_of
from scipy import special

from funnelstats.core.casemix import case_mix
from funnelstats.team.changes import e_alarms, e_benjamini_hochberg, since_when

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
                    found["mix_lower"].le(apart) & found["mix_upper"].ge(apart),
                ]
            )
        rate, difference = np.mean(held, axis=(0, 2))
        setting = f"{leads:,} leads a manager of {kinds} kinds, 8 managers"
        claims += [
            Claim("Rate at the team's mix of leads", setting, ".95", rate, 0.93, 0.97),
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
            said = np.zeros(2)
            for _ in range(400):
                entered = rng.multinomial(leads, np.column_stack([1 - hard, hard]))
                converted = rng.binomial(entered, rates)
                found = case_mix(_strata(entered, converted)).iloc[0]
                said += [found["mix_upper"] < 0, found["mix_lower90"] > -0.05]
            setting = f"{points} points weaker in every kind, {leads} leads, mostly hard ones"
            shown, none = said / 400
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
            ]
    return claims


def weeks_of_a_fall() -> list[Claim]:
    """A step at 80 % falls below its floor in any week but the first and last four."""
    rng = np.random.default_rng(33)
    runs, claims = 1200, []
    for alike in (0, 0.02, 0.05):
        for leads, points, many in ((5, 20, 39), (15, 20, 39), (60, 8, 26), (60, 15, 26), (60, 20, 39), (200, 15, 26)):
            at = rng.integers(4, many - 3, runs)
            rates = np.where(np.arange(many) < at[:, None], 0.8, 0.8 - points / 100)
            weeks = _weeks_of(*_scattered(rng, rng.poisson(leads, rates.shape)[:, None], rates[:, None], alike), 1)
            found = since_when(weeks, funnel_of((0.8,)))
            first, last, week = (
                (found[name] - weeks["week"].min()).dt.days / 7 for name in ("since_lower", "since_upper", "since")
            )
            alarm = found["alarm"].to_numpy()
            held = ((first <= at) & (at <= last))[alarm].mean()
            off = ((week - at).abs() >= 4)[alarm].mean()
            setting = f"{leads} leads a week, {points} points, {many} weeks, correlation {alike}"
            claims += [
                Claim("Falls that alarm at the end of the weeks", setting, "", alarm.mean()),
                *(
                    [Claim("Alarms whose range holds the week", setting, ".95", held, 0.88, 1.0)]
                    if alarm.sum() > 60
                    else []
                ),
                Claim("Alarms whose likeliest week is 4 or more off", setting, "", off),
            ]
    return claims


def false_beginnings() -> list[Claim]:
    """Teams of four steps exactly at their floors, or 10 points below all along: half-years of looking each week."""
    rng = np.random.default_rng(34)
    runs, claims = 250, []
    for alike in (0, 0.02, 0.05):
        for leads in (15, 200):
            shape = (runs, 4, 2 * HALF_YEAR - 1)
            rates = np.broadcast_to(np.array(FLOORS)[:, None], shape)
            entered, converted = _scattered(rng, rng.poisson(leads, shape), rates, alike)
            ever = np.zeros(runs, dtype=bool)
            early = []
            for week in range(HALF_YEAR):
                part = np.s_[:, :, week : week + HALF_YEAR]
                found = since_when(_weeks_of(entered[part], converted[part], 4), funnel_of(FLOORS))
                ever |= found["alarm"].to_numpy().reshape(runs, 4).any(axis=1)
                early.append(found["at_start"].mean())
            setting = f"four steps at their floors, {leads} leads a week, correlation {alike}"
            below = _scattered(rng, rng.poisson(leads, (runs, 4, HALF_YEAR)), rates[:, :, :HALF_YEAR] - 0.1, alike)
            found = since_when(_weeks_of(*below, 4), funnel_of(FLOORS))
            claims += [
                Claim("Half-years with any “since when” of the team", setting, "≤ .10", ever.mean(), 0, 0.14),
                Claim("Steps said to be low from the first weeks on", setting, "≤ .05", float(np.mean(early)), 0, 0.09),
                Claim(
                    "Dates given to a step that was 10 points below all along",
                    f"{leads} leads a week, correlation {alike}",
                    "",
                    found["alarm"].mean(),
                    0,
                    0.03,
                ),
            ]
    return claims


def e_alarms_of_scattering_weeks() -> list[Claim]:
    """Half-years of forty cells exactly at their floors, weeks of a correlation by which leads are divided."""
    rng = np.random.default_rng(35)
    runs, claims = 60, []
    for leads in (15, 200):
        for alike in (0.01, 0.02, 0.05):
            shape = (runs, 40, 2 * HALF_YEAR)
            rates = np.broadcast_to(np.repeat(FLOORS, 10)[:, None], shape)
            entered, converted = _scattered(rng, rng.poisson(leads, shape), rates, alike)
            spread = 1 + leads * alike
            ever = np.zeros(runs, dtype=bool)
            for week in range(HALF_YEAR, 2 * HALF_YEAR, 3):
                part = np.s_[:, :, : week + 1]
                weeks = _weeks_of(entered[part], converted[part], 40)
                cells = weeks[["case", "from_stage", "to_stage"]].drop_duplicates()
                found = e_alarms(weeks, funnel_of(FLOORS), rates=cells.assign(dispersion=spread))
                pages = found["e_value"].to_numpy().reshape(runs, 40)
                ever |= [bool(e_benjamini_hochberg(page).any()) for page in pages]
            setting = f"forty cells at their floors, {leads} leads a week, correlation {alike}"
            claims += [
                Claim(
                    "Half-years with any e-alarm, leads divided by the dispersion",
                    setting,
                    "≤ .05",
                    ever.mean(),
                    0,
                    0.1,
                ),
            ]
    return claims


def _scattered(
    rng: np.random.Generator, entered: np.ndarray, rates: np.ndarray, alike: float
) -> tuple[np.ndarray, np.ndarray]:
    """Leads and conversions of weeks whose leads are alike: beta-binomial with that correlation."""
    size = 1 / alike - 1 if alike else 0
    own = rng.beta(rates * size, (1 - rates) * size) if alike else rates
    return entered, rng.binomial(entered, own)


def _weeks_of(entered: np.ndarray, converted: np.ndarray, cells: int) -> pd.DataFrame:
    """Counts (run, cell, week) as the frame of since_when; a fourth of the cells for each of four steps."""
    runs, _, weeks = entered.shape
    step = np.arange(cells) * 4 // cells if cells > 1 else np.zeros(1, dtype=int)
    mondays = pd.date_range("2026-01-05", periods=weeks, freq="7D")
    # the cell's number comes first, so that rows go by run and cell
    return pd.DataFrame(
        {
            "case": np.repeat(np.arange(runs * cells), weeks),
            "week": np.tile(mondays, runs * cells),
            "from_stage": np.repeat(np.tile(np.array(STAGES)[step], runs), weeks),
            "to_stage": np.repeat(np.tile(np.array(STAGES)[step + 1], runs), weeks),
            "entered": entered.ravel(),
            "converted": converted.ravel(),
        }
    )


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


SIMULATIONS = (
    rates_at_equal_leads,
    weak_with_hard_leads,
    weeks_of_a_fall,
    false_beginnings,
    e_alarms_of_scattering_weeks,
)
