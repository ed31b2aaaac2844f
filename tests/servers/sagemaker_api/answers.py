"""Answers in AWS's forms: JSON 1.1, the XML of the query services, the XML of S3."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from html import escape
from typing import Any

from werkzeug.wrappers import Response

QUERY_SERVICES = ("iam", "sts")
JSON = "application/x-amz-json-1.1"


class ServiceError(Exception):
    """What the service answers instead: a code, a text and an HTTP status."""

    def __init__(self, code: str, text: str, status: int = 400, **fields: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status, self.fields = code, text, status, fields


class ConnectionCut(Exception):
    """The connection ends here, without an answer."""


def invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)


def ok(content: Mapping[str, Any] | None = None) -> Response:
    body = "" if content is None else json.dumps(content, ensure_ascii=False)
    return Response(body, content_type=JSON, headers={"x-amzn-RequestId": str(uuid.uuid4())})


def xml(action: str, namespace: str, content: str) -> Response:
    """A query service's answer."""
    request_id = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
    body = f'<{action}Response xmlns="{namespace}"><{action}Result>{content}</{action}Result>{request_id}</{action}Response>'
    return Response(body, content_type="text/xml")


def failed(service: str, error: ServiceError, *, is_head: bool = False) -> Response:
    """An error as this service writes it."""
    request_id = str(uuid.uuid4())
    if service == "s3":
        return _s3_error(error, request_id, is_head=is_head)
    if service in QUERY_SERVICES:
        told = f"<Error><Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.text)}</Message></Error>"
        body = f"<ErrorResponse>{told}<RequestId>{request_id}</RequestId></ErrorResponse>"
        return Response(body, error.status, content_type="text/xml")
    if service == "ec2":
        told = f"<Errors><Error><Code>{error.code}</Code><Message>{escape(error.text)}</Message></Error></Errors>"
        body = f"<Response>{told}<RequestID>{request_id}</RequestID></Response>"
        return Response(body, error.status, content_type="text/xml")
    body = json.dumps({"__type": error.code, "message": error.text}, ensure_ascii=False)
    return Response(body, error.status, content_type=JSON, headers={"x-amzn-RequestId": request_id})


def _s3_error(error: ServiceError, request_id: str, *, is_head: bool) -> Response:
    headers = {"x-amz-request-id": request_id}
    if "Region" in error.fields:
        headers["x-amz-bucket-region"] = error.fields["Region"]
    if is_head:
        return Response(b"", error.status, headers, content_type="application/xml")
    fields = {"Code": error.code, "Message": error.text, **error.fields, "RequestId": request_id}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error>{inner}</Error>'
    return Response(body, error.status, headers, content_type="application/xml")
