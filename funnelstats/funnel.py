"""What people state about a funnel: stages, targets, horizons, and where its tables come from.

``data/raw/<name>/funnel.toml`` is checked as a whole: all its mistakes are told at once, each with its
key, the offender and what would be right. ``docs/funnel_toml.md`` explains every key.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from funnelstats.schema import ENDS, IGNORE, MISSING, TABLES

__all__ = ["ENDS", "MISSING", "Funnel", "FunnelError", "Source", "Step", "project_root", "read_funnel"]

EVERY_COLUMN = "*"
"""Key of what is stated for all columns of a source at once."""

Share = Annotated[float, Field(ge=0, le=1)]


class FunnelError(ValueError):
    """Wrong use or bad input: rule, offender and what would be right, for a person to read."""


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _iso_or_codes(fmt: str) -> str:
    sample = datetime(2001, 12, 31, 13, 59)
    try:
        read = datetime.strptime(sample.strftime(fmt), fmt)
    except (ValueError, re.error):
        read = datetime.min
    if read.date() != sample.date():
        raise ValueError('must name day, month and year, for example "%d.%m.%Y %H:%M"')
    return fmt


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | Mapping) else value


def _by_column(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {EVERY_COLUMN: value}


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
DateFormat = Annotated[str, AfterValidator(_iso_or_codes)]
DateFormats = Annotated[tuple[DateFormat, ...], BeforeValidator(_as_tuple)]


class Join(_Spec):
    """Another file whose columns are added to a source, many rows to one."""

    files: Annotated[Texts, Field(min_length=1)]
    left: str
    right: str
    unmatched: Literal["keep", "ignore"] = "keep"
    prefix: str = ""
    encoding: str | None = None


class Source(_Spec):
    """Where rows of one canonical table come from, and how to read them."""

    files: Texts = ()
    database: str | None = None
    table: str | None = None
    sheet: str | None = None
    encoding: str | None = None
    columns: dict[str, str]
    attributes: dict[str, str] = {}
    stage: str | None = None
    values: dict[str, dict[str, str]] = {}
    unmapped: Literal["error", "ignore"] = "error"
    date_format: Annotated[dict[str, DateFormats], BeforeValidator(_by_column)] = {}
    decimal: Literal[".", ","] = "."
    thousands: str = ""
    currency_signs: Texts = ()
    only: dict[str, Texts] = {}
    missing: Annotated[dict[str, Texts], BeforeValidator(_by_column)] = {}
    join: Annotated[tuple[Join, ...], BeforeValidator(_as_tuple)] = ()


class StepInto(_Spec):
    """What was agreed about the step into one stage."""

    horizon_days: Annotated[int, Field(ge=1)]
    target: Share | None = None
    tolerance: Share | None = None
    targets: dict[str, Share] = {}


class Step(NamedTuple):
    """Two neighbouring stages and what was agreed about the step between them."""

    from_stage: str
    to_stage: str
    horizon_days: int
    target: float | None
    tolerance: float
    targets: dict[str, float]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError('must be a name like "Europe/Moscow"') from error
    return name


Sources = Annotated[tuple[Source, ...], BeforeValidator(_as_tuple)]


class Funnel(_Spec):
    """A funnel as its people state it. Read one with ``read_funnel``."""

    name: str
    title: str
    timezone: Annotated[str, AfterValidator(_known_zone)]
    language: Literal["en", "ru"] = "en"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    window_weeks: Annotated[int, Field(ge=2)] = 13
    exported_on: date | None = None
    max_bad_share: Share = 0.05
    notes: Texts = ()
    system_users: Texts = ()
    base: Texts = ()
    undated: Texts = ()
    stages: Annotated[tuple[str, ...], Field(min_length=2)]
    step_into: dict[str, StepInto]
    leads: Sources
    entries: Sources
    contacts: Sources = ()
    payments: Sources = ()
    costs: Sources = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Neighbouring stages in order. A target of 100 % is met within 5 points unless stated otherwise."""
        return tuple(
            Step(before, after, agreed.horizon_days, agreed.target, _tolerance(agreed), agreed.targets)
            for before, after in zip(self.stages, self.stages[1:], strict=False)
            for agreed in [self.step_into[after]]
        )


def _tolerance(agreed: StepInto) -> float:
    if agreed.tolerance is not None:
        return agreed.tolerance
    return 0.05 if agreed.target == 1 else 0.0


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known word, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known) or 'none'}"


def project_root() -> Path:
    """The nearest folder, here or above, that holds ``data/raw``."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "data" / "raw").is_dir():
            return folder
    raise FunnelError(f"no project here: neither {here} nor a folder above it holds data/raw")


def read_funnel(name: str) -> Funnel:
    """The funnel stated in ``data/raw/<name>/funnel.toml``.

    Raises FunnelError that lists every mistake of the file.
    """
    raw = project_root() / "data" / "raw"
    path = raw / name / "funnel.toml"
    if not re.fullmatch(r"[\w-]+", name) or not path.is_file():
        funnels = sorted(toml.parent.name for toml in raw.glob("*/funnel.toml"))
        raise FunnelError(f'no funnel "{name}": no data/raw/{name}/funnel.toml; {suggestion(name, funnels)}')
    shown = path.relative_to(raw.parent.parent)
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FunnelError(f"{shown}: not a TOML file: {error}") from error
    mistakes = []
    try:
        funnel = Funnel.model_validate({**stated, "name": name})
    except ValidationError as error:
        mistakes = [_mistake(dict(item), stated) for item in error.errors()]
    mistakes += _contradictions(stated)
    if mistakes:
        raise FunnelError("\n".join(f"{shown}: {mistake}" for mistake in dict.fromkeys(mistakes)))
    return funnel


def _mistake(item: dict[str, Any], stated: Mapping[str, Any]) -> str:
    """One pydantic error as a sentence: key, offender, what would be right."""
    places = _places(item["loc"], stated)
    key, offender = ".".join(places), item["input"]
    if item["type"] == "missing":
        return f"{key}: must be stated"
    if item["type"] == "extra_forbidden":
        spec = StepInto if places[0] == "step_into" else Join if "join" in places else Source
        known = (spec if len(places) > 1 else Funnel).model_fields.keys() - {"name"}
        return f"{key}: unknown key; {suggestion(places[-1], sorted(known))}"
    rule = item["msg"].removeprefix("Value error, ").replace("Input should", "must")
    rule = rule.partition(" or instance of")[0].replace("tuple", "list").replace("dictionary", "table of keys")
    if item["type"] == "string_pattern_mismatch":
        rule = 'must be three capital letters like "EUR"'
    if item["type"] == "too_short":
        rule = f"must name at least {item['ctx']['min_length']}"
    return f"{key}: {rule}, got {offender!r}"


def _places(loc: Iterable[str | int], stated: Any) -> list[str]:
    """The key as its writer wrote it: one of several is numbered, one alone is not."""
    places = []
    for place in loc:
        if (isinstance(place, str) and place != EVERY_COLUMN) or (isinstance(stated, list) and len(stated) > 1):
            places.append(str(place))
        if isinstance(stated, Mapping):
            stated = stated.get(place)
        elif isinstance(stated, list) and isinstance(place, int):
            stated = stated[place]
    return places


def _contradictions(stated: Mapping[str, Any]) -> list[str]:
    """What no single key can get wrong: keys that do not fit together."""
    stages = [stage for stage in _list(stated.get("stages")) if isinstance(stage, str)]
    undated = [stage for stage in _list(stated.get("undated")) if isinstance(stage, str)]
    return [
        *(["name: is the folder's name and not stated"] if "name" in stated else []),
        *_base_mistakes(stated),
        *_stage_mistakes(stages, undated, stated.get("step_into"), stated.get("window_weeks", 13)),
        *(
            f"{table}{f'.{number}' if len(sources) > 1 else ''}.{mistake}"
            for table in TABLES
            for sources in [_list(stated.get(table))]
            for number, source in enumerate(sources)
            if isinstance(source, Mapping)
            for mistake in _source_mistakes(table, source, stages, undated)
        ),
    ]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _base_mistakes(stated: Mapping[str, Any]) -> Iterator[str]:
    sources = [source for source in _list(stated.get("leads")) if isinstance(source, Mapping)]
    known = {name for source in sources for key in ("columns", "attributes") for name in _mapping(source.get(key))}
    for name in _list(stated.get("base")):
        if sources and name not in known:
            yield f'base: leads have no column "{name}"; {suggestion(str(name), sorted(known))}'


def _stage_mistakes(stages: list[str], undated: list[str], step_into: Any, window_weeks: Any) -> Iterator[str]:
    taken = {"lead_id", "episode", "reason", "cohort", "manager", "stage", IGNORE, *ENDS}
    taken |= {f"{stage}{end}" for stage in [*stages, *ENDS] for end in ("_on", "_manager", "_back_on")}
    for stage in sorted(set(stages) & taken):
        yield f'stages: "{stage}" is a word of funnelstats; choose another name'
    for stage in sorted({stage for stage in stages if stages.count(stage) > 1}):
        yield f'stages: "{stage}" is named twice; a stage has one place'
    for stage in sorted(set(stages) & set(undated)):
        yield f'undated: "{stage}" is among the stages, which have dates; name it in one of the two'
    if isinstance(step_into, Mapping) and len(stages) > 1:
        for stage in step_into.keys() - set(stages[1:]):
            yield f"step_into.{stage}: no stage that is stepped into; {suggestion(stage, stages[1:])}"
        for stage in stages[1:]:
            if stage not in step_into:
                yield f"step_into.{stage}: must be stated, with horizon_days"
        for stage, agreed in step_into.items():
            days = _mapping(agreed).get("horizon_days")
            if isinstance(days, int) and isinstance(window_weeks, int) and days >= 7 * window_weeks:
                yield (
                    f"step_into.{stage}.horizon_days: {days} days do not fit into window_weeks = {window_weeks}: "
                    f"no lead could be judged; state at least window_weeks = {days // 7 + 1}"
                )


def _source_mistakes(table: str, source: Mapping[str, Any], stages: list[str], undated: list[str]) -> Iterator[str]:
    known = TABLES[table]
    columns = source.get("columns")
    named = set(columns) if isinstance(columns, Mapping) else set()
    for column in sorted(named - known.keys()):
        yield f"columns.{column}: no column of {table}; {suggestion(column, known)}"
    given = named | ({"stage"} if table == "entries" and "stage" in source else set())
    for column, spec in known.items():
        if spec.required and isinstance(columns, Mapping) and column not in given:
            yield f"columns.{column}: must be stated"
    if bool(source.get("files")) == ("database" in source):
        yield "files: state either files or database with table"
    if ("database" in source) != ("table" in source):
        yield "table: database and table go together"
    if re.search(r"://[^/@]*:[^/@]*@", str(source.get("database", ""))):
        yield 'database: no password in a file; name an environment variable instead: "env:CRM_URL"'
    if "attributes" in source and table != "leads":
        yield "attributes: only leads have attributes"
    if source.get("thousands") and source.get("thousands") == source.get("decimal", "."):
        yield f"thousands: must differ from decimal, got {source['thousands']!r} for both"
    for name in sorted(set(_mapping(source.get("attributes"))) & {*known, "created_on", "lead_id"}):
        yield f"attributes.{name}: leads have a column of this name; map it under columns"
    yield from _stage_source_mistakes(table, source, named, stages, undated)
    mapped = named | set(_mapping(source.get("attributes")))
    for key in ("values", "date_format", "missing"):
        for column in sorted(set(_mapping(source.get(key))) - mapped):
            yield f"{key}.{column}: not among this source's columns; {suggestion(column, sorted(mapped))}"


def _stage_source_mistakes(
    table: str, source: Mapping[str, Any], named: set[str], stages: list[str], undated: list[str]
) -> Iterator[str]:
    if table != "entries":
        if "stage" in source:
            yield "stage: only entries have a stage"
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


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
