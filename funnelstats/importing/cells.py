"""What the text of a cell says: an instant, a number.

In DuckDB's SQL: null where the text does not say such a thing as declared, never a guess.
"""

import re
import unicodedata
from calendar import month_abbr, month_name
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from funnelstats.config.dates import EPOCHS, EXCEL, EXCEL_1904, first_day, month_words, weekday_words
from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.config.schema import PART
from funnelstats.importing.sql import WHOLE, Into, cases, first_known, instant_at, one_of, text

FILE, ROW = "_file", "_row"
PLACE = f"_source, {FILE}, {ROW}"
"""Where a row stands, of all rows of a table."""
CHUNK = 50_000
SAFE_DIGITS = 10**15
"""Spreadsheets and floats keep 15 digits; a longer number has lost the rest."""


@contextmanager
def whole_file(path: Path, kind: str) -> Iterator[None]:
    """Libraries meet a damaged file with errors of every sort: one message that names it."""
    try:
        yield
    except (FunnelError, MemoryError, duckdb.Error):
        raise
    except Exception as error:
        raise FunnelError(f"{path.name}: not a whole {kind} file ({type(error).__name__}); export it again") from error


class EngineRows(NamedTuple):
    """Rows that lie in the engine: the query of their columns of text with ``_row``, and how many they are."""

    query: str
    num_rows: int


Rows: TypeAlias = pa.Table | EngineRows
"""Columns of text with ``_row``, at hand or in the engine."""


class Read(NamedTuple):
    """One file: its rows, those that could not be split, all its column names."""

    rows: Rows
    broken: list[tuple[int, str, str]]
    kind: str
    header: list[str]

    @property
    def columns(self) -> pa.Table:
        """The rows, which are at hand where no table of the engine was named."""
        return self.rows


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
        if name.casefold() in (FILE, ROW, PART)
    ]
    if header_row and missing and len(missing) == len(wanted):
        rows = "row " + str(header_row[0]) if len(header_row) == 1 else f"rows {', '.join(map(str, header_row))}"
        verb = "was" if len(header_row) == 1 else "were"
        mistakes.append(f"{path.name}: {rows} {verb} taken as the header; if it is another, state header_row")
    if mistakes:
        raise FunnelError("\n".join(mistakes))
    return wanted


def text_rows(rows: Iterable[Sequence[Any]], header: Sequence[str], wanted: Sequence[str], into: Into | None) -> Rows:
    """Rows that begin with their number as columns of text, or a chunk at a time in a table of the engine."""
    return gathered_rows(_schema(wanted), _batches(rows, header, wanted), into)


def gathered_rows(schema: pa.Schema, batches: Iterable[pa.RecordBatch], into: Into | None) -> Rows:
    """Batches as columns, or one after another in a table of the engine."""
    return pa.Table.from_batches(batches, schema) if into is None else put(into, schema, batches)


def put(into: Into, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> EngineRows:
    """Put batches into a new table of the engine."""
    con, table = into
    number = 0
    con.register("batch", schema.empty_table())
    con.execute(f"CREATE TABLE {table} AS FROM batch")
    for batch in batches:
        con.register("batch", pa.Table.from_batches([batch]))
        con.execute(f"INSERT INTO {table} FROM batch")
        number += batch.num_rows
    con.unregister("batch")
    return EngineRows(f"FROM {table}", number)


def _schema(wanted: Sequence[str]) -> pa.Schema:
    return pa.schema([(ROW, pa.int64()), *((name, pa.string()) for name in wanted)])


def _batches(rows: Iterable[Sequence[Any]], header: Sequence[str], wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    places = [header.index(name) + 1 for name in wanted]
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK)):
        columns = list(zip(*chunk, strict=True))
        arrays = [pa.array(columns[0], pa.int64()), *(text_array(columns[place]) for place in places)]
        yield pa.record_batch(arrays, schema=_schema(wanted))


def text_array(values: Any) -> Any:
    """Cells as a column of text, letters and their accents in one, whoever wrote them on whichever system."""
    texts = values.cast(pa.string()) if isinstance(values, pa.ChunkedArray) else pa.array(values, pa.string())
    return pc.utf8_normalize(texts, form="NFC")


def cell_text(value: Any) -> str:
    """A spreadsheet's cell as text; a number too long for it keeps the look of one that lost digits."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | time):
        return value.isoformat()
    if isinstance(value, date):
        return f"{value}T00:00:00"
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

EPOCH_DIGITS = {"epoch_s": r"^\d{9,10}(\.\d+)?$", "epoch_ms": r"^\d{12,13}$", "epoch_us": r"^\d{15,16}$",
                EXCEL: r"^[1-9]\d{4}([.,]\d+)?$"}  # fmt: skip
"""From 1973 to 2286, from 1927 to 2173 in a spreadsheet, so that none is taken for the other, and 0 is no date."""

MICROSECONDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
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


def is_error(cell: str) -> str:
    """Whether a spreadsheet wrote that a formula has no result; the few such cells alone are compared."""
    return cases([(f"starts_with({cell}, '#')", one_of(cell, FORMULA_ERRORS))], "FALSE")


def trimmed(cell: str) -> str:
    """The text without blanks at its ends, which only the few that have some cost time."""
    at_an_end = matches(cell, f"^[{BLANKS}]|[{BLANKS}]$")
    return cases([(at_an_end, f"trim({cell}, {text(BLANKS)})")], cell)


def matches(cell: str, pattern: str) -> str:
    return f"regexp_matches({cell}, {text(pattern)})"


def exchanged(cell: str, pattern: str, by: str) -> str:
    """The text with something else for every match of a pattern."""
    return f"regexp_replace({cell}, {text(pattern)}, {text(by)}, 'g')"


UNUSUAL_BLANKS = r"[\s\p{Zs}]{2}|[\t\n\f\r\x{a0}\x{1680}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]"
"""All but a single plain one."""


def one_blank(cell: str) -> str:
    """The text with one blank where several stand, or one of another kind: nobody sees the difference."""
    return cases([(matches(cell, UNUSUAL_BLANKS), exchanged(cell, r"[\s\p{Zs}]+", " "))], cell)


WRITTEN_ALIKE = (
    (r"(?i)(\d) ?([ap])\.? ?m\b\.?", r"\1 \2m"),
    (r"(?:오전|上午|午前) ?(\d[\d:]*)", r" \1 am"),
    (r"(?:오후|下午|午後) ?(\d[\d:]*)", r" \1 pm"),
    (r"^(\d{4})\. ?(\d\d?)\. ?(\d\d?)\.?( +|$)", r"\1.\2.\3\4"),
    (r"^(\d\d?)\. (\d\d?)\. (\d{4})", r"\1.\2.\3"),
    (r" +", " "),
    (r"(?i)(\d),? (?:at|um|в|о|à|a las|às|alle|om|klo|kl\.?) (\d\d?[:.]\d\d)", r"\1 \2"),
    (r"(?i)(:\d\d) (?:uhr|uur|ч\.?)$", r"\1"),
    (r"(\d{4},? \d\d?)\.(\d\d)\.(\d\d)$", r"\1:\2:\3"),
    (r"(\d{4},? \d\d?)\.(\d\d)$", r"\1:\2"),
    (r"(GMT[+-]\d{4}) \(.*\)$", r"\1"),
    (r"([+-]0000) UTC$", r"\1"),
)
"""Ways to write a day and its hour that mean the same, each with what it becomes: a. m. or 上午 before the hour, words
and full stops between, the name of a zone behind its offset."""


@cache
def beside_day() -> tuple[tuple[str, str], ...]:
    """What a date is as well without: the day of the week, the ending of 7th, the word for year behind its number.

    Patterns, each with what stays of its match.
    """
    return (
        (rf"(?i)^(?:{'|'.join(weekday_words())})\.?,? ", ""),
        (r"(?i)^mar\.?,? (\d\d?\.? [a-zà-ž])", r"\1"),  # Tuesday, where a month follows
        (r"(?i)\b(\d\d?)(?:st|nd|rd|th)\b", r"\1"),
        (r"(?i)(\d{4}) ?(?:г\.?|года)(,? |$)", r"\1\2"),
    )


def _month_pattern(number: int, mark: str) -> str:
    """A month in any of the languages that are read, with the marks before and after it; a full stop is its own."""
    return rf"(?i)(^|{mark})(?:{'|'.join(month_words()[number])})\.?({mark}|$)"


def _plain_date(cell: str, months: Sequence[str]) -> str:
    """A date as any hand writes it, with plain blanks, months by these English names, and am or pm at its hour."""
    cell = one_blank(cell)
    for pattern, by in (*beside_day(), *WRITTEN_ALIKE):
        cell = exchanged(cell, pattern, by)
    for number, month in enumerate(months, start=1):
        cell = exchanged(cell, _month_pattern(number, r"[^\p{L}]"), rf"\1{month}\2")
    return cell


def plain_date(text: str) -> str:
    """The same of one text, with the short names of months.

    >>> plain_date("Mo., 5 сент. 2026 г. 1:05 p. m.")
    '5 Sep 2026 1:05 pm'
    """
    text = re.sub(r"\s+", " ", text)
    named = re.search(r"[^\W\d_]", text)
    for pattern, by in (*(beside_day() if named else ()), *WRITTEN_ALIKE):
        text = re.sub(pattern, by, text)
    if not named:
        return text
    for number in month_words():
        text = re.sub(_month_pattern(number, r"[\W\d_]"), rf"\1{month_abbr[number]}\2", text)
    return text


def instant_of(cell: str, formats: Sequence[str], clock: str, zone: str) -> str:
    """The instant a text names: by the stated formats, else ISO; without an offset, the time is that of ``clock``.

    A day without an hour begins at midnight in ``zone``, whose days are counted: it is nobody's instant. Formats of
    such days alone, ``%Y-%m-%dT00:00:00Z``, leave the other texts to ISO.
    """
    days = all(":" in fmt and not _codes(fmt) & {"H", "I"} for fmt in formats)
    readings = [_by_format(cell, fmt, clock, zone) for fmt in formats]
    readings.append(_by_iso(cell, clock, zone, anywhere=days))
    # Only texts that nothing has read so far cost the time that these take.
    readings += [
        _by_format(_plain_date(cell, MONTHS[code] if code else ()), plain, clock, zone)
        for fmt in formats
        if fmt not in EPOCHS
        for plain in [re.sub(" ?%p", " %p", re.sub(r"(%[bB])\.", r"\1", re.sub(r"\s+", " ", fmt)))]
        for code in [next((code for code in "bB" if code in _codes(fmt)), "")]
    ]
    readings += [_by_iso(one_blank(cell), clock, zone, anywhere=True)] if days else []
    return first_known(readings)


MONTHS = {"b": month_abbr[1:], "B": month_name[1:]}


def _by_iso(cell: str, clock: str, zone: str, *, anywhere: bool) -> str:
    """By ISO; where formats are stated, only true dates of spreadsheets and Parquet, which readers write with a T."""
    iso = matches(cell, ISO) + ("" if anywhere else f" AND contains({cell}, 'T')")
    wall = _plausible(f"try_cast({cell} AS TIMESTAMP)")
    readings = [(matches(cell, ZONED), _plausible(f"try_cast({cell} AS TIMESTAMPTZ)"))]
    readings += [(matches(cell, WHOLE_DAY), instant_at(zone, wall))] if clock != zone else []
    return cases([(iso, cases(readings, instant_at(clock, wall)))])


def is_utc_midnight(cell: str, at: str, formats: Sequence[str]) -> str:
    """Whether a text names an instant, by an offset or since 1970, that is midnight in UTC to the microsecond.

    ``at`` is the instant on the clock of UTC.
    """
    named = [f"({matches(cell, ISO)} AND {matches(cell, ZONED)})"]
    for fmt in formats:
        if fmt in MICROSECONDS:
            named.append(matches(cell, EPOCH_DIGITS[fmt]))
        elif _codes(fmt) & {"z", "Z"}:
            named.append(f"{_by_format(cell, fmt, 'UTC', 'UTC')} IS NOT NULL")
    return cases([(f"epoch_us({at}) % {WHOLE} = 0", f"({' OR '.join(named)})")], "FALSE")


def _codes(fmt: str) -> set[str]:
    return set(re.findall("%(.)", fmt))


def _by_format(cell: str, fmt: str, clock: str, zone: str) -> str:
    if fmt in DAYS_TO_1970:
        serial = f"try_cast(replace({cell}, ',', '.') AS DOUBLE)"
        # To the millisecond: a fraction of a day is no exact second.
        since = f"(round({serial} * {WHOLE} / 1000)::BIGINT * 1000 - {DAYS_TO_1970[fmt] * WHOLE})"
        wall = f"make_timestamp({since})"
        at = cases([(f"{serial} % 1 = 0", instant_at(zone, wall))], instant_at(clock, wall))
        return cases([(matches(cell, EPOCH_DIGITS[EXCEL]), at)])
    if fmt in EPOCHS:
        unit = fmt.removesuffix("_day")
        since = f"round(try_cast({cell} AS DOUBLE) * {MICROSECONDS[unit]})::BIGINT"
        instant = f"make_timestamptz({since})"
        if unit != fmt:
            instant = cases([(f"{since} % {WHOLE} = 0", instant_at(zone, f"make_timestamp({since})"))])
        return cases([(matches(cell, EPOCH_DIGITS[unit]), instant)])
    codes = _codes(fmt)
    if "Z" in codes:
        return f"coalesce({', '.join(_by_format(cell, _named(fmt, zone), 'UTC', 'UTC') for zone in UTC_NAMES)})"
    day, code = first_day(fmt)
    read = _plausible(
        f"try_strptime({cell} || {text(day)}, {text(fmt + code)})" if day else f"try_strptime({cell}, {text(fmt)})"
    )
    if "z" in codes:
        return read
    return instant_at(clock if codes & {"H", "I"} else zone, read)


def _named(fmt: str, zone: str) -> str:
    """The format with a zone's name as it stands instead of %Z."""
    return re.sub("%(.)", lambda code: zone if code[1] == "Z" else code[0], fmt)


def _plausible(moment: str) -> str:
    return cases([(f"{moment} >= '{FIRST_YEAR}-01-01'", moment)])
