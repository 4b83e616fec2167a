"""Tables as a spreadsheet opens them: real numbers and days, nothing that runs, the same bytes every day."""

import io
import zipfile
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook

from funnelstats.page.layout import Layout
from funnelstats.page.tables import TABLE_MIME, show_table
from funnelstats.page.workbook import xlsx

ACTIVE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1", "\ufeff=1", "'=1", "''=1", '=HYPERLINK("//x","y")']


def sheets(content):
    return load_workbook(io.BytesIO(content))


def table(frame, currency="", **given):
    return show_table(frame, Layout(name="t", title="T", **given), currency=currency).data[TABLE_MIME]


def of_rows(*rows, kind="text"):
    return {"name": "t", "currency": "", "columns": [{"name": "a", "kind": kind}], "rows": [[row] for row in rows]}


@pytest.fixture
def team():
    frame = pd.DataFrame(
        {
            "manager": ["Иванов", "O'Neill"],
            "lead_id": ["0071234567890123456", "1"],
            "entered": [12345, 0],
            "rate": [0.80004, np.nan],
            "ci_lower": [0.61, 0.0],
            "ci_upper": [0.74, 1.0],
            "days": [4.25, np.inf],
            "won": [1234567.4, np.nan],
            "on": pd.to_datetime(["2026-06-28", None]),
            "verdict": ["green", "too few"],
        }
    )
    return table(frame, kinds={"won": "money"}, currency="RUB")


def test_a_number_is_a_number_a_day_a_day_and_an_id_a_text(team) -> None:
    (header, first, second) = sheets(xlsx({"team": team}))["team"].iter_rows()
    assert [cell.value for cell in header] == [column["name"] for column in team["columns"]]
    assert [cell.value for cell in first] == [
        *("Иванов", "0071234567890123456", 12345, 0.80004, 0.61, 0.74, 4.25, 1234567.4),
        *(datetime(2026, 6, 28), "green"),
    ]
    assert [cell.value for cell in second] == ["O'Neill", "1", 0, None, 0, 1, "unlimited", None, None, "too few"]
    formats = ["General", "General", "#,##0", "0.0%", "0.0%", "0.0%", "#,##0.0", '#,##0\\ "RUB"', "yyyy-mm-dd"]
    assert [cell.number_format for cell in first][:-1] == formats


@pytest.mark.parametrize("text", ACTIVE)
def test_a_text_is_never_a_formula_and_reads_as_it_was(text) -> None:
    book = sheets(xlsx({"t": table(pd.DataFrame({text: [text, "b"]}))}))
    cells = [row[0] for row in book["t"].iter_rows()][:2]
    assert [(cell.value, cell.data_type, cell.quotePrefix) for cell in cells] == [(text, "s", True)] * 2


def test_no_part_of_the_file_holds_a_formula() -> None:
    content = xlsx({"t": table(pd.DataFrame({"a": ACTIVE}))})
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert not [name for name in parts.namelist() if b"<f>" in parts.read(name)]


def test_what_a_spreadsheet_cannot_hold_is_marked() -> None:
    book = sheets(xlsx({"t": of_rows("x\x00\x0by")}))
    assert book["t"]["A2"].value == "x\ufffd\ufffdy"


def test_the_same_tables_give_the_same_bytes_at_another_time(team, monkeypatch) -> None:
    from xlsxwriter import core

    class AnyDay(type):
        def __instancecheck__(cls, value):
            return isinstance(value, datetime)

    class Later(datetime, metaclass=AnyDay):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 5, 6, tzinfo=tz)

    before = xlsx({"team": team})
    monkeypatch.setattr(core, "datetime", Later)
    assert xlsx({"team": team}) == before
    with zipfile.ZipFile(io.BytesIO(before)) as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2031" not in parts.read("docProps/core.xml")


def test_long_names_stay_apart_and_an_empty_page_is_a_workbook_too(team) -> None:
    long = "managers-against-the-rest-of-the-team"
    assert len(set(sheets(xlsx({f"{long}-one": team, f"{long}-two": team})).sheetnames)) == 2
    assert sheets(xlsx({})).sheetnames == ["empty"]
    assert sheets(xlsx({"t": of_rows()}))["t"].max_row == 1


def test_what_a_cell_holds_is_told_by_the_data_not_read_from_a_text() -> None:
    cells = [[cell.value for cell in sheets(xlsx({"t": of_rows(row, kind=kind)}))["t"]["A"]][1]
             for row, kind in [("007", "count"), ("2026-06-28", "text"), (7, "text"), (True, "text")]]  # fmt: skip
    assert cells == ["007", "2026-06-28", 7, "True"]
