"""How a training job is found again: its ARN, with its own name, and with its creation where the name may be reused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ipymlops.errors import PlatformProblem
from ipymlops.spec import PlatformRef

_FORM = re.compile(
    r"arn:(?P<partition>[^:]+):sagemaker:(?P<region>[^:]+):(?P<account>\d*):training-job/(?P<name>[^#]+)(?:#(?P<created_ms>\d+))?"
)


@dataclass(frozen=True)
class Reference:
    """One training job.

    Attributes:
        name: As given at its creation (the service writes it in lower case into its own ARNs).
        created_ms: Epoch milliseconds of its creation, in whole seconds; None for ours: their names hold a random id.
    """

    partition: str
    region: str
    account: str
    name: str
    created_ms: int | None = None

    def __str__(self) -> str:
        created = "" if self.created_ms is None else f"#{self.created_ms}"
        return f"{self.arn}{created}"

    @property
    def created_s(self) -> int | None:
        return None if self.created_ms is None else self.created_ms // 1000

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:sagemaker:{self.region}:{self.account}:training-job/{self.name}"

    @property
    def ref(self) -> PlatformRef:
        return PlatformRef(str(self))


def read_reference(ref: PlatformRef) -> Reference:
    """Raises `PlatformProblem` for what is no reference of ours."""
    found = _FORM.fullmatch(ref)
    if found is None:
        raise PlatformProblem(f"{ref!r} names no training job of SageMaker", fix="ipymlops jobs platform:sagemaker")
    created = found["created_ms"]
    return Reference(
        found["partition"], found["region"], found["account"], found["name"], int(created) if created else None
    )
