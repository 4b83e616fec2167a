"""How many leads a plan needs, what the usual sum would deliver, and what becomes of 100 leads on the list.

The open pipeline is credited with what it brings at the certainty asked for, new leads must bring the rest at
the same certainty. Both hang on the same rates, so their bad cases come together: their quantiles add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from funnelstats.statistics.betas import beta_binomial_quantile, beta_of_product, leads_needed
from funnelstats.statistics.forecast import ALL
from funnelstats.statistics.goals import Goal

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel

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

    - ``plan, certainty`` (missing in those two), ``pipeline`` (deals the open leads bring at that certainty, or
      are expected to), ``remaining``, ``leads`` (infinite where no number is enough)
    - ``leads_lower, leads_upper``: only below five deals seen, where ``leads`` is missing: the remaining deals
      over the limits of the chance at 95 %
    - ``a_week, a_day``: of five working days, and of one
    - ``delivers``: probability that so many leads make the goal; ``expected``: deals, the pipeline's included
    """
    new, old = chance.iloc[0], forecast[forecast["stage"] == ALL].iloc[0]
    few = new["deals"] < FEWEST_DEALS
    mean = 0.0 if np.isnan(old["expected"]) else old["expected"]
    rows = []
    for probability in probabilities:
        pipeline = float(beta_binomial_quantile(1 - probability, int(old["trials"]), old["a"], old["b"]))
        rows.append((f"{probability:.0%}", probability, pipeline))
    rows += [(USUAL, np.nan, mean), (AS_NOW, np.nan, mean)]
    plans = pd.DataFrame(rows, columns=["plan", "certainty", "pipeline"])
    remaining = (goal.deals - plans["pipeline"]).clip(lower=0)
    leads = [
        leads_needed(int(rest), new["a"], new["b"], sure)
        for rest, sure in zip(remaining, plans["certainty"].dropna(), strict=False)
    ]
    leads += [_plain(remaining.iloc[-1], new["rate"]), float(np.floor(new["leads_a_week"] * goal.days / 7))]
    limits = stats.beta.ppf([0.975, 0.025], new["a"], new["b"]) if new["a"] > 0 else np.array([0.0, 0.0])
    lower, upper = ([_plain(rest, limit) if few else np.nan for rest in remaining] for limit in limits)
    certain = pd.Series(leads).mask((remaining > 0) & few & (plans["plan"] != AS_NOW))
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


def _delivers(deals: int, leads: float, new: pd.Series, old: pd.Series) -> float:
    """Probability that pipeline and new leads together make the deals, their bad cases coming together."""
    if not np.isfinite(leads) or np.isnan(new["a"]):
        return float("nan")
    bad = np.linspace(0.0005, 0.9995, 1000)
    total = beta_binomial_quantile(bad, int(old["trials"]), old["a"], old["b"])
    if leads > 0 and new["a"] > 0:
        below = stats.betabinom.pmf(np.arange(min(leads, deals) + 1), leads, new["a"], new["b"]).cumsum()
        total = total + np.minimum(np.searchsorted(below, bad - 1e-12), min(leads, deals))
    return float((total >= deals).mean())


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
