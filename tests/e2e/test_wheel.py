"""The installed wheel, outside the clone: no Node, no developer's tools, no source tree in sight."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.servers.environments import install

ROOT = Path(__file__).parents[2]


def run(*words, cwd, **variables) -> str:
    done = subprocess.run(
        words, cwd=cwd, env=os.environ | variables, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def wheel(tmp_path) -> Path:
    """The wheel as `pip install .` builds it, where Node and its like would say that they were called."""
    traps, called = tmp_path / "traps", tmp_path / "called"
    traps.mkdir()
    for name in ("node", "nodejs", "npm", "npx", "yarn", "pnpm", "jlpm", "corepack"):
        (traps / name).write_text(f"#!/bin/sh\necho {name} >>'{called}'\nexit 1\n")
        (traps / name).chmod(0o755)
    words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    run(sys.executable, *words, cwd=tmp_path, PATH=f"{traps}:/usr/bin:/bin")
    assert not called.exists(), called.read_text()
    (built,) = (tmp_path / "dist").glob("*.whl")
    return built


@pytest.fixture
def installed(venv, wheel) -> Path:
    """A user's environment with the wheel and what it requires, nothing else."""
    install(venv / "python", str(wheel))
    return venv


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"ipymlops"}
    for path in (ROOT / "ipymlops").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in names


def test_a_job_runs_from_the_wheel_by_command_notebook_line_and_python(installed, repo):
    python, path = str(installed / "python"), f"{installed}{os.pathsep}{os.environ['PATH']}"

    def user(*words: str) -> str:
        return run(*words, cwd=repo, PATH=path, VIRTUAL_ENV=str(installed.parent))

    where = user(python, "-c", "import ipymlops; print(ipymlops.__file__)").strip()
    assert Path(where).is_relative_to(installed.parent)

    doors = "from importlib.metadata import entry_points as e; print(*sorted(p.name for p in e(group='ipymlops.platforms')))"
    assert user(python, "-c", doors).split() == ["docker", "local", "sagemaker"]

    job = json.loads(user("ipymlops", "train", "--json", "--wait", "train.py", "a b"))
    assert (job["platform"], job["state"], job["argv"]) == ("local", "succeeded", ["a b"])
    assert user("ipymlops", "logs", "1") == "args ['a b']\n"
    assert json.loads(user(python, "-m", "ipymlops", "show", "--json", "1"))["id"] == job["id"]

    cell = "get_ipython().run_line_magic('load_ext', 'ipymlops'); get_ipython().run_line_magic('mlops', 'train -f train.py c')"
    assert "args ['c']" in user(python, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", cell)

    code = "import ipymlops as mlops; print([job.state.value for job in mlops.jobs()])"
    assert user(python, "-c", code) == "['succeeded', 'succeeded']\n"


def test_a_platform_whose_library_is_missing_is_one_line_with_the_remedy(installed, repo):
    words = [str(installed / "ipymlops"), "train", "--on", "docker", "train.py"]
    done = subprocess.run(
        words,
        cwd=repo,
        env=os.environ | {"VIRTUAL_ENV": str(installed.parent), "DOCKER_HOST": "unix:///nowhere.sock"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    assert "pip install 'ipymlops[docker]'" in done.stderr
    assert "Traceback" not in done.stderr
