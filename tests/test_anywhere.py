"""Windows has no forks and none of Unix's modules: all that a project needs works without them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from projects import NAME, REPOSITORY, TOML, write

# Python runs this before anything else, in the run's processes as well. Other libraries know where they are.
WITHOUT = """
import builtins, multiprocessing, os, signal

multiprocessing.get_all_start_methods = lambda: ["spawn"]
del os.setsid, os.sched_getaffinity, signal.pthread_sigmask
imported = builtins.__import__

def elsewhere(name, globals=None, locals=None, fromlist=(), level=0):
    ours = ((globals or {}).get("__name__") or "").startswith("funnelstats")
    if ours and {name, *(fromlist or ())} & {"fcntl", "resource", "pwd", "grp", "termios", "forkserver"}:
        raise ImportError(name)
    return imported(name, globals, locals, fromlist, level)

builtins.__import__ = elsewhere
"""
LOCKING = """
import sys
from pathlib import Path
from funnelstats.config import folders
from funnelstats.config.folders import locked

assert folders.fcntl is None
with locked(Path("reports")):
    print("locked", flush=True)
    sys.stdin.read()
"""
TAKING = """
from pathlib import Path
from funnelstats.config.folders import locked

try:
    with locked(Path("reports"), wait=False):
        print("free")
except BlockingIOError:
    print("taken")
"""


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Starts Python as it is where there is no Unix."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    (tmp_path / "room").mkdir()
    own = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}", "TMPDIR": str(tmp_path / "room")}

    def start(*words):
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, *words], env=own, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT
        )

    return start


def said(process):
    return process.communicate(timeout=300)[0]


def test_every_module_but_that_of_forks_can_be_imported(python):
    modules = sorted((REPOSITORY / "funnelstats").rglob("[!_]*.py"))
    names = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in modules]
    assert len(names) > 100
    names.remove("funnelstats.reporting.preload")
    assert said(python("-c", f"import {', '.join(names)}")) == ""


def test_an_export_becomes_a_page(python):
    write("exported_on = 2026-02-28\n" + TOML)
    Path("notebooks").symlink_to(REPOSITORY / "notebooks")
    told = said(python("-m", "funnelstats", "weekly", NAME, "--only", "weekly"))
    assert "failed" not in told
    made = {path.name for path in Path("reports", NAME).glob("2026-W*/*.html")}
    assert made == {"index.html", "team.html"}, told
    assert [*Path("room").iterdir(), *Path("reports").rglob(".*")] == []


def test_a_lock_is_one_process_s_and_ends_with_it(python):
    Path("reports").mkdir()
    with python("-c", LOCKING) as holder:
        assert holder.stdout.readline() == "locked\n"
        assert said(python("-c", TAKING)) == "taken\n"
        holder.kill()
    assert said(python("-c", TAKING)) == "free\n"
    assert list(Path("room").iterdir()) == []
