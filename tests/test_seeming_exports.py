"""What a header or a word of an export only seems to say: its rows tell otherwise."""

import re
from datetime import datetime, timedelta

import pytest
from exports import (
    COUNTED,
    MOVES,
    NEW,
    STATEMENT,
    WAYS,
    changes,
    csv,
    dated,
    deals,
    found_in,
    history,
    made_of,
    notes,
    refuses,
    renamed,
    stated,
)
from projects import tables, workbook

from funnelstats.config.funnel import read_funnel
from funnelstats.importing.prepare import prepare

pytestmark = pytest.mark.usefixtures("exported")


@pytest.mark.parametrize("header", ["Days in pipeline", "Weighted pipeline", "Pipeline stage number", "#"])
def test_a_number_beside_the_word_pipeline_is_no_pipeline(header):
    rows = [(*row, number % 7) for number, row in enumerate(deals())]
    assert made_of(deals_csv=csv(rows, "Deal ID", "Created", "Stage", "Closed", header))["leads"] == 40


@pytest.mark.parametrize("headers", [("source_status", "target_status"), ("Statut avant", "Statut après")])
def test_the_stage_that_the_row_before_came_to_is_the_old_one(headers):
    rows = [(lead, "", "new", at) for lead, at in NEW] + [*changes()]
    assert made_of(log_csv=csv(rows, "deal_id", *headers, "changed_at")) == COUNTED


def test_a_stage_that_leads_only_leave_is_told():
    found = notes(log_csv=csv(changes(), "deal_id", "source_status", "target_status", "changed_at"))
    assert "“new” is no stage of the funnel: leads leave it, and no row says when they came to it" in found


@pytest.mark.parametrize("first", ["Order placed", "Signed up"])
def test_what_a_log_begins_with_and_goes_on_from_is_no_win(first):
    rows = renamed(new=first, met="packed", won="delivered")
    assert made_of(log_csv=csv(rows, "id", "event", "at"))["stages"] == [40, 30, 20]
    assert read_funnel("made").stages == (first, "packed", "delivered")


def test_the_kind_of_a_record_is_no_ones_id():
    moves = [(lead, "", "new", at) for lead, at in NEW] + [*changes()]
    rows = [(at, "Anna", "Сделка", lead, "Изменение этапа продажи", old, new) for lead, old, new, at in moves]
    headers = ("Дата", "Автор", "Объект", "ID", "Событие", "Значение до", "Значение после")
    assert made_of(events_csv=csv(rows, *headers)) == COUNTED


def test_an_id_is_one_where_rows_are_written_twice():
    rows = [row[:3] for row in history(50) for _ in range(2)]
    assert made_of(log_csv=csv(rows, "Deal reference", "Stage", "Changed at"))["leads"] == 50


@pytest.mark.parametrize("header", ["Next stage", "Planned stage"])
def test_a_stage_that_is_to_come_is_not_the_one_that_came(header):
    to_come = {"new": "met", "met": "won"}
    rows = [(lead, stage, to_come.get(stage, "none"), at) for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "Deal ID", "Stage", header, "Changed at")) == COUNTED


@pytest.mark.parametrize("header", ["Pipeline no.", "pipelineId"])
def test_numbers_that_name_pipelines_choose_one(header):
    rows = [(*row, 1 + (number % 5 == 4)) for number, row in enumerate(deals())]
    assert made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", header))["leads"] == 32


BOTH = ("Deal ID", "Created", "Deal Status", "Deal Won/Lost Date")


def test_a_date_of_wins_and_losses_dates_both():
    found = made_of(deals_csv=csv(deals(), *BOTH))
    assert (found["leads"], found["stages"][-1], found["lost"]) == (40, 20, 10)


def test_a_date_of_wins_and_losses_with_a_status_of_numbers_is_refused():
    refuses("no column says which deals are won", deals_csv=csv(deals(1, 2, 0), *BOTH))


def test_what_only_begins_like_an_id_is_none():
    rows = [
        (f"Firm {lead}", 1 + number % 5, state, closed or at, at, "Anna", 100 + number)
        for number, (lead, at, state, closed) in enumerate(deals(opened="met"))
    ]
    headers = ("Customer", "Deal size category", "Status", "Status date", "Created", "Owner", "Amount")
    found = made_of(deals_csv=csv(rows, *headers))
    assert (found["leads"], found["stages"][-1], found["lost"]) == (40, 20, 10)


def test_a_report_of_a_row_for_each_stage_is_no_table_of_deals():
    rows = [(lead, f"Firm {lead}", "Anna", stage, "2026-12-31", at, WAYS[lead]["new"]) for lead, stage, at in MOVES]
    headers = ("Opportunity ID", "Opportunity Name", "Opportunity Owner", "Stage", "Close Date", "Last Modified Date")
    assert made_of(report_csv=csv(rows, *headers, "Created Date")) == COUNTED


def test_of_two_ends_that_no_word_tells_the_one_with_a_reason_is_the_refusal():
    rows = [(*row, "price" if row[3] else "") for row in dated("new", "won", "lost")]
    assert made_of(quotes_csv=csv(rows, "Quote ID", "Created", "Cover start", "NTU date", "NTU reason"))["lost"] == 10
    assert "“ntu” is taken for the refusal: its leads are those with a reason" in stated()


def test_of_two_ends_that_nothing_tells_apart_neither_is_chosen():
    rows = csv(dated("new", "won", "lost"), "Quote ID", "Created", "Cover start", "NTU date")
    refuses("no column says which deals are won; the win may be “", quotes_csv=rows)


def test_a_reason_to_buy_tells_no_refusal():
    rows = [(*row, "price" if row[2] else "") for row in dated("new", "won", "lost")]
    headers = ("Quote ID", "Created", "Cover start", "NTU date", "Reason for choosing us")
    refuses("no column says which deals are won; the win may be “", quotes_csv=csv(rows, *headers))


def test_rows_of_changes_whose_column_is_called_no_stage_are_a_history():
    assert made_of(log_csv=csv(MOVES, "Deal ID", "Zielzustand", "Datum")) == COUNTED


def test_a_stage_that_is_called_a_direction_is_no_call():
    rows = [(lead, "Продажи", stage, at) for lead, stage, at in MOVES]
    assert made_of(history_csv=csv(rows, "ID сделки", "Направление", "Стадия", "Дата")) == COUNTED


def test_a_date_before_the_creation_is_no_stage():
    rows = [(*row, row[1] - timedelta(days=30)) for row in deals()]
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Account founded"))
    assert found["stages"] == [40, 20]
    assert "is before “Created” for nearly all leads, and dates no stage" in stated()


def test_a_stage_may_be_called_estimated():
    rows = csv(dated("new", "met", "won", "lost"), "ID", "Created", "Estimated", "Won on", "Lost on")
    assert made_of(deals_csv=rows)["stages"] == [40, 30, 20]


def test_an_estimated_date_that_is_to_come_is_no_stage():
    rows = [(*row, row[1] + timedelta(days=30 + 5 * int(row[0][1:]))) for row in dated("new", "won", "lost")]
    rows_csv = csv(rows, "ID", "Created", "Won on", "Lost on", "Estimated")
    assert made_of(deals_csv=rows_csv)["stages"] == [40, 20]


@pytest.mark.parametrize(
    ("shown", "zone"),
    [
        ("{:%Y-%m-%dT%H:%M}:00+03:00", "Europe/Moscow"),
        ("{:%Y-%m-%dT%H:%M}:00+0100", "Etc/GMT-1"),
        ("{:%Y-%m-%dT%H:%M}:00+00:00", "UTC"),
    ],
)
def test_the_zone_is_one_whose_clock_shows_what_dates_say_all_the_time(shown, zone):
    rows = [(lead, stage, shown.format(at + timedelta(days=150 * (int(lead[1:]) % 2)))) for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "deal id", "stage", "changed at")) == COUNTED
    assert read_funnel("made").timezone == zone


def test_a_zone_with_summer_time_is_told_by_both_of_its_offsets():
    late = [(lead, stage, at.replace(hour=23, minute=30) + timedelta(days=70)) for lead, stage, at in MOVES]
    rows = [(lead, stage, f"{at.isoformat()}+0{1 + (at >= datetime(2026, 3, 29, 2))}:00") for lead, stage, at in late]
    made_of(log_csv=csv(rows, "deal id", "stage", "changed at"))
    assert read_funnel("made").timezone == "Europe/Berlin"


def test_hours_that_no_zone_shows_are_told():
    rows = [(lead, stage, f"{at.isoformat()}+0{3 + int(lead[1:]) % 3}:00") for lead, stage, at in MOVES]
    told = "no time zone matches all the UTC offsets in the dates: days are counted in UTC"
    assert told in notes(log_csv=csv(rows, "deal id", "stage", "changed at"))


@pytest.mark.parametrize("header", ["Previous supplier", "From", "Won before", "Old price"])
def test_what_was_before_is_no_old_stage_where_no_lead_came_to_it(header):
    rows = [(*row, ("Acme", "Bolt", "Cord")[number % 3]) for number, row in enumerate(deals())]
    assert made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", header))["stages"] == [40, 20]


def test_what_is_booked_is_a_stage_and_no_day_of_payment():
    rows = [(*row, WAYS[row[0]].get("met", ""), 100) for row in deals()]
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Demo booked on", "Amount"))
    assert (found["stages"], found["payments"]) == ([40, 30, 20], 2000)
    assert 'columns.paid_at = "Closed"' in stated()


def test_a_date_called_that_of_a_loss_which_most_of_its_leads_have_not_is_none():
    rows = [(*row, row[1] if number % 2 else "") for number, row in enumerate(deals())]
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Lost contact on"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)
    assert "“Lost contact on” dates no loss: most of its leads are open or won, as another column says" in stated()


def test_leads_that_were_deleted_some_day_are_left_out():
    rows = [(*row, "") for row in deals()] + [(f"X{day}", NEW[0][1], "open", "", NEW[day][1]) for day in range(4)]
    calls = csv([("X1", NEW[2][1]), ("D001", NEW[2][1])], "Deal ID", "Call time")
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Deleted at"), calls_csv=calls)
    assert (found["leads"], found["stages"], found["lost"], found["contacts"]) == (40, [40, 20], 10, 1)
    assert "deals.csv: left out: 4 rows with a date in “Deleted at”" in stated()


def test_tables_of_names_are_each_of_their_own_ids():
    numbers = {"new": 1, "met": 2, "won": 3, "lost": 4}
    log = [(lead, numbers[stage], 1 + int(lead[1:]) % 2, at) for lead, stage, at in MOVES]
    names = {
        "stages_csv": csv([(number, name) for name, number in numbers.items()], "id", "name"),
        "lost_reasons_csv": csv([(1, "Price"), (2, "Timing"), (3, "Silence"), (4, "Other")], "id", "name"),
        "teams_csv": csv([(1, "North"), (2, "South")], "id", "name"),
        "users_csv": csv([(1, "Anna"), (2, "Boris")], "id", "name"),
    }
    found = made_of(log_csv=csv(log, "deal_id", "stage_id", "user_id", "changed_at"), **names)
    assert found == COUNTED
    assert {*tables("made")["entries"]["manager"].dropna()} == {"Anna", "Boris"}


def test_stages_of_two_pipelines_may_have_the_same_names():
    numbers = {"new": 1, "met": 2, "won": 3, "lost": 4}
    log = [(lead, numbers[stage] + 4 * (int(lead[1:]) % 2), at) for lead, stage, at in MOVES]
    names = [(number + more, 1 + more // 4, name) for more in (0, 4) for name, number in numbers.items()]
    stages_csv = csv(names, "id", "pipeline_id", "name")
    assert made_of(log_csv=csv(log, "deal_id", "stage_id", "changed_at"), stages_csv=stages_csv) == COUNTED


def test_activities_whose_kinds_are_numbers_are_called_by_their_names():
    activities = csv(
        [(lead, 1 + number % 2, at) for number, (lead, at) in enumerate(NEW)], "deal_id", "type_id", "done_at"
    )
    kinds = csv([(1, "Call"), (2, "Note")], "id", "name")
    files = {"activities_csv": activities, "activity_types_csv": kinds}
    assert made_of(deals_csv=csv(deals(), "Deal ID", "Created", "Status", "Closed"), **files)["contacts"] == 20


@pytest.mark.parametrize("log", [{}, {"log_csv": csv(MOVES, "Deal ID", "Stage", "Changed at")}])
def test_what_names_no_win_and_knows_no_lead_is_not_the_table_of_the_leads(log):
    tickets = csv([(f"T{number}", NEW[0][1], "open") for number in range(90)], "Ticket ID", "Created", "Status")
    leads = csv(NEW, "Deal ID", "Created") if log else csv(deals(), "Deal ID", "Created", "Status", "Closed")
    found = made_of(deals_csv=leads, tickets_csv=tickets, **log)
    assert (found["leads"], found["stages"][-1]) == (40, 20)


# One of several pipelines: whose leads are meant, whatever the other tables call them


PIPELINES = ("Deal ID", "Created", "Status", "Closed", "Pipeline")


def in_two_pipelines():
    """Rows of deals, every fifth of another pipeline."""
    return [(*row, "Rent" if number % 5 == 4 else "Sales") for number, row in enumerate(deals())]


def test_a_history_that_writes_ids_in_capitals_is_of_the_pipeline_too():
    log = csv([(lead.lower(), stage, at) for lead, stage, at in MOVES], "Deal ID", "Stage", "Changed at")
    assert made_of(deals_csv=csv(in_two_pipelines(), *PIPELINES), log_csv=log)["stages"] == [32, 24, 16]


def test_calls_that_know_a_phone_are_of_the_pipeline_too():
    phones = [(*row, f"+49 30 {5550000 + number}") for number, row in enumerate(in_two_pipelines())]
    calls = csv([(f"004930{5550000 + number}", NEW[number][1]) for number in range(40)], "Phone", "Call time")
    found = made_of(deals_csv=csv(phones, *PIPELINES, "Phone"), calls_csv=calls)
    assert (found["leads"], found["contacts"]) == (32, 32)


# What stands beside the leads

DEALS_CSV = csv(deals(), "Deal ID", "Created", "Status", "Closed")
SPENT = [(f"2026-02-{day:02}", f"Spring {day % 3}", 100, 12.5) for day in range(1, 11)]


def test_what_was_spent_goes_before_a_budget():
    costs = csv(SPENT, "Day", "Campaign", "Ad set budget", "Amount spent (EUR)")
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 125
    assert "costs.csv: no column says on which channel it was spent" in stated()


def test_costs_in_millionths_are_so_by_their_header():
    costs = csv([(day, name, 12_500_000) for day, name, _, _ in SPENT], "Day", "Campaign", "Cost micros")
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 125


def test_a_row_without_a_campaign_that_is_the_sum_of_all_is_none():
    costs = csv([("2026-02-01", "", 1000, 125), *SPENT], "Day", "Campaign", "Impressions", "Amount spent")
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 125


def test_a_header_that_only_begins_like_a_unit_is_of_whole_money():
    rows = csv([(*row, 5000) for row in deals()], "ID", "Created", "Status", "Closed", "Micro loan amount")
    assert made_of(deals_csv=rows)["payments"] == 20 * 5000


@pytest.mark.parametrize("header", ["Actual CPA", "Actual ROI"])
def test_what_one_costs_is_not_what_was_spent(header):
    costs = csv([(*row, 3) for row in SPENT], "Day", "Campaign", "Clicks", "Amount", header)
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 125


@pytest.mark.parametrize("amounts", [(100, 60, 40), (100, 50, 30, 20)])
def test_a_row_without_a_campaign_that_may_be_as_much_as_the_others_counts(amounts):
    rows = [("2026-02-01", f"{place or ''}", "ads", spent) for place, spent in enumerate(amounts)]
    costs = csv(rows, "Day", "Campaign", "Channel", "Amount spent")
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 200


def test_a_row_without_a_campaign_that_is_no_sum_counts():
    costs = csv([("2026-02-01", "", 1000, 25), *SPENT], "Day", "Campaign", "Impressions", "Amount spent")
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 150


def test_times_that_their_header_says_are_of_utc_are():
    calls = csv([(lead, at, 60) for lead, at in NEW], "Deal ID", "Start time (UTC)", "Duration")
    made_of(deals_csv=DEALS_CSV, calls_csv=calls)
    assert 'timezone = "UTC"   # as the header says' in stated()


def test_times_of_a_clock_ahead_of_utc_are_not_of_utc():
    made_of(deals_csv=csv(deals(), "Deal ID", "Created (GMT+3)", "Status", "Closed"))
    assert "as the header says" not in stated()


def test_calls_beside_which_it_stands_how_the_deal_ended_are_calls():
    ends = {lead: state for lead, _, state, _ in deals()}
    calls = [(lead, way, ends[lead], at) for lead, at in NEW for way in ("in", "out")]
    calls_csv = csv(calls, "Deal ID", "Direction", "Status", "Date")
    assert made_of(deals_csv=DEALS_CSV, log_csv=calls_csv)["contacts"] == 80


@pytest.mark.parametrize(
    ("rows", "headers", "why"),
    [
        ([(7, "2026-02-01", 5)], ("Ticket", "Opened", "Size"), "no column holds ids, mail addresses, phones or compan"),
        ([(lead, "x") for lead, _ in NEW], ("Deal ID", "Remark"), "no column of dates"),
        ([(lead, at, "x") for lead, at in NEW], ("Deal ID", "Printed", "Remark"), "nothing says that its rows are con"),
    ],
)
def test_why_a_table_is_not_used_is_told(rows, headers, why):
    told = found_in(deals_csv=DEALS_CSV, other_csv=csv(rows, *headers)).told
    assert [line for line in told if line.startswith(f"other.csv: not used: {why}")]


def test_instalments_of_which_some_are_open_are_payments():
    parts = [(lead, part, 50, at.date(), "Paid" if part == 1 else "Open") for lead, at in NEW[:20] for part in (1, 2)]
    found = made_of(deals_csv=DEALS_CSV, instalments_csv=csv(parts, "Deal ID", "Part", "Amount", "Paid on", "State"))
    assert (found["stages"], found["payments"]) == ([40, 20], 20 * 50)


def test_owners_are_no_stages():
    days, people = (0, 2, 6), ("Sam", "Ann", "Bob", "Cid")
    rows = [
        (lead, people[turn], people[turn + 1], at + timedelta(days=day))
        for lead, at in NEW
        for turn, day in enumerate(days)
    ]
    made_of(deals_csv=DEALS_CSV, owner_history_csv=csv(rows, "Deal ID", "Old owner", "New owner", "Changed at"))
    assert read_funnel("made").stages == ("created", "won")


def test_what_is_paid_in_all_until_then_is_no_payment():
    rows = [(lead, at, 100, 100 * part) for lead, at in NEW[:20] for part in (1, 2)]
    payments = csv(rows, "Deal ID", "Payment date", "Amount", "Total paid")
    assert made_of(deals_csv=DEALS_CSV, payments_csv=payments)["payments"] == 20 * 200


@pytest.mark.parametrize("won", ["won", "paid"])
def test_who_signed_up_may_go_on(won):
    rows = csv(deals(won=won, opened="Signed up"), "Deal ID", "Created", "Status", "Closed")
    assert made_of(deals_csv=rows)["stages"] == [40, 20]


def test_dates_of_a_way_that_begins_with_a_sign_up():
    rows = [*dated("new", "met", "won")]
    assert made_of(deals_csv=csv(rows, "Deal ID", "Signed up on", "Met on", "Won on"))["stages"] == [40, 30, 20]


def test_a_sign_up_is_the_win_of_a_log_that_ends_there():
    assert made_of(log_csv=csv(renamed(won="Signed up"), "id", "event", "at")) == COUNTED


@pytest.mark.parametrize("headers", [("Last stage", "Next stage"), ("Stage", "Latest stage")])
def test_the_last_stage_of_a_log_is_one_that_came(headers):
    rows = [(lead, "met" if to == "won" else "new", to, at) for lead, to, at in MOVES if to != "new"]
    rows = [(lead, "", "new", at) for lead, at in NEW] + rows
    assert made_of(log_csv=csv(rows, "Deal ID", *headers, "Changed at"))["lost"] == 10


def test_what_is_forecast_is_no_stage_beside_what_was_changed_later():
    rows = [(*row, row[1] + timedelta(days=60), row[1] + timedelta(days=90)) for row in dated("new", "met", "won")]
    headers = ("Deal ID", "Created", "Met on", "Won on", "Forecast date", "Last modified")
    assert made_of(deals_csv=csv(rows, *headers))["stages"] == [40, 30, 20]


@pytest.mark.parametrize("header", ["Direction", "Направление"])
def test_deals_have_a_direction_and_are_no_calls(header):
    rows = [(*row[:3], ("North", "South")[number % 2]) for number, row in enumerate(deals())]
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Stage", header))
    assert (found["leads"], found["lost"]) == (40, 10)


def test_orders_of_an_invoice_and_two_lines_are_deals():
    rows = [(*row, f"INV-{row[0]}", 50, item) for row in deals() for item in ("shoe", "sock")]
    found = made_of(orders_csv=csv(rows, "Deal ID", "Created", "Stage", "Closed", "Invoice number", "Amount", "Item"))
    assert (found["leads"], found["lost"]) == (40, 10)


@pytest.mark.parametrize("header", ["Gross weight", "Gross"])
def test_gross_is_an_amount_after_others(header):
    rows = [(*row, 100, 119) for row in deals()]
    made_of(deals_csv=csv(rows, "Deal ID", "Created", "Stage", "Closed", "Value", header))
    assert 'columns.amount = "Value"' in stated()


def test_a_gross_weight_is_no_amount():
    rows = [(*row, 119) for row in deals()]
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Stage", "Closed", "Gross weight"))
    assert "payments" not in found


def test_a_deal_may_have_a_gross_amount_and_a_day_of_payment():
    rows = [(*row, row[3] if row[2] == "won" else "", 119, f"INV-{row[0]}") for row in deals()]
    headers = ("Deal ID", "Created", "Stage", "Closed", "Paid on", "Gross", "Invoice number")
    assert made_of(deals_csv=csv(rows, *headers))["stages"] == [40, 20]


def test_a_lead_that_was_reopened_counts_where_it_was():
    lost = [(lead, at) for lead, to, at in MOVES if to == "lost"]
    again = [
        (lead, to, at + timedelta(days=later)) for lead, at in lost for to, later in (("Reopened", 5), ("lost", 9))
    ]
    assert made_of(log_csv=csv([*MOVES, *again], "id", "stage", "at")) == COUNTED


def parts(*headers):
    """The deals that are won, lost and open in tables of their own, each with a column of these for its end or more."""
    rows = {end: [row for row in deals() if row[2] == end] for end in ("won", "lost", "open")}
    own = dict(zip(rows, headers, strict=True))
    return {
        end: [("Deal ID", "Created", *own[end]), *[(lead, at, *[closed] * len(own[end])) for lead, at, _, closed in of]]
        for end, of in rows.items()
    }


OF_ENDS = [[["Closed"]] * 3, [["Closed"], ["Closed"], []], [["Won on", "Signed by"], ["Lost on"], []]]


@pytest.mark.parametrize("headers", OF_ENDS)
def test_files_that_are_called_as_their_deals_ended_say_so(headers):
    files = {f"{end}_deals_csv": csv(rows[1:], *rows[0]) for end, rows in parts(*headers).items()}
    found = made_of(**files)
    assert (found["leads"], found["stages"][-1], found["lost"]) == (40, 20, 10)
    assert tables("made")["entries"]["entered_on"].notna().all()


@pytest.mark.parametrize("titles", [("Won", "Lost", "Open"), ("Успешные", "Проигранные", "В работе")])
def test_sheets_that_are_called_as_their_deals_ended_say_so(titles):
    tables_of = zip(titles, parts(*OF_ENDS[0]).values(), strict=True)
    sheets = {title: [[cell or None for cell in row] for row in rows] for title, rows in tables_of}
    found = made_of(export_xlsx=workbook(**sheets))
    assert (found["leads"], found["stages"][-1], found["lost"]) == (40, 20, 10)


def test_leads_can_be_compared_by_the_titles_of_their_sheets():
    head = ("Deal ID", "Created", "Status", "Closed")
    rows = [[cell or None for cell in row] for row in deals()]
    made_of(export_xlsx=workbook(North=[head, *rows[:20]], South=[head, *rows[20:]]))
    assert {*tables("made")["leads"]["part"]} == {"North", "South"}
    assert 'if these are the people who sell, state columns.manager = "_part" under entries' in stated()
    STATEMENT.write_text(re.sub(r"(?m)^(columns.entered_at)", r'columns.manager = "_part"\n\1', stated()))
    prepare("made")
    assert {*tables("made")["entries"]["manager"]} == {"North", "South"}


def test_the_titles_of_months_say_nothing_of_leads():
    head = ("Deal ID", "Created", "Status", "Closed")
    rows = [[cell or None for cell in row] for row in deals()]
    assert (
        "_part"
        not in found_in(export_xlsx=workbook(Jan=[head, *rows[:20]], February=[head, *rows[20:]])).statement.text
    )


@pytest.mark.parametrize("header", ["merged_into_id", "Duplicate of"])
def test_a_record_that_was_merged_into_another_is_no_lead(header):
    rows = [(*row, "") for row in deals()] + [(f"M{lead}", at, "open", "", lead) for lead, at in NEW[:5]]
    assert made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", header))["leads"] == 40


def test_tables_of_leads_and_of_customers_are_not_the_open_and_the_won_deals():
    leads = csv([(1 + n, at, state, closed) for n, (_, at, state, closed) in enumerate(deals())], *PLAIN)
    customers = csv([(1 + n, at, f"Firm {n}") for n, (_, at) in enumerate(NEW[:15])], "id", "created_at", "name")
    found = made_of(lead_csv=leads, customer_csv=customers)
    assert (found["leads"], found["stages"], found["lost"]) == (40, [40, 20], 10)


PLAIN = ("id", "created_at", "status", "closed_at")
