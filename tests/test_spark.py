"""The team's page of the sample, counted on Spark: the same bytes as on DuckDB."""

import shutil
import sys
from pathlib import Path

import pytest
from backends import SPARKS_OWN
from projects import REPOSITORY

from funnelstats import cli, open_funnel
from funnelstats.config.errors import FunnelError
from funnelstats.importing.prepare import prepare

pytestmark = pytest.mark.usefixtures("sample")


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """The sample's files in a working folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "data" / "raw" / "sample", "data/raw/sample")


def state_spark():
    toml = Path("data/raw/sample/funnel.toml")
    toml.write_text('engine = "spark"\n' + toml.read_text(encoding="utf-8"), encoding="utf-8")


def made(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["funnelstats", "report", "weekly", "sample", "-p", "week", "2026-W26"])
    cli.main()
    made = {path.name: path.read_bytes() for path in Path("reports/sample/weekly").glob("weekly-*")}
    shutil.rmtree("reports")
    return made


@SPARKS_OWN
def test_a_page_is_the_same_whatever_it_is_counted_on(monkeypatch):
    pytest.importorskip("pyspark", reason="Spark needs funnelstats[spark]")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    Path("notebooks").symlink_to(REPOSITORY / "notebooks")
    on_duckdb = made(monkeypatch)
    state_spark()
    assert len(on_duckdb) > 10
    assert made(monkeypatch) == on_duckdb


def test_without_spark_the_line_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    state_spark()
    prepare("sample")
    with pytest.raises(FunnelError, match=r'^engine = "spark" needs it: pip install "funnelstats\[spark\]"$'):
        open_funnel("sample")
