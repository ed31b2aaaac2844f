"""A folder that the service copies to S3 by itself: whether everything is there, and where the rest goes."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple

from ipymlops.runtime.aws import Object, pages
from ipymlops.runtime.manifest import Listed

PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)
RECENT_S = 300.0
"""What changed so shortly before the end may not have been copied, where nobody can look."""
KEY_BYTES = 1024
SLOW_BYTES_PER_S = 50e6
"""A large file is no stall while it may be on its way at this speed."""
LOOK_S = 5.0
"""At least so long the mirror is looked at, also where there is no time to wait: what it has need not be saved."""
ROUNDED_S = 2.0
"""Times of S3 and of its answers are whole seconds."""
ROOM_BYTES = 64 << 20
"""Of the disk, which copies leave free."""


class Mirror(NamedTuple):
    """Where the folder is copied to.

    Attributes: `since` is when this attempt began: what is older was there before, and was not copied anew.
    """

    folder: str
    bucket: str
    prefix: str
    region: str
    since: float

    @classmethod
    def of(cls, told: Mapping[str, str], region: str, since: float) -> Mirror:
        bucket, _, prefix = told["uri"][len("s3://") :].partition("/")
        return cls(told["dir"], bucket, prefix, region, since)


class Patience(NamedTuple):
    """`is_over`: there is no more time to wait; `stall_s`: so long without anything new is a stall."""

    is_over: Callable[[], bool]
    stall_s: float


def missing_files(mirror: Mirror, files: Iterable[Listed], env: Mapping[str, str], patience: Patience) -> List[Listed]:
    """Wait until the files have arrived; what has not, in the time there is. Raises `AwsProblem`: nobody could look."""
    every = list(files)
    nameless = [one for one in every if not _has_key(mirror, one.path)]
    missing = {one.path: one for one in every if _has_key(mirror, one.path)}
    stalls_at = _stalls_at(missing, patience)
    for number in itertools.count():
        left = _not_there(mirror, missing, env, patience.is_over)
        if len(left) < len(missing):
            stalls_at = _stalls_at(left, patience)
        missing = left
        if not missing or patience.is_over() or time.monotonic() >= stalls_at:
            break
        time.sleep(PAUSES_S[min(number, len(PAUSES_S) - 1)])
    return sorted([*nameless, *missing.values()])


def recent(files: Iterable[Listed]) -> List[Listed]:
    """What is saved where nobody can look."""
    return [one for one in files if time.time() - one.changed_at < RECENT_S]


def save(files: Iterable[Listed], root: str, to: str, is_over: Callable[[], bool]) -> List[Listed]:
    """Put files where the service packs what it finds at the end, small ones first; gives those that were not put."""
    lost = []
    for one in sorted(files, key=lambda one: one.bytes):
        target = os.path.join(to, one.path)
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            is_saved = _is_linked(os.path.join(root, one.path), target) or _is_copied(root, one, target, is_over)
        except OSError:  # no room, or gone
            is_saved = False
        if not is_saved:
            lost.append(one)
    return lost


def _has_key(mirror: Mirror, path: str) -> bool:
    """Whether S3 can have a name for it: text, and not too long."""
    try:
        return len((mirror.prefix + path).encode()) <= KEY_BYTES
    except UnicodeEncodeError:
        return False


def _stalls_at(missing: Mapping[str, Listed], patience: Patience) -> float:
    largest = max((one.bytes for one in missing.values()), default=0)
    return time.monotonic() + patience.stall_s + largest / SLOW_BYTES_PER_S


def _not_there(
    mirror: Mirror, missing: Mapping[str, Listed], env: Mapping[str, str], is_over: Callable[[], bool]
) -> Dict[str, Listed]:
    left, looks_until = dict(missing), time.monotonic() + LOOK_S
    for page in pages(mirror.bucket, mirror.prefix, mirror.region, env):
        ahead_s = page.at - time.time() if page.at else 0.0
        for path, found in page.objects.items():
            if path in left and _is_copy(found, left[path], mirror.since, ahead_s):
                del left[path]
        if not left or (is_over() and time.monotonic() >= looks_until):
            break
    return left


def _is_copy(found: Object, file: Listed, since: float, ahead_s: float) -> bool:
    """A file that was written again at the same size counts only once it was copied after that."""
    if found.bytes != file.bytes:
        return False
    return file.changed_at < since or found.modified_at + ROUNDED_S >= file.modified_at + ahead_s


def _is_linked(path: str, target: str) -> bool:
    try:
        os.link(path, target)
    except FileExistsError:
        return True
    except OSError:  # another file system
        return False
    return True


def _is_copied(root: str, file: Listed, target: str, is_over: Callable[[], bool]) -> bool:
    if is_over() or shutil.disk_usage(os.path.dirname(target)).free < file.bytes + ROOM_BYTES:
        return False
    try:
        shutil.copyfile(os.path.join(root, file.path), target)
    except OSError:
        if os.path.exists(target):
            os.unlink(target)
        raise
    return True
