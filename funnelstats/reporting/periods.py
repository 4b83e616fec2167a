"""Which pages belong to a week, a month or a quarter: checked before anything runs, then jobs for the runner."""

import hashlib
import json
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from funnelstats.config.dates import (
    last_complete_month,
    last_complete_quarter,
    last_complete_week,
    month_days,
    month_of,
    parse_day,
    quarter_days,
    quarter_of,
    week_days,
    week_of,
)
from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.config.folders import project_root
from funnelstats.config.funnel import Funnel
from funnelstats.config.project import notebook_in_use
from funnelstats.config.words import _, label as label_of
from funnelstats.importing.opening import (
    Tables,
    last_day,
    notes_fingerprint,
    open_funnel,
    part_of,
    part_values,
    trailing_window,
)
from funnelstats.importing.prepare import prepared_fingerprint
from funnelstats.page.sections import page_name
from funnelstats.plan.goals import plan_goal
from funnelstats.reporting.owners import owners_of_weeks
from funnelstats.reporting.parameters import fingerprint, known_parameters, typed_parameters
from funnelstats.reporting.reports import Job
from funnelstats.reporting.restated import row_marks
from funnelstats.reporting.titles import HEAD_WORDS, SECTION_WORDS, Link, asked_label, notebook_label, period_words


class Page(NamedTuple):
    """A page of a period: its notebook and its file's name; ``dated`` if the notebook takes the period itself."""

    notebook: str
    name: str
    dated: bool = True


class Unit(NamedTuple):
    """A kind of period: its days, the one of a day, the last complete one, the pages made of it."""

    days: Callable[[str], tuple[date, date]]
    of: Callable[[date], str]
    last_complete: Callable[[date], str]
    pages: tuple[Page, ...]


MOST_PARTS = 50
"""Pages of parts of the leads that one week may have."""
EACH_MANAGER = Page("manager", "")
COUNTED = Page("counted", "counted", dated=False)
UNITS = {
    "week": Unit(
        week_days,
        week_of,
        last_complete_week,
        (Page("weekly", "team"), EACH_MANAGER, Page("data_check", "data-check", dated=False), COUNTED),
    ),
    "month": Unit(
        month_days,
        month_of,
        last_complete_month,
        (Page("closed_loop", "closed-loop"), Page("refusals", "refusals"), COUNTED),
    ),
    "quarter": Unit(quarter_days, quarter_of, last_complete_quarter, (Page("roi", "roi"), COUNTED)),
}


NOTEBOOK_OF = {page.name: page.notebook for unit in UNITS.values() for page in unit.pages if page.name}
"""A page may be asked for by its file's name, as "team"."""


def covered_days(funnel: Funnel, tables: Tables) -> tuple[date, date]:
    """First and last day of the data."""
    first = tables.entries.entered_on.min().to_pyarrow().as_py()
    if first is None:
        raise FunnelError(f"the data of {funnel.name} holds no dated stage entry: there is nothing to report")
    return first, last_day(tables, funnel)


def asked_periods(
    unit: str, period: str, first: str, last: str, as_of: str, funnel: Funnel, tables: Tables
) -> list[str]:
    """The periods asked for, in order."""
    days, of, last_complete, _pages = UNITS[unit]
    if last and not first:
        raise FunnelError("--to needs --from")
    if first and (period or as_of):
        alone = f"--{unit}" if period else "--as-of"
        raise FunnelError(f"{alone} is about one {unit}, --from and --to are about several: state one or the other")
    latest = last_complete(parse_day(as_of) if as_of else covered_days(funnel, tables)[1])
    for name in filter(None, (period, first, last)):
        if of(days(name)[0]) != name:
            key = "week_starts" if unit == "week" else "fiscal_year_starts"
            stated = f"{key} = {json.dumps(getattr(funnel, key))}"
            raise FunnelError(f'no {unit} "{name}", as {stated}; write it like {latest}')
    if not first:
        return [period or latest]
    (begin, _begin), (_end, end) = days(first), days(last or latest)
    if begin > end:
        raise FunnelError(f"--from {first} lies after --to {last or latest}")
    found = []
    while begin <= end:
        found.append(of(begin))
        begin = days(of(begin))[1] + timedelta(days=1)
    return found


def checked_day(funnel: Funnel, tables: Tables, unit: str, period: str, as_of: str) -> date:
    """The day as of which a period is reported: its own last one, or a later one that the data knows."""
    kind = UNITS[unit]
    first, last = covered_days(funnel, tables)
    _begin, end = kind.days(period)
    if not first <= end <= last:
        covered = kind.of(first), kind.last_complete(last)
        there = f"{covered[0]} to {covered[1]} are" if covered[0] <= covered[1] else f"no {unit} of it is over"
        raise FunnelError(f"{unit} {period} is not covered by the data of {funnel.name}: {there}")
    day = parse_day(as_of) if as_of else end
    if not end <= day <= last:
        raise FunnelError(f"as of {day}: must lie between the {unit}'s last day {end} and the data's last day {last}")
    return day


def check_values(funnel: Funnel, tables: Tables, values: Mapping[str, Any], typed: Container[str]) -> None:
    """Refuse before anything runs what would give an empty page under a wrong name; ``typed`` are not defaults."""
    as_of = str(values.get("as_of", ""))
    dated = [unit for unit in UNITS if unit in values]
    day = last_day(tables, funnel)
    for unit in dated:
        day = checked_day(funnel, tables, unit, str(values[unit]), as_of)
    if as_of and not dated:
        first, last = covered_days(funnel, tables)
        day = parse_day(as_of)
        if not first <= day <= last:
            raise FunnelError(f"as of {as_of}: must lie between the data's first day {first} and its last {last}")
    if values.get("where"):
        part_of(tables, str(values["where"]))
    if "step" in values and values["step"] not in funnel.stages[1:]:
        raise _unknown("step", f'no step into "{values["step"]}"', str(values["step"]), funnel.stages[1:], typed)
    if {"deals", "by"} <= values.keys():
        plan_goal(values["deals"], values["by"], day, funnel)
    if "manager" in values:
        homes = [rows for rows in (tables.entries, tables.leads) if "manager" in rows.columns]
        there = {
            name for rows in homes for name in rows.select("manager").distinct().to_pyarrow()["manager"].to_pylist()
        }
        known = sorted(there - {None, *funnel.system_users})
        if values["manager"] not in known:
            words = f'no manager "{values["manager"]}" in {funnel.name}'
            raise _unknown("manager", words, values["manager"], known, typed)


def _unknown(name: str, words: str, value: str, known: Sequence[str], typed: Container[str]) -> FunnelError:
    """What was typed is not there; or nothing was typed, and the notebook's default is a name of the sample."""
    if name not in typed:
        return FunnelError(f"state -p {name}; known: {', '.join(known) or 'none'}")
    return FunnelError(f"{words}; {suggestion(value, known)}")


LESSONS = ("cookbook", "tutorial")
"""Notebooks whose questions name leads, products and people of one funnel."""


class Batch(NamedTuple):
    """Pages to make together, what the index of each of their folders is headed by, what they are made from.

    ``until`` is the last day of the data, where it is of periods.
    """

    titles: dict[Path, str]
    jobs: list[Job]
    inputs: dict[str, str]
    until: date | None = None


def period_batch(
    name: str,
    unit: str = "week",
    *,
    period: str = "",
    first: str = "",
    last: str = "",
    as_of: str = "",
    only: Sequence[str] = (),
    language: str = "",
    by: str = "",
) -> Batch:
    """The pages of a week, month or quarter, or of all from ``first`` to ``last``.

    Without any the last complete one, without ``last`` up to that. Each is told as of its own last day, or one
    period as of ``as_of``. ``only`` keeps the pages of these notebooks, or those with a parameter, as
    ``manager=Anna``. ``by``, a column or attribute of leads, adds a team's page for each of its values. Raises
    FunnelError for a period or day that the data does not cover, and for what no page is of.
    """
    funnel, tables = open_funnel(name, language=language)
    marks = row_marks(name)
    inputs = {"data": _data(name, marks)}
    asked = asked_periods(unit, period, first, last, as_of, funnel, tables)
    days = {each: checked_day(funnel, tables, unit, each, as_of) for each in asked}
    owners = owners_of_weeks(funnel, days, language) if EACH_MANAGER in UNITS[unit].pages else {}
    jobs: list[Job] = []
    for each, day in days.items():
        jobs += _jobs(funnel, unit, each, day, inputs, language, by, owners.get(each, []))
    chosen = [job for job in jobs if not only or any(_named(job, what) for what in only)]
    for what in only:
        if not any(_named(job, what) for job in jobs):
            key, _given, value = what.partition("=")
            values = [str(job.parameters[key]) for job in jobs if value and key in job.parameters]
            known = dict.fromkeys(values or [job.notebook.stem for job in jobs])
            raise FunnelError(f'no page "{what}" in this {unit}; {suggestion(value or key, known)}')
    made_from = {
        **inputs,
        "statement": hashlib.sha256(funnel.model_dump_json().encode()).hexdigest(),
        "program": fingerprint(jobs[0].notebook, {}, {}),
        **marks,
    }
    folders = dict.fromkeys(job.target.parent for job in chosen)
    titles = {folder: _about(funnel, unit, folder.name) for folder in folders}
    return Batch(titles, chosen, made_from, last_day(tables, funnel))


def _jobs(
    funnel: Funnel,
    unit: str,
    period: str,
    day: date,
    inputs: dict[str, str],
    language: str,
    by: str,
    owners: list[str],
) -> list[Job]:
    """A job for each page of a period as known on a day, where managers have pages one for each of the owners."""
    folder = project_root() / "reports" / funnel.name / period
    common = {"funnel": funnel.name, "as_of": str(day), **({"language": language} if language else {})}
    jobs = []
    for page in UNITS[unit].pages:
        own = {**common, unit: period} if page.dated else common
        if page == EACH_MANAGER:
            variants = [({**own, "manager": manager}, page_name("manager", manager), manager) for manager in owners]
        else:
            label = notebook_label(page.notebook)
            variants = [(own, page.name, label)]
        if by and page.notebook == "weekly":
            variants += [
                (
                    {**own, "where": f"{by}={value}"},
                    page_name(page.name, by, value),
                    f"{label_of(by)}: {label_of(value)}",
                )
                for value in _parts(funnel, by, period, day, language)
            ]
        path = notebook_path(page.notebook)
        jobs += [
            Job(
                notebook=path,
                parameters=parameters,
                target=folder / f"{file}.html",
                title=f"{label} · {_about(funnel, unit, period)}",
                links=_head_links(unit, period, file),
                section=_(SECTION_WORDS[page.notebook]),
                label=label,
                language=language or funnel.language,
                fingerprint=fingerprint(path, parameters, {**inputs, **_notes(funnel, parameters)}),
            )
            for parameters, file, label in variants
        ]
    return jobs


def _parts(funnel: Funnel, by: str, week: str, day: date, language: str) -> list[str]:
    """The values of a column or attribute among the leads that entered a stage in the window a week judges."""
    _funnel, known = open_funnel(funnel.name, day, language)
    judged = known.entries.filter(known.entries.entered_on.between(*trailing_window(week, funnel)))
    values = part_values(known.leads.semi_join(judged, "lead_id"), by)
    if len(values) > MOST_PARTS:
        raise FunnelError(f"--by {by}: {len(values)} values, and a page for each; at most {MOST_PARTS} are made")
    return values


def _about(funnel: Funnel, unit: str, period: str) -> str:
    """Of which days of which funnel a page or folder is."""
    return f"{period_words(unit, *UNITS[unit].days(period))} · {funnel.title}"


def _head_links(unit: str, period: str, file: str) -> tuple[Link, ...]:
    """What the head of a page of a period leads to: the same page before and after, the latest ones of other kinds."""
    kind = UNITS[unit]
    first, last = kind.days(period)
    before, after = kind.of(first - timedelta(days=1)), kind.of(last + timedelta(days=1))
    beside = [("‹ {}", before), ("{} ›", after)]
    others = []
    for name, other in UNITS.items():
        near = other.last_complete(last)
        when = "" if name == unit else f", {period_words(name, *other.days(near))}"
        others += [
            Link(_(HEAD_WORDS[page.name]) + when, f"../{near}/{page.name}.html")
            for page in other.pages
            if page.name in HEAD_WORDS and page.name != file
        ]
    return (
        *(Link(words.format(period_words(unit, *kind.days(near))), f"../{near}/{file}.html") for words, near in beside),
        *others,
    )


def _notes(funnel: Funnel, parameters: Mapping[str, Any]) -> dict[str, str]:
    """What people wrote for the month of a page, which is made again when that changes."""
    month = parameters.get("month")
    return {"notes": notes_fingerprint(funnel.name, month)} if month else {}


def _named(job: Job, what: str) -> bool:
    name, given, value = what.partition("=")
    return job.parameters.get(name) == value if given else name in (job.notebook.stem, job.target.stem)


def _data(name: str, marks: Mapping[str, str]) -> str:
    """What pages are made from; a database has no files to tell by, so its rows do."""
    return prepared_fingerprint(name) or hashlib.sha256(repr(sorted(marks.items())).encode()).hexdigest()


def report_batch(notebook: str, name: str, texts: Mapping[str, str]) -> Batch:
    """One page: a notebook of ``notebooks/`` with parameters as typed on a command line.

    Raises FunnelError for a period, day, step, manager or plan that cannot be, defaults of the notebook included.
    """
    funnel, tables = open_funnel(name, language=texts.get("language", ""))
    if texts.get("funnel", name) != name:
        raise FunnelError(f'-p funnel: the page is of "{name}", which the command names; leave it out')
    path = notebook_path(notebook)
    notebook = path.stem
    known = known_parameters(path)
    typed = typed_parameters(path, texts)
    # What a notebook states by itself is meant for the funnel that it names.
    if known.get("funnel", name) not in ("", name):
        if notebook in LESSONS:
            raise FunnelError(f'{notebook}.ipynb asks about "{known["funnel"]}" alone; copy cells of it for yours')
        if "deals" in {*known} - {*typed}:
            raise FunnelError("state -p deals, how many to win, and if you like -p by, the day to win them by")
    last = parse_day(typed["as_of"]) if typed.get("as_of") else last_day(tables, funnel)
    periods = {unit: kind.last_complete(last) for unit, kind in UNITS.items() if unit in known}
    # The notebooks' own periods and the day of their plan are the sample's.
    ours = {**periods, **{key: "" for key in known if key == "by"}}
    parameters = {**ours, **typed, **{key: name for key in known if key == "funnel"}}
    check_values(funnel, tables, {**known, **parameters}, typed)
    words = [str(value) for key, value in parameters.items() if key != "funnel"]
    folder = project_root() / "reports" / name / notebook
    inputs = {"data": _data(name, {} if prepared_fingerprint(name) else row_marks(name))}
    label = asked_label(notebook, {**{key: known[key] for key in known if key == "deals"}, **parameters})
    job = Job(
        notebook=path,
        parameters=parameters,
        target=folder / f"{page_name(notebook, *words)}.html",
        title=f"{funnel.title} · {label}",
        label=label,
        language=texts.get("language") or funnel.language,
        fingerprint=fingerprint(path, parameters, {**inputs, **_notes(funnel, parameters)}),
    )
    return Batch({folder: f"{funnel.title} · {notebook_label(notebook)}"}, [job], inputs)


def notebook_path(notebook: str) -> Path:
    """The notebook of that name, or of the page of that name. Raises FunnelError listing those there are."""
    folder = project_root() / "notebooks"
    asked = notebook.removesuffix(".ipynb")
    path = folder / f"{NOTEBOOK_OF.get(asked, asked)}.ipynb"
    if path.parent != folder or not path.is_file():
        there = sorted(other.stem for other in folder.glob("*.ipynb") if other.is_file())
        raise FunnelError(f'no notebook "{notebook}" in notebooks; {suggestion(notebook, there)}')
    return notebook_in_use(path)[0]
