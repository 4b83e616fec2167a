"""What pages of one run share: made by the first that asks, the same for all, and nothing without a folder."""

import multiprocessing
import time
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import pandas as pd
import pytest
from backends import funnel_of, random_entries, table

from funnelstats.config.folders import RUN_FOLDER
from funnelstats.core import shared
from funnelstats.core.journeys import journeys
from funnelstats.core.shared import kept_journeys, made_once

CALLS = "calls.txt"
FRAME = pd.DataFrame({"manager": pd.Series(["Анна", None], dtype="str"), "on": pd.to_datetime(["2026-06-01", None])})


class Found(NamedTuple):
    """A frame and a lazy table, as a week's page has."""

    rates: pd.DataFrame
    paths: Any


def found(name: str, folder: Path, *, fails: bool = False) -> Found:
    """What a page asks for; each time it is really made leaves a mark."""
    engine = ibis.duckdb.connect()

    def make() -> Found:
        with open(folder / CALLS, "a") as calls:
            calls.write(f"{name}\n")
        time.sleep(0.2)
        if fails:
            raise ValueError("no such stage")
        return Found(FRAME, ibis.memtable(FRAME).order_by("manager").cache())

    return made_once(name, make, engine)


def seen(name: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same as frames, which another process can send back."""
    rates, paths = found(name, folder)
    return rates, paths.to_pandas()


def calls(folder: Path) -> list[str]:
    return (folder / CALLS).read_text().split()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setenv(RUN_FOLDER, str(tmp_path / "run"))
    return tmp_path


def test_what_has_one_name_is_made_once_and_what_has_another_anew(folder) -> None:
    for name in ("W25", "W25", "W26"):
        rates, paths = seen(name, folder)
        pd.testing.assert_frame_equal(rates, FRAME)
        assert paths["manager"].dropna().tolist() == ["Анна"]
        assert paths["on"].tolist() == FRAME["on"].tolist()
    assert calls(folder) == ["W25", "W26"]


def test_pages_that_ask_at_once_wait_for_the_first(folder) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pages = pool.starmap(seen, [("W26", folder)] * 3)
    assert calls(folder) == ["W26"]
    for rates, _paths in pages:
        pd.testing.assert_frame_equal(rates, FRAME)


def test_what_fails_leaves_nothing_for_the_next(folder) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="no such stage"):
            found("W26", folder, fails=True)
    assert calls(folder) == ["W26", "W26"]
    assert [path.suffix for path in (folder / "run").iterdir()] == [".lock"]


def test_without_a_folder_every_page_makes_all_for_itself(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(RUN_FOLDER, raising=False)
    for _ in range(2):
        found("W26", tmp_path)
    assert calls(tmp_path) == ["W26", "W26"]


def test_journeys_made_a_part_of_the_leads_at_a_time_are_those_made_at_once(monkeypatch, duckdb) -> None:
    funnel = funnel_of("lead", "met", "offered", "paid")
    entries = random_entries(1, funnel.stages, undated=5)
    # Of all leads one had somebody at this stage: those of the other parts had not, and their stage is no nobody's.
    offered = entries["stage"] == "offered"
    entries.loc[offered, "manager"] = None
    entries.loc[offered.idxmax(), "manager"] = "Anna"
    entries = table(duckdb, entries)
    monkeypatch.setattr(shared, "ENTRIES_AT_ONCE", 50)
    order = ["lead_id", "episode", "place"]
    once, parts = (
        made(entries, funnel).to_pandas().sort_values(order, ignore_index=True) for made in (journeys, kept_journeys)
    )
    assert (once["stage"] == "offered").any()
    pd.testing.assert_frame_equal(parts, once)
