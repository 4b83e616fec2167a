"""What a table holds beside its leads: activities, changes and payments side by side, what calls came to."""

from __future__ import annotations

import re
from itertools import product

from funnelstats.recognising.fields import Field
from funnelstats.recognising.joins import ids_in, may_be_id, phones, with_role
from funnelstats.recognising.roles import Table
from funnelstats.recognising.sheets import values_within
from funnelstats.recognising.words import fit, plain, role_fit, words


def activities_apart(table: Table) -> list[Table]:
    """A table of deals; where its rows are the activities of each, which have dates, those as contacts too."""
    if not table.of_lines:
        return [table]
    values = values_within(table.sheet.cells, table.header("lead_id"))
    differ = [name for name in table.sheet.dates if values[name] > 1]
    if not differ:
        return [table]
    leads = table.without(differ)
    if "contact_kind" not in table.roles:
        return [leads]
    known = ("lead_id", "manager", "contact_kind", "reached")
    own = {role: guess for role, guess in leads.roles.items() if role in known}
    contacts = table._replace(what="contacts", roles=own, status="", ends={}, of_lines=False)
    return [leads, with_role(contacts, "time", differ[0])]


def side_by_side(table: Table) -> list[Table]:
    """A table of deals; where their changes stand side by side, as Status 1, Status 1 Date, those as histories too."""
    numbered: dict[str, dict[str, Field]] = {}
    for name, field in table.sheet.fields.items() if table.what == "deals" else []:
        if re.search(r"\d", name) and field.filled:
            numbered.setdefault(re.sub(r"\d+", "#", name), {})["".join(re.findall(r"\d", name))] = field
    for stages, dates in product(numbered.values(), numbered.values()):
        named = len(stages) > 1 and all(of.kind == "text" and role_fit(of.name, "stage") for of in stages.values())
        if named and {*stages} == {*dates} and all(of.kind == "date" for of in dates.values()):
            leads = table.without({field.name for field in (*stages.values(), *dates.values())})
            leads, change = leads._replace(status="", ends={}), table._replace(what="history", roles=leads.roles)
            pairs = [(stages[number].name, at.name) for number, at in dates.items()]
            return [leads, *(with_role(with_role(change, "stage", to), "time", at) for to, at in pairs)]
    return [table]


def instalments(table: Table) -> list[Table]:
    """A table of deals or payments; where parts of the money stand side by side, each with its day, those apart."""
    if table.what not in ("deals", "payments", "") or "lead_id" not in table.roles:
        return [table]
    came, roles = words()["came"], words()["roles"]
    not_yet = {*came["plan"], *words()["dates"]["to_come"], "due", "refund", "refunded", "returned", "interest"}
    general = {*words()["dates"]["parts"], *" ".join([*roles["amount"], *roles["paid"]]).split()} - {"first"}
    pairs: dict[str, dict[str, str]] = {}
    for name, field in table.sheet.fields.items():
        said = plain(name).split()
        if field.kind in ("date", "number") and not_yet.isdisjoint(said):
            pairs.setdefault(" ".join(word for word in said if word not in general), {})[field.kind] = name
    parts = [of for key, of in pairs.items() if key and len(of) == 2]
    found = [of for of in parts if any(fit(name, came["parts"]) for name in of.values())]
    if len(found) < 2:
        return [table]
    # The number of a bill is that of several payments.
    known = {role: guess for role, guess in table.roles.items() if role != "payment_id"}
    paid = table._replace(what="payments", status="", ends={}, roles=known)
    others = table.without({name for of in found for name in of.values()})
    apart = [with_role(with_role(paid, "paid", of["date"]), "amount", of["number"]) for of in found]
    of_leads = others.sheet.dates and {"stage", "created", "closed", "won"} & {*others.roles}
    return [*([others] if of_leads else []), *apart]


def results_of(calls: Table) -> Table | None:
    """What calls came to as the history of their leads: of the numbers called, where each call has an id of its own."""
    lead = calls.field("lead_id")
    if lead is None or lead.stands_once:
        again = [name for name, field in calls.sheet.fields.items() if not field.stands_once and may_be_id(calls, name)]
        numbers = [name for name in again if phones(ids_in(calls, name))]
        if not numbers:
            return None
        calls = with_role(calls, "lead_id", max(numbers, key=lambda name: calls.sheet.fields[name].filled))
    return with_role(calls._replace(what="history"), "stage", calls.header("reached"))
