"""The engines that every count is tested on, one list so that none is forgotten, and histories to count."""

from __future__ import annotations

from dataclasses import dataclass, field

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from funnelstats.stated.funnel import ENDS, MISSING, Funnel

ENGINES = ("duckdb", "sqlite", "polars")

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


@pytest.fixture(params=ENGINES)
def con(request):
    """An empty database in memory, once for every engine."""
    return getattr(ibis, request.param).connect()


def entries_frame(rows):
    """Entries from (lead, stage, time[, manager[, reason]]) tuples; the date is that of the time."""
    width = 5
    frame = pd.DataFrame(
        [(*row, *(None,) * (width - len(row))) for row in rows],
        columns=["lead_id", "stage", "entered_at", "manager", "reason"],
    )
    at = pd.to_datetime(frame["entered_at"], format="ISO8601").astype("datetime64[us]")
    return frame.assign(entered_at=at, entered_on=at.dt.date)[list(ENTRIES_SCHEMA)]


def table(con, frame, schema=ENTRIES_SCHEMA, name="entries"):
    """The frame as a table of the engine."""
    typed = pa.Table.from_pandas(frame, schema=schema.to_pyarrow(), preserve_index=False)
    return con.create_table(name, typed, overwrite=True)


def funnel_of(*stages, days=7):
    """A funnel of these stages; `days` is the horizon of every step, or a list of them."""
    nowhere = {"files": ["none.csv"], "columns": {}}
    horizons = days if isinstance(days, list) else [days] * (len(stages) - 1)
    return Funnel(
        name="toy",
        title="Toy",
        timezone="Europe/Moscow",
        currency="RUB",
        stages=stages,
        step_into={stage: {"horizon_days": horizon} for stage, horizon in zip(stages[1:], horizons, strict=True)},
        leads=nowhere,
        entries=nowhere,
    )


def random_entries(seed, stages, leads=40):
    """Histories with repeats, skips, returns, reopenings, early ends, ties, hand-overs and blank managers."""
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
    return frame[list(ENTRIES_SCHEMA)]


@dataclass
class Episode:
    """One lead episode worked out by a loop over its entries, to compare the engines with."""

    lead_id: str
    number: int
    entries: list = field(default_factory=list)
    ends: list = field(default_factory=list)

    def beyond(self, stage, stages):
        return [entry for entry in self.entries if stages.index(entry.stage) >= stages.index(stage)]

    def first(self, stage, stages):
        return min(
            self.beyond(stage, stages),
            key=lambda entry: (entry.entered_at, stages.index(entry.stage), owner(entry)),
            default=None,
        )

    def back_on(self, stage, stages):
        beyond = self.beyond(stage, stages)
        if not beyond:
            return None
        last = max(entry.entered_at for entry in beyond)
        return min((e.entered_on for e in self.entries if e.entered_at > last and e not in beyond), default=None)

    def end(self, kind=None):
        return min(
            (end for end in self.ends if kind in (None, end.stage)),
            key=lambda end: (end.entered_at, ENDS.index(end.stage), reason(end)),
            default=None,
        )

    def stay(self, stage, stages):
        """Entry date, owner, date of leaving and outcome at a stage, or None if it was never reached."""
        entry = self.first(stage, stages)
        if entry is None:
            return None
        on, end = entry.entered_on, self.end()
        following = stages[stages.index(stage) + 1 :]
        if following and self.first(following[0], stages):
            return on, owner(entry), self.first(following[0], stages).entered_on, "advanced"
        if end:
            return on, owner(entry), max(on, end.entered_on), end.stage
        if self.back_on(stage, stages):
            return on, owner(entry), self.back_on(stage, stages), "moved_away"
        return on, owner(entry), None, None


def owner(entry):
    return entry.manager if isinstance(entry.manager, str) and entry.manager.strip() else MISSING


def reason(entry):
    return entry.reason if isinstance(entry.reason, str) else MISSING


def episodes_of(frame, stages):
    """Every lead episode of the entries, by a loop."""
    found = []
    places = [*stages, *ENDS]
    for lead, rows in frame.groupby("lead_id"):
        history = list(rows.itertuples(index=False))
        times = [entry.entered_at for entry in history if entry.stage in stages]
        if not times:
            continue
        began, latest = min(times), max(times)
        history.sort(key=lambda e: (latest if e.entered_at < began else e.entered_at, places.index(e.stage)))
        current = Episode(lead, 1)
        found.append(current)
        for entry in history:
            if entry.stage in ENDS:
                current.ends.append(entry)
                continue
            if current.ends:
                current = Episode(lead, current.number + 1)
                found.append(current)
            current.entries.append(entry)
    return found
