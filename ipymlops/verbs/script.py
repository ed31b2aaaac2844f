"""Which script a line means, and whether it can be run from the snapshot."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import SourceProblem, UsageProblem
from ipymlops.spec import Snapshot
from ipymlops.verbs.nearest import nearest
from ipymlops.verbs.remedy import Edit, WrongLine
from ipymlops.verbs.remedy import Script as Another
from ipymlops.verbs.train_options import TrainOptions

DEFAULT_NAME = "train.py"
LISTED = 5


@dataclass(frozen=True)
class Script:
    """What is to run.

    Attributes:
        script: As in `JobSpec`.
        workdir: The current folder below the root of the code, POSIX.
        path: The script's file on this machine, None for modules, commands and images.
        stem: For the job's default name.
        hints: Sentences for the card.
    """

    script: str | None
    workdir: str
    path: Path | None
    stem: str
    hints: tuple[str, ...] = ()


def script_of(options: TrainOptions, context: Context) -> Script:
    """The script of a line. Raises `UsageProblem` where it cannot be run, before anything is recorded."""
    if options.no_code:
        return Script(None, "", None, Path(options.image or "image").name.split(":")[0] or "image")
    root, workdir = _place(context)
    if options.script is None:
        if not options.argv:
            raise UsageProblem("there is no command after --", why="for example -- python3 -c 'print(1)'")
        return Script(None, workdir, None, _stem(options.argv[0]))
    if options.script.startswith("-m "):
        return Script(options.script, workdir, None, options.script.split(" ", 1)[1].rpartition(".")[2])
    name, hints = (options.script, ()) if options.script else _default(root, context)
    path = _checked(name, root, context)
    shown = os.path.relpath(path, os.path.realpath(context.cwd)) if Path(name).is_absolute() else name
    return Script(shown, workdir, path, path.stem, hints)


def refuse_left_out(script: Script, code: Snapshot) -> None:
    """Raise if the snapshot leaves the script out."""
    if script.path is None:
        return
    below = Path(os.path.relpath(script.path, os.path.realpath(code.root))).as_posix()
    for one in code.left_out:
        if below == one.path.rstrip("/") or below.startswith(one.path.rstrip("/") + "/"):
            raise SourceProblem(
                f"{script.script} is not part of the code that is sent",
                why=f"it is left out by {one.rule}",
                fix=f'add to pyproject.toml:  [tool.ipymlops] include = ["{below}"]',
            )


def _place(context: Context) -> tuple[Path, str]:
    """The root of the code, and the current folder below it."""
    from ipymlops.source import relative_folder

    root, workdir = relative_folder(context.cwd)
    return root, workdir


def _stem(word: str) -> str:
    return Path(word).stem or "command"


def _checked(name: str, root: Path, context: Context) -> Path:
    """The script's file: there, a file, readable, and below the root."""
    if "\0" in name:
        raise UsageProblem("the script's name has a NUL byte", why="no file on Linux can have one")
    path = Path(os.path.normpath(Path(os.path.realpath(context.cwd), name)))
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
    _refuse_outside(name, path, root)
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


def _refuse_outside(name: str, path: Path, root: Path) -> None:
    if not path.is_relative_to(root):
        raise SourceProblem(
            f"{name} is outside the code that is sent",
            why=f"{path} is not below {root}, and only what is there travels",
            fix=f"cp {path} {root}/",
        )


def _refuse_other_kinds(name: str, path: Path) -> None:
    edits: dict[str, Edit] = {
        ".sh": Another(("--", "bash", name)),
        ".bash": Another(("--", "bash", name)),
        ".ipynb": Another(("--", "jupyter", "nbconvert", "--execute", "--to", "notebook", name)),
    }
    edit = edits.get(path.suffix)
    if edit:
        raise WrongLine(f"{name} is no Python script", why="a script is run by Python; -- runs any command", edit=edit)


def _default(root: Path, context: Context) -> tuple[str, tuple[str, ...]]:
    """The default script as typed from here, and a sentence that says which it is."""
    configured = context.config.script
    if configured:
        path = root / configured
        return _from_here(path, context), (f"script: {configured}, from [tool.ipymlops] script",)
    found = _named_train(root)
    if len(found) == 1:
        return _from_here(root / found[0], context), (f"script: {found[0]}, the repository's only {DEFAULT_NAME}",)
    if not found:
        why = f"there is no {DEFAULT_NAME} below {root}, and no [tool.ipymlops] script in pyproject.toml"
        raise UsageProblem("which script? none was named, and there is no default", why=why)
    shown = ", ".join(found[:LISTED]) + (f" and {len(found) - LISTED} more" if len(found) > LISTED else "")
    raise WrongLine(
        "which script? none was named, and there are several",
        why=f'there are {shown}; [tool.ipymlops] script = "{found[0]}" in pyproject.toml makes one the default',
        edit=Another((_from_here(root / found[0], context),)),
    )


def _from_here(path: Path, context: Context) -> str:
    return os.path.relpath(path, os.path.realpath(context.cwd))


def _named_train(root: Path) -> list[str]:
    """Every train.py of the code, by its path below the root."""
    from ipymlops.source import named

    return sorted(named(root, DEFAULT_NAME))
