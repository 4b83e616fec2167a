"""What lies beside a page: its tables as CSV and as one workbook, which its links reach."""

import threading
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from openpyxl import load_workbook

from funnelstats.config import folders
from funnelstats.config.folders import locked
from funnelstats.page.layout import Layout
from funnelstats.page.tables import show_csv, show_table
from funnelstats.reporting.pages import faults, page_html, tables_of
from funnelstats.reporting.publishing import close_folder, publish, unpublish


@pytest.fixture
def page(tmp_path):
    """A published page of a manager with a table to read and one to open, and the path of it."""
    frame = pd.DataFrame({"lead_id": ["007", "=1+1"], "days": [3, 4]})
    shown = [
        show_table(frame, Layout(name="steps", title="My steps")),
        show_csv(frame, Layout(name="leads", title="My leads")),
    ]
    outputs = [nbformat.v4.new_output("display_data", dict(one.data)) for one in shown]
    cells = [nbformat.v4.new_markdown_cell("# Mine"), nbformat.v4.new_code_cell("", outputs=outputs)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    html = page_html(notebook, title="Mine")
    assert faults(html, notebook) == []
    target = tmp_path / "manager-Анна Б.html"
    (tmp_path / "part").mkdir()
    publish(target, html, tables_of(notebook), tmp_path / "part")
    return target


def beside(page: Path):
    return sorted(path.name for path in page.parent.iterdir() if path.is_file())


def test_a_page_lies_beside_its_tables_and_goes_with_them(page) -> None:
    stem = page.stem
    assert beside(page) == sorted([page.name, f"{stem}.leads.csv", f"{stem}.steps.csv", f"{stem}.xlsx"])
    (page.parent / "manager-Анна Бо.xlsx").write_text("of another page")
    unpublish(page)
    assert beside(page) == ["manager-Анна Бо.xlsx"]


def test_no_page_and_no_table_is_put_there_while_another_run_puts_its_own(page) -> None:
    before = page.read_text(encoding="utf-8")
    tables = {"steps": {"currency": "", "columns": [{"name": "who", "kind": "text"}], "rows": [["Anna"]]}}
    other = threading.Thread(target=publish, args=(page, "<p>of another run</p>", tables, page.parent / "part"))
    with locked(page.parent):
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert page.read_text(encoding="utf-8") == before
        assert len(beside(page)) == 4
    other.join()
    assert page.read_text(encoding="utf-8") == "<p>of another run</p>"
    assert beside(page) == sorted([page.name, f"{page.stem}.steps.csv", f"{page.stem}.xlsx"])


def test_the_link_to_rows_that_the_page_does_not_show_reaches_them(page) -> None:
    html = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    (link,) = html.select("a.fs-csv")
    assert link.get_text() == "My leads (2)"
    text = (page.parent / unquote(link["href"])).read_text(encoding="utf-8-sig")
    assert text == "lead_id,days\n007,3\n'=1+1,4\n"
    assert [caption.get_text() for caption in html.select("figcaption")] == ["My steps"]


def test_the_workbook_has_a_sheet_of_each_table_with_its_types(page) -> None:
    book = load_workbook(page.with_suffix(".xlsx"))
    assert book.sheetnames == ["steps", "leads"]
    for sheet in book:
        assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)] == [["007", 3], ["=1+1", 4]]


def test_the_index_of_a_folder_tells_what_each_page_found_but_not_of_managers(tmp_path) -> None:
    common = {"section": "Team", "label": "The team", "language": "en", "state": "made"}
    common |= {"tables": [], "verdicts": []}
    said = {"sentences": ["36 of 100 do not move on <b>", "Cost: 3 deals"]}
    pages = {
        "team.html": {**common, **said, "parameters": {}},
        "manager-Anna.html": {**common, **said, "label": "Anna", "parameters": {"manager": "Anna"}},
        "counted.html": {**common, "label": "Counted", "sentences": ["Counted"], "parameters": {}},
    }
    close_folder(tmp_path, pages, title="Week 26", inputs={}, versions={}, whole=True)
    index = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")
    shown = [" ".join(link.get_text(" ").split()) for link in index.select(".fs-pages a")]
    assert shown == ["The team 36 of 100 do not move on <b>", "Anna", "Counted"]


def test_who_waits_long_for_another_run_is_told(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(folders, "PATIENCE", 1)
    held, done = threading.Event(), threading.Event()

    def other() -> None:
        with locked(tmp_path):
            held.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(10)
    threading.Timer(0.3, done.set).start()
    with locked(tmp_path):
        assert done.is_set()
    thread.join()
    assert capsys.readouterr().err == f"{tmp_path}: waiting until another run is done with it\n"
