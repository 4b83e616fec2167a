"""Forked kernels: like started ones in all that a page can show, and gone when their run is."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from projects import REPOSITORY
from test_reports import write_notebook

from funnelstats.reading.sources import prepare
from funnelstats.reporting import kernels, warm
from funnelstats.reporting.pages import faults, page_html

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="kernels are forked on Linux")

SELF = [
    "import os, random, sys, numpy as np, pandas as pd, funnelstats as fs\n"
    "{'folder': os.getcwd(), 'path': sys.path, 'name': __name__, 'main': sys.modules['__main__'].__name__,"
    " 'session': os.getsid(0) == os.getpid(), 'sigint': __import__('signal').getsignal(2).__class__.__name__,"
    " 'env': sorted(k for k in os.environ if k[:4] not in ('JPY_', 'PYDE')), 'omp': os.environ['OMP_NUM_THREADS'],"
    " 'fs': fs.__file__, 'loggers': __import__('logging').getLogger().handlers}",
    "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.title('drawn')",
    "plt.get_backend(), plt.rcParams['figure.dpi']",
    "os.system('echo from below'); print('said'); print('wrong', file=sys.stderr)",
    "fs.show_table(pd.DataFrame({'step': ['met'], 'rate': [0.5]}), fs.Layout(name='t', title='T'))",
]


@pytest.fixture(scope="module")
def parent():
    with warm.warm_parent() as process:
        yield process


def execute(notebook, parent, folder, **parameters):
    running = set()
    executed = kernels.execute(notebook, parameters, Path(folder) / f"{len(os.listdir(folder))}.ipynb", running, parent)
    (manager,) = running
    return executed, manager


def outputs(notebook):
    return [cell.get("outputs", []) for cell in notebook.cells]


def plain(notebook):
    return [output["text"] for cell in outputs(notebook) for output in cell if output.output_type == "stream"]


def test_a_forked_kernel_shows_what_a_started_one_does_and_neither_speaks_to_the_runners_output(
    parent, tmp_path, capfd
) -> None:
    notebook = write_notebook(tmp_path / "self.ipynb", SELF)
    forked, _ = execute(notebook, parent, tmp_path)
    started, _ = execute(notebook, None, tmp_path)
    for ours, theirs in zip(outputs(forked), outputs(started), strict=True):
        assert ours == theirs
    assert capfd.readouterr().out == ""
    pictures = [o.data["image/png"] for cell in outputs(forked) for o in cell if "image/png" in o.get("data", {})]
    assert len(pictures) == 1
    assert plain(forked) == ["said\n", "wrong\n"]


def test_kernels_draw_random_numbers_of_their_own(parent, tmp_path) -> None:
    cell = "import random, secrets, numpy as np\nprint(random.random(), np.random.rand(), secrets.randbits(64))"
    notebook = write_notebook(tmp_path / "random.ipynb", [cell])
    drawn = [plain(execute(notebook, parent, tmp_path)[0])[0].split() for _ in range(2)]
    assert not set(drawn[0]) & set(drawn[1])


def test_what_a_page_changes_stays_with_it(parent, tmp_path) -> None:
    cell = "import os, pandas as pd\nprint(hasattr(pd, 'left'), 'LEFT' in os.environ, os.path.basename(os.getcwd()))"
    notebook = write_notebook(tmp_path / "left.ipynb", [cell, "pd.left = os.environ['LEFT'] = 'x'; os.chdir('/')"])
    before = Path.cwd().name
    said = [plain(execute(notebook, parent, tmp_path)[0]) for _ in range(2)]
    assert said == [[f"False False {before}\n"]] * 2


def test_kernels_are_forked_from_one_thread_and_have_imported_everything(parent, tmp_path) -> None:
    cell = "import os, sys\nprint(os.getppid(), [m for m in ('duckdb', 'scipy.stats', 'babel') if m in sys.modules])"
    notebook = write_notebook(tmp_path / "parent.ipynb", [cell])
    first, second = (plain(execute(notebook, parent, tmp_path)[0])[0] for _ in range(2))
    assert first == second
    process, modules = first.split(maxsplit=1)
    assert modules == "['duckdb', 'scipy.stats', 'babel']\n"
    assert psutil.Process(int(process)).num_threads() == 1
    assert psutil.Process(int(process)).ppid() == os.getpid()


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample prepared in a project of its own."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "sample").symlink_to(REPOSITORY / "data" / "raw" / "sample")
    with contextlib.chdir(folder):
        prepare("sample")
    return folder


@pytest.mark.parametrize(
    ("notebook", "parameters"), [("weekly", {}), ("manager", {"manager": "Петрова"}), ("data_check", {})]
)
def test_pages_are_the_same_bytes_cold_and_warm(notebook, parameters, sample, parent, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(sample)
    path = REPOSITORY / "notebooks" / f"{notebook}.ipynb"
    made = [execute(path, origin, tmp_path, **parameters)[0] for origin in (parent, None)]
    pages = [page_html(page, title="T") for page in made]
    assert faults(pages[0], made[0]) == []
    assert pages[0].encode() == pages[1].encode()
    assert ("<img" in pages[0]) == (notebook != "data_check")


def kernel_in(channel_of, command=None):
    """A forked kernel of this parent that waits for a client, and its folder's connection file."""
    own = command or [sys.executable, "-m", "ipykernel_launcher", "-f", "nothing.json"]
    return warm.fork_kernel(channel_of, own, dict(os.environ), None)


def test_another_kernel_than_this_pythons_own_is_started_not_forked(parent) -> None:
    assert kernel_in(parent, ["/usr/bin/python3", "-m", "ipykernel_launcher"]) is None
    assert kernel_in(parent, [sys.executable, "-m", "xeus", "-f", "x"]) is None


@pytest.fixture
def served():
    """A process of the same kind that imports nothing, after a piece of code of its own."""
    parents = []

    def start(code=""):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        text = (
            "import socket, sys, threading, time\n"
            "from funnelstats.reporting import warm\nwarm._import_all = lambda: ''\n"
            f"{code}\nwarm._serve(socket.socket(fileno={theirs.fileno()}))"
        )
        process = subprocess.Popen([sys.executable, "-c", text], pass_fds=[theirs.fileno()])
        theirs.close()
        ours.settimeout(60)
        parents.append(warm.Parent(process, ours, threading.Lock(), threading.Event()))
        return parents[-1]

    yield start
    for parent in parents:
        parent.channel.close()
        parent.process.kill()
        parent.process.wait()


def test_nothing_is_forked_from_a_process_with_two_threads(served, caplog) -> None:
    parent = served("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()")
    assert kernel_in(parent) is None
    assert "kernels are started cold: 2 threads where a fork would copy one" in caplog.text
    parent = served()
    kernel = kernel_in(parent)
    assert kernel.poll() is None
    kernel.kill()
    assert kernel.wait() == kernel.poll() == 0


def test_a_parent_that_fails_to_import_or_dies_makes_kernels_start_cold(served, caplog, tmp_path) -> None:
    parent = served("warm._import_all = lambda: 'ImportError: no seaborn'")
    notebook = write_notebook(tmp_path / "one.ipynb", ["1"])
    _, manager = execute(notebook, parent, tmp_path)
    assert not isinstance(manager.provisioner.process, warm.Forked)
    assert caplog.text.count("ImportError: no seaborn") == 1
    parent = served()
    parent.process.kill()
    assert kernel_in(parent) is None
    assert kernel_in(parent) is None
    assert caplog.text.count("kernels are started cold") == 2


def test_a_forked_kernel_dies_with_its_parent_and_the_parent_with_its_channel(served) -> None:
    parent = served()
    kernel = kernel_in(parent)
    parent.process.kill()
    assert kernel.wait() == 0
    parent = served()
    kernel = kernel_in(parent)
    parent.channel.close()
    assert parent.process.wait(10) == 0
    assert kernel.wait() == 0


def test_no_process_outlives_the_thread_that_asked_for_it(tmp_path) -> None:
    code = (
        "import os, time\nfrom funnelstats.reporting.warm import warm_parent, fork_kernel\nimport sys\n"
        "command = [sys.executable, '-m', 'ipykernel_launcher', '-f', 'x']\n"
        "with warm_parent() as parent:\n"
        "    kernel = fork_kernel(parent, command, dict(os.environ), None)\n"
        "    print(kernel.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path) as run:
        kernel = psutil.Process(int(run.stdout.readline()))
        origin = kernel.parent()
        run.kill()
        # The end of the pipe comes when nobody holds it any more.
        assert run.stdout.read() == b""
    psutil.wait_procs([kernel, origin], timeout=5)
    assert not kernel.is_running()
    assert not origin.is_running()


def test_an_end_of_the_run_is_not_answered_by_a_cold_start(served) -> None:
    parent = served("time.sleep(60)")
    parent.ending.set()
    parent.process.kill()
    with pytest.raises(RuntimeError, match="the run ends"):
        kernel_in(parent)


def test_every_page_at_once_sees_that_the_process_it_was_forked_from_has_ended() -> None:
    for _ in range(40):
        process = subprocess.Popen(["true"])
        parent = warm.Parent(process, None, threading.Lock(), threading.Event())
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        together, seen = threading.Barrier(8), []

        def look(parent=parent, together=together, seen=seen):
            together.wait()
            seen.append(kernels._orphaned(parent))

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [True] * 8


def test_a_kernel_that_ends_by_itself_or_with_the_run_is_no_orphan() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        parent = warm.Parent(process, None, threading.Lock(), threading.Event())
        assert not kernels._orphaned(parent)
        process.kill()
        parent.ending.set()
        assert not kernels._orphaned(parent)
    assert not kernels._orphaned(None)
