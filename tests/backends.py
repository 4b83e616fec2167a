"""The engines that every count is tested on, one list so that none is forgotten, and histories to count.

Loops over random histories, and what engines see differently (nothing, blanks, types, dates, large numbers), run on
each engine; rules that a few rows show run on DuckDB alone.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS, MISSING
from funnelstats.core.journeys import TAKEN_WITHIN

# pyspark 4.0 leaves sockets to the garbage collector, and speaks to pandas in words of before 3.
SPARKS_OWN = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning", "ignore:The copy keyword")
ENGINES = ("duckdb", "postgres", pytest.param("pyspark", marks=SPARKS_OWN))

NUMBERS = count()
ENTRIES_SCHEMA = ibis.schema(
    {
        "lead_id": "string",
        "stage": "string",
        "entered_at": "timestamp",
        "entered_on": "date",
        "manager": "string",
        "reason": "string",
    }
)


@pytest.fixture(scope="session")
def postgres():
    """A database of a PostgreSQL server of its own, which goes with it; skips where there is none."""
    if not (found := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
        pytest.skip("PostgreSQL is not there; on Debian: apt install postgresql")
    pytest.importorskip("psycopg", reason="PostgreSQL needs ibis-framework[postgres]")
    programs = found[-1].parent
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        # PostgreSQL does not run as root; Debian's package brings a user for it.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(folder, "postgres")
        run = partial(subprocess.run, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        run([*user, programs / "initdb", "-D", f"{folder}/data", "-U", "tester", "--auth", "trust", "-E", "UTF8"])
        control = [*user, programs / "pg_ctl", "-D", f"{folder}/data", "-w"]
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run([*control, "-l", f"{folder}/log", "-o", options, "start"])
        try:
            con = ibis.postgres.connect(host=folder, user="tester", database="postgres")
            con.raw_sql("set timezone = 'UTC'").close()
            yield con
            con.disconnect()
        finally:
            run([*control, "-m", "immediate", "stop"])


@pytest.fixture(scope="session")
def pyspark(tmp_path_factory):
    """A session of Spark on this machine."""
    spark = pytest.importorskip("pyspark.sql", reason="Spark needs ibis-framework[pyspark]")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    options = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark")),
        "spark.sql.shuffle.partitions": 1,
        "spark.ui.enabled": False,
        # Many small queries, each run once: what pays in long ones takes most of the time here.
        "spark.sql.adaptive.enabled": False,
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    }
    session = spark.SparkSession.builder.master("local[1]").config(map=options).getOrCreate()
    yield ibis.pyspark.connect(session)
    session.stop()


@pytest.fixture(scope="session")
def duckdb():
    """A database of DuckDB."""
    return ibis.duckdb.connect()


@pytest.fixture(params=ENGINES)
def con(request):
    """A database of each engine; what one test leaves there may be read by another."""
    return request.getfixturevalue(request.param)


def entries_frame(rows):
    """Entries from (lead, stage, time[, manager[, reason]]) tuples; the date is that of the time."""
    width = 5
    frame = pd.DataFrame(
        [(*row, *(None,) * (width - len(row))) for row in rows],
        columns=["lead_id", "stage", "entered_at", "manager", "reason"],
    )
    at = pd.to_datetime(frame["entered_at"], format="ISO8601").astype("datetime64[us]")
    return frame.assign(entered_at=at, entered_on=at.dt.date)[list(ENTRIES_SCHEMA)]


def rows_of(frame):
    return [tuple(row) for row in frame.itertuples(index=False)]


def table(con, frame, schema=ENTRIES_SCHEMA, name="entries"):
    """The frame as a table of the engine."""
    typed = pa.Table.from_pandas(frame, schema=schema.to_pyarrow(), preserve_index=False)
    # What an earlier test has cached of a table of the same name would be taken for this one's.
    name = f"{name}_{next(NUMBERS)}"
    if con.name != "pyspark":
        return con.create_table(name, typed)
    # By ibis 12 it would go through pandas, where a missing text is not a number, and so a "NaN" for Spark.
    con._session.createDataFrame(typed).createTempView(name)
    return con.table(name)


def funnel_of(*stages, days=7):
    """A funnel of these stages; `days` is the horizon of every step, or a list of them."""
    horizons = days if isinstance(days, list) else [days] * (len(stages) - 1)
    return Funnel(
        name="toy",
        title="Toy",
        timezone="Europe/Moscow",
        currency="RUB",
        stages=stages,
        step_into={stage: {"horizon_days": horizon} for stage, horizon in zip(stages[1:], horizons, strict=True)},
    )


def bare_funnel(stages, targets, days, *, tolerance=0.0, own=None, **more):
    """What statistics ask of a funnel, with targets that nobody need agree on."""
    steps = tuple(
        SimpleNamespace(from_stage=before, to_stage=after, horizon_days=horizon, target=target, tolerance=tolerance,
                        targets=own or {})
        for before, after, target, horizon in zip(stages, stages[1:], targets, days, strict=False)
    )  # fmt: skip
    return SimpleNamespace(**{"stages": tuple(stages), "steps": steps, "system_users": (), **more})


def random_entries(seed, stages, leads=40, *, undated=0):
    """Histories with repeats, skips, returns, reopenings, early ends, ties, hand-overs, blank managers, wins dated
    before all else, and as many ends without a date as asked for."""
    random = np.random.default_rng(seed)
    lead = random.integers(0, leads, size=leads * 5)
    # Times on a grid of eight hours, so that many entries of one lead are at the same instant.
    at = pd.Timestamp("2026-01-01 01:00") + pd.to_timedelta(8 * random.integers(0, 180, len(lead)), unit="h")
    weights = [3] * len(stages) + [1, 1]
    stage = random.choice([*stages, *ENDS], size=len(lead), p=np.divide(weights, sum(weights)))
    frame = pd.DataFrame(
        {
            "lead_id": [f"L{number:03}" for number in lead],
            "stage": stage,
            "entered_at": at.astype("datetime64[us]"),
            # Local dates run ahead of the instants: from the last point of the grid it is the next day there.
            "entered_on": (at + pd.Timedelta(hours=8)).date,
            "manager": random.choice(np.array(["Анна", "Boris", "Claire", " ", None]), size=len(lead)),
            "reason": random.choice(np.array(["price", "terms", None]), size=len(lead)),
        }
    )
    frame = frame[list(ENTRIES_SCHEMA)]
    if undated:
        late = frame.sample(undated, random_state=seed).assign(
            stage=random.choice([stages[-1], *ENDS], size=undated), entered_at=pd.NaT, entered_on=None
        )
        frame = pd.concat([frame, late], ignore_index=True)
    return frame


@dataclass
class Episode:
    """One lead episode worked out by a loop over its entries, to compare the engines with."""

    lead_id: str
    number: int
    entries: list = field(default_factory=list)
    ends: list = field(default_factory=list)
    undated: str | None = None
    system_users: tuple = ()
    nobodys: set = field(default_factory=set)
    """Stages logged without any manager."""

    def opened(self, stages):
        """Where a reopened episode begins: the stages before that are none of its own."""
        if self.number == 1:
            return 0
        began = min(entry.entered_at for entry in self.entries)
        return min(stages.index(entry.stage) for entry in self.entries if entry.entered_at == began)

    def beyond(self, stage, stages):
        return [entry for entry in self.entries if stages.index(entry.stage) >= stages.index(stage)]

    def earliest(self, entries, stages):
        return min(entries, key=lambda entry: (entry.entered_at, stages.index(entry.stage), owner(entry)), default=None)

    def own(self, stage, stages):
        """The stage's own first entry, None if it was skipped or lies before the reopening."""
        if stages.index(stage) < self.opened(stages):
            return None
        return self.earliest([entry for entry in self.entries if entry.stage == stage], stages)

    def first(self, stage, stages):
        """The entry by which the stage was reached: the first at it or beyond it, of the first stage its own."""
        if stages.index(stage) < self.opened(stages):
            return None
        own = self.own(stage, stages) if stage == stages[0] else None
        return own or self.earliest(self.beyond(stage, stages), stages)

    def began(self, stages):
        """The entry by which the episode began: at the first stage, or where it was reopened."""
        return self.first(stages[self.opened(stages)], stages)

    def timed(self, stage, stages):
        """Whether its stay at the stage has a duration."""
        own = self.own(stage, stages)
        following = stages[stages.index(stage) + 1 :]
        moved = self.first(following[0], stages) if following else None
        if own is None or (self.undated and not moved and not self.end()):
            return False
        left = moved or self.end()
        return left is None or left.entered_on >= own.entered_on

    def entry(self, stage, stages):
        """The stage's own entry, or of a skipped stage the one by which it was reached."""
        return self.own(stage, stages) or self.first(stage, stages)

    def holder(self, stage, stages):
        """The first person who had it at the stage before it moved on, or whoever had it at its entry."""
        if stage in self.nobodys:
            return MISSING
        following = stages[stages.index(stage) + 1 :]
        moved = self.first(following[0], stages) if following else None
        own = self.entry(stage, stages)
        nobody = (MISSING, *self.system_users)
        people = [
            entry
            for entry in self.entries
            if entry.stage == stage
            and owner(entry) not in nobody
            and not (moved and entry.entered_at > moved.entered_at)
            if (entry.entered_on - own.entered_on).days <= TAKEN_WITHIN
        ]
        return owner(self.earliest(people, stages) or own)

    def back_on(self, stage, stages):
        beyond = self.beyond(stage, stages)
        if not beyond:
            return None
        last = max(entry.entered_at for entry in beyond)
        # The lead's coming in is no step back, nor is, from a win, the first entry of any stage.
        begins = stages if stage == stages[-1] else stages[:1]
        firsts = [(entry.stage, entry.entered_at) for entry in (self.own(name, stages) for name in begins) if entry]
        return min(
            (
                entry.entered_on
                for entry in self.entries
                if entry.entered_at > last and entry not in beyond and (entry.stage, entry.entered_at) not in firsts
            ),
            default=None,
        )

    def end(self, kind=None):
        return min(
            (end for end in self.ends if kind in (None, end.stage)),
            key=lambda end: (end.entered_at, ENDS.index(end.stage), reason(end)),
            default=None,
        )

    def reason(self):
        """The first reason given while the episode stays lost."""
        given = [end for end in self.ends if end.stage == "lost" and reason(end) != MISSING]
        return reason(min(given, key=lambda end: (end.entered_at, reason(end)))) if given else MISSING

    def stay(self, stage, stages):
        """Entry date, owner, date of leaving and outcome at a stage, or None if it was never reached."""
        entry = self.entry(stage, stages)
        if entry is None:
            return None
        on, end, who = entry.entered_on, self.end(), self.holder(stage, stages)
        following = stages[stages.index(stage) + 1 :]
        if following and self.first(following[0], stages):
            return on, who, max(on, self.first(following[0], stages).entered_on), "advanced"
        if end:
            return on, who, max(on, end.entered_on), end.stage
        if self.undated:
            return on, who, on, self.undated if self.undated in ENDS else "won"
        if self.back_on(stage, stages):
            return on, who, max(on, self.back_on(stage, stages)), "moved_away"
        return on, who, None, None


def owner(entry):
    return entry.manager if isinstance(entry.manager, str) and entry.manager.strip() else MISSING


def reason(entry):
    return entry.reason if isinstance(entry.reason, str) else MISSING


def episodes_of(frame, stages, hours=1, system_users=()):
    """Every lead episode of the entries, by a loop; an end put right within the hours is none."""
    found = []
    places = [*stages, *ENDS]
    dated = frame[frame["entered_at"].notna()]
    owners = {}
    for entry in dated.itertuples(index=False):
        owners.setdefault(entry.stage, set()).add(owner(entry))
    whose = {"system_users": system_users, "nobodys": {stage for stage, names in owners.items() if names == {MISSING}}}
    for lead, rows in dated.groupby("lead_id"):
        history = list(rows.itertuples(index=False))
        times = [entry.entered_at for entry in history if entry.stage in stages]
        if not times:
            continue
        began, latest = min(times), max(times)

        def counts_at(entry, began=began, latest=latest):
            return latest if entry.entered_at < began else entry.entered_at

        def put_right(entry, times=times, counts_at=counts_at):
            after = min((at for at in times if at > counts_at(entry)), default=pd.Timestamp.max)
            return entry.stage in ENDS and after - counts_at(entry) <= pd.Timedelta(hours=hours)

        history = [entry for entry in history if not put_right(entry)]
        history.sort(key=lambda e: (counts_at(e), places.index(e.stage)))
        current = Episode(lead, 1, **whose)
        found.append(current)
        for entry in history:
            if entry.stage in ENDS:
                current.ends.append(entry)
                continue
            if current.ends:
                current = Episode(lead, current.number + 1, **whose)
                found.append(current)
            current.entries.append(entry)
        undated = set(frame[(frame["lead_id"] == lead) & frame["entered_at"].isna()]["stage"])
        unwon = not any(entry.stage == stages[-1] for entry in current.entries)
        ways = [kind for kind in (stages[-1], *ENDS) if kind in undated]
        if ways and unwon and (not current.ends or ways[0] == stages[-1]):
            current.undated = ways[0]
            # A win decides, whatever other end has a date.
            current.ends = [] if ways[0] == stages[-1] else current.ends
    return found
