"""What young leads may still bring: those that advanced so far, and what to expect of the open ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from funnelstats.core.incidence import OUTCOMES, SUMS, cumulative_variance, effective, life_table
from funnelstats.core.intervals import Array, checked_level, share

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel

FAR = 1_000_000
"""More days than any lead lives: groups and ages become one sorted number."""


def project(young: pd.DataFrame, past: pd.DataFrame, funnel: Funnel, *, level: float = 0.95) -> pd.DataFrame:
    """What share of young leads will have advanced by the horizon of each step.

    An open lead of age a advances like past leads that were still open at a. Both arguments are day counts;
    ``past`` has the key columns of ``young`` or fewer. Returns ``*keys, from_stage, to_stage, entered,
    converted`` (so far), ``open`` (may still advance in time), ``expected, rate, ci_lower, ci_upper``. The
    interval says where the final rate will lie: beta-binomial over the open leads. Unknown where no past
    lead was watched from that age to the horizon.
    """
    found = hopes(young, past, funnel)
    low, high = _open_that_advance(found, level)
    expected = found["converted"] + found["hoped"]
    return found.drop(columns=["hoped", "worth", "error", "doubt"]).assign(
        expected=expected,
        rate=share(expected, found["entered"]),
        ci_lower=share(found["converted"] + low, found["entered"]),
        ci_upper=share(found["converted"] + high, found["entered"]),
    )


def hopes(young: pd.DataFrame, past: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """What ``project`` goes by: ``hoped``, how many of the open leads will advance, if all goes as in the past.

    Returns ``*keys, from_stage, to_stage, entered, converted, open, hoped``; ``worth``, past leads behind it, summed
    over the open ones; ``error``, the standard error of ``hoped``, and ``doubt``, the same with a rate of 0 or 1
    not taken for sure.
    """
    keys = [str(column) for column in young if column not in ("age_days", *OUTCOMES, "joined")]
    steps = {step.from_stage: step for step in funnel.steps}
    rows = young[young["from_stage"].isin(list(steps))].reset_index(drop=True)
    age, horizon = rows["age_days"], rows["from_stage"].map(lambda stage: steps[stage].horizon_days)
    waiting = rows["open"].where(age < horizon, 0).to_numpy()
    chance, worth = _chance(rows, horizon.to_numpy(), past)
    some = waiting > 0
    careful = (chance * worth + 0.5) / (worth + 1)
    rows = rows.assign(
        entered=rows[list(OUTCOMES)].sum(axis=1),
        converted=rows["advanced"].where(age <= horizon, 0),
        open=waiting,
        hoped=np.where(some, waiting * chance, 0.0),
        worth=np.where(some, waiting * worth, 0.0),
        # the open of all ages are judged by the same past leads, so their errors go together
        error=np.where(some, waiting * np.sqrt(chance * (1 - chance) / worth), 0.0),
        doubt=np.where(some, waiting * np.sqrt(careful * (1 - careful) / (worth + 2)), 0.0),
    )
    numbers = ["entered", "converted", "open", "hoped", "worth", "error", "doubt"]
    unknown = rows["hoped"].isna().groupby([rows[key] for key in keys], sort=False, dropna=False).any()
    found = rows.groupby(keys, sort=False, dropna=False)[numbers].sum().reset_index()
    found["hoped"] = found["hoped"].mask(unknown.to_numpy())
    found.insert(len(keys), "to_stage", found["from_stage"].map(lambda stage: steps[stage].to_stage))
    return found


def _open_that_advance(found: pd.DataFrame, level: float) -> tuple[Array, Array]:
    """Fewest and most of the open leads that will advance, at the level asked for."""
    many = found["open"].to_numpy()
    q, worth = share(found["hoped"], many), share(found["worth"], many)
    error = share(found["error"], many)
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.where(error > 0, q * (1 - q) / error**2, worth)
    tail = (1 - checked_level(level)) / 2
    a, b = np.nan_to_num(q * worth) + 0.5, np.nan_to_num((1 - q) * worth) + 0.5
    low, high = (stats.betabinom.ppf(p, many, a, b) for p in (tail, 1 - tail))
    none = many == 0
    low, high = np.where(none, 0, low), np.where(none, 0, high)
    unknown = found["hoped"].isna().to_numpy()
    return np.where(unknown, 0, low), np.where(unknown, many, high)


def _chance(rows: pd.DataFrame, horizon: Array, past: pd.DataFrame) -> tuple[Array, Array]:
    """For each row's age, the share of past leads open then that advanced by the horizon, and its n_eff."""
    keys, watched = life_table(past)
    groups = watched.drop_duplicates("group")[[*keys, "group"]]
    group = rows[keys].merge(groups, on=keys, how="left")["group"].fillna(-1).to_numpy()
    place = (watched["group"] * FAR + watched["age_days"]).to_numpy()
    columns = ["survival", "incidence", *SUMS, "unseen", "group", "age_days", "at_risk", *OUTCOMES]
    # one row before all others: nobody has left yet
    table = {name: np.append(watched[name].to_numpy(dtype=float), float(name == "survival")) for name in columns}

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
        worth = effective(q, variance, known)
    usable = (group >= 0) & (start <= final) & watched_on & (s > 0) & (after > 0)
    return np.where(usable, q, np.nan), np.where(usable, worth, np.nan)
