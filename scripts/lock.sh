#!/usr/bin/env bash
# Writes constraints.txt anew from pyproject.toml: every extra and the developers' tools, for every Python we support,
# without the address of any package index. Arguments go to uv, for example --upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.10 \
  --no-header --no-annotate --no-emit-index-url --quiet --output-file constraints.txt "$@"
