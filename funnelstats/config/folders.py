"""Folders that are locked or go with their process, so that none is left by a run that was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """The folder while no other process has it locked; the lock ends with the process, however that ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


@contextmanager
def own_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new private folder in the parent, its name this prefix and eight letters; it is removed at the end."""
    made = Path(tempfile.mkdtemp(".new", prefix, parent))
    with locked(made):
        # Only now, locked, has it a name by which others look for what is left behind.
        folder = made.rename(made.with_suffix(""))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove the own folders with this prefix, which may be a pattern, whose processes no longer live."""
    for folder in parent.glob(f"{prefix}????????"):
        # Another's: of a process that lives, of another user, or being removed by another run.
        with suppress(OSError), locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)
