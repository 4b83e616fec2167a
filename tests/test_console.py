"""What is heard of a run: lines in a log, one bar at a terminal, and nothing breaks where nobody listens."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from funnelstats.reporting.console import progress, say
from funnelstats.reporting.reports import Job, Record


def jobs(*names):
    return [Job(Path("toy.ipynb"), {}, Path("reports/team", name), "Toy") for name in names]


def told(made, failed):
    with progress([made, failed]) as tell:
        tell(Record(made, "made", 1.26))
        tell(Record(failed, "failed", 2.0, "cell 3: ValueError: no"))


def test_a_log_has_a_line_for_each_page(capsys) -> None:
    told(*jobs("2026-W01/team.html", "2026-W01/anna.html"))
    assert capsys.readouterr().err.splitlines() == [
        "1/2 team.html: made 1.3 s",
        "2/2 anna.html: failed: cell 3: ValueError: no",
    ]


def test_of_several_weeks_each_line_names_its_own(capsys) -> None:
    told(*jobs("2026-W01/team.html", "2026-W02/team.html"))
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == [
        *("2026-W01/team.html:", "2026-W02/team.html:"),
    ]


def test_a_terminal_has_one_bar_and_then_the_failures(monkeypatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    told(*jobs("2026-W01/team.html", "2026-W01/anna.html"))
    bar, failure = screen.getvalue().rstrip("\n").rsplit("\n", 1)
    assert "2/2" in bar.rsplit("\r", 1)[-1]
    assert "team.html" not in bar
    assert failure == "anna.html: failed: cell 3: ValueError: no"


@pytest.mark.parametrize("err", [True, False])
def test_nobody_listening_ends_no_run(err) -> None:
    code = "from funnelstats.reporting.console import say\n"
    code += f"for n in range(3): say('x' * 100_000, err={err})\nraise SystemExit(7)"
    stream = "stderr" if err else "stdout"
    with subprocess.Popen([sys.executable, "-c", code], **{stream: subprocess.PIPE}) as process:
        getattr(process, stream).close()
        assert process.wait(timeout=30) == 7


def test_a_line_goes_where_it_belongs(capsys) -> None:
    say("to the log")
    say("the place", err=False)
    assert capsys.readouterr() == ("the place\n", "to the log\n")
