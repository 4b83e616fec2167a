"""Attribution: a published chain, removal by removing, and a loop over random contacts on three engines."""

import itertools
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import entries_frame, funnel_of, table
from test_money import LATER, leads_of, payments_of

from funnelstats.config.schema import NO_TOUCH, NOT_WON, START, WON
from funnelstats.core.journeys import journeys
from funnelstats.money.channels import RULES, attribution, removal_effects
from funnelstats.money.counts import channel_credit, channel_moves, lead_values

FUNNEL = funnel_of("lead", "paid")
CONTACTS = ibis.schema({"lead_id": "string", "at": "timestamp", "on": "date", "channel": "string"})


def contacts_of(con, rows):
    frame = pd.DataFrame(rows, columns=["lead_id", "at", "channel"])
    at = pd.to_datetime(frame["at"], format="ISO8601").astype("datetime64[us]")
    return table(con, frame.assign(at=at, on=at.dt.date)[list(CONTACTS)], CONTACTS, "contacts")


def moves_of(*paths):
    """The moves of paths written with > between the channels, won or not at the end."""
    steps = [
        pair for path, end in paths for stops in [[START, *path.split(">"), end]] for pair in itertools.pairwise(stops)
    ]
    return pd.DataFrame(steps, columns=["from_channel", "to_channel"]).assign(moves=1)


def values_of(con, entries, leads, payments):
    lazy = journeys(table(con, entries_frame(entries)), FUNNEL).cache()
    values = lead_values(lazy, FUNNEL, LATER, leads_of(con, leads), payments_of(con, payments))
    return con.create_table("values", values, overwrite=True)


def test_removal_effects_of_a_published_chain():
    """S. Bryl, "Marketing multi-channel attribution model with R", 2016: removals .5, 1, 1; credit .2, .4, .4."""
    found = removal_effects(moves_of(("C1>C2>C3", WON), ("C1", NOT_WON), ("C2>C3", NOT_WON)))
    assert found["channel"].tolist() == ["C1", "C2", "C3"]
    assert found["removal"].tolist() == pytest.approx([0.5, 1, 1])
    assert found["share"].tolist() == pytest.approx([0.2, 0.4, 0.4])


def chance_to_win(moves):
    """The probability to end won, stepping through the chain until nobody is on the way."""
    total = moves.groupby("from_channel")["moves"].transform("sum")
    step = moves.assign(chance=moves["moves"] / total)
    at, won = {START: 1.0}, 0.0
    for _ in range(150):
        following = {}
        for row in step.itertuples():
            if row.from_channel in at:
                following[row.to_channel] = following.get(row.to_channel, 0) + at[row.from_channel] * row.chance
        won += following.pop(WON, 0)
        following.pop(NOT_WON, 0)
        at = following
    return won


def test_one_inversion_gives_what_removing_each_channel_in_turn_gives():
    random = np.random.default_rng(5)
    paths = [
        (">".join(random.choice(["Ads", "Fair", "Mail", "Site"], random.integers(1, 6))), random.choice([WON, NOT_WON]))
        for _ in range(60)
    ]
    moves = moves_of(*paths).groupby(["from_channel", "to_channel"], as_index=False)["moves"].sum()
    whole = chance_to_win(moves)
    for row in removal_effects(moves).itertuples():
        without = moves.assign(to_channel=moves["to_channel"].replace(row.channel, NOT_WON))
        assert row.removal == pytest.approx(1 - chance_to_win(without) / whole, abs=1e-9)


def test_where_nobody_was_won_no_removal_is_known():
    found = removal_effects(moves_of(("Ads>Fair", NOT_WON)))
    assert found["share"].isna().all()
    assert removal_effects(moves_of()).empty


ENTRIES = [(lead, "lead", "2026-01-01") for lead in "abcd"] + [("d", "lost", "2026-01-20")]
PAID = [("a", "2026-01-10", 100.0), ("b", "2026-01-10", 60.0), ("c", "2026-01-10", 40.0)]
CONTACTED = [
    ("a", "2026-01-02 10:00", "Ads"),
    ("a", "2026-01-03 10:00", "Mail"),
    ("a", "2026-01-03 10:00", "Mail"),
    ("a", "2026-01-04 10:00", "Fair"),
    ("a", "2026-01-10 10:00", "Mail"),
    ("a", "2026-01-11 10:00", "Late"),
    ("b", "2026-01-02 10:00", "Fair"),
    ("b", "2026-01-02 11:00", "Ads"),
    ("c", "2026-01-02 11:00", None),
    ("d", "2026-01-02 11:00", "Mail"),
    ("unknown", "2026-01-02 11:00", "Radio"),
]


def test_five_rules_share_out_the_same_money(duckdb):
    values = values_of(duckdb, ENTRIES, [("a", "Ads", None), ("b", "Ads", None), ("d", "Fair", None)], PAID)
    credit = channel_credit(values, contacts_of(duckdb, CONTACTED), LATER).set_index("channel")
    assert credit.loc["Ads"].tolist() == pytest.approx([160, 100, 60, 25 + 30, 40 + 30])
    assert credit.loc["Fair"].tolist() == pytest.approx([0, 60, 0, 25 + 30, 10 + 30])
    assert credit.loc["Mail"].tolist() == pytest.approx([0, 0, 100, 50, 50])
    assert credit.loc["(missing)"].tolist() == [40, 0, 0, 0, 0]
    assert credit.loc[NO_TOUCH].tolist() == [0, 40, 40, 40, 40]
    assert credit.sum().tolist() == pytest.approx([200] * 5)


def test_moves_are_those_of_leads_whose_path_is_over(duckdb):
    entries = [*ENTRIES, ("e", "lead", "2026-01-01")]
    values = values_of(duckdb, entries, [], PAID)
    contacts = contacts_of(duckdb, [*CONTACTED, ("e", "2026-01-02", "Ads")])
    moves = channel_moves(values, contacts, LATER)
    found = {(row.from_channel, row.to_channel): row.moves for row in moves.itertuples()}
    assert found == {
        (START, "Ads"): 1,
        ("Ads", "Mail"): 1,
        ("Mail", "Fair"): 1,
        ("Fair", "Mail"): 1,
        ("Mail", WON): 1,
        (START, "Fair"): 1,
        ("Fair", "Ads"): 1,
        ("Ads", WON): 1,
        (START, "Mail"): 1,
        ("Mail", NOT_WON): 1,
    }
    credited = attribution(channel_credit(values, contacts, LATER), moves)
    assert credited[RULES].sum().tolist() == pytest.approx([200] * 6)
    assert credited.set_index("channel").loc[NO_TOUCH, "markov"] == 40


def test_contacts_without_channels_give_empty_frames_with_their_columns(con):
    values = values_of(con, ENTRIES, [], PAID)
    plain = contacts_of(con, CONTACTED).drop("channel")
    for contacts in (None, plain):
        credit, moves = channel_credit(values, contacts, LATER), channel_moves(values, contacts, LATER)
        assert credit.empty
        assert moves.columns.tolist() == ["from_channel", "to_channel", "moves"]
        assert attribution(credit, moves).columns.tolist() == ["channel", *RULES]


@pytest.mark.parametrize("seed", range(2))
def test_credit_and_moves_equal_a_loop_over_random_contacts(con, seed):
    random = np.random.default_rng(seed)
    names = [f"L{number}" for number in range(40)]
    entries = [(name, "lead", "2026-01-01") for name in names] + [(name, "lost", "2026-02-10") for name in names[::3]]
    paid = [(name, f"2026-01-{random.integers(2, 28):02}", float(random.integers(1, 9))) for name in names[::2]]
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 80, 200) * 12, unit="h")
    channels = random.choice(np.array(["Ads", "Fair", "Mail", "", None]), 200)
    contacted = list(zip(random.choice([*names, "nobody"], 200), at.astype(str), channels, strict=True))
    as_of = date(2026, 2, 5)
    lazy = journeys(table(con, entries_frame(entries)), FUNNEL).cache()
    values = con.create_table(
        "values", lead_values(lazy, FUNNEL, LATER, leads_of(con, []), payments_of(con, paid)), overwrite=True
    )

    won = {name: (day, amount) for name, day, amount in paid}
    expected, steps = {}, {}
    for name in names:
        until = min(won.get(name, ("2026-12-31", 0))[0], str(as_of))
        path = sorted({(str(when), channel) for lead, when, channel in contacted if lead == name and channel})
        path = [channel for when, channel in path if when[:10] <= until]
        amount = won.get(name, (None, 0.0))[1]
        if path and (name in won or name in names[::3]):
            stops = [START, *path, WON if name in won else NOT_WON]
            for pair in itertools.pairwise(stops):
                steps[pair] = steps.get(pair, 0) + 1
        n = len(path)
        for place, channel in enumerate(path or [NO_TOUCH]):
            ends = (place == 0) + (place == n - 1)
            position = {0: 1, 1: 1, 2: 0.5}.get(n, 0.4 if ends else 0.2 / max(n - 2, 1))
            credit = np.array([place == 0, place == max(n - 1, 0), 1 / max(n, 1), position], dtype=float) * amount
            expected[channel] = expected.get(channel, 0) + credit
    contacts = contacts_of(con, contacted)
    found = channel_credit(values, contacts, as_of).set_index("channel").drop(index="(missing)")
    assert set(found.index) - {NO_TOUCH} == set(expected) - {NO_TOUCH}
    for channel, credit in expected.items():
        assert found.loc[channel, ["first", "last", "linear", "position"]].tolist() == pytest.approx(credit.tolist())
    moves = channel_moves(values, contacts, as_of)
    assert {(row.from_channel, row.to_channel): row.moves for row in moves.itertuples()} == steps
