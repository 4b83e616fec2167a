"""Contacts and speed: which contacts moved leads on, and how soon leads are called."""

from funnelstats.contacts.counts import contact_counts, quiet_counts, touches
from funnelstats.contacts.effects import (
    beside_colleagues,
    contact_finding,
    contact_rates,
    efforts,
    over_weeks,
    pooled_contacts,
    with_expected,
)
from funnelstats.contacts.first_counts import first_contacts, hours_to_contact, landmark_counts
from funnelstats.contacts.speed import (
    landmark_answers,
    landmark_differences,
    on_one_clock,
    speed_finding,
    waiting_times,
)
