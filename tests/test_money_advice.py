"""What is said and drawn about money: cut, raise, keep, what is sure and what is missing."""

from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from test_revenue import FEW, MANY, by_channel, matured, spent

from funnelstats.loop.base import score_groups, score_skill
from funnelstats.loop.sentences import base_sentences
from funnelstats.money.charts import returns_chart
from funnelstats.money.sentences import attribution_sentences, money_limits, money_sentences

FUNNEL = funnel_of("lead", "met", "paid", days=[20, 40])
ROWS = ibis.memtable({"lead_id": ["a"], "channel": ["web"]})
FULL = SimpleNamespace(leads=ROWS, entries=None, contacts=ROWS, payments=ROWS, costs=ROWS)
BARE = SimpleNamespace(leads=ROWS.select("lead_id"), contacts=None, payments=None, costs=None)
NO_STRAYS = pd.DataFrame({"payments": [0], "leads": [0], "amount": [0.0]})


def plain(sentences):
    return " | ".join(sentences).replace("\u00a0", " ")


def test_the_losing_channel_is_cut_the_best_one_raised_and_the_others_kept():
    rows = matured(
        by_channel(**{"<b>{x}</b>": MANY, "Fair": MANY, "Mail": MANY}),
        spent(**{"<b>{x}</b>": 20000, "Fair": 2500, "Mail": 1000}),
    )
    first, second, third, fourth = money_sentences(rows, FUNNEL)
    assert plain([first]).startswith("Cut or change <b>{x}</b>: of each 1 RUB spent 0.25 come back (very likely 0.2")
    assert "About 15,000 RUB are lost" in plain([first])
    assert "Chance does not explain that." in first
    assert second.startswith("Raise Mail first: ")
    assert "5.00" in second
    assert plain([third]) == (
        "Keep: Fair (about 2,500 RUB more than spent). Chance does not explain that they bring more than was spent."
    )
    assert fourth.startswith("Revenue is not profit: what comes back are payments")


def test_where_the_best_channel_is_not_surely_the_best_that_is_said():
    rows = matured(by_channel(Fair=MANY, Mail=MANY), spent(Fair=1100, Mail=1000))
    assert "Whether Fair bring more cannot be told yet." in money_sentences(rows, FUNNEL)[0]


def test_what_cannot_be_told_yet_is_left_alone_and_few_deals_are_not_judged():
    rows = matured(by_channel(Ads=MANY, Fair=[*[0.0] * 9, 100.0]), spent(Ads=5000, Fair=50))
    said = money_sentences(rows, FUNNEL)
    assert said[0].startswith("Cannot be told yet: Ads may bring more or less than was spent.")
    assert said[1] == "Too few deals to judge: Fair."


def test_a_return_that_hangs_on_one_deal_says_so():
    rows = matured(by_channel(Ads=[*MANY, 9000.0]), spent(Ads=4000))
    assert "Ads hangs on one deal, 64% of its revenue" in plain(money_sentences(rows, FUNNEL))


def test_spend_without_leads_leads_without_spend_and_no_channel_are_said():
    rows = matured(by_channel(**{"Partner": MANY, "(missing)": FEW}), spent(**{"Radio": 700, "(missing)": 15}))
    said = plain(money_sentences(rows, FUNNEL))
    assert "Radio: 700 RUB spent and no lead came." in said
    assert "No spend is written down for Partner: 100 leads brought about 5,000 RUB." in said
    assert "Without a channel: 20 leads and 15 RUB of spend." in said


def test_exports_without_costs_payments_or_channels_say_it_in_one_sentence_each():
    said = money_sentences(matured(by_channel(Ads=MANY, Fair=FEW), None), FUNNEL)
    assert [sentence.split(":")[0] for sentence in said] == ["No costs", "Most money so far"]
    alone = matured(by_channel(**{"(missing)": MANY}), None)
    assert money_sentences(alone, FUNNEL)[1] == "Leads carry no channel: all are one group."
    unpaid = by_channel(Ads=MANY).assign(revenue=np.nan, deals=0)
    assert money_sentences(matured(unpaid, None), FUNNEL)[1] == "No payments: revenue cannot be told either."
    assert plain(money_sentences(matured(unpaid, spent(Ads=5)), FUNNEL)).startswith("No payments: revenue and what")
    assert len(money_sentences(matured(by_channel(Ads=[]).iloc[:0], None), FUNNEL)) == 1


def test_where_costs_and_leads_carry_no_channel_all_of_them_are_judged_together():
    rows = matured(by_channel(**{"(missing)": MANY}), spent(**{"(missing)": 20000}))
    assert money_sentences(rows, FUNNEL)[0].startswith("Cut or change all channels: ")
    assert "all channels" in returns_chart(rows, FUNNEL).data["text/plain"]


def test_limits_name_what_is_missing_and_the_payments_of_nobody():
    said = money_limits(BARE, NO_STRAYS, FUNNEL)
    assert [sentence.split(":")[0] for sentence in said[:3]] == ["No costs", "No payments", "Leads carry no channel"]
    strays = pd.DataFrame({"payments": [4], "leads": [3], "amount": [1234.0]})
    said = money_limits(FULL, strays, FUNNEL)
    assert plain(said).startswith("4 payments, 1,234 RUB in all, are of leads that never entered the funnel")
    assert said[2].startswith("Revenue is not profit")
    assert len(said) == 3
    rows = [("payments", "belongs to no lead"), ("costs", "is not a date"), ("leads", "is not a date")]
    set_aside = pd.DataFrame(rows, columns=["table", "reason"])
    said = money_limits(FULL, NO_STRAYS, FUNNEL, set_aside)
    assert "1 payments of leads it does not hold, 1 rows of payments and costs" in said[0]
    assert len(money_limits(FULL, NO_STRAYS, FUNNEL, set_aside.iloc[2:])) == 2
    repeats = set_aside.assign(reason="repeats a row of paid.csv")
    assert len(money_limits(FULL, NO_STRAYS, FUNNEL, repeats)) == 2


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
    assert nothing.data["text/plain"].startswith("There is nothing to draw")


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
    said = attribution_sentences(credited)
    assert said[0].startswith("The same revenue under six rules")
    assert said[1].startswith("Not causal")
    assert said[2] == "The rules differ most on Ads: 50% to 90% of the money."
    assert attribution_sentences(credited.iloc[:0])[0].startswith("No contact names a channel")


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


def of_base(*frames, score, tables=FULL, **columns):
    stated = FUNNEL.lead_base.model_copy(update=columns)
    funnel = FUNNEL.model_copy(update={"lead_base": stated})
    return base_sentences(*frames, score_skill(score), tables, funnel)


def scored(rates):
    counts = [{"score": score, "entered": 200, "converted": won} for score, won in rates.items()]
    return pd.DataFrame(counts, columns=["score", "entered", "converted"])


def test_the_lead_base_is_said_in_five_sentences(base):
    said = of_base(*base, score=scored({0.1: 20, 0.5: 100, 0.9: 180}), company="company")
    assert "Renewal: of 100 companies worked on in 2026-Q2, 25% were not worked on" in said[0]
    assert "Mind: not over yet." in said[0]
    assert said[1] == "Coverage: 30 of 40 open leads were contacted in the quarter (75%)."
    assert "1 company has several open leads at once, 3 in all; 1 with different managers" in said[2]
    assert said[3] == "Blacklist: 2 of 5 leads on it were contacted in the quarter, 7 times."
    assert said[4].endswith("It sorts leads better than a coin.")


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        ({0.1: 90, 0.9: 100}, "Whether it sorts leads better than a coin cannot be told yet."),
        ({0.1: 100, 0.9: 100}, "That is no more than 5 points from a coin: do not sort"),
        ({0.1: 150, 0.9: 50}, "points the wrong way"),
        ({0.1: 60, 0.2: 100}, "Read as a probability it is off, beyond chance"),
        ({10: 20, 90: 180}, "It sorts leads better than a coin."),
        ({10: 0, 90: 0}, "all judged leads ended alike"),
    ],
)
def test_the_score_is_judged_by_what_its_leads_became(base, rates, verdict):
    assert verdict in of_base(*base, score=scored(rates))[4]


def test_each_missing_part_of_the_base_is_one_sentence(base):
    renewed, coverage, doubled, blacklist = base
    none = scored({})
    said = of_base(renewed.iloc[:0], coverage, doubled, blacklist.iloc[:0], score=none, tables=BARE)
    assert [sentence.split(":")[0] for sentence in said] == ["Renewal", "Coverage", "Duplicates", "Blacklist", "Score"]
    assert all("no " in sentence or "cannot be told" in sentence for sentence in said)
    assert "whether it was kept cannot be told" in of_base(*base, score=none, tables=BARE)[3]
    assert "of 100 leads worked on" in of_base(*base, score=none)[0]
    doubled = doubled.assign(companies=0)
    said = of_base(renewed, coverage, doubled, blacklist, score=none, company="company")
    assert said[2] == "Duplicates: no company has several open leads at once."
    assert score_groups(none).empty
