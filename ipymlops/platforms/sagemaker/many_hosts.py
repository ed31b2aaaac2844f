"""The log of many hosts, by one question about all streams: calls are scarce, and one stream each would take too many.

Such pages go by time, so each way through them begins a while before the end of the one before, for what came late;
what had been given by then is known by its id. Once the job has ended, they begin as far back as ids are known.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.sagemaker.cursor import Sweep
from ipymlops.platforms.sagemaker.problems import answers, code_of
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.states import state_of
from ipymlops.platforms.sagemaker.streams import EARLIER, GROUP, MOST_EVENTS, Event

OVERLAP_MS = 60_000
CALLS = 10
"""So many pages are asked for at once; some of them are empty, with more to come."""
MOST_SEEN = 4_000


@dataclass(frozen=True)
class Swept:
    """What came, in the order of time; `is_at_end`: there is no more for now."""

    events: tuple[Event, ...]
    sweep: Sweep
    is_at_end: bool


def swept(client: Any, reference: Reference, told: Mapping[str, Any], sweep: Sweep, most: int) -> Swept:
    """The next events of all streams, about `most`."""
    earliest_ms = int((told["CreationTime"] - EARLIER).timestamp() * 1000)
    if not state_of(told).is_final:
        earliest_ms = max(earliest_ms, sweep.newest_ms - OVERLAP_MS)
    sweep = sweep if sweep.token else _begun(sweep, earliest_ms)
    events: list[Event] = []
    for _ in range(CALLS):
        page = _page(client, reference, sweep, most)
        if page is None:  # the token is no longer taken
            sweep = _begun(replace(sweep, token=""), earliest_ms)
            continue
        fresh, sweep = _fresh(page["events"], sweep)
        events += fresh
        sweep = replace(sweep, token=page.get("nextToken", ""))
        if not sweep.token or len(events) >= most:
            break
    return Swept(tuple(events), sweep, is_at_end=not sweep.token)


def _begun(sweep: Sweep, earliest_ms: int) -> Sweep:
    """A new way, from as far back as is asked for and known."""
    return replace(sweep, start_ms=max(sweep.floor_ms, earliest_ms))


def _page(client: Any, reference: Reference, sweep: Sweep, most: int) -> Mapping[str, Any] | None:
    asked = {"logGroupName": GROUP, "logStreamNamePrefix": f"{reference.name}/", "startTime": sweep.start_ms}
    asked |= {"nextToken": sweep.token} if sweep.token else {}
    with answers("the log cannot be read"):
        try:
            page: Mapping[str, Any] = client.filter_log_events(**asked, limit=min(most, MOST_EVENTS))
        except ClientError as error:
            if code_of(error) == "ResourceNotFound":  # not yet, or no longer
                return {"events": []}
            if sweep.token and code_of(error) in {"InvalidParameter", "Validation"}:
                return None
            raise
    return page


def _fresh(events: list[Event], sweep: Sweep) -> tuple[list[Event], Sweep]:
    """Those that have not been given, and the sweep that knows them."""
    known = {name for _, name in sweep.seen}
    fresh: list[Event] = []
    seen = list(sweep.seen)
    for event in events:
        name = _short(str(event["eventId"]))
        if name not in known:
            known.add(name)
            seen.append((int(event["timestamp"]), name))
            fresh.append(event)
    newest_ms = max([sweep.newest_ms, *(int(event["timestamp"]) for event in fresh)])
    return fresh, _bounded(replace(sweep, newest_ms=newest_ms), seen)


def _bounded(sweep: Sweep, seen: list[tuple[int, str]]) -> Sweep:
    """With a later floor where that is too much."""
    kept = sorted(seen)
    if len(kept) <= MOST_SEEN:
        return replace(sweep, seen=tuple(kept))
    floor_ms = max(sweep.floor_ms, kept[-MOST_SEEN - 1][0] + 1)
    return replace(sweep, floor_ms=floor_ms, seen=tuple(one for one in kept if one[0] >= floor_ms))


def _short(event_id: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(event_id.encode()).digest()[:6]).decode()
