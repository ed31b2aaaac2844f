"""Source text → syntax tree, whatever the source is: huge, hostile, or no Python at all."""

from __future__ import annotations

import ast
import re
import sys
import tokenize
import warnings
from pathlib import Path

LARGEST_BYTES = 300_000
"""A larger script is not read: parsing takes about a second for each 500 kB."""

DEEP_SAFE = (3, 11)
MOST_OPERATORS = 15_000
"""Before Python 3.11 an expression of some 100,000 operators overflows the parser's stack and kills the process."""


def source_of(path: Path) -> str | None:
    """The script's text, by its coding line; None if it is too large or cannot be read."""
    try:
        if path.stat().st_size > LARGEST_BYTES or not path.is_file():
            return None
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError, LookupError, ValueError):
        return None


def parsed(source: str) -> ast.Module | None:
    """The tree, None where Python cannot read it."""
    if sys.version_info < DEEP_SAFE and len(re.findall(r"[-+*/%@&|^<>.(\[]", source)) > MOST_OPERATORS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in the user's script is the user's
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
