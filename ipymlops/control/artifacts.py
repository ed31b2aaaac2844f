"""A job's files, listed and fetched; the paths are other people's text and never lead out of the folder."""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ipymlops.context import Context
from ipymlops.control.transfer import transferred, writing
from ipymlops.control.wording import called, line, listing
from ipymlops.errors import NotSignedIn, PlatformProblem, Unreachable, UsageProblem
from ipymlops.job import Artifact, Job
from ipymlops.platforms.base import Platform
from ipymlops.platforms.digests import digest_of
from ipymlops.spec import PlatformRef


def listed(context: Context, job: Job, glob: str | None = None) -> tuple[Artifact, ...]:
    """What the job has written so far, by path; `*` in `glob` crosses `/`."""
    if job.ref is None:
        return ()
    found = context.platforms[job.platform].artifacts(job.ref)
    return tuple(sorted((one for one in found if _matches(one.path, glob)), key=lambda one: one.path))


def fetch(context: Context, job: Job, glob: str | None, to: Path, *, force: bool = False) -> tuple[Artifact, ...]:
    """Write the files that match to `to`/path, each at once or not at all; one that is there and equal is left alone.

    Files that have not arrived are named, and passed over.

    Raises:
        `UsageProblem` if one is there and differs, unless `force`; nothing was written then. Also if none matches.
        `PlatformProblem` if a path would lead out of the folder; nothing was written.
    """
    every = listed(context, job)
    files = tuple(one for one in every if _matches(one.path, glob))
    if glob is not None and not files:
        return (_fetch_unlisted(context, job, glob, to, every, force=force),)
    files = _without_what_others_hold(files)
    for one in files:
        _refuse_hostile(job, one.path)
    if job.ref is None:
        return ()
    lost = [one.path for one in files if not one.has_arrived]
    if lost:
        context.screen.note(f"{listing(lost)} cannot be fetched: written by the job, and lost with its machine")
    files = tuple(one for one in files if one.has_arrived)
    platform = context.platforms[job.platform]
    there = {one.path for one in files if os.path.lexists(to / one.path)}
    differing = [one.path for one in files if one.path in there and _differs(platform, job.ref, one, to)]
    if differing and not force:
        raise _in_the_way(job, differing, to, glob)
    todo = [one for one in files if one.path not in there or one.path in differing]
    transferred(context, platform, job.ref, todo, to)
    return files


def _without_what_others_hold(files: Sequence[Artifact]) -> tuple[Artifact, ...]:
    """An archive that is fetched brings its members, which cannot lie below it as well."""
    paths = {one.path for one in files}
    return tuple(one for one in files if not any(str(above) in paths for above in PurePosixPath(one.path).parents))


def _fetch_unlisted(
    context: Context, job: Job, path: str, to: Path, every: Sequence[Artifact], *, force: bool
) -> Artifact:
    """A file that is named by its whole path and was not listed: inside a large archive, for example.

    What it is shows only once it is here, so it comes to the disk that it is meant for, and is then put in its place.
    """
    none = UsageProblem(f"no file of {called(job)} matches {path!r}", fix=line("artifacts", job.number))
    if job.ref is None or any(sign in path for sign in "*?[") or _is_hostile(path):
        raise none
    most = next((one.bytes for one in every if path.startswith(f"{one.path}/")), 0)  # as large as what it is inside of
    target = to / path
    with writing(path, target), tempfile.TemporaryDirectory(prefix=".ipymlops-", dir=_disk_of(target)) as folder:
        try:
            transferred(context, context.platforms[job.platform], job.ref, [Artifact(path, most)], Path(folder))
        except (Unreachable, NotSignedIn):
            raise
        except PlatformProblem as problem:
            raise none from problem
        copy = Path(folder) / path
        found = Artifact(path, copy.stat().st_size)
        if not _is_equal(copy, target):
            if os.path.lexists(target) and not force:
                raise _in_the_way(job, [path], to, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(target)
    return found


def _disk_of(target: Path) -> Path:
    """The nearest folder that is there."""
    return next(one for one in target.absolute().parents if one.is_dir())


def _is_equal(copy: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(copy, target, shallow=False)


def _differs(platform: Platform, ref: PlatformRef, one: Artifact, to: Path) -> bool:
    """Whether what is there is another content; it is fetched to compare where no digest tells."""
    target = to / one.path
    if not target.is_file() or target.stat().st_size != one.bytes:
        return True
    if one.digest:
        kind, _, digest = one.digest.partition(":")
        return digest_of(target, kind) != digest  # no need to fetch it
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        platform.fetch(ref, one.path, copy)
        return not _is_equal(copy, target)


def _matches(path: str, glob: str | None) -> bool:
    return glob is None or path == glob or fnmatchcase(path, glob)


def _refuse_hostile(job: Job, path: str) -> None:
    if _is_hostile(path):
        raise PlatformProblem(
            f"{called(job)} has a file whose path leads out of its folder: {path!r}",
            why="an honest output has none such; nothing was written",
            fix="name the files you want with a pattern that leaves it out",
        )


def _is_hostile(path: str) -> bool:
    return "\0" in path or any(part in {"", ".", ".."} for part in path.split("/"))


def _in_the_way(job: Job, paths: list[str], to: Path, glob: str | None) -> UsageProblem:
    words = [job.number, *([glob] if glob is not None else []), "--to", to, "--force"]
    return UsageProblem(
        f"{listing(paths)} would be overwritten in {to}",
        why="it is there already and differs; nothing was written",
        fix=line("artifacts", *words),
    )
