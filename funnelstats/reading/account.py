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
        "{n} lead stands at the stage “{detail}”, for which the export has no date: that stage is in no rate.",
        "{n} leads stand at the stage “{detail}”, for which the export has no date: that stage is in no rate.",
    ),
    "ends_undated": (
        "{n} lead came to “{detail}” on a day that the export does not hold: it is not open, and not known to be in "
        "time.",
        "{n} leads came to “{detail}” on a day that the export does not hold: they are not open, and not known to be "
        "in time.",
    ),
    "payments_undated": (
        "{n} payment has no date: it counts in what its lead paid, and in no month.",
        "{n} payments have no date: they count in what their leads paid, and in no month.",
    ),
    "ends_corrected": (
        "{n} end was put right within the hours stated for it ({detail}): it is no end.",
        "{n} ends were put right within the hours stated for it ({detail}): they are no ends.",
    ),
    "ends_soon_reopened": (
        "{n} lead was reopened within a day after it was lost or returned, and counts as refused and tried again: if "
        "that put a slip right, state more hours for it.",
        "{n} leads were reopened within a day after they were lost or returned, and count as refused and tried again: "
        "if that put slips right, state more hours for it.",
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
}
"""The sentence of each fact, of one and of several."""

TOUCHES: dict[str, tuple[str, ...]] = {
    "ends_undated": ("conversion", "dates", "refusals", "money", "leads"),
    "payments_undated": ("money",),
    "ends_soon_reopened": ("conversion", "refusals"),
}
"""Which numbers a fact makes doubtful: those facts are warnings."""


def left_out_words(funnel: Funnel) -> dict[str, str]:
    """What preparation writes of a row left out as declared, in the language of the page; values stay as they are."""
    sources = [source for table in TABLES for source in getattr(funnel, table)]
    files = {", ".join(join.files) for source in sources for join in source.join}
    columns = {source.columns["entered_at"] for source in funnel.entries if source.stage is not None}
    return {
        **{f"not found in {names}": _("not found in {files}").format(files=names) for names in files},
        **{f"no {column}": _("{column} is blank").format(column=column) for column in columns},
    }
