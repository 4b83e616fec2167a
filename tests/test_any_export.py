"""Exports as single tools write them: what their rows are, which dates are ends, whose rows stand in another table."""

from __future__ import annotations

import pytest
from test_init import COUNTED, csv, default, history, made, project, put  # noqa: F401
from test_kinds_of_exports import NEW, changes

ENDED = {lead: (stage, at) for lead, stage, at, *_ in history() if stage in ("won", "lost")}


def deals(won="won", lost="lost", opened="open"):
    """Rows ``lead, created, status, closed`` of the same leads."""
    for lead, at in NEW:
        stage, closed = ENDED.get(lead, ("", ""))
        yield lead, at, {"won": won, "lost": lost}.get(stage, opened), closed


def test_rows_that_stand_once_with_several_dates_are_leads_and_no_history():
    way = {(lead, stage): at for lead, stage, at, *_ in history()}
    rows = [
        (lead, status, *(way.get((lead, stage), "") for stage in ("new", "met", "won")))
        for lead, _, status, _ in deals()
    ]
    folder = put(candidates_csv=csv(rows, "Candidate ID", "Current Stage", "Applied Date", "Offer Date", "Hired Date"))
    assert made(folder)["stages"] == [40, 30, 20]


def test_changes_that_have_numbers_of_their_own_are_those_of_their_deals():
    rows = [(f"A{number}", *row[:1], row[3], "stage", *row[1:3]) for number, row in enumerate(changes())]
    log = csv(rows, "id", "parent_id", "date_created", "field_name", "before_value_string", "after_value_string")
    assert made(put(deals_csv=csv(NEW, "id", "date created"), audit_csv=log)) == COUNTED


@pytest.mark.parametrize("total", ["Total Anna", "Anna Total"])
def test_a_sum_of_a_group_that_stands_where_ids_do_is_no_lead(total):
    rows = [*deals()]
    rows.insert(20, (total, "", "", ""))
    folder = put(deals_csv=csv([(*row, 5) for row in rows], "id", "created", "status", "closed", "amount"))
    assert made(folder)["leads"] == 40


def test_a_total_of_rows_without_ids_is_no_lead():
    rows = [("Anna", *row[1:], 5) for row in deals()] + [("Total", "", "", "", 200)]
    assert made(put(deals_csv=csv(rows, "owner", "created", "status", "closed", "amount")))["leads"] == 40


def test_a_date_that_fewer_leads_have_is_no_creation_where_an_earlier_one_is_there_for_all():
    way = {(lead, stage): at for lead, stage, at, *_ in history()}
    rows = [(lead, *(way.get((lead, stage), "") for stage in ("new", "met", "won"))) for lead, _ in NEW]
    assert made(put(loans_csv=csv(rows, "id", "inbound", "papers received", "won on")))["stages"] == [40, 30, 20]


def test_changes_whose_dates_stand_in_another_table_are_a_history():
    log = csv(
        [(7000 + n, 9000 + n, *row[1:3]) for n, row in enumerate(changes())], "id", "message", "old value", "new value"
    )
    said = csv([(9000 + n, row[0], row[3]) for n, row in enumerate(changes())], "id", "res_id", "date")
    assert made(put(deals_csv=csv(NEW, "id", "created"), log_csv=log, message_csv=said)) == COUNTED


def test_a_state_with_the_days_on_which_it_began_and_ended_is_a_row_of_a_history():
    rows = [(lead, stage, at, "9999-12-31") for lead, stage, at, *_ in history()]
    assert made(put(log_csv=csv(rows, "deal id", "stage", "valid from", "valid to"))) == COUNTED


def test_what_was_booked_and_cancelled_is_no_contact_and_an_order_with_a_status_of_its_payment_is_one():
    people = [(*row, f"{row[0]}@x.org") for row in deals()]
    booked = [(mail, day, "true" if lead == "D001" else "false") for lead, day, *_, mail in people]
    paid = [(900 + n, mail, "paid", day, day, 5) for n, (_, _, end, day, mail) in enumerate(people) if end == "won"]
    paid += [(row[0], row[1], "", "", "", "") for row in paid]
    found = made(put(
        deals_csv=csv(people, "deal id", "created", "status", "closed", "email"),
        events_csv=csv(booked, "invitee email", "start time", "canceled"),
        orders_csv=csv(paid, "id", "email", "financial status", "paid at", "created at", "total"),
    ))  # fmt: skip
    assert (found["stages"], found["contacts"], found["payments"]) == ([40, 20], 39, 100)
