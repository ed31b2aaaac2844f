"""`setup`: writes what is missing in the user's settings, and can take it back."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ipymlops.config import write_user
from ipymlops.context import Context
from ipymlops.errors import UsageProblem
from ipymlops.verbs import doctor
from ipymlops.verbs.doctor import general, of_platform, refuse_unknown
from ipymlops.verbs.placing import HERE
from ipymlops.verbs.results import DoctorReport
from ipymlops.verbs.verb import VerbOptions

HELP = "find what a platform needs and write what is missing into your settings; --undo takes it back"
EXAMPLES = ("ipymlops setup local", "ipymlops setup local --undo")

Written = tuple[str, str, str]
"""Key, value, file."""


@dataclass(frozen=True)
class SetupOptions(VerbOptions):
    """What a `setup` line says; without a platform it is the configured one, else this machine."""

    platform: str | None = None
    undo: bool = False
    plan: bool = False


OPTIONS = SetupOptions


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("platform", nargs="?", default=SUPPRESS, metavar="PLATFORM", help="the configured one, else local")
    add("--undo", action="store_true", default=SUPPRESS, help="take back what setup wrote for it")
    add("--plan", action="store_true", default=SUPPRESS, help="only say what would be written")


def run(options: SetupOptions, context: Context) -> DoctorReport:
    """Nothing is written while the platform itself is not ready: a default that cannot work helps nobody."""
    name = options.platform or context.config.get("platform") or HERE
    refuse_unknown("setup", name, context)
    if options.undo:
        return DoctorReport((), f"{name}: taken back", _undo(name, context))
    checks = (*general(context), *of_platform(name, context))
    report = DoctorReport(checks, name)
    missing = {key: value for key, value in wanted(name).items() if context.config.get(key) is None}
    if not report.is_ok or not missing:
        return report
    if options.plan:
        file = str(context.config.user_file)
        return DoctorReport(checks, f"{name}: would write", tuple((key, value, file) for key, value in missing.items()))
    return DoctorReport(checks, name, _write(name, missing, context))


problem = doctor.problem


def wanted(name: str) -> dict[str, str]:
    """The settings that a platform should have."""
    if name == "docker":
        from ipymlops.platforms.docker.images import DEFAULT

        return {"platform": name, "docker.image": DEFAULT}
    return {"platform": name}


def _write(name: str, missing: Mapping[str, str], context: Context) -> tuple[Written, ...]:
    journal = _journal(context)
    _save({**journal, name: {**journal.get(name, {}), **missing}}, context)
    file = write_user(context.home, missing)
    return tuple((key, value, str(file)) for key, value in missing.items())


def _undo(name: str, context: Context) -> tuple[Written, ...]:
    """Take out what was written and still stands as it was written; what was changed since is the user's own."""
    journal = _journal(context)
    if name not in journal:
        raise UsageProblem(
            f"there is nothing to take back for {name}", why="setup wrote nothing for it", fix="ipymlops config"
        )
    user_file = str(context.config.user_file)
    ours = [(key, value) for key, value in journal[name].items() if _stands(key, value, context)]
    file = write_user(context.home, dict.fromkeys((key for key, _ in ours), None)) if ours else Path(user_file)
    _save({other: written for other, written in journal.items() if other != name}, context)
    return tuple((key, "", str(file)) for key, _ in ours)


def _stands(key: str, value: str, context: Context) -> bool:
    from ipymlops.config.files import user_table

    _, table = user_table(context.home)
    *platform, name = key.split(".")
    inner = table.get(platform[0], {}) if platform else table
    return isinstance(inner, Mapping) and inner.get(name) == value


def _journal(context: Context) -> dict[str, dict[str, str]]:
    try:
        journal: dict[str, dict[str, str]] = json.loads(_path(context).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return journal


def _save(journal: Mapping[str, Mapping[str, str]], context: Context) -> None:
    path = _path(context)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(journal), encoding="utf-8")


def _path(context: Context) -> Path:
    return context.home / "setup.json"
