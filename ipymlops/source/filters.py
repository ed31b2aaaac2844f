"""Git's filter drivers: programs of the user's that git runs on a file's way in. LFS is done here instead."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ipymlops.source import lfs
from ipymlops.source.git import Git
from ipymlops.source.index import Entries
from ipymlops.source.notebooks import is_notebook
from ipymlops.source.paths import printable

LFS = "lfs"


@dataclass(frozen=True)
class Filters:
    """The drivers that are configured, and the driver that the attributes give to each path (absent: none)."""

    configured: frozenset[str]
    by_path: Mapping[bytes, str]

    def has_lfs(self, path: bytes) -> bool:
        return self.by_path.get(path) == LFS


def configured_filters(config: Mapping[str, str]) -> frozenset[str]:
    keys = (key.split(".", 1)[1].rpartition(".") for key in config if key.startswith("filter."))
    return frozenset(name for name, _, field in keys if field in ("clean", "smudge", "process", "required"))


def without(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Settings with which git takes a file through these filters as it is."""
    empty = (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
    return tuple((f"filter.{name}.{field}", value) for name in sorted(names) for field, value in empty)


def read_filters(git: Git, root: Path, config: Mapping[str, str], paths: Iterable[bytes]) -> Filters:
    """Git is only asked where some attributes file speaks of filters: it takes its time over thousands of paths."""
    names = list(paths)
    if not any(b"filter=" in _content(file) for file in _attribute_files(git, root, config, names)):
        return Filters(configured_filters(config), {})
    fields = git.fields("check-attr", "-z", "--stdin", "filter", stdin=b"".join(path + b"\0" for path in names))
    rows = zip(*[iter(fields)] * 3, strict=True)
    by_path = {path: value.decode(errors="replace") for path, _, value in rows if value not in _NO_FILTER}
    return Filters(configured_filters(config), by_path)


def filter_warnings(filters: Filters, root: Path, common_dir: Path, entries: Entries, prefix: bytes) -> list[str]:
    """What does not travel as it lies there: pointers whose file was never fetched, files that git stores otherwise."""
    ours = [path for path in filters.by_path if path in entries and not is_notebook(path)]
    pointers = [path for path in ours if filters.has_lfs(path) and _is_bare_pointer(root, common_dir, path)]
    said = []
    if pointers:
        said.append(
            f"{len(pointers)} Git LFS file(s) are only pointers here, and the job gets the pointers "
            f"(first: {printable(prefix + pointers[0])}); fetch them with: git lfs pull"
        )
    for name in sorted(filters.configured - {LFS}):
        through = [path for path in ours if filters.by_path[path] == name]
        if through:
            said.append(
                f"{len(through)} file(s) go through the git filter {printable(name)!r}: the job gets what git stores "
                f"(first: {printable(prefix + through[0])})"
            )
    return said


_NO_FILTER = (b"unspecified", b"unset", b"set")


def _is_bare_pointer(root: Path, common_dir: Path, path: bytes) -> bool:
    file = root / os.fsdecode(path)
    try:
        if file.lstat().st_size > lfs.LARGEST_POINTER:
            return False
        pointer = lfs.parse(file.read_bytes())
    except OSError:  # left out by a sparse checkout, or a link to nowhere
        return False
    return pointer is not None and lfs.find_object(pointer, common_dir, root, path) is None


def _attribute_files(git: Git, root: Path, config: Mapping[str, str], paths: Iterable[bytes]) -> list[Path]:
    users = config.get("core.attributesfile")
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    inside = [root / os.fsdecode(path) for path in paths if path.endswith(b".gitattributes")]
    everywhere = [Path(users).expanduser() if users else base / "git" / "attributes", Path("/etc/gitattributes")]
    return [*inside, *everywhere, git.git_dir / "info" / "attributes"]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
