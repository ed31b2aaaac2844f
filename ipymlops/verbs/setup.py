"""`setup`: finds what a platform needs, makes it on a yes, writes your settings, and can take them back."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ipymlops.config import write_user
from ipymlops.context import Context
from ipymlops.errors import IpymlopsError, UsageProblem
from ipymlops.platforms.abilities import Proposal, SetsUp
from ipymlops.platforms.base import Check, Platform
from ipymlops.spec import Pairs
from ipymlops.verbs import doctor, values
from ipymlops.verbs.doctor import caught, general, refuse_unknown
from ipymlops.verbs.placing import HERE
from ipymlops.verbs.remedy import line_of
from ipymlops.verbs.results import SetupReport
from ipymlops.verbs.setup_journal import Entry, entry_of, forget, forget_made, remember
from ipymlops.verbs.verb import VerbOptions

HELP = "find what a platform needs, make what is missing on a yes, write your settings; --undo takes them back"
EXAMPLES = ("ipymlops setup local", "ipymlops setup local --undo")


@dataclass(frozen=True)
class SetupOptions(VerbOptions):
    """What a `setup` line says; without a platform it is the configured one, else this machine."""

    platform: str | None = None
    settings: Pairs = ()
    yes: bool = False
    undo: bool = False
    plan: bool = False


OPTIONS = SetupOptions


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("platform", nargs="?", default=SUPPRESS, metavar="PLATFORM", help="the configured one, else local")
    add(
        "--set",
        dest="settings",
        action="append",
        default=SUPPRESS,
        metavar="KEY=VALUE",
        type=values.pair("--set", "KEY=VALUE"),
        help="write this value of yours, instead of one that is found",
    )
    add("--yes", action="store_true", default=SUPPRESS, help="make what is missing without asking")
    add("--plan", action="store_true", default=SUPPRESS, help="only say what would be made and written")
    add("--undo", action="store_true", default=SUPPRESS, help="take back what setup wrote for it")


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        platform: With every setting as it would be written; None where it cannot even be loaded.
        wanted: What is to be written, by the setting's whole key; `offered`: what could be.
    """

    checks: tuple[Check, ...]
    platform: Platform | None = None
    wanted: tuple[Proposal, ...] = ()
    offered: tuple[Proposal, ...] = ()

    @property
    def to_make(self) -> tuple[Proposal, ...]:
        return tuple(one for one in self.wanted if one.creates)


def run(options: SetupOptions, context: Context) -> SetupReport:
    """Nothing is made or written while the platform is not ready: a default that cannot work helps nobody."""
    name = options.platform or context.config.get("platform") or HERE
    refuse_unknown("setup", name, context)
    if options.undo:
        return _undo(name, context)
    found = _look(name, options.settings, context)
    report = SetupReport(_expected(found), name, found.wanted, offered=found.offered)
    if not report.is_ok or not found.wanted:
        return report
    given = [word for pair in options.settings for word in ("--set", "=".join(pair))]
    again = line_of("setup", [name, *given, *(["--yes"] if found.to_make else [])])
    if options.plan:
        return replace(report, next=again)
    if found.to_make and not (options.yes or context.screen.ask(_question(found))):
        return replace(report, next=again)
    return _done(name, found, context)


problem = doctor.problem


def _look(name: str, given: Pairs, context: Context) -> Found:
    """The checks are those of the platform as it would be: with what is given and what it proposes itself."""
    named = context.config.platform(name, given)
    own: list[Proposal] = []
    offered: list[Proposal] = []

    def looked() -> tuple[Platform, tuple[Check, ...]]:
        asked = _with(context.platforms[name], named)
        for one in asked.proposals() if isinstance(asked, SetsUp) else ():
            (offered if one.is_optional else own).append(one)
        trial = _with(asked, {**named, **{one.key: one.value for one in own}})
        return trial, tuple(trial.checks())

    trial, checks = caught(name, looked, lambda check: (None, (check,)))
    wanted = _wanted(name, given, own, context) if trial is not None else ()
    offers = tuple(replace(one, key=f"{name}.{one.key}") for one in offered)
    return Found((*general(context), *checks), trial, wanted, offers)


def _with(platform: Platform, settings: Mapping[str, str]) -> Platform:
    return type(platform)(replace(platform.context, settings=settings))


def _wanted(name: str, given: Pairs, own: list[Proposal], context: Context) -> tuple[Proposal, ...]:
    rows = {"platform": Proposal("platform", name, "the default of --on")} if not context.config.get("platform") else {}
    for key, value in context.config.platform(name, given).items():
        if key in dict(given) and context.config.get(f"{name}.{key}") != value:
            rows[key] = Proposal(f"{name}.{key}", value, "you named it")
    for one in own:
        rows[one.key] = replace(one, key=f"{name}.{one.key}")
    return tuple(rows.values())


def _expected(found: Found) -> tuple[Check, ...]:
    """A check that fails because something is still to be made is no failure."""
    to_make = {one.key: one for one in found.to_make}

    def seen(check: Check) -> Check:
        one = to_make.get(check.id)
        if one is None or check.status == "ok":
            return check
        return Check(check.id, "unknown", f"{one.creates} is still to be made")

    return tuple(seen(check) for check in found.checks)


def _question(found: Found) -> str:
    return f"Make {' and '.join(one.creates for one in found.to_make)}?"


def _done(name: str, found: Found, context: Context) -> SetupReport:
    """Make first, then write."""
    home, checks = context.home, {check.id: check for check in found.checks}
    for one in found.to_make:
        assert isinstance(found.platform, SetsUp)  # noqa: S101 - only those propose
        _make(found.platform, one, name, context)
        checks[one.key] = Check(one.key, "ok", f"made: {one.creates}")
    values_of = {one.key: one.value for one in found.wanted if context.config.get(one.key) != one.value}
    remember(home, name, Entry(values_of))
    file = write_user(home, values_of)
    written = tuple((key, value, str(file)) for key, value in values_of.items())
    return SetupReport(tuple(checks.values()), name, found.wanted, written)


def _make(platform: SetsUp, one: Proposal, name: str, context: Context) -> None:
    """Remembered before it is made: what breaks off halfway is there all the same. Forgotten where it is not there."""
    made, asked = (one.creates, one.removal), replace(one, key=one.key.partition(".")[2])
    remember(context.home, name, Entry(made=(made,)))
    try:
        platform.create(asked)
    except IpymlopsError:
        if _is_to_make(platform, asked):
            forget_made(context.home, name, made)
        raise


def _is_to_make(platform: SetsUp, asked: Proposal) -> bool:
    try:
        return any(one.key == asked.key and one.value == asked.value and one.creates for one in platform.proposals())
    except IpymlopsError:  # it cannot be looked for: it may be there
        return False


def _undo(name: str, context: Context) -> SetupReport:
    """Take out what was written and still stands as it was written; what was changed since is the user's own."""
    kept = entry_of(context.home, name)
    if kept is None:
        raise UsageProblem(
            f"there is nothing to take back for {name}", why="setup wrote nothing for it", fix="ipymlops config"
        )
    ours = [(key, value) for key, value in kept.settings.items() if _stands(key, value, context)]
    if ours:
        write_user(context.home, dict.fromkeys((key for key, _ in ours), None))
    forget(context.home, name)
    file = str(context.config.user_file)
    return SetupReport((), f"{name}: taken back", written=tuple((key, "", file) for key, _ in ours), stays=kept.made)


def _stands(key: str, value: str, context: Context) -> bool:
    from ipymlops.config.files import user_table

    _, table = user_table(context.home)
    *platform, name = key.split(".")
    inner = table.get(platform[0], {}) if platform else table
    return isinstance(inner, Mapping) and inner.get(name) == value
