"""The closed loop of marketing and sales: what became of every lead handed over, and of the lead base."""

from funnelstats.loop.base import base_facts, renewal, score_answer, score_groups, score_skill
from funnelstats.loop.base_counts import (
    attribute_sizes,
    blacklist_counts,
    coverage_counts,
    duplicate_counts,
    record_counts,
    renewal_counts,
    score_counts,
    ticket_moments,
    wins,
    won_counts,
)
from funnelstats.loop.counts import (
    followed_to,
    hand_over_counts,
    hand_over_days,
    hand_over_stage,
    hand_overs,
    handed_over,
    state_counts,
)
from funnelstats.loop.findings import loop_findings, loop_not_told, untold_states
from funnelstats.loop.nurture import compared_by, nurture_effects, nurture_table
from funnelstats.loop.states import (
    acceptance,
    even_load,
    followed_window,
    in_common,
    named_managers,
    readiness,
    record_shares,
    shared_attributes,
    state_table,
    states_by,
)
