"""A week that is told later is told the same: what arrives after a day was not known on it."""

import random
from datetime import date
from pathlib import Path

import pytest
from damage import SEEDS, export, known_on, later
from projects import REPOSITORY
from test_damage import command, written

pytestmark = pytest.mark.usefixtures("here")

SUNDAY = date(2026, 3, 1)


def pages(monkeypatch, capsys):
    """The bytes of a week's page of the team and of all files beside it."""
    asked = ("weekly", "team", "--week", "2026-W09", "--only", "weekly")
    code, told = command(*asked, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0, told
    return {path.name: path.read_bytes() for path in Path("reports/team/2026-W09").glob("team.*")}


def test_rows_that_arrive_later_leave_a_weeks_page_as_it_was(monkeypatch, capsys):
    Path("notebooks").symlink_to(REPOSITORY / "notebooks")
    written(known_on(export(), SUNDAY))
    then = pages(monkeypatch, capsys)
    assert len(then) > 2
    for seed in range(2 * SEEDS):
        rng = random.Random(seed)
        written(later(rng.choice([export(), known_on(export(), SUNDAY)]), SUNDAY, rng))
        assert pages(monkeypatch, capsys) == then, seed
