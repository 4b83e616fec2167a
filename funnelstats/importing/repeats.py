"""What stands there again: rows of which one counts, rows that do not agree, names spelled in several ways."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KNOWN_ON, TABLES
from funnelstats.importing.cells import PLACE, ROW
from funnelstats.importing.facts import Fact, reason
from funnelstats.importing.hints import lines_under, toml_value
from funnelstats.importing.sql import (
    Columns,
    Connection,
    at_midnight,
    columns_in,
    frame,
    names,
    one_of,
    quoted,
    record,
    single,
    text,
)

UNIQUE = {"leads": ["lead_id"], "entries": ["lead_id", "stage", "entered_at"], "payments": ["payment_id", "lead_id"]}
"""What stands once in a table; where it is blank nothing repeats."""
OF_MONEY = ("payments", "costs")
SAME = {"payments": ["lead_id", "paid_at"], "costs": ["date", "channel", "campaign"]}
"""What makes rows of money one where `repeats = "last"` says that a later one replaces an earlier."""
BLOCK = 5
"""Rows that two files must share to be two exports that overlap."""
NOTICED = 0.005
"""Share of the leads from which on rows that do not agree are a warning."""
MANY = 10
"""Costs that look alike within one file are told from so many on: a day's small sums often do."""
LEAST_AGAIN, TOO_MANY_AGAIN = 20, 0.05
"""Contacts that stand there again from which on they are told, and the share of all."""
LOOK_ALIKE = str.maketrans("аеорсухікмнтвгј", "aeopcyxikmhtbrj")
"""Cyrillic letters, and the Latin ones that one takes them for; ё is е to whoever types in a hurry."""
MOST_VALUES, MOST_GROUPS = 20_000, 200
"""Beyond the first a column holds no names but texts; beyond the second an attribute groups no leads."""
MOST_LINES = 5
SHORT = 40
SUBJECTS = {"manager": "people", "channel": "channels", "campaign": "channels", "reason": "reasons"}
"""Which numbers a column's names stand beside; others only group leads."""


def find_repeats(con: Connection, rows: str, table: str, funnel: Funnel) -> None:
    """Fill the table ``again`` with the places of good rows that stand there already, and why.

    The first one stays, or the one stated.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE again (_source INTEGER, _file VARCHAR, {ROW} BIGINT, _why VARCHAR)")
    columns = columns_in(con, rows)
    keys = UNIQUE.get(table, [])
    if keys and {*keys} <= {*columns}:
        _mark(con, rows, keys, _counting_first(table, funnel), f"{keys[0]} IS NOT NULL")
    if table in OF_MONEY:
        _mark_stated_repeats(con, rows, columns, table, funnel)
        _mark_overlaps(con, rows, columns, table, funnel)


GOOD = f"FROM {{rows}} ANTI JOIN again USING ({PLACE}) WHERE _reason IS NULL"


def _mark(con: Connection, rows: str, keys: Sequence[str], order: str, repeats: str, alike: str = "TRUE") -> None:
    """Of good rows, those that repeat the keys of the first one in order, and may, stand there already."""
    good = f"{GOOD.format(rows=rows)} AND {alike}"
    several = f"SELECT {names(keys)} {good} GROUP BY ALL HAVING count(*) > 1"
    # Most rows repeat nothing, and need no order.
    con.execute(f"CREATE OR REPLACE TEMP TABLE several AS {several}")
    if not single(con, "SELECT count(*) FROM several"):
        return
    why = f"{text(reason('again', ' and '.join(keys), ''))} || first_value({ROW}) OVER alike"
    same = " AND ".join(f"good.{quoted(key)} IS NOT DISTINCT FROM several.{quoted(key)}" for key in keys)
    con.execute(f"""INSERT INTO again SELECT {PLACE}, {why} FROM (SELECT * {good}) AS good
        SEMI JOIN several ON {same} WINDOW alike AS (PARTITION BY {names(keys)} ORDER BY {order})
        QUALIFY row_number() OVER alike > 1 AND ({repeats})""")


def _mark_stated_repeats(con: Connection, rows: str, columns: Collection[str], table: str, funnel: Funnel) -> None:
    """Of rows of money, those that funnel.toml states to be repeats stand there already."""
    for how, stated in (("drop", [*TABLES[table]]), ("last", SAME[table])):
        if sources := _stating(table, funnel, how):
            # A payment's own number tells it from others.
            own = "payment_id IS NULL" if how == "last" and "payment_id" in columns else "TRUE"
            keys = [column for column in stated if column in columns]
            _mark(con, rows, keys, _place(last=how == "last"), f"_source IN ({sources})", own)


def _stating(table: str, funnel: Funnel, *repeats: str | None) -> str:
    """The numbers of a table's sources that state one of these of their repeats."""
    return ", ".join(str(n) for n, source in enumerate(getattr(funnel, table)) if source.repeats in repeats)


def _place(*, last: bool) -> str:
    return f"_source DESC, _file DESC, {ROW} DESC" if last else PLACE


def _counting_first(table: str, funnel: Funnel) -> str:
    """The order in which the row that counts among repeated ones comes first."""
    place = _place(last=any("last" in (source.keep, source.repeats) for source in getattr(funnel, table)))
    latest = "_latest DESC NULLS LAST"
    if table != "entries":
        return f"{latest}, {place}"
    # Of two rows of one instant the one that says why, or whose it is, is kept, whichever was written first.
    return f"reason IS NULL, {is_nobody('manager', funnel)}, {latest}, {place}"


def is_nobody(owner: str, funnel: Funnel) -> str:
    """Whether an owner is no person: blank, or a system user."""
    return f"({owner} IS NULL OR {one_of(owner, funnel.system_users)})"


def _mark_overlaps(con: Connection, rows: str, columns: Collection[str], table: str, funnel: Funnel) -> None:
    """Rows that an earlier file of an overlapping export holds too stand there already.

    Of sources that state nothing of their repeats.

    Two files overlap where they share five rows or more and these are the end of one and the beginning of the other,
    or all of one, or all that either has of the days that both cover: the outermost of these days apart, when one of
    them may have been exported before evening.
    """
    sources = _stating(table, funnel, None)
    if not sources or single(con, f"SELECT count(DISTINCT _file) FROM {rows}") < 2:
        return
    cells = ", ".join(f"coalesce({quoted(column)}::VARCHAR, '␀')" for column in _content(columns))
    con.execute(f"""CREATE OR REPLACE TEMP TABLE texts AS
        WITH texts AS (SELECT *, concat_ws('␟', {cells}) AS _text FROM {rows}),
        numbered AS (SELECT *, row_number() OVER (PARTITION BY _text, _file ORDER BY _source, {ROW}) AS _nth FROM texts)
        SELECT * {GOOD.format(rows="numbered")} AND _source IN ({sources})""")
    day = quoted(KNOWN_ON[table])
    found = frame(
        con, f"SELECT _file, _text, _nth, {day}::VARCHAR AS _day, amount AS _amount FROM texts ORDER BY {ROW}"
    )
    files = {str(file): own for file, own in found.groupby("_file", sort=True)}
    pairs = [pair for pair in combinations(files, 2) if _overlap(*(files[file] for file in pair))]
    if pairs:
        known = ", ".join(f"({text(earlier)}, {text(later)})" for earlier, later in pairs)
        con.execute(f"""INSERT INTO again
            WITH known(_earlier, _later) AS (VALUES {known}),
            earlier AS (SELECT _text, _nth, _later, min(_file) AS _earlier
                FROM texts JOIN known ON _file = _earlier GROUP BY _text, _nth, _later)
            SELECT {PLACE}, {text(reason("overlap", ""))} || earlier._earlier
            FROM texts JOIN earlier ON _file = _later AND texts._text = earlier._text AND texts._nth = earlier._nth""")


def _overlap(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether what two files share is one block of each, by their order or by their days."""
    rows = [list(own[["_text", "_nth"]].itertuples(index=False, name=None)) for own in (one, other)]
    shared = {*rows[0]} & {*rows[1]}
    # equal sums of every month are a budget, not an export taken twice
    if len(shared) < BLOCK or one.loc[one["_text"].isin([text for text, _nth in shared]), "_amount"].nunique() < BLOCK:
        return False
    heads, tails = ([{*own[cut]} == shared for own in rows] for cut in (slice(len(shared)), slice(-len(shared), None)))
    if (heads[0] and tails[1]) or (tails[0] and heads[1]) or any(len(own) == len(shared) for own in rows):
        return True
    start, end = max(one["_day"].min(), other["_day"].min()), min(one["_day"].max(), other["_day"].max())
    within = [{*own[(own["_day"] > start) & (own["_day"] < end)]["_text"]} for own in (one, other)]
    return within[0] == within[1] and len(within[0]) >= BLOCK


def conflicts(con: Connection, checked: str, table: str, funnel: Funnel) -> Iterator[Fact]:
    """Leads that stand there several times with other contents, and rows of money word for word."""
    if table == "leads":
        yield from _other_contents(con, checked, funnel)
    if table in OF_MONEY:
        yield from _money_again(con, checked, table, funnel)


AGAIN, OVERLAP = "coalesce(starts_with(_reason, 'again'), FALSE)", "coalesce(starts_with(_reason, 'overlap'), FALSE)"


def _other_contents(con: Connection, checked: str, funnel: Funnel) -> Iterator[Fact]:
    columns = [each for each in _content(columns_in(con, checked)) if each not in ("lead_id", "created_on")]
    if not columns:
        return
    rows = f"{checked} WHERE (_reason IS NULL OR {AGAIN})"
    twice = f"SELECT lead_id FROM {checked} WHERE {AGAIN}"
    differ = [f"count(DISTINCT coalesce({quoted(each)}::VARCHAR, '')) > 1 AS n_{n}" for n, each in enumerate(columns)]
    differs = f"SELECT {', '.join(differ)} FROM {rows} AND lead_id IN ({twice}) GROUP BY lead_id"
    counts = {f"n_{n}": f"count(*) FILTER (WHERE n_{n})" for n in range(len(columns))}
    any_differs = " OR ".join(counts)
    found = record(con, f"({differs})", counts | {"ids": f"count(*) FILTER (WHERE {any_differs})"})
    by_column = {each: found[f"n_{n}"] for n, each in enumerate(columns)}
    others = by_column.pop("created_at", 0)
    if not from_history(con, checked, funnel):
        yield Fact("one_id_of_several", funnel.leads[0].columns["lead_id"], others)
    declared = any(source.keep == "last" or source.latest_by for source in funnel.leads)
    ids = found["ids"] - others
    if by_column and not declared and ids > 0:
        most = max(by_column, key=lambda name: by_column[name])
        if ids < NOTICED * single(con, f"SELECT count(DISTINCT lead_id) FROM {rows}"):
            yield Fact("few_ids_differ", most, ids)
        else:
            yield Fact("repeated_ids_differ", most, ids, lines_under("leads", 'keep = "last"'))


def from_history(con: Connection, checked: str, funnel: Funnel) -> bool:
    """Whether leads are read from their own history: its further rows are no other leads, and nothing against it."""
    histories = {(source.home, source.columns["lead_id"]) for source in funnel.entries if source.stage is None}
    if not any((source.home, source.columns["lead_id"]) in histories for source in funnel.leads):
        return False
    counts = {"again": f"count(*) FILTER (WHERE {AGAIN})", "kept": "count(*) FILTER (WHERE _reason IS NULL)"}
    found = record(con, checked, counts)
    return bool(2 * found["again"] > found["kept"])


def _money_again(con: Connection, checked: str, table: str, funnel: Funnel) -> Iterator[Fact]:
    """Rows of money that stand there again: once where two exports overlap, and else added up, which is told."""
    overlap = dict(con.execute(f"SELECT _file, count(*) FROM {checked} WHERE {OVERLAP} GROUP BY _file").fetchall())
    drop = lines_under(table, 'repeats = "drop"')
    yield Fact(f"{table}_overlap", ", ".join(sorted(overlap)), sum(overlap.values()), drop)
    sources = _stating(table, funnel, None)
    if not sources:
        return
    columns = columns_in(con, checked)
    unnumbered = "payment_id IS NULL" if "payment_id" in columns else "TRUE"
    good = f"FROM {checked} WHERE _reason IS NULL AND _source IN ({sources}) AND {unnumbered}"
    same = frame(
        con,
        f"""SELECT amount, count(*) AS _rows, count(DISTINCT _file) AS _files, min(_file) AS _one, max(_file) AS _other
        {good} GROUP BY {names(_content(columns))} HAVING count(*) > 1 AND amount != 0""",
    )
    again = int((same["_rows"] - 1).sum())
    if not again or (table == "costs" and (same["_files"] < 2).all() and again < MANY):
        return
    files = sorted({*same["_one"], *same["_other"]})
    ((total,),) = con.execute(f"SELECT sum(amount) {good}").fetchall()
    twice = float(((same["_rows"] - 1) * same["amount"]).sum())
    numbers = f"{total:.0f} / {total - twice:.0f} {funnel.currency}"
    shown = ", ".join(files[:3]) + (" …" if len(files) > 3 else "")
    yield Fact(f"{table}_twice", f"{shown}: {numbers}", again, drop)


def _content(columns: Iterable[str]) -> list[str]:
    """What a row says, without where it stands."""
    return [column for column in columns if not column.startswith("_")]


def look(name: str) -> str:
    """What a name looks like at a glance: names with the same look are most likely one.

    >>> look("Anna  Berg.") == look("anna berg"), look("Сергей") == look("Cергей"), look("Фёдор") == look("Федор")
    (True, True, True)
    >>> look("Web 1") == look("Web 2")
    False
    """
    plain = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е").translate(LOOK_ALIKE)
    return re.sub(r"[\s.]+$", "", re.sub(r"\s*[-–—_/]\s*|\s+", " ", plain).strip())


def repeated_contacts(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Contacts with an hour that are the same in all columns, where they are more than slips."""
    if "contacts" in tables:
        same = names(column for column in tables["contacts"] if not column.startswith("_"))
        timed = f"contacts WHERE NOT {at_midnight(funnel.timezone, quoted('at'))}"
        found = record(con, timed, {"all": "count(*)", "once": f"count(DISTINCT hash({same}))"})
        again = found["all"] - found["once"]
        if again >= max(LEAST_AGAIN, TOO_MANY_AGAIN * found["all"]):
            yield Fact("contacts_twice", "", again)


def spelling_facts(con: Connection, tables: Columns, funnel: Funnel) -> Iterator[Fact]:
    """Names of people, channels and the like that are spelled in several ways, with the lines that make them one."""
    attributes = [column for source in funnel.leads for column in source.attributes]
    named = {table: [column for column, spec in TABLES[table].items() if spec.kind == "text"] for table in tables}
    named["leads"] += attributes
    for column in dict.fromkeys(column for among in named.values() for column in among):
        most = MOST_VALUES if column in SUBJECTS else MOST_GROUPS
        counts: dict[str, Counter[str]] = {}
        for table, columns in tables.items():
            if column in named[table] and column in columns:
                found = f"SELECT {quoted(column)} AS _name, count(*) FROM {table} GROUP BY _name LIMIT {most + 2}"
                counts[table] = Counter(
                    {each: rows for each, rows in con.execute(found).fetchall() if each is not None}
                )
        if all(len(among) <= most for among in counts.values()):
            yield from _spelled_twice(column, counts, funnel.system_users if column == "manager" else ())


def _spelled_twice(column: str, counts: dict[str, Counter[str]], passed: Iterable[str]) -> Iterator[Fact]:
    """One fact for a column: how many names are spelled in several ways, the first few, and the lines.

    Those of ``passed`` are nobody's, however they are spelled.
    """
    total = sum(counts.values(), Counter[str]())
    looks: dict[str, list[str]] = {}
    for name in sorted(total, key=lambda name: (-total[name], name)):
        looks.setdefault(look(name), []).append(name)
    several = [names for names in looks.values() if len({*names} - {*passed}) > 1]
    shown = ["; ".join(f"“{name[:SHORT]}”" for name in names[:MOST_LINES]) for names in several[:MOST_LINES]]
    more = f" … +{len(several) - MOST_LINES}" if len(several) > MOST_LINES else ""
    lines = []
    for table, there in counts.items():
        pairs = {name: names[0] for names in several[:MOST_LINES] for name in names[1:] if name in there}
        if pairs:
            lines.append(lines_under(table, f"values.{column} = {toml_value(pairs)}"))
    fact = f"{SUBJECTS.get(column, 'names')}_spelled_twice"
    yield Fact(fact, f"{column}: {' | '.join(shown)}{more}", len(several), "\n".join(lines))
