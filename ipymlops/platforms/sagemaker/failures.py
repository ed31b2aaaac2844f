"""Why a training job failed, in the words of whoever has to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import alternatives
from ipymlops.platforms.sagemaker.choosing import told as machine_told
from ipymlops.platforms.sagemaker.reading import id_of, machine_of
from ipymlops.platforms.sagemaker.states import exit_code_of, failure_word
from ipymlops.runtime.places.sagemaker_causes import Cause, cause_of

DOCTOR = "ipymlops doctor sagemaker"


TEXTS = {
    "cannotpullcontainer": Cause("the image could not be fetched", DOCTOR),
    "cannot pull": Cause("the image could not be fetched", DOCTOR),
    "does not have permission": Cause("the execution role lacks a right", DOCTOR),
    "access denied": Cause("the execution role lacks a right", DOCTOR),
    "exec format error": Cause("the image is built for another processor than the machine's", "--image IMAGE"),
}
"""By what SageMaker writes where no launcher has begun; it explains a failure, and decides nothing."""
EXIT_CODES = {
    126: Cause("a command in the image may not be executed"),
    139: Cause("native code touched memory that is not its own (SIGSEGV)"),
}
KINDS = {
    "algorithmerror": Cause("the container failed"),
    "clienterror": Cause("SageMaker could not do what the job asks for", DOCTOR),
    "internalservererror": Cause("SageMaker had an error of its own", "run the line again"),
}


def failure_of(aws: Aws, told: Mapping[str, Any]) -> dict[str, Any] | None:
    """{what, why, fix} of a failed job, by SageMaker's reason; None where it gives none."""
    reason = str(told.get("FailureReason") or "")
    if not reason:
        return None
    if failure_word(told) == "capacityerror":
        return _no_capacity(aws, told, reason)
    what, fix = _explained(told, reason)
    return {"what": what, "why": reason, "fix": fix or f"ipymlops logs {id_of(told)} --tail 50"}


def ran_nothing(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "what": "the container ended without having run the script",
        "why": "SageMaker calls the job completed, but the launcher left no result of its last attempt",
        "fix": f"ipymlops logs {id_of(told)} --tail 50",
    }


def ended_while_delivering(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "what": "the script succeeded, but the job failed while its files were delivered",
        "why": str(told.get("FailureReason") or "SageMaker gives no reason"),
        "fix": f"ipymlops artifacts {id_of(told)}",
    }


def _explained(told: Mapping[str, Any], reason: str) -> Cause:
    """What the launcher would say of it first, then what only SageMaker can know."""
    code = exit_code_of(told)
    by_text = (one for text, one in TEXTS.items() if text in reason.lower())
    by_kind = EXIT_CODES.get(code or 0) or KINDS.get(failure_word(told))
    return cause_of(code, reason.encode(errors="replace")) or next(by_text, by_kind or Cause("the training job failed"))


def _no_capacity(aws: Aws, told: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """With what else could be asked for, in order."""
    machine, _ = machine_of(aws, told)
    others = alternatives(aws, machine)
    named = "; ".join(f"{option} ({machine_told(one)})" for option, one in others)
    return {
        "what": f"AWS has no {machine.machine_type} free now",
        "why": f"{reason}{f' In order of nearness: {named}' if named else ''}",
        "fix": others[0][0] if others else "run the line again later",
    }
