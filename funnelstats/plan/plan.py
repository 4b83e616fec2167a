"""How many leads a goal needs, and what that asks of each stage, week and manager.

Deals of the open leads and of the new ones are one sum: they share the rates, whose errors add up, and not the
luck, whose variances do. So many new leads are asked for that this sum makes the goal with the certainty asked for.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from funnelstats.config.dates import days_ahead
from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.words import percent
from funnelstats.core.comparing import is_ranked
from funnelstats.core.incidence import OUTCOMES
from funnelstats.core.intervals import Array
from funnelstats.plan.forecast import (
    Curves,
    Deals,
    NewLead,
    beta_of_product,
    day_curves,
    forecast_open,
    new_lead,
    plan_rates,
)
from funnelstats.plan.goals import Goal, weeks_of_leads, working_days

FEWEST_DEALS = 5
"""Below so many deals seen a plan is a range and no number."""
MOST_LEADS = 10_000_000
USUAL, AS_NOW = PLAN_WORDS = ("deals ÷ rate", "as now")
MEETING = "meeting"


class Plan(NamedTuple):
    """A goal, what past leads tell of the way to it, and the new leads that it takes."""

    funnel: Funnel
    goal: Goal
    curves: Curves
    rates: pd.DataFrame
    """Frame of ``plan_rates``."""
    forecast: pd.DataFrame
    """Frame of ``forecast_open``."""
    new: NewLead
    leads: pd.DataFrame
    """Frame of ``plan_leads``."""
    entries: pd.DataFrame
    """Frame of ``entries_ahead``."""

    @property
    def surest(self) -> pd.Series:
        """The plan of the highest certainty: the one that the stages, weeks and managers are told."""
        return self.leads.iloc[self.leads["certainty"].argmax()]

    @property
    def as_now(self) -> pd.Series:
        """The plan that goes on with as many leads a week as of late."""
        return self.leads[self.leads["plan"] == AS_NOW].iloc[0]


def make_plan(days: pd.DataFrame, weeks: pd.DataFrame, open_leads: pd.DataFrame, funnel: Funnel, goal: Goal) -> Plan:
    """The plan for a goal, from the ``outcome_days`` of the stage entries in ``plan_window``, the ``step_counts`` by
    week of those in ``scatter_window``, and the leads open now (``open_leads``).

    >>> opened = fs.plan.open_leads(paths, spec, day)
    >>> plan = fs.plan.make_plan(days, weeks, opened, spec, goal)
    >>> plan.leads[["plan", "certainty", "remaining", "leads"]].head(2).round(1)
      plan  certainty  remaining   leads
    0  80%        0.8      684.2  1969.0
    1  90%        0.9      684.2  2044.0
    """
    need(open_leads, "open_leads", "from_stage", "age_days", "open")
    rates, curves = plan_rates(days, weeks, funnel), day_curves(days, funnel, goal)
    forecast, of_open = forecast_open(open_leads, curves, rates, goal)
    new = new_lead(curves, rates, funnel, goal, weeks_of_leads(weeks, goal.as_of, funnel))
    leads = plan_leads(forecast, of_open, new, goal)
    plan = Plan(funnel, goal, curves, rates, forecast, new, leads, pd.DataFrame())
    return plan._replace(entries=entries_ahead(plan, open_leads))


def plan_leads(
    forecast: pd.DataFrame, of_open: Deals, new: NewLead, goal: Goal, *, probabilities: Sequence[float] = (0.8, 0.9)
) -> pd.DataFrame:
    """How many new leads the goal needs at each certainty, and what other plans would really deliver.

    Returns a row for each certainty; one for "deals ÷ rate", which divides what the open leads are expected to leave by
    the plain rate; one for "as now", as many leads a week as of late:

    - ``plan, certainty`` (missing in those two), ``pipeline`` (deals the open leads are expected to bring),
      ``remaining``, ``leads`` (infinite where no number is enough)
    - ``leads_lower, leads_upper``: only below five deals seen, where ``leads`` is missing: the remaining deals
      over the limits of the chance at 95 %, the open ones bringing most or least
    - ``a_week, a_day``: of five working days, and of one
    - ``delivers``: probability that so many leads make the goal; ``expected``: deals, those of open leads included

    >>> opened = fs.plan.open_leads(paths, spec, day)
    >>> forecast, of_open = fs.plan.forecast_open(opened, plan.curves, plan.rates, goal)
    >>> leads = fs.plan.plan_leads(forecast, of_open, plan.new, goal, probabilities=[0.8])
    >>> leads[["plan", "certainty", "remaining", "leads"]].head(1).round(1)
      plan  certainty  remaining   leads
    0  80%        0.8      684.2  1969.0
    """
    pipeline = of_open.mean
    if np.isnan(pipeline):
        of_open = Deals(0.0, 0.0, np.zeros(len(of_open.errors)))
    chance = new.brings.mean
    few = new.deals_seen < FEWEST_DEALS
    remaining = max(goal.deals - of_open.mean, 0.0)

    def delivers(leads: float) -> float:
        if not np.isfinite(leads) or (leads > 0 and np.isnan(chance)):
            return np.nan
        return (of_open.plus(new.brings, leads) if leads > 0 else of_open).at_least(goal.deals)

    def needed(sure: float) -> float:
        if not 0 < sure < 1:
            raise ValueError(f"probability must lie between 0 and 1, got {sure}; for 90 % write 0.9")
        if not chance > 0 and delivers(0) < sure:
            return np.nan if np.isnan(chance) else np.inf
        return fewest(lambda leads: delivers(leads) >= sure)

    leads = [needed(sure) for sure in probabilities]
    leads += [float(_over(remaining, new.rate)), float(np.floor(new.a_week * goal.days / 7))]
    plans = pd.DataFrame({"plan": [*(percent(sure) for sure in probabilities), USUAL, AS_NOW]})
    certain = pd.Series(leads).mask((pd.Series(leads) > 0) & few & (plans["plan"] != AS_NOW))
    limits = stats.beta.ppf([0.975, 0.025], new.a, new.b) if new.a > 0 else [0.0, 0.0]
    rest = goal.deals - forecast[["deals_upper", "deals_lower"]].iloc[-1].to_numpy(dtype=float)
    lower, upper = _over(rest, limits) if few else (np.nan, np.nan)
    days = new.working_days or np.nan
    return plans.assign(
        certainty=[*probabilities, np.nan, np.nan],
        pipeline=pipeline,
        remaining=np.nan if np.isnan(pipeline) else remaining,
        leads=certain,
        leads_lower=lower,
        leads_upper=upper,
        a_week=5 * certain / days,
        a_day=certain / days,
        delivers=[delivers(number) for number in certain],
        expected=of_open.mean + certain.where(np.isfinite(certain)) * chance,
    )


def _over(deals: npt.ArrayLike, rate: npt.ArrayLike) -> Array:
    """Leads that bring so many deals at a rate: whole ones, infinite at no rate."""
    wanted, each = np.maximum(np.asarray(deals, dtype=float), 0), np.asarray(rate, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(wanted == 0, 0.0, np.ceil(wanted / each - 1e-9))


def fewest(are_enough: Callable[[int], bool]) -> float:
    """The smallest number of leads that are enough, if more always are; infinite if ten million are not."""
    enough, short = 1, 0
    if are_enough(0):
        return 0.0
    while not are_enough(enough):
        enough, short = 2 * enough, enough
        if enough > MOST_LEADS:
            return np.inf
    while enough - short > 1:
        middle = (enough + short) // 2
        enough, short = (middle, short) if are_enough(middle) else (enough, middle)
    return float(enough)


def entries_ahead(plan: Plan, open_leads: pd.DataFrame) -> pd.DataFrame:
    """Leads expected to enter each stage on each day until the goal's, of the new ones and of those open now.

    The surest plan's leads come evenly on the working days. Returns ``on, stage, new, open``, a row for each day and
    stage; ``new`` is missing where the plan has no number.
    """
    funnel, goal, curves = plan.funnel, plan.goal, plan.curves
    on = pd.Timestamp(goal.as_of) + pd.to_timedelta(np.arange(goal.days + 1), unit="D")
    worked = on.isin(working_days(goal, funnel))
    leads = plan.surest["leads"] if np.isfinite(plan.surest["leads"]) else np.nan
    new = worked * (leads / worked.sum() if worked.any() else 0.0 * leads)
    waiting = np.zeros(len(on))
    rows = [pd.DataFrame({"on": on, "stage": funnel.stages[0], "new": new, "open": waiting})]
    for place, (stage, following) in enumerate(zip(funnel.stages, funnel.stages[1:], strict=False)):
        here = open_leads[open_leads["from_stage"] == stage]
        here = here[here["age_days"] < curves.reach[place]]
        own = np.zeros(len(on))
        if len(here):
            own[1:] = here["open"].to_numpy() @ curves.ahead_of(place, here["age_days"], goal.days)
        # those that enter a stage on a day enter the next one on the days after it
        moves = curves.moves[place, : len(on)]
        new, waiting = (np.convolve(entered, moves)[: len(on)] for entered in (new, waiting))
        waiting = own + waiting
        rows.append(pd.DataFrame({"on": on, "stage": following, "new": new, "open": waiting}))
    return pd.concat([day_by_day[1:] for day_by_day in rows], ignore_index=True)


def stage_needs(plan: Plan) -> pd.DataFrame:
    """How many leads must enter each stage, and until when it is of use.

    Returns ``stage, new, open, entries`` (both), ``a_week`` (of five working days, rounded up), ``rate`` (to the next
    stage, by the horizon) and ``enter_by``: the last day on which a lead that enters the stage and will be won is as
    likely as not to be won in time; NaT where none is, or none is known.

    >>> fs.plan.stage_needs(plan).iloc[:2, :4].round(1)
      stage     new  open  entries
    0  lead  2044.0   0.0   2044.0
    1   met  1909.3  84.7   1994.0
    """
    stages, goal, won = list(plan.funnel.stages), plan.goal, plan.curves.won
    total = plan.entries.groupby("stage")[["new", "open"]].sum(min_count=1).reindex(stages).reset_index()
    with np.errstate(invalid="ignore", divide="ignore"):
        early = won / won[:, -1:] >= 0.5 - 1e-9
    usual = np.where(early.any(axis=1), early.argmax(axis=1), goal.days)
    enter_by = pd.Series(pd.Timestamp(goal.by) - pd.to_timedelta(usual, unit="D")).where(usual < goal.days)
    both = (total["new"] + total["open"].fillna(0)).where(total["new"].notna())
    return total.assign(
        entries=both,
        a_week=whole(5 * both / (plan.new.working_days or np.nan)),
        rate=np.append(plan.rates["rate"], np.nan),
        enter_by=enter_by.astype("datetime64[us]"),
    )


def whole(leads: npt.ArrayLike) -> Array:
    """Rounded up, since fewer leads than asked for would not be enough; 12.000000001 of a sum of shares are 12."""
    return np.ceil(np.asarray(leads, dtype=float) - 1e-6)


def plan_calendar(plan: Plan, contacts: pd.DataFrame, managers: int) -> pd.DataFrame:
    """The plan week by week: leads to win in, stages they enter, deals, contacts and meetings of one manager a day.

    ``contacts`` is a frame of ``stage_contacts``. Returns ``week`` (its first day), ``working_days, new_leads,
    into_<stage>`` for each later stage, ``contacts, meetings`` and ``contacts_a_manager_a_day,
    meetings_a_manager_a_day`` (working days); missing where contacts, meetings or managers are unknown. Contacts are
    planned for the week in which a lead enters the stage they are made at.

    >>> calendar = fs.plan.plan_calendar(plan, contacts, len(managers))
    >>> calendar[["working_days", "new_leads", "contacts", "meetings"]].head(2).round()
       working_days  new_leads  contacts  meetings
    0             2       63.0     281.0     100.0
    1             5      157.0     532.0     167.0
    """
    first, *later = plan.funnel.stages
    entries = plan.entries.assign(both=plan.entries["new"] + plan.entries["open"], week=_week_begin(plan.entries["on"]))
    table = entries.groupby(["week", "stage"])["both"].sum(min_count=1).unstack()
    worked = _week_begin(working_days(plan.goal, plan.funnel).to_series()).value_counts()
    found = pd.DataFrame({"working_days": worked.reindex(table.index, fill_value=0).astype("int64")})
    found["new_leads"] = table[first]
    found[[f"into_{stage}" for stage in later]] = table[later]
    each = found["working_days"].where(found["working_days"] > 0) * (managers or np.nan)
    kinds = {"contacts": contacts, "meetings": contacts[contacts["kind"].str.lower() == MEETING]}
    for name, made in kinds.items():
        per_entry = made.groupby("stage")["each"].sum(min_count=1).reindex([first, *later[:-1]])
        asked = table[per_entry.index].mul(per_entry.fillna(0)).sum(axis=1, skipna=False)
        found[name] = asked if per_entry.notna().any() else np.nan
    for name in kinds:
        found[f"{name}_a_manager_a_day"] = found[name] / each
    return found.reset_index()


def weeks_alike(calendar: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``plan_calendar`` as they are done: rounded up, and weeks that then ask for the same in one row.

    Leads, contacts and meetings are rounded up to whole ones, those of a manager and a day to a tenth. Returns the
    first ``week`` of each row, how many ``weeks`` in a row are alike, and the columns of the calendar that are known.
    """
    known = calendar.dropna(axis="columns", how="all")
    asked = known.columns.drop(["week", "working_days"], errors="ignore")
    scale = np.where(asked.str.endswith("_a_day"), 10, 1)
    done = known.copy()
    done[asked] = np.ceil(known[asked] * scale - 1e-6) / scale
    rest = done.drop(columns="week")
    first = (rest != rest.shift()).any(axis=1)
    done.insert(1, "weeks", first.groupby(first.cumsum()).transform("size"))
    return done[first].reset_index(drop=True)


def _week_begin(on: pd.Series) -> pd.Series:
    return on - pd.to_timedelta((on.dt.day_of_week + days_ahead()) % 7, unit="D")


def manager_shares(plan: Plan, days: pd.DataFrame, open_leads: pd.DataFrame) -> pd.DataFrame:
    """The plan's new leads for each ranked manager: the same for all, and as leads are shared out now.

    ``days`` and ``open_leads`` are by manager. Returns ``manager, recent`` (leads that came in the window),
    ``open`` (not longer at their stage than agreed), ``evenly_a_week, as_now_a_week`` (of five working days, rounded
    up).

    >>> opened = fs.plan.open_leads(paths, spec, day, by="manager")
    >>> fs.plan.manager_shares(plan, of_managers, opened).head(2).round(1)
         manager  recent  open  evenly_a_week  as_now_a_week
    0  Anna Berg     278    66           18.0           20.0
    1     Müller     280    67           18.0           20.0
    """
    need(days, "days", "manager", "from_stage", *OUTCOMES)
    need(open_leads, "open_leads", "manager", "from_stage", "age_days", "open")
    horizon = plan.funnel.horizons
    ranked = days[is_ranked(days, plan.funnel)]
    first = ranked[ranked["from_stage"] == plan.funnel.stages[0]]
    live = open_leads[open_leads["age_days"] < open_leads["from_stage"].map(horizon).astype(float)]
    found = pd.DataFrame({"manager": sorted(ranked["manager"].unique())}, dtype="str")
    for name, counted in {
        "recent": first[list(OUTCOMES)].sum(axis=1).groupby(first["manager"]).sum(),
        "open": live.groupby("manager")["open"].sum(),
    }.items():
        found[name] = found["manager"].map(counted).fillna(0).astype("int64")
    a_week = plan.surest["a_week"] if np.isfinite(plan.surest["a_week"]) else np.nan
    share = found["recent"] / found["recent"].sum() if found["recent"].any() else np.nan
    return found.assign(evenly_a_week=whole(a_week / max(len(found), 1)), as_now_a_week=whole(a_week * share))


def plan_money(plan: Plan, deal: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
    """What each plan costs and brings: leads at their mean cost, expected deals at the mean deal.

    Takes the frames of ``deal_size`` and ``lead_cost``. Returns ``plan, leads, cost, expected, revenue,
    pipeline_revenue`` (of the leads open now); missing where costs or payments are.

    >>> money = fs.plan.plan_money(plan, fs.deal_size(tables.payments), cost)
    >>> money[["plan", "leads", "cost", "expected"]].head(2).round()
      plan   leads        cost  expected
    0  80%  1969.0  69730484.0    1051.0
    1  90%  2044.0  72386546.0    1079.0
    """
    need(deal, "deal", "mean_deal")
    need(cost, "cost", "cost_per_lead")
    mean = float(deal["mean_deal"].iloc[0])
    known = plan.leads[np.isfinite(plan.leads["leads"])].reset_index(drop=True)
    return known[["plan", "leads"]].assign(
        cost=known["leads"] * float(cost["cost_per_lead"].iloc[0]),
        expected=known["expected"],
        revenue=known["expected"] * mean,
        pipeline_revenue=plan.forecast["expected"].iloc[-1] * mean,
    )


def funnel_arithmetic(rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Of 100 leads on the list, how many reach each stage: as agreed, and as it really goes.

    ``rates`` is a frame of ``plan_rates``. Returns ``stage, agreed`` (the product of targets, missing from a step
    without one on), ``really, really_lower, really_upper`` (Beta of the product, 95 %).

    >>> fs.plan.funnel_arithmetic(plan.rates, spec).round(1)
            stage  agreed  really  really_lower  really_upper
    0        lead   100.0   100.0         100.0         100.0
    1         met   100.0    96.2          94.9          97.3
    2   presented    80.0    77.0          74.4          79.5
    3  contracted    64.0    50.4          46.8          53.9
    4        paid    60.8    47.8          44.2          51.2
    """
    n_eff = (rates["n_eff"] / rates["dispersion"]).to_numpy(dtype=float)
    rate = rates["rate"].to_numpy(dtype=float)
    smooth = (rate * n_eff + 0.5) / (n_eff + 1)
    variance = smooth * (1 - smooth) / (n_eff + 2)
    targets = np.array([np.nan if step.target is None else step.target for step in funnel.steps])
    limits = np.ones((len(funnel.stages), 2))
    for place in range(1, len(funnel.stages)):
        a, b = beta_of_product(smooth[:place], variance[:place])
        limits[place] = (0, limits[place - 1, 1]) if np.isnan(a) else stats.beta.ppf([0.025, 0.975], a, b)
    really = np.append(1, rate.cumprod())
    return pd.DataFrame(
        {
            "stage": funnel.stages,
            "agreed": 100 * np.append(1, targets.cumprod()),
            "really": 100 * really,
            "really_lower": 100 * np.minimum(limits[:, 0], np.nan_to_num(really, nan=1.0)),
            "really_upper": 100 * np.maximum(limits[:, 1], np.nan_to_num(really, nan=0.0)),
        }
    )
