"""Numbers as people write them, with signs of currencies, marks between thousands, words for millions; durations."""

import re
from collections.abc import Sequence

from funnelstats.config.sources import Source
from funnelstats.importing.cells import BLANKS, TYPOGRAPHIC, exchanged, matches
from funnelstats.importing.sql import cases, first_known, one_of, text


def number_of(cell: str, source: Source) -> str:
    """The number that digits say with the source's decimal, thousands and currency signs; "(5)" is minus five.

    A minus may stand behind, and a word for thousands or millions: "1.234,50-", "$12.5K", "1,2 млн". It may be
    infinite: more digits than a float can hold are no amount.
    """
    digits = digits_of(cell, source)
    sign_behind = exchanged(digits, r"^(.*\d.*?) *-$", r"-\1")
    word = f"lower(regexp_extract({sign_behind}, {text(MANY)}, 2))"
    many = cases((one_of(word, words.split()), f"{factor}::DOUBLE") for factor, words in MULTIPLES.items())
    readings = [
        plain_number(digits, source),
        plain_number(sign_behind, source),
        f"{plain_number(f'regexp_extract({sign_behind}, {text(MANY)}, 1)', source)} * {many}",
    ]
    # Most cells hold nothing but their number; a sign like "." could be a part of it.
    alone = all(re.search(r"[^\d\s.,'+-]", sign) for sign in source.currency_signs)
    return first_known([plain_number(cell, source), *readings] if alone else readings)


MULTIPLES = {
    1_000: "k тыс тысяч тысячи тысяча tsd",
    1_000_000: "m mm mn mln mio млн миллион миллиона миллионов million millions millionen",
    1_000_000_000: "b bn mrd млрд миллиард миллиарда миллиардов billion billions milliarden",
}
"""Words behind a number, in small letters, and by how much they multiply it."""
NO_CENTS = "(\\d[.,]) ?[-\u2013\u2014]+$"  # a line in place of cents: "CHF 1'200.-"
MANY = rf"(?i)^(.*\d) *({'|'.join(' '.join(MULTIPLES.values()).split())})[. ]*$"


def digits_of(cell: str, source: Source) -> str:
    """The text without currency signs, with a keyboard's minus, blanks and apostrophe, the sign at its beginning."""
    signs = sorted(source.currency_signs, key=len, reverse=True)
    bare = exchanged(cell, "|".join(map(re.escape, signs)), "") if signs else cell
    plain = f"trim(translate({bare}, {text(TYPOGRAPHIC[0])}, {text(TYPOGRAPHIC[1])}), {text(BLANKS)})"
    whole = exchanged(plain, NO_CENTS, r"\10")
    return exchanged(exchanged(whole, r"^\( *(.*?) *\)$", r"-\1"), "^([-+]) +", r"\1")


def plain_number(digits: str, source: Source) -> str:
    thousands = source.thousands.translate(str.maketrans(*TYPOGRAPHIC))
    bare = f"replace({digits}, {text(thousands)}, '')" if thousands else digits
    number = f"try_cast(replace({bare}, {text(source.decimal)}, '.') AS DOUBLE)"
    return cases([(matches(digits, number_pattern(source.decimal, thousands)), number)])


def number_pattern(decimal: str, thousands: str) -> str:
    """What a number looks like with this decimal sign and this one between groups of digits."""
    mark, between = re.escape(decimal), re.escape(thousands)
    # Groups end in three digits (of two before that in India): "1,5" is no 15 where commas group.
    whole = rf"(\d+|\d{{1,3}}({between}\d{{2,3}})*{between}\d{{3}})" if between else r"\d+"
    return rf"^[-+]?{whole}({mark}\d+)?$"


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
