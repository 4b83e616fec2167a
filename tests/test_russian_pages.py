"""Pages of the sample in Russian: whatever is ours on them is Russian, and only the data is as it was written."""

import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup

from funnelstats.config.funnel import read_funnel
from funnelstats.config.schema import TABLES
from funnelstats.importing.prepare import prepare
from funnelstats.reporting.reports import Job, render_many

ROOT = Path(__file__).parents[1]
STAGES = {
    "lead": "заявка", "met": "встреча", "presented": "презентация", "contracted": "договор", "paid": "оплата"
}  # fmt: skip
"""The sample's own names would hide a word of ours that was forgotten."""
PAGES = {
    "weekly": {"week": "2026-W26"},
    "manager": {"week": "2026-W26", "manager": "Иванов"},
    "data_check": {},
    "closed_loop": {"month": "2026-06"},
    "refusals": {"month": "2026-06"},
    "roi": {"quarter": "2026-Q2"},
    "plan": {"deals": 1000, "by": "2026-09-30"},
    "leaks": {"week": "2026-W26", "step": "договор"},
}
TECHNICAL = ("в CRM", "XLSX", "ISO", "UTC", "mid-p")
WRITTEN = r"[\w./-]+\.(?:toml|csv|md)|(?:loop|missing|values)\.\w+|\b\d{4}-W\d\d\b"
"""Names of files and keys, which people type as they are."""


@pytest.fixture(scope="module")
def funnel(tmp_path_factory):
    """The sample with Russian stages, prepared in a project of its own, which everything here runs in."""
    folder = tmp_path_factory.mktemp("project")
    raw = folder / "data" / "raw" / "sample"
    raw.mkdir(parents=True)
    for path in (ROOT / "data" / "raw" / "sample").glob("*.csv"):
        (raw / path.name).symlink_to(path)
    text = (ROOT / "data" / "raw" / "sample" / "funnel.toml").read_text(encoding="utf-8")
    for english, russian in STAGES.items():
        text = re.sub(rf'"{english}"|(?<![\w"]){english}(?![\w"])', f'"{russian}"', text)
    (raw / "funnel.toml").write_text(text, encoding="utf-8")
    before = Path.cwd()
    os.chdir(folder)
    prepare("sample")
    yield read_funnel("sample")
    os.chdir(before)


@pytest.fixture(scope="module")
def pages(funnel):
    folder = Path("reports", "sample", "2026-W26").resolve()
    jobs = [
        Job(
            ROOT / "notebooks" / f"{name}.ipynb",
            {"funnel": funnel.name, "language": "ru", **given},
            folder / f"{name}.html",
            "Страница",
            section="Раздел",
            label="Страница",
            language="ru",
        )
        for name, given in PAGES.items()
    ]
    records = render_many(jobs, title="Неделя")
    assert [(record.job.target.stem, record.reason) for record in records if record.state != "made"] == []
    return {path.stem: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in folder.glob("*.html")}


@pytest.fixture(scope="module")
def names(funnel):
    """Whatever the export and its statement call things by, longest first."""
    folder = Path("data", "processed", funnel.name)
    found = {funnel.title, funnel.currency, funnel.timezone, *funnel.base, *funnel.refusals.categories.values()}
    found |= {name for table in TABLES.values() for name in table if "_" in name}
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        if path.stem == "set_aside":
            table = table.select(["file", "column", "value"])
        for column in table.column_names:
            values = table[column].unique().to_pylist()
            found |= {value for value in values if isinstance(value, str) and re.search("[A-Za-z]{3}", value)}
    return sorted(found - {"channel"}, key=len, reverse=True)


@pytest.mark.parametrize("page", [*PAGES, "index"])
def test_a_russian_page_says_nothing_in_english(pages, names, page):
    soup = pages[page]
    for tag in soup(["script", "style"]):
        tag.decompose()
    said = [*soup.stripped_strings]
    said += [
        tag[key] for key in ("alt", "title", "aria-label", "data-label") for tag in soup.find_all(attrs={key: True})
    ]
    assert len(said) > 20
    assert [text for text in dict.fromkeys(said) if _english(text, names)] == []


def _english(text, names):
    """Whether three Latin letters are left of a text without what the data calls things by."""
    text = re.sub("|".join([WRITTEN, *map(re.escape, TECHNICAL)]), "", text)
    for name in names if re.search("[A-Za-z]{3}", text) else ():
        if name in text:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "", text)
    return bool(re.search("[A-Za-z]{3}", text))


def test_a_word_of_ours_that_was_forgotten_is_seen(names):
    assert _english("лиды: not ranked", names)
    assert _english("по channel", names)
    assert not _english("Trade fair, Müller, funnel.toml, XLSX", [*names, "Trade fair"])
