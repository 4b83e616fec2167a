"""Count verbs of movement: what came and went in a period, and from where to where.

Shapes and types are those of `counts`, which also runs the queries.
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
from funnelstats.config.schema import ENDS
from funnelstats.core.counts import By, fetch, group_keys, in_order, named, on_date, whole_numbers, with_shown
from funnelstats.core.journeys import EPISODE, stage_entries

FLOW = ["opening", "entered", "came_back", "advanced", "lost", "nurture", "moved_away", "still_there"]


def stage_flow(journeys: ir.Table, funnel: Funnel, start: date, end: date, by: By = ()) -> pd.DataFrame:
    """What came to and left each stage from `start` to `end`, both inclusive; counts of a period, no rates.

    opening + entered + came_back = advanced + lost + nurture + moved_away + still_there, for every stage and group;
    still_there is the opening of the next period, and of the leads known so far those open at its end. A lead that
    stepped back for good moved away from the stages it left and came back to the one where it stands, whoever had it
    at the furthest stage. A lead won on a day not known advanced, on the day of its last known entry.

    Returns *by, stage, opening, entered, came_back, advanced, lost, nurture, moved_away, still_there: every stage for
    each group that had anything to count.

    >>> fs.stage_flow(paths, spec, monday, sunday)[["stage", "opening", "entered", "advanced", "lost", "still_there"]]
            stage  opening  entered  advanced  lost  still_there
    0        lead       91      175       174     4           87
    1         met      220      174       150    23          212
    2   presented      262      150       116    38          249
    3  contracted      135      116        97     6          148
    4        paid     2540       97         0     0         2637
    """
    need(journeys, "journeys", *EPISODE, "place", "entered_on", "left_on", "back_on", "outcome", lazy=True)
    checked_period(start, end)
    keys = group_keys(by, journeys.columns)
    first, last = on_date(start), on_date(end)
    stays = journeys.mutate(back=False).union(_returns(journeys))
    there = (stays.entered_on <= last) & (stays.left_on >= first).fill_null(True)
    present = with_shown(stays.filter(there), keys)
    came = present.entered_on >= first
    left = (present.left_on <= last).fill_null(False)
    counted = present.group_by(*keys, _place="place").aggregate(
        opening=present.count(where=~came),
        entered=present.count(where=came & ~present.back),
        came_back=present.count(where=came & present.back),
        **{
            names[0]: present.count(where=left & present.outcome.isin(names))
            for names in (("advanced", "won"), ("lost",), ("nurture",), ("moved_away",))
        },
        still_there=present.count(where=~left),
    )
    frame = in_order(fetch(counted), keys, "_place")
    groups = frame[keys].drop_duplicates() if keys else pd.DataFrame(index=[0])
    every = groups.merge(pd.DataFrame({"_place": range(len(funnel.stages))}), how="cross")
    frame = every.merge(frame, how="left", on=[*keys, "_place"])
    frame.insert(len(keys), "stage", named(frame["_place"], funnel.stages))
    return whole_numbers(frame[[*keys, "stage", *FLOW]], FLOW)


def with_known_ends(flow: pd.DataFrame, journeys: ir.Table) -> pd.DataFrame:
    """The `stage_flow` of journeys, nothing known of an end that none of them came to: it may not be recorded.

    >>> flow = fs.stage_flow(paths, spec, monday, sunday)
    >>> fs.with_known_ends(flow, paths.filter(paths.nurture_at.isnull()))[["stage", "lost", "nurture"]].head(2)
      stage  lost  nurture
    0  lead     4      NaN
    1   met    23      NaN
    """
    need(journeys, "journeys", "ended_as", lazy=True)
    ended = set(fetch(journeys.select("ended_as").distinct())["ended_as"])
    return flow.assign(**{end: np.nan for end in ENDS if end not in ended})


def _returns(journeys: ir.Table) -> ir.Table:
    """The stays of open leads at the stages that they stepped back to, in the columns of the journeys and ``back``."""
    open_ones = journeys.ended_as.isnull() & journeys.won_on.isnull() & journeys.undated.isnull()
    left = journeys.filter(open_ones & journeys.back_on.notnull())
    upwards = {"group_by": EPISODE, "order_by": "place"}
    stays = left.mutate(
        # what lies before the stage where a lead was reopened is not known apart
        place=(left.place > left.opened).ifelse(left.place - 1, 0),
        manager=left.manager.last().over(ibis.window(**upwards, preceding=None, following=None)),
        entered_on=left.back_on,
        left_on=left.back_on.lag().over(ibis.window(**upwards)),
    )
    # who stepped over a stage on the way back never stood there
    stays = stays.filter(stays.left_on.isnull() | (stays.left_on > stays.entered_on))
    moved = stays.left_on.notnull().ifelse("moved_away", ibis.null("string"))
    return stays.mutate(outcome=moved, back=True).select(*journeys.columns, "back")


MOVE_WORDS = ("start", "forward", "skip", "back", "again", "lost", "nurture", "reopened")
"""What ``transitions`` calls a move."""


def transitions(entries: ir.Table, funnel: Funnel) -> pd.DataFrame:
    """From which stage or end to which: every entry against the lead's entry before it, returns shown.

    The first entry comes from "(start)". `kind` is start, forward, skip, back, again (the same logged
    once more), lost, nurture, or reopened (a stage after an end). Entries add up to the rows of the table.

    Returns from_stage, to_stage, entries, kind, in the funnel's order.

    >>> fs.transitions(tables.entries, spec).head(3)
      from_stage to_stage  entries   kind
    0    (start)     lead     5008  start
    1    (start)     paid        3  start
    2    (start)     lost        4   lost
    """
    ordered = ("(start)", *funnel.stages, *ENDS)
    rows = stage_entries(entries, funnel)
    in_time = ibis.window(group_by="lead_id", order_by=["entered_at", "place"])
    moves = rows.mutate(before=rows.place.lag().over(in_time).fill_null(-1))
    frame = fetch(moves.group_by("before", "place").aggregate(entries=moves.count())).sort_values(["before", "place"])
    places = {"from_stage": frame["before"], "to_stage": frame["place"]}
    result = pd.DataFrame({name: named(place + 1, ordered) for name, place in places.items()})
    result = result.assign(entries=frame["entries"].astype("int64")).reset_index(drop=True)
    kinds = [_kind(*move, ordered) for move in zip(result["from_stage"], result["to_stage"], strict=True)]
    return result.assign(kind=pd.Series(kinds, dtype="str"))


def _kind(before: str, after: str, ordered: Sequence[str]) -> str:
    if before == after:
        return "again"
    if after in ENDS:
        return after
    if before in ENDS:
        return "reopened"
    ahead = ordered.index(after) - ordered.index(before)
    if before == ordered[0]:
        return "start"
    return "back" if ahead < 0 else "forward" if ahead == 1 else "skip"
