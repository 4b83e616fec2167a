"""The sources of stage entries: a history of changes, or a date for each stage; and the stages in them."""

from __future__ import annotations

import pandas as pd

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import ENDS, IGNORE
from funnelstats.importing.hints import toml_value
from funnelstats.recognising.changes import only_stages
from funnelstats.recognising.dates import NEARLY_ALL
from funnelstats.recognising.ends import (
    MOST_LISTED,
    NO_WINS,
    check_last,
    closed_stages,
    dates_no_loss,
    ends_beside,
    ends_of_closed,
    losses_by_date,
    open_and_closed,
    refuse_several_ends,
)
from funnelstats.recognising.export import Export, stage_dates
from funnelstats.recognising.joins import as_the_deals_call_them, joined, with_role
from funnelstats.recognising.roles import Table
from funnelstats.recognising.sheets import not_dates
from funnelstats.recognising.sources import (
    Dated,
    Sources,
    changes_of,
    days_after,
    moves_of,
    owner,
    since_created,
    stage_cells,
    time_of,
)
from funnelstats.recognising.stages import MOVE, STAY, Stages, end_of, groups_of_stages, stages_of
from funnelstats.recognising.words import fit, plain, role_fit, words

CREATED = "created"
MOST_AGAIN = 0.5
"""Share of the rows of a history that repeat the stage before, from which on it was taken on certain days."""
LOGGED = 0.8
"""Share of the leads from which on a history is taken to log how leads come in."""
SAME_NAMES = 0.9
"""Share of deals whose stage is called as in the history; of fewer nothing can be compared."""


def entries_of(sources: Sources) -> Stages:
    """Add the sources of entries. Raises FunnelError where nothing says when leads came to a stage."""
    stages = _history(sources) if sources.export.histories else _snapshot(sources)
    export = sources.export
    if "created" not in export.deals.roles and (odd := not_dates([export.deals.sheet])):
        sources.notes.append(odd.removeprefix("; "))
    sources.notes += [
        f"{sheet.name}: {sum(sheet.sizes) - len(sheet.cells):,} of {sum(sheet.sizes):,} rows are of no lead of "
        f"{export.deals.sheet.name}, and left out"
        for sheet in [table.sheet for table in [*export.details, *export.histories] if table.own_id]
        if len(sheet.cells) < sum(sheet.sizes)
    ]
    sources.notes += [
        f"“{name}” is taken for a refusal: its {leads:,} leads came to no other stage after it and were not won"
        for name, leads in stages.dead_ends.items()
    ]
    if left_out := [f"“{name}”" for name, end in stages.meant.items() if end == IGNORE]:
        listed = ", ".join(left_out[:MOST_LISTED]) + ", …" * (len(left_out) > MOST_LISTED)
        sources.notes.append(f"no stages of the funnel: {listed}; a lead there counts at the one it came to before")
    sources.notes += [
        f"“{name}” counts as “{later}”: both are called a win, and hardly a lead has both"
        if end_of(name) == "won"
        else f"“{name}” is taken for the earlier name of “{later}”: it ends where that begins, and no lead has both"
        for name, later in stages.meant.items()
        if later in stages.order and name.casefold() != later.casefold() and not MOVE.fullmatch(name)
    ]
    if moves := [name for name, later in stages.meant.items() if MOVE.fullmatch(name) and later in stages.order]:
        sources.notes.append(f"moves, such as “{moves[0]}”, count as the stage that each leads to")
    return stages


def _history(sources: Sources) -> Stages:
    deals, histories = sources.export.deals, sources.export.histories
    came = pd.concat([changes_of(table) for table in histories])
    for form in {table.ids for table in histories if table.ids}:
        came["lead"] = as_the_deals_call_them(came["lead"], form, deals)
    if sources.part:
        came = came[came["lead"].isin(deals.sheet.cells[deals.header("lead_id")])]
    groups = groups_of_stages(came)
    if len(groups) > 1:
        several = " and of ".join(", ".join(f"“{name}”" for name in group[:3]) for group in groups[:2])
        raise FunnelError(
            f"{histories[0].sheet.name}: no lead has stages of {several}: these are several pipelines, and no column "
            "is called so; leave one of them in the export, or state it by hand with only = { … } in each source"
        )
    ended = ends_beside(sources.export, [deals] if deals.what == "deals" else [])
    ended += [dated for table in histories for dated in ends_of_closed(table)]
    of_ended = [moves_of(dated) for dated in ended]
    came = pd.concat([came[~came["stage"].isin(closed_stages(came, of_ended))], *of_ended])
    stages = stages_of(came)
    logged = came[came["stage"].isin(stages.order[:1])]["lead"].nunique()
    created = _created_by(deals)
    of_leads = [table for table in histories if not table.own_id]
    first = _first_stage(of_leads, stages) if of_leads else CREATED
    all_logged = not of_leads or first == CREATED or first in {*came["stage"]}
    enough = (LOGGED if of_leads else NEARLY_ALL) * deals.sheet.cells[deals.header("lead_id")].nunique()
    if created and not (all_logged and logged >= enough):
        created = created._replace(stage=first)
        stages = stages_of(pd.concat([moves_of(created), came]), first=created.stage)
        _add_created(sources, created)
    elif first not in (CREATED, *stages.order) and first not in stages.meant:
        sources.notes.append(
            f"“{first}” is no stage of the funnel: leads leave it, and no row says when they came to it"
        )
    for table in histories:
        _add_history(sources, table, stages)
        rows = changes_of(table).sort_values("at")
        if (rows["stage"] == rows.groupby("lead")["stage"].shift()).mean() > MOST_AGAIN:
            sources.notes.append(
                f"{table.sheet.name}: most rows say again where a lead stands; a stage is dated by the first row that "
                "names it, and what came between two rows is not known"
            )
    for dated in ended:
        _add_dated(sources, dated, stages)
    sources.export = sources.export._replace(deals=_won_by_history(sources.export, stages))
    return stages


def _created_by(deals: Table) -> Dated | None:
    """When leads came in: by the date of their creation, or by what a log calls it, once for each and first of all."""
    if deals.what == "deals":
        return Dated(CREATED, deals, deals.header("created"), {}) if "created" in deals.roles else None
    lead, cells, at = deals.header("lead_id"), deals.sheet.cells, deals.sheet.times(time_of(deals))
    first = at == at.groupby(cells[lead]).transform("min")
    leads = cells[lead].nunique()
    changed = stage_cells(deals).dropna(subset=deals.header("stage")).index
    cells = cells.drop(changed)
    for header in deals.sheet.of_few_values("text"):
        for value, rows in cells.groupby(header):
            all_of_it = (deals.sheet.cells[header] == value).sum()
            if (
                all_of_it == len(rows) == rows[lead].nunique() >= LOGGED * leads
                and first[rows.index].mean() >= NEARLY_ALL
            ):
                return Dated(CREATED, deals, time_of(deals), {header: [str(value)]})
    return None


def _first_stage(histories: list[Table], stages: Stages) -> str:
    """What the stage is called in which leads come in: what their first change says they left, where it says so."""
    for table in histories:
        if "old_stage" in table.roles:
            cells = stage_cells(table)
            at = table.sheet.times(time_of(table))[cells.index]
            first = at.groupby(cells[table.header("lead_id")]).idxmin()
            left = cells.loc[first.dropna(), table.header("old_stage")].mode()
            if len(left):
                return str(left.iloc[0])
    first_logged = stages.order[0] if stages.order else CREATED
    return first_logged if fit(first_logged, words()["ends"]["first"]) >= 2 else CREATED


def first_rows(table: Table) -> str:
    """Whether the earliest row of each lead stands first or last in a history; "" where neither does."""
    at = table.sheet.times(time_of(table))
    rows = at.groupby(table.sheet.cells[table.header("lead_id")]).agg(["first", "last", "min"])
    return next((keep for keep in ("first", "last") if (rows[keep] == rows["min"]).mean() >= NEARLY_ALL), "")


def contradictions_of(export: Export, stages: Stages) -> list[str]:
    """Where the stage that deals stand at is another one than the last of their history, which counts."""
    deals = export.deals
    field = deals.field("stage")
    if not export.histories or deals.what != "deals" or field is None:
        return []
    came = pd.concat([changes_of(table) for table in export.histories]).dropna().sort_values("at", kind="stable")
    renamed = {name: later for name, later in stages.meant.items() if later in stages.order}
    last = came.groupby("lead")["stage"].last().replace(renamed)
    stands = deals.sheet.cells.set_index(deals.header("lead_id"))[field.name].dropna().replace(renamed)
    there = stands.isin(last.unique())
    if there.mean() < SAME_NAMES:
        return []
    differs = (stands[there].index.to_series().map(last) != stands[there]).sum()
    told = f"another stage than the last of the history for {differs:,} of {there.sum():,} leads; the history counts"
    return [f"{deals.sheet.name}: “{field.name}” says {told}"] if differs else []


def _won_by_history(export: Export, stages: Stages) -> Table:
    """The deals, won where their history has won them: at what comes after the win too, and at nothing before it."""
    deals, cells = export.deals, export.deals.sheet.cells
    if {*deals.ends.get("won", {})} != {deals.status}:
        return deals
    came = pd.concat([changes_of(table) for table in export.histories])
    won = came["lead"][came["stage"].map(lambda name: stages.meant.get(name, name)) == stages.order[-1]]
    shares = cells[deals.header("lead_id")].isin(won).groupby(cells[deals.status]).mean()
    called = shares.index.isin(deals.ends["won"][deals.status])
    names = [*shares.index[(shares >= STAY) | (called & (shares >= 0.5))]]
    return deals._replace(ends={**deals.ends, "won": {deals.status: names}}) if names else deals


def deals_of(table: Table, export: Export) -> tuple[Table, str, str]:
    """The deals of a history, and the columns by which the two are joined."""
    for deals in export.details:
        both = table.own_id and deals.own_id
        if both and {*table.sheet.cells[table.own_id]} <= {*deals.sheet.cells[deals.own_id]}:
            return deals, table.own_id, deals.own_id
    return export.deals, table.header("lead_id"), export.deals.header("lead_id")


def _add_history(sources: Sources, table: Table, stages: Stages) -> None:
    columns: dict[str, str | tuple[str, ...]] = {
        "lead_id": table.header("lead_id"),
        "stage": table.header("stage"),
        "entered_at": time_of(table),
    }
    columns |= {"reason": table.header("reason")} if "reason" in table.roles else {}
    # What the history does not say, its deals may: of now.
    deals, left, right = deals_of(table, sources.export)
    lacking: dict[str, str] = {
        name: f"deal.{deals.header(name)}"
        for name in ("manager", "reason")
        if name not in table.roles and name in deals.roles
    }
    beside = lacking and deals.sheet is not table.sheet
    of_deals = joined(deals.sheet, left, right, "deal.") if beside else None
    columns |= lacking if of_deals else {}
    people = None
    if of_deals and "manager" in lacking:
        name, people = owner(sources.export, deals)
        columns |= {"manager": name} if people else {}
        people = people and {**people, "left": f"deal.{people['left']}"}
    named = stage_cells(table)[table.header("stage")]
    meant = {name: stages.meant.get(name, IGNORE) for name in named.dropna().unique() if name not in stages.order}
    meant = {name: end for name, end in meant.items() if name != end}
    # A log of old and new values, or a list within records, has rows of no new one: a lead that came in, a comment.
    beside_others = table.sheet.cells is deals.sheet.cells and table is not deals
    of_no_change = "old_stage" in table.roles or "rows" in table.sheet.lines or beside_others
    if named.hasnans and not of_no_change and _are_other_events(table, named.isna()):
        of_no_change = True
        sources.notes.append(f"{table.sheet.name}: left out: {named.isna().sum():,} rows without a stage: other events")
    meant |= {"": IGNORE} if named.hasnans and of_no_change else {}
    left_out = [name for name, end in meant.items() if end == IGNORE]
    if len(left_out) > MOST_LISTED:
        meant = {name: end for name, end in meant.items() if end != IGNORE}
    sources.add(
        "entries",
        "One row for each change of stage",
        table,
        columns,
        *([f"values.stage = {toml_value(meant)}"] if meant else []),
        *(['unmapped = "ignore"   # ' + f"{len(left_out)} names are no stages"] if len(left_out) > MOST_LISTED else []),
        only=only_stages(table.sheet.cells, table.headers),
        joins=(of_deals, people),
        roles=("stage", "manager", "reason"),
    )


def _are_other_events(table: Table, blank: pd.Series[bool]) -> bool:
    """Whether a column says of the rows of a log without a stage what it says of no others: which event they are."""
    few = [name for name in table.sheet.of_few_values("text") if name != table.header("stage")]
    events = [name for name in few if role_fit(name, "contact_kind") >= 1 or fit(name, words()["fields"]["event"]) >= 1]
    cells = table.sheet.cells
    return any({*cells[name][blank]}.isdisjoint(cells[name][~blank]) for name in events if cells[name].notna().all())


def _add_created(sources: Sources, created: Dated) -> None:
    columns = {"lead_id": created.table.header("lead_id"), "entered_at": created.header}
    stated = f"stage = {toml_value(created.stage)}"
    sources.add("entries", "Every lead comes in when it is created", created.table, columns, stated, only=created.only)


def _snapshot(sources: Sources) -> Stages:
    deals = sources.export.deals
    tables = [deals, *sources.export.details]
    created = [*filter(None, [_created_by(deals)])]
    found = [Dated(stage, table, header, {}) for table in tables for header, stage in stage_dates(table).items()]
    begun = created + [dated for dated in found if dated.table.sheet.has_date(dated.header).mean() >= NEARLY_ALL]
    reckoned = [late.header for late in found if any((days_after(early, late) or 0) > 1 for early in begun)]
    early = [dated.header for dated in found if created and _is_before(dated, created[0])]
    found = [dated for dated in found if dated.header not in (*reckoned, *early)]
    not_lost = [dated.header for dated in found if dates_no_loss(dated)]
    found = [dated for dated in found if dated.header not in not_lost]
    sources.notes += [
        f"“{header}” dates no loss: most of its leads are open or won, as another column says" for header in not_lost
    ]
    sources.notes += [
        f"“{header}” is as many days after another date for nearly all leads: it was reckoned, and dates no stage"
        for header in reckoned
    ]
    sources.notes += [
        f"“{header}” is before “{created[0].header}” for nearly all leads, and dates no stage" for header in early
    ]
    turned = [Dated(table.sheet.stem, table, table.header("created"), {}) for table in tables if table.own_id]
    found += [dated for dated in turned if not any(days_after(dated, other) == 0 for other in found)]
    found += ends_beside(sources.export, [table for table in tables if not table.own_id], found)
    dates = any(dated.header for dated in [*created, *found])
    misread = not_dates([dated.table.sheet for dated in found if not dated.header])
    if not found and "closed" in deals.roles:
        refuse_several_ends(deals, deals.header("closed"))
    if not found or not dates or misread:
        known = f"“{deals.status}” says how deals ended" if deals.status else NO_WINS
        misread = misread or not_dates([*(table.sheet for table in tables), *sources.export.unused])
        undated = ", and no date says when" if deals.status or not dates else ""
        raise FunnelError(
            f"{deals.sheet.name}: {known}{undated}{misread}; needed are the date of closing, "
            "a date for each stage, or the history of stages"
        )
    sources.notes += [*open_and_closed(deals), *losses_by_date(deals)]
    if created and any(dated.header and days_after(created[0], dated) == 0 for dated in found):
        created = []
    stages = _stages_of_dates(created, found)
    if not stages.won and stages.dead_ends and (refused := _of_reasons(found, stages)):
        found = [dated._replace(stage="lost") if dated.stage == refused else dated for dated in found]
        sources.notes.append(f"“{refused}” is taken for the refusal: its leads are those with a reason")
        stages = _stages_of_dates(created, found)
    elif not stages.won and (either := _equal_ends(found, stages)):
        raise FunnelError(f"{deals.sheet.name}: {NO_WINS}; the win may be “{either[0]}” as well as “{either[1]}”")
    sources.dated = [*found, *created]
    wins = [dated for dated in sources.dated if dated.stage == stages.order[-1]]
    for last in wins[:1] if not stages.won else []:
        check_last(last)
    # Where nobody has won, what dates a loss may date wins too.
    if stages.won and not wins:
        sources.notes.append(f"{deals.sheet.name}: {NO_WINS}, and none is counted as won")
        for end in [dated for dated in sources.dated if dated.only and dated.header]:
            refuse_several_ends(end.table, end.header)
    for dated in created:
        _add_created(sources, dated)
    for dated in found:
        _add_dated(sources, dated, stages)
    return stages


def _stages_of_dates(created: list[Dated], found: list[Dated]) -> Stages:
    return stages_of(pd.concat(list(map(moves_of, [*created, *found]))), first=CREATED if created else "")


def _of_reasons(found: list[Dated], stages: Stages) -> str:
    """Of the dates that nothing comes after, the one whose leads are those with the reason of a refusal."""
    for dated in found:
        why = dated.table.header("reason") if "reason" in dated.table.roles else ""
        ends = dated.stage in (stages.order[-1], *stages.dead_ends)
        if ends and dated.header and why and _is_of_refusal(why, dated.stage):
            given = dated.table.sheet.cells[why].notna()
            ended = dated.table.sheet.has_date(dated.header)
            if given.any() and ended[given].mean() >= NEARLY_ALL and given[ended].mean() >= MOST_AGAIN:
                return dated.stage
    return ""


def _is_of_refusal(header: str, stage: str) -> bool:
    """Whether the reason that a header names is that of a refusal, or of a stage: one may give a reason to buy too."""
    said = plain(header)
    return role_fit(header, "reason") >= 2 or "lost" in map(end_of, said.split()) or f" {stage} " in f" {said} "


def _equal_ends(found: list[Dated], stages: Stages) -> list[str]:
    """The last stage and what is taken for a refusal, where as much of the way lies behind the one as the other."""
    came = pd.concat(list(map(moves_of, found)))
    way = came["lead"].map(came.groupby("lead")["stage"].nunique()).groupby(came["stage"]).mean()
    last = stages.order[-1]
    equal = [name for name in stages.dead_ends if last in way and way.get(name) == way[last]]
    return [last, *equal] if equal else []


def _is_before(dated: Dated, created: Dated) -> bool:
    """Whether nearly all leads have a date that is not after their creation, and many one before its day."""
    days = since_created(created, dated)["days"].dropna()
    leads = created.table.sheet.cells[created.table.header("lead_id")].nunique()
    return (days <= 0).sum() >= NEARLY_ALL * leads and (days < 0).mean() >= MOST_AGAIN


def _add_dated(sources: Sources, dated: Dated, stages: Stages) -> None:
    stage, table = stages.meant.get(dated.stage, dated.stage), dated.table
    if stage not in (*ENDS, *stages.order):
        return
    upper, several, _lower = dated.header.partition(" / ")
    # The owner that stands beside a date, under the same upper header, is that of its stage.
    beside = [name for name in table.sheet.fields if name.startswith(f"{upper} / ") and role_fit(name, "manager")]
    table = with_role(table, "manager", beside[0]) if several and beside else table
    columns = {"lead_id": table.header("lead_id")} | ({"entered_at": dated.header} if dated.header else {})
    columns |= {"reason": table.header("reason")} if stage in ENDS and "reason" in table.roles else {}
    by = " and ".join(f"“{name}”" for name in dated.only)
    if not dated.header:
        sources.notes.append(f"{table.sheet.name}: which leads are “{stage}” is told by {by}, and by no date when")
    # A flag that says of all others that they are not won does not say which of them have ended.
    flags = [name for name in table.ends.get("won", {}) if table.sheet.fields[name].kind == "flag"]
    by_flag = stage == "lost" and flags and [*dated.only] == flags
    sources.add(
        "entries",
        f"“{dated.stage}” " + (f"as “{dated.header}” dates it" if dated.header else f"by {by}, without a date"),
        table,
        columns,
        f"stage = {toml_value(stage)}",
        only=dated.only,
        guesses={"without": {dated.header: [""]}} if by_flag else {},
        roles=("manager", "reason"),
    )
