"""What is shown, before it is text or HTML: a few kinds of blocks, so that both renderings tell the same."""

from __future__ import annotations

from dataclasses import dataclass

from ipymlops.display.looks import Tone


@dataclass(frozen=True)
class Heading:
    """The first line: a badge (`✓ succeeded`) in its tone, a title, and what stands dim beside it."""

    badge: str
    tone: Tone
    title: str
    aside: str = ""


@dataclass(frozen=True)
class Fact:
    """A labelled value. `more` is a list that HTML folds away and text leaves out."""

    label: str
    value: str
    tone: Tone = ""
    more: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True)
class Facts:
    """Labelled values, one a row."""

    rows: tuple[Fact, ...]


@dataclass(frozen=True)
class Step:
    """One point of a timeline: what happened, when, and how long after the step before."""

    word: str
    at: str
    after: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Steps:
    """A timeline."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Cell:
    """A piece of text in one tone."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Table:
    """Columns by title; one whose title ends with `>` is aligned to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Lines:
    """Text as it stands, each line with its tone. `is_folded`: HTML shows it on a click."""

    title: str
    lines: tuple[Cell, ...]
    is_folded: bool = False


@dataclass(frozen=True)
class Notes:
    """Sentences that ask for attention."""

    tone: Tone
    sentences: tuple[str, ...]
    title: str = ""


Block = Heading | Facts | Steps | Table | Lines | Notes


@dataclass(frozen=True)
class View:
    """Everything that one result shows, in order; the tone colours the edge of its frame."""

    blocks: tuple[Block, ...]
    tone: Tone = ""
    has_frame: bool = True
