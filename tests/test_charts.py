"""Figures: the numbers shown are the numbers drawn, whoever the managers are and whatever they are called."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from bs4 import BeautifulSoup
from matplotlib.collections import LineCollection
from matplotlib.text import Text

from funnelstats.config.words import _spoken
from funnelstats.core.conversion import conversion_rates
from funnelstats.page import figures
from funnelstats.page.figures import DESK, PANEL
from funnelstats.team.charts import NO_LEADS, trend_chart

FOUR = funnel_of("lead", "met", "presented", "contracted", "paid")
TWO = funnel_of("lead", "met", "paid")
LONG = "Константин Константинопольский-Преображенский, отдел продаж промышленного оборудования, Северо-Запад"


def aimed(funnel, target=0.8):
    step_into = {step.to_stage: {"horizon_days": 7, "target": target} for step in funnel.steps}
    return funnel.model_validate({**funnel.model_dump(), "step_into": step_into})


def weekly(funnel=FOUR, weeks=26):
    mondays = pd.date_range("2026-01-05", periods=weeks, freq="7D", unit="us")
    rows = [(monday, step.from_stage, step.to_stage, 40, 30) for monday in mondays for step in funnel.steps]
    return conversion_rates(pd.DataFrame(rows, columns=["week", "from_stage", "to_stage", "entered", "converted"]))


def drawing(shown):
    return BeautifulSoup(shown.data["text/html"], "html.parser")


def alt(shown):
    return drawing(shown).select_one(".fs-panels")["aria-label"]


def text(shown):
    return shown.data["text/plain"]


def titles(shown):
    return [title.get_text() for title in drawing(shown).select(".fs-panels p")]


def is_picture(shown):
    return "<path" in shown.data["text/html"] and len(shown.data["text/html"]) < 60_000


def lines(ax):
    """All straight lines of the panel's intervals and targets, as ((x, y), (x, y)), without its grid."""
    drawn = [part for part in ax.collections if isinstance(part, LineCollection) and part.zorder >= 1]
    found = [segment for part in drawn for segment in part.get_segments()]
    return np.round(np.array(found), 6)


def words_of(figure):
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def assert_legible(figure):
    """No word stands on another one or beyond the picture."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in words_of(figure)]
    run_together = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.shrunk(0.99, 0.8).overlaps(b)]
    assert run_together == []
    page = figure.bbox
    assert [words for words, box in boxes if not (page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0)] == []


def test_where_there_is_nothing_to_draw_a_sentence_says_so() -> None:
    weeks = weekly(TWO)
    for shown in (trend_chart(weeks.assign(entered=0), TWO), trend_chart(weeks[:0], TWO)):
        assert text(shown) == NO_LEADS
        assert "<svg" not in shown.data["text/html"]


def test_hostile_stages_are_drawn_as_they_are_written() -> None:
    funnel = funnel_of("$x^$", "</text><script>", "$", "\\beta{")
    shown = trend_chart(weekly(funnel), funnel)
    assert is_picture(shown)
    assert all(stage in " ".join(titles(shown)) for stage in funnel.stages)


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("stages", [2, 3, 4, 7])
def test_words_run_neither_into_each_other_nor_beyond_the_picture(drawn, monkeypatch, language, stages) -> None:
    monkeypatch.setitem(_spoken, "language", language)
    long = ("Первичная заявка", "НАЗНАЧЕНА ВСТРЕЧА", "КОММЕРЧЕСКОЕ ПРЕДЛОЖЕНИЕ", "Договор подписан", "Оплата")
    funnel = aimed(funnel_of(*long[:stages], *(f"Промежуточный этап {number}" for number in range(stages - 5))))
    trend_chart(weekly(funnel), funnel)
    for figure in drawn:
        assert_legible(figure)
        assert round(72 * figure.get_figwidth()) in (DESK, PANEL)


def test_a_trend_draws_each_weeks_rate_and_the_target_of_its_step(drawn) -> None:
    funnel = aimed(TWO)
    weeks = weekly(funnel, 8)
    shown = trend_chart(weeks, funnel)
    assert len(drawn) == 2
    for figure in drawn:
        curves = [list(line.get_ydata()) for line in figure.axes[0].lines]
        assert [0.75] * 8 in curves
        assert [0.8, 0.8] in curves
    assert len(text(shown).splitlines()) == 1 + len(weeks)
    assert alt(shown).strip()


def test_a_step_that_fell_comes_first_and_large_with_its_day_and_its_rates_before_and_since(drawn) -> None:
    funnel = aimed(FOUR)
    weeks = weekly(funnel).assign(too_recent=0)
    weeks.loc[weeks["week"] >= "2026-06-15", ["entered", "too_recent"]] = [0, 9]
    fall = {"from_stage": "presented", "alarm": True, "since": pd.Timestamp("2026-04-13")}
    calm = {"from_stage": "lead", "alarm": False, "since": pd.NaT}
    since = pd.DataFrame([calm, fall | {"before_rate": 0.82, "after_rate": 0.634}])
    shown = trend_chart(weeks, funnel, since)
    assert titles(shown)[0] == "presented\u00a0→ contracted"
    assert len(drawing(shown).select(".fs-wide")) == 1
    assert [round(72 * figure.get_figwidth()) for figure in drawn] == [PANEL, DESK, PANEL, PANEL, PANEL]
    ax = drawn[1].axes[0]
    assert {"from 13 Apr on", "82%", "63%"} <= {words.get_text() for words in ax.texts}
    flat = [(one[0][0], one[1][0], one[0][1]) for one in lines(ax) if one[0][1] == one[1][1]]
    assert flat == [(0, 13.5, 0.82), (13.5, 22, 0.634)]
    assert list(ax.lines[-1].get_xdata()) == [13.5, 13.5]
    unfinished = ax.patches[0]
    assert (unfinished.get_x(), unfinished.get_x() + unfinished.get_width()) == (22.5, 25.7)
    assert not [words for words in drawn[2].axes[0].texts if words.get_text().startswith("from")]


def test_the_axis_of_a_trend_goes_where_its_data_is(drawn) -> None:
    trend_chart(weekly(FOUR), FOUR)
    assert {figure.axes[0].get_ylim() for figure in drawn} == {(0.7, 0.8)}


def test_a_single_week_is_drawn_with_its_range(drawn) -> None:
    trend_chart(weekly(TWO, 1), TWO)
    ax = drawn[0].axes[0]
    assert ax.get_ylim() == (0.5, 0.9), "its range of 60 to 86 % and the rate"
    assert any(np.ptp(line[:, 1]) > 0.2 for line in lines(ax) if np.ptp(line[:, 0]) == 0)


def test_a_mark_says_its_numbers() -> None:
    def draw(width):
        figure, ax = figures.house_panel(width, 50)
        figures.label_marks(ax.barh([0, 1], [1, 2]), ["<one> & $1", "two\x01"])
        figures.label_marks(ax.scatter([1, 2], [0, 1]), ["first", "second"])
        return figure

    shown = figures.show_figure(figures.Panel(draw, wide=False), alt="Two", numbers=pd.DataFrame({"a": [1]}))
    found = drawing(shown)
    marks = [(title.get_text(), title.parent.name) for title in found.select("svg title")]
    assert marks[:2] == [("<one> & $1", "path"), ("two\ufffd", "path")]
    assert [words for words, _ in marks[2:]] == ["first", "second"]


def test_a_label_too_few_is_a_mistake() -> None:
    figure, ax = figures.house_panel(PANEL, 50)
    figures.label_marks(ax.scatter([1, 2], [0, 1]), ["first"])
    with pytest.raises(ValueError, match="shorter"):
        figures._svg(figure, "salt")


def test_ids_are_unique_on_a_page_and_each_is_used() -> None:
    funnel = aimed(FOUR)
    charts = trend_chart(weekly(funnel), funnel), trend_chart(weekly(TWO), TWO)
    found = BeautifulSoup("".join(chart.data["text/html"] for chart in charts), "html.parser")
    ids = [part["id"] for part in found.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {use["href"] for use in found.select("use")} == {f"#{name}" for name in ids}


def test_every_colour_of_the_house_follows_the_page_into_the_dark() -> None:
    css = (Path(figures.__file__).parents[1] / "reporting" / "page" / "page.css").read_text(encoding="utf-8")
    dark = css[css.index("prefers-color-scheme: dark") :].partition("\n}")[0]
    assert set(re.findall(r"--fs-(\w+):", dark)) == set(figures.VARIABLES.values())
    shown = trend_chart(weekly(aimed(FOUR)), aimed(FOUR))
    assert re.findall(r"(?:fill|stroke):(?!var|none)[^;\"]+", shown.data["text/html"]) == []
