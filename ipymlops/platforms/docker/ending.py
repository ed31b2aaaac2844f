"""How a container ended, as `end.json` keeps it after the container is gone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipymlops.job import EndReason, JobState, JobStatus
from ipymlops.platforms.docker.states import epoch_of
from ipymlops.platforms.jobfolder import JobFolder, read_json, write_json
from ipymlops.platforms.jobstate import failed, moment
from ipymlops.runtime.tracebacks import last_line

KILLED = 137
TAIL_BYTES = 4096


def end_path(folder: JobFolder) -> Path:
    return folder.root / "end.json"


def container_log(folder: JobFolder) -> Path:
    """What it printed itself: the job's log for an image as built, else what kept our launcher from starting."""
    no_code = folder.record()["spec"]["no_code"]
    return folder.node(0).log if no_code else folder.root / "container.log"


def timeout_marker(folder: JobFolder) -> Path:
    return folder.root / "timeout"


def write_end(folder: JobFolder, attributes: Mapping[str, Any]) -> None:
    """Keep what `inspect` says of a container that has exited."""
    state, limits = attributes["State"], attributes.get("HostConfig") or {}
    record = {
        "exit_code": state.get("ExitCode"),
        # Podman does not tell: a kill within a limit of memory is what it looks like.
        "out_of_memory": bool(state.get("OOMKilled"))
        or (state.get("ExitCode") == KILLED and bool(limits.get("Memory")) and not _was_told(folder)),
        "error": state.get("Error") or "",
        "started_at": epoch_of(state.get("StartedAt")),
        "ended_at": epoch_of(state.get("FinishedAt")),
        "image": attributes.get("Image"),
        "is_lost": False,
    }
    write_json(end_path(folder), record)


def write_lost(folder: JobFolder) -> None:
    write_json(end_path(folder), {"is_lost": True})


def read_end(folder: JobFolder) -> dict[str, Any] | None:
    return read_json(end_path(folder))


def end_status(folder: JobFolder, end: Mapping[str, Any]) -> JobStatus:
    """The status of a job whose container is over and left no result of the launcher."""
    if end["is_lost"]:
        return lost_status(folder)
    reason = _reason(folder, end)
    return JobStatus(
        state=reason.state if reason else JobState.SUCCEEDED,
        detail=f"exit code {end['exit_code']}" if reason else "",
        end_reason=reason,
        exit_code=end["exit_code"],
        started_at=moment(end["started_at"]),
        ended_at=moment(end["ended_at"]),
        error=_error(folder, end, reason) if reason and reason.state is JobState.FAILED else None,
    )


def lost_status(folder: JobFolder) -> JobStatus:
    if folder.node(0).state.stop_was_asked():
        return JobStatus(JobState.STOPPED, detail="its container is gone", end_reason=EndReason.USER)
    return failed(
        "the job's container was removed from outside",
        why="the engine no longer knows it, and it left no result",
        fix="run the line again; what it wrote is in its artifacts",
    )


def _was_told(folder: JobFolder) -> bool:
    return folder.node(0).state.stop_was_asked() or timeout_marker(folder).exists()


def _reason(folder: JobFolder, end: Mapping[str, Any]) -> EndReason | None:
    if end["out_of_memory"]:
        return EndReason.OUT_OF_MEMORY
    if folder.node(0).state.stop_was_asked():
        return EndReason.USER
    if timeout_marker(folder).exists():
        return EndReason.TIMEOUT
    if not folder.record()["spec"]["no_code"]:
        return EndReason.PLATFORM_ERROR  # a launcher that ends in order leaves a result
    return EndReason.EXIT_CODE if end["exit_code"] else None


def _error(folder: JobFolder, end: Mapping[str, Any], reason: EndReason) -> dict[str, str]:
    tail = _last_words(folder)
    if reason is EndReason.OUT_OF_MEMORY:
        what, fix = "the job ran out of memory", "use less of it, for instance a smaller batch"
    elif reason is EndReason.EXIT_CODE:
        what, fix = f"the image's program ended with exit code {end['exit_code']}", ""
    elif folder.node(0).state.attempt() is None:
        what, fix = (
            "the script could not be started in this image",
            "choose an image with Python 3.8 or newer: --image IMAGE",
        )
    else:
        what, fix = "the job was killed from outside", "run the line again; what it wrote is in its artifacts"
    why = "; ".join(filter(None, (f"exit code {end['exit_code']}", end["error"], tail)))
    return {"what": what, "why": why, "fix": fix}


def _last_words(folder: JobFolder) -> str:
    try:
        with container_log(folder).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            return last_line(log.read())
    except FileNotFoundError:
        return ""
