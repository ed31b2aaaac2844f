"""Words from left to right: which are ours, and where the script's own begin.

What follows that point is opaque: it never meets argparse, whatever it looks like.
"""

from __future__ import annotations

from argparse import Action, ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ipymlops.errors import UsageProblem
from ipymlops.nearest import nearest
from ipymlops.verbs.remedy import Put, Swap, WrongLine

Table = Mapping[str, Action]


@dataclass(frozen=True)
class Scan:
    """Our options as (flag as declared first, value or None), and the words that are no options."""

    options: tuple[tuple[str, str | None], ...]
    rest: tuple[str, ...]

    def words(self) -> list[str]:
        """The options for argparse, each in one word, so that no value is taken for a flag."""
        return [flag if value is None else f"{flag}={value}" for flag, value in self.options]


def table_of(parser: ArgumentParser) -> dict[str, Action]:
    """Every flag of a parser."""
    return {flag: action for action in parser._actions for flag in action.option_strings}  # noqa: SLF001


def scan(words: Sequence[str], table: Table, *, stops: bool) -> Scan:
    """Split words into options and the rest.

    Args:
        stops: End at the first word that is no option or its value, at `-m`, or at `--`; these stay in `rest`.
            Otherwise options and words may be mixed, and `--` ends the options.
    Raises: `UsageProblem` for an unknown flag, a missing or superfluous value, and a flag given twice.
    """
    options: list[tuple[str, str | None]] = []
    rest: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if not is_option(word) or (stops and word == "-m"):
            rest.append(word)
            if stops:
                break
        elif word == "--":
            rest += words[index if stops else index + 1 :]
            return _checked(options, rest, table)
        else:
            flag, value, used = _option(words, index, table)
            options.append((flag, value))
            index += used
        index += 1
    return _checked(options, [*rest, *words[index + 1 :]], table)


def is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _option(words: Sequence[str], index: int, table: Table) -> tuple[str, str | None, int]:
    """The flag, its value, and how many words after it were used."""
    flag, has_value, value = words[index].partition("=")
    action = table.get(flag)
    if action is None:
        raise unknown_flag(flag, table)
    name = action.option_strings[0]
    if action.nargs == 0:
        if has_value:
            raise WrongLine(f"{name} takes no value, and got {value!r}", edit=Put(name))
        return name, None, 0
    if has_value:
        return name, value, 0
    following = words[index + 1 : index + 2]
    if not following or following[0] in {"--", "-m"} or following[0].partition("=")[0] in table:
        raise _no_value(name, action, following)
    return name, following[0], 1


def unknown_flag(flag: str, table: Table) -> UsageProblem:
    near = nearest(flag, [known for known in table if known.startswith("--")])
    known = ", ".join(sorted(known for known in table if known.startswith("--")))
    what = f"there is no option {flag}"
    after = "a script's own options go after the script" if "--gpu" in table else ""
    if near:
        return WrongLine(what, why=f"did you mean {near}? {after}".rstrip(), edit=Swap(flag, near))
    return UsageProblem(what, why="; ".join([f"there are {known}", *([after] if after else [])]))


def _no_value(name: str, action: Action, after: Sequence[str]) -> UsageProblem:
    metavar = str(action.metavar or "VALUE")
    why = f"the next word, {after[0]}, is an option; as a value write {name}={after[0]}" if after else ""
    return UsageProblem(f"{name} needs a value: {name} {metavar}", why=why)


def _checked(options: list[tuple[str, str | None]], rest: list[str], table: Table) -> Scan:
    seen: dict[str, str | None] = {}
    for flag, value in options:
        if seen.setdefault(flag, value) != value and not is_repeatable(table[flag]):
            raise WrongLine(f"{flag} is given twice", why=f"{seen[flag]!r} and {value!r}", edit=Put(flag, value))
    return Scan(tuple(options), tuple(rest))


def is_repeatable(action: Action) -> bool:
    return type(action).__name__ == "_AppendAction"
