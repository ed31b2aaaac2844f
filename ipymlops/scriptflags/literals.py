"""What an expression can be, as far as the source itself tells: constants, and loops over constants."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

Values = Mapping[str, list[object]]
"""Name → every value that it takes."""

MOST_VALUES = 200
DEEPEST = 20


def called(node: ast.expr) -> str:
    """The last part of a call's name: `argparse.ArgumentParser(…)` → `ArgumentParser`; "" for anything else."""
    func = node.func if isinstance(node, ast.Call) else node
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def text(node: ast.expr | None) -> str:
    """A literal string, "" for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def texts(node: ast.expr | None) -> tuple[str, ...]:
    """The literals of a list, as a command line spells them."""
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return ()
    return tuple(str(one.value) for one in node.elts if isinstance(one, ast.Constant))


def is_imported(tree: ast.Module, *packages: str) -> bool:
    """Whether the source imports one of the packages, anywhere in it."""
    return any(name.split(".")[0] in packages for node in ast.walk(tree) for name in _imported(node))


def constants(tree: ast.Module) -> dict[str, list[object]]:
    """Names that are assigned once, at the top, to a literal."""
    found: dict[str, list[object]] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                found[target.id] = [] if target.id in found else _literal(node)
    return {name: values for name, values in found.items() if values}


def loop_values(loop: ast.For, known: Values) -> dict[str, list[object]] | None:
    """What a loop's variables become: `for name, default in [("lr", 1), …]`; None where the source does not tell."""
    items = _items(loop.iter, known)
    if items is None:
        return None
    if isinstance(loop.target, ast.Name):
        return {loop.target.id: items}
    if not isinstance(loop.target, ast.Tuple):
        return None
    columns: dict[str, list[object]] = {}
    for at, target in enumerate(loop.target.elts):
        if isinstance(target, ast.Name):
            columns[target.id] = [item[at] for item in items if isinstance(item, (tuple, list)) and at < len(item)]
    return columns


def strings(node: ast.expr, known: Values, depth: int = 0) -> list[str] | None:
    """Every string that the expression can be; None where the source does not tell."""
    if depth > DEEPEST:
        return None
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.Name):
        return [str(value) for value in known[node.id]] if known.get(node.id) else None
    if isinstance(node, ast.JoinedStr):
        return _joined([_part(part) for part in node.values], known, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([node.left, node.right], known, depth)
    return None


def _part(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.FormattedValue):
        return node.value if node.conversion == -1 and node.format_spec is None else None
    return node


def _joined(parts: list[ast.expr | None], known: Values, depth: int) -> list[str] | None:
    joined = [""]
    for part in parts:
        options = strings(part, known, depth + 1) if part is not None else None
        if options is None or len(joined) * len(options) > MOST_VALUES:
            return None
        joined = [before + after for before in joined for after in options]
    return joined


def _items(node: ast.expr, known: Values) -> list[object] | None:
    if isinstance(node, ast.Name) and len(known.get(node.id, ())) == 1:
        return _listed(known[node.id][0])
    if (
        isinstance(node, ast.Call)
        and called(node) in {"items", "keys", "values"}
        and isinstance(node.func, ast.Attribute)
    ):
        whole = _items_of_dict(node.func.value, known)
        return None if whole is None else list(getattr(whole, called(node))())
    try:
        return _listed(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _items_of_dict(node: ast.expr, known: Values) -> dict[object, object] | None:
    if isinstance(node, ast.Name) and len(known.get(node.id, ())) == 1:
        value = known[node.id][0]
        return value if isinstance(value, dict) else None
    return None


def _listed(value: object) -> list[object] | None:
    return list(value)[:MOST_VALUES] if isinstance(value, (list, tuple, set, dict)) else None


def _literal(node: ast.Assign) -> list[object]:
    try:
        return [ast.literal_eval(node.value)]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return []


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield node.module or ""
