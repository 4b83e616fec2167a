"""What a page says of a plan: which case holds, what the open leads bring, whether as many leads come as are needed."""

from typing import Any

import numpy as np
import pandas as pd

from funnelstats.importing.opening import Tables
from funnelstats.plan.plan import FEWEST_DEALS, MEETING, USUAL, Plan

SURE = 0.9
"""From here on leads as they come now are enough."""
OUT_OF_REACH = 5
"""So many times the leads that come in now are no plan."""
ALL_IN_TIME = 0.95
"""From here on days do not matter to the plan."""


def plan_facts(plan: Plan, paid: pd.DataFrame) -> dict[str, Any]:
    """The ``case`` of a plan, its surest and least sure number of new leads, and what else it has to be told.

    ``old`` is the last row of the forecast, ``paid`` the frame of ``paid_open_leads``, the most first. ``enough`` tells
    what becomes of leads as they come now, ``usual`` of deals ÷ rate; ``slow`` when leads come too late. Each of these
    is None where it is not known, or where it makes no difference.

    >>> fs.plan.plan_facts(plan, fs.plan.paid_open_leads(paths, tables.payments, spec, day))["case"]
    'needed'
    """
    asked = plan.surest["leads"] != 0
    reached = asked and plan_case(plan) != "out of reach"
    return {
        "case": plan_case(plan),
        "deals": plan.goal.deals,
        "by": plan.goal.by,
        "surest": plan.surest.to_dict(),
        "less": plan.leads.iloc[plan.leads["certainty"].argmin()].to_dict(),
        "seen": plan.new.deals_seen,
        "times": _times(plan),
        "old": plan.forecast.iloc[-1].to_dict(),
        "paid": paid.sort_values("open", ascending=False, kind="stable"),
        "enough": _enough(plan) if reached else None,
        "usual": _usual(plan) if reached else None,
        "slow": _slow(plan) if asked else None,
        "last": plan.funnel.stages[-1],
    }


def plan_case(plan: Plan) -> str:
    """Whether and why the goal can be planned.

    "none needed", "nobody came", "unwatched", "few" (deals seen, with a range of leads), "few open" (without one), "too
    late", "never" (no number is enough), "out of reach" or "needed".
    """
    new, sure = plan.new, plan.surest
    cases = {
        "none needed": sure["leads"] == 0,
        "nobody came": np.isnan(new.brings.mean) and new.a_week == 0,
        "unwatched": np.isnan(new.brings.mean),
        "few open": new.deals_seen < FEWEST_DEALS and not np.isfinite(sure["leads_upper"]),
        "few": new.deals_seen < FEWEST_DEALS,
        "too late": new.in_time <= 0,
        "never": np.isinf(sure["leads"]),
        "out of reach": _times(plan) >= OUT_OF_REACH,
    }
    return next((case for case, holds in cases.items() if holds), "needed")


def _times(plan: Plan) -> float:
    """How many times the leads that come now the surest plan asks for; missing where either is."""
    leads, now = plan.surest["leads"], plan.as_now["leads"]
    return leads / now if now > 0 and np.isfinite(leads) else float("nan")


def _enough(plan: Plan) -> dict[str, Any] | None:
    """Leads a week of so many weeks, the probability that they make the goal, and how many more are missing a week."""
    new, now = plan.new, plan.as_now
    if np.isnan(now["delivers"]) or new.in_time <= 0 or new.deals_seen < FEWEST_DEALS:
        return None
    missing = max(np.ceil(plan.surest["a_week"] - now["a_week"]), 1)
    return {
        "weeks": round(plan.rates["entered"].iloc[0] / new.a_week),
        "a_week": new.a_week,
        "delivers": now["delivers"],
        "keep": now["delivers"] >= SURE,
        "missing": missing if np.isfinite(missing) else 0,
    }


def _usual(plan: Plan) -> dict[str, Any] | None:
    usual, in_time = plan.leads[plan.leads["plan"] == USUAL].iloc[0], plan.new.in_time
    if not np.isfinite(usual["leads"]) or np.isnan(usual["delivers"]) or usual["leads"] <= 0 or in_time <= 0:
        return None
    late = in_time if in_time < ALL_IN_TIME else None
    return {"leads": usual["leads"], "rate": plan.new.rate, "delivers": usual["delivers"], "in_time": late}


def _slow(plan: Plan) -> dict[str, Any] | None:
    """Days that half of the won leads take, and the last day on which a new one is of use; NaT where there is none."""
    new = plan.new
    if np.isnan(new.usual_days) or not 0 < new.in_time < ALL_IN_TIME:
        return None
    return {"days": new.usual_days, "last": new.last_useful}


def plan_gaps(tables: Tables, contacts: pd.DataFrame, shares: pd.DataFrame) -> dict[str, bool]:
    """What the export lacks to plan contacts, meetings, managers and money.

    ``contacts`` is a frame of ``stage_contacts``, ``shares`` one of ``manager_shares``.

    >>> fs.plan.plan_gaps(tables, contacts, managers)
    {'contacts': False, 'meetings': False, 'managers': False, 'costs': False, 'payments': False}
    """
    some = bool(contacts["contacts"].sum() > 0)
    return {
        "contacts": not some,
        "meetings": some and not (contacts["kind"].str.lower() == MEETING).any(),
        "managers": shares.empty,
        "costs": tables.costs is None,
        "payments": tables.payments is None,
    }
