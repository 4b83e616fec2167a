"""One manager's own leads: which to act on this week, and how the manager stands beside the others."""

from funnelstats.leads.counts import cell_leads, leads_won, open_leads
from funnelstats.leads.standing import (
    axis_low,
    concerned,
    habit,
    of_manager,
    own_reasons,
    own_rows,
    own_steps,
    peer_band,
    peer_rows,
)
from funnelstats.leads.worklist import (
    chances,
    coming_week,
    expected,
    what_is_due,
    with_retry_stake,
    with_stake,
    worklist,
)
