"""The sources of payments and costs, and the currency of their amounts."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pandas as pd

from funnelstats.config.errors import visible
from funnelstats.config.schema import PART
from funnelstats.importing.closing import TOTAL
from funnelstats.importing.currencies import SIGNS
from funnelstats.importing.hints import toml_value
from funnelstats.recognising.changes import only_stages
from funnelstats.recognising.ends import MOST_LISTED
from funnelstats.recognising.entries import deals_of
from funnelstats.recognising.fields import number_reading
from funnelstats.recognising.joins import joined, with_role
from funnelstats.recognising.left_out import MOST_MISTAKES, few_values, undone
from funnelstats.recognising.roles import Table, is_no_money
from funnelstats.recognising.rows import MOSTLY, states_of_payments
from funnelstats.recognising.sheets import Sheet, values_within
from funnelstats.recognising.sources import Sources, time_of
from funnelstats.recognising.stages import SAID, Stages
from funnelstats.recognising.words import fit, plain, role_fit, words

SAME = 0.001
"""By what share a sum may differ from what it adds up."""
FEW_ROWS, MORE_ROWS = 3, 10
"""So few have no total among them: one of three may be as much as the others, one that names their channel of ten."""


def add_payments(sources: Sources, stages: Stages) -> None:
    """Add the payments; where there are none, the values of the deals that are won."""
    for table in sources.export.payments:
        columns = {
            "lead_id": table.header("lead_id"),
            "paid_at": table.header("paid") if "paid" in table.roles else time_of(table),
            "amount": table.header("amount"),
        }
        number, more = table.field("payment_id"), []
        if number and number.stands_once:
            columns["payment_id"] = number.name
        elif number and number.filled == len(table.sheet.cells):
            values = values_within(table.sheet.cells, number.name)
            if (values[[*columns.values()]] == 1).all() and _has_lines(table, number.name):
                columns["payment_id"] = number.name
                more.append('repeats = "last"   # guessed: the lines of a bill all have its amount')
                sources.guessed.add("payments.repeats")
        said = [*states_of_payments(), *words()["undone"]["given_back"]]
        unknown = [value for value in few_values(table, table.field("stage")) if fit(value, said) < 2]
        if unknown:
            states = ", ".join(f"“{value}”" for value in unknown[:MOST_LISTED])
            sources.notes.append(f"{table.sheet.name}: counted as paid, whatever it means: {states}")
        guesses = undone(table)
        guesses["given_back"] |= table.sent
        refunded, told = _refunded(table, columns["amount"], guesses["given_back"])
        more += refunded
        sources.guessed |= {"refunded"} if refunded else set()
        notes = [told, _undated(table, columns["paid_at"])]
        of_nobody = table.sheet.cells[columns["lead_id"]].isna()
        if MOST_MISTAKES < of_nobody.mean() < MOSTLY:
            guesses["without"] |= {columns["lead_id"]: [""]}
            money = _numbers(table.sheet, columns["amount"])[of_nobody].sum()
            notes.append(f"left out: {of_nobody.sum():,} rows without “{columns['lead_id']}”, {money:,.2f} in all")
        sources.notes += [f"{table.sheet.name}: {note}" for note in notes if note]
        sources.add(
            "payments",
            "One row for each payment",
            table,
            columns,
            *more,
            guesses=guesses,
            roles=("paid", "amount"),
        )
    if not sources.export.payments and (
        _of_won_deals(sources) or _of_last_stage(sources, stages.order[-1]) or _of_history(sources, stages)
    ):
        sources.guessed.add("payments")
    for sheet in [*(table.sheet for table in [sources.export.deals, *sources.export.details]), *sources.export.unused]:
        sources.notes += _unread_amounts(sheet)


def _unread_amounts(sheet: Sheet) -> list[str]:
    """What is told of columns that are called amounts, and are not read as numbers though they hold digits."""
    notes = []
    for name, field in sheet.fields.items():
        texts = field.kind in ("text", "id") and role_fit(name, "amount") >= 2 and not is_no_money(name)
        if texts and sheet.cells[name].dropna().str.contains(r"\d").mean() > MOSTLY:
            said = ", ".join(f"“{visible(value)}”" for value in sheet.values(name)[:3])
            notes.append(
                f"{sheet.name}: “{name}” is not read: its cells are not all numbers, or not written alike: {said}"
            )
    return notes


def _has_lines(table: Table, number: str) -> bool:
    """Whether the rows of one bill are its lines, and its amount is not that of a line: they name what was bought."""
    known, amount = words()["came"]["lines"], table.header("amount")
    lines = [name for name in table.sheet.fields if fit(name, known) > 0]
    differ = values_within(table.sheet.cells, number)[lines] > 1
    return amount not in lines and bool(differ.any())


def _undated(table: Table, paid: str) -> str:
    """What is told of payments with an amount and no day."""
    undated = (~table.sheet.has_date(paid) & table.sheet.cells[table.header("amount")].notna()).sum()
    return f"counted as not paid: {undated:,} row{'s' if undated > 1 else ''} without “{paid}”" if undated else ""


def _refunded(table: Table, amount: str, given_back: dict[str, list[str]]) -> tuple[list[str], str]:
    """The lines that subtract what was given back of each payment; or, if it cannot be subtracted, what to tell.

    Rows of what was ``given_back`` are refunds themselves, unless each tells how much of its payment came back.
    """
    known, sheet = words()["came"], table.sheet
    fits = {name: fit(name, known["refunded"]) for name in sheet.fields if name != amount and not is_no_money(name)}
    best = max(fits, key=lambda name: fits[name], default="")
    reading = number_reading(sheet.cells[best].dropna(), least=0) if fits.get(best, 0) >= SAID else None
    if reading is None:
        return [], ""
    paid, back = (_numbers(sheet, name).abs() for name in (amount, best))
    if back.max() <= 1:
        return [], ""  # a flag
    marked = [sheet.cells[name].isin(texts) for name, texts in given_back.items()]
    if marked and (table.sent or not (back[pd.concat(marked, axis=1).any(axis=1)] > 0).all()):
        return [], ""
    if not {*known["net"]}.isdisjoint(plain(amount).split()) or (back > paid).any():
        return [], f"“{best}” is not subtracted from “{amount}”, which seems to be net of it"
    blanks = [line.replace("{column}", "refunded") for line in reading if line.startswith("missing")]
    if {*reading} - {*sheet.fields[amount].reading} and len(blanks) < len(reading):
        return [], f"“{best}” is not subtracted from “{amount}”, whose numbers are written otherwise"
    given_back.clear()
    return [f"refunded = {toml_value(best)}   # guessed", *blanks], ""


def _numbers(sheet: Sheet, name: str) -> pd.Series[float]:
    """The amounts of a column, whatever its decimal sign and currency."""
    cells = sheet.cells[name]
    reading = number_reading(cells.dropna(), least=0) or []
    digits = cells.str.replace(r"[^\d,]" if 'decimal = ","' in reading else r"[^\d.]", "", regex=True).str.strip(".")
    sign = np.where(cells.str.contains(r"^\D*[-−(]|\d[-−]$"), -1, 1)
    return pd.to_numeric(digits.str.replace(",", "."), errors="coerce") * sign


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
            blank = {columns["amount"]: [""]} if columns["amount"] in deals.sheet.some else {}
            sources.add("payments", rows, deals, columns, *more, only=won, guesses={"without": blank})
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
    for found in sources.export.costs:
        table, meant = _with_channels(found, sources.export.deals)
        columns = {} if "channel" in table.roles and table.lines else {"date": time_of(table)}
        columns |= {role: table.header(role) for role in ("channel", "campaign", "amount") if role in table.roles}
        roles = ("channel", "campaign", "amount")
        named = table.field("channel")
        totals = [] if table.lines else [name for name in few_values(table, named) if TOTAL.match(name)]
        sums = {} if table.lines else _sums_of_others(table)
        left_out = sums | ({named.name: totals} if named and totals else {}) | _planned(table)
        guesses = {"without": left_out} if left_out else {}
        sources.notes += [
            f"{table.sheet.name}: left out: what has no “{header}” is the sum of the other rows" for header in sums
        ]
        sources.add("costs", "Money spent", table, columns, *table.lines, *meant, guesses=guesses, roles=roles)
        if "channel" not in columns and not any(
            line.startswith("constants.channel") for line in (*table.lines, *meant)
        ):
            sources.notes.append(
                f"{table.sheet.name}: no column says on which channel it was spent; where it is one, state it as "
                "constants.channel, as the leads call it"
            )


def _with_channels(table: Table, deals: Table) -> tuple[Table, list[str]]:
    """Costs of a file or sheet for a channel, which is called as the leads call it; and what states that."""
    known = deals.sheet.values(deals.header("channel")) if "channel" in deals.roles else []
    channel = _channel_of_file(table.sheet, known)
    if channel and "channel" not in table.roles and PART not in table.sheet.fields and not table.lines:
        return table, [f"constants.channel = {toml_value(channel)}   # guessed"]
    meant: dict[str, str] = {}
    for title in table.sheet.values(PART) if PART in table.sheet.fields else []:
        best = max(known, key=lambda name: fit(title, [plain(name)]), default="")
        meant |= {title: best} if best and fit(title, [plain(best)]) else {}
    told = with_role(table, "channel", PART) if meant else table
    return told, [f"values.channel = {toml_value(meant)}   # guessed"] if meant else []


def _channel_of_file(sheet: Sheet, known: list[str]) -> str:
    """The channel that a file of costs is called as and nothing else, where no column names another one; else ""."""
    bare = _bare(sheet.title or sheet.stem)
    called = [name for name in known if bare and _bare(name) == bare]
    texts = {value.casefold() for name in sheet.of_few_values("text") for value in sheet.values(name)}
    others = texts & {name.casefold() for name in known if name not in called}
    return called[0] if len(called) == 1 and not others else ""


def _bare(name: str) -> str:
    """A name, plain, without numbers and words that say that it is of costs: “google” of “Google Ads report 2026”."""
    known = sorted([*words()["files"]["costs"], *words()["came"]["reports"]], key=len, reverse=True)
    return " ".join(re.sub(rf"\b(?:{'|'.join(map(re.escape, known))}|\d+)\b", " ", plain(name)).split())


def _sums_of_others(table: Table) -> dict[str, list[str]]:
    """What leaves out the rows that are sums of others: of each day and campaign that without an ad group, which is as
    much as those with one; or the one row without campaign and channel, if it is as much as all others.
    """
    cells, amounts = table.sheet.cells, _numbers(table.sheet, table.header("amount"))
    named = [table.header(role) for role in ("campaign", "channel") if role in table.roles]
    levels = [name for name in table.sheet.fields if name in named or fit(name, words()["came"]["levels"]) > 0]
    for name in levels:
        blank = cells[name].isna()
        by: list[pd.Series[str]] = [cells[header].fillna("") for header in [time_of(table), *named] if header != name]
        may_be = blank.sum() > 1 and (~blank).sum() >= 2 * blank.sum()
        if blank.sum() == 1 and name in named:
            by = [pd.Series("", cells.index)]
            several = [header for header in named if cells[header].nunique() > 1]
            least = FEW_ROWS if cells[named][blank].isna().all(axis=None) else MORE_ROWS
            may_be = bool(cells[several][blank].isna().all(axis=None)) and len(cells) > least
        sums, others = (amounts[rows].groupby([key[rows] for key in by]).sum() for rows in (blank, ~blank))
        known = amounts.notna().all() and others.gt(0).any()
        if may_be and known and sums.index.equals(others.index) and (abs(sums - others) <= SAME * others).all():
            return {name: [""]}
    return {}


def _planned(table: Table) -> dict[str, list[str]]:
    """What leaves out the rows of a plan, where others are of what came."""
    named = [table.header(role) for role in ("campaign", "channel") if role in table.roles]
    for name, field in table.sheet.fields.items():
        values = few_values(table, field) if field.kind == "text" and name not in named else []
        planned = [value for value in values if fit(value, words()["came"]["plan"]) >= 2]
        if planned and any(fit(value, words()["came"]["actual"]) >= 2 for value in values):
            return {name: planned}
    return {}


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
        stated = [*chain(*(re.findall(r'"([^"]+)"', line) for line in field.reading if "signs" in line))]
        said |= {*stated, *(sign.casefold() for sign in stated)}
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
