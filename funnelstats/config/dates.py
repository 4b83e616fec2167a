"""How days are written, and the weeks, months and quarters (of a fiscal year, if stated) that pages are about."""

import re
import unicodedata
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import combinations
from typing import Literal
from zoneinfo import available_timezones

from babel.dates import get_day_names, get_month_names

from funnelstats.config.errors import FunnelError

EXCEL, EXCEL_1904 = "excel", "excel_1904"
EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_s_day", "epoch_ms_day", EXCEL, EXCEL_1904)
"""In place of a date format: seconds, milli- or microseconds since 1970 in UTC, or the days that they begin at midnight
UTC; days since 1900, or 1904, as a spreadsheet counts them, with their hours as a fraction."""

EXTRA_MONTHS = {
    1: "jän jänner", 2: "фев fév fev feber", 3: "mrz", 5: "maj", 6: "jui", 7: "juill", 8: "aou",
    9: "sept sep сен set setiembre", 11: "ноя", 12: "dec",
}  # fmt: skip
"""Ways to write a month that CRMs and spreadsheets have beside those of Unicode's CLDR."""


LANGUAGES = ("en", "ru", "de", "es", "fr", "it", "nl", "pl", "pt", "tr")
"""Whose words are read in dates."""


@cache
def weekday_words() -> tuple[str, ...]:
    """What days of the week are called, in small letters, the longest first.

    Without those that are months as well: in French "mar" is Tuesday, and March.

    >>> [word in weekday_words() for word in ("mo", "понедельник", "monday", "mar")]
    [True, True, True, False]
    """
    widths: tuple[Literal["wide", "abbreviated", "short"], ...] = ("wide", "abbreviated", "short")
    names = [get_day_names(width, locale=language) for language in LANGUAGES for width in widths]
    found = {name.casefold().rstrip(".") for each in names for name in each.values()}
    months = {word for words in month_words().values() for word in words}
    return tuple(sorted(found - months, key=lambda word: (-len(word), word)))


@cache
def month_words() -> dict[int, tuple[str, ...]]:
    """What each month is called in ten languages of Europe, in small letters, the longest first.

    >>> [number for number, words in month_words().items() if "sept" in words or "янв" in words]
    [1, 9]
    """
    found: dict[int, set[str]] = {number: set(words.split()) for number, words in EXTRA_MONTHS.items()}
    for language in LANGUAGES:
        for width in ("wide", "abbreviated"):
            for context in ("format", "stand-alone"):
                for number, name in get_month_names(width, context, language).items():
                    word = name.casefold().rstrip(".")
                    bare = "".join(mark for mark in unicodedata.normalize("NFD", word) if mark not in ACCENTS)
                    found.setdefault(number, set()).update({word, unicodedata.normalize("NFC", bare)})
    return {number: tuple(sorted(found[number], key=lambda word: (-len(word), word))) for number in sorted(found)}


ACCENTS = "\u0301\u0302\u0308\u0327"
"""What Latin letters are written without where a system knows none; й keeps what makes it й."""

DAY_CODES = ({"d"}, {"m", "b", "B"}, {"Y", "y"}), ({"j"}, {"Y", "y"}), ({"G"}, {"V"}, {"u"}), ({"Y"}, {"U", "W"}, {"w"})
"""Ways to name a day that every engine reads alike: of a week, the number of its day and not the name."""

COUNTED_FROM = ({"d", "m", "b", "B"}, {"j"}, {"G", "V"}, {"U", "W"})
"""What days are counted by: in a month, a year, an ISO week, a week; of two at once engines read one."""


_FIRST_MONTH = ContextVar("first month of the fiscal year", default=1)


def begin_years_in(month: int) -> None:
    """From here on quarters are those of a fiscal year that begins with this month."""
    _FIRST_MONTH.set(month)


WEEK_STARTS = {"monday": 0, "sunday": 1}
_DAYS_AHEAD = ContextVar("days that weeks begin before the Monday of the ISO week they are named by", default=0)


def begin_weeks_on(day: str) -> None:
    """From here on weeks begin on Monday, or on the Sunday before it."""
    _DAYS_AHEAD.set(WEEK_STARTS[day])


def days_ahead() -> int:
    """So many days before the Monday of their ISO week weeks begin."""
    return _DAYS_AHEAD.get()


def months_apart() -> int:
    """So many months, 0 to 2, after those of the year its quarters begin."""
    return (_FIRST_MONTH.get() - 1) % 3


@cache
def known_zones() -> frozenset[str]:
    """The names of time zones, which Python looks up in hundreds of files."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


def checked_zone(name: str) -> str:
    """A time zone's name, as it is. Raises ValueError."""
    if name not in known_zones():
        raise ValueError('must be a name like "Europe/Moscow"')
    return name


def checked_format(fmt: str) -> str:
    """A date format that names a whole day, a week or a month, as it is. Raises ValueError.

    >>> checked_format("%d.%m.%Y %H:%M %z"), checked_format("epoch_ms"), checked_format("%Y-%m-%dT00:00:00Z")
    ('%d.%m.%Y %H:%M %z', 'epoch_ms', '%Y-%m-%dT00:00:00Z')
    """
    if fmt in EPOCHS or names_no_day(fmt):
        return fmt
    codes = set(re.findall("%(.)", fmt))
    if "-" in codes:
        raise ValueError('must be without "-" after "%", since %d reads 5 and 05')
    if local := sorted(codes & {"c", "x", "X"}):
        raise ValueError(f"must name its parts instead of %{local[0]}, which every computer writes otherwise")
    if codes & {"H", "I"} and (text := re.search(r"(?<!%)(UTC|GMT|Z)$", fmt)):
        raise ValueError(f'must not end in "{text[0]}", which would say nothing: %Z reads it, and ISO needs no format')
    if codes & {"H", "I"} and (text := re.search(r"[+-]\d\d(:?\d\d)?$", fmt)):
        raise ValueError(f'must not end in "{text[0]}", which would say nothing: %z reads it')
    if ("I" in codes) != ("p" in codes):
        raise ValueError("must have %I and %p together: twelve hours, and which half of the day")
    sample = datetime(2001, 12, 31, 13, 59, tzinfo=UTC)
    try:
        read = datetime.strptime(sample.strftime(fmt), fmt)
    except (ValueError, re.error):
        read = datetime.min
    if read.date() != sample.date():
        raise ValueError('must name day, month and year, for example "%d.%m.%Y %H:%M"')
    if not any(all(codes & part for part in parts) for parts in DAY_CODES):
        raise ValueError('must name the day of a week by its number: "%G-W%V-%u" or "%Y-%W-%w"')
    if sum(bool(codes & parts) for parts in COUNTED_FROM) > 1:
        raise ValueError('must count days in one way, by month, year or week, for example "%d.%m.%Y"')
    return fmt


def names_no_day(fmt: str) -> bool:
    """Whether a date format names months or weeks and no day, as costs may do.

    >>> names_no_day("%Y-%m"), names_no_day("%G-W%V"), names_no_day("%d.%m.%Y")
    (True, True, False)
    """
    return set(re.findall("%(.)", fmt)) in ({*WEEK}, *({year, month} for year in "yY" for month in "mbB"))


WEEK = "GV"
"""Codes of a week of ISO 8601, which begins on Monday."""


def first_day(fmt: str) -> tuple[str, str]:
    """What to add to a date and to its format, so that one which names a week alone names its first day."""
    return (" 1", " %u") if set(re.findall("%(.)", fmt)) == {*WEEK} else ("", "")


def checked_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Formats of one column, if no text is one day by one of them and another day by another. Raises ValueError.

    >>> checked_formats(("%d.%m.%Y %H:%M", "%d.%m.%Y"))
    ('%d.%m.%Y %H:%M', '%d.%m.%Y')
    """
    sample = datetime(2001, 2, 3, 4, 5, tzinfo=UTC)
    for first, second in combinations([fmt for fmt in formats if fmt not in EPOCHS], 2):
        text = sample.strftime(first)
        try:
            read = datetime.strptime(text, second)
        except ValueError:
            continue
        if read.date() != sample.date():
            raise ValueError(f'must not read "{text}" as one day by "{first}" and another by "{second}"')
    return formats


def _year(year: str | int) -> int:
    """A year that sales may be reported of, with room for windows before and after it. Raises ValueError."""
    if not 1900 <= int(year) < 2200:
        raise ValueError
    return int(year)


def parse_day(day: date | str) -> date:
    """A date from ``2026-06-28``. Raises FunnelError for anything else.

    >>> parse_day("2026-06-28")
    datetime.date(2026, 6, 28)
    """
    if isinstance(day, date):
        return day
    try:
        found = date.fromisoformat(day)
        _year(found.year)
        return found
    except ValueError as error:
        raise FunnelError(f'no date "{day}"; write it like 2026-06-28') from error


def checked_period(first: date, last: date) -> None:
    """Nothing, if a period's days are in order. Raises FunnelError."""
    if first > last:
        raise FunnelError(f"a period's start must not be after its end, got {first} to {last}")


def checked_between(between: tuple[date, date], name: str) -> tuple[date, date]:
    """First and last day of what is called ``name``, if they are in order. Raises FunnelError."""
    first, last = between
    if first > last:
        raise FunnelError(f"{name} must be (first, last), got {first} after {last}")
    return between


def week_days(week: str) -> tuple[date, date]:
    """First and last day of a week: ``2026-W26`` of ISO, or ``2026-W26-Sun``, which begins on the Sunday before.

    Raises FunnelError for anything else.

    >>> week_days("2026-W26"), week_days("2026-W26-Sun")[0]
    ((datetime.date(2026, 6, 22), datetime.date(2026, 6, 28)), datetime.date(2026, 6, 21))
    """
    try:
        if not (found := re.fullmatch(r"(\d{4})-W(\d{2})(-Sun)?", str(week), re.ASCII)):
            raise ValueError
        monday = date.fromisocalendar(_year(found[1]), int(found[2]), 1)
    except ValueError as error:
        raise FunnelError(f'no week "{week}"; write it like {week_of(date(2026, 6, 24))}') from error
    first = monday - timedelta(days=1 if found[3] else 0)
    return first, first + timedelta(days=6)


def week_of(day: date) -> str:
    """The week of a day, of ISO or by the day that the funnel's weeks begin with.

    >>> week_of(date(2026, 1, 1)), week_of(date(2027, 1, 3))
    ('2026-W01', '2026-W53')
    """
    year, week, _ = (day + timedelta(days=days_ahead())).isocalendar()
    return f"{year}-W{week:02}{'-Sun' if days_ahead() else ''}"


def last_complete_week(day: date) -> str:
    """The last week whose last day is not after a day.

    >>> last_complete_week(date(2026, 6, 27)), last_complete_week(date(2026, 6, 28))
    ('2026-W25', '2026-W26')
    """
    first, _ = week_days(week_of(day + timedelta(days=1)))
    return week_of(first - timedelta(days=1))


def month_days(month: str) -> tuple[date, date]:
    """First and last day of a month written ``2026-06``. Raises FunnelError for anything else.

    >>> month_days("2026-06")
    (datetime.date(2026, 6, 1), datetime.date(2026, 6, 30))
    """
    try:
        if not re.fullmatch(r"\d{4}-\d{2}", month, re.ASCII):
            raise ValueError
        first = date(_year(month[:4]), int(month[5:]), 1)
        after = _first_day(12 * first.year + first.month)
    except ValueError as error:
        raise FunnelError(f'no month "{month}"; write it like 2026-06') from error
    return first, after - timedelta(days=1)


def month_of(day: date) -> str:
    """The month of a day.

    >>> month_of(date(2026, 6, 28))
    '2026-06'
    """
    return f"{day:%Y-%m}"


def last_complete_month(day: date) -> str:
    """The last month whose last day is not after a day.

    >>> last_complete_month(date(2026, 6, 29)), last_complete_month(date(2026, 6, 30))
    ('2026-05', '2026-06')
    """
    first, _ = month_days(month_of(day + timedelta(days=1)))
    return month_of(first - timedelta(days=1))


def months_to(month: str, months: int) -> tuple[date, date]:
    """First and last day of so many months that end with one.

    >>> months_to("2026-02", 3)
    (datetime.date(2025, 12, 1), datetime.date(2026, 2, 28))
    """
    first, last = month_days(month)
    for _earlier in range(months - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    return first, last


def quarter_days(quarter: str) -> tuple[date, date]:
    """First and last day of a quarter: ``2026-Q2``, or of the fiscal year from April ``FY2026-04-Q1``.

    Raises FunnelError for anything else.

    >>> quarter_days("2026-Q2"), quarter_days("FY2026-04-Q1") == quarter_days("2026-Q2")
    ((datetime.date(2026, 4, 1), datetime.date(2026, 6, 30)), True)
    """
    try:
        if not (found := re.fullmatch(r"(?:FY(\d{4})-(\d{2})|(\d{4}))-Q([1-4])", quarter, re.ASCII)):
            raise ValueError
        fiscal, month, year, number = found.groups()
        before = 12 * _year(fiscal) + date(1, int(month), 1).month if fiscal else 12 * _year(year) + 1
        begins, after = (_first_day(before - 1 + 3 * (int(number) - 1 + more)) for more in (0, 1))
    except ValueError as error:
        example = quarter_of(date(2026, 6, 30))
        raise FunnelError(f'no quarter "{quarter}"; write it like {example}') from error
    return begins, after - timedelta(days=1)


def _first_day(months: int) -> date:
    """The first day of a month by the number of months before it."""
    return date(months // 12, months % 12 + 1, 1)


def quarter_of(day: date) -> str:
    """The quarter of a day, of a fiscal year by the month it begins with.

    >>> quarter_of(date(2026, 6, 28))
    '2026-Q2'
    """
    month = _FIRST_MONTH.get()
    year, months = divmod(12 * day.year + day.month - month, 12)
    return f"{year}-Q{months // 3 + 1}" if month == 1 else f"FY{year}-{month:02}-Q{months // 3 + 1}"


def last_complete_quarter(day: date) -> str:
    """The last quarter whose last day is not after a day.

    >>> last_complete_quarter(date(2026, 6, 29)), last_complete_quarter(date(2026, 6, 30))
    ('2026-Q1', '2026-Q2')
    """
    first, _ = quarter_days(quarter_of(day + timedelta(days=1)))
    return quarter_of(first - timedelta(days=1))
