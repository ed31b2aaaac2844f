"""What the last snapshot of a repository found out, so that the next one looks only at what is new.

`refs/ipymlops/seen` points to a tree with `state.json` and the last snapshot's tree. The latter keeps everything that
the former names alive, and two snapshots compare in a few milliseconds. It is a cache: lost or spoilt, it is made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ipymlops.errors import SourceProblem
from ipymlops.source import secrets
from ipymlops.source.git import Git
from ipymlops.source.index import Entries
from ipymlops.source.notebooks import is_notebook, stripped
from ipymlops.source.objects import blobs, sizes, write_blobs

REF = "refs/ipymlops/seen"
VERSION = 1
"""Raise it when a rule of `secrets` or `notebooks` changes: then everything is looked at again."""


@dataclass(frozen=True)
class Seen:
    """The last snapshot's tree ("" for none), its notebooks (id as stored → id stripped) and its likely secrets."""

    tree: str = ""
    notebooks: Mapping[bytes, bytes] = field(default_factory=dict)
    secrets: Mapping[bytes, str] = field(default_factory=dict)


def read_seen(git: Git) -> Seen:
    try:
        state = json.loads(git.run("cat-file", "blob", f"{REF}:state.json"))
        if state["version"] != VERSION:
            return Seen()
        notebooks = {raw.encode(): clean.encode() for raw, clean in state["notebooks"].items()}
        return Seen(state["tree"], notebooks, {os.fsencode(path): kind for path, kind in state["secrets"].items()})
    except (SourceProblem, ValueError, KeyError, AttributeError):
        return Seen()


def write_seen(git: Git, seen: Seen) -> None:
    """Another snapshot may be writing the same at this moment: either result will do."""
    notebooks = {raw.decode(): clean.decode() for raw, clean in seen.notebooks.items()}
    found = {os.fsdecode(path): kind for path, kind in seen.secrets.items()}
    state = {"version": VERSION, "tree": seen.tree, "notebooks": notebooks, "secrets": found}
    (blob,) = write_blobs(git, [json.dumps(state).encode()])
    rows = f"100644 blob {blob.decode()}\tstate.json\n040000 tree {seen.tree}\ttree\n"
    tree = git.text("mktree", stdin=rows.encode())
    try:
        git.run("update-ref", REF, tree)
    except SourceProblem as error:
        if "lock" not in error.why:
            raise


def strip_notebooks(git: Git, entries: Entries, known: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The stripped form of every notebook in `entries`, by id; only those that are not known are read."""
    ids = {oid for path, (mode, oid) in entries.items() if is_notebook(path) and mode.startswith(b"100")}
    new = sorted(ids - known.keys())
    contents = [stripped(blob.content()) for blob in blobs(git, new)] if new else []
    made = dict(zip(new, write_blobs(git, contents), strict=True))
    return {oid: known.get(oid) or made[oid] for oid in ids}


def find_secrets(git: Git, entries: Entries, tree: str, seen: Seen) -> dict[bytes, str]:
    """Path and kind of everything in `tree` that looks like a secret."""
    if seen.tree == tree:
        return dict(seen.secrets)
    changed = _changed_since(git, seen.tree, tree)
    paths = entries.keys() if changed is None else changed & entries.keys()
    kept = {} if changed is None else {path: kind for path, kind in seen.secrets.items() if path not in changed}
    found = {path: kind for path, kind in kept.items() if path in entries}
    to_read: dict[bytes, list[bytes]] = {}
    for path in paths:
        mode, oid = entries[path]
        kind = secrets.kind_by_name(path)
        if kind:
            found[path] = kind
        elif mode.startswith(b"100"):
            to_read.setdefault(oid, []).append(path)
    small = [oid for oid, size in sizes(git, to_read).items() if 0 < size <= secrets.LARGEST_SCANNED]
    for blob in blobs(git, small):
        kind = secrets.kind_by_content(blob.content())
        found.update(dict.fromkeys(to_read[blob.oid], kind) if kind else {})
    return found


def _changed_since(git: Git, old: str, new: str) -> set[bytes] | None:
    """Paths that differ between two trees; None if the old one is not there to compare with."""
    if not old:
        return None
    try:
        return set(git.fields("diff-tree", "-r", "-z", "--no-renames", "--name-only", old, new))
    except SourceProblem:
        return None
