"""What the launcher of a job left: its result, its metrics, its manifest. Only that of the last attempt counts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ipymlops.errors import NotSignedIn, PlatformProblem, Unreachable
from ipymlops.job import EndReason
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.reading import in_touch, need_described
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.runtime import metrics
from ipymlops.runtime.places.sagemaker_layout import node_folder

METRICS_TAIL_BYTES = 64 * 1024
STARTED_AGAIN = frozenset({"Interrupted", "Restarting"})


@dataclass(frozen=True)
class Result:
    """A `result.json`, as far as it is what a launcher writes: the script could have written there too.

    Attributes:
        number: Of the attempt, from 1.
        log_lines: How many lines it wrote to its log; None where it did not count.
    """

    exit_code: int
    ended_at: float
    number: int = 1
    signal: int | None = None
    end_reason: EndReason | None = None
    error: Mapping[str, Any] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    log_lines: int | None = None


def result_of(outputs: Outputs, rank: int) -> Result | None:
    """The result of a node's last attempt: in the mirror, else in the archive; None where there is none.

    Raises: `PlatformProblem` where neither may be read.
    """
    refused: PlatformProblem | None = None
    for read in (outputs.mirrored_json, outputs.kept_json):
        try:
            found = _result(read(rank, "result.json") or {})
        except (Unreachable, NotSignedIn):
            raise  # it may be there, and can be read another time
        except PlatformProblem as problem:
            refused = refused or problem
            continue
        if found and is_of_last_attempt(found.number, found.ended_at, outputs.told):
            return found
    if refused:
        raise refused
    return None


def is_of_last_attempt(number: int, ended_at: float, told: Mapping[str, Any]) -> bool:
    """By its number where every start left a trace; else by the time, whose clocks may differ by half of a pause."""
    passed = told.get("SecondaryStatusTransitions") or ()
    again = [at for at, one in enumerate(passed) if one.get("Status") in STARTED_AGAIN]
    starts = len([one for one in passed if one.get("Status") == "Training"])
    if not again or number >= starts:
        return True
    taken = passed[again[-1]]["StartTime"].timestamp()
    started = next((one["StartTime"] for one in passed[again[-1] :] if one.get("Status") == "Training"), None)
    return bool(started and ended_at > (taken + started.timestamp()) / 2)


def manifest_of(outputs: Outputs, rank: int) -> Mapping[str, Mapping[str, Any]]:
    """What a node had written when its last attempt ended, by its path in the mirror; {} where nobody says."""
    begun = outputs.mirrored_json(rank, "attempt.json") or {}
    for read in (outputs.mirrored_json, outputs.kept_json):
        manifest = read(rank, "manifest.json") or {}
        rows = manifest.get("files")
        if isinstance(rows, list) and _is_last(manifest, begun, outputs.told):
            return {row["path"]: row for row in rows if _is_row(row)}
    return {}


def _is_last(manifest: Mapping[str, Any], begun: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Args: `begun` is the newest attempt that has come to the mirror: the manifest's, an earlier or a later one."""
    ended_at, is_same = _seconds(manifest.get("ended_at")), manifest.get("attempt") == begun.get("attempt")
    if not is_same and _seconds(begun.get("started_at")) > ended_at:
        return False
    return is_of_last_attempt((is_same and _whole(begun.get("number"))) or 0, ended_at, told)


def live_metrics(outputs: Outputs) -> dict[str, float]:
    """The last value of each metric so far, from the end of the records; rank 0 has the last word."""
    values: dict[str, float] = {}
    for rank in reversed(range(min(outputs.nodes, 2))):
        values |= _tail(outputs, outputs.node_key(rank, "metrics.jsonl"))
    return values


def metric_records(aws: Aws, reference: Reference) -> Iterator[Mapping[str, Any]]:
    """Every record, those of several nodes one node after the other; for another tool's job the last values."""
    with in_touch(aws):
        told = need_described(aws, reference)
        outputs = Outputs(aws, reference, told)
        if not outputs.has_launcher:
            rows = told.get("FinalMetricDataList") or ()
            yield from ({row["MetricName"]: row["Value"]} for row in rows if "MetricName" in row and "Value" in row)
            return
        for rank in range(outputs.nodes):
            content = outputs.read(outputs.node_key(rank, "metrics.jsonl"))
            if content is None:
                content = outputs.member("output.tar.gz", f"{node_folder(rank)}/metrics.jsonl")
            yield from metrics.records_of(io.BytesIO(content or b""))


def _tail(outputs: Outputs, key: str) -> dict[str, float]:
    """The last values in one file, which is read only where it has changed since the last time."""
    etag, values = outputs.aws.remembered.get("metrics", outputs.mirror_bucket, key) or ("", {})
    tail = outputs.tail(key, METRICS_TAIL_BYTES, unless=etag)
    if tail is None:
        return dict(values)
    content = tail.content
    if len(content) < tail.size:
        content = content.partition(b"\n")[2]  # what comes before is the rest of a record
    values = metrics.last_values(metrics.records_of(io.BytesIO(content)))
    outputs.aws.remembered.put("metrics", outputs.mirror_bucket, key, answer=(tail.etag, values))
    return values


def _result(told: Mapping[str, Any]) -> Result | None:
    code, ended_at = told.get("exit_code"), told.get("ended_at")
    if not isinstance(code, int) or not isinstance(ended_at, int | float):
        return None
    error, values = told.get("error"), told.get("metrics")
    return Result(
        code,
        float(ended_at),
        _whole(told.get("number")) or 1,
        _whole(told.get("signal")),
        _reason(told.get("end_reason"), code),
        error if isinstance(error, dict) and "what" in error else None,
        metrics.last_values([_numbers(values)] if isinstance(values, dict) else []),
        _whole(told.get("log_lines")),
    )


def _reason(word: object, code: int) -> EndReason | None:
    known = {one.value: one for one in EndReason}
    return known.get(str(word), EndReason.EXIT_CODE if code else None)


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that JSON has no numbers for are strings."""
    words = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
    return {name: words.get(value, value) if isinstance(value, str) else value for name, value in values.items()}


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("path"), str) and isinstance(row.get("bytes"), int)
