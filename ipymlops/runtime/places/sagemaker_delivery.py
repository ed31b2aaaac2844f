"""How a result and the files of an attempt leave a machine of SageMaker's.

Everything is written before anything is waited for: whenever the machine is taken away, what is there is true.
"""

from __future__ import annotations

import os
import shutil
import signal
from typing import Any, Callable, Dict, List

from ipymlops.runtime import mirror as mirrors
from ipymlops.runtime.aws import AwsProblem
from ipymlops.runtime.manifest import Listed, files_below, of_node, rows
from ipymlops.runtime.places.sagemaker_layout import CHECKPOINTS, LATE, OURS, OUTPUT, TENSORBOARD, node_folder
from ipymlops.runtime.problem import leave_failure
from ipymlops.runtime.signals import Signals
from ipymlops.runtime.state import State, boot_clock, write_json

FOLDERS = (OUTPUT, TENSORBOARD, CHECKPOINTS)
KEPT = ("result.json", "manifest.json", "metrics.jsonl")
KEPT_BYTES = 10 << 20
WAIT_S, STALL_S = 300.0, 60.0
LEFT_S, LAST_S = 100.0, 115.0
"""Of the 120 s between SIGTERM and SIGKILL: for looking and waiting, and for what has to be copied then."""
CAUSE_CHARACTERS = 700
NAMED = 3


class Delivery:
    """Of one attempt; `run` once. What cannot be done is noted, and no reason to leave out the rest."""

    def __init__(
        self, raw: Dict[str, Any], state: State, result: Dict[str, Any], signals: Signals, ends_at: float
    ) -> None:
        """`ends_at` is the job's deadline, a time of `boot_clock`."""
        self._state, self._result, self._signals, self._ends_at = state, result, signals, ends_at
        self._rank, self._nodes = int(raw["node_rank"]), int(raw["nodes"])
        self._output = os.path.join(raw["ml_root"], "output")
        self._data = os.path.join(self._output, "data")
        self._folder = str(raw["mirror"]["dir"])
        self._mirror = mirrors.Mirror.of(raw["mirror"], raw["region"], result["started_at"])
        self._stall_s = float(raw.get("mirror_stall_s", STALL_S))
        self._waits_until = boot_clock() + float(raw.get("mirror_wait_s", WAIT_S))
        self._notes: List[str] = []

    def run(self) -> None:
        if self._result["exit_code"]:
            self._try("the failure file was not written", self._write_failure)
        files = self._files()
        self._write_manifest(files, are_hashed=False)
        self._write_manifest(files, are_hashed=True)
        self._save(self._late(files))
        if self._notes:
            told = {**self._result, "notes": [*self._result["notes"], *self._notes]}
            self._try("the notes were not written", lambda: self._state.finish(told))
            self._keep()

    def _files(self) -> List[Listed]:
        files = files_below(self._folder, FOLDERS)
        if self._nodes == 1:
            return files
        return list(of_node(files, OUTPUT, self._rank, self._result["started_at"]))

    def _write_failure(self) -> None:
        """What the service shows as the reason: cause, place and exit code are what must not be cut off."""
        error = self._result.get("error") or {}
        where = "{}:{}".format(error["file"], error["line"]) if error.get("file") else ""
        code = "exit code {}".format(self._result["exit_code"])
        cause = str(error.get("what") or "")[:CAUSE_CHARACTERS]
        parts = [cause, where, code, str(error.get("why") or ""), str(error.get("fix") or "")]
        leave_failure(os.path.join(self._output, "failure"), "\n".join(part for part in parts if part))

    def _write_manifest(self, files: List[Listed], *, are_hashed: bool) -> None:
        listed = rows(self._folder, files, self._is_over if are_hashed else None)
        head = {"attempt": self._result["attempt"], "rank": self._rank, "ended_at": self._result["ended_at"]}
        path = self._state.path("manifest.json")
        self._try("the manifest was not written", lambda: write_json(path, {**head, "files": listed}))
        self._keep()

    def _keep(self) -> None:
        """Copies in the archive that is always uploaded."""
        self._try("the result is only in the mirror", self._copy_ours)

    def _copy_ours(self) -> None:
        to = os.path.join(self._data, node_folder(self._rank))
        os.makedirs(to, exist_ok=True)
        for name in KEPT:
            path = self._state.path(name)
            if os.path.exists(path) and os.path.getsize(path) <= KEPT_BYTES:
                shutil.copyfile(path, os.path.join(to, name))

    def _late(self, files: List[Listed]) -> List[Listed]:
        """What has not arrived; where nobody can look, what may not have."""
        ours = files_below(self._folder, [os.path.relpath(self._state.folder, self._folder)])
        every = [*files, *(one for one in ours if os.path.basename(one.path) in KEPT)]
        patience = mirrors.Patience(self._is_over, self._stall_s)
        try:
            late = mirrors.missing_files(self._mirror, every, dict(os.environ), patience)
        except AwsProblem as problem:
            self._notes.append("nobody could look whether the outputs arrived: {}".format(problem))
            late = mirrors.recent(every)
        return [one for one in late if not one.path.startswith(OURS + "/")]

    def _save(self, late: List[Listed]) -> None:
        to = os.path.join(self._data, LATE)
        lost = mirrors.save(late, self._folder, to, lambda: boot_clock() >= self._limit(LAST_S))
        saved = sorted(set(late) - set(lost))
        if saved:
            self._notes.append("not known to be in the mirror, so in output.tar.gz too: {}".format(_named(saved)))
        if lost:
            self._notes.append("not known to be in the mirror, and not saved: {}".format(_named(lost)))

    def _is_over(self) -> bool:
        return boot_clock() >= min(self._waits_until, self._limit(LEFT_S))

    def _limit(self, left_s: float) -> float:
        """So long after it was told to end. SageMaker's own end of the job's time is not before our deadline."""
        told_at = self._signals.first_at(signal.SIGTERM)
        return left_s + (self._ends_at if told_at is None else min(self._ends_at, told_at))

    def _try(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:  # mostly a full disk
            self._notes.append("{}: {}".format(what, error))


def _named(files: List[Listed]) -> str:
    """The first few; a path may hold anything."""
    names = ", ".join(ascii(one.path) for one in files[:NAMED])
    more = len(files) - NAMED
    return "{} and {} more".format(names, more) if more > 0 else names
