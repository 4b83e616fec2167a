"""Numbers as people write them: with signs of currencies, marks between thousands, words for millions."""

import re

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
