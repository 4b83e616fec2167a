"""What a leak costs, in deals and money, and which kinds of leads make it."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from funnelstats.config.errors import FunnelError, need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import benjamini_hochberg, effective_counts, targets_and_floors
from funnelstats.core.conversion import COUNTS, RATE, STEP, conversion_rates, later_rates
from funnelstats.core.intervals import Array, mover_difference, share, wilson_interval

PRIOR, DRAWS, RED, MOST_VALUES, LEAST = 0.5, 2000, 0.10, 100, 0.5
UNLIMITED = 1e6
"""Odds so many times as high or as low limit nothing: a value without a conversion has no limit below."""


def leak_sizes(
    rates: pd.DataFrame, funnel: Funnel, *, fates: pd.DataFrame | None = None, deal: float | None = None
) -> pd.DataFrame:
    """What each step of the team loses below its floor (target - tolerance), biggest leak first.

    Takes one row per step: counts (entered, converted) or a censored frame (entered, rate, n_eff); ``deal`` is the
    mean deal. ``fates``, a frame of ``step_fates``, tells the leads that moved on after the horizon from those that did
    not: late is not lost. Returns the steps, entered and rate with

    - ``target``, ``floor``
    - ``shortfall``: expected share of the entered leads missing to the floor, E[(floor - p)+]. Not below 0, so a step
      of few leads that seems on target still has some
    - ``lost_deals, lost_lower, lost_upper``: entered x what of the shortfall did not move on later either x the rates
      of the later steps, all else equal
    - ``late_deals``: the same of the part that moved on later than agreed; 0 without ``fates``
    - ``lost_money, lost_money_lower, lost_money_upper``: that times the mean deal; missing without a ``deal``
      above 0

    Unknown is missing, with no upper limit. Limits are quantiles of seeded posterior draws of all the rates.

    >>> leaks = fs.team.leak_sizes(rates, spec, deal=150_000)
    >>> leaks[["to_stage", "rate", "floor", "lost_deals", "lost_money"]].head(2).round(2)
         to_stage  rate  floor  lost_deals   lost_money
    0  contracted  0.66   0.80      236.06  35408852.73
    1        paid  0.95   0.95        4.31    646436.62
    """
    need(rates, "rates", *STEP, "entered")
    if rates.duplicated(STEP).any():
        raise ValueError("one row per step is needed, got several; sum the counts first")
    frame = rates if "rate" in rates else conversion_rates(rates)
    target, floor = targets_and_floors(frame, funnel)
    k, n = effective_counts(frame)
    step = frame["from_stage"].map(funnel.stages.index).to_numpy(dtype=int)
    won, leads = np.zeros((2, len(funnel.steps)))
    won[step], leads[step] = k, n
    later = later_rates(share(won, leads))[step]
    shortfall = np.where(n > 0, expected_shortfall(k, n, floor), np.nan)
    entered = frame["entered"].to_numpy(dtype=float)
    late = _late_share(frame[STEP], fates)
    missing = np.where(n > 0, expected_shortfall(k + late * (n - k), n, floor), np.nan)
    lost = entered * missing * later

    drawn = np.random.default_rng(0).beta(won + PRIOR, leads - won + PRIOR, (DRAWS, len(won)))
    moved = drawn[:, step] + late * (1 - drawn[:, step])
    losses = entered * np.maximum(floor - moved, 0) * later_rates(drawn)[:, step]
    lower, upper = np.quantile(losses, [0.025, 0.975], axis=0)
    known = ~np.isnan(lost)
    # the mean of a skewed loss can lie beyond its quantile
    lower, upper = np.where(known, np.minimum(lower, lost), 0), np.where(known, np.maximum(upper, lost), np.inf)
    of_a_deal = deal if deal is not None and deal > 0 else np.nan
    shown = [column for column in frame if column in ("entered", "converted", *RATE)]
    found = frame[[*STEP, *shown]].assign(
        target=target,
        floor=floor,
        shortfall=shortfall,
        lost_deals=lost,
        lost_lower=lower,
        lost_upper=upper,
        late_deals=np.maximum(entered * shortfall * later - lost, 0),
        lost_money=lost * of_a_deal,
        lost_money_lower=lower * of_a_deal,
        lost_money_upper=upper * of_a_deal,
    )
    return found.sort_values("lost_deals", ascending=False, kind="stable", ignore_index=True)


def _late_share(steps: pd.DataFrame, fates: pd.DataFrame | None) -> Array:
    """Of the leads whose days are over and that did not move on in time, the share that did so later."""
    if fates is None:
        return np.zeros(len(steps))
    found = steps.merge(fates, how="left", on=STEP)
    return np.nan_to_num(share(found["late"], found["entered"] - found["in_time"]))


def expected_shortfall(converted: npt.ArrayLike, entered: npt.ArrayLike, target: npt.ArrayLike) -> Array:
    """E[(target - p)+], the mean of what a rate lacks, p being Beta(converted + .5, misses + .5)."""
    k, n, t = (np.asarray(part, dtype=float) for part in (converted, entered, target))
    a, b = k + PRIOR, n - k + PRIOR
    missing = t * special.betainc(a, b, t) - a / (a + b) * special.betainc(a + 1, b, t)
    return np.maximum(missing, 0.0)


def noticeable(leaks: pd.DataFrame, team: pd.DataFrame) -> pd.DataFrame:
    """The leaks worth a line of a page: of a step that is red, half a deal or more, lost or late, or not known.

    Takes the team's frames of ``leak_sizes`` and ``versus_targets``.

    >>> fs.team.noticeable(leak.leaks, team)[["to_stage", "lost_deals"]].round()
         to_stage  lost_deals
    0  contracted       198.0
    """
    red = team.loc[team["verdict"] == "red", STEP]
    found = leaks.merge(red, on=STEP)
    return found[~(found["lost_deals"] + found["late_deals"] < LEAST)].reset_index(drop=True)


def worst_leak(team: pd.DataFrame, leaks: pd.DataFrame) -> pd.DataFrame:
    """The step that is red and costs the team most deals: one row, or none where no step is.

    Where no later step has a lead yet nobody knows what a step costs: then the one farthest below its floor. Takes the
    team's frames of ``versus_targets`` and ``leak_sizes``; adds what the latter says of deals and money.
    """
    red = team[team["verdict"] == "red"]
    costs = [column for column in leaks if str(column).startswith(("lost_", "late_"))]
    sized = red.merge(leaks[[*STEP, "shortfall", *costs]], on=STEP)
    by = ["lost_deals", "late_deals", "shortfall"]
    return sized.sort_values(by, ascending=False, kind="stable").head(1).drop(columns="shortfall")


def leak_drivers(strata: pd.DataFrame, step: pd.DataFrame) -> pd.DataFrame:
    """``drivers`` of one step of the team, beside its ``from_stage`` and ``to_stage``.

    ``strata`` are matured counts by manager and attributes; an attribute with more than 100 values is left out. Of a
    ``step`` without a row there is none.

    >>> based = fs.with_leads(paths, tables.leads, ["product"])
    >>> strata = fs.step_counts(based, spec, day, by="product", entered_between=leak.now)
    >>> drivers = fs.team.leak_drivers(strata, fs.at_step(leak.since, spec, "contracted"))
    >>> drivers[["to_stage", "value", "rate", "other_rate", "verdict"]].head(2).round(2)
         to_stage        value  rate  other_rate verdict
    0  contracted  Compressors  0.40        0.80   lower
    1  contracted        Pumps  0.79        0.58  higher
    """
    rows = strata.merge(step[STEP], on=STEP)
    names = [name for name in rows if name not in ("manager", *STEP, *COUNTS) and rows[name].nunique() < MOST_VALUES]
    counts = ["entered", "converted"]
    found = drivers(rows.groupby(names, dropna=False, as_index=False)[counts].sum() if names else rows[counts])
    return found.assign(**{column: step[column].iloc[0] if len(found) else "" for column in STEP})


def drivers(strata: pd.DataFrame) -> pd.DataFrame:
    """Which attributes, known when leads entered the stage, go with passing one step.

    Takes matured counts of one step by all attributes at once, ``*attributes, entered, converted``
    (``step_counts(..., by=[...])``): matured, so that every lead was watched equally long. Blanks are a value
    of their own, "(missing)", and none of the others that a value is compared with: what is written down only of leads
    that got far would else make every value look good. Returns, for each value of each attribute (no row without
    attributes),

    - ``attribute, value, entered, converted, rate, ci_lower, ci_upper``
    - ``other_rate, difference, difference_lower, difference_upper``: against all leads of other values (MOVER)
    - ``odds_ratio, odds_lower, odds_upper``: against the other values, weighted by their leads, the other
      attributes held equal (main effects of a logistic GLM); a limit of a million or more is none
    - ``p_value``: of the odds ratio; ``attribute_p``: of its attribute as a whole (Simes)
    - ``verdict``: higher or lower if Benjamini-Hochberg .10 passes both the attribute among the attributes and
      the value among the rows, else undecided

    It is association: an attribute may stand for another that nobody wrote down. Sources: Newcombe 1998;
    Benjamini and Bogomolov 2014; Clogg, Rubin, Schenker, Schultz and Weidman 1991 for the added leads.

    >>> counts = fs.step_counts(fs.with_leads(paths, tables.leads), spec, day, by=["product", "segment"])
    >>> drivers = fs.team.drivers(fs.at_step(counts, spec, "contracted"))
    >>> drivers[["attribute", "value", "rate", "other_rate", "verdict"]].head(2).round(2)
      attribute        value  rate  other_rate verdict
    0   product  Compressors  0.68        0.81   lower
    1   product        Pumps  0.80        0.74  higher
    """
    need(strata, "strata", "entered", "converted")
    attributes = [str(column) for column in strata if column not in (*STEP, *COUNTS)]
    if any(strata[column].nunique() > 1 for column in STEP if column in strata):
        raise ValueError("drivers are those of one step; filter the counts to one from_stage first")
    if not attributes:
        return drivers(strata.assign(attribute="none")).iloc[:0]
    values = strata[attributes].astype(object).where(strata[attributes].notna(), MISSING).astype(str)
    for name in attributes:
        if values[name].nunique() > MOST_VALUES:
            raise FunnelError(
                f"an attribute must have at most {MOST_VALUES} values, {name} has {values[name].nunique()}; "
                "group the rare ones"
            )
    columns = [
        (name, value)
        for name in attributes
        for value in sorted(values[name].unique(), key=lambda value: (value == MISSING, value))
    ]
    has = np.array([values[name] == value for name, value in columns], float).reshape(len(columns), len(strata)).T
    k, n = (strata[column].to_numpy(dtype=float) for column in ("converted", "entered"))
    found = conversion_rates(
        pd.DataFrame(columns, columns=["attribute", "value"]).assign(entered=n @ has, converted=k @ has)
    )
    blank = found["value"] == MISSING
    blanks = found[["entered", "converted"]].where(blank, 0).groupby(found["attribute"]).transform("sum")
    rest = strata[["entered", "converted"]].sum() - found[["entered", "converted"]] - blanks.mask(blank, 0)
    rest_k, rest_n = rest["converted"], rest["entered"]
    other_rate = share(rest_k, rest_n)
    lower, upper = mover_difference(
        (found["rate"], found["ci_lower"], found["ci_upper"]), (other_rate, *wilson_interval(rest_k, rest_n))
    )
    difference = found["rate"] - other_rate
    known = difference.notna()
    effect, error = _effects(k, n, has, found["attribute"].to_numpy(), blank.to_numpy())
    width = special.ndtri(0.975) * error
    p_value = 2 * special.ndtr(-np.abs(effect) / error)
    within = pd.Series(p_value).groupby(found["attribute"], sort=False).transform(benjamini_hochberg)
    attribute_p = within.groupby(found["attribute"], sort=False).min()
    drives = pd.Series(benjamini_hochberg(attribute_p), index=attribute_p.index)
    clear = (benjamini_hochberg(p_value) <= RED) & (found["attribute"].map(drives).to_numpy(dtype=float) <= RED)
    return found.astype({"entered": "int64", "converted": "int64"}).assign(
        other_rate=other_rate,
        difference=difference,
        difference_lower=np.where(known, lower, -1.0),
        difference_upper=np.where(known, upper, 1.0),
        odds_ratio=np.exp(effect),
        odds_lower=np.where(effect - width > -np.log(UNLIMITED), np.exp(effect - width), 0.0),
        odds_upper=np.where(effect + width < np.log(UNLIMITED), np.exp(effect + width), np.inf),
        p_value=p_value,
        attribute_p=found["attribute"].map(attribute_p).astype(float),
        verdict=np.select([clear & (effect > 0), clear], ["higher", "lower"], "undecided"),
    )


def _effects(
    k: Array, n: Array, has: Array, attribute: npt.NDArray[np.object_], blank: npt.NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Log odds ratio of each value against the other known ones of its attribute, and its standard error."""
    nothing = np.full(has.shape[1], np.nan)
    common = k.sum() / n.sum() if n.sum() else np.nan
    if not 0 < common < 1:
        return nothing, nothing.copy()
    design = np.column_stack([np.ones(len(k)), has])[n > 0]
    k, n = k[n > 0], n[n > 0]
    weight = n @ design[:, 1:]
    same = (attribute[:, None] == attribute) & ~np.eye(len(attribute), dtype=bool) & ~blank
    others = same * weight
    total = others.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        contrast = np.column_stack([np.zeros(len(weight)), np.eye(len(weight)) - others / total])
    # dummies of whole attributes are redundant; the model is fitted on the directions they do span
    _, sizes, rows = np.linalg.svd(design, full_matrices=False)
    span = rows[sizes > 1e-10 * sizes[0]].T
    # attributes that cannot be told apart (one the other's copy) have no effect of their own
    estimable = (total[:, 0] > 0) & (weight > 0)
    estimable &= np.abs(np.nan_to_num(contrast @ span @ span.T - contrast)).max(axis=1, initial=0) < 1e-8
    design, contrast = design @ span, contrast @ span
    beta, covariance = _fit(k, n, design)
    if not np.all(np.einsum("ij,jk,ik->i", contrast[estimable], covariance, contrast[estimable]) < 100):
        added = span.shape[1] / n.sum()
        beta, covariance = _fit(k + n * added * common, n * (1 + added), design)
    error = np.sqrt(np.abs(np.einsum("ij,jk,ik->i", contrast, covariance, contrast)))
    return np.where(estimable, contrast @ beta, np.nan), np.where(estimable, error, np.nan)


def _fit(k: Array, n: Array, design: Array) -> tuple[Array, Array]:
    """Coefficients of a binomial logistic model and their covariance, by iterated weighted least squares."""
    eta = special.logit((k + 0.5) / (n + 1))
    for _round in range(50):
        p = special.expit(eta)
        weight = n * p * (1 - p)
        covariance = np.linalg.pinv(design.T * weight @ design, hermitian=True)
        beta = covariance @ (design.T @ (weight * eta + k - n * p))
        # under separation eta would grow for ever; at 20 the variance says so
        moved = np.clip(design @ beta, -20, 20)
        if np.abs(moved - eta).max(initial=0) < 1e-10:
            break
        eta = moved
    return beta, covariance
