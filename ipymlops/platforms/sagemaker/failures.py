"""Why a training job failed, in the words of whoever has to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import alternatives, price_text
from ipymlops.platforms.sagemaker.reading import machine_of
from ipymlops.platforms.sagemaker.states import exit_code_of, failure_word

EXIT_CODES = {
    127: ("a command was not found", "see the end of the log: the image lacks a program"),
    137: ("it was killed, mostly because memory ran out", "take a machine with more memory: --machine TYPE"),
    139: ("native code touched memory that is not its own (SIGSEGV)", "see the end of the log"),
}
TEXTS = (
    ("No space left", "a disk is full, mostly the small root disk", "--set volume_gib=200, and write below /tmp"),
    ("Bus error", "shared memory (/dev/shm) ran out", "use fewer data loader workers"),
    ("CannotPullContainer", "the image could not be fetched", "ipymlops doctor sagemaker"),
    ("does not have permissions", "the execution role lacks a right", "ipymlops doctor sagemaker"),
)


def failure_of(aws: Aws, told: Mapping[str, Any]) -> dict[str, Any] | None:
    """{what, why, fix} of a failed job, by SageMaker's reason; None where it gives none."""
    reason = str(told.get("FailureReason") or "")
    if not reason:
        return None
    if failure_word(told) == "capacityerror":
        return _no_capacity(aws, told, reason)
    code = exit_code_of(told)
    if code in EXIT_CODES:
        why, fix = EXIT_CODES[code]
        return {"what": f"the container ended with exit code {code}", "why": f"{why}; {reason}", "fix": fix}
    for text, why, fix in TEXTS:
        if text in reason:
            return {"what": why, "why": reason, "fix": fix}
    return {"what": _what(told), "why": reason, "fix": _fix(told)}


def ran_nothing() -> dict[str, Any]:
    return {
        "what": "the container ended without having run the script",
        "why": "SageMaker calls it completed, but the launcher left no result of this attempt",
        "fix": "ipymlops doctor sagemaker",
    }


def _no_capacity(aws: Aws, told: Mapping[str, Any], reason: str) -> dict[str, Any]:
    machine, _ = machine_of(aws, told)
    others = [f"{option} ({one.machine_type}, {price_text(one)})" for option, one in alternatives(aws, machine)]
    what = f"AWS has no {machine.machine_type} free in this region now"
    first = alternatives(aws, machine)
    fix = first[0][0] if first else "run the line again later"
    return {"what": what, "why": f"{reason}; others, in order: {'; '.join(others) or 'none'}", "fix": fix}


def _what(told: Mapping[str, Any]) -> str:
    return {
        "clienterror": "SageMaker could not do what the job asks for",
        "internalservererror": "SageMaker had an error of its own",
        "algorithmerror": "the container failed",
    }.get(failure_word(told), "the training job failed")


def _fix(told: Mapping[str, Any]) -> str:
    return {"clienterror": "ipymlops doctor sagemaker", "internalservererror": "run the line again"}.get(
        failure_word(told), "see the end of the log"
    )
