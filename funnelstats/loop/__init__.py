"""The closed loop of marketing and sales: what became of every lead handed over, and of the lead base."""

from funnelstats.loop.base import (
    base_facts as base_facts,
    renewal as renewal,
    score_answer as score_answer,
    score_groups as score_groups,
    score_skill as score_skill,
)
from funnelstats.loop.base_counts import (
    attribute_sizes as attribute_sizes,
    blacklist_counts as blacklist_counts,
    coverage_counts as coverage_counts,
    duplicate_counts as duplicate_counts,
    record_counts as record_counts,
    renewal_counts as renewal_counts,
    score_counts as score_counts,
    ticket_moments as ticket_moments,
    wins as wins,
    won_counts as won_counts,
)
from funnelstats.loop.counts import (
    followed_to as followed_to,
    hand_over_counts as hand_over_counts,
    hand_over_days as hand_over_days,
    hand_over_stage as hand_over_stage,
    hand_overs as hand_overs,
    handed_over as handed_over,
    state_counts as state_counts,
)
from funnelstats.loop.findings import (
    loop_findings as loop_findings,
    loop_not_told as loop_not_told,
    untold_states as untold_states,
)
from funnelstats.loop.nurture import (
    compared_by as compared_by,
    nurture_effects as nurture_effects,
    nurture_table as nurture_table,
)
from funnelstats.loop.states import (
    acceptance as acceptance,
    even_load as even_load,
    followed_window as followed_window,
    in_common as in_common,
    named_managers as named_managers,
    readiness as readiness,
    record_shares as record_shares,
    shared_attributes as shared_attributes,
    state_table as state_table,
    states_by as states_by,
)
