"""Counts of one log under rival definitions of "converted", so that the page can say how far apart they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import reduce

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, named, on_date, whole_numbers
from funnelstats.counting.journeys import EPISODE, journeys, local_day, stage_entries, with_episode
from funnelstats.stated.dates import checked_between
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.shared import shared

DEFINITIONS = ("reached", "touched", "direct", "closed", "so_far")


@shared
def rival_counts(
    entries: ir.Table, funnel: Funnel, as_of: date, *, entered_between: tuple[date, date] | None = None
) -> pd.DataFrame:
    """Leads and conversions of each step, and of the whole way, under five definitions in use.

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
    """
    if entered_between:
        checked_between(entered_between, "entered_between")
    on = local_day(entries, "entered_at", "entered_on", funnel)
    known = entries.filter(entries.entered_at.isnull() | (on <= on_date(as_of)))
    rows = journeys(known, funnel).join(_moves(known, funnel), EPISODE)
    stages, last = funnel.stages, len(funnel.steps)
    ways = [(0, last), *((place, place + 1) for place in range(last) if last > 1)]
    days = [sum(step.horizon_days for step in funnel.steps[first:until]) for first, until in ways]
    grid = ibis.memtable({"_way": range(len(ways)), "_horizon": days})
    each = rows.cross_join(grid)

    def of(value: Callable[[int, int], ir.Value]) -> ir.Value:
        return each._way.cases(*((number, value(*way)) for number, way in enumerate(ways)))

    def every(name: str, first: int, until: int) -> ir.Value:
        flags = [each[f"_{name}_{place}"] > 0 for place in range(first, until)]
        return reduce(lambda one, other: one & other, flags)

    dated = each.select(
        "_way",
        "_horizon",
        _entered_on=of(lambda first, _: each[f"{stages[first]}_entered_on"]),
        _reached_on=of(lambda _, until: each[f"{stages[until]}_on"]),
        _won=(each.undated == stages[-1]).fill_null(False),
        _lost=each.lost_on.notnull() | (each.undated == "lost").fill_null(False),
        _began=of(lambda first, _: every("touched", first, first + 1)),
        _touched=of(lambda first, until: every("touched", first, until + 1)),
        _direct=of(lambda first, until: every("direct", first, until)),
    ).filter(ibis._._entered_on.notnull())
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
        # a literal would be counted once, not once a row, by Polars
        "so_far": (dated._entered_on.notnull(), reached),
    }
    counted = dated.group_by("_way").aggregate(
        **{f"{name}_entered": dated.count(where=judged) for name, (judged, _) in groups.items()},
        **{f"{name}_converted": dated.count(where=judged & passed) for name, (judged, passed) in groups.items()},
    )
    return _long(fetch(counted), [(stages[first], stages[until]) for first, until in ways])


def _moves(known: ir.Table, funnel: Funnel) -> ir.Table:
    """By episode: how often it was logged at each stage, and moved straight from each stage to the next."""
    # A time's text sorts as the time does: "time place" is one key for (time, stage index), see flows.transitions.
    rows = with_episode(stage_entries(known, funnel), funnel).filter(ibis._.stage.isin(funnel.stages))
    keyed = rows.mutate(key=rows.entered_at.cast("string") + " " + rows.place).select(*EPISODE, "key", "place")
    logged = keyed.distinct()
    earlier = logged.select(*EPISODE, before="key")
    linked = (
        logged.left_join(earlier, EPISODE)
        .group_by(*EPISODE, "key", "place")
        .aggregate(before=ibis._.before.max(where=ibis._.before < ibis._.key))
    )
    origin = linked.before.right(2)
    return linked.group_by(EPISODE).aggregate(
        **{
            f"_touched_{place}": linked.count(where=linked.place == f"{place:02}")
            for place in range(len(funnel.stages))
        },
        **{
            f"_direct_{place}": linked.count(
                where=(linked.place == f"{place + 1:02}") & (origin == f"{place:02}").fill_null(False)
            )
            for place in range(len(funnel.steps))
        },
    )


def _long(counted: pd.DataFrame, ways: list[tuple[str, str]]) -> pd.DataFrame:
    """One row for each way and definition, nobody counted where no row came."""
    grid = pd.MultiIndex.from_product([range(len(ways)), DEFINITIONS], names=["_way", "definition"]).to_frame(
        index=False
    )
    by_way = counted.set_index("_way").reindex(range(len(ways)))
    numbers = {
        column: [by_way.at[way, f"{name}_{column}"] for way, name in zip(grid["_way"], grid["definition"], strict=True)]
        for column in ("entered", "converted")
    }
    found = pd.DataFrame(
        {
            "definition": grid["definition"].astype("str"),
            "from_stage": named(grid["_way"], [first for first, _ in ways]),
            "to_stage": named(grid["_way"], [last for _, last in ways]),
            **numbers,
        }
    )
    found = whole_numbers(found, ["entered", "converted"])
    nobody_lost = (found["definition"] == "closed") & (found["entered"] == found["converted"])
    return found[~nobody_lost].reset_index(drop=True)
