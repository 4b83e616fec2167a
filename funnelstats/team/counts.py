"""Counts for the team's page: wins week by week, and one log under rival definitions of "converted"."""

from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from funnelstats.config.dates import checked_between
from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.core.counts import Between, fetch, on_date
from funnelstats.core.journeys import EPISODE, period_begin, stage_entries, with_episode

CHANCE = 0.02
"""Of a silence as long as one that is told of the team, where nothing has changed; of each manager a tenth of it."""
RECORDED_LATE = "recorded late"
DEFINITIONS = ("reached", "touched", "direct", "closed", "so_far")


def stopped_since(journeys: ir.Table, funnel: Funnel, end: date) -> dict[str, Any]:
    """``stopped``: when a lead moved on last, if it is no chance that none has until the day ``end``; else None.

    That is a silence of a week or longer, more than twice as long as any before it, and hardly to be expected at the
    pace before it: ``moves`` a week, in up to two times ``judged_weeks``. ``silent``: the managers of whom the same
    holds though new leads came to them since, unless it holds of all; ``silent_days``: each at least so long. Takes
    ``journeys``.

    >>> found = fs.team.stopped_since(paths, spec, sunday)
    >>> found["stopped"], found["silent"]
    (None, [])
    """
    need(journeys, "journeys", "place", "opened", "skipped", "reached_on", "manager", lazy=True)
    since = end - timedelta(weeks=2 * funnel.judged_weeks)
    reached = journeys.filter(~journeys.skipped, journeys.reached_on > since, journeys.reached_on <= end)
    reached = reached.mutate(moves=(reached.place > reached.opened).cast("int64"))
    days = reached.group_by("manager", "reached_on").agg(moves=reached.moves.sum()).to_pandas()
    days["on"] = pd.to_datetime(days["reached_on"])
    stopped, pace = _stopped(days, end, CHANCE)
    alone = {} if stopped else {who: _stopped(of, end, CHANCE / 10)[0] for who, of in days.groupby("manager")}
    newest = days.groupby("manager")["on"].max()
    silent = {who: last for who, last in alone.items() if last is not None and newest[who].date() > last}
    return {
        "stopped": stopped,
        "moves": 7 * pace,
        "silent": sorted(silent),
        "silent_days": min(((end - last).days for last in silent.values()), default=0),
    }


def _stopped(days: pd.DataFrame, end: date, chance: float) -> tuple[date | None, float]:
    """The last day with moves, where the silence since then is none by chance, and the moves a day before it."""
    moves = days[days["moves"] > 0].groupby("on")["moves"].sum()
    on = moves.index.to_series()
    watched = (on.max() - on.min()).days + 1 if len(on) else 0
    pace = moves.sum() / watched if watched else 0.0
    silent = (pd.Timestamp(end) - on.max()).days if watched else 0
    told = silent >= 7 and silent > 2 * on.diff().dt.days.max() and np.exp(-pace * silent) <= chance
    return (on.max().date() if told else None), pace


def wins_by_week(
    journeys: ir.Table, payments: ir.Table | None, funnel: Funnel, between: tuple[date, date]
) -> pd.DataFrame:
    """Leads that entered the last stage and money paid, ``week, deals, money``, one row for each week of a period.

    ``between`` holds the first day of the first week and the last day of the last one; money is missing where the
    export has no payments.

    >>> fs.team.wins_by_week(paths, tables.payments, spec, window).head(2)
            week  deals       money
    0 2026-03-30    109  16919600.0
    1 2026-04-06    103  14779900.0
    """
    need(journeys, "journeys", "place", "entered_on", lazy=True)
    first, last = map(on_date, between)
    won = journeys.filter(journeys.place == len(funnel.steps), journeys.entered_on.between(first, last))
    found = fetch(won.group_by(week=period_begin(won.entered_on, "week")).aggregate(deals=won.count())).set_index(
        "week"
    )
    weeks = pd.date_range(*between, freq="7D", name="week")
    wins = found.reindex(weeks, fill_value=0).astype("int64").assign(money=float("nan"))
    if payments is not None:
        need(payments, "payments", "paid_on", "amount", lazy=True)
        paid = payments.filter(payments.paid_on.between(first, last))
        by_week = fetch(
            paid.group_by(week=period_begin(paid.paid_on, "week")).aggregate(money=paid.amount.sum())
        ).set_index("week")
        wins["money"] = by_week["money"].reindex(weeks, fill_value=0.0)
    return wins.reset_index()


def recorded_late(journeys: ir.Table, funnel: Funnel, curve: pd.DataFrame, between: tuple[date, date]) -> list[str]:
    """Stages that leads of a period stood at before anybody is on record to have left them forwards.

    ``curve`` is the ``incidence`` of later leads. A stage is named where none of so many of its leads having moved on
    before the first move on record would be a one in a thousand chance with it: the export begins to hold the next
    stage later than its leads, or nobody could pass, and the period cannot be compared with later ones.

    >>> curve = fs.incidence(fs.outcome_days(paths, spec, day))
    >>> recorded_late(paths, spec, curve, fs.window_before(week, spec))
    []
    """
    need(journeys, "journeys", "stage", "place", "entered_on", "next_on", lazy=True)
    need(curve, "curve", "from_stage", "age_days", "incidence")
    rows = journeys.filter(journeys.place < len(funnel.steps))
    begins = rows.group_by("stage").aggregate(begins=rows.next_on.min())
    came = rows.filter(rows.entered_on.between(*map(on_date, between))).join(begins, "stage")
    unmoved = came.select("stage", age=came.begins.delta(came.entered_on, unit="day") - 1)
    found = []
    for stage, leads in fetch(unmoved.group_by("stage", "age").aggregate(leads=unmoved.count())).groupby("stage"):
        known = curve[curve["from_stage"] == stage]
        place = np.searchsorted(known["age_days"], leads["age"].fillna(-1), side="right")
        moved = np.append(0, known["incidence"])[place]
        found += [str(stage)] if leads["leads"] @ moved > -np.log(0.001) else []
    return found


def rival_counts(
    journeys: ir.Table, entries: ir.Table, funnel: Funnel, as_of: date, *, entered_between: Between = None
) -> pd.DataFrame:
    """Leads and conversions of each step, and of the whole way, under five definitions in use.

    ``journeys`` are those of ``entries``, and neither holds anything later than ``as_of``.

    ``reached`` is the one of every page: stood at the later stage or beyond it within the horizon (of the whole
    way: the horizons summed), among leads whose horizon is over. Among the same leads:

    - ``touched``: those logged at the first of the two stages; converted if reached in time and logged at every
      stage of the way
    - ``direct``: as touched, and every step made by a move straight from one stage to the next
    - ``closed``: those reached or lost by ``as_of``, whenever; converted if reached (of the whole way: win rate)

    ``so_far`` asks for no horizon and takes leads of any age. These two count what was won or lost on a day not known,
    the others cannot. A lead reopened at a later stage has not gone the steps before it, nor the whole way.

    ``entered_between`` holds the first and last day of the entries at ``from_stage``. Returns ``definition,
    from_stage, to_stage, entered, converted``: the whole way first, then the steps, each under all definitions;
    without ``closed`` where no lead was lost short of the later stage, since it would be 100 % of whatever the export
    holds.

    >>> fs.team.rival_counts(paths, tables.entries, spec, day).head(2)
      definition from_stage to_stage  entered  converted
    0    reached       lead     paid     3166       1957
    1    touched       lead     paid     3166       1920
    """
    if entered_between:
        checked_between(entered_between, "entered_between")
    stages, last = funnel.stages, len(funnel.steps)
    # The whole way is way 0 and the steps follow it; of two stages the one step is the whole way.
    pairs = [(0, last), *((place, place + 1) for place in range(last) if last > 1)]
    days = [sum(step.horizon_days for step in funnel.steps[first:until]) for first, until in pairs]
    rows = _with_moves(journeys, entries, funnel)
    came, step = rows.filter(rows.place == 0), rows.filter(rows.place < last)
    dated = _of_way(came, came.place, came.won_on, came.all_touched, came.all_direct)
    if last > 1:
        dated = dated.union(_of_way(step, step.place + 1, step.next_on, step.next_touched, step.next_direct))
    dated = dated.mutate(
        _horizon=dated._way.cases(*enumerate(days)), _won=(dated.undated == stages[-1]).fill_null(False)
    )
    if entered_between:
        dated = dated.filter(dated._entered_on.between(*map(on_date, entered_between)))
    reached = dated._reached_on.notnull() | dated._won
    matured = on_date(as_of).delta(dated._entered_on, unit="day") >= dated._horizon
    in_time = (dated._reached_on.delta(dated._entered_on, unit="day") <= dated._horizon).fill_null(False)
    groups = {
        "reached": (matured, in_time),
        "touched": (matured & dated._began, in_time & dated._touched),
        "direct": (matured & dated._began, in_time & dated._direct),
        "closed": (matured & (reached | dated._lost), reached),
        "so_far": (ibis.literal(True), reached),
    }
    counted = dated.group_by("_way").aggregate(
        **{f"{name}_entered": dated.count(where=judged) for name, (judged, _) in groups.items()},
        **{f"{name}_converted": dated.count(where=judged & passed) for name, (judged, passed) in groups.items()},
    )
    return _long(fetch(counted), [(stages[first], stages[until]) for first, until in pairs])


def _with_moves(paths: ir.Table, entries: ir.Table, funnel: Funnel) -> ir.Table:
    """The journeys with whether the next stage, and all of them, were logged, and come to straight from the last."""
    need(paths, "journeys", *EPISODE, "place", "skipped", "next_on", "won_on", "undated", lazy=True)
    rows = with_episode(stage_entries(entries, funnel), funnel)
    logged = rows.filter(rows.place < len(funnel.stages)).select(*EPISODE, "entered_at", "place").distinct()
    in_time = ibis.window(group_by=EPISODE, order_by=["entered_at", "place"])
    moved = logged.mutate(straight=logged.place - logged.place.lag().over(in_time) == 1)
    direct = moved.group_by(*EPISODE, "place").aggregate(direct=moved.count(where=moved.straight) > 0)
    paths = paths.join(direct, [*EPISODE, "place"], how="left").select(
        *paths.columns, direct=direct.direct.fill_null(False)
    )
    each, whole = ibis.window(group_by=EPISODE, order_by="place"), ibis.window(group_by=EPISODE)
    return paths.mutate(
        next_touched=(~paths.skipped).lead().over(each).fill_null(False),
        next_direct=paths.direct.lead().over(each).fill_null(False),
        all_touched=paths.count(where=~paths.skipped).over(whole) == len(funnel.stages),
        all_direct=paths.count(where=paths.direct).over(whole) == len(funnel.steps),
    )


def _of_way(rows: ir.Table, way: ir.Value, reached_on: ir.Value, touched: ir.Value, direct: ir.Value) -> ir.Table:
    return rows.select(
        "undated",
        _way=way,
        _entered_on="entered_on",
        _reached_on=reached_on,
        _lost=rows.lost_on.notnull() | (rows.undated == "lost").fill_null(False),
        _began=~rows.skipped,
        _touched=~rows.skipped & touched,
        _direct=direct,
    )


def _long(counted: pd.DataFrame, pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """One row for each way and definition, nobody counted where no row came."""
    by_way = counted.set_index("_way").reindex(range(len(pairs)), fill_value=0).astype("int64")
    rows = [
        (name, *stages, by_way.at[place, f"{name}_entered"], by_way.at[place, f"{name}_converted"])
        for place, stages in enumerate(pairs)
        for name in DEFINITIONS
    ]
    found = pd.DataFrame(rows, columns=["definition", "from_stage", "to_stage", "entered", "converted"])
    nobody_lost = (found["definition"] == "closed") & (found["entered"] == found["converted"])
    return found[~nobody_lost].reset_index(drop=True)
