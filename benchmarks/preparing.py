"""What a preparation costs beside the same by hand: `python benchmarks/preparing.py [leads] [rounds]`.

Makes an export in a temporary folder, with three stage entries for each lead, and prepares it by three ways in turn,
each time in a new process: ours, the same mapping with the same account of rows written by hand for DuckDB, and for
pandas. Prints seconds of the processors, the peak of memory, and how many times DuckDB's seconds each took; stops
where the tables of two ways differ.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import duckdb

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


BY_HAND = """
SET TimeZone = 'UTC';
CREATE TABLE deals AS SELECT *, row_number() OVER () + 1 AS line
    FROM read_csv('deals.csv', delim = ';', header = true, all_varchar = true);
CREATE TABLE stages AS SELECT *, row_number() OVER () + 1 AS line
    FROM read_csv('stages.csv', delim = ';', header = true, all_varchar = true);
CREATE TABLE leads AS SELECT nullif(trim(Deal), '') AS lead_id, Created AS created, Amount AS sum, line,
    timezone('Europe/Moscow', try_strptime(trim(Created), '%d.%m.%Y %H:%M')) AS instant,
    nullif(trim(Owner), '') AS manager, nullif(trim(Source), '') AS channel,
    try_cast(replace(replace(trim(Amount), ' ', ''), ',', '.') AS DOUBLE) AS amount,
    row_number() OVER (PARTITION BY trim(Deal) ORDER BY line) AS nth FROM deals;
CREATE TABLE mapped AS SELECT nullif(trim(Deal), '') AS lead_id, Changed AS changed, Stage AS name, line,
    timezone('Europe/Moscow', try_strptime(trim(Changed), '%d.%m.%Y %H:%M')) AS instant,
    CASE trim(Stage) WHEN 'Новая' THEN 'lead' WHEN 'Встреча' THEN 'met' WHEN 'Оплата' THEN 'paid' END AS stage,
    nullif(trim(Owner), '') AS manager FROM stages;
CREATE TABLE entries AS SELECT *, lead_id IN (SELECT lead_id FROM leads) AS known,
    row_number() OVER (PARTITION BY lead_id, stage, instant ORDER BY line) AS nth FROM mapped;
COPY (
    SELECT 'leads' AS "table", line AS "row", 'Deal' AS "column", lead_id AS "value", 'row' AS cost,
        CASE WHEN lead_id IS NULL THEN 'is missing' ELSE 'stands there again' END AS reason
    FROM leads WHERE lead_id IS NULL OR nth > 1
    UNION ALL SELECT 'leads', line, 'Created', created, 'cell', 'is no date' FROM leads WHERE instant IS NULL
    UNION ALL SELECT 'leads', line, 'Amount', sum, 'cell', 'is no number' FROM leads WHERE amount IS NULL
    UNION ALL SELECT 'entries', line, 'Deal', coalesce(lead_id, name, changed), 'row',
        CASE WHEN stage IS NULL THEN 'is mapped to no stage' WHEN instant IS NULL THEN 'is no date'
            WHEN known THEN 'stands there again' ELSE 'belongs to no lead' END
    FROM entries WHERE stage IS NULL OR instant IS NULL OR NOT coalesce(known, FALSE) OR nth > 1
) TO '{to}/set_aside.parquet';
COPY (
    SELECT lead_id, timezone('UTC', instant) AS created_at, timezone('Europe/Moscow', instant)::DATE AS created_on,
        manager, channel, amount
    FROM leads WHERE lead_id IS NOT NULL AND nth = 1 ORDER BY line
) TO '{to}/leads.parquet';
COPY (
    SELECT lead_id, stage, timezone('UTC', instant) AS entered_at,
        timezone('Europe/Moscow', instant)::DATE AS entered_on, manager
    FROM entries WHERE stage IS NOT NULL AND instant IS NOT NULL AND known AND nth = 1 ORDER BY line
) TO '{to}/entries.parquet';
"""


def ours(raw: Path, to: Path) -> None:
    """The package's own way, with all that it looks for."""
    from funnelstats.importing.prepare import prepare

    os.chdir(raw.parents[2])
    prepare(raw.name)
    made = Path("data", "processed", raw.name)
    for path in made.glob("*.parquet"):
        path.rename(to / path.name)
    # What is left of it would be kept the next time.
    shutil.rmtree(made)


def duckdb_by_hand(raw: Path, to: Path) -> None:
    os.chdir(raw)
    duckdb.connect().execute(BY_HAND.replace("{to}", str(to)))


def pandas_by_hand(raw: Path, to: Path) -> None:
    import pandas as pd

    def table(name, date):
        rows = pd.read_csv(raw / name, sep=";", dtype="str", keep_default_na=False).rename(columns={"Deal": "lead_id"})
        rows["line"] = rows.index + 2
        for column in rows.columns.drop("line"):
            rows[column] = rows[column].str.strip()
        wall = pd.to_datetime(rows[date], format="%d.%m.%Y %H:%M", errors="coerce")
        instant = wall.dt.tz_localize("Europe/Moscow", ambiguous="NaT", nonexistent="shift_forward")
        rows["at"], rows["on"] = instant.dt.tz_convert("UTC").dt.tz_localize(None), instant.dt.date
        rows["manager"] = rows["Owner"].where(rows["Owner"] != "")
        return rows

    leads, entries = table("deals.csv", "Created"), table("stages.csv", "Changed")
    leads["channel"] = leads["Source"].where(leads["Source"] != "")
    digits = leads["Amount"].str.replace(" ", "").str.replace(",", ".")
    leads["amount"] = pd.to_numeric(digits, errors="coerce")
    entries["stage"] = entries["Stage"].map({"Новая": "lead", "Встреча": "met", "Оплата": "paid"})
    bad = (leads["lead_id"] == "") | leads.duplicated("lead_id")
    wrong = entries["stage"].isna() | entries["at"].isna() | ~entries["lead_id"].isin(leads.loc[~bad, "lead_id"])
    wrong |= entries.duplicated(["lead_id", "stage", "at"])
    aside = [leads.loc[bad, ["line", "lead_id"]].assign(table="leads", cost="row")]
    aside += [entries.loc[wrong, ["line", "lead_id"]].assign(table="entries", cost="row")]
    aside += [leads.loc[leads[name].isna(), ["line"]].assign(table="leads", cost="cell") for name in ("at", "amount")]
    pd.concat(aside).to_parquet(to / "set_aside.parquet")
    named = {"at": "created_at", "on": "created_on"}
    kept = leads.loc[~bad, ["lead_id", "at", "on", "manager", "channel", "amount"]].rename(columns=named)
    kept.to_parquet(to / "leads.parquet", index=False)
    named = {"at": "entered_at", "on": "entered_on"}
    kept = entries.loc[~wrong, ["lead_id", "stage", "at", "on", "manager"]].rename(columns=named)
    kept.to_parquet(to / "entries.parquet", index=False)


WAYS = {way.__name__: way for way in (ours, duckdb_by_hand, pandas_by_hand)}


def main(leads: int = 300_000, rounds: int = 3) -> None:
    """Make the export, prepare it by each way in turn, and print figures."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "data", "raw", "benchmark")
        raw.mkdir(parents=True)
        (raw / "funnel.toml").write_text(TOML, encoding="utf-8")
        con = duckdb.connect()
        for name, query in {"deals": DEALS, "stages": STAGES}.items():
            rows = query.format(leads=leads, created=CREATED)
            con.execute(f"COPY ({rows}) TO '{raw / name}.csv' (header, delimiter ';')")
        size = sum(path.stat().st_size for path in raw.glob("*.csv"))
        print(f"{leads:,} leads, {3 * leads:,} entries, {size / 1e6:,.0f} MB of CSV on {os.cpu_count()} cores")
        taken: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, measured in taken.items():
                to = Path(folder, way)
                to.mkdir(exist_ok=True)
                command = [sys.executable, __file__, way, str(raw), str(to)]
                measured.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
                refuse_differences(con, to, Path(folder, "ours"))
        floor = median(run["processor"] for run in taken["duckdb_by_hand"])
        print(f"{'way':<16} {'processor s':>12} {'times':>6} {'clock s':>9} {'peak GB':>9}")
        for way, measured in taken.items():
            processor, clock, peak = (median(run[key] for run in measured) for key in ("processor", "clock", "peak"))
            print(f"{way:<16} {processor:12.1f} {processor / floor:6.1f} {clock:9.1f} {peak:9.2f}")


def refuse_differences(con: duckdb.DuckDBPyConnection, to: Path, other: Path) -> None:
    columns = {"leads": "lead_id, created_at, created_on, manager, channel, amount",
               "entries": "lead_id, stage, entered_at, entered_on, manager"}  # fmt: skip
    for table, names in columns.items():
        one, two = (f"SELECT {names} FROM '{folder / table}.parquet'" for folder in (to, other))
        different = con.execute(f"SELECT count(*) FROM (({one} EXCEPT ALL {two}) UNION ALL ({two} EXCEPT ALL {one}))")
        assert different.fetchone() == (0,), f"{table}: {to.name} and {other.name} differ"


def measured(way: str, raw: Path, to: Path) -> dict[str, float]:
    """The seconds of one way within this process, imports included, and the peak of its memory in GB."""
    began = time.perf_counter()
    WAYS[way](raw, to)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = {"processor": used.ru_utime + used.ru_stime, "clock": time.perf_counter() - began}
    return seconds | {"peak": used.ru_maxrss / 1e6}


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        print(json.dumps(measured(sys.argv[1], *map(Path, sys.argv[2:]))))
    else:
        main(*map(int, sys.argv[1:]))
