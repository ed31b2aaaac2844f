"""Real container engines for tests, private to one folder each, and a base image that comes from no registry."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import docker

BASE = "ipymlops-test/base:latest"
"""Python, a shell and a few programs of this machine."""
BARE = "ipymlops-test/bare:latest"
"""The same Python as an entrypoint and no shell, as in a distroless image."""
PACKAGES = {
    "dockerd": "docker.io",
    "podman": "podman",
    "runc": "runc",
    "setpriv": "util-linux",
    "ldd": "libc-bin",
    "/usr/bin/python3": "python3",
}
PATIENCE_S = 120.0
PROGRAMS = ("/bin/sh", "/bin/cat", "/bin/sleep", "/usr/bin/env", "/bin/ls")
LEFT_OUT = {
    "__pycache__",
    "dist-packages",
    "site-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "ensurepip",
    "lib2to3",
}
BARE_PROGRAM = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]), flush=True); exec(os.environ.get('DO', ''))"


@dataclass(frozen=True)
class Engine:
    """An engine that answers at `host`."""

    host: str
    is_podman: bool

    @contextmanager
    def client(self) -> Iterator[docker.DockerClient]:
        client = docker.DockerClient(base_url=self.host, timeout=int(PATIENCE_S))
        try:
            yield client
        finally:
            client.close()


@contextmanager
def dockerd() -> Iterator[Engine]:
    """Docker, with nothing of the machine's network touched."""
    _need("dockerd", "runc", "setpriv", "ldd", "/usr/bin/python3")
    with _folder() as folder:
        words = [
            *("dockerd", "--data-root", folder / "dk", "--exec-root", folder / "dx", "--pidfile", folder / "pid"),
            *("-H", f"unix://{folder}/s", "--bridge=none", "--iptables=false", "--ip6tables=false"),
            *("--ip-forward=false", "--ip-masq=false"),
        ]
        with _serving(words, folder, {}, Engine(f"unix://{folder}/s", is_podman=False)) as engine:
            yield engine


@contextmanager
def podman() -> Iterator[Engine]:
    """Podman's service, with what it needs where limits cannot be raised and cgroups are mixed."""
    _need("podman", "runc", "setpriv", "ldd", "/usr/bin/python3")
    with _folder() as folder:
        config = folder / "containers.conf"
        config.write_text(
            '[containers]\ndefault_ulimits=["nofile=4096:4096","nproc=4096:4096"]\n'
            '[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\nevents_logger="file"\n'
        )
        words = [
            *("podman", "--root", folder / "r", "--runroot", folder / "rr", "--tmpdir", folder / "t"),
            *("system", "service", "--time=0", f"unix://{folder}/s"),
        ]
        env = {"CONTAINERS_CONF": str(config)}
        with _serving(words, folder, env, Engine(f"unix://{folder}/s", is_podman=True)) as engine:
            yield engine


def _need(*programs: str) -> None:
    missing = [PACKAGES[program] for program in programs if shutil.which(program, path=_path()) is None]
    assert not missing, f"container tests need packages that are not here: apt-get install {' '.join(missing)}"
    assert os.getuid() == 0, "container tests start an engine of their own, which needs root"


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin"


@contextmanager
def _folder() -> Iterator[Path]:
    """A short name: a socket's path has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ipe", dir="/tmp"))
    try:
        yield folder
    finally:
        for mount in _mounts_below(folder):
            subprocess.run(["umount", "-l", mount], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder)


def _mounts_below(folder: Path) -> list[str]:
    found = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((mount for mount in found if mount.startswith(f"{folder}/")), key=len, reverse=True)


@contextmanager
def _serving(words: list[object], folder: Path, env: dict[str, str], engine: Engine) -> Iterator[Engine]:
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *map(str, words)],
            env={"PATH": _path(), "HOME": str(folder)} | env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        _until_it_answers(process, engine, log)
        with engine.client() as client:
            _import_images(client)
        yield engine
        _until_idle(engine)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _until_it_answers(process: subprocess.Popen[bytes], engine: Engine, log: Path) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while not _answers(engine):
        gone = process.poll() is not None or time.monotonic() > ends_at
        assert not gone, f"the engine does not answer: {log.read_text(errors='replace')[-2000:]}"
        time.sleep(0.05)


def _answers(engine: Engine) -> bool:
    try:
        with engine.client() as client:
            return bool(client.ping())
    except docker.errors.DockerException:
        return False


def _until_idle(engine: Engine) -> None:
    """Every job's container is removed once its end is written down; what a failed test left is removed here."""
    ends_at = time.monotonic() + 5
    with engine.client() as client:
        while (left := client.api.containers(all=True)) and time.monotonic() < ends_at:
            time.sleep(0.05)
        for container in left:
            with suppress(docker.errors.APIError):  # gone meanwhile
                client.api.remove_container(container["Id"], force=True)


def _import_images(client: docker.DockerClient) -> None:
    path = "ENV PATH=/usr/bin:/bin"
    entry = f'ENTRYPOINT ["/usr/bin/python3", "-c", "{BARE_PROGRAM}"]'
    for name, with_shell, changes in ((BASE, True, [path]), (BARE, False, [path, entry])):
        repository, tag = name.split(":")
        client.api.import_image_from_data(
            base_tar(with_shell=with_shell), repository=repository, tag=tag, changes=changes
        )


@cache
def base_tar(*, with_shell: bool) -> bytes:
    """The distribution's Python with its library and the shared objects it needs, as one file system."""
    python = Path("/usr/bin/python3").resolve()
    ask = [python, "-I", "-S", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    library = Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip())
    programs = [Path(program) for program in PROGRAMS] if with_shell else []
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in (python, *programs, *shared_objects([python, *programs, *library.glob("lib-dynload/*.so")])):
            tar.add(path.resolve(), str(path).lstrip("/"))
        tar.add(library, str(library).lstrip("/"), filter=without_ballast)
        _add_link(tar, "usr/bin/python3", python.name)
        for folder in ("tmp", "proc", "sys", "dev", "etc"):
            _add_folder(tar, folder, 0o1777 if folder == "tmp" else 0o755)
    return buffer.getvalue()


def shared_objects(programs: list[Path]) -> set[Path]:
    done = subprocess.run(["ldd", *programs], check=False, capture_output=True, text=True)
    words = [word for line in done.stdout.splitlines() if not line.endswith(":") for word in line.split()]
    return {Path(word) for word in words if word.startswith("/")}


def without_ballast(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(member.name).name
    return None if name in LEFT_OUT or name.startswith("config-") else member


def _add_link(tar: tarfile.TarFile, name: str, to: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, to
    tar.addfile(link)


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    tar.addfile(folder)
