"""A Python call as the words of a line: options are keywords, `max_runtime="4h"` for `--max-runtime 4h`."""

from __future__ import annotations

import os
from argparse import Action
from collections.abc import Mapping, Sequence
from typing import Any

from ipymlops.errors import UsageProblem
from ipymlops.nearest import nearest
from ipymlops.verbs import scan
from ipymlops.verbs.request import parser_of

HIDDEN = frozenset({"wants_help", "as_json"})


def words_of(verb: str, words: Sequence[Any], options: Mapping[str, Any]) -> list[str]:
    """The line that says the same: the options first, each in one word, then the words."""
    known = keywords(verb)
    ours: list[str] = []
    for name, value in options.items():
        if name not in known:
            raise _unknown(verb, name, known)
        ours += _option(known[name], value)
    return [*ours, *(_word(word) for word in words)]


def keywords(verb: str) -> dict[str, Action]:
    """Keyword → option: the long flag's own letters (`max_runtime` for `--max-runtime`)."""
    table = scan.table_of(parser_of(verb))
    return {
        flag.removeprefix("--").replace("-", "_"): action
        for flag, action in table.items()
        if flag.startswith("--") and action.dest not in HIDDEN
    }


def _option(action: Action, value: Any) -> list[str]:
    flag = action.option_strings[0]
    if value is None or value is False:
        return []
    if action.nargs == 0:
        if value is not True:
            raise UsageProblem(f"{flag} is True or False", why=f"it got {value!r}")
        return [flag]
    if not scan.is_repeatable(action):
        return [f"{flag}={_word(value)}"]
    pairs = [f"{key}={_word(one)}" for key, one in value.items()] if isinstance(value, Mapping) else value
    several = [pairs] if isinstance(pairs, str) else pairs
    return [f"{flag}={_word(one)}" for one in several]


def _word(value: Any) -> str:
    """One word: text as it is, numbers as Python writes them, a job by its id."""
    from ipymlops.verbs.handle import JobHandle

    if isinstance(value, JobHandle):
        return value.id
    if isinstance(value, bytes | os.PathLike):
        return os.fsdecode(value)
    return str(value)


def _unknown(verb: str, name: str, known: Mapping[str, Action]) -> UsageProblem:
    near = nearest(name, known)
    meant = f"did you mean {near}? " if near else ""
    return UsageProblem(
        f"{verb} has no option {name!r}", why=f"{meant}there are {', '.join(known)}", fix=f"help(ipymlops.{verb})"
    )
