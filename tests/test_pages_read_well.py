"""The sample's pages in both languages: short, in the reader's words, nothing said twice, legible on every screen,
and telling nobody's secrets."""

import re
from collections import Counter
from copy import copy
from functools import cache
from html import unescape
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup

from funnelstats import weekly
from funnelstats.config.dates import week_days
from funnelstats.config.funnel import read_funnel
from funnelstats.config.schema import TABLES
from funnelstats.importing.opening import open_funnel
from funnelstats.page.sections import page_name
from funnelstats.reporting.reports import Job, render_many

ROOT = Path(__file__).parents[1]
WEEK = "2026-W26"
PAGES = {
    "weekly": {"week": WEEK},
    "manager": {"week": WEEK, "manager": "Иванов"},
    "data_check": {},
    "closed_loop": {"month": "2026-06"},
    "refusals": {"month": "2026-06"},
    "roi": {"quarter": "2026-Q2"},
    "plan": {"deals": 1000, "by": "2026-09-30"},
    "leaks": {"week": WEEK, "step": "contracted"},
    "counted": {},
}
LANGUAGES = ("en", "ru")
MOST_WORDS = {"weekly": 450, "manager": 400}
OTHERS = 500
FIRST_SCREEN = 90
JARGON = {
    "en": [
        *("by the horizon", "matured", "too recent", "cohort", "episode", "stage entry", "trailing", "tolerance"),
        *("rival", "instants", "backdated", "equal leads", "beyond chance", "the whole way", "case mix", "e-value"),
        *("p-value", "p_mid", "p_holm", "shrunken", "very likely within", "what to make of it"),
    ],
    "ru": ["к сроку", "созревш", "слишком свеж", "при равных лидах", "отказавшиеся лиды", "течёт", "на кону", "учител"],
}
"""Words that a sales head does not use, in small letters; not on a page of the team or of a manager."""


@pytest.fixture(scope="module")
def folder(sample_project):
    """Every kind of page in every language, each language in a folder of its own; in English of three managers."""
    reports = sample_project / "reports" / "sample"
    asked = [(language, name, name, given) for language in LANGUAGES for name, given in PAGES.items()]
    asked += [
        ("en", MANAGERS[name], "manager", PAGES["manager"] | {"manager": name}) for name in ("O'Neill", "Смирнова")
    ]
    jobs = [
        Job(
            ROOT / "notebooks" / f"{notebook}.ipynb",
            {"funnel": "sample", "language": language, **given},
            reports / language / f"{name}.html",
            "Страница" if language == "ru" else "Page",
            language=language,
        )
        for language, name, notebook, given in asked
    ]
    failed = [(job.job.target, job.reason) for job in render_many(jobs) if job.state != "made"]
    assert failed == []
    return reports


@pytest.fixture(params=[(language, name) for language in LANGUAGES for name in PAGES], ids="-".join)
def page(request, folder):
    language, name = request.param
    return language, name, folder / language / f"{name}.html"


@cache
def soup_of(path):
    """A page parsed, once for all tests; who takes something out of it copies it before."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def prose(path):
    """The words of a page that are neither in a table or figure nor folded away."""
    main = copy(soup_of(path).main)
    for tag in main.select("table, figure, svg, details > :not(summary), .fs-tiles, .fs-chart"):
        tag.decompose()
    return " ".join(main.get_text(" ").split())


def test_a_page_is_short(page):
    _language, name, path = page
    assert len(prose(path).split()) <= MOST_WORDS.get(name, OTHERS)


def test_no_number_is_said_twice(page):
    _language, _name, path = page
    funnel = read_funnel("sample")
    agreed = {f"{100 * step.target:g}" for step in funnel.steps if step.target}
    numbers = re.findall(r"\d[\d.,\u00a0]*(?=[\u00a0 ]?(?:%|₽|[KM]\b|млн|тыс|points|п\. п\.))", prose(path))
    counts = Counter(number.strip(".,\u00a0") for number in numbers)
    assert [number for number, times in counts.items() if times > 1 and len(number) > 1 and number not in agreed] == []


def test_no_word_of_statistics_stands_on_a_page_for_managers(page):
    language, name, path = page
    if name in ("weekly", "manager"):
        text = soup_of(path).main.get_text(" ").lower()
        assert [word for word in JARGON[language] if word in text] == []


def test_no_sign_stands_twice_and_nothing_has_no_minus(page):
    _language, _name, path = page
    text = soup_of(path).main.get_text(" ")
    assert re.findall(r".{30}(?:\.\.|,,|−0(?:[.,]0)?(?![\d.,])).{9}", text) == []


def test_days_and_quarters_are_written_for_people_and_for_a_spreadsheet_in_its_files(page):
    _language, _name, path = page
    assert re.findall(r".{0,20}\b20\d\d-(?:\d\d-\d\d|Q\d)", soup_of(path).main.get_text(" ")) == []
    cohorts = path.with_name("weekly.cohorts.csv").read_text(encoding="utf-8")
    assert re.match(r"\d{4}-\d\d-\d\d,", cohorts.splitlines()[1])


POINTS = {"en": ", points", "ru": ", п.\u00a0п."}
DIFFERENCES = {
    "en": {"difference", "mix difference", "likely difference (95%)", "effect on all leads", "shortfall", "apart"},
    "ru": {"разница", "разница при его лидах", "вероятная разница (95\u00a0%)", "эффект на всех лидов", "недобор"},
}
PROBABILITIES = {
    "en": {"probability", "probability of a fall", "makes the goal"},
    "ru": {"вероятность", "вероятность снижения", "достигает цели"},
}
"""What columns of both are called, before the unit."""
CERTAIN = ("100.0%", "0.0%", "100,0\u00a0%", "0,0\u00a0%")


def columns_of(path):
    """The name and the cells of each column of a page's tables."""
    for table in soup_of(path).main.select("table"):
        names = [head.get_text(" ").strip() for head in table.select("thead th")]
        rows = [row.find_all(["th", "td"]) for row in table.select("tbody tr")]
        for place, name in enumerate(names):
            yield name, [row[place].get_text(" ").strip() for row in rows if len(row) == len(names)]


def test_a_difference_of_two_shares_is_told_in_points(page):
    language, name, path = page
    columns = list(columns_of(path))
    assert {head for head, _cells in columns} & DIFFERENCES[language] == set(), "without their unit"
    told = [cell for head, cells in columns if head.endswith(POINTS[language]) for cell in cells]
    assert [cell for cell in told if "%" in cell] == []
    assert told or name not in ("weekly", "leaks", "manager", "refusals")


def test_no_probability_is_certain(page):
    language, name, path = page
    shown = [cell for head, cells in columns_of(path) if head in PROBABILITIES[language] for cell in cells]
    assert [cell for cell in shown if cell in CERTAIN] == []
    assert shown or name not in ("leaks", "plan")


TECHNICAL = ("в CRM", "XLSX", "CSV", "ISO", "UTC", "CUSUM", "mid-p")
WRITTEN = r"[\w./-]+\.(?:toml|csv|md)|(?:loop|missing|values)\.\w+|\b\d{4}-W\d\d\b"
"""Names of files and keys, which people type as they are."""


@pytest.fixture(scope="module")
def names(folder):
    """Whatever the export and its statement call things by and no label translates, longest first."""
    funnel = read_funnel("sample")
    notes = [path.read_text(encoding="utf-8") for path in funnel.folder.glob("notes/*")]
    found = {
        funnel.title,
        funnel.currency,
        funnel.timezone,
        *(line.strip("- ") for text in notes for line in text.splitlines()),
    }
    found |= {name for table in TABLES.values() for name in table if "_" in name}
    for path in (folder.parents[1] / "data" / "processed" / "sample").glob("*.parquet"):
        table = pq.read_table(path)
        if path.stem == "set_aside":
            table = table.select(["file", "column", "value"])
        for column in table.column_names:
            values = table[column].unique().to_pylist()
            found |= {value for value in values if isinstance(value, str) and re.search("[A-Za-z]{3}", value)}
    return sorted(found - {*funnel.labels["ru"], "lost", "nurture"}, key=len, reverse=True)


@pytest.mark.parametrize("name", PAGES)
def test_a_russian_page_says_nothing_in_english(folder, names, name):
    soup = copy(soup_of(folder / "ru" / f"{name}.html"))
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


# In a browser


FIRST_BLOCK = """
() => [...document.querySelectorAll("main h1, main .fs-lead")].reduce(
  ([words, end], part) => [words + part.innerText.match(/\\S+/g).length, part.getBoundingClientRect().bottom], [0, 0]
)
"""
TALL_BOXES = """
() => [...document.querySelectorAll(".fs-scroll")]
  .filter(box => box.scrollHeight > box.clientHeight + 1 && box.clientHeight > innerHeight).length
"""
SMALL_TEXT = """
() => [...document.querySelectorAll("main svg text")]
  .filter(text => text.getBoundingClientRect().width > 0)
  .map(text => {
    const scale = text.getScreenCTM();
    return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(scale.a, scale.b);
  })
  .filter(size => size < 10.95).length
"""
CUT_WORDS = r"""
() => [...document.querySelectorAll("main td, main th")].flatMap(cell => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), cut = [];
  while (walker.nextNode())
    for (const word of walker.currentNode.textContent.matchAll(/\p{L}+/gu)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      const [first, ...others] = range.getClientRects();
      if (others.some(rect => rect.top > first.bottom - 1)) cut.push(word[0]);
    }
  return cut;
})
"""
SIDEWAYS = """
() => [...document.querySelectorAll(".fs-table .fs-scroll")]
  .filter(box => box.scrollWidth > box.clientWidth + 1)
  .filter(box => box.getBoundingClientRect().top < innerHeight || box.closest("#table-flow")
    || box.querySelectorAll("thead th").length <= 4)
  .map(box => box.ariaLabel)
"""
"""Tables that a phone has room for, or that stand on its first screen, and are scrolled sideways all the same."""
A4 = {"width": 688, "height": 1009}  # between the margins
FIRST_BREAK = """
end => Math.min(end, ...[...document.querySelectorAll("main *")]
  .filter(part => getComputedStyle(part).breakInside === "avoid")
  .map(part => part.getBoundingClientRect())
  .filter(({top, bottom, height}) => top < end && bottom > end && height <= end)
  .map(({top}) => top))
"""
"""Where the first sheet of paper ends: at the first part that does not fit on it and is not to be broken."""
SCREENS = ((390, 844), (768, 1024), (1440, 900))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_legible_on_every_screen_and_in_the_dark(browser, folder, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe absent").Axe()

    def faults():
        found = axe.run(opened).response["violations"]
        return [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in found]

    context = browser.new_context(bypass_csp=True)
    opened, heard, address = context.new_page(), [], (folder / "en" / f"{name}.html").as_uri()
    opened.on("request", lambda asked: heard.append(asked.url))
    opened.on("console", lambda message: heard.append(message.text))
    opened.goto(address)
    assert heard == [address]
    for width, height in SCREENS:
        opened.set_viewport_size({"width": width, "height": height})
        if name not in ("counted", "data_check") and width != 768:
            words, end = opened.evaluate(FIRST_BLOCK)
            assert words <= FIRST_SCREEN, width
            assert end <= height, width
        assert opened.evaluate(TALL_BOXES) == 0, width
        assert opened.evaluate(SMALL_TEXT) == 0, width
        assert opened.evaluate(SIDEWAYS) == [], width
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        assert faults() == [], width
    # nothing but colours changes
    opened.emulate_media(color_scheme="dark")
    assert faults() == []
    context.close()


def test_no_page_is_wider_than_a_phone_and_a_desk_has_room_for_every_table(browser, page):
    _language, name, path = page
    opened = browser.new_page(viewport={"width": 360, "height": 800})
    opened.goto(path.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == 360
    opened.set_viewport_size({"width": 1440, "height": 900})
    opened.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
    wide = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.ariaLabel)"
    # an analyst's page shows all there is
    assert name == "leaks" or opened.eval_on_selector_all(".fs-table .fs-scroll", wide) == []
    opened.close()


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_the_first_sheet_is_full_no_word_is_cut_and_nothing_asks_for_input(browser, folder, name):
    opened = browser.new_page(viewport=A4)
    opened.emulate_media(media="print")
    opened.goto((folder / "en" / f"{name}.html").as_uri())
    assert opened.evaluate(FIRST_BREAK, A4["height"]) >= 2 / 3 * A4["height"]
    assert opened.evaluate(CUT_WORDS) == []
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = "[...document.querySelectorAll('input')].filter(field => getComputedStyle(field).display !== 'none').length"
    assert opened.evaluate(shown) == 0
    opened.close()


def test_a_page_that_leads_to_a_manager_names_the_file_of_that_page(folder):
    links = {link["data-page"] for link in soup_of(folder / "en" / "weekly.html").select("a.fs-page")}
    assert f"{page_name('manager', 'Иванов')}.html" in links


def test_two_shares_of_the_whole_way_say_what_each_counts(folder):
    words = " ".join(soup_of(folder / "en" / "weekly.html").main.get_text(" ").split())
    assert "lead → paid, each step in time" in words
    assert "lead → paid within 79 days in all" in words


# What nobody else may read


def written(path):
    """The text of a page or of a table beside it; of a workbook, all that it is zipped from."""
    if path.suffix != ".xlsx":
        return path.read_text(encoding="utf-8")
    with ZipFile(path) as book:
        return "\n".join(book.read(name).decode() for name in book.namelist())


TEAM = ("weekly", "closed_loop", "refusals", "roi")
"""What everybody may read."""
MANAGERS = {"Иванов": "manager", "O'Neill": "oneill", "Смирнова": "smirnova"}


def strings(path):
    """Every text in the cells of a workbook; numbers are none."""
    return {unescape(text) for text in re.findall(r"<t[^>]*>([^<]*)</t>", written(path))}


@pytest.fixture(scope="module")
def sample():
    """The funnel and its tables as exported; for tests that have asked for the pages first."""
    return open_funnel("sample")


def beside(path):
    """The tables beside a page, as a spreadsheet opens them."""
    return [pd.read_csv(table, dtype="str") for table in sorted(path.parent.glob(f"{path.stem}.*.csv"))]


def all_of(path):
    """The texts of a page and of all files beside it."""
    return "\n".join(map(written, sorted(path.parent.glob(f"{path.stem}.*"))))


def without_numbers_of_ours(path):
    """A page without what its tables are sorted by and the ids and lines of its drawings."""
    return re.sub(
        r' (?:data-sort="[\d.e+]*"|id="[a-zA-Z][\w-]*"|href="#[a-zA-Z][\w-]*"|d="[\w ,.-]*")',
        "",
        path.read_text(encoding="utf-8"),
    )


@pytest.fixture(scope="module")
def lessons(sample):
    """Who can teach whom."""
    return weekly.leak(*sample, WEEK, week_days(WEEK)[1]).lessons


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_managers_page_names_no_other_manager_but_a_coach(folder, sample, lessons, manager):
    _, tables = sample
    coaches = set(lessons.loc[lessons["learner"] == manager, "teacher"])
    owners = set(tables.entries.select("manager").distinct().to_pyarrow()["manager"].to_pylist()) - {None}
    assert len(owners) == 10
    text = all_of(folder / "en" / MANAGERS[manager]).replace("&#39;", "'").replace("&#x27;", "'")
    assert manager in text
    assert [other for other in owners - {manager} - coaches if other in text] == []


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_managers_page_holds_no_lead_that_was_never_the_managers(folder, sample, manager):
    _, tables = sample
    leads = tables.leads.select("lead_id", "company", "manager").to_pandas()
    held = tables.entries.filter(tables.entries.manager == manager).select("lead_id").distinct().to_pandas()["lead_id"]
    own = leads["lead_id"].isin(held) | (leads["manager"] == manager)
    path = folder / "en" / MANAGERS[manager]
    # Short ids are numbers like any others on a page, and what follows a point are decimals.
    words = set(re.findall(r"(?<![\w.])\w+", without_numbers_of_ours(path.with_suffix(".html"))))
    assert words & {lead for lead in leads.loc[~own, "lead_id"] if len(lead) > 5} == set()
    listed = {lead for frame in beside(path) if "lead_id" in frame for lead in frame["lead_id"]}
    assert {lead.lstrip("'") for lead in listed} <= set(leads.loc[own, "lead_id"])
    texts = strings(path.with_suffix(".xlsx"))
    assert texts & set(leads.loc[own, "lead_id"])
    assert texts & set(leads.loc[~own, "lead_id"]) == set()
    others = set(leads.loc[~own, "company"].dropna()) - set(leads.loc[own, "company"])
    text = all_of(path)
    named = [company for company in others if len(company) > 5 and company in text]
    assert [company for company in named if re.search(rf"{re.escape(company)}(?!\w)", text)] == []


@pytest.mark.parametrize("name", TEAM)
def test_the_teams_pages_and_files_hold_no_lead_and_no_company(folder, sample, name):
    _, tables = sample
    leads = tables.leads.select("lead_id", "company", "campaign").to_pandas()
    # the sample's formula stands for a campaign too, and campaigns are the team's
    companies = {company for company in leads["company"].dropna() if len(company) > 5} - set(leads["campaign"])
    ids = {lead for lead in leads["lead_id"] if len(lead) > 5}
    path = folder / "en" / name
    assert set(re.findall(r"(?<![\w.])\w+", without_numbers_of_ours(path.with_suffix(".html")))) & ids == set()
    assert strings(path.with_suffix(".xlsx")) & ids == set()
    assert beside(path)
    assert {str(column) for frame in beside(path) for column in frame} & {"lead_id", "company"} == set()
    text = unescape(all_of(path))
    assert [company for company in companies if company in text] == []


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_managers_tables_hold_the_managers_own_rows_alone(folder, manager):
    team, own = (
        pd.read_csv(folder / "en" / f"{name}.csv") for name in ("weekly.managers", f"{MANAGERS[manager]}.steps")
    )
    team = team[team["manager"] == manager]
    assert own.iloc[:, :3].to_numpy().tolist() == team[["from_stage", "to_stage", "entered"]].to_numpy().tolist()
