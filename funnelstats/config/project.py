"""A project of one's own, anywhere: the notebooks, the sample, what runs it every week, and the folders of a run."""

import shutil
import sysconfig
from pathlib import Path

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import own_folder

COPIED = {"notebooks": "notebooks", "data/raw/sample": "data/raw/sample", "examples/project": "."}
MADE = ("data/processed", "reports")


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
