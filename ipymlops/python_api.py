"""`import ipymlops as mlops; mlops.train("train.py", "--lr", "3e-4", gpu="a100")`: each verb as a function.

The functions are made from the verbs' own tables: the words are those of the line, the options are keywords.
"""

from __future__ import annotations

import inspect
import os
import sys
from argparse import Action
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipymlops.context import Context
from ipymlops.verbs import load, scan
from ipymlops.verbs.keywords import keywords, words_of


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
