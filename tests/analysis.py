"""What an analyst's own script may say of the library; ``mypy`` reads it with the package, nothing runs it."""

from datetime import date

import funnelstats as fs


def by_manager() -> None:
    spec, tables = fs.open_funnel("sample")
    paths = fs.journeys(tables.entries, spec)
    rates = fs.conversion_rates(fs.step_counts(paths, spec, date(2026, 6, 28), by="manager"))
    parts = [fs.team.since_when(rates, spec), fs.leads.cell_leads, fs.contacts.touches, fs.refusals.refusal_counts]
    parts += [fs.loop.handed_over, fs.money.lead_values, fs.plan.make_plan, fs.weekly.team]


def misspelt() -> None:
    fs.step_count()  # type: ignore[attr-defined]
    fs.team.since_wen()  # type: ignore[attr-defined]
