"""The streams of a job's log, one for each start of each host; and reading one on by its token."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import takewhile
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.sagemaker.cursor import Mark
from ipymlops.platforms.sagemaker.problems import answers, code_of
from ipymlops.platforms.sagemaker.reference import Reference

GROUP = "/aws/sagemaker/TrainingJobs"
EARLIER = timedelta(minutes=5)
"""A stream older than its job by more than that is of an earlier job of the same name."""
CALLS = 20
"""So many pages of one stream are asked for at once; some of them are empty, with more to come."""
MOST_EVENTS = 10_000
SPLIT_BYTES = 256 * 1024 - 26
"""An event of that size goes on in the next one: it is not the end of a line."""
_NAME = re.compile(r"(?P<job>.+)/algo-(?P<number>\d+)-(?P<epoch>\d+)")
Event = Mapping[str, Any]


@dataclass(frozen=True)
class Stream:
    """The log of one start on one host."""

    name: str
    number: int
    epoch: int

    @property
    def short(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def rank(self) -> int:
        """Hosts are algo-1, algo-2 …, and some may never write."""
        return max(0, self.number - 1)


@dataclass(frozen=True)
class Read:
    """What one page brought of a stream; `is_at_end`: its token came back."""

    events: tuple[Event, ...]
    mark: Mark
    is_at_end: bool


def stream_of(name: str, told: Mapping[str, Any]) -> Stream | None:
    """None for a name of another form, and for an earlier job's."""
    found = _NAME.fullmatch(name)
    if found is None or int(found["epoch"]) < (told["CreationTime"] - EARLIER).timestamp():
        return None
    return Stream(name, int(found["number"]), int(found["epoch"]))


def streams_of(client: Any, reference: Reference, told: Mapping[str, Any]) -> list[Stream] | None:
    """By host, then by start; None where there is no group of logs: the account's first output makes it."""
    pages = client.get_paginator("describe_log_streams").paginate(
        logGroupName=GROUP, logStreamNamePrefix=f"{reference.name}/"
    )
    with answers("the log's streams cannot be listed"):
        try:
            names = [row["logStreamName"] for page in pages for row in page["logStreams"]]
        except ClientError as error:
            if code_of(error) == "ResourceNotFound":
                return None
            raise
    found = (stream_of(name, told) for name in names)
    return sorted((one for one in found if one), key=lambda one: (one.number, one.epoch))


def read_on(client: Any, stream: Stream, mark: Mark, most: int) -> Read:
    """The next events, about `most`, and where they end."""
    events: list[Event] = []
    for _ in range(CALLS):
        page = _page(client, stream, mark, most)
        events += page.events
        mark = page.mark
        if page.is_at_end or len(events) >= most:
            return Read(tuple(events), mark, page.is_at_end)
    return Read(tuple(events), mark, is_at_end=False)


def last_event(client: Any, stream: Stream) -> Event | None:
    with answers("the log cannot be read"):
        told = client.get_log_events(logGroupName=GROUP, logStreamName=stream.name, startFromHead=False, limit=1)
    events: list[Event] = told["events"]
    return events[-1] if events else None


def counted(mark: Mark, events: Sequence[Event]) -> Mark:
    """The mark with these events given as well."""
    sizes = (len(str(event["message"]).encode("utf-8", "surrogatepass")) for event in events)
    lines = sum(1 for size in sizes if size < SPLIT_BYTES)
    times = [int(event["timestamp"]) for event in events]
    at_ms = max([mark.at_ms, *times])
    given = times.count(at_ms) + (mark.given if at_ms == mark.at_ms else 0)
    return replace(mark, at_ms=at_ms, given=given, lines=mark.lines + lines)


def _page(client: Any, stream: Stream, mark: Mark, most: int) -> Read:
    asked: dict[str, Any] = {"logGroupName": GROUP, "logStreamName": stream.name, "startFromHead": True}
    asked |= {"nextToken": mark.token} if mark.token else {}
    asked |= {"startTime": mark.at_ms} if mark.skip else {}
    with answers("the log cannot be read"):
        try:
            told = client.get_log_events(**asked, limit=min(most, MOST_EVENTS))
        except ClientError as error:
            if code_of(error) == "ResourceNotFound":  # not yet, or no longer
                return Read((), mark, is_at_end=True)
            if mark.token and code_of(error) == "InvalidParameter":  # tokens hold for a day
                return Read((), mark.by_time(), is_at_end=False)
            raise
    events, token = tuple(told["events"]), told["nextForwardToken"]
    fresh, left = _unknown(events, mark)
    is_at_end = token == mark.token
    after = replace(counted(mark, fresh), token=token, skip=0 if is_at_end else left)
    return Read(fresh, after, is_at_end)


def _unknown(events: tuple[Event, ...], mark: Mark) -> tuple[tuple[Event, ...], int]:
    """The events without those at their head that have been given, and how many more of these may follow."""
    known = len([*takewhile(lambda event: event["timestamp"] <= mark.at_ms, events[: mark.skip])])
    return events[known:], mark.skip - known if known == len(events) else 0
