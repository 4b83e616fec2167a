"""From the lines of an export to the counts of a page: what a plain loop over the same lines counts."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from backends import ENTRIES_SCHEMA, episodes_of, rows_of
from damage import SEEDS, text_of
from loops import looped_days, looped_flow, looped_overall, looped_steps
from projects import LEADS, NAME, write

from funnelstats import journeys, open_funnel, outcome_days, overall_counts, stage_flow, step_counts
from funnelstats.config.schema import ENDS
from funnelstats.core.flow_counts import FLOW
from funnelstats.importing.prepare import prepare

# Their clocks change between March and May, at midnight, by half an hour, or for Ramadan.
ZONES = [
    *("Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca"),
    *("Africa/Cairo", "Asia/Beirut", "Pacific/Chatham", "Asia/Kolkata", "UTC"),
]
STAGES = ["new lead", "встреча", "offer", "Vertrag", "paid", "éclair"]
BEGIN = datetime(2026, 3, 1, 0, 37, tzinfo=UTC)
SYSTEM = ("Queue", "Robot")
MANAGERS = ["Anna", "Борис", *SYSTEM, "", " "]
STATEMENT = """
title = "Team"
timezone = "{zone}"
currency = "EUR"
stages = {stages}
correction_hours = {hours}
system_users = ["Queue", "Robot"]
max_bad_share = 1.0
"""
ENTRIES = """
[entries]
files = "entries.csv"
columns = { lead_id = "id", stage = "stage", entered_at = "at", manager = "manager", reason = "reason" }
"""


class Export(NamedTuple):
    """What an export states, and its lines: lead, stage, instant or none, whether only its day is written, manager,
    reason."""

    zone: str
    stages: tuple[str, ...]
    horizons: list[int]
    hours: int
    offsets: bool
    lines: list[tuple]


def random_export(rng, leads=120):
    """Skips, returns, repeats, reopenings, ties, ends before the lead and without a date, hand-overs, queues."""
    zone, stages = rng.choice(ZONES), tuple(STAGES[: rng.randrange(2, 7)])
    horizons = [rng.randrange(1, 21) for _ in stages[1:]]
    offsets, days, ends = rng.random() < 0.5, rng.choice([0, 0.2, 1]), rng.choice([0.3, 1, 2])
    unowned = rng.choice([None, None, *stages])
    weights = [*[3] * len(stages), ends, ends]
    lines = []
    for lead in range(leads):
        begun = rng.randrange(0, 150)
        for _line in range(rng.randrange(0, 9)):
            stage = rng.choices([*stages, *ENDS], weights)[0]
            at = (BEGIN + timedelta(hours=6 * (begun + rng.randrange(0, 60)))).astimezone(ZoneInfo(zone))
            if at.fold and not offsets:
                at += timedelta(hours=6)  # the clock shows this time twice
            manager = "" if stage == unowned else rng.choice(MANAGERS)
            lines.append((f"L{lead}", stage, at, rng.random() < days, manager, rng.choice(["", "price", "terms"])))
        if rng.random() < 0.2:
            lines.append((f"L{lead}", rng.choice([stages[-1], *ENDS]), None, False, rng.choice(MANAGERS), ""))
    rng.shuffle(lines)
    return Export(zone, stages, horizons, rng.choice([0, 1, 6, 30]), offsets, lines)


def written(export):
    """Write the export; its lines as a frame like that of prepared entries, with the instants in UTC."""
    text, known = [["id", "stage", "at", "manager", "reason"]], []
    for lead, stage, at, day_only, manager, reason in export.lines:
        shown = (
            "" if at is None else f"{at:%Y-%m-%d}" if day_only else at.isoformat(" ")[: None if export.offsets else 16]
        )
        text.append([lead, stage, shown, manager, reason])
        instant = at.replace(hour=0, minute=0, fold=0) if day_only else at
        utc = instant and instant.astimezone(UTC).replace(tzinfo=None)
        known.append((lead, stage, utc, at and at.date(), manager.strip() or None, reason or None, day_only))
    steps = zip(export.stages[1:], export.horizons, strict=True)
    stated = "".join(f'[step_into."{stage}"]\nhorizon_days = {days}\n' for stage, days in steps)
    statement = STATEMENT.format(zone=export.zone, stages=[*export.stages], hours=export.hours)
    ids = [["id", "created"], *([lead, "2026-03-01"] for lead in sorted({line[0] for line in export.lines}))]
    files = {"leads.csv": text_of(ids).encode(), "entries.csv": text_of(text).encode()}
    write(statement + stated + LEADS + ENTRIES, files)
    frame = pd.DataFrame(known, columns=[*ENTRIES_SCHEMA, "day_only"])
    return frame.assign(entered_at=pd.to_datetime(frame["entered_at"]))


def counting(frame, stages):
    """The lines that count: of one lead, stage and instant one; what is known by its day ties with that day's."""
    worth = frame.assign(no_reason=frame["reason"].isna(), nobody=frame["manager"].isin([None, *SYSTEM]))
    worth = worth.sort_values(["no_reason", "nobody"], kind="stable")
    dated = worth[worth["entered_at"].notna()].drop_duplicates(["lead_id", "stage", "entered_at"])
    places, same_day, at = [*stages, *ENDS], defaultdict(list), []
    for line in dated.itertuples():
        same_day[line.lead_id, line.entered_on].append(line)
    for line in dated.itertuples():
        others = [other for other in same_day[line.lead_id, line.entered_on] if not other.day_only]
        earlier = [other.entered_at for other in others if places.index(other.stage) < places.index(line.stage)]
        at.append(max(earlier, default=line.entered_at) if line.day_only else line.entered_at)
    return pd.concat([dated.assign(entered_at=at), worth[worth["entered_at"].isna()]])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("seed", range(4 * SEEDS))
def test_an_export_is_counted_as_by_a_loop_over_its_lines(seed):
    rng = random.Random(seed)
    export = random_export(rng)
    lines = counting(written(export), export.stages)
    prepare(NAME)
    as_of = BEGIN.date() + timedelta(rng.randrange(15, 60))
    start, end = sorted(BEGIN.date() + timedelta(rng.randrange(5, 50)) for _day in "12")
    known = lines[lines["entered_on"].isna() | (lines["entered_on"].fillna(date.min) <= as_of)]
    episodes = episodes_of(known, export.stages, export.hours, SYSTEM)
    funnel, tables = open_funnel(NAME, as_of)
    paths = journeys(tables.entries, funnel).cache()
    for count, looped in ((step_counts, looped_steps), (overall_counts, looped_overall), (outcome_days, looped_days)):
        for between in (None, (start, end)):
            found = {
                row[:3]: row[3:] for row in rows_of(count(paths, funnel, as_of, "manager", entered_between=between))
            }
            assert found == looped(episodes, funnel, as_of, between)
            assert found or between
    flow = stage_flow(paths, funnel, start, end, by="manager")
    some = {row[:2]: row[2:] for row in rows_of(flow[flow[FLOW].sum(axis=1) > 0])}
    assert some == looped_flow(episodes, funnel, start, end)
    assert some
