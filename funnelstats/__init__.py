"""Where a sales team loses its leads, and whether that is real."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_HOMES = {
    "funnel": "Funnel FunnelError read_funnel",
    "dates": "last_complete_month last_complete_quarter last_complete_week month_days month_of parse_day "
    "quarter_days quarter_of week_days week_of",
    "opening": "Quality Tables alarm_window last_day open_funnel read_quality trailing_window trend_window "
    "window_before",
    "journeys": "journeys stays with_cohort with_leads",
    "counts": "deal_size outcome_days overall_counts stage_span step_counts",
    "flows": "FLOW_WORDS stage_flow transitions",
    "sensitivity": "rival_counts",
    "intervals": "clopper_pearson_interval newcombe_interval wilson_interval",
    "conversion": "at_step cohort_table conversion_rates pooled_rates rate_difference with_matured rival_rates",
    "incidence": "days_in_stage days_to_convert incidence incidence_at",
    "projection": "project",
    "managers": "rest_of versus_rest versus_target weeks_to_tell",
    "teams": "coaching_pairs funnel_limits rank_intervals shrunken_rates",
    "casemix": "at_equal_leads case_mix",
    "peers": "of_manager of_manager_flow own_rows peer_band peer_rows",
    "touches": "contact_counts quiet_counts touches",
    "spans": "kept",
    "firsts": "first_contacts hours_to_contact landmark_counts",
    "ownleads": "own_leads own_wins",
    "contacts": "beside_colleagues contact_rates contact_sentences efforts pooled_contacts quiet_rates with_expected",
    "speed": "contact_curve landmark_differences landmark_sentences speed_sentences waiting_times",
    "worklist": "chances coming_week stalled untouched with_retry_stake with_stake worklist worklist_sentences",
    "contact_charts": "contact_chart show_if_any speed_chart",
    "leaks": "drivers leak_sizes",
    "changes": "explain_change",
    "monitoring": "e_alarms since_when",
    "money": "age_counts lead_values money_counts of_cohorts paid_by_month spend_counts stray_payments year_to",
    "channel_paths": "channel_credit channel_moves",
    "base_counts": "blacklist_counts blacklisted_contacts coverage_counts duplicate_counts renewal_counts score_counts",
    "maturity": "deals_to_come named_quarters payback",
    "revenue": "returns told with_total",
    "attribution": "attribution removal_effects",
    "chain_ladder": "chain_ladder paid_triangle",
    "lead_base": "renewal score_groups score_skill",
    "money_advice": "attribution_sentences money_limits money_rules money_sentences",
    "base_advice": "base_sentences",
    "money_charts": "returns_chart",
    "ends": "refusal_counts refusal_totals retried_counts retries_due retry_counts with_attempt with_refusal",
    "associations": "reason_association reason_patterns",
    "refusals": "any_reason by_reason reason_changes reason_drivers reason_shares reason_table retry_success "
    "second_looks",
    "goals": "plan_goal plan_window scatter_window working_days",
    "pipeline": "lead_cost open_leads stage_contacts",
    "forecast": "forecast_open new_lead_chance plan_rates",
    "betas": "leads_needed",
    "plan": "finite funnel_arithmetic plan_leads",
    "plan_work": "calendar_labels entries_ahead manager_shares plan_calendar plan_money stage_needs",
    "plan_advice": "aim_notes money_notes plan_rules plan_sentences work_notes",
    "plan_charts": "arithmetic_chart deals_chart",
    "refusal_limits": "month_after refusal_rules refusals_not_told",
    "refusal_advice": "association_sentence refusal_sentences",
    "reason_charts": "CHANGE_WORDS LOOK_WORDS loss_chart reason_chart show_rows",
    "handover": "hand_over_counts hand_over_days hand_overs handed_counts handed_over state_counts",
    "wins": "ticket_moments wins won_counts won_leads",
    "records": "attribute_sizes record_counts",
    "loop": "STATE_LABELS acceptance even_load followed_window in_common months_to named_managers of_campaigns "
    "readiness record_shares shared_attributes state_table states_by",
    "nurture": "compared_by nurture_effects nurture_sentences nurture_table",
    "notes": "month_notes notes_fingerprint",
    "parts": "show_part",
    "loop_advice": "acceptance_sentences loop_limits loop_rules loop_sentences reconciliation won_sentence",
    "loop_charts": "state_chart",
    "quality": "set_aside_reasons",
    "rules": "counting_rules fact_sentences missing_parts not_computable",
    "remarks": "RIVAL_WORDS change_sentence power_sentence rival_sentence rival_table with_remarks",
    "advice": "own_sentences page_verdicts what_to_do",
    "charts": "band_chart control_chart trend_chart",
    "drill": "cell_leads",
    "tables": "show_csv show_table",
    "shown": "show_text",
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_MODULE_OF)


class _Package(ModuleType):
    """The package: names arrive when asked for, since ibis alone takes longer to import than help to print.

    Some verbs are called like their module (journeys, incidence). Python would put the module in the
    verb's place as soon as anybody imports it; ``from funnelstats import journeys`` is always the verb.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _MODULE_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
