"""Repositories of other shapes, with the tasks of a user's first hour, by the shell command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.environments import install

REPOS = Path(__file__).parents[1] / "repos"


@pytest.fixture
def repository(tmp_path, git):
    """`repository("src_layout", "my repo")`: a copy of one of tests/repos, committed, in a folder of that name."""

    def make(shape: str, folder: str) -> Path:
        root = tmp_path / folder
        shutil.copytree(REPOS / shape, root, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        git(root, "init", "-q", "-b", "main")
        git(root, "add", "-A")
        git(root, "commit", "-qm", "first")
        return root

    return make


@pytest.fixture
def mlops(monkeypatch):
    """`mlops(folder, "jobs")`: the command, in a shell whose environment is `VIRTUAL_ENV`; JSON where it was asked for."""

    def run(folder: Path, *words: str, exit_code: int = 0):
        line = [sys.executable, "-m", "ipymlops", *words]
        done = subprocess.run(
            line, cwd=folder, env=os.environ, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == exit_code, f"{words}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if "--json" in words else done.stdout

    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    return run


def test_a_src_layout_with_an_editable_install_runs_the_snapshot(repository, mlops, venv, monkeypatch):
    root = repository("src_layout", "src_layout")
    install(venv / "python", "--editable", str(root))
    monkeypatch.setenv("VIRTUAL_ENV", str(venv.parent))
    model = root / "src" / "lab" / "model.py"
    model.write_text(model.read_text().replace("1.0", "2.0"))  # an edit that is not committed

    mlops(root, "train", "scripts/train.py")
    model.write_text(model.read_text().replace("2.0", "3.0"))  # and one after the submit
    mlops(root, "wait", "1")
    assert mlops(root, "logs", "1") == "weight 2.0\n"
    assert mlops(root, "train", "--json", "--wait", "scripts/train.py")["number"] == 2
    assert mlops(root, "logs", "2", "--tail", "1") == "weight 3.0\n"
    changed = mlops(root, "diff", "1", "2")
    assert "2.0" in changed
    assert "3.0" in changed


def test_a_package_runs_as_a_module_from_a_folder_of_the_repository(repository, mlops):
    root = repository("package_module", "package_module")
    job = mlops(
        root / "code", "train", "--json", "--wait", "-m", "pipeline.train", "--name", "x", "", "--json", "$HOME {a}"
    )
    assert (job["script"], job["state"]) == ("-m pipeline.train", "succeeded")
    assert job["argv"] == ["--name", "x", "", "--json", "$HOME {a}"]
    told = json.loads(mlops(root, "logs", "last"))
    assert told == {"argv": job["argv"], "folder": "code", "package": "pipeline"}


def test_spaces_and_other_letters_in_the_path_are_no_matter(repository, mlops, tmp_path):
    root = repository("spaced", "a user's répo")
    job = mlops(root, "train", "--json", "--wait", "my script.py", "an argument")
    assert (job["script"], job["argv"], job["state"]) == ("my script.py", ["an argument"], "succeeded")
    assert mlops(root, "logs", "last") == "read: in a file\n"
    listed = mlops(root, "artifacts", "last", "--json")["files"]
    assert [file["path"] for file in listed] == ["a folder/out put.txt"]
    mlops(root, "artifacts", "last", "--to", str(tmp_path / "fetched here"))
    assert (tmp_path / "fetched here" / "a folder" / "out put.txt").read_text() == "an argument"
    mlops(root, "checkout", "last", str(tmp_path / "that code"))
    assert (tmp_path / "that code" / "my data" / "in put.txt").read_text() == "in a file\n"
