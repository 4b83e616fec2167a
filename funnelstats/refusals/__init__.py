"""Why leads say no, who hears which reason, and second tries."""

from funnelstats.refusals.associations import reason_association, reason_patterns
from funnelstats.refusals.charts import CHANGE_WORDS, LOOK_WORDS, loss_chart, reason_chart
from funnelstats.refusals.counts import (
    attempt_counts,
    refusal_counts,
    refusal_totals,
    retried_counts,
    retries_due,
    retry_counts,
    with_attempt,
    with_refusal,
    without_stage,
)
from funnelstats.refusals.reasons import (
    any_reason,
    by_reason,
    reason_changes,
    reason_drivers,
    reason_shares,
    reason_table,
    retry_success,
    second_looks,
)
from funnelstats.refusals.sentences import (
    association_sentence,
    month_after,
    refusal_rules,
    refusal_sentences,
    refusals_not_told,
    top_sentence,
    tried_sentence,
)

__all__ = [
    "CHANGE_WORDS",
    "LOOK_WORDS",
    "any_reason",
    "association_sentence",
    "attempt_counts",
    "by_reason",
    "loss_chart",
    "month_after",
    "reason_association",
    "reason_changes",
    "reason_chart",
    "reason_drivers",
    "reason_patterns",
    "reason_shares",
    "reason_table",
    "refusal_counts",
    "refusal_rules",
    "refusal_sentences",
    "refusal_totals",
    "refusals_not_told",
    "retried_counts",
    "retries_due",
    "retry_counts",
    "retry_success",
    "second_looks",
    "top_sentence",
    "tried_sentence",
    "with_attempt",
    "with_refusal",
    "without_stage",
]
