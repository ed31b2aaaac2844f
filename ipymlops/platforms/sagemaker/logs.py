"""The log of a training job, from CloudWatch: streams that appear late or never, pages that are empty before the end.

It has ended once nothing more comes, the job has ended, and what its launchers counted is there, or the tail has had
its time to arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from ipymlops.errors import NotSignedIn, PlatformProblem, Unreachable
from ipymlops.job import JobState, LogLine, LogPage
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.cursor import Cursor, Mark, read_cursor
from ipymlops.platforms.sagemaker.many_hosts import swept
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.reading import id_of, in_touch, need_described, nodes_of
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.results import result_of
from ipymlops.platforms.sagemaker.states import state_of
from ipymlops.platforms.sagemaker.streams import (
    GROUP,
    Event,
    Stream,
    counted,
    last_event,
    read_on,
    stream_of,
    streams_of,
)

GRACE = timedelta(seconds=30)
"""The tail of a log may come so long after the end of its job."""
QUIET_POLLS = 2
SETTLED_S = 60
"""So long after a later start of the same host, what comes no more of the earlier one never will."""
AT_ONCE = 8
ONE_BY_ONE = 3
"""Hosts whose streams are each read by their token, which misses nothing; more would take too many calls."""
LINES = 5_000
FINAL_AGE_S = 5.0


@dataclass(frozen=True)
class Part:
    """What one page brought: events with their streams, the place behind them, and whether more is there already."""

    events: Sequence[tuple[Stream, Event]]
    place: Cursor
    is_at_end: bool


def page(aws: Aws, reference: Reference, cursor: str) -> LogPage:
    with in_touch(aws):
        told = need_described(aws, reference, max_age_s=FINAL_AGE_S)
        return _page(Reading(aws, reference, told), read_cursor(cursor))


def last_output_at(aws: Aws, reference: Reference) -> datetime | None:
    """When the newest event was written; None where there is none yet."""
    with in_touch(aws):
        reading = Reading(aws, reference, need_described(aws, reference))
        newest = sorted(reading.streams() or (), key=lambda one: one.epoch)[-AT_ONCE:]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda one: last_event(reading.client, one), newest))
        times = [event["timestamp"] for event in found if event]
        return _time(max(times)) if times else None


class Reading:
    """One described job and the client of its log."""

    def __init__(self, aws: Aws, reference: Reference, told: Mapping[str, Any]) -> None:
        self.reference, self.told = reference, told
        self.outputs = Outputs(aws, reference, told)
        self.client = aws.client("logs", reference.region)
        self.is_final = state_of(told).is_final

    def streams(self) -> list[Stream] | None:
        return streams_of(self.client, self.reference, self.told)

    @property
    def now(self) -> datetime:
        """The service's own clock, as its answer had it."""
        date = self.told.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            return parsedate_to_datetime(date)
        except (TypeError, ValueError):
            return datetime.now(timezone.utc)

    @property
    def is_late(self) -> bool:
        """Whether the tail has had its time."""
        ended_at = self.told.get("TrainingEndTime") or self.told.get("LastModifiedTime")
        return ended_at is None or self.now - ended_at > GRACE


def _page(reading: Reading, place: Cursor) -> LogPage:
    by_token = nodes_of(reading.told) <= ONE_BY_ONE
    part = _by_token(reading, place) if by_token else _by_time(reading, place)
    is_quiet = part.is_at_end and not part.events
    after = replace(part.place, quiet=place.quiet + 1 if reading.is_final and is_quiet else 0)
    is_end = reading.is_final and part.is_at_end and _is_whole(reading, after)
    lines = [line for stream, event in part.events for line in _lines(event, stream.rank)]
    return LogPage(tuple(sorted(lines, key=_when)), str(after), is_end)


def _by_token(reading: Reading, place: Cursor) -> Part:
    streams = reading.streams()
    if streams is None:
        return _without_group(reading, place)
    todo = [one for one in streams if not place.mark(one.short).is_over]
    most = LINES // max(1, len(todo))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reads = list(pool.map(lambda one: read_on(reading.client, one, place.mark(one.short), most), todo))
    marks = {stream.short: read.mark for stream, read in zip(todo, reads, strict=True)}
    quiet = [stream for stream, read in zip(todo, reads, strict=True) if read.is_at_end and not read.events]
    for stream in _superseded(reading, quiet, streams):
        marks[stream.short] = replace(marks[stream.short], is_over=True)
    events = [(stream, event) for stream, read in zip(todo, reads, strict=True) for event in read.events]
    after = replace(place, marks={**place.marks, **marks})
    return Part(events, after, all(read.is_at_end for read in reads))


def _superseded(reading: Reading, quiet: list[Stream], streams: list[Stream]) -> list[Stream]:
    """Of streams that brought nothing, those of starts that were followed by another a while ago."""
    newest = {one.number: one for one in streams}  # the last of each host
    settled = reading.now.timestamp() - SETTLED_S
    return [one for one in quiet if one.epoch < newest[one.number].epoch < settled and not reading.is_final]


def _by_time(reading: Reading, place: Cursor) -> Part:
    found = swept(reading.client, reading.reference, reading.told, place.sweep, LINES)
    named = [(stream_of(str(event["logStreamName"]), reading.told), event) for event in found.events]
    events = [(stream, event) for stream, event in named if stream]
    marks: dict[str, Mark] = dict(place.marks)
    for stream, event in events:
        marks[stream.short] = counted(marks.get(stream.short, Mark()), [event])
    if not marks and reading.is_final and found.is_at_end and reading.streams() is None:
        return _without_group(reading, place)
    return Part(events, replace(place, marks=marks, sweep=found.sweep), found.is_at_end)


def _without_group(reading: Reading, place: Cursor) -> Part:
    """No job of the account has written anything yet, or all of it was removed. Raises `PlatformProblem` for that."""
    if place.marks or (reading.is_final and reading.is_late and _has_spoken(reading, place)):
        raise PlatformProblem(
            f"there is no log of {reading.reference.name} any more",
            why=f"CloudWatch has no group {GROUP} in {reading.reference.region}",
            fix=f"ipymlops artifacts {id_of(reading.told)}",
        )
    return Part((), place, is_at_end=True)


def _has_spoken(reading: Reading, place: Cursor) -> bool:
    """Whether a job that has ended must have written something: one that failed may never have begun."""
    if _are_counted(reading, place):
        return False
    has_result = reading.outputs.has_launcher and result_of(reading.outputs, 0) is not None
    return has_result or state_of(reading.told) is JobState.SUCCEEDED


def _is_whole(reading: Reading, place: Cursor) -> bool:
    """Whether nothing can be missing: what the launchers counted is there, or the tail has had its time."""
    return _are_counted(reading, place) or (reading.is_late and place.quiet >= QUIET_POLLS)


def _are_counted(reading: Reading, place: Cursor) -> bool:
    """Whether every node's last stream has as many lines as its launcher wrote; False where that is not known."""
    if not reading.outputs.has_launcher:
        return False
    lines: dict[int, int] = {}
    for name in sorted(place.marks, key=_epoch):  # the last start of each host counts
        stream = stream_of(f"{reading.reference.name}/{name}", reading.told)
        if stream:
            lines[stream.rank] = place.marks[name].lines
    try:
        for rank in range(reading.outputs.nodes):
            result = result_of(reading.outputs, rank)
            if result is None or result.log_lines is None or lines.get(rank, 0) < result.log_lines:
                return False
    except (Unreachable, NotSignedIn):
        raise
    except PlatformProblem:  # it may not be read: then the time tells
        return False
    return True


def _epoch(short: str) -> int:
    return int(short.rpartition("-")[2])


def _lines(event: Event, rank: int) -> Iterator[LogLine]:
    """One event is one line; a newline inside it, which another tool may have sent, begins another."""
    for text in str(event["message"]).removesuffix("\n").split("\n"):
        yield LogLine(text.encode("utf-8", "surrogatepass"), rank, _time(event["timestamp"]))


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def _when(line: LogLine) -> datetime:
    assert line.time is not None  # noqa: S101 - every event has one
    return line.time
