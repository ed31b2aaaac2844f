"""Flags of click's decorators and of typer's signatures."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ipymlops.scriptflags.flag import Flag, ScriptFlags
from ipymlops.scriptflags.literals import called, is_imported, keyword, text, texts

DECORATORS = {
    "command",
    "group",
    "option",
    "argument",
    "pass_context",
    "pass_obj",
    "version_option",
    "help_option",
    "callback",
}
OWN = {"version_option": "--version", "password_option": "--password", "confirmation_option": "--yes"}
LENIENT = {
    "ignore_unknown_options",
    "allow_extra_args",
    "UNPROCESSED",
    "add_typer",
    "add_command",
    "CommandCollection",
    "MultiCommand",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def read(tree: ast.Module) -> ScriptFlags | None:
    """The flags of every command of the script, None for a script without commands."""
    is_typer = is_imported(tree, "typer")
    if not is_typer and not is_imported(tree, "click"):
        return None
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    run = {one.id for call in _calls(tree, "run") for one in call.args if isinstance(one, ast.Name)}
    commands = [one for one in functions if _is_command(one) or (is_typer and one.name in run)]
    if not commands:
        return None
    flags = [flag for one in commands for flag in (_signature(one) if is_typer else _options(one))]
    return ScriptFlags((*flags, Flag("--help", "show this help", takes_value=False)), _is_closed(tree, commands))


def _is_command(function: Function) -> bool:
    return any(called(one) in {"command", "group", "callback"} for one in function.decorator_list)


def _options(function: Function) -> Iterator[Flag]:
    for decorator in function.decorator_list:
        name = called(decorator)
        if name in OWN:
            yield Flag(OWN[name], takes_value=name == "password_option")
        elif name == "option" and isinstance(decorator, ast.Call):
            yield from _option(decorator)


def _option(call: ast.Call, *, is_switch: bool = False) -> Iterator[Flag]:
    spelt = [name.strip() for word in call.args for name in text(word).split("/")]
    switch = keyword(call, "is_flag") or keyword(call, "count")
    is_pair = any("/" in text(word) for word in call.args)
    takes_value = not (is_switch or is_pair or (isinstance(switch, ast.Constant) and bool(switch.value)))
    choices = _choices(keyword(call, "type"))
    for name in spelt:
        if name.startswith("-"):
            yield Flag(name, text(keyword(call, "help")), takes_value, choices)


def _choices(kind: ast.expr | None) -> tuple[str, ...]:
    if isinstance(kind, ast.Call) and called(kind) == "Choice" and kind.args:
        return texts(kind.args[0])
    return ()


def _signature(function: Function) -> Iterator[Flag]:
    """Typer: a parameter with a default is an option, named after it unless `typer.Option` says otherwise."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip(plain, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    for one, default in pairs:
        option = _typer_option(one.annotation, default)
        is_switch = (isinstance(one.annotation, ast.Name) and one.annotation.id == "bool") or "'bool'" in _dump(
            one.annotation
        )
        named = list(_option(option, is_switch=is_switch)) if option else []
        if named:
            yield from named
        elif (default is not None or option) and not _is_argument(one.annotation, default):
            name = one.arg.replace("_", "-")
            yield Flag(f"--{name}", text(keyword(option, "help")) if option else "", takes_value=not is_switch)
            if is_switch:
                yield Flag(f"--no-{name}", takes_value=False)


def _typer_option(annotation: ast.expr | None, default: ast.expr | None) -> ast.Call | None:
    inside = [node for node in ast.walk(annotation) if isinstance(node, ast.Call)] if annotation else []
    calls = [*inside, *([default] if isinstance(default, ast.Call) else [])]
    return next((call for call in calls if called(call) == "Option"), None)


def _is_argument(annotation: ast.expr | None, default: ast.expr | None) -> bool:
    nodes = [node for one in (annotation, default) if one for node in ast.walk(one)]
    return any(isinstance(node, ast.Call) and called(node) == "Argument" for node in nodes) or "'Context'" in _dump(
        annotation
    )


def _is_closed(tree: ast.Module, commands: list[Function]) -> bool:
    decorators = {called(one) for command in commands for one in command.decorator_list}
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words |= {node.arg or "**" for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    words |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return decorators <= DECORATORS | set(OWN) and not words & {*LENIENT, "argv"}


def _calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) == name)


def _dump(node: ast.expr | None) -> str:
    return ast.dump(node) if node else ""
