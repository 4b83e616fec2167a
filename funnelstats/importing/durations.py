"""How long something took, in seconds, however it is written."""

from collections.abc import Sequence

from funnelstats.config.sources import Source
from funnelstats.importing.cells import matches
from funnelstats.importing.numbers import digits_of, plain_number
from funnelstats.importing.sql import cases, text

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}

TWO_PARTS = {"hh:mm": (3600.0, 60.0), "mm:ss": (60.0, 1.0)}
"""What the two parts of a duration are worth where its unit says so; three are hours, minutes and seconds."""

DIGIT = r"\d"

THREE_PARTS = r"^(\d+):([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)$"

PARTS = r"^(\d+):([0-5]?\d(?:[.,]\d+)?)$"

_MANY_OF = r"(?:(\d+(?:[.,]\d+)?)\s*(?:{})\.?\s*)?"

SPELLED = "(?i)^p?{}t?{}{}{}{}$".format(
    *(
        _MANY_OF.format(words)
        for words in (
            r"d|days?|д|дн\p{L}*|день|дня|tage?",
            r"h|hrs?|hours?|ч|час\p{L}*|std|stunden?",
            r"m|mins?|minutes?|м|мин\p{L}*|minuten?",
            r"s|secs?|seconds?|с|сек\p{L}*|sek\p{L}*",
            r"ms|msecs?|milliseconds?|мс",
        )
    )
)
"""2m 35s, 1 ч 5 мин, and ISO's PT2M35S."""


def duration_of(cell: str, source: Source, unit: str) -> str:
    """The seconds that a text says something took: a number of the unit, a clock's 00:02:35, or words: 2m 35s."""

    def part(pattern: str, place: int) -> str:
        digits = f"regexp_extract({cell}, {text(pattern)}, {place})"
        return f"coalesce(try_cast(replace({digits}, ',', '.') AS DOUBLE), 0)"

    def added(pattern: str, worth: Sequence[float]) -> str:
        parts = " + ".join(
            f"{part(pattern, place)} * {seconds}::DOUBLE" for place, seconds in enumerate(worth, start=1)
        )
        return cases([(f"{matches(cell, pattern)} AND {matches(cell, DIGIT)}", f"({parts})")])

    readings = [f"{plain_number(digits_of(cell, source), source)} * {SECONDS[unit]}::DOUBLE"] if unit in SECONDS else []
    readings.append(added(THREE_PARTS, (3600.0, 60.0, 1.0)))
    readings += [added(PARTS, TWO_PARTS[unit])] if unit in TWO_PARTS else []
    readings.append(added(SPELLED, (86_400.0, 3600.0, 60.0, 1.0, 0.001)))
    return f"coalesce({', '.join(readings)})"
