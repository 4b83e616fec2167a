"""Plans: against published numbers, scipy and simulated futures; the sample's past; what cannot be planned."""

from datetime import date, timedelta
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from projects import REPOSITORY, copied, page_of
from scipy import stats

import funnelstats as fs
from funnelstats.config import words
from funnelstats.config.errors import FunnelError
from funnelstats.config.sources import Work
from funnelstats.core.incidence import OUTCOMES
from funnelstats.importing.prepare import prepare
from funnelstats.page.sections import show_section
from funnelstats.page.tables import show_table
from funnelstats.plan.charts import arithmetic_chart, deals_chart
from funnelstats.plan.findings import plan_case, plan_facts, plan_gaps
from funnelstats.plan.forecast import ALL, Deals, beta_of_product, day_curves, worth_ahead
from funnelstats.plan.goals import Goal, plan_goal, plan_window, working_days
from funnelstats.plan.plan import (
    AS_NOW,
    USUAL,
    fewest,
    funnel_arithmetic,
    make_plan,
    manager_shares,
    plan_calendar,
    plan_money,
    stage_needs,
    weeks_alike,
)

FUNNEL = funnel_of("lead", "met", "paid", days=[6, 10])
AS_OF = date(2026, 6, 28)  # a Sunday
LONG_AGO = pd.Timestamp("2025-12-29")
GOAL = Goal(40, AS_OF, AS_OF + timedelta(days=28))
HAZARDS = {"lead": [0.05, 0.15, 0.2, 0.1, 0.1, 0.05, 0.05], "met": [0.0, 0.02, 0.1, 0.1, 0.1, 0.1] + [0.05] * 5}
REFUSED = 0.06
NO_PAID = pd.DataFrame({"from_stage": pd.Series(dtype="str"), "open": pd.Series(dtype="int64")})
NO_WEEKS = pd.DataFrame({"from_stage": pd.Series(dtype="str"), "entered": [], "converted": []})


def horizons():
    return {step.from_stage: step.horizon_days for step in FUNNEL.steps}


def shares_of(stage):
    """Of leads that enter a stage: which move, which are lost on each day, which are still there at its end."""
    moves, lost, here = [], [], 1.0
    for hazard in HAZARDS[stage]:
        moves.append(here * hazard)
        lost.append(here * REFUSED)
        here *= 1 - hazard - REFUSED
    return np.array(moves), np.array(lost), here


def day_counts(stage, advanced, lost, still):
    days = range(len(advanced))
    rows = [(stage, day, a, lo, 0) for day, a, lo in zip(days, advanced, lost, strict=True)]
    rows.append((stage, 60, 0, 0, still))
    return pd.DataFrame(rows, columns=["from_stage", "age_days", "advanced", "lost", "open"])


def past(leads, random=None):
    """Day counts of so many leads watched for long: as expected, or drawn."""
    parts = []
    for stage in HAZARDS:
        moves, lost, still = shares_of(stage)
        shares = np.concatenate([moves, lost, [still]])
        many = np.round(shares * leads) if random is None else random.multinomial(leads, shares / shares.sum())
        many = many.astype("int64")
        parts.append(day_counts(stage, many[: len(moves)], many[len(moves) : -1], many[-1]))
    return pd.concat(parts, ignore_index=True)


def waiting(rows):
    return pd.DataFrame(rows, columns=["from_stage", "age_days", "open"])


OPEN = waiting([("lead", 0, 30), ("lead", 3, 20), ("lead", 20, 9), ("met", 1, 25), ("met", 8, 15)])


def finish(stage, age, random):
    """Days until each lead of this stage and age is paid, infinite if never; one day after another."""
    age = np.asarray(age)
    waited, done = np.zeros(len(age)), np.full(len(age), np.inf)
    if not len(age):
        return done
    here = np.ones(len(age), dtype=bool)
    hazards, moved = np.array(HAZARDS[stage]), np.zeros(len(age), dtype=bool)
    for day in range(len(hazards)):
        due = here & (day > age)
        draw = random.random(len(age))
        moves = due & (draw < hazards[day])
        waited[moves], moved[moves] = (day - np.maximum(age, 0))[moves], True
        here &= ~(due & (draw < hazards[day] + REFUSED))
    if stage == "met":
        done[moved] = waited[moved]
        return done
    done[moved] = waited[moved] + finish("met", np.full(moved.sum(), -1), random)
    return done


def won_of_open(rows, random, days):
    total = 0
    for row in rows.itertuples():
        total += (finish(row.from_stage, np.full(row.open, row.age_days), random) <= days).sum()
    return total


def won_of_new(leads, random, goal=GOAL):
    """Of so many leads that come evenly on the working days, how many are paid in time."""
    days = (working_days(goal, FUNNEL) - pd.Timestamp(goal.as_of)).days.to_numpy()
    starts = np.resize(days, leads)
    # entered today counts from day 0: nothing has been watched of such a lead
    return (starts + finish("lead", np.full(leads, -1), random) <= goal.days).sum()


def planned(days, rows=OPEN, goal=GOAL, weeks=NO_WEEKS, funnel=FUNNEL):
    return make_plan(days, weeks, rows, funnel, goal)


def leads_of(plan):
    return plan.leads.set_index("plan")["leads"]


def said(plan, paid=NO_PAID):
    """The lines of the page that tell the plan: what to do, and what the open leads bring."""
    facts = plan_facts(plan, paid)
    return [line for block in ("first", "open") for line in shown(f"plan.{block}", facts)]


def shown(section, facts, **more):
    return show_section(section, facts, **more).data["text/plain"].splitlines()


def test_a_plan_of_won_leads_alone_says_that_it_cannot_be_told():
    plan = planned(past(2000))
    facts = plan_facts(plan, NO_PAID)
    told = shown("plan.first", facts, account=[{"fact": "only_won"}])
    assert len(shown("plan.first", facts)) > len(told) == 2
    assert told[0].endswith(" cannot be told")
    assert told[1] == "All leads on record were won: how many others it took is not known."


# numbers


def test_leads_for_ten_deals_at_a_known_rate_are_those_of_the_negative_binomial():
    none, one = Deals(0.0, 0.0, np.zeros(2)), Deals(0.05, 0.05 * 0.95, np.zeros(2))
    found = [fewest(lambda n: none.plus(one, n).at_least(10) >= sure) for sure in (0.5, 0.8, 0.9, 0.95)]  # noqa: B023
    assert found == [194, 249, 282, 311]  # R: qnbinom(p, 10, 0.05) + 10
    assert fewest(lambda n: none.plus(one._replace(mean=1e-9), n).at_least(10) >= 0.9) == np.inf
    assert none.at_least(0) == 1


def test_the_product_of_betas_that_is_a_beta_is_found_exactly():
    # Beta(a, b) x Beta(a + b, c) is Beta(a, b + c)
    first, second = stats.beta(6, 4), stats.beta(10, 7)
    found = beta_of_product([first.mean(), second.mean()], [first.var(), second.var()])
    assert found == pytest.approx((6, 11))


@pytest.mark.parametrize(("mean", "luck", "error"), [(40.0, 12.0, 30.0), (3.3, 3.0, 0.4), (90.0, 1.0, 0.0)])
def test_the_beta_binomial_has_the_mean_and_variance_asked_for(mean, luck, error):
    deals = Deals(mean, luck, np.sqrt([error / 4, 3 * error / 4]))
    trials, a, b = deals.beta_binomial()
    found_mean, found_variance = stats.betabinom.stats(trials, a, b)
    assert found_mean == pytest.approx(mean)
    assert found_variance == pytest.approx(luck + error, rel=0.05)
    assert trials >= mean
    assert deals.at_least(3) == pytest.approx(stats.betabinom.sf(2, trials, a, b))


def test_a_plan_from_the_plain_rate_that_promises_90_percent_delivers_84():
    rate, base, deals, rounds = 0.10, 250, 20, 4000
    random = np.random.default_rng(11)
    seen = np.maximum(random.binomial(base, rate, rounds), 1)

    def delivered(a, b):
        leads = cache(lambda k: int(fewest(lambda n: stats.betabinom.sf(deals - 1, n, a(k), b(k)) >= 0.9)))
        return (random.binomial([leads(int(k)) for k in seen], rate) >= deals).mean()

    assert delivered(lambda k: k / base * 1e9, lambda k: (1 - k / base) * 1e9) == pytest.approx(0.84, abs=0.02)
    assert delivered(lambda k: k + 0.5, lambda k: base - k + 0.5) == pytest.approx(0.905, abs=0.02)


# against simulated futures


def test_the_forecast_of_open_leads_is_that_of_simulated_futures_when_rates_are_known():
    forecast = planned(past(3_000_000)).forecast
    random = np.random.default_rng(5)
    live = OPEN[OPEN["age_days"] < OPEN["from_stage"].map(horizons())]
    won = np.array([won_of_open(live, random, GOAL.days) for _ in range(800)])
    total = forecast.set_index("stage").loc[ALL]
    assert total["expected"] == pytest.approx(won.mean(), abs=0.4)
    assert abs(np.array([total["deals_lower"], total["deals_upper"]]) - np.quantile(won, [0.025, 0.975])).max() <= 1
    assert forecast["too_old"].tolist() == [9, 0, 9]
    assert forecast["expected"].iloc[:-1].sum() == pytest.approx(total["expected"])


def test_the_chance_of_a_new_lead_is_that_of_simulated_ones_that_come_on_working_days():
    new, random = planned(past(3_000_000)).new, np.random.default_rng(6)
    assert new.brings.mean == pytest.approx(won_of_new(400_000, random) / 400_000, abs=0.003)
    assert new.working_days == 20
    assert 0 < new.in_time < 1


def test_intervals_and_plans_from_few_past_leads_keep_what_they_promise():
    random = np.random.default_rng(7)
    live = OPEN[OPEN["age_days"] < OPEN["from_stage"].map(horizons())]
    within, made, usual = [], [], []
    for _ in range(120):
        plan = planned(past(120, random))
        total = plan.forecast.set_index("stage").loc[ALL]
        old = won_of_open(live, random, GOAL.days)
        within.append(total["deals_lower"] <= old <= total["deals_upper"])
        leads = leads_of(plan)
        made.append(old + won_of_new(int(leads["90%"]), random) >= GOAL.deals)
        usual.append(old + won_of_new(int(leads[USUAL]), random) >= GOAL.deals)
    assert 0.91 <= np.mean(within) <= 0.99
    assert 0.86 <= np.mean(made) <= 0.97
    assert np.mean(usual) < 0.5


def test_what_a_plan_is_said_to_deliver_is_what_was_asked_for():
    plan = planned(past(400))
    sure = plan.leads.dropna(subset="certainty")
    assert (sure["delivers"] - sure["certainty"]).between(-0.001, 0.02).all()
    assert leads_of(plan)["90%"] > leads_of(plan)["80%"] > leads_of(plan)[USUAL]


def test_a_few_leads_that_are_nearly_sure_may_all_be_won():
    sure = [("met", 1, 3990, 0, 0), ("met", 60, 0, 0, 10)]
    days = pd.concat([past(4000).query("from_stage == 'lead'"), pd.DataFrame(sure, columns=list(past(1)))])
    total = planned(days, waiting([("met", 0, 3)])).forecast.iloc[-1]
    assert total[["expected", "deals_lower", "deals_upper"]].tolist() == [pytest.approx(3 * 0.9975), 3, 3]


def test_leads_that_stand_longer_than_agreed_count_as_far_as_past_ones_were_watched():
    late = [("met", 2, 40, 10, 0), ("met", 15, 20, 0, 0), ("met", 30, 0, 0, 20), ("met", 40, 0, 0, 10)]
    days = pd.concat([past(400).query("from_stage == 'lead'"), pd.DataFrame(late, columns=list(past(1)))])
    plan = planned(days, waiting([("met", 12, 30), ("met", 20, 8), ("met", 45, 5)]))
    total = plan.forecast.set_index("stage").loc[ALL]
    assert total[["open", "too_old", "not_known"]].tolist() == [43, 43, 5]
    # of the 50 that were there on day 12, 20 moved on day 15, and none of those there on day 20
    assert total["expected"] == total["deals_late"] == pytest.approx(30 * 20 / 50)
    assert plan.rates.set_index("from_stage").at["met", "rate"] == 0.4
    late, unknown = said(plan)[-2:]
    assert late.startswith("43 open leads have been at their stage longer than agreed; ")
    assert late.endswith("going by past leads: 12.")
    assert unknown.startswith("5 open leads have been there longer than past leads were followed")


def test_the_sum_of_open_and_new_leads_makes_the_goal_as_often_as_asked_for():
    """Rates known: the luck of the open and of the new leads evens out, their 90 % do not add up."""
    plan, random = planned(past(3_000_000)), np.random.default_rng(9)
    live = OPEN[OPEN["age_days"] < OPEN["from_stage"].map(horizons())]
    bring = random.choice([won_of_open(live, random, GOAL.days) for _ in range(800)], 40_000)
    for sure in (0.8, 0.9):
        leads = int(leads_of(plan)[f"{sure:.0%}"])
        made, fewer = (
            (bring + random.binomial(many, plan.new.brings.mean, 40_000) >= GOAL.deals).mean()
            for many in (leads, leads - 2)
        )
        assert made == pytest.approx(sure, abs=0.02)
        assert fewer < made


# properties


def test_weeks_that_differ_by_more_than_chance_ask_for_more_leads():
    days = past(400)
    even = pd.DataFrame({"from_stage": "lead", "entered": [50] * 8, "converted": [25] * 8, "week": LONG_AGO})
    calm, wild = planned(days, weeks=even), planned(days, weeks=even.assign(converted=[12, 38] * 4))
    assert calm.rates["dispersion"].tolist() == [1.0, 1.0]
    assert wild.rates["dispersion"].iloc[0] == pytest.approx(8 * 13**2 / 12.5 / 7)
    assert calm.leads.equals(planned(days).leads)
    assert wild.leads["leads"].iloc[1] > calm.leads["leads"].iloc[1]
    assert wild.forecast["deals_upper"].iloc[-1] > calm.forecast["deals_upper"].iloc[-1]


def test_a_step_s_dispersion_is_its_own_and_that_of_all_steps():
    even = pd.DataFrame({"from_stage": "met", "entered": [50] * 8, "converted": [25] * 8, "week": LONG_AGO})
    odd = even.assign(from_stage="lead", converted=[12, 38] * 4)
    found = planned(past(400), weeks=pd.concat([even, odd])).rates["dispersion"]
    squares = 8 * 13**2 / 12.5
    assert found.tolist() == pytest.approx([2 * squares / (7 + 14), squares / (7 + 14)])


def test_weeks_to_come_scatter_too_and_a_few_of_them_more_than_many():
    rates = pd.DataFrame({"n_eff": [100.0, 100], "dispersion": [1.0, 2], "weeks": [10.0, 10]})
    assert worth_ahead(rates, np.array([5, 5])).tolist() == [100, 100 / (2 + 10 / 5)]
    assert worth_ahead(rates, np.array([0.2, 20])).tolist() == [100, 100 / (2 + 10 / 20)]


def test_a_later_step_known_from_few_leads_makes_the_forecast_less_sure():
    sure, few, many = past(4000), past(30), waiting([("lead", 0, 500)])
    mixed = pd.concat([sure[sure["from_stage"] == "lead"], few[few["from_stage"] == "met"]])
    first = [planned(days, many).forecast.iloc[0] for days in (sure, mixed)]
    width = [row["deals_upper"] - row["deals_lower"] for row in first]
    assert width[1] > 1.5 * width[0]


def test_the_expected_entries_of_the_last_stage_are_the_deals_of_the_plan():
    plan = planned(past(400))
    paid = plan.entries[plan.entries["stage"] == "paid"]
    assert paid["open"].sum() == pytest.approx(plan.forecast["expected"].iloc[-1])
    assert paid[["new", "open"]].to_numpy().sum() == pytest.approx(plan.surest["expected"], rel=1e-9)
    started = plan.entries[plan.entries["stage"] == "lead"].set_index("on")["new"]
    assert started.sum() == pytest.approx(plan.surest["leads"])
    assert (started[started.index.day_of_week >= 5] == 0).all()
    needs = stage_needs(plan).set_index("stage")
    assert needs["entries"].is_monotonic_decreasing
    assert needs["enter_by"].is_monotonic_increasing
    assert needs["enter_by"].is_unique
    assert needs.at["paid", "enter_by"] == pd.Timestamp(GOAL.by)
    assert needs["a_week"].tolist() == np.ceil(needs["entries"] / 4).tolist()


@pytest.mark.usefixtures("sundays")
def test_weeks_of_the_calendar_begin_on_the_day_stated():
    week = plan_calendar(planned(past(400)), pd.DataFrame(columns=["stage", "kind", "each"]), 0)["week"]
    assert set(week.dt.day_name()) == {"Sunday"}


def test_the_calendar_adds_up_to_the_plan_and_knows_holidays():
    funnel = FUNNEL.model_copy(update={"work": Work(days=("Mon", "Fri"), holidays=(date(2026, 7, 3),))})
    assert working_days(GOAL, funnel).strftime("%m-%d").tolist()[:3] == ["06-29", "07-06", "07-10"]
    plan = planned(past(400), funnel=funnel)
    contacts = pd.DataFrame(
        {"stage": ["lead", "lead", "met"], "kind": ["call", "Meeting", "call"], "each": [2, 1, 0.5]}
    )
    calendar = plan_calendar(plan, contacts, 2)
    assert calendar["working_days"].tolist() == [1, 2, 2, 2]
    assert calendar["new_leads"].sum() == pytest.approx(plan.leads["leads"].iloc[1])
    by_stage = plan.entries.groupby("stage")[["new", "open"]].sum().sum(axis=1)
    assert calendar["into_met"].sum() == pytest.approx(by_stage["met"])
    assert calendar["contacts"].sum() == pytest.approx(3 * by_stage["lead"] + 0.5 * by_stage["met"])
    assert calendar["meetings"].sum() == pytest.approx(by_stage["lead"])
    each = calendar["contacts"] / calendar["working_days"] / 2
    pd.testing.assert_series_equal(calendar["contacts_a_manager_a_day"], each, check_names=False)
    nothing = plan_calendar(plan, contacts[:0], 0)
    assert nothing[["contacts", "meetings", "contacts_a_manager_a_day"]].isna().all(axis=None)


def test_weeks_that_ask_for_the_same_are_one_row_and_what_is_to_do_is_rounded_up():
    calendar = pd.DataFrame(
        {
            "week": pd.date_range("2026-07-06", periods=5, freq="7D"),
            "working_days": [5, 5, 5, 4, 5],
            "new_leads": [10.2, 10.9, 11.0, 11.0, 11.0000000001],
            "contacts": np.nan,
            "meetings_a_manager_a_day": [1.01, 1.04, 1.11, 1.1, 1.1],
        }
    )
    found = weeks_alike(calendar)
    assert "contacts" not in found
    assert found["week"].dt.day.tolist() == [6, 20, 27, 3]
    assert found["weeks"].tolist() == [2, 1, 1, 1]
    assert found["new_leads"].tolist() == [11, 11, 11, 11]
    assert found["meetings_a_manager_a_day"].tolist() == [1.1, 1.2, 1.1, 1.1]


def test_managers_get_the_plan_evenly_or_as_leads_come_now():
    days = past(400)
    plan = planned(days)
    mine = pd.concat([days.assign(manager=name) for name in ("Anna", "Boris", "Boris", "(missing)")])
    shares = manager_shares(plan, mine, OPEN.assign(manager="Boris"))
    assert shares["manager"].tolist() == ["Anna", "Boris"]
    assert shares["open"].tolist() == [0, 90]  # the nine that stand too long are no load
    a_week = plan.leads["a_week"].iloc[1]
    assert shares["evenly_a_week"].tolist() == [np.ceil(a_week / 2)] * 2
    assert shares["as_now_a_week"].tolist() == [np.ceil(a_week / 3), np.ceil(2 * a_week / 3)]
    assert manager_shares(plan, mine[mine["manager"] == "(missing)"], OPEN.assign(manager="(missing)")).empty
    none = OPEN.head(0).assign(manager="").astype({"from_stage": "str", "manager": "str"})
    assert manager_shares(plan, mine, none)["open"].tolist() == [0, 0]


def test_of_100_on_the_list_61_pay_as_agreed():
    steps = {"met": 1.0, "presented": 0.8, "contracted": 0.8, "paid": 0.95}
    funnel = funnel_of("lead", *steps)
    into = {stage: funnel.step_into[stage].model_copy(update={"target": rate}) for stage, rate in steps.items()}
    funnel = funnel.model_copy(update={"step_into": into})
    rates = pd.DataFrame({"rate": [0.9, 0.8, 0.5, 1.0], "n_eff": [400.0, 300, 200, 100], "dispersion": 1.0})
    found = funnel_arithmetic(rates, funnel).set_index("stage")
    assert found["agreed"].round(1).tolist() == [100, 100, 80, 64, 60.8]
    assert found["really"].round(1).tolist() == [100, 90, 72, 36, 36]
    random = np.random.default_rng(3)
    k, n = rates["rate"] * rates["n_eff"], rates["n_eff"]
    draws = 100 * random.beta(k + 0.5, n - k + 0.5, (100_000, 4)).prod(axis=1)
    assert found.loc["paid", ["really_lower", "really_upper"]].tolist() == pytest.approx(
        np.quantile(draws, [0.025, 0.975]), abs=0.1
    )
    unknown = funnel_arithmetic(rates.assign(rate=[0.9, np.nan, 0.5, 1.0]), funnel).set_index("stage")
    assert unknown["really"].isna().tolist() == [False, False, True, True, True]
    assert unknown.loc["paid", "really_lower"] == 0
    shown = arithmetic_chart(found.reset_index())
    assert "paid 61 as agreed, 36 really" in shown.data["text/html"]


def test_money_is_missing_where_costs_or_payments_are():
    plan = planned(past(400))
    deal, cost = pd.DataFrame({"mean_deal": [500.0]}), pd.DataFrame({"cost_per_lead": [20.0]})
    money = plan_money(plan, deal, cost)
    assert money["cost"].tolist() == (20 * plan.leads["leads"]).tolist()
    assert money["revenue"].tolist() == (500 * plan.leads["expected"]).tolist()
    assert plan_money(plan, deal * np.nan, cost)[["revenue", "pipeline_revenue"]].isna().all(axis=None)
    assert plan_money(plan, deal, cost * np.nan)["cost"].isna().all()


# what cannot be planned


@pytest.mark.parametrize(
    ("deals", "by", "message"),
    [
        (0, "2026-09-30", "deals must be a whole number of at least 1, got 0"),
        (2.5, "2026-09-30", "deals must be a whole number of at least 1, got 2.5"),
        (100, "2026-06-28", "by must be a day after 2026-06-28 and not after 2028-06-28 .*, got 2026-06-28"),
        (100, "2028-06-29", "by must be a day after 2026-06-28 .*, got 2028-06-29"),
        (100, "30.09.2026", "got '30.09.2026'; write it like 2026-09-27"),
    ],
)
def test_a_goal_that_is_none_is_refused_with_the_rule_and_the_offender(deals, by, message):
    with pytest.raises(FunnelError, match=message):
        plan_goal(deals, by, AS_OF, FUNNEL)


def test_without_a_day_the_goal_is_as_far_ahead_as_the_funnel_judges_backwards():
    assert plan_goal(7, "", AS_OF, FUNNEL) == Goal(7, AS_OF, AS_OF + timedelta(weeks=13))
    slow = funnel_of("lead", "paid", days=[120])
    assert [(last - first).days + 1 for first, last in (plan_window(AS_OF, FUNNEL), plan_window(AS_OF, slow))] == [
        91,
        240,
    ]


def test_where_no_new_lead_can_be_won_in_time_the_page_says_so():
    days = past(400)
    days.loc[(days["from_stage"] == "met") & (days["age_days"] < 4), "advanced"] = 0
    plan = planned(days, goal=Goal(40, AS_OF, AS_OF + timedelta(days=3)))
    assert plan.new.in_time == 0
    assert plan.leads["leads"].iloc[:2].tolist() == [np.inf, np.inf]
    assert said(plan)[0].startswith(f"Too late for new leads: 40 deals by {words.day(plan.goal.by)} must come")
    assert not any("a week" in line for line in said(plan))
    weekend = planned(past(400), goal=Goal(40, AS_OF - timedelta(days=2), AS_OF))
    assert weekend.new.working_days == 0
    assert plan_case(weekend) == "too late"


def test_a_goal_that_takes_many_times_the_leads_that_come_is_out_of_reach():
    plan = planned(past(400), goal=GOAL._replace(deals=900))
    assert leads_of(plan)["90%"] > 5 * leads_of(plan)[AS_NOW]
    facts = plan_facts(plan, NO_PAID)
    assert (facts["case"], facts["enough"], facts["usual"]) == ("out of reach", None, None)
    title, needed, *_rest = said(plan)
    assert title == f"Out of reach: 900 deals by {words.day(GOAL.by)}"
    assert needed.startswith("90% certainty would take")


def test_leads_as_they_come_are_enough_or_so_many_more_are_missing_a_week():
    plan = planned(past(400))
    facts = plan_facts(plan, NO_PAID)
    assert facts["case"] == "needed"
    missing = np.ceil(plan.surest["a_week"] - plan.as_now["a_week"])
    assert (facts["enough"]["keep"], facts["enough"]["missing"]) == (plan.as_now["delivers"] >= 0.9, max(missing, 1))
    few = plan._replace(leads=plan.leads.assign(delivers=0.004, a_week=[9.0, 12.2, 1.0, 4.0]))
    lines = said(few)
    assert f"That is 12.2 a week, {words.number(plan.surest['a_day'], 1)} a working day" in lines[1]
    assert any(line.endswith("make the goal in fewer than 1 of 100 cases.") for line in lines)
    assert "Find 9 more a week, or set a later day." in lines
    half = said(plan._replace(leads=plan.leads.assign(delivers=0.5)))
    assert any(line.endswith("make the goal in 50 of 100 cases.") for line in half)
    many = said(plan._replace(leads=plan.leads.assign(delivers=0.999)))
    assert any(line.endswith("make the goal in more than 99 of 100 cases.") for line in many)
    assert not any("Keep up" in line or "Find" in line for line in many), "the last weeks may have brought fewer"


def test_what_open_leads_bring_has_no_range_where_it_is_not_known():
    plan = planned(past(400))
    unknown = plan._replace(forecast=plan.forecast.assign(expected=np.nan, deals_lower=0.0, deals_upper=9.0))
    assert any("(likely range)" in line for line in said(plan))
    assert not any("(likely range)" in line for line in said(unknown))
    assert "What the open leads bring by then cannot be told." in said(unknown)


def test_a_plan_whose_numbers_of_leads_are_alike_names_one():
    plan = planned(past(400))
    alike = said(plan._replace(leads=plan.leads.assign(leads=plan.surest["leads"])))
    assert " give " in said(plan)[1]
    assert alike[1].endswith("certainty.")


def test_the_leads_of_three_weeks_are_not_spread_over_thirteen():
    monday = pd.Timestamp(GOAL.as_of - timedelta(days=20))
    week = pd.DataFrame({"from_stage": ["lead"], "entered": [0], "converted": [0], "week": [monday]})
    young = planned(past(400), weeks=week)
    entered = young.rates["entered"].iloc[0]
    assert young.new.a_week == pytest.approx(entered / 3)
    assert plan_facts(young, NO_PAID)["enough"]["weeks"] == 3
    assert planned(past(400)).new.a_week == pytest.approx(entered / 13)


def test_below_five_deals_seen_there_is_a_range_and_no_number():
    rows = [("lead", 2, 9, 3, 0), ("lead", 60, 0, 0, 8), ("met", 3, 4, 1, 0), ("met", 60, 0, 0, 4)]
    days = pd.DataFrame(rows, columns=["from_stage", "age_days", "advanced", "lost", "open"])
    plan = planned(days, OPEN[:0])
    assert plan.new.deals_seen == 4
    sure = plan.leads.iloc[:2]
    assert sure["leads"].isna().all()
    assert (sure["leads_lower"] < sure["leads_upper"]).all()
    assert plan_case(plan) == "few"
    assert said(plan)[0].startswith("Anything from ")
    assert show_table(plan.forecast.query("open > 0"), "plan.open").data["text/html"] == "", "no rows of zeros"
    assert said(plan)[1:3] == [
        "Only 4 deals were seen in the past.",
        "No lead is open now: all deals must come from new ones.",
    ]
    none = planned(days.assign(advanced=days["advanced"].where(days["from_stage"] == "lead", 0)))
    assert np.isnan(none.leads["leads"].iloc[1])
    assert said(none)[1] == "No deal was seen in the past."
    met = none.forecast.set_index("stage").loc["met"]
    assert met["expected"] == met["deals_lower"] == 0 < met["deals_upper"]


def test_a_step_nobody_was_watched_through_leaves_the_plan_unknown_not_zero():
    days = past(400)
    days = pd.concat([days[days["from_stage"] == "lead"], waiting([("met", 2, 50)]).assign(advanced=0, lost=0)])
    plan = planned(days)
    assert np.isnan(plan.new.brings.mean)
    total = plan.forecast.iloc[-1]
    assert (np.isnan(total["expected"]), total["deals_lower"], total["deals_upper"]) == (True, 0, 99)
    assert plan.leads["leads"].iloc[:3].isna().all()
    assert plan.leads[["pipeline", "remaining"]].isna().all(axis=None)
    assert plan_case(plan) == "unwatched"
    assert said(plan)[0].endswith("cannot be told")
    assert stage_needs(plan)["new"].isna().all()
    assert stage_needs(plan)["enter_by"].iloc[0] is pd.NaT
    assert "too late" not in show_table(stage_needs(plan), "plan.stages").data["text/html"]
    assert deals_chart(plan).data["text/plain"].endswith("how many deals come by then is not known.")


def test_open_leads_that_have_paid_and_channels_for_nothing_are_said():
    plan = planned(past(400))
    paid = pd.DataFrame({"from_stage": ["lead", "met"], "open": [2, 36]})
    with_paid = said(plan, paid)
    assert with_paid[-1].startswith("38 at met and lead have paid already: move them to paid in the CRM.")
    assert said(plan, paid[1:])[-1].startswith("36 at met have paid already")
    assert said(plan) == with_paid[:-1]
    cost = {"spend": 90.0, "leads": 4, "free_leads": 1, "free_channels": ["Partner"], "cost_elsewhere": 30.0}
    known = {"plans": [1], "costs": False, "payments": False, "currency": "RUB"}
    assert shown("plan.money", known, cost=cost)[-1] == (
        "No spend is recorded for Partner, 25% of recent leads. If no more of these can be had, a new lead costs "
        "30 ₽, as in the other channels."
    )
    for less in ({"free_leads": 0}, {"spend": 0.0}):
        assert len(shown("plan.money", known, cost={**cost, **less})) == 2


def test_without_costs_and_payments_the_plan_has_no_section_of_money():
    tables = SimpleNamespace(costs=None, payments=None)
    contacts = pd.DataFrame({"contacts": [3], "kind": ["call"]})
    gaps = plan_gaps(tables, contacts, contacts)
    assert gaps == {"contacts": False, "meetings": True, "managers": False, "costs": True, "payments": True}
    assert shown("plan.money", gaps, plans=[], cost={}, currency="RUB") == ["(nothing)"]
    assert [line.partition(":")[0] for line in shown("plan.limits", gaps)[1:]] == [
        "No contact is of the kind “meeting”",
        "No costs",
        "No payments",
    ]
    assert shown("plan.limits", dict.fromkeys(gaps, False)) == ["(nothing)"]


# the sample and real exports


@cache
def chain(name, deals, by, as_of=""):
    """What the notebook does, as a dictionary of its frames."""
    room, sections, _ = page_of("plan", funnel=name, deals=deals, by=by, as_of=as_of)
    plan = room["plan"]
    return room | {
        "forecast": plan.forecast.set_index("stage"),
        "plan": plan.leads.set_index("plan"),
        "calendar": plan_calendar(plan, room["contacts"], len(room["managers"])),
        "needs": stage_needs(plan).set_index("stage"),
        "said": [line for block in ("first", "open") for line in sections[block].splitlines()],
    }


@pytest.fixture
def sample(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    prepare("sample")


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(("then", "later"), [("2026-02-22", "2026-06-28"), ("2026-05-24", "2026-06-28")])
def test_what_the_samples_open_leads_brought_lies_within_their_forecast(then, later):
    found = chain("sample", 100, later, then)["forecast"].loc[ALL]
    spec, tables = fs.open_funnel("sample")
    known = fs.journeys(tables.entries, spec)
    day, by = date.fromisoformat(then), date.fromisoformat(later)
    came = known.filter((known.place == 0) & (known.reached_on <= day))
    won = came.filter((came.won_on > day) & (came.won_on <= by)).count().to_pandas()
    assert found["deals_lower"] <= won <= found["deals_upper"]


@pytest.mark.usefixtures("sample")
def test_the_methods_quote_the_samples_plan() -> None:
    text = " ".join((REPOSITORY / "docs" / "methods.md").read_text(encoding="utf-8").partition("## Plans")[2].split())
    found = chain("sample", 1000, "2026-09-30")
    plan, total, needs = found["plan"], found["forecast"].loc[ALL], found["needs"].loc["presented"]
    hundred, money = found["hundred"].set_index("stage").loc["paid"], found["money"].set_index("plan").loc["90%"] / 1e6
    lower, upper = hundred["really_lower"], hundred["really_upper"]
    assert 0 < plan.at[USUAL, "delivers"] < 0.01
    for quoted in (
        f"{total['open']:.0f} leads are open, {total['too_old']:.0f} of them longer than agreed: "
        f"{total['expected']:.0f} deals to expect ({total['deals_lower']:.0f} to {total['deals_upper']:.0f}).",
        f"{found['facts']['paid']['open'].sum()} of them have paid",
        f"{plan.at['90%', 'leads']:,.0f} new leads at 90 %, {plan.at['80%', 'leads']:,.0f} at 80 %; "
        f"deals ÷ rate says {plan.at[USUAL, 'leads']:,.0f} and",
        f"presented: {needs['entries']:,.0f} leads must enter it, {needs['a_week']:.0f} a week, the last ones "
        f"by {needs['enter_by']:%Y-%m-%d}.",
        f"As agreed {hundred['agreed']:.0f} of 100 pay; really {hundred['really']:.0f} ({lower:.0f} to {upper:.0f}).",
        f"leads cost {money['cost']:.1f} million RUB; {1e6 * money['expected']:,.0f} deals to expect bring "
        f"{money['revenue']:.1f} million.",
    ):
        assert quoted in text


@pytest.mark.usefixtures("sample")
def test_the_samples_pipeline_covers_100_deals_and_a_thousand_need_new_leads():
    covered = chain("sample", 100, "2026-09-30")
    assert covered["said"][:2] == [
        f"No new lead is needed for 100 deals by {words.day(date(2026, 9, 30))}",
        "The open leads bring them, with 90% certainty.",
    ]
    assert covered["plan"].at["90%", "leads"] == 0
    thousand = chain("sample", 1000, "2026-09-30")
    leads = thousand["plan"]["leads"]
    assert leads["90%"] > leads["80%"] > leads[USUAL] > 1000
    assert thousand["plan"].at[AS_NOW, "leads"] == pytest.approx(2291, abs=20)
    assert thousand["said"][0].startswith(f"{leads['90%']:,.0f} new leads for 1,000 deals")
    assert not any(thousand["gaps"].values())
    assert thousand["cost"]["free_channels"].iloc[0] == ["Partner", "unknown"]
    assert "36 at contracted have paid already" in thousand["said"][-1]
    assert thousand["needs"].at["paid", "entries"] == pytest.approx(thousand["plan"].at["90%", "expected"])
    assert 2 < thousand["calendar"]["meetings_a_manager_a_day"].median() < 6


@pytest.mark.parametrize(
    ("name", "as_of", "lacks"),
    [
        ("olist", "2018-05-31", ["contacts", "managers", "costs"]),
        ("maven_crm", "", ["contacts", "costs"]),
    ],
)
def test_exports_without_contacts_targets_and_costs_are_planned_and_say_what_is_missing(
    name, as_of, lacks, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    copied(name, name)
    prepare(name)
    found = chain(name, 300, "", as_of)
    assert [part for part, lacking in found["gaps"].items() if lacking] == lacks
    assert found["plan"].at["90%", "leads"] > 300
    assert found["calendar"]["contacts"].isna().all()
    if name == "olist":
        # no lead came in the last half-year before the export
        said = chain(name, 300, "")["said"]
        assert said[:2] == [f"{said[0].removesuffix(' cannot be told')} cannot be told", "No lead has come in lately."]
        assert said[-1].startswith("All 7,158 open leads have been at their stage longer than past leads were followed")


def test_a_lead_that_stayed_longer_than_its_step_has_time_came_no_further_in_time():
    days = pd.DataFrame([("lead", 60, 0, 1, 0), ("met", 3, 1, 0, 0)], columns=["from_stage", "age_days", *OUTCOMES])
    curves = day_curves(days, FUNNEL, GOAL)
    assert curves.moves[0].sum() == 0
    assert curves.moves[1].sum() == 1
