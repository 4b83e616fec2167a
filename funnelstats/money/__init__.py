"""What channels and campaigns cost and bring back, and who is credited."""

from funnelstats.money.channels import (
    attribution as attribution,
    money_of_campaigns as money_of_campaigns,
    of_campaigns as of_campaigns,
    small_together as small_together,
)
from funnelstats.money.charts import (
    returns_chart as returns_chart,
)
from funnelstats.money.counts import (
    age_counts as age_counts,
    channel_credit as channel_credit,
    channel_moves as channel_moves,
    lead_values as lead_values,
    money_counts as money_counts,
    of_cohorts as of_cohorts,
    paid_by_month as paid_by_month,
    returns_of as returns_of,
    spend_counts as spend_counts,
    stage_amounts as stage_amounts,
    stray_payments as stray_payments,
)
from funnelstats.money.findings import (
    amount_facts as amount_facts,
    channel_facts as channel_facts,
    credit_facts as credit_facts,
    money_gaps as money_gaps,
)
from funnelstats.money.revenue import (
    deals_to_come as deals_to_come,
    payback as payback,
    returns as returns,
    returns_table as returns_table,
)
