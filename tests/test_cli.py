"""The commands as they are typed: mistakes are one message and touch nothing, failures are exit 1."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from projects import NAME, REPOSITORY, TOML, write

from funnelstats import cli

WHO = 'entered_at = "at"'
TEAM = 'exported_on = 2026-02-28\nsystem_users = ["Robot"]\n' + TOML.replace(WHO, f'{WHO}, manager = "who"')
ENTRIES = "id,stage,at,who\n" + "".join(
    f"{lead},{stage},2026-01-{day:02},{who}\n"
    for lead, who in (("a", "Anna"), ("b", "Boris"), ("c", "Robot"), ("d", ""))
    for stage, day in (("lead", 5), ("met", 9))
)
LEADS = "id,created\n" + "".join(f"{lead},2026-01-05\n" for lead in "abcd")


def write_notebook(path, source, parameters="week = '2026-W03'\nfunnel = 'team'"):
    cells = [nbformat.v4.new_markdown_cell("# Toy", id="words")]
    cells += [nbformat.v4.new_code_cell(text, id=f"c{n}") for n, text in enumerate((parameters, source))]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


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
        write_notebook(folder / "notebooks" / "broken.ipynb", "raise ValueError('no such thing')", "funnel = 'team'")
        write_notebook(
            folder / "notebooks" / "greeting.ipynb", "import funnelstats as fs\nfs.show_text(f'Week {week}')"
        )
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
    (["weekly", "taem"], 'no funnel "taem": no data/raw/taem/funnel.toml; did you mean "team"?'),
    (["prepare", "taem"], 'did you mean "team"?'),
    (["prepare", "../raw/team"], 'no funnel "../raw/team"'),
    (["report", "manger", NAME], 'no notebook "manger" in notebooks; did you mean "manager"?'),
    (["report", "../notebooks/manager", NAME], "no notebook"),
    (["report", "greeting", NAME, "-p", "weak", "1"], 'no parameter "weak" in greeting.ipynb; did you mean "week"?'),
    (["report", "greeting", NAME, "-p", "week", "2026-W03", "-p", "week", "2026-W02"], "-p week is given twice"),
    (["report", "manager", NAME, "-p", "week", "2026-W03", "-p", "manager", "Ana"], 'did you mean "Anna"?'),
    (["report", "manager", NAME, "-p", "week", "2026-W03"], 'no manager "Иванов" in team; known: Anna, Boris'),
    (["report", "manager", NAME, "-p", "week", "2026-W30", "-p", "manager", "Anna"], "week 2026-W30 is not covered"),
    (["report", "weekly", NAME, "-p", "week", "2026-W26"], "week 2026-W26 is not covered"),
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


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["weekly", "--help"], ["report", "-h"], ["prepare", "--help"]])
def test_help_is_no_mistake(run, words) -> None:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: funnelstats")


def test_help_names_every_command() -> None:
    assert set(cli.app.commands) == {"prepare", "weekly", "monthly", "quarterly", "report"}
    assert all(command.help for command in cli.app.commands.values())


def test_the_version_is_that_of_the_package(run) -> None:
    from importlib.metadata import version

    code, out, _ = run("--version")
    assert code == 0
    assert version("funnelstats") in out


def test_preparing_twice_says_that_nothing_changed(run, project) -> None:
    raw = project / "data" / "raw" / NAME / "leads.csv"
    raw.write_text(LEADS + "e,2026-01-06\n")
    assert run("prepare", NAME)[2] == "data/processed/team: prepared\n"
    before = state(project / "data" / "processed")
    assert run("prepare", NAME)[2] == "data/processed/team: unchanged\n"
    assert state(project / "data" / "processed") == before
    raw.write_text(LEADS)
    assert run("prepare", NAME)[2] == "data/processed/team: prepared\n"


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


def test_outside_a_project_the_message_says_what_is_missing(tmp_path, run, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run("weekly", NAME)
    assert code == 2
    assert "holds data/raw" in err


def test_a_programming_error_is_not_hidden_as_a_mistake_of_the_user(run, monkeypatch) -> None:
    import funnelstats.periods

    def broken(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(funnelstats.periods, "period_batch", broken)
    with pytest.raises(KeyError):
        run("weekly", NAME)


def test_an_interruption_is_exit_130(run, monkeypatch) -> None:
    import funnelstats.periods

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(funnelstats.periods, "period_batch", stopped)
    code, _, err = run("weekly", NAME)
    assert code == 130
    assert err.endswith("interrupted\n")


def test_the_installed_command_refuses_and_reports_like_the_function(project) -> None:
    command = Path(sys.executable).with_name("funnelstats")
    words = [str(command)] if command.is_file() else [sys.executable, "-m", "funnelstats.cli"]
    # a terminal of ASCII alone must not break a message with a name in it
    plain = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([*words, "weekly", "Команда"], cwd=project, capture_output=True, text=True, env=plain,
                          encoding="utf-8", timeout=60, check=False)  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith('no funnel "Команда"')
    assert "Traceback" not in done.stderr


def test_a_page_of_the_sample_is_made_by_one_command(tmp_path, monkeypatch, run) -> None:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "sample").symlink_to(REPOSITORY / "data" / "raw" / "sample")
    (tmp_path / "notebooks").symlink_to(REPOSITORY / "notebooks")
    monkeypatch.chdir(tmp_path)
    code, out, err = run("report", "weekly", "sample", "-p", "week", "2026-W20")
    assert code == 0, err
    assert out == "reports/sample/weekly/index.html\n"
    (page,) = (tmp_path / "reports" / "sample" / "weekly").glob("weekly-*.html")
    assert "began in 2026-W16" in page.read_text(encoding="utf-8")
