"""The last Python traceback in a log: its text, and the user's line in it."""

from __future__ import annotations

import os
import re
from typing import List, NamedTuple, Optional, Tuple

MAX_CHARS = 20_000
MAX_LINE = 300
SYNTAX_LINES = 6
_HEADER = re.compile(r"^(?P<prefix>.*?)Traceback \(most recent call last\):\s*$")
_FRAME = re.compile(r'^\s*(?:\|\s*)*File "(?P<file>.+)", line (?P<line>\d+)')
_CHAINS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_SYNTAX = re.compile(r"^(?:SyntaxError|IndentationError|TabError): ")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Traceback(NamedTuple):
    """The last traceback of a log.

    Attributes:
        text: All of it, also the exceptions it was raised from.
        exception: Its last line, as `ValueError: bad`.
        file: Relative to the repository, POSIX, None if no frame is in it.
    """

    text: str
    exception: str
    file: Optional[str]
    line: Optional[int]


def last_traceback(tail: bytes, root: str, workdir: str) -> Optional[Traceback]:
    """Find the last traceback in the end of a log.

    Args:
        root: The folder of the snapshot; `workdir` the script's, for paths that are relative.
    """
    lines = _COLOUR.sub("", tail.decode("utf-8", "replace")).replace("\r\n", "\n").split("\n")
    found = _last_block(lines) or _syntax_error(lines)
    if found is None:
        return None
    block, exception = found
    file, line = _place(block, root, workdir)
    return Traceback("\n".join(block)[-MAX_CHARS:], exception, file, line)


def last_line(tail: bytes) -> str:
    """The last line of a log that is not blank, "" without one: without a traceback, it often names the cause."""
    text = _COLOUR.sub("", tail.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    return next((line for line in reversed(lines) if line), "")[:MAX_LINE]


def _last_block(lines: List[str]) -> Optional[Tuple[List[str], str]]:
    starts = [index for index, line in enumerate(lines) if _HEADER.match(line)]
    if not starts:
        return None
    last = starts[-1]
    prefix = _prefix(lines[last])
    end = _end(lines, last, prefix)
    start = last
    for index in reversed(starts[:-1]):
        between = [_without(line, prefix).strip(" |+-") for line in lines[_end(lines, index, prefix) : start]]
        if _prefix(lines[index]) != prefix or [line for line in between if line][:1] not in [[c] for c in _CHAINS]:
            break
        start = index
    block = [_without(line, prefix) for line in lines[start:end]]
    exception = next((line for line in reversed(block) if line.strip(" |+-") and line[0] not in " \t"), "")
    return block, exception or block[-1].strip(" |+-")


def _prefix(header: str) -> str:
    """What stands before each line (`[rank0]: `); the frame of an exception group is none."""
    match = _HEADER.match(header)
    prefix = match.group("prefix") if match else ""
    return "" if not prefix.strip(" |+") or prefix.endswith("Exception Group ") else prefix


def _without(line: str, prefix: str) -> str:
    return line[len(prefix) :] if line.startswith(prefix) else line


def _end(lines: List[str], start: int, prefix: str) -> int:
    """Behind the exception's line: the first that is not indented, and what of it goes on indented below."""
    index = start + 1
    while index < len(lines) and _without(lines[index], prefix)[:1] in (" ", "\t"):
        index += 1
    index += 1
    while index < len(lines) and _without(lines[index], prefix)[:1] in (" ", "\t"):
        index += 1
    return min(index, len(lines))


def _syntax_error(lines: List[str]) -> Optional[Tuple[List[str], str]]:
    """A script that Python cannot read has no header: the place, the line, then the error."""
    for index in range(len(lines) - 1, 0, -1):
        if _SYNTAX.match(lines[index]):
            start = index - 1
            while start > 0 and index - start < SYNTAX_LINES and not _FRAME.match(lines[start]):
                start -= 1
            if _FRAME.match(lines[start]):
                return lines[start : index + 1], lines[index]
    return None


def _place(block: List[str], root: str, workdir: str) -> Tuple[Optional[str], Optional[int]]:
    """The innermost frame that is in the repository."""
    real_root = os.path.realpath(root)
    for line in reversed(block):
        frame = _FRAME.match(line)
        if not frame or frame.group("file").startswith("<"):
            continue
        path = os.path.realpath(os.path.join(workdir, frame.group("file")))
        if path.startswith(real_root + os.sep):
            return os.path.relpath(path, real_root).replace(os.sep, "/"), int(frame.group("line"))
    return None, None
