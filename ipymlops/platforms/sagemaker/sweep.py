"""Which recorded jobs were deleted: all names of a region are read, and those that none of them is are gone."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ipymlops.platforms.sagemaker.asking import Asking, Step
from ipymlops.platforms.sagemaker.place import CHANGES, Place, Walk
from ipymlops.platforms.sagemaker.reading import ROUNDED_S, created_s


def swept(asking: Asking, place: Place) -> Step:
    """A page of names; after the last one it is known who is gone."""
    page = asking.list(place.walk)
    met = {
        digest(row["TrainingJobName"], created)
        for row in page.rows
        for created in (None, *range(created_s(row) - ROUNDED_S, created_s(row) + ROUNDED_S + 1))
    }
    unseen = tuple(one for one in place.unseen if one not in met)
    if not page.is_last:
        return Step(replace(place, walk=page.walk, unseen=unseen))
    missing = set(unseen)
    deleted = tuple(one.ref for one in asking.known() if digest(one.name, one.created_s) in missing)
    gap = max(0, place.gap - len(deleted))
    place = replace(place, walk=Walk(), unseen=(), gap=gap, swept_s=page.now_s, stage=CHANGES)
    return Step(place, deleted=deleted, is_done=True)


def digest(name: str, second: int | None) -> str:
    """A job's name, and its creation where its reference has it: a name that was used again is another job."""
    return hashlib.blake2b(f"{name}#{second}".encode(), digest_size=6).hexdigest()
