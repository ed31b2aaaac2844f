"""ListTrainingJobs: some filters work before the page is cut and some after it, so that pages may be empty."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.servers.sagemaker_api.answers import ServiceError, invalid
from tests.servers.sagemaker_api.describing import row
from tests.servers.sagemaker_api.record import TrainingJobRecord

PAGE = 10
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


def listed(jobs: Iterable[TrainingJobRecord], told: Mapping[str, Any]) -> dict[str, Any]:
    """One page."""
    key = _KEYS[told.get("SortBy", "CreationTime")]
    found = [job for job in jobs if _is_before_the_cut(job, told)]
    found.sort(key=lambda job: (key(job), job.name), reverse=told.get("SortOrder", "Ascending") == "Descending")
    size, after = told.get("MaxResults", PAGE), told.get("NextToken")
    start = _after(found, key, after, is_down=told.get("SortOrder") == "Descending") if after else 0
    cut = found[start : start + size]
    answer: dict[str, Any] = {"TrainingJobSummaries": [row(job) for job in cut if _is_after_the_cut(job, told)]}
    if start + size < len(found):
        answer["NextToken"] = token([key(cut[-1]), cut[-1].name])
    return answer


def token(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def read_token(text: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        raise invalid("Invalid NextToken provided. Please restart pagination without a token.") from None


def epoch(value: Any) -> float:
    """A time of a request: seconds, or its text."""
    return float(value) if not isinstance(value, str) else datetime.fromisoformat(value).timestamp()


def _after(found: list[TrainingJobRecord], key: Callable[..., Any], text: str, *, is_down: bool) -> int:
    value, name = read_token(text)
    for place, job in enumerate(found):
        mine = (key(job), job.name)
        if mine < (value, name) if is_down else mine > (value, name):
            return place
    return len(found)


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
        and "WarmPoolStatusEquals" not in told
        and "TrainingPlanArnEquals" not in told
    )
