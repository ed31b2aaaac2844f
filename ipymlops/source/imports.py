"""The packages that a script imports, itself and through the repository's own modules: read, never imported."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_FILES = 60
"""So many modules are read; a repository that imports more of its own has named its packages by then."""
MOST_BYTES = 1_000_000
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_ROOTS = ("", "src")
"""Where a repository keeps its packages."""


def imported_packages(root: Path, workdir: str, script: str | None) -> tuple[str, ...]:
    """Top names of everything imported that is neither the standard library's nor the repository's own, sorted.

    Args:
        script: As in `JobSpec`; for a command, or where nothing is found, what the requirements name.
    """
    found = set(_reached(root, workdir, script)) if script else set()
    return tuple(sorted(found or set(_required(root))))


def _reached(root: Path, workdir: str, script: str) -> Iterator[str]:
    folders = [root / workdir, *(root / folder for folder in _ROOTS)]
    todo = list(_files_of(script, folders))
    folders += [todo[0].parent] if todo else []
    seen: set[Path] = set()
    while todo and len(seen) < MOST_FILES:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in _imports(file):
            top = name.partition(".")[0]
            todo += _own(name, folders, file)
            if top and top not in sys.stdlib_module_names and not any(_own(top, folders, file)):
                yield top


def _files_of(script: str, folders: list[Path]) -> Iterator[Path]:
    if script.startswith("-m "):
        name = script.removeprefix("-m ")
        yield from _own(name, folders, folders[0] / "x.py")
        yield from _own(f"{name}.__main__", folders, folders[0] / "x.py")
    elif (folders[0] / script).is_file():
        yield folders[0] / script


def _own(name: str, folders: Iterable[Path], file: Path) -> Iterator[Path]:
    """The repository's files that an import of this name runs."""
    dots = len(name) - len(name.lstrip("."))
    if dots:
        folders = [file.parents[dots - 1]] if len(file.parents) >= dots else []
    for folder in folders:
        path = folder.joinpath(*(part for part in name.split(".") if part))
        found = [one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()]
        if found or path.is_dir():
            yield from found
            return


def _imports(file: Path) -> Iterator[str]:
    """Names as written, dots in front included; nothing for what is no Python."""
    try:
        if file.stat().st_size > MOST_BYTES:
            return
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}{'' if module.endswith('.') else '.'}{alias.name}" for alias in node.names)


def _required(root: Path) -> Iterator[str]:
    """Package names of requirements.txt and pyproject.toml, as they are imported where that is the same."""
    for line in [*_text(root / "requirements.txt").splitlines(), *_of_project(root / "pyproject.toml")]:
        name = _NAME.match(line)
        if name and not line.lstrip().startswith("#"):
            yield _IMPORTED_AS.get(name[1].lower(), name[1].lower().replace("-", "_"))


_IMPORTED_AS = {"scikit-learn": "sklearn", "pytorch-lightning": "pytorch_lightning"}


def _of_project(file: Path) -> list[str]:
    try:
        listed = tomllib.loads(_text(file)).get("project", {}).get("dependencies", [])
    except ValueError:
        return []
    return [line for line in listed if isinstance(line, str)] if isinstance(listed, list) else []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")[:MOST_BYTES]
    except OSError:
        return ""
