"""HTML built as a tree, never as a string: text from outside can only become text or an attribute's value."""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

from ipymlops.display.looks import COLOURS, Tone
from ipymlops.display.plain import plain

UI_FONT = "var(--jp-ui-font-family,var(--vscode-font-family,system-ui,sans-serif))"
CODE_FONT = "var(--jp-code-font-family,var(--vscode-editor-font-family,ui-monospace,monospace))"
EDGE = "rgba(128,128,128,.3)"
SHADE = "rgba(128,128,128,.09)"

Child = Element | str


def element(tag: str, *children: Child, style: str = "", **attributes: str) -> Element:
    """An element with its children in order; strings are neutralised here and escaped when it is written."""
    made = Element(tag, {"style": style} if style else {}, **{name: plain(value) for name, value in attributes.items()})
    for child in children:
        _append(made, child)
    return made


def html(made: Element) -> str:
    return tostring(made, encoding="unicode", method="html")


def toned(tone: Tone) -> str:
    """The inline style of a tone: the only styling that every front end keeps."""
    if tone == "strong":
        return "font-weight:600"
    if tone == "code":
        return f"font-family:{CODE_FONT};font-size:12px"
    return f"color:{COLOURS[tone]}" if tone else ""


def preformatted(lines: list[Element | str]) -> Element:
    """Lines in a box of their own, wrapped rather than cut."""
    style = (
        f"font-family:{CODE_FONT};font-size:12px;line-height:1.45;background:{SHADE};color:inherit;"
        "margin:4px 0 0;padding:6px 10px;border:0;border-radius:4px;"
        "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;"  # Lab breaks a pre inside its words
    )
    children: list[Child] = []
    for line in lines:
        children += [line, "\n"]
    return element("pre", *children[:-1], style=style)


def _append(parent: Element, child: Child) -> None:
    if not isinstance(child, str):
        parent.append(child)
        return
    text = child if child == "\n" else plain(child)
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
