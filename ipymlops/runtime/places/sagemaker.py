"""Inside a training container of SageMaker: its descriptions of the job, its failure file, its mirrored folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Dict, List

from ipymlops.runtime.places import Place
from ipymlops.runtime.problem import LaunchProblem

if TYPE_CHECKING:
    from ipymlops.runtime.manifest import Listed
    from ipymlops.runtime.signals import Signals
    from ipymlops.runtime.state import State

FAILURE_CHARACTERS = 1024
RESOLVE_S = 60.0
OUTPUT, OURS = "output", "ipymlops"
FOLDERS = (OUTPUT, "tensorboard", "checkpoints")
KEPT = ("result.json", "manifest.json", "metrics.jsonl")
KEPT_BYTES = 10 << 20


class SageMaker(Place):
    """`raw["ml_root"]` is where the service's folders are."""

    def adapted(self, raw: Dict[str, Any]) -> Dict[str, Any]:
        from ipymlops.runtime.places.sagemaker_env import script_variables

        root = raw.setdefault("ml_root", "/opt/ml")
        told = _config(root, "resourceconfig.json")
        hosts = sorted(told.get("hosts") or ["algo-1"], key=natural)
        host = told.get("current_host") or hosts[0]
        rank = hosts.index(host) if host in hosts else 0
        raw.update(node_rank=rank, nodes=len(hosts), main_address=hosts[0] if len(hosts) > 1 else "127.0.0.1")
        if rank:
            raw["output_dir"] = os.path.join(raw["output_dir"], "node-{}".format(rank))
            raw["state_dir"] = os.path.join(os.path.dirname(raw["state_dir"]), "node-{}".format(rank))
        raw["deadline"] = _deadline(raw)
        raw["env"] = {**script_variables(root, host, hosts, dict(os.environ)), **raw["env"]}
        if len(hosts) > 1:
            _await_address(hosts[0])
        return raw

    def secrets(self, raw: Dict[str, Any]) -> Dict[str, str]:
        return {name: _secret(name, where, raw["region"]) for name, where in raw["secrets_from"].items()}

    def delivered(self, raw: Dict[str, Any], state: State, result: Dict[str, Any], signals: Signals) -> None:
        """Everything is written before anything is waited for: a kill in between leaves a truthful picture."""
        from ipymlops.runtime import mirror as mirrors
        from ipymlops.runtime.manifest import files_below, manifest
        from ipymlops.runtime.state import write_json

        root, folder, rank = raw["ml_root"], raw["mirror"]["dir"], raw["node_rank"]
        if result["exit_code"]:
            _write_failure(os.path.join(root, "output", "failure"), result)

        def is_hurried() -> bool:
            return signals.has(signal.SIGTERM)

        others = "{}/node-".format(OUTPUT) if raw["nodes"] > 1 and not rank else ""
        files = files_below(folder, FOLDERS, others)
        told = manifest(folder, files, attempt=result["attempt"], rank=rank, hashed=not is_hurried())
        write_json(state.path("manifest.json"), told)
        data = os.path.join(root, "output", "data")
        _keep(state, os.path.join(data, OURS, "node-{}".format(rank)))
        mirror = mirrors.Mirror.of(raw["mirror"], raw["region"])
        late = mirrors.late_files(mirror, [*files, *_own(state, folder)], dict(os.environ), is_hurried)
        mirrors.save([one for one in late if not one.path.startswith(OURS)], folder, os.path.join(data, "late"))


def natural(host: str) -> List[Any]:
    """`algo-2` is before `algo-10`."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", host)]


def _deadline(raw: Dict[str, Any]) -> float:
    """Never later than the service's own end, whose clock runs from the moment that the machine was obtained.

    That moment is not told. It is not before the job was submitted, nor before this machine started (unless it was kept
    warm, when it was there at once): the later of the two is the nearest that can be known, and on the safe side.
    """
    now, cap_s = time.time(), float(raw["max_runtime_s"])
    obtained_at = max(_started_at(), float(raw.get("submitted_at") or 0.0))
    if not now - cap_s < obtained_at <= now:  # a clock that was set, or a wait longer than the cap
        obtained_at = now
    return obtained_at + cap_s


def _started_at() -> float:
    """When this machine started, in UTC epoch seconds; 0 where that cannot be read."""
    try:
        with open("/proc/uptime", encoding="ascii") as file:
            return time.time() - float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0


def _await_address(host: str) -> None:
    """The names of the other machines may be known some seconds late; a script that still misses them says so."""
    ends_at = time.monotonic() + RESOLVE_S
    while not _is_known(host) and time.monotonic() < ends_at:
        time.sleep(0.5)


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def _secret(name: str, where: Dict[str, Any], region: str) -> str:
    from ipymlops.runtime.aws import AwsProblem, secret_value

    what = "the secret {} cannot be read".format(name)
    try:
        text = secret_value(where["id"], region, dict(os.environ))
    except AwsProblem as problem:
        fix = "give the execution role secretsmanager:GetSecretValue on {}".format(where["id"])
        raise LaunchProblem(what, str(problem), fix) from None
    if not where.get("key"):
        return text
    try:
        return str(json.loads(text)[where["key"]])
    except (ValueError, KeyError, TypeError):
        why = "{} is no JSON object with the key {!a}".format(where["id"], where["key"])
    raise LaunchProblem(what, why, "--secret {}=secretsmanager:{}#KEY".format(name, where["id"]))


def _write_failure(path: str, result: Dict[str, Any]) -> None:
    """What the service shows as the reason, cause first."""
    error = result.get("error") or {}
    where = "{}:{}".format(error["file"], error["line"]) if error.get("file") else ""
    parts = [error.get("what"), where, error.get("why"), "exit code: {}".format(result["exit_code"])]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        file.write("\n".join(part for part in parts if part)[:FAILURE_CHARACTERS])


def _keep(state: State, to: str) -> None:
    """Copies in the archive that is always uploaded."""
    os.makedirs(to, exist_ok=True)
    for name in KEPT:
        path = state.path(name)
        if os.path.exists(path) and os.path.getsize(path) <= KEPT_BYTES:
            shutil.copyfile(path, os.path.join(to, name))


def _own(state: State, folder: str) -> List[Listed]:
    """The launcher's own files, which are to arrive as well."""
    from ipymlops.runtime.manifest import files_below

    ours = files_below(folder, [os.path.relpath(state.folder, folder)])
    return [one for one in ours if os.path.basename(one.path) in KEPT]


def _config(root: str, name: str) -> Dict[str, Any]:
    try:
        with open(os.path.join(root, "input", "config", name), encoding="utf-8") as file:
            told = json.load(file)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
