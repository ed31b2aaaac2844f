"""Other people's text made harmless: no escape sequence, no hidden direction change, no surrogate reaches a screen."""

from __future__ import annotations

import re
import unicodedata

ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC and its kin: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]"  # two characters
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
JOINERS = {"\u200c", "\u200d"}  # scripts and emoji need them, and they reorder nothing
LONGEST = 4000


def plain(text: str) -> str:
    """One line of text that can only be read: sequences are dropped, other unprintable characters are spelt out.

    >>> plain("ok\\x1b[31m red\\x1b[0m \\u202eevil")
    'ok red \\\\u202eevil'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(one) for one in ANSI.sub("", text.replace("\t", "    ")))


def log_text(line: bytes) -> str:
    """A log line as a screen would leave it: what follows the last `\\r`, uncoloured, at most 4,000 characters."""
    tail = line.rstrip(b"\r")
    last = tail[tail.rfind(b"\r") + 1 :]
    return plain(shortened(last[: 8 * LONGEST].decode(errors="replace"), LONGEST))


def is_yes(answer: str) -> bool:
    """What somebody typed behind `[y/N]`."""
    return answer.strip().lower() in {"y", "yes"}


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def width(text: str) -> int:
    """How many columns a terminal gives to `text`."""
    if text.isascii():
        return len(text)
    return sum(_columns(one) for one in text)


def padded(text: str, columns: int, *, right: bool = False) -> str:
    space = " " * max(0, columns - width(text))
    return space + text if right else text + space


def _columns(character: str) -> int:
    if unicodedata.combining(character) or character in JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN or character in JOINERS:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode()
