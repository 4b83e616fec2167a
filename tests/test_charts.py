"""Figures: the numbers shown are the numbers drawn, whoever the managers are and whatever they are called."""

from __future__ import annotations

import io
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from PIL import Image

from funnelstats.config.words import _spoken, percent
from funnelstats.core.comparing import versus_target
from funnelstats.core.conversion import conversion_rates
from funnelstats.leads.standing import of_manager, peer_band
from funnelstats.page.figures import MAX_PNG_BYTES, WIDTH
from funnelstats.refusals import charts as reason_charts
from funnelstats.refusals.charts import loss_chart, reason_chart
from funnelstats.team import charts
from funnelstats.team.charts import NO_LEADS, band_chart, trend_chart

FOUR = funnel_of("lead", "met", "presented", "contracted", "paid")
TWO = funnel_of("lead", "met", "paid")
LONG = "Константин Константинопольский-Преображенский, отдел продаж промышленного оборудования, Северо-Запад"


def aimed(funnel, target=0.8):
    step_into = {step.to_stage: {"horizon_days": 7, "target": target} for step in funnel.steps}
    return funnel.model_validate({**funnel.model_dump(), "step_into": step_into})


def page(names, funnel=FOUR, seed=1):
    rng = np.random.default_rng(seed)
    rows = [(who, step.from_stage, step.to_stage) for step in funnel.steps for who in names]
    frame = pd.DataFrame(rows, columns=["manager", "from_stage", "to_stage"])
    entered = rng.integers(20, 200, len(frame))
    counts = frame.assign(entered=entered, converted=rng.binomial(entered, 0.75))
    return versus_target(counts, funnel).assign(whose="", matured=entered, too_recent=0)


def weekly(funnel=FOUR, weeks=26):
    mondays = pd.date_range("2026-01-05", periods=weeks, freq="7D", unit="us")
    rows = [(monday, step.from_stage, step.to_stage, 40, 30) for monday in mondays for step in funnel.steps]
    return conversion_rates(pd.DataFrame(rows, columns=["week", "from_stage", "to_stage", "entered", "converted"]))


def alt(shown):
    return shown.metadata["image/png"]["alt"]


def text(shown):
    return shown.data["text/plain"]


def is_picture(shown):
    png = shown.data["image/png"]
    Image.open(io.BytesIO(png)).verify()
    return len(png) < MAX_PNG_BYTES


@pytest.fixture
def drawn(monkeypatch):
    """The figures as matplotlib has them once they are pictures."""
    figures = []

    def keep(figure, **rest):
        figures.append(figure)
        return original(figure, **rest)

    original = charts.show_figure
    monkeypatch.setattr(charts, "show_figure", keep)
    return figures


def words_of(figure):
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def assert_legible(figure):
    """No word stands on another one or beyond the picture."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in words_of(figure)]
    run_together = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.shrunk(0.99, 0.8).overlaps(b)]
    assert run_together == []
    page = figure.bbox
    assert [words for words, box in boxes if not (page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0)] == []


def title(ax):
    return " ".join((ax.get_title(loc="left") or ax.get_title()).replace("\\$", "$").split())


def test_where_there_is_nothing_to_draw_a_sentence_says_so() -> None:
    empty = page(["Anna"], TWO).assign(entered=0, rate=np.nan, ci_lower=0.0, ci_upper=1.0)
    weeks = weekly(TWO)
    for shown in (
        trend_chart(weeks.assign(entered=0), TWO),
        trend_chart(weeks[:0], TWO),
        band_chart(of_manager(empty, "Anna", TWO), peer_band(empty, "Anna", TWO)),
    ):
        assert text(shown) == NO_LEADS
        assert "image/png" not in shown.data


def test_hostile_stages_are_drawn_as_they_are_written(drawn) -> None:
    funnel = funnel_of("$x^$", "_a_", "$", "\\beta{")
    frame = page(["Anna", "Boris", "Vera", "Gleb", "Yan"], funnel)
    for shown in (
        trend_chart(weekly(funnel), funnel),
        band_chart(of_manager(frame, "Anna", funnel), peer_band(frame, "Anna", funnel)),
    ):
        assert is_picture(shown)
    assert [title(ax) for ax in drawn[0].axes] == [f"{step.from_stage} → {step.to_stage}" for step in funnel.steps]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("stages", [2, 3, 4, 7])
def test_words_run_neither_into_each_other_nor_beyond_the_picture(drawn, monkeypatch, language, stages) -> None:
    monkeypatch.setitem(_spoken, "language", language)
    long = ("Первичная заявка", "НАЗНАЧЕНА ВСТРЕЧА", "КОММЕРЧЕСКОЕ ПРЕДЛОЖЕНИЕ", "Договор подписан", "Оплата")
    funnel = aimed(funnel_of(*long[:stages], *(f"Промежуточный этап {number}" for number in range(stages - 5))))
    everybody = page([LONG, "Boris", "Vera", "Gleb", "Yan"], funnel)
    verdicts = np.resize(["red", "amber", "green", "undecided", "too few"], len(everybody))
    frame = everybody.assign(verdict=verdicts, rate=np.where(everybody["manager"] == "Vera", 1.0, everybody["rate"]))
    trend_chart(weekly(funnel), funnel)
    band_chart(of_manager(frame, "Vera", funnel), peer_band(frame, "Vera", funnel))
    for figure in drawn:
        assert_legible(figure)
        assert figure.get_figwidth() == WIDTH


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_shape_of_a_verdict_does_not_hide_the_rate_beside_it(drawn, monkeypatch, language) -> None:
    monkeypatch.setitem(_spoken, "language", language)
    frame = page(["Anna", "Boris", "Vera", "Gleb"], TWO).assign(rate=1.0, verdict="green")
    band_chart(of_manager(frame, "Anna", TWO), peer_band(frame, "Anna", TWO))
    for ax in [ax for figure in drawn for ax in figure.axes]:
        shapes = next(part for part in ax.collections if isinstance(part, PathCollection) and not part.get_clip_on())
        middles = shapes.get_offset_transform().transform(shapes.get_offsets())[:, 0]
        radius = np.sqrt(shapes.get_sizes().max()) / 2 / 72 * ax.figure.dpi
        rates = [text for text in ax.texts if text.get_text() == percent(1) and text.get_weight() == "bold"]
        assert len(rates) == len(middles)
        assert max(middles) + radius < min(text.get_window_extent().x0 for text in rates)


def test_a_trend_draws_each_weeks_rate_and_the_target_of_its_step(drawn) -> None:
    funnel = aimed(TWO)
    weeks = weekly(funnel, 8)
    shown = trend_chart(weeks, funnel)
    for ax in drawn[0].axes:
        curves = [list(line.get_ydata()) for line in ax.lines]
        assert [0.75] * 8 in curves
        assert [0.8, 0.8] in curves
    assert len(text(shown).splitlines()) == 1 + len(weeks)
    assert alt(shown).strip()


def test_the_band_chart_draws_own_rates_on_the_colleagues_band(drawn) -> None:
    funnel = aimed(TWO)
    frame = page(["Anna", "Boris", "Vera", "Gleb", "Yan"], funnel)
    own, peers = of_manager(frame, "Anna", funnel), peer_band(frame, "Anna", funnel)
    shown = band_chart(own, peers)
    ax = drawn[0].axes[0]
    assert [patch.get_x() for patch in ax.patches] == pytest.approx(peers["peers_lower"].tolist()[::-1])
    parts = [part for part in ax.collections if isinstance(part, PathCollection)]
    dots = np.concatenate([np.asarray(part.get_offsets()) for part in parts])
    assert {(round(x, 6), y) for x, y in dots} >= {
        (round(rate, 6), 1 - place) for place, rate in enumerate(own["rate"])
    }
    assert not re.search("Anna|Boris|Vera|Gleb|Yan", text(shown) + alt(shown))
    assert "peers_lower" in text(shown)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_words_of_reasons_run_neither_into_each_other_nor_beyond_the_picture(monkeypatch, language) -> None:
    monkeypatch.setitem(_spoken, "language", language)
    figures = []
    monkeypatch.setattr(reason_charts, "show_figure", lambda figure, **_rest: figures.append(figure))
    reasons = ["КОММЕРЧЕСКОЕ ПРЕДЛОЖЕНИЕ НЕ ПОДОШЛО", "price", "(missing)"]
    one = pd.DataFrame({"refusal": reasons[:1], "lost": 132_600, "of": 132_600, "share": 1.0, "ci_lower": 0.99})
    reason_chart(one.assign(ci_upper=1.0))
    rows = [(reason, step.from_stage, step.to_stage) for step in FOUR.steps for reason in reasons]
    rates = pd.DataFrame(rows, columns=["refusal", "from_stage", "to_stage"]).assign(entered=50)
    total = rates.drop_duplicates("from_stage").assign(rate=0.512)
    loss_chart(rates.assign(rate=np.resize([0.5, 0.01, 0.0], 12), ci_lower=0.0, ci_upper=0.6), total, FOUR)
    for figure in figures:
        assert_legible(figure)


def test_a_picture_in_few_colours_looks_like_the_one_that_was_drawn(drawn) -> None:
    frame = page(["Anna", "Boris", "Vera"])
    shown = band_chart(of_manager(frame, "Anna", FOUR), peer_band(frame, "Anna", FOUR))
    seen = np.asarray(Image.open(io.BytesIO(shown.data["image/png"])).convert("RGB")).astype(int)
    meant = np.asarray(drawn[0].canvas.buffer_rgba())[..., :3].astype(int)
    assert np.abs(seen - meant).max() < 8
    assert (seen == meant).all(axis=2).mean() > 0.95
