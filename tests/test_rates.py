"""Amounts of several currencies: each in the funnel's at the rate of its day, and what has no rate in no figure."""

import pytest
from projects import ENTRIES, FUNNEL, NAME, prepared, refused, source, tables

from funnelstats.importing.opening import open_funnel, read_quality

LEADS = source("leads", "leads.csv", lead_id="id", created_at="created", amount="sum", currency="cur")
MONEY = source("payments", "paid.csv", lead_id="id", paid_at="at", amount="sum", currency="cur")
MONEY += source("costs", "costs.csv", date="at", amount="sum", currency="cur")
RATES = source("rates", "rates.csv", date="day", currency="cur", rate="rate")
BASE = FUNNEL + LEADS + ENTRIES + MONEY
FILES = {
    "leads.csv": "id,created,sum,cur\na,2026-01-05,100,EUR\nb,2026-01-06,100,USD\nc,,100,USD\n",
    "paid.csv": "id,at,sum,cur\na,2026-01-05,10,euro\na,2026-01-06,10,US$\na,2026-01-09,10,USD\nb,2026-01-09,10,GBP\n",
    "costs.csv": "at,sum,cur\n2026-01-01,7,USD\n2026-01-08,7,usd\n2026-01-08,7,\n",
    "rates.csv": "day,cur,rate\n2026-01-08,USD,0.9\n2026-01-05,$,3\n2026-01-06,USD,0.5\n2026-01-07,USD,0\n",
}

pytestmark = pytest.mark.usefixtures("here")


def facts():
    return {fact["detail"]: fact for fact in read_quality(NAME).facts if fact["fact"] == "no_rate"}


def test_amounts_are_in_the_funnels_currency_at_the_last_rate_known_on_their_day():
    prepared(BASE + RATES, FILES)
    assert tables()["payments"]["amount"].tolist() == [10, 5, 9]
    assert tables()["costs"]["amount"].tolist() == [6.3]
    assert tables()["leads"]["amount"].fillna(-1).tolist() == [100, 50, -1]
    assert open_funnel(NAME)[1].payments.amount.sum().execute() == 24


def test_an_amount_without_a_rate_is_in_no_figure_and_told_with_its_row():
    prepared(BASE + RATES, FILES)
    assert {detail: fact["count"] for detail, fact in facts().items()} == {
        "leads: USD 1": 1,
        "payments: GBP 1": 1,
        "costs: USD 1, ? 1": 2,
    }
    aside = tables()["set_aside"]
    assert set(aside["reason"]) == {"has no rate on its day"}
    lines = aside[["table", "file", "row", "column", "cost"]].values.tolist()
    assert ["leads", "leads.csv", 4, "cur", "cell"] in lines
    assert ["payments", "paid.csv", 5, "cur", "row"] in lines
    assert len(lines) == 4


def test_without_rates_only_the_funnels_currency_counts_and_the_lines_to_add_are_told():
    prepared(BASE, FILES)
    assert tables()["payments"]["amount"].tolist() == [10]
    assert facts()["leads: USD 2"]["mend"].startswith("[rates]\n")
    blank = {**FILES, "costs.csv": "at,sum,cur\n2026-01-08,7,\n2026-01-08,8,EUR\n"}
    prepared(BASE + RATES, blank)
    assert facts()["costs: ? 1"]["mend"] == '# [costs]\nvalues.currency = { "" = "EUR" }'


def test_a_source_without_a_column_of_the_currency_is_in_the_funnels():
    other = source("[payments]", "more.csv", lead_id="id", paid_at="at", amount="sum")
    toml = (BASE + RATES).replace("[payments]", "[[payments]]") + other
    prepared(toml, {**FILES, "more.csv": "id,at,sum\na,2026-01-01,1000\n"})
    assert sorted(tables()["payments"]["amount"]) == [5, 9, 10, 1000]


def test_rates_of_no_amount_are_a_mistake():
    said = refused(BASE.replace(', currency = "cur"', "") + RATES, FILES)
    assert "rates: columns.currency of leads, payments or costs must say whose amounts these are for" in said
