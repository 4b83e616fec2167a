"""Amounts of other currencies become amounts of the funnel's, at the last rate known on their day."""

from __future__ import annotations

from collections.abc import Iterator

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KNOWN_ON
from funnelstats.importing.cell_facts import currencies_of
from funnelstats.importing.cells import ROW
from funnelstats.importing.facts import Fact, reason
from funnelstats.importing.hints import lines_under, toml_value

UNNAMED = "?"
"""What stands in place of a currency that is blank."""
RATES = '[rates]\nfiles = "rates.csv"\ncolumns = { date = "Date", currency = "Currency", rate = "Rate" }'


def converted(rows: ir.Table, table: str, funnel: Funnel, rates: ir.Table | None) -> ir.Table:
    """The rows with amounts in the funnel's currency, and ``_no_rate``: the currency of an amount that has no rate.

    Such an amount is missing in a lead; a payment and a row of costs, which are about it, get the reason. Where a
    source states no column of the currency, its amounts are in the funnel's.
    """
    headers = {
        number: source.columns["currency"]
        for number, source in enumerate(getattr(funnel, table))
        if "currency" in source.columns
    }
    day, names = KNOWN_ON[table], rows.columns
    rows = rows.mutate(
        _currency=_code(rows.currency, funnel),
        _day=rows[day] if day in rows.columns else ibis.null("date"),
        _stated=rows["_source"].isin([*headers]) & rows.amount.notnull(),
    )
    rate = ibis.null("float64")
    if rates is not None:
        spans = _spans(rates, funnel)
        holds = (rows._day >= spans._from) & (spans._until.isnull() | (rows._day < spans._until))
        rows = rows.left_join(spans, [rows._currency == spans._of, holds])
        rate = rows._rate
    ours = ~rows._stated | (rows._currency == funnel.currency).fill_null(False)
    rows = rows.mutate(_factor=ibis.ifelse(ours, 1.0, rate))
    unknown = ibis.ifelse(rows._stated & rows._factor.isnull(), rows.currency.fill_null(UNNAMED), ibis.null("string"))
    rows = rows.mutate(amount=rows.amount * rows._factor, _no_rate=unknown)
    if table != "leads":
        new = rows._no_rate.notnull() & rows["_reason"].isnull()
        rows = rows.mutate(
            _reason=ibis.ifelse(new, reason("no_rate"), rows["_reason"]),
            _column=ibis.ifelse(new, rows["_source"].cases(*headers.items()), rows["_column"]),
            _value=ibis.ifelse(new, rows.currency, rows["_value"]),
        )
    return rows.select(*names, "_no_rate")


def _code(currency: ir.StringColumn, funnel: Funnel) -> ir.StringValue:
    """The code of each currency, whatever it is called; a sign of several, as $, is ours or stays as it is."""
    names = [name for name in currency.as_table().distinct().to_pyarrow()[0].to_pylist() if name is not None]
    meant = {name: currencies_of(name) for name in names}
    ours = {name: funnel.currency for name, codes in meant.items() if funnel.currency in codes}
    alone = {name: min(codes) for name, codes in meant.items() if len(codes) == 1}
    return currency.substitute(alone | ours) if alone or ours else currency


def _spans(rates: ir.Table, funnel: Funnel) -> ir.Table:
    """Each rate with the days it holds for: from its own until that of the next of its currency."""
    known = rates.mutate(_of=_code(rates.currency, funnel)).filter(rates.rate > 0)
    daily = known.group_by("_of", _from=known.date).aggregate(_rate=known.rate.argmin(known[ROW]))
    return daily.mutate(_until=daily._from.lead().over(group_by="_of", order_by="_from"))


def without_rate(rows: ir.Table, table: str, funnel: Funnel) -> tuple[pd.DataFrame, Iterator[Fact]]:
    """The amounts of leads that are missing for want of a rate, as lines of what is set aside; what is told of all."""
    lacking = rows.filter(rows._no_rate.notnull() & (rows["_reason"].isnull() | (rows["_reason"] == reason("no_rate"))))
    headers = [(number, source.columns.get("currency", "")) for number, source in enumerate(getattr(funnel, table))]
    cells = lacking.select(
        "_source",
        file="_file",
        row=ROW,
        column=rows["_source"].cases(*headers),
        value="_no_rate",
        reason=ibis.literal(reason("no_rate")),
    )
    found = cells.order_by("_source", "file", "row").execute()
    return (found if table == "leads" else found.head(0)), _told(found["value"], table, funnel)


def _told(currencies: pd.Series, table: str, funnel: Funnel) -> Iterator[Fact]:
    counts = currencies.value_counts()
    shown = ", ".join(f"{name} {count}" for name, count in counts.head(5).items())
    mend = "" if funnel.rates else RATES
    if [*counts.index] == [UNNAMED]:
        mend = lines_under(table, f"values.currency = {toml_value({'': funnel.currency})}")
    yield Fact("no_rate", f"{table}: {shown}", len(currencies), mend)
