"""Starting a job's container exactly once, however often the submit is killed and repeated."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.docker.container import container_name
from ipymlops.platforms.docker.states import NEVER_RAN, RUNNING
from ipymlops.platforms.jobfolder import JobFolder


def started_marker(folder: JobFolder) -> Path:
    """There before the container is started: without a container, it says that there was one."""
    return folder.root / "started"


def find_container(client: Any, folder: JobFolder) -> Any | None:
    """The job's container, None if there is none.

    Podman fails with a server error where a container goes while it looks; asked again, it knows that there is none.
    """
    from docker.errors import APIError, NotFound

    name = container_name(folder.root.name)
    try:
        return client.containers.get(name)
    except NotFound:
        return None
    except APIError as problem:
        if not problem.is_server_error():
            raise
    try:
        return client.containers.get(name)
    except NotFound:
        return None


def pass_stop_on(client: Any, folder: JobFolder) -> None:
    """Signal the container once for a stop that was asked for; one that is not running yet is told when it is."""
    told = folder.root / "told"
    container = None if told.exists() else find_container(client, folder)
    if container is not None and container.status in RUNNING:
        signal_container(container)
        told.touch()


def signal_container(container: Any, word: str | None = None) -> None:
    """Signal its first process, by default with what its image wants for a stop; harmless if it is over."""
    from docker.errors import APIError

    config = container.attrs.get("Config") or {}
    with contextlib.suppress(APIError):  # 404 and 409: gone, or not running
        container.kill(signal=word or config.get("StopSignal") or "SIGTERM")


def start_once(client: Any, folder: JobFolder, create: Callable[[], str], secrets: Callable[[], bytes]) -> None:
    """Start the container unless it was started before; to be called with the submit's lock."""
    found = find_container(client, folder)
    if found is not None and found.status in NEVER_RAN:
        found.remove(force=True)  # its maker was killed: its standard input may be closed or half given
    elif found is not None or started_marker(folder).exists():
        return
    if folder.node(0).state.stop_was_asked():
        return
    stdin = secrets()
    container_id = create()
    if stdin:
        _give(client, container_id, stdin)
    started_marker(folder).touch()
    _start(client, folder, container_id)
    if folder.node(0).state.stop_was_asked():  # meanwhile
        pass_stop_on(client, folder)


def _start(client: Any, folder: JobFolder, container_id: str) -> None:
    from docker.errors import APIError

    try:
        client.api.start(container_id)
    except APIError as problem:
        with contextlib.suppress(APIError):
            client.api.remove_container(container_id, force=True)
        started_marker(folder).unlink(missing_ok=True)
        raise PlatformProblem(
            "the container could not be started",
            why=str(problem.explanation or problem),
            fix="ipymlops doctor docker",
        ) from problem


def _give(client: Any, container_id: str, content: bytes) -> None:
    """Hand over all of the standard input before the container runs: our death cannot cut it short."""
    stream = client.api.attach_socket(container_id, params={"stdin": 1, "stream": 1})
    raw = getattr(stream, "_sock", stream)
    try:
        raw.sendall(content)
        raw.shutdown(socket.SHUT_WR)
    finally:
        stream.close()
        raw.close()
