"""`make live`: the contract suites against real accounts. They cost money, so they are asked for by name and capped.

IPYMLOPS_LIVE="sagemaker vertex"   which platforms
IPYMLOPS_LIVE_MAX_USD=5            what all of their jobs together may cost
"""

from __future__ import annotations

import os
import sys

REAL: frozenset[str] = frozenset()
"""The platforms that need an account. This version has none: `local` and `docker` are tested in full by `make test`."""


def main(env: dict[str, str]) -> int:
    asked = env.get("IPYMLOPS_LIVE", "").split()
    if unknown := [name for name in asked if name not in REAL]:
        print(f"no live tests for: {', '.join(unknown)}", file=sys.stderr)
        print("  why: this version has no platform that needs an account", file=sys.stderr)
        print("  fix: make test (it runs local and docker in full)", file=sys.stderr)
        return 2
    print("No live tests in this version: no platform of it needs an account, and nothing was spent.")
    print("local and docker are tested in full by: make test")
    return 0


if __name__ == "__main__":
    sys.exit(main(dict(os.environ)))
