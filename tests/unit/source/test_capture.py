"""A snapshot holds the code as it stands, in every state a repository can be in, and moves nothing."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ipymlops.errors import SourceProblem
from ipymlops.source import holds, keep, pack, relative_folder, snapshot
from ipymlops.source.git import clean_environment


def test_a_clean_repository_is_its_own_tree(repo, git):
    taken = snapshot(repo)
    assert taken.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert taken.commit == git(repo, "rev-parse", "HEAD").strip()
    assert (taken.branch, taken.dirty, taken.changed, taken.warnings) == ("main", False, (), ())
    assert (taken.root, taken.git_dir) == (str(repo), str(repo / ".git"))
    assert taken.files == 2
    assert taken.bytes == sum((repo / name).stat().st_size for name in ("train.py", ".gitignore"))


def test_edited_staged_new_and_deleted_files_are_as_they_stand(repo, git, names, content):
    (repo / "old.py").write_text("1\n")
    (repo / "staged.py").write_text("1\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "more")
    (repo / "old.py").unlink()
    (repo / "staged.py").write_text("2\n")
    git(repo, "add", "staged.py")
    (repo / "staged.py").write_text("3\n")
    (repo / "train.py").write_text("edited\n")
    (repo / "new.py").write_text("new\n")
    taken = snapshot(repo)
    assert names(taken) == {".gitignore", "train.py", "staged.py", "new.py"}
    assert content(taken, "staged.py") == "3\n"
    assert content(taken, "train.py") == "edited\n"
    assert taken.changed == ("new.py", "old.py", "staged.py", "train.py")
    assert taken.dirty


def test_an_edit_too_fast_for_the_clock_is_seen(repo, git, content):
    """Same size, same time of the file, and the index no younger: only the index's own time gives the edit away."""
    git(repo, "config", "core.trustctime", "false")
    then = 10**18
    os.utime(repo / "train.py", ns=(then, then))
    git(repo, "add", "train.py")
    (repo / "train.py").write_text((repo / "train.py").read_text().upper())
    for path in ("train.py", ".git/index"):
        os.utime(repo / path, ns=(then, then))
    assert content(snapshot(repo), "train.py").startswith("IMPORT SYS")


def test_nothing_of_the_git_folder_moves(repo, git, untouched):
    (repo / "stashed.py").write_text("1\n")
    git(repo, "add", "-A")
    git(repo, "stash", "-q")
    (repo / "train.py").write_text("edited\n")
    (repo / "nested").mkdir()
    (repo / "note.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    git(repo, "config", "core.logAllRefUpdates", "always")
    git(repo, "config", "core.splitIndex", "true")
    with untouched(repo):
        taken = snapshot(repo, job_id="j1")
        keep(taken, "j2")
    assert (
        git(repo, "rev-parse", "refs/ipymlops/jobs/j1", "refs/ipymlops/jobs/j2").split() == [taken.snapshot_commit] * 2
    )
    assert git(repo, "rev-parse", "refs/ipymlops/jobs/j1^").strip() == taken.commit


def test_the_users_hooks_do_not_run(repo, git, untouched, tmp_path):
    proof = tmp_path / "ran"
    hooks = repo / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "pre-commit", "reference-transaction", "post-commit", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\necho $0 >> '{proof}'\n")
        (hooks / name).chmod(0o755)
    git(repo, "config", "core.fsmonitor", ".git/hooks/fsmonitor-watchman")
    git(repo, "status")
    assert proof.exists(), "git itself runs them"
    proof.unlink()
    (repo / "train.py").write_text("edited\n")
    with untouched(repo):
        snapshot(repo, job_id="j1")
    assert not proof.exists()


def test_an_empty_repository_has_no_commit_and_no_files(tmp_path, git, untouched):
    root = tmp_path / "empty"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    with untouched(root):
        taken = snapshot(root, job_id="j1")
    assert (taken.commit, taken.branch, taken.dirty, taken.files, taken.bytes) == (None, "main", False, 0, 0)
    assert pack(taken, tmp_path / "packs").bytes == 1024


def test_an_unborn_branch_sends_its_files(tmp_path, git, names):
    root = tmp_path / "young"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "a.py").write_text("1\n")
    git(root, "add", "a.py")
    (root / "b.py").write_text("2\n")
    taken = snapshot(root, job_id="j1")
    assert names(taken) == {"a.py", "b.py"}
    assert (taken.commit, taken.dirty, taken.changed) == (None, True, ())
    assert git(root, "rev-list", "--count", taken.snapshot_commit).strip() == "1"


def test_a_detached_head_has_a_commit_and_no_branch(repo, git):
    git(repo, "checkout", "-q", "--detach")
    taken = snapshot(repo)
    assert (taken.branch, taken.commit) == (None, git(repo, "rev-parse", "HEAD").strip())


def test_a_linked_worktree_keeps_its_refs_in_the_common_folder(repo, git, tmp_path, untouched, content):
    other = tmp_path / "other"
    git(repo, "worktree", "add", "-q", "-b", "side", str(other))
    (other / "train.py").write_text("side\n")
    with untouched(repo):
        taken = snapshot(other, job_id="j1")
    assert (taken.branch, taken.root, taken.git_dir) == ("side", str(other), str(repo / ".git"))
    git(repo, "worktree", "remove", "--force", str(other))
    assert content(taken, "train.py") == "side\n"


def test_a_shallow_clone_is_like_any_other(repo, git, tmp_path, content):
    (repo / "train.py").write_text("second\n")
    git(repo, "commit", "-qam", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    clone = tmp_path / "shallow"
    assert (clone / ".git/shallow").exists()
    (clone / "train.py").write_text("third\n")
    taken = snapshot(clone, job_id="j1")
    assert content(taken, "train.py") == "third\n"
    assert git(clone, "log", "--oneline", taken.snapshot_commit).count("\n") == 2


def test_a_sparse_checkout_sends_the_files_it_does_not_show(repo, git, names, content):
    for folder in ("shown", "hidden"):
        (repo / folder).mkdir()
        (repo / folder / "a.py").write_text(f"{folder}\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "folders")
    whole = snapshot(repo)
    git(repo, "sparse-checkout", "set", "shown")
    assert not (repo / "hidden").exists()
    sparse = snapshot(repo)
    assert (sparse.tree, sparse.files, sparse.bytes) == (whole.tree, whole.files, whole.bytes)
    git(repo, "config", "index.sparse", "true")
    git(repo, "sparse-checkout", "reapply", "--sparse-index")
    assert snapshot(repo).tree == whole.tree


def test_a_conflict_is_sent_with_its_markers(repo, git, untouched, content, names):
    git(repo, "checkout", "-qb", "side")
    (repo / "train.py").write_text("side\n")
    git(repo, "commit", "-qam", "side")
    git(repo, "checkout", "-q", "main")
    (repo / "train.py").write_text("main\n")
    git(repo, "commit", "-qam", "main")
    with pytest.raises(Exception, match="merge"):
        git(repo, "merge", "-q", "side")
    with untouched(repo):
        taken = snapshot(repo)
    assert "<<<<<<<" in content(taken, "train.py")
    assert "train.py" in taken.changed
    (repo / "train.py").unlink()
    assert names(snapshot(repo)) == {".gitignore"}


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_edits_that_git_was_told_to_overlook_are_sent(repo, git, content, untouched, mark):
    git(repo, "update-index", mark, "train.py")
    (repo / "train.py").write_text("secretly edited\n")
    assert git(repo, "status", "--porcelain") == ""
    with untouched(repo):
        assert content(snapshot(repo), "train.py") == "secretly edited\n"


def test_exec_bits_links_and_type_changes_travel(repo, git, tmp_path):
    (repo / "run.sh").write_text("#!/bin/sh\n")
    (repo / "run.sh").chmod(0o755)
    (repo / "train.py").unlink()
    (repo / "train.py").symlink_to("run.sh")
    tree = snapshot(repo).tree
    modes = {line.split("\t")[1]: line.split()[0] for line in git(repo, "ls-tree", tree).splitlines()}
    assert modes == {".gitignore": "100644", "run.sh": "100755", "train.py": "120000"}


def test_a_file_may_become_a_folder_and_a_folder_a_file(repo, git, names):
    (repo / "a").mkdir()
    (repo / "a/x").write_text("1")
    (repo / "b").write_text("1")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "both")
    shutil.rmtree(repo / "a")
    (repo / "a").write_text("now a file")
    (repo / "b").unlink()
    (repo / "b").mkdir()
    (repo / "b/y").write_text("now a folder")
    assert names(snapshot(repo)) == {".gitignore", "train.py", "a", "b/y"}


def test_without_an_identity_the_snapshot_still_has_an_author(repo, git, monkeypatch):
    git(repo, "config", "user.useConfigOnly", "true")
    taken = snapshot(repo, job_id="j1")
    assert git(repo, "log", "-1", "--format=%an", taken.snapshot_commit).strip() == "ipymlops"


def test_inherited_git_variables_do_not_lead_elsewhere(repo, git, tmp_path, monkeypatch, untouched):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    git(elsewhere, "init", "-q")
    expected = snapshot(repo).tree
    for name, value in {
        "GIT_DIR": elsewhere / ".git",
        "GIT_WORK_TREE": elsewhere,
        "GIT_INDEX_FILE": tmp_path / "other-index",
        "GIT_OBJECT_DIRECTORY": tmp_path / "other-objects",
    }.items():
        monkeypatch.setenv(name, str(value))
    with untouched(elsewhere), untouched(repo):
        taken = snapshot(repo, job_id="j1")
        pack(taken, tmp_path / "packs")
    assert (taken.root, taken.tree) == (str(repo), expected)
    assert not (tmp_path / "other-index").exists()
    assert "GIT_DIR" not in clean_environment()


def test_somebody_elses_lock_is_no_obstacle(repo, content, untouched):
    (repo / ".git/index.lock").write_text("")
    (repo / ".git/HEAD.lock").write_text("")
    (repo / "train.py").write_text("edited\n")
    with untouched(repo):
        assert content(snapshot(repo, job_id="j1"), "train.py") == "edited\n"


def test_signing_and_line_end_settings_do_not_stop_it(repo, git, content):
    for key, value in {
        "commit.gpgSign": "true",
        "gpg.program": "/bin/false",
        "core.autocrlf": "true",
        "core.safecrlf": "true",
        "status.showUntrackedFiles": "no",
        "status.showStash": "true",
        "diff.ignoreSubmodules": "all",
        "core.quotePath": "true",
        "core.untrackedCache": "true",
        "color.ui": "always",
    }.items():
        git(repo, "config", key, value)
    (repo / "dos.txt").write_bytes(b"a\r\nb\r\n")
    taken = snapshot(repo, job_id="j1")
    assert content(taken, "dos.txt") == "a\nb\n"  # line ends are as git stores them
    (repo / "dos.txt").touch()
    assert snapshot(repo).tree == taken.tree


def test_four_snapshots_at_once_agree(repo):
    (repo / "train.py").write_text("edited\n")
    (repo / "n.ipynb").write_text('{"cells": [{"cell_type": "code", "source": "1", "outputs": [1], "metadata": {}}]}')
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda number: snapshot(repo, job_id=f"j{number}"), range(4)))
    assert len({one.tree for one in taken}) == 1


def test_the_second_snapshot_has_the_same_tree_at_another_time(repo, git):
    (repo / "train.py").write_text("edited\n")
    first = snapshot(repo)
    later = time.time() + 100
    os.utime(repo / "train.py", (later, later))
    assert snapshot(repo).tree == first.tree


def test_a_subfolder_is_sent_with_its_whole_repository(repo):
    (repo / "a/b").mkdir(parents=True)
    (repo / "a/b/x.py").write_text("1")
    taken = snapshot(repo / "a/b")
    assert taken.root == str(repo)
    assert relative_folder(taken, repo / "a/b") == "a/b"
    assert relative_folder(taken, repo) == ""


def test_a_folder_reached_through_a_link_is_the_same_folder(repo, tmp_path):
    (repo / "a").mkdir()
    link = tmp_path / "link"
    link.symlink_to(repo)
    taken = snapshot(link)
    assert (taken.root, relative_folder(taken, link / "a")) == (str(repo), "a")


def test_a_script_outside_the_repository_is_refused(taken, tmp_path):
    with pytest.raises(SourceProblem, match="outside the repository") as caught:
        relative_folder(taken, tmp_path)
    assert "cp -r" in caught.value.fix


def test_a_path_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(SourceProblem, match="is not a folder"):
        snapshot(tmp_path / "nowhere")


def test_an_unreadable_file_stops_it_with_its_path(repo, without_privileges):
    (repo / "closed.py").write_text("1")
    (repo / "closed.py").chmod(0)
    said = without_privileges(TRY, repo)
    assert "closed.py cannot be read" in said
    assert f"chmod -R u+rX {repo}/closed.py" in said


def test_an_unreadable_folder_stops_it_with_its_path(repo, without_privileges):
    (repo / "closed").mkdir()
    (repo / "closed/x.py").write_text("1")
    (repo / "closed").chmod(0)
    said = without_privileges(TRY, repo)
    (repo / "closed").chmod(0o755)
    assert "closed cannot be read" in said


def test_a_full_disk_is_told_and_leaves_nothing(repo, without_privileges, untouched):
    import resource

    (repo / "big.txt").write_bytes(os.urandom(400_000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    with untouched(repo):
        said = without_privileges(TRY, repo, preexec=limit)
    assert "GitFailed" in said, said
    assert "disk is full" in said, said
    assert not (repo / ".git/refs/ipymlops/jobs").exists()


def test_a_file_that_is_ignored_is_not_held(repo, names):
    (repo / "scratch.ignored").write_text("1")
    taken = snapshot(repo)
    assert holds(taken, "train.py")
    assert not holds(taken, "scratch.ignored")
    assert not holds(taken, "")


TRY = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ipymlops.errors import SourceProblem
from ipymlops.source import snapshot
try:
    print(snapshot(Path(sys.argv[1]), job_id="j1"))
except SourceProblem as error:
    print(type(error).__name__, error)
"""


def test_the_snapshot_survives_its_json_form(repo):
    from ipymlops.spec import Snapshot

    (repo / "train.py").write_text("edited\n")
    (repo / "a.ignored").write_text("1")
    taken = snapshot(Path(repo))
    assert Snapshot.from_json(taken.to_json()) == taken
