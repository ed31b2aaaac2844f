"""What every platform promises. Each line of the prose is checked by a test of `ipymlops.testing.platform_contract`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from ipymlops.job import Artifact, JobStatus, LogPage
from ipymlops.spec import CodeArchive, JobId, JobSpec, Plan, PlatformRef


@dataclass(frozen=True)
class Check:
    """One thing `doctor` looked at; `id` never changes, so scripts may test it."""

    id: str
    status: Literal["ok", "warn", "fail", "unknown"]
    what: str
    why: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        return {"id": self.id, "status": self.status, "what": self.what, "why": self.why, "fix": self.fix}


@dataclass(frozen=True)
class PlatformContext:
    """What a platform is made from: nothing here is read from the process later on.

    Attributes:
        home: IPYMLOPS_HOME; a platform of this machine keeps a job below `home/local/<id>/`.
        settings: The platform's own settings (`[tool.ipymlops.<platform>]` and their variables), already merged.
        env: The caller's environment, for credentials and secrets.
    """

    home: Path
    settings: Mapping[str, str]
    env: Mapping[str, str]


class Platform(ABC):
    """A place that runs one container, or one process, per job.

    - No method waits: one round trip each. Polling belongs to `control.watch`. No answer is `Unreachable`.
    - `plan` and `preflight` start nothing. `plan` refuses what the platform cannot do, before anything is recorded.
    - `submit` is idempotent in `job_id`: a retry returns the first reference and starts nothing; `find` only looks.
    - A native state we do not know is `JobState.UNKNOWN`, its word in `detail`; never guessed.
    - A job that the platform no longer knows, or whose folder was deleted, is `UNKNOWN` with `is_gone`. Stopping it
      does nothing; its `logs`, `artifacts` and `fetch` are a `PlatformProblem` that says so.
    - `logs` resumes: handing back `LogPage.cursor` neither repeats nor skips a line.
    - `stop` on a finished job does nothing but let go of a machine that is kept for the next one.
    - A reference outlives the process that made it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    options: ClassVar[frozenset[str]]
    """The fields of `JobSpec` that may differ from their default; any other is refused by its option's name."""
    is_here: ClassVar[bool] = False
    """Its jobs run on this machine: cheap to ask, so it is asked often, and only this machine can start them."""

    def __init__(self, context: PlatformContext) -> None:
        self.context = context

    @abstractmethod
    def has_gpu(self, gpu: str) -> bool:
        """Whether this platform has what `--gpu` asks for; never waits for the network."""

    @abstractmethod
    def plan(self, spec: JobSpec) -> Plan:
        """What `submit` would start; needs no sign-in where none is needed. Raises `UsageProblem` and others."""

    @abstractmethod
    def preflight(self, spec: JobSpec, plan: Plan) -> None:
        """Raise if the platform cannot be reached or the caller is not signed in."""

    def pinned(self, spec: JobSpec, plan: Plan) -> Plan:  # noqa: ARG002 - for those that have such names
        """The plan with names that may mean something else tomorrow, a tag, replaced by what they mean now.

        Called for every plan, signed in or not: raises nothing and waits little, and says in a note what it cannot see.
        """
        return plan

    @abstractmethod
    def submit(self, job_id: JobId, name: str, spec: JobSpec, code: CodeArchive | None, plan: Plan) -> PlatformRef:
        """Start the job; raises `QuotaExceeded` if the account may not, with nothing started."""

    @abstractmethod
    def find(self, job_id: JobId, name: str, spec: JobSpec, plan: Plan) -> PlatformRef | None:
        """The reference of what an earlier `submit` has started, None if it has started nothing; starts nothing itself.

        Raises: `Unreachable` for whatever keeps us from knowing, other credentials than the submit's too.
        """

    @abstractmethod
    def status(self, ref: PlatformRef) -> JobStatus: ...

    @abstractmethod
    def logs(self, ref: PlatformRef, cursor: str = "") -> LogPage:
        """The next lines, at most a few thousand; an empty page before the end means: nothing new yet."""

    def last_output_at(self, ref: PlatformRef) -> datetime | None:  # noqa: ARG002 - for those who know
        """When the job last wrote to its log; None where the platform cannot tell without reading it."""
        return None

    @abstractmethod
    def stop(self, ref: PlatformRef) -> None: ...

    @abstractmethod
    def artifacts(self, ref: PlatformRef) -> Iterable[Artifact]: ...

    @abstractmethod
    def fetch(self, ref: PlatformRef, path: str, to: Path) -> None:
        """Write one artifact to the new file `to`; raises `PlatformProblem` if there is none of that path."""

    def fetch_telling(
        self,
        ref: PlatformRef,
        path: str,
        to: Path,
        progress: Callable[[int], object],  # noqa: ARG002 - for those that are far
    ) -> None:
        """The same, telling of the bytes as they come, from any thread; what `progress` raises ends it.

        What a broken fetch has brought may stay beside `to`, in hidden files, for the next one to go on from.
        """
        self.fetch(ref, path, to)

    @abstractmethod
    def metrics(self, ref: PlatformRef) -> Iterator[Mapping[str, Any]]:
        """The metric records in the order they were written: `{"step": 3, "val_loss": 0.21}`."""

    @abstractmethod
    def checks(self, spec: JobSpec | None = None) -> Iterator[Check]:
        """What `doctor` should know; changes nothing.

        Args:
            spec: A job whose machine is looked at too, for platforms that rent one.
        """
