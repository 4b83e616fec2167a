"""Exports of many programs, each a kind: logs of changes, ends that no word tells, odd dates and headers."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from exports import (
    COUNTED,
    ENDED,
    EXPORT,
    HISTORY,
    HISTORY_CSV,
    MET,
    MOVES,
    MOVES_CSV,
    NEW,
    STATEMENT,
    WAYS,
    WIDE,
    WON,
    changes,
    csv,
    dated,
    deals,
    default,
    found_in,
    history,
    made,
    made_of,
    notes,
    put,
    refuses,
    renamed,
    stated,
    wide,
)
from projects import tables, workbook

from funnelstats.config.funnel import read_funnel
from funnelstats.core.journeys import journeys
from funnelstats.importing.opening import open_funnel, read_quality
from funnelstats.importing.prepare import prepare
from funnelstats.page.rules import missing_parts
from funnelstats.recognising.dates import formats_of
from funnelstats.recognising.fields import field_of
from funnelstats.recognising.init import init
from funnelstats.recognising.stages import groups_of_stages, stages_of

pytestmark = pytest.mark.usefixtures("exported")


# Logs of changes


def test_the_number_of_a_change_is_no_lead_and_what_changed_is_told_by_a_field_of_any_name():
    rows = []
    for lead, old, new, at in changes():
        field = "status" if new in ("won", "lost") else "stage_id"
        rows.append((len(rows), lead, 5, field, "open" if field == "status" else old, new, at))
        rows.append((len(rows), lead, 5, "value", 0, 100, at))
    log = csv(rows, "id", "item_id", "user_id", "field_key", "old_value", "new_value", "log_time")
    assert made_of(deals_csv=csv(NEW, "id", "add time"), flow_csv=log) == COUNTED
    assert read_funnel("made").stages == ("new", "met", "won")


def test_what_a_status_was_is_no_stage_and_the_finer_of_two_ids_is_the_lead():
    rows = [(int(lead[1:]) // 2, f"oppo_{lead}", old, new, at) for lead, old, new, at in changes()]
    rows = [(*row[:2], f"stat_{row[2]}", *row[2:]) for row in rows]
    header = ("lead_id", "opportunity_id", "old_status_id", "old_status_label", "new_status_label", "date")
    found = made_of(log_csv=csv(rows, *header))
    assert (found["leads"], found["stages"], found["lost"]) == (40, [30, 20], 10)


def test_a_log_that_the_leads_are_read_from_is_no_snapshot():
    made_of(log_csv=MOVES_CSV)
    funnel, tables = open_funnel("made")
    assert not funnel.is_snapshot
    assert "snapshot" not in [fact["fact"] for fact in read_quality("made").facts]
    assert not [sentence for sentence in missing_parts(funnel, tables) if "snapshot" in sentence]


def test_a_change_is_dated_by_what_differs_within_a_lead():
    rows = [(lead, stage, "2026-06-30", at) for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "Deal Id", "Stage", "Closing Date", "Modified Time")) == COUNTED
    assert read_funnel("made").entries[0].columns["entered_at"] == "Modified Time"


def test_a_log_of_changes_with_one_date_for_each_lead_is_refused():
    rows = [(lead, stage, f"2026-06-{int(lead[1:]) % 28 + 1:02}") for lead, stage, _ in MOVES]
    log = csv(rows, "Deal Id", "Stage", "Closing Date")
    refuses("no column says when a lead changed; the same in all rows of a lead: “Closing Date”", log_csv=log)


def test_the_stage_is_what_differs_within_a_lead():
    rows = [(lead, "Closed", stage, at) for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "case id", "state", "activity", "complete timestamp")) == COUNTED


def test_a_day_on_which_a_stage_was_left_is_not_the_one_on_which_it_was_entered():
    rows = [(lead, stage, at + timedelta(days=1)) for lead, stage, at in MOVES]
    refuses("no date says when", log_csv=csv(rows, "Deal", "Stage", "Exit date"))


def test_what_a_log_calls_the_creation_of_a_lead_dates_its_first_stage():
    rows = [(lead, "Новая сделка", "", "", at) for lead, at in NEW]
    rows += [(lead, "Изменение этапа", old, new, at) for lead, old, new, at in changes()]
    rows += [(lead, "Изменение бюджета", 0, 5, at) for lead, _, _, at in changes()]
    assert made_of(events_csv=csv(rows, "ID сущности", "Событие", "Значение до", "Значение после", "Дата")) == COUNTED
    assert read_funnel("made").stages == ("new", "met", "won")


def test_wins_and_losses_that_the_changes_lack_are_those_of_the_deals():
    moves = [row for row in changes() if row[2] == "met"]
    found = made_of(
        deals_csv=csv(deals(), "id", "created", "status", "closed"),
        log_csv=csv(moves, "deal id", "old stage", "new stage", "edit date"),
    )
    assert found == COUNTED


def test_one_pipeline_of_a_history_alone_is_the_funnel_though_its_ids_are_those_of_another():
    rows = [(lead, "Sales", stage, at) for lead, stage, at in MOVES]
    rows += [(lead, "Renewals", stage, at + timedelta(days=1)) for lead, stage, at, *_ in history(20)]
    assert made_of(log_csv=csv(rows, "Deal ID", "Pipeline", "Stage", "Changed at")) == COUNTED


def test_ids_of_no_known_name_are_told_by_their_rows():
    rows = sorted(HISTORY, key=lambda row: row[2])
    named = [(f"Z-{lead[1:]}", *row) for lead, *row in rows]
    assert made_of(log_csv=csv(named, "Zaznam", "Status", "Date", "Owner", "Reason")) == COUNTED


@pytest.mark.parametrize(
    ("lead", "moment", "event"),
    [
        ("user_id", lambda at: f"{at:%Y-%m-%d %H:%M:%S}", "event_type"),
        ("user_pseudo_id", lambda at: int(at.replace(tzinfo=UTC).timestamp() * 1_000_000), "event_name"),
        ("anonymousId", lambda at: f"{at:%Y-%m-%dT%H:%M:%S.000Z}", "event"),
    ],
)
def test_a_log_of_what_visitors_did_is_a_history_of_theirs(lead, moment, event):
    """The number of an event is no stage, that of a product no lead, a visitor no manager."""
    named = {"new": "page_view", "met": "add_payment_info", "won": "purchase", "lost": "cancelled"}
    rows = [
        (number, who, named[stage], moment(at), f"p{number % 7}", 20 if stage == "won" else "")
        for number, (who, stage, at) in enumerate(MOVES)
    ]
    log = csv(rows, "event_id", lead, event, "event_timestamp", "product_id", "amount")
    assert made_of(log_csv=log) == {**COUNTED, "payments": 400.0}
    assert read_funnel("made").stages == ("page_view", "add_payment_info", "purchase")
    assert "manager" not in read_funnel("made").entries[0].columns


@pytest.mark.parametrize("header", ["TotalVisits", "Annual Revenue", "Total time spent", "Budget hours"])
def test_how_often_or_how_long_is_no_money_of_a_deal(header):
    rows = [(*row[:2], row[3], row[4], 100) for row in wide()]
    assert "payments" not in made_of(deals_csv=csv(rows, "id", "created", "closed", "status", header))
    assert "amount" not in read_funnel("made").leads[0].columns


# JSON


def as_json(value) -> bytes:
    return json.dumps(value, default=lambda at: f"{at:%Y-%m-%dT%H:%M:%S.000+0000}").encode()


def test_changes_in_lists_within_lists_are_a_table_beside_the_leads():
    issues = [
        {
            "id": f"1{lead[1:]}",
            "key": lead,
            "fields": {"created": came, "status": {"id": "3", "name": "any"}},
            "changelog": {
                "total": 2,
                "histories": [
                    {
                        "created": at,
                        "items": [
                            {"field": "status", "from": "1", "fromString": old, "to": "2", "toString": new},
                            {"field": "rank", "from": "", "fromString": "", "to": "", "toString": "5"},
                        ],
                    }
                    for other, old, new, at in changes()
                    if other == lead
                ],
            },
        }
        for lead, came in NEW
    ]
    assert made_of(**{"search.json": as_json({"issues": issues, "total": 40})}) == COUNTED
    assert "amount" not in read_funnel("made").leads[0].columns, "how many changes there are is no money"


def test_the_lists_of_one_object_are_tables_each():
    def card(lead):
        return {"card": {"id": lead, "name": f"Deal {lead}"}, "board": {"id": "b"}}

    actions = [{"id": f"a{lead}", "type": "createCard", "date": at, "data": card(lead)} for lead, at in NEW]
    for lead, old, new, at in changes():
        moved = {"listBefore": {"id": old, "name": old}, "listAfter": {"id": new, "name": new}}
        actions.append({"id": f"m{lead}{new}", "type": "updateCard", "date": at, "data": card(lead) | moved})
        actions.append({"id": f"c{lead}{new}", "type": "commentCard", "date": at, "data": card(lead)})
    lists = [{"id": name, "name": name} for name in ("new", "met", "won", "lost")]
    cards = [{"id": lead, "idList": "new", "dateLastActivity": at} for lead, at in NEW]
    board = {"id": "b", "name": "Sales", "lists": lists, "cards": cards, "actions": actions}
    found = made_of(**{"board.json": as_json(board)})
    assert (found["stages"], found["lost"]) == (COUNTED["stages"], COUNTED["lost"])


def test_changes_that_a_feed_lists_are_no_contacts():
    events = [
        {"id": f"e{lead}{new}", "type": "status_changed", "entity_id": lead, "created_at": int(at.timestamp()),
         "value_after": [{"status": {"id": new}}], "value_before": [{"status": {"id": old}}]}
        for lead, old, new, at in changes()
    ]  # fmt: skip
    found = made_of(**{"events.json": as_json({"_embedded": {"events": events}})})
    assert (found["stages"], found["lost"], found.get("contacts")) == ([30, 20], 10, None)


# Ends that no word tells


def entries(rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["lead", "stage", "at"])
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True))


def named(**names):
    return entries(renamed(**names))


def test_a_stage_that_nobody_leaves_and_no_win_has_is_a_refusal():
    stages = stages_of(named(lost="Parking lot"))
    assert (stages.order, stages.dead_ends) == (["new", "met", "won"], {"Parking lot": 10})
    assert stages.meant == {"Parking lot": "lost"}


def test_a_stage_from_which_all_are_refused_is_no_end():
    first = [("W1", stage, at) for _, stage, at in MOVES[2:4]]
    stages = stages_of(entries([*renamed(won="lost"), *first, ("W1", "won", datetime(2026, 4, 1))]))
    assert (stages.order, stages.dead_ends) == (["new", "met", "won"], {})


def test_of_two_ends_that_no_word_tells_the_one_with_the_longer_way_is_the_win():
    stages = stages_of(named(lost="Not a fit", won="Onboarded"))
    assert (stages.order, stages.dead_ends, stages.won) == (["new", "met", "Onboarded"], {"Not a fit": 10}, False)


def test_what_is_cancelled_while_the_lead_goes_on_is_no_refusal():
    rows = [(lead, "Offer cancelled", at - timedelta(hours=9)) for lead, at in WON]
    stages = stages_of(entries([*MOVES, *rows]))
    assert (stages.order, stages.meant) == (["new", "met", "won"], {"lost": "lost", "Offer cancelled": "ignore"})


def test_a_stage_that_leads_have_only_just_come_to_is_no_end():
    last = max(at for _, _, at in MOVES)
    rows = [
        (f"E{n}", stage, last + timedelta(hours=n + hours))
        for n in range(20)
        for stage, hours in (("new", 0), ("offer", 40))
    ]
    stages = stages_of(pd.concat([named(), entries(rows)]))
    assert not stages.dead_ends
    assert "offer" in stages.order


@pytest.mark.parametrize("newest_first", [False, True])
def test_of_many_leads_the_order_of_the_rows_hides_no_stage(monkeypatch, newest_first):
    monkeypatch.setattr("funnelstats.recognising.stages.LOOKED_AT", 10)
    early = datetime(2024, 1, 1)
    older = [(f"A{n}", stage, early + timedelta(days=n)) for n in range(40) for stage in ("new", "won")]
    rows = sorted([*older, *MOVES], key=lambda row: row[2])
    stages = stages_of(entries(rows[::-1] if newest_first else rows))
    assert (stages.order, stages.moves["met"], stages.meant) == (["new", "met", "won"], 30, {"lost": "lost"})
    parked = named(lost="Parking lot")
    parked = pd.concat([parked, parked.assign(lead=parked["lead"] + "2")])
    assert stages_of(parked).dead_ends == {"Parking lot": 20}


def test_a_win_that_nothing_calls_one_and_a_refusal_that_is_none_by_name_are_told():
    told = notes(log_csv=csv(renamed(won="Live", lost="Ghosted"), "deal", "stage", "changed at"))
    assert [note.split(" is taken")[0] for note in told] == [
        "“Ghosted”",
        "no stage is called a win: the last one, “Live”,",
    ]
    found = read_funnel("made")
    assert found.stages == ("new", "met", "Live")
    assert all(f"# {note}" in stated() for note in told)


def test_a_stage_under_a_new_name_is_one_stage():
    day = datetime(2026, 1, 28)
    rows = [(lead, stage if stage != "met" or at >= day else "demo", at) for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "deal", "stage", "changed at")) == COUNTED
    assert read_funnel("made").stages == ("new", "met", "won")


def test_stages_that_got_new_names_on_one_day_are_one_each():
    day, called = datetime(2026, 1, 28), {"met": "demo", "offer": "quote"}
    rows = []
    for lead, stage, at in MOVES:
        rows += [(lead, "offer", at + timedelta(days=1))] if stage == "met" else []
        rows += [(lead, stage, at + timedelta(days=2) * (stage in ("won", "lost")))]
    rows = [(lead, stage if at >= day else called.get(stage, stage), at) for lead, stage, at in rows]
    assert made_of(log_csv=csv(rows, "deal", "stage", "changed at"))["stages"] == [40, 30, 30, 20]
    assert read_funnel("made").stages == ("new", "met", "offer", "won")


def test_what_comes_after_the_win_takes_neither_it_nor_its_money_away():
    later = [(lead, ["delivery", "churned"][n % 2], at + timedelta(days=3)) for n, (lead, at) in enumerate(WON)]
    stands = {lead: stage for lead, stage, _at in [*MOVES, *later[:-4]]}
    rows = [(lead, at, stands[lead], won, 100) for lead, at, won in dated("new", "won")]
    assert made_of(
        log_csv=csv([*MOVES, *later], "deal", "stage", "changed at"),
        deals_csv=csv(rows, "deal", "created", "stage", "closed", "amount"),
    ) == {**COUNTED, "payments": 2000.0}


@pytest.mark.parametrize("header", ["Zeichen", "Aktenz."])
def test_numbers_that_another_table_has_under_the_same_header_are_ids(header):
    number = {lead: 7000 + place for place, (lead, _at) in enumerate(NEW)}
    log = csv([(number[lead], stage, at) for lead, stage, at in MOVES], header, "stage", "changed at")
    deals = csv([(number[lead], at, "open") for lead, at in NEW], header, "created", "status")
    assert made_of(log_csv=log, deals_csv=deals) == COUNTED


def test_a_stage_called_a_win_before_the_last_one_brings_no_money_yet():
    log = renamed(met="signed", won="paid")
    stands = {lead: (stage, at) for lead, stage, at in log}
    rows = [(lead, at, *stands[lead], 100) for lead, at in NEW]
    found = made_of(
        log_csv=csv(log, "deal", "stage", "changed at"),
        deals_csv=csv(rows, "deal", "created", "stage", "closed", "amount"),
    )
    assert found["payments"] == 2000.0


def test_a_pause_is_neither_a_stage_nor_an_end():
    pauses = [(lead, "On hold", at + timedelta(hours=1)) for lead, at in MET]
    folder = put(log_csv=csv([*MOVES, *pauses], "deal", "stage", "changed at"))
    assert made(folder) == COUNTED
    told = "no stages of the funnel: “On hold”; a lead there counts at the one it came to before"
    assert told in init([folder], "again", default).statement.notes


def test_a_meeting_that_is_booked_is_no_deal_that_is():
    rows = [(*row[:4], "Demo booked" if row[4] == "Open" else row[4], 100) for row in wide()]
    found = made_of(deals_csv=csv(rows, "id", "created", "met", "closed", "status", "amount"))
    assert (found["stages"][-1], found["payments"]) == (20, 2000.0)


def test_a_date_of_deals_closed_won_is_that_of_the_win():
    header = ("opportunity_id", "created_date", "met_date", "closed_won_date", "closed_lost_date")
    assert made_of(deals_csv=csv(dated("new", "met", "won", "lost", days=True), *header)) == COUNTED
    assert read_funnel("made").stages == ("created", "met", "won")


def test_a_conversion_of_deals_that_are_not_won_is_a_stage_and_no_win():
    rows = wide("Closed Won", "Closed Lost")
    assert made_of(deals_csv=csv(rows, "ID", "Created", "Converted Date", "Close Date", "Stage")) == COUNTED
    assert read_funnel("made").stages == ("created", "converted", "Closed Won")


@pytest.mark.parametrize("header", ["Lezárva", "Last stage change at"])
def test_the_date_that_deals_which_ended_have_is_that_of_their_end(header):
    rows = wide()
    if header.startswith("Last"):
        rows = [[*row[:3], row[3] or row[2] or row[1], row[4]] for row in rows]
    assert made_of(deals_csv=csv(rows, "ID", "Created", "Met on", header, "Status")) == COUNTED
    assert {source.stage: source.columns["entered_at"] for source in read_funnel("made").entries}["Won"] == header


def test_deals_that_are_sure_to_be_won_or_lost_ended_so():
    rows = [[*row[:3], row[3] or "2026-06-30", {"Won": 100, "Lost": 0}.get(row[4], 20)] for row in wide()]
    assert made_of(deals_csv=csv(rows, "ID", "Created", "Met on", "Close Date", "Probability (%)")) == COUNTED


def test_a_last_date_that_all_leads_have_is_no_win():
    rows = [(lead, at, at + timedelta(days=3 + number % 2)) for number, (lead, at) in enumerate(NEW)]
    text = csv(rows, "ID", "Created", "Active stage began")
    refuses("the last date, “Active stage began”, is there for nearly all leads", deals_csv=text)


# Dates, numbers, headers


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["1/26/2026 1:18pm", "2/3/2026 11:05am"], "%m/%d/%Y %I:%M %p"),
        (["26/Jan/26 1:18 PM", "3/Feb/26 11:05 AM"], "%d/%b/%y %I:%M %p"),
        (["1/26/2026, 1:18:00 PM", "2/3/2026, 11:05:00 AM"], "%m/%d/%Y, %I:%M:%S %p"),
        (["26.01.2026, 13:18", "03.02.2026, 11:05"], "%d.%m.%Y, %H:%M"),
        (["26. Januar 2026", "3. Februar 2026"], "%d. %b %Y"),
        (["26 de jan. de 2026", "3 de fev. de 2026"], "%d de %b de %Y"),
        (["26 sty 2026", "3 lut 2026"], "%d %b %Y"),
        (["26 Oca 2026", "3 Şub 2026"], "%d %b %Y"),
        (["26 gennaio 2026", "3 febbraio 2026"], "%d %b %Y"),
        (["26 januari 2026", "3 mrt 2026"], "%d %b %Y"),
    ],
)
def test_days_and_hours_are_read_as_programs_of_many_countries_write_them(texts, formats):
    assert formats in formats_of(pd.Series(texts))[0]
    rows = [("D1", texts[0], texts[0], "Won"), ("D2", texts[1], texts[1], "Lost")]
    quoted = [[f'"{cell}"' for cell in row] for row in rows]
    found = made_of(deals_csv=csv(quoted, "Deal ID", "Created", "Closed", "Status"))
    assert (found["leads"], found["stages"], found["lost"]) == (2, [2, 1], 1)


@pytest.mark.parametrize("none", ["0000-00-00", "1900-01-01", "9999-12-31"])
def test_a_day_that_stands_for_none_is_none(none):
    rows = [(*row[:2], row[2] or none, row[3] or none, row[4]) for row in wide()]
    assert made_of(deals_csv=csv(rows, *WIDE)) == COUNTED


@pytest.mark.parametrize("text", ["1234,50 zł", "R$ 1.234,50", "1 234,50 Kč", "1.234,50 TL"])
def test_signs_of_currencies_may_be_letters(text):
    assert field_of("amount", pd.Series([text])).kind == "number"


def test_words_that_a_program_writes_as_one_are_two():
    rows = [(f"{row[0]}-x", *row[1:]) for row in wide()]
    header = ("opportunityid", "createdon", "met on", "actualclosedate", "statuscode")
    assert made_of(deals_csv=csv(rows, *header)) == COUNTED


def test_a_header_again_between_rows_is_no_row():
    lines = csv(wide(), *WIDE).splitlines()
    again = "\n".join([*lines[:21], lines[0], *lines[21:]])
    assert made_of(deals_csv=again) == COUNTED
    aside = read_quality("made").set_aside
    assert {*aside[aside["table"] == "leads"]["row"]} == {22}


def test_a_title_of_two_cells_is_no_header():
    top = [["Report"], ["Period:", "spring 2026"], [], WIDE]
    assert made_of(deals_xlsx=workbook(Deals=[*top, *wide()])) == COUNTED


def test_rows_without_ids_are_leads_and_titles_between_them_are_none():
    rows = [[f"Client {lead}", *days, "a note"] for lead, *days in dated("new", "met", "won", "lost", days=True)]
    rows.insert(20, ["February 2026", "", "", "", "", ""])
    header = ("Client", "Lead date", "Met", "Payment date", "Lost on", "Note")
    assert made_of(sheet_csv=csv(rows, *header)) == COUNTED


def test_a_day_without_a_year_is_named_as_no_date():
    rows = [(lead, f"{at:%d.%m}") for lead, at in NEW]
    refuses(r"not dates of one format are sheet.csv, “Inquiry” \(\"05.01\"\)", sheet_csv=csv(rows, "ID", "Inquiry"))


def test_the_owner_beside_a_date_is_the_one_of_its_stage():
    head = [
        ["Client", "New", None, "Met", None, "Paid", "Lost"],
        ["", "Date", "Manager", "Date", "Manager", "Date", "Date"],
    ]
    rows = [
        [f"Client {lead}", new, "Anna", met, met and "Boris", won, lost]
        for lead, new, met, won, lost in dated("new", "met", "won", "lost", days=True, nothing=None)
    ]
    assert made_of(sheet_xlsx=workbook(Sheet=[*head, *rows])) == COUNTED
    _, tables = open_funnel("made")
    owners = tables.entries.to_pandas().groupby("stage")["manager"].unique()
    assert (list(owners["new"]), list(owners["met"])) == (["Anna"], ["Boris"])


def test_what_an_advertisement_cost_is_dated_by_the_first_day_it_reports():
    spent = [(f"2026-0{month}-01", f"2026-0{month}-28", "Spring", "500.25", 1000) for month in (1, 2)]
    header = ("Reporting starts", "Reporting ends", "Campaign name", "Amount spent (EUR)", "Impressions")
    assert made_of(log_csv=HISTORY_CSV, meta_csv=csv(spent, *header)) == {**COUNTED, "costs": 1000.5}


def test_a_log_that_calls_itself_one_of_activities_holds_changes():
    rows = [(lead, "Stage", old, new, at) for lead, old, new, at in changes()]
    found_in(activity_log_csv=csv(rows, "Item ID", "Column", "Previous value", "New value", "Time"))
    assert [source.columns.get("stage") for source in read_funnel("made").entries] == ["New value"]


def test_days_on_which_a_pipeline_was_looked_at_are_told():
    rows = []
    for lead, came in NEW:
        for week in range(12):
            day = datetime(2026, 1, 11) + timedelta(weeks=week)
            stood = [stage for stage, at in WAYS[lead].items() if at <= day]
            rows += [(day.date(), lead, stood[-1], came.date())] if stood else []
    told = notes(snapshots_csv=csv(rows, "snapshot date", "opportunity id", "stage", "created date"))
    assert any("dated by the first row that names it" in note for note in told)
    assert STATEMENT.is_file()


def test_a_history_of_two_pipelines_that_no_column_names_is_refused():
    rows = [*MOVES, *((f"R{lead}", stage, at) for lead, stage, at in renamed(new="due", met="quoted")[:60])]
    log = csv(rows, "Deal ID", "Stage", "Changed at")
    refuses("no lead has stages of “met”, “new” and of “due”, “quoted”", log_csv=log)


# Files and sheets that are parts of one table


def test_a_sheet_for_each_month_is_one_table():
    months = {"May": [WIDE, *wide()[:15]], "June": [WIDE, *wide()[15:]]}
    assert made_of(sales_xlsx=workbook(**months)) == COUNTED
    assert {source.sheet for source in read_funnel("made").entries} == {("May", "June")}


def test_rows_of_several_sheets_are_known_by_their_sheet():
    rows = [("Client", "Created", "Status"), ("A", "2026-05-01", "Won"), ("B", "soon", "Lost")]
    folder = Path("data", "raw", "team")
    folder.mkdir()
    (folder / "sales.xlsx").write_bytes(workbook(May=rows, June=rows))
    source = 'files = "sales.xlsx"\nsheet = ["May", "June"]\ncolumns = { lead_id = "_row", %s = "Created" }\n'
    (folder / "funnel.toml").write_text(
        'title = "Team"\ntimezone = "UTC"\ncurrency = "EUR"\nstages = ["new", "won"]\nmax_bad_share = 1\n'
        f"step_into.won.horizon_days = 9\n[leads]\n{source % 'created_at'}"
        "[entries]\n" + source % "entered_at" + 'stage = "new"\n'
    )
    prepare("team")
    _, tables = open_funnel("team")
    assert tables.leads.count().execute() == 4
    cells = read_quality("team").bad_cells
    assert sorted(cells[cells["table"] == "leads"]["file"], reverse=True) == [
        'sales.xlsx, sheet "May"',
        'sales.xlsx, sheet "June"',
    ]


def test_files_of_which_one_has_a_column_more_are_one_table():
    more = [(*row, "Fair" if number % 2 else "Web") for number, row in enumerate(wide()[15:])]
    assert made_of(old_csv=csv(wide()[:15], *WIDE), young_csv=csv(more, *WIDE, "Source"))["leads"] == 40
    assert tables("made")["leads"]["channel"].isna().sum() == 15


def test_deals_as_they_stood_on_two_days_are_as_the_last_file_has_them():
    old = [[*row[:3], "", "Open"] for row in wide()]
    assert made_of(deals_1_csv=csv(old, *WIDE), deals_2_csv=csv(wide(), *WIDE)) == COUNTED
    assert read_funnel("made").leads[0].keep == "last"


def test_stages_are_spelled_as_most_rows_spell_them():
    rows = [(lead, stage.upper() if int(lead[1:]) % 3 == 1 else stage, at) for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "deal", "stage", "changed at")) == COUNTED
    assert read_funnel("made").stages == ("new", "met", "won")


def test_a_name_of_several_columns_is_told():
    rows = [(row[0], "Anna", row[1], row[1]) for row in wide()]
    text = csv(rows, "ID", "Owner", "Created", "Created")
    refuses(r"“Created” of deals\.csv, the name of several columns", deals_csv=text)


def test_a_log_whose_only_time_is_an_update_is_a_history():
    assert made_of(log_csv=csv(MOVES, "deal", "stage", "updated at")) == COUNTED


# Leads that are turned into deals with ids of their own


def turned(held_by, *, logged):
    """Leads of which those that were met became deals of Carla's, beside eight deals that came from no lead."""
    came, met, won = map(dict, (NEW, MET, WON))
    others = {f"X{number}": min(came.values()) for number in range(8)}
    of = held_by != "deals"

    def own(lead, letters="AAA"):
        """A deal's id; Salesforce writes it with 15 letters in some of its exports and with 18 in others."""
        return f"006{'O' + lead:0>12}{letters}" if held_by == "leads, in short" else f"O{lead}"

    leads = [
        (lead, at, "Converted" if lead in met else "Rejected", "Anna", *[own(lead, "") * (lead in met)] * of)
        for lead, at in came.items()
    ]
    deals = [
        (
            own(lead),
            at,
            won.get(lead, ""),
            "Closed Won" if lead in won else "Proposal",
            "Carla",
            100,
            *[lead * (lead in met)] * (not of),
        )
        for lead, at in (met | others).items()
    ]
    log = [
        (own(lead), stage, at)
        for stage, dated in (("Proposal", met | others), ("Closed Won", won))
        for lead, at in dated.items()
    ]
    header = ("deal id", "created", "closed", "stage", "owner", "amount", *["lead id"] * (not of))
    folder = put(
        leads_csv=csv(leads, "lead id", "created", "status", "owner", *["converted deal"] * of),
        deals_csv=csv(deals, *header),
    )
    return put(log_csv=csv(log, "deal id", "stage", "changed at")) if logged else folder


@pytest.mark.parametrize("logged", [True, False])
@pytest.mark.parametrize("held_by", ["leads", "leads, in short", "deals"])
def test_deals_that_leads_were_turned_into_go_on_where_these_end(held_by, logged):
    found = made(turned(held_by, logged=logged))
    assert found == {**COUNTED, "payments": 2000.0}
    funnel, tables = open_funnel("made")
    assert funnel.stages == ("created", "Proposal" if logged else "deals", "Closed Won")
    owners = tables.entries.group_by("stage").aggregate(
        owners=tables.entries.manager.nunique(), one=tables.entries.manager.min()
    )
    assert {row["stage"]: (row["owners"], row["one"]) for row in owners.to_pyarrow().to_pylist()} == {
        "created": (1, "Anna"), "lost": (1, "Anna"), funnel.stages[1]: (1, "Carla"), "Closed Won": (1, "Carla"),
    }  # fmt: skip
    told = init([EXPORT], "again", default).statement.notes
    assert "deals.csv: 8 of 38 rows are of no lead of leads.csv, and left out" in told


def test_leads_of_which_few_were_turned_into_deals_are_not_used_where_these_are_more():
    folder = turned("leads", logged=True)
    leads = (folder / "leads.csv").read_text().splitlines()
    (folder / "leads.csv").write_text("\n".join(leads[:30]))
    assert made(folder)["leads"] == 38
    assert "leads.csv: not used: the leads are those of deals.csv" in init([folder], "again", default).told


def test_a_first_stage_that_only_the_first_change_tells_dates_the_creation():
    """Though most leads left it: those that never did are in the funnel too."""
    moved = {lead for lead, _old, new, _at in changes() if new == "met"}
    assert made_of(
        deals_csv=csv([row for row in NEW if row[0] in {*moved, "D000"}], "id", "created"),
        log_csv=csv([row for row in changes() if row[0] in moved], "lead id", "old value", "new value", "changed at"),
    ) == {**COUNTED, "leads": 31, "stages": [31, 30, 20], "lost": 0}
    assert read_funnel("made").stages == ("new", "met", "won")


@pytest.mark.parametrize("logged", [True, False])
def test_who_is_spam_or_there_twice_is_refused_and_who_is_recycled_goes_back_to_marketing(logged):
    ends = {"D000": "Spam", "D004": "Closed - Duplicate", "D008": "Recycled"}
    rows = [(lead, ends.get(lead, stage) if stage == "lost" else stage, at) for lead, stage, at in MOVES]
    last = {
        lead: (stage, at if stage in ("won", "lost", *ends.values()) and stage != "Recycled" else "")
        for lead, stage, at in rows
    }
    log = csv(rows, "lead id", "stage", "changed at")
    made_of(
        leads_csv=log
        if logged
        else csv([(lead, at, *last[lead]) for lead, at in NEW], "lead id", "created", "status", "closed")
    )
    funnel, tables = open_funnel("made")
    paths = journeys(tables.entries, funnel)
    found = paths.filter(paths.lead_id.isin([*ends])).select("lead_id", "outcome").order_by("lead_id").to_pyarrow()
    assert found["outcome"].to_pylist() == ["lost", "lost", "nurture"]


@pytest.mark.parametrize(
    "months", [["2026-01", "2026-02"], ["01.2026", "02.2026"], ["Jan 2026", "Feb 2026"], ["янв. 2026", "февр. 2026"]]
)
def test_costs_of_months_are_spent_on_their_first_days(months):
    deals = [(lead, at, ("Ads", "Fair")[number % 2]) for number, (lead, at) in enumerate(NEW)]
    assert made_of(
        history_csv=MOVES_CSV,
        deals_csv=csv(deals, "deal id", "created", "source"),
        spend_csv=csv(
            [(month, source, 500) for month in months for source in ("Ads", "Fair")], "month", "source", "cost"
        ),
    ) == {**COUNTED, "costs": 2000.0}
    days = open_funnel("made")[1].costs.date.to_pyarrow().to_pylist()
    assert [str(day) for day in sorted({*days})] == ["2026-01-01", "2026-02-01"]


@pytest.mark.parametrize(
    ("amounts", "total"), [((100, 250), 7000.0), ((350, 350), 7000.0)], ids=["of lines", "of the deal"]
)
def test_deals_with_a_row_for_each_product_are_one_lead_each_and_bring_their_sum_once(amounts, total):
    rows = [
        (*deal, product, amount) for deal in deals() for product, amount in zip(("Pump", "Hose"), amounts, strict=True)
    ]
    folder = put(deals_csv=csv(rows, "deal id", "created", "stage", "closed", "product", "amount"))
    assert made(folder) == {**COUNTED, "stages": [40, 20], "payments": total}
    differ = "“product”, “amount”" if amounts[0] != amounts[1] else "“product”"
    told = f"deals.csv: several rows for a lead, which differ in {differ}: the first is the lead's"
    assert told in init([folder], "again", default).statement.notes


DONE = {
    "kind": ("Activity", ["Call", "Note", "Stage changed"]),
    "state": ("Status", ["completed", "planned", "cancelled"]),
    "flag": ("Done", ["yes", "no", "no"]),
}


@pytest.mark.parametrize(("header", "states"), DONE.values(), ids=DONE)
def test_contacts_that_were_only_planned_are_none(header, states):
    rows = [(lead, at, "call", states[number % 3]) for number, (lead, at) in enumerate(NEW[:30])]
    activities = csv(rows, "deal id", "date", "type", header)
    assert made_of(history_csv=MOVES_CSV, activities_csv=activities)["contacts"] == 10


@pytest.mark.parametrize(
    ("results", "reached"),
    [(["Interested", "No answer", "Busy - 2nd try"], [10, 20]), (["Refused", "Offer", "Later"], None)],
)
def test_what_a_call_came_to_says_who_was_reached_or_nothing(results, reached):
    rows = [(lead, at, "call", results[number % 3]) for number, (lead, at) in enumerate(NEW[:30])]
    activities = csv(rows, "deal id", "date", "type", "call result")
    assert made_of(history_csv=MOVES_CSV, activities_csv=activities)["contacts"] == 30
    contacts = open_funnel("made")[1].contacts.execute()
    told = [int((contacts["reached"] == said).sum()) for said in (True, False)] if "reached" in contacts else None
    assert told == reached


def test_an_invoice_that_nobody_paid_is_no_money_though_it_has_a_status():
    states = ["Paid", "Open", "Void", "Refunded"]
    rows = [(f"R{number}", lead, at, 100, states[number % 4]) for number, (lead, at) in enumerate(WON + WON)]
    assert made_of(
        history_csv=MOVES_CSV,
        invoices_csv=csv(rows, "invoice", "deal id", "date", "amount", "status"),
    ) == {**COUNTED, "payments": 1000.0}


def test_payments_of_deals_that_leads_were_turned_into_are_those_of_the_leads():
    folder = turned("leads", logged=True)
    rows = [(f"P{n}", f"O{lead}", at, 50, ("Paid", "Void")[n % 2]) for n, (lead, at) in enumerate(WON)]
    put(
        payments_csv=csv(
            [*rows, ("P99", "X1", WON[0][1], 50, "Paid")], "invoice", "deal id", "date", "amount", "status"
        )
    )
    assert made(folder) == {**COUNTED, "payments": 500.0}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_refund_is_subtracted_whether_or_not_it_has_a_minus(sign):
    rows = [(lead, at, 100, "Charge") for lead, at in WON] + [(lead, at, sign * 30, "Refund") for lead, at in WON[:5]]
    assert made_of(
        history_csv=MOVES_CSV,
        payments_csv=csv(rows, "deal id", "payment date", "amount", "type"),
    ) == {**COUNTED, "payments": 2000.0 - 150.0}


def test_an_invoice_without_a_day_of_its_payment_is_not_paid_yet():
    rows = [(f"R{place}", lead, at, at if place % 3 else "", 100) for place, (lead, at) in enumerate(WON)]
    assert made_of(
        history_csv=MOVES_CSV,
        invoices_csv=csv(rows, "invoice", "deal id", "issued", "paid on", "amount"),
    ) == {**COUNTED, "payments": 1300.0}


def test_the_currency_of_the_deals_counts_before_that_of_the_costs():
    rows = [(*row[:2], row[3], row[4], "€ 100") for row in wide()]
    costs = [(f"2026-01-{day:02}", "web", 10) for day in range(1, 29)]
    made_of(
        deals_csv=csv(rows, "id", "created", "closed", "status", "amount"),
        costs_csv=csv(costs, "date", "channel", "cost (USD)"),
    )
    assert read_funnel("made").currency == "EUR"
    assert "mixed_currencies" in [fact["fact"] for fact in read_quality("made").facts]


@pytest.mark.parametrize("header", ["amount_cents", "Value (minor units)", "amountInCents", "Сумма в копейках"])
def test_an_amount_in_cents_by_its_header_is_a_hundredth(header):
    rows = [(lead, at, at if stage == "won" else "", stage, 12345) for lead, (stage, at) in ENDED.items()]
    found = made_of(deals_csv=csv(rows, "id", "created", "closed", "status", header))
    assert found["payments"] == pytest.approx(20 * 123.45)


def test_a_history_whose_stages_are_all_blank_is_not_used():
    log = [(lead, "StageName", "", "", at) for lead, at in NEW]
    deals = [
        (lead, "2026-01-05", "Closed Won" if lead > "D020" else "Closed Lost", "2026-03-05", "Anna")
        for lead, _at in NEW
    ]
    folder = put(
        deals_csv=csv(deals, "Id", "CreatedDate", "StageName", "CloseDate", "OwnerId"),
        log_csv=csv(log, "OpportunityId", "Field", "OldValue", "NewValue", "CreatedDate"),
    )
    assert made(folder)["stages"] == [40, 19]
    told = init([folder], "again", default).told
    assert "log.csv: not used: the column of leads or that of stages is blank" in told


def test_a_history_of_ends_alone_has_no_pipelines():
    ended = pd.DataFrame(
        {"lead": ["a", "b"], "stage": ["Lost", "Won"], "at": pd.to_datetime(["2026-01-05"] * 2, utc=True)}
    )
    assert groups_of_stages(ended) == []


def test_deals_that_a_flag_says_are_not_won_are_lost_on_the_day_of_their_end():
    rows = [(*row[:2], row[3] if row[4] != "Open" else "", "Yes" if row[4] == "Won" else "No") for row in wide()]
    found = made_of(deals_csv=csv(rows, "id", "created", "closed date", "won"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)


def test_a_flag_of_wins_beside_the_day_of_creation_dates_none():
    rows = [(*row[:2], int(row[4] == "Won")) for row in wide()]
    assert made_of(deals_csv=csv(rows, "id", "date", "won"))["stages"] == [40, 20]


def test_the_day_of_the_last_change_of_stage_is_no_stage():
    rows = [(*row[:2], row[4], row[3] or row[2] or row[1]) for row in wide()]
    found = made_of(deals_csv=csv(rows, "id", "opened", "stage", "Stage Change Date"))
    assert (found["stages"], found["lost"]) == ([40, 20], 10)
    assert read_funnel("made").stages == ("created", "Won")


def test_money_of_deals_whose_last_stage_no_word_calls_a_win_comes_on_the_day_of_that_stage():
    rows = [(*row[:3], row[3] if row[4] == "Won" else "", row[3] if row[4] == "Lost" else "", 100) for row in wide()]
    found = made_of(deals_csv=csv(rows, "ref", "lead in", "first call", "contract", "lost on", "value £"))
    assert (found["stages"], found["lost"], found["payments"]) == ([40, 30, 20], 10, 2000)
    assert read_funnel("made").currency == "GBP"


@pytest.mark.parametrize("in_one_workbook", [False, True])
def test_stages_are_called_as_another_table_names_their_numbers(in_one_workbook):
    numbers = {"new": 10, "met": 20, "won": 30, "lost": 90}
    names = zip(numbers.values(), ("New", "Met", "Won", "Lost"), (1, 2, 3, 4), strict=True)
    rows = [(lead, numbers[stage], at) for lead, stage, at in MOVES]
    given = {
        "stages_csv": csv(names, "stage_id", "stage_name", "sort_order"),
        "log_csv": csv(rows, "deal_id", "stage_id", "changed_at"),
        "deals_csv": csv([(lead, at, "1 000.50") for lead, at in NEW], "deal_id", "created", "amount"),
    }
    if in_one_workbook:
        room = io.BytesIO()
        with pd.ExcelWriter(room, engine="openpyxl") as book:
            for name, table in given.items():
                pd.read_csv(io.StringIO(table)).to_excel(book, sheet_name=name, index=False)
        given = {"export_xlsx": room.getvalue()}
    folder = put(**given)
    assert made(folder) == {**COUNTED, "payments": 20 * 1000.5}
    assert read_funnel("made").stages == ("New", "Met", "Won")
    assert "not used" not in "".join(init([folder], "again", default).told)


def test_an_amount_in_all_rows_of_a_lead_is_paid_once_though_it_was_won_twice():
    rows = [(lead, stage, at, 100) for lead, stage, at in MOVES]
    lead, _won, at, _amount = next(row for row in rows if row[1] == "won")
    rows += [(lead, "met", at + timedelta(days=1), 100), (lead, "won", at + timedelta(days=2), 100)]
    assert made_of(log_csv=csv(rows, "deal id", "stage", "changed at", "amount"))["payments"] == 2000


def of_channels():
    return [(*row[:2], row[3], row[4], ("Web", "Fair")[place % 2]) for place, row in enumerate(wide())]


@pytest.mark.parametrize(
    "table",
    [
        csv([("Web", 100, 200), ("Fair", 50, ""), ("Total", 150, 200)], "Channel", "Jan 2026", "Feb 2026"),
        csv([("2026-01", 100, 50, 150), ("2026-02", 200, "", 200)], "Month", "Web", "Fair", "Total"),
    ],
)
def test_costs_in_a_table_of_months_and_channels_are_those_of_each(table):
    made_of(deals_csv=csv(of_channels(), "id", "created", "closed", "status", "channel"), budget_csv=table)
    costs = tables("made")["costs"]
    found = {(row.channel, row.date.month): row.amount for row in costs.itertuples()}
    assert found == {("Web", 1): 100, ("Web", 2): 200, ("Fair", 1): 50}


def test_the_money_that_an_advertiser_calls_spent_is_a_cost():
    rows = [(f"2026-0{month}-01", f"2026-0{month}-28", "Spring", 5, 900) for month in (1, 2)]
    spent = csv(rows, "Reporting starts", "Reporting ends", "Campaign name", "Results", "Amount spent (EUR)")
    made_of(deals_csv=csv(of_channels(), "id", "created", "closed", "status", "channel"), report_csv=spent)
    assert tables("made")["costs"]["amount"].sum() == 1800


def test_calls_are_of_the_lead_whose_phone_has_the_same_last_digits():
    rows = [(*row[:2], row[3], row[4], f"+49 30 10000{place:02}") for place, row in enumerate(wide())]
    calls = [
        (f"2026-06-01 10:{place:02}", "Anna", f"+493010000{place:02}", ("ANSWERED", "BUSY")[place % 2])
        for place in range(40)
    ]
    found = made_of(
        deals_csv=csv(rows, "id", "created", "closed", "status", "phone"),
        cdr_csv=csv(calls, "call start", "from", "to", "disposition"),
    )
    assert found["contacts"] == 40
    contacts = tables("made")["contacts"]
    assert (contacts["lead_id"].nunique(), contacts["reached"].sum()) == (40, 20)


def test_a_history_of_thousands_of_names_is_read_by_the_most_frequent_ones():
    rows = [*MOVES]
    rows += [(lead, f"note {number}", at + timedelta(hours=1)) for number in range(50) for lead, _s, at in MOVES[::2]]
    rows = [
        (lead, f"{name} {place}" if name.startswith("note") else name, at)
        for place, (lead, name, at) in enumerate(rows)
    ]
    assert made_of(log_csv=csv(rows, "case id", "activity", "timestamp")) == COUNTED


@pytest.mark.parametrize(
    ("header", "key", "spelled"),
    [
        *(("email", "d{}@x.com", spelled) for spelled in (str.lower, str.upper, str.title)),
        ("contact id", "1{}", "{}.0".format),
    ],
)
def test_a_history_that_knows_leads_by_another_key_begins_with_its_own_stages(header, key, spelled):
    forms = [(f"l:{lead}", at, key.format(lead[1:])) for lead, at in NEW]
    keys = [key.format(lead[1:]) for lead, *_ in MOVES]
    moves = [
        (own if n % 5 else spelled(own), stage, at)
        for n, (own, (_, stage, at)) in enumerate(zip(keys, MOVES, strict=True))
    ]
    folder = put(ads_csv=csv(forms, "id", "created time", header), moves_csv=csv(moves, header, "stage", "changed"))
    assert made(folder) == COUNTED
    assert not any("left out" in line for line in init([folder], "again", default).statement.notes)


def test_of_a_log_of_several_kinds_of_things_only_those_whose_stage_changes_are_leads():
    rows = [("Deal", lead, "stage", old, new, at) for lead, old, new, at in changes()]
    rows += [("Company", 900 + n, "name", "a", "b", row[-1]) for n, row in enumerate(rows)]
    log = csv(rows, "entity type", "entity id", "field", "old value", "new value", "created at")
    assert made_of(log_csv=log)["leads"] == 40


def test_money_of_the_last_stage_comes_where_its_date_is_no_dash():
    rows = [
        (lead, *("-" if day is None else f"{day:%d.%m.%Y}" for day in days), 100)
        for lead, *days in dated("new", "met", "won", "lost", nothing=None)
    ]
    found = made_of(deals_csv=csv(rows, "id", "created", "Демо", "Оплата", "Отказ", "amount"))
    assert (found["stages"], found["payments"]) == ([40, 30, 20], 2000.0)
