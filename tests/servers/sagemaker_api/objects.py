"""S3: moto's, with the answers that the service gives about owners and regions, and with connections that break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from moto.s3.models import s3_backends
from werkzeug.wrappers import Response

from tests.servers.sagemaker_api.answers import ServiceError
from tests.servers.sagemaker_api.asked import Asked
from tests.servers.sagemaker_api.rights import is_denied, who

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

REGIONLESS = {"GetBucketLocation", "CreateBucket", "ListAllMyBuckets"}
WRITES = ("PUT", "POST", "DELETE")
CHUNK = 65536
NEWLINE = "\ue00a"
"""Moto finds no key that has a newline; a character that nobody uses stands for it there."""


def without_newlines(environ: dict[str, Any]) -> dict[str, Any]:
    """The request with moto's keys."""
    stands = NEWLINE.encode().decode("latin-1")  # as WSGI has its paths
    environ["PATH_INFO"] = environ["PATH_INFO"].replace("\n", stands)
    for name in ("RAW_URI", "REQUEST_URI"):
        if name in environ:
            environ[name] = environ[name].replace("%0A", quote(NEWLINE))
    return environ


def with_newlines(response: Response) -> Response:
    """The answer, if it is a list, with the keys as they are."""
    if "xml" in response.headers.get("Content-Type", "") and quote(NEWLINE).encode() in response.get_data():
        response.set_data(response.get_data().replace(quote(NEWLINE).encode(), b"%0A"))
    return response


def answer(api: SageMakerApi, asked: Asked, moto: Callable[[Asked], Response]) -> Response:
    """Raise `ServiceError` as S3 would, else pass it on; one write at a time, so that conditions hold."""
    owner = s3_backends.bucket_accounts.get(asked.bucket)
    if owner is not None and asked.action != "CreateBucket":
        _check_bucket(api, asked, owner[1])
    if asked.method in WRITES:
        with api.guard:
            response = moto(asked)
    else:
        response = moto(asked)
    if response.status_code == 404 and asked.key and is_denied(api, who(asked), "s3:ListBucket"):
        raise ServiceError("AccessDenied", "Access Denied", 403)
    if owner is not None and asked.method == "HEAD" and not asked.key:
        response.headers["x-amz-bucket-region"] = s3_backends[owner[1]]["aws"].buckets[asked.bucket].region_name
    return response


def _check_bucket(api: SageMakerApi, asked: Asked, owner: str) -> None:
    expected = asked.headers.get("x-amz-expected-bucket-owner", owner)
    if owner != api.account or expected != owner:
        raise ServiceError("AccessDenied", "Access Denied", 403)
    region = s3_backends[owner]["aws"].buckets[asked.bucket].region_name
    if asked.region != region and asked.action not in REGIONLESS:
        text = "The bucket you are attempting to access must be addressed using the specified endpoint."
        raise ServiceError("PermanentRedirect", text, 301, Region=region, Bucket=asked.bucket)


def cut(body: bytes, after: int, hang_up: Callable[[], None]) -> Iterator[bytes]:
    """The beginning of a body, and then the end of the connection."""
    for start in range(0, min(after, len(body)), CHUNK):
        yield body[start : min(start + CHUNK, after)]
    hang_up()
