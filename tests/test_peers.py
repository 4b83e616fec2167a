"""One manager's own rows, and a band of colleagues that shows no single one of them."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from hypothesis import given, settings, strategies as st

from funnelstats.leads.standing import (
    FEWEST_PEERS,
    axis_low,
    concerned,
    habit,
    of_manager,
    own_reasons,
    own_rows,
    own_steps,
    peer_band,
    peer_rows,
)
from funnelstats.page.sections import show_section
from funnelstats.page.tables import show_table

FUNNEL = funnel_of("lead", "met", "paid")
AS_OF = date(2026, 6, 28)
STEPS = [("lead", "met"), ("met", "paid")]


def page(rates, steps=(0,), verdict="green"):
    """A page's managers with these rates, by name, at the given steps."""
    rows = [(who, *STEPS[step], 100, rate, verdict) for step in steps for who, rate in rates.items()]
    frame = pd.DataFrame(rows, columns=["manager", "from_stage", "to_stage", "entered", "rate", "verdict"])
    frame = frame.astype({"rate": float, "entered": int})
    return frame.assign(
        ci_lower=frame["rate"] - 0.1, ci_upper=frame["rate"] + 0.1, target=0.8, whose="", matured=90, too_recent=10
    )


FIVE = {"Anna": 0.1, "Boris": 0.5, "Vera": 0.6, "Gleb": 0.7, "Yan": 0.8}


def test_the_band_is_the_middle_half_of_the_colleagues_alone() -> None:
    band = peer_band(page(FIVE), "Anna", FUNNEL).iloc[0]
    assert band["peers_lower"] == pytest.approx(0.575)
    assert band["peers_upper"] == pytest.approx(0.725)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_ones_own_rate_moves_the_band_by_nothing(mine, other) -> None:
    bands = [peer_band(page({**FIVE, "Anna": rate}), "Anna", FUNNEL) for rate in (mine, other)]
    pd.testing.assert_frame_equal(*bands)


@pytest.mark.parametrize("colleagues", range(7))
def test_fewer_than_four_colleagues_with_a_rate_are_not_shown(colleagues) -> None:
    rates = {"Anna": 0.5} | {f"M{number}": 0.4 + number / 20 for number in range(colleagues)}
    band = peer_band(page(rates), "Anna", FUNNEL).iloc[0]
    assert pd.notna(band["peers_lower"]) == pd.notna(band["peers_upper"]) == (colleagues >= FEWEST_PEERS)


def test_a_colleague_without_a_rate_or_a_rank_is_no_colleague() -> None:
    rates = page({**FIVE, "Gleb": np.nan})
    assert peer_band(rates, "Anna", FUNNEL)["peers_lower"].isna().all()
    robot = page(FIVE).assign(verdict=["green"] * 4 + ["not ranked"])
    assert peer_band(robot, "Anna", FUNNEL)["peers_lower"].isna().all()


def test_the_band_has_every_step_in_the_funnels_order_and_no_names() -> None:
    band = peer_band(page(FIVE, steps=(1, 0)), "Anna", FUNNEL)
    assert list(band) == ["from_stage", "to_stage", "peers_lower", "peers_upper"]
    assert list(zip(band["from_stage"], band["to_stage"], strict=True)) == STEPS
    alone = peer_band(page(FIVE), "Anna", FUNNEL)
    assert alone["peers_lower"].isna().tolist() == [False, True]


def test_ones_own_page_has_every_step_and_nobody_else() -> None:
    own = of_manager(page(FIVE), "Vera", FUNNEL)
    assert "manager" not in own
    assert list(zip(own["from_stage"], own["to_stage"], strict=True)) == STEPS
    assert own["rate"].tolist()[0] == 0.6
    missing = own.iloc[1]
    assert missing[["entered", "matured", "too_recent"]].tolist() == [0, 0, 0]
    assert missing[["verdict", "whose", "ci_lower", "ci_upper"]].tolist() == ["too few", "", 0, 1]
    assert pd.isna(missing["rate"])


def test_a_step_without_leads_still_shows_what_was_agreed_with_this_manager() -> None:
    agreed = {"met": {"horizon_days": 7, "target": 0.8}, "paid": {"horizon_days": 7, "target": 0.9}}
    agreed["paid"]["targets"] = {"Vera": 0.95}
    funnel = FUNNEL.model_validate({**FUNNEL.model_dump(), "step_into": agreed})
    assert of_manager(page(FIVE), "Vera", funnel)["target"].tolist() == [0.8, 0.95]
    assert of_manager(page(FIVE), "Nobody", funnel)["target"].tolist() == [0.8, 0.9]


def test_own_rows_are_the_managers_alone_and_carry_no_name() -> None:
    counts = pd.DataFrame(
        {"manager": ["Anna", "Boris", "Anna"], "kind": ["call", "call", "mail"], "contacts": [1, 2, 3]}
    )
    assert own_rows(counts, "Anna").to_numpy().tolist() == [["call", 1], ["mail", 3]]
    assert own_rows(counts, "Nobody").empty


@pytest.mark.parametrize("colleagues", range(7))
def test_a_sum_over_fewer_than_four_colleagues_is_not_made(colleagues) -> None:
    funnel = FUNNEL.model_validate({**FUNNEL.model_dump(), "system_users": ["robot"]})
    names = ["Anna", "Anna", "robot", "(missing)", *(f"M{number}" for number in range(colleagues))]
    found = peer_rows(pd.DataFrame({"manager": names, "contacts": 1}), "Anna", funnel)
    assert found["contacts"].sum() == (colleagues if colleagues >= FEWEST_PEERS else 0)
    assert found.columns.tolist() == ["contacts"]


def own(*rows):
    """A manager's own frame, from (step, leads, rate, verdict, whose)."""
    columns = ["step", "entered", "rate", "verdict", "whose"]
    frame = pd.DataFrame(rows, columns=columns).astype({"rate": float})
    names = pd.DataFrame([STEPS[step] for step in frame.pop("step")], columns=["from_stage", "to_stage"])
    low, high = (frame["rate"] - 0.05).fillna(0), (frame["rate"] + 0.05).fillna(1)
    known = {"ci_lower": low, "ci_upper": high, "target": 0.8, "margin": 0.05, "rest": "undecided"}
    return pd.concat([names, frame], axis=1).assign(**known)


def lessons(*rows):
    """Lessons from (step, teacher, learner, fewest deals)."""
    frame = pd.DataFrame(rows, columns=["step", "teacher", "learner", "deals_lower"])
    names = pd.DataFrame([STEPS[step] for step in frame.pop("step")], columns=["from_stage", "to_stage"])
    return pd.concat([names, frame], axis=1)


NONE = lessons()


def said(block, facts, **more):
    return show_section(f"manager.{block}", facts, **more).data["text/plain"]


def first_screen(found):
    nothing = {"open": 0, "due": 0, "first": {}, "again": 0}
    return said("first", nothing | found, person="Vera", coming=None, currency="", horizons={"lead": 7, "met": 7})


@pytest.mark.parametrize(
    ("whose", "because"),
    [
        ("own", "Colleagues do better here with the same mix of leads"),
        ("team", "The team as a whole is below target here"),
        ("base", "Your leads are harder here: on the same mix you are less than 5 points behind colleagues."),
        ("unclear", "Whether that is your work, your leads or chance is too close to call."),
    ],
)
def test_a_manager_reads_whose_a_miss_is(whose, because) -> None:
    found = habit(own((0, 100, 0.6, "red", whose), (1, 0, np.nan, "too few", "")), NONE, "Vera")
    assert found["case"] == "missed"
    assert (
        "One habit: lead → met. 60% of your leads move on within 7 days; target 80%, likely range 55–65%."
        in first_screen(found)
    )
    assert because in said("habit", found, leak={}, kind={}, reason={})
    assert "same mix" not in said("habit", found, leak={}, kind={}, reason={}, based=False) or whose == "base"


@pytest.mark.parametrize("rest", ["undecided", "higher"])
def test_that_the_team_is_low_does_not_say_that_nobody_is_lower(rest) -> None:
    found = habit(own((0, 100, 0.6, "red", "team")).assign(rest=rest), NONE, "Vera")
    told = "Whether you are lower than the others is too close to call." in said("habit", found, leak={}, kind={})
    assert told == (rest == "undecided")


def test_the_habit_is_the_step_furthest_below_its_target() -> None:
    found = habit(own((0, 9, 0.7, "amber", "own"), (1, 9, 0.6, "red", "team")), NONE, "Vera")
    assert (found["row"]["from_stage"], found["others"]["from_stage"].tolist()) == ("met", ["lead"])
    lines = said("habit", found, leak={}, kind={}, reason={}).splitlines()
    assert lines[-1] == "Next: lead → met, low as well."
    amber = habit(own((0, 9, 0.7, "amber", "own")), NONE, "Vera")
    assert "It may still be chance." in said("habit", amber, leak={}, kind={}, reason={})


@pytest.mark.parametrize(
    ("verdicts", "case", "words"),
    [
        (("green", "no target"), "met", "all targets met"),
        (("green", "undecided"), "untold", "none is clearly below target"),
        (("too few", "no target"), "untold", "none is clearly below target"),
        (("no target", "no target"), "no targets", "no target is agreed"),
        (("no target", "not ranked"), "not compared", "compared with nobody"),
    ],
)
def test_without_a_miss_there_is_no_habit(verdicts, case, words) -> None:
    found = habit(own(*((step, 9, 0.9, verdict, "") for step, verdict in enumerate(verdicts))), NONE, "Vera")
    assert (found["case"], found["row"]) == (case, {})
    assert words in first_screen(found)
    assert said("habit", found, leak={}, kind={}, reason={}) == "(nothing)"


@pytest.mark.parametrize("verdict", ["green", "no target"])
def test_a_target_that_no_lead_tells_of_is_neither_met_nor_not_agreed(verdict) -> None:
    found = habit(own((0, 9, 0.9, verdict, ""), (1, 0, np.nan, "too few", "")), NONE, "Vera")
    assert found["case"] == "untold"
    assert "none is clearly below target" in first_screen(found)


def test_a_manager_without_leads_reads_that() -> None:
    found = habit(own((0, 0, np.nan, "too few", "")), NONE, "Vera")
    assert found["case"] == "no leads"
    assert "no lead entered a step with you" in first_screen(found)


def test_the_plan_of_coaching_stands_on_both_pages_and_names_the_coach_alone() -> None:
    plan = lessons(
        (0, "Anna", "Vera", 2.0), (1, "Boris", "Vera", 1.0), (1, "Yan", "Vera", -1.0), (0, "Anna", "Gleb", 3)
    )
    rows = own((0, 100, 0.6, "red", "own"), (1, 100, 0.7, "red", "team"))
    learner, coach = (habit(rows, plan, who) for who in ("Vera", "Anna"))
    assert (learner["coach"], learner["taught"]["teacher"].tolist(), len(learner["teaches"])) == ("Anna", ["Boris"], 0)
    assert "Ask Anna to show you how." in first_screen(learner)
    assert "Boris can show you met → paid." in said("habit", learner, leak={}, kind={}, reason={})
    assert (coach["coach"], coach["taught"].empty, coach["teaches"].to_numpy().tolist()) == (
        "",
        True,
        [["lead", "met"]],
    )
    assert "the team's plan asks you to show a colleague lead → met." in first_screen(coach)
    assert not {"Vera", "Gleb"} & set(first_screen({**coach, "person": ""}).replace("Vera:", "").split())


def test_the_teams_leak_concerns_those_who_miss_that_step() -> None:
    row = {"from_stage": "met", "to_stage": "paid", "alarm": False}
    rows = own((0, 100, 0.6, "red", "own"), (1, 100, 0.7, "amber", "team"))
    assert concerned({"case": "leak", "row": row}, rows) == row
    assert concerned({"case": "perhaps", "row": row}, rows) == {}
    assert concerned({"case": "met"}, rows) == {}
    assert concerned({"case": "leak", "row": row}, rows.assign(verdict="green")) == {}
    reason = {"refusal": "price", "others": ["terms"]}
    words = said("habit", habit(rows, NONE, "Vera"), leak=row, kind={"value": "Pumps"}, reason=reason)
    assert words.endswith("It is clearest with Pumps.\nMore of its leads now say no because of “price” and “terms”.")
    assert "met → paid" in words


def test_the_steps_carry_the_colleagues_band_and_the_own_weeks() -> None:
    managers = page(FIVE)
    weeks = pd.DataFrame(
        {
            "manager": ["Anna", "Anna", "Boris"],
            "week": pd.to_datetime(["2026-01-05", "2026-01-12", "2026-01-05"]),
            "from_stage": "lead",
            "to_stage": "met",
            "entered": [10, 0, 10],
            "converted": [5, 0, 1],
        }
    )
    steps = own_steps(of_manager(managers, "Anna", FUNNEL), managers, weeks, "Anna", FUNNEL)
    assert steps.loc[0, "course"][0] == 0.5
    assert np.isnan(steps.loc[0, "course"][1])
    assert steps.loc[1, "course"] == []
    assert steps.loc[0, "peers_lower"] == pytest.approx(0.575)
    assert axis_low(steps) == 0
    assert axis_low(steps.assign(rate=0.85, ci_lower=0.8, target=0.9, peers_lower=np.nan)) == 0.7
    html = show_section("manager.steps", steps=steps, horizons=FUNNEL.horizons, low=0, window=(AS_OF, AS_OF)).data[
        "text/html"
    ]
    assert html.count("fs-peers") == 1
    assert html.count("<tr>") == 3


def test_reasons_stand_beside_the_colleagues_where_there_are_enough() -> None:
    rows = [(who, "price", 5, 0.5, 0.25, "more often") for who in FIVE] + [("Anna", "terms", 0, 0.0, 0.1, "undecided")]
    patterns = pd.DataFrame(rows, columns=["value", "refusal", "lost", "share", "other_share", "verdict"])
    enough, few = (own_reasons(frame, "Anna", FUNNEL) for frame in (patterns, patterns[patterns["value"] != "Yan"]))
    assert enough[["refusal", "other_share", "verdict"]].to_numpy().tolist() == [["price", 0.25, "more often"]]
    assert few["other_share"].isna().all()
    titles = [show_table(frame, "manager.refusals").data["text/html"] for frame in (enough, few)]
    assert ["colleagues" in title for title in titles] == [True, False], "few colleagues are not “no entrants”"
    assert "You hear “price” more often" in said("reasons", {}, reasons=enough)
    assert said("reasons", {}, reasons=few) == "Why they say no"
    assert own_reasons(patterns.assign(refusal="(missing)"), "Anna", FUNNEL).empty
