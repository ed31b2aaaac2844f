"""The image catalogue of the vendor's SDK: read where it is installed, and never imported, which takes seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

FOLDERS = {"sagemaker-core": "sagemaker/core/image_uri_config", "sagemaker": "sagemaker/image_uri_config"}
"""By package: since version 3 of the SDK, and before."""


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
        training = told.get("training", told)
        found = (_image(tag, row, training, region, is_gpu=is_gpu) for tag, row in _from_newest(training))
        return next((one for one in found if one), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # there is no promise of its form
        return None


def _from_newest(training: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(the tag's beginning, its row); a version may have a row for each framework below it: `pytorch2.9.0`."""
    for version, row in sorted(training["versions"].items(), key=lambda pair: _numbers(pair[0]), reverse=True):
        if "registries" in row:
            yield row.get("tag_prefix", version), row
            continue
        for base in sorted((name for name in row if name.startswith("pytorch")), key=_numbers, reverse=True):
            yield f"{base.removeprefix('pytorch')}-transformers{version}", row[base]


def _image(
    beginning: str, row: Mapping[str, Any], training: Mapping[str, Any], region: str, *, is_gpu: bool
) -> Found | None:
    """`1.4-2-cpu-py3`: version, processor and Python; an image that names no processor runs on both."""
    account = row["registries"].get(region)
    processors = training.get("processors") or row.get("processors")
    processor = "gpu" if is_gpu else "cpu"
    if not account or (processors and processor not in processors):
        return None
    word = processor if processors and row.get("processor_in_tag", True) else ""
    pythons = row.get("py_versions") or [""]
    tail = row.get("container_version", {}).get(processor, "")
    tag = "-".join(part for part in (beginning, word, pythons[-1], tail) if part)
    return Found(account, f"{row['repository']}:{tag}")


def _numbers(version: str) -> tuple[int, ...]:
    words = version.removeprefix("pytorch").replace("-", ".").split(".")
    return tuple(int(word) for word in words if word.isdigit())


def _folder() -> Path | None:
    for package, folder in FOLDERS.items():
        try:
            found = Path(str(distribution(package).locate_file(folder)))
        except PackageNotFoundError:
            continue
        if found.is_dir():
            return found
    return None
