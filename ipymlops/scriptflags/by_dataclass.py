"""Flags made from dataclasses: tyro, simple-parsing, and the parsers of the same idea (HfArgumentParser)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ipymlops.scriptflags.flag import Flag, ScriptFlags
from ipymlops.scriptflags.literals import called, is_imported, keyword, text

READERS = {"HfArgumentParser", "TrlParser", "cli", "parse", "add_arguments", "parse_args", "ArgParser"}
PACKAGES = ("tyro", "simple_parsing", "transformers", "trl", "datargs", "argparse_dataclass")


def read(tree: ast.Module) -> ScriptFlags | None:
    """The flags of the dataclasses that a parser is made from; never complete, as each library adds spellings."""
    if not is_imported(tree, *PACKAGES):
        return None
    classes = {one.name: one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and _is_dataclass(one)}
    used = [name for name in _named(tree) if name in classes]
    flags = [flag for name in used for flag in _fields(classes[name], classes)]
    return ScriptFlags(tuple(flags)) if flags else None


def _named(tree: ast.Module) -> Iterator[str]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and called(call) in READERS:
            for given in (*call.args, *(one.value for one in call.keywords)):
                yield from (node.id for node in ast.walk(given) if isinstance(node, ast.Name))


def _is_dataclass(one: ast.ClassDef) -> bool:
    return any(called(decorator) == "dataclass" for decorator in one.decorator_list)


def _fields(one: ast.ClassDef, classes: dict[str, ast.ClassDef], depth: int = 0) -> Iterator[Flag]:
    for base in one.bases if depth < 10 else ():  # noqa: PLR2004 - a class that is its own base is an error, not a loop
        if called(base) in classes:
            yield from _fields(classes[called(base)], classes, depth + 1)
    for field in one.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            yield Flag(
                f"--{field.target.id}", _help(field.value), takes_value="'bool'" not in ast.dump(field.annotation)
            )


def _help(default: ast.expr | None) -> str:
    """`field(metadata={"help": …})`."""
    metadata = keyword(default, "metadata") if isinstance(default, ast.Call) else None
    if not isinstance(metadata, ast.Dict):
        return ""
    return next(
        (text(value) for key, value in zip(metadata.keys, metadata.values, strict=True) if text(key) == "help"), ""
    )
