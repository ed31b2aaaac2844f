"""What every store keeps to when a job changes."""

from __future__ import annotations

from dataclasses import replace

from ipymlops.job import Job


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


def is_turn(before: Job, after: Job) -> bool:
    """Whether a job has been accepted, or has ended: what must not be forgotten even with a damaged file."""
    return after.ref != before.ref or after.is_final != before.is_final
