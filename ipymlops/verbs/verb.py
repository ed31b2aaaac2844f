"""What a verb is: a module with these names."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ipymlops.context import Context
from ipymlops.errors import IpymlopsError

VERSION = "--version"
"""In a verb's place; answered by `help`."""


@dataclass(frozen=True)
class VerbOptions:
    """What every verb can be asked."""

    as_json: bool = False


class Verb(Protocol):
    """A module of this package. `VERBS` has its name.

    A verb may also define
    `read(parser, words, cell) -> options`, where its words are not parsed like everybody's (`train`), and
    `problem(options, result) -> IpymlopsError | None`: what is raised after the result was shown (a job that failed).
    """

    HELP: str
    """One line."""

    EXAMPLES: Sequence[str]
    """Lines that work when pasted into a shell."""

    OPTIONS: type[VerbOptions]

    def add_arguments(self, parser: ArgumentParser) -> None: ...

    def run(self, options: Any, context: Context) -> Any:
        """Do it; returns one of `verbs.results.Result`, or a live `JobHandle`."""


def problem_of(verb: Verb, options: VerbOptions, result: object) -> IpymlopsError | None:
    """What must be raised once the result has been shown."""
    asked = getattr(verb, "problem", None)
    found: IpymlopsError | None = asked(options, result) if asked else None
    return found
