"""Metrics: the lines of the metrics file, and what `--metric NAME=REGEX` finds in the log."""

from __future__ import annotations

import json
import math
import os
import re
import signal
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Pattern, Tuple

MAX_LINE_BYTES = 1 << 20
LIMIT_S = 0.5
MAX_OVERRUNS = 3
MAX_WAITING = 10_000
STEP = "step"
"""The one name in a record that is no metric: where on the axis it stands."""

_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_NUMBER = re.compile(
    r"[\s(\[{'\"]*([-+]?(?:(?:infinity|inf|nan)(?!\w)|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?))", re.IGNORECASE
)


def records(path: str) -> Iterator[Dict[str, Any]]:
    """The records of a metrics file in their order; what is no whole JSON object is passed over.

    Numbers are numbers, also nan and infinities that were written as strings. Lines over 1 MB are passed over.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return
    with file:
        yield from records_of(file)


def records_of(file: BinaryIO) -> Iterator[Dict[str, Any]]:
    """The records from where an open file stands, which is the start of a line."""
    is_start = True
    for line in iter(lambda: file.readline(MAX_LINE_BYTES), b""):
        record = _record(line) if is_start else None
        is_start = line.endswith(b"\n")
        if record is not None:
            yield record


def last_values(found: Iterable[Mapping[str, Any]]) -> Dict[str, float]:
    """The last value of each name; the step and what is no number are left out."""
    values: Dict[str, float] = {}
    for record in found:
        for name, value in record.items():
            if name != STEP and isinstance(value, (int, float)) and not isinstance(value, bool):
                values[name] = as_float(value)
    return values


def as_float(value: float) -> float:
    """A number as a float; an integer that none can hold is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def to_json(values: Mapping[str, float]) -> Dict[str, object]:
    """Values for a strict JSON document: nan and infinities are strings."""
    return {name: value if math.isfinite(value) else str(value) for name, value in values.items()}


def _record(line: bytes) -> Optional[Dict[str, Any]]:
    try:
        record = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return {name: _number(value) if isinstance(value, str) else value for name, value in record.items()}


def _number(text: str) -> Any:
    return float(text) if text.strip().lower().lstrip("+-") in ("nan", "inf", "infinity") else text


class _Overrun(Exception):
    """A pattern took longer than it may."""


class Scanner:
    """Looks for metrics in the log as it streams by, a line at a time.

    A pattern that takes more than `LIMIT_S` of this process's time in a batch is stopped at that line; after
    `MAX_OVERRUNS` it is used no more, and `notes` says so. The log is never held up for longer.
    """

    def __init__(self, patterns: Iterable[Tuple[str, str]], found: Callable[[Mapping[str, object]], None]) -> None:
        self.notes: List[str] = []
        self._found = found
        self._patterns = [(name, compiled) for name, text in patterns for compiled in self._compiled(name, text)]
        self._overruns: Dict[Pattern[str], int] = {}
        self._partial: List[bytes] = []
        self._partial_bytes = 0
        self._is_armed = False
        # The time this process computes, not the time that passes: a busy machine disables no pattern.
        signal.signal(signal.SIGVTALRM, self._on_time)

    def feed(self, data: bytes) -> None:
        data = data.replace(b"\r", b"\n")
        head, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._keep(data)
            return
        self._scan(b"".join([*self._partial, head]))
        self._partial, self._partial_bytes = [], 0
        self._keep(rest)

    def finish(self) -> None:
        """Look at a last line that has no newline."""
        self._scan(b"".join(self._partial))
        self._partial, self._partial_bytes = [], 0

    def _keep(self, data: bytes) -> None:
        """Keep the start of a line that goes on, at most 1 MB of it."""
        data = data[: MAX_LINE_BYTES - self._partial_bytes]
        if data:
            self._partial.append(data)
            self._partial_bytes += len(data)

    def _scan(self, batch: bytes) -> None:
        text = batch.decode("utf-8", "replace")
        if "\x1b" in text:
            text = _COLOUR.sub("", text)
        lines = text.split("\n")
        found: Dict[int, Dict[str, object]] = {}
        for name, pattern in list(self._patterns):
            self._search_all(name, pattern, lines, found)
        for index in sorted(found):
            self._found(found[index])

    def _search_all(self, name: str, pattern: Pattern[str], lines: List[str], found: Dict[int, Dict[str, Any]]) -> None:
        start = 0
        while start < len(lines):
            start = self._search(name, pattern, lines, start, found)
            if self._overruns.get(pattern, 0) >= MAX_OVERRUNS:
                self._patterns.remove((name, pattern))
                self.notes.append(
                    "--metric {}: the pattern {!a} took too long on {} lines and was not used after that".format(
                        name, pattern.pattern, MAX_OVERRUNS
                    )
                )
                return

    def _search(
        self, name: str, pattern: Pattern[str], lines: List[str], start: int, found: Dict[int, Dict[str, Any]]
    ) -> int:
        """Search the lines from `start` on; gives where to go on: behind the last line, or behind one that overran."""
        index = start
        try:
            self._is_armed = True
            signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)
            for index in range(start, len(lines)):
                match = pattern.search(lines[index])
                value = _value(match.group(match.re.groups and 1)) if match else None
                if value is not None:
                    found.setdefault(index, {})[name] = value
            self._is_armed = False
        except _Overrun:
            self._overruns[pattern] = self._overruns.get(pattern, 0) + 1
        finally:
            self._is_armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return index + 1

    def _on_time(self, _number: int, _frame: object) -> None:
        if self._is_armed:
            self._is_armed = False
            raise _Overrun

    def _compiled(self, name: str, text: str) -> List[Pattern[str]]:
        try:
            return [re.compile(text)]
        except (re.error, RecursionError, OverflowError) as error:
            self.notes.append("--metric {}: {!a} is no pattern here: {}".format(name, text, error))
            return []


def _value(text: Optional[str]) -> Optional[object]:
    """The number that a captured text begins with, in its JSON form; None without one."""
    try:
        value = float(text or "")
    except ValueError:
        number = _NUMBER.match(text or "")
        if number is None:
            return None
        value = float(number.group(1))
    return value if math.isfinite(value) else str(value)


class MetricsFile:
    """Appends what was found in the log to the file that the script may write too, never inside one of its lines."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._waiting: List[bytes] = []
        self.problem = ""

    def add(self, record: Mapping[str, object]) -> None:
        self._waiting.append(json.dumps(record).encode() + b"\n")

    def flush(self, *, is_last: bool = False) -> None:
        if not self._waiting:
            return
        size = os.fstat(self._file).st_size
        is_inside = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        if is_inside and not is_last and len(self._waiting) < MAX_WAITING:
            return  # the script is in the middle of a line
        data = (b"\n" if is_inside else b"") + b"".join(self._waiting)
        self._waiting = []
        try:
            os.write(self._file, data)
        except OSError as error:
            self.problem = str(error)
