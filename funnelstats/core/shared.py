"""What several pages of one run make alike is made once: frames and tables kept in a folder of the run.

The runner names the folder in FUNNELSTATS_SHARED and removes it afterwards. Without it, as in JupyterLab, every
verb works for itself. The folder is private to the run, so what is pickled there is our own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

FOLDER = "FUNNELSTATS_SHARED"
"""The variable of a kernel's environment that names the folder."""

P = ParamSpec("P")


def shared(verb: Callable[P, pd.DataFrame]) -> Callable[P, pd.DataFrame]:
    """The verb, run once for all pages that ask it the same of the same tables and frames.

    A lazy table is known by its operations, down to the prepared files and what ``kept`` made of them.
    """

    @wraps(verb)
    def counted(*args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        path = _place("frame", verb.__module__, verb.__qualname__, args, kwargs)
        if path is None:
            return verb(*args, **kwargs)
        with _made_once(path) as part:
            if part:
                part.write_bytes(pickle.dumps(verb(*args, **kwargs)))
        frame: pd.DataFrame = pickle.loads(path.read_bytes())
        return frame

    return counted


def kept(table: ir.Table | None) -> Any:
    """The lazy table computed once, for the counts that follow; None stays None."""
    if table is None:
        return None
    path = _place("table", table)
    if path is None:
        return table.cache()
    with _made_once(path) as part:
        if part:
            table.to_parquet(part)
    return table.get_backend().read_parquet(path, table_name=path.stem)


def _place(kind: str, *made_of: Any) -> Path | None:
    """Where a result is kept, named by all that it depends on; None where nothing is shared."""
    folder = os.environ.get(FOLDER)
    return Path(folder, f"{kind}_{hashlib.sha256(pickle.dumps(made_of)).hexdigest()}") if folder else None


@contextmanager
def _made_once(path: Path) -> Iterator[Path | None]:
    """Where to write what belongs at ``path``, or None once it is there; whoever asks meanwhile waits."""
    if path.exists():
        yield None
        return
    with open(path.with_suffix(".lock"), "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if path.exists():
            yield None
            return
        part = path.with_suffix(".part")
        yield part
        os.replace(part, path)
