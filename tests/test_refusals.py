"""Reasons of refusal: published numbers, a second library, properties, the sample's truth, exports without reasons."""

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from backends import ENGINES, entries_frame, funnel_of, random_entries, table
from projects import ENTRIES, FUNNEL, LEADS, NAME, TOML, page_of, prepared
from scipy import stats
from statsmodels.duration.survfunc import CumIncidenceRight
from statsmodels.stats.proportion import confint_proportions_2indep, multinomial_proportions_confint

from funnelstats.config.schema import MISSING
from funnelstats.config.sources import Refusals
from funnelstats.core.counts import outcome_days
from funnelstats.core.incidence import incidence, incidence_at
from funnelstats.core.journeys import journeys, with_leads
from funnelstats.importing.opening import open_funnel
from funnelstats.leads.standing import own_rows
from funnelstats.page.sections import show_section
from funnelstats.page.tables import show_table
from funnelstats.refusals.counts import (
    attempt_counts,
    refusal_counts,
    refusal_totals,
    retried_counts,
    retries_due,
    retry_counts,
    with_refusal,
    without_stage,
)
from funnelstats.refusals.findings import month_after, reasons_differ, refusal_findings, refusals_not_told, second_tries
from funnelstats.refusals.reasons import (
    DRAWS,
    FEWEST_EXPECTED,
    any_reason,
    by_reason,
    loss_table,
    reason_association,
    reason_changes,
    reason_drivers,
    reason_patterns,
    reason_shares,
    reason_table,
    retry_success,
    second_looks,
)

TOY = funnel_of("lead", "met", "paid")
STAGES = ("new", "встреча", "offer", "paid")
RANDOM = funnel_of(*STAGES, days=[20, 20, 30])
AGRESTI = np.array([[762, 327, 468], [484, 239, 477]])
"""Gender by party, Agresti 2007, table 2.5: X² 30.1; standardised residuals in table 2.8."""


def counts_of(table, rows="ABCDEFGH", **measures):
    """Refusal counts with managers A, B, ... down and reasons r0, r1, ... across."""
    cells = [
        (rows[i], f"r{j}", count) for i, line in enumerate(np.asarray(table)) for j, count in enumerate(line) if count
    ]
    return pd.DataFrame(cells, columns=["manager", "refusal", "lost"]).assign(excuses=0, gaps=0, **measures)


def random_table(seed, rows=5, columns=4, most=12):
    return np.random.default_rng(seed).integers(0, most, (rows, columns))


# shares


def test_the_limits_of_shares_are_goodmans_as_statsmodels_has_them():
    counts = [56, 72, 73, 59, 62, 87, 58]
    funnel = TOY.model_copy(update={"refusals": Refusals(categories={"x": "r7"})})
    frame = reason_shares(counts_of([counts]), funnel).sort_values("refusal")
    # the stated category and the blank reason are shares too, of 0
    theirs = multinomial_proportions_confint([0, *counts, 0], alpha=0.05, method="goodman")
    found = frame[["ci_lower", "ci_upper"]].to_numpy()
    assert frame["refusal"].tolist() == ["(missing)", *(f"r{n}" for n in range(8))]
    assert found == pytest.approx(theirs, abs=1e-9)


def test_catch_all_and_blank_reasons_are_always_shown_and_come_last():
    counts = pd.DataFrame({"refusal": ["Other", "price", "terms"], "lost": [9, 2, 5]})
    frame = reason_shares(counts, TOY)
    assert frame["refusal"].tolist() == ["terms", "price", "Other", "(missing)"]
    assert frame["lost"].tolist() == [5, 2, 9, 0]
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["share"].iloc[-1] == 0
    assert frame["ci_lower"].iloc[-1] == 0


def test_without_refusals_shares_are_not_known():
    frame = reason_shares(counts_of(np.zeros((1, 0))), TOY)
    assert frame["share"].isna().all()
    assert frame[["ci_lower", "ci_upper"]].to_numpy().tolist() == [[0, 1]]


# what each reason takes from a stage


@pytest.mark.parametrize("seed", range(4))
def test_reasons_add_up_to_everything_that_a_stage_loses(seed):
    lazy = journeys(table(_engine(), random_entries(seed, STAGES, leads=80)), RANDOM).cache()
    for as_of in (date(2026, 2, 1), date(2026, 4, 1)):
        days = outcome_days(with_refusal(lazy, RANDOM), RANDOM, as_of, by="refusal")
        own, total = incidence(by_reason(days)), incidence(any_reason(days))
        assert own["refusal"].nunique() > 1
        keys = ["from_stage", "age_days"]
        summed = own.groupby(keys)["incidence"].sum()
        assert summed.to_numpy() == pytest.approx(
            total.set_index(keys)["incidence"].loc[summed.index].to_numpy(), abs=1e-12
        )
        at_horizon = incidence_at(own, RANDOM).groupby("from_stage")["rate"].sum(min_count=1)
        whole = incidence_at(total, RANDOM).set_index("from_stage")["rate"].loc[at_horizon.index]
        assert at_horizon.to_numpy() == pytest.approx(whole.to_numpy(), abs=1e-12, nan_ok=True)


def test_each_reason_is_a_rival_end_as_statsmodels_has_it():
    random = np.random.default_rng(3)
    time, status = random.integers(1, 15, 300), random.integers(0, 4, 300)
    names = {0: ("", "open"), 1: ("", "advanced"), 2: ("price", "lost"), 3: ("terms", "lost")}
    one = pd.DataFrame(
        {"age_days": time, "refusal": [names[s][0] for s in status], "how": [names[s][1] for s in status]}
    )
    days = one.assign(**{how: (one["how"] == how).astype(int) for how in ("advanced", "lost", "open")}).drop(
        columns="how"
    )
    found = incidence(by_reason(days.assign(from_stage="lead")))
    theirs = CumIncidenceRight(time, status)
    at = np.searchsorted(theirs.times, np.arange(1, 15), side="right") - 1
    for place, name in ((1, "price"), (2, "terms")):
        own = found[found["refusal"] == name]
        assert own["incidence"].to_numpy() == pytest.approx(theirs.cinc[place][at], abs=1e-12)


def test_groups_taken_together_are_those_counted_without_them():
    lazy = journeys(table(_engine(), random_entries(1, STAGES, leads=80)), RANDOM).cache()
    judged = with_refusal(lazy, RANDOM)
    apart = outcome_days(judged, RANDOM, date(2026, 4, 1), by=["episode", "refusal"])
    whole = outcome_days(judged, RANDOM, date(2026, 4, 1), by="refusal")
    order = ["refusal", "from_stage", "age_days"]
    both = [
        by_reason(days, summed).sort_values(order, ignore_index=True)
        for days, summed in ((apart, ["episode"]), (whole, []))
    ]
    pd.testing.assert_frame_equal(*both)


def test_a_reason_of_one_period_only_is_no_lead_in_the_other():
    days = pd.DataFrame(
        {"refusal": ["", "price", ""], "from_stage": "lead", "age_days": [3, 3, 9], "advanced": [40, 0, 0],
         "lost": [0, 30, 0], "open": [0, 0, 30]}
    )  # fmt: skip
    later = days.assign(refusal=["", "terms", ""])
    now, then = (incidence_at(incidence(by_reason(part)), TOY) for part in (later, days))
    found = reason_changes(now, then).query("from_stage == 'lead'").set_index("refusal")
    assert found["rate"].to_dict() == pytest.approx({"price": 0, "terms": 0.3})
    assert found["other_rate"].to_dict() == pytest.approx({"price": 0.3, "terms": 0})
    assert found["verdict"].to_dict() == {"price": "lower", "terms": "higher"}
    assert found.loc["price", "p_value"] == pytest.approx(2 * stats.fisher_exact([[0, 100], [30, 70]], "less")[1])
    assert found.loc["price", "ci_upper"] < 0 < found.loc["terms", "ci_lower"]


def test_leads_that_are_lost_for_a_reason_are_found_and_the_others_are_not():
    random = np.random.default_rng(5)
    leads = 4000
    frame = pd.DataFrame({"product": random.choice(list("xyz"), leads), "channel": random.choice(list("uv"), leads)})
    chance = np.where(frame["product"] == "x", 0.2, 0.05)
    refusal = np.where(random.random(leads) < chance, "price", np.where(random.random(leads) < 0.1, "terms", ""))
    frame = frame.assign(refusal=refusal, from_stage="lead", age_days=2, open=0)
    frame = frame.assign(lost=(frame["refusal"] != "").astype(int), advanced=(frame["refusal"] == "").astype(int))
    keys = ["product", "channel", "refusal", "from_stage", "age_days"]
    days = frame.groupby(keys, as_index=False)[["advanced", "lost", "open"]].sum()
    found = reason_drivers(days, TOY, ["product", "channel"])
    higher = found[found["verdict"] == "higher"]
    assert higher[["attribute", "value", "refusal"]].to_numpy().tolist() == [["product", "x", "price"]]
    share = (refusal[frame["product"] == "x"] == "price").mean()
    assert higher["rate"].iloc[0] == pytest.approx(share)
    assert reason_drivers(days, TOY, []).empty


# who hears which reason


def test_residuals_are_agrestis():
    found = reason_patterns(counts_of(AGRESTI), TOY, "manager")
    assert found["residual"].round(2).tolist() == [4.50, 0.70, -5.32, -4.50, -0.70, 5.32]
    whole = reason_association(counts_of(AGRESTI), TOY, "manager").iloc[0]
    assert whole["chi2"] == pytest.approx(30.1, abs=0.05)
    assert whole["dof"] == 2
    assert not whole["simulated"]


@pytest.mark.parametrize("seed", range(3))
def test_residuals_and_chi_square_are_those_of_statsmodels_and_scipy(seed):
    observed = random_table(seed) + 1
    found = reason_patterns(counts_of(observed), TOY, "manager")
    theirs = sm.stats.Table(observed, shift_zeros=False)
    assert found["residual"].to_numpy() == pytest.approx(theirs.standardized_resids.ravel())
    assert found["expected"].to_numpy() == pytest.approx(theirs.fittedvalues.ravel())
    whole = reason_association(counts_of(20 * observed), TOY, "manager").iloc[0]
    chi2, p, dof, expected = stats.chi2_contingency(20 * observed, correction=False)
    assert whole[["chi2", "p_value", "dof"]].tolist() == pytest.approx([chi2, p, dof])
    assert expected.min() >= FEWEST_EXPECTED
    assert not whole["simulated"]


def test_the_chance_of_a_cell_is_fishers():
    observed = random_table(7)
    found = reason_patterns(counts_of(observed), TOY, "manager").set_index(["value", "refusal"])
    for (i, j), cell in np.ndenumerate(observed):
        own, reason = observed[i].sum() - cell, observed[:, j].sum() - cell
        rest = observed.sum() - own - reason - cell
        p = stats.fisher_exact([[cell, own], [reason, rest]], alternative="greater").pvalue
        assert found.loc[("ABCDE"[i], f"r{j}"), "p_value"] == pytest.approx(p)


def test_a_small_table_is_simulated_the_same_way_each_time_and_agrees_with_scipy():
    observed = np.array([[5, 1, 1], [1, 4, 2], [2, 2, 6]])
    whole = reason_association(counts_of(observed), TOY, "manager").iloc[0]
    assert whole["simulated"]
    assert whole["p_value"] == reason_association(counts_of(observed), TOY, "manager")["p_value"].iloc[0]
    theirs = stats.chi2_contingency(
        observed, correction=False, method=stats.PermutationMethod(n_resamples=20_000, rng=np.random.default_rng(1))
    ).pvalue
    assert whole["p_value"] == pytest.approx(theirs, abs=0.015)
    lonely = reason_association(counts_of(np.diag([9, 9, 9])), TOY, "manager").iloc[0]
    assert lonely["p_value"] == pytest.approx(1 / (1 + DRAWS))


def test_only_a_reason_heard_more_often_is_a_finding_and_names_few():
    observed = np.full((6, 4), 20)
    observed[2] = [60, 10, 10, 10]
    found = reason_patterns(counts_of(observed), TOY, "manager")
    often = found[found["verdict"] == "more often"]
    assert often[["value", "refusal"]].to_numpy().tolist() == [["C", "r0"]]
    assert often["p_holm"].iloc[0] < 0.001
    assert set(found["verdict"]) == {"more often", "undecided"}
    by_chance = [
        (reason_patterns(counts_of(t), TOY, "manager")["verdict"] == "more often").any()
        for t in stats.random_table([20] * 8, [40] * 4).rvs(200, random_state=np.random.default_rng(2))
    ]
    assert np.mean(by_chance) <= 0.1


def test_who_writes_more_reasons_down_does_not_hear_each_of_them_more_often():
    cells = [("A", "r0", 21), ("A", "r1", 18), ("A", MISSING, 2), ("B", "r0", 19), ("B", "r1", 14), ("B", MISSING, 239)]
    counts = pd.DataFrame(cells, columns=["manager", "refusal", "lost"]).assign(excuses=0, gaps=0)
    found = reason_patterns(counts, TOY, "manager").set_index(["value", "refusal"])
    assert found.index[found["verdict"] == "more often"].tolist() == [("B", MISSING)]
    p = stats.fisher_exact([[21, 18], [19, 14]], alternative="greater").pvalue
    assert found.loc[("A", "r0"), "p_value"] == pytest.approx(p)


def test_a_manager_is_named_only_where_the_name_would_hold(sample):
    funnel, paths = sample
    counts = refusal_counts(paths, funnel, *WINDOW, by="manager")
    found = reason_patterns(counts, funnel, "manager")
    nobody = pd.DataFrame({name: pd.Series(dtype="str") for name in ("verdict", "refusal", "from_stage", "difference")})
    weaker = found.assign(p_holm=found["p_holm"].clip(lower=0.06))
    for patterns, named in ((found, ["Сидоров"]), (weaker, [])):
        facts = refusal_findings(
            reason_shares(counts, funnel), nobody, nobody, patterns, second_looks(counts, ["manager"]),
            retry_counts(paths, funnel, date(2020, 1, 1), date(2020, 1, 2), by="owner"),
            refusal_totals(paths, funnel), funnel,
        )  # fmt: skip
        assert facts["named"]["value"].tolist() == named
    assert reasons_differ(reason_association(counts, funnel, "manager"))["differ"] == "yes"
    assert reasons_differ(reason_association(counts.iloc[:0], funnel, "manager"))["differ"] == ""


@pytest.mark.parametrize(
    ("table", "differ"),
    [
        (np.array([[22, 20, 22], [20, 22, 22], [22, 22, 20]]), "cannot tell"),
        (np.array([[440, 400, 400], [400, 440, 400], [400, 400, 440]]), "no"),
        (np.array([[600, 400, 400], [400, 600, 400], [400, 400, 600]]), "yes"),
    ],
)
def test_reasons_are_called_the_same_only_where_a_strength_of_a_tenth_is_ruled_out(table, differ):
    association = reason_association(counts_of(table), TOY, "manager")
    assert reasons_differ(association) == {"differ": differ, "strength": 0.1}
    row = association.iloc[0]
    excess = row["v_upper"] ** 2 * table.sum() * 2
    assert stats.ncx2.cdf(max(row["chi2"], row["dof"]), row["dof"], excess) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("again", "first", "answer"),
    [
        ((90, 100), (600, 1000), "better"),
        ((30, 100), (600, 1000), "worse"),
        ((600, 1000), (6000, 10000), "alike"),
        ((9, 17), (620, 1000), "unknown"),
        ((0, 5), (10, 17), "unknown"),
    ],
)
def test_second_tries_are_called_alike_only_within_a_margin(again, first, answer):
    tried = pd.DataFrame({"refusal": ["price"], "entered": [50], "converted": [20], "too_recent": [0]})
    counts = pd.DataFrame(
        [("lead", "met", name, n, k, 0) for name, (k, n) in (("second try", again), ("first try", first))],
        columns=["from_stage", "to_stage", "attempt", "entered", "converted", "too_recent"],
    )
    found = second_tries(tried, retry_success(counts))
    assert (found["again"], found["over"], found["rate"]) == (20, 50, 0.4)
    assert (found["compared"]["answer"], found["compared"]["margin"]) == (answer, 0.05)
    assert second_tries(tried, retry_success(counts.iloc[1:]))["compared"] is None


def shown(section, facts, **more):
    return show_section(f"refusals.{section}", facts, **more).data["text/plain"]


def test_days_to_a_second_try_are_a_range_and_what_is_final_is_never_tried():
    stated = Refusals(retry_days_of={"no budget": (75, 100)}, final=("no",))
    nothing = {"reasons": False, "managers": False, "gaps": []}
    said = shown("end", nothing, known=True, stated=stated, as_of=DAY)
    assert "A second try is due 60–90 days after the refusal (75–100 for “no budget”), never after “no”." in said
    assert "cannot tell" not in said, "of nothing missing nothing is said"


def test_system_users_and_refusals_without_a_manager_are_not_compared():
    funnel = TOY.model_copy(update={"system_users": ("B",)})
    counts = counts_of([[9, 1], [1, 9], [5, 5]], rows=["A", "B", "(missing)"])
    assert set(reason_patterns(counts, funnel, "manager")["value"]) == {"A"}
    alone = reason_association(counts, funnel, "manager").iloc[0]
    assert np.isnan(alone[["chi2", "p_value", "v_upper"]].astype(float)).all()
    assert reason_patterns(counts, funnel, "manager")["verdict"].tolist() == ["undecided"] * 2
    by_product = counts.rename(columns={"manager": "product"})
    assert set(reason_patterns(by_product, funnel, "product")["value"]) == {"A", "B", "(missing)"}


def test_nothing_counted_is_no_pattern():
    nothing = counts_of(np.zeros((2, 2)))
    assert reason_patterns(nothing, TOY, "manager").columns.tolist()[-1] == "verdict"
    assert reason_patterns(nothing, TOY, "manager").empty
    assert reason_association(nothing, TOY, "manager")["dof"].tolist() == [0]


# second looks and second tries


def test_second_looks_are_listed_for_each_group_with_all_its_refusals():
    counts = pd.DataFrame(
        {"manager": ["(missing)", "A", "A", "A"], "refusal": ["x", "x", "y", "z"], "lost": [3, 5, 4, 1],
         "excuses": [3, 5, 0, 0], "gaps": [0, 0, 2, 0]}
    )  # fmt: skip
    assert second_looks(counts, ["manager"]).to_numpy().tolist() == [
        ["A", "x", "excuse", 5, 10],
        ["A", "y", "gap", 2, 10],
        ["(missing)", "x", "excuse", 3, 3],
    ]
    assert second_looks(counts.iloc[:0], ["manager"]).empty


def test_a_table_of_reasons_adds_up():
    counts = counts_of([[3, 1, 4], [1, 5, 9]], rows=["A", "(missing)"])
    found = reason_table(counts, "manager")
    assert found.columns.tolist() == ["manager", "r2", "r1", "r0", "(all)"]
    assert found.to_numpy().tolist() == [["A", 4, 1, 3, 8], ["(missing)", 9, 5, 1, 15]]
    assert reason_table(counts.iloc[:0], "manager").empty


def test_of_a_single_reason_no_number_stands_twice():
    counts = pd.DataFrame({"manager": ["a", "b"], "refusal": "price", "lost": [1, 4]})
    assert reason_table(counts, "manager").columns.tolist() == ["manager", "price"]
    assert reason_table(counts.assign(refusal="(missing)"), "manager").columns.tolist() == ["manager", "(all)"]
    rates = pd.DataFrame({"refusal": ["price"], "from_stage": "lead", "rate": 0.2, "entered": 50})
    assert loss_table(rates, rates, TOY)["refusal"].tolist() == ["price"]
    both = pd.concat([rates, rates.assign(refusal="terms")])
    assert loss_table(both, rates, TOY)["refusal"].tolist() == ["price", "terms", "(all)"]


def test_a_reason_called_like_a_column_of_the_table_keeps_its_own():
    counts = pd.DataFrame({"manager": ["a", "a", "b"], "refusal": ["(all)", "manager", "(all)"], "lost": [1, 2, 4]})
    found = reason_table(counts, "manager")
    assert found.to_dict("list") == {"manager": ["a", "b"], "“(all)”": [1, 4], "“manager”": [2, 0], "(all)": [3, 4]}


def test_second_tries_differ_from_first_ones_by_newcombes_interval():
    steps = {"from_stage": ["lead"] * 2, "to_stage": ["met", "paid"]}
    counts = pd.concat(
        [
            pd.DataFrame(
                {**steps, "attempt": "first try", "entered": [80, 60], "converted": [48, 30], "too_recent": 0}
            ),
            pd.DataFrame({**steps, "attempt": "second try", "entered": [70, 0], "converted": [56, 0], "too_recent": 3}),
        ]
    )
    found = retry_success(counts)
    assert found[["ci_lower", "ci_upper"]].iloc[0].tolist() == pytest.approx([0.0524, 0.3339], abs=5e-5)
    theirs = confint_proportions_2indep(56, 70, 48, 80, compare="diff", method="newcomb")
    assert found[["ci_lower", "ci_upper"]].iloc[0].tolist() == pytest.approx(theirs)
    nobody = found.iloc[1]
    assert np.isnan(nobody["rate"])
    assert nobody[["again_entered", "ci_lower", "ci_upper"]].tolist() == [0, -1, 1]
    only_first = retry_success(counts[counts["attempt"] == "first try"])
    assert only_first["again_entered"].tolist() == [0, 0]


def test_a_meeting_about_a_month_is_held_in_the_next():
    assert month_after(date(2026, 1, 31)) == (date(2026, 2, 1), date(2026, 2, 28))
    assert month_after(date(2025, 12, 31)) == (date(2026, 1, 1), date(2026, 1, 31))


# the sample's truth


@pytest.fixture(scope="module")
def sample():
    funnel, tables = open_funnel("sample", "2026-06-30")
    paths = with_leads(journeys(tables.entries, funnel), tables.leads, ["manager", "amount", *funnel.base]).cache()
    return funnel, paths


WINDOW, BEFORE = (date(2026, 3, 30), date(2026, 6, 28)), (date(2025, 12, 29), date(2026, 3, 29))
DAY = date(2026, 6, 30)


def test_the_tell_tale_manager_is_found_and_nobody_else(sample):
    funnel, paths = sample
    found = reason_patterns(refusal_counts(paths, funnel, *WINDOW, by="manager"), funnel, "manager")
    often = found[found["verdict"] == "more often"]
    assert often[["value", "refusal"]].to_numpy().tolist() == [["Сидоров", "other supplier"]]
    assert often["share"].iloc[0] == pytest.approx(0.5, abs=0.1)
    counts = refusal_counts(paths, funnel, *WINDOW, by="manager")
    whole = reason_association(counts, funnel, "manager").iloc[0]
    others = reason_association(counts[counts["manager"] != "Сидоров"], funnel, "manager").iloc[0]
    assert whole["p_value"] < 0.001 < others["p_value"]


def test_the_leak_of_compressors_shows_as_price_after_the_presentation(sample):
    funnel, paths = sample
    judged = with_refusal(paths, funnel)
    now = outcome_days(judged, funnel, DAY, by=[*funnel.base, "refusal"], entered_between=WINDOW)
    then = outcome_days(judged, funnel, DAY, by="refusal", entered_between=BEFORE)
    rates, before = (incidence_at(incidence(days), funnel) for days in (by_reason(now, funnel.base), by_reason(then)))
    changed = reason_changes(rates, before).query("verdict == 'higher'")
    assert changed[["refusal", "from_stage"]].to_numpy().tolist() == [["price", "presented"]]
    found = reason_drivers(now, funnel, funnel.base).query("verdict == 'higher' and refusal == 'price'")
    assert found[["attribute", "value", "from_stage"]].to_numpy().tolist() == [["product", "Compressors", "presented"]]
    weeks = refusal_counts(paths, funnel, BEFORE[0], WINDOW[1], by=["product", "stage", "week"])
    price = weeks[(weeks["product"] == "Compressors") & (weeks["stage"] == "presented") & (weeks["refusal"] == "price")]
    by_week = price.set_index("week")["lost"]
    assert by_week[by_week.index < "2026-04-13"].max() < by_week[by_week.index >= "2026-04-27"].min()


def test_second_tries_of_the_sample_do_as_first_ones(sample):
    funnel, paths = sample
    tried = retried_counts(paths, funnel, DAY)[["entered", "converted"]].sum()
    assert tried["converted"] / tried["entered"] == pytest.approx(0.08, abs=0.03)
    success = retry_success(attempt_counts(paths, funnel, DAY))
    assert ((success["ci_lower"] < 0) & (success["ci_upper"] > 0)).all()


def test_every_lead_due_is_on_one_list_of_its_owner(sample):
    funnel, paths = sample
    july = month_after(DAY)
    due = retry_counts(paths, funnel, *july, by="owner")
    lists = {owner: own_rows(retries_due(paths, funnel, *july), owner) for owner in due["owner"].unique()}
    assert {owner: len(rows) for owner, rows in lists.items()} == due.groupby("owner")["due"].sum().to_dict()
    leads = pd.concat(lists.values())
    assert leads["lead_id"].is_unique
    assert not leads["refusal"].isin(funnel.refusals.final).any()
    wait = (leads["due_from"] - leads["lost_on"]).dt.days
    assert wait.eq(np.where(leads["refusal"] == "no budget", 75, 60)).all()


@pytest.fixture(scope="module")
def page():
    return page_of("refusals", funnel="sample", month="2026-06")


def test_the_page_opens_with_its_finding_and_says_what_to_do_in_few_words(page):
    room, sections, _ = page
    facts, losses = room["facts"], room["losses"]
    lines = sections["first"].splitlines()
    assert lines[0] == "“price” costs 8.8% of leads at presented → contracted, up from 1.5%"
    assert lines[1] == "Leads of 30 March – 28 June, against those before."
    assert lines[2].startswith("Hardest hit: Compressors (18%, all others 1.9%).")
    assert lines[3].startswith("Сидоров hears “other supplier” in 50% of refusals (the others: 9.3%).")
    assert lines[4] == "437 refused leads could be tried again in July 2026."
    assert len(sections["first"].split()) <= 90
    assert (facts["due"], facts["ownerless"], facts["lost"], facts["blank"]) == (437, 11, 266, 15)
    assert (facts["excuses"], facts["gaps"]) == (
        {"lost": 113, "reasons": ["other supplier"]},
        {"lost": 54, "reasons": ["product does not fit"]},
    )
    text = " ".join(sections.values())
    assert [name for name in ("Иванов", "Петрова", "O'Neill", "Müller", "CRM robot") if name in text] == []
    assert "39 of 592 refused leads" in sections["again"]
    assert "9 of 17 second tries that began again at “lead” came to “paid” in time: 53%, first tries 62%." in text
    assert "too few to say" in sections["again"]
    # no lead by name
    assert not re.search(r"\b1\d{5}\b", text)
    assert losses["refusal"].tolist()[0] == "price"
    assert losses["presented → contracted"].iloc[0] == pytest.approx(0.088, abs=0.001)


def test_the_reasons_of_a_step_add_up_to_all_it_loses(page):
    losses = page[0]["losses"].set_index("refusal")
    assert losses.index.tolist()[-2:] == ["(missing)", "(all)"]
    assert losses.iloc[:-1].sum().to_numpy() == pytest.approx(losses.loc["(all)"].to_numpy())


def findings(**more):
    """Facts of a month without anything to do, but for what is given."""
    nothing = {"lost": 0, "reasons": []}
    calm = {"known": True, "lost": 9, "blank": 0, "top": None, "grown": [], "named": [], "due": 0, "ownerless": 0}
    calm |= {"silent": False, "tries": {"compared": None}}
    days = {"first": date(2026, 6, 1), "window": WINDOW, "coming": month_after(DAY), "week": "2026-W26"}
    return calm | {"excuses": nothing, "gaps": nothing} | days | more


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ({"top": {"refusal": "price", "lost": 4, "of": 9}}, "“price” was heard most in June 2026: 4 of 9 refusals"),
        (
            {"top": {"refusal": "price", "lost": 1, "of": 9}, "blank": 7, "silent": True},
            "7 of 9 refusals in June 2026 have no reason",
        ),
        (
            {"top": {"refusal": "price", "lost": 4, "of": 9}, "tied": ["price", "terms"]},
            "“price”, “terms” were heard most in June 2026: 4 of 9 refusals each",
        ),
        (
            {"top": {"refusal": "a", "lost": 2, "of": 9}, "tied": ["a", "b", "c", "d"]},
            "4 reasons were heard most in June 2026: in 2 of 9 refusals each",
        ),
        ({"blank": 9}, "None of the 9 refusals of June 2026 has a reason"),
        ({"lost": 0}, "Nobody said no in June 2026"),
        ({"known": False, "lost": 0}, "The data holds no refusals"),
    ],
)
def test_a_month_without_news_opens_with_what_is_most_or_missing(facts, title):
    lines = shown("first", findings(**facts)).splitlines()
    assert lines[0] == title
    assert ("beyond chance" in lines[-1]) == ("top" in facts or "blank" in facts), "differences are not denied"


@pytest.mark.parametrize(("blank", "silent"), [(6, True), (5, False)])
def test_where_most_refusals_have_no_reason_that_is_the_finding(blank, silent):
    shares = pd.DataFrame({"refusal": ["price", "terms", MISSING], "lost": [4, 1, blank], "of": 5 + blank})
    empty = pd.DataFrame(columns=["verdict", "refusal", "p_holm", "residual", "difference", "second_look", "lost"])
    due, totals = pd.DataFrame(columns=["owner", "due"]), pd.DataFrame({"refused": [9]})
    found = refusal_findings(shares, empty, empty, empty, empty, due, totals, TOY)
    assert (found["silent"], found["tied"]) == (silent, ["price"])


@pytest.mark.parametrize(("lost", "asked"), [(5, "call back and ask"), (6, "call back five of them and ask")])
def test_no_more_refusals_are_called_back_than_there_are(lost, asked):
    assert asked in shown("looks", findings(excuses={"lost": lost, "reasons": ["price"]}))


def test_managers_who_all_leave_the_reason_blank_do_not_hear_the_same():
    blank = np.column_stack([np.full(3, 2000), [[4, 2], [3, 3], [2, 4]]])
    counts = counts_of(blank).assign(refusal=lambda rows: rows["refusal"].replace("r0", MISSING))
    assert reasons_differ(reason_association(counts, TOY, "manager"))["differ"] == "cannot tell"


def test_who_leaves_the_reason_blank_is_asked_for_it():
    row = {"value": "Анна", "refusal": "(missing)", "share": 8 / 9, "other_share": 0.1}
    said = shown("first", findings(named=[row], due=3, ownerless=3))
    assert "Анна leaves the reason blank in 89% of refusals (the others: 10%)." in said
    assert said.endswith("They belong to nobody: assign them.")


def test_second_tries_are_no_task_and_nothing_is_promised_of_them():
    def due(compared):
        return shown("first", findings(due=3, tries={"compared": compared}))

    assert due(None).endswith("3 refused leads could be tried again in July 2026. What that brings is not known yet.")
    assert due({"again_converted": 2}).endswith("3 refused leads could be tried again in July 2026.")


def test_refusals_of_no_stage_are_told_apart():
    rows = [("a", "lead", "2026-06-02"), ("a", "met", "2026-06-03"), ("b", "lost", "2026-06-04")]
    stageless = without_stage(table(_engine(), entries_frame(rows)), TOY, date(2026, 6, 1), DAY)
    said = shown("reasons", findings(lost=0), stageless=stageless)
    assert "1 more lead was refused without ever standing at a stage ((missing) 1)" in said
    assert shown("reasons", findings(lost=0), stageless=stageless.iloc[:0]) == "(nothing)"


@pytest.mark.parametrize(
    ("again", "compared", "said"),
    [
        (0, None, "None of 50 refused leads whose time for a second try is over was reopened"),
        (1, None, "1 of 50 refused leads whose time for a second try is over was reopened"),
        (20, None, "How those did is not known yet."),
        (20, "better", "They do better than first tries, beyond chance."),
        (20, "worse", "They do worse than first tries, beyond chance."),
        (20, "alike", "That is about as good: no more than 5 points apart."),
    ],
)
def test_second_tries_are_told_by_their_answer(again, compared, said):
    row = {"again_converted": 9, "again_entered": 17, "from_stage": "lead", "to_stage": "paid", "rate": 0.5,
           "other_rate": 0.6, "margin": 0.05, "answer": compared}  # fmt: skip
    tries = {"over": 50, "again": again, "rate": again / 50, "ci_lower": 0.2, "ci_upper": 0.6}
    assert said in shown("again", findings(), tries=tries | {"compared": row if compared else None})


# exports that lack something


@pytest.mark.usefixtures("here")
def test_an_export_without_refusals_says_so_and_fails_nowhere():
    prepared(TOML, {"entries.csv": "id,stage,at\na,lead,2026-04-02\na,met,2026-04-03\n"})
    room, sections, _ = page_of("refusals", funnel=NAME, month="2026-06")
    assert sections.pop("first").splitlines()[0] == "The data holds no refusals"
    assert sections.pop("end").splitlines()[0] == "How this was counted"
    assert set(sections.values()) == {"(nothing)"}, "an empty section has no heading"
    assert room["losses"].empty
    assert room["missing"] == {"reasons": False, "managers": False, "gaps": []}
    assert show_table(room["looks"], "refusals.second-looks").data["text/html"] == ""


@pytest.mark.usefixtures("here")
def test_an_export_without_reasons_managers_or_attributes_says_each():
    entries = ENTRIES + 'values.stage = { lead = "lead", met = "met", no = "lost" }\n'
    practice = '[refusals]\ncategories = { "x" = "y" }\nexcuses = ["y"]\n'
    prepared(
        FUNNEL + practice + LEADS + entries,
        {"entries.csv": "id,stage,at\na,lead,2026-04-05\na,no,2026-06-09\nb,lead,2026-04-06\n"},
    )
    room, sections, _ = page_of("refusals", funnel=NAME, month="2026-06")
    assert room["losses"].empty, "where no reason is known none costs leads"
    assert sections["reasons"] == "(nothing)", "the title has said it"
    assert sections["first"].splitlines()[0] == "The one refusal of June 2026 has no reason"
    assert room["missing"] == {"reasons": True, "managers": True, "gaps": []}
    assert sections["end"].splitlines()[:3] == [
        "What this export cannot tell",
        "Why leads say no: no refusal has a reason.",
        "Who hears which reason: no refusal has a manager.",
    ]


def test_a_gap_whose_attribute_is_not_exported_is_said():
    totals = pd.DataFrame({"episodes": [9], "refused": [3], "with_reason": [3], "with_manager": [3]})
    practice = Refusals(categories={"x": "y"}, gaps={"y": {"product": ("Pumps",)}})
    funnel = TOY.model_copy(update={"refusals": practice})
    told = refusals_not_told(totals, funnel, ["channel"])
    assert told["gaps"] == [{"reason": "y", "attributes": ["product"]}]
    said = shown("end", told, known=True, stated=practice, as_of=DAY)
    assert "Whether “y” is our fault: leads have no product." in said
    assert refusals_not_told(totals, funnel, ["product"])["gaps"] == []


def _engine():
    import ibis

    return getattr(ibis, ENGINES[0]).connect()
