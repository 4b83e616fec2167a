"""What a preparation read that the next one need not read again: it lies beside the tables in ``data/processed``."""

from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from funnelstats.importing.sql import Connection, text

SHEET = "kept_sheet_"
"""How the tables are called that hold a workbook's sheet, before a digest of its content."""


def keep(con: Connection, table: str, what: str) -> None:
    """Mark a table of the engine as one to keep; ``what`` tells whoever finds it what it holds."""
    con.execute(f"COMMENT ON TABLE {table} IS {text(what)}")


def write_kept(con: Connection, folder: Path) -> None:
    for table, what in con.execute("SELECT table_name, comment FROM duckdb_tables() WHERE comment != ''").fetchall():
        target = text(str(folder / f"{table}.parquet"))
        con.execute(f"COPY {table} TO {target} (FORMAT parquet, KV_METADATA {{kept: {text(what)}}})")


def offer(con: Connection, folder: Path) -> None:
    """Tell the engine where the tables lie that the preparation before kept."""
    con.execute(f"SET VARIABLE kept = {text(str(folder))}")


def found_again(con: Connection, table: str) -> str:
    """What a table holds that was read before, now or by the preparation before; empty where it was not."""
    marked = con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = ?", [table]).fetchall()
    if marked:
        return str(marked[0][0])
    ((folder,),) = con.execute("SELECT getvariable('kept')").fetchall()
    path = Path(folder or "", f"{table}.parquet")
    what = held(path) if folder else ""
    if not what:
        return ""
    try:
        con.execute(f"CREATE TABLE {table} AS FROM {text(str(path))}")
    except duckdb.Error:  # the file is not whole
        return ""
    keep(con, table, what)
    return what


def held(path: Path) -> str:
    """What a file holds that was kept; empty where there is none, or none that is whole."""
    with suppress(OSError, UnicodeDecodeError, pa.ArrowInvalid):
        return str((pq.read_metadata(path).metadata or {}).get(b"kept", b"").decode())
    return ""
