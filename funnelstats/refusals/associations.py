"""Who, or which leads, hear a reason more often than the others: a table of counts against chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import REST, benjamini_hochberg, holm, is_ranked
from funnelstats.core.intervals import SIDED, Array, share

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

FEWEST_EXPECTED, DRAWS = 5, 9999
PATTERN = {
    **dict.fromkeys(("attribute", "value", "refusal"), "str"),
    **dict.fromkeys(("lost", "of"), "int64"),
    **dict.fromkeys(("share", "other_share", "expected", "residual", "p_value", "p_holm"), "float64"),
    "verdict": "str",
}


def reason_patterns(counts: pd.DataFrame, funnel: Funnel, by: str | Sequence[str]) -> pd.DataFrame:
    """Who, or which leads, hear a reason more often than all the others do.

    Takes ``refusal_counts`` by all of ``by`` at once; each is compared alone, its value against the other
    values. System users and "(missing)" managers are left out. Returns, for every value and reason,
    ``attribute, value, refusal, lost, of, share, other_share, expected, residual, p_value, p_holm, verdict``.

    - ``residual``: the adjusted one, about standard normal by chance
    - ``p_value``: chance of so many or more by Fisher's exact test; ``p_holm``: the same for a name
    - ``verdict``: more often (Benjamini–Hochberg .10 over the rows of an attribute) or undecided. "Less often"
      is not said: shares are of one whole, so one reason heard more often makes every other one rare

    Source: Haberman 1973; Agresti 2007, 2.4.5.
    """
    none = pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in PATTERN.items()})
    found = [_pattern(table, name) for name, table in _tables(counts, funnel, by) if table.size]
    return pd.concat(found, ignore_index=True) if found else none


def reason_association(
    counts: pd.DataFrame, funnel: Funnel, by: str | Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Whether reasons differ at all between managers, or values of another attribute, and how much.

    Takes what ``reason_patterns`` takes. Returns one row for each of ``by``: ``attribute, refusals, rows,
    columns, chi2, dof, smallest_expected, p_value, simulated, cramers_v, v_upper``. Where an expected count is below 5
    the p-value is that of ``draws`` seeded tables with the same margins. Missing where there is nothing to
    compare. Cramér's V is corrected for bias; ``v_upper`` is the strength that so small a chi-square rules out at 5 %
    (the non-central chi-square). Source: Pearson 1900; Hope 1968; Bergsma 2013; Smithson 2003.
    """
    rows = []
    for name, table in _tables(counts, funnel, by):
        n, (r, c) = table.sum().sum(), table.shape
        row = {"attribute": name, "refusals": int(n), "rows": r, "columns": c}
        if min(r, c) < 2:
            unknown = dict.fromkeys(("chi2", "smallest_expected", "p_value", "cramers_v", "v_upper"), np.nan)
            rows.append({**row, **unknown, "dof": 0, "simulated": False})
            continue
        observed = table.to_numpy(dtype=float)
        expected = _expected(observed)
        chi2 = float(((observed - expected) ** 2 / expected).sum())
        simulated = bool(expected.min() < FEWEST_EXPECTED)
        p = _simulated(observed, expected, chi2, draws, seed) if simulated else stats.chi2.sf(chi2, (r - 1) * (c - 1))
        rows.append(
            {
                **row,
                "chi2": chi2,
                "dof": (r - 1) * (c - 1),
                "smallest_expected": expected.min(),
                "p_value": float(p),
                "simulated": simulated,
                "cramers_v": _cramers_v(chi2, n, r, c),
                "v_upper": _strongest(chi2, n, r, c),
            }
        )
    order = ["attribute", "refusals", "rows", "columns", "chi2", "dof", "smallest_expected", "p_value", "simulated"]
    return pd.DataFrame(rows, columns=[*order, "cramers_v", "v_upper"])


def exact_p(k1: npt.ArrayLike, n1: npt.ArrayLike, k2: npt.ArrayLike, n2: npt.ArrayLike) -> Array:
    """Chance of two shares at least so far apart, were they one: Fisher's exact test, the smaller tail doubled.

    Holds for a handful of leads too, where a score test calls one lead of fifty against none of a thousand
    sure. Effective numbers of leads are rounded. Missing where one side has nobody.
    """
    cells = np.broadcast_arrays(*(np.round(np.asarray(part, dtype=float)) for part in (k1, n1, k2, n2)))
    first, of_first, second, of_second = (np.nan_to_num(part) for part in cells)
    ways = stats.hypergeom(of_first + of_second, of_first, first + second)
    p = np.minimum(1.0, 2 * np.minimum(ways.cdf(first), ways.sf(first - 1)))
    return np.where((of_first > 0) & (of_second > 0), p, np.nan)


def _pattern(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Every cell of a table against the rest of its row and column."""
    observed = table.to_numpy(dtype=float)
    n, own, of_reason = observed.sum(), observed.sum(axis=1, keepdims=True), observed.sum(axis=0, keepdims=True)
    expected = _expected(observed)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (observed - expected) / np.sqrt(expected * (1 - own / n) * (1 - of_reason / n))
    alone = np.isnan(residual) | (min(table.shape) < 2)
    p = np.where(alone, np.nan, stats.hypergeom(n, own, of_reason).sf(observed - 1))
    often = benjamini_hochberg(p.ravel()) <= REST
    values, reasons = (index.astype(str) for index in (table.index, table.columns))
    return pd.DataFrame(
        {
            "attribute": name,
            "value": np.repeat(values.to_numpy(), len(reasons)),
            "refusal": np.tile(reasons.to_numpy(), len(values)),
            "lost": observed.ravel().astype("int64"),
            "of": np.broadcast_to(own, observed.shape).ravel().astype("int64"),
            "share": (observed / own).ravel(),
            "other_share": share(of_reason - observed, np.broadcast_to(n - own, observed.shape)).ravel(),
            "expected": expected.ravel(),
            "residual": np.where(alone, np.nan, residual).ravel(),
            "p_value": p.ravel(),
            "p_holm": holm(p.ravel()),
            "verdict": np.where(often, "more often", "undecided"),
        }
    )


def _tables(counts: pd.DataFrame, funnel: Funnel, by: str | Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """For each attribute its values by reason, without rows and columns in which nothing was counted."""
    keys = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    judged = counts[is_ranked(counts, funnel)] if "manager" in keys else counts
    tables = []
    for key in keys:
        summed = judged.groupby([key, "refusal"], sort=False, dropna=False)["lost"].sum()
        table = summed.unstack("refusal", fill_value=0)
        table = table.loc[table.sum(axis=1) > 0, table.sum(axis=0) > 0]
        order = sorted(table.columns, key=lambda reason: (reason == MISSING, reason))
        tables.append((key, table[order].sort_index(key=lambda index: index.astype(str))))
    return tables


def _expected(observed: Array) -> Array:
    return np.asarray(stats.contingency.expected_freq(observed), dtype=float)


def _simulated(observed: Array, expected: Array, chi2: float, draws: int, seed: int) -> float:
    margins = (observed.sum(axis=1).astype(int), observed.sum(axis=0).astype(int))
    drawn = stats.random_table(*margins).rvs(draws, random_state=np.random.default_rng(seed))
    # a drawn table equal to the observed one must count, whatever the order of summation did to its last digit
    as_far = ((drawn - expected) ** 2 / expected).sum(axis=(1, 2)) >= chi2 * (1 - 1e-10)
    return float((1 + as_far.sum()) / (1 + draws))


def _cramers_v(chi2: float, n: float, r: int, c: int) -> float:
    if n < 2:
        return float("nan")
    spread = max(0.0, chi2 / n - (r - 1) * (c - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(spread / smaller)) if smaller > 0 else float("nan")


def _strongest(chi2: float, n: float, r: int, c: int) -> float:
    """Cramér's V at which so small a chi-square, or a smaller one, comes about in one case of twenty.

    A table more even than chance makes them counts as one that is as even as chance: it is luck, not proof.
    """
    dof, tail = (r - 1) * (c - 1), (1 - SIDED) / 2
    seen = max(chi2, dof)
    excess = optimize.brentq(lambda more: stats.ncx2.cdf(seen, dof, more) - tail, 0.0, seen + 20 + 10 * np.sqrt(seen))
    return float(np.sqrt(excess / (n * (min(r, c) - 1))))
