"""One source of a funnel.toml: its lines, each with a mark where it is a guess."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.mistakes import OF_REPORTS, OWN
from funnelstats.config.schema import TABLES
from funnelstats.importing.hints import number_lines, toml_value
from funnelstats.importing.numbers import PARTS
from funnelstats.recognising.changes import rows_of_stages
from funnelstats.recognising.dates import NEARLY_ALL
from funnelstats.recognising.export import Export
from funnelstats.recognising.fields import MOST_STATUSES, Field, day_order
from funnelstats.recognising.joins import joined
from funnelstats.recognising.left_out import deleted
from funnelstats.recognising.roles import Table
from funnelstats.recognising.sheets import Sheet, chosen_by, not_dates
from funnelstats.recognising.stages import LEAST_MOVES
from funnelstats.recognising.words import fit, plain, role_fit, singular, words

Ask = Callable[[str, list[str], str | None], str | None]
"""Asks a question with its choices and its default; None where nobody answers and there is no default."""

NUMBERS = ("amount", "duration_s")
MONEY_UNITS = {
    "micros": {"micros"},
    "cents": {*plain("cents cent minor pence kopecks копейки копейках коп centimes centimos centavos grosze").split()},
    "thousands": {*plain("thousands thousand k тыс тысяч tsd tausend teur tusd milliers").split()},
    "millions": {*plain("millions million mln mio млн millones").split()},
}
UNITS = {
    "ms": {"ms", "milliseconds", "millis", "мс"},
    "min": {"min", "mins", "minutes", "minuten", "minutos", "мин", "минуты", "минут"},
    "h": {"h", "hours", "stunden", "horas", "heures", "часы", "часов"},
}
UTC = re.compile(r"\b(utc|gmt)\b(?! 0*[1-9])")
"""In a header, that its times are those of UTC, not of a clock some hours ahead of it or behind."""
HOUR = 3600
GROUPED = r"[1-9]\d{0,2}(\.\d{3})*"


class Source(NamedTuple):
    """A source as it is written: its table, what its rows are, its lines."""

    table: str
    rows: str
    lines: list[str]


class Dated(NamedTuple):
    """A column of dates that are each an entry into one stage, of the rows where other columns hold these values.

    Of an end that no column dates the header is "".
    """

    stage: str
    table: Table
    header: str
    only: dict[str, list[str]]


def days_after(created: Dated, dated: Dated) -> int | None:
    """How many days after their creation nearly all leads have a date; None where these differ.

    On the day itself the creation is no stage of its own; what comes so many days later was reckoned, as a trial's end.
    """
    both = since_created(created, dated)
    counts = both["days"].value_counts()
    several = both["created"][both["days"].notna()].nunique() >= LEAST_MOVES or not counts.index[:1].any()
    return int(counts.index[0]) if several and counts.max() >= NEARLY_ALL * len(both) else None


def since_created(created: Dated, dated: Dated) -> pd.DataFrame:
    """For each lead ``created``, the day it was, and how many ``days`` later it has a date; missing without one."""
    begun, came = (moves_of(of).drop_duplicates("lead") for of in (created, dated))
    both = begun.merge(came, how="left", on="lead", suffixes=("_created", ""))
    day = both["at_created"].dt.normalize()
    return pd.DataFrame({"created": day, "days": (both["at"].dt.normalize() - day).dt.days})


def moves_of(dated: Dated) -> pd.DataFrame:
    """Entries ``lead, stage, at`` of a column of dates, or of an end without one."""
    table = dated.table
    cells = table.sheet.cells[chosen_by(table.sheet.cells, dated.only)]
    moves = pd.DataFrame({"lead": cells[table.header("lead_id")], "stage": dated.stage})
    if not dated.header:
        return moves.assign(at=pd.Series(pd.NaT, index=moves.index, dtype="datetime64[us, UTC]"))
    return moves.assign(at=table.sheet.times(dated.header)).dropna()


NAMES = ("manager", "channel")
LINKED = re.compile(r"((?:(?! \(http).)+) \(https?://\S+\)")
"""A name with its page, as Notion exports what a record points to."""


class Sources:
    """The sources of a funnel as they are gathered, what is guessed in them, questions left open, and notes."""

    def __init__(self, export: Export, ask: Ask) -> None:
        self.export, self.ask = export, ask
        self.written: list[Source] = []
        self.guessed: set[str] = set()
        self.open: list[str] = []
        self.notes: list[str] = []
        self.dated: list[Dated] = []
        """The dates of stages and ends, where no history tells them."""
        self.part: dict[str, str | list[str]] = {}
        """The pipeline whose leads are meant, by its header, where the export has several."""
        self._deleted: dict[int, dict[str, list[str]]] = {}

    def choose(self, key: str, question: str, choices: list[str], default: str) -> str:
        """The answer to a question that has a default, which is a guess."""
        self.guessed.add(key)
        return self.ask(question, choices, default) or default

    def add(
        self,
        table: str,
        rows: str,
        found: Table,
        columns: Mapping[str, str | tuple[str, ...]],
        *more: str,
        only: Mapping[str, Any] | None = None,
        guesses: Mapping[str, Mapping[str, list[str]]] | None = None,
        joins: Iterable[dict[str, Any] | None] = (),
        roles: Collection[str] = (),
        owned: bool = True,
    ) -> None:
        """Add a source of a sheet: ``columns`` by canonical name, with its owner where a row has one and is ``owned``.

        ``guesses`` are what values mean by their words, for ``without`` and ``given_back``; ``roles`` are those whose
        headers may be guesses.
        """
        sheet = found.sheet
        if owned and "manager" in TABLES[table] and "manager" in found.roles:
            header, people = owner(self.export, found)
            columns, joins = {**columns, "manager": header}, [people, *joins]
        beside, only = [join for join in [*found.joins, *joins] if join], dict(only or {})
        if self.part and "lead_id" in found.roles:
            of_deals = sheet.files == self.export.deals.sheet.files and {*self.part} <= {*sheet.cells}
            beside = beside if of_deals else self._beside_deals(found, beside)
            only |= self.part if of_deals else {f"deal.{name}": value for name, value in self.part.items()}
        lines: list[str] = []
        unsure = [role for role in {*roles} & {*found.roles} if not found.roles[role].known]
        guessed = {found.header(role) for role in unsure if role_fit(found.header(role), role) < 2}
        for column, header in columns.items():
            if column == "lead_id" and found.lead_by:
                lines += [f"lead_by = {toml_value({header: attribute_name(found.lead_by)})}", 'shared = "latest"']
                continue
            self.guessed |= {f"{table}.{column}"} if header in guessed else set()
            stated: object = found.parts.get(str(header), header)
            stated = [header, found.header("clock")] if _has_clock(found, column, header) else stated
            lines.append(f"columns.{column} = {toml_value(stated)}" + ("   # guessed" if header in guessed else ""))
        for column, header in columns.items():
            if isinstance(header, str) and header in sheet.fields:
                field = sheet.fields[header]
                if _has_clock(found, column, header):
                    field = field._replace(formats=_with_clock(field, sheet.cells[found.header("clock")]))
                lines += self.reading(sheet, field, column)
        without = {**({found.header("lead_id"): ""} if found.own_id else {}), **self.deleted(found), **found.ours}
        deals, marks = self.export.deals, self.deleted(self.export.deals)
        if deals.sheet.cells is sheet.cells:
            without |= marks
        elif marks and "lead_id" in found.roles and not found.lead_by and _is_once(deals):
            beside = self._beside_deals(found, beside)
            without |= {f"deal.{name}": texts for name, texts in marks.items()}
        meant: dict[str, dict[str, Any]] = {"without": without}
        for key, said in (guesses or {}).items():
            self.guessed |= {f"{table}.{key}"} if said else set()
            meant[key] = {**meant.get(key, {}), **said}
        lines += [f"join = {toml_value(beside)}"] if beside else []
        lines += [f"only = {toml_value(only)}"] if only else []
        marked = {key: "   # guessed" if said else "" for key, said in (guesses or {}).items()}
        marked |= {"without": "   # guessed"} if marks else {}
        lines += [
            f"{key} = {toml_value(of)}{marked.get(key, '')}" for key, of in meant.items() if of and key != "without"
        ]
        lines += [f"ids = {toml_value(found.ids)}"] if found.ids and table != "leads" else []
        dated = [header for header in sheet.dates if header in columns.values()]
        if dated and all(UTC.search(plain(header)) for header in dated):
            lines.append('timezone = "UTC"   # as the header says')
        # A comment is one line, whatever a header holds.
        rows = visible(" ".join(f"{rows} ({sheet.kind}, {sheet.size})".split()))
        some = [name for name in sheet.some if any(name in line for line in (*lines, *more))]
        for files, read in sheet.readings:
            how: dict[str, Any] = {"files": list(files), **read, **({"may_lack": some} if some else {})}
            own = {**meant["without"], **how.pop("without", {})}
            where = [f"{key} = {toml_value(value)}" for key, value in how.items()]
            where += [f"without = {toml_value(own)}{marked.get('without', '')}"] if own else []
            self.written.append(Source(table, rows, [*where, *lines, *more]))

    def deleted(self, table: Table) -> dict[str, list[str]]:
        """``deleted`` of a table, found once for all its sources."""
        if table.what not in ("deals", "history"):
            return {}
        key = id(table.sheet.cells)
        if key not in self._deleted:
            self._deleted[key] = deleted(table)
        return self._deleted[key]

    def _beside_deals(self, found: Table, joins: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The joins, one of them with the deals."""
        if any(join["prefix"] == "deal." for join in joins):
            return joins
        deals = self.export.deals
        join = joined(deals.sheet, found.header("lead_id"), found.lead_by or deals.header("lead_id"), "deal.")
        return [*joins, {**join, **({"ids": found.ids} if found.ids else {})}]

    def reading(self, sheet: Sheet, field: Field, column: str) -> list[str]:
        """The lines by which a column's dates or numbers are read."""
        if field.kind == "number" and column in NUMBERS:
            grouped = column == "amount" and self._grouped_lines(sheet, field)
            lines = [line.replace("{column}", column) for line in grouped or field.reading]
            said = {*plain(field.name).split()} if column == "amount" else set()
            unit = next((unit for unit, known in MONEY_UNITS.items() if said & known), "")
            self.guessed |= {"unit"} if unit else set()
            lines += [f'unit.amount = "{unit}"   # guessed'] if unit else []
            return lines + (self._unit(sheet, field) if column == "duration_s" else [])
        if field.kind == "duration" and sheet.cells[field.name].str.match(PARTS).any():
            self.guessed.add("unit")
            return [f'unit.{column} = "mm:ss"   # guessed']
        if column in NAMES and 0 < field.distinct <= MOST_STATUSES:
            linked = {value: match[1] for value in sheet.values(field.name) if (match := LINKED.fullmatch(value))}
            others = any(" (http" in value for value in sheet.values(field.name) if value not in linked)
            apart = len({*linked.values()}) == len(linked) and not others
            return [f"values.{column} = {toml_value(linked)}"] if linked and apart else []
        if field.kind != "date":
            return []
        blanks = [line.replace("{column}", column) for line in field.reading]
        formats = field.formats if len(field.formats) == 1 else _proved(sheet, field)
        chosen = formats[0] if len(formats) == 1 else self._asked_format(sheet, field, formats)
        if chosen is None:
            open_lines = [
                f"# date_format.{column} = {toml_value(list(either))}   # one of the two" for either in formats
            ]
            return [*blanks, *open_lines]
        return blanks if chosen == ("",) else [*blanks, f"date_format.{column} = {toml_value(list(chosen))}"]

    def _grouped_lines(self, sheet: Sheet, field: Field) -> list[str]:
        """What reads amounts that all have three digits after each full stop: no money has so many decimals."""
        values = sheet.values(field.name)
        digits = [re.sub(r"[^\d.,]", "", value) for value in values]
        grouped = max(digits, key=lambda text: text.count("."), default="")
        if "." not in grouped or not all(re.fullmatch(GROUPED, text) for text in digits if text):
            return []
        self.notes.append(
            f"{sheet.name}: “{field.name}” has three digits after each full stop, which is taken for one of thousands: "
            f"“{grouped}” is {int(grouped.replace('.', '')):,}"
        )
        missing = [line for line in field.reading if line.startswith("missing")]
        return ['decimal = ","', 'thousands = "."', *(number_lines(values, ",", ".") or []), *missing]

    def _unit(self, sheet: Sheet, field: Field) -> list[str]:
        """What a number of a duration counts, as its header or its size says."""
        said = {*plain(field.name).split()}
        if found := next((unit for unit, called in UNITS.items() if said & called), ""):
            return [f'unit.duration_s = "{found}"']
        if pd.to_numeric(sheet.cells[field.name], errors="coerce").median() > HOUR:
            self.guessed.add("unit")
            return ['unit.duration_s = "ms"   # guessed: half of them would last longer than an hour']
        return []

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


def _has_clock(table: Table, column: str, header: str | tuple[str, ...]) -> bool:
    """Whether a day's hour stands in a column of its own."""
    day = table.field("time")
    if column not in ("entered_at", "at", "paid_at") or day is None or header != day.name:
        return False
    hours = any("%H" in fmt or "%I" in fmt for formats in day.formats for fmt in formats)
    return "clock" in table.roles and not hours and not table.sheet.cells[day.name].str.contains(":").any()


def _with_clock(field: Field, clock: pd.Series) -> tuple[tuple[str, ...], ...]:
    hours = " %H:%M:%S" if clock.str.count(":").max() == 2 else " %H:%M"
    return tuple(tuple(fmt + hours if fmt else fmt for fmt in formats) for formats in field.formats)


def _is_once(deals: Table) -> bool:
    """Whether each lead has one row, as a table that is joined must have."""
    field = deals.field("lead_id")
    return bool(field and field.stands_once)


def attribute_name(header: str) -> str:
    """What an attribute is called, unless reports have a column of that name."""
    slug = plain(header).replace(" ", "_")
    return f"{slug}_of_lead" if slug in OWN | OF_REPORTS else slug


def _proved(sheet: Sheet, field: Field) -> tuple[tuple[str, ...], ...]:
    """The formats of a column that the other dates of its sheet prove, where they do."""
    others = [other.formats[0] for other in sheet.fields.values() if len(other.formats) == 1]
    orders = {day_order(formats) for formats in others if formats[0]}
    return tuple(either for either in field.formats if day_order(either) in orders) or field.formats


def owner(export: Export, table: Table) -> tuple[str | tuple[str, ...], dict[str, Any] | None]:
    """The columns that name a row's owner, and the join they need where the rows hold ids of people."""
    header = table.header("manager")
    owners = {*table.sheet.values(header)}
    for people in sorted(export.people, key=lambda each: -_of_people(each)):
        ids = {*people.sheet.values(people.header("lead_id"))}
        if people.sheet is not table.sheet and owners and len(owners & ids) >= 0.9 * len(owners):
            named = tuple(f"owner.{name}" for name in _names(people))
            of_people = joined(people.sheet, header, people.header("lead_id"), "owner.")
            return named if len(named) > 1 else named[0], of_people
    return header, None


def _of_people(table: Table) -> float:
    """How well the name of a table says that it is of those who own leads, or has their mail addresses."""
    title = singular(table.sheet.stem)
    mails = any(role_fit(name, "person") >= 2 for name in table.sheet.fields)
    return max(role_fit(title, "manager", "name"), fit(title, words()["files"]["people"]), float(mails))


def _names(people: Table) -> list[str]:
    """The column of people's names, or that of their first and that of their last ones."""
    parts = [[name for name in people.sheet.fields if fit(name, known) >= 2][:1] for known in words()["names"].values()]
    first_and_last = [name for part in parts for name in part]
    return first_and_last if people.header("name") in first_and_last else [people.header("name")]


def stage_cells(table: Table) -> pd.DataFrame:
    """The rows of a history that are changes of the stage."""
    return rows_of_stages(table.sheet.cells, table.headers)


def changes_of(table: Table) -> pd.DataFrame:
    """Entries ``lead, stage, at`` of a history."""
    cells = stage_cells(table)
    named = {"lead": cells[table.header("lead_id")], "stage": cells[table.header("stage")]}
    return pd.DataFrame(named).assign(at=table.sheet.times(time_of(table))).dropna(subset=["lead", "stage"])


def time_of(table: Table) -> str:
    """The column that says when a row happened. Raises FunnelError where none does."""
    for role in ("time", "created", "closed", "won", "paid"):
        if role in table.roles:
            return table.header(role)
    if not table.sheet.dates:
        raise FunnelError(f"{table.sheet.name}: no column of dates in one format{not_dates([table.sheet])}")
    return table.sheet.dates[0]
