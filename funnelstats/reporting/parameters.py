"""A notebook's parameters, and a mark of everything its page depends on."""

import ast
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from funnelstats.config.errors import FunnelError, suggestion


def known_parameters(notebook: Path) -> dict[str, Any]:
    """Names and defaults of the parameters that the notebook declares in its cell tagged ``parameters``."""
    import papermill

    if not notebook.is_file():
        raise FunnelError(f"no notebook {notebook}")
    declared = papermill.inspect_notebook(str(notebook)).values()
    return {parameter["name"]: _literal(parameter["default"]) for parameter in declared}


def typed_parameters(notebook: Path, texts: Mapping[str, str]) -> dict[str, Any]:
    """Texts of a command line, typed like the notebook's defaults: a number where the default is one."""
    known = known_parameters(notebook)
    check_names(notebook, texts, known)
    typed: dict[str, Any] = {}
    for name, text in texts.items():
        kind = type(known[name])
        if kind is bool and text.lower() not in ("true", "false"):
            raise FunnelError(f'{name} must be true or false, got "{text}"')
        try:
            typed[name] = text.lower() == "true" if kind is bool else kind(text) if kind in (int, float) else text
        except ValueError:
            raise FunnelError(f'{name} must be a number like {known[name]}, got "{text}"') from None
    return typed


def check_names(notebook: Path, names: Iterable[str], known: Mapping[str, Any]) -> None:
    """Refuse a parameter that the notebook does not declare."""
    # papermill only warns about an unknown parameter, and renders the default report under its name.
    for name in names:
        if name not in known:
            raise FunnelError(f'no parameter "{name}" in {notebook.name}; {suggestion(name, known)}')


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a page shows."""
    names = "funnelstats ibis-framework duckdb pandas numpy scipy matplotlib babel nbconvert"
    found = {"python": platform.python_version()}
    for name in names.split():
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def fingerprint(notebook: Path, parameters: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Hash of all a page depends on: notebook, parameters, inputs (their hashes), this package, libraries."""
    stated = json.dumps([dict(parameters), dict(inputs), versions()], sort_keys=True, default=str)
    return hashlib.sha256(notebook.read_bytes() + _package() + stated.encode()).hexdigest()


@cache
def _package() -> bytes:
    """Hash of this package's files, read once: a year of pages is thousands."""
    digest, package = hashlib.sha256(), Path(__file__).parents[1]
    kinds = (".py", ".html", ".j2", ".css", ".json", ".toml", ".mo")
    for path in sorted(path for path in package.rglob("*") if path.suffix in kinds):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.digest()


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source
