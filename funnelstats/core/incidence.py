"""Conversions not yet matured: the share that advanced by each day, how long leads stay, what they may bring.

Leads that are still open count for as long as they were watched; lost leads are a rival end, not
censored, so nobody is promised who has already refused. Day counts come in, small frames go out.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.core.intervals import Array, wilson_interval

OUTCOMES = ("advanced", "lost", "open")
CURVE = ("at_risk", *OUTCOMES, "incidence", "variance", "n_eff", "ci_lower", "ci_upper")
SUMS = ("risk", "risk_f", "risk_ff", "gain", "gain_s", "gain_f")
FEWEST_WATCHED = 3
"""What leads do at an age is known while so many are still watched there."""


def incidence(days: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Share of leads that advanced by each day after stage entry, lost leads being a rival end.

    Takes ``*keys, age_days, advanced, lost, open`` (leads that did so at that age; open ones were watched through it,
    all from the start). Returns, for each group and day on which a lead left or was last seen,
    ``*keys, age_days, at_risk, advanced, lost, open, incidence, variance, n_eff, ci_lower, ci_upper``.

    n_eff is the number of fully watched leads that would be as sure; the interval is Wilson's on it. Source:
    Aalen and Johansen 1978; variance as in Geskus 2016 and R's survfit, equal to F(1-F)/n when none is open.

    >>> curve = fs.incidence(fs.outcome_days(paths, spec, day))
    >>> curve[["from_stage", "age_days", "at_risk", "incidence"]].head(2).round(3)
      from_stage  age_days  at_risk  incidence
    0       lead         0     5136      0.311
    1       lead         1     3527      0.501
    """
    keys, watched = life_table(days)
    lower, upper = wilson_interval(watched["incidence"] * watched["n_eff"], watched["n_eff"], level)
    seen = watched[list(OUTCOMES)].sum(axis=1) > 0
    curve = watched.assign(ci_lower=lower, ci_upper=upper)[seen.to_numpy()]
    return curve[[*keys, "age_days", *CURVE]].reset_index(drop=True)


def incidence_at(curve: pd.DataFrame, funnel: Funnel, *, level: float = 0.95) -> pd.DataFrame:
    """Share of leads that advanced by the horizon of each step, one row per group and step.

    Where nobody has been watched as long as the horizon and some are still open, the share that stayed until then
    counts by half, and the rate is missing where that is more than ``FEW_UNKNOWN`` of it.
    Returns ``*keys, from_stage, to_stage, entered, known, rate, n_eff, ci_lower, ci_upper``: entered are all
    leads, known those whose state at the horizon is known, n_eff at most as many (30 leads at 80 %, two thirds of them
    known: the interval, Wilson's on n_eff leads, then covers .93, without .90). Where the last ones watched leave
    before the horizon and others were open before, n_eff is the number that these few are of the share still there.
    Without further keys every step has a row.

    >>> curve = fs.incidence(fs.outcome_days(paths, spec, day))
    >>> fs.incidence_at(curve, spec)[["to_stage", "entered", "known", "rate"]].round(3)
         to_stage  entered  known   rate
    0         met     5136   5068  0.955
    1   presented     4868   4752  0.817
    2  contracted     3959   3793  0.745
    3        paid     2917   2782  0.944
    """
    need(curve, "curve", "from_stage", "age_days", *OUTCOMES, "incidence", "n_eff")
    keys = [str(column) for column in curve if column not in ("age_days", *CURVE)]
    by = [key for key in keys if key != "from_stage"]
    steps = pd.DataFrame(
        [(step.from_stage, step.to_stage, step.horizon_days) for step in funnel.steps],
        columns=["from_stage", "to_stage", "horizon"],
    )
    if by:
        groups = curve[by].drop_duplicates().merge(steps, how="cross")
        groups = groups.merge(curve[keys].drop_duplicates(), on=keys)
    else:
        groups = steps
    rows = groups.reset_index(names="cell").merge(curve, on=keys)
    cell = rows["cell"]
    left = rows["advanced"] + rows["lost"]
    in_time = rows["age_days"] <= rows["horizon"]
    last = rows.groupby(cell).tail(1).set_index("cell")
    unseen = (last["age_days"] < last["horizon"]) & (last["open"] > 0)
    stayed = (1 - left / rows["at_risk"]).groupby(cell).prod().where(unseen, 0.0)
    at_horizon = rows[in_time].groupby("cell")[["incidence", "n_eff"]].last()
    entered = (left + rows["open"]).groupby(cell).sum().reindex(groups.index, fill_value=0)
    missed = rows["open"].where(rows["age_days"] < rows["horizon"], 0).groupby(cell).sum()
    known = entered - missed.reindex(groups.index, fill_value=0)
    stayed = stayed.reindex(groups.index, fill_value=1.0)
    rate = at_horizon["incidence"].reindex(groups.index, fill_value=0.0) + stayed / 2
    nobody = is_unknown(rate, stayed)
    rate = rate.mask(nobody)
    n_eff = at_horizon["n_eff"].reindex(groups.index)
    n_eff = n_eff.fillna(known).clip(upper=known).mask(nobody)
    lower, upper = wilson_interval(rate * n_eff, n_eff, level)
    found = groups.drop(columns="horizon").assign(
        entered=entered, known=known, rate=rate, n_eff=n_eff, ci_lower=lower, ci_upper=upper
    )
    return found[[*by, *[column for column in found if column not in by]]]


def days_in_stage(days: pd.DataFrame, shares: Sequence[float] = (0.25, 0.5, 0.75)) -> pd.DataFrame:
    """Days after which a quarter, half, three quarters of the leads have left the stage, whatever for.

    Kaplan–Meier over leads still open; log-log limits; the midpoint where the curve rests exactly on the
    share, as R does. Returns ``*keys, share, days, days_lower, days_upper``, missing where not reached.

    >>> fs.days_in_stage(fs.outcome_days(paths, spec, day)).query("share == 0.5")
        from_stage  share  days  days_lower  days_upper
    1         lead    0.5   1.0         1.0         2.0
    4          met    0.5   4.0         4.0         4.0
    7    presented    0.5   6.0         6.0         6.0
    10  contracted    0.5   7.0         7.0         8.0
    """
    keys, watched = life_table(days)
    stayed = watched["survival"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(stayed)
        width = special.ndtri(0.975) * np.sqrt(watched["risk"]) / log
        curves = {
            "days": stayed,
            "days_lower": stayed ** np.exp(-width),
            "days_upper": stayed ** np.exp(width),
        }
    for name in ("days_lower", "days_upper"):
        curves[name] = np.where(stayed == 0, np.nan, curves[name])
    falls = _first_days(watched, {(part, name): (curve, 1 - part) for part in shares for name, curve in curves.items()})
    names = watched.drop_duplicates("group")[["group", *keys]].set_index("group")
    found = [names.assign(share=part, **{name: falls[part, name] for name in curves}) for part in shares]
    return pd.concat(found).sort_index(kind="stable").reset_index(drop=True)


def days_to_convert(curve: pd.DataFrame, funnel: Funnel, shares: Sequence[float] = (0.25, 0.5, 0.75)) -> pd.DataFrame:
    """Days by which a quarter, half, three quarters of the leads that advance within the horizon have done so.

    Takes a frame of ``incidence``, whose leads still on their way count with what they have told. Returns ``*keys,
    from_stage, to_stage, share, days``, missing where the rate at the horizon is not known or nobody advanced.

    >>> days = pd.DataFrame({"from_stage": "lead", "age_days": [1, 3, 9], "advanced": [2, 1, 1], "lost": 0, "open": 0})
    >>> toy = Funnel(name="", title="Toy", timezone="UTC", currency="EUR", stages=["lead", "won"],
    ...              step_into={"won": {"horizon_days": 7}})
    >>> days_to_convert(incidence(days), toy)
      from_stage to_stage  share  days
    0       lead      won   0.25   1.0
    1       lead      won   0.50   1.0
    2       lead      won   0.75   3.0
    """
    rates = incidence_at(curve, funnel)
    keys = [column for column in rates if column in curve and column not in CURVE]
    steps = rates[[*keys, "to_stage", "rate"]].merge(pd.DataFrame({"share": shares}), how="cross")
    ages = steps.reset_index(names="cell").merge(curve[[*keys, "age_days", "incidence"]], on=keys)
    there = (ages["incidence"] >= ages["share"] * ages["rate"] - 1e-9) & (ages["rate"] > 0)
    days = ages["age_days"].where(there).groupby(ages["cell"]).min().reindex(steps.index)
    return steps.drop(columns="rate").assign(days=days.astype("float64"))


def _first_days(watched: pd.DataFrame, curves: dict[tuple[float, str], tuple[Array, float]]) -> pd.DataFrame:
    """Where each falling curve reaches its height; halfway to its next fall where it rests exactly on it."""

    def first(at: dict[tuple[float, str], npt.NDArray[np.bool_]]) -> pd.DataFrame:
        ages = {column: watched["age_days"].where(there) for column, there in at.items()}
        return pd.DataFrame(ages).groupby(watched["group"]).min()

    reached = first({column: curve <= height + 1e-9 for column, (curve, height) in curves.items()})
    passed = first({column: curve < height - 1e-9 for column, (curve, height) in curves.items()})
    last = watched["age_days"].groupby(watched["group"]).max()
    return (reached + passed.apply(lambda days: days.fillna(last))) / 2


def life_table(days: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """The key columns, and by day of age who was at risk, stayed and advanced, with the sums of its variance.

    Sorted by group and age; ``group`` numbers the groups in their order of appearance.
    """
    need(days, "days", "age_days", *OUTCOMES)
    keys = [str(column) for column in days if column not in ("age_days", *OUTCOMES)]
    daily = days.groupby([*keys, "age_days"], sort=False, dropna=False)[list(OUTCOMES)].sum().reset_index()
    by = daily.groupby(keys, sort=False, dropna=False) if keys else daily.groupby(daily["age_days"] * 0)
    daily = daily.assign(group=by.ngroup()).sort_values(["group", "age_days"], ignore_index=True)
    group = daily["group"]

    def run(values: pd.Series) -> pd.Series:
        return values.groupby(group).cumsum()

    d1, left = daily["advanced"], daily["advanced"] + daily["lost"]
    gone = left + daily["open"]
    entered = gone.groupby(group).transform("sum")
    n = entered - run(gone) + gone
    at_risk = n.where(n > 0, np.nan)
    survival = (1 - left / at_risk).fillna(1.0).groupby(group).cumprod()
    before = survival.groupby(group).shift(fill_value=1.0)
    share_won = (d1 / at_risk).fillna(0.0)
    # a sum of shares that is 1 may end a rounding above it
    f = run(before * share_won).where(lambda sums: sums < 1 - 1e-12, 1.0)
    stay = at_risk - left
    hazard = (left / (at_risk * stay.where(stay > 0))).fillna(0.0)
    step = (share_won / at_risk).fillna(0.0)
    sums = {
        "risk": hazard,
        "risk_f": f * hazard,
        "risk_ff": f**2 * hazard,
        "gain": before**2 * step * (1 - share_won),
        "gain_s": before * step,
        "gain_f": f * before * step,
        "unseen": daily["open"],
    }
    daily = daily.assign(at_risk=n, survival=survival, incidence=f, **pd.DataFrame(sums).groupby(group).cumsum())
    # Where the last ones watched leave and others were open before, those few stand for all of them.
    daily["stand_in"] = (at_risk / before).where((stay == 0) & (daily["unseen"] > 0), np.inf)
    won = f.to_numpy()
    variance = cumulative_variance(won, *(daily[name].to_numpy() for name in SUMS))
    known = (entered - daily["unseen"] + daily["open"]).to_numpy(dtype=float)
    n_eff = np.minimum(effective(won, variance, known), daily["stand_in"])
    return keys, daily.assign(variance=variance, n_eff=n_eff)


def watched_until(table: pd.DataFrame) -> pd.Series:
    """Of a ``life_table`` by from_stage: the last day of age for which at least FEWEST_WATCHED leads were watched."""
    return table[table["at_risk"] >= FEWEST_WATCHED].groupby("from_stage")["age_days"].max()


def cumulative_variance(
    f: Array, risk: Array, risk_f: Array, risk_ff: Array, gain: Array, gain_s: Array, gain_f: Array
) -> Array:
    """Variance of an incidence from its running sums, which ``life_table`` makes."""
    return np.maximum(f**2 * risk - 2 * f * risk_f + risk_ff + gain - 2 * f * gain_s + 2 * gain_f, 0.0)


def effective(f: Array, variance: Array, known: Array) -> Array:
    """How many fully watched leads would be as sure: those whose state is known, where the share is 0 or 1, and never
    more, since a variance estimated from few leads may be far too small."""
    spread = f * (1 - f)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(_certain(f) | (variance <= 1e-10 * spread), known, np.minimum(spread / variance, known))


def _certain(f: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(f * (1 - f) < 1e-9)


FAR = 1_000_000
"""More days than any lead lives: groups and ages become one sorted number."""
FEW_UNKNOWN = 0.05
"""Of the leads that convert: so many open ones of which nothing is known leave the rate, or the hopes, known."""


def is_unknown(rate: pd.Series, stayed: pd.Series) -> pd.Series:
    """Whether a rate that counts half of those who ``stayed`` for as long as anybody was watched tells too little."""
    return stayed > FEW_UNKNOWN * rate


def hopes(young: pd.DataFrame, past: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """``hoped``: how many of the open leads will advance by the horizon of their step, if all goes as in the past.

    Both arguments are day counts; ``past`` has the key columns of ``young`` or fewer. Returns ``*keys, from_stage,
    to_stage, entered, converted`` (so far), ``open`` (may still advance in time), ``hoped`` and ``doubt``, its standard
    error, a rate of 0 or 1 not taken for sure. Of an open lead nothing is known where no past lead was watched from its
    age to the horizon: few such leads count a half, with the doubt of that; where they are more than ``FEW_UNKNOWN`` of
    those that convert, ``hoped`` is unknown.
    """
    keys = [str(column) for column in young if column not in ("age_days", *OUTCOMES)]
    steps = {step.from_stage: step for step in funnel.steps}
    rows = young[young["from_stage"].isin(list(steps))].reset_index(drop=True)
    age, horizon = rows["age_days"], rows["from_stage"].map(lambda stage: steps[stage].horizon_days)
    waiting = rows["open"].where(age < horizon, 0).to_numpy()
    chance, n_eff = _chance(rows, horizon.to_numpy(), past)
    unknown = np.isnan(chance)
    chance, n_eff = np.where(unknown, 0.5, chance), np.where(unknown, 0.0, n_eff)
    careful = (chance * n_eff + 0.5) / (n_eff + 1)
    rows = rows.assign(
        entered=rows[list(OUTCOMES)].sum(axis=1),
        converted=rows["advanced"].where(age <= horizon, 0),
        open=waiting,
        hoped=waiting * chance,
        # the open of all ages are judged by the same past leads, so their errors go together
        doubt=waiting * np.sqrt(careful * (1 - careful) / (n_eff + 2)),
        unknown=np.where(unknown, waiting, 0),
    )
    numbers = ["entered", "converted", "open", "hoped", "doubt", "unknown"]
    found = rows.groupby(keys, sort=False, dropna=False)[numbers].sum().reset_index()
    untold = found.pop("unknown")
    told = found["converted"] + found["hoped"] - untold / 2
    found["hoped"] = found["hoped"].mask(untold > FEW_UNKNOWN * told)
    found.insert(len(keys), "to_stage", found["from_stage"].map(lambda stage: steps[stage].to_stage))
    return found


def _chance(rows: pd.DataFrame, horizon: Array, past: pd.DataFrame) -> tuple[Array, Array]:
    """For each row's age, the share of past leads open then that advanced by the horizon, and its n_eff."""
    keys, watched = life_table(past)
    groups = watched.drop_duplicates("group")[[*keys, "group"]]
    group = rows[keys].merge(groups, on=keys, how="left")["group"].fillna(-1).to_numpy()
    place = (watched["group"] * FAR + watched["age_days"]).to_numpy()
    columns = ["survival", "incidence", *SUMS, "unseen", "stand_in", "group", "age_days", "at_risk", *OUTCOMES]
    # one row before all others: nobody has left yet
    none_left = {"survival": 1.0, "stand_in": np.inf}
    table = {name: np.append(watched[name].to_numpy(dtype=float), none_left.get(name, 0.0)) for name in columns}

    def state(age: Array) -> tuple[dict[str, Array], npt.NDArray[np.signedinteger]]:
        at = np.searchsorted(place, group * FAR + age, side="right") - 1
        at = np.where((at >= 0) & (table["group"][at] == group), at, len(place))
        return {name: values[at] for name, values in table.items()}, at

    then, begin = state(rows["age_days"].to_numpy())
    end, _ = state(horizon)
    start = np.searchsorted(place, group * FAR, side="left")
    entered = watched.groupby("group")["at_risk"].first().reindex(group).to_numpy(dtype=float)
    gone = then["advanced"] + then["lost"] + then["open"]
    after = np.where(begin == len(place), entered, then["at_risk"] - gone)
    final = np.searchsorted(place, group * FAR + FAR, side="left") - 1
    watched_on = (table["age_days"][final] >= horizon) | (table["survival"][final] <= 0)
    s, f = then["survival"], then["incidence"]
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.clip((end["incidence"] - f) / s, 0, 1)
        risk, risk_f, risk_ff, gain, gain_s, gain_f = (end[name] - then[name] for name in SUMS)
        variance = cumulative_variance(
            q,
            risk,
            (risk_f - f * risk) / s,
            (risk_ff - 2 * f * risk_f + f**2 * risk) / s**2,
            gain / s**2,
            gain_s / s,
            (gain_f - f * gain_s) / s**2,
        )
        known = after - (end["unseen"] - then["unseen"]) + np.where(end["age_days"] == horizon, end["open"], 0)
        n_eff = np.minimum(effective(q, variance, known), end["stand_in"] * s)
    usable = (group >= 0) & (start <= final) & watched_on & (s > 0) & (after > 0)
    return np.where(usable, q, np.nan), np.where(usable, n_eff, np.nan)
