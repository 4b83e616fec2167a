"""What leads bring for what was spent on them: revenue so far and at maturity, cost of a sale, return.

Frames of the verbs of `money` come in. Money that is not known is missing with the interval [0, inf), never 0; a
return on no spend is not known either, neither infinite nor 0. A return (ROI) is (revenue - spend) / spend.
"""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from funnelstats.config.dates import quarter_of
from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import benjamini_hochberg
from funnelstats.core.incidence import OUTCOMES, hopes
from funnelstats.core.intervals import Array, share, wilson_interval

AGES = ["age_days", "advanced", "lost", "open"]


def whole_way(funnel: Funnel) -> Funnel:
    """The funnel of the first and the last stage alone: one step, which takes the days of all steps together."""
    days = sum(funnel.horizons.values())
    last = funnel.stages[-1]
    agreed = funnel.step_into[last].model_copy(update={"horizon_days": days, "target": None, "targets": {}})
    return funnel.model_copy(update={"stages": (funnel.stages[0], last), "step_into": {last: agreed}})


def deals_to_come(young: pd.DataFrame, past: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """How many of the open leads will still be won within the days of all steps: one row per group.

    Takes two frames of ``age_counts``; ``past`` has the leads to learn from and the keys of ``young`` or fewer. A
    group whose past is too short is judged by all of them; where that is too short too, the number is missing.
    Returns ``*keys, open`` (may still be won in time), ``to_come``, ``to_come_error`` (its standard error: how well
    the rate of the open leads is known. The luck of these very leads is no part of what a channel truly brings).
    Leads that are their own past have won more and promise more at once: where young leads are all of the past, the
    two errors go together by half (simulated: .45 to .7), by less where they are a part of it.

    >>> young, past = (fs.money.age_counts(part, spec, day) for part in (leads, values))
    >>> fs.money.deals_to_come(young, past, spec).round(1)
       open  to_come  to_come_error
    0   541    301.9           15.6
    """
    need(young, "young", "from_stage", "age_days", *OUTCOMES)
    need(past, "past", "from_stage", "age_days", *OUTCOMES)
    keys = [str(column) for column in young if column not in ("from_stage", *AGES)]
    if young.empty:
        return young[keys].assign(open=0, to_come=0.0, to_come_error=0.0)
    whole = whole_way(funnel)
    shared = [column for column in keys if column in past]
    numbers = AGES[1:]
    everybody = past.groupby(["from_stage", "age_days"], as_index=False)[numbers].sum()
    own = past.groupby([*shared, "from_stage", "age_days"], as_index=False)[numbers].sum()
    found, spare = hopes(young, own, whole), hopes(young, everybody, whole)
    known = found["hoped"].notna()
    leads = own.assign(past=own[numbers].sum(axis=1)).groupby([*shared, "from_stage"], as_index=False)["past"].sum()
    past_leads = found.merge(leads, how="left")["past"].where(known, everybody[numbers].sum().sum())
    found = found.where(known, spare)
    together = (found["entered"] / past_leads).clip(upper=1.0) / 2
    luck = np.sqrt(found["converted"] * (1 - found["converted"] / found["entered"]))
    error = np.sqrt(found["doubt"] * (found["doubt"] + 2 * together * luck))
    return found[keys].assign(
        open=found["open"].astype("int64"),
        to_come=found["hoped"].astype("float64"),
        to_come_error=error.astype("float64").mask(found["hoped"].isna()),
    )


def payback(monthly: pd.DataFrame, spend: pd.DataFrame | None, as_of: date) -> pd.DataFrame:
    """In which month, counted from the first spend on a cohort, its payments first covered all that was spent on it.

    Takes ``paid_by_month`` and ``spend_counts`` by the same keys and ``cohort``. Returns ``*keys, cohort, quarter,
    spend, revenue`` (so far), ``covered`` (their ratio), ``months`` (1: that of the first spend; missing: not yet),
    ``watched`` (months so far, the present one included). Only groups with spend have a row; without payments
    there are none, since nothing is known then.

    >>> fs.money.payback(monthly, spend, day)[["channel", "covered", "months", "watched"]].head(2).round(2)
         channel  covered  months  watched
    0  Cold call     1.78     2.0        7
    1  Cold call     1.81     3.0        6
    """
    need(monthly, "monthly", "cohort", "month", "revenue")
    keys = [str(column) for column in monthly if column not in ("month", "revenue")]
    names = [*keys, "quarter", "spend", "revenue", "covered", "months", "watched"]
    if spend is None or spend.empty or monthly.empty:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in names})
    bought = spend[spend["spend"] > 0]
    if "channel" in keys and bought["channel"].nunique() > 1:
        bought = bought[bought["channel"] != MISSING]
    rows = bought.merge(monthly.astype({"cohort": bought["cohort"].dtype}), how="left", on=keys)
    rows = rows.sort_values([*keys, "month"], ignore_index=True)
    rows["sum"] = rows["revenue"].fillna(0.0).groupby([rows[key] for key in keys]).cumsum()
    ahead = _months(rows["spent_from"]) - _months(rows["cohort"])
    rows["months"] = (rows["month"] - ahead).clip(lower=1).where(rows["sum"] >= rows["spend"])
    found = (
        rows.groupby(keys, sort=False)
        .agg(
            spend=("spend", "first"), revenue=("revenue", "sum"), months=("months", "min"), since=("spent_from", "min")
        )
        .reset_index()
    )
    watched = as_of.year * 12 + as_of.month - _months(found["since"]) + 1
    return _named_quarters(found.assign(covered=found["revenue"] / found["spend"], watched=watched))[names]


def _months(days: pd.Series) -> pd.Series:
    return days.dt.year * 12 + days.dt.month


FEW_DEALS = 3
"""Below so many deals a return is shown and not judged."""
FALSE_COLOURS = 0.10
"""Of the groups of a table that are said to lose or to earn, so large a share wrongly at most, on average."""

ALL = "(all)"
"""Names of ours stand in brackets: a channel may really be called all channels."""
COUNTS = ["leads", "won", "deals"]
SUMS = ["revenue", "returned", "biggest", "lead_mean", "lead_var", "deal_mean", "deal_var"]
TO_COME = ["open", "to_come", "to_come_error"]


def returns(
    counts: pd.DataFrame,
    spend: pd.DataFrame | None,
    to_come: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What each group of leads costs and brings, so far and at maturity, biggest money first, cohorts in their order.

    Takes ``money_counts``, ``spend_counts`` by the same keys (None: no costs are known) and ``deals_to_come``.
    Without the last, or for a group that is not in it, all is only so far: what is known at maturity is missing, and
    nobody is judged. Spend without leads and leads without spend keep their rows. Returns

    - ``*keys, leads, won, deals, revenue, returned, spend, open, to_come``
    - ``revenue_final``: revenue + to_come x what a won lead pays on average, of the same channel if it has 3 deals
    - ``cost_per_lead``; ``cost_per_sale`` with limits, sales to come counted in: the conversion's limits inverted
    - ``roi, roi_lower, roi_upper`` of the revenue so far, ``roi_final, ...`` of that at maturity
    - ``back``: revenue at maturity for one unit spent, with limits
    - ``biggest_share``: of the biggest deal in the revenue so far
    - ``verdict`` on roi_final: red (loses, beyond chance), green (earns), undecided, too few (below 3 deals), or why
      there is none: no spend, no leads, no channel, no payments. One decision for the frame: the group's own range
      leaves out break-even, and so it does at the level of Benjamini and Hochberg (1995) over all groups judged

    Limits of the revenue m: m exp(-+ z sqrt(v)), below nothing m (1 +- z sqrt(v)), v the greater of the leads' own
    relative variance and (1 + cv2)/deals - 1/leads, cv2 of all deals of all groups; without deals up to the upper limit
    of the conversion times the mean deal of all. What is to come adds the error of its number, and shares that of the
    mean deal; in a group given back more than it paid a sale is worth what it is in all groups.

    >>> counts = fs.money.money_counts(leads, by="channel")
    >>> spend = fs.money.spend_counts(tables.costs, day, by="channel", between=year)
    >>> fs.money.returns(counts, spend)[["channel", "leads", "revenue", "spend", "roi"]].head(2).round(2)
         channel  leads      revenue        spend   roi
    0  Cold call   1002   72146910.0  48885682.01  0.48
    1    Website   1287  120010650.0  46496708.58  1.58
    """
    need(counts, "counts", "leads", "won", "deals", "revenue", "returned")
    keys = [str(column) for column in counts if column not in (*COUNTS, *SUMS)]
    rows = _merged(counts, spend, to_come, keys)
    pooled = _all_deals(counts)
    sale = _worth_of_a_sale(rows, keys)
    low, high, _ = _revenue_limits(rows, pooled, sale=None)
    final_low, final_high, v = _revenue_limits(rows, pooled, sale=sale)
    final = rows["revenue"] + (rows["to_come"] * sale["worth"]).where(rows["to_come"] > 0, rows["to_come"])
    spent = rows["spend"].where(rows["spend"] > 0)
    if "channel" in keys and rows["channel"].nunique() > 1:
        # what has no channel was not spent on the leads that have none
        spent = spent.mask(rows["channel"] == MISSING)
    sales = rows["won"] + rows["to_come"]
    part = share(sales, rows["leads"])
    settled = np.where(np.isnan(part), 0, rows["leads"] - rows["open"])
    slow, fast = wilson_interval(np.nan_to_num(part) * settled, settled)
    with np.errstate(divide="ignore", invalid="ignore"):
        cheapest, dearest = spent / (rows["leads"] * fast), spent / (rows["leads"] * slow)
    counted = rows["leads"] > 0
    found = rows.drop(columns=["lead_mean", "lead_var", "deal_mean", "deal_var", "biggest", "to_come_error"]).assign(
        revenue_final=final,
        cost_per_lead=(spent / rows["leads"]).where(counted),
        cost_per_sale=(spent / sales).where(sales > 0),
        cost_per_sale_lower=cheapest.where(counted),
        cost_per_sale_upper=dearest.where(counted),
        roi=rows["revenue"] / spent - 1,
        roi_lower=low / spent - 1,
        roi_upper=high / spent - 1,
        roi_final=final / spent - 1,
        roi_final_lower=final_low / spent - 1,
        roi_final_upper=final_high / spent - 1,
        back=final / spent,
        back_lower=final_low / spent,
        back_upper=final_high / spent,
        biggest_share=(rows["biggest"] / rows["revenue"]).where(rows["revenue"] > 0),
    )
    found = found.assign(verdict=_verdict(found, spent, v, keys))
    if {"cohort", "cohort_month"} & {*keys}:
        return found.sort_values(keys, key=lambda column: column.mask(column == MISSING), ignore_index=True)
    stake = found[["spend", "revenue_final"]].max(axis=1)
    nowhere = found[keys[0]] == MISSING if keys else stake.isna()
    return found.assign(_nowhere=nowhere, _stake=-stake).sort_values(
        ["_nowhere", "_stake"], kind="stable", ignore_index=True
    ).drop(columns=["_nowhere", "_stake"])  # fmt: skip


def _merged(
    counts: pd.DataFrame, spend: pd.DataFrame | None, to_come: pd.DataFrame | None, keys: list[str]
) -> pd.DataFrame:
    """One row for each group that has leads or spend; a group without leads brought nothing, surely."""
    on = [*keys, "_whole"]
    rows = counts.assign(_whole=0)
    if to_come is None:
        rows = rows.assign(**dict.fromkeys(TO_COME, np.nan))
    else:
        rows = rows.merge(to_come.assign(_whole=0), how="left", on=on)
    paid = bool(counts["revenue"].notna().any())
    if spend is None:
        rows = rows.assign(spend=np.nan)
    elif rows.empty or spend.empty:
        # pandas 3.0 cannot merge an empty column of text
        some = spend if rows.empty else rows
        rows = some.reindex(columns=[*rows.columns, "spend"]).fillna({"spend": 0.0})
    else:
        rows = rows.merge(spend.assign(_whole=0)[[*on, "spend"]], how="outer", on=on).fillna({"spend": 0.0})
    rows = rows.drop(columns="_whole")
    empty = rows["leads"].isna() | (rows["leads"] == 0)
    nothing = {"revenue": 0.0, "returned": 0.0} if paid else {}
    zeros = dict.fromkeys(COUNTS, 0) | nothing
    filled = rows.assign(**{name: rows[name].mask(empty, value) for name, value in zeros.items()})
    filled = filled.assign(**{name: filled[name].mask(empty, 0) for name in TO_COME})
    whole = COUNTS if filled["open"].isna().any() else [*COUNTS, "open"]
    return filled.astype(dict.fromkeys(whole, "int64"))


def _all_deals(counts: pd.DataFrame) -> tuple[float, float]:
    """Mean of all deals of all groups, and the squared variation of a deal around it."""
    some = counts[counts["deals"] > 0]
    k = some["deals"].to_numpy(dtype=float)
    if k.sum() < 1:
        return np.nan, np.nan
    means = some["deal_mean"].to_numpy(dtype=float)
    within = np.nan_to_num(some["deal_var"].to_numpy(dtype=float)) * (k - 1)
    mean = float((k * means).sum() / k.sum())
    # Deviations from the mean, never the sum of squares less a square: large amounts would cancel.
    spread = float((within + k * (means - mean) ** 2).sum())
    return mean, spread / (k.sum() - 1) / mean**2 if k.sum() > 1 else np.nan


def _worth_of_a_sale(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """What one more won lead will pay, and the deals and sales it is the mean of: of the same channel, else of all."""
    channel = ["channel"] if "channel" in keys else []
    numbers = rows[["revenue", "won", "deals"]]
    own = numbers.groupby([rows[name] for name in channel]).transform("sum") if channel else numbers * 0
    total = pd.DataFrame(np.tile(numbers.sum().to_numpy(), (len(rows), 1)), columns=list(numbers), index=rows.index)
    used = own.where((own["deals"] >= FEW_DEALS) & ~(own["revenue"] < 0), total)
    return used.assign(worth=share(used["revenue"], used["won"]))


def _revenue_limits(
    rows: pd.DataFrame, pooled: tuple[float, float], sale: pd.DataFrame | None
) -> tuple[Array, Array, Array]:
    """Limits of a group's revenue, so far or with what is to come at the worth of a sale, and its log's variance."""
    leads, deals = (rows[name].to_numpy(dtype=float) for name in ("leads", "deals"))
    total = rows["revenue"].to_numpy(dtype=float)
    v = relative_variance(leads, deals, rows["lead_mean"], rows["lead_var"], pooled[1])
    settled = leads
    if sale is not None:
        hoped, worth, behind, won = (
            part.to_numpy(dtype=float) for part in (rows["to_come"], sale["worth"], sale["deals"], sale["won"])
        )
        error = rows["to_come_error"].to_numpy(dtype=float)
        more = np.where(hoped == 0, 0.0, hoped * worth)
        with np.errstate(divide="ignore", invalid="ignore"):
            number = np.where(deals > 0, 1 / deals - 1 / leads, 0.0)
            # the mean deal of the past is in what is to come too: one error on both
            spread = np.fmax(np.where(deals > 0, (v - number) * deals, 0.0), pooled[1])
            doubt = np.maximum((1 + spread) / behind - 1 / won, 0)
            so_far = np.where(deals > 0, total**2 * v, 0.0)
            # where nothing is to come there may still be open leads, whose error counts
            come = np.where(error == 0, 0.0, (worth * error) ** 2)
            come = come + np.where(more == 0, 0.0, more * (more + 2 * np.fmax(total, 0)) * doubt)
            v = (so_far + come) / (total + more) ** 2
        total, settled = total + more, leads - rows["open"].to_numpy()
    z = special.ndtri(0.975)
    with np.errstate(over="ignore", invalid="ignore"):
        below, width = total < 0, z * np.sqrt(v)
        lower = np.where(below, total * (1 + width), total * np.exp(-width))
        upper = np.where(below, total * (1 - width), total * np.exp(width))
    _, most = wilson_interval(np.zeros(len(rows)), settled)
    no_deal = (deals == 0) & ~np.isnan(total)
    lower = np.where(no_deal, 0.0, lower)
    dearest = np.nan_to_num(leads * most * pooled[0], nan=np.inf)
    upper = np.where(no_deal, np.fmax(dearest, np.nan_to_num(upper)), upper)
    known = ~np.isnan(lower) & ~np.isnan(upper) & (leads > 0) & ~(below & no_deal)
    return np.where(known, lower, 0.0), np.where(known, upper, np.inf), np.where(known & ~no_deal, v, np.nan)


def relative_variance(
    leads: npt.ArrayLike, deals: npt.ArrayLike, mean: npt.ArrayLike, variance: npt.ArrayLike, cv2: npt.ArrayLike
) -> Array:
    """Variance of the mean revenue of a lead over its square: the leads' own, at least what so few deals allow.

    ``mean`` and ``variance`` are over all leads, ``cv2`` is the squared variation of all deals of all groups. The
    plain variance of three deals that happen to be alike would promise far too much.
    """
    n, k, m, s2, c = (np.asarray(part, dtype=float) for part in (leads, deals, mean, variance, cv2))
    with np.errstate(divide="ignore", invalid="ignore"):
        own = s2 / (n * m**2)
        floor = (1 + c) / k - 1 / n
    return np.where(k > 0, np.fmax(own, np.where(np.isnan(c), np.nan, floor)), np.nan)


def _verdict(found: pd.DataFrame, spent: pd.Series, v: Array, keys: list[str]) -> np.ndarray:
    several = "channel" in keys and found["channel"].nunique() > 1
    nowhere = (found["channel"] == MISSING) if several else pd.Series(False, index=found.index)
    judged = (found["deals"] >= FEW_DEALS) & found["back"].ne(0) & ~nowhere
    back = found["back"].where(judged).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(back < 0, 1 - 1 / back, np.abs(np.log(back))) / np.sqrt(v)
    # few deals are skewed: far from break-even the normal distribution promises too much, Student's does not
    p = 2 * stats.t.sf(away, found["deals"].clip(lower=1))
    sure = benjamini_hochberg(p) <= FALSE_COLOURS
    return np.select(
        [
            nowhere,
            found["leads"] == 0,
            spent.isna(),
            found["revenue"].isna(),
            found["deals"] < FEW_DEALS,
            sure & (found["roi_final_upper"] < 0),
            sure & (found["roi_final_lower"] > 0),
        ],
        ["no channel", "no leads", "no spend", "no payments", "too few", "red", "green"],
        "undecided",
    )


def rivals(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the rows of ``returns`` that are green, those that may bring back as much as the best.

    The best is the row that brings back most, and is none of them. Every pair of the rows might have been the one
    compared, so the 5 % of error are shared out over all pairs.
    """
    green = rows[rows["verdict"] == "green"]
    if len(green) < 2:
        return green.iloc[:0]
    log = np.log(green["back"])
    spread = (np.log(green["back_upper"]) - log) / special.ndtri(0.975)
    best, pairs = log.idxmax(), len(green) * (len(green) - 1) / 2
    distance = (log[best] - log) / np.hypot(spread, spread[best])
    close = distance < stats.t.isf(0.025 / pairs, np.minimum(green["deals"], green["deals"][best]))
    return green[close & (green.index != best)]


def returns_table(rows: pd.DataFrame, total: pd.DataFrame | None = None) -> pd.DataFrame:
    """The rows of ``returns`` as a table shows them: cohorts have names (quarter), and missing are limits without an
    end and a spend of nothing, which nobody recorded.

    Below several of them ``total``, the row of everything together, "(all)" in the first key column; one row is all.

    >>> fs.money.returns_table(quarters)[["quarter", "leads", "revenue", "roi"]].head(2).round(2)
       quarter  leads      revenue   roi
    0  2025-Q4    764   73747020.0  0.94
    1  2026-Q1   2096  213920080.0  2.37
    """
    if total is not None:
        key = str(rows.columns[0])
        if len(rows) > 1:
            rows = pd.concat([rows, total.assign(**{key: ALL})[rows.columns]], ignore_index=True)
        else:
            rows = rows.assign(**{key: rows[key].replace(MISSING, ALL)})
    spend = rows["spend"].where(rows["spend"] > 0)
    return _named_quarters(rows.replace(np.inf, np.nan).assign(spend=spend))


def _named_quarters(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(quarter=rows["cohort"].map(quarter_of).astype("str")) if "cohort" in rows else rows
