"""Refs keep the code of jobs, and old ones go by a rule."""

from __future__ import annotations

import pytest

from ipymlops.errors import SourceProblem
from ipymlops.source import is_kept, keep, prune, snapshot


def jobs(repo, git):
    return git(repo, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/ipymlops/jobs").split()


@pytest.fixture
def old(repo, git, taken):
    """A ref `old`, whose snapshot is a hundred days old, beside `new`."""
    commit = git(repo, "commit-tree", taken.tree, "-m", "x", GIT_COMMITTER_DATE="@1000000000 +0000").strip()
    git(repo, "update-ref", "refs/ipymlops/jobs/old", commit)
    keep(taken, "new")
    return repo


def test_a_kept_snapshot_survives_garbage_collection(repo, git):
    (repo / "train.py").write_text("edited\n")
    taken = snapshot(repo)
    keep(taken, "j1")
    keep(taken, "j1")
    git(repo, "gc", "-q", "--prune=now")
    assert git(repo, "cat-file", "blob", f"{taken.tree}:train.py") == "edited\n"
    assert jobs(repo, git) == ["j1"]


def test_old_refs_go_and_younger_ones_stay(old, git, untouched):
    with untouched(old):
        assert prune(old / ".git") == ["old"]
    assert jobs(old, git) == ["new"]
    assert prune(old / ".git") == []


def test_pruned_code_is_there_until_git_collects_it(repo, git):
    (repo / "train.py").write_text("edited\n")
    taken = snapshot(repo)
    keep(taken, "j1")
    (repo / "train.py").write_text("edited again\n")
    snapshot(repo)
    git(repo, "gc", "-q", "--prune=now")
    assert is_kept(taken)
    prune(repo / ".git", older_than_days=-1)
    git(repo, "gc", "-q", "--prune=now")
    assert not is_kept(taken)


def test_a_job_that_is_still_listed_is_kept_however_old(old, git):
    assert prune(str(old / ".git"), ["old"]) == []
    assert jobs(old, git) == ["new", "old"]


def test_nothing_else_is_pruned(old, git):
    branches = git(old, "for-each-ref", "refs/heads")
    assert sorted(prune(old / ".git", [], older_than_days=-1)) == ["new", "old"]
    assert git(old, "for-each-ref", "refs/heads") == branches
    assert "seen" in git(old, "for-each-ref", "refs/ipymlops")


@pytest.mark.parametrize("name", ["", "../../heads/main", "a b", "-x", "a..b", "x\n"])
def test_an_id_that_is_no_id_moves_nothing(repo, git, taken, name):
    before = git(repo, "for-each-ref")
    with pytest.raises(SourceProblem, match="cannot name a ref"):
        keep(taken, name)
    assert git(repo, "for-each-ref") == before
