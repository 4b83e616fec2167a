"""What show_table, show_figure and show_text hand to a notebook."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot
from projects import PAGES

from funnelstats.config.words import speak
from funnelstats.page.figures import VERDICT_MARKERS, Panel, house_panel, show_figure
from funnelstats.page.layout import Layout, layout, tables
from funnelstats.page.tables import (
    TABLE_MIME,
    TEXT_MIME,
    VERDICT_COLOURS,
    VERDICT_MARKS,
    show_csv,
    show_table,
    show_text,
)
from funnelstats.page.workbook import csv_text, rows_of
from funnelstats.plan import charts

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</td></table><b>",
    '" onmouseover="alert(1)',
    "&lt;b&gt;",
    "**bold** [a](javascript:alert(1))",
]


@pytest.fixture
def control():
    return pd.DataFrame(
        {
            "manager": ["Иванов", "Сидоров", "Anna"],
            "entered": [12345, 20, 0],
            "rate": [0.80004, 0.7, np.nan],
            "ci_lower": [0.61, 0.48, 0.0],
            "ci_upper": [0.74, 0.86, 1.0],
            "verdict": ["green", "red", "too few"],
        }
    )


def tabled(frame, currency="", **given):
    return show_table(frame, Layout(**{"name": "t", "title": "T"} | given), currency=currency)


def safe_csv(frame):
    return csv_text(show_csv(frame, Layout(name="t", title="T")).data[TABLE_MIME])


def html_of(shown):
    return BeautifulSoup(shown.data["text/html"], "html.parser")


def cells_of(shown):
    rows = html_of(shown).select("tbody tr")
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in rows]


def test_a_table_shows_counts_percents_intervals_and_verdicts_in_words(control):
    assert cells_of(tabled(control, title="Control", name="control")) == [
        ["Иванов", "12,345", "80.0%", "61–74%", "● green"],
        ["Сидоров", "20", "70.0%", "48–86%", "▼ red"],
        ["Anna", "0", "no entrants", "0–100%", "○ too few"],
    ]


def test_names_from_the_data_are_called_by_their_labels_but_people_and_companies_keep_theirs():
    frame = pd.DataFrame({"lead_id": ["7/8&"], "stage": ["met"], "company": ["met"]})
    speak("en", {"met": "meeting"}, "https://crm.example/{lead_id}/x")
    try:
        html = show_table(frame, Layout(name="x", title="X")).data["text/html"]
    finally:
        speak("en")
    assert '<a href="https://crm.example/7%2F8%26/x">7/8&amp;</a>' in html
    assert re.findall(r"<td[^>]*>(.*)</td>", html) == ["meeting", "met"]
    assert "<a" not in show_table(frame, Layout(name="x", title="X")).data["text/html"]


def test_the_words_for_a_missing_value_may_be_given(control):
    shown = tabled(control, missing={"rate": "not yet known"})
    assert cells_of(shown)[2][2] == "not yet known"


def test_a_range_below_nothing_is_written_with_a_word_and_true_minus_signs():
    frame = pd.DataFrame({"who": list("abcd"), "d_lower": [-0.25, -0.04, 0.01, -0.001], "d_upper": [-0.17, 0.02, 1, 1]})
    shown = [row[1] for row in cells_of(tabled(frame))]
    assert shown == ["\u221225 to \u221217%", "\u22124 to 2%", "1–100%", "0–100%"]


def test_the_table_is_written_as_it_is_read(control):
    shown = tabled(
        control.head(1), title="Control <all>", name="control", group=["verdict"], columns=["manager", "rate"]
    )
    assert shown.data["text/html"] == (
        '<figure class="fs-table" id="table-control"><figcaption>Control &lt;all&gt;</figcaption>'
        '<div class="fs-scroll" role="region" tabindex="0" aria-label="Control &lt;all&gt;"><table>\n<thead>\n<tr>\n'
        '<th scope="col">manager</th>\n<th class="gt_right" scope="col">share</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n'
        '<th class="gt_group_heading" colspan="2" scope="colgroup">green</th>\n</tr>\n<tr>\n'
        '<th scope="row" class="gt_stub">Иванов</th>\n<td class="gt_right">80.0%</td>\n</tr>\n'
        "</tbody>\n</table></div></figure>"
    )


def test_no_line_ends_within_a_day_or_a_week():
    frame = pd.DataFrame({"since": ["2026-W26"], "next": ["call <again> by 2026-03-30"], "n": ["x-2026"]})
    page = html_of(tabled(frame))
    assert [span.get_text() for span in page.select(".fs-day")] == ["2026-W26", "2026-03-30"]
    assert cells_of(tabled(frame)) == [["2026-W26", "call <again> by 2026-03-30", "x-2026"]]


def test_rows_of_one_heading_stand_together_in_the_order_they_came():
    frame = pd.DataFrame({"who": list("abcd"), "team": ["x", None, "x", "y"]})
    page = html_of(tabled(frame, group=["team"], columns=["who"]))
    assert [cell.get_text() for cell in page.select("tbody th")] == ["x", "a", "c", "–", "b", "y", "d"]


def test_money_dates_and_texts_have_their_own_format():
    day = pd.Timestamp("2026-07-20")
    frame = pd.DataFrame({"who": ["a", "b"], "won": [1234567.4, 2.0], "on": [day, day], "why": [None, "x"]})
    shown = tabled(frame, kinds={"won": "money"}, currency="RUB")
    assert cells_of(shown)[0] == ["a", "1,234,567\u00a0₽", "20 Jul 2026", "–"]


def test_no_verdict_is_told_by_its_colour_alone():
    assert len(set(VERDICT_MARKS.values())) == len(VERDICT_MARKS)
    assert len(set(VERDICT_MARKERS.values())) == len(VERDICT_MARKERS)
    assert set(VERDICT_MARKS) == set(VERDICT_COLOURS) == set(VERDICT_MARKERS)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_stays_a_name_wherever_it_stands(text):
    frame = pd.DataFrame({text: [text, "b"], "verdict": [text, "red"], "n": [text, text], "g": [text, text]})
    shown = tabled(frame, title=text, name="t", group=["g"], columns=[text, "verdict", "n"], labels={"n": text})
    page = html_of(shown)
    allowed = {"figure", "figcaption", "div", "table", "thead", "tbody", "tr", "th", "td", "span"}
    assert {tag.name for tag in page.find_all(True)} == allowed
    assert not [name for tag in page.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert page.find("figcaption").get_text() == page.find(role="region")["aria-label"] == text
    assert page.select_one("tbody th.gt_stub").get_text() == text
    assert page.select_one(".gt_group_heading").get_text() == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_column_with_a_hostile_name_is_called_so_beside_each_value(text):
    frame = pd.DataFrame({"who": ["a"], text: ["b"], "n": [1], "m": [2], "verdict": ["red"]})
    cells = html_of(tabled(frame)).select("tbody td")
    assert [cell["data-label"] for cell in cells] == [text.replace("_", " "), "n", "m", "verdict"]


@pytest.mark.parametrize(
    ("columns", "cards"),
    [
        ({"n": [1], "m": [1], "k": [1], "l": [1]}, False),
        ({"verdict": ["red"], "m": [1], "k": [1]}, False),
        ({"verdict": ["red"], "m": [1], "k": [1], "l": [1]}, True),
        ({"where": ["met"], "next": ["call"], "k": [1], "l": [1]}, True),
        ({"where": ["what to do is told in words"], "m": [1], "k": [1], "l": [1]}, False),
        ({"where": ["what to do is told in more words"]}, True),
        ({name: [1] * 7 for name in "nmklij"}, True),
        ({name: [1] * 7 for name in "nmkli"}, False),
        ({name: [1] * 8 for name in "nmklij"}, False),
    ],
)
def test_what_one_acts_on_is_read_by_rows_on_a_phone_and_numbers_are_compared_by_columns(columns, cards):
    shown = tabled(pd.DataFrame({"who": "a", **columns}))
    assert ("fs-cards" in html_of(shown).find("figure")["class"]) == cards


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "\n="])
def test_a_text_that_starts_like_a_formula_gets_an_apostrophe(start):
    frame = pd.DataFrame({f"{start}head": [f"{start}1+1"], "n": [-3]})
    header, row = csv.reader(io.StringIO(safe_csv(frame), newline=""))
    shown = start.replace("\r", "\n")
    assert header == [f"'{shown}head", "n"]
    assert row == [f"'{shown}1+1", "-3"]


def test_a_carriage_return_does_not_start_a_new_row_with_a_formula():
    text = safe_csv(pd.DataFrame({"a": ["x\r=1+1"], "b": ["y"]}))
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], ["x\n=1+1", "y"]]


def test_a_limit_without_an_end_is_a_word_and_what_is_not_known_is_empty():
    frame = pd.DataFrame(
        {"cost_upper": [0.1 + 0.2, np.inf, np.nan], "n": pd.array([2.5, None, np.inf], dtype="Float64")}
    )
    assert safe_csv(frame) == "cost_upper,n\n0.3,2.5\nunlimited,\n,unlimited\n"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "A b"}, "name must be small letters"),
        ({"title": " "}, "title must say"),
        ({"columns": ["manger"]}, 'did you mean "manager"'),
        ({"kinds": {"rate": "percnt"}}, "'percent'"),
        ({"kinds": {"rate": "interval"}}, "needs the column 'rate_upper'"),
        ({"labls": {"rate": "Rate"}}, "Extra inputs"),
    ],
)
def test_a_wrong_table_says_what_would_be_right(control, wrong, message):
    with pytest.raises(ValueError, match=message):
        tabled(control, **wrong)


def bars():
    return show_figure(Panel(draw, "Доля"), alt="Two bars:\nИванов 80 %", numbers=pd.DataFrame({"rate": [0.8, 0.7123]}))


def draw(width):
    figure, axes = house_panel(width, 100)
    axes.bar([0, 1], [0.8, 0.7])
    axes.text(0, 0.8, "Иванов")
    return figure


def test_a_figure_carries_its_alt_text_and_its_numbers():
    shown = bars()
    page = BeautifulSoup(shown.data["text/html"], "html.parser")
    assert page.select_one("[role=img]")["aria-label"] == "Two bars: Иванов 80 %"
    assert [words.get_text() for words in page.select("p, svg text")] == ["Доля", "Иванов", "Иванов"]
    assert "0.7123" in shown.data["text/plain"]


def test_the_same_figure_gives_the_same_bytes():
    assert bars() == bars()


def test_a_figure_needs_words_and_numbers():
    with pytest.raises(ValueError, match="alt must say"):
        show_figure(Panel(draw), alt=" ", numbers=pd.DataFrame({"a": [1]}))
    with pytest.raises(ValueError, match="numbers must hold"):
        show_figure(Panel(draw), alt="a line", numbers=pd.DataFrame())


def test_a_chart_gives_its_figures_and_says_in_short_what_it_is():
    chart = bars()
    assert [words.get_text() for words in chart.figure.axes[0].texts] == ["Иванов"]
    assert chart.figure is not chart.figure
    assert repr(chart) == "<Chart: rate 0.8000 0.7123>"
    assert repr(show_text("word " * 40)) == f"<Shown: {'word ' * 11}word…>"


def own_figure():
    axes = pyplot.subplots()[1]
    axes.bar([0, 1], [2, 3], hatch="/")
    axes.set(xlim=(0.5, 1), title="$x^2$ <b>")
    return axes


def test_a_figure_of_ones_own_is_drawn_as_it_looks_and_closed():
    axes = own_figure()
    chart = show_figure(axes, alt="Two bars")
    page = html_of(chart)
    assert page.select_one("[role=img]")["aria-label"] == "Two bars"
    assert len(page.select("svg path")) > 10
    assert page.find(["style", "b", "image"]) is None
    assert "var(--fs" not in chart.data["text/html"]
    assert chart.figure is axes.figure
    assert (chart.data["text/plain"], pyplot.get_fignums()) == ("Two bars", [])
    assert chart.data == show_figure(own_figure(), alt="Two bars").data


def test_a_bar_of_many_colours_is_drawn_and_a_picture_refused():
    figure, axes = pyplot.subplots()
    figure.colorbar(axes.pcolormesh([[1, 2], [3, 4]]))
    assert html_of(show_figure(figure, alt="Colours")).find("image") is None
    axes.imshow([[1, 2]])
    with pytest.raises(ValueError, match="a page holds drawings, no pictures"):
        show_figure(figure, alt="Colours")


def test_sentences_are_escaped_and_compared_as_text():
    shown = show_text(["Call <b>Ann</b>", "Rest"], title="Now <i>")
    assert html_of(shown).find(["b", "i"]) is None
    assert [item.get_text() for item in html_of(shown).find_all("li")] == ["Call <b>Ann</b>", "Rest"]
    assert shown.data["text/plain"] == "Now <i>\nCall <b>Ann</b>\nRest"
    assert html_of(show_text("One.", box="note")).find("p").get_text() == "One."
    with pytest.raises(ValueError, match="at least one sentence"):
        show_text([])
    assert show_text([], title="Doubts", box="warning").data == {"text/html": "", "text/plain": "(nothing)"}
    assert "One.<br>two = 2" in show_text(["One.\ntwo = 2"], box="warning").data["text/html"]


def test_a_table_carries_its_data_with_labels_and_kinds(control):
    shown = tabled(control, group=["manager"], currency="RUB")
    columns = [
        ("manager", "manager", "written"),
        ("entered", "leads", "count"),
        ("rate", "share", "percent"),
        ("ci_lower", "likely range (95%)", "interval"),
        ("ci_upper", "", "interval"),
        ("verdict", "verdict", "verdict"),
    ]
    assert shown.data[TABLE_MIME] == {
        "name": "t",
        "title": "T",
        "currency": "RUB",
        "columns": [dict(zip(("name", "label", "kind"), column, strict=True)) for column in columns],
        "rows": [
            ["Иванов", 12345, 0.80004, 0.61, 0.74, "green"],
            ["Сидоров", 20, 0.7, 0.48, 0.86, "red"],
            ["Anna", 0, None, 0.0, 1.0, "too few"],
        ],
    }


def test_data_is_what_json_holds_and_keeps_its_types():
    frame = pd.DataFrame(
        {
            "text": ["007", None],
            "flag": [True, False],
            "n": pd.array([3, None], dtype="Int64"),
            "on": pd.to_datetime(["2026-06-28", None]),
            "mixed": pd.Series([np.int64(2), pd.Timestamp("2026-06-28").date()], dtype=object),
            "x_upper": [-np.inf, 1 / 3],
        }
    )
    rows = rows_of(frame)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows == [
        ["007", True, 3, "2026-06-28", 2, "unlimited"],
        [None, False, None, None, "2026-06-28", 0.3333333333],
    ]


def test_a_box_carries_its_sentences():
    assert show_text("One.").data[TEXT_MIME] == {"box": "lead", "sentences": ["One."]}
    assert show_text(["One.\nTwo.", "<b>"], box="note").data[TEXT_MIME]["sentences"] == ["One.\nTwo.", "<b>"]


@pytest.mark.parametrize("text", HOSTILE)
def test_rows_too_many_for_a_page_are_one_escaped_link(text):
    shown = show_csv(pd.DataFrame({text: [text, "=1+1"], "n": [1, 2]}), Layout(name="leads", title=text))
    assert html_of(shown).get_text() == f"{text} (2)"
    assert {tag.name: tag.attrs for tag in html_of(shown).find_all(True)} == {
        "p": {},
        "a": {"class": ["fs-csv"], "href": "leads.csv"},
    }
    assert "(5,119)" in show_csv(pd.DataFrame({"n": range(5119)}), Layout(name="leads", title="All")).data["text/plain"]
    assert shown.data[TABLE_MIME]["name"] == "leads"
    assert csv_text(shown.data[TABLE_MIME]).endswith("\n'=1+1,2\n")
    with pytest.raises(ValueError, match="name must be small letters"):
        show_csv(pd.DataFrame(), Layout(name="A b", title="T"))


def test_a_table_without_rows_is_a_sentence_or_nothing_where_others_say_why():
    rows = pd.DataFrame({"manager": ["A"], "leads": [3]})
    none = rows[:0]

    def said(frame, **more):
        return tabled(frame, title="Load <b>", name="load", **more).data

    assert said(none)["text/plain"] == "Load <b>: nothing to list."
    assert "Load &lt;b&gt;: nothing to list." in said(none)["text/html"]
    assert said(none, empty="No lead came.")["text/plain"] == "No lead came."
    assert said(none, empty="")["text/html"] == ""
    assert TABLE_MIME not in said(none)
    for empty in ("", "No lead came."):
        assert "<table" in said(rows, empty=empty)["text/html"]
    assert said(rows.assign(manager="(missing)"))["text/html"] == "", "by what the export does not hold"
    with pytest.raises(ValueError, match="title must say"):
        tabled(none, title=" ", name="load")


@pytest.mark.parametrize("table", tables())
def test_every_section_is_well_formed(table):
    stated = layout(table)
    assert not {*stated.labels} - {*stated.columns}
    assert "*" in stated.columns or not {*stated.kinds, *stated.missing} - {*stated.columns}


def test_every_table_of_a_page_is_stated_and_every_stated_one_is_shown():
    pages = [path.stem for path in PAGES]
    cells = [cell for path in PAGES for cell in json.loads(path.read_text("utf-8"))["cells"]]
    sources = ["".join(cell["source"]) for cell in cells]
    sources += [path.read_text(encoding="utf-8") for path in Path(charts.__file__).parents[1].glob("*/charts.py")]
    text = re.sub(r'show_section\(\s*"[^"]+"', "", "".join(sources))
    shown = {name for page in pages for name in re.findall(rf'"({page}\.[a-z-]+)"', text)}
    assert shown == {*tables()}


def test_a_table_that_is_not_stated_is_refused_with_the_nearest(control):
    with pytest.raises(ValueError, match=r'did you mean "weekly\.team"'):
        show_table(control, "weekly.teem")


def test_columns_named_by_the_data_are_shown_by_their_own_names_and_take_the_patterns_of_the_table():
    frame = pd.DataFrame({"cohort": ["a"], "lost": [0.5], "into_won_deals": [2.0], "entered": [3]})
    shown = tabled(frame, columns=["cohort", "*", "entered"], kinds={"into_*": "count", "*": "percent"})
    assert [cell.get_text() for cell in html_of(shown).select("thead th")] == [
        *("came in", "lost", "into won deals", "leads"),
    ]
    assert cells_of(shown) == [["a", "50.0%", "2", "3"]]


def test_a_folded_table_shows_its_title_until_it_is_opened(control):
    how = Layout(name="t", title="T")
    html = show_table(control, how, folded=True).data["text/html"]
    assert re.search(r"<details><summary>[^<]+</summary><div class=.fs-scroll", html)
    assert "<figcaption>" not in html
    assert "<details>" not in show_table(control, how).data["text/html"]


def test_a_group_of_two_columns_heads_its_rows_with_both():
    frame = pd.DataFrame({"who": ["a", "b"], "from_stage": ["x", "y"], "to_stage": ["y", "z"]})
    shown = tabled(frame, columns=["who"], group=["from_stage", "to_stage"])
    assert [cell.get_text() for cell in html_of(shown).select("tbody th")] == ["x → y", "a", "y → z", "b"]
    assert shown.data[TABLE_MIME]["rows"] == [["x", "y", "a"], ["y", "z", "b"]]


def test_a_bar_is_as_wide_as_its_share_of_the_largest_and_none_where_nothing_is_known():
    frame = pd.DataFrame({"reason": ["a", "b", "c"], "rate": [0.4, 0.1, float("nan")]})
    shown = tabled(frame, kinds={"rate": "bar"})
    bars = html_of(shown).select("td.fs-bar")
    assert [(bar["style"], bar.get_text()) for bar in bars] == [
        *(("--part:100.0%", "40.0%"), ("--part:25.0%", "10.0%"), ("--part:0.0%", "no entrants")),
    ]
    nothing = tabled(frame.assign(rate=0.0), kinds={"rate": "bar"})
    assert {bar["style"] for bar in html_of(nothing).select("td.fs-bar")} == {"--part:0.0%"}


def test_a_column_without_anything_in_it_is_left_out_of_the_page_and_not_of_the_file():
    frame = pd.DataFrame(
        {
            **{"lead_id": ["1", "2"], "company": ["", ""], "amount": [float("nan")] * 2, "stage": ["a", "b"]},
            **{"because of": ["(missing)"] * 2, "status": ["no target"] * 2},
        }
    )
    shown = show_table(frame, Layout(name="leads", title="Leads"))
    assert shown.data["text/html"].count('scope="col"') == 2
    assert [column["name"] for column in shown.data[TABLE_MIME]["columns"]] == list(frame)


def test_limits_of_a_number_that_nobody_has_do_not_stand_beside_another_one():
    frame = pd.DataFrame({"channel": ["Ads"], "cost_per_lead": 87.0, "cost_per_sale": np.nan})
    frame = frame.assign(cost_per_sale_lower=1736.0, cost_per_sale_upper=np.inf)
    shown = show_table(frame, Layout(name="costs", title="Costs"), currency="EUR").data["text/html"]
    assert "87" in shown
    assert "1,736" not in shown
    known = show_table(frame.assign(cost_per_sale=2000.0), Layout(name="costs", title="Costs"), currency="EUR")
    assert "1,736" in known.data["text/html"]


def test_a_box_of_warnings_opens_on_what_the_first_is_about_without_its_details() -> None:
    told = ["20 payments stand there again (a.csv: 7 / 5 EUR): they are added up.", "2 leads end at 12:00: so."]
    html = show_text(told, title="Mind the data", box="warning").data["text/html"]
    assert "(2): 20 payments stand there again</summary>" in html
    assert "(1): 2 leads end at 12:00</summary>" in show_text(told[1:], title="Mind", box="warning").data["text/html"]


def test_of_a_table_too_large_to_read_the_page_has_a_part_and_the_file_all() -> None:
    frame = pd.DataFrame({f"c{n}": range(1500) for n in range(40)})
    shown = show_table(frame, Layout(name="all", title="All"))
    page = BeautifulSoup(shown.data["text/html"], "html.parser")
    assert len(page.select("tbody tr")) == 100
    assert [head.get_text() for head in page.select("thead th")] == [*(f"c{n}" for n in range(15)), "c39"]
    assert page.select_one("a.fs-csv").get_text() == "The whole table, 1,500 × 40"
    assert (len(shown.data[TABLE_MIME]["rows"]), len(shown.data[TABLE_MIME]["columns"])) == (1500, 40)
