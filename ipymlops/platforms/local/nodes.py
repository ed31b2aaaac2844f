"""The processes of a local job: one launcher a node, started at most once, found again, and ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ipymlops.job import JobState, JobStatus
from ipymlops.platforms.jobfolder import JobFolder, NodeFolder, read_json, write_json
from ipymlops.platforms.jobstate import node_status
from ipymlops.platforms.processes import PAUSE_S, ProcessId, is_locked, signal_process, start_detached, try_lock
from ipymlops.runtime.leftovers import end_leftovers

QUIET = ("JPY_", "PYDEVD_")


def launch_all(folder: JobFolder, python: str, env: Mapping[str, str], secrets: bytes) -> None:
    """Start every node that has not been started: whoever repeats this after a crash starts what is missing."""
    for node in folder.nodes:
        words = [python, "-I", "-S", str(folder.launcher), str(node.config)]
        _launch_once(node, words, env, secrets)


def is_alive(node: NodeFolder) -> bool:
    """Whether the launcher lives, or somebody is about to start it."""
    return is_locked(node.lock)


def node_statuses(folder: JobFolder) -> list[JobStatus]:
    """How each node stands. Where one has failed, or died without a word, what that leaves behind is ended."""
    found = [node_status(node, is_alive=is_alive(node)) for node in folder.nodes]
    for node, status in zip(folder.nodes, found, strict=True):
        if status.state.is_final and node.state.result() is None:
            end_leftovers(node.state, folder.root.name)
    if any(status.state is JobState.FAILED for status in found):
        for node, status in zip(folder.nodes, found, strict=True):
            if not status.state.is_final:
                ask_to_stop(node)
    return found


def ask_to_stop(node: NodeFolder) -> None:
    """Leave word, then signal; again only if an earlier stop did not come so far."""
    node.state.ask_to_stop()
    told = node.root / "told"
    launcher = _launcher(node)
    if launcher is not None and is_alive(node) and not told.exists():
        signal_process(launcher, signal.SIGTERM)
        told.touch()


def launcher_env(env: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without what a notebook's kernel sets for itself."""
    kept = {name: value for name, value in env.items() if not name.startswith(QUIET)}
    if kept.get("MPLBACKEND", "").startswith("module://"):
        del kept["MPLBACKEND"]  # the kernel's drawing goes to a cell, which a script has not got
    return kept


def _launch_once(node: NodeFolder, words: Sequence[str], env: Mapping[str, str], secrets: bytes) -> None:
    while (lock := try_lock(node.lock)) is None:
        if _was_started(node) or _record(node).exists():
            return
        time.sleep(PAUSE_S)  # another submit of the same job is just here
    with os.fdopen(lock, "rb"):
        if _was_started(node) or node.state.stop_was_asked():
            return
        pid = start_detached(words, lock=lock, said=node.said, cwd=node.root, env=launcher_env(env), stdin=secrets)
        write_json(_record(node), asdict(ProcessId.of(pid)))


def _was_started(node: NodeFolder) -> bool:
    """Whether the script may have run: a launcher that died before its first act does not count."""
    return node.state.attempt() is not None or node.state.result() is not None


def _record(node: NodeFolder) -> Path:
    return node.root / "launcher.json"


def _launcher(node: NodeFolder) -> ProcessId | None:
    record = read_json(_record(node))
    if record is not None:
        return ProcessId(**record)
    attempt = node.state.attempt()  # whoever started it was killed before writing its pid down
    return ProcessId.of(attempt.pid) if attempt is not None else None
