"""What `--data NAME=URI` means where the data must be on this machine already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ipymlops.errors import UsageProblem
from ipymlops.spec import Pairs


def data_paths(platform: str, data: Pairs, env: Mapping[str, str]) -> dict[str, Path]:
    """The absolute path behind each name.

    Raises: `UsageProblem` for another scheme, a bad name, a name below another one, or a missing path.
    """
    refuse_bad_names([name for name, _ in data])
    return {name: _path(platform, name, uri, env) for name, uri in data}


def refuse_bad_names(names: Sequence[str]) -> None:
    """Raise `UsageProblem` for a name that is no path below the data folder, and for one below another."""
    _refuse_nested(names)
    for name in names:
        _refuse_bad_name(name)


def _refuse_bad_name(name: str) -> None:
    if "\0" in name or {"", ".", ".."} & set(name.split("/")):
        raise UsageProblem(
            f"--data cannot be called {name!r}; nothing was started",
            why="its name is a path below the data folder: no slash at its ends, none doubled, no . and no ..",
            fix="--data train=/path/to/the/data",
        )


def _refuse_nested(names: Sequence[str]) -> None:
    for name in names:
        for other in names:
            if name.startswith(f"{other}/"):
                raise UsageProblem(
                    f"--data {name} would lie within --data {other}; nothing was started",
                    why="each is a folder or file of its own, and nothing is written into another's",
                    fix=f"--data {name.replace('/', '-')}=/path/to/the/data",
                )


def _path(platform: str, name: str, uri: str, env: Mapping[str, str]) -> Path:
    scheme = urlsplit(uri).scheme if "://" in uri else ""
    if scheme not in ("", "file"):
        raise UsageProblem(
            f"{platform} cannot read {scheme}:// (--data {name}); nothing was started",
            why="its jobs run on this machine and take local paths and file:// URIs",
            fix=f"fetch it first, then --data {name}=/path/to/the/copy",
        )
    text = unquote(urlsplit(uri).path) if scheme else uri
    if text == "~" or text.startswith("~/"):
        text = env.get("HOME", "~") + text[1:]
    path = Path(text)
    if not path.is_absolute() or not path.exists():
        raise UsageProblem(
            f"--data {name} is not there; nothing was started",
            why=f"{'no such path' if path.is_absolute() else 'not an absolute path'}: {text}",
            fix=f"--data {name}={path.absolute()}" if path.exists() else f"ls -d {path.parent}",
        )
    return path
