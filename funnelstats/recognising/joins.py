"""How tables know whose rows are whose, and what one adds to another, by ids that both hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.schema import ROW_NUMBER
from funnelstats.importing.hints import ALIKE
from funnelstats.importing.source_rows import FEWEST_DIGITS, LAST_DIGITS
from funnelstats.recognising.fields import MOST_STATUSES, Field
from funnelstats.recognising.roles import Guess, Table, table_of
from funnelstats.recognising.sheets import Sheet
from funnelstats.recognising.words import fit, plain, role_fit, singular, words

FORMS: list[tuple[Callable[[str], str], str]] = [(str, ""), *((bare, form) for bare, _matter, form in ALIKE if form)]
"""What ids that differ in form have in common, and what that form is called."""
OVERLAP = 0.5
"""Share of a column's ids that must be those of leads."""
MOST_BOTH = 0.05
"""Share of the rows of calls or money that may be between two leads."""
FEW_NAMES = 12
"""A column of no more values than this names no contact or company."""


def joined(sheet: Sheet, left: str, right: str, prefix: str) -> dict[str, Any]:
    """The statement that adds the columns of a table to rows that hold its ids."""
    return {"files": sheet.all_files, "left": left, "right": right, "prefix": prefix, **_lines(sheet)}


def _lines(sheet: Sheet) -> dict[str, Any]:
    """How all files of a table that is joined are read. Raises FunnelError where they are not read alike."""
    own = ("sheet", "without")
    ways = [{key: value for key, value in reading.lines.items() if key not in own} for reading in sheet.readings]
    if any(way != ways[0] for way in ways):
        raise FunnelError(
            f"{sheet.name}: parts of one table, which another one needs beside it, that differ in encoding or in what "
            "stands above the header: save them alike"
        )
    titles = [title for reading in sheet.readings for title in reading.lines.get("sheet", [])]
    return {**ways[0], **({"sheet": titles} if titles else {})}


def is_joined(sheet: Sheet, tables: Sequence[Table]) -> bool:
    """Whether one of the tables takes columns of this sheet."""
    stated = {"files": sheet.all_files, **sheet.lines}
    return any(stated.items() <= join.items() for table in tables for join in table.joins)


def with_names(table: Table, sheets: Sequence[Sheet], role: str) -> Table:
    """The table with the names of its stages or channels, where it holds their numbers and another table names them."""
    numbered = table.field(role)
    if numbered is None or numbered.kind == "text":
        return table
    numbers, others = {*table.sheet.values(numbered.name)}, [sheet for sheet in sheets if sheet is not table.sheet]
    # Where no header is the same, the names are few: of the tables that may hold them it is the shortest one.
    for sheet in sorted(
        others,
        key=lambda sheet: (numbered.name not in sheet.fields, not _is_called(sheet, numbered.name), len(sheet.cells)),
    ):
        called = _is_called(sheet, numbered.name)
        same = numbered.name in sheet.fields or called
        named = [
            name for name, of in sheet.fields.items() if of.kind == "text" and _names_each(of, role if same else "")
        ]
        for number, field in sheet.fields.items():
            of_role = role == "stage" or number == numbered.name or called
            if named and of_role and field.stands_once and numbers <= {*sheet.cells[number]}:
                label = max(named, key=lambda name: (sheet.fields[name].stands_once, role_fit(name, role, "name")))
                header = f"{role}.{label}"
                names = table.sheet.cells[numbered.name].map(sheet.cells.set_index(number)[label])
                return table._replace(
                    sheet=table.sheet.with_cells(table.sheet.cells.assign(**{header: names}), [header]),
                    roles={**table.roles, role: Guess(header, known=False)},
                    joins=[*table.joins, joined(sheet, numbered.name, number, f"{role}.")],
                )
    return table


def _names_each(field: Field, role: str) -> bool:
    """Whether a column may hold names, each once; of stages, some may be those of two pipelines."""
    return field.stands_once or (role == "stage" and role_fit(field.name, "stage", "name") >= 2)


def _is_called(sheet: Sheet, numbered: str) -> bool:
    """Whether a table is called as the ids that another one holds of it: “lost_reasons” of “lost_reason_id”."""
    return f" {singular(sheet.title or sheet.stem)} ".endswith(f" {singular(numbered).removesuffix(' id')} ")


def with_lead_id(table: Table, sheets: Sequence[Sheet]) -> Table:
    """A table of deals with a column as its id that tells its rows apart, or else with the numbers of its rows."""
    if table.what != "deals":
        return table
    field = table.field("lead_id")
    if field and (field.distinct >= 0.9 * field.filled or table.roles["lead_id"].known or table.of_lines):
        return table
    # Numbers are ids where they come again in another table, under the same header.
    again = {name for sheet in sheets for name, other in sheet.fields.items() if not other.stands_once}
    ids = [name for name in table.sheet.fields if name in again and may_be_id(table, name)]
    single = [name for name, own in table.sheet.fields.items() if own.stands_once and (own.kind == "id" or name in ids)]
    if single:
        return with_role(table, "lead_id", single[0])
    if (field and role_fit(field.name, "lead_id") >= 2) or len(table.sheet.all_files) > 1:
        return table
    for name in table.sheet.fields:
        short = table.sheet.cells[name].str.fullmatch(r"\d[.,]\d+E\+\d+")
        if role_fit(name, "lead_id") >= 2 and short.mean() > OVERLAP:
            lost = visible(table.sheet.cells[name][short.eq(True)].iloc[0])
            raise FunnelError(
                f'{table.sheet.name}: “{name}” has lost its digits ("{lost}"), as spreadsheets show long numbers; '
                "export it anew, and open it as text if at all"
            )
    cells = table.sheet.cells.assign(**{ROW_NUMBER: [str(number) for number in range(len(table.sheet.cells))]})
    numbers = Field(ROW_NUMBER, "id", len(cells), len(cells))
    sheet = table.sheet._replace(cells=cells, fields={**table.sheet.fields, ROW_NUMBER: numbers})
    return with_role(table._replace(sheet=sheet), "lead_id", ROW_NUMBER)


def with_dates(table: Table, sheets: Sequence[Sheet]) -> Table:
    """A log of changes that has no dates, with the columns of the table that dates each of its rows."""
    if table.sheet.dates or not {"stage", "old_stage"} <= {*table.roles}:
        return table
    for sheet in sheets:
        for key, field in sheet.fields.items() if sheet.dates else []:
            for name in table.sheet.fields if field.stands_once else []:
                if role_fit(name, "lead_id") < 2 and {*table.sheet.values(name)} <= {*sheet.cells[key]}:
                    more = sheet.cells.set_index(key).add_prefix("change.")
                    whole = table_of(table.sheet.with_cells(table.sheet.cells.join(more, on=name), more.columns))
                    return whole._replace(joins=[joined(sheet, name, key, "change.")])
    return table


def ids_in(table: Table, header: str) -> set[str]:
    return {*table.sheet.values(header)}


def with_role(table: Table, role: str, header: str) -> Table:
    roles = {other: guess for other, guess in table.roles.items() if guess.header != header}
    return table._replace(roles={**roles, role: Guess(header, known=False)})


def linked(table: Table, deals: Table) -> Table | None:
    """The table with the column that holds its leads' ids, by content; with what they differ in; None without one.

    Rows that know a contact, a company or a phone of the deals are linked by that: ``lead_by``.
    """
    texts = {name: ids_in(table, name) for name in table.sheet.fields if may_be_id(table, name)}
    texts = {name: ids for name, ids in texts.items() if ids}
    named = table.roles["lead_id"].header if "lead_id" in table.roles else ""
    # The number of a row is nobody else's id.
    leads = ids_in(deals, deals.header("lead_id")) if deals.header("lead_id") != ROW_NUMBER else set()
    some = table.sheet.some

    def of_leads_first(name: str) -> tuple[bool, bool, float]:
        return name not in some, name == named, len(texts[name] & leads) / len(texts[name])

    order = sorted(texts, key=of_leads_first, reverse=True)

    @cache
    def of_leads(bare: Callable[[str], str]) -> set[str]:
        return {*map(bare, leads)}

    def shared(bare: Callable[[str], str], name: str) -> int:
        return sum(bare(text) in of_leads(bare) for text in texts[name])

    called = [name for name in deals.sheet.fields if may_be_id(deals, name) and name != deals.header("lead_id")]
    if table.what in ("contacts", "payments") and plain(named) == "id" and table.sheet.fields[named].stands_once:
        # It is the row's own; what the deals call by the same name says whose it is.
        told = any(shared(str, name) >= OVERLAP * len(texts[name]) for name in order if name != named)
        others = [name for name in order if name != named and name in called and role_fit(name, "manager") < 2]
        for name in others if not told else []:
            known = ids_in(deals, name)
            if len(known) > FEW_NAMES and len(texts[name] & known) >= OVERLAP * len(texts[name]):
                return with_role(table, "lead_id", name)._replace(lead_by=name)
    for bare, form in FORMS:
        for name in order:
            if (matched := shared(bare, name)) >= OVERLAP * len(texts[name]):
                if matched < len(texts[name]):
                    _bare, form = max(FORMS, key=lambda way: shared(way[0], name))
                return with_role(table, "lead_id", name)._replace(ids=form)
    if table.what not in ("contacts", "payments"):
        return None
    kinds: list[tuple[Callable[[set[str]], set[str]], str]] = [(set, ""), (phones, "phone")]
    for of_kind, form in kinds:
        for name in order:
            own = of_kind(texts[name])
            for header in called if own else []:
                known = of_kind(ids_in(deals, header))
                # Many who call are no leads; then most leads must be among them.
                least = min(len(own), len(known)) if table.what == "contacts" and form == "phone" else len(own)
                if len(known) > FEW_NAMES and len(own & known) >= OVERLAP * least:
                    return with_role(table, "lead_id", name)._replace(lead_by=header, ids=form)
    return None


def on_either_side(table: Table, deals: Table) -> list[Table]:
    """The table; of calls or money from leads or to them once by each of the columns that name them."""
    if table.what not in ("contacts", "payments"):
        return [table]
    own, are_leads = table.header("lead_id"), rows_of_leads(table, deals)
    from_leads = are_leads(own)
    if from_leads.all():
        return [table]
    for name in [name for name in table.sheet.fields if name != own and may_be_id(table, name)]:
        to_leads = are_leads(name)
        both = from_leads & to_leads
        ours = {
            side: table.sheet.cells[side][rows].dropna().unique().tolist()
            for side, rows in ((own, to_leads & ~both), (name, from_leads & ~both))
        }
        if both.mean() <= MOST_BOTH and all(0 < len(names) <= MOST_STATUSES for names in ours.values()):
            # What is between two leads is told of the first one alone.
            between = {own: table.sheet.cells[own][both].unique().tolist()} if both.any() else {}
            first = table._replace(ours={own: ours[own]}, sent=_sent(table, own, name, ours))
            turned_round = with_role(table, "lead_id", name)._replace(sent=_sent(table, name, own, ours))
            return [first, turned_round._replace(ours={name: ours[name], **between})]
    return [table]


def rows_of_leads(table: Table, deals: Table) -> Callable[[str], pd.Series[bool]]:
    """What tells in which rows a column holds the id of a lead, or what else they know of it."""
    bare = _last_digits if table.ids == "phone" else next(bare for bare, form in FORMS if form == table.ids)
    known = {*map(bare, ids_in(deals, table.lead_by or deals.header("lead_id")))}
    return lambda name: table.sheet.cells[name].map(bare, na_action="ignore").isin(known)


def _sent(table: Table, of_leads: str, other: str, ours: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What says that leads got the money: their column is called that of receivers, or of those who send bills."""
    known = words()["came"]
    bills = fit(table.sheet.stem, known["bills"]) > 0
    return {other: ours[other]} if fit(of_leads, known["sender" if bills else "receiver"]) else {}


def as_the_deals_call_them(ids: pd.Series, form: str, deals: Table) -> pd.Series:
    """Ids of a table in a form of its own, those of leads as the deals write them."""
    leads = ids_in(deals, deals.header("lead_id"))
    for bare in [bare for bare, other in FORMS if other == form]:
        ids = ids.map(bare).map({bare(lead): lead for lead in leads}).fillna(ids)
    return ids


def phones(texts: set[str]) -> set[str]:
    """The last digits of phone numbers, if these are such."""
    digits = {re.sub(r"\D", "", text) for text in texts}
    return {*map(_last_digits, digits)} if min(map(len, digits), default=0) >= FEWEST_DIGITS else set()


def _last_digits(number: str) -> str:
    return re.sub(r"\D", "", number)[-LAST_DIGITS:]


def of_their_leads(table: Table, leads: Table, deals: Sequence[Table]) -> Table | None:
    """The table with the ids of leads in place of those of what they were turned into; None where no table has both."""
    own = table.header("lead_id")
    made = {bare: table.sheet.cells[own].map(bare, na_action="ignore") for bare, _form in FORMS}
    for source in (leads, *deals):
        lead_id = source.header("lead_id")
        named = [name for name, field in source.sheet.fields.items() if field.stands_once and name != lead_id]
        for name in named if lead_id != ROW_NUMBER else []:
            of_leads = source.sheet.cells.dropna(subset=[name])
            matched = {}
            for bare, _form in FORMS:
                known = of_leads.set_index(of_leads[name].map(bare))[lead_id]
                if known.index.is_unique:
                    matched[bare] = made[bare].map(known)
            best, form = max((way for way in FORMS if way[0] in matched), key=lambda way: matched[way[0]].count())
            if matched[best].nunique() >= max(OVERLAP * len(of_leads), FEW_NAMES + 1):
                header = f"lead.{lead_id}"
                cells = table.sheet.cells.assign(**{header: matched[best]})
                join = {**joined(source.sheet, own, name, "lead."), "unmatched": "ignore"}
                join |= {"ids": form} if form else {}
                found = table._replace(sheet=table.sheet._replace(cells=cells), own_id=own, joins=[*table.joins, join])
                return with_role(_of_leads(found, header), "lead_id", header)
    return None


def _of_leads(table: Table, header: str) -> Table:
    """The table without the rows that have no lead's id in a column."""
    cells = table.sheet.cells.dropna(subset=[header]).reset_index(drop=True)
    return table._replace(sheet=table.sheet.with_cells(cells, [*table.sheet.fields, header]))


def turned(table: Table, leads: Table) -> Table | None:
    """Deals as what leads were turned into, where they have ids of their own and were created later than their leads.

    None where they were created earlier, or where only a join tells their leads and nothing that they are later.
    """
    lead_id = table.header("lead_id")
    ids = [name for name, field in table.sheet.fields.items() if field.stands_once and role_fit(name, "lead_id") >= 2]
    own = table.own_id or next((name for name in ids if name != lead_id), "")
    if own and all("created" in each.roles for each in (table, leads)):
        begun, came = (each.sheet.times(each.header("created")) for each in (table, leads))
        came = table.sheet.cells[lead_id].map(came.groupby(leads.sheet.cells[leads.header("lead_id")]).min())
        if (begun > came).sum() > OVERLAP * came.count():
            return _of_leads(table, lead_id)._replace(own_id=own)
        if (begun < came).sum() > OVERLAP * came.count():
            return None
    return None if table.own_id else table


def may_be_id(table: Table, name: str) -> bool:
    """Whether a column may hold ids: texts, or numbers without decimals that are not called an amount or a duration."""
    kind = table.sheet.fields[name].kind
    whole = kind == "number" and table.sheet.cells[name].dropna().str.fullmatch(r"\d+(\.0+)?").all()
    return kind in ("id", "text") or bool(whole and not role_fit(name, "amount", "duration"))
