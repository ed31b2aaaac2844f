"""Results as text: for a terminal, and as the twin of every card."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import singledispatch

from ipymlops.context import SystemClock
from ipymlops.display.blocks import Cell, Facts, Heading, Lines, Notes, Step, Steps, Table, View
from ipymlops.display.plain import padded, plain, width
from ipymlops.display.views import Reader, view_of

LABEL_COLUMNS = 10
MARKS = {"warn": "!", "bad": "✗", "dim": "·"}


def as_text(result: object, now: datetime | None = None, door: str = "ipymlops") -> str:
    """A verb's result as lines without a final newline.

    Args:
        now: What ages are counted to; None is this moment.
        door: How commands are called where it is read.
    """
    return view_text(view_of(result, Reader(now or SystemClock().now(), door)))


def view_text(view: View) -> str:
    parts = ["\n".join(_lines(block)) for block in view.blocks]
    return "\n".join(part for part in parts if part)


@singledispatch
def _lines(block: object) -> Iterator[str]:
    raise TypeError(f"no text for {type(block).__name__}")


@_lines.register
def _(block: Heading) -> Iterator[str]:
    aside = f"   {plain(block.aside)}" if block.aside else ""
    yield f"{plain(block.badge)}  {plain(block.title)}{aside}"


@_lines.register
def _(block: Facts) -> Iterator[str]:
    columns = max([LABEL_COLUMNS, *(width(plain(fact.label)) for fact in block.rows)])
    for fact in block.rows:
        yield f"  {padded(plain(fact.label), columns)}  {plain(fact.value)}"


@_lines.register
def _(block: Steps) -> Iterator[str]:
    yield f"  {'Timeline':<{LABEL_COLUMNS}}  " + " → ".join(_step_text(step) for step in block.steps)


@_lines.register
def _(block: Table) -> Iterator[str]:
    titles = tuple(Cell(column.removesuffix(">")) for column in block.columns)
    rows = [[plain(cell.text) for cell in row] for row in (titles, *block.rows)]
    columns = [max(width(text) for text in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, columns, block.columns, strict=True)
        yield "  ".join(padded(text, size, right=title.endswith(">")) for text, size, title in cells).rstrip()


@_lines.register
def _(block: Lines) -> Iterator[str]:
    indent = "  │ " if block.title else ""
    yield from [f"  {plain(block.title)}"] if block.title else []
    for line in block.lines:
        yield f"{indent}{plain(line.text)}".rstrip() if indent else plain(line.text)


@_lines.register
def _(block: Notes) -> Iterator[str]:
    for sentence in block.sentences:
        yield f"  {MARKS.get(block.tone, '·')} {plain(sentence)}"


def _step_text(step: Step) -> str:
    words = [step.word, step.at, f"({step.after})" if step.after else ""]
    return " ".join(plain(word) for word in words if word)
