"""Exports as teams have them: parts that are read otherwise, rows that count for nothing, several columns of a role."""

from datetime import date, timedelta

import pandas as pd
import pytest
from exports import (
    COUNTED,
    HISTORY,
    MOVES,
    NEW,
    WON,
    changes,
    csv,
    deals,
    found_in,
    made_of,
    notes,
    refuses,
    stated,
    wide,
)
from projects import tables, workbook

from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import read_funnel
from funnelstats.importing.cells import plain_date
from funnelstats.recognising.dates import formats_of
from funnelstats.recognising.ends import closed_stages
from funnelstats.recognising.left_out import deleted
from funnelstats.recognising.roles import table_of
from funnelstats.recognising.sheets import tables_in

pytestmark = pytest.mark.usefixtures("exported")
SNAPSHOT = ("Deal ID", "Created", "Met on", "Closed", "Status")
OWNED = [row[:4] for row in HISTORY]
"""Rows ``lead, stage, at, owner``."""
LOG = ("Deal ID", "Stage", "Changed at", "Owner")


# Parts of one table


def test_files_of_which_one_holds_a_letter_beyond_ascii_are_one_table():
    owned = [(*row, "Jürgen" if row[0] > "D020" else "Anna") for row in OWNED]
    parts = [csv([row for row in owned if (row[-1] == "Anna") == early], *LOG, "Seller") for early in (True, False)]
    assert made_of(**{"a.csv": parts[0], "b.csv": parts[1].encode("cp1252")}) == COUNTED


def test_sheets_of_which_one_has_a_title_are_one_table():
    rows = [[cell or None for cell in row] for row in wide()]
    sheets = {"May": [SNAPSHOT, *rows[:20]], "June": [["Deals of June"], [], SNAPSHOT, *rows[20:]]}
    assert made_of(sales_xlsx=workbook(**sheets)) == COUNTED


def test_a_sheet_that_is_not_used_is_told_and_that_it_has_other_leads():
    rows = [[*(cell or None for cell in row), "Anna"] for row in wide()]
    sheets = {"May": [(*SNAPSHOT, "Seller"), *rows[:20]], "June": [(*SNAPSHOT, "Sales agent"), *rows[20:]]}
    told = found_in(sales_xlsx=workbook(**sheets)).told
    assert [line for line in told if "not used" in line] == [
        "sales.xlsx, sheet “June”: not used, though its 20 rows have other leads: its columns are not those of "
        "sales.xlsx, sheet “May” (“Sales agent”, “Seller”)"
    ]


# How leads ended


@pytest.mark.parametrize("names", [("Won - monthly", "Won - annual"), ("Closed Won", "Won")])
def test_two_names_of_the_win_are_one(names):
    rows = [(lead, names[lead > "D020"] if stage == "won" else stage, at, owner) for lead, stage, at, owner in OWNED]
    assert made_of(log_csv=csv(rows, *LOG)) == COUNTED
    assert "both are called a win, and hardly a lead has both" in stated()


def test_two_wins_that_follow_each_other_stay_apart():
    signed = [
        (lead, "contract signed", at - timedelta(days=1), owner) for lead, stage, at, owner in OWNED if stage == "won"
    ]
    rows = [(lead, "paid" if stage == "won" else stage, at, owner) for lead, stage, at, owner in OWNED]
    made_of(log_csv=csv([*rows, *signed], *LOG))
    assert read_funnel("made").stages == ("new", "met", "contract signed", "paid")


CLOSED = [(lead, "closed" if stage in ("won", "lost") else stage, at, stage) for lead, stage, at, _ in OWNED]


@pytest.mark.parametrize(
    ("header", "said"),
    [("Is Won", lambda stage: stage == "won"), ("Outcome", lambda stage: stage if stage in ("won", "lost") else "")],
)
def test_a_stage_called_closed_is_what_another_column_says_of_it(header, said):
    rows = [(*row[:3], said(row[3])) for row in CLOSED]
    assert made_of(log_csv=csv(rows, "Deal ID", "Stage", "Changed at", header)) == COUNTED


def test_a_stage_called_closed_is_what_the_deals_say_of_it():
    log = csv([row[:3] for row in CLOSED], *LOG[:3])
    assert made_of(deals_csv=csv(deals(), "Deal ID", "Created", "Status", "Closed"), log_csv=log) == COUNTED


def test_deals_with_a_date_of_their_end_that_no_word_calls_ended_are_told():
    rows = [(*row[:4], "Ghosted" if row[0] == "D004" else row[4]) for row in wide()]
    assert notes(deals_csv=csv(rows, *SNAPSHOT)) == [
        "deals.csv: counted as open, though “Closed” has a date as only for deals that ended: 1, “Ghosted”; say which "
        "of these are won or lost with only = { … }"
    ]


# Which id is the lead's


@pytest.mark.parametrize("header", ["parent_id", "application_id", "quote_id"])
def test_the_number_of_a_row_is_no_lead_where_another_id_comes_to_each_stage(header):
    rows = [(number, *row) for number, row in enumerate(OWNED)]
    assert made_of(log_csv=csv(rows, "id", header, "stage", "created_at", "created_by")) == COUNTED


def test_a_history_that_knows_the_customer_too_is_one_of_quotes():
    rows = [(f"K{int(lead[1:]) // 2}", *row) for row in OWNED for lead in row[:1]]
    assert made_of(log_csv=csv(rows, "Contact ID", "Enquiry No", *LOG[1:])) == COUNTED


def test_ids_that_a_spreadsheet_cut_are_refused():
    rows = [("1.20260E+11", *row[1:]) for row in OWNED]
    refuses(r"log.csv: “Deal ID” has lost its digits \(\"1.20260E\+11\"\)", log_csv=csv(rows, *LOG))


def test_the_same_ids_of_other_leads_in_several_files_are_refused():
    parts = {f"{place}_csv": wide()[part::2] for part, place in enumerate(("north", "south"))}
    files = {
        name: csv([(number, *row[1:]) for number, row in enumerate(rows)], *SNAPSHOT) for name, rows in parts.items()
    }
    refuses("20 ids of “Deal ID” stand in several files with another date in “Created”", **files)


# Rows that count for nothing


def extra(rows, mark, plain=""):
    """The rows, and three of a lead of their own that are marked."""
    more = [("X1", *row[1:], mark) for row in rows[:3]]
    return [*([*row, plain] for row in rows), *more]


@pytest.mark.parametrize(
    ("header", "mark", "plain"),
    [
        ("IsDeleted", "true", "false"),
        ("Record state", "Deleted", "Active"),
        ("Duplicate", "Yes", ""),
        ("Voided", "entered in error", ""),
        ("State", "Planned", "Done"),
    ],
)
def test_rows_that_are_deleted_or_planned_do_not_count(header, mark, plain):
    assert made_of(log_csv=csv(extra(OWNED, mark, plain), *LOG, header)) == COUNTED
    assert f"log.csv: left out: 3, where “{header}” says “{mark}”" in stated()


def test_a_deal_that_is_deleted_does_not_count_in_the_history_beside_it():
    deals = [(lead, at, "No") for lead, at in NEW] + [("X1", "2026-01-05", "Yes")]
    log = csv([*OWNED, ("X1", "new", "2026-01-05 10:00:00", "Anna")], *LOG)
    assert made_of(deals_csv=csv(deals, "Deal ID", "Created", "Deleted"), log_csv=log) == COUNTED


def test_who_is_called_test_is_somebody(tmp_path):
    people = [f"P{number}" for number in range(10)] + ["test"]
    rows = [(*row[:3], people[int(row[0][1:]) % 11]) for row in OWNED]
    (tmp_path / "log.csv").write_text(csv(rows, "Deal ID", "Stage", "Changed at", "Checked for"))
    assert deleted(table_of(tables_in(tmp_path / "log.csv")[0])) == {}


def test_a_second_line_of_headers_is_no_lead():
    rows = [("Text", "Date", "Date", "Date", "Picklist"), *wide()]
    assert made_of(deals_csv=csv(rows, *SNAPSHOT)) == COUNTED


def test_lines_between_the_rows_of_a_report_are_no_leads():
    lines = [(f"Week {number}: 20 deals", *[""] * 4) for number in (1, 2)]
    assert made_of(deals_csv=csv([*wide()[:20], lines[0], *wide()[20:], lines[1], *wide()[:0]], *SNAPSHOT)) == COUNTED
    assert "left out: 1, where “Deal ID” says “Week 1: 20 deals”" in stated()


def test_a_move_counts_as_the_stage_that_it_leads_to():
    rows = [(lead, f"{old} → {new}", at) for lead, old, new, at in changes()]
    rows += [(lead, "— → new", at) for lead, at in NEW]
    assert made_of(log_csv=csv(rows, "Deal ID", "Stage move", "Changed at")) == COUNTED
    assert read_funnel("made").stages == ("new", "met", "won")


def test_a_funnel_of_nine_stages_has_nine():
    names = [f"{number}. step" for number in range(8)]
    steps = [(lead, name, at + timedelta(hours=n)) for lead, at in NEW for n, name in enumerate(names)]
    made_of(log_csv=csv([*steps, *((lead, "won", at + timedelta(days=3)) for lead, at in NEW[:20])], *LOG[:3]))
    assert read_funnel("made").stages == (*names, "won")


def test_what_was_done_with_deals_is_beside_them_and_no_stage():
    rows = []
    for lead, came, _met, closed, status in wide():
        rows += [
            (lead, status, came, closed, kind, came + timedelta(days=day)) for day, kind in enumerate(("Call", "Mail"))
        ]
    found = made_of(
        report_csv=csv(rows, "Deal ID", "Stage", "Created Date", "Close Date", "Activity Type", "Activity Date")
    )
    assert (found["leads"], found["stages"], found["lost"]) == (40, [40, 20], 10)
    assert len(tables("made")["contacts"]) == 80


# Dates


def test_a_year_of_two_digits_may_come_first():
    days = [date(2026, 1, 5) + timedelta(days=n) for n in range(60)]
    assert formats_of(pd.Series([day.strftime("%y/%m/%d") for day in days])) == (("%y/%m/%d",),)
    assert formats_of(pd.Series([day.strftime("%d/%m/%y") for day in days])) == (("%d/%m/%y",),)


def test_years_of_another_calendar_are_no_dates():
    rows = [(lead, stage, f"{at:%d/%m}/{at.year + 543}") for lead, stage, at in MOVES]
    refuses(r"not dates of one format are log\.csv, “Changed at”", log_csv=csv(rows, *LOG[:3]))


# Money, and who


DEALS_CSV = csv([(*row[:2], *row[3:]) for row in wide()], *SNAPSHOT[:2], *SNAPSHOT[3:])
DEALS = [(*row[:2], row[3], row[4], 100 if row[4] == "Won" else 70) for row in wide()]
DEAL = ("Deal ID", "Created", "Closed", "Status", "Amount")
PAYMENTS = [(lead, at, 100) for lead, at in WON]


def money(**files):
    made_of(**files)
    return float(tables("made")["payments"]["amount"].sum())


def test_a_list_of_charges_is_of_payments_though_no_header_says_paid():
    rows = [(f"ch_{number}", *row, ("Failed", "Paid")[number > 1]) for number, row in enumerate(PAYMENTS)]
    charges = csv(rows, "id", "Deal ID", "Created (UTC)", "Amount", "Status")
    assert money(deals_csv=DEALS_CSV, charges_csv=charges) == 1800
    assert read_funnel("made").stages[-1] == "Won"


def test_amounts_in_brackets_are_given_back():
    rows = [*((*row[:2], '"$1,100.00"') for row in PAYMENTS), ("D001", "2026-03-01", '"($600.00)"')]
    assert money(deals_csv=DEALS_CSV, payments_csv=csv(rows, "Deal ID", "Date paid", "Amount")) == 21_400


@pytest.mark.parametrize(
    ("header", "more", "sum_of"),
    [
        ("Amount (thousands)", "Note", 2_000_000),
        ("Total price", "Unit price", 2000),
        ("Final price", "List price", 2000),
    ],
)
def test_the_amount_is_that_of_the_deal_in_full(header, more, sum_of):
    rows = [(*row[:4], row[4] // 10, row[4]) for row in DEALS]
    assert money(deals_csv=csv(rows, *DEAL[:4], more, header)) == sum_of


def test_of_deals_repeated_for_each_payment_what_came_is_counted():
    rows = [(*row, "", "") for row in DEALS if row[3] != "Won"]
    rows += [(*row, row[2] + timedelta(days=day), 50) for row in DEALS if row[3] == "Won" for day in (0, 9)]
    assert money(deals_csv=csv(rows, *DEAL, "Payment date", "Payment")) == 2000


def test_what_was_spent_goes_before_what_was_planned_and_the_total_of_channels_is_none():
    spent = [("2026-01", "Web", 500, 400), ("2026-01", "Fair", 300, 200), ("2026-01", "Total", 800, 600)]
    deals = [(*row, ("Web", "Fair")[number % 2]) for number, row in enumerate(DEALS)]
    files = {"costs_csv": csv(spent, "Month", "Channel", "Budget", "Spent"), "deals_csv": csv(deals, *DEAL, "Source")}
    made_of(**files)
    assert tables("made")["costs"]["amount"].sum() == 600


def test_who_sells_goes_before_who_typed_it_and_who_is_above_them():
    rows = [
        (*row[:4], "Web form", ("Zed", "Yan")[n % 2], ("Anna", "Boris", "Clara")[n % 3]) for n, row in enumerate(DEALS)
    ]
    made_of(deals_csv=csv(rows, *DEAL[:4], "Created by", "Manager", "Sales Rep"))
    assert set(tables("made")["leads"]["manager"]) == {"Anna", "Boris", "Clara"}


def test_meetings_that_were_cancelled_or_moved_are_no_contacts():
    rows = [
        (lead, at, kind)
        for (lead, at), kind in zip(NEW, ("Held", "Cancelled by client", "Rescheduled", "No-show") * 10, strict=True)
    ]
    made_of(deals_csv=DEALS_CSV, meetings_csv=csv(rows, "Deal ID", "Meeting date", "Meeting status"))
    assert len(tables("made")["contacts"]) == 10


def test_a_list_of_changes_of_vtiger_is_one_of_potentials():
    rows = [(n, lead, "sales_stage", old, new, at) for n, (lead, old, new, at) in enumerate(changes())]
    log = csv(rows, "id", "crmid", "fieldname", "prevalue", "postvalue", "changedon")
    assert made_of(deals_csv=csv(NEW, "Deal ID", "Created"), log_csv=log) == COUNTED


def test_a_workbook_with_a_pause_that_says_why():
    paused = [("D001", "On hold - client request", "2026-01-07", "Boris")]
    rows = [*LOG], *([*row] for row in [*OWNED, *paused])
    assert made_of(log_xlsx=workbook(Log=[[str(cell) for cell in row] for row in rows])) == COUNTED


# What looks like one of these and is none


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("A/B group", ("Test", "Control")),
        ("Plan", ("Basic", "Pro", "Test")),
        ("Next activity", ("Planned", "", "")),
        ("Lost detail", ("Duplicate", "Price", "Time")),
        ("Duplicate", ("D001", "", "")),
    ],
)
def test_a_column_that_is_no_state_of_records_leaves_no_row_out(tmp_path, header, values):
    rows = [(*row, values[int(row[0][1:]) % len(values)]) for row in OWNED]
    (tmp_path / "log.csv").write_text(csv(rows, *LOG, header))
    assert deleted(table_of(tables_in(tmp_path / "log.csv")[0])) == {}


def test_leads_without_a_date_and_a_status_are_leads():
    rows = [*wide(), ("D900", "", "", "", "")]
    full = [(*row, "Anna", "Web", 100, "Berlin") for row in rows]
    made_of(deals_csv=csv(full, *SNAPSHOT, "Owner", "Source", "Amount", "City"))
    assert len(tables("made")["leads"]) == 41


def test_an_amount_by_its_own_name_goes_before_others():
    rows = [(*row, 5) for row in DEALS]
    assert money(deals_csv=csv(rows, *DEAL[:4], "Expected Revenue", "Commission amount")) == 2000


@pytest.mark.parametrize("closed", [["Closed"], []])
def test_orders_that_stand_alone_are_deals_though_their_status_is_that_of_payments(closed):
    rows = [(lead, came, status, 100, end)[: 4 + len(closed)] for lead, came, _, end, status in wide("Paid", "Failed")]
    found = made_of(orders_csv=csv(rows, "Order ID", "Created", "Status", "Amount", *closed))
    assert (found["leads"], found["stages"][-1]) == (40, 20)


def test_the_same_deals_are_the_same_however_their_days_are_written():
    second = csv([(lead, f"{came} 00:00:00", *more) for lead, came, *more in (row[:4] for row in DEALS)], *DEAL[:4])
    made_of(**{"may.csv": DEALS_CSV, "june.csv": second})
    assert len(tables("made")["leads"]) == 40


def test_the_contacts_of_a_deal_beside_each_of_its_moves_are_no_leads():
    rows = [(*row, f"C{row[0]}{number}") for row in OWNED for number in range(2)]
    assert made_of(log_csv=csv(rows, *LOG, "Contact ID")) == COUNTED


def test_a_stage_called_closed_that_leads_go_on_from_is_one():
    came = pd.DataFrame([row[:3] for row in CLOSED], columns=["lead", "stage", "at"])
    ended = [came[came["stage"] == "closed"]]
    after = ended[0].assign(stage="onboarding", at=ended[0]["at"] + timedelta(days=3))
    assert closed_stages(came, ended) == ["closed"]
    assert closed_stages(pd.concat([came, after]), ended) == []


def test_a_win_that_comes_after_another_is_the_last_stage_however_rare():
    paid = [(lead, "paid", at + timedelta(days=9), owner) for lead, stage, at, owner in OWNED if stage == "won"][:2]
    made_of(log_csv=csv([*OWNED, *paid], *LOG))
    assert read_funnel("made").stages[-1] == "paid"


def test_parts_that_are_read_otherwise_are_refused_where_another_table_needs_them():
    deals = [(lead, at, f"Seller {int(lead[1:]) % 3}", "Jürgen" if lead > "D020" else "Ann") for lead, at in NEW]
    files = {"a.csv": csv(deals[:21], "Deal ID", "Created", "Owner", "Friend")}
    files["b.csv"] = csv(deals[21:], "Deal ID", "Created", "Owner", "Friend").encode("cp1252")
    refuses("parts of one table, which another one needs beside it", **files, log_csv=csv(MOVES, *LOG[:3]))


# Programs that write more than their rows


def test_subitems_beneath_a_lead_are_no_leads():
    rows: list[tuple[object, ...]] = [
        ("Sales pipeline",),
        ("Name", "Subitems", "Owner", "Status", "Created", "Closed", "Item ID"),
    ]
    for number, (lead, at, status, closed) in enumerate(deals()):
        rows.append((f"Deal {lead}", "Call" if number % 5 == 0 else None, "Anna", status, at, closed or None, lead))
        if number % 5 == 0:
            rows += [("Subitems", "Name", "Owner", "Status", "Date"), (None, "Call", "Boris", "Done", at)]
    assert made_of(board_xlsx=workbook(board=rows))["leads"] == 40
    assert tables("made")["leads"]["manager"].unique().tolist() == ["Anna"]


def test_a_deal_called_as_subitems_are_is_a_lead():
    rows = [("Subitems" if number == 7 else f"Deal {row[0]}", *row) for number, row in enumerate(deals())]
    assert made_of(deals_csv=csv(rows, "Name", "Deal ID", "Created", "Status", "Closed"))["leads"] == 40


def test_two_people_of_one_name_stay_two():
    rows = [(*row, f"Alex Smith (https://www.notion.so/{number % 2})") for number, row in enumerate(deals())]
    made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Owner"))
    assert tables("made")["leads"]["manager"].nunique() == 2


def test_names_come_without_the_pages_that_they_point_to():
    owner = "Anna Berg (https://www.notion.so/Anna-Berg-0f0a1b2c3?pvs=21)"
    rows = [(*row, owner) for row in deals()]
    made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Owner"))
    assert tables("made")["leads"]["manager"].unique().tolist() == ["Anna Berg"]


def test_the_name_of_a_reason_goes_before_its_id():
    rows = [(*row, *(("price", f"R{row[0]}") if row[2] == "lost" else ("", "")), 5) for row in deals()]
    made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "lost reason name", "lost reason ID", "%"))
    entries = tables("made")["entries"]
    assert entries.query("stage == 'lost'")["reason"].unique().tolist() == ["price"]


def test_rows_of_a_log_without_a_stage_are_other_events():
    rows = [(*row, "moved") for row in MOVES] + [(lead, "", at, "note") for lead, at in NEW]
    assert made_of(log_csv=csv(rows, "deal id", "stage", "changed at", "event")) == COUNTED
    assert "log.csv: left out: 40 rows without a stage: other events" in stated()


def test_rows_of_a_log_without_a_stage_that_nothing_tells_from_others_are_bad():
    rows = [(lead, "" if stage == "new" else stage, at, "me" if stage == "new" else "you") for lead, stage, at in MOVES]
    with pytest.raises(FunnelError, match="40 of 140 rows cannot be used"):
        made_of(log_csv=csv(rows, "deal id", "stage", "changed at", "source"))


def test_who_leaves_after_the_win_is_won():
    rows = [
        (lead, at, "Churned" if status == "won" and number % 3 == 0 else status,
         closed if status == "won" else "", closed if status == "lost" else "")
        for number, (lead, at, status, closed) in enumerate(deals())
    ]  # fmt: skip
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Won date", "Lost date"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)
    assert tables("made")["entries"]["entered_at"].notna().all()


@pytest.mark.parametrize("lost", ["Disqualified", "Lost after trial"])
def test_a_loss_with_the_date_of_a_win_is_no_win(lost):
    rows = [
        (lead, at, lost if status == "lost" and number % 3 else status, closed if status != "open" else "", closed)
        for number, (lead, at, status, closed) in enumerate(deals())
    ]
    rows = [(*row[:3], "" if row[2] == "lost" else row[3], row[4]) for row in rows]
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Converted on", "Closed"))
    assert (found["stages"][-1], found["lost"]) == (20, 10)


def test_words_of_an_old_encoding_that_look_like_another_one_are_of_one():
    rows = [(*row, "Так" if number % 3 else "Ні") for number, row in enumerate(deals())]
    made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Договір").encode("cp1251"))
    assert tables("made")["leads"]["договір"].value_counts().to_dict() == {"Так": 26, "Ні": 14}


def test_signs_behind_capitals_are_no_other_encoding():
    rows = [(*row, "NESTLÉ®" if number % 2 else "Müller") for number, row in enumerate(deals())]
    made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Source").encode("cp1252"))
    assert tables("made")["leads"]["channel"].value_counts().to_dict() == {"NESTLÉ®": 20, "Müller": 20}


def test_lines_in_two_encodings_are_refused():
    text = csv([(*row, "Jürgen") for row in deals()], "Deal ID", "Created", "Status", "Closed", "Owner").splitlines()
    mixed = "\n".join(text[:30]).encode() + b"\n" + "\n".join(text[30:]).encode("cp1252")
    refuses(
        "deals.csv: line 31 is not UTF-8, as the lines before it are: save the file in one encoding", deals_csv=mixed
    )
    cut = csv([(*row, "Пётр") for row in deals()], "Deal ID", "Created", "Status", "Closed", "Owner").encode()[:-1]
    refuses("deals.csv: line 41 is not UTF-8, as the lines before it are", deals_csv=cut)


@pytest.mark.parametrize(
    "written",
    [
        lambda at: f"{at.day} {['января', 'февраля', 'марта'][at.month - 1]} {at.year} г.",
        lambda at: f"{['Mo', 'Di', 'Mi', 'Do', 'Fr', 'Sa', 'So'][at.weekday()]}., {at:%d.%m.%Y}",
        lambda at: f"{at:%a, %b} {at.day}, {at.year}",
        lambda at: f"{at:%a %b %d %Y %H:%M:%S} GMT+0100 (Central European Standard Time)",
        lambda at: f"{at:%A, %B %d %Y} at {at:%I:%M %p}",
        lambda at: f"{at.day} {['января', 'февраля', 'марта'][at.month - 1]} {at.year} г. в {at:%H:%M}",
        lambda at: f"{at:%d.%m.%Y, %H:%M} Uhr",
        lambda at: f"{at.day}.{at.month}.{at.year} klo {at.hour}.{at:%M}",
        lambda at: f"{at.day}. {at.month}. {at.year}",
        lambda at: f"{at.year}. {at.month}. {at.day} {'오전' if at.hour < 12 else '오후'} {at:%I:%M:%S}",
        lambda at: f"{at:%Y/%m/%d} {'上午' if at.hour < 12 else '下午'}{at:%I:%M}",
        lambda at: f"{at:%B} {at.day}{({1: 'st', 2: 'nd', 3: 'rd'}).get(at.day, 'th')}, {at.year}",
    ],
)
def test_words_beside_a_date_are_not_read(written):
    rows = [(lead, stage, f'"{written(at)}"') for lead, stage, at in MOVES]
    found = made_of(log_csv=csv(rows, "deal id", "stage", "changed at"))
    days = tables("made")["entries"].set_index(["lead_id", "stage"])["entered_on"]
    assert found == COUNTED
    assert [days[lead, stage] for lead, stage, _at in MOVES] == [at.date() for *_of, at in MOVES]


def test_an_event_that_is_called_by_its_day_is_no_date():
    rows = [(*row, ("Sa. 3 Feb 2026", "Mo. 5 Feb 2026")[number % 2]) for number, row in enumerate(deals())]
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Campaign"))
    assert found["stages"] == [40, 20]
    assert tables("made")["leads"]["campaign"].nunique() == 2


def test_march_is_no_tuesday():
    assert [plain_date(text) for text in ("Mar 5, 2026", "mar. 3 mars 2026")] == ["Mar 5, 2026", "3 Mar 2026"]
    rows = [(lead, stage, f'"{at + timedelta(days=50):%b %d, %Y}"') for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "deal id", "stage", "changed at")) == COUNTED
