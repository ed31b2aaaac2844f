"""How a container's job stands, from its folder and one question to the engine; and the word to stop."""

from __future__ import annotations

from typing import Any

from ipymlops.errors import Unreachable
from ipymlops.job import EndReason, JobState, JobStatus
from ipymlops.platforms.docker.ending import end_status, lost_status, read_end
from ipymlops.platforms.docker.engine import engine
from ipymlops.platforms.docker.shepherd import address_path
from ipymlops.platforms.docker.start import find_container, pass_stop_on, started_marker
from ipymlops.platforms.docker.states import NEVER_RAN, RUNNING, epoch_of, state_of
from ipymlops.platforms.jobfolder import JobFolder, read_json
from ipymlops.platforms.jobstate import ended_status, moment


def look_at(folder: JobFolder) -> JobStatus:
    """The job's status; `Unreachable` if only the engine could tell and it does not answer."""
    known = _known(folder)
    if known is not None:
        return known
    address = read_json(address_path(folder))
    if address is None or not started_marker(folder).exists():
        return _not_started(folder)
    try:
        with engine(address) as client:
            container = find_container(client, folder)
            if container is not None:
                return _living(folder, container)
    except Unreachable:  # Podman also says so of a container that is just being removed
        known = _known(folder)
        if known is None:
            raise
        return known
    return _known(folder) or lost_status(folder)


def stop_container(folder: JobFolder) -> None:
    """Leave word, then signal, once; the shepherd ends what ignores it. One that has ended was not stopped."""
    address, state = read_json(address_path(folder)), folder.node(0).state
    if address is None:
        state.ask_to_stop()
        return
    with engine(address) as client:
        container = find_container(client, folder)
        if container is not None and container.status not in (*NEVER_RAN, *RUNNING):
            return
        state.ask_to_stop()
        pass_stop_on(client, folder)


def _known(folder: JobFolder) -> JobStatus | None:
    """What the folder alone says: the launcher's result, or how the container ended."""
    result = None if folder.record()["spec"]["no_code"] else folder.node(0).state.result()
    if result is not None:
        return ended_status(result)
    end = read_end(folder)
    return None if end is None else end_status(folder, end)


def _not_started(folder: JobFolder) -> JobStatus:
    if folder.node(0).state.stop_was_asked():
        return JobStatus(JobState.STOPPED, detail="stopped before it started", end_reason=EndReason.USER)
    return JobStatus(JobState.QUEUED, detail="its container has not been started")


def _living(folder: JobFolder, container: Any) -> JobStatus:
    state, word = state_of(container.status), container.status
    node, no_code = folder.node(0), folder.record()["spec"]["no_code"]
    if state is JobState.RUNNING and not no_code and node.state.attempt() is None:
        state = JobState.STARTING
    if state in (JobState.STARTING, JobState.RUNNING) and node.state.stop_was_asked():
        state = JobState.STOPPING
    return JobStatus(state, detail=word, started_at=moment(epoch_of(container.attrs["State"].get("StartedAt"))))
