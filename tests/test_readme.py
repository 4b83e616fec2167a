"""The README keeps its word: its Python runs and prints what it says, its example of a funnel.toml is one."""

import doctest
import json
import re
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import funnelstats
from funnelstats.cli import app
from funnelstats.config.funnel import read_funnel
from funnelstats.config.schema import IGNORE
from funnelstats.importing.opening import read_quality
from funnelstats.importing.prepare import prepare
from funnelstats.page.layout import tables
from funnelstats.reporting.console import account_of_rows

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_prints_what_it_says(monkeypatch):
    monkeypatch.chdir(ROOT)
    prepare("sample")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", README, re.S))
    example = doctest.DocTestParser().get_doctest(blocks, {}, "README", "README.md", 0)
    assert len(example.examples) > 5
    said = []
    with pd.option_context("display.width", 120, "display.max_columns", 20):
        doctest.DocTestRunner().run(example, out=said.append)
    assert not said, "".join(said)


def test_what_prepare_says_of_the_sample_is_what_the_documentation_shows(monkeypatch):
    monkeypatch.chdir(ROOT)
    prepare("sample")
    shown = (ROOT / "docs" / "funnel_toml.md").read_text(encoding="utf-8")
    assert f"```\n{account_of_rows(read_quality('sample'))}\n```" in shown


EXAMPLES = [
    pytest.param(block, id=f"{path.name} {number}")
    for path in (ROOT / "README.md", ROOT / "docs" / "funnel_toml.md")
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.S), start=1)
]


def cells_of(source, lead, day, stage):
    """A row of a source by its headers: a lead that entered a stage on a day, or came in on it."""
    formats = source.date_format.get("*", ("%Y-%m-%d %H:%M",))
    names = {meant: name for name, meant in source.values.get("stage", {}).items()}
    written = {
        "lead_id": f"L{lead}",
        "stage": names.get(stage, stage),
        "manager": ("Anna", "Boris")[lead % 2],
        **dict.fromkeys(("created_at", "entered_at"), day and day.strftime(formats[0])),
    }
    return {header: written.get(name, "7") for name, header in source.columns.items()}


def export_of(funnel):
    """The files that a statement reads, of forty leads: each enters the stages up to its own, a third are refused."""
    files = {}
    for lead in range(40):
        came = datetime(2026, 1, 5, 10) + timedelta(days=2 * lead)
        ends = (*funnel.stages[1:-1], (funnel.stages[-1], "lost", IGNORE)[lead % 3])
        moves = [(stage, came + timedelta(days=4 * n)) for n, stage in enumerate((funnel.stages[0], *ends))]
        rows = files.setdefault(funnel.leads[0].files[0], [])
        rows.append(cells_of(funnel.leads[0], lead, came, None))
        for source in funnel.entries:
            if source.files == funnel.leads[0].files:
                stage, day = next((move for move in moves if move[0] == source.stage), moves[-1])
                rows[-1] |= cells_of(source, lead, "" if stage == IGNORE else day, stage)
            else:
                known = [cells_of(source, lead, day, stage) for stage, day in moves if stage != IGNORE]
                files.setdefault(source.files[0], []).extend(known)
    return {name: pd.DataFrame(rows) for name, rows in files.items()}


@pytest.mark.parametrize("stated", EXAMPLES)
def test_every_whole_example_of_a_funnel_makes_the_pages_of_a_week(stated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "raw" / "ours"
    folder.mkdir(parents=True)
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    (folder / "funnel.toml").write_text(stated, encoding="utf-8")
    funnel = read_funnel("ours")
    for name, rows in export_of(funnel).items():
        (rows.to_excel if name.endswith(".xlsx") else rows.to_csv)(folder / name, index=False)
    told = CliRunner().invoke(app, ["weekly", "ours", "--only", "team"])
    assert told.exit_code == 0, told.output
    assert account_of_rows(read_quality("ours")).count("100.0%") == 2
    entries = pd.read_parquet(tmp_path / "data" / "processed" / "ours" / "entries.parquet")
    assert (entries["stage"].value_counts()[[funnel.stages[0], funnel.stages[-1], "lost"]] == [40, 14, 13]).all()


def test_the_readme_names_only_verbs_that_exist():
    (table,) = re.findall(r"\| verb \|.*?\n\n", README, re.S)
    names = re.findall(r"`([\w.]+)[`(]", " ".join(row.split("|")[1] for row in table.strip().splitlines()[2:]))
    assert len(names) > 20
    assert all(attrgetter(name)(funnelstats) for name in names)


def test_every_question_has_its_section_in_a_notebook():
    (table,) = re.findall(r"\| question \|.*?\n\n", README, re.S)
    rows = [row.split("|")[1:3] for row in table.strip().splitlines()[2:]]
    assert len(rows) >= 20
    for question, places in rows:
        assert re.findall(r"\*([^*]+)\*", places), question
        for page, sections in re.findall(r"(weekly|manager|closed loop|refusals|roi|plan|leaks): ([^;]*)", places):
            path = ROOT / "notebooks" / f"{page.replace(' ', '_')}.ipynb"
            titles = [table["title"] for name, table in tables().items() if name.startswith(f"{path.stem}.")]
            prose = [cell["source"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
            prose += [page.read_text(encoding="utf-8") for page in ROOT.glob(f"funnelstats/*/{path.stem}.html")]
            for section in re.findall(r"\*([^*]+)\*", sections):
                start = section.removesuffix("?").removesuffix(" …")
                assert any(start in "".join(source) for source in [*titles, *prose]), f"{page} has no section {section}"
