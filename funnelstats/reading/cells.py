"""What the text of a cell says: an instant, a number; and which date format would read it.

Lazy verbs on DuckDB: null where the text does not say such a thing as declared, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from funnelstats.stated.dates import EPOCHS
from funnelstats.stated.funnel import Source

BLANKS = " \t\r\n\u00a0\u2009\u202f\ufeff"
ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
ZONED = r":\S*(Z|[+-]\d{2}(:?\d{2})?)$"
ISO_T = "%Y-%m-%dT%H:%M:%S"
WHOLE_DAY = r"^\d{4}-\d{2}-\d{2}(T00:00:00(\.0+)?)?$"
"""An ISO day without an hour, as people write it or as a spreadsheet or Parquet stores it."""

FIRST_YEAR = 1000
"""A year before it is a short year under the wrong format, or a CRM's way to write no date: 01.01.0001."""

EPOCH_DIGITS = {"epoch_s": r"^\d{9,10}(\.\d+)?$", "epoch_ms": r"^\d{12,13}$"}
"""From 1973 to 2286, so that neither is taken for the other, and 0 is no date."""

MICROSECONDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
TYPOGRAPHIC = "\u2212\u00a0\u2009\u202f\u2019", "-   '"
"""Minus, narrow and unbreakable blanks and apostrophe of typesetters, and those of a keyboard."""

COMMON_FORMATS = [
    f"{day}{clock}"
    for day in ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y/%m/%d", "%Y%m%d",
                "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
    for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
]  # fmt: skip


@ibis.udf.scalar.builtin(signature=((dt.string, dt.string), dt.timestamp))
def try_strptime(text, fmt):  # type: ignore[no-untyped-def]
    """DuckDB's reading of a date, null where the text does not match."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), dt.Timestamp(timezone="UTC")))
def try_strptime_zoned(text, fmt):  # type: ignore[no-untyped-def]
    """DuckDB's reading of a date whose format names an offset or zone: an instant."""


@ibis.udf.scalar.builtin(signature=((dt.int64,), dt.timestamp))
def make_timestamp(microseconds):  # type: ignore[no-untyped-def]
    """DuckDB: so long after 1970."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp(timezone="UTC")), dt.timestamp))
def wall_clock(zone, instant):  # type: ignore[no-untyped-def]
    """DuckDB: what the clock on a zone's wall shows at an instant."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.timestamp), dt.Timestamp(timezone="UTC")))
def instant_at(zone, wall):  # type: ignore[no-untyped-def]
    """DuckDB: the instant at which the clock on a zone's wall shows this."""


@ibis.udf.scalar.builtin(name="trim", signature=((dt.string, dt.string), dt.string))
def trimmed(text, characters):  # type: ignore[no-untyped-def]
    """DuckDB: text without these characters at its ends."""


def one_blank(text: ir.StringValue) -> ir.StringValue:
    """The text with one blank where several stand, or one of another kind: nobody sees the difference."""
    return text.re_replace(r"[\s\x{00A0}\x{2009}\x{202F}]+", " ")


def instant_of(text: ir.StringValue, formats: Sequence[str], clock: str, zone: str) -> ir.TimestampValue:
    """The instant a text names: by the stated formats, else ISO; without an offset, the time is that of ``clock``.

    A day without an hour begins at midnight in ``zone``, whose days are counted: it is nobody's instant.
    """
    iso = text.re_search(ISO) & (text.contains("T") if formats else ibis.literal(True))
    day_or_time = instant_at(clock, _plausible(text.try_cast("timestamp")))
    if clock != zone:
        day = instant_at(zone, _plausible(text.try_cast("timestamp")))
        day_or_time = ibis.ifelse(text.re_search(WHOLE_DAY), day, day_or_time)
    zoned = _plausible(text.try_cast(dt.Timestamp(timezone="UTC")))
    # Spreadsheets and Parquet hold real dates, which readers write as ISO with a T whatever the format.
    spreadsheet = ibis.ifelse(iso, ibis.ifelse(text.re_search(ZONED), zoned, day_or_time), ibis.null(zoned.type()))
    return ibis.coalesce(*(_by_format(text, fmt, clock, zone) for fmt in formats), spreadsheet)


def _by_format(text: ir.StringValue, fmt: str, clock: str, zone: str) -> ir.TimestampValue:
    if fmt in EPOCHS:
        digits = text.re_search(EPOCH_DIGITS[fmt])
        since = (text.try_cast("float64") * MICROSECONDS[fmt]).round().cast("int64")
        return instant_at("UTC", make_timestamp(ibis.ifelse(digits, since, ibis.null("int64"))))
    codes = set(re.findall("%(.)", fmt))
    if codes & {"z", "Z"}:
        return _plausible(try_strptime_zoned(text, fmt))
    return instant_at(clock if codes & {"H", "I"} else zone, _plausible(try_strptime(text, fmt)))


def _plausible(moment: ir.TimestampValue) -> ir.TimestampValue:
    kind = moment.type()
    earliest = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC if kind.timezone else None)
    return ibis.ifelse(moment >= ibis.literal(earliest, kind), moment, ibis.null(kind))


def number_of(text: ir.StringValue, source: Source) -> ir.FloatingValue:
    """The number that digits say with the source's decimal, thousands and currency signs; "(5)" is minus five."""
    digits = text
    for sign in source.currency_signs:
        digits = digits.replace(sign, "")
    digits = trimmed(digits.translate(*TYPOGRAPHIC), BLANKS)
    digits = digits.re_replace(r"^\( *(.*?) *\)$", r"-\1").re_replace("^([-+]) +", r"\1")
    thousands = source.thousands.translate(str.maketrans(*TYPOGRAPHIC))
    mark, between = re.escape(source.decimal), re.escape(thousands)
    # Groups end in three digits (of two before that in India): "1,5" is no 15 where commas group.
    whole = rf"(\d+|\d{{1,3}}({between}\d{{2,3}})*{between}\d{{3}})" if between else r"\d+"
    plain = digits.re_search(rf"^[-+]?{whole}({mark}\d+)?$")
    bare = digits.replace(thousands, "") if between else digits
    return ibis.ifelse(plain, bare.replace(source.decimal, ".").try_cast("float64"), ibis.null("float64"))


def date_hint(texts: Sequence[str]) -> str:
    """Which date formats would read all of these texts, and whether that is ambiguous.

    >>> date_hint(["26-02-2018", "01-02-2018"])
    'date_format = "%d-%m-%Y" would read them'
    >>> date_hint(["01-02-2018"])
    '"01-02-2018" is ambiguous: state date_format = "%d-%m-%Y" or "%m-%d-%Y"'
    >>> date_hint(["01.01.0001 00:00:00"])
    'if it stands for no date, state missing = "01.01.0001 00:00:00"'
    """
    for text in filter(re.compile(r"\b0\d{3}\b").search, texts):
        if any(_reads(text, fmt, years=range(FIRST_YEAR)) for fmt in ["%Y-%m-%d", ISO_T, *COMMON_FORMATS]):
            return f'if it stands for no date, state missing = "{text}"'
    fitting = [fmt for fmt in COMMON_FORMATS if all(_reads(text, fmt) for text in texts)]
    fitting += [fmt for fmt, digits in EPOCH_DIGITS.items() if all(re.search(digits, text) for text in texts)]
    if len(fitting) > 1:
        choices = " or ".join(f'"{fmt}"' for fmt in fitting)
        return f'"{texts[0]}" is ambiguous: state date_format = {choices}'
    return f'date_format = "{fitting[0]}" would read them' if fitting else "state date_format"


def _reads(text: str, fmt: str, years: range = range(FIRST_YEAR, 10_000)) -> bool:
    try:
        return datetime.strptime(text, fmt).year in years
    except ValueError:
        return False
