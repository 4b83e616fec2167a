"""From an executed notebook to the HTML of a page, and what keeps a page from being published."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from funnelstats.config.words import in_language, translations
from funnelstats.page.tables import TABLE_MIME, TEXT_MIME

TEMPLATES = Path(__file__).parent / "page"
MAX_PAGE_BYTES = 1_000_000

WORDS = {
    "skip": "Skip to the report",
    "all_pages": "All pages of this run",
    "all_weeks": "All weeks, months and quarters",
    "failed": "This page could not be made; the notebook with the reason lies under _failed.",
}
"""What a page says of itself."""

_FORBIDDEN_TAGS = (
    *("script", "iframe", "frame", "object", "embed", "form", "input", "button", "link", "base"),
    *("math", "video", "audio", "source", "template", "portal"),
)
_FETCHING = ("src", "srcset", "background", "action", "formaction", "poster", "data", "ping", "xlink:href")


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(TEMPLATES.parent)],
        exclude_input=True,
        exclude_anchor_links=True,
        # Each would copy and check the whole notebook to change nothing of it.
        default_preprocessors=[],
    )


def page_words(language: str) -> dict[str, Any]:
    """What the templates need to speak a language: a page's own words, and how to say a notebook's."""
    texts = {name: translations(language).gettext(text) for name, text in WORDS.items()}
    return {**texts, "prose": partial(in_language, language=language)}


def page_html(notebook: Any, *, title: str, language: str = "en", index: str | None = "index.html") -> str:
    """The notebook's words and outputs as one self-contained page; its code stays in the notebook.

    Nothing of a page depends on the clock or the machine: the same outputs give the same text.
    """
    html, _ = _exporter().from_notebook_node(
        notebook,
        resources={"page_title": title, "language": language, "words": page_words(language), "index": index},
    )
    return str(html)


def overview_html(
    sections: Sequence[tuple[str, Sequence[Mapping[str, str]]]], *, title: str, language: str = "en", up: str = ""
) -> str:
    """The page of links: per section its pages, each with label, href and state; ``up`` leads to the page above."""
    from jinja2 import Environment, FileSystemLoader

    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    return templates.get_template("overview.html.j2").render(
        sections=sections, title=title, language=language, words=page_words(language), up=up
    )


def tables_of(notebook: Any) -> dict[str, dict[str, Any]]:
    """The data of every table the notebook shows, in order, by its name."""
    found = [output["data"][TABLE_MIME] for output in _outputs(notebook) if TABLE_MIME in output.get("data", {})]
    names = [table["name"] for table in found]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"each table of a page needs a name of its own, repeated: {', '.join(repeated)}")
    return {table["name"]: table for table in found}


def lead_sentences(notebook: Any) -> list[str]:
    """What to do, as the notebook's first box of the kind says it."""
    texts = [output["data"][TEXT_MIME] for output in _outputs(notebook) if TEXT_MIME in output.get("data", {})]
    return next((list(text["sentences"]) for text in texts if text["box"] == "lead"), [])


def faults(html: str, notebook: Any) -> list[str]:
    """What keeps the page from being published: each fault in one sentence, none if it is fine."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup(html, "html.parser")
    outputs = _outputs(notebook)
    drawn = sum("image/png" in output.get("data", {}) for output in outputs)
    pictures, titles, headings = (page.select(tag) for tag in ("img", "head > title", "h1"))
    size = len(html.encode())
    checks = [
        (any(output["output_type"] == "error" for output in outputs), "a cell ended in an error"),
        (drawn != len(pictures), f"{drawn} figures in the notebook, {len(pictures)} on the page"),
        (any(not str(img.get("alt", "")).strip() for img in pictures), "a figure has no alt text"),
        (len(titles) != 1, f"a page has one title, found {len(titles)}"),
        (len(headings) != 1, f"a page has one main heading (# ...), found {len(headings)}"),
        (size > MAX_PAGE_BYTES, f"a page stays below {MAX_PAGE_BYTES:,} bytes, got {size:,}"),
    ]
    unsafe = [fault for tag in page.find_all(True) for fault in _tag_faults(tag.name, tag.attrs)]
    return [fault for wrong, fault in checks if wrong] + list(dict.fromkeys(unsafe))


def _tag_faults(tag: str, attributes: Mapping[str, Any]) -> Iterator[str]:
    """What would run, or ask another machine for something, when the page is opened."""
    if tag in _FORBIDDEN_TAGS:
        yield f"<{tag}> may not be on a page"
    for name, value in attributes.items():
        text = " ".join(value) if isinstance(value, list) else str(value)
        text = re.sub(r"[\x00-\x20]+", "", text).lower()
        if name.startswith("on"):
            yield f"<{tag} {name}>: a page has no event handlers"
        if name in _FETCHING and not text.startswith("data:image/png;base64,"):
            yield f"<{tag} {name}={text[:40]}>: a page holds its pictures"
        if name == "href" and re.match(r"[^/?#]*:", text) and not text.startswith(("https:", "http:", "mailto:")):
            yield f"<{tag} href={text[:40]}>: a link goes to https, a file name or #"
        if name == "style" and "url(" in text:
            yield f"<{tag} style>: a style asks for nothing"
        if tag == "meta" and name == "http-equiv" and text == "refresh":
            yield "a page does not send its reader elsewhere"


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
