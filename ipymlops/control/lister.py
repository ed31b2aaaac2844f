"""The lister: brings in the rest of an account's list, where a line has waited long enough.

`python -m ipymlops.control.lister HOME PLATFORM FOLDER [LOCK]`
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ipymlops.context import Context
from ipymlops.control.lock import FileLock
from ipymlops.control.pages import bring_page, lock_of
from ipymlops.control.poller import Pace
from ipymlops.errors import Unreachable
from ipymlops.opening import NoScreen, open_context

PATIENCE_S = 120.0
"""Whoever sent us without the lock may still be in the middle of a page."""
AGAIN_S = (2.0, 60.0)
MOST_FAILURES = 10
"""So often in a row there was no answer; whoever lists next goes on from there."""


def main(words: Sequence[str]) -> int:
    """Words: the home, the platform, the folder whose settings hold, and the descriptor of the lock if we have it."""
    home, platform, folder = Path(words[0]), words[1], Path(words[2])
    ours = lock_of(home, platform)
    with FileLock.inherited(ours.path, int(words[3])) if words[3:] else ours as lock:
        if lock.take(patience_s=PATIENCE_S):
            cwd = folder if folder.is_dir() else home
            context = open_context(cwd, os.environ, sys.executable, NoScreen(), home=home)
            bring_all(context, platform)
            context.store.close()
    return 0


def bring_all(context: Context, platform: str) -> None:
    """Page after page until nothing more is to come; no answer is asked again, ever more seldom."""
    pace, failures, more = Pace(*AGAIN_S), 0, True
    while more:
        trouble, more = _brought(context, platform)
        if trouble is None:
            pace, failures = Pace(*AGAIN_S), 0
            continue
        failures += 1
        if failures == MOST_FAILURES:
            raise trouble
        pace.slower(context.clock.now())
        context.clock.sleep(pace.left_s(context.clock.now()))


def _brought(context: Context, platform: str) -> tuple[Unreachable | None, bool]:
    """Why there was no answer, if there was none; and whether more is to come."""
    try:
        return None, bring_page(context, platform)
    except Unreachable as trouble:
        return trouble, True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
