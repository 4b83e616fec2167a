"""A project of one's own, anywhere: the notebooks, the sample, what runs it every week, and the folders of a run."""

import hashlib
import json
import shutil
import sysconfig
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import own_folder

COPIED = {"notebooks": "notebooks", "data/raw/sample": "data/raw/sample", "examples/project": "."}
MADE = ("data/processed", "reports")
SHIPPED = "funnelstats"
"""The entry of a notebook's metadata that holds its digest as it was shipped."""


def new_project(folder: Path) -> None:
    """Make the folder, whole or not at all. Raises FunnelError where something is there already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FunnelError(f"{folder}: is there already, and not empty; name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with own_folder(folder.resolve().parent, f".{folder.name}.") as room:
        project = room / "project"
        unwanted = shutil.ignore_patterns(".ipynb_checkpoints", ".gitattributes", "__pycache__")
        for part, place in COPIED.items():
            shutil.copytree(shipped() / part, project / place, ignore=unwanted, dirs_exist_ok=True)
        for part in MADE:
            (project / part).mkdir(parents=True)
        project.replace(folder)


def shipped() -> Path:
    """The folder that holds what projects begin with: the repository's, else the installed one."""
    repository = Path(__file__).parents[2]
    if (repository / "pyproject.toml").is_file():
        return repository
    return Path(sysconfig.get_path("data"), "share", "funnelstats")


def notebook_in_use(notebook: Path) -> tuple[Path, str]:
    """The project's notebook, or the installed package's of that name, and what its owner should know of that.

    A notebook of another version does not know what the installed templates ask for: the installed one stands in for
    it unless somebody changed it.
    """
    installed = shipped() / "notebooks" / notebook.name
    if not installed.is_file() or installed.samefile(notebook):
        return notebook, ""
    came_as, is_now = _digests(notebook, notebook.stat().st_mtime_ns)
    if _digests(installed, 0)[1] in (came_as, is_now):
        return notebook, ""
    if came_as == is_now:
        return installed, f"{notebook.name} is of another version of funnelstats, the page is made from {installed}"
    return notebook, f"{notebook.name} was changed here, and since then in funnelstats too: compare it with {installed}"


@cache
def _digests(notebook: Path, _changed: int) -> tuple[str, str]:
    """As it was shipped, empty where that is not known, and as it is now."""
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        return content["metadata"].get(SHIPPED, ""), digest_of_cells(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FunnelError(f"{notebook} is no notebook: {error}") from None


def digest_of_cells(notebook: Mapping[str, Any]) -> str:
    """Of what people write in a notebook, not of what a run adds."""
    cells = [[cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags")] for cell in notebook["cells"]]
    return hashlib.blake2b(json.dumps(cells).encode(), digest_size=8).hexdigest()
