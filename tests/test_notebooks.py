"""The committed notebooks: run as they stand, compared output by output, and the comparison itself tested."""

import ast
import builtins
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from committed import reexecute
from projects import write_notebook

from funnelstats.config.folders import RUN_FOLDER, WHOLE_RUN
from funnelstats.importing.prepare import prepare
from funnelstats.page.tables import TABLE_MIME

ROOT = Path(__file__).parent.parent
COMMITTED = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("tests/golden/*.ipynb")])
BANNED_NAMES = ("HTML", "Markdown", "Latex", "SVG", "Javascript", "IFrame", "Image", "display_html")
BANNED_ATTRIBUTES = ("style", "fmt_markdown", "from_notebook_node", "read_html")

DEMO = [
    "import pandas as pd\n\nfrom funnelstats.core.conversion import conversion_rates\n"
    "from funnelstats.page.layout import Layout\nfrom funnelstats.page.tables import show_table",
    'rates = conversion_rates(pd.DataFrame({"entered": [263], "converted": [converted]}))',
    'show_table(rates, Layout(name="rates", title="Conversion"))',
    "rates",
]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def source_faults(source):
    """What makes a cell untestable or unsafe, from its text."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ["not plain Python"]
    found = ["ends in ;"] if source.rstrip().endswith(";") else []
    found += ["asks nbval to look away"] if re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)", source, re.I) else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            found.append("defines a function")
        if isinstance(node, ast.Name | ast.alias):
            name = node.id if isinstance(node, ast.Name) else node.name.split(".")[-1]
            found += [f"unsafe {name}"] if name in BANNED_NAMES else []
        if isinstance(node, ast.Attribute) and node.attr in (*BANNED_ATTRIBUTES, *BANNED_NAMES):
            found.append(f"unsafe .{node.attr}")
        if isinstance(node, ast.Call):
            found += ["unsafe escape=False" for word in node.keywords if word.arg == "escape" and not truth(word.value)]
    return found


def truth(node):
    return isinstance(node, ast.Constant) and node.value is True


def output_faults(cell):
    """Stored outputs that nbval would compare to nothing, or that no reader should see."""
    for output in cell.outputs:
        if output.output_type == "error":
            yield "a stored error"
        if output.output_type == "stream" and output.name == "stderr":
            yield "a warning on stderr"
        data = output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            yield "a picture that no page shows"
        if "<svg" in data.get("text/html", "") and not re.search(r"\d", data.get("text/plain", "")):
            yield "a figure without its numbers"


def notebook_faults(notebook):
    """Everything that would let nbval pass without having compared something real."""
    cells = code_cells(notebook)
    found = [] if cells else ["no code cells"]
    written = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    shown = [str(output.get("data", {}).get("text/html", "")) for cell in cells for output in cell.outputs]
    if sum(len(re.findall(r"(?m)^# |<h1>", text)) for text in (*written, *shown)) != 1:
        found.append("must have one main heading")
    if not cells or "parameters" not in cells[0].metadata.get("tags", []):
        found.append("its first code cell must be tagged parameters")
    elif not literals_only(cells[0].source):
        found.append("parameters must be literals")
    for place, cell in enumerate(cells):
        faults = [*source_faults(cell.source), *output_faults(cell)]
        faults += [
            f"tag {tag}"
            for tag in cell.metadata.get("tags", [])
            if tag.startswith("nbval") or tag == "raises-exception"
        ]
        if cell.execution_count != place + 1:
            faults.append("not run in order from a fresh kernel")
        if shows_something(cell.source) and not cell.outputs:
            faults.append("its output was stripped")
        found += [f"cell {place}: {fault}" for fault in faults]
    if cells and not any(cell.outputs for cell in cells):
        found.append("no outputs to compare")
    shown = "\n".join(compared(output) for cell in cells for output in cell.outputs)
    # The sample's targets and limits of 0 and 1 are round by nature.
    measured = set(re.findall(r"\d\.\d+", shown)) - {"0.0", "1.0", "1.00", "0.8", "0.80", "0.95"}
    if measured and not re.search(r"\d\.\d{4}", shown):
        found.append("too few digits compared")
    return found


def literals_only(source):
    try:
        return all(
            isinstance(line, ast.Assign) and ast.literal_eval(line.value) != NotImplemented
            for line in ast.parse(source).body
        )
    except (ValueError, SyntaxError):
        return False


def shows_something(source):
    """Whether the last line is an expression whose value Jupyter shows."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return bool(body) and isinstance(body[-1], ast.Expr) and not isinstance(body[-1].value, ast.Constant)


def compared(output):
    """The text of an output that nbval compares."""
    data = output.get("data", {})
    rows = json.dumps(data.get(TABLE_MIME, {}).get("rows", ""))
    return "\n".join([data.get("text/plain", ""), rows, output.get("text", "")])


def nbval(paths, folder, **environment):
    """Outcome per notebook and code cell of pytest --nbval in a process of its own: passed or failed."""
    report, settings = folder / "nbval.xml", folder / "nbval.ini"
    settings.write_text("[pytest]\n")
    # a drawing differs between versions of matplotlib; its numbers are compared
    drawings = folder / "drawings.cfg"
    drawings.write_text("[drawings]\nregex: (?s)<svg .*?</svg>\nreplace: (a drawing)\n")
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "-c", str(settings)]
    # pytest names no notebook that lies outside its root.
    root = os.path.commonpath([folder, *paths])
    command += [
        f"--nbval-sanitize-with={drawings}",
        "--nbval-cell-timeout=120",
        f"--rootdir={root}",
        f"--junitxml={report}",
        *map(str, paths),
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | environment)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        stem = case.get("classname").removesuffix(".ipynb").split(".")[-1].split("/")[-1]
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        outcomes.setdefault(stem, []).append(bad[0] if bad else "passed")
    return outcomes, run.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    path = write_notebook(tmp_path_factory.mktemp("demo") / "demo.ipynb", DEMO, "converted = 81")
    reexecute(path)
    return path


@pytest.fixture(scope="module")
def prepared():
    """The sample, prepared; nothing happens if it already is."""
    with contextlib.chdir(ROOT):
        prepare("sample")


def change_a_digit(cell):
    """Change one digit of what the cell's stored output has nbval compare; whether there was one."""
    for output in cell.outputs:
        text = output.get("data", {}).get("text/plain", "")
        if digit := re.search(r"(?<=\.\d)\d", text):
            other = str((int(digit[0]) + 1) % 10)
            output.data["text/plain"] = text[: digit.start()] + other + text[digit.end() :]
            return True
    return False


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_notebook_holds_something_real_to_compare(path):
    assert notebook_faults(nbformat.read(path, 4)) == []
    assert json.loads(path.read_text())["metadata"]["kernelspec"]["name"] == "python3"


def with_cells_again(path, folder):
    """A copy in which, after all cells, the two of the set-up run again, then each other one, the last one first.

    Of the manager's page the last cell that shows a number with decimals is there once more, one digit of it changed.
    """
    notebook = nbformat.read(path, 4)
    code = code_cells(notebook)
    again = [*code, *code[:2], *code[:1:-1]]
    if path.stem == "manager":
        again.append(next(filter(change_a_digit, deepcopy(code[::-1]))))
    notebook.cells = [nbformat.from_dict({**cell, "id": f"c{place}"}) for place, cell in enumerate(again)]
    nbformat.write(notebook, folder / path.name)
    return folder / path.name


@pytest.mark.usefixtures("prepared")
def test_every_code_cell_gives_its_stored_outputs_and_alone_after_all_others_gives_them_again(tmp_path):
    """A stored output with one wrong digit, and that alone, is not what its cell gives."""
    for name in ("shared", "notebooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "data").symlink_to(ROOT / "data")
    own = ROOT / "notebooks"
    paths = [with_cells_again(path, tmp_path / "notebooks") if path.parent == own else path for path in COMMITTED]
    # What the pages of a run share is made by the first, here too.
    outcomes, shown = nbval(paths, tmp_path, **dict.fromkeys((RUN_FOLDER, WHOLE_RUN), str(tmp_path / "shared")))
    expected = {path.stem: ["passed"] * len(code_cells(nbformat.read(path, 4))) for path in paths}
    expected["manager"][-1] = "failure"
    assert outcomes == expected, shown[-8000:]


def names_of(source, context):
    """The names that a cell reads, or those that it gives a value."""
    nodes = list(ast.walk(ast.parse(source)))
    bound = {alias.asname or alias.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
             for alias in node.names}  # fmt: skip
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    return names | (bound if context is ast.Store else set())


def test_the_cookbook_has_twenty_questions_each_with_a_cell_of_five_lines_that_needs_no_other():
    _head, *cells = nbformat.read(ROOT / "notebooks" / "cookbook.ipynb", 4).cells
    own = {name for name in dir(builtins) if name != "_"}  # which a doctest leaves there
    given = own.union(*(names_of(cell.source, ast.Store) for cell in cells[:2]))
    questions, answers = cells[2::2], cells[3::2]
    assert len(questions) == len(answers) == 20
    for question, answer in zip(questions, answers, strict=True):
        assert re.match(r"## .+\?\n", question.source)
        assert len(answer.source.splitlines()) <= 5, question.source
        assert names_of(answer.source, ast.Load) <= given | names_of(answer.source, ast.Store), question.source
        assert not names_of(answer.source, ast.Store) & given, question.source


def test_the_tutorial_has_ten_cells_each_with_words_before_it_and_a_frame():
    _head, _parameters, *cells, _end = nbformat.read(ROOT / "notebooks" / "tutorial.ipynb", 4).cells
    assert [cell.cell_type for cell in cells] == ["markdown", "code"] * 10
    assert all('class="dataframe"' in cell.outputs[0].data["text/html"] for cell in cells[1::2])


def test_with_one_formula_changed_a_notebook_fails(demo, tmp_path):
    shutil.copytree(ROOT / "funnelstats", tmp_path / "funnelstats", ignore=shutil.ignore_patterns("__pycache__"))
    formula = tmp_path / "funnelstats" / "core" / "intervals.py"
    right = "middle, scale = k + z**2 / 2, n + z**2"
    source = formula.read_text()
    assert source.count(right) == 1
    formula.write_text(source.replace(right, "middle, scale = k + z / 2, n + z**2"))
    outcomes, shown = nbval([demo], tmp_path, PYTHONPATH=str(tmp_path))
    assert outcomes["demo"] == [*["passed"] * 3, *["failure"] * 2], shown[-4000:]


def test_a_well_made_notebook_has_no_faults(demo):
    assert notebook_faults(nbformat.read(demo, 4)) == []


def picture(text, kind="text/html"):
    return nbformat.v4.new_output("display_data", {kind: "<svg></svg>", "text/plain": text})


def stream(name):
    return nbformat.v4.new_output("stream", name=name, text="1")


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("not run in order", lambda cell: cell.update(execution_count=None)),
        ("its output was stripped", lambda cell: cell.update(outputs=[])),
        ("a stored error", lambda cell: cell.outputs.append(nbformat.v4.new_output("error"))),
        ("a warning on stderr", lambda cell: cell.outputs.append(stream("stderr"))),
        ("tag nbval-ignore-output", lambda cell: cell.metadata.update(tags=["nbval-ignore-output"])),
        ("tag raises-exception", lambda cell: cell.metadata.update(tags=["raises-exception"])),
        ("asks nbval to look away", lambda cell: cell.update(source="rates  # NBVAL_IGNORE_OUTPUT")),
        ("ends in ;", lambda cell: cell.update(source="rates;")),
        ("not plain Python", lambda cell: cell.update(source="%time rates")),
        ("defines a function", lambda cell: cell.update(source="def rate():\n    pass")),
        ("unsafe HTML", lambda cell: cell.update(source='HTML("<b>")')),
        ("unsafe HTML", lambda cell: cell.update(source="from IPython.display import HTML as H")),
        ("unsafe .Markdown", lambda cell: cell.update(source='IPython.display.Markdown("a")')),
        ("unsafe .style", lambda cell: cell.update(source="rates.style")),
        ("unsafe .fmt_markdown", lambda cell: cell.update(source='table.fmt_markdown("a")')),
        ("unsafe escape=False", lambda cell: cell.update(source="rates.to_html(escape=False)")),
        ("a figure without its numbers", lambda cell: cell.outputs.append(picture("no numbers"))),
        ("a picture that no page shows", lambda cell: cell.outputs.append(picture("<Figure size 6x4>", "image/png"))),
    ],
)  # fmt: skip
def test_the_guard_refuses(demo, fault, change):
    notebook = nbformat.read(demo, 4)
    change(notebook.cells[-1])
    assert any(fault in found for found in notebook_faults(notebook)), notebook_faults(notebook)


def test_the_guard_refuses_a_notebook_with_nothing_to_compare(demo):
    notebook = nbformat.read(demo, 4)
    for cell in code_cells(notebook):
        cell.outputs = []
    assert "no outputs to compare" in notebook_faults(notebook)
    notebook.cells = notebook.cells[:1]
    assert "no code cells" in notebook_faults(notebook)


def test_the_guard_refuses_rounded_numbers(demo):
    notebook = nbformat.read(demo, 4)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            output.data = {"text/plain": re.sub(r"(\.\d)\d*", r"\1", output.data["text/plain"])}
    assert "too few digits compared" in notebook_faults(notebook)


def test_the_guard_wants_one_heading_and_literal_parameters(demo):
    notebook = nbformat.read(demo, 4)
    notebook.cells[1].source = "converted = open('x')"
    assert "parameters must be literals" in notebook_faults(notebook)
    notebook.cells[1].metadata = {}
    notebook.cells[0].source = "text"
    assert notebook_faults(notebook) == [
        "must have one main heading",
        "its first code cell must be tagged parameters",
    ]
