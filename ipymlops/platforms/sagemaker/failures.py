"""Why a training job failed, in the words of whoever has to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import alternatives
from ipymlops.platforms.sagemaker.choosing import told as machine_told
from ipymlops.platforms.sagemaker.reading import id_of, machine_of
from ipymlops.platforms.sagemaker.states import exit_code_of, failure_word

DOCTOR = "ipymlops doctor sagemaker"


class Explained(NamedTuple):
    """`fix` "": the end of the log says more."""

    what: str
    fix: str = ""


BUS_ERROR = Explained(
    "shared memory (/dev/shm) ran out, mostly through a data loader's workers",
    'torch.multiprocessing.set_sharing_strategy("file_system"), or fewer workers',
)
TEXTS = {
    "no space left": Explained(
        "a disk is full, mostly the small root disk, where caches and packages go",
        "write below /tmp or IPYMLOPS_OUTPUT_DIR, or ask for a larger disk: --set volume_gib=200",
    ),
    "bus error": BUS_ERROR,
    "cannotpullcontainer": Explained("the image could not be fetched", DOCTOR),
    "cannot pull": Explained("the image could not be fetched", DOCTOR),
    "does not have permission": Explained("the execution role lacks a right", DOCTOR),
    "access denied": Explained("the execution role lacks a right", DOCTOR),
    "exec format error": Explained("the image is built for another processor than the machine's", "--image IMAGE"),
}
"""By what SageMaker writes; it explains a failure, and decides nothing."""
EXIT_CODES = {
    126: Explained("a command in the image may not be executed"),
    127: Explained("a command was not found in the image", DOCTOR),
    135: BUS_ERROR,
    137: Explained("the container was killed, mostly because memory ran out", "--machine TYPE with more memory"),
    139: Explained("native code touched memory that is not its own (SIGSEGV)"),
}
KINDS = {
    "algorithmerror": Explained("the container failed"),
    "clienterror": Explained("SageMaker could not do what the job asks for", DOCTOR),
    "internalservererror": Explained("SageMaker had an error of its own", "run the line again"),
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


def _explained(told: Mapping[str, Any], reason: str) -> Explained:
    by_text = (one for text, one in TEXTS.items() if text in reason.lower())
    by_kind = EXIT_CODES.get(exit_code_of(told) or 0) or KINDS.get(failure_word(told))
    return next(by_text, by_kind or Explained("the training job failed"))


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
