"""One manager's list: which own leads to act on this week, why, and what each may bring."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _, label
from funnelstats.core.conversion import later_rates
from funnelstats.core.incidence import OUTCOMES, life_table, watched_until
from funnelstats.core.intervals import Array, wilson_interval

FEWEST_TRIES = 10
"""Second tries below which their share won is no chance to plan by: of 10, a half is very likely 24 to 76 %."""
WEEK = 7
NEVER, UNLOGGED, HORIZON, IDLE, STILL = LISTED_WORDS = (
    "never contacted",
    "no contact logged",
    "deadline near",
    "silent too long",
    "no move for too long",
)
"""Why an open lead is listed; the last one where the export has no contacts: it may have been called every day."""
OPEN, AGAIN = "open", "second try"
LISTED = [
    *("kind", "lead_id", "company", "product", "stage", "amount", "last_contact_on", "reason", "next_step", "due"),
    *("days_there", "chance", "at_stake"),
]


def chances(days: pd.DataFrame, rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Chance to win, by stage and days there, of a lead that is still there: as the team's leads did.

    ``days`` are the team's ``outcome_days``, ``rates`` its frame of ``incidence_at``. A lead that stood at its stage
    for a days moves on with the chance (F(end) - F(a)) / S(a) of those that were still there, and then with the
    team's rates of the later steps. A lead long silent so has next to none, where the plain rate would promise most.
    Returns from_stage, age_days (0, 1, ... as long as leads were watched beyond that age), chance; missing where the
    rate of the step or of a later one is not known.

    >>> days = fs.outcome_days(fs.journeys(tables.entries, spec), spec, day)
    >>> rates = fs.incidence_at(fs.incidence(days), spec)
    >>> fs.leads.chances(days, rates, spec).head(2).round(3)
      from_stage  age_days  chance
    0       lead         0   0.542
    1       lead         1   0.533
    """
    need(days, "days", "from_stage", "age_days", *OUTCOMES)
    need(rates, "rates", "from_stage", "rate")
    rate = rates.set_index("from_stage")["rate"].reindex(funnel.stages[:-1])
    later = pd.Series(later_rates(rate.to_numpy(dtype=float)), index=rate.index).where(rate.notna())
    _keys, table = life_table(days)
    until = watched_until(table)
    frames = []
    for stage, rows in table.groupby("from_stage", sort=False):
        rows = rows.assign(there=rows["at_risk"] - rows[list(OUTCOMES)].sum(axis=1))
        daily = rows.set_index("age_days")[["incidence", "survival", "there"]]
        daily = daily.reindex(range(int(daily.index.max()) + 1)).ffill()
        passed = daily["incidence"].fillna(0.0)
        left = daily["survival"].fillna(1.0)
        moves = ((passed.iloc[-1] - passed) / left.where(left > 0)).clip(0, 1).fillna(0.0)
        # That all of a few moved on makes no lead sure to.
        moves = moves.clip(upper=(daily["there"] + 0.5) / (daily["there"] + 1))
        found = pd.DataFrame({"from_stage": stage, "age_days": daily.index, "chance": moves * later[str(stage)]})
        frames.append(found[daily.index < until.get(stage, 0)])
    found = pd.concat(frames or [pd.DataFrame(columns=["from_stage", "age_days", "chance"])], ignore_index=True)
    return found.astype({"from_stage": "str", "age_days": "int64", "chance": "float64"})


def with_stake(own: pd.DataFrame, chances: pd.DataFrame, deal: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """A manager's open leads with what each may bring: its chance to win times its amount, or the mean deal.

    Takes the manager's rows of ``open_leads``, ``chances`` and ``deal_size``. Adds days_there (since it last moved),
    chance (missing for a lead there longer than others were watched, and for all where nobody was won yet) and at_stake
    (missing too where neither amount nor mean deal is known).

    >>> staked = fs.leads.with_stake(everybody.open_leads, everybody.chances, everybody.deal, day)
    >>> staked[["lead_id", "stage", "days_there", "chance", "at_stake"]].tail(2).round(2)
        lead_id stage  days_there  chance  at_stake
    694  105014  lead           0    0.48  37149.35
    695  105015  lead           0    0.48  33329.36
    """
    need(own, "own", "stage", "entered_on", "since")
    need(chances, "chances", "from_stage", "age_days", "chance")
    need(deal, "deal", "mean_deal")
    at = pd.MultiIndex.from_arrays([own["stage"], _days(own["entered_on"], as_of)])
    known = chances if chances["chance"].max() > 0 else chances.head(0)
    chance = known.set_index(["from_stage", "age_days"])["chance"].reindex(at).to_numpy()
    return own.assign(days_there=_days(own["since"], as_of), chance=chance, at_stake=chance * _amounts(own, deal))


def expected(staked: pd.DataFrame) -> dict[str, float]:
    """What open leads bring, if all goes as in the past: ``deals`` and ``money`` of those whose chance is known.

    Takes ``with_stake``; of ``open`` leads ``not_known`` are in neither sum. Missing: no chance is known at all, or an
    amount is not.

    >>> {name: round(float(value)) for name, value in fs.leads.expected(leads).items()}
    {'open': 81, 'not_known': 3, 'deals': 29, 'money': 5014612}
    """
    known = staked[staked["chance"].notna()]
    sums = known[["chance", "at_stake"]].sum(skipna=False, min_count=1)
    return {"open": len(staked), "not_known": len(staked) - len(known), "deals": sums.iloc[0], "money": sums.iloc[1]}


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


def worklist(staked: pd.DataFrame, retries: pd.DataFrame, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """All own leads to act on this week: the open ones, most money at stake first, then the refused ones to try again.

    ``staked`` is a frame of ``with_stake``, ``retries`` one of ``with_retry_stake`` (empty where there are none), whose
    order is kept. An open lead is listed if no contact with it is recorded, if the days agreed for its step end within
    a week after ``as_of``, or if it stalled; the first of these is its reason. Returns kind ("open" or "second try"),
    lead_id, company, product, stage, amount, last_contact_on, reason (one of LISTED_WORDS), next_step, due (last of the
    days agreed, or of those for a second try; of a lead without a contact the next day, if that is earlier),
    days_there, chance, at_stake.

    >>> fs.leads.worklist(leads, again, spec, day)[["kind", "lead_id", "reason", "next_step"]].head(2)
       kind lead_id           reason                next_step
    0  open  104698    deadline near  bring it to “presented”
    1  open  104967  never contacted               first call
    """
    need(staked, "staked", "lead_id", "stage", "days_there", "chance", "at_stake")
    ahead = {step.from_stage: step for step in funnel.steps}
    horizon = staked["stage"].map(funnel.horizons).astype("int64")
    due = staked["entered_on"] + pd.to_timedelta(horizon, unit="D")
    left = (due - pd.Timestamp(as_of)).dt.days
    silent = _days(staked[["since", "last_contact_on"]].max(axis=1), as_of)
    limit = staked["stage"].map(funnel.idle_days(bool(staked["contacts"].notna().any()))).astype("int64")
    never, at_first, quiet = staked["contacts"] == 0, staked["stage"] == funnel.stages[0], silent > limit
    # who came beyond the first stage was talked to: what lacks is the record
    why = np.select(
        [never & at_first, never, left.between(1, WEEK), quiet & staked["contacts"].notna(), quiet],
        LISTED_WORDS,
        default="",
    )
    steps = {NEVER: _("first call"), UNLOGGED: _("call and log it")}
    steps |= dict.fromkeys((IDLE, STILL), _("call or close"))
    on = {name: _("bring it to “{stage}”").format(stage=label(step.to_stage)) for name, step in ahead.items()}
    todo = [steps.get(reason, on[stage]) for reason, stage in zip(why, staked["stage"], strict=True)]
    tomorrow = pd.Timestamp(coming_week(as_of)[0])
    due = due.mask(pd.Series(why, staked.index).isin([NEVER, UNLOGGED]) & (due > tomorrow), tomorrow)
    listed = staked.assign(kind=OPEN, reason=why, next_step=pd.Series(todo, index=staked.index, dtype="str"), due=due)
    listed = listed[listed["reason"] != ""]
    order = ["at_stake", "chance", "days_there", "lead_id"]
    listed = listed.sort_values(order, ascending=[False, False, True, True], na_position="last", ignore_index=True)
    both = [part[LISTED] for part in (listed, retries) if not part.empty]
    return pd.concat(both, ignore_index=True) if both else listed[LISTED]


def what_is_due(listed: pd.DataFrame, own: pd.DataFrame, success: pd.DataFrame) -> dict[str, Any]:
    """How many own leads wait this week and with which to begin, and what second tries may bring.

    Takes ``worklist``, ``with_stake`` of all own open leads and ``retry_success`` of the team. Returns ``open``
    (leads), ``due`` of them, ``first`` of these (a row, or {}), ``again`` (refused leads to call), and of the team's
    second tries whose days are over ``tried``, ``won``, their ``rate`` and its limits, missing below FEWEST_TRIES.

    >>> due = fs.leads.what_is_due(listed, leads, everybody.success)
    >>> due["open"], due["again"], due["first"]["lead_id"]
    (81, 46, '104698')
    """
    due, again = (listed[listed["kind"] == kind] for kind in (OPEN, AGAIN))
    tried, won = second_tries(success)
    enough = tried >= FEWEST_TRIES
    lower, upper = wilson_interval(won, tried) if enough else (np.nan, np.nan)
    return {
        **{"open": len(own), "due": len(due), "first": due.iloc[0].to_dict() if len(due) else {}, "again": len(again)},
        **{"tried": tried, "won": won, "rate": won / tried if enough else np.nan},
        **{"ci_lower": float(lower), "ci_upper": float(upper)},
    }


def second_tries(success: pd.DataFrame) -> tuple[int, int]:
    """How many second tries the team made whose days are over, and how many of them were won; of ``retry_success``."""
    won = success[success["to_stage"] == success["to_stage"].iloc[-1]] if len(success) else success
    return int(won["again_entered"].sum()), int(won["again_converted"].sum())


def with_retry_stake(retries: pd.DataFrame, success: pd.DataFrame, deal: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Refused leads due for a second try with what each may bring if it is tried: most first, then by its last day.

    Takes the manager's ``retries_due`` and ``retry_success`` of the team. The chance is that of leads that **were**
    tried: those nobody called again say nothing of what a call brings. It is missing, and at_stake with it, below ten
    such tries: an export that writes them down as new leads, or holds one row per lead, shows none. Returns the columns
    of ``worklist`` (days_there counts from the refusal), then lost_on and due_from; the reason is that of the refusal.

    >>> again = fs.leads.with_retry_stake(refused, everybody.success, everybody.deal, day)
    >>> again[["lead_id", "stage", "chance", "at_stake"]].head(2).round(2)
      lead_id       stage  chance   at_stake
    0  103008         met    0.53  227647.06
    1  101351  contracted    0.53  188205.88
    """
    tried, won = second_tries(success)
    chance = won / tried if tried >= FEWEST_TRIES else np.nan
    found = retries.assign(
        kind=AGAIN,
        last_contact_on=pd.Series(pd.NaT, index=retries.index, dtype="datetime64[us]"),
        days_there=_days(retries["lost_on"], as_of),
        chance=chance,
        at_stake=chance * _amounts(retries, deal),
        product="",
        reason=retries["refusal"],
        next_step=_("call again"),
        due=retries["due_to"],
    ).astype({"product": "str", "next_step": "str"})
    order = ["at_stake", "chance", "due", "lead_id"]
    found = found.sort_values(order, ascending=[False, False, True, True], na_position="last", ignore_index=True)
    return found[[*LISTED, "lost_on", "due_from"]]


def _days(since: pd.Series, as_of: date) -> pd.Series:
    return (pd.Timestamp(as_of) - since).dt.days
