#!/usr/bin/env bash
# JupyterLab with ipymlops loaded, in a copy of examples/digits below .lab/; its jobs are kept there, too.
# Lab asks for its token and listens on the loopback address only: its own defaults. LAB holds more options for it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/.lab/digits
if [ ! -d "$root/.git" ]; then
  mkdir -p "$root"
  cp -R examples/digits/. notebooks/*.ipynb "$root/"
  git -C "$root" init --quiet
  git -C "$root" add --all
  git -C "$root" -c user.name="A user" -c user.email=user@example.org commit --quiet --message "A network for digits"
fi
export IPYTHONDIR=$PWD/.lab/ipython IPYMLOPS_HOME=$PWD/.lab/home
mkdir -p "$IPYTHONDIR/profile_default"
echo 'c.InteractiveShellApp.extensions = ["ipymlops"]' >"$IPYTHONDIR/profile_default/ipython_kernel_config.py"
options=()
if [ "$(id -u)" -eq 0 ]; then
  options+=(--allow-root --no-browser)
fi
read -ra more <<<"${LAB:-}"
exec .venv/bin/jupyter lab --ServerApp.root_dir="$root" "${options[@]}" "${more[@]}"
