"""The public names, each from its home: what completion, help and type checkers know of the package."""

from . import contacts, leads, loop, money, plan, refusals, team, weekly
from .config.dates import (
    last_complete_month,
    last_complete_quarter,
    last_complete_week,
    month_days,
    month_of,
    months_to,
    parse_day,
    quarter_days,
    quarter_of,
    week_days,
    week_of,
)
from .config.errors import FunnelError
from .config.funnel import Funnel, funnel, read_funnel
from .core.casemix import at_equal_leads, case_mix
from .core.comparing import page_verdicts, versus_target, versus_targets, with_undated
from .core.conversion import (
    at_step,
    cohort_table,
    conversion_rates,
    group_difference,
    rate_difference,
    rival_rates,
    with_matured,
)
from .core.counts import deal_size, outcome_days, overall_counts, stage_span, step_counts, step_fates, undated_counts
from .core.flow_counts import stage_flow, transitions, with_known_ends
from .core.incidence import days_in_stage, days_to_convert, incidence, incidence_at
from .core.intervals import clopper_pearson_interval, newcombe_interval, wilson_interval
from .core.journeys import journeys, with_cohort, with_leads
from .core.scatter import against_rest, rates_over_weeks, usual_dispersion
from .core.shared import kept_journeys
from .importing.frames import tables
from .importing.opening import (
    Quality,
    Tables,
    alarm_window,
    last_day,
    month_notes,
    notes_fingerprint,
    open_funnel,
    read_quality,
    set_aside_reasons,
    trailing_window,
    trend_window,
    window_before,
)
from .page.figures import Chart, show_figure
from .page.layout import Layout
from .page.rules import cautions, how_counted, missing_parts, missing_tables, not_computable, oddities
from .page.sections import show_section
from .page.tables import show_csv, show_table, show_text

__all__ = [
    "Chart",
    "Funnel",
    "FunnelError",
    "Layout",
    "Quality",
    "Tables",
    "against_rest",
    "alarm_window",
    "at_equal_leads",
    "at_step",
    "case_mix",
    "cautions",
    "clopper_pearson_interval",
    "cohort_table",
    "contacts",
    "conversion_rates",
    "days_in_stage",
    "days_to_convert",
    "deal_size",
    "funnel",
    "group_difference",
    "how_counted",
    "incidence",
    "incidence_at",
    "journeys",
    "kept_journeys",
    "last_complete_month",
    "last_complete_quarter",
    "last_complete_week",
    "last_day",
    "leads",
    "loop",
    "missing_parts",
    "missing_tables",
    "money",
    "month_days",
    "month_notes",
    "month_of",
    "months_to",
    "newcombe_interval",
    "not_computable",
    "notes_fingerprint",
    "oddities",
    "open_funnel",
    "outcome_days",
    "overall_counts",
    "page_verdicts",
    "parse_day",
    "plan",
    "quarter_days",
    "quarter_of",
    "rate_difference",
    "rates_over_weeks",
    "read_funnel",
    "read_quality",
    "refusals",
    "rival_rates",
    "set_aside_reasons",
    "show_csv",
    "show_figure",
    "show_section",
    "show_table",
    "show_text",
    "stage_flow",
    "stage_span",
    "step_counts",
    "step_fates",
    "tables",
    "team",
    "trailing_window",
    "transitions",
    "trend_window",
    "undated_counts",
    "usual_dispersion",
    "versus_target",
    "versus_targets",
    "week_days",
    "week_of",
    "weekly",
    "wilson_interval",
    "window_before",
    "with_cohort",
    "with_known_ends",
    "with_leads",
    "with_matured",
    "with_undated",
]

__version__: str
