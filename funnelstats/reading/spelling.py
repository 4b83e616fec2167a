"""Names that look like one and are counted as several: capitals, blanks, ё and е, letters of another alphabet."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import ibis.expr.types as ir

from funnelstats.reading.shapes import Found, toml, under
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.schema import TABLES

LOOK_ALIKE = str.maketrans("аеорсухікмнтвгј", "aeopcyxikmhtbrj")
"""Cyrillic letters, and the Latin ones that one takes them for; ё is е to whoever types in a hurry."""
MOST_VALUES = 20_000
"""Beyond this a column holds no names but texts."""
MOST_LINES = 5
SHORT = 40
SUBJECTS = {"manager": "people", "channel": "channels", "campaign": "channels", "reason": "reasons"}
"""Which numbers a column's names stand beside; others only group leads."""


def look(name: str) -> str:
    """What a name looks like at a glance: names with the same look are most likely one.

    >>> look("Anna  Berg.") == look("anna berg"), look("Сергей") == look("Cергей"), look("Фёдор") == look("Федор")
    (True, True, True)
    >>> look("Web 1") == look("Web 2")
    False
    """
    plain = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е").translate(LOOK_ALIKE)
    return re.sub(r"[\s.]+$", "", re.sub(r"\s*[-–—_/]\s*|\s+", " ", plain).strip())


def of_spelling(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[Found]:
    """Names of people, channels and the like that are spelled in several ways, with the lines that make them one."""
    places: dict[str, list[tuple[str, ir.Table]]] = {}
    for table, rows in tables.items():
        texts = [name for name, spec in TABLES[table].items() if spec.kind == "text"]
        own = [name for source in funnel.leads for name in source.attributes] if table == "leads" else []
        for column in dict.fromkeys([*texts, *own]):
            if column in rows.columns:
                places.setdefault(column, []).append((table, rows))
    for column, homes in places.items():
        counts: Counter[str] = Counter()
        held: dict[str, set[str]] = {}
        for table, rows in homes:
            found = rows.group_by(_name=rows[column]).aggregate(_rows=rows.count()).limit(MOST_VALUES + 1).execute()
            found = found.dropna(subset=["_name"])
            if len(found) > MOST_VALUES:
                break
            held[table] = {str(name) for name in found["_name"]}
            counts.update({str(name): int(n) for name, n in zip(found["_name"], found["_rows"], strict=True)})
        else:
            yield from _told(column, counts, held, funnel.system_users if column == "manager" else ())


def _told(column: str, counts: Counter[str], held: dict[str, set[str]], passed: tuple[str, ...]) -> Iterator[Found]:
    """One fact for a column: how many names are spelled in several ways, the first few, and the lines.

    Those of ``passed`` are nobody's, however they are spelled.
    """
    looks: dict[str, list[str]] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        looks.setdefault(look(name), []).append(name)
    several = [names for names in looks.values() if len({*names} - {*passed}) > 1]
    if not several:
        return
    told = ["; ".join(f"“{name[:SHORT]}”" for name in names[:MOST_LINES]) for names in several[:MOST_LINES]]
    more = f" … +{len(several) - MOST_LINES}" if len(several) > MOST_LINES else ""
    lines = []
    for table, there in held.items():
        pairs = {name: names[0] for names in several[:MOST_LINES] for name in names[1:] if name in there}
        if pairs:
            lines.append(under(table, f"values.{column} = {toml(pairs)}"))
    fact = f"{SUBJECTS.get(column, 'names')}_spelled_twice"
    yield fact, f"{column}: {' | '.join(told)}{more}", len(several), "\n".join(lines)
