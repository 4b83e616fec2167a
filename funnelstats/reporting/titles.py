"""What pages are called: in the index, above themselves, in the language spoken."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from funnelstats.config.dates import parse_day, quarter_of, week_days
from funnelstats.config.words import _, counted, day, days, label, month, number, quarter

SECTION_WORDS = {
    "weekly": "Team",
    "manager": "Managers",
    "data_check": "Data",
    "closed_loop": "Month",
    "refusals": "Month",
    "roi": "Quarter",
    "counted": "Data",
}
"""Where the index lists the pages of a notebook."""
LABEL_WORDS = {
    "weekly": "The team",
    "manager": "Manager",
    "data_check": "What came in",
    "closed_loop": "What became of marketing's leads",
    "refusals": "Why they say no",
    "roi": "What channels bring and cost",
    "plan": "Plan",
    "leaks": "Leak",
    "counted": "How this was counted",
}
"""What the index calls a page of a notebook."""
HEAD_WORDS = {"team": "Team", "closed-loop": "Marketing and sales", "refusals": "Refusals", "roi": "Money"}
"""What the head of a page calls the pages it leads to, by their files."""
_UNSAID = ("funnel", "language")


class Link(NamedTuple):
    """A page of the funnel, as seen from another one's folder, and what its link is called."""

    label: str
    page: str


def period_words(unit: str, first: date, last: date) -> str:
    """What people call a period.

    >>> period_words("week", date(2026, 6, 22), date(2026, 6, 28))
    '22–28 June 2026'
    >>> period_words("month", date(2026, 6, 1), date(2026, 6, 30))
    'June 2026'
    >>> period_words("quarter", date(2026, 4, 1), date(2026, 6, 30))
    'Q2 2026'
    """
    if unit == "week":
        return days(first, last) + (f" {last.year}" if first.year == last.year else "")
    return month(first) if unit == "month" else quarter(quarter_of(last))


def notebook_label(notebook: str) -> str:
    """What pages of a notebook are called; one that is not among ours by its file's name.

    >>> notebook_label("plan"), notebook_label("our_own")
    ('Plan', 'our own')
    """
    return _(LABEL_WORDS[notebook]) if notebook in LABEL_WORDS else notebook.replace("_", " ")


def asked_label(notebook: str, values: Mapping[str, Any]) -> str:
    """What a page of a notebook with these parameters is called, without those that stay as they are.

    >>> asked_label("plan", {"funnel": "sample", "deals": 1000, "by": "2026-09-30", "language": "en"})
    'Plan: 1,000 deals by 30 Sep 2026'
    >>> asked_label("leaks", {"week": "2026-W26", "step": "met", "as_of": ""})
    'Leak: met, 22–28 June 2026'
    """
    given = {name: value for name, value in values.items() if name not in _UNSAID and value != ""}
    parts = []
    if notebook == "plan":
        deals = given.pop("deals", 0)
        words = counted("{n} deal", "{n} deals", deals).format(n=number(deals))
        by = given.pop("by", "")
        parts.append(_("{deals} by {day}").format(deals=words, day=day(parse_day(str(by)))) if by else words)
    if notebook == "leaks":
        parts += [label(str(given.pop("step", "")))] if "step" in given else []
        parts += [period_words("week", *week_days(str(given.pop("week"))))] if "week" in given else []
    known = given.pop("as_of", "")
    parts += [str(value) for value in given.values()]
    parts += [_("as of {day}").format(day=day(parse_day(str(known))))] if known else []
    return ": ".join([notebook_label(notebook), *([", ".join(parts)] if parts else [])])
