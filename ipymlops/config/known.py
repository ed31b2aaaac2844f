"""Every setting there is, in one table: files, variables, `--set`, help and documents follow it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

PREFIX = "IPYMLOPS_"

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True)
class Known:
    """A setting.

    Attributes:
        key: As in `[tool.ipymlops]`; a platform's own stands in its table: `sagemaker.region`.
        kind: `flag` is "1" or "0"; a `list` is written with commas where it is one word.
        is_of_code: Belongs to the repository alone: it says what its code is, so neither a variable nor the user's
            file has it.
    """

    key: str
    help: str
    kind: Literal["text", "number", "list", "flag"] = "text"
    is_of_code: bool = False

    @property
    def platform(self) -> str | None:
        return self.key.partition(".")[0] if "." in self.key else None

    @property
    def name(self) -> str:
        """The key within its table."""
        return self.key.rpartition(".")[2]

    @property
    def variable(self) -> str:
        """The environment variable, "" where there is none."""
        return "" if self.is_of_code else PREFIX + self.key.replace(".", "_").upper()

    @property
    def must_be(self) -> str:
        return {"text": "a text", "number": "a whole number", "list": "a list of texts", "flag": "true or false"}[
            self.kind
        ]

    def items_of(self, value: object) -> tuple[str, ...] | None:
        """A value from a file, a variable or a line as words; None if it is not of this kind."""
        if self.kind == "list":
            many = value.split(",") if isinstance(value, str) else value
            if not isinstance(many, list) or not all(isinstance(text, str) for text in many):
                return None
            return tuple(text.strip() for text in many)
        word = self._word(value)
        return None if word is None else (word,)

    def _word(self, value: object) -> str | None:
        text = str(value).strip().lower()
        if self.kind == "flag":
            return "1" if text in _YES else "0" if text in _NO else None
        if self.kind == "number":
            return text if re.fullmatch(r"[0-9]{1,9}", text) else None
        is_word = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        return str(value) if is_word else None


_GENERAL = (
    Known("platform", "the default of --on"),
    Known("script", "the script that `.`, or no script at all, means"),
    Known("max_runtime", "the default of --max-runtime, for example 4h"),
    Known(
        "include",
        "ignored paths that are sent all the same; from the file's own folder, with / first from the root",
        "list",
        is_of_code=True,
    ),
    Known("allow_secrets", "paths that look like a secret and may be sent, named likewise", "list", is_of_code=True),
)
_SAGEMAKER = (
    Known("sagemaker.region", "the AWS region"),
    Known("sagemaker.regions", "further regions whose jobs are listed", "list"),
    Known("sagemaker.role", "the execution role that jobs run as, its ARN"),
    Known("sagemaker.bucket", "the S3 bucket for code and outputs"),
    Known("sagemaker.image", "the default container image"),
    Known("sagemaker.volume_gib", "the size of a job's disk, in GiB", "number"),
    Known("sagemaker.subnets", "the subnets that jobs run in", "list"),
    Known("sagemaker.security_groups", "the security groups of jobs", "list"),
    Known("sagemaker.kms_key", "the key that encrypts disks and what is sent"),
)
_VERTEX = (
    Known("vertex.project", "the Google Cloud project"),
    Known("vertex.region", "the region"),
    Known("vertex.bucket", "the Cloud Storage bucket for code and outputs"),
    Known("vertex.image", "the default container image"),
    Known("vertex.service_account", "the service account that jobs run as"),
    Known("vertex.network", "the VPC network that jobs run in"),
    Known("vertex.endpoint", "the address of Vertex AI, for private endpoints and test servers"),
    Known("vertex.logging_endpoint", "the address of Cloud Logging"),
    Known("vertex.storage_endpoint", "the address of Cloud Storage"),
    Known("vertex.resourcemanager_endpoint", "the address of Resource Manager"),
    Known("vertex.anonymous", "send no credential; only to this machine's own addresses", "flag"),
)
GRACE = "seconds between SIGTERM and SIGKILL, 30 without it"
_OTHERS = (
    Known("ray.address", "the address of the Ray cluster's dashboard"),
    Known("ray.output", "where outputs are kept, seen from every node"),
    Known("docker.image", "the default container image"),
    Known("docker.stop_grace_s", GRACE, "number"),
    Known("local.stop_grace_s", GRACE, "number"),
)

SETTINGS: tuple[Known, ...] = (*_GENERAL, *_SAGEMAKER, *_VERTEX, *_OTHERS)

PLATFORMS = tuple(dict.fromkeys(one.platform for one in SETTINGS if one.platform))
"""Ours: what is not in the table is a mistake. A plug-in's settings are passed on as they are."""


def known(key: str) -> Known | None:
    """The setting; one of a plug-in's platform is any text."""
    for one in SETTINGS:
        if one.key == key:
            return one
    platform, dot, name = key.partition(".")
    return Known(key, f"a setting of the platform {platform}") if dot and name and platform not in PLATFORMS else None
