"""What would read the cells that cannot be read: lines of funnel.toml to add, or what to change in the export."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from funnelstats.reading.cells import BLANKS, EPOCH_DIGITS, FIRST_YEAR, TYPOGRAPHIC, UTC_NAMES, number_pattern
from funnelstats.stated.errors import visible
from funnelstats.stated.funnel import EVERY_COLUMN, Source

DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y",
        "%d/%m/%y", "%m/%d/%y", "%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y")  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M:%S.%f")
ZONES = ("", " %z", "%z", " %Z", "%Z", " GMT%z", " UTC%z")
COMMON_FORMATS = [f"{day}{clock}{zone}" for zone in ZONES for day in DAYS for clock in CLOCKS if clock or not zone]
NAMED_ZONE = r"(?<=[\d ])([A-Za-z]{1,5}([+-]\d{1,2})?)$"
EXCEL_DAY = r"^[2-7]\d{4}([.,]\d+)?$"
"""The number of a day from 1954 to 2119 in a spreadsheet."""
FEW = 10
"""Words without a digit that a line may declare to mean nothing."""


def date_hint(texts: Sequence[str]) -> str:
    """Which date formats would read all of these texts, and whether that is ambiguous.

    >>> date_hint(["26-02-2018", "01-02-2018"])
    'date_format = "%d-%m-%Y" would read them'
    >>> date_hint(["01-02-2018"])
    '"01-02-2018" is ambiguous: state date_format = "%d-%m-%Y" or "%m-%d-%Y"'
    >>> date_hint(["01.01.0001 00:00:00"])
    'if it stands for no date, state missing = "01.01.0001 00:00:00"'
    >>> date_hint(["2026-07-05 10:00 AST"])
    '"AST" is the name of several clocks or of none: state timezone, and date_format = "%Y-%m-%d %H:%M AST"'
    """
    for text in filter(re.compile(r"\b0\d{3}\b").search, texts):
        if any(_reads(text, fmt, years=range(FIRST_YEAR)) for fmt in COMMON_FORMATS):
            return f'if it stands for no date, state missing = "{text}"'
    blanks = {mark for text in texts for mark in text if mark in BLANKS and mark != " "}
    plain = [re.sub(f"[{re.escape(BLANKS)}]", " ", text) for text in texts]
    fitting = _fitting(plain)
    fitting += [fmt for fmt, digits in EPOCH_DIGITS.items() if all(re.search(digits, text) for text in texts)]
    if blanks and fitting:
        return _blank_hint(texts, blanks, fitting)
    if len(fitting) > 1:
        choices = " or ".join(f'"{fmt}"' for fmt in fitting)
        return f'"{texts[0]}" is ambiguous: state date_format = {choices}'
    if fitting:
        return f'date_format = "{fitting[0]}" would read them'
    return _named_zone_hint(plain) or _no_format_hint(plain)


def _fitting(texts: Sequence[str]) -> list[str]:
    return [fmt for fmt in COMMON_FORMATS if all(_reads(text, fmt) for text in texts)]


def _reads(text: str, fmt: str, years: range = range(FIRST_YEAR, 10_000)) -> bool:
    if fmt.endswith("%Z"):
        # The names that Python knows are also those of this computer's own zone.
        ways = [(text.removesuffix(name), fmt.removesuffix("%Z")) for name in UTC_NAMES if text.endswith(name)]
        return any(_reads(before, of, years) for before, of in ways)
    try:
        return datetime.strptime(text, fmt).year in years
    except ValueError:
        return False


def _blank_hint(texts: Sequence[str], blanks: set[str], fitting: Sequence[str]) -> str:
    """The format with the blank that the texts hold, where it is one and the same throughout."""
    named = ", ".join(f"U+{ord(blank):04X}" for blank in sorted(blanks))
    told = f"they hold the blank {named}, which only looks like a plain one"
    if len(blanks) > 1 or len(fitting) > 1 or any(" " in text for text in texts):
        return f"{told}: replace it, or state it in date_format"
    escaped = fitting[0].replace(" ", f"\\u{ord(min(blanks)):04x}")
    return f'{told}: date_format = "{escaped}" would read them'


def _named_zone_hint(texts: Sequence[str]) -> str:
    found = [re.search(NAMED_ZONE, text) for text in texts]
    if not all(found):
        return ""
    names = list(dict.fromkeys(name[1] for name in found if name))
    fitting = _fitting([text[: name.start()].rstrip() for text, name in zip(texts, found, strict=True) if name])
    if not fitting or len(names) > 5:
        return ""
    formats = [f'"{fitting[0]} {name}"' for name in names]
    stated = formats[0] if len(formats) == 1 else f"[{', '.join(formats)}]"
    spoken = ", ".join(f'"{name}"' for name in names)
    several = "is the name" if len(names) == 1 else "are names"
    return f"{spoken} {several} of several clocks or of none: state timezone, and date_format = {stated}"


def _no_format_hint(texts: Sequence[str]) -> str:
    if all(re.search(EXCEL_DAY, text) for text in texts):
        return "they are numbers of days in a spreadsheet: give the column the format of a date there and save it again"
    if any(mark.isalpha() for mark in texts[0]) and any(mark.isdigit() for mark in texts[0]):
        return "state date_format; names of months are read in English only: Jan or January"
    return "state date_format"


def number_hint(texts: Sequence[str], decimal: str, thousands: str) -> str:
    """Which decimal, thousands and currency signs would read all of these texts; nothing where none would.

    >>> number_hint(["1.234,50", "7,5"], ".", "")
    'decimal = "," and thousands = "." would read them'
    >>> number_hint(["$5"], ".", "")
    'currency_signs = ["$"] would read them'
    """
    if any(re.search(r"^\d+:\d{2}(:\d{2})?$", text) for text in texts):
        return "a number is needed, so 00:02:35 would be 155"
    if any(re.search(r"\d-$", text) for text in texts):
        return "a minus stands before its number"
    signs = {sign for text in texts for sign in re.findall(r"[^\d.,'’\s()+\-−]+(?:\.(?!\d))?", text)}
    if any(not (sign.isupper() and len(sign) == 3) and any(map(_no_currency, sign)) for sign in signs):
        return ""
    bare = [re.sub("|".join(map(re.escape, signs)), "", text) if signs else text for text in texts]
    bare = [text.translate(str.maketrans(*TYPOGRAPHIC)).strip(BLANKS) for text in bare]
    ways = [
        (decimal, thousands),
        (decimal, " "),
        (decimal, ""),
        *((d, t) for d in ".," for t in ("", " ", ".", ",", "'")),
    ]
    for mark, between in ways:
        if mark != between and all(re.search(number_pattern(mark, between), text) for text in bare):
            lines = [f'decimal = "{mark}"'] * (mark != decimal) + [f'thousands = "{between}"'] * (between != thousands)
            listed = ", ".join(f'"{visible(sign)}"' for sign in sorted(signs))
            lines += [f"currency_signs = [{listed}]"] * bool(signs)
            return f"{' and '.join(lines)} would read them" if lines else ""
    return ""


def missing_line(name: str, values: Sequence[str], source: Source) -> str:
    """The line by which a few words without a digit stand for nothing, beside those stated before; else nothing."""
    if not 0 < len(values) <= FEW or any(mark.isdigit() for value in values for mark in value):
        return ""
    key = EVERY_COLUMN if EVERY_COLUMN in source.missing else name
    listed = ", ".join(json.dumps(value, ensure_ascii=False) for value in (*source.missing.get(key, ()), *values))
    return f"missing{'' if key == EVERY_COLUMN else f'.{name}'} = [{listed}]"


def _no_currency(mark: str) -> bool:
    return unicodedata.category(mark) != "Sc" and mark not in "руб."
