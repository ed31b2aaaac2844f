"""A submitted job as a live object: its attributes are the newest record's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ipymlops.context import Context
from ipymlops.job import Job
from ipymlops.spec import JobId

if TYPE_CHECKING:
    from ipymlops.verbs.results import ArtifactList, JobDetails


class JobHandle:
    """What `job = %mlops train …` gives.

    Reading an attribute reads the store (`job.state`, `job.metrics`, … : every attribute of `Job`); `record` is one
    frozen reading, for several attributes of the same moment.
    """

    def __init__(self, job_id: JobId, context: Context) -> None:
        self._id, self._context = job_id, context

    @property
    def id(self) -> JobId:
        return self._id

    @property
    def record(self) -> Job:
        return self._context.store.get(self._id)

    def refresh(self) -> Job:
        """Ask the platform first, then read."""
        from ipymlops.control.watch import refreshed

        return refreshed(self._context, self.record)

    def wait(self) -> JobHandle:
        """Block until it is final. Raises `JobDidNotSucceed` if it did not succeed."""
        self._run("wait")
        return self

    def follow(self) -> JobHandle:
        """Show the log until it ends; interrupting stops the following, not the job."""
        self._run("logs", options={"follow": True})
        return self

    def stop(self) -> JobHandle:
        self._run("stop")
        return self

    def logs(self, *words: Any, **options: Any) -> None:
        """Print the log; options as of `logs`: `job.logs(tail=3)`, `job.logs(grep="loss")`."""
        self._run("logs", words, options)

    def show(self) -> JobDetails:
        details: JobDetails = self._run("show")
        return details

    def artifacts(self, *words: Any, **options: Any) -> ArtifactList:
        """List its files, or fetch them, as `artifacts` does: `job.artifacts("*.json", to="results")`."""
        files: ArtifactList = self._run("artifacts", words, options)
        return files

    def to_json(self) -> dict[str, Any]:
        return self.record.to_json()

    def _run(self, verb: str, words: Sequence[Any] = (), options: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """The verb for this job, as its Python function takes words and options."""
        from ipymlops.verbs.dispatch import dispatch
        from ipymlops.verbs.keywords import words_of

        return dispatch([verb, *words_of(verb, [self._id, *words], options)], None, self._context)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in Job.__dataclass_fields__ | _DERIVED:
            raise AttributeError(f"a job has no {name!r}")
        return getattr(self.record, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *Job.__dataclass_fields__, *_DERIVED})

    def __repr__(self) -> str:
        job = self.record
        return f"<job {job.number} {job.name!r} on {job.platform}: {job.state.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobHandle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self._id)


_DERIVED: dict[str, Any] = {"is_final": None, "duration_s": None, "cost_usd": None}
"""The properties of `Job` that are worth an attribute."""
