"""Revenue at maturity of cohorts that pay over many quarters: chain ladder, with Mack's standard error."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from funnelstats.stated.intervals import Array


def paid_triangle(monthly: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """What each cohort had paid by the end of its first, second, ... quarter: a row per cohort, its day as index.

    Takes ``paid_by_month`` without further keys. Columns are quarters since the cohort began, from 1; sums are
    cumulated; quarters that are not over at ``as_of`` are missing.
    """
    rows = monthly.assign(quarter=(monthly["month"] - 1) // 3 + 1)
    cohorts = pd.DatetimeIndex(sorted(rows["cohort"].unique()), name="cohort")
    tomorrow = pd.Timestamp(as_of) + pd.Timedelta(days=1)
    over = [(tomorrow.year * 12 + tomorrow.month - start.year * 12 - start.month) // 3 for start in cohorts]
    quarters = range(1, max(over, default=0) + 1)
    paid = rows.pivot_table(index="cohort", columns="quarter", values="revenue", aggfunc="sum")
    whole = paid.reindex(index=cohorts, columns=quarters).fillna(0.0).cumsum(axis=1)
    known = np.array(quarters)[None, :] <= np.array(over, dtype=int)[:, None]
    return whole.where(pd.DataFrame(known, index=whole.index, columns=whole.columns))


def chain_ladder(triangle: pd.DataFrame) -> pd.DataFrame:
    """What each cohort will have paid at the last age that any cohort has reached: one row per cohort, then all.

    Takes cumulated payments, cohorts down, ages across, the future missing, as of ``paid_triangle``; the first age of
    each cohort must be known. Returns ``cohort, paid`` (so far), ``final, to_come, error`` (standard error of what is
    to come) and a last row "all", whose error knows that the cohorts share their factors. Missing where no older
    cohort has come that far. The doubt about the last age is extrapolated from those before it. Source: Mack 1993.

    Misled where cohorts do not pay alike: a first quarter that the data knows in part only, a change of prices.
    """
    known = triangle.to_numpy(dtype=float)
    cohorts, ages = known.shape
    reached = (~np.isnan(known)).sum(axis=1)
    if ((np.arange(ages) < reached[:, None]) != ~np.isnan(known)).any() or (reached == 0).any():
        raise ValueError("a triangle has no gaps: each cohort must be known from its first age to its last")
    factor, spread, base = _development(known)
    full = known.copy()
    for age in range(ages - 1):
        ahead = reached <= age + 1
        full[ahead, age + 1] = full[ahead, age] * factor[age]
    final, paid = full[:, -1], known[np.arange(cohorts), reached - 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        doubt = spread / factor**2
        future = np.arange(ages - 1) >= reached[:, None] - 1
        own = np.where(future, doubt * (1 / full[:, :-1] + 1 / base), 0.0).sum(axis=1)
        shared = np.where(future, doubt / base, 0.0).sum(axis=1)
    error = np.sqrt(final**2 * own)
    # Older cohorts have fewer ages ahead, so what two cohorts share are the ages ahead of the older one.
    order = np.argsort(-reached, kind="stable")
    younger = final[order].sum() - np.cumsum(final[order])
    whole = np.sqrt((error**2).sum() + 2 * (final[order] * younger * shared[order]).sum())
    found = pd.DataFrame(
        {"cohort": triangle.index.astype("str"), "paid": paid, "final": final, "to_come": final - paid, "error": error}
    )
    sums = found[["paid", "final", "to_come"]].sum(skipna=False)
    total = pd.DataFrame([{"cohort": "all", **sums, "error": whole}])
    return pd.concat([found, total], ignore_index=True)


def _development(known: Array) -> tuple[Array, Array, Array]:
    """For each age but the last: the factor to the next one, its variance, and the payments it was measured on."""
    before, after = known[:, :-1], known[:, 1:]
    both = ~np.isnan(after)
    base = np.where(both, before, 0.0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(both, after, 0.0).sum(axis=0) / base
        off = np.where(both & (before > 0), before * (after / before - factor) ** 2, 0.0).sum(axis=0)
        many = both.sum(axis=0)
        spread = np.where(many > 1, off / (many - 1), np.nan)
        if len(spread) > 2 and np.isnan(spread[-1]):
            second, last = spread[-3:-1]
            spread[-1] = min(last**2 / second if second > 0 else 0.0, second, last)
    return factor, spread, base
