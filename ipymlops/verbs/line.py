"""A notebook line becomes words: split as a POSIX shell would, notebook variables put in, nothing else expanded."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from ipymlops.errors import UsageProblem

VARIABLE = re.compile(r"\{\{([^{}]+)\}\}", re.DOTALL)


def words_of(line: str, variable: Callable[[str], str]) -> list[str]:
    """The words of a magic's line.

    Args:
        variable: Gives a notebook variable as one word; raises `UsageProblem` for an unknown name.
    Raises: `UsageProblem` for a quote that is never closed.
    """
    return [put_in(word, variable) for word in split(line)]


def split(line: str) -> list[str]:
    """`shlex.split`, which keeps bytes that are no UTF-8 (surrogates) as they are."""
    try:
        return shlex.split(line)
    except ValueError:
        raise _unbalanced(line) from None


def put_in(word: str, variable: Callable[[str], str]) -> str:
    """`{{name}}`, where it is the whole word, is that variable.

    A word that begins with `{{{{` is text: there, and where it ends with `}}}}`, the braces are halved.
    """
    found = VARIABLE.fullmatch(word)
    if found:
        return variable(found.group(1))
    if word.startswith("{{{{"):
        word = word[2:]
        return word[:-2] if word.endswith("}}}}") else word
    return word


def _unbalanced(line: str) -> UsageProblem:
    opened = _open_quote(line)
    if opened is None:
        return UsageProblem(
            "the line ends with a backslash that has nothing to escape",
            why="outside quotes a backslash takes the next character as it is",
            fix=f"%mlops {line[:-1]}\\\\",
        )
    quote, at = opened
    name = "an apostrophe (')" if quote == "'" else 'a double quote (")'
    return UsageProblem(
        f"{name} at character {at + 1} is never closed: {line[at : at + 20]}",
        why="quotes come in pairs; a %%mlops train cell takes each line as it stands, quotes too",
        fix=f"%mlops {line[:at]}\\{line[at:]}",
    )


def _open_quote(line: str) -> tuple[str, int] | None:
    """The quote that is open at the end and where it stands, by the rules of a POSIX shell."""
    quote, at, index = "", -1, 0
    while index < len(line):
        character = line[index]
        if character == "\\" and quote != "'":
            index += 1
        elif not quote and character in "'\"":
            quote, at = character, index
        elif character == quote:
            quote = ""
        index += 1
    return (quote, at) if quote else None
