"""How odd facts are told, and why a row or a cell cannot be read: codes with their sentences."""

import tomllib
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from funnelstats.config.words import _


class Fact(NamedTuple):
    """Something odd, named as in ``facts.toml``, and how often; ``mend`` are lines of funnel.toml that help."""

    fact: str
    detail: str
    number: int
    mend: str = ""


class FactText(NamedTuple):
    """How a fact is told, of one and of several; a warning has the numbers it touches."""

    one: str
    several: str
    touches: list[str] | None = None
    about_people: bool = False


FACT_TEXTS = {
    fact: FactText(**text)
    for fact, text in tomllib.loads(Path(__file__).with_name("facts.toml").read_text(encoding="utf-8")).items()
}

REASON_WORDS = {
    "again": "repeats {keys} of an earlier row",
    "overlap": "repeats a row of {file}",
    "orphan": "belongs to no lead",
    "blank": "is missing",
    "date": "is not a date written as {written}",
    "number": 'is not a number with decimal "{decimal}"',
    "flag": "is neither yes nor no; map it with values.{column}",
    "digits": "has lost digits; export ids as text",
    "fields": "has {fields} fields where the header has {wanted}",
    "json": "is not JSON: {error}",
    "json_object": "is not a JSON object",
    "formula": "is an error of a formula",
    "closing": "is a line of the report and no row of the table",
    "no_rate": "has no rate on its day",
}
REPEATS = ("again", "overlap")
"""Reasons of rows that can be read and stand there already."""
NOT_BAD = (*REPEATS, "closing", "no_rate")
"""Reasons of what is set aside and says nothing against the export, nor against how it is read."""
NO_LEAD = "of no lead"
"""Why contacts are left out, where ``no_lead`` says that others than leads are contacted too; its code is "no_lead"."""
FURTHER_ROWS = "further rows of a lead"
"""Why rows of a history are left out of the leads."""
AGAIN_IN_FILE = "repeats {keys} of row {row}"
"""How the file of what is set aside tells "again"; pages tell such rows together, whichever they repeat."""
BETWEEN = "\t"


def reason(code: str, *parameters: object) -> str:
    """A reason as tables hold it: its code, and its parameters in the order of its words.

    >>> reason("fields", 2, 3)
    'fields\\t2\\t3'
    """
    return BETWEEN.join(map(str, (code, *parameters)))


def code_of(reason: str) -> str:
    return reason.partition(BETWEEN)[0]


def parameters_of(reason: str) -> dict[str, str]:
    code, *parameters = reason.split(BETWEEN)
    names = [name for _text, name, _format, _conversion in Formatter().parse(_in_file(code)) if name]
    return dict(zip(names, parameters, strict=True))


def _in_file(code: str) -> str:
    return AGAIN_IN_FILE if code == "again" else REASON_WORDS[code]


def reason_in_file(reason: str) -> str:
    """The reason in English, with the row that is repeated.

    >>> reason_in_file(reason("again", "lead_id and stage", 5)), reason_in_file(reason("blank"))
    ('repeats lead_id and stage of row 5', 'is missing')
    """
    return _in_file(code_of(reason)).format(**parameters_of(reason))


def reason_on_page(reason: str) -> str:
    """The reason in the language of the page."""
    parameters = parameters_of(reason)
    if "keys" in parameters:
        parameters["keys"] = _(" and ").join(map(_, parameters["keys"].split(" and ")))
    return _(REASON_WORDS[code_of(reason)]).format(**parameters)
