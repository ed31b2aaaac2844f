"""How far a log has been read, as one line of JSON whose size does not grow with the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ipymlops.errors import PlatformProblem


@dataclass(frozen=True)
class Mark:
    """One stream.

    Attributes:
        token: The service's, of what comes next; "" where there is none yet, or none any more.
        at_ms: The time of the latest event so far, and `given` are how many came of that time.
        lines: So many events were the end of a line.
        skip: So many events of that time have been given before, and come next.
        is_over: A later start's stream follows, and nothing came of this one for a while.
    """

    token: str = ""
    at_ms: int = 0
    given: int = 0
    lines: int = 0
    skip: int = 0
    is_over: bool = False

    def by_time(self) -> Mark:
        """The same place without the token: nothing is counted from the head, which may have been removed."""
        return replace(self, token="", skip=self.given)


@dataclass(frozen=True)
class Sweep:
    """A way through all streams at once, by time; each begins a while before the end of the one before.

    Attributes:
        token: Of its next page; "" before its first one.
        start_ms, newest_ms: Where it began; the latest event seen by any.
        floor_ms: What is older is not read again, as not all of it is in `seen`.
        seen: (milliseconds, short name) of the events that were given and may come again.
    """

    token: str = ""
    start_ms: int = 0
    newest_ms: int = 0
    floor_ms: int = 0
    seen: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Cursor:
    """All streams by their short names, and how many polls since the job's end brought nothing."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    sweep: Sweep = Sweep()
    quiet: int = 0

    def mark(self, stream: str) -> Mark:
        return self.marks.get(stream, Mark())

    def __str__(self) -> str:
        rows = {
            stream: [one.token, one.at_ms, one.given, one.lines, one.skip, int(one.is_over)]
            for stream, one in self.marks.items()
        }
        told = {"streams": rows, "sweep": list(asdict(self.sweep).values()), "quiet": self.quiet}
        return json.dumps(told, separators=(",", ":"))


def read_cursor(text: str) -> Cursor:
    """Raises `PlatformProblem` for what is none of ours."""
    if not text:
        return Cursor()
    try:
        told = json.loads(text)
        marks = {str(stream): _mark(*row) for stream, row in told["streams"].items()}
        return Cursor(marks, _sweep(*told["sweep"]), int(told["quiet"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        what = "this is no place in a log of SageMaker"
        raise PlatformProblem(what, why=f"{text[:80]!r}", fix="read the log from its beginning") from problem


def _mark(token: Any, *rest: Any) -> Mark:
    at_ms, given, lines, skip, is_over = rest
    return Mark(_text(token), int(at_ms), int(given), int(lines), int(skip), bool(is_over))


def _sweep(token: Any, start: Any, newest: Any, floor: Any, seen: Any) -> Sweep:
    return Sweep(_text(token), int(start), int(newest), int(floor), tuple((int(at), _text(one)) for at, one in seen))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a token is text")
    return value
