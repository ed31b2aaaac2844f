"""Paths as git gives them (bytes) and as people read them (text)."""

from __future__ import annotations

import os

IGNORE_FILE = ".ipymlopsignore"


def shown(path: bytes) -> str:
    """The path as text: undecodable bytes as surrogates, the form that also stands in a `Snapshot`."""
    return os.fsdecode(path)


def printable(path: bytes | str, limit: int = 120) -> str:
    """The path for a sentence: control characters and undecodable bytes escaped, the middle of a long one left out."""
    text = shown(path) if isinstance(path, bytes) else path
    text = "".join(char if char.isprintable() else char.encode("unicode_escape", "replace").decode() for char in text)
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"


def ignore_line(path: bytes) -> str:
    """The line of an ignore file that names exactly this path; a newline in it becomes `?`, as such files have none."""
    text = "".join(f"\\{char}" if char in "\\*?[" else char for char in shown(path)).replace("\n", "?")
    if text.endswith(" "):
        text = text[:-1] + "\\ "
    return f"/{text}"


def parents(path: bytes) -> list[bytes]:
    """The folders above a path, the topmost first: `a`, `a/b` for `a/b/c`."""
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[:count]) for count in range(1, len(parts) + 1)]
