"""The refs that keep the code of jobs: `refs/ipymlops/jobs/<id>`."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from pathlib import Path

from ipymlops.errors import SourceProblem
from ipymlops.source.git import Git, find_git
from ipymlops.source.repository import is_private_store
from ipymlops.spec import Snapshot

JOBS = "refs/ipymlops/jobs"
DAY_S = 86_400


def keep(snapshot: Snapshot, job_id: str) -> None:
    """Let `refs/ipymlops/jobs/<job_id>` hold the snapshot, so that git never collects it as garbage.

    Nothing else of the repository moves; the user's hooks do not run. Doing it twice is harmless.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", job_id):
        raise SourceProblem(f"{job_id!r} cannot name a ref", why="letters, digits, - and _ can")
    git = Git(find_git(), Path(snapshot.git_dir))
    commit = snapshot.snapshot_commit or git.text("commit-tree", snapshot.tree, "-m", "ipymlops: a folder as it stood")
    git.run("update-ref", f"{JOBS}/{job_id}", commit)


def prune(git_dir: Path | str, keep_ids: Collection[str] = (), older_than_days: float = 90) -> list[str]:
    """Remove the refs of jobs whose snapshot is older, except `keep_ids`; the ids that went.

    Their objects become garbage that the repository's next gc collects; in a store of ours they are collected here
    (what is younger than two weeks stays, for a snapshot may be under way).
    """
    git = Git(find_git(), Path(git_dir))
    before = time.time() - older_than_days * DAY_S
    rows = git.text("for-each-ref", "--format=%(refname) %(objectname) %(committerdate:unix)", JOBS).splitlines()
    old = [(ref, oid) for ref, oid, date in (row.split() for row in rows) if float(date) <= before]
    gone = [(ref.rpartition("/")[2], ref, oid) for ref, oid in old]
    gone = [row for row in gone if row[0] not in keep_ids]
    if gone:
        git.run("update-ref", "--stdin", stdin="".join(f"delete {ref} {oid}\n" for _, ref, oid in gone).encode())
        if is_private_store(Path(git_dir)):
            git.run("gc", "--quiet", "--prune=2.weeks.ago")
    return [job_id for job_id, _, _ in gone]
