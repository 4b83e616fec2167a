"""Amounts of other currencies become amounts of the funnel's, at the last rate known on their day."""

from collections.abc import Iterator

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KNOWN_ON
from funnelstats.importing.cells import PLACE, ROW
from funnelstats.importing.currencies import currencies_of
from funnelstats.importing.facts import Fact, reason
from funnelstats.importing.hints import lines_under, toml_value
from funnelstats.importing.sql import Connection, cases, columns_in, columns_of, frame, quoted, replaced, text

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
