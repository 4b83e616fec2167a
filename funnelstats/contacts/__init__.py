"""Contacts and speed: which contacts moved leads on, and how soon leads are called."""

from funnelstats.contacts.counts import (
    contact_counts as contact_counts,
    quiet_counts as quiet_counts,
    touches as touches,
)
from funnelstats.contacts.effects import (
    beside_colleagues as beside_colleagues,
    contact_finding as contact_finding,
    contact_rates as contact_rates,
    efforts as efforts,
    over_weeks as over_weeks,
    pooled_contacts as pooled_contacts,
    with_expected as with_expected,
)
from funnelstats.contacts.first_counts import (
    first_contacts as first_contacts,
    hours_to_contact as hours_to_contact,
    landmark_counts as landmark_counts,
)
from funnelstats.contacts.speed import (
    landmark_answers as landmark_answers,
    landmark_differences as landmark_differences,
    on_one_clock as on_one_clock,
    speed_finding as speed_finding,
    waiting_times as waiting_times,
)
