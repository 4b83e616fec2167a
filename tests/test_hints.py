"""What would read the cells that cannot be read: each hint, stated, reads them."""

import random
from datetime import datetime

import duckdb
import pytest
from projects import NAME, TOML, prepared, refused, write

from funnelstats.config.dates import checked_format, checked_formats
from funnelstats.config.errors import FunnelError, visible
from funnelstats.importing.cells import BLANKS
from funnelstats.importing.hints import date_hint, number_hint
from funnelstats.importing.prepare import prepare

pytestmark = pytest.mark.usefixtures("here")


def made(files, toml=TOML):
    return prepared(toml, {"entries.csv": "id,stage,at\n", **files})


def told(files, toml=TOML):
    return refused(toml, {"entries.csv": "id,stage,at\n", **files})


# Dates


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("2026-01-05 15:07:00 +0300", "%Y-%m-%d %H:%M:%S %z"),
        ("2026-01-05 15:07:00 UTC", "%Y-%m-%d %H:%M:%S %Z"),
        ("2026-01-05 15:07 GMT", "%Y-%m-%d %H:%M %Z"),
        ("25.01.2026 15:07 +03:00", "%d.%m.%Y %H:%M %z"),
        ("25.01.2026 15:07 GMT+03:00", "%d.%m.%Y %H:%M GMT%z"),
        ("05 Jan 2026 15:07", "%d %b %Y %H:%M"),
        ("Jan 05, 2026", "%b %d, %Y"),
        ("01/25/2026 02:30 PM", "%m/%d/%Y %I:%M %p"),
        ("1/25/26 2:30:15 pm", "%m/%d/%y %I:%M:%S %p"),
    ],
)
def test_a_date_gets_the_format_that_reads_it(text, fmt):
    assert date_hint([text]) == f'date_format = "{fmt}" would read them'
    stated = TOML.replace("[leads]", f'[leads]\ndate_format = "{fmt}"')
    day = made({"leads.csv": f'id,created\na,"{text}"\n'}, stated)["leads"]["created_on"][0]
    assert str(day).startswith("2026-01-")


@pytest.mark.parametrize("zone", ["BST", "MSK", "GMT+3", "Europe/Berlin"])
def test_a_name_of_several_clocks_is_refused_with_the_word_to_state_timezone(zone):
    toml = TOML + 'date_format = "%Y-%m-%d %H:%M %Z"\n'
    files = {"entries.csv": f"id,stage,at\na,lead,2026-07-05 10:00 {zone}\n"}
    message = told(files, toml)
    assert "1 of 1 rows cannot be used" in message
    if "/" not in zone:
        assert f'"{zone}" is the name of several clocks or of none: state timezone, and date_format = ' in message
        stated = message.rpartition("date_format = ")[2]
        assert stated == f'"%Y-%m-%d %H:%M {zone}"'
        read = made(files, TOML + f'date_format = {stated}\ntimezone = "America/Halifax"\n')["entries"]
        assert str(read["entered_at"][0]) == "2026-07-05 13:00:00"


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\u2009", "  "])
def test_whatever_blank_a_date_holds_is_read_and_hinted_as_a_plain_one(blank):
    files = {"entries.csv": f"id,stage,at\na,lead,25.01.2026{blank}15:07\n"}
    assert told(files).endswith('date_format = "%d.%m.%Y %H:%M" would read them')
    read = made(files, TOML + 'date_format = "%d.%m.%Y %H:%M"\n')["entries"]
    assert str(read["entered_at"][0]) == "2026-01-25 12:07:00"


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("46046.62986111111", "excel"),
        ("25 янв 2026", "%d %b %Y"),
        ("25. Januar 2026", "%d. %b %Y"),
        ("25 Sept 2026", "%d %b %Y"),
        ("25 mai 2026", "%d %b %Y"),
        ("25.01.2026 3:07 p.m.", "%d.%m.%Y %I:%M %p"),
    ],
)
def test_days_of_a_spreadsheet_and_dates_of_other_languages_get_the_format_that_reads_them(text, fmt):
    if fmt not in ("%d. %b %Y",):
        assert date_hint([text]) == f'date_format = "{fmt}" would read them'
    read = made({"leads.csv": f"id,created\na,{text}\n"}, TOML.replace("[leads]", f'[leads]\ndate_format = "{fmt}"'))
    assert read["leads"]["created_on"].notna().all()


WRONG = [
    ("%G-W%V-%a", "must name the day of a week by its number"),
    ("%Y-%U-%A", "must name the day of a week by its number"),
    ("%Y-W%W-%u", "must name the day of a week by its number"),
    ("%Y-%j-%d", "must count days in one way"),
    ("%x", "must name its parts instead of %x"),
    ("%c", "must name its parts instead of %c"),
    ("%d.%m.%Y %I:%M", "must have %I and %p together"),
    ("%d.%m.%Y %H:%M %p", "must have %I and %p together"),
    ("%Y-%m-%d %H:%M:%S+00:00", 'must not end in "+00:00", which would say nothing: %z reads it'),
    ("%Y-%m-%dT%H:%M:%SZ", 'must not end in "Z", which would say nothing'),
]


@pytest.mark.parametrize(("fmt", "message"), WRONG)
def test_formats_that_engines_read_otherwise_are_refused(fmt, message):
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        checked_format(fmt)
    write(TOML + f'date_format = "{fmt}"\n')
    with pytest.raises(FunnelError, match=r"entries.date_format.*must"):
        prepare(NAME)


PARTS = ["%d", "%m", "%b", "%B", "%Y", "%y", "%j", "%G", "%V", "%u", "%U", "%W", "%w", "%a", "%A"]


def test_no_format_that_is_taken_is_read_by_the_engine_otherwise_than_by_python():
    rng = random.Random(2)
    con, taken = duckdb.connect(), 0
    for _ in range(6000):
        fmt = "-".join(rng.sample(PARTS, rng.randint(2, 4))) + rng.choice(["", " %H:%M", " %I:%M:%S %p"])
        try:
            checked_format(fmt)
        except ValueError:
            continue
        at = datetime(
            rng.randint(1971, 2060), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), rng.randint(0, 59)
        )
        text = at.strftime(fmt)
        try:
            known = datetime.strptime(text, fmt)
        except ValueError:
            continue
        (read,) = con.execute("SELECT try_strptime(?, ?)", [text, fmt]).fetchone()
        assert read is None or read == known, (fmt, text)
        taken += read == known
    assert taken > 100


def test_two_formats_by_which_a_text_is_two_days_are_refused():
    with pytest.raises(
        ValueError, match='must not read "03/02/2001" as one day by "%d/%m/%Y" and another by "%m/%d/%Y"'
    ):
        checked_formats(("%d/%m/%Y", "%m/%d/%Y"))
    for fine in (("%d.%m.%Y %H:%M", "%d.%m.%Y", "%d.%m.%y"), ("epoch_ms_day", "epoch_ms"), ("%d.%m.%Y", "%m/%d/%Y")):
        assert checked_formats(fine) == fine


# Numbers


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (["1 234,50", "7"], 'decimal = "," and thousands = " "'),
        (["1,234.50"], 'thousands = ","'),
        (["1'234.50"], 'thousands = "\'"'),
        (["5 ₽", "7 руб."], 'currency_signs = ["руб.", "₽"]'),
        (["EUR 5,5"], 'decimal = "," and currency_signs = ["EUR"]'),
    ],
)
def test_a_number_gets_the_lines_that_read_it(texts, line):
    assert number_hint(texts, ".", "") == f"{line} would read them"
    toml = TOML.replace('created_at = "created"', 'created_at = "created", amount = "sum"', 1)
    toml = toml.replace("[leads]", "[leads]\n" + line.replace(" and ", "\n"))
    rows = "".join(f'a{n},2026-01-05,"{text}"\n' for n, text in enumerate(texts))
    assert made({"leads.csv": f"id,created,sum\n{rows}"}, toml)["leads"]["amount"].notna().all()


def test_a_thousand_is_no_currency():
    assert [number_hint([text], ".", "") for text in ("12k", "~900", "5 тыс.", "5-")] == [""] * 4
    assert number_hint(["$12.5K", "$3M"], ".", "") == 'currency_signs = ["$"] would read them'
    assert number_hint(["1,2 млн", "1.234,5-"], ".", "") == 'decimal = "," and thousands = "." would read them'


def test_two_parts_of_a_duration_get_the_units_that_may_be_meant():
    assert 'unit.duration_s = "mm:ss" or "hh:mm"' in number_hint(["2:35", "12:01"], ".", "")


@pytest.mark.parametrize("digits", ["9" * 400, "-" + "9" * 400, "1" + "0" * 309])
def test_more_digits_than_a_number_can_hold_are_no_number(digits):
    toml = TOML.replace('created_at = "created"', 'created_at = "created", amount = "sum"', 1)
    read = made({"leads.csv": f"id,created,sum\na,2026-01-05,{digits}\nb,2026-01-05,5\n"}, toml)["leads"]
    assert read["amount"].tolist()[1:] == [5]
    assert read["amount"].isna().tolist() == [True, False]


# What a message shows


def test_what_has_no_look_is_shown_by_its_number_and_long_cells_are_cut():
    assert visible("a\u00a0b\x1b[2J\u200bc d") == "a<U+00A0>b<U+001B>[2J<U+200B>c d"
    assert visible("x" * 300) == "x" * 200 + "... (300 characters)"
    assert all(mark == " " or visible(mark) != mark for mark in BLANKS)


def test_a_blank_cell_is_told_as_blank_and_a_header_shows_its_blanks():
    rows = "".join(f",2026-01-0{n}\n" for n in range(1, 9))
    message = told({"leads.csv": f"id,created\n{rows}"})
    assert message.endswith('(8 rows); if these are no rows of the table, leave them out: without = { "id" = "" }')
    assert 'row 2, column "id": is missing' in message
    toml = TOML.replace('lead_id = "id", created_at', 'lead_id = "my id", created_at')
    assert 'did you mean "my<U+00A0>id"?' in told({"leads.csv": "my\u00a0id,created\n"}, toml)


def test_the_mistakes_of_all_tables_and_files_are_told_at_once():
    calls = '\n[contacts]\nfiles = ["c1.csv", "c2.csv"]\ncolumns = { lead_id = "id", at = "at", kind = "k" }\n'
    files = {"entries.csv": "id,stage,at\na,lead,02/01/2026\n", "c1.csv": "id,at\n", "c2.csv": "id,k\n"}
    message = told({**files, "leads.csv": "id,made\n"}, TOML + calls)
    assert message.splitlines()[1:] == [
        "entries: 1 of 1 rows cannot be used, more than max_bad_share = 5%",
        'entries.csv: row 2, column "at": "02/01/2026" is not a date written as ISO (2026-06-28 14:30) (1 row); '
        '"02/01/2026" is ambiguous: state date_format = "%d/%m/%Y" or "%m/%d/%Y"',
        'c1.csv: no column "k"; known: id, at',
        'c2.csv: no column "at"; known: id, k',
    ]


@pytest.mark.parametrize(
    ("stated", "line"),
    [
        ("", 'missing.amount = ["by contract", "on request"]'),
        ('missing.amount = "0"', 'missing.amount = ["0", "by contract", "on request"]'),
        ('missing = "?"', 'missing = ["?", "by contract", "on request"]'),
    ],
)
def test_words_among_amounts_get_the_line_by_which_they_are_blank_beside_those_stated_before(stated, line):
    toml = TOML.replace('created_at = "created"', 'created_at = "created", amount = "sum"')
    sums = ["by contract", "on request", "on request", '"7,5"']
    files = {"leads.csv": "id,created,sum\n" + "".join(f"{n},2026-01-05,{cell}\n" for n, cell in enumerate(sums))}
    message = told(files, toml.replace("[leads]", f"[leads]\n{stated}"))
    assert message.endswith(f'; decimal = "," would read them; if words like these stand for nothing, state {line}')
    amounts = made(files, toml.replace("[leads]", f'[leads]\ndecimal = ","\n{line}'))["leads"]["amount"]
    assert (amounts.isna().sum(), amounts.sum()) == (3, 7.5)


# Ids


@pytest.mark.parametrize(
    ("leads", "stray", "lead", "matter", "ids"),
    [
        (["1", "2"], "1.0", "1", "decimals", "number"),
        (["0001", "0002"], "1", "0001", "lost the zeros", "number"),
        (
            ["0068a00001D0001", "0068a00001D0002"],
            "0068a00001D0001AAH",
            "0068a00001D0001",
            "short ids of 15 letters",
            "salesforce",
        ),
        (["Ab1", "Ab2"], "AB1", "Ab1", "differ in capitals", "capitals"),
        (["{0AF1-7}", "{0AF1-8}"], "0af1-7", "{0AF1-7}", "differ in capitals", "capitals"),
        (["D-17", "D-18"], "#17", "D-17", "around the same digits", ""),
    ],
)
def test_an_id_of_no_lead_gets_the_nearest_and_what_is_the_matter(leads, stray, lead, matter, ids):
    text = "".join(f"{name},2026-01-05\n" for name in leads)
    files = {"leads.csv": f"id,created\n{text}", "entries.csv": f"id,stage,at\n{stray},lead,2026-01-05\n"}
    message = told(files)
    assert f'"{stray}" belongs to no lead (1 row); the lead is most likely "{lead}" for "{stray}": ' in message
    assert matter in message
    if ids:
        assert message.endswith(f'; state ids = "{ids}"')
        read = made(files, TOML + f'ids = "{ids}"\n')
        assert read["entries"]["lead_id"].tolist() == [lead]


def test_a_row_with_too_many_cells_gets_what_is_right():
    assert "must stand in quotes" in told({"leads.csv": "id,created\na,2026-01-05,b\n"})
