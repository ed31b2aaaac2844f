"""What the launcher of a job left: its result, its metrics, its manifest. Only that of the last attempt counts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.layout import OURS
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.reading import need_described
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.runtime import metrics

METRICS_TAIL_BYTES = 64 * 1024
STARTED_AGAIN = frozenset({"Interrupted", "Restarting"})


def result_of(outputs: Outputs, rank: int) -> dict[str, Any] | None:
    """The result of a node's last attempt: in the mirror, else in the archive; None where there is none.

    Raises: `PlatformProblem` where neither may be read.
    """
    found = outputs.read_json(outputs.node_key(rank, "result.json"))
    if found is None or not is_of_last_attempt(found, outputs.told):
        found = outputs.kept_json(rank, "result.json")
    return found if found and is_of_last_attempt(found, outputs.told) else None


def manifest_of(outputs: Outputs, rank: int) -> dict[str, Any] | None:
    """What a node had written when it ended, likewise."""
    found = outputs.read_json(outputs.node_key(rank, "manifest.json"))
    return found or outputs.kept_json(rank, "manifest.json")


def is_of_last_attempt(result: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """By its number where each interruption came after a start of ours, else by the time; clocks may differ."""
    again = [one for one in told.get("SecondaryStatusTransitions", ()) if one.get("Status") in STARTED_AGAIN]
    if int(result.get("number", 1)) > len(again):
        return True
    last = max(one["StartTime"] for one in again)
    return bool(datetime.fromtimestamp(result["ended_at"], timezone.utc) > last)


def live_metrics(outputs: Outputs) -> dict[str, float]:
    """The last value of each metric so far, from the end of the records; rank 0 has the last word."""
    records: list[Mapping[str, Any]] = []
    for rank in reversed(range(min(outputs.nodes, 2))):
        content = outputs.read(outputs.node_key(rank, "metrics.jsonl"), last_bytes=METRICS_TAIL_BYTES) or b""
        # The first line of a part is the rest of a record.
        whole = content.partition(b"\n")[2] if len(content) >= METRICS_TAIL_BYTES else content
        records += metrics.records_of(io.BytesIO(whole))
    return metrics.last_values(records)


def metric_records(aws: Aws, reference: Reference) -> Iterator[Mapping[str, Any]]:
    """Every record, those of several nodes one node after the other; for another tool's job the last values."""
    told = need_described(aws, reference)
    outputs = Outputs(aws, reference, told)
    if not outputs.has_launcher:
        yield from (
            {row["MetricName"]: row["Value"]} for row in told.get("FinalMetricDataList") or () if "Value" in row
        )
        return
    for rank in range(outputs.nodes):
        content = outputs.read(outputs.node_key(rank, "metrics.jsonl"))
        if content is None:
            content = outputs.member("output.tar.gz", f"{OURS}/node-{rank}/metrics.jsonl")
        yield from metrics.records_of(io.BytesIO(content or b""))
