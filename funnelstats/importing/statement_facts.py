"""What funnel.toml states and no row holds."""

from collections.abc import Iterable, Iterator

from funnelstats.config.errors import nearest
from funnelstats.config.funnel import Funnel
from funnelstats.importing.facts import Fact
from funnelstats.importing.sql import Columns, Connection, quoted, single, text


def facts_of_statement(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
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
