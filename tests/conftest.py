"""Fixtures, named as nouns. `home` is autouse: an empty home and a clean environment for every test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

KEPT = {"PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "COVERAGE_PROCESS_START"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """IPYMLOPS_HOME, not yet made, below an empty HOME; nothing of the machine's user leaks into a test."""
    for name in list(os.environ):
        if name not in KEPT and not name.startswith(("PYTEST_", "IPYMLOPS_TEST_")):
            monkeypatch.delenv(name)
    user_home = tmp_path / "user"
    user_home.mkdir()
    monkeypatch.setenv("HOME", str(user_home))
    monkeypatch.setenv("IPYTHONDIR", str(user_home / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    home = user_home / "ipymlops"
    monkeypatch.setenv("IPYMLOPS_HOME", str(home))
    return home


@pytest.fixture
def git() -> Callable[..., str]:
    """Run git in a folder: `git(folder, "status")` gives its output; an author is set for commits."""

    def run(folder: Path, *words: str | bytes, **env: str) -> str:
        who = {
            "GIT_AUTHOR_NAME": "U",
            "GIT_AUTHOR_EMAIL": "u@e",
            "GIT_COMMITTER_NAME": "U",
            "GIT_COMMITTER_EMAIL": "u@e",
        }
        done = subprocess.run(["git", *words], cwd=folder, env=os.environ | who | env, check=True, capture_output=True)
        return done.stdout.decode(errors="surrogateescape")

    return run


@pytest.fixture
def repo(tmp_path: Path, git: Callable[..., str]) -> Iterator[Path]:
    """A user's repository with one commit: train.py, which prints its arguments, and a .gitignore."""
    root = tmp_path / "repo"
    root.mkdir()
    (root / "train.py").write_text("import sys\nprint('args', sys.argv[1:], flush=True)\n")
    (root / ".gitignore").write_text("*.ignored\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    yield root
