"""What came of each contact: on a few leads, then against a plain loop on random histories, on every engine."""

from collections import Counter
from datetime import date, timedelta

import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, table
from contact_histories import CONTACTS_SCHEMA, contacts_frame, random_contacts, touches_of

from funnelstats.config.errors import FunnelError
from funnelstats.contacts.counts import CONTACT_COUNTS, OUTSIDE, QUIET_COUNTS, contact_counts, quiet_counts, touches
from funnelstats.core.counts import fetch
from funnelstats.core.journeys import journeys

FUNNEL = funnel_of("lead", "met", "paid")
STAGES = ("new", "встреча", "offer", "paid")
RANDOM = funnel_of(*STAGES)
AS_OF = date(2026, 3, 1)


def touched(con, contacts, entries, funnel=FUNNEL):
    paths = journeys(table(con, entries), funnel).cache()
    return touches(table(con, contacts, CONTACTS_SCHEMA, "contacts"), paths, funnel)


def toy(con, contacts, entries):
    """Stage, moves and days of each contact, in the order of time."""
    rows = fetch(touched(con, contacts_frame(contacts), entries_frame(entries)))
    return [tuple(row) for row in rows.sort_values(["lead_id", "at"])[["stage", "moves", "days"]].to_numpy()]


def test_a_contact_at_which_the_lead_moves_is_effective_and_one_after_it_is_not(duckdb):
    entries = [("a", "lead", "2026-01-05 09:00"), ("a", "met", "2026-01-07 10:00")]
    contacts = [("a", "2026-01-06 10:00"), ("a", "2026-01-07 10:00"), ("a", "2026-01-07 10:01")]
    assert toy(duckdb, contacts, entries) == [("lead", 0, 1), ("lead", 1, 1), ("met", 0, 8)]


def test_a_robot_and_nobody_are_groups_of_their_own(duckdb):
    rows = [("a", "2026-01-06", "call", who) for who in ("robot", None, " ", "Anna")]
    lazy = touched(duckdb, contacts_frame(rows), entries_frame([("a", "lead", "2026-01-05")]))
    counts = contact_counts(lazy, FUNNEL, AS_OF, by="manager")
    assert counts["manager"].tolist() == ["Anna", "robot", "(missing)"]
    assert counts["contacts"].tolist() == [1, 1, 1]


def test_no_contacts_give_frames_of_the_same_shape(con):
    paths = journeys(table(con, entries_frame([("a", "lead", "2026-01-05")])), FUNNEL).cache()
    lazy = touches(table(con, contacts_frame([]), CONTACTS_SCHEMA, "contacts"), paths, FUNNEL).cache()
    for none, some in ((contact_counts(None, FUNNEL, AS_OF), contact_counts(lazy, FUNNEL, AS_OF)),):
        pd.testing.assert_frame_equal(none, some.astype(none.dtypes.to_dict()), check_index_type=False)
    assert touches(None, paths, FUNNEL) is None
    assert quiet_counts(None, paths, FUNNEL, AS_OF).columns.tolist() == ["stage", *QUIET_COUNTS]
    assert quiet_counts(lazy, paths, FUNNEL, date(2026, 1, 7)).iloc[0].tolist() == ["lead", 3, 0, 0]


def test_an_export_with_nothing_but_lead_time_and_kind_will_do(con):
    bare = contacts_frame([("a", "2026-01-06")])[["lead_id", "at", "kind"]]
    paths = journeys(table(con, entries_frame([("a", "lead", "2026-01-05")])), FUNNEL).cache()
    schema = {name: CONTACTS_SCHEMA[name] for name in bare}
    contacts = table(con, bare, type(CONTACTS_SCHEMA)(schema), "contacts")
    lazy = touches(contacts, paths, FUNNEL.model_copy(update={"timezone": "UTC"}))
    assert touches(contacts, paths, FUNNEL).to_pandas()["on"].astype("str").tolist() == ["2026-01-06"]
    cell = contact_counts(lazy, FUNNEL, AS_OF).iloc[0]
    assert pd.isna(cell.pop("conversations")), "what is not known is no 0"
    assert cell.tolist() == ["(missing)", "call", "lead", 1, 0, 0, 0, 8, 0]


def test_mistakes_are_named(duckdb):
    lazy = touched(duckdb, contacts_frame([]), entries_frame([]))
    with pytest.raises(FunnelError, match='no column "managr"'):
        contact_counts(lazy, FUNNEL, AS_OF, by="managr")
    with pytest.raises(FunnelError, match=r"between must be \(first, last\)"):
        contact_counts(lazy, FUNNEL, AS_OF, between=(date(2026, 1, 2), date(2026, 1, 1)))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_contact_comes_out_as_a_plain_loop_finds(con, seed):
    entries, contacts = random_entries(seed, STAGES), random_contacts(seed)
    expected = Counter(
        (t.lead_id, t.episode, t.at, t.kind, t.manager, t.conversation, t.stage, t.moves, t.sold, t.days)
        for t in touches_of(contacts, entries, STAGES)
    )
    rows = fetch(touched(con, contacts, entries, RANDOM))
    found = Counter(
        (r.lead_id, None if pd.isna(r.episode) else int(r.episode), r.at, r.kind, r.manager, bool(r.conversation),
         r.stage, int(r.moves), bool(r.sold), int(r.days))
        for r in rows.itertuples()
    )  # fmt: skip
    assert found == expected
    assert {t[6] for t in expected} == {*STAGES, OUTSIDE}
    assert max(t[7] for t in expected) >= 2


@pytest.mark.parametrize(("seed", "between"), [(1, None), (2, (date(2026, 1, 10), date(2026, 2, 12)))])
def test_contacts_are_counted_as_a_plain_loop_does(con, seed, between):
    entries, contacts = random_entries(seed, STAGES), random_contacts(seed)
    as_of = date(2026, 2, 10)
    expected = {}
    for t in touches_of(contacts, entries, STAGES):
        if t.on > as_of or (between and not between[0] <= t.on <= between[1]):
            continue
        cell = expected.setdefault((t.manager, t.kind, t.stage), dict.fromkeys(CONTACT_COUNTS, 0))
        if (as_of - t.on).days < 7:
            cell["too_recent"] += 1
            continue
        more = (1, t.conversation, t.moves > 0, t.moves, t.sold, t.days)
        for name, number in zip(CONTACT_COUNTS, more, strict=False):
            cell[name] += int(number)
    lazy = touched(con, contacts, entries, RANDOM).cache()
    found = contact_counts(lazy, RANDOM, as_of, between=between)
    keys = list(zip(found["manager"], found["kind"], found["stage"], strict=True))
    assert dict(zip(keys, found[CONTACT_COUNTS].to_dict("records"), strict=True)) == expected
    places = [(*STAGES, OUTSIDE).index(stage) for manager, kind, stage in keys if (manager, kind) == keys[0][:2]]
    assert places == sorted(places)
    assert {str(kind) for kind in found[CONTACT_COUNTS].dtypes} == {"int64"}
    weekly = contact_counts(lazy, RANDOM, as_of, ["week", "kind"], between=between)
    made = [t for t in touches_of(contacts, entries, STAGES) if t.on <= as_of]
    made = [t for t in made if not between or between[0] <= t.on <= between[1]]
    counted = weekly.assign(made=weekly["contacts"] + weekly["too_recent"]).set_index(["week", "kind"])["made"]
    mondays = Counter((pd.Timestamp(t.on - timedelta(t.on.weekday())), t.kind) for t in made)
    assert counted.to_dict() == mondays
    every = contact_counts(lazy, RANDOM, as_of, by=[], between=between)
    assert every.to_dict("records") == [found[CONTACT_COUNTS].sum().to_dict()]


@pytest.mark.parametrize(("seed", "between"), [(1, None), (3, (date(2026, 1, 12), date(2026, 2, 5)))])
def test_quiet_days_are_those_of_a_loop_over_every_day_of_every_lead(con, seed, between):
    entries, contacts = random_entries(seed, STAGES), random_contacts(seed)
    as_of = date(2026, 2, 10)
    first, last = (date(2025, 1, 1), as_of) if between is None else between
    made = {}
    for t in touches_of(contacts, entries, STAGES):
        made.setdefault((t.lead_id, t.episode, t.stage), []).append(t)
    expected = {}
    for episode in episodes_of(entries, STAGES):
        for stage in STAGES[:-1]:
            stay = episode.stay(stage, STAGES)
            if stay is None or stay[0] > last:
                continue
            entered, _, left, outcome = stay
            moved = left is not None and left <= last and outcome == "advanced"
            until = left if left is not None and left <= last else last
            own = made.get((episode.lead_id, episode.number, stage), [])
            days = [entered + timedelta(days=n) for n in range((until - entered).days + 1)]
            days = [day for day in days if first <= day]
            if not days:
                continue
            quiet = [d for d in days if not any(t.on <= d <= t.on + timedelta(days=7) for t in own)]
            cell = expected.setdefault(stage, [0, 0, 0])
            cell[0] += len(quiet)
            cell[1] += moved and not any(t.moves for t in own)
            cell[2] += moved
    paths = journeys(table(con, entries), RANDOM).cache()
    lazy = touches(table(con, contacts, CONTACTS_SCHEMA, "contacts"), paths, RANDOM).cache()
    found = quiet_counts(lazy, paths, RANDOM, as_of, between=between)
    assert {r[0]: list(r[1:]) for r in found.itertuples(index=False)} == expected
    assert (found["quiet_moves"] <= found["quiet_days"]).all()
