# shellcheck shell=sh
# Becomes the launcher: with exec, so that it is the first process of the container and gets its signals.
data=/opt/ml/input/data
failure=/opt/ml/output/failure
asks='import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 8))'
old=
for python in python3 python /opt/conda/bin/python3 /opt/venv/bin/python3; do
  if version=$("$python" -c "$asks" 2>/dev/null); then
    exec "$python" "$data/ipymlops-launcher/launcher.pyz" "$data/ipymlops/config.json" "$failure"
  fi
  old="$old${version:+${old:+, }$python is $version}"
done
why="the image has no Python that starts"
[ -z "$old" ] || why="the image's Python is too old ($old)"
# SageMaker tells whoever asks why the job failed what is in this file.
echo "$why; jobs need 3.8 or newer" >&2
echo "$why; jobs need 3.8 or newer" >"$failure"
exit 78
