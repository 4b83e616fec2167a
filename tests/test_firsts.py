"""Working hours against a loop over minutes; first contacts, hours and landmarks against a loop over leads."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, table
from contact_histories import CONTACTS_SCHEMA, contacts_frame, random_contacts, touches_of

from funnelstats.config.errors import FunnelError
from funnelstats.contacts.counts import OUTSIDE, touches
from funnelstats.contacts.first_counts import (
    LANDMARKS,
    end_of_day,
    first_contacts,
    hours_to_contact,
    landmark_counts,
    work_calendar,
)
from funnelstats.core.journeys import journeys

STAGES = ("new", "встреча", "offer", "paid")
AS_OF = date(2026, 2, 10)


def with_work(funnel, zone="Europe/Moscow", **work):
    return funnel.model_validate({**funnel.model_dump(), "timezone": zone, "work": work})


PLAIN = funnel_of("lead", "met", "paid")
RANDOM = funnel_of(*STAGES, days=[5, 9, 12])


def worked(calendar, at, day):
    """Working seconds from the calendar's first day to instants (UTC seconds) on their local days (day numbers).

    The difference of two is the time worked between them.
    """
    row = np.asarray(day, dtype="int64") - int(calendar["day"].iloc[0])
    opens, closes, before = (calendar[name].to_numpy()[row] for name in ("opens", "closes", "before"))
    return before + np.clip(np.asarray(at, dtype="int64") - opens, 0, closes - opens)


def minutes_worked(start, end, funnel):
    """Working minutes from one UTC instant to another, minute by minute."""
    zone, work = ZoneInfo(funnel.timezone), funnel.work
    count, at = 0, start
    while at < end:
        local = at.astimezone(zone)
        busy = local.strftime("%a") in work.days and local.date() not in work.holidays
        count += busy and work.start <= local.time() < work.end
        at += timedelta(minutes=1)
    return count


def on_clock(funnel, first, last, moments):
    """Working minutes between each pair of neighbouring moments, by the calendar."""
    calendar = work_calendar(funnel, first, last)
    local = [moment.astimezone(ZoneInfo(funnel.timezone)).date() for moment in moments]
    seconds = worked(
        calendar, [moment.timestamp() for moment in moments], [(day - date(1970, 1, 1)).days for day in local]
    )
    return (np.diff(seconds) / 60).tolist()


@pytest.mark.parametrize(
    ("zone", "first", "work"),
    [
        ("Europe/Moscow", date(2026, 6, 8), {"holidays": [date(2026, 6, 12)]}),
        # summer time begins on 29 March; work at night meets the hour that does not exist
        ("Europe/Berlin", date(2026, 3, 26), {"start": time(1, 30), "end": time(6), "days": ["Sat", "Sun", "Mon"]}),
        ("America/New_York", date(2026, 10, 29), {"start": time(8, 15), "end": time(23, 59)}),
        ("Asia/Kolkata", date(2026, 1, 1), {"days": ["Tue"]}),
        ("Europe/Moscow", date(2026, 6, 8), {"start": "09:30", "end": time(18, 15)}),
    ],
)
def test_the_working_clock_is_that_of_a_loop_over_minutes(zone, first, work):
    funnel = with_work(PLAIN, zone, **work)
    random = np.random.default_rng(5)
    start = datetime.combine(first, time(), ZoneInfo(zone)).astimezone(UTC)
    moments = [start + timedelta(minutes=int(m)) for m in np.sort(random.integers(0, 8 * 24 * 60, 25))]
    expected = [minutes_worked(a, b, funnel) for a, b in pairwise(moments)]
    assert on_clock(funnel, first, first + timedelta(days=9), moments) == expected
    assert sum(expected) > 0


def test_the_end_of_a_day_is_its_last_second_where_people_live():
    assert end_of_day(date(2026, 6, 28), "Europe/Moscow") == datetime(2026, 6, 28, 20, 59, 59, tzinfo=UTC).timestamp()
    with pytest.raises(ValueError, match="first must not be after last"):
        work_calendar(PLAIN, date(2026, 1, 2), date(2026, 1, 1))


def lazy(con, contacts, entries, funnel):
    paths = journeys(table(con, entries), funnel).cache()
    touched = touches(table(con, contacts, CONTACTS_SCHEMA, "contacts"), paths, funnel).cache()
    return first_contacts(paths, touched, funnel).cache()


def brute_firsts(entries, contacts, robots=()):
    """Episode, its entries by stage, first contact or None, of every episode."""
    made = {}
    for touch in touches_of(contacts, entries, STAGES):
        if touch.manager not in robots:
            made.setdefault((touch.lead_id, touch.episode), []).append(touch)
    for episode in episodes_of(entries, STAGES):
        start = episode.began(STAGES)
        own = [
            t for t in made.get((episode.lead_id, episode.number), []) if t.stage != OUTSIDE or t.at < start.entered_at
        ]
        first = min(own, key=lambda t: t.at, default=None)
        early = first and first.at < start.entered_at
        contact = first and ((start.entered_at, start.entered_on) if early else (first.at, first.on))
        yield episode, start, contact


def epoch(at):
    return pd.Timestamp(at).tz_localize("UTC").timestamp()


@pytest.mark.parametrize(("seed", "between"), [(1, None), (2, (date(2026, 1, 4), date(2026, 1, 25)))])
def test_hours_are_those_of_a_loop_over_leads(con, seed, between):
    entries, contacts = random_entries(seed, STAGES), random_contacts(seed)
    funnel = RANDOM.model_validate({**RANDOM.model_dump(), "system_users": ["robot"], "timezone": "Asia/Singapore"})
    expected = Counter()
    calendar = work_calendar(funnel, date(2025, 12, 1), AS_OF)
    for episode, start, contact in brute_firsts(entries, contacts, ["robot"]):
        if episode.opened(STAGES):
            continue
        if start.entered_on > AS_OF or (between and not between[0] <= start.entered_on <= between[1]):
            continue
        contacted = contact is not None and contact[1] <= AS_OF
        if contacted:
            until = contact
        else:
            ends = [*episode.ends, *filter(None, [episode.first("paid", STAGES)])]
            known = [(e.entered_at, e.entered_on) for e in ends if e.entered_on <= AS_OF]
            until = min(known, default=None)
        at = epoch(until[0]) if until else end_of_day(AS_OF, funnel.timezone)
        day = max(until[1] if until else AS_OF, start.entered_on)
        numbers = [(d - date(1970, 1, 1)).days for d in (start.entered_on, day)]
        work = np.diff(worked(calendar, [epoch(start.entered_at), at], numbers))[0]
        for clock, seconds in (("calendar", at - epoch(start.entered_at)), ("working", work)):
            whole, part = divmod(max(int(seconds), 0), 3600)
            expected[episode.holder(STAGES[0], STAGES), clock, whole + (contacted and part > 0), contacted] += 1
    firsts = lazy(con, contacts, entries, funnel)
    found = hours_to_contact(firsts, funnel, AS_OF, by="manager", entered_between=between)
    counted = Counter()
    for row in found.itertuples():
        counted += Counter({(row.manager, row.clock, row.hours, True): row.contacted,
                            (row.manager, row.clock, row.hours, False): row.waiting})  # fmt: skip
    assert counted == expected
    total = hours_to_contact(firsts, funnel, AS_OF, entered_between=between)
    assert total[["contacted", "waiting"]].sum().tolist() == found[["contacted", "waiting"]].sum().tolist()


def test_a_contact_known_by_its_day_is_not_called_one_of_the_first_hour(con):
    came = [("a", "lead", "2026-01-05 10:00"), ("b", "lead", "2026-01-05"), ("c", "lead", "2026-01-05 10:00")]
    made = [("a", "2026-01-05"), ("b", "2026-01-06"), ("c", "2026-01-05 12:00")]
    funnel = with_work(PLAIN, zone="UTC")
    found = hours_to_contact(lazy(con, contacts_frame(made), entries_frame(came), funnel), funnel, AS_OF)
    # nobody waited longer than to the end of that day
    assert found.loc[found["clock"] == "calendar", "hours"].tolist() == [2, 14, 48]


@pytest.mark.parametrize("seed", [1, 2])
def test_landmarks_are_those_of_a_loop_over_leads(con, seed):
    entries, contacts = random_entries(seed, STAGES, leads=120), random_contacts(seed, leads=120)
    as_of = date(2026, 1, 14)
    expected = {}
    for episode, start, contact in brute_firsts(entries, contacts):
        if episode.opened(STAGES):
            continue
        for stage, horizon in (("встреча", 5), ("paid", 26)):
            for mark in LANDMARKS:
                if mark >= horizon or (as_of - start.entered_on).days < mark:
                    continue
                second = episode.first("встреча", STAGES)
                gone = [*episode.ends, *([second] if second else [])]
                if any((e.entered_on - start.entered_on).days <= mark for e in gone):
                    continue
                early = contact is not None and (contact[1] - start.entered_on).days <= mark
                cell = expected.setdefault((stage, mark, early), [0, 0, 0])
                reached = episode.first(stage, STAGES)
                if (as_of - start.entered_on).days < horizon:
                    cell[2] += 1
                    continue
                cell[0] += 1
                cell[1] += reached is not None and (reached.entered_on - start.entered_on).days <= horizon
    found = landmark_counts(lazy(con, contacts, entries, RANDOM), RANDOM, as_of)
    cells = {
        (r.to_stage, r.landmark_days, r.contacted): [r.entered, r.converted, r.too_recent] for r in found.itertuples()
    }
    assert cells == expected
    assert len(expected) > 7


def test_no_contacts_give_empty_frames_with_the_same_columns(con):
    paths = journeys(table(con, entries_frame([("a", "lead", "2026-01-05")])), PLAIN)
    assert first_contacts(paths, None, PLAIN) is None
    firsts = lazy(con, contacts_frame([]), entries_frame([("a", "lead", "2026-01-05")]), PLAIN)
    for verb, by in ((hours_to_contact, {"by": "manager"}), (landmark_counts, {})):
        some, none = verb(firsts, PLAIN, AS_OF, **by), verb(None, PLAIN, AS_OF, **by)
        assert len(some) > 0
        assert len(none) == 0
        assert none.dtypes.astype(str).to_dict() == some.dtypes.astype(str).to_dict()
    assert hours_to_contact(firsts, PLAIN, date(2026, 1, 4)).empty
    with pytest.raises(FunnelError, match=r"entered_between must be \(first, last\)"):
        hours_to_contact(firsts, PLAIN, AS_OF, entered_between=(date(2026, 1, 2), date(2026, 1, 1)))
