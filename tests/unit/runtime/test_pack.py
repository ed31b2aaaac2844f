"""The launcher's zip: the same bytes everywhere, named by them."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from ipymlops.runtime.pack import HOST_ONLY, launcher_bytes, launcher_zip
from tests.unit.runtime.launched import pythons

MAKE = "import sys; sys.path.insert(0, sys.argv[1]); from ipymlops.runtime.pack import launcher_bytes; sys.stdout.buffer.write(launcher_bytes())"


HOST_PYTHONS = [python for minor, python in pythons().items() if minor >= 10]  # what the package itself supports


@pytest.mark.parametrize("python", HOST_PYTHONS)
def test_every_python_makes_the_same_bytes(python, tmp_path, request):
    root = str(request.config.rootpath)
    done = subprocess.run([python, "-c", MAKE, root], capture_output=True, cwd=tmp_path)
    assert done.stdout == launcher_bytes(), done.stderr


def test_the_name_says_the_content_and_a_second_one_is_the_first(tmp_path):
    path = launcher_zip(tmp_path / "new")
    before = path.stat()
    assert launcher_zip(tmp_path / "new") == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_it_works_without_the_package_beside_it(tmp_path):
    path = launcher_zip(tmp_path)
    done = subprocess.run([sys.executable, "-I", "-S", path], cwd="/", capture_output=True)
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"usage: launcher.pyz CONFIG.json" in done.stderr


def test_it_holds_the_runtime_and_nothing_of_the_package_above(tmp_path):
    with zipfile.ZipFile(launcher_zip(tmp_path)) as archive:
        names = archive.namelist()
        assert archive.read("ipymlops/__init__.py") == b""
        assert {(one.date_time, one.compress_type) for one in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), 0)}
    assert [name for name in names if not name.startswith("ipymlops/runtime/")] == [
        "__main__.py",
        "ipymlops/__init__.py",
    ]
    assert not {f"ipymlops/runtime/{name}" for name in HOST_ONLY} & set(names)


def test_it_is_made_from_a_package_that_is_in_a_zip_itself(tmp_path, request):
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        archive.writestr("ipymlops/__init__.py", "")
        for file in (request.config.rootpath / "ipymlops" / "runtime").rglob("*.py"):
            archive.write(file, file.relative_to(request.config.rootpath))
    done = subprocess.run([sys.executable, "-c", MAKE, tmp_path / "package.zip"], capture_output=True, cwd=tmp_path)
    assert done.stdout == launcher_bytes(), done.stderr
