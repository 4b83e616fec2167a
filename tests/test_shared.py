"""What pages of one run share: counted by the first that asks, the same for all, and nothing without a folder."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import ibis
import pandas as pd
import pytest

from funnelstats.core import counts, shared
from funnelstats.core.shared import FOLDER, kept

CALLS = "calls.txt"


@shared.shared
def slowly(frame: pd.DataFrame, what: str, folder: Path) -> pd.DataFrame:
    """Stands for a count verb: leaves a mark each time it is really run."""
    with open(folder / CALLS, "a") as calls:
        calls.write(f"{what}\n")
    time.sleep(0.2)
    if what == "wrong":
        raise ValueError("no such stage")
    return frame.assign(what=what)


FRAME = pd.DataFrame({"manager": pd.Series(["Анна", None], dtype="str"), "on": pd.to_datetime(["2026-06-01", None])})


def calls(folder: Path) -> list[str]:
    return (folder / CALLS).read_text().split()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setenv(FOLDER, str(tmp_path / "run"))
    return tmp_path


def test_the_same_question_is_counted_once_and_another_one_anew(folder) -> None:
    first, again, other = (slowly(FRAME, what, folder) for what in ("this", "this", "that"))
    pd.testing.assert_frame_equal(first, FRAME.assign(what="this"))
    pd.testing.assert_frame_equal(again, first)
    assert other["what"].unique().tolist() == ["that"]
    assert calls(folder) == ["this", "that"]


def test_what_one_page_does_to_its_frame_is_not_seen_by_another(folder) -> None:
    found = slowly(FRAME, "this", folder)
    found["manager"] = "changed"
    assert slowly(FRAME, "this", folder)["manager"][0] == "Анна"


def test_pages_that_ask_at_once_wait_for_the_first(folder) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.starmap(slowly, [(FRAME, "this", folder)] * 3)
    assert calls(folder) == ["this"]
    for frame in found:
        pd.testing.assert_frame_equal(frame, FRAME.assign(what="this"))


def test_a_verb_that_fails_leaves_nothing_for_the_next(folder) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="no such stage"):
            slowly(FRAME, "wrong", folder)
    assert calls(folder) == ["wrong", "wrong"]


def test_half_of_a_result_is_nobody_s(tmp_path) -> None:
    path = tmp_path / "frame"
    turn = shared._made_once(path)
    turn.__enter__().write_bytes(b"half")
    turn.__exit__(OSError, OSError("the disk is full"), None)
    assert not path.exists()


def test_without_a_folder_every_verb_counts_for_itself(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    for _ in range(2):
        slowly(FRAME, "this", tmp_path)
    assert calls(tmp_path) == ["this", "this"]


def test_rows_of_another_preparation_are_other_rows(folder) -> None:
    con = ibis.duckdb.connect()
    for name, amount in (("payments_old", 10.0), ("payments_new", 70.0)):
        path = folder / f"{name}.parquet"
        pd.DataFrame({"lead_id": ["1"], "amount": [amount]}).to_parquet(path)
        found = counts.deal_size(con.read_parquet(path, table_name=name))
        assert found["mean_deal"].tolist() == [amount]
    assert len(list((folder / "run").glob("frame_*[!k]"))) == 2


def test_a_table_kept_is_the_same_table_in_every_process_s_own_engine(folder) -> None:
    path = folder / "entries.parquet"
    pd.DataFrame({"lead_id": ["1", "2"], "on": pd.to_datetime(["2026-06-01", None])}).to_parquet(path)
    tables = [kept(ibis.duckdb.connect().read_parquet(path, table_name="entries").order_by("lead_id")) for _ in "ab"]
    first, second = (table.to_pandas() for table in tables)
    pd.testing.assert_frame_equal(first, second)
    assert first["lead_id"].tolist() == ["1", "2"]
    assert len(list((folder / "run").glob("table_*[!k]"))) == 1
    # What is counted of it is known by its name, so that is the same in both.
    assert len({table.get_name() for table in tables}) == 1


@pytest.mark.usefixtures("folder")
def test_no_table_is_kept_as_none() -> None:
    assert kept(None) is None
