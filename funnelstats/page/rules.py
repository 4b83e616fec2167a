"""How a page was counted, and what the export cannot tell: the sentences that pages print at their end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, counted, day, number, percent
from funnelstats.core.counts import known_columns
from funnelstats.importing.facts import FACT_TEXTS
from funnelstats.importing.opening import Tables

MOST_TOLD = 5
OUR_COLUMNS = ("blank", "repeated_ids_differ", "few_ids_differ")
"""Facts whose detail is a column of ours."""
THREE_ANSWERS = (
    "What is not shown is not denied. “About as”, “no more than” and “even” are said only where a test at 5% rules out "
    "anything beyond the margin; elsewhere it cannot be told."
)


def how_counted(funnel: Funnel, as_of: date) -> dict[str, Any]:
    """What the page of counting rules tells of: ``funnel``, ``as_of``, ``steps`` with their floors, the ``longest``."""
    steps = [
        step._asdict() | {"floor": round(step.target - step.tolerance, 12) if step.target else None}
        for step in funnel.steps
    ]
    return {
        "funnel": funnel,
        "as_of": as_of,
        "steps": steps,
        "longest": max(steps, key=lambda step: step["horizon_days"]),
    }


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
            "For every stage and manager: there before + entered + came back = advanced + lost + returned to marketing "
            "+ moved away + still there."
        ),
        _("As of {day}: what was known at the end of that day; later rows do not exist.").format(day=day(as_of)),
        _(
            "Rival definitions: where other ways of counting the same leads stand beside a rate, the page itself uses "
            "“reached in time”."
        ),
        _(
            "Judged are the entries of the {weeks} weeks {first} to {last}, against the target less its tolerance, the "
            "team's steps and the managers' together. Were every rate exactly at what was agreed, about one page in "
            "twenty would show a red by chance; of all reds, on average at most 5 in 100 are chance. Leads of one week "
            "are alike: ranges and verdicts count them as fewer leads. A manager is named by a rule under which chance "
            "alone names somebody on at most one page in twenty; where a target is agreed, the weeks since the start "
            "of the half-year before must show the same, by a test that holds however often one looks."
        ).format(weeks=funnel.judged_weeks, first=day(window[0]), last=day(window[1])),
        *_widened(funnel),
        *_tolerances(funnel),
        _(THREE_ANSWERS),
        _("Days and weeks are counted on local dates; instants are kept in UTC."),
    ]


def _widened(funnel: Funnel) -> list[str]:
    """That more weeks are judged than were stated, and why, where that is so."""
    if funnel.judged_weeks == funnel.window_weeks:
        return []
    longest = max(funnel.steps, key=lambda step: step.horizon_days)
    return [
        _(
            "This page judges {weeks} weeks, not the {stated} stated: {step} is given {days} days, and in fewer weeks "
            "too few leads would have had all of them."
        ).format(
            stated=funnel.window_weeks,
            weeks=funnel.judged_weeks,
            step=f"{longest.from_stage} → {longest.to_stage}",
            days=longest.horizon_days,
        )
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


def oddities(facts: Sequence[dict]) -> list[str]:
    """What is odd about the data and makes no number false, each fact a sentence that begins with its count."""
    return _facts([fact for fact in facts if FACT_TEXTS[fact["fact"]].touches is None])


def cautions(facts: Sequence[dict], *subjects: str, unnamed: bool = False) -> list[str]:
    """The warnings about the data that touch these numbers, all where none is named; empty where there is none.

    Each is a sentence with the lines of funnel.toml that put it right. ``unnamed`` leaves out those that name
    people, for a page that one manager reads. Of one kind at most five are told, and how many more there are.
    """
    touching = []
    for fact in facts:
        text = FACT_TEXTS[fact["fact"]]
        touches = text.touches is not None and (not subjects or {*subjects} & {*text.touches})
        if touches and not (unnamed and text.about_people):
            touching.append(fact)
    said = []
    for kind in dict.fromkeys(fact["fact"] for fact in touching):
        alike = [fact for fact in touching if fact["fact"] == kind]
        said += _facts(alike[:MOST_TOLD])
        if more := len(alike) - MOST_TOLD if len(alike) > MOST_TOLD else 0:
            said.append(counted("{n} more of this kind.", "{n} more of this kind.", more).format(n=number(more)))
    return said


def _facts(facts: Sequence[dict]) -> list[str]:
    """A column that is ours is called what pages call it; names from the data stay as they are."""
    said = []
    for fact in facts:
        detail = _(fact["detail"]) if fact["fact"] in OUR_COLUMNS else fact["detail"]
        forms = FACT_TEXTS[fact["fact"]]
        text = counted(forms.one, forms.several, fact["count"]).format(n=number(fact["count"]), detail=detail)
        mend = _("In funnel.toml:\n{lines}").format(lines=fact["mend"]) if fact.get("mend") else ""
        said.append(f"{text} {mend}".rstrip())
    return said


def missing_tables(tables: Tables) -> dict[str, bool]:
    """What the export lacks, and so which questions have no answer: contacts, payments, costs, refusals, reasons."""
    known = known_columns(tables.entries.filter(tables.entries.stage == "lost"))
    absent = {table: getattr(tables, table) is None for table in ("contacts", "payments", "costs")}
    return absent | {"refusals": "lead_id" not in known, "reasons": "lead_id" in known and "reason" not in known}


def missing_parts(funnel: Funnel, tables: Tables) -> list[str]:
    """What the export lacks, and with it which questions have no answer, each in a sentence; empty if nothing does."""
    absent = {
        "contacts": _(
            "No contacts: which contacts moved leads on, and how soon leads were first contacted cannot be told."
        ),
        "payments": _("No payments: revenue, the size of a deal and what a leak costs cannot be told."),
        "costs": _("No costs: what a lead or a sale costs, and what a channel returns cannot be told."),
    }
    said = [sentence for table, sentence in absent.items() if getattr(tables, table) is None]
    refusals = known_columns(tables.entries.filter(tables.entries.stage == "lost"))
    if "lead_id" not in refusals:
        said.append(_("No refusals: a lead that did not buy stays open for ever, so reasons cannot be told."))
    elif "reason" not in refusals:
        said.append(_("No reasons of refusal: why leads say no cannot be told."))
    return [*said, *funnel.notes]


def not_computable(funnel: Funnel, facts: Sequence[dict], managers: pd.DataFrame) -> list[str]:
    """What this export cannot tell, each in a sentence; empty if it can tell everything asked here."""
    limiting = ("undated", "no_manager_at_stage", "snapshot")
    said = _facts([fact for fact in facts if fact["fact"] in limiting])
    named = set(managers["manager"]) - {MISSING, *funnel.system_users} if "manager" in managers else set()
    if not named:
        said.append(_("Conversion by manager cannot be computed: no lead has a manager when it enters a step."))
    if any(step.target is None for step in funnel.steps):
        said.append(_("Steps without an agreed target are shown, never judged."))
    return [*said, *funnel.notes]
