"""Repositories inside the repository, and files that only partly are files."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from ipymlops.errors import SourceProblem
from ipymlops.source import checkout, pack, snapshot


@pytest.fixture
def module(repo, git, tmp_path):
    """`repo` has a submodule `lib` with two files; this is the submodule's folder."""
    source = tmp_path / "library"
    (source / "pkg").mkdir(parents=True)
    (source / "lib.py").write_text("lib\n")
    (source / "pkg/deep.py").write_text("deep\n")
    (source / ".gitignore").write_text("*.tmp\n")
    git(source, "init", "-q", "-b", "main")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "library")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source), "lib")
    git(repo, "commit", "-qm", "with a submodule")
    return repo / "lib"


@pytest.fixture
def embedded(repo, git):
    """A repository inside `repo` that git knows nothing of."""
    inner = repo / "vendor/inner"
    inner.mkdir(parents=True)
    git(inner, "init", "-q", "-b", "main")
    (inner / "in.py").write_text("committed\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "inner")
    (inner / "in.py").write_text("edited\n")
    (inner / "new.py").write_text("new\n")
    return inner


LIBRARY = {"lib/.gitignore", "lib/lib.py", "lib/pkg/deep.py"}


def test_a_clean_submodule_travels_as_plain_files(repo, module, names, untouched):
    with untouched(repo):
        taken = snapshot(repo, job_id="j1")
    assert names(taken) == {".gitignore", ".gitmodules", "train.py", *LIBRARY}
    assert (taken.dirty, taken.changed) == (False, ())


def test_a_dirty_submodule_travels_as_it_stands(repo, module, names, content, untouched):
    (module / "lib.py").write_text("edited\n")
    (module / "new.py").write_text("new\n")
    (module / "x.tmp").write_text("ignored there")
    (module / "pkg/deep.py").unlink()
    with untouched(repo):
        taken = snapshot(repo)
    assert names(taken) == {".gitignore", ".gitmodules", "train.py", "lib/.gitignore", "lib/lib.py", "lib/new.py"}
    assert content(taken, "lib/lib.py") == "edited\n"
    assert taken.changed == ("lib/lib.py", "lib/new.py", "lib/pkg/deep.py")
    assert [(row.path, row.rule) for row in taken.left_out if row.path.endswith(".tmp")] == [
        ("lib/x.tmp", ".gitignore: *.tmp")
    ]


def test_the_objects_of_a_submodule_are_the_snapshots_own(repo, module, git, tmp_path):
    taken = snapshot(repo, job_id="j1")
    subprocess.run(["rm", "-rf", repo / ".git/modules", module], check=True)
    git(repo, "fsck", "--strict", "--connectivity-only")
    assert checkout(taken, tmp_path / "copy") == taken.files
    assert (tmp_path / "copy/lib/lib.py").read_text() == "lib\n"


def test_a_submodule_that_is_not_checked_out_is_told(repo, module, git, names):
    git(repo, "submodule", "--quiet", "deinit", "-f", "lib")
    taken = snapshot(repo)
    assert names(taken) == {".gitignore", ".gitmodules", "train.py"}
    assert any("submodule lib is not checked out" in warning for warning in taken.warnings)


def test_another_commit_in_a_submodule_is_a_change(repo, module, git):
    (module / "lib.py").write_text("second\n")
    git(module, "commit", "-qam", "second")
    taken = snapshot(repo)
    assert "lib" in taken.changed
    assert taken.dirty


def test_an_embedded_repository_travels_as_plain_files(repo, embedded, names, content, git, tmp_path, untouched):
    with untouched(repo):
        taken = snapshot(repo, job_id="j1")
    assert names(taken) == {".gitignore", "train.py", "vendor/inner/in.py", "vendor/inner/new.py"}
    assert content(taken, "vendor/inner/in.py") == "edited\n"
    subprocess.run(["rm", "-rf", embedded], check=True)
    assert pack(taken, tmp_path / "packs").bytes > 0


def test_an_embedded_repository_can_be_left_out(repo, embedded, names):
    (repo / ".ipymlopsignore").write_text("vendor/\n")
    assert names(snapshot(repo)) == {".gitignore", ".ipymlopsignore", "train.py"}


def test_a_repository_added_as_a_bare_link_is_sent_too(repo, embedded, git, names):
    git(repo, "add", "vendor")
    git(repo, "commit", "-qm", "a gitlink without .gitmodules")
    assert "vendor/inner/in.py" in names(snapshot(repo))


def test_a_submodule_can_be_left_out(repo, module, names):
    (repo / ".ipymlopsignore").write_text("/lib\n")
    assert not LIBRARY & names(snapshot(repo))


def test_pipes_and_sockets_are_left_out_by_name(repo, names):
    os.mkfifo(repo / "pipe")
    (repo / "train.py").unlink()
    os.mkfifo(repo / "train.py")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(repo / "s"))
        taken = snapshot(repo)
    assert names(taken) == {".gitignore"}
    assert {row.path: row.rule for row in taken.left_out} == {
        "pipe": "a named pipe, not a file",
        "train.py": "a named pipe, not a file",
        "s": "a socket, not a file",
    }


def test_a_link_out_of_the_tree_is_sent_as_a_link_and_told(repo, tmp_path, names):
    (tmp_path / "outside.txt").write_text("far away")
    (repo / "out").symlink_to(tmp_path / "outside.txt")
    (repo / "up").symlink_to("../outside.txt")
    (repo / "in").symlink_to("train.py")
    (repo / "folder").symlink_to("/etc")
    taken = snapshot(repo)
    assert {"out", "up", "in", "folder"} <= names(taken)
    told = [warning for warning in taken.warnings if "link out of the tree" in warning]
    assert [warning.split()[0] for warning in told] == ["folder", "out", "up"]
    assert str(tmp_path / "outside.txt") in told[1]


@pytest.fixture
def filtered(repo, git):
    """`*.txt` goes through the filter `upper`, which git must have."""
    (repo / ".gitattributes").write_text("*.txt filter=upper\n")
    (repo / "a.txt").write_text("abc\n")
    os.utime(repo / "a.txt", (1e9, 1e9))  # old enough for git to trust its time
    git(repo, "config", "filter.upper.clean", "tr a-z A-Z")
    git(repo, "config", "filter.upper.required", "true")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "filtered")
    return repo


def test_a_filter_gives_what_git_would_store_and_is_told(filtered, content):
    (filtered / "b.txt").write_text("new\n")
    taken = snapshot(filtered)
    assert (content(taken, "a.txt"), content(taken, "b.txt")) == ("ABC\n", "NEW\n")
    assert any("git filter 'upper'" in warning for warning in taken.warnings)
    assert taken.changed == ("b.txt",)


def test_a_filter_that_fails_is_named_with_the_line_that_shows_it(filtered, git, untouched):
    git(filtered, "config", "filter.upper.clean", "false")
    (filtered / "a.txt").write_text("edited\n")
    with untouched(filtered), pytest.raises(SourceProblem) as caught:
        snapshot(filtered)
    assert "git filter failed" in caught.value.what
    assert "upper" in caught.value.why
    shown = subprocess.run(caught.value.fix, shell=True, cwd=filtered, capture_output=True, text=True)
    assert "filter.upper.clean false" in shown.stdout


def test_a_filter_that_fails_for_a_file_left_as_it_was_does_not_matter(filtered, git):
    git(filtered, "config", "filter.upper.clean", "false")
    (filtered / "train.py").write_text("edited\n")
    assert snapshot(filtered).changed == ("train.py",)


def test_a_filter_that_git_may_do_without_may_fail(filtered, git, content):
    git(filtered, "config", "filter.upper.clean", "false")
    git(filtered, "config", "filter.upper.required", "false")
    (filtered / "a.txt").write_text("edited\n")
    assert content(snapshot(filtered), "a.txt") == "edited\n"


def test_a_notebook_needs_no_filter_program(repo, git, content):
    (repo / ".gitattributes").write_text("*.ipynb filter=nbstripout\n")
    git(repo, "config", "filter.nbstripout.clean", "/nowhere/nbstripout")
    git(repo, "config", "filter.nbstripout.required", "true")
    (repo / "n.ipynb").write_text('{"cells": [], "metadata": {"widgets": 1}}')
    assert "widgets" not in content(snapshot(Path(repo)), "n.ipynb")
