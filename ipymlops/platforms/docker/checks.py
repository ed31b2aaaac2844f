"""What `doctor docker` looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ipymlops.errors import IpymlopsError
from ipymlops.platforms.base import Check
from ipymlops.platforms.docker.engine import Address, engine, facts_of, find_engine, sdk
from ipymlops.platforms.docker.images import local_id
from ipymlops.platforms.gpus_here import gpu_check
from ipymlops.platforms.machine_checks import machine_checks


def docker_checks(home: Path, env: Mapping[str, str], image: str) -> Iterator[Check]:
    """The library, the engine, the image, the folder for jobs, GPUs. What needs a failed one is left out."""
    yield from _engine_checks(env, image)
    yield from machine_checks("docker", home)
    yield gpu_check("docker", env)


def _engine_checks(env: Mapping[str, str], image: str) -> Iterator[Check]:
    try:
        yield Check("docker.library", "ok", f"the docker library {sdk().__version__} is installed")
    except IpymlopsError as problem:
        yield _failed("docker.library", problem)
        return
    try:
        address = find_engine(env)
        yield from _answering(address, image)
    except IpymlopsError as problem:
        yield _failed("docker.engine", problem)


def _answering(address: Address, image: str) -> Iterator[Check]:
    with engine(address) as client:
        facts = facts_of(client)
        yield Check("docker.engine", "ok", f"{facts.title} answers at {address['DOCKER_HOST']}")
        here = local_id(client, image)
    if here:
        yield Check("docker.image", "ok", f"the image {image} is on this machine: {here}")
    else:
        why = "the first job fetches it, which takes a while"
        yield Check(
            "docker.image", "warn", f"the image {image} is not on this machine", why=why, fix=f"docker pull {image}"
        )


def _failed(check_id: str, problem: IpymlopsError) -> Check:
    return Check(check_id, "fail", problem.what, why=problem.why, fix=problem.fix)
