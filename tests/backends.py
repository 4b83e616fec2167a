"""The engines that every count is tested on: one list, so that none is forgotten."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

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
    return con.create_table(name, frame, schema=schema, overwrite=True)
