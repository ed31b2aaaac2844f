"""Where the value of a `--secret` is: the caller's environment, or the machine's keyring."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ipymlops.errors import MissingExtra, UsageProblem
from ipymlops.spec import Pairs

SERVICE = "ipymlops"
"""The keyring's service for `--secret NAME=keyring`; the user there is NAME."""
MAX_BYTES = 60_000
"""What fits into a pipe that nobody reads yet: the values are all there before the launcher is."""


def secret_values(secrets: Pairs, env: Mapping[str, str]) -> dict[str, str]:
    """The value of each secret. Nothing that is raised quotes a value, nor a reference that may be one."""
    values = {name: _value(name, reference, env) for name, reference in secrets}
    total = len(secret_line(values))
    if total > MAX_BYTES:
        raise UsageProblem(
            f"the secrets {', '.join(values)} are too long together; nothing was started",
            why=f"they have {total:,} bytes; {MAX_BYTES:,} are allowed",
            fix="put the long one in a file that only you can read, and pass its path with --env",
        )
    return values


def secret_line(values: Mapping[str, str]) -> bytes:
    """What the launcher reads from its standard input."""
    return json.dumps(dict(values)).encode() + b"\n" if values else b""


def _value(name: str, reference: str, env: Mapping[str, str]) -> str:
    kind, _, rest = reference.partition(":")
    if kind == "keyring":
        return _from_keyring(name, rest)
    if kind == "env" and rest:
        return _from_environment(name, rest, env)
    if reference in ("", name):
        return _from_environment(name, name, env)
    raise UsageProblem(
        f"the reference of --secret {name} is none that we know; nothing was started",
        why="it says where the value is, and is never the value: env:VARIABLE, keyring, or keyring:SERVICE/USER",
        fix=f"set {name} in the environment and pass --secret {name}",
    )


def _from_environment(name: str, variable: str, env: Mapping[str, str]) -> str:
    if variable not in env:
        raise UsageProblem(
            f"there is no value for --secret {name}; nothing was started",
            why=f"{variable} is not set in this environment",
            fix=f"read -rs {variable} && export {variable}",
        )
    return env[variable]


def _from_keyring(name: str, where: str) -> str:
    service, slash, user = where.rpartition("/") if where else (SERVICE, "/", name)
    if not (service and slash and user):
        raise UsageProblem(
            f"the keyring reference of --secret {name} is incomplete; nothing was started",
            why="it reads keyring:SERVICE/USER",
            fix=f"--secret {name}=keyring:{SERVICE}/{name}",
        )
    value = _keyring_password(service, user)
    if value is None:
        raise UsageProblem(
            f"there is no value for --secret {name}; nothing was started",
            why=f"the keyring has nothing for service {service!r}, user {user!r}",
            fix=f"python -m keyring set {service} {user}",
        )
    return value


def _keyring_password(service: str, user: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError as missing:
        raise MissingExtra("keyring", missing.name or "keyring") from missing
    try:
        return keyring.get_password(service, user)
    except KeyringError as problem:
        raise UsageProblem(
            f"the keyring did not give {service}/{user}; nothing was started",
            why=f"{type(problem).__name__}: {problem}",
            fix="python -m keyring diagnose",
        ) from problem
