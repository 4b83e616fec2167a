"""What the text of a cell says: an instant, a number.

Lazy verbs on DuckDB: null where the text does not say such a thing as declared, never a guess.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import month_abbr, month_name
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from funnelstats.config.dates import EPOCHS, EXCEL, EXCEL_1904, month_words
from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.config.funnel import Source

FILE, ROW = "_file", "_row"
CHUNK = 50_000
SAFE_DIGITS = 10**15
"""Spreadsheets and floats keep 15 digits; a longer number has lost the rest."""


@contextmanager
def whole_file(path: Path, kind: str) -> Iterator[None]:
    """Libraries meet a damaged file with errors of every sort: one message that names it."""
    try:
        yield
    except (FunnelError, MemoryError):
        raise
    except Exception as error:
        raise FunnelError(f"{path.name}: not a whole {kind} file ({type(error).__name__}); export it again") from error


class Read(NamedTuple):
    """One file: its columns of text with ``_row``, the rows that could not be split, all its column names."""

    columns: pa.Table
    broken: list[tuple[int, str, str]]
    kind: str
    header: list[str]


def composed(text: str) -> str:
    """The text with letters and their accents in one: what looks the same is the same (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text)


def chosen_columns(
    path: Path, header: Sequence[str], wanted: Sequence[str] | None, header_row: Sequence[int] = ()
) -> list[str]:
    """The wanted columns, each of which must stand in the header once; all where none is wanted."""
    known = [name for name in header if name]
    wanted = known if wanted is None else list(wanted)
    twice = sorted({name for name in known if name in wanted and header.count(name) > 1})
    missing = [name for name in wanted if name not in header]
    mistakes = [f'{path.name}: no column "{name}"; {suggestion(name, known)}' for name in missing]
    mistakes += [f'{path.name}: column "{name}" stands there twice; rename one' for name in twice]
    # Engines do not tell "ID" from "Id": as names of columns they are one.
    first = {name.casefold(): name for name in reversed(wanted)}
    mistakes += [
        f'{path.name}: columns "{first[name.casefold()]}" and "{name}" differ in capitals only; rename one'
        for name in dict.fromkeys(wanted)
        if first[name.casefold()] != name
    ]
    mistakes += [
        f'{path.name}: column "{name}" has a name that funnelstats uses itself; rename it'
        for name in wanted
        if name.casefold() in (FILE, ROW)
    ]
    if header_row and missing and len(missing) == len(wanted):
        rows = "row " + str(header_row[0]) if len(header_row) == 1 else f"rows {', '.join(map(str, header_row))}"
        verb = "was" if len(header_row) == 1 else "were"
        mistakes.append(f"{path.name}: {rows} {verb} taken as the header; if it is another, state header_row")
    if mistakes:
        raise FunnelError("\n".join(mistakes))
    return wanted


def text_columns(rows: Iterable[Sequence[Any]], header: Sequence[str], wanted: Sequence[str]) -> pa.Table:
    """Rows that begin with their number, gathered in chunks into columns of text."""
    places = [header.index(name) + 1 for name in wanted]
    schema = pa.schema([(ROW, pa.int64()), *((name, pa.string()) for name in wanted)])
    iterator = iter(rows)
    batches = []
    while chunk := list(islice(iterator, CHUNK)):
        columns = list(zip(*chunk, strict=True))
        arrays = [pa.array(columns[0], pa.int64()), *(text_array(columns[place]) for place in places)]
        batches.append(pa.record_batch(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def text_array(values: Any) -> Any:
    """Cells as a column of text, letters and their accents in one, whoever wrote them on whichever system."""
    texts = values.cast(pa.string()) if isinstance(values, pa.ChunkedArray) else pa.array(values, pa.string())
    return pc.utf8_normalize(texts, form="NFC")


def cell_text(value: Any) -> str:
    """A spreadsheet's cell as text; a number too long for it keeps the look of one that lost digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(value.total_seconds(), 60)
        return f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{seconds:02g}"
    if isinstance(value, float) and isnan(value):
        return ""
    if isinstance(value, int | float) and abs(value) >= SAFE_DIGITS:
        return f"{value:.5E}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


BLANKS = " \t\r\n\u00a0\u2009\u202f\ufeff"
ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
ZONED = r":\S*(Z|[+-]\d{2}(:?\d{2})?)$"
WHOLE_DAY = r"^\d{4}-\d{2}-\d{2}(T00:00:00(\.0+)?)?$"
"""An ISO day without an hour, as people write it or as a spreadsheet or Parquet stores it."""

FIRST_YEAR = 1000
"""A year before it is a short year under the wrong format, or a CRM's way to write no date: 01.01.0001."""

EPOCH_DIGITS = {"epoch_s": r"^\d{9,10}(\.\d+)?$", "epoch_ms": r"^\d{12,13}$", EXCEL: r"^[1-9]\d{4}([.,]\d+)?$"}
"""From 1973 to 2286, from 1927 to 2173 in a spreadsheet, so that none is taken for the other, and 0 is no date."""

MICROSECONDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
WHOLE = 86_400_000_000
"""Microseconds of a day."""
DAYS_TO_1970 = {EXCEL: 25_569, EXCEL_1904: 24_107}
"""The number that a spreadsheet gives the first day of 1970."""

TYPOGRAPHIC = "\u2212\u00a0\u2009\u202f\u2019", "-   '"
"""Minus, narrow and unbreakable blanks and apostrophe of typesetters, and those of a keyboard."""

UTC_NAMES = ("UTC", "GMT", "Z")
"""The only names of zones that name one clock: BST, AST or CST are several, and engines guess."""

FORMULA_ERRORS = (
    "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#N/A", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#GETTING_DATA",
    "#BEZUG!", "#WERT!", "#NV", "#ZAHL!", "#ССЫЛКА!", "#ЗНАЧ!", "#ДЕЛ/0!", "#ИМЯ?", "#Н/Д", "#ЧИСЛО!", "#ПУСТО!",
)  # fmt: skip
"""What a spreadsheet writes where a formula has no result; in English whatever its language within XLSX."""


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
    return text.re_replace(r"[\s\p{Zs}]+", " ")


HALF_OF_DAY = r"(?i) ?\b([ap])\.? ?m\b\.?"
"""Before or after noon, as am, a.m. or A. M."""


def _month_pattern(number: int, mark: str) -> str:
    """A month in any of the languages that are read, with the marks before and after it; a full stop is its own."""
    return rf"(?i)(^|{mark})(?:{'|'.join(month_words()[number])})\.?({mark}|$)"


def _plain_date(text: ir.StringValue, months: Sequence[str]) -> ir.StringValue:
    """A date as any hand writes it, with plain blanks, months by these English names, and am or pm at its hour."""
    text = one_blank(text).re_replace(HALF_OF_DAY, r"\1m")
    for number, name in enumerate(months, start=1):
        text = text.re_replace(_month_pattern(number, r"[^\p{L}]"), rf"\1{name}\2")
    return text


def plain_date(text: str) -> str:
    """The same of one text, with the short names of months.

    >>> plain_date("5 сент. 2026 1:05 p. m.")
    '5 Sep 2026 1:05 pm'
    """
    text = re.sub(HALF_OF_DAY, r" \1m", re.sub(r"\s+", " ", text))
    for number in month_words():
        text = re.sub(_month_pattern(number, r"[\W\d_]"), rf"\1{month_abbr[number]}\2", text)
    return text


def _plain_format(fmt: str) -> str:
    """The format that reads what is written so."""
    return re.sub(" ?%p", "%p", re.sub(r"(%[bB])\.", r"\1", re.sub(r"\s+", " ", fmt)))


def instant_of(text: ir.StringValue, formats: Sequence[str], clock: str, zone: str) -> ir.TimestampValue:
    """The instant a text names: by the stated formats, else ISO; without an offset, the time is that of ``clock``.

    A day without an hour begins at midnight in ``zone``, whose days are counted: it is nobody's instant. Formats of
    such days alone, ``%Y-%m-%dT00:00:00Z``, leave the other texts to ISO.
    """
    days = all(":" in fmt and not _codes(fmt) & {"H", "I"} for fmt in formats)
    readings = [_by_format(text, fmt, clock, zone) for fmt in formats]
    readings.append(_by_iso(text, clock, zone, anywhere=days))
    # Only texts that nothing has read so far cost the time that these take.
    readings += [
        _by_format(_plain_date(text, MONTHS[code] if code else ()), _plain_format(fmt), clock, zone)
        for fmt in formats
        if fmt not in EPOCHS
        for code in [next((code for code in "bB" if code in _codes(fmt)), "")]
    ]
    readings += [_by_iso(one_blank(text), clock, zone, anywhere=True)] if days else []
    return ibis.coalesce(*readings)


MONTHS = {"b": month_abbr[1:], "B": month_name[1:]}


def _by_iso(text: ir.StringValue, clock: str, zone: str, *, anywhere: bool) -> ir.TimestampValue:
    """By ISO; where formats are stated, only true dates of spreadsheets and Parquet, which readers write with a T."""
    iso = text.re_search(ISO) & (ibis.literal(True) if anywhere else text.contains("T"))
    day_or_time = instant_at(clock, _plausible(text.try_cast("timestamp")))
    if clock != zone:
        day = instant_at(zone, _plausible(text.try_cast("timestamp")))
        day_or_time = ibis.ifelse(text.re_search(WHOLE_DAY), day, day_or_time)
    zoned = _plausible(text.try_cast(dt.Timestamp(timezone="UTC")))
    return ibis.ifelse(iso, ibis.ifelse(text.re_search(ZONED), zoned, day_or_time), ibis.null(zoned.type()))


def utc_midnight(text: ir.StringValue, instant: ir.TimestampValue, formats: Sequence[str]) -> ir.BooleanValue:
    """Whether a text names an instant, by an offset or since 1970, that is midnight in UTC to the microsecond."""
    named = text.re_search(ISO) & text.re_search(ZONED)
    for fmt in formats:
        if fmt in MICROSECONDS:
            named |= text.re_search(EPOCH_DIGITS[fmt])
        elif _codes(fmt) & {"z", "Z"}:
            named |= _by_format(text, fmt, "UTC", "UTC").notnull()
    at = wall_clock("UTC", instant)
    return named & (at == at.truncate("D"))


def _codes(fmt: str) -> set[str]:
    return set(re.findall("%(.)", fmt))


def _by_format(text: ir.StringValue, fmt: str, clock: str, zone: str) -> ir.TimestampValue:
    if fmt in DAYS_TO_1970:
        serial = ibis.ifelse(
            text.re_search(EPOCH_DIGITS[EXCEL]), text.replace(",", ".").try_cast("float64"), ibis.null("float64")
        )
        # To the millisecond: a fraction of a day is no exact second.
        wall = make_timestamp((serial * WHOLE / 1000).round().cast("int64") * 1000 - DAYS_TO_1970[fmt] * WHOLE)
        return ibis.ifelse(serial % 1 == 0, instant_at(zone, wall), instant_at(clock, wall))
    if fmt in EPOCHS:
        unit = fmt.removesuffix("_day")
        digits = text.re_search(EPOCH_DIGITS[unit])
        since = ibis.ifelse(
            digits, (text.try_cast("float64") * MICROSECONDS[unit]).round().cast("int64"), ibis.null("int64")
        )
        if unit == fmt:
            return instant_at("UTC", make_timestamp(since))
        return instant_at(zone, make_timestamp(ibis.ifelse(since % WHOLE == 0, since, ibis.null("int64"))))
    codes = _codes(fmt)
    if "Z" in codes:
        return ibis.coalesce(*(_by_format(text, _named(fmt, name), "UTC", "UTC") for name in UTC_NAMES))
    if "z" in codes:
        return _plausible(try_strptime_zoned(text, fmt))
    return instant_at(clock if codes & {"H", "I"} else zone, _plausible(try_strptime(text, fmt)))


def _named(fmt: str, zone: str) -> str:
    """The format with a zone's name as it stands instead of %Z."""
    return re.sub("%(.)", lambda code: zone if code[1] == "Z" else code[0], fmt)


def _plausible(moment: ir.TimestampValue) -> ir.TimestampValue:
    kind = moment.type()
    earliest = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC if kind.timezone else None)
    return ibis.ifelse(moment >= ibis.literal(earliest, kind), moment, ibis.null(kind))


def number_of(text: ir.StringValue, source: Source) -> ir.FloatingValue:
    """The number that digits say with the source's decimal, thousands and currency signs; "(5)" is minus five.

    A minus may stand behind, and a word for thousands or millions: "1.234,50-", "$12.5K", "1,2 млн".
    """
    digits = digits_of(text, source)
    sign_behind = digits.re_replace(r"^(.*\d.*?) *-$", r"-\1")
    word = sign_behind.re_extract(MANY, 2).lower()
    many = ibis.cases(*((word.isin(words.split()), float(factor)) for factor, words in MULTIPLES.items()))
    number = ibis.coalesce(
        plain_number(digits, source),
        plain_number(sign_behind, source),
        plain_number(sign_behind.re_extract(MANY, 1), source) * many,
    )
    # More digits than a float can hold are infinite there, and no amount.
    return ibis.ifelse(number.isinf(), ibis.null("float64"), number)


MULTIPLES = {
    1_000: "k тыс тысяч тысячи тысяча tsd",
    1_000_000: "m mm mn mln mio млн миллион миллиона миллионов million millions millionen",
    1_000_000_000: "b bn mrd млрд миллиард миллиарда миллиардов billion billions milliarden",
}
"""Words behind a number, in small letters, and by how much they multiply it."""
MANY = rf"(?i)^(.*\d) *({'|'.join(' '.join(MULTIPLES.values()).split())})[. ]*$"


def digits_of(text: ir.StringValue, source: Source) -> ir.StringValue:
    """The text without currency signs, with a keyboard's minus, blanks and apostrophe, the sign at its beginning."""
    signs = sorted(source.currency_signs, key=len, reverse=True)
    digits = text.re_replace("|".join(map(re.escape, signs)), "") if signs else text
    digits = trimmed(digits.translate(*TYPOGRAPHIC), BLANKS)
    return digits.re_replace(r"^\( *(.*?) *\)$", r"-\1").re_replace("^([-+]) +", r"\1")


def plain_number(digits: ir.StringValue, source: Source) -> ir.FloatingValue:
    thousands = source.thousands.translate(str.maketrans(*TYPOGRAPHIC))
    bare = digits.replace(thousands, "") if thousands else digits
    number = bare.replace(source.decimal, ".").try_cast("float64")
    return ibis.ifelse(digits.re_search(number_pattern(source.decimal, thousands)), number, ibis.null("float64"))


LAST_DIGITS = 9
"""Of a phone number: what stands before them is the country, and how one dials out of one's own."""


def id_form(text: ir.StringValue, ids: str | None) -> ir.StringValue:
    """What ids have in common that differ in form only; addresses of mail differ in capitals whatever is stated."""
    if ids == "number":
        return text.re_replace(r"^0*(\d+?)(?:[.,]0+)?$", r"\1")
    if ids == "salesforce":
        return ibis.ifelse(text.re_search("^[A-Za-z0-9]{18}$"), text.left(15), text)
    if ids == "capitals":
        return text.lower().re_replace(r"^\{(.*)\}$", r"\1")
    if ids == "phone":
        digits = text.re_replace(r"(?i)\s*(?:,|;|ext|x|доб|#).*$", "").re_replace(r"\D", "")
        return ibis.ifelse(digits.length() >= FEWEST_DIGITS, digits.right(LAST_DIGITS), ibis.null("string"))
    return ibis.ifelse(text.contains("@"), text.lower(), text)


FEWEST_DIGITS = 7
"""Of a phone number that can be somebody's."""


def number_pattern(decimal: str, thousands: str) -> str:
    """What a number looks like with this decimal sign and this one between groups of digits."""
    mark, between = re.escape(decimal), re.escape(thousands)
    # Groups end in three digits (of two before that in India): "1,5" is no 15 where commas group.
    whole = rf"(\d+|\d{{1,3}}({between}\d{{2,3}})*{between}\d{{3}})" if between else r"\d+"
    return rf"^[-+]?{whole}({mark}\d+)?$"
