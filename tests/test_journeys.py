"""One row for each stage reached: the README's counting rules on histories of a few rows, then against a loop."""

import ibis
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, table

from funnelstats.config.errors import FunnelError
from funnelstats.core.journeys import journeys, with_cohort, with_leads

FUNNEL = funnel_of("lead", "met", "paid")


OF_STAGE = {"": "reached_at", "_on": "reached_on", "_entered_on": "entered_on", "_manager": "manager"}
OF_STAGE |= {"_back_on": "back_on", "_skipped": "skipped"}


def journeys_of(con, rows, funnel=FUNNEL):
    """The journeys of a toy as one dict for each episode, blanks as None."""
    return by_episode(journeys(table(con, entries_frame(rows)), funnel), funnel)


def by_episode(lazy, funnel):
    frame = lazy.to_pandas().sort_values(["lead_id", "episode", "place"]).astype(object)
    found = {}
    for row in frame.where(frame.notna(), None).to_dict("records"):
        nowhere = {f"{stage}{end}": None for stage in funnel.stages for end in OF_STAGE}
        episode = found.setdefault((row["lead_id"], row["episode"]), row | nowhere)
        episode |= {f"{row['stage']}{end}": row[name] for end, name in OF_STAGE.items()}
    return list(found.values())


def on(day):
    return pd.Timestamp(2026, 1, day)


def test_the_unit_is_the_lead_episode(duckdb):
    first, second = journeys_of(
        duckdb,
        [
            ("a", "lead", "2026-01-05"),
            ("a", "lost", "2026-01-06", "Anna", "price"),
            ("a", "met", "2026-01-20"),
        ],
    )
    assert (first["episode"], first["lead_on"], first["lost_on"]) == (1, on(5), on(6))
    assert (second["episode"], second["met_on"], second["lost_on"]) == (2, on(20), None)


def test_a_reopened_lead_is_in_no_stage_before_the_one_it_reopens_at(duckdb):
    days = {5: "lead", 6: "lost", 9: "met", 12: "lead", 15: "paid"}
    entries = table(duckdb, entries_frame([("a", stage, f"2026-01-{day:02}") for day, stage in days.items()]))
    lazy = journeys(entries, FUNNEL)
    again = lazy.filter(lazy.episode == 2)
    (one,) = by_episode(again, FUNNEL)
    assert [one[name] for name in ("lead", "lead_on", "lead_entered_on", "lead_manager", "met_on", "paid_on")] == [
        *[None] * 4,
        on(9),
        on(15),
    ]
    found = again.to_pandas()
    assert found.sort_values("entered_on")["stage"].tolist() == ["met", "paid"]
    assert with_cohort(again, FUNNEL).to_pandas()["cohort"].tolist() == [on(5), on(5)]


@pytest.mark.parametrize(("minutes", "hours", "episodes"), [(60, 1, 1), (61, 1, 2), (61, 24, 1), (1, 0, 2)])
def test_an_end_put_right_within_the_stated_hours_is_none(duckdb, minutes, hours, episodes):
    back = pd.Timestamp("2026-01-06 10:00") + pd.Timedelta(minutes=minutes)
    rows = [
        ("a", "lead", "2026-01-05"),
        ("a", "lost", "2026-01-06 10:00", "Anna", "price"),
        ("a", "lead", str(back)),
        ("a", "met", "2026-01-20"),
        ("a", "nurture", "2026-01-22"),
    ]
    found = journeys_of(duckdb, rows, FUNNEL.model_copy(update={"correction_hours": hours}))
    assert len(found) == episodes
    if episodes == 1:
        assert (found[0]["lead_on"], found[0]["lost_on"], found[0]["reason"]) == (on(5), None, None)
        assert (found[0]["met_on"], found[0]["nurture_on"]) == (on(20), on(22))


def test_a_stage_belongs_to_the_first_person_who_took_the_lead_there(duckdb):
    rows = [
        ("taken", "lead", "2026-01-05 10:00", "Queue"),
        ("taken", "lead", "2026-01-05 10:05", "Boris"),
        ("taken", "lead", "2026-01-06", "Anna"),
        ("blank", "lead", "2026-01-05", None),
        ("blank", "lead", "2026-01-06", "Anna"),
        ("too late", "lead", "2026-01-05", "Queue"),
        ("too late", "met", "2026-01-06", "Anna"),
        ("too late", "lead", "2026-01-07", "Anna"),
        ("never", "lead", "2026-01-05", "Queue"),
        ("own", "lead", "2026-01-05", "Claire"),
        ("own", "lead", "2026-01-06", "Anna"),
        ("weeks later", "lead", "2026-01-05", "Queue"),
        ("weeks later", "lead", "2026-02-05", "Anna"),
        ("long ago", "lead", "1926-01-05", "Anna"),
    ]
    queue = FUNNEL.model_copy(update={"system_users": ("Queue",)})
    found = {one["lead_id"]: one["lead_manager"] for one in journeys_of(duckdb, rows, queue)}
    first = {"taken": "Boris", "blank": "Anna", "too late": "Queue", "never": "Queue", "own": "Claire"}
    assert found == {**first, "weeks later": "Queue", "long ago": "Anna"}
    strict = queue.model_copy(update={"owner_from": "entry"})
    found = {one["lead_id"]: one["lead_manager"] for one in journeys_of(duckdb, rows, strict)}
    assert [found["taken"], found["blank"]] == ["Queue", "(missing)"]


def test_an_end_without_a_date_is_one_unless_a_dated_one_is_known(duckdb):
    rows = [
        ("won", "lead", "2026-01-05"),
        ("won", "paid", None),
        ("lost", "lead", "2026-01-05"),
        ("lost", "lost", None, None, "price"),
        ("known", "lead", "2026-01-05"),
        ("known", "lost", "2026-01-06"),
        ("known", "lost", None, None, "price"),
        ("again", "lead", "2026-01-05"),
        ("again", "lost", "2026-01-06"),
        ("again", "lead", "2026-01-08"),
        ("again", "nurture", None),
        ("nothing else", "paid", None),
    ]
    found = journeys_of(duckdb, rows)
    assert [(one["lead_id"], one["undated"], one["reason"]) for one in found] == [
        ("again", None, "(missing)"),
        ("again", "nurture", None),
        ("known", None, "(missing)"),
        ("lost", "lost", "price"),
        ("won", "paid", None),
    ]


def test_reached_is_monotone_and_a_step_back_takes_nothing_away(duckdb):
    (one,) = journeys_of(duckdb, [("a", "lead", "2026-01-05"), ("a", "met", "2026-01-06"), ("a", "lead", "2026-01-09")])
    assert (one["lead_on"], one["met_on"], one["met_back_on"]) == (on(5), on(6), on(9))


def test_a_skipped_stage_counts_as_reached(duckdb):
    (one,) = journeys_of(duckdb, [("a", "lead", "2026-01-05", "Anna"), ("a", "paid", "2026-01-08", "Boris")])
    assert (one["met_on"], one["paid_on"], one["met_manager"]) == (on(8), on(8), "Boris")


def test_ties_follow_the_order_of_the_funnel_and_ends_come_last(duckdb):
    at = "2026-01-05 10:00"
    (one,) = journeys_of(duckdb, [("a", "lost", at, "Anna"), ("a", "met", at, "Boris"), ("a", "lead", at, "Claire")])
    assert (one["lead_manager"], one["met_manager"]) == ("Claire", "Boris")
    assert (one["episode"], one["lost_on"], one["met_back_on"]) == (1, on(5), None)


def test_a_backdated_closing_before_the_first_entry_still_ends_the_lead(duckdb):
    (one,) = journeys_of(duckdb, [("a", "lost", "2026-01-03", "Anna", "price"), ("a", "lead", "2026-01-05")])
    assert (one["lead_on"], one["lost_on"], one["reason"]) == (on(5), on(3), "price")


def test_a_backdated_win_still_counts_and_moves_no_entry(duckdb):
    rows = [("a", "lead", "2026-01-05"), ("a", "met", "2026-01-07"), ("a", "paid", "2026-01-03")]
    (one,) = journeys_of(duckdb, rows)
    assert (one["lead_on"], one["met_entered_on"], one["paid_on"]) == (on(5), on(7), on(3))
    assert (one["met_back_on"], one["paid_back_on"]) == (None, None)
    frame = journeys(table(duckdb, entries_frame(rows)), FUNNEL).to_pandas()
    frame = frame.sort_values("stage").astype(object).where(lambda found: found.notna(), None)
    assert frame[["stage", "entered_on", "left_on", "outcome", "timed"]].to_numpy().tolist() == [
        ["lead", on(5), on(5), "advanced", False],
        ["met", on(7), on(7), "advanced", False],
        ["paid", on(3), None, None, True],
    ]


def test_stages_of_no_funnel_are_ignored(duckdb):
    (one,) = journeys_of(duckdb, [("a", "lead", "2026-01-05"), ("a", "demo", "2026-01-02")])
    assert one["lead_on"] == on(5)


def test_blank_managers_and_reasons_are_visible(con):
    rows = [
        ("a", "lead", "2026-01-05", " "),
        ("a", "lost", "2026-01-06", "unknown"),
        ("b", "lead", "2026-01-05"),
    ]
    lost, open_ = journeys_of(con, rows)
    assert (lost["lead_manager"], open_["lead_manager"]) == ("(missing)", "(missing)")
    assert (lost["reason"], open_["reason"]) == ("(missing)", None)


def test_entries_need_no_manager_no_reason_and_no_date_which_is_then_that_of_the_funnels_zone(con):
    bare = entries_frame([("a", "lead", "2026-01-05 23:30"), ("a", "lost", "2026-01-07")])
    schema = ibis.schema({"lead_id": "string", "stage": "string", "entered_at": "timestamp"})
    entries = table(con, bare[list(schema)], schema)
    one = journeys(entries, FUNNEL.model_copy(update={"timezone": "UTC"})).to_pandas().iloc[0]
    assert (one["reached_on"], one["manager"], one["reason"]) == (on(5), "(missing)", "(missing)")
    assert journeys(entries, FUNNEL).to_pandas()["reached_on"].item() == on(6)


def test_entries_that_are_no_instants_of_utc_are_refused(duckdb):
    entries = duckdb.create_table(
        "rows", pd.DataFrame({"lead_id": ["a"], "stage": ["lead"], "entered_at": ["2026-01-05"]})
    )
    for kind in ("string", "timestamp('UTC')", "date"):
        typed = entries.mutate(entered_at=entries.entered_at.cast(kind))
        with pytest.raises(FunnelError, match="entered_at: must hold instants of UTC without a zone, got"):
            journeys(typed, FUNNEL)


def test_a_stage_logged_without_managers_belongs_to_nobody(con):
    rows = [
        ("a", "lead", "2026-01-05", None),
        ("b", "met", "2026-01-04", "Anna"),
        ("b", "lead", "2026-01-05", None),
    ]
    first, second = journeys_of(con, rows)
    assert (first["lead_manager"], second["lead_manager"], second["met_manager"]) == ("(missing)", "(missing)", "Anna")


def assert_cohorts(con, unit, cohorts):
    """That leads which came in on these days, as text, are of these cohorts."""
    entries = table(con, entries_frame([(day, "lead", day) for day in cohorts]))
    found = with_cohort(journeys(entries, FUNNEL), FUNNEL, unit)
    assert found.schema()["cohort"].is_date()
    assert found.to_pandas().set_index("lead_id")["cohort"].to_dict() == {
        day: pd.Timestamp(first) for day, first in cohorts.items()
    }


@pytest.mark.parametrize(
    ("unit", "cohorts"),
    [
        ("week", {"2026-01-05": "2026-01-05", "2026-01-11": "2026-01-05", "2027-01-03": "2026-12-28"}),
        ("month", {"2026-02-28": "2026-02-01"}),
        ("quarter", {"2026-06-30": "2026-04-01"}),
    ],
)
def test_cohorts_are_iso_weeks_months_or_quarters_of_entry(con, unit, cohorts):
    assert_cohorts(con, unit, cohorts)


def test_quarters_of_cohorts_are_those_of_the_fiscal_year(con, fiscal):
    fiscal(2)
    first = {"2026-01-31": "2025-11-01", "2026-04-30": "2026-02-01"}
    assert_cohorts(con, "quarter", {**first, "2026-05-31": "2026-05-01", "2028-02-29": "2028-02-01"})


@pytest.mark.usefixtures("sundays")
def test_weeks_of_cohorts_begin_on_the_day_stated(con):
    assert_cohorts(con, "week", {"2026-06-20": "2026-06-14", "2026-06-21": "2026-06-21"})


def test_an_unknown_cohort_unit_names_the_near_one(duckdb):
    entries = table(duckdb, entries_frame([("a", "lead", "2026-01-05")]))
    with pytest.raises(FunnelError, match='no cohort unit "weeks"; did you mean "week"'):
        with_cohort(journeys(entries, FUNNEL), FUNNEL, "weeks")


def with_toy_leads(con, columns=None):
    rows = [(lead, "lead", "2026-01-05", "Anna") for lead in "abcd"]
    schema = ibis.schema({"lead_id": "string", "channel": "string", "manager": "string", "amount": "float64"})
    leads = pd.DataFrame(
        [("a", "fair", "Boris", 5.0), ("b", None, None, None), ("c", "-", "", 1.0)], columns=list(schema)
    )
    attributes = table(con, leads, schema, "leads")
    joined = with_leads(journeys(table(con, entries_frame(rows)), FUNNEL), attributes, columns)
    return joined.to_pandas().sort_values("lead_id")


def test_blank_attributes_and_unknown_leads_are_visible_and_nobody_is_dropped(con):
    frame = with_toy_leads(con)
    assert frame["channel"].tolist() == ["fair", "(missing)", "-", "(missing)"]
    assert frame["current_manager"].tolist() == ["Boris", "(missing)", "(missing)", "(missing)"]
    assert frame["amount"].isna().tolist() == [False, True, False, True]


def test_only_the_wanted_attributes_are_joined(duckdb):
    frame = with_toy_leads(duckdb, ["channel"])
    assert "amount" not in frame
    with pytest.raises(FunnelError, match='no column "chanel" in the leads; did you mean "channel"'):
        with_toy_leads(duckdb, ["chanel"])


def test_an_attribute_cannot_take_the_name_of_a_column_of_the_journeys(duckdb):
    schema = ibis.schema({"lead_id": "string", "outcome": "string"})
    leads = table(duckdb, pd.DataFrame({"lead_id": ["a"], "outcome": ["yes"]}), schema, "leads")
    entries = table(duckdb, entries_frame([("a", "lead", "2026-01-05")]))
    with pytest.raises(FunnelError, match='"outcome"; rename it'):
        with_leads(journeys(entries, FUNNEL), leads)
    others = leads.rename(channel="outcome")
    with pytest.raises(FunnelError, match='have a column "channel" already; join those of the leads once'):
        with_leads(with_leads(journeys(entries, FUNNEL), others), others)


@pytest.mark.parametrize(("seed", "hours"), [(0, 1), (1, 8), (2, 30)])
def test_journeys_equal_a_loop_over_random_histories(con, seed, hours):
    funnel = funnel_of("new", "встреча", "offer", "paid").model_copy(update={"correction_hours": hours})
    frame = random_entries(seed, funnel.stages, undated=15)
    frame["reason"] = frame["reason"].where(frame["entered_at"].notna(), None)
    expected = {}
    for episode in episodes_of(frame, funnel.stages, hours):
        lost, nurture = episode.end("lost"), episode.end("nurture")
        of_episode = [lost and lost.entered_at, lost and lost.entered_on]
        of_episode += [nurture and nurture.entered_at, nurture and nurture.entered_on]
        of_episode += [episode.reason() if lost or episode.undated == "lost" else None, episode.undated]
        for stage in funnel.stages:
            if stay := episode.stay(stage, funnel.stages):
                first = episode.first(stage, funnel.stages)
                row = [first.entered_at, first.entered_on, episode.back_on(stage, funnel.stages)]
                row += [not episode.own(stage, funnel.stages), *stay, episode.timed(stage, funnel.stages)]
                expected[episode.lead_id, episode.number, stage] = row + of_episode
    lazy = journeys(table(con, frame), funnel).select(
        *("lead_id", "episode", "stage", "reached_at", "reached_on", "back_on", "skipped"),
        *("entered_on", "manager", "left_on", "outcome", "timed"),
        *("lost_at", "lost_on", "nurture_at", "nurture_on", "reason", "undated"),
    )
    assert records(lazy, ["lead_id", "episode", "stage"]) == expected


def records(lazy, keys):
    """Rows by key; dates as dates and blanks as None, so that engines and loops compare."""
    frame = lazy.to_pandas()
    assert not frame.duplicated(keys).any()
    dates = {name for name, kind in lazy.schema().items() if kind.is_date()}
    plain = pd.DataFrame(
        {name: [None if pd.isna(v) else v.date() if name in dates else v for v in frame[name]] for name in frame},
        dtype=object,
    ).set_index(keys)
    return {key: [None if v is None or v is pd.NaT else v for v in row] for key, *row in plain.itertuples()}
