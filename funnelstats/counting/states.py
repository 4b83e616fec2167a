"""What counts as handed over, how long a hand-over is followed, and the states it can be in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funnelstats.stated.errors import FunnelError, suggestion

if TYPE_CHECKING:
    from funnelstats.stated.funnel import Funnel

STATE = "lead_state"

STATE_WORDS = {
    "won": "won",
    "active and moving": "active and moving",
    "inactive": "inactive",
    "never touched": "never touched",
    "to nurture": "to nurture",
    "refused": "refused",
    "wrongly qualified": "wrongly qualified",
}
"""The states of a hand-over in the order of a table and a chart: from what marketing hopes for to what it should not
have handed over."""

STATES = tuple(STATE_WORDS)


def hand_over_stage(funnel: Funnel) -> str:
    """The stage at which marketing hands a lead to sales: `loop.handed_over`, or the first."""
    return funnel.loop.handed_over or funnel.stages[0]


def way(funnel: Funnel, to_stage: str = "") -> tuple[str, int]:
    """The stage a hand-over is followed to, by default the next one, and the days it gets for that.

    The days are the horizons of the way, summed.
    """
    ahead = funnel.stages[funnel.stages.index(hand_over_stage(funnel)) :]
    if len(ahead) < 2:
        raise FunnelError(f'loop.handed_over is the last stage, "{ahead[0]}": nothing is left to follow')
    aimed = to_stage or ahead[1]
    if aimed not in ahead[1:]:
        raise FunnelError(f'no stage "{aimed}" after the hand-over; {suggestion(aimed, ahead[1:])}')
    days = {step.to_stage: step.horizon_days for step in funnel.steps}
    return aimed, sum(days[stage] for stage in ahead[1 : ahead.index(aimed) + 1])
