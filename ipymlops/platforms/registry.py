"""The platforms that are installed, found by entry point, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from ipymlops.errors import MissingExtra, UsageProblem
from ipymlops.nearest import nearest
from ipymlops.platforms.base import Platform, PlatformContext

GROUP = "ipymlops.platforms"


class Platforms:
    """A mapping from name to platform. `context_of` gives each platform what it is made from."""

    def __init__(self, context_of: Callable[[str], PlatformContext]) -> None:
        self._context_of = context_of
        self._made: dict[str, Platform] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._installed))

    def __getitem__(self, name: str) -> Platform:
        if name not in self._made:
            self._made[name] = self.kind(name)(self._context_of(name))
        return self._made[name]

    def kind(self, name: str) -> type[Platform]:
        """The class; makes none. Raises `UsageProblem` for an unknown name, `MissingExtra` without its library."""
        point = self._installed.get(name)
        if point is None:
            raise _unknown(name, list(self))
        return _loaded(point)

    def context_of(self, name: str) -> PlatformContext:
        """What the platform would be made from."""
        return self._context_of(name)

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        """Looked for once a line: what was installed meanwhile is found without a new kernel."""
        return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(point: EntryPoint) -> type[Platform]:
    try:
        kind: type[Platform] = point.load()
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] == point.module.split(".")[0]:
            raise  # a misspelt import of its own is a bug, not a missing library
        raise MissingExtra(point.name, missing.name or "") from missing
    return kind


def _unknown(name: str, known: list[str]) -> UsageProblem:
    near = nearest(name, known)
    meant = f"did you mean {near!r}? " if near else ""
    fix = f"--on {near or 'local'}"
    return UsageProblem(f"no platform is called {name!r}", why=f"{meant}there are: {', '.join(known)}", fix=fix)
