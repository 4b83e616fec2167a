"""Texts that pages show, gathered from the package and the notebooks into the catalogue of each language.

``python tests/texts.py`` brings the catalogues up to date: new texts are added without a translation, which the tests
refuse, and those no longer used go. Translate them in the language's ``funnelstats.po`` and run it again.
"""

import ast
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from funnelstats.config.schema import TABLES
from funnelstats.importing.facts import FACT_TEXTS
from funnelstats.page.layout import NO_ROWS, stated, stated_column, tables
from funnelstats.reporting.titles import LABEL_WORDS

ROOT = Path(__file__).parents[1]
PACKAGE, NOTEBOOKS, LOCALE = ROOT / "funnelstats", ROOT / "notebooks", ROOT / "funnelstats" / "config" / "locale"
Text = str | tuple[str, str]


def texts() -> list[Text]:
    """Every text once, in the order of the files; a text in two forms is a pair."""
    found: list[Text] = []
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for tree in trees:
        found += [*_said(tree, constants), *_listed(tree)]
    for path in sorted([*PACKAGE.glob("*/*.html"), *PACKAGE.glob("*/*/*.j2")]):
        found += _of_template(path)
    for path in (NOTEBOOKS / f"{name}.ipynb" for name in sorted(LABEL_WORDS)):
        found += _of_notebook(json.loads(path.read_text(encoding="utf-8")))
    found += [*TABLES, *((text.one, text.several) for text in FACT_TEXTS.values()), *_of_tables()]
    return [text for text in dict.fromkeys(found) if text]


def _said(tree: ast.AST, constants: dict[str, str]) -> Iterator[Text]:
    """Arguments of ``_`` and ``counted``; a name stands for the constant of that name."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id == "_" and len(node.args) == 1:
            argument = node.args[0]
            if isinstance(argument, ast.Name) and argument.id in constants:
                yield constants[argument.id]
            for part in ast.walk(argument) if isinstance(argument, ast.Constant | ast.IfExp) else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value
                elif isinstance(part, ast.Name) and part.id in constants:
                    yield constants[part.id]
        if node.func.id == "counted":
            forms = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
            yield from [(forms[0], forms[1])] if len(forms) == 2 else []


def _listed(tree: ast.Module) -> Iterator[Text]:
    """Values of what the module calls words, and the verdicts, which are keys."""
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if any(name.endswith("WORDS") for name in names):
            values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            yield from (part.value for value in values for part in ast.walk(value) if isinstance(part, ast.Constant))
        if "VERDICT_MARKS" in names and isinstance(node.value, ast.Dict):
            yield from (key.value for key in node.value.keys if isinstance(key, ast.Constant))


def _of_template(path: Path) -> Iterator[Text]:
    """What is translated in a page's template."""
    options = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false", "extensions": "jinja2.ext.do"}
    with path.open("rb") as file:
        for _line, function, text, _comments in babel_extract(file, ("gettext", "_", "ngettext"), [], options):
            forms = [text] if isinstance(text, str) else [form for form in text or () if form]
            if forms:  # a name stands for words of a module
                yield (forms[0], forms[1]) if function == "ngettext" else forms[0]


def _of_notebook(notebook: dict) -> Iterator[str]:
    """The titles of boxes."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.keyword) and node.arg == "title" and isinstance(node.value, ast.Constant):
                yield node.value.value


def _of_tables() -> Iterator[str]:
    """Titles, words for what is empty or missing, and labels, which are a column's name where none is stated."""
    yield NO_ROWS
    columns = {name: stated_column(name) for name in stated()["columns"]}
    yield from (column[key] for column in columns.values() for key in ("label", "missing") if key in column)
    for table in tables().values():
        yield from (table[key] for key in ("title", "empty") if key in table)
        yield from (words for key in ("labels", "missing") for words in table.get(key, {}).values())
        unlabelled = {*table.get("columns", ())} - {name for name in columns if "label" in columns[name]}
        yield from (
            name.replace("_", " ") for name in table.get("columns", ()) if name in unlabelled and not _is_end(name)
        )


def _is_end(name: str) -> bool:
    return name.endswith(("_lower", "_upper", "*"))


def catalogue(language: str) -> Catalog:
    """The catalogue of a language with today's texts, in the order of their files, and their translations."""
    with (LOCALE / language / "LC_MESSAGES" / "funnelstats.po").open("rb") as file:
        known = read_po(file, locale=language)
    new = Catalog(
        language, project="funnelstats", version="1", header_comment=f"# funnelstats in {language}", fuzzy=False
    )
    new.msgid_bugs_address = new.last_translator = new.language_team = ""
    for text in texts():
        message = known.get(text[0] if isinstance(text, tuple) else text)
        new.add(text, message.string if message else "")
    return new


def write(language: str) -> None:
    """Both forms of a catalogue: the one people edit, the one gettext reads."""
    folder = LOCALE / language / "LC_MESSAGES"
    new = catalogue(language)
    # The date of a catalogue would differ from run to run.
    new.creation_date = new.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    with (folder / "funnelstats.po").open("wb") as file:
        write_po(file, new, width=120)
    with (folder / "funnelstats.mo").open("wb") as file:
        write_mo(file, new)


if __name__ == "__main__":
    for folder in sorted(LOCALE.iterdir()):
        write(folder.name)
