"""Where a sales team loses its leads, and whether that is real.

Names of every page stand here, those of one subject in its room: ``fs.team``, ``fs.leads``, ``fs.contacts``,
``fs.refusals``, ``fs.loop``, ``fs.money``, ``fs.plan``; what the pages of a week share in ``fs.weekly``.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "config.dates": (
        "last_complete_month last_complete_quarter last_complete_week month_days month_of months_to parse_day "
        "quarter_days quarter_of week_days week_of"
    ),
    "config.funnel": "Funnel FunnelError read_funnel",
    "importing.opening": (
        "Quality Tables alarm_window last_day month_notes notes_fingerprint open_funnel read_quality set_aside_reasons "
        "trailing_window trend_window window_before"
    ),
    "core.casemix": "at_equal_leads case_mix",
    "core.comparing": "page_verdicts versus_target versus_targets with_undated",
    "core.conversion": "at_step cohort_table conversion_rates rival_rates with_matured",
    "core.counts": ("deal_size outcome_days overall_counts stage_span step_counts step_fates undated_counts"),
    "core.flow_counts": "stage_flow transitions with_known_ends",
    "core.incidence": "days_in_stage incidence incidence_at",
    "core.intervals": "clopper_pearson_interval newcombe_interval wilson_interval",
    "core.journeys": "journeys with_cohort with_leads",
    "core.scatter": "against_rest rates_over_weeks usual_dispersion",
    "page.layout": "Layout",
    "page.rules": "cautions how_counted missing_parts not_computable oddities",
    "page.sections": "show_section",
    "page.tables": "show_csv show_table show_text",
}
ROOMS = ("weekly", "team", "leads", "contacts", "refusals", "loop", "money", "plan")
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names.split()}
__all__ = sorted([*_MODULE_OF, *ROOMS])


def __getattr__(name: str) -> Any:
    """A name when it is asked for, since ibis alone takes longer to import than help to print."""
    if name in ROOMS:
        value: Any = import_module(f"{__name__}.{name}")
    elif name in _MODULE_OF:
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
