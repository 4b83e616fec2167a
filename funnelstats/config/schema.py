"""The five canonical tables, and rates of currencies: their columns, what each holds, which ones must be there."""

from typing import Literal, NamedTuple

Kind = Literal["id", "text", "instant", "day", "number", "flag", "stage"]


class Column(NamedTuple):
    """What one canonical column holds.

    An ``instant`` column gets a neighbour that ends in ``_on`` (``at`` gets ``on``): its date in the
    funnel's time zone. A ``flag`` is yes, no or unknown.
    """

    kind: Kind
    meaning: str
    required: bool = False


CURRENCY = Column("text", "of the amount, where it is not the funnel's")

TABLES: dict[str, dict[str, Column]] = {
    "rates": {
        "date": Column("day", "the day from which on the rate holds", required=True),
        "currency": Column("text", "whose rate", required=True),
        "rate": Column("number", "how much one unit of it is in the funnel's currency", required=True),
    },
    "leads": {
        "lead_id": Column("id", "one sales attempt; text, unique", required=True),
        "created_at": Column("instant", "when the lead came in"),
        "manager": Column("text", "who owns it now"),
        "channel": Column("text", "where it came from"),
        "campaign": Column("text", "which campaign, event or page brought it"),
        "amount": Column("number", "expected size of the deal"),
        "currency": CURRENCY,
        "ready_budget": Column("flag", "budget known at hand-over"),
        "ready_authority": Column("flag", "talks to who decides"),
        "ready_need": Column("flag", "need confirmed"),
        "ready_timing": Column("flag", "knows when to buy"),
    },
    "entries": {
        "lead_id": Column("id", "whose entry", required=True),
        "stage": Column("stage", "a stage of the funnel, lost or nurture", required=True),
        "entered_at": Column("instant", "when it entered the stage", required=True),
        "manager": Column("text", "who owned the lead then"),
        "reason": Column("text", "why it was lost"),
    },
    "contacts": {
        "lead_id": Column("id", "who was contacted", required=True),
        "at": Column("instant", "when", required=True),
        "kind": Column("text", "call, meeting, message", required=True),
        "manager": Column("text", "by whom"),
        "duration_s": Column("number", "seconds it took"),
        "reached": Column("flag", "somebody answered"),
        "channel": Column("text", "through which channel marketing touched the lead"),
    },
    "payments": {
        "lead_id": Column("id", "who paid", required=True),
        "paid_at": Column("instant", "when", required=True),
        "amount": Column("number", "how much", required=True),
        "currency": CURRENCY,
        "payment_id": Column("id", "its own number; rows of one number are one payment"),
    },
    "costs": {
        "date": Column("day", "the day the money was spent", required=True),
        "channel": Column("text", "on which channel"),
        "campaign": Column("text", "on which campaign"),
        "amount": Column("number", "how much", required=True),
        "currency": CURRENCY,
    },
}

FILES = ("CSV", "JSON", "Parquet", "XES", "XLSX")
"""Kinds of files that are read, told by their content; beside them tables of databases."""

KEYS_OF_KIND = {
    "encoding": ("CSV", "JSON"),
    "header_row": ("CSV", "XLSX"),
    "sheet": ("XLSX",),
    "rows": ("JSON",),
    "fill_down": FILES,
    "may_lack": FILES,
}
"""Keys of how a file is read, and the kinds of files that they go with; with a database none does."""

KEYS_OF_TABLE = {
    "attributes": ("leads",),
    "keep": ("leads",),
    "latest_by": ("leads",),
    "stage": ("entries",),
    "unmapped": ("entries",),
    "ids": ("entries", "contacts", "payments"),
    "lead_by": ("entries", "contacts", "payments"),
    "shared": ("entries", "contacts", "payments"),
    "no_lead": ("contacts",),
    "given_back": ("payments", "costs"),
    "refunded": ("payments",),
    "repeats": ("payments", "costs"),
}
"""Keys of a source that only some tables have."""

AMOUNT_UNITS = {"micros": "/ 1000000", "cents": "/ 100", "thousands": "* 1000", "millions": "* 1000000"}
"""What an amount may count, and what makes money of it."""
DURATIONS = frozenset({"duration_s"})
"""Numbers that are how long something took."""

ROW_NUMBER = "_row"
"""In place of a header: the number of the row itself."""
PART = "_part"
"""In place of a header: the title of the sheet that is stated, or the file's name up to its first full stop."""

KNOWN_ON = {
    "rates": "date",
    "leads": "created_on",
    "entries": "entered_on",
    "contacts": "on",
    "payments": "paid_on",
    "costs": "date",
}
"""The day from which on a row of a table is known."""

ENDS = ("lost", "nurture")
"""Ends of the stage they happen at: refused with a reason; returned to marketing."""

MISSING = "(missing)"
"""The visible group of blank values, so that every table adds up to its total."""

START, WON, NOT_WON = "(start)", "(won)", "(not won)"
"""Where the paths of leads from channel to channel begin and end."""

NO_TOUCH = "(no contact with a channel)"
"""Whose money no rule but the lead's own channel can place."""

IGNORE = "ignore"
"""A value mapped to this is counted and left out, as declared."""


def date_column(instant: str) -> str:
    """Name of the local date beside an instant.

    >>> date_column("entered_at"), date_column("at")
    ('entered_on', 'on')
    """
    return instant.removesuffix("at") + "on"
