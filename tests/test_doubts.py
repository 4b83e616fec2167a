"""Cells that say something else than they seem to: days stored as instants, swapped dates, groups, lists, units."""

from datetime import datetime

import pandas as pd
import pytest
from projects import NAME, TOML, prepared, source, workbook, write

from funnelstats.config.errors import FunnelError
from funnelstats.importing.opening import read_quality
from funnelstats.importing.prepare import prepare

NEW_YORK = TOML.replace("Europe/Moscow", "America/New_York")
DAYS = [f"2026-03-{n:02}" for n in range(2, 12)]


pytestmark = pytest.mark.usefixtures("here")


def facts(*names):
    found = [fact for fact in read_quality(NAME).facts if fact["fact"] in names]
    return [(fact["fact"], fact["detail"], fact["count"], fact.get("mend")) for fact in found]


def log_of(rows, toml=NEW_YORK, header="id,stage,at", leads=60, came="2026-01-01"):
    """The entries of a log of these lines, of leads that all came on a day."""
    text = "".join(f"d{n},{came}\n" for n in range(leads))
    return prepared(toml, {"leads.csv": f"id,created\n{text}", "entries.csv": "\n".join([header, *rows])})["entries"]


# Days stored as midnight UTC


def history(end, toml=NEW_YORK):
    """Ten leads met at 15:00 on a day and refused on it, as a text made of the day; the ends' local dates."""
    lines = []
    for n, day in enumerate(DAYS):
        lines += [f"d{n},met,{day}T15:00:00-05:00", f"d{n},lost,{end(day)}"]
    entries = log_of(lines, toml, leads=10, came="2026-03-01T10:00:00-05:00")
    ends = entries[entries["stage"] == "lost"].sort_values("lead_id")
    met = entries[entries["stage"] == "met"].sort_values("lead_id")
    assert (ends["entered_at"].values >= met["entered_at"].values).all(), "the end comes after the meeting of its day"
    return ends["entered_on"].astype(str).tolist()


@pytest.mark.parametrize("written", ["{}T00:00:00Z", "{}T00:00:00.000Z", "{}T03:00:00+03:00", "{} 00:00:00+00:00"])
def test_a_stage_whose_rows_are_all_at_midnight_utc_holds_days(written):
    assert history(written.format) == DAYS
    assert facts("utc_days", "utc_midnights") == [("utc_days", "at", 10, None)]


def test_a_column_of_milliseconds_that_are_all_midnight_utc_holds_days():
    rows = [f"d{n},{1772409600000 + 86_400_000 * n}" for n in range(10)]
    toml = NEW_YORK.replace("[leads]", '[leads]\ndate_format = "epoch_ms"')
    made = prepared(toml, {"leads.csv": "\n".join(["id,created", *rows]), "entries.csv": "id,stage,at\n"})
    assert made["leads"]["created_on"].astype(str).tolist() == DAYS
    assert facts("utc_days") == [("utc_days", "created", 10, None)]


@pytest.mark.parametrize(
    ("written", "zone", "detail", "line"),
    [
        ("{} 12:00", "Europe/Moscow", "at: 12:00", 'date_format.entered_at = "%Y-%m-%d 12:00"'),
        ("{}T09:00:00Z", "America/New_York", "at: 04:00", 'date_format.entered_at = "%Y-%m-%dT09:00:00Z"'),
        ("{} 00:00", "Europe/Moscow", "", ""),
        ("{} 1{}:00", "Europe/Moscow", "", ""),
    ],
)
def test_times_that_all_show_one_hour_are_told_as_days_with_the_line_that_reads_them_so(written, zone, detail, line):
    rows = [f"d{n},lead,{day} 09:{n}0" for n, day in enumerate(DAYS[:5])]
    rows += [f"d{n},lost,{written.format(day, n % 2)}" for n, day in enumerate(DAYS)]
    toml = TOML.replace("Europe/Moscow", zone)
    log_of(rows, toml)
    assert facts("one_clock") == ([("one_clock", detail, 10, line)] if detail else [])
    if zone == "Europe/Moscow":
        both = 'date_format.entered_at = ["%Y-%m-%d 12:00", "%Y-%m-%d %H:%M"]\n'
        log_of(rows, toml + both)
        assert facts("one_clock") == []


@pytest.mark.parametrize(
    ("last", "line"),
    [
        ("2026-03-12T00:00:00Z", 'date_format.entered_at = "%Y-%m-%dT09:00:00Z"'),
        ("2026-03-12T10:00:00+01:00", None),
    ],
)
def test_one_hour_is_told_beside_a_day_in_utc_and_without_a_line_where_it_is_written_in_two_ways(last, line):
    log_of([*(f"d{n},lost,{day}T09:00:00Z" for n, day in enumerate(DAYS)), f"d10,lost,{last}"])
    assert facts("one_clock") == [("one_clock", "at: 04:00", 10 if line else 11, line)]


def test_days_can_be_stated_and_the_other_texts_are_read_as_before():
    toml = NEW_YORK + 'date_format.entered_at = "%Y-%m-%dT00:00:00Z"\n'
    assert history("{}T00:00:00Z".format, toml) == DAYS
    assert facts("utc_days", "utc_midnights") == []
    texts = ["1772409600000", "1772409600001"]
    toml = NEW_YORK.replace("[leads]", '[leads]\ndate_format = ["epoch_ms_day", "epoch_ms"]')
    made = prepared(toml, {"leads.csv": f"id,created\na,{texts[0]}\nb,{texts[1]}\n", "entries.csv": "id,stage,at\n"})
    assert made["leads"]["created_on"].astype(str).tolist() == ["2026-03-02", "2026-03-01"]


def clocked(number, hour, stage="lead"):
    return f"d{number},{stage},2026-03-{number % 9 + 1:02}T{hour}Z"


def test_dates_at_midnight_utc_among_whole_hours_are_told_with_the_line_that_makes_them_days():
    rows = [clocked(n, "00:00:00" if n % 2 else ("15:00:00", "16:00:00")[n % 4 // 2]) for n in range(40)]
    line = 'date_format.entered_at = "%Y-%m-%dT00:00:00Z"'
    log_of(rows)
    assert facts("utc_days", "utc_midnights") == [("utc_midnights", "at", 20, line)]
    log_of(rows, NEW_YORK + line)
    assert facts("utc_days", "utc_midnights") == []


def test_a_few_refusals_at_midnight_utc_among_timed_rows_are_days_and_reopen_nothing():
    timed = [clocked(n, f"{14 + n % 5}:{n % 59 + 1:02}:07", ("lead", "met", "lost")[n % 3]) for n in range(60)]
    rows = [*timed, *(f"d{n},lost,2026-04-0{n + 1}T00:00:00Z" for n in range(3))]
    rows += [f"d{n},met,2026-04-0{n + 1}T15:20:00Z" for n in range(3)]
    entries = log_of(rows)
    assert facts("utc_days", "utc_midnights") == [("utc_days", "at", 3, None)]
    last = entries[entries["entered_on"].astype(str) > "2026-03-31"].groupby("lead_id")["entered_at"]
    assert (last.nunique() == 1).all(), "a refusal of that day comes with the meeting, not before it"
    assert facts("ends_soon_reopened") == []


def test_few_midnights_and_those_of_a_funnel_in_utc_are_what_they_say():
    log_of(["d0,lead,2026-03-02T00:00:00Z", "d1,lead,2026-03-03T00:00:00Z", "d2,lead,2026-03-03T10:00:00Z"])
    assert facts("utc_days", "utc_midnights") == []
    rows = [f"d{n % 9},lead,{day}T00:00:00Z" for n, day in enumerate(DAYS)]
    log_of(rows, TOML.replace("Europe/Moscow", "UTC"))
    assert facts("utc_days", "utc_midnights") == []


# Workbooks


def opened_in_excel(rows, toml):
    """The project with this log as a workbook."""
    leads = "id,created\n" + "".join(f"d{n},2026-01-01\n" for n in range(60))
    log = workbook(Log=[["id", "stage", "at"], *rows])
    write(toml.replace("entries.csv", "entries.xlsx"), {"leads.csv": leads, "entries.xlsx": log})
    prepare(NAME)


def spoilt(days):
    """A month-first log opened in a day-first Excel: what could be a date is one, with day and month swapped."""
    return [
        [f"d{n}", "lead", datetime(2026, day.day, day.month) if day.day <= 12 else f"{day:%m/%d/%Y}"]
        for n, day in enumerate(days)
    ]


MONTH_FIRST = TOML + 'date_format = "%m/%d/%Y"\n'


def test_true_dates_that_are_all_swapped_stop_with_their_number():
    rows = spoilt(pd.date_range("2026-01-01", periods=40))
    with pytest.raises(FunnelError) as told:
        opened_in_excel(rows, MONTH_FIRST)
    true = sum(not isinstance(row[2], str) for row in rows)
    assert str(told.value).startswith(
        f'entries.xlsx: column "at" holds {true} true dates and {40 - true} texts; every true date has a day of 12 or '
        "less and every text one above: Excel has most likely swapped day and month"
    )


def test_true_dates_of_a_whole_month_beside_texts_are_no_swap():
    rows = [[f"d{n}", "lead", datetime(2026, 1, n + 1) if n % 2 else f"01/{n + 1:02}/2026"] for n in range(28)]
    opened_in_excel(rows, MONTH_FIRST)
    assert facts("dates_swapped") == []
    rows = [[f"d{n}", "lead", datetime(2026, 1, n % 12 + 1) if n % 2 else f"01/{n + 1:02}/2026"] for n in range(28)]
    opened_in_excel(rows, MONTH_FIRST)
    assert facts("dates_swapped") == [("dates_swapped", "at", 14, None)]


OWNED = "id,stage,at,owner,why"
MANAGED = TOML.replace('entered_at = "at"', 'entered_at = "at", manager = "owner", reason = "why"')


def test_an_owner_who_stands_in_the_first_row_of_a_group_only_is_told():
    for names in (["Anna", "Boris"], ["Anna", "Boris", "Anna", "Boris", "Anna", "Boris", "Anna", "Boris"]):
        size = 40 // len(names)
        rows = [f"d{n},lead,2026-01-{n % 28 + 1:02},{names[n // size] if n % size == 0 else ''}," for n in range(40)]
        log_of(rows, MANAGED, OWNED)
        assert facts("grouped_managers") == [
            ("grouped_managers", "owner", 40 - len(names), '# [entries]\nfill_down = "owner"')
        ]


@pytest.mark.parametrize("owners", [("Anna", "", "", "Anna", ""), ("Anna", "Boris", "", "", "")])
def test_blanks_here_and_there_are_no_groups(owners):
    rows = [f"d{n},lead,2026-01-{n % 28 + 1:02},{owners[n % 5]}," for n in range(40)]
    log_of(rows, MANAGED, OWNED)
    assert facts("grouped_managers") == []


# Units and lists


def test_calls_of_more_than_an_hour_are_told_as_milliseconds_until_that_is_stated():
    calls = source("contacts", "calls.csv", lead_id="id", at="at", kind="k", duration_s="s")
    for seconds, told in ((45, []), (45_000, [("long_calls", "45,000", 3, '# [contacts]\nunit.duration_s = "ms"')])):
        rows = (
            "id,at,k,s\n" + "".join(f"a,2026-01-0{n},call,{seconds}\n" for n in range(1, 4)) + "a,2026-01-05,call,0\n"
        )
        prepared(TOML + calls, {"calls.csv": rows})
        assert facts("long_calls") == told
    read = prepared(TOML + calls + 'unit.duration_s = "ms"\n', {"calls.csv": rows})
    assert facts("long_calls") == []
    assert read["contacts"]["duration_s"].tolist() == [45, 45, 45, 0]


def refusals(*reasons, more=""):
    log_of([f'd{n},lost,2026-01-05,Anna,"{why}"' for n, why in enumerate(reasons)], more + MANAGED, OWNED)
    return facts("several_reasons")


FIRST = '# [entries]\nfirst_of.reason = ";"'


def owners(*names):
    log_of([f'd{n},met,2026-03-0{n + 2} 10:00,"{name}",' for n, name in enumerate(names)], MANAGED, OWNED)
    return facts("several_managers")


def test_several_reasons_in_one_cell_are_told_whatever_stands_between_them():
    assert refusals("price", "timing", "price;timing", "timing; price", "price/timing") == [
        ("several_reasons", "price/timing", 3, FIRST)
    ]
    assert refusals("price;timing", "price;timing", "other") == [("several_reasons", "price;timing", 2, FIRST)]
    assert refusals("price", "timing", "price/timing") == [
        ("several_reasons", "price/timing", 1, 'values.reason = { "price/timing" = "price" }')
    ]


def test_several_people_in_one_cell_are_told_and_a_name_with_a_comma_is_one_person():
    assert owners("Anna; Boris", "Anna", "Boris") == [
        ("several_managers", "Anna; Boris", 1, '# [entries]\nfirst_of.manager = ";"')
    ]
    assert owners("Smith, Anna", "Smith, Boris", "Lee, Anna", "Anna") == []


def test_a_comma_or_slash_within_one_reason_and_a_list_that_is_sorted_out_are_no_several_reasons():
    assert refusals("no budget, not this year", "price/quality", "price") == []
    assert refusals("price/quality", "price/quality", "other") == []
    stated = 'refusals.categories = { "price;timing" = "price", "timing; price" = "price" }\n'
    assert refusals("price", "timing", "price;timing", "timing; price", more=stated) == []
