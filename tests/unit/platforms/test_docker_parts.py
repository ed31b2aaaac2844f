"""What can be told of containers without an engine."""

import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from ipymlops.errors import MissingExtra, PlatformProblem, Unreachable
from ipymlops.job import JobState
from ipymlops.platforms.docker.container import Wanted, _host_config
from ipymlops.platforms.docker.ending import read_end
from ipymlops.platforms.docker.engine import API, EngineFacts, _addresses, find_engine
from ipymlops.platforms.docker.pump import Pump
from ipymlops.platforms.docker.request import docker_run
from ipymlops.platforms.docker.shepherd import address_path, tend
from ipymlops.platforms.docker.states import STATES, epoch_of, state_of
from ipymlops.platforms.gpus_here import Chosen
from ipymlops.platforms.jobfolder import write_json
from ipymlops.spec import JobSpec, Plan

DOCKER = EngineFacts("20.10", is_podman=False, is_rootless=False, has_selinux=False)
NONE = Chosen()
PODMAN = EngineFacts("4.3", is_podman=True, is_rootless=True, has_selinux=True)


def test_a_word_that_nobody_mapped_is_unknown():
    assert state_of("hibernating") is JobState.UNKNOWN
    assert JobState.SUCCEEDED not in STATES.values()


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("1970-01-01T00:00:01.500000001Z", 1.500000001),
        ("1970-01-01T01:00:01+01:00", 1.0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("yesterday", None),
    ],
)
def test_times_of_both_engines(text, epoch):
    assert epoch_of(text) == epoch


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 9, 11])
def test_a_pump_goes_on_where_the_file_ends(tmp_path, cut):
    whole = [b"one\n", b"two\n", b"tri"]
    (tmp_path / "log").write_bytes(b"".join(whole)[:cut])
    Pump(tmp_path / "log").append(whole)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\ntri"
    entries = (tmp_path / "log.index").read_text().split()
    assert entries[::2] == ([str(cut)] if cut < 11 else [])


def test_a_pump_that_is_closed_writes_no_more(tmp_path):
    pump = Pump(tmp_path / "log")

    def pieces():
        yield b"one\n"
        pump.close()
        yield b"two\n"

    pump.append(pieces())
    assert (tmp_path / "log").read_bytes() == b"one\n"


def wanted(facts, gpus=NONE):
    return Wanted("j1", "n", "i", JobSpec("t.py"), Plan("docker"), {}, gpus, facts)


def test_gpus_are_devices_in_the_engines_own_way(folder):
    gpus = Chosen("a10g", 2, (1, 3))
    asked = _host_config(folder, wanted(DOCKER, gpus))["device_requests"][0]
    assert (asked["DeviceIDs"], asked["Capabilities"]) == (["1", "3"], [["gpu"]])
    assert _host_config(folder, wanted(PODMAN, gpus))["devices"] == ["nvidia.com/gpu=1", "nvidia.com/gpu=3"]
    assert "device_requests" not in _host_config(folder, wanted(DOCKER))


def test_where_selinux_guards_files_the_container_may_read_what_it_is_given(folder):
    assert _host_config(folder, wanted(PODMAN))["security_opt"] == ["label=disable"]


def test_the_plain_request_is_a_docker_run_without_us_and_without_secrets():
    spec = JobSpec("t.py", ("a b",), workdir="sub", env=(("K", "v"),), secrets=(("TOKEN", "env:TOKEN"),))
    words = docker_run(spec, "img", "sha256:1", {"d": Path("/data")}, Chosen("t4", 1, (0,)))["command"]
    assert words[:3] == ["docker", "run", "--rm"]
    assert words[-4:] == ["img", "python3", "t.py", "a b"]
    assert words[words.index("TOKEN") - 1 : words.index("TOKEN") + 1] == ["--env", "TOKEN"]


@pytest.mark.parametrize("host", ["tcp://10.0.0.7:2375", "ssh://me@far", "npipe:////./pipe/docker_engine"])
def test_an_engine_of_another_machine_is_refused(host):
    with pytest.raises(PlatformProblem, match="not on this machine"):
        find_engine({"DOCKER_HOST": host})


def test_the_users_word_comes_before_any_socket(tmp_path):
    assert list(_addresses({"CONTAINER_HOST": "unix:///x"})) == [{"DOCKER_HOST": "unix:///x"}]
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)
        server.bind("docker.sock")
        found = [one["DOCKER_HOST"] for one in _addresses({"XDG_RUNTIME_DIR": str(tmp_path)})]
    assert f"unix://{path}" in found


def test_without_its_library_that_is_what_is_missing_engine_or_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    for env in ({}, {"DOCKER_HOST": f"unix://{tmp_path}/none"}):
        with pytest.raises(MissingExtra) as problem:
            find_engine(env)
        assert problem.value.fix == "pip install 'ipymlops[docker]'"


@pytest.mark.parametrize(
    ("programs", "says"),
    [((), "apt-get install docker.io"), (("podman",), "podman.socket"), (("dockerd",), "start docker")],
)
def test_without_an_engine_the_line_that_helps_is_given(tmp_path, monkeypatch, programs, says):
    monkeypatch.setattr("ipymlops.platforms.docker.engine._sockets", lambda _: [])
    for name in programs:
        (tmp_path / name).touch(mode=0o755)
    with pytest.raises(Unreachable) as problem:
        find_engine({"PATH": str(tmp_path)})
    assert says in problem.value.fix


class DyingEngine(BaseHTTPRequestHandler):
    """An engine that dies in the middle of the log of a container that has ended, and answers no more."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.close_connection = True
        self.asked.append(self.path.partition("?")[0].rpartition("/")[2])
        if "logs" in self.asked[:-2]:  # the library asks once more before it reads the log
            return
        self.send_response(200)
        if self.path.endswith("/json"):
            body = json.dumps({"Id": "c", "Config": {"Tty": False}, "State": {"Status": "exited", "ExitCode": 0}})
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"20\r\n\1\0\0\0\0\0\0\6half a")

    def log_message(self, *_: object) -> None:
        """Nothing is said of requests."""


def test_a_log_that_breaks_off_is_not_taken_for_its_end(folder):
    DyingEngine.asked.clear()
    write_json(folder.root / "job.json", {"spec": {"no_code": True}})
    with ThreadingHTTPServer(("127.0.0.1", 0), DyingEngine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        write_json(address_path(folder), {"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}", API: "1.41"})
        try:
            with pytest.raises(Unreachable):
                tend(folder)
        finally:
            server.shutdown()
    assert DyingEngine.asked == ["json", "logs", "json", "json"]
    assert read_end(folder) is None
