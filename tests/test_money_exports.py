"""Payments, costs, calls and people beside the deals, as programs export them."""

from datetime import timedelta

import pytest
from exports import MOVES, NEW, WON, csv, deals, made_of, put, stated
from projects import tables, workbook

pytestmark = pytest.mark.usefixtures("exported")

DEALS_CSV = csv(deals(), "Deal ID", "Created", "Status", "Closed")
MAIL = {lead: f"{lead.lower()}@example.org" for lead, _ in NEW}
PHONE = {lead: f"+49305550{number:03}" for number, (lead, _) in enumerate(NEW)}


def deals_with(**known):
    """The deals with what is known of each lead besides."""
    rows = [(*row, *(of[row[0]] for of in known.values())) for row in deals()]
    return csv(rows, "Deal ID", "Created", "Status", "Closed", *known)


def test_refunds_in_a_column_of_their_own_are_subtracted():
    given = {3: ("100.00", "Refunded"), 5: ("30.00", "Paid"), 6: ("20.00", "Paid")}
    rows = [
        (f"ch_{number}", at, "100.00", back, at + timedelta(days=2) if number in given else "", status, MAIL[lead])
        for number, (lead, at) in enumerate(WON)
        for back, status in [given.get(number, ("0.00", "Paid"))]
    ]
    headers = (
        "id",
        "Created date (UTC)",
        "Amount",
        "Amount Refunded",
        "Refunded date (UTC)",
        "Status",
        "Customer Email",
    )
    assert made_of(deals_csv=deals_with(Email=MAIL), stripe_csv=csv(rows, *headers))["payments"] == 19 * 100 - 50


def test_a_flag_of_refunds_is_no_amount():
    rows = [(f"P{number}", lead, at, 100, int(number == 3)) for number, (lead, at) in enumerate(WON)]
    payments = csv(rows, "Payment ID", "Deal ID", "Paid at", "Amount", "Refunded")
    made_of(deals_csv=DEALS_CSV, payments_csv=payments)
    assert "refunded =" not in stated()


def test_of_payments_what_no_word_tells_counts_and_is_told():
    states = ("Completed", "Denied", "Quarantined", "Completed")
    rows = [(f"P{number}", lead, at, 100, states[number % 4]) for number, (lead, at) in enumerate(WON)]
    payments = csv(rows, "Payment ID", "Deal ID", "Paid at", "Amount", "Status")
    assert made_of(deals_csv=DEALS_CSV, payments_csv=payments)["payments"] == 15 * 100
    assert "payments.csv: counted as paid, whatever it means: “Quarantined”" in stated()


def test_payments_without_a_known_amount_win_nothing():
    rows = [(f"P{number}", lead, at, 100) for number, (lead, at) in enumerate(WON[:12])]
    payments = csv(rows, "Payment ID", "Deal ID", "Paid at", "Zahl")
    assert made_of(deals_csv=DEALS_CSV, payments_csv=payments)["stages"] == [40, 20]


def test_the_number_of_a_payment_is_not_that_of_a_lead():
    rows = [(1 + int(lead[1:]), 100 + int(lead[1:]), *row) for lead, *row in deals()]
    paid = [(1 + number, 100 + int(lead[1:]), at, 100) for number, (lead, at) in enumerate(WON)]
    deals_csv = csv(rows, "id", "customer_id", "created_at", "status", "closed_at")
    assert (
        made_of(deals_csv=deals_csv, payments_csv=csv(paid, "id", "customer_id", "paid_at", "amount"))["payments"]
        == 2000
    )
    assert {*tables("made")["payments"]["lead_id"]} == {str(1 + int(lead[1:])) for lead, _ in WON}


def test_an_order_of_several_lines_is_paid_once():
    lines = [
        (f"#{number}", MAIL[lead], *((at, "partially_refunded", 100, 20) if line == "shoe" else [""] * 4), line)
        for number, (lead, at) in enumerate(WON)
        for line in ("shoe", "sock")
    ]
    headers = ("Name", "Email", "Paid at", "Financial Status", "Total", "Refunded Amount", "Lineitem name")
    found = made_of(deals_csv=deals_with(Email=MAIL), orders_export_csv=csv(lines, *headers))
    assert found["payments"] == 20 * 80


@pytest.mark.parametrize("later", [0, 30])
def test_the_lines_of_a_bill_have_its_amount_and_instalments_their_own(later):
    rows = [
        (f"INV-{number}", lead, at + timedelta(days=later * part), 100, f"part {part}")
        for number, (lead, at) in enumerate(WON)
        for part in range(2)
    ]
    invoices = csv(rows, "Invoice number", "Deal ID", "Paid at", "Total", "Item")
    assert made_of(deals_csv=DEALS_CSV, invoices_csv=invoices)["payments"] == 20 * (200 if later else 100)


def test_invoices_of_several_lines_of_which_some_wait_to_be_paid():
    rows = [
        (MAIL[lead], f"INV-{number}", at, "100.00", line, "Awaiting Payment" if number < 5 else "Paid")
        for number, (lead, at) in enumerate(WON)
        for line in ("60.00", "40.00")
    ]
    headers = ("EmailAddress", "InvoiceNumber", "InvoiceDate", "Total", "LineAmount", "Status")
    found = made_of(deals_csv=deals_with(Email=MAIL), sales_invoices_csv=csv(rows, *headers))
    assert found["payments"] == 15 * 100


def test_money_that_comes_from_leads_and_goes_back_to_them():
    rows = [(at, "Completed", 100, MAIL[lead], "us@example.com", f"T{n}") for n, (lead, at) in enumerate(WON)]
    rows += [(at, "Completed", -30, "us@example.com", MAIL[lead], f"R{n}") for n, (lead, at) in enumerate(WON[:3])]
    headers = ("Date", "Status", "Gross", "From Email Address", "To Email Address", "Transaction ID")
    found = made_of(deals_csv=deals_with(Email=MAIL), paypal_csv=csv(rows, *headers))
    assert found["payments"] == 20 * 100 - 3 * 30


def test_calls_from_leads_and_to_them():
    sides = [(f"+4930888000{number % 3}", PHONE[lead]) for number, (lead, _) in enumerate(NEW)]
    sides = [side if number % 2 else side[::-1] for number, side in enumerate(sides)]
    calls = [(at, *side, 60) for (_, at), side in zip(NEW, sides, strict=True)]
    calls_csv = csv([*calls, (NEW[0][1], "+4477777777", "+49308880000", 9)], "Start time", "From", "To", "Duration")
    assert made_of(deals_csv=deals_with(Phone=PHONE), calls_csv=calls_csv)["contacts"] == 40


def costs_of(rows, *headers):
    return made_of(deals_csv=DEALS_CSV, costs_csv=csv(rows, "Day", *headers, "Cost"))["costs"]


def test_campaigns_beside_their_ad_groups_are_their_sums():
    days = [f"2026-02-{day:02}" for day in range(1, 11)]
    rows = [(day, name, group, cost) for day in days for name in "ab" for group, cost in (("", 12), ("x", 5), ("y", 7))]
    assert costs_of(rows, "Campaign", "Ad group") == 240


def test_rows_of_a_plan_are_not_added_to_what_came():
    rows = [
        (f"2026-0{month}-01", "Ads", kind, cost) for month in (1, 2) for kind, cost in (("Plan", 500), ("Actual", 450))
    ]
    assert costs_of(rows, "Channel", "Type") == 900


@pytest.mark.parametrize("headers", [("MwSt-Betrag", "Betrag brutto"), ("VAT amount", "Cost incl. VAT")])
def test_a_tax_is_no_cost(headers):
    costs = csv([(f"2026-0{month}-01", "Ads", 19, 119) for month in (1, 2)], "Month", "Channel", *headers)
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 238


def test_amounts_that_are_not_plain_numbers_are_no_sums_of_nothing():
    rows = [
        (f"2026-02-0{day}", name, f"{cost} €") for day in range(1, 9) for name, cost in (("a", 1), ("b", 2), ("", 4))
    ]
    assert costs_of(rows, "Campaign") == 8 * 7


def test_what_was_spent_is_not_the_revenue_beside_it():
    costs = csv(
        [(f"2026-02-0{day}", "Ads", 900, 20) for day in range(1, 6)], "Date", "Channel", "Revenue", "Amount spent (EUR)"
    )
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 100


def test_channels_without_campaigns_may_cost_as_much_as_those_with_them():
    named = [("Google", "Brand"), ("Google", "Shop"), ("Radio", ""), ("Print", "")]
    rows = [(f"2026-0{month}-01", *of, 1000) for month in (1, 2) for of in named]
    assert costs_of(rows, "Channel", "Campaign") == 8000


@pytest.mark.parametrize("names", [("First name", "Last name"), ("Nom", "Prénom")])
def test_owners_have_both_of_their_names(names):
    rows = [(*row, 1 + number % 2) for number, row in enumerate(deals())]
    put(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Owner ID"))
    users = [(1, "Anna", "Ahl"), (2, "Anna", "Beck")]
    users = users if names[0] == "First name" else [(number, last, first) for number, first, last in users]
    made_of(users_csv=csv(users, "User ID", *names))
    assert {*tables("made")["entries"]["manager"].dropna()} == {"Anna Ahl", "Anna Beck"}


@pytest.mark.parametrize(("header", "item"), [("Amount", "Method"), ("Line amount", "Item")])
def test_equal_parts_of_one_invoice_all_count(header, item):
    rows = [(f"INV-{lead}", lead, at, 50, part) for lead, at in WON for part in ("card", "cash")]
    invoices = csv(rows, "Invoice number", "Deal ID", "Paid at", header, item)
    assert made_of(deals_csv=DEALS_CSV, invoices_csv=invoices)["payments"] == 20 * 100


def paid_back(backs, header="Refunded", amount=100, **more):
    rows = [
        (f"P{number}", lead, at, amount, back, *(of[number] for of in more.values()))
        for (number, (lead, at)), back in zip(enumerate(WON), backs, strict=True)
    ]
    payments = csv(rows, "Payment ID", "Deal ID", "Paid at", "Amount", header, *more)
    return made_of(deals_csv=DEALS_CSV, payments_csv=payments)["payments"]


@pytest.mark.parametrize("blank", ["-", "no", "0"])
def test_what_was_not_refunded_is_written_as_a_word(blank):
    assert paid_back([30, 20, *[blank] * 18]) == 2000 - 50


@pytest.mark.parametrize(("amount", "back", "nothing"), [("$100.00", "$30.50", "$0.00"), ("100,00", "30,50", "0")])
def test_refunds_with_signs_are_subtracted(amount, back, nothing):
    assert paid_back([f'"{back}"', *[nothing] * 19], amount=f'"{amount}"') == 2000 - 30.5


@pytest.mark.parametrize("header", ["Refunded %", "Refunded items"])
def test_what_counts_refunds_is_no_money(header):
    assert paid_back([30, 20, *[0] * 18], header) == 2000


def test_refunds_that_are_rows_are_subtracted_once():
    kinds = ["payment"] * 18 + ["refund"] * 2
    assert paid_back([*[0] * 16, 100, 100, 0, 0], Type=kinds) == 1800 - 200


def test_what_was_kept_is_net_of_refunds():
    rows = [(f"P{number}", lead, at, 80, 20) for number, (lead, at) in enumerate(WON)]
    payments = csv(rows, "Payment ID", "Deal ID", "Paid at", "Amount kept", "Refunded")
    assert made_of(deals_csv=DEALS_CSV, payments_csv=payments)["payments"] == 20 * 80


def test_money_that_leads_are_sent_is_subtracted():
    rows = [(at, "Completed", 100, MAIL[lead], "us@example.com", f"T{n}") for n, (lead, at) in enumerate(WON)]
    rows += [(at, "Completed", 30, "us@example.com", MAIL[lead], f"R{n}") for n, (lead, at) in enumerate(WON[:3])]
    rows += [(WON[0][1], "Completed", 0, MAIL[WON[0][0]], MAIL[WON[1][0]], "between")]
    headers = ("Date", "Status", "Gross", "From Email Address", "To Email Address", "Transaction ID")
    found = made_of(deals_csv=deals_with(Email=MAIL), paypal_csv=csv(rows, *headers))
    assert found["payments"] == 20 * 100 - 3 * 30


def test_payments_without_their_day_are_told():
    rows = [(f"P{number}", lead, at if number else "", 100) for number, (lead, at) in enumerate(WON)]
    payments = csv(rows, "Payment ID", "Deal ID", "Paid at", "Amount")
    assert made_of(deals_csv=DEALS_CSV, payments_csv=payments)["payments"] == 19 * 100
    assert "payments.csv: counted as not paid: 1 row without “Paid at”" in stated()


def test_a_total_of_one_channel_is_the_sum_of_its_campaigns():
    days = [(f"2026-02-{day:02}", "Ads", name, 10) for day in range(1, 11) for name in "ab"]
    assert costs_of([*days, ("2026-02-11", "Ads", "", 200)], "Channel", "Campaign") == 200


def test_a_comment_makes_no_row_a_sum():
    rows = [
        (f"2026-02-{day:02}", "Ads", text, cost)
        for day in range(1, 11)
        for text, cost in (("", 10), ("a", 15), ("b", -5))
    ]
    assert costs_of(rows, "Channel", "Comment") == 200


def test_a_cost_may_have_a_gross_amount_and_an_invoice():
    rows = [(f"2026-0{month}-01", "Print", f"INV-{month}", 119) for month in (1, 2)]
    costs = csv(rows, "Date", "Supplier", "Invoice number", "Gross")
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 238


def test_calls_with_others_than_leads_are_left_out_and_told():
    calls = [(at, PHONE[lead], 60) for lead, at in NEW]
    calls += [(at, f"+493077700{number}", 60) for number in range(10, 70) for at in [NEW[number % 40][1]]]
    calls_csv = csv(calls, "Start time", "Phone", "Duration")
    assert made_of(deals_csv=deals_with(Phone=PHONE), calls_csv=calls_csv)["contacts"] == 40
    assert "calls.csv: left out: 60 of 100 rows whose “Phone” is that of no lead" in stated()


def test_salesforce_tasks_are_contacts_and_no_stages():
    names = {"won": "Closed Won", "lost": "Closed Lost", "open": "Prospecting"}
    opportunities = [(lead, at, names[state], closed) for lead, at, state, closed in deals()]
    tasks = [
        (f"T{n}", f"C{n}", lead if n % 3 else f"A{n}", at.date(), "Call", "Completed" if n % 2 else "Not Started", 60)
        for n, (lead, at) in enumerate(NEW)
    ]
    headers = ("Id", "WhoId", "WhatId", "ActivityDate", "Subject", "Status", "CallDurationInSeconds")
    opportunity = csv(opportunities, "Id", "CreatedDate", "StageName", "CloseDate")
    found = made_of(opportunity_csv=opportunity, task_csv=csv(tasks, *headers))
    assert (found["stages"], found["contacts"]) == ([40, 20], 13)


def test_a_line_that_says_of_how_many_it_is_the_total_is_no_day():
    rows = [(f"2026-02-{day:02}", "c", 10) for day in range(1, 11)]
    assert costs_of([*rows, ("Total of 10 results", "-", 100)], "Campaign name") == 100


def test_costs_of_a_file_for_each_channel_are_those_of_the_channels():
    rows = [(*row, ("Google Ads", "Facebook")[number % 2]) for number, row in enumerate(deals())]
    ads = [("google_ads", 10), ("facebook", 20)]
    spent = {f"{name}_csv": csv([("2026-02-01", name[0], cost)], "Day", "Campaign", "Cost") for name, cost in ads}
    made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Source"), **spent)
    assert tables("made")["costs"].set_index("channel")["amount"].to_dict() == {"Google Ads": 10, "Facebook": 20}


@pytest.mark.parametrize(
    "headers",
    [
        ("Deposit date", "Deposit amount", "Final payment date", "Final amount"),
        ("1st payment on", "1st payment", "2nd payment on", "2nd payment"),
    ],
)
@pytest.mark.parametrize("of_deals", [True, False])
def test_parts_of_what_a_lead_pays_that_stand_side_by_side_all_count(headers, of_deals):
    paid = {lead: (at, 30, at + timedelta(days=9), 70) for lead, at in WON}
    if of_deals:
        rows = [(*row, 100, *paid.get(row[0], ("", "", "", ""))) for row in deals()]
        found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Value", *headers))
    else:
        payments = csv([(lead, *parts) for lead, parts in paid.items()], "Deal ID", *headers)
        found = made_of(deals_csv=DEALS_CSV, payments_csv=payments)
    assert (found["payments"], found["stages"]) == (2000, [40, 20])


def test_what_is_due_beside_what_came_is_no_payment():
    rows = [(*row, 100, row[1], 100, row[3] if row[2] == "won" else "") for row in deals()]
    headers = ("Value", "Payment due date", "Payment amount", "Payment date")
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", *headers))
    assert found["payments"] == 2000


@pytest.mark.parametrize("months", [(1, 2, 3), ("January", "February", "March"), ("Январь", "Февраль", "Март")])
def test_the_year_and_the_month_of_costs_may_stand_apart(months):
    costs = csv([(2026, month, "Ads", 100) for month in months], "Year", "Month", "Channel", "Cost")
    assert made_of(deals_csv=DEALS_CSV, costs_csv=costs)["costs"] == 300
    assert sorted(tables("made")["costs"]["date"].astype(str)) == ["2026-01-01", "2026-02-01", "2026-03-01"]


@pytest.mark.parametrize("written", ["2026-W{:02}", "W{:02} 2026", "KW {:02}/2026"])
def test_costs_of_weeks_count_on_their_monday(written):
    costs = csv([(written.format(week), "Ads", 100) for week in (2, 3)], "Week", "Channel", "Cost")
    made_of(deals_csv=DEALS_CSV, costs_csv=costs)
    assert sorted(tables("made")["costs"]["date"].astype(str)) == ["2026-01-05", "2026-01-12"]


def test_a_column_for_each_channel_may_stand_beside_the_year_and_the_month():
    rows = [(*row, ("Google", "Facebook")[number % 2]) for number, row in enumerate(deals())]
    costs = csv([(2026, month, 100, 50) for month in (1, 2)], "Year", "Month", "Google", "Facebook")
    found = made_of(deals_csv=csv(rows, "Deal ID", "Created", "Status", "Closed", "Source"), costs_csv=costs)
    assert found["costs"] == 300


ADS = [(f"2026-01-{day:02}", name, 10 + day, 300) for day in range(1, 29) for name in ("Brand", "Generic")]
SPENT = sum(row[2] for row in ADS)
CHANNELS = {lead: ("Google Ads", "Referral")[number % 2] for number, (lead, _) in enumerate(NEW)}


def test_a_report_of_ads_is_costs_whatever_its_campaigns_have():
    rows = [("Enabled", name, day, "50", f"{cost}.00", shown) for day, name, cost, shown in ADS]
    totals = [(f"Total: {of}", "--", "", "100", f"{SPENT}.00", 9000) for of in ("Account", "Campaigns")]
    report = csv([*rows, *totals], "Campaign state", "Campaign", "Day", "Budget", "Cost", "Impr.")
    assert made_of(deals_csv=deals_with(Source=CHANNELS), google_ads_csv=f"Campaign report\n{report}")["costs"] == SPENT
    assert tables("made")["costs"]["channel"].unique().tolist() == ["Google Ads"]


@pytest.mark.parametrize(
    "headers",
    [
        ("День", "Кампания", "Показы", "Расход (руб.)"),
        ("День", "Название объявления", "Показы", '"Потрачено всего, ₽"'),
    ],
)
def test_the_only_dates_of_a_report_of_ads_are_those_of_its_costs(headers):
    rows = [("Итого и средние", "", 9000, SPENT), *((day, name, shown, cost) for day, name, cost, shown in ADS)]
    assert made_of(deals_csv=DEALS_CSV, yandex_csv=csv(rows, *headers))["costs"] == SPENT


def test_a_sheet_of_calls_that_has_each_lead_once_holds_contacts():
    rows = [(lead, at + timedelta(days=1), 3, "Anna") for lead, at in NEW[::2]]
    calls = [("Deal ID", "Call time", "Duration (min)", "Agent"), *rows]
    sold = [("Deal ID", "Created", "Status", "Closed"), *deals()]
    assert made_of(crm_xlsx=workbook(Deals=sold, Calls=calls))["contacts"] == 20


def test_a_russian_list_of_calls_holds_contacts():
    rows = [
        (f"{at:%d.%m.%Y}", f"{at:%H:%M:%S}", "Исходящий", "Анна", PHONE[lead].strip("+"), "00:01:05", status)
        for number, (lead, at) in enumerate([*NEW, *WON])
        for status in [("Успешный", "Пропущенный")[number % 5 == 0]]
    ]
    headers = ("Дата", "Время", "Тип звонка", "Кто звонил", "Кому звонили", "Длительность разговора", "Статус")
    assert made_of(deals_csv=deals_with(Phone=PHONE), calls_csv=csv(rows, *headers))["contacts"] == 60


def test_money_of_no_lead_is_left_out_and_told():
    rows = [(f"txn_{lead}", "charge", 100, 3, 97, at, MAIL[lead]) for lead, at in WON]
    rows += [(f"txn_p{lead}", "payout", -500, 0, -500, at, "") for lead, at in WON[:4]]
    balance = csv(rows, "id", "Type", "Amount", "Fee", "Net", "Created (UTC)", "Customer Email")
    assert made_of(deals_csv=deals_with(Email=MAIL), balance_csv=balance)["payments"] == 20 * 100
    assert "balance.csv: left out: 4 rows without “Customer Email”, -2,000.00 in all" in stated()


def test_orders_beside_the_deals_are_payments_and_pending_ones_are_not():
    rows = [(7000 + number, "Completed", at, MAIL[lead], 100) for number, (lead, at) in enumerate(WON)]
    rows += [
        (8000, "Pending payment", WON[0][1], MAIL[WON[0][0]], 700),
        (8001, "Failed", WON[0][1], MAIL[WON[0][0]], 70),
    ]
    orders = csv(rows, "Order Number", "Order Status", "Order Date", "Email (Billing)", "Order Total Amount")
    assert made_of(deals_csv=deals_with(Email=MAIL), orders_csv=orders)["payments"] == 20 * 100


@pytest.mark.parametrize(
    "written",
    [
        lambda amount: f"{amount / 1000}k" if amount > 1500 else amount,
        "CHF {}.-".format,
        lambda amount: f"€ {amount:,},-".replace(",", ".", 1),
    ],
)
def test_amounts_are_read_as_people_write_them(written):
    amounts = {lead: 1000 + 100 * number for number, (lead, _) in enumerate(NEW)}
    sales = csv([[f'"{cell}"' for cell in (*row, written(amounts[row[0]]))] for row in deals()],
                "Deal ID", "Created", "Status", "Closed", "Amount")  # fmt: skip
    assert made_of(deals_csv=sales)["payments"] == sum(amounts[lead] for lead, _ in WON)
    assert ('currency = "CHF"' in stated()) == ("CHF" in sales)


def test_amounts_that_are_not_written_alike_are_told():
    sales = deals_with(Amount={lead: ("1.200,00", "1,000.00")[number % 2] for number, (lead, _) in enumerate(NEW)})
    sales = sales.replace("1.200,00", '"1.200,00"').replace("1,000.00", '"1,000.00"')
    assert "payments" not in made_of(deals_csv=sales)
    assert "“Amount” is not read: its cells are not all numbers, or not written alike" in stated()


def test_what_an_advertisement_was_shown_may_be_said_of_a_deal():
    sold = csv([(*row, 500, 9) for row in deals()], "ID сделки", "Дата", "Статус", "Дата закрытия", "Бюджет", "Показы")
    found = made_of(deals_csv=sold)
    assert (found["payments"], "costs" in found) == (20 * 500, False)


@pytest.mark.parametrize(
    ("file", "header"),
    [("google_costs", "Platform"), ("costs without google", "Note")],
)
def test_costs_are_of_no_single_channel_where_others_are_named(file, header):
    known = {lead: ("Google", "Referral")[number % 2] for number, (lead, _) in enumerate(NEW)}
    rows = [(f"2026-01-{day:02}", ("Google", "Referral", "Bing")[day % 3] if header == "Platform" else "", 5)
            for day in range(1, 29)]  # fmt: skip
    made_of(**{"deals_csv": deals_with(Source=known), f"{file}.csv": csv(rows, "Date", header, "Amount spent")})
    assert "constants.channel = " not in stated()


@pytest.mark.parametrize(
    ("title", "headers"),
    [
        ("Контакты", ("ID сделки", "Дата создания", "Источник")),
        ("Meetings", ("Deal ID", "Created", "Source")),
        ("Call centre leads", ("Deal ID", "Created", "Source")),
    ],
)
def test_a_sheet_of_leads_that_is_called_as_contacts_holds_leads(title, headers):
    came = [headers, *((lead, at, "Google") for lead, at in NEW)]
    moved = [("Deal ID", "Status", "Closed"), *((lead, end, at) for lead, _, end, at in deals())]
    found = made_of(crm_xlsx=workbook(**{title: came, "Deals": moved}))
    assert (found["stages"], "contacts" in found) == ([40, 20], False)
    assert tables("made")["leads"]["channel"].eq("Google").all()


def test_ids_that_end_as_thousands_do_are_ids():
    sold = csv([(f"1{row[0][1:]}K", *row[1:]) for row in deals()], "Deal ID", "Created", "Status", "Closed")
    paid = csv([(f"1{lead[1:]}K", at, 100) for lead, at in WON], "Deal ID", "Paid at", "Amount")
    assert made_of(deals_csv=sold, payments_csv=paid)["payments"] == 20 * 100


def test_who_was_shown_something_is_a_lead_by_whatever_it_is_known():
    rows = [(PHONE[lead], at, end, 9, 500) for lead, at, end, _ in deals("Продано", "Отказ", "Показ")]
    moved = csv([(PHONE[lead], stage, at) for lead, stage, at in MOVES], "Телефон", "Этап", "Дата изменения")
    leads = csv(rows, "Телефон", "Дата", "Статус", "Показы", "Бюджет")
    found = made_of(leads_csv=leads, log_csv=moved)
    assert (found["payments"], "costs" in found) == (20 * 500, False)


def test_one_id_that_ends_as_thousands_do_is_an_id():
    ids = {lead: f"{number}B" if number == 9 else str(100 + number) for number, (lead, _) in enumerate(NEW)}
    sold = csv([(ids[row[0]], *row[1:]) for row in deals()], "Order number", "Created", "Status", "Closed")
    calls = csv([(ids[lead], at, 60) for lead, at in NEW], "Order number", "Call time", "Duration")
    assert made_of(deals_csv=sold, calls_csv=calls)["contacts"] == 40
