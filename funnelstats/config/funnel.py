"""What people state about a funnel: stages, targets, their practice, and where its tables come from.

``data/raw/<name>/funnel.toml`` is checked as a whole: all its mistakes are told at once, each with its
key, the offender and what would be right. ``docs/funnel_toml.md`` explains every key.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, PrivateAttr, ValidationError

from funnelstats.config.dates import begin_weeks_on, begin_years_in
from funnelstats.config.errors import FunnelError, suggestion, visible
from funnelstats.config.folders import project_root
from funnelstats.config.mistakes import contradictions
from funnelstats.config.pseudonyms import ENDING, project_key, pseudonym, stated_name
from funnelstats.config.schema import TABLES
from funnelstats.config.sources import (
    EVERY_COLUMN,
    PRACTICE,
    Contact,
    Day,
    Days,
    Join,
    LeadBase,
    LeadUrl,
    Loop,
    Name,
    Refusals,
    Share,
    Source,
    Sources,
    Spec,
    Texts,
    Work,
    Zone,
    frozen,
)

KNOWN_WEEKS = 4
"""Weeks of a window of which all days of a step are over, at least."""


class StepInto(Spec):
    """What was agreed about the step into one stage."""

    horizon_days: Days
    target: Share | None = None
    tolerance: Share | None = None
    targets: dict[str, Share] = {}

    @property
    def met_within(self) -> float:
        """The tolerance stated, else 5 points of a target of 100 %."""
        if self.tolerance is not None:
            return self.tolerance
        return 0.05 if self.target == 1 else 0.0


class Step(NamedTuple):
    """Two neighbouring stages and what was agreed about the step between them."""

    from_stage: str
    to_stage: str
    horizon_days: int
    target: float | None
    tolerance: float
    targets: dict[str, float]

    def agreed(self) -> dict[str, Any]:
        """The step as a page tells of it: its fields and ``floor``, what counts as met (none without a target)."""
        floor = None if self.target is None else round(self.target - self.tolerance, 12)
        return self._asdict() | {"floor": floor}


class Funnel(Spec):
    """A funnel as its people state it: of an export by ``read_funnel``, of frames by ``funnel``."""

    _is_log: bool = PrivateAttr(default=False)
    """Whether the leads were read from their own history."""
    name: str
    title: Name
    timezone: Zone
    language: Literal["en", "ru"] = "en"
    labels: dict[Literal["en", "ru"], dict[str, str]] = {}
    lead_url: LeadUrl | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    window_weeks: Annotated[int, Field(ge=2, le=520)] = 13
    week_starts: Literal["monday", "sunday"] = "monday"
    fiscal_year_starts: Annotated[int, Field(ge=1, le=12)] = 1
    exported_on: Day | None = None
    max_bad_share: Share = 0.05
    notes: Texts = ()
    system_users: Texts = ()
    base: Texts = ()
    undated: Texts = ()
    correction_hours: Annotated[float, Field(ge=0)] = 1
    owner_from: Literal["entry", "first_person"] = "first_person"
    engine: Literal["duckdb", "spark"] = "duckdb"
    stages: Annotated[tuple[Name, ...], Field(min_length=2)]
    step_into: dict[str, StepInto]
    contact: Contact = Contact()
    work: Work = Work()
    refusals: Refusals = Refusals()
    loop: Loop = Loop()
    lead_base: LeadBase = LeadBase()
    leads: Sources = ()
    entries: Sources = ()
    contacts: Sources = ()
    payments: Sources = ()
    costs: Sources = ()
    rates: Sources = ()

    @property
    def folder(self) -> Path:
        """Where its export lies."""
        return project_root() / "data" / "raw" / stated_name(self.name)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Neighbouring stages in order. A target of 100 % is met within 5 points unless stated otherwise."""
        return tuple(
            Step(before, after, agreed.horizon_days, agreed.target, agreed.met_within, agreed.targets)
            for before, after in zip(self.stages, self.stages[1:], strict=False)
            for agreed in [self.step_into[after]]
        )

    @property
    def horizons(self) -> dict[str, int]:
        """Days agreed for a step, by the stage it starts from."""
        return {step.from_stage: step.horizon_days for step in self.steps}

    def idle_days(self, contacts_known: bool) -> dict[str, int]:
        """Days after which an open lead of a stage is inactive: those stated, without contacts not before its own."""
        loop, fixed = self.loop, contacts_known or "idle_days" in self.loop.model_fields_set
        own = {stage: loop.idle_days if fixed else max(loop.idle_days, days) for stage, days in self.horizons.items()}
        return {stage: loop.idle_days_at.get(stage, days) for stage, days in own.items()}

    @property
    def is_snapshot(self) -> bool:
        """Whether all stages are read from the leads' own rows, one for each: nobody steps back or changes hands."""
        homes = [source.home for source in self.leads]
        return bool(homes) and all(source.home in homes for source in self.entries) and not self._is_log

    def read_from_a_log(self, is_log: bool) -> Funnel:
        """The same funnel, of whose rows it is known whether they are a log."""
        read = self.model_copy()
        read._is_log = is_log
        return read

    @property
    def judged_weeks(self) -> int:
        """Weeks of stage entries that a page judges: those stated, or more where a step is given long.

        So that leads of four weeks at least are known to the end of their days: with 70 of 91 days an interval that
        promises .95 holds .92, with 90 .81 and the rate is biased.
        """
        longest = max(self.horizons.values())
        return max(self.window_weeks, -(-longest // 7) + KNOWN_WEEKS)

    def _repr_html_(self) -> str:
        steps = (
            f"<tr><td>{escape(step.from_stage)} → {escape(step.to_stage)}</td><td>{step.horizon_days}</td>"
            f"<td>{'none' if step.target is None else f'{100 * step.target:g} %'}</td></tr>"
            for step in self.steps
        )
        head = f"<caption>{escape(self.title)}</caption><tr><th>step</th><th>days</th><th>target</th></tr>"
        return f"<table>{head}{''.join(steps)}</table>"

    def with_horizons(self, days: Mapping[str, int]) -> Funnel:
        """The same funnel with other days for the steps into these stages. Raises FunnelError."""
        agreed = {stage: self.step_into[stage].model_dump(exclude_unset=True) for stage in self.stages[1:]}
        for stage, number in days.items():
            agreed[stage] = {**agreed.get(stage, {}), "horizon_days": number}
        return self._restated(step_into=agreed)

    def with_stages(self, stages: Sequence[str]) -> Funnel:
        """The same funnel with some of its stages alone, in their order.

        A step over stages that are left out gets the days of all steps it spans, and no target: none was agreed for
        it; nor does what [loop] states of them hold. Raises FunnelError for a stage that the funnel does not have.
        """
        if unknown := [stage for stage in stages if stage not in self.stages]:
            raise FunnelError(f'stages: no stage "{unknown[0]}"; {suggestion(unknown[0], self.stages)}')
        places = [self.stages.index(stage) for stage in stages]
        if places != sorted(places):
            raise FunnelError(f"stages: must stand in the funnel's order: {', '.join(self.stages)}")
        agreed = {}
        for before, after in pairwise(places):
            spanned = [self.step_into[stage] for stage in self.stages[before + 1 : after + 1]]
            days = {"horizon_days": sum(step.horizon_days for step in spanned)}
            agreed[self.stages[after]] = spanned[0].model_dump(exclude_unset=True) if len(spanned) == 1 else days
        loop = self.loop.model_dump(exclude_unset=True)
        for key in {"idle_days_at", "needs"} & loop.keys():
            loop[key] = {stage: rule for stage, rule in loop[key].items() if stage in stages}
        if self.loop.handed_over not in stages:
            loop.pop("handed_over", None)
        return self._restated(stages=tuple(stages), step_into=agreed, loop=loop)

    def _restated(self, **changes: Any) -> Funnel:
        """The funnel with some keys stated anew, checked; its sources stay as they are."""
        stated = self.model_dump(exclude_unset=True, exclude={"name", *TABLES}) | changes
        return checked(stated, self.name).model_copy(update={table: getattr(self, table) for table in TABLES})


def read_funnel(name: str) -> Funnel:
    """The funnel stated in ``data/raw/<name>/funnel.toml``; from here on weeks and quarters are its own.

    Under the name and ".anonymous" it is the same funnel with pseudonyms for people, and no notes or addresses. Raises
    FunnelError that lists every mistake of the file.

    >>> fs.read_funnel("sample").stages
    ('lead', 'met', 'presented', 'contracted', 'paid')
    """
    if name.endswith(ENDING):
        return _anonymous(read_funnel(stated_name(name)), name)
    raw = project_root() / "data" / "raw"
    path = raw / name / "funnel.toml"
    if not re.fullmatch(r"[\w-]+", name) or not path.is_file():
        funnels = sorted(toml.parent.name for toml in raw.glob("*/funnel.toml") if toml.is_file())
        raise FunnelError(f'no funnel "{name}": no data/raw/{name}/funnel.toml; {suggestion(name, funnels)}')
    shown = path.relative_to(raw.parent.parent)
    try:
        # Editors on Windows mark UTF-8 with a byte order mark, which TOML does not know.
        text = unicodedata.normalize("NFC", path.read_text(encoding="utf-8-sig"))
        stated = tomllib.loads(text)
        frozen(stated)  # whose depth no check below is ready for
    except UnicodeDecodeError as error:
        raise FunnelError(f"{shown}: not text in UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        other = "not text in UTF-8; save it as UTF-8" if "\0" in text else f"not a TOML file: {error}"
        raise FunnelError(f"{shown}: {other}") from error
    except (RecursionError, ValueError) as error:
        raise FunnelError(f"{shown}: not a funnel: nested too deep, or a number without end") from error
    if nothing := re.search(r"\\u0{4}|\\U0{8}", text):
        raise FunnelError(f"{shown}: {nothing[0]} is no letter of a name; leave it out")
    return checked(stated, name, needed=("leads", "entries"), where=f"{shown}: ")


def _anonymous(stated: Funnel, name: str) -> Funnel:
    key = project_key(project_root())

    def hidden(manager: str) -> str:
        return pseudonym("Manager", manager, key)

    steps = {
        stage: step.model_copy(update={"targets": {hidden(who): share for who, share in step.targets.items()}})
        for stage, step in stated.step_into.items()
    }
    people = {"system_users": tuple(map(hidden, stated.system_users)), "step_into": steps}
    return stated.model_copy(update={"name": name, "lead_url": None, "notes": (), **people})


def funnel(
    stages: Sequence[str],
    *,
    horizon_days: int | Mapping[str, int],
    targets: Mapping[str, float] = MappingProxyType({}),
    timezone: str = "UTC",
    currency: str = "XXX",
    title: str = "Funnel",
    **stated: Any,
) -> Funnel:
    """A funnel stated in Python, for frames that are at hand: see ``tables``.

    ``horizon_days`` are those of every step, or by the stage that a step leads into; ``targets`` are shares by that
    stage. Dates and weeks are those of ``timezone``. ``currency`` is "XXX", the code for none, unless it is stated.
    Any other key of a funnel.toml may be ``stated`` too. Raises FunnelError that lists every mistake by its key there.

    >>> funnel(["lead", "met", "won"], horizon_days={"met": 14, "won": 60}, targets={"won": 0.4}).horizons
    {'lead': 14, 'met': 60}
    """
    days = horizon_days if isinstance(horizon_days, Mapping) else dict.fromkeys(stages[1:], horizon_days)
    step_into: dict[str, Any] = {stage: {"horizon_days": number} for stage, number in days.items()}
    for stage, target in (targets if isinstance(targets, Mapping) else {stages[-1]: targets}).items():
        step_into[stage] = {**step_into.get(stage, {}), "target": target}
    main = {"title": title, "timezone": timezone, "stages": tuple([stages] if isinstance(stages, str) else stages)}
    return checked({**main, "currency": currency, "step_into": step_into, **stated}, title)


def checked(stated: Mapping[str, Any], name: str, *, needed: Sequence[str] = (), where: str = "") -> Funnel:
    """The funnel that keys of a funnel.toml state; from here on weeks and quarters are its own.

    Raises FunnelError that lists every mistake, each after ``where`` it was made.
    """
    mistakes = [f"{key}: must be stated" for key in needed if stated.get(key, []) == []]
    try:
        made = Funnel.model_validate({**stated, "name": name})
    except ValidationError as error:
        mistakes = [_mistake(dict(item), stated) for item in error.errors()] + mistakes
    mistakes += contradictions(stated)
    if mistakes:
        raise FunnelError("\n".join(f"{where}{mistake}" for mistake in dict.fromkeys(mistakes)))
    begin_years_in(made.fiscal_year_starts)
    begin_weeks_on(made.week_starts)
    return made


def _mistake(item: dict[str, Any], stated: Mapping[str, Any]) -> str:
    """One pydantic error as a sentence: key, offender, what would be right."""
    places = [place for place in _places(item["loc"], stated) if place != "[key]"]
    key, offender = ".".join(places), item["input"]
    if item["type"] == "missing":
        last = item["loc"][-1]
        return f"{key}: must name {last + 1} at least" if isinstance(last, int) else f"{key}: must be stated"
    if item["type"] == "extra_forbidden":
        specs: dict[str, type[Spec]] = {**PRACTICE, "step_into": StepInto}
        spec = specs.get(places[0], Join if "join" in places else Source)
        known = (spec if len(places) > 1 else Funnel).model_fields.keys() - {"name"}
        return f"{key}: unknown key; {suggestion(places[-1], sorted(known))}"
    rule = item["msg"].removeprefix("Value error, ").replace("Input should", "must")
    rule = rule.partition(" or instance of")[0].replace("tuple", "list").replace("dictionary", "table of keys")
    if item["type"] in ("time_type", "date_type"):
        rule = "must be a day like 2026-06-28" if item["type"] == "date_type" else "must be a time like 09:30:00"
    if item["type"] == "string_pattern_mismatch":
        rule = 'must be three capital letters like "EUR"'
    if item["type"] == "too_short":
        rule = f"must name at least {item['ctx']['min_length']}"
    if isinstance(offender, Mapping) or places[-1:] == ["database"]:  # which may hold a password
        return f"{key}: {rule}"
    got = repr(list(offender) if isinstance(offender, tuple) else offender)
    return f"{key}: {rule}, got {visible(got)}"


def _places(loc: Iterable[str | int], stated: Any) -> list[str]:
    """The key as its writer wrote it: one of several is numbered, one alone is not."""
    places = []
    for place in loc:
        if (isinstance(place, str) and place != EVERY_COLUMN) or (isinstance(stated, list) and len(stated) > 1):
            places.append(str(place))
        if isinstance(stated, Mapping):
            stated = stated.get(place)
        elif isinstance(stated, list) and isinstance(place, int):
            stated = dict(enumerate(stated)).get(place)
    return places
