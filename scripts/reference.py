"""Writes docs/reference.md from the tables in the code, so that it says nothing else. `--check` only compares."""

from __future__ import annotations

import inspect
import sys
from argparse import Action
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from ipymlops import errors
from ipymlops.config import SETTINGS
from ipymlops.job import EndReason, JobState
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.registry import Platforms
from ipymlops.spec import JobSpec
from ipymlops.verbs import VERBS, load
from ipymlops.verbs.request import parser_of
from ipymlops.verbs.train_options import TABLE

FILE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
HEAD = """# Reference

Every verb, option, setting, variable, state and error. Written by `scripts/reference.py` from the tables in the code.
Everything works as `%mlops VERB ...` in a cell, `ipymlops VERB ...` in a shell and `mlops.VERB(...)` in Python.
"""
VARIABLES = (
    ("IPYMLOPS_JOB_ID", "the job's id"),
    ("IPYMLOPS_JOB_NAME", "its name"),
    ("IPYMLOPS_PLATFORM", "where it runs"),
    ("IPYMLOPS_COMMIT", "HEAD when it was submitted; empty without one"),
    ("IPYMLOPS_DATA_DIR", "`/NAME` below it for each `--data NAME=URI`"),
    ("IPYMLOPS_OUTPUT_DIR", "what is written below it comes back, path by path; rank N > 0 has `node-N/`"),
    ("IPYMLOPS_TENSORBOARD_DIR", "comes back while the job runs"),
    ("IPYMLOPS_CHECKPOINT_DIR", "comes back while the job runs, and is there again after a restart of the job"),
    ("IPYMLOPS_METRICS_FILE", 'append a JSON object a line: `{"step": 3, "val_loss": 0.21}`'),
    ("IPYMLOPS_NODE_RANK", "0, 1, ... of several nodes"),
    ("IPYMLOPS_NODES", "how many nodes"),
    ("IPYMLOPS_MAIN_ADDRESS", "the address of rank 0"),
    ("IPYMLOPS_DEADLINE", "UTC epoch seconds; SIGTERM comes first, the end of the cap never earlier"),
)
EXITS = (
    (0, "done"),
    (1, "a job that was awaited did not succeed"),
    (2, "the request was wrong"),
    (3, "the platform refused or could not be reached, or a check of `doctor` failed"),
    (4, "not signed in"),
    (130, "a follow was interrupted; the job goes on"),
)


def escaped(text: object) -> str:
    return str(text).replace("|", "\\|")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def flags(action: Action) -> str:
    names = ", ".join(sorted(action.option_strings, key=len, reverse=True)) or str(action.metavar)
    return f"`{names} {action.metavar}`" if action.option_strings and action.metavar else f"`{names}`"


def verbs() -> Iterator[str]:
    for name in VERBS:
        verb, actions = load(name), parser_of(name)._actions  # noqa: SLF001  the one place that lists them
        yield f"### {name}\n\n{verb.HELP}\n"
        yield table(["word", "does"], [(flags(action), action.help or "") for action in actions])
        yield "\n".join(f"    {line}" for line in verb.EXAMPLES) + "\n"


def platforms() -> Iterator[str]:
    """Which option each platform has; one that it has not is refused by name."""
    known = Platforms(lambda _: PlatformContext(Path("unused"), {}, {}))
    kinds = [known.kind(name) for name in known]
    always = {field.name for field in fields(JobSpec)} - {row.field for row in TABLE}
    yield "An option that a platform has not got is an error before anything is sent.\n"
    yield table(
        ["option", *(f"`{kind.name}`" for kind in kinds)],
        [
            (f"`{row.flag}`", *("yes" if row.field in kind.options | always else "" for kind in kinds))
            for row in TABLE
            if row.is_spec and row.field != "name"
        ],
    )


def settings() -> str:
    return table(
        ["key", "variable", "does"],
        [(f"`{one.key}`", f"`{one.variable}`" if one.variable else "", one.help) for one in SETTINGS],
    )


def known_errors() -> str:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.IpymlopsError)]
    return table(
        ["error", "means", "exit status"],
        [(f"`{kind.__name__}`", (kind.__doc__ or "").splitlines()[0], kind.exit_code) for kind in kinds],
    )


def sections() -> Iterator[str]:
    yield HEAD
    yield "## Verbs\n"
    yield from verbs()
    yield "## Platforms\n"
    yield from platforms()
    yield "## Settings\n"
    yield (
        "Strongest first: `--set` on the line, the variable, `[tool.ipymlops]` in the repository's pyproject.toml, the "
        "user's `config.toml`, the default. `ipymlops config` says which one holds.\n"
    )
    yield settings()
    yield "## What the script sees\n"
    yield table(["variable", "holds"], [(f"`{name}`", text) for name, text in VARIABLES])
    yield "## States\n"
    yield f"`{'` `'.join(state.value for state in JobState)}`. A job that did not succeed has an end reason:\n"
    yield table(["end reason", "state"], [(f"`{reason.value}`", f"`{reason.state.value}`") for reason in EndReason])
    yield "## Errors\n"
    yield 'Each says what happened, why, and what to do; with `--json` as `{"error": {what, why, fix}}`.\n'
    yield known_errors()
    yield "## Exit status\n"
    yield table(["status", "means"], EXITS)


def main(words: list[str]) -> int:
    text = "\n".join(sections())
    if "--check" in words:
        return 0 if FILE.is_file() and FILE.read_text(encoding="utf-8") == text else 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
