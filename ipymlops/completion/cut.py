"""Where the cursor is: the words before it, and the one that it is in."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

LINE_MAGIC = re.compile(r"^[ \t]*(?:[\w.,\[\] \t'\"]+=[ \t]*)?%mlops[ \t]+")
CELL_MAGIC = re.compile(r"^%%mlops[ \t]+")


@dataclass(frozen=True)
class Cut:
    """A line up to the cursor.

    Attributes:
        words: The whole words before the cursor, the verb first.
        word: The unfinished word, unquoted; "" where a new one begins.
        raw: The same as it stands in the line, quotes and all.
        is_body: The cursor is in the body of a cell, where each line is one argument as it stands.
    """

    words: tuple[str, ...]
    word: str
    raw: str
    is_body: bool = False


def cut(text: str, cursor_line: int) -> Cut | None:
    """The text of a cell up to the cursor, cut into words; None where it is no line of ours.

    Args:
        cursor_line: The last line of `text`, counted from 0.
    """
    lines = text.split("\n")
    if CELL_MAGIC.match(lines[0]) and cursor_line > 0:
        header = _words(CELL_MAGIC.sub("", lines[0]) + " ")
        return Cut((*header.words, *lines[1:-1]), lines[-1], lines[-1], is_body=True) if header else None
    first = len(lines) - 1
    while first > 0 and lines[first - 1].endswith("\\"):
        first -= 1
    line = " ".join([*(one[:-1] for one in lines[first:-1]), lines[-1]])  # as IPython joins them
    found = CELL_MAGIC.match(line) or LINE_MAGIC.match(line)
    return _words(line[found.end() :]) if found else None


def _words(text: str) -> Cut | None:
    """Split as a shell does, but the last word may be unfinished, in the middle of its quotes."""
    start = _last_start(text)
    raw = text[start:]
    try:
        return Cut(tuple(shlex.split(text[:start])), _unquoted(raw), raw)
    except ValueError:
        return None


def _last_start(text: str) -> int:
    """Where the last word begins; the end of the text after a space."""
    start, quote, index = 0, "", 0
    while index < len(text):
        character = text[index]
        if character == "\\" and quote != "'":
            index += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            start = index + 1
        index += 1
    return start


def _unquoted(raw: str) -> str:
    escapes_nothing = (len(raw) - len(raw.rstrip("\\"))) % 2
    word = raw[:-1] if escapes_nothing else raw
    found = (_joined(word + closing) for closing in ("", "'", '"'))
    return next((text for text in found if text is not None), word)


def _joined(word: str) -> str | None:
    try:
        return "".join(shlex.split(word))
    except ValueError:
        return None
