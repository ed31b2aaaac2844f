"""The shell command: `ipymlops VERB …`, and `python -m ipymlops`."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipymlops.errors import IpymlopsError, JobDidNotSucceed, PlatformProblem

if TYPE_CHECKING:
    from ipymlops.job import Job

INTERRUPTED = 130


def entry() -> None:
    """What the installed command calls."""
    # arguments are bytes; whatever the locale took them for, ours are UTF-8, and what is none becomes surrogates
    sys.exit(main([os.fsencode(word).decode(errors="surrogateescape") for word in sys.argv[1:]]))


def main(words: Sequence[str]) -> int:
    """Do what the words say, print the result, and return the exit status."""
    try:
        return _answered(words)
    except KeyboardInterrupt:  # at any moment, also while we are still being loaded
        sys.stderr.write("interrupted; what was recorded by then goes on: ipymlops jobs\n")
        return INTERRUPTED


def _answered(words: Sequence[str]) -> int:
    try:
        return _told(words)
    except IpymlopsError as error:
        return _failed(error, as_json=_asks_json(words))
    except BrokenPipeError:
        return _nobody_reads()
    except Exception as bug:  # noqa: BLE001 - it is shown in full, and a script still gets its one document
        return _bug(bug, as_json=_asks_json(words))


def _told(words: Sequence[str]) -> int:
    from ipymlops.verbs.dispatch import run
    from ipymlops.verbs.request import parse
    from ipymlops.verbs.verb import problem_of

    request = parse(words)
    result = run(request, _context)
    _print(result, as_json=request.options.as_json)
    problem = problem_of(request.module, request.options, result)
    if problem is None:
        return 0
    _say(problem)
    return problem.exit_code


def _asks_json(words: Sequence[str]) -> bool:
    from ipymlops.verbs.request import asks_json

    return asks_json(words)


def _context() -> Any:
    from ipymlops.display.terminal import TerminalScreen
    from ipymlops.opening import open_context

    return open_context(Path.cwd(), os.environ, python_of(os.environ), TerminalScreen())


def python_of(env: Mapping[str, str]) -> str:
    """The user's interpreter: of the active environment, else `python3` on PATH; never ours. "" if there is none."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = Path(env.get(variable) or os.devnull, "bin", "python")
        if python.exists():
            return str(python)
    return shutil.which("python3", path=env.get("PATH")) or ""


def _print(result: Any, *, as_json: bool) -> None:
    from ipymlops.verbs.dispatch import as_json as json_of
    from ipymlops.verbs.handle import JobHandle

    if as_json:
        text = json_of(result.to_json()) if result is not None else ""
    elif isinstance(result, JobHandle):
        text = ""  # its card is on stderr already
        _say_next(result.record)
    elif result is None:
        text = ""
    else:
        from ipymlops.display.text import as_text

        text = as_text(result)
    if text:
        sys.stdout.write(_encodable(text) + "\n")
    sys.stdout.flush()


def _say_next(job: Job) -> None:
    """A job that was only sent goes on by itself, and a terminal shows nothing more of it."""
    if not job.is_over:
        sys.stderr.write(f"  next: ipymlops logs {job.number} -f\n")


def _encodable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _failed(error: IpymlopsError, *, as_json: bool) -> int:
    if as_json and not isinstance(error, JobDidNotSucceed):  # then the job's own document is there already
        from ipymlops.verbs.dispatch import as_json as json_of

        sys.stdout.write(json_of({"error": error.to_json()}) + "\n")
    else:
        _say(error)
    return error.exit_code


def _say(error: IpymlopsError) -> None:
    from ipymlops.display.plain import plain

    first, *rest = (plain(line) for line in error.lines())
    text = "\n".join([f"{type(error).__name__}: {first}", *rest])
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")


def _bug(bug: Exception, *, as_json: bool) -> int:
    traceback.print_exception(bug)
    told = PlatformProblem(
        "ipymlops has a bug, and stopped here",
        why=f"{type(bug).__name__}: {bug}",
        fix="report it with the traceback above; ipymlops jobs shows what was started",
    )
    return _failed(told, as_json=as_json)


def _nobody_reads() -> int:
    """`ipymlops jobs | head`: end quietly; Python flushes the dead pipe once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
