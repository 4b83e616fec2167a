"""One source of a funnel.toml: its lines, each with a mark where it is a guess."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from funnelstats.importing.hints import toml_value
from funnelstats.recognising.export import Export
from funnelstats.recognising.roles import Table, fit, words
from funnelstats.recognising.sheets import Field, Sheet, day_order

Ask = Callable[[str, list[str], str | None], str | None]
"""Asks a question with its choices and its default; None where nobody answers and there is no default."""

NUMBERS = ("amount", "duration_s")


class Source(NamedTuple):
    """A source as it is written: its table, what its rows are, its lines."""

    table: str
    rows: str
    lines: list[str]


class Sources:
    """The sources of a funnel as they are gathered, what is guessed in them, and the questions left open."""

    def __init__(self, export: Export, ask: Ask) -> None:
        self.export, self.ask = export, ask
        self.written: list[Source] = []
        self.guessed: set[str] = set()
        self.open: list[str] = []

    def choose(self, key: str, question: str, choices: list[str], default: str) -> str:
        """The answer to a question that has a default, which is a guess."""
        self.guessed.add(key)
        return self.ask(question, choices, default) or default

    def add(
        self, table: str, rows: str, found: Table, columns: Mapping[str, str], *more: str, roles: Collection[str] = ()
    ) -> None:
        """Add a source of a sheet: ``columns`` by canonical name; ``roles`` are those whose headers may be guesses."""
        sheet = found.sheet
        lines = [f"files = {toml_value(list(sheet.files))}"]
        lines += [f"{key} = {toml_value(value)}" for key, value in sheet.lines.items()]
        guessed = {found.header(role) for role in roles if role in found.roles and not _is_certain(found, role)}
        for column, header in columns.items():
            self.guessed |= {f"{table}.{column}"} if header in guessed else set()
            lines.append(f"columns.{column} = {toml_value(header)}" + ("   # guessed" if header in guessed else ""))
        for column, header in columns.items():
            if header in sheet.fields:
                lines += self._reading(sheet, sheet.fields[header], column)
        self.written.append(Source(table, f"{rows} ({sheet.kind}, {len(sheet.cells):,} rows)", [*lines, *more]))

    def _reading(self, sheet: Sheet, field: Field, column: str) -> list[str]:
        """The lines by which a column's dates or numbers are read."""
        if field.kind == "number" and column in NUMBERS:
            return [line.format(column=column) for line in field.reading]
        if field.kind != "date":
            return []
        blanks = [line.format(column=column) for line in field.reading]
        formats = field.formats if len(field.formats) == 1 else _proved(sheet, field)
        chosen = formats[0] if len(formats) == 1 else self._asked_format(sheet, field, formats)
        if chosen is None:
            open_lines = [
                f"# date_format.{column} = {toml_value(list(either))}   # one of the two" for either in formats
            ]
            return [*blanks, *open_lines]
        return blanks if chosen == ("",) else [*blanks, f"date_format.{column} = {toml_value(list(chosen))}"]

    def _asked_format(self, sheet: Sheet, field: Field, formats: tuple[tuple[str, ...], ...]) -> tuple[str, ...] | None:
        """Which of the formats that fit all rows is meant: nobody but a person can tell."""
        example = sheet.cells[field.name].dropna().iloc[0]
        choices = [either[0] for either in formats]
        question = (
            f'{sheet.name}, column “{field.name}”: is "{example}" written as {" or ".join(choices)}? '
            "Every row fits both; a day above 12 would tell"
        )
        answer = self.ask(question, choices, None)
        if answer is None:
            self.open.append(question)
            return None
        return formats[choices.index(answer)]


def _is_certain(table: Table, role: str) -> bool:
    """Whether a preset knows the column's role, or its header is one of the role's words."""
    return table.roles[role].known or fit(table.header(role), words()["roles"].get(role, [])) >= 2


def _proved(sheet: Sheet, field: Field) -> tuple[tuple[str, ...], ...]:
    """The formats of a column that the other dates of its sheet prove, where they do."""
    others = [other.formats[0] for other in sheet.fields.values() if len(other.formats) == 1]
    orders = {day_order(formats) for formats in others if formats[0]}
    return tuple(either for either in field.formats if day_order(either) in orders) or field.formats


def join_line(*joins: dict[str, Any] | None) -> list[str]:
    """The line that joins other files, where there are any."""
    stated = [join for join in joins if join]
    return [f"join = {toml_value(stated)}"] if stated else []


def joined(table: Table, left: str, prefix: str) -> dict[str, Any]:
    """The statement that adds the columns of a table to rows that hold its ids."""
    sheet = table.sheet
    return {"files": list(sheet.files), "left": left, "right": table.header("lead_id"), "prefix": prefix, **sheet.lines}


def owner(export: Export, table: Table) -> tuple[str, dict[str, Any] | None]:
    """The column that names a row's owner, and the join it needs where the rows hold ids of people; "" without one."""
    if "manager" not in table.roles:
        return "", None
    header = table.header("manager")
    owners = {*table.sheet.cells[header].dropna()}
    for people in export.people:
        ids = {*people.sheet.cells[people.header("lead_id")].dropna()}
        if people.sheet is not table.sheet and owners and len(owners & ids) >= 0.9 * len(owners):
            return f"owner.{people.header('name')}", joined(people, header, "owner.")
    return header, None
