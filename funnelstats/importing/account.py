"""What preparation found, as people read it: the sentences of odd facts, and why rows are left out."""

from __future__ import annotations

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import TABLES
from funnelstats.config.words import _

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
        "{n} lead stands at “{detail}”, which the export does not date: an end without a date is an end, a stage "
        "without one is in no rate.",
        "{n} leads stand at “{detail}”, which the export does not date: an end without a date is an end, a stage "
        "without one is in no rate.",
    ),
    "far_after": (
        "{n} entry is dated as far as {detail}, long after all others, most likely by a slip: the data is read as "
        "ending before it. If the date is true, state it as exported_on.",
        "{n} entries are dated as far as {detail}, long after all others, most likely by a slip: the data is read as "
        "ending before them. If the date is true, state it as exported_on.",
    ),
    "far_before": (
        "{n} entry is dated {detail} or earlier, long before all others: most likely a slip.",
        "{n} entries are dated {detail} or earlier, long before all others: most likely a slip.",
    ),
    "leads_after_the_end": (
        "{n} lead was created after the last day of the data, {detail}: until that day nothing is known of it.",
        "{n} leads were created after the last day of the data, {detail}: until that day nothing is known of them.",
    ),
    "contacts_after_the_end": (
        "{n} contact is dated after the last day of the data, {detail}: no page counts it.",
        "{n} contacts are dated after the last day of the data, {detail}: no page counts them.",
    ),
    "payments_after_the_end": (
        "{n} payment is dated after the last day of the data, {detail}: its money is in no figure.",
        "{n} payments are dated after the last day of the data, {detail}: their money is in no figure.",
    ),
    "costs_after_the_end": (
        "{n} row of costs is dated after the last day of the data, {detail}: its money is in no figure.",
        "{n} rows of costs are dated after the last day of the data, {detail}: their money is in no figure.",
    ),
    "first_stage_not_logged": (
        "{n} lead stands beyond “{detail}” without an entry of its own there: the history seems to log changes only. "
        "Leads that never moved on are then in no rate, and the step from “{detail}” looks better than it is.",
        "{n} leads stand beyond “{detail}” without an entry of their own there: the history seems to log changes only. "
        "Leads that never moved on are then in no rate, and the step from “{detail}” looks better than it is.",
    ),
    "stage_not_logged": (
        "{n} lead went past “{detail}” without an entry of its own there, as nearly all do: those who fail at it are "
        "not seen, and the step from it looks like 100%. Log it, or leave it out.",
        "{n} leads went past “{detail}” without an entry of their own there, as nearly all do: those who fail at it "
        "are not seen, and the step from it looks like 100%. Log it, or leave it out.",
    ),
    "only_the_last_move": (
        "{n} lead has a date for the stage where it stands now and none for those before: the export is a snapshot of "
        "today. When leads entered the stages in between is not known; a date column for each would tell.",
        "{n} leads have a date for the stage where they stand now and none for those before: the export is a snapshot "
        "of today. When leads entered the stages in between is not known; a date column for each would tell.",
    ),
    "ends_without_stage": (
        "{n} lead has an end and no stage: it is in no rate and in no table of refusals.",
        "{n} leads have an end and no stage: they are in no rate and in no table of refusals.",
    ),
    "one_id_of_several": (
        "{n} “{detail}” stands in several rows with different dates of creation: these seem to be different leads, of "
        "which only one is read and has the history of all. Another column must tell leads apart.",
        "{n} “{detail}” stand in several rows with different dates of creation: these seem to be different leads, of "
        "which only one each is read and has the history of all. Another column must tell leads apart.",
    ),
    "repeated_ids_differ": (
        "{n} lead stands in several rows that do not say the same of it, for example its {detail}: the first row "
        "counts. If the last one, or the latest by a column, should, state keep or latest_by.",
        "{n} leads stand in several rows that do not say the same of them, for example their {detail}: the first row "
        "counts. If the last one, or the latest by a column, should, state keep or latest_by.",
    ),
    "few_ids_differ": (
        "{n} of all leads stands in several rows that do not say the same of it, for example its {detail}: the first "
        "row counts.",
        "{n} of all leads stand in several rows that do not say the same of them, for example their {detail}: the "
        "first row counts.",
    ),
    "payments_overlap": (
        "{n} payment stands in two files, as when two exports overlap: it counts once (left out in {detail}).",
        "{n} payments stand in two files, as when two exports overlap: they count once (left out in {detail}).",
    ),
    "costs_overlap": (
        "{n} row of costs stands in two files, as when two exports overlap: it counts once (left out in {detail}).",
        "{n} rows of costs stand in two files, as when two exports overlap: they count once (left out in {detail}).",
    ),
    "payments_twice": (
        "{n} payment stands there again, word for word ({detail} with it and without): is it one payment or two? "
        "With a number for each payment rows of one number count once.",
        "{n} payments stand there again, word for word ({detail} with them and without): are they one payment or two? "
        "With a number for each payment rows of one number count once.",
    ),
    "costs_twice": (
        "{n} row of costs stands there again, word for word ({detail} with it and without): it is added up.",
        "{n} rows of costs stand there again, word for word ({detail} with them and without): they are added up.",
    ),
    "people_spelled_twice": (
        "{n} name of a person is spelled in several ways, each counted as somebody else ({detail}).",
        "{n} names of people are spelled in several ways, each counted as somebody else ({detail}).",
    ),
    "channels_spelled_twice": (
        "{n} name is spelled in several ways, each counted apart ({detail}): leads, money and spend do not meet.",
        "{n} names are spelled in several ways, each counted apart ({detail}): leads, money and spend do not meet.",
    ),
    "reasons_spelled_twice": (
        "{n} reason of refusal is spelled in several ways, each counted apart ({detail}).",
        "{n} reasons of refusal are spelled in several ways, each counted apart ({detail}).",
    ),
    "names_spelled_twice": (
        "{n} value is spelled in several ways, each counted apart ({detail}).",
        "{n} values are spelled in several ways, each counted apart ({detail}).",
    ),
    "mixed_currencies": (
        "{n} amount is of another currency than the pages' ({detail}) and is added up as if it were of theirs: convert "
        "it, or leave it out.",
        "{n} amounts are of another currency than the pages' ({detail}) and are added up as if they were of theirs: "
        "convert them, or leave them out.",
    ),
    "queue_first": (
        "{n} lead came to “{detail}” with no person (blank, or a system user) and was taken by one within a week: the "
        "step counts for nobody of the team.",
        "{n} leads came to “{detail}” with no person (blank, or a system user) and were taken by one within a week: "
        "the step counts for nobody of the team.",
    ),
    "queue_like": (
        "{n} entry of “{detail}” was passed on to another owner within the hour, as nearly all of this owner's: if "
        "that is a queue and no seller, its steps count for the wrong one.",
        "{n} entries of “{detail}” were passed on to another owner within the hour, as nearly all of this owner's: if "
        "that is a queue and no seller, its steps count for the wrong one.",
    ),
    "inherited": (
        "{n} open lead belongs by now to another than at its last move ({detail}): rates count it for who had it then, "
        "lists of leads to act on for who has it now.",
        "{n} open leads belong by now to others than at their last move ({detail}): rates count them for who had them "
        "then, lists of leads to act on for who has them now.",
    ),
    "open_without_owner": (
        "{n} open lead belongs to nobody, or to a system user: it is on no list of leads to act on.",
        "{n} open leads belong to nobody, or to a system user: they are on no list of leads to act on.",
    ),
    "snapshot": (
        "{n} lead has its stages from its own row, a snapshot: steps back, stages entered twice and earlier owners "
        "cannot be told, and each step counts for the owner whom that row names.",
        "{n} leads have their stages from their own rows, a snapshot: steps back, stages entered twice and earlier "
        "owners cannot be told, and each step counts for the owner whom that row names.",
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
    "most_ends_corrected": (
        "{n} end, most of all there are, was followed by a stage entry within the hours stated ({detail}) and counts "
        "as a slip put right: if leads are lost first and moved afterwards, state no hours.",
        "{n} ends, most of all there are, were followed by a stage entry within the hours stated ({detail}) and count "
        "as slips put right: if leads are lost first and moved afterwards, state no hours.",
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
    "history_starts_late": ("conversion", "dates"),
    "far_after": ("conversion", "dates"),
    "far_before": ("dates",),
    "payments_after_the_end": ("money",),
    "costs_after_the_end": ("money",),
    "first_stage_not_logged": ("conversion", "people"),
    "stage_not_logged": ("conversion", "people"),
    "only_the_last_move": ("conversion", "people", "dates"),
    "ends_without_stage": ("conversion", "refusals"),
    "one_id_of_several": ("conversion", "people", "leads", "money"),
    "repeated_ids_differ": ("people", "leads", "money"),
    "payments_overlap": ("money",),
    "costs_overlap": ("money",),
    "payments_twice": ("money",),
    "costs_twice": ("money",),
    "people_spelled_twice": ("people", "leads"),
    "channels_spelled_twice": ("money", "conversion"),
    "reasons_spelled_twice": ("refusals",),
    "names_spelled_twice": ("conversion",),
    "mixed_currencies": ("money", "leads"),
    "queue_first": ("people",),
    "queue_like": ("people",),
    "inherited": ("people", "leads"),
    "open_without_owner": ("leads",),
    "ends_undated": ("conversion", "dates", "refusals", "money", "leads"),
    "payments_undated": ("money",),
    "most_ends_corrected": ("conversion", "refusals"),
    "ends_soon_reopened": ("conversion", "refusals"),
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
"""Facts that make a number false or hide rows, each with the numbers it touches: warnings, told before all others.

The numbers are "conversion" (rates by step), "dates" (weeks and durations), "people" (managers' rates and lists),
"refusals", "money" and "leads" (lists to act on). A page tells a warning beside the numbers that it touches.
"""
NAMING = frozenset(
    {
        "never_seen",
        "system_user_entries",
        "queue_like",
        "inherited",
        "open_without_owner",
        "people_spelled_twice",
        "names_spelled_twice",
    }
)
"""Facts that name people, or are about leads of others: on no page that one manager reads."""


def left_out_words(funnel: Funnel) -> dict[str, str]:
    """What preparation writes of a row left out as declared, in the language of the page; values stay as they are."""
    sources = [source for table in TABLES for source in getattr(funnel, table)]
    files = {", ".join(join.files) for source in sources for join in source.join}
    columns = {source.columns["entered_at"] for source in funnel.entries if source.stage is not None}
    return {
        **{f"not found in {names}": _("not found in {files}").format(files=names) for names in files},
        **{f"no {column}": _("{column} is blank").format(column=column) for column in columns},
    }
