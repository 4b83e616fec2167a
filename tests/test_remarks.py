"""Words beside figures: what is undecided and for how long, what moved, how else one could count."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_advice import AIMED, FREE, counts, page

from funnelstats.showing.remarks import change_sentence, power_sentence, rival_sentence, rival_table, with_remarks
from funnelstats.statistics.changes import explain_change
from funnelstats.statistics.conversion import rival_rates
from funnelstats.statistics.managers import visible_drop, weeks_to_tell

EVEN = [(who, 0, 200, 170) for who in ("Anna", "Boris", "Vera")]
FUNNEL = SimpleNamespace(stages=("lead", "met", "paid"), window_weeks=13)


def remarks(rows, funnel=AIMED):
    found = with_remarks(page(rows, funnel), funnel)
    return dict(zip(found["manager"], found["remark"], strict=True))


def test_the_undecided_read_how_many_weeks_more_it_takes() -> None:
    found = remarks([*EVEN, ("Gleb", 0, 26, 23), ("Yan", 0, 1, 1), ("Zoe", 0, 0, 0), ("Max", 0, 200, 163)])
    told = weeks_to_tell(page([*EVEN, ("Gleb", 0, 26, 23)]), AIMED).set_index("manager").loc["Gleb"]
    # 2 leads a week
    assert told["leads_a_week"] == 2
    assert told["more_weeks"] == np.ceil((told["leads_needed"] - 26) / 2)
    assert found["Gleb"] == f"26 leads are too few to tell; about {told['more_weeks']:.0f} more weeks"
    assert found["Yan"].startswith("1 lead is too few to tell; ")
    assert found["Zoe"] == ""
    assert found["Anna"] == ""
    assert found["Max"] in ("", "200 leads are too few to tell; it would take more than a year")


def test_a_wait_of_more_than_a_year_is_said_in_words() -> None:
    assert (
        remarks([*EVEN, ("Gleb", 0, 40, 31)])["Gleb"] == "40 leads are too few to tell; it would take more than a year"
    )


def test_leads_whose_days_are_not_over_are_said_to_be_on_their_way() -> None:
    found = page([*EVEN, ("Gleb", 0, 26, 23)])
    young = found.assign(rate=found["rate"].mask(found["manager"] == "Gleb"))
    assert with_remarks(young, AIMED)["remark"].iloc[-1] == "the days of these leads are not over yet"


def test_a_miss_is_said_to_be_whose_it_is() -> None:
    assert remarks([*EVEN, ("Gleb", 0, 200, 100)])["Gleb"] == "below target, and lower than colleagues"
    team = [(who, 0, 300, 180) for who in ("Anna", "Boris", "Vera")]
    assert set(remarks(team).values()) == {"the whole team is low here"}
    found = page([*EVEN, ("Gleb", 0, 200, 100)]).assign(named=False)
    assert with_remarks(found, AIMED)["remark"].iloc[-1] == "low in these weeks, not yet sure"
    hard = found.assign(whose=found["whose"].replace("own", "base"))
    assert with_remarks(hard, AIMED)["remark"].iloc[-1] == "the leads are harder too: no weakness"


def test_without_targets_the_rest_of_the_team_is_the_measure() -> None:
    found = remarks([*EVEN, ("Gleb", 0, 200, 100)], FREE)
    assert found["Gleb"] == "below the rest"
    assert found["Anna"] == "above the rest"


def test_the_power_line_says_which_drop_can_be_seen_with_how_many_leads() -> None:
    drop = float(visible_drop(195, 0.8))
    sentence = power_sentence(page([(who, 0, 195, 170) for who in ("Anna", "Boris", "Vera")]), AIMED)
    assert sentence == (
        "For a manager with the usual number of leads this page can see, in 13 weeks, a drop of "
        f"{drop:.0f} points at lead → met (15 leads a week)."
    )


@pytest.mark.parametrize("rows", [[("Anna", 0, 0, 0)], [("Anna", 0, 1, 1), ("Boris", 0, 1, 0)]])
def test_where_nothing_could_be_seen_that_is_said(rows) -> None:
    assert power_sentence(page(rows), AIMED).startswith("With so few leads")


def steps(*rows):
    return counts(*((("", step, entered, converted)) for step, (entered, converted) in enumerate(rows)), manager=False)


def test_a_fall_is_said_with_the_step_that_made_it_and_its_range() -> None:
    change = explain_change(steps((1000, 820), (820, 700)), steps((1000, 820), (820, 480)))
    effect = change.set_index("to_stage").loc["paid"]
    assert change_sentence(change, FUNNEL) == (
        "The way from lead to paid fell by 22 points, from 70% to 48%; 22 of it at met → paid (very likely "
        f"{-100 * effect['ci_upper']:.0f} to {-100 * effect['ci_lower']:.0f})."
    )


def test_a_step_against_the_change_is_told_as_such_and_a_small_one_left_out() -> None:
    against = change_sentence(
        explain_change(steps((9000, 6000), (6000, 5000)), steps((9000, 8000), (8000, 3600))), FUNNEL
    )
    assert "fell by 16 points" in against
    assert "; against it 14 at lead → met" in against
    small = explain_change(steps((90_000, 80_000), (80_000, 72_000)), steps((90_000, 80_900), (80_900, 30_000)))
    assert (small["ci_lower"] > 0).any()
    assert "lead → met" not in change_sentence(small, FUNNEL)


def test_no_sure_change_and_no_weeks_before_are_said() -> None:
    same = steps((100, 80), (80, 40))
    assert change_sentence(explain_change(same, same), FUNNEL) == (
        "No step changed the way from lead to paid beyond chance: 40% then, 40% now."
    )
    nothing = explain_change(steps((0, 0), (0, 0)), same)
    assert change_sentence(nothing, FUNNEL).startswith("There are no weeks before these")


def rivals(entered):
    frame = pd.DataFrame({"definition": ["reached", "touched", "direct", "closed", "so_far"], "from_stage": "lead"})
    converted = np.array([50, 45, 40, 56, 30]) * entered // 100
    return rival_rates(frame.assign(to_stage="paid", entered=entered, converted=converted))


def test_the_headline_is_said_with_how_far_apart_other_counts_are() -> None:
    assert rival_sentence(rivals(200), FUNNEL) == (
        "50% of the 200 leads whose days for the whole way are over went from lead to paid in time. Counted in other "
        "ways that are in use, the same log gives 30% to 56%: compare only what was counted alike."
    )
    table = rival_table(rivals(200), FUNNEL)
    assert table["apart"].tolist() == pytest.approx([0, -5, -10, 6, -20])
    assert table["counted"].iloc[0].endswith("(this page)")


def test_before_any_lead_had_all_its_days_there_is_no_headline() -> None:
    assert rival_sentence(rivals(0), FUNNEL) == "No lead has had all its days for the whole way from lead to paid yet."
    assert rival_table(rivals(0), FUNNEL)["rate"].isna().all()
