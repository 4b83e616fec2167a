"""From a CRM's export to canonical tables: ``prepare`` reads, maps, checks and sets bad rows aside.

Runs on DuckDB. For each table: rows in = rows kept + rows ignored as declared + rows set
aside, asserted before anything is written. The mistakes of all tables are told at once.
"""

import hashlib
import json
import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from funnelstats.config.errors import FunnelError, gathered, suggestion
from funnelstats.config.folders import own_folder, processed_folder, project_root, remove_leftovers
from funnelstats.config.funnel import Funnel, read_funnel
from funnelstats.config.pseudonyms import project_key, pseudonym, stated_name
from funnelstats.config.schema import TABLES
from funnelstats.importing.canonical import SET_ASIDE, Canonical, canonical_table
from funnelstats.importing.cell_facts import doubtful_units
from funnelstats.importing.cells import PLACE
from funnelstats.importing.facts import FURTHER_ROWS
from funnelstats.importing.kept import offer, write_kept
from funnelstats.importing.source_rows import Files
from funnelstats.importing.sql import Columns, Connection, columns_in, engine, quoted, text
from funnelstats.importing.table_facts import odd_facts


def prepare(name: str) -> bool:
    """Whether ``data/processed/<name>`` was made anew; False where nothing had changed.

    Writes canonical Parquet tables, ``set_aside.parquet`` (table, file, row, column, value, reason, cost, code) and
    ``quality.json``, all together or not at all. Raises FunnelError naming file, row, column and value.
    """
    funnel = read_funnel(name)
    code = [path for room in ("config", "importing") for path in sorted(Path(__file__).parents[1].glob(f"{room}/*.py"))]
    made_from = {"fingerprint": input_fingerprint(funnel), "code": _digest("", code)}
    folder = processed_folder(name)
    # Also of a preparation that was killed when the new tables stood in their place.
    remove_leftovers(folder.parent, f".{folder.name}.")
    before = _made_from(name)
    if made_from["fingerprint"] and made_from == before:
        return False
    files = source_files(funnel)
    folder.parent.mkdir(parents=True, exist_ok=True)
    stated = funnel if name == stated_name(name) else read_funnel(stated_name(name))
    try:
        with own_folder(folder.parent, f".{folder.name}.") as room, engine(room / "spilled") as con:
            if made_from["code"] == before.get("code"):
                offer(con, folder)
            report, aside = canonical_tables(con, stated, files, shown=funnel)
            _publish(con, room, folder, aside, {**made_from, **report}, keep=stated is funnel)
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise OSError(f"data/processed/{name} cannot be made: {str(error).splitlines()[0]}") from error
    return True


def canonical_tables(
    con: Connection, funnel: Funnel, files: Files, shown: Funnel | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Make all tables in the engine; their accounts and what is odd, and the rows and cells set aside.

    ``shown`` is the funnel as pages show it: where that is anonymous, pseudonyms stand in the tables, and what is set
    aside or odd quotes no cell.
    """
    read: dict[str, Canonical] = {}

    def read_table(table: str) -> None:
        read[table] = canonical_table(con, funnel, table, files, read)

    gathered([table for table in TABLES if getattr(funnel, table)], read_table)
    empty = pd.DataFrame(columns=SET_ASIDE, dtype="str").astype({"row": "int64"})
    aside = pd.concat([empty, *(found.set_aside for found in read.values())], ignore_index=True)
    for table, found in read.items():
        account = found.account
        account["rows_set_aside"] = int((found.set_aside["cost"] == "row").sum())
        parts = account["rows_kept"] + account["rows_ignored"] + account["rows_set_aside"]
        assert account["rows_in"] == parts, f"{table}: {account['rows_in']} rows in, {parts} accounted for"
    odd = [fact for found in read.values() for fact in found.odd]
    tables = {table: columns_in(con, table) for table in read if table != "rates"}
    if shown and shown.name != funnel.name:
        _hide_names(con, tables, shown)
        aside, odd, funnel = aside.assign(value=""), [fact._replace(mend="") for fact in odd], shown
        for found in read.values():
            # what is left out as declared is told by header and value
            headers = Counter[str]()
            for why, count in found.account["ignored"].items():
                headers[why.partition(" = ")[0]] += count
            found.account["ignored"] = dict(headers)
    funnel = funnel.read_from_a_log(FURTHER_ROWS in read["leads"].account["ignored"])
    facts = odd_facts(con, tables, funnel, [*odd, *doubtful_units(con, tables, funnel)])
    return {"tables": {table: found.account for table, found in read.items()}, "facts": facts}, aside


def _hide_names(con: Connection, tables: Columns, funnel: Funnel) -> None:
    """Put pseudonyms in place of the people, companies and ids of leads of all tables."""
    key = project_key(project_root())
    kinds = {funnel.lead_base.company: "Company", "manager": "Manager", "lead_id": "Lead"}
    for table, columns in tables.items():
        for column, kind in kinds.items():
            if columns.get(column) != "VARCHAR":
                continue
            names = con.execute(f"SELECT DISTINCT {quoted(column)} FROM {table}").fetchnumpy()[column]
            known = pd.DataFrame({"_name": pd.Series(names, dtype="str").dropna()})
            known["_shown"] = [pseudonym(kind, name, key) for name in known["_name"]]
            assert known["_shown"].is_unique, f"two names of {table}.{column} have one pseudonym"
            con.register("known", known)
            con.execute(f"UPDATE {table} SET {quoted(column)} = _shown FROM known WHERE {quoted(column)} = _name")
            con.unregister("known")


def rows_in_order(table: str) -> str:
    """The query of a canonical table's rows, as they stood in its sources."""
    return f"SELECT * EXCLUDE ({PLACE}) FROM {table} ORDER BY {PLACE}"


def _publish(
    con: Connection, room: Path, folder: Path, aside: pd.DataFrame, report: dict[str, Any], *, keep: bool
) -> None:
    """Everything in a hidden folder first, which then takes the place of the old one."""
    part, before = room / "new", room / "before"
    part.mkdir(mode=0o700)
    for table in report["tables"]:
        con.execute(f"COPY ({rows_in_order(table)}) TO {text(str(part / f'{table}.parquet'))} (FORMAT parquet)")
    if keep:
        write_kept(con, part)
    aside.to_parquet(part / "set_aside.parquet", index=False)
    (part / "quality.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    try:
        if folder.exists():
            os.replace(folder, before)
        os.replace(part, folder)
    finally:
        if before.exists() and not folder.exists():
            os.replace(before, folder)


def source_files(funnel: Funnel) -> dict[str, list[Path]]:
    """The files behind every stated name or pattern; all that are missing are told at once."""
    folder = funnel.folder
    patterns = [
        pattern
        for table in TABLES
        for source in getattr(funnel, table)
        for pattern in (*source.files, *(name for join in source.join for name in join.files))
    ]
    found = {pattern: _matching(folder, pattern) for pattern in patterns}
    there = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != "funnel.toml")
    absent = [
        f'data/raw/{funnel.name}: "{pattern}" is no file that can be read, but a folder or a link to nothing'
        if os.path.lexists(folder / pattern)
        else f'data/raw/{funnel.name}: no file "{pattern}"; {suggestion(pattern, there)}'
        for pattern, paths in found.items()
        if not paths
    ]
    if absent:
        raise FunnelError("\n".join(absent))
    return found


def _matching(folder: Path, pattern: str) -> list[Path]:
    # Archives made on a Mac hold names with letters and accents apart.
    patterns = {pattern, unicodedata.normalize("NFC", pattern), unicodedata.normalize("NFD", pattern)}
    # What is the name of a file is no pattern: "deals [1].csv".
    named = [path for path in folder.iterdir() if path.name in patterns]
    try:
        matching = named or [path for name in patterns for path in folder.glob(name)]
        elsewhere = ".." in Path(pattern).parts
    except (NotImplementedError, ValueError, IndexError):
        elsewhere = True
    if elsewhere:
        raise FunnelError(f'data/raw/{folder.name}: files must lie in this folder, got "{pattern}"')
    return sorted({path for path in matching if path.is_file()})


def input_fingerprint(funnel: Funnel) -> str:
    """A digest of the statement and the files a preparation reads; empty for a database, which may change."""
    files = sorted({path for paths in source_files(funnel).values() for path in paths})
    if any(source.database for table in TABLES for source in getattr(funnel, table)):
        return ""
    return _digest(funnel.model_dump_json(), files)


def prepared_fingerprint(name: str) -> str | None:
    """The digest that ``data/processed/<name>`` was made from; None where it was not made yet."""
    return _made_from(name).get("fingerprint")


def _made_from(name: str) -> dict[str, str]:
    folder = processed_folder(name)
    try:
        report = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
        for table in ("set_aside", *report["tables"]):
            with (folder / f"{table}.parquet").open("rb") as file:
                pq.read_metadata(file)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        # Nothing there yet, or what a machine that lost its power left of it.
        return {}
    return {key: report.get(key, "") for key in ("fingerprint", "code")}


def _digest(statement: str, files: list[Path]) -> str:
    digest = hashlib.blake2b(statement.encode(), digest_size=16)
    for path in files:
        digest.update(os.fsencode(path.name))
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
