"""What can stand at the cursor, from the same tables that read the line."""

from __future__ import annotations

import shlex
from argparse import Action
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ipymlops.completion import values
from ipymlops.completion.cut import Cut
from ipymlops.context import Context

MOST = 200


class Offer(NamedTuple):
    """A word that fits, ready to be put in place of the unfinished one, and what it means."""

    text: str
    description: str = ""


def offers(at: Cut, context: Context) -> list[Offer]:
    """Every word that begins with the unfinished one."""
    found = [(text, what) for text, what in _all(at, context) if text.startswith(at.word) and text != at.word]
    shown = found[:MOST]
    if at.is_body:
        return [Offer(text, what) for text, what in shown]
    return [Offer(_quoted(text, at.raw), what) for text, what in shown]


def _quoted(text: str, raw: str) -> str:
    """As a shell needs it, with the quote that the user began with."""
    if raw[:1] in {"'", '"'} and raw[0] not in text and "\\" not in text:
        return f"{raw[0]}{text}" + ("" if text.endswith("/") else raw[0])
    is_open = text.endswith(("/", "=")) and shlex.quote(text[:-1]) == text[:-1]
    return text if is_open else shlex.quote(text)


def _all(at: Cut, context: Context) -> Iterable[tuple[str, str]]:
    from ipymlops.verbs import VERBS
    from ipymlops.verbs.request import STOPPING, parser_of
    from ipymlops.verbs.scan import table_of

    if not at.words or at.words[0] == "help":
        return values.verbs()
    verb, words = at.words[0], at.words[1:]
    if verb not in VERBS:
        return ()
    parser = parser_of(verb)
    table, stops = table_of(parser), verb in STOPPING
    plain, waiting = _walk(words, table, stops=stops)
    if waiting is not None:
        return _of_option(waiting, at.word, words, context)
    if plain and stops:
        return _of_script(plain, at, context)
    if at.word.startswith("-"):
        return _flags(at.word, words, table, context)
    return _of_place(parser._actions, plain, at.word, context, is_script=stops)  # noqa: SLF001 - argparse has no other way


def _walk(words: Sequence[str], table: Mapping[str, Action], *, stops: bool) -> tuple[list[str], Action | None]:
    """The words that are no options (all from the script on, where these stop), and the option without its value."""
    plain: list[str] = []
    waiting: Action | None = None
    for at, word in enumerate(words):
        action = table.get(word)
        if waiting is not None:
            waiting = None
        elif stops and (not word.startswith("-") or word in {"-", "-m", "--"}):
            return list(words[at:]), None
        elif action is not None and action.nargs != 0:
            waiting = action
        elif not word.startswith("-"):
            plain.append(word)
    return plain, waiting


def _flags(word: str, words: Sequence[str], table: Mapping[str, Action], context: Context) -> Iterator[tuple[str, str]]:
    """Options that may still be given, or the values of the one before a `=`."""
    flag, equals, value = word.partition("=")
    if equals and flag in table:
        for text, what in _of_option(table[flag], value, words, context):
            yield f"{flag}={text}", what
        return
    given = {one.partition("=")[0] for one in words}
    for name, action in table.items():
        is_repeatable = type(action).__name__ == "_AppendAction"
        if name.startswith("--") and (is_repeatable or not given & set(action.option_strings)):
            yield name, str(action.help or "")


def _of_option(action: Action, word: str, words: Sequence[str], context: Context) -> Iterable[tuple[str, str]]:
    if action.choices:
        return [(str(choice), "") for choice in action.choices]
    flag = action.option_strings[0]
    if flag == "--gpu":
        return values.gpus(word)
    if flag == "--machine":
        return values.machines(_value(words, "--on"), context)
    if flag == "--set":
        return values.settings(_value(words, "--on") or context.config.get("platform"))
    if flag in {"--env", "--secret"}:
        return [(name, "this variable's value") for name in sorted(context.env)]
    return values.of_kind(str(action.metavar), word, context)


def _value(words: Sequence[str], flag: str) -> str | None:
    """The value that an option has in the words before the cursor."""
    for before, word in zip(["", *words], words, strict=False):
        if before == flag or word.startswith(f"{flag}="):
            return word.partition("=")[2] if word.startswith(f"{flag}=") else word
    return None


def _of_place(
    actions: Sequence[Action], plain: Sequence[str], word: str, context: Context, *, is_script: bool
) -> Iterable[tuple[str, str]]:
    if is_script:
        return values.scripts(word, context)
    places = [action for action in actions if not action.option_strings]
    if not places:
        return ()
    place = places[min(len(plain), len(places) - 1)]
    if len(plain) >= len(places) and place.nargs != "*":
        return ()
    if place.metavar == "GLOB":
        return values.files_of(plain[0], context)
    if place.dest == "gpu":
        return values.gpus(word)
    return values.of_kind(str(place.metavar), word, context)


def _of_script(plain: Sequence[str], at: Cut, context: Context) -> Iterable[tuple[str, str]]:
    """The script's own flags, their choices, and files."""
    from ipymlops.scriptflags import flags_of

    path = values.script_path(plain, context)
    known = {flag.name: flag for flag in flags_of(path).known} if path else {}
    before = known.get(plain[-1])
    if before and before.choices:
        return [(choice, before.name) for choice in before.choices]
    if at.word.startswith("-"):
        return [(flag.name, flag.help) for flag in known.values()]
    return values.paths(at.word, context)
