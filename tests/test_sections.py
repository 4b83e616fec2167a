"""Sections of pages in words: templates filled with facts, in the language spoken, every text escaped."""

import pandas as pd
import pytest
from jinja2 import Environment, FileSystemLoader, UndefinedError

from funnelstats.config import words
from funnelstats.page import sections

PAGE = """
{% block greeting %}
<p>{% trans n=leads | count, name=name %}{{ name }} has one lead.{% pluralize %}{{ name }} has {{ n }} leads.{% endtrans %}</p>
{% if leads > 5 %}

<p>{{ rows[0] | step }}: {{ rows[0] | range }}, {{ share | percent }}, {{ name | link(name | manager_page) }}</p>
{% endif %}
{% endblock %}
{% block nothing %}{% endblock %}
{% block marks %}{{ marks.rate(row) }}{{ marks.tile("Deals", "12", values=values) }}{% endblock %}
"""  # noqa: E501
ROW = {"from_stage": "lead", "to_stage": "met", "ci_lower": 0.6, "ci_upper": 0.7}


@pytest.fixture(autouse=True)
def page(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "ours.html").write_text(PAGE)
    (tmp_path / "room" / "marks.html").write_text((sections.PACKAGE / "page" / "marks.html").read_text())
    monkeypatch.setattr(sections, "PACKAGE", tmp_path)
    sections.templates.cache_clear()
    yield
    sections.templates.cache_clear()
    words.speak("en")


def test_a_section_is_its_lines_with_facts_in_the_language_spoken():
    facts = {"leads": 1234, "name": "Anna", "rows": pd.DataFrame([ROW]), "share": 0.5}
    shown = sections.show_section("ours.greeting", facts)
    lines = ["Anna has 1,234 leads.", "lead → met: 60–70%, 50%, Anna"]
    assert shown.data["text/plain"].splitlines() == lines
    assert shown.data["text/html"].count("\n") == 1, "no empty line"
    assert '<a class="fs-page" data-page="manager-Anna.html">Anna</a>' in shown.data["text/html"]
    assert sections.show_section("ours.greeting", facts, leads=1).data["text/plain"] == "Anna has one lead."
    words.speak("ru", {"lead": "заявка"})
    assert "заявка → met: 60–70 %" in sections.show_section("ours.greeting", facts).data["text/plain"]


def test_a_text_from_the_data_stays_a_text_on_one_line():
    facts = {"leads": 6, "name": "<b>Anna</b>\n%(n)s {{ 7 }}", "rows": [ROW], "share": float("nan")}
    html = sections.show_section("ours.greeting", facts).data["text/html"]
    assert "&lt;b&gt;Anna&lt;/b&gt; %(n)s {{ 7 }} has 6 leads." in html
    assert "<b>" not in html
    assert "n/a" in html


def test_a_section_without_words_shows_nothing_and_an_unknown_one_is_refused():
    assert sections.show_section("ours.nothing").data["text/html"] == ""
    with pytest.raises(ValueError, match='no block "missing" in the template of the page "ours"'):
        sections.show_section("ours.missing")
    with pytest.raises(UndefinedError, match="leads"):
        sections.show_section("ours.greeting")


def test_marks_stay_within_their_axis_and_leave_out_what_is_not_known():
    row = {"rate": 2.0, "ci_lower": float("nan"), "ci_upper": float("nan"), "target": 0.5, "verdict": "too few"}
    html = sections.show_section("ours.marks", row=row, values=[1, float("nan"), 3]).data["text/html"]
    assert 'class="fs-mark fs-too-few"' in html
    assert 'cx="116.0"' in html, "a rate beyond the axis stands at its end"
    assert 'class="fs-range"' not in html
    assert 'points="4.0,24.0 116.0,4.0 "' in html, "a week without a value is left out"


def test_every_template_is_a_page_of_blocks():
    loader = FileSystemLoader(sorted({path.parent for path in sections.PACKAGE.glob("*/*.html")}))
    assert (
        Environment(loader=loader, extensions=[sections.TRANSLATED, "jinja2.ext.do"]).get_template("ours.html").blocks
    )
