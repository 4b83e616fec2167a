"""A frame that lacks columns is told with all that it lacks, by every verb that counts and by those of the README."""

import re
from datetime import date
from inspect import isfunction, ismodule, signature
from operator import attrgetter
from typing import get_args, get_type_hints

import ibis
import ibis.expr.types as ir
import pandas as pd
import pytest
from backends import funnel_of
from projects import REPOSITORY

import funnelstats as fs

FUNNEL = funnel_of("lead", "met", "paid")
DAY = date(2026, 6, 28)
OTHERS = {
    "funnel": FUNNEL,
    "as_of": DAY,
    "start": DAY,
    "end": DAY,
    "between": (DAY, DAY),
    "entered_between": (DAY, DAY),
    "to_stage": "met",
    "by": "manager",
    "nurtured": "nurtured",
    "goal": None,
    "plan": None,
    "group": "Anna",
    "other": "Boris",
}
NO_VERBS = {
    *("open_funnel", "tables", "show_table", "show_csv", "show_figure"),
    # which take what open_funnel or read_quality gave
    *("last_day", "missing_parts", "missing_tables", "not_computable", "set_aside_reasons", "with_known_ends"),
    # which need no column where funnel.toml states none
    *("loop.attribute_sizes", "loop.blacklist_counts", "loop.record_counts"),
}


def verbs():
    """The public functions that take frames, and which of their arguments these are.

    Of the rooms those that count, and those that the README lists; the others only put a page's frames into words.
    """
    listed = re.findall(r"`(\w+\.\w+)`", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
    rooms = {name: vars(getattr(fs, name)) for name in fs.__all__ if ismodule(getattr(fs, name))}
    for name in [
        *fs.__all__,
        *(f"{room}.{verb}" for room, verbs in rooms.items() for verb in verbs if room != "weekly"),
    ]:
        verb = attrgetter(name)(fs)
        if isfunction(verb) and name not in NO_VERBS:
            hints = {arg: hint for arg, hint in get_type_hints(verb).items() if arg != "return"}
            kinds = {arg: next(iter(get_args(hint) or [hint])) for arg, hint in hints.items()}
            frames = {arg: kind is ir.Table for arg, kind in kinds.items() if kind in (ir.Table, pd.DataFrame)}
            if any(frames.values()) or (frames and (name in listed or "." not in name)):
                yield pytest.param(verb, frames, id=name)


@pytest.mark.parametrize(("verb", "frames"), [*verbs()])
def test_what_a_frame_lacks_is_told_and_what_it_has(verb, frames):
    wrong = pd.DataFrame({"colour": ["red"]})
    given = {arg: ibis.memtable(wrong) if lazy else wrong for arg, lazy in frames.items()}
    others = {arg: value for arg, value in OTHERS.items() if arg in signature(verb).parameters}
    with pytest.raises(fs.FunnelError) as told:
        verb(**(others | given))
    assert re.match(f'({"|".join(frames)}): no columns? "', str(told.value))
    assert str(told.value).endswith("; known: colour")


def test_every_column_that_is_lacking_is_told_at_once():
    days = pd.DataFrame({"from_stage": ["lead"], "age_days": [3]})
    with pytest.raises(
        fs.FunnelError, match=r'^days: no columns "week", "advanced", "lost" and "open"; known: from_st'
    ):
        fs.rates_over_weeks(days, FUNNEL)


def test_a_frame_of_pandas_is_no_lazy_table():
    with pytest.raises(fs.FunnelError, match=r"^entries: must be a table of ibis, see tables and open_"):
        fs.journeys(pd.DataFrame({"lead_id": ["a"]}), FUNNEL)


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"stages": "lead"}, r"stages: must name at least 2, got \['lead'\]"),
        ({"stages": ["lead", "met"], "targets": [0.5]}, r"step_into.met.target: must be a valid number, got \[0.5\]"),
    ],
)
def test_what_states_no_funnel_is_told_by_its_key(stated, told):
    with pytest.raises(fs.FunnelError, match=told):
        fs.funnel(**stated, horizon_days=7)


def test_a_day_is_no_week():
    with pytest.raises(fs.FunnelError, match='no week "2026-01-26"; write it like 2026-W26'):
        fs.week_days(date(2026, 1, 26))
