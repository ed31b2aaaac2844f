"""ListTrainingJobs: some filters work before the page is cut and some after it, so that pages may be empty."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.servers.sagemaker_api.answers import ServiceError, invalid
from tests.servers.sagemaker_api.describing import row
from tests.servers.sagemaker_api.record import TrainingJobRecord

PAGE = 10
KEPT = 100
BAD_TOKEN = "Invalid NextToken provided. Please restart pagination without a token."
_KEYS: dict[str, Callable[[TrainingJobRecord], Any]] = {
    "Name": lambda job: job.name,
    "CreationTime": lambda job: job.created_at,
    "Status": lambda job: job.status,
}


class Rate:
    """Calls a second that one region has for List and Search together."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._left: dict[tuple[str, float], tuple[float, float]] = {}

    def take(self, region: str, per_second: float | None) -> None:
        """Raise ThrottlingException where they are used up."""
        if per_second is None:
            return
        most = max(1.0, per_second)
        with self._guard:
            now = time.monotonic()
            left, at = self._left.get((region, per_second), (most, now))
            left = min(most, left + (now - at) * per_second)
            self._left[region, per_second] = (left - (left >= 1), now)
        if left < 1:
            raise ServiceError("ThrottlingException", "Rate exceeded")


class Pages:
    """Ordered results whose later pages may still be asked for; the oldest are forgotten, and their tokens with them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: OrderedDict[str, list[TrainingJobRecord]] = OrderedDict()

    def cut(
        self, told: Mapping[str, Any], default: int, order: Callable[[], list[TrainingJobRecord]]
    ) -> tuple[list[TrainingJobRecord], int, dict[str, str]]:
        """One page, how many there are in all, and the token of the next page, if there is one.

        Args:
            default: How many a page has where the request does not say.
            order: Finds and sorts all of them; called for a first page only.
        """
        name, start = read_token(told["NextToken"]) if told.get("NextToken") else (uuid.uuid4().hex, 0)
        found = self._of(name) if start else order()
        end = start + told.get("MaxResults", default)
        if end >= len(found):
            return found[start:], len(found), {}
        with self._guard:
            self._kept[name] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found[start:end], len(found), {"NextToken": token([name, end])}

    def _of(self, name: str) -> list[TrainingJobRecord]:
        with self._guard:
            if name not in self._kept:
                raise invalid(BAD_TOKEN)
            return self._kept[name]


def listed(jobs: Iterable[TrainingJobRecord], told: Mapping[str, Any], pages: Pages) -> dict[str, Any]:
    """One page."""

    def order() -> list[TrainingJobRecord]:
        key = _KEYS[told.get("SortBy", "CreationTime")]
        found = [job for job in jobs if _is_before_the_cut(job, told)]
        return sorted(found, key=key, reverse=told.get("SortOrder", "Ascending") == "Descending")

    page, _, next_token = pages.cut(told, PAGE, order)
    rows = [row(job) for job in page if not job.is_deleted and _is_after_the_cut(job, told)]
    return {"TrainingJobSummaries": rows, **next_token}


def token(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def read_token(text: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        raise invalid(BAD_TOKEN) from None


def epoch(value: Any) -> float:
    """A time of a request: seconds, or its text."""
    return float(value) if not isinstance(value, str) else datetime.fromisoformat(value).timestamp()


def _is_before_the_cut(job: TrainingJobRecord, told: Mapping[str, Any]) -> bool:
    return (
        told.get("NameContains", "").lower() in job.name.lower()
        and ("CreationTimeAfter" not in told or job.created_at >= epoch(told["CreationTimeAfter"]))
        and ("CreationTimeBefore" not in told or job.created_at <= epoch(told["CreationTimeBefore"]))
    )


def _is_after_the_cut(job: TrainingJobRecord, told: Mapping[str, Any]) -> bool:
    return (
        told.get("StatusEquals", job.status) == job.status
        and ("LastModifiedTimeAfter" not in told or job.modified_at >= epoch(told["LastModifiedTimeAfter"]))
        and ("LastModifiedTimeBefore" not in told or job.modified_at <= epoch(told["LastModifiedTimeBefore"]))
        and told.get("WarmPoolStatusEquals") in (None, (job.pool or {}).get("Status"))
        and "TrainingPlanArnEquals" not in told
    )
