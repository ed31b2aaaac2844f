"""From words to a request: the verb, its options as one frozen object."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from ipymlops.errors import IpymlopsError, UsageProblem
from ipymlops.nearest import nearest
from ipymlops.verbs import VERBS, load, scan
from ipymlops.verbs.remedy import Without, WrongLine, completed, line_of, spans
from ipymlops.verbs.verb import VERSION, Verb, VerbOptions

STOPPING = frozenset({"train"})
"""Verbs whose scan ends at the first word that is not theirs."""


OURS = frozenset({"--json", "--help", "-h", "--"})
"""What `help` does not search for."""


class Parser(ArgumentParser):
    """argparse that raises instead of ending the process, and never abbreviates."""

    def __init__(self, verb: str) -> None:
        super().__init__(prog=f"ipymlops {verb}", add_help=False, allow_abbrev=False)
        self.add_argument("--json", dest="as_json", action="store_true", help="print one JSON document")
        self.add_argument("--help", "-h", dest="wants_help", action="store_true", default=SUPPRESS, help="show this")

    def _get_values(self, action: Action, arg_strings: list[str]) -> Any:
        """A value may be `--`, which argparse takes away before Python 3.13."""
        if action.option_strings and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(message, fix=f"{self.prog} --help")


@dataclass(frozen=True)
class Request:
    """What one line asks for. `words` follow the verb."""

    verb: str
    options: VerbOptions
    words: tuple[str, ...] = ()

    @property
    def module(self) -> Verb:
        return load(self.verb)

    def improved(self, error: IpymlopsError) -> IpymlopsError:
        """The error with a whole line as its fix."""
        table = scan.table_of(parser_of(self.verb))
        return completed(error, self.verb, self.words, table, stops=self.verb in STOPPING)


def parser_of(verb: str) -> Parser:
    parser = Parser(verb)
    load(verb).add_arguments(parser)
    return parser


def parse(words: Sequence[str], cell: str | None = None) -> Request:
    """Read a line.

    Args:
        cell: The body of a `%%mlops` cell, only for `train`: one argument a line.
    Raises: `UsageProblem`, its fix a line that can be pasted.
    """
    verb, rest = _verb(words)
    if verb == "help" or _wants_help(verb, rest):
        return _help(verb, rest)
    request = Request(verb, VerbOptions(), tuple(rest))
    try:
        return Request(verb, _read(verb, rest, cell), tuple(rest))
    except IpymlopsError as error:
        raise request.improved(error) from None


def _read(verb: str, words: Sequence[str], cell: str | None) -> VerbOptions:
    parser, module = parser_of(verb), load(verb)
    read = getattr(module, "read", None)
    if read is not None:
        options: VerbOptions = read(parser, words, cell)
        return options
    if cell is not None:
        raise UsageProblem(f"%%mlops {verb} takes no cell body", why="only train does", fix=f"ipymlops {verb} --help")
    found = scan.scan(words, scan.table_of(parser), stops=False)
    return filled(module.OPTIONS, parser, [*found.words(), *_positional(verb, parser, found.rest)])


def filled(kind: type[VerbOptions], parser: ArgumentParser, words: Sequence[str]) -> VerbOptions:
    """Argparse's result as the verb's frozen object, lists as tuples."""
    known = {field.name for field in fields(kind)}
    given: dict[str, Any] = {
        name: value for name, value in vars(parser.parse_args(list(words))).items() if name in known
    }
    return kind(**{name: _frozen(value) for name, value in given.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _positional(verb: str, parser: ArgumentParser, rest: Sequence[str]) -> list[str]:
    """The plain words, once there are not too many."""
    places = positionals(parser)
    if not any(place.nargs == "*" for place in places) and len(rest) > len(places):
        names = " ".join(f"[{place.metavar}]" if place.nargs == "?" else str(place.metavar) for place in places)
        takes = f"it takes {names}" if names else "it takes none"
        raise WrongLine(f"{verb}: too many words: {rest[len(places)]!r}", why=takes, edit=Without(rest[len(places) :]))
    return ["--", *rest] if rest else []


def positionals(parser: ArgumentParser) -> list[Action]:
    return [action for action in parser._actions if not action.option_strings]  # noqa: SLF001


def _verb(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not words or words[0] in {"--help", "-h"}:
        return "help", words[1:]
    if words[0] in {"--version", "-V"}:
        return "help", [VERSION, *words[1:]]
    if words[0] == "--json" and len(words) > 1:
        return _verb([words[1], words[0], *words[2:]])
    if words[0] in VERBS:
        return words[0], words[1:]
    near = nearest(words[0], VERBS)
    raise UsageProblem(
        f"there is no verb {words[0]!r}",
        why=f"did you mean {near}?" if near else f"there are {', '.join(VERBS)}",
        fix=line_of(near, words[1:]) if near else "ipymlops help",
    )


def _wants_help(verb: str, words: Sequence[str]) -> bool:
    """`--help` among our own words, never among the script's."""
    found = spans(words, scan.table_of(parser_of(verb)), stops=verb in STOPPING)
    return any(flag == "--help" for _, _, flag in found)


def _help(verb: str, words: Sequence[str]) -> Request:
    from ipymlops.verbs.help import HelpOptions

    asked = tuple(word for word in words if word not in OURS) if verb == "help" else (verb,)
    flags = words if verb == "help" else [word for word in words if word == "--json"]
    return Request("help", HelpOptions(as_json="--json" in flags, words=asked), tuple(words))


def asks_json(words: Sequence[str]) -> bool:
    """Whether a line that could not be read wanted JSON: `--json` before anything that looks like the script."""
    for word in words:
        if word in {"--", "-m", "."} or word.endswith(".py"):
            return False
        if word == "--json":
            return True
    return False
