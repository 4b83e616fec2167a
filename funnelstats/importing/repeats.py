"""What stands there again: rows of which one counts, rows that do not agree, names spelled in several ways."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import KNOWN_ON, TABLES
from funnelstats.importing.cells import ROW
from funnelstats.importing.facts import Fact, reason
from funnelstats.importing.hints import lines_under, toml_value

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
LOOK_ALIKE = str.maketrans("аеорсухікмнтвгј", "aeopcyxikmhtbrj")
"""Cyrillic letters, and the Latin ones that one takes them for; ё is е to whoever types in a hurry."""
MOST_VALUES, MOST_GROUPS = 20_000, 200
"""Beyond the first a column holds no names but texts; beyond the second an attribute groups no leads."""
MOST_LINES = 5
SHORT = 40
SUBJECTS = {"manager": "people", "channel": "channels", "campaign": "channels", "reason": "reasons"}
"""Which numbers a column's names stand beside; others only group leads."""


def with_repeats(rows: ir.Table, table: str, funnel: Funnel) -> ir.Table:
    """The rows with ``_again``: why a good row is one that stands there already, else null; without ``_latest``.

    The first one stays, or the one stated.
    """
    keys = UNIQUE.get(table, [])
    rows = rows.mutate(_again=ibis.null("string"))
    if keys and {*keys} <= {*rows.columns}:
        order = _counting_first(rows, table, funnel)
        rows = _marked(rows, keys, order, rows["_reason"].isnull(), rows[keys[0]].notnull())
    if table in OF_MONEY:
        rows = _with_overlaps(_with_stated_repeats(rows, table, funnel), table, funnel)
    return rows.drop("_latest")


def _marked(
    rows: ir.Table, keys: list[str], order: list[ir.Value], good: ir.BooleanValue, repeats: ir.BooleanValue
) -> ir.Table:
    """The rows, of which good ones that repeat the keys of the first one in order, and may, get the reason."""
    alike = ibis.window(group_by=[*keys, good], order_by=order)
    first, place = rows[ROW].first().over(alike), ibis.row_number().over(alike)
    why = reason("again", " and ".join(keys), "") + first.cast("string")
    return rows.mutate(_again=ibis.ifelse(good & (place > 0) & repeats, why, rows["_again"]))


def _with_stated_repeats(rows: ir.Table, table: str, funnel: Funnel) -> ir.Table:
    """The rows of money, of which those that funnel.toml states to be repeats stand there already."""
    for how, names in (("drop", [*TABLES[table]]), ("last", SAME[table])):
        sources = _stating(table, funnel, how)
        if sources:
            good = rows["_reason"].isnull() & rows["_again"].isnull()
            # A payment's own number tells it from others.
            own = rows["payment_id"].isnull() if how == "last" and "payment_id" in rows.columns else True
            place = [rows["_source"], rows["_file"], rows[ROW]]
            order = [ibis.desc(column) for column in place] if how == "last" else place
            keys = [name for name in names if name in rows.columns]
            rows = _marked(rows, keys, order, good & own, rows["_source"].isin(sources))
    return rows


def _stating(table: str, funnel: Funnel, *repeats: str | None) -> list[int]:
    """The numbers of a table's sources that state one of these of their repeats."""
    return [number for number, source in enumerate(getattr(funnel, table)) if source.repeats in repeats]


def _counting_first(rows: ir.Table, table: str, funnel: Funnel) -> list[ir.Value]:
    """The order in which the row that counts among repeated ones comes first."""
    place = [rows["_source"], rows["_file"], rows[ROW]]
    if any("last" in (source.keep, source.repeats) for source in getattr(funnel, table)):
        place = [ibis.desc(column) for column in place]
    latest = ibis.desc(rows["_latest"].fill_null(ibis.timestamp("0001-01-01 00:00:00")))
    if table != "entries":
        return [latest, *place]
    # Of two rows of one instant the one that says why, or whose it is, is kept, whichever was written first.
    nobody = rows["manager"].isnull() | rows["manager"].isin(funnel.system_users or ("",))
    return [rows["reason"].isnull(), nobody, latest, *place]


def _with_overlaps(rows: ir.Table, table: str, funnel: Funnel) -> ir.Table:
    """The rows, of which those that an earlier file of an overlapping export holds too stand there already.

    Of sources that state nothing of their repeats.

    Two files overlap where they share five rows or more and these are the end of one and the beginning of the other,
    or all of one, or all that either has of the days that both cover: the outermost of these days apart, when one of
    them may have been exported before evening.
    """
    text = ibis.literal("␟").join([rows[name].cast("string").fill_null("␀") for name in _content(rows)])
    alike = ibis.window(group_by=["_text", "_file"], order_by=["_source", ROW])
    numbered = rows.mutate(_text=text).mutate(_nth=ibis.row_number().over(alike))
    unstated = numbered["_source"].isin(_stating(table, funnel, None))
    good = numbered.filter(numbered["_reason"].isnull() & numbered["_again"].isnull() & unstated)
    pairs = _overlapping_files(good, KNOWN_ON[table])
    if not pairs:
        return rows
    known = ibis.memtable(pd.DataFrame(pairs, columns=["_earlier", "_later"]))
    there = good.select("_text", "_nth", _earlier="_file").join(known, "_earlier")
    earlier = there.group_by("_text", "_nth", "_later").aggregate(_earlier=ibis._["_earlier"].min())
    joined = numbered.left_join(earlier, [("_text", "_text"), ("_nth", "_nth"), ("_file", "_later")])
    overlap = reason("overlap", "") + joined["_earlier"]
    return joined.mutate(_again=joined["_again"].coalesce(overlap)).select(*rows.columns)


def _overlapping_files(rows: ir.Table, day: str) -> list[tuple[str, str]]:
    """Pairs of files, the earlier first, that are exports which overlap."""
    if rows["_file"].nunique().execute() < 2:
        return []
    frame = rows.order_by(ROW).select("_file", "_text", "_nth", _day=rows[day].cast("string"), _amount=rows.amount)
    files = {str(file): own for file, own in frame.execute().groupby("_file", sort=True)}
    return [pair for pair in combinations(files, 2) if _overlap(*(files[file] for file in pair))]


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


def conflicts(checked: ir.Table, table: str, funnel: Funnel) -> Iterator[Fact]:
    """Leads that stand there several times with other contents, and rows of money word for word."""
    if table == "leads":
        yield from _other_contents(checked, funnel)
    if table in OF_MONEY:
        yield from _money_again(checked, table, funnel)


def _other_contents(checked: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    repeats = checked["_reason"].startswith("again").fill_null(False)
    rows = checked.filter(checked["_reason"].isnull() | repeats)
    columns = [name for name in _content(rows) if name not in ("lead_id", "created_on")]
    if not columns:
        return
    texts = {name: rows[name].cast("string").fill_null("") for name in columns}
    differs = rows.group_by("lead_id").aggregate(
        **{f"n_{place}": texts[name].nunique() > 1 for place, name in enumerate(columns)}
    )
    counts = differs.aggregate(
        **{f"n_{place}": differs[f"n_{place}"].sum().fill_null(0) for place in range(len(columns))},
        ids=ibis.or_(*(differs[f"n_{place}"] for place in range(len(columns)))).sum().fill_null(0),
        leads=differs.count(),
    )
    row = counts.execute().iloc[0]
    by_column = {name: int(row[f"n_{place}"]) for place, name in enumerate(columns)}
    others = by_column.pop("created_at", 0)
    if not from_history(checked, funnel):
        yield Fact("one_id_of_several", funnel.leads[0].columns["lead_id"], others)
    declared = any(source.keep == "last" or source.latest_by for source in funnel.leads)
    ids = int(row["ids"]) - others
    if by_column and not declared and ids > 0:
        most = max(by_column, key=lambda name: by_column[name])
        if ids < NOTICED * row["leads"]:
            yield Fact("few_ids_differ", most, ids)
        else:
            yield Fact("repeated_ids_differ", most, ids, lines_under("leads", 'keep = "last"'))


def from_history(checked: ir.Table, funnel: Funnel) -> bool:
    """Whether leads are read from their own history: its further rows are no other leads, and nothing against it."""
    histories = {(source.home, source.columns["lead_id"]) for source in funnel.entries if source.stage is None}
    if not any((source.home, source.columns["lead_id"]) in histories for source in funnel.leads):
        return False
    again = checked["_reason"].startswith("again").fill_null(False)
    found = checked.aggregate(again=again.sum(), kept=checked["_reason"].isnull().sum()).execute().iloc[0]
    return bool(2 * found["again"] > found["kept"])


def _money_again(checked: ir.Table, table: str, funnel: Funnel) -> Iterator[Fact]:
    """Rows of money that stand there again: once where two exports overlap, and else added up, which is told."""
    overlap = checked.filter(checked["_reason"].startswith("overlap").fill_null(False))
    files = overlap["_file"].value_counts().execute().set_index("_file").iloc[:, 0]
    drop = lines_under(table, 'repeats = "drop"')
    yield Fact(f"{table}_overlap", ", ".join(sorted(files.index)), files.sum(), drop)
    good = checked.filter(checked["_reason"].isnull() & checked["_source"].isin(_stating(table, funnel, None)))
    if "payment_id" in good.columns:
        good = good.filter(good.payment_id.isnull())
    same = good.group_by(_content(good)).aggregate(
        _rows=good.count(), _files=good["_file"].nunique(), _one=good["_file"].min(), _other=good["_file"].max()
    )
    same = same.filter((same["_rows"] > 1) & (same.amount != 0)).execute()
    again = int((same["_rows"] - 1).sum())
    if not again or (table == "costs" and (same["_files"] < 2).all() and again < MANY):
        return
    names = sorted({*same["_one"], *same["_other"]})
    total, twice = float(good.amount.sum().execute()), float(((same["_rows"] - 1) * same["amount"]).sum())
    numbers = f"{total:.0f} / {total - twice:.0f} {funnel.currency}"
    shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    yield Fact(f"{table}_twice", f"{shown}: {numbers}", again, drop)


def _content(rows: ir.Table) -> list[str]:
    """What a row says, without where it stands."""
    return [name for name in rows.columns if not name.startswith("_")]


def look(name: str) -> str:
    """What a name looks like at a glance: names with the same look are most likely one.

    >>> look("Anna  Berg.") == look("anna berg"), look("Сергей") == look("Cергей"), look("Фёдор") == look("Федор")
    (True, True, True)
    >>> look("Web 1") == look("Web 2")
    False
    """
    plain = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е").translate(LOOK_ALIKE)
    return re.sub(r"[\s.]+$", "", re.sub(r"\s*[-–—_/]\s*|\s+", " ", plain).strip())


def spelling_facts(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[Fact]:
    """Names of people, channels and the like that are spelled in several ways, with the lines that make them one."""
    attributes = [name for source in funnel.leads for name in source.attributes]
    named = {table: [name for name, spec in TABLES[table].items() if spec.kind == "text"] for table in tables}
    named["leads"] += attributes
    for column in dict.fromkeys(name for names in named.values() for name in names):
        most = MOST_VALUES if column in SUBJECTS else MOST_GROUPS
        counts: dict[str, Counter[str]] = {}
        for table, rows in tables.items():
            if column in named[table] and column in rows.columns:
                found = rows.filter(rows[column].notnull()).group_by(_name=rows[column]).aggregate(_rows=ibis._.count())
                counts[table] = Counter(dict(found.limit(most + 1).execute().itertuples(index=False)))
        if all(len(names) <= most for names in counts.values()):
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
