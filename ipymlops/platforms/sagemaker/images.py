"""The image of a job: the one that is named, or AWS's own for the framework that the code imports."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from botocore.exceptions import UnknownRegionError

from ipymlops.errors import UsageProblem
from ipymlops.hardware.accelerators import accelerators
from ipymlops.hardware.machines import Machine
from ipymlops.platforms.sagemaker import catalogue
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.spec import JobSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ACCELERATED = ("ml.g", "ml.p")
"""How machine types with a GPU begin, for those that are not in our table."""


@dataclass(frozen=True)
class _Stock:
    """An image of AWS's own; `note` says what is amiss with it."""

    address: str
    note: str = ""


def image_of(aws: Aws, spec: JobSpec, machine: Machine) -> tuple[str | None, str]:
    """The image's address and a sentence for the card; None where no region is set, which the address has in it.

    Raises: `UsageProblem` for a machine that needs an image of its own kind, and none is named.
    """
    named = spec.image or aws.settings.get("image")
    if named:
        where = "as asked for" if spec.image else "the setting sagemaker.image"
        return named, f"the image {named}: {where}"
    _refuse_other_chips(machine)
    region = aws.region_or_none
    if region is None:
        return None, "which image it runs in depends on the region, and none is set"
    is_gpu = machine.count > 0 or (not machine.vcpus and machine.machine_type.startswith(ACCELERATED))
    frameworks = base_frameworks(spec.imports)
    for framework in frameworks:
        found = _stock(aws, framework, region, is_gpu=is_gpu)
        if found:
            why = f"AWS's own for {framework}, which the code imports"
            return found.address, f"the image {found.address}: {why}{found.note}"
    usual = _stock(aws, _table()["default"], region, is_gpu=is_gpu)
    if usual is None:  # the table has a row of each kind for it, checked by a test
        return None, "no image is known for this machine"
    return usual.address, f"the image {usual.address}: {_why_usual(frameworks)}{usual.note}"


def base_frameworks(imported: tuple[str, ...]) -> tuple[str, ...]:
    """What the imports are built on, in the order of the table: torch for torchvision."""
    known: Mapping[str, str] = _table()["imports"]
    found = {known[name] for name in imported if name in known}
    return tuple(name for name in dict.fromkeys(known.values()) if name in found)


def registry(aws: Aws, account: str, region: str) -> str:
    """The address of an account's registry; a region that is newer than the library is in the usual partition."""
    session = aws.session()
    try:
        name = session.get_partition_for_region(region)
    except UnknownRegionError:
        name = "aws"
    partitions = {one["id"]: one["outputs"] for one in session.get_data("partitions")["partitions"]}
    return f"{account}.dkr.ecr.{region}.{partitions[name]['dnsSuffix']}"


def _refuse_other_chips(machine: Machine) -> None:
    name = machine.accelerator
    if name is not None and not accelerators()[name].is_gpu:
        title = accelerators()[name].title
        what = f"{title} needs an image of its own kind, and none is named; nothing was sent"
        why = f"AWS's images for CPUs and GPUs have not the libraries that {title} needs (Neuron)"
        raise UsageProblem(what, why=why, fix="--image ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG")


def _why_usual(frameworks: tuple[str, ...]) -> str:
    if not frameworks:
        return "the usual one, as the code imports no framework we know; --image or sagemaker.image names another"
    named = f"the usual one, as none is known for {', '.join(frameworks)} on such a machine"
    if catalogue.is_installed():
        return f"{named}; --image or sagemaker.image names another"
    return f"{named}; pip install 'ipymlops[sagemaker-images]' brings the vendor's catalogue, --image names another"


def _stock(aws: Aws, framework: str, region: str, *, is_gpu: bool) -> _Stock | None:
    """Our row, else the vendor's catalogue's; None where neither has the framework for this kind of machine."""
    kind = "gpu" if is_gpu else "cpu"
    rows = [row for row in _table()["stock"].get(framework, ()) if kind in row]
    if rows:
        row = _patched(rows)
        account = _table()["accounts"].get(region, _table()["account"])
        ended = f"; its patches ended on {row['until']}, and --image names a newer one" if _is_over(row) else ""
        return _Stock(f"{registry(aws, account, region)}/{row[kind]}", ended)
    found = catalogue.newest(framework, region, is_gpu=is_gpu)
    return _Stock(f"{registry(aws, found.account, region)}/{found.image}") if found else None


def _patched(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The first that is still patched, else the one that was patched longest."""
    return next((row for row in rows if not _is_over(row)), max(rows, key=lambda row: str(row["until"])))


def _is_over(row: Mapping[str, Any]) -> bool:
    return bool(row["until"] < date.today().isoformat())  # noqa: DTZ011 - a day more or less


@cache
def _table() -> dict[str, Any]:
    text = (files("ipymlops.platforms.sagemaker") / "images.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
