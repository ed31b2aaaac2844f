"""Inside a training container of SageMaker: what the service tells it, and what that means for the launcher."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from ipymlops.runtime.places import Place
from ipymlops.runtime.places.sagemaker_layout import ML
from ipymlops.runtime.places.sagemaker_time import Clock
from ipymlops.runtime.problem import LaunchProblem
from ipymlops.runtime.state import boot_clock

if TYPE_CHECKING:
    from ipymlops.runtime.outcome import Outcome
    from ipymlops.runtime.signals import Signals
    from ipymlops.runtime.state import State

RESOLVE_S = 60.0
ASK_AGAIN_S = 0.5


class SageMaker(Place):
    """`raw["ml_root"]` is where the service's folders are."""

    def __init__(self) -> None:
        self._clock: Optional[Clock] = None
        self._ends_at = 0.0

    def adapted(self, raw: Dict[str, Any], signals: Signals) -> Dict[str, Any]:
        from ipymlops.runtime.places.sagemaker_env import script_variables

        root = raw.setdefault("ml_root", ML)
        told = resources(root)
        hosts = sorted(told.get("hosts") or ["algo-1"], key=natural)
        host = told.get("current_host") or hosts[0]
        rank = hosts.index(host) if host in hosts else 0
        raw.update(node_rank=rank, nodes=len(hosts), main_address=hosts[0] if len(hosts) > 1 else "127.0.0.1")
        if rank:
            raw["output_dir"] = os.path.join(raw["output_dir"], "node-{}".format(rank))
            raw["state_dir"] = os.path.join(os.path.dirname(raw["state_dir"]), "node-{}".format(rank))
        self._clock = Clock.of(raw)
        raw["deadline"] = self._clock.deadline(float(raw["max_runtime_s"]))
        self._ends_at = boot_clock() + raw["deadline"] - time.time()
        raw["env"] = {**script_variables(raw, host, hosts, dict(os.environ)), **raw["env"]}
        if len(hosts) > 1:
            _await_address(hosts[0], signals)
        return raw

    def secrets(self, raw: Dict[str, Any]) -> Dict[str, str]:
        return {name: _secret(name, where, raw["region"]) for name, where in raw["secrets_from"].items()}

    def beat(self, state: State) -> None:
        if self._clock:
            self._clock.beat(state)

    def explained(self, outcome: Outcome, tail: bytes) -> Outcome:
        from ipymlops.runtime.places.sagemaker_causes import explained

        return explained(outcome, tail)

    def delivered(self, raw: Dict[str, Any], state: State, result: Dict[str, Any], signals: Signals) -> None:
        from ipymlops.runtime.places.sagemaker_delivery import Delivery

        Delivery(raw, state, result, signals, self._ends_at).run()


def natural(host: str) -> List[Any]:
    """`algo-2` is before `algo-10`."""
    import re

    return [int(word) if word.isdecimal() else word for word in re.split(r"(\d+)", host)]


def resources(root: str) -> Dict[str, Any]:
    """What the service tells of the machines; only what has the form it should have."""
    from ipymlops.runtime.places.sagemaker_env import described

    told = described(root, "resourceconfig.json")
    hosts, host = told.get("hosts"), told.get("current_host")
    are_names = isinstance(hosts, list) and all(isinstance(one, str) for one in hosts)
    return {**told, "hosts": hosts if are_names else None, "current_host": host if isinstance(host, str) else None}


def _await_address(host: str, signals: Signals) -> None:
    """The names of the other machines may be known some seconds late; a script that still misses them says so."""
    ends_at = time.monotonic() + RESOLVE_S
    while not _is_known(host) and time.monotonic() < ends_at and not signals.has(signal.SIGTERM):
        time.sleep(ASK_AGAIN_S)


def _is_known(host: str) -> bool:
    import socket

    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return True


def _secret(name: str, where: Mapping[str, Any], region: str) -> str:
    """Raises `LaunchProblem` that tells the secret and the right, and never a value."""
    from ipymlops.runtime.aws import AwsProblem, secret_value
    from ipymlops.runtime.config import to_bytes

    try:
        text = secret_value(where["id"], region, dict(os.environ))
    except AwsProblem as problem:
        raise LaunchProblem(_unread(name), str(problem), _fix(problem, where["id"])) from None
    value = _chosen(text, where["key"]) if where.get("key") else text
    if value is None:
        why = "{} is no JSON object with the key {!a}".format(where["id"], where["key"])
        raise LaunchProblem(_unread(name), why, "--secret {}=secretsmanager:{}#KEY".format(name, where["id"]))
    to_bytes(value, shown="the secret {}".format(name))
    return value


def _chosen(text: str, key: str) -> Optional[str]:
    """A value of a JSON object: texts as they are, others as JSON writes them; None if there is none."""
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return value if isinstance(value, str) or value is None else json.dumps(value)


def _unread(name: str) -> str:
    return "the secret {} cannot be read".format(name)


def _fix(problem: Any, secret: str) -> str:
    if "NotFound" in problem.code:
        return "aws secretsmanager describe-secret --secret-id {}".format(secret)
    if "CERTIFICATE" in problem.text:
        return "take an image that knows the authorities of certificates (the package ca-certificates)"
    if not problem.code:
        return "the job's network must lead to Secrets Manager: an endpoint of the VPC, or a NAT gateway"
    return "give the execution role secretsmanager:GetSecretValue on {}".format(secret)
