"""Running the git program: nothing inherited, no hook, no prompt, no other program of the user's."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ipymlops.errors import SourceProblem

MINIMUM = (2, 25)

# Where configuration lies is the user's to say; every other GIT_ variable belongs to some other call of git.
KEPT_VARIABLES = {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"}

QUIET = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.splitIndex", "false"),  # else a shared index would be written into the user's git folder
    ("core.logAllRefUpdates", "false"),
    ("core.safecrlf", "false"),
    ("core.looseCompression", "0"),  # 6 times faster for big files; a later gc compresses them
    ("commit.gpgSign", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)

IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "ipymlops"), ("EMAIL", "ipymlops@localhost"))
}


FULL = (b"No space left", b"Disk quota", b"File too large")


class GitFailed(SourceProblem):
    """The git program said no."""


@dataclass(frozen=True)
class Git:
    """How one repository is spoken to.

    Attributes:
        git_dir: Always explicit: then git looks for no repository and does not mind who owns it.
        index: A temporary index, so that the user's stays as it is.
        objects: Where new objects go, if not into `git_dir`.
        alternates: More places to find objects.
        settings: Configuration for these calls only.
    """

    program: str
    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None
    objects: Path | None = None
    alternates: tuple[Path, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

    def run(
        self, *words: str | bytes, stdin: bytes = b"", cwd: Path | None = None, fine: tuple[int, ...] = (0,)
    ) -> bytes:
        """What git printed; raises `GitFailed` with git's own reason where its status is not `fine`."""
        place = cwd or self._cwd
        try:
            done = subprocess.run(
                self.words(*words), input=stdin, capture_output=True, check=False, cwd=place, env=self._env()
            )
        except OSError as error:  # the program or the folder is gone, or the machine can start no process
            why = f"{error.strerror or error}: {error.filename or self.program}"
            raise GitFailed(
                f"git could not be run in {place}", why=why, fix=f"ls -ld {shlex.quote(str(place))}"
            ) from error
        if done.returncode not in fine:
            raise failure(self, str(words[0]), done.returncode, done.stderr)
        return done.stdout

    def text(self, *words: str | bytes, stdin: bytes = b"") -> str:
        return os.fsdecode(self.run(*words, stdin=stdin)).rstrip("\n")

    def fields(self, *words: str | bytes, stdin: bytes = b"") -> list[bytes]:
        """The fields of an output made with `-z`."""
        return self.run(*words, stdin=stdin).split(b"\0")[:-1]

    @contextmanager
    def process(self, *words: str | bytes) -> Iterator[subprocess.Popen[bytes]]:
        """A git that is asked and answers while it runs; ended with the block."""
        pipe = subprocess.PIPE
        running = subprocess.Popen(
            self.words(*words), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=self._cwd, env=self._env()
        )
        try:
            yield running
        finally:
            for stream in (running.stdout, running.stdin):
                if stream:
                    stream.close()
            running.wait()

    def words(self, *words: str | bytes) -> list[str | bytes]:
        settings = [word for key, value in (*QUIET, *self.settings) for word in ("-c", f"{key}={value}")]
        return [self.program, *settings, *words]

    @property
    def _cwd(self) -> Path:
        return self.work_tree or self.git_dir

    def _env(self) -> dict[str, str]:
        places: Mapping[str, Path | None] = {
            "GIT_DIR": self.git_dir,
            "GIT_WORK_TREE": self.work_tree,
            "GIT_INDEX_FILE": self.index,
            "GIT_OBJECT_DIRECTORY": self.objects,
        }
        env = clean_environment()
        env.update({name: str(place) for name, place in places.items() if place is not None})
        if self.alternates:
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = ":".join(quoted(path) for path in self.alternates)
        return env


def clean_environment() -> dict[str, str]:
    """The environment for git: messages in English, no prompt, an identity, no lock on what is only looked at."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in KEPT_VARIABLES}
    fixed = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    return env | fixed | IDENTITY


def find_git() -> str:
    """The git program; raises `SourceProblem` if there is none or it is too old."""
    program = shutil.which("git")
    if program is None:
        raise SourceProblem(
            "git is not installed",
            why="your code travels as a git tree, and no program named git is on PATH",
            fix=_install_line(),
        )
    said = subprocess.run([program, "--version"], capture_output=True, check=False, env=clean_environment()).stdout
    found = re.search(rb"(\d+)\.(\d+)", said)
    version = tuple(int(number) for number in found.groups()) if found else (0, 0)
    if version < MINIMUM:
        raise SourceProblem(
            f"{program} is too old: {said.decode(errors='replace').strip() or 'it does not tell its version'}",
            why=f"git {'.'.join(map(str, MINIMUM))} or newer is needed",
            fix="conda install -y -c conda-forge git",
        )
    return program


def failure(git: Git, verb: str, status: int, stderr: bytes) -> GitFailed:
    """Git's failure in our words; the common causes have their own remedy."""
    said = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in said if line.startswith("fatal:")] or [line for line in said if "error:" in line] or said
    why = fatal[0] if fatal else ""
    why = why or (f"git was ended by signal {-status}" if status < 0 else f"git ended with status {status}")
    place = git.work_tree or git.git_dir
    if status == -signal.SIGXFSZ or any(word in stderr for word in FULL):
        return GitFailed(
            f"the snapshot of {place} could not be written: the disk is full", why=why, fix=f"df -h {git.git_dir}"
        )
    if b"clean filter" in stderr:
        return GitFailed(
            f"a git filter failed in {place}",
            why=f"{why} (git would refuse to add this file too)",
            fix="git config --get-regexp '^filter'  # mend or unset the one named above",
        )
    look = "status" if git.work_tree else "fsck"
    return GitFailed(f"git {verb} failed in {place}", why=why, fix=f"git -C '{place}' {look}")


def quoted(path: Path) -> str:
    """A path in a list of paths, C-quoted as git reads it."""
    plain = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain}"'


def _install_line() -> str:
    sudo = "" if os.geteuid() == 0 else "sudo "
    for tool, line in (("apt-get", "install -y git"), ("dnf", "install -y git"), ("yum", "install -y git")):
        if shutil.which(tool):
            return f"{sudo}{tool} {line}"
    return "conda install -y -c conda-forge git"
