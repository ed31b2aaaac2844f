"""What is known of a script's command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """One spelling of an option: `--lr` and `-l` are two."""

    name: str
    help: str = ""
    takes_value: bool = True
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScriptFlags:
    """`is_complete`: there are no others, so that the script refuses any other `--word`."""

    known: tuple[Flag, ...] = ()
    is_complete: bool = False
