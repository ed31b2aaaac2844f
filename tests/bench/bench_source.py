"""The snapshot of a 10,000-file, 200 MB repository, the second time, beside the vendors' way of packing source."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import tarfile
import tempfile
from pathlib import Path

from ipymlops.source import snapshot
from tests.bench.row import Row, interleaved, seconds

FILES = 10_000
FILE_BYTES = 20_000
RUNS = 7
PEER = "tarfile gzip of the folder, as the vendors' SDKs pack it"


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="ipymlops-bench-") as place:
        root, objects = Path(place) / "repository", Path(place) / "objects"
        make_repository(root)
        clean = seconds(lambda: snapshot(root, objects=objects), RUNS)
        (root / "package_0/part_0/module_0.py").write_text("print('edited')\n")
        edited, peer = interleaved(
            lambda: snapshot(root, objects=objects), lambda: pack_like_the_vendors(root, Path(place)), 3
        )
        return [
            Row("snapshot, second time, 10,000 files, 200 MB", statistics.median(clean), "s", 0.3, RUNS),
            Row("snapshot with an edit, same repository", edited, "s", 0.3, 3, peer=PEER, peer_value=peer),
        ]


def make_repository(root: Path) -> None:
    """Files of text that compresses to half, as code and small data do; notebooks with outputs among them."""
    chance = random.Random(1)
    for number in range(FILES):
        folder = root / f"package_{number // 500}" / f"part_{number // 25 % 20}"
        folder.mkdir(parents=True, exist_ok=True)
        text = chance.randbytes(FILE_BYTES // 2).hex()
        if number % 100 == 99:
            cell = (
                f'{{"cell_type": "code", "source": "x", "metadata": {{}}, "outputs": ["{text}"], "execution_count": 1}}'
            )
            (folder / f"book_{number}.ipynb").write_text(f'{{"cells": [{cell}], "metadata": {{}}, "nbformat": 4}}')
        else:
            (folder / f"module_{number}.py").write_text(text)
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "bench"]):
        subprocess.run(["git", *words], cwd=root, check=True)


def pack_like_the_vendors(root: Path, to: Path) -> None:
    """The SDKs list the folder's files and add each to one `.tar.gz`, which is then uploaded (the upload not counted)."""
    names = [os.path.join(folder, name) for folder, _, found in os.walk(root) for name in found if ".git" not in folder]  # noqa: PTH118
    with tarfile.open(to / "sourcedir.tar.gz", mode="w:gz") as archive:
        for name in names:
            archive.add(name, arcname=os.path.relpath(name, root))


if __name__ == "__main__":
    for row in rows():
        print(row, row.is_ok, row.ratio)
