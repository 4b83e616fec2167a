"""Which pages belong to a week, a month or a quarter: checked before anything runs, then jobs for the runner."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from funnelstats.counting.counts import outcome_days
from funnelstats.counting.journeys import journeys
from funnelstats.counting.ownleads import open_owners
from funnelstats.reading.opening import last_day, open_funnel, trailing_window
from funnelstats.reading.sources import prepared_fingerprint
from funnelstats.reporting.asked import EACH_MANAGER, UNITS, asked_periods, check_values, checked_day
from funnelstats.reporting.pages import page_name
from funnelstats.reporting.parameters import fingerprint, known_parameters, typed_parameters
from funnelstats.reporting.reports import Job
from funnelstats.reporting.restated import row_marks
from funnelstats.reporting.titles import SECTION_WORDS, UNIT_WORDS, asked_label, notebook_label
from funnelstats.stated.dates import parse_day
from funnelstats.stated.funnel import MISSING, Funnel, FunnelError, project_root, suggestion
from funnelstats.stated.words import _
from funnelstats.statistics.notes import notes_fingerprint


class Batch(NamedTuple):
    """Pages to make together, what the index of each of their folders is headed by, what they are made from."""

    titles: dict[Path, str]
    jobs: list[Job]
    inputs: dict[str, str]


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
) -> Batch:
    """The pages of a week, month or quarter, or of all from ``first`` to ``last``.

    Without any the last complete one, without ``last`` up to that. Each is told as of its own last day, or one
    period as of ``as_of``. ``only`` keeps the pages of these notebooks, or those with a parameter, as
    ``manager=Anna``. Raises FunnelError for a period or day that the data does not cover, and for what no page is of.
    """
    funnel, tables = open_funnel(name, language=language)
    marks = row_marks(name)
    inputs = {"data": _data(name, marks)}
    jobs: list[Job] = []
    for asked in asked_periods(unit, period, first, last, as_of, funnel, tables):
        day = checked_day(funnel, tables, unit, asked, as_of)
        jobs += _jobs(funnel, unit, asked, day, inputs, language)
    kept = [job for job in jobs if not only or any(_named(job, what) for what in only)]
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
    folders = dict.fromkeys(job.target.parent for job in kept)
    return Batch(
        {folder: f"{funnel.title}: {_(UNIT_WORDS[unit])} {folder.name}" for folder in folders}, kept, made_from
    )


def _jobs(funnel: Funnel, unit: str, period: str, day: date, inputs: dict[str, str], language: str) -> list[Job]:
    """A job for each page of a period as known on a day."""
    folder = project_root() / "reports" / funnel.name / period
    common = {"funnel": funnel.name, "as_of": str(day), **({"language": language} if language else {})}
    jobs = []
    for page in UNITS[unit].pages:
        own = {**common, unit: period} if page.dated else common
        if page == EACH_MANAGER:
            variants = [
                ({**own, "manager": manager}, page_name("manager", manager), manager, f"{manager}: {period}")
                for manager in _ranked(funnel, period, day, language)
            ]
        else:
            label = notebook_label(page.notebook)
            variants = [(own, page.name, label, f"{funnel.title}: {period if page.dated else label}")]
        path = notebook_path(page.notebook)
        jobs += [
            Job(
                notebook=path,
                parameters=parameters,
                target=folder / f"{file}.html",
                title=title,
                section=_(SECTION_WORDS[page.notebook]),
                label=label,
                language=language or funnel.language,
                fingerprint=fingerprint(path, parameters, {**inputs, **_notes(funnel, parameters)}),
            )
            for parameters, file, label, title in variants
        ]
    return jobs


def _notes(funnel: Funnel, parameters: Mapping[str, Any]) -> dict[str, str]:
    """What people wrote for the month of a page, which is made again when that changes."""
    month = parameters.get("month")
    return {"notes": notes_fingerprint(funnel.name, month)} if month else {}


def _ranked(funnel: Funnel, week: str, day: date, language: str) -> list[str]:
    """Who owned a lead that entered a step in the window a week judges, or owns an open one now; people only."""
    _funnel, known = open_funnel(funnel.name, day, language)
    window = trailing_window(week, funnel)
    paths = journeys(known.entries, funnel)
    owners = outcome_days(paths, funnel, day, by="manager", entered_between=window)["manager"].unique()
    return sorted({*owners, *open_owners(paths, known.leads, funnel, day)} - {MISSING, *funnel.system_users})


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
    path = notebook_path(notebook)
    known = known_parameters(path)
    typed = typed_parameters(path, texts)
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
    """The notebook of that name. Raises FunnelError listing those there are."""
    folder = project_root() / "notebooks"
    path = folder / f"{notebook.removesuffix('.ipynb')}.ipynb"
    if path.parent != folder or not path.is_file():
        there = sorted(other.stem for other in folder.glob("*.ipynb"))
        raise FunnelError(f'no notebook "{notebook}" in notebooks; {suggestion(notebook, there)}')
    return path
