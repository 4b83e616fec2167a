"""Every stated error rate is kept: the simulations of simulate.py, whose table is docs/simulations.md."""

from __future__ import annotations

import re

import pytest
from simulate import PAGE, SIMULATIONS, page

ALL = [simulation for simulations in SIMULATIONS.values() for simulation in simulations]


@pytest.fixture(scope="module")
def found():
    """Claims by simulation; when all have run, the page is written from them."""
    claims = {}
    yield claims
    if len(claims) == len(ALL):
        PAGE.write_text(page(claims), encoding="utf-8")


@pytest.mark.simulation
@pytest.mark.parametrize("simulation", ALL, ids=lambda simulation: simulation.__name__)
def test_what_is_stated_is_kept(simulation, found) -> None:
    claims = found[simulation.__name__] = simulation()
    broken = [
        claim for claim in claims if claim.highest is not None and not claim.lowest <= claim.found <= claim.highest
    ]
    assert claims
    assert not broken


def test_the_table_in_the_docs_keeps_its_own_limits_and_has_a_part_for_each_group() -> None:
    """The table is written by the simulations themselves; this one is quick and guards against editing by hand."""
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == list(SIMULATIONS)
    rows = re.findall(r"\| ([\d.]+) \| ([\d.]+)–([\d.]+) \|$", text, re.M)
    assert len(rows) > 20
    assert all(float(lowest) <= float(found) <= float(highest) for found, lowest, highest in rows)
