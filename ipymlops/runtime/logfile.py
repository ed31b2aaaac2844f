"""Reading a node's raw log and its index (`logwriter`) on the host, while they grow too."""

from __future__ import annotations

import os
from typing import BinaryIO, List, NamedTuple, Optional, Tuple

from ipymlops.runtime.logwriter import INDEX_EVERY_S, index_path

__all__ = ["INDEX_EVERY_S", "LogPart", "index_path", "read"]

READ_BYTES = 2 << 20  # twice the longest line that is always given whole
PAGE_LINES = 5000
_ENTRY_BYTES = 100  # an entry has about 30


class LogPart(NamedTuple):
    """Lines with the time each was written (None: unknown), and the offset that follows the last of them."""

    lines: List[Tuple[bytes, Optional[float]]]
    offset: int


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
    at = _after(index, offset)
    index.seek(max(0, at - _ENTRY_BYTES))
    before = index.read(at - index.tell()).splitlines(keepends=True)
    entry = _entry(before[-1]) if before else None
    return (entry[1] if entry else None), _entry(index.readline())


def _after(index: BinaryIO, offset: int) -> int:
    """The position of the first entry for a byte behind this one; entries are sorted."""
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
        elif entry[0] <= offset:
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
