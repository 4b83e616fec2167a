"""Pieces of work, each in a process of its own that is forked from one which has imported everything.

Where no process can be forked, as on Windows, each imports for itself.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from multiprocessing import connection, util
from pathlib import Path
from typing import Any, NamedTuple

from funnelstats.config.folders import TEMPORARY, own_folder, remove_leftovers

ENVIRONMENT = {
    # Pages are made side by side, one core each: threads inside one would only take turns.
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MPLBACKEND": os.environ.get("MPLBACKEND", "module://matplotlib_inline.backend_inline"),
}
"""What the libraries of a page are told before they are imported."""
_FORKS = "forkserver" in multiprocessing.get_all_start_methods()
_CONTEXT: Any = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
_FORKSERVER_GONE = 255
_LONGEST_ROOM = 40
_GRACE_SECONDS = 2
_LOOK_SECONDS = 0.5
_STARTS = 5


class Failure(NamedTuple):
    """Why a piece of work has no result: in a line, and all that is known."""

    line: str
    whole: str


class _Running(NamedTuple):
    number: int
    process: Any
    channel: connection.Connection
    started: float
    since: float
    doing: str = "its start"


def cores() -> int:
    """Cores this process may use: in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_importing() -> None:
    """Start the process that others are forked from; it imports while this one goes on."""
    if not _FORKS:
        os.environ.update(ENVIRONMENT)
        return
    from multiprocessing import forkserver, resource_tracker

    _CONTEXT.set_forkserver_preload(["funnelstats.reporting.preload"])
    with _sockets_in_own_folder():
        # started first, since it ends by letting the signal through again
        resource_tracker.ensure_running()
        # Until it has left the terminal's group, Ctrl-C would be for it too.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _sockets_in_own_folder() -> Iterator[None]:
    """Sockets stand in a folder that a later run removes when this one is killed."""
    before = tempfile.tempdir
    tempfile.tempdir = _own_folder()
    try:
        yield
    finally:
        tempfile.tempdir = before


@cache
def _own_folder() -> str:
    # The path of a socket may not be longer than about a hundred characters.
    room = tempfile.gettempdir() if len(tempfile.gettempdir()) <= _LONGEST_ROOM else "/tmp"
    remove_leftovers(Path(room), TEMPORARY)
    until_the_end = ExitStack()
    # Later than multiprocessing removes its own folder in this one, at -100.
    util.Finalize(None, until_the_end.close, exitpriority=-200)
    return str(until_the_end.enter_context(own_folder(Path(room), TEMPORARY)))


def each_in_a_process(
    work: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    *,
    at_once: int,
    seconds: float,
) -> Generator[tuple[int, Any, float]]:
    """Number, result and seconds of each task as it is done; a Failure in place of the result where there is none.

    ``work`` is called with a task's arguments and a function that it tells what it does next: a process that
    says nothing for so many seconds is ended. All that still run are ended when this generator is closed.
    """
    waiting = list(range(len(tasks)))[::-1]
    running: list[_Running] = []
    tried: set[int] = set()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number = waiting.pop()
                running.append(_start(number, work, tasks[number]))
                with suppress(ConnectionError):
                    running[-1].channel.send("go on")
            first = min(run.since for run in running) + seconds
            connection.wait(
                [one for run in running for one in (run.channel, run.process.sentinel)],
                max(0, first - time.monotonic()),
            )
            for place, run in enumerate(running):
                result = _heard(run, seconds)
                if isinstance(result, _Running):
                    running[place] = result
                    continue
                del running[place]
                _end(run)
                # Not the page's fault: the process it was forked from was ended from outside.
                if run.process.exitcode == _FORKSERVER_GONE and isinstance(result, Failure) and run.number not in tried:
                    tried.add(run.number)
                    waiting.append(run.number)
                else:
                    yield run.number, result, time.monotonic() - run.started
                break
    finally:
        for run in running:
            run.process.terminate()
        for run in running:
            _end(run)


def _start(number: int, work: Any, arguments: tuple[Any, ...]) -> _Running:
    for _again in range(_STARTS):
        start_importing()
        ours, theirs = multiprocessing.Pipe()
        process = _CONTEXT.Process(target=_work, args=(work, arguments, theirs), daemon=True)
        with ExitStack() as not_started:
            not_started.enter_context(ours)
            with theirs, suppress(ConnectionError, EOFError):
                process.start()
                not_started.pop_all()
                return _Running(number, process, ours, now := time.monotonic(), now)
        # The process to fork from was just ended from outside; in a moment that can be seen, and it is started again.
        time.sleep(_LOOK_SECONDS)
    raise ChildProcessError(f"no process for a page could be started, tried {_STARTS} times")


def _heard(run: _Running, seconds: float) -> Any:
    """The result of a process, its Failure, or the process as it goes on."""
    # Asked first: what it said before it ended can still be read.
    ended = not run.process.is_alive()
    with suppress(EOFError, OSError):
        while run.channel.poll():
            done, message = run.channel.recv()
            if done:
                return message
            run = run._replace(since=time.monotonic(), doing=message)
    if ended:
        line = f"the page's process ended at {run.doing}, exit code {run.process.exitcode}"
        return Failure(line, line)
    if time.monotonic() - run.since > seconds:
        line = f"{run.doing} took longer than {seconds:g} s"
        return Failure(line, line)
    return run


def _end(run: _Running) -> None:
    """End a process, at once but for the moment in which it puts its page in place."""
    run.process.terminate()
    run.process.join(_GRACE_SECONDS)
    run.process.kill()
    run.process.join()
    run.channel.close()


def _work(work: Any, arguments: tuple[Any, ...], channel: connection.Connection) -> None:
    import numpy as np

    if not _FORKS:
        # Ctrl-C is for the run, which ends its pages itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A run that was interrupted while it started this process knows nothing of it and would not tidy up after it.
    try:
        channel.recv()
    except EOFError:
        return
    threading.Thread(target=_end_with_the_run, args=(os.getppid(),), daemon=True).start()
    # Python's own random state is seeded anew by the fork itself.
    np.random.seed()  # noqa: NPY002 (the state that a notebook would use)
    channel.send((True, work(*arguments, lambda doing: channel.send((False, doing)))))


def _end_with_the_run(origin: int) -> None:
    """No page outlives the process that asked for it, or the one it was forked from, whatever ended that."""
    run = multiprocessing.parent_process()
    while run and os.getppid() == origin and not connection.wait([run.sentinel], _LOOK_SECONDS):
        pass
    os._exit(1)
