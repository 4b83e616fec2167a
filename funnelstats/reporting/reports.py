"""Notebook and parameters in, published page out: files and notebooks only, no statistics."""

import hashlib
import os
import re
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from funnelstats.config.folders import RUN_FOLDER, TEMPORARY, WHOLE_RUN, own_folder, remove_leftovers
from funnelstats.reporting.pages import faults, lead_sentences, page_html, tables_of, without_links
from funnelstats.reporting.parameters import check_names, known_parameters, versions
from funnelstats.reporting.processes import Failure, cores, each_in_a_process
from funnelstats.reporting.publishing import close_folder, open_folder, publish, read_run, set_aside
from funnelstats.reporting.restated import verdict_rows
from funnelstats.reporting.titles import Link

_PAGE = re.compile(r"[^.\s/\\][^./\\]*\.html")
"""No further dot, so that the CSVs of a page, named <page>.<table>.csv, are nobody else's."""

_PART = ".part-"
"""How the folders of a page being made begin."""

CELL_SECONDS = 600
"""What a cell may take before its page is given up."""


@dataclass(frozen=True)
class Job:
    """One page to make: a notebook with parameters, rendered to ``target``, an .html without further dots."""

    notebook: Path
    parameters: Mapping[str, Any]
    target: Path
    title: str
    section: str = ""
    label: str = ""
    language: str = "en"
    links: tuple[Link, ...] = ()
    """What the page's head leads to."""
    fingerprint: str | None = None
    """Of everything the page depends on; a published page with the same one is not made again."""


@dataclass(frozen=True)
class Record:
    """What became of a job: state is "made", "unchanged" or "failed", and then the reason in a sentence."""

    job: Job
    state: str
    seconds: float = 0.0
    reason: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What run.json keeps of what the page says: names of tables, verdicts, sentences."""


def render(notebook: Path, parameters: Mapping[str, Any], target: Path, *, title: str, **rest: Any) -> Record:
    """One page made and published, or the reason why not."""
    return render_many([Job(notebook, parameters, target, title, **rest)])[0]


def render_many(
    jobs: Sequence[Job],
    *,
    title: str | Mapping[Path, str] = "",
    inputs: Mapping[str, str] | None = None,
    workers: int | None = None,
    whole: bool = False,
    tell: Callable[[Record], None] = lambda _: None,
) -> list[Record]:
    """A record for each job, in their order; one failure never stops the others.

    All jobs are checked before the first one starts, and a mistake in one raises FunnelError with nothing
    touched. Every folder written to gets ``run.json`` and ``index.html`` last, headed by ``title``. With
    ``whole`` the jobs are all the pages their folders should have, and other pages of earlier runs go.
    ``tell`` hears of each page as it is done; nobody listening any more stops no page. ``workers`` pages are
    made at once, as many as there are cores unless given, each in a process of its own. Raises OSError where the
    lists of pages cannot be written, after everything that can. A KeyboardInterrupt ends these processes, leaves
    no part folder behind and is raised again.
    """
    current = [_is_current(job, read_run(job.target.parent).get("pages", {})) for job in jobs]
    _check(jobs)
    folders = {job.target.parent for job in jobs}
    for folder in folders:
        open_folder(folder)
    for funnel_folder in {folder.parent for folder in folders}:
        # Of killed runs, also of other periods.
        remove_leftovers(funnel_folder, f"*/{_PART}")
    records = {n: Record(job, "unchanged") for n, job in enumerate(jobs) if current[n]}
    try:
        for record in records.values():
            _tell(tell, record)
        workers = workers or cores()
        anew = [number for number in _spread(jobs, workers) if number not in records]
        with closing(_made([jobs[number] for number in anew], workers)) as made:
            for place, record in made:
                records[anew[place]] = record
                _tell(tell, record)
    finally:
        unlisted = []
        for folder in folders:
            here = [records[n] for n in sorted(records) if jobs[n].target.parent == folder]
            try:
                close_folder(
                    folder,
                    {record.job.target.name: _entry(record) for record in here},
                    title=title,
                    inputs=inputs or {},
                    versions=versions(),
                    whole=whole and len(records) == len(jobs),
                )
            except OSError as error:
                unlisted.append(error)
        if unlisted:
            raise unlisted[0]
    return [records[number] for number in range(len(jobs))]


def _made(jobs: Sequence[Job], workers: int) -> Generator[tuple[int, Record]]:
    """Place and record of each job as it is done; after a failure neither the old page nor its tables are left."""
    left = Counter(job.target.parent for job in jobs)
    with ExitStack() as stack:
        for folder in left:
            stack.callback(remove_leftovers, folder, _PART)
        # What several pages of a folder need is made by the first of them, and goes with the last.
        rooms = Path(tempfile.gettempdir())
        remove_leftovers(rooms, TEMPORARY)
        shared = stack.enter_context(own_folder(rooms, TEMPORARY))
        place_of = {folder: shared / str(number) for number, folder in enumerate(left)}
        tasks = [(job, place_of[job.target.parent]) for job in jobs]
        results = each_in_a_process(_make, tasks, at_once=workers, seconds=CELL_SECONDS)
        for place, result, seconds in stack.enter_context(closing(results)):
            job, common = tasks[place]
            left[job.target.parent] -= 1
            if not left[job.target.parent]:
                shutil.rmtree(common, ignore_errors=True)
            if isinstance(result, Failure):
                set_aside(job.target, result.whole)
                yield place, Record(job, "failed", seconds, result.line)
            else:
                yield place, Record(job, "made", seconds, told=result)


def _tell(tell: Callable[[Record], None], record: Record) -> None:
    """Pages are made for readers of the pages, also when whoever read the progress has gone."""
    with suppress(BrokenPipeError):
        tell(record)


def _spread(jobs: Sequence[Job], workers: int) -> list[int]:
    """The jobs' numbers, as many folders at a time as there are workers, and of these a page of each in turn.

    What pages share is the same for a folder's, and those made at once would wait for each other.
    """
    folders = {folder: place for place, folder in enumerate(dict.fromkeys(job.target.parent for job in jobs))}
    seen: Counter[Path] = Counter()
    turns = []
    for job in jobs:
        turns.append((folders[job.target.parent] // workers, seen[job.target.parent]))
        seen[job.target.parent] += 1
    return sorted(range(len(jobs)), key=turns.__getitem__)


def _check(jobs: Sequence[Job]) -> None:
    known = {notebook: known_parameters(notebook) for notebook in {job.notebook for job in jobs}}
    targets = [job.target for job in jobs]
    for job in jobs:
        check_names(job.notebook, job.parameters, known[job.notebook])
        if not _PAGE.fullmatch(job.target.name):
            raise ValueError(f"a page is named <name>.html without further dots, got {job.target.name!r}")
        if job.target.name == "index.html":
            raise ValueError("index.html is the page of links; a report needs another name")
        if targets.count(job.target) > 1:
            raise ValueError(f"two reports would be written to {job.target}")


def _make(job: Job, common: Path, doing: Callable[[str], None]) -> dict[str, Any] | Failure:
    """Execute, check, publish, in a process of its own: what run.json keeps of the page, or why there is none."""
    try:
        # On the target's own disk, so that publishing is a renaming; a full one fails this page alone.
        with own_folder(job.target.parent, _PART) as part:
            executed = part / f"{job.target.stem}.ipynb"
            try:
                return _publish(job, executed, common, doing)
            except Exception as error:
                # Half a notebook is of no use, and a full disk needs room for the list of pages.
                if not isinstance(error, OSError):
                    set_aside(job.target, str(error), executed)
                raise
    except Exception as error:
        return Failure(_reason(error), f"{type(error).__name__}: {error}")


def _publish(job: Job, executed: Path, common: Path, doing: Callable[[str], None]) -> dict[str, Any]:
    from funnelstats.reporting.engine import execute

    common.mkdir(exist_ok=True)
    os.environ |= {"IPYTHONDIR": str(executed.parent), RUN_FOLDER: str(common), WHOLE_RUN: str(common.parent)}
    notebook = execute(job.notebook, job.parameters, executed, lambda number: doing(f"cell {number}"))
    doing("its page")
    tables = tables_of(notebook)
    html = page_html(notebook, title=job.title, language=job.language, links=job.links)
    if found := faults(html, notebook):
        raise ValueError("; ".join(found))
    # The run ends its pages by this signal, but never between two renamings; Windows ends them at any moment.
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    publish(job.target, html, tables, executed.parent)
    said = {"verdicts": verdict_rows(tables), "sentences": lead_sentences(notebook)}
    return {"tables": list(tables), "digest": _digest(job.target), **said}


def _reason(error: Exception) -> str:
    """One line of 200 characters at most: what the notebook said first; all it said lies under ``_failed``."""
    kind = f"cell {error.exec_count}: {error.ename}" if hasattr(error, "ename") else type(error).__name__  # type: ignore[attr-defined]
    return f"{kind}: {str(getattr(error, 'evalue', error)).strip()}".splitlines()[0][:200]


def _is_current(job: Job, before: Mapping[str, Any]) -> bool:
    page = before.get(job.target.name, {})
    tables = [job.target.with_name(f"{job.target.stem}.{name}.csv") for name in page.get("tables", [])]
    tables += [job.target.with_suffix(".xlsx")] if tables else []
    return (
        job.fingerprint is not None
        and page.get("fingerprint") == job.fingerprint
        and page.get("state") == "made"
        and all(path.is_file() for path in (job.target, *tables))
        # a run that was killed left newer tables beside an older page, or a page that run.json does not speak of
        and all(path.stat().st_mtime_ns <= job.target.stat().st_mtime_ns for path in tables)
        and page.get("digest") == _digest(job.target)
    )


def _digest(page: Path) -> str:
    """Of the page as it was made: the list of all pages links it to those that came later."""
    html = page.read_text(encoding="utf-8", errors="replace")
    return hashlib.blake2b(without_links(html).encode(), digest_size=16).hexdigest()


def _entry(record: Record) -> dict[str, Any]:
    """What run.json keeps of a page."""
    job = record.job
    return {
        "notebook": job.notebook.name,
        "parameters": dict(job.parameters),
        "title": job.title,
        "section": job.section,
        "label": job.label or job.title,
        "language": job.language,
        "fingerprint": job.fingerprint,
        "state": record.state,
        "seconds": round(record.seconds, 2),
        "reason": record.reason,
        "tables": [],
        **record.told,
    }
