"""Break the package in many small ways, one at a time, and see whether its tests notice.

    python tools/mutate.py [COUNT] [SEED]

A mutation turns one comparison, sign, number, truth value or `and` of a function into its neighbour. Which ones is
drawn by the seed from the functions' names and texts, so that the same are drawn wherever a function lives. The test
files that name something of the mutated module run in a copy of the repository until one fails. Prints each mutation
that survived with its place, and how many were killed.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "reports", "__pycache__", "processed")
SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


class Mutation(NamedTuple):
    """Where a function's text is changed: file, line and columns, from what to what."""

    path: Path
    function: str
    line: int
    start: int
    end: int
    old: str
    new: str


def mutations() -> Iterator[Mutation]:
    """Every mutation of every function, one node each, in the order of the files."""
    for path in sorted((REPOSITORY / "funnelstats").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                # nodes inside an f-string have no place of their own
                texts = [node for node in ast.walk(function) if isinstance(node, ast.JoinedStr)]
                inside = {id(part) for text in texts for part in ast.walk(text)}
                for node in ast.walk(function):
                    new = neighbour(node)
                    if new and node.lineno == node.end_lineno and id(node) not in inside:
                        # columns are bytes in Python's trees
                        place = (node.lineno, node.col_offset, node.end_col_offset)
                        yield Mutation(path.relative_to(REPOSITORY), function.name, *place, ast.unparse(node), new)


def neighbour(node: ast.AST) -> str:
    """The node's text with one thing changed, or nothing where there is none to change."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        return str(not node.value) if isinstance(node.value, bool) else str(node.value + 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
        return ast.unparse(node.operand)
    changed = deepcopy(node)
    if isinstance(changed, ast.Compare) and type(changed.ops[0]) in SWAPS:
        changed.ops[0] = SWAPS[type(changed.ops[0])]()
    elif isinstance(changed, (ast.BinOp, ast.BoolOp)) and type(changed.op) in SWAPS:
        changed.op = SWAPS[type(changed.op)]()
    else:
        return ""
    return f"({ast.unparse(changed)})"


def drawn(count: int, seed: str) -> list[Mutation]:
    """The first mutations by a hash of what they change."""

    turns: dict[str, Mutation] = {}
    seen: Counter[str] = Counter()
    for mutation in mutations():
        change = f"{mutation.function} {mutation.old} {mutation.new}"
        seen[change] += 1
        turns[hashlib.sha256(f"{seed} {change} {seen[change]}".encode()).hexdigest()] = mutation
    return [turns[turn] for turn in sorted(turns)[:count]]


def tests_of(path: Path) -> list[str]:
    """The test files that name a function or class of a module, those that name most of them first."""
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    public = re.compile(rf"\b({'|'.join(name for name in names if not name.startswith('_')) or '$^'})\b")
    hits = {
        test: len(set(public.findall(test.read_text(encoding="utf-8")))) for test in REPOSITORY.glob("tests/test_*")
    }
    found = sorted((test for test in hits if hits[test]), key=lambda test: (-hits[test], test))
    return [str(test.relative_to(REPOSITORY)) for test in found[:8]]


def is_killed(mutation: Mutation, copy: Path) -> bool:
    """Whether a test fails in a copy of the repository that has the mutation."""
    path = copy / mutation.path
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    line = lines[mutation.line - 1]
    lines[mutation.line - 1] = line[: mutation.start] + mutation.new.encode() + line[mutation.end :]
    path.write_bytes(b"".join(lines))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    try:
        run = subprocess.run(
            [*command, *tests_of(mutation.path)],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=900,
        )
    except subprocess.TimeoutExpired:
        return True  # it no longer ends, which no test would wait for
    finally:
        path.write_bytes(whole)
    return run.returncode != 0


def main(count: int = 60, seed: str = "1") -> None:
    """Try the mutations, as many at once as there are cores."""
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(os.cpu_count() or 1):
            copies.put(Path(shutil.copytree(REPOSITORY, Path(folder, str(number)), ignore=LEFT_OUT)))

        def tried(mutation: Mutation) -> bool:
            copy = copies.get()
            killed = is_killed(mutation, copy)
            copies.put(copy)
            words = f"{mutation.path}:{mutation.line} {mutation.function}: {mutation.old} -> {mutation.new}"
            print(f"{'killed  ' if killed else 'SURVIVED'} {words}", flush=True)
            return killed

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(tried, drawn(count, seed)))
    print(f"{sum(results)} of {len(results)} killed")


if __name__ == "__main__":
    main(*([int(sys.argv[1])] if sys.argv[1:] else []), *sys.argv[2:3])
