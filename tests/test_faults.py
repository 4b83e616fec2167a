"""What may happen to a run from outside: the other pages are delivered, nothing half, old or running is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import psutil
import pytest
from projects import write_notebook
from test_reports import files

from funnelstats.reporting.processes import cores
from funnelstats.reporting.reports import Job, render_many

CELLS = [
    "import os, signal, sys, time\nfrom funnelstats.page.tables import TABLE_MIME, Shown, show_text",
    "exec(fault)",
    "show_text([f'Call {who}.', 'x' * weeks])",
    'Shown({"text/html": "<table></table>", "text/plain": "", TABLE_MIME: '
    '{"name": "who", "currency": "", "columns": [{"name": who, "kind": "text"}], "rows": []}})',
]
RUN = """
import json, logging, os, resource, signal, sys, time
from pathlib import Path
from funnelstats import cli
from funnelstats.reporting import reports
from funnelstats.reporting.reports import Job, render_many
# What a shell starts in the background does not hear Ctrl-C, nor would this.
signal.signal(signal.SIGINT, signal.default_int_handler)
asked = json.loads(sys.argv[1])
reports.CELL_SECONDS = asked.get("seconds", 60)
if "bytes" in asked:
    resource.setrlimit(resource.RLIMIT_FSIZE, (asked["bytes"], asked["bytes"]))
if "starting" in asked:
    # The process of a page is there, and the run does not know it yet.
    from multiprocessing import forkserver
    read = forkserver.read_signed
    forkserver.read_signed = lambda end: (read(end), time.sleep(1), signal.raise_signal(signal.SIGINT))
folder = Path(asked["folder"])
jobs = [Job(Path(asked["notebook"]), given, folder / f"{name}.html", name) for name, given in asked["jobs"].items()]
logging.getLogger("papermill").setLevel(logging.CRITICAL)

def tell(record):
    print(record.job.title, record.state, flush=True)

def command(**options):
    records = render_many(jobs, tell=tell)
    (folder.parent / f"told-{os.getpid()}").write_text("\\n".join(f"{r.job.title} {r.reason}" for r in records))
    if any(record.state == "failed" for record in records):
        raise SystemExit(1)

cli.app = command
cli.main()
"""
OLD = "last week's page"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    return write_notebook(tmp_path_factory.mktemp("notebooks") / "calls.ipynb", CELLS)


@pytest.fixture
def start(notebook, tmp_path):
    """Start a run in a process group and a room for temporary files of its own; ends it if the test does not."""
    (tmp_path / "week").mkdir()
    # Sockets stand elsewhere where this path is long.
    room = tempfile.mkdtemp("", "", "/tmp")
    (tmp_path / "room").symlink_to(room)
    runs = []

    def run(jobs, **asked):
        for name in jobs:
            (tmp_path / "week" / f"{name}.html").write_text(OLD)
        words = {"folder": str(tmp_path / "week"), "notebook": str(notebook), "jobs": jobs, **asked}
        runs.append(
            subprocess.Popen(
                [sys.executable, "-c", RUN, json.dumps(words)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TMPDIR": room},
                start_new_session=True,
                text=True,
            )
        )
        return runs[-1]

    yield run
    for run in runs:
        run.kill()
        run.wait()
        run.stdout.close()
    shutil.rmtree(room)


def family(run):
    return psutil.Process(run.pid).children(recursive=True)


def still_running(processes, seconds=10):
    """Those that have not ended after so long; one that has ended may stay listed where nobody collects orphans."""

    def runs(process):
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    end = time.monotonic() + seconds
    while (left := [process for process in processes if runs(process)]) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def until(true, run, seconds=90):
    """Wait for something that a run does."""
    end = time.monotonic() + seconds
    while not true():
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def pages_of(tmp_path):
    return len(list((tmp_path / "week").glob(".part-*")))


def assert_nothing_is_left(tmp_path, *processes):
    assert still_running(processes) == []
    assert list((tmp_path / "room").iterdir()) == []
    assert list((tmp_path / "week").glob(".*")) == []


def whole(page):
    text = page.read_text(encoding="utf-8")
    return text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")


FAULTS = {
    "first": {},
    "wrong": {"fault": "raise ValueError('no such manager')"},
    "killed": {"fault": "os.kill(os.getpid(), signal.SIGKILL)"},
    "endless": {"fault": "time.sleep(600)"},
    "full": {"weeks": 300_000},
    "last": {},
}


def test_every_fault_at_once_takes_only_its_own_page(start, tmp_path) -> None:
    run = start(FAULTS, seconds=8, bytes=200_000)
    seen = set()
    while run.poll() is None:
        seen |= set(family(run)) if psutil.pid_exists(run.pid) else set()
        time.sleep(0.1)
    assert run.returncode == 1
    assert set(run.stdout.read().splitlines()) == {
        *("first made", "last made", "wrong failed", "killed failed", "endless failed", "full failed")
    }
    week = tmp_path / "week"
    assert files(week) == sorted(
        [f"{name}.{kind}" for name in ("first", "last") for kind in ("html", "who.csv", "xlsx")]
        + [f"_failed/{name}.txt" for name in ("wrong", "killed", "endless", "full")]
        + ["_failed/wrong.ipynb", "index.html", "run.json"]
    )
    assert all(whole(week / f"{name}.html") for name in ("first", "last", "index"))
    reasons = next(tmp_path.glob("told-*")).read_text()
    for words in (
        "wrong cell 4: ValueError: no such manager",
        "killed the page's process ended at cell 4, exit code -9",
        "full OSError: [Errno 27]",
    ):
        assert words in reasons
    assert "endless cell 4 took longer than 8 s" in reasons
    assert_nothing_is_left(tmp_path, *seen)


def test_the_process_that_pages_are_forked_from_may_die(start, tmp_path) -> None:
    mark = tmp_path / "ended"
    end_it = (
        f"import pathlib\nmark = pathlib.Path({str(mark)!r})\n"
        "mark.exists() or (mark.touch(), os.kill(os.getppid(), signal.SIGKILL), time.sleep(60))"
    )
    run = start({"first": {"fault": end_it}, "second": {}, "third": {"fault": "time.sleep(1)"}})
    output, _ = run.communicate(timeout=90)
    assert run.returncode == 0, output
    assert sorted(line for line in output.splitlines() if line.endswith("made")) == [
        "first made",
        "second made",
        "third made",
    ]
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("moment", ["importing", "starting", "running"])
def test_an_interrupt_ends_everything_at_once_and_keeps_what_was_there(moment, start, tmp_path) -> None:
    run = start({name: {"fault": "time.sleep(600)"} for name in ("first", "second", "third")}, **{moment: True})
    if moment == "running":
        until(lambda: pages_of(tmp_path) == min(3, cores()), run)
    else:
        until(lambda: family(run), run)
    processes = family(run)
    if moment != "starting":
        os.killpg(run.pid, signal.SIGINT)
    # Reading to the end also shows that nobody else holds the pipe.
    output, _ = run.communicate(timeout=90)
    assert run.returncode == 130, output
    assert output.splitlines() == ["interrupted"]
    assert [(tmp_path / "week" / f"{name}.html").read_text() for name in ("first", "second", "third")] == [OLD] * 3
    assert_nothing_is_left(tmp_path, *processes)


def test_no_process_outlives_a_killed_run_and_a_later_one_removes_its_folders_and_no_others(start, tmp_path) -> None:
    def own_folders():
        return {*tmp_path.glob("week/.part-????????"), *tmp_path.glob("room/funnelstats-????????")}

    def sleeping(*names):
        before = own_folders()
        run = start({name: {"fault": "time.sleep(600)"} for name in names})
        until(lambda: len(own_folders() - before) == 2 + min(len(names), cores()), run)
        return run, own_folders() - before

    living, held = sleeping("first")
    killed, left = sleeping("second", "third")
    processes = family(killed)
    assert len(processes) > 2
    killed.kill()
    assert still_running(processes) == []
    assert own_folders() == held | left
    # Of another week.
    output, _ = start({"page": {}}, folder=str(tmp_path / "next")).communicate(timeout=90)
    assert output.splitlines() == ["page made"]
    assert own_folders() == held
    living.send_signal(signal.SIGINT)
    living.communicate(timeout=90)
    assert_nothing_is_left(tmp_path)


def test_two_runs_at_once_that_nobody_listens_to_any_more_make_whole_pages(start, tmp_path) -> None:
    runs = [start({name: {"who": who} for name in ("left", "right")}) for who in ("Anna", "Boris")]
    for run in runs:
        run.stdout.close()
    assert [run.wait(90) for run in runs] == [0, 0]
    week = tmp_path / "week"
    assert files(week) == sorted(
        [f"{name}.{kind}" for name in ("left", "right") for kind in ("html", "who.csv", "xlsx")]
        + ["index.html", "run.json"]
    )
    for name in ("left", "right"):
        assert whole(week / f"{name}.html")
        assert ("Call Anna." in (week / f"{name}.html").read_text()) != (
            "Call Boris." in (week / f"{name}.html").read_text()
        )
    pages = json.loads((week / "run.json").read_text())["pages"]
    assert {name: page["state"] for name, page in pages.items()} == {"left.html": "made", "right.html": "made"}
    assert_nothing_is_left(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB that can be made read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def render_two(notebook, full, other, **parameters):
    jobs = [Job(notebook, parameters, full / "page.html", "P"), Job(notebook, {}, other / "page.html", "P")]
    return render_many(jobs)


def test_a_full_disk_takes_the_page_that_does_not_fit(notebook, small_disk, tmp_path) -> None:
    (small_disk / "page.html").write_text(OLD)
    records = render_two(notebook, small_disk, tmp_path / "week", weeks=100_000)
    assert [record.state for record in records] == ["failed", "made"]
    assert "No space left on device" in records[0].reason
    assert files(small_disk) == ["_failed/page.txt", "index.html", "run.json"]
    assert json.loads((small_disk / "run.json").read_text())["pages"]["page.html"]["state"] == "failed"
    assert whole(tmp_path / "week" / "page.html")


def test_a_disk_that_becomes_read_only_stops_no_page_elsewhere(notebook, small_disk, tmp_path) -> None:
    lock = f"os.system('mount -o remount,ro {small_disk}')"
    with pytest.raises(OSError, match="Read-only file system"):
        render_two(notebook, small_disk, tmp_path / "week", fault=lock)
    assert whole(tmp_path / "week" / "page.html")
    assert whole(tmp_path / "week" / "index.html")
    assert json.loads((tmp_path / "week" / "run.json").read_text())["pages"]["page.html"]["state"] == "made"


def test_a_read_only_folder_is_refused_before_anything_runs(notebook, small_disk, tmp_path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(PermissionError, match="cannot be written to"):
        render_two(notebook, small_disk, tmp_path / "week")
    assert not list((tmp_path / "week").glob("*.html"))
