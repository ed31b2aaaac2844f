"""SageMaker's words for states and failures, as ours. A word that nobody mapped is unknown, and shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ipymlops.job import EndReason, JobState

STATES = {
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "Stopped": JobState.STOPPED,
    "Stopping": JobState.STOPPING,
    "Deleting": JobState.UNKNOWN,
}
RUNNING = frozenset({"Training", "Uploading"})
BEFORE = frozenset(
    {
        *("Starting", "Pending", "Downloading", "Interrupted", "Restarting", "Updating"),
        *("LaunchingMLInstances", "PreparingTrainingStack", "DownloadingTrainingImage"),
    }
)
TIMEOUTS = frozenset({"MaxRuntimeExceeded", "MaxWaitTimeExceeded"})
REASONS = {
    "capacityerror": EndReason.OUT_OF_CAPACITY,
    "clienterror": EndReason.PLATFORM_ERROR,
    "internalservererror": EndReason.PLATFORM_ERROR,
}
_EXIT_CODE = re.compile(r"exit code:?\s*(\d+)", re.IGNORECASE)


def state_of(told: Mapping[str, Any]) -> JobState:
    status, secondary = str(told.get("TrainingJobStatus", "")), str(told.get("SecondaryStatus", ""))
    if status != "InProgress":
        return STATES.get(status, JobState.UNKNOWN)
    if secondary in RUNNING:
        return JobState.RUNNING
    return JobState.STARTING if secondary in BEFORE else JobState.UNKNOWN


def end_reason_of(told: Mapping[str, Any]) -> EndReason | None:
    """Why it ended, as far as SageMaker tells; None while it runs, and for success."""
    state = state_of(told)
    if state is JobState.STOPPED:
        return EndReason.TIMEOUT if told.get("SecondaryStatus") in TIMEOUTS else EndReason.USER
    if state is not JobState.FAILED:
        return None
    word = failure_word(told)
    if word in REASONS:
        return REASONS[word]
    code = exit_code_of(told)
    if code is None:
        return EndReason.PREEMPTED if "interrupt" in word else EndReason.PLATFORM_ERROR
    return EndReason.EXIT_CODE


def failure_word(told: Mapping[str, Any]) -> str:
    """What stands before the first colon of the reason, in small letters."""
    return str(told.get("FailureReason", "")).partition(":")[0].strip().lower()


def exit_code_of(told: Mapping[str, Any]) -> int | None:
    """The container's exit code in the reason; the last one named, as a script's own words may name others."""
    found = _EXIT_CODE.findall(str(told.get("FailureReason", "")))
    return int(found[-1]) if found else None


def detail_of(told: Mapping[str, Any]) -> str:
    """SageMaker's own word, and its last message while the job is on its way."""
    secondary = str(told.get("SecondaryStatus") or told.get("TrainingJobStatus") or "")
    transitions = told.get("SecondaryStatusTransitions") or []
    message = str(transitions[-1].get("StatusMessage", "")) if transitions else ""
    return f"{secondary}: {message}" if message and state_of(told) is JobState.STARTING else secondary
