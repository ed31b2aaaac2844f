"""The image of a job: the one that is named, or AWS's own for the framework that the code imports."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from botocore.exceptions import UnknownRegionError

from ipymlops.hardware.machines import Machine
from ipymlops.platforms.sagemaker import catalogue
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.spec import JobSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def image_of(aws: Aws, spec: JobSpec, machine: Machine) -> tuple[str | None, str]:
    """The image's address and a sentence for the card; None where no region is set, which the address has in it."""
    named = spec.image or aws.settings.get("image")
    if named:
        where = "as asked for" if spec.image else "the setting sagemaker.image"
        return named, f"the image {named}: {where}"
    region = aws.region_or_none
    if region is None:
        return None, "which image it runs in depends on the region, and none is set"
    frameworks = base_frameworks(spec.imports)
    for framework in frameworks:
        found = _stock(aws, framework, region, is_gpu=machine.count > 0)
        if found:
            return found, f"the image {found}: AWS's own for {framework}, which the code imports"
    found = _stock(aws, _table()["default"], region, is_gpu=machine.count > 0)
    return found, f"the image {found}: {_why_default(frameworks)}"


def base_frameworks(imported: tuple[str, ...]) -> tuple[str, ...]:
    """What the imports are built on, in the order of the table: torch for transformers."""
    known: Mapping[str, str] = _table()["imports"]
    found = {known[name] for name in imported if name in known}
    return tuple(name for name in dict.fromkeys(known.values()) if name in found)


def _why_default(frameworks: tuple[str, ...]) -> str:
    named = (
        f"for {', '.join(frameworks)} none is in our table" if frameworks else "the code imports no framework we know"
    )
    if frameworks and not catalogue.is_installed():
        return f"the usual one, as {named}; pip install 'ipymlops[sagemaker-images]' brings the vendor's catalogue"
    return f"the usual one, as {named}; --image or sagemaker.image names another"


def _stock(aws: Aws, framework: str, region: str, *, is_gpu: bool) -> str | None:
    """Our row, else the vendor's catalogue's; None where neither has the framework for this kind of machine."""
    kind = "gpu" if is_gpu else "cpu"
    rows = [row for row in _table().get(framework, ()) if kind in row]
    if rows:
        account = _table()["accounts"].get(region, _table()["account"])
        return f"{account}.dkr.ecr.{region}.{_suffix(aws, region)}/{_patched(rows)[kind]}"
    name = _table()["catalogue"].get(framework)
    found = catalogue.newest(name, region, is_gpu=is_gpu) if name else None
    return f"{found.account}.dkr.ecr.{region}.{_suffix(aws, region)}/{found.image}" if found else None


def _patched(rows: list[dict[str, Any]]) -> dict[str, Any]:
    today = date.today().isoformat()  # noqa: DTZ011 - a day more or less
    patched = [row for row in rows if row["until"] >= today]
    return patched[0] if patched else max(rows, key=lambda row: row["until"])


def _suffix(aws: Aws, region: str) -> str:
    """The domain of the region's partition; a region that is newer than the library is in the usual one."""
    session = aws.session()
    try:
        partition = session.get_partition_for_region(region)
    except UnknownRegionError:
        return "amazonaws.com"
    return str(session.get_component("endpoint_resolver").get_partition_dns_suffix(partition))


@cache
def _table() -> dict[str, Any]:
    text = (files("ipymlops.platforms.sagemaker") / "images.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
