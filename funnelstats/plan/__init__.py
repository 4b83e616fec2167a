"""How many leads a goal needs, and what the open ones will bring."""

from funnelstats.plan.charts import (
    arithmetic_chart as arithmetic_chart,
    deals_chart as deals_chart,
    show_calendar as show_calendar,
)
from funnelstats.plan.counts import (
    lead_cost as lead_cost,
    open_leads as open_leads,
    paid_open_leads as paid_open_leads,
    stage_contacts as stage_contacts,
)
from funnelstats.plan.findings import (
    plan_facts as plan_facts,
    plan_gaps as plan_gaps,
)
from funnelstats.plan.forecast import (
    forecast_open as forecast_open,
    plan_rates as plan_rates,
)
from funnelstats.plan.goals import (
    plan_goal as plan_goal,
    plan_window as plan_window,
    scatter_window as scatter_window,
)
from funnelstats.plan.plan import (
    funnel_arithmetic as funnel_arithmetic,
    make_plan as make_plan,
    manager_shares as manager_shares,
    plan_calendar as plan_calendar,
    plan_leads as plan_leads,
    plan_money as plan_money,
    stage_needs as stage_needs,
)
