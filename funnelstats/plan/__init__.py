"""How many leads a goal needs, and what the open ones will bring."""

from funnelstats.plan.charts import arithmetic_chart, deals_chart
from funnelstats.plan.counts import lead_cost, open_leads, paid_open_leads, stage_contacts
from funnelstats.plan.forecast import forecast_open, new_lead_chance, plan_rates
from funnelstats.plan.goals import leads_needed, plan_goal, plan_window, scatter_window, working_days
from funnelstats.plan.plan import finite, funnel_arithmetic, plan_leads
from funnelstats.plan.sentences import aim_notes, money_notes, plan_rules, plan_sentences, work_notes
from funnelstats.plan.work import (
    calendar_labels,
    entries_ahead,
    manager_shares,
    plan_calendar,
    plan_money,
    rounded_up,
    stage_needs,
    weeks_alike,
)

__all__ = [
    "aim_notes",
    "arithmetic_chart",
    "calendar_labels",
    "deals_chart",
    "entries_ahead",
    "finite",
    "forecast_open",
    "funnel_arithmetic",
    "lead_cost",
    "leads_needed",
    "manager_shares",
    "money_notes",
    "new_lead_chance",
    "open_leads",
    "paid_open_leads",
    "plan_calendar",
    "plan_goal",
    "plan_leads",
    "plan_money",
    "plan_rates",
    "plan_rules",
    "plan_sentences",
    "plan_window",
    "rounded_up",
    "scatter_window",
    "stage_contacts",
    "stage_needs",
    "weeks_alike",
    "work_notes",
    "working_days",
]
