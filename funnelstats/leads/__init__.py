"""One manager's own leads: which to act on this week, and how the manager stands beside the others."""

from funnelstats.leads.counts import cell_leads, leads_won, open_leads
from funnelstats.leads.worklist import (
    chances,
    coming_week,
    of_manager,
    of_manager_flow,
    own_rows,
    own_sentences,
    peer_band,
    peer_rows,
    stalled,
    untouched,
    with_retry_stake,
    with_stake,
    worklist,
    worklist_sentences,
)
