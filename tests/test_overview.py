"""The page of all weeks: a cell says its verdicts in words, links to its page, and shows what was restated."""

import json
from pathlib import Path

import pytest
from backends import funnel_of
from bs4 import BeautifulSoup
from markupsafe import Markup

from funnelstats.reporting.overview import funnels_html, reason_sentence, red_sentence, weeks_html, write_overview
from funnelstats.reporting.pages import faults, without_links
from funnelstats.reporting.restated import changed_cells
from funnelstats.reporting.summary import new_reds, week_markdown

HOSTILE = '<img src=x onerror="alert(1)">'
STEPS = [("lead", "met"), ("met", "paid")]


def rows(**verdicts):
    """Verdict rows: team or manager by name, one verdict for each step."""
    return [
        {
            "manager": "" if who == "team" else who,
            "from_stage": start,
            "to_stage": end,
            "entered": 100,
            "rate": 0.5,
            "target": 0.8,
            "verdict": verdict,
        }
        for who, of in verdicts.items()
        for (start, end), verdict in zip(STEPS, of, strict=True)
    ]


def run(title="Week", restated=(), state="made", as_of="", **verdicts):
    """A run.json: the team's page with verdicts, and a page of each manager."""
    common = {"section": "", "label": "", "tables": [], "language": "en", "state": "made", "reason": ""}
    team = {**common, "parameters": {"as_of": as_of}, "state": state}
    team |= {"verdicts": rows(**verdicts), "restated": list(restated)} if state == "made" else {"last_made": {}}
    own = {f"manager-{n}.html": {**common, "parameters": {"manager": who}} for n, who in enumerate(verdicts) if n}
    return {"title": title, "pages": {"team.html": team, **own}}


def page(runs):
    html = weeks_html(runs, funnel_of("lead", "met", "paid"))

    class Empty:
        cells = ()

    assert faults(html, Empty) == []
    return BeautifulSoup(html, "html.parser")


def cells(soup, week):
    return [" ".join(cell.get_text(" ").split()) for cell in soup.select(f"#week-{week} td > div")]


def test_weeks_are_rows_newest_first_and_managers_columns() -> None:
    soup = page({
        "2026-W01": run(team=("red", "green"), Anna=("green", "green")),
        "2026-W02": run(team=("green", "green"), Boris=("too few", "not ranked")),
    })  # fmt: skip
    assert [head.get_text() for head in soup.select("thead th")] == ["week", "The team", "Anna", "Boris"]
    assert [row["id"] for row in soup.select("tbody tr")] == ["week-2026-W02", "week-2026-W01"]
    assert cells(soup, "2026-W01") == ["▼ red lead → met", "● green 2 steps", "–"]
    assert cells(soup, "2026-W02") == ["● green 2 steps", "–", "○ too few 1 step"]
    assert [a["href"] for a in soup.select("#week-2026-W01 a")] == [
        *("2026-W01/index.html", "2026-W01/team.html", "2026-W01/manager-1.html"),
    ]


def test_the_newest_week_heads_the_page_with_what_to_do_and_what_is_new() -> None:
    newest = run(team=("red", "green"), Anna=("red", "red"))
    newest["pages"]["team.html"]["sentences"] = ["Start with <b>."]
    head = page({"2026-W01": run(team=("red", "green"), Anna=("red", "green")), "2026-W02": newest}).select_one(
        ".fs-lead"
    )
    assert head.h2.get_text() == "The latest week: 5–11 January 2026"
    assert [line.get_text() for line in head.select("p")] == [
        *("Start with <b>.", "Red since this week: Anna: met\u00a0→ paid, 50%.", "Open the team's page"),
    ]
    assert head.a["href"] == "2026-W02/team.html"
    alone = page({"2026-W02": newest}).select_one(".fs-lead")
    assert "Red since" not in alone.get_text(), "nothing is known of the week before"


def test_an_alarm_names_its_steps_and_colour_never_stands_alone() -> None:
    soup = page({"2026-W01": run(team=("amber", "red"), Anna=("undecided", "green"))})
    assert cells(soup, "2026-W01") == ["▼ red met → paid ◆ amber lead → met", "● green 1 step ■ undecided 1 step"]
    for chip in soup.select(".fs-verdict"):
        assert chip.get_text()[2:] in {"red", "amber", "green", "undecided"}
    assert soup.select_one("#week-2026-W01 td")["class"] == ["fs-at-red"]


def test_who_is_never_ranked_has_no_column() -> None:
    soup = page({"2026-W01": {**run(team=("green", "green"), Robot=("not ranked", "not ranked"))}})
    assert "Robot" in [head.get_text() for head in soup.select("thead th")], "has a page"
    told = run(team=("green", "green"), Robot=("not ranked", "not ranked"))
    del told["pages"]["manager-1.html"]
    assert [head.get_text() for head in page({"2026-W01": told}).select("thead th")] == ["week", "The team"]


def test_a_failed_page_shows_no_old_verdict() -> None:
    soup = page({"2026-W01": run(state="failed", team=("red", "red"))})
    assert cells(soup, "2026-W01") == ["not made"]
    assert soup.select("td a, .fs-verdict") == []


def test_what_was_restated_is_listed_with_its_reason_changed_verdicts_first() -> None:
    was, now = rows(team=("red", "green"), Anna=("red", "green")), rows(team=("red", "green"), Anna=("green", "green"))
    now[0]["entered"] = 101
    why = [{"reason": "as_of", "from": "2026-01-04", "to": "2026-01-11"}, {"reason": "late", "table": "x", "rows": 2}]
    told = {"cells": changed_cells(was, now), "why": why}
    soup = page({
        "2026-W01": run(team=("red", "green"), Anna=("green", "green"), restated=[told], as_of="2026-01-11"),
        "2026-W02": run(team=("red", "green"), Anna=("green", "green")),
    })  # fmt: skip
    (block,) = soup.select("details#restated-2026-W01")
    assert " ".join(block.summary.get_text().split()) == (
        "2026-W01: 2 numbers changed, 1 verdict: told as of 11 Jan 2026, before as of 4 Jan 2026; "
        "2 rows of x came in late."
    )
    lines = [[" ".join(cell.get_text().split()) for cell in row.select("th, td")] for row in block.select("tbody tr")]
    assert lines == [
        ["Anna", "lead → met", "50.0% of 100 ▼ red", "50.0% of 100 ● green"],
        ["The team", "lead → met", "50.0% of 100 ▼ red", "50.0% of 101 ▼ red"],
    ]
    assert [cell.endswith("verdict changed") for cell in cells(soup, "2026-W01")] == [False, True]
    assert soup.select_one("#week-2026-W01 th").get_text().count("as of 11 Jan 2026") == 1
    assert soup.select_one('#week-2026-W01 th a[href="#restated-2026-W01"]')
    assert not soup.select_one('#week-2026-W02 a[href^="#"]')


@pytest.mark.parametrize("reason", ["as_of", "late", "gone", "changed", "statement", "program", "unknown"])
def test_every_reason_is_a_sentence_without_holes(reason) -> None:
    sentence = reason_sentence({"reason": reason, "table": "leads", "rows": 1, "from": "", "to": "2026-01-04"})
    assert sentence
    assert not {"{", "}"} & {*sentence}


def test_months_quarters_and_other_pages_are_linked_apart() -> None:
    soup = page({"2026-06": run("June"), "2026-Q2": run("Spring"), "leaks": run("Leaks"), "2026-13": run("Odd")})
    found = {part.h2.get_text(): [a["href"] for a in part.select("a")] for part in soup.select("section")}
    assert found == {
        "Months": ["2026-06/index.html"],
        "Quarters": ["2026-Q2/index.html"],
        "Other pages": ["2026-13/index.html", "leaks/index.html"],
    }
    assert "No week has been made yet." in soup.get_text()


def test_a_few_pages_are_named_and_many_are_their_title() -> None:
    june = run("June")
    june["pages"] = {f"{n}.html": {**june["pages"]["team.html"], "label": f"Page {n}"} for n in range(2)}
    many = {"title": "Leaks", "pages": {f"{n}.html": june["pages"]["0.html"] for n in range(9)}}
    assert [a.get_text() for a in page({"2026-06": june, "leaks": many}).select(".fs-pages a")] == [
        *("June 2026Page 0; Page 1", "LeakLeaks"),
    ]


def test_hostile_names_stay_names() -> None:
    told = {"cells": changed_cells([], rows(**{HOSTILE: ("red", "red")})), "why": [{"reason": "unknown"}]}
    runs = {"2026-W01": run(HOSTILE, [told], team=("red", "red"), **{HOSTILE: ("red", "red")}), "leaks": run(HOSTILE)}
    soup = page(runs)
    assert soup.find("img") is None
    assert soup.select("thead th")[2].get_text() == HOSTILE


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """Put runs into a project's reports."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def put(**runs):
        for name, content in runs.items():
            folder = tmp_path / "reports" / "toy" / name.replace("_", "-")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
        return tmp_path / "reports" / "toy"

    return put


def test_the_page_is_made_of_whatever_runs_there_are_and_leaves_nothing_beside(reports) -> None:
    folder = reports(**{"2026_W01": run(team=("red", "red"))})
    (folder / "2026-W02").mkdir()
    (folder / "2026-W03").mkdir()
    (folder / "2026-W03" / "run.json").write_text("{ half a")
    path = write_overview(funnel_of("lead", "met", "paid").model_copy(update={"name": "toy"}))
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    assert [row["id"] for row in soup.select("tbody tr")] == ["week-2026-W01"]
    assert sorted(entry.name for entry in folder.iterdir()) == ["2026-W01", "2026-W02", "2026-W03", "index.html"]
    before = path.read_bytes()
    write_overview(funnel_of("lead", "met", "paid").model_copy(update={"name": "toy"}))
    assert path.read_bytes() == before


def test_links_between_pages_lead_to_those_that_are_there_and_nowhere_else(reports) -> None:
    folder = reports(**{"2026_W01": run(team=("red", "red"))})
    page = folder / "2026-W01" / "team.html"
    links = [
        Markup('<a class="fs-page" data-page="{}">x</a>').format(name) for name in ("../2026-W02/Я &.html", "a.html")
    ]
    outside = '<a class="fs-page" data-page="../../../secret.html">x</a>'
    (folder.parents[1] / "secret.html").touch()
    page.write_text("".join([*links, outside]), encoding="utf-8")
    there = folder / "2026-W02" / "Я &.html"
    there.parent.mkdir()
    there.touch()
    funnel = funnel_of("lead", "met", "paid").model_copy(update={"name": "toy"})
    write_overview(funnel)
    anchors = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find_all("a")
    assert [anchor.get("href") for anchor in anchors] == ["../2026-W02/%D0%AF%20%26.html", None, None]
    # so that a page is not taken for a changed one, and made again, once another one is there
    assert without_links(page.read_text(encoding="utf-8")) == "".join([*links, outside])
    there.unlink()
    write_overview(funnel)
    assert page.read_text(encoding="utf-8") == "".join([*links, outside])


# For a machine that runs the week


def test_a_red_is_new_unless_the_week_before_had_it_at_the_same_step(reports) -> None:
    folder = reports(**{
        "2026_W01": run(team=("green", "red"), Anna=("amber", "red"), Boris=("red", "red")),
        "2026_W02": run(team=("green", "red"), Anna=("red", "red"), Claire=("red", "green")),
    })  # fmt: skip
    assert [red_sentence(row) for row in new_reds(folder / "2026-W02")] == [
        "Anna: lead\u00a0→ met, 50%",
        "Claire: lead\u00a0→ met, 50%",
    ]
    assert len(new_reds(folder / "2026-W01")) == 4, "nothing to compare with: every red is new"


def test_the_week_before_is_that_of_the_calendar(reports) -> None:
    folder = reports(**{"2025_W52": run(team=("red", "red")), "2026_W01": run(team=("red", "red"))})
    assert new_reds(folder / "2026-W01") == []


def test_a_failed_week_before_knows_no_red(reports) -> None:
    folder = reports(**{"2026_W01": run(state="failed", team=("red", "red")), "2026_W02": run(team=("red", "green"))})
    assert len(new_reds(folder / "2026-W02")) == 1


def test_the_summary_has_the_sentences_the_verdicts_and_a_link(reports) -> None:
    week = run("Team: week", team=("red", "green"), Anna=("green", "not ranked"))
    week["pages"]["team.html"]["sentences"] = ["Call *Anna* | now", "Two"]
    folder = reports(**{"2026_W01": week})
    assert week_markdown(folder / "2026-W01", "https://example.org/1").splitlines() == [
        "## Team\\: week",
        "",
        "- Call \\*Anna\\* \\| now",
        "- Two",
        "",
        "| who | lead → met | met → paid |",
        "| --- | --- | --- |",
        "| The team | ▼ red 50\\% \\(new this week\\) | ● green 50\\% |",
        "| Anna | ● green 50\\% | not ranked 50\\% |",
        "",
        "[All pages](https://example.org/1)",
    ]
    assert week_markdown(folder / "2026-W01").endswith("\n`reports/toy/2026-W01/index.html`\n")


def test_a_hostile_name_is_no_markdown(reports) -> None:
    name = "<b>|[x](javascript:1)\n# `y`"
    folder = reports(**{"2026_W01": run(name, team=("red", "red"), **{name: ("red", "red")})})
    text = week_markdown(folder / "2026-W01")
    assert text.count("\\<b\\>\\|\\[x\\]\\(javascript\\:1\\) \\# \\`y\\`") == 2
    assert len(text.splitlines()) == 9


def test_a_week_that_failed_has_a_summary_too(reports) -> None:
    folder = reports(**{"2026_W01": run(state="failed", team=("red", "red"))})
    assert "## Week" in week_markdown(folder / "2026-W01")


def test_all_funnels_stand_on_one_page_with_the_newest_week_of_each() -> None:
    told = run(title="5–11 January 2026 · Pumps & co", team=("red", "green"), Anna=("green", "red"))
    told["pages"]["team.html"]["sentences"] = ["lead → met: 40 of 100 leads do not move on", "More."]
    html = funnels_html({"pumps": told, "wire": run(title="February 2026 · Wire", state="failed")})
    soup = BeautifulSoup(html, "html.parser")
    rows = [[" ".join(cell.get_text(" ").split()) for cell in row.select("th, td")] for row in soup.select("tbody tr")]
    assert rows == [
        [
            "5–11 January 2026 · Pumps & co",
            "lead → met: 40 of 100 leads do not move on",
            "lead → met: 50.0% of 100 ▼ red met → paid: 50.0% of 100 ● green",
        ],
        ["February 2026 · Wire", "No week has been made yet.", ""],
    ]
    assert [a["href"] for a in soup.select("tbody a")] == ["pumps/index.html", "wire/index.html"]


@pytest.mark.usefixtures("here")
def test_each_funnel_s_page_leads_to_the_page_of_all() -> None:
    Path("data", "raw").mkdir(parents=True)
    for name in ("pumps", "wire"):
        for period in ("2026-01", "2026-W01", "2026-W02"):
            folder = Path("reports", name, period)
            folder.mkdir(parents=True)
            (folder / "run.json").write_text(json.dumps(run(title=f"{name} {period}", team=("red", "green"))))
        write_overview(funnel_of("lead", "met").model_copy(update={"name": name}))
    soup = BeautifulSoup(Path("reports", "index.html").read_text(), "html.parser")
    assert [a.get_text() for a in soup.select("tbody a")] == ["pumps 2026-W02", "wire 2026-W02"]
    page = BeautifulSoup(Path("reports", "wire", "index.html").read_text(), "html.parser")
    assert page.select_one("nav a")["href"] == "../index.html"
