"""The packages that a script imports, itself and through the repository's own modules: read, never imported."""

from __future__ import annotations

import ast
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_FILES, MOST_READ = 60, 64_000
"""So many modules, and bytes of them, are read, the nearest first: they have named the packages by then."""
MOST_BYTES = 1_000_000
"""Of one file."""
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
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
    todo = deque(_files_of(script, folders))
    folders = list(dict.fromkeys([*folders, *(file.parent for file in todo)]))
    seen: dict[Path, int] = {}
    is_own = cache(lambda top: _is_own(top, folders))
    while todo and len(seen) < MOST_FILES and sum(seen.values()) < MOST_READ:
        file = todo.popleft()
        if file in seen:
            continue
        source = _source(file)
        seen[file] = len(source)
        for name in _imports(source):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names:
                continue
            if top and not is_own(top):
                yield top
            else:
                todo += _own(name, folders, file)


def _is_own(top: str, folders: list[Path]) -> bool:
    """Whether the repository has a module or a package of that name; a folder without Python is neither."""
    paths = [folder / top for folder in folders]
    return any(path.with_suffix(".py").is_file() or any(path.glob("*.py")) for path in paths)


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


def _source(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.stat().st_size <= MOST_BYTES else b""
    except OSError:
        return b""


def _imports(source: bytes) -> Iterator[str]:
    """Names as written, dots in front included; nothing for what is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}{'' if module.endswith('.') else '.'}{alias.name}" for alias in node.names)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements, at any depth; expressions, of which there are many more, hold no import."""
    todo = deque([tree])
    while todo:
        node = todo.popleft()
        yield node
        for field in _BODIES:
            inner = getattr(node, field, ())
            todo += inner if isinstance(inner, list) else ()


def _required(root: Path) -> Iterator[str]:
    """Package names of requirements, environments and locks, as they are imported where that is the same."""
    lines = [*_text(root / "requirements.txt").splitlines(), *_of_project(root / "pyproject.toml")]
    for name in _ENVIRONMENTS:
        lines += _LISTED.findall(_text(root / name))
    for name in _LOCKS:
        lines += _LOCKED.findall(_text(root / name))
    for line in lines:
        found = _NAME.match(line)
        if found and not line.lstrip().startswith("#"):
            word = found[1].lower()
            yield _IMPORTED_AS.get(word, word.replace("-", "_"))


_ENVIRONMENTS, _LISTED = ("environment.yml", "environment.yaml"), re.compile(r"^\s*-\s+(\S+)", re.MULTILINE)
_LOCKS, _LOCKED = ("uv.lock", "poetry.lock", "pdm.lock"), re.compile(r"^name = \"([^\"]+)\"", re.MULTILINE)
_IMPORTED_AS = {
    "scikit-learn": "sklearn",
    "pytorch": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-cpu": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "xgboost-cpu": "xgboost",
}


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
