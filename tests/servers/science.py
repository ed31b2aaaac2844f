"""An image with this Python and scikit-learn, as users have one: made of what is installed, without a registry."""

from __future__ import annotations

import io
import sys
import sysconfig
import tarfile
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.servers.engine import PROGRAMS, Engine, shared_objects, without_ballast

SCIENCE = "ipymlops-test/science:latest"
PACKAGES = "packages"


def import_science_image(engine: Engine) -> str:
    """Import it into the engine; returns its name there."""
    python = Path(sys._base_executable).resolve()
    changes = [f"ENV PATH={python.parent}:/bin", f"ENV PYTHONPATH=/{PACKAGES}"]
    repository, tag = SCIENCE.split(":")
    with engine.client() as client:
        client.api.import_image_from_data(_packed(python), repository=repository, tag=tag, changes=changes)
    return SCIENCE


def _packed(python: Path) -> bytes:
    library = Path(sysconfig.get_path("stdlib"))
    packages = dict(_files())
    programs = [python, *map(Path, PROGRAMS), *library.glob("lib-dynload/*.so")]
    shared = shared_objects([*programs, *(file for file in packages.values() if ".so" in file.name)])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in (*programs[: len(PROGRAMS) + 1], *(one for one in shared if not one.is_relative_to(sys.prefix))):
            tar.add(path.resolve(), str(path).lstrip("/"))
        tar.add(library, str(library).lstrip("/"), filter=without_ballast)
        for name, file in packages.items():
            tar.add(file, f"{PACKAGES}/{name}")
        link = tarfile.TarInfo(f"{python.parent}/python3".lstrip("/"))
        link.type, link.linkname = tarfile.SYMTYPE, python.name
        for member in (link, _folder("tmp", 0o1777), _folder("proc"), _folder("sys"), _folder("dev"), _folder("etc")):
            tar.addfile(member)
    return buffer.getvalue()


def _needed(name: str) -> set[str]:
    """The package and what it needs, without extras."""
    needed = [Requirement(line) for line in distribution(name).requires or ()]
    names = {one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})}
    return {name}.union(*map(_needed, names))


def _files():
    """(path in the image, file) of the packages."""
    for name in _needed("scikit-learn"):
        for one in distribution(name).files or ():
            file = Path(str(one.locate()))
            if ".." not in one.parts and "tests" not in one.parts and file.is_file() and file.suffix != ".pyc":
                yield str(one), file


def _folder(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    return folder
