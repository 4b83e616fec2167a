"""funnelstats init: files that nobody has described become a funnel that counts right, or a question."""

from __future__ import annotations

import gzip
import io
import random
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from exports import (
    COUNTED,
    HISTORY,
    HISTORY_CSV,
    MOVES,
    NEW,
    WON,
    counts,
    csv,
    dated,
    deals,
    default,
    found_in,
    made,
    made_of,
    notes,
    put,
    refuses,
    stated,
)
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, to_excel
from projects import REPOSITORY, SHARED, workbook

from funnelstats.cli import app
from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import read_funnel
from funnelstats.importing.opening import open_funnel, read_quality
from funnelstats.importing.prepare import prepare
from funnelstats.recognising.dates import formats_of
from funnelstats.recognising.fields import field_of
from funnelstats.recognising.init import init, sheets_of
from funnelstats.recognising.stages import stages_of

pytestmark = pytest.mark.usefixtures("exported")
CASES = REPOSITORY.parent / "shared" / "cases"


def snapshot(headers, won, lost, opened, *, dates, amount=lambda value: str(value), mark=",", encoding="utf-8"):
    """One row for each of the same leads, as a CRM writes it: id, created, status, closed, owner, sum."""
    lines = [headers]
    for n, (lead, came, status, closed) in enumerate(deals(won, lost, opened)):
        days = [came.strftime(dates), status, closed and closed.strftime(dates)]
        lines.append([lead, *days, ("Anna", "Boris")[n % 2], amount(1234.5)])
    return "\n".join(mark.join(line) for line in lines).encode(encoding)


def comma(value):
    return f"{value:_.2f}".replace(".", ",").replace("_", ".")


LANGUAGES = {
    "English": snapshot(
        ["Deal ID", "Create Date", "Deal Stage", "Close Date", "Deal owner", "Amount"],
        "Closed Won", "Closed Lost", "Negotiation", dates="%Y-%m-%d",
    ),
    "Russian": snapshot(
        ["ID", "Дата создания", "Стадия", "Дата закрытия", "Ответственный", "Сумма"],
        "Успешно реализовано", "Закрыто и не реализовано", "Переговоры", dates="%d.%m.%Y %H:%M",
        amount=lambda value: f"{value:.2f} руб.".replace(".", ",", 1), mark=";", encoding="cp1251",
    ),
    "German": snapshot(
        ["Vorgangsnummer", "Erstellt am", "Status", "Abgeschlossen am", "Verantwortlicher", "Betrag"],
        "Gewonnen", "Verloren", "Offen für Gespräche", dates="%d.%m.%Y", amount=comma, mark=";", encoding="cp1252",
    ),
    "Spanish": snapshot(
        ["Id. del negocio", "Fecha de creación", "Etapa", "Fecha de cierre", "Propietario", "Importe"],
        "Cierre ganado", "Cierre perdido", "Negociación", dates="%d/%m/%Y", amount=comma, mark=";",
    ),
    "French": snapshot(
        ["Identifiant", "Date de création", "Étape", "Date de clôture", "Propriétaire", "Montant"],
        "Gagnée", "Perdue", "Négociation", dates="%d/%m/%Y %H:%M", amount=comma, mark="\t",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_snapshot_is_read_by_headers_statuses_and_dates_of_five_languages(language):
    assert made_of(deals_csv=LANGUAGES[language]) == {**COUNTED, "stages": [40, 20], "payments": 20 * 1234.5}
    funnel = read_funnel("made")
    assert funnel.language == ("ru" if language == "Russian" else "en")
    assert {source.columns["manager"] for source in funnel.entries} == {funnel.leads[0].columns["manager"]}


def test_a_history_gives_stages_in_the_order_of_moves_and_days_that_nine_of_ten_moves_take():
    rows = list(HISTORY)
    random.Random(1).shuffle(rows)
    assert made_of(stages_csv=csv(rows, "deal", "status", "changed at", "owner", "loss reason")) == COUNTED
    funnel = read_funnel("made")
    assert funnel.stages == ("new", "met", "won")
    assert [step.horizon_days for step in funnel.steps] == [5, 10]
    assert "reason" in funnel.entries[0].columns


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_history_alone_dates_its_leads_by_their_earliest_row(newest_first):
    rows = sorted(HISTORY, key=lambda row: row[2], reverse=newest_first)
    made_of(log_csv=csv(rows, "case id", "activity", "timestamp", "resource", "reason"))
    _, tables = open_funnel("made")
    days = tables.leads.to_pandas().set_index("lead_id")["created_on"].dt.date
    assert days.to_dict() == {lead: at.date() for lead, at in NEW}
    quality = read_quality("made")
    assert "one_id_of_several" not in [fact["fact"] for fact in quality.facts]
    account = quality.rows.set_index("table").loc["leads"]
    assert account.to_dict() == {"rows_in": 100, "rows_kept": 40, "rows_ignored": 60, "rows_set_aside": 0}


def test_a_log_in_no_order_leaves_the_day_of_creation_unknown():
    rows = sorted(HISTORY, key=lambda row: row[1])
    made_of(log_csv=csv(rows, "case id", "activity", "timestamp", "resource", "reason"))
    assert "created_at" not in read_funnel("made").leads[0].columns


def test_what_the_first_change_left_is_the_first_stage():
    changes, before = [], {}
    for lead, stage, at in MOVES:
        if stage != "new":
            changes.append((lead, "StageName", before.get(lead, "Inbox"), stage, at))
        before[lead] = stage if stage != "new" else "Inbox"
    found = made_of(
        deals_csv=csv(NEW, "id", "created"),
        log_csv=csv(changes, "parent id", "field", "old value", "new value", "edit date"),
    )
    assert found == COUNTED
    assert read_funnel("made").stages == ("Inbox", "met", "won")


def test_a_history_that_logs_changes_only_gets_its_first_stage_from_the_creation():
    changes = [row for row in HISTORY if row[1] != "new"]
    found = made_of(
        deals_csv=csv(NEW, "id", "created"),
        changes_csv=csv(changes, "deal id", "new value", "edit date", "user", "reason"),
    )
    assert found == COUNTED
    assert read_funnel("made").stages == ("created", "met", "won")


def test_a_history_of_every_field_is_read_for_its_stage_alone():
    rows = [
        (lead, field, stage if field == "Stage" else "5", at)
        for lead, stage, at in MOVES
        for field in ("Stage", "Amount")
    ]
    assert made_of(log_csv=csv(rows, "Deal ID", "Field", "New Value", "Edit Date")) == COUNTED


def test_a_date_for_each_stage_is_a_stage_each():
    headers = ("Record ID", "Create date", *(f"Date entered “{stage}”" for stage in ("Met", "Won", "Lost")))
    assert made_of(deals_csv=csv(dated("new", "met", "won", "lost"), *headers)) == COUNTED
    assert read_funnel("made").stages == ("created", "met", "won")


def test_calls_payments_costs_and_names_of_owners_come_with_the_leads():
    leads = [
        (lead, at, {"Anna": 7, "Boris": 8}[owner], "Fair") for lead, stage, at, owner, _ in HISTORY if stage == "new"
    ]
    won = [(lead, at.date(), 100) for lead, at in WON]
    assert made_of(
        deals_csv=csv(leads, "id", "created", "owner id", "source"),
        stages_csv=HISTORY_CSV,
        calls_csv=csv([(lead, at, 61) for lead, at, *_ in leads], "deal id", "call time", "duration"),
        payments_csv=csv(won, "deal", "paid", "sum"),
        spend_csv=csv([("2026-01-01", "Fair", 500)], "day", "source", "cost"),
        users_csv=csv([(7, "Anna"), (8, "Boris")], "user id", "full name"),
    ) == {**COUNTED, "payments": 2000, "costs": 500, "contacts": 40}
    _, tables = open_funnel("made")
    assert {*tables.leads.manager.to_pyarrow().to_pylist()} == {"Anna", "Boris"}


def test_a_step_is_given_the_days_that_nine_of_ten_leads_need():
    first = pd.Timestamp("2026-01-05", tz="UTC")
    rows = [(lead, "new", first) for lead in range(100)]
    rows += [(lead, "won", first + pd.Timedelta(days=lead + 1)) for lead in range(100)]
    stages = stages_of(pd.DataFrame(rows, columns=["lead", "stage", "at"]))
    assert (stages.days, stages.moves) == ({"won": 120}, {"won": 100})


def test_one_row_in_a_hundred_proves_the_order_of_day_and_month():
    days = [f"{n % 12 + 1:02}/0{n % 9 + 1}/{1930 + n}" for n in range(120)]
    assert formats_of(pd.Series(days)) == (("%d/%m/%Y",), ("%m/%d/%Y",))
    assert formats_of(pd.Series([*days, "25/03/2026"])) == (("%d/%m/%Y",),)
    torn = formats_of(pd.Series([*days, "25/03/2026", "03/25/2026"]))
    assert torn == (("%d/%m/%Y",), ("%m/%d/%Y",)), "rows of both orders prove neither"


def test_a_log_of_many_activities_gives_the_few_that_most_leads_come_to():
    first = pd.Timestamp("2026-01-05", tz="UTC")
    rows = [
        (f"L{lead}", f"S{place}", first + pd.Timedelta(days=lead + place)) for lead in range(50) for place in range(6)
    ]
    rows += [(f"L{lead}", f"rare {lead}", first + pd.Timedelta(days=lead)) for lead in range(20)]
    stages = stages_of(pd.DataFrame(rows, columns=["lead", "stage", "at"]))
    assert stages.order == [f"S{place}" for place in range(6)]
    assert not stages.won
    assert stages.meant["rare 3"] == "ignore"


def test_one_pipeline_of_several_is_the_funnel():
    leads = [(lead, at, "Sales") for lead, at in NEW]
    leads += [(f"S{n}", "2026-01-05", "Service") for n in range(9)]
    others = [(f"S{n}", "repaired", "2026-01-09", "Zoe", "") for n in range(9)]
    found = made_of(
        deals_csv=csv(leads, "id", "created", "pipeline"),
        stages_csv=csv([*HISTORY, *others], "id", "stage", "at", "owner", "reason"),
    )
    assert found == COUNTED


def test_two_rows_of_headers_give_each_stage_its_date():
    rows = [("id", "created", "date", "date", "date"), *dated("new", "met", "won", "lost")]
    assert made_of(deals_csv=csv(rows, "Deal", "", "Met", "Won", "Lost")) == COUNTED


def test_rows_without_an_id_are_known_by_their_numbers():
    rows = [
        (f"Firm {n % 7}", f"2026-01-{n % 28 + 1:02}", ("Won", "Lost")[n % 2], f"2026-02-{n % 28 + 1:02}")
        for n in range(30)
    ]
    found = made_of(pipeline_csv=csv(rows, "Customer", "Created Date", "Stage", "Close Date"))
    assert found == {"leads": 30, "stages": [30, 15], "lost": 15, "nurture": 0}


def test_numbers_of_rows_are_nobody_elses_ids():
    rows = [(f"C{n % 7}", f"2026-01-{n % 28 + 1:02}", "Won", f"2026-02-{n % 28 + 1:02}", 500 + n) for n in range(30)]
    calls = [(n, "2026-03-01 10:00", 60) for n in range(30)]
    folder = put(
        pipeline_csv=csv(rows, "Customer", "Created Date", "Stage", "Close Date", "Units"),
        calls_csv=csv(calls, "line", "call time", "duration"),
    )
    found = init([folder], "made", default)
    assert [len(tables) for tables in found.export[1:6]] == [0] * 5
    assert "calls.csv: not used: no column holds ids, mail addresses, phones or companies of the leads" in found.told
    prepare("made")
    assert counts("made")["stages"] == [30, 30]


def test_ids_that_look_like_instants_are_ids_unless_the_column_is_called_a_date():
    ids = pd.Series([str(1_700_000_000 + 7919 * n) for n in range(50)])
    assert field_of("Record ID", ids).kind != "date"
    assert field_of("Created at", ids).formats == (("epoch_s",),)


def test_an_offset_apart_from_its_time_gets_a_format():
    rows = [(lead, stage, f"{at:%Y-%m-%d %H:%M:%S} +00:00") for lead, stage, at in MOVES]
    assert made_of(log_csv=csv(rows, "id", "stage", "at")) == COUNTED


def test_a_workbook_is_told_by_its_content_and_files_of_one_name_are_refused():
    content = workbook(History=[("id", "stage", "at", "owner", "reason"), *HISTORY])
    folder = put(**{"history.dat": content})
    assert made(folder) == COUNTED
    other = Path("..", "other")
    other.mkdir()
    (other / "history.dat").write_bytes(content)
    with pytest.raises(FunnelError, match="given twice"):
        init([folder, other], "both", default)


def test_what_is_no_file_or_cannot_be_read_is_named_and_the_other_files_are_used(monkeypatch):
    folder = put(history_csv=HISTORY_CSV, locked_csv="a,b\n1,2\n")
    opened = Path.open

    def guarded(path, *how, **rest):
        if path.name == "locked.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *how, **rest)

    monkeypatch.setattr(Path, "open", guarded)
    found = init([folder], "readable", default)
    assert any(line.startswith("not read: ") and "locked.csv: Permission denied" in line for line in found.told)
    with pytest.raises(FunnelError, match="neither a file nor a folder"):
        init([Path("/dev/null")], "device", default)


@pytest.mark.parametrize("name", ["-dashed", "x" * 101, "a b", "..", "../other", "a/b"])
def test_a_name_is_one_that_a_command_and_a_disk_take(name):
    with pytest.raises(FunnelError, match="--name: must be of at most 100 letters"):
        init([put(history_csv=HISTORY_CSV)], name, default)


def test_numbers_of_days_are_counted_as_the_workbook_counts_its_dates():
    for name, epoch in (("excel", CALENDAR_WINDOWS_1900), ("excel_1904", CALENDAR_MAC_1904)):
        rows = [(lead, stage, to_excel(at, epoch), *rest) for lead, stage, at, *rest in HISTORY]
        log = workbook(epoch=epoch, Log=[("id", "stage", "changed at", "owner", "reason"), *rows])
        assert made(put(log_xlsx=log), name=name) == COUNTED
        assert read_funnel(name).entries[0].date_format == {"entered_at": (name,)}
        created = open_funnel(name)[1].leads.created_at.min().execute()
        assert created == pd.Timestamp("2026-01-05 10:00")


def flagged(yes, no, *flags, closed=True):
    """Deals of which a third is won, a third lost and a third open, told by flags."""
    rows = []
    for n in range(30):
        values = {
            "Is Closed Won": (yes, no, no)[n % 3],
            "Is Closed": (yes, yes, no)[n % 3],
            "Is closed lost": (no, yes, no)[n % 3],
        }
        rows.append((f"L{n}", "2026-01-05", *(["2026-02-07"] if closed else []), *(values[flag] for flag in flags)))
    return csv(rows, "Deal ID", "Created", *(["Close Date"] if closed else []), *flags)


FLAGS = [
    ("Is Closed Won", "Is Closed"),
    ("Is Closed Won", "Is closed lost"),
    ("Is Closed Won", "Is Closed", "Is closed lost"),
]


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("Yes", "no"), ("TRUE", "FALSE")])
def test_wins_and_ends_are_told_by_flags(yes, no, flags):
    found = made_of(deals_csv=flagged(yes, no, *flags))
    assert (found["leads"], found["stages"], found["lost"]) == (30, [30, 10], 10)
    assert not read_funnel("made").leads[0].attributes


def test_flags_are_surer_than_the_words_of_a_stage():
    rows = [
        (f"L{n}", "2026-01-05", "2026-02-07", ("Signed off", "Won back later", "Demo")[n % 3], *f)
        for n, f in enumerate([("1", "1"), ("0", "1"), ("0", "0")] * 10)
    ]
    found = made_of(deals_csv=csv(rows, "Id", "CreatedDate", "CloseDate", "StageName", "IsWon", "IsClosed"))
    assert (found["stages"], found["lost"]) == ([30, 10], 10)


@pytest.mark.parametrize("told", ["status", "flags"])
def test_ends_that_no_date_tells_are_written_without_one(told):
    statuses = [(f"L{n}", "2026-01-05", ("Won", "Lost", "Open")[n % 3]) for n in range(30)]
    text = (
        csv(statuses, "Deal ID", "Created", "Status")
        if told == "status"
        else flagged("1", "0", *FLAGS[0], closed=False)
    )
    found = found_in(deals_csv=text)
    assert not found.statement.open
    assert sum("by no date when" in note for note in found.statement.notes) == 2
    prepare("made")
    assert counts("made") == {"leads": 30, "stages": [30, 10], "lost": 10, "nurture": 0}
    assert open_funnel("made")[1].entries.to_pandas().query("stage != 'created'")["entered_at"].isna().all()


def test_a_win_without_a_date_comes_after_the_stages_that_have_one():
    rows = [(f"L{n}", "2026-01-05", "2026-01-07", "2026-01-09", ("Won", "Open")[n % 2]) for n in range(30)]
    found = made_of(leads_csv=csv(rows, "Lead ID", "Created", "Visit date", "Offer date", "Status"))
    assert (read_funnel("made").stages, found["stages"]) == (("created", "visit", "offer", "Won"), [30, 30, 30, 15])


def test_sheets_of_one_workbook_are_tables_of_their_own():
    deals = [(lead, ("North", "South")[number % 2], at, f"U{number % 2}") for number, (lead, at) in enumerate(NEW)]
    sheets = {
        "Deals": csv(deals, "Deal ID", "Pipeline", "Created", "Owner ID"),
        "History": csv(MOVES, "Deal ID", "Stage", "Changed"),
        "Users": csv([("U0", "Anna"), ("U1", "Boris")], "User ID", "Name"),
    }
    room = io.BytesIO()
    with pd.ExcelWriter(room) as book:
        for title, text in sheets.items():
            pd.read_csv(io.StringIO(text)).to_excel(book, sheet_name=title, index=False)
    found = made_of(**{"crm.xlsx": room.getvalue()})
    north = [row for row in HISTORY if int(row[0][1:]) % 2 == 0]
    assert (found["leads"], found["stages"]) == (
        20,
        [sum(row[1] == name for row in north) for name in ("new", "met", "won")],
    )
    funnel, tables = open_funnel("made")
    assert not funnel.is_snapshot
    assert tables.entries.manager.to_pyarrow().unique().to_pylist() == ["Anna"]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Customer,Agent,ContactEmailID,Created Date,Stage,Close Date,Value", "C{n},A,c@x.y,{day},{end},{day},5"),
        ("Date,Name,Phone,Source,Status,Closed on", "{day},Ann Lee,555,FB,{end},{day}"),
    ],
)
def test_a_list_of_deals_without_an_id_is_not_taken_for_a_history(header, row):
    lines = [row.format(n=n % 7, day=f"2026-01-{n % 28 + 1:02}", end=("Won", "Lost")[n % 2]) for n in range(30)]
    found = made_of(deals_csv="\n".join([header, *lines]))
    assert (found["leads"], found["stages"], found["lost"]) == (30, [30, 15], 15)


def test_contacts_of_a_company_belong_to_its_latest_lead():
    leads = [(lead, at, f"C{number // 2}") for number, (lead, at) in enumerate(NEW)]
    calls = [(f"C{number // 2}", "2026-06-01 10:00", "call") for number in range(40)]
    assert made_of(
        deals_csv=csv(leads, "id", "created", "company"),
        stages_csv=HISTORY_CSV,
        calls_csv=csv(calls, "account", "call time", "type"),
    ) == {**COUNTED, "contacts": 40}
    _, tables = open_funnel("made")
    assert {int(lead[1:]) % 2 for lead in tables.contacts.lead_id.to_pyarrow().to_pylist()} == {1}


@pytest.mark.parametrize(("value", "paid"), [("Budget", {"payments": 3900.0}), ("Score", {})])
def test_amounts_and_other_numbers_are_nobody_s_ids(value, paid):
    part = 0.5 if value == "Score" else 0
    leads = [(lead, at, number * 10 + part, 1000 + number // 2) for number, (lead, at) in enumerate(NEW)]
    calls = [(number * 10 + part, 1000 + number // 2, "2026-06-01 10:00", "call") for number in range(40)]
    assert made_of(
        deals_csv=csv(leads, "id", "created", value, "contact"),
        stages_csv=csv(MOVES, "id", "stage", "at"),
        calls_csv=csv(calls, "seconds" if value == "Budget" else "place", "person", "call time", "type"),
    ) == {**COUNTED, "contacts": 40, **paid}
    assert read_funnel("made").contacts[0].lead_by == {"person": "contact"}


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("Pipeline report\nmade on Monday\nid,stage,at,owner,reason", "plain"),
        ("id,stage,at,owner,reason", "totals"),
        ("id,stage,at,owner,reason", "gzip"),
        ("id,stage,at,owner,reason", "grouped"),
        ("id,stage,day,time,owner", "apart"),
        ("id,stage,at,owner,reason", "decimals"),
    ],
)
def test_shapes_that_people_mend_by_hand_are_read_as_they_are(header, form):
    rows = list(HISTORY)
    leads = csv(NEW, "id", "created")
    if form == "grouped":
        rows = [(lead if stage == "new" else "", stage, at, *rest) for lead, stage, at, *rest in rows]
    if form == "apart":
        rows = [(lead, stage, f"{at:%d.%m.%Y}", f"{at:%H:%M}", owner) for lead, stage, at, owner, _ in rows]
    if form == "decimals":
        leads = csv([(int(lead[1:]) + 1, at) for lead, at in NEW], "id", "created")
        rows = [(float(lead[1:]) + 1, *rest) for lead, *rest in rows]
    if form == "totals":
        rows += [("Total", len(rows), "", "", ""), ("Report made by Anna", "", "", "", "")]
    text = csv(rows, *header.split(","))
    history_file = {"stages.csv.gz": gzip.compress(text.encode())} if form == "gzip" else {"stages.csv": text}
    assert made_of(**{"deals.csv": leads, **history_file}) == COUNTED


def test_the_order_of_day_and_month_is_asked_where_no_row_tells_it():
    rows = [(f"D{n}", f"0{n % 9 + 1}/0{n % 7 + 1}/2026", "Won", f"0{n % 9 + 1}/0{n % 7 + 2}/2026") for n in range(30)]
    folder = put(deals_csv=csv(rows, "ID", "Created", "Status", "Closed"))
    told = CliRunner().invoke(app, ["init", str(folder), "--name", "made", "--yes"])
    assert isinstance(told.exception, FunnelError)
    assert "%d/%m/%Y or %m/%d/%Y" in str(told.exception)
    assert '# date_format.created_at = "%d/%m/%Y"   # one of the two' in stated()
    assert not Path("data", "processed").exists()
    init([folder], "asked", lambda _question, choices, default: "%m/%d/%Y" if choices else default)
    prepare("asked")
    _, tables = open_funnel("asked")
    assert tables.leads.created_on.max().execute().date() == date(2026, 9, 6)


def test_a_computer_without_a_zone_takes_that_of_the_money(monkeypatch):
    monkeypatch.setattr("funnelstats.recognising.statement._clock", lambda: "Etc/UTC")
    folder = put(deals_csv=LANGUAGES["Russian"])
    init([folder], "made", default)
    assert read_funnel("made").timezone == "Europe/Moscow"
    monkeypatch.setenv("TZ", "UTC")
    init([folder], "told", default)
    assert read_funnel("told").timezone == "UTC"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Стадия;Ответственный\nНовая;Иванов\n"),
        ("cp1251", "Name;Owner\nAcme;Анна\n"),
        ("cp1251", "Name;Owner\nQ№1;А»\n;Анна\n"),
        ("koi8_r", "Стадия;Ответственный\nНовая;Иванов\n"),
        ("cp866", "Стадия;Ответственный\nНовая;Иванов\n"),
        ("mac_cyrillic", "Стадия;Ответственный\nНовая;Иванов\n"),
        ("cp1252", "Straße;Größe\nMünchen;cœur, français, ñandú\n"),
        ("cp1254", "Fırsat;Müşteri\nKazanıldı;Değer\n"),
        ("cp1254", "Name;Owner\nAyşe;Yıldız\n"),
        ("cp1252", "Þór;Guðrún\nstaða;Íris\n"),
        ("cp1250", "Łódź;Gdańsk\nżółw;źdźbło, příští\n"),
        ("cp1250", "Name;Owner\nAcme;Łukasz\n"),
        ("cp1250", "Fáze;Důvod ztráty\nVýhra;Dvořák\n"),
        ("cp1250", "Név;Felelős\nSzűcs;Győző megkötötte\n"),
        ("iso8859_2", "Powód utraty;Łukasz\nŚwięcicka;Gądek\n"),
        ("cp1253", "Name;Υπεύθυνος\nΜαρία;Γιώργος\n"),
        ("cp1255", "Name;Owner\nשרה;דוד\n"),
        ("cp1256", "Name;Owner\nفاطمة;محمد\n"),
        ("mac_roman", "Société;Étape\nHôtel;Müller\n"),
        (None, "Straße;Größe\nMünchen;übrig\n"),
    ],
)
def test_text_that_is_no_utf_8_is_of_the_code_page_that_its_words_show(encoding, text):
    folder = put(words_csv=text.encode(encoding or "utf-8"))
    (sheet,), _refused = sheets_of([folder / "words.csv"])
    assert sheet.lines == ({"encoding": encoding} if encoding else {})


def test_one_day_above_12_proves_the_order_for_all_dates_of_its_table():
    rows = [(f"D{n}", f"0{n % 9 + 1}/0{n % 7 + 1}/2026", "Won", f"{n + 1:02}/10/2026") for n in range(30)]
    made_of(deals_csv=csv(rows, "ID", "Created", "Status", "Closed"))
    assert read_funnel("made").leads[0].date_format["created_at"] == ("%d/%m/%Y",)


@pytest.mark.parametrize("name", ["deals [2026].csv", "a*.csv", "\x7f.csv", "it's.csv", "a\nb.csv", "\u202e.csv"])
def test_a_file_is_found_whatever_its_name(name):
    rows = [(f"D{n}", f"2026-01-{n + 1:02}", "won" if n % 3 else "lost", f"2026-02-{n + 1:02}") for n in range(20)]
    folder = put(a_csv=csv(rows, "ID", "Created", "Status", "Close date\x7f"))
    (folder / "a.csv").rename(folder / name)
    init([folder], "made", default)
    prepare("made")
    assert open_funnel("made")[1].leads.count().execute() == 20


def test_a_date_a_thousand_years_off_leaves_the_stages_in_their_order():
    rows = [
        (f"D{n}", stage, f"2026-0{place + 1}-{n % 20 + 1:02}")
        for n in range(60)
        for place, stage in enumerate(["new", "met", "won"])
    ]
    rows[4] = ("D1", "met", "1026-02-02")
    rows[7] = ("D2", "met", "9026-02-02")
    made_of(history_csv=csv(rows, "ID", "Stage", "Changed"))
    assert read_funnel("made").stages == ("new", "met", "won")


def test_blank_lines_where_a_header_is_looked_for_are_none():
    folder = put(deals_csv="\n\n1,2\n\n\n" + csv([("D1", "2026-01-05", "won")], "ID", "Created", "Status"))
    (sheet,), _refused = sheets_of(folder.iterdir())
    assert [*sheet.fields] == ["ID", "Created", "Status"]


def test_a_file_whose_name_is_no_text_is_told_and_left_out():
    folder = put(a_csv="x")
    (folder / "a.csv").rename(folder / "\udcff.csv")
    with pytest.raises(FunnelError, match="its name is no text in UTF-8; rename the file"):
        init([folder], "made", default)


def test_of_dates_in_one_format_but_for_some_one_of_these_is_told_once():
    days = [f"2026-01-{day:02}" for day in range(1, 19)]
    rows = [(f"D{n}", "won" if n % 3 else "lost", day) for n, day in enumerate([*days, "12.5K", "soon"])]
    with pytest.raises(FunnelError) as told:
        found_in(d_csv=csv(rows, "ID", "Status", "Close date"))
    assert str(told.value).count('d.csv, “Close date” ("12.5K")') == 1


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"deals_csv": csv([("D1", "2026-01-05", "Anna")], "ID", "Created", "Owner")}, "no column says which deals"),
        ({"deals_csv": csv([("D1", "Won")], "ID", "Status")}, "“Status” says how deals ended, and no date says when"),
        ({"people_csv": csv([("Anna", "North")], "name", "region")}, "no column is called the id of a lead"),
        ({"empty_csv": ""}, "the file is empty"),
        ({"d_csv": csv([("D1", "soon", "Won")], "ID", "Close date", "Status")}, 'd.csv, “Close date” \\("soon"\\)'),
    ],
)  # fmt: skip
def test_what_an_export_lacks_is_named_and_nothing_is_written(files, told):
    refuses(told, **files)
    assert not Path("data", "raw", "made").exists()


def test_headers_and_words_that_look_like_a_statement_stay_what_they_are():
    dated = [(f"D{n}", "2026-01-05", f"2026-01-{n % 9 + 6:02}", f"2026-01-{n % 9 + 16:02}", n) for n in range(80)]
    rows = [*dated[:-1], (*dated[-1][:-1], "{x}")]
    header = '"id","created","Met\ntitle = ""x"" date","Won {on}","amount"'
    text = "\n".join([header, *(",".join(map(str, row)) for row in rows)])
    assert made_of(deals_csv=text)["stages"] == [80, 80, 80]
    assert read_funnel("made").leads[0].missing == {"amount": ("{x}",)}


def test_a_funnel_that_is_there_is_never_overwritten():
    made_of(stages_csv=HISTORY_CSV)
    refuses("is there already", stages_csv=HISTORY_CSV)


def test_deals_that_stand_elsewhere_than_their_history_ends_are_told():
    last = {lead: stage for lead, stage, _ in MOVES}
    last |= dict.fromkeys(list(last)[:3], "met")
    leads = [(lead, "2026-01-05", stage) for lead, stage in last.items()]
    told = notes(deals_csv=csv(leads, "id", "created", "status"), log_csv=HISTORY_CSV)
    ended = {lead: stage for lead, stage, _ in MOVES}
    changed = sum(stage != ended[lead] for lead, _, stage in leads)
    assert [note.partition("for ")[2] for note in told] == [f"{changed} of 40 leads; the history counts"]


def test_the_command_says_what_each_file_holds_and_what_comes_next():
    folder = put(stages_csv=HISTORY_CSV, notes_csv="a,b\n1,2\n")
    told = CliRunner().invoke(app, ["init", str(folder), "--name", "made", "--yes"])
    assert told.exit_code == 0
    assert "stages.csv: history of stages, 100 rows" in told.output
    assert "notes.csv: not used" in told.output
    assert told.output.rstrip().endswith("funnelstats weekly made")


def same_as_by_hand(source):
    """What init makes of an export counts as the statement that people wrote for it."""
    by_hand = Path("data", "raw", "stated")
    by_hand.mkdir()
    files = [path for path in source.iterdir() if path.is_file()]
    for path in files:
        (by_hand / path.name).write_bytes(path.read_bytes())
    prepare("stated")
    return made(*(path for path in files if path.suffix not in (".toml", ".md", ".py"))), counts("stated")


def test_the_sample_counts_as_by_hand():
    found, stated = same_as_by_hand(REPOSITORY / "data" / "raw" / "sample")
    assert found == stated


SHAPES = {
    **dict.fromkeys(["floatid", "footer", "hms", "jsonarr", "jsonlhist", "ms", "nbspdate"], ([20, 20], 0)),
    **dict.fromkeys(["sapminus", "serial", "short", "trail", "xlgroup"], ([20, 20], 0)),
    **dict.fromkeys(["const", "datetime2", "months", "xlserial"], ([20, 0], 0)),
    **dict.fromkeys(["sfid", "zeroid"], ([60, 42, 21], 31)),
    "multi": ([260, 193, 81], 127),
    "sept": ([12, 0], 0),
}
FOLLOWED = ([260, 193, 81], 127)
DESCRIBED = {
    **{f"cannot-be-read/{name}": found for name, found in SHAPES.items()},
    **dict.fromkeys(["inherited-leads", "late-reason", "no-refusals-sentence"], FOLLOWED),
    **dict.fromkeys(["changes-only-history/changesok", "changes-only-history/changesonly"], FOLLOWED),
    **dict.fromkeys(["payments-twice/dup", "payments-twice/pay", "queue-then-owner/queue"], FOLLOWED),
    **dict.fromkeys(["utc-midnight-day/min-day", "utc-midnight-day/min-utc"], ([10, 10], 10)),
    **dict.fromkeys(["unclear-messages/cover", "unclear-messages/hsheet", "mixed-currencies/curfmt"], ([20, 0], 0)),
    "late-is-not-lost": ([300, 300, 300], 0),
    "lost-only-leads": ([20, 0], 20),
    "queue-then-owner/min-queue": ([10, 10], 0),
    "unclear-messages/isoutc": ([20, 20], 0),
}
"""Exports that nobody described: leads of each stage, and lost ones."""
AS_STATED = [
    "backdated-wins-vanish", "bad-cell-drops-lead/amount", "bad-cell-drops-lead/flag", "bad-cell-drops-lead/good",
    "below-the-rest", "contradiction", "docs-snapshot-created", "excel-swapped-dates/xltruth", "leaks-crash",
    "many-missing-words",
    "misclick-reopen", "one-future-date/ok", "one-future-date/typo", "repeated-id-conflict/dupdeal",
    "spelled-twice/spaces", "undated", "wins-without-a-day",
]  # fmt: skip
"""Exports of which init makes what their statement says."""
LACKING = {
    "blank-nan": "no column says which deals are won",
    "contact-id-join": "no column says which deals are won",
    "excel-swapped-dates/xlswap2": "st.xlsx, “at”",
    "repeated-id-conflict/noid": "no column says which deals are won",
    "two-tables-bad": "stages.csv, “At”",
    "tz-abbreviation": "st.csv, “at”",
    "unclear-messages/xlformula": 'st.xlsx: row 2, column "at": 40 cells hold formulas without a result',
}
"""Exports that lack what a funnel needs, and what is said of them."""
shared_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")


def files_of(case):
    return [path for path in sorted((CASES / case).iterdir()) if path.is_file() and path.suffix not in (".toml", ".md")]


@shared_cases
@pytest.mark.parametrize("case", DESCRIBED)
def test_exports_of_odd_shapes_are_described(case):
    found = made(*files_of(case))
    assert (found["stages"], found["lost"]) == DESCRIBED[case]


@shared_cases
@pytest.mark.parametrize("case", AS_STATED)
def test_a_described_export_counts_as_the_statement_of_people(case):
    found, stated = same_as_by_hand(CASES / case)
    stages = [found.pop("stages"), stated.pop("stages")]
    assert stages[0] == [count for count in stages[1] if count]
    assert {key: found[key] for key in stated} == stated


@shared_cases
@pytest.mark.parametrize("case", LACKING)
def test_what_a_shared_export_lacks_is_named(case):
    with pytest.raises(FunnelError) as told:
        init(files_of(case), "made", default)
    assert LACKING[case] in str(told.value)


@shared_cases
def test_every_shared_export_is_tried():
    folders = {path.parent.relative_to(CASES).as_posix() for path in CASES.rglob("funnel.toml")}
    assert folders == {*DESCRIBED, *AS_STATED, *LACKING}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("olist", {"leads": 8000, "stages": [8000, 842]}),
        ("olist/variant_hu_semicolon", {"leads": 8000, "stages": [8000, 842]}),
        ("olist/variant_in_ddmmyyyy", {"leads": 8000, "stages": [8000, 842]}),
        ("receipt", {"leads": 1434, "stages": [1434, 1316, 1309, 1303, 1300, 1283]}),
        ("maven_crm", {"leads": 8800, "stages": [8300, 4238], "lost": 2473, "payments": 10005534}),
    ],
)
def test_real_exports_are_recognised(source, expected):
    found = made(SHARED / source)
    assert {key: found[key] for key in expected} == expected
