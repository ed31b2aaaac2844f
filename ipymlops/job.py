"""What happened: a job's record, its states, and pages of its log."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from ipymlops.spec import JobId, PlatformRef


class JobState(str, Enum):
    """A job's state, the same words on every platform."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value  # `print(job.state)` says `running`

    @property
    def is_final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPED)


class EndReason(str, Enum):
    """Why a job did not succeed."""

    TIMEOUT = "timeout"
    USER = "user"
    EXIT_CODE = "exit_code"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_CAPACITY = "out_of_capacity"
    PREEMPTED = "preempted"
    PLATFORM_ERROR = "platform_error"

    def __str__(self) -> str:
        return self.value

    @property
    def state(self) -> JobState:
        """The final state that goes with the reason."""
        return JobState.STOPPED if self in (EndReason.TIMEOUT, EndReason.USER) else JobState.FAILED


@dataclass(frozen=True)
class JobStatus:
    """What a platform says of a job at one moment; None is unknown.

    Attributes:
        detail: The platform's own word for the state, or a sentence of progress.
        error: {what, why, fix, and where known traceback, file, line} of a failure.
        metrics: The last value of each metric.
        is_gone: The platform no longer knows the job.
        billed_s: Seconds that are paid for, per node, where the platform tells (a spot machine's are fewer).
        kept_until: Until when at most the machine of a job that has ended is kept for the next one, and paid for.
    """

    state: JobState
    detail: str = ""
    end_reason: EndReason | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: Mapping[str, Any] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    url: str | None = None
    is_gone: bool = False
    billed_s: float | None = None
    kept_until: datetime | None = None


@dataclass(frozen=True)
class Job:
    """One job as the store holds it: flat, so that a list of thousands is cheap to make.

    `number` is 0 until the store gives one. `ref` is None until the platform has accepted the job.
    `fingerprint` is equal for identical jobs (`JobSpec.fingerprint`). `is_ours` is False for a job that another tool or
    machine started: it has no intent here, and the account's listing keeps it up to date.
    """

    id: JobId
    name: str
    platform: str
    created_at: datetime
    number: int = 0
    state: JobState = JobState.QUEUED
    detail: str = ""
    end_reason: EndReason | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    script: str | None = None
    argv: tuple[str, ...] = ()
    machine_type: str | None = None
    accelerator: str | None = None
    accelerator_count: int = 0
    nodes: int = 1
    usd_per_hour: float | None = None
    commit: str | None = None
    tree: str | None = None
    dirty: bool | None = None
    branch: str | None = None
    user: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    url: str | None = None
    error: Mapping[str, Any] | None = None
    ref: PlatformRef | None = None
    fingerprint: str = ""
    max_runtime_s: int | None = None
    billed_s: float | None = None
    kept_until: datetime | None = None
    is_ours: bool = True

    @property
    def is_final(self) -> bool:
        return self.state.is_final

    @property
    def is_gone(self) -> bool:
        """Whether the platform no longer knows it: how it ended cannot be told."""
        return self.state is JobState.UNKNOWN and bool(self.error and self.error.get("is_gone"))

    @property
    def is_deleted(self) -> bool:
        """Whether its platform has lost it: this record is all there is."""
        return self.is_gone or self.detail == f"deleted on {self.platform}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.is_final or self.is_gone

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None while unknown."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())

    @property
    def cost_usd(self) -> float | None:
        """What a finished job cost; None while it runs or where the price is unknown."""
        duration_s = self.duration_s
        if self.usd_per_hour is None or duration_s is None:
            return None
        return self.usd_per_hour * (duration_s if self.billed_s is None else self.billed_s) / 3600

    def with_status(self, status: JobStatus) -> Job:
        """This job as the platform now says it is. A final state is kept: nothing leaves it."""
        if self.is_final:
            return self
        return replace(
            self,
            state=status.state,
            detail=status.detail,
            end_reason=status.end_reason,
            exit_code=status.exit_code,
            started_at=status.started_at or self.started_at,
            ended_at=status.ended_at or self.ended_at,
            error=status.error,
            metrics=status.metrics or self.metrics,
            url=status.url or self.url,
            billed_s=self.billed_s if status.billed_s is None else status.billed_s,
            kept_until=status.kept_until,
        )

    def to_json(self) -> dict[str, Any]:
        """The promised object of `--json`."""
        return {
            "id": self.id,
            "number": self.number,
            "name": self.name,
            "platform": self.platform,
            "state": self.state.value,
            "detail": self.detail,
            "end_reason": self.end_reason.value if self.end_reason else None,
            "exit_code": self.exit_code,
            "created_at": rfc3339(self.created_at),
            "started_at": rfc3339(self.started_at),
            "ended_at": rfc3339(self.ended_at),
            "script": self.script,
            "argv": list(self.argv),
            "machine_type": self.machine_type,
            "accelerator": self.accelerator,
            "accelerator_count": self.accelerator_count,
            "nodes": self.nodes,
            "usd_per_hour": self.usd_per_hour,
            "cost_usd": self.cost_usd,
            "commit": self.commit,
            "tree": self.tree,
            "dirty": self.dirty,
            "branch": self.branch,
            "user": self.user,
            "labels": dict(self.labels),
            "metrics": {name: json_number(value) for name, value in self.metrics.items()},
            "url": self.url,
            "error": dict(self.error) if self.error else None,
        }


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log, without its newline, `\\r` and colours as they came; `time` when it was seen."""

    text: bytes
    node: int = 0
    time: datetime | None = None


@dataclass(frozen=True)
class LogPage:
    """Some lines and where to go on.

    Attributes:
        cursor: Hand it back to get what follows: nothing repeated, nothing skipped.
        is_end: The job is final and its whole log has been given.
    """

    lines: tuple[LogLine, ...]
    cursor: str
    is_end: bool


@dataclass(frozen=True)
class Artifact:
    """One file that a job wrote; `path` is POSIX, below the output.

    Attributes:
        digest: Of its content, where the platform tells without reading it: `sha256:HEX`, `md5:HEX`, or
            `md5/BYTES:HEX`, the MD5 of the MD5s of its parts of so many bytes.
        has_arrived: False for a file that the job has written, and that is nowhere to be fetched from.
    """

    path: str
    bytes: int
    modified_at: datetime | None = None
    digest: str | None = None
    has_arrived: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "bytes": self.bytes, "modified_at": rfc3339(self.modified_at)}


def new_job_id() -> JobId:
    """A random id of 16 characters: a letter first, so that it never reads as a job's number."""
    return JobId("j" + secrets.token_hex(8)[1:])


def rfc3339(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, None for None."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_number(value: float) -> float | str:
    """JSON has no nan and no infinities: they are strings."""
    return value if math.isfinite(value) else str(value)
