"""The sources of payments and costs, and the currency of their amounts."""

from __future__ import annotations

import re
from itertools import chain

import pandas as pd

from funnelstats.importing.closing import TOTAL
from funnelstats.importing.currencies import SIGNS
from funnelstats.recognising.changes import only_stages
from funnelstats.recognising.entries import deals_of
from funnelstats.recognising.joins import joined
from funnelstats.recognising.left_out import few_values, undone
from funnelstats.recognising.roles import Table
from funnelstats.recognising.sheets import values_within
from funnelstats.recognising.sources import Sources, time_of
from funnelstats.recognising.stages import Stages
from funnelstats.recognising.words import plain, role_fit

SAME = 0.001
"""By what share a sum may differ from what it adds up."""
FEW_ROWS = 3
"""So few have no total among them: one of three may well be as much as the others."""


def add_payments(sources: Sources, stages: Stages) -> None:
    """Add the payments; where there are none, the values of the deals that are won."""
    for table in sources.export.payments:
        columns = {
            "lead_id": table.header("lead_id"),
            "paid_at": table.header("paid") if "paid" in table.roles else time_of(table),
            "amount": table.header("amount"),
        }
        number = table.field("payment_id")
        columns |= {"payment_id": number.name} if number and number.stands_once else {}
        sources.add(
            "payments",
            "One row for each payment",
            table,
            columns,
            guesses=undone(table),
            roles=("paid", "amount"),
        )
    if not sources.export.payments and (
        _of_won_deals(sources) or _of_last_stage(sources, stages.order[-1]) or _of_history(sources, stages)
    ):
        sources.guessed.add("payments")


def _of_won_deals(sources: Sources) -> bool:
    """Add the amounts of deals that are won, and dated; whether there are such."""
    for deals in [sources.export.deals, *sources.export.details]:
        won = deals.ends.get("won")
        days = ("paid", "won", "closed", *(["time"] if deals.what == "history" else []))
        at = next((deals.header(role) for role in days if role in deals.roles), "")
        if won and at and "amount" in deals.roles:
            columns = {"lead_id": deals.header("lead_id"), "paid_at": at, "amount": deals.header("amount")}
            again = not deals.sheet.fields[columns["lead_id"]].stands_once
            more = []
            if deals.what == "history" and _is_of_the_lead(deals, won):
                columns["payment_id"] = columns["lead_id"]
                more = ['repeats = "last"   # the amount is that of the lead']
            elif again:
                changes, more = _once_for_each_lead(deals, at, columns["amount"])
                columns |= changes
            rows = "guessed: the value of a won deal is the money it brought"
            sources.add("payments", rows, deals, columns, *more, only=won)
            return True
    return False


def _once_for_each_lead(deals: Table, at: str, amount: str) -> tuple[dict[str, str], list[str]]:
    """The columns and lines by which the money of a lead of several rows is counted once."""
    values = values_within(deals.sheet.cells, deals.header("lead_id"))
    if values[amount] > 1:
        return {}, []
    numbers = [name for name, field in deals.sheet.fields.items() if field.kind == "number" and values[name] > 1]
    parts = [name for name in numbers if role_fit(name, "amount", "payment_id") >= 1]
    if values[at] > 1 and parts:
        return {"amount": parts[0]}, []  # what came on each day
    # What is the same in all rows of a lead is the sum of them.
    return {"payment_id": deals.header("lead_id")} if values[at] > 1 else {}, ['repeats = "last"']


def _is_of_the_lead(history: Table, won: dict[str, list[str]]) -> bool:
    """Whether the amounts of a history stand not only where something was bought: they are what a lead is worth."""
    [(status, names)] = won.items()
    cells = history.sheet.cells
    return bool(cells[history.header("amount")][~cells[status].isin(names)].notna().any())


def _of_last_stage(sources: Sources, last: str) -> bool:
    """Add the amounts of leads on the day of their last stage, if a column dates that; whether one does."""
    for dated in sources.dated:
        if dated.stage == last and dated.header and "amount" in dated.table.roles:
            lead_id, amount = (dated.table.header(role) for role in ("lead_id", "amount"))
            sources.add(
                "payments",
                "guessed: the value of a lead at the last stage is the money it brought",
                dated.table,
                {"lead_id": lead_id, "paid_at": dated.header, "amount": amount},
                only=dated.only,
                guesses={"without": {dated.header: ["", *dated.table.sheet.fields[dated.header].empty]}},
            )
            return True
    return False


def _of_history(sources: Sources, stages: Stages) -> bool:
    """Add the amounts of leads that a history of their own, without amounts, has won; whether there are such."""
    for table in sources.export.histories:
        deals, left, right = deals_of(table, sources.export)
        stage = table.field("stage")
        if stage is None or "amount" not in deals.roles or not deals.sheet.fields[right].stands_once:
            continue
        if deals.sheet is table.sheet or not {*table.sheet.values(left)} <= {*deals.sheet.cells[right]}:
            continue
        names = table.sheet.values(stage.name)
        won = sorted(name for name in names if stages.meant.get(name, name) == stages.order[-1])
        amount = deals.sheet.fields[deals.header("amount")]
        if won:
            sources.add(
                "payments",
                "guessed: the value of a lead is the money that its win brought",
                table,
                {
                    "lead_id": table.header("lead_id"),
                    "paid_at": time_of(table),
                    "amount": f"deal.{amount.name}",
                    "payment_id": table.header("lead_id"),
                },
                *sources.reading(deals.sheet, amount, "amount"),
                'repeats = "last"',
                only={**only_stages(table.sheet.cells, table.headers), stage.name: won},
                joins=[joined(deals.sheet, left, right, "deal.")],
            )
            return True
    return False


def add_costs(sources: Sources) -> None:
    """Add the costs."""
    for table in sources.export.costs:
        columns = {} if "channel" in table.roles and table.lines else {"date": time_of(table)}
        columns |= {role: table.header(role) for role in ("channel", "campaign", "amount") if role in table.roles}
        roles = ("channel", "campaign", "amount")
        named = table.field("channel")
        totals = [name for name in few_values(table, named) if TOTAL.match(name)] if named and not table.lines else []
        left_out = _sum_of_all(table) | ({named.name: totals} if named and totals else {})
        guesses = {"without": left_out} if left_out else {}
        sources.notes += [
            f"{table.sheet.name}: the row without “{header}” is the sum of all others, and left out"
            for header in _sum_of_all(table)
        ]
        sources.add("costs", "Money spent", table, columns, *table.lines, guesses=guesses, roles=roles)
        if "channel" not in table.roles and not any(line.startswith("constants.channel") for line in table.lines):
            sources.notes.append(
                f"{table.sheet.name}: no column says on which channel it was spent; where it is one, state it as "
                "constants.channel, as the leads call it"
            )


def _sum_of_all(table: Table) -> dict[str, list[str]]:
    """What leaves out the one row without campaign and channel whose amount is that of all others together."""
    cells = table.sheet.cells
    amounts = pd.to_numeric(cells[table.header("amount")].str.replace(",", ""), errors="coerce")
    named = [table.header(role) for role in ("campaign", "channel") if role in table.roles]
    once = [name for name in named if cells[name].isna().sum() == 1]
    blank = cells[named].isna().all(axis=1)
    total, others = amounts[blank].sum(), amounts[~blank].sum()
    is_sum = blank.sum() == 1 and len(cells) > FEW_ROWS and abs(total - others) <= SAME * others
    return {once[0]: [""]} if once and is_sum else {}


def currency_of(sources: Sources, default: str) -> str:
    """The currency that a column, a sign or a header says; else the answer to a question."""
    export = sources.export
    tables = [export.deals, *export.payments, *export.costs]
    for table in tables:
        if currency := table.field("currency"):
            most = str(table.sheet.cells[currency.name].mode().iloc[0])
            if re.fullmatch("[A-Z]{3}", most):
                return most
    # What the deals say counts before what their costs do.
    for field in [field for table in tables if (field := table.field("amount"))]:
        said = {*plain(field.name).split(), *re.findall(r"[^\w\s]", field.name)}
        said |= {*chain(*(re.findall(r'"([^"]+)"', line) for line in field.reading if "signs" in line))}
        for code, signs in SIGNS.items():
            if code.casefold() in said:
                return code
            if said & {*signs.split()}:
                sources.guessed.add("currency")
                return code
    return sources.choose("currency", "Currency of the amounts, three letters", [], default)


def changing_columns(table: Table) -> set[str]:
    """Columns of a history, or of lines, that differ between the rows of a lead: they are not the lead's."""
    if table.what != "history" and not table.of_lines:
        return set()
    values = values_within(table.sheet.cells, table.header("lead_id"))
    return {*values.index[values > 1]}
