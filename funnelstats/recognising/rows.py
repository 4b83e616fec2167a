"""What the rows of a table are: deals, lines of them, their history, calls, payments, costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from funnelstats.recognising.changes import MANY_IDS, ONCE, is_new_value
from funnelstats.recognising.sheets import Sheet, values_within
from funnelstats.recognising.stages import SAID, end_of
from funnelstats.recognising.words import fit, role_fit, words

Surely = Literal["", "numbered", "alone"]
OFTEN, MANY = 1.05, 1.5
"""Rows for each id, from which on the rows are no leads but what happened to them; the second where they have columns
of a lead's own, of which some may stand twice."""


MOSTLY = 0.5
"""Share of the rows of payments whose state may be one that no word tells."""


def what_rows_are(sheet: Sheet, roles: Mapping[str, str]) -> str:
    """What the rows of a table are, by the headers of its roles, its name, and how often an id stands there."""
    of_contacts = words()["files"]["contacts"]
    name_says = {what: sheet.is_called(what) for what in ("payments", "costs")}
    name_says["contacts"] = fit(sheet.stem, of_contacts) > 0
    # "Amount spent (EUR)" says it too.
    least = {"costs": SAID}
    header_says = {
        what: any(fit(name, known) >= least.get(what, 2) for name in sheet.fields)
        for what, known in words()["headers"].items()
    }
    dated = {"time", "created", "closed", "paid"} & {*roles}
    of_a_lead = role_fit(roles.get("lead_id", ""), "lead_id") >= 2 or "payment_id" in roles or "closed" in roles
    campaigns = "campaign" in roles or any(fit(name, words()["came"]["levels"]) >= 2 for name in sheet.fields)
    if header_says["ads"] and campaigns and "amount" in roles and sheet.dates and not of_a_lead:
        return "costs"  # whatever else its campaigns have: an id, a state
    snapshot = "stage" in roles and {"created", "closed"} <= {*roles}
    # What has an old value is a log of changes, also where it is called one of activities.
    log = {"lead_id", "stage", "old_stage"} <= {*roles}
    stage = roles.get("stage", "")
    titled = fit(sheet.title, of_contacts) >= 2
    of_calls = sum(fit(name, words()["headers"]["calls"]) >= 2 for name in sheet.fields) > 1
    weakly = (titled and not {"duration", "contact_kind", "reached"}.isdisjoint(roles)) or of_calls
    sure = name_says["contacts"] or header_says["contacts"]
    called = sure or (weakly and role_fit(roles.get("created", ""), "created") < 2)
    if called and not name_says["contacts"] and role_fit(stage, "stage") >= 2 and not (sure and "duration" in roles):
        # A pipeline may be called a direction, as that of a call is; beside a call may stand how its deal ended.
        lead = roles.get("lead_id", "")
        once = lead and sheet.fields[lead].stands_once and (not sure or {"created", "closed"} & {*roles})
        of_leads = once or (lead and have_several_stages(sheet, lead, stage))
        called = not (of_leads and {"won", "lost"} <= {*map(end_of, sheet.values(stage))})
    calls = dated and not snapshot and "amount" not in roles and called
    may_be_paid = bool(stage) and are_of_payments(sheet, stage)
    if "lead_id" not in roles or (snapshot and role_fit(roles["lead_id"], "lead_id") < 2):
        # Whose the money is may be told by a mail address, of a person or of two.
        spent = name_says["costs"] or header_says["costs"]
        gross = any(fit(name, words()["came"]["gross"]) >= 2 for name in sheet.fields)
        billed = header_says["payments"] or ((may_be_paid or gross) and not spent)
        paid = "amount" in roles and dated and "payment_id" in roles and billed and (may_be_paid or not stage)
        costs = "amount" in roles and ((dated and "channel" in roles) or (spent and sheet.dates))
        ends = {"won", "lost", "paid"} & {*roles} and len(sheet.dates) > 1
        deals = ends or ("stage" in roles and {"created", "closed", "time"} & {*roles})
        return "contacts" if calls else "payments" if paid else "deals" if deals else "costs" if costs else ""
    lead_id = sheet.fields[roles["lead_id"]]
    if log and (dated or "other_date" in roles):
        return "history"
    ended = {"won", "lost"} & {*roles}
    # An invoice has a number, and a status of its own; it may have several lines.
    number = roles.get("payment_id", "")
    of_bills = may_be_paid and name_says["payments"] and number != ""
    lines = of_bills and values_within(sheet.cells, number)[stage] == 1
    billed = bool(number) and (lines or sheet.fields[number].stands_once)
    # Of parts of what a lead pays, each with a day of its payment, the status may be one of anything that is paid.
    parts = "paid" in roles and lead_id.filled > OFTEN * lead_id.distinct
    others = [(name, field) for name, field in sheet.fields.items() if name != lead_id.name]
    of_others = any((of.stands_once and of.kind == "id") or role_fit(name, "person") >= 2 for name, of in others)
    surely: Surely = "" if parts else "numbered" if number or of_others else "alone"
    numbered = fit(number, words()["came"]["numbers"]) >= 2 and not snapshot
    by_status = "stage" in roles and (parts or "closed" not in roles) and are_of_payments(sheet, stage, surely)
    # Deals know when they were created, closed and paid; so does an invoice, of a status that payments have.
    dates_money = "paid" in roles and (may_be_paid or not snapshot)
    of_money = "amount" in roles and (name_says["payments"] or dates_money or by_status or numbered)
    if of_money and dated and not ended and (billed or "stage" not in roles or header_says["payments"] or by_status):
        return "payments"
    if calls:
        return "contacts"
    about_a_lead = {"created", "closed", "amount", "won", "lost"} & {*roles}
    often = lead_id.filled / max(lead_id.distinct, 1)
    of_changes = [name for name in sheet.dates if not role_fit(name, "left")]
    if "stage" in roles and of_changes and not dated and often > MANY:
        return "history"
    if is_several_states(sheet, lead_id.name):
        return "deals" if dated or "stage" in roles else ""
    if (
        "stage" in roles
        and dated
        and (
            often > (MANY if about_a_lead and "rows" not in sheet.lines else OFTEN)
            # Who stands there once, with several dates, is a lead.
            or ("time" in roles and not about_a_lead and not (lead_id.stands_once and len(sheet.dates) > 1))
        )
    ):
        return "history"
    if often > MANY and dated and "contact_kind" in roles:
        return "contacts"
    if dated or "stage" in roles or "won" in roles or "lost" in roles:
        return "deals"
    return "people" if "name" in roles and lead_id.stands_once else ""


def have_several_stages(sheet: Sheet, lead_id: str, stage: str) -> bool:
    """Whether each lead stands there again and again, most of them at several stages."""
    if is_several_states(sheet, lead_id):
        return False
    field, stages = sheet.fields[lead_id], sheet.cells.groupby(lead_id)[stage].nunique()
    return field.filled > MANY * field.distinct and bool((stages > 1).mean() >= ONCE)


def is_several_states(sheet: Sheet, lead_id: str) -> bool:
    """Whether each of several files has each lead once, and leads are in several: as they stood on several days."""
    ids = sheet.cells[lead_id]
    file = np.repeat(np.arange(len(sheet.sizes)), sheet.sizes)
    apart = len(sheet.sizes) > 1 and len(file) == len(ids) and not ids.groupby(file).apply(pd.Series.duplicated).any()
    return bool(apart and ids.duplicated().any())


def are_of_lines(sheet: Sheet, roles: Mapping[str, str]) -> bool:
    """Whether rows of a lead differ in neither stage nor the dates that are a lead's, one of them of its creation.

    What differs may be dated: an activity, a contact that was added.
    """
    if not {"stage", "created"} <= {*roles} or sheet.fields[roles["lead_id"]].stands_once:
        return False
    still = [roles[role] for role in ("stage", "created", "closed", "won", "lost") if role in roles]
    values = values_within(sheet.cells, roles["lead_id"])
    others = [name for name in sheet.fields if name not in sheet.dates and role_fit(name, "contact_kind") < 2]
    may_be_stages = [name for name in others if is_new_value(name)]
    return bool((values[[*still, *may_be_stages]] <= 1).all() and not {"old_stage", "changed_field"} & {*roles})


def are_of_payments(sheet: Sheet, header: str, surely: Surely = "") -> bool:
    """Whether a status is that of payments: what it says in most rows, and in the others nothing that leads are called.

    ``surely`` all it says is, and something that is said of no lead; of rows without an id beside that of a lead,
    ``alone``, nothing that leads are called as well.
    """
    known, first = words()["undone"], words()["ends"]["first"]
    values = sheet.values(header) if sheet.fields[header].distinct <= MANY_IDS else []
    if surely:
        out = known["leads_too"] if surely == "alone" else []
        sure = [state for state in states_of_payments() if state not in out]
        said = any(fit(value, known["only_payments"]) >= 2 for value in values)
        return said and all(fit(value, sure) >= 2 for value in values)
    others = [value for value in values if fit(value, states_of_payments()) < 2]
    of_leads = any(end_of(value) or fit(value, first) >= 2 for value in others)
    return bool(values) and not of_leads and bool(sheet.cells[header].dropna().isin(others).mean() < MOSTLY)


def states_of_payments() -> list[str]:
    """What is said of payments that have come, and of those that have not."""
    return [word for state in ("payments", "came", "only_payments") for word in words()["undone"][state]]
