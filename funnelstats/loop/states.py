"""Tables of the closed loop: states of the leads handed over, what sales accepted, the load of each manager."""

from collections.abc import Collection, Sequence
from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from funnelstats.config.dates import months_to
from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, label
from funnelstats.core.comparing import REST, benjamini_hochberg, is_ranked
from funnelstats.core.conversion import COUNTS, STEP, conversion_rates, with_matured
from funnelstats.core.incidence import incidence, incidence_at
from funnelstats.core.intervals import NO, SIDED, THIRD, poisson_ratio_interval, ratio_answers, share
from funnelstats.core.scatter import rates_over_weeks
from funnelstats.loop.counts import STATE, STATES, followed_to, hand_over_stage

HANDED = "handed over"
NOTHING_EXPECTED = ("refused", "wrongly qualified")
"""States in which the amount in the record says nothing any more."""
SENT_BACK = ("returned to marketing", "wrongly qualified")
"""States of a lead that sales does not accept."""

ANSWER_WORDS = {"yes": "yes", "no": "no", "unknown": "unknown"}
LOAD_WORDS = {"fewer": "fewer", "more": "more", "even": "even"}
EVERYBODY = "everybody"
LONG_WAY = 30
"""Days from which three months are too few to see what becomes of a hand-over."""
MOST_IN_COMMON = 12
MOST_VALUES, FEWEST_EACH = 20, 5
"""Values up to which an attribute is compared, and leads there must be for each of them on average."""

ACCEPTED = ["entered", "known", "rate", "n_eff", "ci_lower", "ci_upper"]
READY_WORDS = {
    "ready_budget": "budget known",
    "ready_authority": "decision maker reached",
    "ready_need": "need confirmed",
    "ready_timing": "timing known",
}


def followed_window(month: str, funnel: Funnel) -> tuple[date, date]:
    """The hand-overs whose acceptance is told: of three months, or of twelve where sales gets longer than a month.

    >>> [str(day) for day in fs.loop.followed_window("2026-06", spec)]
    ['2026-04-01', '2026-06-30']
    """
    return months_to(month, 3 if followed_to(funnel)[1] <= LONG_WAY else 12)


def state_table(month: pd.DataFrame, window: pd.DataFrame, untold: Collection[str] = ()) -> pd.DataFrame:
    """One row for each state and one for all: leads, share and money of the month, and of the trailing window.

    Takes ``state_counts`` of both, without keys. States that the export cannot tell (``untold_states``) have no row.
    The money is the amount in the records of leads that bought or
    may still buy; refused and wrongly qualified ones have none, nor have they a part in that of all. Returns
    lead_state, leads, share, amount, longest_days, over_a_week, window_leads, window_share, window_amount.

    >>> table = fs.loop.state_table(fs.loop.state_counts(month_leads), fs.loop.state_counts(window_leads))
    >>> table[["lead_state", "leads", "share", "window_share"]].head(2).round(2)
              lead_state  leads  share  window_share
    0                won    129   0.16          0.37
    1  active and moving    404   0.49          0.19
    """
    rows = [state for state in STATES if state not in untold]
    table = pd.DataFrame({STATE: [*rows, HANDED]})
    for counts, prefix in ((month, ""), (window, "window_")):
        found = counts.set_index(STATE).reindex(rows)
        leads = found["leads"].fillna(0).astype("int64")
        total = leads.sum()
        table[f"{prefix}leads"] = [*leads, total]
        table[f"{prefix}share"] = share([*leads, total], total)
        # the sum of nothing is unknown, not 0: none of these leads may have an amount
        amount = found["amount"].mask(found.index.isin(NOTHING_EXPECTED))
        table[f"{prefix}amount"] = [*amount, amount.sum(min_count=1)]
        if not prefix:
            table["longest_days"] = [*found["longest_days"], found["longest_days"].max()]
            table["over_a_week"] = [*found["over_a_week"].fillna(0), found["over_a_week"].sum()]
    return table


def states_by(
    month: pd.DataFrame, window: pd.DataFrame, by: str, order: Sequence[str] = (), untold: Collection[str] = ()
) -> pd.DataFrame:
    """The states as columns, a row for each group: in the month, then in the trailing window.

    Takes ``state_counts`` of both by ``by``; groups come in ``order`` where it is given. Returns
    period (in words), the group, handed over and every state; the rows of a period add up to its total. Nothing is
    known of states that the export cannot tell (``untold_states``).

    >>> fs.loop.states_by(owners, window_owners, "manager")[["period", "manager", "handed over", "won"]].head(2)
           period    manager  handed over  won
    0  this month  Anna Berg          105   21
    1  this month  CRM robot           10    2
    """
    parts = []
    for period, counts in ((_("this month"), month), (_("three months"), window)):
        wide = counts.pivot_table(index=by, columns=STATE, values="leads", aggfunc="sum", sort=False)
        wide = wide.reindex(columns=list(STATES)).fillna(0).astype("int64")
        wide = wide.reindex([group for group in order if group in wide.index]) if order else wide
        wide.insert(0, HANDED, wide.sum(axis=1))
        parts.append(wide.rename_axis(columns=None).reset_index().assign(period=period))
    table = pd.concat(parts, ignore_index=True)
    return table[["period", by, HANDED, *STATES]].assign(**dict.fromkeys(untold, np.nan))


def acceptance(days: pd.DataFrame, counts: pd.DataFrame, funnel: Funnel, untold: Collection[str] = ()) -> pd.DataFrame:
    """What share of the leads handed over sales accepts, and what share it sends back, by the horizon.

    Accepted: sales moved the lead to the next stage within the days agreed for that. Sent back: within the same days
    it was returned to marketing or refused as wrongly qualified before the next stage. The others were refused for
    reasons of their own, or nothing happened. Leads whose days are not over count for as long as they were watched,
    the other outcomes being rival ends (Aalen–Johansen, Wilson on the effective number); with days by week the limits
    are those of ``rates_over_weeks``. What is sent back is not known where the export tells no such state
    (``untold_states``).

    Takes ``hand_over_days``, by week too, and ``hand_over_counts`` to the next stage with the same keys. Returns *keys,
    entered, known, rate, n_eff, ci_lower, ci_upper (accepted), sent_back, sent_back_lower, sent_back_upper, matured,
    matured_rate, too_recent.

    >>> counts = fs.loop.hand_over_counts(followed, spec, day)
    >>> fs.loop.acceptance(days, counts, spec)[["entered", "rate", "sent_back", "matured_rate"]].round(3)
       entered   rate  sent_back  matured_rate
    0     2317  0.963      0.004         0.963
    """
    need(days, "days", *STEP, "age_days", "advanced", "sent_back", "refused", "open")
    need(counts, "counts", *STEP, *COUNTS)
    keys = [column for column in counts if column not in ("from_stage", "to_stage", *COUNTS)]
    base = days.drop(columns=["to_stage", "sent_back", "refused", "advanced"])
    ended = days[["advanced", "sent_back", "refused"]]
    moved = base.assign(advanced=ended["advanced"], lost=ended["sent_back"] + ended["refused"])
    back = base.assign(advanced=ended["sent_back"], lost=ended["advanced"] + ended["refused"])
    aimed, horizon = followed_to(funnel)
    step_into = {aimed: funnel.step_into[aimed].model_copy(update={"horizon_days": horizon})}
    two_stages = funnel.model_copy(update={"stages": (hand_over_stage(funnel), aimed), "step_into": step_into})
    accepted, returned = (
        rates_over_weeks(part, two_stages) if "week" in part else incidence_at(incidence(part), two_stages)
        for part in (moved, back)
    )
    names = {"rate": "sent_back", "ci_lower": "sent_back_lower", "ci_upper": "sent_back_upper"}
    returned = returned.rename(columns=names)[[*keys, *names.values()]]
    if set(SENT_BACK) <= set(untold):
        returned[[*names.values()]] = np.nan
    joined = accepted.merge(returned, on=keys) if keys else accepted.join(returned)
    return with_matured(joined, counts)[[*keys, *ACCEPTED, *names.values(), "matured", "matured_rate", "too_recent"]]


def shared_attributes(sizes: pd.DataFrame, funnel: Funnel) -> list[str]:
    """The attributes that leads can be compared by: 2 to 20 values, and leads enough for each.

    Takes ``attribute_sizes``. Never the company or the blacklist, the present owner, or a campaign, which belongs to
    its channel. A yes that is blank otherwise has two values, the blank one being the second.

    >>> fs.loop.shared_attributes(fs.loop.attribute_sizes(tables.leads), spec)[:3]
    ['channel', 'ready_budget', 'ready_authority']
    """
    private = {funnel.lead_base.company, funnel.lead_base.blacklisted, funnel.lead_base.score}
    blank_counts = sizes["attribute"] == funnel.loop.nurtured
    usable = (
        (sizes["distinct"] + blank_counts >= 2)
        & (sizes["distinct"] <= MOST_VALUES)
        & (sizes["filled"] >= FEWEST_EACH * sizes["distinct"])
        & ~sizes["attribute"].isin({"manager", "campaign", *private})
    )
    return sizes["attribute"][usable].tolist()


def readiness(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of a frame of ``drivers`` that are about readiness at the hand-over, with ``flag`` in words.

    With the difference from the others in percentage points: ``points, points_lower, points_upper``. Empty where
    the export has no such flag.

    >>> fs.loop.readiness(found)[["flag", "value", "rate", "difference"]].head(2).round(2)
               flag    value  rate  difference
    0  budget known       no  0.47       -0.21
    1  budget known  unknown  0.57       -0.05
    """
    need(found, "found", "attribute", "value", "difference", "difference_lower", "difference_upper")
    rows = found[found["attribute"].isin(list(READY_WORDS))]
    return _in_points(rows).assign(flag=_in_words(rows["attribute"])).reset_index(drop=True)


def _in_points(rows: pd.DataFrame) -> pd.DataFrame:
    """The difference of two shares in points, so that nobody takes it for a share of the others' share."""
    return rows.assign(**{f"points{end}": 100 * rows[f"difference{end}"] for end in ("", "_lower", "_upper")})


def _in_words(fields: pd.Series) -> pd.Series:
    """Our own columns as people call them, in the language of the page; a team's attributes as they are."""
    return pd.Series([_(READY_WORDS.get(field, field)) for field in fields], index=fields.index, dtype="str")


def in_common(found: pd.DataFrame) -> pd.DataFrame:
    """What else won leads have in common: the rows of ``drivers`` called higher or lower, strongest first.

    Those of readiness are not repeated here; a blank is nothing in common, nor what the likely difference leaves open.
    It is in points, as in ``readiness``. Of the only two values of an attribute the higher one says it all.

    >>> fs.loop.in_common(found)[["attribute", "value", "rate", "other_rate", "verdict"]].head(2).round(2)
      attribute   value  rate  other_rate verdict
    0   segment  tender  0.48        0.65   lower
    1   segment     new  0.65        0.59  higher
    """
    apart = (found["difference_lower"] > 0) | (found["difference_upper"] < 0)
    told = found["verdict"].isin(["higher", "lower"]) & apart & (found["value"] != MISSING)
    clear = _in_points(found[told & ~found["attribute"].isin(list(READY_WORDS))])
    clear = clear.sort_values("verdict", kind="stable")
    low, high = np.sort(clear[["rate", "other_rate"]].to_numpy(dtype=float), axis=1).T
    clear = clear[~clear[["attribute"]].assign(low=low, high=high).duplicated()]
    strength = np.abs(np.log(clear["odds_ratio"])).sort_values(ascending=False, kind="stable")
    return clear.loc[strength.index].head(MOST_IN_COMMON).reset_index(drop=True)


def even_load(month: pd.DataFrame, work: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Leads handed to each manager in the month against an even share, fewest first.

    Takes ``state_counts`` and ``stage_flow`` of the month by manager; managers are all with whom a lead entered a stage
    then, for who has left or is away has no share; system users and leads without a manager are left out. One alone has
    no share to compare, nor have several to whom none was handed. Returns manager, leads, even (the mean), ratio,
    ratio_lower, ratio_upper (exact Poisson limits), p_value (exact, two-sided) and verdict: fewer or more
    (Benjamini–Hochberg .10), even where a third more and as much fewer are ruled out (the same limits at 90 %), else
    undecided.

    >>> load = fs.loop.even_load(owners, work, spec)
    >>> load[["manager", "leads", "even", "ratio", "verdict"]].head(2).round(2)
       manager  leads   even  ratio verdict
    0    Novák     10  89.78   0.11   fewer
    1  O'Neill     89  89.78   0.99    even
    """
    need(month, "month", "manager", "leads")
    need(work, "work", "manager", "entered")
    people = pd.concat([month, work[work["entered"] > 0]])
    known = people[is_ranked(people, funnel)]["manager"].drop_duplicates()
    handed = month.groupby("manager")["leads"].sum().reindex(known, fill_value=0)
    handed = handed if len(handed) > 1 and handed.any() else handed.iloc[:0]
    leads = handed.to_numpy(dtype="int64")
    even = leads.mean() if len(leads) else np.nan
    lower, upper = poisson_ratio_interval(leads, even)
    tails = np.minimum(stats.poisson.cdf(leads, even), stats.poisson.sf(leads - 1, even))
    p_value = np.where(even > 0, np.minimum(2 * tails, 1.0), np.nan)
    clear = benjamini_hochberg(p_value) <= REST
    alike = ratio_answers(clear, *poisson_ratio_interval(leads, even, SIDED), THIRD) == NO
    table = pd.DataFrame(
        {
            "manager": handed.index.astype("str"),
            "leads": leads,
            "even": even,
            "ratio": share(leads, even),
            "ratio_lower": lower,
            "ratio_upper": upper,
            "p_value": p_value,
            "verdict": np.select([clear & (leads < even), clear, alike], ["fewer", "more", "even"], "undecided"),
        }
    )
    return table.sort_values(["leads", "manager"], ignore_index=True)


def record_shares(counts: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Share of leads whose record has what the next step needs, with Wilson limits: the emptiest field first.

    Takes ``record_counts``. Returns what (the field in words, and the stage that needs it), manager ("everybody",
    then people, emptiest first), stage, field, entered, converted, rate, ci_lower, ci_upper.

    >>> counts = fs.loop.record_counts(paths, tables.leads, spec, day)
    >>> fs.loop.record_shares(counts, spec)[["what", "manager", "field", "entered", "rate"]].head(2).round(2)
                          what    manager           field  entered  rate
    0  need confirmed, at lead  everybody  need confirmed      113  0.83
    1  need confirmed, at lead    O'Neill  need confirmed       11  0.64
    """
    need(counts, "counts", "stage", "field", "entered", "converted")
    keys = ["stage", "field"]
    everybody = counts.groupby(keys, sort=False)[["entered", "converted"]].sum().reset_index()
    rates = conversion_rates(pd.concat([everybody.assign(manager=EVERYBODY), named_managers(counts, funnel)]))
    team = rates["manager"] == EVERYBODY
    order = rates.assign(
        _people=~team, _field=rates["rate"].where(team).groupby([rates["stage"], rates["field"]]).transform("first")
    ).sort_values(["_field", "stage", "field", "_people", "rate"], kind="stable", ignore_index=True)
    words = _in_words(order["field"])
    what = [
        _("{field}, at {stage}").format(field=field, stage=label(stage))
        for field, stage in zip(words, order["stage"], strict=True)
    ]
    shown = order.assign(what=pd.Series(what, dtype="str"), field=words)
    return shown[["what", "manager", *keys, "entered", "converted", "rate", "ci_lower", "ci_upper"]]


def named_managers(frame: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """The rows of people: system users and leads without a manager left out.

    >>> "CRM robot" in set(fs.loop.named_managers(owners, spec)["manager"])
    False
    """
    return frame[is_ranked(frame, funnel)].reset_index(drop=True)
