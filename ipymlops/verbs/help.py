"""`help`: the verbs, one verb, or whatever mentions a word."""

from __future__ import annotations

import inspect
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files

from ipymlops import errors
from ipymlops.config import SETTINGS
from ipymlops.context import Context
from ipymlops.job import EndReason
from ipymlops.nearest import nearest
from ipymlops.verbs import VERBS, load
from ipymlops.verbs.results import HelpText
from ipymlops.verbs.verb import VERSION, VerbOptions

HELP = "explain a verb, or search options, errors, settings and the guide for a word"
EXAMPLES = ("ipymlops help", "ipymlops help train", "ipymlops help secret")
COLUMN = 34


@dataclass(frozen=True)
class HelpOptions(VerbOptions):
    """What a `help` line says."""

    words: tuple[str, ...] = ()


OPTIONS = HelpOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", default=SUPPRESS, metavar="WORD", help="a verb, or any word")


def run(options: HelpOptions, _context: Context) -> HelpText:
    return answer(options)


def answer(options: HelpOptions) -> HelpText:
    """Needs no context: help works with a broken store and outside any repository."""
    words = options.words
    if not words:
        return HelpText(overview())
    if words == (VERSION,):
        return HelpText(f"ipymlops {version('ipymlops')}")
    if len(words) == 1 and words[0] in VERBS:
        return HelpText(verb_help(words[0]))
    return HelpText(search(" ".join(words)))


def overview() -> str:
    rows = [f"  {name:<11}{load(name).HELP}" for name in VERBS]
    doors = "  %mlops VERB …  in a cell · ipymlops VERB …  in a shell · mlops.VERB(…)  in Python"
    example = "  %mlops train --gpu a100 train.py --lr 3e-4"
    more = "  VERB --help explains one; help WORD searches options, errors, settings and the guide"
    return "\n".join(["train this repository's code, as it stands, as a job", "", doors, example, "", *rows, "", more])


def verb_help(verb: str) -> str:
    from ipymlops.verbs.request import parser_of

    module, parser = load(verb), parser_of(verb)
    places = " ".join(_place(action) for action in parser._actions if not action.option_strings)  # noqa: SLF001
    words = "[options] SCRIPT.py ARG…" if verb == "train" else f"[options] {places}".strip()
    rows = [_row(action) for action in parser._actions]  # noqa: SLF001
    extra = TRAIN_FORMS if verb == "train" else ()
    examples = [f"  {line}" for line in module.EXAMPLES]
    return "\n".join([f"{verb} {words}", f"  {module.HELP}", "", *extra, *rows, "", "examples", *examples])


TRAIN_FORMS = (
    f"  {'SCRIPT.py ARG…':<{COLUMN}}a script, relative to this folder; what follows is its own, untouched",
    f"  {'. ARG…':<{COLUMN}}the default script: [tool.ipymlops] script, or the only train.py",
    f"  {'-m MODULE ARG…':<{COLUMN}}a module",
    f"  {'-- COMMAND ARG…':<{COLUMN}}any command",
)


def _place(action: Action) -> str:
    name = str(action.metavar)
    return {"?": f"[{name}]", "*": f"[{name} …]"}.get(str(action.nargs), name)


def _row(action: Action) -> str:
    flags = ", ".join(sorted(action.option_strings, key=len, reverse=True))
    named = f"{flags} {action.metavar}" if action.metavar and flags else flags or str(action.metavar)
    return f"  {named:<{COLUMN}}{action.help or ''}"


def search(text: str) -> str:
    """Every entry that has the text in it, upper and lower case alike."""
    found = [(where, entry) for where, entry in entries() if text.casefold() in entry.casefold()]
    if not found:
        near = nearest(text, [*VERBS, *(flag for flag in _flags())])
        meant = f"did you mean {near}? " if near else ""
        return f"nothing mentions {text!r}\n  {meant}help alone lists the verbs"
    lines: list[str] = []
    for where in dict.fromkeys(where for where, _ in found):
        lines += ["", where, *(f"  {entry}" for one, entry in found if one == where)]
    return "\n".join(lines[1:])


def entries() -> Iterator[tuple[str, str]]:
    """(where, entry) of everything that can be found."""
    from ipymlops.verbs.request import parser_of

    for verb in VERBS:
        yield "verbs", f"{verb:<11}{load(verb).HELP}"
        for action in parser_of(verb)._actions:  # noqa: SLF001
            yield f"options of {verb}", _row(action).strip()
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.IpymlopsError):
            meaning = (kind.__doc__ or "").splitlines()[0]
            yield "errors", f"{name}: {meaning} (exit status {kind.exit_code})"
    for reason in EndReason:
        word, name = reason.value.replace("_", " "), reason.value
        yield "end reasons", f"{word}{f' ({name})' if name != word else ''}: {END_REASONS[reason]}"
    for setting in SETTINGS:
        variable = f" (variable {setting.variable})" if setting.variable else ""
        yield "settings", f"{setting.key}: {setting.help}{variable}"
    for section in guide():
        yield "guide", section


END_REASONS = {
    EndReason.TIMEOUT: "the job was stopped at its cap, --max-runtime or --max-cost",
    EndReason.USER: "stop was asked for",
    EndReason.EXIT_CODE: "the script ended with an exit code that is not 0, or a signal ended it",
    EndReason.OUT_OF_MEMORY: "the kernel killed it for its memory",
    EndReason.OUT_OF_CAPACITY: "the platform had none of these machines free",
    EndReason.PREEMPTED: "the platform took the machine back, as it may with --spot",
    EndReason.PLATFORM_ERROR: "the platform, the machine or the launcher failed, not the script",
}


def guide() -> list[str]:
    """The sections of the guide, each in one line."""
    text = files("ipymlops.verbs").joinpath("guide.md").read_text(encoding="utf-8")
    return [" ".join(section.split()) for section in text.split("\n\n") if section.strip()]


def _flags() -> Iterator[str]:
    from ipymlops.verbs.request import parser_of

    for verb in VERBS:
        for action in parser_of(verb)._actions:  # noqa: SLF001
            yield from action.option_strings
