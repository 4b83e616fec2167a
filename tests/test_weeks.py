"""Weeks that begin on Sunday count what weeks that begin on Monday count of the same export a day later."""

from datetime import date, timedelta

import pandas as pd
import pytest
from projects import ENTRIES, FUNNEL, LEADS, prepared, source

import funnelstats as fs
from funnelstats.refusals.counts import refusal_counts
from funnelstats.team.counts import wins_by_week

pytestmark = pytest.mark.usefixtures("here", "sundays")

MORE = source("payments", "paid.csv", lead_id="id", paid_at="at", amount="sum")


def counted(week_starts, moved):
    """What is counted by week of an export whose days are moved so many days; its weeks as days since the first."""
    first = date(2026, 1, 5) + timedelta(days=moved)
    days = {n: first + timedelta(days=n) for n in range(60)}
    entries, paid = ["id,stage,at"], ["id,at,sum"]
    for n in range(30):
        moves = {"lead": 0, "met": 3, "lost" if n % 2 else "paid": 9}
        entries += [f"L{n},{stage},{days[n + after]}" for stage, after in moves.items()]
        paid += [] if n % 2 else [f"L{n},{days[n + 10]},100"]
    leads = ["id,created", *(f"L{n},{days[n]}" for n in range(30))]
    files = {"leads.csv": leads, "entries.csv": entries, "paid.csv": paid}
    prepared(
        f'week_starts = "{week_starts}"\n{FUNNEL}{LEADS}{ENTRIES}{MORE}', {k: "\n".join(v) for k, v in files.items()}
    )
    funnel, tables = fs.open_funnel("team")
    paths, as_of = fs.journeys(tables.entries, funnel).cache(), days[50]
    frames = [
        fs.step_counts(paths, funnel, as_of, by="week"),
        wins_by_week(paths, tables.payments, funnel, (days[0], days[41])),
        refusal_counts(paths, funnel, days[0], days[50], by="week"),
    ]
    return [frame.assign(week=(pd.to_datetime(frame["week"]) - pd.Timestamp(first)).dt.days) for frame in frames]


def test_weeks_that_begin_on_sunday_count_alike():
    for monday, sunday in zip(counted("monday", 0), counted("sunday", -1), strict=True):
        pd.testing.assert_frame_equal(monday, sunday)
        assert (monday["week"] % 7 == 0).all()
        assert monday["week"].nunique() > 3
