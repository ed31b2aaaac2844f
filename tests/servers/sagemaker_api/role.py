"""The credentials of the execution role, at an address that only containers are told."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi


class RoleServer:
    """Answers until the process ends."""

    def __init__(self, api: SageMakerApi) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(_credentials(api)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/role"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


def _credentials(api: SageMakerApi) -> dict[str, str]:
    env = api.execution_env
    return {
        "AccessKeyId": env["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": env["AWS_SECRET_ACCESS_KEY"],
        "Token": env["AWS_SESSION_TOKEN"],
        "Expiration": (datetime.now(timezone.utc) + timedelta(hours=6)).isoformat(),
        "RoleArn": api.role,
    }
