"""What a plan asks of each stage, week and manager, and what it costs and brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnelstats.config.words import _
from funnelstats.core.comparing import is_ranked
from funnelstats.core.incidence import OUTCOMES
from funnelstats.core.intervals import Array
from funnelstats.plan.forecast import ALL, day_curves
from funnelstats.plan.goals import Goal, working_days

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

MEETING = "meeting"
SHARES = ("recent", "open", "evenly_a_week", "as_now_a_week")
CALENDAR_WORDS = {
    "week": "week from",
    "weeks": "weeks alike",
    "working_days": "working days",
    "new_leads": "new leads",
    "contacts": "contacts",
    "meetings": "meetings",
    "contacts_a_manager_a_day": "contacts a manager a day",
    "meetings_a_manager_a_day": "meetings a manager a day",
}


def entries_ahead(
    days: pd.DataFrame, open_leads: pd.DataFrame, plan: pd.DataFrame, funnel: Funnel, goal: Goal
) -> pd.DataFrame:
    """Leads expected to enter each stage on each day until the goal's, of the new ones and of those open now.

    ``plan`` is a frame of ``plan_leads``; its surest row that asks for a number is planned, evenly over the
    working days. Returns ``on, stage, new, open``, a row for each day and stage; ``new`` is missing where the
    plan has no number.
    """
    curves = day_curves(days, funnel, goal.days)
    on = pd.Timestamp(goal.as_of) + pd.to_timedelta(np.arange(goal.days + 1), unit="D")
    worked = on.isin(working_days(goal, funnel))
    leads = planned(plan)
    new = worked * (leads / worked.sum() if worked.any() else 0.0 * leads)
    waiting = np.zeros(len(on))
    rows = []
    for place, stage in enumerate(funnel.stages):
        rows.append(pd.DataFrame({"on": on, "stage": stage, "new": new, "open": waiting})[1:])
        if place == len(funnel.steps):
            break
        moves = curves.moves[place]
        here = open_leads[open_leads["from_stage"] == stage]
        here = here[here["age_days"] < curves.reach[place]]
        age, many = (here[name].to_numpy() for name in ("age_days", "open"))
        own = np.zeros(len(on))
        if len(age):
            own[1:] = many @ curves.ahead_of(place, age, goal.days)
        new, waiting = _then(new, moves), own + _then(waiting, moves)
    return pd.concat(rows, ignore_index=True)


def _then(entered: Array, moves: Array) -> Array:
    """When those that enter a stage on each day enter the next one."""
    return np.convolve(entered, moves[: len(entered)])[: len(entered)]


def planned(plan: pd.DataFrame) -> float:
    """New leads of the surest plan of the frame; missing where it has no number."""
    leads = float(plan.sort_values("certainty", na_position="first")["leads"].iloc[-1])
    return leads if np.isfinite(leads) else float("nan")


def stage_needs(
    entries: pd.DataFrame, days: pd.DataFrame, rates: pd.DataFrame, funnel: Funnel, goal: Goal
) -> pd.DataFrame:
    """How many leads must enter each stage, and until when it is of use.

    ``entries`` is a frame of ``entries_ahead``. Returns ``stage, new, open, entries`` (both), ``a_week`` (of five
    working days), ``rate`` (to the next stage, by the horizon) and ``enter_by``: the last day on which a lead
    that enters the stage and will be won is as likely as not to be won in time; NaT where none is.
    """
    total = entries.groupby("stage")[["new", "open"]].sum(min_count=1).reindex(funnel.stages).reset_index()
    ahead = max(goal.days, sum(step.horizon_days for step in funnel.steps))
    won = day_curves(days, funnel, ahead).won
    with np.errstate(invalid="ignore", divide="ignore"):
        early = won / won[:, -1:] >= 0.5 - 1e-9
    usual = np.where(early.any(axis=1), early.argmax(axis=1), goal.days)
    enter_by = [pd.Timestamp(goal.by) - pd.Timedelta(days=int(lead)) for lead in usual]
    in_time = pd.Series(enter_by).where(usual < goal.days)
    both = total["new"].fillna(0) + total["open"].fillna(0)
    worked = len(working_days(goal, funnel)) or np.nan
    return total.assign(
        entries=both.mask(total["new"].isna()),
        a_week=lambda row: 5 * row["entries"] / worked,
        rate=np.append(rates["rate"], np.nan),
        enter_by=in_time.astype("datetime64[us]"),
    )


def plan_calendar(
    entries: pd.DataFrame, contacts: pd.DataFrame, shares: pd.DataFrame, funnel: Funnel, goal: Goal
) -> pd.DataFrame:
    """The plan week by week: leads to win in, stages they enter, deals, contacts and meetings of one manager a day.

    ``contacts`` is a frame of ``stage_contacts``, ``shares`` one of ``manager_shares``. Returns ``week`` (its
    Monday), ``working_days, new_leads, into_<stage>`` for each later stage, ``contacts, meetings`` and
    ``contacts_a_manager_a_day, meetings_a_manager_a_day`` (working days); missing where contacts, meetings or
    managers are unknown. Contacts are planned for the week in which a lead enters the stage they are made at.
    """
    both = entries.assign(both=entries["new"] + entries["open"], week=_monday(entries["on"]))
    table = both.pivot_table(
        index="week", columns="stage", values="both", aggfunc=lambda part: part.sum(min_count=1), dropna=False
    )
    table = table.reindex(columns=list(funnel.stages))
    kinds = contacts.assign(meeting=contacts["kind"].str.lower() == MEETING)
    work = {
        "contacts": kinds.groupby("stage")["each"].sum(min_count=1),
        "meetings": kinds[kinds["meeting"]].groupby("stage")["each"].sum(min_count=1),
    }
    worked = working_days(goal, funnel)
    number = pd.Series(1, index=_monday(worked.to_series())).groupby(level=0).sum()
    found = pd.DataFrame({"working_days": number.reindex(table.index, fill_value=0).astype("int64")})
    found["new_leads"] = table[funnel.stages[0]]
    for stage in funnel.stages[1:]:
        found[f"into_{stage}"] = table[stage]
    each = found["working_days"].where(found["working_days"] > 0) * (len(shares) or np.nan)
    for name, per_entry in work.items():
        known = per_entry.reindex(list(funnel.stages[:-1]))
        asked = table[list(funnel.stages[:-1])].mul(known.fillna(0)).sum(axis=1, skipna=False)
        found[name] = asked * (np.nan if known.isna().all() else 1)
    return found.assign(
        contacts_a_manager_a_day=found["contacts"] / each, meetings_a_manager_a_day=found["meetings"] / each
    ).reset_index()


def weeks_alike(calendar: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``plan_calendar`` as they are done: rounded up, and weeks that then ask for the same in one row.

    Leads, contacts and meetings are rounded up to whole ones, those of a manager and a day to a tenth. Returns the
    first ``week`` of each row, how many ``weeks`` in a row are alike, and the columns of the calendar that are known.
    """
    known = calendar.dropna(axis="columns", how="all")
    asked = known.columns.drop(["week", "working_days"], errors="ignore")
    tenths = asked.str.endswith("_a_day")
    scale = np.where(tenths, 10, 1)
    # sums of shares of leads: 12.000000001 of them are 12
    done = known.copy()
    done[asked] = np.ceil(known[asked] * scale - 1e-6) / scale
    rest = done.drop(columns="week")
    first = (rest != rest.shift()).any(axis=1)
    done.insert(1, "weeks", first.groupby(first.cumsum()).transform("size"))
    return done[first].reset_index(drop=True)


def calendar_labels(calendar: pd.DataFrame) -> dict[str, str]:
    """What the columns of ``plan_calendar`` are called on a page, in words."""
    return {
        column: _(CALENDAR_WORDS[column])
        if column in CALENDAR_WORDS
        else _("into {stage}").format(stage=column.removeprefix("into_"))
        for column in map(str, calendar)
    }


def _monday(on: pd.Series) -> pd.Series:
    return on - pd.to_timedelta(on.dt.day_of_week, unit="D")


def rounded_up(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The frame with these columns rounded up to whole numbers: fewer leads than asked for would not be enough."""
    return frame.assign(**{name: np.ceil(frame[name] - 1e-6) for name in columns})


def manager_shares(
    days: pd.DataFrame, open_leads: pd.DataFrame, plan: pd.DataFrame, funnel: Funnel, goal: Goal
) -> pd.DataFrame:
    """The plan's new leads for each ranked manager: the same for all, and as leads are shared out now.

    ``days`` and ``open_leads`` are by manager. Returns ``manager, recent`` (leads that came in the window),
    ``open`` (not longer at their stage than agreed), ``evenly_a_week, as_now_a_week`` (of five working days).
    """
    if "manager" not in days:
        return pd.DataFrame({"manager": pd.Series(dtype="str")} | {name: pd.Series(dtype=float) for name in SHARES})
    horizon = {step.from_stage: step.horizon_days for step in funnel.steps}
    ranked = days[is_ranked(days, funnel)]
    first = ranked[ranked["from_stage"] == funnel.stages[0]]
    recent = first[list(OUTCOMES)].sum(axis=1).groupby(first["manager"]).sum()
    live = open_leads[open_leads["age_days"] < open_leads["from_stage"].map(horizon)]
    found = pd.DataFrame({"manager": sorted(ranked["manager"].unique())}, dtype="str")
    for name, counted in {"recent": recent, "open": live.groupby("manager")["open"].sum()}.items():
        found[name] = found["manager"].map(counted).fillna(0).astype("int64")
    a_week = 5 * planned(plan) / (len(working_days(goal, funnel)) or np.nan)
    share = found["recent"] / found["recent"].sum() if found["recent"].any() else np.nan
    return found.assign(evenly_a_week=a_week / max(len(found), 1), as_now_a_week=a_week * share)


def plan_money(plan: pd.DataFrame, forecast: pd.DataFrame, deal: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
    """What each plan costs and brings: leads at their mean cost, expected deals at the mean deal.

    Takes the frames of ``plan_leads``, ``forecast_open``, ``deal_size`` and ``lead_cost``. Returns ``plan, leads,
    cost, expected, revenue, pipeline_revenue`` (of the leads open now); missing where costs or payments are.
    """
    mean = float(deal["mean_deal"].iloc[0])
    old = float(forecast.loc[forecast["stage"] == ALL, "expected"].iloc[0])
    known = plan[np.isfinite(plan["leads"])]
    return (
        known[["plan", "leads"]]
        .assign(
            cost=known["leads"] * float(cost["cost_per_lead"].iloc[0]),
            expected=known["expected"],
            revenue=known["expected"] * mean,
            pipeline_revenue=old * mean,
        )
        .reset_index(drop=True)
    )
