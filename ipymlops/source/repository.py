"""Which repository a folder belongs to, and where the objects of its snapshots are kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ipymlops.source.git import Git


@dataclass(frozen=True)
class Repository:
    """A work tree and its git folders: `git_dir` is this worktree's own, `common_dir` holds objects and refs."""

    root: Path
    git_dir: Path
    common_dir: Path

    @property
    def is_foreign(self) -> bool:
        """Somebody else owns it: then his programs are not run, and nothing of ours is left in it."""
        return self.git_dir.stat().st_uid != os.geteuid()

    @property
    def is_writable(self) -> bool:
        """Objects and refs can be written: a single fan-out folder of another owner already spoils it."""
        objects, refs = str(self.common_dir / "objects"), str(self.common_dir / "refs")
        fan_out = [f"{objects}/{name}" for name in os.listdir(objects) if len(name) == len("ab")]  # noqa: PTH208
        ours = [place for place in (f"{refs}/ipymlops", f"{refs}/ipymlops/jobs") if os.path.exists(place)]  # noqa: PTH110
        return all(os.access(place, os.W_OK | os.X_OK) for place in (objects, refs, *ours, *fan_out))


def find_repository(folder: Path) -> Repository | None:
    """The repository that contains `folder` (absolute, no symlinks), as git finds it; None if there is none.

    GIT_DIR is not asked: a job sends the folder the user stands in. Other file systems above are not searched.
    """
    device = folder.stat().st_dev
    for place in (folder, *folder.parents):
        if place.stat().st_dev != device:
            return None
        found = repository_at(place)
        if found:
            return found
    return None


def repository_at(root: Path) -> Repository | None:
    """The repository whose work tree starts exactly here."""
    git_dir = root / ".git"
    if git_dir.is_file():
        git_dir = _pointed_to(git_dir)
    if not os.path.lexists(git_dir / "HEAD"):
        return None
    common = git_dir / "commondir"
    common_dir = Path(os.path.realpath(git_dir / _first_line(common))) if common.is_file() else git_dir
    if not (common_dir / "objects").is_dir() or not (common_dir / "refs").is_dir():
        return None
    return Repository(root, git_dir, common_dir)


def private_store(program: str, root: Path, repository: Repository | None, objects: Path) -> Path:
    """A bare repository of ours below `objects`, for a root whose own git folder is absent or not ours to write.

    It sees the objects of the root's repository, so it holds only what is new.
    """
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:20]
    store = objects / f"{name}.git"
    if not (store / "HEAD").exists():
        _make_store(program, store, _object_format(program, repository))
    if repository is not None:
        _see_objects_of(store, repository.common_dir / "objects")
    return store


def is_private_store(git_dir: Path) -> bool:
    return (git_dir / "ipymlops").exists()


def _make_store(program: str, store: Path, object_format: str) -> None:
    """Made beside its place and moved there: two at once leave one, whole."""
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = Path(tempfile.mkdtemp(prefix=".new-", dir=store.parent))
    try:
        words = ["init", "-q", "--bare", "--template="]
        words += [f"--object-format={object_format}"] if object_format else []
        Git(program, half).run(*words)
        (half / "info").mkdir(exist_ok=True)
        (half / "ipymlops").touch()
        half.rename(store)
    except OSError:
        if not (store / "HEAD").exists():
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _object_format(program: str, repository: Repository | None) -> str:
    """The word for `git init`, empty for its default."""
    if repository is None or b"objectformat" not in (repository.common_dir / "config").read_bytes().lower():
        return ""
    return Git(program, repository.git_dir).text("config", "--default", "", "extensions.objectFormat")


def _see_objects_of(store: Path, objects: Path) -> None:
    wanted = os.fsencode(objects) + b"\n"
    alternates = store / "objects" / "info" / "alternates"
    if not alternates.exists() or alternates.read_bytes() != wanted:
        alternates.parent.mkdir(exist_ok=True)
        half = alternates.with_name(f"alternates.{os.getpid()}")
        half.write_bytes(wanted)
        half.replace(alternates)


def _pointed_to(git_file: Path) -> Path:
    word = _first_line(git_file).removeprefix("gitdir:").strip()
    return Path(os.path.realpath(git_file.parent / word))


def _first_line(file: Path) -> str:
    return os.fsdecode(file.read_bytes()).split("\n", 1)[0]
