"""Hours to first contact: by eye, statsmodels, edges; landmarks against Newcombe's numbers; the sentences."""

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from statsmodels.duration.survfunc import SurvfuncRight

from funnelstats.contacts.first_counts import hours_to_contact, landmark_counts
from funnelstats.contacts.speed import (
    landmark_answers,
    landmark_differences,
    on_one_clock,
    speed_finding,
    waiting_times,
)
from funnelstats.page.sections import show_section

FUNNEL = funnel_of("lead", "met", "paid")


def hours_of(hours, contacted, **keys):
    """Counts of single leads: hours waited, and whether contacted then."""
    frame = pd.DataFrame({"clock": "calendar", "hours": hours, "contacted": contacted}).assign(**keys)
    frame = frame.assign(contacted=frame["contacted"].astype(int), waiting=1 - frame["contacted"].astype(int))
    by = [*keys, "clock", "hours"]
    return frame.groupby(by, as_index=False)[["contacted", "waiting"]].sum()


def random_leads(seed, leads=80):
    random = np.random.default_rng(seed)
    return random.integers(0, 40, leads), random.random(leads) < 0.6


def test_the_never_contacted_stay_in() -> None:
    times = waiting_times(hours_of([1, 2, 3, 50, 50, 50], [True, True, True, False, False, False])).iloc[0]
    assert times[["leads", "contacted", "never"]].tolist() == [6, 3, 3]
    assert times["quarter"] == 2
    # exactly half are contacted after 3 hours and nobody later: halfway to the last hour watched, as R does
    assert times["half"] == (3 + 50) / 2
    forgetful = waiting_times(hours_of([1, 2, 3], [True] * 3)).iloc[0]
    assert forgetful["half"] == 2


def test_what_fewer_leads_were_contacted_is_no_half_of_them() -> None:
    # those that ended after an hour without a contact never will be
    times = waiting_times(hours_of([3] * 48 + [1] * 52, [True] * 48 + [False] * 52)).iloc[0]
    assert times["quarter"] == 3
    assert times[["half", "half_lower", "half_upper", "three_quarters"]].isna().all()


@pytest.mark.parametrize("seed", [3, 4])
def test_times_and_limits_are_those_of_statsmodels(seed) -> None:
    hours, contacted = random_leads(seed)
    survival = SurvfuncRight(hours.astype(float) + 1, contacted.astype(int))
    times = waiting_times(hours_of(hours, contacted)).iloc[0]
    for name, share in (("quarter", 0.25), ("half", 0.5)):
        assert times[name] == pytest.approx(survival.quantile(share) - 1, abs=1)
        low, high = survival.quantile_ci(share, method="cloglog")
        assert times[f"{name}_lower"] == pytest.approx(low - 1, abs=1)
        if np.isfinite(high) and not np.isnan(times[f"{name}_upper"]):
            assert times[f"{name}_upper"] == pytest.approx(high - 1, abs=1)


def test_groups_and_clocks_are_apart() -> None:
    counts = pd.concat([hours_of([1, 2, 3], [True] * 3, manager="Anna"), hours_of([9], [False], manager="Boris")])
    times = waiting_times(pd.concat([counts, counts.assign(clock="working", hours=counts["hours"] // 2)]))
    assert times["manager"].tolist() == ["Anna", "Boris"] * 2
    assert times["half"].tolist()[::2] == [2, 1]
    assert np.isnan(times["half"].iloc[1])


def marks_of(*rows):
    columns = ["to_stage", "landmark_days", "contacted", "entered", "converted", "too_recent"]
    return pd.DataFrame(rows, columns=columns).astype({"contacted": bool})


def test_the_difference_at_a_landmark_has_newcombes_limits() -> None:
    # Newcombe 1998, example (a): 56/70 - 48/80
    found = landmark_differences(marks_of(("met", 1, True, 70, 56, 0), ("met", 1, False, 80, 48, 3))).iloc[0]
    assert found["difference"] == pytest.approx(0.2)
    assert found["difference_lower"] == pytest.approx(0.0524, abs=5e-5)
    assert found["difference_upper"] == pytest.approx(0.3339, abs=5e-5)
    assert found["verdict"] == "higher"
    assert (found["entered"], found["other_entered"]) == (70, 80)


def test_a_side_without_leads_is_unknown() -> None:
    found = landmark_differences(marks_of(("met", 1, True, 7, 5, 0), ("met", 3, False, 8, 4, 0)))
    assert found["difference"].isna().all()
    assert found[["difference_lower", "difference_upper"]].to_numpy().tolist() == [[-1, 1], [-1, 1]]
    assert found["verdict"].tolist() == ["undecided"] * 2
    assert found["other_entered"].tolist() == [0, 8]


def test_many_landmarks_are_one_family() -> None:
    one = marks_of(("met", 1, True, 100, 60, 0), ("met", 1, False, 100, 46, 0))
    none = [("met", mark, side, 100, 50, 0) for mark in range(2, 9) for side in (True, False)]
    assert landmark_differences(one)["verdict"].tolist() == ["higher"]
    assert set(landmark_differences(pd.concat([one, marks_of(*none)]))["verdict"]) == {"undecided"}


def test_nothing_to_compare_is_empty() -> None:
    empty = landmark_differences(landmark_counts(None, FUNNEL, None))
    assert empty.empty
    assert landmark_answers(empty, FUNNEL).empty
    times = waiting_times(hours_to_contact(None, FUNNEL, None))
    assert times.empty
    assert speed_finding(times, times, FUNNEL) == {"leads": 0}


def words_of(soon, early=()):
    nothing = {"contacts": 1, "recent": 0, "itself": [], "idle": [], "answer": ""}
    made = nothing | dict.fromkeys(("share", "peer_share", "margin"), np.nan)
    return show_section("manager.contacts", made=made, soon=soon, early=early, follow_up=7).data["text/plain"]


def both_clocks(calendar, working):
    """Leads all contacted after these hours on each clock, 40 of each."""
    clocks = {"calendar": calendar, "working": working}
    parts = [hours_of(np.repeat(hours, 40), [True] * 40 * len(hours)) for hours in clocks.values()]
    return waiting_times(pd.concat([part.assign(clock=clock) for part, clock in zip(parts, clocks, strict=True)]))


def test_fewer_than_half_contacted_are_not_compared() -> None:
    slow = waiting_times(hours_of([4, 6, 8], [False] * 3))
    found = speed_finding(slow, both_clocks([4, 6, 8], [1, 2, 3]), FUNNEL)
    assert (found["leads"], found["answer"]) == (3, "")
    assert "Fewer than half of your new leads" in words_of(found)


def test_one_clock_compares_and_it_is_the_working_one_where_that_is_stated() -> None:
    # faster by the calendar, slower by working hours
    own, others = both_clocks([30, 32, 34], [11, 12, 13]), both_clocks([40, 42, 44], [5, 6, 7])
    stated = FUNNEL.model_validate({**FUNNEL.model_dump(exclude_unset=True), "work": {"holidays": ["2026-01-01"]}})
    alike = others.assign(half=12.0, half_lower=10.5, half_upper=13.5)
    unsure = others.assign(half=11.5, half_lower=7.0, half_upper=19.0)
    for funnel, answer, words, peers in (
        (
            FUNNEL,
            "yes",
            "within 32 hours, nights and weekends included.\nYou are faster than your colleagues (42).",
            others,
        ),
        (stated, "yes", "within 12 working hours.\nYou are slower than your colleagues (6).", others),
        (stated, "no", "Your colleagues take about as long (12, no more than half as long again", alike),
        (stated, "cannot tell", "Whether your colleagues (12) are faster is too close to call.", unsure),
        (stated, "", "within 12 working hours.", others.head(0)),
    ):
        found = speed_finding(own, peers, funnel)
        assert found["answer"] == answer
        assert words in words_of(found)
        # the closed loop shows everybody by the clock of their own page
        assert set(on_one_clock(own, funnel)["clock"]) == {"working" if funnel is stated else "calendar"}


def test_a_limit_that_was_not_reached_parts_nobody() -> None:
    own = both_clocks([4, 6, 8], [1, 2, 3])
    endless = own.assign(half=60.0, half_lower=5.0, half_upper=np.nan)
    assert speed_finding(own, endless, FUNNEL)["answer"] == "cannot tell"


@pytest.mark.parametrize(
    ("early", "late", "answer", "words"),
    [
        ((50, 400), (250, 2000), "no", "no more than 4.2 points apart."),
        ((15, 100), (25, 200), "cannot tell", "contacted by day 1 reach “met” more often is too close to call."),
        ((80, 400), (200, 2000), "yes", "20% of those contacted by then reached “met” in time, 10% of the others."),
    ],
)
def test_a_landmark_without_a_verdict_is_no_proof_of_no_difference(early, late, answer, words) -> None:
    marks = landmark_differences(
        marks_of(("met", 1, True, early[1], early[0], 0), ("met", 1, False, late[1], late[0], 0))
    )
    found = landmark_answers(marks, FUNNEL)
    assert found["answer"].tolist() == [answer]
    assert words in words_of({"leads": 0}, found)


def test_the_earliest_clear_landmark_of_the_second_and_the_last_stage_is_told() -> None:
    clear, same = ((100, 90), (100, 40)), ((100, 50), (100, 50))
    rows = [("paid", 2, same), ("met", 1, same), ("met", 2, clear), ("met", 3, clear), ("paid", 1, same)]
    marks = marks_of(*(
        (stage, day, side, *pair[not side], 0) for stage, day, pair in rows for side in (True, False)
    ))  # fmt: skip
    found = landmark_answers(landmark_differences(marks), FUNNEL)
    assert found[["to_stage", "landmark_days"]].to_numpy().tolist() == [["met", 2], ["paid", 1]]
