"""A wrong line, and the same line put right: what an error's `fix` shows, ready to be pasted."""

from __future__ import annotations

import re
import shlex
from argparse import Action
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ipymlops.errors import IpymlopsError, UnknownJob, UsageProblem

SHELL_DOOR = "ipymlops "
ASKED_FOR = re.compile(r"read -rs (\w+) && export \w+")
"""How a shell asks for a secret."""

LONGEST_LINE = 4000
"""A fix longer than this many characters helps nobody."""


class Edit(Protocol):
    """A change of the words after the verb."""

    def apply(self, words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[str]: ...


@dataclass(frozen=True)
class Put:
    """Give this option this value (None: it takes none), whatever it had."""

    flag: str
    value: str | None = None

    def apply(self, words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[str]:
        kept = Drop(self.flag).apply(words, table, stops=stops)
        return [self.flag, *([] if self.value is None else [self.value]), *kept]


@dataclass(frozen=True)
class Drop:
    """Leave this option out."""

    flag: str

    def apply(self, words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[str]:
        kept: list[str] = []
        end = 0
        for start, stop, flag in spans(words, table, stops=stops):
            if flag != self.flag:
                kept += words[start:stop]
            end = stop
        return [*kept, *words[end:]]


@dataclass(frozen=True)
class Swap:
    """Replace the first word that is `old`, or begins with `old=`."""

    old: str
    new: str

    def apply(self, words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[str]:  # noqa: ARG002
        found = next((at for at, word in enumerate(words) if word.partition("=")[0] == self.old), None)
        found = next((at for at, word in enumerate(words) if word == self.old), found)
        if found is None:
            return list(words)
        new = self.new + words[found][len(self.old) :]
        return [*words[:found], new, *words[found + 1 :]]


@dataclass(frozen=True)
class Instead:
    """This option and value in place of another option that has, or begins with, a certain value (`--env TOKEN…`)."""

    flag: str
    value: str
    new: tuple[str, str]

    def apply(self, words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[str]:
        kept: list[str] = []
        end = 0
        for start, stop, flag in spans(words, table, stops=stops):
            value = words[start].partition("=")[2] if stop == start + 1 else words[start + 1]
            is_it = flag == self.flag and value.partition("=")[0] == self.value
            kept += self.new if is_it else words[start:stop]
            end = stop
        return [*kept, *words[end:]]


@dataclass(frozen=True)
class Without:
    """Leave these plain words out."""

    words: Sequence[str]

    def apply(self, words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[str]:  # noqa: ARG002
        return [word for word in words if word not in self.words]


@dataclass(frozen=True)
class Script:
    """Another script: everything from the first word that is not ours is replaced, what follows the script is kept."""

    new: tuple[str, ...]
    kept_from: int = 1

    def apply(self, words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[str]:
        ours = spans(words, table, stops=stops)
        start = ours[-1][1] if ours else 0
        return [*words[:start], *self.new, *words[start + self.kept_from :]]


class WrongLine(UsageProblem):
    """The request was wrong, and one change of its words puts it right; users meet it as a `UsageProblem`."""

    def __init__(self, what: str, *, why: str = "", edit: Edit) -> None:
        self.edit = edit
        super().__init__(what, why=why)


def spans(words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> list[tuple[int, int, str | None]]:
    """(start, end, flag) of each option, and of each plain word where these do not stop; nothing is refused."""
    found: list[tuple[int, int, str | None]] = []
    index = 0
    while index < len(words):
        flag, has_value, _ = words[index].partition("=")
        action = table.get(flag)
        is_plain = not flag.startswith("-") or words[index] in {"-", "--"}
        if words[index] == "--" or (stops and (is_plain or flag == "-m")):
            break
        takes_next = action is not None and action.nargs != 0 and not has_value
        end = min(index + 1 + takes_next, len(words))
        found.append((index, end, action.option_strings[0] if action else None))
        index = end
    return found


def completed(
    error: IpymlopsError, verb: str, words: Sequence[str], table: Mapping[str, Action], *, stops: bool
) -> IpymlopsError:
    """The error, its fix a whole line where it was an edit, the bare option or another job."""
    edit = _edit(error, table)
    if edit is not None:
        error.fix = line_of(verb, edit.apply(words, table, stops=stops))
    if len(error.fix) > LONGEST_LINE or (not error.fix and isinstance(error, UsageProblem)):
        error.fix = f"ipymlops {verb} --help"
    return UsageProblem(error.what, why=error.why, fix=error.fix) if isinstance(error, WrongLine) else error


def _edit(error: IpymlopsError, table: Mapping[str, Action]) -> Edit | None:
    if isinstance(error, WrongLine):
        return error.edit
    if isinstance(error, UnknownJob) and error.meant:
        return Swap(error.word, error.meant)
    return _bare_option(error.fix, table)


def in_a_cell(error: IpymlopsError, *, is_cell: bool = False) -> IpymlopsError:
    """The same error, its fix as it can be pasted into a cell: errors are written as a shell has them."""
    if error.fix.startswith(SHELL_DOOR):
        door = "%%mlops " if is_cell and error.fix.startswith("ipymlops train") else "%mlops "
        error.fix = door + error.fix.removeprefix(SHELL_DOOR)
    asked = ASKED_FOR.fullmatch(error.fix)
    if asked:
        name = asked.group(1)
        error.fix = f"import os, getpass; os.environ[{name!r}] = getpass.getpass({name + ': '!r})"
    return error


def line_of(verb: str, words: Sequence[str]) -> str:
    return " ".join(["ipymlops", verb, *(shlex.quote(word) for word in words)])


def _bare_option(fix: str, table: Mapping[str, Action]) -> Put | None:
    """`--flag value` as other layers write it; None where the fix is anything else."""
    if not fix.startswith("--"):
        return None
    try:
        flag, *value = shlex.split(fix)
    except ValueError:
        return None
    action = table.get(flag)
    if action is None or len(value) != (action.nargs != 0):
        return None
    return Put(flag, value[0] if value else None)
