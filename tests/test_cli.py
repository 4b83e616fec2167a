"""The commands as they are typed: mistakes are one message and touch nothing, failures are exit 1."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from projects import NAME, REPOSITORY, TOML, write, write_notebook

from funnelstats import cli

WHO = 'entered_at = "at"'
TEAM = 'exported_on = 2026-02-28\nsystem_users = ["Robot"]\n' + TOML.replace(WHO, f'{WHO}, manager = "who"')
ENTRIES = "id,stage,at,who\n" + "".join(
    f"{lead},{stage},2026-01-{day:02},{who}\n"
    for lead, who in (("a", "Anna"), ("b", "Boris"), ("c", "Robot"), ("d", ""))
    for stage, day in (("lead", 5), ("met", 9))
)
LEADS = "id,created\n" + "".join(f"{lead},2026-01-05\n" for lead in "abcd")


def state(folder):
    """Every file below a folder with its content's hash and time."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A team of two, prepared, with notebooks and a report that was made earlier."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(TEAM, {"entries.csv": ENTRIES, "leads.csv": LEADS})
        shutil.copytree(REPOSITORY / "notebooks", folder / "notebooks")
        write_notebook(folder / "notebooks" / "broken.ipynb", ["raise ValueError('no such thing')"], "funnel = 'team'")
        greeting = "import funnelstats as fs\nfs.show_text(f'Week {week}')"
        write_notebook(folder / "notebooks" / "greeting.ipynb", [greeting], "week = '2026-W03'\nfunnel = 'team'")
        earlier = folder / "reports" / NAME / "2026-W02"
        earlier.mkdir(parents=True)
        (earlier / "team.html").write_text("last week's page")
        patch.setattr(sys, "argv", ["funnelstats", "prepare", NAME])
        cli.main()
    return folder


@pytest.fixture
def run(project, monkeypatch, capsys):
    """Run a command in the project: its exit code and what it said on stdout and stderr."""
    monkeypatch.chdir(project)

    def typed(*words):
        monkeypatch.setattr(sys, "argv", ["funnelstats", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


MISTAKES = [
    (["weekly", NAME, "--week", "2026-3"], 'no week "2026-3"; write it like 2026-W26'),
    (["weekly", NAME, "--week", "2026-W60"], 'no week "2026-W60"'),
    (["weekly", NAME, "--week", "2026-W30"], "week 2026-W30 is not covered by the data of team: 2026-W02 to 2026-W08"),
    (["weekly", NAME, "--week", "2025-W30"], "week 2025-W30 is not covered"),
    (["weekly", NAME, "--week", "2026-W03", "--as-of", "2026-01-17"], "as of 2026-01-17: must lie between"),
    (["weekly", NAME, "--week", "2026-W03", "--as-of", "2026-03-01"], "the data's last day 2026-02-28"),
    (["weekly", NAME, "--as-of", "17.01.2026"], 'no date "17.01.2026"; write it like'),
    (["weekly", NAME, "--as-of", "2026-02-30"], 'no date "2026-02-30"'),
    (["weekly", NAME, "--as-of", "0001-01-01"], 'no date "0001-01-01"'),
    (["weekly", NAME, "--week", "9999-W52"], 'no week "9999-W52"'),
    (["monthly", NAME, "--month", "9999-12"], 'no month "9999-12"'),
    (["report", "data_check", NAME, "-p", "funnel", "../x"], '-p funnel: the page is of "team"'),
    (["weekly", "taem"], 'no funnel "taem": no data/raw/taem/funnel.toml; did you mean "team"?'),
    (["prepare", "taem"], 'did you mean "team"?'),
    (["prepare", "../raw/team"], 'no funnel "../raw/team"'),
    (["weekly", NAME, "--from", "2026-W04", "--to", "2026-W03"], "--from 2026-W04 lies after --to 2026-W03"),
    (["weekly", NAME, "--to", "2026-W03"], "--to needs --from"),
    (["weekly", NAME, "--only", "manager=Ana"], 'no page "manager=Ana" in this week; did you mean "Anna"?'),
    (["weekly", NAME, "--only", "manager=Zed"], 'no page "manager=Zed" in this week; known: Anna, Boris'),
    (["weekly", NAME, "--only", "wekly"], 'no page "wekly" in this week; did you mean "weekly"?'),
    (["monthly", NAME, "--only", "manager=Zed"], "in this month; known: closed_loop, refusals"),
    (["weekly", NAME, "--only", "manager=Anna", "--fail-on", "red"], "--fail-on judges the team's page"),
    (["weekly", NAME, "--fail-on", "amber"], "'amber' is not 'red'"),
    (["weekly", NAME, "--jobs", "0"], "0 is not in the range x>=1"),
    (["weekly", NAME, "--language", "de"], 'no language "de"; known: en, ru'),
    (["monthly", NAME, "--month", "2026-W03"], 'no month "2026-W03"; write it like 2026-06'),
    (["monthly", NAME, "--month", "2026-03"], "month 2026-03 is not covered by the data of team: 2026-01 to 2026-02"),
    (["monthly", NAME, "--week", "2026-W03"], "No such option"),
    (["quarterly", NAME], "quarter 2025-Q4 is not covered by the data of team: no quarter of it is over"),
    (["quarterly", "taem"], 'did you mean "team"?'),
    (["report", "manger", NAME], 'no notebook "manger" in notebooks; did you mean "manager"?'),
    (["report", "../notebooks/manager", NAME], "no notebook"),
    (["report", "greeting", NAME, "-p", "weak", "1"], 'no parameter "weak" in greeting.ipynb; did you mean "week"?'),
    (["report", "greeting", NAME, "-p", "week", "2026-W03", "-p", "week", "2026-W02"], "-p week is given twice"),
    (["report", "manager", NAME, "-p", "week", "2026-W03", "-p", "manager", "Ana"], 'did you mean "Anna"?'),
    (["report", "manager", NAME, "-p", "week", "2026-W03"], "state -p manager; known: Anna, Boris"),
    (["report", "tutorial", NAME], 'tutorial.ipynb asks about "sample" alone'),
    (["report", "plan", NAME], "state -p deals, how many to win"),
    (["report", "leaks", NAME, "-p", "week", "2026-W03"], "state -p step; known: met, paid"),
    (["report", "leaks", NAME, "-p", "week", "2026-W03", "-p", "step", "mett"], 'did you mean "met"?'),
    (["report", "manager", NAME, "-p", "week", "2026-W30", "-p", "manager", "Anna"], "week 2026-W30 is not covered"),
    (["report", "weekly", NAME, "-p", "week", "2026-W26"], "week 2026-W26 is not covered"),
    (["report", "greeting", NAME, "--language", "de"], 'no language "de"; known: en, ru'),
    (["report", "greeting", NAME, "--language", "ru", "-p", "language", "en"], "-p language is given twice"),
    (["report", "greeting", "taem"], 'did you mean "team"?'),
    (["wekly", NAME], "No such command 'wekly'"),
    (["weekly"], "Missing argument 'FUNNEL'"),
    (["weekly", NAME, "--wek", "2026-W03"], "No such option"),
    (["report", "greeting", NAME, "-p", "week"], "requires 2 arguments"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_message_and_exit_2_and_touches_nothing(run, project, words, message) -> None:
    before = state(project)
    code, out, err = run(*words)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert state(project) == before


@pytest.mark.parametrize(
    ("toml", "files", "message"),
    [
        (TEAM.replace('"entries.csv"', '"entires.csv"'), {}, "entires.csv"),
        (TEAM + "\n[[[", {}, "data/raw/other/funnel.toml: not a TOML file"),
        (TEAM.replace("horizon_days = 14", "horizon = 14"), {}, "horizon"),
        (TEAM, {"entries.csv": ENTRIES.replace("2026-01-09", "09/01/26")}, "09/01/26"),
        (TEAM, {"entries.csv": ENTRIES.replace("met", "mett")}, "mett"),
        (TEAM, {"entries.csv": ENTRIES.replace("who", "owner")}, "who"),
    ],
    ids=["missing file", "broken toml", "unknown key", "dates without a format", "unknown stage", "missing column"],
)
def test_an_export_that_does_not_fit_is_one_message_and_exit_2(run, project, toml, files, message) -> None:
    write(toml, {"entries.csv": ENTRIES, "leads.csv": LEADS, **files}, name="other")
    before = state(project / "reports"), state(project / "data" / "processed")
    code, out, err = run("weekly", "other")
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert (state(project / "reports"), state(project / "data" / "processed")) == before
    shutil.rmtree(project / "data" / "raw" / "other")


def test_an_export_that_breaks_later_leaves_the_old_tables_and_pages(run, project) -> None:
    raw = project / "data" / "raw" / NAME / "entries.csv"
    before = state(project / "reports"), state(project / "data" / "processed")
    raw.write_text(ENTRIES.replace("met", "mett"))
    try:
        assert run("weekly", NAME)[0] == 2
        assert (state(project / "reports"), state(project / "data" / "processed")) == before
    finally:
        raw.write_text(ENTRIES)


@pytest.mark.parametrize("words", [["weekly", NAME, "{}"], ["{}", NAME], ["weekly", NAME, "--jobs", "{}"]])
def test_a_wrong_word_is_told_in_few_letters_that_steer_nothing(words, run) -> None:
    code, _out, err = run(*(word.format("\x1b[31m" + "x" * 5000) for word in words))
    assert code == 2
    assert "xxx" in err
    assert "\x1b" not in err
    assert len(err) < 1000


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["weekly", "--help"], ["report", "-h"], ["prepare", "--help"]])
def test_help_is_no_mistake(run, words) -> None:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: funnelstats")


def test_help_names_every_command() -> None:
    assert set(cli.app.commands) == {"new", "init", "prepare", "weekly", "monthly", "quarterly", "report"}
    assert all(command.help for command in cli.app.commands.values())


def test_the_version_is_that_of_the_package(run) -> None:
    from importlib.metadata import version

    code, out, _ = run("--version")
    assert code == 0
    assert version("funnelstats") in out


def test_preparing_twice_says_that_nothing_changed(run, project) -> None:
    raw = project / "data" / "raw" / NAME / "leads.csv"
    raw.write_text(LEADS + "e,2026-01-06\n")
    first, *account = run("prepare", NAME)[2].splitlines()
    assert first == "data/processed/team: prepared"
    assert [line.split()[:3] for line in account[1:]] == [["leads", "5", "5"], ["entries", "8", "8"]]
    before = state(project / "data" / "processed")
    assert run("prepare", NAME)[2].splitlines() == ["data/processed/team: unchanged", *account]
    assert state(project / "data" / "processed") == before
    raw.write_text(LEADS)
    assert run("prepare", NAME)[2].startswith("data/processed/team: prepared\n")


def test_a_page_that_fails_is_exit_1_with_its_reason(run, project) -> None:
    code, out, err = run("report", "broken", NAME)
    assert code == 1
    assert "1/1 broken.html: failed: cell 3: ValueError: no such thing" in err
    assert "Traceback" not in err
    assert out.strip() == f"reports/{NAME}/broken/index.html"
    folder = project / "reports" / NAME / "broken"
    assert not (folder / "broken.html").exists()
    assert (folder / "_failed" / "broken.ipynb").is_file()
    assert json.loads((folder / "run.json").read_text())["pages"]["broken.html"]["state"] == "failed"


def test_a_report_prints_its_place_and_is_not_made_twice(run, project) -> None:
    code, out, err = run("report", "greeting", NAME, "-p", "week", "2026-W02")
    assert code == 0, err
    assert out == f"reports/{NAME}/greeting/index.html\n"
    assert "greeting-2026-W02" in err
    (page,) = (project / "reports" / NAME / "greeting").glob("greeting-*.html")
    assert "Week 2026-W02" in page.read_text(encoding="utf-8")
    before = page.stat().st_mtime_ns
    assert "unchanged" in run("report", "greeting", NAME, "-p", "week", "2026-W02")[2].splitlines()[-1]
    assert page.stat().st_mtime_ns == before


WEEK = """
import funnelstats as fs
import pandas as pd
if fault in week: raise ValueError("no such week")
display(fs.show_text(["Call **Anna** | now."]))
row = {"from_stage": "lead", "to_stage": "met", "entered": 9, "rate": 0.5, "target": 0.8}
verdict = "red" if week >= red_from else "green"
display(fs.show_table(pd.DataFrame([{**row, "verdict": verdict}]), fs.Layout(name="team", title="Team")))
fs.show_table(pd.DataFrame([{"manager": "Anna", **row, "verdict": "red"}]), fs.Layout(name="managers", title="All"))
"""
PARAMETERS = "funnel = 'team'\nweek = '2026-W03'\nas_of = ''\nred_from = '2026-W04'\nfault = 'no week'"
QUICK = ["--only", "weekly", "--jobs", "2"]


@pytest.fixture
def weeks(project):
    """The team's notebook replaced by one that takes no time, red for the team from 2026-W04 on; reports empty."""
    notebook = project / "notebooks" / "weekly.ipynb"
    before = notebook.read_bytes()
    write_notebook(notebook, [WEEK], PARAMETERS)
    shutil.rmtree(project / "reports", ignore_errors=True)
    yield notebook
    notebook.write_bytes(before)
    shutil.rmtree(project / "reports", ignore_errors=True)


def verdicts(project, week):
    run = json.loads((project / "reports" / NAME / week / "run.json").read_text())
    return [row["verdict"] for row in run["pages"]["team.html"]["verdicts"]]


@pytest.mark.usefixtures("weeks")
def test_several_weeks_are_one_run_with_one_page_of_all_and_go_on_where_they_ended(run, project) -> None:
    code, out, err = run("weekly", NAME, "--from", "2026-W03", "--to", "2026-W04", *QUICK)
    assert code == 0, err
    assert out == f"reports/{NAME}/2026-W04/index.html\n"
    assert "2026-W03/team.html: made" in err
    folder = project / "reports" / NAME
    assert [verdicts(project, week) for week in ("2026-W03", "2026-W04")] == [["green", "red"], ["red", "red"]]
    index = (folder / "2026-W03" / "index.html").read_text()
    assert "12–18 January 2026 · Team" in index
    assert 'href="../index.html"' in index
    overview = (folder / "index.html").read_text()
    assert overview.index("week-2026-W04") < overview.index("week-2026-W03")
    assert "restated-" not in overview
    (folder / "2026-W03" / "team.html").unlink()
    code, _, err = run("weekly", NAME, "--from", "2026-W03", "--to", "2026-W04", *QUICK)
    assert [line.split(": ")[1].split()[0] for line in err.splitlines()[-2:]] == ["unchanged", "made"]


def test_numbers_told_anew_are_on_the_page_of_all_with_their_reason(run, project, weeks) -> None:
    assert run("weekly", NAME, "--week", "2026-W03", *QUICK)[0] == 0
    write_notebook(weeks, [WEEK], PARAMETERS.replace("red_from = '2026-W04'", "red_from = '2026-W01'"))
    assert run("weekly", NAME, "--week", "2026-W03", "--as-of", "2026-01-25", *QUICK)[0] == 0
    overview = (project / "reports" / NAME / "index.html").read_text()
    told = "told as of 25 Jan 2026, before as of 18 Jan 2026; the notebook or the program was changed"
    assert f"1 number changed, 1 verdict: {told}." in overview


@pytest.mark.usefixtures("weeks")
def test_a_red_that_the_week_before_did_not_have_is_exit_3(run) -> None:
    assert run("weekly", NAME, "--week", "2026-W02", *QUICK)[0] == 0
    code, out, err = run("weekly", NAME, "--week", "2026-W03", "--fail-on", "red", *QUICK)
    assert (code, out) == (0, f"reports/{NAME}/2026-W03/index.html\n"), err
    code, out, err = run("weekly", NAME, "--week", "2026-W04", "--fail-on", "red", *QUICK)
    assert (code, out) == (3, f"reports/{NAME}/2026-W04/index.html\n")
    assert err.splitlines()[-1] == "new red: The team: lead\u00a0→ met, 50%"
    assert run("weekly", NAME, "--week", "2026-W05", "--fail-on", "red", *QUICK)[0] == 0


def test_a_failed_page_is_exit_1_whatever_is_red_and_on_the_page_of_all(run, project, weeks) -> None:
    write_notebook(weeks, [WEEK], PARAMETERS.replace("no week", "W03"))
    code, _, err = run("weekly", NAME, "--from", "2026-W03", "--to", "2026-W04", "--fail-on", "red", *QUICK)
    assert code == 1, err
    assert "2026-W03/team.html: failed: cell 3: ValueError: no such week" in err
    assert "not made" in (project / "reports" / NAME / "index.html").read_text()


@pytest.mark.usefixtures("weeks")
def test_a_run_on_github_gets_its_summary(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    for name, value in (("SERVER_URL", "https://example.org"), ("REPOSITORY", "a/b"), ("RUN_ID", "7")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    (tmp_path / "summary.md").write_text("before\n")
    assert run("weekly", NAME, "--week", "2026-W03", *QUICK)[0] == 0
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("before\n## 12–18 January 2026 · Team\n\n- Call \\*\\*Anna\\*\\* \\| now\\.\n")
    assert "[All pages](https://example.org/a/b/actions/runs/7#artifacts)" in text


@pytest.mark.usefixtures("weeks")
def test_a_month_is_made_of_its_notebooks(run, project) -> None:
    for notebook in ("closed_loop", "refusals"):
        source = "import funnelstats as fs\nfs.show_text(f'{month} as of {as_of}')"
        write_notebook(project / "notebooks" / f"{notebook}.ipynb", [source], "funnel = ''\nmonth = ''\nas_of = ''")
    code, out, err = run("monthly", NAME, "--jobs", "2")
    assert (code, out) == (0, f"reports/{NAME}/2026-02/index.html\n"), err
    folder = project / "reports" / NAME
    assert "2026-02 as of 2026-02-28" in (folder / "2026-02" / "refusals.html").read_text()
    assert 'href="2026-02/index.html"' in (folder / "index.html").read_text()


def test_outside_a_project_the_message_says_what_is_missing(tmp_path, run, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run("weekly", NAME)
    assert code == 2
    assert "holds data/raw" in err
    assert "funnelstats new FOLDER" in err


@pytest.mark.usefixtures("project")
def test_a_report_is_asked_for_its_language_like_every_other_page(run, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("funnelstats.reporting.periods.report_batch", lambda *given: asked.append(given))
    monkeypatch.setattr("funnelstats.cli._render", lambda *_given, **_how: None)
    assert run("report", "plan", NAME, "-p", "deals", "5", "--language", "ru")[0] == 0
    assert asked == [("plan", NAME, {"deals": "5", "language": "ru"})]


def test_a_programming_error_is_not_hidden_as_a_mistake_of_the_user(run, monkeypatch) -> None:
    import funnelstats.reporting.periods

    def broken(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(funnelstats.reporting.periods, "period_batch", broken)
    with pytest.raises(KeyError):
        run("weekly", NAME)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_exit_130(sign, run, monkeypatch) -> None:
    import funnelstats.reporting.periods

    monkeypatch.setattr(funnelstats.reporting.periods, "period_batch", lambda *_, **__: signal.raise_signal(sign))
    # whoever runs the tests in the background has taken Ctrl-C from them
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, _, err = run("weekly", NAME)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert code == 130
    assert err.endswith("interrupted\n")


def test_a_disk_that_takes_nothing_is_one_line_and_exit_1(run, monkeypatch) -> None:
    import funnelstats.reporting.periods

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "reports/sample/run.json")

    monkeypatch.setattr(funnelstats.reporting.periods, "period_batch", full)
    code, _, err = run("weekly", NAME)
    assert code == 1
    assert err.endswith("reports/sample/run.json: No space left on device\n")


@pytest.mark.skipif(cli.resource is None, reason="needs a limit of a file's size")
def test_a_disk_without_room_for_the_tables_is_one_line_and_exit_1(project, monkeypatch) -> None:
    monkeypatch.chdir(project)
    write(TEAM, {"entries.csv": ENTRIES, "leads.csv": LEADS}, name="full")
    before = state(project / "data" / "processed")
    # What Python itself writes is smaller.
    code = "import resource, sys\nfrom funnelstats import cli\nsys.argv = ['', 'prepare', 'full']\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\ncli.main()"
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    shutil.rmtree(project / "data" / "raw" / "full")
    assert done.returncode == 1
    assert done.stderr.startswith("the run: data/processed/full cannot be made: ")
    assert len(done.stderr.splitlines()) == 1
    assert state(project / "data" / "processed") == before


@pytest.mark.parametrize("name", ["quality.json", "leads.parquet", "set_aside.parquet"])
@pytest.mark.parametrize("how", ["emptied", "cut", "removed"])
def test_tables_that_a_lost_machine_left_broken_are_made_again(name, how, run, project) -> None:
    path = project / "data" / "processed" / NAME / name
    whole = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(b"" if how == "emptied" else whole[: len(whole) // 2])
    code, _, err = run("prepare", NAME)
    assert (code, err.splitlines()[0]) == (0, "data/processed/team: prepared")
    assert path.read_bytes() == whole


def test_a_folder_for_pages_that_cannot_be_made_is_one_line_and_exit_1(run, project) -> None:
    place = project / "reports" / NAME / "counted"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file")
    code, _, err = run("report", "counted", NAME)
    place.unlink()
    assert code == 1
    assert err.endswith(f"reports/{NAME}/counted: File exists\n")


@pytest.mark.parametrize("name", ["entries.csv", "funnel.toml", "broken.ipynb"])
def test_an_input_that_may_not_be_read_is_one_line_and_exit_2(name, run, project, monkeypatch) -> None:
    opened = Path.open

    def guarded(path, *how, **rest):
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *how, **rest)

    monkeypatch.setattr(Path, "open", guarded)
    code, _, err = run("report", "broken", NAME)
    assert code == 2
    assert err.splitlines()[-1].startswith(str(project))
    assert err.endswith(f"{name}: Permission denied\n")


@pytest.mark.parametrize("command", [["prepare", NAME], ["weekly", NAME], ["report", "greeting", NAME]])
def test_a_run_with_too_few_addresses_is_refused_in_one_line_before_anything_is_made(command, project) -> None:
    words = f"ulimit -v 800000; exec {sys.executable} -m funnelstats {' '.join(command)}"
    before = state(project)
    done = subprocess.run(["bash", "-c", words], cwd=project, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ulimit -v must be at least 3145728 or unlimited, got 800000\n"
    assert state(project) == before


def test_a_run_whose_memory_is_used_up_says_so_and_fails(monkeypatch, capsys) -> None:
    def full():
        raise MemoryError

    monkeypatch.setattr(cli, "app", lambda **_: full())
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    assert capsys.readouterr().err == "the run: there is too little memory\n"


def test_what_is_stated_and_never_occurs_is_a_warning_of_prepare(run, project) -> None:
    toml = TEAM.replace('["Robot"]', '["Robbot"]')
    write(toml, {"entries.csv": "id,stage,at,who\n", "leads.csv": LEADS}, name="odd")
    try:
        code, _, err = run("prepare", "odd")
        assert code == 0
        assert "warning: 0 rows of the table “entries” can be used" in err
        (project / "data" / "raw" / "odd" / "entries.csv").write_text(ENTRIES)
        assert (
            "warning: 0 rows hold what funnel.toml states as system_users: “Robbot” (“Robot”?)"
            in run("prepare", "odd")[2]
        )
    finally:
        shutil.rmtree(project / "data" / "raw" / "odd")
        shutil.rmtree(project / "data" / "processed" / "odd")


def test_the_installed_command_refuses_and_reports_like_the_function(project) -> None:
    command = Path(sys.executable).with_name("funnelstats")
    words = [str(command)] if command.is_file() else [sys.executable, "-m", "funnelstats"]
    # a terminal of ASCII alone must not break a message with a name in it
    plain = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([*words, "weekly", "Команда"], cwd=project, capture_output=True, text=True, env=plain,
                          encoding="utf-8", timeout=60, check=False)  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith('no funnel "Команда"')
    assert "Traceback" not in done.stderr
