"""The front: each request is read, refused where it must be, answered by ours or by moto, and written down."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.secretsmanager.models import secretsmanager_backends
from werkzeug.wrappers import Response

from tests.servers.sagemaker_api import objects
from tests.servers.sagemaker_api.answers import ConnectionCut, ServiceError, failed, ok
from tests.servers.sagemaker_api.asked import Asked, Call, read, resource_of
from tests.servers.sagemaker_api.layers import PATH as LAYERS
from tests.servers.sagemaker_api.logs import Logs, without_empty
from tests.servers.sagemaker_api.model import check, service_model
from tests.servers.sagemaker_api.prices import products
from tests.servers.sagemaker_api.rights import (
    caller_identity,
    check_allowed,
    check_signed_in,
    needed_for,
    simulated,
    who,
)
from tests.servers.sagemaker_api.training_jobs import TrainingJobs

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

UNKNOWN = "UnknownOperationException"


class Handler(MotoRequestHandler):
    """Answers at once: a small packet does not wait for the one before it; says nothing."""

    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def send_response(self, code: int, message: str | None = None) -> None:
        """Without a date: werkzeug sends its own, and the service sends one."""
        self.send_response_only(code, message)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name of the overridden one
        """Tests read `SageMakerApi.calls`."""


class Front:
    """A WSGI application."""

    def __init__(self, api: SageMakerApi) -> None:
        self.api = api
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.jobs = TrainingJobs(api)
        self.logs = Logs(api)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith("/moto-api"):
            return self.moto.get_application(environ)(environ, start_response)
        if environ.get("PATH_INFO", "").startswith(LAYERS):
            return self.api.layers(environ, start_response)
        asked, at = read(environ), self.api.now()
        if asked.is_cut_off:  # whoever asked died in the middle of it
            _hang_up(environ)
            return []
        try:
            response = self._answer(asked)
        except ServiceError as error:
            response = failed(asked.service, error, is_head=asked.method == "HEAD")
        except ConnectionCut:
            self._write_down(asked, at, 0, 0)
            _hang_up(environ)
            return []
        self._write_down(asked, at, _size(asked, response), response.status_code)
        if self.api.faults.clock_skew_s:
            response.headers["Date"] = formatdate(self.api.now(), usegmt=True)
        return self._sent(asked, response, start_response)

    def _answer(self, asked: Asked) -> Response:
        if who(asked) != "witness":
            self._refuse(asked)
        own = self._own(asked)
        if own is not None:
            return own
        if asked.service == "s3":
            return objects.answer(self.api, asked, self._moto)
        return self._sagemaker(asked) if asked.service == "sagemaker" else self._guarded(asked)

    def _own(self, asked: Asked) -> Response | None:
        """What moto lacks or does otherwise; None: not that."""
        if asked.service == "servicequotas":
            return ok(self.api.quotas.answer(asked.action, asked.input, (asked.region, self.api.account)))
        calls: dict[tuple[str, str], Callable[[], Response]] = {
            ("pricing", "GetProducts"): lambda: ok(products(asked.input, asked.region)),
            ("logs", "GetLogEvents"): lambda: ok(self.logs.get(asked)),
            ("logs", "FilterLogEvents"): lambda: ok(self.logs.filter(asked)),
            ("iam", "SimulatePrincipalPolicy"): lambda: simulated(self.api, asked),
            ("sts", "GetCallerIdentity"): lambda: caller_identity(self.api, asked),
            ("ecr", "GetDownloadUrlForLayer"): lambda: ok(self.api.layers.told(asked)),
        }
        own = calls.get((asked.service, asked.action))
        return own() if own is not None else None

    def _refuse(self, asked: Asked) -> None:
        faults = self.api.faults
        if faults.slow_s:
            time.sleep(faults.slow_s)
        check_signed_in(self.api, asked)
        needed = list(needed_for(asked, self.api.account))
        if faults.throttle_next.get(asked.action, 0) > 0:
            faults.throttle_next[asked.action] -= 1
            if asked.service == "s3":
                raise ServiceError("SlowDown", "Please reduce your request rate.", 503)
            raise ServiceError("ThrottlingException", "Rate exceeded")
        check_allowed(self.api, asked, needed)

    def _sagemaker(self, asked: Asked) -> Response:
        """Ours where there is such a call, and tags of training jobs; else moto's."""
        if asked.action not in service_model("sagemaker").operation_names:
            if asked.environ.get("HTTP_X_AMZ_TARGET"):
                raise ServiceError(UNKNOWN, f"{asked.action} is not known.")
            return self._moto(asked)
        check(asked.action, asked.input)
        own = self.jobs.actions.get(asked.action)
        if own is not None and ":training-job/" in asked.input.get("ResourceArn", ":training-job/"):
            return ok(own(asked))
        return self._moto(asked)

    def _guarded(self, asked: Asked) -> Response:
        """Moto's; what changes something comes one at a time."""
        if (asked.service, asked.action) == ("logs", "PutLogEvents"):
            return self._put_log_events(asked)
        if (asked.service, asked.action) == ("secretsmanager", "CreateSecret"):
            self._refuse_deleted_secret(asked)
        if asked.service == "ecr" and "registryId" in asked.input:
            asked.environ["HTTP_X_MOTO_ACCOUNT_ID"] = asked.input["registryId"]
        with self.api.guard:
            return self._moto(asked)

    def _refuse_deleted_secret(self, asked: Asked) -> None:
        """Moto says that it exists; the service, that it waits for its deletion."""
        held = secretsmanager_backends[self.api.account][asked.region].secrets.get(asked.input.get("Name", ""))
        if held is not None and held.is_deleted():
            text = "You can't create this secret because a secret with this name is already scheduled for deletion."
            raise ServiceError("InvalidRequestException", text)

    def _put_log_events(self, asked: Asked) -> Response:
        told = without_empty(asked.input)
        if not told["logEvents"]:
            return ok({"nextSequenceToken": "0"})
        with self.api.guard:
            return self._moto(asked, ok(told).get_data())

    def _moto(self, asked: Asked, body: bytes | None = None) -> Response:
        if body is not None:
            asked.body = body
        environ = {**asked.again(), "CONTENT_LENGTH": str(len(asked.body))}
        if asked.service == "s3":
            environ = objects.without_newlines(environ)
        try:
            response = Response.from_app(self.moto.get_application(environ), environ, buffered=True)
            return objects.with_newlines(response) if asked.service == "s3" else response
        except NotImplementedError:
            raise ServiceError(UNKNOWN, f"{asked.action} is not served here.") from None

    def _write_down(self, asked: Asked, at: float, got: int, status: int) -> None:
        if who(asked) == "witness":
            return
        resource = resource_of(asked, self.api.account)
        call = Call(
            asked.service,
            asked.action,
            resource,
            len(asked.body),
            got,
            at,
            status,
            asked.region,
            who(asked),
            tuple(asked.also),
        )
        self.api.calls.append(call)

    def _sent(self, asked: Asked, response: Response, start_response: Callable[..., Any]) -> Iterable[bytes]:
        after, body = self.api.faults.cut_s3_get_after, response.get_data() if asked.method == "GET" else b""
        is_object = (asked.service, asked.action) == ("s3", "GetObject") and who(asked) != "witness"
        if after is None or not is_object or len(body) <= after or not self.api.faults.take("cut_s3_gets"):
            return response(asked.environ, start_response)
        start_response(response.status, response.get_wsgi_headers(asked.environ).to_wsgi_list())
        return objects.cut(body, after, lambda: _hang_up(asked.environ))


def _size(asked: Asked, response: Response) -> int:
    return 0 if asked.method == "HEAD" else len(response.get_data())


def _hang_up(environ: dict[str, Any]) -> None:
    """End the connection as a router that reboots does."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
