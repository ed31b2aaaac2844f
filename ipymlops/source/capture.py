"""A snapshot of the code as it stands; the user's repository stays as it is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import platformdirs

from ipymlops.errors import SourceProblem
from ipymlops.source import ignore, index, manifest, refs, secrets
from ipymlops.source.gather import Gathered, Workshop, gather
from ipymlops.source.git import Git, find_git
from ipymlops.source.index import Entries
from ipymlops.source.notebooks import is_notebook, stripped
from ipymlops.source.objects import blob_id, blobs
from ipymlops.source.paths import printable, shown
from ipymlops.source.repository import Repository, find_repository, private_store
from ipymlops.source.seen import Seen, find_secrets, read_seen, strip_notebooks, write_seen
from ipymlops.spec import Snapshot


def snapshot(
    folder: Path,
    *,
    include: Sequence[str] = (),
    allow_secrets: Sequence[str] = (),
    job_id: str | None = None,
    objects: Path | None = None,
) -> Snapshot:
    """The repository that contains `folder`, with uncommitted and untracked files, as a git tree.

    Only `objects/` and `refs/ipymlops/` of the git folder gain something. Where it is not ours to write (read-only, or
    somebody else's), and for a folder without a repository, objects and refs go to a bare repository below `objects`.

    Args:
        include: Ignored paths to bring in: globs from the root, with or without a slash before them.
        allow_secrets: Paths that may look like secrets, likewise from the root.
        job_id: Also keep the snapshot for this job (`keep`).
        objects: Where our bare repositories lie (default: below IPYMLOPS_HOME).
    Raises: `SourceProblem` for a likely secret, an unreadable file, no or an old git, a full disk.
    """
    start = _existing(folder)
    program = find_git()
    repository = find_repository(start)
    root = repository.root if repository else start
    places = objects or _default_objects()
    choice = ignore.choices(root, include)
    try:
        with tempfile.TemporaryDirectory(prefix="ipymlops-") as scratch:
            shop = _with_store(Workshop(program, Path(), Path(scratch), root, choice), repository, places)
            found = gather(shop, repository, root)
            taken = _taken(shop, repository, found, allow_secrets)
    except OSError as error:  # git's own troubles are no OSError: this is the temporary folder, or ours below `objects`
        why = f"{error.strerror or error}: {error.filename or tempfile.gettempdir()}"
        fix = f"df -h '{tempfile.gettempdir()}' '{root}'"
        raise SourceProblem(f"no snapshot of {root} could be taken", why=why, fix=fix) from error
    if job_id is not None:
        refs.keep(taken, job_id)
    return taken


def root_of(folder: Path) -> Path:
    """What a snapshot of `folder` takes in: the whole repository, else the folder itself."""
    start = _existing(folder)
    repository = find_repository(start)
    return repository.root if repository else start


def relative_folder(taken: Snapshot, folder: Path) -> str:
    """The folder below the snapshot's root, POSIX, "" for the root itself; raises `SourceProblem` outside of it."""
    place, root = Path(os.path.realpath(folder)), Path(taken.root)
    if not place.is_relative_to(root):
        raise SourceProblem(
            f"{place} is outside the repository",
            why=f"only what is below {root} is sent",
            fix=f"cp -r '{place}' '{root}/'",
        )
    relative = place.relative_to(root).as_posix()
    return "" if relative == "." else relative


def _existing(folder: Path) -> Path:
    place = Path(os.path.realpath(folder))
    if not place.is_dir():
        raise SourceProblem(f"{place} is not a folder", why="there is no code to send", fix="cd to your repository")
    return place


def _default_objects() -> Path:
    home = os.environ.get("IPYMLOPS_HOME")
    return (Path(home) if home else platformdirs.user_data_path("ipymlops")) / "objects"


def _with_store(shop: Workshop, repository: Repository | None, objects: Path) -> Workshop:
    root = shop.top
    if repository and repository.is_writable and not repository.is_foreign:
        store = repository.common_dir
    else:
        store = private_store(shop.program, root, repository, objects)
    home = Path(os.path.realpath(objects.parent))
    own = os.fsencode(home.relative_to(root)) if home != root and home.is_relative_to(root) else None
    return replace(shop, store=store, own=own)


def _taken(shop: Workshop, repository: Repository | None, found: Gathered, allowed: Sequence[str]) -> Snapshot:
    """Make the tree of what was gathered, look it over, and write it down."""
    keeper = Git(shop.program, shop.store)
    seen = read_seen(keeper)
    known = {**seen.notebooks, **{oid: oid for oid in found.stripped}}
    notebooks = strip_notebooks(found.git, found.entries, known)
    tree = _write_tree(found, notebooks)
    entries = found.entries
    likely = find_secrets(found.git, entries, tree, seen)
    now = Seen(tree, notebooks, likely)
    if now != seen:
        write_seen(keeper, now)
    secrets.refuse(likely, allowed, shop.top)
    return _described(shop, repository, found, tree)


def _write_tree(found: Gathered, notebooks: dict[bytes, bytes]) -> str:
    """The tree's id, after each notebook has given way to its stripped form."""
    changes: Entries = {}
    for path, (mode, oid) in found.entries.items():
        if is_notebook(path) and notebooks.get(oid, oid) != oid:
            changes[path] = (mode, notebooks[oid])
    index.add_entries(found.git, changes)
    found.entries.update(changes)
    return found.git.text("write-tree")


def _described(shop: Workshop, repository: Repository | None, found: Gathered, tree: str) -> Snapshot:
    git, entries, status = found.git, found.entries, found.status
    skipped = {path.rstrip(b"/") for path in found.left_out if path.endswith(b"/")}
    walked = manifest.walk(shop.top, skipped)
    counts = manifest.entry_sizes(git, entries, walked, {path for path in entries if is_notebook(path)})
    left_out, more = manifest.left_out_rows(shop.top, found.left_out, walked)
    links = manifest.link_warnings(git, entries)
    changed = _changed(found) if status.commit else []
    is_unborn = repository is not None and status.commit is None
    return Snapshot(
        tree=tree,
        commit=status.commit if repository else None,
        branch=status.branch if repository else None,
        dirty=bool(changed) or (is_unborn and bool(entries)),
        root=str(shop.top),
        git_dir=str(shop.store),
        snapshot_commit=_commit(git, status.commit, status.branch, tree) if repository else "",
        files=len(entries),
        bytes=sum(counts.values()),
        changed=tuple(shown(path) for path in sorted(changed)),
        left_out=tuple(left_out),
        warnings=(*manifest.size_warning(counts), *links, *found.warnings, *more),
    )


def _changed(found: Gathered) -> list[bytes]:
    """Paths that differ from HEAD in what is sent; a notebook that only ran again does not."""
    heads = found.status.heads.items()
    changed = [path for path, head in heads if found.entries.get(path) != head]
    ran = [path for path in changed if is_notebook(path) and found.status.heads[path] and path in found.entries]
    before = {path: (found.status.heads[path] or (b"", b""))[1] for path in ran}
    clean = {
        blob.oid: blob_id(stripped(blob.content()), like=blob.oid)
        for blob in (blobs(found.git, sorted(set(before.values()))) if before else ())
    }
    return [path for path in changed if path not in before or clean[before[path]] != found.entries[path][1]]


def _commit(git: Git, parent: str | None, branch: str | None, tree: str) -> str:
    message = f"ipymlops: {printable(branch or 'a detached HEAD')} as it stood"
    return git.text("commit-tree", tree, *(["-p", parent] if parent else []), "-m", message)
