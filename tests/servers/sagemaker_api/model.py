"""Requests against botocore's own service model, refused in the service's words."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from tests.servers.sagemaker_api.answers import ServiceError, invalid

_NUMBERS = ("integer", "long", "float", "double")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "blob": (str,),
}
_WORDS = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}


@cache
def service_model(name: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def check(action: str, told: Mapping[str, Any]) -> None:
    """Raise ValidationException, or SerializationException for a wrong type, where the model does not allow it."""
    shape = service_model("sagemaker").operation_model(action).input_shape
    wrong = list(_wrong(shape, told, "")) if shape is not None else []
    if wrong:
        count = "1 validation error" if len(wrong) == 1 else f"{len(wrong)} validation errors"
        raise invalid(f"{count} detected: {'; '.join(wrong)}")


def _wrong(shape: Shape, value: Any, path: str) -> Iterator[str]:
    _check_type(shape, value)
    if isinstance(shape, StructureShape):
        yield from _wrong_structure(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _wrong_list(shape, value, path)
    elif isinstance(shape, MapShape):
        yield from _wrong_map(shape, value, path)
    else:
        yield from (_told(value, path, rule) for rule in _broken(shape, value))


def _wrong_structure(shape: StructureShape, value: Any, path: str) -> Iterator[str]:
    given = {name: one for name, one in value.items() if one is not None}
    for name in shape.required_members:
        if name not in given:
            yield _told(None, _below(path, name), "Member must not be null")
    if shape.is_tagged_union and len(given) != 1:
        yield _told(value, path, "Exactly one member must be set")
    for name, member in shape.members.items():
        if name in given:
            yield from _wrong(member, given[name], _below(path, name))


def _wrong_list(shape: ListShape, value: Any, path: str) -> Iterator[str]:
    yield from (_told(value, path, rule) for rule in _broken(shape, value))
    if isinstance(shape.member, StructureShape):
        for number, one in enumerate(value, 1):
            yield from _wrong(shape.member, one, f"{path}.{number}.member")
    elif any(list(_wrong(shape.member, one, path)) for one in value):
        yield _told(value, path, f"Member must satisfy constraint: [{', '.join(_rules(shape.member))}]")


def _wrong_map(shape: MapShape, value: Any, path: str) -> Iterator[str]:
    yield from (_told(value, path, rule) for rule in _broken(shape, value))
    if any(list(_wrong(shape.key, one, path)) for one in value):
        yield _told(value, path, f"Map keys must satisfy constraint: [{', '.join(_rules(shape.key))}]")
    if any(list(_wrong(shape.value, one, path)) for one in value.values()):
        yield _told(value, path, f"Map value must satisfy constraint: [{', '.join(_rules(shape.value))}]")


def _check_type(shape: Shape, value: Any) -> None:
    is_wrong = not isinstance(value, _TYPES[shape.type_name])
    if is_wrong or (isinstance(value, bool) and shape.type_name in _NUMBERS):
        word = _WORDS.get(type(value), "START_OBJECT")
        raise ServiceError("SerializationException", f"{word} can not be converted to {shape.type_name.title()}")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    size = value if shape.type_name in _NUMBERS else len(value) if isinstance(value, str | list | dict) else None
    kind = "value" if shape.type_name in _NUMBERS else "length"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if size is not None and low is not None and size < low:
        yield f"Member must have {kind} greater than or equal to {low}"
    if size is not None and high is not None and size > high:
        yield f"Member must have {kind} less than or equal to {high}"
    pattern = shape.metadata.get("pattern")
    if pattern and isinstance(value, str) and not matches(pattern, value):
        yield f"Member must satisfy regular expression pattern: {pattern}"
    if shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"


def _rules(shape: Shape) -> Iterator[str]:
    kind = "value" if shape.type_name in _NUMBERS else "length"
    if "max" in shape.metadata:
        yield f"Member must have {kind} less than or equal to {shape.metadata['max']}"
    if "min" in shape.metadata:
        yield f"Member must have {kind} greater than or equal to {shape.metadata['min']}"
    if "pattern" in shape.metadata:
        yield f"Member must satisfy regular expression pattern: {shape.metadata['pattern']}"
    if getattr(shape, "enum", None):
        yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"


def _told(value: Any, path: str, rule: str) -> str:
    word = "null" if value is None else f"'{value if isinstance(value, str) else json.dumps(value)}'"
    return f"Value {word} at '{path}' failed to satisfy constraint: {rule}"


def _below(path: str, name: str) -> str:
    word = name[0].lower() + name[1:]
    return f"{path}.{word}" if path else word


def matches(pattern: str, value: str) -> bool:
    return bool(_compiled(pattern).fullmatch(value))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    r"""The service's patterns are Java's: \p{L} and its like are written out, \w and \d mean ASCII."""
    for group in ("L", "Z", "N"):
        if f"\\p{{{group}}}" in pattern:
            pattern = pattern.replace(f"\\p{{{group}}}", _letters(group))
    return re.compile(pattern, re.ASCII)


@cache
def _letters(group: str) -> str:
    codes = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == group]
    runs = groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])
    ends = [(run[0][1], run[-1][1]) for run in (list(items) for _, items in runs)]
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ends)
