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
    here = tmp_path / "opt/ml/input/data/ipymlops-launcher"
    here.mkdir(parents=True)
    (tmp_path / "opt/ml/output").mkdir()
    (here / "launcher.pyz").write_text(TELLS)
    (here / "run.sh").write_bytes(run_sh().replace(b"/opt/", f"{tmp_path}/opt/".encode()))
    return tmp_path


def start(container, path):
    script = container / "opt/ml/input/data/ipymlops-launcher/run.sh"
    return subprocess.Popen(["/bin/sh", script], env={"PATH": str(path)}, stdout=-1, stderr=-1, text=True)


def folder_of_programs(container, **programs):
    folder = container / "bin"
    folder.mkdir()
    for name, target in programs.items():
        (folder / name).symlink_to(target)
    return folder


def a_python(folder, name, version):
    """A program that answers as a Python of that version does: with a SyntaxError where the launcher is too new."""
    path = folder / name
    path.write_text(f"""#!/bin/sh
if [ "$1" = -c ]; then
  exec {sys.executable} -c 'import sys; sys.version_info = ({version}, 0); exec(sys.argv.pop(1))' "$2"
fi
echo "SyntaxError: future feature annotations is not defined" >&2
exit 1
""")
    path.chmod(0o755)


def failure(container):
    return (container / "opt/ml/output/failure").read_text()


@pytest.mark.parametrize("name", ["python3", "python"])
def test_it_becomes_the_launcher_so_that_signals_reach_it(container, name):
    process = start(container, folder_of_programs(container, **{name: sys.executable}))
    out, err = process.communicate()
    ml = container / "opt/ml"
    assert out.split() == [str(process.pid), f"{ml}/input/data/ipymlops/config.json", f"{ml}/output/failure"], err
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("old", ["2, 7", "3, 6"])
def test_a_python_that_is_too_old_is_passed_over(container, old):
    folder = folder_of_programs(container, python=sys.executable)
    a_python(folder, "python3", old)
    out, err = start(container, folder).communicate()
    assert out.endswith("failure\n"), err


def test_one_that_only_conda_has_is_found(container):
    conda = container / "opt/conda/bin"
    conda.mkdir(parents=True)
    (conda / "python3").symlink_to(sys.executable)
    out, err = start(container, folder_of_programs(container)).communicate()
    assert out.endswith("failure\n"), err


def test_an_image_without_python_is_told_in_the_service_s_own_words(container):
    process = start(container, folder_of_programs(container))
    _, err = process.communicate()
    assert process.returncode == 78
    assert failure(container) == "the image has no Python that starts; jobs need 3.8 or newer\n"
    assert err == failure(container)


def test_an_image_with_old_pythons_alone_names_them(container):
    folder = folder_of_programs(container)
    a_python(folder, "python3", "3, 6")
    a_python(folder, "python", "2, 7")
    process = start(container, folder)
    _, err = process.communicate()
    assert process.returncode == 78
    assert err == "the image's Python is too old (python3 is 3.6, python is 2.7); jobs need 3.8 or newer\n"
    assert failure(container) == err


def test_it_is_sent_with_the_launcher_and_has_no_carriage_returns():
    assert b"\r" not in run_sh()
    assert bootstrap_files()["run.sh"] == run_sh()
    assert list(bootstrap_files())[-1] == "run.sh"  # written last: where it is, the launcher is
