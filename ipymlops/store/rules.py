"""What every store keeps to when a job changes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from ipymlops.job import Job, JobState

GOING = (JobState.QUEUED, JobState.STARTING, JobState.RUNNING)


def settled(before: Job, after: Job) -> Job:
    """What may be written: id and number stay, and how a job ended is said once."""
    after = replace(after, id=before.id, number=before.number)
    if not before.is_final:
        return after
    return replace(
        after,
        state=before.state,
        end_reason=before.end_reason,
        exit_code=before.exit_code,
        started_at=before.started_at,
        ended_at=before.ended_at,
    )


def listed(before: Job, seen: Job) -> Job:
    """The record of a job after its platform has listed it once more.

    Ours are asked about one by one, and a list may lag behind: it changes none of them. Of others' jobs it changes all
    but the name; what a page does not tell stays, and so do the end of a job and a stop that was asked for, until it
    shows.
    """
    if before.is_ours:
        return before
    after = replace(before, **_told(before, seen))
    if before.is_final:
        return replace(after, **{name: _first(before, seen, name) for name in _END}, state=before.state)
    if before.state is JobState.STOPPING and seen.state in GOING:
        return replace(after, state=before.state, detail=before.detail, end_reason=before.end_reason)
    return after


def _told(before: Job, seen: Job) -> dict[str, Any]:
    """What the page says; a list's row may say little, and then of the machine nothing."""
    unsaid = {"id", "number", "name", "is_ours"} | (_OF_MACHINE if seen.machine_type is None else set())
    if seen.state is before.state and seen.error is None:
        unsaid |= {"error"}
    told = {field.name: getattr(seen, field.name) for field in fields(seen) if field.name not in unsaid}
    return {name: value for name, value in told.items() if name in _ALWAYS_TOLD or value not in _NOTHING}


def _first(before: Job, seen: Job, name: str) -> Any:
    known = getattr(before, name)
    return known if known is not None or seen.state is not before.state else getattr(seen, name)


_END = ("end_reason", "exit_code", "started_at", "ended_at")
_OF_MACHINE = {"nodes", "accelerator_count"}
_ALWAYS_TOLD = {"state", "detail", "end_reason", "error", "kept_until"}
_NOTHING: tuple[object, ...] = (None, "", (), {})


def is_turn(before: Job, after: Job) -> bool:
    """Whether a job has been accepted, or has ended: what must not be forgotten even with a damaged file."""
    return after.ref != before.ref or after.is_final != before.is_final
