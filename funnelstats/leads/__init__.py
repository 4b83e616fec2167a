"""One manager's own leads: which to act on this week, and how the manager stands beside the others."""

from funnelstats.leads.counts import (
    cell_leads as cell_leads,
    leads_won as leads_won,
    open_leads as open_leads,
)
from funnelstats.leads.standing import (
    axis_low as axis_low,
    concerned as concerned,
    habit as habit,
    of_manager as of_manager,
    own_reasons as own_reasons,
    own_rows as own_rows,
    own_steps as own_steps,
    peer_band as peer_band,
    peer_rows as peer_rows,
)
from funnelstats.leads.worklist import (
    chances as chances,
    coming_week as coming_week,
    expected as expected,
    what_is_due as what_is_due,
    with_retry_stake as with_retry_stake,
    with_stake as with_stake,
    worklist as worklist,
)
