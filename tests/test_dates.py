"""Days, weeks, months and quarters as they are written, and which of them is over."""

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given, strategies as st

from funnelstats.config.dates import (
    last_complete_month,
    last_complete_quarter,
    last_complete_week,
    month_days,
    month_of,
    parse_day,
    quarter_days,
    quarter_of,
    week_days,
    week_of,
)
from funnelstats.config.errors import FunnelError
from funnelstats.importing.opening import alarm_window
from funnelstats.reporting.titles import period_words


@pytest.mark.parametrize("day", ["09.01.2026", "2026-02-30", "", "yesterday"])
def test_a_day_that_is_none_says_how_to_write_it(day):
    with pytest.raises(FunnelError, match=f'no date "{day}"; write it like 2026-06-28'):
        parse_day(day)


@pytest.mark.parametrize(
    ("week", "monday", "sunday"),
    [
        ("2026-W01", "2025-12-29", "2026-01-04"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2020-W53", "2020-12-28", "2021-01-03"),
        ("2024-W09", "2024-02-26", "2024-03-03"),
    ],
)
def test_a_week_is_from_monday_to_sunday_by_iso(week, monday, sunday):
    assert week_days(week) == (date.fromisoformat(monday), date.fromisoformat(sunday))


@pytest.mark.parametrize(
    "week",
    ["2025-W53", "2026-W54", "2026-W00", "2026W26", "2026-w26", "26-W26", "2026-W6", "2026-W26 ", "", "0000-W01"],
)
def test_a_week_that_is_none_says_how_to_write_it(week):
    with pytest.raises(FunnelError, match=f'no week "{week}"; write it like 2026-W26'):
        week_days(week)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_every_day_lies_in_its_week_and_the_last_complete_one_is_over(day):
    monday, sunday = week_days(week_of(day))
    assert monday <= day <= sunday
    assert (sunday - monday).days == 6
    _, over = week_days(last_complete_week(day))
    assert over <= day < over + timedelta(days=7)


@pytest.mark.parametrize(
    ("day", "week"),
    [("2027-01-02", "2026-W52"), ("2027-01-03", "2026-W53"), ("2027-01-04", "2026-W53"), ("2026-01-04", "2026-W01")],
)
def test_a_week_is_complete_on_its_sunday(day, week):
    assert last_complete_week(parse_day(day)) == week


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-00", "2026-6", "202606", "2026-06 ", "26-06", "", "0000-01", "９026-06", "9999-12"]
)
def test_a_month_that_is_none_says_how_to_write_it(month):
    with pytest.raises(FunnelError, match=f'no month "{month}"; write it like 2026-06'):
        month_days(month)


@pytest.mark.parametrize(
    ("month", "day", "quarter", "days"),
    [
        (4, date(2026, 3, 31), "FY2025-04-Q4", (date(2026, 1, 1), date(2026, 3, 31))),
        (4, date(2026, 4, 1), "FY2026-04-Q1", (date(2026, 4, 1), date(2026, 6, 30))),
        (2, date(2026, 1, 31), "FY2025-02-Q4", (date(2025, 11, 1), date(2026, 1, 31))),
        (12, date(2026, 2, 28), "FY2025-12-Q1", (date(2025, 12, 1), date(2026, 2, 28))),
    ],
)
def test_quarters_of_a_fiscal_year_are_named_by_the_month_it_begins_with(fiscal, month, day, quarter, days):
    fiscal(month)
    assert (quarter_of(day), quarter_days(quarter)) == (quarter, days)
    assert last_complete_quarter(days[1]) == quarter
    assert last_complete_quarter(days[1] - timedelta(days=1)) == quarter_of(days[0] - timedelta(days=1))
    with pytest.raises(FunnelError, match=f'no quarter "FY2026-13-Q1"; write it like FY20..-{month:02}-Q'):
        quarter_days("FY2026-13-Q1")


@pytest.mark.usefixtures("sundays")
@pytest.mark.parametrize(
    ("day", "week", "first"),
    [
        (date(2026, 6, 20), "2026-W25-Sun", date(2026, 6, 14)),
        (date(2026, 6, 21), "2026-W26-Sun", date(2026, 6, 21)),
        (date(2026, 6, 27), "2026-W26-Sun", date(2026, 6, 21)),
        (date(2025, 12, 28), "2026-W01-Sun", date(2025, 12, 28)),
    ],
)
def test_weeks_that_begin_on_sunday_are_named_by_the_iso_week_of_their_monday(day, week, first):
    last = first + timedelta(days=6)
    assert (week_of(day), week_days(week)) == (week, (first, last))
    assert last_complete_week(last) == week
    assert last_complete_week(last - timedelta(days=1)) == week_of(first - timedelta(days=1))
    with pytest.raises(FunnelError, match='no week "2026-W54-Sun"; write it like 2026-W26-Sun'):
        week_days("2026-W54-Sun")


def test_a_week_that_begins_on_sunday_is_known_by_its_name_whatever_weeks_the_funnel_has():
    assert week_days("2026-W26-Sun") == (date(2026, 6, 21), date(2026, 6, 27))
    assert alarm_window("2026-W26-Sun") == (date(2025, 6, 29), date(2026, 6, 27))


def test_a_fiscal_quarter_is_not_called_like_one_of_the_calendar(fiscal):
    fiscal(4)
    assert period_words("quarter", *quarter_days("FY2026-04-Q4")) == "Q4 of the fiscal year from April 2026"


@pytest.mark.parametrize("quarter", ["2026-Q0", "2026-Q5", "2026Q1", "2026-q1", "2026-Q01", "", "2026-1"])
def test_a_quarter_that_is_none_says_how_to_write_it(quarter):
    with pytest.raises(FunnelError, match=f'no quarter "{quarter}"; write it like 2026-Q2'):
        quarter_days(quarter)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_every_day_lies_in_its_month_and_its_quarter_of_three_months(day):
    first, last = month_days(month_of(day))
    assert (first, last.day) == (day.replace(day=1), monthrange(day.year, day.month)[1])
    begin, end = quarter_days(quarter_of(day))
    assert begin <= first <= last <= end
    assert begin.month in (1, 4, 7, 10)
    assert len({month_of(begin + timedelta(days=n)) for n in range((end - begin).days + 1)}) == 3


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_the_last_complete_month_and_quarter_are_over_and_the_next_ones_are_not(day):
    for days, of, complete in (
        (month_days, month_of, last_complete_month),
        (quarter_days, quarter_of, last_complete_quarter),
    ):
        _, over = days(complete(day))
        assert over <= day
        _, following = days(of(over + timedelta(days=1)))
        assert day < following
