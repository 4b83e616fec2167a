"""What marks a currency, amounts in another one than the funnel's or in several, and the rates that convert them."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

import pandas as pd
from babel.numbers import get_currency_name

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KNOWN_ON
from funnelstats.config.sources import Source
from funnelstats.importing.cells import PLACE, ROW
from funnelstats.importing.facts import Fact, reason
from funnelstats.importing.files import SourceFile, read_source_file
from funnelstats.importing.hints import lines_under, toml_value
from funnelstats.importing.packed import unpacked
from funnelstats.importing.sql import Connection, cases, columns_in, columns_of, frame, quoted, replaced, single, text
from funnelstats.importing.workbooks import opened_workbook

SIGNS = {
    "USD": "$ us$ dollar dollars долл доллар",
    "CAD": "$ c$ dollar dollars",
    "AUD": "$ a$ dollar dollars",
    "BRL": "$ r$ dollar dollars",
    **dict.fromkeys(("NZD", "HKD", "SGD", "MXN", "ARS", "CLP", "COP"), "$ dollar dollars"),
    "EUR": "€ евро",
    "GBP": "£ pound",
    "JPY": "¥ 円",
    "CNY": "¥ 元 人民币",
    "KRW": "₩ 원",
    "RUB": "₽ р руб рубль рубли рублей rur rub ruble rouble",
    "BYN": "р руб рубль рубли рублей ruble rouble",
    "UAH": "₴ грн",
    "KZT": "₸",
    "INR": "₹",
    "TRY": "₺ tl",
    "ILS": "₪",
    "PLN": "zł",
    "CZK": "kč",
    **dict.fromkeys(("SEK", "NOK", "DKK"), "kr"),
    "CHF": "chf",
}
"""Currencies and what marks them, in small letters without full stops; a mark may be that of several."""
COLUMN = re.compile(r"(?i)^((deal|amount|сделка)?[ _.-]*(currency|валюта)([ _-]*(code|iso))?|код валюты)$")
IN_HEADER = re.compile(r"\b[A-Z]{3}\b|[$€£¥₩₽₴₸₹₺₪]")
FORMAT = re.compile(r"\[\$([^\]-]+)(?:-[^\]]*)?\]|\"([^\"]+)\"|([$€£¥₩₽₴₸₹₺₪])")


def currencies_of(sign: str) -> frozenset[str]:
    """The currencies that a sign, a name or a code of three letters may mean; one that is not known means itself.

    >>> currencies_of("Euro") == currencies_of("€") == currencies_of("EUR")
    True
    >>> currencies_of("RUR") == currencies_of("rub.") == currencies_of("российских рублей")
    True
    """
    plain = sign.strip().casefold().rstrip(".")
    return _known_signs().get(plain, frozenset({plain.upper()}))


@cache
def _known_signs() -> dict[str, frozenset[str]]:
    """Signs, and full names in the languages of pages, each with the currencies that it may mean."""
    signs = {
        get_currency_name(code, count, locale=language).casefold(): frozenset({code})
        for language in ("en", "ru")
        for code in SIGNS
        for count in (None, 1, 2, 5)
    }
    for sign in " ".join(SIGNS.values()).split():
        signs[sign] = frozenset(code for code, marks in SIGNS.items() if sign in marks.split())
    return signs


def _is_currency(sign: str) -> bool:
    return currencies_of(sign) in _known_signs().values() or bool(re.fullmatch("[A-Z]{3}", sign))


def currency_facts(
    con: Connection, cells: str, funnel: Funnel, table: str, source: Source, files: Iterable[SourceFile]
) -> Iterator[Fact]:
    """Amounts of a source in another currency than the funnel's, or in several, of the rows that are selected."""
    column = source.columns.get("amount")
    if column is None or "currency" in source.columns:
        return
    if source.currency_signs:
        own = [sign for sign in source.currency_signs if funnel.currency in currencies_of(sign)]
        mend = lines_under(table, f"currency_signs = {toml_value(own)}") if own else ""
        # Of two signs that fit, the longer is meant.
        longest_first = sorted(source.currency_signs, key=len, reverse=True)
        marked = cases((f"contains(amount, {text(sign)})", text(sign)) for sign in longest_first)
        found = con.execute(f"SELECT {marked} AS _sign, count(*) FROM {cells} GROUP BY _sign").fetchall()
        yield from _mixed(Counter({sign: rows for sign, rows in found if sign}), funnel, table, column, mend)
    elif "currency" not in source.constants:
        header = [word for word in IN_HEADER.findall(column) if word in SIGNS or not word.isalpha()]
        rows = single(con, f"SELECT count(*) FROM {cells}") if len(header) == 1 else 0
        yield from _mixed(Counter(dict.fromkeys(header, rows)), funnel, table, column, "")
    formats: Counter[str] = Counter()
    for file in files:
        if file.is_workbook:
            formats.update(_formats(file, column, source, _rows_of(con, cells, file)))
    yield from _mixed(formats, funnel, table, column, "")
    mapped = {*source.only, *source.without, *source.columns.values(), *source.attributes.values(), source.refunded}
    for file in files:
        for name in [name for name in file.header if COLUMN.match(name) and name not in mapped]:
            rows = read_source_file(file.path, file.sheet, source, [name, column]).columns.to_pandas()
            rows = rows[rows[ROW].isin(_rows_of(con, cells, file))]
            currency, amount = (rows[each].fillna("").str.strip() for each in (name, column))
            counts = Counter(currency[(currency != "") & (amount != "")])
            mend = lines_under(table, f"columns = {toml_value({**source.columns, 'currency': name})}")
            yield from _mixed(counts, funnel, table, name, mend)


def _mixed(counts: Counter[str], funnel: Funnel, table: str, column: str, mend: str) -> Iterator[Fact]:
    """A fact where amounts are of several currencies, or all of another than the funnel states."""
    foreign = {sign: count for sign, count in counts.items() if count and funnel.currency not in currencies_of(sign)}
    if foreign and (any(map(_is_currency, foreign)) or len(foreign) < len(+counts)):
        shown = ", ".join(f"{sign} {count}" for sign, count in counts.most_common(5))
        yield Fact("mixed_currencies", f"{table}, {column}: {shown}", sum(foreign.values()), mend)


def _rows_of(con: Connection, cells: str, file: SourceFile) -> set[int]:
    """The numbers of a file's rows that are selected."""
    return {row for (row,) in con.execute(f"SELECT {ROW} FROM {cells} WHERE _file = {text(file.name)}").fetchall()}


def _formats(file: SourceFile, column: str, source: Source, selected: set[int]) -> Counter[str]:
    """A workbook's numbers, of the rows selected, by the currency that their format shows."""
    from openpyxl import load_workbook
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    with unpacked(file.path) as path:
        data = path.read_bytes()
    counts: Counter[str] = Counter()
    # Most workbooks format no cell as money: their rows need not be read once more.
    styles = opened_workbook(data)
    # Built-in formats of money are written by number alone.
    built_in = [BUILTIN_FORMATS.get(style.numFmtId, "") for style in styles._cell_styles]
    if any(map(_currency, [*styles._number_formats, *built_in])):
        book = load_workbook(io.BytesIO(data), read_only=True)
        sheet = book[file.sheet] if file.sheet else book.worksheets[0]
        sheet.reset_dimensions()
        place = file.header.index(column) if column in file.header else len(file.header)
        rows = sheet.iter_rows(min_row=source.header_row[-1] + 1)
        numbered = enumerate(rows, start=source.header_row[-1] + 1)
        cells = (row[place] for number, row in numbered if number in selected and len(row) > place)
        counts.update(
            sign for cell in cells if isinstance(cell.value, int | float) if (sign := _currency(cell.number_format))
        )
    return counts


def _currency(number_format: str) -> str:
    """The sign of money in a number format, "" where there is none."""
    found = [(symbol or text or sign).strip() for symbol, text, sign in FORMAT.findall(number_format or "")]
    return next(filter(_is_currency, found), "")


UNNAMED = "?"
"""What stands in place of a currency that is blank."""
RATES = '[rates]\nfiles = "rates.csv"\ncolumns = { date = "Date", currency = "Currency", rate = "Rate" }'


def converted(con: Connection, rows: str, table: str, funnel: Funnel, *, has_rates: bool) -> str:
    """The rows with amounts in the funnel's currency, and ``_no_rate``: the currency of an amount that has no rate.

    Such an amount is missing in a lead; a payment and a row of costs, which are about it, get the reason. Where a
    source states no column of the currency, its amounts are in the funnel's.
    """
    headers = _headers(table, funnel)
    day, columns = KNOWN_ON[table], columns_in(con, rows)
    stated = f"_source IN ({', '.join(map(str, headers))}) AND amount IS NOT NULL"
    known = f"""SELECT *, {_code(con, rows, funnel)} AS _code, {stated} AS _stated,
        {quoted(day) if day in columns else "NULL::DATE"} AS _day FROM {rows}"""
    priced = f"SELECT *, NULL::DOUBLE AS _rate FROM ({known})"
    if has_rates:
        # Each rate holds from its own day until that of the next of its currency.
        daily = f"""SELECT {_code(con, "rates", funnel)} AS _of, date AS _from, arg_min(rate, {ROW}) AS _rate
            FROM rates WHERE rate > 0 GROUP BY _of, _from"""
        spans = f"SELECT *, lead(_from) OVER (PARTITION BY _of ORDER BY _from) AS _until FROM ({daily})"
        priced = f"""SELECT rows.*, _rate FROM ({known}) AS rows LEFT JOIN ({spans}) AS spans
            ON _code = _of AND _day >= _from AND (_until IS NULL OR _day < _until)"""
    ours = f"NOT _stated OR coalesce(_code = {text(funnel.currency)}, FALSE)"
    priced = f"SELECT *, {cases([(ours, '1.0::DOUBLE')], '_rate')} AS _factor FROM ({priced})"
    unknown = cases([("_stated AND _factor IS NULL", f"coalesce(currency, {text(UNNAMED)})")])
    priced = f"SELECT * REPLACE (amount * _factor AS amount), {unknown} AS _no_rate FROM ({priced})"
    exchanged = ""
    if table != "leads":
        told = {"_reason": text(reason("no_rate")), "_column": _header(headers), "_value": "currency"}
        new = "_no_rate IS NOT NULL AND _reason IS NULL"
        exchanged = f" REPLACE ({columns_of({column: cases([(new, why)], column) for column, why in told.items()})})"
    return f"SELECT * EXCLUDE (_code, _day, _stated, _rate, _factor){exchanged} FROM ({priced})"


def _headers(table: str, funnel: Funnel) -> dict[int, str]:
    """The column of currencies of each source that has one."""
    sources = enumerate(getattr(funnel, table))
    return {number: source.columns["currency"] for number, source in sources if "currency" in source.columns}


def _header(headers: dict[int, str]) -> str:
    return cases((f"_source = {number}", text(header)) for number, header in headers.items())


def _code(con: Connection, rows: str, funnel: Funnel) -> str:
    """The code of each currency, whatever it is called; a sign of several, as $, is ours or stays as it is."""
    found = con.execute(f"SELECT DISTINCT currency FROM {rows} WHERE currency IS NOT NULL").fetchall()
    meant = {currency: currencies_of(currency) for (currency,) in found}
    ours = {currency: funnel.currency for currency, codes in meant.items() if funnel.currency in codes}
    alone = {currency: min(codes) for currency, codes in meant.items() if len(codes) == 1}
    return replaced("currency", alone | ours, "currency")


def without_rate(con: Connection, rows: str, table: str, funnel: Funnel) -> tuple[pd.DataFrame, Iterator[Fact]]:
    """The amounts of leads that are missing for want of a rate, as lines of what is set aside; what is told of all."""
    no_rate = text(reason("no_rate"))
    found = frame(
        con,
        f"""SELECT _source, _file AS file, {ROW} AS row, {_header(_headers(table, funnel))}::VARCHAR AS column,
            _no_rate AS value, {no_rate} AS reason FROM {rows}
        WHERE _no_rate IS NOT NULL AND (_reason IS NULL OR _reason = {no_rate}) ORDER BY {PLACE}""",
    )
    return (found if table == "leads" else found.head(0)), _told(found["value"], table, funnel)


def _told(currencies: pd.Series, table: str, funnel: Funnel) -> Iterator[Fact]:
    counts = currencies.value_counts()
    shown = ", ".join(f"{name} {count}" for name, count in counts.head(5).items())
    mend = "" if funnel.rates else RATES
    if [*counts.index] == [UNNAMED]:
        mend = lines_under(table, f"values.currency = {toml_value({'': funnel.currency})}")
    yield Fact("no_rate", f"{table}: {shown}", len(currencies), mend)
