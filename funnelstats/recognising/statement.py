"""A funnel.toml written from what an export shows: each line that was guessed says so, and from what."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from funnelstats.config.mistakes import OF_COUNTS, OF_LEADS, OWN
from funnelstats.config.schema import IGNORE, TABLES
from funnelstats.importing.hints import toml_value
from funnelstats.recognising.export import Export, stage_dates, status_column, times
from funnelstats.recognising.roles import Table, fit, plain, words
from funnelstats.recognising.sheets import Field, Sheet, day_order
from funnelstats.recognising.stages import LEAST_MOVES, Stages, end_of, stages_of

CREATED = "created"
LEADS = {"lead_id": "lead_id", "created": "created_at", "manager": "manager", "channel": "channel", "campaign": "campaign",
         "amount": "amount"}  # fmt: skip
CONTACTS = {"lead_id": "lead_id", "time": "at", "contact_kind": "kind", "manager": "manager", "duration": "duration_s",
            "reached": "reached"}  # fmt: skip
MOST_ATTRIBUTES, MOST_VALUES = 6, 12
"""Columns that leads are compared by, and how many values each may have."""
LOGGED = 0.8
"""Share of the leads from which on a history is taken to log how leads come in."""
CURRENCIES = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "₽": "RUB",
    "руб": "RUB",
    "₴": "UAH",
    "₸": "KZT",
    "₹": "INR",
    "zł": "PLN",
    "¥": "JPY",
    "R$": "BRL",
}

Ask = Callable[[str, list[str], str | None], str | None]
"""Asks a question with its choices and its default; None where nobody answers and there is no default."""


class Source(NamedTuple):
    """One source as it is written: its table, what it is in words, its lines."""

    table: str
    words: str
    lines: list[str]


class Statement(NamedTuple):
    """The text of a funnel.toml, what was guessed in it, and the questions without which it cannot be used."""

    text: str
    guessed: list[str]
    open: list[str]


class Writer:
    """Gathers the lines of a statement, and what is guessed and asked on the way."""

    def __init__(self, export: Export, name: str, ask: Ask) -> None:
        self.export, self.name, self.ask = export, name, ask
        self.guessed: dict[str, str] = {}
        self.open: list[str] = []
        self.sources: list[Source] = []
        self.further: list[str] = []

    def choose(self, key: str, question: str, choices: list[str], default: str | None) -> str | None:
        """The answer to a question; a default that nobody confirmed is a guess."""
        answer = self.ask(question, choices, default)
        if answer is None:
            self.open.append(question)
        self.guessed[key] = question
        return answer

    # Columns

    def line(self, table: Table, key: str, header: str, role: str = "") -> str:
        """A column's line, with the mark of a guess."""
        guess = table.roles.get(role)
        known = (
            guess is None or guess.known or guess.header != header or fit(header, words()["roles"].get(role, [])) >= 2
        )
        mark = "" if known else f"   # guessed from the header “{header}”"
        if not known:
            self.guessed[f"{header}"] = key
        return f"columns.{key} = {toml(header)}{mark}"

    def reading(self, sheet: Sheet, columns: Mapping[str, str]) -> list[str]:
        """The lines by which dates and numbers are read."""
        lines = []
        for column, header in columns.items():
            field = sheet.fields[header]
            if field.kind == "date":
                lines += self.date_lines(sheet, field, column)
            elif field.kind == "number" and column in ("amount", "duration_s"):
                lines += [line.format(column=column) if line.startswith("missing.") else line for line in field.reading]
        return lines

    def date_lines(self, sheet: Sheet, field: Field, column: str) -> list[str]:
        proved = {
            day_order(other.formats[0])
            for other in sheet.fields.values()
            if len(other.formats) == 1 and other.formats[0][0]
        }
        sets = [
            formats for formats in field.formats if len(field.formats) == 1 or day_order(formats) in proved
        ] or list(field.formats)
        if len(sets) > 1:
            example = sheet.cells[field.name].dropna().iloc[0]
            choices = [formats[0] for formats in sets]
            question = (
                f'{sheet.name}, column “{field.name}”: is "{example}" written as {" or ".join(choices)}? '
                "Every row fits both; a day above 12 would tell"
            )
            answer = self.ask(question, choices, None)
            if answer is None:
                self.open.append(question)
                return [f"# date_format.{column} = {toml(list(formats))}   # one of the two" for formats in sets]
            sets = [sets[choices.index(answer)]]
        return [f"date_format.{column} = {toml(list(sets[0]))}"] if sets and sets[0] != ("",) else []

    def source(
        self,
        table: str,
        what: str,
        sheet: Sheet,
        columns: dict[str, str],
        found: Table,
        roles: Mapping[str, str],
        *more: str,
    ) -> None:
        """Add a source: files, how they are read, its columns, the formats of these."""
        lines = [
            f"files = {toml(list(sheet.files))}",
            *(f"{key} = {toml(value)}" for key, value in sheet.lines.items()),
        ]
        lines += [self.line(found, column, header, roles.get(column, "")) for column, header in columns.items()]
        own = {column: header for column, header in columns.items() if header in sheet.fields}
        self.sources.append(
            Source(
                table, f"{what} ({sheet.kind}, {len(sheet.cells):,} rows)", [*lines, *more, *self.reading(sheet, own)]
            )
        )

    # Leads

    def leads(self) -> None:
        table = self.export.deals
        columns = {column: table.header(role) for role, column in LEADS.items() if role in table.roles}
        if self.export.histories and table.what == "history":
            columns = {
                column: header
                for column, header in columns.items()
                if column in ("lead_id", "channel", "campaign", "amount")
            }
            columns["created_at"] = self.time_of(table)
        attributes = self.attributes(table, {*columns.values()})
        if "company" in attributes:
            self.further += ['lead_base.company = "company"']
        more = join_lines([*self.owners(table, columns), *self.lookups(table, attributes)])
        more += [f"attributes = {toml(attributes)}"] if attributes else []
        more += ['keep = "first"'] if table.what == "history" else []
        self.source(
            "leads", "One row for each lead", table.sheet, columns, table, {v: k for k, v in LEADS.items()}, *more
        )

    def attributes(self, table: Table, used: set[str]) -> dict[str, str]:
        """Columns of a few values, by which leads can be compared, and the company's."""
        if table.what == "history":
            used = used | {guess.header for guess in table.roles.values()}
        status = status_column(table)
        found: dict[str, str] = {}
        company = table.field("company")
        if company and company.distinct > MOST_VALUES and company.kind in ("text", "id"):
            found["company"] = company.name
        for name, field in table.sheet.fields.items():
            role = next((role for role, guess in table.roles.items() if guess.header == name), "")
            few = (
                field.kind in ("text", "flag")
                and 2 <= field.distinct <= MOST_VALUES
                and 2 * field.filled > len(table.sheet.cells)
            )
            if (
                few
                and name not in used
                and name != status
                and role not in ("stage", "reason", "currency", "pipeline", "contact_kind")
                and len(found) < MOST_ATTRIBUTES
            ):
                found.setdefault(attribute_name(name), name)
        return found

    def owners(self, table: Table, columns: dict[str, str]) -> list[dict[str, Any]]:
        """The join that turns ids of owners into names, and the owner's column with it."""
        header = columns.get("manager")
        owners = {*table.sheet.cells[header].dropna()} if header else set()
        for people in self.export.people if owners else []:
            ids = {*people.sheet.cells[people.header("lead_id")].dropna()}
            if people.sheet is not table.sheet and len(owners & ids) >= 0.9 * len(owners):
                columns["manager"] = f"owner.{people.header('name')}"
                return [
                    {
                        "files": list(people.sheet.files),
                        "left": header,
                        "right": people.header("lead_id"),
                        "prefix": "owner.",
                    }
                ]
        return []

    def lookups(self, table: Table, attributes: dict[str, str]) -> list[dict[str, Any]]:
        """Joins of tables that say more of what a column of leads names, such as the team of a seller."""
        joins = []
        for sheet in self.export.unused:
            shared = [name for name, field in sheet.fields.items() if field.stands_once and name in table.sheet.fields]
            for name in shared[:1]:
                ids = {*table.sheet.cells[name].dropna()}
                if len(ids & {*sheet.cells[name]}) < 0.9 * len(ids):
                    continue
                few = [
                    other
                    for other, field in sheet.fields.items()
                    if field.kind == "text" and 2 <= field.distinct <= MOST_VALUES and other not in table.sheet.fields
                ]
                added = {attribute_name(other): f"{name}.{other}" for other in few[: MOST_ATTRIBUTES - len(attributes)]}
                if added:
                    joins.append({"files": list(sheet.files), "left": name, "right": name, "prefix": f"{name}."})
                    attributes |= added
        return joins

    # Entries

    def time_of(self, table: Table) -> str:
        """The column that says when a row of a history happened."""
        for role in ("time", "created", "closed", "won"):
            if role in table.roles:
                return table.header(role)
        return next(name for name, field in table.sheet.fields.items() if field.kind == "date")

    def history(self) -> Stages:
        """The sources of a history of changes, and the stages in it."""
        frames = []
        for table in self.export.histories:
            at = self.time_of(table)
            cells = self.changes_of_stage(table)
            frames.append(pd.DataFrame({
                "lead": cells[table.header("lead_id")], "stage": cells[table.header("stage")],
                "at": times(cells[at], self.first_formats(table.sheet, at)),
            }).dropna(subset=["lead", "stage"]))  # fmt: skip
        came = pd.concat(frames)
        stages = stages_of(came)
        deals = self.export.deals
        logged = came[came["stage"].isin(stages.order[:1])]["lead"].nunique()
        if "created" in deals.roles and deals.what == "deals" and logged < LOGGED * len(deals.sheet.cells):
            first = stages.order[0] if stages.order else CREATED
            name = first if fit(first, words()["ends"]["first"]) >= 2 else CREATED
            stages = stages_of(pd.concat([self.moves(deals, deals.header("created"), name), came]), first=name)
            self.created_entries(name)
        for table in self.export.histories:
            self.history_source(table, stages)
        return stages

    def created_entries(self, stage: str) -> None:
        deals = self.export.deals
        columns = {"lead_id": deals.header("lead_id"), "entered_at": deals.header("created")}
        if "manager" in deals.roles and not self.export.people:
            columns["manager"] = deals.header("manager")
        self.source(
            "entries",
            "Every lead comes in when it is created",
            deals.sheet,
            columns,
            deals,
            {},
            f"stage = {toml(stage)}",
        )

    def changes_of_stage(self, table: Table) -> pd.DataFrame:
        """The rows that are changes of the stage, of a history that logs every field."""
        cells = table.sheet.cells
        value = self.stage_field(table)
        return cells[cells[table.header("changed_field")] == value] if value else cells

    def stage_field(self, table: Table) -> str:
        if "changed_field" not in table.roles or (
            "old_stage" not in table.roles and table.sheet.fields[table.header("changed_field")].distinct < 2
        ):
            return ""
        values = table.sheet.cells[table.header("changed_field")].dropna().unique()
        fits = {value: fit(value, words()["roles"]["stage"]) for value in values}
        best = max(fits, key=lambda value: fits[value], default="")
        return best if best and fits[best] else ""

    def history_source(self, table: Table, stages: Stages) -> None:
        columns = {
            "lead_id": table.header("lead_id"),
            "stage": table.header("stage"),
            "entered_at": self.time_of(table),
        }
        columns |= {column: table.header(column) for column in ("manager", "reason") if column in table.roles}
        joins, deals = self.owners(table, columns), self.export.deals
        lacking = {
            column: deals.header(column)
            for column in ("manager", "reason")
            if column not in columns and column in deals.roles
        }
        if lacking and deals.sheet is not table.sheet:
            columns |= {column: f"deal.{header}" for column, header in lacking.items()}
            keys = {"left": table.header("lead_id"), "right": deals.header("lead_id"), "prefix": "deal."}
            joins.append({"files": list(deals.sheet.files), **keys, **deals.sheet.lines})
        more = join_lines(joins)
        value = self.stage_field(table)
        if value:
            more.append(f"only = {toml({table.header('changed_field'): value})}")
        there = {*table.sheet.cells[table.header("stage")].dropna()}
        mapped = {name: end for name, end in stages.meant.items() if name in there and end != IGNORE and name != end}
        left_out = [name for name in stages.meant if name in there and stages.meant[name] == IGNORE]
        mapped |= dict.fromkeys(left_out if len(left_out) <= 10 else [], IGNORE)
        more += [f"values.stage = {toml(mapped)}"] if mapped else []
        more += (
            ['unmapped = "ignore"   # ' + f"{len(left_out)} further names are no stages"] if len(left_out) > 10 else []
        )
        self.source("entries", "One row for each change of stage", table.sheet, columns, table,
                    {"stage": "stage", "manager": "manager", "reason": "reason"}, *more)  # fmt: skip

    def first_formats(self, sheet: Sheet, header: str) -> tuple[str, ...]:
        return next(iter(sheet.fields[header].formats), ("",))

    def snapshot(self) -> Stages:
        """The sources of deals with a date for each stage, or of creation and end alone."""
        frames: list[pd.DataFrame] = []
        planned: list[tuple[str, Table, str, dict[str, list[str]]]] = []
        deals = self.export.deals
        if "created" in deals.roles:
            frames.append(self.moves(deals, deals.header("created"), CREATED))
        for table in [deals, *self.export.details]:
            status = status_column(table)
            for header, stage in stage_dates(table).items():
                planned.append((stage, table, header, {}))
            for end in ("won", "lost"):
                values = self.values_of(table, status, end)
                at = table.roles.get(end) or (table.roles.get("closed") if values else None)
                if at and not any(end_of(stage) == end for stage, *_ in planned):
                    name = "lost" if end == "lost" else (values[0] if len(values) == 1 else "won")
                    planned.append((name, table, at.header, {status: values} if values else {}))
        for stage, table, header, only in planned:
            frames.append(self.moves(table, header, stage, only))
        moves = pd.concat(frames) if frames else pd.DataFrame()
        if not planned or moves.empty:
            raise_nothing_dated(deals, status_column(deals))
        stages = stages_of(moves, first=CREATED if "created" in deals.roles else "")
        if "created" in deals.roles:
            self.created_entries(CREATED)
        for stage, table, header, only in planned:
            meant = stages.meant.get(stage, stage)
            if meant != IGNORE:
                self.dated_source(meant, table, header, only)
        return stages

    def values_of(self, table: Table, status: str, end: str) -> list[str]:
        values = table.sheet.cells[status].dropna().unique() if status else []
        return [value for value in values if end_of(value) == end]

    def moves(self, table: Table, header: str, stage: str, only: Mapping[str, list[str]] = {}) -> pd.DataFrame:
        cells = table.sheet.cells
        for name, values in only.items():
            cells = cells[cells[name].isin(values)]
        at = times(cells[header], self.first_formats(table.sheet, header))
        return pd.DataFrame({"lead": cells[table.header("lead_id")], "stage": stage, "at": at}).dropna()

    def dated_source(self, stage: str, table: Table, header: str, only: dict[str, list[str]]) -> None:
        columns = {"lead_id": table.header("lead_id"), "entered_at": header}
        columns |= {"manager": table.header("manager")} if "manager" in table.roles else {}
        columns |= {"reason": table.header("reason")} if stage == "lost" and "reason" in table.roles else {}
        more = [
            f"stage = {toml(stage)}",
            *([f"only = {toml(only)}"] if only else []),
            *join_lines(self.owners(table, columns)),
        ]
        self.source("entries", f"{stage}, dated by “{header}”", table.sheet, columns, table, {}, *more)

    # The other tables

    def contacts(self) -> None:
        for table in self.export.contacts:
            columns = {column: table.header(role) for role, column in CONTACTS.items() if role in table.roles}
            columns.setdefault("at", self.time_of(table))
            more = [] if "kind" in columns else ['constants = { kind = "call" }']
            self.source("contacts", "One row for each contact", table.sheet, columns, table,
                        {column: role for role, column in CONTACTS.items()}, *more, *join_lines(self.owners(table, columns)))  # fmt: skip

    def payments(self, won: Iterable[str]) -> None:
        for table in self.export.payments:
            columns = {
                "lead_id": table.header("lead_id"),
                "paid_at": table.header("paid") if "paid" in table.roles else self.time_of(table),
            }
            columns["amount"] = table.header("amount")
            columns |= (
                {"payment_id": table.header("payment_id")}
                if "payment_id" in table.roles and table.sheet.fields[table.header("payment_id")].stands_once
                else {}
            )
            self.source("payments", "One row for each payment", table.sheet, columns, table, {"amount": "amount"})
        deals = self.export.deals
        status = status_column(deals)
        values = self.values_of(deals, status, "won")
        at = next((deals.header(role) for role in ("paid", "won", "closed") if role in deals.roles), "")
        if not self.export.payments and "amount" in deals.roles and at and values and deals.what == "deals":
            columns = {"lead_id": deals.header("lead_id"), "paid_at": at, "amount": deals.header("amount")}
            self.guessed["payments"] = "the value of won deals"
            self.source("payments", "guessed: the value of won deals as the money they brought, since there are no payments",
                        deals.sheet, columns, deals, {}, f"only = {toml({status: values})}")  # fmt: skip

    def costs(self) -> None:
        for table in self.export.costs:
            columns = {"date": self.time_of(table), "amount": table.header("amount")}
            columns |= {column: table.header(column) for column in ("channel", "campaign") if column in table.roles}
            self.source("costs", "Money spent", table.sheet, columns, table, {"amount": "amount", "channel": "channel"})

    # The whole

    def currency(self) -> str:
        tables = [self.export.deals, *self.export.payments, *self.export.costs]
        for table in tables:
            if "currency" in table.roles:
                top = table.sheet.cells[table.header("currency")].value_counts()
                if len(top) and re.fullmatch("[A-Z]{3}", str(top.index[0])):
                    return str(top.index[0])
            said = " ".join(
                [
                    *(table.sheet.fields[table.header("amount")].reading if "amount" in table.roles else []),
                    table.header("amount") if "amount" in table.roles else "",
                ]
            )
            for sign, code in CURRENCIES.items():
                if sign in said or re.search(rf"\b{code}\b", said.upper().replace("_", " ")):
                    self.guessed["currency"] = said
                    return code
        default = "RUB" if self.language() == "ru" else "EUR"
        return self.choose("currency", "Currency of the amounts, three letters", [], default) or default

    def language(self) -> str:
        headers = "".join(name for table in [self.export.deals, *self.export.histories] for name in table.sheet.fields)
        letters = re.findall(r"[^\W\d_]", headers)
        return "ru" if sum("а" <= letter.lower() <= "я" for letter in letters) * 2 > len(letters) else "en"

    def statement(self) -> Statement:
        self.leads()
        stages = self.history() if self.export.histories else self.snapshot()
        if not stages.won:
            last = stages.order[-1]
            self.choose(
                "stages",
                f"No stage says that a deal is won; the last one is “{last}”. Is it the win? (or name another)",
                stages.order,
                last,
            )
        self.guessed["stages"] = "the moves of the leads"
        self.contacts()
        self.payments(stages.order[-1:])
        self.costs()
        zone = self.choose("timezone", "Time zone of the dates, as Europe/Berlin", [], own_zone()) or own_zone()
        currency = self.currency()
        tables = [source.table for source in self.sources]
        steps = [
            {"stage": stage, "days": stages.days[stage], "evidence": evidence(stages.moves[stage])}
            for stage in stages.order[1:]
        ]
        text = _environment(self.guessed).get_template("funnel.toml.jinja").render(
            title=self.name.replace("_", " ").replace("-", " ").capitalize(),
            timezone=zone,
            currency=currency,
            language=self.language(),
            stages=stages.order,
            steps=steps,
            further=self.further,
            sources=[{**source._asdict(), "several": tables.count(source.table) > 1} for source in
                     sorted(self.sources, key=lambda source: list(TABLES).index(source.table))],
        )  # fmt: skip
        return Statement(text, list(self.guessed), self.open)


def join_lines(joins: list[dict[str, Any]]) -> list[str]:
    return [f"join = {toml(joins)}"] if joins else []


def attribute_name(header: str) -> str:
    """What an attribute is called, unless reports have a column of that name."""
    slug = plain(header).replace(" ", "_")
    return f"{slug}_of_lead" if slug in OWN | OF_LEADS | OF_COUNTS else slug


def evidence(moves: int) -> str:
    if moves < LEAST_MOVES:
        return "guessed: too few moves to tell"
    return f"guessed: nine of ten of the {moves:,} leads that made the step did so in this time"


def raise_nothing_dated(deals: Table, status: str) -> None:
    from funnelstats.config.errors import FunnelError

    known = f"“{status}” says how deals ended, but " if status else "no column says which deals are won, and "
    raise FunnelError(
        f"{deals.sheet.name}: {known}no date says when: export the date of closing, a date for each stage, or the history of stages"
    )


def own_zone() -> str:
    """The zone of this computer's clock."""
    named = os.environ.get("TZ") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    return named if re.fullmatch(r"(?!Etc)[A-Z]\w+/\w+", named) else "UTC"


def toml(value: Any) -> str:
    return toml_value(value)


def _environment(guessed: Mapping[str, str]) -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    env = jinja2.Environment(
        loader=loader,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    env.filters |= {
        "toml": toml_value,
        "list_toml": lambda values: json.dumps(list(values), ensure_ascii=False),
        "key": lambda name: name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False),
    }
    env.globals["mark"] = lambda key: "   # guessed" if key in guessed else ""
    return env
