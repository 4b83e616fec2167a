"""Closing lines: what a report writes below its rows, or between its groups, and is no row of the table."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from funnelstats.importing.cells import ROW, EngineRows, matches
from funnelstats.importing.facts import reason
from funnelstats.importing.sql import Into, cases, columns_of, quoted, text

CHUNK = 5_000
MOST_LINES = 10
"""So many lines may close a table; of more the rows themselves are bad."""

WORD = (
    r"(?:(?:sub-?|grand )?totals?|grand total|total g[eé]n[eé]ral|sub-?totales?|(?:sub-?)?sums?|counts?|averages?"
    r"|итог[ио]?|общий итог|промежуточный итог|всего|сумма|количество|(?:zwischen|gesamt)?summe|gesamt(?:ergebnis)?"
    r"|teilergebnis|ergebnis|insgesamt|sumas?|sommes?|sous-tot(?:al|aux)|totaux)"
)
TOTAL = re.compile(rf"(?i)^{WORD}(?:[\s:.()\d,]*| of [\d,.]+ \w+)$")
"""A cell that says of its row that it adds others up."""
OF_A_GROUP = re.compile(rf"(?i)^{WORD}\b|\b{WORD}[\s:.]*$")
"""One that says so of a group: Anna Total."""
LETTERS = r"0-9A-Za-z\x{c0}-\x{1fff}\x{3040}-\x{10ffff}"
"""Letters and digits, in ranges: the engine builds \\pL anew in every query, which took a fifth of a small export."""
MAY_LACK = rf"^[^{LETTERS}]*(?i:{WORD}|$)|[^{LETTERS}](?i:{WORD})[^{LETTERS}]*$"
"""In the engine, a cell without a letter or digit, or that may begin or end with the word of a total."""
INITIALS = frozenset("TtGgSsCcAaИиОоПпВвСсКкZzEeIi")
"""The letters that such words begin with."""


class Needs(NamedTuple):
    """The headers of what each row of a table needs, and what rows are left out as declared, by header."""

    headers: tuple[str, ...]
    without: dict[str, tuple[str, ...]]


def without_closing_lines(
    rows: Iterable[list[Any]], header: Sequence[str], needs: Needs | None, broken: list[tuple[int, str, str]]
) -> Iterator[list[Any]]:
    """The rows, each beginning with its number, but for lines that close the table or a group, which go to ``broken``.

    A line that calls itself a total and lacks what its row needs, or is the header again, anywhere; and the last few
    lines, where they hold next to nothing and look unlike rows. Lines that are left out as declared stay.
    """
    places = [header.index(name) + 1 for name in needs.headers if name in header] if needs else []
    if not needs or not places or len(header) < 2:
        yield from rows
        return
    declared = [(header.index(name) + 1, texts) for name, texts in needs.without.items() if name in header]
    few = _few(len(header))
    held: list[list[Any]] = []
    last: list[Any] | None = None
    too_many = False
    for chunk, whole in _in_chunks(rows, places, header[places[0] - 1]):
        if whole:
            yield from held
            held.clear()
            last, too_many = chunk[-1], False
            yield from chunk
            continue
        for row in chunk:
            plain = _is_plain(row, header, places)
            stays = plain or any(row[place].strip() in texts for place, texts in declared)
            if not stays and (_adds_up(row, places, last) or _is_header(row, header, places)):
                broken.append(_closing(row))
                continue
            # Beneath rows that hold no more themselves, such a line is one of them.
            closes = last and not too_many and not _is_sparse(last, places, few)
            if not stays and closes and _is_sparse(row, places, few):
                held.append(row)
                if len(held) > MOST_LINES:
                    yield from held
                    held.clear()
                    too_many = True
                continue
            yield from held
            held.clear()
            # Lines that go on as others did before are as bad as they.
            last, too_many = row, too_many and not plain
            yield row
    first = _first_that_closes(held, last, places) if last else len(held)
    yield from held[:first]
    broken.extend(map(_closing, held[first:]))


def _in_chunks(rows: Iterable[list[Any]], places: Sequence[int], name: str) -> Iterator[tuple[list[list[Any]], bool]]:
    """The rows in chunks, and of each whether all its rows hold what they need and none may be a total, a header, whose
    first name is given, or the last."""
    rows = iter(rows)
    chunk = list(islice(rows, CHUNK))
    while chunk:
        following = list(islice(rows, CHUNK))
        first = {row[places[0]] for row in chunk}
        words = name in first or any(text[:1] in INITIALS or " " in text for text in first)
        yield chunk, bool(following) and not words and not any("" in [row[place] for row in chunk] for place in places)
        chunk = following


def is_closing(fields: Sequence[str], header: Sequence[str], needs: Needs) -> bool:
    """Whether the last row of a table may be a line below it; if it is none, the table has none there."""
    places = [header.index(name) + 1 for name in needs.headers if name in header]
    row = [0, *fields]
    return bool(places) and not _is_plain(row, header, places) and _is_sparse(row, places, _few(len(header)))


def rows_as_they_are(
    into: Into,
    rows: str,
    header: Sequence[str],
    wanted: Sequence[str],
    needs: Needs | None,
    first_row: int | None = None,
) -> EngineRows | None:
    """The rows of a query with the columns c0, c1, ..., put into a table of the engine; None where one may be none.

    They have their numbers, or are numbered from ``first_row`` on. The last row is not looked at: it may hold all that
    it needs and be a closing line (``is_closing``).
    """
    con, table = into
    cells = [f"c{place}" for place in range(len(header))]
    places = [header.index(name) for name in needs.headers if name in header] if needs else []
    lacks = " OR ".join(f"coalesce({matches(cells[place], MAY_LACK)}, TRUE)" for place in places)
    odd = [(f"concat({', '.join(cells)}) = ''", "TRUE")]
    odd += [(lacks, matches(f"concat_ws(' ', {', '.join(cells)})", f"(?i){WORD}"))] if lacks else []
    odd += [(f"{cells[places[0]]} = {text(header[places[0]])}", "TRUE")] if places else []
    chosen = {each: f"coalesce({cells[header.index(each)]}, '')" for each in wanted}
    chosen |= {"_odd": cases(odd, "FALSE")} | ({ROW: ROW} if first_row is None else {})
    con.execute(f"CREATE TABLE {table} AS SELECT {columns_of(chosen)} FROM {rows}")
    ((count, is_odd),) = con.execute(f"SELECT count(*), bool_or(_odd) FROM {table}").fetchall()
    if is_odd:
        con.execute(f"DROP TABLE {table}")
        return None
    number = ROW if first_row is None else f"rowid + {first_row} AS {ROW}"
    return EngineRows(f"SELECT {', '.join([number, *map(quoted, wanted)])} FROM {table}", count)


def _is_plain(row: list[Any], header: Sequence[str], places: Sequence[int]) -> bool:
    """Whether a row holds all that it needs, and is neither next to blank nor begins as a total does."""
    return (
        row[places[0]][:1] not in INITIALS
        and " " not in row[places[0]]
        and row[places[0]] != header[places[0] - 1]
        and row.count("") < len(header) - _few(len(header))
        and "" not in [row[place] for place in places]
    )


def _few(columns: int) -> int:
    """So few filled cells are next to nothing in a table of so many columns."""
    return 2 if columns >= 4 else 1


def _closing(row: list[Any]) -> tuple[int, str, str]:
    return row[0], ", ".join(filter(None, row[1:])), reason("closing")


def _is_header(row: list[Any], header: Sequence[str], places: Sequence[int]) -> bool:
    """Whether a row is the header again, above another group or where files were put together."""
    return all(row[place].strip() == header[place - 1] for place in places)


def _adds_up(row: list[Any], places: Sequence[int], last: list[Any] | None) -> bool:
    cells = [cell.strip() for cell in row[1:]]
    key = row[places[0]].strip()
    lacks = [not row[place].strip() or TOTAL.match(row[place].strip()) for place in places]
    of_a_group = last and _is_unlike(key, last[places[0]].strip()) and "" in cells
    if not any(lacks) and not of_a_group:
        return False
    first = next(filter(None, cells), "")
    return bool(OF_A_GROUP.search(first) or TOTAL.match(key) or (of_a_group and OF_A_GROUP.search(key)))


def _is_unlike(text: str, usual: str) -> bool:
    """Whether an id is of several words or without digits, where the one before is not."""
    return (" " in text and " " not in usual) or bool(text and not re.search(r"\d", text) and re.search(r"\d", usual))


def _is_sparse(row: list[Any], places: Sequence[int], few: int) -> bool:
    """Whether a row holds so little that it may be a line below the table."""
    cells = [cell.strip() for cell in row[1:] if cell.strip()]
    filled = sum(1 for place in places if row[place].strip())
    return len(cells) <= few or cells[0].endswith(":") or (filled <= 1 and len(places) >= 3 and len(cells) <= 3)


def _first_that_closes(held: list[list[Any]], last: list[Any], places: Sequence[int]) -> int:
    """Which of the last lines is the first that is no row, by a blank line above it or by its look."""
    key, before = places[0], last[0]
    for place, row in enumerate(held):
        text, usual = row[key].strip(), last[key].strip()
        first = next((cell.strip() for cell in row[1:] if cell.strip()), "")
        words = not any(row[place].strip() for place in places) and bool(re.search(r"[^\W\d_]{3}", first))
        if row[0] > before + 1 or first.endswith(":") or _is_unlike(text, usual) or words:
            return place
        before = row[0]
    return len(held)
