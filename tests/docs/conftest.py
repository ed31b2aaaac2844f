"""A user's repository: what the documents' lines are run in."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def digits(tmp_path, git, monkeypatch) -> Path:
    """A copy of examples/digits under git; `python3` and `ipymlops` are those that run the tests."""
    root = tmp_path / "digits"
    shutil.copytree(ROOT / "examples" / "digits", root)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "A network for digits")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return root
