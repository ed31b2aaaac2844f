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
KILLED = 137
REASONS = {
    "capacityerror": EndReason.OUT_OF_CAPACITY,
    "clienterror": EndReason.PLATFORM_ERROR,
    "internalservererror": EndReason.PLATFORM_ERROR,
}
_EXIT_CODE = re.compile(r"exit\s*code:?\s*(\d{1,3})\b", re.IGNORECASE)


def state_of(told: Mapping[str, Any]) -> JobState:
    status, secondary = str(told.get("TrainingJobStatus", "")), str(told.get("SecondaryStatus", ""))
    if status != "InProgress":
        return STATES.get(status, JobState.UNKNOWN)
    if secondary in RUNNING:
        return JobState.RUNNING
    return JobState.STARTING if secondary in BEFORE else JobState.UNKNOWN


def end_reason_of(told: Mapping[str, Any]) -> EndReason | None:
    """Why it ended, as far as SageMaker tells; None while it runs, and for success."""
    state, word, code = state_of(told), failure_word(told), exit_code_of(told)
    if state is JobState.STOPPED:
        return EndReason.TIMEOUT if told.get("SecondaryStatus") in TIMEOUTS else EndReason.USER
    if state is not JobState.FAILED:
        return None
    if word in REASONS:
        return REASONS[word]
    if code is None and word != "algorithmerror":
        return EndReason.PREEMPTED if _was_interrupted(told) else EndReason.PLATFORM_ERROR
    return EndReason.OUT_OF_MEMORY if code == KILLED else EndReason.EXIT_CODE


def failure_word(told: Mapping[str, Any]) -> str:
    """What stands before the first colon of the reason, in small letters."""
    return str(told.get("FailureReason", "")).partition(":")[0].strip().lower()


def exit_code_of(told: Mapping[str, Any]) -> int | None:
    """0 for success; else the code in the reason: the last one named, as a script's own words may name others."""
    if state_of(told) is JobState.SUCCEEDED:
        return 0
    found = _EXIT_CODE.findall(str(told.get("FailureReason", "")))
    return int(found[-1]) if found else None


def detail_of(told: Mapping[str, Any]) -> str:
    """SageMaker's own word, and its last message while something other than the script keeps the job busy."""
    secondary = str(told.get("SecondaryStatus") or told.get("TrainingJobStatus") or "")
    if state_of(told).is_final or secondary == "Training":
        return secondary
    transitions = told.get("SecondaryStatusTransitions") or [{}]
    message = str(transitions[-1].get("StatusMessage", ""))
    return f"{secondary}: {message}" if message else secondary


def _was_interrupted(told: Mapping[str, Any]) -> bool:
    """Whether it was without a machine when it ended."""
    passed = [str(one.get("Status")) for one in told.get("SecondaryStatusTransitions") or ()][:-1]
    last = next((word for word in reversed(passed) if word in {"Interrupted", "Training"}), "")
    return last == "Interrupted"
