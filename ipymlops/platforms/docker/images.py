"""Which image a job gets, and that exactly this one is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipymlops.errors import PlatformProblem, UsageProblem
from ipymlops.spec import JobSpec

DEFAULT = "python:3.12-slim"


def image_of(spec: JobSpec, settings: Mapping[str, str]) -> str:
    """The line's image, else the setting, else a stock Python."""
    if spec.image:
        return spec.image
    if spec.no_code:
        raise UsageProblem(
            "--no-code needs an image; nothing was started",
            why="it runs an image as built, and none was named",
            fix="--no-code --image IMAGE",
        )
    return settings.get("image") or DEFAULT


def local_id(client: Any, image: str) -> str | None:
    """The digest of the image that is here under this name; None if there is none."""
    from docker.errors import ImageNotFound

    try:
        return str(client.images.get(image).id)
    except ImageNotFound:
        return None


def present_id(client: Any, image: str, planned: str | None) -> str:
    """The digest to start, fetched where it is missing. Raises `PlatformProblem` if it is not the planned one."""
    here = local_id(client, planned or image)
    if here is not None:
        return here
    _pull(client, image)
    pulled = local_id(client, image)
    if pulled is None or planned not in (None, pulled):
        raise PlatformProblem(
            f"{image} is no longer the image that was planned; nothing was started",
            why=f"{planned} was planned, {pulled or 'nothing'} is here now",
            fix="run the line again",
        )
    return pulled


def _pull(client: Any, image: str) -> None:
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(image)
    try:
        client.images.pull(repository, tag=tag or "latest")
    except APIError as problem:
        raise PlatformProblem(
            f"the image {image} is not on this machine and could not be fetched; nothing was started",
            why=str(problem.explanation or problem),
            fix=f"docker pull {image}",
        ) from problem
