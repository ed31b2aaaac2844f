"""Flags of absl's `DEFINE_…` and the parameters that `fire.Fire` makes flags of. Both libraries add their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ipymlops.scriptflags.flag import Flag, ScriptFlags
from ipymlops.scriptflags.literals import called, is_imported, text

HELP_AT = 2  # DEFINE_string(name, default, help)


def read(tree: ast.Module) -> ScriptFlags | None:
    flags = [*_absl(tree), *_fire(tree)]
    return ScriptFlags(tuple(flags)) if flags else None


def _absl(tree: ast.Module) -> Iterator[Flag]:
    if not is_imported(tree, "absl"):
        return
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and called(call).startswith("DEFINE_") and call.args and text(call.args[0]):
            is_switch = called(call) in {"DEFINE_bool", "DEFINE_boolean"}
            help_text = text(call.args[HELP_AT]) if len(call.args) > HELP_AT else ""
            yield Flag(f"--{text(call.args[0])}", help_text, takes_value=not is_switch)
            if is_switch:
                yield Flag(f"--no{text(call.args[0])}", takes_value=False)


def _fire(tree: ast.Module) -> Iterator[Flag]:
    if not is_imported(tree, "fire"):
        return
    calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and called(call) == "Fire"]
    given = {one.id for call in calls for one in call.args if isinstance(one, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in given:
            yield from (Flag(f"--{one.arg}") for one in (*node.args.args, *node.args.kwonlyargs))
