"""Which contacts went together with moving a lead, against how many leads move without one: an association, no effect.

Counts of `touches` come in, small frames and sentences go out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _, counted, number, percent, points
from funnelstats.core.incidence import OUTCOMES
from funnelstats.core.intervals import (
    NO,
    SIDED,
    THIRD,
    UNTOLD,
    YES,
    Interval,
    checked_level,
    ratio_answers,
    share,
    share_answers,
    share_margin,
    wilson_interval,
)
from funnelstats.core.scatter import own_scatter
from funnelstats.importing.opening import Tables

COUNTS = ("contacts", "conversations", "effective", "advances", "sales", "days", "too_recent")
BASE = ("scatter", "expected", "expected_variance")
MOST_SAID = 3
FEWEST = 20
"""Fewer contacts of one kind at one stage are no habit to speak of."""

TOGETHER = (
    "This goes together, it is not shown to cause: a lead about to move is easier to reach, and a hard one is "
    "called more often."
)
NO_CONTACTS = "No contacts in the export: which contacts moved leads cannot be told."


def over_weeks(weekly: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """``contact_counts`` by manager, stage, kind and week, summed over the weeks, with ``scatter`` beside them.

    Leads of a manager's week are alike: scatter is contacts times their dispersion, that of the manager's effective
    contacts at the stage, so that it adds up. What the leads of all managers share of a good or bad week is in the
    days without a contact and in the colleagues' contacts as well, and cancels (``own_scatter``).
    """
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
    """
    worth = _worth(counts)
    lower, upper = wilson_interval(counts["effective"] * worth, counts["contacts"] * worth)
    found = counts.assign(rate=share(counts["effective"], counts["contacts"]), ci_lower=lower, ci_upper=upper)
    if "expected" not in counts:
        return found
    lower, upper = _ratio_limits(counts, 0.95)
    ratio = share(counts["effective"], counts["expected"])
    return found.assign(ratio=ratio, ratio_lower=lower, ratio_upper=upper)


def _ratio_limits(counts: pd.DataFrame, level: float) -> Interval:
    worth = _worth(counts)
    effective, expected, variance = counts["effective"], counts["expected"], counts["expected_variance"]
    return rate_ratio(effective * worth, expected * worth, variance * worth**2, level)


def efforts(counts: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame:
    """Contacts of each kind made for one step forward and for one sale, whatever the lead moved after.

    Takes ``contact_counts`` by kind (and more) and ``stage_flow`` of the same days and people. Returns kind, made
    (those too recent to be judged as well), advances and sales (the same for every kind), ``per_advance`` and
    ``per_sale`` with ``_lower`` and ``_upper``: limits of the ratio of two Poisson counts; no upper one and a
    missing ratio where nothing was reached. Contacts of today may move a lead tomorrow: for many weeks.
    """
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
        worth = base**2 / spread
        low = np.where(count > 0, special.betaincinv(count, worth + 1, tail), 0.0)
        high = special.betaincinv(count + 1, worth, 1 - tail)
        lower, upper = (part / (1 - part) * worth / base for part in (low, high))
    known = base > 0
    return np.where(known, lower, 0.0), np.where(known, upper, np.inf)


def pooled_contacts(counts: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    """The counts summed over everything but ``by``, with what was expected, in order of appearance."""
    keys = [by] if isinstance(by, str) else by
    numbers = [name for name in (*COUNTS, *BASE) if name in counts]
    return counts.groupby(keys, sort=False, dropna=False)[numbers].sum(min_count=1).reset_index()


def beside_colleagues(own: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """One manager's ``contact_rates`` by kind and stage, with the colleagues' as ``peer_rate`` beside it.

    Takes ``contact_counts`` by kind and stage ``with_expected``; ``others`` are the colleagues' (empty where too
    few). Adds base_rate: expected moves over contacts. Contacts at no stage, or at the last one, are left out.
    """
    rates = contact_rates(own)
    rates = rates[rates["contacts"] > 0]
    peers = pooled_contacts(others, ["kind", "stage"])
    peers = peers.assign(peer_rate=share(peers["effective"], peers["contacts"]))[["kind", "stage", "peer_rate"]]
    found = rates.merge(peers, how="left", on=["kind", "stage"])
    found = found.assign(base_rate=share(found["expected"], found["contacts"]))
    return found[found["base_rate"].isna() | (found["base_rate"] > 0)].reset_index(drop=True)


def contact_sentences(own: pd.DataFrame, others: pd.DataFrame, tables: Tables, funnel: Funnel) -> list[str]:
    """What one manager's contacts went together with, beside the colleagues', each in a plain sentence.

    Takes ``contact_counts`` by kind and stage, ``with_expected``: the manager's own, and the colleagues' (empty
    where too few). Ends with the words that it is no effect.
    """
    if tables.contacts is None:
        return [_(NO_CONTACTS)]
    contacts, recent = int(own["contacts"].sum()), int(own["too_recent"].sum())
    days = funnel.contact.follow_up_days
    if contacts == 0:
        if recent == 0:
            return [_("You made no contact in these weeks that the export knows of.")]
        return [_too_recent(recent, days)]
    kinds = pooled_contacts(own, "kind")
    said = [
        _("In these weeks: {contacts}. A contact moved a lead if it entered its next stage within {days} days.").format(
            contacts="; ".join(_of_kind(row) for _place, row in kinds[kinds["contacts"] > 0].iterrows()), days=days
        )
    ]
    said += _beside_colleagues(own, others)
    said += _idle(own)
    said += [_too_recent(recent, days)] if recent else []
    return [*said, _(TOGETHER)]


def _of_kind(row: pd.Series) -> str:
    return _("{kind}: {contacts}, {effective} moved a lead").format(
        contacts=_contacts(row["contacts"]), kind=row["kind"], effective=number(row["effective"])
    )


def _beside_colleagues(own: pd.DataFrame, others: pd.DataFrame) -> list[str]:
    """Whether more or fewer of the own contacts moved a lead; alike only where the margin is kept."""
    k1, n1, k2, n2 = (int(frame[name].sum()) for frame in (own, others) for name in ("effective", "contacts"))
    if n2 == 0:
        return []
    margin = float(share_margin(k2 / n2))
    mine, theirs = (_worth(frame.filter(["contacts", "scatter"]).sum()) for frame in (own, others))
    answer = str(share_answers(k1 * mine, n1 * mine, k2 * theirs, n2 * theirs, margin))
    text = {
        NO: _(
            "Your contacts moved leads about as often as the colleagues', no more than {margin} apart: {own} against "
            "{others}."
        ),
        UNTOLD: _(
            "Whether more or fewer of your contacts moved a lead than of the colleagues' cannot be told yet: {own} "
            "against {others}."
        ),
        YES: _("More of your contacts moved a lead than of the colleagues': {own} against {others}.")
        if k1 / n1 > k2 / n2
        else _("Fewer of your contacts moved a lead than of the colleagues': {own} against {others}."),
    }[answer]
    return [text.format(own=percent(k1 / n1), others=percent(k2 / n2), margin=points(margin))]


def moves_added(counts: pd.DataFrame) -> pd.DataFrame:
    """``contact_rates`` with ``answer``: whether more leads moved after contacts than in as many days without one.

    "yes" beyond chance at 95 %, "no" where a third more is ruled out at 95 % (fewer is a no too), else "cannot tell".
    """
    rates = contact_rates(counts)
    _lower, upper = _ratio_limits(counts, SIDED)
    return rates.assign(answer=ratio_answers(rates["ratio_lower"] > 1, 1.0, upper, THIRD))


def _idle(own: pd.DataFrame) -> list[str]:
    """Kinds of contact, by stage, after which hardly more leads moved than without any, and those not known yet."""
    rates = moves_added(own)
    often = rates[(rates["contacts"] >= FEWEST) & rates["ratio"].notna()].sort_values("contacts", ascending=False)
    texts = {
        NO: _(
            "No more than a third more leads moved than in as many days without a contact: {cells}. "
            "Before the next one, decide what it is for."
        ),
        UNTOLD: _("Whether more leads moved than without a contact cannot be told yet: {cells}."),
    }
    return [
        text.format(
            cells="; ".join(_cell(row) for _place, row in often[often["answer"] == answer].head(MOST_SAID).iterrows())
        )
        for answer, text in texts.items()
        if (often["answer"] == answer).any()
    ]


def _cell(row: pd.Series) -> str:
    return _("{kind} at {stage} ({contacts}, {moves}; {expected} in as many days without one)").format(
        kind=row["kind"],
        stage=row["stage"],
        contacts=_contacts(row["contacts"]),
        moves=counted("{n} move", "{n} moves", row["effective"]).format(n=number(row["effective"])),
        expected=number(row["expected"]),
    )


def _contacts(made: float) -> str:
    return counted("{n} contact", "{n} contacts", made).format(n=number(made))


def _too_recent(recent: int, days: int) -> str:
    return counted(
        "{n} contact is not counted yet: its {days} days are not over.",
        "{n} contacts are not counted yet: their {days} days are not over.",
        recent,
    ).format(n=number(recent), days=days)
