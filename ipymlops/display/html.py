"""Results as HTML that works without a style sheet: inline styles, inherited colours, and plain tables."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from xml.etree.ElementTree import Element

from ipymlops.context import SystemClock
from ipymlops.display.blocks import Cell, Fact, Facts, Heading, Lines, Notes, Step, Steps, Table, View
from ipymlops.display.looks import COLOURS
from ipymlops.display.markup import EDGE, UI_FONT, Child, element, html, preformatted, toned
from ipymlops.display.plain import plain
from ipymlops.display.views import Reader, view_of

FRAME = (
    f"font-family:{UI_FONT};font-size:13px;line-height:1.5;color:inherit;"
    "margin:4px 0;box-sizing:border-box;text-align:left;"
)
CELL = (
    "padding:1px 14px 1px 0;border:0;text-align:left;vertical-align:top;background:transparent;"
    "font-size:13px;line-height:1.5;"
)
LISTED = CELL.replace("padding:1px 14px 1px 0", "padding:3px 16px 3px 0")
GRID = "border-collapse:collapse;border:0;color:inherit;margin:6px 0 0;background:transparent;font-size:13px;"
WRAP = "max-width:none;white-space:normal;word-break:normal;overflow-wrap:anywhere;"
UNBROKEN = 40  # a cell or a flag of so many characters is not wrapped; a wide table scrolls
SAFE_LINKS = ("https://", "http://")


def as_html(result: object, now: datetime | None = None, door: str = "%mlops") -> str:
    """A verb's result as one HTML element; see `as_text` for the arguments."""
    return view_html(view_of(result, Reader(now or SystemClock().now(), door)))


def view_html(view: View) -> str:
    children = [_element(block) for block in view.blocks]
    return html(element("div", *children, style=FRAME + _edge(view))) if children else ""


def _edge(view: View) -> str:
    if not view.has_frame:
        return ""
    colour = COLOURS.get(view.tone, COLOURS["dim"])
    lines = f"border:1px solid {EDGE};border-left:4px solid {colour};border-radius:6px;"
    return lines + "padding:8px 14px 10px;max-width:860px;"


@singledispatch
def _element(block: object) -> Element:
    raise TypeError(f"no HTML for {type(block).__name__}")


@_element.register
def _(block: Heading) -> Element:
    badge = element("b", block.badge, style=toned(block.tone) + ";margin-right:10px")
    title = element("b", block.title, style="margin-right:10px;overflow-wrap:anywhere")
    aside = [element("span", block.aside, style=toned("dim"))] if block.aside else []
    return element("div", badge, " ", title, " ", *aside, style="font-size:14px")


@_element.register
def _(block: Facts) -> Element:
    rows = [_row([_label(fact.label), _value(fact)]) for fact in block.rows]
    return element("table", element("tbody", *rows), style=GRID)


@_element.register
def _(block: Steps) -> Element:
    children: list[Child] = []
    for step in block.steps:
        arrow = [element("span", "→ ", style=toned("dim"))] if children else []
        children += [*([" "] if children else []), element("span", *arrow, *_step(step), style="display:inline-block")]
    return element("div", *children, style="margin-top:4px")


@_element.register
def _(block: Table) -> Element:
    rights = [";text-align:right" if title.endswith(">") else "" for title in block.columns]
    titles = zip(block.columns, rights, strict=True)
    head = [element("th", title.removesuffix(">"), style=_head_style() + right) for title, right in titles]
    rows = [
        _row([_cell(cell, right) for cell, right in zip(row, rights, strict=True)], line=bool(row[0].text))
        for row in block.rows
    ]
    table = element("table", element("thead", _row(head)), element("tbody", *rows), style=GRID)
    return element("div", table, style="overflow-x:auto")


@_element.register
def _(block: Lines) -> Element:
    lines: list[Child] = [_line(line) for line in block.lines]
    if not block.title:
        return preformatted(lines)
    if block.is_folded:
        title = element("summary", block.title, style=toned("dim") + ";cursor:pointer")
        return element("details", title, preformatted(lines), style="margin-top:8px")
    return element("div", element("div", block.title, style=toned("dim")), preformatted(lines), style="margin-top:8px")


@_element.register
def _(block: Notes) -> Element:
    first = "font-weight:600;" if block.tone == "bad" else ""
    rows = [element("div", one, style=first if not at else "") for at, one in enumerate(block.sentences)]
    if block.tone == "dim":
        return element("div", *rows, style=toned("dim") + ";margin-top:6px;overflow-wrap:anywhere")
    colour = COLOURS.get(block.tone, COLOURS["dim"])
    style = f"border-left:3px solid {colour};padding:2px 0 2px 10px;margin-top:8px;overflow-wrap:anywhere"
    return element("div", *rows, style=style)


def _row(cells: list[Element], *, line: bool = False) -> Element:
    rule = f";border-top:1px solid {EDGE}" if line else ""
    return element("tr", *cells, style="background:transparent" + rule)


def _label(text: str) -> Element:
    return element("td", text, style=CELL + toned("dim") + ";white-space:nowrap")


def _value(fact: Fact) -> Element:
    style = CELL + WRAP + toned(fact.tone)
    if fact.url and fact.url.startswith(SAFE_LINKS):
        link = element("a", fact.value, href=fact.url, target="_blank", rel="noopener noreferrer", style=toned("live"))
        return element("td", link, style=style)
    if fact.more:
        summary = element("summary", fact.value, style="cursor:pointer")
        rows = [element("div", one, style=toned("dim")) for one in fact.more]
        return element("td", element("details", summary, *rows), style=style)
    return element("td", *(_unbroken(fact.value) if fact.tone == "code" else [fact.value]), style=style)


def _unbroken(command: str) -> list[Child]:
    """The words of a command, its flags kept whole: a line may otherwise end after any of their hyphens."""
    children: list[Child] = []
    for word in plain(command).split(" "):
        is_flag = word.startswith("-") and len(word) <= UNBROKEN
        children += [" ", element("span", word, style="white-space:nowrap") if is_flag else word]
    return children[1:]


def _step(step: Step) -> list[Child]:
    word = element("span", step.word, style=toned(step.tone) or "color:inherit")
    rest = " ".join(part for part in (step.at, f"({step.after})" if step.after else "") if part)
    return [word, " ", element("span", rest, style=toned("dim"))] if rest else [word]


def _cell(cell: Cell, right: str) -> Element:
    wrap = "white-space:nowrap;" if len(cell.text) <= UNBROKEN else "max-width:640px;overflow-wrap:anywhere;"
    return element("td", cell.text, style=LISTED + wrap + toned(cell.tone) + right)


def _line(line: Cell) -> Child:
    return element("span", line.text, style=toned(line.tone)) if line.tone else line.text


def _head_style() -> str:
    return LISTED + toned("dim") + ";font-weight:400;white-space:nowrap"
