"""Every training job of the account, a page at a time, region by region; the cursor says how far each has got."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ipymlops.errors import NotSignedIn
from ipymlops.platforms.abilities import Listing
from ipymlops.platforms.sagemaker import by_list, by_search, sweep
from ipymlops.platforms.sagemaker.asking import Asking, Step
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.place import CHANGES, CHECK, FILL, OPEN, SWEEP, Cursor, Place, read_cursor
from ipymlops.platforms.sagemaker.reference import read_reference
from ipymlops.spec import PlatformRef


def listed(aws: Aws, cursor: str, known: Iterable[PlatformRef]) -> Listing:
    """The next page. A round goes once through all regions; its last page is an end."""
    try:
        return _listed(aws, read_cursor(cursor), known)
    except NotSignedIn:
        aws.forget()  # the next page is asked for with what a new login has left
        raise


def _listed(aws: Aws, cursor: Cursor, known: Iterable[PlatformRef]) -> Listing:
    account = aws.account()
    if not cursor.todo or not cursor.todo[0].startswith(f"{account}/"):
        cursor = _new_round(aws, cursor, account, known)
    name, *rest = cursor.todo
    place = cursor.places.get(name, Place())
    step = _step(Asking(aws, account, name.rpartition("/")[2], known), place)
    places = {**cursor.places, name: step.place}
    after = Cursor(places, tuple(rest) if step.is_done else cursor.todo)
    return Listing(step.jobs, after.text(), not after.todo, step.deleted, _total(after, account))


def _total(cursor: Cursor, account: str) -> int | None:
    totals = [place.total for name, place in cursor.places.items() if name.startswith(f"{account}/")]
    return None if None in totals else sum(one or 0 for one in totals)


def _new_round(aws: Aws, cursor: Cursor, account: str, known: Iterable[PlatformRef]) -> Cursor:
    """The region of the settings, the further ones, those listed before; at first also those of recorded jobs."""
    further = [one.strip() for one in aws.settings.get("regions", "").split(",")]
    names = [f"{account}/{region}" for region in (aws.region, *further) if region]
    before = [name for name in cursor.places if name.startswith(f"{account}/")]
    if not before:
        references = [read_reference(ref) for ref in known]
        before = sorted({f"{one.account}/{one.region}" for one in references if one.account == account})
    todo = tuple(dict.fromkeys([*names, *before]))
    places = {name: cursor.places.get(name, Place()) for name in todo}
    return Cursor({**cursor.places, **places}, todo)


def _step(asking: Asking, place: Place) -> Step:
    if place.stage == CHECK:
        return by_search.check(asking, place)
    if place.stage == SWEEP:
        return sweep.swept(asking, place)
    if place.stage == OPEN:
        return by_list.opened(asking, place)
    if place.is_searched:
        return _searched(asking, place)
    return _without_search(asking, place)


def _searched(asking: Asking, place: Place) -> Step:
    step = {FILL: by_search.filled, CHANGES: by_search.changed}[place.stage](asking, place)
    if step is not None:
        return step
    return by_list.filled(asking, Place(is_searched=False))  # Search is refused


def _without_search(asking: Asking, place: Place) -> Step:
    if place.stage == CHANGES and place.rounds >= by_list.SEARCH_AGAIN_ROUNDS:
        step = by_search.filled(asking, Place())  # with Search each job tells more: all of them are listed anew
        if step is not None:
            return step
        place = replace(place, rounds=0)
    return by_list.filled(asking, place) if place.stage == FILL else by_list.changed(asking, place)
