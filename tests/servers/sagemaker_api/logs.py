"""CloudWatch's reading calls, over the events that moto keeps: its own paging differs from the service's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moto.logs.models import logs_backends

from tests.servers.sagemaker_api.answers import ServiceError
from tests.servers.sagemaker_api.asked import Asked
from tests.servers.sagemaker_api.listing import read_token, token

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

GROUP = "/aws/sagemaker/TrainingJobs"
MOST, PAGE_BYTES, OVERHEAD = 10_000, 1_048_576, 26
Told = Mapping[str, Any]


class Logs:
    """GetLogEvents, FilterLogEvents, and writing without empty messages.

    A token is a place in the order of arrival, so that nobody who resumes misses what came late.
    """

    def __init__(self, api: SageMakerApi) -> None:
        self.api = api

    def write(self, region: str, stream: str, events: list[tuple[float, str]], group: str = GROUP) -> None:
        """Add events, (epoch seconds, text); group and stream are made where they are missing."""
        backend = logs_backends[self.api.account][region]
        with self.api.guard:
            if group not in backend.groups:
                backend.create_log_group(group, {})
            streams = backend.groups[group].streams
            if stream not in streams:
                backend.create_log_stream(group, stream)
            rows = [{"timestamp": int(at * 1000), "message": text} for at, text in events if text]
            if rows:
                streams[stream].put_log_events(rows)

    def forget(self, region: str, stream: str, count: int, group: str = GROUP) -> None:
        """The group's retention removes the oldest events of a stream."""
        with self.api.guard:
            del logs_backends[self.api.account][region].groups[group].streams[stream].events[:count]

    def get(self, asked: Asked) -> dict[str, Any]:
        told, faults = asked.input, self.api.faults
        events = self._events(asked, [told["logStreamName"]])
        given = told.get("nextToken")
        if given and faults.take("log_token_invalid"):
            raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
        way, start, end = _range(given, len(events), from_head=told.get("startFromHead", False))
        if way == "b":
            page = _shortened(events[:end][::-1], told)[::-1]
            start = end - len(page)
        elif faults.empty_log_pages and start < len(events) and self._is_empty_page((told["logStreamName"], start)):
            page, way = [], "e" if given and given.startswith("f/") else "f"
        else:
            page, way = _shortened(events[start:], told), "f"
            if not page and given:
                return {"events": [], "nextForwardToken": given, "nextBackwardToken": _token("b", start)}
        shown = [_shown(one) for one in page if _is_within(one, told)]
        forward = _token("f" if way == "b" else way, start + len(page))
        return {"events": shown, "nextForwardToken": forward, "nextBackwardToken": _token("b", start)}

    def filter(self, asked: Asked) -> dict[str, Any]:
        told = asked.input
        names = self._stream_names(asked)
        mine = [one for one in self._events(asked, names) if _is_within(one, told) and _passes(one, told)]
        mine.sort(key=lambda one: (one[1].timestamp, one[1].event_id))
        start, empty = read_token(told["nextToken"]) if told.get("nextToken") else (0, 0)
        if self.api.faults.empty_log_pages and start < len(mine) and self._is_empty_page((tuple(names), start)):
            return {"events": [], "searchedLogStreams": [], "nextToken": token([start, empty + 1])}
        page = _shortened(mine[start:], told)
        again = [mine[start - 1]] if self.api.faults.duplicate_log_events and start and page else []
        shown = [{**_shown(one), "eventId": _event_id(one), "logStreamName": one[0]} for one in again + page]
        end = start + len(page)
        answer: dict[str, Any] = {"events": shown, "searchedLogStreams": []}
        return answer | ({"nextToken": token([end, 0])} if end < len(mine) else {})

    def _is_empty_page(self, place: tuple[Any, ...]) -> bool:
        """Count how often this place was asked for; the page is empty until the fault's number is reached."""
        with self.api.guard:
            seen = self.api.empty_pages.get(place, 0)
            self.api.empty_pages[place] = seen + 1
        return seen < self.api.faults.empty_log_pages

    def _events(self, asked: Asked, names: list[str]) -> list[tuple[str, Any]]:
        streams = self._group(asked).streams
        if "logStreamName" in asked.input and asked.input["logStreamName"] not in streams:
            raise _not_found("stream")
        visible = int((self.api.now() - self.api.faults.late_log_events) * 1000)
        is_late = self.api.faults.late_log_events > 0
        found = [(name, one) for name in names if name in streams for one in list(streams[name].events)]
        return [one for one in found if not is_late or one[1].ingestion_time <= visible]

    def _stream_names(self, asked: Asked) -> list[str]:
        told, streams = asked.input, self._group(asked).streams
        prefix, names = told.get("logStreamNamePrefix"), told.get("logStreamNames")
        if prefix and names:
            text = "logStreamNames and logStreamNamePrefix cannot be specified together."
            raise ServiceError("InvalidParameterException", text)
        if names and any(name not in streams for name in names):
            raise _not_found("stream")
        return list(names or [name for name in streams if name.startswith(prefix or "")])

    def _group(self, asked: Asked) -> Any:
        identifier = str(asked.input.get("logGroupIdentifier", "")).partition(":log-group:")[2]
        name = asked.input.get("logGroupName") or identifier
        groups = logs_backends[self.api.account][asked.region].groups
        if name not in groups:
            raise _not_found("group")
        return groups[name]


def without_empty(told: Told) -> dict[str, Any]:
    """PutLogEvents' input without the events that the service drops."""
    return {**told, "logEvents": [one for one in told.get("logEvents", []) if one.get("message")]}


def _not_found(what: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def _range(given: str | None, count: int, *, from_head: bool) -> tuple[str, int, int]:
    """(way, start, end); "e" is "f" after an empty page, so that its token is another one."""
    if not given:
        return ("f", 0, count) if from_head else ("b", 0, count)
    way, _, place = given.partition("/")
    if way not in ("f", "b", "e") or not place.isdigit():
        raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
    return way, min(int(place), count), min(int(place), count)


def _token(way: str, place: int) -> str:
    return f"{way}/{place:056d}"


def _shortened(events: list[tuple[str, Any]], told: Told) -> list[tuple[str, Any]]:
    """As many as one page holds; at least one."""
    page, size = [], 0
    for one in events[: told.get("limit") or MOST]:
        size += len(one[1].message.encode()) + OVERHEAD
        if page and size > PAGE_BYTES:
            break
        page.append(one)
    return page


def _is_within(one: tuple[str, Any], told: Told) -> bool:
    at = one[1].timestamp
    return bool(told.get("startTime", at) <= at and ("endTime" not in told or at < told["endTime"]))


def _passes(one: tuple[str, Any], told: Told) -> bool:
    words = told.get("filterPattern", "").replace('"', "").split()
    return all(word in one[1].message for word in words)


def _shown(one: tuple[str, Any]) -> dict[str, Any]:
    event = one[1]
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingestion_time}


def _event_id(one: tuple[str, Any]) -> str:
    return f"{one[1].event_id:056d}"
