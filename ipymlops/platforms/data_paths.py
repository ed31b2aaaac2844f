"""What `--data NAME=URI` means where the data must be on this machine already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ipymlops.errors import UsageProblem
from ipymlops.spec import Pairs


def data_paths(platform: str, data: Pairs, env: Mapping[str, str]) -> dict[str, Path]:
    """The absolute path behind each name. Raises `UsageProblem` for another scheme, a bad name or a missing path."""
    return {_checked_name(name): _path(platform, name, uri, env) for name, uri in data}


def _checked_name(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise UsageProblem(
            f"--data cannot be called {name!r}; nothing was started",
            why="its name is a path below the data folder: no leading slash, no ..",
            fix="--data train=/path/to/the/data",
        )
    return name


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
