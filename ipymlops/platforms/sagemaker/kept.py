"""An object read from its beginning, no further than somebody wants; what came once is kept, and not fetched again."""

from __future__ import annotations

import fcntl
import io
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ipymlops.platforms.sagemaker.transfers import Progress, Source, nobody

FIRST_BYTES, LARGEST_BYTES = 256 << 10, 8 << 20
"""How much is asked for at once: little at first, as what is wanted often stands at the beginning."""
KEPT_BYTES = 256 << 20
"""Of one object."""
ALL_BYTES = 512 << 20
OLD_S = 30 * 86400


class KeptStream(io.RawIOBase):
    """The object's bytes in order. `kept` is a file for its beginning; another process may be reading it, too."""

    def __init__(self, source: Source, kept: Path, progress: Progress = nobody) -> None:
        self._source, self._progress = source, progress
        self._at = 0
        self._file = _opened(kept)
        self._have = os.fstat(self._file).st_size if self._file is not None else 0
        self._is_keeper = self._file is not None and _is_locked(self._file)
        self._window, self._window_bytes = b"", FIRST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._kept(len(buffer)) or self._next(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if self._file is not None and not self.closed:
            os.close(self._file)
        super().close()

    def _kept(self, size: int) -> bytes:
        if self._file is None or self._at >= self._have:
            return b""
        return os.pread(self._file, min(size, self._have - self._at), self._at)

    def _next(self, size: int) -> bytes:
        if not self._window and self._at < self._source.size:
            end = min(self._source.size, self._at + self._window_bytes)
            self._window = self._source.part(self._at, end, self._progress)
            self._window_bytes = min(2 * self._window_bytes, LARGEST_BYTES)
            self._keep(self._window)
        data, self._window = self._window[:size], self._window[size:]
        return data

    def _keep(self, data: bytes) -> None:
        """What is read now stays for the next time, as far as there is room."""
        if not self._is_keeper or self._file is None or self._at + len(data) > KEPT_BYTES:
            self._is_keeper = False
            return
        try:
            os.pwrite(self._file, data, self._at)
        except OSError:  # no room
            os.ftruncate(self._file, self._at)
            self._is_keeper = False


def make_room(folder: Path) -> None:
    """Remove what is old, and the oldest of what is too much."""
    with suppress(OSError):
        files = sorted(((file.stat(), file) for file in folder.iterdir()), key=lambda one: one[0].st_mtime)
        left = sum(stat.st_size for stat, _ in files)
        for stat, file in files:
            if left > ALL_BYTES or stat.st_mtime < time.time() - OLD_S:
                file.unlink(missing_ok=True)
                left -= stat.st_size


def _opened(kept: Path) -> int | None:
    try:
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(kept, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # nothing is kept on a full disk
        return None


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
