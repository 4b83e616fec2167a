"""A project's folders, and those that are locked or go with their process, so that no killed run leaves one."""

import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from pathlib import Path

from funnelstats.config.errors import FunnelError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TEMPORARY = "funnelstats-"
"""How the own folders begin that stand where the system puts temporary files."""
RUN_FOLDER, WHOLE_RUN = "FUNNELSTATS_SHARED", "FUNNELSTATS_RUN"
"""Environment variables: where the pages of a week share what they need, and where those of all weeks of a run do.

The first folder goes with the week's last page, the second with the run.
"""
PATIENCE = 100
"""Twentieths of a second that somebody waits for a lock without a word."""


def project_root() -> Path:
    """The nearest folder, here or above, that holds ``data/raw``; FUNNELSTATS_PROJECT may say where to begin."""
    here = Path(os.environ.get("FUNNELSTATS_PROJECT", ".")).resolve()
    for folder in (here, *here.parents):
        if (folder / "data" / "raw").is_dir():
            return folder
    raise FunnelError(
        f"no project here: neither {here} nor a folder above it holds data/raw; go to one, name one in "
        "FUNNELSTATS_PROJECT, or make one:  funnelstats new FOLDER"
    )


def processed_folder(name: str) -> Path:
    return project_root() / "data" / "processed" / name


@contextmanager
def locked(path: Path, *, wait: bool = True, told: bool = True) -> Iterator[None]:
    """The file or folder while no other process has it locked; the lock ends with the process, however that ends.

    Raises BlockingIOError where another has it and nobody shall ``wait``; whoever waits for long is told for what.
    """
    with (_locks_file if fcntl is None else _locks_itself)(path) as take:
        for tried in count():
            try:
                take()
                break
            except BlockingIOError:
                if not wait:
                    raise
            if told and tried == PATIENCE:
                sys.stderr.write(f"{path}: waiting until another run is done with it\n")
            time.sleep(0.05)
        yield


@contextmanager
def _locks_itself(path: Path) -> Iterator[Callable[[], None]]:
    """What takes the lock or raises BlockingIOError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        yield lambda: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


@contextmanager
def _locks_file(path: Path) -> Iterator[Callable[[], None]]:
    """The same where no folder can be locked: SQLite's lock of an empty file also ends with its process."""
    name = hashlib.blake2b(str(path.resolve()).encode(), digest_size=16).hexdigest()
    file = Path(tempfile.gettempdir(), f"{TEMPORARY}{name}.lock")

    def take() -> None:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise BlockingIOError from None

    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        yield take
    # Windows keeps a file that another process has open.
    with suppress(OSError):
        file.unlink()


@contextmanager
def own_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new private folder in the parent, its name this prefix and eight letters; it is removed at the end."""
    with ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp("", prefix, parent))
            # Until it is locked another run may take it for one that was left behind.
            with suppress(FileNotFoundError, BlockingIOError):
                stack.enter_context(locked(folder, wait=False))
                if folder.exists():
                    break
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove the own folders with this prefix, which may be a pattern, whose processes no longer live."""
    for folder in parent.glob(f"{prefix}????????"):
        # Another's: of a process that lives, of another user, or being removed by another run.
        with suppress(OSError), locked(folder, wait=False):
            shutil.rmtree(folder, ignore_errors=True)
