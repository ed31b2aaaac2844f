"""Files on their way from a platform to a folder: several at a time from far away, shown as they come."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import UsageProblem
from ipymlops.job import Artifact
from ipymlops.platforms.base import Platform
from ipymlops.spec import PlatformRef

AT_ONCE = 8
SHOWN_EVERY_S = 0.25


class _GivenUp(Exception):
    """Whoever waited for the files waits no longer."""


class _Came:
    """How many bytes have come; any thread adds to it."""

    def __init__(self) -> None:
        self.bytes, self.is_given_up = 0, False
        self._guard = threading.Lock()

    def add(self, count: int) -> None:
        if self.is_given_up:
            raise _GivenUp
        with self._guard:
            self.bytes += count


def transferred(context: Context, platform: Platform, ref: PlatformRef, files: Sequence[Artifact], to: Path) -> None:
    """Write each file to `to`/path, whole or not at all; what is there is replaced."""
    came, total = _Came(), sum(one.bytes for one in files)
    what = files[0].path if len(files) == 1 else f"{len(files)} files"
    with ThreadPoolExecutor(1 if platform.is_here else AT_ONCE) as pool:
        left = {pool.submit(_transfer, platform, ref, one, to, came) for one in files}
        try:
            while left:
                done, left = wait(left, SHOWN_EVERY_S, FIRST_COMPLETED)
                for one in done:
                    one.result()
                context.screen.progress(min(came.bytes, total) if left else total, total, what)
        except BaseException:
            came.is_given_up = True
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _transfer(platform: Platform, ref: PlatformRef, one: Artifact, to: Path, came: _Came) -> None:
    """What a broken try has brought stays in a hidden folder beside the file, for the next one to go on from."""
    target = to / one.path
    name = hashlib.sha256(f"{ref}/{one.path}".encode(errors="surrogatepass")).hexdigest()[:16]
    folder = target.parent / f".ipymlops-{name}"
    with writing(one.path, target):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            part = folder / "file"
            platform.fetch_telling(ref, one.path, part, came.add)
            part.replace(target)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            _tidied(folder)


@contextmanager
def writing(path: str, target: Path) -> Iterator[None]:
    """Around what writes a file: a disk that is full or not to be written to is the user's to mend."""
    try:
        yield
    except OSError as problem:
        why = f"{target}: {os.strerror(problem.errno) if problem.errno else problem}"
        fix = "choose another folder with --to"
        raise UsageProblem(f"{path} could not be written", why=why, fix=fix) from problem


def _tidied(folder: Path) -> None:
    """Without a file that came only in part, and without the folder if nothing is left to go on from."""
    if folder.is_dir():
        (folder / "file").unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
