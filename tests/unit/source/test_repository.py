"""Repositories that are not ours to write, and folders that are none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ipymlops.source import checkout, diff, keep, pack, prune, snapshot
from ipymlops.source.repository import find_repository, repository_at

TAKE = """
import json, sys
from pathlib import Path
from ipymlops.source import snapshot, pack
taken = snapshot(Path(sys.argv[1]), job_id="j1", objects=Path(sys.argv[2]))
pack(taken, Path(sys.argv[3]))
print(json.dumps(taken.to_json()))
"""


@pytest.fixture
def foreign(repo, monkeypatch):
    """A repository whose files belong to another user."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "12345:12345", repo], check=True)
        refused = subprocess.run(["git", "status"], cwd=repo, capture_output=True, text=True)
        assert "dubious ownership" in refused.stderr
    else:
        mine = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    return repo


def test_a_read_only_git_folder_is_left_alone(repo, git, objects, tmp_path, without_privileges, untouched):
    import json

    from ipymlops.spec import Snapshot

    (repo / "train.py").write_text("edited\n")
    expected = snapshot(repo).tree
    git(repo, "update-ref", "-d", "refs/ipymlops/seen")
    git(repo, "gc", "-q", "--prune=now")
    subprocess.run(["chmod", "-R", "a-w", repo / ".git"], check=True)
    try:
        with untouched(repo):
            said = without_privileges(TAKE, repo, objects, tmp_path / "packs")
    finally:
        subprocess.run(["chmod", "-R", "u+w", repo / ".git"], check=True)
    taken = Snapshot.from_json(json.loads(said))
    assert taken.tree == expected
    assert taken.commit == git(repo, "rev-parse", "HEAD").strip()
    assert Path(taken.git_dir).parent == objects
    assert git(Path(taken.git_dir), "rev-parse", "refs/ipymlops/jobs/j1").strip() == taken.snapshot_commit
    assert (tmp_path / f"packs/{taken.tree}.tar").exists()
    assert checkout(taken, tmp_path / "copy") == taken.files
    head = git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert "+edited" in diff(taken.git_dir, head, taken.tree)


def test_one_fan_out_folder_of_another_owner_is_enough_to_keep_out(repo, objects, tmp_path, without_privileges):
    fan_out = next(path for path in (repo / ".git/objects").iterdir() if len(path.name) == 2)
    fan_out.chmod(0o555)
    assert str(objects) in without_privileges(TAKE, repo, objects, tmp_path / "packs")


def test_somebody_elses_git_folder_gets_nothing_of_ours(foreign, objects, content, untouched):
    (foreign / "train.py").write_text("edited\n")
    before = set(foreign.rglob("*"))
    with untouched(foreign):
        taken = snapshot(foreign, job_id="j1", objects=objects)
    assert set(foreign.rglob("*")) == before
    assert content(taken, "train.py") == "edited\n"
    assert taken.git_dir.startswith(str(objects))


def test_the_filters_of_somebody_elses_repository_do_not_run(foreign, git, objects, tmp_path, content):
    proof = tmp_path / "ran"
    with (foreign / ".git/config").open("a") as config:
        config.write(f'[filter "bad"]\n\tclean = touch {proof}; cat\n[core]\n\tfsmonitor = touch {proof}\n')
    (foreign / ".gitattributes").write_text("*.py filter=bad\n")
    (foreign / "train.py").write_text("edited\n")
    taken = snapshot(foreign, objects=objects)
    assert content(taken, "train.py") == "edited\n"
    assert not proof.exists()


@pytest.fixture
def folder(tmp_path):
    """Files with ignore rules and no repository."""
    root = tmp_path / "plain"
    (root / "data").mkdir(parents=True)
    (root / "train.py").write_text("print(1)\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / ".gitignore").write_text("*.log\ndata/\n")
    (root / ".ipymlopsignore").write_text("big*\n")
    (root / "data/x").write_text("1")
    (root / "big.bin").write_text("1")
    (root / "a.log").write_text("1")
    (root / "link").symlink_to("train.py")
    return root


def test_a_folder_without_a_repository_has_the_tree_that_git_would_give(folder, git, objects, names, tmp_path):
    taken = snapshot(folder, objects=objects)
    assert names(taken) == {"train.py", "run.sh", ".gitignore", ".ipymlopsignore", "link"}
    assert (taken.commit, taken.branch, taken.dirty, taken.snapshot_commit, taken.changed) == (
        None,
        None,
        False,
        "",
        (),
    )
    assert {row.path: row.rule for row in taken.left_out} == {
        "data/": ".gitignore: data/",
        "big.bin": ".ipymlopsignore: big*",
        "a.log": ".gitignore: *.log",
    }
    assert not (folder / ".git").exists()
    git(folder, "init", "-q")
    assert snapshot(folder, objects=objects).tree == taken.tree


def test_a_folder_without_a_repository_is_not_read_twice(folder, objects):
    first = snapshot(folder, objects=objects)
    (folder / "train.py").chmod(0o644)
    (folder / "new.py").write_text("2")
    (folder / "run.sh").unlink()
    second = snapshot(folder, objects=objects)
    assert second.git_dir == first.git_dir
    assert second.files == first.files
    assert second.tree != first.tree
    (folder / "new.py").unlink()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    assert snapshot(folder, objects=objects).tree == first.tree


def test_a_folder_without_a_repository_can_be_kept_packed_and_pruned(folder, objects, git, tmp_path):
    taken = snapshot(folder, job_id="j1", objects=objects)
    keep(taken, "j2")
    assert pack(taken, tmp_path / "packs").path.exists()
    assert checkout(taken, tmp_path / "copy") == 5
    assert sorted(prune(taken.git_dir, ["j2"], older_than_days=0)) == ["j1"]
    assert git(Path(taken.git_dir), "cat-file", "-t", taken.tree).strip() == "tree"


def test_without_a_word_the_objects_lie_in_the_home(folder, home):
    assert snapshot(folder).git_dir.startswith(str(home / "objects"))


def test_our_own_home_inside_the_folder_is_left_out(folder, names):
    home = folder / ".mlops"
    home.mkdir()
    (home / "jobs.db").write_text("records")
    for _ in range(2):
        taken = snapshot(folder, objects=home / "objects")
        assert ".mlops/jobs.db" not in names(taken)
        assert "ipymlops' own folder: /.mlops/" in {
            row.rule.removesuffix(" (this size or more)") for row in taken.left_out
        }


def test_a_git_file_that_leads_nowhere_counts_as_no_repository(folder, objects):
    (folder / ".git").write_text("gitdir: /nowhere/at/all\n")
    taken = snapshot(folder, objects=objects)
    assert taken.commit is None
    assert taken.files == 5


def test_a_repository_is_found_from_below_and_only_where_it_is_one(repo, tmp_path):
    (repo / "a/.git").mkdir(parents=True)
    assert repository_at(repo / "a") is None
    found = find_repository(repo / "a")
    assert found is not None
    assert found.root == repo
    assert find_repository(tmp_path) is None


def test_a_repository_of_another_hash_works_too(tmp_path, git, objects, without_privileges):
    root = tmp_path / "sha256"
    root.mkdir()
    git(root, "init", "-q", "--object-format=sha256")
    (root / "a.py").write_text("1\n")
    (root / "n.ipynb").write_text('{"cells": [{"cell_type": "code", "outputs": [1], "source": "1"}]}')
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    taken = snapshot(root, job_id="j1")
    assert len(taken.tree) == 64
    assert taken.changed == ()
    subprocess.run(["chmod", "-R", "a-w", root / ".git"], check=True)
    try:
        assert taken.tree in without_privileges(TAKE, root, objects, tmp_path / "packs")
    finally:
        subprocess.run(["chmod", "-R", "u+w", root / ".git"], check=True)
