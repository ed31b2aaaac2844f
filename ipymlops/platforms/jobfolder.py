"""The folder of a job on this machine: `HOME/local/<id>/`, laid out as ARCHITECTURE.md says (decision 4)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.processes import locked
from ipymlops.runtime.pack import launcher_zip
from ipymlops.runtime.state import State
from ipymlops.spec import CodeArchive, JobId

MODE = 0o700
SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True)
class NodeFolder:
    """What belongs to one node of a job."""

    root: Path

    @property
    def rank(self) -> int:
        return int(self.root.name)

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def log_index(self) -> Path:
        return self.root / "log.index"

    @property
    def said(self) -> Path:
        """What the launcher or the engine had to say for itself: empty unless something broke."""
        return self.root / "launcher.log"

    @property
    def lock(self) -> Path:
        """Held from before the node's process starts until it ends."""
        return self.root / "spawn.lock"

    @property
    def state(self) -> State:
        return State(str(self.root / "state"))


@dataclass(frozen=True)
class JobFolder:
    """One job's folder."""

    root: Path

    @classmethod
    def of(cls, home: Path, ref: str) -> JobFolder:
        """The folder that a reference means; raises `PlatformProblem` if it is gone, or no reference of ours."""
        folder = cls.found(home, ref)
        if folder is None:
            raise _gone(ref, home.absolute() / "local" / ref)
        return folder

    @classmethod
    def found(cls, home: Path, ref: str) -> JobFolder | None:
        """The same, None if it was deleted; raises `PlatformProblem` only for what is no reference of ours."""
        root = home.absolute() / "local" / ref
        if not SAFE_ID.match(ref):
            raise _gone(ref, root)
        folder = cls(root)
        return folder if folder.is_there else None

    @property
    def is_there(self) -> bool:
        """Whether it has not been deleted, not even in part."""
        return (self.root / "job.json").exists() and (self.root / "nodes").is_dir()

    @classmethod
    def is_deleted(cls, home: Path, ref: str) -> bool:
        """Somebody took the folder away, and not the place where the folders are."""
        place = home.absolute() / "local"
        return bool(SAFE_ID.match(ref)) and place.is_dir() and not (place / ref).exists()

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def submit_lock(self) -> Path:
        return self.root / "submit.lock"

    @property
    def launcher(self) -> Path:
        return self.root / "launcher.pyz"

    @property
    def code(self) -> Path:
        return self.root / "code.tar"

    @property
    def nodes(self) -> tuple[NodeFolder, ...]:
        ranks = sorted(int(path.name) for path in (self.root / "nodes").iterdir() if path.name.isdigit())
        return tuple(self.node(rank) for rank in ranks)

    def node(self, rank: int) -> NodeFolder:
        return NodeFolder(self.root / "nodes" / str(rank))

    def output_of(self, rank: int) -> Path:
        return self.output / f"node-{rank}" if rank else self.output

    def record(self) -> dict[str, Any]:
        """What was asked for: enough to list the job again when the store is lost."""
        return read_json(self.root / "job.json") or {}


def _gone(ref: str, root: Path) -> PlatformProblem:
    return PlatformProblem(
        f"the files of job {ref[:80]!r} are not on this machine",
        why=f"there is no folder {str(root)[:300]!r}, or not all of it: it was deleted, or never was here",
        fix="look on the machine that started it, or with the IPYMLOPS_HOME it was started with",
    )


def job_folder(home: Path, job_id: JobId) -> Path:
    """Where the job's folder is, or will be."""
    return home.absolute() / "local" / job_id


@contextlib.contextmanager
def new_job_folder(home: Path, job_id: JobId) -> Iterator[Path | None]:
    """A folder to fill that becomes the job's at the end of the block, whole or not at all; None if there is one.

    Whoever is killed inside the block leaves an unfinished folder behind, which the next one removes.
    """
    final = job_folder(home, job_id)
    final.parent.mkdir(mode=MODE, parents=True, exist_ok=True)
    with locked(final.parent / ".lock"):
        for unfinished in final.parent.glob(".new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if final.exists():
            yield None
            return
        new = final.parent / f".new-{job_id}"
        new.mkdir(mode=MODE)
        try:
            yield new
        except BaseException:  # a full disk, Ctrl-C: nothing half-written stays
            shutil.rmtree(new, ignore_errors=True)
            raise
        new.rename(final)


def fill(new: Path, home: Path, record: dict[str, Any], code: CodeArchive | None) -> None:
    """Everything that does not depend on where the job will run: record, launcher, code and empty folders."""
    folder = JobFolder(new)
    for path in (folder.output, folder.tensorboard, folder.checkpoints):
        path.mkdir()
    for rank in range(record["plan"]["nodes"]):
        (folder.node(rank).root / "state").mkdir(mode=MODE, parents=True)
        folder.output_of(rank).mkdir(exist_ok=True)
    write_json(new / "job.json", record)
    if not record["spec"]["no_code"]:
        link_or_copy(launcher_zip(home / "launcher"), folder.launcher)
    if code is not None:
        link_or_copy(code.path, folder.code)


def link_or_copy(source: Path, to: Path) -> None:
    try:
        os.link(source, to)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, to)


def write_json(path: Path, record: Any) -> None:
    """Write it whole or not at all. Surrogates stay as they are: `\\udcXX`."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(record), encoding="utf-8")
    new.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return record if isinstance(record, dict) else None
