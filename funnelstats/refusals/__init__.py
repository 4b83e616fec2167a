"""Why leads say no, who hears which reason, and second tries."""

from funnelstats.refusals.charts import CHANGE_WORDS, LOOK_WORDS, loss_chart, reason_chart
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
from funnelstats.refusals.reasons import (
    any_reason,
    by_reason,
    reason_association,
    reason_changes,
    reason_drivers,
    reason_patterns,
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
    tried_sentence,
    without_stage_sentence,
)
