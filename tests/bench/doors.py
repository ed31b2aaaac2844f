"""Run the same arguments through every front door on a platform, and see what the script got."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import ipymlops

ECHO = "import json, sys\nprint(json.dumps(sys.argv[1:]), flush=True)\n"

CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
BYTES = st.binary(max_size=8).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"0")))
ODD = [
    *("", " ", "'", '"', "\\", "$x", "{x}", "{{x}}", "{{{{x}}}}", "*", "~", "?", "!", "%", "#", ";", "-", "--", "-f"),
    *("--json", "--lr", "--lr", "3e-4", "a b", "a\nb", "\n", "\r", "\t", "é", "\u2028", "\x1b[31m", "\x7f", '{"a": 1}'),
]
ARGV = st.tuples(st.permutations(ODD), st.lists(st.one_of(st.text(CHARACTERS, max_size=12), BYTES), max_size=30)).map(
    lambda words: [*words[0], *words[1]]
)


class Doors:
    """The doors of one user, who stands in a repository with a script that prints its arguments."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._numbers = count(1)

    def wrong(self, platform: str, argv: Sequence[str]) -> list[str]:
        """A sentence for each door through which the script got anything else."""
        number = next(self._numbers)
        names = {door: f"{door}-{number}" for door in DOORS}
        sent = {door: self._expressed(door, argv) for door in DOORS}
        for door, name in names.items():
            getattr(self, f"_{door}")(platform, name, sent[door])
        ipymlops.wait(*names.values())
        got = {door: json.loads(_log_of(name)) for door, name in names.items()}
        return [f"{door}, {platform}: {sent[door]} became {got[door]}" for door in DOORS if got[door] != sent[door]]

    def _expressed(self, door: str, argv: Sequence[str]) -> list[str]:
        """The words that the door has a way to say.

        A cell is text; a line has no ends of lines in it; of a line of nothing but blanks IPython makes an empty one.
        """
        if door == "magic":
            return [word for word in argv if _is_text(word) and len(f".{word}.".splitlines()) == 1]
        if door == "cell":
            return [word for word in argv if _is_text(word) and "\n" not in word and (not word or word.strip(" \t"))]
        return list(argv)

    def _magic(self, platform: str, name: str, argv: list[str]) -> None:
        self._cell_runs(f"%mlops {_start(platform, name)} train.py " + " ".join(map(_quoted, argv)))

    def _cell(self, platform: str, name: str, argv: list[str]) -> None:
        self._cell_runs(f"%%mlops {_start(platform, name)} train.py\n" + "".join(f"{word}\n" for word in argv))

    def _command(self, platform: str, name: str, argv: list[str]) -> None:
        line = [sys.executable, "-m", "ipymlops", *_start(platform, name).split(), "train.py", *argv]
        subprocess.run([os.fsencode(word) for word in line], check=True, stderr=subprocess.DEVNULL)

    def _python(self, platform: str, name: str, argv: list[str]) -> None:
        ipymlops.train("train.py", *argv, on=platform, name=name, again=True)

    def _cell_runs(self, cell: str) -> None:
        self._shell.run_cell(cell, store_history=False).raise_error()


DOORS = ("magic", "cell", "command", "python")


@contextmanager
def open_doors(folder: Path, env: dict[str, str]) -> Iterator[Doors]:
    """Stand in a new repository below `folder`, with a home of its own."""
    repo = folder / "repo"
    repo.mkdir(parents=True)
    (repo / "train.py").write_text(ECHO)
    subprocess.run(["git", "init", "-q"], cwd=repo, check=True)
    before, here = dict(os.environ), Path.cwd()
    os.environ |= {"IPYMLOPS_HOME": str(folder / "home"), "VIRTUAL_ENV": sys.prefix, **env}
    os.chdir(repo)
    quiet = Config()
    quiet.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=quiet)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # cards are not what is looked at
            shell.run_cell("%load_ext ipymlops").raise_error()
            yield Doors(shell)
    finally:
        shell.run_line_magic("unload_ext", "ipymlops")
        InteractiveShell.clear_instance()
        os.chdir(here)
        os.environ.clear()
        os.environ |= before


def _start(platform: str, name: str) -> str:
    return f"train --again --on {platform} --name {name}"


def _quoted(word: str) -> str:
    """A word as it is typed in a notebook line."""
    if word.startswith("{{"):
        word = "{{" + word + ("}}" if word.endswith("}}") else "")
    return shlex.quote(word)


def _is_text(word: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in word)


def _log_of(job: str) -> Any:
    line = [sys.executable, "-m", "ipymlops", "logs", job]
    return subprocess.run(line, check=True, capture_output=True).stdout
