"""Which columns of a history say whose a change is, when it was and to what: by what changes within a lead."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from funnelstats.recognising.sheets import Sheet, chosen_by
from funnelstats.recognising.stages import end_of
from funnelstats.recognising.words import fit, plain, role_fit, words

CHANGING = 0.05
"""Share of the leads of several rows within which a column changes; one that does in fewer says nothing of a change."""
ONCE = 0.6
"""Share of the rows of a history which are the first of their lead at their stage."""
LOOKED_AT = 2_000
"""Leads that tell which columns change within them."""
MANY_IDS = 10
MOST_FIELDS = 200
"""Names of fields whose changes a log may hold."""
REPEATED = 1.05
SAID_BEFORE = 0.8
"""Of the rows of changes, in how many the stage that was left is the one that the row before came to."""


def roles_of_changes(sheet: Sheet, roles: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The headers of a history by role, put right by its rows; and what it lacks, if anything.

    A stage and a time change within a lead; the id of a lead repeats, and is not the number of a change.
    """
    roles = roles if "old_stage" in roles else {**roles, **_old_and_new(sheet, roles)}
    found = {**roles, **_changed_field(sheet, roles)}
    found["lead_id"] = _lead_id(sheet, found)
    rows = rows_of_stages(sheet.cells, found)
    changing = _changing(rows, found["lead_id"])
    if changing is None:
        return found, ""
    others = {found[role] for role in ("lead_id", "old_stage", "changed_field", "manager") if role in found}
    may_be = {
        "stage": [name for name, field in sheet.fields.items() if field.kind != "date" and is_new_value(name)],
        "time": [name for name in sheet.dates if not role_fit(name, "left")],
    }
    for role, names in may_be.items():
        fitting = [name for name in names if name in changing - others]
        usual = [found[other] for other in (role, "created", "closed") if found.get(other) in fitting]
        if not fitting:
            dates = ", ".join(f"“{name}”" for name in names)
            return found, f"no column says {'when' if role == 'time' else 'to what'} a lead changed" + (
                f"; the same in all rows of a lead: {dates}" if dates else ""
            )
        best = max(fitting, key=lambda name: role_fit(name, role) or role_fit(name, "created") / 2)
        found[role] = usual[0] if usual and (role == "time" or usual[0] == found.get(role)) else best
    return found, ""


def id_by_rows(sheet: Sheet, stage: str, time: str, named: str) -> str:
    """The column of a history's ids by its rows: the finest one whose ids come to a stage once, change it, and begin at
    the same one; "" where none is so.

    Of the one that is ``named`` somehow like an id only the first is asked, and where it is called one exactly the
    others must be called so too: a history knows the customer and the job of a quote beside it.
    """
    cells = sheet.cells.sort_values(time) if sheet.fields[time].formats == (("",),) else sheet.cells
    found, exactly = "", role_fit(named, "lead_id") >= 2
    # A move of a deal that stands there again is beside each of its contacts.
    move = list(dict.fromkeys([named, stage, time]))
    for name, field in sorted(sheet.fields.items(), key=lambda item: item[0] != named):
        repeated = REPEATED * field.distinct <= field.filled == len(cells) and field.kind in ("id", "number", "text")
        if name == stage or not repeated or cells.duplicated([name, stage]).mean() > 1 - ONCE:
            continue
        if name == named:
            found = name
        elif field.distinct > (sheet.fields[found].distinct if found else MANY_IDS):
            firsts = cells.drop_duplicates(name)[stage].value_counts(normalize=True)
            stages = cells.groupby(name)[stage].agg(["size", "nunique"]).query("size > 1")["nunique"]
            called = not exactly or (role_fit(name, "lead_id") >= 1 and not cells.duplicated(move).mean() > CHANGING)
            if called and firsts.max() >= 1 - CHANGING and (stages > 1).mean() >= ONCE:
                found = name
    return found


def is_new_value(header: str) -> bool:
    """Whether a column may hold the stage that a lead came to, and not the one it left."""
    return role_fit(header, "stage") >= 1 and not role_fit(header, "old_stage")


def rows_of_stages(cells: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """The rows of a history that are changes of the stage."""
    return cells[chosen_by(cells, only_stages(cells, roles))]


def only_leads(cells: pd.DataFrame, roles: Mapping[str, str]) -> dict[str, list[str]]:
    """What chooses the rows of leads in a log of the changes of several kinds of things."""
    moved, lead = rows_of_stages(cells, roles), roles["lead_id"]
    for header in map(str, cells):
        if fit(header, words()["kinds"]["entity"]) >= 2 and moved[header].nunique() == 1:
            entity = moved[header].dropna().iloc[0]
            if not cells[lead][cells[header] != entity].isin(cells[lead][cells[header] == entity]).any():
                return {header: [entity]}
    return {}


def only_stages(cells: pd.DataFrame, roles: Mapping[str, str]) -> dict[str, list[str]]:
    """What chooses the changes of the stage in a history of many fields, and of another field that says won or lost."""
    if "changed_field" not in roles:
        return {}
    logged = cells[roles["changed_field"]]
    fits = _fits_of_fields(logged)
    best = max(fits, key=lambda name: fits[name], default="")
    if not fits or not fits[best]:
        return {}
    ends = [
        name
        for name in fits
        if name != best
        and fits[name] >= 2
        and "stage" in roles
        and any(end_of(value) for value in cells[roles["stage"]][logged == name].dropna().unique())
    ]
    return {roles["changed_field"]: [best, *ends]}


def _fits_of_fields(names: pd.Series) -> dict[str, float]:
    return {name: fit(name, words()["fields"]["stage"]) for name in names.dropna().unique()[:MOST_FIELDS]}


def _old_and_new(sheet: Sheet, roles: Mapping[str, str]) -> dict[str, str]:
    """The stages that leads left and came to, where one column says what the other said in the lead's row before."""
    lead, stage = roles["lead_id"], roles.get("stage", "")
    at = next((roles[role] for role in ("time", "created", "closed") if role in roles), next(iter(sheet.dates), ""))
    if not at or not stage or sheet.fields[lead].stands_once:
        return {}
    cells = sheet.cells.loc[sheet.times(at).sort_values(kind="stable").index]
    to_come = {*words()["dates"]["to_come"], *words()["undone"]["planned"]}
    if not ({*words()["dates"]["latest"]} - {"latest"}).isdisjoint(plain(stage).split()):
        to_come = set()  # beside the last stage the next one is the one it came to
    others = [
        name
        for name, field in sheet.fields.items()
        if name not in (lead, stage)
        and field.kind in ("text", "id")
        and field.distinct <= MOST_FIELDS
        and to_come.isdisjoint(plain(name).split())
    ]
    before = cells.groupby(lead)[[stage, *others]].shift()
    for old, new in [pair for name in others for pair in ((stage, name), (name, stage))]:
        both = before[new].notna() & cells[old].notna()
        same, moved = (cells[old] == before[new])[both], (cells[old] != cells[new])[both]
        if both.sum() >= MANY_IDS and same.mean() >= SAID_BEFORE and moved.mean() >= SAID_BEFORE:
            return {"old_stage": old, "stage": new}
    return {}


def _changed_field(sheet: Sheet, roles: Mapping[str, str]) -> dict[str, str]:
    """The column that names what changed: one of its names is that of a stage."""
    used = {header for role, header in roles.items() if role not in ("changed_field", "contact_kind")}
    best = {
        name: max(_fits_of_fields(sheet.cells[name]).values(), default=0)
        for name, field in sheet.fields.items()
        if field.kind in ("text", "id") and field.distinct <= MOST_FIELDS and name not in used
    }
    found = max(best, key=lambda name: (best[name] >= 2, role_fit(name, "changed_field"), best[name]), default="")
    is_one = best.get(found, 0) >= 2 or ("old_stage" in roles and role_fit(found, "changed_field"))
    return {"changed_field": found} if is_one else {}


def _lead_id(sheet: Sheet, roles: Mapping[str, str]) -> str:
    """The column of the leads' ids; where the one called so numbers the changes of a log, another whose ids repeat."""
    named = roles["lead_id"]
    is_log = "old_stage" in roles or "changed_field" in roles
    others = [
        name
        for name, field in sheet.fields.items()
        if field.kind in ("id", "number")
        and role_fit(name, "lead_id") >= (1 if sheet.fields[named].stands_once else 2)
        and REPEATED * field.distinct <= field.filled == len(sheet.cells)
        and name not in [header for role, header in roles.items() if role != "lead_id"]
    ]
    finest = max(others, key=lambda name: sheet.fields[name].distinct, default=named)
    once = sheet.fields[named].stands_once
    return finest if is_log and (once or sheet.fields[finest].distinct > sheet.fields[named].distinct) else named


def _changing(cells: pd.DataFrame, lead: str) -> set[str] | None:
    """Columns that change within leads; None where no lead has several rows."""
    several = cells[cells.duplicated(lead, keep=False)]
    if several.empty:
        return None
    few = several[several[lead].isin(several[lead].drop_duplicates().head(LOOKED_AT))]
    changed = few.groupby(lead).nunique().gt(1).mean()
    return {*changed.index[changed > CHANGING]}
