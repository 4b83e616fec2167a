"""Flow of a period and the from x to matrix: on a few leads, then against a plain loop."""

from collections import Counter
from datetime import date, timedelta

import ibis
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, rows_of, table
from loops import looped_flow

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import ENDS
from funnelstats.core.flow_counts import FLOW, stage_flow, transitions, with_known_ends
from funnelstats.core.journeys import journeys
from funnelstats.leads.counts import open_leads

FUNNEL = funnel_of("lead", "met", "paid")
STAGES = ("new", "встреча", "offer", "paid")
RANDOM = funnel_of(*STAGES)
LEAVING = ["advanced", "lost", "nurture", "moved_away", "still_there"]
COMING = ["opening", "entered", "came_back"]
WEEK = (date(2026, 1, 5), date(2026, 1, 11))


def test_every_stage_appears_for_each_manager_with_anything_to_count(duckdb):
    rows = [
        ("a", "lead", "2026-01-05", "Anna"),
        ("b", "met", "2026-01-05"),
        ("c", "lead", "2026-02-05", "Boris"),
    ]
    frame = stage_flow(journeys(table(duckdb, entries_frame(rows)), FUNNEL), FUNNEL, *WEEK, by="manager")
    assert frame["manager"].tolist() == ["Anna"] * 3 + ["(missing)"] * 3
    assert frame["still_there"].tolist() == [1, 0, 0, 0, 1, 0]


def test_an_end_that_no_lead_came_to_is_not_known_and_one_of_another_week_is_none(duckdb):
    rows = [("a", "lead", "2026-01-05", "Anna"), ("b", "lead", "2026-02-05", "Boris"), ("b", "lost", "2026-02-09")]
    paths = journeys(table(duckdb, entries_frame(rows)), FUNNEL).cache()
    flow = with_known_ends(stage_flow(paths, FUNNEL, *WEEK), paths)
    assert flow["lost"].tolist() == [0, 0, 0]
    assert flow["nurture"].isna().all()


def test_an_empty_period_is_all_zeros_and_a_reversed_one_is_refused(con):
    lazy = journeys(table(con, entries_frame([])), FUNNEL).cache()
    assert stage_flow(lazy, FUNNEL, *WEEK)[FLOW].to_numpy().sum() == 0
    with pytest.raises(FunnelError, match="start must not be after its end"):
        stage_flow(lazy, FUNNEL, *reversed(WEEK))


@pytest.mark.parametrize("seed", range(2))
def test_the_closing_identity_holds_for_every_stage_manager_and_week(duckdb, seed):
    frame = random_entries(seed, STAGES, undated=15)
    lazy = duckdb.create_table("kept", journeys(table(duckdb, frame), RANDOM), overwrite=True)
    keys = ["manager", "stage"]
    before = None
    for week in range(10):
        monday = date(2025, 12, 29) + timedelta(weeks=week)
        flow = stage_flow(lazy, RANDOM, monday, monday + timedelta(6), by="manager").set_index(keys)
        assert (flow[COMING].sum(axis=1) == flow[LEAVING].sum(axis=1)).all()
        if before is not None:
            opening, closing = flow["opening"].align(before, fill_value=0)
            assert (opening == closing).all()
        before = flow["still_there"]
    assert before.sum() > 0
    # all that entered a stage, ever, has left it by advancing, by its end, by going back, or is there
    ever = stage_flow(lazy, RANDOM, date(2025, 12, 29), date(2026, 3, 8)).set_index("stage")
    stays = [stay for e in episodes_of(frame, STAGES) for s in STAGES if (stay := e.stay(s, STAGES))]
    assert ever["entered"].sum() == len(stays)
    assert ever["advanced"].sum() == sum(stay[3] in ("advanced", "won") for stay in stays)


def _mostly_open(entries):
    return entries[~entries["stage"].isin(["lost", "nurture", "paid"]) | (entries.index % 6 == 0)]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_still_there_are_the_open_leads_of_each_owner(duckdb, seed):
    """Known up to the end of the period; owners are those of the entries."""
    end = date(2026, 2, 10)
    frame = _mostly_open(random_entries(seed, STAGES, leads=120, undated=15))
    paths = journeys(table(duckdb, frame[frame["entered_on"].isna() | (frame["entered_on"] <= end)]), RANDOM).cache()
    leads = table(duckdb, pd.DataFrame({"lead_id": ["L001"]}), ibis.schema({"lead_id": "string"}), "bare")
    listed = open_leads(paths, leads, None, RANDOM, end).groupby(["manager", "stage"]).size()
    flow = stage_flow(paths, RANDOM, date(2026, 2, 4), end, by="manager")
    there = flow[flow["stage"] != "paid"].set_index(["manager", "stage"])["still_there"]
    pd.testing.assert_series_equal(there[there > 0], listed, check_names=False, check_like=True)
    assert flow["came_back"].sum() > 3


@pytest.mark.parametrize("seed", range(3))
def test_flow_equals_a_loop_over_random_histories(con, seed):
    frame = _mostly_open(random_entries(seed, STAGES, leads=100, undated=15))
    start, end = date(2026, 1, 30), date(2026, 2, 25)
    found = stage_flow(journeys(table(con, frame), RANDOM).cache(), RANDOM, start, end, by=["manager"])
    some = found[found[FLOW].sum(axis=1) > 0]
    assert {row[:2]: row[2:] for row in rows_of(some)} == looped_flow(episodes_of(frame, STAGES), RANDOM, start, end)
    assert found[FLOW].sum().min() > 0


def test_transitions_show_skips_returns_repeats_and_reopenings(duckdb):
    stages = ["lead", "lead", "paid", "met", "lost", "nurture", "lead", "met", "nurture"]
    rows = [("a", stage, f"2026-01-{day:02}") for day, stage in enumerate(stages, start=1)]
    frame = transitions(table(duckdb, entries_frame([*rows, ("a", "met", "2026-01-08")])), FUNNEL)
    assert frame.columns.tolist() == ["from_stage", "to_stage", "entries", "kind"]
    assert rows_of(frame) == [
        ("(start)", "lead", 1, "start"),
        ("lead", "lead", 1, "again"),
        ("lead", "met", 1, "forward"),
        ("lead", "paid", 1, "skip"),
        ("met", "met", 1, "again"),
        ("met", "lost", 1, "lost"),
        ("met", "nurture", 1, "nurture"),
        ("paid", "met", 1, "back"),
        ("lost", "nurture", 1, "nurture"),
        ("nurture", "lead", 1, "reopened"),
    ]


def test_transitions_of_no_entries_are_an_empty_table(con):
    assert transitions(table(con, entries_frame([])), FUNNEL).empty


@pytest.mark.parametrize("seed", range(3))
def test_transitions_equal_a_loop_and_add_up_to_the_entries(con, seed):
    frame = random_entries(seed, STAGES)
    places = {stage: place for place, stage in enumerate([*STAGES, *ENDS])}
    expected = Counter()
    ordered = frame.assign(place=frame["stage"].map(places)).sort_values(["entered_at", "place"])
    for _, history in ordered.groupby("lead_id"):
        expected.update(zip(["(start)", *history["stage"]], history["stage"], strict=False))
    found = transitions(table(con, frame), RANDOM)
    assert {row[:2]: row[2] for row in rows_of(found)} == expected
    assert found["entries"].sum() == len(frame)
    assert set(found["kind"]) == {"start", "again", "forward", "skip", "back", "reopened", *ENDS}
    pd.testing.assert_frame_equal(found, transitions(table(con, frame[::-1], name="reversed"), RANDOM))
