"""Which of a manager's own leads to act on this week, why, what to do next, and how much money is at stake."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, day, number
from funnelstats.core.incidence import life_table
from funnelstats.core.intervals import Array

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

MOST = 20
FEWEST_TRIES = 10
"""Second tries below which their share won is no chance to plan by: of 10, a half is very likely 24 to 76 %."""
WEEK = 7
NEVER, HORIZON, IDLE = "never contacted", "horizon ends", "idle"
OPEN, AGAIN = "open", "second try"
LISTED = ["kind", "lead_id", "company", "stage", "days_there", "reason", "next_step", "chance", "at_stake"]


def chances(days: pd.DataFrame, rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Chance to win, by stage and days there, of a lead that is still there: as the team's leads did.

    ``days`` are the team's ``outcome_days``, ``rates`` its frame of ``incidence_at``. A lead that stood at its stage
    for a days moves on with the chance (F(end) - F(a)) / S(a) of those that were still there, and then with the
    team's rates of the later steps. A lead long silent so has next to none, where the plain rate would promise most.
    Returns from_stage, age_days (0, 1, ... up to the longest seen), chance; missing where a later rate is not known.
    """
    later = _later(rates, funnel)
    _keys, table = life_table(days)
    frames = []
    for stage, rows in table.groupby("from_stage", sort=False):
        daily = rows.set_index("age_days")[["incidence", "survival"]]
        daily = daily.reindex(range(int(daily.index.max()) + 1)).ffill()
        passed = daily["incidence"].fillna(0.0)
        left = daily["survival"].fillna(1.0)
        moves = ((passed.iloc[-1] - passed) / left.where(left > 0)).clip(0, 1).fillna(0.0)
        frames.append(
            pd.DataFrame({"from_stage": stage, "age_days": daily.index, "chance": moves.to_numpy() * later[str(stage)]})
        )
    nothing = pd.DataFrame({"from_stage": [], "age_days": [], "chance": []})
    found = pd.concat(frames, ignore_index=True) if frames else nothing
    return found.astype({"from_stage": "str", "age_days": "int64", "chance": "float64"})


def _later(rates: pd.DataFrame, funnel: Funnel) -> dict[str, float]:
    """Product of the rates of the steps after each stage's own."""
    rate = rates.set_index("from_stage")["rate"].to_dict()
    product, found = 1.0, {}
    for step in reversed(funnel.steps):
        found[step.from_stage] = product
        product *= float(rate.get(step.from_stage, np.nan))
    return found


def with_stake(own: pd.DataFrame, chances: pd.DataFrame, deal: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """A manager's open leads with what each may bring: its chance to win times its amount, or the mean deal.

    Takes the manager's rows of ``open_leads``, ``chances`` and ``deal_size``. Adds days_there (since it last moved),
    chance and at_stake (missing where neither amount nor mean deal is known). A lead there longer than any other has no
    chance left.
    """
    days_there = _days(own["since"], as_of)
    oldest = chances.groupby("from_stage")["age_days"].max()
    known = own["stage"].map(oldest)
    age = np.fmin(_days(own["entered_on"], as_of), known.fillna(0)).astype("int64")
    at = pd.MultiIndex.from_arrays([own["stage"], age])
    chance = chances.set_index(["from_stage", "age_days"])["chance"].reindex(at).to_numpy()
    return own.assign(days_there=days_there, chance=chance, at_stake=chance * _amounts(own, deal))


def _amounts(leads: pd.DataFrame, deal: pd.DataFrame) -> Array:
    """What each lead would bring: its own amount, or the mean deal; missing where neither is known."""
    mean = float(deal["mean_deal"].iloc[0])
    amount = leads["amount"].where(leads["amount"] > 0).fillna(mean if mean > 0 else np.nan)
    return amount.to_numpy(dtype=float)


def coming_week(as_of: date) -> tuple[date, date]:
    """First and last of the seven days after a day.

    >>> coming_week(date(2026, 6, 28))
    (datetime.date(2026, 6, 29), datetime.date(2026, 7, 5))
    """
    return as_of + timedelta(days=1), as_of + timedelta(days=WEEK)


def untouched(staked: pd.DataFrame) -> pd.DataFrame:
    """Open leads that nobody contacted yet, those waiting longest first; none where contacts are not known."""
    waiting = staked[staked["contacts"] == 0]
    return waiting.sort_values(["days_there", "lead_id"], ascending=[False, True], ignore_index=True)


def stalled(own: pd.DataFrame, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Open leads by stage, and those of them without a contact or move for longer than ``loop.idle_days``.

    Returns stage (every one but the last), leads, stalled, untouched (never contacted; missing without contacts),
    idle_days (the limit), longest (days of the longest silence, missing where nobody is there).
    """
    frame = own.assign(silent=_silent(own, as_of), limit=_limits(own["stage"], funnel))
    frame = frame.assign(stalled=frame["silent"] > frame["limit"], untouched=frame["contacts"] == 0)
    by = frame.groupby("stage")
    stages = pd.Index(funnel.stages[:-1], name="stage")
    counts = pd.DataFrame({"leads": by.size(), "stalled": by["stalled"].sum(), "untouched": by["untouched"].sum()})
    counts = counts.reindex(stages).fillna(0).astype("int64")
    counts["untouched"] = counts["untouched"].astype(float) * (np.nan if own["contacts"].isna().any() else 1.0)
    counts["idle_days"] = _limits(stages.to_series(), funnel).to_numpy()
    counts["longest"] = by["silent"].max().reindex(stages)
    return counts.reset_index()


def worklist(staked: pd.DataFrame, retries: pd.DataFrame, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """All own leads to act on this week: the open ones, most money at stake first, then the refused ones to try again.

    ``staked`` is a frame of ``with_stake``, ``retries`` one of ``with_retry_stake`` (empty where there are none), whose
    order is kept. An open lead is listed if no contact with it is recorded, if the days agreed for its step end within
    a week after ``as_of``, or if it stalled; the first of these is its reason. Returns kind ("open" or "second try"),
    lead_id, company, stage, days_there, reason, next_step, chance, at_stake.
    """
    ahead = {step.from_stage: step for step in funnel.steps}
    to_stage = staked["stage"].map({name: step.to_stage for name, step in ahead.items()})
    horizon = staked["stage"].map({name: step.horizon_days for name, step in ahead.items()})
    left = horizon.to_numpy(dtype=float) - _days(staked["entered_on"], as_of).to_numpy(dtype=float)
    silent, limit = _silent(staked, as_of), _limits(staked["stage"], funnel)
    why = np.select(
        [staked["contacts"] == 0, (left >= 1) & (left <= WEEK), silent > limit], [NEVER, HORIZON, IDLE], default=""
    )
    frame = staked.assign(why=why, silent=silent, to_stage=to_stage, due=[_after(as_of, days) for days in left])
    frame = frame[frame["why"] != ""]
    rows = [_words(row, funnel) for row in frame.to_dict("records")]
    listed = frame.assign(kind=OPEN, reason=[why for why, _step in rows], next_step=[step for _why, step in rows])
    order = ["at_stake", "chance", "days_there", "lead_id"]
    listed = listed.sort_values(order, ascending=[False, False, True, True], na_position="last", ignore_index=True)
    both = [part[LISTED] for part in (listed, retries) if not part.empty]
    return pd.concat(both, ignore_index=True) if both else listed[LISTED]


def second_tries(success: pd.DataFrame) -> tuple[int, int]:
    """How many second tries the team made whose days are over, and how many of them were won; of ``retry_success``."""
    won = success[success["to_stage"] == success["to_stage"].iloc[-1]] if len(success) else success
    return int(won["again_entered"].sum()), int(won["again_converted"].sum())


def with_retry_stake(retries: pd.DataFrame, success: pd.DataFrame, deal: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Refused leads due for a second try with what each may bring if it is tried: most first, then by its last day.

    Takes the manager's ``retries_due`` and ``retry_success`` of the team. The chance is that of leads that **were**
    tried: those nobody called again say nothing of what a call brings. It is missing, and at_stake with it, below ten
    such tries: an export that writes them down as new leads, or holds one row per lead, shows none. Returns the columns
    of ``worklist`` (days_there counts from the refusal), then refusal, lost_on, due_from, due_to.
    """
    tried, won = second_tries(success)
    chance = won / tried if tried >= FEWEST_TRIES else np.nan
    due = [_("call again by {day}").format(day=day(until)) for until in retries["due_to"]]
    why = [
        _("second try due") if refusal == MISSING else _("second try due: {refusal}").format(refusal=refusal)
        for refusal in retries["refusal"]
    ]
    found = retries.assign(
        kind=AGAIN,
        days_there=_days(retries["lost_on"], as_of),
        chance=chance,
        at_stake=chance * _amounts(retries, deal),
        reason=pd.Series(why, index=retries.index, dtype="str"),
        next_step=pd.Series(due, index=retries.index, dtype="str"),
    )[[*LISTED, "refusal", "lost_on", "due_from", "due_to"]]
    order = ["at_stake", "chance", "due_to", "lead_id"]
    return found.sort_values(order, ascending=[False, False, True, True], na_position="last", ignore_index=True)


def _words(row: dict, funnel: Funnel) -> tuple[str, str]:
    """Reason and next step of a listed lead."""
    if row["why"] == NEVER and row["stage"] == funnel.stages[0]:
        return _("never contacted"), _("first call")
    if row["why"] == NEVER:
        # who came this far was talked to: what lacks is the record
        return _("no contact recorded"), _("call and write it down")
    if row["why"] == HORIZON:
        reason = _("days end {day}").format(day=day(row["due"]))
        return reason, _("bring it to {stage}").format(stage=row["to_stage"])
    return _("idle for {n} days").format(n=number(row["silent"])), _("call or close it")


def _days(since: pd.Series, as_of: date) -> pd.Series:
    return (pd.Timestamp(as_of) - since).dt.days


def _silent(own: pd.DataFrame, as_of: date) -> pd.Series:
    """Days since the last move or contact."""
    return _days(own[["since", "last_contact_on"]].max(axis=1), as_of)


def _limits(stages: pd.Series, funnel: Funnel) -> pd.Series:
    return stages.map(lambda stage: funnel.loop.idle_days_at.get(stage, funnel.loop.idle_days)).astype("int64")


def _after(as_of: date, days: float) -> date:
    return as_of + timedelta(days=int(days))
