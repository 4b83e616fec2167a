"""Files that pack another one: .gz, and a .zip of one file."""

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import IO
from zipfile import BadZipFile, ZipFile
from zlib import error as BrokenStream

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import TEMPORARY, own_folder

ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"

UNPACKED = 2 * 2**30
"""Bytes that a packed file may have when it is unpacked; a few kilobytes can be packed so that they fill a disk."""

PACKED_TWICE = 2


@contextmanager
def unpacked(path: Path, depth: int = 0) -> Iterator[Path]:
    """The file itself, or the one that it packs (.gz, or a .zip of one file), under the same name for as long."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise FunnelError(f"{path.name}: its name is no text in UTF-8; rename the file") from error
    with path.open("rb") as file:
        start = file.read(4)
    packed = start.startswith(GZIP) or (start == ZIP and not _is_workbook(path))
    if not packed:
        yield path
        return
    if depth == PACKED_TWICE:
        raise FunnelError(f"{path.name}: packed more than twice; unpack it")
    with own_folder(Path(gettempdir()), TEMPORARY) as room:
        target = room / path.name
        try:
            with gzip.open(path) if start.startswith(GZIP) else _only_member(path) as inner, target.open("wb") as out:
                while chunk := inner.read(2**20):
                    if out.tell() + len(chunk) > UNPACKED:
                        most = f"{UNPACKED / 2**30:g} GB"
                        raise FunnelError(f"{path.name}: has more than {most} when unpacked; unpack and split it")
                    out.write(chunk)
        except (OSError, EOFError, BrokenStream, BadZipFile, NotImplementedError) as error:
            raise FunnelError(f"{path.name}: a packed file that is not whole; export or pack it again") from error
        with unpacked(target, depth + 1) as plain:
            yield plain


def _is_workbook(path: Path) -> bool:
    """Whether a zip archive is an XLSX, or broken, which is told where workbooks are read."""
    try:
        with ZipFile(path) as archive:
            return any(name.startswith(("[Content_Types]", "xl/")) for name in archive.namelist())
    except BadZipFile:
        return True


@contextmanager
def _only_member(path: Path) -> Iterator[IO[bytes]]:
    """The one file of an archive, beside what a Mac adds to each."""
    with ZipFile(path) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not re.search(r"(^|/)(__MACOSX/|\.)", member.filename)
        ]
        if len(members) != 1:
            names = ", ".join(member.filename for member in members) or "none"
            raise FunnelError(f"{path.name}: must pack one file, got {names}; unpack it, and name the files")
        if members[0].flag_bits & 1:
            raise FunnelError(f"{path.name}: locked by a password; unpack it")
        with archive.open(members[0]) as inner:
            yield inner
