"""An editable install of the same repository does not shadow the snapshot: real installs, real interpreters."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import editables
import pytest

SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "lab"\nversion = "1"\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "lab"\nversion = "1"\n'
LAYOUTS = {
    "setuptools, flat": ("setuptools.build_meta", "lab", SETUPTOOLS + '[tool.setuptools]\npackages = ["lab"]\n'),
    "setuptools, src": ("setuptools.build_meta", "src/lab", SETUPTOOLS),
    "setuptools, another folder": (
        "setuptools.build_meta",
        "code/inner",
        SETUPTOOLS + '[tool.setuptools]\npackages = ["lab"]\npackage-dir = {lab = "code/inner"}\n',
    ),
    "setuptools, in a folder of the repository": ("setuptools.build_meta", "libs/one/src/lab", SETUPTOOLS),
    "hatchling, src": (
        "hatchling.build",
        "src/lab",
        HATCH + '[tool.hatch.build.targets.wheel]\npackages = ["src/lab"]\n',
    ),
    "hatchling, exact": (
        "hatchling.build",
        "src/lab",
        HATCH + '[tool.hatch.build]\ndev-mode-exact = true\n[tool.hatch.build.targets.wheel]\npackages = ["src/lab"]\n',
    ),
}
BUILD = "import sys, importlib; print(importlib.import_module(sys.argv[1]).build_editable(sys.argv[2]))"
TRAIN = "import lab, sys\nprint(lab.VALUE, lab.__file__)\n"


@pytest.fixture
def live(tmp_path):
    """The user's tree; the script is in a folder from which nothing is imported by chance."""
    root = tmp_path / "live tree"
    (root / "scripts").mkdir(parents=True)
    (root / "scripts" / "train.py").write_text(TRAIN)
    return root


@pytest.fixture
def venv(tmp_path):
    """A new environment's Python, and its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    return str(tmp_path / "venv" / "bin" / "python"), site


def install(project: Path, backend: str, site: Path) -> None:
    """What `pip install -e --no-build-isolation` does: the backend makes a wheel, which is unpacked."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, backend, site.parent], cwd=project, check=True, capture_output=True, text=True
    )
    with zipfile.ZipFile(site.parent / done.stdout.splitlines()[-1]) as wheel:
        wheel.extractall(site)
    shutil.copytree(Path(editables.__file__).parent, site / "editables")  # what the "exact" form needs to run


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("backend", "package", "pyproject"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_snapshot_is_imported_and_not_the_live_tree(job, live, venv, backend, package, pyproject):
    python, site = venv
    project = live / package.split("/src/")[0] if package.startswith("libs/") else live
    (live / package).mkdir(parents=True)
    (live / package / "__init__.py").write_text("VALUE = 'as sent'")
    (project / "pyproject.toml").write_text(pyproject)
    install(project, backend, site)
    config = job.config(files_of(live), script="scripts/train.py", live_root=str(live), python=python)
    (live / package / "__init__.py").write_text("VALUE = 'edited after the submit'")
    seen = subprocess.run([python, "scripts/train.py"], cwd=live, capture_output=True, text=True).stdout
    assert "edited after the submit" in seen, "the install does not lead to the live tree"
    assert job.run(config)[0] == 0, job.log
    assert job.log.decode().startswith("as sent ")
    assert str(live) not in job.log.decode()
    assert job.result["notes"] == []


@pytest.mark.parametrize("flags", [[], ["-I"], ["-I", "-S"]], ids=" ".join)
def test_the_launcher_finds_the_installs_of_its_own_python(job, live, venv, flags):
    python, site = venv
    (live / "src" / "lab").mkdir(parents=True)
    (live / "src" / "lab" / "__init__.py").write_text("VALUE = 'as sent'")
    (site / "lab.pth").write_text(f"{live}/src\n")
    config = job.config(files_of(live), script="scripts/train.py", live_root=str(live), python=python)
    (live / "src" / "lab" / "__init__.py").write_text("VALUE = 'edited'")
    (job.folder / "config.json").write_text(json.dumps(config))
    subprocess.run([python, *flags, job.zip_path, job.folder / "config.json"], check=True)
    assert job.log.startswith(b"as sent ")


def test_a_module_of_one_file_is_led_to_the_snapshot(job, live, venv):
    python, site = venv
    (live / "deep").mkdir()
    (live / "deep" / "code.py").write_text("VALUE = 'as sent'")
    (site / "__editable___lab_finder.py").write_text(
        f"MAPPING: dict[str, str] = {{'lab': {str(live / 'deep' / 'code')!r}}}\n"
    )
    (site / "__editable__.lab.pth").write_text("import __editable___lab_finder; print\n")
    job.run(job.config(files_of(live), script="scripts/train.py", live_root=str(live), python=python))
    assert job.log.startswith(b"as sent ")


def test_the_users_own_path_is_led_to_the_snapshot_and_other_paths_stay(job, live, tmp_path):
    (live / "src" / "lab").mkdir(parents=True)
    (live / "src" / "lab" / "__init__.py").write_text("VALUE = 'as sent'")
    config = job.config(files_of(live), script="scripts/train.py", live_root=str(live))
    (live / "src" / "lab" / "__init__.py").write_text("VALUE = 'edited'")
    (live / "ignored").mkdir()
    other = tmp_path / "other"
    job.run(config, env={"PYTHONPATH": f"{live}/src:{live}/ignored:{other}"})
    assert job.log.startswith(b"as sent ")
    config["script"], config["argv"] = None, ["sh", "-c", "echo $PYTHONPATH"]
    job.run(config | {"attempt_policy": "again"}, env={"PYTHONPATH": f"{live}/src:{live}/ignored:{other}"})
    assert job.log.decode() == f"{job.folder}/code/src:{live}/ignored:{other}\n"


def test_an_install_of_another_repository_is_left_alone(job, live, venv, tmp_path):
    python, site = venv
    (tmp_path / "live tree 2" / "lab").mkdir(parents=True)
    (tmp_path / "live tree 2" / "lab" / "__init__.py").write_text("VALUE = 'of another'")
    (site / "lab.pth").write_text(f"# a comment\n\n{tmp_path}/live tree 2\nno/such/folder\n")
    job.run(job.config(files_of(live), script="scripts/train.py", live_root=str(live), python=python))
    assert job.log.startswith(b"of another ")


def test_a_form_nobody_knows_is_told(job, live, venv):
    python, site = venv
    (site / "_lab_editable.py").write_text(f"KNOWN = {{'lab': {str(live)!r}}}\n")
    (site / "_lab.pth").write_text("import _lab_editable\nimport os\n")
    (live / "lab.py").write_text("VALUE = 1")
    job.run(job.config(files_of(live), script="scripts/train.py", live_root=str(live), python=python))
    assert job.result["notes"] == [f"{site}/_lab.pth may lead imports to the live tree: 'import _lab_editable'"]


def test_without_a_live_tree_the_path_is_the_users(job):
    job.run(job.config({"x": ""}, script=None, argv=["sh", "-c", "echo [$PYTHONPATH]"]), env={"PYTHONPATH": "/a:b:"})
    assert job.log == b"[/a:b:]\n"
    assert "PYTHONPATH" not in os.environ
