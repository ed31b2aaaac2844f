"""Repositories as users have them, and ways to look at them without git's help."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from ipymlops.source import files, snapshot
from ipymlops.spec import Snapshot

PR_CAPBSET_DROP = 24


def everything(root: Path, *but: str) -> dict[str, tuple[int, bytes]]:
    """Each path below `root`, folders too, with its mode and content; `but` names paths that do not count."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder) / name
            relative = str(path.relative_to(root))
            if any(relative == one or relative.startswith(f"{one}/") for one in but):
                continue
            mode = path.lstat().st_mode
            content = os.readlink(os.fsencode(path)) if stat.S_ISLNK(mode) else b""  # noqa: PTH115 - bytes
            found[relative] = (mode, path.read_bytes() if stat.S_ISREG(mode) else content)
    return found


@pytest.fixture
def untouched() -> Callable[[Path], AbstractContextManager[None]]:
    """`with untouched(repo):` the git folder is the same byte for byte, apart from objects and refs/ipymlops."""

    @contextmanager
    def watch(root: Path) -> Iterator[None]:
        git_dir = root / ".git"
        before = everything(git_dir, "objects", "refs/ipymlops")
        yield
        assert everything(git_dir, "objects", "refs/ipymlops") == before

    return watch


@pytest.fixture
def objects(home: Path) -> Path:
    return home / "objects"


@pytest.fixture
def names(git: Callable[..., str]) -> Callable[[Snapshot], set[str]]:
    return lambda taken: {file.name for file in files(taken.tree, taken.git_dir)}


@pytest.fixture
def content(git: Callable[..., str]) -> Callable[[Snapshot, str], str]:
    """What the snapshot holds at a path."""
    return lambda taken, path: git(Path(taken.git_dir), "cat-file", "blob", f"{taken.tree}:{path}")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a shell script first on PATH: `program("git", "echo hello")`."""

    def put(name: str, body: str) -> Path:
        folder = tmp_path / "programs"
        folder.mkdir(exist_ok=True)
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        if str(folder) not in os.environ["PATH"]:
            monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return script

    return put


@pytest.fixture
def without_privileges() -> Callable[..., str]:
    """Run Python code in a process that file modes bind, even if the tests run as root; what it printed."""

    def run(code: str, *words: str | Path, preexec: Callable[[], None] = lambda: None) -> str:
        def drop() -> None:
            libc = ctypes.CDLL(None)
            for capability in range(64):
                libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
            preexec()

        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, preexec_fn=drop
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def taken(repo: Path) -> Snapshot:
    """The fixture repository, as committed."""
    return snapshot(repo)
