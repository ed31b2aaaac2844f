"""What `setup` wrote and made, by platform, so that it can be taken back: `HOME/setup.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Made = tuple[str, str]
"""What was made, and the command that removes it."""


@dataclass(frozen=True)
class Entry:
    """One platform's: settings by their key, as they were written, and what was made for them."""

    settings: Mapping[str, str] = field(default_factory=dict)
    made: tuple[Made, ...] = ()


def entry_of(home: Path, platform: str) -> Entry | None:
    """None where `setup` did nothing for it."""
    kept = _read(home).get(platform)
    if kept is None:
        return None
    return Entry(kept["settings"], tuple((what, removal) for what, removal in kept["made"]))


def remember(home: Path, platform: str, more: Entry) -> None:
    """Add to what is kept of a platform; called before the settings are written, and before each thing is made."""
    before = entry_of(home, platform) or Entry()
    made = dict.fromkeys((*before.made, *more.made))
    _write(home, _read(home) | {platform: {"settings": {**before.settings, **more.settings}, "made": [*made]}})


def forget(home: Path, platform: str) -> None:
    _write(home, {other: kept for other, kept in _read(home).items() if other != platform})


def forget_made(home: Path, platform: str, what: Made) -> None:
    """It was not made after all."""
    before = entry_of(home, platform) or Entry()
    made = [one for one in before.made if one != what]
    if made or before.settings:
        _write(home, _read(home) | {platform: {"settings": {**before.settings}, "made": made}})
    else:
        forget(home, platform)


def _read(home: Path) -> dict[str, dict[str, Any]]:
    try:
        journal = json.loads(_path(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {name: kept if "made" in kept else {"settings": kept, "made": []} for name, kept in journal.items()}


def _write(home: Path, journal: Mapping[str, object]) -> None:
    path = _path(home)
    if not journal:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(journal), encoding="utf-8")


def _path(home: Path) -> Path:
    return home / "setup.json"
