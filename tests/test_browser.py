"""Pages in a real browser: they ask for nothing, run nothing, fit a phone, and a name stays a name."""

import re
from itertools import pairwise

import nbformat
import pandas as pd
import pytest
from backends import funnel_of
from test_pages_read_well import CUT_WORDS

from funnelstats.core.conversion import conversion_rates
from funnelstats.page.figures import Panel, house_panel, label_marks, show_figure
from funnelstats.page.layout import Layout
from funnelstats.page.tables import LONG, show_table, show_text
from funnelstats.reporting.overview import weeks_html
from funnelstats.reporting.pages import SCRIPT, faults, page_html, site_page
from funnelstats.team.charts import trend_chart

MANAGER = "<img src=x onerror=alert(1)>"
ATTRIBUTE = '"><svg onload=alert(2)>{{ 7 * 7 }}<a href="javascript:alert(3)">'
STAGE = "<script>alert(4)</script>"


def counts(**keys):
    frame = pd.DataFrame({**keys, "from_stage": ["lead"] * 2, "to_stage": [STAGE] * 2})
    return conversion_rates(frame.assign(entered=[40, 30], converted=[20, 27]))


def hostile_page():
    """A page of everything that a page can hold, each with names that want to be code."""
    funnel = funnel_of("lead", STAGE)
    managers = counts(manager=[MANAGER, "$x^$ & Sons"]).assign(target=0.8, verdict=["red", "green"])
    weeks = counts(week=pd.to_datetime(["2026-06-01", "2026-06-08"]))
    many = pd.DataFrame({"lead": [f"{ATTRIBUTE}{n}" for n in range(LONG + 4)], "channel": ATTRIBUTE, STAGE: 1.5})
    shown = [
        show_text([f"{MANAGER} at lead → {STAGE}: {ATTRIBUTE}", f"{STAGE}: look"]),
        show_text([ATTRIBUTE], title=MANAGER, box="warning"),
        trend_chart(weeks, funnel),
        show_table(managers, Layout(name="managers", title=f"{MANAGER} {STAGE}", group=["manager"])),
        show_table(many.assign(**{f"wide {n}": "a number" for n in range(12)}), Layout(name="many", title=ATTRIBUTE)),
    ]
    return page_of(shown)


def page_of(shown):
    outputs = []
    for data, rest in (one._repr_mimebundle_() for one in shown):
        outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=rest))
    cells = [nbformat.v4.new_markdown_cell("# Who leaks?"), nbformat.v4.new_code_cell("", outputs=outputs)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    html = page_html(notebook, title=f"{MANAGER}: {STAGE}")
    assert faults(html, notebook) == []
    return html


def links_page():
    page = {"label": MANAGER, "href": "a.html", "state": "made"}
    return site_page("overview.html.j2", "en", sections=[(STAGE, [page, {**page, "state": "failed"}])], title=ATTRIBUTE)


def weeks_page():
    row = {"from_stage": "lead", "to_stage": STAGE, "entered": 9, "rate": 0.5, "verdict": "red"}
    rows = [{**row, "manager": manager} for manager in ("", MANAGER, ATTRIBUTE, *(f"Manager {n}" for n in range(12)))]
    told = {"cells": [{**row, "manager": MANAGER, "was": None, "is": row}], "why": [{"reason": "unknown"}]}
    page = {"parameters": {}, "label": ATTRIBUTE, "state": "made", "verdicts": rows, "restated": [told]}
    run = {"title": ATTRIBUTE, "pages": {"team.html": page}}
    return weeks_html({f"2026-W{week:02}": run for week in (25, 26)} | {"other": run}, funnel_of("lead", STAGE))


@pytest.fixture(scope="module", params=[hostile_page, links_page, weeks_page])
def path(request, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "page.html"
    target.write_text(request.param(), encoding="utf-8")
    return target


@pytest.fixture(scope="module", params=[1440, 390])
def opened(request, browser, path):
    """The page at the width of a desk or a phone, and all it asked for, said, threw or popped up."""
    heard = []
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    page = context.new_page()
    page.on("request", lambda asked: heard.append(asked.url))
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri(), wait_until="networkidle")
    yield page, heard
    context.close()


def test_a_page_asks_for_nothing_says_nothing_and_runs_nothing(opened, path) -> None:
    _, heard = opened
    assert heard == [path.as_uri()]


def test_a_page_never_scrolls_sideways(opened) -> None:
    page, _ = opened
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_hostile_names_are_read_as_they_are_written(opened) -> None:
    page, _ = opened
    words = " ".join(page.inner_text("body").split())
    assert all(name in words for name in (MANAGER, STAGE, ATTRIBUTE.replace("  ", " ")))
    assert page.locator("img, [onload], [onerror], a[href^=javascript]").count() == 0
    assert page.locator("svg :not(g, defs, path, use, text, title)").count() == 0
    assert {*page.locator("script").all_text_contents()} <= {SCRIPT}


def test_a_table_is_sorted_by_a_click_and_searched_by_typing(browser, tmp_path) -> None:
    ages = [9.0, 100.0, float("nan"), *range(20, 20 + LONG)]
    frame = pd.DataFrame({"lead": [f"Lead {n}" for n in range(len(ages))], "days": ages})
    target = tmp_path / "page.html"
    target.write_text(page_of([show_table(frame, Layout(name="leads", title="Leads"))]), encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    page.goto(target.as_uri())
    days = page.get_by_role("button", name="days")
    days.click()
    ascending = page.locator("tbody th").all_text_contents()
    assert (ascending[0], ascending[-2:]) == ("Lead 0", ["Lead 1", "Lead 2"]), "9 before 20 and 100, unknown last"
    assert page.locator("[aria-sort=ascending]").count() == 1
    days.click()
    descending = page.locator("tbody th").all_text_contents()
    assert (descending[0], descending[-1]) == ("Lead 1", "Lead 2")
    page.get_by_role("searchbox").fill("lead 1")
    assert page.locator("tbody tr:visible").count() == 1 + sum(n >= 10 for n in range(len(ages)))
    page.emulate_media(media="print")
    assert not page.locator("input").is_visible()
    context.close()


def test_no_word_of_a_figure_or_table_is_lost_on_paper(browser, path) -> None:
    context = browser.new_context(viewport={"width": 718, "height": 1000})
    page = context.new_page()
    page.emulate_media(media="print")
    page.goto(path.as_uri())
    hides = "box => getComputedStyle(box).overflowY != 'visible' && box.scrollHeight > box.clientHeight + 1"
    assert page.evaluate(f"[...document.querySelectorAll('.fs-scroll')].filter({hides}).length") == 0
    context.close()


def test_a_phone_shows_verdicts_next_steps_and_whole_days_without_scrolling(browser, tmp_path) -> None:
    rows = pd.DataFrame(
        {
            "lead": ["L1", "L2"],
            "company": [MANAGER, "B"],
            "stage": [STAGE, "met"],
            "days": [12, 7],
            "next step": ["call again by 2026-03-30", "ask for the minutes of the meeting of 2026-02-28"],
            "rate": [0.5, 0.6],
            "verdict": ["red", "undecided"],
        }
    )
    numbers = pd.DataFrame({"days": [12] * 8}).assign(**{f"column {n}": 12345 for n in range(9)})
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    tables = [show_table(frame, Layout(name=name, title="T")) for name, frame in [("t", rows), ("n", numbers)]]
    (tmp_path / "page.html").write_text(page_of(tables), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    hidden = "all => all.filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML)"
    assert page.eval_on_selector_all("#table-t td, #table-t th.gt_stub, .fs-verdict", hidden) == []
    assert page.locator("#table-n td").last.bounding_box()["x"] > 390, "numbers stay columns, to be compared"
    assert page.eval_on_selector_all(".fs-day", "all => all.map(one => one.getClientRects().length)") == [1, 1]
    label = "getComputedStyle(document.querySelector('#table-t td[data-label=\"next step\"]'), '::before').content"
    assert page.evaluate(label) == '"next step"'
    context.close()


HOSTILE = "</text></svg><script>alert(5)</script>"
LETTERS = """() => [...document.querySelectorAll("svg text")].filter(text => text.getClientRects().length).map(text =>
    [text.textContent, parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a])"""
CUT = """() => [...document.querySelectorAll("svg text")].filter(text => {
    const word = text.getBoundingClientRect(), box = text.ownerSVGElement.getBoundingClientRect();
    return word.width && (word.left < box.left || word.right > box.right || word.bottom > box.bottom)
}).map(text => text.textContent)"""


def drawn_page():
    """A page of figures of one and of several panels, with marks to point at."""
    stages = ("lead", HOSTILE, "paid")
    rows = [
        (monday, *pair) for monday in pd.date_range("2026-01-05", periods=26, freq="7D") for pair in pairwise(stages)
    ]
    weeks = pd.DataFrame(rows, columns=["week", "from_stage", "to_stage"]).assign(entered=40, converted=30)

    def draw(width):
        figure, axes = house_panel(width, 50, left=100)
        label_marks(axes.barh([0, 1], [1, 2]), [HOSTILE, "two"])
        axes.text(0, 0, HOSTILE)
        return figure

    bars = show_figure(Panel(draw, HOSTILE), alt=HOSTILE, numbers=weeks[["entered"]], note=HOSTILE)
    return page_of([trend_chart(conversion_rates(weeks), funnel_of(*stages)), bars])


@pytest.mark.parametrize(("width", "least"), [(390, 11), (768, 11), (820, 11), (1440, 15)])
def test_the_words_of_a_figure_are_large_enough_to_read_and_stay_words(browser, tmp_path, width, least) -> None:
    (tmp_path / "page.html").write_text(drawn_page(), encoding="utf-8")
    heard = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda asked: heard.append(asked.url))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.goto((tmp_path / "page.html").as_uri())
    letters = page.evaluate(LETTERS)
    assert HOSTILE in [word for word, _ in letters]
    assert min(size for _, size in letters) >= least
    assert [word for word in page.evaluate(CUT) if word != HOSTILE] == []
    assert heard == [(tmp_path / "page.html").as_uri()]
    assert HOSTILE in page.locator("svg title").all_text_contents()
    assert page.locator("script").all_text_contents() == [SCRIPT]
    page.close()


def test_a_figure_follows_the_page_into_the_dark_but_not_onto_paper(browser, tmp_path) -> None:
    (tmp_path / "page.html").write_text(drawn_page(), encoding="utf-8")
    page = browser.new_page(color_scheme="dark")
    page.goto((tmp_path / "page.html").as_uri())
    ink = "() => getComputedStyle(document.querySelector('.fs-desk svg text')).fill"
    assert page.evaluate(ink) == "rgb(230, 234, 238)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(ink) == "rgb(31, 41, 51)"
    page.close()


def test_the_page_of_all_weeks_is_turned_as_a_whole_on_paper(browser, tmp_path) -> None:
    (tmp_path / "weeks.html").write_text(weeks_page(), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "weeks.html").as_uri())
    boxes = re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", page.pdf(prefer_css_page_size=True))
    assert boxes
    assert all(float(width) > float(height) for width, height in boxes)
    page.close()


TOO_WIDE = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.ariaLabel)"


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_no_word_of_the_page_of_all_weeks_is_cut(browser, tmp_path, width) -> None:
    (tmp_path / "weeks.html").write_text(weeks_page(), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((tmp_path / "weeks.html").as_uri())
    assert page.evaluate(CUT_WORDS) == []
    assert width > 768 or page.eval_on_selector_all(".fs-weeks .fs-scroll", TOO_WIDE) == []
    older = page.locator(".fs-weeks tbody tr:nth-child(n + 2) td:nth-child(n + 3)")
    assert older.count() > 0
    assert older.first.is_visible() == (width > 768)
    page.close()
