"""Images with the tests' Python and packages, as users have them: made of what is installed, without a registry."""

from __future__ import annotations

import io
import sys
import sysconfig
import tarfile
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.servers.engine import PROGRAMS, Engine, shared_objects, without_ballast
from tests.servers.environments import install

PACKAGES = "packages"
PYTHON = Path(sys._base_executable).resolve()
TRAIN = f"#!{PYTHON}\nfrom sagemaker_training.cli.train import main\nmain()\n"
"""What installing the toolkit puts on the PATH."""
WHICH = b'#!/bin/sh\ncommand -v "$1"\n'


def import_science_image(engine: Engine) -> str:
    """With scikit-learn; returns its name in the engine."""
    return _imported(engine, "ipymlops-test/science", dict(_files("scikit-learn")))


def import_toolkit_image(engine: Engine, folder: Path, script: str) -> str:
    """As SageMaker's guide makes one: the vendor's toolkit, and a script in `/opt/ml/code` that its `train` runs."""
    install(Path(sys.executable), "--target", str(folder), "sagemaker-training")
    packages = {str(one.relative_to(folder)): one for one in folder.rglob("*") if one.is_file()}
    programs = {"bin/train": TRAIN.encode(), "bin/which": WHICH, "opt/ml/code/baked.py": script.encode()}
    return _imported(engine, "ipymlops-test/toolkit", packages, programs, "ENV SAGEMAKER_PROGRAM=baked.py")


def _imported(
    engine: Engine, name: str, packages: Mapping[str, Path], programs: Mapping[str, bytes] = {}, *changes: str
) -> str:
    with engine.client() as client:
        client.api.import_image_from_data(
            _packed(packages, programs),
            repository=name,
            tag="latest",
            changes=[f"ENV PATH={PYTHON.parent}:/bin", f"ENV PYTHONPATH=/{PACKAGES}", *changes],
        )
    return f"{name}:latest"


def _packed(packages: Mapping[str, Path], programs: Mapping[str, bytes]) -> bytes:
    library = Path(sysconfig.get_path("stdlib"))
    binaries = [PYTHON, *map(Path, PROGRAMS)]
    extensions = [*library.glob("lib-dynload/*.so"), *(file for file in packages.values() if ".so" in file.name)]
    shared = shared_objects([*binaries, *extensions])
    among = {Path(file).resolve() for file in packages.values()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in (*binaries, *(one for one in shared if one.resolve() not in among)):
            tar.add(path.resolve(), str(path).lstrip("/"))
        tar.add(library, str(library).lstrip("/"), filter=without_ballast)
        for name, file in packages.items():
            tar.add(file, f"{PACKAGES}/{name}")
        for name, content in programs.items():
            tar.addfile(_file(name, len(content)), io.BytesIO(content))
        link = tarfile.TarInfo(f"{PYTHON.parent}/python3".lstrip("/"))
        link.type, link.linkname = tarfile.SYMTYPE, PYTHON.name
        for member in (link, _folder("tmp", 0o1777), _folder("proc"), _folder("sys"), _folder("dev"), _folder("etc")):
            tar.addfile(member)
    return buffer.getvalue()


def _needed(name: str) -> set[str]:
    """The package and what it needs, without extras."""
    needed = [Requirement(line) for line in distribution(name).requires or ()]
    names = {one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})}
    return {name}.union(*map(_needed, names))


def _files(package: str) -> Iterator[tuple[str, Path]]:
    """(path in the image, file) of the package and what it needs."""
    for name in _needed(package):
        for one in distribution(name).files or ():
            file = Path(str(one.locate()))
            if ".." not in one.parts and "tests" not in one.parts and file.is_file() and file.suffix != ".pyc":
                yield str(one), file


def _file(name: str, size: int) -> tarfile.TarInfo:
    file = tarfile.TarInfo(name)
    file.size, file.mode = size, 0o755
    return file


def _folder(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    return folder
