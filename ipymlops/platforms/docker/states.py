"""What the engines' words mean: Docker's states and those that Podman adds."""

from __future__ import annotations

import re
from datetime import datetime

from ipymlops.job import JobState

STATES = {
    "created": JobState.STARTING,
    "configured": JobState.STARTING,
    "initialized": JobState.STARTING,
    "running": JobState.RUNNING,
    "paused": JobState.RUNNING,
    "restarting": JobState.STARTING,
    # Over, but its log and its end are not written down yet:
    "stopping": JobState.STOPPING,
    "exited": JobState.STOPPING,
    "stopped": JobState.STOPPING,
    "removing": JobState.STOPPING,
    "dead": JobState.STOPPING,
}
NEVER_RAN = ("created", "configured", "initialized")
RUNNING = ("running", "paused", "restarting", "stopping")

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")


def state_of(word: str) -> JobState:
    """A word that nobody mapped is unknown, never guessed."""
    return STATES.get(word, JobState.UNKNOWN)


def epoch_of(text: str | None) -> float | None:
    """The engines write nanoseconds, and the year 1 for never."""
    found = _TIME.match(text or "")
    if found is None or found[1].startswith("0001-"):
        return None
    whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).timestamp()
    return whole + float(found[2] or 0)
