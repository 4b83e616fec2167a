"""Where and why leads said no: lazy verbs of refusals and second tries, and their counts.

A refusal belongs to the furthest stage its episode reached and to who owned the lead when it entered that
stage, as every end does (`outcome` of `journeys`). Shapes and types are those of `core.counts`.
"""

from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from funnelstats.config.dates import checked_period
from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.counts import (
    By,
    category_of,
    entries_of_steps,
    fetch,
    group_keys,
    in_order,
    judged,
    named,
    on_date,
    whole_numbers,
    with_shown,
)
from funnelstats.core.journeys import EPISODE, episodes, period_begin, stage_entries, visible

NOT_REFUSED = ""
PERIODS = ("week", "month")
FIRST, AGAIN, RETURNED = "first try", "second try", "back from marketing"
WORKLIST = ["lead_id", "company", "lost_on", "stage", "refusal", "due_from", "due_to", "amount"]


def with_refusal(journeys: ir.Table, funnel: Funnel) -> ir.Table:
    """The journeys with `refusal`: the category of the reason they were lost for, "" where they were not.

    A reason without a category in funnel.toml is its own; a blank one is "(missing)". An episode returned to
    marketing before it was lost is not refused.

    >>> judged = fs.refusals.with_refusal(paths, spec)
    >>> judged.filter(judged.refusal == "price").lead_id.nunique().to_pandas()
    340
    """
    need(journeys, "journeys", "ended_as", "reason", lazy=True)
    category = category_of(journeys.reason, funnel).fill_null(MISSING)
    refused = (journeys.ended_as == "lost").fill_null(False)
    return journeys.mutate(refusal=refused.ifelse(category, NOT_REFUSED))


def refusals(journeys: ir.Table, funnel: Funnel) -> ir.Table:
    """One row per episode refused on a known day: its stage, whose it was there, when it was lost, for what.

    Returns the journey's own columns, stage, entered_on, manager, `lost_on` (never before entered_on),
    refusal, and two flags: `excuse` (the category is listed as sounding like one) and `gap` (it is listed as
    a manager's gap, and each attribute listed with it holds one of its values).
    """
    rows = with_refusal(journeys, funnel)
    rows = rows.filter((rows.outcome == "lost").fill_null(False) & rows.undated.isnull())
    gap = ibis.literal(False)
    for category, attributes in told_gaps(rows.columns, funnel).items():
        own = rows.refusal == category
        for attribute, values in attributes.items():
            own &= rows[attribute].cast("string").isin(values).fill_null(False)
        gap |= own
    excuses = funnel.refusals.excuses
    excuse = rows.refusal.isin(excuses) if excuses else ibis.literal(False)
    return rows.mutate(lost_on=rows.left_on, excuse=excuse, gap=gap).drop("left_on", "outcome")


def told_gaps(columns: Sequence[str], funnel: Funnel) -> dict[str, dict[str, tuple[str, ...]]]:
    """Those of `refusals.gaps` whose attributes are all there."""
    return {
        category: attributes
        for category, attributes in funnel.refusals.gaps.items()
        if all(attribute in columns for attribute in attributes)
    }


def with_attempt(journeys: ir.Table, funnel: Funnel) -> ir.Table:
    """The journeys with `attempt`: "first try", "second try" or "back from marketing".

    A second try is any episode that follows a refused one, however many there were before;
    `refused_before` is the category of that refusal, "" elsewhere.
    """
    rows = episodes(with_refusal(journeys, funnel))
    in_time = ibis.window(group_by="lead_id", order_by="episode")
    rows = rows.mutate(refused_before=rows.refusal.lag().over(in_time).fill_null(NOT_REFUSED))
    again = ibis.cases((rows.refused_before != NOT_REFUSED, AGAIN), (rows.episode > 1, RETURNED), else_=FIRST)
    return journeys.join(rows.select(*EPISODE, "refused_before", attempt=again), EPISODE)


def attempt_counts(journeys: ir.Table, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Tries that came to the last stage in time, from the stage they began again at; first ones from the same stage.

    A second try counts at the one stage it was reopened at, a first one at each that it entered; horizons of the way
    summed. Returns attempt, from_stage, to_stage (the last), entered, converted, too_recent.

    >>> fs.refusals.attempt_counts(paths, spec, day).head(2)
                   attempt from_stage to_stage  entered  converted  too_recent
    0  back from marketing       lead     paid       29         19          45
    1            first try       lead     paid     3140       1940        1949
    """
    keys, rows = entries_of_steps(with_attempt(journeys, funnel), funnel, as_of, "attempt", None)
    rows = rows.filter((rows.attempt == FIRST) | (rows.place == rows.opened))
    horizons = np.cumsum([step.horizon_days for step in reversed(funnel.steps)])[::-1]
    rows = rows.mutate(_horizon=rows.place.cases(*enumerate(horizons.tolist())), _reached_on=rows.won_on)
    return judged(rows, keys, [(step.from_stage, funnel.stages[-1]) for step in funnel.steps])


def without_stage(entries: ir.Table, funnel: Funnel, start: date, end: date) -> pd.DataFrame:
    """Leads lost from `start` to `end` that have no dated stage: refusals of no stage and in no other table.

    Returns refusal (the category of the first reason given), lost.

    >>> fs.refusals.without_stage(tables.entries, spec, *window)
    Empty DataFrame
    Columns: [refusal, lost]
    Index: []
    """
    rows = stage_entries(entries, funnel)
    staged = rows.filter(rows.stage.isin(funnel.stages)).select("lead_id").distinct()
    lost = rows.filter(rows.stage == "lost").anti_join(staged, "lead_id")
    reason = (lost.reason != MISSING).ifelse(lost.reason, ibis.null("string"))
    each = lost.group_by("lead_id").aggregate(lost_on=lost.entered_on.min(), reason=reason.min())
    each = each.mutate(refusal=category_of(each.reason, funnel).fill_null(MISSING))
    each = each.filter(_within(each.lost_on, start, end))
    counted = each.group_by("refusal").aggregate(lost=each.count())
    return whole_numbers(in_order(fetch(counted), ["refusal"]), ["lost"])


def refusal_totals(journeys: ir.Table, funnel: Funnel) -> pd.DataFrame:
    """One row on what is known of refusals at all: episodes, refused, and of these with_reason and with_manager.

    >>> fs.refusals.refusal_totals(paths, spec)
       episodes  refused  with_reason  with_manager
    0      5216     1420         1300          1405
    """
    need(journeys, "journeys", "ended_as", "reason", "manager", lazy=True)
    every = episodes(with_refusal(journeys, funnel)).select("refusal")
    rows = refusals(journeys, funnel).select("refusal", "manager")
    owned = rows.aggregate(with_manager=rows.count(where=rows.manager != MISSING))
    totals = every.aggregate(
        episodes=every.count(),
        refused=every.count(where=every.refusal != NOT_REFUSED),
        with_reason=every.count(where=~every.refusal.isin([NOT_REFUSED, MISSING])),
    )
    counted = totals.cross_join(owned)
    # Spark counts nothing of no rows, not 0.
    return whole_numbers(fetch(counted), counted.columns)


def refusal_counts(journeys: ir.Table, funnel: Funnel, start: date, end: date, by: By = ()) -> pd.DataFrame:
    """Leads lost from `start` to `end`, both inclusive, by category of the reason; with excuses and gaps.

    `by` is any column of the journeys (with_leads, with_cohort), or one of the refusal: `stage` it was lost
    at, `manager` (owner at that stage's entry), `reason` as written, `week` or `month` it was lost in.
    Returns *by, refusal, lost, excuses, gaps, where there is anything to count.

    >>> fs.refusals.refusal_counts(paths, spec, first, last).head(2)
              refusal  lost  excuses  gaps
    0       no budget    39        0     0
    1  not interested    14        0     0
    """
    need(journeys, "journeys", "outcome", "left_on", "ended_as", "reason", "undated", lazy=True)
    rows = refusals(journeys, funnel)
    keys = group_keys(by, [*rows.columns, *PERIODS])
    rows = rows.mutate(**{unit: period_begin(rows.lost_on, unit) for unit in PERIODS if unit in keys})
    lost = rows.filter(_within(rows.lost_on, start, end))
    measures = {
        "lost": lambda group: group.count(),
        "excuses": lambda group: group.count(where=group.excuse),
        "gaps": lambda group: group.count(where=group.gap),
    }
    return _counted(lost, [*(key for key in keys if key != "refusal"), "refusal"], funnel, measures)


def retry_counts(journeys: ir.Table, funnel: Funnel, start: date, end: date, by: By = ()) -> pd.DataFrame:
    """Refused leads whose days for a second try include a day from `start` to `end`.

    Only a lead's last refusal counts, not one it was reopened after, nor a category that is final.
    `by` as in `refusal_counts`, or `owner` (who has the lead now). Returns *by, refusal, due.

    >>> fs.refusals.retry_counts(paths, spec, *coming).head(2)
           refusal  due
    0    no budget   47
    1  not planned   67
    """
    need(journeys, "journeys", "lead_id", "episode", "outcome", "left_on", "ended_as", "reason", lazy=True)
    rows = _due(journeys, funnel, start, end)
    keys = [key for key in group_keys(by, rows.columns) if key != "refusal"]
    return _counted(rows, [*keys, "refusal"], funnel, {"due": lambda group: group.count()})


def retries_due(journeys: ir.Table, funnel: Funnel, start: date, end: date) -> pd.DataFrame:
    """The leads due for a second try from `start` to `end`: a worklist, most money first.

    Whose a lead is now says `current_manager` (`with_leads`); without that column, who had it when it was
    lost. Returns manager, lead_id, company ("" unless ``lead_base.company`` is stated), lost_on, stage (it was lost
    at), refusal, due_from, due_to, amount (missing where not known).

    >>> fs.refusals.retries_due(paths, spec, *coming)[["manager", "lead_id", "refusal", "due_from", "due_to"]].head(2)
       manager lead_id         refusal   due_from     due_to
    0  Сидоров  103985  other supplier 2026-07-31 2026-08-30
    1  O'Neill  103714       no budget 2026-07-26 2026-08-20
    """
    need(journeys, "journeys", "lead_id", "episode", "stage", "outcome", "left_on", "ended_as", "reason", lazy=True)
    rows = _due(journeys, funnel, start, end)
    named = funnel.lead_base.company
    company = visible(rows[named].cast("string")) if named and named in rows.columns else ibis.literal("")
    amount = rows.amount.cast("float64") if "amount" in rows.columns else ibis.null("float64")
    due = rows.select(
        *("lead_id", "lost_on", "stage", "refusal", "owner"),
        _first="_first",
        _last="_last",
        amount=amount,
        company=company,
    )
    found = fetch(due)
    for day, wait in (("due_from", "_first"), ("due_to", "_last")):
        days = pd.to_timedelta(found[wait].astype("int64"), unit="D")
        found[day] = (found["lost_on"] + days).astype("datetime64[us]")
    found = found.rename(columns={"owner": "manager"})[["manager", *WORKLIST]]
    order = ["amount", "due_to", "lead_id"]
    return found.sort_values(order, ascending=[False, True, True], na_position="last", ignore_index=True)


def retried_counts(journeys: ir.Table, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """How many refused leads got their second try: those reopened before their days for it were over.

    Final categories are left out. Returns refusal, entered (days for a second try over at `as_of`),
    converted (reopened until then, early ones included), too_recent (days not over).

    >>> fs.refusals.retried_counts(paths, spec, day).head(2)
           refusal  entered  converted  too_recent
    0    no budget       90         11         109
    1  not planned       98          7         101
    """
    after = episodes(journeys).select("lead_id", episode=ibis._.episode - 1, _again_on="began_on")
    waiting = _with_retry_days(refusals(journeys, funnel), funnel)
    rows = waiting.left_join(after, EPISODE).select(*waiting.columns, "_again_on")
    rows = rows.filter(rows.lost_on <= on_date(as_of))
    rows = rows.mutate(
        _over=on_date(as_of).delta(rows.lost_on, unit="day") > rows._last,
        _tried=(rows._again_on.delta(rows.lost_on, unit="day") <= rows._last).fill_null(False),
    )
    measures = {
        "entered": lambda group: group.count(where=group._over),
        "converted": lambda group: group.count(where=group._over & group._tried),
        "too_recent": lambda group: group.count(where=~group._over),
    }
    return _counted(rows, ["refusal"], funnel, measures)


def _due(journeys: ir.Table, funnel: Funnel, start: date, end: date) -> ir.Table:
    latest = journeys.group_by("lead_id").aggregate(episode=journeys.episode.max())
    refused = refusals(journeys, funnel)
    rows = _with_retry_days(refused.join(latest, EPISODE).select(*refused.columns), funnel)
    checked_period(start, end)
    owner = rows.current_manager if "current_manager" in rows.columns else rows.manager
    return rows.filter(
        (on_date(end).delta(rows.lost_on, unit="day") >= rows._first)
        & (on_date(start).delta(rows.lost_on, unit="day") <= rows._last)
    ).mutate(owner=owner.fill_null(MISSING))


def _with_retry_days(rows: ir.Table, funnel: Funnel) -> ir.Table:
    """Refusals that are not final, with the first and last day of their second try, counted from the loss."""
    stated = funnel.refusals
    if stated.final:
        rows = rows.filter(~rows.refusal.isin(stated.final))
    waits = {}
    for side, name in enumerate(("_first", "_last")):
        usual = ibis.literal(stated.retry_days[side], "int64")
        own = [(category, ibis.literal(days[side], "int64")) for category, days in stated.retry_days_of.items()]
        waits[name] = rows.refusal.cases(*own, else_=usual) if own else usual
    return rows.mutate(**waits)


def _within(day: ir.DateValue, start: date, end: date) -> ir.BooleanValue:
    checked_period(start, end)
    return day.between(on_date(start), on_date(end))


def _counted(rows: ir.Table, keys: list[str], funnel: Funnel, measures: dict) -> pd.DataFrame:
    """Counts by the keys: groups sorted, stages in the funnel's order."""
    shown = with_shown(rows, [key for key in keys if key != "stage"])
    order = ["place" if key == "stage" else key for key in keys]
    grouped = shown.group_by(*order)
    found = fetch(grouped.aggregate(**{name: measure(shown) for name, measure in measures.items()}))
    frame = in_order(found, order)
    if "stage" in keys:
        frame = frame.assign(stage=named(frame["place"], funnel.stages))
    return whole_numbers(frame[[*keys, *measures]], list(measures))
