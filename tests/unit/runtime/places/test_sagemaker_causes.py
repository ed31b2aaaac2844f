"""What a failure means on SageMaker, where it means something else than anywhere."""

from __future__ import annotations

import pytest

from ipymlops.runtime.outcome import Outcome
from ipymlops.runtime.places.sagemaker_causes import explained
from ipymlops.runtime.problem import error_json

WORKER = b"RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory.\n"
FULL = b"OSError: [Errno 28] No space left on device: '/root/.cache/x'\n"
SHM = b"OSError: [Errno 28] No space left on device: '/dev/shm/torch_1'\n"


@pytest.mark.parametrize(
    ("code", "number", "tail", "why", "fix"),
    [
        (1, None, WORKER, "/dev/shm", "set_sharing_strategy"),
        (135, 7, b"", "/dev/shm", "set_sharing_strategy"),
        (135, None, b"", "/dev/shm", "set_sharing_strategy"),
        (1, None, SHM, "/dev/shm", "set_sharing_strategy"),
        (1, None, FULL, "root disk", "--set volume_gib=200"),
        (1, None, FULL + b"step\n" * 1000, "root disk", "--set volume_gib=200"),
        (1, None, b"thread 'main' panicked: (os error 28)\n", "root disk", "--set volume_gib=200"),
        (137, 9, b"", "MemoryUtilization", "--machine TYPE"),
        (127, None, b"sh: 1: nvcc: not found\n", "no such command", "--image IMAGE"),
        (1, None, b"cache in /dev/shm\nValueError\n", "said before", "ipymlops logs"),
        (1, None, FULL + b"step\n" * 9000, "said before", "ipymlops logs"),
    ],
)
def test_a_failure_is_explained(code, number, tail, why, fix):
    before = Outcome(code, number, "exit_code", error_json("what", "said before", "ipymlops logs j1"))
    after = explained(before, tail)
    assert after.error["why"].startswith("said before")
    assert why in after.error["why"]
    assert fix in after.error["fix"]
    assert after._replace(error=before.error) == before


@pytest.mark.parametrize("reason", [None, "user", "timeout", "out_of_memory"])
def test_what_needs_no_explanation_is_left_alone(reason):
    outcome = Outcome(0 if reason is None else 137, None, reason, error_json("what") if reason else None)
    assert explained(outcome, FULL) == outcome


def test_a_bus_error_is_explained_in_the_result(container):
    code, _, _ = container.finished("import os, signal\nos.kill(os.getpid(), signal.SIGBUS)")
    assert (code, container.result["signal"]) == (135, 7)
    assert "set_sharing_strategy" in container.result["error"]["fix"]
    assert "set_sharing_strategy" in container.failure


def test_elsewhere_a_full_disk_is_not_sagemakers(job):
    error = job.script("raise OSError(28, 'No space left on device')")["error"]
    assert "volume_gib" not in error["fix"]
