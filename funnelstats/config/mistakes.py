"""What no single key of funnel.toml can get wrong: keys that do not fit together."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from funnelstats.config.dates import names_no_day
from funnelstats.config.errors import listed, nearest, suggestion
from funnelstats.config.schema import (
    AMOUNT_UNITS,
    DURATIONS,
    ENDS,
    IGNORE,
    KEYS_OF_KIND,
    KEYS_OF_TABLE,
    ROW_NUMBER,
    TABLES,
)

OF_REPORTS = frozenset({
    "lead_id", "episode", "stage", "place", "reached_at", "reached_on", "entered_on", "manager", "skipped", "next_at",
    "next_on", "back_on", "outcome", "left_on", "timed", "opened", "began_at", "began_on", "won_at", "won_on",
    "lost_at", "lost_on", "nurture_at", "nurture_on", "ended_as", "ended_at", "ended_on", "reason", "undated",
    "current_manager", "owner", "cohort", "refusal", "excuse", "gap", "attempt", "refused_before", "handed_on",
    "lead_state", "idle_days", "contacted_at", "contacted_on", "sent_back", "created_on",
    "from_stage", "to_stage", "entered", "converted", "too_recent", "known", "advanced", "lost", "nurture",
    "open", "moved_away", "day", "days", "age_days", "at_risk", "incidence", "rate", "ci_lower", "ci_upper",
    "n_eff", "verdict", "week", "month", "quarter", "attribute", "value", "leads", "share",
})  # fmt: skip
"""What reports say of each lead, and count, beside its attributes, which cannot have such a name."""

OWN = frozenset({*TABLES["leads"], "created_on"})
"""What leads have of themselves."""

# Engines do not tell "Won" from "won": as names of columns they are one.
_as_column = str.casefold


LEAD_COLUMNS = (
    "base", "loop.nurtured", "loop.needs.*", "lead_base.company", "lead_base.blacklisted", "lead_base.score",
    "refusals.gaps.*.",
)  # fmt: skip
"""Keys that name columns or attributes of leads; * stands for any key, a dot at the end for the keys themselves."""
STAGES = ("loop.handed_over", "loop.idle_days_at.", "loop.needs.")
"""Keys that name stages."""


def contradictions(stated: Mapping[str, Any]) -> list[str]:
    """What no single key can get wrong: keys that do not fit together."""
    stages = [stage for stage in _list(stated.get("stages")) if isinstance(stage, str)]
    undated = [stage for stage in _list(stated.get("undated")) if isinstance(stage, str)]
    mistakes = ["name: is the folder's name and not stated"] if "name" in stated else []
    mistakes += _unknown_names(stated, stages)
    mistakes += _taken_attributes(stated.get("leads"))
    mistakes += _stage_mistakes(stages, undated, stated.get("step_into"))
    amounts = [source for table in ("leads", "payments", "costs") for source in _list(stated.get(table))]
    if "rates" in stated and not any("currency" in _mapping(_mapping(each).get("columns")) for each in amounts):
        mistakes.append("rates: columns.currency of leads, payments or costs must say whose amounts these are for")
    for table in TABLES:
        sources = _list(stated.get(table))
        for number, source in enumerate(sources):
            key = f"{table}.{number}" if len(sources) > 1 else table
            if isinstance(source, Mapping):
                mistakes += [f"{key}.{mistake}" for mistake in _source_mistakes(table, source, stages, undated)]
    return mistakes


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _taken_attributes(leads: Any) -> Iterator[str]:
    """Attributes named like each other, or like a column that reports add to those of the leads."""
    stated: dict[str, str] = {}
    for source in _list(leads):
        names = {name: key for key in ("constants", "attributes") for name in _mapping(_mapping(source).get(key))}
        for name, key in sorted(names.items()):
            column = _as_column(name)
            other = stated.setdefault(column, name)
            if other != name:
                yield f'leads.{key}.{name}: "{other}" is stated too, and capitals tell no two apart; rename one'
            elif column in OF_REPORTS - OWN:
                yield f'leads.{key}.{name}: reports have a column "{column}" of their own; give it another name'


def _unknown_names(stated: Mapping[str, Any], stages: list[str]) -> Iterator[str]:
    """Columns or attributes of leads, and stages, that a key names and nobody states."""
    sources = [source for source in _list(stated.get("leads")) if isinstance(source, Mapping)]
    keys = ("columns", "attributes", "constants")
    known = sorted({name for source in sources for key in keys for name in _mapping(source.get(key))})
    for table in ("entries", "contacts", "payments"):
        for source in _list(stated.get(table)):
            for name in _mapping(_mapping(source).get("lead_by")).values():
                if name not in known:
                    yield f'{table}.lead_by: leads have no column "{name}"; {suggestion(str(name), known)}'
    for path in LEAD_COLUMNS if sources else ():
        for key, name in _names_at(stated, path.split(".")):
            if name not in known:
                yield f'{key}: leads have no column "{name}"; {suggestion(str(name), known)}'
    for path in STAGES:
        for key, name in _names_at(stated, path.split(".")):
            if name not in stages:
                yield f'{key}: no stage "{name}"; {suggestion(str(name), stages)}'


def _names_at(value: Any, path: list[str], key: str = "") -> Iterator[tuple[str, Any]]:
    """The names stated at a path, each with its key as it is written."""
    if path == [""]:
        yield from ((key, name) for name in _mapping(value))
    elif path:
        here, *rest = path
        for name, held in _mapping(value).items():
            if here in (name, "*"):
                yield from _names_at(held, rest, f"{key}.{name}" if key else name)
    else:
        yield from ((key, name) for name in _list(value) if isinstance(name, str))


def _stage_mistakes(stages: list[str], undated: list[str], step_into: Any) -> Iterator[str]:
    for number, stage in enumerate(stages):
        name = _as_column(stage)
        before = [other for other in stages[:number] if _as_column(other) == name]
        # A table of cohorts has a column for each stage but the first, beside those of cohort and leads.
        if name in (IGNORE, *ENDS) or (number and name in ("cohort", "leads")):
            yield f'stages: "{stage}" is a word of funnelstats{_whatever_capitals(stage, name)}; choose another name'
        elif before and before[0] == stage:
            yield f'stages: "{stage}" is named twice; a stage has one place'
        elif before:
            yield f'stages: "{before[0]}" and "{stage}" differ in capitals only, which tell no two apart; rename one'
    for stage in sorted(set(stages) & set(undated)):
        yield f'undated: "{stage}" is among the stages, which have dates; name it in one of the two'
    if isinstance(step_into, Mapping) and len(stages) > 1:
        for stage in step_into.keys() - set(stages[1:]):
            yield f"step_into.{stage}: no stage that is stepped into; {suggestion(stage, stages[1:])}"
        for stage in stages[1:]:
            if stage not in step_into:
                yield f"step_into.{stage}: must be stated, with horizon_days"


def _source_mistakes(table: str, source: Mapping[str, Any], stages: list[str], undated: list[str]) -> Iterator[str]:
    known = TABLES[table]
    columns = source.get("columns")
    named = set(columns) if isinstance(columns, Mapping) else set()
    for column in sorted(named - known.keys()):
        yield f"columns.{column}: no column of {table}; {suggestion(column, known)}"
    constants = set(_mapping(source.get("constants")))
    given = named | constants | ({"stage"} if table == "entries" and "stage" in source else set())
    given |= {"lead_id"} if "lead_by" in source and "lead_id" in known else set()
    given |= {"entered_at"} if table == "entries" and _of_ends(source, [*undated, *stages[-1:], *ENDS]) else set()
    yield from _constant_mistakes(table, source, named, constants)
    yield from _key_mistakes(source, known, named)
    for column, spec in known.items():
        if spec.required and isinstance(columns, Mapping) and column not in given:
            yield f"columns.{column}: must be stated"
    if bool(source.get("files")) == ("database" in source):
        yield "files: state either files or database with table or query"
    if ("database" in source) != ("table" in source or "query" in source):
        yield "table: database goes with table or query"
    if "table" in source and "query" in source:
        yield "query: state either table or query"
    if len({"watermark", "key"} & {*source}) == 1 or ("watermark" in source and "database" not in source):
        yield "watermark: goes with key and database"
    if re.search(r"://[^@]*:[^@]*@|[?&;](password|pwd)=", str(source.get("database", "")), re.IGNORECASE):
        yield 'database: no password in a file; name an environment variable instead: "env:CRM_URL"'
    for key, tables in KEYS_OF_TABLE.items():
        if key in source and table not in tables:
            yield f"{key}: only {listed(tables)} have it"
    for key, kinds in KEYS_OF_KIND.items():
        if key in source and "database" in source:
            yield f"{key}: only {listed(kinds)} files have it, and no database; leave it out"
    if source.get("thousands") and source.get("thousands") == source.get("decimal", "."):
        yield f"thousands: must differ from decimal, got {source['thousands']!r} for both"
    for name in sorted(set(_mapping(source.get("attributes")))) if table == "leads" else []:
        column = _as_column(name)
        if column in OWN:
            same = f"a column of this name{_whatever_capitals(name, column)}"
            yield f"attributes.{name}: leads have {same}; map it under columns, or rename it"
        if name.startswith("_"):
            yield f'attributes.{name}: names that begin with "_" are those of funnelstats; give it another name'
    formats = source.get("date_format", ())
    for fmt in _texts(list(formats.values()) if isinstance(formats, Mapping) else formats):
        if names_no_day(fmt) and table != "costs":
            yield f'date_format: "{fmt}" names no day; only costs may be dated by their month or week'
    yield from _stage_source_mistakes(table, source, named, stages, undated)
    mapped = named | set(_mapping(source.get("attributes")))
    yield from _unit_mistakes(table, source, named)
    for key in ("values", "date_format", "missing", "first_of"):
        beside = {"refunded"} & source.keys() if key == "missing" else set()
        for column in sorted(set(_mapping(source.get(key))) - mapped - beside):
            yield f"{key}.{column}: not among this source's columns; {suggestion(column, sorted(mapped))}"


def _of_ends(source: Mapping[str, Any], ends: list[str]) -> bool:
    """Whether all entries of a source are of stages that need no date."""
    of_values = _mapping(_mapping(source.get("values")).get("stage")).values()
    return all(stage in (*ends, IGNORE) for stage in ([source["stage"]] if "stage" in source else of_values))


def _constant_mistakes(table: str, source: Mapping[str, Any], named: set[str], constants: set[str]) -> Iterator[str]:
    known = TABLES[table]
    for name in sorted(constants):
        if name == "stage" and table == "entries":
            yield "constants.stage: state stage instead"
        elif name in named or name in _mapping(source.get("attributes")):
            yield f"constants.{name}: it is read from a column too; state one of the two"
        elif name == "lead_id":
            yield "constants.lead_id: each row has a lead of its own"
        elif name.startswith("_"):
            yield f'constants.{name}: names that begin with "_" are those of funnelstats; give it another name'
        elif name not in known and (table != "leads" or nearest(name, known)):
            yield f"constants.{name}: no column of {table}; {suggestion(name, known)}"
    for name, header in _mapping(source.get("columns")).items():
        if header == ROW_NUMBER and name in known and known[name].kind != "id":
            yield f'columns.{name}: "{ROW_NUMBER}", the number of the row, can only be an id'
        if header == ROW_NUMBER and "database" in source:
            yield f"columns.{name}: rows of a database have no number that stays"


def _key_mistakes(source: Mapping[str, Any], known: Collection[str], named: set[str]) -> Iterator[str]:
    """What is wrong with how rows find their lead."""
    if "lead_by" in source and "lead_id" in named:
        yield "lead_by: state either columns.lead_id or lead_by, not both"
    if "lead_by" in source and isinstance(source["lead_by"], Mapping) and len(source["lead_by"]) != 1:
        yield 'lead_by: must name one header and what it is of leads: { "Contact ID" = "contact" }'
    if "shared" in source and "lead_by" not in source:
        yield "shared: says which lead counts where lead_by finds several; state lead_by"
    if "shared" in source and "entered_at" in known and "entered_at" not in named:
        yield "shared: the lead counts that was created last before the row; state columns.entered_at"


def _unit_mistakes(table: str, source: Mapping[str, Any], named: set[str]) -> Iterator[str]:
    later = _mapping(source.get("later_by"))
    durations = sorted((named & DURATIONS) | set(later))
    for column, unit in sorted(_mapping(source.get("unit")).items()):
        if unit in AMOUNT_UNITS or column == "amount":
            if column != "amount" or unit not in AMOUNT_UNITS or column not in named:
                units = listed([f'"{each}"' for each in AMOUNT_UNITS])
                yield f"unit.{column}: {units} are the units of columns.amount, and its only ones"
        elif column not in durations:
            yield f"unit.{column}: no duration that this source reads; known: {', '.join(durations) or 'none'}"
    for column in sorted(later):
        if column not in named or column not in TABLES[table] or TABLES[table][column].kind != "instant":
            yield f"later_by.{column}: must be a column of instants that this source reads"
        elif column not in _mapping(source.get("unit")):
            yield f'later_by.{column}: its unit must be stated: unit.{column} = "min"'


def _stage_source_mistakes(
    table: str, source: Mapping[str, Any], named: set[str], stages: list[str], undated: list[str]
) -> Iterator[str]:
    if table != "entries":
        return
    if "stage" in source and "stage" in named:
        yield "stage: state either stage or columns.stage, not both"
    targets = [*stages, *undated, *ENDS]
    if "stage" in source and source["stage"] not in targets:
        yield f'stage: no stage "{source["stage"]}"; {suggestion(str(source["stage"]), targets)}'
    words = [*targets, IGNORE]
    for value, target in _mapping(_mapping(source.get("values")).get("stage")).items():
        if target not in words:
            yield f'values.stage."{value}": no stage "{target}"; {suggestion(str(target), words)}'


def _whatever_capitals(written: str, taken: str) -> str:
    return "" if written == taken else ", whatever its capitals"


def _texts(stated: Any) -> list[str]:
    if isinstance(stated, list | tuple):
        return [text for each in stated for text in _texts(each)]
    return [stated] if isinstance(stated, str) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
