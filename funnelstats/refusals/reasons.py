"""Why leads say no: shares of reasons, what each takes from a stage, second looks and second tries.

Counts come in (`ends`, `counts`), small frames go out. A refusal is a category of reasons; blank ones are
"(missing)", part of every whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import REST, benjamini_hochberg, effective_counts, rest_of
from funnelstats.core.conversion import COUNTS, MEASURED, conversion_rates, rate_difference
from funnelstats.core.incidence import OUTCOMES, incidence, incidence_at
from funnelstats.core.intervals import goodman_intervals, share, wilson_interval
from funnelstats.refusals.associations import exact_p

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

ANY_REASON = "any reason"
OTHER = {"other", "others", "misc", "miscellaneous", "другое", "другая", "прочее", "иное", "разное"}
"""How a catch-all reason is called; shown last, before the blank one, however many there are."""
REASON_TABLE_WORDS = ("owner", "manager", "week", "total")
"""Columns of ``reason_table`` that are not reasons."""


DRIVERS = {
    **dict.fromkeys(("attribute", "value", "refusal", "from_stage", "to_stage"), "str"),
    **dict.fromkeys(("rate", "other_rate", "difference", "ci_lower", "ci_upper", "p_value"), "float64"),
    "verdict": "str",
}


def reason_shares(
    counts: pd.DataFrame, funnel: Funnel, by: str | Sequence[str] = (), *, level: float = 0.95
) -> pd.DataFrame:
    """Share of each reason among the refusals, with limits that hold for all shares of a whole together.

    Takes a frame of ``refusal_counts``. Every category of funnel.toml and the blank one has a row, with 0 too.
    Returns ``*by, refusal, lost, of, share, ci_lower, ci_upper``, most frequent first, catch-all reasons and
    the blank one last. Without refusals the share is missing and the limits are [0, 1]. Source: Goodman 1965.
    """
    keys = _keys(by)
    stated = dict.fromkeys([*funnel.refusals.categories.values(), MISSING])
    reasons = pd.DataFrame({"refusal": sorted({*stated, *counts["refusal"]})})
    summed = counts.groupby([*keys, "refusal"], sort=False, dropna=False)["lost"].sum().reset_index()
    every = counts[keys].drop_duplicates().merge(reasons, how="cross") if keys else reasons
    frame = every.merge(summed, how="left", on=[*keys, "refusal"])
    lost = frame["lost"].fillna(0).to_numpy(dtype="int64").reshape(-1, len(reasons))
    lower, upper = goodman_intervals(lost, level)
    total = np.broadcast_to(lost.sum(axis=1, keepdims=True), lost.shape).ravel()
    found = frame[[*keys, "refusal"]].assign(
        lost=lost.ravel(), of=total, share=share(lost.ravel(), total), ci_lower=lower.ravel(), ci_upper=upper.ravel()
    )
    group = np.repeat(np.arange(len(lost)), len(reasons))
    order = np.lexsort((found["refusal"], -found["lost"], _last(found["refusal"]), group))
    return found.iloc[order].reset_index(drop=True)


def by_reason(days: pd.DataFrame, summed: Sequence[str] = ()) -> pd.DataFrame:
    """Day counts in which each reason is an outcome of its own and every other end its rival, for ``incidence``.

    Takes ``outcome_days(with_refusal(...), by=[..., "refusal"])``; groups by the columns ``summed`` are taken
    together. ``incidence`` of the result is the share lost for a reason by each day, and the reasons add up to
    ``any_reason`` exactly (Aalen and Johansen).
    Returns ``*keys, refusal, from_stage, age_days, advanced, lost, open``: advanced are those lost for the
    reason, lost those that left in any other way.
    """
    keys = [str(column) for column in days if column not in ("refusal", *summed, *OUTCOMES)]
    everybody = days.groupby(keys, sort=False, dropna=False)[list(OUTCOMES)].sum().reset_index()
    refused = days[(days["refusal"] != "") & (days["lost"] > 0)]
    groups = [key for key in keys if key != "age_days"]
    # a reason nobody in a group gave is 0 there, not unknown
    reasons = refused[["from_stage", "refusal"]].drop_duplicates()
    every = everybody[groups].drop_duplicates().merge(reasons, on="from_stage").merge(everybody, on=groups)
    own = refused.groupby([*keys, "refusal"], sort=False, dropna=False)["lost"].sum().rename("own").reset_index()
    found = every.merge(own, how="left", on=[*keys, "refusal"])
    for_it = found["own"].fillna(0).astype("int64")
    rivals = found["advanced"] + found["lost"] - for_it
    shown = found.assign(advanced=for_it, lost=rivals)
    others = [key for key in keys if key not in ("from_stage", "age_days")]
    return shown[[*others, "refusal", "from_stage", "age_days", *OUTCOMES]]


def any_reason(days: pd.DataFrame, summed: Sequence[str] = ()) -> pd.DataFrame:
    """The day counts of ``by_reason`` with all refusals as one reason, "any reason"."""
    return by_reason(days.assign(refusal=days["refusal"].mask(days["refusal"] != "", ANY_REASON)), summed)


def reason_changes(rates: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """How much more, or fewer, of a stage's leads are lost for a reason than in another period or group.

    Both are frames of ``rates_over_weeks(by_reason(...), funnel)``, or of ``incidence_at``; rows match on the keys that
    both have; a reason that only the other frame has stands at the end, at no lead of as many. Returns ``*keys, rate,
    other_rate, difference, ci_lower, ci_upper, p_value, verdict``: limits by MOVER, Fisher's exact test on the
    effective leads, higher or lower (Benjamini–Hochberg .10 over the rows) or undecided.
    """
    keys = [str(column) for column in rates if column in before and column not in MEASURED]
    own, others = (_with_zeros(frame, other, keys) for frame, other in ((rates, before), (before, rates)))
    found = rate_difference(own, others)
    (k1, n1), (k2, n2) = effective_counts(own), effective_counts(found[keys].merge(others, on=keys, how="left"))
    p_value = np.where(found["difference"].isna(), np.nan, exact_p(k1, n1, k2, n2))
    return _judged(found.assign(p_value=p_value))


def reason_drivers(days: pd.DataFrame, funnel: Funnel, attributes: Sequence[str]) -> pd.DataFrame:
    """Which leads a stage loses for a reason more often than all its other leads, one attribute at a time.

    Takes ``outcome_days(with_refusal(...), by=[*attributes, "week"?, "refusal"])``; what a good or bad week does to all
    leads cancels here, so weeks are taken together. Of **all** leads at the stage, not
    of the refused ones: there one frequent reason makes every other one look rare. Returns ``attribute, value,
    refusal, from_stage, to_stage, rate, other_rate, difference, ci_lower, ci_upper, p_value, verdict``, as in
    ``reason_changes``, the rows of all attributes judged together. It is association: an attribute may stand
    for another.
    """
    found = []
    for name in attributes:
        others = [*(attribute for attribute in attributes if attribute != name), "week"]
        own = by_reason(days, others).rename(columns={name: "value"})
        rates, rest = (incidence_at(incidence(side), funnel) for side in (own, rest_of(own, by="value")))
        found.append(reason_changes(rates, rest).assign(attribute=name))
    none = pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in DRIVERS.items()})
    table = pd.concat([frame for frame in found if len(frame)] or [none], ignore_index=True)
    return _judged(table)[list(DRIVERS)]


def reason_table(counts: pd.DataFrame, by: str, *, counted: str = "lost") -> pd.DataFrame:
    """One row for each value of ``by``, one column for each reason, most frequent first, and ``total``.

    A reason that is itself called "total", or like ``by``, stands in quotation marks.
    """
    wide = counts.pivot_table(index=by, columns="refusal", values=counted, aggfunc="sum", fill_value=0)
    order = sorted(wide.columns, key=lambda reason: (reason == MISSING, -wide[reason].sum(), reason))
    rows = sorted(wide.index, key=lambda value: (value == MISSING, str(value)))
    table = wide.loc[rows, order].astype("int64").rename(columns={name: f"“{name}”" for name in ("total", by)})
    return table.assign(total=table.sum(axis=1)).reset_index().rename_axis(columns=None)


def second_looks(counts: pd.DataFrame, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Refusals that sound like an excuse, and those that may be the manager's own gap: listed, not judged.

    Takes a frame of ``refusal_counts``; returns ``*by, refusal, second_look, lost, of``: how many, of how many
    refusals of the group, for whatever reason. ``second_look`` is "excuse" or "gap"; most first in each group.
    """
    keys = _keys(by)
    parts = []
    for column, word in (("excuses", "excuse"), ("gaps", "gap")):
        summed = counts.groupby([*keys, "refusal"], sort=False, dropna=False)[column].sum().reset_index(name="lost")
        parts.append(summed[summed["lost"] > 0].assign(second_look=word))
    found = pd.concat(parts, ignore_index=True)
    if keys:
        found = found.merge(counts.groupby(keys, dropna=False)["lost"].sum().rename("of").reset_index(), on=keys)
    else:
        found = found.assign(of=counts["lost"].sum())
    order = [*keys, "second_look", "lost", "refusal"]
    found = found.sort_values(
        order,
        ascending=[column != "lost" for column in order],
        key=lambda column: column.mask(column == MISSING),
        na_position="last",
        kind="stable",
    )
    return found[[*keys, "refusal", "second_look", "lost", "of"]].reset_index(drop=True)


def retry_success(counts: pd.DataFrame, first: str = "first try", again: str = "second try") -> pd.DataFrame:
    """How second tries did against first ones, from the stage they began again at to the last.

    Takes ``attempt_counts``. Returns ``from_stage, to_stage, again_entered, again_converted,
    rate, first_entered, other_rate, difference, ci_lower, ci_upper`` (limits by Newcombe's method 10). Leads
    that are tried again were chosen by somebody: a comparison, no effect.
    """
    steps = counts[["from_stage", "to_stage"]].drop_duplicates()
    own, others = (
        conversion_rates(
            steps.merge(counts[counts["attempt"] == attempt].drop(columns="attempt"), how="left").fillna(
                dict.fromkeys(COUNTS, 0)
            )
        )
        for attempt in (again, first)
    )
    numbers = own[["from_stage", "to_stage"]].assign(
        again_entered=own["entered"].astype("int64"),
        again_converted=own["converted"].astype("int64"),
        first_entered=others["entered"].astype("int64"),
    )
    return numbers.merge(rate_difference(own, others), on=["from_stage", "to_stage"])


def _judged(compared: pd.DataFrame) -> pd.DataFrame:
    clear = benjamini_hochberg(compared["p_value"].to_numpy(dtype=float)) <= REST
    sign = np.where(compared["difference"] > 0, "higher", "lower")
    return compared.assign(verdict=np.where(clear, sign, "undecided"))


def _with_zeros(rates: pd.DataFrame, other: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The rates, and with rate 0 the reasons of the other frame that no lead gave here."""
    absent = other[keys].merge(rates[keys], how="left", on=keys, indicator=True).query("_merge == 'left_only'")[keys]
    step = [key for key in keys if key != "refusal"]
    sizes = rates.groupby(step, dropna=False)[["entered", "known"]].max().reset_index()
    zeros = absent.merge(sizes, on=step)
    lower, upper = wilson_interval(np.zeros(len(zeros)), zeros["known"])
    zeros = zeros.assign(rate=share(np.zeros(len(zeros)), zeros["known"]), n_eff=zeros["known"].astype(float))
    # where nobody gave a reason, weeks cannot differ by it
    zeros = zeros.assign(ci_lower=lower, ci_upper=upper, dispersion=1.0, df=np.nan)
    return pd.concat([rates, zeros[list(rates)]], ignore_index=True) if len(zeros) else rates


def _last(refusal: pd.Series) -> npt.NDArray[np.int_]:
    """2 for the blank reason, 1 for catch-all ones, else 0."""
    other = refusal.str.strip().str.casefold().isin(OTHER)
    return np.where(refusal == MISSING, 2, np.where(other, 1, 0))


def _keys(by: str | Sequence[str]) -> list[str]:
    return [by] if isinstance(by, str) else list(dict.fromkeys(by))
