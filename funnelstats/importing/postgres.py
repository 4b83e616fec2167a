"""Rows of a PostgreSQL server, as text, in a transaction that may only read."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from funnelstats.config.errors import FunnelError, visible
from funnelstats.importing.cells import CHUNK, ROW, EngineRows, Read, cell_text, chosen_columns, composed, text_rows
from funnelstats.importing.kept import held, keep
from funnelstats.importing.sql import Into, names, quoted, single, text

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

TEXT_OF = {
    "timestamp": "replace({}::text, ' ', 'T')",
    "timestamptz": "replace(replace({}::text, ' ', 'T'), '+00', 'Z')",
    "date": "{} || 'T00:00:00'",
}
"""What the server makes of a date: ISO text with a "T", of an instant with a "Z"; of all else, its own text."""

NO_ANSWER = "see that the URL names a server that can be reached, a database, a user and the right password"


class Kept(NamedTuple):
    """Where the rows of the last preparation lie, and the columns that say which were written since."""

    path: Path
    watermark: str
    key: tuple[str, ...]


class ServerRows(NamedTuple):
    """What may stand behind FROM, and of each wanted column the SQL of its text."""

    con: psycopg.Connection[Any]
    rows: str
    texts: dict[str, str]

    def fetch(self, into: Into | None, where: str = "TRUE") -> pa.Table | EngineRows:
        with self.con.cursor(name="found") as cursor:
            cursor.itersize = CHUNK
            cursor.execute(f"SELECT {', '.join(self.texts.values())} FROM {self.rows} AS found WHERE {where}")
            numbered = ([number, *map(cell_text, row)] for number, row in enumerate(cursor, start=1))
            return text_rows(numbered, [*self.texts], [*self.texts], into)


def read_postgres(
    url: str, rows: str, name: str, wanted: Sequence[str], into: Into | None, failed: str, kept: Kept | None = None
) -> Read:
    """The wanted columns of what may stand behind FROM: a table in quotes, or a query in brackets.

    ``name`` is that of the rows in messages. They come a chunk at a time, and go ``into`` the engine; those that are
    ``kept`` do not come again. Raises FunnelError: that it ``failed``, and what the server says; where there is no
    connection that is left out, as it may hold the password.
    """
    import psycopg

    # As in ibis: postgres://host/database/schema
    address = re.sub(r"^(\w+://[^/?]*/[^/?]*)/([^/?]+)", r"\1", url)
    schema = re.search(r"^\w+://[^/?]*/[^/?]*/([^/?]+)", url)
    try:
        with psycopg.connect(address) as con:
            con.read_only = True
            # All queries see the rows of one moment.
            con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            con.execute("SET LOCAL TimeZone = 'UTC'")
            con.execute("SET LOCAL DateStyle = 'ISO'")
            if schema:
                con.execute("SELECT set_config('search_path', %s, true)", [schema[1]])
            # Cursors of the server take one statement, whatever a query may hold.
            with con.cursor(name="columns") as cursor:
                cursor.execute(f"SELECT * FROM {rows} AS found")
                stored = cursor.description or []
            header = [composed(column.name) for column in stored]
            texts = {}
            for each in chosen_columns(Path(name), header, wanted):
                column = stored[header.index(each)]
                kind = con.adapters.types.get(column.type_code)
                texts[each] = TEXT_OF.get(kind.name if kind else "", "{}::text").format(quoted(column.name))
            found = ServerRows(con, rows, texts)
            if kept and into:
                mark = quoted(stored[header.index(kept.watermark)].name)
                return Read(_with_kept(found, name, into, kept, mark), [], "database table", header)
            return Read(found.fetch(into), [], "database table", header)
    except psycopg.Error as error:
        said = error.diag.message_primary or f"{type(error).__name__}; {NO_ANSWER}"
    raise FunnelError(f"{failed}: {said}")


def _with_kept(found: ServerRows, name: str, into: Into, kept: Kept, mark: str) -> EngineRows:
    """All rows in the order of their key, of which only those from the last watermark on are fetched.

    Where then not as many are there as the server has, all are fetched: some were removed, or written with an old
    watermark. They stay in a table called like the file to keep, whose comment says what it holds, and up to where.
    """
    engine, fetched = into
    table, keys, server = kept.path.stem, names(kept.key), found.con.info
    with found.con.cursor(name="last") as cursor:
        cursor.execute(f"SELECT count(*), max({mark})::text FROM {found.rows} AS found")
        ((number, until),) = cursor.fetchall()
    holds = json.dumps([server.host, server.port, server.dbname, found.rows, found.texts, kept.watermark, kept.key])
    before, last = json.loads(held(kept.path) or '["", ""]')
    newer = f"{mark} >= {text(last)} OR {mark} IS NULL"
    for where in (newer, "TRUE") if last and before == holds else ("TRUE",):
        found.fetch(into, where)
        rows = f"FROM {fetched}"
        if where == newer:
            rows += f" UNION ALL BY NAME FROM {text(str(kept.path))} ANTI JOIN {fetched} USING ({keys})"
        numbered = f"SELECT row_number() OVER (ORDER BY {keys}) AS {ROW}, * EXCLUDE ({ROW}) FROM ({rows})"
        engine.execute(f"CREATE OR REPLACE TABLE {table} AS {numbered}")
        if single(engine, f"SELECT count(*) FROM {table}") == number:
            break
        engine.execute(f"DROP TABLE {fetched}")
    several = f"SELECT {keys}, count(*) AS rows FROM {table} GROUP BY ALL HAVING rows > 1 ORDER BY ALL LIMIT 1"
    for *values, rows in engine.execute(several).fetchall():
        same = ", ".join(f'{column} "{visible(value)}"' for column, value in zip(kept.key, values, strict=True))
        raise FunnelError(f"{name}: {rows} rows have the {same}; state as key the columns that name one row")
    keep(engine, table, json.dumps([holds, until or ""]))
    return EngineRows(f"FROM {table}", number)
