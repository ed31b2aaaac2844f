"""Fill the temporary index with the work tree as it stands, repositories inside it included."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ipymlops.errors import SourceProblem
from ipymlops.source import filters as filtering
from ipymlops.source import ignore, index, lfs
from ipymlops.source.filters import Filters
from ipymlops.source.git import Git
from ipymlops.source.index import GITLINK, Entries, Entry, Status
from ipymlops.source.notebooks import is_notebook, stripped
from ipymlops.source.objects import sizes, write_blobs
from ipymlops.source.paths import printable, shown
from ipymlops.source.repository import Repository, repository_at


@dataclass(frozen=True)
class Workshop:
    """What one snapshot works with.

    Attributes:
        store: The git folder that keeps its objects and refs.
        top: The root of the whole snapshot.
        own: The folder of our own records, relative to `top`, if it lies inside.
    """

    program: str
    store: Path
    scratch: Path
    top: Path
    choice: ignore.Choices
    own: bytes | None = None


@dataclass
class Gathered:
    """What one repository, and those inside it, will send; paths are relative to its root."""

    git: Git
    entries: Entries
    status: Status
    left_out: dict[bytes, str] = field(default_factory=dict)
    stripped: set[bytes] = field(default_factory=set)
    """Ids of notebooks that are known to be without outputs."""
    warnings: list[str] = field(default_factory=list)


def gather(shop: Workshop, repository: Repository | None, root: Path, prefix: bytes = b"") -> Gathered:
    """Bring the temporary index of `root` to the state of its files.

    Args:
        prefix: Where `root` lies below `shop.top`: b"" or a path that ends in `/`.
    """
    scratch = Path(tempfile.mkdtemp(dir=shop.scratch))
    git = _git_for(shop, repository, root, scratch)
    config = _config(git)
    drivers = filtering.configured_filters(config) | {filtering.LFS}
    git = replace(git, settings=filtering.without(drivers))  # whatever writes an index may look into files
    listing = index.read_index(git)
    index.look_at_everything(git, root, listing)
    excludes = ignore.excludes_file(
        scratch, config, shop.choice, is_top=not prefix, own=shop.own if not prefix else None
    )
    status = index.read_status(git, excludes.setting)
    found = Gathered(git, listing.entries, status)
    found.left_out.update(ignore.rules_of(git, excludes, status.ignored))
    _bring_in(shop, found, prefix)
    dropped = _drop(shop, found, prefix)
    filters = filtering.read_filters(git, root, config, {*listing.entries, *status.edited})
    is_foreign = repository is not None and repository.is_foreign
    adding = git if is_foreign else replace(git, settings=filtering.without({filtering.LFS}))
    common_dir = repository.common_dir if repository else shop.store
    is_touched = _add(adding, found, filters, root, common_dir)
    if repository is None:
        _keep_index(git, shop.store)
    is_touched |= _add_nested(shop, found, root, prefix, dropped)
    if is_touched or dropped:
        found.entries = index.read_index(git).entries
    found.warnings += filtering.filter_warnings(filters, root, common_dir, found.entries, prefix)
    return found


def _git_for(shop: Workshop, repository: Repository | None, root: Path, scratch: Path) -> Git:
    if repository is None:
        home = Repository(root, shop.store, shop.store)
        return Git(shop.program, shop.store, work_tree=root, index=index.copied_index(home, scratch))
    copy = index.copied_index(repository, scratch)
    if repository.common_dir == shop.store:
        return Git(shop.program, repository.git_dir, work_tree=root, index=copy)
    theirs = repository.common_dir / "objects"
    return Git(
        shop.program,
        repository.git_dir,
        work_tree=root,
        index=copy,
        objects=shop.store / "objects",
        alternates=(theirs,),
    )


def _config(git: Git) -> dict[str, str]:
    pairs = (row.partition(b"\n") for row in git.fields("config", "-z", "--list"))
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs}


def _bring_in(shop: Workshop, found: Gathered, prefix: bytes) -> None:
    """Ignored files that `include` names count as untracked ones."""
    if prefix or not shop.choice.include:
        return
    paths, idle = ignore.included(found.git, shop.choice.include)
    for path in paths:
        if path not in found.entries and not path.endswith(b"/"):
            found.status.edited.add(path)
            found.status.heads.setdefault(path, None)
            found.left_out.pop(path, None)
    found.warnings += [f"include = [{pattern!r}] names no file" for pattern in idle]


def _drop(shop: Workshop, found: Gathered, prefix: bytes) -> set[bytes]:
    """Take out what `.ipymlopsignore` leaves out: it has the last word, over tracked files and `include` too."""
    asked = (prefix + path for path in {*found.entries, *found.status.edited, *found.status.nested})
    rules = ignore.own_rules_of(shop.program, shop.scratch, shop.choice, asked)
    rules = {path[len(prefix) :]: rule for path, rule in rules.items() if len(path) > len(prefix)}
    dropped = {path: rule for path, rule in rules.items() if not path.endswith(b"/")}
    found.left_out = ignore.collapsed({**found.left_out, **dropped}, rules)
    index.remove(found.git, (path for path in dropped if path in found.entries))
    found.status.edited -= dropped.keys()
    for path in dropped:
        found.status.heads.pop(path, None)
    return set(dropped)


def _add(git: Git, found: Gathered, filters: Filters, root: Path, common_dir: Path) -> bool:
    """Enter every edited and new file: notebooks without outputs, LFS files as pointers where the object is there."""
    edited, gone = _sorted_out(root, found.status)
    index.remove(git, gone)
    found.status.edited.intersection_update(edited)
    contents: dict[bytes, bytes] = {}
    for path, mode in edited.items():
        if is_notebook(path) and stat.S_ISREG(mode):
            contents[path] = stripped((root / os.fsdecode(path)).read_bytes())
        elif filters.has_lfs(path) and stat.S_ISREG(mode):
            pointer = lfs.pointer_of(root / os.fsdecode(path))
            if pointer and lfs.find_object(pointer, common_dir, root, path):
                contents[path] = pointer.text()
    index.add_files(git, edited.keys() - contents.keys())
    oids = write_blobs(git, list(contents.values()))
    new = {path: (_mode(edited[path]), oid) for path, oid in zip(contents, oids, strict=True)}
    index.add_entries(git, new)
    found.stripped |= {oid for path, (_, oid) in new.items() if is_notebook(path)}
    return bool(edited or gone)


def _sorted_out(root: Path, status: Status) -> tuple[dict[bytes, int], set[bytes]]:
    """The files to enter with their modes, and the paths to take out; raises for a file that cannot be read."""
    files: dict[bytes, int] = {}
    gone = set(status.deleted)
    top = os.fsencode(root) + b"/"
    unreadable = []
    for path in sorted(status.edited):
        try:
            mode = os.lstat(top + path).st_mode
        except OSError:
            gone.add(path)
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            gone.add(path)
            continue
        files[path] = mode
        if stat.S_ISREG(mode) and not os.access(top + path, os.R_OK):
            unreadable.append(path)
    if unreadable:
        raise unreadable_problem(root, unreadable)
    return files, gone


def unreadable_problem(root: Path, paths: list[bytes]) -> SourceProblem:
    first = printable(paths[0])
    more = f" (and {len(paths) - 1} more)" if paths[1:] else ""
    return SourceProblem(
        f"{first} cannot be read{more}",
        why=f"permission denied in {root}",
        fix=f"chmod -R u+rX {shlex.quote(str(root / shown(paths[0])))}",
    )


def _mode(mode: int) -> bytes:
    return b"100755" if mode & stat.S_IXUSR else b"100644"


def _keep_index(git: Git, store: Path) -> None:
    """Without a repository the index is ours to keep: the next snapshot need not read every file again."""
    if git.index and git.index.exists():
        half = store / f"index.{os.getpid()}.{git.index.parent.name}"
        shutil.copy2(git.index, half)
        half.replace(store / "index")


def _add_nested(shop: Workshop, found: Gathered, root: Path, prefix: bytes, dropped: Iterable[bytes]) -> bool:
    """Submodules and embedded repositories travel as plain files, as they stand."""
    links = {path for path, (mode, _) in found.entries.items() if mode == GITLINK} - set(dropped)
    for path in sorted({*links, *found.status.nested} - set(dropped)):
        inner = repository_at(root / os.fsdecode(path))
        index.remove(found.git, [path] if path in links else [])
        if inner is None:
            where = printable(prefix + path)
            found.warnings.append(
                f"submodule {where} is not checked out, so it is not sent: git submodule update --init"
            )
            continue
        below = gather(shop, inner, inner.root, prefix + path + b"/")
        _copy_objects(shop, below)
        _merge(found, below, path, found.entries.get(path))
    return bool(links or found.status.nested)


def _merge(found: Gathered, below: Gathered, path: bytes, link: Entry | None) -> None:
    inside = path + b"/"
    index.add_entries(found.git, {inside + name: entry for name, entry in below.entries.items()})
    found.status.heads.update({inside + name: head for name, head in below.status.heads.items()})
    if link and below.status.commit and link[1] != below.status.commit.encode():
        found.status.heads[path] = link
    found.left_out.update({inside + name: rule for name, rule in below.left_out.items()})
    found.stripped |= below.stripped
    found.warnings += below.warnings


def _copy_objects(shop: Workshop, below: Gathered) -> None:
    """The store must hold every object itself: the inner repository may go away, or collect its garbage."""
    oids = {oid for _, oid in below.entries.values()}
    missing = oids - sizes(Git(shop.program, shop.store), oids).keys()
    if missing:
        pack = shop.store / "objects" / "pack" / "pack"
        pack.parent.mkdir(exist_ok=True)
        below.git.run("pack-objects", "-q", str(pack), stdin=b"".join(oid + b"\n" for oid in sorted(missing)))
