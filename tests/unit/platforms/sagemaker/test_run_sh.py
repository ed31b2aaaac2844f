"""The first words of a container, run by a real shell in a folder that stands for its `/opt/ml`."""

import signal
import subprocess
import sys

import pytest

from ipymlops.platforms.sagemaker.bootstrap import bootstrap_files, run_sh

TELLS = """
import os, sys
print(os.getpid(), *sys.argv[1:], flush=True)
os.kill(os.getpid(), 15)
"""


@pytest.fixture
def container(tmp_path):
    """`run.sh` as it lies in a container below `tmp_path`, with a launcher that tells its process and its argument."""
    here = tmp_path / "ml" / "input" / "data" / "ipymlops-launcher"
    here.mkdir(parents=True)
    (tmp_path / "ml" / "output").mkdir()
    (here / "launcher.pyz").write_text(TELLS)
    (here / "run.sh").write_bytes(run_sh().replace(b"/opt/ml", str(tmp_path / "ml").encode()))
    return tmp_path


def start(container, path):
    script = container / "ml/input/data/ipymlops-launcher/run.sh"
    return subprocess.Popen(["/bin/sh", script], env={"PATH": str(path)}, stdout=-1, stderr=-1, text=True)


def folder_of_programs(container, **programs):
    folder = container / "bin"
    folder.mkdir()
    for name, target in programs.items():
        (folder / name).symlink_to(target)
    return folder


@pytest.mark.parametrize("name", ["python3", "python"])
def test_it_becomes_the_launcher_so_that_signals_reach_it(container, name):
    process = start(container, folder_of_programs(container, **{name: sys.executable}))
    out, err = process.communicate()
    assert out.split() == [str(process.pid), f"{container}/ml/input/data/ipymlops/config.json"], err
    assert process.returncode == -signal.SIGTERM


def test_an_image_without_python_is_told_in_the_service_s_own_words(container):
    process = start(container, folder_of_programs(container, tee="/usr/bin/tee"))
    _, err = process.communicate()
    assert process.returncode == 78
    failure = (container / "ml/output/failure").read_text()
    assert "neither python3 nor python" in failure
    assert err == failure


def test_it_is_sent_with_the_launcher_and_has_no_carriage_returns():
    assert b"\r" not in run_sh()
    assert bootstrap_files()["run.sh"] == run_sh()
    assert list(bootstrap_files())[-1] == "run.sh"  # written last: where it is, the launcher is
