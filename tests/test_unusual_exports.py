"""Exports of unusual shape are read as they are, or with one key that says what they are."""

from __future__ import annotations

import shutil

import pytest
from projects import NAME, RAW, REPOSITORY, tables

from funnelstats.importing.prepare import prepare

pytestmark = pytest.mark.usefixtures("here")

CASES = REPOSITORY.parent / "shared" / "cases"


def of_case(case, *changes):
    """The prepared tables of a folder of ../shared, with changes of its statement."""
    if not (CASES / case).is_dir():
        pytest.skip(f"../shared/cases/{case} absent")
    shutil.copytree(CASES / case, RAW)
    toml = (RAW / "funnel.toml").read_text(encoding="utf-8")
    for before, after in changes:
        assert before in toml
        toml = toml.replace(before, after)
    (RAW / "funnel.toml").chmod(0o644)
    (RAW / "funnel.toml").write_text(toml, encoding="utf-8")
    prepare(NAME)
    return tables()


MANAGER = 'entered_at = "at", manager = "owner" }'
REASON = 'reason = "reason" }'
MET = {"lead_id": "20", "stage": "met", "entered_on": "2026-01-27"}
"""Of each shape what changes in the statement, a table with its number of rows, and what its last row holds."""
SHAPES = {
    "const": ([('values.channel = { "" = "Facebook" }', 'constants.channel = "Facebook"'), (', channel = "src"', "")],
              "leads", 20, {"channel": "Facebook"}),
    "datetime2": ([], "entries", 20, {"entered_at": "2026-01-24 09:22:00"}),
    "floatid": ([(MANAGER, f'{MANAGER}\nids = "number"')], "entries", 40, MET),
    "footer": ([], "leads", 20, {"lead_id": "20", "manager": "Anna"}),
    "hms": ([], "contacts", 20, {"duration_s": "155.0"}),
    "jsonarr": ([], "leads", 20, {"lead_id": "20", "amount": "100.0"}),
    "jsonlhist": ([("[[entries]]", '[[entries]]\nrows = "propertiesWithHistory.dealstage"')],
                  "entries", 40, {"stage": "lead", "entered_at": "2026-01-24 10:00:00"}),
    "months": ([], "entries", 20, {"entered_on": "2026-01-24"}),
    "ms": ([('"dur" }', '"dur" }\nunit.duration_s = "ms"')], "contacts", 20, {"duration_s": "45.0"}),
    "multi": ([(REASON, f'{REASON}\nfirst_of.reason = ";"')], "entries", 661, {"lead_id": "D0260"}),
    "nbspdate": ([], "entries", 40, MET | {"entered_at": "2026-01-27 14:07:00"}),
    "sapminus": ([], "leads", 20, {"amount": "-1234.5"}),
    "sept": ([], "entries", 12, {"entered_on": "2025-12-05"}),
    "serial": ([(MANAGER, f'{MANAGER}\ndate_format = "excel"')],
               "entries", 40, MET | {"entered_at": "2026-01-27 14:07:00"}),
    "sfid": ([(REASON, f'{REASON}\nids = "salesforce"')], "entries", 154, {"lead_id": "0068a00001D0060"}),
    "short": ([], "leads", 20, {"lead_id": "20", "amount": "100.0"}),
    "trail": ([], "leads", 20, {"lead_id": "20", "amount": "100.0"}),
    "xlgroup": ([('"st.xlsx"', '"st.xlsx"\nfill_down = "owner"')], "entries", 40, MET | {"manager": "Boris"}),
    "xlserial": ([('amount = "amount" }', 'amount = "amount" }\ndate_format = "excel"')],
                 "leads", 20, {"created_on": "2026-01-25"}),
    "zeroid": ([(REASON, f'{REASON}\nids = "number"')], "entries", 154, {"lead_id": "0060", "stage": "won"}),
}  # fmt: skip


@pytest.mark.parametrize("case", SHAPES)
def test_the_shapes_of_the_shared_cases_are_read(case):
    changes, table, rows, last = SHAPES[case]
    found = of_case(f"cannot-be-read/{case}", *changes)
    assert len(found[table]) == rows
    assert {name: str(found[table].iloc[-1][name]) for name in last} == last
    assert set(found["set_aside"]["code"]) == ({"closing"} if case == "footer" else set())


def test_a_contact_of_several_leads_counts_for_the_one_created_last_before_it():
    lead_by = 'columns = { at = "At", kind = "Kind" }\nlead_by = { "Contact" = "contact" }\nshared = "latest"'
    found = of_case(
        "contact-id-join",
        ('created_at = "Created" }', 'created_at = "Created" }\nattributes = { contact = "Contact" }'),
        ('columns = { lead_id = "d.ID", at = "At", kind = "Kind" }', lead_by),
        ('join = { files = "deals.csv", left = "Contact", right = "Contact", prefix = "d." }', ""),
    )
    assert found["contacts"]["lead_id"].tolist() == ["D2", "D3"]
