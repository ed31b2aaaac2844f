"""The icon, word and colour of each state: three signs for one thing, so that none has to be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ipymlops.job import EndReason, Job, JobState

Tone = Literal["", "dim", "good", "live", "warn", "bad", "strong", "code"]

COLOURS: dict[str, str] = {
    "good": "#2e9e4f",
    "live": "#2f81f7",
    "warn": "#bb7d0c",
    "bad": "#e04b44",
    "dim": "#808790",
}
"""Legible on white and on black alike: a card inherits its background from whatever shows it."""


@dataclass(frozen=True)
class Look:
    """How one state looks."""

    icon: str
    tone: Tone


LOOKS = {
    JobState.QUEUED: Look("○", "dim"),
    JobState.STARTING: Look("◔", "warn"),
    JobState.RUNNING: Look("●", "live"),
    JobState.STOPPING: Look("◑", "warn"),
    JobState.SUCCEEDED: Look("✓", "good"),
    JobState.FAILED: Look("✗", "bad"),
    JobState.STOPPED: Look("■", "dim"),
    JobState.UNKNOWN: Look("?", "warn"),
}

CAUSES = {
    EndReason.TIMEOUT: "the time limit was reached",
    EndReason.USER: "stopped by the user",
    EndReason.EXIT_CODE: "the script failed",
    EndReason.OUT_OF_MEMORY: "out of memory",
    EndReason.OUT_OF_CAPACITY: "the platform had no such machine free",
    EndReason.PREEMPTED: "the platform took the machine back",
    EndReason.PLATFORM_ERROR: "the platform failed",
}


def look_of(state: JobState) -> Look:
    return LOOKS[state]


def badge(job: Job) -> str:
    """`✓ succeeded`."""
    return f"{look_of(job.state).icon} {job.state.value}"
