"""The raw log of one node and its index: `OFFSET EPOCH` a line, when the byte at that offset was written.

The launcher writes them; the platforms of this machine read them, while the log grows too.
"""

from __future__ import annotations

import os
import select
from typing import BinaryIO, Callable, List, NamedTuple, Optional, Tuple

INDEX_EVERY_S = 0.1
READ_BYTES = 2 << 20  # twice the longest line that is always given whole
PAGE_LINES = 5000
_ENTRY_BYTES = 100  # an entry has about 30


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
        self._clock = clock
        self._indexed_at = float("-inf")

    def write(self, data: bytes) -> None:
        if not data:
            return
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


class LogPart(NamedTuple):
    """Lines with the time each was written (None: unknown), and the offset that follows the last of them."""

    lines: List[Tuple[bytes, Optional[float]]]
    offset: int


def index_path(log_path: str) -> str:
    return log_path + ".index"


def read(
    log_path: str, offset: int, *, is_final: bool, max_bytes: int = READ_BYTES, max_lines: int = PAGE_LINES
) -> LogPart:
    """The next whole lines, without their newlines.

    Args:
        is_final: Nothing will follow: a last line without a newline is given too.
        max_bytes: At most as much is read at once. A line that is longer is given in pieces of this size.
    """
    try:
        with open(log_path, "rb") as log:
            log.seek(offset)
            data = log.read(max_bytes)
    except FileNotFoundError:
        return LogPart([], offset)
    end = data.rfind(b"\n") + 1
    is_all = is_final and len(data) < max_bytes
    if is_all or (not end and len(data) == max_bytes):
        end = len(data)
    lines = data[:end].split(b"\n", max_lines)
    if len(lines) > max_lines:
        end -= len(lines.pop())
    elif not lines[-1]:
        lines.pop()
    return LogPart(_with_times(log_path, offset, lines), offset + end)


def offset_at(log_path: str, epoch: float) -> int:
    """Where the log's bytes from that time on begin: for `--since`. The log's end if there are none."""
    try:
        with open(index_path(log_path), "rb") as index:
            index.seek(_after(index, lambda _offset, time: time < epoch))
            entry = _entry(index.readline())
    except FileNotFoundError:
        return 0
    if entry is not None:
        return entry[0]
    return os.path.getsize(log_path) if os.path.exists(log_path) else 0


def _with_times(log_path: str, offset: int, lines: List[bytes]) -> List[Tuple[bytes, Optional[float]]]:
    try:
        index = open(index_path(log_path), "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return [(line, None) for line in lines]
    out = []
    with index:
        now, following = _times_around(index, offset)
        for line in lines:
            while following is not None and following[0] <= offset:
                now, following = following[1], _entry(index.readline())
            out.append((line, now))
            offset += len(line) + 1
    return out


def _times_around(index: BinaryIO, offset: int) -> Tuple[Optional[float], Optional[Tuple[int, float]]]:
    """The time of the byte at an offset, and the entry that follows, with the file right behind that."""
    at = _after(index, lambda known, _time: known <= offset)
    index.seek(max(0, at - _ENTRY_BYTES))
    before = index.read(at - index.tell()).splitlines(keepends=True)
    entry = _entry(before[-1]) if before else None
    return (entry[1] if entry else None), _entry(index.readline())


def _after(index: BinaryIO, holds: Callable[[int, float], bool]) -> int:
    """The position of the first entry for which `holds` is no longer true; entries are sorted by it."""
    low, high = 0, index.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        index.seek(middle)
        if middle:
            index.seek(middle - 1)
            index.readline()
        start = index.tell()
        line = index.readline()
        entry = _entry(line)
        if entry is None or start >= high:
            high = middle
        elif holds(*entry):
            low = start + len(line)
        else:
            high = middle
    return low


def _entry(line: bytes) -> Optional[Tuple[int, float]]:
    """One line of the index; None for the end, and for a line that is still being written."""
    if not line.endswith(b"\n"):
        return None
    offset, time_ = line.split()
    return int(offset), float(time_)
