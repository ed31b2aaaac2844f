"""Train this repository's code as it stands, as a container job, from one notebook line.

`%load_ext ipymlops` gives `%mlops` and `%%mlops`; each verb is a function here too:
`ipymlops.train("train.py", "--lr", "3e-4", gpu="a100")`. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext ipymlops` calls."""
    from ipymlops.magics import install

    install(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    from ipymlops.magics import remove

    remove(shell)


def __getattr__(name: str) -> Any:
    """A verb as a function, made when it is first asked for."""
    if not name.startswith("_"):
        from ipymlops.verbs import VERBS

        if name in VERBS:
            from ipymlops.python_api import function_of

            function = globals()[name] = function_of(name)
            return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from ipymlops.verbs import VERBS

    return sorted({"__version__", "load_ipython_extension", "unload_ipython_extension", *VERBS})


class _Package(ModuleType):
    """`ipymlops.config` is the verb: Python would put the submodule of that name in its place once it is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "config" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
