"""What the process that pages are forked from does first: import all that a page needs, once for a run.

A fork copies one thread only, so the libraries' own threads are switched off, or ended before anything is forked.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from multiprocessing import forkserver

ENVIRONMENT = {
    # Pages are made side by side, one core each: threads inside one would only take turns.
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
# The back end itself stays out: when it is imported it looks for the shell of a page.
_INLINE = "module://matplotlib_inline.backend_inline"
_HEAVY = (
    "babel.numbers",
    "bs4",
    "ibis.backends.duckdb",
    "matplotlib.backends.backend_agg",
    "PIL.PngImagePlugin",
    "scipy.stats",
    "xlsxwriter",
    "funnelstats.reporting.engine",
    "funnelstats.reporting.reports",
    "nbconvert",
)


def _import_all() -> None:
    os.environ.update(ENVIRONMENT)
    os.environ.setdefault("MPLBACKEND", _INLINE)
    for name in _HEAVY:
        import_module(name)
    import duckdb

    import funnelstats

    for name in funnelstats.__all__:
        getattr(funnelstats, name)
    # Made by duckdb when it is imported, with a thread for each core; a page opens its own.
    duckdb.default_connection().close()
    # Nothing of this is garbage, and marking it would copy the memory that forks share.
    gc.freeze()


def _leave_the_terminal() -> None:
    """Ctrl-C is for the run, which ends its pages itself, and its output is for the run alone."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


if getattr(sys.modules["__main__"], "main", None) is forkserver.main:
    _leave_the_terminal()
    _import_all()
