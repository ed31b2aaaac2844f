# shellcheck shell=sh
# Becomes the launcher: with exec, so that it is the first process of the container and gets its signals.
here=/opt/ml/input/data
for python in python3 python; do
  if command -v "$python" >/dev/null 2>&1; then
    exec "$python" "$here/ipymlops-launcher/launcher.pyz" "$here/ipymlops/config.json"
  fi
done
echo "neither python3 nor python is in the image: jobs need Python 3.8 or newer" | tee /opt/ml/output/failure >&2
exit 78
