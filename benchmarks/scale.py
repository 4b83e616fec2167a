"""Seconds and memory as entries grow: `python benchmarks/scale.py [leads ...] [way ...]`.

Of 250,000 and 1,000,000 leads where no number is given.
Each way counts leads by manager, week and step from the same Parquet file, in a process of its own: this package on
DuckDB, SQL written for nothing else, and those named of polars, pandas, chdb and spark (this package on Spark), which
have to be installed. Stops where they count differently.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import ibis
import pandas as pd
from counting import AS_OF, BY_HAND, ENTRIES, STAGES, funnel_of
from rivals import by_chdb, by_pandas, by_polars

from funnelstats.core.counts import step_counts
from funnelstats.core.shared import kept_journeys

COUNTS = ["manager", "week", "entered", "converted", "too_recent"]
MEMORY = "2GB"


def ours(con, path):
    funnel = funnel_of(STAGES)
    return step_counts(kept_journeys(con.read_parquet(path), funnel), funnel, AS_OF, ["manager", "week"])


def on_duckdb(path):
    con = ibis.duckdb.connect(memory_limit=MEMORY, temp_directory=str(path.parent / "spilled"))
    return ours(con, path)


def by_hand(path):
    con = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(path.parent / "spilled")})
    con.execute(f"create view entries as select * from read_parquet('{path}')")
    return con.execute(BY_HAND.format(stages=list(STAGES), as_of=AS_OF)).df()


def on_spark(path):
    from funnelstats.importing.opening import _spark

    return ours(_spark(), path)


ALWAYS = {"funnelstats": on_duckdb, "by hand": by_hand}
ASKED = {"polars": by_polars, "pandas": by_pandas, "chdb": by_chdb, "spark": on_spark}


def measured(way, path):
    """What one way takes in a process of its own: seconds, those of the processor, GB, and a digest of its counts."""
    run = subprocess.run(
        [sys.executable, __file__, "--one", way, str(path)], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout.splitlines()[-1])


def one(way, path):
    started = time.perf_counter()
    counts = (ALWAYS | ASKED)[way](Path(path))
    seconds = time.perf_counter() - started
    counts = counts.assign(week=pd.to_datetime(counts["week"]))[COUNTS].astype(str)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(
        json.dumps(
            {
                "seconds": seconds,
                "processor": sum(each.ru_utime + each.ru_stime for each in used),
                "peak": max(each.ru_maxrss for each in used) / 2**20,
                "counts": hashlib.sha256(counts.to_csv(index=False).encode()).hexdigest(),
            }
        )
    )


def main(sizes, ways):
    print(f"{'entries':>12}  {'way':<12} {'s':>7} {'of processor':>13} {'peak GB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for leads in sizes:
            path = Path(folder, f"{leads}.parquet")
            con = duckdb.connect()
            con.execute(f"copy ({ENTRIES.format(leads=leads, stages=list(STAGES))}) to '{path}' (format parquet)")
            (entries,) = con.execute(f"select count(*) from '{path}'").fetchone()
            con.close()
            counted = set()
            for way in ways:
                found = measured(way, path)
                counted.add(found["counts"])
                print(
                    f"{entries:>12,}  {way:<12} {found['seconds']:7.1f} {found['processor']:13.1f} {found['peak']:8.2f}"
                )
            assert len(counted) == 1, "the ways count differently"


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--one"]:
        one(*words[1:])
    else:
        sizes = [int(word) for word in words if word.isdigit()]
        main(sizes or [250_000, 1_000_000], [*ALWAYS, *(way for way in ASKED if way in words)])
