"""The few requests to AWS that a launcher makes itself, signed with the container's role.

The signature is version 4 (AWS General Reference, "Signature Version 4 signing process").
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

TIMEOUT_S = 10.0
TRIES = 4
AGAIN = frozenset({429, 500, 502, 503, 504})
"""What may be answered the next time."""
CONTAINER_HOST = "http://169.254.170.2"
MACHINE_HOST = "http://169.254.169.254"


class AwsProblem(Exception):
    """A request that was refused or not answered; `code` is AWS's own word, "" where there is none."""

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text
        super().__init__("{}: {}".format(code, text) if code else text)


class Credentials(NamedTuple):
    """Keys of a role; the token is "" for those that have none."""

    key_id: str
    secret: str
    token: str


class Request(NamedTuple):
    """A request before it is signed; the query is part of the address, encoded."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def credentials(env: Mapping[str, str]) -> Credentials:
    """From variables, the container's own address, or the machine's. Raises `AwsProblem` where there are none."""
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", ""))
    try:
        told = json.loads(_told_by_container(env) or _told_by_machine())
        return Credentials(told["AccessKeyId"], told["SecretAccessKey"], told.get("Token") or "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AwsProblem("", "the container has no credentials of its role: {!r}".format(error)) from error


def endpoint(service: str, region: str, env: Mapping[str, str]) -> str:
    """The address of a service, AWS's own variables first; a China region has a domain of its own."""
    own = "AWS_ENDPOINT_URL_" + {"secretsmanager": "SECRETS_MANAGER", "s3": "S3"}[service]
    given = env.get(own) or env.get("AWS_ENDPOINT_URL")
    if given:
        return given.rstrip("/")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return "https://{}.{}.{}".format(service, region, domain)


def answer(request: Request, service: str, region: str, env: Mapping[str, str]) -> bytes:
    """The body of the answer; what may help is tried again. Raises `AwsProblem`."""
    last: Optional[AwsProblem] = None
    for number in range(TRIES):
        if number:
            time.sleep(0.2 * 2**number)
        try:
            return _once(signed(request, service, region, credentials(env), time.gmtime()))
        except urllib.error.HTTPError as error:
            last = _problem(error)
            if error.code not in AGAIN and "hrottl" not in last.code:
                raise last from None
        except OSError as error:
            last = AwsProblem("", "no answer from {}: {}".format(urllib.parse.urlsplit(request.url).netloc, error))
    raise last or AwsProblem("", "no answer")


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
    canonical = "\n".join(
        [
            request.method,
            urllib.parse.quote(urllib.parse.unquote(parts.path) or "/", safe="/~"),
            _sorted_query(parts.query),
            *("{}:{}".format(name, value) for name, value in lower),
            "",
            names,
            digest,
        ]
    )
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


def secret_value(secret: str, region: str, env: Mapping[str, str]) -> str:
    """The text of a secret in Secrets Manager. Raises `AwsProblem`."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"}
    body = json.dumps({"SecretId": secret}).encode()
    request = Request("POST", endpoint("secretsmanager", region, env) + "/", headers, body)
    told = json.loads(answer(request, "secretsmanager", region, env))
    if "SecretString" not in told:
        raise AwsProblem("", "the secret is binary, and a variable is text")
    return str(told["SecretString"])


def object_sizes(bucket: str, prefix: str, region: str, env: Mapping[str, str]) -> Dict[str, int]:
    """The size of every object of S3 below a prefix, by its key without the prefix. Raises `AwsProblem`."""
    sizes: Dict[str, int] = {}
    token = ""
    while True:
        page, token = _page(bucket, prefix, token, region, env)
        sizes.update((key[len(prefix) :], size) for key, size in page)
        if not token:
            return sizes


def _page(
    bucket: str, prefix: str, token: str, region: str, env: Mapping[str, str]
) -> Tuple[List[Tuple[str, int]], str]:
    from xml.etree import ElementTree as ET

    words = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
    if token:
        words["continuation-token"] = token
    query = urllib.parse.urlencode(words, quote_via=urllib.parse.quote, safe="")
    url = "{}/{}?{}".format(endpoint("s3", region, env), bucket, query)
    root = ET.fromstring(answer(Request("GET", url, {}, b""), "s3", region, env))  # noqa: S314 - AWS's own answer
    found = []
    for entry in root.iter():
        if entry.tag.endswith("}Contents"):
            row = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
            found.append((urllib.parse.unquote_plus(row["Key"]), int(row["Size"])))
    following = [one.text or "" for one in root if one.tag.endswith("}NextContinuationToken")]
    return found, following[0] if following else ""


def _sorted_query(query: str) -> str:
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    quoted = sorted((urllib.parse.quote(name, safe="~"), urllib.parse.quote(value, safe="~")) for name, value in pairs)
    return "&".join("{}={}".format(name, value) for name, value in quoted)


def _once(request: Request) -> bytes:
    headers = {name: value for name, value in request.headers.items() if name != "Host"}
    asked = urllib.request.Request(request.url, data=request.body or None, headers=headers, method=request.method)
    with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as reply:
        return bytes(reply.read())


def _problem(error: urllib.error.HTTPError) -> AwsProblem:
    """AWS's code and text, from JSON or XML."""
    text = error.read().decode("utf-8", "replace")
    try:
        told: Any = json.loads(text)
        return AwsProblem(
            str(told.get("__type", "")).rpartition("#")[2], str(told.get("message") or told.get("Message"))
        )
    except (ValueError, AttributeError):
        code = text.partition("<Code>")[2].partition("</Code>")[0]
        return AwsProblem(
            code or str(error.code), text.partition("<Message>")[2].partition("</Message>")[0] or error.reason
        )


def _told_by_container(env: Mapping[str, str]) -> str:
    relative, full = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not relative and not full:
        return ""
    token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        with open(env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], encoding="utf-8") as file:
            token = file.read().strip()
    url = CONTAINER_HOST + relative if relative else str(full)
    return _text(urllib.request.Request(url, headers={"Authorization": token} if token else {}))


def _told_by_machine() -> str:
    """The machine's own role, with the session that its metadata wants."""
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    token = _text(urllib.request.Request(MACHINE_HOST + "/latest/api/token", headers=ttl, method="PUT"))
    headers, path = {"X-aws-ec2-metadata-token": token}, "/latest/meta-data/iam/security-credentials/"
    role = _text(urllib.request.Request(MACHINE_HOST + path, headers=headers))
    return _text(urllib.request.Request(MACHINE_HOST + path + role, headers=headers))


def _text(request: urllib.request.Request) -> str:
    with urllib.request.urlopen(request, timeout=min(TIMEOUT_S, 3.0)) as reply:
        return bytes(reply.read()).decode()
