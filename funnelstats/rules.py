"""How a page was counted: the counting rules as the sentences that every page prints."""

from __future__ import annotations

from datetime import date

from funnelstats.funnel import Funnel


def counting_rules(funnel: Funnel, as_of: date, window: tuple[date, date]) -> list[str]:
    """How the page was counted, one sentence for each rule."""
    horizons = ", ".join(f"{step.from_stage} → {step.to_stage} {step.horizon_days}" for step in funnel.steps)
    return [
        "Unit: one attempt to sell to a lead. A lead reopened after it was lost or returned is a new attempt.",
        "Reached: a lead that stood at a stage or beyond it has reached it. Skipped stages count as reached, and a "
        "step back takes nothing away.",
        "Ties: entries at one instant are ordered as the funnel orders its stages.",
        "Backdated rows stay in the counts, are left out of durations, and are listed in the data check.",
        "Cohorts are by entry; the flow of a week is a table of its own and carries no rates.",
        f"A lead is judged by whether it moves on within so many days of entering the stage: {horizons}. "
        "“By the horizon” also uses leads still on their way, with refused ones as a rival end; “matured” uses only "
        "leads whose days are over. Leads whose days are not over are “too recent” there.",
        f"Weeks are ISO weeks, Monday to Sunday, in the time zone {funnel.timezone}; no unfinished week is compared.",
        "Where nobody entered there is no rate. Blank values form the group “(missing)”, apart from “unknown”.",
        "Managers: each step counts for who owned the lead when it entered the step. System users and leads without "
        "a manager are counted and never ranked.",
        "For every stage and manager: there before + entered = advanced + lost + returned to marketing + moved away + "
        "still there.",
        f"As of {as_of}: what was known at the end of that day; later rows do not exist.",
        f"Judged are the entries of the {funnel.window_weeks} weeks {window[0]} to {window[1]}, against the target "
        "less its tolerance. Of all results painted red on a page, at most one in ten is so by chance.",
        "Days and weeks are counted on local dates; instants are kept in UTC.",
    ]
