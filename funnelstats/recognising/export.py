"""The tables of an export together: which is of the leads, and how its leads ended."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import pandas as pd

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import ENDS
from funnelstats.importing.mapping import NO, YES
from funnelstats.recognising.apart import activities_apart, instalments, results_of, side_by_side
from funnelstats.recognising.cost_tables import costs_by_headers
from funnelstats.recognising.dates import NEARLY_ALL
from funnelstats.recognising.fields import DATES
from funnelstats.recognising.joins import (
    ids_in,
    is_joined,
    linked,
    of_their_leads,
    on_either_side,
    turned,
    with_dates,
    with_lead_id,
    with_names,
    with_role,
)
from funnelstats.recognising.roles import Guess, Table, are_changes_of, plays_no_role, table_of
from funnelstats.recognising.rows import are_of_payments
from funnelstats.recognising.sheets import Sheet, chosen_by, not_dates
from funnelstats.recognising.stages import SAID, end_of
from funnelstats.recognising.words import fit, plain, role_fit, words

OF_ENDED = 0.95
"""Share of the deals that ended which have a date of their end, and of such dates which are of deals that ended."""
DAYS_OF_PLANS = 45
"""Dates of ends so many days after the last known end are plans."""
Said = TypeVar("Said")


class Export(NamedTuple):
    """Tables by what their rows are. ``deals``: one row for each lead; the history itself where there are no others."""

    deals: Table
    details: list[Table]
    """Further tables of one row for a lead, such as closed deals."""
    histories: list[Table]
    contacts: list[Table]
    payments: list[Table]
    costs: list[Table]
    people: list[Table]
    unused: list[Sheet]


def export_of(sheets: Sequence[Sheet]) -> Export:
    """The tables of an export. Raises FunnelError where nothing in it is of leads."""
    tables = [with_dates(table_of(sheet), sheets) for sheet in sheets]
    if not any(table.what in ("deals", "history") for table in tables):
        # Orders have the status of their payment where there is nothing else they could be the payments of.
        tables = [table._replace(what="deals") if _are_orders(table) else table for table in tables]
    if sum(table.what in ("deals", "history") for table in tables) > 1:
        tables = [table._replace(what="") if _has_no_amount(table) else table for table in tables]
    tables = [with_names(with_lead_id(table, sheets), sheets, "stage") for table in tables]
    tables = [with_names(table, sheets, "contact_kind" if table.what == "contacts" else "channel") for table in tables]
    tables = [_with_ends(table) for table in tables if not is_joined(table.sheet, tables)]
    for apart in (activities_apart, side_by_side, instalments):
        tables = [part for table in tables for part in apart(table)]
    calls = [table for table in tables if table.what == "contacts" and "reached" in table.roles]
    if not any(table.what in ("deals", "history") for table in tables):
        tables += map(_with_ends, filter(None, map(results_of, calls)))
    histories = [table for table in tables if table.what == "history"]
    deals = [table for table in tables if table.what == "deals" and "lead_id" in table.roles]
    deals = [table for table in deals if not _are_changes(table, histories)]
    if not deals and not histories:
        raise FunnelError(_nothing(tables))
    main = _main(deals, histories)
    others = defaultdict[str, list[Table]](list)
    unused = []
    # What says which lead a deal came from comes before what happened to deals.
    for table in sorted(tables, key=lambda table: (table.what != "deals", table.what != "history")):
        if table is main:
            continue
        found = table if table.what in ("costs", "people") else linked(table, main)
        if found is None and _are_called_payments(table) and table.what == "deals" and "amount" in table.roles:
            found = linked(table._replace(what="payments"), main)  # each with an id and a status of its own
        own = [other for other in [*others["deals"], *others["history"]] if other.own_id]
        of_turned = (
            found
            and found.lead_by
            and any(ids_in(found, found.header("lead_id")) & ids_in(other, other.own_id) for other in own)
        )
        if (found is None or of_turned) and main.what == "deals" and "lead_id" in table.roles:
            found = of_their_leads(table, main, others["deals"])
        if found and found.what == "deals":
            found = turned(found, main)
        if found is None or not table.what or (table.what == "contacts" and _of_one_file(table, histories)):
            unused.append(table.sheet)
        else:
            others[found.what] += on_either_side(found, main)
    histories = [main, *others["history"]] if main.what == "history" else others["history"]
    if any(table.own_id for table in [*others["deals"], *histories]):
        # A lead that was turned into a deal is not won by that.
        main = main._replace(roles=_but_won(main.roles), ends=_but_won(main.ends))
    channel = main.field("channel")
    named = main.sheet.values(channel.name) if channel else []
    of_no_channel = [table.sheet for table in others["costs"] if "channel" not in table.roles]
    for sheet in [*unused, *of_no_channel]:
        if costs := costs_by_headers(sheet, named):
            others["costs"] = [table for table in others["costs"] if table.sheet is not sheet] + costs
            unused = [other for other in unused if other is not sheet]
    people = [*others["people"], *filter(None, map(_as_people, unused))]
    return Export(
        main, others["deals"], histories, others["contacts"], others["payments"], others["costs"], people, unused
    )


def _main(deals: Sequence[Table], histories: Sequence[Table]) -> Table:
    """The table of the leads: of several the one with most of them, and the most columns.

    What names no win, and has nothing to do with the others, goes after one that names wins: tickets, products.
    """
    by_size = sorted(
        deals or histories, key=lambda each: (-len(ids_in(each, each.header("lead_id"))), -len(each.roles))
    )
    first, beside = by_size[0], [table for table in [*by_size[1:], *histories] if table is not by_size[0]]
    if _names_wins(first) or any(linked(each, first) or linked(first, each) for each in beside):
        return first
    ends_elsewhere = any({"won", "lost"} <= {*table.ends, *table.roles} for table in by_size[1:])
    dates, akin = len(stage_dates(first)), any(_are_akin(each, first) for each in beside)
    if (dates > 1 and akin) if ends_elsewhere else (dates or akin):
        return first
    won = [log for log in histories if "won" in log.ends]
    others = [table for table in by_size[1:] if _names_wins(table) or any(linked(log, table) for log in won)]
    return next(iter(others or won), first)


def _are_akin(one: Table, other: Table) -> bool:
    """Whether two tables know the same people or companies."""
    return any(linked(each._replace(what="payments"), of) for each, of in ((one, other), (other, one)))


def _names_wins(table: Table) -> bool:
    return "won" in table.ends or "won" in table.roles


def _has_no_amount(table: Table) -> bool:
    """Whether rows are payments of which no column is known as the amount: they are no leads that paid."""
    known = {"payment_id", "paid"} <= {*table.roles} and {"stage", "amount"}.isdisjoint(table.roles)
    way = "created" in table.roles and len(stage_dates(table)) > 1
    return known and not way and _are_called_payments(table)


def _are_called_payments(table: Table) -> bool:
    fields = table.sheet.fields
    after_fees = "stage" not in table.roles and {"fee", "net"} <= {*map(plain, fields)}
    return after_fees or table.sheet.is_called("payments")


def _are_orders(table: Table) -> bool:
    paid = table.what == "payments" and "stage" in table.roles
    return paid and are_of_payments(table.sheet, table.header("stage"), "numbered")


def _but_won(said: Mapping[str, Said]) -> dict[str, Said]:
    return {end: what for end, what in said.items() if end != "won"}


def _of_one_file(table: Table, histories: Sequence[Table]) -> bool:
    return table.sheet.kind.startswith("JSON") and table.sheet.files in [history.sheet.files for history in histories]


def _are_changes(table: Table, histories: Sequence[Table]) -> bool:
    """Whether the rows of a file of JSON, which hold the lists of a history, are its changes and no leads of it."""
    return any(
        _of_one_file(table, [history])
        and not ids_in(history, history.header("lead_id")) <= ids_in(table, table.header("lead_id"))
        for history in histories
    )


def _nothing(tables: Sequence[Table]) -> str:
    lines = [
        f"{table.sheet.name}: columns {', '.join(f'“{name}”' for name in table.sheet.fields)}: "
        + (table.lacks or _unknown_of(table))
        for table in tables
    ]
    lines += [odd.removeprefix("; ")] if (odd := not_dates([table.sheet for table in tables])) else []
    return "\n".join([*lines, "an export needs a table with the id of each lead and a date for each stage or change"])


def _unknown_of(table: Table) -> str:
    """What no header says, of a table that is of no use."""
    if "lead_id" not in table.roles:
        return "no column is called the id of a lead"
    if not table.sheet.dates:
        return "no date and no stage"
    dates = " and ".join(f"“{name}”" for name in table.sheet.dates)
    return f"no column is called a stage, and nothing says of what {dates} are the dates"


def _as_people(sheet: Sheet) -> Table | None:
    table = table_of(sheet)
    named = [name for name in sheet.fields if role_fit(name, "name") >= 1]
    ids = [name for name, field in sheet.fields.items() if field.stands_once and name not in named]
    if not named or not ids:
        return None
    return table._replace(what="people", roles={"lead_id": Guess(ids[0], False), "name": Guess(named[0], False)})


def _with_ends(table: Table) -> Table:
    """The table with what says which deals are won and lost, where something does: the words of a status, or flags."""
    if table.what not in ("deals", "history"):
        return table
    told = {}
    for name in table.sheet.of_few_values("text", "id"):
        counts = table.sheet.cells[name].value_counts()
        ends = {value: end_of(str(value)) for value in counts.index}
        rows = sum(int(count) for value, count in counts.items() if ends[value] in ("won", "lost"))
        both = {"won", "lost"} <= {*ends.values()}
        if "won" in ends.values() or ("lost" in ends.values() and role_fit(name, "stage")):
            told[name] = (both, role_fit(name, "stage") > 0, rows)
    status = max(told, key=lambda name: told[name], default="")
    if status and are_changes_of(table, status):
        # What is called the creation is when the row's stage came.
        roles = {role: guess for role, guess in table.roles.items() if guess.header != status and role != "created"}
        moved = with_role(table._replace(what="history", roles=roles), "stage", status)
        return _with_ends(with_role(moved, "time", table.header("created")))
    values = table.sheet.values(status) if status else []
    by_words = {end: [value for value in values if end_of(value) == end] for end in ("won", *ENDS)}
    if not by_words["won"] and "won" not in table.roles:
        by_words["won"] = [value for value in values if fit(value, words()["ends"]["won_alone"]) >= 2]
    if status and "lost" in table.roles:
        # What is said of nobody but leads with the date of a loss is one, whatever it is called.
        dated = dated_values(table.sheet, table.header("lost"), status)
        by_words["lost"] += [value for value in dated if value not in chain(*by_words.values())]
    if status and "won" in table.roles:
        # A customer who has left was won, on the day that a win has beside it.
        dated = dated_values(table.sheet, table.header("won"), status)
        left = [value for value in by_words["lost"] if value in dated and fit(value, words()["ends"]["left"]) >= SAID]
        if {*by_words["won"]} & {*dated}:
            by_words["won"] += left
            by_words["lost"] = [value for value in by_words["lost"] if value not in left]
    worded = {end: {status: names} for end, names in by_words.items() if names}
    sold = flagged(table.sheet, {"won": words()["ends"]["sold"]})
    found = {**sold, **worded, **flagged(table.sheet)} or _by_probability(table)
    closed = {end: only for end, only in found.items() if end != "nurture"}
    roles = _dates_of_ends(table, closed) if closed else table.roles
    missing = {"won", "lost"} - {*found} - {*roles}
    if "closed" in roles and len(missing) == 1:
        found |= _ended_by(table._replace(status=status, ends=found, roles=roles), roles["closed"].header, *missing)
    return table._replace(status=status, ends=found, roles=roles)


def _ended_by(table: Table, closed: str, end: str) -> dict[str, dict[str, list[str]]]:
    """What no word calls an end and only deals with a date of it have, beside those whose end is known.

    Of several such values none is a win, and what only a few open deals have is a date that was planned.
    """
    sheet, cells = table.sheet, table.sheet.cells
    told = [chosen_by(cells, only) for only in table.ends.values()]
    told += [sheet.has_date(table.header(role)) for role in ("won", "lost") if role in table.roles]
    known = pd.concat(told, axis=1).any(axis=1)
    at = sheet.times(closed)
    if (at[~known].max() - at[known].max()).days > DAYS_OF_PLANS:
        return {}
    few = sorted(sheet.of_few_values("text", "flag", "id", "number"), key=lambda name: name != table.status)
    for name in few if end == "lost" else [name for name in few if name == table.status]:
        filled = cells.assign(**{name: cells[name].fillna("")})
        values = dated_values(sheet._replace(cells=filled[~known]), closed, name)
        apart = values and "" not in values and not cells[name][known].isin(values).any()
        if apart and (end == "lost" or len(values) == 1):
            return {end: {name: values}}
    # Of the deals that a flag of wins says are not won, those have ended that have a date, if others have none.
    flag, dated = next(iter(table.ends.get("won", {})), "") if end == "lost" else "", sheet.has_date(closed)
    if flag and sheet.fields[flag].kind == "flag" and dated[known].mean() >= OF_ENDED and dated[~known].any():
        return {"lost": {flag: _meaning(sheet, flag, NO)}} if not dated[~known].all() else {}
    return {}


def dated_values(sheet: Sheet, date: str, status: str) -> list[str]:
    """What a column says of rows that have a date, if it says something else of all that have none."""
    shares = sheet.has_date(date).groupby(sheet.cells[status]).mean()
    dated = shares >= NEARLY_ALL
    return [*map(str, shares.index[dated])] if not dated.all() and (shares[~dated] <= 1 - NEARLY_ALL).all() else []


def _by_probability(table: Table) -> dict[str, dict[str, list[str]]]:
    """Deals that are sure to be won, and sure not to be, where nothing else says how they ended."""
    for name in table.sheet.fields:
        known = fit(name, words()["probability"]["names"]) > 0
        values = table.sheet.values(name) if known else []
        found = {"won": [text for text in values if re.fullmatch(r"100([.,]0+)?\s?%?", text)]}
        found["lost"] = [text for text in values if re.fullmatch(r"0([.,]0+)?\s?%?", text)]
        if all(found.values()):
            return {end: {name: texts} for end, texts in found.items()}
    return {}


def _dates_of_ends(table: Table, ends: Mapping[str, dict[str, list[str]]]) -> dict[str, Guess]:
    """The roles of a table of deals, its dates of ends being those that deals have which ended so."""
    if table.what != "deals":
        return table.roles
    cells = table.sheet.cells
    chosen = {end: chosen_by(cells, only) for end, only in ends.items()}
    roles = {
        role: guess
        for role, guess in table.roles.items()
        if guess.known
        or role not in ("won", "lost")
        or role not in chosen
        or chosen[role][table.sheet.has_date(guess.header)].mean() >= OF_ENDED
    }
    for end, other in (("won", "lost"), ("lost", "won")):
        # What is called the date of the one and those of the other have too is that of both.
        alone = end in roles and end not in chosen and other in chosen and other not in roles
        if alone and table.sheet.has_date(roles[end].header)[chosen[other]].mean() >= OF_ENDED:
            both = roles.pop(end)
            roles.setdefault("closed", both)
    last = [name for name in table.sheet.dates if fit(name, words()["dates"]["last"]) >= 2]
    used = [guess.header for role, guess in roles.items() if role not in ("closed", "time")]
    deleted = words()["undone"]["deleted_on"]
    free = [name for name in table.sheet.dates if name not in used and not table.preset and fit(name, deleted) < 2]
    free.sort(key=lambda name: name != table.headers.get("closed"))
    for end, rows in {"closed": pd.DataFrame(chosen).any(axis=1), **chosen}.items():
        dated = {name: table.sheet.has_date(name) for name in free}
        own = [name for name in free if dated[name][rows].mean() >= OF_ENDED <= rows[dated[name]].mean()]
        if own and (end == "closed" or end not in roles):
            roles[end] = Guess(own[0], known=False)
        if own and end == "closed":
            break  # it dates them all
    if "closed" not in roles and "created" in roles and last and not plays_no_role(last[0], table.preset):
        # What a deal came to last, if it has ended, is its end.
        roles = with_role(table._replace(roles=roles), "closed", last[0]).roles
    return roles


def flagged(sheet: Sheet, known: Mapping[str, list[str]] | None = None) -> dict[str, dict[str, list[str]]]:
    """What chooses the deals that are won, lost or closed by flags, called so: those closed and not won are lost."""
    flags = [name for name, field in sheet.fields.items() if field.kind == "flag"]
    fits = {what: {name: fit(name, called) for name in flags} for what, called in (known or words()["flags"]).items()}
    best = {
        what: max(of, key=lambda name: of[name]) for what, of in fits.items() if max(of.values(), default=0) >= SAID
    }
    yes, no = ({name: _meaning(sheet, name, known) for name in best.values()} for known in (YES, NO))
    found = {what: {name: yes[name]} for what, name in best.items()}
    if "won" in best and "closed" in best:
        found.setdefault("lost", {best["closed"]: yes[best["closed"]], best["won"]: no[best["won"]]})
    return found


def _meaning(sheet: Sheet, flag: str, known: Sequence[str]) -> list[str]:
    return [value for value in sheet.values(flag) if value.casefold() in known]


def stage_dates(table: Table) -> dict[str, str]:
    """Columns of dates that are each one stage's, and what that stage is called."""
    # A payment is the win where nothing else is.
    paid_is_won = "won" not in table.ends and not {"won", "closed"} & {*table.roles}
    used = {table.header(role) for role in {*DATES} - {"time", "paid" if paid_is_won else ""} if role in table.roles}
    pattern, dates = table.preset.get("entered", ""), words()["dates"]
    found, estimated = {}, {}
    for name, field in table.sheet.fields.items():
        if field.kind != "date" or plays_no_role(name, table.preset) or fit(name, words()["undone"]["deleted_on"]) >= 2:
            continue
        if pattern and (match := re.search(pattern, name)):
            found[name] = match["stage"].strip()
        elif (
            not (pattern or name in used or role_fit(name, "other_date", "left"))
            and role_fit(name, "time", "closed", *(["created", "paid"] if name in table.sheet.some else [])) < 2
        ):
            label = " ".join(word for word in plain(name).split() if word not in dates["parts"])
            said = {*label.split()}
            if said and said.isdisjoint([*dates["latest"], *dates["to_come"]]):
                found[name] = label
            elif said and said <= {*dates["estimated"]}:
                estimated[name] = label
    known = [table.header(role) for role in ("created", "closed", "won", "lost") if role in table.roles]
    passed = [name for name in estimated if table.sheet.has_passed(name, [*known, *found])]
    return {**found, **{name: estimated[name] for name in passed}}
