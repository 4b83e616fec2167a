"""A page's sections in words: a template for each page, a block for each of its sections, in the page's order.

A page's template stands in its room and bears its notebook's name (``team/weekly.html``), so that a writer reads the
page as a page. Python chooses facts and which case holds; words, plural forms and marks are the template's. Texts stand
in ``{% trans %}`` and are found in the catalogues.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from funnelstats.config import words
from funnelstats.config.schema import MISSING
from funnelstats.page.tables import TEXT_MIME, VERDICT_COLOURS, VERDICT_MARKS, Shown

PACKAGE = Path(__file__).parents[1]
TRANSLATED = "jinja2.ext.i18n"
_BLOCK_END = re.compile("</(?:h1|p|li)>")
_DAYS = re.compile(r"\d+–\d+(?=[^<>]*</h1>)")


class Count(int):
    """A number that chooses its text's plural form and is written in the language spoken."""

    def __str__(self) -> str:
        return words.number(int(self))


def show_section(section: str, facts: Mapping[str, Any] | None = None, **more: Any) -> Shown:
    """A block of a page's template filled with facts: "weekly.people" is the block "people" of weekly.html.

    Facts are words, numbers, days, lists and mappings of these; a DataFrame is the list of its rows. Every text is
    escaped. Lines without their tags are what the regression test compares; those of the page's block "first" are
    what a run's summary quotes. A section without words shows nothing. Raises ValueError for a section that no
    template has.

    >>> fs.show_section("weekly.trend", shown | fs.team.whole_way(leak.change))
    <Shown: Is it getting better? lead → paid fell by 11 points against…>
    """
    html = _rendered(section, {**(facts or {}), **more})
    lines = [line for line in (Markup(line).striptags() for line in html.splitlines()) if line]
    sentences = [text for text in (Markup(part).striptags() for part in _BLOCK_END.split(html)) if text]
    return Shown(
        {
            "text/html": html,
            "text/plain": "\n".join(lines) or "(nothing)",
            TEXT_MIME: {"box": "lead" if section.endswith(".first") else "", "sentences": sentences},
        }
    )


def _rendered(section: str, facts: Mapping[str, Any]) -> str:
    page, _dot, block = section.partition(".")
    try:
        template = templates().get_template(f"{page}.html")
        render = template.blocks[block]
    except LookupError:
        raise ValueError(f'no block "{block}" in the template of the page "{page}"') from None
    lines = "".join(render(template.new_context(_plain(facts)))).splitlines()
    text = "\n".join(line.strip() for line in lines if line.strip())
    # a narrow page would end a line of its title between the days of "22–28 June"
    return _DAYS.sub(r'<span class="fs-day">\g<0></span>', text)


def page_name(*words: str) -> str:
    """A file name for a page of these words: readable, safe on every system, different for different words.

    >>> page_name("manager", "Иванов")
    'manager-Иванов'
    >>> page_name("manager", "../A & B")
    'manager-A-B-674164'
    """
    text = "-".join(unicodedata.normalize("NFC", str(word)) for word in words)
    safe = re.sub(r"\W+", "-", text).strip("-_")[:60]
    # "ivanov" and "Ivanov" are one file on many disks: what is not plainly capitalised is told apart too.
    if safe == text and all(word == word.title() for word in words[1:]):
        return safe
    return f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _plain(fact: Any) -> Any:
    """Frames as lists of rows; a text that the data writes over several lines on one."""
    if isinstance(fact, pd.DataFrame):
        return [_plain(row) for row in fact.to_dict("records")]
    if isinstance(fact, Mapping):
        return {name: _plain(value) for name, value in fact.items()}
    if isinstance(fact, (list, tuple)):
        return [_plain(value) for value in fact]
    return " ".join(fact.split()) if isinstance(fact, str) and not isinstance(fact, Markup) else fact


@cache
def templates() -> Environment:
    """The templates of all pages, whose texts are in the language spoken when a section is shown."""
    rooms = sorted({path.parent for path in PACKAGE.glob("*/*.html")})
    found = Environment(
        loader=FileSystemLoader(rooms),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[TRANSLATED, "jinja2.ext.do"],
    )
    found.policies["ext.i18n.trimmed"] = True
    found.install_gettext_callables(words._, words.counted, newstyle=True)  # type: ignore[attr-defined]
    found.filters |= {
        "count": lambda value: Count(round(float(value))),
        "number": words.number,
        "exact": words.exact,
        "percent": words.percent,
        "share": _share,
        "points": words.points,
        "range": _range,
        "money": _money,
        "day": words.day,
        "month": words.month,
        "days": lambda span: words.days(*span),
        "listed": lambda parts: Markup(words.listed([str(escape(part)) for part in parts])),
        "rough": words.rough,
        "within": words.within,
        "weeks": words.weeks,
        "step": lambda row: words.step_name(row["from_stage"], row["to_stage"]),
        "label": words.label,
        "word": words._,
        "link": _link,
        "manager": lambda name: _link(name, _manager_page(name)),
        "manager_page": _manager_page,
    }
    found.tests |= {"known": pd.notna, "of_won_alone": lambda facts: any(fact["fact"] == "only_won" for fact in facts)}
    found.globals |= {"MISSING": MISSING, "VERDICT_MARKS": VERDICT_MARKS, "VERDICT_COLOURS": VERDICT_COLOURS}
    # a block rendered alone sees no import of its page
    found.globals["marks"] = found.get_template("marks.html").module
    return found


def _share(value: float) -> str:
    """A share as sentences write it: 34%, 8.8%, 99.6%; not 100% of some."""
    return words.percent(value, 1 if 0 < value < 0.0995 or 0.995 <= value < 1 else 0)


def _range(row: Mapping[str, Any], lower: str = "ci_lower", upper: str = "ci_upper") -> str:
    """The interval of a row: 61–70%."""
    return words.percent_range(row[lower], row[upper])


def _money(amount: float, currency: str) -> Any:
    """An amount in short, with the whole one on hover where that says more."""
    short, whole = words.short_money(amount, currency), words.money(amount, currency)
    return short if short == whole else Markup('<abbr title="{}">{}</abbr>').format(whole, short)


def _manager_page(name: str) -> str:
    return f"{page_name('manager', name)}.html"


def _link(text: Any, page: str) -> Markup:
    """The text as a link to another page of the funnel; its publisher makes it one where there is such a page."""
    return Markup('<a class="fs-page" data-page="{}">{}</a>').format(page, escape(text))
