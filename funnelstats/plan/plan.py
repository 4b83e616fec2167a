"""How many leads a plan needs, what the usual sum would deliver, and what becomes of 100 leads on the list.

Deals of the open leads and of the new ones are one sum: they share the rates, whose errors add up, and not the
luck, whose variances do. So many new leads are asked for that this sum makes the goal with the certainty asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from funnelstats.plan.forecast import ALL
from funnelstats.plan.goals import Goal, at_least, beta_binomial, beta_of_product, fewest

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

FEWEST_DEALS = 5
"""Below so many deals seen a plan is a range and no number."""
USUAL, AS_NOW = PLAN_WORDS = ("deals ÷ rate", "as now")


def plan_leads(
    chance: pd.DataFrame, forecast: pd.DataFrame, goal: Goal, *, probabilities: Sequence[float] = (0.8, 0.9)
) -> pd.DataFrame:
    """How many new leads the goal needs at each certainty, and what other plans would really deliver.

    Takes the frames of ``new_lead_chance`` and ``forecast_open``. Returns a row for each certainty; one for
    "deals ÷ rate", which divides what the pipeline is expected to leave by the plain rate; one for "as now", as
    many leads a week as of late:

    - ``plan, certainty`` (missing in those two), ``pipeline`` (deals the open leads are expected to bring),
      ``remaining``, ``leads`` (infinite where no number is enough)
    - ``leads_lower, leads_upper``: only below five deals seen, where ``leads`` is missing: the remaining deals
      over the limits of the chance at 95 %, the open ones bringing most or least
    - ``a_week, a_day``: of five working days, and of one
    - ``delivers``: probability that so many leads make the goal; ``expected``: deals, the pipeline's included
    """
    new, old = chance.iloc[0], forecast[forecast["stage"] == ALL].iloc[0]
    few = new["deals"] < FEWEST_DEALS
    mean = 0.0 if np.isnan(old["expected"]) else old["expected"]
    plans = pd.DataFrame({"plan": [*(f"{sure:.0%}" for sure in probabilities), USUAL, AS_NOW]})
    plans = plans.assign(certainty=[*probabilities, np.nan, np.nan], pipeline=mean)
    remaining = (goal.deals - plans["pipeline"]).clip(lower=0)
    leads = [_leads(goal.deals, sure, new, old) for sure in probabilities]
    leads += [_plain(remaining.iloc[-1], new["rate"]), float(np.floor(new["leads_a_week"] * goal.days / 7))]
    certain = pd.Series(leads)
    certain = certain.mask((certain > 0) & few & (plans["plan"] != AS_NOW))
    limits = stats.beta.ppf([0.975, 0.025], new["a"], new["b"]) if new["a"] > 0 else np.array([0.0, 0.0])
    rest = (goal.deals - old[["deals_upper", "deals_lower"]].to_numpy(dtype=float)).clip(min=0)
    lower, upper = (_plain(*pair) if few else np.nan for pair in zip(rest, limits, strict=True))
    days = float(new["working_days"]) or np.nan
    return plans.assign(
        remaining=remaining,
        leads=certain,
        leads_lower=lower,
        leads_upper=upper,
        a_week=5 * certain / days,
        a_day=certain / days,
        delivers=[_delivers(goal.deals, number, new, old) for number in certain],
        expected=mean + certain.where(np.isfinite(certain)) * new["chance"],
    )


def finite(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with missing where a number is infinite, for tables: no number of leads is enough there."""
    return frame.replace([np.inf, -np.inf], np.nan)


def _plain(deals: float, rate: float) -> float:
    if deals <= 0 or np.isnan(rate):
        return 0.0 if deals <= 0 else float("nan")
    return float(np.ceil(deals / rate - 1e-9)) if rate > 0 else float("inf")


def _leads(deals: int, sure: float, new: pd.Series, old: pd.Series) -> float:
    """The smallest number of new leads that makes the deals with this certainty; NaN where it cannot be told."""
    if not 0 < sure < 1:
        raise ValueError(f"probability must lie between 0 and 1, got {sure}; for 90 % write 0.9")
    if _delivers(deals, 0, new, old) >= sure:
        return 0.0
    if np.isnan(new["chance"]) or new["chance"] <= 0:
        return float("inf") if new["chance"] <= 0 else float("nan")
    return fewest(lambda leads: _delivers(deals, leads, new, old) >= sure)


def _delivers(deals: int, leads: float, new: pd.Series, old: pd.Series) -> float:
    """Probability that pipeline and new leads together make the deals."""
    if not np.isfinite(leads) or (leads > 0 and np.isnan(new["chance"])):
        return float("nan")
    names = [name for name in new.index if name.startswith("error_")]
    mean, own, errors = 0.0, 0.0, np.zeros(len(names))
    if pd.notna(old["expected"]):
        mean, own, errors = float(old["expected"]), float(old["own"]), old[names].to_numpy(dtype=float)
    if leads > 0:
        mean, own = mean + leads * new["chance"], own + leads * new["chance"] * (1 - new["chance"])
        errors = errors + leads * new[names].to_numpy(dtype=float)
    if mean <= 0:
        return float(deals <= 0)
    return at_least(deals, *beta_binomial(mean, own, float((errors**2).sum())))


def funnel_arithmetic(rates: pd.DataFrame, funnel: Funnel, *, listed: int = 100) -> pd.DataFrame:
    """Of 100 leads on the list, how many reach each stage: as agreed, and as it really goes.

    ``rates`` is a frame of ``plan_rates``. Returns ``stage, agreed`` (the product of targets, missing from a step
    without one on), ``really, really_lower, really_upper`` (Beta of the product, 95 %).
    """
    worth = (rates["n_eff"] / rates["dispersion"]).to_numpy(dtype=float)
    rate = rates["rate"].to_numpy(dtype=float)
    smooth = (rate * worth + 0.5) / (worth + 1)
    variance = smooth * (1 - smooth) / (worth + 2)
    targets = np.array([np.nan if step.target is None else step.target for step in funnel.steps])
    limits = np.ones((len(funnel.stages), 2))
    for place in range(1, len(funnel.stages)):
        a, b = beta_of_product(smooth[:place], variance[:place])
        limits[place] = (0, limits[place - 1, 1]) if np.isnan(a) else stats.beta.ppf([0.025, 0.975], a, b)
    really = np.append(1, rate.cumprod())
    return pd.DataFrame(
        {
            "stage": funnel.stages,
            "agreed": listed * np.append(1, targets.cumprod()),
            "really": listed * really,
            "really_lower": listed * np.minimum(limits[:, 0], np.nan_to_num(really, nan=1.0)),
            "really_upper": listed * np.maximum(limits[:, 1], np.nan_to_num(really, nan=0.0)),
        }
    )
