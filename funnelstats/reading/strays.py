"""Ids that belong to no lead, and which id of a lead each most likely stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import ibis.expr.types as ir

from funnelstats.stated.errors import visible

SALESFORCE = 15
"""Letters of a short id, to which the long one adds three that make up for capitals."""

ALIKE: list[tuple[Callable[[str], str], str]] = [
    (lambda text: re.sub(r"[.,]0+$", "", text), "one of the files holds ids as numbers with decimals"),
    (lambda text: text.lstrip("0"), "one of the files has lost the zeros at the beginning"),
    (lambda text: text[:SALESFORCE] if len(text) in (SALESFORCE, SALESFORCE + 3) else text,
     "one of the files holds the short ids of 15 letters, the other the long ones of 18"),
    (str.casefold, "the files differ in capitals"),
    (lambda text: re.sub(r"\D", "", text).lstrip("0") or text, "the files write something around the same digits"),
]  # fmt: skip
"""In which ways two ids are alike, and what then is the matter."""


def id_hint(strays: Sequence[str], leads: ir.Table) -> str:
    """What ids of no lead most likely stand for, where most of them are like a lead's in one way; else an example."""
    known = leads.lead_id.to_pyarrow().to_pylist()
    for key, matter in ALIKE:
        by_key: dict[str, str] = {}
        for lead in known:
            by_key.setdefault(key(lead), lead)
        found = [(stray, by_key[key(stray)]) for stray in strays if key(stray) in by_key]
        if len(found) * 2 > len(strays):
            stray, lead = found[0]
            return f'the lead is most likely "{visible(lead)}" for "{visible(stray)}": {matter}; export both as text'
    return f'ids of leads look like "{visible(known[0])}"' if known else ""
