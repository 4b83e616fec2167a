"""What is said and drawn about money: cut, raise, keep, what is sure and what is missing."""

from datetime import date
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from test_revenue import FEW, MANY, by_channel, matured, spent

from funnelstats.loop.base import base_facts, score_groups, score_skill
from funnelstats.money.charts import returns_chart
from funnelstats.money.findings import amount_facts, channel_facts, credit_facts, money_gaps
from funnelstats.page.sections import show_section

FUNNEL = funnel_of("lead", "met", "paid", days=[20, 40])
ROWS = ibis.memtable({"lead_id": ["a"], "channel": ["web"]})
FULL = SimpleNamespace(leads=ROWS, entries=None, contacts=ROWS, payments=ROWS, costs=ROWS)
BARE = SimpleNamespace(leads=ROWS.select("lead_id"), contacts=None, payments=None, costs=None)
NO_STRAYS = pd.DataFrame({"payments": [0], "leads": [0], "amount": [0.0]})


def said(section, facts=None, **more):
    return show_section(section, facts, currency="RUB", **more).data["text/plain"].replace("\u00a0", " ")


def first(rows):
    return said("roi.first", channel_facts(rows), between=(date(2025, 7, 1), date(2026, 6, 30)))


def test_the_losing_channel_is_cut_the_best_one_raised_and_the_others_kept():
    rows = matured(
        by_channel(**{"<b>{x}</b>": MANY, "Fair": MANY, "Mail": MANY}),
        spent(**{"<b>{x}</b>": 20000, "Fair": 2500, "Mail": 1000}),
    )
    facts = channel_facts(rows)
    names = {name: facts[name]["channel"].tolist() for name in ("red", "best", "keep", "close")}
    assert names == {"red": ["<b>{x}</b>"], "best": ["Mail"], "keep": ["Fair"], "close": []}
    assert facts["red"]["gain"].tolist() == [-15000]
    page = first(rows)
    assert page.startswith("Spend less on <b>{x}</b>; spend more on Mail first\n")
    assert "brings back 0.25 (likely 0.2" in page
    assert "15K ₽ lost" in page
    assert page.count("Chance") == 1
    assert "brings back 5.00" in page
    assert "Fair (2,500 ₽)" in page
    html = show_section("roi.first", facts, currency="RUB", between=(date(2025, 7, 1), date(2026, 6, 30)))
    assert "&lt;b&gt;{x}&lt;/b&gt;" in html.data["text/html"]


def test_where_the_best_channel_is_not_surely_the_best_that_is_said():
    rows = matured(by_channel(Fair=MANY, Mail=MANY), spent(Fair=1100, Mail=1000))
    # where no channel is behind there is none to spend more on first
    assert first(rows).startswith("More comes back than was spent on Mail and Fair\n")
    behind = matured(by_channel(Ads=MANY, Fair=MANY, Mail=MANY), spent(Ads=5000, Fair=1100, Mail=1000))
    assert first(behind).startswith("Spend more on Mail and Fair first\n")
    assert "Whether Fair brings more is too close to call." in first(rows)
    assert "Keep" not in first(rows)
    # of many the title names one, and the sentence the others
    names = ("Ads", "Fair", "Mail", "Shop")
    many = first(matured(by_channel(**dict.fromkeys(names, MANY)), spent(**dict.fromkeys(names, 1000))))
    assert many.startswith("More comes back than was spent on each of 4 channels\n")
    assert "Whether Fair, Mail and Shop bring more is too close to call." in many


def test_more_than_three_losing_channels_are_counted_in_the_title():
    names = ["a", "b", "c", "d"]
    rows = matured(by_channel(**dict.fromkeys(names, MANY)), spent(**dict.fromkeys(names, 20000)))
    assert first(rows).startswith("4 channels bring back less than they cost\n")


def test_what_cannot_be_told_yet_is_left_alone_and_few_deals_are_not_judged():
    rows = matured(by_channel(Ads=MANY, Fair=[*[0.0] * 9, 100.0]), spent(Ads=5000, Fair=50))
    assert first(rows).startswith("No channel can be judged yet\n")
    assert "Chance" not in first(rows)
    clear = said("roi.clear", channel_facts(rows))
    assert "Too close to call: Ads. Change nothing there" in clear
    assert "Too few deals to judge: Fair." in clear


def test_more_refunds_than_payments_and_open_leads_of_unknown_worth_are_not_too_close_to_call():
    rows = matured(by_channel(Ads=MANY, Fair=MANY, Mail=MANY), spent(Ads=5000, Fair=5000, Mail=1000))
    rows = rows.assign(verdict="undecided").set_index("channel")
    rows.loc["Fair", ["revenue", "returned", "revenue_final"]] = [-3000.0, -8000.0, -3000.0]
    rows.loc["Mail", "revenue_final"] = np.nan
    clear = said("roi.clear", channel_facts(rows.reset_index()))
    assert "Too close to call: Ads. Change" in clear
    assert "Fair: 8,000 ₽ given back, more than the 5,000 ₽ paid. Look at the refunds first." in clear
    assert "Mail: 5,000 ₽ so far for 1,000 ₽ spent; what its open leads will bring is not known yet." in clear


def test_a_channel_that_gave_back_more_than_it_was_paid_loses_money_and_says_so():
    rows = matured(by_channel(Ads=MANY, Fair=[*FEW, *FEW, *FEW, *[-60.0] * 60]), spent(Ads=5000, Fair=1000))
    page = first(rows)
    assert page.startswith("Spend less on Fair, or change it\n")
    lost = "with what was spent 3,400 ₽ lost, expected sales included."
    assert f"Fair: 3,600 ₽ given back, more than the 1,200 ₽ paid; {lost}" in page
    clear = said("roi.clear", channel_facts(matured(by_channel(Ads=MANY, Fair=[100.0, -900.0]), spent(Ads=1, Fair=1))))
    assert "Fair: 900 ₽ given back, more than the 100 ₽ paid. Look at the refunds first." in clear
    assert "Too few" not in clear


def test_a_return_that_hangs_on_one_deal_says_so():
    rows = matured(by_channel(Ads=[*MANY, 9000.0]), spent(Ads=4000))
    assert "Ads hangs on one deal, 64% of its revenue" in said("roi.clear", channel_facts(rows))


def test_leads_without_a_channel_are_said_alone_where_no_spend_is():
    rows = matured(by_channel(**{"Partner": MANY, "(missing)": FEW}), spent(Partner=700))
    clear = said("roi.clear", channel_facts(rows))
    assert "20 leads have no channel: they are in the return of all together only." in clear


def test_spend_without_leads_leads_without_spend_and_no_channel_are_said():
    rows = matured(by_channel(**{"Partner": MANY, "(missing)": FEW}), spent(**{"Radio": 700, "(missing)": 15}))
    clear = said("roi.clear", channel_facts(rows))
    assert "Radio: 700 ₽ spent and no lead came." in clear
    assert "Partner: no spend recorded for 100 leads that brought 5,000 ₽." in clear
    assert "20 leads and 15 ₽ of spend have no channel" in clear
    judged = matured(by_channel(Ads=MANY), spent(Ads=20000))
    assert said("roi.clear", channel_facts(judged)) == "(nothing)"


def test_exports_without_costs_payments_or_channels_say_so_in_the_title():
    page = first(matured(by_channel(Ads=MANY, Fair=FEW), None))
    assert page.startswith("Most money comes from Ads; what it cost is not recorded\n")
    assert "Ads: 5,000 ₽ so far, from 100 leads." in page
    assert first(matured(by_channel(**{"(missing)": MANY}), None)).endswith("day, channel, amount.")
    tied = first(matured(by_channel(Ads=MANY, Fair=MANY, Web=FEW), None))
    assert tied.startswith("Most money comes from Ads and Fair; what it cost is not recorded\n")
    refunds = first(matured(by_channel(Ads=[-5.0, 0.0], Fair=[-9.0]), None))
    assert refunds.startswith("What channels bring back cannot be told: no costs\n")
    unpaid = by_channel(Ads=MANY).assign(revenue=np.nan, deals=0)
    for spend in (None, spent(Ads=5)):
        assert first(matured(unpaid, spend)).startswith("What channels bring back cannot be told: no payments")
    assert first(matured(by_channel(Ads=[]).iloc[:0], None)) == "No lead came in and nothing was spent"


def test_where_costs_and_leads_carry_no_channel_all_of_them_are_judged_together():
    rows = matured(by_channel(**{"(missing)": MANY}), spent(**{"(missing)": 20000}))
    assert first(rows).startswith("Spend less on all channels, or change it\n")
    assert "all channels" in returns_chart(rows, FUNNEL).data["text/plain"]


def test_limits_name_what_is_missing_and_the_payments_of_nobody():
    nothing = pd.DataFrame({"table": [], "code": []}, dtype="str")
    lines = said("roi.limits", money_gaps(BARE, NO_STRAYS, nothing), notes=()).splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == ["No costs", "No payments", "Leads carry no channel"]
    assert said("roi.limits", money_gaps(FULL, NO_STRAYS, nothing), notes=()) == "(nothing)"
    strays = pd.DataFrame({"payments": [4], "leads": [3], "amount": [1234.0]})
    rows = [("payments", "orphan"), ("costs", "date\t%d"), ("payments", "overlap\tpaid.csv")]
    gaps = money_gaps(FULL, strays, pd.DataFrame(rows, columns=["table", "code"]))
    assert gaps["orphans"] == 1
    lines = said("roi.limits", gaps, notes=("Calls are not logged.",))
    assert "1 payment is of a lead that the export does not hold" in lines
    assert "4 payments, 1,234 ₽ in all, are of leads that never entered the funnel" in lines
    assert lines.endswith("Calls are not logged.")


def test_the_figure_draws_what_comes_back_and_leaves_out_what_has_no_return():
    rows = matured(
        by_channel(Ads=MANY, Mail=MANY, Partner=MANY, Few=[0.0, 9.0]), spent(Ads=20000, Mail=500, Radio=9, Few=9)
    )
    shown = returns_chart(rows, FUNNEL)
    drawn = shown.data["text/plain"]
    assert [name in drawn for name in ("Ads", "Mail", "Radio", "Few", "Partner")] == [True] * 4 + [False]
    assert "Less than was spent: Ads" in shown.data["text/html"]
    assert all(f">{name}</text>" in shown.data["text/html"] for name in ("Ads", "no lead came"))
    nothing = returns_chart(matured(by_channel(Ads=MANY), None), FUNNEL)
    assert nothing.data["text/html"] == ""


def test_what_brought_nothing_stands_left_of_all_that_brought_something(drawn):
    halved = matured(by_channel(Ads=MANY), spent(Ads=10000))
    returns_chart(matured(by_channel(Ads=MANY), spent(Ads=10000, Radio=9)), FUNNEL)
    returns_chart(halved, FUNNEL)
    _narrow, both, _narrow, one = drawn
    dots = [part.get_offsets()[0] for part in both.axes[0].collections if isinstance(part, PathCollection)]
    ads, radio = (both.axes[0].transData.transform(dot)[0] for dot in dots)
    words, others = ({text.get_text(): text for text in figure.findobj(Text)} for figure in (both, one))
    nothing, half = (words[word].get_window_extent() for word in ("nothing", "×0.5"))
    assert nothing.x1 < words["//"].get_window_extent().x0 < half.x0
    assert nothing.x0 < radio < nothing.x1 < half.x0 < half.x1
    assert half.x0 < ads < half.x1
    assert "nothing" not in others


def test_attribution_says_that_no_rule_is_causal_and_where_they_differ_most():
    credited = pd.DataFrame(
        {
            "channel": ["Ads", "Mail"],
            **{rule: [50.0, 50.0] for rule in ("own", "last", "linear", "position", "markov")},
            "first": [90.0, 10.0],
        }
    )
    assert credit_facts(credited) == {"channel": "Ads", "low": 0.5, "high": 0.9}
    text = said("roi.credit", found=credit_facts(credited))
    assert "They differ most on Ads: 50% to 90%. None says what would be lost" in text
    assert said("roi.credit", found=credit_facts(credited.iloc[:0])) == "(nothing)"


def test_where_most_money_is_lost_is_said_only_if_every_stage_is_known():
    amounts = pd.DataFrame(
        {
            "stage": ["lead", "met", "paid"],
            "lost_amount": [5.0, 70.0, np.nan],
            "still_there_amount": [20.0, 3.0, np.nan],
        }
    )
    lines = said("roi.stages", amount_facts(amounts)).splitlines()[1:]
    assert lines == ["By the amounts in the CRM most money is lost at met: 70 ₽.", "Still open: 23 ₽."]
    for unknown in (amounts.assign(lost_amount=[np.nan, 70, np.nan]), amounts.assign(lost_amount=0.0)):
        assert said("roi.stages", amount_facts(unknown)).splitlines()[1:] == ["Still open: 23 ₽."]
    assert said("roi.stages", amount_facts(amounts.iloc[:0])) == "(nothing)"


@pytest.fixture
def base():
    renewed = pd.DataFrame(
        {
            "quarter": ["2026-Q2"],
            "companies": [100],
            "new_share": [0.25],
            "dropped_share": [0.5],
            "note": ["not over yet"],
        }
    )
    coverage = pd.DataFrame({"open_leads": [40], "contacted_leads": [30]})
    doubled = pd.DataFrame({"companies": [1], "leads": [3], "several_managers": [1]})
    blacklist = pd.DataFrame({"blacklisted": [5], "contacted": [2], "contacts": [7]})
    return renewed, coverage, doubled, blacklist


def of_base(*frames, score, contacts=True, companies=False):
    facts = base_facts(*frames, score_skill(score))
    return said("roi.base", facts, contacts=contacts, companies=companies)


def scored(rates):
    counts = [{"score": score, "entered": 200, "converted": won} for score, won in rates.items()]
    return pd.DataFrame(counts, columns=["score", "entered", "converted"])


def test_the_lead_base_is_said_line_by_line(base):
    lines = of_base(*base, score=scored({0.1: 20, 0.5: 100, 0.9: 180}), companies=True).splitlines()
    assert lines[1].startswith("100 companies were worked on, 25% of them not in the quarter before; 50% of that")
    assert lines[1].endswith("Mind: not over yet.")
    assert lines[2] == "30 of 40 open leads were contacted in the quarter."
    assert lines[3] == "1 company has several open leads at once, 3 in all; 1 with different managers."
    assert lines[4] == "Blacklist: 2 of 5 leads on it were contacted in the quarter, 7 times."
    assert lines[-1] == "It sorts leads better than a coin."


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        ({0.1: 90, 0.9: 100}, "Whether it sorts leads better than a coin is too close to call."),
        ({0.1: 100, 0.9: 100}, "That is no more than 5 points from a coin: do not sort"),
        ({0.1: 150, 0.9: 50}, "points the wrong way"),
        ({0.1: 60, 0.2: 100}, "Read as a probability it is off, beyond chance"),
        ({10: 20, 90: 180}, "It sorts leads better than a coin."),
        ({10: 0, 90: 0}, "all judged leads ended alike"),
    ],
)
def test_the_score_is_judged_by_what_its_leads_became(base, rates, verdict):
    assert verdict in of_base(*base, score=scored(rates))


def test_what_the_base_lacks_is_left_out(base):
    renewed, coverage, doubled, blacklist = base
    none = scored({})
    lines = of_base(renewed.iloc[:0], coverage, doubled, blacklist.iloc[:0], score=none, contacts=False)
    assert lines.splitlines()[1:] == ["There is no quarter before, so what is new cannot be told."]
    assert "100 leads were worked on" in of_base(*base, score=none)
    nearly = of_base(renewed.assign(new_share=0.996), coverage, doubled, blacklist, score=none)
    assert "99.6% of them not in the quarter before" in nearly, "not all of them"
    one = of_base(renewed, coverage, doubled.assign(companies=0), blacklist, score=none, companies=True)
    assert "several open leads" not in one
    assert score_groups(none).empty
