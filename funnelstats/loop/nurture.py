"""Nurtured leads against the others: whether they buy more often, and for more, once the leads are equal."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import special

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _, money, percent
from funnelstats.core.casemix import case_mix
from funnelstats.core.conversion import COUNTS, conversion_rates
from funnelstats.core.intervals import FIFTH, NO, SIDED, checked_level, mover_ratio, ratio_answers, share

CLAIMS = {"bought": 1.55, "ticket": 1.47}
"""What the trade says of nurtured leads: 55 % better "quality", 47 % larger tickets."""

MEASURE_WORDS = {"bought": "share that bought", "ticket": "mean paid by who bought"}
HELD_WORDS = {"raw": "as they are", "equal": "on the same mix of leads"}
CLAIM_WORDS = {
    "unknown": "cannot be told",
    "fewer": "not so here, it is less",
    "as": "more, as much as claimed or above",
    "less": "more, but less than claimed",
    "more": "more; whether as much as claimed cannot be told yet",
    "alike": "not so here, the two are no more than a fifth apart",
    "below": "less than claimed; whether more at all cannot be told yet",
    "open": "cannot be told yet",
}
"""How a claim of the trade stands, by the range of the ratio; alike by that of the equivalence test."""

KIND = "_kind_of_lead"
EFFECTS = ["measure", "held", "nurtured", "others", "ratio", "ratio_lower", "ratio_upper", "claim", "says", "compared"]


def nurture_effects(strata: pd.DataFrame, moments: pd.DataFrame, nurtured: str) -> pd.DataFrame:
    """How nurtured leads compare with the others: share that bought and mean ticket, as they are and at equal leads.

    ``strata``: matured counts by the attributes of the base and ``nurtured`` (yes or no), as of ``hand_over_counts``;
    ``moments``: ``ticket_moments`` by the same, empty where no payments are known. At equal leads both groups are
    standardised to the leads (or deals) of the two together, over those kinds of leads that both have. Returns four
    rows: measure (bought, ticket), held (raw, equal), nurtured, others (rate or mean), ratio, ratio_lower,
    ratio_upper, claim (the trade's ratio), says (how the claim stands, a key of CLAIM_WORDS), compared (share of leads,
    or deals, in kinds that both have). Empty where nothing is called nurtured. More or less is said beyond chance, "no
    more than a fifth apart" where the limits at 90 % lie within that; a claim is refuted where the range does not
    reach it.

    Sources: MOVER for the ratio of rates (Donner and Zou 2012); of means the delta method on the log scale.

    >>> counts = fs.loop.hand_over_counts(nurture_leads, spec, day, by=nurture_base, to_stage="paid")
    >>> tickets = fs.loop.ticket_moments(nurture_leads, tables.payments, day, by=nurture_base)
    >>> effects = fs.loop.nurture_effects(counts, tickets, "nurtured")
    >>> effects[["measure", "held", "nurtured", "others", "ratio"]].head(2).round(3)
      measure   held  nurtured  others  ratio
    0  bought    raw     0.643   0.613  1.050
    1  bought  equal     0.613   0.620  0.989
    """
    need(strata, "strata", "entered", "converted")
    need(moments, "moments", "deals", "mean", "variance")
    if nurtured not in strata:
        return pd.DataFrame(columns=EFFECTS).astype(dict.fromkeys(EFFECTS[2:8] + EFFECTS[9:], float))
    base = [str(column) for column in strata if column not in (nurtured, "from_stage", "to_stage", *COUNTS)]
    rows = []
    for measure, frame, compare, size in (
        ("bought", strata, _rates, "entered"),
        ("ticket", moments, _tickets, "deals"),
    ):
        raw = _pooled(frame.drop(columns=base), [nurtured], size).assign(**{KIND: 0})
        kinds, compared = _shared(_pooled(frame, [nurtured, *base], size), nurtured, base, size)
        for held, part, used in (("raw", raw, 1.0), ("equal", kinds, compared)):
            narrow = compare(part, nurtured, SIDED)[-2:]
            rows.append([measure, held, *compare(part, nurtured, 0.95), used, *narrow])
    names = [name for name in EFFECTS if name not in ("claim", "says")]
    table = pd.DataFrame(rows, columns=[*names, "narrow_lower", "narrow_upper"])
    claim = table["measure"].map(CLAIMS)
    return table.assign(claim=claim, says=_says(table, claim))[EFFECTS]


def _says(table: pd.DataFrame, claim: pd.Series) -> pd.Series:
    """The key of how a claim stands, for each row."""
    lower, upper = table["ratio_lower"], table["ratio_upper"]
    more, short = lower > 1, upper < claim
    alike = ratio_answers(more, table["narrow_lower"], table["narrow_upper"], FIFTH) == NO
    cases = {
        "unknown": table["ratio"].isna(),
        "fewer": upper < 1,
        "as": lower >= claim,
        "less": more & short,
        "more": more,
        "alike": alike,
        "below": short,
    }
    return pd.Series(np.select(list(cases.values()), list(cases), "open"), index=table.index)


def compared_by(funnel: Funnel, attributes: Collection[str]) -> list[str]:
    """The columns of the leads that tell nurtured ones and make them equal: ``loop.nurtured`` and ``base``.

    Without the mark among the export's ``attributes``, the base alone.

    >>> fs.loop.compared_by(spec, tables.leads.columns)
    ['nurtured', 'segment', 'product', 'channel']
    """
    nurtured = funnel.loop.nurtured
    return list(dict.fromkeys([*([nurtured] if nurtured in attributes else []), *funnel.base]))


def nurture_table(effects: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The rows of ``nurture_effects`` in words, with ratios as relative change: 0.04 is 4 % more.

    Returns measure, held, nurtured, others (rates and means as texts), change, change_lower, change_upper, claim, says.

    >>> fs.loop.nurture_table(effects, spec).iloc[:2, :5]
                 measure                      held nurtured others    change
    0  share that bought               as they are    64.3%  61.3%  0.049931
    1  share that bought  on the same mix of leads    61.3%  62.0% -0.011026
    """

    def written(column: str) -> list[str]:
        return [
            _told(measure, value, funnel) for measure, value in zip(effects["measure"], effects[column], strict=True)
        ]

    changes = {"ratio": "change", "ratio_lower": "change_lower", "ratio_upper": "change_upper", "claim": "claim"}
    return pd.DataFrame(
        {
            "measure": [_(MEASURE_WORDS[measure]) for measure in effects["measure"]],
            "held": [_(HELD_WORDS[held]) for held in effects["held"]],
            "nurtured": written("nurtured"),
            "others": written("others"),
            **{new: effects[old] - 1 for old, new in changes.items()},
            "says": [_(CLAIM_WORDS[says]) for says in effects["says"]],
        }
    )


def _pooled(frame: pd.DataFrame, keys: list[str], size: str) -> pd.DataFrame:
    """The frame with one row for each key: counts summed, moments of the deals joined exactly."""
    if size == "entered":
        return frame.groupby(keys, sort=False, dropna=False)[["entered", "converted"]].sum().reset_index()
    parts = frame.assign(
        total=frame["deals"] * frame["mean"],
        within=((frame["deals"] - 1) * frame["variance"]).fillna(0.0),
    )
    whole = parts.groupby(keys, sort=False, dropna=False)[["deals", "total"]].sum().reset_index()
    joined = parts.merge(whole.assign(middle=whole["total"] / whole["deals"])[[*keys, "middle"]], on=keys)
    joined["within"] += joined["deals"] * (joined["mean"] - joined["middle"]) ** 2
    squares = joined.groupby(keys, sort=False, dropna=False)["within"].sum().reset_index()
    whole = whole.merge(squares, on=keys)
    freedom = (whole["deals"] - 1).where(whole["deals"] > 1)
    return whole.assign(mean=whole["total"] / whole["deals"], variance=whole["within"] / freedom)[
        [*keys, "deals", "mean", "variance"]
    ]


def _shared(kinds: pd.DataFrame, nurtured: str, base: list[str], size: str) -> tuple[pd.DataFrame, float]:
    """The rows of kinds of leads that both groups have, numbered, and the share of leads in them."""
    some = kinds[kinds[size] > 0]
    kind = some.groupby(base, sort=False, dropna=False).ngroup() if base else pd.Series(0, index=some.index)
    both = some.groupby(kind)[nurtured].transform("nunique") == 2
    shared = some[both].assign(**{KIND: kind[both]}).drop(columns=base)
    total = some[size].sum()
    return shared, float(shared[size].sum() / total) if total else np.nan


def _rates(kinds: pd.DataFrame, nurtured: str, level: float) -> tuple[float, ...]:
    if kinds[KIND].nunique() < 2:
        found = conversion_rates(kinds, level)
    else:
        # what case_mix does for managers, with nurtured and not in their place
        found = case_mix(kinds.rename(columns={nurtured: "manager"}), level=level).rename(columns={"manager": nurtured})
    both = found.set_index(nurtured)[["rate", "ci_lower", "ci_upper"]].reindex(["yes", "no"])
    (one, lower, upper), (other, other_lower, other_upper) = both.to_numpy(dtype=float)
    if not (one >= 0 and other > 0):
        return one, other, np.nan, 0.0, np.inf
    limits = mover_ratio((one, lower, upper), (other, other_lower, other_upper))
    return one, other, one / other, float(limits[0]), float(limits[1])


def _tickets(kinds: pd.DataFrame, nurtured: str, level: float) -> tuple[float, ...]:
    """Means of both groups at the deals of both together, their ratio and its limits on the log scale.

    The spread of deals relative to their mean is one number for each group, never below that of all deals: a handful
    of deals that happen to be alike does not make anybody sure.
    """
    deals = kinds.groupby(KIND)["deals"].sum()
    weight = kinds[KIND].map(deals / deals.sum()) if len(deals) else kinds["deals"].astype(float)
    relative = ((kinds["deals"] - 1) * kinds["variance"] / kinds["mean"] ** 2).fillna(0.0)
    freedom = (kinds["deals"] - 1).clip(lower=0)
    every = share(relative.sum(), freedom.sum())
    means, errors = [], []
    for group in ("yes", "no"):
        own = kinds[nurtured] == group
        mean = (weight * kinds["mean"])[own].sum() if own.any() else np.nan
        spread = np.fmax(share(relative[own].sum(), freedom[own].sum()), every)
        squared = ((weight * kinds["mean"]) ** 2 / kinds["deals"])[own].sum()
        means.append(float(mean))
        errors.append(float(spread * squared / mean**2) if mean > 0 else np.nan)
    if not np.isfinite(sum(errors)):
        return *means, np.nan, 0.0, np.inf
    ratio = means[0] / means[1]
    width = special.ndtri(0.5 + checked_level(level) / 2) * np.sqrt(sum(errors))
    return *means, ratio, float(ratio * np.exp(-width)), float(ratio * np.exp(width))


def _told(measure: str, value: float, funnel: Funnel) -> str:
    return percent(value, 1) if measure == "bought" else money(value, funnel.currency)
