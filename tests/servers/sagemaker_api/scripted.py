"""Jobs that go through their states as a test says, with no container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers.sagemaker_api.record import ENDS, TrainingJobRecord

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)


@dataclass(frozen=True)
class Scripted:
    """What a job does as soon as it was accepted.

    Attributes:
        states: Secondary statuses it goes through at once; where the last is none of an end, a test goes on with
            `SageMakerApi.job(name).transition(…)`.
        reason: FailureReason, where it fails.
        lines: Written to the log of its first host, in "Training".
        obeys: A stop ends it; False: it stays Stopping.
    """

    states: tuple[str, ...] = ("Downloading", "Training", "Uploading", "Completed")
    reason: str = ""
    lines: tuple[str, ...] = ()
    obeys: bool = True


class ScriptedRunner:
    """Stands where the runner of containers stands."""

    def __init__(self, api: SageMakerApi) -> None:
        self.api = api

    def start(self, job: TrainingJobRecord) -> None:
        if self.api.faults.take("capacity_error"):
            job.finish("Failed", reason=CAPACITY)
            return
        script = self.api.script
        for state in script.states:
            if state in ENDS:
                job.finish(state, reason=script.reason)
            elif state.endswith("Exceeded"):
                job.finish("Stopped", state)
            elif state != job.secondary:
                job.transition(state)
            if state == "Training":
                self._write(job, script.lines)

    def stop(self, job: TrainingJobRecord) -> None:
        if self.api.script.obeys:
            job.finish("Stopped")

    def reset(self) -> None:
        """Nothing runs."""

    def _write(self, job: TrainingJobRecord, lines: tuple[str, ...]) -> None:
        job.attempts += 1
        stream = f"{job.name}/algo-1-{int(job.now())}"
        if lines:
            self.api.write_log(job.region, stream, [(job.now(), line) for line in lines])
