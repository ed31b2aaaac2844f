"""A platform for tests: honest, in a folder that every process sees, and misbehaving on demand."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from ipymlops.control.lock import FileLock
from ipymlops.errors import OutOfCapacity, PlatformProblem, QuotaExceeded, Unreachable
from ipymlops.job import Artifact, EndReason, JobState, JobStatus, LogLine, LogPage
from ipymlops.platforms.base import Check, Platform
from ipymlops.platforms.registry import Platforms
from ipymlops.spec import CodeArchive, JobId, JobSpec, Plan, PlatformRef

PATIENCE_S = 60.0
PAGE_LINES = 1000

STATES = {
    "WAITING": JobState.QUEUED,
    "WARMING": JobState.STARTING,
    "WORKING": JobState.RUNNING,
    "LEAVING": JobState.STOPPING,
    "DONE": JobState.SUCCEEDED,
    "BROKEN": JobState.FAILED,
    "ENDED": JobState.STOPPED,
}
REASONS = {"BROKEN": EndReason.EXIT_CODE, "ENDED": EndReason.USER}


@dataclass(frozen=True)
class FakeWorld:
    """What lies behind the platform, below `home/fake/`. A test looks in here, and tells it what to do next.

    - `launches` has a line for each start, so that "exactly once" is seen from outside. Start and line are one write.
    - A fault is counted in a file: it happens so many times, whichever process comes by.
    """

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "fake"

    def folder(self, job_id: str) -> Path:
        return self.root / "jobs" / job_id

    def launches(self) -> list[str]:
        """The id of each job that was started, once for each time it was."""
        path = self.root / "launches"
        return path.read_text().splitlines() if path.exists() else []

    def launch(self, job_id: str) -> None:
        """Start the job unless it has been started; killed anywhere, it has or it has not."""
        folder = self.folder(job_id)
        (folder / "output").mkdir(parents=True, exist_ok=True)
        with self._lock() as lock:
            lock.take(patience_s=PATIENCE_S)
            if job_id not in self.launches():
                with (self.root / "launches").open("ab", buffering=0) as file:
                    file.write(f"{job_id}\n".encode())

    def tell(self, job_id: str, native: str, **facts: object) -> None:
        """From now on the platform's word for the job is `native`; `facts` are `JobStatus` fields, times as epochs."""
        write_whole(self.folder(job_id) / "status.json", json.dumps({"native": native, **facts}))

    def status(self, job_id: str) -> dict[str, Any]:
        """What was told last; raises `FileNotFoundError` once the job is forgotten."""
        if job_id not in self.launches() or not self.folder(job_id).exists():
            raise FileNotFoundError(job_id)
        path = self.folder(job_id) / "status.json"
        told: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"native": "WORKING"}
        return told

    def write(self, job_id: str, text: bytes) -> None:
        """The job prints something."""
        with (self.folder(job_id) / "log").open("ab") as log:
            log.write(text)

    def put(self, job_id: str, path: str, content: bytes) -> None:
        """The job writes a file below its output."""
        file = self.folder(job_id) / "output" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def forget(self, job_id: str) -> None:
        """The platform no longer knows the job."""
        shutil.rmtree(self.folder(job_id))

    def misbehave(self, **counts: int) -> None:
        """Have faults happen so many times.

        `lose_reply` after a start, `quota`, `capacity`, `refuse` and `crash` at submit, `throttle` at any call,
        `drop_logs`, `lose_stop`.
        """
        with self._lock() as lock:
            lock.take(patience_s=PATIENCE_S)
            write_whole(self.root / "faults.json", json.dumps(self._faults() | counts))

    def is_left(self, fault: str) -> bool:
        """Whether the fault is still to happen."""
        return self._faults().get(fault, 0) > 0

    def strikes(self, fault: str) -> bool:
        """Whether the fault happens now; it is then used up once."""
        if not self.is_left(fault):
            return False
        with self._lock() as lock:
            lock.take(patience_s=PATIENCE_S)
            faults = self._faults()
            left = faults.get(fault, 0)
            write_whole(self.root / "faults.json", json.dumps(faults | {fault: max(0, left - 1)}))
            return left > 0

    def _faults(self) -> dict[str, int]:
        path = self.root / "faults.json"
        counts: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        return counts

    def _lock(self) -> FileLock:
        return FileLock(self.root / "lock")


class FakePlatform(Platform):
    """Runs nothing: a job is what its `FakeWorld` says."""

    name: ClassVar[str] = "fake"
    title: ClassVar[str] = "A platform for tests"
    options: ClassVar[frozenset[str]] = frozenset(field.name for field in fields(JobSpec))
    is_here: ClassVar[bool] = True

    @property
    def world(self) -> FakeWorld:
        return FakeWorld(self.context.home)

    def has_gpu(self, gpu: str) -> bool:  # noqa: ARG002 - it has them all
        return True

    def plan(self, spec: JobSpec) -> Plan:
        return Plan("fake", machine_type="fake.large", nodes=spec.nodes, usd_per_hour=3.6, request={"argv": spec.argv})

    def preflight(self, spec: JobSpec, plan: Plan) -> None:  # noqa: ARG002 - anyone may
        self._meet("throttle")

    def submit(self, job_id: JobId, name: str, spec: JobSpec, code: CodeArchive | None, plan: Plan) -> PlatformRef:  # noqa: ARG002
        for fault in ("throttle", "quota", "capacity", "refuse", "crash"):
            self._meet(fault)
        self.world.launch(job_id)
        self._meet("lose_reply")
        return PlatformRef(job_id)

    def find(self, job_id: JobId, name: str, spec: JobSpec, plan: Plan) -> PlatformRef | None:  # noqa: ARG002
        self._meet("throttle")
        return PlatformRef(job_id) if job_id in self.world.launches() else None

    def status(self, ref: PlatformRef) -> JobStatus:
        self._meet("throttle")
        try:
            told = self.world.status(ref)
        except FileNotFoundError:
            return JobStatus(JobState.UNKNOWN, detail="gone", is_gone=True)
        native = told.pop("native")
        times = {key: _moment(told.pop(key, None)) for key in ("started_at", "ended_at", "kept_until")}
        state = STATES.get(native, JobState.UNKNOWN)
        return JobStatus(state, **{"detail": native, "end_reason": REASONS.get(native)} | told | times)

    def logs(self, ref: PlatformRef, cursor: str = "") -> LogPage:
        self._meet("throttle")
        self._meet("drop_logs")
        offset, is_ended = int(cursor or 0), self.status(ref).state.is_final
        path = self.world.folder(ref) / "log"
        rest = path.read_bytes()[offset:] if path.exists() else b""
        whole = rest if is_ended else rest[: rest.rfind(b"\n") + 1]
        lines = re.findall(rb"[^\n]*\n|[^\n]+", whole)[:PAGE_LINES]
        taken = sum(len(line) for line in lines)
        shown = tuple(LogLine(line.removesuffix(b"\n")) for line in lines)
        return LogPage(shown, str(offset + taken), is_ended and taken == len(whole))

    def stop(self, ref: PlatformRef) -> None:
        self._meet("throttle")
        if self.world.strikes("lose_stop"):
            return
        told = self.world.status(ref) if self.world.folder(ref).exists() else {"native": "DONE"}
        if not STATES.get(told["native"], JobState.UNKNOWN).is_final:
            self.world.tell(ref, "ENDED")
        elif told.pop("kept_until", None):
            self.world.tell(ref, **told)

    def artifacts(self, ref: PlatformRef) -> Iterable[Artifact]:
        root = self.world.folder(ref) / "output"
        for path in sorted(root.rglob("*")):
            if path.is_file():
                facts = path.stat()
                yield Artifact(path.relative_to(root).as_posix(), facts.st_size, _moment(facts.st_mtime))

    def fetch(self, ref: PlatformRef, path: str, to: Path) -> None:
        source = self.world.folder(ref) / "output" / path
        if not source.is_file():
            raise PlatformProblem(f"job {ref} has no file {path!r}")
        shutil.copyfile(source, to)

    def metrics(self, ref: PlatformRef) -> Iterator[Mapping[str, Any]]:
        path = self.world.folder(ref) / "metrics.jsonl"
        return (json.loads(line) for line in path.read_text().splitlines()) if path.exists() else iter(())

    def checks(self, spec: JobSpec | None = None) -> Iterator[Check]:  # noqa: ARG002
        yield Check("fake.there", "ok", "the platform for tests is there")

    def _meet(self, fault: str) -> None:
        if self.world.strikes(fault):
            raise copy(FAULTS[fault])


FAULTS: dict[str, Exception] = {
    "lose_reply": Unreachable("the line was cut", why="a fault of the fake platform"),
    "drop_logs": Unreachable("the log connection was cut", why="a fault of the fake platform"),
    "throttle": Unreachable("too many requests", why="a fault of the fake platform"),
    "quota": QuotaExceeded("1 x fake.large refused", why="this account may run 0", fix="ask for more"),
    "capacity": OutOfCapacity("no fake.large is free", why="a fault of the fake platform"),
    "refuse": PlatformProblem("the request was refused", why="a fault of the fake platform", fix="change it"),
    "crash": RuntimeError("an answer that nobody expected"),
}


class FakePlatforms(Platforms):
    """A registry that has the fake platform, beside those that are installed."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*super().__iter__(), FakePlatform.name}))

    def kind(self, name: str) -> type[Platform]:
        return FakePlatform if name == FakePlatform.name else super().kind(name)


def install_fake(folder: Path) -> Path:
    """Make `folder` one that, on PYTHONPATH, gives other processes the fake platform by its entry point."""
    info = folder / "ipymlops_fake-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ipymlops-fake\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ipymlops.platforms]\nfake = {__name__}:FakePlatform\n")
    return folder


def write_whole(path: Path, text: str) -> None:
    """So that whoever reads at that moment sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, timezone.utc)
