"""Settings read once and merged: line, then variable, then project, then user, then default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ipymlops.config.files import project_table, user_table
from ipymlops.config.home import home_of
from ipymlops.config.known import PLATFORMS, PREFIX, SETTINGS, Known, known
from ipymlops.errors import UsageProblem
from ipymlops.nearest import nearest

Source = Literal["line", "environment", "project", "user", "default", "ignored"]


@dataclass(frozen=True)
class Setting:
    """A setting's value and where it came from.

    Attributes:
        value: None where nothing is set; a list's items joined with commas.
        where: The variable, or the file; "" for the line and the default.
        help: What the setting does; for an ignored one, why it is ignored.
        items: The value of a list, one by one.
    """

    key: str
    value: str | None
    source: Source
    where: str = ""
    help: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """All settings, as they were when it was read.

    Attributes:
        ignored: What was set and means nothing: an unknown key, a value of the wrong kind.
        project_file: The repository's pyproject.toml, None if none has our table.
    """

    home: Path
    project_file: Path | None = None
    user_file: Path | None = None
    found: Mapping[str, Setting] = field(default_factory=dict)
    ignored: tuple[Setting, ...] = ()

    def get(self, key: str, line: str | None = None) -> str | None:
        """The value; `line` is what the line itself says, stronger than all. KeyError if there is no such key."""
        return self.setting(key, line).value

    def items(self, key: str) -> tuple[str, ...]:
        """The value of a list; empty where nothing is set."""
        return self.setting(key).items

    def setting(self, key: str, line: str | None = None) -> Setting:
        one = known(key)
        if one is None:
            raise KeyError(key)
        if line is not None:
            return Setting(key, line, "line", help=one.help, items=(line,))
        return self.found.get(key) or Setting(key, None, "default", help=one.help)

    def rows(self) -> tuple[Setting, ...]:
        """Every setting there is, then those of plug-ins, then what is ignored and why."""
        ours = [self.setting(one.key) for one in SETTINGS]
        others = [setting for key, setting in self.found.items() if key not in {one.key for one in SETTINGS}]
        return (*ours, *others, *self.ignored)

    def platform(self, name: str, line_pairs: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
        """What is set of a platform's settings, by the key within its table.

        Args:
            line_pairs: `--set KEY=VALUE`, which are stronger.
        Raises: `UsageProblem` for a key or a value that the platform does not take.
        """
        before = {
            key.partition(".")[2]: setting.value
            for key, setting in self.found.items()
            if key.startswith(f"{name}.") and setting.value is not None
        }
        return before | {key: _line_value(name, key, value) for key, value in line_pairs}


def load(cwd: Path, env: Mapping[str, str], home: Path | None = None) -> Config:
    """Read all settings as they stand. Raises `UsageProblem` for a file that is no TOML, never for what is in it.

    Args:
        home: None means the one that `env` names.
    """
    home = home or home_of(env)
    project_file, project = project_table(cwd)
    user_file, user = user_table(home)
    tables: list[tuple[Source, str, Mapping[str, Any]]] = [
        ("user", str(user_file), user),
        ("project", str(project_file), project),
    ]
    settings = [row for source, where, table in tables for row in _from_table(table, source, where)]
    settings += _from_variables(env)
    found = {one.key: one for one in settings if one.source != "ignored"}  # the last is the strongest
    ignored = tuple(one for one in settings if one.source == "ignored")
    return Config(home, project_file, user_file, found, ignored)


def _from_table(table: Mapping[str, Any], source: Source, where: str) -> Iterator[Setting]:
    for key, value in table.items():
        if isinstance(value, dict):
            for name, inner in value.items():
                yield _setting(f"{key}.{name}", inner, source, where)
        else:
            yield _setting(key, value, source, where)


def _from_variables(env: Mapping[str, str]) -> Iterator[Setting]:
    """Variables of ours that mean something else (IPYMLOPS_HOME) are no settings; an empty one is as good as none."""
    for variable, value in sorted(env.items()):
        key = _key_of(variable)
        if key and value:
            yield _setting(key, value, "environment", variable)


def _key_of(variable: str) -> str | None:
    for one in SETTINGS:
        if one.variable == variable:
            return one.key
    platform = next((name for name in PLATFORMS if variable.startswith(f"{PREFIX}{name.upper()}_")), None)
    if platform is None:
        return None
    return f"{platform}.{variable[len(PREFIX) + len(platform) + 1 :].lower()}"


def _setting(key: str, value: object, source: Source, where: str) -> Setting:
    one = known(key)
    if one is None:
        return Setting(key, str(value), "ignored", where, _unknown(key))
    if one.is_of_code and source != "project":
        return Setting(key, str(value), "ignored", where, "only the repository's pyproject.toml may set it")
    items = one.items_of(value)
    if items is None:
        return Setting(key, str(value), "ignored", where, f"it must be {one.must_be}")
    return Setting(key, ",".join(items), source, where, one.help, items)


def _unknown(key: str) -> str:
    near = nearest(key, [one.key for one in SETTINGS])
    return f"there is no such setting; did you mean {near!r}?" if near else "there is no such setting"


def _line_value(platform: str, key: str, value: str) -> str:
    one = known(f"{platform}.{key}")
    if one is None:
        raise _no_such(platform, key, value)
    items = one.items_of(value)
    if items is None:
        raise UsageProblem(f"--set {key}={value}: no such value", why=f"it must be {one.must_be}", fix=_example(one))
    return ",".join(items)


def _no_such(platform: str, key: str, value: str) -> UsageProblem:
    names = [one.name for one in SETTINGS if one.platform == platform]
    near = nearest(key, names)
    meant = f"did you mean {near!r}? " if near else ""
    there = f"there are: {', '.join(names)}" if names else "it has none"
    fix = f"--set {near}={value}" if near else "ipymlops config"
    return UsageProblem(f"{platform} has no setting {key!r}", why=meant + there, fix=fix)


def _example(one: Known) -> str:
    return f"--set {one.name}={'100' if one.kind == 'number' else '1'}"
