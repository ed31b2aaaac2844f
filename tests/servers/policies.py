"""As much of IAM as a test needs: whether a policy allows what was done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any


def refused(document: Mapping[str, Any], used: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The (action, ARN) that no statement allows."""
    return {
        (action, arn) for action, arn in used if not any(_allows(one, action, arn) for one in document["Statement"])
    }


def unused(document: Mapping[str, Any], used: Iterable[tuple[str, str]]) -> set[str]:
    """The actions that nobody needed."""
    done = {action for action, _ in used}
    return {action for one in document["Statement"] for action in _many(one["Action"])} - done


def _allows(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    assert statement["Effect"] == "Allow"
    is_there = any(fnmatchcase(arn, pattern) for pattern in _many(statement["Resource"]))
    return action in _many(statement["Action"]) and is_there


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
