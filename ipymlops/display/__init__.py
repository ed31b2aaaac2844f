"""How each result looks, as text and as HTML; `install` teaches a shell, and gives it its screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipymlops.context import Screen

SHOWN = (
    "ArtifactList",
    "Checkout",
    "Difference",
    "DoctorReport",
    "HelpText",
    "JobDetails",
    "JobList",
    "LogLines",
    "MachineList",
    "PlanReport",
    "SettingTable",
    "SetupReport",
)
"""The classes of `verbs.results`; by name, as importing them is left to their first use."""


def install(shell: Any) -> Screen:
    """Register how our results look with an IPython shell, by type, and return the screen for its cells.

    Nothing is imported before a result is shown. A job that a cell returns is its card: where the cell already shows
    that card, it is brought up to date instead of being shown twice.
    """
    screen = screen_of(shell)
    formatters = shell.display_formatter
    for name in SHOWN:
        full_name = f"ipymlops.verbs.results.{name}"
        formatters.formatters["text/html"].for_type(full_name, _html)
        formatters.formatters["text/plain"].for_type(full_name, _pretty)
    formatters.formatters["text/plain"].for_type("ipymlops.job.Job", _pretty)
    formatters.formatters["text/html"].for_type("ipymlops.job.Job", _html)
    formatters.ipython_display_formatter.for_type("ipymlops.job.Job", screen.card)
    return screen


def screen_of(shell: Any) -> Screen:
    """A cell's screen in a kernel, a terminal's in IPython's own shell."""
    if getattr(shell, "kernel", None) is None:
        from ipymlops.display.terminal import TerminalScreen

        return TerminalScreen(door="%mlops", cell=lambda: shell.execution_count)
    from ipymlops.display.notebook import NotebookScreen

    return NotebookScreen(shell)


def _html(result: object) -> str:
    from ipymlops.display.html import as_html

    return as_html(result)


def _pretty(result: object, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's own signature
    from ipymlops.display.text import as_text

    printer.text(as_text(result, door="%mlops"))
