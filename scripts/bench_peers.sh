#!/usr/bin/env bash
# What the budgets are measured beside: the vendors' SDKs, in an environment of their own (.bench), as they would only
# slow down ours. A peer that cannot be had is a failed row of the table, not a failure here.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
peers=(sagemaker google-cloud-aiplatform)
venv=.bench
stamp=$venv/.setup-done
wanted="${peers[*]} $(.venv/bin/python -c 'import sys; print(sys.version_info[:3])')"
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then
  exit 0
fi
echo "setting up $venv with ${peers[*]}"
.venv/bin/uv venv --quiet --clear --python .venv/bin/python "$venv"
if timeout 900 .venv/bin/uv pip install --quiet --compile-bytecode --python "$venv/bin/python" "${peers[@]}"; then
  echo "$wanted" >"$stamp"
else
  echo "the peers could not be installed; their rows will fail" >&2
fi
