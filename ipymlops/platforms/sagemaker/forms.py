"""The settings whose text has a form, and what it means: read here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ipymlops.errors import UsageProblem

VOLUME_MOST_GIB = 16_384
DEFAULT_VOLUME_GIB = 50


def volume_gib(settings: Mapping[str, str]) -> int:
    """The size of the disk. Raises `UsageProblem` for one that there is not."""
    text = settings.get("volume_gib", "").strip()
    if not text:
        return DEFAULT_VOLUME_GIB
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= VOLUME_MOST_GIB:
        raise UsageProblem(
            "SageMaker cannot run this as it is; nothing was sent",
            why=f"volume_gib is {text!r}, and a disk has 1 to {VOLUME_MOST_GIB} GiB, a whole number",
            fix="--set volume_gib=100",
        )
    return int(text)


def listed(settings: Mapping[str, str], key: str) -> list[str]:
    """The words of a setting that is written with commas."""
    return [word.strip() for word in settings.get(key, "").split(",") if word.strip()]
