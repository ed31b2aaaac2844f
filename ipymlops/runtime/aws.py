"""The few requests to AWS that a launcher makes itself, signed with the container's role.

The signature is version 4 (AWS General Reference, "Signature Version 4 signing process").
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional

from ipymlops.runtime.aws_keys import AwsProblem, Credentials, credentials

__all__ = [
    "AwsProblem",
    "Credentials",
    "Object",
    "Page",
    "Request",
    "answer",
    "endpoint",
    "pages",
    "secret_region",
    "secret_value",
]

TIMEOUT_S = 10.0
PAUSES_S = (0.0, 0.4, 0.8, 1.6)
"""Before each try."""
WRONG_BY_S = 240.0
"""AWS refuses what was signed by a clock that is 5 or 15 minutes wrong."""
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""What may be answered the next time."""


class Request(NamedTuple):
    """A request before it is signed; the query is part of the address, encoded."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """`at` is the service's clock, UTC epoch seconds; None where it did not say."""

    body: bytes
    at: Optional[float]


class Object(NamedTuple):
    """An object of S3; `modified_at` is when its upload began, whole seconds of S3's clock."""

    bytes: int
    modified_at: float


class Page(NamedTuple):
    """Some of the objects below a prefix, by their keys without it; `at` as in `Reply`."""

    objects: Dict[str, Object]
    at: Optional[float]


def endpoint(service: str, region: str, env: Mapping[str, str]) -> str:
    """The address of a service, AWS's own variables first; a China region has a domain of its own."""
    own = "AWS_ENDPOINT_URL_" + {"secretsmanager": "SECRETS_MANAGER", "s3": "S3"}[service]
    given = env.get(own) or env.get("AWS_ENDPOINT_URL")
    if given:
        return given.rstrip("/")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return "https://{}.{}.{}".format(service, region, domain)


def answer(request: Request, service: str, region: str, env: Mapping[str, str]) -> Reply:
    """The answer; what may pass is tried again. Raises `AwsProblem`."""
    last, ahead_s = AwsProblem("", "no answer"), 0.0
    for pause_s in PAUSES_S:
        time.sleep(pause_s)
        try:
            return _once(signed(request, service, region, credentials(env), time.gmtime(time.time() + ahead_s)))
        except AwsProblem as problem:
            last = problem
            is_wrong = problem.at is not None and abs(problem.at - time.time() - ahead_s) > WRONG_BY_S
            if not problem.may_pass and not is_wrong:
                break
            ahead_s = problem.at - time.time() if problem.at and is_wrong else ahead_s
    raise last


def signed(request: Request, service: str, region: str, keys: Credentials, now: time.struct_time) -> Request:
    """The request with its `Authorization`."""
    parts = urllib.parse.urlsplit(request.url)
    stamp, day = time.strftime("%Y%m%dT%H%M%SZ", now), time.strftime("%Y%m%d", now)
    digest = hashlib.sha256(request.body).hexdigest()
    headers = {**request.headers, "Host": parts.netloc, "X-Amz-Date": stamp, "X-Amz-Content-Sha256": digest}
    if keys.token:
        headers["X-Amz-Security-Token"] = keys.token
    lower = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in lower)
    path = urllib.parse.quote(urllib.parse.unquote(parts.path) or "/", safe="/~")
    said = ["{}:{}".format(name, value) for name, value in lower]
    canonical = "\n".join([request.method, path, _sorted_query(parts.query), *said, "", names, digest])
    scope = "{}/{}/{}/aws4_request".format(day, region, service)
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + keys.secret).encode()
    for word in (day, region, service, "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}".format(
        keys.key_id, scope, names, signature
    )
    return request._replace(headers=headers)


def secret_region(secret: str, region: str) -> str:
    """Where a secret is: an ARN says so itself, and a name is one of the region `region`."""
    parts = secret.split(":")
    return parts[3] if len(parts) > 3 and parts[0] == "arn" and parts[3] else region  # noqa: PLR2004 - of an ARN


def secret_value(secret: str, region: str, env: Mapping[str, str]) -> str:
    """The text of a secret in Secrets Manager. Raises `AwsProblem`."""
    region = secret_region(secret, region)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"}
    body = json.dumps({"SecretId": secret}).encode()
    request = Request("POST", endpoint("secretsmanager", region, env) + "/", headers, body)
    reply = answer(request, "secretsmanager", region, env)
    try:
        told = json.loads(reply.body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise AwsProblem("", "what answers at {} is not Secrets Manager".format(request.url)) from None
    if not isinstance(told.get("SecretString"), str):
        raise AwsProblem("", "the secret is binary, and a variable is text")
    return str(told["SecretString"])


def pages(bucket: str, prefix: str, region: str, env: Mapping[str, str]) -> Iterator[Page]:
    """Every object of S3 below a prefix. Raises `AwsProblem`."""
    words = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
    while True:
        query = urllib.parse.urlencode(words, quote_via=urllib.parse.quote, safe="")
        url = "{}/{}?{}".format(endpoint("s3", region, env), bucket, query)
        reply = answer(Request("GET", url, {}, b""), "s3", region, env)
        told = _elements(reply.body, url)
        yield Page(dict(_object(entry, prefix) for entry in told if "Key" in entry), reply.at)
        token = next((entry["NextContinuationToken"] for entry in told if "NextContinuationToken" in entry), "")
        if not token:
            return
        words["continuation-token"] = token


def _elements(body: bytes, url: str) -> Any:
    """What is directly below the root of an XML document: texts by their names, each of its children's too."""
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(body)  # noqa: S314 - AWS's own answer
    except ET.ParseError as error:
        raise AwsProblem("", "what answers at {} is not S3".format(url.partition("?")[0])) from error
    return [{one.tag.rpartition("}")[2]: one.text or "" for one in entry.iter()} for entry in root]


def _object(entry: Mapping[str, str], prefix: str) -> Any:
    from calendar import timegm

    moment = time.strptime(entry["LastModified"][:19], "%Y-%m-%dT%H:%M:%S")
    key = urllib.parse.unquote_plus(entry["Key"])
    return key[len(prefix) :], Object(int(entry["Size"]), float(timegm(moment)))


def _sorted_query(query: str) -> str:
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    quoted = sorted((urllib.parse.quote(name, safe="~"), urllib.parse.quote(value, safe="~")) for name, value in pairs)
    return "&".join("{}={}".format(name, value) for name, value in quoted)


class _Unmoved(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is an error: a signature is for one address, and the keys for nobody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _once(request: Request) -> Reply:
    headers = {name: value for name, value in request.headers.items() if name != "Host"}
    asked = urllib.request.Request(request.url, data=request.body or None, headers=headers, method=request.method)
    try:
        with urllib.request.build_opener(_Unmoved).open(asked, timeout=TIMEOUT_S) as reply:
            return Reply(bytes(reply.read()), _epoch(reply.headers.get("Date")))
    except urllib.error.HTTPError as error:
        raise _refusal(error) from None
    except (OSError, http.client.HTTPException) as error:
        why = "no answer from {}: {}".format(urllib.parse.urlsplit(request.url).netloc, error)
        raise AwsProblem("", why, may_pass=True) from error


def _epoch(date: Optional[str]) -> Optional[float]:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, IndexError):
        return None


def _refusal(error: urllib.error.HTTPError) -> AwsProblem:
    """AWS's code and text, from JSON or XML."""
    try:
        text = error.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        text = ""
    try:
        told: Any = json.loads(text)
        code = str(told.get("__type") or error.code).rpartition("#")[2]
        words = told.get("message") or told.get("Message")
    except (ValueError, AttributeError):
        code = text.partition("<Code>")[2].partition("</Code>")[0] or str(error.code)
        words = text.partition("<Message>")[2].partition("</Message>")[0]
    may_pass = error.code in AGAIN or "hrottl" in code or code.startswith("RequestLimit")
    return AwsProblem(code, str(words or error.reason), may_pass=may_pass, at=_epoch(error.headers.get("Date")))
