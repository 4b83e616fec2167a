"""From an executed notebook to the HTML of a page, and what keeps a page from being published."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from funnelstats.config.words import translations
from funnelstats.page.tables import TABLE_MIME, TEXT_MIME
from funnelstats.reporting.titles import Link

TEMPLATES = Path(__file__).parent / "page"
MAX_PAGE_BYTES = 1_000_000

WORDS = {
    "skip": "Skip to the report",
    "all_pages": "All reports",
    "pages": "Reports",
}
"""What a page of a notebook says of itself."""

SCRIPT = (TEMPLATES / "page.js").read_text(encoding="utf-8")
"""The only script of a page: it sorts and searches tables. It is a constant, and a browser runs no other."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
)

_PAGE_LINK = re.compile(r'<a class="fs-page" (?:href="[^"]*" )?data-page="([^"]*)"')

_FORBIDDEN_TAGS = (
    *("script", "iframe", "frame", "object", "embed", "form", "input", "button", "link", "base"),
    *("img", "math", "video", "audio", "source", "template", "portal"),
)
IN_A_DRAWING = "svg "
_DRAWING_TAGS = (
    *("svg", "g", "a", "circle", "clippath", "defs", "line", "path", "pattern", "polyline", "rect", "text", "title"),
    "use",
)
"""All that a figure's drawing holds: nothing of it runs, asks for something or is a page within the page."""
_STYLING = ("style", "fill", "stroke", "filter", "mask", "clip-path")
_FETCHING = ("src", "srcset", "background", "action", "formaction", "poster", "data", "ping", "xlink:href")


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(TEMPLATES.parent)],
        exclude_input=True,
        exclude_anchor_links=True,
        # nbconvert's templates name it for code, which no page shows.
        filters={"highlight_code": "nbconvert.filters.Highlight2HTML"},
        # Each would copy and check the whole notebook to change nothing of it.
        default_preprocessors=[],
    )


def page_words(language: str) -> dict[str, Any]:
    """A page's own words in a language, its script and its policy."""
    texts = {name: translations(language).gettext(text) for name, text in WORDS.items()}
    return {**texts, "script": SCRIPT, "policy": POLICY}


def page_html(notebook: Any, *, title: str, language: str = "en", links: Sequence[Link] = ()) -> str:
    """The notebook's words and outputs as one self-contained page; its code stays in the notebook.

    Nothing of a page depends on the clock or the machine: the same outputs give the same text.
    """
    from nbconvert.exporters import TemplateExporter

    # HTMLExporter's own would read the page once more and write it anew, for alt texts that our figures have.
    html, _ = TemplateExporter.from_notebook_node(
        _exporter(),
        notebook,
        resources={
            "page_title": title,
            "language": language,
            "words": page_words(language),
            "links": links,
        },
    )
    return str(html)


def linked(html: str, folder: Path) -> str:
    """The page with its links to pages of its funnel that are there; the others are plain words.

    ``folder`` is the page's own, beside the other folders of the funnel.
    """

    def link(found: re.Match[str]) -> str:
        target = (folder / unescape(found[1])).resolve()
        there = target.is_relative_to(folder.parent.resolve()) and target.is_file()
        href = f'href="{quote(unescape(found[1]))}" ' if there else ""
        return f'<a class="fs-page" {href}data-page="{found[1]}"'

    return _PAGE_LINK.sub(link, html)


def without_links(html: str) -> str:
    """The page whatever other pages are there."""
    return _PAGE_LINK.sub(r'<a class="fs-page" data-page="\1"', html)


def site_page(template: str, language: str, **facts: Any) -> str:
    """A page that leads to others, in a language."""
    from jinja2 import Environment, FileSystemLoader

    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    return templates.get_template(template).render(language=language, script=SCRIPT, policy=POLICY, **facts)


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
    tags = _Tags(html.replace(f"<script>{SCRIPT}</script>", "", 1)).found
    outputs = _outputs(notebook)
    drawn = sum(_is_figure(output.get("data", {})) for output in outputs)
    figures = [dict(own) for _, own in tags if "fs-panels" in (dict(own).get("class") or "").split()]
    # figures have titles of their own
    head = tags[: next((place for place, (tag, _) in enumerate(tags) if tag == "body"), len(tags))]
    titles, headings = ([tag for tag, _ in part if tag == name] for part, name in ((head, "title"), (tags, "h1")))
    size = len(html.encode())
    checks = [
        (any(output["output_type"] == "error" for output in outputs), "a cell ended in an error"),
        (
            drawn != len(figures),
            f"{drawn} figures in the notebook, {len(figures)} on the page; "
            "fs.show_figure(figure, alt=...) puts one there",
        ),
        (any(not (figure.get("aria-label") or "").strip() for figure in figures), "a figure has no alt text"),
        (len(titles) != 1, f"a page has one title, found {len(titles)}"),
        (len(headings) != 1, f"a page has one main heading (# ...), found {len(headings)}"),
        (size > MAX_PAGE_BYTES, f"a page stays below {MAX_PAGE_BYTES:,} bytes, got {size:,}"),
    ]
    unsafe = [fault for tag, own in tags for fault in _tag_faults(tag.removeprefix(IN_A_DRAWING), own)]
    drawn_tags = {tag.removeprefix(IN_A_DRAWING) for tag, _ in tags if tag.startswith(IN_A_DRAWING)}
    unsafe += [f"<{tag}> may not be in a drawing" for tag in sorted(drawn_tags.difference(_DRAWING_TAGS))]
    return [fault for wrong, fault in checks if wrong] + list(dict.fromkeys(unsafe))


def _is_figure(data: Mapping[str, Any]) -> bool:
    """Whether an output is a figure, or a picture that no page would show."""
    return any(kind.startswith("image/") for kind in data) or 'class="fs-panels"' in data.get("text/html", "")


class _Tags(HTMLParser):
    """Every tag of a page with its attributes, in order; those within an svg are marked."""

    RCDATA_CONTENT_ELEMENTS = ()  # type: ignore[misc]
    """A browser looks for tags in the title of a drawing."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.drawings = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((f"{IN_A_DRAWING if self.drawings else ''}{tag}", attrs))
        self.drawings += tag == "svg"

    def handle_endtag(self, tag: str) -> None:
        self.drawings -= tag == "svg" and self.drawings > 0


def _tag_faults(tag: str, attributes: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    """What would run, or ask another machine for something, when the page is opened."""
    if tag in _FORBIDDEN_TAGS:
        yield f"<{tag}> may not be on a page"
    for name, value in attributes:
        text = re.sub(r"[\x00-\x20]+", "", value or "").lower()
        if name.startswith("on"):
            yield f"<{tag} {name}>: a page has no event handlers"
        if name in _FETCHING or (name == "href" and tag != "a" and not text.startswith("#")):
            yield f"<{tag} {name}={text[:40]}>: a page holds all that it shows"
        if name == "href" and re.match(r"[^/?#]*:", text) and not text.startswith(("https:", "http:", "mailto:")):
            yield f"<{tag} href={text[:40]}>: a link goes to https, a file name or #"
        if name in _STYLING and re.search(r"url\((?!#)", text):
            yield f"<{tag} {name}>: a style asks for nothing"
        if tag == "meta" and name == "http-equiv" and text == "refresh":
            yield "a page does not send its reader elsewhere"


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
