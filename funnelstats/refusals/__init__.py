"""Why leads say no, who hears which reason, and second tries."""

from funnelstats.refusals.counts import (
    attempt_counts as attempt_counts,
    refusal_counts as refusal_counts,
    refusal_totals as refusal_totals,
    retried_counts as retried_counts,
    retries_due as retries_due,
    retry_counts as retry_counts,
    with_refusal as with_refusal,
    without_stage as without_stage,
)
from funnelstats.refusals.findings import (
    month_after as month_after,
    reasons_differ as reasons_differ,
    refusal_findings as refusal_findings,
    refusals_not_told as refusals_not_told,
    second_tries as second_tries,
)
from funnelstats.refusals.reasons import (
    CHANGE_WORDS as CHANGE_WORDS,
    LOOK_WORDS as LOOK_WORDS,
    any_reason as any_reason,
    by_reason as by_reason,
    loss_table as loss_table,
    reason_association as reason_association,
    reason_changes as reason_changes,
    reason_drivers as reason_drivers,
    reason_patterns as reason_patterns,
    reason_shares as reason_shares,
    reason_table as reason_table,
    retry_success as retry_success,
    second_looks as second_looks,
)
