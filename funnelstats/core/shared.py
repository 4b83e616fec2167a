"""What several pages of one run need is made by the first of them and read by the others.

The runner names folders in the environment and removes them afterwards. Without them, as in JupyterLab, every page
makes all for itself. They are private to the run, so what is pickled there is our own.
"""

import math
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import ibis.expr.types as ir
from ibis.util import gen_name

from funnelstats.config.folders import RUN_FOLDER, locked
from funnelstats.config.funnel import Funnel
from funnelstats.core.journeys import journeys, journeys_of_part, stages_of_nobody

Frames = TypeVar("Frames", bound=tuple[Any, ...])


def made_once(name: str, make: Callable[[], Frames], engine: Any, *, where: str = RUN_FOLDER) -> Frames:
    """The NamedTuple of frames and lazy tables that ``make`` returns, made once for all pages that share a folder.

    ``name`` is a file name that says all it depends on within the run, ``where`` the variable that names the folder.
    Whoever asks while it is being made waits. Lazy tables are kept as Parquet files, which ``engine``, an ibis
    backend, reads.
    """
    folder = os.environ.get(where)
    if not folder:
        return make()
    path = Path(folder, f"{name}.pickle")
    lock = path.with_suffix(".lock")
    lock.touch()
    with locked(lock, told=False):
        if not path.exists():
            _write(make(), path)
    made = pickle.loads(path.read_bytes())
    files = {field: file for field, file in made._asdict().items() if isinstance(file, Path)}
    frames: Frames = made._replace(**{field: engine.read_parquet(file) for field, file in files.items()})
    return frames


ENTRIES_AT_ONCE = 2_000_000
"""Stage entries whose journeys DuckDB makes without the disk where it may hold 2 GB."""


def kept_journeys(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """The ``journeys``, made now and kept by the engine for the counts that follow.

    DuckDB makes those of many entries a part of the leads at a time: memory stays bounded, and time grows as they do.

    >>> paths = fs.kept_journeys(tables.entries, spec)
    """
    engine = entries.get_backend()
    parts = math.ceil(entries.count().execute() / ENTRIES_AT_ONCE) if engine.name == "duckdb" else 1
    if parts < 2:
        return journeys(entries, funnel).cache()
    nobodys = stages_of_nobody(entries, funnel).cache()
    name = gen_name("journeys")
    with tempfile.TemporaryDirectory(dir=os.environ.get(RUN_FOLDER)) as folder:
        entries.mutate(_part=(entries.lead_id.hash() % parts).abs()).to_parquet(folder, partition_by="_part")
        for number, part in enumerate(Path(folder).iterdir()):
            rows = engine.read_parquet(part / "*.parquet", hive_partitioning=False)
            made = journeys_of_part(rows, funnel, nobodys)
            if number:
                engine.insert(name, made)
            else:
                engine.create_table(name, made, temp=True)
    return engine.table(name)


def _write(made: Any, path: Path) -> None:
    files = {}
    for field, table in made._asdict().items():
        if isinstance(table, ir.Table):
            files[field] = path.with_suffix(f".{field}.parquet")
            table.to_parquet(files[field])
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(made._replace(**files)))
    os.replace(part, path)
