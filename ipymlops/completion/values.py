"""The values that options and places take: jobs with their names, platforms, GPUs, scripts, files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import UnknownJob
from ipymlops.job import Job

Texts = Iterable[tuple[str, str]]
JOBS = 50
ENTRIES = 500


def verbs() -> Iterator[tuple[str, str]]:
    from ipymlops.verbs import VERBS, load

    for name in VERBS:
        yield name, load(name).HELP


def of_kind(metavar: str, word: str, context: Context) -> Texts:
    """By the word that stands for the value in the help."""
    if metavar == "JOB":
        return jobs(word, context)
    if metavar == "PLATFORM":
        return platforms(context)
    if metavar == "DIR":
        return paths(word, context, only_folders=True)
    if metavar == "WORD":
        return filters(context)
    return ()


def platforms(context: Context) -> Iterator[tuple[str, str]]:
    for name in context.platforms:
        yield name, _title(name, context)


def _title(name: str, context: Context) -> str:
    from ipymlops.errors import MissingExtra

    try:
        return context.platforms.kind(name).title
    except MissingExtra as missing:
        return missing.fix


def filters(context: Context) -> Iterator[tuple[str, str]]:
    """Words that narrow `jobs`."""
    from ipymlops.job import JobState

    for state in JobState:
        yield f"state:{state.value}", "jobs in that state"
    for name in context.platforms:
        yield f"platform:{name}", "jobs on that platform"
    yield "since:1d", "jobs of the last day"


def jobs(word: str, context: Context) -> Iterator[tuple[str, str]]:
    """The newest jobs by number, by name once a letter is typed; each with its state and age."""
    from ipymlops.display.plain import shortened
    from ipymlops.store.base import JobQuery
    from ipymlops.units import age

    now = context.clock.now()
    is_name = bool(word) and not word.isdigit()
    found = context.store.find(JobQuery(words=(word,) if is_name else (), only_ours=not is_name), limit=JOBS)
    for last in _last(context) if "last".startswith(word) else ():
        yield "last", f"{shortened(last.name, 24)} · {last.state.value}"
    for job in found:
        told = f"{job.state.value} · {age(job.created_at, now)}"
        if not word or word.isdigit():
            yield str(job.number), f"{shortened(job.name, 24)} · {told}"
        else:
            yield job.name, f"job {job.number} · {told}"


def _last(context: Context) -> list[Job]:
    try:
        return [context.store.resolve("last")]
    except UnknownJob:
        return []


def files_of(word: str, context: Context) -> Iterator[tuple[str, str]]:
    """The files of the job that a word means, where listing them is no request to a far platform."""
    from ipymlops.errors import UnknownJob
    from ipymlops.units import size

    try:
        job = context.store.resolve(word)
    except UnknownJob:
        return
    platform = context.platforms[job.platform]
    if not platform.is_here or job.ref is None:
        return
    for one in islice(platform.artifacts(job.ref), ENTRIES):
        yield one.path, size(one.bytes)


def gpus(word: str) -> Iterator[tuple[str, str]]:
    """GPU names; after a comma, the next choice."""
    from ipymlops.hardware.accelerators import accelerators

    before = word[: word.rfind(",") + 1]
    for name, one in accelerators().items():
        yield before + name, f"{one.title}, {one.memory_gib} GiB"


def machines(platform: str | None, context: Context) -> Iterator[tuple[str, str]]:
    """The machine types with a GPU of one platform, or of all that rent some; one without its library offers none."""
    from ipymlops.errors import PlatformProblem
    from ipymlops.verbs.gpus import rented

    for name in context.platforms:
        found = rented(name, context) if platform in {None, name} else ()
        for one in () if isinstance(found, PlatformProblem) else found:
            yield one.machine_type, f"{one.count} {one.accelerator}, {one.memory_gib} GiB each"


def settings(platform: str | None) -> Iterator[tuple[str, str]]:
    from ipymlops.config.known import SETTINGS

    for one in SETTINGS:
        if one.platform is not None and platform in {None, one.platform}:
            yield f"{one.name}=", one.help


def scripts(word: str, context: Context) -> Iterator[tuple[str, str]]:
    """Python files and the folders on the way to them, the default script, and the other ways to name what runs."""
    if not word:
        yield ".", "the default script"
        yield "-m", "a module"
        yield "--", "any command"
    for text, what in paths(word, context):
        if text.endswith(("/", ".py")):
            yield text, what


def paths(word: str, context: Context, *, only_folders: bool = False) -> Iterator[tuple[str, str]]:
    """Entries of the folder that the word has got to, hidden ones only when asked for."""
    head, _, tail = word.rpartition("/")
    prefix = f"{head}/" if "/" in word else ""
    folder = Path(context.cwd, prefix)
    try:
        entries = sorted(folder.iterdir())[:ENTRIES]
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") and not tail.startswith("."):
            continue
        if entry.is_dir():
            yield f"{prefix}{entry.name}/", "folder"
        elif not only_folders:
            yield f"{prefix}{entry.name}", "file"


def script_path(plain: Sequence[str], context: Context) -> Path | None:
    """The file of the script that a line names; None for a command, or where it is not known yet."""
    first = plain[0]
    if first == "--":
        return None
    if first == "-m":
        return _module(plain[1], context) if len(plain) > 1 else None
    if first == ".":
        return _default_script(context)
    return Path(context.cwd, first)


def _default_script(context: Context) -> Path:
    """The configured one, else the one in the working folder; looking through a repository is too slow for a key."""
    config = context.config
    configured = config.get("script")
    if configured and config.project_file:
        return config.project_file.parent / configured
    return context.cwd / "train.py"


def _module(name: str, context: Context) -> Path:
    """As Python finds it from the working folder."""
    path = Path(context.cwd, *name.split("."))
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
