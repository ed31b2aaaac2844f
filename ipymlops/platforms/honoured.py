"""An option that a platform cannot honour is refused by name, before anything is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields

from ipymlops.errors import UsageProblem
from ipymlops.runtime.config import MAX_WORD_BYTES, to_bytes
from ipymlops.runtime.problem import LaunchProblem
from ipymlops.spec import JobSpec

FLAGS = {
    "gpu": "--gpu",
    "machine_type": "--machine",
    "nodes": "--nodes",
    "image": "--image",
    "bake": "--bake",
    "no_code": "--no-code",
    "labels": "--label",
    "data": "--data",
    "env": "--env",
    "secrets": "--secret",
    "metrics": "--metric",
    "spot": "--spot",
    "keep_warm_s": "--keep-warm",
    "max_runtime_s": "--max-runtime",
    "max_cost_usd": "--max-cost",
    "settings": "--set",
}


def refuse_unhonoured(name: str, options: frozenset[str], spec: JobSpec) -> None:
    """Raise `UsageProblem` if a field that is not among `options` differs from its default."""
    asked = [FLAGS.get(field, field) for field in _differing(spec) if field not in options]
    if asked:
        raise UsageProblem(
            f"{name} cannot honour {', '.join(asked)}; nothing was started",
            why=f"it honours {' '.join(flag for field, flag in FLAGS.items() if field in options)}",
            fix=f"leave {' and '.join(asked)} out, or choose another platform with --on",
        )


def refuse_unknown_settings(name: str, known: Iterable[str], settings: Mapping[str, str]) -> None:
    """Raise `UsageProblem` for a `--set` of the line that this platform has not got."""
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise UsageProblem(
            f"{name} has no setting {unknown[0]!r}; nothing was started",
            why=f"it has: {', '.join(known) or 'none'}",
            fix=f"leave --set {unknown[0]}=… out",
        )


def _differing(spec: JobSpec) -> Iterator[str]:
    for field in fields(spec):
        if field.default is not MISSING and getattr(spec, field.name) != field.default:
            yield field.name


def refuse_impossible_words(spec: JobSpec) -> None:
    """Raise `UsageProblem` for a word that no process can be given, or where there is nothing to run."""
    if spec.script is None and not spec.argv and not spec.no_code:
        raise UsageProblem("there is neither a script nor a command to run", fix="%mlops train train.py")
    for number, word in enumerate((spec.script or "", *spec.argv)):
        _refuse_impossible(f"argument {number}" if number else "the script's name", word)


def _refuse_impossible(which: str, word: str) -> None:
    try:
        size = len(to_bytes(word))
    except LaunchProblem as problem:
        raise UsageProblem(
            f"{which} cannot be given to a process", why=f"{problem.what} {problem.why}".strip()
        ) from None
    if size > MAX_WORD_BYTES:
        raise UsageProblem(
            f"{which} is too long; nothing was started",
            why=f"it has {size:,} bytes; Linux allows {MAX_WORD_BYTES:,} in one argument",
            fix="put the text in a file and pass its path",
        )
