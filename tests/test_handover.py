"""What became of every hand-over: on a few leads, then against a plain loop over random histories."""

import gc
from collections import Counter, defaultdict
from datetime import date, timedelta
from functools import cache

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, reason, table

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import ENDS, MISSING
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.journeys import journeys
from funnelstats.loop.base_counts import attribute_sizes, record_counts, ticket_moments, wins, won_counts
from funnelstats.loop.counts import (
    STATES,
    followed_to,
    hand_over_counts,
    hand_over_days,
    hand_overs,
    handed_over,
    state_counts,
)
from funnelstats.plan.counts import open_leads

STAGES = ("new", "встреча", "offer", "paid")
MARCH, AS_OF = (date(2026, 1, 10), date(2026, 2, 10)), date(2026, 2, 15)
EVER = (date(2025, 1, 1), date(2026, 12, 31))

LEADS = ibis.schema(
    {
        "lead_id": "string",
        "manager": "string",
        "channel": "string",
        "campaign": "string",
        "amount": "float64",
        "ready_budget": "boolean",
        "nurtured": "string",
        "company": "string",
    }
)
CONTACTS = ibis.schema({"lead_id": "string", "at": "timestamp", "on": "date", "kind": "string", "manager": "string"})
PAYMENTS = ibis.schema({"lead_id": "string", "paid_at": "timestamp", "paid_on": "date", "amount": "float64"})


def stated(*stages, system_users=("robot",), **loop):
    funnel = funnel_of(*stages, days=[7, 10, 12][: len(stages) - 1])
    said = {"idle_days": 5, "idle_days_at": {stages[-2]: 9}, "wrongly_qualified": ["no fit"], "nurtured": "nurtured"}
    return funnel.model_validate(
        {
            **funnel.model_dump(),
            "system_users": system_users,
            "refusals": {"categories": {"terms": "no fit"}},
            "loop": {**said, **loop},
            "lead_base": {"company": "company"},
        }
    )


FUNNEL = stated("lead", "met", "paid")
RANDOM = stated(*STAGES)


def leads_frame(rows):
    """Leads from dicts; what is not said is blank."""
    return pd.DataFrame(rows, columns=list(LEADS)).astype({"amount": "float64"})


def contacts_frame(rows):
    frame = pd.DataFrame([(*row, *(None,) * (3 - len(row))) for row in rows], columns=["lead_id", "at", "manager"])
    at = pd.to_datetime(frame["at"], format="ISO8601").astype("datetime64[us]")
    return frame.assign(at=at, on=at.dt.date, kind="call")[list(CONTACTS)]


def payments_frame(rows):
    frame = pd.DataFrame(rows, columns=["lead_id", "paid_at", "amount"])
    at = pd.to_datetime(frame["paid_at"]).astype("datetime64[us]")
    return frame.assign(paid_at=at, paid_on=at.dt.date)[list(PAYMENTS)].astype({"amount": "float64"})


def toy(con, entries, contacts=(), leads=None, funnel=FUNNEL, **more):
    ids = list(dict.fromkeys(row[0] for row in entries))
    people = table(con, leads_frame(leads or [{"lead_id": lead} for lead in ids]), LEADS, "leads")
    made = None if contacts is None else table(con, contacts_frame(contacts), CONTACTS, "contacts")
    paths = journeys(table(con, entries_frame(entries)), funnel).cache()
    return handed_over(paths, people, funnel, AS_OF, MARCH, contacts=made, **more)


def states_of(handed):
    frame = handed.to_pandas()
    return dict(zip(frame["lead_id"], frame["lead_state"], strict=True))


IN_EACH_STATE = [
    ("won", "lead", "2026-02-01"),
    ("won", "paid", "2026-02-02"),
    ("won", "lost", "2026-02-03"),
    ("price", "lead", "2026-02-01"),
    ("price", "lost", "2026-02-03", None, "price"),
    ("misfit", "lead", "2026-02-01"),
    ("misfit", "lost", "2026-02-03", None, "terms"),
    ("back", "lead", "2026-02-01"),
    ("back", "nurture", "2026-02-03"),
    ("untouched", "lead", "2026-02-01"),
    ("silent", "lead", "2026-02-01"),
    ("silent", "met", "2026-02-05"),
    ("idle", "lead", "2026-02-01"),
    ("moving", "lead", "2026-02-01"),
    ("early", "lead", "2026-01-09"),
    ("late", "lead", "2026-02-11"),
]
CALLS = [("idle", "2026-02-09"), ("moving", "2026-02-10"), ("untouched", "2026-01-31"), ("untouched", "2026-02-16")]


def test_every_lead_handed_over_in_the_month_is_in_one_state(duckdb):
    handed = toy(duckdb, IN_EACH_STATE, CALLS)
    assert states_of(handed) == {
        "won": "won",
        "price": "refused",
        "misfit": "wrongly qualified",
        "back": "returned to marketing",
        "untouched": "never touched",
        "silent": "inactive",
        "idle": "inactive",
        "moving": "active and moving",
    }


def test_without_contacts_nobody_is_called_untouched(duckdb):
    assert states_of(toy(duckdb, IN_EACH_STATE, None))["untouched"] == "inactive"


def test_without_contacts_nobody_is_inactive_who_has_days_left_for_the_step():
    assert funnel_of("lead", "met", "paid", days=60).idle_days(False) == {"lead": 60, "met": 60}
    assert funnel_of("lead", "met", "paid", days=60).idle_days(True) == {"lead": 14, "met": 14}
    assert stated("lead", "met", "paid", idle_days=5, idle_days_at={"met": 9}).idle_days(False) == {"lead": 5, "met": 9}


def test_idle_days_are_those_of_the_stage_where_the_lead_stands(duckdb):
    funnel = stated("lead", "met", "paid", idle_days_at={"met": 11})
    assert states_of(toy(duckdb, IN_EACH_STATE, CALLS, funnel=funnel))["silent"] == "active and moving"
    nine = [("a", "lead", "2026-02-01"), ("a", "met", "2026-02-06")]
    assert states_of(toy(duckdb, nine, CALLS))["a"] == "active and moving"
    assert states_of(toy(duckdb, nine, None))["a"] == "still in time", "nobody knows who is worked on"


def test_a_robots_contact_touches_nobody_and_a_contact_on_the_day_of_the_hand_over_does(duckdb):
    rows = [("a", "lead", "2026-02-01 12:00"), ("b", "lead", "2026-02-01 12:00")]
    handed = toy(duckdb, rows, [("a", "2026-02-05", "robot"), ("b", "2026-02-01 09:00", "Anna")])
    assert states_of(handed) == {"a": "never touched", "b": "inactive"}


def test_a_step_back_is_a_move(duckdb):
    rows = [("a", "lead", "2026-02-01"), ("a", "met", "2026-02-01"), ("a", "lead", "2026-02-12")]
    assert states_of(toy(duckdb, rows)) == {"a": "active and moving"}


def test_a_later_hand_over_stage_and_marketings_channels_decide_who_was_handed_over(duckdb):
    funnel = stated("lead", "met", "paid", handed_over="met", marketing=["web"])
    rows = [(lead, *entry) for lead in "abc" for entry in (("lead", "2026-01-02"), ("met", "2026-02-02", "Anna"))]
    leads = [{"lead_id": "a", "channel": "web"}, {"lead_id": "b", "channel": "fair"}, {"lead_id": "c"}]
    frame = toy(duckdb, [*rows, ("d", "lead", "2026-02-02")], leads=leads, funnel=funnel).to_pandas()
    assert frame[["lead_id", "manager", "channel", "stage"]].to_numpy().tolist() == [["a", "Anna", "web", "met"]]


def test_marketing_channels_need_a_channel_and_columns_of_ours_keep_their_meaning(duckdb):
    funnel = stated("lead", "met", "paid", marketing=["web"])
    paths = journeys(table(duckdb, entries_frame([("a", "lead", "2026-02-01")])), funnel)
    people = table(duckdb, leads_frame([{"lead_id": "a"}]), LEADS, "leads")
    with pytest.raises(FunnelError, match="leads of this export have no channel"):
        hand_overs(paths, people.drop("channel"), funnel, AS_OF, MARCH)
    with pytest.raises(FunnelError, match='"stage"; rename it'):
        hand_overs(paths, people.mutate(stage=ibis.literal("x")), funnel, AS_OF, MARCH, keep=["stage"])
    with pytest.raises(FunnelError, match="start must not be after its end"):
        hand_overs(paths, people, funnel, AS_OF, MARCH[::-1])


def test_flags_are_yes_no_and_unknown_and_nurtured_is_no_unless_said(con):
    rows = [(lead, "lead", "2026-02-01") for lead in "abc"]
    leads = [
        {"lead_id": "a", "ready_budget": True, "nurtured": " ДА "},
        {"lead_id": "b", "ready_budget": False, "nurtured": "0"},
        {"lead_id": "c"},
    ]
    frame = toy(con, rows, leads=leads, keep=["ready_budget", "nurtured"]).to_pandas().sort_values("lead_id")
    assert frame["ready_budget"].tolist() == ["yes", "no", "unknown"]
    assert frame["nurtured"].tolist() == ["yes", "no", "no"]


def test_an_export_without_channel_campaign_and_amount_has_them_missing(con):
    paths = journeys(table(con, entries_frame([("a", "lead", "2026-02-01")])), FUNNEL).cache()
    people = table(con, leads_frame([{"lead_id": "a"}]), LEADS, "leads").select("lead_id", "manager")
    frame = state_counts(handed_over(paths, people, FUNNEL, AS_OF, MARCH), ["channel", "campaign"])
    assert frame[["channel", "campaign", "leads", "without_amount"]].to_numpy().tolist() == [[MISSING, MISSING, 1, 1]]
    assert frame["amount"].isna().all()


@pytest.fixture(scope="module", autouse=True)
def _dropped_before_the_server_ends():
    yield
    random_project.cache_clear()
    gc.collect()


@cache
def random_project(con, seed, leads=120):
    """Tables of random histories and the frames they hold, for tests that only read them."""
    random = np.random.default_rng(seed)
    entries = random_entries(seed, STAGES, leads)
    # nearly every random history has an end, so leave those of half the leads out
    entries = entries[~entries["stage"].isin(["lost", "nurture"]) | (entries["lead_id"] > f"L{leads // 2:03}")]
    entries = entries.assign(reason=random.choice(np.array(["price", "terms", "no fit", None]), size=len(entries)))
    # a touch of silence: a third of the leads have no more than their first entry
    quiet = entries["lead_id"].isin([f"L{number:03}" for number in range(0, leads, 3)])
    entries = entries[~quiet | ~entries["lead_id"].duplicated()]
    ids = [f"L{number:03}" for number in range(leads)]
    people = pd.DataFrame(
        {
            "lead_id": ids,
            "manager": "now",
            "channel": random.choice(np.array(["web", "fair", " ", None]), leads),
            "campaign": random.choice(np.array(["a", "b", None]), leads),
            "amount": random.choice([100.0, 250.0, np.nan], leads),
            "ready_budget": random.choice(np.array([True, False, None]), leads),
            "nurtured": random.choice(np.array(["yes", "no", None]), leads),
            "company": random.choice(np.array(["Acme", "Бета", None]), leads),
        }
    )
    many = leads * 2
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 60 * 24, many), unit="h")
    calls = pd.DataFrame(
        {
            "lead_id": random.choice(ids[: leads // 2], many),
            "at": at.astype("datetime64[us]"),
            "on": at.date,
            "kind": "call",
            "manager": random.choice(np.array(["Анна", "robot", None]), many),
        }
    )
    paid = payments_frame(
        [(lead, at[number], float(random.integers(-20, 200))) for number, lead in enumerate(random.choice(ids, 150))]
    )
    lazy = {
        "paths": journeys(table(con, entries), RANDOM).cache(),
        "leads": table(con, people, LEADS, "leads"),
        "contacts": table(con, calls, CONTACTS, "contacts"),
        "payments": table(con, paid, PAYMENTS, "payments"),
    }
    frames = {"entries": entries, "leads": people.set_index("lead_id"), "contacts": calls, "payments": paid}
    return lazy, frames


def until(day):
    return day if day is not None and day <= AS_OF else None


def loop_over(frames, between, *, reopened=False):
    """Every hand-over with its state, days and owners, worked out one by one."""
    for episode in episodes_of(frames["entries"], STAGES):
        firsts = {stage: episode.first(stage, STAGES) for stage in STAGES}
        on = {stage: until(entry.entered_on) if entry else None for stage, entry in firsts.items()}
        handed = until(min(e.entered_on for e in episode.entries)) if reopened else on[STAGES[0]]
        if handed is None or not between[0] <= handed <= between[1]:
            continue
        calls = frames["contacts"]
        own = calls[(calls["lead_id"] == episode.lead_id) & (calls["manager"] != "robot")]
        touched = [day for day in own["on"] if handed <= day <= AS_OF]
        moves = [day for day in [on[stage] for stage in STAGES[1:]] if day]
        moves += [day for stage in STAGES if (day := until(episode.back_on(stage, STAGES)))]
        ends = [end for end in episode.ends if end.entered_on <= AS_OF]
        end = min(ends, key=lambda e: (e.entered_at, e.stage != "lost", reason(e)), default=None)
        stage = max((stage for stage in STAGES if on[stage]), key=STAGES.index)
        last = max([handed, *touched, *moves])
        wrong = end is not None and end.stage == "lost" and episode.reason() in ("terms", "no fit")
        if on["paid"]:
            state = "won"
        elif wrong:
            state = "wrongly qualified"
        elif end is not None:
            state = "refused" if end.stage == "lost" else "returned to marketing"
        elif not touched and not moves:
            state = "never touched"
        else:
            state = "inactive" if (AS_OF - last).days > (9 if stage == "offer" else 5) else "active and moving"
        yield {
            "lead": episode.lead_id,
            "number": episode.number,
            "manager": episode.holder(STAGES[0], STAGES) if firsts[STAGES[0]] else None,
            "closer": episode.holder("paid", STAGES) if firsts["paid"] else None,
            "state": state,
            "stage": stage,
            "on": on,
            "handed": handed,
            "last": last,
            "ended": max(handed, min(end.entered_on for end in ends)) if ends else None,
            "sent_back": wrong or (end is not None and end.stage == "nurture"),
        }


def shown(text):
    return text if isinstance(text, str) and text.strip() else MISSING


@pytest.mark.parametrize("seed", range(3))
def test_states_equal_a_loop_over_random_histories(con, seed):
    lazy, frames = random_project(con, seed)
    handed = handed_over(lazy["paths"], lazy["leads"], RANDOM, AS_OF, MARCH, contacts=lazy["contacts"])
    found = state_counts(handed, ["manager", "channel", "stage"])
    expected = defaultdict(list)
    for lead in loop_over(frames, MARCH):
        channel = shown(frames["leads"]["channel"][lead["lead"]])
        expected[(lead["manager"], channel, lead["stage"], lead["state"])].append(lead)
    money = frames["leads"]["amount"]
    assert {
        (row.manager, row.channel, row.stage, row.lead_state): (
            row.leads,
            None if pd.isna(row.amount) else row.amount,
            row.without_amount,
            row.longest_days,
            row.over_a_week,
        )
        for row in found.itertuples()
    } == {
        key: (
            len(leads),
            None
            if all(pd.isna(money[lead["lead"]]) for lead in leads)
            else sum(np.nan_to_num(money[lead["lead"]]) for lead in leads),
            sum(pd.isna(money[lead["lead"]]) for lead in leads),
            max((AS_OF - lead["last"]).days for lead in leads),
            sum((AS_OF - lead["last"]).days > 7 for lead in leads),
        )
        for key, leads in expected.items()
    }
    assert set(found["lead_state"]) >= set(STATES) - {"wrongly qualified", "still in time"}


@pytest.mark.parametrize("seed", range(2))
def test_states_add_up_to_the_leads_that_entered_the_stage_in_the_period(duckdb, seed):
    lazy, _ = random_project(duckdb, seed)
    handed = handed_over(lazy["paths"], lazy["leads"], RANDOM, AS_OF, MARCH, contacts=lazy["contacts"])
    total = int(state_counts(handed)["leads"].sum())
    flow = stage_flow(lazy["paths"], RANDOM, *MARCH).set_index("stage")
    assert total == flow["entered"]["new"]
    over = hand_overs(lazy["paths"], lazy["leads"], RANDOM, AS_OF, MARCH).select("lead_id", "episode").distinct()
    assert total == over.count().to_pyarrow().as_py()


@pytest.mark.parametrize("to_stage", ["", "paid"])
def test_days_and_counts_to_a_stage_equal_a_loop(con, to_stage):
    lazy, frames = random_project(con, 5)
    handed = handed_over(lazy["paths"], lazy["leads"], RANDOM, AS_OF, MARCH, keep=["ready_budget"])
    aimed, days = followed_to(RANDOM, to_stage)
    assert (aimed, days) == (("paid", 29) if to_stage else ("встреча", 7))
    ages, judged = Counter(), Counter()
    words = {True: "yes", False: "no", None: "unknown"}
    for lead in loop_over(frames, MARCH):
        flag = words[frames["leads"]["ready_budget"][lead["lead"]]]
        reached, ended = lead["on"][aimed], lead["ended"]
        outcome = "advanced" if reached else "open" if not ended else "sent_back" if lead["sent_back"] else "refused"
        # a stage dated before the hand-over was reached at it
        ages[(flag, max(((reached or ended or AS_OF) - lead["handed"]).days, 0), outcome)] += 1
        over = (AS_OF - lead["handed"]).days >= days
        in_time = reached is not None and (reached - lead["handed"]).days <= days
        judged[(flag, "too_recent" if not over else "converted" if in_time else "missed")] += 1
    found = hand_over_days(handed, RANDOM, AS_OF, "ready_budget", to_stage=to_stage)
    assert found.columns.tolist()[:4] == ["ready_budget", "from_stage", "to_stage", "age_days"]
    assert {
        (row.ready_budget, row.age_days, outcome): getattr(row, outcome)
        for row in found.itertuples()
        for outcome in ("advanced", "sent_back", "refused", "open")
        if getattr(row, outcome)
    } == ages
    counts = hand_over_counts(handed, RANDOM, AS_OF, "ready_budget", to_stage=to_stage)
    assert (counts["to_stage"] == aimed).all()
    for row in counts.itertuples():
        assert row.too_recent == judged[(row.ready_budget, "too_recent")]
        assert row.converted == judged[(row.ready_budget, "converted")]
        assert row.entered == judged[(row.ready_budget, "converted")] + judged[(row.ready_budget, "missed")]
    assert counts[["entered", "converted", "too_recent"]].sum().min() > 0


def test_a_stage_before_the_hand_over_cannot_be_aimed_at():
    with pytest.raises(FunnelError, match='no stage "lead" after the hand-over'):
        followed_to(stated("lead", "met", "paid", handed_over="met"), "lead")
    with pytest.raises(FunnelError, match="nothing is left to follow"):
        followed_to(stated("lead", "met", "paid", handed_over="paid"))


@pytest.mark.parametrize("seed", range(2))
def test_wins_and_tickets_equal_a_loop(con, seed):
    lazy, frames = random_project(con, seed)
    paid = frames["payments"][frames["payments"]["paid_on"] <= AS_OF].groupby("lead_id")["amount"].sum()
    every = [lead for lead in loop_over(frames, EVER, reopened=True) if lead["state"] == "won"]
    latest = {lead["lead"]: max(other["number"] for other in every if other["lead"] == lead["lead"]) for lead in every}
    expected = defaultdict(lambda: [0, 0, 0.0])
    for lead in every:
        if not MARCH[0] <= lead["on"]["paid"] <= MARCH[1]:
            continue
        cell = expected[(lead["closer"], shown(frames["leads"]["channel"][lead["lead"]]))]
        cell[0] += 1
        if lead["number"] == latest[lead["lead"]] and lead["lead"] in paid:
            cell[1] += 1
            cell[2] += paid[lead["lead"]]
    won = wins(lazy["paths"], lazy["leads"], lazy["payments"], RANDOM, AS_OF, MARCH)
    found = won_counts(won, ["manager", "channel"])
    assert {
        (row.manager, row.channel): [row.won, row.paying, np.nan_to_num(row.paid)] for row in found.itertuples()
    } == (expected)
    assert found["paid"].isna().equals(found["paying"] == 0)
    assert won_counts(won)["won"].tolist() == [found["won"].sum()]
    handed = handed_over(lazy["paths"], lazy["leads"], RANDOM, AS_OF, MARCH, keep=["nurtured"])
    sums = defaultdict(list)
    for lead in {lead["lead"] for lead in loop_over(frames, MARCH) if lead["state"] == "won"} & set(paid.index):
        sums["yes" if frames["leads"]["nurtured"][lead] == "yes" else "no"].append(paid[lead])
    for row in ticket_moments(handed, lazy["payments"], AS_OF, "nurtured").itertuples():
        assert (row.deals, row.mean) == (len(sums[row.nurtured]), pytest.approx(np.mean(sums[row.nurtured])))
        assert row.variance == pytest.approx(np.var(sums[row.nurtured], ddof=1))
    every = ticket_moments(handed, lazy["payments"], AS_OF, []).iloc[0]
    tickets = [*sums["yes"], *sums["no"]]
    assert (every["deals"], every["mean"], every["variance"]) == pytest.approx(
        (len(tickets), np.mean(tickets), np.var(tickets, ddof=1))
    )


def test_money_of_wins_without_payments_is_unknown_and_tickets_are_none(con):
    rows = [("a", "paid", "2026-02-01", "Anna")]
    people = table(con, leads_frame([{"lead_id": "a"}]), LEADS, "leads").select("lead_id")
    paths = journeys(table(con, entries_frame(rows)), FUNNEL).cache()
    won = wins(paths, people, None, FUNNEL, AS_OF, MARCH)
    unknown = pytest.approx(np.nan, nan_ok=True)
    assert won_counts(won).to_dict("records") == [{"won": 1, "paying": unknown, "paid": unknown}]
    assert ticket_moments(toy(con, rows), None, AS_OF, "channel").empty


@pytest.mark.parametrize("seed", range(2))
def test_filled_records_equal_a_loop_over_the_leads_that_wait_at_a_stage(con, seed):
    funnel = stated(*STAGES, needs={"new": ["ready_budget", "company"], "offer": "amount"})
    lazy, frames = random_project(con, seed)
    expected = defaultdict(lambda: [0, 0])
    for episode in episodes_of(frames["entries"], STAGES):
        for stage, field in (("new", "ready_budget"), ("new", "company"), ("offer", "amount")):
            stay = episode.stay(stage, STAGES)
            gone = stay is not None and stay[3] in ("advanced", *ENDS) and stay[2] <= AS_OF
            if stay is None or stay[0] > AS_OF or gone:
                continue
            cell = expected[(stage, field, stay[1])]
            cell[0] += 1
            cell[1] += pd.notna(frames["leads"][field][episode.lead_id])
    found = record_counts(lazy["paths"], lazy["leads"], funnel, AS_OF)
    assert found.columns.tolist() == ["stage", "field", "manager", "entered", "converted"]
    assert {tuple(row[:3]): list(row[3:]) for row in found.itertuples(index=False)} == expected
    assert found["field"].drop_duplicates().tolist() == ["ready_budget", "company", "amount"]
    # the same leads that the week's page and the plan call open
    waiting = open_leads(lazy["paths"], funnel, AS_OF).groupby("from_stage")["open"].sum()
    once = found[found["field"] != "company"].groupby("stage")["entered"].sum()
    assert once.to_dict() == waiting[["new", "offer"]].to_dict()


def test_needs_nobody_stated_give_an_empty_table_and_unknown_ones_an_error(con):
    paths = journeys(table(con, entries_frame([("a", "lead", "2026-02-01")])), FUNNEL).cache()
    people = table(con, leads_frame([{"lead_id": "a"}]), LEADS, "leads")
    assert record_counts(paths, people, FUNNEL, AS_OF).columns.tolist() == [
        *("stage", "field", "manager", "entered", "converted")
    ]
    unknown = table(con, leads_frame([{"lead_id": "b", "channel": "web"}]), LEADS, "leads")
    found = record_counts(paths, unknown, stated("lead", "met", "paid", needs={"lead": "ready_budget"}), AS_OF)
    assert found[["entered", "converted"]].to_numpy().tolist() == [[1, 0]]
    with pytest.raises(FunnelError, match='no column "campain" in the leads; did you mean "campaign"'):
        record_counts(paths, people, stated("lead", "met", "paid", needs={"lead": "campain"}), AS_OF)


def test_attributes_are_told_with_their_values_and_how_often_they_are_filled(con):
    rows = [{"lead_id": "a", "channel": "web", "ready_budget": True}, {"lead_id": "b", "channel": "web"}]
    found = attribute_sizes(table(con, leads_frame(rows), LEADS, "leads")).set_index("attribute")
    assert found.loc[["channel", "ready_budget", "nurtured"]].to_numpy().tolist() == [[1, 2], [1, 1], [0, 0]]
    assert "lead_id" not in found.index
    assert "amount" not in found.index


def test_nobody_handed_over_gives_empty_tables(con):
    handed = toy(con, [("a", "lead", "2025-02-01")])
    assert state_counts(handed).empty
    assert hand_over_days(handed, FUNNEL, AS_OF).empty
    assert hand_over_counts(handed, FUNNEL, AS_OF).empty
    assert AS_OF - timedelta(5) == date(2026, 2, 10)
