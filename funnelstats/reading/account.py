"""What preparation found, as people read it: the sentences of odd facts, and why rows are left out."""

from __future__ import annotations

from funnelstats.stated.funnel import Funnel
from funnelstats.stated.schema import TABLES
from funnelstats.stated.words import _

FACTS = {
    "no_rows": (
        "{n} row of the table “{detail}” can be used: no page can tell anything of it.",
        "{n} rows of the table “{detail}” can be used: no page can tell anything of it.",
    ),
    "never_seen": (
        "{n} row holds what funnel.toml states as {detail}: check the spelling.",
        "{n} rows hold what funnel.toml states as {detail}: check the spelling.",
    ),
    "costs_without_leads": (
        "{n} row of costs is of the channel “{detail}”, which no lead has.",
        "{n} rows of costs are of the channel “{detail}”, which no lead has.",
    ),
    "undated": (
        "{n} lead stands at the stage “{detail}”, for which the export has no date: it is in no rate.",
        "{n} leads stand at the stage “{detail}”, for which the export has no date: they are in no rate.",
    ),
    "leads_without_entry": (
        "{n} lead never entered a stage: it is in no rate.",
        "{n} leads never entered a stage: they are in no rate.",
    ),
    "leads_without_created_at": ("{n} lead has no date of creation.", "{n} leads have no date of creation."),
    "blank": (
        "{n} lead has a blank {detail}: shown as (missing), apart from any “unknown”.",
        "{n} leads have a blank {detail}: shown as (missing), apart from any “unknown”.",
    ),
    "entries_without_manager": (
        "{n} entry of the stage “{detail}” has no manager: counted, never ranked.",
        "{n} entries of the stage “{detail}” have no manager: counted, never ranked.",
    ),
    "no_manager_at_stage": (
        "{n} entry of the stage “{detail}”, that is the only one, has no manager: "
        "the conversion of a manager from this stage cannot be computed.",
        "{n} entries of the stage “{detail}”, that is all of them, have no manager: "
        "the conversion of a manager from this stage cannot be computed.",
    ),
    "system_user_entries": (
        "{n} entry belongs to the system user “{detail}”: counted, never ranked.",
        "{n} entries belong to the system user “{detail}”: counted, never ranked.",
    ),
    "entered_before_created": (
        "{n} lead entered a stage before it was created: counted, not in durations.",
        "{n} leads entered a stage before they were created: counted, not in durations.",
    ),
    "out_of_order": (
        "{n} lead entered “{detail}” the wrong way round: counted, not in durations.",
        "{n} leads entered “{detail}” the wrong way round: counted, not in durations.",
    ),
    "after_export": (
        "{n} entry is dated after the export: it counts from its date on.",
        "{n} entries are dated after the export: they count from their date on.",
    ),
    "at_midnight": (
        "{n} of all entries is at midnight exactly, so its hour is not known.",
        "{n} of all entries are at midnight exactly, so their hour is not known.",
    ),
    "tied": (
        "{n} lead entered two stages at the same instant: ordered as the funnel orders them.",
        "{n} leads entered two stages at the same instant: ordered as the funnel orders them.",
    ),
    "hand_overs": (
        "{n} lead was handed from one manager to another: each step counts for who held it then.",
        "{n} leads were handed from one manager to another: each step counts for who held it then.",
    ),
    "history_starts_late": (
        "{n} lead had its whole time for “{detail}” before the first entry there: the history of that stage seems to "
        "start later than the leads, so early cohorts look worse than they were.",
        "{n} leads had their whole time for “{detail}” before the first entry there: the history of that stage seems "
        "to start later than the leads, so early cohorts look worse than they were.",
    ),
    "unread_amounts": (
        "{n} amount in the column “{detail}” cannot be read: the lead counts, its money is in no figure.",
        "{n} amounts in the column “{detail}” cannot be read: the leads count, their money is in no figure.",
    ),
    "unread_managers": (
        "{n} name in the column “{detail}” cannot be read: its row counts for nobody.",
        "{n} names in the column “{detail}” cannot be read: their rows count for nobody.",
    ),
    "unread_reasons": (
        "{n} reason in the column “{detail}” cannot be read: the refusal counts without one.",
        "{n} reasons in the column “{detail}” cannot be read: the refusals count without one.",
    ),
    "unread_dates": (
        "{n} date in the column “{detail}” cannot be read: the lead counts, without a day of its creation.",
        "{n} dates in the column “{detail}” cannot be read: the leads count, without a day of their creation.",
    ),
    "unread_cells": (
        "{n} cell of the column “{detail}” cannot be read: it counts as not known, its row stays.",
        "{n} cells of the column “{detail}” cannot be read: they count as not known, their rows stay.",
    ),
    "unread_payments": (
        "{n} payment cannot be read: its money is in no figure.",
        "{n} payments cannot be read: their money is in no figure.",
    ),
    "unread_costs": (
        "{n} row of costs cannot be read: its money is in no figure.",
        "{n} rows of costs cannot be read: their money is in no figure.",
    ),
    "utc_days": (
        "{n} date in the column “{detail}” is stored as midnight UTC: read as that day, without an hour.",
        "{n} dates in the column “{detail}” are stored as midnight UTC: read as those days, without an hour.",
    ),
    "utc_midnights": (
        "{n} date in the column “{detail}” is midnight UTC exactly: if it is a day and no instant, it may count on the "
        "day before, and before what came earlier that day.",
        "{n} dates in the column “{detail}” are midnight UTC exactly: if they are days and no instants, they may count "
        "on the day before, and before what came earlier that day.",
    ),
    "dates_swapped": (
        "{n} true date of the workbook, in the column “{detail}”, has a day of 12 or less, where others are text with "
        "days above: Excel may have swapped day and month.",
        "{n} true dates of the workbook, all in the column “{detail}”, have days of 12 or less, where others are text "
        "with days above: Excel may have swapped day and month.",
    ),
    "grouped_managers": (
        "{n} row is blank in the column “{detail}”, which is filled at the beginning of groups only: fill it down in "
        "the spreadsheet, since the row counts for nobody.",
        "{n} rows are blank in the column “{detail}”, which is filled at the beginning of groups only: fill it down in "
        "the spreadsheet, since the rows count for nobody.",
    ),
    "grouped_cells": (
        "{n} row is blank in the column “{detail}”, which is filled at the beginning of groups only: fill it down in "
        "the spreadsheet.",
        "{n} rows are blank in the column “{detail}”, which is filled at the beginning of groups only: fill it down in "
        "the spreadsheet.",
    ),
    "long_calls": (
        "{n} contact has a duration; half of them are above {detail} seconds: these are most likely milliseconds, and "
        "every attempt counts as a conversation.",
        "{n} contacts have a duration; half of them are above {detail} seconds: these are most likely milliseconds, "
        "and every attempt counts as a conversation.",
    ),
    "several_reasons": (
        "{n} refusal names several reasons in one cell, as “{detail}”: each such list counts as a reason of its own.",
        "{n} refusals name several reasons in one cell, as “{detail}”: each such list counts as a reason of its own.",
    ),
}
"""The sentence of each fact, of one and of several."""

TOUCHES: dict[str, tuple[str, ...]] = {
    "no_rows": (),
    "never_seen": (),
    "unread_amounts": ("money",),
    "unread_managers": ("people",),
    "unread_reasons": ("refusals",),
    "unread_dates": ("dates",),
    "unread_cells": (),
    "unread_payments": ("money",),
    "unread_costs": ("money",),
    "utc_days": (),
    "utc_midnights": ("conversion", "dates"),
    "dates_swapped": ("conversion", "dates", "people"),
    "grouped_managers": ("people",),
    "grouped_cells": (),
    "long_calls": (),
    "several_reasons": ("refusals",),
}
"""Facts that are warnings, told as soon as the data is prepared, each with the numbers it makes doubtful."""


def left_out_words(funnel: Funnel) -> dict[str, str]:
    """What preparation writes of a row left out as declared, in the language of the page; values stay as they are."""
    sources = [source for table in TABLES for source in getattr(funnel, table)]
    files = {", ".join(join.files) for source in sources for join in source.join}
    columns = {source.columns["entered_at"] for source in funnel.entries if source.stage is not None}
    return {
        **{f"not found in {names}": _("not found in {files}").format(files=names) for names in files},
        **{f"no {column}": _("{column} is blank").format(column=column) for column in columns},
    }
