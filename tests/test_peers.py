"""One manager's own rows, and a band of colleagues that shows no single one of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from backends import funnel_of
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelstats.core.flow_counts import FLOW
from funnelstats.leads.worklist import FEWEST_PEERS, of_manager, of_manager_flow, own_rows, peer_band, peer_rows

FUNNEL = funnel_of("lead", "met", "paid")
STEPS = [("lead", "met"), ("met", "paid")]


def page(rates, steps=(0,), verdict="green"):
    """A page's managers with these rates, by name, at the given steps."""
    rows = [(who, *STEPS[step], 100, rate, verdict) for step in steps for who, rate in rates.items()]
    frame = pd.DataFrame(rows, columns=["manager", "from_stage", "to_stage", "entered", "rate", "verdict"])
    frame = frame.astype({"rate": float, "entered": int})
    return frame.assign(
        ci_lower=frame["rate"] - 0.1, ci_upper=frame["rate"] + 0.1, target=0.8, whose="", matured=90, too_recent=10
    )


FIVE = {"Anna": 0.1, "Boris": 0.5, "Vera": 0.6, "Gleb": 0.7, "Yan": 0.8}


def test_the_band_is_the_middle_half_of_the_colleagues_alone() -> None:
    band = peer_band(page(FIVE), "Anna", FUNNEL).iloc[0]
    assert band["peers_lower"] == pytest.approx(0.575)
    assert band["peers_upper"] == pytest.approx(0.725)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_ones_own_rate_moves_the_band_by_nothing(mine, other) -> None:
    bands = [peer_band(page({**FIVE, "Anna": rate}), "Anna", FUNNEL) for rate in (mine, other)]
    pd.testing.assert_frame_equal(*bands)


@pytest.mark.parametrize("colleagues", range(7))
def test_fewer_than_four_colleagues_with_a_rate_are_not_shown(colleagues) -> None:
    rates = {"Anna": 0.5} | {f"M{number}": 0.4 + number / 20 for number in range(colleagues)}
    band = peer_band(page(rates), "Anna", FUNNEL).iloc[0]
    assert pd.notna(band["peers_lower"]) == pd.notna(band["peers_upper"]) == (colleagues >= FEWEST_PEERS)


def test_a_colleague_without_a_rate_or_a_rank_is_no_colleague() -> None:
    rates = page({**FIVE, "Gleb": np.nan})
    assert peer_band(rates, "Anna", FUNNEL)["peers_lower"].isna().all()
    robot = page(FIVE).assign(verdict=["green"] * 4 + ["not ranked"])
    assert peer_band(robot, "Anna", FUNNEL)["peers_lower"].isna().all()


def test_the_band_has_every_step_in_the_funnels_order_and_no_names() -> None:
    band = peer_band(page(FIVE, steps=(1, 0)), "Anna", FUNNEL)
    assert list(band) == ["from_stage", "to_stage", "peers_lower", "peers_upper"]
    assert list(zip(band["from_stage"], band["to_stage"], strict=True)) == STEPS
    alone = peer_band(page(FIVE), "Anna", FUNNEL)
    assert alone["peers_lower"].isna().tolist() == [False, True]


def test_ones_own_page_has_every_step_and_nobody_else() -> None:
    own = of_manager(page(FIVE), "Vera", FUNNEL)
    assert "manager" not in own
    assert list(zip(own["from_stage"], own["to_stage"], strict=True)) == STEPS
    assert own["rate"].tolist()[0] == 0.6
    missing = own.iloc[1]
    assert missing[["entered", "matured", "too_recent"]].tolist() == [0, 0, 0]
    assert missing[["verdict", "whose", "ci_lower", "ci_upper"]].tolist() == ["too few", "", 0, 1]
    assert pd.isna(missing["rate"])


def test_a_step_without_leads_still_shows_what_was_agreed_with_this_manager() -> None:
    agreed = {"met": {"horizon_days": 7, "target": 0.8}, "paid": {"horizon_days": 7, "target": 0.9}}
    agreed["paid"]["targets"] = {"Vera": 0.95}
    funnel = FUNNEL.model_validate({**FUNNEL.model_dump(), "step_into": agreed})
    assert of_manager(page(FIVE), "Vera", funnel)["target"].tolist() == [0.8, 0.95]
    assert of_manager(page(FIVE), "Nobody", funnel)["target"].tolist() == [0.8, 0.9]


def test_ones_own_flow_has_every_stage_and_nobody_else() -> None:
    flow = pd.DataFrame([["Vera", "met", 1, 2, 1, 0, 0, 0, 2], ["Anna", "lead", 9, 9, 9, 9, 9, 9, 9]])
    flow.columns = ["manager", "stage", *FLOW]
    own = of_manager_flow(flow, "Vera", FUNNEL)
    assert own["stage"].tolist() == ["lead", "met", "paid"]
    assert own[FLOW].to_numpy().tolist() == [[0] * 7, [1, 2, 1, 0, 0, 0, 2], [0] * 7]
    nobody = of_manager_flow(flow, "Boris", FUNNEL)
    assert nobody[FLOW].to_numpy().sum() == 0
    assert {str(kind) for kind in nobody[FLOW].dtypes} == {"int64"}


def test_own_rows_are_the_managers_alone_and_carry_no_name() -> None:
    counts = pd.DataFrame(
        {"manager": ["Anna", "Boris", "Anna"], "kind": ["call", "call", "mail"], "contacts": [1, 2, 3]}
    )
    assert own_rows(counts, "Anna").to_numpy().tolist() == [["call", 1], ["mail", 3]]
    assert own_rows(counts, "Nobody").empty


@pytest.mark.parametrize("colleagues", range(7))
def test_a_sum_over_fewer_than_four_colleagues_is_not_made(colleagues) -> None:
    funnel = FUNNEL.model_validate({**FUNNEL.model_dump(), "system_users": ["robot"]})
    names = ["Anna", "Anna", "robot", "(missing)", *(f"M{number}" for number in range(colleagues))]
    found = peer_rows(pd.DataFrame({"manager": names, "contacts": 1}), "Anna", funnel)
    assert found["contacts"].sum() == (colleagues if colleagues >= FEWEST_PEERS else 0)
    assert found.columns.tolist() == ["contacts"]
