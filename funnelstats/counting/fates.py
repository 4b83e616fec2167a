"""Count verbs of what became of the leads of a step whose days are over: late is not lost, nor is what has no date."""

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

    `in_time` is what `step_counts` calls converted; `late` moved on after it, or nobody knows when; `lost` and
    `nurture` ended at the stage; `open` are the others, those that stepped back too. All five are the entered.

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


UNDATED = ["entered", "converted", "won", "unseen", "ended"]


@shared
def undated_counts(
    journeys: ir.Table,
    funnel: Funnel,
    as_of: date,
    by: str | Sequence[str] = (),
    *,
    entered_between: tuple[date, date] | None = None,
) -> pd.DataFrame:
    """The counts of `step_counts`, and beside them the leads that ended on a day that the export does not hold.

    `won` are among entered and not among converted, since nobody knows that they were in time; `unseen` were won too,
    and have no date at from_stage either: they are in neither number. `ended` were lost or returned: among entered,
    rightly not converted. So the step's rate lies between converted / entered and
    (converted + won + unseen) / (entered + unseen).

    `by` and `entered_between` as in `step_counts`; an unseen lead counts where and when it was last seen. Returns *by,
    from_stage, to_stage, entered, converted, won, unseen, ended; without `by`, every step.
    """
    keys = group_keys(by, [*journeys.columns, *STAGE_KEYS])
    steps = list(enumerate(funnel.steps))
    grid = ibis.memtable({"_step": [n for n, _ in steps], "_horizon": [step.horizon_days for _, step in steps]})
    rows = journeys.cross_join(grid)
    seen = [
        ibis.coalesce(*(rows[f"{stage}{suffix}"] for stage in reversed(funnel.stages)))
        for suffix in ("_entered_on", "_manager")
    ]

    def of(suffix: str, ahead: int = 0) -> ir.Value:
        return rows._step.cases(*((n, rows[f"{funnel.stages[n + ahead]}{suffix}"]) for n, _ in steps))

    here = of("_entered_on").notnull()
    won = (rows.undated == funnel.stages[-1]).fill_null(False)
    entered_on = ibis.coalesce(of("_entered_on"), seen[0])
    dated = rows.select(
        *("_step", "_horizon"),
        *(key for key in keys if key not in STAGE_KEYS),
        **({"manager": ibis.coalesce(of("_manager"), seen[1])} if "manager" in keys else {}),
        **({"week": monday(entered_on)} if "week" in keys else {}),
        _entered_on=entered_on,
        _here=here,
        _reached_on=of("_on", ahead=1),
        _won=won,
        _seen=ibis.cases(*((rows[s].notnull(), n) for n, s in reversed(list(enumerate(funnel.stages))))),
        _ended=rows.undated.isin(ENDS).fill_null(False),
    )
    dated = with_shown(dated, keys).filter(
        known_within(dated._entered_on, as_of, entered_between)
        & (dated._here | dated._won)
        & (on_date(as_of).delta(dated._entered_on, unit="day") >= dated._horizon)
    )
    waits = dated._here & dated._reached_on.isnull()
    in_time = (dated._reached_on.delta(dated._entered_on, unit="day") <= dated._horizon).fill_null(False)
    counted = dated.group_by(*keys, "_step").aggregate(
        entered=dated.count(where=dated._here),
        converted=dated.count(where=dated._here & in_time),
        won=dated.count(where=waits & dated._won),
        # A reopened lead was never at the stages before.
        unseen=dated.count(where=~dated._here & dated._won & (dated._seen < dated._step)),
        ended=dated.count(where=waits & dated._ended),
    )
    frame = in_order(fetch(counted), keys, "_step")
    if not keys:
        frame = every_place(frame, "_step", range(len(steps)))
    frame.insert(len(keys), "from_stage", named(frame["_step"], [step.from_stage for _, step in steps]))
    frame.insert(len(keys) + 1, "to_stage", named(frame["_step"], [step.to_stage for _, step in steps]))
    return whole_numbers(frame[[*keys, "from_stage", "to_stage", *UNDATED]], UNDATED)
