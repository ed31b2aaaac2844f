"""`python -m tests.servers.sagemaker_api`: prints one JSON line, and serves until its standard input ends."""

from __future__ import annotations

import json
import sys

from tests.servers.sagemaker_api.server import sagemaker_api

if __name__ == "__main__":
    with sagemaker_api(None) as api:
        names = ("url", "env", "execution_env", "settings", "account", "role", "bucket", "image")
        print(json.dumps({name: getattr(api, name) for name in names}), flush=True)
        sys.stdin.read()
