"""One training job as the service keeps it; whoever runs it changes its state through these methods."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

ENDS = ("Completed", "Failed", "Stopped")
REASON_LENGTH = 1024
MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Pending": "Waiting for capacity",
    "Downloading": "Downloading the training image",
    "Training": "Training image download completed. Training in progress.",
    "Interrupted": "Training job interrupted",
    "Restarting": "Restarting the training job",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job exceeded MaxWaitTimeInSeconds provided",
}


@dataclass
class Transition:
    """One entry of SecondaryStatusTransitions; times are epoch seconds."""

    status: str
    start: float
    message: str
    end: float | None = None


@dataclass
class TrainingJobRecord:
    """A training job; every change of state goes through `transition` and `finish`, which any thread may call.

    Attributes:
        request: CreateTrainingJob's input as it was accepted (without Tags: those change).
        now: The service's clock, epoch seconds.
        attempts: How often its containers were started; each start makes new log streams.
        stop_asked: Set by StopTrainingJob.
        changed: Notified at each change; its lock is the record's own.
        training_started_at: A machine was obtained: billing and MaxRuntime count from here; first "Downloading" or
            "Training" sets it.
        billable_s: Per instance; None until the end: then what lies between start and end of training.
        metrics: FinalMetricDataList as (name, value, epoch).
        let_go_at: The end of the machines that were kept for the next job, where somebody brought it about.
        reused_by: The job that took them.
    """

    request: Mapping[str, Any]
    region: str
    account: str
    now: Callable[[], float]
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "InProgress"
    secondary: str = "Starting"
    transitions: list[Transition] = field(default_factory=list)
    failure_reason: str = ""
    created_at: float = 0.0
    modified_at: float = 0.0
    training_started_at: float | None = None
    training_ended_at: float | None = None
    billable_s: int | None = None
    metrics: list[tuple[str, float, float]] = field(default_factory=list)
    attempts: int = 0
    is_deleted: bool = False
    let_go_at: float | None = None
    reused_by: str = ""
    stop_asked: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.created_at = self.modified_at = self.created_at or self.now()
        if not self.transitions:
            self.transitions.append(Transition("Starting", self.created_at, MESSAGES["Starting"]))

    @property
    def name(self) -> str:
        return str(self.request["TrainingJobName"])

    @property
    def arn(self) -> str:
        """In lower case, as the service writes names into its ARNs."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:training-job/{self.name.lower()}"

    @property
    def is_final(self) -> bool:
        return self.status in ENDS

    @property
    def artifact(self) -> str:
        """Where the model goes, s3://…; a folder where nothing is compressed."""
        output = self.request["OutputDataConfig"]
        base = f"{output['S3OutputPath'].rstrip('/')}/{self.name}/output/model"
        return base + ("/" if output.get("CompressionType") == "NONE" else ".tar.gz")

    @property
    def training_s(self) -> int:
        if self.training_started_at is None:
            return 0
        return int((self.training_ended_at or self.now()) - self.training_started_at)

    @property
    def kept_s(self) -> int:
        """KeepAlivePeriodInSeconds, as it is by now."""
        return int(self.request.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds") or 0)

    @property
    def pool(self) -> dict[str, Any] | None:
        """WarmPoolStatus. What was paid for idle machines is told once they are no longer kept."""
        if not (self.kept_s or self.let_go_at) or (self.is_final and self.training_ended_at is None):
            return None
        if not self.is_final or self.training_ended_at is None:
            return {"Status": "InUse"}
        until = self.let_go_at or self.training_ended_at + self.kept_s
        if self.now() < until:
            return {"Status": "Available"}
        told = {"Status": "Reused" if self.reused_by else "Terminated", "ReusedByJob": self.reused_by or None}
        paid = {"ResourceRetainedBillableTimeInSeconds": int(until - self.training_ended_at)}
        return {name: value for name, value in (told | paid).items() if value is not None}

    @property
    def is_kept(self) -> bool:
        return self.pool == {"Status": "Available"}

    def transition(self, secondary: str, message: str = "", *, status: str = "") -> None:
        """Enter a secondary status; `status` goes with it ("InProgress", or "Stopping" where a stop was asked).

        Does nothing once the job is final.
        """
        with self.changed:
            if self.is_final:
                return
            now = self.now()
            self.transitions[-1].end = now
            self.transitions.append(Transition(secondary, now, message or MESSAGES.get(secondary, "")))
            self.secondary, self.modified_at = secondary, now
            self.status = status or ("Stopping" if self.stop_asked.is_set() else "InProgress")
            if secondary in ("Downloading", "Training") and self.training_started_at is None:
                self.training_started_at = now
            self.changed.notify_all()

    def ask_to_stop(self) -> bool:
        """Mark it as Stopping; False where it has ended. The runner's `stop` is called after it."""
        with self.changed:
            if self.is_final:
                return False
            if not self.stop_asked.is_set():
                self.stop_asked.set()
                self.transition("Stopping")
            return True

    def finish(self, status: str, secondary: str = "", reason: str = "") -> None:
        """End it as `status`, one of `ENDS`; `secondary` "" is the same word. Does nothing once the job is final."""
        with self.changed:
            if self.is_final:
                return
            self.transition(secondary or status, reason[:REASON_LENGTH], status=status)
            self.training_ended_at = self.transitions[-1].end = self.modified_at
            self.failure_reason = reason[:REASON_LENGTH]
            if self.billable_s is None:
                self.billable_s = self.training_s
            self.changed.notify_all()


class RunsJobs(Protocol):
    """Who runs the jobs: containers, or a script."""

    def start(self, job: TrainingJobRecord) -> None:
        """Begin; returns at once."""

    def stop(self, job: TrainingJobRecord) -> None:
        """End a job whose `stop_asked` is set; returns at once."""

    def reset(self) -> None:
        """End everything that runs and wait for it; the server's state is forgotten next."""
