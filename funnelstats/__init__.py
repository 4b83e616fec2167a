"""Where a sales team loses its leads, and whether that is real."""

from importlib import import_module
from typing import Any

_HOMES = {
    "stated.dates": (
        "last_complete_month last_complete_quarter last_complete_week month_days month_of parse_day quarter_days "
        "quarter_of week_days week_of"
    ),
    "stated.funnel": "Funnel FunnelError read_funnel",
    "stated.intervals": "clopper_pearson_interval newcombe_interval wilson_interval",
    "reading.quality": "set_aside_reasons",
    "reading.opening": (
        "Quality Tables alarm_window last_day open_funnel read_quality trailing_window trend_window window_before"
    ),
    "stated.shared": "kept",
    "counting.journeys": "journeys with_cohort with_leads",
    "counting.counts": (
        "deal_size outcome_days overall_counts stage_days stage_span step_counts step_fates undated_counts"
    ),
    "counting.flows": "stage_flow transitions",
    "counting.sensitivity": "rival_counts",
    "counting.money": (
        "age_counts lead_values money_counts of_cohorts paid_by_month spend_counts stray_payments year_to"
    ),
    "counting.channel_paths": "channel_credit channel_moves",
    "counting.base_counts": (
        "blacklist_counts blacklisted_contacts coverage_counts duplicate_counts renewal_counts score_counts"
    ),
    "counting.touches": "contact_counts quiet_counts touches",
    "counting.firsts": "first_contacts hours_to_contact landmark_counts",
    "counting.ownleads": "own_leads own_wins",
    "counting.drill": "cell_leads",
    "counting.ends": (
        "attempt_counts refusal_counts refusal_totals retried_counts retries_due retry_counts with_attempt "
        "with_refusal without_stage"
    ),
    "counting.handover": "hand_over_counts hand_over_days hand_overs handed_counts handed_over state_counts",
    "counting.wins": "ticket_moments wins won_counts",
    "counting.records": "attribute_sizes record_counts",
    "counting.pipeline": "lead_cost open_leads paid_open_leads stage_contacts",
    "statistics.conversion": ("at_step cohort_table conversion_rates rate_difference with_matured rival_rates"),
    "statistics.incidence": "days_in_stage days_to_convert incidence incidence_at",
    "statistics.managers": "page_verdicts rest_of versus_rest versus_target versus_targets with_undated",
    "statistics.scatter": "against_rest rates_over_weeks usual_dispersion",
    "statistics.casemix": "at_equal_leads case_mix",
    "statistics.changes": "explain_change",
    "statistics.leaks": "drivers leak_drivers leak_sizes noticeable",
    "statistics.monitoring": "e_alarms since_when",
    "statistics.projection": "project",
    "statistics.teams": "coaching_pairs rank_intervals shrunken_rates",
    "statistics.contacts": ("beside_colleagues contact_rates contact_sentences efforts pooled_contacts with_expected"),
    "statistics.speed": "contact_curve landmark_differences landmark_sentences speed_sentences waiting_times",
    "statistics.worklist": "chances coming_week stalled untouched with_retry_stake with_stake worklist",
    "statistics.associations": "reason_association reason_patterns",
    "statistics.refusals": (
        "any_reason by_reason reason_changes reason_drivers reason_shares reason_table retry_success second_looks"
    ),
    "statistics.maturity": "deals_to_come named_quarters payback",
    "statistics.revenue": "returns told with_total",
    "statistics.campaigns": "money_of_campaigns of_campaigns small_together",
    "statistics.attribution": "attribution removal_effects",
    "statistics.lead_base": "renewal score_groups score_skill",
    "statistics.goals": "plan_goal plan_window scatter_window working_days",
    "statistics.betas": "leads_needed",
    "statistics.forecast": "forecast_open new_lead_chance plan_rates",
    "statistics.plan": "finite funnel_arithmetic plan_leads",
    "statistics.plan_work": (
        "calendar_labels entries_ahead manager_shares plan_calendar plan_money rounded_up stage_needs weeks_alike"
    ),
    "statistics.loop": (
        "acceptance even_load followed_window in_common months_to named_managers "
        "readiness record_shares shared_attributes state_table states_by"
    ),
    "statistics.nurture": "compared_by nurture_effects nurture_sentences nurture_table",
    "statistics.notes": "month_notes notes_fingerprint",
    "showing.shown": "show_text",
    "showing.layout": "Layout",
    "showing.tables": "show_csv show_table",
    "showing.rules": "cautions counting_rules fact_sentences missing_parts not_computable",
    "showing.remarks": (
        "RIVAL_WORDS change_sentence power_sentence quiet_sentences rates_apart rival_sentence rival_table "
        "scatter_sentences with_remarks"
    ),
    "showing.advice": "what_to_do",
    "showing.undated_notes": "undated_sentences without_stage_sentence",
    "showing.peers": "of_manager of_manager_flow own_rows own_sentences peer_band peer_rows",
    "showing.charts": "band_chart control_chart trend_chart",
    "showing.money_advice": "money_sentences",
    "showing.money_notes": "attribution_sentences money_limits money_rules",
    "showing.base_advice": "base_sentences",
    "showing.money_charts": "returns_chart",
    "showing.contact_charts": "contact_chart speed_chart",
    "showing.plan_advice": "plan_sentences",
    "showing.plan_notes": "aim_notes money_notes plan_rules work_notes",
    "showing.plan_charts": "arithmetic_chart deals_chart",
    "showing.worklist_advice": "worklist_sentences",
    "showing.refusal_limits": "month_after refusal_rules refusals_not_told",
    "showing.refusal_findings": "association_sentence top_sentence tried_sentence",
    "showing.refusal_advice": "refusal_sentences",
    "showing.reason_charts": "CHANGE_WORDS LOOK_WORDS loss_chart reason_chart",
    "showing.loop_advice": "acceptance_sentences loop_limits loop_rules loop_sentences reconciliation won_sentence",
    "showing.loop_charts": "state_chart",
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """A name when it is asked for, since ibis alone takes longer to import than help to print."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
