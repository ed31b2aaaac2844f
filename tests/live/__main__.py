"""`make live PLATFORM=sagemaker`: the contract suite against a real account. It costs money, so it is asked for by name.

LIVE_MAX_USD=5     what all of its jobs together may cost at most, each reckoned to its own time limit
LIVE_TESTS=WORDS   only the tests whose names match (pytest -k)

Region, role, bucket and image are those of your settings (`ipymlops setup sagemaker`); credentials are your own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

REAL = ("sagemaker",)
"""The platforms that need an account; `local` and `docker` are tested in full by `make test`."""


def main(env: Mapping[str, str]) -> int:
    asked = env.get("PLATFORM", "").split()
    if unknown := [name for name in asked if name not in REAL]:
        print(f"no live tests for: {', '.join(unknown)}", file=sys.stderr)
        print(
            f"  why: these platforms need an account: {', '.join(REAL)}; make test runs the others in full",
            file=sys.stderr,
        )
        print(f"  fix: make live PLATFORM={REAL[0]}", file=sys.stderr)
        return 2
    if not asked:
        print("Nothing was run and nothing was spent: name a platform, for example make live PLATFORM=sagemaker")
        return 0
    paths = [f"tests/live/live_{name}.py" for name in asked]
    chosen = ["-k", env["LIVE_TESTS"]] if env.get("LIVE_TESTS") else []
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--timeout", "3600", *paths, *chosen]
    return subprocess.run(words, check=False, env=dict(env)).returncode


if __name__ == "__main__":
    sys.exit(main(os.environ))
