"""Count verb of what became of the leads of a step whose days are over: late is not lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import (
    STAGE_KEYS,
    every_place,
    fetch,
    group_keys,
    in_order,
    known_within,
    monday,
    named,
    on_date,
    whole_numbers,
    with_shown,
)
from funnelstats.counting.journeys import stays
from funnelstats.stated.funnel import ENDS, Funnel
from funnelstats.stated.shared import shared

FATES = ["in_time", "late", *ENDS, "open"]


@shared
def step_fates(
    journeys: ir.Table,
    funnel: Funnel,
    as_of: date,
    by: str | Sequence[str] = (),
    *,
    entered_between: tuple[date, date] | None = None,
) -> pd.DataFrame:
    """What had become by `as_of` of the leads of each step whose horizon is over.

    `in_time` is what `step_counts` calls converted; `late` moved on after it, or nobody knows when; `lost` and `nurture` ended at
    the stage; `open` are the others, those that stepped back too. entered = in_time + late + lost + nurture + open.

    `by` and `entered_between` as in `step_counts`. Returns *by, from_stage, to_stage, entered, in_time, late, lost,
    nurture, open; without `by`, every step.
    """
    keys = group_keys(by, [*journeys.columns, *STAGE_KEYS])
    at_stage = stays(journeys, funnel, keep=keys)
    if "week" in keys:
        at_stage = at_stage.mutate(week=monday(at_stage.entered_on))
    steps = list(enumerate(funnel.steps))
    today = on_date(as_of)
    rows = with_shown(at_stage, keys).filter(
        at_stage.stage.isin([step.from_stage for _, step in steps])
        & known_within(at_stage.entered_on, as_of, entered_between)
    )
    rows = rows.mutate(
        _step=rows.stage.cases(*((step.from_stage, place) for place, step in steps)),
        _horizon=rows.stage.cases(*((step.from_stage, step.horizon_days) for _, step in steps)),
        _gone=(rows.left_on <= today).fill_null(False),
    )
    rows = rows.filter(today.delta(rows.entered_on, unit="day") >= rows._horizon)
    in_time = rows.left_on.delta(rows.entered_on, unit="day") <= rows._horizon
    fate = ibis.cases(
        (rows._gone & (rows.outcome == "advanced") & in_time, "in_time"),
        (rows._gone & rows.outcome.isin(["advanced", "won"]), "late"),
        *((rows._gone & (rows.outcome == end), end) for end in ENDS),
        else_="open",
    )
    counted = (
        rows.mutate(_fate=fate)
        .group_by(*keys, "_step")
        .aggregate(entered=ibis._.count(), **{name: ibis._.count(where=ibis._._fate == name) for name in FATES})
    )
    frame = in_order(fetch(counted), keys, "_step")
    if not keys:
        frame = every_place(frame, "_step", range(len(steps)))
    frame.insert(len(keys), "from_stage", named(frame["_step"], [step.from_stage for _, step in steps]))
    frame.insert(len(keys) + 1, "to_stage", named(frame["_step"], [step.to_stage for _, step in steps]))
    numbers = ["entered", *FATES]
    return whole_numbers(frame[[*keys, "from_stage", "to_stage", *numbers]], numbers)
