"""Which script a line means, and whether it can be run from the snapshot."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import SourceProblem, UsageProblem
from ipymlops.nearest import nearest
from ipymlops.spec import Snapshot
from ipymlops.verbs.remedy import Edit, WrongLine
from ipymlops.verbs.remedy import Script as Another
from ipymlops.verbs.train_options import TrainOptions

DEFAULT_NAME = "train.py"
LISTED = 5


@dataclass(frozen=True)
class Script:
    """What is to run.

    Attributes:
        script: As in `JobSpec`; "" while the default script is not known yet.
        path: The script's file on this machine, None for modules, commands and images.
        stem: For the job's default name.
        hints: Sentences for the card.
    """

    script: str | None
    stem: str
    path: Path | None = None
    hints: tuple[str, ...] = ()


def script_of(options: TrainOptions, context: Context) -> Script:
    """What the line names, once that can be run. Raises `UsageProblem` before anything is written."""
    if options.no_code:
        return Script(None, _stem((options.image or "").rpartition("/")[2].partition(":")[0] or "image"))
    if options.script is None:
        if not options.argv:
            raise UsageProblem("there is no command after --", why="for example -- python3 -c 'print(1)'")
        return Script(None, _stem(options.argv[0]))
    if options.script.startswith("-m "):
        return Script(options.script, options.script.split(" ", 1)[1].rpartition(".")[2])
    return _of_file(options.script, context) if options.script else Script("", "")


def in_code(script: Script, code: Snapshot, context: Context) -> Script:
    """The same script, once it is known to be part of the code that is sent; the default script by now is one."""
    if script.script == "":
        name, hint = _default(code, context)
        script = replace(_of_file(name, context), hints=(hint,))
    if script.path is not None:
        _refuse_not_sent(script, script.path, code)
    return script


def _of_file(name: str, context: Context) -> Script:
    path = _checked(name, context)
    shown = _from_here(path, context) if Path(name).is_absolute() else name
    return Script(shown, path.stem, path)


def _refuse_not_sent(script: Script, path: Path, code: Snapshot) -> None:
    from ipymlops.source import holds

    root = Path(code.root)
    if not path.is_relative_to(root):
        raise SourceProblem(
            f"{script.script} is outside the code that is sent",
            why=f"{path} is not below {root}, and only what is there travels",
            fix=f"cp {shlex.quote(str(path))} {shlex.quote(str(root))}/",
        )
    below = path.relative_to(root).as_posix()
    if not holds(code, below):
        raise SourceProblem(
            f"{script.script} is not part of the code that is sent",
            why=f"it is left out by {_rule(below, code)}",
            fix=f"git add --force {shlex.quote(str(path))}",
        )


def _rule(below: str, code: Snapshot) -> str:
    rows = ((one.path.rstrip("/"), one.rule) for one in code.left_out)
    return next((rule for path, rule in rows if below == path or below.startswith(f"{path}/")), "an ignore rule")


def _stem(word: str) -> str:
    return Path(word).stem or "command"


def _checked(name: str, context: Context) -> Path:
    """The script's file: there, a file, readable, and a script."""
    if "\0" in name:
        raise UsageProblem("the script's name has a NUL byte", why="no file on Linux can have one")
    typed = Path(os.path.realpath(context.cwd), name)
    path = Path(os.path.realpath(typed.parent), typed.name) if typed.name != ".." else Path(os.path.realpath(typed))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise _missing(name, context) from None
    except OSError as problem:
        raise SourceProblem(f"{name} cannot be read", why=f"{path}: {problem.strerror}") from None
    if stat.S_ISDIR(mode):
        raise _folder(name, path)
    if not stat.S_ISREG(mode):
        raise SourceProblem(f"{name} is no file that can be sent", why=f"{path} is a pipe, socket or device")
    _refuse_other_kinds(name, path)
    if not os.access(path, os.R_OK):
        raise SourceProblem(f"{name} cannot be read", why=f"{path}: permission denied", fix=f"chmod u+r {name}")
    return path


def _missing(name: str, context: Context) -> WrongLine | UsageProblem:
    near = nearest(name, _scripts(context.cwd))
    meant = f"did you mean {near}? " if near else ""
    what, why = f"there is no script {name}", f"{meant}a script is named relative to {context.cwd}"
    if near:
        return WrongLine(what, why=why, edit=Another((near,)))
    return UsageProblem(what, why=why, fix="ls *.py" if any(_scripts(context.cwd)) else "ipymlops train --help")


def _scripts(folder: Path) -> Iterator[str]:
    """The scripts in a folder and one below, as they would be typed."""
    for pattern in ("*.py", "*/*.py"):
        for path in sorted(folder.glob(pattern))[:1000]:
            yield path.relative_to(folder).as_posix()


def _folder(name: str, path: Path) -> UsageProblem:
    inside = path / "__main__.py"
    what = f"{name} is a folder, not a script"
    if inside.exists():
        module = name.strip("/").removeprefix("./").replace("/", ".")
        return WrongLine(what, why="it has a __main__.py: run it as a module", edit=Another(("-m", module)))
    return UsageProblem(what, why="name a file in it; a . alone is the default script")


def _refuse_other_kinds(name: str, path: Path) -> None:
    edits: dict[str, Edit] = {
        ".sh": Another(("--", "bash", name)),
        ".bash": Another(("--", "bash", name)),
        ".ipynb": Another(("--", "jupyter", "nbconvert", "--execute", "--to", "notebook", name)),
    }
    edit = edits.get(path.suffix)
    if edit:
        raise WrongLine(f"{name} is no Python script", why="a script is run by Python; -- runs any command", edit=edit)


def _default(code: Snapshot, context: Context) -> tuple[str, str]:
    """The default script as typed from here, and a sentence that says which it is."""
    setting = context.config.setting("script")
    if setting.value:
        base = Path(setting.where).parent if setting.source == "project" else Path(code.root)
        return _from_here(base / setting.value, context), f"script: {setting.value}, from {setting.where}"
    found = _named(DEFAULT_NAME, code)
    if len(found) == 1:
        hint = f"script: {found[0]}, the repository's only {DEFAULT_NAME}"
        return _from_here(Path(code.root, found[0]), context), hint
    if not found:
        why = f"there is no {DEFAULT_NAME} below {code.root}, and no [tool.ipymlops] script in pyproject.toml"
        raise UsageProblem("which script? none was named, and there is no default", why=why)
    shown = ", ".join(found[:LISTED]) + (f" and {len(found) - LISTED} more" if len(found) > LISTED else "")
    raise WrongLine(
        "which script? none was named, and there are several",
        why=f'there are {shown}; [tool.ipymlops] script = "{found[0]}" in pyproject.toml makes one the default',
        edit=Another((_from_here(Path(code.root, found[0]), context),)),
    )


def _from_here(path: Path, context: Context) -> str:
    return os.path.relpath(os.path.realpath(path.parent) + "/" + path.name, os.path.realpath(context.cwd))


def _named(name: str, code: Snapshot) -> list[str]:
    """Every file of that name in the code, by its path below the root, the least deep first."""
    from ipymlops.source import files

    found = [file.name for file in files(code.tree, code.git_dir) if file.name.rpartition("/")[2] == name]
    return sorted(found, key=lambda path: (path.count("/"), path))
