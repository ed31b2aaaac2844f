"""What usually stands behind a failure in a container of SageMaker, and what mends it there.

The launcher asks by exit code and log; whoever has only SageMaker's own reason asks by that.
"""

from __future__ import annotations

import signal
from typing import NamedTuple, Optional

from ipymlops.runtime.outcome import Outcome

TAIL_BYTES = 16 << 10


class Cause(NamedTuple):
    """`fix` "": the log says more than we know."""

    text: str
    fix: str = ""


SHARED_MEMORY = Cause(
    "the shared memory of the machine (/dev/shm) ran out, mostly through a data loader's workers; "
    "on SageMaker nobody can enlarge it",
    'torch.multiprocessing.set_sharing_strategy("file_system") in the script, or fewer workers',
)
SHARED_MEMORY_TEXTS = (b"bus error", b"out of shared memory")
DISK = Cause(
    "a disk is full: mostly the small root disk, where packages go, else the volume of /opt/ml and /tmp",
    "write below /tmp or IPYMLOPS_OUTPUT_DIR, or ask for a larger volume: --set volume_gib=200",
)
DISK_TEXTS = (b"no space left", b"[errno 28]", b"(os error 28)")
MEMORY = Cause(
    "killed, mostly because memory ran out: then the job's MemoryUtilization in CloudWatch was near 100 %",
    "take a machine with more memory: --machine TYPE",
)
NOT_FOUND = Cause("a command was not found: the image has no such command", "take an image that has it: --image IMAGE")
EXIT_CODES = {127: NOT_FOUND, 135: SHARED_MEMORY, 137: MEMORY}
"""With the numbers that signals have in the container, which this machine may count otherwise."""
TOLD = "SageMaker told the job to stop (SIGTERM)"
TOLD_WHY = "its user or its time limit did that, or the machine was taken away"


def explained(outcome: Outcome, tail: bytes) -> Outcome:
    """The outcome with the cause added to its error; a success, and what is explained already, as it is."""
    if outcome.end_reason != "exit_code" or outcome.error is None:
        return outcome
    if outcome.signal == signal.SIGTERM:
        error = {**outcome.error, "what": TOLD, "why": TOLD_WHY}
        return outcome._replace(error=error)
    cause = cause_of(outcome.exit_code, tail[-TAIL_BYTES:])
    if cause is None:
        return outcome
    why = "{}; {}".format(outcome.error["why"], cause.text)
    return outcome._replace(error={**outcome.error, "why": why, "fix": cause.fix or outcome.error["fix"]})


def cause_of(exit_code: Optional[int], text: bytes) -> Optional[Cause]:
    """By what was said, in whatever letters, then by the exit code; None where neither tells."""
    text = text.lower()
    full = [line for line in text.splitlines() if any(one in line for one in DISK_TEXTS)]
    is_shared = any(b"/dev/shm" in line or b"shared memory" in line for line in full)
    cause = EXIT_CODES.get(exit_code or 0)
    if cause is SHARED_MEMORY or is_shared or any(one in text for one in SHARED_MEMORY_TEXTS):
        return SHARED_MEMORY
    return DISK if full else cause
