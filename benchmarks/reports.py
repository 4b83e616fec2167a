"""Seconds a page takes, made in three ways in one run: `python benchmarks/reports.py [pages]`.

The pages are the team's and its managers' of the sample's last weeks. The usual recipe runs papermill's and
nbconvert's commands one page after the other; this runner makes the same pages in forked processes, once with the
import that comes before the first page of a run and once without it; the floor
runs the notebooks' cells as plain code in two processes that have imported everything, without notebook or page.
Beside the seconds on the clock stand those of the processors, which other work on the machine hardly changes.
"""

from __future__ import annotations

import ast
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil

from funnelstats.config.folders import RUN_FOLDER, WHOLE_RUN
from funnelstats.importing.prepare import prepare
from funnelstats.reporting.periods import period_batch
from funnelstats.reporting.preload import ENVIRONMENT
from funnelstats.reporting.processes import cores
from funnelstats.reporting.reports import render_many

ROOT = Path(__file__).resolve().parents[1]
FIRST, LAST = "2026-W22", "2026-W26"
WORKERS = 2


def main(pages: int = 24) -> None:
    """Make the pages in each way and print a table."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("data", "raw").mkdir(parents=True)
        Path("data", "raw", "sample").symlink_to(ROOT / "data" / "raw" / "sample")
        Path("notebooks").symlink_to(ROOT / "notebooks")
        prepare("sample")
        batch = period_batch("sample", first=FIRST, last=LAST, only=["weekly", "manager"])
        jobs = batch.jobs[:pages]
        print(f"{len(jobs)} pages on {cores()} cores, {os.getloadavg()[0]:.1f} processes wanting them already")
        print(f"{'way':<44} {'s':>7} {'s/page':>7} {'pages/min':>9} {'CPU s/page':>10}", flush=True)
        floor = timed("floor: cells in 2 warm processes", cells_alone, jobs)
        timed("this runner, its one import included", render, jobs)
        warm = timed("this runner, warm", render, jobs)
        usual = timed("papermill, then nbconvert, as commands", commands, jobs)
        print(f"commands / runner {usual / warm:.1f}   runner / floor {warm / floor:.2f}")
        print(f"largest page {max(job.target.stat().st_size for job in jobs) / 1000:,.0f} kB")


def timed(way, make, jobs, **options):
    """Seconds that making the jobs takes; their table row is printed."""
    seconds, busy = make(jobs, **options)
    each = seconds / len(jobs)
    print(f"{way:<44} {seconds:7.1f} {each:7.2f} {60 / each:9.1f} {busy / len(jobs):10.2f}", flush=True)
    return seconds


@contextlib.contextmanager
def clocks():
    """A list that then holds seconds on the clock, and of the processors: this process and all it started."""
    spent: list[float] = []
    before = time.perf_counter(), busy()
    yield spent
    spent += [time.perf_counter() - before[0], busy() - before[1]]


def busy():
    """Seconds of the processors so far: this process, those it waited for, the one that pages are forked from."""
    return sum(os.times()[:4]) + sum(sum(child.cpu_times()[:4]) for child in psutil.Process().children())


def render(jobs):
    """By this package's runner; the first time the imports of the process it forks from are included."""
    with clocks() as spent:
        records = render_many(list(map(anew, jobs)))
    assert {record.state for record in records} == {"made"}, [record.reason for record in records if record.reason]
    return spent


def anew(job):
    """The job without the mark by which a page that exists is not made again."""
    return type(job)(**{**vars(job), "fingerprint": None})


def commands(jobs):
    """By the commands that most people use, one after the other."""
    with clocks() as spent:
        for number, job in enumerate(jobs):
            words = [word for name, value in job.parameters.items() for word in ("-p", name, str(value))]
            run("papermill", "--no-progress-bar", str(job.notebook), f"{number}.ipynb", *words)
            run("jupyter", "nbconvert", "--to", "html", "--no-input", f"{number}.ipynb")
    return spent


def run(command, *words):
    """One of this environment's commands."""
    path = Path(sys.executable).with_name(command)
    subprocess.run([path, *words], check=True, capture_output=True)


def cells_alone(jobs):
    """By nothing but the cells, in processes that have imported all of them need."""
    os.environ.update(ENVIRONMENT)
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as warming,
        tempfile.TemporaryDirectory() as shared,
        ProcessPoolExecutor(WORKERS, mp_context=spawn, initializer=import_all) as pool,
    ):
        # The first pages of a process would pay for what is made once.
        list(pool.map(cells, [(job.notebook, job.parameters, warming) for job in jobs[:1]] * WORKERS))
        started = time.perf_counter()
        busy = sum(pool.map(cells, [(job.notebook, job.parameters, shared) for job in jobs]))
        return time.perf_counter() - started, busy


def import_all():
    """What notebooks import, by asking for every name."""
    import funnelstats

    for name in funnelstats.__all__:
        getattr(funnelstats, name)


def cells(asked):
    """Run a notebook's cells with parameters, showing what each ends with; the processor's seconds."""
    started = time.process_time()
    notebook, parameters, os.environ[RUN_FOLDER] = asked
    os.environ[WHOLE_RUN] = asked[2]
    room: dict = {}
    for cell in json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, str(notebook), "exec"), room)
        if last is not None:
            shown = eval(compile(ast.Expression(last.value), str(notebook), "eval"), room)
            getattr(shown, "_repr_mimebundle_", lambda: None)()
        if "parameters" in cell["metadata"].get("tags", []):
            room.update(parameters)
    return time.process_time() - started


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
