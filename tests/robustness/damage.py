"""Seeded damage: to the bytes of a file, to the cells of an export, to a statement."""

import copy
import csv
import gzip
import io
import json
import os
import random
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import pandas as pd

SEEDS = int(os.environ.get("FUZZ", "1"))
"""How many times the quick part: ``make fuzz`` takes a hundred."""

# fmt: off
HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</table></body>", "=1+1", "@SUM(A1)",
    "+cmd|' /C calc'!A0", "{{ 7 * 7 }}", "{% raw %}", "${x}", "%s %(x)s {0}", "$\\frac{1}{0}$",
    "'; drop table leads; --", "\x1b[31mred", "\u202egnp.exe", "\x00", "a\nb", "a\rb", "../../etc/passwd", "x" * 3000,
    "NaN", "null", "True", "(missing)", "others", "lead", "lost", "manager", "Anna", "анна", "А\u0301нна", "I\u0307",
    "\ufeffAnna", "\u200bAnna", "𝒜𝓃𝓃𝒶", "ANNA", "Аnna", "", " ", "\t", "\u2028", ";", '"', "ignore", "王秀英 محمد",
    "#REF!", "\ud7ff", "\U0010ffff", "con", ".", "..", "a/b",
]
DATES = [
    "0001-01-01", "1000-01-01", "1969-12-31", "9999-12-31", "10000-01-01", "2026-02-30", "2026-1-5", "31.12.2026",
    "12/31/2026", "1/2/26", "20260105", "5 Jan 2026", "2026-W02", "2026-01-05T24:00:00", "2026-01-05 25:61",
    "2026-01-05 12:00 PM", "2026-03-29 02:30", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00",
    "2026-01-05T10:00:00-23:59", "2026-01-05T10:00:00.123456789Z", "46000", "46027.63", "1767225600", "1767225600000",
    "-1", "1e9", "soon", "now", "infinity", "epoch", "2026-01-05 Europe/Berlin",
]
NUMBERS = [
    "1e400", "-5", "-0", "1.234,50-", "12.5K", "9" * 400, "0x1F", "1 000", "1,000.50", "€ 5", "NaN", "inf", "-inf",
    "5,5", "٣", "1e308", "-1e308", "1e-320", "0", "1_000", "½", "5 %", "(5)", "--5", "9" * 15, "0.1", "1:30", "PT5M",
]
IDS = [
    "1.0", "1", "0001", "1E+15", "L1 ", "l1", "Ｌ１", "L1.0", "'L1", "4611686018427387047", "1e400", "", "L" * 5000,
    "_row",
]
CHANGES: list[Callable[[str], str]] = [
    str.upper, str.swapcase, "{}.0".format, "0{}".format, "\u00a0{} ".format, "'{}".format, '"{}'.format,
    '="{}"'.format, "-{}".format, "{}\u0301".format, "{0}{0}".format, "{0};{0}".format, "{} 02:30".format,
    "{}T23:59:59+14:00".format, "{}T00:00:00Z".format, lambda text: text[::-1], lambda text: text[:-1],
    lambda text: text.replace("a", "а"), lambda text: text.replace("2026", "2062"),
    lambda text: text.replace("2026", "1026"), lambda text: text.replace("2026", "2025"),
    lambda text: text.replace("-", "."), lambda text: "/".join(reversed(text.split("-"))),
    lambda text: unicodedata.normalize("NFD", text), lambda text: text + "0" * 12,
]
# fmt: on
"""What a cell may hold instead, and what may be made of what it holds: of an id, a date, a name, a number."""


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


Rows = list[list[str]]
DATED = {"leads": 1, "entries": 2, "contacts": 1, "payments": 1, "costs": 0}
"""The tables of an export, and which of their columns is the day from which on a row is known."""


def export(leads: int = 120) -> dict[str, Rows]:
    """Rows of all tables, header first, as a CRM would have them."""
    rng = random.Random(1)
    tables: dict[str, Rows] = {
        "leads": [["id", "created", "manager", "channel", "amount"]],
        "entries": [["id", "stage", "at", "manager", "reason"]],
        "contacts": [["id", "when", "kind", "manager", "seconds", "reached"]],
        "payments": [["id", "paid", "sum"]],
        "costs": [["day", "channel", "spent"]],
    }
    for number in range(leads):
        day = date(2026, 1, 5) + timedelta(days=number % 60)
        manager, channel = rng.choice(["Anna", "Boris", "Vera"]), rng.choice(["web", "fair"])
        lead, amount, then = f"L{number}", str(rng.randint(100, 999)), str(day + timedelta(days=3))
        tables["leads"].append([lead, str(day), manager, channel, amount])
        tables["entries"].append([lead, "lead", str(day), manager, ""])
        won = rng.random() < 0.7
        after = ("met", "") if won else ("lost", "price")
        tables["entries"].append([lead, after[0], then, manager, after[1]])
        if number % 2:
            tables["contacts"].append(
                [lead, f"{day} {9 + number % 9:02}:{number % 60:02}", "call", manager, amount, "yes"]
            )
        if won and number % 3:
            tables["entries"].append([lead, "paid", str(day + timedelta(days=9)), manager, ""])
            tables["payments"].append([lead, str(day + timedelta(days=9)), amount])
        if number % 7 == 0:
            tables["costs"].append([str(day), channel, amount])
    return tables


def later(tables: dict[str, Rows], day: date, rng: random.Random) -> dict[str, Rows]:
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


def known_on(tables: dict[str, Rows], day: date) -> dict[str, Rows]:
    """The rows of an export that were there at the end of a day."""
    return {
        name: [rows[0], *(row for row in rows[1:] if row[DATED[name]][:10] <= str(day))]
        for name, rows in tables.items()
    }


def text_of(rows: Rows, delimiter: str = ",", **how: object) -> str:
    written = io.StringIO()
    # Of a line that ends so it quotes the cells in which either mark stands.
    csv.writer(written, delimiter=delimiter, lineterminator="\r\n", **how).writerows(rows)  # type: ignore[arg-type]
    return written.getvalue().replace("\r\n", "\n")


def zipped(data: bytes, *names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return written.getvalue()


def _frame(rows: Rows) -> pd.DataFrame:
    """The rows, each as wide as the header."""
    width = len(rows[0])
    return pd.DataFrame([[*row, *[""] * width][:width] for row in rows[1:]], columns=rows[0], dtype="str")


def _workbook(rows: Rows) -> bytes:
    written = io.BytesIO()
    _frame(rows).to_excel(
        written, index=False, engine="xlsxwriter", engine_kwargs={"options": {"strings_to_formulas": False}}
    )
    return written.getvalue()


def _parquet(rows: Rows) -> bytes:
    written = io.BytesIO()
    _frame(rows).to_parquet(written)
    return written.getvalue()


def _lines(rows: Rows) -> bytes:
    return "\n".join(json.dumps(dict(zip(rows[0], row, strict=False)), ensure_ascii=False) for row in rows[1:]).encode()


BENIGN: dict[str, Callable[[Rows], bytes]] = {
    "plain": lambda rows: text_of(rows).encode(),
    "marked": lambda rows: text_of(rows).encode("utf-8-sig"),
    "UTF-16": lambda rows: text_of(rows).encode("utf-16"),
    "UTF-32": lambda rows: text_of(rows).encode("utf-32"),
    "semicolons": lambda rows: text_of(rows, ";").encode(),
    "tabs": lambda rows: text_of(rows, "\t").encode(),
    "stated": lambda rows: ("sep=^\n" + text_of(rows, "^")).encode(),
    "quoted": lambda rows: text_of(rows, quoting=csv.QUOTE_ALL).encode(),
    "Windows": lambda rows: text_of(rows).replace("\n", "\r\n").encode(),
    "blank lines": lambda rows: text_of(rows).replace("\n", "\n\n").encode(),
    "without an end": lambda rows: text_of(rows).rstrip("\n").encode(),
    "packed": lambda rows: gzip.compress(text_of(rows).encode()),
    "zipped twice": lambda rows: zipped(zipped(text_of(rows).encode(), "a"), "b.csv"),
    "XLSX": _workbook,
    "Parquet": _parquet,
    "JSON lines": _lines,
}
"""Ways to write the same table."""

ODD: dict[str, Callable[[Rows], bytes]] = {
    "cp1251": lambda rows: text_of(rows).encode("cp1251", "replace"),
    "UTF-16 unmarked": lambda rows: text_of(rows).encode("utf-16-le"),
    "two encodings": lambda rows: text_of(rows[:9]).encode() + text_of(rows[9:]).encode("utf-16"),
    "two delimiters": lambda rows: (text_of(rows[:9]) + text_of(rows[9:], ";")).encode(),
    "another delimiter": lambda rows: text_of(rows, "^").encode(),
    "a mark within": lambda rows: ("\n\ufeff".join([text_of(rows[:9]), text_of(rows[9:])])).encode(),
    "NUL within": lambda rows: ("\0".join([text_of(rows[:9]), text_of(rows[9:])])).encode(),
    "bare quotes": lambda rows: "\n".join(",".join(row) for row in rows).replace("web", 'we"b').encode(),
    "escaped quotes": lambda rows: text_of(rows, doublequote=False, escapechar="\\", quoting=csv.QUOTE_ALL).encode(),
    "an open quote": lambda rows: (text_of(rows[:9]) + '"' + text_of(rows[9:])).encode(),
    "line breaks of old": lambda rows: text_of(rows).replace("\n", "\r").encode(),
    "breaks in cells": lambda rows: text_of([rows[0], *([f"{cell}\n" for cell in row] for row in rows[1:])]).encode(),
    "the header again": lambda rows: text_of([*rows, *rows]).encode(),
    "lines above": lambda rows: ("Report of deals\n\n" + text_of(rows)).encode(),
    "a total": lambda rows: text_of([*rows, ["Total", *[""] * 9, str(len(rows))], ["", "Total"]]).encode(),
    "a giant cell": lambda rows: text_of([*rows, ["y" * 3_000_000, *rows[-1][1:]]]).encode(),
    "many columns": lambda rows: text_of([[*row, *map(str, range(2000))] for row in rows]).encode(),
    "HTML": lambda rows: _frame(rows).to_html().encode() if len(rows) > 1 else b"<html></html>",
    "nothing": lambda _rows: b"",
    "blanks": lambda _rows: b"\xef\xbb\xbf \n\n",
    "a header alone": lambda rows: text_of(rows[:1]).encode(),
    "no header": lambda rows: text_of(rows[1:]).encode(),
    "cut": lambda rows: text_of(rows).encode()[: -len(text_of(rows)) // 3],
    "packed thrice": lambda rows: gzip.compress(gzip.compress(gzip.compress(text_of(rows).encode()))),
    "two in one": lambda rows: zipped(text_of(rows).encode(), "a.csv", "b.csv"),
    "a bomb": lambda _rows: gzip.compress(gzip.compress(b"0" * 10**8)),
    "one JSON object": lambda rows: json.dumps(
        {"rows": [dict(zip(rows[0], row, strict=False)) for row in rows[1:]], "n": [1]}
    ).encode(),
    "deep JSON": lambda _rows: b'[{"id":' + b"[" * 10**5,
}
"""Ways that are no table, not this one, or not all of it."""


def cells(tables: dict[str, Rows], rng: random.Random) -> dict[str, Rows]:
    """The export with some cells, rows and headers changed, up to a third of the rows of a table."""
    bent = copy.deepcopy(tables)
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        rows = bent[rng.choice(list(bent))]
        if len(rows) < 2:
            continue
        width = len(rows[0])
        some = rng.sample(range(1, len(rows)), max(1, int(rng.choice([0.01, 0.04, 0.3]) * len(rows))))
        column, kind = rng.randrange(width), rng.randrange(14)
        for row in some:
            if kind < 6:
                _change(rows[row], column, rng)
            elif kind == 6:
                rows[row] = rows[row][: rng.randrange(width)]
            elif kind == 7:
                rows[row] = [*rows[row], "more"]
            elif kind == 8:
                rows.append(list(rows[row]))
                _change(rows[-1], rng.randrange(width), rng)
            elif kind == 9:
                rows[row] = list(rng.choice(rows))
        if kind == 10:
            rows[0][column] = rng.choice(
                ["", "id", rows[0][column].upper(), f" {rows[0][column]}\u00a0", "renamed", *HOSTILE]
            )
        elif kind == 11:
            for row in rows:
                del row[column : column + 1]
        elif kind == 12:
            for row in rows:
                row.extend(row[column : column + 1])
        elif rng.random() < 0.1:
            del rows[rng.randrange(1, 3) :]
    return bent


def _change(row: list[str], column: int, rng: random.Random) -> None:
    """Change one cell of a row that has it."""
    if column < len(row):
        change = rng.choice(CHANGES)
        row[column] = rng.choice([change(row[column]), rng.choice(rng.choice([HOSTILE, DATES, NUMBERS, IDS]))])


def column(tables: dict[str, Rows], name: str, header: str, rng: random.Random) -> dict[str, Rows]:
    """The export with some cells of one column changed."""
    bent = copy.deepcopy(tables)
    place = bent[name][0].index(header)
    for row in rng.sample(bent[name][1:], rng.choice([1, 5, len(bent[name]) // 2])):
        _change(row, place, rng)
    return bent


def files(tables: dict[str, Rows], rng: random.Random) -> dict[str, bytes]:
    """The tables as files, most of them as they should be, one at times not."""
    how = {name: rng.choice(list(BENIGN.values())) if rng.random() < 0.4 else BENIGN["plain"] for name in tables}
    if rng.random() < 0.25:
        how[rng.choice(list(tables))] = rng.choice(list(ODD.values()))
    found = {}
    for name, rows in tables.items():
        try:
            found[name] = how[name](rows)
        except (ValueError, TypeError, KeyError, UnicodeError):  # no such file can be: a column twice in Parquet
            found[name] = text_of(rows).encode(errors="replace")
    if rng.random() < 0.05:
        spoiled = rng.choice(list(found))
        found[spoiled] = bytes_of(found[spoiled] or b"x", rng)
    return found


# fmt: off
JUNK = [
    0, -1, 1, 2, 7, 500, 10**9, 0.0, 0.5, 3.5, float("nan"), float("inf"), 10**30, "", " ", "x", "x" * 3000, "\u202e",
    "\x00", True, False, [], [[]], [1], ["a", "a"], ["id", "manager"], ["lead", "paid"], ["Anna"], [90, 60],
    [date(2026, 1, 5)], ["x"] * 300, {}, {"a": 1}, {"": ""}, {"a": {"a": {"a": 1}}}, [{}], date(1, 1, 1),
    date(9999, 12, 31), datetime(2026, 1, 1), time(0), time(23, 59), "*", "**", "../leads.csv", "/etc/passwd",
    "leads.csv", "nothing.csv", ".", "[", "id", "lead", "met", "lost", "nurture", "ignore", "_row", "error", "%d.%m.%Y",
    "%Y-%m-%d", "%Q", "%", "epoch_s", "epoch_ms_day", "excel", "cp1251", "utf-16", "base64", "Europe/Berlin", "UTC",
    "localtime", "rub", "EUR", "env:HOME", "env:NOTHING", "duckdb://nothing.db", "https://x/{lead_id}",
    "javascript:{lead_id}", "{", "Anna", "manager", "channel",
]
# fmt: on


def statement(stated: dict, rng: random.Random) -> dict:
    """The statement with one to four of its values replaced, exchanged, removed or added."""
    bent = copy.deepcopy(stated)
    for _ in range(rng.choice([1, 1, 2, 4])):
        holder, key = rng.choice(list(_places(bent)))
        other, at = rng.choice(list(_places(bent)))
        alike = [junk for junk in JUNK if type(junk) is type(holder[key])]
        what = rng.random()
        if what < 0.6:
            holder[key] = copy.deepcopy(rng.choice(alike if alike and what < 0.4 else JUNK))
        elif what < 0.7:
            holder[key] = copy.deepcopy(other[at])
        elif what < 0.8 and isinstance(holder, dict):
            holder[rng.choice(["x", "", "name", "files", "stage", *map(str, other)])] = copy.deepcopy(rng.choice(JUNK))
        else:
            del holder[key]
    return bent


# fmt: off
COMMANDS = [
    ["prepare"], ["weekly"], ["weekly", "--week"], ["weekly", "--from"], ["weekly", "--as-of"], ["weekly", "--only"],
    ["weekly", "--by"], ["weekly", "--fail-on"], ["weekly", "--jobs"], ["monthly", "--month"], ["monthly", "--from"],
    ["quarterly", "--quarter"], ["quarterly", "--to"], ["report"], ["report", "plan"],
    ["report", "leaks", "-p", "step"], ["report", "plan", "-p", "deals"], ["report", "plan", "-p", "by"],
    ["report", "weekly", "-p", "where"], ["report", "manager", "-p", "manager"], ["report", "weekly", "-p"], ["init"],
    ["init", "--name"], ["new"],
]
WORDS = [
    "team", "team", "team", "", "-", "--", "x", "../x", "data", "leads.csv", "a" * 5000, "\x00", "\u202e", "2026-W09",
    "2026-W99", "2026-W09-Sun", "0001-W01", "9999-W53", "2026-02-28", "2026-02-30", "0001-01-01", "9999-12-31",
    "2026-13", "2026-02", "0001-01", "9999-12", "2026-Q1", "2026-Q5", "9999-Q4", "FY2026-04-Q1", "met", "lead", "paid",
    "-1", "0", "10", "1e400", "nan", "9" * 30, "manager=", "manager=Anna", "manager=Ann", "channel", "channel=web",
    "channel=", "amount", "lead_id", "weekly", "plan", "tutorial", "en", "xx", "red", "deals", "as_of", "language",
]
# fmt: on


def arguments(rng: random.Random) -> list[str]:
    """A command and words that it may not understand."""
    words = [*rng.choice(COMMANDS), *rng.choices(WORDS, k=rng.randrange(4))]
    if rng.random() < 0.8:
        words.insert(1 if words[0] != "report" else 2, "team")
    return words


def _places(value: object):
    for key, held in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(held)
