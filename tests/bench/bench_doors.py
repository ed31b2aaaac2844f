"""Generated arguments through magic, cell magic, command and Python: processes, containers, training jobs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import Phase, given, settings

from tests.bench.doors import ARGV, DOORS, Doors, open_doors
from tests.bench.row import Row
from tests.servers.engine import BASE, dockerd
from tests.servers.sagemaker_api import sagemaker_api, signed_in

EXAMPLES = 12


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-doors-") as folder, dockerd() as engine:
        env = {"DOCKER_HOST": engine.host, "IPYMLOPS_DOCKER_IMAGE": BASE}
        with sagemaker_api(engine) as api, open_doors(Path(folder), {**env, **signed_in(api)}) as doors:
            found = {platform: _wrong(doors, platform) for platform in ("local", "docker", "sagemaker")}
    for platform, (jobs, wrong) in found.items():
        for sentence in wrong:
            print(ascii(sentence), file=sys.stderr)
        yield Row(f"generated arguments that a door changes ({platform})", len(wrong), "jobs", 0, jobs, "sum")


def _wrong(doors: Doors, platform: str) -> tuple[int, list[str]]:
    """How many jobs were run, and a sentence for each whose arguments were not what was sent."""
    wrong: list[str] = []
    jobs = 0

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], deadline=None, database=None)
    @given(argv=ARGV)
    def every_door(argv: list[str]) -> None:
        nonlocal jobs
        wrong.extend(doors.wrong(platform, argv))
        jobs += len(DOORS)

    every_door()
    return jobs, wrong
