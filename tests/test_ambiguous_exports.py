"""Words of an export that may be meant in two ways, of which its rows or what stands beside them tell one."""

from datetime import timedelta

import pytest
from exports import MOVES, NEW, WAYS, WON, csv, dated, deals, made_of, stated
from projects import tables, workbook

pytestmark = pytest.mark.usefixtures("exported")

DEALS = ("Deal ID", "Created", "Status", "Closed")
DEALS_CSV = csv(deals(), *DEALS)
MAIL = {lead: f"{lead.lower()}@example.org" for lead, _ in NEW}
PHONE = {lead: f"+49305550{number:03}" for number, (lead, _) in enumerate(NEW)}
NUMBER = {"new": 1, "met": 2, "won": 3, "lost": 4}
NUMBERED_CSV = csv([(lead, NUMBER[stage], at) for lead, stage, at in MOVES], "deal id", "status_id", "changed at")
NAMED = [(1, "New"), (2, "Met"), (3, "Closed won"), (4, "Closed lost")]
STAGES = {"leads": 40, "stages": [40, 30, 20], "lost": 10, "nurture": 0}


def deals_with(**known):
    """The deals with what is known of each lead besides."""
    return csv([(*row, *(of[row[0]] for of in known.values())) for row in deals()], *DEALS, *known)


def paid(*headers, more=lambda _: (), name="payments"):
    """The money of twenty payments of 100, with a column for each further header."""
    rows = [(f"P{number}", lead, at, *more(number)) for number, (lead, at) in enumerate(WON)]
    payments = {f"{name}_csv": csv(rows, "Payment ID", "Deal ID", *headers)}
    return made_of(deals_csv=DEALS_CSV, **payments).get("payments")


def cost(rows, *headers):
    """What was spent, by rows of a month each."""
    of_months = [(f"2026-0{month}-01", *row) for month in (1, 2, 3) for row in rows]
    return made_of(deals_csv=DEALS_CSV, costs_csv=csv(of_months, "Month", *headers)).get("costs")


# Names of stages and of people, in tables of their own


@pytest.mark.parametrize(("header", "says"), [("status", ("open", "open", "won", "lost")), ("state", ("active",) * 4)])
def test_a_stage_is_called_by_its_name_and_not_by_its_state(header, says):
    names = csv([(*named, said) for named, said in zip(NAMED, says, strict=True)], "id", "name", header)
    assert made_of(log_csv=NUMBERED_CSV, stages_csv=names) == STAGES


def test_numbers_of_stages_are_not_those_of_contacts():
    names = [(number, ("Anna", "Boris", "Cleo")[number % 3], f"{number}@example.org") for number in range(1, 41)]
    made_of(log_csv=NUMBERED_CSV.replace("status_id", "stage"), contacts_csv=csv(names, "id", "name", "email"))
    assert "Anna" not in stated()


def test_statuses_are_those_of_a_status_id():
    users = csv([(number, name) for number, name in enumerate(("Ann", "Bob", "Cid", "Dan"), start=1)], "id", "name")
    statuses = csv([*NAMED, (5, "Old"), (6, "Older")], "id", "name")
    assert made_of(log_csv=NUMBERED_CSV, statuses_csv=statuses, users_csv=users) == STAGES
    assert "Ann" not in stated()


def test_names_of_stages_in_two_files_are_one_list():
    files = {f"stages_{part}_csv": csv(NAMED[2 * part : 2 * part + 2], "id", "name") for part in (0, 1)}
    assert made_of(log_csv=NUMBERED_CSV.replace("status_id", "stage_id"), **files) == STAGES
    assert "Closed won" in stated()


def test_owners_are_the_staff_and_not_who_has_mail_addresses():
    rows = [(*row, 1 + number % 2) for number, row in enumerate(deals())]
    staff = csv([(1, "Ann"), (2, "Bob"), (3, "Cid")], "id", "name")
    students = csv([(number, f"S{number}", f"s{number}@example.org") for number in range(1, 41)], "id", "name", "email")
    made_of(deals_csv=csv(rows, *DEALS, "Owner"), staff_csv=staff, students_csv=students)
    assert {*tables("made")["entries"]["manager"].dropna()} == {"Ann", "Bob"}


# Whose a row is, and which table is that of the leads


@pytest.mark.parametrize("known", ["city", "responsible_user_id", "customer_id"])
@pytest.mark.parametrize(
    ("file", "headers"), [("payments", ("paid_at", "amount")), ("calls", ("start_time", "duration"))]
)
def test_a_row_with_the_id_of_a_lead_is_that_leads(known, file, headers):
    of = {lead: f"Town{place // 2}" if known == "city" else 900 + place // 2 for place, (lead, _) in enumerate(NEW)}
    deals_csv = csv([(*row, of[row[0]]) for row in deals()], "id", "created_at", "status", "closed_at", known)
    rows = [(f"P{place}", lead, of[lead], at, 100) for place, (lead, at) in enumerate(WON)]
    made_of(deals_csv=deals_csv, **{f"{file}_csv": csv(rows, "id", "project_ref", known, *headers)})
    assert {*tables("made")["payments" if file == "payments" else "contacts"]["lead_id"]} == {lead for lead, _ in WON}


ORDERED = [
    (f"O{n}", MAIL[lead], at, at + timedelta(days=1), ("Ordered", "Cancelled")[n % 2])
    for n, (lead, at) in enumerate(WON)
]


@pytest.mark.parametrize(
    ("rows", "headers"),
    [
        (ORDERED, ("Order number", "Customer email", "Created", "Completed", "Status")),
        ([(n, f"{n}@other.org", at, "Subscribed") for n, _, at, *_ in ORDERED], ("ID", "E-mail", "Created", "Status")),
    ],
)
def test_leads_with_dates_of_their_stages_are_those_of_the_funnel(rows, headers):
    leads = [(lead, MAIL[lead], *way) for lead, *way in dated("new", "met", "won", days=True)]
    leads_csv = csv(leads, "Lead ID", "Email", "Created", "Visit on", "Contract on")
    assert made_of(leads_csv=leads_csv, other_csv=csv(rows, *headers))["leads"] == 40


def test_a_log_of_wins_is_the_funnel_beside_tickets():
    tickets = csv([(f"T{n}", at, ("Open", "Done")[n % 2]) for n, (_, at) in enumerate(WON)], "ID", "Created", "Status")
    assert made_of(log_csv=csv(MOVES, "deal id", "stage", "changed at"), tickets_csv=tickets) == STAGES


def test_orders_with_a_way_of_their_own_are_leads_without_an_amount_too():
    rows = [(lead, f"INV{lead}" if won else "", *at, won) for lead, *at, won in dated("new", "met", "won")]
    orders = csv(rows, "Order ID", "Invoice number", "Created", "Quoted on", "Paid on")
    returns = csv([(f"R{n}", at, "open") for n, (_, at) in enumerate(WON)], "ID", "Created", "Status")
    assert made_of(orders_csv=orders, returns_csv=returns)["stages"] == [40, 30, 20]


@pytest.mark.parametrize(
    "names",
    [
        {"won": "Completed", "lost": "Rejected", "open": "On hold"},
        {"won": "Approved", "lost": "Rejected", "open": "Processing"},
    ],
)
def test_what_deals_and_payments_are_both_called_makes_no_payments(names):
    rows = [(lead, at, 100, names[state] if n != 2 else "Failed") for n, (lead, at, state, _) in enumerate(deals())]
    projects = csv(rows, "Deal ID", "Created", "Amount", "Status")
    payments = csv(
        [(f"P{n}", lead, at, 100) for n, (lead, at) in enumerate(WON)], "Payment ID", "Deal ID", "Paid at", "Amount"
    )
    found = made_of(projects_csv=projects, log_csv=csv(MOVES, "Deal ID", "Stage", "Changed at"), payments_csv=payments)
    assert found["payments"] == 2000


def test_calls_of_which_each_has_an_id_and_a_direction_are_calls():
    rows = [
        (f"c{n}", at, ("in", "out")[n % 2], PHONE[lead], ("Success", "Missed", "Declined")[n % 3])
        for n, (lead, at) in enumerate(NEW)
    ]
    calls_csv = csv(rows, "ID", "Date", "Direction", "Phone", "Status")
    assert made_of(deals_csv=deals_with(Phone=PHONE), mango_csv=calls_csv)["contacts"] > 20


# How a lead ended


def test_signed_up_is_a_win_where_a_status_names_no_other():
    rows = csv(deals(won="Signed up", lost="Not interested"), *DEALS)
    found = made_of(deals_csv=rows)
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


@pytest.mark.parametrize("called_lost", [4, 7])
def test_what_only_leads_with_the_date_of_a_loss_are_called_is_one(called_lost):
    lost = [lead for lead, _, state, _ in deals() if state == "lost"]
    said = {lead: "Lost" if place < called_lost else "Too expensive" for place, lead in enumerate(lost)}
    rows = [
        (
            lead,
            at,
            WAYS[lead].get("met", ""),
            said.get(lead, state),
            closed if state == "won" else "",
            closed if state == "lost" else "",
        )
        for lead, at, state, closed in deals()
    ]
    assert made_of(deals_csv=csv(rows, "Deal ID", "Created", "Met on", "Status", "Won on", "Refused on")) == STAGES
    assert "counted as lost, since only leads with “Refused on” are so: “Too expensive”" in stated()


def test_where_a_lead_is_from_is_no_stage_that_it_left():
    rows = [
        (
            lead,
            at,
            ("Google", "Facebook")[n % 2],
            state,
            closed if state == "won" else "",
            closed if state == "lost" else "",
        )
        for n, (lead, at, state, closed) in enumerate(deals())
    ]
    found = made_of(deals_csv=csv(rows, "ID", "Created", "From", "Stage", "Won on", "Lost on"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


@pytest.mark.parametrize("nothing", ["NULL", "-", "0000-00-00 00:00:00"])
def test_a_word_for_no_day_of_deletion_deletes_nothing(nothing):
    rows = [(*row, "2026-05-01 10:00:00" if number < 4 else nothing) for number, row in enumerate(deals())]
    assert made_of(deals_csv=csv(rows, *DEALS, "Deleted at"))["leads"] == 36


def test_lost_deals_that_are_cleared_away_were_lost():
    rows = [(*row, row[3] if row[2] == "lost" else "") for row in deals()]
    found = made_of(deals_csv=csv(rows, *DEALS, "Deleted on"))
    assert (found["leads"], found["lost"]) == (40, 10)


def test_a_stage_of_all_leads_may_be_called_estimated():
    met = dict(dated("met"))
    rows = [(lead, at, at + timedelta(days=1), met[lead], state, closed) for lead, at, state, closed in deals()]
    found = made_of(jobs_csv=csv(rows, "Job ID", "Created", "Estimated on", "Met on", "Status", "Closed"))
    assert found["stages"] == [40, 40, 30, 20]


# Amounts, and what was paid


@pytest.mark.parametrize(
    "header",
    [
        *("Total after discount", "Amount net of discount", "Commission amount", "Gross (USD)", "Brutto (EUR)"),
        *("Сумма с НДС 20%", "Total incl. GST 10%", "Betrag inkl. MwSt 19%"),
    ],
)
def test_an_amount_with_or_without_something_is_an_amount(header):
    assert paid("Paid at", header, more=lambda _: [100]) == 2000


def test_the_price_of_one_is_no_amount_without_its_tax_either():
    headers = ("Paid at", "Quantity", "Unit price net", "Invoice amount (EUR)")
    assert paid(*headers, more=lambda _: (2, 50, 119), name="invoices") == 2380


def test_the_only_date_of_payments_is_theirs_if_they_were_booked_on_it():
    assert paid("Booked on", "Amount", more=lambda _: [100]) == 2000


def test_a_delivery_on_hold_was_paid():
    states = ("Delivered", "On hold", "Rejected", "Delivered")
    assert paid("Paid at", "Amount", "Delivery", more=lambda number: (100, states[number % 4])) == 2000


def test_refunds_are_subtracted_from_what_is_net_of_tax():
    assert paid("Paid at", "Betrag netto", "Erstattet", more=lambda number: (100, 30 if number < 3 else 0)) == 1910


@pytest.mark.parametrize("item", ["Номенклатура", "Produkte", "Description", "Bezeichnung", "Concepto", "Désignation"])
def test_the_lines_of_a_bill_in_other_languages(item):
    rows = [(f"INV-{n}", lead, at, 100, part) for n, (lead, at) in enumerate(WON) for part in ("shoe", "sock")]
    invoices = csv(rows, "Invoice number", "Deal ID", "Paid at", "Total", item)
    assert made_of(deals_csv=DEALS_CSV, invoices_csv=invoices)["payments"] == 2000


@pytest.mark.parametrize("states", [(), ("Completed", "Cleared"), ("Completed", "Held")])
def test_gross_amounts_between_mail_addresses_are_payments(states):
    rows = [
        (at, 100, MAIL[lead], "us@example.com", f"T{n}", *([states[n % 7 == 0]] if states else []))
        for n, (lead, at) in enumerate(WON)
    ]
    headers = ("Date", "Gross", "From Email Address", "To Email Address", "Transaction ID", *["Status"] * bool(states))
    found = made_of(deals_csv=deals_with(Email=MAIL), paypal_csv=csv(rows, *headers))
    assert (found["payments"], found["stages"]) == (2000, [40, 20])


def test_who_receives_a_bill_pays_it():
    rows = [(f"INV{n}", at, 100, "us@example.com", MAIL[lead], "Paid") for n, (lead, at) in enumerate(WON)]
    rows += [("S1", WON[0][1], 50, MAIL["D001"], "us@example.com", "Paid")]
    invoices = csv(rows, "Invoice number", "Invoice date", "Amount", "Issuer", "Recipient", "Status")
    assert made_of(deals_csv=deals_with(Email=MAIL), invoices_csv=invoices)["payments"] == 1950


# What was spent


@pytest.mark.parametrize("level", ["Группа", "Conjunto de anuncios", "Ensemble de publicités", "Device"])
def test_levels_of_ads_in_other_languages(level):
    rows = [(name, part, spent) for name in "ab" for part, spent in (("", 12), ("x", 5), ("y", 7))]
    assert cost(rows, "Campaign", level, "Cost") == 72


@pytest.mark.parametrize("headers", [("Ad spend", "Agency fee", "Total"), ("Cost", "Leads", "Amount")])
def test_a_total_is_more_than_its_parts(headers):
    assert cost([("Ads", 20, 5, 100)], "Channel", *headers) == 300


def test_channels_may_be_called_target_and_real():
    assert cost([("Target", 100), ("Real", 100), ("Ads", 100)], "Channel", "Cost") == 900


def test_a_budget_in_another_language_is_a_plan():
    assert cost([("Ads", "Presupuesto", 500), ("Ads", "Real", 450)], "Channel", "Type", "Cost") == 1350


# Tables beside the leads' own, and files of which some have a column more


TICKETS = [
    (f"T{n}", MAIL[NEW[n % 40][0]], at, at + timedelta(hours=2), ("open", "solved")[n % 2])
    for n in range(90)
    for at in [NEW[n % 40][1]]
]


@pytest.mark.parametrize(
    "headers",
    [
        ("Ticket ID", "Email", "Created", "First response at", "Status"),
        ("ID", "E-mail", "Created", "Confirmed on", "State"),
    ],
)
def test_tickets_of_the_same_people_are_not_the_funnel(headers):
    found = made_of(deals_csv=deals_with(Email=MAIL), tickets_csv=csv(TICKETS, *headers))
    assert (found["leads"], found["stages"], found["lost"]) == (40, [40, 20], 10)


def halves(rows, headers, more, value):
    """Two files of deals, of which the younger one has a column more."""
    half = len(rows) // 2
    return {
        "a_csv": csv(rows[:half], *headers),
        "b_csv": csv([(*row, value(row)) for row in rows[half:]], *headers, more),
    }


@pytest.mark.parametrize("more", ["Pipeline", "Create date", "Record ID"])
def test_what_only_the_younger_file_has_is_no_date_of_creation_pipeline_or_id(more):
    values = {"Pipeline": lambda row: ("Sales", "Rent")[int(row[0][1:]) % 2], "Create date": lambda row: row[1]}
    files = halves(
        [*deals()], ("Deal ID", "Created", "Status", "Closed"), more, values.get(more, lambda row: f"R{row[0]}")
    )
    found = made_of(**files)
    assert (found["leads"], found["stages"], found["lost"]) == (40, [40, 20], 10)


@pytest.mark.parametrize(("more", "value"), [("Paid at", lambda row: row[2]), ("Amount paid", lambda row: row[3])])
def test_payments_of_the_older_file_count_too(more, value):
    rows = [(f"P{n}", lead, at, 100) for n, (lead, at) in enumerate(WON)]
    files = halves(rows, ("Payment ID", "Deal ID", "Date", "Amount"), more, value)
    files = {f"payments_{name}": content for name, content in files.items()}
    assert made_of(deals_csv=DEALS_CSV, **files)["payments"] == 2000


def test_files_in_two_encodings_may_lack_a_column():
    rows = [(lead, at, state, closed, "Мир") for lead, at, state, closed in deals()]
    files = halves(rows, (*DEALS, "Регион"), "Loss reason", lambda row: "price" if row[2] == "lost" else "")
    found = made_of(a_csv=files["a_csv"].encode("cp1251"), b_csv=files["b_csv"])
    assert (found["leads"], found["lost"]) == (40, 10)


def test_lists_of_names_in_sheets_of_numbered_titles_are_not_one():
    rows = [(lead, at, NUMBER[stage], 1 + int(lead[1:]) % 2) for lead, stage, at in MOVES]
    sheets = {
        "Sheet1": [("Deal ID", "Changed at", "Stage ID", "User ID"), *rows],
        "Sheet2": [("Stage ID", "Name"), *NAMED],
        "Sheet3": [("User ID", "Name"), (1, "Ann"), (2, "Bob")],
    }
    assert made_of(export_xlsx=workbook(**sheets)) == STAGES


@pytest.mark.parametrize("names", [("costs_jan", "costs_feb"), ("costs", "costs_new"), ("north", "south")])
def test_files_of_costs_are_channels_only_if_leads_come_from_them(names):
    spent = {f"{name}_csv": csv([("2026-02-01", "c", 10)], "Day", "Campaign", "Cost") for name in names}
    made_of(deals_csv=DEALS_CSV, **spent)
    assert "_part" not in stated()


@pytest.mark.parametrize(("plan", "came"), [("Amount", "Spent"), ("Betrag", "Ist"), ("Сумма", "Факт")])
def test_an_amount_beside_what_was_spent_is_a_plan(plan, came):
    assert cost([("Ads", 500, 50)], "Channel", plan, came) == 150


# Payments of programs that call neither their file nor their states so


@pytest.mark.parametrize("states", [("Completed", "Failed"), ("Approved", "Rejected"), ("Completed", "Refunded")])
def test_transactions_with_numbers_of_their_own_are_payments(states):
    rows = [(f"P{n}", lead, at, 100, states[n % 4 == 1]) for n, (lead, at) in enumerate(WON)]
    transactions = csv(rows, "Transaction ID", "Deal ID", "Date", "Amount", "Status")
    found = made_of(deals_csv=DEALS_CSV, transactions_csv=transactions)
    assert (found["payments"], found["stages"]) == (1500, [40, 20])


def test_a_payment_that_was_rejected_is_none_beside_the_state_of_its_delivery():
    states = ("Paid", "Rejected", "Paid", "Paid")
    headers = ("Paid at", "Amount", "Status", "Payment status")
    assert paid(*headers, more=lambda n: (100, ("Delivered", "Shipped")[n % 2], states[n % 4])) == 1500


@pytest.mark.parametrize("header", ["Gross incl. VAT", "Brutto (in EUR)", "Gross income"])
def test_what_is_gross_is_an_amount(header):
    assert paid("Paid at", header, more=lambda _: [100]) == 2000


def test_payments_with_a_column_of_invoice_numbers_are_no_invoices():
    rows = [(at, "Completed", 100, MAIL[lead], "us@example.com", f"T{n}", "") for n, (lead, at) in enumerate(WON)]
    rows += [(at, "Completed", -30, "us@example.com", MAIL[lead], f"R{n}", "") for n, (lead, at) in enumerate(WON[:3])]
    headers = ("Date", "Status", "Gross", "From Email Address", "To Email Address", "Transaction ID", "Invoice Number")
    assert made_of(deals_csv=deals_with(Email=MAIL), paypal_csv=csv(rows, *headers))["payments"] == 1910


@pytest.mark.parametrize("more", [("Invoice number",), ("Invoice number", "Status")])
def test_parts_of_one_invoice_side_by_side_both_count(more):
    known = {"Invoice number": "INV{}".format, "Status": "Paid".format}
    rows = [
        (lead, *(known[name](n) for name in more), at, 30, at + timedelta(days=9), 70)
        for n, (lead, at) in enumerate(WON)
    ]
    headers = ("Deal ID", *more, "Deposit date", "Deposit amount", "Final payment date", "Final amount")
    assert made_of(deals_csv=DEALS_CSV, payments_csv=csv(rows, *headers))["payments"] == 2000


def test_a_deposit_that_was_returned_was_not_paid():
    rows = [(*row, *((row[3], 100, row[3], 100) if row[2] == "won" else [""] * 4)) for row in deals()]
    headers = (*DEALS, "Full payment date", "Full payment", "Deposit returned on", "Deposit returned")
    assert made_of(deals_csv=csv(rows, *headers)).get("payments") in (None, 2000)


def test_a_sheet_of_a_plan_is_not_added_to_that_of_what_came():
    head, months = ("Month", "Channel", "Cost"), ("2026-01-01", "2026-02-01")
    sheets = {
        title: [head, *[(month, "Ads", spent) for month in months]] for title, spent in (("Plan", 300), ("Fact", 100))
    }
    assert made_of(deals_csv=DEALS_CSV, costs_xlsx=workbook(**sheets))["costs"] == 200


# What denies a win, or only speaks of one


@pytest.mark.parametrize(
    ("won", "lost"),
    [("Sold", "Not sold"), ("Verkauft", "Nicht verkauft"), ("Продано", "Не продано"), ("Won", "Won by competitor")],
)
def test_a_win_that_is_denied_is_a_loss(won, lost):
    found = made_of(deals_csv=csv(deals(won, lost), *DEALS))
    assert (found["stages"][-1], found["lost"]) == (20, 10)


@pytest.mark.parametrize("said", ["Not paid", "Won - awaiting signature", "Not yet won", "Almost lost"])
def test_what_may_still_come_is_no_end(said):
    found = made_of(deals_csv=csv(deals(opened=said), *DEALS))
    assert (found["leads"], found["stages"][-1], found["lost"]) == (40, 20, 10)


def test_of_a_partial_refund_the_part_is_subtracted_that_came_back():
    headers = ("Created", "Status", "Amount", "Amount Refunded")
    assert paid(*headers, more=lambda n: ("Paid", 100, 0) if n else ("Partial Refund", 100, 30)) == 1970


@pytest.mark.parametrize(
    ("who", "whence", "why", "much"),
    [
        ("Verantwortliche Person", "Quelle", "Absagegrund", "Angebotssumme"),
        ("Owner email", "Provenienza", "Reden verlies", "Bedrag excl. btw"),
        ("Responsable", "Herkomst", "Motivo", "Presupuesto"),
    ],
)
def test_headers_of_other_languages_are_read(who, whence, why, much):
    known = {who: ["a@acme.com", "b@acme.com"], whence: ["Web", "Fair"], why: ["price", "time"], much: [100, 250]}
    rows = [(*row, *(texts[number % 2] for texts in known.values())) for number, row in enumerate(deals())]
    made_of(deals_csv=csv(rows, *DEALS, *known))
    for role, header in {"manager": who, "channel": whence, "reason": why, "amount": much}.items():
        assert f'columns.{role} = "{header}"' in stated()
