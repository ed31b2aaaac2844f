"""Where a job finds its secrets: in Secrets Manager. What the caller has elsewhere is put there, named by content."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets as randomness
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from botocore.exceptions import ClientError

from ipymlops.errors import PlatformProblem, UsageProblem
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_denied, is_not_found
from ipymlops.platforms.secret_refs import secret_values
from ipymlops.runtime.aws import secret_region
from ipymlops.spec import Pairs

KIND = "secretsmanager:"
NAME = "AmazonSageMaker-ipymlops"
"""AWS's own policies for execution roles may read secrets whose names begin with AmazonSageMaker."""

Places = dict[str, dict[str, str | None]]
"""For each variable the secret's name or ARN, and the key within it where it is a JSON object."""


def refuse_bad(secrets: Pairs, env: Mapping[str, str]) -> None:
    """Raise `UsageProblem` for a reference that leads nowhere, as far as this machine can tell, or a value unfit."""
    _referred(secrets)
    for name, value in secret_values(_ours(secrets), env).items():
        if not value or not _is_text(value):
            why = "it is empty" if not value else "it is no UTF-8 text"
            raise UsageProblem(f"Secrets Manager cannot hold the value of --secret {name}; nothing was sent", why=why)


def check(aws: Aws, name: str, reference: str) -> None:
    """Raise `PlatformProblem` for a secret of Secrets Manager that is not there; whoever may not look does not know."""
    if not reference.startswith(KIND):
        return
    secret = str(_read(name, reference)["id"])
    region = secret_region(secret, aws.region)
    with answers(f"the secret {secret} cannot be looked at"):
        try:
            aws.client("secretsmanager", region).describe_secret(SecretId=secret)
        except ClientError as error:
            if is_not_found(error):
                raise PlatformProblem(
                    f"--secret {name}: there is no secret {secret}; nothing was sent",
                    why=f"Secrets Manager has none of that name in {region}",
                    fix=f"aws secretsmanager list-secrets --region {region}",
                ) from None
            if not is_denied(error):  # the role may read it all the same
                raise


def planned(secrets: Pairs) -> Places:
    """As `sent`, for a plan: the digits that only the value gives are left open."""
    ours = {name: _place(f"{NAME}-{name}-{{digits}}") for name, _ in _ours(secrets)}
    return _in_order(secrets, _referred(secrets) | ours)


def sent(aws: Aws, secrets: Pairs) -> Places:
    """Put the values that the caller has into Secrets Manager, each once; say where all of them are."""
    values = secret_values(_ours(secrets), aws.env)
    ours = {name: _place(_put(aws, name, value)) for name, value in values.items()}
    return _in_order(secrets, _referred(secrets) | ours)


def names_of(aws: Aws, secrets: Pairs) -> list[str]:
    """What those that the caller has are called there; of a session that lacks the values, none."""
    try:
        values = secret_values(_ours(secrets), aws.env)
    except UsageProblem:
        return []
    return [_name(aws, *pair) for pair in values.items()]


def _name(aws: Aws, name: str, value: str) -> str:
    """An equal value is the same secret, and a changed one another: nothing changes under a job that runs."""
    digits = hmac.new(salt_of(aws.home), f"{name}={value}".encode(), hashlib.sha256).hexdigest()[:12]
    return f"{NAME}-{name}-{digits}"


def _put(aws: Aws, name: str, value: str) -> str:
    secret, client = _name(aws, name, value), aws.client("secretsmanager")
    with answers(f"the secret {name} cannot be handed to the job"):
        try:
            client.create_secret(Name=secret, SecretString=value, Description=f"{name}, for training jobs of ipymlops")
        except ClientError as error:
            if code_of(error) == "InvalidRequest":  # somebody has scheduled it for deletion
                client.restore_secret(SecretId=secret)
            elif code_of(error) != "ResourceExists":
                raise
    return secret


def salt_of(home: Path) -> bytes:
    """Random, of this home: a name must not tell a value that can be guessed."""
    path = home / "secret.salt"
    if not path.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=home, prefix=path.name) as unfinished:  # readable by its owner alone
            unfinished.write(randomness.token_bytes(32))
            unfinished.flush()
            with suppress(FileExistsError):  # somebody else was first: that salt is the home's
                os.link(unfinished.name, path)
    return path.read_bytes()


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _ours(secrets: Pairs) -> Pairs:
    return tuple((name, where) for name, where in secrets if not where.startswith(KIND))


def _referred(secrets: Pairs) -> Places:
    return {name: _read(name, where) for name, where in secrets if where.startswith(KIND)}


def _read(name: str, reference: str) -> dict[str, str | None]:
    secret, _, key = reference.removeprefix(KIND).partition("#")
    if not secret:
        raise UsageProblem(
            f"the reference of --secret {name} names no secret; nothing was sent",
            why="it reads secretsmanager:NAME or secretsmanager:ARN, with #KEY for one key of a JSON secret",
            fix="aws secretsmanager list-secrets",
        )
    return _place(secret, key or None)


def _place(secret: str, key: str | None = None) -> dict[str, str | None]:
    return {"id": secret, "key": key}


def _in_order(secrets: Pairs, places: Places) -> Places:
    return {name: places[name] for name, _ in secrets}
