"""Why leads say no, who hears which reason, and second tries."""

from funnelstats.refusals.counts import (
    attempt_counts,
    refusal_counts,
    refusal_totals,
    retried_counts,
    retries_due,
    retry_counts,
    with_refusal,
    without_stage,
)
from funnelstats.refusals.findings import month_after, reasons_differ, refusal_findings, refusals_not_told, second_tries
from funnelstats.refusals.reasons import (
    CHANGE_WORDS,
    LOOK_WORDS,
    any_reason,
    by_reason,
    loss_table,
    reason_association,
    reason_changes,
    reason_drivers,
    reason_patterns,
    reason_shares,
    reason_table,
    retry_success,
    second_looks,
)
