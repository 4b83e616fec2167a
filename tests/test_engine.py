"""Pages made in process: what they show is what a kernel shows, and nothing of one page is seen by another."""

import os
import tempfile
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from projects import REPOSITORY, write_notebook

from funnelstats.reporting.pages import faults, page_html
from funnelstats.reporting.processes import each_in_a_process
from funnelstats.reporting.reports import render

CELLS = [
    "import os, sys, numpy as np, pandas as pd, funnelstats as fs\n"
    "[os.path.basename(os.getcwd()), '' in sys.path, __name__, sys.modules['__main__'].__name__]",
    "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.title('drawn')",
    "plt.get_backend(), plt.rcParams['figure.dpi']",
    "print('one'); print('wrong', file=sys.stderr); display(pd.DataFrame({'n': [1]})); print('two')",
    "fs.show_table(pd.DataFrame({'step': ['met'], 'rate': [0.5]}), fs.Layout(name='t', title='T'))",
    "import asyncio\nawait asyncio.sleep(0)\n_",
    "7;",
    "display({'text/plain': 'x', 'image/png': b'png'}, raw=True, metadata={'image/png': {'width': np.int64(3)}})",
]


def execute(notebook, parameters, folder, _doing):
    """Run in a process of its own; its file is then read."""
    from funnelstats.reporting.engine import execute

    os.environ["IPYTHONDIR"] = str(folder)
    executed = Path(folder) / "executed.ipynb"
    execute(Path(notebook), parameters, executed)
    return str(executed)


def in_process(*notebooks, **parameters):
    with tempfile.TemporaryDirectory() as folder:
        rooms = [Path(folder, str(number)) for number in range(len(notebooks))]
        for room in rooms:
            room.mkdir()
        tasks = [(str(path), parameters, str(room)) for path, room in zip(notebooks, rooms, strict=True)]
        results = each_in_a_process(execute, tasks, at_once=1, seconds=60)
        return [nbformat.read(path, 4) for _number, path, _seconds in results]


def in_kernel(path, **parameters):
    with tempfile.TemporaryDirectory() as folder:
        return papermill.execute_notebook(
            str(path), f"{folder}/o.ipynb", parameters, progress_bar=False, coalesce_streams=True
        )


def outputs(notebook):
    return [(cell.get("execution_count"), cell.get("outputs", [])) for cell in notebook.cells]


def said(notebook):
    return [output["text"] for _count, cell in outputs(notebook) for output in cell if output.output_type == "stream"]


def test_cells_show_what_they_show_in_a_kernel(tmp_path, capfd) -> None:
    path = write_notebook(tmp_path / "all.ipynb", CELLS)
    (ours,), theirs = in_process(path), in_kernel(path)
    assert capfd.readouterr().out == ""
    for mine, kernels in zip(outputs(ours), outputs(theirs), strict=True):
        assert mine == kernels
    assert "image/png" in str(outputs(ours)[3])


def test_an_error_that_ipython_cannot_show_fails_its_page_all_the_same(tmp_path) -> None:
    cells = ["import funnelstats as fs", 'fs.show_section("counted.rules", funnel=1)']
    record = render(write_notebook(tmp_path / "broken.ipynb", cells), {}, tmp_path / "out" / "broken.html", title="T")
    assert record.state == "failed"
    assert "UndefinedError" in record.reason


@pytest.mark.usefixtures("sample_project")
def test_a_page_has_the_same_bytes_from_either() -> None:
    path = REPOSITORY / "notebooks" / "manager.ipynb"
    given = {"manager": "Петрова", "week": "2026-W20"}
    (ours,), theirs = in_process(path, **given), in_kernel(path, **given)
    pages = [page_html(notebook, title="T") for notebook in (ours, theirs)]
    assert pages[0] == pages[1]
    assert faults(pages[0], ours) == []
    assert "<svg" in pages[0]


def test_what_a_page_changes_stays_with_it_and_its_random_numbers_are_its_own(tmp_path) -> None:
    cell = "import os, random, numpy as np, pandas as pd\nprint(hasattr(pd, 'left'), os.path.basename(os.getcwd()))\n"
    draw = "print(random.random(), np.random.rand())"
    path = write_notebook(tmp_path / "left.ipynb", [cell, draw, "pd.left = 'x'; os.chdir('/')"])
    before = Path.cwd().name
    first, second = map(said, in_process(path, path))
    assert first[0] == second[0] == f"False {before}\n"
    assert not set(first[1].split()) & set(second[1].split())


def test_pages_are_forked_from_one_thread_that_has_imported_everything(tmp_path) -> None:
    cell = "import os, sys\nprint(os.getppid(), [m for m in ('duckdb', 'bs4', 'lark') if m in sys.modules])"
    (made,) = in_process(write_notebook(tmp_path / "origin.ipynb", [cell]))
    origin, modules = said(made)[0].split(maxsplit=1)
    assert modules == "['duckdb', 'bs4']\n"
    assert psutil.Process(int(origin)).num_threads() == 1
    assert psutil.Process(int(origin)).ppid() == os.getpid()
