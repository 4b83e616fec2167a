"""What a simulation states: its claims, and the small funnels and pages that it is made with."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from backends import bare_funnel

STAGES = ("lead", "met", "presented", "contracted", "paid")
FLOORS = (0.95, 0.80, 0.80, 0.95)
HALF_YEAR, WINDOW, LEADS = 26, 13, 20


class Claim(NamedTuple):
    """What was measured, in which setting, what was asked for, what was found, and the limits it must keep."""

    what: str
    setting: str
    asked: str
    found: float
    lowest: float | None = None
    highest: float | None = None


def funnel_of(floors: tuple[float, ...], horizon: int = 30) -> SimpleNamespace:
    """Steps between named stages, each with its target and no tolerance."""
    many = len(floors)
    return bare_funnel(STAGES[: many + 1], floors, [horizon] * many, judged_weeks=WINDOW, entries=())


def page_of(entered: npt.ArrayLike, converted: npt.ArrayLike, steps: int = 1) -> pd.DataFrame:
    """Counts of managers × steps as a count frame."""
    entered, converted = np.ravel(entered), np.ravel(converted)
    many = len(entered) // steps
    frame = pd.DataFrame({"manager": [f"M{number:02d}" for number in range(many) for _ in range(steps)]})
    return frame.assign(
        from_stage=np.tile(STAGES[:steps], many),
        to_stage=np.tile(STAGES[1 : steps + 1], many),
        entered=entered,
        converted=converted,
    )
