"""How many leads a goal needs, and what the open ones will bring."""

from funnelstats.plan.charts import arithmetic_chart, deals_chart, show_calendar
from funnelstats.plan.counts import lead_cost, open_leads, paid_open_leads, stage_contacts
from funnelstats.plan.findings import plan_facts, plan_gaps
from funnelstats.plan.forecast import forecast_open, plan_rates
from funnelstats.plan.goals import plan_goal, plan_window, scatter_window
from funnelstats.plan.plan import (
    funnel_arithmetic,
    make_plan,
    manager_shares,
    plan_calendar,
    plan_leads,
    plan_money,
    stage_needs,
)
