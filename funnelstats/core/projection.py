"""What open leads may still bring: each advances like past leads that were still open at its age."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.core.incidence import OUTCOMES, SUMS, cumulative_variance, effective, life_table
from funnelstats.core.intervals import Array

FAR = 1_000_000
"""More days than any lead lives: groups and ages become one sorted number."""


def hopes(young: pd.DataFrame, past: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """``hoped``: how many of the open leads will advance by the horizon of their step, if all goes as in the past.

    Both arguments are day counts; ``past`` has the key columns of ``young`` or fewer. Returns ``*keys, from_stage,
    to_stage, entered, converted`` (so far), ``open`` (may still advance in time), ``hoped``, unknown where no past lead
    was watched from that age to the horizon, and ``doubt``, its standard error, a rate of 0 or 1 not taken for sure.
    """
    keys = [str(column) for column in young if column not in ("age_days", *OUTCOMES)]
    steps = {step.from_stage: step for step in funnel.steps}
    rows = young[young["from_stage"].isin(list(steps))].reset_index(drop=True)
    age, horizon = rows["age_days"], rows["from_stage"].map(lambda stage: steps[stage].horizon_days)
    waiting = rows["open"].where(age < horizon, 0).to_numpy()
    chance, n_eff = _chance(rows, horizon.to_numpy(), past)
    some = waiting > 0
    careful = (chance * n_eff + 0.5) / (n_eff + 1)
    rows = rows.assign(
        entered=rows[list(OUTCOMES)].sum(axis=1),
        converted=rows["advanced"].where(age <= horizon, 0),
        open=waiting,
        hoped=np.where(some, waiting * chance, 0.0),
        # the open of all ages are judged by the same past leads, so their errors go together
        doubt=np.where(some, waiting * np.sqrt(careful * (1 - careful) / (n_eff + 2)), 0.0),
    )
    numbers = ["entered", "converted", "open", "hoped", "doubt"]
    unknown = rows["hoped"].isna().groupby([rows[key] for key in keys], sort=False, dropna=False).any()
    found = rows.groupby(keys, sort=False, dropna=False)[numbers].sum().reset_index()
    found["hoped"] = found["hoped"].mask(unknown.to_numpy())
    found.insert(len(keys), "to_stage", found["from_stage"].map(lambda stage: steps[stage].to_stage))
    return found


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
        n_eff = effective(q, variance, known)
    usable = (group >= 0) & (start <= final) & watched_on & (s > 0) & (after > 0)
    return np.where(usable, q, np.nan), np.where(usable, n_eff, np.nan)
