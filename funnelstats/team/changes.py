"""Week after week: since when a step leaks, which steps do however often one looks, what moved the whole way.

Everything is computed anew from the weeks given; no state is kept between reports.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import effective_counts, is_ranked, mid_p, targets_and_floors
from funnelstats.core.conversion import COUNTS, STEP
from funnelstats.core.intervals import SIDED, UNTOLD, Array, answers, checked, share
from funnelstats.core.scatter import usual_dispersion

FELL = 0.98
"""How probable a fall within the weeks must be for an alarm.

So four steps exactly at their floors alarm falsely in at most one of ten half-years, weeks scattering or not; with
.95 in one of six.
"""

RANGE = 0.98
"""Probability of the weeks between which a fall began: of alarms of small falls, which luck has helped, nine in ten
hold it then; with .95 only .76 to .87 do."""

FIRST, SURE = 8, 0.05
"""Weeks that tell "from the first on", at a one-sided 5 %."""

MEAN_START = 26
"""Weeks until a leak begins that was not there from the start, on average, before anything is seen."""


def since_when(weeks: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Which steps fell below their floor within the weeks given, and between which weeks that began.

    Takes matured leads per week, ``*keys, week, from_stage, to_stage, entered, converted`` (week is its first
    day). Two hypotheses, equally likely beforehand: one rate in all weeks, or a fall from one to another in a week of
    which each is as likely as any other. Leads of one week are alike: counts are divided by Pearson's dispersion of
    the weeks around the best fall (at least 1), and evidence is Student's, since that is estimated too.

    Returns ``*keys, from_stage, to_stage, alarm, since, since_lower, since_upper, at_start, before_rate, after_rate,
    fell, dispersion``. ``fell`` is the probability of a fall, ``alarm`` that it is .98 and the rate afterwards below
    the floor; only then there are dates: ``since``, the likeliest first week, and the first and last of the weeks that
    hold it with probability .98. ``at_start``: the weeks before these, without an alarm the first eight, were below
    the floor already (one-sided 5 %). The rate after was chosen for being low: expect somewhat better. Nothing is
    watched without a lead or a floor between 0 and 1, for system users or where no manager is named: ``fell`` is
    missing. Sources: Chernoff and Zacks 1964; Smith 1975.

    >>> fs.team.since_when(leak.weeks, spec)[["to_stage", "alarm", "since", "since_lower", "since_upper"]]
         to_stage  alarm      since since_lower since_upper
    0         met  False        NaT         NaT         NaT
    1   presented  False        NaT         NaT         NaT
    2  contracted   True 2026-04-13  2026-04-13  2026-04-13
    3        paid  False        NaT         NaT         NaT
    """
    need(weeks, "weeks", "week", *STEP, "entered", "converted")
    cells, starts, entered, converted = _by_week(weeks, funnel)
    floor = _watched_floor(cells, funnel)
    floor = np.where((floor > 0) & (floor < 1), floor, np.nan)
    chance, dispersion = _beginnings(converted, entered)
    fell = np.where(np.isnan(floor) | (entered.sum(axis=1) == 0), np.nan, chance.sum(axis=1))
    week = np.arange(len(starts))
    first = chance.argmax(axis=1) if len(starts) else np.zeros(len(cells), dtype=int)
    after = (week >= first[:, None]) & (fell >= FELL)[:, None]
    low = share((converted * after).sum(axis=1), (entered * after).sum(axis=1))
    alarm = low < floor
    after &= alarm[:, None]
    likely = _likeliest(chance) & alarm[:, None]
    lower, upper = (
        (likely.argmax(axis=1), len(starts) - 1 - likely[:, ::-1].argmax(axis=1)) if len(starts) else (first, first)
    )
    early = week < np.where(alarm, lower, FIRST)[:, None]
    k, n = ((counts * early).sum(axis=1) / dispersion for counts in (converted, entered))
    rates = {
        name: share((converted * part).sum(axis=1), (entered * part).sum(axis=1))
        for name, part in {"before_rate": ~after, "after_rate": after}.items()
    }
    days = starts.append(pd.DatetimeIndex([pd.NaT]))
    dates = {"since": first, "since_lower": lower, "since_upper": upper}
    return cells.assign(
        alarm=alarm,
        **{name: days[np.where(alarm, place, len(starts))] for name, place in dates.items()},
        at_start=mid_p(k, n, floor) <= SURE,
        **rates,
        fell=fell,
        dispersion=dispersion,
    )


def e_alarms(weeks: pd.DataFrame, funnel: Funnel, *, rates: pd.DataFrame | None = None) -> pd.DataFrame:
    """Which steps convert below their floor, at a rate of false alarms that holds however often one looks.

    Takes the frame of ``since_when``, always from the same first week on, each lead once. Returns ``*keys,
    from_stage, to_stage, entered, converted, e_value, alarm, since, at_start``. At or above the floor an e-value ever
    reaches 20 in at most one case in twenty, whenever one looks; the alarms are those of the e-Benjamini-Hochberg
    procedure over the rows (of all alarms at most 5 in 100 false). ``since``, of alarms only, is the week from which
    on the evidence is strongest. Where that is the first week there is no date, as it may stand for any before it:
    ``at_start``. The e-value is ``e_values`` mixed
    over the week in which the leak began, half on the first: without that, good weeks outweigh a later leak.
    With ``rates``, a frame of ``rates_over_weeks`` by the same keys, the leads of each row are divided by its
    ``dispersion`` there; rows that it does not have take the usual one.
    Sources: Ville 1939; Wang and Ramdas 2022; Shin, Ramdas and Rinaldo 2024.

    >>> weeks = fs.step_counts(paths, spec, day, by="week", entered_between=trend)
    >>> fs.team.e_alarms(weeks, spec)[["to_stage", "entered", "converted", "alarm", "since"]]
         to_stage  entered  converted  alarm      since
    0         met     4084       3894  False        NaT
    1   presented     3894       3189  False        NaT
    2  contracted     3072       2319   True 2026-04-13
    3        paid     2283       2150  False        NaT
    """
    need(weeks, "weeks", "week", *STEP, "entered", "converted")
    cells, starts, entered, converted = _by_week(weeks, funnel)
    n, k = (np.cumsum(counts[:, ::-1], axis=1)[:, ::-1] for counts in (entered, converted))
    since = np.arange(len(starts))
    weight = np.where(since == 0, 0.5, 0.5 / MEAN_START * (1 - 1 / MEAN_START) ** (since - 1.0))
    if rates is not None:
        keys = [str(column) for column in cells]
        own = cells.merge(rates[[*keys, "dispersion"]], how="left", on=keys)["dispersion"]
        dispersion = own.fillna(usual_dispersion(rates)).to_numpy()[:, None]
        k, n = k / dispersion, n / dispersion
    begun = e_values(k, n, _watched_floor(cells, funnel)[:, None]) * weight
    value = begun.sum(axis=1) + 1 - weight.sum()
    alarm = e_benjamini_hochberg(value)
    likeliest = np.argmax(begun, axis=1) if len(starts) else np.zeros(len(cells), dtype=int)
    since_week = starts.append(pd.DatetimeIndex([pd.NaT]))[np.where(alarm & (likeliest > 0), likeliest, len(starts))]
    return cells.assign(
        entered=entered.sum(axis=1).astype("int64"),
        converted=converted.sum(axis=1).astype("int64"),
        e_value=value,
        alarm=alarm,
        since=since_week,
        at_start=alarm & (likeliest == 0),
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


def e_benjamini_hochberg(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which of the e-values are alarms if at most 5 in 100 of them, on average, may be false.

    Missing ones are no part of the family.
    """
    e = np.asarray(values, dtype=float)
    ordered = np.sort(e[~np.isnan(e)])[::-1]
    enough = ordered * np.arange(1, len(ordered) + 1) >= len(ordered) / SURE
    return e >= np.min(ordered[enough], initial=np.inf) if enough.any() else np.zeros(e.shape, dtype=bool)


def _beginnings(converted: Array, entered: Array) -> tuple[Array, Array]:
    """For each cell the probability that it fell from each week on, and the dispersion of its weeks around that.

    What is missing to 1 is the probability of one rate throughout. Jeffreys' prior for each rate; the weeks before
    the first lead and those after the last are no beginnings.
    """
    k, n = (np.cumsum(counts, axis=1) for counts in (converted, entered))
    if not n.shape[1]:
        return n, np.ones(len(n))
    before = k - converted, n - entered
    after = k[:, -1:] - before[0], n[:, -1:] - before[1]
    possible = (before[1] > 0) & (after[1] > 0)
    rates = [share(*part) for part in (before, after)]
    fit = sum(
        special.xlogy(won, p) + special.xlog1py(leads - won, -p)
        for p, (won, leads) in zip(rates, (before, after), strict=True)
    )
    falls = np.where(possible & (rates[1] < rates[0]), fit, -np.inf)
    best = falls.argmax(axis=1)[:, None]
    one = share(k[:, -1:], n[:, -1:])
    fallen = np.isfinite(falls.max(axis=1))[:, None]
    low, high = (np.where(fallen, np.take_along_axis(rate, best, axis=1), one) for rate in rates[::-1])
    expected = np.where(np.arange(n.shape[1]) < best, high, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = (converted - entered * expected) ** 2 / (entered * expected * (1 - expected))
    # two rates and a week were fitted
    free = np.maximum((entered > 0).sum(axis=1) - 3, 1)
    dispersion = np.maximum(np.where(np.isfinite(squares), squares, 0.0).sum(axis=1) / free, 1.0)

    scale = dispersion[:, None]
    (a, b), (c, d) = ((won / scale + 0.5, (leads - won) / scale + 0.5) for won, leads in (before, after))
    spread = a * b / ((a + b) ** 2 * (a + b + 1)) + c * d / ((c + d) ** 2 * (c + d + 1))
    # of both directions the share that is a fall, twice since only falls are asked for
    fall = np.log(2) + special.log_ndtr((a / (a + b) - c / (c + d)) / np.sqrt(spread))
    two = special.betaln(a, b) + special.betaln(c, d) - special.betaln(0.5, 0.5) + fall
    same = special.betaln(k[:, -1:] / scale + 0.5, (n[:, -1:] - k[:, -1:]) / scale + 0.5)
    log = np.concatenate([same, np.where(possible, two, -np.inf)], axis=1)
    log = log - log.max(axis=1, keepdims=True)
    student = -(free[:, None] + 1) / 2 * np.log1p(-2 * log / free[:, None])
    prior = possible / np.maximum(possible.sum(axis=1, keepdims=True), 1)
    chance = np.exp(student) * np.concatenate([np.ones_like(scale), prior], axis=1)
    return chance[:, 1:] / chance.sum(axis=1, keepdims=True), dispersion


def _likeliest(chance: Array) -> npt.NDArray[np.bool_]:
    """The likeliest weeks that together hold the beginning with probability .98, if there was one."""
    order = np.argsort(-chance, axis=1, kind="stable")
    summed = np.cumsum(np.take_along_axis(chance, order, axis=1), axis=1)
    enough = summed - np.take_along_axis(chance, order, axis=1) < RANGE * chance.sum(axis=1, keepdims=True)
    found = np.zeros(chance.shape, dtype=bool)
    np.put_along_axis(found, order, enough, axis=1)
    return found


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
    monday, starts = pd.factorize(pd.to_datetime(weeks["week"]), sort=True)
    shape = (len(cells), len(starts))
    place = number * shape[1] + monday
    entered, converted = (
        np.bincount(place, weeks[column], shape[0] * shape[1]).astype(float).reshape(shape)
        for column in ("entered", "converted")
    )
    checked(converted, entered)
    return cells, pd.DatetimeIndex(starts), entered, converted


def _watched_floor(cells: pd.DataFrame, funnel: Funnel) -> Array:
    """Target - tolerance of each row, missing where nothing was agreed or nobody is to be named."""
    _, floor = targets_and_floors(cells, funnel)
    return np.where(is_ranked(cells, funnel), floor, np.nan)


DRAWS = 2000
CHANGE = 0.005
"""How often a page may say that the way changed where it did not: 26 pages in a row then say so in .02 to .07 of
half-years, at .05 in .3 to .4."""

ALIKE = 0.1
"""Part of the overall conversion by which it may have changed and still be called the same."""


def explain_change(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """What each step added to the change of the conversion from the first stage to the last.

    Takes a rate or count frame of two periods **at the same age** (the same horizons, all matured, or
    ``rates_over_weeks`` of both), one row per step in the funnel's order. Returns

    ``from_stage, to_stage, before, after, effect, ci_lower, ci_upper, overall_before, overall_after, overall_lower,
    overall_upper, changed``; before and after are the step's rates. ``changed`` is the page's one decision on the
    overall conversion: "yes" beyond chance at .005, so that a half-year of weekly pages says so falsely in at most one
    case of ten; "no" where it changed by less than a tenth of itself (two one-sided tests at 5 %); "cannot tell". Only
    where it is "yes" do the effects explain anything.

    Effects are Shapley values: they add up to the change, whatever the order in which steps are taken, and a step that
    did not change has none. Where a step has no lead known, everything is missing, with [-1, 1]. Limits are quantiles
    of seeded Beta(k + .5, n - k + .5) draws of all rates. Sources: Das Gupta 1993; Shorrocks 2013.

    >>> days = fs.outcome_days(paths, spec, day, by="week", entered_between=fs.window_before(week, spec))
    >>> change = fs.team.explain_change(fs.rates_over_weeks(days, spec), rates)
    >>> change[["to_stage", "before", "after", "effect", "changed"]].round(3)
         to_stage  before  after  effect changed
    0         met   0.945  0.963   0.010     yes
    1   presented   0.827  0.804  -0.015     yes
    2  contracted   0.821  0.663  -0.116     yes
    3        paid   0.939  0.949   0.006     yes
    """
    need(before, "before", *STEP)
    need(after, "after", *STEP)
    if before[STEP].to_numpy().tolist() != after[STEP].to_numpy().tolist():
        raise ValueError("both periods need the same steps in the same order, one row each")
    k, n = np.stack([effective_counts(frame) for frame in (before, after)], axis=1)
    rates = _filled(share(k, n), k, n)
    drawn = _filled(np.random.default_rng(0).beta(k + 0.5, n - k + 0.5, (DRAWS, *k.shape)), k, n)
    effect = shapley_effects(rates[0], rates[1])
    lower, upper = np.quantile(shapley_effects(drawn[:, 0], drawn[:, 1]), [0.025, 0.975], axis=0)
    known = ~np.isnan(effect)
    overall = rates.prod(axis=-1)
    df = sum(frame["df"].min() for frame in (before, after) if "df" in frame)
    return after[STEP].assign(
        before=rates[0],
        after=rates[1],
        effect=effect,
        # a rate of exactly 0 or 1 lies outside its own posterior's quantiles
        ci_lower=np.where(known, np.fmin(lower, effect), -1.0),
        ci_upper=np.where(known, np.fmax(upper, effect), 1.0),
        overall_before=overall[0],
        overall_after=overall[1],
        **_whole_change(overall, drawn.prod(axis=-1), df),
    )


def _whole_change(overall: Array, drawn: Array, df: float) -> dict[str, float | str]:
    """Limits of the change of the overall conversion, and whether it changed; Student's where scatter is estimated."""
    change, error = overall[1] - overall[0], np.std(drawn[:, 1] - drawn[:, 0])

    def limits(probability: float) -> Array:
        return change + stats.t.ppf(0.5 + probability / 2, df or np.inf) * error * np.array([-1, 1])

    beyond, sided, shown = limits(1 - CHANGE), limits(SIDED), limits(0.95)
    shifted = error > 0 and (beyond[0] > 0 or beyond[1] < 0)
    # a tenth of nothing is no margin, and where nobody could pass nothing is ruled out
    margin = ALIKE * overall[0] if error > 0 and overall[0] > 0 else np.finfo(float).tiny
    changed = answers(shifted, sided[0], sided[1], margin).item() if error > 0 else UNTOLD
    return {"overall_lower": shown[0], "overall_upper": shown[1], "changed": changed}


def shapley_effects(before: npt.ArrayLike, after: npt.ArrayLike) -> Array:
    """How much each factor (last axis) added to the change of the factors' product.

    The mean of a factor's contribution over all orders in which the factors may change. It equals its change x
    the integral of the product of the others along the straight way from before to after, a polynomial,
    which Gauss and Legendre's rule gives exactly: no orders are listed and zeros do no harm.

    >>> shapley_effects([51.78746, 0.45919, 0.52638], [84.90502, 0.75756, 0.51065]).round(4).tolist()
    [10.434, 10.5608, -0.667]
    """
    first, last = np.broadcast_arrays(np.asarray(before, dtype=float), np.asarray(after, dtype=float))
    factors = first.shape[-1]
    nodes, weights = np.polynomial.legendre.leggauss(factors // 2 + 1)
    change = last - first
    mean = np.zeros(first.shape)
    for place, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        at = first + place * change
        ones = np.ones((*at.shape[:-1], 1))
        ahead = np.cumprod(np.concatenate([ones, at[..., :-1]], axis=-1), axis=-1)
        behind = np.cumprod(np.concatenate([ones, at[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
        mean += weight * ahead * behind
    return change * mean


def _filled(rates: Array, k: Array, n: Array) -> Array:
    """Rates (..., period, step); what comes after a step that nobody passed cannot matter: any number will do."""
    seen = share(k, n)
    unreachable = np.isnan(seen) & (np.cumprod(np.nan_to_num(seen, nan=1.0), axis=-1) == 0)
    other = np.nan_to_num(np.where((n > 0)[::-1], rates[..., ::-1, :], 0.0))
    return np.where(np.isnan(seen), np.where(unreachable, other, np.nan), rates)
