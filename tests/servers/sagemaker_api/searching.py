"""Search over training jobs: filters, order, pages and the total."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.servers.sagemaker_api.answers import invalid
from tests.servers.sagemaker_api.describing import searched
from tests.servers.sagemaker_api.listing import Pages, epoch
from tests.servers.sagemaker_api.record import TrainingJobRecord

PAGE = 100
MOST = 20
_FIELDS: dict[str, Callable[[TrainingJobRecord], Any]] = {
    "TrainingJobName": lambda job: job.name,
    "TrainingJobArn": lambda job: job.arn,
    "TrainingJobStatus": lambda job: job.status,
    "SecondaryStatus": lambda job: job.secondary,
    "CreationTime": lambda job: job.created_at,
    "LastModifiedTime": lambda job: job.modified_at,
    "TrainingStartTime": lambda job: job.training_started_at,
    "TrainingEndTime": lambda job: job.training_ended_at,
    "FailureReason": lambda job: job.failure_reason or None,
    "TrainingTimeInSeconds": lambda job: job.training_s,
    "BillableTimeInSeconds": lambda job: job.billable_s,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda mine, other: bool(mine == other),
    "NotEquals": lambda mine, other: bool(mine != other),
    "GreaterThan": lambda mine, other: bool(mine > other),
    "GreaterThanOrEqualTo": lambda mine, other: bool(mine >= other),
    "LessThan": lambda mine, other: bool(mine < other),
    "LessThanOrEqualTo": lambda mine, other: bool(mine <= other),
    "Contains": lambda mine, other: str(other) in str(mine),
    "In": lambda mine, other: str(mine) in str(other).split(","),
}


def found(jobs: Iterable[TrainingJobRecord], told: Mapping[str, Any], pages: Pages) -> dict[str, Any]:
    """One page, newest change first unless another order is asked for."""
    if told["Resource"] != "TrainingJob":
        raise invalid(f"Search of {told['Resource']} is not served here.")
    expression = told.get("SearchExpression", {})
    _check(expression)
    page, total, next_token = pages.cut(told, PAGE, lambda: _ordered(jobs, expression, told))
    results = [{"TrainingJob": searched(job)} for job in page]
    return {"Results": results, "TotalHits": {"Value": total, "Relation": "EqualTo"}, **next_token}


def _ordered(
    jobs: Iterable[TrainingJobRecord], expression: Mapping[str, Any], told: Mapping[str, Any]
) -> list[TrainingJobRecord]:
    order, is_down = told.get("SortBy", "LastModifiedTime"), told.get("SortOrder", "Descending") == "Descending"
    hits = [job for job in jobs if _is_hit(job, expression)] if expression else list(jobs)
    have = [job for job in hits if value_of(job, order) is not None]
    have.sort(key=lambda job: value_of(job, order), reverse=is_down)
    lack = [job for job in hits if value_of(job, order) is None]
    return have + lack if is_down else lack + have


def value_of(job: TrainingJobRecord, name: str) -> Any:
    """What a filter's name means: its own words, a tag, a metric, or a path into the request; None: not there."""
    if name in _FIELDS:
        return _FIELDS[name](job)
    head, _, rest = name.partition(".")
    if head == "Tags":
        return job.tags.get(rest)
    if head == "Metrics":
        return next((value for metric, value, _ in reversed(job.metrics) if metric == rest), None)
    if head in ("HyperParameters", "Environment"):
        return job.request.get(head, {}).get(rest)
    return _into(job.request, name.split("."))


def _into(value: Any, path: list[str]) -> Any:
    """Lists are looked through: the first of their members that has it."""
    if isinstance(value, list):
        return next((one for one in (_into(member, path) for member in value) if one is not None), None)
    if not path:
        return value
    return _into(value.get(path[0]), path[1:]) if isinstance(value, dict) else None


def _check(expression: Mapping[str, Any]) -> None:
    filters, inner = expression.get("Filters", []), expression.get("SubExpressions", [])
    if len(filters) > MOST or len(inner) > MOST:
        raise invalid(f"A search expression has at most {MOST} filters and {MOST} sub-expressions.")
    if sum(one.get("Operator") == "Contains" for one in filters) > 1:
        raise invalid("The Contains operator can be used only once in a search expression.")
    for one in inner:
        _check(one)


def _is_hit(job: TrainingJobRecord, expression: Mapping[str, Any]) -> bool:
    parts = [_passes(job, one) for one in expression.get("Filters", [])]
    parts += [_is_hit(job, one) for one in expression.get("SubExpressions", [])]
    return not parts or (any(parts) if expression.get("Operator") == "Or" else all(parts))


def _passes(job: TrainingJobRecord, one: Mapping[str, Any]) -> bool:
    mine, operator = value_of(job, one["Name"]), one.get("Operator", "Equals")
    if operator in ("Exists", "NotExists"):
        return (mine is not None) == (operator == "Exists")
    if mine is None:
        return bool(operator == "NotEquals")
    return _COMPARISONS[operator](mine, _like(mine, one.get("Value", ""), operator))


def _like(mine: Any, text: str, operator: str) -> Any:
    """The filter's text as the type that it is compared with."""
    if operator in ("Contains", "In") or isinstance(mine, str):
        return text
    try:
        return epoch(text) if "-" in text else float(text)
    except ValueError:
        raise invalid(f"Invalid value '{text}' in a filter of the search expression.") from None
