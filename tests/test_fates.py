"""What became of the leads of a step whose days are over: on a few leads, then against a plain loop."""

from collections import Counter
from datetime import date

import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, rows_of, table

from funnelstats.core.counts import FATES, UNDATED, step_counts, step_fates, undated_counts
from funnelstats.core.journeys import journeys

FUNNEL = funnel_of("lead", "met", "paid")
STAGES = ("new", "встреча", "offer", "paid")
RANDOM = funnel_of(*STAGES, days=[5, 9, 14])
AS_OF = date(2026, 2, 10)


@pytest.mark.parametrize("seed", range(2))
def test_fates_equal_a_loop_and_add_up_to_the_leads_judged(con, seed):
    frame = random_entries(seed, STAGES, leads=100, undated=20)
    window = (date(2026, 1, 5), date(2026, 2, 1))
    expected = {}
    for episode in episodes_of(frame, STAGES):
        for step in RANDOM.steps:
            stay = episode.stay(step.from_stage, STAGES)
            if stay is None or not window[0] <= stay[0] <= window[1] or (AS_OF - stay[0]).days < step.horizon_days:
                continue
            on, owner, left_on, outcome = stay
            counted = expected.setdefault((owner, step.from_stage), Counter())
            gone = left_on is not None and left_on <= AS_OF
            moved = "in_time" if gone and (left_on - on).days <= step.horizon_days else "late"
            fate = (
                {"advanced": moved, "won": "late", "lost": "lost", "nurture": "nurture"}.get(outcome, "open")
                if gone
                else "open"
            )
            counted.update(["entered", fate])
    lazy = journeys(table(con, frame), RANDOM).cache()
    found = step_fates(lazy, RANDOM, AS_OF, by="manager", entered_between=window)
    some = found[found["entered"] > 0].drop(columns="to_stage")
    assert {row[:2]: row[2:] for row in rows_of(some)} == {
        key: tuple(counted[name] for name in ["entered", *FATES]) for key, counted in expected.items()
    }
    assert found[FATES].sum().min() > 0
    judged = step_counts(lazy, RANDOM, AS_OF, by="week")
    weekly = step_fates(lazy, RANDOM, AS_OF, by="week").set_index(["week", "from_stage"])
    judged = judged.set_index(["week", "from_stage"]).loc[weekly.index]
    assert (weekly["in_time"] == judged["converted"]).all()
    assert (weekly[FATES].sum(axis=1) == judged["entered"]).all()


def test_ends_without_a_date_stand_beside_the_counts(duckdb):
    rows = [
        ("in time", "lead", "2026-01-01"),
        ("in time", "met", "2026-01-02"),
        ("in time", "paid", "2026-01-03"),
        ("unseen", "lead", "2026-01-01", "Anna"),
        ("unseen", "paid", None),
        ("met", "lead", "2026-01-01"),
        ("met", "met", "2026-01-02"),
        ("met", "paid", None),
        ("lost", "lead", "2026-01-01"),
        ("lost", "lost", None),
        ("again", "lead", "2026-01-01"),
        ("again", "lost", "2026-01-02"),
        ("again", "met", "2026-01-05"),
        ("again", "paid", None),
        ("recent", "lead", "2026-02-09"),
        ("recent", "paid", None),
    ]
    lazy = journeys(table(duckdb, entries_frame(rows)), FUNNEL).cache()
    found = undated_counts(lazy, FUNNEL, AS_OF)
    assert found.columns.tolist() == ["from_stage", "to_stage", *UNDATED]
    assert rows_of(found) == [("lead", "met", 5, 2, 1, 0, 1), ("met", "paid", 3, 1, 2, 1, 0)]
    anna = undated_counts(lazy, FUNNEL, AS_OF, by="manager").query("manager == 'Anna'")
    assert rows_of(anna.drop(columns="manager")) == [("lead", "met", 1, 0, 1, 0, 0), ("met", "paid", 0, 0, 0, 1, 0)]


@pytest.mark.parametrize("seed", range(2))
def test_undated_counts_hold_the_counts_of_the_steps_and_a_loop_finds_the_wins(con, seed):
    frame = random_entries(seed, STAGES, leads=100, undated=60)
    # few rows each, so that leads are open where their history ends
    early = frame["stage"].isin(STAGES[:2]) & (frame.index % 3 == 0)
    frame = frame[frame["entered_at"].isna() | early | (frame.index % 11 == 0)]
    lazy = journeys(table(con, frame), RANDOM).cache()
    found = undated_counts(lazy, RANDOM, AS_OF)
    assert (found[["entered", "converted"]] == step_counts(lazy, RANDOM, AS_OF)[["entered", "converted"]]).all(
        axis=None
    )
    expected = Counter()
    for episode in episodes_of(frame, STAGES):
        if episode.undated != "paid":
            continue
        place = max(n for n, stage in enumerate(STAGES) if episode.first(stage, STAGES))
        on = episode.entry(STAGES[place], STAGES).entered_on
        for n, step in enumerate(RANDOM.steps):
            if n >= place and (AS_OF - on).days >= step.horizon_days:
                expected[step.from_stage, "won" if n == place else "unseen"] += 1
    assert expected == {
        (row.from_stage, name): getattr(row, name)
        for row in found.itertuples()
        for name in ("won", "unseen")
        if getattr(row, name)
    }
    assert {name for _, name in expected} == {"won", "unseen"}
