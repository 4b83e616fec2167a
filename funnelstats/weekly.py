"""Which pages belong to a week: checked before anything runs, then jobs for the runner."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from funnelstats.counts import outcome_days
from funnelstats.dates import last_complete_week, parse_day, week_days, week_of
from funnelstats.funnel import MISSING, Funnel, FunnelError, project_root, suggestion
from funnelstats.journeys import journeys
from funnelstats.kernels import known_parameters, typed_parameters
from funnelstats.opening import Tables, last_day, open_funnel, trailing_window
from funnelstats.pages import page_name
from funnelstats.reports import Job, fingerprint
from funnelstats.sources import prepared_fingerprint


class Batch(NamedTuple):
    """Pages to make together, and what their folder's index is headed by."""

    title: str
    jobs: list[Job]
    inputs: dict[str, str]


def week_batch(name: str, *, week: str = "", as_of: str = "") -> Batch:
    """The pages of a week: the team's, one for each manager of its window, the data check.

    Without ``week`` the last complete one, without ``as_of`` the week's Sunday. Raises FunnelError for a
    week or day that the data does not cover.
    """
    funnel, tables = open_funnel(name)
    week = week or last_complete_week(parse_day(as_of) if as_of else _covered(funnel, tables)[1])
    day = _checked_day(funnel, tables, week, as_of)
    _, known = open_funnel(name, day)
    owners = outcome_days(
        journeys(known.entries, funnel),
        funnel,
        day,
        by="manager",
        entered_between=trailing_window(week, funnel),
    )["manager"].unique()
    ranked = sorted(set(owners) - {MISSING, *funnel.system_users})
    common = {"funnel": name, "as_of": str(day)}
    folder = project_root() / "reports" / name / week
    inputs = {"data": str(prepared_fingerprint(name))}
    pages = [
        ("weekly", {**common, "week": week}, "team", "The team", f"{funnel.title}: {week}"),
        *(
            (
                "manager",
                {**common, "week": week, "manager": manager},
                page_name("manager", manager),
                manager,
                f"{manager}: {week}",
            )
            for manager in ranked
        ),
        ("data_check", common, "data-check", "What came in", f"{funnel.title}: data check"),
    ]
    sections = {"weekly": "Team", "manager": "Managers", "data_check": "Data"}
    jobs = [
        _job(
            notebook,
            parameters,
            folder / f"{page}.html",
            title,
            inputs,
            sections[notebook],
            label,
            funnel.language,
        )
        for notebook, parameters, page, label, title in pages
    ]
    return Batch(f"{funnel.title}: week {week}", jobs, inputs)


def report_batch(notebook: str, name: str, texts: Mapping[str, str]) -> Batch:
    """One page: a notebook of ``notebooks/`` with parameters as typed on a command line.

    Raises FunnelError for a week, day or manager that the data does not have, defaults of the notebook included.
    """
    funnel, tables = open_funnel(name)
    path = notebook_path(notebook)
    known = known_parameters(path)
    # The notebooks' own week is one of the sample's.
    typed = typed_parameters(path, texts)
    last = parse_day(typed["as_of"]) if typed.get("as_of") else last_day(tables, funnel)
    week = {"week": last_complete_week(last)} if "week" in known else {}
    parameters = {**week, **typed, **({"funnel": name} if "funnel" in known else {})}
    _check_values(funnel, tables, {**known, **parameters})
    words = [str(value) for key, value in parameters.items() if key != "funnel"]
    target = project_root() / "reports" / name / notebook / f"{page_name(notebook, *words)}.html"
    inputs = {"data": str(prepared_fingerprint(name))}
    title = f"{funnel.title}: {' '.join([notebook.replace('_', ' '), *words])}"
    job = _job(notebook, parameters, target, title, inputs, "", title, funnel.language)
    return Batch(f"{funnel.title}: {notebook.replace('_', ' ')}", [job], inputs)


def _covered(funnel: Funnel, tables: Tables) -> tuple[date, date]:
    """First and last day of the data."""
    first = tables.entries.entered_on.min().to_pyarrow().as_py()
    if first is None:
        raise FunnelError(f"the data of {funnel.name} holds no dated stage entry: there is no week to report")
    return first, last_day(tables, funnel)


def _checked_day(funnel: Funnel, tables: Tables, week: str, as_of: str) -> date:
    """The day as of which a week is reported: its Sunday, or a later one that the data knows."""
    first, last = _covered(funnel, tables)
    _, sunday = week_days(week)
    if not first <= sunday <= last:
        covered = f"{week_of(first)} to {last_complete_week(last)}"
        raise FunnelError(f"week {week} is not covered by the data of {funnel.name}: {covered} are")
    day = parse_day(as_of) if as_of else sunday
    if not sunday <= day <= last:
        raise FunnelError(f"as of {day}: must lie between the week's Sunday {sunday} and the data's last day {last}")
    return day


def _check_values(funnel: Funnel, tables: Tables, values: Mapping[str, Any]) -> None:
    """Refuse before anything runs what would give an empty page under a wrong name."""
    as_of = str(values.get("as_of", ""))
    if "week" in values:
        _checked_day(funnel, tables, str(values["week"]), as_of)
    elif as_of:
        first, last = _covered(funnel, tables)
        if not first <= parse_day(as_of) <= last:
            raise FunnelError(f"as of {as_of}: must lie between the data's first day {first} and its last {last}")
    if "step" in values and values["step"] not in funnel.stages[1:]:
        raise FunnelError(f'no step into "{values["step"]}"; {suggestion(str(values["step"]), funnel.stages[1:])}')
    if "manager" in values:
        there = tables.entries.filter(tables.entries.manager.notnull()).select("manager").distinct()
        known = sorted(set(there.to_pyarrow()["manager"].to_pylist()) - {*funnel.system_users})
        if values["manager"] not in known:
            raise FunnelError(
                f'no manager "{values["manager"]}" in {funnel.name}; {suggestion(values["manager"], known)}'
            )


def notebook_path(notebook: str) -> Path:
    """The notebook of that name. Raises FunnelError listing those there are."""
    folder = project_root() / "notebooks"
    path = folder / f"{notebook.removesuffix('.ipynb')}.ipynb"
    if path.parent != folder or not path.is_file():
        there = sorted(other.stem for other in folder.glob("*.ipynb"))
        raise FunnelError(f'no notebook "{notebook}" in notebooks; {suggestion(notebook, there)}')
    return path


def _job(
    notebook: str,
    parameters: dict[str, str],
    target: Path,
    title: str,
    inputs: dict[str, str],
    section: str,
    label: str,
    language: str,
) -> Job:
    path = notebook_path(notebook)
    return Job(
        notebook=path,
        parameters=parameters,
        target=target,
        title=title,
        section=section,
        label=label,
        language=language,
        fingerprint=fingerprint(path, parameters, inputs),
    )
