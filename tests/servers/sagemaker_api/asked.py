"""A request, read: which action of which service, where, by whom, and on what."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request

PREFIXES = {"service-quotas": "servicequotas", "monitoring": "cloudwatch"}
_SCOPE = re.compile(r"Credential=([^/]*)/[^/]*/([^/]*)/([^/]*)/aws4_request")
_TARGETS = {"SageMaker": "sagemaker", "AWSPriceListService": "pricing", "Logs_20140328": "logs"}


@dataclass(frozen=True)
class Call:
    """One call as it was answered.

    Attributes:
        service, action: As IAM writes them: "s3", "GetObject".
        resource: Its ARN, or "*" where the action has none or it cannot be told.
        sent_bytes, got_bytes: Of the bodies, as the client sees it.
        at: Epoch seconds at which it arrived.
        status: HTTP; 0 where the connection was cut.
        by: "caller", "role" (the execution role) or "witness".
        also: Further rights that it needed: ("iam:PassRole", ARN).
    """

    service: str
    action: str
    resource: str
    sent_bytes: int
    got_bytes: int
    at: float
    status: int
    region: str = ""
    by: str = "caller"
    also: tuple[tuple[str, str], ...] = ()

    @property
    def right(self) -> str:
        return f"{self.service}:{self.action}"


@dataclass
class Asked:
    """A request; `bucket` and `key` are those of S3."""

    environ: dict[str, Any]
    body: bytes
    service: str
    action: str
    region: str
    access_key: str
    bucket: str = ""
    key: str = ""
    also: list[tuple[str, str]] = field(default_factory=list)

    @cached_property
    def request(self) -> Request:
        return Request(self.environ)

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def headers(self) -> Headers:
        return Headers(self.request.headers)

    @cached_property
    def query(self) -> Mapping[str, str]:
        return self.request.args.to_dict()

    @cached_property
    def input(self) -> dict[str, Any]:
        """The JSON body, or the form of a query service; {} where it is neither."""
        if str(self.environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
            return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_cut_off(self) -> bool:
        """Whether the connection ended before the request did."""
        return len(self.body) < int(self.environ.get("CONTENT_LENGTH") or 0)

    def again(self) -> dict[str, Any]:
        """The environment with its body unread."""
        return {**self.environ, "wsgi.input": io.BytesIO(self.body)}


def read(environ: dict[str, Any]) -> Asked:
    """Take the whole body; the region and the service are those of the signature, as the host is always ours."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region, service = scope.groups() if scope else ("", "us-east-1", "")
    target, _, action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    service = _TARGETS.get(target) or PREFIXES.get(service, service) or "s3"
    asked = Asked(environ, body, service, action, region, key)
    if service == "s3":
        _read_s3(asked)
    elif not action:
        asked.action = asked.input.get("Action", environ["PATH_INFO"].rpartition("/")[2])
    return asked


def resource_of(asked: Asked, account: str) -> str:
    """The ARN that IAM would look at, or "*"."""
    of_service = {"s3": _object, "sagemaker": _sagemaker, "logs": _group, "secretsmanager": _secret}
    of_service |= {"ecr": _repository, "iam": _role}
    return of_service.get(asked.service, lambda _, __: "")(asked, account) or "*"


def _object(asked: Asked, _: str) -> str:
    return f"arn:aws:s3:::{asked.bucket}" + (f"/{asked.key}" if asked.key else "") if asked.bucket else ""


def _sagemaker(asked: Asked, account: str) -> str:
    told, name = asked.input, asked.input.get("TrainingJobName")
    arn = f"arn:aws:sagemaker:{asked.region}:{account}:training-job/{name}" if name else ""
    return str(told.get("ResourceArn") or arn)


def _group(asked: Asked, account: str) -> str:
    return f"arn:aws:logs:{asked.region}:{account}:log-group:{asked.input.get('logGroupName') or '*'}"


def _secret(asked: Asked, account: str) -> str:
    name = str(asked.input.get("SecretId") or asked.input.get("Name") or "*")
    return name if name.startswith("arn:") else f"arn:aws:secretsmanager:{asked.region}:{account}:secret:{name}"


def _repository(asked: Asked, account: str) -> str:
    registry, name = asked.input.get("registryId") or account, asked.input.get("repositoryName")
    return f"arn:aws:ecr:{asked.region}:{registry}:repository/{name}" if name else ""


def _role(asked: Asked, account: str) -> str:
    return f"arn:aws:iam::{account}:role/{asked.input['RoleName']}" if "RoleName" in asked.input else ""


_BUCKET_PARTS = {
    "versions": "BucketVersions",
    "uploads": "BucketMultipartUploads",
    "location": "BucketLocation",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "encryption": "EncryptionConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "policy": "BucketPolicy",
    "ownershipControls": "BucketOwnershipControls",
    "acl": "BucketAcl",
    "cors": "BucketCORS",
}


def _read_s3(asked: Asked) -> None:
    path = asked.request.path.lstrip("/")
    asked.bucket, _, asked.key = path.partition("/")
    asked.action = _object_action(asked) if asked.key else _bucket_action(asked)


def _bucket_action(asked: Asked) -> str:
    if not asked.bucket:
        return "ListAllMyBuckets"
    part = next((name for name in _BUCKET_PARTS if name in asked.query), "")
    if part in ("versions", "uploads"):
        return f"List{_BUCKET_PARTS[part]}"
    if asked.method == "POST" and "delete" in asked.query:
        return "DeleteObject"
    verbs = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Put" if part != "policy" else "Delete"}
    if part:
        return verbs[asked.method] + _BUCKET_PARTS[part]
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(asked.method, "ListBucket")


def _object_action(asked: Asked) -> str:
    if "tagging" in asked.query:
        return {"GET": "Get", "PUT": "Put"}.get(asked.method, "Delete") + "ObjectTagging"
    if "uploadId" in asked.query and asked.method in ("GET", "DELETE"):
        return "AbortMultipartUpload" if asked.method == "DELETE" else "ListMultipartUploadParts"
    if asked.method in ("GET", "HEAD"):
        return "GetObjectAttributes" if "attributes" in asked.query else "GetObject"
    source = asked.environ.get("HTTP_X_AMZ_COPY_SOURCE")
    if source:
        asked.also.append(("s3:GetObject", f"arn:aws:s3:::{source.lstrip('/')}"))
    return "DeleteObject" if asked.method == "DELETE" else "PutObject"
