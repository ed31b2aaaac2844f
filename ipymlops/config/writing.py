"""Writing the user's settings without touching what else is in the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ipymlops.config.files import USER_FILE, malformed, read
from ipymlops.config.known import SETTINGS, Known, known
from ipymlops.errors import UsageProblem
from ipymlops.nearest import nearest


def write_user(home: Path, values: Mapping[str, str | None]) -> Path:
    """Set keys (`sagemaker.region`) in the user's `config.toml`, whole or not at all; None takes a key out.

    Comments, order and other keys stay. Returns the file.
    Raises: `UsageProblem` for an unknown key, a value of the wrong kind, or a file that is no TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = home / USER_FILE
    if path.is_file():
        read(path)  # one wording for a malformed file
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8") if path.is_file() else "")
    except TOMLKitError as error:
        raise malformed(path, str(error)) from None
    for key, value in values.items():
        _put(document, _checked(key), value)
    _replace(path, tomlkit.dumps(document))
    return path


def _put(document: MutableMapping[str, Any], one: Known, value: str | None) -> None:
    import tomlkit

    table: MutableMapping[str, Any] = document
    if one.platform:
        if not isinstance(table.get(one.platform), MutableMapping):
            document[one.platform] = tomlkit.table()
        table = document[one.platform]
    if value is None:
        table.pop(one.name, None)
    else:
        table[one.name] = _typed(one, value)


def _typed(one: Known, value: str) -> object:
    items = one.items_of(value)
    if items is None:
        raise UsageProblem(
            f"{one.key} = {value!r}: no such value", why=f"it must be {one.must_be}", fix="ipymlops config"
        )
    if one.kind == "list":
        return list(items)
    if one.kind == "number":
        return int(items[0])
    return items[0] == "1" if one.kind == "flag" else items[0]


def _checked(key: str) -> Known:
    one = known(key)
    if one is None or one.is_of_code:
        near = nearest(key, [other.key for other in SETTINGS])
        raise UsageProblem(
            f"no setting of yours is called {key!r}",
            why=f"did you mean {near!r}?" if near else "",
            fix="ipymlops config",
        )
    return one


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half.open("w", encoding="utf-8") as file:
            half.chmod(0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
