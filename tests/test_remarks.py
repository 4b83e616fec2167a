"""Words beside figures: what is undecided, what moved, how else one could count."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_advice import AIMED, FREE, counts, page

from funnelstats.config.schema import MISSING
from funnelstats.config.words import day
from funnelstats.core.comparing import visible_drop
from funnelstats.core.conversion import rival_rates
from funnelstats.team.advice import began_words
from funnelstats.team.changes import explain_change
from funnelstats.team.remarks import (
    change_sentence,
    power_sentence,
    quiet_sentences,
    rates_apart,
    rival_sentence,
    rival_table,
    scatter_sentences,
    with_remarks,
)

EVEN = [(who, 0, 200, 170) for who in ("Anna", "Boris", "Vera")]
SEVEN = SimpleNamespace(horizon_days=7)
FUNNEL = SimpleNamespace(stages=("lead", "met", "paid"), steps=(SEVEN, SEVEN), judged_weeks=13)


def remarks(rows, funnel=AIMED):
    found = with_remarks(page(rows, funnel))
    return dict(zip(found["manager"], found["remark"], strict=True))


def test_the_undecided_read_how_many_leads_cannot_tell_and_are_promised_nothing() -> None:
    found = remarks([*EVEN, ("Gleb", 0, 26, 23), ("Yan", 0, 1, 1), ("Zoe", 0, 0, 0)])
    assert found["Gleb"] == "26 leads cannot tell yet"
    assert found["Yan"] == "1 lead cannot tell yet"
    assert found["Zoe"] == ""
    assert found["Anna"] == ""


def test_leads_whose_days_are_not_over_are_said_to_be_on_their_way() -> None:
    found = page([*EVEN, ("Gleb", 0, 26, 23)])
    young = found.assign(rate=found["rate"].mask(found["manager"] == "Gleb"))
    assert with_remarks(young)["remark"].iloc[-1] == "the days of these leads are not over yet"


def test_a_miss_is_said_to_be_whose_it_is() -> None:
    assert remarks([*EVEN, ("Gleb", 0, 200, 100)])["Gleb"] == "below target, and lower than colleagues"
    team = [(who, 0, 300, 180) for who in ("Anna", "Boris", "Vera")]
    assert set(remarks(team).values()) == {"the whole team is low here"}
    found = page([*EVEN, ("Gleb", 0, 200, 100)]).assign(named=False)
    assert with_remarks(found)["remark"].iloc[-1] == "low in these weeks, not sure enough to name"
    hard = found.assign(whose=found["whose"].replace("own", "base"))
    assert with_remarks(hard)["remark"].iloc[-1] == "harder leads; with equal ones less than 5 points behind"
    unclear = found.assign(whose=found["whose"].replace("own", "unclear"))
    assert with_remarks(unclear)["remark"].iloc[-1] == "low; own work, leads or chance: cannot be told"


def test_without_targets_the_rest_of_the_team_is_the_measure() -> None:
    found = remarks([*EVEN, ("Gleb", 0, 200, 100)], FREE)
    assert found["Gleb"] == "below the rest"
    assert found["Anna"] == "above the rest"


def test_the_power_line_says_which_drop_can_be_seen_with_how_many_leads() -> None:
    drop = float(visible_drop(195, 0.8))
    sentence = power_sentence(page([(who, 0, 195, 170) for who in ("Anna", "Boris", "Vera")]), AIMED)
    assert sentence == (
        f"Smaller misses than these may be luck, or go unseen: {drop:.0f} points at lead → met (15 leads a week). More "
        "cannot be told from a manager's usual leads of 13 weeks."
    )


def test_where_nothing_could_be_seen_that_is_said() -> None:
    assert power_sentence(page([("Anna", 0, 1, 1), ("Boris", 0, 1, 0)]), AIMED).startswith("With so few leads")


def test_few_leads_are_not_blamed_where_no_target_is_agreed_or_nobody_has_leads() -> None:
    assert power_sentence(page(EVEN, FREE), FREE).startswith("“Above the rest” and “below the rest” are said only")
    for nobody in ([("Anna", 0, 0, 0)], [(MISSING, 0, 300, 200)]):
        assert power_sentence(page(nobody), AIMED).startswith("No lead of these weeks has a manager who can be")


def by_week(*rows):
    frame = pd.DataFrame(rows, columns=["week", "from_stage", "entered", "too_recent"])
    return frame.assign(week=pd.to_datetime(frame["week"]), to_stage="next", converted=0)


def test_a_week_without_new_leads_says_when_the_last_ones_came() -> None:
    old = [("2018-05-21", "lead", 9, 0), ("2018-05-28", "lead", 0, 3), ("2018-11-19", "met", 0, 4)]
    monday = date(2018, 11, 19)
    assert quiet_sentences(by_week(*old), FUNNEL, monday) == [
        "No lead came in this week; the last ones came in the week of 28 May 2018."
    ]
    assert quiet_sentences(by_week(*old, ("2018-11-19", "lead", 0, 1)), FUNNEL, monday) == []
    (never,) = quiet_sentences(by_week(old[-1]), FUNNEL, monday)
    assert never == "No lead came in in the weeks that this page looks at."


def apart(rate, matured, too_recent=2074):
    row = {"from_stage": "engaged", "to_stage": "won", "rate": rate, "ci_lower": rate - 0.02, "ci_upper": rate + 0.02}
    return pd.DataFrame([row | {"matured_rate": matured, "matured": 2019, "too_recent": too_recent}])


def test_two_rates_that_differ_are_told_apart_and_others_are_not() -> None:
    assert rates_apart(apart(0.454, 0.374)) == [
        "engaged → won: 45% by the horizon, 37% matured only, because the 2,074 leads whose days are not over move on "
        "more often so far than the 2,019 others did at that age. If that lasts, the first is right."
    ]
    assert "move on less often" in rates_apart(apart(0.374, 0.454))[0]
    for same in (apart(0.45, 0.44), apart(0.45, 0.37, too_recent=0), apart(0.45, np.nan)):
        assert rates_apart(same) == []


def steps(*rows):
    return counts(*((("", step, entered, converted)) for step, (entered, converted) in enumerate(rows)), manager=False)


WEEKS = "these 13 weeks against the 13 before"


def test_a_fall_is_said_with_the_weeks_compared_the_step_that_made_it_and_its_range() -> None:
    change = explain_change(steps((1000, 820), (820, 700)), steps((1000, 820), (820, 480)))
    whole = change.iloc[0]
    assert change_sentence(change, FUNNEL) == (
        f"The way from lead to paid fell by 22 points, from 70% to 48%, {WEEKS} (very likely "
        f"{-100 * whole['overall_upper']:.0f} to {-100 * whole['overall_lower']:.0f} points); all of it at met → paid."
    )


def test_points_are_those_between_the_percentages_shown() -> None:
    # 60.45 to 48.55: 11.9 points, which a reader of 60 and 49 would not find
    change = explain_change(steps((10_000, 9300), (9300, 6045)), steps((10_000, 9300), (9300, 4855)))
    assert (
        f"fell by 11 points, from 60% to 49%, {WEEKS} (very likely 11 to 13 points); all of it at"
        in change_sentence(change, FUNNEL)
    )
    one = explain_change(steps((100_000, 90_000), (90_000, 60_400)), steps((100_000, 90_000), (90_000, 61_400)))
    assert "rose by 1 point, from 60% to 61%" in change_sentence(one, FUNNEL)
    none = explain_change(steps((100_000, 90_000), (90_000, 60_400)), steps((100_000, 90_000), (90_000, 59_600)))
    assert change_sentence(none, FUNNEL).startswith(
        f"The way from lead to paid fell by 0.8 points, from 60.4% to 59.6%, {WEEKS} (very likely 0.4 to 1.2 points); "
        "all of it at"
    )


def test_a_step_against_the_change_is_told_as_such_and_a_small_one_left_to_the_others() -> None:
    against = change_sentence(
        explain_change(steps((9000, 6000), (6000, 5000)), steps((9000, 8000), (8000, 3600))), FUNNEL
    )
    assert "fell by 16 points" in against
    assert "; 14 won at lead → met" in against
    small = explain_change(steps((90_000, 80_000), (80_000, 72_000)), steps((90_000, 81_400), (81_400, 30_000)))
    assert (small["ci_lower"] > 0).any()
    said = change_sentence(small, FUNNEL)
    assert "lead → met" not in said
    assert said.endswith("; 1 won at the other steps.")


def test_a_way_of_one_step_is_not_explained_by_itself() -> None:
    one = [counts(("", 1, 1000, converted), manager=False) for converted in (600, 500)]
    funnel = SimpleNamespace(stages=("met", "paid"), judged_weeks=26)
    assert change_sentence(explain_change(*one), funnel) == (
        "The way from met to paid fell by 10 points, from 60% to 50%, these 26 weeks against the 26 before "
        "(very likely 6 to 14 points)."
    )


def test_a_change_that_cannot_be_told_is_said_with_how_large_it_may_be() -> None:
    same = steps((100, 80), (80, 40))
    assert change_sentence(explain_change(same, same), FUNNEL) == (
        "Whether more or fewer leads go from lead to paid than before cannot be told: 40% in the 13 weeks before, 40% "
        "in these; the change is very likely between −14 and 14 points."
    )
    rare = explain_change(steps((4000, 2000), (2000, 20)), steps((4000, 2000), (2000, 22)))
    assert change_sentence(rare, FUNNEL).endswith("the change is very likely between −0.3 and 0.4 points.")


def test_no_change_is_said_with_its_margin_and_only_where_a_larger_one_is_ruled_out() -> None:
    was, now = steps((10_000, 8000), (8000, 4000)), steps((10_000, 8000), (8000, 4060))
    assert change_sentence(explain_change(was, now), FUNNEL) == (
        "The share of leads that go from lead to paid has changed by less than a tenth: 40% in the 13 weeks before, "
        "41% in these."
    )


def test_no_weeks_before_are_said() -> None:
    same = steps((100, 80), (80, 40))
    nothing = explain_change(steps((0, 0), (0, 0)), same)
    assert change_sentence(nothing, FUNNEL).startswith("There are no weeks before these")


def test_weeks_that_differ_beyond_chance_are_told_with_what_their_leads_are_worth() -> None:
    rates = pd.DataFrame({"from_stage": ["lead", "met"], "to_stage": ["met", "paid"], "entered": [1200, 400]})
    rates = rates.assign(rate=0.5, n_eff=[412.0, 390.0], dispersion=[2.9, 1.0], df=30.0)
    assert scatter_sentences(rates) == [
        "Good and bad weeks differ by more than chance: lead → met (1,195 leads tell as much as 410 would). Leads of "
        "one week are alike; the ranges and verdicts of this page allow for it."
    ]
    # 30 degrees of freedom: chance alone makes 1.57 of 1 in one case of forty, at one of two steps in one of twenty
    assert scatter_sentences(rates.assign(dispersion=[1.5, 1.0])) == []
    assert scatter_sentences(rates.assign(dispersion=[1.6, 1.0])) != []


def rivals(entered):
    frame = pd.DataFrame({"definition": ["reached", "touched", "direct", "closed", "so_far"], "from_stage": "lead"})
    converted = np.array([50, 45, 40, 56, 30]) * entered // 100
    return rival_rates(frame.assign(to_stage="paid", entered=entered, converted=converted))


WINDOW, TODAY = (date(2026, 1, 5), date(2026, 7, 5)), date(2026, 7, 5)


def test_the_headline_is_said_with_its_leads_and_how_far_apart_other_counts_are() -> None:
    assert rival_sentence(rivals(200), FUNNEL, WINDOW, TODAY) == (
        f"Of the 200 leads that came in from {day(WINDOW[0])} to {day(date(2026, 6, 21))}, whose days for the whole "
        "way are over, 50% went from lead to paid in time; what changed later is not in it. Counted in other ways that "
        "are in use, the same log gives 30% to 56%: compare only what was counted alike."
    )
    later = rival_sentence(rivals(200), FUNNEL, WINDOW, date(2026, 12, 31))
    assert f"to {day(WINDOW[1])}," in later
    table = rival_table(rivals(200), FUNNEL)
    assert table["apart"].tolist() == pytest.approx([0, -5, -10, 6, -20])
    assert table["counted"].iloc[0].endswith("(this page)")


def test_before_any_lead_had_all_its_days_there_is_no_headline() -> None:
    assert rival_sentence(rivals(0), FUNNEL, WINDOW, TODAY) == (
        "No lead has had all its days for the whole way from lead to paid yet."
    )
    assert rival_table(rivals(0), FUNNEL)["rate"].isna().all()


def since_row(alarm: bool, at_start: bool) -> pd.Series:
    dates = {"since": "2026-04-20", "since_lower": "2026-04-13", "since_upper": "2026-04-27"}
    days = {name: pd.Timestamp(day) if alarm else pd.NaT for name, day in dates.items()}
    return pd.Series({"alarm": alarm, "at_start": at_start, **days})


@pytest.mark.parametrize(
    ("alarm", "at_start", "said"),
    [
        (True, False, "That began between 13 Apr 2026 and 3 May 2026."),
        (
            True,
            True,
            "That was so already in the first weeks looked at; it became worse between 13 Apr 2026 and 3 May 2026.",
        ),
        (False, True, "That was so already in the first weeks looked at."),
        (False, False, "It cannot be told when that began."),
    ],
)
def test_a_beginning_is_said_as_two_days_or_as_not_to_be_told(alarm: bool, at_start: bool, said: str) -> None:
    assert began_words(since_row(alarm, at_start)) == said
