"""What a machine costs an hour: AWS's price list, remembered for a week; else our table, where its region is meant."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ipymlops.errors import IpymlopsError, NotSignedIn
from ipymlops.hardware.machines import Machine
from ipymlops.platforms.sagemaker.aws import Aws

GOOD_FOR = timedelta(days=7)
ASK_AGAIN = timedelta(hours=1)
"""After no answer, or one without a price."""
ASKED_IN = {"eu": "eu-central-1", "ap": "ap-south-1"}
"""The price list answers in three regions; the nearest by the first letters of the job's."""
ELSEWHERE = "us-east-1"
ONE_ATTEMPT = 1


def known_price(aws: Aws, machine: Machine) -> Machine:
    """The machine with the price of this region, if it is remembered or stands in the table; asks nobody."""
    region = aws.region_or_none
    remembered = _remembered(aws.home, region, machine.machine_type) if region else None
    if remembered:
        return _priced(machine, remembered, region)
    return machine if region in (None, machine.region) else _unknown(machine)


def price_of(aws: Aws, machine: Machine) -> tuple[Machine, str]:
    """The machine with its price, asked for where it can be, and a sentence where something should be said of it.

    A price list that does not answer never stands in the way of a plan.
    """
    found = known_price(aws, machine)
    if (found.usd_per_hour is None or found is machine) and aws.region_or_none and _ask(aws, machine.machine_type):
        found = known_price(aws, machine)
    if found.usd_per_hour is not None:
        return found, "the price is estimated from that of the plain machine" if found.is_estimate else ""
    if machine.usd_per_hour is None:
        return found, f"the price of {machine.machine_type} is not known"
    there = f"{machine.region} it costs ${machine.usd_per_hour:.2f} an hour"
    return found, f"the price in {aws.region_or_none} is not known (in {there}); reading it needs pricing:GetProducts"


def _unknown(machine: Machine) -> Machine:
    return replace(machine, usd_per_hour=None, base_usd_per_hour=None, as_of=None, region=None, is_estimate=False)


def _priced(machine: Machine, remembered: Mapping[str, Any], region: str | None) -> Machine:
    base = machine.base_usd_per_hour if region == machine.region else None  # the plain machine's is not asked for
    return replace(
        machine,
        usd_per_hour=remembered["usd"],
        as_of=remembered["asked_at"][:10],
        region=region,
        is_estimate=False,
        base_usd_per_hour=base,
    )


def _ask(aws: Aws, machine_type: str) -> bool:
    """Ask the price list and remember what came of it; False where there is no price to be had."""
    region = aws.region
    if _was_asked(aws.home, region, machine_type):
        return False
    try:
        aws.need_credentials()
        usd = _listed(aws, region, machine_type)
    except NotSignedIn:
        return False
    except (ClientError, BotoCoreError, IpymlopsError, OSError, KeyError, ValueError):
        usd = None
    _remember(aws.home, region, machine_type, usd)
    return usd is not None


def _was_asked(home: Path, region: str, machine_type: str) -> bool:
    asked_at = _file(home, region).get(machine_type, {}).get("asked_at", "")
    try:
        return datetime.now(timezone.utc) - datetime.fromisoformat(asked_at) < ASK_AGAIN
    except ValueError:
        return False


def _listed(aws: Aws, region: str, machine_type: str) -> float | None:
    asked = {"regionCode": region, "instanceName": machine_type, "platoinstancetype": "Training"}
    client = aws.client("pricing", ASKED_IN.get(region[:2], ELSEWHERE), attempts=ONE_ATTEMPT)
    pages = client.get_paginator("get_products").paginate(
        ServiceCode="AmazonSageMaker",
        Filters=[{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in asked.items()],
    )
    prices = [usd for page in pages for text in page["PriceList"] for usd in _prices(json.loads(text))]
    return max(prices, default=None)


def _prices(product: Mapping[str, Any]) -> Iterator[float]:
    """The hourly prices on demand; rows at $0 are the free tier and what was reserved."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if usd > 0:
                yield usd


def _remembered(home: Path, region: str, machine_type: str) -> Mapping[str, Any] | None:
    found = _file(home, region).get(machine_type, {})
    if not found.get("usd"):
        return None
    age = datetime.now(timezone.utc) - datetime.fromisoformat(found["asked_at"])
    return found if age < GOOD_FOR else None


def _file(home: Path, region: str) -> dict[str, Any]:
    try:
        prices = json.loads(_path(home, region).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: row for name, row in prices.items() if isinstance(row, dict)} if isinstance(prices, dict) else {}


def _remember(home: Path, region: str, machine_type: str, usd: float | None) -> None:
    """Two who write at once lose one of two rows, which is asked for again."""
    path = _path(home, region)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    asked_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    rows = _file(home, region) | {machine_type: {"usd": usd, "asked_at": asked_at}}
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps(rows), encoding="utf-8")
    unfinished.replace(path)


def _path(home: Path, region: str) -> Path:
    return home / "prices" / f"sagemaker-{region}.json"
