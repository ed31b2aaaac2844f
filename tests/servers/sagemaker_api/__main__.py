"""`python -m tests.servers.sagemaker_api [--containers]`: AWS for another process.

Prints one JSON line, {"url", "env", "settings", ...}, then answers each JSON line of its standard input with one of its
own, and ends with it:

    {"reset": true}                        forget everything; the answer is as the first line
    {"faults": {"list_rate_per_s": 2}}     set fields of Faults
    {"seed_jobs": 20000}                   put so many finished jobs
    {"calls": true}                        what was asked since the last such line

With --containers jobs run in Docker; without it they succeed at once.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from tests.servers.engine import dockerd
from tests.servers.sagemaker_api.server import SageMakerApi, sagemaker_api

SHOWN = ("url", "env", "fresh_env", "execution_env", "settings", "account", "role", "bucket", "image")


def serve(*, containers: bool) -> None:
    with ExitStack() as stack:
        engine = stack.enter_context(dockerd()) if containers else None
        api = stack.enter_context(sagemaker_api(engine))
        _say({name: getattr(api, name) for name in SHOWN})
        for line in sys.stdin:
            _say(_done(api, json.loads(line)))


def _done(api: SageMakerApi, told: dict[str, Any]) -> dict[str, Any]:
    if told.get("reset"):
        api.reset()
        return {name: getattr(api, name) for name in SHOWN}
    for name, value in told.get("faults", {}).items():
        if not hasattr(api.faults, name):
            return {"error": f"no fault is called {name}"}
        setattr(api.faults, name, set(value) if isinstance(value, list) else value)
    api.seed_jobs(told.get("seed_jobs", 0))
    calls, api.calls = (api.calls, []) if told.get("calls") else ([], api.calls)
    return {"calls": [asdict(call) for call in calls]}


def _say(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    serve(containers="--containers" in sys.argv[1:])
