"""The kernel's word on memory: how often it has killed a process of this control group."""

from __future__ import annotations

import os
from typing import Iterator, List, NamedTuple, Optional, Tuple

CGROUPS = "/sys/fs/cgroup"


class MemoryKills(NamedTuple):
    """A counter of the kernel's kills, where it stands, and the group's limit in bytes (None: no limit)."""

    killed: int
    source: str
    limit: Optional[int]


def kills(root: str = CGROUPS, own: str = "/proc/self/cgroup") -> Optional[MemoryKills]:
    """Where the counter stands now; None where no counter can be read."""
    for folder, is_unified in _folders(root, own):
        for name, key in _counters(is_unified=is_unified):
            count = _counter(os.path.join(folder, name), key)
            if count is not None:
                limit = "memory.max" if is_unified else "memory.limit_in_bytes"
                return MemoryKills(count, os.path.join(folder, name), _limit(os.path.join(folder, limit)))
    return None


def _counters(*, is_unified: bool) -> Tuple[Tuple[str, str], ...]:
    if is_unified:
        return (("memory.events", "oom_kill"),)
    # Kernels before 4.13 count only how often the limit was met.
    return (("memory.oom_control", "oom_kill"), ("memory.failcnt", ""))


def _folders(root: str, own: str) -> Iterator[Tuple[str, bool]]:
    """Where this process's memory group may be: its own path, or the mount itself inside a container."""
    for line in _lines(own):
        _number, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = [(root, True), (os.path.join(root, "unified"), True)]
        elif "memory" in controllers.split(","):
            mounts = [(os.path.join(root, "memory"), False)]
        else:
            continue
        for mount, is_unified in mounts:
            yield os.path.join(mount, path.lstrip("/")), is_unified
            yield mount, is_unified


def _counter(path: str, key: str) -> Optional[int]:
    for line in _lines(path):
        words = line.split()
        if words[:-1] == ([key] if key else []) and words[-1].isdigit():
            return int(words[-1])
    return None


def _limit(path: str) -> Optional[int]:
    words = " ".join(_lines(path)).split()
    value = int(words[0]) if words and words[0].isdigit() else None
    # Version 1 spells "no limit" as a number close to 2^63.
    return value if value is not None and value < 1 << 60 else None


def _lines(path: str) -> List[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
