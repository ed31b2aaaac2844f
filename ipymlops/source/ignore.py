"""What is left out beyond .gitignore, what is brought in, and the name of each rule."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ipymlops.errors import SourceProblem
from ipymlops.source.git import Git
from ipymlops.source.paths import IGNORE_FILE, ignore_line, parents, shown

BUILT_IN = (".ipynb_checkpoints/", "__pycache__/")
"""Saving and running write them: they would make new code of the same code. What git tracks is sent anyway."""


@dataclass(frozen=True)
class Choices:
    """What the user chose for the repository: the lines of `.ipymlopsignore`, and ignored paths to bring in."""

    ignore: tuple[bytes, ...] = ()
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class Excludes:
    """A file of ignore rules for one call of git, and where each of its lines comes from."""

    path: Path
    origins: tuple[str, ...]

    @property
    def setting(self) -> tuple[str, str]:
        return "core.excludesFile", str(self.path)

    def rule(self, source: bytes, line: bytes, pattern: bytes) -> str:
        """A rule as people know it: `.gitignore: data/`."""
        own = source == os.fsencode(self.path)
        origin = self.origins[int(line) - 1] if own else shown(source)
        return f"{origin}: {shown(pattern)}"


def choices(root: Path, include: Iterable[str] = ()) -> Choices:
    """With `.ipymlopsignore` as it stands: the syntax of .gitignore, at the root only."""
    return Choices(tuple(_lines(root / IGNORE_FILE)), tuple(include))


def excludes_file(
    scratch: Path, config: Mapping[str, str], choice: Choices, *, is_top: bool, own: bytes | None
) -> Excludes:
    """Rules for untracked files: the user's global ones, ours, `.ipymlopsignore`, and the folder of our records."""
    users = _global_excludes(config)
    parts = [
        (str(users), _lines(users)),
        ("built in", [line.encode() for line in BUILT_IN]),
        (IGNORE_FILE, list(choice.ignore) if is_top else []),
        ("ipymlops' own folder", [ignore_line(own).encode(errors="surrogateescape") + b"/"] if own else []),
    ]
    path = scratch / "excludes"
    path.write_bytes(b"".join(line + b"\n" for _, lines in parts for line in lines))
    return Excludes(path, tuple(origin for origin, lines in parts for _ in lines))


def rules_of(git: Git, excludes: Excludes, paths: Iterable[bytes]) -> dict[bytes, str]:
    """The rule that ignores each of the paths (a folder ends in `/`); those that no rule ignores are absent."""
    asked = b"".join(path + b"\0" for path in paths)
    if not asked:
        return {}
    fields = _check_ignore(replace(git, settings=(*git.settings, excludes.setting)), asked)
    rows = zip(*[iter(fields)] * 4, strict=True)
    return {path: excludes.rule(source, line, what) for source, line, what, path in rows if what[:1] != b"!"}


def own_rules_of(program: str, scratch: Path, choice: Choices, paths: Iterable[bytes]) -> dict[bytes, str]:
    """The line of `.ipymlopsignore` that leaves out each of the paths, tracked or not, and their folders (final `/`).

    It is asked of an empty repository, in which no other rule speaks; its folders are there, for a rule may mind.
    """
    if not choice.ignore:
        return {}
    names = list(paths)
    folders = {folder for path in names for folder in parents(path)}
    blank = Git(program, scratch / "blank.git", work_tree=scratch / "blank")
    top = os.fsencode(scratch / "blank")
    for folder in sorted(folders):
        os.makedirs(os.path.join(top, folder), exist_ok=True)  # noqa: PTH103, PTH118 - bytes
    for place in (blank.git_dir / "objects", blank.git_dir / "refs", scratch / "blank"):
        place.mkdir(parents=True, exist_ok=True)
    (blank.git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    path = scratch / "own-excludes"
    path.write_bytes(b"".join(line + b"\n" for line in choice.ignore))
    rules = rules_of(blank, Excludes(path, (IGNORE_FILE,) * len(choice.ignore)), {*names, *folders})
    return {path + b"/" if path in folders else path: rule for path, rule in rules.items()}


def collapsed(left_out: Mapping[bytes, str], rules: Mapping[bytes, str]) -> dict[bytes, str]:
    """One row for a whole folder that a rule leaves out (`rules` knows folders with a final `/`), else one a file."""
    rows: dict[bytes, str] = {}
    for path, rule in left_out.items():
        above = next((folder + b"/" for folder in parents(path.rstrip(b"/")) if folder + b"/" in rules), None)
        rows[above or path] = rules[above] if above else rule
    return rows


def included(git: Git, patterns: Sequence[str]) -> tuple[list[bytes], list[str]]:
    """Untracked files, ignored or not, that `include` names; and the patterns that name nothing at all."""
    found: list[bytes] = []
    idle = []
    for pattern in patterns:
        spec = os.fsencode(f":(top,glob){pattern.lstrip('/')}")
        here = git.fields("ls-files", "-z", "--others", "--", spec)
        found += here
        if not here and not git.fields("ls-files", "-z", "--cached", "--", spec):
            idle.append(pattern)
    return found, idle


def _check_ignore(git: Git, asked: bytes) -> list[bytes]:
    """Git ends with status 1 where no path is ignored: that is an answer, not a failure."""
    return git.run("check-ignore", "-v", "-z", "--no-index", "--stdin", stdin=asked, fine=(0, 1)).split(b"\0")[:-1]


def _global_excludes(config: Mapping[str, str]) -> Path:
    named = config.get("core.excludesfile")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git" / "ignore"


def _lines(file: Path) -> list[bytes]:
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return []
    except OSError as error:
        raise SourceProblem(f"{file} cannot be read", why=str(error.strerror), fix=f"chmod u+r '{file}'") from error
    return content.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n") if content else []
