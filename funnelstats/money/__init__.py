"""What channels and campaigns cost and bring back, and who is credited."""

from funnelstats.money.channels import attribution, money_of_campaigns, of_campaigns, small_together
from funnelstats.money.charts import returns_chart
from funnelstats.money.counts import (
    age_counts,
    channel_credit,
    channel_moves,
    lead_values,
    money_counts,
    of_cohorts,
    paid_by_month,
    returns_of,
    spend_counts,
    stage_amounts,
    stray_payments,
)
from funnelstats.money.findings import amount_facts, channel_facts, credit_facts, money_gaps
from funnelstats.money.revenue import deals_to_come, payback, returns, returns_table
