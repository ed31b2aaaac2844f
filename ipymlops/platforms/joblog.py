"""A job's log, page by page: the cursor is a JSON list of byte offsets, one a node."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from ipymlops.errors import PlatformProblem
from ipymlops.job import LogLine, LogPage
from ipymlops.platforms.jobfolder import NodeFolder
from ipymlops.runtime import logfile

MAX_LINES = 4000
PAGE_BYTES = 256 * 1024


def read_page(nodes: Sequence[NodeFolder], cursor: str, *, is_ended: bool) -> LogPage:
    """The next lines of all nodes, by time.

    Args:
        is_ended: Nothing more will be written: what is there after the last newline is a line too. It must have been
            asked before the log is read, or the last lines would be lost.
    """
    offsets = _offsets(cursor, len(nodes))
    limit = max(1, MAX_LINES // max(1, len(nodes)))
    read = [_lines(node, offset, limit, is_ended=is_ended) for node, offset in zip(nodes, offsets, strict=True)]
    lines = [line for node_lines, _ in read for line in node_lines]
    if len(nodes) > 1:
        lines.sort(key=_seen)
    offsets = [offset for _, offset in read]
    is_end = is_ended and all(offset >= _size(node) for node, offset in zip(nodes, offsets, strict=True))
    return LogPage(tuple(lines), json.dumps(offsets), is_end)


def last_output_at(nodes: Iterable[NodeFolder]) -> datetime | None:
    """When a node last wrote to its log; None if none ever did."""
    stats = [node.log.stat() for node in nodes if _size(node)]
    return _moment(max(stat.st_mtime for stat in stats)) if stats else None


def _offsets(cursor: str, count: int) -> list[int]:
    offsets = _parsed(cursor) if cursor else [0] * count
    if isinstance(offsets, list) and len(offsets) == count and all(_is_offset(offset) for offset in offsets):
        return offsets
    raise PlatformProblem(
        "this is no place in the job's log", why=f"the cursor reads {cursor[:80]!r}", fix="read the log from its start"
    )


def _parsed(cursor: str) -> object:
    try:
        return json.loads(cursor)
    except ValueError:
        return None


def _is_offset(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _lines(node: NodeFolder, offset: int, limit: int, *, is_ended: bool) -> tuple[list[LogLine], int]:
    """Lines from `offset` on, and the offset after them."""
    path = str(node.log)
    part = logfile.read(path, offset, is_final=is_ended, max_bytes=PAGE_BYTES)
    if part.offset - offset in (0, PAGE_BYTES):  # nothing, or perhaps a piece of a longer line
        part = logfile.read(path, offset, is_final=is_ended)
    following = part.offset
    if len(part.lines) > limit:
        following = offset + sum(len(text) + 1 for text, _ in part.lines[:limit])
    lines = [LogLine(text, node.rank, _moment(seen)) for text, seen in part.lines[:limit]]
    return lines, following


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, timezone.utc)


def _seen(line: LogLine) -> float:
    return line.time.timestamp() if line.time else 0.0


def _size(node: NodeFolder) -> int:
    return node.log.stat().st_size if node.log.exists() else 0
