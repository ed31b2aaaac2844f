"""How far a log has been read: for each stream the service's token, and how many events it has given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ipymlops.errors import PlatformProblem


@dataclass(frozen=True)
class Mark:
    """One stream: `token` is "" at its head; `count` events came so far; `is_over`: a later start's stream follows."""

    token: str = ""
    count: int = 0
    is_over: bool = False


@dataclass(frozen=True)
class Cursor:
    """All streams, and how many polls since the job's end brought nothing."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    quiet: int = 0

    def mark(self, stream: str) -> Mark:
        return self.marks.get(stream, Mark())

    def __str__(self) -> str:
        rows = {stream: [one.token, one.count, int(one.is_over)] for stream, one in self.marks.items()}
        return json.dumps({"streams": rows, "quiet": self.quiet}, separators=(",", ":"))


def read_cursor(text: str) -> Cursor:
    """Raises `PlatformProblem` for what is none of ours."""
    if not text:
        return Cursor()
    try:
        told = json.loads(text)
        marks = {str(stream): _mark(*row) for stream, row in told["streams"].items()}
        return Cursor(marks, int(told["quiet"]))
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        what = "this is no place in a log of SageMaker"
        raise PlatformProblem(what, why=f"{text[:80]!r}", fix="read the log from its beginning") from problem


def _mark(token: object, count: object, is_over: object) -> Mark:
    if not isinstance(token, str) or not isinstance(count, int):
        raise TypeError("a token is text, and a count is a number")
    return Mark(token, count, bool(is_over))
