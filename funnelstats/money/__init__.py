"""What leads bring for what was spent on them, by channel and campaign."""

from funnelstats.money.channels import attribution, money_of_campaigns, of_campaigns, removal_effects, small_together
from funnelstats.money.charts import returns_chart
from funnelstats.money.counts import (
    age_counts,
    channel_credit,
    channel_moves,
    lead_values,
    money_counts,
    of_cohorts,
    paid_by_month,
    spend_counts,
    stray_payments,
    year_to,
)
from funnelstats.money.revenue import deals_to_come, named_quarters, payback, returns, told, with_total
from funnelstats.money.sentences import attribution_sentences, money_limits, money_rules, money_sentences

__all__ = [
    "age_counts",
    "attribution",
    "attribution_sentences",
    "channel_credit",
    "channel_moves",
    "deals_to_come",
    "lead_values",
    "money_counts",
    "money_limits",
    "money_of_campaigns",
    "money_rules",
    "money_sentences",
    "named_quarters",
    "of_campaigns",
    "of_cohorts",
    "paid_by_month",
    "payback",
    "removal_effects",
    "returns",
    "returns_chart",
    "small_together",
    "spend_counts",
    "stray_payments",
    "told",
    "with_total",
    "year_to",
]
