"""A funnel.toml written from what an export shows; lines that were guessed say so."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from funnelstats.config.dates import known_zones
from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.schema import PART, ROW_NUMBER, TABLES
from funnelstats.importing.hints import toml_value
from funnelstats.recognising.changes import only_leads
from funnelstats.recognising.dates import NEARLY_ALL
from funnelstats.recognising.ends import MOST_LISTED
from funnelstats.recognising.entries import contradictions_of, entries_of, first_rows
from funnelstats.recognising.export import Export, flagged
from funnelstats.recognising.fields import Field
from funnelstats.recognising.joins import joined, rows_of_leads
from funnelstats.recognising.left_out import MOST_DELETED, MOST_MISTAKES, few_values, undone
from funnelstats.recognising.money import add_costs, add_payments, changing_columns, currency_of
from funnelstats.recognising.roles import Table, plays_no_role
from funnelstats.recognising.rows import is_several_states
from funnelstats.recognising.sheets import Sheet, chosen_by
from funnelstats.recognising.sources import Ask, Sources, attribute_name, time_of
from funnelstats.recognising.stages import LEAST_MOVES
from funnelstats.recognising.words import fit, role_fit, words

LEADS = {"created": "created_at", "channel": "channel", "campaign": "campaign", "amount": "amount"}
CONTACTS = {"time": "at", "contact_kind": "kind", "duration": "duration_s", "reached": "reached"}
NOTHING = ("0", "null", "none", "-", "n/a")
"""What programs write where a record was merged into none."""
MOST_OF_A_TITLE = 3
"""Columns of a table in which a line of one cell may be a row."""
MOST_ATTRIBUTES, MOST_VALUES = 6, 12
"""Columns that leads are compared by, and how many values each may have."""
NO_ATTRIBUTES = ("lead_id", "stage", "reason", "currency", "pipeline", "contact_kind", "manager", "company")


class Statement(NamedTuple):
    """The text of a funnel.toml, how many of its lines are guesses, and the questions without which it is not whole."""

    text: str
    guesses: int
    open: list[str]
    notes: list[str]
    """What the export does not say, and what its tables say against each other."""


def statement_of(export: Export, name: str, ask: Ask) -> Statement:
    """The statement of an export. Raises FunnelError where the export lacks what a funnel needs."""
    sources = Sources(export, ask)
    _choose_pipeline(sources)
    _leave_deleted(sources)
    export = sources.export
    tables = [export.deals, *export.details, *(table for table in export.histories if table is not export.deals)]
    for table, header, marks in [(each, *mark) for each in tables for mark in sources.deleted(each).items()]:
        rows = table.sheet.cells[header].isin(marks).sum()
        said = ", ".join(f"“{mark}”" for mark in marks[:MOST_LISTED]) + ", …" * (len(marks) > MOST_LISTED)
        sources.notes.append(f"{table.sheet.name}: left out: {rows:,}, where “{header}” says {said}")
    further = _add_leads(sources)
    stages = entries_of(sources)
    if not stages.won:
        question = f"No stage is called a win; is it the last one, “{stages.order[-1]}”?"
        win = sources.choose("stages", question, stages.order, stages.order[-1])
        order = stages.order[: stages.order.index(win) + 1]
        stages = stages._replace(order=order, days={stage: stages.days[stage] for stage in order[1:]})
        sources.notes.append(f"no stage is called a win: the last one, “{stages.order[-1]}”, is taken for it")
    _add_contacts(sources)
    add_payments(sources, stages)
    add_costs(sources)
    sources.guessed |= {"stages", *stages.days}
    currency = currency_of(sources, "RUB" if _language(sources.export) == "ru" else "EUR")
    zone = _zone(sources, currency)
    written = [source.table for source in sources.written]
    notes = [*sources.notes, *contradictions_of(sources.export, stages)]
    text = _template(sources.guessed).render(
        title=name.replace("_", " ").replace("-", " ").capitalize(),
        timezone=sources.choose("timezone", "Time zone of the dates, as Europe/Berlin", [], zone),
        currency=currency,
        language=_language(export),
        stages=stages,
        least_moves=LEAST_MOVES,
        further=[*further, *(f"# {visible(' '.join(note.split()))}" for note in notes)],
        sources=sorted(sources.written, key=lambda source: list(TABLES).index(source.table)),
        several=[table for table in TABLES if written.count(table) > 1],
    )
    return Statement(text, len(sources.guessed), sources.open, notes)


def _choose_pipeline(sources: Sources) -> None:
    """Keep the leads of one pipeline where the export has several: their stages are no funnel together."""
    deals = sources.export.deals
    field = deals.field("pipeline")
    if field is None or field.distinct < 2:
        return
    names = deals.sheet.cells[field.name].value_counts().index.tolist()
    chosen = sources.choose("only", f"Which pipeline of “{field.name}” is the funnel?", names, names[0])
    _keep(sources, field.name, chosen)
    sources.notes.append(f"“{field.name}”: “{chosen}” is the funnel, and the leads of other pipelines are left out")


def _leave_deleted(sources: Sources) -> None:
    """Leave out the leads that have a day on which they were deleted, or another record that they were merged into."""
    deals, known = sources.export.deals, words()["undone"]
    for name, field in deals.sheet.fields.items() if deals.what == "deals" else []:
        dated = field.kind == "date"
        if field.kind == "flag" or fit(name, known["deleted_on" if dated else "merged_into"]) < 2:
            continue
        nothing = [*field.empty, *(value for value in deals.sheet.values(name) if value.casefold() in NOTHING)]
        gone = deals.sheet.cells[name].notna() & ~deals.sheet.cells[name].isin(nothing)
        ends = [{of: [value for value in values if fit(value, known["deleted"]) < 2] for of, values in only.items()}
                for only in deals.ends.values()]  # fmt: skip
        of_ends = [chosen_by(deals.sheet.cells, only) for only in ends]
        ended = pd.concat(of_ends, axis=1).any(axis=1) if of_ends else ~gone
        # Deals that ended may be cleared away later.
        cleared = dated and ended[gone].mean() >= NEARLY_ALL > ended[~gone].mean()
        if 0 < gone.mean() < MOST_DELETED and not cleared:
            _keep(sources, name, "", *nothing)
            what = "a date" if dated else "a value"
            sources.notes.append(f"{deals.sheet.name}: left out: {gone.sum():,} rows with {what} in “{name}”")


def _keep(sources: Sources, name: str, value: str, *others: str) -> None:
    """Keep the leads that have this value, or one of the others, in a column of the deals."""
    deals = sources.export.deals
    cells = deals.sheet.cells[deals.sheet.cells[name].fillna("").isin([value, *others])].reset_index(drop=True)
    part = deals._replace(sheet=deals.sheet.with_cells(cells, deals.sheet.fields))
    part = part if value else part.without([name])
    histories = [part if table is deals else table for table in sources.export.histories]
    sources.export = sources.export._replace(deals=part, histories=histories)
    sources.part |= {name: [value, *others] if others else value}


def _add_leads(sources: Sources) -> list[str]:
    """Add the leads; the lines about them at the head of the statement."""
    table = sources.export.deals
    changing = changing_columns(table)
    if table.what == "history":  # what is said where a lead ends is not known of it before
        changing |= {name for name in [table.headers.get("amount")] if name and table.sheet.cells[name].isna().any()}
    columns = {"lead_id": table.header("lead_id")}
    columns |= {
        LEADS[role]: table.header(role) for role in LEADS if role in table.roles and table.header(role) not in changing
    }
    keep = first_rows(table) if table.what == "history" and "created_at" not in columns else ""
    states = table.what == "deals" and is_several_states(table.sheet, columns["lead_id"])
    if table.of_lines:
        differ = ", ".join(f"“{name}”" for name in table.sheet.fields if name in changing)
        sources.notes.append(
            f"{table.sheet.name}: several rows for a lead, which differ in {differ}: the first is the lead's"
        )
    if states:
        _refuse_other_leads(table)
        sources.notes.append(f"{table.sheet.name}: the same leads in several files: what the last of them says counts")
    columns |= {"created_at": time_of(table)} if keep else {}
    attributes = _attributes(table, {*columns.values()} | changing)
    keys = {table.lead_by for table in [*sources.export.contacts, *sources.export.payments] if table.lead_by}
    attributes |= {attribute_name(header): header for header in sorted(keys)}
    if PART in attributes.values() and "manager" not in table.roles:
        sources.notes.append(
            f"{table.sheet.name}: leads can be compared by the titles of the sheets; if these are the people who sell, "
            f'state columns.manager = "{PART}" under entries'
        )
    lookups = _lookups(sources.export, table, attributes)
    more = [f"attributes = {toml_value(attributes)}"] if attributes else []
    more += _without_titles(table) if table.what == "deals" and not sources.deleted(table) else []
    more += ['keep = "last"   # the last file'] if states else []
    more += ['keep = "first"   # of several rows for a lead'] if table.of_lines else []
    more += [f'keep = "{keep}"   # where the first row of each lead stands'] if keep else []
    sources.add(
        "leads",
        "One row for each lead",
        table,
        columns,
        *more,
        only=only_leads(table.sheet.cells, table.headers) if table.what == "history" else None,
        joins=lookups,
        roles=(*LEADS, "manager"),
        owned=table.what == "deals" or not changing,
    )
    return ['lead_base.company = "company"'] if "company" in attributes else []


def _refuse_other_leads(table: Table) -> None:
    """Raise FunnelError where the same ids in several files are those of other leads, which were created otherwise."""
    if "created" not in table.roles or role_fit(table.header("created"), "created") < 2:
        return
    lead_id, created = table.header("lead_id"), table.header("created")
    day = table.sheet.times(created).dt.normalize()
    days = day.groupby(table.sheet.cells[lead_id]).agg(["size", "nunique"]).query("size > 1")["nunique"]
    if (days > 1).mean() > 0.5:
        raise FunnelError(
            f"{table.sheet.name}: {(days > 1).sum():,} ids of “{lead_id}” stand in several files with another date in "
            f"“{created}”: they are other leads. Give the ids of each file a mark of their own, such as its branch"
        )


def _without_titles(table: Table) -> list[str]:
    """What leaves out the lines between the rows of a table without ids that title a group, such as a month."""
    cells = table.sheet.cells.drop(columns=ROW_NUMBER, errors="ignore")
    title = (cells.notna().sum(axis=1) == 1) & (cells.shape[1] > MOST_OF_A_TITLE)
    blank = [name for name in cells if title.any() and (cells[name].isna() == title).all()]
    return [f"without = {toml_value({blank[0]: ''})}"] if blank else []


def _attributes(table: Table, used: Collection[str]) -> dict[str, str]:
    """Columns of a few values, by which leads can be compared, and the company's."""
    company = table.field("company")
    found = {"company": company.name} if company and company.distinct > MOST_VALUES else {}
    out = {*used, table.status, *chain(*table.ends.values(), *flagged(table.sheet).values())}
    out |= {table.header(role) for role in NO_ATTRIBUTES if role in table.roles}
    for name, field in table.sheet.fields.items():
        if (
            name not in out
            and not plays_no_role(name, table.preset)
            and _is_of_few_values(field)
            and 2 * field.filled > len(table.sheet.cells)
        ):
            found.setdefault(attribute_name(name), name)
    return dict(list(found.items())[:MOST_ATTRIBUTES])


def _is_of_few_values(field: Field) -> bool:
    return field.kind in ("text", "flag") and 2 <= field.distinct <= MOST_VALUES


def _lookups(export: Export, table: Table, attributes: dict[str, str]) -> list[dict[str, Any]]:
    """Joins of tables that say more of what a column names, as the team of a seller; adds to the attributes."""
    joins = []
    for sheet in export.unused:
        fields = sheet.fields.items()
        keys = [name for name, field in fields if field.stands_once and name in table.sheet.fields][:1]
        few = [name for name, field in fields if _is_of_few_values(field) and name not in table.sheet.fields]
        few = few[: MOST_ATTRIBUTES - len(attributes)]
        for key in keys if few else []:
            ids = {*table.sheet.values(key)}
            if len(ids & {*sheet.cells[key]}) >= 0.9 * len(ids):
                attributes |= {attribute_name(name): f"{key}.{name}" for name in few}
                joins.append(joined(sheet, key, key, f"{key}."))
    return joins


def _answers(table: Table) -> list[str] | None:
    """What a result of calls says of whether somebody was reached; None where a column of that name does not say it."""
    field = table.field("reached")
    if field is None or field.kind == "flag":
        return []
    texts = sorted(few_values(table, field))
    meant = {text: "no" if fit(text, words()["undone"]["not_reached"]) else "yes" for text in texts}
    return [f"values.reached = {toml_value(meant)}   # guessed"] if "no" in meant.values() else None


def _add_contacts(sources: Sources) -> None:
    for table in sources.export.contacts:
        columns = {"lead_id": table.header("lead_id"), "at": time_of(table)}
        columns |= {column: table.header(role) for role, column in CONTACTS.items() if role in table.roles}
        kind = [] if "kind" in columns else ['constants = { kind = "call" }']
        answers = _answers(table)
        if answers is None:
            columns.pop("reached")
        sources.add(
            "contacts",
            "One row for each contact",
            table,
            columns,
            *kind,
            *(answers or []),
            *_with_others(sources, table),
            guesses=undone(table),
            roles=(*CONTACTS, "manager"),
        )


def _with_others(sources: Sources, table: Table) -> list[str]:
    """What leaves out contacts with others than leads, where these are more than a few mistakes."""
    leads = table.header("lead_id")
    ours = table.sheet.cells[leads].isin(table.ours.get(leads, []))
    others = ~ours & ~rows_of_leads(table, sources.export.deals)(leads)
    if table.own_id or others.sum() <= MOST_MISTAKES * (~ours).sum():
        return []
    sources.guessed.add("contacts.no_lead")
    sources.notes.append(
        f"{table.sheet.name}: left out: {others.sum():,} of {len(others):,} rows whose “{leads}” is that of no lead"
    )
    return ['no_lead = "ignore"   # guessed']


def _language(export: Export) -> str:
    """Russian where most letters of the headers are."""
    headers = "".join(name for table in [export.deals, *export.histories] for name in table.sheet.fields)
    letters = re.findall(r"[^\W\d_]", headers.casefold())
    return "ru" if 2 * sum("а" <= letter <= "я" for letter in letters) > len(letters) else "en"


ZONES = {
    "CHF": "Europe/Zurich", "CZK": "Europe/Prague", "DKK": "Europe/Copenhagen", "GBP": "Europe/London",
    "ILS": "Asia/Jerusalem", "INR": "Asia/Kolkata", "JPY": "Asia/Tokyo", "NOK": "Europe/Oslo", "PLN": "Europe/Warsaw",
    "RUB": "Europe/Moscow", "SEK": "Europe/Stockholm", "TRY": "Europe/Istanbul", "UAH": "Europe/Kyiv",
}  # fmt: skip
"""The clocks of countries whose money shows in an export."""
CLOCKS = (
    *("Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Moscow", "America/New_York", "America/Chicago"),
    *("America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai"),
    *("Asia/Tokyo", "Australia/Sydney"),
)
"""Those of many people; of two that show the same all the time either will do."""


def _zone(sources: Sources, currency: str) -> str:
    """The zone that this computer is told, or its clock's, or where it has none that of the currency.

    Where dates say how far the clock they were written by is ahead of UTC, a zone whose clock is so all the time.
    """
    told, clock = os.environ.get("TZ", ""), _clock()
    of_money = ZONES.get(currency, "UTC")
    own = told if told in known_zones() else clock if re.fullmatch(r"(?!Etc)[A-Z]\w+/\w+", clock) else of_money
    sheets = [table.sheet for table in (sources.export.deals, *sources.export.histories)]
    told_by = [_minutes_ahead(sheet, name) for sheet in sheets for name in sheet.dates]
    ahead = pd.concat(told_by) if told_by else pd.Series(dtype=int)
    if not ahead.any():
        return own
    instants, minutes = pd.DatetimeIndex(ahead.index), pd.to_timedelta(ahead.to_numpy(), unit="min")

    def shows(zone: str) -> bool:
        return bool((instants.tz_convert(zone).tz_localize(None) - instants.tz_localize(None) == minutes).all())

    hours, odd = divmod(int(ahead.iloc[0]), 60)
    fixed = [f"Etc/GMT{-hours:+d}"] if not odd else []
    found = next(filter(shows, (own, of_money, *CLOCKS, *fixed)), "")
    if not found:
        sources.notes.append(f"no time zone matches all the UTC offsets in the dates: days are counted in {own}")
    return found or own


def _minutes_ahead(sheet: Sheet, name: str) -> pd.Series:
    """By instant, the minutes that the dates of a column say their clock is ahead of UTC."""
    cells = sheet.cells[name].dropna().drop_duplicates()
    cells = cells[cells.str.contains(r"[+-]\d\d:?\d\d$")]  # of many rows most have none
    parts = cells.str.extract(r":\d\d(?:[.,]\d+)? ?(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)$").dropna()
    minutes = 60 * parts["hours"].astype(int) + parts["minutes"].astype(int)
    at = sheet._replace(cells=sheet.cells.loc[parts.index]).times(name)
    return minutes.where(parts["sign"] == "+", -minutes).set_axis(pd.DatetimeIndex(at))


def _clock() -> str:
    """The zone that the system's clock is set to."""
    return os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]


def _template(guessed: Collection[str]) -> jinja2.Template:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    env.filters |= {
        "toml": toml_value,
        "toml_list": lambda values: f"[{', '.join(map(toml_value, values))}]",
        "toml_key": lambda name: name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name),
    }
    env.globals["mark"] = lambda key: "   # guessed" if key in guessed else ""
    return env.get_template("funnel.toml.jinja")
