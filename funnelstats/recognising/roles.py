"""Which role each column of a table plays."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from funnelstats.config.schema import PART
from funnelstats.importing.cells import plain_date
from funnelstats.importing.hints import reads
from funnelstats.recognising.changes import MANY_IDS, ONCE, id_by_rows, is_new_value, roles_of_changes
from funnelstats.recognising.dates import NEARLY_ALL
from funnelstats.recognising.fields import MOST_STATUSES, Field, Kind
from funnelstats.recognising.months import with_months
from funnelstats.recognising.rows import MANY, are_of_lines, have_several_stages, what_rows_are
from funnelstats.recognising.sheets import Sheet
from funnelstats.recognising.stages import SAID, end_of
from funnelstats.recognising.words import fit, outcome, plain, role_fit, words

PRESETS = Path(__file__).parents[1] / "config" / "presets"
DATES: tuple[Kind, ...] = ("date",)
TEXTS: tuple[Kind, ...] = ("text", "id", "number", "flag")
KINDS: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("created", "closed", "won", "lost", "time", "left", "other_date", "paid"), DATES),
    **dict.fromkeys(("lead_id", "payment_id"), ("id", "text", "number")),
    "amount": ("number", "flag"),
    "duration": ("number", "duration"),
    "clock": ("duration",),
    "reached": ("flag", "text"),
    "currency": ("text", "id"),
}
"""What columns of a role may hold; of the roles not named: texts."""


OF_ALL_FILES = ("lead_id", "pipeline", "created", "paid", "time", "old_stage", "changed_field")
"""Roles of columns that all files of a table must have."""


class Guess(NamedTuple):
    """A column's role, and whether a preset knows it or words suggest it."""

    header: str
    known: bool


def headers_of(roles: Mapping[str, Guess]) -> dict[str, str]:
    """The headers by role."""
    return {role: guess.header for role, guess in roles.items()}


class Table(NamedTuple):
    """A sheet, what its rows are, and the columns by their roles."""

    sheet: Sheet
    what: str
    """deals, history, contacts, payments, costs, people, or "" for none of them."""
    roles: dict[str, Guess]
    preset: Mapping[str, Any]
    status: str = ""
    """The column whose words say which deals are won and lost."""
    ends: Mapping[str, dict[str, list[str]]] = {}
    """What chooses the deals that are won, lost or, by a flag, closed: values by column."""
    ids: str = ""
    """In what form its ids differ from those of the leads, as ``ids`` states it."""
    lead_by: str = ""
    """The column of the leads that its ``lead_id`` holds, where it knows a contact or a company and no lead."""
    of_lines: bool = False
    """Whether deals have several rows, such as one for each product, that say the same of stage and dates."""
    own_id: str = ""
    """The column of its own ids, where its rows are of what leads were turned into, as opportunities."""
    joins: Sequence[dict[str, Any]] = ()
    """What other tables say of its rows: which lead they are of, what their stages are called."""
    lines: Sequence[str] = ()
    """What its headers say, as it is stated."""
    ours: Mapping[str, list[str]] = {}
    """What the column of its leads holds where it names none, but us; and the other one, where both name leads."""
    sent: Mapping[str, list[str]] = {}
    """What says that money was sent to the lead: our names in the column of senders."""
    parts: Mapping[str, tuple[str, ...]] = {}
    """Columns whose texts are those of several ones of the file: the year and the month."""
    lacks: str = ""
    """What its rows do not say, so that they are of no use."""

    def field(self, role: str) -> Field | None:
        return self.sheet.fields[self.roles[role].header] if role in self.roles else None

    def header(self, role: str) -> str:
        return self.roles[role].header

    @property
    def headers(self) -> dict[str, str]:
        return headers_of(self.roles)

    def without(self, names: Collection[str]) -> Table:
        """The table as if it had no columns of these names."""
        roles = {role: guess for role, guess in self.roles.items() if guess.header not in names}
        fields = {name: field for name, field in self.sheet.fields.items() if name not in names}
        return self._replace(sheet=self.sheet._replace(fields=fields), roles=roles)


@cache
def presets() -> tuple[dict[str, Any], ...]:
    """What is known of the exports of single CRMs, from ``config/presets``."""
    return tuple(
        {**stated, "crm": path.stem}
        for path in sorted(PRESETS.glob("*.toml"))
        for stated in tomllib.loads(path.read_text(encoding="utf-8"))["tables"]
    )


def preset_of(sheet: Sheet) -> Mapping[str, Any]:
    """The preset of which a sheet has most headers, if it has all by which that is recognised."""
    there = {plain(name) for name in sheet.fields}

    def named(headers: str | list[str]) -> bool:
        return any(plain(name) in there for name in ([headers] if isinstance(headers, str) else headers))

    fitting = [stated for stated in presets() if all(map(named, stated["recognised_by"]))]
    fitting = [stated for stated in fitting if stated["rows"] != "deals" or not _are_changes(sheet, stated["columns"])]
    return max(fitting, key=lambda stated: sum(map(named, stated["recognised_by"])), default={})


def _are_changes(sheet: Sheet, columns: Mapping[str, Any]) -> bool:
    """Whether rows with the columns of deals are those of their stages."""
    roles = _known_roles(sheet, {role: columns[role] for role in ("lead_id", "stage") if role in columns})
    return len(roles) == 2 and have_several_stages(sheet, roles["lead_id"].header, roles["stage"].header)


def table_of(sheet: Sheet) -> Table:
    """The roles of a sheet's columns, and what its rows are; with what its parts are called, if that says something."""
    if PART not in sheet.cells:
        return _table_of(sheet)
    table = _table_of(sheet._replace(cells=sheet.cells.drop(columns=PART)))
    titles = sheet.values(PART)
    dated = any(re.search(r"\d", title) or reads(plain_date(title), "%b") for title in titles)
    of_leads = {"won", "lost"} & {*map(outcome, titles)} or ("sheet" in sheet.lines and not dated)
    planned = any(fit(title, words()["came"]["plan"]) >= 2 for title in titles)
    spent = table.what == "costs" and (planned or "channel" not in table.roles)
    if not (spent or (of_leads and table.what in ("deals", "history"))):
        return table
    return table._replace(sheet=table.sheet.with_cells(table.sheet.cells.assign(**{PART: sheet.cells[PART]}), [PART]))


def _table_of(sheet: Sheet) -> Table:
    preset = preset_of(sheet)
    roles = _known_roles(sheet, preset.get("columns", {}))
    taken = {guess.header for guess in roles.values()} | {name for name in sheet.fields if plays_no_role(name, preset)}
    roles = {**_guessed_roles(sheet, taken), **roles}
    if not preset and "stage" not in roles and "changed_field" in roles:
        roles["stage"] = roles.pop("changed_field")  # as "event type", of a log that says no more
    roles = roles if preset else _with_id_by_rows(sheet, _but_no_old_stage(sheet, roles))
    if "lead_id" not in roles:
        # Where rows have no other id, whoever they are about is one.
        mails = [name for name in sheet.fields if role_fit(name, "person") >= 2 and sheet.fields[name].kind == "id"]
        roles |= {"lead_id": Guess(mails[0], known=False)} if len(mails) == 1 else {}
    boss = roles.get("manager")
    if boss and not boss.known and plain(boss.header) == "manager":
        # Beside the one who sells it is somebody above them.
        sellers = [name for name in sheet.fields if role_fit(name, "manager") >= 2 and not _is_weak(name, "manager")]
        free = [name for name in sellers if name not in [guess.header for guess in roles.values()]]
        most = max(free, key=lambda name: sheet.fields[name].distinct, default=boss.header)
        roles["manager"] = max(boss, boss._replace(header=most), key=lambda each: sheet.fields[each.header].distinct)
    parts: dict[str, tuple[str, ...]] = {}
    what = preset.get("rows", "") or what_rows_are(sheet, headers_of(roles))
    if not what and "amount" in roles and not sheet.dates:
        dated, parts = with_months(sheet)
        months = _guessed_roles(dated, taken - {roles["amount"].header})
        if what_rows_are(dated, headers_of(months)) == "costs":
            sheet, roles, what = dated, months, "costs"
    if what in ("costs", "payments") and "amount" in roles and not roles["amount"].known:
        roles["amount"] = _of_what_came(sheet, what, roles["amount"])
    # One date of several that each may be a stage's is no day of creation.
    certain = "time" in roles and (len(sheet.dates) == 1 or role_fit(roles["time"].header, "time") >= 2)
    if what == "deals" and "created" not in roles and certain:
        roles["created"] = roles.pop("time")
    created = roles.get("created")
    if what == "deals" and created and not created.known and role_fit(created.header, "created") < 2:
        # What is called somewhat like a creation and not all leads have is a stage, where another date comes first.
        at = pd.DataFrame({name: sheet.times(name) for name in sheet.dates})
        first = [name for name in at if at[name].notna().all() and (at[name] <= at.min(axis=1)).mean() >= NEARLY_ALL]
        roles |= {"created": Guess(str(first[0]), known=False)} if first else {}
    lacks = ""
    of_lines = what == "history" and not preset and are_of_lines(sheet, headers_of(roles))
    if of_lines:
        what = "deals"
    elif what == "history" and not preset:
        headers, lacks = roles_of_changes(sheet, headers_of(roles))
        roles = {role: Guess(header, known=False) for role, header in headers.items()}
    people = roles.get("manager")
    many = people and not people.known and sheet.fields[people.header].distinct > MANY_IDS
    if many and "lead_id" in roles:
        leads = sheet.cells.groupby(roles["manager"].header)[roles["lead_id"].header].nunique()
        if leads.mean() < MANY:
            del roles["manager"]  # a user who is the lead
    if what == "history" and not lacks and not {"lead_id", "stage"} <= {*roles}:
        lacks = "the column of leads or that of stages is blank"
    return Table(sheet, "" if lacks else what, roles, preset, of_lines=of_lines, lacks=lacks, parts=parts)


def _with_id_by_rows(sheet: Sheet, roles: dict[str, Guess]) -> dict[str, Guess]:
    """The roles, the id of the leads being that of which rows are changes of its stage, where one is."""
    named = roles["lead_id"].header if "lead_id" in roles else ""
    dated = [roles[role].header for role in ("time", "created") if role in roles]
    at = next(iter(dated or (sheet.dates if len(sheet.dates) == 1 else [])), "")
    lead_id = id_by_rows(sheet, roles["stage"].header, at, named) if "stage" in roles and at else ""
    if not lead_id and named and at and "stage" in roles and _is_no_id(sheet, named, roles["stage"].header):
        return {role: guess for role, guess in roles.items() if role != "lead_id"}
    if lead_id in ("", named):
        return roles
    roles = {role: guess for role, guess in roles.items() if guess.header not in (lead_id, named, at)}
    return {**roles, "lead_id": Guess(lead_id, known=False), "time": Guess(at, known=False)}


def _but_no_old_stage(sheet: Sheet, roles: dict[str, Guess]) -> dict[str, Guess]:
    """The roles without an old stage that none is: “Referred from”, of which no value is a stage that leads came to."""
    if not {"old_stage", "stage"} <= {*roles} or roles["old_stage"].known:
        return roles
    old, stage = roles["old_stage"].header, roles["stage"].header
    shared = {*sheet.values(old)} & {*sheet.values(stage)}
    once = "lead_id" in roles and sheet.fields[roles["lead_id"].header].stands_once
    snapshot = once and "created" in roles and {"closed", "won", "lost"} & {*roles}
    called = fit(old, words()["fields"]["stage"]) > 0 or (role_fit(old, "old_stage") >= 2 and not snapshot)
    return roles if shared or called else {role: guess for role, guess in roles.items() if role != "old_stage"}


def _is_no_id(sheet: Sheet, named: str, stage: str) -> bool:
    """Whether a column that only begins like an id, as “lead time”, has few values, again and again at one stage."""
    ends_so = any(f" {plain(named)}".endswith(f" {word}") for word in words()["roles"]["lead_id"])
    often = sheet.cells.duplicated([named, stage]).mean() > 1 - ONCE
    few = sheet.fields[named].distinct <= MOST_STATUSES
    return role_fit(named, "lead_id") < 2 and not ends_so and few and bool(often)


def are_changes_of(table: Table, status: str) -> bool:
    """Whether rows of deals, none of whose columns is called a stage, are changes of a status, each with its date."""
    lead, created = table.field("lead_id"), table.roles.get("created")
    if table.preset or table.of_lines or "stage" in table.roles or not created or not lead or lead.stands_once:
        return False
    several = table.sheet.cells[table.sheet.cells.duplicated(lead.name, keep=False)]
    within = several.groupby(lead.name)[[status, created.header]].nunique() > 1
    return len(several) >= ONCE * lead.distinct and bool((within.mean() >= ONCE).all())


def plays_no_role(name: str, preset: Mapping[str, Any]) -> bool:
    """Whether a preset says that a column plays no role, whatever its name suggests."""
    return plain(name) in map(plain, preset.get("others", []))


def _known_roles(sheet: Sheet, columns: Mapping[str, Any]) -> dict[str, Guess]:
    by_plain = {plain(name): name for name, field in sheet.fields.items() if field.kind != "blank"}
    found = {}
    for role, headers in columns.items():
        for header in [headers] if isinstance(headers, str) else headers:
            name = by_plain.get(plain(header), "")
            # What is the same in all rows is nobody's id: the kind of the record.
            if name and (role != "lead_id" or sheet.fields[name].distinct > 1 or len(sheet.cells) == 1):
                found[role] = Guess(name, known=True)
                break
    return found


def _guessed_roles(sheet: Sheet, taken: set[str]) -> dict[str, Guess]:
    """Each role's best column and each column's best role, the best fits first."""
    fits = sorted(
        (
            # People are named in tables of their own; elsewhere a name is somebody's who does something.
            (
                fit(name, known) / (1 + (role == "name" or _is_weak(name, role) or _is_named(sheet, name, role))),
                -place,
                role,
                name,
            )
            for place, (name, field) in enumerate(sheet.fields.items())
            for role, known in words()["roles"].items()
            if name not in taken and field.kind in KINDS.get(role, TEXTS) and _may_be(sheet, field, role)
        ),
        reverse=True,
    )
    roles: dict[str, Guess] = {}
    for score, _place, role, name in fits:
        if score and role not in roles and name not in taken:
            roles[role] = Guess(name, known=False)
            taken = taken | {name}
    return roles


def _may_be(sheet: Sheet, field: Field, role: str) -> bool:
    """Whether nothing that a column holds, or is called beside the words of a role, speaks against it."""
    name, kind = field.name, field.kind
    if name in sheet.some and role in OF_ALL_FILES:
        return False  # the rows of other files would have none
    match role:
        case "stage":
            return _may_hold_stages(field) and not _is_of_people(name)
        case "old_stage":
            return not _is_of_people(name)
        case "lead_id" | "name":
            return field.distinct > 1 or len(sheet.cells) == 1
        case "amount":
            return not is_no_money(name) and (kind != "flag" or {*sheet.values(name)} <= {"0", "1"})
        case "won" | "lost":
            return not _is_of_both_ends(name)
        case "paid":
            alone = sheet.dates == [name] or sheet.is_called("payments")
            return "booked" not in plain(name).split() or alone or role_fit(name, role) >= 2
        case "pipeline":
            return kind == "text" or role_fit(name, role) >= 2 or _is_numbered(name)
    return True


def _of_what_came(sheet: Sheet, what: str, amount: Guess) -> Guess:
    """The amount of what was spent, or paid, where the column found holds a budget, or what an invoice asks."""
    known, never = words()["came"][what], {*words()["came"]["never"]}
    numbers = [
        name
        for name, field in sheet.fields.items()
        if field.kind == "number" and not is_no_money(name) and (name not in sheet.some or name == amount.header)
    ]
    came = {name: fit(name, known) for name in numbers if never.isdisjoint(plain(name).split())}
    best = max(came, key=lambda name: came[name], default=amount.header)
    general = what == "costs" and fit(amount.header, words()["came"]["general"]) >= 2
    if general and not fit(best, words()["came"]["spent"]):
        return amount  # beside it stand parts of it
    least = SAID if what == "costs" else 2
    better = came.get(best, 0) >= least and came[best] > fit(amount.header, known)
    return Guess(best, known=False) if better else amount


def _is_numbered(name: str) -> bool:
    """Whether a header says that numbers tell what it names: “Pipeline no.”."""
    *of, last = ["", *plain(name).split()]
    return last in words()["kinds"]["numbered"] and role_fit(" ".join(of), "pipeline") >= 2


def _is_of_both_ends(name: str) -> bool:
    """Whether a header names the win and the loss: “Won/Lost Date”."""
    return {"won", "lost"} <= {*map(end_of, plain(name).split())}


def _is_weak(name: str, role: str) -> bool:
    """Whether another column of a role goes before this one: it holds a plan, or the price of one, or who typed it."""
    if role == "manager":
        return fit(name, words()["weak"]["by"]) >= 2
    if role == "stage":
        return not {*words()["dates"]["to_come"]}.isdisjoint(plain(name).split())
    weak = words()["weak"]
    said = {*plain(name).split()} if role_fit(name, role) < 2 else set()
    known = {*weak["words"]} | (set() if said & {*weak["whole"]} else {*weak["tax"]})
    return role in ("amount", "paid", "time", "closed") and not said.isdisjoint(known)


def _is_named(sheet: Sheet, name: str, role: str) -> bool:
    """Whether a column holds the ids of reasons that another one names: “Lost reason ID” beside “Lost reason name”."""
    of = plain(name).removesuffix(" id")
    return role == "reason" and of != plain(name) and f"{of} name" in map(plain, sheet.fields)


def _is_of_people(name: str) -> bool:
    """Whether a header says new or old of an owner, and nothing of a stage: “New owner”."""
    owners = [word for word in words()["roles"]["manager"] if len(word) > 3]
    return fit(name, owners) >= 1 and not fit(name, words()["fields"]["stage"])


def _may_hold_stages(field: Field) -> bool:
    """Whether a column may hold stages: no ids, and no one value where the header only has a word of a stage's."""
    several = field.distinct > 1 or role_fit(field.name, "stage") >= 2
    return several and is_new_value(field.name) and not (field.stands_once and field.distinct > MANY_IDS)


def is_no_money(name: str) -> bool:
    """Whether a header names how often or how long, a share, what a company earns in a year, or the size of a list."""
    said = {*plain(name).split()}
    of_discount = "discount" in said and said.isdisjoint(["after", "before", "less", "minus", "net"])
    others = fit(name, words()["amounts"]["none"]) > 0 or of_discount
    share = name.endswith("%") and not re.search(r"\d", name)
    return (role_fit(name, "amount") < 2 and others) or share or name.endswith((".total", ".count", ".size"))
