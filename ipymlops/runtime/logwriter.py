"""The raw log of one node and its index: `OFFSET EPOCH` a line, when the byte at that offset was written."""

from __future__ import annotations

import os
import select
from typing import Callable, List, Optional

INDEX_EVERY_S = 0.1


def index_path(log_path: str) -> str:
    return log_path + ".index"


LONGEST_LINE = 200_000
"""What reads standard output may cut longer lines into several."""


COUNTED_BYTES = 256 << 20
"""A longer log is not counted: that takes as long as writing it."""


class LineCount:
    """Counts lines that are not empty, in pieces of any size.

    Attributes: `count`, None once there was a line so long that it may be cut, or too much of them.
    """

    def __init__(self) -> None:
        self.count: Optional[int] = 0
        self._bytes = 0
        self._open = 0  # bytes of the line that has no end yet

    def add(self, data: bytes) -> None:
        if self.count is None:
            return
        lines = data.split(b"\n")
        self._bytes += len(data)
        if self._bytes > COUNTED_BYTES or self._is_long(data, lines):
            self.count = None
            return
        has_begun = 1 if lines[0] and self._open else 0  # it was counted then
        self.count += len(lines) - lines.count(b"") - has_begun
        self._open = len(lines[-1]) + (self._open if len(lines) == 1 else 0)

    def _is_long(self, data: bytes, lines: List[bytes]) -> bool:
        if self._open + len(data) <= LONGEST_LINE:
            return False
        half = LONGEST_LINE // 2
        if self._open < half and all(data.find(b"\n", at, at + half) >= 0 for at in range(0, len(data), half)):
            return False  # each half of the longest line has an end in it
        return max(self._open + len(lines[0]), *map(len, lines)) > LONGEST_LINE


class LogFile:
    """Appends to a log, byte for byte. A full disk loses bytes of the log, never the script: they are counted."""

    def __init__(self, path: Optional[str], clock: Callable[[], float]) -> None:
        """Begin an empty log.

        Args:
            path: None writes to standard output: a container's engine keeps the times.
            clock: UTC epoch seconds that never go back (`state.steady_time`), so that the index can be searched.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self.file = os.open(path, flags, 0o600) if path else 1
        self.index = os.open(index_path(path), flags, 0o600) if path else None
        self.offset = 0
        self.lost_bytes = 0
        self.problem = ""
        self._lines: Optional[LineCount] = None if path else LineCount()
        self._clock = clock
        self._indexed_at = float("-inf")

    @property
    def lines(self) -> Optional[int]:
        """How many lines with something in them went to standard output; None for a file, or where it is not sure."""
        return self._lines.count if self._lines and not self.lost_bytes else None

    def write(self, data: bytes) -> None:
        if not data:
            return
        if self._lines:
            self._lines.add(data)
        if self.index is not None:
            self._note_time(self.index)
        view = memoryview(data)
        while view:
            try:
                size = os.write(self.file, view)
            except BlockingIOError:  # standard output that somebody made non-blocking
                select.select([], [self.file], [], 1.0)
                continue
            except OSError as error:
                self.lost_bytes += len(view)
                self.problem = str(error)
                return
            self.offset += size
            view = view[size:]

    def close(self) -> None:
        if self.index is not None:
            os.close(self.file)
            os.close(self.index)

    def _note_time(self, index: int) -> None:
        now = self._clock()
        if now - self._indexed_at < INDEX_EVERY_S:
            return
        self._indexed_at = now
        try:
            os.write(index, b"%d %.3f\n" % (self.offset, now))
        except OSError as error:
            self.problem = str(error)
