"""The launcher as one file, made on the host: the same bytes on every machine and from every kind of install."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from importlib import resources
from pathlib import Path

HOST_ONLY = ("leftovers.py", "logfile.py", "pack.py")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name


def launcher_zip(to: Path) -> Path:
    """Write the launcher below the folder `to`, named by its content; one that is there already is given back."""
    content = launcher_bytes()
    path = to / f"launcher-{hashlib.sha256(content).hexdigest()[:16]}.pyz"
    if path.exists():
        return path
    to.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return path


def launcher_bytes() -> bytes:
    """The zip. Nothing is compressed: compressors differ, and Python imports it sooner."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, source in sorted(_sources().items()):
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, source)
    return buffer.getvalue()


def _sources() -> dict[str, bytes]:
    """The modules. The package above them is empty there: ours needs more than the standard library."""
    found = {"ipymlops/__init__.py": b""}
    for package in ("ipymlops.runtime", "ipymlops.runtime.places"):
        for file in resources.files(package).iterdir():
            if file.name.endswith(".py") and file.name not in HOST_ONLY:
                found[f"{package.replace('.', '/')}/{file.name}"] = file.read_bytes()
    found["__main__.py"] = found["ipymlops/runtime/__main__.py"]
    return found
