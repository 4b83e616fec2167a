"""From an export to canonical tables: dates, numbers, values, joins, what is set aside, and nothing lost."""

import os
import random
import re
import sqlite3
from datetime import datetime
from pathlib import Path

import ibis
import pandas as pd
import pytest
from projects import (
    COLUMN_STAGE,
    ENTRIES,
    FILES,
    FUNNEL,
    LEADS,
    NAME,
    PROCESSED,
    RAW,
    TOML,
    account,
    prepared,
    refused,
    source,
    stage_source,
    tables,
    workbook,
    write,
)

from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import read_funnel
from funnelstats.core.journeys import journeys
from funnelstats.importing import prepare as sources, workbooks
from funnelstats.importing.prepare import prepare

pytestmark = pytest.mark.usefixtures("here")


def created(rows, line="", zone="Europe/Moscow", share=0.05):
    """Instants (UTC) and local dates of dates that can be read as text, and the dates that cannot."""
    head = f"max_bad_share = {share}\n"
    toml = head + TOML.replace("[leads]", f"[leads]\n{line}").replace("Europe/Moscow", zone)
    quoted = [f'{n},"{text}"' for n, text in enumerate(rows)]
    made = prepared(toml, {"leads.csv": "\n".join(["id,created", *quoted]), "entries.csv": "id,stage,at\n"})
    unread = (made["set_aside"]["row"] - 2).astype("str")
    leads = made["leads"][~made["leads"]["lead_id"].isin(unread)]
    kept = [None if pd.isna(at) else str(at) for at in leads["created_at"]]
    on = [None if pd.isna(day) else str(day)[:10] for day in leads["created_on"]]
    return kept, on, made["set_aside"]["value"].tolist()


# Dates


def test_dates_without_a_format_are_iso_in_the_funnels_zone_unless_they_name_another():
    at, on, aside = created(
        ["2026-01-05", "2026-01-05 14:30", "2026-01-05T14:30:15", "2026-01-05T23:30:00Z", "2026-01-05T23:30:00+03:00",
         "2026-01-05 23:30:00+0300", "2026-01-05 23:30:00.123+03", ""]
    )  # fmt: skip
    assert at == [
        "2026-01-04 21:00:00", "2026-01-05 11:30:00", "2026-01-05 11:30:15", "2026-01-05 23:30:00",
        "2026-01-05 20:30:00", "2026-01-05 20:30:00", "2026-01-05 20:30:00.123000", None,
    ]  # fmt: skip
    assert on == [
        "2026-01-05",
        "2026-01-05",
        "2026-01-05",
        "2026-01-06",
        "2026-01-05",
        "2026-01-05",
        "2026-01-05",
        None,
    ]
    assert aside == []


def test_a_stated_format_is_the_only_one_and_its_list_is_tried_in_order():
    formats = 'date_format = ["%d.%m.%Y %H:%M", "%d.%m.%Y"]'
    rows = [
        "05.02.2026 14:30",
        "05.02.2026",
        "5.2.2026",
        "2026-02-05",
        "02/05/2026",
        "31.02.2026",
        "05.02.2026 14:30:15",
    ]
    at, on, aside = created(rows, formats, share=1)
    assert at == ["2026-02-05 11:30:00", "2026-02-04 21:00:00", "2026-02-04 21:00:00"]
    assert on == ["2026-02-05"] * 3
    assert aside == rows[3:]


def test_a_local_date_stays_what_the_export_says_where_clocks_are_changed():
    # In São Paulo the midnight of these days was skipped; in Berlin an hour came twice or never.
    days = ["2017-10-15", "2018-11-04", "2018-02-18"]
    assert created(days, zone="America/Sao_Paulo")[1] == days
    berlin = ["2026-03-29 02:30", "2026-10-25 02:30", "2026-03-29", "2026-10-25 23:59"]
    at, on, _ = created(berlin, zone="Europe/Berlin")
    assert on == [text[:10] for text in berlin]
    assert at[2:] == ["2026-03-28 23:00:00", "2026-10-25 22:59:00"]


@pytest.mark.parametrize("line", ["", 'date_format = ["%d.%m.%Y %H:%M:%S", "%d.%m.%Y"]'])
def test_a_year_that_nobody_lived_in_is_no_date(line):
    rows = ["0001-01-01", "0001-01-01T00:00:00", "0026-01-05T10:00:00Z", "01.01.0001 00:00:00", "05.01.26"]
    assert created(rows, line, share=1) == ([], [], rows)


def test_times_without_an_offset_are_those_of_the_sources_own_zone_but_a_day_stays_that_day():
    formats = 'date_format = ["%d.%m.%Y %H:%M", "%d.%m.%Y"]'
    for line, rows in {
        "": ["2026-01-06 02:30", "2026-01-06", "2026-01-06T00:00:00", "2026-01-06T02:30:00+03:00"],
        formats: ["06.01.2026 02:30", "06.01.2026", "2026-01-06T00:00:00", "2026-01-06T02:30:00+03:00"],
    }.items():
        at, on, aside = created(rows, f'{line}\ntimezone = "UTC"', zone="America/New_York")
        assert at == ["2026-01-06 02:30:00", "2026-01-06 05:00:00", "2026-01-06 05:00:00", "2026-01-05 23:30:00"]
        assert on == ["2026-01-05", "2026-01-06", "2026-01-06", "2026-01-05"]
        assert aside == []


def test_a_format_with_an_offset_names_an_instant():
    rows = ["05.01.2026 10:00 +0300", "05.01.2026 10:00 +00:00", "05.01.2026 10:00 -05:30", "05.01.2026 10:00"]
    at, on, aside = created(rows, 'date_format = "%d.%m.%Y %H:%M %z"\ntimezone = "Asia/Tokyo"', share=1)
    assert at == ["2026-01-05 07:00:00", "2026-01-05 10:00:00", "2026-01-05 15:30:00"]
    assert on == ["2026-01-05"] * 3
    assert aside == rows[3:]
    named = [f"05.01.2026 10:00 {name}" for name in ("UTC", "GMT", "Z")]
    assert created(named, 'date_format = "%d.%m.%Y %H:%M %Z"')[0] == ["2026-01-05 10:00:00"] * 3


@pytest.mark.parametrize(
    ("fmt", "texts", "instants"),
    [
        ("epoch_s", ["1767616215", "1767616215.5", "1767616215000", "0", "x"], ["15", "15.500000"]),
        ("epoch_ms", ["1767616215000", "1767616215123", "1767616215", "0", ""], ["15", "15.123000", None]),
        ("epoch_us", ["1767616215000000", "1767616215123456", "1767616215123", "0"], ["15", "15.123456"]),
    ],
)
def test_seconds_milli_and_microseconds_since_1970_are_instants_and_not_taken_for_one_another(fmt, texts, instants):
    at, _, aside = created(texts, f'date_format = "{fmt}"\ntimezone = "Asia/Tokyo"', share=1)
    assert at == [end and f"2026-01-05 12:30:{end}" for end in instants]
    assert aside == [text for text in texts if text][2:]
    told = refused(files={"leads.csv": f"id,created\na,{texts[0]}\n"})
    assert told.endswith(f'date_format = "{fmt}" would read them')


# Numbers, flags, values, ids


def amounts(texts, line):
    toml = "max_bad_share = 1\n" + TOML.replace("[leads]", f"[leads]\n{line}")
    toml = toml.replace('created_at = "created"', 'created_at = "created", amount = "sum"', 1)
    rows = [f'{n},,"{text}"' for n, text in enumerate(texts)]
    made = prepared(toml, {"leads.csv": "\n".join(["id,created,sum", *rows]), "entries.csv": "id,stage,at\n"})
    read = made["leads"].set_index("lead_id")["amount"]
    unread = {str(row - 2) for row in made["set_aside"]["row"]}
    return ["refused" if str(n) in unread else read[str(n)] for n in range(len(texts))]


@pytest.mark.parametrize(
    ("line", "texts", "numbers"),
    [
        ("", ["1234.5", "-3", "+4", "1,5", "1 000", "abc", "1e3", "1."], [1234.5, -3, 4, *["refused"] * 5]),
        ('decimal = ","', ["1234,5", "-3", "1.5", "1,2,3"], [1234.5, -3, "refused", "refused"]),
        (
            'decimal = ","\nthousands = " "',
            ["1 234,50", "1\u00a0234\u202f567", "1234", "12 34", "1 2345"],
            [1234.5, 1234567, 1234, "refused", "refused"],
        ),
        ('thousands = ","', ["1,234.50", "12,34,567", "1,5", "1,23"], [1234.5, 1234567, "refused", "refused"]),
        ('decimal = ","\nthousands = "."', ["1.234.567,8", "1.5"], [1234567.8, "refused"]),
        (
            'decimal = ","\nthousands = " "\ncurrency_signs = ["₽", "руб.", "$"]',
            ["1 234,50 ₽", "5 руб.", "$7", "-$8", "€9"],
            [1234.5, 5, 7, -8, "refused"],
        ),
        (
            'decimal = ","\nthousands = " "\ncurrency_signs = "€"',
            [
                "\u2212500,00",
                "-€ 500,00",
                "\u2212 \u20ac500",
                "€ -500",
                "1\u2009234,50",
                "(500)",
                "(€\u00a01 234,50)",
                "€(5)",
            ],
            [-500, -500, -500, -500, 1234.5, -500, -1234.5, -5],
        ),
        (
            'thousands = ","',
            ["(1,234.50)", "( 7 )", "(-7)", "((7))", "(7", "7)", "()"],
            [-1234.5, -7, *["refused"] * 5],
        ),
        ('thousands = "\'"', ["1'234.50", "1\u2019234.50"], [1234.5, 1234.5]),
        ('thousands = "\u2019"', ["1'234.50", "1\u2019234.50"], [1234.5, 1234.5]),
    ],
)
def test_numbers_are_read_as_declared_and_never_otherwise(line, texts, numbers):
    assert amounts(texts, line) == numbers


def test_missing_values_are_those_declared_for_the_column():
    missing = 'missing = { amount = ["0", "n/a"] }'
    assert [str(number) for number in amounts(["0", "n/a", "5", ""], missing)] == ["nan", "nan", "5.0", "nan"]


RICH = LEADS.replace(
    'created_at = "created"', 'created_at = "created", channel = "source", ready_need = "need", manager = "owner"'
)


def rich(rows, line=""):
    toml = "max_bad_share = 1\n" + FUNNEL + RICH.replace("[leads]", f"[leads]\n{line}") + ENTRIES
    text = "\n".join(["id,created,source,need,owner", *rows])
    return prepared(toml, {"leads.csv": text, "entries.csv": "id,stage,at\n"})


def test_flags_are_yes_no_or_unknown_in_two_languages():
    words = ["yes", "TRUE", "1", "да", "no", "False", "0", "Нет", "", "maybe"]
    made = rich([f"{n},,,{word}," for n, word in enumerate(words)])
    assert made["leads"]["ready_need"].astype(object).tolist()[:8] == [True] * 4 + [False] * 4
    assert made["leads"]["ready_need"].isna().tolist()[8:] == [True, True]
    assert made["set_aside"]["reason"].tolist() == ["is neither yes nor no; map it with values.ready_need"]


def test_values_are_replaced_as_mapped_and_the_others_stay():
    made = rich(
        ["a,,Web,x,", "b,,web ,,", "c,,unknown,,", "d,,,,", "e,,-,,"],
        'values = { channel = { Web = "web" }, ready_need = { x = "yes" } }\nmissing = { channel = "-" }',
    )
    channels = made["leads"]["channel"].astype(object)
    assert channels.where(channels.notna(), None).tolist() == ["web", "web", "unknown", None, None]
    assert made["leads"]["ready_need"].tolist()[0] is True


def test_ids_keep_leading_zeros_and_19_digits_and_lost_digits_are_refused():
    ids = ["007", "7", "9007199254740993001", "9.00720E+18", "9,00720E+18", "1E+18", "\u00a0x ", "1e5"]
    made = rich([f'"{lead}",,,,' for lead in ids])
    assert made["leads"]["lead_id"].tolist() == ["007", "7", "9007199254740993001", "x", "1e5"]
    assert made["set_aside"]["value"].tolist() == ["9.00720E+18", "9,00720E+18", "1E+18"]
    assert set(made["set_aside"]["reason"]) == {"has lost digits; export ids as text"}


# Stages


def test_a_stage_that_is_mapped_to_nothing_is_an_error_with_every_such_value():
    rows = "id,stage,at\na,lead,2026-01-05\na,New,2026-01-06\na,New,2026-01-07\nb,Won,2026-01-08\n"
    assert refused(files={"entries.csv": rows}).splitlines() == [
        'entries.csv: row 3, column "stage": "New" (2 rows) is mapped to no stage; '
        'add it to values.stage, or state unmapped = "ignore"',
        'entries.csv: row 5, column "stage": "Won" (1 row) is mapped to no stage; '
        'add it to values.stage, or state unmapped = "ignore"',
    ]


def test_unmapped_and_ignored_stages_are_left_out_and_counted_by_value():
    rows = "id,stage,at\na,Начало,2026-01-05\na,Test,not a date\na,Other,\nb,Other,2026-01-08\n,Other,\n"
    toml = TOML + 'unmapped = "ignore"\nvalues.stage = { "Начало" = "lead", Test = "ignore" }\n'
    made = prepared(toml, {"entries.csv": rows})
    assert made["entries"]["stage"].tolist() == ["lead"]
    assert account("entries")["ignored"] == {"Other": 3, "Test": 1}
    assert account("entries")["rows_set_aside"] == 0


def test_a_blank_stage_is_set_aside():
    rows = "id,stage,at\n" + "a,lead,2026-01-05\n" * 1 + "b,,2026-01-05\n"
    made = prepared("max_bad_share = 1\n" + TOML, {"entries.csv": rows})
    assert made["set_aside"][["row", "column", "reason"]].values.tolist() == [[3, "stage", "is missing"]]


def test_only_the_rows_with_the_declared_values_are_read_and_the_others_counted():
    toml = TOML.replace("[leads]", '[leads]\nonly = { kind = ["deal", "Deal"] }')
    text = "id,created,kind\na,2026-01-05,deal\nb,2026-01-06, Deal \nc,nonsense,task\nd,,\n"
    made = prepared(toml, {"leads.csv": text})
    assert made["leads"]["lead_id"].tolist() == ["a", "b"]
    assert account()["ignored"] == {"kind = ": 1, "kind = task": 1}


def test_rows_that_hold_what_is_stated_are_left_out_and_counted():
    toml = TOML.replace("[leads]", '[leads]\nwithout = { kind = ["Total", ""], id = "z" }')
    text = "id,created,kind\na,2026-01-05,deal\nTotal:,x, Total \n,,\nz,x,deal\n"
    made = prepared(toml, {"leads.csv": text, "entries.csv": "id,stage,at\n"})
    assert made["leads"]["lead_id"].tolist() == ["a"]
    assert account()["ignored"] == {"id = z": 1, "kind = ": 1, "kind = Total": 1}
    told = refused(toml.replace("kind", "knd"), {"leads.csv": text})
    assert told == 'leads.csv: no column "knd"; did you mean "kind"?'


def test_a_stage_of_rows_that_are_not_read_needs_no_mapping():
    toml = TOML + 'only = { field = "Stage" }\nwithout = { id = "Total" }\n'
    rows = "id,stage,at,field\na,lead,2026-01-05,Stage\na,Bob,2026-01-06,Owner\nTotal,40,,Stage\n"
    made = prepared(toml, {"entries.csv": rows})
    assert made["entries"]["stage"].tolist() == ["lead"]
    assert account("entries")["ignored"] == {"field = Owner": 1, "id = Total": 1}
    told = refused(toml, {"entries.csv": rows + "a,Odd,2026-01-07,Stage\n"})
    assert 'row 5, column "stage": "Odd" (1 row) is mapped to no stage' in told


def test_an_end_known_by_its_day_comes_last_on_that_day():
    """Created at 10:00, met at 9:00 on the 10th, refused "on the 10th": one lead, not two."""
    for end in ("lost", "nurture"):
        rows = f"id,stage,at\na,lead,2026-01-05 10:00\na,met,2026-01-10 09:00\na,{end},2026-01-10\n"
        made = prepared(files={"entries.csv": rows})["entries"]
        assert made["entered_at"].astype(str).tolist()[2] == "2026-01-10 06:00:00"
        assert made["entered_on"].astype(str).tolist() == ["2026-01-05", "2026-01-10", "2026-01-10"]
        paths = journeys(ibis.memtable(made), read_funnel(NAME)).execute()
        assert paths[["episode", f"{end}_on"]].drop_duplicates().astype(str).values.tolist() == [["1", "2026-01-10"]]


def test_a_stage_known_by_its_day_does_not_put_the_lead_back_or_give_it_another_owner():
    toml = TOML.replace('entered_at = "at"', 'entered_at = "at", manager = "who"')
    rows = "id,stage,at,who\na,lead,2026-01-10 10:00,Ann\na,met,2026-01-10,Bob\na,paid,2026-01-10 12:00,Cid\n"
    made = prepared(toml, {"entries.csv": rows})["entries"]
    path = journeys(ibis.memtable(made), read_funnel(NAME)).execute().sort_values("place")
    assert path["manager"].tolist() == ["Ann", "Bob", "Cid"]
    assert path["back_on"].isna().all()


@pytest.mark.parametrize("zone", ["Europe/Moscow", "America/Sao_Paulo"])
def test_days_without_an_hour_tie_with_their_day_as_in_a_plain_loop(zone):
    """Random mixed histories; in São Paulo the first of the days has no midnight."""
    rng = random.Random(5)
    days, places = ["2017-10-15", "2017-10-16"], {"lead": 0, "met": 1, "paid": 2, "lost": 3}
    texts = [f"{day} {hour:02}:00" for day in days for hour in (7, 9, 12, 20)] + days * 3
    rows = [(rng.choice("ab"), rng.choice(list(places)), rng.choice(texts)) for _ in range(40)]
    rows = list(dict.fromkeys(rows))
    toml = TOML.replace("Europe/Moscow", zone)
    made = prepared(toml, {"entries.csv": "id,stage,at\n" + "".join(",".join(row) + "\n" for row in rows)})["entries"]
    assert len(made) == len(rows)
    for (lead, stage, text), entry in zip(rows, made.itertuples(), strict=True):
        before = [
            at for other, earlier, at in rows
            if other == lead and places[earlier] < places[stage] and at.startswith(text) and len(at) > 10
        ]  # fmt: skip
        wall = max([text, *before]) if len(text) == 10 else text
        clock = pd.Timestamp(wall).tz_localize(zone, nonexistent="shift_forward").tz_convert("UTC").tz_localize(None)
        assert (entry.lead_id, entry.stage, entry.entered_at) == (lead, stage, clock)
        assert str(entry.entered_on)[:10] == text[:10]


APART = "Андреи\u0306"  # й of two characters, as some systems write it


def test_names_that_look_the_same_are_the_same_in_cells_headers_statement_and_file_names():
    toml = TOML.replace('entered_at = "at"', f'entered_at = "at", manager = "{APART}"').replace(
        "entries.csv", "Андрей.csv"
    )
    toml += f'values.stage = {{ "{APART}" = "lead" }}\n'
    rows = f"id,stage,at,Андрей\na,Андрей,2026-01-05,Андрей\nb,{APART},2026-01-06,{APART}\n"
    made = prepared(toml, {f"{APART}.csv": rows})["entries"]
    assert made["manager"].tolist() == ["Андрей"] * 2
    assert made["stage"].tolist() == ["lead"] * 2


def test_titles_above_a_header_are_passed_over_in_a_source_and_in_a_joined_file():
    toml = JOINED.replace("MORE", ", header_row = 2").replace("[leads]", "[leads]\nheader_row = 3")
    files = {"leads.csv": "Deals\n\n" + TEAMS["leads.csv"], "teams.csv": "Teams\nkey,name\n7,Anna\n"}
    assert prepared(toml, {**TEAMS, **files})["leads"]["manager"].tolist()[0] == "Anna"
    told = refused(toml, {**TEAMS, **files, "leads.csv": files["leads.csv"] + ",2026-02-28,7\n"})
    assert 'leads.csv: row 7, column "id": is missing' in told


def test_a_stage_without_dates_is_kept_apart_and_the_others_still_need_one():
    toml = 'undated = ["listed"]\nmax_bad_share = 1\n' + TOML
    made = prepared(toml, {"entries.csv": "id,stage,at\na,listed,\nb,lead,\nb,listed,2026-01-05\n"})
    kept = made["entries"]
    assert kept["stage"].tolist() == ["listed", "listed"]
    assert kept["entered_at"].isna().tolist() == [True, False]
    assert made["set_aside"][["row", "column", "reason"]].values.tolist() == [[3, "at", "is missing"]]


@pytest.mark.parametrize(
    ("only", "paid"),
    [('only = { status = "Won" }', ["a", "b"]), ("", ["a"]), ('only = { status = ["Won", ""] }', ["a"])],
)
def test_a_win_that_its_status_tells_is_one_without_its_date_too(only, paid):
    text = "id,created,status,closed,sum\na,2026-01-05,Won,2026-01-09,7\nb,2026-01-06,Won,,8\nc,2026-01-07,,,\n"
    toml = TOML + stage_source("paid", "leads.csv", only, lead_id="id", entered_at="closed")
    toml += source("payments", "leads.csv", 'only = { status = "Won" }', lead_id="id", paid_at="closed", amount="sum")
    made = prepared(toml, {"leads.csv": text})
    entries = made["entries"]
    assert entries[entries["stage"] == "paid"]["lead_id"].tolist() == paid
    assert made["payments"]["amount"].tolist() == [7, 8]
    assert made["payments"]["paid_at"].isna().tolist() == [False, True]


def test_of_two_rows_of_one_refusal_the_one_with_the_reason_stays():
    toml = TOML.replace('entered_at = "at"', 'entered_at = "at", reason = "why"')
    lines = "id,stage,at,why\na,lead,2026-01-05,\na,lost,2026-01-09,\na,lost,2026-01-09,price\n"
    made = prepared(toml, {"entries.csv": lines})
    assert made["entries"]["reason"].dropna().tolist() == ["price"]
    assert made["set_aside"]["row"].tolist() == [3]


# Joins

TEAMS = {
    "leads.csv": "id,created,owner\na,2026-01-05, 7 \nb,2026-01-06,9\nc,2026-01-06,\n",
    "entries.csv": "id,stage,at\n",
}
JOINED = TOML.replace(
    'columns = { lead_id = "id", created_at = "created" }',
    'columns = { lead_id = "id", created_at = "created", manager = "name" }\n'
    'join = { files = "teams.csv", left = "owner", right = "key"MORE }',
)


def joined(teams, more="", toml=JOINED):
    return {"toml": toml.replace("MORE", more), "files": {**TEAMS, "teams.csv": teams}}


def test_a_joined_file_adds_its_columns_and_rows_without_a_match_stay():
    made = prepared(**joined("key,name\n7,Anna\n8,Boris\n,Nobody\n,Nobody\n"))
    managers = made["leads"]["manager"].astype(object)
    assert managers.where(managers.notna(), None).tolist() == ["Anna", None, None]
    assert account()["rows_in"] == 3


def test_rows_without_a_match_are_left_out_and_counted_where_declared():
    made = prepared(**joined("key,name\n7,Anna\n", ', unmatched = "ignore"'))
    assert made["leads"]["lead_id"].tolist() == ["a"]
    assert account()["ignored"] == {"not found in teams.csv": 2}


def test_a_joined_file_may_hold_a_key_once_only():
    told = refused(**joined("key,name\n7,Anna\n8,B\n7,Boris\n"))
    assert told == (
        'teams.csv: row 4: key "7" stands there again; a join needs it once, and 1 of 2 stand there several times. '
        "Join by a key that names one row, such as the id of the deal itself, or join a file that holds each key once; "
        'if it names a contact who has several leads, state lead_by = { "owner" = ... } instead of the join'
    )


def test_a_joined_file_must_be_whole_and_have_the_named_columns():
    assert refused(**joined("key,name\n7,Anna,x\n")) == (
        'teams.csv: row 2 has 3 fields where the header has 2: "7,Anna,x"; a joined file must be whole'
    )
    assert refused(**joined("keys,name\n7,Anna\n")) == 'teams.csv: no column "key"; did you mean "keys"?'
    assert refused(**joined("key,names\n7,Anna\n")).startswith('leads.csv: no column "name"; ')


def test_a_joined_file_may_have_an_encoding_of_its_own():
    teams = "key,name\n7,Анна\n".encode("cp1251")
    assert prepared(**joined(teams, ', encoding = "cp1251"'))["leads"]["manager"].tolist()[0] == "Анна"


def test_a_column_of_both_files_is_an_error_until_a_prefix_tells_them_apart():
    told = refused(**joined("key,name,created\n7,Anna,2020-01-01\n"))
    assert told == (
        'leads.csv: a file joined to it has a column "created" too; '
        'state a prefix for the columns of one, for example join.prefix = "joined."'
    )
    toml = JOINED.replace('"name"', '"team.name"')
    made = prepared(**joined("key,name,created\n7,Anna,2020-01-01\n", ', prefix = "team."', toml))
    assert made["leads"]["manager"].tolist()[0] == "Anna"
    assert made["leads"]["created_on"].astype(str).tolist()[0] == "2026-01-05"
    told = refused(**joined("key,Created\n7,Anna\n", "", JOINED.replace('"name"', '"Created"')))
    assert told.startswith('leads.csv: a file joined to it has a column "Created" too; state a prefix')


def test_columns_of_both_files_that_nobody_asked_for_do_no_harm():
    teams = "key,name,note\n7,Anna,x\n"
    files = {"leads.csv": "id,created,owner,note\na,2026-01-05,7,y\n", "teams.csv": teams}
    made = prepared(JOINED.replace("MORE", ""), {**TEAMS, **files})
    assert made["leads"]["manager"].tolist() == ["Anna"]


def test_two_joins_can_stand_side_by_side():
    toml = JOINED.replace("join = {", "join = [{").replace(
        "MORE }", ' }, { files = "x.csv", left = "id", right = "k" }]'
    )
    toml = toml.replace("[leads]", '[leads]\nattributes = { size = "size" }')
    made = prepared(toml, {**TEAMS, "teams.csv": "key,name\n7,Anna\n", "x.csv": "k,size\na,10\n"})
    assert made["leads"][["manager", "size"]].astype(object).values.tolist()[0] == ["Anna", "10"]
    told = refused(toml, {**TEAMS, "teams.csv": "key,name\n7,Anna\n", "x.csv": "k,size,name\na,10,x\n"})
    assert 'a file joined to it has a column "name" too' in told


# What is set aside, and nothing lost


def test_rows_that_repeat_or_belong_to_no_lead_are_set_aside_the_first_stays():
    rows = "id,stage,at\na,lead,2026-01-05\nz,lead,2026-01-05\na,lead,2026-01-05\na,lead,2026-01-06\n"
    files = {"leads.csv": "id,created\na,2026-01-05\nb,2026-01-06\na,2026-01-07\n", "entries.csv": rows}
    made = prepared("max_bad_share = 0.3\n" + TOML, files)
    assert made["leads"]["created_on"].astype(str).tolist() == ["2026-01-05", "2026-01-06"]
    assert made["entries"]["entered_on"].astype(str).tolist() == ["2026-01-05", "2026-01-06"]
    assert made["set_aside"].drop(columns=["cost", "code"]).astype(str).values.tolist() == [
        ["leads", "leads.csv", "4", "id", "a", "repeats lead_id of row 2"],
        ["entries", "entries.csv", "3", "id", "z", "belongs to no lead"],
        ["entries", "entries.csv", "4", "id", "a", "repeats lead_id and stage and entered_at of row 2"],
    ]


CALLS = {"calls.csv": "id,phone,at\na,49301,2026-01-06\n,49302,2026-01-06\nz,,2026-01-06\nz,49303,2026-01-07\n"}


@pytest.mark.parametrize("leads", ["columns.lead_id", "lead_by"])
def test_contacts_of_no_lead_are_left_out_and_counted_where_it_is_stated(leads):
    files = CALLS | {"leads.csv": "id,created,phone\na,2026-01-05,49301\nb,2026-01-06,49309\n"}
    toml = TOML.replace("[leads]", '[leads]\nattributes = { phone = "phone" }') if leads == "lead_by" else TOML
    known = {"at": "at"} if leads == "lead_by" else {"at": "at", "lead_id": "id"}
    lines = ['constants = { kind = "call" }', *(['lead_by = { phone = "phone" }'] if leads == "lead_by" else [])]
    said = refused(toml + source("contacts", "calls.csv", *lines, **known), files)
    assert 'where others than leads are contacted too, state no_lead = "ignore"' in said
    made = prepared(toml + source("contacts", "calls.csv", 'no_lead = "ignore"', *lines, **known), files)
    assert made["contacts"]["lead_id"].tolist() == ["a"]
    assert account("contacts")["ignored"] == {"of no lead": 3}
    assert made["set_aside"].empty


def test_repeats_are_no_reason_to_stop_but_too_many_bad_rows_are():
    rows = "id,created\n" + "a,2026-01-05\n" * 50 + "b,2026-01-06\n"
    prepared(files={"leads.csv": rows, "entries.csv": "id,stage,at\n"})
    bad = "id,stage,at\n" + "".join(f"a,lead,2026-01-{n:02}\n" for n in range(1, 31)) + "x,lead,2026-01-05\n" * 2
    bad += "y,lead,2026-01-05\n"
    told = refused(files={"entries.csv": bad})
    assert told.splitlines() == [
        "entries: 2 of 33 rows cannot be used, more than max_bad_share = 5%",
        'entries.csv: row 32, column "id": "x" belongs to no lead (2 rows); ids of leads look like "a"',
    ]


def test_a_column_that_some_files_may_lack_is_blank_there():
    files = {"leads.csv": "id,created\na,2026-01-05\n", "more.csv": "id,created,from\nb,2026-01-06,Fair\n"}
    toml = TOML.replace('files = ["leads.csv"]', 'files = ["leads.csv", "more.csv"]').replace(
        'created_at = "created"', 'created_at = "created", channel = "from"'
    )
    assert 'leads.csv: no column "from"' in refused(toml, files)
    lacking = toml.replace("[leads]", '[leads]\nmay_lack = "from"')
    assert prepared(lacking, files)["leads"]["channel"].fillna("").tolist() == ["", "Fair"]


def test_several_files_and_patterns_are_one_table_and_each_row_keeps_its_file():
    toml = "max_bad_share = 1\n" + TOML.replace('["leads.csv"]', '["deals/*.csv", "late.csv"]')
    for year, text in {
        "2025": "id,created\na,2025-01-05\n",
        "2026": "created,id,x\n2026-01-05,b,1\n2026-01-05,,1\n",
    }.items():
        (RAW / "deals").mkdir(parents=True, exist_ok=True)
        (RAW / "deals" / f"{year}.csv").write_text(text)
    made = prepared(toml, {"late.csv": "id;created\nd;2026-02-01\na;2026-02-02\n", "entries.csv": "id,stage,at\n"})
    assert made["leads"]["lead_id"].tolist() == ["a", "b", "d"]
    assert made["set_aside"][["file", "row", "reason"]].values.tolist() == [
        ["deals/2026.csv", 3, "is missing"],
        ["late.csv", 3, "repeats lead_id of row 2"],
    ]
    assert [(file["file"], file["rows"]) for file in account()["files"]] == [
        ("deals/2025.csv", 1),
        ("deals/2026.csv", 2),
        ("late.csv", 2),
    ]


def test_all_missing_files_are_told_at_once_with_the_near_miss():
    toml = TOML.replace("leads.csv", "lead.csv").replace('"entries.csv"', '"2026/*.xlsx", "entries.csv"')
    assert refused(toml).splitlines() == [
        'data/raw/team: no file "lead.csv"; did you mean "leads.csv"?',
        'data/raw/team: no file "2026/*.xlsx"; known: entries.csv, leads.csv',
    ]


def test_what_has_a_files_name_and_is_none_is_not_called_missing():
    folder = write()
    (folder / "leads.csv").unlink()
    (folder / "leads.csv").symlink_to("gone.csv")
    with pytest.raises(FunnelError, match=r'team: "leads\.csv" is no file that can be read, but .* a link to nothing'):
        prepare(NAME)


@pytest.mark.parametrize("pattern", ["/etc/passwd", "", "../other/leads.csv", "a/../../other/*.csv"])
def test_a_file_elsewhere_is_refused(pattern):
    write(name="other")
    Path("data", "raw", NAME, "a").mkdir(parents=True)
    told = refused(TOML.replace("leads.csv", pattern))
    assert told == f'data/raw/team: files must lie in this folder, got "{pattern}"'


def dirty_rows(rng, rows, make, fields):
    """Lines of a file of which about a third is spoilt in every way known."""
    lines = []
    for _ in range(rows):
        cells = make()
        spoil = rng.random()
        if spoil < 0.05:
            cells = cells[:-1]
        elif spoil < 0.1:
            cells = [*cells, "too many"]
        elif spoil < 0.25:
            cells[rng.randrange(fields)] = rng.choice(["", " ", "?", "32.13.2026", "1,5", '"two\nlines"', "9.1E+18"])
        lines.append(",".join(cells))
        lines += rng.choice([[], [], [], [lines[-1]], [""]])
    return lines


@pytest.mark.parametrize("seed", range(4))
def test_no_row_of_a_dirty_export_is_lost(seed):
    rng = random.Random(seed)

    def day():
        return datetime(2026, rng.randint(1, 12), rng.randint(1, 28)).strftime("%Y-%m-%d")

    def lead():
        return [str(rng.randint(1, 150)), day(), rng.choice(["1", "2.5", ""]), rng.choice(["deal", "deal", "task"])]

    def entry():
        return [str(rng.randint(1, 170)), rng.choice(["lead", "met", "paid", "lost", "Test", "Odd"]), day()]

    raw = {"leads.csv": dirty_rows(rng, 200, lead, 4), "entries.csv": dirty_rows(rng, 500, entry, 3)}
    toml = "max_bad_share = 1\n" + TOML.replace("[leads]", '[leads]\nonly = { kind = "deal" }')
    toml = toml.replace('created_at = "created"', 'created_at = "created", amount = "sum"', 1)
    toml += 'unmapped = "ignore"\nvalues.stage = { Test = "ignore" }\n' + COLUMN_STAGE.replace(
        "first_meeting", "created"
    )
    headers = {"leads.csv": "id,created,sum,kind", "entries.csv": "id,stage,at"}
    made = prepared(toml, {file: "\n".join([headers[file], *lines]) for file, lines in raw.items()})
    assert made["leads"]["lead_id"].is_unique
    assert not made["leads"]["lead_id"].isna().any()
    for table, files in {"leads": ["leads.csv"], "entries": ["entries.csv", "leads.csv"]}.items():
        told = account(table)
        written = sum(len([line for line in raw[file] if line]) for file in files)
        aside = made["set_aside"].query("table == @table and cost == 'row'")
        assert told["rows_in"] == written
        assert told["rows_in"] == len(made[table]) + told["rows_ignored"] + len(aside)
        assert told["rows_ignored"] == sum(told["ignored"].values())
        assert not aside.duplicated(["file", "row"]).any() or table == "entries"
        for _, row in aside[aside["reason"].str.contains("fields where")].iterrows():
            assert row["row"] >= 2


# When a preparation is made, and when not


def test_an_unchanged_input_is_not_prepared_twice_and_a_changed_one_is():
    write()
    assert prepare(NAME) is True
    first = (PROCESSED / "leads.parquet").stat().st_mtime_ns
    assert prepare(NAME) is False
    assert (PROCESSED / "leads.parquet").stat().st_mtime_ns == first
    write(files={"leads.csv": FILES["leads.csv"] + "c,2026-02-01\n"})
    assert prepare(NAME) is True
    write(TOML.replace("Europe/Moscow", "Asia/Tokyo"), {"leads.csv": FILES["leads.csv"] + "c,2026-02-01\n"})
    assert prepare(NAME) is True
    assert prepare(NAME) is False


def test_a_file_with_another_name_is_another_input():
    write(TOML.replace('"leads.csv"', '"lead*.csv"'))
    assert prepare(NAME) is True
    (RAW / "leads.csv").rename(RAW / "leads_2026.csv")
    assert prepare(NAME) is True
    assert account()["files"][0]["file"] == "leads_2026.csv"


def test_the_same_files_give_the_same_bytes():
    write()
    prepare(NAME)
    first = {path.name: path.read_bytes() for path in PROCESSED.iterdir()}
    (PROCESSED / "quality.json").unlink()
    prepare(NAME)
    assert {path.name: path.read_bytes() for path in PROCESSED.iterdir()} == first


def test_a_preparation_that_fails_leaves_the_old_data_and_no_hidden_folders(monkeypatch):
    write()
    prepare(NAME)
    before = {path.name: path.read_bytes() for path in PROCESSED.iterdir()}

    def the_same_as_before():
        assert [path.name for path in PROCESSED.parent.iterdir()] == [NAME]
        assert {path.name: path.read_bytes() for path in PROCESSED.iterdir()} == before

    write(files={"leads.csv": "id,created\na,nonsense\n"})
    with pytest.raises(FunnelError):
        prepare(NAME)
    the_same_as_before()
    write(files={"leads.csv": FILES["leads.csv"] + "c,2026-02-01\n"})
    for module, name in ((sources, "odd_facts"), (sources.os, "replace")):
        moved = []

        def fail(*paths, moved=moved):
            moved.append(paths)
            if len(paths) != 2 or len(moved) == 2 or not isinstance(paths[1], os.PathLike):
                raise RuntimeError("the disk is full")
            return os.rename(*paths)

        with monkeypatch.context() as patched:
            patched.setattr(module, name, fail)
            with pytest.raises(RuntimeError, match="the disk is full"):
                prepare(NAME)
        the_same_as_before()
    assert prepare(NAME) is True
    assert len(tables()["leads"]) == 3


def test_every_table_and_kind_of_column_arrives_with_its_type():
    toml = TOML + source("contacts", "calls.csv", lead_id="id", at="at", kind="kind", duration_s="s", reached="ok")
    toml += source("payments", "payments.csv", lead_id="id", paid_at="at", amount="sum")
    toml += source("costs", "costs.csv", date="day", channel="channel", amount="sum")
    files = {
        "calls.csv": "id,at,kind,s,ok\na,2026-01-05 10:00,call,60,yes\n",
        "payments.csv": "id,at,sum\na,2026-01-05,100\n",
        "costs.csv": "day,channel,sum\n2026-01-05,web,5.5\n",
    }
    kinds = {table: frame.dtypes.astype(str).to_dict() for table, frame in prepared(toml, files).items()}
    instant = "datetime64[us]"
    assert kinds["leads"] == {"lead_id": "str", "created_at": instant, "created_on": "object"}
    assert kinds["contacts"] == {
        "lead_id": "str", "at": instant, "on": "object", "kind": "str", "duration_s": "float64", "reached": "bool",
    }  # fmt: skip
    assert kinds["payments"] == {"lead_id": "str", "paid_at": instant, "paid_on": "object", "amount": "float64"}
    assert kinds["costs"] == {"date": "object", "channel": "str", "amount": "float64"}
    assert list(kinds["entries"]) == ["lead_id", "stage", "entered_at", "entered_on", "manager", "reason"]


def test_a_database_table_is_a_source_and_is_always_prepared_anew(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "crm.sqlite") as con:
        con.execute("create table deals (id text, created text)")
        con.execute("insert into deals values ('a', '2026-01-05'), ('b', '2026-01-06')")
    con.close()
    monkeypatch.setenv("CRM_URL", f"sqlite://{tmp_path}/crm.sqlite")
    toml = TOML.replace('files = ["leads.csv"]', 'database = "env:CRM_URL"\ntable = "deals"')
    made = prepared(toml)
    assert made["leads"]["lead_id"].tolist() == ["a", "b"]
    assert prepare(NAME) is True
    assert not re.search("sqlite", (PROCESSED / "quality.json").read_text())


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ('sheet = "Deals"', "XLSX"),
        ('rows = "history"', "JSON"),
        ('join = { files = "leads.csv", left = "id", right = "id", sheet = "Deals" }', "XLSX"),
    ],
)
def test_a_key_that_no_file_of_its_kind_has_is_refused(line, kinds):
    told = refused(TOML.replace("[leads]", f"[leads]\n{line}"))
    key = re.findall(r"(\w+) = ", line)[-1]
    assert told == f"leads.csv: {key}: only {kinds} files have it, and this was read as CSV (,); leave it out"


def test_a_key_that_one_of_several_files_has_is_none_too_many():
    deals = workbook(Deals=[["id", "created"], ["c", "2026-01-05"]])
    toml = TOML.replace('files = ["leads.csv"]', 'files = "leads.*"\nsheet = "Deals"')
    assert prepared(toml, {"leads.xlsx": deals})["leads"]["lead_id"].tolist() == ["a", "b", "c"]


def test_a_preparation_removes_what_a_killed_one_left_of_the_same_funnel():
    left, others = (PROCESSED.with_name(f".{name}.ab_de123") for name in (NAME, "other"))
    for folder in (left, others):
        folder.mkdir(parents=True)
        (folder / "leads.parquet").write_text("half a table")
    prepared(TOML)
    assert sorted(PROCESSED.parent.iterdir()) == [others, PROCESSED]


THIRD = "deals.xlsx", "header_row = 3"
BOOK = (
    FUNNEL
    + source("leads", *THIRD, lead_id="id", created_at="created")
    + stage_source("lead", *THIRD, lead_id="id", entered_at="created")
    + stage_source("met", *THIRD, lead_id="id", entered_at="met")
    + source("payments", *THIRD, lead_id="id", paid_at="created", amount="paid")
)


def deals(leads, *below):
    return workbook(Deals=[["Deals"], [], ["id", "created", "met", "paid"], *leads, *below])


DEALS = [[f"a{n}", datetime(2026, 1, n), datetime(2026, 2, n) if n % 2 else None, 10 * n] for n in range(1, 25)]


@pytest.fixture
def times_read(monkeypatch):
    """How often a workbook was read."""
    times = []
    area = workbooks._area

    def counted(*given):
        times.append(1)
        return area(*given)

    monkeypatch.setattr(workbooks, "_area", counted)
    return times


@pytest.mark.parametrize("below", [[], [["Total", None, None, 3000]]], ids=["", "closed"])
def test_a_workbook_is_read_once_and_not_again_until_it_changes(times_read, below):
    book = {"deals.xlsx": deals(DEALS, *below)}
    first = prepared(BOOK, book)
    assert len(times_read) == 1
    assert (len(first["leads"]), len(first["entries"]), first["payments"]["amount"].sum()) == (24, 36, 3000)
    assert set(first["set_aside"]["row"]) == ({28} if below else set())
    kept = [*PROCESSED.glob("kept_*")]
    write(BOOK.replace('"Team"', '"Sales"'), book)
    assert prepare(NAME)
    assert (len(times_read), [*PROCESSED.glob("kept_*")]) == (1, kept)
    pd.testing.assert_frame_equal(tables()["entries"], first["entries"])
    prepare(f"{NAME}.anonymous")
    assert [*Path("data").rglob("kept_*")] == kept
    whole = kept[0].read_bytes()
    for damaged in (whole[:-9], whole[:40] + b"\xff" * 200 + whole[240:], whole[:-40] + bytes(40)):
        kept[0].write_bytes(damaged)  # a machine lost its power
        write(BOOK.replace('"Team"', f'"Team {len(damaged)} {damaged[40]}"'), book)
        assert prepare(NAME)
        assert len(tables()["leads"]) == 24
    assert len(prepared(BOOK, {"deals.xlsx": deals(DEALS[:9])})["leads"]) == 9
    assert len(now := [*PROCESSED.glob("kept_*")]) == 1
    assert now != kept
