"""`import ipymlops as mlops; mlops.train("train.py", "--lr", "3e-4", gpu="a100")`: each verb as a function.

The functions are made from the verbs' own tables: the words are those of the line, the options are keywords.
"""

from __future__ import annotations

import inspect
import os
import sys
from argparse import Action
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ipymlops.context import Context
from ipymlops.errors import UsageProblem
from ipymlops.verbs import load, scan
from ipymlops.verbs.nearest import nearest
from ipymlops.verbs.request import parser_of

HIDDEN = frozenset({"wants_help", "as_json"})


def function_of(verb: str) -> Callable[..., Any]:
    """The verb as a function with its real signature and help."""

    def call(*words: Any, **options: Any) -> Any:
        from ipymlops.verbs.dispatch import dispatch

        return dispatch([verb, *words_of(verb, words, options)], None, context())

    call.__name__ = call.__qualname__ = verb
    call.__module__ = "ipymlops"
    call.__doc__ = _docstring(verb)
    call.__signature__ = _signature(verb)  # type: ignore[attr-defined]
    return call


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


def context() -> Context:
    """The notebook's own where there is one, so that cards appear in the cell; else this process's terminal."""
    shell = _shell()
    if shell is not None:
        if "MlopsMagics" not in shell.magics_manager.registry:
            shell.extension_manager.load_extension("ipymlops")
        opened: Context = shell.magics_manager.registry["MlopsMagics"].context()
        return opened
    from ipymlops.display.terminal import TerminalScreen
    from ipymlops.opening import open_context

    return open_context(Path.cwd(), os.environ, sys.executable, TerminalScreen())


def _shell() -> Any:
    """IPython's shell if this process runs in one; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


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


def _signature(verb: str) -> inspect.Signature:
    words = inspect.Parameter("words", inspect.Parameter.VAR_POSITIONAL)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(action))
        for name, action in keywords(verb).items()
    ]
    return inspect.Signature([words, *options])


def _default(action: Action) -> Any:
    return False if action.nargs == 0 else () if scan.is_repeatable(action) else None


def _docstring(verb: str) -> str:
    rows = [f"    {name}: {action.help}" for name, action in keywords(verb).items()]
    options = ["", "Args:", "    words: as on the line, after the verb", *rows]
    return "\n".join([f"{load(verb).HELP}.", *options])
