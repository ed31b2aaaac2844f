"""`--env`, `--secret` and `--data` as the job gets them. A secret never travels as a plain variable."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import UsageProblem
from ipymlops.spec import Pairs
from ipymlops.verbs.remedy import Instead, WrongLine

SECRET_PARTS = frozenset(
    [
        "SECRET",
        "SECRETS",
        "TOKEN",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "PWD",
        "CREDENTIAL",
        "CREDENTIALS",
        "APIKEY",
        "AUTHKEY",
        "PRIVATEKEY",
    ]
)
SECRET_PAIRS = frozenset({("API", "KEY"), ("ACCESS", "KEY"), ("PRIVATE", "KEY"), ("SECRET", "KEY"), ("AUTH", "KEY")})
HARMLESS_NAMES = frozenset({"PWD", "OLDPWD"})
TOKENS = re.compile(
    r"(?:\bsk-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|AIza[A-Za-z0-9_-]{35}|://[^/\s:@]+:[^/\s@]+@|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*)"
)
OURS = "IPYMLOPS_"


def variables_of(asked: Iterable[tuple[str, str | None]], context: Context) -> Pairs:
    """`--env K=V`, and `--env K` with the caller's value. Raises `UsageProblem` for a secret and a missing one."""
    return tuple((name, _value(name, value, context)) for name, value in asked)


def secrets_of(asked: Iterable[tuple[str, str | None]]) -> Pairs:
    """(variable, where its value is); without a reference it is the caller's variable of that name."""
    return tuple((name, reference or f"env:{name}") for name, reference in asked)


def refuse_collisions(env: Sequence[tuple[str, str]], secrets: Sequence[tuple[str, str]]) -> None:
    """A variable has one value: no name twice, and none of ours."""
    names = [name for name, _ in (*env, *secrets)]
    ours = next((name for name in names if name.startswith(OURS)), None)
    if ours:
        raise UsageProblem(f"{ours} cannot be set", why=f"names that begin with {OURS} are set by the launcher")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageProblem(f"{twice} is given twice", why="--env and --secret together may name a variable once")


def data_of(asked: Iterable[tuple[str, str]], context: Context) -> Pairs:
    """A path without a scheme is made absolute: it is meant from the folder the line was typed in."""
    return tuple((name, uri if "://" in uri else _absolute(uri, context)) for name, uri in asked)


def _absolute(path: str, context: Context) -> str:
    home = context.env.get("HOME", "~")
    path = home + path[1:] if path == "~" or path.startswith("~/") else path
    return os.path.normpath(Path(context.cwd, path))


def _value(name: str, value: str | None, context: Context) -> str:
    given = context.env.get(name) if value is None else value
    if given is None:
        raise UsageProblem(
            f"--env {name}: there is no such variable to pass on",
            why=f"{name} is not set in this environment",
            fix=f"--env {name}=VALUE",
        )
    if looks_secret(name, given):
        raise WrongLine(
            f"--env {name} looks like a secret; nothing was sent",
            why=f"a variable is recorded and shown. --secret {name} is not: its value is read from your environment"
            f" (or keyring, with {name}=keyring) when the job starts",
            edit=Instead("--env", name, ("--secret", name)),
        )
    return given


def looks_secret(name: str, value: str) -> bool:
    """By a part of the name (`HF_TOKEN`, not `MAX_TOKENS`), or by the shape of the value."""
    from ipymlops.source.secrets import kind_by_content

    parts = [part for part in re.split(r"[^A-Z0-9]+", name.upper()) if part]
    by_name = name.upper() not in HARMLESS_NAMES and (
        bool(SECRET_PARTS & set(parts)) or bool(SECRET_PAIRS & set(pairwise(parts)))
    )
    return by_name or bool(TOKENS.search(value)) or kind_by_content(value.encode(errors="surrogateescape")) is not None
