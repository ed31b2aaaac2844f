"""The plain `docker run` that does what a job does, for `--plan` and for leaving us."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipymlops.platforms.gpus_here import Chosen
from ipymlops.spec import JobSpec


def docker_run(
    spec: JobSpec, image: str, image_id: str | None, data: Mapping[str, Path], gpus: Chosen
) -> dict[str, Any]:
    """To be run at the root of the code: the words of the command, and the image's digest where it is known."""
    words = ["docker", "run", "--rm"]
    if not spec.no_code:
        words += ["--volume", ".:/code", "--workdir", f"/code/{spec.workdir}".rstrip("/")]
    for name, path in data.items():
        words += ["--mount", f"type=bind,source={path},target=/data/{name},readonly"]
    for name, value in spec.env:
        words += ["--env", f"{name}={value}"]
    for name, _ in spec.secrets:
        words += ["--env", name]  # the value stays in the environment of whoever runs it
    if gpus.count:
        words += ["--gpus", f'"device={",".join(map(str, gpus.indexes))}"']
    command = list(spec.argv) if spec.no_code else list(spec.command("python3"))
    return {"command": [*words, image, *command], "image": image, "image_id": image_id}
