#!/usr/bin/env bash
# Everything that can be said of the code without running it. Goes on after a failure, and fails at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=()

try() {
  echo "--- $1"
  shift
  "$@" </dev/null || failed+=("$*")
}

mapfile -t shell_files < <(git ls-files '*.sh' .ci/run)
try "lint" "$bin/ruff" check --quiet .
try "format" "$bin/ruff" format --check --quiet .
try "types" "$bin/mypy" ipymlops
try "layers" "$bin/lint-imports"
try "shell" "$bin/shellcheck" "${shell_files[@]}"
try "tracked files" "$bin/python" scripts/check_tracked_files.py

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "all checks passed"
