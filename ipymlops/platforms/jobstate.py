"""What the files of a node say of its state, and what the states of the nodes say of the job."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ipymlops.job import EndReason, JobState, JobStatus
from ipymlops.platforms.jobfolder import NodeFolder
from ipymlops.runtime.state import boot_id

SAID_BYTES = 4000


def node_status(node: NodeFolder, *, is_alive: bool) -> JobStatus:
    """How one node stands.

    Args:
        is_alive: Whether its process lived, asked before this is called: a result may have come since, not gone.
    """
    result, attempt = node.state.result(), node.state.attempt()
    if result is not None and attempt is not None and result.get("attempt") not in (None, attempt.attempt):
        result = None  # an earlier attempt's
    if result is not None:
        return ended_status(result)
    started_at = moment(attempt.started_at) if attempt else None
    if is_alive:
        return JobStatus(_living_state(node, has_started=attempt is not None), started_at=started_at)
    return _lost(node, started_at)


def ended_status(result: Mapping[str, Any]) -> JobStatus:
    """The status that `result.json` means."""
    exit_code, word = result.get("exit_code"), result.get("end_reason")
    reason = EndReason(word) if word else None
    if reason is None and exit_code:
        reason = EndReason.EXIT_CODE
    return JobStatus(
        state=reason.state if reason else JobState.SUCCEEDED,
        detail="; ".join(filter(None, (_exit_words(exit_code, result.get("signal")), *(result.get("notes") or ())))),
        end_reason=reason,
        exit_code=exit_code,
        started_at=moment(result.get("started_at")),
        ended_at=moment(result.get("ended_at")),
        error=result.get("error"),
        metrics={name: float(value) for name, value in (result.get("metrics") or {}).items()},
    )


def failed(what: str, why: str = "", fix: str = "", *, started_at: datetime | None = None) -> JobStatus:
    """Failed through no fault of the script."""
    return JobStatus(
        JobState.FAILED,
        detail=what,
        end_reason=EndReason.PLATFORM_ERROR,
        started_at=started_at,
        error={"what": what, "why": why, "fix": fix},
    )


def said(node: NodeFolder) -> str:
    """The end of what the launcher had to say for itself."""
    try:
        return node.said.read_bytes()[-SAID_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


def moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, timezone.utc)


def joined(statuses: Sequence[JobStatus]) -> JobStatus:
    """The job's status: that of its worst node once all have ended; rank 0 speaks for the metrics."""
    if len(statuses) == 1:
        return statuses[0]
    started = [status.started_at for status in statuses if status.started_at]
    living = [status for status in statuses if not status.state.is_final]
    if living:
        state = min((status.state for status in living), key=_PROGRESS.index)
        return JobStatus(state, detail=_nodes_words(statuses), started_at=min(started, default=None))
    first = min((status for status in statuses if status.end_reason), key=_blame, default=statuses[0])
    rank = statuses.index(first)
    ended = [status.ended_at for status in statuses if status.ended_at]
    return JobStatus(
        first.state,
        detail=f"node {rank}: {first.detail}" if first.end_reason else "",
        end_reason=first.end_reason,
        exit_code=first.exit_code,
        started_at=min(started, default=None),
        ended_at=max(ended, default=None),
        error=first.error,
        metrics={name: value for status in reversed(statuses) for name, value in status.metrics.items()},
    )


_PROGRESS = (JobState.STOPPING, JobState.RUNNING, JobState.STARTING, JobState.QUEUED)


def _blame(status: JobStatus) -> tuple[bool, float]:
    """The node that failed by itself comes before those that were stopped for it; among equals the earlier."""
    return status.state is JobState.STOPPED, status.ended_at.timestamp() if status.ended_at else 0.0


def _nodes_words(statuses: Sequence[JobStatus]) -> str:
    ended = [f"node {rank} {status.state.value}" for rank, status in enumerate(statuses) if status.state.is_final]
    return ", ".join(ended)


def _living_state(node: NodeFolder, *, has_started: bool) -> JobState:
    if node.state.stop_was_asked():
        return JobState.STOPPING
    return JobState.RUNNING if has_started else JobState.STARTING


def _lost(node: NodeFolder, started_at: datetime | None) -> JobStatus:
    """No process and no result."""
    attempt = node.state.attempt()
    if node.state.stop_was_asked():
        return JobStatus(
            JobState.STOPPED, detail="killed while it was stopping", end_reason=EndReason.USER, started_at=started_at
        )
    if attempt is None and not node.said.exists():
        return JobStatus(JobState.QUEUED, detail="its process has not been started")
    if attempt is None:
        return failed("the launcher ended before the script started", why=said(node), fix="ipymlops doctor")
    if attempt.boot_id and boot_id() and attempt.boot_id != boot_id():
        return failed(
            "the machine was restarted while the job ran",
            why="nothing of it is left running, and it left no result",
            fix="run the line again; what it wrote is in its artifacts",
            started_at=started_at,
        )
    return failed(
        "the job was killed from outside",
        why="its launcher is gone and left no result: SIGKILL, or the machine ran out of memory",
        fix="run the line again; what it wrote is in its artifacts",
        started_at=started_at,
    )


def _exit_words(exit_code: int | None, number: int | None) -> str:
    if number:
        try:
            return signal.Signals(number).name
        except ValueError:
            return f"signal {number}"
    return f"exit code {exit_code}" if exit_code else ""
