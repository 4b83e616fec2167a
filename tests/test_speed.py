"""Hours to first contact: by eye, statsmodels, edges; landmarks against Newcombe's numbers; the sentences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from statsmodels.duration.survfunc import SurvfuncRight

from funnelstats.contacts.first_counts import hours_to_contact, landmark_counts
from funnelstats.contacts.speed import (
    contact_curve,
    landmark_differences,
    landmark_sentences,
    speed_sentences,
    waiting_times,
)

FUNNEL = funnel_of("lead", "met", "paid")
SOME = SimpleNamespace(contacts="there")


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


@pytest.mark.parametrize("seed", [3, 4])
def test_curve_and_limits_are_those_of_statsmodels(seed) -> None:
    hours, contacted = random_leads(seed)
    survival = SurvfuncRight(hours.astype(float) + 1, contacted.astype(int))
    curve = contact_curve(hours_of(hours, contacted))
    events = curve[curve["hours"].isin(hours[contacted])]
    np.testing.assert_allclose(1 - events["rate"], survival.surv_prob, rtol=1e-12)
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


NO_MARKS = landmark_differences(marks_of())


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


def test_nothing_to_compare_is_said() -> None:
    empty = landmark_differences(landmark_counts(None, FUNNEL, None))
    assert empty.empty
    assert landmark_sentences(empty, FUNNEL) == [
        "Too few leads were still at the first stage to compare those called early with the others."
    ]
    times = waiting_times(hours_to_contact(None, FUNNEL, None))
    assert times.empty
    assert contact_curve(hours_to_contact(None, FUNNEL, None)).empty
    nobody = pd.DataFrame()
    said = speed_sentences(times, times, empty, nobody, SimpleNamespace(contacts=None), FUNNEL)
    assert said == ["No contacts in the export: how soon leads were first contacted cannot be told."]
    assert speed_sentences(times, times, empty, nobody, SOME, FUNNEL)[0].startswith("No lead came in with you")


def both_clocks(calendar, working):
    """Leads all contacted after these hours on each clock, 40 of each."""
    clocks = {"calendar": calendar, "working": working}
    parts = [hours_of(np.repeat(hours, 40), [True] * 40 * len(hours)) for hours in clocks.values()]
    return waiting_times(pd.concat([part.assign(clock=clock) for part, clock in zip(parts, clocks, strict=True)]))


def test_the_sentences_count_what_was_not_recorded_and_name_no_cause() -> None:
    own = both_clocks([4, 6, 8], [1, 2, 3])
    marks = landmark_differences(marks_of(("met", 1, True, 700, 560, 0), ("met", 1, False, 800, 480, 3)))
    said = speed_sentences(own, own.head(0), marks, pd.DataFrame({"lead_id": ["a"]}), SOME, FUNNEL)
    assert said[0] == "Half of your leads are contacted within 6 hours (2 working hours)."
    assert said[1] == "1 open lead of yours has no contact recorded: it is listed below."
    assert said[2].endswith(
        "80% of those contacted by then reached met in time, 60% of the others: it goes together, it is not shown to "
        "cause."
    )
    slow = waiting_times(hours_of([4, 6, 8], [False] * 3))
    slow = pd.concat([slow, slow.assign(clock="working")])
    assert (
        speed_sentences(slow, own, marks, pd.DataFrame(), SOME, FUNNEL)[0]
        == "Fewer than half of your 3 leads were contacted so far."
    )


def test_one_clock_compares_and_it_is_the_working_one_where_that_is_stated() -> None:
    # faster by the calendar, slower by working hours
    own, others = both_clocks([30, 32, 34], [11, 12, 13]), both_clocks([40, 42, 44], [5, 6, 7])
    stated = FUNNEL.model_validate({**FUNNEL.model_dump(exclude_unset=True), "work": {"holidays": ["2026-01-01"]}})
    alike = others.assign(half=12.0, half_lower=10.5, half_upper=13.5)
    unsure = others.assign(half=11.5, half_lower=7.0, half_upper=19.0)
    for funnel, words, peers in (
        (FUNNEL, "That is faster than", others),
        (stated, "That is slower than", others),
        (stated, "about as fast as the colleagues do it (12), no more than half as long again either way.", alike),
        (stated, "Whether that is faster or slower than the colleagues do it (12) cannot be told yet.", unsure),
    ):
        said = speed_sentences(own, peers, NO_MARKS, pd.DataFrame(), SOME, funnel)[0]
        assert words in said
    clock = "Half of your leads are contacted within 12 working hours (32 by the calendar). "
    said = speed_sentences(own, others, NO_MARKS, pd.DataFrame(), SOME, stated)[0]
    assert said == clock + "That is slower than the colleagues do it (6)."


def test_a_limit_that_was_not_reached_parts_nobody() -> None:
    own = both_clocks([4, 6, 8], [1, 2, 3])
    endless = own.assign(half=60.0, half_lower=5.0, half_upper=np.nan)
    said = speed_sentences(own, endless, NO_MARKS, pd.DataFrame(), SOME, FUNNEL)[0]
    assert said.endswith("Whether that is faster or slower than the colleagues do it (60) cannot be told yet.")


@pytest.mark.parametrize(
    ("early", "late", "ends"),
    [
        ((50, 400), (250, 2000), "no more than 4.2 points apart."),
        ((15, 100), (25, 200), "whether they differ cannot be told yet."),
        ((80, 400), (200, 2000), "it goes together, it is not shown to cause."),
    ],
)
def test_a_landmark_without_a_verdict_is_no_proof_of_no_difference(early, late, ends) -> None:
    marks = landmark_differences(
        marks_of(("met", 1, True, early[1], early[0], 0), ("met", 1, False, late[1], late[0], 0))
    )
    assert landmark_sentences(marks, FUNNEL)[0].endswith(ends)
