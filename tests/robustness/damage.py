"""Seeded damage: to the bytes of a file, to the cells of an export, to a statement."""

import copy
import csv
import io
import os
import random
import zipfile
from datetime import date, time, timedelta

SEEDS = int(os.environ.get("FUZZ", "1"))
"""How many times the quick part: ``make fuzz`` takes a hundred."""

HOSTILE = [
    *(
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "=1+1",
        "@SUM(A1)",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "${x}",
    ),
    *(
        "'; drop table leads; --",
        "\x1b[31mred",
        "\u202egnp.exe",
        "\x00",
        "a\nb",
        "../../etc/passwd",
        "x" * 3000,
        "NaN",
        "null",
    ),
    *("Анна", "анна", "А\u0301нна", "I\u0307", "\ufeffAnna", "\u200bAnna", "𝒜𝓃𝓃𝒶", "", " ", "\t"),
]
DATES = [
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "31.12.2026",
    "12/31/2026",
    "2026-03-29 02:30",
    "46000",
    "1767225600",
    "soon",
    "2026-1-5",
]
NUMBERS = ["1e400", "-5", "1.234,50-", "12.5K", "9" * 400, "0x1F", "1 000", "€ 5", "NaN", "inf", "5,5", "٣"]
IDS = ["1.0", "1", "0001", "1E+15", "L1 ", "l1", "Ｌ１", "4611686018427387047", ""]


def bytes_of(data: bytes, rng: random.Random) -> bytes:
    """The file cut, with flipped bits, with bytes more or fewer, twice, or with parts of its archive gone."""
    place = rng.randrange(len(data))
    kind = rng.randrange(7)
    if kind == 0:
        return data[:place]
    if kind == 1:
        bent = bytearray(data)
        for _ in range(rng.choice([1, 5, 50])):
            bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
        return bytes(bent)
    if kind == 2:
        return data[:place] + rng.randbytes(rng.randrange(1, 200)) + data[place:]
    if kind == 3:
        return data[:place] + data[place + rng.randrange(1, 300) :]
    if kind == 4:
        return data + data
    if kind == 5 and data.startswith(b"PK"):
        return _without_a_part(data, rng)
    return rng.randbytes(500)


def _without_a_part(data: bytes, rng: random.Random) -> bytes:
    archive, written = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    spoiled = rng.choice(archive.namelist())
    with zipfile.ZipFile(written, "w") as other:
        for name in archive.namelist():
            part = archive.read(name)
            if name != spoiled:
                other.writestr(name, part)
            elif rng.random() < 0.7:
                other.writestr(name, part[: rng.randrange(len(part) + 1)])
    return written.getvalue()


def export(leads: int = 120) -> dict[str, list[list[str]]]:
    """Rows of leads and entries, header first, as a CRM would have them."""
    rng = random.Random(1)
    tables = {
        "leads": [["id", "created", "manager", "channel", "amount"]],
        "entries": [["id", "stage", "at", "manager", "reason"]],
    }
    for number in range(leads):
        day = date(2026, 1, 5) + timedelta(days=number % 60)
        manager = rng.choice(["Anna", "Boris", "Vera"])
        tables["leads"].append(
            [f"L{number}", str(day), manager, rng.choice(["web", "fair"]), str(rng.randint(100, 999))]
        )
        tables["entries"].append([f"L{number}", "lead", str(day), manager, ""])
        won = rng.random() < 0.7
        after = ("met", "") if won else ("lost", "price")
        tables["entries"].append([f"L{number}", after[0], str(day + timedelta(days=3)), manager, after[1]])
    return tables


def later(tables: dict[str, list[list[str]]], day: date, rng: random.Random) -> dict[str, list[list[str]]]:
    """The export with rows that arrive after a day: new leads, and further moves, returns and refusals of any lead."""
    grown = copy.deepcopy(tables)
    for number in range(rng.randrange(1, 40)):
        then = str(day + timedelta(days=rng.randrange(1, 60)))
        if rng.random() < 0.3:
            manager = rng.choice(["Anna", "Boris", "Vera", "Gleb"])
            grown["leads"].append([f"N{number}", then, manager, rng.choice(["web", "post"]), str(rng.randint(1, 9999))])
            grown["entries"].append([f"N{number}", "lead", then, manager, ""])
        else:
            stage = rng.choice(["lead", "met", "paid", "lost"])
            reason = "too late" if stage == "lost" else ""
            lead, _created, owner, *_more = rng.choice(tables["leads"][1:])
            grown["entries"].append([lead, stage, then, owner, reason])
    return grown


def known_on(tables: dict[str, list[list[str]]], day: date) -> dict[str, list[list[str]]]:
    """The rows of an export that were there at the end of a day."""
    columns = {"leads": 1, "entries": 2}
    return {
        name: [rows[0], *(row for row in rows[1:] if row[columns[name]] <= str(day))] for name, rows in tables.items()
    }


def text_of(rows: list[list[str]], delimiter: str = ",", **how: object) -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator="\n", **how).writerows(rows)  # type: ignore[arg-type]
    return written.getvalue()


BENIGN = {
    "marked": lambda rows: text_of(rows).encode("utf-8-sig"),
    "UTF-16": lambda rows: text_of(rows).encode("utf-16"),
    "semicolons": lambda rows: text_of(rows, ";").encode(),
    "tabs": lambda rows: text_of(rows, "\t").encode(),
    "quoted": lambda rows: text_of(rows, quoting=csv.QUOTE_ALL).encode(),
    "Windows": lambda rows: text_of(rows).replace("\n", "\r\n").encode(),
    "blank lines": lambda rows: text_of(rows).replace("\n", "\n\n").encode(),
    "without an end": lambda rows: text_of(rows).rstrip("\n").encode(),
}
"""Ways to write the same table."""


def cells(tables: dict[str, list[list[str]]], rng: random.Random) -> dict[str, list[list[str]]]:
    """The export with some cells, rows and headers changed, up to a third of the rows of a table."""
    bent = copy.deepcopy(tables)
    for _ in range(rng.choice([1, 1, 2, 3])):
        rows = bent[rng.choice(list(bent))]
        if not rows:
            continue
        width = len(rows[0])
        some = (
            rng.sample(range(1, len(rows)), max(1, int(rng.choice([0.01, 0.04, 0.3]) * len(rows))))
            if len(rows) > 1
            else []
        )
        column, values = rng.randrange(width), rng.choice([HOSTILE, DATES, NUMBERS, IDS])
        kind = rng.randrange(9)
        for row in some:
            if kind < 4 and column < len(rows[row]):
                rows[row][column] = rng.choice(values)
            elif kind == 4:
                rows[row] = rows[row][: rng.randrange(width)]
            elif kind == 5:
                rows[row] = [*rows[row], "more"]
            elif kind == 6:
                rows.append(list(rows[row]))
        if kind == 7:
            rows[0][column] = rng.choice(["", "id", rows[0][column].upper(), "renamed", *HOSTILE[:3]])
        if kind == 8 and rng.random() < 0.3:
            del rows[rng.randrange(2) :]
    return bent


JUNK = [
    0,
    -1,
    3.5,
    float("nan"),
    10**30,
    "",
    "x",
    "\u202e",
    True,
    [],
    [[]],
    [1],
    ["a", "a"],
    {},
    {"a": 1},
    {"": ""},
    [{}],
    date(1, 1, 1),
    time(0),
]


def statement(stated: dict, rng: random.Random) -> dict:
    """The statement with one to four of its values replaced, removed or added."""
    bent = copy.deepcopy(stated)
    for _ in range(rng.choice([1, 1, 2, 4])):
        holder, key = rng.choice(list(_places(bent)))
        if rng.random() < 0.7:
            holder[key] = rng.choice(JUNK)
        elif isinstance(holder, dict) and rng.random() < 0.5:
            holder[rng.choice(["x", "", "name", "files", "stage"])] = rng.choice(JUNK)
        else:
            del holder[key]
    return bent


def _places(value: object):
    for key, held in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(held)
