"""Amounts of several currencies in one column: told by the signs in its texts, by a workbook's formats, by a column."""

from __future__ import annotations

import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from babel.numbers import get_currency_name

from funnelstats.config.funnel import Funnel, Source
from funnelstats.config.schema import TABLES
from funnelstats.importing.cells import ROW
from funnelstats.importing.files import read_file
from funnelstats.importing.shapes import Found, toml, under

LOOK_ALIKE = str.maketrans("аеорсухікмнтвгј", "aeopcyxikmhtbrj")
"""Cyrillic letters, and the Latin ones that one takes them for; ё is е to whoever types in a hurry."""
MOST_VALUES, MOST_GROUPS = 20_000, 200
"""Beyond the first a column holds no names but texts; beyond the second an attribute groups no leads."""
MOST_LINES = 5
SHORT = 40
SUBJECTS = {"manager": "people", "channel": "channels", "campaign": "channels", "reason": "reasons"}
"""Which numbers a column's names stand beside; others only group leads."""


def look(name: str) -> str:
    """What a name looks like at a glance: names with the same look are most likely one.

    >>> look("Anna  Berg.") == look("anna berg"), look("Сергей") == look("Cергей"), look("Фёдор") == look("Федор")
    (True, True, True)
    >>> look("Web 1") == look("Web 2")
    False
    """
    plain = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е").translate(LOOK_ALIKE)
    return re.sub(r"[\s.]+$", "", re.sub(r"\s*[-–—_/]\s*|\s+", " ", plain).strip())


def of_spelling(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[Found]:
    """Names of people, channels and the like that are spelled in several ways, with the lines that make them one."""
    places: dict[str, list[tuple[str, ir.Table]]] = {}
    for table, rows in tables.items():
        texts = [name for name, spec in TABLES[table].items() if spec.kind == "text"]
        own = [name for source in funnel.leads for name in source.attributes] if table == "leads" else []
        for column in dict.fromkeys([*texts, *own]):
            if column in rows.columns:
                places.setdefault(column, []).append((table, rows))
    for column, homes in places.items():
        counts: Counter[str] = Counter()
        held: dict[str, set[str]] = {}
        for table, rows in homes:
            found = rows.group_by(_name=rows[column]).aggregate(_rows=rows.count()).limit(MOST_VALUES + 1).execute()
            found = found.dropna(subset=["_name"])
            if len(found) > (MOST_VALUES if column in SUBJECTS else MOST_GROUPS):
                break
            held[table] = {str(name) for name in found["_name"]}
            counts.update({str(name): int(n) for name, n in zip(found["_name"], found["_rows"], strict=True)})
        else:
            yield from _alike(column, counts, held, funnel.system_users if column == "manager" else ())


def _alike(column: str, counts: Counter[str], held: dict[str, set[str]], passed: tuple[str, ...]) -> Iterator[Found]:
    """One fact for a column: how many names are spelled in several ways, the first few, and the lines.

    Those of ``passed`` are nobody's, however they are spelled.
    """
    looks: dict[str, list[str]] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        looks.setdefault(look(name), []).append(name)
    several = [names for names in looks.values() if len({*names} - {*passed}) > 1]
    if not several:
        return
    told = ["; ".join(f"“{name[:SHORT]}”" for name in names[:MOST_LINES]) for names in several[:MOST_LINES]]
    more = f" … +{len(several) - MOST_LINES}" if len(several) > MOST_LINES else ""
    lines = []
    for table, there in held.items():
        pairs = {name: names[0] for names in several[:MOST_LINES] for name in names[1:] if name in there}
        if pairs:
            lines.append(under(table, f"values.{column} = {toml(pairs)}"))
    fact = f"{SUBJECTS.get(column, 'names')}_spelled_twice"
    yield fact, f"{column}: {' | '.join(told)}{more}", len(several), "\n".join(lines)


DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN", "BRL", "ARS", "CLP", "COP"})
SIGNS: dict[str, frozenset[str]] = {
    "$": DOLLARS,
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
    "¥": frozenset({"JPY", "CNY"}),
    "₽": frozenset({"RUB"}),
    "р": frozenset({"RUB", "BYN"}),
    "руб": frozenset({"RUB", "BYN"}),
    "₴": frozenset({"UAH"}),
    "грн": frozenset({"UAH"}),
    "₸": frozenset({"KZT"}),
    "₹": frozenset({"INR"}),
    "₺": frozenset({"TRY"}),
    "₪": frozenset({"ILS"}),
    "zł": frozenset({"PLN"}),
    "kč": frozenset({"CZK"}),
    "kr": frozenset({"SEK", "NOK", "DKK"}),
    "chf": frozenset({"CHF"}),
    "us$": frozenset({"USD"}),
    "c$": frozenset({"CAD"}),
    "a$": frozenset({"AUD"}),
    "r$": frozenset({"BRL"}),
    "евро": frozenset({"EUR"}),
    "долл": frozenset({"USD"}),
    "доллар": frozenset({"USD"}),
    "rur": frozenset({"RUB"}),
    "rub": frozenset({"RUB"}),
    "рубль": frozenset({"RUB", "BYN"}),
    "рублей": frozenset({"RUB", "BYN"}),
    "рубли": frozenset({"RUB", "BYN"}),
    "ruble": frozenset({"RUB", "BYN"}),
    "rouble": frozenset({"RUB", "BYN"}),
    "dollar": DOLLARS,
    "dollars": DOLLARS,
    "pound": frozenset({"GBP"}),
}
"""Signs in small letters without full stops, and the currencies that each may mean."""
COLUMN = re.compile(r"(?i)^((deal|amount|сделка)?[ _.-]*(currency|валюта)([ _-]*(code|iso))?|код валюты)$")
FORMAT = re.compile(r"\[\$([^\]-]+)(?:-[^\]]*)?\]|\"([^\"]+)\"|([$€£¥₽₴₸₹₺₪])")


def meant(sign: str) -> frozenset[str]:
    """The currencies that a sign, a name or a code of three letters may mean; one that is not known means itself.

    >>> meant("Euro") == meant("€") == meant("EUR"), meant("RUR") == meant("rub.") == meant("российских рублей")
    (True, True)
    """
    plain = sign.strip().casefold().rstrip(".")
    return SIGNS.get(plain) or _named().get(plain) or frozenset({plain.upper()})


@cache
def _named() -> dict[str, frozenset[str]]:
    """The currencies of the signs by their full names in the languages of pages, in small letters."""
    codes = sorted(frozenset().union(*SIGNS.values()))
    return {
        get_currency_name(code, count, locale=language).casefold(): frozenset({code})
        for language in ("en", "ru")
        for code in codes
        for count in (None, 1, 2, 5)
    }


def of_currencies(
    cells: ir.Table, funnel: Funnel, table: str, source: Source, read: list[tuple[Path, str, list[str], str]]
) -> Iterator[Found]:
    """Amounts of a source in another currency than the funnel's, or in several, of the rows that are selected.

    ``read`` has path, name, header and kind of each file.
    """
    column = source.columns.get("amount")
    if column is None:
        return
    if source.currency_signs:
        counts = _signs(cells, source.currency_signs)
        own = [sign for sign in source.currency_signs if funnel.currency in meant(sign)]
        yield from _told(counts, funnel, table, column, under(table, f"currency_signs = {toml(own)}") if own else "")
    formats: Counter[str] = Counter()
    for path, file, _header, kind in read:
        if kind == "XLSX":
            formats.update(_formats(path, column, source, _rows_of(cells, file)))
    yield from _told(formats, funnel, table, column, "")
    filtered = {*source.only, *source.without, *source.columns.values(), *source.attributes.values()}
    for path, file, header, _kind in read:
        for name in header:
            if COLUMN.match(name) and name not in filtered:
                found = read_file(
                    path, [name, column], encoding=source.encoding, sheet=source.sheet, header_row=source.header_row
                ).columns
                selected = _rows_of(cells, file)
                rows = zip(*(found[each].to_pylist() for each in (ROW, name, column)), strict=True)
                texts = ([(cell or "").strip() for cell in row] for number, *row in rows if number in selected)
                counts = Counter(currency for currency, amount in texts if currency and amount)
                own = [text for text in counts if funnel.currency in meant(text)]
                mend = under(table, f"only = {toml({name: own})}") if own and table != "leads" else ""
                yield from _told(counts, funnel, table, name, mend)


def _told(counts: Counter[str], funnel: Funnel, table: str, column: str, mend: str) -> Iterator[Found]:
    """A fact where amounts are of several currencies, or all of another than the funnel states."""
    foreign = {sign: count for sign, count in counts.items() if count and funnel.currency not in meant(sign)}
    known = [sign for sign in foreign if meant(sign) in SIGNS.values() or re.fullmatch("[A-Z]{3}", sign)]
    if foreign and (known or len(foreign) < len(+counts)):
        shown = ", ".join(f"{sign} {count}" for sign, count in counts.most_common(5))
        yield "mixed_currencies", f"{table}, {column}: {shown}", sum(foreign.values()), mend


def _rows_of(cells: ir.Table, file: str) -> set[int]:
    """The numbers of a file's rows that are selected."""
    return set(cells.filter(cells["_file"] == file)[ROW].to_pyarrow().to_pylist())


def _signs(cells: ir.Table, signs: tuple[str, ...]) -> Counter[str]:
    """Rows by the sign in them; of two that fit, the longer is meant."""
    text = cells["amount"]
    sign = ibis.cases(*((text.contains(sign), sign) for sign in sorted(signs, key=len, reverse=True)), else_="")
    found = cells.select(_sign=sign).group_by("_sign").aggregate(_rows=ibis._.count()).execute()
    return Counter({str(sign): int(rows) for sign, rows in zip(found["_sign"], found["_rows"], strict=True) if sign})


def _formats(path: Path, column: str, source: Source, selected: set[int]) -> Counter[str]:
    """A workbook's numbers, of the rows selected, by the currency that their format shows."""
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(path.read_bytes()), read_only=True)
    counts: Counter[str] = Counter()
    # Most workbooks format no cell as money: their rows need not be read once more.
    if any(_currency(text) for text in [*book._number_formats, *_money_formats(book)]):
        sheet = book[source.sheet] if source.sheet else book.worksheets[0]
        sheet.reset_dimensions()
        rows = sheet.iter_rows(min_row=source.header_row)
        header = [str(cell.value or "").strip() for cell in next(rows, ())]
        place = header.index(column) if column in header else len(header)
        numbered = enumerate(rows, start=source.header_row + 1)
        cells = (row[place] for number, row in numbered if number in selected and len(row) > place)
        counts.update(
            sign for cell in cells if isinstance(cell.value, int | float) if (sign := _currency(cell.number_format))
        )
    book.close()
    return counts


def _money_formats(book: Any) -> list[str]:
    """The built-in formats of money that a workbook uses: Excel writes them by number alone."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    return [BUILTIN_FORMATS.get(style.numFmtId, "") for style in book._cell_styles]


def _currency(number_format: str) -> str:
    """The sign of money in a number format, "" where there is none."""
    for symbol, text, sign in FORMAT.findall(number_format or ""):
        found = (symbol or text or sign).strip()
        if meant(found) in SIGNS.values() or re.fullmatch("[A-Z]{3}", found):
            return str(found)
    return ""
