"""What young leads will still bring, and when a cohort has paid back what was spent on it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnelstats.stated.schema import MISSING
from funnelstats.statistics.projection import hopes

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel

AGES = ["age_days", "advanced", "lost", "open"]


def whole_way(funnel: Funnel) -> Funnel:
    """The funnel of the first and the last stage alone: one step, which takes the days of all steps together."""
    days = sum(step.horizon_days for step in funnel.steps)
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
    """
    keys = [str(column) for column in young if column not in ("from_stage", *AGES)]
    if young.empty:
        return young[keys].assign(open=0, to_come=0.0, to_come_error=0.0)
    way = whole_way(funnel)
    shared = [column for column in keys if column in past]
    numbers = AGES[1:]
    everybody = past.groupby(["from_stage", "age_days"], as_index=False)[numbers].sum()
    own = past.groupby([*shared, "from_stage", "age_days"], as_index=False)[numbers].sum()
    found, spare = hopes(young, own, way), hopes(young, everybody, way)
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

    Takes ``paid_by_month`` and ``spend_counts`` by the same keys and ``cohort``. Returns ``*keys, cohort, spend,
    revenue`` (so far), ``covered`` (their ratio), ``months`` (1 is the month of the first spend; missing: not yet),
    ``watched`` (months so far, the present one included). Only groups with spend have a row; without payments
    there are none, since nothing is known then.
    """
    keys = [str(column) for column in monthly if column not in ("month", "revenue")]
    names = [*keys, "spend", "revenue", "covered", "months", "watched"]
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
    return found.assign(
        covered=found["revenue"] / found["spend"],
        watched=as_of.year * 12 + as_of.month - _months(found["since"]) + 1,
    )[names]


def _months(days: pd.Series) -> pd.Series:
    return days.dt.year * 12 + days.dt.month


def named_quarters(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with ``cohort`` also as ``quarter``: 2026-Q2."""
    cohort = pd.to_datetime(frame["cohort"])
    names = cohort.dt.year.astype("str") + "-Q" + cohort.dt.quarter.astype("str")
    return frame.assign(quarter=names.astype("str"))
