"""Exports as single tools write them: what their rows are, which dates are ends, whose rows stand in another table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from test_init import COUNTED, csv, default, history, made, project, put  # noqa: F401
from test_kinds_of_exports import NEW, changes

from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import read_funnel
from funnelstats.recognising.init import init

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


@pytest.mark.parametrize("words", [{"won": "Успешная сделка"}, {"lost": "Неактуально"}])
def test_an_end_that_no_word_tells_is_told_by_the_date_that_open_deals_lack(words):
    folder = put(deals_csv=csv(deals(**words), "id", "created", "status", "closed"))
    found = made(folder)
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_of_two_ends_that_no_word_tells_neither_is_a_win_beside_a_loss_that_one_does():
    rows = [
        (lead, at, "two" if status == "one" and lead > "D020" else status, day)
        for lead, at, status, day in deals(won="one")
    ]
    with pytest.raises(FunnelError, match="has a date where “status” is “one” or “two”, and nothing says which"):
        init([put(deals_csv=csv(rows, "id", "created", "status", "closed"))], "made", default)


@pytest.mark.parametrize("total", ["Total Anna", "Anna Total"])
def test_a_sum_of_a_group_that_stands_where_ids_do_is_no_lead(total):
    rows = [*deals()]
    rows.insert(20, (total, "", "", ""))
    folder = put(deals_csv=csv([(*row, 5) for row in rows], "id", "created", "status", "closed", "amount"))
    assert made(folder)["leads"] == 40


def test_a_total_of_rows_without_ids_is_no_lead():
    rows = [("Anna", *row[1:], 5) for row in deals()] + [("Total", "", "", "", 200)]
    assert made(put(deals_csv=csv(rows, "owner", "created", "status", "closed", "amount")))["leads"] == 40


def test_last_lines_that_hold_as_little_as_those_above_are_leads():
    rows = [*deals(), *((f"P{number}", "", "prospecting", "") for number in range(11))]
    folder = put(deals_csv=csv(rows, "id", "engaged", "status", "closed"))
    assert "deals.csv: leads, 51 rows" in init([folder], "made", default).told


def test_what_a_client_says_to_earn_a_month_is_no_money_of_a_deal():
    rows = [(*row, 900) for row in deals()]
    assert made(
        put(deals_csv=csv(rows, "id", "created", "status", "closed", "declared_monthly_revenue"))
    ) == COUNTED | {"stages": [40, 20]}


@pytest.mark.parametrize("headers", [("created", "booking date"), ("created", "completed date", "close date")])
def test_the_date_that_just_the_deals_of_an_end_have_is_that_of_the_end_and_no_stage(headers):
    rows = [(lead, status, at, day if status == "won" or len(headers) > 2 else "", "2026-09-01")
            for lead, at, status, day in deals()]  # fmt: skip
    found = made(put(deals_csv=csv([row[: 2 + len(headers)] for row in rows], "id", "status", *headers)))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_a_date_that_fewer_leads_have_is_no_creation_where_an_earlier_one_is_there_for_all():
    way = {(lead, stage): at for lead, stage, at, *_ in history()}
    rows = [(lead, *(way.get((lead, stage), "") for stage in ("new", "met", "won"))) for lead, _ in NEW]
    assert made(put(loans_csv=csv(rows, "id", "inbound", "papers received", "won on")))["stages"] == [40, 30, 20]


def test_the_day_of_whatever_was_last_is_no_stage():
    rows = [(*row, row[1] + timedelta(days=1)) for row in deals()]
    found = made(put(deals_csv=csv(rows, "id", "created", "status", "closed", "date of last email")))
    assert found["stages"] == [40, 20]


def test_ends_beside_a_history_are_told_by_a_flag_of_just_those_that_have_a_date_of_theirs():
    rows = [(lead, at, "True" if end != "lost" else "False", end if end == "won" else "met", day)
            for lead, at, end, day in deals()]  # fmt: skip
    found = made(put(leads_csv=csv(rows, "id", "created", "active", "stage", "closed")))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


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


def test_stages_are_not_called_as_a_column_of_their_own_table_numbers_its_rows():
    number = {"won": 3, "open": 1, "lost": 2}
    rows = [(n + 1, f"Deal of {lead}", number[end], at) for n, (lead, at, end, _) in enumerate(deals())]
    folder = put(
        deals_csv=csv(rows, "id", "title", "stage", "created"),
        stages_csv=csv([(1, "Open"), (2, "Lost"), (3, "Won")], "id", "title"),
    )
    found = made(folder)
    assert (found["leads"], found["stages"][-1], found["lost"]) == (40, 20, 10)


def test_rows_without_another_id_are_known_by_their_mail_address():
    asked = [(f"{lead}@x.org", at) for lead, at in NEW]
    signed = [(f"{lead}@x.org", day) for lead, _, end, day in deals() if end == "won"]
    folder = put(form_csv=csv(asked, "email", "created"), contracts_csv=csv(signed, "customer email", "signed on"))
    assert made(folder)["stages"] == [40, 20]


def test_what_calls_came_to_is_the_way_of_their_leads_where_nothing_else_is_known():
    result = {"new": "No answer", "met": "Appointment", "won": "Sold", "lost": "Not interested"}
    rows = [(n, lead, at, 30, result[stage]) for n, (lead, stage, at, *_) in enumerate(history())]
    found = made(put(calls_csv=csv(rows, "call id", "lead id", "call time", "duration", "disposition")))
    assert found == COUNTED | {"contacts": len(rows)}


def test_payments_that_have_ids_and_a_status_are_those_of_the_people_of_the_deals():
    people = [(*row, f"{row[0]}@x.org") for row in deals()]
    paid = [(f"ch_{n}", day, 5, "Paid", mail) for n, (_, _, end, day, mail) in enumerate(people) if end == "won"]
    folder = put(
        deals_csv=csv(people, "deal id", "created", "status", "closed", "email"),
        payments_csv=csv([*paid, ("ch_x", *paid[0][1:3], "Failed", paid[0][4])],
                         "id", "created date", "amount", "status", "customer email"),
    )  # fmt: skip
    assert made(folder)["payments"] == 100


def test_who_has_a_reason_and_a_day_of_the_end_and_none_of_a_win_is_lost():
    rows = [(lead, at, day if end == "won" else "", day, "price" if end == "lost" else "")
            for lead, at, end, day in deals()]  # fmt: skip
    found = made(put(deals_csv=csv(rows, "id", "created", "won date", "closed date", "lost reason")))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_a_day_that_is_that_of_a_contract_s_end_dates_no_win():
    rows = [(*row, row[3].replace(year=2027) if row[2] == "won" else "") for row in deals()]
    made(put(deals_csv=csv(rows, "id", "created", "status", "closed", "agreed until")))
    assert {source.columns["entered_at"] for source in read_funnel("made").entries} == {"created", "closed"}


def test_ends_that_no_word_tells_are_named_beside_their_date():
    with pytest.raises(FunnelError, match="“closed” has a date where “status” is “Done” or “Killed”, and nothing says"):
        init([put(deals_csv=csv(deals("Done", "Killed"), "id", "created", "status", "closed"))], "made", default)


def test_of_a_log_of_comments_too_the_rows_of_stages_are_read():
    rows = [(lead, kind, stage if kind == "stage" else "called them", at)
            for lead, stage, at, *_ in history() for kind in ("stage", "comment")]  # fmt: skip
    assert made(put(log_csv=csv(rows, "deal id", "type", "value", "date"))) == COUNTED
