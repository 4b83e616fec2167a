"""Tables, comparisons, notes and sections of the closed loop; then the truths of the sample."""

from datetime import date
from itertools import pairwise
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from backends import funnel_of
from projects import page_of

from funnelstats.config.dates import months_to
from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _spoken
from funnelstats.core.intervals import mover_ratio, wilson_interval
from funnelstats.importing.opening import Tables, month_notes, notes_fingerprint
from funnelstats.loop.counts import STATES, followed_to
from funnelstats.loop.findings import loop_findings, loop_not_told, untold_states
from funnelstats.loop.nurture import EFFECTS, nurture_effects, nurture_table
from funnelstats.loop.states import (
    EVERYBODY,
    HANDED,
    acceptance,
    even_load,
    followed_window,
    record_shares,
    shared_attributes,
    state_table,
    states_by,
)
from funnelstats.page.sections import show_section

ROOT = Path(__file__).parents[1]
FUNNEL = funnel_of("lead", "met", "paid", days=[14, 30])
NONE = pd.DataFrame(columns=["manager", "lead_state", "leads"])


def stated(**more):
    return FUNNEL.model_validate({**FUNNEL.model_dump(), **more})


def counts(**leads):
    """A frame of ``state_counts`` without keys: state = (leads, amount, longest, over a week)."""
    rows = [(state.replace("_", " "), *values) for state, values in leads.items()]
    return pd.DataFrame(rows, columns=["lead_state", "leads", "amount", "longest_days", "over_a_week"])


MONTH = counts(won=(3, 30.0, 1, 0), never_touched=(5, 50.0, 12, 2), inactive=(2, 90.0, 20, 2), refused=(1, 70.0, 3, 0))
WINDOW = counts(won=(9, 80.0, 1, 0), never_touched=(5, 50.0, 12, 2))
CONTEXT = {
    "first": date(2026, 6, 1), "as_of": date(2026, 6, 30), "week": "2026-W26", "currency": "RUB", "stage": "lead",
    "last": "paid", "rules": FUNNEL.loop, "idle_days": FUNNEL.idle_days(True),
}  # fmt: skip


def shown(section, **facts):
    return show_section(f"closed_loop.{section}", CONTEXT, **facts)


def text(section, **facts):
    return shown(section, **facts).data["text/plain"]


def first_lines(facts):
    return text("first", **facts).splitlines()


def test_the_months_that_end_with_one_cross_the_year():
    assert months_to("2026-01", 1) == (date(2026, 1, 1), date(2026, 1, 31))
    assert months_to("2026-02", 3) == (date(2025, 12, 1), date(2026, 2, 28))
    assert followed_window("2026-02", FUNNEL) == months_to("2026-02", 3)
    assert followed_window("2026-02", funnel_of("lead", "won", days=90)) == months_to("2026-02", 12)


def test_states_are_told_in_order_with_their_share_and_add_up_to_all():
    table = state_table(MONTH, WINDOW).set_index("lead_state")
    assert table.index.tolist() == [*STATES, HANDED]
    assert table["leads"].tolist() == [3, 0, 0, 2, 5, 0, 1, 0, 11]
    assert table["share"][HANDED] == table["share"][:-1].sum() == pytest.approx(1)
    assert table["window_leads"].tolist() == [9, 0, 0, 0, 5, 0, 0, 0, 14]
    # what was once expected of the refused lead is expected no more
    assert table["amount"][HANDED] == 170
    assert np.isnan(table["amount"]["refused"])
    html = shown("states", states=table.reset_index()).data["text/html"]
    assert [html.count(f'style="flex-grow:{leads}"') for leads in (3, 2, 5, 1, 9)] == [1, 1, 2, 1, 1]
    assert 'class="fs-state-never-touched" style="flex-grow:5" title="never touched: 5">5<' in html


def test_without_contacts_or_leads_the_table_of_states_says_so():
    table = state_table(counts(), counts(), ["never touched"])
    assert "never touched" not in table["lead_state"].tolist()
    assert table["leads"].sum() == 0
    assert table["share"].isna().all()
    facts = loop_findings(table, NONE, NO_LOAD, NO_READY, NO_RECORDS, FUNNEL)
    assert first_lines(facts) == ["No lead was handed over in June 2026"]
    assert text("states", states=table) == "(nothing)", "an empty section has no heading"


def test_what_no_row_of_the_export_can_tell_is_not_known_instead_of_none():
    funnel = stated(loop={"wrongly_qualified": ["no need"]})

    def untold(of=funnel, **reasons):
        rows = pd.DataFrame({"stage": list(reasons), "reason": list(reasons.values())}, dtype="str")
        found = untold_states(Tables(None, ibis.memtable(rows), 1, None, None), of)  # type: ignore[arg-type]
        assert found[0] == "still in time", "with contacts it is told who is moving"
        return found[1:]

    silent = ["refused", "wrongly qualified", "returned to marketing"]
    refused = ["wrongly qualified", "returned to marketing"]
    assert untold(won=None) == silent
    assert untold(lost=None) == refused == untold(lost="price", of=FUNNEL)
    assert untold(lost="price") == ["returned to marketing"]
    assert untold(lost="price", nurture=None) == []
    days, leads = day_counts([(3, 60, 0, 0, 0), (40, 0, 0, 0, 40)]), matured([(100, 60, 0)])
    back = ["sent_back", "sent_back_lower", "sent_back_upper"]
    assert acceptance(days, leads, FUNNEL, silent)[back].isna().all(axis=None)
    assert acceptance(days, leads, FUNNEL, refused)["sent_back"].isna().all()
    assert acceptance(days, leads, FUNNEL, refused[:1])["sent_back"].tolist() == [0]
    frame = pd.DataFrame({"stage": ["lead"], "lead_state": ["won"], "leads": [2]})
    by_stage = states_by(frame, frame, "stage", untold=silent)
    assert by_stage[silent].isna().all(axis=None)
    assert by_stage["inactive"].tolist() == [0, 0]
    assert state_table(MONTH, WINDOW, silent)["lead_state"].tolist() == [
        *(state for state in STATES if state not in silent),
        HANDED,
    ]
    told = {"judged": (date(2026, 4, 1), date(2026, 6, 30)), "followed": followed_to(FUNNEL)}
    assert "sent back" not in text("accepted", team=acceptance(days, leads, FUNNEL, silent), **told).split("What")[1]


def test_states_by_group_keep_every_lead_and_the_order_asked_for():
    rows = [("b", "won", 2), ("a", "won", 1), ("a", "refused", 4)]
    frame = pd.DataFrame(rows, columns=["stage", "lead_state", "leads"])
    table = states_by(frame, frame.iloc[:1], "stage", ["b", "a", "c"])
    assert table[["period", "stage", HANDED, "won", "refused"]].to_numpy().tolist() == [
        ["this month", "b", 2, 2, 0],
        ["this month", "a", 5, 1, 4],
        ["three months", "b", 2, 2, 0],
    ]
    assert table[list(STATES)].to_numpy().sum() == 9
    assert states_by(frame.iloc[:0], frame.iloc[:0], "stage").empty


def day_counts(rows, key=None):
    columns = [*([key] if key else []), "age_days", "advanced", "sent_back", "refused", "open"]
    frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[-5:], "int64"))
    frame.insert(len(columns) - 5, "from_stage", "lead")
    frame.insert(len(columns) - 4, "to_stage", "met")
    return frame


def matured(rows, key=None):
    columns = [*([key] if key else []), "entered", "converted", "too_recent"]
    frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[-3:], "int64"))
    frame.insert(len(columns) - 3, "from_stage", "lead")
    frame.insert(len(columns) - 2, "to_stage", "met")
    return frame


def test_accepted_and_sent_back_of_matured_leads_are_plain_shares_with_wilson_limits():
    days = day_counts([(3, 60, 5, 5, 0), (14, 10, 5, 0, 0), (15, 3, 2, 0, 0), (40, 0, 0, 0, 10)])
    found = acceptance(days, matured([(100, 70, 7)]), FUNNEL).iloc[0]
    assert (found["rate"], found["sent_back"]) == (pytest.approx(0.70), pytest.approx(0.10))
    assert [found["ci_lower"], found["ci_upper"]] == pytest.approx(np.ravel(wilson_interval(70, 100)))
    assert [found["sent_back_lower"], found["sent_back_upper"]] == pytest.approx(np.ravel(wilson_interval(10, 100)))
    assert (found["entered"], found["matured"], found["matured_rate"], found["too_recent"]) == (100, 100, 0.7, 7)


def test_a_channel_accepts_the_leads_of_all_its_weeks():
    rows = [("web", 3, 60, 15, 5, 0), ("fair", 3, 10, 0, 10, 0), ("web", 5, 10, 5, 5, 0), ("fair", 5, 20, 10, 0, 0)]
    weeks = pd.to_datetime(["2026-03-02", "2026-03-02", "2026-03-09", "2026-03-09"])
    days = day_counts(rows, "channel").assign(week=weeks)
    found = acceptance(days, matured([("web", 100, 70, 7), ("fair", 50, 30, 2)], "channel"), FUNNEL).round(9)
    shown = found[["channel", "entered", "rate", "sent_back", "matured_rate", "too_recent"]]
    assert shown.to_numpy().tolist() == [["web", 100, 0.7, 0.2, 0.7, 7], ["fair", 50, 0.6, 0.2, 0.6, 2]]


def test_leads_still_watched_count_for_as_long_as_they_were():
    # Aalen–Johansen by hand: day 2: 4 of 10 accepted, 1 sent back; 3 leave the watch; day 5: 1 of 2 accepted
    days = day_counts([(2, 4, 1, 0, 0), (3, 0, 0, 0, 3), (5, 1, 0, 0, 0), (20, 0, 0, 0, 1)])
    found = acceptance(days, matured([(1, 0, 9)]), FUNNEL).iloc[0]
    assert found["rate"] == pytest.approx(0.4 + 0.5 * 0.5)
    assert found["sent_back"] == pytest.approx(0.1)


def test_attributes_to_compare_by_are_no_names_and_have_leads_enough_for_each_value():
    sizes = pd.DataFrame(
        [("manager", 5, 100), ("campaign", 5, 100), ("company", 4, 100), ("phone", 20, 60), ("city", 21, 900),
         ("one", 1, 100), ("nurtured", 1, 30), ("segment", 3, 100), ("ready_need", 2, 10)],
        columns=["attribute", "distinct", "filled"],
    )  # fmt: skip
    funnel = stated(loop={"nurtured": "nurtured"}, lead_base={"company": "company"})
    assert shared_attributes(sizes, funnel) == ["nurtured", "segment", "ready_need"]


def test_loads_have_the_exact_poisson_limits_of_the_tables():
    # Published limits of a Poisson count: 10 has 4.80 to 18.39, 0 has 0 to 3.69 (Ulm 1990; Liddell 1984).
    month = pd.DataFrame({"manager": ["A", "B", "robot", MISSING], "leads": [10, 50, 99, 99]})
    # C moves old leads on; D has left, who would have made everybody's share a smaller one
    work = pd.DataFrame({"manager": ["A", "A", "C", "D", "robot", MISSING], "entered": [1, 1, 1, 0, 1, 1]})
    found = even_load(month, work, stated(system_users=["robot"])).set_index("manager")
    assert found["leads"].to_dict() == {"C": 0, "A": 10, "B": 50}
    assert found["even"].tolist() == [20.0] * 3
    limits = found[["ratio_lower", "ratio_upper"]] * 20
    assert limits.loc["A"].tolist() == pytest.approx([4.795, 18.39], abs=5e-3)
    assert limits.loc["C"].tolist() == pytest.approx([0, 3.689], abs=5e-4)
    assert found["verdict"].to_dict() == {"C": "fewer", "A": "fewer", "B": "more"}
    # twice P(10 or fewer | 20) = .0108 of the tables; a p-value and its interval agree
    assert found["p_value"]["A"] == pytest.approx(0.0216, abs=1e-4)
    assert limits.loc["A", "ratio_upper"] < 20


def test_only_states_that_the_export_can_tell_are_explained():
    untold = ["never touched", "active and moving", "returned to marketing", "refused", "wrongly qualified"]
    every, bare = (
        text("states", states=state_table(MONTH, WINDOW, left_out).to_dict("records"))
        for left_out in (["still in time"], untold)
    )
    assert "holds: won, wrongly qualified, refused, returned to marketing, never touched (no contact by a" in every
    assert "holds: won, inactive (no move for more than 14 days), still in time." in bare


def test_equal_loads_and_no_managers_are_no_finding():
    even = pd.DataFrame({"manager": list("ABC"), "leads": [100, 110, 100]})
    few = even.assign(leads=even["leads"] // 10)
    work = even.assign(entered=1)
    assert set(even_load(even, work, FUNNEL)["verdict"]) == {"even"}
    assert set(even_load(few, work, FUNNEL)["verdict"]) == {"undecided"}
    assert even_load(even.iloc[:0], work.iloc[:0], FUNNEL).empty
    assert even_load(even.assign(leads=0), work, FUNNEL).empty
    assert even_load(even.head(1), work.head(1), FUNNEL).empty
    nobody = even_load(even.iloc[:0], work, FUNNEL)
    assert nobody["p_value"].isna().all()
    assert nobody["ratio_upper"].eq(np.inf).all()


def test_an_uneven_load_is_called_so_at_the_one_in_ten_of_other_comparisons():
    # adjusted p .085: a red against a target would ask for .07
    work = pd.DataFrame({"manager": list("ABC"), "entered": 1})
    uneven = pd.DataFrame({"manager": list("ABC"), "leads": [80, 100, 120]})
    assert even_load(uneven, work, FUNNEL)["verdict"].tolist() == ["fewer", "even", "more"]
    less = pd.DataFrame({"manager": list("ABC"), "leads": [82, 100, 118]})
    assert even_load(less, work, FUNNEL)["verdict"].tolist() == ["undecided", "even", "undecided"]


def test_records_come_emptiest_field_first_everybody_before_each():
    rows = [("lead", "ready_need", "A", 10, 9), ("lead", "ready_need", "B", 10, 3), ("met", "size", "A", 4, 1),
            ("lead", "ready_need", MISSING, 2, 0)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["stage", "field", "manager", "entered", "converted"])
    found = record_shares(frame, FUNNEL)
    assert found[["what", "manager", "entered", "converted"]].to_numpy().tolist() == [
        ["size, at met", EVERYBODY, 4, 1],
        ["size, at met", "A", 4, 1],
        ["need confirmed, at lead", EVERYBODY, 22, 12],
        ["need confirmed, at lead", "B", 10, 3],
        ["need confirmed, at lead", "A", 10, 9],
    ]
    assert found["ci_lower"].iloc[3] == pytest.approx(wilson_interval(3, 10)[0])
    assert record_shares(frame.iloc[:0], FUNNEL).empty


def strata(rows):
    return pd.DataFrame(rows, columns=["nurtured", "segment", "entered", "converted"])


def moments(rows):
    """Moments by nurtured and segment from lists of deals."""
    return pd.DataFrame(
        [(mark, segment, len(x), np.mean(x), np.var(x, ddof=1) if len(x) > 1 else np.nan) for mark, segment, x in rows],
        columns=["nurtured", "segment", "deals", "mean", "variance"],
    )


def effects_of(leads, deals):
    return nurture_effects(leads, deals, "nurtured").set_index(["measure", "held"])


def test_a_difference_of_the_leads_alone_disappears_at_equal_leads():
    leads = strata([("yes", "new", 100, 20), ("yes", "repeat", 400, 240), ("no", "new", 800, 160),
                    ("no", "repeat", 200, 120)])  # fmt: skip
    small, large = [80.0, 100.0, 120.0], [800.0, 1000.0, 1200.0]
    deals = moments([("yes", "new", small * 5), ("yes", "repeat", large * 30), ("no", "new", small * 50),
                     ("no", "repeat", large * 15)])  # fmt: skip
    found = effects_of(leads, deals)
    raw, equal = found.xs("raw", level="held"), found.xs("equal", level="held")
    assert (raw["ratio_lower"] > 1).all()
    assert equal["ratio"].tolist() == pytest.approx([1, 1])
    # 900 new and 600 repeat leads together, of which .2 and .6 bought; 165 and 135 deals of 100 and 1,000
    assert equal["nurtured"].tolist() == pytest.approx([(900 * 0.2 + 600 * 0.6) / 1500, (165 * 100 + 135 * 1000) / 300])
    assert equal["nurtured"].tolist() == pytest.approx(equal["others"].tolist())
    assert (equal["ratio_lower"] < 1).all()
    assert (equal["ratio_upper"] > 1).all()
    assert equal["says"].tolist() == ["alike"] * 2
    assert equal["compared"].tolist() == [1, 1]


def test_raw_shares_are_compared_by_the_limits_of_their_ratio():
    found = effects_of(strata([("yes", "new", 50, 30), ("no", "new", 100, 40)]), moments([])).loc[("bought", "raw")]
    one, other = ([k / n, *np.ravel(wilson_interval(k, n))] for k, n in ((30, 50), (40, 100)))
    assert found["ratio"] == pytest.approx(1.5)
    assert found[["ratio_lower", "ratio_upper"]].tolist() == pytest.approx(np.ravel(mover_ratio(one, other)).tolist())


def test_raw_tickets_equal_a_gamma_model_with_a_log_link():
    deals = np.array([60.0, 100.0, 170.0, 230.0, 90.0])
    groups = [("yes", deals * 1.3), ("no", np.tile(deals, 4))]
    found = effects_of(strata([("yes", "a", 9, 5), ("no", "a", 40, 20)]), moments([(g, "a", x) for g, x in groups]))
    values = np.concatenate([x for _, x in groups])
    design = np.column_stack([np.ones(25), np.repeat([1.0, 0.0], [5, 20])])
    fit = sm.GLM(values, design, family=sm.families.Gamma(sm.families.links.Log())).fit(scale="X2")
    row = found.loc[("ticket", "raw")]
    assert row["ratio"] == pytest.approx(np.exp(fit.params[1])) == pytest.approx(1.3)
    half = np.log(row["ratio_upper"] / row["ratio_lower"]) / 2 / 1.959964
    # the own spread of five deals is larger than that of all: the wider one is taken
    assert fit.bse[1] <= half < 1.1 * fit.bse[1]


def test_moments_of_segments_pool_to_those_of_all_deals():
    random = np.random.default_rng(3)
    parts = [(mark, segment, random.lognormal(3, 1, size)) for mark, segment, size in
             (("yes", "a", 7), ("yes", "b", 1), ("no", "a", 30), ("no", "b", 9))]  # fmt: skip
    leads = strata([(mark, segment, 50, len(x)) for mark, segment, x in parts])
    split = effects_of(leads, moments(parts))
    whole = {mark: np.concatenate([x for m, _, x in parts if m == mark]) for mark in ("yes", "no")}
    joined = effects_of(leads, moments([(mark, "a", x) for mark, x in whole.items()]))
    columns = ["nurtured", "others", "ratio", "ratio_lower", "ratio_upper"]
    np.testing.assert_allclose(
        split.loc[("ticket", "raw"), columns], joined.loc[("ticket", "raw"), columns].astype(float)
    )
    assert split.loc[("ticket", "raw"), "nurtured"] == pytest.approx(whole["yes"].mean())


def test_kinds_of_leads_that_only_one_group_has_are_left_out_of_equal_leads_and_told():
    leads = strata([("yes", "a", 10, 5), ("no", "a", 10, 5), ("no", "b", 60, 60)])
    found = effects_of(leads, moments([])).loc[("bought", "equal")]
    assert found["ratio"] == 1
    assert found["compared"] == 0.25


def test_what_cannot_be_compared_is_unknown_and_without_a_mark_there_is_nothing():
    leads = strata([("yes", "a", 10, 5), ("no", "a", 10, 0)])
    found = effects_of(leads, moments([("yes", "a", [5.0])]))
    assert found["ratio"].isna().all()
    assert (found["ratio_lower"] == 0).all()
    assert np.isinf(found["ratio_upper"]).all()
    assert set(found["says"]) == {"unknown"}
    none = nurture_effects(leads.drop(columns="nurtured"), moments([]), "")
    assert none.columns.tolist() == EFFECTS
    assert none.empty
    assert nurture_table(none, FUNNEL).empty
    assert text("nurtured", effects=none) == "(nothing)"
    assert nurture_effects(strata([]), moments([]), "nurtured")["ratio"].isna().all()
    said = text("nurtured", effects=found.reset_index())
    assert "Whether nurtured leads buy more often cannot be compared." in said
    assert "Whether nurtured leads pay more cannot be compared." in said


@pytest.mark.parametrize(
    ("size", "won", "says"),
    [
        (5000, (55, 40), "less"),
        (100, (64, 40), "more"),
        (5000, (68, 40), "as"),
        (5000, (43, 40), "less"),
        (1000, (41, 40), "alike"),
        (150, (41, 40), "below"),
        (30, (43, 40), "open"),
        (100, (20, 40), "fewer"),
    ],
)
def test_a_claim_is_held_against_the_whole_interval(size, won, says):
    leads = strata([("yes", "a", size, won[0] * size // 100), ("no", "a", size, won[1] * size // 100)])
    found = effects_of(leads, moments([]))
    assert found.loc[("bought", "equal"), "says"] == says
    said = text("nurtured", effects=found.reset_index()).splitlines()[1]
    words = {"as": "more often (", "less": "more often (", "more": "more often (", "fewer": "less often (",
             "alike": "no more than a fifth apart", "below": "Too few leads", "open": "Too few leads"}  # fmt: skip
    assert words[says] in said


def test_what_nurtured_leads_do_is_said_as_people_say_it_with_both_numbers():
    leads = strata([("yes", "a", 1000, 600), ("no", "a", 1000, 620)])
    deals = moments([("yes", "a", [90.0, 110.0] * 50), ("no", "a", [90.0, 110.0] * 50)])
    said = text("nurtured", effects=effects_of(leads, deals).reset_index()).splitlines()
    assert said == [
        "Do nurtured leads buy more?",
        "Nurtured leads bought about as often: no more than a fifth apart (60%, the others 62%).",
        "Nurtured leads paid about as much: no more than a fifth apart (100 ₽, the others 100 ₽).",
        "Compared on the same mix of leads.",
    ]
    more = strata([("yes", "a", 1000, 680), ("no", "a", 1000, 600)])
    cheap = moments([("yes", "a", [80.0, 100.0] * 50), ("no", "a", [90.0, 110.0] * 50)])
    said = text("nurtured", effects=effects_of(more, cheap).reset_index())
    assert "bought 13% more often (" in said
    assert "paid 10% less (" in said


NO_LOAD = pd.DataFrame(columns=["manager", "leads", "even", "verdict"])
NO_READY = pd.DataFrame(columns=["flag", "value", "verdict", "rate", "other_rate"])
NO_RECORDS = pd.DataFrame(columns=["manager", "field", "stage", "rate", "entered"])


def test_what_to_do_comes_by_money_and_names_who_has_most():
    table = state_table(MONTH, WINDOW)
    owners = pd.DataFrame(
        [
            *(("Boris", "never touched", 4), ("Анна", "never touched", 1), ("Boris", "inactive", 2)),
            *(("robot", "never touched", 9), (MISSING, "inactive", 2)),
        ],
        columns=["manager", "lead_state", "leads"],
    )
    facts = loop_findings(table, owners, NO_LOAD, NO_READY, NO_RECORDS, stated(system_users=["robot"]))
    assert [row["lead_state"] for row in facts["waiting"]] == ["inactive", "never touched"]
    assert facts["waiting"][1]["who"].to_numpy().tolist() == [["Boris", "never touched", 4]]
    assert first_lines(facts) == [
        "2 of 11 leads handed over in June 2026 have stalled",
        "Agree on the next contact, or close them.",
        "List value 90 ₽.",
        "The longest has waited 20 days.",
        "Longest lists: Boris (2).",
        "5 leads untouched: call.",
        "List value 50 ₽.",
        "2 wait over a week, the longest 12 days.",
    ]


@pytest.mark.parametrize(
    ("state", "title", "todo"),
    [
        ("returned_to_marketing", "2 of 3 leads handed over in June 2026 went back to marketing", "who nurtures them"),
        ("wrongly_qualified", "2 of 3 leads handed over in June 2026 were wrongly qualified", "what a lead must have"),
        ("never_touched", "2 of 3 leads handed over in June 2026 are still untouched", "Call these first"),
    ],
)
def test_the_title_is_the_state_to_act_on(state, title, todo):
    table = state_table(counts(won=(1, 5.0, 0, 0), **{state: (2, 7.0, 3, 0)}), WINDOW)
    lines = first_lines(loop_findings(table, NONE, NO_LOAD, NO_READY, NO_RECORDS, FUNNEL))
    assert lines[0] == title
    assert todo in lines[1]


def test_one_lead_and_managers_who_are_as_quick_are_told_in_the_singular():
    for state, todo in (("never_touched", "Call it first."), ("inactive", "Agree on the next contact, or close it.")):
        table = state_table(counts(won=(1, 5.0, 0, 0), **{state: (1, 7.0, 0, 0)}), WINDOW)
        assert first_lines(loop_findings(table, NONE, NO_LOAD, NO_READY, NO_RECORDS, FUNNEL))[1] == todo
    same, quick, some = ([5.2, 4.8], "5 working hours"), ([1.0, 0.2], "1 working hour"), ([0.2, 7.0], "7 working hours")
    for halves, told in (same, quick, some):
        waits = pd.DataFrame({"half": halves, "clock": "working"})
        assert f"contacted within {told}." in text("speed", waits=waits)


def test_returned_leads_are_told_as_returned_in_russian(monkeypatch):
    monkeypatch.setitem(_spoken, "language", "ru")
    table = state_table(counts(returned_to_marketing=(45, 7.0, 3, 0)), WINDOW)
    lines = first_lines(loop_findings(table, NONE, NO_LOAD, NO_READY, NO_RECORDS, FUNNEL))
    assert lines[0] == "45 из 45 лидов, переданных за июнь 2026, возвращены в маркетинг"


def test_load_readiness_and_records_are_said_where_they_are_found():
    quiet = state_table(counts(won=(1, 5.0, 0, 0)), WINDOW)
    calm = loop_findings(quiet, NONE, NO_LOAD, NO_READY, NO_RECORDS, FUNNEL)
    assert first_lines(calm) == ["Every lead handed over in June 2026 is settled or moving"]
    assert first_lines(calm | {"moving": False}) == ["Every lead handed over in June 2026 is settled or still in time"]
    load = pd.DataFrame([("Novák", 1, 20.0, "fewer"), ("A", 39, 20.0, "more")], columns=NO_LOAD.columns)
    ready = pd.DataFrame(
        [("budget known", "yes", "higher", 0.7, 0.5), ("budget known", "no", "lower", 0.4, 0.6),
         ("need confirmed", "yes", "undecided", 0.6, 0.5)],
        columns=NO_READY.columns,
    )  # fmt: skip
    records = pd.DataFrame(
        [
            (EVERYBODY, "need confirmed", "met", 0.5, 40),
            ("A", "need confirmed", "met", 0.1, 9),
            (EVERYBODY, "x", "met", 0.9, 5),
        ],
        columns=NO_RECORDS.columns,
    )
    facts = loop_findings(quiet, NONE, load, ready, records, FUNNEL)
    said = text("load", load=load, **facts)
    assert said.endswith("Novák got 1 lead, an even share is 20. If that is not intended, rebalance.")
    gone = loop_findings(quiet, NONE, load.assign(leads=[0, 40]), NO_READY, NO_RECORDS, FUNNEL)
    assert "Novák got 0 leads, an even share is 20. If that is not intended" in text("load", load=load, **gone)
    said = text("ready", ready=ready, bought=("paid", 44), **facts)
    assert "Of leads with “budget known” 70% bought, of all others 50%." in said
    assert "need confirmed" not in said
    said = text("records", records=records, **facts)
    assert said.endswith("Fill in “need confirmed”: it is known of 50% of the 40 open leads at “met”.")
    assert "at least 80%" in text("records", records=records.iloc[2:], **calm)
    empty = {"load": {"load": load.iloc[:0]}, "ready": {"ready": ready.iloc[:0], "bought": ("paid", 44)}}
    empty |= {"records": {"records": records.iloc[:0]}}
    assert {text(section, **more, **calm) for section, more in empty.items()} == {"(nothing)"}


def test_acceptance_is_said_with_its_range_and_its_meaning():
    days = day_counts([(3, 60, 5, 5, 0), (40, 0, 0, 0, 30)])
    window = (date(2026, 4, 1), date(2026, 6, 30))
    told = {"judged": window, "followed": followed_to(FUNNEL)}
    said = text("accepted", team=acceptance(days, matured([(100, 60, 0)]), FUNNEL), **told)
    assert "60% of the leads handed over 1 April – 30 June (likely range 50–69%) and sent back 5.0%." in said
    assert "from “lead” to “met” within 14 days" in said
    young = acceptance(day_counts([(1, 0, 0, 0, 5)]), matured([(0, 0, 5)]), FUNNEL)
    assert "not known yet" in text("accepted", team=young, **told)
    wide = acceptance(day_counts([(3, 3, 0, 0, 0)]), matured([(3, 3, 0)]), FUNNEL).assign(ci_lower=0.05)
    assert "not known yet" in text("accepted", team=wide, **told)
    won = text("accepted", team=acceptance(days, matured([(100, 60, 0)]), FUNNEL), **told | {"followed": ("paid", 44)})
    assert "No stage lies between the hand-over and the win, so accepted means won: 60%" in won


def test_how_soon_leads_are_contacted_is_a_span_over_managers():
    waits = pd.DataFrame({"clock": "working", "half": [8.0, 15.0]})
    assert "within 8 to 15 working hours" in text("speed", waits=waits)
    assert "nights and weekends" in text("speed", waits=waits.assign(clock="calendar"))
    unknown = text("speed", waits=waits.assign(half=[8.0, np.nan]))
    assert unknown == "How soon leads are first contacted", "not told of managers whose half is not known"


def test_what_was_won_is_told_with_its_money_where_that_is_known():
    won = pd.DataFrame({"won": [2], "paid": [30_000.0]})
    assert text("won", won=won).endswith("2 leads bought, whenever they were handed over, and have paid 30K ₽ so far.")
    assert text("won", won=won.assign(paid=np.nan)).endswith("2 leads bought, whenever they were handed over.")
    assert text("won", won=won.assign(won=0)).endswith("Nobody bought.")


def test_what_is_missing_is_named_and_nothing_where_nothing_is():
    entries = ibis.memtable({"stage": ["lead", "met"]})
    bare = Tables(ibis.memtable({"lead_id": ["a"]}), entries, None, None, None)
    lacking = loop_not_told(bare, untold_states(bare, FUNNEL))
    assert lacking == ["contacts", "ends", "channel", "amount", "payments", "readiness"]
    assert len(text("end", missing=lacking, stated=["One note."]).splitlines()) == 1 + 7 + 2
    leads = ibis.memtable({"channel": ["web", ""], "amount": [None, 1.0], "ready_need": [True, None]})
    assert loop_not_told(Tables(leads, None, 1, 1, 1), []) == []  # type: ignore[arg-type]
    assert "cannot tell" not in text("end", missing=[], stated=[])
    blank = leads.mutate(channel=ibis.null("string"))
    assert loop_not_told(Tables(blank, None, 1, 1, 1), ["refused"]) == ["channel"]  # type: ignore[arg-type]


def test_states_are_told_apart_by_the_days_and_channels_agreed():
    funnel = stated(loop={"idle_days": 5, "idle_days_at": {"met": 9}, "marketing": ["web"]})
    said = text("states", states=state_table(MONTH, WINDOW), rules=funnel.loop, idle_days=funnel.idle_days(False))
    assert "more than 5 days, met 9" in said
    assert "marketing's channels count: web." in said


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notes = tmp_path / "data" / "raw" / "team" / "notes"
    notes.mkdir(parents=True)
    return notes


def test_notes_are_plain_paragraphs_under_their_headings(folder):
    note = "\ufeffWe met.\nAll of us.\n\n## Wins:\n- <b>Acme</b> signed\n* Two more\n\n# Better\nCall sooner.\n- Ask\n"
    (folder / "2026-06.md").write_text(note, encoding="utf-8")
    notes = month_notes("team", "2026-06")
    assert notes == [
        ("", ["We met. All of us."]),
        ("Wins", ["<b>Acme</b> signed", "Two more"]),
        ("Better", ["Call sooner.", "Ask"]),
    ]
    assert "<li>&lt;b&gt;Acme&lt;/b&gt; signed</li>" in shown("notes", notes=notes).data["text/html"]


def test_our_own_headings_of_notes_are_translated(monkeypatch):
    monkeypatch.setitem(_spoken, "language", "ru")
    said = text("notes", notes=[("wins", ["a"]), ("What could be better", ["b"]), ("Price", ["c"])])
    assert said.splitlines() == ["Заметки к встрече", "Победы", "a", "Что улучшить", "b", "Price", "c"]


def test_absent_or_empty_notes_say_nothing(folder):
    assert month_notes("team", "2026-06") == []
    assert text("notes", notes=[]) == "(nothing)"
    (folder / "2026-06.md").write_text("# Wins\n\n", encoding="utf-8")
    assert month_notes("team", "2026-06") == []
    (folder / "2026-06.md").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(FunnelError, match=r"notes/2026-06\.md: must be UTF-8 text, byte 2 is not"):
        month_notes("team", "2026-06")
    with pytest.raises(FunnelError, match=r'no month "\.\./x"'):
        month_notes("team", "../x")


def test_a_page_is_made_again_when_its_notes_change(folder):
    digests = [notes_fingerprint("team", "2026-06")]
    for text in ("one", "two"):
        (folder / "2026-06.md").write_text(text, encoding="utf-8")
        digests.append(notes_fingerprint("team", "2026-06"))
    assert digests[0] == ""
    assert all(one != other for one, other in pairwise(digests))
    assert notes_fingerprint("team", "2026-05") == ""


pytestmark = pytest.mark.usefixtures("sample_project")


@pytest.fixture(scope="module")
def page():
    """What the sample's page of June 2026 computes, by name."""
    return page_of("closed_loop", funnel="sample", month="2026-06")[0]


def test_of_readiness_only_the_budget_goes_with_buying_and_only_segments_besides(page):
    assert page["attributes"] == [
        *("channel", "ready_budget", "ready_authority", "ready_need", "ready_timing", "segment", "product", "nurtured")
    ]
    ready = page["ready"]
    assert len(ready) == 12
    assert set(ready["flag"][ready["verdict"] != "undecided"]) == {"budget known"}
    assert ready.set_index(["attribute", "value"])["verdict"]["ready_budget", "yes"] == "higher"
    common = page["common"]
    assert set(common["attribute"]) == {"segment"}
    assert common["points"].tolist() == pytest.approx((100 * (common["rate"] - common["other_rate"])).tolist())
    assert (common["points_lower"] < common["points"]).all()
    assert common["value"].iloc[0] == "tender"


def test_nurtured_leads_do_no_better_at_equal_leads(page):
    found = page["effects"]
    assert found["says"].tolist() == ["alike"] * 4
    assert (found["ratio_upper"] < found["claim"]).all()
    bought = found[found["measure"] == "bought"].set_index("held")["ratio"]
    assert bought["raw"] > 1.04
    assert abs(bought["equal"] - 1) < 0.02


def test_the_sample_month_adds_up_and_only_one_manager_has_too_few_leads(page):
    states, load = page["states"].set_index("lead_state"), page["load"]
    assert states["leads"][HANDED] == 827
    assert (states["leads"] > 0).all()
    assert load["manager"][load["verdict"] == "fewer"].tolist() == ["Novák"]
    assert "CRM robot" not in load["manager"].tolist()
