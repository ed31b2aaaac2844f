"""Flags of `argparse`: sub-commands, groups, parents, loops over literals. Complete if nothing else can add one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ipymlops.scriptflags.flag import Flag, ScriptFlags
from ipymlops.scriptflags.literals import (
    Values,
    called,
    constants,
    is_imported,
    keyword,
    loop_values,
    strings,
    text,
    texts,
)

MAKERS = {"ArgumentParser", "add_parser", "add_argument_group", "add_mutually_exclusive_group", "add_subparsers"}
LENIENT = {"parse_known_args", "parse_known_intermixed_args", "REMAINDER"}
VALUELESS = {"store_true", "store_false", "store_const", "append_const", "count", "help", "version"}
HARMLESS = {"print", "vars", "isinstance", "len", "repr", "str", "autocomplete"}


def read(tree: ast.Module) -> ScriptFlags | None:
    """The flags, None for a script without argparse."""
    calls = list(_calls(tree, constants(tree)))
    makers = [call for call, _ in calls if called(call) == "ArgumentParser"]
    if not makers or not is_imported(tree, "argparse"):
        return None
    found = [_flags(call, known) for call, known in calls if called(call) == "add_argument"]
    flags = [flag for one in found if one is not None for flag in one]
    has_help = any(not _is_false(keyword(call, "add_help")) for call in makers)
    own = [Flag("--help", "show this help", takes_value=False)] if has_help else []
    return ScriptFlags((*flags, *own), None not in found and _is_closed(tree, [call for call, _ in calls]))


def _calls(tree: ast.Module, known: Values) -> Iterator[tuple[ast.Call, Values]]:
    """Every call with what the variables of the loops around it can be."""
    waiting: list[tuple[ast.AST, Values]] = [(tree, known)]
    while waiting:
        node, values = waiting.pop()
        if isinstance(node, ast.Call):
            yield node, values
        if isinstance(node, ast.For):
            values = {**values, **(loop_values(node, values) or {})}
        waiting += [(child, values) for child in reversed(list(ast.iter_child_nodes(node)))]


def _flags(call: ast.Call, known: Values) -> list[Flag] | None:
    """What one `add_argument` adds; None where a name is not told by the source."""
    names = [strings(word, known) for word in call.args]
    if any(one is None for one in names) or any(one.arg is None for one in call.keywords):
        return None
    action = keyword(call, "action")
    takes_value = text(action) not in VALUELESS and called(action or call) != "BooleanOptionalAction"
    spelt = [name for one in names for name in one or () if name.startswith("-")]
    if called(action or call) == "BooleanOptionalAction":
        spelt += [f"--no-{name[2:]}" for name in spelt if name.startswith("--")]
    help_text, choices = text(keyword(call, "help")), texts(keyword(call, "choices"))
    return [Flag(name, help_text, takes_value, choices) for name in spelt]


def _is_closed(tree: ast.Module, calls: list[ast.Call]) -> bool:
    """Whether the script's own source is all that adds flags, and whatever it does not know is refused."""
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if words & LENIENT or "parse_args" not in words or _reads_argv_itself(tree, calls) or _is_aliased(tree, calls):
        return False
    functions = {one.name: one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}
    parsers = _parsers(tree, calls, functions)
    return all(_is_harmless(call, parsers, set(functions)) for call in calls)


def _is_harmless(call: ast.Call, parsers: set[str], functions: set[str]) -> bool:
    name = called(call)
    if text(keyword(call, "nargs")) == "..." or text(keyword(call, "prefix_chars")) not in {"", "-"}:
        return False
    if name == "parse_args" and isinstance(call.func, ast.Attribute):
        is_fixed = bool(call.args) and isinstance(call.args[0], (ast.List, ast.Tuple))
        return not is_fixed and _is_parser(call.func.value, parsers, functions)
    if name in MAKERS:
        parents = keyword(call, "parents")
        listed = parents.elts if isinstance(parents, (ast.List, ast.Tuple)) else []
        return parents is None or (bool(listed) and all(_is_parser(one, parsers, functions) for one in listed))
    return name in functions or name in HARMLESS or not _given(call, parsers)


def _is_parser(node: ast.expr, parsers: set[str], functions: set[str]) -> bool:
    if isinstance(node, ast.Call):
        return called(node) in MAKERS or called(node) in functions
    return isinstance(node, ast.Name) and node.id in parsers


def _given(call: ast.Call, parsers: set[str]) -> bool:
    """Whether the call is handed a parser: whoever has one can add flags."""
    nodes = [*call.args, *(one.value for one in call.keywords)]
    nodes += [inner for one in nodes if isinstance(one, (ast.List, ast.Tuple)) for inner in one.elts]
    return any(isinstance(one, ast.Name) and one.id in parsers for one in nodes)


def _parsers(tree: ast.Module, calls: list[ast.Call], functions: dict[str, ast.FunctionDef]) -> set[str]:
    """Names that may hold a parser or a group: made here, by a function of this file, or handed to one."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _makes_parser(node.value, names, functions):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for call in calls:
        if called(call) in functions and _given(call, names):
            names |= {one.arg for one in ast.walk(functions[called(call)].args) if isinstance(one, ast.arg)}
    return names


def _makes_parser(node: ast.expr, names: set[str], functions: dict[str, ast.FunctionDef]) -> bool:
    return called(node) in {*MAKERS, *functions} if isinstance(node, ast.Call) else _is_parser(node, names, set())


def _is_aliased(tree: ast.Module, calls: list[ast.Call]) -> bool:
    """`add = parser.add_argument`: flags are then added by calls that do not look like it."""
    direct = {id(call.func) for call in calls}
    added = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "add_argument"]
    return any(id(node) not in direct for node in added)


def _reads_argv_itself(tree: ast.Module, calls: list[ast.Call]) -> bool:
    parsing = [call for call in calls if called(call) in {"parse_args", "main"}]
    allowed = {id(node) for call in parsing for argument in call.args for node in ast.walk(argument)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Attribute, ast.Name))]
    argv = [node for node in nodes if (node.attr if isinstance(node, ast.Attribute) else node.id) == "argv"]
    return any(id(node) not in allowed for node in argv)


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
