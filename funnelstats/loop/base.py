"""Whether the lead base is renewed, and whether the score of a lead says anything about its outcome."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from funnelstats.config.dates import quarter_of
from funnelstats.config.errors import need
from funnelstats.config.words import _
from funnelstats.core.intervals import NO, POINTS, YES, answers, share, wilson_interval

GROUPS = 10
COIN = 0.5


def renewal(counts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """New, unchanged and dropped companies of each quarter against the quarter before.

    Takes ``renewal_counts``. Returns ``quarter`` (2026-Q2), ``companies, new, unchanged, dropped, new_share`` (of the
    companies of the quarter), ``dropped_share`` (of those of the quarter before), ``note``. Unknown in the first
    quarter of the data; the note says where a quarter, or the one before it, is not whole.

    >>> counts = fs.loop.renewal_counts(tables.leads, tables.entries, tables.contacts, spec, day)
    >>> fs.loop.renewal(counts, day)[["quarter", "companies", "new", "unchanged", "dropped"]]
       quarter  companies     new  unchanged  dropped
    0  2025-Q4        757     NaN        NaN      NaN
    1  2026-Q1       2522  2043.0      479.0    278.0
    2  2026-Q2       2726  2121.0      605.0   1917.0
    """
    need(counts, "counts", "quarter", "companies", "kept", "since")
    rows = counts.reset_index(drop=True)
    before = rows["companies"].shift()
    unchanged = rows["kept"].where(before.notna())
    new, dropped = rows["companies"] - unchanged, before - unchanged
    start = rows["quarter"]
    end = start + pd.DateOffset(months=3) - pd.Timedelta(days=1)
    unfinished = end > pd.Timestamp(as_of)
    partial = rows["since"] > start
    note = np.select(
        [before.isna(), unfinished, partial.shift(fill_value=False)],
        [_("the data begins here"), _("not over yet"), _("the quarter before is not whole in the data")],
        "",
    )
    return pd.DataFrame(
        {
            "quarter": start.map(quarter_of).astype("str"),
            "companies": rows["companies"],
            "new": new,
            "unchanged": unchanged,
            "dropped": dropped,
            "new_share": share(new, rows["companies"]),
            "dropped_share": share(dropped, before),
            "note": note,
        }
    )


def score_groups(counts: pd.DataFrame) -> pd.DataFrame:
    """Leads in up to ten groups of rising score: how many were won, and how many the score promised.

    Takes ``score_counts``; leads of one score are never parted, leads without one are left out. Returns ``group,
    score_low, score_high, entered, converted, rate, ci_lower, ci_upper, promised`` (the mean score, where all scores
    lie between 0 and 1, else missing), ``lift`` (rate over the rate of all).

    >>> import pandas as pd
    >>> counts = pd.DataFrame({"score": [10, 20, 90], "entered": [40, 40, 40], "converted": [2, 5, 30]})
    >>> fs.loop.score_groups(counts).iloc[:, :5]
       group  score_low  score_high  entered  converted
    0      1         10          10       40          2
    1      2         20          20       40          5
    2      3         90          90       40         30
    """
    need(counts, "counts", "score", "entered", "converted")
    known = counts[counts["score"].notna() & (counts["entered"] > 0)].sort_values("score", ignore_index=True)
    total = known["entered"].sum()
    middle = known["entered"].cumsum() - known["entered"] / 2
    place = (middle * GROUPS // max(total, 1)).clip(upper=GROUPS - 1)
    weighted = known.assign(promised=known["score"] * known["entered"], place=place)
    found = weighted.groupby("place").agg(
        score_low=("score", "min"),
        score_high=("score", "max"),
        entered=("entered", "sum"),
        converted=("converted", "sum"),
        promised=("promised", "sum"),
    )
    found = found.reset_index(drop=True)
    lower, upper = wilson_interval(found["converted"], found["entered"])
    rate = share(found["converted"], found["entered"])
    probabilities = bool(known["score"].between(0, 1).all())
    return found[["score_low", "score_high", "entered", "converted"]].assign(
        group=range(1, len(found) + 1),
        rate=rate,
        ci_lower=lower,
        ci_upper=upper,
        promised=share(found["promised"], found["entered"]) if probabilities else np.nan,
        lift=share(rate, share(known["converted"].sum(), total)),
    )[["group", "score_low", "score_high", "entered", "converted", "rate", "ci_lower", "ci_upper", "promised", "lift"]]


def score_skill(counts: pd.DataFrame) -> pd.DataFrame:
    """How well the score tells leads that will be won from the others: one row, or none without scores.

    Returns ``leads, won, unscored, auc, auc_lower, auc_upper`` (the chance that a won lead has the higher score, with
    DeLong's interval on the logit; 0.5 is a coin), ``brier, brier_base`` (mean squared error of the score, and of
    the mere rate of all) and ``calibration_p`` (Hosmer and Lemeshow's test of the promised against the won: a small
    one says that the score promises wrongly). The last three are missing unless all scores lie between 0 and 1.
    Sources: DeLong 1988; Hosmer and Lemeshow 1980, with as many degrees of freedom as groups, since the score was
    not fitted here.

    >>> import pandas as pd
    >>> counts = pd.DataFrame({"score": [10, 20, 90], "entered": [40, 40, 40], "converted": [2, 5, 30]})
    >>> fs.loop.score_skill(counts)[["auc", "auc_lower", "auc_upper"]].round(2)
        auc  auc_lower  auc_upper
    0  0.86       0.78       0.92
    """
    need(counts, "counts", "score", "entered", "converted")
    names = ["leads", "won", "unscored", "auc", "auc_lower", "auc_upper", "brier", "brier_base", "calibration_p"]
    known = counts[counts["score"].notna() & (counts["entered"] > 0)].sort_values("score", ignore_index=True)
    if known.empty:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in names})
    n, won = known["entered"].to_numpy(dtype=float), known["converted"].to_numpy(dtype=float)
    missed = n - won
    auc, error = _auc(won, missed)
    z = special.ndtri(0.975)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = z * error / (auc * (1 - auc))
        middle = np.log(auc / (1 - auc))
    lower, upper = special.expit(middle - width), special.expit(middle + width)
    score, rate = known["score"].to_numpy(), won.sum() / n.sum()
    brier = base = p_value = np.nan
    if ((score >= 0) & (score <= 1)).all():
        brier = float((won * (1 - score) ** 2 + missed * score**2).sum() / n.sum())
        base = rate * (1 - rate)
        groups = score_groups(counts)
        expected = (groups["promised"] * groups["entered"]).to_numpy()
        spread = expected * (1 - groups["promised"].to_numpy())
        off = (groups["converted"].to_numpy() - expected) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.where(off > 0, off / spread, 0.0)
        p_value = float(stats.chi2.sf(parts.sum(), len(groups)))
    unscored = counts.loc[counts["score"].isna(), "entered"].sum()
    values = [n.sum(), won.sum(), unscored, auc, lower, upper, brier, base, p_value]
    found = pd.DataFrame({name: [value] for name, value in zip(names, values, strict=True)})
    found = found.fillna({"auc_lower": 0.0, "auc_upper": 1.0})
    return found.astype(dict.fromkeys(names[:3], "int64"))


def score_answer(skill: pd.DataFrame) -> dict[str, Any] | None:
    """The row of ``score_skill`` with its ``answer``, and whether it is ``off`` as a probability; None without one.

    The answer is "better" than a coin, "worse", "no" (within five points of it), "cannot tell", or "alike" where all
    judged leads ended alike.

    >>> import pandas as pd
    >>> counts = pd.DataFrame({"score": [10, 20, 90], "entered": [40, 40, 40], "converted": [2, 5, 30]})
    >>> fs.loop.score_answer(fs.loop.score_skill(counts))["answer"]
    'better'
    """
    if skill.empty:
        return None
    row: dict[str, Any] = {str(name): value for name, value in skill.iloc[0].items()}
    low, high = row["auc_lower"] - COIN, row["auc_upper"] - COIN
    answer = str(answers(low > 0 or high < 0, low, high, POINTS))
    named = {YES: "worse" if high < 0 else "better", NO: "no"}.get(answer, answer)
    off = pd.notna(row["calibration_p"]) and row["calibration_p"] < 0.05
    return row | {"answer": "alike" if pd.isna(row["auc"]) else named, "off": bool(off), "margin": POINTS}


def base_facts(
    renewed: pd.DataFrame, coverage: pd.DataFrame, doubled: pd.DataFrame, blacklist: pd.DataFrame, skill: pd.DataFrame
) -> dict[str, Any]:
    """How the lead base does in the quarter: the last row of each of these frames, None of one without rows.

    Takes ``renewal``, ``coverage_counts``, ``duplicate_counts``, ``blacklist_counts`` and ``score_skill``.

    >>> renewed = fs.loop.renewal(fs.loop.renewal_counts(tables.leads, tables.entries, None, spec, day), day)
    >>> none = renewed.head(0)
    >>> fs.loop.base_facts(renewed, none, none, none, none)["renewed"]["quarter"]
    '2026-Q2'
    """
    frames = {"renewed": renewed, "coverage": coverage, "doubled": doubled, "blacklist": blacklist}
    last = {name: None if frame.empty else frame.iloc[-1].to_dict() for name, frame in frames.items()}
    return last | {"skill": score_answer(skill)}


def _auc(won: np.ndarray, missed: np.ndarray) -> tuple[float, float]:
    """The area under the curve and its standard error from wins and misses by rising score."""
    wins, misses = won.sum(), missed.sum()
    if wins == 0 or misses == 0:
        return np.nan, np.nan
    beaten = (np.cumsum(missed) - missed / 2) / misses  # by a won lead of this score
    topped = (wins - np.cumsum(won) + won / 2) / wins  # of a missed lead of this score
    auc = float((won * beaten).sum() / wins)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_won = (won * (beaten - auc) ** 2).sum() / (wins - 1) / wins
        of_missed = (missed * (topped - auc) ** 2).sum() / (misses - 1) / misses
    return auc, float(np.sqrt(of_won + of_missed))
