"""Counts become rates: converted over entered, with the interval that says how sure that is."""

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype

from funnelstats.config.errors import FunnelError, listed, need, suggestion
from funnelstats.config.funnel import Funnel
from funnelstats.core.intervals import Array, mover_difference, share, wilson_interval

STEP = ["from_stage", "to_stage"]
COUNTS = ("entered", "converted", "too_recent")
RATE = ("rate", "ci_lower", "ci_upper")
MEASURED = (*COUNTS, *RATE, "known", "n_eff", "dispersion", "df", "by_chance")
"""Columns of a rate frame that are no keys."""


def conversion_rates(counts: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Share of entered leads that converted, with a Wilson interval.

    Takes any frame with entered and converted; adds rate, ci_lower, ci_upper.
    Where nobody entered, the rate is missing, not zero, and its interval is [0, 1].

    >>> conversion_rates(pd.DataFrame({"entered": [263], "converted": [81]})).round(4)
       entered  converted   rate  ci_lower  ci_upper
    0      263         81  0.308    0.2553    0.3662
    """
    need(counts, "counts", "entered", "converted")
    lower, upper = wilson_interval(counts["converted"], counts["entered"], level)
    return counts.assign(rate=share(counts["converted"], counts["entered"]), ci_lower=lower, ci_upper=upper)


def later_rates(rates: Array) -> Array:
    """Product of the rates of all later steps, along the last axis."""
    ones = np.ones((*rates.shape[:-1], 1))
    return np.cumprod(np.concatenate([ones, rates[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]


def rate_difference(rates: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """How much higher each rate is than the same row of another frame: ``rates`` minus ``other``.

    Both are rate frames (rate, ci_lower, ci_upper) of independent leads, matured, censored or standardised; rows match
    on the group columns that both have, and one row for all groups matches each. Raises FunnelError where all would
    match but for a column of which no value is in both frames: leave out what tells two groups apart. Returns ``*keys,
    rate, other_rate, difference, ci_lower, ci_upper``; [-1, 1] where one of them is unknown. Source: Newcombe 1998,
    method 10 (MOVER).

    >>> before = fs.outcome_days(paths, spec, day, by="week", entered_between=fs.window_before(week, spec))
    >>> fs.rate_difference(rates, fs.rates_over_weeks(before, spec)).drop(columns="from_stage").round(3)
         to_stage   rate  other_rate  difference  ci_lower  ci_upper
    0         met  0.963       0.945       0.018     0.004     0.031
    1   presented  0.804       0.827      -0.023    -0.049     0.003
    2  contracted  0.663       0.821      -0.158    -0.193    -0.123
    3        paid  0.949       0.939       0.010    -0.010     0.029
    """
    need(rates, "rates", *RATE)
    need(other, "other", *RATE)
    keys = [column for column in group_columns(rates) if column in other]
    apart = [key for key in keys if key not in STEP and not rates[key].isin(other[key]).any()]
    alike = [key for key in keys if key not in apart]
    if apart and len(rates.merge(other, **({"on": alike} if alike else {"how": "cross"}))):
        raise FunnelError(f"no {listed(apart)} is in both frames; leave out the column that tells the groups apart")
    if other.duplicated(keys).any() if keys else len(other) > 1:
        raise FunnelError(f"other: several rows for one of rates; it must have one by {', '.join(keys) or 'nothing'}")
    own = [str(column) for column in rates if column not in MEASURED]
    matched = rates[[*own, *RATE]].merge(
        other[[*keys, *RATE]], **({"on": keys, "how": "left"} if keys else {"how": "cross"}), suffixes=("", "_other")
    )
    difference = matched["rate"] - matched["rate_other"]
    lower, upper = mover_difference(
        (matched["rate"], matched["ci_lower"], matched["ci_upper"]),
        (matched["rate_other"], matched["ci_lower_other"], matched["ci_upper_other"]),
    )
    known = difference.notna()
    return matched[own].assign(
        rate=matched["rate"],
        other_rate=matched["rate_other"],
        difference=difference,
        ci_lower=np.where(known, lower, -1.0),
        ci_upper=np.where(known, upper, 1.0),
    )


def group_difference(rates: pd.DataFrame, by: str, group: str, other: str) -> pd.DataFrame:
    """``rate_difference`` of two groups of one rate frame: how much higher the rates of ``group`` are.

    ``by`` is the column that tells them apart; rows match on all its other groups. Returns ``by`` with the one group,
    ``other`` with the other one, then what ``rate_difference`` returns. Raises FunnelError for a group without a row.

    >>> counts = pd.DataFrame({"channel": ["fair", "web"], "entered": [50, 50], "converted": [30, 20]})
    >>> group_difference(conversion_rates(counts), "channel", "fair", "web").round(3)
      channel other  rate  other_rate  difference  ci_lower  ci_upper
    0    fair   web   0.6         0.4         0.2     0.005     0.375
    """
    need(rates, "rates", by, *RATE)
    for name in (group, other):
        if name not in set(rates[by]):
            raise FunnelError(f'no {by} "{name}"; {suggestion(name, sorted(map(str, set(rates[by]))))}')
    keys = [column for column in group_columns(rates) if column != by]
    sides = (rates.loc[rates[by] == name, [*keys, *RATE]] for name in (group, other))
    found = rate_difference(*sides)
    found.insert(0, by, group)
    found.insert(1, "other", other)
    return found


def group_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that tell groups apart: neither counts and rates nor other measures, flags or fractions."""
    measured = {*MEASURED, "matured"}
    return [
        str(column)
        for column, values in frame.items()
        if column not in measured and not (is_float_dtype(values) or is_bool_dtype(values))
    ]


def rival_rates(counts: pd.DataFrame) -> pd.DataFrame:
    """The rates of one log under rival definitions, and how far each is from the page's own, ``reached``.

    Takes ``rival_counts``; adds ``rate, ci_lower, ci_upper`` and ``apart`` (its rate minus that of ``reached`` on
    the same way, missing where one of them is).

    >>> counts = fs.team.rival_counts(paths, tables.entries, spec, day)
    >>> fs.rival_rates(counts).query("to_stage == 'paid'")[["definition", "rate", "apart"]].head(2).round(3)
      definition   rate  apart
    0    reached  0.618  0.000
    1    touched  0.606 -0.012
    """
    need(counts, "counts", "definition", *STEP)
    rates = conversion_rates(counts)
    pair = ["from_stage", "to_stage"]
    own = rates.loc[rates["definition"] == "reached", [*pair, "rate"]].rename(columns={"rate": "own"})
    return rates.assign(apart=rates["rate"] - rates[pair].merge(own, how="left", on=pair)["own"].to_numpy())


def with_matured(rates: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """The rates by the horizon, and beside them what the matured leads alone say.

    ``rates`` is a frame of ``incidence_at``, ``counts`` one of ``step_counts`` with the same groups; adds
    ``matured`` (leads whose days are over), ``matured_rate`` and ``too_recent``.

    >>> counts = fs.step_counts(paths, spec, day, entered_between=window)
    >>> fs.with_matured(rates, counts)[["to_stage", "rate", "matured_rate", "too_recent"]].round(3)
         to_stage   rate  matured_rate  too_recent
    0         met  0.963         0.962         380
    1   presented  0.804         0.810         366
    2  contracted  0.663         0.672         456
    3        paid  0.949         0.946         391
    """
    need(rates, "rates", *STEP, "rate")
    need(counts, "counts", *STEP, *COUNTS)
    if differ := sorted({*group_columns(rates)} ^ {*group_columns(counts)}):
        raise ValueError(f"both frames need the same groups; count both by {', '.join(differ)}, or neither")
    keys = [column for column in counts if column not in COUNTS]
    matured = counts[keys].assign(
        matured=counts["entered"],
        matured_rate=share(counts["converted"], counts["entered"]),
        too_recent=counts["too_recent"],
    )
    return rates.merge(matured, how="left", on=keys)


def at_step(frame: pd.DataFrame, funnel: Funnel, to_stage: str) -> pd.DataFrame:
    """The rows of the step into a stage, whether the frame knows them by to_stage, from_stage or stage.

    >>> fs.at_step(rates, spec, "met")[["to_stage", "entered", "rate"]].round(3)
      to_stage  entered   rate
    0      met     2300  0.963
    """
    step = next((step for step in funnel.steps if step.to_stage == to_stage), None)
    if step is None:
        raise FunnelError(f'no step into "{to_stage}"; {suggestion(to_stage, funnel.stages[1:])}')
    if "to_stage" in frame:
        return frame[frame["to_stage"] == to_stage].reset_index(drop=True)
    if "from_stage" not in frame:
        need(frame, "frame", "stage")
    return frame[frame["from_stage" if "from_stage" in frame else "stage"] == step.from_stage].reset_index(drop=True)


FEWEST_KNOWN = 4
"""Cohorts with a share, for a table that has any to show."""


def cohort_table(overall: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """One row for each cohort: its leads, and the share that reached each later stage in time.

    Takes ``overall_counts`` by cohort; keeps the last thirteen cohorts and, where their days are too long for that, as
    many before as make four with a share. A share is missing until the days of all leads of the cohort are over:
    part of a cohort is never compared with a whole one. Returns ``cohort, leads`` and a column for each stage but
    the first.

    >>> counts = fs.overall_counts(fs.with_cohort(paths, spec), spec, day, by="cohort")
    >>> fs.cohort_table(counts, spec).iloc[:2, 1:].round(3)
       leads    met  presented  contracted   paid
    0    162  0.981      0.815       0.617  0.599
    1    188  0.947      0.761       0.559    NaN
    """
    need(overall, "overall", "cohort", "to_stage", *COUNTS)
    counts = overall.assign(
        leads=overall["entered"] + overall["too_recent"],
        rate=(overall["converted"] / overall["entered"]).mask(overall["too_recent"] > 0),
    )
    leads = counts.groupby("cohort")["leads"].max()
    rates = counts.pivot_table(index="cohort", columns="to_stage", values="rate", dropna=False)
    table = leads.to_frame().join(rates.reindex(columns=list(funnel.stages[1:])))
    known = np.flatnonzero(table[list(funnel.stages[1:])].notna().any(axis=1))
    oldest = len(table) - 13
    if len(known):
        oldest = min(oldest, known[-FEWEST_KNOWN:][0])
    return table.iloc[max(oldest, 0) :].reset_index()
