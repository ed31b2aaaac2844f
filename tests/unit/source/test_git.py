"""The git program: absent, too old, or saying no."""

from __future__ import annotations

import os
import shutil

import pytest

from ipymlops.errors import SourceProblem
from ipymlops.source import snapshot
from ipymlops.source.git import Git, GitFailed, find_git, quoted


def test_without_git_the_line_that_installs_it_is_given(repo, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceProblem, match="git is not installed") as caught:
        snapshot(repo)
    assert "install -y" in caught.value.fix


@pytest.mark.parametrize("answer", ["git version 1.8.3.1", "git version 2.24.0", "what?"])
def test_an_old_git_is_refused_with_what_is_needed(repo, program, answer):
    program("git", f"echo '{answer}'")
    with pytest.raises(SourceProblem, match="too old") as caught:
        snapshot(repo)
    assert answer in caught.value.what
    assert "2.25 or newer" in caught.value.why


@pytest.mark.parametrize("answer", ["git version 2.25.1", "git version 2.39.5 (Apple Git-154)", "git version 3.0"])
def test_newer_gits_are_taken(program, answer):
    script = program("git", f"echo '{answer}'")
    assert find_git() == str(script)


def test_a_failure_tells_gits_own_reason(repo):
    with pytest.raises(GitFailed) as caught:
        Git(find_git(), repo / ".git", work_tree=repo).run("cat-file", "-t", "nonsense")
    assert "Not a valid object name" in caught.value.why
    assert str(repo) in caught.value.what


def test_a_corrupt_index_is_told(repo):
    (repo / ".git/index").write_bytes(b"nonsense" * 10)
    with pytest.raises(GitFailed) as caught:
        snapshot(repo)
    assert "index" in caught.value.why


def test_a_full_disk_is_named_as_such(repo, program):
    real = shutil.which("git")
    program(
        "git",
        f'case "$*" in *write-tree*) echo "fatal: No space left on device" >&2; exit 128;; esac\nexec {real} "$@"',
    )
    with pytest.raises(GitFailed, match="the disk is full"):
        snapshot(repo)


def test_git_is_asked_in_english_and_never_prompts(repo, program, monkeypatch, tmp_path):
    real = shutil.which("git")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    program("git", f'env > "{tmp_path}/env"\nexec {real} "$@"')
    snapshot(repo)
    said = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert (said["GIT_TERMINAL_PROMPT"], said["LC_ALL"], said["GIT_OPTIONAL_LOCKS"]) == ("0", "C", "0")
    assert "GIT_TRACE" not in said
    assert os.environ["GIT_TERMINAL_PROMPT"] == "1"


def test_a_path_with_a_colon_is_quoted_in_a_list_of_paths(tmp_path):
    assert quoted(tmp_path / 'a:"b\\') == f'"{tmp_path}/a:\\"b\\\\"'
