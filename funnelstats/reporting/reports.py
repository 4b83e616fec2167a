"""Notebook and parameters in, published page out: files and notebooks only, no statistics."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from funnelstats.reporting.kernels import check_names, cores, execute, kill, known_parameters, versions
from funnelstats.reporting.pages import faults, lead_sentences, page_html, prepare_export, tables_of
from funnelstats.reporting.publishing import close_folder, open_folder, publish, set_aside
from funnelstats.reporting.restated import verdict_rows
from funnelstats.reporting.warm import Parent, warm_parent
from funnelstats.stated.shared import FOLDER

_PAGE = re.compile(r"[^.\s/\\][^./\\]*\.html")
"""No further dot, so that the CSVs of a page, named <page>.<table>.csv, are nobody else's."""

WARM_FROM = 3
"""Pages from which the one import of everything is repaid."""


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
    fingerprint: str | None = None
    """Of everything the page depends on; a published page with the same one is not made again."""


@dataclass(frozen=True)
class Record:
    """What became of a job: state is "made", "unchanged" or "failed", and then the reason in a sentence."""

    job: Job
    state: str
    seconds: float = 0.0
    reason: str = ""
    tables: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
    """What run.json keeps of what the page says: verdicts, sentences."""


def render(notebook: Path, parameters: Mapping[str, Any], target: Path, *, title: str, **rest: Any) -> Record:
    """One page made and published, or the reason why not."""
    return render_many([Job(notebook, parameters, target, title, **rest)])[0]


def render_many(
    jobs: Sequence[Job],
    *,
    title: str | Mapping[Path, str] = "",
    inputs: Mapping[str, str] | None = None,
    workers: int | None = None,
    cold: bool = False,
    whole: bool = False,
    tell: Callable[[Record], None] = lambda _: None,
) -> list[Record]:
    """A record for each job, in their order; one failure never stops the others.

    All jobs are checked before the first one starts, and a mistake in one raises FunnelError with nothing
    touched. Every folder written to gets ``run.json`` and ``index.html`` last, headed by ``title``. With
    ``whole`` the jobs are all the pages their folders should have, and other pages of earlier runs go.
    ``tell`` hears of each page as it is done; nobody listening any more stops no page. ``workers`` pages are
    made at once, two more than there are cores unless given. From three pages on, kernels are forked from one
    process that has imported everything, unless ``cold``. Raises OSError where the lists of pages cannot be
    written, after everything that can. A KeyboardInterrupt ends the kernels, leaves no part folder behind and
    is raised again.
    """
    stack = ExitStack()
    # It imports for seconds, so it begins while the jobs are checked.
    parent = None if cold or len(jobs) < WARM_FROM else stack.enter_context(warm_parent())
    # Two more than cores: pages that wait for their kernels leave the cores to others.
    pool = ThreadPoolExecutor(workers or cores() + 2)
    try:
        # In a thread, since an interrupt may get lost in what others do while they are imported.
        pool.submit(_check, jobs).result()
        before = {folder: open_folder(folder) for folder in {job.target.parent for job in jobs}}
    except BaseException:
        stack.close()
        pool.shutdown(wait=False)
        raise
    records: dict[int, Record] = {}
    stop, running = threading.Event(), set[Any]()
    # What several pages count alike is counted by the first of them.
    common = tempfile.TemporaryDirectory(prefix="fs-", ignore_cleanup_errors=True)
    environment = {FOLDER: common.name}
    futures: dict[Future[Record], int] = {}
    try:
        unchanged = {n for n, job in enumerate(jobs) if _is_current(job, before[job.target.parent])}
        for number in sorted(unchanged):
            records[number] = Record(jobs[number], "unchanged")
            _tell(tell, records[number])
        if len(jobs) - len(unchanged) < WARM_FROM:
            stack.close()
            parent = None
        if parent:
            pool.submit(prepare_export)
        for number in _spread(jobs):
            if number not in unchanged:
                futures[pool.submit(_make, jobs[number], stop, running, parent, environment)] = number
        waiting = set(futures)
        while waiting:
            # The system may hand an interrupt to another thread, and one that waits for ever would not see it.
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                records[futures[future]] = future.result()
                _tell(tell, records[futures[future]])
    finally:
        stop.set()
        stack.close()
        while any(not future.done() for future in futures):
            pool.shutdown(wait=False, cancel_futures=True)
            for manager in list(running):
                kill(manager)
            wait(futures, timeout=0.2)
        pool.shutdown()
        common.cleanup()
        unlisted = []
        for folder in before:
            made = [records[n] for n in sorted(records) if jobs[n].target.parent == folder]
            try:
                close_folder(
                    folder,
                    {record.job.target.name: _entry(record) for record in made},
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


def _tell(tell: Callable[[Record], None], record: Record) -> None:
    """Pages are made for readers of the pages, also when whoever read the progress has gone."""
    with suppress(BrokenPipeError):
        tell(record)


def _spread(jobs: Sequence[Job]) -> list[int]:
    """The jobs' numbers, the first page of each folder before any second one.

    What pages share is the same for a folder's, and those made at once would wait for each other.
    """
    seen: Counter[Path] = Counter()
    turns = []
    for job in jobs:
        turns.append(seen[job.target.parent])
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


def _make(
    job: Job, stop: threading.Event, running: set[Any], parent: Parent | None, environment: Mapping[str, str]
) -> Record:
    """Execute, check, publish; after a failure neither the old page nor its tables are left."""
    start = time.monotonic()
    with ExitStack() as stack:
        executed = job.target.with_name(f".part-{job.target.stem}.ipynb")
        try:
            # On the target's own disk, so that publishing is a renaming; a full one fails this page alone.
            folder = tempfile.TemporaryDirectory(prefix=".part-", dir=job.target.parent, ignore_cleanup_errors=True)
            part = stack.enter_context(folder)
            executed = Path(part) / f"{job.target.stem}.ipynb"
            notebook = execute(job.notebook, job.parameters, executed, running, parent, environment)
            tables = tables_of(notebook)
            html = page_html(notebook, title=job.title, language=job.language)
            if found := faults(html, notebook):
                raise ValueError("; ".join(found))
            publish(job.target, html, tables, Path(part))
            told = {"verdicts": verdict_rows(tables), "sentences": lead_sentences(notebook)}
            return Record(job, "made", time.monotonic() - start, tables=tuple(tables), told=told)
        except Exception as error:
            if isinstance(error, OSError):
                # Half a notebook is of no use, and a full disk needs room for the list of pages.
                with suppress(OSError):
                    executed.unlink()
            if not stop.is_set():
                set_aside(job.target, executed, f"{type(error).__name__}: {error}")
            return Record(job, "failed", time.monotonic() - start, _reason(error))


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
    )


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
        "tables": list(record.tables),
        **record.told,
    }
