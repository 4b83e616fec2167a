"""Counts of steps and outcomes: the README's counting rules on a few leads, then against a plain loop."""

from datetime import date

import ibis
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, rows_of, table
from loops import looped_days, looped_overall, looped_steps

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import ENDS
from funnelstats.core import counts
from funnelstats.core.counts import outcome_days, overall_counts, step_counts
from funnelstats.core.journeys import journeys, with_cohort, with_leads

FUNNEL = funnel_of("lead", "met", "paid")
STAGES = ("new", "встреча", "offer", "paid")
RANDOM = funnel_of(*STAGES, days=[5, 9, 14])
AS_OF = date(2026, 2, 10)


def toy(con, rows, funnel=FUNNEL):
    return journeys(table(con, entries_frame(rows)), funnel).cache()


def test_the_horizon_is_inclusive_and_an_open_horizon_is_too_recent(duckdb):
    lazy = toy(
        duckdb,
        [
            ("in time", "lead", "2026-01-05"),
            ("in time", "met", "2026-01-12"),
            ("too late", "lead", "2026-01-05"),
            ("too late", "met", "2026-01-13"),
            ("too recent", "lead", "2026-01-07"),
            ("too recent", "met", "2026-01-08"),
            ("tomorrow", "lead", "2026-01-14"),
        ],
    )
    assert rows_of(step_counts(lazy, FUNNEL, date(2026, 1, 13))) == [
        ("lead", "met", 2, 1, 1),
        ("met", "paid", 0, 0, 3),
    ]
    assert rows_of(step_counts(lazy, FUNNEL, date(2026, 1, 14)))[0] == ("lead", "met", 3, 2, 1)


def test_every_step_appears_when_nobody_entered_it(con):
    frame = step_counts(toy(con, [("a", "lost", "2026-01-05")]), FUNNEL, AS_OF)
    assert rows_of(frame) == [("lead", "met", 0, 0, 0), ("met", "paid", 0, 0, 0)]
    assert outcome_days(toy(con, []), FUNNEL, AS_OF).empty


def test_a_handed_over_lead_counts_with_the_manager_of_each_step(duckdb):
    lazy = toy(
        duckdb,
        [
            ("a", "lead", "2026-01-05", "Иванов"),
            ("a", "met", "2026-01-06", "Petrova"),
            ("b", "lead", "2026-01-05"),
        ],
    )
    assert rows_of(step_counts(lazy, FUNNEL, AS_OF, by="manager")) == [
        ("Petrova", "met", "paid", 1, 0, 0),
        ("Иванов", "lead", "met", 1, 1, 0),
        ("(missing)", "lead", "met", 1, 0, 0),
    ]


def test_blank_groups_are_visible_and_groups_add_up_to_the_total(duckdb):
    schema = ibis.schema({"lead_id": "string", "origin": "string", "staff": "float64"})
    leads = pd.DataFrame([("a", "unknown", 5.0), ("b", None, None), ("c", "-", 20.0)], columns=list(schema))
    lazy = with_leads(
        toy(duckdb, [(lead, "lead", "2026-01-05") for lead in "abcd"]), table(duckdb, leads, schema, "leads")
    )
    by_origin = step_counts(lazy, FUNNEL, AS_OF, by="origin")
    assert by_origin["origin"].tolist() == ["-", "unknown", "(missing)"]
    assert by_origin["entered"].tolist() == [1, 1, 2]
    by_staff = step_counts(lazy, FUNNEL, AS_OF, by=["staff"])
    assert by_staff["staff"].tolist() == [5, 20, "(missing)"]
    by_reason = step_counts(lazy, FUNNEL, AS_OF, by=["reason"])
    assert rows_of(by_reason) == [("(missing)", "lead", "met", 4, 0, 0)]


def test_days_are_local_dates_and_not_hours(duckdb):
    rows = [
        ("167 hours", "lead", "2026-03-28 23:30"),
        ("167 hours", "met", "2026-04-04 22:30"),
        ("191 hours", "lead", "2026-03-28 00:10"),
        ("191 hours", "met", "2026-04-04 23:50"),
        ("just past", "lead", "2026-03-28 23:59"),
        ("just past", "met", "2026-04-05 00:01"),
    ]
    assert step_counts(toy(duckdb, rows), FUNNEL, date(2026, 4, 10))["converted"].iloc[0] == 2


def test_the_dates_of_entry_are_those_of_the_step_counted(duckdb):
    lazy = toy(duckdb, [("a", "lead", "2026-01-05"), ("a", "met", "2026-01-10"), ("b", "met", "2026-01-20")])
    between = {"entered_between": (date(2026, 1, 10), date(2026, 1, 20))}
    assert step_counts(lazy, FUNNEL, AS_OF, **between)["entered"].tolist() == [1, 2]
    assert overall_counts(lazy, FUNNEL, AS_OF, **between)["entered"].tolist() == [1, 1]
    assert outcome_days(lazy, FUNNEL, AS_OF, **between)["open"].tolist() == [0, 1, 1]
    with pytest.raises(FunnelError, match=r"must be \(first, last\)"):
        step_counts(lazy, FUNNEL, AS_OF, entered_between=(date(2026, 1, 2), date(2026, 1, 1)))


def test_an_unknown_group_names_the_near_one(duckdb):
    with pytest.raises(FunnelError, match='no column "manger" to group by; did you mean "manager"'):
        step_counts(toy(duckdb, []), FUNNEL, AS_OF, by="manger")


def test_types_are_the_same_on_every_engine(con):
    lazy = with_cohort(journeys(table(con, random_entries(1, STAGES)), RANDOM), RANDOM)
    frame = step_counts(lazy, RANDOM, AS_OF, by=["cohort", "manager"])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "cohort": "datetime64[us]",
        "manager": "str",
        "from_stage": "str",
        "to_stage": "str",
        "entered": "int64",
        "converted": "int64",
        "too_recent": "int64",
    }
    assert set(frame["cohort"].dt.day_name()) == {"Monday"}


@pytest.mark.parametrize("seed", range(2))
def test_what_was_known_then_does_not_change_by_what_came_later(duckdb, seed):
    # What is dated backwards may change what was known: a closing before the lead's last entry changes which entry it
    # closes, an entry of the lead's own after one beyond it when it came in; a person who takes it whose it was. That
    # is rule 11's restating; pages open their tables as of the day.
    frame = random_entries(seed, STAGES, leads=300)
    times = frame.groupby(["lead_id", "stage"])["entered_at"].agg(["min", "max"]).unstack()
    first, last = times["min"][[*STAGES]], times["max"][[*STAGES]].max(axis=1)
    beyond = first[[*reversed(STAGES)]].cummin(axis=1)[[*STAGES]]
    backwards = (first > beyond).any(axis=1) | (times["min"][[*ENDS]].min(axis=1) < last)
    entries = table(duckdb, frame[~frame["lead_id"].isin(backwards.index[backwards])])
    funnel = RANDOM.model_copy(update={"owner_from": "entry"})
    as_of = date(2026, 1, 25)
    later = duckdb.create_table("later", journeys(entries, funnel), overwrite=True)
    then = duckdb.create_table("then", journeys(entries.filter(entries.entered_on <= as_of), funnel), overwrite=True)
    for count in (step_counts, overall_counts, outcome_days):
        pd.testing.assert_frame_equal(
            count(later, funnel, as_of, by="manager"), count(then, funnel, as_of, by="manager")
        )


@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_a_loop_over_random_histories(con, seed):
    frame = random_entries(seed, STAGES)
    lazy = con.create_table("kept", journeys(table(con, frame), RANDOM), overwrite=True)
    episodes = episodes_of(frame, STAGES)
    between = (date(2026, 1, 3), date(2026, 2, 8))
    arguments = {"by": ["manager"], "entered_between": between}
    for count, looped in ((step_counts, looped_steps), (overall_counts, looped_overall)):
        found = {row[:3]: row[3:] for row in rows_of(count(lazy, RANDOM, AS_OF, **arguments))}
        assert found == looped(episodes, RANDOM, AS_OF, between)
        assert min(map(sum, zip(*found.values(), strict=True))) > 0
    found = {row[:3]: row[3:] for row in rows_of(outcome_days(lazy, RANDOM, AS_OF, **arguments))}
    assert found == looped_days(episodes, RANDOM, AS_OF, between)
    assert min(map(sum, zip(*found.values(), strict=True))) > 0


@pytest.mark.parametrize(("count", "scans"), [(step_counts, 1), (overall_counts, 2), (outcome_days, 1)])
def test_one_query_scans_the_journeys_as_often_whatever_the_number_of_steps(count, scans, monkeypatch):
    con = ibis.duckdb.connect()
    fetched = []
    fetch = counts.fetch
    monkeypatch.setattr(counts, "fetch", lambda query: fetched.append(query) or fetch(query))
    for stages in (STAGES[:2], STAGES):
        funnel = funnel_of(*stages)
        kept = con.create_table(
            f"kept{len(stages)}", journeys(table(con, random_entries(1, stages)), funnel), overwrite=True
        )
        count(kept, funnel, AS_OF, by="manager")
        plan = con.raw_sql(f"explain {ibis.to_sql(fetched[-1])}").fetchall()[0][1]
        assert plan.count(f"kept{len(stages)}") == scans
    assert len(fetched) == 2
