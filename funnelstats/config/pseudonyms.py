"""Keyed pseudonyms in place of people, companies and ids of leads: a funnel under its name and ``.anonymous``.

HMAC-SHA256: without the key nobody can try names until one fits. The same name has the same pseudonym in all funnels
of a project, as long as its key is there.
"""

import base64
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from funnelstats.config.errors import FunnelError

ENDING = ".anonymous"
BYTES = 32
LETTERS = {"Manager": 6, "Company": 10, "Lead": 12}
"""So many that two of a project's names hardly share a pseudonym; who reads them compares no more than he must."""


def stated_name(name: str) -> str:
    """The name of the folder that states a funnel, whether its names are shown or not."""
    return name.removesuffix(ENDING)


def project_key(root: Path) -> bytes:
    """The key of a project, made when it is first needed; only its user may read it."""
    path = root / "data" / "processed" / ".key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(path, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(secrets.token_bytes(BYTES))
    key = path.read_bytes()
    if len(key) != BYTES:
        raise FunnelError(f"data/processed/.key: must hold {BYTES} bytes, holds {len(key)}; remove it for a new one")
    return key


def pseudonym(kind: str, name: str, key: bytes) -> str:
    """What stands in place of a name.

    >>> pseudonym("Manager", "Anna", bytes(32))
    'Manager 5BVCTM'
    """
    digest = base64.b32encode(hmac.digest(key, name.encode(), "sha256")).decode()
    return f"{kind} {digest[: LETTERS[kind]]}"
