"""How a page was counted, and what the export cannot tell: the sentences that pages print at their end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.reading.account import FACTS
from funnelstats.stated.funnel import MISSING, Funnel
from funnelstats.stated.words import _, counted, day, number, percent

if TYPE_CHECKING:
    from funnelstats.reading.opening import Tables


def counting_rules(funnel: Funnel, as_of: date, window: tuple[date, date]) -> list[str]:
    """How the page was counted, one sentence for each rule."""
    horizons = ", ".join(f"{step.from_stage} → {step.to_stage} {step.horizon_days}" for step in funnel.steps)
    return [
        _(
            "Unit: one attempt to sell to a lead. A lead reopened after it was lost or returned is a new attempt, "
            "which begins at the stage it was reopened at."
        ),
        *_corrections(funnel),
        _(
            "Reached: a lead that stood at a stage or beyond it has reached it. Skipped stages count as reached, and a "
            "step back takes nothing away."
        ),
        _(
            "Ties: entries at one instant, and on one day where the hour is not known, are ordered as the funnel "
            "orders its stages, ends last."
        ),
        _(
            "Backdated rows stay in the counts, are left out of durations as skipped stages are, and are listed in the "
            "data check. An end without a date is an end: not open, and not known to be in time."
        ),
        _("Cohorts are by entry; the flow of a week is a table of its own and carries no rates."),
        _(
            "A lead is judged by whether it moves on within so many days of entering the stage: {horizons}. “By the "
            "horizon” also uses leads still on their way, with refused ones as a rival end; “matured” uses only leads "
            "whose days are over. Leads whose days are not over are “too recent” there."
        ).format(horizons=horizons),
        _("Weeks are ISO weeks, Monday to Sunday, in the time zone {zone}; no unfinished week is compared.").format(
            zone=funnel.timezone
        ),
        _("Where nobody entered there is no rate. Blank values form the group “(missing)”, apart from “unknown”."),
        _(
            "Managers: each step counts for who owned the lead when it entered the step. System users and leads "
            "without a manager are counted and never ranked."
        ),
        *(
            [_("A lead that came to a system user or to nobody counts for the first person who took it at that stage.")]
            if funnel.owner_from == "first_person"
            else []
        ),
        _(
            "For every stage and manager: there before + entered = advanced + lost + returned to marketing + moved "
            "away + still there."
        ),
        _("As of {day}: what was known at the end of that day; later rows do not exist.").format(day=day(as_of)),
        _(
            "Rival definitions: where other ways of counting the same leads stand beside a rate, the page itself uses "
            "“reached in time”."
        ),
        _(
            "Judged are the entries of the {weeks} weeks {first} to {last}, against the target less its tolerance. Of "
            "all results painted red on a page, at most 7 in 100 are so by chance. A manager is named only where at "
            "most one page in twenty would name anybody by chance, and where the weeks since the half-year before "
            "say the same, however often one looks."
        ).format(weeks=funnel.window_weeks, first=day(window[0]), last=day(window[1])),
        *_tolerances(funnel),
        _("Days and weeks are counted on local dates; instants are kept in UTC."),
    ]


def _corrections(funnel: Funnel) -> list[str]:
    hours = funnel.correction_hours
    if not hours:
        return []
    text = counted(
        "An end that a stage entry follows within {hours} hour put a slip right and is none.",
        "An end that a stage entry follows within {hours} hours put a slip right and is none.",
        int(hours) if hours == int(hours) else 2,
    )
    return [text.format(hours=number(hours, 0 if hours == int(hours) else 1))]


def _tolerances(funnel: Funnel) -> list[str]:
    """From which rate on a target counts as met, where that is not the target itself."""
    return [
        _("Tolerance: {step} counts as met from {floor} on, where {target} are agreed.").format(
            step=f"{step.from_stage} → {step.to_stage}",
            floor=percent(round(step.target - step.tolerance, 12)),
            target=percent(step.target),
        )
        for step in funnel.steps
        if step.target is not None and step.tolerance
    ]


def fact_sentences(facts: Sequence[dict]) -> list[str]:
    """What is odd about the data, each fact a sentence that begins with its count."""
    return _facts(facts) or [_("Nothing odd was found.")]


def _facts(facts: Sequence[dict]) -> list[str]:
    """A column that is ours is called what pages call it; names from the data stay as they are."""
    known = [
        (fact["count"], FACTS[fact["fact"]], _(fact["detail"]) if fact["fact"] == "blank" else fact["detail"])
        for fact in facts
    ]
    return [counted(*forms, n).format(n=number(n), detail=detail) for n, forms, detail in known]


def missing_parts(funnel: Funnel, tables: Tables) -> list[str]:
    """What the export lacks, and with it which questions have no answer, each in a sentence."""
    absent = {
        "contacts": _(
            "No contacts: which contacts moved leads on, and how soon leads were first contacted cannot be told."
        ),
        "payments": _("No payments: revenue, the size of a deal and what a leak costs cannot be told."),
        "costs": _("No costs: what a lead or a sale costs, and what a channel returns cannot be told."),
    }
    said = [sentence for table, sentence in absent.items() if getattr(tables, table) is None]
    ends = {stage for source in funnel.entries for stage in source.values.get("stage", {}).values()}
    ends |= {source.stage for source in funnel.entries if source.stage}
    if "lost" not in ends:
        said.append(_("No refusals: a lead that did not buy stays open for ever, so reasons cannot be told."))
    elif not any("reason" in source.columns for source in funnel.entries):
        said.append(_("No reasons of refusal: why leads say no cannot be told."))
    return [*said, *funnel.notes] or [_("Nothing is missing.")]


def not_computable(funnel: Funnel, facts: Sequence[dict], managers: pd.DataFrame) -> list[str]:
    """What this export cannot tell, each in a sentence; empty if it can tell everything asked here."""
    limiting = ("undated", "no_manager_at_stage", "history_starts_late")
    said = _facts([fact for fact in facts if fact["fact"] in limiting])
    named = set(managers["manager"]) - {MISSING, *funnel.system_users} if "manager" in managers else set()
    if not named:
        said.append(_("Conversion by manager cannot be computed: no lead has a manager when it enters a step."))
    if any(step.target is None for step in funnel.steps):
        said.append(_("Steps without an agreed target are shown, never judged."))
    return [*said, *funnel.notes] or [_("Nothing that this page asks for is missing.")]
