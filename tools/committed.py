"""Committed notebooks executed again in place: `python tools/committed.py notebooks/*.ipynb`."""

import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from funnelstats.config.project import SHIPPED, digest_of_cells
from funnelstats.reporting.reports import CELL_SECONDS


def reexecute(path: Path) -> None:
    """Run a notebook with its own defaults in its own folder and write it back with its outputs.

    What changes from run to run is left out, so that an unchanged notebook gives the same bytes; when a cell
    fails, the file stays as it was.
    """
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    notebook = nbformat.from_dict(_with_ids(json.loads(path.read_text(encoding="utf-8"))))
    with tempfile.TemporaryDirectory() as sockets:
        # Files that only this user can open: anybody on the machine could reach ports.
        files = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        NotebookClient(
            notebook,
            kernel_name="python3",
            config=files,
            resources={"metadata": {"path": str(path.parent.resolve())}},
            timeout=CELL_SECONDS,
            coalesce_streams=True,
            record_timing=False,
            store_widget_state=False,
        ).execute()
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        SHIPPED: digest_of_cells(notebook),
    }
    part = path.with_name(f".{path.name}.part")
    part.write_text(_by_rows(nbformat.writes(notebook)) + "\n", encoding="utf-8")
    os.replace(part, path)


def _by_rows(text: str) -> str:
    """The JSON with each list and object in a list that holds no other on one line: a table's rows are read as such."""
    return re.sub(
        r"(?m)^( +)([\[{])\n((?:\1 \S.*(?<![\[{])\n)+)\1([\]}])",
        lambda row: f"{row[1]}{row[2]}{' '.join(map(str.strip, row[3].splitlines()))}{row[4]}",
        text,
    )


def _with_ids(notebook: dict[str, Any]) -> dict[str, Any]:
    """Cells without an id, or with one twice, get one made from their place and source, not a random one."""
    seen: set[str] = set()
    for place, cell in enumerate(notebook["cells"]):
        if cell.get("id") in seen or "id" not in cell:
            source = "".join(cell["source"])
            cell["id"] = hashlib.sha256(f"{place} {source}".encode()).hexdigest()[:8]
        seen.add(cell["id"])
        if isinstance(cell["source"], list):
            cell["source"] = "".join(cell["source"])
    return {**notebook, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        reexecute(Path(name))
