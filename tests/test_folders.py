"""Folders of runs: who makes one has it, whoever clears up at the same moment."""

import tempfile

import pytest

from funnelstats.config import folders
from funnelstats.config.folders import own_folder, remove_leftovers


def test_a_folder_that_another_run_clears_away_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    make, made = tempfile.mkdtemp, []

    def slowly(*how):
        made.append(make(*how))
        if len(made) == 1:
            remove_leftovers(tmp_path, ".part-")
        return made[-1]

    monkeypatch.setattr(folders.tempfile, "mkdtemp", slowly)
    with own_folder(tmp_path, ".part-") as folder:
        remove_leftovers(tmp_path, ".part-")
        assert [str(path) for path in tmp_path.iterdir()] == [str(folder)] == made[1:]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_found_at_every_moment_of_its_making(tmp_path, monkeypatch):
    def killed(*_how, **_rest):
        raise PermissionError

    monkeypatch.setattr(folders, "locked", killed)
    with pytest.raises(PermissionError), own_folder(tmp_path, ".part-"):
        pass
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 1
    remove_leftovers(tmp_path, ".part-")
    assert list(tmp_path.iterdir()) == []
