"""Week after week: since when a step leaks, and which steps do, however often one looks.

Everything is computed anew from the weeks given; no state is kept between reports.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from funnelstats.stated.intervals import Array, checked, share
from funnelstats.stated.schema import MISSING
from funnelstats.statistics.conversion import COUNTS
from funnelstats.statistics.managers import is_ranked, targets_and_floors

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel

WEEKS_TO_FALSE_ALARM = 1560
"""A step that converts exactly at its floor alarms once in so many weeks (thirty years).

With five years one of four steps exactly at their floors alarms in a third of half-years, with thirty in about one
of fifteen; a leak of 17 points is dated as before.
"""

MEAN_START = 26
"""Weeks until a leak begins that was not there from the start, on average, before anything is seen."""

GRID, LATTICE = 0.05, 0.025


def since_when(weeks: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Which steps stand in alarm, and since which week: a CUSUM of each group and step.

    Takes matured leads per week, ``*keys, week, from_stage, to_stage, entered, converted`` (week is the
    week's Monday). Every miss adds log 2, every lead takes away log(2 - floor), never below 0: the evidence
    that the odds of a conversion have halved from the floor (target - tolerance), the drop that Steiner and
    others watch for. At the limit an alarm stands, and it stands until the sum is back at 0; the sum stops
    growing at the limit, so that a repaired step is soon seen to be.

    Returns ``*keys, from_stage, to_stage, alarm, since, before_rate, after_rate, statistic, limit``. ``since``
    is the week after the last 0, the likeliest start; the rate after it was chosen for being low, so expect
    somewhat better. Nothing is watched without a floor between 0 and 1, for system users or where no manager
    is named. Sources: Page 1954; Steiner, Cook, Farewell and Treasure 2000.
    """
    cells, mondays, entered, converted = _by_week(weeks, funnel)
    floor = _watched_floor(cells, funnel)
    limit = np.array([_limit(*design) for design in zip(floor, _usual_week(entered), strict=True)])
    scores = np.log(2) * (entered - converted) - np.log(2 - floor)[:, None] * entered
    sums, first = np.zeros(len(cells)), np.zeros(len(cells), dtype=int)
    stands = np.zeros(len(cells), dtype=bool)
    for week, score in enumerate(scores.T):
        sums = np.clip(sums + score, 0.0, limit)
        stands = (stands | (sums >= limit)) & (sums > 0)
        first = np.where(sums > 0, first, week + 1)
    after = stands[:, None] & (np.arange(len(mondays)) >= first[:, None])
    rates = {
        name: share((converted * part).sum(axis=1), (entered * part).sum(axis=1))
        for name, part in {"before_rate": ~after, "after_rate": after}.items()
    }
    begun = mondays.append(pd.DatetimeIndex([pd.NaT]))[np.where(stands, first, len(mondays))]
    return cells.assign(alarm=stands, since=begun, **rates, statistic=sums, limit=limit)


def e_alarms(weeks: pd.DataFrame, funnel: Funnel, *, alpha: float = 0.05) -> pd.DataFrame:
    """Which steps convert below their floor, at a rate of false alarms that holds however often one looks.

    Takes the frame of ``since_when``, always from the same first week on, each lead once. Returns ``*keys,
    from_stage, to_stage, entered, converted, e_value, alarm, since``. At or above the floor an e-value ever
    reaches 20 in at most one case in twenty, whenever one looks; the alarms are those of the e-Benjamini-Hochberg
    procedure over the rows (of all alarms at most alpha false). ``since``, of alarms only, is the week from which
    on the evidence is strongest; the first week may stand for any before it. The e-value is ``e_values`` mixed
    over the week in which the leak began, half on the first: without that, good weeks outweigh a later leak (13
    leads a week, from .84 to .67 against .80 after 20 weeks: found within 12 weeks in .01 of cases, so in .45).
    Sources: Ville 1939; Wang and Ramdas 2022; Shin, Ramdas and Rinaldo 2024.
    """
    cells, mondays, entered, converted = _by_week(weeks, funnel)
    n, k = (np.cumsum(counts[:, ::-1], axis=1)[:, ::-1] for counts in (entered, converted))
    since = np.arange(len(mondays))
    weight = np.where(since == 0, 0.5, 0.5 / MEAN_START * (1 - 1 / MEAN_START) ** (since - 1.0))
    begun = e_values(k, n, _watched_floor(cells, funnel)[:, None]) * weight
    value = begun.sum(axis=1) + 1 - weight.sum()
    alarm = e_benjamini_hochberg(value, alpha)
    likeliest = np.argmax(begun, axis=1) if len(mondays) else np.zeros(len(cells), dtype=int)
    since_week = mondays.append(pd.DatetimeIndex([pd.NaT]))[np.where(alarm, likeliest, len(mondays))]
    return cells.assign(
        entered=entered.sum(axis=1).astype("int64"),
        converted=converted.sum(axis=1).astype("int64"),
        e_value=value,
        alarm=alarm,
        since=since_week,
    )


def e_values(converted: npt.ArrayLike, entered: npt.ArrayLike, floor: npt.ArrayLike) -> Array:
    """Evidence against "at or above the floor": how much better rates below it, mixed, foretell the leads.

    The mixture is Jeffreys' prior cut off at the floor; on average at most 1 when the floor is met, at any
    time at which one may stop. Missing where there is no floor.
    """
    k, n = checked(converted, entered)
    p = np.asarray(floor, dtype=float)
    won, missed = k + 0.5, n - k + 0.5
    with np.errstate(divide="ignore"):
        below = special.betaln(won, missed) + np.log(special.betainc(won, missed, p))
        before = special.betaln(0.5, 0.5) + np.log(special.betainc(0.5, 0.5, p))
    at_floor = special.xlogy(k, p) + special.xlog1py(n - k, -p)
    with np.errstate(over="ignore"):
        return np.exp(below - before - at_floor)


def e_benjamini_hochberg(values: npt.ArrayLike, alpha: float = 0.05) -> npt.NDArray[np.bool_]:
    """Which of the e-values are alarms if at most alpha of them, on average, may be false.

    Missing ones are no part of the family.
    """
    e = np.asarray(values, dtype=float)
    ordered = np.sort(e[~np.isnan(e)])[::-1]
    enough = ordered * np.arange(1, len(ordered) + 1) >= len(ordered) / alpha
    return e >= np.min(ordered[enough], initial=np.inf) if enough.any() else np.zeros(e.shape, dtype=bool)


def cusum_arl(rate: float, leads: int, *, floor: float, worse: float, limit: float, states: int = 1000) -> float:
    """Weeks on average until the CUSUM for ``worse`` against ``floor`` first alarms at a true ``rate``.

    Weeks have the same number of leads. The sum is a Markov chain on a lattice of ``states`` points; a score
    between two points is shared out between them. Source: Brook and Evans 1972.
    """
    won = np.arange(leads + 1)
    missed = leads - won
    chance = stats.binom.pmf(won, leads, rate)
    scores = won * np.log(worse / floor) + missed * np.log((1 - worse) / (1 - floor))
    place = scores * states / limit
    below = np.floor(place)
    jumps = np.clip(np.concatenate([below, below + 1]), -states, states).astype(int) + states
    shares = np.concatenate([chance * (below + 1 - place), chance * (place - below)])
    of_jump = np.bincount(jumps, shares, 2 * states + 1)
    state = np.arange(states)
    moves = of_jump[states + state[None, :] - state[:, None]]
    moves[:, 0] = np.cumsum(of_jump)[states - state]
    return float(np.linalg.solve(np.eye(states) - moves, np.ones(states))[0])


@lru_cache(maxsize=4096)
def _limit(floor: float, leads: int) -> float:
    """The lowest limit at which a step exactly at its floor runs long enough without an alarm."""
    if not 0 < floor < 1 or leads < 1:
        return np.nan

    def rare_enough(steps: int) -> bool:
        limit = GRID * steps
        states = max(round(limit / LATTICE), 20)
        worse = floor / (2 - floor)
        arl = cusum_arl(floor, leads, floor=floor, worse=worse, limit=limit, states=states)
        return arl >= WEEKS_TO_FALSE_ALARM

    steps = range(1, 161)
    return GRID * steps[min(bisect_left(steps, True, key=rare_enough), len(steps) - 1)]


def _usual_week(entered: Array) -> list[int]:
    """Mean number of leads of the weeks that have any: a limit in weeks must not count empty ones."""
    return np.rint(np.nan_to_num(share(entered.sum(axis=1), (entered > 0).sum(axis=1)))).astype(int).tolist()


def _by_week(weeks: pd.DataFrame, funnel: Funnel) -> tuple[pd.DataFrame, pd.DatetimeIndex, Array, Array]:
    """Groups and steps in order, the weeks, and leads and conversions of each group and week."""
    keys = [str(column) for column in weeks if column not in ("week", *COUNTS)]
    order = {step.from_stage: number for number, step in enumerate(funnel.steps)}
    cells = weeks[keys].drop_duplicates()
    groups = [key for key in keys if key not in ("from_stage", "to_stage")]
    cells = (
        cells.assign(_order=cells["from_stage"].map(order))
        .sort_values([*groups, "_order"], key=lambda column: column.mask(column == MISSING))
        .drop(columns="_order")
        .reset_index(drop=True)
    )
    number = weeks[keys].merge(cells.assign(_cell=cells.index), on=keys, how="left")["_cell"].to_numpy()
    monday, mondays = pd.factorize(pd.to_datetime(weeks["week"]), sort=True)
    shape = (len(cells), len(mondays))
    place = number * shape[1] + monday
    entered, converted = (
        np.bincount(place, weeks[column], shape[0] * shape[1]).astype(float).reshape(shape)
        for column in ("entered", "converted")
    )
    checked(converted, entered)
    return cells, pd.DatetimeIndex(mondays), entered, converted


def _watched_floor(cells: pd.DataFrame, funnel: Funnel) -> Array:
    """Target - tolerance of each row, missing where nothing was agreed or nobody is to be named."""
    _, floor = targets_and_floors(cells, funnel)
    return np.where(is_ranked(cells, funnel), floor, np.nan)
