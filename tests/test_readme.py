"""The README keeps its word: its Python runs and prints what it says, its example of a funnel.toml is one."""

import doctest
import json
import re
import tomllib
from operator import attrgetter
from pathlib import Path

import pandas as pd

import funnelstats
from funnelstats.config.funnel import Funnel
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


def test_the_readme_s_funnel_is_a_whole_one():
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    funnel = Funnel.model_validate({**tomllib.loads(block), "name": "ours"})
    assert funnel.stages == ("lead", "met", "won")


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
