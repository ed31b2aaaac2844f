"""The files that settings come from."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ipymlops.errors import UsageProblem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

USER_FILE = "config.toml"

Table = Mapping[str, Any]


def project_table(cwd: Path) -> tuple[Path | None, Table]:
    """The nearest pyproject.toml with `[tool.ipymlops]`, from `cwd` up to the repository's root, and that table.

    Outside a repository only `cwd` itself is looked at: a file further up is somebody else's.
    """
    for folder in _folders(cwd):
        path = folder / "pyproject.toml"
        tool = read(path).get("tool", {}) if _names_us(path) else {}
        table = tool.get("ipymlops") if isinstance(tool, dict) else None
        if isinstance(table, dict):
            return path, table
    return None, {}


def _names_us(path: Path) -> bool:
    """Whether a file can have our table; one that has not may be broken for all we care."""
    try:
        return b"ipymlops" in path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except OSError:
        return True  # it is told when it is read


def user_table(home: Path) -> tuple[Path, Table]:
    path = home / USER_FILE
    return path, read(path) if path.is_file() else {}


def read(path: Path) -> dict[str, Any]:
    """Raises `UsageProblem` with file and line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise malformed(path, str(error)) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageProblem(f"{path} cannot be read", why=why, fix=f"ls -l {shlex.quote(str(path))}") from error


def malformed(path: Path, why: str) -> UsageProblem:
    """The parser's sentence names the line."""
    line = re.search(r"line (\d+)", why)
    shown = f"sed -n {line[1]}p" if line else "tail -n 3"
    return UsageProblem(
        f"{path} is no valid TOML", why=why, fix=f"{shown} {shlex.quote(str(path))}  # shows what to correct"
    )


def _folders(cwd: Path) -> Iterator[Path]:
    inside = [cwd, *cwd.parents]
    root = next((folder for folder in inside if (folder / ".git").exists()), cwd)
    for folder in inside:
        yield folder
        if folder == root:
            return
