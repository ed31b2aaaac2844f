#!/usr/bin/env bash
# The environment in .venv: Python 3.10 or newer, and everything in constraints.txt. Does nothing where it is up to date.
# PYTHON=/path/to/python3.13 chooses the interpreter; without it .venv keeps its own, else the first one on PATH is taken.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV
venv=.venv
stamp=$venv/.setup-done

chosen_python() {
  local candidate
  for candidate in ${PYTHON:-$venv/bin/python python3 python3.13 python3.12 python3.11 python3.10 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      base_of "$candidate"
      return
    fi
  done
  echo "no Python 3.10 or newer (looked for: ${PYTHON:-python3 and python3.10 to python3.13 on PATH})" >&2
  echo "  fix: make demo PYTHON=/path/to/python3.11" >&2
  return 1
}

base_of() {
  "$1" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))'
}

make_venv() {
  if ! "$1" -c 'import ensurepip' 2>/dev/null; then # Debian keeps it in a package of its own
    scripts/system_packages.sh "python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  fi
  "$1" -m venv "$venv"
}

python=$(chosen_python)
place="$python $PWD"
wanted="$place $(cat pyproject.toml constraints.txt scripts/setup.sh | git hash-object --stdin)"
made=$(cat "$stamp" 2>/dev/null || true)
if [ "$made" = "$wanted" ] && [ -x "$venv/bin/python" ]; then
  exit 0
fi

echo "setting up $venv with $python"
if [ -x "$venv/bin/python" ] && [ "$(base_of "$venv/bin/python")" != "$python" ]; then
  rm -rf "$venv" # of another Python
elif [ -n "$made" ] && [ "${made#"$place"}" = "$made" ]; then
  rm -rf "$venv" # moved here from elsewhere: its scripts point to the old place
fi
[ -x "$venv/bin/pip" ] || make_venv "$python"
rm -f "$stamp"
[ -x "$venv/bin/uv" ] || "$venv/bin/pip" install --quiet --disable-pip-version-check --constraint constraints.txt uv
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --group dev --editable '.[all]' \
  --constraint constraints.txt --build-constraint constraints.txt
echo "$wanted" >"$stamp"
