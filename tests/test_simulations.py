"""Every stated error rate is kept: the simulations of simulate.py, whose table is docs/simulations.md."""

import re
from concurrent.futures import ProcessPoolExecutor

import pytest
from claims import Claim
from simulate import PAGE, SIMULATIONS, page

ALL = [simulation for simulations in SIMULATIONS.values() for simulation in simulations]


def claims_of(number: int) -> list[Claim]:
    return ALL[number]()


@pytest.fixture(scope="module")
def found():
    """Claims by simulation, one process for each; the page is written from them."""
    with ProcessPoolExecutor() as pool:
        claims = dict(
            zip([simulation.__name__ for simulation in ALL], pool.map(claims_of, range(len(ALL))), strict=True)
        )
    PAGE.write_text(page(claims), encoding="utf-8")
    return claims


@pytest.mark.simulation
@pytest.mark.parametrize("name", [simulation.__name__ for simulation in ALL])
def test_what_is_stated_is_kept(name, found) -> None:
    claims = found[name]
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
