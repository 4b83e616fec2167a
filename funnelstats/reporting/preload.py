"""What the process that pages are forked from does first: import all that a page needs, once for a run.

A fork copies one thread only, so the libraries' own threads are switched off, or ended before anything is forked.
"""

import gc
import os
import signal
import sys
from datetime import date
from importlib import import_module
from multiprocessing import forkserver

from funnelstats.reporting.processes import ENVIRONMENT

# The inline back end itself stays out: when it is imported it looks for the shell of a page.
_HEAVY = (
    "babel.numbers",
    "bs4",
    "ibis.backends.duckdb",
    "matplotlib.backends.backend_svg",
    "scipy.stats",
    "xlsxwriter",
    "funnelstats.reporting.engine",
    "funnelstats.reporting.reports",
    "nbconvert",
)


def _import_all() -> None:
    os.environ.update(ENVIRONMENT)
    for name in _HEAVY:
        import_module(name)
    import duckdb

    import funnelstats

    for name in funnelstats.__all__:
        getattr(funnelstats, name)
    _make_a_page()
    # Made by duckdb when it is imported, with a thread for each core; a page opens its own.
    duckdb.default_connection().close()
    # Nothing of this is garbage, and marking it would copy the memory that forks share.
    gc.freeze()


def _make_a_page() -> None:
    """Make a page that nobody sees: templates, schemas and selectors are compiled, fonts and zones found, once."""
    import nbformat
    import pandas as pd
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    from funnelstats.config.dates import known_zones
    from funnelstats.config.words import LANGUAGES, day, speak
    from funnelstats.page.figures import Panel, house_panel, room_for, show_figure
    from funnelstats.page.layout import layout
    from funnelstats.page.sections import templates
    from funnelstats.reporting.pages import faults, page_html

    known_zones()
    layout("weekly.team")
    for template in templates().list_templates(["html"]):
        templates().get_template(template)
    panel = Panel(lambda width: house_panel(width, 10, left=room_for(["Nothing"], "bold"))[0])
    shown = show_figure(panel, alt="nothing", numbers=pd.DataFrame({"nothing": [0]}))
    output = new_output("display_data", dict(shown.data))
    notebook = new_notebook(cells=[new_markdown_cell("# Nothing"), new_code_cell(outputs=[output])])
    nbformat.validate(notebook)
    for language in LANGUAGES:
        speak(language)
        day(date.min)
        faults(page_html(notebook, title="Nothing", language=language), notebook)
    speak(LANGUAGES[0])


def _leave_the_terminal() -> None:
    """Ctrl-C is for the run, which ends its pages itself, and its output is for the run alone."""
    os.setsid()
    # one that came until now is dropped with the handler, those that come later are this process's own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


if getattr(sys.modules["__main__"], "main", None) is forkserver.main:
    _leave_the_terminal()
    _import_all()
