"""Whatever an export or its statement looks like: one clear message, or tables whose every row is accounted for."""

import gzip
import io
import json
import random
import sys
import tomllib
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from damage import BENIGN, SEEDS, bytes_of, cells, export, statement, text_of
from projects import REPOSITORY, write

from funnelstats import cli, journeys, open_funnel, read_quality, stage_flow, step_counts
from funnelstats.config import funnel
from funnelstats.config.errors import FunnelError
from funnelstats.importing.files import read_file
from funnelstats.importing.workbooks import visible_sheets
from funnelstats.reporting.pages import SCRIPT

pytestmark = pytest.mark.usefixtures("here")

STATEMENT = """
title = "Team"
timezone = "Europe/Berlin"
currency = "EUR"
max_bad_share = 0.5
stages = ["lead", "met", "paid"]
step_into = { met = { horizon_days = 14, target = 0.8 }, paid = { horizon_days = 30 } }
[leads]
files = "leads.csv"
columns = { lead_id = "id", created_at = "created", manager = "manager", channel = "channel", amount = "amount" }
[entries]
files = "entries.csv"
columns = { lead_id = "id", stage = "stage", entered_at = "at", manager = "manager", reason = "reason" }
"""
IN, OUT = ["opening", "entered", "came_back"], ["advanced", "lost", "nurture", "moved_away"]
"""Columns of a flow whose difference is who is still there."""
LONGEST = 4000
"""Letters of a message that somebody still reads."""


def command(*words, monkeypatch, capsys):
    """The exit code of a command and all it printed; nothing else may come of it."""
    monkeypatch.setattr(sys, "argv", ["funnelstats", *words])
    try:
        cli.main()
        code = 0
    except SystemExit as exit_:
        code = exit_.code
    return code, "".join(capsys.readouterr())


def written(tables, how=text_of):
    texts = {f"{name}.csv": how(rows) for name, rows in tables.items()}
    return write(STATEMENT, {name: text if isinstance(text, bytes) else text.encode() for name, text in texts.items()})


def figures():
    spec, tables = open_funnel("team")
    return step_counts(journeys(tables.entries, spec), spec, date(2026, 4, 15), by="manager")


KINDS = {
    "csv": text_of(export()["leads"]).encode(),
    "csv.gz": gzip.compress(text_of(export()["leads"]).encode()),
    "json": json.dumps([dict(zip("abcde", row, strict=True)) for row in export()["leads"]]).encode(),
    "xes": b'<log><trace><string key="id" value="1"/><event><string key="stage" value="a"/></event></trace></log>',
}
for kind in ("xlsx", "parquet"):
    frame, held = pd.DataFrame(export()["leads"][1:], columns=export()["leads"][0]), io.BytesIO()
    frame.to_excel(held, index=False) if kind == "xlsx" else frame.to_parquet(held)
    KINDS[kind] = held.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_told_by_its_name(kind, tmp_path):
    path = tmp_path / f"deals.{kind}"
    outcomes = set()
    for seed in range(20 * SEEDS):
        path.write_bytes(bytes_of(KINDS[kind], random.Random(seed)))
        try:
            if kind == "xlsx":
                visible_sheets(path)
            outcomes.add(type(read_file(path)).__name__)
        except FunnelError as error:
            outcomes.add("told" if "deals." in str(error) else seed)
    assert outcomes <= {"Read", "told"}


def test_a_damaged_statement_is_prepared_by_or_told(monkeypatch, capsys):
    stated = tomllib.loads(STATEMENT)
    written(export())
    codes = set()
    for seed in range(40 * SEEDS):
        bent = statement(stated, random.Random(seed))
        read = SimpleNamespace(loads=lambda _text, bent=bent: bent, TOMLDecodeError=tomllib.TOMLDecodeError)
        monkeypatch.setattr(funnel, "tomllib", read)
        code, told = command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys)
        assert code in (0, 2), seed
        assert len(told) < LONGEST, seed
        codes.add(code)
    assert codes == {0, 2}


def test_another_way_to_write_the_same_table_changes_no_figure(monkeypatch, capsys):
    found = []
    for how in (text_of, *BENIGN.values()):
        written(export(), how)
        assert command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys)[0] == 0
        found.append(figures())
    for other in found[1:]:
        pd.testing.assert_frame_equal(other, found[0])


@pytest.mark.parametrize("seed", range(12 * SEEDS))
def test_a_damaged_export_is_accounted_for_to_the_row_or_told(seed, monkeypatch, capsys):
    written(cells(export(), random.Random(seed)))
    code, told = command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys)
    assert code in (0, 2), told
    assert len(told) < LONGEST
    assert told.isprintable() or not set(told) & {"\x1b", "\x00", "\u202e"}
    if code == 2:
        return
    rows = read_quality("team").rows
    assert (rows["rows_in"] == rows[["rows_kept", "rows_ignored", "rows_set_aside"]].sum(axis=1)).all()
    counts = figures()
    assert (counts["converted"] <= counts["entered"]).all()
    spec, tables = open_funnel("team")
    flow = stage_flow(journeys(tables.entries, spec), spec, date(2026, 2, 2), date(2026, 2, 8))
    came, went = (flow[names].sum(axis=1) for names in (IN, OUT))
    assert (came - went == flow["still_there"]).all()


@pytest.mark.parametrize("seed", range(2 * SEEDS))
def test_pages_of_a_damaged_export_are_made_whole_and_ask_for_nothing(seed, monkeypatch, capsys):
    Path("notebooks").symlink_to(REPOSITORY / "notebooks")
    written(cells(export(), random.Random(seed)))
    code, told = command("weekly", "team", "--only", "weekly", monkeypatch=monkeypatch, capsys=capsys)
    assert code in (0, 2), told
    for page in Path("reports").rglob("*.html"):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert {script.string for script in soup("script")} <= {SCRIPT}
        assert not soup.select("[onload], [onerror], [src], a[href^=http], a[href^=javascript], link, iframe, object")
