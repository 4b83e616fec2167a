"""In which encoding a text is that does not say it."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from funnelstats.config.errors import FunnelError
from funnelstats.recognising.words import plain, words

HEADER_ROWS = 12
"""Where the names of columns are looked for: what stands above them is a title."""
ENOUGH = 2000
"""So many words beyond ASCII are enough to tell a code page."""
SIGNS = frozenset("«»“”„‘’‚‹›–—…€£¥§°©®™№·•\xa0²³½¼¾¿¡ºª´µ±×")
"""What may stand beside the letters of a word."""
LEAST_LINES, OF_LINES = 3, 0.2
"""So many lines that are UTF-8, and such a share of those beyond ASCII, are no accident in a file that is not."""


def encoding_of(path: Path) -> str | None:
    """The encoding to state: none where the file is UTF-8, says what it is, or is no text.

    Raises FunnelError where some of its lines are UTF-8 and others are not.
    """
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if b"\0" in start[:4] or start.startswith(
        (b"PAR1", b"PK", b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff", b"%PDF", b"\xd0\xcf")
    ):
        return None
    if start[1:40:2].count(0) > 15:
        return "utf-16-le"
    text = path.read_bytes()
    if _of_utf8(text) is not None:
        return None
    if of_east := _of_east_asia(start):
        return of_east
    page, languages = _code_page(text)
    # Two letters may look like one of UTF-8: in Cyrillic such as are alone in a line, in capitals with a sign behind.
    cyrillic = r"[^\0]*(?:[\u0400-\u04ff][^\0]*){3}"
    usual = cyrillic if languages[0].startswith("а") else rf"[\x00-\u024f\u2000-\u20bf]+|{cyrillic}"
    lines = [(number, _of_utf8(line)) for number, line in enumerate(text.splitlines(), 1) if not line.isascii()]
    utf8 = [number for number, line in lines if line and re.fullmatch(usual, line)]
    if len(utf8) >= max(LEAST_LINES, OF_LINES * len(lines)):
        other = next(number for number, line in lines if line is None)
        beside = "as the lines before it are" if other > utf8[0] else "as later lines are"
        raise FunnelError(f"{path.name}: line {other} is not UTF-8, {beside}: save the file in one encoding")
    return page


def _of_utf8(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None


def _of_east_asia(start: bytes) -> str:
    """The encoding of East Asia in which several headers at the top of a text are known; "" where none is."""
    top = b"\n".join(start.split(b"\n")[:HEADER_ROWS])
    known = {word for role in words()["roles"].values() for word in role if word > "\u1000"}
    for encoding in ("cp932", "gb18030", "cp949", "big5"):
        names = [plain(name) for name in re.split(r"[,;\t|\r\n]", top.decode(encoding, "replace"))]
        if len(known.intersection(names)) > 1:
            return encoding
    return ""


def _code_page(text: bytes) -> tuple[str, list[str]]:
    """The code page of a text that is no UTF-8 and the letters of its languages: most words can be written in these.

    Of equal ones it is that of which one language alone has the most of them, and then the most usual one.
    """
    found = re.finditer(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*", text)
    some = {word[0] for word in islice(found, ENOUGH)}
    known = tomllib.loads(Path(__file__).with_name("code_pages.toml").read_text(encoding="utf-8"))
    pages = [(page, known["alphabets"][group]) for page, group in known["pages"]]

    def fit(page: tuple[str, list[str]]) -> tuple[int, int]:
        decoded = [word.decode(page[0], "replace") for word in some]
        fits = [set(_written(decoded, letters)) for letters in page[1]]
        return len(set[str]().union(*fits)), max(map(len, fits))

    return max(pages, key=fit)


def _written(texts: list[str], letters: str) -> Iterator[str]:
    """The texts that can be written in these letters, each of whose words looks like one."""
    latin = letters < "\u0370"
    for text in texts:
        parts = re.findall(r"[^\W\d_]+", text)
        known = {*text} - SIGNS <= {*"".join(parts)} and not re.search(r"[£¥][^\W\d_]", text)
        if known and all(_is_word(part, letters, latin=latin) for part in parts):
            yield text


def _is_word(part: str, letters: str, *, latin: bool) -> bool:
    """Whether a word has these letters alone, or with some of ASCII where they are Latin, and capitals as words do."""
    others = [sign for sign in part if sign not in string.ascii_letters]
    few = len(others) < max(len(part), 2) if latin else len(others) in (0, len(part))
    known = all(sign in letters or sign.lower() in letters for sign in others)
    return few and known and part in (part.lower(), part.upper(), part[0].upper() + part[1:].lower())
