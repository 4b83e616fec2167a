"""Seconds to prepare 1,000,000 leads and 3,000,000 stage entries from CSV: `python benchmarks/preparing.py [leads]`.

Makes the export in a temporary folder, prepares it, and prepares it again unchanged.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import ibis

from funnelstats.importing.prepare import prepare

TOML = """
title = "Benchmark"
timezone = "Europe/Moscow"
currency = "RUB"
stages = ["lead", "met", "paid"]
step_into = { met = { horizon_days = 14 }, paid = { horizon_days = 30 } }

[leads]
files = ["deals.csv"]
columns = { lead_id = "Deal", created_at = "Created", manager = "Owner", channel = "Source", amount = "Amount" }
date_format = "%d.%m.%Y %H:%M"
decimal = ","
thousands = " "

[entries]
files = ["stages.csv"]
columns = { lead_id = "Deal", stage = "Stage", entered_at = "Changed", manager = "Owner" }
date_format = "%d.%m.%Y %H:%M"
values.stage = { "Новая" = "lead", "Встреча" = "met", "Оплата" = "paid" }
"""

DEALS = """
select 1000000000000000000 + range as "Deal", strftime({created}, '%d.%m.%Y %H:%M') as "Created",
    'Менеджер ' || hash(range) % 100 as "Owner", 'канал ' || hash(range, 1) % 8 as "Source",
    '1 ' || lpad((hash(range, 2) % 1000)::varchar, 3, '0') || ',50' as "Amount"
from range({leads})
"""

STAGES = """
select 1000000000000000000 + range as "Deal",
    ['Новая', 'Встреча', 'Оплата'][place] as "Stage",
    strftime({created} + to_hours(place * 30), '%d.%m.%Y %H:%M') as "Changed",
    'Менеджер ' || hash(range) % 100 as "Owner"
from range({leads}), (select unnest([1, 2, 3]) as place)
"""

CREATED = "timestamp '2025-01-01' + to_minutes((hash(range, 3) % 500000)::int)"


def main(leads: int = 1_000_000) -> None:
    """Make, prepare twice, and print figures."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        raw = Path("data", "raw", "benchmark")
        raw.mkdir(parents=True)
        (raw / "funnel.toml").write_text(TOML, encoding="utf-8")
        con = ibis.duckdb.connect()
        for name, query in {"deals": DEALS, "stages": STAGES}.items():
            rows = query.format(leads=leads, created=CREATED)
            con.raw_sql(f"copy ({rows}) to '{raw / name}.csv' (header, delimiter ';')")
        con.disconnect()
        size = sum(path.stat().st_size for path in raw.glob("*.csv"))
        print(f"{leads:,} leads, {3 * leads:,} entries, {size / 1e6:,.0f} MB of CSV on {os.cpu_count()} cores")
        timed("prepare", lambda: prepare("benchmark"))
        timed("prepare again, nothing changed", lambda: prepare("benchmark"))


def timed(what, run):
    """Print how long something takes."""
    started = time.perf_counter()
    made = run()
    seconds = time.perf_counter() - started
    print(f"{what:<32} {seconds:7.2f} s  {'made anew' if made else 'kept'}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
