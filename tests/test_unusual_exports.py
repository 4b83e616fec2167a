"""Exports of unusual shape are read as they are, or with one key that says what they are."""

from __future__ import annotations

import io
import shutil
from datetime import datetime, time, timedelta

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from projects import ENTRIES, FUNNEL, LEADS, NAME, RAW, REPOSITORY, TOML, account, prepared, refused, tables

from funnelstats.importing.prepare import prepare

pytestmark = pytest.mark.usefixtures("here")

CASES = REPOSITORY.parent / "shared" / "cases"


def of_case(case, *changes):
    """The prepared tables of a folder of ../shared, with changes of its statement."""
    if not (CASES / case).is_dir():
        pytest.skip(f"../shared/cases/{case} absent")
    shutil.copytree(CASES / case, RAW)
    toml = (RAW / "funnel.toml").read_text(encoding="utf-8")
    for before, after in changes:
        assert before in toml
        toml = toml.replace(before, after)
    (RAW / "funnel.toml").chmod(0o644)
    (RAW / "funnel.toml").write_text(toml, encoding="utf-8")
    prepare(NAME)
    return tables()


MANAGER = 'entered_at = "at", manager = "owner" }'
REASON = 'reason = "reason" }'
MET = {"lead_id": "20", "stage": "met", "entered_on": "2026-01-27"}
"""Of each shape what changes in the statement, a table with its number of rows, and what its last row holds."""
SHAPES = {
    "const": ([('values.channel = { "" = "Facebook" }', 'constants.channel = "Facebook"'), (', channel = "src"', "")],
              "leads", 20, {"channel": "Facebook"}),
    "datetime2": ([], "entries", 20, {"entered_at": "2026-01-24 09:22:00"}),
    "floatid": ([(MANAGER, f'{MANAGER}\nids = "number"')], "entries", 40, MET),
    "footer": ([], "leads", 20, {"lead_id": "20", "manager": "Anna"}),
    "hms": ([], "contacts", 20, {"duration_s": "155.0"}),
    "jsonarr": ([], "leads", 20, {"lead_id": "20", "amount": "100.0"}),
    "jsonlhist": ([("[[entries]]", '[[entries]]\nrows = "propertiesWithHistory.dealstage"')],
                  "entries", 40, {"stage": "lead", "entered_at": "2026-01-24 10:00:00"}),
    "months": ([], "entries", 20, {"entered_on": "2026-01-24"}),
    "ms": ([('"dur" }', '"dur" }\nunit.duration_s = "ms"')], "contacts", 20, {"duration_s": "45.0"}),
    "multi": ([(REASON, f'{REASON}\nfirst_of.reason = ";"')], "entries", 661, {"lead_id": "D0260"}),
    "nbspdate": ([], "entries", 40, MET | {"entered_at": "2026-01-27 14:07:00"}),
    "sapminus": ([], "leads", 20, {"amount": "-1234.5"}),
    "sept": ([], "entries", 12, {"entered_on": "2025-12-05"}),
    "serial": ([(MANAGER, f'{MANAGER}\ndate_format = "excel"')],
               "entries", 40, MET | {"entered_at": "2026-01-27 14:07:00"}),
    "sfid": ([(REASON, f'{REASON}\nids = "salesforce"')], "entries", 154, {"lead_id": "0068a00001D0060"}),
    "short": ([], "leads", 20, {"lead_id": "20", "amount": "100.0"}),
    "trail": ([], "leads", 20, {"lead_id": "20", "amount": "100.0"}),
    "xlgroup": ([('"st.xlsx"', '"st.xlsx"\nfill_down = "owner"')], "entries", 40, MET | {"manager": "Boris"}),
    "xlserial": ([('amount = "amount" }', 'amount = "amount" }\ndate_format = "excel"')],
                 "leads", 20, {"created_on": "2026-01-25"}),
    "zeroid": ([(REASON, f'{REASON}\nids = "number"')], "entries", 154, {"lead_id": "0060", "stage": "won"}),
}  # fmt: skip


@pytest.mark.parametrize("case", SHAPES)
def test_the_shapes_of_the_shared_cases_are_read(case):
    changes, table, rows, last = SHAPES[case]
    found = of_case(f"cannot-be-read/{case}", *changes)
    assert len(found[table]) == rows
    assert {name: str(found[table].iloc[-1][name]) for name in last} == last
    assert set(found["set_aside"]["code"]) == ({"closing"} if case == "footer" else set())


def test_a_contact_of_several_leads_counts_for_the_one_created_last_before_it():
    lead_by = 'columns = { at = "At", kind = "Kind" }\nlead_by = { "Contact" = "contact" }\nshared = "latest"'
    found = of_case(
        "contact-id-join",
        ('created_at = "Created" }', 'created_at = "Created" }\nattributes = { contact = "Contact" }'),
        ('columns = { lead_id = "d.ID", at = "At", kind = "Kind" }', lead_by),
        ('join = { files = "deals.csv", left = "Contact", right = "Contact", prefix = "d." }', ""),
    )
    assert found["contacts"]["lead_id"].tolist() == ["D2", "D3"]


TABLE = """
[leads]
files = "leads.csv"
columns = { lead_id = "id", created_at = "created", manager = "owner", amount = "sum" }
"""
ROWS = "id,created,owner,sum\n17,2026-01-05,Anna,1\n18,2026-01-06,Boris,2\n19,2026-01-07,Anna,3\n"
NO_ENTRIES = {"entries.csv": "id,stage,at\n"}


def leads_of(text, stated="", **more):
    found = prepared(FUNNEL + TABLE + stated + ENTRIES, {"leads.csv": text, **NO_ENTRIES, **more})
    return found["leads"], found["set_aside"]


# Closing lines


CLOSINGS = {
    "a total": "Total,,,6\n",
    "a total with its number in a cell": "Grand Total: 3,,,\n",
    "a total in Russian": "Итого:,,,6\n",
    "who made it, below a blank line": "\nAcme\n",
    "who made it and when": "Generated by: Anna,05.01.2026\n",
    "a sentence": "Confidential - do not distribute\n",
    "one word that is no id": "Confidential\n",
    "several": "\nTotal,,,6\n\nCopyright (c) 2026\nAcme\n",
}


@pytest.mark.parametrize("closing", CLOSINGS.values(), ids=CLOSINGS)
def test_lines_below_a_table_are_no_rows_and_no_bad_ones(closing):
    leads, aside = leads_of(ROWS + closing)
    assert leads["lead_id"].tolist() == ["17", "18", "19"]
    assert set(aside["code"]) == {"closing"}
    assert account()["rows_in"] == 3 + sum(map(bool, closing.splitlines()))


def test_subtotals_between_groups_are_no_rows_whatever_column_names_them():
    rows = "owner,id,created,sum\nAnna,17,2026-01-05,1\nSubtotal,,,1\n,18,2026-01-06,2\nBoris Total,,,2\n,Count,,3\n"
    leads, aside = leads_of(rows, 'fill_down = "owner"\n')
    assert dict(zip(leads["lead_id"], leads["manager"], strict=True)) == {"17": "Anna", "18": "Anna"}
    assert aside["row"].tolist() == [3, 5, 6]


def test_a_workbook_has_closing_lines_too():
    rows = [line.split(",") for line in ROWS.splitlines()] + [["Total", None, None, 6], [], ["Acme"]]
    leads, aside = leads_of(workbook(rows))
    assert (len(leads), aside["row"].tolist(), set(aside["code"])) == (3, [5, 7], {"closing"})


@pytest.mark.parametrize(
    "row",
    ["20\n", "20,,,\n", "20,2026-01-08,Total,4\n", "20,2026-01-08,,\n", "Confidential,2026-01-08,Anna,4\n"],
)
def test_rows_that_say_little_or_strange_things_of_a_lead_stay(row):
    leads, aside = leads_of(ROWS + row)
    assert len(leads) == 4
    assert aside.empty


def test_many_lines_at_the_end_that_say_nothing_are_bad_rows():
    entries = "id,stage,at,owner\n17,lead,2026-01-05,Anna\n" + "\nx y,,,\n" * 11
    files = {"leads.csv": ROWS, "entries.csv": entries}
    assert "entries: 11 of 12 rows cannot be used" in refused(FUNNEL + TABLE + ENTRIES, files)
    found = prepared(FUNNEL + TABLE + ENTRIES, files | {"entries.csv": entries.replace("\nx y,,,\n", "", 1)})
    assert set(found["set_aside"]["code"]) == {"closing"}


def test_a_line_that_stands_in_a_column_beside_the_id_is_none_either():
    rows = "owner,id,created,sum\nAnna,17,2026-01-05,1\nReport made by Boris,,,\n"
    leads, aside = leads_of(rows)
    assert (len(leads), aside["code"].tolist()) == (1, ["closing"])


def test_a_joined_file_may_have_closing_lines():
    toml = (
        FUNNEL
        + TABLE.replace('"owner"', '"x.Name"')
        + 'join = { files = "u.csv", left = "owner", right = "ID", prefix = "x." }\n'
    )
    users = "ID,Name\nAnna,Anna Berg\nBoris,Boris B\nTotal,\n\nTotal,\n"
    found = prepared(toml + ENTRIES, {"leads.csv": ROWS, **NO_ENTRIES, "u.csv": users})
    assert found["leads"]["manager"].tolist() == ["Anna Berg", "Boris B", "Anna Berg"]


def test_lines_left_out_as_declared_stay_so():
    leads, aside = leads_of(f"{ROWS}Total,,,6\n", 'without = { id = "Total" }\n')
    assert (len(leads), len(aside), account()["ignored"]) == (3, 0, {"id = Total": 1})


# Rows and headers


def workbook(rows):
    room, made = io.BytesIO(), openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(room)
    return room.getvalue()


TWO_ROWS = [
    ["Deal", "Owner", "Met", None, "Paid", None],
    [None, "Name", "Date", "Owner", "Date", "Owner"],
    ["a", "Anna", "2026-01-09", "Boris", None, None],
    ["b", "Anna", "2026-01-10", "Anna", "2026-02-01", "Clara"],
]
STAGES = """
[leads]
files = "wide.csv"
columns = { lead_id = "Deal", manager = "Owner / Name" }
header_row = [1, 2]
[[entries]]
files = "wide.csv"
stage = "met"
columns = { lead_id = "Deal", entered_at = "Met / Date", manager = "Met / Owner" }
header_row = [1, 2]
[[entries]]
files = "wide.csv"
stage = "paid"
columns = { lead_id = "Deal", entered_at = "Paid / Date", manager = "Paid / Owner" }
header_row = [1, 2]
"""


@pytest.mark.parametrize("kind", ["workbook", "text"])
def test_two_rows_of_headers_are_joined_the_upper_one_filled_to_the_right(kind):
    text = "\n".join(";".join(cell or "" for cell in row) for row in TWO_ROWS)
    found = prepared(FUNNEL + STAGES, {"wide.csv": workbook(TWO_ROWS) if kind == "workbook" else text})
    entries = found["entries"][["lead_id", "stage", "manager"]].to_numpy().tolist()
    assert entries == [["a", "met", "Boris"], ["b", "met", "Anna"], ["b", "paid", "Clara"]]
    assert found["leads"]["manager"].tolist() == ["Anna", "Anna"]


def test_changes_that_stand_side_by_side_are_a_source_for_each_pair():
    entries = """
[[entries]]
files = "history.csv"
columns = {{ lead_id = "id", stage = "Value {n}", entered_at = "Time {n}" }}
values.stage."" = "ignore"
"""
    toml = FUNNEL + LEADS + "".join(entries.format(n=n) for n in (1, 2))
    rows = "id,Value 1,Time 1,Value 2,Time 2\na,met,2026-01-07,lead,2026-01-05\nb,lead,2026-01-06,,\n"
    found = prepared(toml, {"history.csv": rows})["entries"]
    assert {*zip(found["lead_id"], found["stage"], strict=True)} == {("a", "met"), ("a", "lead"), ("b", "lead")}
    assert account("entries")["ignored"] == {"": 1}


@pytest.mark.parametrize(
    ("date", "time", "stated", "instant"),
    [
        ("2026-01-05", "9:05", "", "2026-01-05 06:05:00"),
        ("05.01.2026", "9:05", 'date_format = "%d.%m.%Y %H:%M"', "2026-01-05 06:05:00"),
        (datetime(2026, 1, 5), time(9, 5), 'date_format = "%d.%m.%Y %H:%M"', "2026-01-05 06:05:00"),
        (datetime(2026, 1, 5), None, 'date_format = "%d.%m.%Y %H:%M"', "2026-01-04 21:00:00"),
    ],
)
def test_a_day_and_an_hour_in_two_columns_are_one_instant(date, time, stated, instant):
    toml = FUNNEL + LEADS + ENTRIES.replace('"at"', '["day", "hour"]') + stated
    rows = [["id", "stage", "day", "hour"], ["a", "lead", date, time]]
    found = prepared(toml, {"leads.csv": "id,created\na,2026-01-05\n", "entries.csv": workbook(rows)})
    assert found["entries"]["entered_at"].astype(str).tolist() == [instant]


def test_a_workbook_that_counts_days_from_1904_is_read_right_or_refused():
    room, book = io.BytesIO(), openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in (["id", "created", "number"], ["a", datetime(2026, 1, 5, 10, 30), 44565.4375]):
        book.active.append(row)
    book.save(room)

    def toml(line):
        return TOML.replace("leads.csv", "leads.xlsx").replace("[leads]", f"[leads]\n{line}")

    for column, line in (("created", ""), ("number", 'date_format = "excel_1904"')):
        found = prepared(
            toml(line).replace('"created" }', f'"{column}" }}'), {"leads.xlsx": room.getvalue(), **NO_ENTRIES}
        )
        assert found["leads"]["created_at"].astype(str).tolist() == ["2026-01-05 07:30:00"]
    assert refused(toml('date_format = "excel"'), {"leads.xlsx": room.getvalue(), **NO_ENTRIES}) == (
        'leads.xlsx: the workbook counts days since 1904; state date_format = "excel_1904"'
    )


def test_a_day_and_an_hour_of_a_joined_file_are_read_too():
    toml = FUNNEL + LEADS + ENTRIES.replace('"at"', '["day", "x.hour"]')
    toml += 'join = { files = "hours.csv", left = "k", right = "k", prefix = "x.", ids = "number" }\n'
    files = {"entries.csv": "id,stage,day,k\na,lead,2026-01-05,01\n", "hours.csv": "k,hour\n1.0,10:00\n"}
    found = prepared(toml, {"leads.csv": "id,created\na,2026-01-05\n", **files})
    assert found["entries"]["entered_at"].astype(str).tolist() == ["2026-01-05 07:00:00"]


def test_blank_cells_take_the_value_above_in_their_own_file_only():
    files = {
        "e1.csv": "id,stage,at\na,lead,2026-01-05\n ,met,\n,paid,2026-01-07\n",
        "e2.csv": "id,stage,at\n,lead,2026-01-05\n",
    }
    toml = (
        FUNNEL
        + LEADS
        + ENTRIES.replace('["entries.csv"]', '"e*.csv"').replace("columns", 'fill_down = ["id", "at"]\ncolumns')
    )
    found = prepared(
        "max_bad_share = 0.5\n" + toml,
        {"leads.csv": "id,created\na,2026-01-05\n", "entries.csv": "id,stage,at\n", **files},
    )
    assert found["entries"][["lead_id", "stage"]].to_numpy().tolist() == [["a", "lead"], ["a", "met"], ["a", "paid"]]
    assert found["entries"]["entered_on"].astype(str).str[8:10].tolist() == ["05", "05", "07"]
    assert found["set_aside"]["file"].tolist() == ["e2.csv"]


def test_a_value_for_every_row_is_stated_once_also_of_a_needed_column_and_an_attribute():
    calls = '[contacts]\nfiles = "calls.csv"\ncolumns = { lead_id = "id", at = "at" }\nconstants.kind = "call"\n'
    toml = FUNNEL + LEADS + 'constants = { channel = "Facebook", region = "North", amount = "5" }\n' + ENTRIES + calls
    found = prepared(f'base = "region"\n{toml}', {"calls.csv": "id,at\na,2026-01-06 10:00\n"})
    assert found["contacts"]["kind"].tolist() == ["call"]
    assert found["leads"][["channel", "region", "amount"]].to_numpy().tolist() == [["Facebook", "North", 5.0]] * 2


def test_the_number_of_a_row_is_its_id_with_its_file_where_there_are_several():
    toml = (FUNNEL + LEADS + ENTRIES).replace('"id"', '"_row"').replace("entries.csv", "leads.csv")
    toml = toml.replace('stage = "stage", entered_at = "at"', 'entered_at = "created"').replace(
        "[[entries]]", '[[entries]]\nstage = "lead"'
    )
    rows = {"leads.csv": "created\n2026-01-05\n2026-01-05\n"}
    found = prepared(toml, rows)
    assert found["leads"]["lead_id"].tolist() == found["entries"]["lead_id"].tolist() == ["2", "3"]
    found = prepared(toml.replace('["leads.csv"]', '"leads*.csv"', 1), rows | {"leads2.csv": "created\n2026-01-07\n"})
    assert found["leads"]["lead_id"].tolist() == ["leads.csv:2", "leads.csv:3", "leads2.csv:2"]
    assert found["entries"]["lead_id"].tolist() == ["leads.csv:2", "leads.csv:3"]


def test_of_several_values_in_a_cell_the_first_counts_before_it_is_mapped():
    toml = (
        FUNNEL
        + LEADS
        + ENTRIES.replace('"at" }', '"at", reason = "why" }')
        + 'first_of.reason = ";"\nvalues.reason.price = "dear"\n'
    )
    entries = "id,stage,at,why\na,lost,2026-01-09,price ; timing\nb,lost,2026-01-09,timing;price\n"
    assert prepared(toml, {"entries.csv": entries})["entries"]["reason"].tolist() == ["dear", "timing"]


# Cells


@pytest.mark.parametrize(
    ("cell", "stated", "number"),
    [
        ("1.234,50-", 'decimal = ","\nthousands = "."', -1234.5),
        ("1.234,50 €-", 'decimal = ","\nthousands = "."\ncurrency_signs = "€"', -1234.5),
        ("$12.5K", 'currency_signs = "$"', 12_500),
        ("(3M)", "", -3_000_000),
        ("1,2 млн", 'decimal = ","', 1_200_000),
        ("12 тыс. руб.", 'currency_signs = "руб."', 12_000),
        ("2-3", "", None),
        ("5 kg", "", None),
    ],
)
def test_a_number_may_have_its_minus_and_its_thousands_behind(cell, stated, number):
    leads, _aside = leads_of(f'{ROWS}20,2026-01-08,Anna,"{cell}"\n', stated + "\n")
    assert leads["amount"].iloc[3] == number or (number is None and leads["amount"].isna().iloc[3])


CALLS = """
[contacts]
files = "calls.csv"
columns = { lead_id = "id", at = "at", kind = "kind", duration_s = "took" }
"""


def durations(unit, *cells):
    rows = [
        ["id", "at", "kind", "took"],
        *(["a", f"2026-01-05 10:{n:02}", "call", cell] for n, cell in enumerate(cells)),
    ]
    toml = f'max_bad_share = 1\n{TOML}{CALLS}unit.duration_s = "{unit}"\n'
    return prepared(toml, {"calls.csv": workbook(rows)})["contacts"]["duration_s"].fillna(-1).tolist()


def test_what_a_call_took_is_read_in_its_unit_and_as_clocks_and_words_write_it():
    plain = ["00:02:35", "PT2M35S", "2m 35s", "2 мин 35 сек", "155000 ms", timedelta(seconds=155), time(0, 2, 35)]
    assert durations("s", 155, *plain, "2:35", "long", timedelta(hours=30)) == [155] * 8 + [-1, -1, 108_000]
    assert durations("mm:ss", *plain, "2:35", "90:00", 155) == [155] * 8 + [5400, -1]
    assert durations("hh:mm", *plain, "2:35") == [155] * 7 + [9300]
    assert durations("ms", 45_000) == [45]
    assert durations("min", 1.5, "0:00:30") == [90, 30]


# Whose lead a row is


def contacts_of(
    stated, calls, leads="id,created,who\na,2026-01-05,C1\nb,2026-01-10,C1\nc,2026-01-10,C1\nd,2026-01-07,C2\n"
):
    toml = FUNNEL + LEADS.replace('"created" }', '"created" }\nattributes.contact = "who"') + ENTRIES
    toml += f'[contacts]\nfiles = "calls.csv"\ncolumns = {{ at = "at", kind = "kind" }}\n{stated}\n'
    return toml, {"leads.csv": leads, **NO_ENTRIES, "calls.csv": "who,at,kind\n" + calls}


def test_of_the_leads_of_one_contact_the_one_created_last_before_a_call_counts():
    calls = "C1,2026-01-02,call\nC1,2026-01-07,call\nC1,2026-01-11,call\nC2,2026-01-01,call\n"
    stated = 'lead_by = { "who" = "contact" }\nshared = "latest"'
    assert prepared(*contacts_of(stated, calls))["contacts"]["lead_id"].tolist() == ["a", "a", "b", "d"]


def test_a_contact_of_several_leads_is_an_error_without_a_rule_and_one_of_none_is_set_aside():
    stated = 'lead_by = { "who" = "contact" }'
    assert refused(*contacts_of(stated, "C2,2026-01-02,call\nC1,2026-01-07,call\n")) == (
        'calls.csv: row 3, column "who": "C1" is that of 3 leads, for example "a" and "c" (1 row in all); '
        'state shared = "latest", and the lead counts that was created last before the row of contacts'
    )
    toml, files = contacts_of(stated, "C2,2026-01-08,call\n" * 40 + "a,2026-01-08,call\n,2026-01-08,call\n")
    found = prepared(toml, files)
    assert set(found["contacts"]["lead_id"]) == {"d"}
    assert found["set_aside"][["value", "code"]].fillna("").to_numpy().tolist() == [["a", "orphan"], ["", "blank"]]


def test_phones_are_compared_by_their_digits_however_they_are_written():
    leads = "id,created,who\na,2026-01-05,+7 (495) 123-45-67\nb,2026-01-05,06 12 34 56 78\nc,2026-01-05,\n"
    calls = "8 495 1234567,2026-01-06,call\n+33612345678,2026-01-06,call\n84951234567 ext. 5,2026-01-07,call\n"
    stated = 'lead_by = { "who" = "contact" }\nids = "phone"'
    assert prepared(*contacts_of(stated, calls, leads))["contacts"]["lead_id"].tolist() == ["a", "b", "a"]


def test_ids_that_a_form_cannot_tell_apart_are_refused():
    toml = TOML + 'ids = "number"\n'
    files = {
        "leads.csv": "id,created\n1,2026-01-05\n01,2026-01-05\n",
        "entries.csv": "id,stage,at\n1.0,lead,2026-01-05\n",
    }
    assert 'ids = "number" cannot tell them apart' in refused(toml, files)


def test_the_crm_s_own_time_to_a_first_response_makes_contacts():
    deals = "id,created,response\na,2026-01-05 10:00,45\nb,2026-01-06 10:00,\nc,2026-01-07 10:00,1:30:00\n"
    calls = """
[contacts]
files = "leads.csv"
columns = { lead_id = "id", at = "created" }
later_by.at = "response"
unit.at = "min"
constants.kind = "first response"
"""
    found = prepared(TOML + calls, {"leads.csv": deals, **NO_ENTRIES})
    assert found["contacts"]["at"].astype(str).tolist() == ["2026-01-05 07:45:00", "2026-01-07 08:30:00"]
    assert account("contacts")["ignored"] == {"no response": 1}
    told = refused(TOML + calls, {"leads.csv": deals.replace("45", "soon"), **NO_ENTRIES})
    assert 'column "response": "soon" is not a number' in told
