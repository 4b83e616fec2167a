"""A project's folders, and those that are locked or go with their process, so that no killed run leaves one."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from funnelstats.config.errors import FunnelError

TEMPORARY = "funnelstats-"
"""How the own folders begin that stand where the system puts temporary files."""
AT_ONCE = fcntl.LOCK_EX | fcntl.LOCK_NB
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
    raise FunnelError(f"no project here: neither {here} nor a folder above it holds data/raw")


def processed_folder(name: str) -> Path:
    return project_root() / "data" / "processed" / name


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """The folder while no other process has it locked; the lock ends with the process, however that ends.

    Raises BlockingIOError where another has it and nobody shall ``wait``.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        if wait:
            _wait_for(handle, folder)
        else:
            fcntl.flock(handle, AT_ONCE)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int, folder: Path) -> None:
    """Have the lock as soon as nobody else does; whoever waits for long is told for what."""
    for _try in range(PATIENCE):
        with suppress(BlockingIOError):
            fcntl.flock(handle, AT_ONCE)
            return
        time.sleep(0.05)
    sys.stderr.write(f"{folder}: waiting until another run is done with it\n")
    fcntl.flock(handle, fcntl.LOCK_EX)


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
