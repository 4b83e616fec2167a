"""Count verbs of speed: how long leads waited for their first contact, and what became of those who waited.

A first contact is one by people: those of system users do not count. A contact before the lead's first stage entry
means that it was contacted when it came in.
"""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pandas as pd

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.contacts.counts import OUTSIDE
from funnelstats.core.conversion import COUNTS
from funnelstats.core.counts import (
    Between,
    By,
    by_people,
    day_number,
    fetch,
    group_keys,
    in_order,
    known_within,
    named,
    nothing_counted,
    on_date,
    whole_numbers,
    with_shown,
)
from funnelstats.core.journeys import EPISODE, episodes

SECONDS = npt.NDArray[np.int64]


def work_calendar(funnel: Funnel, first: date, last: date) -> pd.DataFrame:
    """The funnel's days from ``first`` to ``last``: when work opens and closes, and how long it was open before.

    Returns int64 columns day (days since 1970), opens, closes (UTC seconds since 1970; the same on a day off) and
    before (working seconds between the first day and this one). Hours are those of the funnel's time zone, so an
    hour lost to summer time at night is none of work.
    """
    if first > last:
        raise ValueError(f"first must not be after last, got {first} after {last}")
    work = funnel.work
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    busy = np.is_busday(days, weekmask=" ".join(work.days), holidays=list(map(np.datetime64, work.holidays)))
    opens, closes = (_utc(days, clock, funnel.timezone) for clock in (work.start, work.end))
    closes = np.where(busy, closes, opens)
    open_for = closes - opens
    return pd.DataFrame(
        {
            "day": days.astype("datetime64[D]").astype("int64"),
            "opens": opens,
            "closes": closes,
            "before": np.cumsum(open_for) - open_for,
        }
    )


def end_of_day(day: date, timezone: str) -> int:
    """The last second of a local day, as UTC seconds since 1970."""
    return int(datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone)).timestamp()) - 1


def _utc(days: npt.NDArray[np.datetime64], clock: time, timezone: str) -> SECONDS:
    local = pd.DatetimeIndex(days.astype("datetime64[s]")) + pd.Timedelta(hours=clock.hour, minutes=clock.minute)
    zoned = local.tz_localize(timezone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
    return zoned.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64")


HOUR, DAY = 3600, 86400
CLOCKS = ("calendar", "working")
LANDMARKS = (1, 3, 7)


def first_contacts(journeys: ir.Table, touches: ir.Table | None, funnel: Funnel) -> Any:
    """The journeys with contacted_at and contacted_on: the episode's first contact by people, null if none.

    Never before the first stage entry; contacts after the episode's end are none of it. One at midnight is known by its
    day only: it counts at the end of it, since nobody waited longer. None without contacts.

    >>> paths = fs.journeys(tables.entries, spec)
    >>> firsts = fs.contacts.first_contacts(paths, fs.contacts.touches(tables.contacts, paths, spec), spec)
    >>> firsts.filter(firsts.contacted_at.isnull()).lead_id.nunique().to_pandas()
    359
    """
    if touches is None:
        return None
    need(touches, "touches", *EPISODE, "manager", "stage", "at", "on", lazy=True)
    began = episodes(journeys).select(*EPISODE, _began="began_at", _began_on="began_on")
    rows = by_people(touches, funnel).join(began, EPISODE)
    rows = rows.filter((rows.stage != OUTSIDE) | (rows.at < rows._began))
    at = _day_only(rows, funnel.timezone).ifelse(rows.at + ibis.interval(seconds=DAY - 1), rows.at)
    found = rows.group_by(EPISODE).aggregate(
        contacted_at=ibis.greatest(at, rows._began).min(),
        contacted_on=ibis.greatest(rows.on, rows._began_on).min(),
    )
    return journeys.left_join(found, EPISODE).select(*journeys.columns, "contacted_at", "contacted_on")


def _day_only(rows: ir.Table, timezone: str) -> ir.BooleanValue:
    """Whether ``at`` is midnight of ``on``, by the zone's clock in winter or in summer."""
    days = pd.date_range("2000-01-01", "2038-01-01", freq="6MS", tz=timezone)
    offsets = (days.tz_localize(None) - days.tz_convert(None)).total_seconds().astype("int64")
    return (day_number(rows.on) * DAY - rows.at.epoch_seconds()).isin(sorted({*offsets.tolist()}))


def hours_to_contact(
    firsts: ir.Table | None, funnel: Funnel, as_of: date, by: By = (), *, entered_between: Between = None
) -> pd.DataFrame:
    """Leads by the hours they waited for their first contact, on the calendar's clock and on that of working hours.

    Contacted within 40 minutes is 1 hour. A lead never contacted was waiting for the whole hours until its end, its
    last stage, or the end of ``as_of``; it is never left out. One whose end has no date was waiting until it came in;
    one reopened at a later stage did not come in. ``by`` may name manager (owner when it came in) and
    columns of the leads; ``entered_between`` holds the first and last date of coming in.

    Returns *by, clock ("calendar", "working"), hours, contacted, waiting.

    >>> paths = fs.journeys(tables.entries, spec)
    >>> firsts = fs.contacts.first_contacts(paths, fs.contacts.touches(tables.contacts, paths, spec), spec)
    >>> fs.contacts.hours_to_contact(firsts, spec, day).head(2)
          clock  hours  contacted  waiting
    0  calendar      0          0        8
    1  calendar      1       1195        6
    """
    if firsts is not None:
        need(firsts, "firsts", "place", "reached_at", "reached_on", "contacted_at", "contacted_on", lazy=True)
    keys = group_keys(by, ["manager"] if firsts is None else [*firsts.columns, "manager"])
    if firsts is None:
        return nothing_counted([*keys, "clock"], ["hours", "contacted", "waiting"])
    rows = firsts.filter((firsts.place == 0) & known_within(firsts.reached_on, as_of, entered_between))
    contacted = (rows.contacted_on <= on_date(as_of)).fill_null(False)
    day_of_end, second_of_end = on_date(as_of), ibis.literal(end_of_day(as_of, funnel.timezone))
    ends = [(rows[f"{end}_on"], rows[f"{end}_at"].epoch_seconds()) for end in ("ended", "won")]
    until = [(contacted.ifelse(rows.contacted_on, on), contacted.ifelse(rows.contacted_at.epoch_seconds(), at))
             for on, at in ends]  # fmt: skip
    known = [((on <= on_date(as_of)).fill_null(False), on, at) for on, at in until]
    days = ibis.least(*(there.ifelse(day_number(on), day_number(day_of_end)) for there, on, _ in known))
    seconds = ibis.least(*(there.ifelse(at, second_of_end) for there, _, at in known))
    unknown = rows.undated.notnull() & ~contacted
    days = unknown.ifelse(day_number(rows.reached_on), days)
    seconds = unknown.ifelse(rows.reached_at.epoch_seconds(), seconds)
    waits = rows.select(
        *keys,
        _contacted=contacted,
        _came=rows.reached_at.epoch_seconds(),
        _came_day=day_number(rows.reached_on),
        _until=seconds,
        _until_day=days,
    )
    both = with_shown(_on_both_clocks(waits, funnel, as_of), keys)
    both = both.mutate(hours=both._contacted.ifelse((both._waited + HOUR - 1) // HOUR, both._waited // HOUR))
    counted = both.group_by(*keys, "_clock", "hours").aggregate(
        contacted=ibis._.count(where=ibis._._contacted), waiting=ibis._.count(where=~ibis._._contacted)
    )
    frame = in_order(fetch(counted), keys, "_clock", "hours")
    frame = frame.assign(clock=frame["_clock"].map(dict(enumerate(CLOCKS))).astype("str"))
    numbers = ["hours", "contacted", "waiting"]
    return whole_numbers(frame[[*keys, "clock", *numbers]], numbers)


def _on_both_clocks(waits: ir.Table, funnel: Funnel, as_of: date) -> ir.Table:
    """The waits twice: seconds on the calendar's clock (0) and working seconds (1)."""
    earliest = fetch(waits.aggregate(day=waits._came_day.min()))["day"].iloc[0]
    start = as_of if pd.isna(earliest) else (pd.Timestamp(0) + pd.Timedelta(days=int(earliest))).date()
    calendar = ibis.memtable(work_calendar(funnel, start, as_of))
    opened = calendar.select(_came_day="day", _opens="opens", _closes="closes", _before="before")
    closed = calendar.select(_until_day="day", _opens2="opens", _closes2="closes", _before2="before")
    rows = waits.mutate(_until_day=ibis.greatest(waits._until_day, waits._came_day))
    rows = rows.join(opened, "_came_day").join(closed, "_until_day")

    def clock(at: ir.Value, opens: ir.Value, closes: ir.Value, before: ir.Value) -> ir.Value:
        return before + ibis.greatest(ibis.least(at, closes) - opens, 0)

    since = clock(rows._came, rows._opens, rows._closes, rows._before)
    until = clock(rows._until, rows._opens2, rows._closes2, rows._before2)
    twice = rows.mutate(_on_calendar=rows._until - rows._came, _at_work=until - since)
    twice = twice.cross_join(ibis.memtable({"_clock": range(len(CLOCKS))}))
    waited = (twice._clock == 0).ifelse(twice._on_calendar, twice._at_work)
    return twice.select(*(c for c in waits.columns), "_clock", _waited=ibis.greatest(waited, 0))


def landmark_counts(firsts: ir.Table | None, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Leads still at the first stage at the end of day L, contacted by then or not, and how many moved on after it.

    A comparison of leads by their time to first contact would credit contact with the leads that were fast anyway;
    at a landmark both groups have the same past. Judged are leads whose horizon is over, once for the second stage
    and once for the last one (horizons of the way summed); landmarks not before the horizon, and leads that ended on a
    day not known, are left out.

    Returns to_stage, landmark_days, contacted (bool), entered, converted, too_recent: every combination that has a
    lead.

    >>> paths = fs.journeys(tables.entries, spec)
    >>> firsts = fs.contacts.first_contacts(paths, fs.contacts.touches(tables.contacts, paths, spec), spec)
    >>> fs.contacts.landmark_counts(firsts, spec, day).head(2)
      to_stage  landmark_days  contacted  entered  converted  too_recent
    0      met              1      False     1884       1733         162
    1      met              1       True      451        411          30
    """
    if firsts is None:
        shape = nothing_counted(["to_stage"], ["landmark_days", "contacted", *COUNTS])
        return shape.astype({"contacted": bool})
    need(firsts, "firsts", "place", "reached_on", "next_on", "won_on", "undated", "contacted_on", lazy=True)
    horizons = {funnel.stages[1]: funnel.steps[0].horizon_days}
    horizons[funnel.stages[-1]] = sum(step.horizon_days for step in funnel.steps)
    pairs = [(stage, days, mark) for stage, days in horizons.items() for mark in LANDMARKS if mark < days]
    grid = ibis.memtable(
        {"_pair": range(len(pairs)), "_horizon": [p[1] for p in pairs], "landmark_days": [p[2] for p in pairs]}
    )
    came = (firsts.place == 0) & firsts.undated.isnull() & known_within(firsts.reached_on, as_of, None)
    rows = firsts.filter(came).cross_join(grid)
    won = rows._pair.isin([number for number, pair in enumerate(pairs) if pair[0] == funnel.stages[-1]])
    reached_on = won.ifelse(rows.won_on, rows.next_on)

    def within(on: ir.DateValue, days: ir.IntegerValue) -> ir.BooleanValue:
        return (on.delta(rows.reached_on, unit="day") <= days).fill_null(False)

    gone = within(rows.next_on, rows.landmark_days) | within(rows.ended_on, rows.landmark_days)
    there = on_date(as_of).delta(rows.reached_on, unit="day")
    still = rows.mutate(
        contacted=within(rows.contacted_on, rows.landmark_days),
        _matured=there >= rows._horizon,
        _converted=within(reached_on, rows._horizon),
    ).filter(~gone & (there >= rows.landmark_days))
    counted = still.group_by("_pair", "landmark_days", "contacted").aggregate(
        entered=still.count(where=still._matured),
        converted=still.count(where=still._matured & still._converted),
        too_recent=still.count(where=~still._matured),
    )
    frame = in_order(fetch(counted), [], "_pair", "contacted")
    frame = frame.assign(
        to_stage=named(frame["_pair"], [pair[0] for pair in pairs]), contacted=frame["contacted"].astype(bool)
    )
    columns = ["to_stage", "landmark_days", "contacted", *COUNTS]
    return whole_numbers(frame[columns], ["landmark_days", *COUNTS])
