"""Write the notebooks of the edges: the committed notebooks with other parameters, and one of hostile names.

    make notebooks

runs this and executes them; nbval then compares them like the others.
"""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent.parent / "notebooks"
EDGES = {
    "manager_without_leads": ("manager", {"week": "2026-W26", "manager": "Nobody"}),
    "manager_with_three_leads": ("manager", {"week": "2025-W49", "manager": "Novák"}),
    "first_week": ("weekly", {"week": "2025-W49"}),
}
HOSTILE = """\
import pandas as pd

import funnelstats as fs

spec = fs.read_funnel(funnel)
names = ["<img src=x onerror=alert(1)>", '=HYPERLINK("http://x")', "$x^2$ _a_ **b**", "O'Neill & Sons"]
counts = pd.DataFrame({"manager": names, "from_stage": "lead", "to_stage": "met", "entered": 40, "converted": 36})
verdicts = fs.versus_target(counts, spec)"""
SHOWN = [
    'fs.show_table(verdicts, fs.Layout(name="hostile", title="<script>alert(1)</script>"))',
    "fs.show_text(names)",
]


def write(name: str, notebook: nbformat.NotebookNode) -> None:
    """The notebook under a name, its cells named after it."""
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{name.replace('_', '-')}-{number:02}"
    nbformat.write(notebook, HERE / f"{name}.ipynb")


def main() -> None:
    """Write all goldens, not yet executed."""
    for name, (original, parameters) in EDGES.items():
        notebook = nbformat.read(NOTEBOOKS / f"{original}.ipynb", as_version=4)
        (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
        lines = {line.split(" = ")[0]: line for line in cell.source.splitlines()}
        lines |= {key: f'{key} = "{value}"' for key, value in parameters.items()}
        cell.source = "\n".join(lines.values())
        write(name, notebook)
    parameters = new_code_cell('funnel = "sample"', metadata={"tags": ["parameters"]})
    code = [parameters, new_code_cell(HOSTILE), *map(new_code_cell, SHOWN)]
    cells = [new_markdown_cell("# Do hostile names stay names?"), *code]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    write("hostile_names", new_notebook(cells=cells, metadata={"kernelspec": kernel}))


if __name__ == "__main__":
    main()
