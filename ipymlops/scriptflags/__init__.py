"""A script's own flags, read from its source: never by importing it, never in its way.

>>> misspelt(Path("train.py"), ["--learning-rte", "3"])
['train.py has no --learning-rte; did you mean --learning-rate?']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from ipymlops.scriptflags.flag import Flag, ScriptFlags
from ipymlops.scriptflags.source import parsed, source_of

__all__ = ["Flag", "ScriptFlags", "flags_of", "misspelt"]

NAMED = 6
SHORTEST = 2  # `-x` and `--`: too short to be called misspelt


def flags_of(path: Path) -> ScriptFlags:
    """The flags of the script at `path`; none of a file that cannot be read or parsed."""
    source = source_of(path)
    return _flags(source) if source else ScriptFlags()


def misspelt(path: Path, argv: Sequence[str]) -> list[str]:
    """A sentence for each `--word` that the script would refuse; none where that is not certain."""
    flags = flags_of(path)
    if not flags.is_complete:
        return []
    return [_hint(path.name, word, flags) for word in dict.fromkeys(_unknown(flags, argv))]


@lru_cache(maxsize=16)
def _flags(source: str) -> ScriptFlags:
    tree = parsed(source)
    if tree is None:
        return ScriptFlags()
    from ipymlops.scriptflags import by_absl, by_argparse, by_click, by_dataclass

    try:
        found = [kind.read(tree) for kind in (by_argparse, by_click, by_dataclass, by_absl)]
    except RecursionError:  # an expression nested deeper than anybody writes
        return ScriptFlags()
    some = [one for one in found if one is not None]
    flags = {flag.name: flag for one in some for flag in one.known}
    return ScriptFlags(tuple(flags.values()), len(some) == 1 and some[0].is_complete)


def _unknown(flags: ScriptFlags, argv: Sequence[str]) -> Iterator[str]:
    known = {flag.name: flag for flag in flags.known}
    skips_next = False
    for word in argv:
        if word == "--":
            return
        if skips_next:
            skips_next = False
            continue
        name, has_value, _ = word.partition("=")
        flag = known.get(name)
        skips_next = flag is not None and flag.takes_value and not has_value
        if name.startswith("--") and len(name) > SHORTEST and not any(one.startswith(name) for one in known):
            yield name


def _hint(script: str, word: str, flags: ScriptFlags) -> str:
    import difflib

    names = [flag.name for flag in flags.known if flag.name.startswith("--") and flag.name != "--help"]
    first = word.split(" ", maxsplit=1)[0]
    if first != word and first in names:
        return f"{word!r} arrives as one argument; {first} and its value are two, in a %%mlops cell two lines"
    folded = {name.casefold().replace("_", "-"): name for name in names}
    near = difflib.get_close_matches(word.casefold().replace("_", "-"), folded, 1, 0.6)
    if near:
        return f"{script} has no {word}; did you mean {folded[near[0]]}?"
    more = ", …" if len(names) > NAMED else ""
    return f"{script} has no {word}; it has {', '.join(names[:NAMED]) or 'no options'}{more}"
