#!/usr/bin/env bash
# Installs what the tests need from the system, where it may (root, or sudo without a password, and apt);
# elsewhere it names what is missing and fails. Arguments: packages to install as they are called.
set -euo pipefail

# command:package, for what `make test` runs: real engines, git's large files, a browser, and a compiler for the
# vendor's toolkit, which has no wheel
needed=(
  git:git git-lfs:git-lfs dockerd:docker.io podman:podman runc:runc
  setpriv:util-linux ldd:libc-bin /usr/bin/python3:python3 chromium:chromium gcc:gcc
)

has_headers() {
  .venv/bin/python -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null
}

missing=("$@")
if [ $# -eq 0 ]; then
  for pair in "${needed[@]}"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  has_headers || missing+=("$(basename "$(readlink -f .venv/bin/python)")-dev")
fi
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null || { [ ${#as_root[@]} -gt 0 ] && ! sudo -n true 2>/dev/null; }; then
  echo "missing from this machine: ${missing[*]}" >&2
  echo "  fix: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "installing system packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for action in "update" "install --yes --no-install-recommends ${missing[*]}"; do
  read -ra words <<<"$action"
  if ! "${as_root[@]}" apt-get --quiet "${words[@]}" >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "could not install: ${missing[*]}" >&2
    exit 1
  fi
done
