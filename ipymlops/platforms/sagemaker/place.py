"""How far the list of each region has got: what the cursor holds, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

VERSION = 1

FILL, CHANGES, OPEN, CHECK, SWEEP = "fill", "changes", "open", "check", "sweep"
WINDOW_PAGES = 50
"""After so many pages a new question is asked from there on: results grow slower the deeper they are read."""


@dataclass(frozen=True)
class Walk:
    """A way through jobs, the newest first; all times are the service's.

    Attributes:
        token: Of the next page; it may be refused after a while.
        before_s: Only jobs created up to this epoch second.
        oldest_s: Creation of the oldest job seen, from where a new question goes on.
    """

    token: str = ""
    before_s: int | None = None
    oldest_s: int | None = None
    pages: int = 0

    @property
    def is_begun(self) -> bool:
        return self.pages > 0 or self.before_s is not None

    def on(self, token: str, oldest_s: int | None) -> Walk:
        """After a page."""
        walk = replace(self, token=token, oldest_s=oldest_s or self.oldest_s, pages=self.pages + 1)
        is_deep = walk.pages >= WINDOW_PAGES and walk.oldest_s not in (None, self.before_s)
        return walk.anew() if token and is_deep else walk

    def anew(self) -> Walk:
        """The same way without its token: what was created in the oldest job's second is read again."""
        return Walk(before_s=self.oldest_s or self.before_s, oldest_s=self.oldest_s)


@dataclass(frozen=True)
class Place:
    """One region of one account.

    Attributes:
        stage: What the next page is part of.
        is_searched: Search is allowed; without it there are only lists of names and states, and descriptions.
        since_ms: All changes up to then are known.
        newest_ms: The latest change seen in this round.
        now_s: The service's clock at its last answer.
        total: How many jobs there are, as far as that was told.
        checked_s, gap: When totals were compared last, and by how many more jobs are recorded that cannot be found.
        unseen: Of a sweep, the recorded jobs that it has not met yet, as short digests: all of it is written each page.
        open: References of jobs that had not ended when they were seen; `asking`: those to ask about in this round.
        swept_s: When all names were read last, where only that tells of deleted jobs.
        rounds: Since Search was refused.
    """

    stage: str = FILL
    is_searched: bool = True
    walk: Walk = field(default_factory=Walk)
    since_ms: int = 0
    newest_ms: int = 0
    now_s: int = 0
    total: int | None = None
    checked_s: int = 0
    gap: int = 0
    unseen: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    asking: tuple[str, ...] = ()
    swept_s: int = 0
    rounds: int = 0


@dataclass(frozen=True)
class Cursor:
    """The places by `account/region`, and which of them this round still has to do."""

    places: Mapping[str, Place] = field(default_factory=dict)
    todo: tuple[str, ...] = ()

    def text(self) -> str:
        places = {name: _without_defaults(place) for name, place in self.places.items()}
        return json.dumps({"v": VERSION, "places": places, "todo": self.todo}, separators=(",", ":"))


def read_cursor(text: str) -> Cursor:
    """What is no cursor of ours begins anew."""
    try:
        told = json.loads(text)
        if told["v"] != VERSION:
            return Cursor()
        places = {str(name): _place(one) for name, one in told["places"].items()}
        return Cursor(places, tuple(name for name in told["todo"] if name in places))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Cursor()


def _place(told: Mapping[str, Any]) -> Place:
    values: dict[str, Any] = _of_type(Place(), {**told, "walk": Walk(**_of_type(Walk(), told.get("walk", {})))})
    place = Place(**values)
    if place.stage not in (FILL, CHANGES, OPEN, CHECK, SWEEP):
        raise ValueError(place.stage)
    return place


def _of_type(default: Place | Walk, told: Mapping[str, Any]) -> dict[str, Any]:
    """The values that this version has, lists as tuples. Raises `TypeError` for one of another kind."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    for name in values.keys() & asdict(default).keys():
        was = getattr(default, name)
        if not isinstance(values[name], type(was) if was is not None else int | None):
            raise TypeError(name)
    return {name: value for name, value in values.items() if name in asdict(default)}


def _without_defaults(place: Place) -> dict[str, Any]:
    default, told = asdict(Place()), asdict(place)
    return {name: value for name, value in told.items() if value != default[name]}
