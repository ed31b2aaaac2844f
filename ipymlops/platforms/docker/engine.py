"""The container engine of this machine: where it listens, what it is, and one error for each way it can be missing."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipymlops.errors import MissingExtra, PlatformProblem, Unreachable

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT_S = 60
API = "API_VERSION"
VARIABLES = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
Address = Mapping[str, str]
"""The variables that lead to an engine, and the version of its API, which saves asking; kept with the job."""


@dataclass(frozen=True)
class EngineFacts:
    """What an engine says of itself that matters to us."""

    version: str
    is_podman: bool
    is_rootless: bool
    has_selinux: bool

    @property
    def title(self) -> str:
        kind = "Podman" if self.is_podman else "Docker"
        return f"{kind} {self.version}{' (rootless)' if self.is_rootless else ''}"


def sdk() -> Any:
    """The docker library, imported when it is first needed. Raises `MissingExtra`."""
    try:
        import docker
        import docker.types
    except ModuleNotFoundError as missing:
        raise MissingExtra("docker", missing.name or "docker") from missing
    return docker


def find_engine(env: Mapping[str, str]) -> Address:
    """The address of the engine that answers; raises `MissingExtra`, and `Unreachable` with what to do if none does."""
    sdk()  # without it there is nothing to ask with, whether an engine is here or not
    problems: list[str] = []
    for address in _addresses(env):
        answer = _asked(address)
        if not isinstance(answer, Unreachable):
            return {**address, API: answer}
        problems.append(answer.why)
    raise _absent(env, problems)


def _asked(address: Address) -> str | Unreachable:
    """The version of the engine's API, or why it does not answer."""
    try:
        with engine(address) as client:
            return str(client.api.api_version)
    except Unreachable as problem:
        return problem


@contextlib.contextmanager
def engine(address: Address) -> Iterator[DockerClient]:
    """A client for the engine; a line that breaks is `Unreachable`, a refusal `PlatformProblem`."""
    docker = sdk()
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        _knock(address)
        client = docker.DockerClient.from_env(
            environment=dict(address), timeout=TIMEOUT_S, version=address.get(API, "auto")
        )
    except (DockerException, RequestException, OSError, ValueError) as problem:
        raise _unreachable(address, problem) from problem
    try:
        yield client
    except APIError as problem:
        kind = Unreachable if problem.is_server_error() else PlatformProblem
        raise kind(
            "the container engine refused", why=str(problem.explanation or problem), fix="ipymlops doctor docker"
        ) from problem
    except (DockerException, RequestException, OSError) as problem:
        raise _unreachable(address, problem) from problem
    finally:
        client.close()


def _knock(address: Address) -> None:
    """Raise `OSError` where nobody listens: the library would leave its socket open over it."""
    kind, _, path = address.get("DOCKER_HOST", "").partition("://")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TIMEOUT_S)
            line.connect(path)


def facts_of(client: DockerClient) -> EngineFacts:
    version, info = client.version(), client.info()
    options = " ".join(info.get("SecurityOptions") or ())
    components = [str(one.get("Name", "")) for one in version.get("Components") or ()]
    return EngineFacts(
        version=str(version.get("Version", "")),
        is_podman=any("podman" in component.lower() for component in components),
        is_rootless=bool(info.get("Rootless")) or "rootless" in options,
        has_selinux="selinux" in options,
    )


def _addresses(env: Mapping[str, str]) -> Iterator[Address]:
    """In order: what the user has set, else the sockets that exist."""
    host = env.get("DOCKER_HOST") or env.get("CONTAINER_HOST")
    if host:
        _need_this_machine(host)
        yield {name: env[name] for name in VARIABLES if env.get(name)} | {"DOCKER_HOST": host}
        return
    for path in _sockets(env):
        if path.is_socket():
            yield {"DOCKER_HOST": f"unix://{path}"}


def _sockets(env: Mapping[str, str]) -> Iterator[Path]:
    run, home = Path(env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"), Path(env.get("HOME") or "/nowhere")
    yield Path("/var/run/docker.sock")
    yield run / "docker.sock"
    yield home / ".docker" / "run" / "docker.sock"
    yield home / ".docker" / "desktop" / "docker.sock"
    yield home / ".colima" / "default" / "docker.sock"
    yield run / "podman" / "podman.sock"
    yield Path("/run/podman/podman.sock")


def _need_this_machine(host: str) -> None:
    """The job's folder is mounted, so the engine must see this machine's files."""
    kind, _, rest = host.partition("://")
    if kind == "unix" or (kind in ("tcp", "http", "https") and rest.split(":")[0] in ("127.0.0.1", "localhost")):
        return
    raise PlatformProblem(
        f"the container engine at {host} is not on this machine",
        why="jobs on docker mount a folder of this machine; DOCKER_HOST leads elsewhere",
        fix="unset DOCKER_HOST",
    )


def _unreachable(address: Address, problem: Exception) -> Unreachable:
    return Unreachable(
        "the container engine does not answer",
        why=f"{address.get('DOCKER_HOST')}: {problem}",
        fix="ipymlops doctor docker",
    )


def _absent(env: Mapping[str, str], problems: list[str]) -> Unreachable:
    why = "; ".join(problems) or "no socket of Docker or Podman is here, and DOCKER_HOST is not set"
    return Unreachable("no container engine answers", why=why, fix=_remedy(env, why))


def _remedy(env: Mapping[str, str], why: str) -> str:
    if "Permission denied" in why or "PermissionError" in why:
        return "sudo usermod -aG docker $USER && newgrp docker"
    if env.get("DOCKER_HOST"):
        return "start the engine that DOCKER_HOST names, or: unset DOCKER_HOST"
    if shutil.which("dockerd", path=env.get("PATH")):
        return "sudo systemctl start docker"
    if shutil.which("podman", path=env.get("PATH")):
        return "systemctl --user start podman.socket"
    return "sudo apt-get install docker.io && sudo usermod -aG docker $USER && newgrp docker"
