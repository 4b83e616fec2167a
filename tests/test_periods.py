"""Which pages a week, a month and a quarter have, for whom, under which names, and when they are made again."""

import json
import os
import shutil
from pathlib import Path

import pytest
from projects import ENTRIES, FILES, FUNNEL, LEADS, NAME, REPOSITORY, prepared, write_notebook

from funnelstats.config.errors import FunnelError
from funnelstats.config.project import SHIPPED, digest_of_cells, notebook_in_use
from funnelstats.reporting.parameters import known_parameters
from funnelstats.reporting.periods import UNITS, notebook_path, period_batch, report_batch
from funnelstats.reporting.titles import LABEL_WORDS, SECTION_WORDS, asked_label

TOML = (
    'system_users = ["Robot"]\nexported_on = 2026-06-30\n'
    + FUNNEL
    + LEADS
    + ENTRIES.replace('entered_at = "at"', 'entered_at = "at", manager = "who"')
)
NAMES = ["Anna", "anna", "A/B", "A\\B", 'O"Neill', "O'Neill", "Иванов", "Müller", "../../etc", "CON", "a b", "a-b", "."]


def entries(*rows):
    """An entries file of (lead, stage, day, manager)."""
    return "id,stage,at,who\n" + "".join(",".join(f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in row) + "\n"
                                         for row in rows)  # fmt: skip


SMALL = [("a", "lead", "2026-05-05", "Anna"), ("b", "lead", "2026-05-05", "Robot"), ("c", "lead", "2026-05-05", "")]
TEAM = [(f"L{number}", "lead", "2026-05-05", name) for number, name in enumerate(NAMES)]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty project with the notebooks."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "notebooks", tmp_path / "notebooks")


def exported(rows, **more):
    prepared(TOML, {"entries.csv": entries(*rows), "leads.csv": "id,created\n" + "".join(
        f"{lead},2026-01-01\n" for lead in dict.fromkeys(row[0] for row in rows)), **more})  # fmt: skip


def test_who_owns_open_leads_by_now_has_a_page_without_an_entry_of_their_own():
    owned = TOML.replace('created_at = "created"', 'created_at = "created", manager = "owner"')
    rows = [
        ("a", "lead", "2026-05-05", "Anna"),
        ("b", "lead", "2026-05-05", "Anna"),
        ("b", "paid", "2026-05-06", "Anna"),
    ]
    leads = "id,created,owner\na,2026-05-05,Clara\nb,2026-05-05,Dan\n"
    prepared(owned, {"entries.csv": entries(*rows), "leads.csv": leads})
    jobs = period_batch(NAME, "week", period="2026-W20").jobs
    assert [job.parameters["manager"] for job in jobs if "manager" in job.parameters] == ["Anna", "Clara"]
    assert report_batch("manager", NAME, {"manager": "Clara"}).jobs


def kept(folder, rows):
    """A project of these rows, for tests that change nothing."""
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "notebooks").symlink_to(REPOSITORY / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exported(rows)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One manager, one robot and a lead of nobody."""
    return kept(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="module")
def week(small):
    """Its pages of a week."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(small)
        return period_batch(NAME, period="2026-W20")


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """Managers of hostile names."""
    return kept(tmp_path_factory.mktemp("team"), TEAM)


def managers(batch):
    return [job.parameters["manager"] for job in batch.jobs if job.notebook.stem == "manager"]


def test_a_week_has_the_teams_page_one_for_each_manager_and_the_data_check() -> None:
    exported([("a", "lead", "2026-05-05", "Anna"), ("b", "lead", "2026-05-06", "Boris")])
    batch = period_batch(NAME, period="2026-W20")
    assert [job.notebook.stem for job in batch.jobs] == ["weekly", "manager", "manager", "data_check", "counted"]
    assert managers(batch) == ["Anna", "Boris"]
    assert [job.section for job in batch.jobs] == ["Team", "Managers", "Managers", "Data", "Data"]
    assert {str(job.target.parent.relative_to(job.target.parents[3])) for job in batch.jobs} == {
        f"reports/{NAME}/2026-W20"
    }
    assert {folder.name: title for folder, title in batch.titles.items()} == {"2026-W20": "11–17 May 2026 · Team"}


def test_every_job_gets_only_what_its_notebook_declares(week) -> None:
    team, anna, data, counted = week.jobs
    common = {"funnel": NAME, "as_of": "2026-05-17"}
    assert team.parameters == {**common, "week": "2026-W20"}
    assert anna.parameters == {**common, "week": "2026-W20", "manager": "Anna"}
    assert data.parameters == counted.parameters == common


def test_the_head_of_a_page_leads_to_its_neighbours_and_to_the_latest_pages_of_other_kinds(week) -> None:
    team, anna, *_ = week.jobs
    assert [link.page for link in team.links] == [
        *("../2026-W19/team.html", "../2026-W21/team.html"),
        *("../2026-04/closed-loop.html", "../2026-04/refusals.html", "../2026-Q1/roi.html"),
    ]
    assert [link.label for link in team.links] == [
        *("‹ 4–10 May 2026", "18–24 May 2026 ›"),
        *("Marketing and sales, April 2026", "Refusals, April 2026", "Money, Q1 2026"),
    ]
    assert anna.links[2].label == "Team"
    assert [link.page for link in anna.links[:3]] == [
        *("../2026-W19/manager-Anna.html", "../2026-W21/manager-Anna.html", "../2026-W20/team.html"),
    ]


def test_only_managers_with_leads_in_the_window_or_open_ones_get_a_page() -> None:
    exported(
        [
            ("a", "lead", "2026-05-05", "Anna"),
            ("b", "lead", "2026-01-05", "Gone"),
            ("b", "lost", "2026-03-01", "Gone"),
            ("c", "lead", "2026-06-02", "Later"),
        ]
    )
    assert managers(period_batch(NAME, period="2026-W20")) == ["Anna"]
    assert managers(period_batch(NAME, period="2026-W02")) == ["Gone"]
    exported(
        [
            ("a", "lead", "2026-05-05", "Anna"),
            ("b", "lead", "2026-01-05", "Silent"),
            ("c", "lead", "2026-06-02", "Later"),
        ]
    )
    assert managers(period_batch(NAME, period="2026-W20")) == ["Anna", "Silent"]


def test_a_manager_of_the_last_stage_alone_judges_no_step_and_gets_no_page() -> None:
    exported(
        [("a", "lead", "2026-05-05", "Anna"), ("a", "met", "2026-05-06", "Anna"), ("a", "paid", "2026-05-07", "Cash")]
    )
    assert managers(period_batch(NAME, period="2026-W20")) == ["Anna"]


def test_hostile_names_give_distinct_safe_file_names(team, monkeypatch) -> None:
    monkeypatch.chdir(team)
    batch = period_batch(NAME, period="2026-W20")
    assert sorted(managers(batch)) == sorted(NAMES)
    targets = [job.target for job in batch.jobs]
    assert len({str(target).casefold() for target in targets}) == len(targets)
    assert len({target.parent for target in targets}) == 1
    for target in targets:
        assert target.suffix == ".html"
        assert not set(target.stem) & set("/\\\"'.:*?<>| ")
    assert {job.label for job in batch.jobs} >= set(NAMES)


def test_without_a_week_the_last_complete_one_is_taken(small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    assert [*period_batch(NAME).titles.values()] == ["22–28 June 2026 · Team"]
    assert [*period_batch(NAME, as_of="2026-06-09").titles.values()] == ["1–7 June 2026 · Team"]
    assert period_batch(NAME, as_of="2026-06-09").jobs[0].parameters["as_of"] == "2026-06-09"


def test_what_is_known_later_may_be_asked_for_and_changes_no_week(small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    batch = period_batch(NAME, period="2026-W20", as_of="2026-06-01")
    assert batch.jobs[0].parameters["as_of"] == "2026-06-01"
    assert [*batch.titles.values()] == ["11–17 May 2026 · Team"]


def test_nothing_changed_means_nothing_is_made_again(team, monkeypatch) -> None:
    monkeypatch.chdir(team)
    once, again = ([job.fingerprint for job in period_batch(NAME, period="2026-W20").jobs] for _ in range(2))
    assert once == again
    assert len(set(once)) == len(once)
    assert None not in once


def test_changed_data_parameters_or_notebooks_make_pages_again(tmp_path) -> None:
    exported(TEAM)

    def prints(**asked):
        return {job.target.name: job.fingerprint for job in period_batch(NAME, **{"period": "2026-W20", **asked}).jobs}

    before = prints()
    assert not set(before.values()) & set(prints(period="2026-W21").values())
    assert not set(before.values()) & set(prints(as_of="2026-06-01").values())
    notebook = tmp_path / "notebooks" / "weekly.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    after = prints()
    assert {name for name in before if before[name] != after[name]} == {"team.html"}
    exported([*TEAM, ("new", "lead", "2026-05-06", "Anna")])
    assert not set(before.values()) & set(prints().values())


def test_one_page_is_named_by_its_parameters_and_lies_apart_from_the_weeks(team, monkeypatch) -> None:
    monkeypatch.chdir(team)
    batch = report_batch("manager", NAME, {"manager": "A/B", "week": "2026-W20"})
    (job,) = batch.jobs
    assert job.parameters == {"manager": "A/B", "week": "2026-W20", "funnel": NAME}
    assert job.target.parent.parts[-3:] == ("reports", NAME, "manager")
    assert "/B" not in job.target.name
    assert "A/B" in job.title


@pytest.mark.parametrize(
    ("notebook", "texts", "said"),
    [
        ("manager", {"week": "2026-W20", "manager": "Ivanov"}, 'no manager "Ivanov" in team; known: '),
        ("manager", {"week": "2026-W20", "manager": "Robot"}, 'no manager "Robot"'),
        ("manager", {"week": "2026-W20", "manager": "(missing)"}, 'no manager "(missing)"'),
        ("manager", {"week": "2026-W20", "manager": ""}, 'no manager ""'),
        ("manager", {"week": "2026-W20", "manager": "Anna", "as_of": "2026-05-16"}, "as of 2026-05-16"),
        ("data_check", {"as_of": "2027-01-01"}, "as of 2027-01-01: must lie between the data's first day 2026-05-05"),
    ],
)
def test_a_page_of_nothing_that_exists_is_refused_before_anything_runs(
    notebook, texts, said, small, monkeypatch
) -> None:
    monkeypatch.chdir(small)
    with pytest.raises(FunnelError) as refused:
        report_batch(notebook, NAME, texts)
    assert said in str(refused.value)


def test_a_page_without_a_week_is_of_the_last_complete_one(small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    assert report_batch("weekly", NAME, {}).jobs[0].parameters["week"] == "2026-W26"
    (job,) = report_batch("weekly", NAME, {"as_of": "2026-06-09"}).jobs
    assert job.parameters == {"week": "2026-W23", "as_of": "2026-06-09", "funnel": NAME}


# Months, quarters, several at once


def names(batch):
    return [f"{job.target.parent.name}/{job.target.stem}" for job in batch.jobs]


def test_a_month_and_a_quarter_have_their_notebooks_as_of_their_last_day(small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    june = period_batch(NAME, "month", period="2026-06")
    assert names(june) == ["2026-06/closed-loop", "2026-06/refusals", "2026-06/counted"]
    dated = {"funnel": NAME, "as_of": "2026-06-30", "month": "2026-06"}
    assert [job.parameters for job in june.jobs[:2]] == [dated] * 2
    assert [*june.titles.values()] == ["June 2026 · Team"]
    roi, _counted = period_batch(NAME, "quarter", as_of="2026-06-30").jobs
    assert roi.parameters == {"funnel": NAME, "as_of": "2026-06-30", "quarter": "2026-Q2"}
    assert (roi.section, roi.notebook.stem, roi.target.parent.name) == ("Quarter", "roi", "2026-Q2")


def test_without_a_month_or_quarter_the_last_complete_one_is_taken(small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    assert names(period_batch(NAME, "month"))[0] == "2026-06/closed-loop"
    assert names(period_batch(NAME, "month", as_of="2026-06-29"))[0] == "2026-05/closed-loop"
    assert names(period_batch(NAME, "quarter")) == ["2026-Q2/roi", "2026-Q2/counted"]


def test_several_weeks_are_each_told_as_of_their_own_sunday(small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    batch = period_batch(NAME, first="2026-W19", last="2026-W21", only=["weekly"])
    assert names(batch) == ["2026-W19/team", "2026-W20/team", "2026-W21/team"]
    assert [job.parameters["as_of"] for job in batch.jobs] == ["2026-05-10", "2026-05-17", "2026-05-24"]
    assert [*batch.titles.values()] == ["4–10 May 2026 · Team", "11–17 May 2026 · Team", "18–24 May 2026 · Team"]
    assert names(period_batch(NAME, first="2026-W25", only=["weekly"])) == ["2026-W25/team", "2026-W26/team"]
    assert names(period_batch(NAME, "month", first="2026-05", only=["refusals"])) == [
        *("2026-05/refusals", "2026-06/refusals"),
    ]


def test_the_weeks_of_a_turn_of_the_year_are_all_there() -> None:
    exported([("a", "lead", "2025-12-01", "Anna"), ("b", "lead", "2026-02-02", "Anna")])
    weeks = [folder.name for folder in period_batch(NAME, first="2025-W51", last="2026-W02").titles]
    assert weeks == ["2025-W51", "2025-W52", "2026-W01", "2026-W02"]


def test_only_what_is_named_is_made() -> None:
    exported([("a", "lead", "2026-05-05", "Anna"), ("b", "lead", "2026-05-06", "Boris")])
    week = {"period": "2026-W20"}
    assert names(period_batch(NAME, **week, only=["manager=Anna", "data_check"])) == [
        *("2026-W20/manager-Anna", "2026-W20/data-check"),
    ]
    assert len(period_batch(NAME, **week, only=["manager"]).jobs) == 2
    whole = {job.target: job.fingerprint for job in period_batch(NAME, **week).jobs}
    (anna,) = period_batch(NAME, **week, only=["manager=Anna"]).jobs
    assert whole[anna.target] == anna.fingerprint, "the same page as in a whole run"


def test_another_language_is_a_parameter_and_another_page(small, week, monkeypatch) -> None:
    monkeypatch.chdir(small)
    own, russian = week, period_batch(NAME, period="2026-W20", language="ru")
    assert {job.parameters["language"] for job in russian.jobs} == {job.language for job in russian.jobs} == {"ru"}
    assert not any("language" in job.parameters for job in own.jobs)
    assert not {job.fingerprint for job in own.jobs} & {job.fingerprint for job in russian.jobs}


def test_a_batch_says_what_it_was_made_from() -> None:
    exported(TEAM)
    before = period_batch(NAME, period="2026-W20").inputs
    assert {"data", "statement", "program", "rows of leads", "rows of entries"} == set(before)
    exported([*TEAM, ("new", "lead", "2026-05-06", "Anna")])
    after = period_batch(NAME, period="2026-W20").inputs
    assert {name for name in before if before[name] != after[name]} == {"data", "rows of leads", "rows of entries"}


@pytest.mark.parametrize(
    ("unit", "asked", "said"),
    [
        ("month", {"period": "2026-07"}, "month 2026-07 is not covered by the data of team: 2026-05 to 2026-06 are"),
        (
            "month",
            {"period": "2026-05", "as_of": "2026-05-30"},
            "between the month's last day 2026-05-31 and",
        ),
        ("quarter", {"period": "2026-Q3"}, "quarter 2026-Q3 is not covered by the data of team: 2026-Q2 to 2026-Q2"),
        ("quarter", {"period": "2026-2"}, 'no quarter "2026-2"; write it like 2026-Q2'),
        ("quarter", {"period": "FY2026-04-Q1"}, 'no quarter "FY2026-04-Q1", as fiscal_year_starts = 1; write it like'),
        ("quarter", {"as_of": "2026-06-29"}, "quarter 2026-Q1 is not covered"),
        ("week", {"first": "2026-W20", "period": "2026-W21"}, "--week is about one week, --from and --to are about"),
        ("week", {"first": "2026-W20", "as_of": "2026-06-01"}, "--as-of is about one week"),
        ("week", {"as_of": "2020-01-01"}, "week 2019-W52 is not covered"),
        ("week", {"first": "2026-W18", "last": "2026-W21"}, "week 2026-W18 is not covered"),
        ("week", {"first": "2026-W20", "last": "2026-W27"}, "week 2026-W27 is not covered"),
    ],
)
def test_a_period_that_the_data_does_not_have_is_refused(unit, asked, said, small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    with pytest.raises(FunnelError) as refused:
        period_batch(NAME, unit, **asked)
    assert said in str(refused.value)


@pytest.mark.usefixtures("sundays")
def test_a_week_of_iso_is_none_of_those_that_begin_on_sunday() -> None:
    prepared('week_starts = "sunday"\n' + TOML, {"entries.csv": entries(*SMALL[:2])})
    assert {job.target.parent.name for job in period_batch(NAME).jobs} == {"2026-W26-Sun"}
    told = 'no week "2026-W26", as week_starts = "sunday"; write it like 2026-W26-Sun'
    with pytest.raises(FunnelError, match=told):
        period_batch(NAME, period="2026-W26")


@pytest.mark.usefixtures("fiscal")
def test_a_quarter_of_the_calendar_is_none_of_the_fiscal_year() -> None:
    prepared(
        "fiscal_year_starts = 6\n" + TOML, {"entries.csv": entries(*SMALL[:2], ("a", "met", "2026-06-29", "Anna"))}
    )
    assert {job.target.parent.name for job in period_batch(NAME, "quarter").jobs} == {"FY2025-06-Q4"}
    with pytest.raises(FunnelError, match="write it like FY2025-06-Q4"):
        period_batch(NAME, "quarter", period="2026-Q2")


def test_data_of_less_than_a_month_says_that_none_is_over() -> None:
    prepared(TOML.replace("exported_on = 2026-06-30\n", ""), {"entries.csv": entries(*SMALL[:2])})
    with pytest.raises(FunnelError, match="no month of it is over"):
        period_batch(NAME, "month")


def test_every_page_that_a_period_may_have_has_its_words_and_its_notebook() -> None:
    for unit, kind in UNITS.items():
        for page in kind.pages:
            known = known_parameters(REPOSITORY / "notebooks" / f"{page.notebook}.ipynb")
            assert {"funnel", "as_of", *([unit] if page.dated else [])} <= set(known)
            assert SECTION_WORDS[page.notebook]
            assert LABEL_WORDS[page.notebook]
    assert {path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb")} == {*LABEL_WORDS, "cookbook", "tutorial"}


@pytest.mark.parametrize(
    ("notebook", "values", "label"),
    [
        ("plan", {"deals": 1, "by": "", "language": "en"}, "Plan: 1 deal"),
        ("plan", {"by": "2026-09-30", "deals": 1000, "as_of": "2026-06-28"},
         "Plan: 1,000 deals by 30 Sep 2026, as of 28 Jun 2026"),
        ("manager", {"week": "2026-W26", "manager": "O'Neill"}, "Manager: 2026-W26, O'Neill"),
        ("data_check", {"funnel": "sample"}, "What came in"),
        ("our_own", {"deals": "many", "flag": False, "text": ""}, "our own: many, False"),
    ],
)  # fmt: skip
def test_a_page_is_called_by_what_was_asked_in_words(notebook, values, label) -> None:
    assert asked_label(notebook, values) == label


def test_a_report_is_called_so_above_itself_and_in_the_index(small, monkeypatch) -> None:
    monkeypatch.chdir(small)
    batch = report_batch("refusals", NAME, {"month": "2026-05", "language": "ru"})
    (job,) = batch.jobs
    assert job.label == "Почему отказывают: 2026-05"
    assert job.title == f"Team · {job.label}"
    assert [*batch.titles.values()] == ["Team · Почему отказывают"]


def test_a_report_checks_its_month_quarter_and_plan(tmp_path) -> None:
    exported(SMALL)
    dated = "funnel = ''\nmonth = '2020-01'\nquarter = '2020-Q1'\nas_of = ''"
    write_notebook(tmp_path / "notebooks" / "toy.ipynb", [], dated)
    write_notebook(tmp_path / "notebooks" / "aim.ipynb", [], "funnel = ''\ndeals = 10\nby = '2026-09-30'")
    (job,) = report_batch("toy", NAME, {}).jobs
    assert job.parameters == {"funnel": NAME, "month": "2026-06", "quarter": "2026-Q2"}
    assert report_batch("aim", NAME, {"deals": "3"}).jobs[0].parameters["deals"] == 3
    for notebook, texts, said in (
        ("toy", {"month": "2026-08"}, "month 2026-08 is not covered"),
        ("toy", {"quarter": "Q2"}, 'no quarter "Q2"'),
        ("toy", {"month": "2026-05", "as_of": "2026-05-01"}, "as of 2026-05-01: must lie between"),
        ("aim", {"deals": "0"}, "deals must be a whole number of at least 1, got 0"),
        ("aim", {"deals": "many"}, "deals must be a number"),
        ("aim", {"by": "2026-06-30"}, "by must be a day after 2026-06-30 and not after"),
        ("aim", {"by": "autumn"}, "got 'autumn'; write it like"),
    ):
        with pytest.raises(FunnelError) as refused:
            report_batch(notebook, NAME, texts)
        assert said in str(refused.value)


def test_a_page_with_notes_is_made_again_when_they_change(tmp_path) -> None:
    exported(SMALL)
    write_notebook(tmp_path / "notebooks" / "toy.ipynb", [], "funnel = ''\nmonth = '2020-01'")
    write_notebook(tmp_path / "notebooks" / "other.ipynb", [], "funnel = ''\nquarter = '2020-Q1'")

    def made_from():
        return [report_batch(notebook, NAME, {}).jobs[0].fingerprint for notebook in ("toy", "other")]

    before = made_from()
    path = tmp_path / "data" / "raw" / NAME / "notes" / "2026-06.md"
    path.parent.mkdir()
    path.write_text("- a win", encoding="utf-8")
    after = made_from()
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_an_export_without_a_dated_entry_has_no_week() -> None:
    prepared(TOML, {"entries.csv": "id,stage,at,who\n", "leads.csv": FILES["leads.csv"]})
    for week in ("", "2026-W20"):
        with pytest.raises(FunnelError):
            period_batch(NAME, period=week)


@pytest.mark.parametrize("name", ["../pyproject", "weekly/../weekly", "", "/etc/passwd"])
def test_a_notebook_is_a_name_and_never_a_path(name) -> None:
    with pytest.raises(FunnelError, match="no notebook"):
        notebook_path(name)


def test_a_notebook_may_be_named_with_its_ending() -> None:
    assert notebook_path("weekly.ipynb") == notebook_path("weekly")


def test_a_notebook_of_another_version_is_made_from_the_installed_one_unless_somebody_changed_it():
    installed, ours = REPOSITORY / "notebooks" / "plan.ipynb", Path("notebooks", "plan.ipynb").resolve()
    asked = json.loads(ours.read_text())

    def saved(shipped=None):
        ours.write_text(json.dumps(asked | {"metadata": {SHIPPED: shipped or digest_of_cells(asked)}}))
        path, told = notebook_in_use(ours)
        assert path == notebook_path("plan")
        return path, told

    assert saved() == (ours, "")
    asked["cells"][-1]["source"] += "\n# last year's"
    path, told = saved()
    assert path == installed
    assert told.endswith(f"the page is made from {installed}")
    assert saved(digest_of_cells(json.loads(installed.read_text()))) == (ours, "")
    path, told = saved("of last year")
    assert path == ours
    assert told.endswith(f"compare it with {installed}")
    for number, other in enumerate(["not json", "[]", '{"metadata": {}, "cells": "none"}', '{"metadata": 1}']):
        ours.write_text(other)
        os.utime(ours, (number, number))
        with pytest.raises(FunnelError, match="is no notebook"):
            notebook_path("plan")
