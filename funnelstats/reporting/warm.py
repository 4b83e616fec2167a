"""A process that has imported everything and forks kernels from itself: `python -m funnelstats.reporting.warm`.

Imports are most of a cold kernel's time. A fork copies one thread only, so nothing is forked from a process
that has more: DuckDB's, OpenBLAS' and pyarrow's are switched off or ended before, and counted each time.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

KERNEL_ENV = {
    # Pages are made side by side, one core each: threads inside one would only take turns.
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # Sets in a pickle, by which pages know what they share, have this order.
    "PYTHONHASHSEED": "0",
    # The debugger, which no page uses, else warns of modules that Python holds ready.
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
"""Environment of every kernel, warm or cold, so that both compute the same bytes."""

# The inline back end itself stays out: it looks for its kernel when it is imported, and in the parent there is none.
_INLINE = "module://matplotlib_inline.backend_inline"
_KERNEL = ("ipykernel.kernelapp", "ipykernel.debugger", "IPython.core.completerlib", "IPython.extensions.storemagic")
_HEAVY = (
    "ibis.backends.duckdb",
    "matplotlib.backends.backend_agg",
    "pandas",
    "babel.numbers",
    "scipy.stats",
    "PIL.PngImagePlugin",
)
_MESSAGE, _REPLY_SECONDS, _SET_PDEATHSIG = 1 << 20, 60, 1

_log = logging.getLogger(__name__)


class Parent(NamedTuple):
    """The process that kernels are forked from, how to speak to it, whose turn it is, and that the run ends."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    turn: threading.Lock
    ending: threading.Event


class Forked:
    """A forked kernel, with what jupyter_client asks of a subprocess.Popen.

    It is no child of this process, so it is held by a descriptor that no later process can take over.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor: int | None = descriptor

    def poll(self) -> int | None:
        """None while it runs; afterwards 0, whatever it ended with."""
        if not _readable(self._descriptor, 0):
            return None
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        return 0

    def wait(self) -> int:
        """Until it has ended."""
        _readable(self._descriptor, None)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """A signal, if it still runs."""
        descriptor = self._descriptor
        if descriptor is not None:
            with suppress(OSError):
                signal.pidfd_send_signal(descriptor, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


@contextmanager
def warm_parent() -> Iterator[Parent | None]:
    """A parent process for kernels while the block runs, None where there is no such thing (not on Linux).

    It and its kernels end with the block, and with the thread that opened it, whatever ends that.
    """
    if not hasattr(os, "pidfd_open") or not Path("/proc/self/task").is_dir():
        yield None
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **KERNEL_ENV, "MPLBACKEND": os.environ.get("MPLBACKEND", _INLINE)},
            stdin=subprocess.DEVNULL,
            # The caller's output belongs to nobody who might outlive it.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        ours.settimeout(_REPLY_SECONDS)
        parent = Parent(process, ours, threading.Lock(), threading.Event())
        try:
            yield parent
        finally:
            parent.ending.set()
            process.kill()
            process.wait()
            # Whoever waits for an answer has it by now.
            with parent.turn:
                ours.close()


def fork_kernel(parent: Parent, command: Sequence[str], env: Mapping[str, str], folder: str | None) -> Forked | None:
    """The kernel of that command line, forked instead of started; None where it has to be started.

    The first call waits until the parent has imported everything. Raises RuntimeError when the parent is ended.
    """
    if command[:3] != [sys.executable, "-m", "ipykernel_launcher"]:
        return None
    request = {"arguments": list(command[3:]), "env": dict(env), "folder": folder or os.getcwd()}
    with parent.turn:
        if parent.channel.fileno() < 0:
            return None
        try:
            parent.channel.send(json.dumps(request).encode())
            message, descriptors, *_ = socket.recv_fds(parent.channel, _MESSAGE, 1)
            answer = json.loads(message or b'{"refused": "the parent process has ended"}')
        except (OSError, ValueError) as error:
            answer, descriptors = {"refused": f"{type(error).__name__}: {error}"}, []
        if parent.ending.is_set():
            raise RuntimeError("the run ends")
        if not descriptors:
            _log.warning("kernels are started cold: %s", answer["refused"])
            parent.channel.close()
            return None
        return Forked(answer["pid"], descriptors[0])


def _readable(descriptor: int | None, milliseconds: int | None) -> bool:
    if descriptor is None:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _serve(channel: socket.socket) -> None:
    """Fork a kernel for each request until the other end is closed; everything below runs in the parent process."""
    refused = _import_all()
    while message := channel.recv(_MESSAGE):
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        threads = len(os.listdir("/proc/self/task"))
        if threads > 1:
            refused = f"{threads} threads where a fork would copy one"
        if refused:
            channel.send(json.dumps({"refused": refused}).encode())
            continue
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            channel.close()
            _become_kernel(json.loads(message), parent)
        descriptor = os.pidfd_open(pid)
        socket.send_fds(channel, [json.dumps({"pid": pid}).encode()], [descriptor])
        os.close(descriptor)


def _import_all() -> str:
    """What keeps kernels from being forked, empty if nothing does."""
    import gc

    try:
        # In a kernel's order: its own modules first, then the working folder may hide installed ones.
        for name in _KERNEL:
            import_module(name)
        packages = (place for place, path in enumerate(sys.path) if Path(path).name.endswith("-packages"))
        sys.path.insert(next(packages, 0), "")
        for name in _HEAVY:
            import_module(name)
        import duckdb

        import funnelstats

        for name in funnelstats.__all__:
            getattr(funnelstats, name)
        # Made by duckdb when it is imported, with a thread for each core; a kernel opens its own.
        duckdb.default_connection().close()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    # Nothing of this is garbage, and marking it would copy the pages of memory that forks share.
    gc.freeze()
    return ""


def _become_kernel(request: Mapping[str, Any], parent: int) -> NoReturn:
    try:
        _die_with(parent)
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["folder"])
        # Python's own random state is seeded anew by the fork itself.
        import numpy as np

        np.random.seed()  # noqa: NPY002 (the state that a notebook would use)
        from ipykernel.kernelapp import IPKernelApp

        sys.argv = ["ipykernel_launcher", *request["arguments"]]
        IPKernelApp.launch_instance()
    finally:
        os._exit(0)


def _die_with(parent: int) -> None:
    """End as soon as that process does, or at once where it already has."""
    import ctypes

    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(int(sys.argv[2]))
    _serve(socket.socket(fileno=int(sys.argv[1])))
