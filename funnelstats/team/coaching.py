"""Many managers at once: shrunken rates, intervals of ranks, who should teach whom."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.core.comparing import NOT_RANKED, effective_counts
from funnelstats.core.conversion import STEP
from funnelstats.core.intervals import Array

DRAWS = 2000
LIMITS = [0.025, 0.975]
SURE = 0.9
APART = 0.05
"""Of twenty managers one may be unlike the rest: without that, one outlier among forty is drawn most of the way."""
GOOD, BAD = ("green", "no target", ""), ("red", "amber")
"""Verdicts with which one may teach a step, and with which not even in a swap; blank is a frame without verdicts."""
LESSON = ["from_stage", "to_stage", "teacher", "learner", "teacher_rate", "learner_rate", "probability"]
LESSON_KEY = ["teacher", "learner", "from_stage"]
LESSON += ["deals", "deals_lower", "deals_upper", "good", "sure"]


def shrunken_rates(rates: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Each manager's rate as his own leads and those of his team suggest it: few leads, more of the team.

    Full Bayes: beta-binomial over the managers of a step, hyperprior (a + b)^(−5/2), so that the interval
    holds what the team itself leaves open; each is with chance .05 unlike the rest, any rate as likely. Takes
    count or censored frames with a column ``manager``; adds ``shrunken, shrunken_lower, shrunken_upper`` and,
    where the frame has a ``floor``, ``p_below`` it. Missing where a manager has no leads, with [0, 1], or is not
    ranked, without limits.
    Source: Gelman et al., Bayesian Data Analysis, 5.3.

    >>> fs.team.shrunken_rates(managers)[["manager", "to_stage", "entered", "rate", "shrunken"]].head(2).round(3)
         manager   to_stage  entered   rate  shrunken
    0  Anna Berg        met      288  1.000     0.997
    1  Anna Berg  presented      279  0.815     0.813
    """
    need(rates, "rates", "manager", *STEP)
    columns = ["shrunken", "shrunken_lower", "shrunken_upper", "p_below"]
    found = pd.DataFrame(np.nan, index=range(len(rates)), columns=columns)
    floor = rates["floor"].to_numpy(dtype=float) if "floor" in rates else np.full(len(rates), np.nan)
    for rows, draws in _draws_per_step(rates, seed):
        low, high = np.quantile(draws, LIMITS, axis=0)
        below = np.where(np.isnan(floor[rows]), np.nan, np.mean(draws < floor[rows], axis=0))
        found.iloc[rows] = np.column_stack([draws.mean(axis=0), low, high, below])
    found.loc[~_judged(rates)] = np.nan
    asked = _ranked(rates)
    found["shrunken_lower"] = found["shrunken_lower"].fillna(0.0).where(asked)
    found["shrunken_upper"] = found["shrunken_upper"].fillna(1.0).where(asked)
    shown = columns if "floor" in rates else columns[:-1]
    return rates.assign(**{name: found[name].to_numpy() for name in shown})


def rank_intervals(rates: pd.DataFrame) -> pd.DataFrame:
    """Which places each manager may hold within a step, 1 the best: instead of a league table.

    Adds ``rank`` (median), ``rank_lower``, ``rank_upper``; missing for managers without leads or not ranked.

    >>> fs.team.rank_intervals(managers)[["manager", "to_stage", "rank", "rank_lower", "rank_upper"]].head(2)
         manager   to_stage  rank  rank_lower  rank_upper
    0  Anna Berg        met   1.0         1.0         4.0
    1  Anna Berg  presented   5.0         2.0         7.0
    """
    need(rates, "rates", "manager", *STEP)
    found = np.full((len(rates), 3), np.nan)
    judged = _judged(rates)
    for rows, draws in _draws_per_step(rates, 0):
        rows, draws = rows[judged[rows]], draws[:, judged[rows]]
        if len(rows):
            places = stats.rankdata(-draws, axis=1)
            found[rows] = np.quantile(places, [0.5, *LIMITS], axis=0, method="inverted_cdf").T
    return rates.assign(rank=found[:, 0], rank_lower=found[:, 1], rank_upper=found[:, 2])


def coaching_pairs(
    rates: pd.DataFrame, funnel: Funnel, *, mean_deal: float | None = None, seed: int = 0
) -> pd.DataFrame:
    """Who can teach whom which step, and how many more deals that would bring.

    Learners of a step are those marked in a column ``named``; without one, the manager with the lowest shrunken
    rate. A teacher passes it better with probability .9 and is good at it: in the upper half there and, where the
    frame has a ``verdict``, green or without a target. Shown is the best, unless learner and teacher can swap: each is
    the better one at a step of the other's, range above 0 and not red or amber there (one swap a manager, a step each
    way). The uplift: the learner's own leads at the step, were they to pass it at the teacher's rate, all later steps
    as the learner does them. Pass ``at_equal_leads`` rates to compare at equal leads. Returns ``from_stage, to_stage,
    teacher, learner, teacher_rate, learner_rate, probability, swap, best, best_rate, other_teachers, deals,
    deals_lower, deals_upper`` and, with ``mean_deal``, ``money, money_lower, money_upper``; ``best`` is the teacher
    with the highest rate, in a swap often somebody else.

    >>> pairs = fs.team.coaching_pairs(managers, spec)
    >>> pairs[["to_stage", "teacher", "learner", "probability", "deals"]].head(2).round(2)
        to_stage    teacher learner  probability  deals
    0        met  Anna Berg  Иванов          1.0  20.24
    1  presented    Сидоров  Иванов          1.0  29.53
    """
    need(rates, "rates", "manager", *STEP, "entered")
    named = rates.reset_index(drop=True)
    judged = _judged(named)
    drawn = {named.loc[rows[0], "from_stage"]: (rows, draws) for rows, draws in _draws_per_step(named, seed)}
    later: dict[str, Array] = {}
    lessons: list[tuple] = []
    verdicts = named["verdict"] if "verdict" in named else pd.Series("", index=named.index)
    for step in reversed(funnel.steps):
        if step.from_stage not in drawn:
            continue
        rows, draws = drawn[step.from_stage]
        managers = named.loc[rows, "manager"].tolist()
        candidates = np.flatnonzero(judged[rows])
        mean = draws.mean(axis=0)
        if "named" in named:
            learners = [place for place in candidates if named.loc[rows[place], "named"]]
        else:
            learners = [candidates[mean[candidates].argmin()]] if len(candidates) else []
        for place in learners:
            gains = {other: draws[:, other] - draws[:, place] for other in candidates if other != place}
            better = [other for other in gains if np.mean(gains[other] > 0) >= SURE]
            middle = np.median(mean[candidates])
            leads = float(named.loc[rows[place], "entered"]) * later.get(managers[place], np.ones(len(draws)))
            for other in better:
                deals = leads * gains[other]
                low, high = np.quantile(deals, LIMITS)
                verdict = verdicts[rows[other]]
                lessons.append(
                    (
                        *(step.from_stage, step.to_stage, managers[other], managers[place], mean[other], mean[place]),
                        *(np.mean(gains[other] > 0), deals.mean(), low, high),
                        *(verdict in GOOD and mean[other] >= middle, verdict not in BAD and low > 0),
                    )
                )
        for position, manager in enumerate(managers):
            later[manager] = later.get(manager, np.ones(len(draws))) * draws[:, position]
    found = _one_teacher_each(pd.DataFrame(lessons, columns=LESSON))
    order = {step.from_stage: number for number, step in enumerate(funnel.steps)}
    found = found.sort_values("from_stage", key=lambda stages: stages.map(order), kind="stable", ignore_index=True)
    if mean_deal is None:
        return found
    return found.assign(**{f"money{end}": found[f"deals{end}"] * mean_deal for end in ("", "_lower", "_upper")})


def _one_teacher_each(lessons: pd.DataFrame) -> pd.DataFrame:
    """Of all lessons one for each learner and step: from whom one can swap with, else from the best."""
    lesson = ["learner", "from_stage"]
    ranked = lessons.assign(swap=_swapped(lessons)).sort_values("teacher_rate", ascending=False, kind="stable")
    ranked = ranked[ranked["good"].astype(bool) | ranked["swap"]]
    best = ranked.sort_values("good", ascending=False, kind="stable").drop_duplicates(lesson)
    best = best[[*lesson, "teacher", "teacher_rate"]].rename(columns={"teacher": "best", "teacher_rate": "best_rate"})
    others = ranked.groupby(lesson).size().sub(1).rename("other_teachers").reset_index()
    shown = ranked.sort_values("swap", ascending=False, kind="stable").drop_duplicates(lesson)
    shown = shown.merge(best, on=lesson).merge(others, on=lesson)
    return shown[[*LESSON[:7], "swap", "best", "best_rate", "other_teachers", *LESSON[7:10]]]


def _swapped(lessons: pd.DataFrame) -> list[bool]:
    """Which lessons two managers owe each other: the biggest one each way, and for each manager one such pair."""
    sure = lessons[lessons["sure"].astype(bool)].sort_values("deals", ascending=False, kind="stable")
    sure = sure.drop_duplicates(["teacher", "learner"])
    both = sure.merge(sure, left_on=["teacher", "learner"], right_on=["learner", "teacher"], suffixes=("", "_back"))
    both = both.assign(total=both["deals"] + both["deals_back"]).sort_values("total", ascending=False, kind="stable")
    swaps: set[tuple[str, str, str]] = set()
    taken: set[str] = set()
    for teacher, learner, there, back in both[["teacher", "learner", "from_stage", "from_stage_back"]].to_numpy():
        if not {teacher, learner} & taken:
            taken |= {teacher, learner}
            swaps |= {(teacher, learner, there), (learner, teacher, back)}
    return [lesson in swaps for lesson in zip(*(lessons[part] for part in LESSON_KEY), strict=True)]


def log_likelihood(a: Array, b: Array, k: Array, n: Array, apart: float = 0.0) -> Array:
    """Beta-binomial log-likelihood of all managers together, for each pair of a and b; a share may be ``apart``."""
    a, b = np.asarray(a)[..., np.newaxis], np.asarray(b)[..., np.newaxis]
    cells, times = np.unique(np.column_stack([k, n]), axis=0, return_counts=True)
    own, all_ = cells.T
    log = np.logaddexp(*_members_and_strangers(a, b, own, all_, apart))
    return np.asarray((log * times).sum(axis=-1))


def _members_and_strangers(a: Array, b: Array, k: Array, n: Array, apart: float) -> tuple[Array, Array]:
    with np.errstate(divide="ignore"):
        strangers = np.log(apart) + special.betaln(1 + k, 1 + n - k)
    return np.log1p(-apart) + special.betaln(a + k, b + n - k) - special.betaln(a, b), strangers


def hyper_posterior(k: Array, n: Array, apart: float = 0.0) -> tuple[Array, Array, Array, tuple[float, float]]:
    """Logit of the team's mean, log of its size a + b, their weights on a grid, and the widths of a cell.

    A coarse grid finds where the posterior is, a fine one covers it. Sizes below 1 are left out: managers
    who are each either perfect or hopeless are no team.
    """
    edges = [(-9.0, 9.0), (0.0, 14.0)]
    for points in (24, 40):
        axes = [np.linspace(*edge, points) for edge in edges]
        mean, size = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
        a, b = special.expit(mean) * np.exp(size), special.expit(-mean) * np.exp(size)
        log = log_likelihood(a, b, k, n, apart) + np.log(a) + np.log(b) - 2.5 * size
        near = log > log.max() - 10
        steps = [axis[1] - axis[0] for axis in axes]
        edges = [
            (max(values[near].min() - step, low), min(values[near].max() + step, high))
            for values, step, (low, high) in zip((mean, size), steps, edges, strict=True)
        ]
    weight = np.exp(log - log.max())
    return mean, size, weight / weight.sum(), (steps[0], steps[1])


def _draws_per_step(rates: pd.DataFrame, seed: int) -> Iterator[tuple[npt.NDArray[np.intp], Array]]:
    """For each step its rows and draws × rows of their rates; the same seed, the same draws."""
    rng = np.random.default_rng(seed)
    k, n = effective_counts(rates)
    judged = _judged(rates)
    for group in rates.groupby(["from_stage", "to_stage"], sort=False, dropna=False).indices.values():
        rows = np.asarray(group)
        known = rows[judged[rows]]
        mean, size, weight, widths = hyper_posterior(k[known], n[known], APART)
        picked = rng.choice(len(weight), DRAWS, p=weight)
        # spread over the grid's cells, or few distinct values would be drawn
        mean, size = (
            values[picked] + width * (rng.random(DRAWS) - 0.5)
            for values, width in zip((mean, size), widths, strict=True)
        )
        a, b = (special.expit(sign * mean[:, np.newaxis]) * np.exp(size[:, np.newaxis]) for sign in (1, -1))
        member, stranger = _members_and_strangers(a, b, k[rows], n[rows], APART)
        apart = rng.random(member.shape) < special.expit(stranger - member)
        yield rows, rng.beta(np.where(apart, 1, a) + k[rows], np.where(apart, 1, b) + (n - k)[rows])


def _judged(rates: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return (effective_counts(rates)[1] > 0) & _ranked(rates)


def _ranked(rates: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return np.asarray(rates["verdict"] != NOT_RANKED) if "verdict" in rates else np.ones(len(rates), dtype=bool)
