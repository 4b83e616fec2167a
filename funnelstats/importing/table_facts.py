"""What is odd about prepared tables: names that never occur, blanks, histories whose shape makes a rate false."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from typing import Any

import numpy as np

from funnelstats.config.errors import nearest
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS, KEYS_OF_KIND, date_column
from funnelstats.config.sources import Source, stated_for
from funnelstats.importing.days import LEAST_ROWS, far_days
from funnelstats.importing.facts import Fact
from funnelstats.importing.hints import toml_value
from funnelstats.importing.repeats import is_nobody, repeated_contacts, spelling_facts
from funnelstats.importing.sql import (
    Columns,
    Connection,
    at_midnight,
    columns_of,
    one_of,
    placed,
    quoted,
    record,
    single,
    text,
)

NEVER = ("no_rows", "never_seen")
"""Facts of which the count is 0: most often a slip in funnel.toml."""
LONGEST, LONGEST_MEND = 900, 2000
"""Letters of a fact's names, and of the lines that help: longer ones help nobody."""

LEAST_LEADS = 5
"""With fewer leads nothing is said of their shape."""
SKIPPED_FIRST, SKIPPED = 0.2, 0.8
"""Shares of the leads beyond a stage without an entry of their own there from which it seems not to be logged."""
AT_ONCE, MANY_TIMES = 0.05, 10
"""Share of all leads that one hour holds, and times as many as nine of ten hours, where they were moved at once."""
MOST_NAMED = 5
SOON = 24
"""Hours within which a lead reopened after its end may put a slip right."""


def odd_facts(con: Connection, tables: Columns, funnel: Funnel, of_rows: Iterable[Fact] = ()) -> list[dict[str, Any]]:
    """Facts of the canonical tables as records ``fact, detail, count``, and ``mend``: lines of funnel.toml that help.

    Only facts of what never occurs have a count of 0. ``of_rows`` is what was seen of rows and cells that are in no
    table.
    """
    con.execute("CREATE OR REPLACE TEMP VIEW dated AS SELECT * FROM entries WHERE entered_at IS NOT NULL")
    con.execute(f"CREATE OR REPLACE TEMP TABLE firsts AS {_firsts(funnel)}")
    found = [
        *_never_seen(con, tables, funnel),
        *_of_leads(con, tables),
        *_of_entries(con, funnel),
        *_of_times(con, tables, funnel),
        *of_rows,
        *far_days(con, tables, funnel),
        *_at_once(con, tables, funnel),
        *_unlogged_stages(con, funnel),
        *_ends_alone(con, funnel),
        *_queues(con, funnel),
        *_inherited(con, tables, funnel),
        *_snapshot(con, funnel),
        *spelling_facts(con, tables, funnel),
        *repeated_contacts(con, tables, funnel),
        *_of_ends(con, tables, funnel),
    ]
    records: list[dict[str, Any]] = []
    mended = {""}
    for fact in found:
        count = int(fact.number)
        if count or fact.fact in NEVER:
            # Names from the data are one line that no terminal obeys.
            plain = re.sub(r"[\x00-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", fact.detail)
            detail = plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…"
            record = {"fact": fact.fact, "detail": detail, "count": count}
            mend = fact.mend if len(fact.mend) <= LONGEST_MEND else ""
            # Two facts that the same lines mend name them once.
            records.append(record if mend in mended else record | {"mend": mend})
            mended.add(mend)
    return records


def _never_seen(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Tables without a row, and names stated that no row holds, with the nearest one that stands there instead."""
    for table in tables:
        if not single(con, f"SELECT count(*) FROM {table}"):
            yield Fact("no_rows", table, 0)
    for key, stated, there, expected in _stated_names(con, tables, funnel):
        for name in sorted({*stated} - there) if there else ():
            near = nearest(name, sorted(there - {*stated}))
            if near or expected:
                yield Fact("never_seen", f"{key}: “{name}”" + (f" (“{near}”?)" if near else ""), 0)
    spent, come = _texts(con, tables, "channel", "costs"), _texts(con, tables, "channel", "leads")
    for channel in sorted(spent - come) if come else ():
        rows = single(con, f"SELECT count(*) FROM costs WHERE channel = {text(channel)}")
        yield Fact("costs_without_leads", channel, rows)


def _stated_names(
    con: Connection, tables: Columns, funnel: Funnel
) -> Iterator[tuple[str, Iterable[str], set[str], bool]]:
    """Key, names stated there, what rows hold of their kind, and whether each is expected in an export of any age."""
    yield "system_users", funnel.system_users, _texts(con, tables, "manager", "leads", "entries", "contacts"), True
    owners = _texts(con, tables, "manager", "entries")
    for stage, agreed in funnel.step_into.items():
        yield f"step_into.{stage}.targets", agreed.targets, owners, True
    yield "loop.marketing", funnel.loop.marketing, _texts(con, tables, "channel", "leads"), True
    stated, reasons = funnel.refusals, _texts(con, tables, "reason", "entries")
    yield "refusals.categories", stated.categories, reasons, False
    categories = {*stated.categories.values(), *(stated.categories.get(why, why) for why in reasons)}
    categories = categories if reasons else set()
    for key in ("excuses", "final", "gaps", "retry_days_of"):
        yield f"refusals.{key}", getattr(stated, key), categories, False
    yield "loop.wrongly_qualified", funnel.loop.wrongly_qualified, categories, False
    for category, gap in stated.gaps.items():
        for column, values in gap.items():
            yield f"refusals.gaps.{category}.{column}", values, _texts(con, tables, column, "leads"), False


def _texts(con: Connection, tables: Columns, column: str, *among: str) -> set[str]:
    """What a column of these tables holds, where they have it."""
    there = [
        f"SELECT DISTINCT {quoted(column)}::VARCHAR FROM {table}" for table in among if column in tables.get(table, ())
    ]
    found = con.execute(" UNION ".join(there)).fetchall() if there else []
    return {value for (value,) in found if value}


def _of_leads(con: Connection, tables: Columns) -> Iterator[Fact]:
    without = single(con, "SELECT count(*) FROM leads ANTI JOIN entries USING (lead_id)")
    yield Fact("leads_without_entry", "", without)
    texts = [
        column for column, kind in tables["leads"].items() if kind == "VARCHAR" and column not in ("lead_id", "_file")
    ]
    columns = [*texts, *({"created_at"} & {*tables["leads"]})]
    if columns:
        blank = record(
            con, "leads", {column: f"count(*) FILTER (WHERE {quoted(column)} IS NULL)" for column in columns}
        )
        yield Fact("leads_without_created_at", "", blank.get("created_at", 0))
        yield from (Fact("blank", column, blank[column]) for column in texts)


def _of_entries(con: Connection, funnel: Funnel) -> Iterator[Fact]:
    for stage in funnel.undated:
        leads = single(con, f"SELECT count(DISTINCT lead_id) FROM entries WHERE stage = {text(stage)}")
        yield Fact("undated", stage, leads)
    per_stage = (
        "SELECT stage, count(*), count(*) FILTER (WHERE manager IS NULL) FROM dated GROUP BY stage ORDER BY stage"
    )
    for stage, rows, blank in con.execute(per_stage).fetchall():
        if stage not in ENDS:
            yield Fact("no_manager_at_stage" if rows == blank else "entries_without_manager", stage, blank)
    for user in funnel.system_users:
        rows = single(con, f"SELECT count(*) FROM dated WHERE manager = {text(user)}")
        yield Fact("system_user_entries", user, rows)
    midnights = f"SELECT count(*) FROM dated WHERE {at_midnight(funnel.timezone, 'entered_at')}"
    yield Fact("at_midnight", "", single(con, midnights))


def _firsts(funnel: Funnel) -> str:
    """Of each lead with a dated entry of a stage: whether it had several managers, when it first stood at each."""
    at_stages = [
        f"min({column}) FILTER (WHERE stage = {text(stage)}) AS {prefix}_{place}"
        for place, stage in enumerate(funnel.stages)
        for prefix, column in (("at", "entered_at"), ("on", "entered_on"))
    ]
    # Of hashes, because the engine holds the texts of groups beside its memory.
    handed = " != ".join(f"{least}(hash(manager)) FILTER (WHERE manager IS NOT NULL)" for least in ("min", "max"))
    return f"""SELECT lead_id, {handed} AS handed, min(entered_at) AS any_first, {", ".join(at_stages)}
        FROM dated WHERE {one_of("stage", funnel.stages)} GROUP BY lead_id"""


def _of_times(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    if "created_at" in tables["leads"]:
        early = "SELECT count(*) FROM firsts JOIN leads USING (lead_id) WHERE any_first < created_at"
        yield Fact("entered_before_created", "", single(con, early))
    counts = {"handed": "count(*) FILTER (WHERE handed)"}
    for n in range(len(funnel.steps)):
        counts |= {
            f"wrong_{n}": f"count(*) FILTER (WHERE at_{n} > at_{n + 1})",
            f"begins_{n}": f"min(on_{n + 1})",
            f"came_{n}": f"count(on_{n})",
            f"converted_{n}": f"count(*) FILTER (WHERE on_{n} IS NOT NULL AND on_{n + 1} IS NOT NULL)",
        }
    found = record(con, "firsts", counts)
    ties = f"""SELECT lead_id FROM dated WHERE {one_of("stage", funnel.stages)}
        GROUP BY lead_id, entered_at HAVING count(*) > 1"""
    yield Fact("tied", "", single(con, f"SELECT count(DISTINCT lead_id) FROM ({ties})"))
    yield Fact("hand_overs", "", found["handed"])
    for n, step in enumerate(funnel.steps):
        steps = f"{step.from_stage} → {step.to_stage}"
        yield Fact("out_of_order", steps, found[f"wrong_{n}"])
        if found[f"begins_{n}"] is None:
            continue
        over = f"on_{n} + {step.horizon_days} < DATE '{found[f'begins_{n}']}'"
        early_leads = single(con, f"SELECT count(*) FROM firsts WHERE {over}")
        share = found[f"converted_{n}"] / max(found[f"came_{n}"], found[f"converted_{n}"] + 1)
        # As many leads in a row without one success would be a one in a thousand chance at the usual rate.
        if early_leads * np.log1p(-share) < np.log(0.001):
            yield Fact("history_starts_late", steps, early_leads)


def _at_once(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Leads created, or ended, within one hour as in no other: imported, or cleared away."""
    of_hours = {
        "created_at_once": ("leads", "created_at", "TRUE"),
        "ended_at_once": ("entries", "entered_at", one_of("stage", ENDS)),
    }
    for fact, (table, at, which) in of_hours.items():
        if at not in tables[table]:
            continue
        counts = {
            "hour": f"date_trunc('hour', {at})",
            "day": f"min({date_column(at)})",
            "leads": "count(DISTINCT lead_id)",
        }
        hours = f"""SELECT {columns_of(counts)} FROM {table}
            WHERE {which} AND NOT {at_midnight(funnel.timezone, at)} GROUP BY hour"""
        most = {"leads": "max(leads)", "day": "arg_max(day, leads)"}
        found = record(con, f"({hours})", {**most, "all": "sum(leads)", "usual": "quantile_cont(leads, 0.9)"})
        if found["all"] and found["leads"] >= max(LEAST_ROWS, AT_ONCE * found["all"], MANY_TIMES * found["usual"]):
            yield Fact(fact, str(found["day"]), found["leads"])


def _unlogged_stages(con: Connection, funnel: Funnel) -> Iterator[Fact]:
    """Stages that leads pass without an entry of their own, so that only who came further is counted there."""
    at = [f"at_{place}" for place in range(len(funnel.stages))]
    stood = ", ".join(f"{column} IS NOT NULL AS {column}" for column in at)
    patterns = con.execute(f"SELECT {stood}, count(*) AS leads FROM firsts GROUP BY ALL").df()
    skipped = []
    for place in range(len(at) - 1):
        beyond = patterns[patterns[at[place + 1 :]].any(axis=1)]
        there, passed = int(beyond["leads"].sum()), int(beyond["leads"][~beyond[at[place]]].sum())
        if there >= LEAST_LEADS and passed >= (SKIPPED if place else SKIPPED_FIRST) * there:
            skipped.append((place, passed))
    middle = [count for place, count in skipped if place]
    if len(middle) > 1 and len(middle) == len(funnel.stages) - 2:
        # Not a stage is left out but every history: the export holds where leads stand, not how they came there.
        yield Fact("only_the_last_move", "", max(middle))
        skipped = [(place, count) for place, count in skipped if not place]
    for place, count in skipped:
        stage = funnel.stages[place]
        if place:
            others = [other for other in funnel.stages if other != stage]
            yield Fact("stage_not_logged", stage, count, f"stages = {toml_value(others)}")
        else:
            yield Fact("first_stage_not_logged", stage, count, _creation_lines(funnel))


def _ends_alone(con: Connection, funnel: Funnel) -> Iterator[Fact]:
    """Leads that ended and never entered a stage."""
    stood = f"SELECT lead_id FROM entries WHERE {one_of('stage', [*funnel.stages, *funnel.undated])}"
    ended = f"SELECT DISTINCT lead_id FROM entries WHERE {one_of('stage', ENDS)}"
    alone = single(con, f"SELECT count(*) FROM ({ended}) ANTI JOIN ({stood}) AS stood USING (lead_id)")
    yield Fact("ends_without_stage", "", alone, _creation_lines(funnel))


def _queues(con: Connection, funnel: Funnel) -> Iterator[Fact]:
    """Stages whose first owner is no person, or one who only passes leads on."""
    nobody, taken = is_nobody("manager", funnel), f"NOT {is_nobody('next', funnel)}"
    own = one_of("stage", funnel.stages)
    con.execute(f"""CREATE OR REPLACE TEMP TABLE owners AS
        WITH several AS (SELECT lead_id, stage FROM dated WHERE {own} GROUP BY lead_id, stage HAVING count(*) > 1),
        ordered AS (SELECT stage, entered_at, manager, row_number() OVER alike AS place,
                lead(manager) OVER alike AS next, lead(entered_at) OVER alike AS next_at
            FROM dated SEMI JOIN several USING (lead_id, stage)
            WINDOW alike AS (PARTITION BY lead_id, stage ORDER BY entered_at, manager)),
        first_rows AS (SELECT stage, entered_at, manager, NULL AS next, NULL AS next_at
            FROM dated ANTI JOIN several USING (lead_id, stage) WHERE {own}
            UNION ALL SELECT stage, entered_at, manager, next, next_at FROM ordered WHERE place = 1)
        SELECT stage, manager, {nobody} AS nobody, count(*) AS leads,
            count(*) FILTER (WHERE {taken} AND next_at < entered_at + INTERVAL 7 DAY) AS soon,
            count(*) FILTER (WHERE {taken} AND next_at <= entered_at + INTERVAL 1 HOUR AND next != manager) AS at_once
        FROM first_rows GROUP BY stage, manager""")
    per_stage = """SELECT stage, sum(leads)::BIGINT, sum(soon) FILTER (WHERE nobody)::BIGINT
        FROM owners GROUP BY stage ORDER BY stage"""
    for stage, leads, count in con.execute(per_stage).fetchall():
        if funnel.owner_from == "entry" and (count or 0) >= max(LEAST_LEADS, 0.05 * leads):
            yield Fact("queue_first", stage, count, 'owner_from = "first_person"')
    per_owner = """SELECT manager, sum(leads)::BIGINT, sum(at_once)::BIGINT
        FROM owners WHERE NOT nobody GROUP BY manager ORDER BY manager"""
    for owner, leads, count in con.execute(per_owner).fetchall():
        if count >= 2 * LEAST_LEADS and count >= 0.9 * leads:
            yield Fact("queue_like", owner, count, f"system_users = {toml_value([*funnel.system_users, owner])}")


def _inherited(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Open leads that belong by now to another person than at their last stage entry, or to nobody."""
    if "manager" not in tables["leads"]:
        return
    stages = [*funnel.stages, *ENDS]
    undated_end = f"entered_at IS NULL AND {one_of('stage', [*ENDS, *funnel.undated])}"
    con.execute(f"""CREATE OR REPLACE TEMP TABLE open_leads AS
        WITH closed AS (SELECT lead_id FROM entries WHERE ({undated_end}) OR stage = {text(funnel.stages[-1])}),
        rows AS (FROM dated ANTI JOIN closed USING (lead_id) WHERE {one_of("stage", stages)}),
        last AS (SELECT lead_id, max(entered_at) AS entered_at FROM rows GROUP BY lead_id),
        latest AS (SELECT lead_id, stage, manager FROM rows SEMI JOIN last USING (lead_id, entered_at)
            QUALIFY row_number() OVER (PARTITION BY lead_id ORDER BY {placed("stage", stages)} DESC, manager) = 1)
        SELECT latest.manager, leads.manager AS present FROM latest JOIN leads USING (lead_id)
            WHERE NOT {one_of("stage", ENDS)}""")
    moved = """SELECT present, count(*) AS leads FROM open_leads WHERE manager != present
        GROUP BY present ORDER BY leads DESC, present"""
    counts = dict(con.execute(moved).fetchall())
    yield Fact("inherited", _named(counts), sum(counts.values()))
    nobody = is_nobody("coalesce(present, manager)", funnel)
    yield Fact("open_without_owner", "", single(con, f"SELECT count(*) FROM open_leads WHERE {nobody}"))


def _named(counts: Mapping[Any, int]) -> str:
    """Names with their counts, the biggest first, and how many more there are."""
    names = [f"{str(name)[:40]} {count}" for name, count in counts.items()]
    rest = f", … +{len(names) - MOST_NAMED}" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + rest


def _snapshot(con: Connection, funnel: Funnel) -> Iterator[Fact]:
    """Stages read from the leads' own rows: nobody stepped back, came again or changed hands, as far as one can see."""
    if funnel.is_snapshot:
        yield Fact("snapshot", "", single(con, "SELECT count(*) FROM leads SEMI JOIN dated USING (lead_id)"))


def _creation_lines(funnel: Funnel) -> str:
    """The entry of the first stage from the date of creation, for each source of leads that has one."""
    blocks = [_entry_lines(source, funnel) for source in funnel.leads if "created_at" in source.columns]
    if blocks and len(funnel.entries) == 1:
        blocks.append("# [entries] → [[entries]]")
    return "\n".join(blocks)


def _entry_lines(source: Source, funnel: Funnel) -> str:
    stated = source.model_dump(mode="json", exclude_defaults=True)
    same = ("files", "database", "table", "query", *KEYS_OF_KIND, "timezone", "only", "without", "join")
    columns = {"lead_id": source.columns["lead_id"], "entered_at": source.columns["created_at"]}
    columns |= {"manager": source.columns["manager"]} if "manager" in source.columns else {}
    lines = {key: stated[key] for key in same if key in stated} | {"stage": funnel.stages[0], "columns": columns}
    if formats := stated_for(source.date_format, "created_at"):
        lines["date_format"] = formats
    return "\n".join(["[[entries]]", *(f"{key} = {toml_value(value)}" for key, value in lines.items())])


def _of_ends(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Ends that were put right, or may have been, ends, wins and payments without a date, and wins alone."""
    con.execute(f"""CREATE OR REPLACE TEMP TABLE ended AS
        SELECT DISTINCT lead_id, entered_at AS ended_at FROM dated WHERE {one_of("stage", ENDS)}""")
    nexts = f"""SELECT epoch_us(min(entered_at)) - epoch_us(ended_at) AS later FROM ended JOIN dated USING (lead_id)
        WHERE {one_of("stage", funnel.stages)} AND entered_at > ended_at GROUP BY lead_id, ended_at"""
    within, soon = (
        single(con, f"SELECT count(*) FROM ({nexts}) WHERE later / 1e6 / 3600 <= {hours}")
        for hours in (funnel.correction_hours, SOON)
    )
    if within >= LEAST_LEADS and 2 * within > single(con, "SELECT count(*) FROM ended"):
        yield Fact("most_ends_corrected", f"{funnel.correction_hours:g}", within, "correction_hours = 0")
    else:
        yield Fact("ends_corrected", f"{funnel.correction_hours:g}", within)
    yield Fact("ends_soon_reopened", "", max(soon - within, 0), f"correction_hours = {SOON}")
    undated = "SELECT stage, count(DISTINCT lead_id) FROM entries WHERE entered_at IS NULL GROUP BY stage"
    leads = dict(con.execute(undated).fetchall())
    ways = {"won": f"stage = {text(funnel.stages[-1])}", "ended": one_of("stage", ENDS), "all": "TRUE"}
    of = record(con, "entries", {way: f"count(DISTINCT lead_id) FILTER (WHERE {rows})" for way, rows in ways.items()})
    lacks = {"only_won": of["won"] == of["all"], "none_won": not of["won"], "none_ended": not of["ended"]}
    if (lacking := [*compress(lacks, lacks.values())]) and of["all"] >= LEAST_ROWS:
        yield Fact(lacking[0], funnel.stages[-1], of["all"])
    for stage in (funnel.stages[-1], *ENDS):
        yield Fact("ends_undated", stage, leads.get(stage, 0))
    if "payments" in tables:
        without = single(con, "SELECT count(*) FROM payments WHERE paid_at IS NULL")
        yield Fact("payments_undated", "", without)
