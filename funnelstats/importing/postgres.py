"""Rows of a PostgreSQL server, as text, in a transaction that may only read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from funnelstats.config.errors import FunnelError
from funnelstats.importing.cells import CHUNK, Read, cell_text, chosen_columns, composed, text_rows
from funnelstats.importing.sql import Into, quoted

TEXT_OF = {
    "timestamp": "replace({}::text, ' ', 'T')",
    "timestamptz": "replace(replace({}::text, ' ', 'T'), '+00', 'Z')",
    "date": "{} || 'T00:00:00'",
}
"""What the server makes of a date: ISO text with a "T", of an instant with a "Z"; of all else, its own text."""

NO_ANSWER = "see that the URL names a server that can be reached, a database, a user and the right password"


def read_postgres(url: str, rows: str, name: str, wanted: Sequence[str], into: Into | None, failed: str) -> Read:
    """The wanted columns of what may stand behind FROM: a table in quotes, or a query in brackets.

    ``name`` is that of the rows in messages. They come a chunk at a time, and go ``into`` the engine. Raises
    FunnelError: that it ``failed``, and what the server says; where there is no connection that is left out, as it
    may hold the password.
    """
    import psycopg

    # As in ibis: postgres://host/database/schema
    address = re.sub(r"^(\w+://[^/?]*/[^/?]*)/([^/?]+)", r"\1", url)
    schema = re.search(r"^\w+://[^/?]*/[^/?]*/([^/?]+)", url)
    try:
        with psycopg.connect(address) as con:
            con.read_only = True
            con.execute("SET LOCAL TimeZone = 'UTC'")
            con.execute("SET LOCAL DateStyle = 'ISO'")
            if schema:
                con.execute("SELECT set_config('search_path', %s, true)", [schema[1]])
            # Cursors of the server take one statement, whatever a query may hold.
            with con.cursor(name="columns") as cursor:
                cursor.execute(f"SELECT * FROM {rows} AS found")
                stored = cursor.description or []
            header = [composed(column.name) for column in stored]
            chosen = chosen_columns(Path(name), header, wanted)
            texts = []
            for column in (stored[header.index(each)] for each in chosen):
                kind = con.adapters.types.get(column.type_code)
                texts.append(TEXT_OF.get(kind.name if kind else "", "{}::text").format(quoted(column.name)))
            with con.cursor(name="found") as cursor:
                cursor.itersize = CHUNK
                cursor.execute(f"SELECT {', '.join(texts)} FROM {rows} AS found")
                numbered = ([number, *map(cell_text, row)] for number, row in enumerate(cursor, start=1))
                columns, in_engine = text_rows(numbered, chosen, chosen, into)
            return Read(columns, [], "database table", header, in_engine)
    except psycopg.Error as error:
        said = error.diag.message_primary or f"{type(error).__name__}; {NO_ANSWER}"
    raise FunnelError(f"{failed}: {said}")
