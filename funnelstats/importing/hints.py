"""Lines of funnel.toml that would read what cannot be read, or what to change in the export; where to stop."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from funnelstats.config.dates import first_day
from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.funnel import Funnel
from funnelstats.config.sources import EVERY_COLUMN, Source
from funnelstats.importing.cells import (
    BLANKS,
    EPOCH_DIGITS,
    FIRST_YEAR,
    TYPOGRAPHIC,
    UTC_NAMES,
    plain_date,
)
from funnelstats.importing.facts import NOT_BAD, code_of, reason_in_file
from funnelstats.importing.mapping import Fault
from funnelstats.importing.numbers import MANY, NO_CENTS, PARTS, number_pattern
from funnelstats.importing.sql import Connection, columns_of, frame, quoted

DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y",
        "%d/%m/%y", "%m/%d/%y", "%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d. %b %Y",
        "%d. %B %Y", "%d de %b de %Y", "%d de %B de %Y", "%d/%b/%y", "%d-%b-%y", "%b %d %Y", "%d %b, %Y",
        "%Y年%m月%d日")  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M:%S.%f",
          ", %H:%M", ", %H:%M:%S", ", %I:%M %p", ", %I:%M:%S %p")  # fmt: skip
ZONES = ("", " %z", "%z", " %Z", "%Z", " GMT%z", " UTC%z")
COMMON_FORMATS = [f"{day}{clock}{zone}" for zone in ZONES for day in DAYS for clock in CLOCKS if clock or not zone]
NAMED_ZONE = r"(?<=[\d ])([A-Za-z]{1,5}([+-]\d{1,2})?)$"
FEW = 10
"""Words without a digit that a line may declare to mean nothing."""


def lines_under(table: str, line: str) -> str:
    """A line to add to each source of a table, which a comment names."""
    return f"# [{table}]\n{line}"


def toml_value(value: Any) -> str:
    """The value as one line of TOML writes it; a list of one as that one alone.

    >>> toml_value({"files": ["a.csv"], "values.stage": {"New": "lead"}})
    '{ files = "a.csv", "values.stage" = { New = "lead" } }'
    """
    if isinstance(value, Mapping):
        keys = (key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key) for key in value)
        return (
            "{ "
            + ", ".join(f"{key} = {toml_value(held)}" for key, held in zip(keys, value.values(), strict=True))
            + " }"
        )
    if isinstance(value, list | tuple):
        return toml_value(value[0]) if len(value) == 1 else "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # which JSON may hold, and TOML not


def date_hint(texts: Sequence[str]) -> str:
    """Which date formats would read all of these texts, and whether that is ambiguous.

    >>> date_hint(["26-02-2018", "01-02-2018"])
    'date_format = "%d-%m-%Y" would read them'
    >>> date_hint(["5 янв. 2026"])
    'date_format = "%d %b %Y" would read them'
    >>> date_hint(["01-02-2018"])
    '"01-02-2018" is ambiguous: state date_format = "%d-%m-%Y" or "%m-%d-%Y"'
    >>> date_hint(["0000-00-00"])
    'if it stands for no date, state missing = "0000-00-00"'
    >>> date_hint(["01.01.0001 00:00:00"])
    'if it stands for no date, state missing = "01.01.0001 00:00:00"'
    >>> date_hint(["2026-07-05 10:00 AST"])
    '"AST" is the name of several clocks or of none: state timezone, and date_format = "%Y-%m-%d %H:%M AST"'
    """
    for text in filter(re.compile(r"\b0\d{3}\b").search, texts):
        if not re.search("[1-9]", text) or any(reads(text, fmt, years=range(FIRST_YEAR)) for fmt in COMMON_FORMATS):
            return f'if it stands for no date, state missing = "{text}"'
    plain = [plain_date(text) for text in texts]
    fitting = _fitting(texts) or _fitting(plain)
    fitting += [fmt for fmt, digits in EPOCH_DIGITS.items() if all(re.search(digits, text) for text in texts)]
    # Of a month like May both names are one.
    fitting = [fmt for fmt in fitting if "%B" not in fmt or fmt.replace("%B", "%b") not in fitting]
    if len(fitting) > 1:
        choices = " or ".join(f'"{fmt}"' for fmt in fitting)
        return f'"{texts[0]}" is ambiguous: state date_format = {choices}'
    if fitting:
        return f'date_format = "{fitting[0]}" would read them'
    if hint := _named_zone_hint(plain):
        return hint
    of_month = any(map(str.isalpha, plain[0])) and any(map(str.isdigit, plain[0]))
    months = "; names of months are read in English, Russian and eight other languages"
    return f"state date_format{months if of_month else ''}"


def _fitting(texts: Sequence[str]) -> list[str]:
    return [fmt for fmt in COMMON_FORMATS if all(reads(text, fmt) for text in texts)]


def reads(text: str, fmt: str, years: range = range(FIRST_YEAR, 10_000)) -> bool:
    """Whether a text is a date of one of these years by a format."""
    # Python compiles every format anew, which takes far longer than to see that a sign of it is not there.
    if not set(re.sub(r"%.|\s", "", fmt).casefold()) <= set(text.casefold()):
        return False
    if fmt.endswith("%Z"):
        # The names that Python knows are also those of this computer's own zone.
        readings = [(text.removesuffix(name), fmt.removesuffix("%Z")) for name in UTC_NAMES if text.endswith(name)]
        return any(reads(before, of, years) for before, of in readings)
    day, code = first_day(fmt)
    try:
        return datetime.strptime(text + day, fmt + code).year in years
    except ValueError:
        return False


def _named_zone_hint(texts: Sequence[str]) -> str:
    found = [re.search(NAMED_ZONE, text) for text in texts]
    if not all(found):
        return ""
    names = list(dict.fromkeys(name[1] for name in found if name))
    fitting = _fitting([text[: name.start()].rstrip() for text, name in zip(texts, found, strict=True) if name])
    if not fitting or len(names) > 5:
        return ""
    stated = toml_value([f"{fitting[0]} {name}" for name in names])
    spoken = ", ".join(f'"{name}"' for name in names)
    several = "is the name" if len(names) == 1 else "are names"
    return f"{spoken} {several} of several clocks or of none: state timezone, and date_format = {stated}"


def number_hint(texts: Sequence[str], decimal: str, thousands: str) -> str:
    """Which decimal, thousands and currency signs would read all of these texts; nothing where none would.

    >>> number_hint(["1.234,50", "7,5"], ".", "")
    'decimal = "," and thousands = "." would read them'
    >>> number_hint(["$5"], ".", "")
    'currency_signs = ["$"] would read them'
    """
    if any(re.search(PARTS, text) for text in texts):
        return 'state whether these are minutes and seconds or hours and minutes: unit.duration_s = "mm:ss" or "hh:mm"'
    lines = number_lines(texts, decimal, thousands)
    return f"{' and '.join(lines)} would read them" if lines else ""


OF_LETTERS = ("r$", "zł", "kč", "kr", "грн", "tl", "円", "元", "원")
"""Signs of currencies that are no signs of Unicode's."""


def number_lines(texts: Sequence[str], decimal: str, thousands: str) -> list[str] | None:
    """The decimal, thousands and currency signs to state so that all of these texts are numbers; None if none are."""
    amounts, signs = [], set[str]()
    for text in texts:
        text = re.sub(r"^\( *(.*?) *\)$", r"-\1", re.sub(NO_CENTS, r"\g<1>0", text))
        text = re.sub(MANY, r"\1", re.sub(r"(\d.*?)\s*[-\u2212]$", r"\1", text))
        found = {*re.findall(r"[^\d.,'’\s()+\-−]+(?:\.(?!\d))?", text)}
        if not all(map(_is_sign, found - signs)):
            return None  # many texts are none at the first look
        amounts.append(text)
        signs |= found
    bare = [re.sub("|".join(map(re.escape, signs)), "", text) if signs else text for text in amounts]
    bare = [re.sub(NO_CENTS, r"\g<1>0", text.translate(str.maketrans(*TYPOGRAPHIC)).strip(BLANKS)) for text in bare]
    marks = [(decimal, thousands), (decimal, " "), (decimal, "")]
    marks += [(mark, between) for mark in ".," for between in ("", " ", ".", ",", "'")]
    for mark, between in marks:
        if mark != between and all(re.search(number_pattern(mark, between), text) for text in bare):
            lines = [f'decimal = "{mark}"'] if mark != decimal else []
            lines += [f'thousands = "{between}"'] if between != thousands else []
            listed = ", ".join(f'"{visible(sign)}"' for sign in sorted(signs))
            return [*lines, f"currency_signs = [{listed}]"] if signs else lines
    return None


def _is_sign(letters: str) -> bool:
    """Whether letters beside a number may be those of a currency."""
    known = (letters.isupper() and len(letters) == 3) or letters.casefold().rstrip(".") in OF_LETTERS
    return known or all(unicodedata.category(mark) == "Sc" or mark in "руб." for mark in letters)


def missing_line(name: str, values: Sequence[str], source: Source) -> str:
    """The line by which a few words without a digit stand for nothing, beside those stated before; else nothing."""
    if not 0 < len(values) <= FEW or any(mark.isdigit() for value in values for mark in value):
        return ""
    key = EVERY_COLUMN if EVERY_COLUMN in source.missing else name
    listed = ", ".join(json.dumps(value, ensure_ascii=False) for value in (*source.missing.get(key, ()), *values))
    return f"missing{'' if key == EVERY_COLUMN else f'.{name}'} = [{listed}]"


SALESFORCE = 15
"""Letters of a short id, to which the long one adds three that make up for capitals."""

ALIKE: list[tuple[Callable[[str], str], str, str]] = [
    (lambda text: re.sub(r"[.,]0+$", "", text), "one of the files holds ids as numbers with decimals", "number"),
    (lambda text: text.lstrip("0"), "one of the files has lost the zeros at the beginning", "number"),
    (lambda text: text[:SALESFORCE] if len(text) in (SALESFORCE, SALESFORCE + 3) else text,
     "one of the files holds the short ids of 15 letters, the other the long ones of 18", "salesforce"),
    (lambda text: text.casefold().strip("{}"), "the files differ in capitals or braces", "capitals"),
    (lambda text: re.sub(r"\D", "", text).lstrip("0") or text, "the files write something around the same digits", ""),
]  # fmt: skip
"""In which ways two ids are alike, what then is the matter, and which form of ids says so where one does."""


def id_hint(strays: Sequence[str], con: Connection, source: Source) -> str:
    """What ids of no lead most likely stand for, where most of them are like a lead's in one way; else an example."""
    called = quoted(next(iter(source.lead_by.values()), "lead_id"))
    found = con.execute(f"SELECT {called}::VARCHAR FROM leads WHERE {called} IS NOT NULL").fetchall()
    known = [lead for (lead,) in found]
    for key, matter, form in ALIKE:
        by_key: dict[str, str] = {}
        for lead in known:
            by_key.setdefault(key(lead), lead)
        alike = [(stray, by_key[key(stray)]) for stray in strays if key(stray) in by_key]
        if len(alike) * 2 > len(strays):
            stray, lead = alike[0]
            mend = f'state ids = "{form}"' if form and source.ids != form else "export both as text"
            return f'the lead is most likely "{visible(lead)}" for "{visible(stray)}": {matter}; {mend}'
    return f'ids of leads look like "{visible(min(known))}"' if known else ""


MOST = 0.5
"""Share of a column's filled cells from which on the statement is wrong and not the cells."""
LINES = 20
LOOKED_AT = 10_000


def rows_of(count: int) -> str:
    """So many rows, in a message."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def refuse_bad_columns(
    con: Connection,
    cells: str,
    occurring: Sequence[tuple[Fault, int]],
    counts: Mapping[str, int],
    funnel: Funnel,
    table: str,
    source: Source,
) -> None:
    """Stop where most of what a column holds cannot be read, and more than the declared share of the rows lack it.

    Of columns that a row can do without: a single cell only costs itself, but a whole column says that its decimal or
    date format is another. Errors of formulas are the spreadsheet's and not the statement's. ``counts`` has the
    ``rows`` and the ``filled_`` cells of each column.
    """
    mistakes = []
    for fault, count in occurring:
        if fault.costs_row or fault.reason == "formula" or fault.column not in source.columns:
            continue
        filled = counts[f"filled_{fault.column}"]
        if count <= MOST * filled or count <= funnel.max_bad_share * counts["rows"]:
            continue
        bad = {"file": "_file", "row": "_row", "value": fault.value}
        lines = frame(con, f"SELECT {columns_of(bad)} FROM {cells} WHERE {fault.when} ORDER BY ALL LIMIT {LOOKED_AT}")
        # What would read the cells with a digit, and the line by which the others, such as "on request", are blank.
        values = lines["value"].unique().tolist()
        words = [value for value in values if not any(mark.isdigit() for mark in value)]
        hint = _hint(fault.reason, [value for value in values if value not in words] or values, source, None)
        line = missing_line(fault.column, words, source) if code_of(fault.reason) in ("date", "number") else ""
        if line:
            hint = f"{hint if len(words) < len(values) else ''}; if words like these stand for nothing, state {line}"
        mistakes += [
            f'{table}: {count:,} of {filled:,} cells of the column "{fault.header}" cannot be read: as '
            "most of them cannot, it is written in another way than stated",
            _line(lines.iloc[0], fault.header, fault.reason, count) + hint,
        ]
    if mistakes:
        raise FunnelError("\n".join(mistakes))


def refuse_too_many(aside: pd.DataFrame, selected: int, funnel: Funnel, table: str, con: Connection) -> None:
    """Stop where more than the declared share of a table's selected rows is bad, which repeats and totals are not."""
    bad = aside[~aside["reason"].map(code_of).isin(NOT_BAD)]
    if len(bad) <= funnel.max_bad_share * selected:
        return
    allowed = f"max_bad_share = {funnel.max_bad_share:.0%}"
    lines = [f"{table}: {len(bad):,} of {selected:,} rows cannot be used, more than {allowed}"]
    sources: tuple[Source, ...] = getattr(funnel, table)
    groups = [rows for _, rows in bad.groupby(["column", "reason", "_source"], dropna=False, sort=False)]
    for rows in groups[:LINES]:
        first = rows.iloc[0]
        source = sources[0 if pd.isna(first["_source"]) else int(first["_source"])]
        header = first["column"] if isinstance(first["column"], str) else None
        values = rows["value"].dropna().head(LOOKED_AT).unique().tolist()
        hint = _hint(first["reason"], values, source, con, header)
        if table == "contacts" and code_of(first["reason"]) == "orphan":
            hint += '; where others than leads are contacted too, state no_lead = "ignore"'
        lines.append(_line(first, header, first["reason"], len(rows)) + hint)
    if len(groups) > LINES:
        lines.append(f"... and {len(groups) - LINES:,} more reasons")
    raise FunnelError("\n".join(lines))


def _line(first: pd.Series, header: str | None, reason: str, count: int) -> str:
    where = f"{first['file']}: row {first['row']}" + (f', column "{visible(header)}"' if header else "")
    value = "" if pd.isna(first["value"]) else f'"{visible(first["value"])}" '
    return f"{where}: {value}{reason_in_file(reason)} ({rows_of(count)})"


def _hint(reason: str, values: list[str], source: Source, con: Connection | None, header: str | None = None) -> str:
    """What would be right, after a semicolon; nothing where nothing is known."""
    code, hint = code_of(reason), ""
    if code == "date":
        hint = date_hint(values)
    elif code == "number":
        hint = number_hint(values, source.decimal, source.thousands)
    elif code == "blank" and header:
        hint = f'if these are no rows of the table, leave them out: without = {{ "{header}" = "" }}'
    elif code == "orphan" and con is not None:
        hint = id_hint(values, con, source)
    elif code == "fields":
        hint = "a cell that holds the delimiter must stand in quotes"
    return f"; {hint}" if hint else ""
