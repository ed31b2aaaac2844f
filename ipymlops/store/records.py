"""A job as one line of ASCII JSON, so that lone surrogates survive; and the copies that outlive a damaged database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ipymlops.job import EndReason, Job, JobState
from ipymlops.spec import Intent

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TIMES = ("created_at", "started_at", "ended_at", "kept_until")
_NAMES = tuple(field.name for field in fields(Job))
_KEYS = frozenset(_NAMES)
_STATES = {state.value: state for state in JobState}


def text_of(job: Job) -> str:
    """Times are integers, microseconds since 1970."""
    record = {name: getattr(job, name) for name in _NAMES}
    for name in _TIMES:
        moment = record[name]
        record[name] = None if moment is None else microseconds(moment)
    for name in ("labels", "metrics", "error"):
        record[name] = None if record[name] is None else dict(record[name])
    return json.dumps(record, separators=(",", ":"))


def job_of(text: str) -> Job:
    """The job; fields that a newer version wrote are left out."""
    record: dict[str, Any] = json.loads(text)
    for name in _TIMES:
        moment = record.get(name)
        if moment is not None:
            record[name] = _EPOCH + timedelta(microseconds=moment)
    record["state"] = _STATES[record["state"]]
    if record["end_reason"] is not None:
        record["end_reason"] = EndReason(record["end_reason"])
    record["argv"] = tuple(record["argv"])
    if record.keys() != _KEYS:
        return Job(**{name: value for name, value in record.items() if name in _KEYS})
    job = object.__new__(Job)  # a frozen object's own constructor takes 25 times as long, and lists have thousands
    vars(job).update(record)
    return job


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def intent_text(intent: Intent | None) -> str | None:
    return None if intent is None else json.dumps(intent.to_json(), separators=(",", ":"))


def intent_of(text: str | None) -> Intent | None:
    return None if text is None else Intent.from_json(json.loads(text))


def write_copy(home: Path, job: Job, intent: Intent) -> None:
    """Write the copy `home/records/<id>.json`, whole or not at all."""
    folder = home / "records"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{job.id}.json"
    half = folder / f".{job.id}.{os.getpid()}"
    try:
        half.write_text(f'{{"job":{text_of(job)},"intent":{intent_text(intent)}}}', encoding="ascii")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def copies(home: Path) -> Iterator[tuple[Job, Intent] | Path]:
    """Each copy, or its path where it cannot be read."""
    for path in sorted((home / "records").glob("*.json")):
        yield _copy(path) or path


def _copy(path: Path) -> tuple[Job, Intent] | None:
    try:
        record = json.loads(path.read_text(encoding="ascii"))
        return job_of(json.dumps(record["job"])), Intent.from_json(record["intent"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
