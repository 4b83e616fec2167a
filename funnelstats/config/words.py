"""The language of what is shown: texts from a gettext catalogue, numbers, days and money as Babel writes them.

A process shows one page at a time, in one language: ``speak`` sets it, ``open_funnel`` calls it with the funnel's
``language``. English texts are the catalogue's keys, so a text without a translation stays English.
"""

import gettext
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from funnelstats.config.errors import FunnelError, suggestion

LANGUAGES = ("en", "ru")
NOT_KNOWN = "n/a"
MINUS = "\u2212"
_PATTERNS = ("#,##0", "#,##0.0", "#,##0.00", "#,##0.000", "#,##0.0000")
_TINY = 0.0001
_NEARLY = 0.999
_ENDLESS = 1e21
"""From here on a number is shown as endless: Babel refuses it, and no digit of it would mean anything."""
_DAYS = {"en": "d MMM y", "ru": "d MMMM y"}
"""How a day is written: without the full stops of Russian's short months and of its "г."."""
_BRITISH = {"en": "en_GB"}
"""Whose English is written: no comma before the last of several."""
_spoken: dict[str, Any] = {"language": "en", "labels": {}, "lead_url": None}


def speak(language: str, labels: Mapping[str, str] | None = None, lead_url: str | None = None) -> None:
    """From here on texts and numbers are in this language, and names from the data read as their ``labels`` do.

    ``lead_url`` is the address of a lead in the CRM, with {lead_id} in it. Raises FunnelError for a language without
    a catalogue.
    """
    if language not in LANGUAGES:
        raise FunnelError(f'no language "{language}"; {suggestion(language, LANGUAGES)}')
    _spoken.update(language=language, labels=labels or {}, lead_url=lead_url)


def spoken() -> str:
    """The language that texts and numbers are in."""
    return str(_spoken["language"])


def label(name: str) -> str:
    """What a stage, channel, product or reason is called in the language spoken: its own name where none is stated."""
    return str(_spoken["labels"].get(name, name))


def step_name(from_stage: str, to_stage: str) -> str:
    """A step, no arrow at the start of a line.

    >>> step_name("lead", "met")
    'lead\xa0→ met'
    """
    return f"{label(from_stage)}\u00a0→ {label(to_stage)}"


def lead_address(lead_id: str) -> str:
    """Where the CRM shows a lead; "" where funnel.toml states no address."""
    address = _spoken["lead_url"]
    return address.replace("{lead_id}", quote(lead_id, safe="")) if address else ""


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; English is the texts themselves."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("funnelstats", Path(__file__).parent / "locale", [language])


def _(text: str) -> str:
    """The text in the language spoken.

    >>> _("Nothing is missing.")
    'Nothing is missing.'
    """
    return translations(spoken()).gettext(text) if text else text


def counted(one: str, several: str, number: float) -> str:
    """The text in the form its number asks for.

    >>> counted("{n} lead", "{n} leads", 2).format(n=2)
    '2 leads'
    """
    return translations(spoken()).ngettext(one, several, int(number))


def within(days: int) -> str:
    """A limit of days as sentences write it.

    >>> within(1), within(21)
    ('within 1 day', 'within 21 days')
    """
    return counted("within {n} day", "within {n} days", days).format(n=number(days))


def weeks(many: int) -> str:
    """A number of weeks.

    >>> weeks(1), weeks(13)
    ('1 week', '13 weeks')
    """
    return counted("{n} week", "{n} weeks", many).format(n=number(many))


def percent(share: float, digits: int = 0) -> str:
    """A share as a percentage.

    >>> percent(0.663), percent(-0.0512, 1), percent(float("nan"))
    ('66%', '−5.1%', 'n/a')
    """
    space = "" if spoken() == "en" else "\u00a0"
    return _(NOT_KNOWN) if pd.isna(share) else _written(share, f"{_PATTERNS[digits]}{space}%", spoken())


def number(value: float, digits: int = 0) -> str:
    """A number with its thousands set apart.

    >>> number(35324), number(-4.256, 1), number(float("nan")), number(7.6e44)
    ('35,324', '−4.3', 'n/a', '∞')
    """
    return _(NOT_KNOWN) if pd.isna(value) else _written(value, _PATTERNS[digits], spoken())


def points(share: float) -> str:
    """A difference of two shares, in points.

    >>> points(0.05), points(0.017), points(0.01)
    ('5 points', '1.7 points', '1 point')
    """
    size = round(float(100 * share), 1)
    return counted("{n} point", "{n} points", 1 if size == 1 else 2).format(n=number(size, size % 1 > 0))


def probability(share: float) -> str:
    """A probability as a percentage: nothing is certain, and nothing ruled out.

    >>> probability(0.9), probability(0.99996), probability(0.0)
    ('90.0%', 'above 99.9%', 'below 0.1%')
    """
    if share > _NEARLY:
        return _("above {share}").format(share=percent(_NEARLY, 1))
    return _("below {share}").format(share=percent(1 - _NEARLY, 1)) if share < 1 - _NEARLY else percent(share, 1)


def percent_range(lower: float, upper: float) -> str:
    """Both ends of a range of shares; one that begins below nothing takes a word, since a dash would be one more minus.

    >>> percent_range(0.612, 0.699), percent_range(-0.01, 0.02), percent_range(-0.004, 0.02)
    ('61–70%', '−1 to 2%', '0–2%')
    """
    ends = number(100 * lower), percent(upper)
    return _("{low} to {high}").format(low=ends[0], high=ends[1]) if ends[0].startswith(MINUS) else "–".join(ends)


def exact(value: float) -> str:
    """A number with the three digits that mean something, below 1,000; a tiny one is said to be below 0.0001.

    >>> exact(1234.5), exact(0.98), exact(-0.01457), exact(1.57e-38)
    ('1,234', '0.98', '−0.0146', '<0.0001')
    """
    size = abs(value)
    if not 0 < size < math.inf:
        return number(value)
    if size < _TINY:
        return f"{'<' if value > 0 else '>'}{number(math.copysign(_TINY, value), 4)}"
    digits = max(0, 2 - math.floor(math.log10(size)))
    return _written(value, "#,##0." + "#" * digits, spoken())


def _written(value: float, pattern: str, language: str) -> str:
    """The number with a true minus: a hyphen is shorter, and a line may end after it. Nothing has no minus."""
    number_pattern, locale = _parsed(pattern, language)
    if abs(value) >= _ENDLESS:
        value = math.copysign(math.inf, value)
    text = str(number_pattern.apply(value, locale)).replace("-", MINUS)
    return text if re.search("[1-9∞]", text) else text.replace(MINUS, "")


@cache
def _parsed(pattern: str, language: str) -> tuple[Any, Any]:
    """Babel reads both anew for every number, which takes longer than the rest."""
    from babel import Locale
    from babel.numbers import parse_pattern

    return parse_pattern(pattern), Locale.parse(language)


def rough(value: float) -> str:
    """A number with the two digits that mean something, a whole one from 1 on.

    >>> rough(35324006), rough(1.1), rough(0.6)
    ('35,000,000', '1', '0.6')
    """
    if pd.isna(value):
        return _(NOT_KNOWN)
    two = float(f"{value:.2g}")
    return number(two, 1 if 0 < abs(two) < 1 else 0)


def money(amount: float, currency: str) -> str:
    """An amount without cents, with its currency; one below 1 in cents, which are not nothing.

    >>> money(35324006.4, "RUB"), money(0.456, "EUR")
    ('35,324,006\xa0₽', '0.46\xa0€')
    """
    if pd.isna(amount):
        return _(NOT_KNOWN)
    return _in_currency(number(amount, 2 if 0 < abs(amount) < 1 else 0), currency)


def _in_currency(text: str, currency: str) -> str:
    return f"{text}\u00a0{symbol(currency)}" if currency else text


def short_money(amount: float, currency: str) -> str:
    """An amount as people say it, with the three digits that mean something; in a section the whole one is on hover.

    >>> short_money(35324006.4, "RUB"), short_money(-211533, "EUR"), short_money(950, "EUR")
    ('35.3M\xa0₽', '−212K\xa0€', '950\xa0€')
    """
    from babel.numbers import format_compact_decimal

    if pd.isna(amount) or abs(amount) < 10_000:
        return money(amount, currency)
    text = format_compact_decimal(float(f"{amount:.3g}"), locale=spoken(), fraction_digits=2)
    return _in_currency(text.replace("-", MINUS), currency)


def symbol(currency: str) -> str:
    """The sign of a currency, its letters where it has none.

    >>> symbol("RUB"), symbol("EUR"), symbol("CZK")
    ('₽', '€', 'CZK')
    """
    from babel.numbers import get_currency_symbol

    # English knows this sign by three letters only.
    return "₽" if currency == "RUB" else get_currency_symbol(currency, spoken()) if currency else ""


def listed(parts: Iterable[str]) -> str:
    """Several as one enumeration.

    >>> listed(["price", "timing", "trust"])
    'price, timing and trust'
    """
    from babel.lists import format_list

    return format_list(list(parts), locale=_BRITISH.get(spoken(), spoken()))


def days(first: date, last: date) -> str:
    """A span of days, its year left to what stands around it unless there are two.

    >>> days(date(2026, 6, 22), date(2026, 6, 28)), days(date(2025, 12, 29), date(2026, 1, 4))
    ('22–28 June', '29 Dec 2025 – 4 Jan 2026')
    """
    if first.year != last.year:
        return f"{day(first)} – {day(last)}"
    same = first.month == last.month
    end = _day(last, "d MMMM")
    return f"{first.day}–{end}" if same else f"{_day(first, 'd MMMM')} – {end}"


def month(value: date) -> str:
    """The month of a day.

    >>> month(date(2026, 6, 28))
    'June 2026'
    """
    return _day(value, "LLLL y")


def quarter(name: str) -> str:
    """A quarter as people say it, of the calendar's year or of a fiscal one.

    >>> quarter("2026-Q2"), quarter("FY2026-04-Q1")
    ('Q2 2026', 'Q1 of the fiscal year from April 2026')
    """
    year, _q, n = name.rpartition("-Q")
    if year.isdigit():
        return _("Q{n} {year}").format(n=n, year=year)
    first = date.fromisoformat(f"{year.removeprefix('FY')}-01")
    return _("Q{n} of the fiscal year from {month}").format(n=n, month=month(first))


def day(value: date) -> str:
    """A day as sentences and tables write it.

    >>> day(date(2026, 6, 28))
    '28 Jun 2026'
    """
    return _day(value, _DAYS[spoken()])


def axis_day(value: date) -> str:
    """A day as the axis of a figure writes it, whose page names the year.

    >>> axis_day(date(2026, 6, 28))
    '28 Jun'
    """
    return _day(value, "d MMM")


def _day(value: date, pattern: str) -> str:
    from babel.dates import format_date

    return _(NOT_KNOWN) if pd.isna(value) else format_date(value, pattern, locale=spoken())
