"""Exports of known CRMs, invented in the shape each writes them: recognised, and every planted number found again."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import pandas as pd
import pytest
from projects import tables

from funnelstats.importing.prepare import prepare
from funnelstats.recognising.init import init
from funnelstats.recognising.roles import presets
from funnelstats.recognising.stages import end_of
from funnelstats.recognising.words import words

DOC = Path(__file__).parents[1] / "docs" / "exports.md"
WAY = ("new", "met", "offer", "won")
MOVES_ON = {"new": 0.8, "met": 0.7, "offer": 0.7}
IS_LOST = 0.6
"""Share of those that do not move on."""


OWNERS = ["Anna Berg", "Boris Iwanow", "Clara Lindt"]


class Deal(NamedTuple):
    """A deal as any CRM knows it; ``at``: when it came to each of the stages of ``WAY``, and when it was lost."""

    number: int
    owner: str
    source: str
    amount: int
    reason: str
    at: dict[str, datetime]

    @property
    def created(self) -> datetime:
        return self.at["new"]

    @property
    def now(self) -> str:
        return list(self.at)[-1]

    @property
    def closed(self) -> datetime | None:
        return self.at.get("won") or self.at.get("lost")

    @property
    def status(self) -> str:
        return self.now if self.closed else "open"


def planted() -> list[Deal]:
    """60 deals of the spring of 2026, the same ones every time."""
    rng = Random(13)
    deals = []
    for number in range(60):
        at = {"new": datetime(2026, 1, 5, 9) + timedelta(hours=30 * number, minutes=rng.randrange(480))}
        for stage, following in pairwise(WAY):
            later = list(at.values())[-1] + timedelta(days=rng.randrange(1, 9), minutes=rng.randrange(60))
            if rng.random() < MOVES_ON[stage]:
                at[following] = later
                continue
            at |= {"lost": later} if rng.random() < IS_LOST else {}
            break
        owner, source = rng.choice(OWNERS), rng.choice(["Website", "Fair"])
        reason = rng.choice(["Price", "No budget"]) if "lost" in at else ""
        deals.append(Deal(1001 + number, owner, source, 500 * rng.randrange(2, 40), reason, at))
    return deals


DEALS = planted()
PLANTED = {"new": 60, "met": 41, "offer": 21, "won": 17, "lost": 31}
WON_AMOUNT = 144_500


def test_what_was_planted() -> None:
    assert Counter(stage for deal in DEALS for stage in deal.at) == PLANTED
    assert sum(deal.amount for deal in DEALS if "won" in deal.at) == WON_AMOUNT


# What writes the files


Columns = dict[str, Callable[[Deal], object] | object]
"""Headers, each with what stands in its cells: of the deal, or the same throughout."""


Rows = list[dict[str, object]]


def plain(rows: Rows | Columns, delimiter=",", quoting=csv.QUOTE_MINIMAL, encoding="utf-8") -> bytes:
    rows = each_deal(rows) if isinstance(rows, dict) else rows
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def quoted(rows: Rows | Columns, delimiter=",", encoding="utf-8") -> bytes:
    return plain(rows, delimiter, csv.QUOTE_ALL, encoding)


def each_deal(columns: Columns) -> Rows:
    return [{header: cell(deal) if callable(cell) else cell for header, cell in columns.items()} for deal in DEALS]


def workbook(columns: Columns) -> bytes:
    file = io.BytesIO()
    pd.DataFrame(each_deal(columns)).to_excel(file, index=False)
    return file.getvalue()


def moves(names: dict[str, str], columns: Callable[[Deal, str, str, datetime], dict[str, object]]) -> Rows:
    """A row for each stage of each deal, the latest change first, as many CRMs list them."""
    rows = [
        (at, columns(deal, names[list(deal.at)[place - 1]] if place else "", names[stage], at))
        for deal in DEALS
        for place, (stage, at) in enumerate(deal.at.items())
    ]
    return [row for _at, row in sorted(rows, key=lambda pair: pair[0], reverse=True)]


def at(fmt: str, stage: str, otherwise: str = "") -> Callable[[Deal], str]:
    """When a deal came to a stage, or was "closed", in the CRM's own way of writing dates."""

    def cell(deal: Deal) -> str:
        moment = deal.closed if stage == "closed" else deal.at.get(stage)
        return moment.strftime(fmt) if moment else otherwise

    return cell


def expected_close(fmt: str) -> Callable[[Deal], str]:
    """When a deal was closed, or is expected to be."""
    return lambda deal: (deal.closed or deal.created + timedelta(days=45)).strftime(fmt)


def called(names: dict[str, str]) -> Callable[[Deal], str]:
    return lambda deal: names[deal.now]


def owner(deal: Deal) -> str:
    return deal.owner


def source(deal: Deal) -> str:
    return deal.source


def amount(deal: Deal) -> int:
    return deal.amount


def reason(deal: Deal) -> str:
    return deal.reason


def title(deal: Deal) -> str:
    return f"Order, {deal.number}"


def salesforce_id(kind: str, number: int) -> str:
    return f"{kind}5g00000{number:04d}AbCAAU"


ISO, MINUTES, DAY = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"
ZULU, GERMAN, AMERICAN = "%Y-%m-%dT%H:%M:%S.000Z", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y"

HUBSPOT = {"new": "Appointment Scheduled", "met": "Qualified to Buy", "offer": "Contract Sent", "won": "Closed Won",
           "lost": "Closed Lost"}  # fmt: skip
HUBSPOT_IDS = {key: name.replace(" ", "").lower() for key, name in HUBSPOT.items()}
SALESFORCE = {"new": "Prospecting", "met": "Needs Analysis", "offer": "Proposal/Price Quote", "won": "Closed Won",
              "lost": "Closed Lost"}  # fmt: skip
RUSSIAN = {"new": "Новая", "met": "Подготовка документов", "offer": "В работе", "won": "Сделка успешна",
           "lost": "Сделка провалена"}  # fmt: skip
BITRIX_IDS = {"new": "NEW", "met": "PREPARATION", "offer": "EXECUTING", "won": "WON", "lost": "LOSE"}
BITRIX = {"new": "New", "met": "Create papers", "offer": "In progress", "won": "Deal won", "lost": "Deal lost"}
AMO = {"new": "Первичный контакт", "met": "Переговоры", "offer": "Принимают решение", "won": "Успешно реализовано",
       "lost": "Закрыто и не реализовано"}  # fmt: skip
KOMMO = {"new": "Initial contact", "met": "Discussions", "offer": "Decision making", "won": "Closed - won",
         "lost": "Closed - lost"}  # fmt: skip
ODOO = {"new": "New", "met": "Qualified", "offer": "Proposition", "won": "Won"}
PIPEDRIVE = {"new": "Contact Made", "met": "Demo Scheduled", "offer": "Proposal Made"}
FRESHSALES = {"new": "New", "met": "Qualification", "offer": "Negotiation", "won": "Won", "lost": "Lost"}
DYNAMICS = {"new": "1-Qualify", "met": "2-Develop", "offer": "3-Propose"}


def before_its_end(names: dict[str, str]) -> Callable[[Deal], str]:
    """The last stage of a CRM in which an end is a status and no stage."""
    return lambda deal: names[[stage for stage in deal.at if stage in names][-1]]


HUBSPOT_DEALS: Columns = {
    "Record ID": lambda deal: 9_000_000_000 + deal.number,
    "Deal Name": title,
    "Deal Stage": called(HUBSPOT),
    "Pipeline": "Sales Pipeline",
    "Amount": lambda deal: f"{deal.amount}.0",
    "Close Date": expected_close(MINUTES),
    "Create Date": at(MINUTES, "new"),
    "Last Modified Date": "2026-05-04 10:00",
    "Deal owner": owner,
    "Closed Lost Reason": reason,
    "Original Traffic Source": source,
    "Date entered current stage": lambda deal: deal.at[deal.now].strftime(MINUTES),
    **{f'Date entered "{name} (Sales Pipeline)"': at(MINUTES, key) for key, name in HUBSPOT.items()},
}


OPPORTUNITIES: Columns = {
    "Id": lambda deal: salesforce_id("006", deal.number),
    "AccountId": lambda deal: salesforce_id("001", deal.number % 40),
    "Name": title,
    "StageName": called(SALESFORCE),
    "Amount": lambda deal: f"{deal.amount}.0",
    "CloseDate": expected_close(DAY),
    "LeadSource": source,
    "IsClosed": lambda deal: str(bool(deal.closed)).lower(),
    "IsWon": lambda deal: str("won" in deal.at).lower(),
    "OwnerId": lambda deal: salesforce_id("005", len(deal.owner)),
    "CreatedDate": at(ZULU, "new"),
    "LastModifiedDate": "2026-05-04T10:00:00.000Z",
    "LastStageChangeDate": lambda deal: deal.at[deal.now].strftime(ZULU),
}


def users() -> Rows:
    return [
        {"Id": salesforce_id("005", len(name)), "Username": f"{name[0]}@example.org", "Name": name} for name in OWNERS
    ]


OPPORTUNITY_REPORT: Columns = {
    "Opportunity Owner": owner,
    "Account Name": lambda deal: f"Client {deal.number % 40}",
    "Opportunity Name": title,
    "Stage": called(SALESFORCE),
    "Amount": lambda deal: f"{deal.amount:,}.00",
    "Probability (%)": lambda deal: {"won": 100, "lost": 0}.get(deal.now, 40),
    "Close Date": expected_close(AMERICAN),
    "Created Date": at(AMERICAN, "new"),
    "Lead Source": source,
    "Opportunity ID": lambda deal: salesforce_id("006", deal.number),
}


def field_report(deal: Deal, before: str, after: str, moment: datetime) -> dict[str, object]:
    return {
        "Opportunity Owner": deal.owner,
        "Opportunity Name": title(deal),
        "Field / Event": "Stage" if before else "Created.",
        "Old Value": before,
        "New Value": after if before else "",
        "Edit Date": moment.strftime("%m/%d/%Y %I:%M %p"),
        "Opportunity ID": salesforce_id("006", deal.number),
    }


PIPEDRIVE_DEALS: Columns = {
    "Deal - ID": lambda deal: deal.number,
    "Deal - Title": title,
    "Deal - Owner": owner,
    "Deal - Value": amount,
    "Deal - Currency of value": "EUR",
    "Deal - Pipeline": "Pipeline",
    "Deal - Stage": before_its_end(PIPEDRIVE),
    "Deal - Status": lambda deal: deal.status.capitalize(),
    "Deal - Deal created": at(ISO, "new"),
    "Deal - Update time": "2026-05-04 10:00:00",
    "Deal - Last stage change": lambda deal: deal.created.strftime(ISO),
    "Deal - Expected close date": expected_close(DAY),
    "Deal - Won time": at(ISO, "won"),
    "Deal - Lost time": at(ISO, "lost"),
    "Deal - Deal closed on": at(ISO, "closed"),
    "Deal - Lost reason": reason,
    "Deal - Source channel": source,
    "Deal - Organization": lambda deal: f"Client {deal.number % 40}",
}


PIPEDRIVE_ACTIVITIES: Columns = {
    "Activity - ID": lambda deal: 5000 + deal.number,
    "Activity - Subject": lambda deal: f"Call {deal.number}",
    "Activity - Type": lambda deal: "Call" if deal.number % 3 else "Meeting",
    "Activity - Done": "Done",
    "Activity - Due date": at(DAY, "new"),
    "Activity - Duration": "00:30",
    "Activity - Marked as done time": at(ISO, "new"),
    "Activity - Assigned to user": owner,
    "Deal - ID": lambda deal: deal.number,
    "Deal - Title": title,
}


ZOHO_DEALS: Columns = {
    "Record Id": lambda deal: f"zcrm_487687600000{deal.number}",
    "Deal Owner.id": lambda deal: f"zcrm_48768760000{len(deal.owner):04d}",
    "Deal Owner": owner,
    "Amount": lambda deal: f"{deal.amount:,}.00",
    "Deal Name": title,
    "Closing Date": lambda deal: (deal.created + timedelta(days=45)).strftime(DAY),
    "Account Name": lambda deal: f"Client {deal.number % 40}",
    "Stage": called(SALESFORCE),
    "Type": "New Business",
    "Lead Source": source,
    "Created Time": at(ISO, "new"),
    "Modified Time": "2026-05-04 10:00:00",
    "Last Activity Time": "2026-05-03 10:00:00",
    "Stage Modified Time": lambda deal: deal.at[deal.now].strftime(ISO),
    "Reason For Loss": reason,
    "Currency": "EUR",
}


BITRIX24_DEALS: Columns = {
    "ID": lambda deal: deal.number,
    "Название сделки": title,
    "Стадия сделки": called(RUSSIAN),
    "Сумма": lambda deal: f"{deal.amount}.00",
    "Валюта": "Рубль",
    "Ответственный": owner,
    "Компания": lambda deal: f"ООО {deal.number % 40}",
    "Источник": source,
    "Дата создания": at(GERMAN, "new"),
    "Дата изменения": "04.05.2026 10:00:00",
    "Дата начала": at("%d.%m.%Y", "new"),
    "Предполагаемая дата закрытия": expected_close("%d.%m.%Y"),
    "Сделка закрыта": lambda deal: "Да" if deal.closed else "Нет",
}


BITRIX24_ENGLISH: Columns = {
    "ID": lambda deal: deal.number,
    "Deal name": title,
    "Stage": called(BITRIX),
    "Amount": lambda deal: f"{deal.amount}.00",
    "Currency": "US Dollar",
    "Responsible person": owner,
    "Source": source,
    "Created on": at("%m/%d/%Y %I:%M:%S %p", "new"),
    "Modified on": "05/24/2026 10:00:00 AM",
    "Expected close date": expected_close(AMERICAN),
}


def bitrix24_history(deal: Deal, before: str, after: str, moment: datetime) -> dict[str, object]:
    return {
        "ID": 70_000 + 10 * deal.number + list(deal.at.values()).index(moment),
        "TYPE_ID": 2 if before else 1,
        "OWNER_ID": deal.number,
        "CREATED_TIME": moment.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "CATEGORY_ID": 0,
        "STAGE_SEMANTIC_ID": {"WON": "S", "LOSE": "F"}.get(after, "P"),
        "STAGE_ID": after,
    }


AMOCRM_DEALS: Columns = {
    "ID": lambda deal: deal.number,
    "Название сделки": title,
    "Бюджет": amount,
    "Ответственный": owner,
    "Дата создания сделки": at(GERMAN, "new"),
    "Кем создана сделка": owner,
    "Дата редактирования": "04.05.2026 10:00:00",
    "Кем редактирована": owner,
    "Дата закрытия": at(GERMAN, "closed", "не закрыта"),
    "Теги": "",
    "Этап сделки": called(AMO),
    "Воронка": "Воронка",
    "Причина отказа": reason,
    "Источник": source,
    "Компания": lambda deal: f"ООО {deal.number % 40}",
}


def amocrm_events(deal: Deal, before: str, after: str, moment: datetime) -> dict[str, object]:
    return {
        "Дата": moment.strftime("%d.%m.%Y %H:%M"),
        "Автор": deal.owner,
        "Объект": "Сделка",
        "Название": title(deal),
        "Событие": "Изменение этапа продажи" if before else "Новая сделка",
        "Значение до": before,
        "Значение после": after if before else "",
        "ID объекта": deal.number,
    }


KOMMO_DEALS: Columns = {
    "ID": lambda deal: deal.number,
    "Lead title": title,
    "Sale": amount,
    "Responsible user": owner,
    "Created at": at(GERMAN, "new"),
    "Last modified": "04.05.2026 10:00:00",
    "Closed at": at(GERMAN, "closed", "not closed"),
    "Lead stage": called(KOMMO),
    "Pipeline": "Pipeline",
    "Loss reason": reason,
}


ODOO_DEALS: Columns = {
    "External ID": lambda deal: f"__export__.crm_lead_{deal.number}_9f2c",
    "Opportunity": title,
    "Customer": lambda deal: f"Client {deal.number % 40}",
    "Salesperson": owner,
    "Expected Revenue": lambda deal: f"{deal.amount}.00",
    "Stage": before_its_end(ODOO),
    "Won/Lost": lambda deal: {"open": "Pending"}.get(deal.status, deal.status.capitalize()),
    "Created on": at(ISO, "new"),
    "Closed Date": at(ISO, "closed"),
    "Expected Closing": expected_close(DAY),
    "Last Stage Update": lambda deal: deal.created.strftime(ISO),
    "Lost Reason": reason,
    "Source": source,
}


ODOO_BY_NAMES: Columns = {
    "id": lambda deal: f"__export__.crm_lead_{deal.number}_9f2c",
    "name": title,
    "user_id": owner,
    "stage_id": before_its_end(ODOO),
    "won_status": lambda deal: {"open": "pending"}.get(deal.status, deal.status),
    "expected_revenue": lambda deal: f"{deal.amount}.0",
    "create_date": at(ISO, "new"),
    "date_closed": at(ISO, "closed"),
    "date_last_stage_update": lambda deal: deal.created.strftime(ISO),
    "write_date": "2026-05-04 10:00:00",
}


DYNAMICS_DEALS: Columns = {
    "(Do Not Modify) Opportunity": lambda deal: f"7c0b2f4e-0000-ee11-9ae7-00000000{deal.number}",
    "(Do Not Modify) Row Checksum": lambda deal: f"aGVsbG8{deal.number}==",
    "(Do Not Modify) Modified On": datetime(2026, 5, 4, 10),
    "Topic": title,
    "Potential Customer": lambda deal: f"Client {deal.number % 40}",
    "Status": lambda deal: deal.status.capitalize(),
    "Status Reason": lambda deal: {"won": "Won", "lost": "Out-Sold"}.get(deal.status, "In Progress"),
    "Pipeline Phase": before_its_end(DYNAMICS),
    "Est. Close Date": lambda deal: deal.created + timedelta(days=45),
    "Est. Revenue": lambda deal: deal.amount + 100,
    "Actual Close Date": lambda deal: deal.closed,
    "Actual Revenue": lambda deal: deal.amount if "won" in deal.at else None,
    "Owner": owner,
    "Created On": lambda deal: deal.created,
}


CLOSE_OPPORTUNITIES: Columns = {
    "id": lambda deal: f"oppo_{deal.number}kQz",
    "lead_id": lambda deal: f"lead_{deal.number}aBc",
    "lead_name": lambda deal: f"Client {deal.number}",
    "status_label": lambda deal: {"won": "Signed", "lost": "No deal"}.get(deal.status, "In discussion"),
    "status_type": lambda deal: {"open": "active"}.get(deal.status, deal.status),
    "user_name": owner,
    "value": amount,
    "value_currency": "USD",
    "value_formatted": lambda deal: f"${deal.amount:,}",
    "confidence": 50,
    "date_created": at("%Y-%m-%dT%H:%M:%S.%f+00:00", "new"),
    "date_updated": "2026-05-04T10:00:00.000000+00:00",
    "date_won": at(DAY, "won"),
    "date_lost": at("%Y-%m-%dT%H:%M:%S.%f+00:00", "lost"),
}


def close_leads() -> Rows:
    """The leads of the opportunities, and five that have none."""
    leads = [(f"lead_{deal.number}aBc", deal.created, deal.status) for deal in DEALS]
    leads += [(f"lead_{number}xYz", datetime(2026, 2, 3, 10, number), "open") for number in range(10, 15)]
    return [
        {
            "id": lead,
            "display_name": f"Client {lead}",
            "status_label": {"won": "Customer", "lost": "Bad Fit"}.get(status, "Potential"),
            "date_created": created.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
            "date_updated": "2026-05-04T10:00:00.000000+00:00",
        }
        for lead, created, status in leads
    ]


FRESHSALES_DEALS: Columns = {
    "ID": lambda deal: 402_000_000_000 + deal.number,
    "Deal name": title,
    "Deal value": lambda deal: f"{deal.amount}.0",
    "Currency": "USD",
    "Deal pipeline": "Default Pipeline",
    "Deal stage": called(FRESHSALES),
    "Deal stage updated at": lambda deal: deal.created.strftime(ISO),
    "Expected close date": expected_close(DAY),
    "Closed date": at(DAY, "closed"),
    "Lost reason": reason,
    "Sales owner": owner,
    "Source": source,
    "Created at": at(ISO, "new"),
    "Updated at": "2026-05-04 10:00:00",
}


def hubspot_history(deal: Deal, before: str, after: str, moment: datetime) -> dict[str, object]:
    return {
        "dealId": 9_000_000_000 + deal.number,
        "property": "dealstage",
        "value": after,
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "sourceType": "CRM_UI" if before else "FORMS",
    }


def salesforce_history(deal: Deal, _before: str, after: str, moment: datetime) -> dict[str, object]:
    return {
        "Id": salesforce_id("008", 10 * deal.number + list(deal.at.values()).index(moment)),
        "OpportunityId": salesforce_id("006", deal.number),
        "CreatedDate": moment.strftime(ZULU),
        "StageName": after,
        "Amount": deal.amount,
        "CloseDate": (deal.created + timedelta(days=45)).strftime(DAY),
        "ForecastCategory": "Pipeline",
        "SystemModstamp": moment.strftime(ZULU),
    }


def salesforce_fields(deal: Deal, before: str, after: str, moment: datetime) -> dict[str, object]:
    return {
        "Id": salesforce_id("017", 10 * deal.number + list(deal.at.values()).index(moment)),
        "OpportunityId": salesforce_id("006", deal.number),
        "CreatedDate": moment.strftime(ZULU),
        "Field": "StageName" if before else "created",
        "OldValue": before,
        "NewValue": after if before else "",
    }


def stage_report(deal: Deal, before: str, after: str, moment: datetime) -> dict[str, object]:
    return {
        "Opportunity Owner": deal.owner,
        "Opportunity Name": title(deal),
        "From Stage": before,
        "To Stage": after,
        "Amount": f"{deal.amount:,}.00",
        "Close Date": (deal.created + timedelta(days=45)).strftime(AMERICAN),
        "Last Modified": moment.strftime("%m/%d/%Y %I:%M %p"),
        "Opportunity ID": salesforce_id("006", deal.number),
    }


class Case(NamedTuple):
    """An export: its CRM, its files, and what the funnel made of it is to hold."""

    crm: str
    files: dict[str, bytes]
    stages: dict[str, int]
    """Entries by stage: won ones under the CRM's own name."""
    won_amount: int = WON_AMOUNT
    leads: int = PLANTED["new"]
    contacts: int = 0


def entries(names: dict[str, str]) -> dict[str, int]:
    """What was planted, by the names of the CRM."""
    return {names[stage]: PLANTED[stage] for stage in WAY} | {"lost": PLANTED["lost"]}


def ends(won: str) -> dict[str, int]:
    """What a snapshot without dates of stages tells of it."""
    return {"created": PLANTED["new"], won: PLANTED["won"], "lost": PLANTED["lost"]}


CASES = {
    "hubspot deals": Case(
        "hubspot", {"hubspot-crm-exports-all-deals.csv": quoted(HUBSPOT_DEALS)},
        entries(HUBSPOT)),
    "hubspot property history": Case(
        "hubspot", {"deals_property_history.csv": plain(moves(HUBSPOT_IDS, hubspot_history))},
        entries(HUBSPOT_IDS), won_amount=0),
    "salesforce history": Case(
        "salesforce", {"Opportunity.csv": quoted(OPPORTUNITIES), "User.csv": quoted(users()),
                       "OpportunityHistory.csv": quoted(moves(SALESFORCE, salesforce_history))},
        entries(SALESFORCE)),
    "salesforce field history": Case(
        "salesforce", {"Opportunity.csv": quoted(OPPORTUNITIES),
                       "OpportunityFieldHistory.csv": quoted(moves(SALESFORCE, salesforce_fields))},
        entries(SALESFORCE)),
    "salesforce report": Case("salesforce", {"report1770.csv": quoted(OPPORTUNITY_REPORT)}, ends("Closed Won")),
    "salesforce history report": Case(
        "salesforce", {"report1771.csv": plain(moves(SALESFORCE, stage_report), encoding="latin-1")},
        entries(SALESFORCE)),
    "salesforce field history report": Case(
        "salesforce", {"report1770.csv": quoted(OPPORTUNITY_REPORT),
                       "report1772.csv": quoted(moves(SALESFORCE, field_report))},
        entries(SALESFORCE)),
    "pipedrive deals": Case("pipedrive", {"deals-1234567-89.csv": plain(PIPEDRIVE_DEALS)}, ends("Won")),
    "pipedrive deals and activities": Case(
        "pipedrive", {"deals-1234567-89.xlsx": workbook(PIPEDRIVE_DEALS),
                      "activities-1234567-90.csv": plain(PIPEDRIVE_ACTIVITIES)},
        ends("Won"), contacts=60),
    "zoho deals": Case("zoho", {"Deals_001.csv": quoted(ZOHO_DEALS)}, ends("Closed Won")),
    "bitrix24 deals": Case(
        "bitrix24", {"DEAL_20260504.csv": quoted(BITRIX24_DEALS, ";", "utf-8-sig")}, ends("Сделка успешна")),
    "bitrix24 deals in English": Case(
        "bitrix24", {"DEAL_20260504.csv": quoted(BITRIX24_ENGLISH, ";", "utf-8-sig")}, ends("Deal won")),
    "bitrix24 stage history": Case(
        "bitrix24", {"DEAL_20260504.csv": quoted(BITRIX24_DEALS, ";", "utf-8-sig"),
                     "crm_deal_stage_history.csv": plain(moves(BITRIX_IDS, bitrix24_history))},
        entries(BITRIX_IDS)),
    "amocrm deals": Case("amocrm", {"amocrm_export_leads.csv": quoted(AMOCRM_DEALS)}, ends("Успешно реализовано")),
    "amocrm deals and events": Case(
        "amocrm", {"amocrm_export_leads.csv": quoted(AMOCRM_DEALS),
                   "events.csv": quoted(moves(AMO, amocrm_events), ";", "cp1251")},
        entries(AMO)),
    "kommo leads": Case("amocrm", {"kommo_export_leads.csv": quoted(KOMMO_DEALS)}, ends("Closed - won")),
    "odoo opportunities": Case("odoo", {"Lead_Opportunity (crm.lead).xlsx": workbook(ODOO_DEALS)}, ends("Won")),
    "odoo by names of fields": Case("odoo", {"crm.lead.csv": quoted(ODOO_BY_NAMES)}, ends("won")),
    "dynamics opportunities": Case("dynamics", {"All Opportunities.xlsx": workbook(DYNAMICS_DEALS)}, ends("Won")),
    "close opportunities": Case("close", {"opportunities.csv": plain(CLOSE_OPPORTUNITIES)}, ends("Signed")),
    "close leads and opportunities": Case(
        "close", {"leads.csv": plain(close_leads()), "opportunities.csv": plain(CLOSE_OPPORTUNITIES)},
        ends("Signed") | {"created": 65}, leads=65),
    "freshsales deals": Case("freshsales", {"deals.csv": plain(FRESHSALES_DEALS)}, ends("Won")),
}  # fmt: skip


def recognised(files: dict[str, bytes], answer: str | None = None):
    """What init makes of these files, of which questions without a default are given one answer."""
    folder = Path("export")
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return init([folder], "team", lambda _question, _choices, default: default or answer)


def days_of_ends(frame: pd.DataFrame) -> dict[str, list[date]]:
    """The days of wins and losses."""
    won = [stage for stage in frame["stage"].unique() if end_of(stage) == "won"]
    ended = {"won": frame[frame["stage"].isin(won)], "lost": frame[frame["stage"] == "lost"]}
    return {end: sorted(pd.to_datetime(rows["entered_on"]).dt.date) for end, rows in ended.items()}


def days_planted() -> dict[str, list[date]]:
    return {end: sorted(deal.at[end].date() for deal in DEALS if end in deal.at) for end in ("won", "lost")}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project on a computer whose clock is of no zone, so that instants keep their days."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    Path("data", "raw").mkdir(parents=True)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.usefixtures("project")
def test_an_export_is_recognised_and_counted_as_planted(case: Case) -> None:
    found = recognised(case.files)
    assert found.export.deals.preset["crm"] == case.crm
    assert not found.statement.open
    prepare("team")
    frames = tables("team")
    assert len(frames["leads"]) == case.leads
    assert frames["entries"]["stage"].value_counts().to_dict() == case.stages
    assert days_of_ends(frames["entries"]) == days_planted()
    assert frames.get("payments", pd.DataFrame(columns=["amount"]))["amount"].sum() == case.won_amount
    assert len(frames.get("contacts", [])) == case.contacts
    # A history alone repeats each lead.
    assert {*frames["set_aside"]["table"]} <= ({"leads"} if found.export.deals.what == "history" else set())


def of_either_order() -> Rows:
    """Rows of a report whose dates are all dates with day and month changed places too."""
    dates = ("Created Date", "Close Date")
    return [row for row in each_deal(OPPORTUNITY_REPORT) if all(int(str(row[header])[3:5]) <= 12 for header in dates)]


@pytest.mark.usefixtures("project")
def test_dates_that_could_be_either_order_are_asked_for() -> None:
    found = recognised({"report.csv": quoted(of_either_order())})
    asked = " ".join({*found.statement.open})
    assert "“Created Date”" in asked
    assert "“Close Date”" in asked
    assert "%m/%d/%Y or %d/%m/%Y" in asked or "%d/%m/%Y or %m/%d/%Y" in asked


@pytest.mark.usefixtures("project")
def test_dates_that_could_be_either_order_are_read_as_answered() -> None:
    rows = of_either_order()
    recognised({"report.csv": quoted(rows)}, answer="%m/%d/%Y")
    prepare("team")
    read = {f"{day:%m/%d/%Y}" for day in pd.to_datetime(tables("team")["leads"]["created_at"])}
    assert read == {row["Created Date"] for row in rows}


@pytest.mark.usefixtures("project")
def test_a_word_that_stands_for_no_date_is_declared() -> None:
    found = recognised({"leads.csv": quoted(AMOCRM_DEALS)})
    assert 'missing.entered_at = "не закрыта"' in found.path.read_text(encoding="utf-8")


# What a preset may state, and where it is described


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: f"{preset['crm']}-{preset['rows']}")
def test_a_preset_states_what_is_known_of_rows_and_roles(preset) -> None:
    assert {*preset} <= {"crm", "rows", "recognised_by", "columns", "entered", "others"}
    assert preset["rows"] in ("deals", "history", "contacts", "payments", "costs", "people")
    assert {*preset["columns"]} <= {*words()["roles"]}
    assert "lead_id" in preset["columns"]


def test_every_preset_is_described_and_every_description_has_its_preset() -> None:
    described = re.findall(r"^\|[^|]+\| `(\w+)` \|", DOC.read_text(encoding="utf-8"), re.M)
    assert {*described} == {preset["crm"] for preset in presets()} == {case.crm for case in CASES.values()}
