"""Exports as single tools write them: what their rows are, which dates are ends, whose rows stand in another table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from exports import (
    COUNTED,
    HISTORY,
    MOVES,
    NEW,
    changes,
    counts,
    csv,
    dated,
    deals,
    default,
    found_in,
    made_of,
    put,
    refuses,
)
from projects import tables

from funnelstats.config.funnel import read_funnel
from funnelstats.importing.prepare import prepare
from funnelstats.recognising.init import init

pytestmark = pytest.mark.usefixtures("exported")
DEAL = ("id", "created", "status", "closed")


def test_rows_that_stand_once_with_several_dates_are_leads_and_no_history():
    rows = [(*row, deal[2]) for row, deal in zip(dated("new", "met", "won"), deals(), strict=True)]
    header = ("Candidate ID", "Applied Date", "Offer Date", "Hired Date", "Current Stage")
    assert made_of(candidates_csv=csv(rows, *header))["stages"] == [40, 30, 20]


def test_changes_that_have_numbers_of_their_own_are_those_of_their_deals():
    rows = [(f"A{number}", *row[:1], row[3], "stage", *row[1:3]) for number, row in enumerate(changes())]
    log = csv(rows, "id", "parent_id", "date_created", "field_name", "before_value_string", "after_value_string")
    assert made_of(deals_csv=csv(NEW, "id", "date created"), audit_csv=log) == COUNTED


@pytest.mark.parametrize("words", [{"won": "Успешная сделка"}, {"lost": "Неактуально"}])
def test_an_end_that_no_word_tells_is_told_by_the_date_that_open_deals_lack(words):
    found = made_of(deals_csv=csv(deals(**words), *DEAL))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_of_two_ends_that_no_word_tells_neither_is_a_win_beside_a_loss_that_one_does():
    rows = [
        (lead, at, "two" if status == "one" and lead > "D020" else status, day)
        for lead, at, status, day in deals(won="one")
    ]
    refuses("has a date where “status” is “one” or “two”, and nothing says which", deals_csv=csv(rows, *DEAL))


@pytest.mark.parametrize("total", ["Total Anna", "Anna Total"])
def test_a_sum_of_a_group_that_stands_where_ids_do_is_no_lead(total):
    rows = [*deals()]
    rows.insert(20, (total, "", "", ""))
    assert made_of(deals_csv=csv([(*row, 5) for row in rows], *DEAL, "amount"))["leads"] == 40


def test_a_total_of_rows_without_ids_is_no_lead():
    rows = [("Anna", *row[1:], 5) for row in deals()] + [("Total", "", "", "", 200)]
    assert made_of(deals_csv=csv(rows, "owner", "created", "status", "closed", "amount"))["leads"] == 40


def test_last_lines_that_hold_as_little_as_those_above_are_leads():
    rows = [*deals(), *((f"P{number}", "", "prospecting", "") for number in range(11))]
    folder = put(deals_csv=csv(rows, "id", "engaged", "status", "closed"))
    assert "deals.csv: leads, 51 rows" in init([folder], "made", default).told


def test_what_a_client_says_to_earn_a_month_is_no_money_of_a_deal():
    rows = [(*row, 900) for row in deals()]
    assert made_of(deals_csv=csv(rows, *DEAL, "declared_monthly_revenue")) == COUNTED | {"stages": [40, 20]}


@pytest.mark.parametrize("headers", [("created", "booking date"), ("created", "completed date", "close date")])
def test_the_date_that_just_the_deals_of_an_end_have_is_that_of_the_end_and_no_stage(headers):
    rows = [(lead, status, at, day if status == "won" or len(headers) > 2 else "", "2026-09-01")
            for lead, at, status, day in deals()]  # fmt: skip
    found = made_of(deals_csv=csv([row[: 2 + len(headers)] for row in rows], "id", "status", *headers))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_a_date_that_fewer_leads_have_is_no_creation_where_an_earlier_one_is_there_for_all():
    rows = dated("new", "met", "won")
    assert made_of(loans_csv=csv(rows, "id", "inbound", "papers received", "won on"))["stages"] == [40, 30, 20]


def test_the_day_of_whatever_was_last_is_no_stage():
    rows = [(*row, row[1] + timedelta(days=1)) for row in deals()]
    found = made_of(deals_csv=csv(rows, *DEAL, "date of last email"))
    assert found["stages"] == [40, 20]


def test_ends_beside_a_history_are_told_by_a_flag_of_just_those_that_have_a_date_of_theirs():
    rows = [(lead, at, "True" if end != "lost" else "False", end if end == "won" else "met", day)
            for lead, at, end, day in deals()]  # fmt: skip
    found = made_of(leads_csv=csv(rows, "id", "created", "active", "stage", "closed"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_changes_whose_dates_stand_in_another_table_are_a_history():
    log = csv(
        [(7000 + n, 9000 + n, *row[1:3]) for n, row in enumerate(changes())], "id", "message", "old value", "new value"
    )
    said = csv([(9000 + n, row[0], row[3]) for n, row in enumerate(changes())], "id", "res_id", "date")
    assert made_of(deals_csv=csv(NEW, "id", "created"), log_csv=log, message_csv=said) == COUNTED


def test_a_state_with_the_days_on_which_it_began_and_ended_is_a_row_of_a_history():
    rows = [(lead, stage, at, "9999-12-31") for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "deal id", "stage", "valid from", "valid to")) == COUNTED


def test_what_was_booked_and_cancelled_is_no_contact_and_an_order_with_a_status_of_its_payment_is_one():
    people = [(*row, f"{row[0]}@x.org") for row in deals()]
    booked = [(mail, day, "true" if lead == "D001" else "false") for lead, day, *_, mail in people]
    paid = [(900 + n, mail, "paid", day, day, 5) for n, (_, _, end, day, mail) in enumerate(people) if end == "won"]
    paid += [(row[0], row[1], "", "", "", "") for row in paid]
    found = made_of(
        deals_csv=csv(people, "deal id", "created", "status", "closed", "email"),
        events_csv=csv(booked, "invitee email", "start time", "canceled"),
        orders_csv=csv(paid, "id", "email", "financial status", "paid at", "created at", "total"),
    )
    assert (found["stages"], found["contacts"], found["payments"]) == ([40, 20], 39, 100)


def test_stages_are_not_called_as_a_column_of_their_own_table_numbers_its_rows():
    number = {"won": 3, "open": 1, "lost": 2}
    rows = [(n + 1, f"Deal of {lead}", number[end], at) for n, (lead, at, end, _) in enumerate(deals())]
    found = made_of(
        deals_csv=csv(rows, "id", "title", "stage", "created"),
        stages_csv=csv([(1, "Open"), (2, "Lost"), (3, "Won")], "id", "title"),
    )
    assert (found["leads"], found["stages"][-1], found["lost"]) == (40, 20, 10)


def test_rows_without_another_id_are_known_by_their_mail_address():
    asked = [(f"{lead}@x.org", at) for lead, at in NEW]
    signed = [(f"{lead}@x.org", day) for lead, _, end, day in deals() if end == "won"]
    assert made_of(form_csv=csv(asked, "email", "created"), contracts_csv=csv(signed, "customer email", "signed on"))[
        "stages"
    ] == [40, 20]


def test_what_calls_came_to_is_the_way_of_their_leads_where_nothing_else_is_known():
    result = {"new": "No answer", "met": "Appointment", "won": "Sold", "lost": "Not interested"}
    rows = [(n, lead, at, 30, result[stage]) for n, (lead, stage, at) in enumerate(MOVES)]
    found = made_of(calls_csv=csv(rows, "call id", "lead id", "call time", "duration", "disposition"))
    assert found == COUNTED | {"contacts": len(rows)}


def test_payments_that_have_ids_and_a_status_are_those_of_the_people_of_the_deals():
    people = [(*row, f"{row[0]}@x.org") for row in deals()]
    paid = [(f"ch_{n}", day, 5, "Paid", mail) for n, (_, _, end, day, mail) in enumerate(people) if end == "won"]
    paid.append(("ch_x", *paid[0][1:3], "Failed", paid[0][4]))
    found = made_of(
        deals_csv=csv(people, "deal id", "created", "status", "closed", "email"),
        payments_csv=csv(paid, "id", "created date", "amount", "status", "customer email"),
    )
    assert found["payments"] == 100


def test_who_has_a_reason_and_a_day_of_the_end_and_none_of_a_win_is_lost():
    rows = [(lead, at, day if end == "won" else "", day, "price" if end == "lost" else "")
            for lead, at, end, day in deals()]  # fmt: skip
    found = made_of(deals_csv=csv(rows, "id", "created", "won date", "closed date", "lost reason"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_a_day_that_is_that_of_a_contract_s_end_dates_no_win():
    rows = [(*row, row[3].replace(year=2027) if row[2] == "won" else "") for row in deals()]
    made_of(deals_csv=csv(rows, *DEAL, "agreed until"))
    assert {source.columns["entered_at"] for source in read_funnel("made").entries} == {"created", "closed"}


@pytest.mark.parametrize(
    ("won", "lost", "status", "closed"),
    [
        ("Done", "Killed", "status", "closed"),
        ("Sikeres", "Sikertelen", "Állapot", "Lezárva"),
        ("vunnen", "lost", "läge", "stängd"),
    ],
)
def test_ends_that_no_word_tells_are_named_beside_their_date(won, lost, status, closed):
    """A loss that a word tells does not tell that the other end is a win."""
    named = "” or “".join(sorted((won, lost)))
    told = f"“{closed}” has a date where “{status}” is “{named}”, and nothing says"
    refuses(told, deals_csv=csv(deals(won, lost), "id", "created", status, closed))


def test_of_a_log_of_comments_too_the_rows_of_stages_are_read():
    rows = [(lead, kind, stage if kind == "stage" else "called them", at)
            for lead, stage, at in MOVES for kind in ("stage", "comment")]  # fmt: skip
    assert made_of(log_csv=csv(rows, "deal id", "type", "value", "date")) == COUNTED


def test_a_new_value_that_most_rows_fill_with_no_date_is_none_though_most_values_are_dates():
    rows = [(n, *row[:1], "stage", row[1], row[2], row[3]) for n, row in enumerate(changes())]
    visits = [at + timedelta(minutes=minute) for minute in range(5) for _, at in NEW]
    rows += [(900 + n, NEW[n % 40][0], "visited", "", at, at) for n, at in enumerate(visits)]
    rows += [(2000 + n, *row[:1], "owner", "Anna", "Boris", row[3]) for n, row in enumerate([*changes()] * 3)]
    log = csv(rows, "id", "item id", "field key", "old value", "new value", "log time")
    assert made_of(deals_csv=csv(NEW, "id", "created"), flow_csv=log) == COUNTED


def test_a_log_whose_new_value_is_called_no_more_than_that_is_a_history():
    rows = [(lead, "Stage", old, new, at) for lead, old, new, at in changes()]
    rows += [(lead, "Owner", "", "Anna", at) for lead, at in NEW]
    log = csv(rows, "lead", "field", "old", "new", "at")
    assert made_of(deals_csv=csv(NEW, "lead", "created"), audit_csv=log) == COUNTED


def test_events_with_numbers_of_their_own_are_those_of_users_though_a_property_has_a_word_of_a_stage():
    rows = [(n, f"u{row[0]}", row[1], row[2], 1) for n, row in enumerate(HISTORY)]
    log = csv(rows, "event_id", "user_id", "event_type", "event_time", "event_properties.x")
    assert made_of(events_csv=log) == COUNTED


def test_the_last_change_of_the_stage_dates_an_end_beside_another_change():
    rows = [(*row[:3], row[3] or row[1], "2026-09-01") for row in deals()]
    headers = ("ID", "Дата создания", "Стадия", "Дата изменения стадии", "Дата изменения")
    made_of(deals_csv=csv([(*row[:3], row[4], row[3]) for row in rows], *headers[:3], *headers[:2:-1]))
    entries = read_funnel("made").entries
    assert [source.columns["entered_at"] for source in entries] == [headers[1], headers[3], headers[3]]


@pytest.mark.parametrize("early", ["created", "signup at"])
def test_a_day_reckoned_from_that_of_all_leads_is_no_stage(early):
    rows = [(lead, at, at + timedelta(days=5), day if end == "won" else "") for lead, at, end, day in deals()]
    found = found_in(users_csv=csv(rows, "id", early, "trial runs to", "won on"))
    assert any("“trial runs to” is as many days after another date" in note for note in found.statement.notes)
    assert len(read_funnel("made").stages) == 2


def test_iso_dates_among_those_of_another_format_are_read():
    rows = [(lead, at.strftime("%d/%m/%Y" if n % 2 else "%Y-%m-%d"), end, day and day.strftime("%d/%m/%Y"))
            for n, (lead, at, end, day) in enumerate(deals())]  # fmt: skip
    assert made_of(deals_csv=csv(rows, *DEAL))["stages"] == [40, 20]
    assert read_funnel("made").stages == ("created", "won")


def test_a_creation_that_is_no_date_is_told():
    rows = [(lead, f"week {n}", end, day) for n, (lead, _, end, day) in enumerate(deals())]
    notes = found_in(deals_csv=csv(rows, *DEAL)).statement.notes
    assert 'not dates of one format are deals.csv, “created” ("week 0")' in notes


@pytest.mark.parametrize(("amount", "money"), [("3.900 €", 78_000), ("850", 17_000), ("0.125", 2.5)])
def test_three_digits_after_each_full_stop_of_an_amount_are_thousands(amount, money):
    rows = [(*row, amount) for row in deals()]
    found = found_in(deals_csv=csv(rows, *DEAL, "amount"))
    prepare("made")
    assert counts("made")["payments"] == money
    assert any("taken for one of thousands: “3.900” is 3,900" in note for note in found.statement.notes) == (
        amount == "3.900 €"
    )


def test_changes_that_stand_side_by_side_are_those_of_a_history():
    ways: dict[str, list[object]] = {}
    for lead, stage, at in MOVES:
        ways.setdefault(lead, [lead]).extend((stage, at))
    rows = [[*way, "", "", "", ""][:7] for way in ways.values()]
    headers = [f"Status {n}{of}" for n in (1, 2, 3) for of in ("", " Date")]
    assert made_of(quotes_csv=csv(rows, "Quote Ref", *headers)) == COUNTED


def test_channels_are_called_as_another_table_names_their_numbers():
    rows = [(*row, 1 + n % 3) for n, row in enumerate(deals())]
    names = csv([(1, "Web"), (2, "Fair"), (3, "Mail")], "ChannelID", "ChannelName")
    owners = csv([(1, "Anna"), (2, "Boris"), (3, "Vera")], "OwnerID", "FullName")
    made_of(deals_csv=csv(rows, "DealID", "created", "status", "closed", "ChannelID"), a_csv=owners, channels_csv=names)
    assert tables("made")["leads"]["channel"].value_counts().to_dict() == {"Web": 14, "Fair": 13, "Mail": 13}


def test_losses_beside_wins_that_nothing_tells_are_told():
    rows = [(*row[:3], row[3] if row[2] == "lost" else "") for row in deals(won="fine")]
    notes = found_in(deals_csv=csv(rows, "id", "created", "status", "lost on")).statement.notes
    assert "deals.csv: no column says which deals are won, and none is counted as won" in notes


def test_calls_that_each_have_a_number_of_their_own_are_of_the_phones_that_were_called():
    result = {"new": "No answer", "met": "Appointment", "won": "Sold", "lost": "Not interested"}
    rows = [(n, at.strftime('"%a, %d %b %Y %H:%M:%S"'), 30, f"+49 30 55{lead[1:]}00", result[stage])
            for n, (lead, stage, at) in enumerate(MOVES)]  # fmt: skip
    found = made_of(calls_csv=csv(rows, "call id", "call time", "duration", "dnis", "disposition"))
    assert found == COUNTED | {"contacts": len(rows)}


@pytest.mark.parametrize(
    ("headers", "won", "lost", "encoding"),
    [
        (("商机编号", "创建时间", "阶段", "结束时间", "金额"), "赢单", "输单", "gb18030"),
        (("商談ID", "作成日", "フェーズ", "完了日", "金額"), "受注", "失注", "cp932"),
        (("영업기회 ID", "생성일", "단계", "종료일", "금액"), "수주", "실주", "cp949"),
        (("ID", "Дата створення", "Стадія", "Дата завершення", "Сума"), "Угода успішна", "Угода провалена", "cp1251"),
        (("Opportunity-ID", "Erstelldatum", "Phase", "Schlusstermin", "Wert"), "Gewonnen", "Verloren", "utf-8"),
        (("ID", "Hora de creación", "Etapa", "Fecha de cierre", "Valor"), "Logrado con éxito", "Perdido", "cp1252"),
        (
            ("ID", "Data de criação", "Etapa", "Data de fechamento", "Valor"),
            "Negócio fechado",
            "Negócio perdido",
            "utf-8",
        ),
    ],
)
def test_programs_are_read_as_they_speak_other_languages(headers, won, lost, encoding):
    worth = {"gb18030": "5元", "cp932": "5円", "cp949": "5원"}.get(encoding, "5")
    rows = [(*row[:3], row[3] or row[1] + timedelta(days=20 + n % 9), worth) for n, row in enumerate(deals(won, lost))]
    found = made_of(deals_csv=csv(rows, *headers).encode(encoding))
    assert (found["stages"], found["lost"], found["payments"]) == ([40, 20], 10, 20 * 5)


def test_deals_that_were_exported_twice_bring_their_money_once():
    rows = [(*row, 5) for row in deals()]
    found = made_of(deals_csv=csv([*rows, *rows[:10]], *DEAL, "amount"))
    assert (found["leads"], found["payments"]) == (40, 100)


@pytest.mark.parametrize(("yes", "no"), [("Ja", "Nein"), ("WAHR", "FALSCH"), ("Oui", "Non"), ("Sim", "Não")])
def test_flags_say_yes_and_no_in_several_languages(yes, no):
    rows = [(lead, at, yes if end == "won" else no, no if end == "open" else yes, day)
            for lead, at, end, day in deals()]  # fmt: skip
    found = made_of(deals_csv=csv(rows, "id", "created", "is won", "is closed", "closed at"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_what_visitors_did_is_told_by_visitor_and_no_item():
    rows = [(at, lead[1:], stage, n % 9) for n, (lead, stage, at) in enumerate(MOVES) if stage != "lost"]
    found = made_of(events_csv=csv(rows, "timestamp", "visitorid", "event", "itemid"))
    assert (found["leads"], found["stages"]) == (40, [40, 30, 20])


def test_dates_are_named_that_no_header_says_what_they_are_of():
    told = "no column is called a stage, and nothing says of what “skapad” and “stängd” are the dates"
    refuses(told, deals_csv=csv(deals("vunnen", "tappad"), "id", "skapad", "läge", "stängd"))
