"""How a page was counted, and what the export cannot tell: the sentences that pages print at their end."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KNOWN_ON
from funnelstats.config.words import _, counted, day, label, number
from funnelstats.core.comparing import is_ranked
from funnelstats.core.counts import known_columns
from funnelstats.importing.facts import FACT_TEXTS
from funnelstats.importing.opening import Tables

MOST_TOLD = 5
OUR_COLUMNS = ("blank", "repeated_ids_differ", "few_ids_differ")
"""Facts whose detail is a column of ours."""
OF_DAYS = (
    "far_before",
    "far_after",
    "created_at_once",
    "ended_at_once",
    *(f"{table}_after_the_end" for table in KNOWN_ON if table != "entries"),
)
"""Facts whose detail is a day."""


_FORMS = dict.fromkeys(OUR_COLUMNS, _) | dict.fromkeys(OF_DAYS, lambda detail: day(date.fromisoformat(detail)))


def how_counted(funnel: Funnel, as_of: date) -> dict[str, Any]:
    """What the page of counting rules tells of: ``funnel``, ``as_of``, ``steps`` with their floors, the ``longest``.

    >>> sorted(fs.how_counted(spec, day))
    ['as_of', 'funnel', 'longest', 'steps']
    """
    steps = [step.agreed() for step in funnel.steps]
    return {
        "funnel": funnel,
        "as_of": as_of,
        "steps": steps,
        "longest": max(steps, key=lambda step: step["horizon_days"]),
    }


def oddities(facts: Sequence[dict]) -> list[str]:
    """What is odd about the data and makes no number false, each fact a sentence that begins with its count.

    >>> fs.oddities(fs.read_quality("sample").facts)[0]
    '31 rows of costs are of the channel “Radio”, which no lead has.'
    """
    return _facts([fact for fact in facts if FACT_TEXTS[fact["fact"]].touches is None])


def cautions(facts: Sequence[dict], *subjects: str, unnamed: bool = False) -> list[str]:
    """The warnings about the data that touch these numbers, all where none is named; empty where there is none.

    Each is a sentence with the lines of funnel.toml that put it right. ``unnamed``, for a page that one manager reads,
    leaves out these lines, and the warnings that name people. Of one kind at most five are told, and how many more
    there are.

    >>> fs.cautions(fs.read_quality("sample").facts, "money")[1]
    '2 payments cannot be read: their money is in no figure.'
    """
    touching = []
    for fact in facts:
        text = FACT_TEXTS[fact["fact"]]
        touches = text.touches is not None and (not subjects or {*subjects} & {*text.touches})
        if touches and not (unnamed and text.about_people):
            touching.append(fact)
    sentences = []
    for kind in dict.fromkeys(fact["fact"] for fact in touching):
        alike = [fact for fact in touching if fact["fact"] == kind]
        sentences += _facts(alike[:MOST_TOLD], mend=not unnamed)
        if (more := len(alike) - MOST_TOLD) > 0:
            sentences.append(counted("{n} more of this kind.", "{n} more of this kind.", more).format(n=number(more)))
    return sentences


def _facts(facts: Sequence[dict], *, mend: bool = True) -> list[str]:
    """A column that is ours is called what pages call it; names from the data stay as they are."""
    sentences = []
    for fact in facts:
        detail = " → ".join(map(_FORMS.get(fact["fact"], label), fact["detail"].split(" → ")))
        forms = FACT_TEXTS[fact["fact"]]
        text = counted(forms.one, forms.several, fact["count"]).format(n=number(fact["count"]), detail=detail)
        lines = _("In funnel.toml:\n{lines}").format(lines=fact["mend"]) if mend and fact.get("mend") else ""
        sentences.append(f"{text} {lines}".rstrip())
    return sentences


def missing_parts(funnel: Funnel, tables: Tables, *unasked: str) -> list[str]:
    """What the export lacks, and with it which questions have no answer, each in a sentence; empty if nothing does.

    Of tables that the page does not ask for nothing is said.

    >>> fs.missing_parts(spec, tables)
    []
    """
    absent = {
        "contacts": _("No contacts: which contacts moved leads on, and how soon leads were first contacted."),
        "payments": _("No payments: revenue, the size of a deal and what a leak costs."),
        "costs": _("No costs: what a lead or a sale costs, and what a channel returns."),
    }
    sentences = [
        sentence for table, sentence in absent.items() if table not in unasked and getattr(tables, table) is None
    ]
    if funnel.is_snapshot:
        sentences.append(_("A snapshot, one row for each lead: steps back, stages entered twice, earlier owners."))
    refusals = _known_of_refusals(tables)
    if "lead_id" not in refusals:
        sentences.append(_("No refusals: leads that did not buy are still open here, or missing, and give no reason."))
    elif "reason" not in refusals:
        sentences.append(_("No reasons of refusal: why leads say no."))
    return [*sentences, *funnel.notes]


def missing_tables(tables: Tables) -> list[str]:
    """What of contacts, payments, costs and refusals the export lacks, in words.

    >>> fs.missing_tables(tables)
    []
    """
    absent = [_(name) for name in ("contacts", "payments", "costs") if getattr(tables, name) is None]
    return absent if _known_of_refusals(tables) else [*absent, _("refusals")]


def _known_of_refusals(tables: Tables) -> set[str]:
    """Columns that hold something in some refusal; none where there is no refusal."""
    return known_columns(tables.entries.filter(tables.entries.stage == "lost"))


def not_computable(funnel: Funnel, facts: Sequence[dict], managers: pd.DataFrame) -> list[str]:
    """What this export cannot tell, each in a sentence; empty if it can tell everything asked here.

    >>> fs.not_computable(spec, fs.read_quality("sample").facts, managers)
    []
    """
    limiting = ("undated", "no_manager_at_stage", "snapshot")
    sentences = _facts([fact for fact in facts if fact["fact"] in limiting])
    if "manager" not in managers or not is_ranked(managers, funnel).any():
        sentences.append(_("Conversion by manager cannot be computed: no lead has a manager when it enters a step."))
    if any(step.target is None for step in funnel.steps):
        sentences.append(_("Steps without an agreed target are shown, never judged."))
    return [*sentences, *funnel.notes]
