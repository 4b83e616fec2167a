"""What a fresh clone relies on: lock, environment and project file agree, and commands that are named exist."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from projects import NAME, TOML, write

from funnelstats.config.errors import FunnelError
from funnelstats.config.project import new_project

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(line) for line in [*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["test"]]]
BOUNDED = {"duckdb": "<2", "sqlglot": "<=30.15"}
"""Upper bounds, each for a break that is known: a bound without one keeps security fixes out."""


def locked():
    """Versions of every package in the lock; several where they depend on the version of Python."""
    versions = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if not line.startswith((" ", "#")):
            requirement = Requirement(line.removesuffix("\\"))
            versions.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return versions


def environment():
    """The lines of environment.yml, comments left out."""
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    return [line.strip().removeprefix("- ") for line in lines if line.strip() and not line.lstrip().startswith("#")]


def tracked():
    """The text files that belong to the project, those not committed yet included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git clone")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    for path in paths:
        if path.is_file() and path.suffix not in (".png", ".xlsx", ".parquet"):
            yield path, path.read_text(encoding="utf-8", errors="replace")


def make_targets():
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_lock_holds_every_dependency_at_a_version_that_is_asked_for(asked) -> None:
    versions = locked()[canonicalize_name(asked.name)]
    for requirement in versions:
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert pin.version in asked.specifier


def test_every_line_of_the_lock_is_one_exact_version() -> None:
    pins = [requirement for versions in locked().values() for requirement in versions]
    assert [str(pin) for pin in pins if len(pin.specifier) != 1 or next(iter(pin.specifier)).operator != "=="] == []
    assert [str(pin) for pin in pins if pin.url] == []


def test_every_package_of_the_lock_has_hashes_and_nothing_else_is_installed() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    packages = [place for place, line in enumerate(lines) if not line.startswith(" ")]
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines if line.startswith(" "))
    assert [lines[place] for place in packages if not lines[place + 1].startswith("    --hash=")] == []
    assert "--require-hashes --requirement requirements.lock" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_a_package_locked_twice_says_which_python_gets_which() -> None:
    twice = {name: versions for name, versions in locked().items() if len(versions) > 1}
    assert {name for name, versions in twice.items() if not all(pin.marker for pin in versions)} == set()


def test_the_extras_that_are_asked_for_are_locked_too() -> None:
    assert {"duckdb", "pyarrow"} <= locked().keys()


def test_upper_bounds_are_only_those_with_a_known_break_and_the_break_is_said() -> None:
    bounds = {
        asked.name: str(bound)
        for asked in ASKED
        for bound in asked.specifier
        if bound.operator in ("<", "<=", "==", "~=")
    }
    assert bounds == BOUNDED
    comments = " ".join(re.findall(r"#(.*)", TEXT[: TEXT.index("[project.optional-dependencies]")]))
    for name in bounds:
        assert re.search(rf"{name} \d", comments), f"say which version of {name} breaks what"
    assert "lift" in comments


def test_conda_installs_the_lock_on_the_same_python() -> None:
    lines = environment()
    # pip takes nothing that has no hash in one go with what has
    assert "-r requirements.lock" in lines
    assert "-e ." not in lines
    (python,) = [line.removeprefix("python") for line in lines if line.startswith("python")]
    assert SpecifierSet(python) == SpecifierSet(PROJECT["requires-python"])


def test_the_makefile_and_the_workflows_ask_for_no_older_python_than_the_project() -> None:
    (floor,) = [Version(bound.version) for bound in SpecifierSet(PROJECT["requires-python"])]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"sys.version_info < ({floor.major}, {floor.minor})" in makefile
    assert f"--python-version {floor}" in makefile
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r'"(3\.\d+)"', workflow.read_text(encoding="utf-8"))
        assert used, workflow.name
        assert min(map(Version, used)) >= floor


def test_the_workflows_and_ci_use_make_targets_that_exist() -> None:
    for path in [*(ROOT / ".github" / "workflows").glob("*.yml"), ROOT / ".ci" / "run"]:
        used = re.findall(r"^\s*(?:- run: )?make ([a-z]+)\s*$", path.read_text(encoding="utf-8"), re.M)
        assert set(used) <= make_targets(), path.name


def test_every_make_target_that_the_readme_names_exists() -> None:
    readme = ROOT / "README.md"
    if not readme.is_file():
        pytest.skip("README.md absent")
    text = readme.read_text(encoding="utf-8")
    code = [*re.findall(r"```.*?```", text, re.S), *re.findall(r"`[^`\n]+`", text)]
    named = {target for piece in code for target in re.findall(r"\bmake ([a-z]+)", piece)}
    assert {"report", "test"} <= named <= make_targets()


def test_every_make_target_runs_even_where_a_file_has_its_name() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY:(.*)$", makefile, re.M).group(1).split())
    assert make_targets() <= phony


def test_no_file_names_a_package_index_or_a_place_on_one_machine() -> None:
    # put together here, so that this file does not find itself
    hosts = "|".join(
        ["files.pythonhosted" + r"\.org", "pypi" + r"\.org/simple", "index" + "-url =", "anaconda" + r"\.org/"]
    )
    places = "|".join(["/" + folder + "/" for folder in ("home", "root", "Users", "work", "mnt")])
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for path, text in tracked()
        for hit in [re.search(rf"{hosts}|(?<![\w./}}*-])(?:{places})[\w.-]+", text)]
        if hit
    ]
    assert found == []


def test_the_package_on_disk_is_the_package_that_is_installed() -> None:
    packages = tomllib.loads(TEXT)["tool"]["setuptools"]["packages"]
    assert packages == {"find": {"include": ["funnelstats*"]}}
    folders = {path.parent for path in (ROOT / "funnelstats").rglob("*.py")}
    assert {folder.name for folder in folders if not (folder / "__init__.py").is_file()} == set()


def test_pandas_and_friends_are_declared_by_whoever_imports_them() -> None:
    import ast
    import sys
    from importlib.metadata import packages_distributions

    homes = packages_distributions()
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for name in extras.keys() - {"test"} for line in extras[name])]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    imported = set()
    for path in (ROOT / "funnelstats").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"funnelstats"}
    missing = {name for name in foreign if not {canonicalize_name(home) for home in homes.get(name, [name])} & declared}
    assert missing == set()


def test_a_new_project_holds_what_the_package_ships_and_takes_no_folder_that_is_in_use(tmp_path) -> None:
    new_project(tmp_path / "ours")
    made = {str(path.relative_to(tmp_path / "ours")) for path in (tmp_path / "ours").rglob("*") if path.is_file()}
    assert {"notebooks/weekly.ipynb", "data/raw/sample/funnel.toml", "Makefile", ".github/workflows/weekly.yml"} < made
    shipped = tomllib.loads(TEXT)["tool"]["setuptools"]["data-files"]
    files = {path.relative_to(ROOT) for patterns in shipped.values() for glob in patterns for path in ROOT.glob(glob)}
    assert made == {
        str(path).removeprefix("examples/project/")
        for path in files
        if (ROOT / path).is_file() and path.name != ".gitattributes"
    }
    folders = {str(path.parent) for path in files}
    assert {folder.removeprefix("share/funnelstats/") for folder in shipped} == folders
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]
    with pytest.raises(FunnelError, match="ours: is there already, and not empty"):
        new_project(tmp_path / "ours")


def test_a_new_project_s_makefile_makes_its_pages_and_opens_the_lab(tmp_path, monkeypatch) -> None:
    new_project(tmp_path / "ours")
    monkeypatch.chdir(tmp_path / "ours")
    write("exported_on = 2026-02-28\n" + TOML)
    jupyter = tmp_path / "jupyter"
    jupyter.write_text('#!/bin/sh\necho "jupyter $@"\n')
    jupyter.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    told = subprocess.run(
        ["make", "--no-print-directory", "report", "lab", f"FUNNEL={NAME}"], capture_output=True, text=True, check=True
    )
    assert Path("reports", NAME, "2026-W08", "index.html").is_file()
    assert "data/processed/team: unchanged" in told.stderr
    assert told.stdout.splitlines()[-1] == "jupyter lab notebooks"
    workflow = Path(".github", "workflows", "weekly.yml").read_text(encoding="utf-8")
    assert "- run: make report\n" in workflow
