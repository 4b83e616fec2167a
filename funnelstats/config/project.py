"""A project of one's own, anywhere: the notebooks, the sample, and the folders of a run."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import own_folder

COPIED = ("notebooks", "data/raw/sample")
MADE = ("data/processed", "reports")


def new_project(folder: Path) -> None:
    """Make the folder, whole or not at all. Raises FunnelError where something is there already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FunnelError(f"{folder}: is there already, and not empty; name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with own_folder(folder.resolve().parent, f".{folder.name}.") as room:
        project = room / "project"
        for part in COPIED:
            shutil.copytree(shipped() / part, project / part, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        for part in MADE:
            (project / part).mkdir(parents=True)
        project.replace(folder)


def shipped() -> Path:
    """The folder that holds what projects begin with: the repository's, else the installed one."""
    repository = Path(__file__).parents[2]
    if (repository / "pyproject.toml").is_file():
        return repository
    return Path(sysconfig.get_path("data"), "share", "funnelstats")
