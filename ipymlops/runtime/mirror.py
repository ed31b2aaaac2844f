"""A folder that the service copies to S3 by itself: whether everything is there, and where the rest goes."""

from __future__ import annotations

import os
import shutil
import time
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional

from ipymlops.runtime.aws import AwsProblem, object_sizes
from ipymlops.runtime.manifest import Listed

PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)
RECENT_S = 300.0
"""What changed so shortly before the end may not have been copied, where nobody can look."""


class Mirror(NamedTuple):
    """Where the folder is copied to, and how long its arrival is waited for."""

    folder: str
    bucket: str
    prefix: str
    region: str
    wait_s: float
    stall_s: float

    @classmethod
    def of(cls, told: Mapping[str, object], region: str) -> Mirror:
        bucket, _, prefix = str(told["uri"])[len("s3://") :].partition("/")
        wait_s, stall_s = float(str(told.get("wait_s", 300))), float(str(told.get("stall_s", 60)))
        return cls(str(told["dir"]), bucket, prefix, region, wait_s, stall_s)


def late_files(
    mirror: Mirror, files: Iterable[Listed], env: Mapping[str, str], is_hurried: Callable[[], bool]
) -> List[Listed]:
    """Wait until the files have arrived with their sizes; what has not, in the time there is.

    Where nobody may look into the bucket, these are the files that changed shortly before.
    """
    missing, now = list(files), time.monotonic()
    ends_at, stalls_at = now + mirror.wait_s, now + mirror.stall_s
    for number in range(1 << 30):
        there = _there(mirror, env)
        if there is None:
            return [one for one in missing if time.time() - one.modified_at < RECENT_S]
        left = [one for one in missing if there.get(one.path) != one.bytes]
        now = time.monotonic()
        stalls_at = now + mirror.stall_s if len(left) < len(missing) else stalls_at
        missing = left
        if not missing or now >= min(ends_at, stalls_at) or is_hurried():
            break
        time.sleep(PAUSES_S[min(number, len(PAUSES_S) - 1)])
    return missing


def save(files: Iterable[Listed], root: str, to: str) -> List[Listed]:
    """Put files where the service packs what it finds at the end; those that could not be put there are given back."""
    lost = []
    for one in files:
        target = os.path.join(to, one.path)
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _link_or_copy(os.path.join(root, one.path), target)
        except OSError:  # no room, or gone
            lost.append(one)
    return lost


def _there(mirror: Mirror, env: Mapping[str, str]) -> Optional[Dict[str, int]]:
    try:
        return object_sizes(mirror.bucket, mirror.prefix, mirror.region, env)
    except AwsProblem:
        return None


def _link_or_copy(path: str, target: str) -> None:
    try:
        os.link(path, target)
    except FileExistsError:
        return
    except OSError:  # another file system
        shutil.copyfile(path, target)
