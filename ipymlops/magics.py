"""`%mlops` and `%%mlops`: split the words, call one verb, show the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ipymlops.context import Context, Screen
    from ipymlops.control.watcher import Watcher
    from ipymlops.job import Job
    from ipymlops.spec import Intent
    from ipymlops.verbs.handle import JobHandle
    from ipymlops.verbs.request import Request


class LiveScreen:
    """A cell's screen whose cards go on living: a thread keeps them true while one of their jobs lives."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._watcher: Watcher | None = None
        self.note, self.ask = screen.note, screen.ask
        self.log, self.following, self.progress = screen.log, screen.following, screen.progress

    def card(self, job: Job, intent: Intent | None = None, hints: Sequence[str] = ()) -> None:
        self._screen.card(job, intent, hints)
        if self._watcher is not None:
            self._watcher.show(job)

    def watch(self, context: Context) -> None:
        """Take the records from this context from now on."""
        from ipymlops.control.watcher import Watcher

        self.leave()
        self._watcher = Watcher(context, self._screen.card)

    def leave(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None


@magics_class
class MlopsMagics(Magics):
    """The magics of one kernel."""

    def __init__(self, shell: InteractiveShell, screen: Screen) -> None:
        super().__init__(shell)
        self._names = shell.user_ns
        self._screen = LiveScreen(screen) if getattr(shell, "kernel", None) else screen
        self._last: Context | None = None

    @no_var_expand
    @line_cell_magic
    def mlops(self, line: str, cell: str | None = None) -> Any:
        """Run a verb: `%mlops help` lists them, `%mlops VERB --help` explains one."""
        from ipymlops.errors import FollowInterrupted, IpymlopsError

        try:
            return self._done(line, cell)
        except IpymlopsError as error:
            from ipymlops.verbs.remedy import in_a_cell

            raise in_a_cell(error, is_cell=cell is not None)  # noqa: B904 - the same error
        except KeyboardInterrupt:
            raise FollowInterrupted(
                "interrupted", why="a job that was recorded by then goes on by itself", fix="%mlops jobs"
            ) from None

    def context(self) -> Context:
        """The context of this moment: the notebook may have changed its folder, variables or settings."""
        from dataclasses import replace

        from ipymlops.opening import open_context

        context = open_context(Path.cwd(), os.environ, sys.executable, self._screen)
        context = replace(context, notebook_variable=self.variable)
        if self._last is not None and self._last.home == context.home:
            context = replace(context, store=self._last.store)
        elif isinstance(self._screen, LiveScreen):
            self._screen.watch(context)
        self._last = context
        return context

    def card(self, job: JobHandle) -> None:
        """A job in a cell is its card; the cell that sent it has it already."""
        self._screen.card(job.record, self.context().store.intent(job.id))

    def leave(self) -> None:
        """Stop keeping cards up to date; jobs go on."""
        if isinstance(self._screen, LiveScreen):
            self._screen.leave()

    def variable(self, name: str) -> str:
        """A notebook variable as one word. Raises `UsageProblem` for an unknown name."""
        from ipymlops.errors import UsageProblem

        if name not in self._names:
            raise UsageProblem(
                f"no notebook variable is called {name!r}",
                why="{{name}} takes one variable, no expression; {{{{name}}}} is the text {{name}}",
                fix=f"{name} = ..." if name.isidentifier() else "value = ...",
            )
        return word_of(self._names[name])

    def _done(self, line: str, cell: str | None) -> Any:
        from ipymlops.errors import IpymlopsError, JobDidNotSucceed
        from ipymlops.verbs.dispatch import run
        from ipymlops.verbs.line import words_of
        from ipymlops.verbs.request import asks_json, parse

        words = words_of(line, self.variable)
        try:
            request = parse(words, cell)
            result = run(request, self.context)
        except IpymlopsError as error:
            if asks_json(words) and not isinstance(error, JobDidNotSucceed):
                _print_json({"error": error.to_json()})
            raise
        return self._shown(request, result)

    def _shown(self, request: Request, result: Any) -> Any:
        """What the cell gets; what was awaited and failed is shown, then raised."""
        from ipymlops.verbs.verb import problem_of

        problem = problem_of(request.module, request.options, result)
        if request.options.as_json:
            if result is not None:
                _print_json(result.to_json())
            result = None
        if problem is None:
            return result
        if result is not None:
            from IPython.display import display

            display(result)
        raise problem


def install(shell: InteractiveShell) -> None:
    """Register the magics, how results look, and the completion."""
    from ipymlops.completion import register
    from ipymlops.display import install as install_display

    magics = MlopsMagics(shell, install_display(shell))
    shell.register_magics(magics)
    register(shell, magics.context)
    if getattr(shell, "kernel", None):  # a terminal shows a handle in one line, as its cards only grow
        show = shell.display_formatter.ipython_display_formatter.for_type  # type: ignore[union-attr]
        show("ipymlops.verbs.handle.JobHandle", magics.card)


def remove(shell: InteractiveShell) -> None:
    """Take the magics away again; jobs go on."""
    from ipymlops.completion import unregister

    unregister(shell)
    manager = shell.magics_manager
    ours = manager.registry.pop(MlopsMagics.__name__, None)
    if ours is not None:
        ours.leave()
    for kind in ("line", "cell"):
        manager.magics[kind].pop("mlops", None)


def word_of(value: object) -> str:
    """A notebook variable as one word: text as it is, bytes as a file system would, a job by its id."""
    from ipymlops.verbs.handle import JobHandle

    if isinstance(value, bytes):
        return os.fsdecode(value)
    return str(value.id if isinstance(value, JobHandle) else value)


def _print_json(document: Any) -> None:
    from ipymlops.verbs.dispatch import as_json

    sys.stdout.write(as_json(document) + "\n")
