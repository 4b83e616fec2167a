"""Which contacts went together with moving a lead, against how many leads move without one: an association, no effect.

Counts of `touches` come in, small frames and facts go out.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from funnelstats.config.errors import FunnelError, need
from funnelstats.config.funnel import Funnel
from funnelstats.contacts.counts import CONTACT_COUNTS
from funnelstats.core.comparing import ALPHA_REST
from funnelstats.core.incidence import OUTCOMES
from funnelstats.core.intervals import (
    NO,
    SIDED,
    THIRD,
    Interval,
    checked_level,
    ratio_answers,
    share,
    share_answers,
    share_margin,
    wilson_interval,
)
from funnelstats.core.scatter import own_scatter

BASE = ("scatter", "expected", "expected_variance")
MOST_SAID = 2
FEWEST = 20
"""Fewer contacts of one kind at one stage are no habit to speak of."""

ALWAYS = 0.95
"""Share of contacts followed by a move from which on the contact is the step itself."""
CELL = ["kind", "stage"]


def over_weeks(weekly: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """``contact_counts`` by manager, stage, kind and week, summed over the weeks, with ``scatter`` beside them.

    Leads of a manager's week are alike: scatter is contacts times their dispersion, that of the manager's effective
    contacts at the stage, so that it adds up. What the leads of all managers share of a good or bad week is in the
    days without a contact and in the colleagues' contacts as well, and cancels (``own_scatter``).

    >>> touches = fs.contacts.touches(tables.contacts, fs.journeys(tables.entries, spec), spec)
    >>> weekly = fs.contacts.contact_counts(touches, spec, day, by=["manager", "stage", "kind", "week"])
    >>> fs.contacts.over_weeks(weekly, spec)[["manager", "stage", "kind", "contacts", "scatter"]].head(2).round(1)
         manager stage  kind  contacts  scatter
    0  Anna Berg  lead  call       491    502.4
    1  Anna Berg  lead  mail        58     59.4
    """
    need(weekly, "weekly", "stage", "week", "contacts", "effective")
    days = weekly.assign(from_stage=weekly["stage"], age_days=0, advanced=weekly["effective"], open=0)
    days["lost"] = days["contacts"] - days["effective"]
    days = days.groupby(["manager", "week", "from_stage", "age_days"], as_index=False)[list(OUTCOMES)].sum()
    found = own_scatter(days, funnel).rename(columns={"from_stage": "stage"})[["manager", "stage", "dispersion"]]
    counts = pooled_contacts(weekly, ["manager", "stage", "kind"]).merge(found, how="left", on=["manager", "stage"])
    # contacts at a stage without a next one move nothing
    return counts.assign(scatter=counts["contacts"] * counts["dispersion"].fillna(1)).drop(columns="dispersion")


def _worth(counts: pd.DataFrame | pd.Series) -> npt.NDArray | float:
    """What a contact counts for: less than one where leads of a week are alike; one where nothing tells of weeks."""
    return share(counts["contacts"], counts["scatter"]) if "scatter" in counts else 1.0


def with_expected(counts: pd.DataFrame, quiet: pd.DataFrame) -> pd.DataFrame:
    """The counts with the moves that as many days without a contact would have brought.

    Takes ``contact_counts`` by stage (and more) and ``quiet_counts`` by stage alone. Adds expected and
    expected_variance; 0 at a stage without a next one, missing where no lead stood a day without a contact.

    >>> import pandas as pd
    >>> counts = pd.DataFrame({"stage": ["lead"], "effective": [60], "days": [500]})
    >>> quiet = pd.DataFrame({"stage": ["lead"], "quiet_days": [1000], "quiet_moves": [80]})
    >>> fs.contacts.with_expected(counts, quiet)[["stage", "effective", "expected"]]
      stage  effective  expected
    0  lead         60      40.0
    """
    if "stage" not in counts:
        raise FunnelError('contacts must be counted by stage to compare them with days without one; add "stage" to by')
    known = counts.merge(quiet[["stage", "quiet_days", "quiet_moves"]], how="left", on="stage")
    days, quiet_days, moves = (known[name].to_numpy(dtype=float) for name in ("days", "quiet_days", "quiet_moves"))
    with np.errstate(invalid="ignore", divide="ignore"):
        expected, variance = days * moves / quiet_days, days**2 * moves / quiet_days**2
    nowhere = np.isnan(quiet_days)
    return counts.assign(
        expected=np.where(nowhere, 0.0, np.where(quiet_days > 0, expected, np.nan)),
        expected_variance=np.where(nowhere, 0.0, np.where(quiet_days > 0, variance, np.nan)),
    )


def contact_rates(counts: pd.DataFrame) -> pd.DataFrame:
    """Share of contacts after which the lead moved on, with a Wilson interval; missing where there were none.

    Takes any frame of ``contact_counts``; after ``over_weeks`` the limits are wider where weeks differ. Adds ``rate,
    ci_lower, ci_upper``, and after ``with_expected`` also ``ratio, ratio_lower, ratio_upper``: effective contacts over
    the moves that as many days without a contact would have brought (``rate_ratio``).

    >>> fs.contacts.contact_rates(mine)[["stage", "kind", "contacts", "rate"]].head(2).round(2)
      stage  kind  contacts  rate
    0  lead  call       268  0.62
    1  lead  mail        43  0.07
    """
    need(counts, "counts", "contacts", "effective", "advances", "sales", "too_recent")
    scale = _worth(counts)
    lower, upper = wilson_interval(counts["effective"] * scale, counts["contacts"] * scale)
    found = counts.assign(rate=share(counts["effective"], counts["contacts"]), ci_lower=lower, ci_upper=upper)
    if "expected" not in counts:
        return found
    lower, upper = _ratio_limits(counts, 0.95)
    ratio = share(counts["effective"], counts["expected"])
    return found.assign(ratio=ratio, ratio_lower=lower, ratio_upper=upper)


def _ratio_limits(counts: pd.DataFrame, level: float) -> Interval:
    scale = _worth(counts)
    effective, expected, variance = counts["effective"], counts["expected"], counts["expected_variance"]
    return rate_ratio(effective * scale, expected * scale, variance * scale**2, level)


def efforts(counts: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame:
    """Contacts of each kind made for one step forward and for one sale, whatever the lead moved after.

    Takes ``contact_counts`` by kind (and more) and ``stage_flow`` of the same days and people. Returns kind, made
    (those too recent to be judged as well), advances and sales (the same for every kind), ``per_advance`` and
    ``per_sale`` with ``_lower`` and ``_upper``: limits of the ratio of two Poisson counts; no upper one and a
    missing ratio where nothing was reached. Contacts of today may move a lead tomorrow: for many weeks.

    >>> moves = fs.leads.own_rows(everybody.moves, manager)
    >>> fs.contacts.efforts(mine, moves)[["kind", "made", "per_advance", "per_sale"]].head(2).round(2)
       kind  made  per_advance  per_sale
    0  call   383         0.57      2.86
    1  mail   186         0.28      1.39
    """
    need(counts, "counts", "kind", "contacts", "advances", "sales", "too_recent")
    need(flow, "flow", "entered", "advanced")
    summed = pooled_contacts(counts, "kind")
    made = summed["contacts"].to_numpy(dtype=float) + summed["too_recent"].to_numpy(dtype=float)
    found = pd.DataFrame({"kind": summed["kind"].astype("str"), "made": made.astype("int64")})
    reached = {"advance": int(flow["advanced"].sum()), "sale": int(flow["entered"].iloc[-1:].sum())}
    found = found.assign(advances=reached["advance"], sales=reached["sale"])
    for name, count in reached.items():
        each = np.full(len(made), float(count))
        lower, upper = rate_ratio(made, each, each)
        found = found.assign(
            **{f"per_{name}": share(made, each), f"per_{name}_lower": lower, f"per_{name}_upper": upper}
        )
    return found


def rate_ratio(
    observed: npt.ArrayLike, expected: npt.ArrayLike, variance: npt.ArrayLike, level: float = 0.95
) -> Interval:
    """Limits of a count over the count expected, both uncertain: exact, given their sum.

    ``expected`` with its ``variance`` is worth expected²/variance moves, so that for one stage the two are Poisson
    counts with their days; a plain count has itself as variance. [0, inf) where nothing is expected. Source:
    Przyborowski and Wilenski 1940.
    """
    count, base, spread = (np.asarray(part, dtype=float) for part in (observed, expected, variance))
    tail = (1 - checked_level(level)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        moves = base**2 / spread
        low = np.where(count > 0, special.betaincinv(count, moves + 1, tail), 0.0)
        high = special.betaincinv(count + 1, moves, 1 - tail)
        lower, upper = (part / (1 - part) * moves / base for part in (low, high))
    known = base > 0
    return np.where(known, lower, 0.0), np.where(known, upper, np.inf)


def pooled_contacts(counts: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    """The counts summed over everything but ``by``, with what was expected, in order of appearance.

    >>> fs.contacts.pooled_contacts(mine, "kind")[["kind", "contacts", "effective"]]
          kind  contacts  effective
    0     call       356        172
    1     mail       174         99
    2  meeting       205        201
    """
    keys = [by] if isinstance(by, str) else by
    numbers = [name for name in (*CONTACT_COUNTS, *BASE) if name in counts]
    return counts.groupby(keys, sort=False, dropna=False)[numbers].sum(min_count=1).reset_index()


def beside_colleagues(own: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """One manager's ``contact_rates`` by kind and stage, with the colleagues' as ``peer_rate`` beside it.

    Takes ``contact_counts`` by kind and stage ``with_expected``; ``others`` are the colleagues' (empty where too
    few). Adds base_rate: expected moves over contacts. Contacts at no stage, or at the last one, are left out.

    >>> made = fs.contacts.beside_colleagues(mine, others)
    >>> made[["stage", "kind", "contacts", "rate", "peer_rate"]].head(2).round(2)
      stage  kind  contacts  rate  peer_rate
    0  lead  call       268  0.62       0.77
    1  lead  mail        43  0.07       0.16
    """
    rates = contact_rates(own)
    rates = rates[rates["contacts"] > 0]
    peers = pooled_contacts(others, ["kind", "stage"])
    peers = peers.assign(peer_rate=share(peers["effective"], peers["contacts"]))[["kind", "stage", "peer_rate"]]
    found = rates.merge(peers, how="left", on=["kind", "stage"])
    found = found.assign(base_rate=share(found["expected"], found["contacts"]))
    return found[found["base_rate"].isna() | (found["base_rate"] > 0)].reset_index(drop=True)


def contact_finding(own: pd.DataFrame, others: pd.DataFrame) -> dict[str, Any]:
    """What one manager's contacts went together with, beside the colleagues' and beside days without a contact.

    Takes ``contact_counts`` by kind and stage, ``with_expected``: the manager's own, and the colleagues' (empty where
    too few). A kind after which leads at a stage move on as good as always, all people taken together, is the step
    itself, as a meeting is the way to "met": it is compared with nothing. Returns

    - ``contacts``, ``recent``: made, and of them too recent to be counted; ``itself``: rows of the manager's contacts
      that are the step itself
    - ``share``, ``peer_share``, ``answer``: of the others the share that moved a lead, whether it differs from the
      colleagues' at 99 % ("" without any), "no" within ``margin``
    - ``idle``: rows of kinds at a stage, most contacts first, of which it is shown that no more than a third more leads
      moved than in as many days without a contact

    >>> made = fs.contacts.contact_finding(mine, others)
    >>> f"{made['share']:.2f} against {made['peer_share']:.2f}, better: {made['answer']}"
    '0.51 against 0.55, better: cannot tell'
    """
    made, recent = int(own["contacts"].sum()), int(own["too_recent"].sum())
    every = pooled_contacts(pd.concat([own, others]), CELL)
    always = every[(every["contacts"] >= FEWEST) & (share(every["effective"], every["contacts"]) >= ALWAYS)]
    steps = own.merge(always[CELL], on=CELL).query("contacts > 0")
    own, others = (
        frame[~pd.MultiIndex.from_frame(frame[CELL]).isin(pd.MultiIndex.from_frame(always[CELL]))]
        for frame in (own, others)
    )
    k1, n1, k2, n2 = (int(frame[name].sum()) for frame in (own, others) for name in ("effective", "contacts"))
    answer, margin = "", np.nan
    if n1 and n2:
        margin = float(share_margin(k2 / n2))
        mine, theirs = (_worth(frame.filter(["contacts", "scatter"]).sum()) for frame in (own, others))
        # Every manager's page asks this: at 95 % a team of twelve would hear of one that is none every other week.
        sure = 1 - ALPHA_REST
        answer = str(share_answers(k1 * mine, n1 * mine, k2 * theirs, n2 * theirs, margin, sure))
    rates = moves_added(own)
    idle = rates[(rates["contacts"] >= FEWEST) & rates["ratio"].notna() & (rates["answer"] == NO)]
    return {
        **{"contacts": made + recent, "recent": recent, "itself": steps},
        **{"share": float(share(k1, n1)), "peer_share": float(share(k2, n2)), "answer": answer, "margin": margin},
        "idle": idle.sort_values("contacts", ascending=False, kind="stable").head(MOST_SAID),
    }


def moves_added(counts: pd.DataFrame) -> pd.DataFrame:
    """``contact_rates`` with ``answer``: whether more leads moved after contacts than in as many days without one.

    "yes" beyond chance at 95 %, "no" where a third more is ruled out at 95 % (fewer is a no too), else "cannot tell".
    """
    rates = contact_rates(counts)
    _lower, upper = _ratio_limits(counts, SIDED)
    return rates.assign(answer=ratio_answers(rates["ratio_lower"] > 1, 1.0, upper, THIRD))
