"""Seconds to count 1,000,000 leads on DuckDB: `python benchmarks/counting.py [leads]`.

Prints the time of the journeys, of the counts on top of them, and of a six-step funnel against one of
two steps over the same entries. The entries are made inside DuckDB, so nothing but the counting is timed.
"""

from __future__ import annotations

import sys
import time
from datetime import date

import ibis

from funnelstats.config.funnel import Funnel
from funnelstats.core import counts
from funnelstats.core import flow_counts as flows
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


def timed(name, run):
    started = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
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
