"""Whose step leaks: managers against the target and against the rest, at a stated rate of false alarms."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.conversion import COUNTS, MEASURED, STEP, conversion_rates, rate_difference
from funnelstats.core.incidence import OUTCOMES
from funnelstats.core.intervals import NO, YES, Array, answers, score_interval, share_margin

RED, AMBER, GREEN = 0.05, 0.20, 0.90
"""Share of false reds allowed on a page; the same for ambers; how sure a green must be."""

REST, ALPHA, POWER = 0.10, 0.05, 0.80
ALPHA_REST = 0.01
"""The level at which somebody is named where no target is agreed: no e-value then backs the name over the weeks."""
NOT_RANKED = "not ranked"
"""The verdict on system users and on leads of nobody."""


def versus_target(rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Which cells of a page miss their target, and which are too small to tell.

    Pass the **whole** page (``versus_targets``): of all cells it paints red, on average 5 in 100 are so by chance at
    most (Benjamini–Hochberg). Everything is tested against the floor, that is target − tolerance. Takes a count frame
    (entered, converted) or a censored one (rate, n_eff; with ``df`` by Student's quantile, as in
    ``rates_over_weeks``). Returns its rows with ``rate, ci_lower, ci_upper`` and

    - ``target`` (the manager's own where one is agreed), ``floor``
    - ``p_mid``: chance of so few conversions, or fewer, at the floor (one-sided mid-p); ``p_holm``: the same for a
      name, adjusted by Holm: named at .05, at most one page in twenty names anybody by chance
    - ``verdict``: red, amber (look here), green (at or above the floor, probability .9), undecided,
      too few (even no conversion at all could not be red), no target, not ranked (system users, no manager)
    - ``below_at_most``: how far below the floor the rate is at most, in points (one-sided, 95 %); negative where it
      is surely above
    - ``drop_visible``: smallest drop below the floor, in points, that this many leads would show four
      times in five, taken alone

    >>> fs.versus_target(rates, spec)[["to_stage", "rate", "target", "verdict"]].round(3)
         to_stage   rate  target    verdict
    0         met  0.963    1.00      green
    1   presented  0.804    0.80  undecided
    2  contracted  0.663    0.80        red
    3        paid  0.949    0.95  undecided
    """
    need(rates, "rates", *STEP, *(["rate"] if "n_eff" in rates else ["entered", "converted"]))
    frame = rates if "rate" in rates else conversion_rates(rates)
    k, n = effective_counts(frame)
    target, floor = targets_and_floors(frame, funnel)
    ranked = is_ranked(frame, funnel)
    tested = ranked & ~np.isnan(floor) & (n > 0)
    p_mid = np.where(tested, _as_known(mid_p(k, n, floor), frame), np.nan)
    adjusted = benjamini_hochberg(p_mid)
    with np.errstate(invalid="ignore"):
        sure = special.betaincc(k + 0.5, n - k + 0.5, floor) >= GREEN
    verdict = np.select(
        [
            ~ranked,
            np.isnan(floor),
            ~tested,
            adjusted <= RED,
            adjusted <= AMBER,
            sure,
            ~_could_be_red(p_mid, _as_known(mid_p(np.zeros_like(n), n, floor), frame)),
        ],
        [NOT_RANKED, "no target", "too few", "red", "amber", "green", "too few"],
        "undecided",
    )
    lowest, _highest = score_interval(k, n, stats.t.ppf(0.95, frame.get("df", np.inf)))
    return frame.assign(
        target=target,
        floor=floor,
        p_mid=p_mid,
        p_holm=holm(p_mid),
        verdict=verdict,
        below_at_most=np.where(tested, 100 * (floor - lowest), np.nan),
        drop_visible=np.where(ranked, visible_drop(n, floor), np.nan),
    )


def versus_targets(team: pd.DataFrame, managers: pd.DataFrame, funnel: Funnel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``versus_target`` of the team's steps and of its managers' as one page, on which the reds are counted together.

    Both are frames of ``rates_over_weeks``; returns both with their verdicts.

    >>> team, managers = fs.versus_targets(rates, found.managers[["manager", *rates.columns]], spec)
    >>> managers["verdict"].value_counts().to_dict()
    {'undecided': 14, 'red': 11, 'green': 10, 'not ranked': 8, 'amber': 1}
    """
    need(team, "team", *STEP)
    need(managers, "managers", "manager", *STEP)
    page = versus_target(pd.concat([team, managers], ignore_index=True), funnel)
    added = page[page.columns.difference([*team, *managers], sort=False)]
    return (
        team.reset_index(drop=True).join(added.head(len(team))),
        managers.reset_index(drop=True).join(added.iloc[len(team) :].reset_index(drop=True)),
    )


def with_undated(verdicts: pd.DataFrame, undated: pd.DataFrame) -> pd.DataFrame:
    """The verdicts, red and amber only where wins without a date do not matter: "undecided" elsewhere.

    Takes a frame of ``versus_targets`` and ``undated_counts`` of the same groups. A step stays red or amber if it would
    be below its floor, at 5 %, had all of them passed it in time.

    >>> fs.with_undated(team, found.undated)[["to_stage", "verdict", "undated"]].head(2)
        to_stage    verdict  undated
    0        met      green    False
    1  presented  undecided    False
    """
    need(verdicts, "verdicts", *STEP, "rate", "floor", "verdict")
    need(undated, "undated", *STEP, "entered", "won", "unseen")
    keys = [column for column in undated if column in verdicts and column not in MEASURED]
    more = verdicts[keys].merge(undated.assign(more=undated["won"] + undated["unseen"]), how="left", on=keys)
    n = effective_counts(verdicts)[1]
    added = np.nan_to_num(more["more"] / (more["entered"] + more["unseen"]))
    at_most = np.clip(verdicts["rate"].fillna(0).to_numpy() + added, 0, 1)
    below = _as_known(mid_p(at_most * n, n, verdicts["floor"]), verdicts) <= ALPHA
    doubtful = verdicts["verdict"].isin(["red", "amber"]) & (added > 0) & ~below
    return verdicts.assign(verdict=verdicts["verdict"].mask(doubtful, "undecided"), undated=added > 0)


def page_verdicts(
    verdicts: pd.DataFrame,
    rest: pd.DataFrame,
    mix: pd.DataFrame,
    team: pd.DataFrame,
    alarms: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Each cell's verdict, how it stands to the rest of the team, whose a miss is, and whether to name anybody.

    ``verdicts`` and ``team`` come from ``versus_targets``, ``rest`` from ``against_rest``, ``mix`` from ``case_mix``.
    Adds ``rest`` (higher, lower, undecided: against everybody else) and ``whose`` where something is missed, or where
    no target is agreed and the manager is lower than the rest:

    - "own": lower than the rest, and at equal leads as well
    - "base": the leads are harder and account for half or more of what is missing to the floor (to the rest, where no
      target is agreed), and at equal leads the manager is lower by less than ``margin`` (one-sided, 95 %: 5 points, or
      a third of what is expected where that is less); red becomes amber
    - "team": neither, and the team as a whole is red at the step
    - "unclear": neither can be told

    and ``named``: red, own, and so by Holm's rule for the whole page at .05; where no target is agreed, own and lower
    by that rule at .01. With ``alarms``, a frame of ``e_alarms``, a name also needs, where there is a target, an
    e-value of 20, or of as many as the page has e-values where these are more: at most one of them is ever so high by
    chance, on average. Adds their ``e_value``.

    >>> days = fs.outcome_days(paths, spec, day, by=["manager", "week"], entered_between=window)
    >>> cells = managers.drop(columns=["margin", "rest", "whose", "named"])
    >>> cells = fs.page_verdicts(cells, fs.against_rest(days, spec), found.mix, team)
    >>> cells.loc[cells["named"], ["manager", "to_stage", "verdict", "rest", "whose"]].head(2)
       manager   to_stage verdict   rest whose
    20  Иванов        met     red  lower   own
    21  Иванов  presented     red  lower   own
    """
    keys = ["manager", *STEP]
    need(verdicts, "verdicts", *keys, "rate", "floor", "verdict", "p_holm")
    need(rest, "rest", *keys, "difference", "verdict", "p_holm")
    need(mix, "mix", *keys, "entered", "converted", "expected", "mix_upper", "mix_lower90")
    need(team, "team", *STEP, "verdict")
    everybody = mix.groupby(STEP)[["entered", "converted"]].transform("sum")
    others = (everybody["converted"] - mix["converted"]) / (everybody["entered"] - mix["entered"])
    expected = mix["expected"] / mix["entered"]
    margin = share_margin(expected)
    alike = mix[keys].assign(
        margin=margin,
        weak=answers(mix["mix_upper"] < 0, mix["mix_lower90"], 0.0, margin),
        harder_by=others - expected,
    )
    beside = rest[[*keys, "difference", "verdict", "p_holm"]].rename(columns={"verdict": "rest", "p_holm": "rest_holm"})
    low_team = team.loc[team["verdict"] == "red", STEP].assign(team_low=True)
    found = verdicts.merge(alike, how="left", on=keys).merge(beside, how="left", on=keys)
    found = found.merge(low_team, how="left", on=STEP)
    lower = found["rest"] == "lower"
    missed = found["verdict"].isin(["red", "amber"]) | ((found["verdict"] == "no target") & lower)
    gap = (found["floor"] - found["rate"]).fillna(-found["difference"])
    by_leads = (found["weak"] == NO) & (found["harder_by"] > 0) & (found["harder_by"] >= gap / 2)
    whose = np.select(
        [~missed, by_leads, lower & (found["weak"] == YES), found["team_low"].eq(True)],
        ["", "base", "own", "team"],
        "unclear",
    )
    verdict = found["verdict"].mask((whose == "base") & (found["verdict"] == "red"), "amber")
    named = (verdict == "red") & (whose == "own") & (found["p_holm"] <= ALPHA)
    if alarms is not None:
        found = found.merge(alarms[[*keys, "e_value"]], how="left", on=keys)
        named &= found["e_value"] >= max(1 / ALPHA, found["e_value"].count())
    without = (verdict == "no target") & (whose == "own") & (found["rest_holm"] <= ALPHA_REST)
    if "undated" in found:  # nobody knows whether the others' leads had as many wins without a date in time
        without &= ~found["undated"].eq(True)
    named |= without
    return found.drop(columns=["weak", "harder_by", "difference", "rest_holm", "team_low"]).assign(
        verdict=verdict, whose=whose, named=named
    )


def versus_rest(rates: pd.DataFrame, rest: pd.DataFrame) -> pd.DataFrame:
    """How each manager's rate differs from that of **all the others**, never from a total that holds him.

    Takes two rate frames by manager, the second of ``rest_of`` counts. Returns ``*keys, rate, other_rate, difference,
    ci_lower, ci_upper, p_value, p_holm, verdict``: higher, lower (Benjamini–Hochberg .10 over the rows) or undecided.
    Source: Newcombe 1998; Fisher's exact test of effective leads, with ``df`` by Student's quantile.
    """
    found = rate_difference(rates, rest)
    keys = [column for column in found if column in rest and column not in MEASURED]
    (k1, n1), (k2, n2) = effective_counts(rates), effective_counts(found[keys].merge(rest, on=keys, how="left"))
    p_value = np.where(found["difference"].isna(), np.nan, 2 * _as_known(exact_p(k1, n1, k2, n2) / 2, rates))
    clear = benjamini_hochberg(p_value) <= REST
    sign = np.where(found["difference"] > 0, "higher", "lower")
    return found.assign(p_value=p_value, p_holm=holm(p_value), verdict=np.where(clear, sign, "undecided"))


def exact_p(k1: npt.ArrayLike, n1: npt.ArrayLike, k2: npt.ArrayLike, n2: npt.ArrayLike) -> Array:
    """Chance of two shares at least so far apart, were they one: Fisher's exact test, the smaller tail doubled.

    Holds for a handful of leads too, where a score test calls one lead of fifty against none of a thousand sure, and
    a single lead lost where all others moved on. Effective numbers of leads are rounded. Missing where one side has
    nobody.
    """
    cells = np.broadcast_arrays(*(np.round(np.asarray(part, dtype=float)) for part in (k1, n1, k2, n2)))
    first, of_first, second, of_second = (np.nan_to_num(part) for part in cells)
    tables = stats.hypergeom(of_first + of_second, of_first, first + second)
    p = np.minimum(1.0, 2 * np.minimum(tables.cdf(first), tables.sf(first - 1)))
    return np.where((of_first > 0) & (of_second > 0), p, np.nan)


def rest_of(counts: pd.DataFrame, by: str = "manager") -> pd.DataFrame:
    """For each manager the counts of everybody else; takes count frames and day counts alike."""
    numbers = [column for column in (*COUNTS, *OUTCOMES) if column in counts]
    others = [str(column) for column in counts if column not in (by, *numbers)]
    # the rest's leads of days and weeks in which the manager had none are the rest's all the same
    context = [column for column in others if column not in ("age_days", "week")]
    total = counts.groupby(others, sort=False, dropna=False)[numbers].sum().reset_index()
    everybody = counts[[by, *context]].drop_duplicates().merge(total, on=context)
    own = everybody[[by, *others]].merge(counts, on=[by, *others], how="left")[numbers].fillna(0)
    everybody[numbers] -= own.astype(everybody[numbers].dtypes.to_dict())
    return everybody[list(counts.columns)]


def mid_p(converted: npt.ArrayLike, entered: npt.ArrayLike, rate: npt.ArrayLike) -> Array:
    """Chance of fewer conversions at this rate, and half the chance of just as many.

    Binomial where the numbers are whole, continued by the beta function where leads are effective ones: at
    high targets a score test is far too eager there (.036 instead of .01 for 15 leads at 95 %).
    """
    k, n, p = (np.asarray(part, dtype=float) for part in (converted, entered, rate))
    with np.errstate(invalid="ignore"):
        as_many = np.where(k >= n, 1.0, special.betainc(np.maximum(n - k, 1e-300), k + 1, 1 - p))
        fewer = np.where(k <= 0, 0.0, special.betainc(n - k + 1, np.maximum(k, 1e-300), 1 - p))
    return np.where(n > 0, (as_many + fewer) / 2, np.nan)


def visible_drop(leads: npt.ArrayLike, floor: npt.ArrayLike) -> Array:
    """Smallest drop below the floor, in points, that so many leads show with probability .8 at 5 %.

    Missing where even no conversion would not show it. For "15 leads a week, y weeks" pass 15·y.
    """
    n, p = np.broadcast_arrays(np.floor(np.nan_to_num(np.asarray(leads, dtype=float))), floor)
    some = n > 0
    with np.errstate(invalid="ignore"):
        most = np.nan_to_num(stats.binom.ppf(ALPHA, n, p))
        most = np.where(mid_p(most, n, p) <= ALPHA, most, most - 1)
        seen = 1 - special.betaincinv(np.maximum(n - most, 1), np.maximum(most, 0) + 1, POWER)
    return np.where(some & (most >= 0) & (most < n), 100 * (p - seen), np.nan)


def benjamini_hochberg(p: npt.ArrayLike) -> Array:
    """Adjusted p-values; missing ones are no part of the family and stay missing."""
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    there = ~np.isnan(p)
    adjusted[there] = stats.false_discovery_control(p[there]) if there.any() else []
    return adjusted


def holm(p: npt.ArrayLike) -> Array:
    """Adjusted p-values of Holm 1979, for naming: all named at .05 are right on 19 pages of 20.

    Missing ones are no part of the family and stay missing.

    >>> holm([0.01, 0.04, 0.03, float("nan")]).round(3).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there], kind="stable")]
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return adjusted


def effective_counts(rates: pd.DataFrame) -> tuple[Array, Array]:
    """Conversions and leads of each row: as counted, or what a censored or standardised rate is worth."""
    if "n_eff" not in rates:
        return rates["converted"].to_numpy(dtype=float), rates["entered"].to_numpy(dtype=float)
    n = rates["n_eff"].fillna(0).to_numpy(dtype=float)
    return n * rates["rate"].fillna(0).to_numpy(dtype=float), n


def targets_and_floors(frame: pd.DataFrame, funnel: Funnel) -> tuple[Array, Array]:
    """Target of each row's step, the manager's own where one is agreed, and target less tolerance."""
    steps = {(step.from_stage, step.to_stage): step for step in funnel.steps}
    managers = frame["manager"] if "manager" in frame else [None] * len(frame)
    target, tolerance = np.full(len(frame), np.nan), np.zeros(len(frame))
    for row, (*stages, manager) in enumerate(zip(frame["from_stage"], frame["to_stage"], managers, strict=True)):
        step = steps.get(tuple(stages))
        agreed = step and step.targets.get(manager, step.target)
        if step and agreed is not None:
            target[row], tolerance[row] = agreed, step.tolerance
    # .8 − .05 is not .75 in binary; a rate of exactly the floor must meet it
    return target, np.round(target - tolerance, 12)


def _as_known(p: Array, frame: pd.DataFrame) -> Array:
    """One-sided p-values where the dispersion is known from ``df`` degrees of freedom only, not for certain."""
    return stats.t.cdf(special.ndtri(p), frame["df"]) if "df" in frame else p


def is_ranked(frame: pd.DataFrame, funnel: Funnel) -> npt.NDArray[np.bool_]:
    """Whether each row may be judged: not where its manager is a system user or missing."""
    if "manager" not in frame:
        return np.ones(len(frame), dtype=bool)
    return ~frame["manager"].isin([MISSING, *funnel.system_users]).to_numpy()


def _could_be_red(p: Array, lowest: Array) -> npt.NDArray[np.bool_]:
    """Whether a cell would be red had it no conversion at all and the others what they have."""
    ordered = np.sort(p[~np.isnan(p)])
    many = len(ordered)
    ranks = np.arange(1, many + 1)
    # a cell that is not red is rejected at rank r if r − 1 others are; its own p must be above that threshold
    possible = np.searchsorted(ordered, RED * ranks / many, side="right") >= ranks - 1
    best = np.append(0, np.maximum.accumulate(np.where(possible, ranks, 0)))
    below = np.clip(np.ceil(np.nan_to_num(p) * many / RED) - 1, 0, many).astype(int)
    return (benjamini_hochberg(p) <= RED) | (lowest <= RED * best[below] / max(many, 1))
