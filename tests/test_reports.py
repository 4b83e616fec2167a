"""Notebooks rendered to published pages, and everything that may go wrong on the way."""

import json
import os
import tempfile
from pathlib import Path

import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup
from committed import reexecute
from matplotlib.figure import Figure
from openpyxl import load_workbook
from projects import write_notebook

from funnelstats.config.errors import FunnelError
from funnelstats.page.figures import show_figure
from funnelstats.page.sections import page_name
from funnelstats.reporting.pages import POLICY, SCRIPT, faults, page_html
from funnelstats.reporting.parameters import fingerprint, known_parameters, typed_parameters
from funnelstats.reporting.reports import Job, _spread, render, render_many

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
TABLE = (
    '{"name": "numbers", "currency": "", "rows": [[who, weeks]], '
    '"columns": [{"name": "who", "kind": "text"}, {"name": "n", "kind": "count"}]}'
)
CELLS = [
    "from funnelstats.page.figures import Panel, house_panel, show_figure\n"
    "from funnelstats.page.tables import TABLE_MIME, Shown, show_text\nimport os, sys, time\nimport pandas as pd",
    'show_text([f"Call {who}.", f"{who!r} {weeks!r}"], title="What to do")',
    'if fault == "error": raise ValueError("no <b>such</b> manager" + " Anna" * 99 + "\\nKnown.")\n'
    'if fault == "kernel": os._exit(1)\n'
    'if fault == "endless": time.sleep(600)\n'
    'if fault == "script": display(Shown({"text/html": "<script>alert(1)</script>"}))',
    f'Shown({{"text/html": "<table><tr><td>7</td></tr></table>", "text/plain": "7", TABLE_MIME: {TABLE}}})',
    'show_figure(Panel(lambda width: house_panel(width, 20)[0]), alt=f"A dot of {who}", numbers=pd.DataFrame([[1]]))',
    'print("kept"); print("a warning", file=sys.stderr)',
]
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module", autouse=True)
def room(tmp_path_factory):
    """A temporary folder of this module's own, to see what is left in it."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("room"))
    yield tempfile.tempdir
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_notebook(tmp_path_factory.mktemp("notebooks") / "calls.ipynb", CELLS)


def job(demo, folder, name="page", **parameters):
    return Job(demo, parameters, folder / f"{name}.html", f"Team · {name}", "Managers", name)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def left_behind():
    """Processes of pages, and temporary folders of runs, that still exist."""
    pages = [page for child in psutil.Process().children() for page in child.children()]
    return pages + list(Path(tempfile.gettempdir()).glob("funnelstats-*"))


@pytest.fixture(scope="module")
def week(demo, tmp_path_factory):
    """A folder after a run in which three pages were made and two failed, one of which existed before."""
    folder = tmp_path_factory.mktemp("week")
    for old in ("killed.html", "killed.numbers.csv", "killed.old.csv", "killed.xlsx"):
        (folder / old).write_text("last week")
    jobs = [
        job(demo, folder, "team"),
        job(demo, folder, "wrong", fault="error"),
        job(demo, folder, "agent", who="007"),
        job(demo, folder, "killed", fault="kernel"),
        job(demo, folder, "hostile", who=HOSTILE),
    ]
    told = []
    records = render_many(jobs, title="Week 30", inputs={"leads": "abc"}, tell=told.append, workers=2)
    return folder, records, told


@pytest.fixture
def folder(week):
    return week[0]


def test_one_failure_never_stops_the_others(week):
    _, records, told = week
    assert [record.state for record in records] == ["made", "failed", "made", "failed", "made"]
    assert [record.job.label for record in records] == ["team", "wrong", "agent", "killed", "hostile"]
    assert len(told) == 5


def test_a_failed_page_leaves_neither_its_old_page_nor_its_old_tables(folder):
    assert not (folder / "killed.html").exists()
    assert not list(folder.glob("killed.*.csv"))


def test_a_failure_keeps_its_notebook_and_says_its_reason_in_a_line(week):
    folder, records, _ = week
    assert records[1].reason == ("cell 5: ValueError: no <b>such</b> manager" + " Anna" * 99)[:200]
    assert "Known." in (folder / "_failed" / "wrong.txt").read_text()
    assert records[3].reason == "the page's process ended at cell 5, exit code 1"
    assert files(folder / "_failed") == ["killed.txt", "wrong.ipynb", "wrong.txt"]
    outputs = [o for c in nbformat.read(folder / "_failed" / "wrong.ipynb", 4).cells for o in c.get("outputs", [])]
    assert "error" in [output.output_type for output in outputs]


def test_nothing_outlives_a_run(folder):
    assert not list(folder.glob(".*"))
    assert left_behind() == []


def test_a_text_stays_a_text(folder):
    page = BeautifulSoup((folder / "agent.html").read_text(), "html.parser")
    assert [item.get_text() for item in page.find_all("li")] == ["Call 007.", "'007' 13"]


def test_a_table_is_also_a_csv_beside_the_page(week):
    folder, records, _ = week
    assert records[0].told["tables"] == ["numbers"]
    assert (folder / "team.numbers.csv").read_text(encoding="utf-8-sig") == "who,n\nAnna,13\n"


def test_the_tables_are_one_workbook_too_and_go_with_their_page(folder):
    book = load_workbook(folder / "team.xlsx")
    assert [[cell.value for cell in row] for row in book["numbers"].iter_rows()] == [["who", "n"], ["Anna", 13]]
    assert not (folder / "killed.xlsx").exists()


def test_a_page_has_words_figures_and_tables_but_no_code(folder):
    page = BeautifulSoup((folder / "team.html").read_text(), "html.parser")
    assert page.html["lang"] == "en"
    assert page.title.get_text() == page.select_one(".fs-eyebrow").get_text() == "Team · team"
    assert [heading.get_text() for heading in page.find_all("h1")] == ["Who is to be called?"]
    assert page.find("main", id="main")
    assert page.select_one("a.fs-skip")["href"] == "#main"
    assert page.select_one(".fs-panels")["aria-label"] == "A dot of Anna"
    assert "kept" in page.get_text()
    assert "a warning" not in page.get_text()
    assert "import" not in page.find("main").get_text()


def test_a_page_asks_for_nothing_and_runs_nothing(folder):
    html = (folder / "hostile.html").read_text()
    page = BeautifulSoup(html, "html.parser")
    policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert policy == POLICY
    assert [script.string for script in page.find_all("script")] == [SCRIPT]
    assert page.find("img") is None
    assert page.select_one(".fs-panels")["aria-label"] == f"A dot of {HOSTILE}"
    assert page.find("li").get_text() == f"Call {HOSTILE}."
    assert len(html) < 21_000


def test_the_index_links_every_page_and_names_the_failed(folder):
    index = BeautifulSoup((folder / "index.html").read_text(), "html.parser")
    links = {link.find(string=True): link["href"] for link in index.select('.fs-pages a[href$=".html"]')}
    assert links == {name: f"{name}.html" for name in ("team", "agent", "hostile")}
    assert index.h1.get_text() == index.title.get_text() == "Week 30"
    assert [missing.strong.get_text() for missing in index.select(".fs-missing")] == ["wrong", "killed"]


def test_run_json_says_what_was_made_of_what(folder):
    run = json.loads((folder / "run.json").read_text())
    assert run["inputs"] == {"leads": "abc"}
    assert run["versions"]["python"]
    assert list(run["pages"]) == ["team.html", "wrong.html", "agent.html", "killed.html", "hostile.html"]
    assert run["pages"]["agent.html"]["parameters"] == {"who": "007"}
    assert run["pages"]["wrong.html"]["state"] == "failed"


def test_an_unchanged_page_is_not_made_again_and_the_same_inputs_give_the_same_bytes(demo, tmp_path):
    def team(folder, mark):
        return Job(demo, {}, folder / "team.html", "Team", fingerprint=mark)

    first, second = tmp_path / "a", tmp_path / "b"
    assert [r.state for r in render_many([team(first, "1"), team(second, "1")])] == ["made", "made"]
    for name in ("team.html", "team.numbers.csv", "team.xlsx", "index.html"):
        assert (first / name).read_bytes().replace(b">a<", b">b<") == (second / name).read_bytes()
    assert render_many([team(first, "1")])[0].state == "unchanged"
    assert json.loads((first / "run.json").read_text())["pages"]["team.html"]["state"] == "made"
    for name in ("team.numbers.csv", "team.xlsx"):
        (first / name).unlink()
        assert render_many([team(first, "1")])[0].state == "made"
    assert render_many([team(first, "2")])[0].state == "made"


def newer_table(folder):
    later = (folder / "team.html").stat().st_mtime_ns + 1
    os.utime(folder / "team.numbers.csv", ns=(later, later))


def another_page(folder):
    (folder / "team.html").write_text("a page that run.json does not speak of")


@pytest.mark.parametrize("left", [newer_table, another_page])
def test_a_page_that_a_killed_run_left_half_told_is_made_again(left, demo, tmp_path):
    def team():
        return Job(demo, {}, tmp_path / "team.html", "Team", fingerprint="1")

    assert render_many([team()])[0].state == "made"
    left(tmp_path)
    assert render_many([team()])[0].state == "made"
    assert render_many([team()])[0].state == "unchanged"


def test_pages_of_an_earlier_run_stay_unless_the_run_is_whole(demo, tmp_path):
    render_many([job(demo, tmp_path, "left"), job(demo, tmp_path, "gone", fault="error")])
    render_many([job(demo, tmp_path, "new")])
    assert list(json.loads((tmp_path / "run.json").read_text())["pages"]) == [
        "left.html",
        "gone.html",
        "new.html",
    ]
    render_many([job(demo, tmp_path, "new")], whole=True)
    assert files(tmp_path) == ["index.html", "new.html", "new.numbers.csv", "new.xlsx", "run.json"]


def test_a_page_with_a_script_is_not_published(demo, tmp_path):
    record = render(demo, {"fault": "script"}, tmp_path / "page.html", title="T")
    assert record.state == "failed"
    assert record.reason == "ValueError: <script> may not be on a page"
    assert files(tmp_path) == ["_failed/page.ipynb", "_failed/page.txt", "index.html", "run.json"]


def test_an_interrupt_ends_the_pages_and_keeps_what_was_there(demo, tmp_path):
    (tmp_path / "slow.html").write_text("last run")

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_many([job(demo, tmp_path, "slow", fault="endless"), job(demo, tmp_path, "fast")], tell=interrupt)
    assert (tmp_path / "slow.html").read_text() == "last run"
    assert files(tmp_path) == ["fast.html", "fast.numbers.csv", "fast.xlsx", "index.html", "run.json", "slow.html"]
    assert left_behind() == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"whom": "Anna"}, 'no parameter "whom" in calls.ipynb; did you mean "who"?'),
        ({"zz": 1}, "known: who, weeks"),
    ],
)
def test_an_unknown_parameter_is_refused_and_nothing_touched(demo, tmp_path, parameters, message):
    with pytest.raises(FunnelError, match=message.replace("?", r"\?")):
        render_many([job(demo, tmp_path / "week"), job(demo, tmp_path / "week", "other", **parameters)])
    assert not (tmp_path / "week").exists()


def test_a_folder_that_cannot_be_written_is_refused(demo, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileExistsError, match="file"):
        render_many([job(demo, tmp_path / "file")])


def test_a_missing_notebook_is_refused(tmp_path):
    with pytest.raises(FunnelError, match=r"no notebook .*none\.ipynb"):
        render(tmp_path / "none.ipynb", {}, tmp_path / "page.html", title="T")


@pytest.mark.parametrize("name", ["a.b.html", "index.html", "page.txt", ".hidden.html"])
def test_a_page_name_keeps_its_tables_its_own(demo, tmp_path, name):
    with pytest.raises(ValueError, match=r"page|links"):
        render(demo, {}, tmp_path / name, title="T")


def test_texts_of_a_command_line_take_the_type_of_the_default(demo):
    assert known_parameters(demo) == {"who": "Anna", "weeks": 13, "share": 0.5, "strict": False, "fault": ""}
    given = {"who": "007", "weeks": "8", "share": "1", "strict": "true"}
    assert typed_parameters(demo, given) == {"who": "007", "weeks": 8, "share": 1.0, "strict": True}
    for wrong in ({"weeks": "8.5"}, {"strict": "yes"}, {"wekes": "8"}):
        with pytest.raises(FunnelError):
            typed_parameters(demo, wrong)


def test_the_fingerprint_changes_with_whatever_a_page_depends_on(demo, tmp_path):
    copy = write_notebook(tmp_path / "calls.ipynb", [*CELLS, "1"])
    marks = [
        fingerprint(demo, {"who": "a"}, {"leads": "1"}),
        fingerprint(demo, {"who": "b"}, {"leads": "1"}),
        fingerprint(demo, {"who": "a"}, {"leads": "2"}),
        fingerprint(copy, {"who": "a"}, {"leads": "1"}),
    ]
    assert len(set(marks)) == 4
    assert fingerprint(demo, {"who": "a"}, {"leads": "1"}) == marks[0]


def output(html):
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", {"text/html": html})])
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), cell])


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>",
        "<b onclick='x'>",
        "<img src='https://example.org/x.png' alt='x'>",
        "<img src='data:image/svg+xml,x' alt='x'>",
        "<a href='java\nscript:alert(1)'>",
        "<a href='data:text/html,x'>",
        "<a href='javascript:1' href='x'>",
        "<iframe></iframe>",
        "<link rel=stylesheet href=x>",
        "<p style='background:url(//x)'>",
        "<meta http-equiv=refresh content=0>",
        "<h1>Two</h1>",
        f"<img src='data:image/png;base64,{PIXEL}' alt='x'>",
        "<svg onload='x'></svg>",
        "<svg><script>1</script></svg>",
        "<svg><foreignObject></foreignObject></svg>",
        "<svg><image/></svg>",
        "<svg><set attributeName='href' to='x'/></svg>",
        "<svg><p>x</p></svg>",
        "<svg><use href='https://example.org/x.svg#a'/></svg>",
        "<svg><use xlink:href='#a'/></svg>",
        "<svg><a href='javascript:x'><path/></a></svg>",
        "<svg><path style='fill:url(//x)'/></svg>",
        "<svg><path clip-path='url(//x)'/></svg>",
        "<div class='fs-panels'></div>",
        "x" * 1_000_001,
    ],
)
def test_a_page_that_runs_or_fetches_or_is_misshapen_has_faults(html):
    assert faults(page_html(output(html), title="T"), output(html)) != []


def test_a_plain_page_has_no_faults():
    drawing = "<svg><defs><path id='a'/></defs><a href='o.html'><use href='#a'><title>7</title></use></a></svg>"
    fine = output(f"<p style='color:red'>7</p><a href='other.html#x'>a</a><a href='https://x.org'>b</a>{drawing}")
    assert faults(page_html(fine, title="T"), fine) == []


def test_a_figure_of_ones_own_may_be_on_a_page():
    figure = Figure()
    figure.subplots().bar([0, 1], [2, 3], hatch="/")
    notebook = output(show_figure(figure, alt="Bars").data["text/html"])
    assert "clip-path" in notebook.cells[1].outputs[0]["data"]["text/html"]
    assert faults(page_html(notebook, title="T"), notebook) == []


def test_a_picture_that_the_page_would_not_show_is_a_fault():
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", {"image/png": PIXEL})])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), cell])
    assert faults(page_html(notebook, title="T"), notebook) == [
        "1 figures in the notebook, 0 on the page; fs.show_figure(figure, alt=...) puts one there"
    ]


def test_a_russian_page_says_so():
    page = BeautifulSoup(page_html(output("7"), title="Т", language="ru"), "html.parser")
    assert page.html["lang"] == "ru"
    assert page.select_one(".fs-skip").get_text() == "Перейти к отчёту"


def test_page_names_are_readable_and_never_meet():
    names = [
        "Иванов",
        "иванов",
        "Anna Kowalska",
        "Anna-Kowalska",
        "../etc",
        "..",
        "",
        "A/B",
        "A:B",
        "x" * 300,
    ]
    made = [page_name("manager", name) for name in names]
    assert made[0] == "manager-Иванов"
    assert len({name.casefold() for name in made}) == len(names)
    assert all("/" not in name and "." not in name and len(name) < 80 for name in made)


def test_a_notebook_is_executed_in_its_folder_and_written_back_the_same_each_time(tmp_path):
    path = write_notebook(tmp_path / "own.ipynb", ["import os; os.path.basename(os.getcwd())", "1 + 1"])
    reexecute(path)
    first = path.read_bytes()
    reexecute(path)
    assert path.read_bytes() == first
    notebook = nbformat.read(path, 4)
    assert notebook.cells[2].outputs[0].data["text/plain"] == repr(tmp_path.name)
    assert [cell.metadata for cell in notebook.cells] == [{}, {"tags": ["parameters"]}, {}, {}]


def test_a_notebook_that_fails_stays_as_it_was(tmp_path):
    path = write_notebook(tmp_path / "own.ipynb", ["1 / 0"])
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        reexecute(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["own.ipynb"]


def test_two_workers_take_pages_of_two_folders_in_turn_then_of_the_next_two() -> None:
    targets = [Path(week, f"{page}.html") for week in ("W01", "W02", "W03") for page in ("team", "anna", "bob")]
    jobs = [Job(Path("weekly.ipynb"), {}, target, "") for target in targets]
    assert [str(targets[number]) for number in _spread(jobs, workers=2)] == [
        f"{week}/{page}.html"
        for weeks in (("W01", "W02"), ("W03",))
        for page in ("team", "anna", "bob")
        for week in weeks
    ]
