"""Seconds of the processor to count 1,000,000 leads on DuckDB: `python benchmarks/counting.py [leads]`.

Prints the time of the journeys, of the counts on top of them, of the same counts by SQL written for nothing else, and
of a six-step funnel against one of two steps over the same entries. The entries are made inside DuckDB, so nothing but
the counting is timed. Stops where the two ways count differently.
"""

from __future__ import annotations

import sys
import time
from datetime import date

import ibis
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.core import counts, flow_counts as flows
from funnelstats.core.journeys import journeys, with_cohort

AS_OF = date(2026, 6, 30)
STAGES = ("lead", "met", "presented", "offered", "contracted", "delivered", "paid")

ENTRIES = """
with leads as (
    select i, hash(i) h, timestamp '2025-01-01' + to_minutes((hash(i, 1) % 780000)::int) as began,
        -- each further stage is reached by seven leads of ten
        case when u < .7 then 1 + floor(ln(1 - u / .8) / ln(.7))::int else 4 + (hash(i, 2) % 3)::int end n
    from (select range i, (hash(range, 3) % 1000) / 1000 u from range({leads}))
),
moves as (
    select i, h, unnest(range(n)) as place, began from leads
    union all
    select i, h, 100 + (h % 2)::int, began from leads where hash(i, 4) % 10 < 7
    union all
    select i, h, 200, began from leads where hash(i, 5) % 50 = 0
)
select 'L' || i::varchar as lead_id,
    case place when 100 then 'lost' when 101 then 'nurture' when 200 then 'lead' else s[place + 1] end stage,
    began + to_hours(case place // 100 when 2 then 3000 when 1 then 2000 else place * 200 end) entered_at,
    entered_at::date entered_on,
    'M' || lpad(((h // 7 + (place > 2)::int) % 100)::varchar, 3, '0') manager,
    case place when 100 then 'R' || (h % 5)::varchar end reason
from moves, (select {stages} s)
"""

BY_HAND = """
with placed as (
    select *, list_position({stages}, stage) - 1 as place, stage in ('lost', 'nurture') as is_end from entries
),
marked as (
    select *, lag(is_end) over (partition by lead_id order by entered_at, is_end) as after_end from placed
),
opened as (
    select *, coalesce(sum((not is_end and after_end)::int) over (
        partition by lead_id order by entered_at, is_end rows unbounded preceding), 0) as episode
    from marked
),
furthest as (
    select *, coalesce(max(place) over (
        partition by lead_id, episode order by entered_at, place
        rows between unbounded preceding and 1 preceding), -1) as before
    from opened where not is_end
),
reached as (
    select lead_id, episode, entered_at, entered_on, manager, place, before,
        unnest(range(least(before + 1, place), place + 1)) as step
    from furthest
),
stages as (
    select lead_id, episode, step,
        min(entered_on) filter (step > before) as reached_on,
        coalesce(min(entered_on) filter (step = place), min(entered_on) filter (step > before)) as entered_on,
        coalesce(arg_min(manager, entered_at) filter (step = place),
            arg_min(manager, entered_at) filter (step > before)) as manager
    from reached group by all
),
followed as (
    select *, lead(reached_on) over (partition by lead_id, episode order by step) as next_on from stages
)
select manager, date_trunc('week', entered_on) as week, step,
    count(*) filter (date '{as_of}' - entered_on >= 14) as entered,
    count(*) filter (date '{as_of}' - entered_on >= 14 and next_on - entered_on <= 14) as converted,
    count(*) filter (date '{as_of}' - entered_on < 14) as too_recent
from followed where step < 6 and entered_on <= date '{as_of}' group by all order by all
"""
"""The counts of `step_counts` by manager and week of these entries, where no times tie and nothing is blank."""


def timed(name, run):
    started = time.process_time()
    result = run()
    seconds = time.process_time() - started
    print(f"{name:<58} {seconds:6.2f} s  {len(result):>7,} rows")
    return seconds


def funnel_of(stages):
    nowhere = {"files": ["none.csv"], "columns": {}}
    return Funnel(
        name="benchmark",
        title="Benchmark",
        timezone="UTC",
        currency="EUR",
        stages=stages,
        step_into={stage: {"horizon_days": 14} for stage in stages[1:]},
        leads=nowhere,
        entries=nowhere,
    )


def main(leads=1_000_000):
    con = ibis.duckdb.connect()
    con.raw_sql(f"create table entries as {ENTRIES.format(leads=leads, stages=list(STAGES))}")
    entries = con.table("entries")
    print(f"{leads:,} leads, {entries.count().execute():,} entries")
    long, short = funnel_of(STAGES), funnel_of(STAGES[:3])

    for funnel in (long, short):
        timed(
            f"journeys + step_counts, {len(funnel.steps)} steps",
            lambda funnel=funnel: counts.step_counts(journeys(entries, funnel), funnel, AS_OF),
        )
    grouped, by_hand = {}, BY_HAND.format(stages=list(STAGES), as_of=AS_OF)
    ways = {
        "journeys + step_counts by manager and week": lambda: counts.step_counts(
            journeys(entries, long), long, AS_OF, by=["manager", "week"]
        ),
        "the same by SQL written for it": lambda: con.con.sql(by_hand).df(),
    }
    seconds = [timed(name, lambda name=name: grouped.setdefault(name, ways[name]())) for name in ways]
    counted = [frame[["manager", "week", "entered", "converted", "too_recent"]] for frame in grouped.values()]
    pd.testing.assert_frame_equal(*counted, check_dtype=False)
    print(f"journeys / by hand: {seconds[0] / seconds[1]:.2f}")
    kept = con.create_table("journeys", with_cohort(journeys(entries, long), long))
    six = timed("step_counts of kept journeys, 6 steps", lambda: counts.step_counts(kept, long, AS_OF))
    two = timed("step_counts of kept journeys, 2 steps", lambda: counts.step_counts(kept, short, AS_OF))
    print(f"six steps / two steps: {six / two:.2f}")
    by_manager = {"by": "manager"}
    timed("step_counts by manager (100)", lambda: counts.step_counts(kept, long, AS_OF, **by_manager))
    timed("outcome_days by manager (100)", lambda: counts.outcome_days(kept, long, AS_OF, **by_manager))
    week = (date(2026, 6, 22), date(2026, 6, 28))
    timed("stage_flow by manager (100)", lambda: flows.stage_flow(kept, long, *week, **by_manager))
    timed("transitions", lambda: flows.transitions(entries, long))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
