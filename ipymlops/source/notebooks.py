"""A notebook without what running it leaves behind, so that an autosave makes no new code."""

from __future__ import annotations

import json
from typing import Any

RUN_STATE = {"execution", "ExecuteTime", "collapsed", "scrolled", "trusted"}
"""Metadata of a cell that the front ends write when it runs or is folded."""


def is_notebook(path: bytes) -> bool:
    return path.endswith(b".ipynb")


def stripped(content: bytes) -> bytes:
    """The notebook in canonical bytes, with no outputs, execution counts, timings or widget state.

    Sources, attachments, cell ids and all other metadata stay. The form is that of `nbformat`, so a notebook that is
    already stripped stays as it is. What is no notebook (conflict markers, an empty file) is given back untouched.
    """
    try:
        notebook = json.loads(content)
        cells = _cells(notebook)
        if cells is None:
            return content
        for cell in cells:
            _strip_cell(cell)
        for name in ("widgets", "signature"):
            notebook.get("metadata", {}).pop(name, None)
        text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
        return (text + "\n").encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return content


def _cells(notebook: Any) -> list[dict[str, Any]] | None:
    """Every cell of any nbformat (3 has worksheets), None if this is no notebook."""
    if not isinstance(notebook, dict):
        return None
    if isinstance(notebook.get("cells"), list):
        return list(notebook["cells"])
    if isinstance(notebook.get("worksheets"), list):
        return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    return None


def _strip_cell(cell: dict[str, Any]) -> None:
    for name in ("source", "input"):
        if isinstance(cell.get(name), str):  # a text and its list of lines are the same source
            cell[name] = cell[name].splitlines(keepends=True)
    for name in RUN_STATE & cell.get("metadata", {}).keys():
        del cell["metadata"][name]
    if cell.get("cell_type") != "code":
        return
    cell["outputs"] = []
    cell.pop("prompt_number", None)
    cell.pop("collapsed", None)
    if "execution_count" in cell or "source" in cell:
        cell["execution_count"] = None
