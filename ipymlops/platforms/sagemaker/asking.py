"""The questions of the list, in one region, and what a page of an answer says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.job import Job
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.place import Place, Walk
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_denied
from ipymlops.platforms.sagemaker.reading import OUR_ID, described, job_of, milliseconds
from ipymlops.platforms.sagemaker.reference import Reference, read_reference
from ipymlops.spec import PlatformRef

PAGE = 100

Told = Mapping[str, Any]
Bound = tuple[str, str, int]
"""A filter of Search on a time: name, operator, epoch seconds."""


@dataclass(frozen=True)
class Step:
    """What one page has brought: the place after it, and whether the region is done for this round."""

    place: Place
    jobs: tuple[Job, ...] = ()
    is_done: bool = False
    deleted: tuple[PlatformRef, ...] = ()


@dataclass(frozen=True)
class Page:
    """Rows of an answer; `total` only where Search tells it exactly; `walk` is what follows, `now_s` the service's."""

    rows: tuple[Told, ...]
    walk: Walk
    now_s: int
    total: int | None = None

    @property
    def is_last(self) -> bool:
        return not self.walk.token and self.walk.pages > 0

    @property
    def newest_ms(self) -> int:
        return max((milliseconds(row["LastModifiedTime"]) for row in self.rows if "LastModifiedTime" in row), default=0)


class Asking:
    """Search and List of one region. `known` is read only where it is needed."""

    def __init__(self, aws: Aws, account: str, region: str, known: Iterable[PlatformRef]) -> None:
        self.account, self.region = account, region
        self._aws, self._known = aws, known
        self._priced = aws.having([("region", region)])
        self._failing = f"the training jobs of {region} cannot be listed"

    def search(self, walk: Walk, order: str, since: Bound | None = None, *, size: int = 0) -> Page | None:
        """A page of Search, the newest by `order` first; None where it is not allowed. `size` 0: a whole page."""

        def request(walk: Walk) -> dict[str, Any]:
            before = None if walk.before_s is None else ("CreationTime", "LessThanOrEqualTo", walk.before_s)
            filters = [
                {"Name": name, "Operator": operator, "Value": _iso(value)}
                for name, operator, value in filter(None, (since, before))
            ]
            told = {"Resource": "TrainingJob", "MaxResults": size or PAGE, "SortBy": order, "SortOrder": "Descending"}
            return {**told, "SearchExpression": {"Filters": filters}} if filters else told

        with answers(self._failing):
            try:
                answer, walk = self._answered("search", request, walk)
            except ClientError as error:
                if is_denied(error):
                    return None
                raise
        hits = answer.get("TotalHits", {})
        total = hits.get("Value") if hits.get("Relation") == "EqualTo" else None
        rows = tuple(result["TrainingJob"] for result in answer["Results"])
        return _page_of(answer, rows, walk, total, is_by_creation=order == "CreationTime")

    def list(self, walk: Walk, *, after_s: int | None = None) -> Page:
        """A page of names and states of jobs created since then, the newest first."""

        def request(walk: Walk) -> dict[str, Any]:
            bounds = {"CreationTimeAfter": after_s, "CreationTimeBefore": walk.before_s}
            told = {name: _moment(value) for name, value in bounds.items() if value is not None}
            return {"MaxResults": PAGE, "SortBy": "CreationTime", "SortOrder": "Descending", **told}

        with answers(self._failing):
            answer, walk = self._answered("list_training_jobs", request, walk)
        return _page_of(answer, tuple(answer["TrainingJobSummaries"]), walk, None, is_by_creation=True)

    def job(self, told: Told) -> Job:
        """A description, a row of Search, or one of List: there our own jobs show only by their names."""
        tail = str(told["TrainingJobName"]).rpartition("-")[2]
        if "Environment" not in told and "RoleArn" not in told and OUR_ID.fullmatch(tail):
            told = {**told, "Environment": {"IPYMLOPS_JOB_ID": tail}}
        return job_of(self._priced, told, told.get("Tags", ()))

    def described(self, reference: Reference) -> Told | None:
        return described(self._aws, reference)

    def known(self) -> Iterator[Reference]:
        """The recorded jobs of this account and region."""
        for ref in self._known:
            reference = read_reference(ref)
            if (reference.account, reference.region) == (self.account, self.region):
                yield reference

    def _answered(
        self, operation: str, request: Callable[[Walk], dict[str, Any]], walk: Walk
    ) -> tuple[dict[str, Any], Walk]:
        """The answer, and the walk that was asked for: where its token is no longer taken, it goes on without."""
        call = getattr(self._aws.client("sagemaker", self.region), operation)
        try:
            return call(**request(walk), **({"NextToken": walk.token} if walk.token else {})), walk
        except ClientError as error:
            if not walk.token or code_of(error) != "Validation":
                raise
        walk = walk.anew()
        return call(**request(walk)), walk


def _page_of(answer: Told, rows: tuple[Told, ...], walk: Walk, total: int | None, *, is_by_creation: bool) -> Page:
    created = [math.ceil(row["CreationTime"].timestamp()) for row in rows] if is_by_creation else []
    after = walk.on(answer.get("NextToken", ""), min(created, default=None))
    return Page(rows, after, _service_now_s(answer), total if not walk.is_begun else None)


def _service_now_s(answer: Told) -> int:
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(timezone.utc)
    return int(now.timestamp())


def _moment(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, timezone.utc)


def _iso(epoch_s: int) -> str:
    return _moment(epoch_s).strftime("%Y-%m-%dT%H:%M:%SZ")
