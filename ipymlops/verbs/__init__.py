"""One file per user action; `VERBS` is the table that every front door reads."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from ipymlops.verbs.verb import Verb

VERBS: Mapping[str, str] = {
    "train": "ipymlops.verbs.train",
    "jobs": "ipymlops.verbs.jobs",
    "logs": "ipymlops.verbs.logs",
    "show": "ipymlops.verbs.show",
    "wait": "ipymlops.verbs.wait",
    "stop": "ipymlops.verbs.stop",
    "artifacts": "ipymlops.verbs.artifacts",
    "diff": "ipymlops.verbs.diff",
    "checkout": "ipymlops.verbs.checkout",
    "gpus": "ipymlops.verbs.gpus",
    "setup": "ipymlops.verbs.setup",
    "doctor": "ipymlops.verbs.doctor",
    "config": "ipymlops.verbs.config",
    "help": "ipymlops.verbs.help",
}
"""Name → module, in the order of the help; a module is imported when its verb is first used."""


def load(name: str) -> Verb:
    """The verb of that name, which must be in `VERBS`."""
    return cast("Verb", import_module(VERBS[name]))
