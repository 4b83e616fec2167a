"""Words beside figures: what is undecided, what moved, how else one could count."""

from datetime import date
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest
from test_advice import AIMED, FREE, counts, page

from funnelstats.config.schema import MISSING
from funnelstats.core.comparing import visible_drop
from funnelstats.core.conversion import rival_rates
from funnelstats.page.sections import show_section
from funnelstats.team.changes import explain_change
from funnelstats.team.counts import RECORDED_LATE, stopped_since
from funnelstats.team.remarks import (
    of_hundred,
    on_record,
    quiet_since,
    rates_apart,
    rival_facts,
    rival_table,
    scattered,
    visible_gaps,
    weekly_numbers,
    whole_way,
)

NAN, DAY = float("nan"), date(2026, 6, 28)
EVEN = [(who, 0, 200, 170) for who in ("Anna", "Boris", "Vera")]
SEVEN = SimpleNamespace(horizon_days=7)
FUNNEL = SimpleNamespace(
    stages=("lead", "met", "paid"), steps=(SEVEN, SEVEN), horizons={"lead": 7, "met": 7}, judged_weeks=13
)


def test_the_gap_that_is_seen_is_that_of_a_usual_number_of_leads() -> None:
    gaps = visible_gaps(page([(who, 0, 195, 170) for who in ("Anna", "Boris", "Vera")]), AIMED)
    assert gaps["points"].tolist() == [pytest.approx(float(visible_drop(195, 0.8)))]
    assert gaps["leads"].tolist() == [15]


def test_where_no_gap_could_be_seen_or_no_target_is_agreed_none_is_told() -> None:
    for nobody in ([("Anna", 0, 1, 1), ("Boris", 0, 1, 0)], [("Anna", 0, 0, 0)], [(MISSING, 0, 300, 200)]):
        assert visible_gaps(page(nobody), AIMED).empty
    assert visible_gaps(page(EVEN, FREE), FREE).empty


def test_a_gap_that_is_the_same_at_every_step_is_no_range() -> None:
    facts = {"compared": True, "targets": True, "scattered": [], "apart": [], "limits": []}
    facts |= {"lacking": [], "judged_weeks": 1}
    for gaps, told in (([9.1, 8.8], "9 points"), ([6.0, 8.8], "6 to 9 points"), ([1.0], "1 point")):
        text = show_section("weekly.sure", facts, gaps=[{"points": points} for points in gaps]).data["text/plain"]
        assert f"A manager with a usual number of leads in 1 week can be {told} below target unseen." in text


def by_week(*rows):
    frame = pd.DataFrame(rows, columns=["week", "from_stage", "entered", "too_recent"])
    return frame.assign(week=pd.to_datetime(frame["week"]), to_stage="next", converted=0)


def test_a_week_without_new_leads_says_when_the_last_ones_came() -> None:
    old = [("2018-05-21", "lead", 9, 0), ("2018-05-28", "lead", 0, 3), ("2018-11-19", "met", 0, 4)]
    monday = date(2018, 11, 19)
    assert quiet_since(by_week(*old), FUNNEL, monday) == {"quiet": True, "last": date(2018, 5, 28)}
    assert not quiet_since(by_week(*old, ("2018-11-19", "lead", 0, 1)), FUNNEL, monday)["quiet"]
    assert quiet_since(by_week(old[-1]), FUNNEL, monday) == {"quiet": True, "last": None}


MONDAYS = pd.date_range("2026-01-05", periods=12, freq="7D")


@pytest.mark.parametrize(
    ("moved", "last", "stopped"),
    [
        ([*MONDAYS], "2026-04-19", "2026-03-23"),
        ([*MONDAYS], "2026-04-05", None),  # no more than twice the usual silence
        ([*MONDAYS[:1], *MONDAYS[5:]], "2026-05-03", None),  # there was one of five weeks before
        ([*MONDAYS[::4]], "2026-06-21", "2026-03-02"),
        ([*MONDAYS[:1]], "2026-06-21", None),
        ([], "2026-06-21", None),
    ],
)
def test_that_no_lead_moves_on_any_more_is_told_when_it_is_no_chance(moved, last, stopped) -> None:
    found = stopped_since(reached(("Vera", 1, day) for day in moved), FUNNEL, date.fromisoformat(last))
    assert str(found["stopped"]) == str(stopped)


def reached(rows):
    """Journeys as far as ``stopped_since`` takes them, of manager, place and day."""
    schema = {"manager": "string", "place": "int64", "reached_on": "timestamp"}
    known = ibis.memtable(pd.DataFrame(rows, columns=[*schema]), schema=schema)
    return known.mutate(reached_on=known.reached_on.date(), opened=0, skipped=False)


@pytest.mark.parametrize(("newest", "silent"), [("2026-04-18", ["Vera"]), ("2026-03-23", [])])
def test_managers_whose_leads_do_not_move_on_any_more_are_told_if_new_ones_came(newest, silent) -> None:
    weeks = pd.date_range("2026-01-05", "2026-04-13", freq="7D")
    rows = [("Boris", 1, day) for day in weeks] + [("Vera", 1, day) for day in [*MONDAYS] * 3]
    found = stopped_since(reached([*rows, ("Vera", 0, pd.Timestamp(newest))]), FUNNEL, date(2026, 4, 19))
    assert (found["stopped"], found["silent"], found["silent_days"]) == (None, silent, 27 if silent else 0)
    assert not stopped_since(reached([*rows[:-1], *rows[-2:]]), FUNNEL, date(2026, 4, 5))["silent"]


@pytest.mark.parametrize(
    ("first", "begins", "judged", "before"),
    [("2026-06-08", (2026, 6, 8), 3, 0), ("2026-03-02", (2026, 3, 30), 13, 4), ("2025-12-29", (2026, 3, 30), 13, 13)],
)
def test_weeks_before_the_first_lead_are_neither_judged_nor_averaged(first, begins, judged, before) -> None:
    window = date(2026, 3, 30), date(2026, 6, 28)
    weeks = by_week(("2025-12-29", "lead", 0, 0), (first, "lead", 9, 0), ("2026-06-22", "lead", 0, 5))
    known = {"window": (date(*begins), window[1]), "judged_weeks": judged, "weeks_before": before}
    assert on_record(weeks, window) == known
    assert on_record(weeks.head(1), window)["judged_weeks"] == 13
    wins = pd.DataFrame({"week": pd.date_range("2025-12-29", "2026-06-22", freq="7D"), "deals": 0, "money": 0.0})
    assert len(weekly_numbers(weeks, wins, FUNNEL)) == judged
    assert len(weekly_numbers(weeks.head(1), wins, FUNNEL)) == 1


def apart(rate, matured, too_recent=2074):
    row = {"from_stage": "engaged", "to_stage": "won", "rate": rate, "ci_lower": rate - 0.02, "ci_upper": rate + 0.02}
    return pd.DataFrame([row | {"matured_rate": matured, "matured": 2019, "too_recent": too_recent}])


def test_two_rates_that_differ_are_told_apart_and_others_are_not() -> None:
    for far in (apart(0.454, 0.374), apart(0.374, 0.454)):
        assert rates_apart(far)["from_stage"].tolist() == ["engaged"]
    for same in (apart(0.45, 0.44), apart(0.45, 0.37, too_recent=0), apart(0.45, np.nan)):
        assert rates_apart(same).empty


def steps(*rows):
    return counts(*((("", step, entered, converted)) for step, (entered, converted) in enumerate(rows)), manager=False)


def way(before, after, weeks_before=13):
    """The facts of the whole way and the page's sentence about it."""
    facts = whole_way(explain_change(before, after))
    stages = of_hundred(explain_change(before, after), AIMED)
    text = show_section("weekly.trend", facts, stages=stages, weeks_before=weeks_before).data["text/plain"]
    return facts, text.replace("\n", " ").removeprefix("Is it getting better? ")


def test_a_fall_is_told_with_the_step_that_made_it_and_its_range() -> None:
    facts, text = way(steps((1000, 820), (820, 700)), steps((1000, 820), (820, 480)))
    assert facts["moved"]["to_stage"].tolist() == ["paid"]
    low, high = facts["ends"]
    assert (low, high) == (pytest.approx(-100 * facts["upper"]), pytest.approx(-100 * facts["lower"]))
    assert text == (
        f"lead → paid fell by 22 points against the 13 weeks before (likely {low:.0f} to {high:.0f}). "
        "What moved it: met → paid."
    )


def test_points_are_those_between_the_percentages_shown() -> None:
    # 60.45 to 48.55: 11.9 points, which a reader of 60 and 49 would not find
    _, text = way(steps((10_000, 9300), (9300, 6045)), steps((10_000, 9300), (9300, 4855)))
    assert "fell by 11 points against the 13 weeks before (likely 11 to 13)" in text
    _, text = way(steps((100_000, 90_000), (90_000, 60_400)), steps((100_000, 90_000), (90_000, 61_400)))
    assert "rose by 1 point against" in text
    _, text = way(steps((100_000, 90_000), (90_000, 60_400)), steps((100_000, 90_000), (90_000, 59_600)))
    assert "fell by 0.8 points against the 13 weeks before (likely 0.4 to 1.2)" in text


def test_steps_that_moved_it_are_told_and_small_ones_left_to_the_table() -> None:
    facts, _ = way(steps((9000, 6000), (6000, 5000)), steps((9000, 8000), (8000, 3600)))
    assert facts["moved"]["to_stage"].tolist() == ["paid", "met"]
    small = explain_change(steps((90_000, 80_000), (80_000, 72_000)), steps((90_000, 81_400), (81_400, 30_000)))
    assert (small["ci_lower"] > 0).any()
    assert whole_way(small)["moved"]["to_stage"].tolist() == ["paid"]


def test_a_change_that_cannot_be_told_is_said_with_how_large_it_may_be() -> None:
    same = steps((100, 80), (80, 40))
    assert way(same, same)[1].endswith("is too close to call (likely change −14 to 14 points).")
    near = way(steps((300, 240), (240, 60)), steps((300, 240), (240, 84)))[1]
    assert near.endswith("on a page read every week such a change (likely 1 to 15 points) can turn up by chance.")
    rare = way(steps((4000, 2000), (2000, 20)), steps((4000, 2000), (2000, 22)))[1]
    assert rare.endswith("(likely change −0.3 to 0.4 points).")


def test_no_change_is_said_with_its_margin_and_only_where_a_larger_one_is_ruled_out() -> None:
    facts, text = way(steps((10_000, 8000), (8000, 4000)), steps((10_000, 8000), (8000, 4060)))
    assert facts["changed"] == "no"
    assert text == "lead → paid changed by less than a tenth against the 13 weeks before."


def test_a_single_week_before_is_the_week_before() -> None:
    same = steps((10_000, 8200), (8200, 7000))
    assert way(same, same, 1)[1].endswith("by less than a tenth against the week before.")


def test_no_weeks_before_or_a_step_without_leads_are_said() -> None:
    same, nobody = steps((100, 80), (80, 40)), steps((0, 0), (0, 0))
    assert way(nobody, same)[1].startswith("There are no weeks before these")
    assert way(same, nobody)[0]["changed"] == "not known"
    unseen = explain_change(nobody, same).assign(changed=RECORDED_LATE)
    facts = whole_way(unseen) | {"stages": of_hundred(unseen, AIMED)}
    said = show_section("weekly.trend", facts, weeks_before=13).data["text/plain"]
    assert "against the 13 weeks before cannot be told: the record of a later stage begins after" in said


def test_where_nobody_went_all_the_way_no_change_of_nothing_is_told() -> None:
    never = steps((100, 80), (80, 0))
    assert way(never, never)[1] == (
        "lead → paid: no lead went all the way in time, in these weeks nor in the 13 weeks before."
    )


def test_of_100_leads_each_step_takes_its_share_and_without_a_target_there_is_none() -> None:
    change = explain_change(steps((1000, 900), (900, 450)), steps((1000, 800), (800, 400)))
    hundred = of_hundred(change, AIMED).round(6)
    assert hundred["before"].tolist() == [100, 90, 45]
    assert hundred["after"].tolist() == [100, 80, 40]
    assert hundred["target"].tolist() == [100, 80, 64]
    assert of_hundred(change, FREE)["target"].isna().tolist() == [False, True, True]


def test_a_whole_way_that_few_go_is_not_rounded_to_nobody() -> None:
    course = [{"leads": 300, "deals": 1, "money": NAN}] * 2
    stages = [{"stage": "lead"}, {"stage": "paid", "target": 0.42, "before": 0.62, "after": 0.42}]
    facts = {"numbers": course, "stages": stages, "expected": {"deals": NAN}, "currency": "", "week_days": 2 * [DAY]}
    tiles = show_section("weekly.tiles", facts, judged_weeks=13, weeks_before=13).data["text/plain"]
    assert "target: 0.4%" in tiles
    assert "before: 0.6%" in tiles
    rival = {"rate": 0.007, "entered": 5941, "came": 2 * [DAY], "way_days": 42, "stages": stages}
    assert "42 days in all: 0.7% of 5,941 leads" in show_section("weekly.more", rival).data["text/plain"]


def test_weeks_that_differ_beyond_chance_are_told_with_what_their_leads_are_worth() -> None:
    rates = pd.DataFrame({"from_stage": ["lead", "met"], "to_stage": ["met", "paid"], "entered": [1200, 400]})
    rates = rates.assign(rate=0.5, n_eff=[412.0, 390.0], dispersion=[2.9, 1.0], df=30.0, by_chance=0.001)
    (row,) = scattered(rates).to_dict("records")
    assert (row["from_stage"], round(row["leads"]), row["worth"]) == ("lead", 1195, 412)
    # 30 degrees of freedom: chance alone makes 1.57 of 1 in one case of forty, at one of two steps in one of twenty
    assert scattered(rates.assign(dispersion=[1.5, 1.0])).empty
    assert not scattered(rates.assign(dispersion=[1.6, 1.0])).empty


def rivals(entered):
    frame = pd.DataFrame({"definition": ["reached", "touched", "direct", "closed", "so_far"], "from_stage": "lead"})
    converted = np.array([50, 45, 40, 56, 30]) * entered // 100
    return rival_rates(frame.assign(to_stage="paid", entered=entered, converted=converted))


WINDOW, TODAY = (date(2026, 1, 5), date(2026, 7, 5)), date(2026, 7, 5)


def test_the_headline_is_said_with_its_leads_and_how_far_apart_other_counts_are() -> None:
    facts = rival_facts(rivals(200), FUNNEL, WINDOW, TODAY)
    assert (facts["rate"], facts["entered"], facts["way_days"]) == (0.5, 200, 14)
    assert facts["lowest"] == 0.3
    assert facts["came"] == (WINDOW[0], date(2026, 6, 21))
    assert rival_facts(rivals(200), FUNNEL, WINDOW, date(2026, 12, 31))["came"] == WINDOW
    table = rival_table(rivals(200), FUNNEL)
    assert table["apart"].tolist() == pytest.approx([0, -5, -10, 6, -20])
    assert table["counted"].iloc[0].endswith("(this page)")


def test_before_any_lead_had_all_its_days_there_is_no_headline() -> None:
    assert np.isnan(rival_facts(rivals(0), FUNNEL, WINDOW, TODAY)["rate"])
    assert rival_table(rivals(0), FUNNEL)["rate"].isna().all()
