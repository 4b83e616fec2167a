"""A run killed at any moment leaves whole files, no process, and nothing that the next run does not clear away."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from damage import SEEDS, export
from projects import REPOSITORY
from test_damage import written
from test_faults import family, still_running, whole

pytestmark = pytest.mark.usefixtures("here")

PREPARING = """
import os, sys
import duckdb
from funnelstats.importing.prepare import prepare

duckdb.default_connection().close()  # its threads would not be there after a fork
for _line in sys.stdin:
    if not (child := os.fork()):
        try:
            prepare("team")
            os._exit(0)
        finally:
            os._exit(1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
WEEKLY = ["-m", "funnelstats", "weekly", "team", "--week", "2026-W09", "--only", "data_check", "--only", "manager=Anna"]
TOLD_ANEW = {"index.html", "run.json"}
"""Files that also say what an earlier run said, and how long this one took."""


def python(*words, **pipes):
    Path("room").mkdir(exist_ok=True)
    own = os.environ | {"TMPDIR": str(Path("room").absolute()), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, *words], env=own, text=True, start_new_session=True, **pipes)


def files(folder):
    """All files below a folder, by path; the hidden ones are those of a run that has not cleared up."""
    found = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in found if not any(part[0] == "." for part in path.parts)}


def pages(found):
    return {path: content for path, content in found.items() if Path(path).name not in TOLD_ANEW}


def assert_nothing_is_left_in(folder):
    assert [*Path("room").iterdir(), *Path(folder).rglob(".*")] == []


@pytest.fixture
def preparation():
    """Prepares once more whenever it is asked, at once: number of the process, then its exit code."""
    with python("-c", PREPARING, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:

        def begin():
            server.stdin.write("once more\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield begin, lambda: int(server.stdout.readline())
        server.stdin.close()


def test_a_killed_preparation_leaves_the_old_tables_the_new_ones_or_none(preparation):
    begin, end = preparation
    exports, versions, took, killed = [export(120), export(90)], [], 0, 0
    for rows in exports:
        written(rows)
        began = time.monotonic()
        begin()
        assert end() == 0
        took = time.monotonic() - began
        versions.append(files("data/processed"))
    assert versions[0] != versions[1]
    for seed in range(6 * SEEDS):
        rng = random.Random(seed)
        written(exports[seed % 2])
        process = begin()
        time.sleep(rng.uniform(0, 1.2 * took))
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        killed += end() == -signal.SIGKILL
        assert files("data/processed") in [{}, *versions], seed
        if seed % 3 == 2:
            begin()
            assert end() == 0
            assert files("data/processed") == versions[seed % 2], seed
            assert_nothing_is_left_in("data/processed")
    assert killed > 0
    print(f"{killed} of {6 * SEEDS} preparations were killed")


def test_a_killed_run_leaves_whole_pages_and_the_next_one_makes_those_of_the_data():
    def weekly():
        run = python(*WEEKLY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        told, _ = run.communicate(timeout=300)
        assert run.returncode == 0, told
        return files("reports")

    Path("notebooks").symlink_to(REPOSITORY / "notebooks")
    exports, versions, took, killed = [export(120), export(116)], [], 0, 0
    for rows in exports:
        written(rows)
        began = time.monotonic()
        versions.append(weekly())
        took = time.monotonic() - began
    assert pages(versions[0]).keys() == pages(versions[1]).keys()
    assert pages(versions[0]) != pages(versions[1])
    for seed in range(2 * SEEDS):
        rng = random.Random(seed)
        written(exports[seed % 2])
        run = python(*WEEKLY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 1) * took)
        processes = family(run) if run.poll() is None else []
        run.kill()
        killed += run.wait() == -signal.SIGKILL
        assert still_running(processes) == [], seed
        for path, content in files("reports").items():
            if Path(path).name not in TOLD_ANEW:
                assert content in [version[path] for version in versions], (path, seed)
            assert not path.endswith(".html") or whole(Path(path)), (path, seed)
        if seed % 2:
            left = weekly()
            assert left.keys() == versions[0].keys()
            assert pages(left) == pages(versions[seed % 2]), seed
            assert_nothing_is_left_in("reports")
    assert killed > 0
    print(f"{killed} of {2 * SEEDS} runs were killed")
