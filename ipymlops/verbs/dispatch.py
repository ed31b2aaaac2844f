"""One line, one verb, one result: what every front door calls."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from ipymlops.context import Context
from ipymlops.control.reconcile import reconcile
from ipymlops.errors import IpymlopsError, PlatformProblem, StoreProblem
from ipymlops.job import Job, LogLine
from ipymlops.spec import Intent
from ipymlops.verbs.remedy import in_a_cell
from ipymlops.verbs.request import Request, parse
from ipymlops.verbs.verb import problem_of


def dispatch(words: Sequence[str], cell: str | None, context: Context) -> Any:
    """Do what the words say and return the result; a job that was awaited and failed is raised, not returned."""
    try:
        request = parse(words, cell)
        result = run(request, lambda: context)
        problem = problem_of(request.module, request.options, result)
    except IpymlopsError as error:
        raise _as_read(error, context) from error.__cause__
    if problem is not None:
        raise _as_read(problem, context)
    return result


def _as_read(error: IpymlopsError, context: Context) -> IpymlopsError:
    """A Python call in a notebook is mended by a line of the notebook."""
    return in_a_cell(error) if context.notebook_variable is not None else error


def run(request: Request, opened: Callable[[], Context]) -> Any:
    """The result of a request. Errors come with a whole line as their fix.

    Args:
        opened: Opens the context; not called where the verb needs none (`help` works with a broken store).
    """
    with _told(request):
        module = request.module
        answer = getattr(module, "answer", None)
        if answer is not None:
            return answer(request.options)
        try:
            context = _woken(opened())
        except IpymlopsError as error:
            without = getattr(module, "without_context", None)
            if without is None:
                raise
            return without(request.options, error)
        if request.options.as_json:
            context = replace(context, screen=JsonScreen(prints_lines=request.verb == "logs"))
        return module.run(request.options, context)


def _woken(context: Context) -> Context:
    """First what an earlier session left behind: jobs that nobody is taking to their platform, news of the store."""
    if not context.home.exists():
        return context  # nothing can be left where nothing was; and `doctor` only looks
    reconcile(context)
    for notice in context.store.notices:
        context.screen.note(notice)
    context.store.notices.clear()
    return context


def as_json(document: Any) -> str:
    """One line of JSON, bytes that are no UTF-8 as `\\udcXX`."""
    return json.dumps(document, allow_nan=False)


class JsonScreen:
    """stdout belongs to the one document, or to the lines of `logs -f --json`."""

    def __init__(self, *, prints_lines: bool) -> None:
        self._prints_lines = prints_lines

    def note(self, text: str) -> None:
        sys.stderr.write(text + "\n")

    def ask(self, question: str) -> None:
        """A program reads what comes, and answers no question."""

    def card(self, job: Job, intent: Intent | None = None, hints: Sequence[str] = ()) -> None:
        """Cards are for eyes."""

    def log(self, line: LogLine, *, with_rank: bool) -> None:  # noqa: ARG002 - the node is in the object
        from ipymlops.verbs.results import line_json

        if not self._prints_lines:
            return
        sys.stdout.write(as_json(line_json(line)) + "\n")
        sys.stdout.flush()

    def progress(self, done_bytes: int, total_bytes: int, what: str) -> None:
        """Progress is for eyes, too."""

    def following(self, job: Job) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()


@contextmanager
def _told(request: Request) -> Iterator[None]:
    """Errors as the user should meet them."""
    try:
        yield
    except IpymlopsError as error:
        raise request.improved(error) from error.__cause__
    except BrokenPipeError:
        raise
    except OSError as error:
        raise request.improved(os_problem(error)) from error


def os_problem(error: OSError) -> IpymlopsError:
    """The machine said no: a full disk, a missing permission."""
    where = f": {error.filename}" if error.filename else ""
    why = f"{error.strerror or error}{where}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreProblem("the disk is full", why=why, fix="df -h")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StoreProblem("a file or folder cannot be read or written", why=why, fix="ipymlops doctor")
    return PlatformProblem("this machine could not do it", why=why, fix="ipymlops doctor")
