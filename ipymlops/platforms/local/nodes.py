"""The processes of a local job: one launcher a node, started at most once, found again, and ended."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from ipymlops.job import JobState, JobStatus
from ipymlops.platforms.jobfolder import JobFolder, NodeFolder
from ipymlops.platforms.jobstate import node_status
from ipymlops.platforms.processes import PAUSE_S, is_locked, start_detached, try_lock
from ipymlops.runtime.leftovers import end_leftovers

QUIET = ("JPY_", "PYDEVD_")


def waiting(folder: JobFolder) -> list[NodeFolder]:
    """The nodes whose script cannot have run yet: all of a new job, what is missing after a crash."""
    return [node for node in folder.nodes if not _was_started(node)]


def launch(folder: JobFolder, nodes: Sequence[NodeFolder], python: str, env: Mapping[str, str], stdin: bytes) -> None:
    """Start the launchers of these nodes, unless somebody else has."""
    for node in nodes:
        words = [python, "-I", "-S", str(folder.launcher), str(node.config)]
        _launch_once(node, words, env, stdin)


def is_alive(node: NodeFolder) -> bool:
    """Whether the launcher lives, or somebody is about to start it."""
    return is_locked(node.lock)


def node_statuses(folder: JobFolder) -> list[JobStatus]:
    """How each node stands. Where one died without a word, what that leaves behind is ended, and the others too.

    One that fails by itself ends the others by itself: its launcher does that.
    """
    found = [node_status(node, is_alive=is_alive(node)) for node in folder.nodes]
    for node, status in zip(folder.nodes, found, strict=True):
        if status.state.is_final and node.state.result() is None:
            end_leftovers(node.state, folder.root.name)
    if any(status.state is JobState.FAILED for status in found):
        stop_living(folder, found)
    return found


def stop_living(folder: JobFolder, statuses: Sequence[JobStatus]) -> None:
    """Tell every node that has not ended to stop."""
    for node, status in zip(folder.nodes, statuses, strict=True):
        if not status.state.is_final:
            node.state.tell_to_stop()


def launcher_env(env: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without what a notebook's kernel sets for itself."""
    kept = {name: value for name, value in env.items() if not name.startswith(QUIET)}
    if kept.get("MPLBACKEND", "").startswith("module://"):
        del kept["MPLBACKEND"]  # the kernel's drawing goes to a cell, which a script has not got
    return kept


def _launch_once(node: NodeFolder, words: Sequence[str], env: Mapping[str, str], stdin: bytes) -> None:
    launched = node.root / "launched"
    while (lock := try_lock(node.lock)) is None:
        if _was_started(node) or launched.exists():
            return
        time.sleep(PAUSE_S)  # another submit of the same job is just here
    with os.fdopen(lock, "rb"):
        if _was_started(node) or node.state.stop_was_asked():
            return
        start_detached(words, lock=lock, said=node.said, cwd=node.root, env=launcher_env(env), stdin=stdin)
        launched.touch()


def _was_started(node: NodeFolder) -> bool:
    """Whether the script may have run: a launcher that died before its first act does not count."""
    return node.state.attempt() is not None or node.state.result() is not None
