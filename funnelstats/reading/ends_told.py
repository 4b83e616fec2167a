"""Facts of how leads ended: ends put right at once, ends and payments that have no date."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from funnelstats.reading.shapes import LEAST_LEADS
from funnelstats.stated.funnel import ENDS, Funnel

DAY = 24


def facts_of_ends(tables: dict[str, ir.Table], funnel: Funnel) -> list[dict[str, Any]]:
    """Records ``fact, detail, count``, and ``mend`` where a line of funnel.toml would count otherwise."""
    entries = tables["entries"]
    known = (funnel.stages[-1], *ENDS)
    waits = _waits(entries, funnel)
    within = int((waits <= funnel.correction_hours).sum())
    soon = int((waits <= DAY).sum()) - within
    most = within >= LEAST_LEADS and 2 * within > _number_of_ends(entries)
    corrected = "most_ends_corrected" if most else "ends_corrected"
    undated = entries.filter(entries.entered_at.isnull() & entries.stage.isin(known))
    leads = undated.group_by("stage").aggregate(leads=undated.lead_id.nunique()).execute().set_index("stage")["leads"]
    unpaid = tables["payments"].paid_at.isnull().sum().fill_null(0).execute() if "payments" in tables else 0
    found: list[dict[str, Any]] = [
        {"fact": corrected, "detail": f"{funnel.correction_hours:g}", "count": within}
        | ({"mend": "correction_hours = 0"} if most else {}),
        {"fact": "ends_soon_reopened", "detail": "", "count": soon, "mend": f"correction_hours = {DAY}"},
        *({"fact": "ends_undated", "detail": stage, "count": int(leads.get(stage, 0))} for stage in known),
        {"fact": "payments_undated", "detail": "", "count": int(unpaid)},
    ]
    return [record for record in found if record["count"]]


def _number_of_ends(entries: ir.Table) -> int:
    dated = entries.filter(entries.stage.isin(ENDS) & entries.entered_at.notnull())
    return int(dated.select("lead_id", "entered_at").distinct().count().execute())


def _waits(entries: ir.Table, funnel: Funnel) -> Any:
    """Hours from each end to the lead's next stage entry, where there is one."""
    ends = entries.filter(entries.stage.isin(ENDS)).select("lead_id", ended_at="entered_at").distinct()
    after = entries.filter(entries.stage.isin(funnel.stages)).select("lead_id", "entered_at")
    nexts = (
        ends.join(after, "lead_id")
        .filter(ibis._.entered_at > ibis._.ended_at)
        .group_by("lead_id", "ended_at")
        .aggregate(again=ibis._.entered_at.min())
        .execute()
    )
    return (nexts["again"] - nexts["ended_at"]).dt.total_seconds() / 3600
