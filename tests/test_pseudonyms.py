"""Pages made with pseudonyms: no name and no id of the export stands in any file of theirs, all figures do."""

import re
import stat
import sys
from datetime import date
from pathlib import Path
from urllib.parse import quote
from zipfile import ZipFile, is_zipfile

import pandas as pd
import pytest
from projects import REPOSITORY, write, write_notebook

from funnelstats import cli
from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import read_funnel
from funnelstats.core.counts import outcome_days, step_counts
from funnelstats.core.journeys import journeys
from funnelstats.importing.opening import open_funnel
from funnelstats.importing.prepare import prepare

pytestmark = pytest.mark.usefixtures("here")

STATEMENT = """
title = "Our sales"
timezone = "Europe/Berlin"
currency = "EUR"
exported_on = 2026-04-05
stages = ["lead", "met", "paid"]
system_users = ["Zqueue Robot", "Zqueue Ghost"]
notes = ["Zdenka was ill in January"]
lead_url = "https://crm.example/deals/{lead_id}"
max_bad_share = 0.5
[step_into.met]
target = 0.9
horizon_days = 7
targets = { "Zdenka Quill" = 0.7 }
[step_into.paid]
target = 0.5
horizon_days = 14
[lead_base]
company = "firm"
[leads]
files = "deals.csv"
columns = { lead_id = "id", created_at = "created", manager = "owner", channel = "channel", amount = "amount" }
attributes = { firm = "firm", region = "region" }
[entries]
files = "moves.csv"
columns = { lead_id = "id", stage = "stage", entered_at = "at", manager = "owner", reason = "reason" }
[contacts]
files = "calls.csv"
columns = { lead_id = "id", at = "at", kind = "kind", manager = "owner" }
without = { owner = ["Zcolleague"] }
[payments]
files = "paid.csv"
columns = { lead_id = "id", paid_at = "at", amount = "sum" }
[costs]
files = "costs.csv"
columns = { date = "at", channel = "channel", amount = "sum" }
"""
PEOPLE = ["Zdenka Quill", "Жанна Цой", "Zoltan O'Neill", "zoltan o'neill", "Zqueue Robot"]
SECRETS = [
    *PEOPLE,
    "Zqueue Ghost",
    "Zdenka",
    "Quill",
    "Цой",
    "Zoltan",
    "zoltan",
    "Neill",
    "neill",
    "Zcolleague",
    "Zfirm",
    "ZID-",
    "crm.example",
]


def files(leads=160):
    rows = {"deals": ["id,created,owner,channel,amount,firm,region"], "moves": ["id,stage,at,owner,reason"]}
    rows |= {"calls": ["id,at,kind,owner"], "paid": ["id,at,sum"], "costs": ["at,channel,sum", "2026-01-02,fair,900"]}
    for number in range(leads):
        day, owner = pd.Timestamp(2026, 1, 1) + pd.Timedelta(number % 80, "D"), PEOPLE[number % 7 % 5]
        channel, lead = ("fair", "web")[number % 2], f"ZID-{number}"
        amount = "ask Zdenka Quill" if number == 5 else 100 + number
        rows["deals"].append(f"{lead},{day:%F},{owner},{channel},{amount},Zfirm {number // 2},{'NS'[number % 2]}")
        fates = [("lead", 0), *[("met", 3)] * (number % 3 > 0), ("paid", 9) if number % 5 == 1 else ("lost", 8)]
        for stage, after in fates[: 3 - (number % 4 == 3)]:
            at = day + pd.Timedelta(after, "D")
            rows["moves"].append(f"{lead},{stage},{at:%F},{owner},{'price' if stage == 'lost' else ''}")
            rows["calls"].append(f"{lead},{at:%F} 10:3{number % 10},call,{owner}")
        if number % 5 == 1:
            rows["paid"].append(f"{lead},{day + pd.Timedelta(12, 'D'):%F},{500 + number}")
    rows["calls"].append("ZID-1,2026-01-05 10:00,call,Zcolleague")
    rows["moves"] += ["ZID-orphan,lead,2026-01-05,Zdenka Quill,", "ZID-3,lead,Zoltan O'Neill knows,Zdenka Quill,"]
    return {f"{name}.csv": "\n".join(lines) for name, lines in rows.items()}


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["funnelstats", *words])
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code
    return 0


def texts(folder):
    """What stands in each file and in its name; the parts of a workbook are files too."""
    for path in filter(Path.is_file, folder.rglob("*")):
        parts = [path.read_bytes()]
        if is_zipfile(path):
            with ZipFile(path) as book:
                parts = [book.read(name) for name in book.namelist()]
        yield str(path), "\n".join([str(path), *(part.decode() for part in parts)])


def test_no_name_and_no_id_is_in_any_file_of_the_pages(monkeypatch, capsys):
    Path("notebooks").mkdir()
    for path in (REPOSITORY / "notebooks").glob("*.ipynb"):
        Path("notebooks", path.name).symlink_to(path)
    broken = [
        "import funnelstats as fs\nspec, tables = fs.open_funnel(funnel)\nraise ValueError(tables.leads.execute())"
    ]
    write_notebook(Path("notebooks", "broken.ipynb"), broken, "funnel = 'team'")
    folder = write(STATEMENT, files())
    (folder / "notes").mkdir()
    (folder / "notes" / "2026-02.md").write_text("# Wins\nZdenka Quill won Zfirm 7")
    assert command(monkeypatch, "weekly", "team", "--anonymise", "--week", "2026-W11") == 0
    assert command(monkeypatch, "monthly", "team", "--anonymise", "--month", "2026-02") == 0
    assert command(monkeypatch, "quarterly", "team", "--anonymise", "--quarter", "2026-Q1") == 0
    asked = ["-p", "deals", "20", "-p", "by", "2026-06-30"]
    assert command(monkeypatch, "report", "plan", "team", "--anonymise", *asked) == 0
    assert command(monkeypatch, "report", "leaks", "team", "--anonymise", "-p", "step", "met") == 0
    assert command(monkeypatch, "report", "broken", "team", "--anonymise") == 1
    key = Path("data", "processed", ".key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    hidden = [*SECRETS, *map(quote, SECRETS), *(ascii(name).strip("'\"") for name in SECRETS), key.read_bytes().hex()]
    found = dict(texts(Path("reports", "team.anonymous")))
    assert [(path, name) for path, text in found.items() for name in hidden if name in text] == []
    assert [name for name in hidden if name in "".join(capsys.readouterr())] == []
    kinds = {"".join(Path(path).suffixes[-1:]) for path in found}
    assert {".html", ".csv", ".xlsx", ".json", ".ipynb", ".txt"} <= kinds
    assert len([path for path in found if re.search(r"/manager-Manager-[A-Z2-7]{6}-\w+\.html", path)]) == 4
    assert any(re.search(r"Lead [A-Z2-7]{12}", text) for text in found.values())
    assert any(re.search(r"Company [A-Z2-7]{10}", text) for text in found.values())


def test_the_figures_are_those_under_the_names_and_a_pseudonym_stays():
    write(STATEMENT, files())
    counted = []
    for name in ("team", "team.anonymous"):
        prepare(name)
        funnel, tables = open_funnel(name)
        paths = journeys(tables.entries, funnel).cache()
        day = date(2026, 3, 20)
        counts = [count(paths, funnel, day, by="manager") for count in (step_counts, outcome_days)]
        counted.append([sorted(frame.drop(columns="manager").itertuples(index=False, name=None)) for frame in counts])
        owners = set(tables.entries.manager.execute().dropna())
        assert owners & set(funnel.system_users)
        assert set(funnel.steps[0].targets) <= owners
    assert counted[0] == counted[1]
    before = read_funnel("team.anonymous")
    write(STATEMENT.replace("Our sales", "Sales"), files(170))
    assert read_funnel("team.anonymous").system_users == before.system_users
    Path("data", "processed", ".key").unlink()
    assert read_funnel("team.anonymous").system_users != before.system_users


def test_a_key_that_is_none_is_refused():
    write(STATEMENT, files())
    Path("data", "processed").mkdir()
    Path("data", "processed", ".key").write_bytes(b"")
    with pytest.raises(FunnelError, match=r"\.key: must hold 32 bytes, holds 0"):
        read_funnel("team.anonymous")
