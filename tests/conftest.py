"""Fixtures shared by the tests."""

import gc
import os
import shutil
from pathlib import Path

import pytest
from backends import con, duckdb, postgres, pyspark  # noqa: F401
from projects import REPOSITORY

from funnelstats.config.dates import begin_weeks_on, begin_years_in
from funnelstats.importing.prepare import prepare
from funnelstats.page import figures

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """An empty project to work in, and an empty folder ``export`` beside it."""
    (tmp_path / "project" / "data" / "raw").mkdir(parents=True)
    (tmp_path / "export").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("TZ", raising=False)


@pytest.fixture
def sundays():
    """Weeks begin on Sunday, for one test."""
    begin_weeks_on("sunday")
    yield
    begin_weeks_on("monday")


@pytest.fixture
def fiscal():
    """Sets the first month of the fiscal year for one test."""
    yield begin_years_in
    begin_years_in(1)


@pytest.fixture(scope="module")
def sample_project(tmp_path_factory):
    """A project with the sample prepared and the notebooks beside it; the tests of a module run in it.

    What `make test` has prepared is copied, and made again only where it is not of these files and this code.
    """
    folder = tmp_path_factory.mktemp("project")
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "sample").symlink_to(REPOSITORY / "data" / "raw" / "sample")
    (folder / "notebooks").symlink_to(REPOSITORY / "notebooks")
    made = REPOSITORY / "data" / "processed" / "sample"
    if made.is_dir():
        shutil.copytree(made, folder / "data" / "processed" / "sample")
    before = Path.cwd()
    os.chdir(folder)
    prepare("sample")
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright absent")
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if not found:
        pytest.skip("chromium absent")
    with api.sync_playwright() as play:
        # A container without user namespaces has no sandbox; the page opened is our own.
        started = play.chromium.launch(executable_path=found, args=["--no-sandbox", *QUIET])
        yield started
        started.close()


@pytest.fixture
def drawn(monkeypatch):
    """The drawings as matplotlib has them, without those of the key; of a wide panel the narrow one first."""
    kept = []

    def keep(figure, *rest, fixed=False):
        kept.extend([] if fixed else [figure])
        return original(figure, *rest, fixed=fixed)

    original = figures._svg
    monkeypatch.setattr(figures, "_svg", keep)
    return kept


def pytest_collection_modifyitems(items):
    """A loop over random histories runs on DuckDB with every seed, on the other engines with the first of each case."""
    seen = set()

    def is_wanted(item):
        given = item.callspec.params if hasattr(item, "callspec") else {}
        if "seed" not in given or given.get("con", "duckdb") == "duckdb":
            return True
        loop = (item.function, *(repr(value) for name, value in given.items() if name != "seed"))
        return not (loop in seen or seen.add(loop))

    items[:] = filter(is_wanted, items)


def pytest_collection_finish():
    """What is imported by now stays: Python need not look through it for garbage again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
