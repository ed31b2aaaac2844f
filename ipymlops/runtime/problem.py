"""Why the launcher could not start or keep a script, and the exit codes that are its own."""

from __future__ import annotations

import os
from typing import Dict

EXIT_PLATFORM_ERROR = 70
"""The launcher could not do its work; `result.json` says why."""
EXIT_HELD = 75
"""Another launcher holds this job's lock; nothing was touched."""
EXIT_BAD_CONFIG = 78
"""There is no configuration that says where a result could be written."""

FAILURE_CHARACTERS = 1024
"""What a service shows of a failure."""


class LaunchProblem(Exception):
    """Something that must be right before a script can run is not: what happened, why, and what mends it."""

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__(what)

    def to_json(self) -> Dict[str, object]:
        """The `error` of `result.json`."""
        return error_json(self.what, self.why, self.fix)


def error_json(
    what: str, why: str = "", fix: str = "", *, traceback: object = None, file: object = None, line: object = None
) -> Dict[str, object]:
    """An `error` of `result.json`; all its keys are always there."""
    return {"what": what, "why": why, "fix": fix, "traceback": traceback, "file": file, "line": line}


def leave_failure(path: str, text: str) -> None:
    """Write down why the job failed, where a service reads it; what comes first must not be cut off."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        file.write(text[:FAILURE_CHARACTERS])
