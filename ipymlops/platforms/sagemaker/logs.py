"""The log of a training job, from CloudWatch: streams that appear late or never, pages that are empty before the end.

Each stream is read on by its own token, which neither loses nor repeats an event. It has ended once its token comes
back, the job has ended, and what the launcher counted is there, or the tail has had its time to arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.errors import PlatformProblem
from ipymlops.job import LogLine, LogPage
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.cursor import Cursor, Mark, read_cursor
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.problems import answers, code_of
from ipymlops.platforms.sagemaker.reading import need_described
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.results import result_of
from ipymlops.platforms.sagemaker.states import state_of

GROUP = "/aws/sagemaker/TrainingJobs"
GRACE = timedelta(seconds=30)
"""The tail of a log may come so long after the end of its job."""
QUIET_POLLS = 2
AT_ONCE = 8
"""Streams that are read at the same time: some regions allow ten such calls a second."""
EARLIER = timedelta(minutes=5)
"""A stream older than its job by more than that is of an earlier job of the same name."""
_HOST = re.compile(r"(?P<job>.+)/(?P<host>algo-(?P<number>\d+))-(?P<epoch>\d+)")


@dataclass(frozen=True)
class Stream:
    """The log of one start on one host."""

    name: str
    number: int
    epoch: int


def page(aws: Aws, reference: Reference, cursor: str) -> LogPage:
    told, place = need_described(aws, reference), read_cursor(cursor)
    client = aws.client("logs", reference.region)
    streams = _streams(client, reference, told)
    ranks = {number: rank for rank, number in enumerate(sorted({one.number for one in streams}))}
    todo = [one for one in streams if not place.mark(one.name).is_over]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reads = dict(zip(todo, pool.map(lambda one: _read(client, one, place.mark(one.name)), todo), strict=True))
    lines = [line for one, (events, _) in reads.items() for line in _lines(events, ranks[one.number])]
    marks = {**place.marks, **{one.name: mark for one, (_, mark) in reads.items()}}
    is_quiet = all(mark == place.mark(one.name) for one, (_, mark) in reads.items())
    is_final = state_of(told).is_final
    place = Cursor(_closed(streams, marks, reads), place.quiet + 1 if is_quiet and is_final else 0)
    is_end = is_final and is_quiet and _is_whole(aws, reference, told, streams, place)
    return LogPage(tuple(sorted(lines, key=_when)), str(place), is_end)


def last_output_at(aws: Aws, reference: Reference) -> datetime | None:
    """When the newest event was written; None where there is none yet."""
    client = aws.client("logs", reference.region)
    newest = sorted(_streams(client, reference, need_described(aws, reference)), key=lambda one: one.epoch)[-AT_ONCE:]
    times = [event["timestamp"] for one in newest for event in _events(client, one, limit=1)["events"]]
    return _time(max(times)) if times else None


def _streams(client: Any, reference: Reference, told: Mapping[str, Any]) -> list[Stream]:
    """By host, then by start; none before the first output, and never for a host that wrote nothing."""
    earliest = (told["CreationTime"] - EARLIER).timestamp()
    found: list[Stream] = []
    with answers("the log's streams cannot be listed"):
        pages = client.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, logStreamNamePrefix=f"{reference.name}/"
        )
        try:
            for one in (row["logStreamName"] for part in pages for row in part["logStreams"]):
                name = _HOST.fullmatch(one)
                if name and int(name["epoch"]) >= earliest:
                    found.append(Stream(one, int(name["number"]), int(name["epoch"])))
        except ClientError as error:
            if code_of(error) != "ResourceNotFound":  # the account's first job makes the group
                raise
    return sorted(found, key=lambda one: (one.number, one.epoch))


def _read(client: Any, stream: Stream, mark: Mark) -> tuple[list[Mapping[str, Any]], Mark]:
    """The next events, and the mark behind them; where the token is no longer taken, from the head and past those."""
    try:
        told = _events(client, stream, token=mark.token)
    except PlatformProblem as problem:
        if not mark.token or not isinstance(problem.__cause__, ClientError):
            raise
        if code_of(problem.__cause__) not in {"InvalidParameter", "ResourceNotFound"}:
            raise
        return _read_again(client, stream, mark)
    return told["events"], Mark(told["nextForwardToken"], mark.count + len(told["events"]))


def _read_again(client: Any, stream: Stream, mark: Mark) -> tuple[list[Mapping[str, Any]], Mark]:
    """From the head, passing over as many events as have been given; tokens hold for a day."""
    token, passed = "", 0
    while True:
        told = _events(client, stream, token=token)
        events = told["events"]
        if passed + len(events) > mark.count or told["nextForwardToken"] == token:
            fresh = events[mark.count - passed :]
            return fresh, Mark(told["nextForwardToken"], mark.count + len(fresh))
        token, passed = told["nextForwardToken"], passed + len(events)


def _events(client: Any, stream: Stream, *, token: str = "", limit: int | None = None) -> dict[str, Any]:
    asked: dict[str, Any] = {"logGroupName": GROUP, "logStreamName": stream.name, "startFromHead": limit is None}
    asked |= {"nextToken": token} if token else {}
    asked |= {"limit": limit} if limit else {}
    with answers("the log cannot be read"):
        told: dict[str, Any] = client.get_log_events(**asked)
    return told


def _lines(events: list[Mapping[str, Any]], rank: int) -> Iterator[LogLine]:
    for event in events:
        for text in str(event["message"]).removesuffix("\n").split("\n"):
            yield LogLine(text.encode(errors="surrogateescape"), rank, _time(event["timestamp"]))


def _closed(
    streams: list[Stream], marks: Mapping[str, Mark], reads: Mapping[Stream, tuple[list[Any], Mark]]
) -> dict[str, Mark]:
    """A stream that brought nothing, with a later one of the same host, is not asked again."""
    newest = {one.number: one.name for one in streams}  # the last of each host
    closed = {
        one.name
        for one, (events, mark) in reads.items()
        if not events and one.name != newest[one.number] and mark.token
    }
    return {name: replace(mark, is_over=mark.is_over or name in closed) for name, mark in marks.items()}


def _is_whole(aws: Aws, reference: Reference, told: Mapping[str, Any], streams: list[Stream], place: Cursor) -> bool:
    """Whether nothing can be missing: what the launchers counted is there, or the tail has had its time."""
    ended_at = told.get("TrainingEndTime") or told.get("LastModifiedTime")
    is_late = ended_at is None or datetime.now(timezone.utc) - ended_at > GRACE
    if is_late and place.quiet >= QUIET_POLLS:
        return True
    outputs = Outputs(aws, reference, told)
    return outputs.has_launcher and _are_counted(outputs, streams, place)


def _are_counted(outputs: Outputs, streams: list[Stream], place: Cursor) -> bool:
    newest: dict[int, str] = {one.number: one.name for one in streams}
    numbers = sorted(newest)
    try:
        for rank in range(outputs.nodes):
            result = result_of(outputs, rank)
            expected = result.log_lines if result else None
            if expected is None:
                return False
            have = place.mark(newest[numbers[rank]]).count if rank < len(numbers) else 0
            if have < expected:
                return False
    except PlatformProblem:
        return False
    return True


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def _when(line: LogLine) -> datetime:
    assert line.time is not None  # noqa: S101 - every event has one
    return line.time
