"""Why leads say no: shares of reasons, what each takes from a stage, second looks and second tries.

Counts come in, small frames go out. A refusal is a category of reasons; blank ones are
"(missing)", part of every whole.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import optimize, stats

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import label
from funnelstats.core.comparing import REST, benjamini_hochberg, effective_counts, exact_p, holm, is_ranked, rest_of
from funnelstats.core.conversion import COUNTS, MEASURED, RATE, STEP, conversion_rates, rate_difference
from funnelstats.core.incidence import OUTCOMES, incidence, incidence_at
from funnelstats.core.intervals import SIDED, goodman_intervals, share, wilson_interval

ANY_REASON, ALL = "any reason", "(all)"
OTHER = {"other", "others", "misc", "miscellaneous", "другое", "другая", "прочее", "иное", "разное"}
"""How a catch-all reason is called; shown last, before the blank one, however many there are."""
CHANGE_WORDS = {"higher": "more than before", "lower": "less than before"}
LOOK_WORDS = {"excuse": "sounds like an excuse", "gap": "may be our fault"}


DRIVERS = {
    **dict.fromkeys(("attribute", "value", "refusal", "from_stage", "to_stage"), "str"),
    **dict.fromkeys(("rate", "other_rate", "difference", "ci_lower", "ci_upper", "p_value"), "float64"),
    "verdict": "str",
}


def reason_shares(counts: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Share of each reason among the refusals, with limits that hold for all shares of a whole together.

    Takes a frame of ``refusal_counts``. Every category of funnel.toml and the blank one has a row, with 0 too.
    Returns ``refusal, lost, of, share, ci_lower, ci_upper``, most frequent first, catch-all reasons and
    the blank one last. Without refusals the share is missing and the limits are [0, 1]. Source: Goodman 1965.

    >>> fs.refusals.reason_shares(refused, spec).head(2).round(3)
              refusal  lost   of  share  ci_lower  ci_upper
    0           price    91  266  0.342     0.268     0.425
    1  other supplier    40  266  0.150     0.100     0.220
    """
    need(counts, "counts", "refusal", "lost")
    stated = dict.fromkeys([*funnel.refusals.categories.values(), MISSING])
    reasons = sorted({*stated, *counts["refusal"]})
    lost = counts.groupby("refusal")["lost"].sum().reindex(reasons, fill_value=0).to_numpy(dtype="int64")
    lower, upper = goodman_intervals(lost)
    total = lost.sum()
    found = pd.DataFrame({"refusal": pd.Series(reasons, dtype="str"), "lost": lost, "of": total})
    found = found.assign(share=share(lost, total), ci_lower=lower, ci_upper=upper)
    catch_all = found["refusal"].str.strip().str.casefold().isin(OTHER)
    order = np.lexsort((found["refusal"], -found["lost"], catch_all, found["refusal"] == MISSING))
    return found.iloc[order].reset_index(drop=True)


def by_reason(days: pd.DataFrame, summed: Sequence[str] = ()) -> pd.DataFrame:
    """Day counts in which each reason is an outcome of its own and every other end its rival, for ``incidence``.

    Takes ``outcome_days(with_refusal(...), by=[..., "refusal"])``; groups by the columns ``summed`` are taken
    together. ``incidence`` of the result is the share lost for a reason by each day, and the reasons add up to
    ``any_reason`` exactly (Aalen and Johansen).
    Returns ``*keys, refusal, from_stage, age_days, advanced, lost, open``: advanced are those lost for the
    reason, lost those that left in any other way.

    >>> fs.refusals.by_reason(then)[["refusal", "from_stage", "age_days", "advanced", "lost", "open"]].head(2)
         refusal from_stage  age_days  advanced  lost  open
    0  no budget       lead         0         0    62     0
    1  no budget       lead         1         0    34     0
    """
    need(days, "days", "refusal", "from_stage", "age_days", *OUTCOMES)
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
    """The day counts of ``by_reason`` with all refusals as one reason, "any reason".

    >>> fs.refusals.any_reason(then)[["refusal", "from_stage", "age_days", "advanced", "lost", "open"]].head(2)
          refusal from_stage  age_days  advanced  lost  open
    0  any reason       lead         0         0    62     0
    1  any reason       lead         1         0    34     0
    """
    need(days, "days", "refusal", "from_stage", "age_days", *OUTCOMES)
    return by_reason(days.assign(refusal=days["refusal"].mask(days["refusal"] != "", ANY_REASON)), summed)


def reason_changes(rates: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """How much more, or fewer, of a stage's leads are lost for a reason than in another period or group.

    Both are frames of ``rates_over_weeks(by_reason(...), funnel)``, or of ``incidence_at``; rows match on the keys that
    both have; a reason that only the other frame has stands at the end, at no lead of as many. Returns ``*keys, rate,
    other_rate, difference, ci_lower, ci_upper, p_value, verdict``: limits by MOVER, Fisher's exact test on the
    effective leads, higher or lower (Benjamini–Hochberg .10 over the rows) or undecided.

    >>> before = fs.rates_over_weeks(fs.refusals.by_reason(then), spec)
    >>> changes = fs.refusals.reason_changes(rates, before)
    >>> changes.loc[changes["verdict"] == "higher", ["refusal", "to_stage", "rate", "other_rate"]].round(3)
       refusal    to_stage   rate  other_rate
    10   price  contracted  0.088       0.015
    """
    need(rates, "rates", "refusal", "entered", "known", *RATE)
    need(before, "before", "refusal", "entered", "known", *RATE)
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

    >>> drivers = fs.refusals.reason_drivers(now, spec, spec.base)
    >>> drivers.loc[drivers["verdict"] == "higher", ["value", "refusal", "to_stage", "rate", "other_rate"]].round(3)
               value         refusal    to_stage   rate  other_rate
    81        tender  other supplier   presented  0.035       0.009
    106  Compressors           price  contracted  0.183       0.019
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
    """One row for each value of ``by``, one column for each reason, most frequent first, and "(all)" of several.

    A reason that is itself called "(all)", or like ``by``, stands in quotation marks.

    >>> fs.refusals.reason_table(by_manager, "manager")[["manager", "price", "terms", "(all)"]].head(2)
         manager  price  terms  (all)
    0  Anna Berg     31      5     81
    1  CRM robot      5      0     11
    """
    wide = counts.pivot_table(index=by, columns="refusal", values=counted, aggfunc="sum", fill_value=0)
    order = sorted(wide.columns, key=lambda reason: (reason == MISSING, -wide[reason].sum(), reason))
    rows = sorted(wide.index, key=lambda value: (value == MISSING, str(value)))
    table = wide.loc[rows, order].astype("int64").rename(columns={name: f"“{name}”" for name in (ALL, by)})
    single = len(order) == 1
    table = table.rename(columns={MISSING: ALL}) if single else table.assign(**{ALL: table.sum(axis=1)})
    return table.reset_index().rename_axis(columns=None)


def loss_table(rates: pd.DataFrame, total: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Share of **all** leads of each step lost for each reason in time: a row for a reason, a column for a step.

    Takes ``incidence_at(incidence(by_reason(...)), funnel)`` and the same of ``any_reason``, whose row "(all)" the
    others add up to, where there are several. The reason that costs most comes first, the blank one last; a step of
    which nothing is known is left out. Empty where no reason is known.

    >>> fs.refusals.loss_table(rates, total, spec).iloc[:2, :4].round(3)
              refusal  lead → met  met → presented  presented → contracted
    0           price       0.003            0.019                   0.088
    1  other supplier       0.002            0.014                   0.029
    """
    known = pd.concat([rates, total.assign(refusal=ALL)]).dropna(subset="rate")
    if known["refusal"].isin([MISSING, ALL]).all():
        known = known.iloc[:0]
    cost = (known["rate"] * known["entered"]).groupby(known["refusal"]).sum()
    order = sorted(cost.index, key=lambda name: (name == ALL, name == MISSING, -cost[name]))
    order = order[:1] if len(order) == 2 else order
    wide = known.pivot_table(index="refusal", columns="from_stage", values="rate").reindex(order).fillna(0.0)
    steps = {step.from_stage: f"{label(step.from_stage)} → {label(step.to_stage)}" for step in funnel.steps}
    wide = wide[[stage for stage in steps if stage in wide]].rename(columns=steps)
    return wide.reset_index().rename_axis(columns=None)


def second_looks(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Refusals that sound like an excuse, and those that may be the manager's own gap: listed, not judged.

    Takes a frame of ``refusal_counts``; returns ``*by, refusal, second_look, lost, of``: how many, of how many
    refusals of the group, for whatever reason. ``second_look`` is "excuse" or "gap"; most first in each group.

    >>> fs.refusals.second_looks(by_manager, ["manager"]).head(2)
         manager               refusal second_look  lost  of
    0  Anna Berg        other supplier      excuse     8  81
    1  Anna Berg  product does not fit         gap     6  81
    """
    need(counts, "counts", *by, "refusal", "lost", "excuses", "gaps")
    keys = list(by)
    parts = []
    for column, word in (("excuses", "excuse"), ("gaps", "gap")):
        summed = counts.groupby([*keys, "refusal"], sort=False, dropna=False)[column].sum().reset_index(name="lost")
        parts.append(summed[summed["lost"] > 0].assign(second_look=word))
    of = counts.groupby(keys, dropna=False)["lost"].sum().rename("of").reset_index()
    order = [*keys, "second_look", "lost", "refusal"]
    found = (
        pd.concat(parts, ignore_index=True)
        .merge(of, on=keys)
        .sort_values(
            order,
            ascending=[column != "lost" for column in order],
            key=lambda column: column.mask(column == MISSING),
            na_position="last",
            kind="stable",
        )
    )
    return found[[*keys, "refusal", "second_look", "lost", "of"]].reset_index(drop=True)


def retry_success(counts: pd.DataFrame) -> pd.DataFrame:
    """How second tries did against first ones, from the stage they began again at to the last.

    Takes ``attempt_counts``. Returns ``from_stage, to_stage, again_entered, again_converted,
    rate, first_entered, other_rate, difference, ci_lower, ci_upper`` (limits by Newcombe's method 10). Leads
    that are tried again were chosen by somebody: a comparison, no effect.

    >>> fs.refusals.retry_success(fs.refusals.attempt_counts(paths, spec, day)).iloc[:2, :5]
      from_stage to_stage  again_entered  again_converted  first_entered
    0       lead     paid             17                9           3140
    1        met     paid              0                0           3265
    """
    need(counts, "counts", "attempt", *STEP, "entered", "converted")
    steps = counts[["from_stage", "to_stage"]].drop_duplicates()
    own, others = (
        conversion_rates(
            steps.merge(counts[counts["attempt"] == attempt].drop(columns="attempt"), how="left").fillna(
                dict.fromkeys(COUNTS, 0)
            )
        )
        for attempt in ("second try", "first try")
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
    zeros = zeros.assign(ci_lower=lower, ci_upper=upper, dispersion=1.0).reindex(columns=rates.columns)
    return pd.concat([rates, zeros], ignore_index=True) if len(zeros) else rates


FEWEST_EXPECTED, DRAWS = 5, 9999
FEWEST_DRAWS, MOST_CELLS = 199, 200_000_000
PATTERN = {
    **dict.fromkeys(("value", "refusal"), "str"),
    **dict.fromkeys(("lost", "of"), "int64"),
    **dict.fromkeys(("share", "other_share", "expected", "residual", "p_value", "p_holm"), "float64"),
    "verdict": "str",
}


def reason_patterns(counts: pd.DataFrame, funnel: Funnel, by: str) -> pd.DataFrame:
    """Who, or which leads, hear a reason more often than all the others do.

    Takes ``refusal_counts`` by ``by``, "manager" or an attribute of the leads, each value against all others. System
    users and "(missing)" managers are left out. Returns, for every value and reason, ``value, refusal, lost, of, share,
    other_share, expected, residual, p_value, p_holm, verdict``.

    - ``expected``: of the refusals with a reason; of the blank ones, of all
    - ``residual``: the adjusted one, about standard normal by chance
    - ``p_value``: chance of so many or more by Fisher's exact test; ``p_holm``: the same for a name
    - ``verdict``: more often (Benjamini–Hochberg .10 over the rows) or undecided. "Less often"
      is not said: shares are of one whole, so one reason heard more often makes every other one rare

    Source: Haberman 1973; Agresti 2007, 2.4.5.

    >>> found = fs.refusals.reason_patterns(by_manager, spec, "manager")
    >>> found[["value", "refusal", "lost", "share", "other_share", "verdict"]].head(2).round(2)
           value         refusal  lost  share  other_share    verdict
    0  Anna Berg       no budget     8   0.10         0.14  undecided
    1  Anna Berg  not interested     6   0.07         0.07  undecided
    """
    need(counts, "counts", by, "refusal", "lost")
    table = _reasons_by(counts, funnel, by)
    if not table.size:
        return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in PATTERN.items()})
    observed = table.to_numpy(dtype=float)
    n, own, of_reason = observed.sum(), observed.sum(axis=1, keepdims=True), observed.sum(axis=0, keepdims=True)
    # Who writes more reasons down does not hear each of them more often.
    blank = table.columns == MISSING
    told = np.where(blank, own, own - observed[:, blank].sum(axis=1, keepdims=True))
    of_told = told.sum(axis=0, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = told * of_reason / of_told
        residual = (observed - expected) / np.sqrt(expected * (1 - told / of_told) * (1 - of_reason / of_told))
    alone = ~np.isfinite(residual) | (min(table.shape) < 2)
    p = np.where(alone, np.nan, stats.hypergeom(of_told, told, of_reason).sf(observed - 1))
    often = benjamini_hochberg(p.ravel()) <= REST
    values, reasons = (index.astype(str) for index in (table.index, table.columns))
    return pd.DataFrame(
        {
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


def reason_association(counts: pd.DataFrame, funnel: Funnel, by: str, *, draws: int = DRAWS) -> pd.DataFrame:
    """Whether reasons differ at all between managers, or values of another attribute, and how much: one row.

    Of refusals with a reason: blanks would make all alike. Takes what ``reason_patterns`` takes. Returns ``chi2, dof,
    p_value, simulated, v_upper``. Where an expected count is below 5 the p-value is that of ``draws`` seeded tables
    with the same margins. Missing where there is nothing to compare. ``v_upper`` is the strength, as Cramér's V, that
    so small a chi-square rules out at 5 % (the non-central chi-square). Source: Pearson 1900; Hope 1968; Smithson 2003.

    >>> fs.refusals.reason_association(by_manager, spec, "manager").round(3)
         chi2  dof  p_value  simulated  v_upper
    0  192.14   48      0.0       True    0.216
    """
    need(counts, "counts", by, "refusal", "lost")
    table = _reasons_by(counts[counts["refusal"] != MISSING], funnel, by)
    if min(table.shape) < 2:
        return pd.DataFrame([{"chi2": np.nan, "dof": 0, "p_value": np.nan, "simulated": False, "v_upper": np.nan}])
    simulated = bool(stats.contingency.expected_freq(table).min() < FEWEST_EXPECTED)
    # of a table of hundreds of managers and reasons fewer are drawn, and never all of them at once
    drawn = stats.MonteCarloMethod(
        n_resamples=min(draws, max(FEWEST_DRAWS, MOST_CELLS // table.size)),
        batch=max(1, MOST_CELLS // 20 // table.size),
        rng=np.random.default_rng(0),
    )
    found = stats.chi2_contingency(table, correction=False, method=drawn if simulated else None)
    (r, c), chi2 = table.shape, float(found.statistic)
    shown = {"chi2": chi2, "dof": (r - 1) * (c - 1), "p_value": float(found.pvalue), "simulated": simulated}
    return pd.DataFrame([{**shown, "v_upper": _strongest(chi2, table.to_numpy().sum(), r, c)}])


def _reasons_by(counts: pd.DataFrame, funnel: Funnel, by: str) -> pd.DataFrame:
    """Values of an attribute by reason, without rows and columns in which nothing was counted."""
    judged = counts[is_ranked(counts, funnel)] if by == "manager" else counts
    table = judged.groupby([by, "refusal"], sort=False, dropna=False)["lost"].sum().unstack("refusal", fill_value=0)
    table = table.loc[table.sum(axis=1) > 0, table.sum(axis=0) > 0]
    order = sorted(table.columns, key=lambda reason: (reason == MISSING, reason))
    return table[order].sort_index(key=lambda index: index.astype(str))


def _strongest(chi2: float, n: float, r: int, c: int) -> float:
    """Cramér's V at which so small a chi-square, or a smaller one, comes about in one case of twenty.

    A table more even than chance makes them counts as one that is as even as chance: it is luck, not proof.
    """
    dof, tail = (r - 1) * (c - 1), (1 - SIDED) / 2
    seen = max(chi2, dof)
    excess = optimize.brentq(lambda more: stats.ncx2.cdf(seen, dof, more) - tail, 0.0, seen + 20 + 10 * np.sqrt(seen))
    return float(np.sqrt(excess / (n * (min(r, c) - 1))))
