"""Whatever an export or its statement looks like: one clear message, or tables whose every row is accounted for."""

import csv
import gzip
import io
import json
import random
import re
import sys
import tomllib
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from damage import BENIGN, DATED, SEEDS, arguments, bytes_of, cells, column, export, files, statement, text_of
from projects import REPOSITORY, copied, tables, write

from funnelstats import cli, journeys, open_funnel, read_quality, stage_flow, step_counts
from funnelstats.config import funnel
from funnelstats.config.errors import FunnelError
from funnelstats.importing.files import read_file
from funnelstats.importing.workbooks import visible_sheets
from funnelstats.reporting import reports
from funnelstats.reporting.pages import SCRIPT

pytestmark = pytest.mark.usefixtures("here")

STATEMENT = """
title = "Team"
timezone = "Europe/Berlin"
currency = "EUR"
max_bad_share = 1.0
lead_url = "https://crm.example/deals/{lead_id}"
system_users = ["Robot"]
base = ["channel"]
notes = "As the CRM says."
stages = ["lead", "met", "paid"]
labels.ru = { met = "встреча" }
contact = { follow_up_days = 5, conversation_s = 45 }
work = { start = 10:00:00, end = 19:00:00, holidays = [2026-01-06] }
lead_base.score = "amount"
[refusals]
categories.price = "money"
excuses = ["money"]
gaps.money = { channel = "web" }
retry_days_of.money = [30, 60]
[loop]
handed_over = "lead"
marketing = ["web"]
idle_days_at.met = 10
needs.met = ["amount"]
wrongly_qualified = "money"
[step_into]
met = { horizon_days = 14, target = 0.8, tolerance = 0.02, targets.Anna = 0.7 }
paid = { horizon_days = 30 }
"""
SOURCES = {
    "leads": """
[leads]
files = "leads.csv"
columns = { lead_id = "id", created_at = "created", manager = "manager", channel = "channel", amount = "amount" }
missing.amount = "-"
""",
    "entries": """
[[entries]]
files = ["entries.csv"]
columns = { lead_id = "id", stage = "stage", entered_at = "at", manager = "manager", reason = "reason" }
without.reason = "test"
values.stage.new = "lead"
""",
    "contacts": """
[contacts]
files = "contacts.csv"
columns = { lead_id = "id", at = "when", kind = "kind", duration_s = "seconds", reached = "reached" }
""",
    "payments": """
[payments]
files = "payments.csv"
columns = { lead_id = "id", paid_at = "paid", amount = "sum" }
currency_signs = "€"
""",
    "costs": """
[costs]
files = "costs.csv"
columns = { date = "day", channel = "channel", amount = "spent" }
""",
}
STATED = tomllib.loads(STATEMENT + "".join(SOURCES.values()))
IN, OUT = ["opening", "entered", "came_back"], ["advanced", "lost", "nurture", "moved_away"]
"""Columns of a flow whose difference is who is still there."""
LONGEST = 9600
"""Letters of sixty lines, the most that a message has."""


def command(*words, monkeypatch, capsys):
    """The exit code of a command and all it printed; nothing else may come of it."""
    monkeypatch.setattr(sys, "argv", ["funnelstats", *words])
    try:
        cli.main()
        code = 0
    except SystemExit as exit_:
        code = exit_.code
    return code, "".join(capsys.readouterr())


def written(tables, how=BENIGN["plain"]):
    return put({name: how(rows) for name, rows in tables.items()})


def put(contents):
    return write(
        STATEMENT + "".join(map(SOURCES.get, contents)), {f"{name}.csv": content for name, content in contents.items()}
    )


def figures():
    """Rates, after they and a week's flow were found to be possible."""
    spec, opened = open_funnel("team")
    paths = journeys(opened.entries, spec).cache()
    counts = step_counts(paths, spec, date(2026, 4, 15), by="manager")
    assert (counts["converted"] <= counts["entered"]).all()
    flow = stage_flow(paths, spec, date(2026, 2, 2), date(2026, 2, 8))
    came, went = (flow[names].sum(axis=1) for names in (IN, OUT))
    assert (came - went == flow["still_there"]).all()
    return counts


def assert_told(code, told):
    """All is well, or one message that somebody reads."""
    assert code in (0, 2), told
    assert len(told) < LONGEST
    assert told.isprintable() or not set(told) & {"\x1b", "\x00", "\u202e"}
    assert told if code == 2 else True


def assert_accounted_for(name):
    rows = read_quality(name).rows
    assert (rows["rows_in"] == rows[["rows_kept", "rows_ignored", "rows_set_aside"]].sum(axis=1)).all()


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


@pytest.mark.parametrize("seed", range(20 * SEEDS))
def test_a_damaged_statement_is_prepared_by_or_told(seed, monkeypatch, capsys):
    written(export(30))
    bent = statement(STATED, random.Random(seed))
    read = SimpleNamespace(loads=lambda _text: bent, TOMLDecodeError=tomllib.TOMLDecodeError)
    monkeypatch.setattr(funnel, "tomllib", read)
    assert_told(*command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys))


def test_another_way_to_write_the_same_table_changes_nothing(monkeypatch, capsys):
    found, some = [], {name: export(30)[name] for name in ("leads", "entries")}
    for how in BENIGN.values():
        written(some, how)
        assert command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys)[0] == 0
        found.append(tables())
    for other in found[1:]:
        for name in some:
            pd.testing.assert_frame_equal(other[name], found[0][name])


@pytest.mark.parametrize("seed", range(12 * SEEDS))
def test_a_damaged_export_is_accounted_for_to_the_row_or_told(seed, monkeypatch, capsys):
    rng = random.Random(seed)
    whole = export(rng.choice([20, 120]))
    some = {name: rows for name, rows in whole.items() if name in ("leads", "entries") or rng.random() < 0.3}
    put(files(cells(some, rng), rng))
    code, told = command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys)
    assert_told(code, told)
    if code == 0:
        assert_accounted_for("team")
        if seed % 8 == 0:
            figures()


@pytest.mark.parametrize("name", ["sample", "olist", "maven_crm", "receipt"])
@pytest.mark.parametrize("seed", range(1 + SEEDS // 10))
def test_a_real_export_that_is_damaged_is_accounted_for_or_told(seed, name, monkeypatch, capsys):
    rng = random.Random(seed)
    folder = copied(name, REPOSITORY / "data" / "raw" / name if name == "sample" else name)
    stated = folder / "funnel.toml"
    stated.write_text("max_bad_share = 1.0\n" + re.sub("max_bad_share.*", "", stated.read_text(encoding="utf-8")))
    spoiled = rng.choice(sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".gz")))
    if spoiled.suffix == ".gz":
        spoiled.write_bytes(bytes_of(gzip.decompress(spoiled.read_bytes()), rng))
    else:
        text = spoiled.read_text(encoding="utf-8-sig")
        mark = max(",;", key=text[:100].count)
        bent = cells({"": list(csv.reader(io.StringIO(text), delimiter=mark))}, rng)
        spoiled.write_text(text_of(bent[""], mark), encoding="utf-8")
    code, told = command("prepare", name, monkeypatch=monkeypatch, capsys=capsys)
    assert_told(code, told)
    if code == 0:
        assert_accounted_for(name)


OPTIONAL = {
    **{("leads", "created"): {"created_at", "created_on"}, ("contacts", "seconds"): {"duration_s"}},
    **{("leads", name): {name} for name in ("manager", "channel", "amount")},
    **{("entries", name): {name} for name in ("manager", "reason")},
    **{("contacts", "reached"): {"reached"}, ("costs", "channel"): {"channel"}},
}
"""Columns that a row can do without, and what is made of them."""


@pytest.mark.parametrize("seed", range(2 * SEEDS))
def test_damage_to_one_column_leaves_the_others_as_they_were(seed, monkeypatch, capsys):
    rng = random.Random(seed)
    whole = export(60)
    written(whole)
    command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys)
    before = tables()
    name, header = rng.choice(list(OPTIONAL))
    written(column(whole, name, header, rng))
    code, told = command("prepare", "team", monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0, told
    after = tables()
    changed = {other for other in after[name] if not after[name][other].equals(before[name][other])}
    assert changed <= OPTIONAL[name, header]
    for other in DATED.keys() - {name}:
        pd.testing.assert_frame_equal(after[other], before[other])


@pytest.mark.parametrize("seed", range(2 * SEEDS))
def test_init_describes_a_damaged_export_or_says_what_it_lacks(seed, monkeypatch, capsys):
    rng = random.Random(seed)
    Path("data/raw").mkdir(parents=True)
    Path("crm").mkdir()
    for name, content in files(cells(export(), rng), rng).items():
        Path("crm", f"{name}.csv").write_bytes(content)
    code, told = command("init", "crm", "--name", "team", "--yes", monkeypatch=monkeypatch, capsys=capsys)
    assert_told(code, told)


@pytest.mark.parametrize("seed", range(10 * SEEDS))
def test_wrong_words_of_a_command_are_told(seed, monkeypatch, capsys):
    written(export(30))
    Path("notebooks").symlink_to(REPOSITORY / "notebooks")
    monkeypatch.setattr(reports, "render_many", lambda *_jobs, **_how: [])
    assert_told(*command(*arguments(random.Random(seed)), monkeypatch=monkeypatch, capsys=capsys))


RUNS = [
    ("weekly", "team", "--only", "weekly"),
    ("weekly", "team", "--only", "data_check", "--only", "manager=Anna", "--language", "ru"),
    ("monthly", "team"),
    ("quarterly", "team", "--anonymise"),
    ("report", "plan", "team"),
    ("report", "leaks", "team", "-p", "step", "paid"),
    ("weekly", "team", "--week", "2026-W09", "--by", "channel"),
]


@pytest.mark.parametrize("seed", range(2 * SEEDS))
def test_pages_of_a_damaged_export_are_made_whole_and_ask_for_nothing(seed, monkeypatch, capsys):
    rng = random.Random(seed)
    Path("notebooks").symlink_to(REPOSITORY / "notebooks")
    written(cells(export(), rng))
    code, told = command(*RUNS[seed % len(RUNS)], monkeypatch=monkeypatch, capsys=capsys)
    assert_told(code, told)
    for page in Path("reports").rglob("*.html"):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert {script.string for script in soup("script")} <= {SCRIPT}
        assert not soup.select("[onload], [onerror], [src], link, iframe, object, a[href^=javascript]")
        links = {link["href"].partition("/deals/")[0] for link in soup.select("a[href^=http]")}
        assert links <= {"https://crm.example"}
        assert not re.search(r"\b(nan|NaT|None)\b", soup.get_text())
    for table in Path("reports").rglob("*.csv"):
        shares = pd.read_csv(table).reindex(columns=["rate", "matured_rate", "share"])
        assert (shares.isna() | shares.ge(0) & shares.le(1)).all(axis=None), table
