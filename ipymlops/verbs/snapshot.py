"""The code of a folder as it stands, with what the repository's settings say of it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import UsageProblem
from ipymlops.spec import Snapshot


def snapshot_of(context: Context) -> Snapshot:
    """This folder's code. Raises `SourceProblem`, and `UsageProblem` for a setting of the wrong kind."""
    from ipymlops.source import snapshot

    folder = _folder_of_settings(context)
    globs = re.sub(r"([*?\[\\])", r"\\\1", folder)  # the folder's own name is none
    return snapshot(
        context.cwd,
        include=[_from_root(path, globs) for path in _paths("include", context)],
        allow_secrets=[_from_root(path, folder) for path in _paths("allow_secrets", context)],
        objects=context.home / "objects",
    )


def _paths(key: str, context: Context) -> tuple[str, ...]:
    """A setting that says what is sent: one of the wrong kind is refused, where others are only pointed out."""
    file = str(context.config.project_file)
    wrong = next((one for one in context.config.ignored if one.key == key and one.where == file), None)
    if wrong:
        fix = f'grep -n {key} {shlex.quote(file)}  # for example {key} = ["path/below/it"]'
        raise UsageProblem(f"{key} in {file} is {wrong.value}", why=wrong.help, fix=fix)
    return context.config.items(key)


def _folder_of_settings(context: Context) -> str:
    """The folder of the pyproject.toml that holds, from the repository's root; "" for the root itself."""
    from ipymlops.source import root_of

    if context.config.project_file is None:
        return ""
    folder = os.path.relpath(os.path.realpath(context.config.project_file.parent), root_of(context.cwd))
    return "" if folder == os.curdir else Path(folder).as_posix()


def _from_root(path: str, folder: str) -> str:
    """A path as it is written, from the root: with `/` first it is already."""
    return path if path.startswith("/") or not folder else f"{folder}/{path}"
