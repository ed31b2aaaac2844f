"""The keys of the role that a container runs as."""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Mapping, NamedTuple, Optional

TIMEOUT_S = 3.0
CONTAINER_HOST = "http://169.254.170.2"
MACHINE_HOST = "http://169.254.169.254"


class AwsProblem(Exception):
    """A request that was refused or not answered; `code` is AWS's own word, "" where there is none.

    Attributes:
        may_pass: The same request may be answered the next time.
        at: The service's clock, UTC epoch seconds; None where it did not say.
    """

    def __init__(self, code: str, text: str, *, may_pass: bool = False, at: Optional[float] = None) -> None:
        self.code, self.text, self.may_pass, self.at = code, text, may_pass, at
        super().__init__("{}: {}".format(code, text) if code else text)


class Credentials(NamedTuple):
    """Keys of a role; the token is "" for those that have none."""

    key_id: str
    secret: str
    token: str


def credentials(env: Mapping[str, str]) -> Credentials:
    """From the container's own address, variables, or the machine's. Raises `AwsProblem` where there are none."""
    is_told = bool(env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
    if not is_told and env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", ""))
    try:
        told = json.loads(_told_by_container(env) if is_told else _told_by_machine())
        return Credentials(told["AccessKeyId"], told["SecretAccessKey"], told.get("Token") or "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, http.client.HTTPException) as error:
        why = "the container has no credentials of its role: {}: {}".format(type(error).__name__, error)
        raise AwsProblem("", why, may_pass=is_told and isinstance(error, OSError)) from error


def _told_by_container(env: Mapping[str, str]) -> str:
    token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        with open(env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], encoding="utf-8") as file:
            token = file.read().strip()
    relative = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = CONTAINER_HOST + relative if relative else env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    return _text(urllib.request.Request(url, headers={"Authorization": token} if token else {}))


def _told_by_machine() -> str:
    """The machine's own role, with the session that its metadata wants."""
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    token = _text(urllib.request.Request(MACHINE_HOST + "/latest/api/token", headers=ttl, method="PUT"))
    headers, path = {"X-aws-ec2-metadata-token": token}, "/latest/meta-data/iam/security-credentials/"
    role = _text(urllib.request.Request(MACHINE_HOST + path, headers=headers))
    return _text(urllib.request.Request(MACHINE_HOST + path + role, headers=headers))


def _text(request: urllib.request.Request) -> str:
    """Straight from where it is: a proxy is for other addresses, and must not see keys."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=TIMEOUT_S) as reply:
        return bytes(reply.read()).decode()
