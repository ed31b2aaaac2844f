"""Reading a snapshot again: its files, a copy, a difference."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from ipymlops.errors import SourceProblem
from ipymlops.source import checkout, diff, files, snapshot


def test_the_files_of_a_tree_come_sorted_with_mode_and_id(repo, git):
    (repo / "run.sh").write_text("x")
    (repo / "run.sh").chmod(0o755)
    (repo / "ln").symlink_to("run.sh")
    taken = snapshot(repo)
    rows = [(file.name, file.is_executable, file.is_link) for file in files(taken.tree, taken.git_dir)]
    assert rows == [
        (".gitignore", False, False),
        ("ln", False, True),
        ("run.sh", True, False),
        ("train.py", False, False),
    ]


def test_a_checkout_writes_the_exact_files(repo, tmp_path):
    (repo / "run.sh").write_text("x")
    (repo / "run.sh").chmod(0o755)
    (repo / "a").mkdir()
    (repo / "a/ln").symlink_to("../run.sh")
    (repo / "a/\udcff").write_bytes(b"\xff")
    taken = snapshot(repo)
    to = tmp_path / "far/copy"
    assert checkout(taken, to) == 5
    assert os.access(to / "run.sh", os.X_OK)
    assert not os.access(to / "train.py", os.X_OK) or stat.S_IMODE((to / "train.py").stat().st_mode) & 0o111 == 0
    assert (to / "a/ln").readlink() == Path("../run.sh")
    assert (to / "a/\udcff").read_bytes() == b"\xff"
    assert sorted(path.name for path in to.parent.iterdir()) == ["copy"]
    subprocess.run(["rm", "-rf", repo / ".git"], check=True)
    subprocess.run(["diff", "-r", "--no-dereference", repo, to], check=True)


def test_an_empty_folder_may_be_filled_and_a_full_one_is_refused(taken, tmp_path):
    to = tmp_path / "copy"
    to.mkdir()
    assert checkout(taken, to) == 2
    with pytest.raises(SourceProblem, match="not empty") as caught:
        checkout(taken, to)
    subprocess.run(caught.value.fix, shell=True, check=True)
    assert checkout(taken, to) == 2


def test_a_file_in_the_way_is_refused(taken, tmp_path):
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(SourceProblem, match="is there"):
        checkout(taken, tmp_path / "copy")
    (tmp_path / "copy").unlink()
    (tmp_path / "copy").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceProblem, match="is there"):
        checkout(taken, tmp_path / "copy")


def test_a_relative_folder_is_meant_from_here(taken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkout(taken, Path("copy"))
    assert (tmp_path / "copy/train.py").exists()


def test_a_place_that_cannot_be_written_is_told(taken):
    with pytest.raises(SourceProblem, match="could not be written"):
        checkout(taken, Path("/proc/nowhere/copy"))


def test_a_tree_that_would_write_elsewhere_is_refused(repo, git, taken, tmp_path):
    from dataclasses import replace

    blob = git(repo, "rev-parse", f"{taken.tree}:train.py").strip()
    done = subprocess.run(
        ["git", "mktree"], input=f"100644 blob {blob}\t..\n", cwd=repo, capture_output=True, text=True, check=True
    )
    inner = done.stdout.strip()
    with pytest.raises(SourceProblem, match="must not be written"):
        checkout(replace(taken, tree=inner), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_difference_is_a_unified_diff_of_two_trees(repo, taken):
    (repo / "train.py").write_text("import sys\nprint('other')\n")
    (repo / "new\tname.py").write_text("1\n")
    now = snapshot(repo)
    lines = diff(taken.git_dir, taken.tree, now.tree)
    assert "+print('other')" in lines
    assert any(line.startswith("+++ ") and "name.py" in line for line in lines)
    assert diff(taken.git_dir, taken.tree, now.tree, "new\tname.py")[-1] == "+1"
    assert not any("train.py" in line for line in diff(taken.git_dir, taken.tree, now.tree, "new\tname.py"))
    assert diff(taken.git_dir, taken.tree, taken.tree) == []


def test_the_sides_of_a_difference_may_have_names(repo, taken):
    (repo / "train.py").write_text("1\n")
    lines = diff(taken.git_dir, taken.tree, snapshot(repo).tree, labels=("job-41", "now"))
    assert lines[2:4] == ["--- job-41/train.py", "+++ now/train.py"]


def test_the_users_diff_programs_do_not_run(repo, git, taken, tmp_path):
    git(repo, "config", "diff.external", f"touch {tmp_path}/ran")
    git(repo, "config", "diff.noprefix", "true")
    git(repo, "config", "color.ui", "always")
    (repo / "train.py").write_text("1\n")
    assert "--- a/train.py" in diff(taken.git_dir, taken.tree, snapshot(repo).tree)
    assert not (tmp_path / "ran").exists()


def test_trees_of_two_stores_can_be_compared(repo, taken, tmp_path, objects):
    other = tmp_path / "plain"
    other.mkdir()
    (other / "train.py").write_text("1\n")
    there = snapshot(other, objects=objects)
    assert "+1" in diff(taken.git_dir, taken.tree, there.tree, also=[there.git_dir])


def test_bytes_that_are_no_text_come_as_surrogates(repo, taken):
    (repo / "train.py").write_bytes(b"caf\xe9\n")
    assert "+caf\udce9" in diff(taken.git_dir, taken.tree, snapshot(repo).tree)
