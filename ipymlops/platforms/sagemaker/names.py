"""What SageMaker calls things: names and tags within its alphabets. The raw text stays in our record."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from ipymlops.runtime.places.sagemaker_layout import OUR_CHANNELS
from ipymlops.spec import JobId, Pairs

NAME_MOST = 63
ID_LENGTH = 16
CHANNEL_MOST = 64
TAGS_MOST = 50
TAG_KEY_MOST, TAG_VALUE_MOST = 128, 256
JOB_TAG, COMMIT_TAG = "ipymlops:job", "ipymlops:commit"
TAG_SIGNS = frozenset("_.:/=+-@")
"""Allowed in tags beside letters, numbers and blanks of any script."""


def training_job_name(name: str, job_id: JobId) -> str:
    """Our job's name as far as it fits, and its id, which is never shortened."""
    slug = slug_of(name)
    return f"{slug}-{job_id}" if slug else job_id


def slug_of(name: str) -> str:
    """What there is room for beside an id, in the alphabet of SageMaker's names; "" where nothing is left."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")[: NAME_MOST - 1 - ID_LENGTH].strip("-")


def channel_names(names: Sequence[str]) -> dict[str, str]:
    """A channel for each name of `--data`; what is changed or taken gets a few digits of its own."""
    channels: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9.\-_]+", "-", name)
        is_free = plain == name and len(plain) <= CHANNEL_MOST and plain not in OUR_CHANNELS
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
        channels[name] = plain if is_free else f"{plain[: CHANNEL_MOST - 9]}-{digest}"
    return channels


def tags_of(labels: Pairs, *, room: int = TAGS_MOST - 2) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """Labels as tags, and a sentence for each kind of change that the alphabet or the number of tags forced.

    Args:
        room: How many tags there is room for beside ours.
    """
    tags: dict[str, str] = {}
    changed, left_out = [], []
    for key, value in labels:
        tag_key, tag_value = _tag_text(key, TAG_KEY_MOST), _tag_text(value, TAG_VALUE_MOST)
        if not tag_key or tag_key.lower().startswith(("aws:", "ipymlops:")) or tag_key in tags or len(tags) == room:
            left_out.append(key)
            continue
        tags[tag_key] = tag_value
        changed += [] if (tag_key, tag_value) == (key, value) else [key]
    notes = []
    if changed:
        notes.append(
            f"as tags of AWS these labels read differently: {_listed(changed)}; our record has them as they are"
        )
    if left_out:
        notes.append(f"these labels are no tags of AWS, and in our record alone: {_listed(left_out)}")
    return [{"Key": key, "Value": value} for key, value in tags.items()], tuple(notes)


def _tag_text(text: str, most: int) -> str:
    return "".join(one if one in TAG_SIGNS or unicodedata.category(one)[0] in "LNZ" else "_" for one in text)[:most]


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"  # noqa: PLR2004 - a card is short
