"""The page of money on whole exports: what is planted in the sample, figures computed elsewhere, missing parts."""

import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from projects import copied, page_of
from test_real_data import OLIST

from funnelstats.core.journeys import journeys
from funnelstats.importing.opening import open_funnel
from funnelstats.importing.prepare import prepare
from funnelstats.money.counts import age_counts, lead_values, money_counts, of_cohorts, spend_counts
from funnelstats.money.revenue import deals_to_come, returns

PLANTED = {"Cold call": 53, "Exhibition": 111, "Newsletter": 295, "Search ads": -43, "Website": 166}
"""Return in % of all leads ever, as TRUTH.md tells it of the clean data; the dirt hides 3 leads in 100."""


pytestmark = pytest.mark.usefixtures("sample_project")


def real(name):
    """A real export, prepared once; skips where it is absent."""
    if not Path("data", "processed", name).is_dir():
        copied(name, name)
        prepare(name)
    return open_funnel(name)


def page(funnel, quarter):
    """What the notebook computes, by name, and the text of each thing it shows."""
    room, _, shown = page_of("roi", funnel=funnel, quarter=quarter)
    return room, [output.data["text/plain"] for output in shown]


@pytest.fixture(scope="module")
def sample():
    return page("sample", "2026-Q2")


def test_search_ads_loses_and_every_other_channel_with_spend_and_leads_earns(sample):
    channels = sample[0]["channels"].set_index("channel")
    assert channels["verdict"].to_dict() == {
        **dict.fromkeys(["Website", "Cold call", "Exhibition", "Newsletter"], "green"),
        "Search ads": "red",
        "Partner": "no spend",
        "unknown": "no spend",
        "Radio": "no leads",
        "(missing)": "no channel",
    }
    ads = channels.loc["Search ads"]
    assert ads["roi_upper"] < 0
    assert ads["roi_final_upper"] < 0
    for channel, percent in PLANTED.items():
        row = channels.loc[channel]
        assert 100 * row["roi"] == pytest.approx(percent, abs=20), channel
        assert row["roi_lower"] <= percent / 100 <= row["roi_upper"], channel
    assert channels.loc["Partner", ["roi", "roi_final", "cost_per_sale"]].isna().all()
    assert channels.loc["Radio", ["leads", "spend"]].tolist() == pytest.approx([0, 1529672.54])


def test_the_page_says_what_to_cut_to_raise_and_to_find_out(sample):
    title, period, *advice = sample[1][0].splitlines()
    assert (title, period) == ("Spend less on Search ads; spend more on Newsletter first", "1 Jul 2025 – 30 Jun 2026")
    assert [line.split(":")[0] for line in advice[:3]] == ["Search ads", "Newsletter", "Keep (gain over cost)"]
    open_questions = next(text for text in sample[1] if text.startswith("To find out"))
    assert "Radio: 1.53M" in open_questions
    assert "Partner and unknown: no spend recorded" in open_questions


def test_money_adds_up_whatever_it_is_grouped_by(sample):
    room = sample[0]
    leads, revenue = room["total"].loc[0, ["leads", "revenue"]]
    for frame in ("channels", "campaigns", "quarters", "cohorts"):
        assert room[frame]["leads"].sum() == leads, frame
        assert room[frame]["revenue"].sum() == pytest.approx(revenue), frame
        assert room[frame]["spend"].sum() == pytest.approx(room["total"]["spend"].iloc[0]), frame


def test_what_was_expected_of_a_quarter_at_its_end_is_what_came():
    """The leads of the first quarter, foretold at its end and known a quarter later."""
    cohort = (date(2026, 1, 1), date(2026, 3, 31))

    def brought(day):
        funnel, tables = open_funnel("sample", day)
        paths = journeys(tables.entries, funnel).cache()
        values = lead_values(paths, funnel, day, tables.leads, tables.payments).cache()
        leads = of_cohorts(values, cohort)
        young = age_counts(leads, funnel, day, "channel")
        to_come = deals_to_come(young, age_counts(values, funnel, day, "channel"), funnel)
        spend = spend_counts(tables.costs, day, "channel", between=cohort)
        return returns(money_counts(leads, "channel"), spend, to_come).set_index("channel")

    then, now = brought(cohort[1]), brought(date(2026, 6, 30))
    assert then["open"].sum() > 300
    assert now["open"].sum() == 0
    assert then["revenue"].sum() < 0.8 * now["revenue"].sum()
    # a little low, as the page says: later sales, leads that came back and open instalments are not added
    assert 0.92 < then["revenue_final"].sum() / now["revenue"].sum() < 1.01
    judged = now.index[now["verdict"].isin(["red", "green"])]
    held = now.loc[judged, "roi"].between(then.loc[judged, "roi_final_lower"], then.loc[judged, "roi_final_upper"])
    assert held.all()


def test_olist_leads_sales_and_money_by_origin_are_those_computed_elsewhere():
    funnel, tables = real("olist")
    ever = date(2030, 1, 1)
    values = lead_values(journeys(tables.entries, funnel), funnel, ever, tables.leads, tables.payments)
    found = money_counts(values, "channel").set_index("channel").round(2)
    for origin, (leads, won, *_, sellers, sales) in OLIST.items():
        assert found.loc[origin, ["leads", "won", "deals", "revenue"]].tolist() == [leads, won, sellers, sales], origin


def test_maven_revenue_and_days_to_win_are_those_computed_elsewhere():
    funnel, tables = real("maven_crm")
    ever = date(2030, 1, 1)
    values = lead_values(journeys(tables.entries, funnel), funnel, ever, tables.leads, tables.payments).cache()
    row = money_counts(values).loc[0]
    assert row[["won", "deals", "revenue"]].tolist() == [4238, 4238, 10005534]
    ages = age_counts(values, funnel, ever)
    days = ages["age_days"].repeat(ages["advanced"])
    assert (round(days.mean(), 2), days.median()) == (51.78, 57)
    lost = ages["age_days"].repeat(ages["lost"])
    assert (round(lost.mean(), 2), lost.median()) == (41.48, 14)


@pytest.mark.parametrize(
    ("name", "quarter", "said"),
    [
        ("olist", "2018-Q3", ["No costs: "]),
        ("maven_crm", "2017-Q4", ["No costs: ", "Leads carry no channel: "]),
        ("receipt", "2011-Q4", ["No costs: ", "No payments: "]),
    ],
)
def test_an_export_without_costs_payments_or_contacts_renders_with_a_sentence_for_each_part(name, quarter, said):
    real(name)
    _, shown = page(name, quarter)
    assert "not recorded" in shown[0].splitlines()[0] or "cannot be told: no " in shown[0].splitlines()[0]
    assert "nothing: the sentences above say why" in shown
    limits = next(text for text in shown if text.startswith("What this export cannot tell")).splitlines()
    assert [start for start in said if not any(line.startswith(start) for line in limits)] == []


def test_a_quarter_before_the_first_lead_has_nothing_and_says_so():
    _, shown = page("sample", "2024-Q2")
    assert shown[0].startswith("No lead came in and nothing was spent")


def test_nothing_on_the_page_names_a_lead(sample):
    leads = pd.read_parquet("data/processed/sample/leads.parquet")
    words = set(re.findall(r"[\w-]+", "\n".join(sample[1])))
    long = {lead for lead in leads["lead_id"] if len(lead) > 8}
    assert len(long) > 100
    assert not words & long
    companies = set(leads["company"].dropna()) - set(leads["campaign"].dropna())
    assert not any(company in "\n".join(sample[1]) for company in companies)
