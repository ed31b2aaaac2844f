"""The image catalogue of the vendor's SDK: read where it is installed, and never imported, which takes seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

PACKAGE = "sagemaker-core"
FOLDER = "sagemaker/core/image_uri_config"


@dataclass(frozen=True)
class Found:
    """Whose registry it is in, and `repository:tag`."""

    account: str
    image: str


def is_installed() -> bool:
    return _folder() is not None


def newest(framework: str, region: str, *, is_gpu: bool) -> Found | None:
    """The newest training image of a framework for CPUs or GPUs; None where the catalogue has none, or is not there."""
    folder = _folder()
    if folder is None:
        return None
    try:
        told = json.loads((folder / f"{framework}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    training = told.get("training", told)
    found = (_image(name, version, training, region, is_gpu=is_gpu) for name, version in _from_newest(training))
    return next((one for one in found if one), None)


def _from_newest(training: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return sorted(training.get("versions", {}).items(), key=lambda row: _numbers(row[0]), reverse=True)


def _image(
    name: str, version: Mapping[str, Any], training: Mapping[str, Any], region: str, *, is_gpu: bool
) -> Found | None:
    """`1.4-2-cpu-py3`: version, processor and Python, where the version has several of them."""
    account = version.get("registries", {}).get(region)
    processors = version.get("processors") or training.get("processors") or ["cpu"]
    processor = "gpu" if is_gpu else "cpu"
    if not account or processor not in processors:
        return None
    pythons = version.get("py_versions") or []
    parts = [name, processor, pythons[-1]] if pythons else [name]
    tail = version.get("container_version", {}).get(processor)
    return Found(account, f"{version['repository']}:{'-'.join([*parts, *([tail] if tail else [])])}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(word) for word in version.replace("-", ".").split(".") if word.isdigit())


def _folder() -> Path | None:
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        return None
    first = next((file for file in files if str(file).startswith(f"{FOLDER}/")), None)
    return Path(str(first.locate())).parent if first else None
